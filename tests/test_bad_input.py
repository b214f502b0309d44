"""No bad call passes in silence: every function, in both versions, refuses what its docstring rules out.

From each valid case one argument is spoiled, in every way that its documented line knows. The call must
raise a ValueError, TypeError or NotImplementedError that names the function and the argument and says what
was expected, and must leave its inputs as they were.
"""

import inspect
import itertools
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from nnlib import core

VERSIONS = ("in_numpy", "in_torch")


@dataclass(frozen=True)
class Call:
    """A valid call: its arguments, all in NumPy, and what is documented about them."""

    path: str
    version: str
    args: dict[str, Any]
    specs: dict[str, core.Spec]

    @property
    def function(self) -> Callable:
        return core.find(self.path, self.version)

    @property
    def sizes(self) -> dict[str, Any]:
        return core.check_call(self.path, self.specs, self.args, "numpy")

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in self.args.items() if isinstance(value, np.ndarray)}

    def letters(self, name: str) -> list[str]:
        """The letter of each axis of an argument; `...` for each axis that the dots stand for."""
        dims = list(_option(self.specs[name], self.args[name]).shape)
        if "..." in dims:
            at, extra = dims.index("..."), self.args[name].ndim - len(dims) + 1
            dims[at : at + 1] = ["..."] * extra
        return dims


def _options(spec: core.Spec, value: Any) -> list[core.Spec]:
    """What the line allows for an array of this dtype."""
    kinds = {"f": "float", "i": "int", "u": "int", "b": "bool"}
    return [o for o in (spec, *spec.others) if o.kind == "array" and o.dtype == kinds[value.dtype.kind]]


def _allows(spec: core.Spec, rank: int) -> bool:
    return rank >= len(spec.shape) - 1 if "..." in spec.shape else rank == len(spec.shape)


def _option(spec: core.Spec, value: np.ndarray) -> core.Spec:
    return next(o for o in _options(spec, value) if _allows(o, value.ndim))


# -------------------------------------------------------------------------------------------- the calls


def valid(path: str, version: str) -> list[Call]:
    concept, _, name = path.partition(".")
    found = []
    for case in core.cases(path):
        args = case.cast("float64")
        if name.endswith("_backward"):
            y = core.find(path.removesuffix("_backward"), "in_numpy")(**args)
            args = {"grad_output": core.grad_outputs(y), **args}
        specs = core.specs(concept, name)
        sizes = core.check_call(name, specs, args, "numpy")
        shapes = {n: replace(s, shape=tuple(core._dims(s, sizes))) for n, s in specs.items()}
        found.append(Call(path, version, args, shapes))
    return found


FUNCTIONS = [
    (f"{concept}.{name}", version)
    for concept in core.concepts()
    for version in VERSIONS
    for name in core.public(core.load(concept, version))
]
CALLS = {(path, version): valid(path, version) for path, version in FUNCTIONS}


# -------------------------------------------------------------------------------------- how to spoil one

SPOILERS: dict[str, tuple[Callable, Callable]] = {}


def spoils(applies: Callable[[Call, str, core.Spec, Any], bool]) -> Callable:
    """Register a way to spoil an argument and where it applies."""

    def register(spoil: Callable[[random.Random, Call, str], Any]) -> Callable:
        SPOILERS[spoil.__name__] = applies, spoil
        return spoil

    return register


def is_array(call, name, spec, value):
    return isinstance(value, np.ndarray)


def has_axes(call, name, spec, value):
    return isinstance(value, np.ndarray) and value.ndim > 0


def is_documented(call, name, spec, value):
    return isinstance(value, np.ndarray) and spec.kind == "array"


def is_number(call, name, spec, value):
    return spec.kind in ("float", "int")


def longer(value: np.ndarray, axis: int, by: int) -> np.ndarray:
    return np.concatenate([value, value.take([0] * by, axis)], axis)


@spoils(has_axes)
def a_list(rng, call, name):
    return call.args[name].tolist()


@spoils(is_array)
def the_other_library(rng, call, name):
    value = call.args[name]
    return torch.from_numpy(value) if call.version == "in_numpy" else Foreign(value)


@spoils(lambda call, name, spec, value: is_documented(call, name, spec, value) and not spec.optional)
def nothing(rng, call, name):
    return None


@spoils(has_axes)
def an_empty_axis(rng, call, name):
    value = call.args[name]
    return value.take([], axis=rng.randint(0, value.ndim - 1))


def _wrong_ranks(call, name):
    value = call.args[name]
    allowed = _options(call.specs[name], value)
    ranks = range(max(0, value.ndim - 2), value.ndim + 3)
    return [rank for rank in ranks if not any(_allows(option, rank) for option in allowed)]


@spoils(lambda call, name, spec, value: is_documented(call, name, spec, value) and _wrong_ranks(call, name))
def another_rank(rng, call, name):
    value, rank = call.args[name], rng.choice(_wrong_ranks(call, name))
    return value[(0,) * (value.ndim - rank)] if rank < value.ndim else value[(None,) * (rank - value.ndim)]


def _shared_axes(call: Call, name: str) -> list[int]:
    """The axes whose size another axis or a number fixes."""
    everywhere = [
        letter
        for other, value in call.arrays().items()
        if call.specs[other].kind == "array"
        for letter in set(call.letters(other)) | set(_twice(call.letters(other)))
    ]
    return [
        axis
        for axis, letter in enumerate(call.letters(name))
        if everywhere.count(letter) > 1 or letter in _twice(call.letters(name)) or letter.isdigit()
    ]


def _twice(letters: list[str]) -> list[str]:
    return [letter for letter in letters if letter != "..." and letters.count(letter) > 1]


@spoils(lambda call, name, spec, value: is_documented(call, name, spec, value) and _shared_axes(call, name))
def a_size_that_does_not_fit(rng, call, name):
    axis = rng.choice(_shared_axes(call, name))
    return longer(call.args[name], axis, by=rng.randint(20, 30))


@spoils(lambda call, name, spec, value: has_axes(call, name, spec, value) and spec.kind == "any")
def a_shape_that_the_words_rule_out(rng, call, name):
    value = call.args[name]
    axis = rng.randint(0, value.ndim - 1)
    return rng.choice([longer(value, axis, by=2), value[None], value[0]])


@spoils(lambda call, name, spec, value: name == "grad_output")
def not_the_shape_of_the_output(rng, call, name):
    value = call.args[name]
    if isinstance(value, tuple):  # of several outputs: one too few, one alone, or one of another shape
        return rng.choice([value[:-1], value[0], (value[0][None], *value[1:])])
    value = np.asarray(value)
    spoiled = [value[None], np.stack([value, value], axis=-1)]
    if value.ndim:
        spoiled += [value.sum(), value[..., :1], longer(value, rng.randint(0, value.ndim - 1), by=1)]
    return rng.choice([s for s in map(np.asarray, spoiled) if s.shape != value.shape])


@spoils(lambda call, name, spec, value: isinstance(value, np.ndarray) and value.dtype.kind == "f")
def another_kind_of_numbers(rng, call, name):
    spec, value = call.specs[name], call.args[name]
    welcome = {o.dtype for o in (spec, *spec.others) if _allows(o, value.ndim)}
    kinds = ["int64", "int32", "uint8", "bool", "complex128"]
    kind = rng.choice([kind for kind in kinds if core._family(kind) not in welcome])
    with np.errstate(all="ignore"):
        return value.astype(kind)


@spoils(lambda call, name, spec, value: isinstance(value, np.ndarray) and value.dtype.kind in "iu")
def labels_that_are_no_integers(rng, call, name):
    labels = call.args[name].astype(rng.choice(["float64", "bool"]))
    if labels.dtype.kind == "f":
        labels.flat[rng.randint(0, labels.size - 1)] = rng.choice([math.nan, 0.5])
    return labels


@spoils(
    lambda call, name, spec, value: (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and sum(v.dtype.kind == "f" for v in call.arrays().values()) > 1
    )
)
def a_dtype_of_its_own(rng, call, name):
    with np.errstate(all="ignore"):
        return call.args[name].astype("float32")


@spoils(lambda call, name, spec, value: is_documented(call, name, spec, value) and spec.finite)
def no_finite_numbers(rng, call, name):
    value = call.args[name].copy()
    value.flat[rng.randint(0, value.size - 1)] = rng.choice([math.nan, math.inf, -math.inf])
    return value


def _outside(call: Call, spec: core.Spec) -> list[float]:
    """Numbers just outside of the documented bounds."""
    opening, low, high, closing = spec.bounds
    ends = {"inf": math.inf, **call.sizes}
    low, high = core._size(low, ends), core._size(high, ends)
    step = 1 if "int" in (spec.kind, spec.dtype) else 1e-6
    found = [low - step, low - 100] + [low] * (opening == "(")
    found += [high + step, high + 100] + [high] * (closing == ")")
    return [type(step)(number) for number in found if math.isfinite(number)]


@spoils(lambda call, name, spec, value: is_documented(call, name, spec, value) and spec.bounds)
def an_element_out_of_range(rng, call, name):
    value = call.args[name].copy()
    spoiled = _outside(call, call.specs[name]) + [math.nan] * (value.dtype.kind == "f")
    value.flat[rng.randint(0, value.size - 1)] = rng.choice(spoiled)
    return value


@spoils(lambda call, name, spec, value: is_number(call, name, spec, value) and spec.bounds)
def a_number_out_of_range(rng, call, name):
    return rng.choice(_outside(call, call.specs[name]))


@spoils(is_number)
def no_number(rng, call, name):
    spoiled = [True, False, "0.1", [0.1], np.array(0.1), torch.tensor(0.1), math.nan]
    return rng.choice(spoiled + [0.5] * (call.specs[name].kind == "int"))


@spoils(lambda call, name, spec, value: spec.kind in ("float", "int", "pair") and not spec.optional)
def nothing_for_a_number(rng, call, name):
    return None


@spoils(lambda call, name, spec, value: spec.kind == "pair")
def no_number_and_no_pair(rng, call, name):
    spoiled = [True, 0.5, "2", (), (1,), (1, 1, 1), (1, 0.5), ("same", 1), np.ones(2), math.nan]
    return rng.choice(spoiled)


@spoils(lambda call, name, spec, value: spec.kind == "pair" and spec.bounds)
def a_pair_out_of_range(rng, call, name):
    outside = rng.choice(_outside(call, call.specs[name]))
    return rng.choice([outside, (outside, 1), (1, outside)])


@spoils(lambda call, name, spec, value: spec.kind == "choice")
def an_unknown_choice(rng, call, name):
    return rng.choice(["average", "", "MEAN", 0, True, None, ["mean"], np.ones(2)])


@spoils(lambda call, name, spec, value: spec.kind == "bool")
def neither_true_nor_false(rng, call, name):
    return rng.choice([0, 1, "False", None, np.array([True, False])])


@spoils(lambda call, name, spec, value: spec.kind == "Generator")
def no_generator(rng, call, name):
    return rng.choice([0, "seed", np.random])


# ----------------------------------------------------------------------------------------- the same check


@dataclass(frozen=True)
class Foreign:
    """A NumPy array on its way into a twin."""

    array: np.ndarray


def spots(path: str, version: str, spoiler: str) -> list[tuple[Call, str]]:
    """The arguments of valid calls that can be spoiled so."""
    applies, _ = SPOILERS[spoiler]
    return [
        (call, name)
        for call in CALLS[path, version]
        for name in _with_defaults(call)
        if applies(call, name, call.specs[name], call.args.get(name))
    ]


def _with_defaults(call: Call) -> list[str]:
    """The arguments that are given, and settings left at their default: those can be given badly too."""
    return [n for n, spec in call.specs.items() if n in call.args or spec.kind not in ("array", "any")]


SPOTS = {
    (path, version, spoiler): found
    for path, version in FUNCTIONS
    for spoiler in SPOILERS
    if (found := spots(path, version, spoiler))
}


def into(version: str, value: Any) -> Any:
    if isinstance(value, Foreign):
        return value.array
    if version == "in_torch" and isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value


def snapshot(arguments: dict[str, Any]) -> dict[str, tuple]:
    arrays = {n: np.asarray(v) for n, v in arguments.items() if isinstance(v, (np.ndarray, torch.Tensor))}
    return {name: (v.dtype, v.shape, v.tobytes()) for name, v in arrays.items()}


def refused(call: Call, arguments: dict[str, Any], names: set[str]) -> None:
    """The call raises, says what is wrong with which argument and changes nothing."""
    before, f = snapshot(arguments), call.function
    with pytest.raises((ValueError, TypeError, NotImplementedError)) as error:
        f(**arguments)
        pytest.fail(f"{call.path} of {call.version} took {arguments}", pytrace=False)
    message = str(error.value)
    assert f.__name__.removesuffix("_backward") in message.partition(":")[0], f"no function's name: {message}"
    assert any(re.search(rf"\b{name}\b", message) for name in names), f"none of {names} named: {message}"
    assert "expected" in message, f"not said what was expected: {message}"
    assert snapshot(arguments) == before, f"{call.path} changed its inputs before it raised"


def blamed(call: Call, name: str, spoiler: str) -> set[str]:
    """Where two arrays do not fit together either may be named, and where dtypes differ all of them."""
    if spoiler != "a_size_that_does_not_fit" or name == "grad_output":
        return {name}
    mine = {call.letters(name)[axis] for axis in _shared_axes(call, name)}
    others = (n for n in call.arrays() if call.specs[n].kind == "array")
    return {name, *(other for other in others if mine & _letters_within(call.letters(other)))}


def _letters_within(dims: list[str]) -> set[str]:
    """The letters of a shape, those inside of arithmetic such as 4*H among them."""
    return {letter for dim in dims for letter in (dim, *re.findall(r"[A-Za-z]\w*", dim))}


@pytest.mark.parametrize("path, version", FUNCTIONS)
def test_a_spoiled_argument_is_refused(path, version):
    """Five draws of each way to spoil it, over as many of its calls and arguments as there are."""
    rng = random.Random(f"{path} {version}")  # the same draws in every run
    for spoiler, (_, spoil) in SPOILERS.items():
        found = SPOTS.get((path, version, spoiler), [])
        for call, name in itertools.islice(itertools.cycle(rng.sample(found, len(found))), 5):
            values = call.args | {name: spoil(rng, call, name)}
            arguments = {n: into(version, v) for n, v in values.items()}
            try:
                refused(call, arguments, blamed(call, name, spoiler))
            except BaseException as error:
                error.add_note(f"{path} of {version}: {name} is {spoiler}")
                raise


@pytest.mark.parametrize("path, version", FUNCTIONS)
def test_an_unknown_argument_is_refused(path, version):
    call = CALLS[path, version][0]
    arguments = {n: into(version, v) for n, v in call.args.items()}
    refused(call, {**arguments, "inplase": True}, {"inplase"})


@pytest.mark.parametrize("path, version", FUNCTIONS)
def test_a_missing_argument_is_refused(path, version):
    call = CALLS[path, version][0]
    parameters = inspect.signature(call.function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty]
    for left_out in required:
        arguments = {n: into(version, v) for n, v in call.args.items() if n != left_out}
        refused(call, arguments, {left_out})
    assert required, f"{path} can be called with nothing"


NOT_TAUGHT = [
    (path, version, option) for path, version in FUNCTIONS for option in core.find(path, version).not_taught
]


@pytest.mark.parametrize("path, version, option", NOT_TAUGHT)
def test_an_option_of_torchs_that_is_not_taught_is_refused(path, version, option):
    call = CALLS[path, version][0]
    arguments = {n: into(version, v) for n, v in call.args.items()}
    default = call.function.not_taught[option]
    call.function(**arguments, **{option: default})
    for value in (not default, "yes", np.ones(3), torch.ones(3)):
        with pytest.raises(NotImplementedError):
            call.function(**arguments, **{option: value})
        refused(call, {**arguments, option: value}, {option})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("label", [-1, 4, 400, -101])
def test_a_class_that_does_not_exist_is_refused(version, label):
    """The line on `target` gives no range, since ignore_index may be any number: the function looks."""
    calls = [c for c in CALLS["losses.cross_entropy", version] if c.args["x"].shape == (6, 4)]
    with_labels = [c for c in calls if c.args["target"].dtype.kind == "i"]
    assert with_labels
    for call in with_labels:
        target = call.args["target"].copy()
        target[3] = label
        arguments = {n: into(version, v) for n, v in {**call.args, "target": target}.items()}
        refused(call, arguments, {"target"})


def test_no_function_and_no_spoiler_is_left_out():
    for path, version in FUNCTIONS:
        kinds = [spoiler for p, v, spoiler in SPOTS if (p, v) == (path, version)]
        assert len(kinds) >= 3, f"{path} of {version} can hardly be spoiled: {kinds}"
    used = {spoiler for _, _, spoiler in SPOTS}
    assert {"another_rank", "a_size_that_does_not_fit", "a_number_out_of_range", "no_finite_numbers"} <= used
    assert {"an_unknown_choice", "neither_true_nor_false", "labels_that_are_no_integers"} <= used
    assert len(NOT_TAUGHT) > 10
