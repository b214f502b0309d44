"""Exercises of notebook 14, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.convolution import in_numpy
from nnlib.core import Case
from nnlib.exercises import Exercise

# ------------------------------------------------------------------------------------- the convolution


def _pictures(rng):
    for note, (channels, out, kernel), size in (
        ("one channel in, one out", (1, 1, 3), (5, 6)),
        ("several channels", (3, 4, 2), (4, 5)),
    ):
        x = rng.normal(size=(2, channels, *size))
        weight, bias = rng.normal(size=(out, channels, kernel, kernel)), rng.normal(size=out)
        yield note, dict(x=x, weight=weight, bias=bias)


def _loops_cases(rng):
    for note, args in _pictures(rng):
        yield Case("conv2d_loops", args, note)
    args = dict(x=rng.normal(size=(2, 2, 5, 6)), weight=rng.normal(size=(3, 2, 2, 3)))
    yield Case("conv2d_loops", args, "kernel 2 x 3, no bias")


conv2d_loops = Exercise(
    solution=in_numpy.conv2d_loops,
    hints=[
        "The result has the shape (N, O, H - KH + 1, W - KW + 1). Make an array of zeros of x.dtype and "
        "fill it place by place.",
        "The window of place (h, w) is x[:, :, h : h + KH, w : w + KW]: all pictures at once, of shape "
        "(N, C, KH, KW).",
        "Each output channel multiplies it by its weight[o] (C, KH, KW) and adds up: "
        'np.einsum("ncij,ocij->no", window, weight) gives y[:, :, h, w] but for the bias.',
    ],
    next="the gradient of a maximum.",
    cases=lambda rng: list(_loops_cases(rng)),
)


def _convolve(x, weight, bias):
    return in_numpy.conv2d.unchecked(x, weight, bias)


@conv2d_loops.mistake(
    "Your kernel is flipped. Mathematicians call that a convolution; what deep learning calls one does not "
    "flip: weight[o, c, 0, 0] meets the upper left pixel of the window."
)
def flipped(x, weight, bias=None):
    return _convolve(x, weight[:, :, ::-1, ::-1], bias)


@conv2d_loops.mistake("The bias is missing: one number for each output channel, the same at all places.")
def without_bias(x, weight, bias=None):
    return _convolve(x, weight, None)


@conv2d_loops.mistake(
    "You read only the first channel of x. A window is (C, KH, KW): the products of all channels are added "
    "up."
)
def first_channel_only(x, weight, bias=None):
    return _convolve(x[:, :1], weight[:, :1], bias)


@conv2d_loops.mistake(
    "Rows and columns of the kernel are exchanged: its first axis goes with h, its second with w."
)
def kernel_transposed(x, weight, bias=None):
    return _convolve(x, weight.transpose(0, 1, 3, 2), bias)


@conv2d_loops.mistake("You took the mean of the products of a window. A convolution adds them up.")
def averaged(x, weight, bias=None):
    return _convolve(x, weight / weight[0].size, bias)


@conv2d_loops.mistake(
    "You added the bias once for every weight of a window. It is added once to each output."
)
def bias_in_every_product(x, weight, bias=None):
    return _convolve(x, weight, None if bias is None else bias * weight[0].size)


@conv2d_loops.mistake(
    "The last row and the last column of places are missing: a window of K pixels has H - K + 1 places, not "
    "H - K."
)
def last_place_missing(x, weight, bias=None):
    return _convolve(x, weight, bias)[:, :, :-1, :-1]


@conv2d_loops.mistake("The last row and the last column of places stayed 0: your loops end one early.")
def loops_end_early(x, weight, bias=None):
    y = in_numpy.conv2d.unchecked(x, weight)
    y[:, :, -1], y[:, :, :, -1] = 0, 0
    return y if bias is None else y + bias[:, None, None]


@conv2d_loops.mistake("The last row of places stayed 0: the loop over h ends one early.")
def last_row_only_missing(x, weight, bias=None):
    y = in_numpy.conv2d.unchecked(x, weight)
    y[:, :, -1] = 0
    return y if bias is None else y + bias[:, None, None]


@conv2d_loops.mistake("The last column of places stayed 0: the loop over w ends one early.")
def last_column_only_missing(x, weight, bias=None):
    y = in_numpy.conv2d.unchecked(x, weight)
    y[:, :, :, -1] = 0
    return y if bias is None else y + bias[:, None, None]


@conv2d_loops.mistake("You subtracted the bias. It is added.")
def bias_subtracted(x, weight, bias=None):
    return _convolve(x, weight, None if bias is None else -bias)


@conv2d_loops.mistake(
    "You added the bias along the last axis, the width. It belongs to the output channels: bias[:, None, "
    "None]."
)
def bias_along_the_width(x, weight, bias=None):
    y = _convolve(x, weight, None)
    if bias is None:
        return y
    return y + (bias if len(bias) in (1, y.shape[-1]) else bias[:, None, None])


@conv2d_loops.mistake("You added the sum of all biases. Each output channel has its own.")
def sum_of_the_biases(x, weight, bias=None):
    y = _convolve(x, weight, None)
    return y if bias is None else y + bias.sum()


@conv2d_loops.mistake(
    "Only the last channel of x is left: `=` instead of `+=` in the loop over the channels. Their products "
    "are added up."
)
def last_channel_only(x, weight, bias=None):
    return _convolve(x[:, -1:], weight[:, -1:], bias)


@conv2d_loops.mistake("Every output channel has the same values. Each has a kernel of its own, weight[o].")
def one_kernel_for_all(x, weight, bias=None):
    return _convolve(x, np.repeat(weight[:1], len(weight), axis=0), bias)


# ---------------------------------------------------------------------------------------- its backward


def _backward_cases(rng):
    for note, args in _pictures(rng):
        grad_output = core.grad_outputs(in_numpy.conv2d.unchecked(**args))
        yield Case("conv2d_backward", {"grad_output": grad_output, **args}, note)


conv2d_backward = Exercise(
    solution=in_numpy.conv2d_backward,
    hints=[
        "Go through the places again. At (h, w), forward read window = x[:, :, h : h + KH, w : w + KW] and "
        "made y[:, :, h, w] = window · weight + bias. Each of the three gets something from g = "
        "grad_output[:, :, h, w], which is (N, O).",
        "The weights were used at every place, so their gradients add up: grad_weight += "
        'np.einsum("no,ncij->ocij", g, window). The bias collects g itself.',
        "A pixel was used by every window over it, so it collects too: grad_x[:, :, h : h + KH, w : w + KW] "
        '+= np.einsum("no,ocij->ncij", g, weight).',
    ],
    next="the way back up: `convolution.conv_transpose2d`.",
    cases=lambda rng: list(_backward_cases(rng)),
)


def _gradients(grad_output, x, weight, bias):
    return in_numpy.conv2d_backward.unchecked(grad_output, x, weight, bias)


def _places(grad_output, weight):
    """Each place: its gradient (N, O) and the slice of its window."""
    KH, KW = weight.shape[2:]
    for h, w in np.ndindex(grad_output.shape[2:]):
        yield grad_output[:, :, h, w], np.s_[:, :, h : h + KH, w : w + KW]


@conv2d_backward.mistake(
    "In grad_x you wrote over what was there: `=` instead of `+=`. Windows overlap, and a pixel collects "
    "from each."
)
def overwritten(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    grad_x = np.zeros_like(x)
    for g, window in _places(grad_output, weight):
        grad_x[window] = np.einsum("no,ocij->ncij", g, weight)
    return grad_x, grad_weight, grad_bias


@conv2d_backward.mistake(
    "In grad_weight only the last place is left: `=` instead of `+=`. The weights are shared by all places, "
    "and what is shared forward is added up backward."
)
def last_place_only(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, _, grad_bias = _gradients(grad_output, x, weight, bias)
    for g, window in _places(grad_output, weight):
        grad_weight = np.einsum("no,ncij->ocij", g, x[window])
    return grad_x, grad_weight, grad_bias


@conv2d_backward.mistake(
    "`=` instead of `+=`, in grad_x and in grad_weight: only the last writer is left. A pixel collects from "
    "every window over it, and the weights, which all places share, from every place."
)
def overwritten_twice(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x = overwritten(grad_output, x, weight, bias)[0]
    return grad_x, *last_place_only(grad_output, x, weight, bias)[1:]


@conv2d_backward.mistake(
    "In grad_x, rows and columns of the kernel are exchanged: its first axis goes with h, its second with w."
)
def grad_x_transposed(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _, *rest = _gradients(grad_output, x, weight, bias)
    return _gradients(grad_output, x, weight.swapaxes(2, 3), bias)[0], *rest


@conv2d_backward.mistake(
    "Your grad_x uses the kernel flipped. If you slide the kernel over a padded grad_output it must be "
    "flipped; if you add weight * g into each window, it must not."
)
def grad_x_flipped(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _, *rest = _gradients(grad_output, x, weight, bias)
    return _gradients(grad_output, x, weight[:, :, ::-1, ::-1], bias)[0], *rest


@conv2d_backward.mistake(
    "Your grad_weight is flipped: weight[i, j] met the pixel (h + i, w + j), not its mirror."
)
def grad_weight_flipped(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight[:, :, ::-1, ::-1].copy(), grad_bias


@conv2d_backward.mistake(
    "You averaged over the batch. If the loss is a mean, its 1/N is already inside grad_output; here you add "
    "up."
)
def averaged_over_the_batch(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight / len(x), grad_bias / len(x)


@conv2d_backward.mistake(
    "grad_bias is added up over the batch only. One bias serves every place as well: sum over the axes (0, "
    "2, 3)."
)
def bias_for_every_place(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return *_gradients(grad_output, x, weight, bias)[:2], grad_output.sum(axis=0)


@conv2d_backward.mistake("grad_bias is a mean over the places. The bias was added at each of them: sum.")
def bias_averaged(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return *_gradients(grad_output, x, weight, bias)[:2], grad_output.mean(axis=(2, 3)).sum(axis=0)


@conv2d_backward.mistake(
    "Your grad_bias is one number for all. Each output channel has a bias of its own: sum over the axes (0, "
    "2, 3)."
)
def one_bias_for_all(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return *_gradients(grad_output, x, weight, bias)[:2], grad_output.sum()


@conv2d_backward.mistake(
    "Your loops end one early: the last row and the last column of places have gradients too."
)
def loops_end_one_early(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _, _, grad_bias = _gradients(grad_output, x, weight, bias)
    inner = grad_output.copy()
    inner[:, :, -1], inner[:, :, :, -1] = 0, 0
    return *_gradients(inner, x, weight, bias)[:2], grad_bias


@conv2d_backward.mistake(
    "In grad_x only the last output channel and the last window are left: `=` instead of `+=`. A pixel "
    "collects from all channels and all windows."
)
def last_output_only(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    grad_x = np.zeros_like(x)
    for g, window in _places(grad_output, weight):
        grad_x[window] = np.einsum("no,ocij->ncij", g[:, -1:], weight[-1:])
    return grad_x, grad_weight, grad_bias


@conv2d_backward.mistake(
    "Your grad_weight reads the first window at every place. The window slides along: x[:, :, h : h + KH, w "
    ": w + KW]."
)
def one_window_for_all(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    KH, KW = weight.shape[2:]
    grad_weight = np.einsum("no,ncij->ocij", grad_output.sum(axis=(2, 3)), x[:, :, :KH, :KW])
    return grad_x, grad_weight, grad_bias


@conv2d_backward.mistake("In grad_weight, rows and columns of the window are exchanged.")
def window_transposed(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight.swapaxes(2, 3).copy(), grad_bias


@conv2d_backward.mistake(
    "grad_bias is a mean over batch and places. The bias was added at each of them: sum."
)
def bias_mean_of_all(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight, grad_output.mean(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "grad_weight is a mean over the places. The weights were used at each of them: add up."
)
def weight_averaged_over_places(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight / grad_output[0, 0].size, grad_bias


@conv2d_backward.mistake(
    "Every output channel's weight collects the gradients of all channels in your version. weight[o] made "
    "y[:, o] alone."
)
def all_outputs_for_each_weight(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    all_outputs = np.repeat(grad_output.sum(axis=1, keepdims=True), len(weight), axis=1)
    return grad_x, _gradients(all_outputs, x, weight, bias)[1], grad_bias


@conv2d_backward.mistake(
    "grad_weight adds up the windows as they are. Each is multiplied by what arrives at its place."
)
def weight_without_gradient(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, _gradients(np.ones_like(grad_output), x, weight, bias)[1], grad_bias


@conv2d_backward.mistake(
    "grad_x adds up the kernels as they are. Each is multiplied by what arrives at its place."
)
def x_without_gradient(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return _gradients(np.ones_like(grad_output), x, weight, bias)[0], grad_weight, grad_bias


@conv2d_backward.mistake(
    "grad_bias counts the places. Each counts as much as what arrives there, grad_output."
)
def bias_counted(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight, np.full_like(grad_bias, grad_output[:, 0].size)


@conv2d_backward.mistake(
    "The factors are exchanged: in a product each gets the other. grad_x collects weight * g, and "
    "grad_weight collects window * g."
)
def factors_exchanged(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    grad_x = np.zeros_like(x)
    for g, window in _places(grad_output, weight):
        grad_x[window] += g.sum(axis=1)[:, None, None, None] * x[window]
    return grad_x, weight * grad_bias[:, None, None, None], grad_bias


@conv2d_backward.mistake(
    "grad_x gets the sum of a kernel at the corner of its window alone. Every pixel of the window was read, "
    "each with its own weight."
)
def to_the_corner_alone(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    corner = np.einsum("nohw,oc->nchw", grad_output, weight.sum(axis=(2, 3)))
    grad_x = np.zeros_like(x)
    grad_x[:, :, : corner.shape[2], : corner.shape[3]] = corner
    return grad_x, grad_weight, grad_bias


@conv2d_backward.mistake("grad_bias is 0. It collects from every place and every picture what arrives there.")
def bias_left_at_zero(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, grad_weight, 0 * grad_bias


@conv2d_backward.mistake(
    "grad_weight collects from the first picture alone. All pictures of the batch share the weights."
)
def first_picture_only(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    grad_x, grad_weight, grad_bias = _gradients(grad_output, x, weight, bias)
    return grad_x, _gradients(grad_output[:1], x[:1], weight, bias)[1], grad_bias


# ------------------------------------------------------------------------------------------ max pooling


def _pooling_cases(rng):
    tied = rng.integers(0, 3, size=(2, 2, 6, 4)).astype(float)
    for note, x, kernel in (
        ("windows of 2", rng.normal(size=(2, 3, 4, 6)), 2),
        ("ties", tied, 2),
        ("windows of 3, rows left over", rng.normal(size=(1, 2, 7, 6)), 3),
    ):
        grad_output = core.grad_outputs(in_numpy.max_pool2d.unchecked(x, kernel))
        yield Case("max_pool2d_backward", dict(grad_output=grad_output, x=x, kernel_size=kernel), note)


max_pool2d_backward = Exercise(
    solution=in_numpy.max_pool2d_backward,
    hints=[
        "Windows stand side by side, so no pixel is in two of them. Start with np.zeros_like(x) and go "
        "through the windows: `for n, c, h, w in np.ndindex(grad_output.shape)`.",
        "window = x[n, c, h * K : (h + 1) * K, w * K : (w + 1) * K] with K = kernel_size. All of "
        "grad_output[n, c, h, w] goes to one of its pixels, the largest.",
        "window.argmax() counts the pixels row by row and returns the first of equals, as torch does; "
        "i, j = divmod(window.argmax(), K).",
    ],
    next="the backward of a convolution.",
    cases=lambda rng: list(_pooling_cases(rng)),
)


def _blocks(x, K):
    """Windows side by side as (N, C, HO, WO, K * K); rows and columns that are left over are cut off."""
    N, C, H, W = x.shape
    x = x[:, :, : H // K * K, : W // K * K].reshape(N, C, H // K, K, W // K, K)
    return x.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // K, W // K, K * K)


def _unblocked(blocks, x, K):
    N, C, HO, WO, _ = blocks.shape
    inside = blocks.reshape(N, C, HO, WO, K, K).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, HO * K, WO * K)
    y = np.zeros_like(x)
    y[:, :, : HO * K, : WO * K] = inside
    return y


@max_pool2d_backward.mistake(
    "If several pixels are equally large, you give each of them the whole gradient: a mask `x == y` does "
    "that. Together they get too much. Torch gives it to the first of them, row by row."
)
def all_of_the_equals(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    blocks = _blocks(x, kernel_size)
    mask = blocks == blocks.max(axis=-1, keepdims=True)
    return _unblocked(mask * grad_output[..., None], x, kernel_size)


@max_pool2d_backward.mistake(
    "You divide the gradient among equal pixels. That is a valid choice, and not torch's: it gives all of it "
    "to the first of them, row by row."
)
def shared_among_equals(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    blocks = _blocks(x, kernel_size)
    mask = blocks == blocks.max(axis=-1, keepdims=True)
    return _unblocked(mask / mask.sum(axis=-1, keepdims=True) * grad_output[..., None], x, kernel_size)


@max_pool2d_backward.mistake(
    "Among equal pixels you take the last: `>=` where `>` keeps the first. Torch, and argmax, take the first."
)
def last_of_the_equals(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    blocks = _blocks(x, kernel_size)
    last = blocks.shape[-1] - 1 - blocks[..., ::-1].argmax(axis=-1)
    mask = np.arange(blocks.shape[-1]) == last[..., None]
    return _unblocked(mask * grad_output[..., None], x, kernel_size)


@max_pool2d_backward.mistake(
    "Among equal pixels you take the first column by column; torch goes row by row. Look at the order of "
    "your loops, or at a transpose."
)
def first_by_columns(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    flip = (0, 1, 3, 2)
    turned = in_numpy.max_pool2d_backward.unchecked(
        grad_output.transpose(flip), x.transpose(flip).copy(), kernel_size
    )
    return turned.transpose(flip).copy()


@max_pool2d_backward.mistake(
    "You spread the gradient evenly over the window: that is the backward of average pooling. A maximum "
    "depends on its largest pixel alone."
)
def spread_evenly(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.avg_pool2d_backward.unchecked(grad_output, x, kernel_size)


@max_pool2d_backward.mistake(
    "Every pixel of a window gets the whole gradient. Only the largest was passed on; the others could "
    "change a little and the output would not."
)
def to_everyone(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.avg_pool2d_backward.unchecked(grad_output * kernel_size**2, x, kernel_size)


@max_pool2d_backward.mistake(
    "Your windows start at (h, w). They stand side by side: window (h, w) starts at (h * kernel_size, w * "
    "kernel_size)."
)
def windows_at_every_pixel(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    (HO, WO), K = grad_output.shape[2:], kernel_size
    near = x[:, :, : HO + K - 1, : WO + K - 1]
    grad_x = np.zeros_like(x)
    grad_x[:, :, : HO + K - 1, : WO + K - 1] = in_numpy.max_pool2d_backward.unchecked(grad_output, near, K, 1)
    return grad_x


@max_pool2d_backward.mistake(
    "You multiplied by the value of the pixel. The slope of a maximum is 1 for the largest pixel, not its "
    "value."
)
def times_the_value(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.max_pool2d_backward.unchecked(grad_output, x, kernel_size) * x


@max_pool2d_backward.mistake(
    "You wrote 1 where the largest is. That is the slope; multiply it by what arrives, "
    "grad_output[n, c, h, w]."
)
def ones_only(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return all_of_the_equals(np.ones_like(grad_output), x, kernel_size)


@max_pool2d_backward.mistake(
    "You wrote the largest value itself. What goes there is what arrives, grad_output[n, c, h, w]."
)
def the_value_itself(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return times_the_value(np.ones_like(grad_output), x, kernel_size)


def _written(grad_output, x, K, step, target):
    """The solution's loop; windows start every `step` pixels, and `target(h, w, i, j)` is written to."""
    grad_x = np.zeros_like(x)
    for n, c, h, w in np.ndindex(grad_output.shape):
        window = x[n, c, h * step : h * step + K, w * step : w * step + K]
        grad_x[n, c, *target(h, w, *divmod(window.argmax(), K))] = grad_output[n, c, h, w]
    return grad_x


@max_pool2d_backward.mistake(
    "Row and column of the largest are exchanged: with i, j = divmod(argmax, K), i is the row."
)
def row_and_column(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    K = kernel_size
    return _written(grad_output, x, K, K, lambda h, w, i, j: (h * K + j, w * K + i))


@max_pool2d_backward.mistake(
    "You write to (i, j), which count inside of the window. Add where the window starts: (h * K + i, w * K + "
    "j)."
)
def inside_of_the_window(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return _written(grad_output, x, kernel_size, kernel_size, lambda h, w, i, j: (i, j))


@max_pool2d_backward.mistake(
    "You read the windows at the right places and write to (h + i, w + j). The window starts at (h * K, w * "
    "K): write to (h * K + i, w * K + j)."
)
def start_without_kernel(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return _written(grad_output, x, kernel_size, kernel_size, lambda h, w, i, j: (h + i, w + j))


@max_pool2d_backward.mistake(
    "Your windows start at (h, w), so they overlap and write over one another. They stand side by side: "
    "window (h, w) starts at (h * kernel_size, w * kernel_size)."
)
def windows_write_over(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return _written(grad_output, x, kernel_size, 1, lambda h, w, i, j: (h + i, w + j))


@max_pool2d_backward.mistake(
    "You wrote 1 at the largest pixel. That is the slope; what goes there is what arrives, grad_output[n, c, "
    "h, w]."
)
def one_at_the_largest(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.max_pool2d_backward.unchecked(np.ones_like(grad_output), x, kernel_size)


@max_pool2d_backward.mistake(
    "You gave the gradient to the smallest pixel of each window. The largest was passed on: argmax."
)
def to_the_smallest(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.max_pool2d_backward.unchecked(grad_output, -x, kernel_size)


@max_pool2d_backward.mistake(
    "You took the largest by absolute value. A pooling takes the largest number, with its sign."
)
def largest_by_size(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return in_numpy.max_pool2d_backward.unchecked(grad_output, np.abs(x), kernel_size)


@max_pool2d_backward.mistake(
    "All gradients landed in the first window: (i, j) count inside of a window. Add where it starts: (h * K "
    "+ i, w * K + j)."
)
def added_inside_of_the_window(
    grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
):
    grad_x, K = np.zeros_like(x), kernel_size
    for n, c, h, w in np.ndindex(grad_output.shape):
        window = x[n, c, h * K : (h + 1) * K, w * K : (w + 1) * K]
        grad_x[n, c, *divmod(window.argmax(), K)] += grad_output[n, c, h, w]
    return grad_x


@max_pool2d_backward.mistake(
    "The last row and the last column of windows got nothing: your loops end one early."
)
def last_windows_missing(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    inner = grad_output.copy()
    inner[:, :, -1], inner[:, :, :, -1] = 0, 0
    return in_numpy.max_pool2d_backward.unchecked(inner, x, kernel_size)


@max_pool2d_backward.mistake(
    "You took one maximum for all pictures and channels. Each channel of each picture has its own."
)
def one_maximum_for_all_channels(
    grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
):
    blocks = _blocks(x, kernel_size)
    mask = blocks == blocks.max(axis=(0, 1, 4), keepdims=True)
    return _unblocked(mask * grad_output[..., None], x, kernel_size)


@max_pool2d_backward.mistake(
    "You took one maximum for all pictures and channels, and argmax found a single pixel. Each channel of "
    "each picture has its own."
)
def first_of_all_channels(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    blocks = _blocks(x, kernel_size).transpose(2, 3, 0, 1, 4)
    flat = blocks.reshape(*blocks.shape[:2], -1)
    mask = np.arange(flat.shape[-1]) == flat.argmax(axis=-1)[..., None]
    mask = mask.reshape(blocks.shape).transpose(2, 3, 0, 1, 4)
    return _unblocked(mask * grad_output[..., None], x, kernel_size)


@max_pool2d_backward.mistake("Your windows are always 2 x 2. Take `kernel_size`.")
def always_two(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    (HO, WO), grad_x = grad_output.shape[2:], np.zeros_like(x)
    near = x[:, :, : 2 * HO, : 2 * WO]
    grad_x[:, :, : 2 * HO, : 2 * WO] = in_numpy.max_pool2d_backward.unchecked(grad_output, near, 2)
    return grad_x


# -------------------------------------------------------------------------------- transposed convolution


def _stamping_cases(rng):
    for note, (channels, kernel), size, stride in (
        ("stride 1", (2, 3), (3, 4), 1),
        ("stride 2", (3, 3), (2, 3), 2),
        ("stride 2, kernel 4", (2, 4), (3, 2), 2),
    ):
        x, weight = (
            rng.normal(size=(2, channels, *size)),
            rng.normal(size=(channels, channels, kernel, kernel)),
        )
        args = dict(x=x, weight=weight, bias=rng.normal(size=channels), stride=stride)
        yield Case("conv_transpose2d", args, note)
    args = dict(x=rng.normal(size=(2, 2, 3, 4)), weight=rng.normal(size=(2, 2, 2, 3)), stride=2)
    yield Case("conv_transpose2d", args, "kernel 2 x 3, no bias")


conv_transpose2d = Exercise(
    solution=in_numpy.conv_transpose2d,
    hints=[
        "The result has the shape (N, O, (H - 1) * stride + KH, (W - 1) * stride + KW): the last stamp "
        "starts at (H - 1) * stride and is KH pixels high.",
        "Go through the pixels of x. Pixel (h, w) puts a stamp at y[:, :, h * stride : h * stride + KH, w * "
        "stride : w * stride + KW]; where stamps overlap they add up, so `+=`.",
        'The stamp is np.einsum("nc,coij->noij", x[:, :, h, w], weight): here weight is (C, O, KH, KW), '
        "inputs first. At the end, add bias[:, None, None].",
    ],
    next="the same loops, the other way: `convolution.unfold`.",
    cases=lambda rng: list(_stamping_cases(rng)),
)


def _stamp(x, weight, bias, stride=1):
    return in_numpy.conv_transpose2d.unchecked(x, weight, bias, stride)


def _lifted(bias):
    return 0 if bias is None else bias[:, None, None]


@conv_transpose2d.mistake(
    "Your stamps erase what was there: `=` instead of `+=`. Where they overlap, their values add up."
)
def stamps_erase(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    y, (KH, KW) = np.zeros_like(_stamp(x, weight, None, stride)), weight.shape[2:]
    for h, w in np.ndindex(x.shape[2:]):
        at = np.s_[:, :, h * stride : h * stride + KH, w * stride : w * stride + KW]
        y[at] = np.einsum("nc,coij->noij", x[:, :, h, w], weight)
    return y + _lifted(bias)


@conv_transpose2d.mistake(
    "Your stamps are flipped. Only where a window slides over the spread-out x is the kernel flipped."
)
def stamps_flipped(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _stamp(x, weight[:, :, ::-1, ::-1], bias, stride)


@conv_transpose2d.mistake(
    "You took weight for (O, C, KH, KW). Here the input channels come first: (C, O, KH, KW)."
)
def channels_exchanged(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _stamp(x, weight.transpose(1, 0, 2, 3), bias, stride)


@conv_transpose2d.mistake(
    "The bias is missing: one number for each output channel, at every pixel of the result."
)
def stamps_without_bias(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _stamp(x, weight, None, stride)


@conv_transpose2d.mistake(
    "You added the bias with every stamp, so it counts more where stamps overlap. It is added once to each "
    "pixel."
)
def bias_in_every_stamp(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    times = _stamp(ones, np.ones((1, 1, *weight.shape[2:]), x.dtype), None, stride)
    return _stamp(x, weight, None, stride) + _lifted(bias) * times


@conv_transpose2d.mistake(
    "You stamped at (h, w) whatever the stride. Pixel (h, w) stamps at (h * stride, w * stride)."
)
def stamped_without_stride(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    y = np.zeros_like(_stamp(x, weight, None, stride))
    near = _stamp(x, weight, None)
    y[:, :, : near.shape[2], : near.shape[3]] = near
    return y + _lifted(bias)


@conv_transpose2d.mistake(
    "Only the first channel of x stamps. All C channels do, each with its kernel weight[c, o], and the "
    "stamps add up."
)
def first_channel_stamps(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _stamp(x[:, :1], weight[:1], bias, stride)


@conv_transpose2d.mistake(
    "Only the last channel of x is left, and of overlapping stamps the last: `=` instead of `+=`. All add up."
)
def last_channel_erases(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    y, (KH, KW) = np.zeros_like(_stamp(x, weight, None, stride)), weight.shape[2:]
    for h, w in np.ndindex(x.shape[2:]):
        at = np.s_[:, :, h * stride : h * stride + KH, w * stride : w * stride + KW]
        y[at] = np.einsum("n,oij->noij", x[:, -1, h, w], weight[-1])
    return y + _lifted(bias)


@conv_transpose2d.mistake("You took the mean over the channels of x. Their stamps are added up.")
def mean_of_the_channels(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _stamp(x, weight / len(weight), bias, stride)


# ------------------------------------------------------------------------------------------- the columns


def _unfolding_cases(rng):
    for note, x, kernel in (
        ("one channel", rng.normal(size=(2, 1, 4, 5)), 2),
        ("two channels", rng.normal(size=(2, 2, 5, 4)), 3),
        ("three channels", rng.normal(size=(2, 3, 3, 4)), 2),
    ):
        yield Case("unfold", dict(x=x, kernel_size=kernel), note)


unfold = Exercise(
    solution=in_numpy.unfold,
    hints=[
        "The result has the shape (N, C * K * K, HO * WO), with HO = H - K + 1 and WO = W - K + 1.",
        "One window is x[:, :, h : h + K, w : w + K] (N, C, K, K); flattened it is one column, .reshape(N, "
        "-1).",
        "Collect the columns of all places, h before w, and stack them along the last axis: "
        "np.stack(columns, axis=2).",
    ],
    next="multiply the columns by weight.reshape(O, -1): that is a convolution.",
    cases=lambda rng: list(_unfolding_cases(rng)),
)


def _six(x, K):
    """All windows as (N, C, K, K, HO, WO)."""
    N, C, H, W = x.shape
    return in_numpy.unfold.unchecked(x, K).reshape(N, C, K, K, H - K + 1, W - K + 1)


@unfold.mistake("Channels come first in a column: (c, i, j), as in weight.reshape(O, -1). Yours come last.")
def channels_last(x, kernel_size, dilation=1, padding=0, stride=1):
    return (
        _six(x, kernel_size)
        .transpose(0, 2, 3, 1, 4, 5)
        .reshape(in_numpy.unfold.unchecked(x, kernel_size).shape)
    )


@unfold.mistake("Your windows are rows. Torch puts each window into a column: (N, C * K * K, windows).")
def windows_as_rows(x, kernel_size, dilation=1, padding=0, stride=1):
    return in_numpy.unfold.unchecked(x, kernel_size).transpose(0, 2, 1).copy()


@unfold.mistake("Inside of a window you went down the columns first. It is read row by row: i before j.")
def pixels_by_columns(x, kernel_size, dilation=1, padding=0, stride=1):
    return _six(x, kernel_size).swapaxes(2, 3).reshape(in_numpy.unfold.unchecked(x, kernel_size).shape)


@unfold.mistake(
    "Your windows go down the picture first. Their order is row by row: h in the outer loop, w inside."
)
def windows_by_columns(x, kernel_size, dilation=1, padding=0, stride=1):
    return _six(x, kernel_size).swapaxes(4, 5).reshape(in_numpy.unfold.unchecked(x, kernel_size).shape)


@unfold.mistake("Your windows are flipped: the first number of a column is the upper left pixel.")
def windows_flipped(x, kernel_size, dilation=1, padding=0, stride=1):
    flipped = _six(x, kernel_size)[:, :, ::-1, ::-1]
    return flipped.reshape(in_numpy.unfold.unchecked(x, kernel_size).shape)


@unfold.mistake(
    "Your windows stand side by side, without overlap. With stride 1, the next window starts one pixel "
    "farther."
)
def windows_side_by_side(x, kernel_size, dilation=1, padding=0, stride=1):
    return in_numpy.unfold.unchecked(x, kernel_size, stride=kernel_size)


@unfold.mistake(
    "The last row and the last column of places are missing: a window of K pixels has H - K + 1 places, not "
    "H - K."
)
def unfolded_one_place_less(x, kernel_size, dilation=1, padding=0, stride=1):
    return in_numpy.unfold.unchecked(x[:, :, :-1, :-1], kernel_size)


@unfold.mistake(
    "Your numbers lie window after window: that is what np.concatenate and a reshape make. Stack the windows "
    "along a new last axis."
)
def concatenated(x, kernel_size, dilation=1, padding=0, stride=1):
    columns = in_numpy.unfold.unchecked(x, kernel_size)
    return columns.swapaxes(1, 2).reshape(columns.shape)


@unfold.mistake("The last row and the last column of places stayed 0: your loops end one early.")
def places_left_at_zero(x, kernel_size, dilation=1, padding=0, stride=1):
    six = _six(x, kernel_size).copy()
    six[..., -1, :], six[..., -1] = 0, 0
    return six.reshape(in_numpy.unfold.unchecked(x, kernel_size).shape)


@unfold.mistake("All of your columns are the last window: write to the column of the place, not to all.")
def one_window_everywhere(x, kernel_size, dilation=1, padding=0, stride=1):
    columns = in_numpy.unfold.unchecked(x, kernel_size)
    return np.repeat(columns[:, :, -1:], columns.shape[2], axis=2)
