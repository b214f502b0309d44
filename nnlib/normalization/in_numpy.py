"""The reference: every normalization is one formula over a different set of axes.

`_normalize` subtracts the mean and divides by the standard deviation over `axes`; batch, layer, group and
instance norm choose the axes and add a scale and a shift.
"""

import numpy as np

from nnlib.core import checked

no_gradient = {
    "feature_statistics": "it is computed once, from the training part, before any training",
    "feature_range": "it is computed once, from the training part, before any training",
    "batch_norm_running": "running statistics are bookkeeping; no gradient flows through them",
}
constants = {
    "batch_norm_eval": ("running_mean", "running_var"),  # measured, not learned: torch gives them no gradient
    "standardize": ("mean", "std"),
    "min_max": ("low", "high"),
}


# ---------------------------------------------------------------------------------------- input scaling


@checked
def feature_statistics(x):
    """Mean and standard deviation of each feature, to be taken from the training part only.

        mean = sum(x) / N,   std = sqrt(sum((x - mean)**2) / N),   1 where a feature never changes

    Parameters
    ----------
    x : array (N, D) finite

    Returns
    -------
    mean : array (D,)
    std : array (D,)
    """
    low, high = x.min(axis=0), x.max(axis=0)  # rounding can leave a constant feature a std above 0
    return x.mean(axis=0), np.where(low == high, x.dtype.type(1), x.std(axis=0))


@checked
def standardize(x, mean, std):
    """Move each feature to mean 0 and scale it to standard deviation 1.

        y = (x - mean) / std

    Parameters
    ----------
    x : array (N, D)
    mean : array (D,)
    std : array (D,) > 0

    Returns
    -------
    y : array (N, D)

    References
    ----------
    LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.3.
    """
    return (x - mean) / std


@checked
def standardize_backward(grad_output, x, mean, std):
    """Gradient of `standardize` for x; mean and std are constants measured beforehand.

    grad_x = grad_output / std
    """
    return grad_output / std, None, None


@checked
def feature_range(x):
    """Smallest and largest value of each feature, to be taken from the training part only.

        low = min(x),   high = max(x),   low + max(1, |low|) where a feature never changes

    Parameters
    ----------
    x : array (N, D) finite

    Returns
    -------
    low : array (D,)
    high : array (D,)
    """
    low, high = x.min(axis=0), x.max(axis=0)
    return low, np.where(high == low, low + np.maximum(1, np.abs(low)), high)


@checked
def min_max(x, low, high):
    """Map each feature linearly so that low becomes 0 and high becomes 1.

        y = (x - low) / (high - low)

    Parameters
    ----------
    x : array (N, D)
    low, high : array (D,)

    Returns
    -------
    y : array (N, D)
    """
    return (x - low) / _span(low, high)


@checked
def min_max_backward(grad_output, x, low, high):
    """Gradient of `min_max` for x; low and high are constants measured beforehand.

    grad_x = grad_output / (high - low)
    """
    return grad_output / _span(low, high), None, None


def _span(low, high):
    if not (high > low).all():
        raise ValueError(f"min_max: high - low is {(high - low).min()} somewhere; expected high > low")
    return high - low


# ------------------------------------------------------------------------------------ the one formula


def _normalize(x, axes, eps):
    """x_hat = (x - mean) * rstd,   rstd = 1 / sqrt(var + eps),   both over `axes`."""
    centered = x - x.mean(axis=axes, keepdims=True)
    rstd = 1 / np.sqrt((centered * centered).mean(axis=axes, keepdims=True) + eps)
    return centered * rstd, rstd


def _normalize_backward(g, x_hat, rstd, axes):
    """grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat))

    The two means are what mean and variance send back: x moves them, and they move every output.
    """
    mean_g = g.mean(axis=axes, keepdims=True)
    mean_gx = (g * x_hat).mean(axis=axes, keepdims=True)
    return rstd * (g - mean_g - x_hat * mean_gx)


def _affine(x_hat, weight, bias, shape):
    """y = weight * x_hat + bias, with weight and bias seen as `shape`; None means 1 and 0."""
    y = x_hat if weight is None else weight.reshape(shape) * x_hat
    return y if bias is None else y + bias.reshape(shape)


def _affine_backward(grad_output, x_hat, weight, bias, shape):
    """grad_x_hat = weight * grad_output, grad_weight = sum(grad_output * x_hat), grad_bias = sum(grad_output)

    Both sums run over the axes along which weight and bias were repeated: those of size 1 in `shape`.
    """
    repeated = tuple(i for i, size in enumerate(shape) if size == 1)
    grad_x_hat = grad_output if weight is None else weight.reshape(shape) * grad_output
    grad_weight = None if weight is None else (grad_output * x_hat).sum(axis=repeated).reshape(weight.shape)
    grad_bias = None if bias is None else grad_output.sum(axis=repeated).reshape(bias.shape)
    return grad_x_hat, grad_weight, grad_bias


def _per_channel(x):
    """The shape in which a vector of C numbers meets x (N, C, ...): (1, C, 1, ...)."""
    return (1, x.shape[1]) + (1,) * (x.ndim - 2)


# ----------------------------------------------------------------------------------------- batch norm


@checked
def batch_norm(x, weight=None, bias=None, eps=1e-5):
    """Normalize each channel over the batch (and over positions), then scale and shift: training.

        y = weight * (x - mean) / sqrt(var + eps) + bias

    Parameters
    ----------
    x : array (N, C, ...)
    weight, bias : array (C,) or None      gamma and beta in the paper
    eps : float > 0

    Returns
    -------
    y : array (N, C, ...)

    Raises
    ------
    ValueError
        With a single value per channel: its variance is 0 and its output always `bias`.

    References
    ----------
    Ioffe & Szegedy (2015), arXiv:1502.03167, Algorithm 1.
    """
    _more_than_one(x)
    x_hat, _ = _normalize(x, _all_but_channel(x), eps)
    return _affine(x_hat, weight, bias, _per_channel(x))


@checked
def batch_norm_backward(grad_output, x, weight=None, bias=None, eps=1e-5):
    """Gradients of `batch_norm` for x, weight and bias.

        grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat)),   g = weight * grad_output
        grad_weight = sum(grad_output * x_hat),   grad_bias = sum(grad_output)

    References
    ----------
    Ioffe & Szegedy (2015), arXiv:1502.03167, section 3.
    """
    _more_than_one(x)
    axes = _all_but_channel(x)
    x_hat, rstd = _normalize(x, axes, eps)
    g, grad_weight, grad_bias = _affine_backward(grad_output, x_hat, weight, bias, _per_channel(x))
    return _drop_absent(_normalize_backward(g, x_hat, rstd, axes), weight, grad_weight, bias, grad_bias)


def _all_but_channel(x):
    return (0, *range(2, x.ndim))


def _more_than_one(x):
    if x.size == x.shape[1]:
        raise ValueError(f"batch_norm: x has shape {x.shape}; expected more than one value per channel")


def _drop_absent(grad_x, weight, grad_weight, bias, grad_bias):
    """One gradient per array that was given, in order."""
    grads = (grad_x, *(g for p, g in ((weight, grad_weight), (bias, grad_bias)) if p is not None))
    return grads if len(grads) > 1 else grad_x


@checked
def batch_norm_running(x, running_mean, running_var, momentum=0.1):
    """Move the running statistics a little towards those of this batch.

        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var  = (1 - momentum) * running_var  + momentum * var * n / (n - 1)

    `momentum` is the weight of the *new* batch, and the variance stored is the unbiased one, although
    training divides by the biased one. Both are torch's conventions. n counts the values per channel.

    Parameters
    ----------
    x : array (N, C, ...)
    running_mean, running_var : array (C,)
    momentum : float in [0, 1]

    Returns
    -------
    running_mean, running_var : array (C,)

    References
    ----------
    Ioffe & Szegedy (2015), arXiv:1502.03167, section 3.1 and Algorithm 2.
    """
    _more_than_one(x)
    axes = _all_but_channel(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes, ddof=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


@checked
def batch_norm_eval(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    """Batch norm in use: normalize with the running statistics, so that no row depends on another.

        y = weight * (x - running_mean) / sqrt(running_var + eps) + bias

    Parameters
    ----------
    x : array (N, C, ...)
    running_mean : array (C,)
    running_var : array (C,) >= 0
    weight, bias : array (C,) or None
    eps : float > 0

    Returns
    -------
    y : array (N, C, ...)

    References
    ----------
    Ioffe & Szegedy (2015), arXiv:1502.03167, Algorithm 2.
    """
    shape = _per_channel(x)
    x_hat = (x - running_mean.reshape(shape)) / np.sqrt(running_var.reshape(shape) + eps)
    return _affine(x_hat, weight, bias, shape)


@checked
def batch_norm_eval_backward(grad_output, x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    """Gradients of `batch_norm_eval`: a fixed affine map, so the two mean terms are gone.

    grad_x = weight * grad_output / sqrt(running_var + eps)
    """
    shape = _per_channel(x)
    rstd = 1 / np.sqrt(running_var.reshape(shape) + eps)
    x_hat = (x - running_mean.reshape(shape)) * rstd
    g, grad_weight, grad_bias = _affine_backward(grad_output, x_hat, weight, bias, shape)
    learned = ((weight, grad_weight), (bias, grad_bias))
    return (g * rstd, None, None, *(grad for param, grad in learned if param is not None))


# ------------------------------------------------------------------- layer, group, instance, RMS norm


@checked
def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalize each sample over its own last axes, then scale and shift every element by itself.

        y = weight * (x - mean) / sqrt(var + eps) + bias

    Parameters
    ----------
    x : array (..., *normalized_shape)
    normalized_shape : sizes      the sizes of the last axes, over which to average
    weight, bias : array (*normalized_shape) or None
    eps : float > 0

    Returns
    -------
    y : array (..., *normalized_shape)

    References
    ----------
    Ba, Kiros & Hinton (2016), arXiv:1607.06450, equations 3 and 4.
    """
    axes = _last_axes(x, normalized_shape)
    x_hat, _ = _normalize(x, axes, eps)
    return _affine(x_hat, weight, bias, _as_last(x, axes))


@checked
def layer_norm_backward(grad_output, x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Gradients of `layer_norm` for x, weight and bias: batch norm's formula over the other axes.

    grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat)),   g = weight * grad_output
    """
    axes = _last_axes(x, normalized_shape)
    x_hat, rstd = _normalize(x, axes, eps)
    g, grad_weight, grad_bias = _affine_backward(grad_output, x_hat, weight, bias, _as_last(x, axes))
    return _drop_absent(_normalize_backward(g, x_hat, rstd, axes), weight, grad_weight, bias, grad_bias)


def _last_axes(x, normalized_shape):
    return tuple(range(x.ndim - np.size(normalized_shape), x.ndim))


def _as_last(x, axes):
    return tuple(size if i in axes else 1 for i, size in enumerate(x.shape))


@checked
def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalize each sample over groups of neighboring channels, then scale and shift each channel.

        y = weight * (x - mean) / sqrt(var + eps) + bias

    One group is layer norm over all channels, C groups are instance norm.

    Parameters
    ----------
    x : array (N, C, ...)
    num_groups : int in [1, C]      it must divide C
    weight, bias : array (C,) or None
    eps : float > 0

    Returns
    -------
    y : array (N, C, ...)

    Raises
    ------
    ValueError
        With a single sample of one value per group: its output is always `bias`.

    References
    ----------
    Wu & He (2018), arXiv:1803.08494, equations 1, 6 and 7.
    """
    x_hat, _ = _normalize(_grouped(x, num_groups), 2, eps)
    return _affine(x_hat.reshape(x.shape), weight, bias, _per_channel(x))


@checked
def group_norm_backward(grad_output, x, num_groups, weight=None, bias=None, eps=1e-5):
    """Gradients of `group_norm` for x, weight and bias: the same formula, group by group.

    grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat)),   g = weight * grad_output
    """
    x_hat, rstd = _normalize(_grouped(x, num_groups), 2, eps)
    g, grad_weight, grad_bias = _affine_backward(
        grad_output, x_hat.reshape(x.shape), weight, bias, _per_channel(x)
    )
    grad_x = _normalize_backward(g.reshape(x_hat.shape), x_hat, rstd, 2).reshape(x.shape)
    return _drop_absent(grad_x, weight, grad_weight, bias, grad_bias)


def _grouped(x, num_groups):
    """View x (N, C, ...) as (N, num_groups, values per group)."""
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: num_groups is {num_groups}; expected a divisor of C = {x.shape[1]}")
    if x.size == num_groups:
        raise ValueError(f"group_norm: x has shape {x.shape}; expected more than one value per group")
    return x.reshape(x.shape[0], num_groups, -1)


@checked(not_taught={"running_mean": None, "running_var": None, "use_input_stats": True, "momentum": 0.1})
def instance_norm(x, weight=None, bias=None, eps=1e-5):
    """Normalize each channel of each sample over its positions, then scale and shift each channel.

        y = weight * (x - mean) / sqrt(var + eps) + bias

    Parameters
    ----------
    x : array (N, C, L, ...)
    weight, bias : array (C,) or None
    eps : float > 0

    Returns
    -------
    y : array (N, C, L, ...)

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky (2016), arXiv:1607.08022, section 2.
    """
    _more_than_one_position(x)
    x_hat, _ = _normalize(x, tuple(range(2, x.ndim)), eps)
    return _affine(x_hat, weight, bias, _per_channel(x))


@checked
def instance_norm_backward(grad_output, x, weight=None, bias=None, eps=1e-5):
    """Gradients of `instance_norm` for x, weight and bias: the same formula over positions only.

    grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat)),   g = weight * grad_output
    """
    _more_than_one_position(x)
    axes = tuple(range(2, x.ndim))
    x_hat, rstd = _normalize(x, axes, eps)
    g, grad_weight, grad_bias = _affine_backward(grad_output, x_hat, weight, bias, _per_channel(x))
    return _drop_absent(_normalize_backward(g, x_hat, rstd, axes), weight, grad_weight, bias, grad_bias)


def _more_than_one_position(x):
    if x[0, 0].size == 1:
        raise ValueError(f"instance_norm: x has shape {x.shape}; expected more than one position per channel")


@checked
def rms_norm(x, normalized_shape, weight=None, eps=None):
    """Divide each sample by its root mean square; no mean is subtracted, nothing is shifted.

        y = weight * x / sqrt(mean(x**2) + eps)

    Parameters
    ----------
    x : array (..., *normalized_shape)
    normalized_shape : sizes      the sizes of the last axes, over which to average
    weight : array (*normalized_shape) or None
    eps : float > 0 or None     None is the machine epsilon of x, as in torch

    Returns
    -------
    y : array (..., *normalized_shape)

    References
    ----------
    Zhang & Sennrich (2019), arXiv:1910.07467, equation 4.
    """
    axes = _last_axes(x, normalized_shape)
    return _affine(x * _reciprocal_rms(x, axes, eps), weight, None, _as_last(x, axes))


@checked
def rms_norm_backward(grad_output, x, normalized_shape, weight=None, eps=None):
    """Gradients of `rms_norm` for x and weight: without a mean, one of the two correction terms is gone.

    grad_x = rrms * (g - x_hat * mean(g * x_hat)),   g = weight * grad_output
    """
    axes = _last_axes(x, normalized_shape)
    rrms = _reciprocal_rms(x, axes, eps)
    x_hat = x * rrms
    g, grad_weight, _ = _affine_backward(grad_output, x_hat, weight, None, _as_last(x, axes))
    grad_x = rrms * (g - x_hat * (g * x_hat).mean(axis=axes, keepdims=True))
    return grad_x if weight is None else (grad_x, grad_weight)


def _reciprocal_rms(x, axes, eps):
    eps = np.finfo(x.dtype).eps if eps is None else eps
    return 1 / np.sqrt((x * x).mean(axis=axes, keepdims=True) + eps)


# ----------------------------------------------------------------------------------- weight normalization


@checked(not_taught={"dim": 0})
def weight_norm(v, g):
    """Split a weight matrix into directions v and lengths g, one per output unit.

        w = g * v / ||v||

    Parameters
    ----------
    v : array (O, D)
    g : array (O, 1)

    Returns
    -------
    w : array (O, D)

    References
    ----------
    Salimans & Kingma (2016), arXiv:1602.07868, equation 2.
    """
    return g * v / np.sqrt((v * v).sum(axis=1, keepdims=True))


@checked
def weight_norm_backward(grad_output, v, g):
    """Gradients of `weight_norm`: the length takes the part along v, the direction the part across it.

        grad_g = sum(grad_output * u),   grad_v = g / ||v|| * (grad_output - grad_g * u),   u = v / ||v||

    References
    ----------
    Salimans & Kingma (2016), arXiv:1602.07868, equation 3.
    """
    norm = np.sqrt((v * v).sum(axis=1, keepdims=True))
    u = v / norm
    grad_g = (grad_output * u).sum(axis=1, keepdims=True)
    return g / norm * (grad_output - grad_g * u), grad_g
