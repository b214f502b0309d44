"""Exercises of notebook 06, and the ways in which a loss is usually wrong."""

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.losses import in_numpy


def _softmax(x, axis=1):
    z = np.exp(x - x.max(axis=axis, keepdims=True))
    return z / z.sum(axis=axis, keepdims=True)


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def _log_right(x, target, axis=1):
    """Log probability of the right class, one for each row."""
    shifted = x - x.max(axis=axis, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return log_p[np.arange(len(x)), target]


# ------------------------------------------------------------------------------------------- huber_loss


def _huber_cases(rng):
    for delta in (1.0, 0.4, 2.5):
        x, target = rng.normal(0, 2, (4, 3)), rng.normal(size=(4, 3))
        yield Case("huber_loss", dict(x=x, target=target, delta=delta), f"delta {delta}")


huber_loss = Exercise(
    solution=in_numpy.huber_loss,
    hints=[
        "Two branches. Up to a distance of `delta` it is half the squared distance; beyond, a straight line "
        "with the slope that the parabola has at `delta`, which is `delta`.",
        "The line must also start where the parabola ends: delta * (|d| - c) has to be delta**2 / 2 at "
        "|d| = delta. Which c does that?",
        "With `d = np.abs(x - target)`: `np.where(d <= delta, d**2 / 2, delta * (d - delta / 2)).mean()`.",
    ],
    next="A loss with an error bar of its own, in the stretch exercise. First: one of K classes.",
    cases=_huber_cases,
)


def _branches(x, target, near, far, delta):
    d = np.abs(x - target)
    return np.where(d <= delta, near(d), far(d)).mean()


@huber_loss.mistake(
    "Near the target you took the whole square. Half of it is what fits: its slope at `delta` is `delta`, "
    "that of the line."
)
def no_half(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2, lambda d: delta * (d - delta / 2), delta)


@huber_loss.mistake(
    "Your two branches do not meet: at the distance `delta` the parabola is at delta**2 / 2 and your line at "
    "delta**2. Subtract delta / 2 from the distance first."
)
def branches_that_do_not_meet(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: delta * d, delta)


@huber_loss.mistake(
    "Your line has slope 1 whatever `delta` is. The parabola arrives with slope `delta`, so the line has to "
    "go on with that: delta * (d - delta / 2)."
)
def slope_one(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: d - delta / 2, delta)


@huber_loss.mistake(
    "This is `smooth_l1_loss`, Huber's loss divided by `delta`. Its far slope is 1; Huber's is `delta`."
)
def smooth_l1(x, target, reduction="mean", delta=1.0, weight=None):
    return in_numpy.smooth_l1_loss.unchecked(x, target, beta=delta)


@huber_loss.mistake(
    "You compared the signed difference with `delta`, so predictions that are far too low are still squared. "
    "Compare its absolute value."
)
def signed_difference(x, target, reduction="mean", delta=1.0, weight=None):
    d = x - target
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2)).mean()


@huber_loss.mistake(
    "You added the losses up. The default reduction is the mean, so that a loss does not grow with the batch."
)
def added_up(x, target, reduction="mean", delta=1.0, weight=None):
    return in_numpy.huber_loss.unchecked(x, target, "sum", delta)


@huber_loss.mistake(
    "Your line is delta * d - delta / 2, so the two branches do not meet at the distance `delta`: `delta` is "
    "not "
    "squared in the last term."
)
def half_for_half_delta(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: delta * (d - 0.5), delta)


@huber_loss.mistake(
    "Your line is |d| - 1/2, as if `delta` were 1. It has the slope `delta` and starts where the parabola "
    "ends."
)
def distance_minus_half(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: d - 0.5, delta)


@huber_loss.mistake("`delta` is missing: you always change from parabola to line at 1.")
def delta_not_used(x, target, reduction="mean", delta=1.0, weight=None):
    return in_numpy.huber_loss.unchecked(x, target)


@huber_loss.mistake(
    "Your two branches do not meet: at the distance `delta` your line starts at 0, where the parabola has "
    "reached delta**2 / 2."
)
def delta_subtracted(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: delta * (d - delta), delta)


@huber_loss.mistake(
    "Far away you took the distance itself. The line has the slope `delta` and starts where the parabola "
    "ends."
)
def absolute_error_far_away(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: d, delta)


@huber_loss.mistake(
    "Your line uses the signed difference: predictions that are far too low get a negative loss."
)
def line_of_the_signed_difference(x, target, reduction="mean", delta=1.0, weight=None):
    d = x - target
    return np.where(np.abs(d) <= delta, d**2 / 2, delta * (d - delta / 2)).mean()


@huber_loss.mistake("Your branches are swapped: the parabola belongs near the target, the line far away.")
def branches_swapped(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: delta * (d - delta / 2), lambda d: d**2 / 2, delta)


@huber_loss.mistake(
    "You take the smaller of the two formulas. That is the line everywhere; what decides is the distance."
)
def always_the_line(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: delta * (d - delta / 2), lambda d: delta * (d - delta / 2), delta)


@huber_loss.mistake("This is half the squared error everywhere. Beyond the distance `delta` a line goes on.")
def always_the_parabola(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: d**2 / 2, delta)


@huber_loss.mistake("You divided by the number of rows. The mean is over all elements.")
def divided_by_rows(x, target, reduction="mean", delta=1.0, weight=None):
    return in_numpy.huber_loss.unchecked(x, target, "sum", delta) / len(x)


@huber_loss.mistake(
    "This is the squared error; `delta` plays no part. Beyond the distance `delta` a line goes on."
)
def squared_error(x, target, reduction="mean", delta=1.0, weight=None):
    return ((x - target) ** 2).mean()


@huber_loss.mistake(
    "You added delta / 2 to the distance, where it has to be subtracted: at the distance `delta` the line "
    "misses the parabola."
)
def line_lifted(x, target, reduction="mean", delta=1.0, weight=None):
    return _branches(x, target, lambda d: d**2 / 2, lambda d: delta * (d + delta / 2), delta)


# ---------------------------------------------------------------------------------------- cross_entropy


def _score_cases(rng):
    for rows, classes in ((6, 4), (1, 3)):
        x, target = rng.normal(0, 2, (rows, classes)), rng.integers(0, classes, rows)
        yield Case("cross_entropy", dict(x=x, target=target), f"{rows} x {classes}")
    extreme = np.array([[1000.0, 0.0, -1000.0], [-1000.0, 1000.0, 999.0]])
    yield Case("cross_entropy", dict(x=extreme, target=np.array([1, 2])), "scores of 1000")
    apart = np.array([[1000.0, 999.0, 998.0], [0.0, 1.0, 2.0]])
    yield Case("cross_entropy", dict(x=apart, target=np.array([1, 0])), "rows far apart")


cross_entropy = Exercise(
    solution=in_numpy.cross_entropy,
    hints=[
        "Three steps: log probabilities from scores, pick the one of the right class in each row, minus "
        "their mean.",
        "log softmax is x - log(sum(exp(x))) per row. Subtract each row's largest score from x before you "
        "start: nothing changes, and exp cannot overflow.",
        "`log_p[np.arange(len(x)), target]` picks one number from each row.",
    ],
    next="its relative for yes or no, and that one backward.",
    cases=_score_cases,
)


@cross_entropy.mistake(
    "You averaged the log loss over all classes. Only the probability of the right class counts: pick one "
    "number from each row."
)
def over_all_classes(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return in_numpy.cross_entropy.unchecked(x, target, label_smoothing=1.0)


@cross_entropy.mistake(
    "You divided by the number of elements, N times K. The mean is over rows: each row has one loss."
)
def divided_by_all_elements(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(x, target).sum() / x.size


@cross_entropy.mistake("You added the rows up. The default reduction is their mean.")
def rows_added_up(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(x, target).sum()


@cross_entropy.mistake(
    "The logarithm is missing: this is 1 minus the probability of the right class, the absolute error. It "
    "never exceeds 1, so being sure and wrong costs next to nothing extra."
)
def no_logarithm(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return 1 - _softmax(x)[np.arange(len(x)), target].mean()


@cross_entropy.mistake(
    "The softmax runs down the columns: rows are samples, classes lie along axis 1, and each row must sum "
    "to 1."
)
def softmax_over_rows(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(x, target, axis=0).mean()


@cross_entropy.mistake(
    "You measure in bits: log2. Losses are in nats, from the natural logarithm, or every learning rate would "
    "have to change by a factor of 1.44."
)
def in_bits(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(x, target).mean() / np.log(2)


@cross_entropy.mistake(
    "You take the softmax twice: x holds scores, and what you feed into the log softmax are already "
    "probabilities. It trains, badly: no score can get a loss near 0."
)
def softmax_twice(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(_softmax(x), target).mean()


@cross_entropy.mistake(
    "You subtract the largest score of the whole array. In a row that lies 1000 below it every exp becomes "
    "0, and its logarithm is infinite: each row needs its own."
)
def one_maximum_for_all(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    shifted = x - x.max()
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(x)), target].mean()


@cross_entropy.mistake(
    "Your softmax divides by the sum of the whole array. Each row has probabilities of its own."
)
def one_sum_for_all(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum())
    return -log_p[np.arange(len(x)), target].mean()


@cross_entropy.mistake("The logarithm is missing: this is minus the probability of the right class.")
def minus_probability(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_softmax(x)[np.arange(len(x)), target].mean()


@cross_entropy.mistake(
    "`[:, target]` picks the classes of all rows in every row. Each row has one target: pair the rows with "
    "their classes."
)
def every_target_in_every_row(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[:, target].mean()


@cross_entropy.mistake(
    "You subtracted the largest score in the sum, but not from the score of the right class. Both have to be "
    "shifted, or none."
)
def shift_in_one_place(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    shifted = x - x.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - x[np.arange(len(x)), target]).mean()


@cross_entropy.mistake(
    "This is the logarithm of the sum of exponentials alone. The score of the right class is not subtracted, "
    "so the target plays no part."
)
def right_score_missing(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    largest = x.max(axis=1)
    return (largest + np.log(np.exp(x - largest[:, None]).sum(axis=1))).mean()


@cross_entropy.mistake(
    "You took the class with the largest score. The loss is that of the right class, which `target` names."
)
def likeliest_class(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -_log_right(x, x.argmax(axis=1)).mean()


@cross_entropy.mistake(
    "You weighted the logarithms by p itself: that is the entropy, and the target plays no part."
)
def entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    p = _softmax(x)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1).mean()


@cross_entropy.mistake(
    "You took the logarithm of the mean probability. Wanted is the mean of the logarithms."
)
def logarithm_of_the_mean(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return -np.log(_softmax(x)[np.arange(len(x)), target].mean())


def _capped(eps):
    def wrong(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        return -np.log(_softmax(x)[np.arange(len(x)), target] + x.dtype.type(eps)).mean()

    wrong.__name__ = f"capped_by_{eps}"
    return wrong


for _eps in ("1e-15", "1e-12", "1e-10", "1e-9", "1e-8", "1e-7"):
    cross_entropy.mistake(
        f"The {_eps} in your logarithm caps the loss: being sure and wrong never costs more than "
        f"{-np.log(float(_eps)):.0f}. "
        "Write out the logarithm of softmax on paper, then nothing needs a cap."
    )(_capped(float(_eps)))


# --------------------------------------------------------- binary_cross_entropy_with_logits_backward


def _logit_cases(rng):
    name = "binary_cross_entropy_with_logits"
    yield Case(name, dict(x=rng.normal(0, 2, (4, 3)), target=rng.uniform(size=(4, 3))), "4 x 3")
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    yield Case(name, dict(x=np.array([-1000.0, 1000.0, 30.0, -2.0]), target=labels), "sure, right and wrong")


binary_cross_entropy_with_logits_backward = Exercise(
    solution=in_numpy.binary_cross_entropy_with_logits_backward,
    hints=[
        "Write the loss with p = sigmoid(x) and go back in two steps: dloss/dp, then dp/dx = p * (1 - p). "
        "Multiply them out before you type.",
        "What remains for x is p - target. The mean over all elements contributes 1 / x.size, and "
        "`grad_output` multiplies everything.",
        "For target: the loss is a straight line in it, with slope log(1 - p) - log(p). Put p = sigmoid(x) "
        "in, and the exponentials cancel: it is -x.",
    ],
    next="a loss whose error bar is learned too.",
    cases=_logit_cases,
)


def _gradients(grad_output, x, grad_x):
    g = grad_output / x.size
    return g * grad_x, -g * x


@binary_cross_entropy_with_logits_backward.mistake(
    "The mean is missing: each element's loss reaches the result divided by `x.size`."
)
def not_divided(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return grad_output * (_sigmoid(x) - target), -grad_output * x


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for x still has the slope p * (1 - p). It cancels against the p * (1 - p) under dloss/dp; "
    "with it you are back at squared error, and a neuron that is sure and wrong does not learn."
)
def slope_left_in(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    p = _sigmoid(x)
    return _gradients(grad_output, x, (p - target) * p * (1 - p))


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for x points the wrong way: it is p - target, positive where the score is too high."
)
def wrong_way(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return _gradients(grad_output, x, target - _sigmoid(x))


@binary_cross_entropy_with_logits_backward.mistake(
    "You rounded the probability to a decision first. The loss knows no threshold: a yes at 0.51 is still "
    "pulled up by 0.49."
)
def of_the_decision(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return _gradients(grad_output, x, (x > 0) - target)


@binary_cross_entropy_with_logits_backward.mistake(
    "You subtracted the target from the score. The sigmoid is missing: it is p - target, with p = sigmoid(x)."
)
def no_sigmoid(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return _gradients(grad_output, x, x - target)


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for target is minus that for x. So it is in regression, where the loss depends on "
    "x - target alone; here the slope for target is log(1 - p) - log(p), which is -x."
)
def as_in_regression(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, -grad_x


@binary_cross_entropy_with_logits_backward.mistake("grad_output is missing: it multiplies both gradients.")
def logits_without_grad_output(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return _gradients(1, x, _sigmoid(x) - target)


@binary_cross_entropy_with_logits_backward.mistake(
    "You gave the target no gradient. Labels are not learned, but the loss does depend on them: derive it."
)
def no_gradient_for_target(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, np.zeros_like(x)


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for target is that of the first term alone. The target stands in 1 - target as well."
)
def only_the_yes_term(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, grad_output / x.size * np.logaddexp(0, -x)


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for target is log(p), that of the first term alone, and its sign is wrong. The target "
    "stands in 1 - target as well."
)
def only_the_yes_term_downhill(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, -grad_output / x.size * np.logaddexp(0, -x)


@binary_cross_entropy_with_logits_backward.mistake(
    "Your gradient for target is -p, the part of p - target that is left. Differentiate the loss itself, not "
    "its gradient."
)
def minus_p_for_target(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, -grad_output / x.size * _sigmoid(x)


@binary_cross_entropy_with_logits_backward.mistake(
    "You took a softmax. Each element is a yes-or-no question of its own, with a sigmoid."
)
def softmax_for_sigmoid(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    return _gradients(grad_output, x, _softmax(x, -1) - target)


@binary_cross_entropy_with_logits_backward.mistake(
    "grad_output is missing in the gradient for target. It multiplies both gradients."
)
def target_without_grad_output(grad_output, x, target, weight=None, reduction="mean", pos_weight=None):
    grad_x, _ = _gradients(grad_output, x, _sigmoid(x) - target)
    return grad_x, -x / x.size


# --------------------------------------------------------------------------- gaussian_nll_loss_backward


def _error_bar_cases(rng):
    for shape in ((5,), (4, 3)):
        x, target = rng.normal(size=(2, *shape))
        yield Case("gaussian_nll_loss", dict(x=x, target=target, var=rng.uniform(0.3, 3, shape)), str(shape))


gaussian_nll_loss_backward = Exercise(
    solution=in_numpy.gaussian_nll_loss_backward,
    hints=[
        "The loss of one element is (log(v) + d**2 / v) / 2 with d = x - target. Three gradients: x and "
        "target appear only in d, var in both terms.",
        "d/dv of log(v) is 1 / v, and of d**2 / v it is -d**2 / v**2. Do not forget the half, nor the mean.",
        "With `g = grad_output / x.size`: `g * d / v`, minus that, and `g * (1 - d * d / v) / (2 * v)`.",
    ],
    next="You have every loss of this notebook in your hands. Notebook 07 goes downhill on them.",
    cases=_error_bar_cases,
)


def _three(grad_output, x, target, var, grad_d, grad_var):
    g = grad_output / x.size
    return g * grad_d, -g * grad_d, g * grad_var


@gaussian_nll_loss_backward.mistake(
    "The mean is missing: each element's loss reaches the result divided by `x.size`."
)
def bar_not_divided(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    return in_numpy.gaussian_nll_loss_backward.unchecked(grad_output * x.size, x, target, var)


@gaussian_nll_loss_backward.mistake(
    "You treat var as a standard deviation and square it once more. It is a variance: d is divided by it as "
    "it comes."
)
def var_for_sd(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var**2, (1 - d * d / var**2) / var)


@gaussian_nll_loss_backward.mistake(
    "The gradient for var lacks the part of log(v). Without it nothing keeps the variance from growing: an "
    "infinite error bar would be free."
)
def no_logarithm_of_var(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, -d * d / (2 * var * var))


@gaussian_nll_loss_backward.mistake(
    "The gradient for var has the wrong sign. A large error must make it negative, since stepping against "
    "the gradient then widens the error bar."
)
def var_the_wrong_way(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (d * d / var - 1) / (2 * var))


@gaussian_nll_loss_backward.mistake(
    "The half is missing in the gradient for var. In that for x it cancels against the 2 of the square; here "
    "it stays."
)
def var_without_half(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (1 - d * d / var) / var)


@gaussian_nll_loss_backward.mistake(
    "The half is still in the gradient for x: the derivative of d**2 / 2 is d."
)
def half_in_x(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / (2 * var), (1 - d * d / var) / (2 * var))


@gaussian_nll_loss_backward.mistake(
    "Your gradients for x and target have each the other sign: a prediction above its target has to come "
    "down."
)
def both_signs_swapped(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, -d / var, (1 - d * d / var) / (2 * var))


@gaussian_nll_loss_backward.mistake("grad_output is missing: it multiplies all three gradients.")
def bar_without_grad_output(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    return in_numpy.gaussian_nll_loss_backward.unchecked(x.dtype.type(1), x, target, var)


@gaussian_nll_loss_backward.mistake(
    "Your loss has no half: it is half of log(v) + d**2 / v. All three gradients are twice as large."
)
def no_half_anywhere(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, 2 * d / var, (1 - d * d / var) / var)


@gaussian_nll_loss_backward.mistake(
    "The 2 of the square is left in the gradients for x and target. The half of the loss cancels it."
)
def two_in_x(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, 2 * d / var, (1 - d * d / var) / (2 * var))


@gaussian_nll_loss_backward.mistake(
    "The 2 of the square is left in the gradient for x. The half of the loss cancels it."
)
def two_in_x_alone(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    grad_x, *others = _three(grad_output, x, target, var, d / var, (1 - d * d / var) / (2 * var))
    return 2 * grad_x, *others


@gaussian_nll_loss_backward.mistake(
    "The gradients for x and target lack var: an uncertain prediction pulls less."
)
def x_without_var(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d, (1 - d * d / var) / (2 * var))


@gaussian_nll_loss_backward.mistake("You gave the target no gradient. It appears in d, with a minus.")
def target_without_gradient(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    grad_x, grad_target, grad_var = _three(
        grad_output, x, target, var, d / var, (1 - d * d / var) / (2 * var)
    )
    return grad_x, 0 * grad_target, grad_var


@gaussian_nll_loss_backward.mistake(
    "In the gradient for var the half is missing at the part of log(v). It stands before both parts."
)
def half_missing_at_the_logarithm(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, 1 / var - d * d / (2 * var * var))


@gaussian_nll_loss_backward.mistake(
    "In the gradient for var the half is missing at the part of the square. It stands before both parts."
)
def half_missing_at_the_square(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, 1 / (2 * var) - d * d / (var * var))


@gaussian_nll_loss_backward.mistake(
    "In the gradient for var the square is divided by var once. The slope of 1 / v is -1 / v**2."
)
def var_not_squared(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (1 / var - d * d / var) / 2)


@gaussian_nll_loss_backward.mistake(
    "In the gradient for var both parts have a plus. The slope of 1 / v is negative."
)
def parts_added(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (1 / var + d * d / var**2) / 2)


@gaussian_nll_loss_backward.mistake(
    "The gradient for var lacks the part of the square. Without it the error bar does not see the errors."
)
def only_the_logarithm(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, 1 / (2 * var))


@gaussian_nll_loss_backward.mistake(
    "In the gradient for var the difference is not squared. It is held still there; only 1 / v is "
    "differentiated."
)
def difference_not_squared(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (1 / var - d / var**2) / 2)


@gaussian_nll_loss_backward.mistake("This is the gradient for log(v). Wanted is that for v itself.")
def for_the_logarithm_of_var(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    d = x - target
    return _three(grad_output, x, target, var, d / var, (1 - d * d / var) / 2)
