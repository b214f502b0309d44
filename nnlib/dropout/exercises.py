"""Exercises of notebook 12, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.dropout import in_numpy
from nnlib.dropout.in_numpy import SELU_FLOOR
from nnlib.exercises import Exercise


def _scaled(mask, p):
    return mask / (1 - p) if p < 1 else 0.0 * mask


def _like(x, factor):
    """The factor with the axes and the dtype of x."""
    return np.asarray(factor).reshape(factor.shape + (1,) * (x.ndim - factor.ndim)).astype(x.dtype)


# ---------------------------------------------------------------------------------------------- dropout

dropout = Exercise(
    solution=in_numpy.dropout,
    hints=[
        "Three cases: not training returns x; p = 1 drops everything; otherwise the mask decides.",
        "Multiplying by a bool mask keeps where it is True and gives 0 elsewhere. A share 1 - p is kept.",
        "If a share 1 - p is kept, the mean falls to 1 - p of what it was. Divide by 1 - p, except where "
        "that is 0.",
    ],
    next="its gradient: `dropout.dropout_backward`.",
)


@dropout.mistake(
    "You drop, and do not scale. The mean of the output is then 1 - p of the mean of x, and the next layer "
    "gets smaller sums in training than in use. Divide by 1 - p."
)
def not_scaled(x, mask, p=0.5, training=True):
    return x * mask if training else x.copy()


@dropout.mistake(
    "You divide by p. It is the probability to be *dropped*; kept is a share 1 - p, and that is what must "
    "be made up for. With p = 0.5 the two are equal, which hides the mistake."
)
def divided_by_p(x, mask, p=0.5, training=True):
    return x * mask / np.asarray(p, x.dtype) if training else x.copy()


@dropout.mistake(
    "You multiply by 1 - p in training. That makes the mean smaller once more: dropping has cost a factor "
    "1 - p already. Divide."
)
def multiplied(x, mask, p=0.5, training=True):
    return x * mask * np.asarray(1 - p, x.dtype) if training else x.copy()


@dropout.mistake(
    "Your mask is the wrong way round. True means kept, as the docstring of `dropout.dropout` says."
)
def dropped_what_is_kept(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(~mask, p)) if training else x.copy()


@dropout.mistake(
    "You drop although `training` is False. In use nothing is random: return x. Forgetting this makes two "
    "calls with one input disagree."
)
def always_training(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p))


@dropout.mistake(
    "You scale by 1 - p in use as well. With division by 1 - p in training the expected value is right "
    "already: scaling again makes it too small. (In the first papers there was no division, and then this "
    "was right.)"
)
def scaled_again_in_use(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p)) if training else x * np.asarray(1 - p, x.dtype)


@dropout.mistake(
    "You scale in use instead of in training. That was the way of the first papers, and is right as a pair; "
    "here use returns x. Divide by 1 - p in training."
)
def as_in_the_first_papers(x, mask, p=0.5, training=True):
    return x * mask if training else x * np.asarray(1 - p, x.dtype)


@dropout.mistake(
    "Your training and use have changed places: with `training` True you return x, and with False you drop."
)
def the_wrong_way_round(x, mask, p=0.5, training=True):
    return x.copy() if training else x * _like(x, _scaled(mask, p))


@dropout.mistake(
    "You divide by the share that this mask happened to keep, `mask.mean()`. Then every value depends on "
    "the fate of all others, and no longer has the expected value x. Divide by 1 - p, a constant."
)
def divided_by_the_share(x, mask, p=0.5, training=True):
    if not training:
        return x.copy()
    return x * mask / np.asarray(max(mask.mean(), 1e-12), x.dtype)


@dropout.mistake(
    "With p = 1 you divide 0 by 0, and the result is NaN. Everything is dropped then: the output is 0, as in "
    "PyTorch."
)
def zero_by_zero(x, mask, p=0.5, training=True):
    return x * mask / np.asarray(1 - p, x.dtype) if training else x.copy()


# --------------------------------------------------------------------------------------------- backward

dropout_backward = Exercise(
    solution=in_numpy.dropout_backward,
    hints=[
        "Write the forward for one value: y = x * c, with c = mask / (1 - p), which does not depend on x.",
        "The slope of y in x is c. In use it is 1.",
        "Return two things, one for each array argument: the gradient for x, and None for the mask.",
    ],
    next="whole channels: `dropout.dropout2d`.",
)


@dropout_backward.mistake(
    "You forgot the mask. A value that was dropped has no influence on the loss in this step, so its "
    "gradient is 0."
)
def no_mask(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * _like(x, _scaled(np.ones_like(mask), p)) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You forgot the scale. The forward multiplies what is kept by 1 / (1 - p), so the backward does as well."
)
def no_scale(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * mask if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You scaled by 1 - p instead of 1 / (1 - p). The slope is the factor of the forward, not its inverse."
)
def inverse_scale(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * mask * np.asarray(1 - p, x.dtype) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You divided by p, the probability to be dropped. The factor of the forward is 1 / (1 - p)."
)
def over_p(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * mask / np.asarray(p, x.dtype) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You multiplied by x. The slope of x * c in x is c; x itself is the slope for c, and nobody wants that "
    "one."
)
def multiplied_by_x(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * x * _like(x, _scaled(mask, p)) if training else grad_output * x), None


@dropout_backward.mistake(
    "You let the gradient through where values were dropped, and stop it where they were kept."
)
def the_other_half(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * _like(x, _scaled(~mask, p)) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "With `training` False the forward returns x, so the gradient passes unchanged. You masked it."
)
def masked_in_use(grad_output, x, mask, p=0.5, training=True):
    return grad_output * _like(x, _scaled(mask, p)), None


@dropout_backward.mistake(
    "You scaled twice, by 1 / (1 - p)². grad_output is the gradient for the output; nothing has been "
    "divided yet."
)
def scaled_twice(grad_output, x, mask, p=0.5, training=True):
    if not training:
        return grad_output.copy(), None
    return grad_output * _like(x, _scaled(mask, p)) * _like(x, _scaled(np.ones_like(mask), p)), None


@dropout_backward.mistake("With p = 1 you divide 0 by 0. Nothing got through forward, so the gradient is 0.")
def zero_by_zero_backward(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * mask / np.asarray(1 - p, x.dtype) if training else grad_output.copy()), None


# ---------------------------------------------------------------------------------------- whole channels

dropout2d = Exercise(
    solution=in_numpy.dropout2d,
    hints=[
        "The mask has shape (N, C): one decision for all H × W pixels of a channel of one picture.",
        "Give the mask two more axes of size 1, so that it meets x: `mask[:, :, None, None]`.",
        "The rest is `dropout`: divide by 1 - p, return x in use, and 0 for p = 1.",
    ],
    next="drop weights instead of values: `dropout.dropconnect_backward`.",
)


@dropout2d.mistake("You drop whole channels, and do not scale those that stay. Divide by 1 - p.")
def channels_not_scaled(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] if training else x.copy()


@dropout2d.mistake("You divide by p, the probability to be dropped. Kept is a share 1 - p.")
def channels_divided_by_p(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] / np.asarray(p, x.dtype) if training else x.copy()


@dropout2d.mistake(
    "You use the first picture's mask for all pictures. Every picture of the batch has a row of its own in "
    "the mask."
)
def one_mask_for_all(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(np.broadcast_to(mask[:1], mask.shape), p)) if training else x.copy()


@dropout2d.mistake(
    "You drop whole pictures: only the first column of the mask counts. That is stochastic depth; here "
    "every channel is decided for itself."
)
def whole_pictures(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(np.broadcast_to(mask[:, :1], mask.shape), p)) if training else x.copy()


@dropout2d.mistake("Your mask is the wrong way round: True means kept.")
def channels_dropped_that_are_kept(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(~mask, p)) if training else x.copy()


@dropout2d.mistake("You drop although `training` is False. In use nothing is random: return x.")
def channels_always(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p))


@dropout2d.mistake(
    "With p = 1 you divide 0 by 0, and the result is NaN. Everything is dropped then: return zeros."
)
def channels_zero_by_zero(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] / np.asarray(1 - p, x.dtype) if training else x.copy()


# ------------------------------------------------------------------------------------------- dropconnect


def _with_bias(rng):
    found = core.load("dropout", "cases").cases(rng)
    return [c for c in found if c.name == "dropconnect" and c.args["bias"] is not None]


def _backward_cases(rng):
    for c in _with_bias(rng):
        grad_output = core.grad_outputs(in_numpy.dropconnect(**c.args))
        yield core.Case("dropconnect_backward", {"grad_output": grad_output, **c.args}, c.note)


dropconnect_backward = Exercise(
    solution=in_numpy.dropconnect_backward,
    hints=[
        "Call kept = weight * mask / (1 - p) (in use: weight). Then y = x @ kept.T + bias is an ordinary "
        "linear layer.",
        "Its gradients: grad_output @ kept for x, grad_output.T @ x for kept, and the sum over rows for "
        "bias.",
        "kept depends on weight by a factor mask / (1 - p): multiply the gradient for kept by it. The mask "
        "gets None.",
    ],
    next="a dropout that restores the variance too: `dropout.alpha_dropout`.",
    cases=lambda rng: list(_backward_cases(rng)),
)


def _connect(grad_output, x, weight, mask, p, training):
    factor = _like(weight, _scaled(mask, p)) if training else np.ones_like(weight)
    return factor, grad_output @ (weight * factor), grad_output.T @ x


@dropconnect_backward.mistake(
    "Your gradient for x uses all weights. Forward, only those that were kept were there: multiply by "
    "weight * mask / (1 - p)."
)
def through_all_weights(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, _, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_output @ weight, grad * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "Your gradient for the weight has values where the weight was dropped. A dropped weight changes "
    "nothing in this step: multiply by the mask and the scale."
)
def all_weights_learn(grad_output, x, weight, bias, mask, p=0.5, training=True):
    _, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "You masked nothing: these are the gradients of an ordinary linear layer. In training its weight is "
    "weight * mask / (1 - p), and so both gradients need mask and scale."
)
def an_ordinary_layer(grad_output, x, weight, bias, mask, p=0.5, training=True):
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "Your gradient for x knows the mask, not the scale: what is kept is weight * mask / (1 - p)."
)
def x_not_scaled(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    if training:
        grad_x = grad_output @ (weight * mask)
    return grad_x, grad * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("With p = 1 you divide 0 by 0. No weight is there then: return zeros.")
def weights_zero_by_zero(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = mask / np.asarray(1 - p, weight.dtype) if training else np.ones_like(weight)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("You masked the gradient for the weight, and forgot its scale 1 / (1 - p).")
def weights_not_scaled(grad_output, x, weight, bias, mask, p=0.5, training=True):
    _, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad * mask if training else grad, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "You multiplied the gradient for the weight by the weight: that is `kept`, and the slope of kept in "
    "weight is only mask / (1 - p)."
)
def times_the_weight(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad * factor * weight, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("The gradient for the bias is a sum over the rows. You took the mean.")
def mean_for_the_bias(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad * factor, grad_output.mean(axis=0), None


@dropconnect_backward.mistake(
    "With `training` False all weights are there, unscaled. You masked them all the same."
)
def masked_weights_in_use(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, True)
    return grad_x, grad * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("Neither of your gradients is scaled: what is kept is weight * mask / (1 - p).")
def nothing_scaled(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = mask.astype(weight.dtype) if training else np.ones_like(weight)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


# ----------------------------------------------------------------------------------------- alpha dropout

alpha_dropout = Exercise(
    solution=in_numpy.alpha_dropout,
    hints=[
        "First step: v = x where kept, -1.7580993408473766 where dropped (the lowest value of SELU; see F "
        "in the task).",
        "x has mean 0 and variance 1. Then v has mean -F p, and its mean square is (1 - p) + F² p.",
        "Variance = mean square minus squared mean = (1 - p)(1 + F² p). Return (v - mean) / "
        "sqrt(variance); for p = 1 return 0.",
    ],
    next="where such a network trains: add it to one with SELU, and measure mean and variance of each layer.",
)


def _v(x, mask, low=-SELU_FLOOR):
    return np.where(mask, x, np.asarray(low, x.dtype))


def _var(p):
    return (1 - p) * (1 + SELU_FLOOR**2 * p)


def _for_use(f):
    """The wrong formula in training; in use, and for p = 1, what is right."""

    def function(x, mask, p=0.5, training=True):
        if not training:
            return x.copy()
        return (f(x, mask, p) if p < 1 else 0 * x).astype(x.dtype)

    function.__name__ = f.__name__
    return function


@alpha_dropout.mistake(
    "You drop to 0 and divide by 1 - p. That is plain dropout: the mean stays 0, and the variance grows to "
    "1 / (1 - p)."
)
@_for_use
def plain_dropout(x, mask, p):
    return x * mask / (1 - p)


@alpha_dropout.mistake(
    "You drop to the floor and leave it at that. Mean and variance have moved: subtract the mean, divide "
    "by the standard deviation."
)
@_for_use
def floor_alone(x, mask, p):
    return _v(x, mask)


@alpha_dropout.mistake(
    "You scale without shifting: the mean is still below 0. Subtract -F p before you divide."
)
@_for_use
def not_shifted(x, mask, p):
    return _v(x, mask) / _var(p) ** 0.5


@alpha_dropout.mistake("You shift without scaling: the variance is not 1 yet. Divide by its root.")
@_for_use
def only_shifted(x, mask, p):
    return _v(x, mask) + SELU_FLOOR * p


@alpha_dropout.mistake("You shift in the wrong direction. The mean is -F p, so subtracting it *adds* F p.")
@_for_use
def shifted_down(x, mask, p):
    return (_v(x, mask) - SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake(
    "You divide by the variance. Dividing by its root, the standard deviation, makes it 1."
)
@_for_use
def by_the_variance(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / _var(p)


@alpha_dropout.mistake(
    "You divide by the root of the mean square, (1 - p) + F² p. The variance is smaller, by the squared "
    "mean F² p²."
)
@_for_use
def by_the_mean_square(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / ((1 - p) + SELU_FLOOR**2 * p) ** 0.5


@alpha_dropout.mistake(
    "You use the mean and the spread of this draw. Each value then depends on all others. Use those over the "
    "coin: -F p and (1 - p)(1 + F² p)."
)
@_for_use
def of_this_draw(x, mask, p):
    v = _v(x, mask)
    return (v - v.mean()) / v.std()


@alpha_dropout.mistake("Your mask is the wrong way round. True means kept.")
@_for_use
def floor_where_kept(x, mask, p):
    return (_v(x, ~mask) + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake("With p = 1 the variance is 0, and you divide by it. Everything is dropped: return 0.")
def alpha_zero_by_zero(x, mask, p=0.5, training=True):
    if not training:
        return x.copy()
    return ((_v(x, mask) + SELU_FLOOR * p) / np.asarray(_var(p) ** 0.5, x.dtype)).astype(x.dtype)


@alpha_dropout.mistake("You replace dropped values by +1.758. SELU's lowest value is negative.")
@_for_use
def to_the_ceiling(x, mask, p):
    return (_v(x, mask, SELU_FLOOR) - SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake("You drop although `training` is False. In use nothing is random: return x.")
def alpha_always(x, mask, p=0.5, training=True):
    return in_numpy.alpha_dropout.unchecked(x, mask, p)
