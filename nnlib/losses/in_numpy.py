"""The reference: each loss per element or row first, then `reduction` makes one number of them."""

from math import log, pi

import numpy as np

from nnlib.core import checked

constants = {  # chosen, not learned: torch gives them no gradient
    "mse_loss": ("weight",),
    "l1_loss": ("weight",),
    "huber_loss": ("weight",),
    "binary_cross_entropy": ("weight",),
    "binary_cross_entropy_with_logits": ("weight", "pos_weight"),
    "sigmoid_focal_loss": ("target",),
    "multi_margin_loss": ("weight",),
    "nll_loss": ("weight",),
    "cross_entropy": ("weight",),
}

_OLD = {"size_average": None, "reduce": None}  # torch's former words for `reduction`


# ------------------------------------------------------------------------------------------- reduction


def _reduce(losses, reduction, count):
    """All losses, their sum, or their sum divided by `count`."""
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / count


def _reduce_backward(name, grad_output, reduction, count, shape):
    """What reaches each single loss."""
    expected = shape if reduction == "none" else ()
    if np.shape(grad_output) != expected:
        came = np.shape(grad_output)
        raise ValueError(
            f"{name}: grad_output has shape {came}; expected {expected} for reduction={reduction!r}"
        )
    return grad_output if reduction in ("none", "sum") else grad_output / count


# ----------------------------------------------------------------------------------------- regression


def _total_weight(name, weight, x):
    """What a weighted mean of squared or absolute errors is divided by."""
    total = x.size if weight is None else weight.sum()
    if total == 0:
        raise ValueError(f"{name}: the weights add up to 0; expected a sum that a mean can be divided by")
    return total


def _weigh(losses, weight):
    return losses if weight is None else weight * losses


def _pair(grad_x, weight):
    """Gradients for x and target, which appear only as x - target; none for the weight."""
    return (grad_x, -grad_x) if weight is None else (grad_x, -grad_x, None)


@checked(not_taught=_OLD)
def mse_loss(x, target, reduction="mean", weight=None):
    """Squared error: four times the loss for twice the distance.

        loss = weight * (x - target)**2

    The mean divides by the sum of the weights; without weights, by the number of elements.

    Parameters
    ----------
    x, target : array (...)
    reduction : {'none', 'mean', 'sum'}
    weight : array (...) or None     one factor per element

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'

    Raises
    ------
    ValueError
        For a mean with weights that add up to 0: torch's is NaN then.
    """
    difference = x - target
    count = _total_weight("mse_loss", weight, x) if reduction == "mean" else 1
    return _reduce(_weigh(difference * difference, weight), reduction, count)


@checked
def mse_loss_backward(grad_output, x, target, reduction="mean", weight=None):
    """Gradients of `mse_loss` for x and target: proportional to the distance.

    grad_x = 2 * weight * (x - target) * grad_output / sum of the weights,   grad_target = -grad_x
    """
    count = _total_weight("mse_loss", weight, x) if reduction == "mean" else 1
    g = _reduce_backward("mse_loss", grad_output, reduction, count, x.shape)
    return _pair(g * _weigh(2 * (x - target), weight), weight)


@checked(not_taught=_OLD)
def l1_loss(x, target, reduction="mean", weight=None):
    """Absolute error: twice the loss for twice the distance.

        loss = weight * |x - target|

    The mean divides by the sum of the weights; without weights, by the number of elements.

    Parameters
    ----------
    x, target : array (...)
    reduction : {'none', 'mean', 'sum'}
    weight : array (...) or None     one factor per element

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'

    Raises
    ------
    ValueError
        For a mean with weights that add up to 0: torch's is NaN then.
    """
    count = _total_weight("l1_loss", weight, x) if reduction == "mean" else 1
    return _reduce(_weigh(np.abs(x - target), weight), reduction, count)


@checked
def l1_loss_backward(grad_output, x, target, reduction="mean", weight=None):
    """Gradients of `l1_loss` for x and target: every distance pulls alike; 0 at the kink.

    grad_x = weight * sign(x - target) * grad_output / sum of the weights,   grad_target = -grad_x
    """
    count = _total_weight("l1_loss", weight, x) if reduction == "mean" else 1
    g = _reduce_backward("l1_loss", grad_output, reduction, count, x.shape)
    return _pair(g * _weigh(np.sign(x - target), weight), weight)


@checked
def huber_loss(x, target, reduction="mean", delta=1.0, weight=None):
    """Squared error near the target, absolute error far from it, with one slope where they meet.

        loss = weight * (d**2 / 2 if |d| <= delta else delta * (|d| - delta / 2)),   d = x - target

    The mean divides by the number of elements even with weights, where that of `mse_loss` and `l1_loss`
    divides by their sum: so it is in torch.

    Parameters
    ----------
    x, target : array (...)
    reduction : {'none', 'mean', 'sum'}
    delta : float > 0                from which distance on an error counts linearly
    weight : array (...) or None     one factor per element

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'

    References
    ----------
    Huber (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 73-101.
    """
    distance = np.abs(x - target)
    near = np.minimum(distance, delta)  # near * (distance - near / 2) is both branches at once
    return _reduce(_weigh(near * (distance - near / 2), weight), reduction, x.size)


@checked
def huber_loss_backward(grad_output, x, target, reduction="mean", delta=1.0, weight=None):
    """Gradients of `huber_loss` for x and target: the distance, but never more than delta.

    grad_x = weight * clip(x - target, -delta, delta) * grad_output / number of elements
    """
    g = _reduce_backward("huber_loss", grad_output, reduction, x.size, x.shape)
    return _pair(g * _weigh(np.clip(x - target, -delta, delta), weight), weight)


@checked(not_taught=_OLD)
def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    """Absolute error with a round tip: Huber's loss divided by its width.

        loss = d**2 / (2 * beta) if |d| < beta else |d| - beta / 2,   d = x - target

    Its far slope is 1 whatever beta; Huber's is delta. beta = 0 is `l1_loss`.

    Parameters
    ----------
    x, target : array (...)
    reduction : {'none', 'mean', 'sum'}
    beta : float >= 0                the distance up to which the tip is round

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'

    References
    ----------
    Girshick (2015), Fast R-CNN, arXiv:1504.08083.
    """
    distance = np.abs(x - target)
    if beta == 0:
        return _reduce(distance, reduction, x.size)
    near = np.minimum(distance, beta)
    return _reduce(near / beta * (distance - near / 2), reduction, x.size)


@checked
def smooth_l1_loss_backward(grad_output, x, target, reduction="mean", beta=1.0):
    """Gradients of `smooth_l1_loss` for x and target: the distance in units of beta, but never more than 1.

    grad_x = clip((x - target) / beta, -1, 1) * grad_output / number of elements,   grad_target = -grad_x
    """
    d = x - target
    slope = np.sign(d) if beta == 0 else np.clip(d, -beta, beta) / beta
    return _pair(slope * _reduce_backward("smooth_l1_loss", grad_output, reduction, x.size, x.shape), None)


@checked
def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean"):
    """How surprised a prediction with an error bar is: x is the mean, var the variance it claims.

        loss = (log(v) + (x - target)**2 / v) / 2,   v = max(var, eps)

    `full` adds the constant log(2 * pi) / 2, which makes it -log of the normal density.

    Parameters
    ----------
    x, target : array (..., D)
    var : array (..., D) >= 0 or (..., 1) >= 0     (..., 1): one variance for all D
    full : bool
    eps : float > 0                                the least variance that is believed
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (..., D)     (..., D) for reduction='none'

    References
    ----------
    Nix & Weigend (1994), Estimating the mean and variance of the target probability distribution.
    """
    v, d = np.maximum(var, eps), x - target
    losses = (np.log(v) + d * d / v) / 2
    return _reduce(losses + log(2 * pi) / 2 if full else losses, reduction, x.size)


@checked
def gaussian_nll_loss_backward(grad_output, x, target, var, full=False, eps=1e-6, reduction="mean"):
    """Gradients of `gaussian_nll_loss` for x, target and var.

        grad_x = (x - target) / v * grad_output / number of elements,   grad_target = -grad_x
        grad_var = (1 - (x - target)**2 / v) / (2 * v) * grad_output / number of elements

    An error of one standard deviation leaves var alone, a larger one raises it. As in torch, the gradient for
    var is that at v = eps where var is smaller, so that a variance that collapsed can grow again.
    """
    g = _reduce_backward("gaussian_nll_loss", grad_output, reduction, x.size, x.shape)
    v, d = np.maximum(var, eps), x - target
    grad_x = g * d / v
    grad_var = g * (1 - d * d / v) / (2 * v)
    if var.shape != x.shape:
        grad_var = grad_var.sum(axis=-1, keepdims=True)
    return grad_x, -grad_x, grad_var


# --------------------------------------------------------------------------------------- yes or no


def _softplus(x):
    """log(1 + exp(x)), by an exponential that cannot overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x):
    """1 / (1 + exp(-x)), by an exponential that cannot overflow."""
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(z), z) / (1 + z)


def _logs(p):
    """log(p) and log(1 - p), but -100 where that is less: torch's price for having been sure and wrong."""
    with np.errstate(divide="ignore"):  # log(0) is -inf, and becomes -100
        return np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)


@checked(not_taught=_OLD)
def binary_cross_entropy(x, target, weight=None, reduction="mean"):
    """How surprised a yes-or-no prediction is by the answer; x is the probability of a yes.

        loss = -weight * (target * log(x) + (1 - target) * log(1 - x)),   no logarithm below -100

    Prefer `binary_cross_entropy_with_logits`: a probability next to 1 has lost its digits on the way.

    Parameters
    ----------
    x : array (...) in [0, 1]
    target : array (...) in [0, 1]      usually 0 or 1
    weight : array (...) or None        one factor per element
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'
    """
    log_yes, log_no = _logs(x)
    losses = -(target * log_yes + (1 - target) * log_no)
    return _reduce(_weigh(losses, weight), reduction, x.size)


@checked
def binary_cross_entropy_backward(grad_output, x, target, weight=None, reduction="mean"):
    """Gradients of `binary_cross_entropy` for x and target.

        grad_x = weight * (x - target) / (x * (1 - x)) * grad_output / number of elements
        grad_target = weight * (log(1 - x) - log(x)) * grad_output / number of elements

    torch never divides by less than 1e-12, and neither do we. For the target we keep the logarithms of the
    loss, none below -100; torch does not, and its grad_target is infinite at x = 0 and 1.
    """
    g = _weigh(_reduce_backward("binary_cross_entropy", grad_output, reduction, x.size, x.shape), weight)
    grad_x = g * (x - target) / np.maximum(x * (1 - x), 1e-12)
    log_yes, log_no = _logs(x)
    grad_target = g * (log_no - log_yes)
    return (grad_x, grad_target) if weight is None else (grad_x, grad_target, None)


@checked(not_taught=_OLD)
def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None):
    """How surprised a yes-or-no prediction is by the answer; x is the score before the sigmoid.

        loss = -weight * (pos_weight * target * log(p) + (1 - target) * log(1 - p)),   p = sigmoid(x)

    log(p) is -softplus(-x) and log(1 - p) is -softplus(x), which stay finite where p rounds to 0 or 1.

    Parameters
    ----------
    x : array (..., K)
    target : array (..., K)               probabilities; usually 0 or 1
    weight : array (..., K) or None       one factor per element
    reduction : {'none', 'mean', 'sum'}
    pos_weight : array (K,) or (1,) or None      how much more a yes counts; above 1 for rare ones

    Returns
    -------
    loss : array () or (..., K)     (..., K) for reduction='none'
    """
    yes = target if pos_weight is None else pos_weight * target
    losses = yes * _softplus(-x) + (1 - target) * _softplus(x)
    return _reduce(losses if weight is None else weight * losses, reduction, x.size)


@checked
def binary_cross_entropy_with_logits_backward(
    grad_output, x, target, weight=None, reduction="mean", pos_weight=None
):
    """Gradients of `binary_cross_entropy_with_logits` for x and target.

        grad_x = weight * (p - target) * grad_output / number of elements,   p = sigmoid(x)
        grad_target = -weight * x * grad_output / number of elements

    With pos_weight p - target splits into (1 - target) * p - pos_weight * target * (1 - p), and -x into
    log(1 - p) - pos_weight * log(p). grad_x does not vanish while the answer is wrong, however certain p is:
    why the sigmoid belongs inside the loss.
    """
    g = _reduce_backward("binary_cross_entropy_with_logits", grad_output, reduction, x.size, x.shape)
    g = g if weight is None else weight * g
    factor = 1 if pos_weight is None else pos_weight
    grad_x = g * ((1 - target) * _sigmoid(x) - factor * target * _sigmoid(-x))
    grad_target = g * (factor * _softplus(-x) - _softplus(x))
    absent = (None,) * sum(constant is not None for constant in (weight, pos_weight))
    return grad_x, grad_target, *absent


@checked
def sigmoid_focal_loss(x, target, alpha=0.25, gamma=2.0, reduction="none"):
    """Cross-entropy in which easy examples hardly count; x is the score before the sigmoid.

        loss = a * m**gamma * binary_cross_entropy_with_logits(x, target)
        m = target * (1 - p) + (1 - target) * p,   p = sigmoid(x)
        a = target * alpha + (1 - target) * (1 - alpha)

    m is the share of probability on the wrong answer: 0.01 for an easy example, near 1 for a hopeless one.
    The name, the arguments and their defaults are torchvision's.

    Parameters
    ----------
    x : array (...)
    target : array (...) in [0, 1]
    alpha : float in [-1, 1]             the weight of a yes; that of a no is 1 - alpha; -1: no weights
    gamma : float >= 0                   how steeply easy examples lose weight; 0: not at all
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár (2017), Focal loss for dense object detection, arXiv:1708.02002.
    """
    m = target * _sigmoid(-x) + (1 - target) * _sigmoid(x)
    surprise = target * _softplus(-x) + (1 - target) * _softplus(x)
    return _reduce(_balance(target, alpha) * m**gamma * surprise, reduction, x.size)


@checked
def sigmoid_focal_loss_backward(grad_output, x, target, alpha=0.25, gamma=2.0, reduction="none"):
    """Gradient of `sigmoid_focal_loss` for x.

        grad_x = a * m**gamma * (p - target - gamma * (2 * target - 1) * p * (1 - p) / m * surprise)

    The first part is that of cross-entropy, damped; the second pays for making m smaller.
    """
    p, q = _sigmoid(x), _sigmoid(-x)
    m = target * q + (1 - target) * p
    surprise = target * _softplus(-x) + (1 - target) * _softplus(x)
    share = p * q / np.where(m > 0, m, np.ones_like(m))  # where m is 0, so is p * q
    slope = (1 - target) * p - target * q - gamma * (2 * target - 1) * share * surprise
    g = _reduce_backward("sigmoid_focal_loss", grad_output, reduction, x.size, x.shape)
    return g * _balance(target, alpha) * m**gamma * slope, None


def _balance(target, alpha):
    """The weights of yes and no; 1 for both where alpha is -1."""
    if -1 < alpha < 0:
        raise ValueError(f"sigmoid_focal_loss: alpha is {alpha}; expected a weight in [0, 1], or -1 for none")
    return np.ones_like(target) if alpha == -1 else target * alpha + (1 - target) * (1 - alpha)


# -------------------------------------------------------------------------------------------- margins


def _signs(x, target):
    if not target.all():
        raise ValueError("hinge: target holds 0; expected -1 for no and 1 for yes")
    return target.astype(x.dtype)


@checked
def hinge(x, target, margin=1.0, reduction="mean"):
    """No loss from a score that is right by a margin, and beyond it a straight line; x is no probability.

        loss = max(0, margin - target * x)

    Parameters
    ----------
    x : array (...)
    target : int array (...) in [-1, 1]     -1 for no, 1 for yes; 0 is refused
    margin : float
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'
    """
    return _reduce(np.maximum(margin - _signs(x, target) * x, 0), reduction, x.size)


@checked
def hinge_backward(grad_output, x, target, margin=1.0, reduction="mean"):
    """Gradient of `hinge` for x: nothing from whoever is right by the margin, all others pull alike.

    grad_x = -target * (target * x < margin) * grad_output / number of elements
    """
    sign = _signs(x, target)
    g = _reduce_backward("hinge", grad_output, reduction, x.size, x.shape)
    return -g * sign * (margin - sign * x > 0), None


def _shortfall(x, target, margin):
    """By how much each wrong class comes too close to the right one's score; 0 for the right class."""
    rows = np.arange(len(x))
    short = np.maximum(margin - x[rows, target][:, None] + x, 0)
    short[rows, target] = 0
    return short


@checked(not_taught=_OLD)
def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """Hinge for K classes: the right score shall exceed every other by a margin.

        loss[n] = weight[y] * sum over k != y of max(0, margin - x[n, y] + x[n, k])**p / K,   y = target[n]

    The mean divides by the number of rows, with weights too.

    Parameters
    ----------
    x : array (N, K)
    target : int array (N,) in [0, K)
    p : int in [1, 2]
    margin : float
    weight : array (K,) or None            one factor per class
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (N,)     (N,) for reduction='none'

    References
    ----------
    Crammer & Singer (2001), JMLR 2, 265-292, count the largest shortfall only; torch adds all of them up.
    """
    losses = (_shortfall(x, target, margin) ** p).sum(axis=1) / x.shape[1]
    return _reduce(losses if weight is None else weight[target] * losses, reduction, len(x))


@checked
def multi_margin_loss_backward(grad_output, x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """Gradient of `multi_margin_loss` for x: down for each class that comes too close, up for the right one.

    grad_x[n, k] = weight[y] / K * grad_output / N * p * short**(p - 1) where short > 0, 0 elsewhere
    grad_x[n, y] = minus the sum of the others,   short = margin - x[n, y] + x[n, k]
    """
    g = _reduce_backward("multi_margin_loss", grad_output, reduction, len(x), (len(x),))
    per_row = np.ones(len(x), x.dtype) if weight is None else weight[target]
    short = _shortfall(x, target, margin)
    grad_x = (g * per_row / x.shape[1])[:, None] * (short > 0 if p == 1 else 2 * short)
    grad_x[np.arange(len(x)), target] = -grad_x.sum(axis=1)
    return (grad_x, None) if weight is None else (grad_x, None, None)


# ------------------------------------------------------------------------------------- one of K classes


def _log_softmax(x):
    """log(exp(x) / sum(exp(x))) over the classes. Moving x so that its largest is 0 changes nothing but
    the size of the exponentials, which then cannot overflow."""
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def _check_classes(name, x, target, ignore_index):
    """Class numbers lie in [0, K), except where they say that a row is to be ignored."""
    bad = target[(target != ignore_index) & ((target < 0) | (target >= x.shape[1]))]
    if bad.size:
        raise ValueError(
            f"{name}: target holds {bad[0]}; expected class numbers in [0, K) with K = {x.shape[1]} "
            f"or ignore_index = {ignore_index}"
        )


def _check_count(name, count, reduction):
    if count == 0 and reduction == "mean":
        raise ValueError(f"{name}: every target is ignored or weighs 0; expected one that counts")


def _as_probabilities(x, target, ignore_index):
    """The target as one probability per class; a row of zeros where it is to be ignored."""
    if target.dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs class numbers as target")
        return target
    _check_classes("cross_entropy", x, target, ignore_index)
    one_hot = np.expand_dims(target, 1) == np.arange(x.shape[1]).reshape(-1, *(1,) * (x.ndim - 2))
    ignored = np.expand_dims(target == ignore_index, 1)
    return (one_hot & ~ignored).astype(x.dtype)


def _weighted(x, target, weight, ignore_index, reduction, label_smoothing):
    """weight * q, with q the smoothed target, and the number by which reduction='mean' divides."""
    q = _as_probabilities(x, target, ignore_index)
    w = 1 if weight is None else weight.reshape(-1, *(1,) * (x.ndim - 2))
    if target.dtype.kind == "f":
        count = x.size / x.shape[1]
    else:
        count = (w * q).sum()  # the weights of the target classes; without weights, the rows not ignored
        _check_count("cross_entropy", count, reduction)
    if label_smoothing:
        kept = 1 if target.dtype.kind == "f" else q.sum(axis=1, keepdims=True)  # 0 where ignored
        q = (1 - label_smoothing) * q + kept * (label_smoothing / x.shape[1])
    return w * q, count


@checked(not_taught=_OLD)
def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """How surprised a prediction of one of K classes is by the answer; x holds the scores before softmax.

        loss[n] = -sum over k of weight[k] * q[n, k] * log(p[n, k]),   p = softmax(x)
        q = (1 - label_smoothing) * target + label_smoothing / K

    A class number stands for probability 1 there, so that plain cross-entropy is -log p of the right class.
    The mean divides by the sum of the rows' target weights; for probabilities, by the number of rows.
    0 * log(0) counts as 0, so that a score may be -inf where no target is (for probabilities torch's loss is
    NaN then).

    Parameters
    ----------
    x : array (N, K, ...)
    target : int array (N, ...) or array (N, K, ...)     class numbers, or a probability for each class
    weight : array (K,) or None                          one factor per class
    ignore_index : int                                   rows with this class number do not count
    reduction : {'none', 'mean', 'sum'}
    label_smoothing : float in [0, 1]

    Returns
    -------
    loss : array () or (N, ...)     (N, ...) for reduction='none'

    Raises
    ------
    ValueError
        For class numbers outside [0, K), for an ignore_index >= 0 with probabilities, and for a mean in which
        no target counts: torch's is NaN then.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens & Wojna (2016), arXiv:1512.00567, section 7 (label smoothing).
    """
    wq, count = _weighted(x, target, weight, ignore_index, reduction, label_smoothing)
    log_p = np.where(wq == 0, 0, _log_softmax(x))  # 0 * log(0) counts as 0: a score may be -inf
    return _reduce(-(wq * log_p).sum(axis=1), reduction, count)


@checked
def cross_entropy_backward(
    grad_output, x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Gradients of `cross_entropy` for x and, where it is probabilities, target.

        grad_x = (p - q) * grad_output / number of rows,   p = softmax(x)
        grad_target = -(1 - label_smoothing) * log(p) * grad_output / number of rows

    With weights w, p - q becomes p * sum(w * q) - w * q: what all classes together ask for, minus each one's
    own; and log(p) becomes w * log(p).
    """
    wq, count = _weighted(x, target, weight, ignore_index, reduction, label_smoothing)
    g = _reduce_backward("cross_entropy", grad_output, reduction, count, x.shape[:1] + x.shape[2:])
    g = np.expand_dims(g, 1) if reduction == "none" else g
    log_p = _log_softmax(x)
    grad_x = g * (np.exp(log_p) * wq.sum(axis=1, keepdims=True) - wq)
    grad_target = None
    if target.dtype.kind == "f":
        w = 1 if weight is None else weight.reshape(-1, *(1,) * (x.ndim - 2))
        grad_target = g * (label_smoothing - 1) * w * log_p
    return (grad_x, grad_target) if weight is None else (grad_x, grad_target, None)


def _picked(x, target, weight, ignore_index, reduction):
    """Each row's class, what it weighs (0 where ignored), and what reduction='mean' divides by."""
    _check_classes("nll_loss", x, target, ignore_index)
    counts = target != ignore_index
    y = np.where(counts, target, 0)
    w = counts.astype(x.dtype) if weight is None else weight[y] * counts
    count = w.sum()
    _check_count("nll_loss", count, reduction)
    return np.expand_dims(y, 1), w, count


@checked(not_taught=_OLD)
def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean"):
    """The second half of `cross_entropy`: x holds log probabilities, as `log_softmax` returns them.

        loss[n] = -weight[y] * x[n, y],   y = target[n],   0 where weight[y] is 0, even for x = -inf

    The mean divides by the sum of the rows' target weights.

    Parameters
    ----------
    x : array (N, K, ...)
    target : int array (N, ...)        class numbers
    weight : array (K,) or None        one factor per class
    ignore_index : int                 rows with this class number do not count
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (N, ...)     (N, ...) for reduction='none'

    Raises
    ------
    ValueError
        For class numbers outside [0, K), and for a mean in which no target counts: torch's is NaN then.
    """
    y, w, count = _picked(x, target, weight, ignore_index, reduction)
    log_p = np.take_along_axis(x, y, axis=1)[:, 0]
    return _reduce(np.where(w == 0, 0, -w * log_p), reduction, count)


@checked
def nll_loss_backward(grad_output, x, target, weight=None, ignore_index=-100, reduction="mean"):
    """Gradient of `nll_loss` for x: only the right class hears of it.

    grad_x[n, y] = -weight[y] * grad_output / sum of the weights,   0 elsewhere
    """
    y, w, count = _picked(x, target, weight, ignore_index, reduction)
    g = _reduce_backward("nll_loss", grad_output, reduction, count, target.shape)
    grad_x = np.zeros_like(x)
    np.put_along_axis(grad_x, y, np.expand_dims(-w * g, 1), axis=1)
    return (grad_x, None) if weight is None else (grad_x, None, None)


def _positive(target):
    """Probabilities of which a logarithm can be taken: 1 for 0, since 0 * log(0) counts as 0."""
    if (target < 0).any():
        raise ValueError(f"kl_div: target is as low as {target.min()}; expected probabilities >= 0")
    return np.where(target > 0, target, 1)


@checked(not_taught=_OLD)
def kl_div(x, target, reduction="mean", log_target=False):
    """How much the distribution exp(x) wastes where target is the true one; x holds log probabilities.

        loss = target * (log(target) - x),   0 where target is 0

    Only 'batchmean', the sum divided by the number of rows, is the Kullback-Leibler divergence of
    distributions that lie along the other axes; 'mean' divides by the number of elements as well.

    Parameters
    ----------
    x : array (N, ...)
    target : array (N, ...)                             probabilities, or with log_target their logarithms
    reduction : {'none', 'batchmean', 'mean', 'sum'}
    log_target : bool

    Returns
    -------
    loss : array () or (N, ...)     (N, ...) for reduction='none'

    Raises
    ------
    ValueError
        For a target below 0, unless it holds logarithms.
    """
    if log_target:
        losses = np.exp(target) * (target - x)
    else:
        losses = target * np.log(_positive(target)) - target * x
    return _reduce(losses, reduction, len(x) if reduction == "batchmean" else x.size)


@checked
def kl_div_backward(grad_output, x, target, reduction="mean", log_target=False):
    """Gradients of `kl_div` for x and target, divided by N for 'batchmean' and by all elements for 'mean'.

        grad_x = -target * grad_output,   grad_target = (log(target) + 1 - x) * grad_output

    With log_target, exp(target) stands for target, and multiplies grad_target. A target of 0 has no finite
    slope; its gradient is given as 0 (torch's is NaN).
    """
    count = len(x) if reduction == "batchmean" else x.size
    g = _reduce_backward("kl_div", grad_output, reduction, count, x.shape)
    if log_target:
        q = np.exp(target)
        return -g * q, g * q * (target + 1 - x)
    return -g * target, g * np.where(target > 0, np.log(_positive(target)) + 1 - x, 0)
