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


@calculate_fan_in_and_fan_out.mistake(
    "You added the sides of the kernel. Multiply them (`math.prod`): a dense weight has none, and an "
    "empty product is 1, an empty sum 0."
)
def sides_added_to_zero(tensor):
    fan_in, fan_out = tensor.shape[1], tensor.shape[0]
    return fan_in * sum(tensor.shape[2:]), fan_out * sum(tensor.shape[2:])


@calculate_fan_in_and_fan_out.mistake(
    "Only the first side of the kernel counts in your fans. Its positions are all of its sides multiplied."
)
def first_side_alone(tensor):
    side = tensor.shape[2] if tensor.ndim > 2 else 1
    return tensor.shape[1] * side, tensor.shape[0] * side


@calculate_fan_in_and_fan_out.mistake(
    "Only the last side of the kernel counts in your fans. Its positions are all of its sides multiplied."
)
def last_side_alone(tensor):
    side = tensor.shape[-1] if tensor.ndim > 2 else 1
    return tensor.shape[1] * side, tensor.shape[0] * side


@calculate_fan_in_and_fan_out.mistake(
    "You took the last axis for the inputs. They are the second: behind it come the sides of the kernel, "
    "and all of them count."
)
def last_axis_for_inputs(tensor):
    return tensor.shape[-1], tensor.shape[0]


@calculate_fan_in_and_fan_out.mistake(
    "You took the last two axes. In a convolution those are the kernel; outputs and inputs come first, "
    "and the kernel's positions multiply both."
)
def last_two_axes(tensor):
    return tensor.shape[-1], tensor.shape[-2]


@calculate_fan_in_and_fan_out.mistake(
    "Your fan_in leaves the positions out: every position of the kernel brings an input of its own."
)
def fan_in_without_positions(tensor):
    return tensor.shape[1], _fans(tensor)[1]


@calculate_fan_in_and_fan_out.mistake(
    "Your fan_out holds the inputs as well. It is O times the positions of the kernel."
)
def fan_out_of_all(tensor):
    return _fans(tensor)[0], tensor.size


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


@xavier_uniform.mistake(
    "The 2 is missing: Xavier's variance is one over the *mean* of both fans, which is 2 / (fan_in + "
    "fan_out)."
)
def sum_of_the_fans(u, gain=1.0):
    return _between(u, gain * math.sqrt(3 / sum(_fans(u))))


@xavier_uniform.mistake("You added up the whole shape. The sides of a kernel multiply both fans.")
def shape_added_up(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / sum(u.shape)))


@xavier_uniform.mistake("You multiplied the two fans. Xavier's scale takes their sum.")
def fans_multiplied(u, gain=1.0):
    return _between(u, gain * math.sqrt(6 / math.prod(_fans(u))))


@xavier_uniform.mistake(
    "You used the variance 2 / (fan_in + fan_out) for the deviation: its root is missing."
)
def variance_for_deviation(u, gain=1.0):
    return _between(u, gain * math.sqrt(3) * 2 / sum(_fans(u)))


@xavier_uniform.mistake("The root of the 3 is missing: the bound is √3 deviations.")
def three_for_its_root(u, gain=1.0):
    return _between(u, gain * 3 * math.sqrt(2 / sum(_fans(u))))


@xavier_uniform.mistake(
    "Your range is twice as wide as it should be. √12 is the whole width in deviations; from the middle "
    "to an end it is √3."
)
def width_for_bound(u, gain=1.0):
    return _between(u, gain * math.sqrt(24 / sum(_fans(u))))


@xavier_uniform.mistake("Your weights run from -bound to 0: from -bound to bound the width is 2 · bound.")
def from_below_to_zero(u, gain=1.0):
    bound = gain * math.sqrt(6 / sum(_fans(u)))
    return bound * u - bound


@xavier_uniform.mistake(
    "The range is upside down: 1 - 2u. Small u should give negative weights, as 2u - 1 does."
)
def upside_down(u, gain=1.0):
    return _between(u, -gain * math.sqrt(6 / sum(_fans(u))))


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


@kaiming_normal.mistake("You added both fans. He's scale takes one of them, the one that `mode` names.")
def sum_of_both_fans(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, sum(_fans(z)), nonlinearity)


@kaiming_normal.mistake(
    "The gain is not under the root: 2 / (1 + a²) is a variance, as 1 / fan is. Take the root of both."
)
def gain_without_root(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return 2 / (1 + slope**2) / math.sqrt(_one(z, mode)) * z


@kaiming_normal.mistake("The fan is not under the root: the deviation is gain / √fan.")
def fan_without_root(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 + slope**2)) / _one(z, mode) * z


@kaiming_normal.mistake(
    "You multiplied by the fan. The more inputs meet, the smaller each weight has to be: divide."
)
def times_the_fan(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 + slope**2) * _one(z, mode)) * z


@kaiming_normal.mistake("The two kinds are exchanged: leaky_relu has the slope a, relu has none.")
def kinds_exchanged(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a if nonlinearity == "relu" else 0, _one(z, mode), "leaky_relu")


@kaiming_normal.mistake(
    "A bracket is missing: 2 / 1 + a² / fan is 2 plus a little. The divisor is the whole product (1 + "
    "a²) · fan."
)
def bracket_missing(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / 1 + slope**2 / _one(z, mode)) * z


@kaiming_normal.mistake(
    "A bracket is missing: 1 + a² · fan multiplies the fan by a² only. It is (1 + a²) · fan."
)
def other_bracket_missing(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 + slope**2 * _one(z, mode))) * z


@kaiming_normal.mistake(
    "The slope has the wrong sign: a leak lets more through, so the variance is divided by 1 + a², not "
    "by 1 - a²."
)
def minus_the_slope(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    slope = a if nonlinearity == "leaky_relu" else 0
    return math.sqrt(2 / (1 - slope**2) / _one(z, mode)) * z


@kaiming_normal.mistake(
    "Your fan is the number of all weights. One output sees only its own row: I times the positions, and "
    "for fan_out O times."
)
def fan_of_all_weights(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, z.size, nonlinearity)


@kaiming_normal.mistake("With fan_out you leave out the positions of the kernel. They multiply both fans.")
def fan_out_without_kernel(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _fans(z)[0] if mode == "fan_in" else z.shape[0], nonlinearity)


@kaiming_normal.mistake("With fan_in you leave out the positions of the kernel. They multiply both fans.")
def fan_in_without_kernel(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, z.shape[1] if mode == "fan_in" else _fans(z)[1], nonlinearity)


@kaiming_normal.mistake("You always take fan_out. `mode` says which, and fan_in is its default.")
def always_fan_out(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _fans(z)[1], nonlinearity)


@kaiming_normal.mistake(
    "There is a √3 too many. It turns a deviation into the bound of a uniform distribution; z is normal."
)
def bound_of_uniform(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return math.sqrt(3) * _he(z, a, _one(z, mode), nonlinearity)


@kaiming_normal.mistake(
    "You divided z by its own deviation first. z is standard normal already: its chance stays in it."
)
def rescaled_draws(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _he(z, a, _one(z, mode), nonlinearity) / z.std()


@kaiming_normal.mistake("For leaky_relu your gain is 1. It is √(2 / (1 + a²)), relu's for a = 0.")
def leaky_without_gain(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return (math.sqrt(2) if nonlinearity == "relu" else 1) / math.sqrt(_one(z, mode)) * z


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


def _with_signals(grad_output, x, weight, nonlinearity, h, order=None):
    """The loop with signals, or in an order, that may be wrong."""
    h, grad, grad_weight = np.concatenate([x[None], h]), np.zeros_like(x), np.empty_like(weight)
    for i in reversed(range(len(weight))) if order is None else order:
        d = (grad_output[i] + grad) * _slope(h[i + 1], nonlinearity)
        grad, grad_weight[i] = d @ weight[i], d.T @ h[i]
    return grad, grad_weight


def _first_sums(grad_output, x, weight, nonlinearity):
    """The gradient of the first layer's sums."""
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    behind, _ = in_numpy.signals_backward.unchecked(grad_output[1:], h[0], weight[1:], nonlinearity)
    return (grad_output[0] + behind) * _slope(h[0], nonlinearity)


@signals_backward.mistake(
    "You ran forward as relu whatever `nonlinearity` says: hand it on to `init.signals`."
)
def forward_always_relu(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight, "relu")
    return _with_signals(grad_output, x, weight, nonlinearity, h)


@signals_backward.mistake("This is the backward of relu, whatever `nonlinearity` says.")
def always_relu(grad_output, x, weight, nonlinearity="relu"):
    return in_numpy.signals_backward.unchecked(grad_output, x, weight, "relu")


@signals_backward.mistake(
    "Your slope is relu's, h > 0, for every activation. That of tanh is 1 - h², that of linear 1."
)
def relu_slope_for_all(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], "relu")
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake("For linear you used relu's slope. It is 1 everywhere.")
def relu_slope_for_linear(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], nonlinearity if nonlinearity == "tanh" else "relu")
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "For linear you used h as its slope. h grows by 1 where the sum does: its slope is 1."
)
def linear_slope_h(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * (h[i + 1] if nonlinearity == "linear" else _slope(h[i + 1], nonlinearity))
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake("For tanh you used relu's slope. It is 1 - h².")
def relu_slope_for_tanh(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], "relu" if nonlinearity == "tanh" else nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "Your slope multiplies only what comes from behind. grad_output[l] passes the activation too: both "
    "are gradients of h."
)
def slope_on_the_other_part(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = g + grad * _slope(h[i + 1], nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake("Your slope of tanh is 1 - h. It is 1 - h².")
def tanh_not_squared(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * (1 - h[i + 1] if nonlinearity == "tanh" else _slope(h[i + 1], nonlinearity))
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake("You took tanh once more before its slope. h is the tanh already: 1 - h².")
def tanh_of_tanh(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(np.tanh(h[i + 1]) if nonlinearity == "tanh" else h[i + 1], nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "At exactly 0 you let the gradient through (h >= 0). A silent unit has h = 0, and its slope is 0: h > 0."
)
def silent_units_pass(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * ((h[i + 1] >= 0) if nonlinearity == "relu" else _slope(h[i + 1], nonlinearity))
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "You walk from the first layer to the last. The gradient comes from the end: `reversed`."
)
def from_the_first_layer(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    return _with_signals(grad_output, x, weight, nonlinearity, h, range(len(weight)))


@signals_backward.mistake("Your loop stops one layer early: layer 0 is missing.")
def stops_before_layer_0(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    grad, grad_weight = in_numpy.signals_backward.unchecked(grad_output[1:], h[0], weight[1:], nonlinearity)
    return grad, np.concatenate([np.zeros_like(weight[:1]), grad_weight])


@signals_backward.mistake(
    "The weights' gradients are in reverse order: you collected them on the way back, so the last "
    "layer's stands first."
)
def collected_backward(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return grad_x, grad_weight[::-1].copy()


@signals_backward.mistake(
    "You returned the gradient of the first layer's sums. x is one step further back: through weight[0]."
)
def stops_at_the_sums(grad_output, x, weight, nonlinearity="relu"):
    _, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return _first_sums(grad_output, x, weight, nonlinearity), grad_weight


@signals_backward.mistake(
    "The first layer's input is x. With h[i - 1] and i = 0 you took the last layer's output."
)
def wraps_around(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    d = _first_sums(grad_output, x, weight, nonlinearity)
    return grad_x, np.concatenate([(d.T @ h[-1])[None], grad_weight[1:]])


@signals_backward.mistake("The first layer's input is x, not its own output.")
def first_output_for_x(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    d = _first_sums(grad_output, x, weight, nonlinearity)
    return grad_x, np.concatenate([(d.T @ h[0])[None], grad_weight[1:]])


@signals_backward.mistake(
    "You added grad_output[0] to grad_x. It arrives at the first layer's output, not at x."
)
def added_at_x(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return grad_x + grad_output[0], grad_weight


@signals_backward.mistake(
    "Forward you took h @ weight[l]. The matrices are square, so the shapes cannot tell: it is h @ "
    "weight[l].T."
)
def forward_transposed(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight.mT, nonlinearity)
    return _with_signals(grad_output, x, weight, nonlinearity, h)


@signals_backward.mistake("Forward you handed on the sums: the activation is missing. init.signals has it.")
def forward_without_activation(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight, "linear")
    return _with_signals(grad_output, x, weight, nonlinearity, h)


@signals_backward.mistake(
    "With i = 0 your grad_output[i - 1] is that of the last layer, and grad_x has it too. Nothing is "
    "added at x."
)
def last_added_at_x(grad_output, x, weight, nonlinearity="relu"):
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(grad_output, x, weight, nonlinearity)
    return grad_x + grad_output[-1], grad_weight


@signals_backward.mistake(
    "You added grad_output one layer late: what enters at h[l] has to pass the slope of layer l."
)
def added_one_late(grad_output, x, weight, nonlinearity="relu"):
    late = np.concatenate([grad_output[1:], grad_output[-1:]])
    grad_x, grad_weight = in_numpy.signals_backward.unchecked(late, x, weight, nonlinearity)
    return grad_x + grad_output[0], grad_weight


@signals_backward.mistake(
    "grad_weight is built before the slope. The weight makes the sums, so it needs the gradient of the sums."
)
def weights_before_the_slope(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        d = (g + grad) * _slope(h[i + 1], nonlinearity)
        return d @ w, (g + grad).T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "You added all of grad_output at the last layer. Each grad_output[l] enters at its own layer."
)
def all_at_the_end(grad_output, x, weight, nonlinearity="relu"):
    silent = np.zeros_like(grad_output)
    silent[-1] = grad_output.sum(axis=0)
    return in_numpy.signals_backward.unchecked(silent, x, weight, nonlinearity)


@signals_backward.mistake(
    "For tanh you took the tanh of the layer's input. The slope is 1 - h² with the layer's own output."
)
def tanh_of_the_input(grad_output, x, weight, nonlinearity="relu"):
    def step(i, g, grad, h, w):
        v = np.tanh(h[i]) if nonlinearity == "tanh" else h[i + 1]
        d = (g + grad) * _slope(v, nonlinearity)
        return d @ w, d.T @ h[i]

    return _backward(grad_output, x, weight, nonlinearity, step)


@signals_backward.mistake(
    "Your loop stops at layer 1: you returned the gradient of the first layer's output, not of x."
)
def stops_at_layer_1(grad_output, x, weight, nonlinearity="relu"):
    h = in_numpy.signals.unchecked(x, weight, nonlinearity)
    grad, grad_weight = in_numpy.signals_backward.unchecked(grad_output[1:], h[0], weight[1:], nonlinearity)
    return grad_output[0] + grad, np.concatenate([np.zeros_like(weight[:1]), grad_weight])


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


@lsuv.mistake("You handed relu's activations on, whatever `nonlinearity` says.")
def always_through_relu(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.std(), hand_on=lambda z: np.maximum(z, 0))


@lsuv.mistake("Every layer got x itself. The second layer sees what the first hands on.")
def every_layer_sees_x(x, weight, nonlinearity="relu"):
    return np.stack([w / (x @ w.T).std() for w in weight])


@lsuv.mistake(
    "You took x @ w. The matrices are square, so the shapes cannot tell: the sums of a layer are x @ w.T."
)
def untransposed(x, weight, nonlinearity="relu"):
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / (x @ w).std()
        x = in_numpy._activate(x @ scaled[i], nonlinearity)
    return scaled


@lsuv.mistake("You measured x @ w. The sums of a layer are x @ w.T, as where you hand them on.")
def measured_untransposed(x, weight, nonlinearity="relu"):
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / (x @ w).std()
        x = in_numpy._activate(x @ scaled[i].T, nonlinearity)
    return scaled


@lsuv.mistake(
    "You divided the columns by the units' deviations. LSUV divides a layer's weights by one number: "
    "`std()` without `axis=`."
)
def column_by_column(x, weight, nonlinearity="relu"):
    return _sequential(x, weight, nonlinearity, lambda z, f: z.std(axis=0))


@lsuv.mistake(
    "You divided by the deviation of the weights. What shall have deviation 1 are the sums x @ w.T."
)
def deviation_of_the_weights(x, weight, nonlinearity="relu"):
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / w.std()
        x = in_numpy._activate(x @ scaled[i].T, nonlinearity)
    return scaled


@lsuv.mistake("You divided by the deviation of the input. What shall have deviation 1 are the sums x @ w.T.")
def deviation_of_the_input(x, weight, nonlinearity="relu"):
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / x.std()
        x = in_numpy._activate(x @ scaled[i].T, nonlinearity)
    return scaled


@lsuv.mistake("The weights you return are as they were. You scaled the sums; LSUV scales the weights.")
def weights_unscaled(x, weight, nonlinearity="relu"):
    return weight.copy()


@lsuv.mistake(
    "You measured the activations of the network as it was. Measure the sums, and scale one layer before "
    "you run the next."
)
def from_init_signals(x, weight, nonlinearity="relu"):
    deviations = [h.std() for h in in_numpy.signals.unchecked(x, weight, nonlinearity)]
    return np.stack([w / deviation for w, deviation in zip(weight, deviations)])


@lsuv.mistake(
    "Your activation stands in front of the product. The first layer's sums are x @ w.T; the activation "
    "comes after them."
)
def activated_first(x, weight, nonlinearity="relu"):
    f = lambda z: in_numpy._activate(z, nonlinearity)  # noqa: E731
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / (f(x) @ w.T).std()
        x = x @ scaled[i].T
    return scaled


@lsuv.mistake(
    "Your activation stands in front of the product. The first layer's sums are x @ w.T; f(x) there "
    "loses half of x."
)
def activated_first_throughout(x, weight, nonlinearity="relu"):
    f = lambda z: in_numpy._activate(z, nonlinearity)  # noqa: E731
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        scaled[i] = w / (f(x) @ w.T).std()
        x = f(x) @ scaled[i].T
    return scaled
