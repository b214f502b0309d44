"""Exercises of notebook 11, and what learners' functions usually do when they are wrong."""

from dataclasses import replace

import numpy as np

from nnlib import core
from nnlib.exercises import Exercise
from nnlib.normalization import in_numpy


def _with_parameters(name, **settings):
    """The cases of a function in which scale and shift are given: the formula first, the options later."""

    def cases(rng):
        found = core.load("normalization", "cases").cases(rng)
        given = [c for c in found if c.name == name and "weight" in c.args]
        whole = [c for c in given if not any(value is None for value in c.args.values())]
        larger = replace(whole[0], args=whole[0].args | {"eps": 0.1}, note="a larger eps")
        return [*(replace(c, args=c.args | settings) for c in whole), larger]

    return cases


def _for_backward(name, **settings):
    """The same cases, each with a random grad_output in front."""
    f = getattr(in_numpy, name)

    def cases(rng):
        for c in _with_parameters(name, **settings)(rng):
            yield replace(c, args={"grad_output": core.grad_outputs(f(**c.args)), **c.args})

    return cases


def _axes(x):
    """All axes but that of the channels, and the shape in which C numbers meet x."""
    return (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)


def _last(x, normalized_shape):
    return tuple(range(x.ndim - len(normalized_shape), x.ndim))


def _hat(x, axes, eps):
    rstd = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    return (x - x.mean(axis=axes, keepdims=True)) * rstd, rstd


def _mean(x, axes):
    return x.mean(axis=axes, keepdims=True)


# ------------------------------------------------------------------------------- running statistics

batch_norm_running = Exercise(
    solution=in_numpy.batch_norm_running,
    hints=[
        "Average over every axis but the second: `axes = (0, *range(2, x.ndim))`. That gives C means and "
        "C variances.",
        "Both lines have the same form: (1 - momentum) times the old value plus momentum times the new one.",
        "The variance to store is the unbiased one, sum of squares divided by n - 1: `x.var(axis=axes, "
        "ddof=1)`.",
    ],
    next="use the two vectors in place of the batch's own: `normalization.batch_norm_eval`.",
)


@batch_norm_running.mistake(
    "Your momentum is the other way round. In PyTorch, `momentum` is the weight of the new batch: 0.1 keeps "
    "nine tenths of the old value. (In optimizers the same word means the part that is kept.)"
)
def momentum_keeps_the_old(x, running_mean, running_var, momentum=0.1):
    return in_numpy.batch_norm_running.unchecked(x, running_mean, running_var, 1 - momentum)


@batch_norm_running.mistake(
    "Your variance is the biased one: it divides by n. The batch itself is normalized with that one, but "
    "what is stored for later is an estimate for all data, and divides by n - 1 (`ddof=1`)."
)
def biased_variance(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


@batch_norm_running.mistake(
    "You corrected the variance with the batch size N. What counts is n, the number of values per channel: "
    "for images that is N times the number of pixels."
)
def corrected_by_the_batch_size(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes) * len(x) / (len(x) - 1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


@batch_norm_running.mistake(
    "You stored the standard deviation. `running_var` is a variance: the root is taken when it is used."
)
def stored_the_deviation(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    mean, std = x.mean(axis=axes), x.std(axis=axes, ddof=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * std


@batch_norm_running.mistake(
    "You returned the statistics of this batch alone. One batch is noisy: move the old values a fraction "
    "`momentum` of the way towards the new ones."
)
def only_this_batch(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    return x.mean(axis=axes), x.var(axis=axes, ddof=1)


def _moved(running_mean, running_var, momentum, mean, var):
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


@batch_norm_running.mistake(
    "Both conventions are the other way round: `momentum` is the weight of the new batch, and the stored "
    "variance divides by n - 1."
)
def both_conventions(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    return momentum * running_mean + (1 - momentum) * mean, momentum * running_var + (1 - momentum) * var


@batch_norm_running.mistake(
    "Your correction of the variance is upside down. The unbiased one is the larger of the two."
)
def correction_upside_down(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    n = x.size / x.shape[1]
    return _moved(running_mean, running_var, momentum, x.mean(axis=axes), x.var(axis=axes) * (n - 1) / n)


@batch_norm_running.mistake(
    "The old values keep their full weight, and the new ones are added. The old ones keep a share of 1 - "
    "momentum only."
)
def old_in_full(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes, ddof=1)
    return running_mean + momentum * mean, running_var + momentum * var


@batch_norm_running.mistake("Your momentum is always 0.1. That is the default; it is an argument.")
def fixed_momentum(x, running_mean, running_var, momentum=0.1):
    return in_numpy.batch_norm_running.unchecked(x, running_mean, running_var, 0.1)


@batch_norm_running.mistake(
    "In the variance, old and new have each other's share: `momentum` is the weight of the new one, "
    "there too."
)
def momentum_of_the_variance(x, running_mean, running_var, momentum=0.1):
    new_mean, _ = in_numpy.batch_norm_running.unchecked(x, running_mean, running_var, momentum)
    return new_mean, in_numpy.batch_norm_running.unchecked(x, running_mean, running_var, 1 - momentum)[1]


@batch_norm_running.mistake("Your batch has one mean and one variance for all channels: `axis=` is missing.")
def one_for_all_channels(x, running_mean, running_var, momentum=0.1):
    return _moved(running_mean, running_var, momentum, x.mean(), x.var(ddof=1))


@batch_norm_running.mistake(
    "One mean and one biased variance serve all channels: `axis=` is missing, and so is `ddof=1`."
)
def one_biased_for_all(x, running_mean, running_var, momentum=0.1):
    return _moved(running_mean, running_var, momentum, x.mean(), x.var())


@batch_norm_running.mistake(
    "One mean and one variance serve all channels: `axis=` is missing. Only your correction counts the "
    "values of one channel."
)
def one_for_all_corrected(x, running_mean, running_var, momentum=0.1):
    n = x.size / x.shape[1]
    return _moved(running_mean, running_var, momentum, x.mean(), x.var() * n / (n - 1))


@batch_norm_running.mistake("You divided the mean by n - 1 as well. Only the variance is corrected.")
def corrected_mean(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    n = x.size / x.shape[1]
    return _moved(running_mean, running_var, momentum, x.sum(axis=axes) / (n - 1), x.var(axis=axes, ddof=1))


@batch_norm_running.mistake(
    "You took a variance for each position and averaged those. All positions of a channel share one "
    "mean, and the spread is measured around it."
)
def variances_averaged(x, running_mean, running_var, momentum=0.1):
    axes, _ = _axes(x)
    var = x.var(axis=0, ddof=1).reshape(x.shape[1], -1).mean(axis=1)
    return _moved(running_mean, running_var, momentum, x.mean(axis=axes), var)


@batch_norm_running.mistake(
    "Your variance is measured around `running_mean`. The batch's own spread is around the batch's own mean."
)
def around_the_running_mean(x, running_mean, running_var, momentum=0.1):
    axes, shape = _axes(x)
    var = ((x - running_mean.reshape(shape)) ** 2).sum(axis=axes) / (x.size / x.shape[1] - 1)
    return _moved(running_mean, running_var, momentum, x.mean(axis=axes), var)


# -------------------------------------------------------------------------------- batch norm in use

batch_norm_eval = Exercise(
    solution=in_numpy.batch_norm_eval,
    hints=[
        "Nothing is measured on x here: mean and variance come in as arguments.",
        "C numbers must meet the second axis of x (N, C, ...): `shape = (1, -1) + (1,) * (x.ndim - 2)`, "
        "then `.reshape(shape)`.",
        "`x_hat = (x - mean) / np.sqrt(var + eps)`, then `weight * x_hat + bias`, each of the four reshaped.",
    ],
    next="the same formula in training, where mean and variance depend on x: `normalization.batch_norm`.",
    cases=_with_parameters("batch_norm_eval"),
)


@batch_norm_eval.mistake(
    "You normalized with the statistics of this batch, as in training. In use a sample's answer must not "
    "depend on which other samples happen to come with it: take `running_mean` and `running_var`."
)
def statistics_of_the_batch(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, weight, bias, eps)


@batch_norm_eval.mistake(
    "You divided by the variance. Dividing by its root, the standard deviation, is what makes the spread 1."
)
def divided_by_the_variance(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    mean, var, weight, bias = (v.reshape(shape) for v in (running_mean, running_var, weight, bias))
    return weight * (x - mean) / (var + eps) + bias


@batch_norm_eval.mistake(
    "`eps` is added to the standard deviation. It belongs under the root: sqrt(var + eps). The difference is "
    "small until the variance is, and then your network and PyTorch's part."
)
def eps_beside_the_root(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    mean, var, weight, bias = (v.reshape(shape) for v in (running_mean, running_var, weight, bias))
    return weight * (x - mean) / (np.sqrt(var) + eps) + bias


@batch_norm_eval.mistake(
    "`weight` and `bias` are missing. Without them every channel is forced to mean 0 and spread 1, which the "
    "network may not want."
)
def no_scale_and_shift(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, None, None, eps)


@batch_norm_eval.mistake("`eps` is missing under the root: sqrt(var + eps).")
def eval_without_eps(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, weight, bias, 0.0)


@batch_norm_eval.mistake("Your `eps` is always 1e-5. That is the default; it is an argument.")
def eval_fixed_eps(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, weight, bias, 1e-5)


@batch_norm_eval.mistake("`running_mean` is not subtracted.")
def eval_not_centered(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, 0 * running_mean, running_var, weight, bias, eps)


@batch_norm_eval.mistake(
    "You subtracted the mean of this batch. In use both statistics are the stored ones: take `running_mean`."
)
def eval_own_mean(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    axes, _ = _axes(x)
    return in_numpy.batch_norm_eval.unchecked(x, x.mean(axis=axes), running_var, weight, bias, eps)


@batch_norm_eval.mistake(
    "You divided by the spread of this batch. In use both statistics are the stored ones: take `running_var`."
)
def eval_own_variance(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    axes, _ = _axes(x)
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, x.var(axis=axes), weight, bias, eps)


@batch_norm_eval.mistake("`bias` is missing: it is added at the end.")
def eval_without_bias(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, weight, None, eps)


@batch_norm_eval.mistake("`weight` is missing: it multiplies x_hat.")
def eval_without_weight(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, None, bias, eps)


@batch_norm_eval.mistake("The difference is turned round: subtract the mean from x.")
def eval_turned_round(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm_eval.unchecked(x, running_mean, running_var, -weight, bias, eps)


# --------------------------------------------------------------------------- batch norm in training

batch_norm = Exercise(
    solution=in_numpy.batch_norm,
    hints=[
        "One mean and one variance for each channel: average over all axes but the second, `(0, *range(2, "
        "x.ndim))`, with `keepdims=True`.",
        "`x_hat = (x - mean) / np.sqrt(var + eps)`, with the variance that divides by n.",
        "`weight` and `bias` hold one number per channel: reshape them to `(1, -1, 1, 1)` for images, with "
        "as many ones as x has axes behind the second.",
    ],
    next="its backward.",
    cases=_with_parameters("batch_norm"),
)


@batch_norm.mistake(
    "Your variance divides by n - 1. Batch norm divides the batch by its own spread, so it takes the biased "
    "variance (`ddof=0`); only the running variance is the unbiased one."
)
def unbiased_variance(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    std = np.sqrt(x.var(axis=axes, ddof=1, keepdims=True) + eps)
    return weight.reshape(shape) * (x - _mean(x, axes)) / std + bias.reshape(shape)


@batch_norm.mistake(
    "You normalized over the wrong axes: each sample by itself. Batch norm compares the samples of a batch, "
    "channel by channel; what you wrote is a layer norm."
)
def each_sample_by_itself(x, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    return weight.reshape(shape) * _hat(x, tuple(range(1, x.ndim)), eps)[0] + bias.reshape(shape)


@batch_norm.mistake(
    "You averaged over the batch only, so every position has a mean of its own. All positions of a channel "
    "share one mean and one variance, because they share one set of weights."
)
def each_position_by_itself(x, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    return weight.reshape(shape) * _hat(x, 0, eps)[0] + bias.reshape(shape)


@batch_norm.mistake(
    "One mean and one variance for the whole array: `axis=` is missing. Each channel needs its own, or a "
    "channel of scale 1000 drowns the others."
)
def one_mean_for_all(x, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    return weight.reshape(shape) * (x - x.mean()) / np.sqrt(x.var() + eps) + bias.reshape(shape)


@batch_norm.mistake("`eps` is added to the standard deviation. It belongs under the root: sqrt(var + eps).")
def eps_outside_the_root(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    std = x.std(axis=axes, keepdims=True) + eps
    return weight.reshape(shape) * (x - _mean(x, axes)) / std + bias.reshape(shape)


@batch_norm.mistake(
    "You shifted before scaling: weight * (x_hat + bias). The shift comes last, so that bias is the new mean."
)
def shifted_first(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    return weight.reshape(shape) * (_hat(x, axes, eps)[0] + bias.reshape(shape))


@batch_norm.mistake("You kept the last axis. Channels are the second axis of x: average over all others.")
def keeps_the_last_axis(x, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    return weight.reshape(shape) * _hat(x, tuple(range(x.ndim - 1)), eps)[0] + bias.reshape(shape)


@batch_norm.mistake(
    "Each sample has statistics of its own: axis 0 is missing. What you wrote is an instance norm."
)
def without_axis_0(x, weight=None, bias=None, eps=1e-5):
    _, shape = _axes(x)
    return weight.reshape(shape) * _hat(x, tuple(range(2, x.ndim)) or 0, eps)[0] + bias.reshape(shape)


@batch_norm.mistake(
    "You divided by the variance. Dividing by its root, the standard deviation, is what makes the spread 1."
)
def batch_by_the_variance(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    scale, shift = weight.reshape(shape), bias.reshape(shape)
    return scale * (x - _mean(x, axes)) / (x.var(axis=axes, keepdims=True) + eps) + shift


@batch_norm.mistake("`eps` is missing under the root: a channel that never changes would divide 0 by 0.")
def batch_without_eps(x, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, weight, bias, 0.0)


@batch_norm.mistake("Your `eps` is always 1e-5. That is the default; it is an argument.")
def batch_fixed_eps(x, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, weight, bias, 1e-5)


@batch_norm.mistake("The mean is still there: subtract it before you divide.")
def batch_not_centered(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    scale, shift = weight.reshape(shape), bias.reshape(shape)
    return scale * x * _hat(x, axes, eps)[1] + shift


@batch_norm.mistake("You divided by the root mean square. The spread is measured around the mean.")
def batch_root_mean_square(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    scale, shift = weight.reshape(shape), bias.reshape(shape)
    return scale * (x - _mean(x, axes)) / np.sqrt(_mean(x * x, axes) + eps) + shift


@batch_norm.mistake("`bias` is missing: it is added at the end.")
def batch_without_bias(x, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, weight, None, eps)


@batch_norm.mistake("`weight` is missing: it multiplies x_hat.")
def batch_without_weight(x, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, None, bias, eps)


@batch_norm.mistake("`weight` and `bias` are both missing: weight * x_hat + bias.")
def batch_without_both(x, weight=None, bias=None, eps=1e-5):
    return in_numpy.batch_norm.unchecked(x, None, None, eps)


@batch_norm.mistake("`weight` and `bias` are exchanged: the weight multiplies, the bias is added.")
def batch_exchanged(x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    return bias.reshape(shape) * (_hat(x, axes, eps)[0] + weight.reshape(shape))


# --------------------------------------------------------------------------------------- layer norm

layer_norm = Exercise(
    solution=in_numpy.layer_norm,
    hints=[
        "The only thing that changes against batch norm is the axes: the last `len(normalized_shape)` of x.",
        "`axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))`, and `keepdims=True` in mean and "
        "variance.",
        "`weight` and `bias` have the shape of those last axes, so `weight * x_hat + bias` needs no "
        "reshape at all.",
    ],
    next="the backward of batch norm.",
    cases=_with_parameters("layer_norm"),
)


@layer_norm.mistake(
    "You averaged over the batch (axis 0). Layer norm treats every sample by itself: that is why it does not "
    "care how large the batch is."
)
def over_the_batch(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * _hat(x, 0, eps)[0] + bias


@layer_norm.mistake(
    "You averaged over everything but the batch. `normalized_shape` names the last axes only: in a sequence "
    "(N, T, D) with normalized_shape (D,), every time step is normalized by itself."
)
def everything_but_the_batch(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * _hat(x, tuple(range(1, x.ndim)), eps)[0] + bias


@layer_norm.mistake(
    "You averaged over the last axis, whatever `normalized_shape` says. It may name several axes: average "
    "over all of them at once."
)
def always_the_last_axis(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * _hat(x, -1, eps)[0] + bias


@layer_norm.mistake(
    "Your variance divides by n - 1. Layer norm, like batch norm, divides by the biased variance (`ddof=0`)."
)
def layer_norm_unbiased(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = _last(x, normalized_shape)
    std = np.sqrt(x.var(axis=axes, ddof=1, keepdims=True) + eps)
    return weight * (x - _mean(x, axes)) / std + bias


@layer_norm.mistake("The mean is still there: subtract it before you divide. Without it, this is RMS norm.")
def mean_not_subtracted(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * x / np.sqrt(_mean(x * x, _last(x, normalized_shape)) + eps) + bias


@layer_norm.mistake(
    "You averaged over axis 1. Layer norm averages over the last axes, those that `normalized_shape` names."
)
def over_axis_1(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * _hat(x, 1, eps)[0] + bias


@layer_norm.mistake(
    "You averaged over all axes, the batch too: `axis=` is missing. Layer norm treats every sample by itself."
)
def layer_over_everything(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * _hat(x, None, eps)[0] + bias


@layer_norm.mistake(
    "You divided by the variance. Dividing by its root, the standard deviation, is what makes the spread 1."
)
def layer_by_the_variance(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = _last(x, normalized_shape)
    return weight * (x - _mean(x, axes)) / (x.var(axis=axes, keepdims=True) + eps) + bias


@layer_norm.mistake("`eps` is added to the standard deviation. It belongs under the root: sqrt(var + eps).")
def layer_eps_outside(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = _last(x, normalized_shape)
    return weight * (x - _mean(x, axes)) / (x.std(axis=axes, keepdims=True) + eps) + bias


@layer_norm.mistake("`eps` is missing under the root: a sample of equal numbers would divide 0 by 0.")
def layer_without_eps(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return in_numpy.layer_norm.unchecked(x, normalized_shape, weight, bias, 0.0)


@layer_norm.mistake("Your `eps` is always 1e-5. That is the default; it is an argument.")
def layer_fixed_eps(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return in_numpy.layer_norm.unchecked(x, normalized_shape, weight, bias, 1e-5)


@layer_norm.mistake("You divided by the standard deviation, and did not subtract the mean.")
def layer_not_centered(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return weight * x * _hat(x, _last(x, normalized_shape), eps)[1] + bias


@layer_norm.mistake("`bias` is missing: it is added at the end.")
def layer_without_bias(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return in_numpy.layer_norm.unchecked(x, normalized_shape, weight, None, eps)


@layer_norm.mistake("`weight` is missing: it multiplies x_hat.")
def layer_without_weight(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return in_numpy.layer_norm.unchecked(x, normalized_shape, None, bias, eps)


@layer_norm.mistake("`weight` and `bias` are both missing: weight * x_hat + bias.")
def layer_without_both(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return in_numpy.layer_norm.unchecked(x, normalized_shape, None, None, eps)


# ------------------------------------------------------------------------- the backward of batch norm

batch_norm_backward = Exercise(
    solution=in_numpy.batch_norm_backward,
    hints=[
        "Compute `x_hat` and `rstd = 1 / np.sqrt(var + eps)` again, with `keepdims=True`. `grad_bias` and "
        "`grad_weight` are sums of `grad_output` and of `grad_output * x_hat` over all axes but the "
        "channels.",
        "What arrives at `x_hat` is `g = weight * grad_output`, weight reshaped to meet the channels.",
        "`grad_x = rstd * (g - mean(g) - x_hat * mean(g * x_hat))`, both means over the axes of the "
        "statistics.",
    ],
    next="the same with one term less, in RMS norm.",
    cases=_for_backward("batch_norm"),
)


def _backward(grad_output, x, weight, eps, direct=1, through_mean=1, through_var=1, scaled=True):
    """The backward with parts that can be left out."""
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output if scaled else grad_output
    grad_x = rstd * (
        direct * g - through_mean * _mean(g, axes) - through_var * x_hat * _mean(g * x_hat, axes)
    )
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "You treated mean and variance as constants. Both are computed from x, so x also acts through them: two "
    "more terms flow back."
)
def constant_statistics(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=0, through_var=0)


@batch_norm_backward.mistake(
    "The way through the variance is missing. It sends back - x_hat * mean(g * x_hat): without it, your "
    "gradient tries to change the scale of x, which batch norm divides out."
)
def constant_variance(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=0)


@batch_norm_backward.mistake(
    "The way through the mean is missing. It sends back - mean(g): without it, the gradients of a channel do "
    "not sum to 0, although adding a constant to the whole channel changes nothing."
)
def constant_mean(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=0)


@batch_norm_backward.mistake(
    "You summed where the formula has means: 1/n is missing. The mean takes 1/n of each x, so it also hands "
    "back 1/n to each x."
)
def sums_for_means(grad_output, x, weight=None, bias=None, eps=1e-5):
    n = x.size / x.shape[1]
    return _backward(grad_output, x, weight, eps, through_mean=n, through_var=n)


@batch_norm_backward.mistake(
    "In grad_x you divided by the batch size N. What counts is n, the number of values per channel: for "
    "images that is N times the number of pixels."
)
def divided_by_the_batch_size(grad_output, x, weight=None, bias=None, eps=1e-5):
    positions = x.size / x.shape[1] / len(x)
    return _backward(grad_output, x, weight, eps, through_mean=positions, through_var=positions)


@batch_norm_backward.mistake(
    "`weight` is missing from grad_x. On its way back the gradient passes the scale first: g = weight * "
    "grad_output."
)
def forgot_the_weight(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, scaled=False)


@batch_norm_backward.mistake(
    "grad_x is not divided by the standard deviation. The forward pass multiplies by rstd, so the "
    "backward pass does too."
)
def forgot_the_deviation(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, *rest = _backward(grad_output, x, weight, eps)
    return (grad_x / _hat(x, _axes(x)[0], eps)[1], *rest)


@batch_norm_backward.mistake(
    "For grad_weight you multiplied by x. What `weight` multiplies in the forward pass is x_hat, so its "
    "gradient is the sum of grad_output * x_hat."
)
def weight_meets_x(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, _, grad_bias = _backward(grad_output, x, weight, eps)
    return grad_x, (grad_output * x).sum(axis=_axes(x)[0]), grad_bias


@batch_norm_backward.mistake(
    "grad_weight and grad_bias are means. Each is used by all n values of its channel, and the contributions "
    "of all uses add up: take the sum."
)
def means_for_sums(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, grad_weight, grad_bias = _backward(grad_output, x, weight, eps)
    n = x.size / x.shape[1]
    return grad_x, grad_weight / n, grad_bias / n


@batch_norm_backward.mistake(
    "Your variance divides by n - 1. The forward pass divides by the biased one, so x_hat and rstd in the "
    "backward do too (`ddof=0`)."
)
def backward_unbiased(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    rstd = 1 / np.sqrt(x.var(axis=axes, ddof=1, keepdims=True) + eps)
    x_hat, g = (x - _mean(x, axes)) * rstd, weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake("`eps` is missing: rstd = 1 / sqrt(var + eps), backward as forward.")
def backward_without_eps(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, 0.0)


@batch_norm_backward.mistake("Your `eps` is always 1e-5. That is the default; it is an argument.")
def backward_fixed_eps(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, 1e-5)


@batch_norm_backward.mistake(
    "`eps` is added to the standard deviation. It belongs under the root: sqrt(var + eps)."
)
def backward_eps_outside(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    std, g = x.std(axis=axes, keepdims=True) + eps, weight.reshape(shape) * grad_output
    x_hat = (x - _mean(x, axes)) / std
    grad_x = (g - _mean(g, axes) - x_hat * _mean(g * x_hat, axes)) / std
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "The root is missing: you divided by the variance, not by the standard deviation."
)
def backward_no_root(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    var, g = x.var(axis=axes, keepdims=True) + eps, weight.reshape(shape) * grad_output
    x_hat = (x - _mean(x, axes)) / var
    grad_x = (g - _mean(g, axes) - x_hat * _mean(g * x_hat, axes)) / var
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "`weight` stands in grad_weight. There the gradient has not passed the scale yet: grad_output, not g."
)
def weight_in_its_gradient(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, grad_weight, grad_bias = _backward(grad_output, x, weight, eps)
    return grad_x, weight * grad_weight, grad_bias


@batch_norm_backward.mistake(
    "`weight` stands in grad_bias. The bias is added behind the scale: sum grad_output itself."
)
def weight_in_the_bias(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, grad_weight, grad_bias = _backward(grad_output, x, weight, eps)
    return grad_x, grad_weight, weight * grad_bias


@batch_norm_backward.mistake(
    "`weight` stands in grad_weight and in grad_bias. Both come before the gradient passes the scale: "
    "grad_output, not g."
)
def weight_in_both(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, grad_weight, grad_bias = _backward(grad_output, x, weight, eps)
    return grad_x, weight * grad_weight, weight * grad_bias


@batch_norm_backward.mistake(
    "The way through the variance has the wrong sign. A value that moves away from the mean makes the "
    "deviation larger, and all outputs smaller."
)
def sign_of_the_variance(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=-1)


@batch_norm_backward.mistake(
    "The way through the mean has the wrong sign. The mean is subtracted forward, so it comes back with "
    "a minus."
)
def sign_of_the_mean(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=-1)


@batch_norm_backward.mistake(
    "The ways through mean and variance have the wrong sign: both are subtracted from g."
)
def sign_of_both(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=-1, through_var=-1)


@batch_norm_backward.mistake(
    "In the way through the variance x_hat stands once. It stands there twice: what the variance "
    "collects is mean(g * x_hat), and x_hat hands it on."
)
def hat_once(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "In the way through the variance stands x instead of x_hat. The variance feels how far x is from its "
    "mean."
)
def variance_meets_x(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - x * _mean(g * x, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "The way through the variance has half its size: the 2 of the square cancels the 1/2 of the root."
)
def half_the_variance(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=0.5)


@batch_norm_backward.mistake(
    "The way through the variance has twice its size: the 2 of the square cancels the 1/2 of the root."
)
def twice_the_variance(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=2)


@batch_norm_backward.mistake(
    "`weight` stands in grad_x twice. The gradient passes the scale once: g holds it already."
)
def weight_twice(grad_output, x, weight=None, bias=None, eps=1e-5):
    grad_x, grad_weight, grad_bias = _backward(grad_output, x, weight, eps)
    return weight.reshape(_axes(x)[1]) * grad_x, grad_weight, grad_bias


@batch_norm_backward.mistake("Your x_hat is not centered: subtract the mean before you divide.")
def hat_not_centered(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    rstd = _hat(x, axes, eps)[1]
    x_hat, g = x * rstd, weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "In the way through the mean `weight` is missing: what arrives at x_hat is g, in all three terms."
)
def mean_without_weight(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(grad_output, axes) - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "In the way through the variance `weight` is missing: what arrives at x_hat is g, in all three terms."
)
def variance_without_weight(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - x_hat * _mean(grad_output * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "In the ways through mean and variance `weight` is missing: what arrives at x_hat is g, in all three "
    "terms."
)
def weight_on_the_direct_path(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(grad_output, axes) - x_hat * _mean(grad_output * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "In the way through the variance rstd stands once too often: x_hat holds it already."
)
def rstd_too_often(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes) - rstd * x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "The way through the variance has the wrong sign and twice its size: the slope of var**-0.5 is -0.5 "
    "* rstd**3."
)
def forgot_minus_half(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=-2)


@batch_norm_backward.mistake(
    "In the way through the variance 1/n is missing: the variance is a mean of squares."
)
def variance_not_a_mean(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=x.size / x.shape[1])


@batch_norm_backward.mistake(
    "In the way through the mean 1/n is missing: it hands 1/n of what it gets to each x."
)
def mean_not_a_mean(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=x.size / x.shape[1])


@batch_norm_backward.mistake(
    "In the way through the variance you divided by the batch size N. What counts is n, the number of "
    "values per channel."
)
def variance_by_the_batch_size(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_var=x.size / x.shape[1] / len(x))


@batch_norm_backward.mistake(
    "In the way through the mean you divided by the batch size N. What counts is n, the number of values "
    "per channel."
)
def mean_by_the_batch_size(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, through_mean=x.size / x.shape[1] / len(x))


@batch_norm_backward.mistake(
    "In the way through the variance a factor rstd is missing: the slope of var**-0.5 holds rstd three times."
)
def rstd_squared(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = rstd * (g - _mean(g, axes)) - x_hat * _mean(g * x_hat, axes)
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "The direct way is missing. x acts on x_hat by itself too, not only through mean and variance: g "
    "comes first."
)
def no_direct_way(grad_output, x, weight=None, bias=None, eps=1e-5):
    return _backward(grad_output, x, weight, eps, direct=0, through_mean=0)


@batch_norm_backward.mistake("The direct way misses rstd: x_hat = (x - mean) * rstd, so g * rstd comes back.")
def direct_without_rstd(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    grad_x = g - _mean(g, axes) - rstd * x_hat * _mean(g * x_hat, axes)
    return grad_x, (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


@batch_norm_backward.mistake(
    "What reaches rstd was not summed. All values of a channel share one rstd, so their contributions add up."
)
def rstd_not_summed(grad_output, x, weight=None, bias=None, eps=1e-5):
    axes, shape = _axes(x)
    x_hat, rstd = _hat(x, axes, eps)
    g = weight.reshape(shape) * grad_output
    n = x.size / x.shape[1]
    centered = rstd * (g - x_hat * g * x_hat / n)
    return centered - _mean(centered, axes), (grad_output * x_hat).sum(axis=axes), grad_output.sum(axis=axes)


# ------------------------------------------------------------------------- the backward of RMS norm

rms_norm_backward = Exercise(
    solution=in_numpy.rms_norm_backward,
    hints=[
        "y = weight * x * r with r = 1 / sqrt(mean(x²) + eps). x acts twice: directly, and through r.",
        "Through r: one x_j changes the mean of squares by 2 x_j / n, hence r by - r³ x_j / n. Collect what "
        "reaches r from all outputs: the sum of g * x, with g = weight * grad_output.",
        "Together: `grad_x = r * (g - x_hat * mean(g * x_hat))` with `x_hat = x * r`. `grad_weight` sums "
        "grad_output * x_hat over the axes in front of those named by normalized_shape.",
    ],
    next="the questions.",
    cases=_for_backward("rms_norm", eps=1e-6),
)


def _rms_backward(
    grad_output, x, normalized_shape, weight, eps, through_r=1.0, through_mean=0.0, scaled=True
):
    axes = _last(x, normalized_shape)
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat, g = x * r, weight * grad_output if scaled else grad_output
    grad_x = r * (g - through_mean * _mean(g, axes) - through_r * x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(axes[0])))


@rms_norm_backward.mistake(
    "You treated the root mean square as a constant. It is computed from x: a second term flows back "
    "through it."
)
def constant_rms(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=0)


@rms_norm_backward.mistake(
    "You subtracted mean(g) as in layer norm. RMS norm never takes a mean away from x, so nothing comes "
    "back that way."
)
def as_in_layer_norm(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_mean=1)


@rms_norm_backward.mistake(
    "You summed g * x_hat where the formula has a mean: 1/n, which comes from the mean of squares, is "
    "missing."
)
def sum_for_mean(grad_output, x, normalized_shape, weight=None, eps=None):
    n = np.prod(normalized_shape)
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=n)


@rms_norm_backward.mistake(
    "`weight` is missing from grad_x: on its way back the gradient passes the scale first, g = weight * "
    "grad_output."
)
def weight_left_out(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, scaled=False)


@rms_norm_backward.mistake(
    "The second term has twice its size. The derivative of x² brings a 2 and that of the root a 1/2: "
    "they cancel."
)
def forgot_that_the_root_halves(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=2)


@rms_norm_backward.mistake("`eps` is missing: r = 1 / sqrt(mean(x²) + eps), backward as forward.")
def eps_left_out(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, 0.0)


@rms_norm_backward.mistake(
    "You averaged over the last axis, whatever `normalized_shape` says. It may name several axes."
)
def rms_last_axis_alone(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = -1, weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "You averaged over the batch (axis 0). RMS norm treats every sample by itself, over its last axes."
)
def rms_over_the_batch(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = 0, weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "You averaged over everything but the batch. `normalized_shape` names the last axes only."
)
def rms_all_but_the_batch(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = tuple(range(1, x.ndim)), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake("grad_x is not multiplied by r. Forward multiplies x by it, so backward does too.")
def rms_forgot_r(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = g - x_hat * _mean(g * x_hat, axes)
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "`eps` is added to the root mean square. It belongs under the root: sqrt(mean(x²) + eps)."
)
def rms_eps_outside(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / (np.sqrt(_mean(x * x, axes)) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake("Your `eps` is always 1e-5. It is an argument.")
def rms_fixed_eps(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, 1e-5)


@rms_norm_backward.mistake("You took the variance. RMS norm subtracts no mean: r is made of the mean of x².")
def rms_variance(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "Your x_hat is centered, as in layer norm. RMS norm subtracts no mean: x_hat = x * r."
)
def rms_centered(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = (x - _mean(x, axes)) * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake("The root is missing in r: r = 1 / sqrt(mean(x²) + eps).")
def rms_no_root(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / (_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake("You summed the squares in r. It is made of their mean.")
def rms_sum_of_squares(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt((x * x).sum(axis=axes, keepdims=True) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "For grad_weight you multiplied by x. What `weight` multiplies in the forward pass is x_hat = x * r."
)
def rms_weight_meets_x(grad_output, x, normalized_shape, weight=None, eps=None):
    grad_x, grad_weight = _rms_backward(grad_output, x, normalized_shape, weight, eps)
    return grad_x, (grad_output * x).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "`weight` stands in grad_weight. There the gradient has not passed the scale yet: grad_output, not g."
)
def rms_weight_in_its_gradient(grad_output, x, normalized_shape, weight=None, eps=None):
    grad_x, grad_weight = _rms_backward(grad_output, x, normalized_shape, weight, eps)
    return grad_x, weight * grad_weight


@rms_norm_backward.mistake(
    "grad_weight is a mean. Every sample uses the weight, and the contributions add up: take the sum."
)
def rms_mean_for_sum(grad_output, x, normalized_shape, weight=None, eps=None):
    grad_x, grad_weight = _rms_backward(grad_output, x, normalized_shape, weight, eps)
    return grad_x, grad_weight * np.prod(normalized_shape) / x.size


@rms_norm_backward.mistake("The second term has the wrong sign. A larger x makes r smaller.")
def rms_sign(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=-1)


@rms_norm_backward.mistake(
    "The second term has half its size. The derivative of x² brings a 2 and that of the root a 1/2: they "
    "cancel."
)
def rms_half(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=0.5)


@rms_norm_backward.mistake(
    "In the second term `weight` is missing: what arrives at x_hat is g, in both terms."
)
def rms_second_without_weight(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x_hat * _mean(grad_output * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "In the second term stands x instead of x_hat, twice. r changes with r³ x: two of the three r belong "
    "to the two x."
)
def rms_x_for_hat(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x * _mean(g * x, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "In the second term an r is missing: x_hat = x * r stands there twice, and r once more in front."
)
def rms_x_once(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - x * _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "In the second term x_hat stands once. It stands there twice: r collects mean(g * x_hat), and x_hat "
    "hands it on."
)
def rms_hat_once(grad_output, x, normalized_shape, weight=None, eps=None):
    axes, g = _last(x, normalized_shape), weight * grad_output
    r = 1 / np.sqrt(_mean(x * x, axes) + eps)
    x_hat = x * r
    grad_x = r * (g - _mean(g * x_hat, axes))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(x.ndim - len(normalized_shape))))


@rms_norm_backward.mistake(
    "`weight` stands in grad_x twice. The gradient passes the scale once: g holds it already."
)
def rms_weight_twice(grad_output, x, normalized_shape, weight=None, eps=None):
    grad_x, grad_weight = _rms_backward(grad_output, x, normalized_shape, weight, eps)
    return weight * grad_x, grad_weight


@rms_norm_backward.mistake(
    "The second term has the wrong sign and twice its size: the slope of s**-0.5 is -0.5 * r**3."
)
def rms_forgot_minus_half(grad_output, x, normalized_shape, weight=None, eps=None):
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=-2)


@rms_norm_backward.mistake(
    "In the second term you divided by the number of samples. n is the number of values that share one "
    "r, the product of `normalized_shape`."
)
def rms_by_the_batch_size(grad_output, x, normalized_shape, weight=None, eps=None):
    n = np.prod(normalized_shape)
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=n / len(x))


@rms_norm_backward.mistake(
    "In the second term n is only the last size. Multiply all sizes of `normalized_shape`."
)
def rms_by_the_last_size(grad_output, x, normalized_shape, weight=None, eps=None):
    n = np.prod(normalized_shape)
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=n / x.shape[-1])


@rms_norm_backward.mistake(
    "In the second term 1/n stands twice. What reaches r from all outputs is a sum of g * x."
)
def rms_divided_twice(grad_output, x, normalized_shape, weight=None, eps=None):
    n = np.prod(normalized_shape)
    return _rms_backward(grad_output, x, normalized_shape, weight, eps, through_r=1 / n)


@rms_norm_backward.mistake(
    "The direct way is missing. x acts by itself too, not only through r: g * r comes first."
)
def rms_no_direct_way(grad_output, x, normalized_shape, weight=None, eps=None):
    axes = _last(x, normalized_shape)
    r, g = 1 / np.sqrt(_mean(x * x, axes) + eps), weight * grad_output
    x_hat = x * r
    grad_x = -r * x_hat * _mean(g * x_hat, axes)
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(axes[0])))


@rms_norm_backward.mistake(
    "What reaches r was summed over the samples too. Each sample has an r of its own: sum over the last "
    "axes only."
)
def rms_r_of_all(grad_output, x, normalized_shape, weight=None, eps=None):
    axes = _last(x, normalized_shape)
    r, g = 1 / np.sqrt(_mean(x * x, axes) + eps), weight * grad_output
    x_hat = x * r
    grad_x = r * (g - r * r * x * (g * x).sum() / np.prod(normalized_shape))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(axes[0])))


@rms_norm_backward.mistake(
    "What reaches r was not summed. All values of a sample share one r, so their contributions add up."
)
def rms_r_not_summed(grad_output, x, normalized_shape, weight=None, eps=None):
    axes = _last(x, normalized_shape)
    r, g = 1 / np.sqrt(_mean(x * x, axes) + eps), weight * grad_output
    x_hat = x * r
    grad_x = r * (g - x_hat * g * x_hat / np.prod(normalized_shape))
    return grad_x, (grad_output * x_hat).sum(axis=tuple(range(axes[0])))
