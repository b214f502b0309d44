"""The linear layer, written by learners: what goes wrong, and what to tell them."""

import numpy as np

from nnlib.exercises import Exercise
from nnlib.linear import in_numpy

linear = Exercise(
    solution=in_numpy.linear,
    hints=[
        "Output o is the sum over d of x[..., d] * weight[o, d]: every row of x meets every row of weight.",
        "A matrix product pairs rows with columns, and the weights of one output stand in a row: which "
        "matrix has to be transposed?",
        "x @ weight.T has shape (..., O). The bias, one number per output, adds to every row by "
        "broadcasting; where it is None, nothing is added.",
    ],
    next="One line, and already every layer of a network between its activations. Its backward has two more.",
)


@linear.mistake("The bias is missing: add it to every row, unless it is None.")
def no_bias(x, weight, bias=None):
    return x @ weight.T


@linear.mistake("You subtracted the bias. A threshold is subtracted; a bias is added.")
def threshold(x, weight, bias=None):
    return x @ weight.T if bias is None else x @ weight.T - bias


@linear.mistake("You averaged over the inputs. A neuron adds its weighted inputs up.")
def mean_of_inputs(x, weight, bias=None):
    y = (x[..., None, :] * weight).mean(axis=-1)
    return y if bias is None else y + bias


@linear.mistake("You multiplied inputs and weights, but did not add up: sum over the last axis.")
def no_sum(x, weight, bias=None):
    y = x[..., None, :] * weight
    return y if bias is None else y + bias[:, None]


@linear.mistake(
    "You reshaped the weights to make them fit. That deals their numbers out in another order; weight.T "
    "turns rows into columns."
)
def reshaped(x, weight, bias=None):
    y = x @ weight.reshape(weight.shape[::-1])
    return y if bias is None else y + bias


@linear.mistake("You applied an activation. The linear layer ends at the sum; ReLU and tanh are layers too.")
def with_relu(x, weight, bias=None):
    y = x @ weight.T
    return np.maximum(y if bias is None else y + bias, 0)


@linear.mistake("You added the bias as a single number, its mean. It is one number for each output.")
def one_bias_for_all(x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias.mean()


linear_backward = Exercise(
    solution=in_numpy.linear_backward,
    hints=[
        "Start with one number: y[n, o] = sum over d of x[n, d] * weight[o, d] + bias[o]. What is its "
        "derivative for x[n, d], for weight[o, d], for bias[o]?",
        "Each gradient has the shape of its argument: (N, D) comes from grad_output (N, O) and weight "
        "(O, D), and (O, D) from grad_output (N, O) and x (N, D). Only one product fits each time.",
        "grad_output @ weight, then grad_output.T @ x, then the sum over rows. With more leading axes, "
        "reshape(-1, …) first makes rows of them; without a bias return only the first two.",
    ],
    next="Two products backward for one forward: a gradient costs about twice what the answer costs.",
)


def _rows(grad_output, x):
    """All axes but the last as one: (..., O) and (..., D) become (N, O) and (N, D)."""
    return grad_output.reshape(-1, grad_output.shape[-1]), x.reshape(-1, x.shape[-1])


@linear_backward.mistake(
    "The bias gradient is not summed. The bias is added to every row, so the gradients of all rows add up."
)
def bias_not_summed(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, rows)


@linear_backward.mistake(
    "The bias gradient is summed over everything. Sum over the rows alone: each output has its own bias."
)
def bias_one_number(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, rows.sum())


@linear_backward.mistake("The bias gradient is a mean over the rows; it has to be their sum.")
def bias_mean(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, rows.mean(axis=0))


@linear_backward.mistake(
    "The bias gradient lacks grad_output. The derivative of y for the bias is 1, and that multiplies what "
    "comes from behind."
)
def bias_counts_rows(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, np.ones_like(rows).sum(axis=0))


@linear_backward.mistake(
    "You averaged over the rows. If the loss is a mean, its 1/N is already inside grad_output; here you sum."
)
def averaged(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, rows.T @ inputs / len(rows)
    return grads if bias is None else (*grads, rows.mean(axis=0))


@linear_backward.mistake("grad_weight is transposed: it has the shape of weight, one row per output.")
def weight_transposed(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight, inputs.T @ rows
    return grads if bias is None else (*grads, rows.sum(axis=0))


@linear_backward.mistake(
    "grad_x is made of reshaped weights, which deals their numbers out in another order. grad_output (N, O) "
    "times weight (O, D) fits as it is."
)
def weight_reshaped(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    grads = grad_output @ weight.reshape(weight.shape[::-1]).T, rows.T @ inputs
    return grads if bias is None else (*grads, rows.sum(axis=0))


@linear_backward.mistake(
    "Right where there is a bias. Without one (bias=None) return two gradients: there is nothing to learn."
)
def bias_always(grad_output, x, weight, bias=None):
    rows, inputs = _rows(grad_output, x)
    return grad_output @ weight, rows.T @ inputs, rows.sum(axis=0)
