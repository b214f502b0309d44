"""The NumPy and the PyTorch version of a function side by side, and how far apart they are."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from nnlib import core
from nnlib.cards import Card, Code

FLOORS = {"float64": 1e-12, "float32": 1e-5}
PLUMBING = ("torch.ones", "torch.zeros", "torch.tensor", "torch.stack", "torch.full")


def show(path: str) -> None:
    """show("normalization.batch_norm"): both versions from source, with their measured agreement."""
    card(path).show()


def card(path: str) -> Card:
    concept, name = core.parts(path)
    reference, twin = core.find(path, "in_numpy"), core.find(path, "in_torch")
    ours, theirs = core.load(concept, "in_numpy"), core.load(concept, "in_torch")
    backward = getattr(ours, f"{name}_backward", None)
    reasons = ("No gradient", ours, "no_gradient"), ("Not in torch", theirs, "no_official")
    measured = list(agreements(path))
    rows: dict[str, list[str]] = {}
    for agreement in measured:
        rows.setdefault(agreement.what, []).append(agreement.text())
    fits = all(a.difference <= a.limit for a in measured)
    count = len(core.cases(path))
    by_hand, twins = source(*filter(None, [reference, backward])), source(twin)
    autograd = "\n\n\n# backward: autograd" if backward else ""
    return Card(
        "they agree" if fits else "they DIFFER",
        f"`{path}` over {count} case{'s' * (count > 1)}, measured: on {' and '.join(devices())}",
        "good" if fits else "bad",
        tuple(
            f"{what}: {why[name]}." for what, m, table in reasons if name in (why := getattr(m, table, {}))
        ),
        tuple((what, "measured: " + ", ".join(texts)) for what, texts in rows.items()),
        columns=(Code("NumPy", *by_hand), Code("PyTorch", twins[0] + autograd, twins[1])),
    )


# ------------------------------------------------------------------------------------------- the sources


def source(*functions: Callable) -> tuple[str, str]:
    """Functions as they stand, without docstrings and decorators, and the helpers of their module."""
    mains = [inspect.unwrap(f) for f in functions]
    helpers: dict[str, Callable] = {}
    for f in mains:
        _collect(f, helpers)
    return "\n\n\n".join(map(_bare, mains)), "\n\n\n".join(map(_bare, helpers.values()))


def _collect(f: Callable, helpers: dict[str, Callable]) -> None:
    for name in _names(f.__code__):
        helper = f.__globals__.get(name)
        if name not in helpers and name.startswith("_") and inspect.isfunction(helper):
            helpers[name] = helper
            _collect(helper, helpers)


def _names(code: CodeType) -> Iterator[str]:
    """The names that a function uses, and the functions inside it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _bare(f: Callable) -> str:
    lines = textwrap.dedent(inspect.getsource(f)).splitlines()
    function = ast.parse("\n".join(lines)).body[0]
    if ast.get_docstring(function) is not None:
        first = function.body[0]
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines[function.lineno - 1 :])


def official_name(module: ModuleType, name: str) -> str:
    """What the library's operation is called, read from its entry in `official`."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    tables = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "official"]
    entry = next(value for key, value in zip(tables[0].keys, tables[0].values) if key.value == name)
    function = functions.get(getattr(entry, "id", ""))
    calls = [node.func for node in ast.walk(function or entry) if isinstance(node, ast.Call)]
    names = dict.fromkeys(ast.unparse(node) for node in calls or [entry])
    names = [n for n in names if re.fullmatch(r"(F|nn|torch)(\.\w+)+", n) and n not in PLUMBING]
    if function:  # its first operation, unless that only serves an optimizer
        names = sorted(names, key=lambda n: not n.startswith("torch.optim."))[:1]
    return " of ".join(names) or "the library's own"


# ---------------------------------------------------------------------------------------- the agreement


class Agreement(NamedTuple):
    """The largest difference between versions over all cases and devices."""

    what: str
    dtype: str
    difference: float
    floor: float
    limit: float

    def text(self) -> str:
        """A bound: rounded up to a power of ten and never below the floor, so that a machine that rounds
        the last digits differently prints the same."""
        if not math.isfinite(self.difference):
            return f"by {self.difference} in {self.dtype}"
        power = math.ceil(math.log10(max(self.difference, self.floor)) - 1e-9)
        return f"to 1e{power} in {self.dtype}"


def agreements(path: str) -> Iterator[Agreement]:
    """reference = twin = official, and the backward by hand = autograd = central differences."""
    concept, _, name = path.partition(".")
    ours, theirs = core.load(concept, "in_numpy"), core.load(concept, "in_torch")
    f, backward = inspect.unwrap(core.find(path, "in_numpy")), vars(ours).get(f"{name}_backward")
    versions = {"PyTorch": inspect.unwrap(core.find(path, "in_torch"))}
    if name in getattr(theirs, "official", {}):
        versions[official_name(theirs, name)] = theirs.official[name]
    held = getattr(ours, "constants", {}).get(name, ())
    kinks = getattr(ours, "kinks", {}).get(name, ())
    cases = core.cases(path)
    for dtype, floor in FLOORS.items():
        runs = [(case.cast(dtype), device) for case in cases for device in devices(dtype)]
        limit = core.tolerance(dtype)
        worst = max(_forward(f, v, *run) for run in runs for v in versions.values())
        yield Agreement(" = ".join(["NumPy", *versions]), dtype, worst, floor, limit)
        if backward:
            pair = f, inspect.unwrap(backward)
            worst = max(_autograd(*pair, v, *run, held) for run in runs for v in versions.values())
            yield Agreement("backward by hand = autograd", dtype, worst, floor, 5 * limit)
    if backward:
        worst = max(_differences(*pair, case.cast("float64"), held, kinks) for case in cases)
        yield Agreement("backward by hand = central differences", "float64", worst, 1e-8, 1e-6)


def devices(dtype: str = "float32") -> list[str]:
    from nnlib import training

    return [d for d in reversed(training.devices()) if (d, dtype) != ("mps", "float64")]  # mps has none


def _full_precision() -> Any:
    """Without it cuDNN rounds what it multiplies in float32 convolutions to ten bits (TF32) on newer GPUs."""
    import torch

    return torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False)


def _forward(f: Callable, version: Callable, args: dict[str, Any], device: str) -> float:
    with _full_precision():
        y = version(*core.positional(f, _tensors(args, device)))
    return core.max_difference(_arrays(y), f(**args))


def _autograd(
    f: Callable, backward: Callable, version: Callable, args: dict, device: str, held: tuple
) -> float:
    import torch

    grad_output = core.grad_outputs(f(**args))
    inputs = _tensors(args, device)
    leaves = [k for k, v in inputs.items() if torch.is_tensor(v) and v.is_floating_point() and k not in held]
    for name in leaves:
        inputs[name].requires_grad_()
    with _full_precision():
        y = core.as_tuple(version(*core.positional(f, inputs)))
        torch.autograd.backward(y, [torch.as_tensor(g, device=device) for g in core.as_tuple(grad_output)])
    theirs = {k: 0 * inputs[k] if inputs[k].grad is None else inputs[k].grad for k in leaves}
    ours = _by_name(args, backward(grad_output, **args))
    return max(core.max_difference(ours[k], _arrays(theirs[k])) for k in leaves)


def _differences(f: Callable, backward: Callable, args: dict, held: tuple, kinks: tuple) -> float:
    """Where a function has a kink its slope differs on both sides: those points of x are left out."""
    grad_output = core.grad_outputs(f(**args))
    ours = _by_name(args, backward(grad_output, **args))
    theirs = _by_name(args, core.numerical_backward(f, grad_output, **args))
    worst = 0.0
    for name, grad in ours.items():
        if grad is not None and name not in held:
            smooth = ~np.isin(args[name], kinks) if name == "x" else np.ones(np.shape(grad), bool)
            worst = max(worst, core.max_difference(np.asarray(grad)[smooth], theirs[name][smooth]))
    return worst


def _by_name(args: dict[str, Any], grads: Any) -> dict[str, Any]:
    names = [k for k, v in args.items() if isinstance(v, np.ndarray)]
    return dict(zip(names, core.as_tuple(grads), strict=True))


def _tensors(args: dict[str, Any], device: str) -> dict[str, Any]:
    import torch

    return {
        k: torch.from_numpy(v.copy()).to(device) if isinstance(v, np.ndarray) else v for k, v in args.items()
    }


def _arrays(y: Any) -> Any:
    values = tuple(None if v is None else v.detach().cpu().numpy() for v in core.as_tuple(y))
    return values if isinstance(y, tuple) else values[0]
