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
    m = len(predictions)
    return ((mean - target) ** 2).mean(), ((predictions - mean) ** 2).mean() * (m / (m - 1) if m > 1 else 1)


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
