"""The linear layer, written by learners: what goes wrong, and what to tell them."""

import numpy as np

from nnlib.exercises import Exercise
from nnlib.linear import in_numpy
from nnlib.linear.in_numpy import ACTIVATIONS

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


# ------------------------------------------------------------------------- layers, bends, layers (03)

output_head = Exercise(
    solution=in_numpy.output_head,
    hints=[
        "Three cases. For 'regression' the sums are the answer already.",
        "For 'binary' each sum becomes a probability of its own, 1 / (1 + exp(-x)). For 'multiclass' the "
        "sums of one row share one probability: exp(x), divided by the sum of its row.",
        "Sums may be ±1000. `x - x.max(axis=1, keepdims=True)` changes nothing in a softmax and keeps exp "
        "small; for the sigmoid, `(1 + np.tanh(x / 2)) / 2` is the same function and cannot overflow.",
    ],
    next="The network in front of the head.",
)


def _softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


@output_head.mistake(
    "Your softmax adds up over the batch. The classes of one sample compete: the sum runs over axis 1."
)
def softmax_over_the_batch(x, task):
    return _softmax(x, 0) if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake(
    "'multiclass' is a competition: one class is right, so the probabilities of a row add up to 1. You gave "
    "each output a sigmoid of its own."
)
def sigmoid_for_classes(x, task):
    return x.copy() if task == "regression" else _sigmoid(x)


@output_head.mistake(
    "'binary' asks yes-or-no questions, each with a probability of its own. With a softmax only one answer "
    "could be yes."
)
def softmax_for_yes_or_no(x, task):
    return x.copy() if task == "regression" else _softmax(x, 1)


@output_head.mistake("You squashed the regression. Its output must be able to take any value: no activation.")
def squashed_regression(x, task):
    return np.tanh(x) if task == "regression" else in_numpy.output_head(x, task)


@output_head.mistake("You cut the regression off at 0 with a ReLU. Targets may be negative: no activation.")
def rectified_regression(x, task):
    return np.maximum(x, 0) if task == "regression" else in_numpy.output_head(x, task)


@output_head.mistake("tanh runs from -1 to 1. A probability needs the sigmoid, from 0 to 1.")
def tanh_for_yes_or_no(x, task):
    return np.tanh(x) if task == "binary" else in_numpy.output_head(x, task)


@output_head.mistake(
    "You returned decisions, 0 or 1. A head returns probabilities; whoever uses them decides, with a "
    "threshold of their own."
)
def decisions(x, task):
    if task == "multiclass":
        return (x == x.max(axis=1, keepdims=True)).astype(x.dtype)
    return (x > 0).astype(x.dtype) if task == "binary" else x.copy()


@output_head.mistake("You divided the sums by their total. They may be negative: a softmax takes exp first.")
def shares_without_exp(x, task):
    return x / x.sum(axis=1, keepdims=True) if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake("You gave the regression a sigmoid. Its answers may be any number: no activation.")
def sigmoid_for_numbers(x, task):
    return _sigmoid(x) if task == "regression" else in_numpy.output_head(x, task)


@output_head.mistake(
    "You swapped two heads: 'binary' asks a question of each output, 'multiclass' lets the outputs of a row "
    "compete."
)
def heads_swapped(x, task):
    if task == "regression":
        return x.copy()
    return _softmax(x, 1) if task == "binary" else _sigmoid(x)


@output_head.mistake("You apply a sigmoid whatever `task` is. It says which of three heads is wanted.")
def sigmoid_for_all(x, task):
    return _sigmoid(x)


@output_head.mistake("You apply a softmax whatever `task` is. It says which of three heads is wanted.")
def softmax_for_all(x, task):
    return _softmax(x, 1)


@output_head.mistake(
    "Your softmax divides by the sum of the whole array. The probabilities of each row add up to 1."
)
def softmax_over_everything(x, task):
    return _softmax(x, None) if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake(
    "For 'binary' you returned decisions, 0 or 1. Wanted is a probability; whoever uses it decides."
)
def decided_yes_or_no(x, task):
    return (x > 0).astype(x.dtype) if task == "binary" else in_numpy.output_head(x, task)


@output_head.mistake("For 'binary' you returned the probability of no: a large sum has to give one near 1.")
def probability_of_no(x, task):
    return _sigmoid(-x) if task == "binary" else in_numpy.output_head(x, task)


@output_head.mistake("For 'multiclass' you returned the logarithms of the probabilities.")
def log_probabilities(x, task):
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake(
    "You divided sigmoids by their total. They do add up to 1, but a softmax has exp in their place."
)
def shares_of_sigmoids(x, task):
    p = _sigmoid(x)
    return p / p.sum(axis=1, keepdims=True) if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake(
    "Your softmax divides by one sum for all rows. The probabilities of each row add up to 1."
)
def one_sum_for_all_rows(x, task):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum() if task == "multiclass" else in_numpy.output_head(x, task)


@output_head.mistake(
    "You subtracted the maximum above the fraction line, but not below. Both have to be shifted, or the "
    "shares change."
)
def shift_above_only(x, task):
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return (
        shifted / np.exp(x).sum(axis=1, keepdims=True)
        if task == "multiclass"
        else in_numpy.output_head(x, task)
    )


mlp = Exercise(
    solution=in_numpy.mlp,
    hints=[
        "Three steps: a layer with weight1 and bias1, the activation, a layer with weight2 and bias2.",
        "A layer is x @ weight.T + bias. Its outputs are the inputs of what comes next.",
        "`bend = {'relu': lambda z: np.maximum(z, 0), 'tanh': np.tanh, 'sigmoid': …}[activation]`, then "
        "`h = bend(x @ weight1.T + bias1)`, then h takes the place of x. Nothing follows the second layer.",
    ],
    next="The same three steps backward.",
)


@mlp.mistake(
    "The activation is missing, so your two layers multiply out to a single one: x @ (weight2 @ weight1).T "
    "plus a constant."
)
def mlp_no_bend(x, weight1, bias1, weight2, bias2, activation="relu"):
    return (x @ weight1.T + bias1) @ weight2.T + bias2


@mlp.mistake(
    "You bent the outputs too. The last layer ends at the sum: an output must be free to take any value."
)
def mlp_bent_output(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return f(f(x @ weight1.T + bias1) @ weight2.T + bias2)


@mlp.mistake("You bent the inputs. The activation comes after the first layer, not before it.")
def mlp_bent_input(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return (f(x) @ weight1.T + bias1) @ weight2.T + bias2


@mlp.mistake("You always use ReLU. The argument `activation` says which one is wanted.")
def mlp_always_relu(x, weight1, bias1, weight2, bias2, activation="relu"):
    return np.maximum(x @ weight1.T + bias1, 0) @ weight2.T + bias2


@mlp.mistake(
    "bias1 is added after the activation. It belongs inside: it says from where on the unit answers."
)
def mlp_bias_outside(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return (f(x @ weight1.T) + bias1) @ weight2.T + bias2


@mlp.mistake("bias1 is missing: every hidden unit then bends at the origin.")
def mlp_no_bias1(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return f(x @ weight1.T) @ weight2.T + bias2


@mlp.mistake("bias2 is missing. The second layer is a layer like the first.")
def mlp_no_bias2(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return f(x @ weight1.T + bias1) @ weight2.T


@mlp.mistake("You always use tanh. The argument `activation` says which one is wanted.")
def mlp_always_tanh(x, weight1, bias1, weight2, bias2, activation="relu"):
    return np.tanh(x @ weight1.T + bias1) @ weight2.T + bias2


@mlp.mistake("Your activation comes after the second layer. It belongs between the two.")
def mlp_bent_at_the_end(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return f((x @ weight1.T + bias1) @ weight2.T + bias2)


@mlp.mistake("Both biases are missing: a layer is x @ weight.T + bias.")
def mlp_no_bias(x, weight1, bias1, weight2, bias2, activation="relu"):
    f, _ = ACTIVATIONS[activation]
    return f(x @ weight1.T) @ weight2.T


@mlp.mistake(
    "You put a softmax behind the second layer. The network ends at the sums; a head comes after it."
)
def mlp_with_a_head(x, weight1, bias1, weight2, bias2, activation="relu"):
    return _softmax(in_numpy.mlp(x, weight1, bias1, weight2, bias2, activation), -1)


mlp_backward = Exercise(
    solution=in_numpy.mlp_backward,
    hints=[
        "Forward is z = linear(x, weight1, bias1), h = f(z), y = linear(h, weight2, bias2). Backward meets "
        "the three in the opposite order, and you have a backward for each.",
        "The second layer was fed h: linear_backward(grad_output, h, weight2, bias2) gives grad_h and two of "
        "the five gradients. The activation was fed z: its slope at z multiplies grad_h.",
        "relu: (z > 0), tanh: 1 - h * h, sigmoid: h * (1 - h). Then linear_backward(grad_z, x, weight1, "
        "bias1) gives the other three. `in_numpy.linear_backward` is there to be used.",
    ],
    next="A network whose weights you set by hand, to see what the hidden units are for.",
)


def _mlp_parts(x, weight1, bias1, activation):
    f, f_backward = ACTIVATIONS[activation]
    z = in_numpy.linear(x, weight1, bias1)
    return z, f(z), f_backward


def _mlp_grads(grad_z, grad_output, x, weight1, bias1, h, weight2, bias2):
    _, grad_weight2, grad_bias2 = in_numpy.linear_backward(grad_output, h, weight2, bias2)
    grad_x, grad_weight1, grad_bias1 = in_numpy.linear_backward(grad_z, x, weight1, bias1)
    return grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2


@mlp_backward.mistake(
    "You skipped the activation: its slope at z has to multiply grad_h before anything reaches the first "
    "layer."
)
def mlp_no_slope(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, _ = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(grad_output @ weight2, grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake(
    "You took the slope at h. The activation was fed z, so its slope is that at z. (With ReLU both are "
    "equal, and the mistake stays hidden.)"
)
def mlp_slope_at_h(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, slope = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(slope(grad_output @ weight2, h), grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake("You always use ReLU's slope. The argument `activation` says whose is wanted.")
def mlp_always_relu_slope(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, _ = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(grad_output @ weight2 * (z > 0), grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake(
    "Your grad_weight2 met z. The second layer was fed h, what is left after the activation."
)
def mlp_weight2_met_z(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, slope = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(slope(grad_output @ weight2, z), grad_output, x, weight1, bias1, z, weight2, bias2)


@mlp_backward.mistake(
    "You multiplied by the activation's value instead of its slope. Backward multiplies by slopes."
)
def mlp_value_for_slope(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, _ = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(grad_output @ weight2 * h, grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake("You returned grad_z in the place of grad_x: one product, with weight1, is missing.")
def mlp_grad_z_for_grad_x(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, slope = _mlp_parts(x, weight1, bias1, activation)
    grad_z = slope(grad_output @ weight2, z)
    return grad_z, *_mlp_grads(grad_z, grad_output, x, weight1, bias1, h, weight2, bias2)[1:]


@mlp_backward.mistake(
    "You averaged over the rows. If the loss is a mean, its 1/N is already inside grad_output; here you sum."
)
def mlp_averaged(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    grad_x, *others = in_numpy.mlp_backward(grad_output, x, weight1, bias1, weight2, bias2, activation)
    rows = x.size // x.shape[-1]
    return grad_x, *(grad / rows for grad in others)


@mlp_backward.mistake("You always use tanh's slope. The argument `activation` says whose is wanted.")
def mlp_always_tanh_slope(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, _ = _mlp_parts(x, weight1, bias1, activation)
    slope = 1 - np.tanh(z) ** 2
    return _mlp_grads(grad_output @ weight2 * slope, grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake(
    "You always use tanh, for h as for its slope. The argument `activation` says which one is wanted."
)
def mlp_tanh_both_ways(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    return in_numpy.mlp_backward(grad_output, x, weight1, bias1, weight2, bias2, "tanh")


@mlp_backward.mistake(
    "You always use ReLU, for h as for its slope. The argument `activation` says which one is wanted."
)
def mlp_relu_both_ways(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    return in_numpy.mlp_backward(grad_output, x, weight1, bias1, weight2, bias2, "relu")


@mlp_backward.mistake(
    "You always use 1 - h * h. That is the slope of tanh; `activation` says whose is wanted."
)
def mlp_slope_of_h_squared(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    z, h, _ = _mlp_parts(x, weight1, bias1, activation)
    return _mlp_grads(grad_output @ weight2 * (1 - h * h), grad_output, x, weight1, bias1, h, weight2, bias2)


@mlp_backward.mistake("bias1 is missing where you compute z again.")
def mlp_z_without_bias1(grad_output, x, weight1, bias1, weight2, bias2, activation="relu"):
    zero = np.zeros_like(bias1)
    return in_numpy.mlp_backward(grad_output, x, weight1, zero, weight2, bias2, activation)


relu_interpolation = Exercise(
    solution=in_numpy.relu_interpolation,
    hints=[
        "Each ReLU unit relu(x - knot) is 0 up to its knot, then rises with slope 1. Start with the height "
        "values[0] and think of what has to change at knots[0], then at knots[1] …",
        "Between two points the slope is (difference of values) / (difference of knots): K - 1 slopes. At "
        "knots[0] the slope changes from 0 to the first of them, at knots[k] from slope[k - 1] to slope[k].",
        "`slopes = np.diff(values) / np.diff(knots)`, `bends = np.append(slopes[:1], np.diff(slopes))`, and "
        "the hidden layer is `np.maximum(x[:, None] - knots[:-1], 0)`, of shape (N, K - 1).",
    ],
    next="With enough points this comes as close as you like to any continuous function on a closed "
    "interval: you have proved the universal approximation theorem for one input.",
)


def _interpolated(x, knots, values, bends, start=None):
    hidden = np.maximum(x[:, None] - knots[:-1], 0)
    return (values[0] if start is None else start) + hidden @ bends


def _slopes_and_bends(knots, values):
    slopes = np.diff(values) / np.diff(knots)
    return slopes, np.append(slopes[:1], np.diff(slopes))


@relu_interpolation.mistake(
    "You added up the slopes. A unit goes on rising behind the next point, so each new unit brings only the "
    "*change* of slope."
)
def slopes_added(x, knots, values):
    return _interpolated(x, knots, values, _slopes_and_bends(knots, values)[0])


@relu_interpolation.mistake("The start is missing: before the first point the answer is values[0].")
def no_start(x, knots, values):
    return _interpolated(x, knots, values, _slopes_and_bends(knots, values)[1], start=values[0] * 0)


@relu_interpolation.mistake(
    "You held the last value behind the last point. Nothing bends there: K - 1 units have been used, and the "
    "last slope goes on."
)
def held_at_the_end(x, knots, values):
    return np.interp(x, knots, values).astype(x.dtype)


@relu_interpolation.mistake(
    "Your first slope also holds before the first point. There all units are silent: the first one needs its "
    "ReLU too."
)
def slope_before_the_start(x, knots, values):
    before = np.minimum(x - knots[0], 0) * _slopes_and_bends(knots, values)[0][0]
    return in_numpy.relu_interpolation(x, knots, values) + before


@relu_interpolation.mistake("Your units look left, relu(knots - x). They have to rise behind their knot.")
def units_to_the_left(x, knots, values):
    return values[0] + np.maximum(knots[:-1] - x[:, None], 0) @ _slopes_and_bends(knots, values)[1]


@relu_interpolation.mistake(
    "You took differences of values for slopes. A slope is the rise divided by the width of the gap."
)
def not_divided(x, knots, values):
    rises = np.diff(values)
    return _interpolated(x, knots, values, np.append(rises[:1], np.diff(rises)))


@relu_interpolation.mistake(
    "Your units bend one point too late, at knots[1:]. The first has to begin at knots[0]."
)
def one_knot_late(x, knots, values):
    hidden = np.maximum(x[:, None] - knots[1:], 0)
    return values[0] + hidden @ _slopes_and_bends(knots, values)[1]


@relu_interpolation.mistake(
    "The first slope is lost: np.diff(slopes) has one number less than there are units. At the first point "
    "the slope changes, too: from 0."
)
def first_slope_lost(x, knots, values):
    slopes, bends = _slopes_and_bends(knots, values)
    return values[0] + np.maximum(x[:, None] - knots[1:-1], 0) @ bends[1:]


@relu_interpolation.mistake("Your last unit is missing: K points need K - 1 units.")
def last_unit_missing(x, knots, values):
    slopes, bends = _slopes_and_bends(knots, values)
    return values[0] + np.maximum(x[:, None] - knots[:-2], 0) @ bends[:-1]


@relu_interpolation.mistake("The ReLU is missing: without it every unit acts left of its knot as well.")
def no_relu(x, knots, values):
    slopes, bends = _slopes_and_bends(knots, values)
    return values[0] + (x[:, None] - knots[:-1]) @ bends


@relu_interpolation.mistake("You divided every rise by the width of the first gap. Each gap has its own.")
def first_width_for_all(x, knots, values):
    rises = np.diff(values) / (knots[1] - knots[0])
    return _interpolated(x, knots, values, np.append(rises[:1], np.diff(rises)))


@relu_interpolation.mistake("Your slopes are upside down: a slope is the rise divided by the width.")
def slopes_upside_down(x, knots, values):
    slopes = np.diff(knots) / np.diff(values)
    return _interpolated(x, knots, values, np.append(slopes[:1], np.diff(slopes)))


@relu_interpolation.mistake("You added values[0] once for each unit. It is needed once.")
def start_in_every_unit(x, knots, values):
    slopes, bends = _slopes_and_bends(knots, values)
    return (values[0] + np.maximum(x[:, None] - knots[:-1], 0) * bends).sum(axis=1)


@relu_interpolation.mistake("Your bends have the wrong sign: a bend is the new slope minus the old one.")
def bends_the_other_way(x, knots, values):
    slopes, bends = _slopes_and_bends(knots, values)
    return _interpolated(x, knots, values, np.append(slopes[:1], -np.diff(slopes)))
