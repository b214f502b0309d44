"""Exercises of notebook 02, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib.activations import in_numpy
from nnlib.activations.in_numpy import sigmoid
from nnlib.exercises import Exercise

# -------------------------------------------------------------------------------------------------- elu

elu = Exercise(
    solution=in_numpy.elu,
    hints=[
        "Two formulas, chosen number by number: `np.where(x > 0, ..., ...)`.",
        "On the left the value is alpha * (exp(x) - 1). At 0 that is 0, so the two sides meet.",
        "`np.where` computes both sides and picks: `np.exp(np.minimum(x, 0))` never overflows on the way.",
    ],
    next="a slope that needs the product rule: `activations.silu_backward`.",
)


@elu.mistake(
    "alpha is missing: on the left it is alpha * (exp(x) - 1). For x = -3 and alpha = 2 that is -1.900, "
    "where yours gives -0.950."
)
def no_alpha(x, alpha=1.0):
    return in_numpy.elu.unchecked(x)


@elu.mistake(
    "You return alpha * exp(x) on the left, without the - 1. At x = 0 that jumps from alpha to 0; the - 1 "
    "joins the two sides."
)
def no_minus_one(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0)))


@elu.mistake(
    "alpha stands in the exponent. It scales the left side, alpha * (exp(x) - 1), and sets the floor: -alpha."
)
def alpha_in_the_exponent(x, alpha=1.0):
    return np.where(x > 0, x, np.expm1(np.minimum(alpha * x, 0)))


@elu.mistake(
    "alpha scales the right side, too. Positive numbers pass unchanged; alpha belongs to the left alone."
)
def alpha_on_both_sides(x, alpha=1.0):
    return alpha * in_numpy.elu.unchecked(x)


@elu.mistake("That is leaky ReLU with slope alpha. ELU bends: alpha * (exp(x) - 1) levels off at -alpha.")
def leaky(x, alpha=1.0):
    return np.where(x > 0, x, alpha * x)


@elu.mistake(
    "You multiply both formulas by 0 or 1 and add them. At x = 1000 exp(x) is infinite, and infinity "
    "times 0 is NaN. Choose with `np.where`, and let exp see `np.minimum(x, 0)`."
)
def by_masks(x, alpha=1.0):
    return x * (x > 0) + alpha * (np.exp(x) - 1) * (x <= 0)


@elu.mistake(
    "Your - 1 stands outside: alpha * exp(x) - 1. alpha multiplies the whole bracket, or the two sides do "
    "not meet at 0."
)
def minus_one_outside(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0)) - 1)


@elu.mistake("Your two sides are swapped: positive numbers pass unchanged, the others bend.")
def sides_swapped(x, alpha=1.0):
    return np.where(x > 0, alpha * np.expm1(x), x)


@elu.mistake(
    "You take the larger of the two formulas. That is the right one only for alpha between 0 and 1; what "
    "decides is x > 0."
)
def the_larger(x, alpha=1.0):
    return np.maximum(x, alpha * np.expm1(np.minimum(x, 0)))


@elu.mistake("You add the bent part for positive numbers as well. There x alone is wanted.")
def bent_part_everywhere(x, alpha=1.0):
    return np.maximum(x, 0) + alpha * np.expm1(x)


# ---------------------------------------------------------------------------------------- silu backward

silu_backward = Exercise(
    solution=in_numpy.silu_backward,
    hints=[
        "silu(x) = x * s is a product, and both factors depend on x. What does the product rule say?",
        "The slope of x is 1 and the slope of s = sigmoid(x) is s * (1 - s), which you know from notebook "
        "01.",
        "grad_output * (s + x * s * (1 - s)), with s = sigmoid(x).",
    ],
    next="numbers that compete with each other: `activations.softmax`.",
)


@silu_backward.mistake(
    "You took the gate as a constant. It depends on x as well: the second term of the product rule is x * "
    "s * (1 - s)."
)
def gate_held_constant(grad_output, x):
    return grad_output * sigmoid.unchecked(x)


@silu_backward.mistake(
    "You took the x in front as a constant. Its own slope is 1, which gives the first term of the product "
    "rule: s."
)
def factor_held_constant(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * x * s * (1 - s)


@silu_backward.mistake(
    "You multiplied the two slopes, 1 and s * (1 - s). The slope of a product is a sum: one term for each "
    "factor."
)
def product_of_the_slopes(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * s * (1 - s)


@silu_backward.mistake(
    "The slope of the sigmoid is s * (1 - s) with s = sigmoid(x). You put the output of silu in its place."
)
def slope_of_the_output(grad_output, x):
    s = sigmoid.unchecked(x)
    y = x * s
    return grad_output * (s + x * y * (1 - y))


@silu_backward.mistake(
    "Your second term has lost its x: the product rule leaves x in front of the slope of the gate, "
    "x * s * (1 - s)."
)
def second_term_without_x(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * (s + s * (1 - s))


@silu_backward.mistake(
    "grad_output is missing: what comes from behind has to multiply the slope, number by number."
)
def no_grad_output(grad_output, x):
    return in_numpy.silu_backward.unchecked(np.ones_like(x), x)


@silu_backward.mistake("grad_output multiplies your first term only. A bracket around the sum is missing.")
def first_term_only_times_grad(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * s + x * s * (1 - s)


@silu_backward.mistake("Your second term has x * (1 - s). The slope of the sigmoid is s * (1 - s).")
def gate_missing_in_the_slope(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * (s + x * (1 - s))


@silu_backward.mistake("You used 1 - s * s, the slope of tanh. That of the sigmoid is s * (1 - s).")
def slope_of_tanh(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * (s + x * (1 - s * s))


@silu_backward.mistake("You subtracted the second term. The two terms of the product rule add.")
def terms_subtracted(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * (s - x * s * (1 - s))


@silu_backward.mistake(
    "Your second term multiplies by silu(x), which brings the gate in once more. What stands beside the "
    "slope of the gate is x."
)
def output_for_x(grad_output, x):
    s = sigmoid.unchecked(x)
    return grad_output * (s + x * s * s * (1 - s))


@silu_backward.mistake(
    "You used y * (1 - y) with the output of silu. That rule belongs to the sigmoid alone; silu is a product."
)
def rule_of_the_sigmoid(grad_output, x):
    y = x * sigmoid.unchecked(x)
    return grad_output * y * (1 - y)


# ---------------------------------------------------------------------------------------------- softmax

softmax = Exercise(
    solution=in_numpy.softmax,
    hints=[
        "exp of every number, divided by the sum along the axis `dim`: `.sum(axis=dim, keepdims=True)`.",
        "The cases reach 1000, and exp(1000) is too large for a number. Which constant may you subtract "
        "without changing any share?",
        "`z = np.exp(x - x.max(axis=dim, keepdims=True))`, then `z / z.sum(axis=dim, keepdims=True)`.",
    ],
    next="its backward, where every output pulls at every input: `activations.softmax_backward`.",
)


@softmax.mistake(
    "exp overflows: exp(1000) is infinite, and infinity by infinity is NaN. Subtract the largest number "
    "along `dim` first: no share changes, and exp sees nothing above 0."
)
def no_shift(x, dim):
    z = np.exp(x)
    return z / z.sum(axis=dim, keepdims=True)


@softmax.mistake(
    "You subtract the largest number of the whole array. A row that lies 1000 below it becomes 0 / 0. "
    "Each group along `dim` needs its own: `x.max(axis=dim, keepdims=True)`."
)
def one_maximum_for_all(x, dim):
    z = np.exp(x - x.max())
    return z / z.sum(axis=dim, keepdims=True)


@softmax.mistake(
    "You divide by the sum of the whole array. The numbers along `dim` compete with each other only: each "
    "such group has the sum 1."
)
def one_sum_for_all(x, dim):
    z = np.exp(x - x.max(axis=dim, keepdims=True))
    return z / z.sum()


@softmax.mistake(
    "You always use the last axis. `dim` says along which one the numbers compete: the cases have columns "
    "and channels, too."
)
def always_the_last_axis(x, dim):
    return in_numpy.softmax.unchecked(x, -1)


@softmax.mistake(
    "You divide the scores by their sum, without exp. Scores may be negative, and their sum may be 0; exp "
    "makes them positive."
)
def without_exp(x, dim):
    return x / x.sum(axis=dim, keepdims=True)


@softmax.mistake(
    "You take the maximum and the sum of the whole array. Only the numbers along `dim` compete: each such "
    "group has the sum 1."
)
def whole_array(x, dim):
    z = np.exp(x - x.max())
    return z / z.sum()


@softmax.mistake("You return exp of the scores. Shares are divided by their sum along `dim`.")
def not_divided(x, dim):
    return np.exp(x - x.max(axis=dim, keepdims=True))


@softmax.mistake("You divide by the mean along `dim`. Then the shares add up to their number, not to 1.")
def divided_by_the_mean(x, dim):
    z = np.exp(x - x.max(axis=dim, keepdims=True))
    return z / z.mean(axis=dim, keepdims=True)


@softmax.mistake(
    "You always use axis 1. `dim` says along which one the numbers compete: the cases have columns and a "
    "last axis, too."
)
def always_axis_1(x, dim):
    return in_numpy.softmax.unchecked(x, 1)


@softmax.mistake("You always use axis 0. `dim` says along which one the numbers compete.")
def always_axis_0(x, dim):
    return in_numpy.softmax.unchecked(x, 0)


@softmax.mistake(
    "Your sum runs along `dim`, your maximum along the last axis. The same number has to be subtracted from "
    "a whole group."
)
def maximum_along_another_axis(x, dim):
    z = np.exp(x - x.max(axis=-1, keepdims=True))
    return z / z.sum(axis=dim, keepdims=True)


@softmax.mistake("These are the logarithms of the shares. Wanted are the shares themselves.")
def logarithms(x, dim):
    return in_numpy.log_softmax.unchecked(x, dim)


# ------------------------------------------------------------------------------------- softmax backward

softmax_backward = Exercise(
    solution=in_numpy.softmax_backward,
    hints=[
        "How does y_i change with x_j? For i = j by y_i (1 - y_i), for all others by -y_i y_j.",
        "Write grad_x_j as a sum over i and split off the term with i = j. A factor y_j comes out of all "
        "of it.",
        "`y * (grad_output - (grad_output * y).sum(axis=dim, keepdims=True))`",
    ],
    next="with cross-entropy behind it, all of this collapses to y minus target; notebook 06 shows it.",
)


@softmax_backward.mistake(
    "You kept only the diagonal, y * (1 - y), as if each share depended on its own score alone. It "
    "depends on all: raising one score lowers the other shares, which adds -y_i * y_j for i other than j."
)
def only_the_diagonal(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return grad_output * y * (1 - y)


@softmax_backward.mistake(
    "The second term is missing. Since the shares always sum to 1, what one gains the others lose: "
    "subtract sum(grad_output * y) along `dim` before multiplying by y."
)
def without_the_competition(grad_output, x, dim):
    return grad_output * in_numpy.softmax.unchecked(x, dim)


@softmax_backward.mistake(
    "Your sum leaves out y. It is sum(grad_output * y): each share counts with its own size."
)
def sum_without_shares(grad_output, x, dim):
    return in_numpy.softmax.unchecked(x, dim) * (grad_output - grad_output.sum(axis=dim, keepdims=True))


@softmax_backward.mistake(
    "The factor y in front is missing: an input whose share is tiny gets a tiny gradient."
)
def without_the_factor(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return grad_output - (grad_output * y).sum(axis=dim, keepdims=True)


@softmax_backward.mistake(
    "You sum over the whole array. Only the numbers along `dim` compete: `.sum(axis=dim, keepdims=True)`."
)
def sum_over_everything(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return y * (grad_output - (grad_output * y).sum())


@softmax_backward.mistake(
    "You always use the last axis. `dim` says along which one the numbers compete: the cases have columns "
    "and channels, too."
)
def backward_always_last_axis(grad_output, x, dim):
    return in_numpy.softmax_backward.unchecked(grad_output, x, -1)


@softmax_backward.mistake(
    "You always use axis 1. `dim` says along which one the numbers compete: the cases have columns and a "
    "last axis, too."
)
def backward_always_axis_1(grad_output, x, dim):
    return in_numpy.softmax_backward.unchecked(grad_output, x, 1)


@softmax_backward.mistake("Your shares compete along `dim`, but your sum runs along the last axis.")
def sum_along_the_last_axis(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return y * (grad_output - (grad_output * y).sum(axis=-1, keepdims=True))


@softmax_backward.mistake("You added the sum. What one share gains the others lose: it is subtracted.")
def sum_added(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return y * (grad_output + (grad_output * y).sum(axis=dim, keepdims=True))


@softmax_backward.mistake(
    "You took the mean of grad_output * y along `dim`. The shares are weights already: add up."
)
def mean_for_sum(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return y * (grad_output - (grad_output * y).mean(axis=dim, keepdims=True))


@softmax_backward.mistake("Your second term lacks the factor y: it stands in front of both terms.")
def sum_without_the_factor(grad_output, x, dim):
    y = in_numpy.softmax.unchecked(x, dim)
    return y * grad_output - (grad_output * y).sum(axis=dim, keepdims=True)


@softmax_backward.mistake("You used the scores x where the shares belong: y is softmax(x).")
def scores_for_shares(grad_output, x, dim):
    return x * (grad_output - (grad_output * x).sum(axis=dim, keepdims=True))


@softmax_backward.mistake("You always use axis 0. `dim` says along which one the numbers compete.")
def backward_always_axis_0(grad_output, x, dim):
    return in_numpy.softmax_backward.unchecked(grad_output, x, 0)
