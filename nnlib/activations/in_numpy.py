"""The reference: an activation bends each number for itself, so its backward is one derivative per number.

Softmax and log-softmax are the exceptions: there the numbers along one axis compete, and each output depends
on all of them.
"""

import math

import numpy as np

from nnlib.core import checked

# No derivative there. We take torch's: the slope on the left, and for hardtanh the 0 from beyond the ends.
kinks = {"relu": (0.0,), "leaky_relu": (0.0,), "elu": (0.0,), "hardtanh": (-1.0, 1.0)}

# --------------------------------------------------------------------------------------------- S-shaped


@checked
def sigmoid(x):
    """Squash every number into (0, 1): a probability from a score.

        y = 1 / (1 + exp(-x))

    exp(-x) overflows for x = -1000. exp(-|x|) never does, and multiplying numerator and denominator by
    exp(x) turns the formula into z / (1 + z) for negative x.

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)
    """
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(z), z) / (1 + z)


@checked
def sigmoid_backward(grad_output, x):
    """Gradient of `sigmoid`: at most 1/4, and nearly 0 wherever the output is close to 0 or 1.

    grad_x = grad_output * y * (1 - y)
    """
    y = sigmoid.unchecked(x)
    return grad_output * y * (1 - y)


@checked
def tanh(x):
    """Squash every number into (-1, 1), with 0 staying 0.

        y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)
    """
    return np.tanh(x)


@checked
def tanh_backward(grad_output, x):
    """Gradient of `tanh`: 1 at x = 0, nearly 0 wherever the output is close to -1 or 1.

    grad_x = grad_output * (1 - y**2)
    """
    y = np.tanh(x)
    return grad_output * (1 - y * y)


@checked(not_taught={"inplace": False})
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """A tanh made of three straight pieces: the number itself, cut off at both ends.

        y = min(max(x, min_val), max_val)

    Parameters
    ----------
    x : array (...)
    min_val : float
    max_val : float

    Returns
    -------
    y : array (...)

    Raises
    ------
    ValueError
        With min_val > max_val.
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val}, max_val {max_val}; expected min_val <= max_val")
    return np.clip(x, min_val, max_val)


@checked
def hardtanh_backward(grad_output, x, min_val=-1.0, max_val=1.0):
    """Gradient of `hardtanh`: all of it between the ends, none at or beyond them.

    grad_x = grad_output where min_val < x < max_val, 0 elsewhere
    """
    return np.where((x > min_val) & (x < max_val), grad_output, 0)


# -------------------------------------------------------------------------------------------- rectifiers


@checked(not_taught={"inplace": False})
def relu(x):
    """Keep what is positive, replace the rest by 0.

        y = max(x, 0)

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)

    References
    ----------
    Glorot, Bordes & Bengio (2011), Deep sparse rectifier neural networks, AISTATS.
    """
    return np.maximum(x, 0)


@checked
def relu_backward(grad_output, x):
    """Gradient of `relu`: none of it where x is negative or 0, all of it elsewhere.

    grad_x = 0 where x <= 0, grad_output elsewhere
    """
    return np.where(x <= 0, 0, grad_output)  # a choice, not a product: infinity times 0 is NaN


@checked(not_taught={"inplace": False})
def leaky_relu(x, negative_slope=0.01):
    """Keep what is positive, shrink the rest, so that no unit ever goes completely silent.

        y = x where x > 0, negative_slope * x elsewhere

    Parameters
    ----------
    x : array (...)
    negative_slope : float

    Returns
    -------
    y : array (...)

    References
    ----------
    Maas, Hannun & Ng (2013), Rectifier nonlinearities improve neural network acoustic models.
    """
    return np.where(x > 0, x, negative_slope * x)


@checked
def leaky_relu_backward(grad_output, x, negative_slope=0.01):
    """Gradient of `leaky_relu`.

    grad_x = grad_output where x > 0, negative_slope * grad_output elsewhere
    """
    return np.where(x > 0, grad_output, negative_slope * grad_output)


@checked(not_taught={"inplace": False})
def elu(x, alpha=1.0):
    """Keep what is positive; let the rest run smoothly down to -alpha.

        y = x where x > 0, alpha * (exp(x) - 1) elsewhere

    exp(x) would overflow on the side where it is not wanted, so it gets min(x, 0). expm1 keeps the digits
    that exp(x) - 1 loses near 0.

    Parameters
    ----------
    x : array (...)
    alpha : float

    Returns
    -------
    y : array (...)

    References
    ----------
    Clevert, Unterthiner & Hochreiter (2015), arXiv:1511.07289.
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@checked
def elu_backward(grad_output, x, alpha=1.0):
    """Gradient of `elu`.

    grad_x = grad_output where x > 0, grad_output * alpha * exp(x) elsewhere
    """
    return grad_output * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


# ------------------------------------------------------------------------------------- smooth rectifiers


@checked
def softplus(x, beta=1.0, threshold=20.0):
    """A rectifier with a round corner; always positive. Its derivative is a sigmoid.

        y = log(1 + exp(beta * x)) / beta,   x itself where beta * x > threshold

    A larger beta makes the corner sharper. logaddexp(0, z) is log(exp(0) + exp(z)) without overflow.

    Parameters
    ----------
    x : array (...)
    beta : float > 0
    threshold : float      beyond it y is x to about exp(-threshold)

    Returns
    -------
    y : array (...)

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau & Garcia (2000), Incorporating second-order functional knowledge for better
    option pricing, NIPS 13.
    """
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


@checked
def softplus_backward(grad_output, x, beta=1.0, threshold=20.0):
    """Gradient of `softplus`.

    grad_x = grad_output * sigmoid(beta * x),   grad_output itself where beta * x > threshold
    """
    return grad_output * np.where(beta * x > threshold, 1, sigmoid.unchecked(beta * x))


@checked
def gelu(x, approximate="none"):
    """Weigh each number by the probability that a standard normal number is smaller.

        y = x * Phi(x),   Phi(x) = erfc(-x / sqrt(2)) / 2
        y = x * (1 + tanh(u)) / 2,   u = sqrt(2 / pi) * (x + 0.044715 * x**3)       with approximate="tanh"

    Parameters
    ----------
    x : array (...)
    approximate : {'none', 'tanh'}

    Returns
    -------
    y : array (...)

    References
    ----------
    Hendrycks & Gimpel (2016), arXiv:1606.08415.
    """
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(_SLOPE * (x + _CUBIC * x * x * x)))
    return x * _normal_cdf(x)


@checked
def gelu_backward(grad_output, x, approximate="none"):
    """Gradient of `gelu`.

    grad_x = grad_output * (Phi(x) + x * phi(x)),   phi(x) = exp(-x**2 / 2) / sqrt(2 pi)
    grad_x = grad_output * (1 + t + x * (1 - t**2) * u') / 2,   t = tanh(u)         with approximate="tanh"
    """
    if approximate == "tanh":
        t = np.tanh(_SLOPE * (x + _CUBIC * x * x * x))
        return grad_output * 0.5 * (1 + t + x * (1 - t * t) * _SLOPE * (1 + 3 * _CUBIC * x * x))
    return grad_output * (_normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715
_erfc = np.vectorize(math.erfc, otypes=[np.float64])  # NumPy has none: a loop over Python's


def _normal_cdf(x):
    """The share of a standard normal distribution below x; erfc keeps the digits of small shares."""
    return (0.5 * _erfc(-math.sqrt(0.5) * x)).astype(x.dtype)


@checked(not_taught={"inplace": False})
def silu(x):
    """Weigh each number by its own sigmoid; also known as swish.

        y = x * sigmoid(x)

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)

    References
    ----------
    Hendrycks & Gimpel (2016), arXiv:1606.08415; Elfwing, Uchibe & Doya (2017), arXiv:1702.03118.
    """
    return x * sigmoid.unchecked(x)


@checked
def silu_backward(grad_output, x):
    """Gradient of `silu`, by the product rule.

    grad_x = grad_output * (s + x * s * (1 - s)),   s = sigmoid(x)
    """
    s = sigmoid.unchecked(x)
    return grad_output * (s + x * s * (1 - s))


@checked(not_taught={"inplace": False})
def mish(x):
    """Weigh each number by the tanh of its softplus: close to silu, a little steeper.

        y = x * tanh(log(1 + exp(x)))

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)

    References
    ----------
    Misra (2019), arXiv:1908.08681.
    """
    return x * np.tanh(np.logaddexp(0, x))


@checked
def mish_backward(grad_output, x):
    """Gradient of `mish`, by the product rule and the chain rule.

    grad_x = grad_output * (t + x * (1 - t**2) * sigmoid(x)),   t = tanh(log(1 + exp(x)))
    """
    t = np.tanh(np.logaddexp(0, x))
    return grad_output * (t + x * (1 - t * t) * sigmoid.unchecked(x))


# ---------------------------------------------------------------------- where the numbers of an axis compete


@checked(not_taught={"dtype": None})
def softmax(x, dim):
    """Turn the numbers along an axis into shares: positive, with the sum 1.

        y = exp(x) / sum(exp(x))

    Adding a constant to all x along the axis changes no share. So the largest is subtracted first, and exp
    sees nothing above 0.

    Parameters
    ----------
    x : array (...)
    dim : int      the axis whose numbers compete

    Returns
    -------
    y : array (...)

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    """
    z = np.exp(x - x.max(axis=dim, keepdims=True))
    return z / z.sum(axis=dim, keepdims=True)


@checked
def softmax_backward(grad_output, x, dim):
    """Gradient of `softmax`: what a share gains, the others lose.

    grad_x = y * (grad_output - sum(grad_output * y))
    """
    y = softmax.unchecked(x, dim)
    return y * (grad_output - (grad_output * y).sum(axis=dim, keepdims=True))


@checked(not_taught={"dtype": None})
def log_softmax(x, dim):
    """The logarithm of `softmax`, exact also where a share is too small for a number.

        y = x - log(sum(exp(x)))

    Parameters
    ----------
    x : array (...)
    dim : int      the axis whose numbers compete

    Returns
    -------
    y : array (...)
    """
    z = x - x.max(axis=dim, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=dim, keepdims=True))


@checked
def log_softmax_backward(grad_output, x, dim):
    """Gradient of `log_softmax`.

    grad_x = grad_output - softmax(x) * sum(grad_output)
    """
    return grad_output - softmax.unchecked(x, dim) * grad_output.sum(axis=dim, keepdims=True)
