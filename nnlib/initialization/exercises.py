"""Exercises of notebook 10, and what learners' functions usually do when they are wrong."""

import math

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.initialization import in_numpy

_fans = in_numpy.calculate_fan_in_and_fan_out.unchecked

# -------------------------------------------------------------------------------------------------- fans

calculate_fan_in_and_fan_out = Exercise(
    solution=in_numpy.calculate_fan_in_and_fan_out,
    hints=[
        "A weight has the shape (outputs, inputs) or (outputs, inputs, *kernel): PyTorch multiplies by its "
        "transpose.",
        "Count what meets in one number of the output: every input channel at every position of the kernel.",
        "`positions = math.prod(tensor.shape[2:])`, which is 1 for a dense weight; then each of the two "
        "numbers of channels, times the positions.",
    ],
    next="a scale from both fans: `initialization.xavier_uniform`.",
)


@calculate_fan_in_and_fan_out.mistake(
    "The two are the other way round. The first axis of a weight belongs to the outputs, the second to the "
    "inputs: a layer computes x @ weight.T."
)
def fans_swapped(tensor):
    return _fans(tensor)[::-1]


@calculate_fan_in_and_fan_out.mistake(
    "You counted channels only. In a convolution every position of the kernel brings an input of its own: a "
    "3 × 3 kernel has nine times the fan."
)
def without_positions(tensor):
    return tensor.shape[1], tensor.shape[0]


@calculate_fan_in_and_fan_out.mistake(
    "Your fan_out leaves the positions out. An input pixel lies under every position of the kernel once, and"
    " so it reaches O times as many outputs as there are positions."
)
def fan_out_without_positions(tensor):
    return _fans(tensor)[0], tensor.shape[0]


@calculate_fan_in_and_fan_out.mistake(
    "Your kernel is always square: you squared its first side. A kernel may be 3 × 2, or have one axis, or "
    "three."
)
def square_kernels(tensor):
    side = tensor.shape[2] if tensor.ndim > 2 else 1
    return tensor.shape[1] * side**2, tensor.shape[0] * side**2


@calculate_fan_in_and_fan_out.mistake(
    "You added the sides of the kernel. Its positions are a grid: multiply them (`math.prod`)."
)
def sides_added(tensor):
    positions = sum(tensor.shape[2:]) or 1
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@calculate_fan_in_and_fan_out.mistake(
    "Both of your fans are the number of all weights. One output sees only its own row of the weight: divide"
    " by O for fan_in, and by I for fan_out."
)
def all_weights(tensor):
    return tensor.size, tensor.size


# ------------------------------------------------------------------------------------------------ Xavier


xavier_uniform = Exercise(
    solution=in_numpy.xavier_uniform,
    hints=[
        "The variance shall be gain² · 2 / (fan_in + fan_out). Which bound gives a uniform distribution that"
        " variance?",
        "From −b to b the variance is b²/3, so b is √3 times the deviation: gain · √(6 / (fan_in + "
        "fan_out)).",
        "`u` runs from 0 to 1; `2 * u - 1` runs from −1 to 1. The fans of a kernel count its positions.",
    ],
    next="a scale for rectifiers: `initialization.kaiming_normal`.",
)


def _between(u, bound):
    return float(bound) * (2 * u - 1)


@xavier_uniform.mistake(
    "Your variance is 2 / √(fan_in + fan_out): there is a root too many. The variance is 2 / (fan_in + "
    "fan_out); the root belongs to the deviation."
)
def root_in_the_variance(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / math.sqrt(sum(_fans(u)))))


@xavier_uniform.mistake(
    "You took the deviation for the bound. Most of a uniform distribution lies nearer than its ends: from −b"
    " to b the deviation is b / √3, so the bound must be √3 times larger."
)
def deviation_as_bound(u, gain=1.0):
    return _between(u, gain * math.sqrt(2 / sum(_fans(u))))


@xavier_uniform.mistake(
    "All your weights are positive: you scaled u itself, which runs from 0 to 1. Stretch it to −1 to 1 "
    "first: 2u − 1."
)
def not_centered(u, gain=1.0):
    return float(gain) * math.sqrt(6 / sum(_fans(u))) * u


@xavier_uniform.mistake(
    "Your range is half as wide as it should be: u − 1/2 runs from −1/2 to 1/2. Stretch to −1 to 1: 2u − 1."
)
def half_the_range(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / sum(_fans(u))) / 2)


@xavier_uniform.mistake(
    "The root is missing: 6 / (fan_in + fan_out) is a bound squared. A variance scales with the square of "
    "the weights."
)
def no_root(u, gain=1.0):
    return _between(u, gain * 6 / sum(_fans(u)))


@xavier_uniform.mistake(
    "You used fan_in alone: that keeps the forward signal and is LeCun's scale. Xavier's takes the mean of "
    "both fans."
)
def fan_in_alone(u, gain=1.0):
    return _between(u, gain * math.sqrt(3 / _fans(u)[0]))


@xavier_uniform.mistake(
    "You used fan_in alone, with He's factor 2: that is `kaiming_uniform`. Xavier's takes both fans."
)
def he_bound(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / _fans(u)[0]))


@xavier_uniform.mistake("You used O + I for a convolution. The fans of a kernel count its positions too.")
def channels_only(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / (u.shape[0] + u.shape[1])))


@xavier_uniform.mistake(
    "Your gain stands under the root. It multiplies the weights themselves, not their variance."
)
def gain_under_the_root(u, gain=1.0):
    return _between(u, math.sqrt(6 * gain / sum(_fans(u))))


@xavier_uniform.mistake("You did not use `gain`. It multiplies every weight.")
def no_gain(u, gain=1.0):
    return _between(u, math.sqrt(6 / sum(_fans(u))))


# ---------------------------------------------------------------------------------------------------- He


def _rectifier_cases(rng):
    options = {
        "relu": dict(nonlinearity="relu"),
        "relu, which has no slope to give": dict(a=0.5, nonlinearity="relu"),
        "leaky": dict(a=0.3),
        "leaky, backward": dict(a=0.3, mode="fan_out", nonlinearity="leaky_relu"),
    }
    for note, shape in {"dense": (5, 8), "more outputs": (9, 3), "kernel": (4, 6, 3, 2)}.items():
        for what, given in options.items():
            yield Case("kaiming_normal", dict(z=rng.standard_normal(shape), **given), f"{note}, {what}")


kaiming_normal = Exercise(
    solution=in_numpy.kaiming_normal,
    hints=[
        "Which fan? `mode` says it: for a weight (O, I, *kernel), fan_in is I times the positions of the "
        "kernel, fan_out O times.",
        "A leaky rectifier hands on (1 + a²) / 2 of the second moment; so the variance must be 2 / ((1 + a²)"
        " · fan). A relu is the case a = 0, whatever `a` says.",
        "`gain = (2 / (1 + a * a)) ** 0.5`, then `gain / fan ** 0.5 * z`: the draws z have deviation 1.",
    ],
    next="what these scales are for: `initialization.signals_backward`.",
    cases=_rectifier_cases,
)


def _he(z, a, fan, nonlinearity):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 + slope**2) / fan) * z


def _one(z, mode):
    fan_in, fan_out = _fans(z)
    return fan_in if mode == "fan_in" else fan_out


@kaiming_normal.mistake(
    "You multiplied by the variance 2 / fan. The draws have deviation 1, so multiply by a deviation: its "
    "root."
)
def variance_as_deviation(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return 2 / (1 + slope**2) / _one(z, mode) * z


@kaiming_normal.mistake(
    "The factor 2 is missing: that is LeCun's scale, under which every ReLU layer halves the second moment."
)
def without_the_two(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(1 / (1 + slope**2) / _one(z, mode)) * z


@kaiming_normal.mistake(
    "Your fans are swapped: the first axis of a weight belongs to the outputs, so fan_in is the second, "
    "times the positions of the kernel."
)
def swapped(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _fans(z)[1] if mode == "fan_in" else _fans(z)[0], nonlinearity)


@kaiming_normal.mistake(
    "You ignored `mode`. With fan_out the scale keeps the gradients that go back instead of the signal that "
    "goes forward."
)
def always_fan_in(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _fans(z)[0], nonlinearity)


@kaiming_normal.mistake(
    "You took the mean of both fans: that is Xavier's compromise. He's scale serves one direction, the one "
    "that `mode` names."
)
def mean_of_the_fans(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, sum(_fans(z)) / 2, nonlinearity)


@kaiming_normal.mistake(
    "Your fan leaves out the positions of the kernel: a 3 × 2 kernel lets six times as many inputs meet."
)
def fan_without_positions(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, z.shape[1] if mode == "fan_in" else z.shape[0], nonlinearity)


@kaiming_normal.mistake(
    "Your slope is not squared. Negative inputs come out a times as large, and a second moment counts "
    "squares: (1 + a²) / 2 of it survives."
)
def slope_not_squared(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 + slope) / _one(z, mode)) * z


@kaiming_normal.mistake(
    'You used `a` for a relu too. It is the slope of leaky_relu; with nonlinearity="relu" it does not count.'
)
def slope_of_a_relu(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _one(z, mode), "leaky_relu")


@kaiming_normal.mistake(
    "You did not use `a`. A leaky rectifier keeps (1 + a²) / 2 of the second moment, so the variance is "
    "2 / ((1 + a²) · fan)."
)
def without_the_slope_below_zero(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, 0, _one(z, mode), nonlinearity)


@kaiming_normal.mistake(
    "For a leaky rectifier the factor 2 is missing: half of its inputs are above zero as well, and the "
    "variance is 2 / ((1 + a²) · fan). With a = 0 it must be relu's."
)
def the_two_for_relu_alone(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    factor = 2 if nonlinearity == "relu" else 1 / (1 + a**2)
    return math.sqrt(factor / _one(z, mode)) * z


# ------------------------------------------------------------------------------------- signals, backward

signals_backward = Exercise(
    solution=in_numpy.signals_backward,
    hints=[
        "Run forward first and keep every h: the slope of each activation follows from its output, 1 − h² "
        "for tanh, h > 0 for relu, 1 for linear.",
        "Go from the last layer to the first. What arrives at h[l] is grad_output[l] plus what layer l + 1 "
        "sends back.",
        "With d = (grad_output[l] + grad) * slope: `grad_weight[l] = d.T @ (input of layer l)`, and "
        "`grad = d @ weight[l]` goes on to the layer before.",
    ],
    next="let the data choose the scales: `initialization.lsuv`.",
)


def _backward(grad_output, x, weight, nonlinearity, step):
    """The loop from the last layer to the first; `step` does one layer and may do it wrong."""
    h = np.concatenate([x[None], in_numpy.signals.unchecked(x, weight, nonlinearity)])
    grad, grad_weight = np.zeros_like(x), np.empty_like(weight)
    for i in reversed(range(len(weight))):
        grad, grad_weight[i] = step(i, grad_output[i], grad, h, weight[i])
    return grad, grad_weight


def _slope(h, nonlinearity):
    return in_numpy._slope(h, nonlinearity)


@signals_backward.mistake(
    "You used the gradient of the last layer only. Every h is an output of `signals`, so grad_output[l] must"
    " be added at every layer."
)
def only_the_last_layer(grad_output, x, weight, nonlinearity="relu"):
    silent = np.zeros_like(grad_output)
    silent[-1] = grad_output[-1]
    return in_numpy.signals_backward.unchecked(silent, x, weight, nonlinearity)


@signals_backward.mistake(
    "You forgot what comes back from the layer behind: each layer got its own grad_output only. Both add up."
)
def nothing_from_behind(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = g * _slope(h[i + 1], nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "The slope of the activation is missing: d = (…) * f'. Without it the layers would be linear."
)
def without_the_slope(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = g + grad
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "Your slope multiplies grad_output only. What comes from behind passes the activation too: "
    "d = (grad_output[l] + grad) * f'."
)
def slope_on_one_part(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = g * _slope(h[i + 1], nonlinearity) + grad
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "Your slope is that of the layer's input. It belongs to the layer's own output h[l], where the "
    "activation sits."
)
def slope_of_the_input(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i], nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "You sent the gradient back through weight.T. Forward is x @ weight.T, so backward is d @ weight. The "
    "shapes cannot tell: the matrices are square."
)
def transposed_again(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], nonlinearity)
        return d @ w.T, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "grad_weight is transposed: h.T @ d has rows for inputs, the weight has rows for outputs. Use d.T @ h."
)
def weight_transposed(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return grad_x, np.ascontiguousarray(grad_weight.mT)


@signals_backward.mistake(
    "grad_weight uses the layer's output. A weight multiplies the layer's input: h[l − 1], and x for the "
    "first layer."
)
def output_for_input(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], nonlinearity)
        return d @ w, d.T @ h[i + 1]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "You divided by the number of rows. No mean stands in `signals`; where a loss takes one, its own "
    "gradient brings 1/N."
)
def divided_by_rows(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return grad_x, grad_weight / len(x)


# -------------------------------------------------------------------------------------------------- LSUV

lsuv = Exercise(
    solution=in_numpy.lsuv,
    hints=[
        "One layer at a time, from the first: what the second layer sees depends on how the first was "
        "scaled.",
        "The sums of a layer are `x @ weight[l].T`. Dividing the weight by their deviation makes the "
        "deviation 1.",
        "Then hand on the activations of the *scaled* layer: `x = f(x @ scaled[l].T)`, and take the next.",
    ],
    next="start a network of your own with it, and look at its histograms.",
)


def _sequential(x, weight, nonlinearity, divisor, hand_on=None):
    f = lambda z: in_numpy._activate(z, nonlinearity)  # noqa: E731
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / divisor(x @ w.T, f)
        x = (hand_on or f)(x @ scaled[i].T)
    return scaled


@lsuv.mistake(
    "You measured all layers of the network as it was. Scaling the first layer changes what the second sees:"
    " scale one layer, run it again, then take the next."
)
def all_at_once(x, weight, nonlinearity="relu"):
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / (x @ w.T).std()
        x = in_numpy._activate(x @ w.T, nonlinearity)
    return scaled


@lsuv.mistake(
    "You divided by the variance. Dividing by the deviation, its root, is what makes the deviation 1."
)
def divided_by_variance(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.var())


@lsuv.mistake("You measured after the activation. What shall have deviation 1 are the sums in front of it.")
def after_the_activation(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: f(z).std())


@lsuv.mistake("You took the root of the mean square. The deviation is measured around the mean: `z.std()`.")
def mean_square(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: np.sqrt((z * z).mean()))


@lsuv.mistake(
    "You scaled every unit by a deviation of its own. LSUV divides a layer's weights by one number, that of "
    "all its sums; unit by unit is what batch norm does."
)
def unit_by_unit(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.std(axis=0)[:, None])


@lsuv.mistake("You handed the sums on, not the activations. The next layer is fed by f(x @ scaled.T).")
def sums_handed_on(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.std(), hand_on=lambda z: z)


@lsuv.mistake(
    "Your deviation divides by n − 1 (`ddof=1`). What shall be 1 is the deviation of this batch itself: "
    "`ddof=0`."
)
def unbiased_deviation(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.std(ddof=1))


@lsuv.mistake("You multiplied by the deviation. What is too large must be divided.")
def multiplied(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: 1 / z.std())
