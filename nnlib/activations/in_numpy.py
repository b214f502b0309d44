"""The reference: an activation bends each number for itself, so its backward is one derivative per number."""

import numpy as np

from nnlib.core import checked

kinks = {"relu": (0.0,), "leaky_relu": (0.0,)}  # no derivative there; ours is torch's, the one from the left


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
    """Gradient of `relu`: all of it where x is positive, none elsewhere, x = 0 included.

    grad_x = grad_output * (x > 0)
    """
    return grad_output * (x > 0)


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
