"""The reference: the step unit with Rosenblatt's rule, and the two smooth units that replaced it."""

import numpy as np

from nnlib.core import checked

no_gradient = {
    "step": "its derivative is 0 wherever it exists, so a gradient would teach nothing",
    "perceptron": "it ends in a step",
    "perceptron_update": "a learning rule, not a function to differentiate",
    "adaline_update": "a learning rule: it applies a gradient itself",
}


@checked
def step(x):
    """Fire or stay silent.

        y = 1 if x >= 0 else 0

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)

    References
    ----------
    McCulloch & Pitts (1943), Bulletin of Mathematical Biophysics 5, 115-133.
    """
    return (x >= 0).astype(x.dtype)


@checked
def perceptron(x, weight, bias):
    """A step unit: which side of a line (a plane, a hyperplane) each sample is on.

        y = step(x @ weight + bias)

    Parameters
    ----------
    x : array (N, D)
    weight : array (D,)
    bias : array ()      minus the threshold

    Returns
    -------
    y : array (N,)

    References
    ----------
    Rosenblatt (1958), Psychological Review 65, 386-408.
    """
    return step(x @ weight + bias)


@checked
def perceptron_update(x, target, weight, bias, lr=1.0):
    """Rosenblatt's rule for one sample: move only after a mistake, towards the sample or away from it.

        error  = target - perceptron(x)            1, 0 or -1
        weight = weight + lr * error * x
        bias   = bias + lr * error

    Parameters
    ----------
    x : array (D,)
    target : int in [0, 1]
    weight : array (D,)
    bias : array ()
    lr : float > 0

    Returns
    -------
    weight : array (D,)
    bias : array ()

    References
    ----------
    Novikoff (1962), Symposium on the Mathematical Theory of Automata 12, 615-622.
    """
    error = int(target) - step(x @ weight + bias)  # np.int64 - float32 would be float64
    return weight + lr * error * x, bias + lr * error


@checked
def adaline_update(x, target, weight, bias, lr=0.01):
    """The delta rule on a batch: a step down the squared error of the sum *before* any threshold.

        error  = target - (x @ weight + bias)
        weight = weight + lr * x.T @ error / N
        bias   = bias + lr * mean(error)

    Parameters
    ----------
    x : array (N, D)
    target : array (N,) finite      usually -1 and 1
    weight : array (D,)
    bias : array ()
    lr : float > 0

    Returns
    -------
    weight : array (D,)
    bias : array ()

    References
    ----------
    Widrow & Hoff (1960), Adaptive switching circuits, IRE WESCON Convention Record 4, 96-104.
    """
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / len(x), bias + lr * error.mean()


@checked
def logistic_neuron(x, weight, bias):
    """A neuron that answers by degrees: the probability of class 1.

        y = 1 / (1 + exp(-z)),   z = x @ weight + bias

    Parameters
    ----------
    x : array (N, D)
    weight : array (D,)
    bias : array ()

    Returns
    -------
    y : array (N,)
    """
    return _sigmoid(x @ weight + bias)


@checked
def logistic_neuron_backward(grad_output, x, weight, bias):
    """Gradients of `logistic_neuron` for x, weight and bias.

    d = grad_output * y * (1 - y)
    grad_x = d weight,   grad_weight = x.T @ d,   grad_bias = sum(d)
    """
    y = _sigmoid(x @ weight + bias)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


def _sigmoid(z):
    """1 / (1 + exp(-z)), written so that exp never sees a positive number."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)
