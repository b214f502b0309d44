"""What every concept relies on: cases, discovery, checked calls and numerical gradients. NumPy only."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROLES = ("in_numpy", "in_torch", "cases", "experiments", "explorers", "exercises")


# ------------------------------------------------------------------------------------------------- cases


@dataclass(frozen=True)
class Case:
    """One input on which the reference, the twin and the official operation must agree.

    `name` is the function it feeds and `args` its arguments by name, float arrays in float64.
    """

    name: str
    args: dict[str, Any]
    note: str = ""

    def cast(self, dtype: Any) -> dict[str, Any]:
        """The arguments as fresh copies, every float array in `dtype`."""
        return {k: _cast(v, dtype) for k, v in self.args.items()}

    def __str__(self) -> str:
        return f"{self.name}-{self.note}" if self.note else self.name


def _cast(value: Any, dtype: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return value.astype(dtype) if value.dtype.kind == "f" else value.copy()


# ------------------------------------------------------------------------------------------- discovery


@functools.cache
def concepts() -> tuple[str, ...]:
    """The concepts, found by walking the folders: whatever holds an `in_numpy.py`."""
    return tuple(sorted(p.parent.name for p in Path(__file__).parent.glob("*/in_numpy.py")))


def load(concept: str, role: str) -> ModuleType:
    """One file of a concept as a module: load("normalization", "in_torch")."""
    if concept not in concepts():
        raise LookupError(f"there is no concept {concept!r}; there is {', '.join(concepts())}")
    if role not in ROLES:
        raise LookupError(f"a concept has no file {role!r}; it has {', '.join(ROLES)}")
    return importlib.import_module(f"nnlib.{concept}.{role}")


def public(module: ModuleType) -> dict[str, Callable]:
    """The functions a module defines itself and does not hide behind an underscore."""
    return {
        name: f
        for name, f in vars(module).items()
        if inspect.isfunction(f) and f.__module__ == module.__name__ and not name.startswith("_")
    }


def parts(path: str) -> tuple[str, str]:
    """The concept and the name of "concept.name"."""
    if not isinstance(path, str):
        raise TypeError(f"the path is of type {type(path).__name__}; expected a string 'concept.name'")
    concept, _, name = path.partition(".")
    return concept, name


def find(path: str, role: str) -> Any:
    """The object behind "concept.name" in one file of the concept."""
    concept, name = parts(path)
    module = load(concept, role)
    own = {n: v for n, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__}
    if name.startswith("_") or name not in own:
        names = ", ".join(f"{concept}.{n}" for n in own if not n.startswith("_"))
        raise LookupError(f"there is no {path!r} in {role}.py; there is {names or 'nothing yet'}")
    return own[name]


def cases(path: str, seed: int = 0) -> list[Case]:
    """All cases of "concept.function"; those of `f_backward` are those of `f`."""
    concept, _, name = path.partition(".")
    found = load(concept, "cases").cases(np.random.default_rng(seed))
    return [case for case in found if case.name == name.removesuffix("_backward")]


# -------------------------------------------------------------------------------------- checked calls
#
# The Parameters section of a docstring is read by a machine, so it cannot drift from the code:
#
#     x : array (N, C, ...)                  a float array; letters bind sizes, ... any further sizes
#     target : int array (N,) in [0, C)      integers in a range whose ends are numbers or letters
#     bias : array (C,) or None
#     loss : array () or (N, ...)            one shape or another; int array (N,) or array (N, K) as well
#     eps : float > 0
#     reduction : {'none', 'mean', 'sum'}
#     normalized_shape : sizes               an int or a tuple of ints; array (..., *normalized_shape) ends so
#     stride : int or pair >= 1              one number for both axes, or two
#     padding : int or pair >= 0 or {'same', 'valid'}     a number or one of these words
#     training_data : any                    not checked here


@dataclass(frozen=True)
class Spec:
    """What the docstring says about one parameter."""

    name: str
    kind: str  # array, tuple, float, int, pair, bool, choice, sizes, Generator or any
    dtype: str = ""  # float, int or bool, for arrays
    shape: tuple[str, ...] = ()
    bounds: tuple[str, str, str, str] | None = None  # bracket, low, high, bracket
    choices: tuple[Any, ...] = ()
    finite: bool = False
    optional: bool = False
    text: str = ""
    others: tuple[Spec, ...] = ()  # what else an array may be


_ARRAY = re.compile(r"(?P<dtype>int |bool )?array \((?P<shape>[^)]*)\)(?P<rest>.*)")
_INTERVAL = re.compile(r"in (?P<open>[\[(])(?P<low>[^,]+), *(?P<high>[^\])]+)(?P<close>[\])])")
_COMPARISON = re.compile(r"(?P<sign>>=|>|<=|<) *(?P<value>\S+)")


def _bounds(text: str) -> tuple[str, str, str, str] | None:
    if m := _INTERVAL.search(text):
        return m["open"], m["low"].strip(), m["high"].strip(), m["close"]
    if m := _COMPARISON.search(text):
        bracket = "[" if "=" in m["sign"] else "("
        if ">" in m["sign"]:
            return bracket, m["value"], "inf", ")"
        return "(", "-inf", m["value"], "]" if bracket == "[" else ")"
    return None


def _arrays(name: str, text: str) -> Iterator[Spec]:
    """Each of "array (K,) or (1,)"; a shape alone is of the type named before it."""
    kind = ""
    for part in text.split(" or "):
        kind = part[: part.index("(")] if "array" in part else kind
        if m := _ARRAY.match(kind + part.removeprefix(kind)):
            shape = tuple(s.strip() for s in m["shape"].split(",") if s.strip())
            dtype = (m["dtype"] or "float").strip()
            yield Spec(
                name, "array", dtype, shape, _bounds(m["rest"]), finite="finite" in m["rest"], text=text
            )


def _spec(name: str, text: str) -> Spec:
    text = re.split(r" {2,}", text.strip())[0]
    optional = bool(re.search(r"\bor None\b", text))
    if _ARRAY.match(text):
        first, *others = _arrays(name, text)
        return replace(first, optional=optional, others=tuple(others))
    if text.startswith("{"):
        return Spec(name, "choice", choices=_choices(text), optional=optional, text=text)
    kind = "pair" if text.startswith("int or pair") else text.split()[0].rstrip(",") if text else "any"
    if kind not in ("float", "int", "pair", "bool", "sizes", "Generator"):
        return Spec(name, "any", text=text)
    return Spec(name, kind, bounds=_bounds(text), choices=_choices(text), optional=optional, text=text)


def _choices(text: str) -> tuple[Any, ...]:
    words = re.search(r"\{.*?\}", text)
    return tuple(sorted(eval(words[0]))) if words else ()


@functools.cache
def documented(f: Callable, section: str = "Parameters") -> tuple[Spec, ...]:
    """What one section of a docstring says, a `Spec` for each name."""
    lines = inspect.cleandoc(f.__doc__ or "").splitlines()
    if section not in lines:
        return ()
    specs: list[Spec] = []
    for line in lines[lines.index(section) + 2 :]:
        if re.match(r"-{3,}$", line):  # the underline of the next section: its title was no parameter
            break
        if m := re.match(r"(\w+(?:, \w+)*) : (.*)", line):
            specs += [_spec(name, m[2]) for name in m[1].split(", ")]
    return tuple(specs)


@functools.cache
def specs(concept: str, name: str) -> dict[str, Spec]:
    """The documented parameters of a function; `f_backward` takes grad_output, then all that f takes."""
    module = load(concept, "in_numpy")
    base = getattr(module, name.removesuffix("_backward"), None)
    if base is None:
        raise LookupError(f"{concept}.{name} has no reference in in_numpy.py")
    found = {s.name: s for s in documented(base)}
    if name.endswith("_backward"):
        outputs = documented(base, "Returns")
        several = Spec("grad_output", "tuple", others=outputs)
        grad = outputs[0] if len(outputs) == 1 else several
        found = {"grad_output": replace(grad, name="grad_output", bounds=None, optional=False), **found}
    return found


def _size(expression: str, sizes: dict[str, Any]) -> int | None:
    """The value of a size: a letter, a number or arithmetic with both; None while a letter is unbound."""
    try:
        return eval(expression, {"__builtins__": {}}, sizes)
    except NameError:
        return None


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _family(dtype: str) -> str:
    return (
        re.sub(r"\d.*", "", dtype).removeprefix("b" if dtype.startswith("bfloat") else "").removeprefix("u")
    )


def _dims(spec: Spec, sizes: dict[str, Any]) -> list[str]:
    """The axes of a shape: `*name` stands for as many as the argument `name` has sizes."""
    parts = ([str(n) for n in sizes[d]] if d in sizes and d.startswith("*") else [d] for d in spec.shape)
    return [dim for part in parts for dim in part]


def _match(spec: Spec, shape: tuple[int, ...], sizes: dict[str, Any]) -> bool:
    """Does the shape fit? Letters bind to sizes as they are met, `...` to a tuple of sizes."""
    dims = _dims(spec, sizes)
    if "..." in dims:
        at = dims.index("...")
        extra = len(shape) - (len(dims) - 1)
        if extra < 0 or sizes.setdefault("...", shape[at : at + extra]) != shape[at : at + extra]:
            return False
        shape = shape[:at] + shape[at + extra :]
        dims.remove("...")
    if len(shape) != len(dims):
        return False
    for dim, size in zip(dims, shape, strict=True):
        if dim.isidentifier() and dim not in sizes:
            sizes[dim] = size
        elif _size(dim, sizes) not in (size, None):
            return False
    return True


def _shape_text(spec: Spec, sizes: dict[str, Any]) -> str:
    """The expected shape in letters and, once every letter is known, in numbers."""
    letters = "(" + ", ".join(spec.shape) + ("," if len(spec.shape) == 1 else "") + ")"
    known: list[Any] = []
    for dim in _dims(spec, sizes):
        known += list(sizes.get("...", ("...",))) if dim == "..." else [_size(dim, sizes)]
    if not spec.shape or None in known or "..." in known or letters == str(tuple(known)):
        return letters
    return f"{letters} = {tuple(known)}"


def _check_array(spec: Spec, value: Any, library: str, sizes: dict[str, Any]) -> None:
    options = (spec, *spec.others)
    if isinstance(value, (float, np.floating)) and any(not o.shape and o.dtype == "float" for o in options):
        spec, value = next(o for o in options if not o.shape), np.float64(value)
    else:
        spec = _fitting(spec.name, options, value, library, sizes)
    if spec.finite and not bool((abs(value) < math.inf).all()):
        raise ValueError(f"{spec.name} holds NaN or infinite values; expected finite numbers")
    if spec.bounds:
        _check_bounds(spec, value, sizes)


def _fitting(name: str, options: tuple[Spec, ...], value: Any, library: str, sizes: dict[str, Any]) -> Spec:
    """The option whose dtype and shape the array has; its letters are bound."""
    kind = "torch.Tensor" if library == "torch" else "numpy array"
    if type(value).__module__.split(".")[0] != library or not hasattr(value, "dtype"):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected a {kind}")
    same = [o for o in options if o.dtype == _family(_dtype(value))]
    if not same:
        hints = {"float": "a floating-point", "int": "an integer", "bool": "a boolean"}
        wanted = " or ".join(dict.fromkeys(hints[o.dtype] for o in options))
        raise TypeError(f"{name} has dtype {_dtype(value)}; expected {wanted} {kind}")
    shape = tuple(value.shape)
    for option in same:
        bound = dict(sizes)
        if _match(option, shape, bound):
            if 0 in shape:
                raise ValueError(f"{name} has shape {shape}; expected at least one element along every axis")
            sizes.update(bound)
            return option
    wanted = " or ".join(_shape_text(o, sizes) for o in same)
    raise ValueError(f"{name} has shape {shape}; expected {wanted}")


def _check_bounds(spec: Spec, value: Any, sizes: dict[str, Any]) -> None:
    opening, low, high, closing = spec.bounds  # type: ignore[misc]
    ends = {"inf": math.inf, **{k: v for k, v in sizes.items() if k != "..."}}
    lowest, highest = _size(low, ends), _size(high, ends)
    several = bool(getattr(value, "shape", ()))
    least, most = (value.min(), value.max()) if several else (value, value)
    if several and "int" in _dtype(value):  # a negative bound would wrap around in uint8
        least, most = int(least), int(most)
    above = lowest is None or (lowest <= least if opening == "[" else lowest < least)
    below = highest is None or (most <= highest if closing == "]" else most < highest)
    if not (above and below):
        came = f"values from {least} to {most}" if several else f"{value}"
        wanted = f"in {opening}{low}, {high}{closing}"
        if high == "inf":
            wanted = f"{'>=' if opening == '[' else '>'} {low}{' and finite' if most == math.inf else ''}"
        names = [f"{end} = {_size(end, ends)}" for end in (low, high) if end.isidentifier() and end != "inf"]
        wanted += f" with {', '.join(names)}" if names else ""
        raise ValueError(f"{spec.name} is {came}; expected {wanted}")


def _check_value(spec: Spec, value: Any, library: str, sizes: dict[str, Any]) -> None:
    if value is None and spec.optional or spec.kind == "any":
        return
    if isinstance(value, str) and spec.choices and spec.kind != "choice":
        if value not in spec.choices:
            raise ValueError(f"{spec.name} is {value!r}; expected {spec.text}")
        return
    if spec.kind == "array":
        _check_array(spec, value, library, sizes)
    elif spec.kind == "tuple":
        _check_tuple(spec, value, library, sizes)
    elif spec.kind == "choice":
        if not any(type(value) is type(choice) and value == choice for choice in spec.choices):
            raise ValueError(
                f"{spec.name} is {value!r}; expected one of {', '.join(map(repr, spec.choices))}"
            )
    elif spec.kind == "bool":
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{spec.name} is {value!r}; expected True or False")
    elif spec.kind == "sizes":
        sizes["*" + spec.name] = _whole_sizes(spec.name, value)
    elif spec.kind == "pair" and isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{spec.name} is {value!r}; expected an int or a pair of ints")
        for number in value:
            _check_value(replace(spec, kind="int", choices=(), optional=False), number, library, sizes)
    elif spec.kind == "Generator":
        if type(value).__name__ != "Generator":
            raise TypeError(f"{spec.name} is of type {type(value).__name__}; expected a random Generator")
    else:
        numbers = (int, float, np.integer, np.floating) if spec.kind == "float" else (int, np.integer)
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers):
            wanted = "int or pair of ints" if spec.kind == "pair" else spec.kind
            raise TypeError(f"{spec.name} is {value!r} of type {type(value).__name__}; expected {wanted}")
        if value != value:
            raise ValueError(f"{spec.name} is NaN; expected a number")
        if spec.bounds:
            _check_bounds(spec, value, sizes)


def _check_tuple(spec: Spec, value: Any, library: str, sizes: dict[str, Any]) -> None:
    """A gradient for each of several outputs."""
    names = f"({', '.join(output.name for output in spec.others)})"
    if not isinstance(value, tuple):
        raise TypeError(f"{spec.name} is of type {type(value).__name__}; expected a tuple {names}")
    if len(value) != len(spec.others):
        raise ValueError(f"{spec.name} holds {len(value)} values; expected {names}")
    for output, part in zip(spec.others, value, strict=True):
        _check_array(replace(output, name=spec.name, bounds=None), part, library, sizes)


def _whole_sizes(name: str, value: Any) -> tuple[int, ...]:
    given = value if isinstance(value, (tuple, list)) else (value,)
    if not given or any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) for n in given):
        raise TypeError(f"{name} is {value!r}; expected an int or a tuple of ints")
    if min(given) < 1:
        raise ValueError(f"{name} is {value!r}; expected sizes of at least 1")
    return tuple(int(n) for n in given)


def _order(spec: Spec) -> tuple[bool, ...]:
    """Sizes first and then arrays, since they bind letters: plain letters before arithmetic with them, ranges
    in letters after both, and grad_output last, so that it is blamed for not fitting the arguments of f."""
    plain = all(d[0] in ".*" or d.isidentifier() or d.isdigit() for d in spec.shape)
    ranged = bool(spec.bounds)
    return spec.kind != "sizes", spec.kind != "array", spec.name == "grad_output", not plain, ranged


def check_call(name: str, wanted: dict[str, Spec], arguments: dict[str, Any], library: str) -> dict[str, Any]:
    """Check arguments against what is documented; returns the sizes that the letters stand for."""
    sizes: dict[str, Any] = {}
    try:
        order = sorted(wanted.values(), key=_order)
        for spec in order:
            if spec.name in arguments:
                _check_value(spec, arguments[spec.name], library, sizes)
        arrays = {s.name: v for s in order if hasattr(v := arguments.get(s.name), "dtype")}
        given = {n: _dtype(v) for n, v in arrays.items() if not isinstance(v, float)}  # np.float64 is a float
        dtypes = {name: dtype for name, dtype in given.items() if _family(dtype) == "float"}
        if len(set(dtypes.values())) > 1:
            came = ", ".join(f"{k} {v}" for k, v in dtypes.items())
            raise TypeError(f"the arrays differ in dtype ({came}); expected one dtype for all")
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return sizes


def checked(f: Callable | None = None, *, not_taught: dict[str, Any] | None = None) -> Callable:
    """Check every call of `f` against the shapes, dtypes and ranges that its docstring documents.

    The bare function stays at hand as `f.unchecked`, for loops in which microseconds count. `not_taught`
    names arguments that torch has and this course leaves out, each with torch's default: any other value
    raises a NotImplementedError instead of being ignored.
    """
    if f is None:
        return functools.partial(checked, not_taught=not_taught)
    _, concept, role = f.__module__.split(".")
    library = "torch" if role == "in_torch" else "numpy"
    signature = inspect.signature(f)
    missing = object()

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for argument, default in (not_taught or {}).items():
            value = kwargs.pop(argument, missing)
            if value is not missing and not (type(value) is type(default) and value == default):
                raise NotImplementedError(
                    f"{f.__name__}: {argument}={value!r} is an option of torch's that this course does not "
                    f"teach; expected {argument}={default!r} or nothing"
                )
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{f.__name__}: {error}; expected {f.__name__}{signature}") from None
        bound.apply_defaults()
        wanted = specs(concept, f.__name__)
        for name, value in bound.arguments.items():
            if isinstance(value, np.number) and wanted[name].kind in ("float", "int", "pair"):
                bound.arguments[name] = value.item()  # as a NumPy number it would make float32 arrays float64
        check_call(f.__name__, wanted, bound.arguments, library)
        return f(*bound.args, **bound.kwargs)

    call.unchecked = f  # type: ignore[attr-defined]
    call.not_taught = not_taught or {}  # type: ignore[attr-defined]
    return call


def positional(f: Callable, arguments: dict[str, Any]) -> tuple:
    """The arguments in the order of f, defaults filled in: what an official operation is given."""
    bound = inspect.signature(f).bind(**arguments)
    bound.apply_defaults()
    return bound.args


# ------------------------------------------------------------------------------------------- comparing


def as_tuple(value: Any) -> tuple:
    """One output or several, always as a tuple."""
    return value if isinstance(value, tuple) else (value,)


def max_difference(a: Any, b: Any) -> float:
    """The largest difference between two results, relative to the larger of 1 and the values of b.

    Nones match only Nones. NaN and infinities match only themselves; otherwise the difference is inf.
    """
    worst = 0.0
    for x, y in zip(as_tuple(a), as_tuple(b), strict=True):
        if x is None or y is None:
            worst = max(worst, 0.0 if x is y else math.inf)
            continue
        x, y = np.asarray(x, float), np.asarray(y, float)
        if x.shape != y.shape or not np.array_equal(np.isfinite(x), np.isfinite(y)):
            return math.inf
        finite = np.isfinite(y)
        if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
            return math.inf
        if finite.any():
            scale = max(1.0, float(np.abs(y[finite]).max()))
            worst = max(worst, float(np.abs(x[finite] - y[finite]).max()) / scale)
    return worst


def tolerance(dtype: Any) -> float:
    """How far two correct computations may lie apart: a hundred roundings, a little more in float32."""
    return {"float64": 1e-11, "float32": 2e-5}[str(dtype).removeprefix("torch.")]


# ------------------------------------------------------------------------------------------- gradients


def numerical_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float | None = None) -> np.ndarray:
    """The gradient of a scalar function by central differences.

        df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h

    The error falls with h² until rounding, about 1e-16 / h, takes over; the cube root of the machine
    epsilon balances the two, and is the default, scaled to each x_i.
    """
    x = np.array(x, dtype=np.float64)
    grad = np.empty_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        step = h or 6e-6 * max(1.0, abs(kept))
        x[i] = kept + step
        above = f(x)
        x[i] = kept - step
        grad[i] = (above - f(x)) / (2 * step)
        x[i] = kept
    return grad


def numerical_backward(f: Callable, grad_output: Any, *args: Any, **settings: Any) -> Any:
    """What `f_backward` should return, by central differences: one gradient per array argument."""
    values = list(args) + list(settings.values())
    names = list(settings)

    def loss(i: int) -> Callable[[np.ndarray], float]:
        def at(x: np.ndarray) -> float:
            changed = [*values[:i], x, *values[i + 1 :]]
            split = len(args)
            out = f(*changed[:split], **dict(zip(names, changed[split:], strict=True)))
            pairs = zip(as_tuple(grad_output), as_tuple(out), strict=True)
            return sum(float(np.sum(g * y)) for g, y in pairs)

        return at

    grads = tuple(
        numerical_gradient(loss(i), v) if v.dtype.kind == "f" else None
        for i, v in enumerate(values)
        if isinstance(v, np.ndarray)
    )
    return grads if len(grads) > 1 else grads[0]


def grad_outputs(y: Any, seed: int = 1) -> Any:
    """Random gradients with the shapes of the outputs `y`, so that no element can hide."""
    rng = np.random.default_rng(seed)
    grads = tuple(rng.normal(size=np.shape(v)).astype(np.asarray(v).dtype) for v in as_tuple(y))
    return grads if isinstance(y, tuple) else grads[0]


def backward_pairs() -> Iterator[tuple[str, str]]:
    """Every (concept, function) that comes with a hand-written backward."""
    for concept in concepts():
        functions = public(load(concept, "in_numpy"))
        for name in functions:
            if f"{name}_backward" in functions:
                yield concept, name
