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


@dropout.mistake("With p = 1 you return x. Everything is dropped then: the output is 0.")
def kept_at_p_1(x, mask, p=0.5, training=True):
    if not training or p == 1:
        return x.copy()
    return x * _like(x, _scaled(mask, p))


@dropout.mistake("You always divide by 0.5. That fits the default alone: divide by 1 - p.")
def divided_by_half(x, mask, p=0.5, training=True):
    return x * mask / np.asarray(0.5, x.dtype) if training else x.copy()


@dropout.mistake("What the mask drops stays in your output, unscaled. It becomes 0.")
def dropped_values_stay(x, mask, p=0.5, training=True):
    return np.where(mask, x * _like(x, _scaled(np.ones_like(mask), p)), x) if training else x.copy()


@dropout.mistake(
    "You scaled what is dropped, and kept the rest as it is. Dropped values become 0; kept ones are "
    "divided by 1 - p."
)
def scaled_the_dropped(x, mask, p=0.5, training=True):
    return np.where(mask, x, x * _like(x, _scaled(~mask, p))) if training else x.copy()


@dropout.mistake(
    "You divide by the root of 1 - p, which keeps the mean square. It is the mean that has to stay: "
    "divide by 1 - p."
)
def divided_by_the_root(x, mask, p=0.5, training=True):
    if not training:
        return x.copy()
    return x * _like(x, _scaled(mask, p)) * np.asarray((1 - p) ** 0.5, x.dtype)


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


@dropout_backward.mistake(
    "You returned what forward returns: x masked. The gradient is grad_output, masked in the same way."
)
def forward_once_more(grad_output, x, mask, p=0.5, training=True):
    return (x * _like(x, _scaled(mask, p)) if training else grad_output.copy()), None


@dropout_backward.mistake("You multiplied by x in training. The slope of x * c in x is c.")
def multiplied_by_x_in_training(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * x * _like(x, _scaled(mask, p)) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You took x != 0 for the mask. x is the input, before anything was dropped: use `mask`."
)
def input_for_mask(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * _like(x, _scaled(x != 0, p)) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You took output != 0 for the mask. A kept value may be 0 by itself, and its gradient passes: use `mask`."
)
def output_for_mask(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * _like(x, _scaled(mask & (x != 0), p)) if training else grad_output.copy()), None


@dropout_backward.mistake(
    "You scaled by 1 - p in use. Forward returns x there, so the gradient passes unchanged."
)
def scaled_in_use_backward(grad_output, x, mask, p=0.5, training=True):
    if not training:
        return grad_output * np.asarray(1 - p, x.dtype), None
    return grad_output * _like(x, _scaled(mask, p)), None


@dropout_backward.mistake(
    "In use your gradient is 0. Forward returns x there, so grad_output passes unchanged."
)
def nothing_in_use(grad_output, x, mask, p=0.5, training=True):
    return (grad_output * _like(x, _scaled(mask, p)) if training else 0 * grad_output), None


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


@dropout2d.mistake("You multiply by 1 - p in training. Dropping has cost that factor already: divide.")
def channels_multiplied(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] * np.asarray(1 - p, x.dtype) if training else x.copy()


@dropout2d.mistake("With p = 1 you return x. Everything is dropped then: the output is 0.")
def channels_kept_at_p_1(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p)) if training and p < 1 else x.copy()


@dropout2d.mistake(
    "With p = 1 you return zeros in use as well. In use nothing is dropped, whatever p: look at "
    "`training` first."
)
def channels_zero_in_use(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p)) if training else x * np.asarray(p < 1, x.dtype)


@dropout2d.mistake(
    "Your training and use have changed places: with `training` True you return x, and with False you drop."
)
def channels_the_wrong_way_round(x, mask, p=0.5, training=True):
    return x.copy() if training else x * _like(x, _scaled(mask, p))


@dropout2d.mistake(
    "You scale by 1 - p in use as well. The division in training has done that already: in use return x."
)
def channels_scaled_again(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p)) if training else x * np.asarray(1 - p, x.dtype)


@dropout2d.mistake(
    "You scale in use instead of in training, as the first papers did. Here use returns x, and training "
    "divides by 1 - p."
)
def channels_as_in_the_first_papers(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] if training else x * np.asarray(1 - p, x.dtype)


@dropout2d.mistake("In use you still drop channels, only unscaled. In use nothing is random: return x.")
def channels_masked_in_use(x, mask, p=0.5, training=True):
    return x * _like(x, _scaled(mask, p)) if training else x * mask[:, :, None, None]


@dropout2d.mistake(
    "You divide by the share that this mask happened to keep. Then the fate of one channel changes all "
    "others: divide by 1 - p, a constant."
)
def channels_by_the_share(x, mask, p=0.5, training=True):
    if not training:
        return x.copy()
    return x * mask[:, :, None, None] / np.asarray(max(mask.mean(), 1e-12), x.dtype)


@dropout2d.mistake(
    "You divide each picture by the share of its channels that were kept. Divide by 1 - p, a constant."
)
def channels_by_the_share_of_a_picture(x, mask, p=0.5, training=True):
    if not training or p == 1:
        return x * np.asarray(not training, x.dtype)
    share = mask.mean(axis=1).astype(x.dtype)
    return x * mask[:, :, None, None] / share[:, None, None, None]


@dropout2d.mistake("You always divide by 0.5. That fits the default alone: divide by 1 - p.")
def channels_divided_by_half(x, mask, p=0.5, training=True):
    return x * mask[:, :, None, None] / np.asarray(0.5, x.dtype) if training else x.copy()


@dropout2d.mistake(
    "You drop a picture only if all of its channels are dropped. Every channel is decided for itself."
)
def any_channel_keeps_all(x, mask, p=0.5, training=True):
    return (
        x * _like(x, _scaled(np.broadcast_to(mask.any(axis=1)[:, None], mask.shape), p))
        if training
        else x.copy()
    )


@dropout2d.mistake("You divide by the root of 1 - p. It is the mean that has to stay: divide by 1 - p.")
def channels_by_the_root(x, mask, p=0.5, training=True):
    if not training:
        return x.copy()
    return x * _like(x, _scaled(mask, p)) * np.asarray((1 - p) ** 0.5, x.dtype)


# ------------------------------------------------------------------------------------------- dropconnect


def _with_bias(rng):
    found = core.load("dropout", "cases").cases(rng)
    given = [c for c in found if c.name == "dropconnect" and c.args["bias"] is not None]
    nothing = dict(mask=np.zeros_like(given[0].args["mask"]), p=1.0, training=False)
    return [*given, core.Case("dropconnect", given[0].args | nothing, "in use, p 1")]


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


@dropconnect_backward.mistake(
    "You multiply by 1 - p. Dropping has cost that factor already, so forward divides, and backward too."
)
def weights_multiplied(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = mask * np.asarray(1 - p, weight.dtype) if training else np.ones_like(weight)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("You divide by p, the probability to be dropped. Kept is a share 1 - p.")
def weights_divided_by_p(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = mask / np.asarray(p, weight.dtype) if training else np.ones_like(weight)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake("Your mask is the wrong way round: True means kept.")
def weights_dropped_that_are_kept(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(~mask, p)) if training else np.ones_like(weight)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "With p = 1 all of your gradients are 0. The bias is not dropped: its gradient is the sum, as ever."
)
def bias_dropped_too(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training else np.ones_like(weight)
    return (
        grad_output @ (weight * factor),
        grad_output.T @ x * factor,
        grad_output.sum(axis=0) * (not training or p < 1),
        None,
    )


@dropconnect_backward.mistake(
    "With p = 1 you return zeros in use as well. In use all weights are there, whatever p: look at "
    "`training` first."
)
def weights_zero_in_use(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training else np.full_like(weight, p < 1)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "You scale by 1 - p in use. The division in training has done that already: in use the weight stays "
    "as it is."
)
def weights_scaled_in_use(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training else np.full_like(weight, 1 - p)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "In use you still drop weights, only unscaled. With `training` False all weights are there."
)
def weights_masked_unscaled_in_use(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training else mask.astype(weight.dtype)
    return grad_output @ (weight * factor), grad_output.T @ x * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "You scaled the gradient for the bias. Only weights are dropped and scaled: it is the plain sum."
)
def bias_scaled(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training else np.ones_like(weight)
    return (
        grad_output @ (weight * factor),
        grad_output.T @ x * factor,
        grad_output.sum(axis=0) / np.asarray(1 - p if training and p < 1 else 1, x.dtype),
        None,
    )


@dropconnect_backward.mistake(
    "In the gradient for the weight the factor mask / (1 - p) stands twice. Forward has it once."
)
def weights_scaled_twice(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad * factor * factor, grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "You averaged the gradient for the weight over the rows. It is a sum: 1/N belongs to the loss."
)
def weights_averaged(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor, grad_x, grad = _connect(grad_output, x, weight, mask, p, training)
    return grad_x, grad * factor / len(x), grad_output.sum(axis=0), None


@dropconnect_backward.mistake(
    "With p = 1 you return the gradients of an ordinary layer. No weight is there then: those for x and "
    "the weight are 0."
)
def ordinary_at_p_1(grad_output, x, weight, bias, mask, p=0.5, training=True):
    factor = _like(weight, _scaled(mask, p)) if training and p < 1 else np.ones_like(weight)
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


@alpha_dropout.mistake("You drop to 0. Here what is dropped becomes -F; shift and scale are made for that.")
@_for_use
def dropped_to_zero(x, mask, p):
    return (x * mask + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake("You replace dropped values by +F. SELU's lowest value is negative.")
@_for_use
def dropped_upwards(x, mask, p):
    return (_v(x, mask, SELU_FLOOR) + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake("You multiply by the standard deviation. Dividing by it is what makes the variance 1.")
@_for_use
def times_the_deviation(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) * _var(p) ** 0.5


@alpha_dropout.mistake(
    "You divide by 1 - p, as plain dropout does. Here the variance is restored: divide by its root."
)
@_for_use
def over_the_kept_share(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / (1 - p)


@alpha_dropout.mistake("F stands unsquared in your variance. A mean square counts squares: F² p.")
@_for_use
def floor_not_squared(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / ((1 - p) * (1 + SELU_FLOOR * p)) ** 0.5


@alpha_dropout.mistake(
    "The p behind F² is missing in your variance: only a share p of the values is at the floor."
)
@_for_use
def floor_without_p(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / ((1 - p) * (1 + SELU_FLOOR**2)) ** 0.5


@alpha_dropout.mistake("In your variance p and 1 - p are exchanged: p is the probability to be dropped.")
@_for_use
def variance_for_the_kept(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / (p * (1 + SELU_FLOOR**2 * (1 - p))) ** 0.5 if p else x


@alpha_dropout.mistake(
    "You scaled first and shifted then. Subtract the mean before you divide: the shift is scaled too."
)
@_for_use
def shifted_after_scaling(x, mask, p):
    return _v(x, mask) / _var(p) ** 0.5 + SELU_FLOOR * p


@alpha_dropout.mistake("You shift by F (1 - p). A share p of the values is at -F, so the mean is -F p.")
@_for_use
def shifted_by_the_kept(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * (1 - p)) / _var(p) ** 0.5


@alpha_dropout.mistake("You shift by F. Only a share p of the values is at -F, so the mean is -F p.")
@_for_use
def shifted_by_the_floor(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR) / _var(p) ** 0.5


@alpha_dropout.mistake(
    "You divided what is kept by 1 - p as well. In alpha dropout shift and scale restore mean and "
    "variance; nothing else is scaled."
)
@_for_use
def scaled_before(x, mask, p):
    return (_v(x * np.asarray(1 / (1 - p), x.dtype), mask) + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake(
    "You shift and scale only what is kept. The dropped values belong to the same mean and variance: "
    "treat all alike."
)
@_for_use
def only_the_kept(x, mask, p):
    return np.where(mask, (x + SELU_FLOOR * p) / _var(p) ** 0.5, -SELU_FLOOR)


@alpha_dropout.mistake(
    "You scale only what is kept. The dropped values belong to the same variance: scale all alike."
)
@_for_use
def only_the_kept_scaled(x, mask, p):
    return np.where(mask, x / _var(p) ** 0.5, -SELU_FLOOR) + SELU_FLOOR * p


@alpha_dropout.mistake(
    "You subtract F from every value. Only what is dropped becomes -F; the rest keeps its value."
)
@_for_use
def floor_subtracted(x, mask, p):
    return (x * mask - SELU_FLOOR + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake(
    "You subtract F where values are kept, and drop to 0. It is the other way round: what is dropped "
    "becomes -F."
)
@_for_use
def floor_from_the_kept(x, mask, p):
    return (x * mask - SELU_FLOOR * mask + SELU_FLOOR * p) / _var(p) ** 0.5


@alpha_dropout.mistake("Your F is rounded: 1.758. Take `in_numpy.SELU_FLOOR`.")
@_for_use
def floor_rounded(x, mask, p):
    return (_v(x, mask, -1.758) + 1.758 * p) / ((1 - p) * (1 + 1.758**2 * p)) ** 0.5


@alpha_dropout.mistake("Your F is SELU's factor λ, 1.0507. Its lowest value is -λα, and F = λα = 1.758.")
@_for_use
def lambda_for_floor(x, mask, p):
    f = 1.0507009873554805
    return (_v(x, mask, -f) + f * p) / ((1 - p) * (1 + f * f * p)) ** 0.5


@alpha_dropout.mistake("Your F is SELU's α, 1.6733. Its lowest value is -λα, and F = λα = 1.758.")
@_for_use
def alpha_for_floor(x, mask, p):
    f = 1.6732632423543772
    return (_v(x, mask, -f) + f * p) / ((1 - p) * (1 + f * f * p)) ** 0.5


@alpha_dropout.mistake(
    "With p = 1 you return 0 in use as well. In use nothing is dropped, whatever p: look at `training` first."
)
def alpha_zero_in_use(x, mask, p=0.5, training=True):
    if p == 1:
        return 0 * x
    return in_numpy.alpha_dropout.unchecked(x, mask, p, training)


@alpha_dropout.mistake("In use you scale by 1 - p. In use nothing is dropped: return x.")
def alpha_scaled_in_use(x, mask, p=0.5, training=True):
    return in_numpy.alpha_dropout.unchecked(x, mask, p) if training else x * np.asarray(1 - p, x.dtype)


@alpha_dropout.mistake(
    "The mean is not squared in your variance: it is the mean square minus the square of the mean, (F p)²."
)
@_for_use
def mean_not_squared(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / ((1 - p) + SELU_FLOOR**2 * p - SELU_FLOOR * p) ** 0.5


@alpha_dropout.mistake("Your variance adds the squared mean. It is the mean square minus the squared mean.")
@_for_use
def mean_added(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / ((1 - p) + SELU_FLOOR**2 * p + (SELU_FLOOR * p) ** 2) ** 0.5


@alpha_dropout.mistake(
    "The mean square of what is kept counts in full in your variance. Only a share 1 - p is kept."
)
@_for_use
def kept_in_full(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / (1 + SELU_FLOOR**2 * p - (SELU_FLOOR * p) ** 2) ** 0.5


@alpha_dropout.mistake("Your variance is 1 + F² p: a factor 1 - p is missing.")
@_for_use
def without_the_kept_share(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / (1 + SELU_FLOOR**2 * p) ** 0.5


@alpha_dropout.mistake("Your variance knows the floor only. What is kept varies too, and adds 1 - p.")
@_for_use
def variance_of_the_coin(x, mask, p):
    return (_v(x, mask) + SELU_FLOOR * p) / (SELU_FLOOR**2 * p * (1 - p)) ** 0.5 if p else x
