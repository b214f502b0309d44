"""Exercises of notebook 09, and what learners' functions usually are when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.activations.in_numpy import sigmoid
from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.gradient_flow import in_numpy

# ------------------------------------------------------------------------------------- clipping together


def clip_together(grad_weight, grad_bias, max_norm):
    """Shorten two gradients by one factor, so that together they are no longer than max_norm.

        total_norm = sqrt(sum(grad_weight**2) + sum(grad_bias**2))
        each times min(1, max_norm / (total_norm + 1e-6))

    Parameters
    ----------
    grad_weight : array (O, D)
    grad_bias : array (O,)
    max_norm : float > 0

    Returns
    -------
    grad_weight : array (O, D)
    grad_bias : array (O,)
    """
    total_norm = np.sqrt((grad_weight * grad_weight).sum() + (grad_bias * grad_bias).sum())
    factor = np.minimum(1.0, max_norm / (total_norm + 1e-6))
    return factor * grad_weight, factor * grad_bias


def _pairs(rng):
    pair = dict(grad_weight=rng.normal(size=(3, 4)), grad_bias=rng.normal(size=3))
    yield Case("clip_together", pair | dict(max_norm=0.5), "longer than max_norm")
    yield Case("clip_together", pair | dict(max_norm=50.0), "shorter than max_norm")
    yield Case(
        "clip_together", pair | dict(grad_bias=20 * rng.normal(size=3), max_norm=6.0), "one of them long"
    )
    tiny = {name: 1e-6 * grad for name, grad in pair.items()}
    yield Case("clip_together", tiny | dict(max_norm=2e-6), "so short that 1e-6 counts")


clipping = Exercise(
    solution=clip_together,
    cases=_pairs,
    hints=[
        "Think of both arrays as one long vector. Its length is one number, and both arrays are multiplied "
        "by one and the same factor.",
        "The length: the root of the sum of all squares, those of grad_weight and those of grad_bias.",
        "factor = np.minimum(1, max_norm / (total_norm + 1e-6)); return factor * grad_weight, factor * "
        "grad_bias.",
    ],
    next="What clipping cannot do is bring a vanished gradient back. A path around the layer can.",
)


def _length(*grads):
    return np.sqrt(sum((g * g).sum() for g in grads))


def _times(factor, *grads):
    return tuple(factor * g for g in grads)


@clipping.mistake(
    "You clipped each array by its own length. Then they are shortened by different factors, and the "
    "direction of the whole gradient bends. Take one length for both together."
)
def clip_each(grad_weight, grad_bias, max_norm):
    return tuple(g * min(1.0, max_norm / (_length(g) + 1e-6)) for g in (grad_weight, grad_bias))


@clipping.mistake(
    "You added the two lengths. Lengths at right angles add like the sides of a triangle: add the squares, "
    "then take the root."
)
def clip_sum_of_lengths(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight) + _length(grad_bias)
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "Gradients shorter than max_norm come out longer. Clipping only shortens: the factor is at most 1."
)
def clip_stretches(grad_weight, grad_bias, max_norm):
    return _times(max_norm / (_length(grad_weight, grad_bias) + 1e-6), grad_weight, grad_bias)


@clipping.mistake("The root is missing: the length is the square root of the sum of squares.")
def clip_no_root(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias) ** 2
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "You cut every number to [-max_norm, max_norm]. That is clipping by value, which bends the direction. "
    "Here the length is limited."
)
def clip_by_value(grad_weight, grad_bias, max_norm):
    return np.clip(grad_weight, -max_norm, max_norm), np.clip(grad_bias, -max_norm, max_norm)


@clipping.mistake(
    "You took the mean of the squares. A length is the root of their sum: a larger model has a longer "
    "gradient."
)
def clip_by_mean(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias) / np.sqrt(grad_weight.size + grad_bias.size)
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "Where it clips, the length becomes 1 and not max_norm: multiply by max_norm after you divide by the "
    "length."
)
def clip_to_one(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(1 / (total + 1e-6) if total > max_norm else 1.0, grad_weight, grad_bias)


@clipping.mistake(
    "Nothing is added to the length: torch divides by total_norm + 1e-6, so that a gradient of exactly 0 "
    "divides nothing by 0. (max(total_norm, 1e-6) is another formula.)"
)
def clip_without_eps(grad_weight, grad_bias, max_norm):
    return _times(min(1.0, max_norm / _length(grad_weight, grad_bias)), grad_weight, grad_bias)


@clipping.mistake("You add a smaller number to the length than torch, which adds 1e-6.")
def clip_other_eps(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(min(1.0, max_norm / (total + 1e-8)), grad_weight, grad_bias)


@clipping.mistake(
    "max and min are exchanged: the factor is the smaller of 1 and max_norm / length. Yours stretches short "
    "gradients and leaves long ones alone."
)
def clip_max_for_min(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(max(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake("The fraction is upside down: the factor is max_norm / length, not length / max_norm.")
def clip_inverted(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(min(1.0, (total + 1e-6) / max_norm), grad_weight, grad_bias)


@clipping.mistake("You added absolute values. The length is the root of the sum of the squares.")
def clip_absolute_values(grad_weight, grad_bias, max_norm):
    total = np.abs(grad_weight).sum() + np.abs(grad_bias).sum()
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "For a matrix np.linalg.norm(g, 2) is the largest singular value. The length of all its numbers is "
    "np.linalg.norm(g), without the 2."
)
def clip_spectral(grad_weight, grad_bias, max_norm):
    total = np.hypot(np.linalg.norm(grad_weight, 2), np.linalg.norm(grad_bias))
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake("You measured the weight's gradient only. The bias belongs to the same long vector.")
def clip_weight_only(grad_weight, grad_bias, max_norm):
    return _times(min(1.0, max_norm / (_length(grad_weight) + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "You averaged the squares of each array. A length is the root of their sum, over all numbers of both."
)
def clip_two_means(grad_weight, grad_bias, max_norm):
    total = np.sqrt((grad_weight * grad_weight).mean() + (grad_bias * grad_bias).mean())
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake("1e-6 is added to the fraction. It is added to the length, before you divide.")
def clip_eps_outside(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(min(1.0, max_norm / total + 1e-6), grad_weight, grad_bias)


@clipping.mistake(
    "You shortened the weight's gradient alone. The same factor multiplies that of the bias, or the "
    "direction bends."
)
def clip_bias_kept(grad_weight, grad_bias, max_norm):
    return clip_together(grad_weight, grad_bias, max_norm)[0], grad_bias.copy()


@clipping.mistake("max_norm is missing: your limit is always 1.")
def clip_limit_one(grad_weight, grad_bias, max_norm):
    return clip_together(grad_weight, grad_bias, 1.0)


@clipping.mistake(
    "Every gradient comes out with length 1. The limit is max_norm, and what is shorter stays as it is."
)
def clip_normalizes(grad_weight, grad_bias, max_norm):
    return _times(1 / (_length(grad_weight, grad_bias) + 1e-6), grad_weight, grad_bias)


@clipping.mistake(
    "You took the longer of the two lengths. Both arrays are one long vector: all squares add up under "
    "one root."
)
def clip_longer_one(grad_weight, grad_bias, max_norm):
    total = max(_length(grad_weight), _length(grad_bias))
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "You took the largest number for the length. The length is the root of the sum of all squares."
)
def clip_largest_number(grad_weight, grad_bias, max_norm):
    total = max(np.abs(grad_weight).max(), np.abs(grad_bias).max())
    return _times(min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake("You divided by the factor. It is at most 1, so dividing makes gradients longer: multiply.")
def clip_divides(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    return _times(1 / min(1.0, max_norm / (total + 1e-6)), grad_weight, grad_bias)


@clipping.mistake(
    "Every row has a factor of its own. One factor for all numbers keeps the direction: sum without `axis=`."
)
def clip_by_row(grad_weight, grad_bias, max_norm):
    total = np.sqrt((grad_weight * grad_weight).sum(axis=1) + grad_bias * grad_bias)
    factor = np.minimum(1.0, max_norm / (total + 1e-6))
    return factor[:, None] * grad_weight, factor * grad_bias


@clipping.mistake("A bracket is missing: 1e-6 is added to the gradient, not to the length.")
def clip_bracket_missing(grad_weight, grad_bias, max_norm):
    total = _length(grad_weight, grad_bias)
    if total <= max_norm:
        return grad_weight.copy(), grad_bias.copy()
    return grad_weight * max_norm / total + 1e-6, grad_bias * max_norm / total + 1e-6


@clipping.mistake(
    "For the bias you measured once more, with the weight's gradient shortened already. Measure once, "
    "then shorten both."
)
def clip_measured_again(grad_weight, grad_bias, max_norm):
    first, _ = clip_together(grad_weight, grad_bias, max_norm)
    return first, clip_together(first, grad_bias, max_norm)[1]


# ---------------------------------------------------------------------------------- a product of Jacobians

jacobian_product = Exercise(
    solution=in_numpy.jacobian_product,
    hints=[
        "Walk forward through the layers. Keep two things: h, and the matrix that says how h feels x. In the "
        "beginning h is x, and that matrix is the identity.",
        "One layer is h -> tanh(w @ h + b). Its Jacobian is the matrix w with row i multiplied by the slope "
        "1 - tanh(...)[i]**2.",
        "h = np.tanh(w @ h + b), then jacobian = (1 - h * h)[:, None] * (w @ jacobian): the new layer is "
        "multiplied from the left.",
    ],
    next="Multiply a gradient from the left, and you have backpropagation.",
)


def _product(x, weight, bias, step):
    h, jacobian = x, np.eye(len(x), dtype=x.dtype)
    for w, b in zip(weight, bias):
        before, h = h, np.tanh(w @ h + b)
        jacobian = step(jacobian, w, 1 - h * h, w @ before + b, before)
    return jacobian


@jacobian_product.mistake(
    "You multiplied the new layer from the right. It acts after the others, on what they give, so it "
    "stands on their left."
)
def jacobian_reversed(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: j @ (slope[:, None] * w))


@jacobian_product.mistake(
    "The slopes multiply the columns. They belong to the outputs of the layer, and those are the rows: "
    "slope[:, None] * w."
)
def jacobian_slopes_on_columns(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: (w * slope) @ j)


@jacobian_product.mistake("You multiplied the weights only. Each tanh adds its slope, 1 - h**2.")
def jacobian_without_slopes(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: w @ j)


@jacobian_product.mistake("You used 1 - z**2. The slope of tanh is 1 - h**2 with its output h = tanh(z).")
def jacobian_slope_of_the_input(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: (1 - z * z)[:, None] * (w @ j))


@jacobian_product.mistake(
    "The slopes are one layer late: layer l needs 1 - h**2 of its own output, not of its input."
)
def jacobian_late_slopes(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: (1 - before * before)[:, None] * (w @ j))


@jacobian_product.mistake("You used the slope of the sigmoid, h * (1 - h). That of tanh is 1 - h**2.")
def jacobian_sigmoid_slope(x, weight, bias):
    def step(j, w, slope, z, before):
        h = np.tanh(z)
        return (h * (1 - h))[:, None] * (w @ j)

    return _product(x, weight, bias, step)


@jacobian_product.mistake(
    "Your matrix is transposed: entry (i, j) says how output i feels input j, so outputs are rows."
)
def jacobian_transposed(x, weight, bias):
    return in_numpy.jacobian_product.unchecked(x, weight, bias).T


@jacobian_product.mistake(
    "Your layers see no bias. It does not stand in the product itself, but it moves h, and with it every "
    "slope."
)
def jacobian_without_bias(x, weight, bias):
    return in_numpy.jacobian_product.unchecked(x, weight, 0 * bias)


@jacobian_product.mistake(
    "The product j @ w has the layers in the wrong order. The new layer acts last, so its weight stands "
    "on the left."
)
def jacobian_weight_on_the_right(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: slope[:, None] * (j @ w))


@jacobian_product.mistake(
    "The slopes multiply the columns of the product. They belong to the outputs of the layer, the rows: "
    "an axis is missing, [:, None]."
)
def jacobian_slopes_without_axis(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: slope * (w @ j))


@jacobian_product.mistake("Your slope is 1 - h. That of tanh is 1 - h**2.")
def jacobian_h_not_squared(x, weight, bias):
    def step(j, w, slope, z, before):
        return (1 - np.tanh(z))[:, None] * (w @ j)

    return _product(x, weight, bias, step)


@jacobian_product.mistake(
    "Forward you took h @ w. A single vector fits on both sides: the layer computes w @ h."
)
def jacobian_forward_transposed(x, weight, bias):
    h, jacobian = x, np.eye(len(x), dtype=x.dtype)
    for w, b in zip(weight, bias):
        h = np.tanh(h @ w + b)
        jacobian = (1 - h * h)[:, None] * (w @ jacobian)
    return jacobian


@jacobian_product.mistake(
    "You multiplied with w.T. That is the way of a gradient back; here you go forward, with w."
)
def jacobian_weight_transposed(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: slope[:, None] * (w.T @ j))


@jacobian_product.mistake(
    "You multiplied number by number, with `*`. Layers follow one another by matrix products: `@`."
)
def jacobian_elementwise(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: slope[:, None] * (w * j))


@jacobian_product.mistake("The slopes stand there twice. Each layer has one tanh.")
def jacobian_slopes_twice(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: (slope * slope)[:, None] * (w @ j))


@jacobian_product.mistake("This is the Jacobian of the last layer alone. It multiplies all layers before it.")
def jacobian_last_layer(x, weight, bias):
    return _product(x, weight, bias, lambda j, w, slope, z, before: slope[:, None] * w)


@jacobian_product.mistake(
    "This is the Jacobian of the first layer alone. Does your `return` stand inside the loop?"
)
def jacobian_first_layer(x, weight, bias):
    return _product(x, weight[:1], bias[:1], lambda j, w, slope, z, before: slope[:, None] * (w @ j))


@jacobian_product.mistake("You stop one layer early: the last one is missing.")
def jacobian_one_short(x, weight, bias):
    return _product(x, weight[:-1], bias[:-1], lambda j, w, slope, z, before: slope[:, None] * (w @ j))


# ------------------------------------------------------------------------------------------- the gate

highway_backward = Exercise(
    solution=in_numpy.highway_backward,
    hints=[
        "Four lines forward: z = x @ weight.T + bias, h = tanh(z), t = sigmoid(x @ weight_gate.T + "
        "bias_gate), y = t * h + (1 - t) * x. Three of them read x.",
        "y feels h by t, t by h - x, and x itself by 1 - t. So grad_z = grad_output * t * (1 - h * h), and "
        "for the gate's sum grad_gate = grad_output * (h - x) * t * (1 - t).",
        "grad_x = grad_output * (1 - t) + grad_z @ weight + grad_gate @ weight_gate. The rest is two linear "
        "layers: grad_z.T @ x, grad_z.sum(axis=0), and the same with grad_gate.",
    ],
    next="The same gate through time, opened for what to forget, is the heart of the LSTM.",
)


def _highway(grad_output, x, weight, bias, weight_gate, bias_gate, **wrong):
    """The solution with one piece replaced."""
    v = {"h": np.tanh(x @ weight.T + bias), "t": sigmoid(x @ weight_gate.T + bias_gate)}
    v |= dict(g=grad_output, x=x, weight=weight, weight_gate=weight_gate)
    pieces = dict(
        z=lambda v: v["g"] * v["t"] * (1 - v["h"] ** 2),
        gate=lambda v: v["g"] * (v["h"] - v["x"]) * v["t"] * (1 - v["t"]),
        grad_x=lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight + v["gate"] @ weight_gate,
        grad_weights=lambda v: (v["z"].T @ x, v["gate"].T @ x),
    )
    for name, piece in pieces.items():
        v[name] = wrong.get(name, piece)(v)
    first, second = v["grad_weights"]
    return v["grad_x"], first, v["z"].sum(axis=0), second, v["gate"].sum(axis=0)


@highway_backward.mistake(
    "Your grad_x misses the short way: y = ... + (1 - t) * x reads x itself, which adds grad_output * (1 - "
    "t). It is the path for which the layer was built."
)
def highway_no_carry(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["z"] @ weight + v["gate"] @ weight_gate)


@highway_backward.mistake(
    "Your grad_x misses the gate: t depends on x as well, which adds grad_gate @ weight_gate."
)
def highway_no_gate_path(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight)


@highway_backward.mistake("Your grad_x misses the way through the layer: add grad_z @ weight.")
def highway_no_layer_path(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] * (1 - v["t"]) + v["gate"] @ weight_gate)


@highway_backward.mistake(
    "For the gate you looked at t * h only. t stands in (1 - t) * x too, so y feels t by h - x."
)
def highway_gate_without_x(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * v["h"] * v["t"] * (1 - v["t"]))


@highway_backward.mistake("The sign of the gate's gradient is turned: y feels t by h - x, not by x - h.")
def highway_gate_sign(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * (v["x"] - v["h"]) * v["t"] * (1 - v["t"]))


@highway_backward.mistake("The gate's slope is missing: t is a sigmoid, with slope t * (1 - t).")
def highway_no_gate_slope(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * (v["h"] - v["x"]))


@highway_backward.mistake("grad_z misses the factor t: what the gate does not let out, it does not let back.")
def highway_layer_ungated(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * (1 - v["h"] ** 2))


@highway_backward.mistake("grad_z misses the slope of tanh, 1 - h**2.")
def highway_no_tanh_slope(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * v["t"])


@highway_backward.mistake(
    "Your grad_x takes the transposed weights. Both are square, so the shapes cannot warn you: forward has "
    "x @ weight.T, backward grad_z @ weight."
)
def highway_transposed_back(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    back = lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight.T + v["gate"] @ weight_gate.T  # noqa: E731
    return _highway(*args, grad_x=back)


@highway_backward.mistake(
    "Your weight gradients are transposed. Row o belongs to output o: grad_z.T @ x, not x.T @ grad_z."
)
def highway_transposed_weights(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_weights=lambda v: (x.T @ v["z"], x.T @ v["gate"]))


@highway_backward.mistake(
    "The short way is weighted: y = ... + (1 - t) * x hands grad_output * (1 - t) to x, not grad_output as "
    "the shortcut of a residual block does."
)
def highway_whole_carry(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] + v["z"] @ weight + v["gate"] @ weight_gate)


@highway_backward.mistake(
    "The short way has the wrong weight: x goes on by 1 - t, so grad_output * (1 - t) comes back, not "
    "grad_output * t."
)
def highway_carry_by_t(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] * v["t"] + v["z"] @ weight + v["gate"] @ weight_gate)


@highway_backward.mistake(
    "Your grad_x knows the short way only. x is read by the layer and by the gate as well: add grad_z @ "
    "weight and grad_gate @ weight_gate."
)
def highway_only_carry(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] * (1 - v["t"]))


@highway_backward.mistake("You used 1 - z**2. The slope of tanh is 1 - h**2 with its output h = tanh(z).")
def highway_slope_of_the_input(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * v["t"] * (1 - (x @ weight.T + bias) ** 2))


@highway_backward.mistake(
    "In grad_x the weight is transposed, and weight_gate is not. Both are square, so the shapes cannot warn "
    "you: grad_z @ weight."
)
def highway_weight_transposed(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(
        *args, grad_x=lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight.T + v["gate"] @ weight_gate
    )


@highway_backward.mistake(
    "In grad_x weight_gate is transposed, and the weight is not. Both are square, so the shapes cannot warn "
    "you: grad_gate @ weight_gate."
)
def highway_gate_transposed(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(
        *args, grad_x=lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight + v["gate"] @ weight_gate.T
    )


def _gated(grad_output, x, weight, weight_gate, h, t, exchanged=False):
    """The gradients for given h and t; exchanged, those of t * x + (1 - t) * h."""
    by_h, by_t, carried = (1 - t, x - h, t) if exchanged else (t, h - x, 1 - t)
    z, gate = grad_output * by_h * (1 - h * h), grad_output * by_t * t * (1 - t)
    grad_x = grad_output * carried + z @ weight + gate @ weight_gate
    return grad_x, z.T @ x, z.sum(axis=0), gate.T @ x, gate.sum(axis=0)


@highway_backward.mistake("Your slope of tanh is 1 - h. It is 1 - h**2.")
def highway_h_not_squared(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * v["t"] * (1 - v["h"]))


@highway_backward.mistake("For h you used the slope of a sigmoid, h * (1 - h). That of tanh is 1 - h**2.")
def highway_sigmoid_slope(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * v["t"] * v["h"] * (1 - v["h"]))


@highway_backward.mistake("For the gate you used the slope of tanh, 1 - t**2. t is a sigmoid.")
def highway_tanh_slope(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * (v["h"] - v["x"]) * (1 - v["t"] ** 2))


@highway_backward.mistake("Half of the gate's slope is missing: that of a sigmoid is t * (1 - t), not t.")
def highway_half_slope(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * (v["h"] - v["x"]) * v["t"])


@highway_backward.mistake("In grad_z the gate is the wrong way round: h goes on by t, not by 1 - t.")
def highway_layer_by_carry(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * (1 - v["t"]) * (1 - v["h"] ** 2))


@highway_backward.mistake(
    "Forward you took x @ weight. Both matrices are square, so the shapes cannot warn you: the layer "
    "computes x @ weight.T."
)
def highway_forward_transposed(grad_output, x, weight, bias, weight_gate, bias_gate):
    t = sigmoid(x @ weight_gate + bias_gate)
    h = np.tanh(x @ weight + bias)
    return _gated(grad_output, x, weight, weight_gate, h, t)


@highway_backward.mistake(
    "In grad_x the two weights are exchanged: each gradient goes back through its own layer."
)
def highway_weights_exchanged(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: v["g"] * (1 - v["t"]) + v["z"] @ weight_gate + v["gate"] @ weight)


@highway_backward.mistake("Your sigmoid is twice as steep: inside the tanh stands z / 2.")
def highway_steep_sigmoid(grad_output, x, weight, bias, weight_gate, bias_gate):
    t, h = (1 + np.tanh(x @ weight_gate.T + bias_gate)) / 2, np.tanh(x @ weight.T + bias)
    return _gated(grad_output, x, weight, weight_gate, h, t)


@highway_backward.mistake("bias_gate is missing where you compute t again.")
def highway_no_bias_gate(grad_output, x, weight, bias, weight_gate, bias_gate):
    return _highway(grad_output, x, weight, bias, weight_gate, 0 * bias_gate)


@highway_backward.mistake("bias is missing where you compute h again.")
def highway_no_bias(grad_output, x, weight, bias, weight_gate, bias_gate):
    return _highway(grad_output, x, weight, 0 * bias, weight_gate, bias_gate)


@highway_backward.mistake(
    "You have t and 1 - t exchanged throughout: yours is the gradient of t * x + (1 - t) * h."
)
def highway_gates_exchanged(grad_output, x, weight, bias, weight_gate, bias_gate):
    t, h = sigmoid(x @ weight_gate.T + bias_gate), np.tanh(x @ weight.T + bias)
    return _gated(grad_output, x, weight, weight_gate, h, t, exchanged=True)


@highway_backward.mistake(
    "On the short way grad_output is missing: 1 - t is its slope, and a slope multiplies what arrives."
)
def highway_bare_carry(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_x=lambda v: (1 - v["t"]) + v["z"] @ weight + v["gate"] @ weight_gate)


@highway_backward.mistake("On the short way you multiplied by x. The slope of (1 - t) * x in x is 1 - t.")
def highway_carry_times_x(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(
        *args, grad_x=lambda v: v["g"] * x * (1 - v["t"]) + v["z"] @ weight + v["gate"] @ weight_gate
    )


@highway_backward.mistake("For the gate grad_output is missing: what arrives multiplies h - x as well.")
def highway_gate_without_grad(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: (v["h"] - v["x"]) * v["t"] * (1 - v["t"]))


@highway_backward.mistake(
    "Your grad_x goes back through the weights without the slopes. Behind the weights stand the sums: "
    "grad_z and grad_gate."
)
def highway_back_without_slopes(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(
        *args,
        grad_x=lambda v: (
            v["g"] * (1 - v["t"]) + v["g"] * v["t"] @ weight + v["g"] * (v["h"] - v["x"]) @ weight_gate
        ),
    )


@highway_backward.mistake("For the gate you took h + x. x stands behind 1 - t, so y feels t by h - x.")
def highway_gate_sum(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: v["g"] * (v["h"] + v["x"]) * v["t"] * (1 - v["t"]))


@highway_backward.mistake("A bracket is missing: grad_output multiplies the whole of h - x.")
def highway_gate_bracket(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, gate=lambda v: (v["g"] * v["h"] - v["x"]) * v["t"] * (1 - v["t"]))


@highway_backward.mistake("For grad_weight_gate you took h. The gate reads x, as the layer does.")
def highway_gate_saw_h(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, grad_weights=lambda v: (v["z"].T @ x, v["gate"].T @ v["h"]))


@highway_backward.mistake("Both slopes are missing: 1 - h**2 for the tanh and t * (1 - t) for the gate.")
def highway_no_slopes(grad_output, x, weight, bias, weight_gate, bias_gate):
    args = (grad_output, x, weight, bias, weight_gate, bias_gate)
    return _highway(*args, z=lambda v: v["g"] * v["t"], gate=lambda v: v["g"] * (v["h"] - v["x"]))


@highway_backward.mistake("Forward both biases are missing: x @ weight.T + bias, and the same for the gate.")
def highway_no_biases(grad_output, x, weight, bias, weight_gate, bias_gate):
    return _highway(grad_output, x, weight, 0 * bias, weight_gate, 0 * bias_gate)


# --------------------------------------------------------------------------------------- pre-activation

preact_block_backward = Exercise(
    solution=in_numpy.preact_block_backward,
    hints=[
        "Name the lines: a = relu(x), z1 = a @ weight1.T + bias1, h = relu(z1), y = x + h @ weight2.T + "
        "bias2. Which lines read x?",
        "Nothing stands on the bridge: grad_output reaches x unchanged. The other path meets both ReLUs.",
        "grad_z1 = (grad_output @ weight2) * (z1 > 0), grad_x = grad_output + (grad_z1 @ weight1) * (x > 0); "
        "the first weight saw a, not x: grad_z1.T @ a.",
    ],
    next="A path whose width is learned: the gate.",
)


def _preact(
    grad_output, x, weight1, bias1, weight2, bridge=None, keep_x=None, keep_z=None, seen=None, out=None
):
    a = np.maximum(x, 0)
    z1 = a @ weight1.T + bias1
    h = np.maximum(z1, 0)
    grad_z1 = (grad_output @ weight2) * ((z1 > 0) if keep_z is None else keep_z)
    through = (grad_z1 @ weight1) * ((x > 0) if keep_x is None else keep_x)
    grad_x = (grad_output if bridge is None else bridge * grad_output) + through
    first = grad_z1.T @ (a if seen is None else seen)
    return (
        grad_x,
        first,
        grad_z1.sum(axis=0),
        grad_output.T @ (h if out is None else z1),
        grad_output.sum(axis=0),
    )


@preact_block_backward.mistake(
    "Your grad_x knows the layers' path only. x also reaches y over the bridge: add grad_output."
)
def preact_no_bridge(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, bridge=0)


@preact_block_backward.mistake("Your grad_x knows the bridge only. Add what comes back through the layers.")
def preact_bridge_only(grad_output, x, weight1, bias1, weight2, bias2):
    return grad_output, *_preact(grad_output, x, weight1, bias1, weight2)[1:]


@preact_block_backward.mistake(
    "The first ReLU is missing on the way back: what comes through the layers is multiplied by (x > 0)."
)
def preact_no_first_mask(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, keep_x=1)


@preact_block_backward.mistake(
    "The second ReLU is missing on the way back: units with z1 <= 0 pass nothing. Multiply by (z1 > 0)."
)
def preact_no_second_mask(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, keep_z=1)


@preact_block_backward.mistake(
    "You masked the bridge as well. There is no ReLU on it: grad_output reaches x unchanged, for negative "
    "x too."
)
def preact_masked_bridge(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, bridge=x > 0)


@preact_block_backward.mistake(
    "The gradient of weight1 is built with x. The first layer was fed relu(x): grad_z1.T @ relu(x)."
)
def preact_weight_saw_x(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, seen=x)


@preact_block_backward.mistake(
    "The gradient of weight2 is built with z1. The second layer was fed relu(z1): grad_output.T @ h."
)
def preact_weight_saw_z(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, out="z1")


@preact_block_backward.mistake(
    "You forgot the first ReLU on the way back: weight1 was fed relu(x), and what comes back through the "
    "layers is multiplied by (x > 0)."
)
def preact_forgot_first_relu(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, keep_x=1, seen=x)


@preact_block_backward.mistake(
    "This is residual_block_backward, another block: its first layer is fed x, and its ReLU stands behind "
    "the sum. Here it is fed relu(x), and nothing follows the sum."
)
def preact_other_block(grad_output, x, weight1, bias1, weight2, bias2):
    return in_numpy.residual_block_backward.unchecked(grad_output, x, weight1, bias1, weight2, bias2)


@preact_block_backward.mistake(
    "The layer sees x in your code, on the way up and on the way back: it is fed relu(x). Compute a = "
    "np.maximum(x, 0) first."
)
def preact_no_first_relu_at_all(grad_output, x, weight1, bias1, weight2, bias2):
    z1 = x @ weight1.T + bias1
    h, grad_z1 = np.maximum(z1, 0), (grad_output @ weight2) * (z1 > 0)
    grad_weights = grad_z1.T @ x, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)
    return grad_output + grad_z1 @ weight1, *grad_weights


@preact_block_backward.mistake(
    "There is a ReLU too many: yours stands behind the sum as well. Here nothing follows the sum, and "
    "grad_output arrives unmasked."
)
def preact_relu_behind(grad_output, x, weight1, bias1, weight2, bias2):
    y = in_numpy.preact_block.unchecked(x, weight1, bias1, weight2, bias2)
    return _preact(grad_output * (y > 0), x, weight1, bias1, weight2)


@preact_block_backward.mistake(
    "Both ReLUs are missing on the way back. Each lets through only where its input was above 0."
)
def preact_no_masks(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, keep_x=1, keep_z=1)


@preact_block_backward.mistake("Forward you left out the first ReLU: the first layer is fed relu(x), not x.")
def preact_fed_x(grad_output, x, weight1, bias1, weight2, bias2):
    z1 = x @ weight1.T + bias1
    h, grad_z1 = np.maximum(z1, 0), (grad_output @ weight2) * (z1 > 0)
    grad_x = grad_output + (grad_z1 @ weight1) * (x > 0)
    return grad_x, grad_z1.T @ x, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)


@preact_block_backward.mistake(
    "Forward you left out the first ReLU, though grad_weight1 has it. z1 is built from relu(x), and so "
    "it says which units are on."
)
def preact_fed_x_once(grad_output, x, weight1, bias1, weight2, bias2):
    a, z1 = np.maximum(x, 0), x @ weight1.T + bias1
    h, grad_z1 = np.maximum(z1, 0), (grad_output @ weight2) * (z1 > 0)
    grad_x = grad_output + (grad_z1 @ weight1) * (x > 0)
    return grad_x, grad_z1.T @ a, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)


@preact_block_backward.mistake("bias1 is missing where you compute z1 again. It decides which units are on.")
def preact_no_bias(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, 0 * bias1, weight2)


@preact_block_backward.mistake(
    "At the second ReLU you multiplied by its output h. Its slope is 1 where z1 > 0, else 0."
)
def preact_times_h(grad_output, x, weight1, bias1, weight2, bias2):
    h = np.maximum(np.maximum(x, 0) @ weight1.T + bias1, 0)
    return _preact(grad_output, x, weight1, bias1, weight2, keep_z=h)


@preact_block_backward.mistake(
    "At the first ReLU you multiplied by its output. Its slope is 1 where x > 0, else 0."
)
def preact_times_a(grad_output, x, weight1, bias1, weight2, bias2):
    return _preact(grad_output, x, weight1, bias1, weight2, keep_x=np.maximum(x, 0))


@preact_block_backward.mistake(
    "You applied the ReLU to the gradient itself. What counts is the sign of the ReLU's input, not that "
    "of the gradient."
)
def preact_relu_of_gradient(grad_output, x, weight1, bias1, weight2, bias2):
    a = np.maximum(x, 0)
    h = np.maximum(a @ weight1.T + bias1, 0)
    grad_z1 = np.maximum(grad_output @ weight2, 0)
    grad_x = grad_output + np.maximum(grad_z1 @ weight1, 0)
    return grad_x, grad_z1.T @ a, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)


@preact_block_backward.mistake(
    "For the bridge you added 1. Its slope is 1, and slopes multiply what arrives: grad_output."
)
def preact_adds_one(grad_output, x, weight1, bias1, weight2, bias2):
    grad_x, *rest = _preact(grad_output, x, weight1, bias1, weight2, bridge=0)
    return grad_x + 1, *rest


@preact_block_backward.mistake(
    "For the bridge you added x, as forward does. What comes back over it is grad_output."
)
def preact_adds_x(grad_output, x, weight1, bias1, weight2, bias2):
    grad_x, *rest = _preact(grad_output, x, weight1, bias1, weight2, bridge=0)
    return grad_x + x, *rest


# ------------------------------------------------------------------------------- back through fifty steps


def _points(rng):
    yield from core.cases("gradient_flow.cliff_backward")
    points = np.column_stack([rng.uniform(3, 7, size=4), rng.uniform(-3, -1, size=4)])
    yield Case("cliff", dict(x=points, steps=3, target=0.2), "another target")


cliff_backward = Exercise(
    solution=in_numpy.cliff_backward,
    hints=[
        "Forward, keep p[0], p[1], ..., p[steps], with p[0] = sigmoid(0.5) and p[t + 1] = sigmoid(w * p[t] "
        "+ b).",
        "Start behind: the loss (p - target)**2 hands 2 * (p - target) to p, and p's sigmoid multiplies by "
        "p * (1 - p). That is grad_s for the last sum s = w * p_before + b.",
        "Each step back: grad_w += grad_s * p_before, grad_b += grad_s, and then grad_s = grad_s * w * "
        "p_before * (1 - p_before). Every use of w and b adds its share.",
    ],
    next="With a vector for s and a matrix for w this is backpropagation through time.",
    cases=_points,
)


def _cliff(grad_output, x, steps, target, last=None, back=None, share=None, only=None):
    w, b = x.T
    p = [sigmoid.unchecked(np.full_like(w, 0.5))]
    for _ in range(steps):
        p.append(sigmoid.unchecked(w * p[-1] + b))
    end = p[-1]
    grad_s = (last or (lambda g, p: g * 2 * (p - target) * p * (1 - p)))(grad_output, end)
    grad_w, grad_b = np.zeros_like(w), np.zeros_like(b)
    for t in range(steps - 1, -1, -1):
        if only is None or t in only(steps):
            grad_w = grad_w + grad_s * p[t + 1 if share == "after" else t]
            grad_b = grad_b + grad_s
        grad_s = (back or (lambda g, w, p, after: g * w * p * (1 - p)))(grad_s, w, p[t], p[t + 1])
    scale = 1 / steps if share == "mean" else 1
    return np.stack([scale * grad_w, scale * grad_b], axis=1)


@cliff_backward.mistake(
    "You used the last step only. w and b are read in every step, and every use adds its share."
)
def cliff_last_step(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, only=lambda steps: [steps - 1])


@cliff_backward.mistake(
    "You kept only what arrives at the first step. Every step on the way adds its share to grad_w and grad_b."
)
def cliff_first_step(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, only=lambda steps: [0])


@cliff_backward.mistake(
    "The factor w is missing on the way back: s[t + 1] = w * p[t] + b hands grad_s * w to p[t]."
)
def cliff_no_w(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, back=lambda g, w, p, after: g * p * (1 - p))


@cliff_backward.mistake("The slope of the sigmoid, p * (1 - p), is missing on the way back.")
def cliff_no_slope(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, back=lambda g, w, p, after: g * w)


@cliff_backward.mistake(
    "Your slopes are one step late: to pass p[t] you need p[t] * (1 - p[t]), not that of p[t + 1]."
)
def cliff_late_slope(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, back=lambda g, w, p, after: g * w * after * (1 - after))


@cliff_backward.mistake(
    "The share of w is grad_s times what w was multiplied with: the p before the step, not the one it made."
)
def cliff_share_after(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, share="after")


@cliff_backward.mistake("You took the mean over the steps. Shares add up; nothing divides them.")
def cliff_mean(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, share="mean")


@cliff_backward.mistake("The last sigmoid is missing: grad_s begins as 2 * (p - target) * p * (1 - p).")
def cliff_no_last_slope(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, last=lambda g, p: g * 2 * (p - target))


@cliff_backward.mistake("The 2 of the square is missing: the slope of (p - target)**2 is 2 * (p - target).")
def cliff_no_two(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, last=lambda g, p: g * (p - target) * p * (1 - p))


@cliff_backward.mistake("grad_output is missing: what arrives from behind multiplies everything.")
def cliff_no_grad_output(grad_output, x, steps=50, target=0.7):
    return _cliff(np.ones_like(grad_output), x, steps, target)


def _unrolled(
    grad_output, x, steps, target, way=lambda p: reversed(p[:-1]), start=sigmoid.unchecked, late=False
):
    """The loop as a learner writes it, over the states kept in a list."""
    w, b = x.T
    p = [start(np.full_like(w, 0.5))]
    for _ in range(steps):
        p.append(sigmoid.unchecked(w * p[-1] + b))
    grad_s, grad_w, grad_b = grad_output * 2 * (p[-1] - target) * p[-1] * (1 - p[-1]), 0 * w, 0 * b
    for before in way(p):
        passed = grad_s * w * before * (1 - before)
        share = passed if late else grad_s
        grad_w, grad_b = grad_w + share * before, grad_b + share
        grad_s = passed
    return np.stack([grad_w, grad_b], axis=1)


@cliff_backward.mistake("Your target is always 0.7. It is an argument.")
def cliff_fixed_target(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, 0.7)


@cliff_backward.mistake("You always take 50 steps. `steps` is an argument.")
def cliff_fixed_steps(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, 50, target)


@cliff_backward.mistake("You start at p = 0.5. The first state is sigmoid(0.5).")
def cliff_other_start(grad_output, x, steps=50, target=0.7):
    return _unrolled(grad_output, x, steps, target, start=lambda p: p)


@cliff_backward.mistake("The two columns are exchanged: a point is (w, b), and so is its gradient.")
def cliff_columns_exchanged(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target)[:, ::-1]


@cliff_backward.mistake(
    "You passed each step before its share was added: grad_w and grad_b take grad_s first, then it goes "
    "one step back."
)
def cliff_share_too_late(grad_output, x, steps=50, target=0.7):
    return _unrolled(grad_output, x, steps, target, late=True)


@cliff_backward.mistake("You walk through the steps forward. The gradient comes from the end: `reversed`.")
def cliff_forward_order(grad_output, x, steps=50, target=0.7):
    return _unrolled(grad_output, x, steps, target, way=lambda p: p[:-1])


@cliff_backward.mistake(
    "You start the way back with the last state as the one before. The last sum was made from p[steps - "
    "1]: leave the last state out."
)
def cliff_one_too_many(grad_output, x, steps=50, target=0.7):
    return _unrolled(grad_output, x, steps, target, way=lambda p: reversed(p))


@cliff_backward.mistake("You stop one step early: the first step, out of p[0], uses w and b too.")
def cliff_one_too_few(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, only=lambda steps: range(1, steps))


@cliff_backward.mistake("The loss is missing on the way back: (p - target)**2 hands 2 * (p - target) to p.")
def cliff_no_difference(grad_output, x, steps=50, target=0.7):
    return _cliff(grad_output, x, steps, target, last=lambda g, p: g * 2 * p * (1 - p))
