"""What is wrong with a learner's function: trials beside the solution, and the steps that look at them."""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from linecache import getline, getlines
from operator import attrgetter
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnlib import core

if TYPE_CHECKING:
    from nnlib.exercises import Exercise

EXACT = core.tolerance("float64")
LONGEST = 1500  # characters of what a learner prints


class Output(NamedTuple):
    """One output of one trial: the learner's value and the solution's."""

    name: str
    got: Any
    want: Any
    trial: Trial

    @property
    def right(self) -> bool:
        return agree((self.got,), (self.want,))

    def wrong_elements(self) -> np.ndarray:
        got, want = np.asarray(self.got, float), np.asarray(self.want, float)
        scale = np.abs(want[np.isfinite(want)]).max(initial=1.0)
        return ~np.isclose(got, want, rtol=0, atol=EXACT * scale, equal_nan=True)


@dataclass(frozen=True)
class Trial:
    """One case in one dtype, run by the learner's function and by the solution."""

    exercise: Exercise
    case: core.Case
    dtype: str
    args: dict[str, Any]
    want: tuple
    raw: Any = None
    again: Any = None  # the result of a second call
    touched: tuple[str, ...] = ()  # arguments that the call changed
    error: Exception | None = None
    printed: str = ""  # by the first call

    @property
    def got(self) -> tuple:
        """The learner's outputs; a list will do for a tuple."""
        return tuple(self.raw) if type(self.raw) is list and len(self.want) > 1 else core.as_tuple(self.raw)

    @property
    def names(self) -> list[str]:
        return self.exercise.output_names(self.args, len(self.want))

    @property
    def outputs(self) -> list[Output]:
        pairs = zip(self.names, self.got, self.want)
        return [Output(n, g, w, self) for n, g, w in pairs if g is not None and w is not None]

    @property
    def where(self) -> str:
        return f" (case: {self.case.note})" if self.case.note else ""

    @property
    def right(self) -> bool:
        limit = core.tolerance(self.dtype)
        return self.error is None and not self.touched and agree(self.got, self.want, limit)

    def equals(self, f: Callable) -> bool:
        """Does another function give the learner's outputs? One that fails here does not."""
        try:
            return agree(self.got, core.as_tuple(_call(self.exercise, f, self.args)))
        except Exception:
            return False


def attempts(exercise: Exercise, mine: Callable, cases: list[core.Case]) -> list[Trial]:
    """All cases in float64, then all in float32; an exception ends the list."""
    trials: list[Trial] = []
    for dtype, case in itertools.product(("float64", "float32"), cases):
        args = fresh(case.args, dtype)
        want = core.as_tuple(_call(exercise, exercise.reference, fresh(args)))
        given, printed = fresh(args), io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                raw = fresh(_call(exercise, mine, given))  # a copy: a second call may write into its buffer
            with contextlib.redirect_stdout(io.StringIO()):
                again = _call(exercise, mine, fresh(args))
        except Exception as error:
            failed = Trial(exercise, case, dtype, args, want, error=error, printed=printed.getvalue())
            return [*trials, failed]
        touched = tuple(name for name in args if not same(args[name], given[name]))
        trials.append(Trial(exercise, case, dtype, args, want, raw, again, touched, None, printed.getvalue()))
    return trials


def _call(exercise: Exercise, f: Callable, args: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return exercise.call(f, args)


def fresh(value: Any, dtype: str | None = None) -> Any:
    """A copy that shares nothing, float arrays in `dtype`, random generators with their state."""
    if type(value) is dict:
        return {k: fresh(v, dtype) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(fresh(v, dtype) for v in value)
    if isinstance(value, np.ndarray):
        return value.astype(dtype) if dtype and value.dtype.kind == "f" else value.copy()
    return copy.deepcopy(value) if isinstance(value, np.random.Generator) else value


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit. Generators always are: to draw from one is to change it."""
    if type(a) in (tuple, list):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if numeric(a) and numeric(b) and a is not None and b is not None:
        return np.array_equal(a, b, equal_nan=True)
    return type(a) is type(b)


def numeric(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "fiub"
    return value is None or isinstance(value, (int, float))


def agree(a: tuple, b: tuple, limit: float = EXACT) -> bool:
    return len(a) == len(b) and all(map(numeric, a)) and core.max_difference(a, b) <= limit


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def describe(args: dict[str, Any]) -> str:
    """The arguments of a call in words: arrays by their shape, small values as they are."""

    def text(value: Any) -> str:
        if isinstance(value, np.ndarray):
            return f"of shape {value.shape}"
        return repr(value) if len(repr(value)) < 20 else f"a {type(value).__name__}"

    return ", ".join(f"`{name}` {text(value)}" for name, value in args.items())


def printed(trials: list[Trial]) -> str:
    """What the learner's function printed for the first case that fails; the other cases stay silent."""
    failing = [t for t in trials if (t.error if trials[-1].error else not t.right)] or trials
    text = failing[0].printed.rstrip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n…"


# -------------------------------------------------------------------------------------------- exceptions


def raised(trial: Trial, mine: Callable) -> list[str]:
    """What was raised, and the learner's own line that led to it."""
    message = re.sub(r" at 0x[0-9a-f]+", "", str(trial.error)).strip()
    lines = [": ".join(filter(None, (type(trial.error).__name__, message)))]
    own = _file(mine)
    tb, last = trial.error.__traceback__, None
    while tb:
        last, tb = tb if tb.tb_frame.f_code.co_filename == own else last, tb.tb_next
    if last:
        if isinstance(trial.error, ValueError):
            lines = _product(trial.exercise, last.tb_frame, last.tb_lasti) or lines
        line = f"In line {last.tb_lineno} of your cell: `{getline(own, last.tb_lineno).strip()}`"
        lines.insert(1, line)
    return [*lines, f"It was called with {describe(trial.args)}{trial.where}."]


def unwritten(trial: Trial, mine: Callable) -> bool:
    """Did the stub itself raise its NotImplementedError, and not something that a written function calls?"""
    if not isinstance(trial.error, NotImplementedError):
        return False
    tb = trial.error.__traceback__
    while tb.tb_next:
        tb = tb.tb_next
    return _file(mine) in (None, tb.tb_frame.f_code.co_filename)


def _file(mine: Callable) -> str | None:
    return inspect.unwrap(mine).__code__.co_filename if hasattr(mine, "__code__") else None


def _product(exercise: Exercise, frame: FrameType, instruction: int) -> list[str]:
    """Was it a matrix product whose shapes do not fit? Then which would."""
    try:
        nodes = _factors(frame.f_code, instruction)
        left, right = (np.asarray(_value(node, frame)) for node in nodes)
        met = _meeting(left, right)
    except Exception:  # no product, or the source is not at hand
        return []
    if met[0] == met[1]:
        return []
    texts = [ast.unparse(node) for node in nodes]
    line = (
        f"ValueError: `{' @ '.join(texts)}` multiplies {left.shape} by {right.shape}: "
        f"the sizes that meet, {met[0]} and {met[1]}, have to be equal."
    )
    for node in filter(_is_transpose, nodes):
        value, name = np.asarray(_value(node.value, frame)), ast.unparse(node.value)
        if value.ndim != 2:
            rows = f"`{name}.reshape(-1, {value.shape[-1]})` first makes rows of it."
            return [line, f"`.T` transposes matrices; `{name}` has shape {value.shape}. {rows}"]
    lines = [line]
    for i, (a, b) in enumerate(((left.T, right), (left, right.T))):
        if (left, right)[i].ndim == 2 and len(set(_meeting(a, b))) == 1:
            product = [*texts[:i], _transposed(nodes[i]), *texts[i + 1 :]]
            lines.append(f"`{' @ '.join(product)}` fits: {a.shape} by {b.shape}.")
            for spec in core.documented(exercise.forward):
                if spec.shape and spec.name == texts[i].removesuffix(".T"):
                    lines[-1] += f" `{spec.name}` has shape ({', '.join(spec.shape)})."
    return lines


def _factors(code: CodeType, instruction: int) -> list[ast.expr]:
    """The two factors of the product that an instruction computes: `a @ b`, np.matmul, np.dot or a.dot(b)."""
    where = list(code.co_positions())[instruction // 2]
    tree = ast.parse("".join(getlines(code.co_filename)))
    products = (node for node in ast.walk(tree) if isinstance(node, (ast.BinOp, ast.Call)))
    ends = attrgetter("lineno", "end_lineno", "col_offset", "end_col_offset")
    node = next(node for node in products if ends(node) == where)
    if isinstance(node, ast.BinOp):
        return [node.left, node.right] if isinstance(node.op, ast.MatMult) else []
    called = getattr(node.func, "attr", "")
    return ([node.func.value] * (called == "dot") + node.args)[-2:] if called in ("dot", "matmul") else []


def _value(node: ast.expr, frame: FrameType) -> Any:
    return eval(compile(ast.Expression(node), "", "eval"), frame.f_globals, frame.f_locals)


def _meeting(left: np.ndarray, right: np.ndarray) -> tuple[int, int]:
    """The two sizes that a product sums over together."""
    return left.shape[-1], right.shape[-2 if right.ndim > 1 else 0]


def _is_transpose(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "T"


def _transposed(node: ast.expr) -> str:
    if _is_transpose(node):
        return ast.unparse(node.value)
    text = ast.unparse(node)
    return f"({text}).T" if isinstance(node, (ast.BinOp, ast.UnaryOp)) else f"{text}.T"


# --------------------------------------------------------------------------------------------- the steps
#
# In the order of diagnosis. Each sees all trials and returns the lines of a card, or nothing.


def returns_nothing(exercise: Exercise, trials: list[Trial]) -> list[str]:
    if any(t.raw is None for t in trials):
        return ["Your function returns None. Is a `return` missing?"]
    return []


def wrong_outputs(exercise: Exercise, trials: list[Trial]) -> list[str]:
    """Their number, their types, their order."""
    for t in trials:
        if len(t.got) != len(t.want):
            names = ", ".join(f"`{name}`" for name in t.names)
            lines = [f"Your function returns {len(t.got)} of {len(t.want)} values: {names}{t.where}."]
            if len(t.got) > len(t.want):
                lines = [f"Your function returns {len(t.got)} values; expected {names} alone{t.where}."]
            return lines
        for name, got, want in zip(t.names, t.got, t.want):
            if not numeric(got):
                return [f"`{name}` is of type {type(got).__name__}; expected a NumPy array{t.where}."]
            if (got is None) != (want is None):
                came, expected = ("None", "an array") if got is None else ("an array", "None")
                return [f"`{name}` is {came}; expected {expected}{t.where}."]
    exact = [t for t in trials if t.dtype == "float64"]
    several = [t for t in exact if len(t.want) == len(exact[0].want)]
    places, found = range(len(several[0].want)), []
    for j in places:
        fits = (i for i in places if all(agree((t.got[i],), (t.want[j],)) for t in several))
        found += [i for i in fits if i not in found][:1]
    if len(found) == len(places) and not _all_right(several):
        return [f"The values are right, their order is not: return `{', '.join(several[0].names)}`."]
    return []


def _all_right(trials: list[Trial]) -> bool:
    return all(agree(t.got, t.want) for t in trials)


def changed_inputs(exercise: Exercise, trials: list[Trial]) -> list[str]:
    for t in trials:
        for name in t.touched:
            return [
                f"Your function changes its argument `{name}`{t.where}; the caller still needs it as it was.",
                f"`{name} = {name} - …` makes a new array; `{name} -= …` and `{name}[…] = …` do not.",
            ]
    return []


def differs_between_calls(exercise: Exercise, trials: list[Trial]) -> list[str]:
    for t in trials:
        if not same(t.raw, fresh(t.again)):
            return [
                f"Two calls with the same arguments give different results{t.where}.",
                "Is there a random number, or something outside the function that changes?",
            ]
    return []


def wrong_shapes(exercise: Exercise, trials: list[Trial]) -> list[str]:
    backward = exercise.name.endswith("_backward")
    section = core.documented(exercise.forward, "Parameters" if backward else "Returns")
    letters = {spec.name: ", ".join(spec.shape) for spec in section if spec.shape}
    outputs = list(_outputs(trials))
    for o in outputs:
        came, expected = np.shape(o.got), np.shape(o.want)
        if came != expected:
            symbols = letters.get(o.name.removeprefix("grad_") if backward else o.name, "")
            comma = "" if ", " in symbols else ","
            wanted = f"({symbols}{comma}) = {expected}" if symbols else f"{expected}"
            line = f"`{o.name}` has shape {came}; expected {wanted}{o.trial.where}."
            if _only_a_reshape([p for p in outputs if p.name == o.name]):
                like = o.name.removeprefix("grad_")
                target = f"`{o.name}.reshape({like}.shape)`" if backward else "a last `reshape`"
                return [line, f"Its numbers are right, and {target} gives them their shape back."]
            return [line, *_shape_hint(np.asarray(o.got, float), o.want)]
    return []


def _only_a_reshape(outputs: list[Output]) -> bool:
    """Are all numbers right and in order, with leading axes merged and not merely an axis of length 1 off?"""
    if any(np.size(o.got) != np.size(o.want) for o in outputs):
        return False
    moved = [o for o in outputs if np.squeeze(o.got).shape != np.squeeze(o.want).shape]
    return bool(moved) and all(
        agree((np.reshape(o.got, np.shape(o.want)),), (o.want,), core.tolerance(o.trial.dtype))
        for o in outputs
    )


def _shape_hint(got: np.ndarray, want: Any) -> Iterator[str]:
    """What would turn the result into the right one."""

    def right(x: Any) -> bool:
        return core.max_difference(x, want) <= EXACT

    subsets = [s for n in range(1, got.ndim + 1) for s in itertools.combinations(range(got.ndim), n)]
    if got.ndim > 1 and right(got.T):
        yield "Its transpose is right."
    elif got.squeeze().shape == np.squeeze(want).shape:
        yield "Only axes of length 1 differ: look at `keepdims=True` and at `[:, None]`."
    elif axes := next((s for s in subsets if right(got.sum(axis=s))), None):
        yield f"Summed over {_axes(axes)}, it is right."
    elif axes := next((s for s in subsets if right(got.mean(axis=s))), None):
        yield f"Averaged over {_axes(axes)}, it is right."
    elif got.ndim == 0:
        yield "A sum or mean without `axis=` leaves a single number."


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"


def wrong_dtypes(exercise: Exercise, trials: list[Trial]) -> list[str]:
    for o in _outputs(trials):
        if type(o.got) in (bool, int, float):  # a plain Python number takes the dtype of what it meets
            continue
        came, expected = o.got.dtype, np.asarray(o.want).dtype
        if came.kind != expected.kind or came.kind == "f" and came != expected:
            line = f"`{o.name}` is {came} for {o.trial.dtype} inputs; expected {expected}{o.trial.where}."
            if expected.kind != "f":
                return [line]
            array = next((k for k, v in o.trial.args.items() if _is_float(v)), "x")
            return [
                line,
                "Look for `np.zeros` or `np.ones` without `dtype=`, for `np.where` with two plain numbers, "
                "for `np.sqrt` or `np.log` of a plain number (that of `math` adapts) and for integers times "
                f"floats. `.astype({array}.dtype)` sets it right at the end.",
            ]
    return []


def not_finite(exercise: Exercise, trials: list[Trial]) -> list[str]:
    for o in _outputs(trials):
        bad = np.asarray(o.got)[~np.isfinite(o.got) & np.isfinite(o.want)]
        if bad.size:
            value = "NaN" if np.isnan(bad).any() else "inf"
            line = f"`{o.name}` holds {value}; expected finite numbers{o.trial.where}, {o.trial.dtype}."
            arrays = [v for v in o.trial.args.values() if _is_float(v)]
            largest = max((np.abs(v).max(initial=0) for v in arrays), default=0)
            if largest > 80:  # exp(88.8) is too large for float32
                cause = f"The inputs reach {largest:g} there: `exp` of that overflows"
                if value == "NaN" and any(v.ndim > 1 for v in arrays):
                    cause += (
                        ", or every `exp` of a row becomes 0 (a softmax subtracts each row's own maximum)"
                    )
                saturated = (
                    "Or `p` is exactly 0 or 1 there, and log(0) or 0 / 0 comes up: "
                    "take the log, or cancel p(1 − p), on paper first."
                )
                return [line, f"{cause}.", saturated]
            return [
                line,
                "Is there a division by zero, a logarithm of zero or the root of a negative number?",
            ]
    return []


def wrong_values(exercise: Exercise, trials: list[Trial]) -> list[str]:
    exact = [t for t in trials if t.dtype == "float64"]
    if wrong := next((o for o in _outputs(exact) if not o.right), None):
        outputs = [o for o in _outputs(exact) if o.name == wrong.name]
        line = f"`{wrong.name}` {_pattern([o for o in outputs if not o.right])}"
        return [line, *first_difference(exercise, exact)]
    for t, precise in zip(trials[len(exact) :], exact):
        drift = core.max_difference(t.want, precise.want)  # what rounding alone does to the solution
        limit = core.tolerance("float32") + (10 * drift if np.isfinite(drift) else 0)
        if not agree(t.got, t.want, limit):
            return [
                f"Right in float64, but too far off in float32{t.where}.",
                "The formula is right and loses digits: look for a difference of two large numbers.",
            ]
    return []


def first_difference(exercise: Exercise, trials: list[Trial]) -> list[str]:
    """The first wrong element, in which cases it is wrong, and which outputs are right."""
    if lines := wrong_outputs(exercise, trials) or wrong_shapes(exercise, trials):
        return lines
    outputs = list(_outputs(trials))
    first = next(o for o in outputs if not o.right)
    bad = first.wrong_elements()
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    came, expected = np.asarray(first.got)[index], np.asarray(first.want)[index]
    digits = 6 if f"{came:.6g}" != f"{expected:.6g}" else 12
    at = f"{first.name}[{', '.join(map(str, index))}]" if index else first.name
    lines = [f"`{at}` is {came:.{digits}g}; expected {expected:.{digits}g}{first.trial.where}."]
    if bad.size > 1:
        lines[0] += f" {'All' if bad.all() else f'{bad.sum()} of the'} {bad.size} values are wrong."
    notes = {o.trial.case.note: o.right for o in outputs if o.name == first.name}
    if any(notes.values()) and all(notes):
        lines += [f"Right for: {_join(notes, True)}.", f"Wrong for: {_join(notes, False)}."]
    names = {o.name: all(p.right for p in outputs if p.name == o.name) for o in outputs}
    if any(names.values()):
        lines.append(f"Right already: {', '.join(f'`{name}`' for name, right in names.items() if right)}.")
    return lines


def _join(notes: dict[str, bool], which: bool) -> str:
    return "; ".join(note for note, right in notes.items() if right is which)


def _outputs(trials: list[Trial]) -> Iterator[Output]:
    return itertools.chain.from_iterable(t.outputs for t in trials)


# --------------------------------------------------------------------------- what wrong values have in common


def _pattern(wrong: list[Output]) -> str:
    if all(agree((np.multiply(o.got, -1),), (o.want,)) for o in wrong):  # a bool has no negative
        return "has the wrong sign."
    if factors := [f for o in wrong if (f := _factor(o)) is not None]:
        if len(factors) == len(wrong) and (text := _factor_text(wrong, np.array(factors))):
            return text
    if all(np.ndim(o.want) > 1 and agree((np.transpose(o.got),), (o.want,)) for o in wrong):
        return "is right but transposed."
    if max(core.max_difference(o.got, o.want) for o in wrong) < 1e-6:
        return (
            "is nearly right. Look at where `eps` stands, and for a difference of two large numbers, "
            "which loses digits."
        )
    if all(np.isin(o.want, (0, 1)).all() and np.isin(o.got, (-1, 0, 1)).all() for o in wrong):
        if any(np.any(np.asarray(o.got) == -1) for o in wrong):
            return "answers -1, 0 or 1, as `np.sign` does. Expected 0 or 1: a comparison, as a number."
    return _region(wrong) or "is wrong."


def _factor(o: Output) -> float | None:
    """The number by which all right values were multiplied, if there is one."""
    got, want = np.asarray(o.got, float), np.asarray(o.want, float)
    power = float((want * want).sum())
    factor = float((got * want).sum()) / power if power and np.isfinite(power) else 0.0
    return factor if abs(factor) > 1e-9 and agree((got,), (want * factor,)) else None


def _factor_text(wrong: list[Output], factors: np.ndarray) -> str:
    """One number everywhere, or in every case a size of the inputs, whose name tells what was forgotten."""
    sizes = [_sizes(o.trial) for o in wrong]
    sign = " and has the wrong sign" if factors[0] < 0 else ""
    for name in sizes[0]:
        values = np.array([s.get(name, 0) for s in sizes], float)
        for word, factor in (("large", values), ("small", 1 / np.maximum(values, 1))):
            if values.min() > 1 and np.allclose(np.abs(factors), factor, rtol=1e-9):
                size = f"{sizes[0][name]}{wrong[0].trial.where}"
                return f"is too {word} by the factor {name}, here {size}{sign}. Sum or mean?"
    if np.allclose(factors, factors[0], rtol=1e-9):
        return f"is {factors[0]:.4g} times the expected value."
    return ""


def _sizes(trial: Trial) -> dict[str, int]:
    """The letters of the docstring, their products with the trailing sizes, and the number of values."""
    specs = {spec.name: spec for spec in core.documented(trial.exercise.forward)}
    letters = core.check_call("", specs, trial.args, "numpy")
    positions = letters.pop("...", None)
    sizes = {k: v for k, v in letters.items() if isinstance(v, int)}
    if "N" in sizes and positions is not None:
        sizes["number of values per channel"] = sizes["N"] * int(np.prod(positions))
    arrays = {f"number of values in {k}": v.size for k, v in trial.args.items() if isinstance(v, np.ndarray)}
    return sizes | arrays


def _region(wrong: list[Output]) -> str:
    """Is it wrong exactly where an argument has one sign?"""
    masks = [o.wrong_elements() for o in wrong]
    for name in wrong[0].trial.args:
        values = [o.trial.args.get(name) for o in wrong]
        if all(mask.all() for mask in masks) or not all(
            np.shape(v) == m.shape for v, m in zip(values, masks)
        ):
            continue
        for sign, inside in (("<", np.less), (">", np.greater), ("==", np.equal)):
            if all(np.array_equal(inside(v, 0), m) for v, m in zip(values, masks)):
                return f"is wrong exactly where `{name} {sign} 0`."
    return ""


STEPS = (
    returns_nothing,
    wrong_outputs,
    changed_inputs,
    differs_between_calls,
    wrong_shapes,
    wrong_dtypes,
    not_finite,
    wrong_values,
)
