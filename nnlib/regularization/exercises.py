"""What learners write in notebook 13, and what to tell them when it goes wrong."""

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.regularization import in_numpy

# ------------------------------------------------------------------------------------ soft thresholding


def _thresholds(rng):
    x = rng.normal(0, 2, size=(4, 5))
    yield Case("softshrink", dict(x=x, lambd=0.7), "a threshold of 0.7")
    yield Case("softshrink", dict(x=x, lambd=2.5), "a threshold that most stay below")
    yield Case("softshrink", dict(x=x, lambd=0.0), "no threshold")


softshrink = Exercise(
    solution=in_numpy.softshrink,
    hints=[
        "Two things happen: the size of every value shrinks by lambd, and a size cannot fall below 0.",
        "The size is `np.abs(x)`; `np.maximum(..., 0)` keeps it from falling below 0.",
        "Put the sign back: `np.sign(x) * np.maximum(np.abs(x) - lambd, 0)`.",
    ],
    next="the gradient of the penalty, for those who do not use proximal steps.",
    cases=_thresholds,
)


@softshrink.mistake(
    "This is hard thresholding: large values stay as they are. The proximal operator of L1 moves the "
    "survivors too, by lambd towards 0. That is the bias of the lasso."
)
def hard_threshold(x, lambd=0.5):
    return x * (np.abs(x) > lambd)


@softshrink.mistake(
    "Only positive values come through. Negative ones have a size too: take `np.abs(x)`, and put the sign "
    "back."
)
def positive_only(x, lambd=0.5):
    return np.maximum(x - lambd, 0)


@softshrink.mistake(
    "Large negative values move away from 0: you took lambd away from them too. They go up by lambd: shrink "
    "`np.abs(x)`, and put the sign back."
)
def lowers_both_signs(x, lambd=0.5):
    return np.where(np.abs(x) > lambd, x - lambd, 0)


@softshrink.mistake("The sign is lost: every result is positive. Multiply the shrunken size by `np.sign(x)`.")
def lost_sign(x, lambd=0.5):
    return np.maximum(np.abs(x) - lambd, 0)


@softshrink.mistake(
    "Small values jump over 0 to the other side: with lambd = 0.7, -0.1 becomes +0.6. That is what a plain "
    "subgradient step does. `np.maximum(..., 0)` stops them at 0."
)
def jumps_over_zero(x, lambd=0.5):
    return x - lambd * np.sign(x)


@softshrink.mistake(
    "You clipped x to [-lambd, lambd]: that is the part which soft thresholding takes away. Return x minus "
    "it."
)
def clipped(x, lambd=0.5):
    return np.clip(x, -lambd, lambd)


@softshrink.mistake(
    "You multiplied by 1 - lambd. That is what L2 does: every value shrinks by the same share, and none "
    "becomes 0."
)
def shrinks_by_a_share(x, lambd=0.5):
    return (1 - lambd) * x


@softshrink.mistake("The values grow: lambd is added to their size. It has to be taken away.")
def grows(x, lambd=0.5):
    return np.sign(x) * (np.abs(x) + lambd)


@softshrink.mistake("Your threshold is always 0.5. That is the default; it is an argument.")
def fixed_threshold(x, lambd=0.5):
    return in_numpy.softshrink.unchecked(x, 0.5)


@softshrink.mistake(
    "The values that pass move away from 0. Shrinking takes positive ones down by lambd, and negative ones "
    "up."
)
def moves_outwards(x, lambd=0.5):
    return np.where(np.abs(x) > lambd, x + lambd * np.sign(x), 0)


@softshrink.mistake("Negative values pass as they are. They go up by lambd, as positive ones go down.")
def negative_unchanged(x, lambd=0.5):
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x, 0))


@softshrink.mistake("You put x back where only its sign belongs: multiply the shrunken size by `np.sign(x)`.")
def times_x(x, lambd=0.5):
    return np.maximum(np.abs(x) - lambd, 0) * x


@softshrink.mistake(
    "Values within the threshold stay as they are. They become 0: that is what empties weights."
)
def small_ones_stay(x, lambd=0.5):
    return np.where(np.abs(x) > lambd, x - lambd * np.sign(x), x)


# ------------------------------------------------------------------------ the gradient of the penalty


def _weights(rng):
    weight = rng.normal(0, 2, size=(4, 3))
    yield Case("elastic_net", dict(weight=weight, l1=0.3, l2=0.7), "L1 and L2")
    yield Case("elastic_net", dict(weight=weight, l1=0.4), "L1 alone")
    yield Case("elastic_net", dict(weight=weight, l2=0.9), "L2 alone")
    yield Case("elastic_net", dict(weight=weight * (weight > 0), l1=0.3, l2=0.7), "with zeros")


elastic_net_backward = Exercise(
    solution=in_numpy.elastic_net_backward,
    hints=[
        "The slope of |w| is 1 for positive and -1 for negative weights: `np.sign`, which is 0 at 0.",
        "The slope of l2 / 2 · w² is l2 · w: the 2 cancels.",
        "Both, times what arrives: `grad_output * (l1 * np.sign(weight) + l2 * weight)`.",
    ],
    next="a rule that ends training.",
    cases=_weights,
)


@elastic_net_backward.mistake(
    "The L2 part is twice too large: the penalty has l2 / 2 in front, and the derivative of w² brings the 2."
)
def l2_doubled(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) + 2 * l2 * weight)


@elastic_net_backward.mistake(
    "The L2 part is half of what it should be: the derivative of w² brings a 2, which cancels the 1/2."
)
def l2_halved(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) + l2 / 2 * weight)


@elastic_net_backward.mistake(
    "The sign is missing in the L1 part: you add l1 to every gradient. Negative weights are then pushed away "
    "from 0."
)
def l1_without_sign(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 + l2 * weight)


@elastic_net_backward.mistake(
    "The L1 part is l1 · |w|, the penalty itself. Its slope is l1 · sign(w), as large for small weights as "
    "for large ones: that is why L1 can empty a weight."
)
def l1_value(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.abs(weight) + l2 * weight)


@elastic_net_backward.mistake("The L1 part is missing: it adds l1 · sign(weight).")
def l2_only(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * l2 * weight


@elastic_net_backward.mistake("The L2 part is missing: it adds l2 · weight.")
def l1_only(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * l1 * np.sign(weight)


@elastic_net_backward.mistake(
    "`grad_output` is missing. The penalty may be scaled on its way to the loss, and then so is its gradient."
)
def without_grad_output(grad_output, weight, l1=0.0, l2=0.0):
    return l1 * np.sign(weight) + l2 * weight


@elastic_net_backward.mistake(
    "You divided by the number of weights. The penalty is a sum over all weights, not a mean."
)
def mean_of_weights(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) + l2 * weight) / weight.size


@elastic_net_backward.mistake(
    "At a weight of exactly 0 you let L1 push, by `weight >= 0` or the like. There the subgradient 0 is "
    "taken, as in PyTorch: `np.sign(0)` is 0."
)
def pushes_zeros(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.where(weight >= 0, 1, -1).astype(weight.dtype) + l2 * weight)


@elastic_net_backward.mistake(
    "At a weight of exactly 0 you let L1 push as if it were negative, by `weight > 0`, else -1. There the "
    "subgradient 0 is taken, as in PyTorch: `np.sign(0)` is 0."
)
def zeros_are_negative(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.where(weight > 0, 1, -1).astype(weight.dtype) + l2 * weight)


@elastic_net_backward.mistake("l1 and l2 are exchanged: l1 goes with the sign, l2 with the weight itself.")
def exchanged_strengths(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l2 * np.sign(weight) + l1 * weight)


@elastic_net_backward.mistake(
    "grad_output multiplies the L1 part only. A bracket is missing: it multiplies both."
)
def grad_output_on_l1(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * l1 * np.sign(weight) + l2 * weight


@elastic_net_backward.mistake("grad_output multiplies the L2 part only. It multiplies both.")
def grad_output_on_l2(grad_output, weight, l1=0.0, l2=0.0):
    return l1 * np.sign(weight) + grad_output * l2 * weight


@elastic_net_backward.mistake("You added grad_output. The penalty's slope multiplies what arrives.")
def grad_output_added(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output + l1 * np.sign(weight) + l2 * weight


@elastic_net_backward.mistake("The L2 part is l2 · w², as in the penalty. Its slope is l2 · w.")
def l2_value(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) + l2 * weight**2)


@elastic_net_backward.mistake("This is the penalty of each weight. Wanted is its slope.")
def penalty_of_each(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.abs(weight) + l2 / 2 * weight**2)


@elastic_net_backward.mistake(
    "You divided the weight by its length: that is the slope of the length. L2 here charges half the "
    "square, with slope l2 · w."
)
def slope_of_the_length(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) + l2 * weight / np.sqrt((weight * weight).sum()))


@elastic_net_backward.mistake("You took a step: weight minus gradient. Wanted is the gradient itself.")
def takes_a_step(grad_output, weight, l1=0.0, l2=0.0):
    return weight - grad_output * (l1 * np.sign(weight) + l2 * weight)


@elastic_net_backward.mistake("The L1 part leaves negative weights alone. Their slope is -l1: `np.sign`.")
def l1_positive_only(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * (weight > 0).astype(weight.dtype) + l2 * weight)


@elastic_net_backward.mistake(
    "The sign is turned: the penalty grows with the size of a weight, so its slope has the weight's sign."
)
def penalty_turned(grad_output, weight, l1=0.0, l2=0.0):
    return -grad_output * (l1 * np.sign(weight) + l2 * weight)


@elastic_net_backward.mistake("l1 multiplies the whole bracket. It belongs to the sign alone.")
def l1_on_both(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * l1 * (np.sign(weight) + l2 * weight)


@elastic_net_backward.mistake(
    "You took sign(w) · w, which is |w|, for the slope of |w|. The slope is the sign alone."
)
def sign_times_weight_with_halved_l2(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * np.sign(weight) * weight + l2 / 2 * weight)


@elastic_net_backward.mistake(
    "At a weight of exactly 0 you divide 0 by 0: w / |w| has no value there. `np.sign(0)` is 0."
)
def divides_zero_by_zero(grad_output, weight, l1=0.0, l2=0.0):
    return grad_output * (l1 * weight / np.abs(weight) + l2 * weight)


# ------------------------------------------------------------------------------------- early stopping


def _epochs(rng):
    """The count is a NumPy number, as in training: `num_bad_epochs += 1` changes no argument."""

    def case(note, loss, count, best=0.5, **settings):
        args = dict(loss=np.array(loss), best=np.array(best), num_bad_epochs=np.int64(count), **settings)
        return Case("early_stopping", args, note)

    yield Case("early_stopping", dict(loss=np.array(1.5)), "the first epoch")
    yield case("a better loss", 0.3, 3, patience=4)
    yield case("a worse loss, patience left", 0.7, 1, patience=4)
    yield case("a worse loss, patience ends", 0.7, 3, patience=4)
    yield case("better, but by less than min_delta", 0.46, 1, patience=4, min_delta=0.05)
    yield case("hardly better", 0.48, 1, patience=4, min_delta=0.05)
    yield case("worse by less than min_delta", 0.52, 1, patience=4, min_delta=0.05)
    yield case("the same loss", 0.5, 1)
    yield case("the best loss was 0", 0.1, 1, best=0.0)
    yield case("worse for the first time, patience 1", 0.6, 0, patience=1)
    yield case("a worse loss, patience ended long ago", 0.7, 5, patience=4)
    yield case("a worse loss, one bad epoch left", 0.7, 2, patience=4)
    yield case("a worse loss, more patience than the default", 0.7, 4, patience=7)
    yield case("better by more than min_delta", 0.4, 1, patience=4, min_delta=0.05)
    yield case("a loss that is not a number", np.nan, 1, patience=4)


early_stopping = Exercise(
    solution=in_numpy.early_stopping,
    hints=[
        "Three cases: the first epoch (`best is None`), a better loss, and all others.",
        "Better means `loss < best - min_delta`. Then the loss is the new best and the count starts again "
        "at 0; else best stays and the count grows by 1.",
        "Stop when the count has reached patience: `num_bad_epochs >= patience`. Return all three.",
    ],
    next="mixing samples, backward.",
    cases=_epochs,
)


def _watch(loss, best, count, patience, min_delta, better=None, reset=0, limit=0):
    """The rule with parts that can be changed."""
    first = best is None
    if first or (better or (lambda a, b, d: a < b - d))(loss, best, min_delta):
        best, count = loss, np.int64(reset if reset is not None or first else count)
    else:
        count = count + 1
    return best, count, np.bool_(count >= patience + limit)


@early_stopping.mistake(
    "You stop one epoch too late: after more than patience bad epochs. With patience 1, the first bad epoch"
    " ends it."
)
def one_too_late(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, limit=1)


@early_stopping.mistake(
    "`min_delta` is not used: any improvement counts, be it the last digit. Better means loss < best - "
    "min_delta."
)
def without_min_delta(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, 0.0)


@early_stopping.mistake(
    "`min_delta` is a difference, not a share: better means loss < best - min_delta, not loss < best * (1 - "
    "min_delta)."
)
def relative_min_delta(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: a < b * (1 - d))


@early_stopping.mistake(
    "Any change by more than `min_delta` counts as better, a rise too: `abs` has lost the direction. Better "
    "means loss < best - min_delta."
)
def any_change_is_better(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: abs(a - b) > d)


@early_stopping.mistake(
    "`best` became smaller though the loss was not better by `min_delta`. Many small steps then never count: "
    "best changes only together with the count."
)
def best_creeps(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    _, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return loss if best is None else np.minimum(best, loss), count, stop


@early_stopping.mistake(
    "After a better loss the count is 1 in your rule. It counts bad epochs, and this was none: it starts at "
    "0."
)
def counts_from_one(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, reset=1)


@early_stopping.mistake(
    "You stop at `== patience` alone. A count that is already beyond it must stop too: `>=`."
)
def only_at_patience(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    best, count, _ = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return best, count, np.bool_(count == patience)


@early_stopping.mistake(
    "`min_delta` has the wrong sign: with best + min_delta even a worse loss counts as better."
)
def min_delta_added(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, -min_delta)


@early_stopping.mistake(
    "The count does not start again at 0 after a better loss. Patience means bad epochs in a row."
)
def never_forgives(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    reset = 0 if best is None else num_bad_epochs
    return _watch(loss, best, num_bad_epochs, patience, min_delta, reset=reset)


@early_stopping.mistake(
    "You took the larger loss for the better one. That is right for an accuracy, and wrong for a loss."
)
def larger_is_better(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: a > b + d)


@early_stopping.mistake(
    "An equal loss counts as better in your rule (`<=`). Then a loss that stands still is never given up."
)
def equal_is_better(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: a <= b - d)


@early_stopping.mistake(
    "`best` follows every loss, so each epoch is compared with the one before. A slow rise is then cut in "
    "steps, and the best model is forgotten: best changes only when a loss is better."
)
def compares_with_the_last(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    _, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return loss, count, stop


@early_stopping.mistake(
    "A best loss of 0 is taken for none, as by `best or ...` or `if not best`: 0 counts as false. Ask `best"
    " is None`."
)
def zero_is_none(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best if best else None, num_bad_epochs, patience, min_delta)


@early_stopping.mistake("The first epoch is no bad epoch: its count is 0, since nothing was better before.")
def first_is_bad(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    best, count, _ = _watch(loss, best, num_bad_epochs, patience, min_delta, reset=1 if best is None else 0)
    return best, count, np.bool_(count >= patience)


@early_stopping.mistake("You never stop: `stop` is False whatever the count is.")
def never_stops(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return *_watch(loss, best, num_bad_epochs, patience, min_delta)[:2], np.bool_(False)


@early_stopping.mistake("You always stop: `stop` is True whatever the count is.")
def always_stops(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return *_watch(loss, best, num_bad_epochs, patience, min_delta)[:2], np.bool_(True)


@early_stopping.mistake(
    "`stop` is the wrong way round: stop when the count has reached patience, not before."
)
def stops_the_wrong_way_round(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    best, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return best, count, ~stop


@early_stopping.mistake("You stop at the first bad epoch, whatever `patience` says.")
def no_patience(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    best, count, _ = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return best, count, np.bool_(count > 0)


@early_stopping.mistake("You stop one epoch too early: the count has to reach patience.")
def one_too_early(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, limit=-1)


@early_stopping.mistake("Your patience is always 5. That is the default; it is an argument.")
def fixed_patience(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, 5, min_delta)


@early_stopping.mistake(
    "You return best - min_delta as the new best. `best` is the loss itself; min_delta is taken off when "
    "you compare."
)
def best_less_min_delta(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    new, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return new - (min_delta if count == 0 else 0), count, stop


@early_stopping.mistake(
    "After a better loss `best` is still the old one. The next epoch has to beat the new."
)
def best_stays(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    _, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return loss if best is None else best, count, stop


@early_stopping.mistake("After a bad epoch your count stays as it is. It grows by 1.")
def never_counts(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    new, count, _ = _watch(loss, best, num_bad_epochs, patience, min_delta)
    if count:
        count = num_bad_epochs
    return new, count, np.bool_(count >= patience)


@early_stopping.mistake(
    "After a better loss you take 1 off the count. It starts again at 0: patience means bad epochs in a row."
)
def forgives_one(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    new, count, _ = _watch(loss, best, num_bad_epochs, patience, min_delta)
    if count == 0 and best is not None:
        count = np.maximum(num_bad_epochs - 1, 0)
    return new, count, np.bool_(count >= patience)


@early_stopping.mistake(
    "`best` takes the smaller of the two after every epoch. It changes only when the loss is better by "
    "`min_delta`."
)
def best_is_the_minimum(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    _, count, stop = _watch(loss, best, num_bad_epochs, patience, min_delta)
    return loss if best is None else min(best, loss), count, stop


@early_stopping.mistake(
    "You took the larger loss for the better one. A loss is better if it is below best - min_delta."
)
def above_is_better(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: a > b - d)


@early_stopping.mistake(
    "A loss that is not a number counts as better in your rule: `not (loss >= …)` is true for NaN. Ask "
    "`loss < …`."
)
def nan_is_better(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    return _watch(loss, best, num_bad_epochs, patience, min_delta, lambda a, b, d: not a >= b - d)


# ---------------------------------------------------------------------------------- mixup, backward


def _mixes(rng):
    x = rng.normal(size=(5, 3))
    yield Case("mixup", dict(x=x, lam=0.3, permutation=np.array([1, 2, 0, 4, 3])), "a cycle and a swap")
    yield Case("mixup", dict(x=x, lam=0.8, permutation=np.array([3, 0, 4, 1, 2])), "one long cycle")
    yield Case("mixup", dict(x=x, lam=1.0, permutation=np.arange(5)[::-1].copy()), "lam = 1")


mixup_backward = Exercise(
    solution=in_numpy.mixup_backward,
    hints=[
        "Row i of x is used twice: as itself in y[i], and as a partner in y[j], for the one j with "
        "permutation[j] = i.",
        "As itself it gets lam * grad_output[i]; as a partner (1 - lam) * grad_output[j]. What is used "
        "twice gets the sum.",
        "All j at once: `inverse = np.argsort(permutation)`, and then `lam * grad_output + (1 - lam) * "
        "grad_output[inverse]`. For the permutation itself return None.",
    ],
    next="the questions.",
    cases=_mixes,
)


@mixup_backward.mistake(
    "You used the permutation forward once more. Back along the same way is its inverse: row i was the "
    "partner of the j with permutation[j] = i. `np.argsort(permutation)` finds all of them."
)
def permuted_again(grad_output, x, lam, permutation):
    return lam * grad_output + (1 - lam) * grad_output[permutation], None


@mixup_backward.mistake(
    "The way through the partner is missing: each row was also mixed into another one, with the share 1 - "
    "lam."
)
def no_partner(grad_output, x, lam, permutation):
    return lam * grad_output, None


@mixup_backward.mistake("lam and 1 - lam are exchanged: the row itself has the share lam.")
def exchanged(grad_output, x, lam, permutation):
    return (1 - lam) * grad_output + lam * grad_output[np.argsort(permutation)], None


@mixup_backward.mistake(
    "Each row is used twice, so its two gradients add. You only kept the one through the partner."
)
def only_partner(grad_output, x, lam, permutation):
    return (1 - lam) * grad_output[np.argsort(permutation)], None


@mixup_backward.mistake(
    "The share of the partner is missing: its gradient is multiplied by 1 - lam on the way, as its value was."
)
def partner_in_full(grad_output, x, lam, permutation):
    return lam * grad_output + grad_output[np.argsort(permutation)], None


@mixup_backward.mistake(
    "You handed grad_output back as it is. Each row reached two outputs, with the shares lam and 1 - lam."
)
def handed_back(grad_output, x, lam, permutation):
    return grad_output.copy(), None


@mixup_backward.mistake(
    "This is the forward pass, with x in it. The gradient does not depend on x: mixing is linear."
)
def forward_again(grad_output, x, lam, permutation):
    return lam * x + (1 - lam) * x[permutation], None


@mixup_backward.mistake("Both ways have the share lam. What goes through the partner has 1 - lam.")
def lam_twice(grad_output, x, lam, permutation):
    return lam * (grad_output + grad_output[np.argsort(permutation)]), None


@mixup_backward.mistake(
    "This is x once more, brought back. What comes back is grad_output: mixing is linear."
)
def x_brought_back(grad_output, x, lam, permutation):
    return lam * x + (1 - lam) * x[np.argsort(permutation)], None


@mixup_backward.mistake(
    "The row's own share is missing: its gradient is multiplied by lam, as its value was."
)
def own_in_full(grad_output, x, lam, permutation):
    return grad_output + (1 - lam) * grad_output[np.argsort(permutation)], None


@mixup_backward.mistake("The sign of the partner's share is turned: it is 1 - lam, not lam - 1.")
def partner_turned(grad_output, x, lam, permutation):
    return lam * grad_output - (1 - lam) * grad_output[np.argsort(permutation)], None


@mixup_backward.mistake(
    "You multiplied by x. Mixing is linear: its slopes are lam and 1 - lam, whatever x is."
)
def mixup_times_x(grad_output, x, lam, permutation):
    own, partner = grad_output * x, grad_output * x[permutation]
    return lam * own + (1 - lam) * partner[np.argsort(permutation)], None


@mixup_backward.mistake(
    "You moved all of grad_output to the partners. The share lam stays with the row itself."
)
def all_to_the_partner(grad_output, x, lam, permutation):
    return grad_output[np.argsort(permutation)], None


@mixup_backward.mistake(
    "You permuted the row's own part, and left the partner's where it was. Forward x itself is not permuted."
)
def own_part_permuted(grad_output, x, lam, permutation):
    return lam * grad_output[permutation] + (1 - lam) * grad_output, None


@mixup_backward.mistake("The shares are missing: lam for the row itself, 1 - lam through the partner.")
def without_shares(grad_output, x, lam, permutation):
    return grad_output + grad_output[np.argsort(permutation)], None


@mixup_backward.mistake("You reversed the rows. The partners are those that `permutation` names.")
def rows_reversed(grad_output, x, lam, permutation):
    return lam * grad_output + (1 - lam) * grad_output[::-1], None


# ------------------------------------------------------------------------------- bias and variance

bias_variance = Exercise(
    solution=in_numpy.bias_variance,
    hints=[
        "First the mean prediction for each row: over the models, axis 0.",
        "Bias² compares that mean with the target; variance compares each model with that mean.",
        "Both end in a mean over everything that is left: `((mean - target) ** 2).mean()` and "
        "`((predictions - mean) ** 2).mean()`.",
    ],
    next="reading the explorer once more.",
)


@bias_variance.mistake(
    "Your variance divides by M - 1 (`ddof=1`). For the identity error = bias² + variance it must be the "
    "mean over the models that are there."
)
def unbiased(predictions, target):
    mean = predictions.mean(axis=0)
    return ((mean - target) ** 2).mean(), predictions.var(axis=0, ddof=1).mean()


@bias_variance.mistake(
    "What you call bias² is the whole error: average over the models first, then compare with the target."
)
def whole_error(predictions, target):
    mean = predictions.mean(axis=0)
    return ((predictions - target) ** 2).mean(), ((predictions - mean) ** 2).mean()


@bias_variance.mistake(
    "You averaged over the rows (axis 1). Axis 0 holds the models: the mean prediction has one number per "
    "row."
)
def over_the_rows(predictions, target):
    mean = predictions.mean(axis=1, keepdims=True)
    return ((mean - target) ** 2).mean(), ((predictions - mean) ** 2).mean()


@bias_variance.mistake(
    "You squared after averaging over the rows: errors of opposite sign cancel. Square each row's bias first."
)
def squared_too_late(predictions, target):
    mean = predictions.mean(axis=0)
    return (mean - target).mean() ** 2, ((predictions - mean) ** 2).mean()


@bias_variance.mistake(
    "Your variance is that of all numbers at once. It must compare models on the same row: the rows differ "
    "anyway, and that is no error."
)
def variance_of_everything(predictions, target):
    mean = predictions.mean(axis=0)
    return ((mean - target) ** 2).mean(), predictions.var()


@bias_variance.mistake("The two are exchanged: bias² comes first, variance second.")
def exchanged_parts(predictions, target):
    mean = predictions.mean(axis=0)
    return ((predictions - mean) ** 2).mean(), ((mean - target) ** 2).mean()


@bias_variance.mistake("You returned the bias, not its square: only the squares add up to the squared error.")
def not_squared(predictions, target):
    mean = predictions.mean(axis=0)
    return np.abs(mean - target).mean(), ((predictions - mean) ** 2).mean()


@bias_variance.mistake(
    "You took the standard deviation. The variance is its square, and only that adds up with bias²."
)
def standard_deviation(predictions, target):
    mean = predictions.mean(axis=0)
    return ((mean - target) ** 2).mean(), predictions.std(axis=0).mean()


def _parts(predictions, target):
    return in_numpy.bias_variance.unchecked(predictions, target)


@bias_variance.mistake(
    "Your variance compares the rows of one model (axis 1). It must compare the models on one row: axis 0."
)
def variance_over_the_rows(predictions, target):
    return _parts(predictions, target)[0], predictions.var(axis=1).mean()


@bias_variance.mistake(
    "You averaged the bias without squaring it: errors of opposite sign cancel. Square each row's bias first."
)
def mean_bias(predictions, target):
    mean = predictions.mean(axis=0)
    return (mean - target).mean(), ((predictions - mean) ** 2).mean()


@bias_variance.mistake(
    "Your variance is that of the mean prediction, from row to row. It must compare each model with that "
    "mean."
)
def variance_of_the_mean(predictions, target):
    return _parts(predictions, target)[0], predictions.mean(axis=0).var()


@bias_variance.mistake(
    "What you call variance is the whole error: compare the models with their own mean, not with the target."
)
def around_the_target(predictions, target):
    return _parts(predictions, target)[0], ((predictions - target) ** 2).mean()


@bias_variance.mistake(
    "Your mean prediction is one number for all rows. Each row has its own: average over the models, axis 0."
)
def one_mean_prediction(predictions, target):
    return ((predictions.mean() - target) ** 2).mean(), _parts(predictions, target)[1]


@bias_variance.mistake(
    "Your mean prediction is one number for all rows, in both. Each row has its own: average over the "
    "models, axis 0."
)
def one_mean_for_both(predictions, target):
    return ((predictions.mean() - target) ** 2).mean(), predictions.var()


@bias_variance.mistake("You took the root of bias². Only the squares add up to the squared error.")
def root_of_bias(predictions, target):
    bias2, variance = _parts(predictions, target)
    return np.sqrt(bias2), variance


@bias_variance.mistake("The square is missing in your variance: differences from a mean always average to 0.")
def variance_without_square(predictions, target):
    return _parts(predictions, target)[0], (predictions - predictions.mean(axis=0)).mean()


@bias_variance.mistake(
    "Your variance is that of all errors at once. It must compare models on the same row: use axis 0."
)
def variance_of_the_errors(predictions, target):
    return _parts(predictions, target)[0], (predictions - target).var()


@bias_variance.mistake(
    "You averaged absolute differences from the mean. The variance averages their squares."
)
def absolute_spread(predictions, target):
    return _parts(predictions, target)[0], np.abs(predictions - predictions.mean(axis=0)).mean()


@bias_variance.mistake("You added up the rows. Both parts are means: over the rows as well.")
def sums_over_rows(predictions, target):
    bias2, variance = _parts(predictions, target)
    return bias2 * len(target), variance * len(target)
