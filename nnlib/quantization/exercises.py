"""Exercises of notebook 20, and what learners' functions usually do when they are wrong."""

from statistics import NormalDist

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.quantization import in_numpy

# -------------------------------------------------------------------------------- scale and zero point


def _ranges(rng):
    low, high = -rng.uniform(0.5, 3, 5), rng.uniform(0.5, 3, 5)
    for note, ends in {
        "both signs": dict(low=low, high=high),
        "only positive numbers": dict(low=-low, high=-low + high),
        "only negative numbers": dict(low=-high - 1, high=-high),
        "0 to 15": dict(low=low, high=high, quant_min=0, quant_max=15),
        "symmetric": dict(
            low=low * [3, 1, 3, 1, 1], high=high, quant_min=-127, quant_max=127, symmetric=True
        ),
    }.items():
        yield Case("choose_qparams", ends, note)


choose_qparams = Exercise(
    solution=in_numpy.choose_qparams,
    hints=[
        "First make the range hold 0: low = np.minimum(low, 0), high = np.maximum(high, 0).",
        "From quant_min to quant_max there are quant_max - quant_min steps. Affine: they cover high - low. "
        "Symmetric: they cover twice the larger of -low and high.",
        "Affine: 0 stands -low / scale steps above quant_min; round that. Symmetric: zeros, one for each "
        "range. `.astype(np.int32)` at the end.",
    ],
    next="a layer whose sums are integers.",
    cases=lambda rng: list(_ranges(rng)),
)


def _with(low, high, quant_min, quant_max, symmetric, steps=0, factor=1):
    """The solution with other numbers of steps, or another scale of the symmetric grid."""
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    steps += quant_max - quant_min
    if symmetric:
        return 2 * factor * np.maximum(-low, high) / steps, np.zeros(low.shape, np.int32)
    scale = (high - low) / steps
    return scale, np.clip(quant_min - np.round(low / scale), quant_min, quant_max).astype(np.int32)


@choose_qparams.mistake(
    "You divided by the number of levels. Between n levels there are n - 1 steps: quant_max - quant_min."
)
def levels_for_steps(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _with(low, high, quant_min, quant_max, symmetric, steps=1)


@choose_qparams.mistake(
    "The range is not made to hold 0. Where all numbers are positive, zeros (of padding, of ReLU) would be "
    "lost, and the zero point would lie outside of the grid."
)
def without_zero(low, high, quant_min=-128, quant_max=127, symmetric=False):
    if symmetric:
        return _with(low, high, quant_min, quant_max, symmetric)
    scale = (high - low) / (quant_max - quant_min)
    return scale, (quant_min - np.round(low / scale)).astype(np.int32)


@choose_qparams.mistake(
    "The range is not made to hold 0, and clipping the zero point does not mend that: the scale stays that "
    "of a range without 0."
)
def without_zero_clipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = without_zero(low, high, quant_min, quant_max, symmetric)
    return scale, np.clip(zero_point, quant_min, quant_max)


@choose_qparams.mistake("The zero point is counted from 0 and not from quant_min.")
def from_zero(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else zero_point - quant_min


@choose_qparams.mistake(
    "The sign of the zero point: `low` is negative, so 0 stands above quant_min, at quant_min - low / scale."
)
def wrong_sign(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else 2 * quant_min - zero_point


@choose_qparams.mistake(
    "The zero point is counted from 0 and not from quant_min, so clipping cuts some of them off."
)
def from_zero_clipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = from_zero(low, high, quant_min, quant_max, symmetric)
    return scale, np.clip(zero_point, quant_min, quant_max)


@choose_qparams.mistake(
    "The sign of the zero point: 0 stands at quant_min - low / scale, not below the grid."
)
def wrong_sign_clipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = wrong_sign(low, high, quant_min, quant_max, symmetric)
    return scale, np.clip(zero_point, quant_min, quant_max)


@choose_qparams.mistake(
    "The zero point is rounded down (`floor`, or `astype` of low / scale) and not to the nearest integer: up "
    "to a whole step off."
)
def floored(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else np.floor(quant_min - np.minimum(low, 0) / scale).astype(int)


@choose_qparams.mistake(
    "You rounded low / scale down (`floor`) and not to the nearest integer: up to a whole step off."
)
def floored_inside(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else quant_min - np.floor(np.minimum(low, 0) / scale).astype(int)


@choose_qparams.mistake("One 0 for all ranges. Return zeros, one for each: np.zeros(low.shape, np.int32).")
def one_zero(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, np.int32(0) if symmetric else zero_point


@choose_qparams.mistake(
    "The zero point is cut down to an integer (`astype`, `int`) and not rounded: up to a whole step off."
)
def truncated(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _with(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else np.trunc(quant_min - np.minimum(low, 0) / scale).astype(int)


@choose_qparams.mistake(
    "On the symmetric grid your scale is half as large as it should be: the steps cover the range from "
    "-bound to bound, twice the bound."
)
def half_a_range(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _with(low, high, quant_min, quant_max, symmetric, factor=0.5)


@choose_qparams.mistake(
    "On the symmetric grid you looked at `high` alone: where low lies further out, it would be cut off."
)
def high_only(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _with(0 * low if symmetric else low, high, quant_min, quant_max, symmetric)


@choose_qparams.mistake("You ignore `symmetric`: the range must then reach equally far to both sides of 0.")
def always_affine(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _with(low, high, quant_min, quant_max, False)


def _unclipped(low, high, quant_min, quant_max, symmetric, steps=0, most=None, divisor=None, zero_low=None):
    """As a learner writes it, without clipping: `most` is the bound of the symmetric grid."""
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    if symmetric:
        most = np.maximum(-low, high) if most is None else most
        return most / (divisor or quant_max), np.zeros(low.shape, np.int32)
    scale = (high - low) / (steps or quant_max - quant_min)
    low = low if zero_low is None else zero_low
    return scale, quant_min - np.round(low / scale).astype(np.int32)


@choose_qparams.mistake(
    "You divided by the number of levels, and there is one step less: the scale is (high - low) / (quant_max "
    "- quant_min)."
)
def levels_for_steps_affine(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _unclipped(low, high, quant_min, quant_max, symmetric, steps=quant_max - quant_min + 1)


@choose_qparams.mistake("You divided by the number of levels. Count the steps between them: one less.")
def levels_for_steps_unclipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    levels = quant_max - quant_min + 1
    return _unclipped(low, high, quant_min, quant_max, symmetric, steps=levels, divisor=levels / 2)


@choose_qparams.mistake(
    "You divided by the number of levels. Steps lie between levels: quant_max - quant_min, without + 1."
)
def levels_for_steps_clipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = levels_for_steps_affine(low, high, quant_min, quant_max, symmetric)
    return scale, np.clip(zero_point, quant_min, quant_max)


@choose_qparams.mistake("You wrote 255 for the number of steps. It is quant_max - quant_min: 15 with 4 bits.")
def steps_written_in(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _unclipped(low, high, quant_min, quant_max, symmetric, steps=255)


@choose_qparams.mistake("You wrote -128 for the lowest integer. It is quant_min: 0 on a grid without sign.")
def lowest_written_in(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else zero_point - quant_min - 128


@choose_qparams.mistake(
    "You let high reach 0, but not low: where all numbers are positive, the range has to begin at 0."
)
def low_not_stretched(low, high, quant_min=-128, quant_max=127, symmetric=False):
    if symmetric:
        return _unclipped(low, high, quant_min, quant_max, symmetric)
    scale = (np.maximum(high, 0) - low) / (quant_max - quant_min)
    return scale, quant_min - np.round(low / scale).astype(np.int32)


@choose_qparams.mistake(
    "You let low reach 0, but not high: where all numbers are negative, the range has to end at 0."
)
def high_not_stretched(low, high, quant_min=-128, quant_max=127, symmetric=False):
    if symmetric:
        return _unclipped(low, high, quant_min, quant_max, symmetric)
    scale = (high - np.minimum(low, 0)) / (quant_max - quant_min)
    return scale, quant_min - np.round(np.minimum(low, 0) / scale).astype(np.int32)


@choose_qparams.mistake(
    "Your scale belongs to the range that holds 0, your zero point to `low` as it came in. Both need the new "
    "low."
)
def old_low(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _unclipped(low, high, quant_min, quant_max, symmetric, zero_low=low)


@choose_qparams.mistake("Your scale is upside down: it is the width of a step, range / number of steps.")
def upside_down(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    if symmetric:
        return scale, zero_point
    return 1 / scale, quant_min - np.round(np.minimum(low, 0) * scale).astype(np.int32)


@choose_qparams.mistake(
    "Your scale is upside down, on both grids: it is the width of a step, range / number of steps."
)
def upside_down_on_both(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = upside_down(low, high, quant_min, quant_max, symmetric)
    return 1 / scale if symmetric else scale, zero_point


@choose_qparams.mistake("You multiplied low by the scale. How many steps lie below 0 is a quotient.")
def low_times_scale(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    low = np.minimum(low, 0)
    return scale, zero_point if symmetric else quant_min - np.round(low * scale).astype(np.int32)


@choose_qparams.mistake("You counted from quant_max. `low` stands at the lower end of the grid, quant_min.")
def from_the_top(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    return scale, zero_point if symmetric else zero_point - quant_min + quant_max


@choose_qparams.mistake("You added low to high. low is 0 or below: the range is high - low wide.")
def ends_added(low, high, quant_min=-128, quant_max=127, symmetric=False):
    if symmetric:
        return _unclipped(low, high, quant_min, quant_max, symmetric)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    scale = (high + low) / (quant_max - quant_min)
    return scale, quant_min - np.round(low / scale).astype(np.int32)


@choose_qparams.mistake(
    "On the symmetric grid you took the affine scale. 0 stands in the middle: the larger of -low and high "
    "has to fit on its side."
)
def affine_scale(low, high, quant_min=-128, quant_max=127, symmetric=False):
    most = (np.maximum(high, 0) - np.minimum(low, 0)) / 2
    return _unclipped(low, high, quant_min, quant_max, symmetric, most=most)


@choose_qparams.mistake(
    "On the symmetric grid you took the smaller of -low and high: the other end would be cut off."
)
def smaller_side(low, high, quant_min=-128, quant_max=127, symmetric=False):
    most = np.minimum(-np.minimum(low, 0), np.maximum(high, 0))
    return _unclipped(low, high, quant_min, quant_max, symmetric, most=most)


@choose_qparams.mistake(
    "On the symmetric grid you took one bound for all ranges. Compare element by element: each has its own."
)
def one_bound(low, high, quant_min=-128, quant_max=127, symmetric=False):
    most = np.full(low.shape, max(-low.min(), high.max()), low.dtype)
    return _unclipped(low, high, quant_min, quant_max, symmetric, most=most)


@choose_qparams.mistake(
    "On the symmetric grid you divided by quant_max + 1. The larger side has quant_max steps: 127, not 128."
)
def one_step_too_many(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _unclipped(low, high, quant_min, quant_max, symmetric, divisor=quant_max + 1)


@choose_qparams.mistake("On the symmetric grid the zero point is 0. You computed it from low all the same.")
def zero_point_computed(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    low = np.minimum(low, 0)
    return scale, quant_min - np.round(low / scale).astype(np.int32)


@choose_qparams.mistake(
    "You let high reach 0, but not low. Clipping the zero point does not mend that: the scale is too small."
)
def low_not_stretched_clipped(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = low_not_stretched(low, high, quant_min, quant_max, symmetric)
    return scale, np.clip(zero_point, quant_min, quant_max)


@choose_qparams.mistake(
    "You counted from high. quant_min - low / scale: it is `low` that stands at quant_min."
)
def counted_from_high(low, high, quant_min=-128, quant_max=127, symmetric=False):
    scale, zero_point = _unclipped(low, high, quant_min, quant_max, symmetric)
    high = np.maximum(high, 0)
    return scale, zero_point if symmetric else quant_min - np.round(high / scale).astype(np.int32)


@choose_qparams.mistake(
    "You wrote 256. That is the number of levels of 8 bits; the steps are quant_max - quant_min."
)
def levels_written_in(low, high, quant_min=-128, quant_max=127, symmetric=False):
    return _unclipped(low, high, quant_min, quant_max, symmetric, steps=256)


# ------------------------------------------------------------------------------ the straight-through gradient


def _staircases(rng):
    for note, args in {
        "4 bits": dict(scale=np.array(0.25), zero_point=np.array(0), quant_min=-8, quant_max=7),
        "a zero point": dict(scale=np.array(0.5), zero_point=np.array(5), quant_min=0, quant_max=15),
    }.items():
        beyond = np.array([-0.2, 0.0, 0.2, 0.6])  # in steps
        ends = np.append(args["quant_max"] + beyond, args["quant_min"] - beyond) - args["zero_point"]
        x = np.concatenate([rng.normal(size=8), ends * args["scale"], [-90, -31, -9, 9, 31, 90]])
        yield Case("fake_quantize_backward", dict(grad_output=rng.normal(size=22), x=x, **args), note)


fake_quantize_backward = Exercise(
    solution=in_numpy.fake_quantize_backward,
    hints=[
        "Straight through: the gradient passes as if rounding changed nothing. Only clipping stops it.",
        "Compute the integer before it is clipped: q = np.round(x / scale) + zero_point.",
        "grad_x = grad_output * ((quant_min <= q) & (q <= quant_max)). Return (grad_x, None, None): scale "
        "and zero point are held fixed.",
    ],
    next="a linear layer on nothing but integers.",
    cases=lambda rng: list(_staircases(rng)),
)


def _passed(grad_output, inside):
    return (grad_output * inside).astype(grad_output.dtype), None, None


@fake_quantize_backward.mistake(
    "You let the gradient pass everywhere. What was cut off does not answer to small changes of x: it gets "
    "none."
)
def passes_everywhere(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, True)


@fake_quantize_backward.mistake(
    "All zeros: that is the true slope of a staircase, and nothing would ever learn. The straight-through "
    "estimator pretends that rounding is the identity."
)
def true_slope(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, False)


def _inside(x, scale, zero_point, quant_min, quant_max):
    q = np.round(x / scale) + zero_point
    return (quant_min <= q) & (q <= quant_max)


@fake_quantize_backward.mistake(
    "You multiplied by scale. x is divided by it and the result multiplied again: the two cancel."
)
def times_scale(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output * scale, _inside(x, scale, zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake(
    "You divided by scale. x is divided by it and the result multiplied again: the two cancel."
)
def over_scale(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output / scale, _inside(x, scale, zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake(
    "At quant_min and quant_max themselves nothing has been cut off: use <= on both sides."
)
def strictly_inside(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, quant_min + 1, quant_max - 1))


@fake_quantize_backward.mistake(
    "You compared before rounding. A number up to half a step beyond the end rounds to it and passes: round "
    "first, as torch does."
)
def without_rounding(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    q = x / scale + zero_point
    return _passed(grad_output, (quant_min <= q) & (q <= quant_max))


@fake_quantize_backward.mistake(
    "You compared without adding the zero point: the ends belong to the integers."
)
def without_zero_point(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, 0, quant_min, quant_max))


@fake_quantize_backward.mistake(
    "You compared x itself with quant_min and quant_max. They are integers of the grid: divide x by scale "
    "first."
)
def floats_and_integers(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, (quant_min <= x) & (x <= quant_max))


@fake_quantize_backward.mistake("At quant_max itself nothing has been cut off: use <= there, too.")
def strictly_below(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, quant_min, quant_max - 1))


@fake_quantize_backward.mistake("At quant_min itself nothing has been cut off: use <= there, too.")
def strictly_above(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, quant_min + 1, quant_max))


@fake_quantize_backward.mistake(
    "You looked at the upper end alone. What lies below quant_min is cut off, too."
)
def upper_end_alone(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, -np.inf, quant_max))


@fake_quantize_backward.mistake(
    "You looked at the lower end alone. What lies above quant_max is cut off, too."
)
def lower_end_alone(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, quant_min, np.inf))


@fake_quantize_backward.mistake(
    "You compared the magnitude with quant_max. The lower end is quant_min, and need not be -quant_max."
)
def magnitude_compared(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, -quant_max, quant_max))


@fake_quantize_backward.mistake("The wrong way round: the gradient passes inside of the grid, not outside.")
def passes_outside(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, ~_inside(x, scale, zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake("You multiplied x by the scale. To count steps, divide.")
def multiplied_by_scale(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x * scale * scale, scale, zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake("You wrote -128 and 127. The ends are arguments: quant_min and quant_max.")
def ends_written_in(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, zero_point, -128, 127))


@fake_quantize_backward.mistake("You subtracted the zero point. To get the integer, it is added.")
def zero_point_subtracted(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, _inside(x, scale, -zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake(
    "You added the zero point to x. It is an integer of the grid: divide first, then add it."
)
def zero_point_added_too_early(
    grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None
):
    return _passed(grad_output, _inside(x + zero_point, scale, 0, quant_min, quant_max))


@fake_quantize_backward.mistake("You rounded down (`floor`). The integer is the nearest one: np.round.")
def rounded_down(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    q = np.floor(x / scale) + zero_point
    return _passed(grad_output, (quant_min <= q) & (q <= quant_max))


@fake_quantize_backward.mistake(
    "You compared x with the ends times scale. Those are ends for numbers that are not rounded yet, and the "
    "zero point is missing in them."
)
def ends_times_scale(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(grad_output, (quant_min * scale <= x) & (x <= quant_max * scale))


@fake_quantize_backward.mistake(
    "This is where the gradient may pass, as 0 and 1. grad_output has to come in: multiply."
)
def only_the_mask(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    return _passed(np.ones_like(grad_output), _inside(x, scale, zero_point, quant_min, quant_max))


@fake_quantize_backward.mistake(
    "These are the rounded numbers of the forward. Asked for is the gradient for x."
)
def the_forward(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    q = np.clip(np.round(x / scale) + zero_point, quant_min, quant_max)
    return (scale * (q - zero_point)).astype(x.dtype), None, None


@fake_quantize_backward.mistake(
    "You cut down to an integer (`astype` or np.trunc). It is the nearest: np.round."
)
def cut_to_integers(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    q = np.trunc(x / scale) + zero_point
    return _passed(grad_output, (quant_min <= q) & (q <= quant_max))


# -------------------------------------------------------------------------------------- integer arithmetic


def _products(rng):
    q_x, q_weight = rng.integers(100, 256, (4, 40)).astype(np.uint8), rng.integers(-127, 128, (3, 40))
    scales = dict(scale_x=np.array(0.02), scale_weight=rng.uniform(0.01, 0.03, 3), bias=rng.normal(size=3))
    args = dict(q_x=q_x, q_weight=q_weight.astype(np.int8), zero_point_x=np.array(31))
    z_w = np.array([-4, 9, 2])
    yield Case("quantized_linear", dict(**args, **scales, zero_point_weight=z_w), "zero points")
    large = dict(q_x=np.full((2, 400), 255, np.uint8), q_weight=np.full((3, 400), 127, np.int8))
    large |= dict(zero_point_x=np.array(0), zero_point_weight=np.zeros(3, int))
    yield Case("quantized_linear", large | scales, "sums above 32,767")


quantized_linear = Exercise(
    solution=in_numpy.quantized_linear,
    hints=[
        "NumPy multiplies uint8 by int8 in int16: one product fits, their sum does not. Convert both to "
        "np.int32, then q_x @ q_weight.T.",
        "Multiply out (q_x - z_x)(q_w - z_w) and sum over D: q_x @ q_w.T, minus z_w times the row sums of "
        "q_x (keepdims=True), minus z_x times the row sums of q_w, plus D z_x z_w.",
        "At the end total * (scale_x * scale_weight) + bias: the bias has not been divided by any scale. "
        "`.astype(bias.dtype)`, since int32 times float32 is float64.",
    ],
    next="where the sixteen levels of NF4 come from.",
    cases=lambda rng: list(_products(rng)),
)


def _total(q_x, q_weight, z_x, z_w, signs=(1, -1, -1, 1), dtype=np.int64):
    """The four terms of the product, each with its sign; the first summed in integers of type `dtype`."""
    q_x, q_weight = q_x.astype(np.int64), q_weight.astype(np.int64)
    rows, columns = q_x.sum(axis=1, keepdims=True), q_weight.sum(axis=1)
    terms = (q_x @ q_weight.T).astype(dtype), z_w * rows, z_x * columns, q_x.shape[1] * z_x * z_w
    return sum(sign * term for sign, term in zip(signs, terms))


def _linear(total, scale_x, scale_weight, bias):
    return (total * (scale_x * scale_weight) + bias).astype(scale_x.dtype)


@quantized_linear.mistake(
    "Your sums wrap around: NumPy multiplies uint8 by int8 in int16, and one product may be 32,385. Convert "
    "both to int32 before the product."
)
def sixteen_bit_sums(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight, dtype=np.int16)
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("Your sums wrap around in 8 bits: convert both to int32 before the product.")
def eight_bit_sums(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight, dtype=np.int8)
    return _linear(total, scale_x, scale_weight, bias)


def _plant_signs(name, message, signs):
    """A mistake with other signs of the four terms, 0 for one that is missing."""

    def wrong(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
        total = _total(q_x, q_weight, zero_point_x, zero_point_weight, signs)
        return _linear(total, scale_x, scale_weight, bias)

    wrong.__name__ = name
    quantized_linear.mistake(message)(wrong)


_DEDUCTED = "Both middle terms are subtracted, the last is added."
for _name, _message, _signs in (
    ("products_alone", "All three terms with zero points are missing.", (1, 0, 0, 0)),
    ("without_row_sums", "The term - zero_point_weight * (row sums of q_x) is missing.", (1, 0, -1, 1)),
    ("without_column_sums", "The term - zero_point_x * (row sums of q_weight) is missing.", (1, -1, 0, 1)),
    ("row_sums_added", f"The row sums of q_x have the wrong sign. {_DEDUCTED}", (1, 1, -1, 1)),
    ("column_sums_added", f"The row sums of q_weight have the wrong sign. {_DEDUCTED}", (1, -1, 1, 1)),
    ("both_added", f"Both corrections have the wrong sign. {_DEDUCTED}", (1, 1, 1, 1)),
    ("last_subtracted", f"The last of the four terms has the wrong sign. {_DEDUCTED}", (1, -1, -1, -1)),
):
    _plant_signs(_name, _message, _signs)


@quantized_linear.mistake(
    "The zero point of x is missing: the number behind q_x is scale_x * (q_x - zero_point_x)."
)
def without_zero_point_x(
    q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None
):
    return _linear(_total(q_x, q_weight, 0, zero_point_weight), scale_x, scale_weight, bias)


@quantized_linear.mistake("The zero points of the weights are missing: one for each output.")
def without_zero_point_weight(
    q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None
):
    return _linear(_total(q_x, q_weight, zero_point_x, 0), scale_x, scale_weight, bias)


@quantized_linear.mistake(
    "The last of the four terms is missing: + D * zero_point_x * zero_point_weight, with D = q_x.shape[1]."
)
def without_last_term(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    total = total - q_x.shape[1] * zero_point_x * zero_point_weight
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake(
    "The last of the four terms is added once; each of the D products brings it: D times the product of the "
    "two zero points."
)
def last_term_once(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    total = total - (q_x.shape[1] - 1) * zero_point_x * zero_point_weight
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("D is the number of inputs, q_x.shape[1]; you took that of the examples.")
def examples_for_inputs(
    q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None
):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight, (1, -1, -1, len(q_x) / q_x.shape[1]))
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("The bias is multiplied by the scales. It is a float already: add it at the end.")
def bias_scaled(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight) + bias
    return _linear(total, scale_x, scale_weight, 0)


@quantized_linear.mistake(
    "The scales of the weights are missing: a product of two steps is scale_x * scale_weight."
)
def one_scale(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    return _linear(_total(q_x, q_weight, zero_point_x, zero_point_weight), scale_x, 1, bias)


@quantized_linear.mistake("scale_x is missing: a product of two steps is scale_x * scale_weight.")
def without_scale_x(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    return _linear(total, np.ones_like(scale_x), scale_weight, bias)


@quantized_linear.mistake("The bias is missing.")
def without_bias(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    return _linear(_total(q_x, q_weight, zero_point_x, zero_point_weight), scale_x, scale_weight, 0)


def _terms(x, weight, zero_point_x, zero_point_weight):
    """The four terms, in the integers that come in."""
    total = x @ weight.T - zero_point_weight * x.sum(axis=1, keepdims=True)
    return total - zero_point_x * weight.sum(axis=1) + x.shape[1] * zero_point_x * zero_point_weight


@quantized_linear.mistake("q_x is uint8 and reaches 255; int8 ends at 127, and 255 becomes -1. Take int32.")
def inputs_wrapped(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    x, weight = q_x.astype(np.int8).astype(int), q_weight.astype(int)
    return _linear(_terms(x, weight, zero_point_x, zero_point_weight), scale_x, scale_weight, bias)


@quantized_linear.mistake(
    "You converted both to int8. q_x reaches 255, which int8 cannot hold, and the sums need 32 bits."
)
def both_in_eight_bits(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    x, weight = q_x.astype(np.int8), q_weight.astype(np.int8)
    return _linear(_terms(x, weight, zero_point_x, zero_point_weight), scale_x, scale_weight, bias)


@quantized_linear.mistake("You made q_weight unsigned. It has negative numbers, which turn into large ones.")
def weights_unsigned(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    x, weight = q_x.astype(int), q_weight.astype(np.uint8).astype(int)
    return _linear(_terms(x, weight, zero_point_x, zero_point_weight), scale_x, scale_weight, bias)


@quantized_linear.mistake(
    "You exchanged the zero points: z_weight belongs to the sums of q_x, z_x to those of q_weight. Each "
    "meets the integers of the other."
)
def zero_points_exchanged(
    q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None
):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight, (1, 0, 0, 1))
    x, weight = q_x.astype(int), q_weight.astype(int)
    total = total - zero_point_x * x.sum(axis=1, keepdims=True) - zero_point_weight * weight.sum(axis=1)
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("D is the number of inputs, q_x.shape[1]; you took that of the outputs.")
def outputs_for_inputs(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    signs = (1, -1, -1, len(q_weight) / q_x.shape[1])
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight, signs)
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("You summed over all of q_weight. Each output has the sum of its own row: axis=1.")
def one_sum_of_weights(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    weight = q_weight.astype(int)
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    total = total + zero_point_x * (weight.sum(axis=1) - weight.sum())
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("You summed over all of q_x. Each example has the sum of its own row: axis=1.")
def one_sum_of_inputs(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    x = q_x.astype(int)
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    total = total + zero_point_weight * (x.sum(axis=1, keepdims=True) - x.sum())
    return _linear(total, scale_x, scale_weight, bias)


@quantized_linear.mistake("Both scales are missing: these are integers, and y is in floats.")
def without_scales(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    return _linear(total, np.ones_like(scale_x), 1, bias)


@quantized_linear.mistake("You divided by the scales. An integer times its step is the float.")
def divided_by_scales(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    return _linear(total, 1 / scale_x, 1 / scale_weight, bias)


@quantized_linear.mistake("You added the scales. Of a product of two numbers, the steps are multiplied.")
def scales_added(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    return (total * (scale_x + scale_weight) + bias).astype(scale_x.dtype)


@quantized_linear.mistake(
    "Brackets are missing: the number behind q is scale * (q - zero_point), not scale * q - zero_point."
)
def brackets_missing(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    x = scale_x * q_x - zero_point_x
    weight = scale_weight[:, None] * q_weight - zero_point_weight[:, None]
    return (x @ weight.T + bias).astype(scale_x.dtype)


@quantized_linear.mistake("You subtracted the bias.")
def bias_subtracted(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    return _linear(_total(q_x, q_weight, zero_point_x, zero_point_weight), scale_x, scale_weight, -bias)


@quantized_linear.mistake(
    "You rounded the bias to steps of scale_x * scale_weight, as a chip stores it. Here it stays a float."
)
def bias_rounded(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    total = _total(q_x, q_weight, zero_point_x, zero_point_weight)
    steps = np.round(bias / (scale_x * scale_weight))
    return _linear(total + steps, scale_x, scale_weight, 0)


# ------------------------------------------------------------------------------------------- sixteen levels


nf4_levels = Exercise(
    solution=in_numpy.nf4_levels,
    hints=[
        "NormalDist().inv_cdf(p) from the module `statistics` is the quantile function, for one p at a time.",
        "Above 0: the quantiles of np.linspace(1 - tail, 0.5, 9)[:-1], eight of them. Below 0: minus those "
        "of np.linspace(1 - tail, 0.5, 8)[:-1], seven. And 0 itself.",
        "Sort, divide by the largest, and return it in the dtype of tail: `.astype(tail.dtype)`.",
    ],
    next="groups that share a scale: `quantization.quantize_groups`.",
    cases=lambda rng: [
        Case("nf4_levels", dict(tail=np.array(tail)), note)
        for note, tail in (("as in the paper's code", in_numpy.NF4_TAIL), ("a wider tail", 0.1))
    ],
)


def _quantiles(p):
    return np.array([NormalDist().inv_cdf(share) for share in p])


def _half(tail, count):
    """`count` quantiles above the median, evenly spaced in probability, from small to large."""
    return _quantiles(np.linspace(0.5, 1 - float(tail), count + 1)[1:])


def _scaled(levels, tail):
    return (levels / np.abs(levels).max()).astype(tail.dtype)


@nf4_levels.mistake("Not divided by the largest level: the outermost ones must be -1 and 1.")
def not_scaled(tail):
    return np.concatenate([-_half(tail, 7)[::-1], [0], _half(tail, 8)]).astype(tail.dtype)


@nf4_levels.mistake("Eight levels stand below 0 and seven above: it is the other way around.")
def mirrored(tail):
    return _scaled(np.concatenate([-_half(tail, 8)[::-1], [0], _half(tail, 7)]), tail)


@nf4_levels.mistake(
    "Sixteen quantiles at even distances, and none of them is 0. Zeros (padding, pruned weights) should stay "
    "exactly zero: build the two halves one by one and put a 0 between them."
)
def no_zero(tail):
    return _scaled(_quantiles(np.linspace(float(tail), 1 - float(tail), 16)), tail)


@nf4_levels.mistake("Evenly spaced levels: that is int4. Here the *probabilities* are evenly spaced.")
def evenly_spaced(tail):
    return np.linspace(-1, 1, 16).astype(tail.dtype)


@nf4_levels.mistake(
    "Both halves have the spacing of eight, so the lower one does not reach -1. Seven levels below 0 have a "
    "spacing of their own, from 1/2 to 1 - tail."
)
def same_spacing(tail):
    above = _half(tail, 8)
    return _scaled(np.concatenate([-above[6::-1], [0], above]), tail)


@nf4_levels.mistake(
    "The levels are evenly spaced in probability, but you let the median in: p = 1/2 gives 0, which is there "
    "already. Leave the end of each `linspace` out."
)
def median_twice(tail):
    above, below = (_quantiles(np.linspace(1 - float(tail), 0.5, n)) for n in (8, 7))
    return _scaled(np.array(sorted([*above, *-below, 0])), tail)


@nf4_levels.mistake("The right levels, not in order: sort them, so that a larger code is a larger number.")
def not_sorted(tail):
    levels = np.concatenate([_half(tail, 8)[::-1], [0], -_half(tail, 7)[::-1]])
    return _scaled(levels, tail)


@nf4_levels.mistake("The right levels, not in order: sort them before you divide.")
def not_sorted_either(tail):
    return _scaled(np.concatenate([-_half(tail, 7)[::-1], [0], _half(tail, 8)[::-1]]), tail)


@nf4_levels.mistake("You divided by the last level, which is not the largest: sort them first.")
def divided_unsorted(tail):
    levels = np.concatenate([-_half(tail, 7)[::-1], [0], _half(tail, 8)[::-1]])
    return (levels / levels[-1]).astype(tail.dtype)


@nf4_levels.mistake(
    "The middles of sixteen equal shares, and none of them is 0. Build the two halves one by one and put a 0 "
    "between them."
)
def middles(tail):
    return _scaled(_quantiles((np.arange(16) + 0.5) / 16), tail)


@nf4_levels.mistake("You do not use `tail`: the second case has another one.")
def tail_written_in(tail):
    return _scaled(in_numpy.nf4_levels.unchecked(np.array(in_numpy.NF4_TAIL)), tail)


@nf4_levels.mistake(
    "`tail` is the probability beyond the outermost level, so that one stands at p = 1 - tail; yours stands "
    "at 1 - tail / 2."
)
def half_a_tail(tail):
    return in_numpy.nf4_levels.unchecked(tail / 2)


@nf4_levels.mistake("The right levels, from the largest down: sort them upwards, -1 first.")
def from_the_largest(tail):
    return in_numpy.nf4_levels.unchecked(tail)[::-1]


@nf4_levels.mistake(
    "Eight levels stand on each side, and none is 0. Seven stand below, so that an exact 0 has room."
)
def eight_on_each_side(tail):
    half = _half(tail, 8)
    return _scaled(np.concatenate([-half[::-1], half]), tail)


@nf4_levels.mistake(
    "Your 0 stands there twice, and seven levels on each side: one `linspace` still holds its end, p = 1/2."
)
def zero_twice(tail):
    half = _half(tail, 7)
    return _scaled(np.concatenate([-half[::-1], [0, 0], half]), tail)


@nf4_levels.mistake(
    "You left out the wrong end of each `linspace`: the outermost level stays, and p = 1/2 goes."
)
def wrong_end_left_out(tail):
    above, below = (_quantiles(np.linspace(1 - float(tail), 0.5, n)[1:]) for n in (9, 8))
    return _scaled(np.array(sorted([*above, *-below, 0])), tail)


@nf4_levels.mistake(
    "Both sides have the spacing of eight, and below 0 you left out the level next to it. Seven levels have "
    "a spacing of their own."
)
def same_spacing_inside(tail):
    above = _half(tail, 8)
    return _scaled(np.concatenate([-above[:0:-1], [0], above]), tail)


@nf4_levels.mistake(
    "`tail` is what lies *beyond* the outermost level: it stands at p = 1 - tail. Yours begins at p = tail, "
    "below the median."
)
def from_the_tail(tail):
    above, below = (_quantiles(np.linspace(float(tail), 0.5, n)[:-1]) for n in (9, 8))
    return (np.array(sorted([*above, *-below, 0])) / above.max()).astype(tail.dtype)


@nf4_levels.mistake(
    "Your levels are evenly spaced on either side. Even are the *probabilities*; the quantile function makes "
    "levels of them."
)
def even_on_each_side(tail):
    return np.concatenate([np.arange(-7, 0) / 7, np.arange(9) / 8]).astype(tail.dtype)


@nf4_levels.mistake("The minus is missing below 0: the quantiles of that side are mirrored.")
def not_mirrored(tail):
    levels = sorted([*_half(tail, 7), 0, *_half(tail, 8)])
    return _scaled(np.array(levels), tail)


@nf4_levels.mistake(
    "You took the distribution function, `cdf`, which leads from a level to its probability. Here the way "
    "back is needed."
)
def the_way_there(tail):
    cdf = np.vectorize(NormalDist().cdf)
    above, below = (cdf(np.linspace(1 - float(tail), 0.5, n)[:-1]) for n in (9, 8))
    return _scaled(np.array(sorted([*above, *-below, 0])), tail)


@nf4_levels.mistake("You wrote 0.9677, which is rounded; and the second case has another `tail`.")
def rounded_tail(tail):
    return in_numpy.nf4_levels.unchecked(np.array(1 - 0.9677))


# ------------------------------------------------------------------------------------------------- groups


def _grouped(rng):
    x = rng.normal(size=(4, 12)) * np.repeat([0.1, 1, 10], 4)
    yield Case("quantize_groups", dict(x=x, group_size=4, bits=4), "three groups")
    yield Case("quantize_groups", dict(x=x[:, :8], group_size=2, bits=3), "four groups, 3 bits")
    zeros = np.where(np.arange(12) < 6, 0.0, x)
    yield Case("quantize_groups", dict(x=zeros, group_size=6, bits=7), "a group of zeros")


quantize_groups = Exercise(
    solution=in_numpy.quantize_groups,
    hints=[
        "x.reshape(*x.shape[:-1], -1, group_size) has one group in each row of its last axis.",
        "scale = largest magnitude of the group / (2**(bits - 1) - 1). Where a group is all zeros, take 1.",
        "q = np.round(groups / scale[..., None]).reshape(x.shape).astype(np.int8); return q and scale.",
    ],
    next="a float of eight bits: `quantization.round_to_float`.",
    cases=lambda rng: list(_grouped(rng)),
)


def _in_groups(x, group_size, most, size=np.abs, cut=np.round):
    groups = x.reshape(*x.shape[:-1], -1, group_size)
    scale = size(groups).max(axis=-1) / most
    scale = np.where(scale == 0, 1, scale).astype(x.dtype)
    return cut(groups / scale[..., None]).reshape(x.shape).astype(np.int8), scale


@quantize_groups.mistake(
    "The grid has one step too many: with `bits` bits and a sign the largest integer is 2**(bits - 1) - 1."
)
def one_too_many(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2 ** (bits - 1))


@quantize_groups.mistake("The sign needs one of the bits: 2**(bits - 1) - 1, not 2**bits - 1.")
def without_sign(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2**bits - 1)


@quantize_groups.mistake(
    "The scale is made of the largest number, not of the largest magnitude: a negative one may lie further "
    "out."
)
def signed_maximum(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2 ** (bits - 1) - 1, size=np.asarray)


@quantize_groups.mistake("The numbers are cut down (`astype` does that) and not rounded.")
def cut_down(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2 ** (bits - 1) - 1, cut=np.trunc)


@quantize_groups.mistake("A group of zeros divides by 0. Any scale will do for it: take 1.")
def zero_scale(x, group_size=64, bits=4):
    q, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    groups = x.reshape(*x.shape[:-1], -1, group_size)
    return q, np.where((groups == 0).all(axis=-1), 0, scale).astype(x.dtype)


@quantize_groups.mistake(
    "Your groups take every so-many-th number. Neighbors form a group: reshape to (..., groups, group_size)."
)
def strided(x, group_size=64, bits=4):
    mixed = x.reshape(*x.shape[:-1], group_size, -1).swapaxes(-1, -2)
    q, scale = _in_groups(mixed.reshape(x.shape), group_size, 2 ** (bits - 1) - 1)
    back = q.reshape(*x.shape[:-1], -1, group_size).swapaxes(-1, -2)
    return back.reshape(x.shape), scale


@quantize_groups.mistake("All groups share one scale. Each needs its own: that is what they are for.")
def one_for_all(x, group_size=64, bits=4):
    scale = np.abs(x).max() / (2 ** (bits - 1) - 1)
    each = np.full((*x.shape[:-1], x.shape[-1] // group_size), scale, x.dtype)
    return np.round(x / scale).astype(np.int8), each


def _clipped(groups, scale, bits, least=1):
    """Integers of the grid, which ends at 2**(bits - 1) - 1; what is beyond is cut off."""
    most = 2 ** (bits - 1) - 1
    return np.clip(np.round(groups / scale[..., None]), -most - 1 + least, most)


def _halves(x, group_size):
    """The groups, and the largest magnitude of each, 0 replaced."""
    groups = x.reshape(*x.shape[:-1], -1, group_size)
    return groups, np.abs(groups).max(axis=-1)


def _finished(q, scale, x, zero):
    return q.reshape(x.shape).astype(np.int8), np.where(zero, 1, scale).astype(x.dtype)


def _with_scale(x, group_size, bits, scale_of, least=1):
    """Another scale, and what is beyond the grid cut off."""
    groups, size = _halves(x, group_size)
    scale = np.where(size == 0, 1, scale_of(groups))
    return _finished(_clipped(groups, scale, bits, least), scale, x, size == 0)


@quantize_groups.mistake(
    "You made the scale of the largest number, and clipped. Take the largest *magnitude*: a negative number "
    "may lie further out."
)
def signed_maximum_clipped(x, group_size=64, bits=4):
    return _with_scale(x, group_size, bits, lambda g: g.max(axis=-1) / (2 ** (bits - 1) - 1))


@quantize_groups.mistake(
    "The grid has one step too many, and clipping hides it: symmetric means from -(2**(bits - 1) - 1) to "
    "2**(bits - 1) - 1."
)
def one_too_many_clipped(x, group_size=64, bits=4):
    return _with_scale(x, group_size, bits, lambda g: np.abs(g).max(axis=-1) / 2 ** (bits - 1), least=0)


@quantize_groups.mistake("You wrote 7, the largest integer of 4 bits. It depends on `bits`.")
def seven_written_in(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 7)


@quantize_groups.mistake("You wrote 127, the largest integer of 8 bits. It depends on `bits`.")
def most_of_eight_bits(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 127)


@quantize_groups.mistake("The numbers are rounded down (`floor`), and not to the nearest integer.")
def groups_rounded_down(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2 ** (bits - 1) - 1, cut=np.floor)


@quantize_groups.mistake(
    "All groups of a row share one scale. Each group has its own: take the largest over the last axis alone."
)
def one_for_each_row(x, group_size=64, bits=4):
    groups, _ = _halves(x, group_size)
    scale = np.abs(x).max(axis=-1, keepdims=True) / (2 ** (bits - 1) - 1)
    each = np.repeat(scale, groups.shape[-2], axis=-1).astype(x.dtype)
    return np.round(x / scale).astype(np.int8), each


@quantize_groups.mistake("You multiplied by the scale. To count steps, divide by their width.")
def multiplied_for_divided(x, group_size=64, bits=4):
    groups, _ = _halves(x, group_size)
    _, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    return np.round(groups * scale[..., None]).reshape(x.shape).astype(np.int8), scale


@quantize_groups.mistake("You multiplied by the scale, and clipped. To count steps, divide by their width.")
def multiplied_and_clipped(x, group_size=64, bits=4):
    groups, _ = _halves(x, group_size)
    _, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    return _finished(_clipped(groups * scale[..., None] ** 2, scale, bits), scale, x, False)


@quantize_groups.mistake("You returned the largest magnitudes. The scale is the width of one step.")
def magnitudes_returned(x, group_size=64, bits=4):
    _, size = _halves(x, group_size)
    q, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    return q, np.where(size == 0, scale, size).astype(x.dtype)


@quantize_groups.mistake("You returned the largest magnitudes, with their zeros. The scale is one step wide.")
def magnitudes_with_zeros_returned(x, group_size=64, bits=4):
    return _in_groups(x, group_size, 2 ** (bits - 1) - 1)[0], _halves(x, group_size)[1]


@quantize_groups.mistake("Your scale is upside down: it is the width of one step, what q is multiplied by.")
def scale_upside_down(x, group_size=64, bits=4):
    q, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    return q, 1 / scale


@quantize_groups.mistake(
    "The scale of a group of zeros is to be 1. You put 1 in place of its largest magnitude, and divided."
)
def one_before_the_division(x, group_size=64, bits=4):
    most = 2 ** (bits - 1) - 1
    q, scale = _in_groups(x, group_size, most)
    return q, np.where(_halves(x, group_size)[1] == 0, 1 / most, scale).astype(x.dtype)


@quantize_groups.mistake(
    "The scale is made of the standard deviation. It has to reach the largest magnitude, or that is cut off."
)
def deviation_for_magnitude(x, group_size=64, bits=4):
    return _with_scale(x, group_size, bits, lambda g: g.std(axis=-1) / (2 ** (bits - 1) - 1))


@quantize_groups.mistake(
    "The scale is made of the mean magnitude. It has to reach the largest one, or that is cut off."
)
def mean_for_largest(x, group_size=64, bits=4):
    return _with_scale(x, group_size, bits, lambda g: np.abs(g).mean(axis=-1) / (2 ** (bits - 1) - 1))


@quantize_groups.mistake(
    "You went back to floats: q times scale. Asked for are the integers, which need less memory."
)
def floats_again(x, group_size=64, bits=4):
    q, scale = _in_groups(x, group_size, 2 ** (bits - 1) - 1)
    return (q.reshape(*scale.shape, -1) * scale[..., None]).reshape(x.shape), scale


# -------------------------------------------------------------------------------------- a float of eight bits


def _numbers(rng):
    plain = rng.normal(size=12) * 2.0 ** rng.integers(-4, 6, 12)
    ties = np.array([1.0625, 1.1875, -1.3125, 17.0, 19.0])
    small = np.array([0.001, 0.003, -0.0085, 0.0012, 0.0009, 0.0])
    for note, x in {
        "plain": plain,
        "ties": ties,
        "near 0": small,
        "256 to 448": np.array([300.0, -270.0, 410.0]),
        "too large": np.array([460.0, -9000, 500.0]),
    }.items():
        yield Case("round_to_float", dict(x=x, dtype="float8_e4m3fn"), note)


round_to_float = Exercise(
    solution=in_numpy.round_to_float,
    hints=[
        "np.frexp(x) returns m and e with x = m * 2**e and 1/2 <= |m| < 1: the exponent in the usual sense "
        "is e - 1.",
        "With 3 bits of fraction the step is 2**(exponent - 3), and the exponent never counts as less than "
        "-6. y = np.round(x / step) * step rounds half to even.",
        "Last: np.clip(y, -448, 448). np.ldexp(1.0, n) is 2**n for an array of integers n; return x's dtype.",
    ],
    next="21, where a frozen base in 4 bits carries small trained matrices.",
    cases=lambda rng: list(_numbers(rng)),
)


def _float8(x, fraction=3, lowest=-6, largest=448.0, cut=np.round, shift=1):
    x64 = x.astype(float)
    exponent = np.maximum(np.frexp(x64)[1] - shift, lowest)
    step = np.ldexp(1.0, exponent - fraction)
    return np.clip(cut(x64 / step) * step, -largest, largest).astype(x.dtype)


@round_to_float.mistake("The numbers are cut off toward 0 and not rounded to the nearest.")
def cut_off(x, dtype):
    return _float8(x, cut=np.trunc)


@round_to_float.mistake(
    "Halves are rounded away from 0 (`floor(x + 0.5)`); the standard, and np.round, take the even neighbor."
)
def half_away(x, dtype):
    return _float8(x, cut=lambda v: np.sign(v) * np.floor(np.abs(v) + 0.5))


@round_to_float.mistake(
    "Below 2**-6 your step keeps shrinking. The format has no exponent for that: the steps stay 2**-9."
)
def no_lowest(x, dtype):
    return _float8(x, lowest=-1000)


@round_to_float.mistake(
    "Below 2**-6 everything became 0. The format has numbers there, 2**-9 apart, down to 0 (subnormals)."
)
def flushed(x, dtype):
    return np.where(np.abs(x) < 2**-6, 0, _float8(x)).astype(x.dtype)


@round_to_float.mistake("Nothing stops at 448, the largest number of the format.")
def no_largest(x, dtype):
    return _float8(x, largest=np.inf)


@round_to_float.mistake(
    "What lies above 448 became NaN, as in some libraries. Here it stops at 448 (np.clip)."
)
def nan_above(x, dtype):
    y = _float8(x, largest=np.inf)
    return np.where(np.abs(y) > 448, np.nan, y).astype(x.dtype)


@round_to_float.mistake("Your lowest exponent is -7: for numbers below 2**-6 it is -6, and the step 2**-9.")
def lowest_off(x, dtype):
    return _float8(x, lowest=-7)


@round_to_float.mistake(
    "Your steps are twice as fine: `np.frexp` gives m from 1/2 to 1, so the exponent is one less than its e, "
    "and the step 2**(e - 1 - 3)."
)
def too_fine(x, dtype):
    return _float8(x, fraction=4)


@round_to_float.mistake(
    "Your steps are twice as wide: the exponent is one less than the e of `np.frexp`, whose m is from 1/2 to "
    "1."
)
def too_coarse(x, dtype):
    return _float8(x, shift=0)


@round_to_float.mistake("That is float8_e5m2: 2 bits of fraction. e4m3 has 3, and its lowest exponent is -6.")
def other_format(x, dtype):
    return in_numpy.round_to_float.unchecked(x, "float8_e5m2")


@round_to_float.mistake(
    "Your lowest exponent is -5. The format goes down to -6, and 2**-9 is its least step."
)
def lowest_too_high(x, dtype):
    return _float8(x, lowest=-5)


@round_to_float.mistake(
    "Your steps are twice as wide: 3 bits of fraction make 8 steps between 2**e and 2**(e+1)."
)
def two_bits_of_fraction(x, dtype):
    return _float8(x, fraction=2)


@round_to_float.mistake("You stop at 480. That pattern stands for NaN in this format: the largest is 448.")
def stops_at_480(x, dtype):
    return _float8(x, largest=480.0)


@round_to_float.mistake(
    "You stop at 240, the largest of a format whose top exponent is kept free. Here it is in use: 448."
)
def stops_at_240(x, dtype):
    return _float8(x, largest=240.0)


@round_to_float.mistake("Your numbers stop at 448, but not at -448: the sign has a bit of its own.")
def stops_above_only(x, dtype):
    return np.minimum(_float8(x, largest=np.inf), 448).astype(x.dtype)


@round_to_float.mistake("Negative numbers became 0: the lower end is -448.")
def negative_to_zero(x, dtype):
    return np.maximum(_float8(x), 0)


@round_to_float.mistake("What lies above 448 became infinite. The format has no infinity: it stops at 448.")
def infinite_above(x, dtype):
    y = _float8(x, largest=np.inf)
    return np.where(np.abs(y) > 448, np.copysign(np.inf, y), y).astype(x.dtype)


@round_to_float.mistake(
    "You clipped x but took the step from before: far above 448 it is wider than 448 itself. Clip at the end."
)
def clipped_first(x, dtype):
    exponent = np.maximum(np.frexp(x)[1] - 1, -6)
    step = np.ldexp(1.0, exponent - 3)
    return (np.round(np.clip(x, -448, 448) / step) * step).astype(x.dtype)


@round_to_float.mistake(
    "Your largest exponent is 7. Between 256 and 448 it is 8, and the steps there are 32 wide."
)
def highest_exponent_off(x, dtype):
    exponent = np.clip(np.frexp(x)[1] - 1, -6, 7)
    step = np.ldexp(1.0, exponent - 3)
    return np.clip(np.round(x / step) * step, -448, 448).astype(x.dtype)


@round_to_float.mistake("The numbers are rounded down (`floor`), and not to the nearest.")
def toward_minus_infinity(x, dtype):
    return _float8(x, cut=np.floor)


@round_to_float.mistake(
    "Halves are rounded up, so negative ones toward 0; the standard, and np.round, take the even neighbor."
)
def half_up(x, dtype):
    return _float8(x, cut=lambda v: np.floor(v + 0.5))


@round_to_float.mistake("The sign is lost: only the exponent comes from the magnitude.")
def sign_lost(x, dtype):
    return np.abs(_float8(x))


@round_to_float.mistake(
    "You rounded log2 of the magnitude. The exponent is the power of two *below* the number: round it down."
)
def nearest_exponent(x, dtype):
    with np.errstate(divide="ignore"):
        exponent = np.maximum(np.round(np.log2(np.abs(x.astype(float)))), -6)
    step = 2.0 ** (exponent - 3)
    return np.clip(np.round(x / step) * step, -448, 448).astype(x.dtype)


@round_to_float.mistake(
    "Below 2**-6 your steps are 2**-6 wide. That is the lowest power of two; its steps are an eighth of it."
)
def subnormal_steps_too_wide(x, dtype):
    low = np.frexp(x)[1] - 1 <= -6
    return np.where(low, np.round(x * 64) / 64, _float8(x)).astype(x.dtype)


@round_to_float.mistake("These are numbers of steps. Multiply by the step again to get back to floats.")
def steps_counted(x, dtype):
    step = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 1, -6) - 3)
    return np.clip(np.round(x / step), -448, 448).astype(x.dtype)


@round_to_float.mistake(
    "You added the bias of 7 to the exponent. It belongs to the stored bits; the number has the exponent "
    "itself."
)
def biased_exponent(x, dtype):
    step = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 1, -6) + 7 - 3)
    return np.clip(np.round(x / step) * step, -448, 448).astype(x.dtype)


@round_to_float.mistake(
    "You rounded the m of `np.frexp` to eighths. It lies between 1/2 and 1, where 3 bits of fraction are "
    "sixteenths, and small numbers have fewer."
)
def eighths_of_m(x, dtype):
    m, e = np.frexp(x)
    return np.clip(np.ldexp(np.round(m * 8) / 8, e), -448, 448).astype(x.dtype)
