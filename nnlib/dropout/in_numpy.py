"""The reference: a mask says what stays, and what stays is scaled so that the expected value stays too.

Every function takes its mask as an argument, True where a value is kept, drawn for example by

    mask = rng.random(x.shape) >= p

so that it is a pure function with a gradient. What differs is what one entry of the mask stands for: a value,
a channel, a sample's whole branch or a weight.
"""

from nnlib.core import checked

SELU_FLOOR = 1.0507009873554805 * 1.6732632423543772  # minus the lowest value that SELU takes


# ------------------------------------------------------------------------------------------ multiplying


def _factor(x, mask, p):
    """mask / (1 - p) in the dtype and with the axes of x: 0 where dropped; all 0 for p = 1."""
    kept = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).astype(x.dtype)
    return kept / (1 - p) if p < 1 else 0 * kept


def _drop(x, mask, p, training):
    return x * _factor(x, mask, p) if training else x.copy()


def _drop_backward(grad_output, x, mask, p, training):
    """The map is linear and diagonal: the gradient is multiplied by the same factors."""
    return (grad_output * _factor(x, mask, p) if training else grad_output.copy()), None


@checked(not_taught={"inplace": False})
def dropout(x, mask, p=0.5, training=True):
    """Set each value to 0 with probability p and scale the others, so that the expected value is x.

        y = x * mask / (1 - p)   in training,      y = x   otherwise

    This is *inverted* dropout: nothing is left to do in use. For p = 1 everything is 0.

    Parameters
    ----------
    x : array (...)
    mask : bool array (...)      True: kept, which has probability 1 - p
    p : float in [0, 1]          the probability to be dropped
    training : bool

    Returns
    -------
    y : array (...)

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), JMLR 15, 1929-1958, section 4.
    """
    return _drop(x, mask, p, training)


@checked
def dropout_backward(grad_output, x, mask, p=0.5, training=True):
    """Gradient of `dropout` for x: what was dropped learns nothing from this sample in this step.

    grad_x = grad_output * mask / (1 - p)   in training,      grad_x = grad_output   otherwise
    """
    return _drop_backward(grad_output, x, mask, p, training)


@checked(not_taught={"inplace": False})
def dropout1d(x, mask, p=0.5, training=True):
    """Drop whole channels of sequences: neighbors in a channel are too alike to replace each other.

        y[n, c] = x[n, c] * mask[n, c] / (1 - p)   in training,      y = x   otherwise

    Parameters
    ----------
    x : array (N, C, L)
    mask : bool array (N, C)     True: kept
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (N, C, L)

    References
    ----------
    Tompson, Goroshin, Jain, LeCun & Bregler (2015), arXiv:1411.4280.
    """
    return _drop(x, mask, p, training)


@checked
def dropout1d_backward(grad_output, x, mask, p=0.5, training=True):
    """Gradient of `dropout1d` for x.

    grad_x[n, c] = grad_output[n, c] * mask[n, c] / (1 - p)   in training
    """
    return _drop_backward(grad_output, x, mask, p, training)


@checked(not_taught={"inplace": False})
def dropout2d(x, mask, p=0.5, training=True):
    """Drop whole channels of images.

        y[n, c] = x[n, c] * mask[n, c] / (1 - p)   in training,      y = x   otherwise

    Parameters
    ----------
    x : array (N, C, H, W)
    mask : bool array (N, C)     True: kept
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (N, C, H, W)

    References
    ----------
    Tompson, Goroshin, Jain, LeCun & Bregler (2015), arXiv:1411.4280.
    """
    return _drop(x, mask, p, training)


@checked
def dropout2d_backward(grad_output, x, mask, p=0.5, training=True):
    """Gradient of `dropout2d` for x.

    grad_x[n, c] = grad_output[n, c] * mask[n, c] / (1 - p)   in training
    """
    return _drop_backward(grad_output, x, mask, p, training)


@checked
def stochastic_depth(x, mask, p, training=True):
    """Drop a residual branch, sample by sample; only the shortcut around it is left. Also called drop path.

        y[n] = x[n] * mask[n] / (1 - p)   in training,      y = x   otherwise

    It is applied to the branch: `shortcut + stochastic_depth(branch, mask, p)`.

    Parameters
    ----------
    x : array (N, ...)           the output of the branch
    mask : bool array (N,)       True: this sample takes the branch
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (N, ...)

    References
    ----------
    Huang, Sun, Liu, Sedra & Weinberger (2016), arXiv:1603.09382, where a whole batch shares one
    draw, and the branch is scaled by 1 - p in use instead of by 1 / (1 - p) in training.
    """
    return _drop(x, mask, p, training)


@checked
def stochastic_depth_backward(grad_output, x, mask, p, training=True):
    """Gradient of `stochastic_depth` for the branch.

    grad_x[n] = grad_output[n] * mask[n] / (1 - p)   in training
    """
    return _drop_backward(grad_output, x, mask, p, training)


@checked
def dropconnect(x, weight, bias, mask, p=0.5, training=True):
    """A linear layer in which single weights are dropped instead of units.

        y = x @ (weight * mask / (1 - p)).T + bias   in training,      y = x @ weight.T + bias   otherwise

    Here a batch shares one mask. The paper draws one for every sample and, in use, approximates the mean
    over masks by sampling instead of taking all weights.

    Parameters
    ----------
    x : array (N, D)
    weight : array (O, D)
    bias : array (O,) or None
    mask : bool array (O, D)     True: kept
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (N, O)

    References
    ----------
    Wan, Zeiler, Zhang, LeCun & Fergus (2013), Regularization of neural networks using DropConnect, ICML.
    """
    y = x @ _drop(weight, mask, p, training).T
    return y if bias is None else y + bias


@checked
def dropconnect_backward(grad_output, x, weight, bias, mask, p=0.5, training=True):
    """Gradients of `dropconnect` for x, weight and bias.

    grad_x = grad_output @ kept,   grad_weight = (grad_output.T @ x) * mask / (1 - p),
    grad_bias = sum(grad_output),   kept = weight * mask / (1 - p)
    """
    grad_x = grad_output @ _drop(weight, mask, p, training)
    grad_weight = _drop(grad_output.T @ x, mask, p, training)
    return (grad_x, grad_weight, *([] if bias is None else [grad_output.sum(axis=0)]), None)


# ------------------------------------------------------------------------------- for SELU: mean and variance


def _alpha_factors(p):
    """The scale a and the shift b that bring mean 0 and variance 1 back after dropping to -SELU_FLOOR.

        mean = -floor p,   var = (1 - p) (1 + floor**2 p),   a = 1 / sqrt(var),   b = -a mean

    For p = 1 nothing is left that could be scaled: a = b = 0, as in torch.
    """
    a = 0.0 if p == 1 else ((1 - p) * (1 + SELU_FLOOR**2 * p)) ** -0.5
    return a, a * SELU_FLOOR * p


def _alpha_drop(x, mask, p, training):
    if not training:
        return x.copy()
    a, b = _alpha_factors(p)
    kept = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).astype(x.dtype)
    return a * (x * kept - SELU_FLOOR * (1 - kept)) + b


def _alpha_drop_backward(grad_output, x, mask, p, training):
    if not training:
        return grad_output.copy(), None
    kept = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).astype(x.dtype)
    return _alpha_factors(p)[0] * grad_output * kept, None


@checked(not_taught={"inplace": False})
def alpha_dropout(x, mask, p=0.5, training=True):
    """Dropout for SELU networks: drop to SELU's lowest value, then restore mean 0 and variance 1.

        y = a * (mask * x - (1 - mask) * floor) + b   in training,      y = x   otherwise
        floor = 1.7581,   a = 1 / sqrt((1 - p) * (1 + floor**2 * p)),   b = a * floor * p

    With x of mean 0 and variance 1 the result has mean 0 and variance 1, over values and masks.

    Parameters
    ----------
    x : array (...)
    mask : bool array (...)      True: kept
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (...)

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter (2017), arXiv:1706.02515.
    """
    return _alpha_drop(x, mask, p, training)


@checked
def alpha_dropout_backward(grad_output, x, mask, p=0.5, training=True):
    """Gradient of `alpha_dropout` for x: the floor is a constant.

    grad_x = a * mask * grad_output   in training,      grad_x = grad_output   otherwise
    """
    return _alpha_drop_backward(grad_output, x, mask, p, training)


@checked(not_taught={"inplace": False})
def feature_alpha_dropout(x, mask, p=0.5, training=True):
    """Alpha dropout of whole channels.

        y[n, c] = a * (mask[n, c] * x[n, c] - (1 - mask[n, c]) * floor) + b   in training

    Parameters
    ----------
    x : array (N, C, ...)
    mask : bool array (N, C)     True: kept
    p : float in [0, 1]
    training : bool

    Returns
    -------
    y : array (N, C, ...)

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter (2017), arXiv:1706.02515.
    """
    return _alpha_drop(x, mask, p, training)


@checked
def feature_alpha_dropout_backward(grad_output, x, mask, p=0.5, training=True):
    """Gradient of `feature_alpha_dropout` for x.

    grad_x[n, c] = a * mask[n, c] * grad_output[n, c]   in training
    """
    return _alpha_drop_backward(grad_output, x, mask, p, training)
