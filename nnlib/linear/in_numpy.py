"""The reference: a layer, two layers with a bend between them, and a network with weights set by hand."""

import numpy as np

from nnlib.activations.in_numpy import (
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from nnlib.core import checked

ACTIVATIONS = {
    "relu": (relu, relu_backward),
    "tanh": (tanh, tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
}


@checked
def linear(x, weight, bias=None):
    """Weighted sums of the inputs, one for each row of `weight`, plus a bias.

        y = x @ weight.T + bias

    Parameters
    ----------
    x : array (..., D)
    weight : array (O, D)     one row of D weights per output, as torch stores it
    bias : array (O,) or None

    Returns
    -------
    y : array (..., O)
    """
    y = x @ weight.T
    return y if bias is None else y + bias


@checked
def linear_backward(grad_output, x, weight, bias=None):
    """Gradients of `linear` for x, weight and bias.

        grad_x = grad_output @ weight
        grad_weight = grad_output.T @ x,   grad_bias = sum(grad_output)

    weight and bias serve every row of x, so their gradients add up over the rows.
    """
    rows, inputs = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, rows.sum(axis=0))


@checked
def mlp(x, weight1, bias1, weight2, bias2, activation="relu"):
    """A multilayer perceptron with one hidden layer: layer, bend, layer.

        y = linear(activation(linear(x, weight1, bias1)), weight2, bias2)

    Parameters
    ----------
    x : array (..., D)
    weight1 : array (H, D)
    bias1 : array (H,)
    weight2 : array (O, H)
    bias2 : array (O,)
    activation : {'relu', 'tanh', 'sigmoid'}

    Returns
    -------
    y : array (..., O)
    """
    f, _ = ACTIVATIONS[activation]
    return linear(f(linear(x, weight1, bias1)), weight2, bias2)


@checked
def mlp_backward(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    """Gradients of `mlp`: the backward of each part, in the opposite order.

    grad_h, grad_weight2, grad_bias2 = linear_backward(grad_output, h, weight2, bias2)
    grad_z = activation_backward(grad_h, z)
    grad_x, grad_weight1, grad_bias1 = linear_backward(grad_z, x, weight1, bias1)
    """
    f, f_backward = ACTIVATIONS[activation]
    z = linear(x, weight1, bias1)
    grad_h, grad_weight2, grad_bias2 = linear_backward(grad_output, f(z), weight2, bias2)
    grad_z = f_backward(grad_h, z)
    grad_x, grad_weight1, grad_bias1 = linear_backward(grad_z, x, weight1, bias1)
    return grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2


@checked
def output_head(x, task):
    """What the sums of the last layer mean: numbers, a probability each, or shares of one probability.

        regression: y = x,   binary: y = sigmoid(x),   multiclass: y = softmax(x) over each row

    Parameters
    ----------
    x : array (N, O)
    task : {'regression', 'binary', 'multiclass'}     binary answers O yes-or-no questions at once

    Returns
    -------
    y : array (N, O)
    """
    if task == "regression":
        return x.copy()
    return sigmoid(x) if task == "binary" else softmax(x, dim=1)


@checked
def output_head_backward(grad_output, x, task):
    """Gradient of `output_head` for x: that of its activation, if it has one."""
    if task == "regression":
        return grad_output.copy()
    return sigmoid_backward(grad_output, x) if task == "binary" else softmax_backward(grad_output, x, dim=1)


@checked
def relu_interpolation(x, knots, values):
    """Straight lines from point to point, drawn by a layer of ReLU units with weights set by hand.

        y = values[0] + sum over k of bend[k] * relu(x - knots[k]),   bend[k] = slope[k] - slope[k - 1]

    Unit k is silent up to knots[k], and from there on adds to the slope what it has to change by. So K points
    take K - 1 units. Before the first point y is values[0]; behind the last it goes on with the last slope.

    Parameters
    ----------
    x : array (N,)
    knots : array (K,)      where the points are, from left to right
    values : array (K,)     how high they are

    Returns
    -------
    y : array (N,)
    """
    _, slopes = _slopes(knots, values)
    bends = np.append(slopes[:1], np.diff(slopes))
    return values[0] + relu(x[:, None] - knots[:-1]) @ bends


@checked
def relu_interpolation_backward(grad_output, x, knots, values):
    """Gradients of `relu_interpolation` for x, knots and values.

    Each bend is a difference of two slopes and each slope a quotient of two differences, so a gradient goes
    back to two slopes, and from each of them to two points.
    """
    gaps, slopes = _slopes(knots, values)
    bends, z = np.append(slopes[:1], np.diff(slopes)), x[:, None] - knots[:-1]
    grad_z = grad_output[:, None] * bends * (z > 0)
    grad_bends = grad_output @ relu(z)
    grad_slopes = np.append(grad_bends[:-1] - grad_bends[1:], grad_bends[-1:])
    grad_rises = grad_slopes / gaps
    grad_values, grad_knots = np.zeros_like(values), np.zeros_like(knots)
    grad_values[0] = grad_output.sum()
    grad_knots[:-1] = -grad_z.sum(axis=0)
    for grad, g in ((grad_values, grad_rises), (grad_knots, -slopes * grad_rises)):
        grad[1:] += g
        grad[:-1] -= g
    return grad_z.sum(axis=1), grad_knots, grad_values


def _slopes(knots, values):
    """The widths of the gaps between the points, and the slope over each."""
    gaps = np.diff(knots)
    if len(knots) < 2 or not (gaps > 0).all():
        raise ValueError(f"knots are {knots}; expected at least 2, from left to right")
    return gaps, np.diff(values) / gaps
