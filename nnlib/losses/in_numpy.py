"""The reference: each loss per element or row first, then `reduction` makes one number of them."""

import numpy as np

from nnlib.core import checked

constants = {  # chosen, not learned: torch gives them no gradient
    "cross_entropy": ("weight",),
    "binary_cross_entropy_with_logits": ("weight", "pos_weight"),
}


# ------------------------------------------------------------------------------------------- reduction


def _reduce(losses, reduction, count):
    """All losses, their sum, or their sum divided by `count`."""
    if reduction == "none":
        return losses
    return losses.sum() / count if reduction == "mean" else losses.sum()


def _reduce_backward(grad_output, reduction, count, shape):
    """What reaches each single loss."""
    expected = shape if reduction == "none" else ()
    if np.shape(grad_output) != expected:
        came = np.shape(grad_output)
        raise ValueError(f"grad_output has shape {came}; expected {expected} for reduction={reduction!r}")
    return grad_output / count if reduction == "mean" else grad_output


# ----------------------------------------------------------------------------------------- regression


@checked(not_taught={"size_average": None, "reduce": None, "weight": None})
def mse_loss(x, target, reduction="mean"):
    """Squared error: four times the loss for twice the distance.

        loss = (x - target)**2, then the mean over all elements

    Parameters
    ----------
    x, target : array (...)
    reduction : {'none', 'mean', 'sum'}

    Returns
    -------
    loss : array () or (...)     (...) for reduction='none'
    """
    difference = x - target
    return _reduce(difference * difference, reduction, x.size)


@checked
def mse_loss_backward(grad_output, x, target, reduction="mean"):
    """Gradients of `mse_loss` for x and target: proportional to the distance.

    grad_x = 2 * (x - target) * grad_output / number of elements,   grad_target = -grad_x
    """
    grad_x = 2 * (x - target) * _reduce_backward(grad_output, reduction, x.size, x.shape)
    return grad_x, -grad_x


# --------------------------------------------------------------------------------------- yes or no


def _softplus(x):
    """log(1 + exp(x)), by an exponential that cannot overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x):
    """1 / (1 + exp(-x)), by an exponential that cannot overflow."""
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(z), z) / (1 + z)


@checked(not_taught={"size_average": None, "reduce": None})
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

    The general form splits p - target into (1 - target) * p - pos_weight * target * (1 - p). It does not
    vanish while the answer is wrong, however certain p is: why the sigmoid belongs inside the loss.
    """
    g = _reduce_backward(grad_output, reduction, x.size, x.shape)
    g = g if weight is None else weight * g
    factor = 1 if pos_weight is None else pos_weight
    grad_x = g * ((1 - target) * _sigmoid(x) - factor * target * _sigmoid(-x))
    grad_target = g * (factor * _softplus(-x) - _softplus(x))
    absent = (None,) * sum(constant is not None for constant in (weight, pos_weight))
    return grad_x, grad_target, *absent


# ------------------------------------------------------------------------------------- one of K classes


def _log_softmax(x):
    """log(exp(x) / sum(exp(x))) over the classes. Moving x so that its largest is 0 changes nothing but
    the size of the exponentials, which then cannot overflow."""
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def _as_probabilities(x, target, ignore_index):
    """The target as one probability per class; a row of zeros where it is to be ignored."""
    classes = x.shape[1]
    if target.dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs class numbers as target")
        return target
    bad = target[(target != ignore_index) & ((target < 0) | (target >= classes))]
    if bad.size:
        raise ValueError(
            f"cross_entropy: target holds {bad[0]}; expected class numbers in [0, K) with K = {classes} "
            f"or ignore_index = {ignore_index}"
        )
    one_hot = np.expand_dims(target, 1) == np.arange(classes).reshape(-1, *(1,) * (x.ndim - 2))
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
        if count == 0 and reduction == "mean":
            raise ValueError("cross_entropy: every target is ignored or weighs 0; expected one that counts")
    if label_smoothing:
        kept = 1 if target.dtype.kind == "f" else q.sum(axis=1, keepdims=True)  # 0 where ignored
        q = (1 - label_smoothing) * q + kept * (label_smoothing / x.shape[1])
    return w * q, count


@checked(not_taught={"size_average": None, "reduce": None})
def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """How surprised a prediction of one of K classes is by the answer; x holds the scores before softmax.

        loss[n] = -sum over k of weight[k] * q[n, k] * log(p[n, k]),   p = softmax(x)
        q = (1 - label_smoothing) * target + label_smoothing / K

    A class number stands for probability 1 there, so that plain cross-entropy is -log p of the right class.
    The mean divides by the sum of the rows' target weights; for probabilities, by the number of rows.

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
        For class numbers outside [0, K), and for a mean in which no target counts: torch's is NaN then.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens & Wojna (2016), arXiv:1512.00567, section 7 (label smoothing).
    """
    wq, count = _weighted(x, target, weight, ignore_index, reduction, label_smoothing)
    return _reduce(-(wq * _log_softmax(x)).sum(axis=1), reduction, count)


@checked
def cross_entropy_backward(
    grad_output, x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Gradients of `cross_entropy` for x and, where it is probabilities, target.

        grad_x = (p - q) * grad_output / number of rows,   p = softmax(x)

    With weights w it is p * sum(w * q) - w * q: what all classes together ask for, minus each one's own.
    """
    wq, count = _weighted(x, target, weight, ignore_index, reduction, label_smoothing)
    g = _reduce_backward(grad_output, reduction, count, x.shape[:1] + x.shape[2:])
    g = np.expand_dims(g, 1) if reduction == "none" else g
    log_p = _log_softmax(x)
    grad_x = g * (np.exp(log_p) * wq.sum(axis=1, keepdims=True) - wq)
    grad_target = None
    if target.dtype.kind == "f":
        w = 1 if weight is None else weight.reshape(-1, *(1,) * (x.ndim - 2))
        grad_target = g * (label_smoothing - 1) * w * log_p
    return (grad_x, grad_target) if weight is None else (grad_x, grad_target, None)
