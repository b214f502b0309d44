"""Convolution and pooling: the reference, with every backward written by hand.

Two functions carry everything. `unfold` copies each window of a picture into a column, so that a convolution
is one matrix product; `fold` adds columns back to the pixels they came from. Each is the other's backward.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlib.core import checked

no_gradient = {
    "output_size": "it counts positions",
    "receptive_field": "it counts pixels",
    "conv2d_loops": "conv2d computed in another way; its backward is conv2d_backward",
    "conv2d_fft": "conv2d computed in another way; its backward is conv2d_backward",
}
kinks = {"max_pool2d": [0.0, 1.0, 2.0]}  # the values of the cases with ties: one-sided slopes differ there


# -------------------------------------------------------------------------------------------- counting


@checked
def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """In how many places a window can stand along one axis.

        count = floor((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1

    Parameters
    ----------
    size, kernel_size : int >= 1
    stride : int >= 1
    padding : int >= 0
    dilation : int >= 1

    Returns
    -------
    count : int array ()

    References
    ----------
    Dumoulin & Visin (2016), arXiv:1603.07285.
    """
    reach = dilation * (kernel_size - 1) + 1
    _window_fits("output_size: size", size, size + 2 * padding, reach)
    return (size + 2 * padding - reach) // stride + 1


@checked
def receptive_field(kernel_size, stride, dilation):
    """From the first to the last pixel along one axis that can change one output of a stack of layers.

        field = 1 + sum_l dilation_l * (kernel_size_l - 1) * (stride_1 * ... * stride_(l-1))

    Parameters
    ----------
    kernel_size, stride, dilation : int array (L,) >= 1      one number for each layer, the first one first

    Returns
    -------
    field : int array ()
    """
    jump = np.cumprod(np.concatenate([[1], stride[:-1]]))  # pixels between neighbors of each layer's input
    return 1 + (dilation * (kernel_size - 1) * jump).sum()


# ---------------------------------------------------------------------------------------------- padding


@checked
def pad(x, pad, mode="constant", value=0.0):
    """Put a margin around the last axes: a constant, the mirrored inside, the edge, or the opposite side.

        constant  0 0 | a b c d | 0 0            reflect  c b | a b c d | c b
        replicate a a | a b c d | d d            circular c d | a b c d | a b

    Parameters
    ----------
    x : array (N, C, W) or (N, C, H, W)
    pad : any               (left, right) of the last axis, then (top, bottom) of the one before: ints >= 0
    mode : {'constant', 'reflect', 'replicate', 'circular'}
    value : float           of the constant

    Returns
    -------
    y : array (N, C, WO) or (N, C, HO, WO)
    """
    y = x
    for axis, source in _sources(x, pad, mode):
        y = np.take(y, source, axis=axis)  # -1 is outside and takes anything, to be overwritten here
        if mode == "constant":
            np.moveaxis(y, axis, 0)[source == -1] = value
    return y


@checked
def pad_backward(grad_output, x, pad, mode="constant", value=0.0):
    """Gradient of `pad` for x: what was copied to several places collects the gradients of all of them.

    grad_x[i] = sum of grad_output[j] over the places j whose source is i
    """
    sources, shape, grad_x = _sources(x, pad, mode), list(x.shape), grad_output
    for axis, source in sources:
        shape[axis] = len(source)
    _same_shape("pad", grad_output, shape)
    for axis, source in sources:
        places = (source[:, None] == np.arange(x.shape[axis])).astype(x.dtype)  # (HO, H): one 1 in each row
        grad_x = np.moveaxis(np.moveaxis(grad_x, axis, -1) @ places, -1, axis)
    return grad_x


_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _sources(x, pad, mode):
    """For each axis with a margin: which element of the axis every element of the result is, -1 for none."""
    ints = isinstance(pad, (tuple, list)) and all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in pad
    )
    if not ints:
        raise TypeError(f"pad: pad is {pad!r}; expected a tuple of ints")
    axes = x.ndim - 2
    if len(pad) % 2 or not 0 < len(pad) // 2 <= axes or min(pad) < 0:
        raise ValueError(f"pad: pad is {pad!r}; expected two ints >= 0 for each of up to {axes} axes")
    if mode != "constant" and len(pad) != 2 * axes:
        raise ValueError(f"pad: pad is {pad!r}; expected {2 * axes} ints for mode {mode!r}, as in torch")
    found = []
    for i, margin in enumerate(zip(pad[::2], pad[1::2])):
        axis = x.ndim - 1 - i
        size = x.shape[axis]
        most = {"reflect": size - 1, "circular": size}.get(mode, max(margin))
        if max(margin) > most:
            raise ValueError(f"pad: pad is {pad!r}; expected at most {most} for an axis of {size} ({mode})")
        inside = np.arange(size)
        options = {"constant_values": -1} if mode == "constant" else {}
        found.append((axis, np.pad(inside, margin, _MODES.get(mode, mode), **options)))
    return found


# --------------------------------------------------------------------------------------------- windows


@checked
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """Copy every window of a picture into a column, channel after channel ("im2col").

        columns[n, (c, i, j), (h, w)] = x[n, c, h * stride + i * dilation, w * stride + j * dilation]

    Here x has its margin of zeros already, `padding` wide.

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size : int or pair >= 1
    dilation : int or pair >= 1
    padding : int or pair >= 0
    stride : int or pair >= 1

    Returns
    -------
    columns : array (N, D, L)      D = C * KH * KW numbers of a window, L windows
    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    columns = _columns("unfold", x, kernel, stride, _margins(padding), dilation)
    N, C, KH, KW, HO, WO = columns.shape
    return columns.reshape(N, C * KH * KW, HO * WO)


@checked
def unfold_backward(grad_output, x, kernel_size, dilation=1, padding=0, stride=1):
    """Gradient of `unfold` for x: a pixel stands in several windows and collects from all of them.

    grad_x = fold(grad_output)
    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    size = _positions("unfold", x.shape[2:], kernel, stride, _margins(padding), dilation)
    _same_shape("unfold", grad_output, (len(x), x.shape[1] * kernel[0] * kernel[1], size[0] * size[1]))
    columns = grad_output.reshape(*x.shape[:2], *kernel, *size)
    return _add_back(columns, x.shape[2:], stride, _margins(padding), dilation)


@checked
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Add every column to the pixels of its window ("col2im"); where windows overlap, they add up.

        y[n, c, h * stride + i * dilation, w * stride + j * dilation] += x[n, (c, i, j), (h, w)]

    Here y still has its margin, `padding` wide, which is cut off at the end.

    Parameters
    ----------
    x : array (N, D, L)            D = C * KH * KW numbers of a window, L windows
    output_size : int or pair >= 1
    kernel_size : int or pair >= 1
    dilation : int or pair >= 1
    padding : int or pair >= 0
    stride : int or pair >= 1

    Returns
    -------
    y : array (N, C, H, W)
    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    output_size = _pair(output_size)
    columns = _as_windows(x, output_size, kernel, stride, _margins(padding), dilation)
    return _add_back(columns, output_size, stride, _margins(padding), dilation)


@checked
def fold_backward(grad_output, x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Gradient of `fold` for x: every window sees what stands at its place.

    grad_x = unfold(grad_output)
    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    output_size = _pair(output_size)
    columns = _as_windows(x, output_size, kernel, stride, _margins(padding), dilation)
    _same_shape("fold", grad_output, (*columns.shape[:2], *output_size))
    return _columns("fold", grad_output, kernel, stride, _margins(padding), dilation).reshape(x.shape)


def _as_windows(x, output_size, kernel, stride, margins, dilation):
    """View columns (N, D, L) as (N, C, KH, KW, HO, WO)."""
    HO, WO = _positions("fold", output_size, kernel, stride, margins, dilation, "output_size")
    N, D, L = x.shape
    if D % (kernel[0] * kernel[1]):
        raise ValueError(f"fold: x has {D} rows; expected a multiple of {kernel[0]} * {kernel[1]}")
    if L != HO * WO:
        raise ValueError(
            f"fold: x has {L} columns; expected {HO} * {WO} windows of output_size {output_size}"
        )
    return x.reshape(N, -1, *kernel, HO, WO)


def _columns(name, x, kernel, stride, margins, dilation, value=0):
    """Every window of x (N, C, H, W), as (N, C, KH, KW, HO, WO)."""
    _positions(name, x.shape[2:], kernel, stride, margins, dilation)
    x = np.pad(x, ((0, 0), (0, 0), *margins), constant_values=value)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    windows = sliding_window_view(x, reach, axis=(2, 3))
    (sh, sw), (dh, dw) = stride, dilation
    return windows[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)


def _add_back(columns, size, stride, margins, dilation):
    """The transpose of `_columns`: every element is added to the pixel that it was copied from."""
    N, C, KH, KW, HO, WO = columns.shape
    (top, bottom), (left, right) = margins
    x = np.zeros((N, C, size[0] + top + bottom, size[1] + left + right), columns.dtype)
    for i, j in np.ndindex(KH, KW):
        h, w = i * dilation[0], j * dilation[1]
        x[:, :, h : h + HO * stride[0] : stride[0], w : w + WO * stride[1] : stride[1]] += columns[:, :, i, j]
    return x[:, :, top : top + size[0], left : left + size[1]]


def _pair(value):
    return (value, value) if isinstance(value, (int, np.integer)) else tuple(value)


def _margins(padding):
    """((top, bottom), (left, right))"""
    return tuple((p, p) for p in _pair(padding))


def _positions(name, size, kernel, stride, margins, dilation, argument="x"):
    """The number of places along both axes."""
    found = []
    for n, k, s, margin, d in zip(size, kernel, stride, margins, dilation):
        reach = d * (k - 1) + 1
        _window_fits(f"{name}: {argument}", n, n + sum(margin), reach)
        found.append((n + sum(margin) - reach) // s + 1)
    return tuple(found)


def _window_fits(where, size, padded, reach):
    if padded < reach:
        raise ValueError(
            f"{where} has {size} along an axis, {padded} with its padding; expected at least {reach}, "
            "the reach of the kernel"
        )


def _same_shape(name, grad_output, shape):
    if grad_output.shape != tuple(shape):
        raise ValueError(
            f"{name}_backward: grad_output has shape {grad_output.shape}; expected {tuple(shape)}"
        )


# ----------------------------------------------------------------------------------------- convolution


@checked
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide a window over a picture; at each place, multiply by the weights and add up.

        y[n, o, h, w] = bias[o] + sum_{c, i, j} weight[o, c, i, j] * x[n, c, h * stride + i, w * stride + j]

    Here x has its margin of zeros already. Every output channel reads all channels of its group. `dilation`
    spreads the pixels of a window apart: i and j are multiplied by it. Padding "same" keeps the size, with
    the larger margin at the end; "valid" is none.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (O, I, KH, KW)      I = C / groups
    bias : array (O,) or None
    stride : int or pair >= 1
    padding : int or pair >= 0 or {'same', 'valid'}
    dilation : int or pair >= 1
    groups : int >= 1

    Returns
    -------
    y : array (N, O, HO, WO)

    References
    ----------
    LeCun et al. (1989), Backpropagation Applied to Handwritten Zip Code Recognition,
    doi:10.1162/neco.1989.1.4.541. Dumoulin & Visin (2016), arXiv:1603.07285, for the sizes.
    """
    return _conv("conv2d", x, weight, bias, _pair(stride), padding, _pair(dilation), groups)


@checked
def conv2d_backward(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Gradients of `conv2d`: with columns = unfold(x), forward was weight @ columns.

    grad_weight = grad_output @ columns.T,   grad_x = fold(weight.T @ grad_output),   grad_bias = sum
    """
    geometry = _pair(stride), padding, _pair(dilation)
    return _conv_backward("conv2d", grad_output, x, weight, bias, *geometry, groups)


@checked
def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide a window along a sequence: `conv2d` of pictures one pixel high.

        y[n, o, l] = bias[o] + sum_{c, k} weight[o, c, k] * x[n, c, l * stride + k * dilation - padding]

    Parameters
    ----------
    x : array (N, C, L)
    weight : array (O, I, K)           I = C / groups
    bias : array (O,) or None
    stride : int >= 1
    padding : int >= 0 or {'same', 'valid'}
    dilation : int >= 1
    groups : int >= 1

    Returns
    -------
    y : array (N, O, LO)
    """
    padding = padding if isinstance(padding, str) else (0, padding)
    flat = x[:, :, None], weight[:, :, None], bias
    return _conv("conv1d", *flat, (1, stride), padding, (1, dilation), groups)[:, :, 0]


@checked
def conv1d_backward(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Gradients of `conv1d`: those of `conv2d`, one pixel high.

    grad_weight = grad_output @ columns.T,   grad_x = fold(weight.T @ grad_output),   grad_bias = sum
    """
    padding = padding if isinstance(padding, str) else (0, padding)
    flat = grad_output[:, :, None], x[:, :, None], weight[:, :, None], bias
    grads = _conv_backward("conv1d", *flat, (1, stride), padding, (1, dilation), groups)
    return grads[0][:, :, 0], grads[1][:, :, 0], *grads[2:]


def _conv(name, x, weight, bias, stride, padding, dilation, groups):
    margins = _conv_margins(name, x, weight, stride, padding, dilation, groups)
    columns = _columns(name, x, weight.shape[2:], stride, margins, dilation)
    N, *_, HO, WO = columns.shape
    columns = columns.reshape(N, groups, -1, HO * WO)  # for each group: pixels of a window × windows
    w = weight.reshape(groups, len(weight) // groups, -1)  # for each group: channels out × pixels of a window
    y = (w @ columns).reshape(N, len(weight), HO, WO)
    return y if bias is None else y + bias[:, None, None]


def _conv_backward(name, grad_output, x, weight, bias, stride, padding, dilation, groups):
    margins = _conv_margins(name, x, weight, stride, padding, dilation, groups)
    columns = _columns(name, x, weight.shape[2:], stride, margins, dilation)
    N, *_, HO, WO = columns.shape
    _same_shape(name, grad_output, (N, len(weight), HO, WO))
    flat = columns.reshape(N, groups, -1, HO * WO)
    w = weight.reshape(groups, len(weight) // groups, -1)
    g = grad_output.reshape(N, groups, -1, HO * WO)
    grad_weight = (g @ flat.mT).sum(axis=0).reshape(weight.shape)
    grad_columns = (w.mT @ g).reshape(columns.shape)
    grad_x = _add_back(grad_columns, x.shape[2:], stride, margins, dilation)
    grads = grad_x, grad_weight
    return grads if bias is None else (*grads, grad_output.sum(axis=(0, 2, 3)))


def _conv_margins(name, x, weight, stride, padding, dilation, groups):
    """The margins of a convolution, once channels and groups fit together."""
    C, O, I = x.shape[1], len(weight), weight.shape[1]
    if C != I * groups:
        raise ValueError(f"{name}: x has {C} channels; expected I * groups = {I} * {groups} for this weight")
    if O % groups:
        raise ValueError(f"{name}: groups is {groups}; expected a divisor of O = {O}")
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return _margins(padding)
    if max(stride) > 1:
        raise ValueError(f"{name}: padding is 'same' with stride {stride}; expected stride 1 for it")
    extra = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation)]
    return tuple((e // 2, e - e // 2) for e in extra)


@checked
def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Stamp the weights onto a larger picture, once for every pixel: what `conv2d` does backward for its x.

        y[n, o, h * stride + i * dilation, w * stride + j * dilation] += x[n, c, h, w] * weight[c, o, i, j]

    `padding` is cut off at every side; `output_padding` adds rows and columns at the end, since with a stride
    several sizes lead to the same one.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (C, I, KH, KW)      I = O / groups
    bias : array (I * groups,) or None
    stride : int or pair >= 1
    padding : int or pair >= 0
    output_padding : int or pair >= 0
    groups : int >= 1
    dilation : int or pair >= 1

    Returns
    -------
    y : array (N, O, HO, WO)

    References
    ----------
    Dumoulin & Visin (2016), arXiv:1603.07285, section 4.
    """
    stride, dilation = _pair(stride), _pair(dilation)
    size = _transposed_size(x, weight, bias, stride, padding, output_padding, groups, dilation)
    (N, C, H, W), (_, I, KH, KW) = x.shape, weight.shape
    w = weight.reshape(groups, C // groups, -1)
    columns = w.mT @ x.reshape(N, groups, C // groups, H * W)
    columns = columns.reshape(N, groups * I, KH, KW, H, W)
    y = _add_back(columns, size, stride, _margins(padding), dilation)
    return y.copy() if bias is None else y + bias[:, None, None]


@checked
def conv_transpose2d_backward(
    grad_output, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Gradients of `conv_transpose2d`: for x it is an ordinary convolution.

    grad_x = weight @ unfold(grad_output),   grad_weight = x @ unfold(grad_output).T
    """
    stride, dilation = _pair(stride), _pair(dilation)
    size = _transposed_size(x, weight, bias, stride, padding, output_padding, groups, dilation)
    (N, C, H, W), (_, I, KH, KW) = x.shape, weight.shape
    _same_shape("conv_transpose2d", grad_output, (N, groups * I, *size))
    columns = _columns("conv_transpose2d", grad_output, (KH, KW), stride, _margins(padding), dilation)
    columns = columns[..., :H, :W].reshape(N, groups, -1, H * W)
    grad_x = (weight.reshape(groups, C // groups, -1) @ columns).reshape(x.shape)
    grad_weight = (x.reshape(N, groups, -1, H * W) @ columns.mT).sum(axis=0).reshape(weight.shape)
    grads = grad_x, grad_weight
    return grads if bias is None else (*grads, grad_output.sum(axis=(0, 2, 3)))


def _transposed_size(x, weight, bias, stride, padding, output_padding, groups, dilation):
    C, I, *kernel = weight.shape
    if C % groups:
        raise ValueError(f"conv_transpose2d: groups is {groups}; expected a divisor of C = {C}")
    if bias is not None and len(bias) != I * groups:
        raise ValueError(f"conv_transpose2d: bias has shape {bias.shape}; expected {I} * {groups} channels")
    size = []
    axes = zip(x.shape[2:], kernel, stride, _pair(padding), _pair(output_padding), dilation)
    for n, k, s, p, extra, d in axes:
        if extra >= max(s, d):
            raise ValueError(
                f"conv_transpose2d: output_padding is {extra}; expected less than stride {s} or dilation {d}"
            )
        size.append((n - 1) * s - 2 * p + d * (k - 1) + 1 + extra)
        if size[-1] < 1:
            raise ValueError(
                f"conv_transpose2d: padding is {p}; expected less, nothing is left of the output"
            )
    return tuple(size)


# -------------------------------------------------------------------------- the same in two other ways


@checked
def conv2d_loops(x, weight, bias=None):
    """`conv2d` as it is explained, place by place: stride 1, no padding.

        y[n, o, h, w] = bias[o] + sum_{c, i, j} weight[o, c, i, j] * x[n, c, h + i, w + j]

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (O, C, KH, KW)
    bias : array (O,) or None

    Returns
    -------
    y : array (N, O, H - KH + 1, W - KW + 1)
    """
    (N, _, H, W), (O, _, KH, KW) = x.shape, weight.shape
    HO, WO = _positions("conv2d_loops", (H, W), (KH, KW), (1, 1), ((0, 0), (0, 0)), (1, 1))
    y = np.zeros((N, O, HO, WO), x.dtype)
    for n, o, h, w in np.ndindex(N, O, HO, WO):
        y[n, o, h, w] = (weight[o] * x[n, :, h : h + KH, w : w + KW]).sum()
    return y if bias is None else y + bias[:, None, None]


@checked
def conv2d_fft(x, weight, bias=None):
    """`conv2d` by the convolution theorem: in the frequency domain, sliding is multiplying.

        y = bias + ifft(sum_c fft(x[c]) * conj(fft(weight[o, c]))),   stride 1, no padding

    Zeros widen the weights to the size of the picture; places at which they would wrap around are dropped.
    The conjugate is what makes it a correlation: the window is not flipped.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (O, C, KH, KW)
    bias : array (O,) or None

    Returns
    -------
    y : array (N, O, H - KH + 1, W - KW + 1)

    References
    ----------
    Mathieu, Henaff & LeCun (2014), Fast Training of Convolutional Networks through FFTs, arXiv:1312.5851.
    """
    (H, W), kernel = x.shape[2:], weight.shape[2:]
    HO, WO = _positions("conv2d_fft", (H, W), kernel, (1, 1), ((0, 0), (0, 0)), (1, 1))
    waves, filters = np.fft.rfft2(x), np.fft.rfft2(weight, s=(H, W)).conj()
    # frequency by frequency: (O, C) @ (C, N)
    product = np.moveaxis(filters, (0, 1), (-2, -1)) @ np.moveaxis(waves, (0, 1), (-1, -2))
    y = np.fft.irfft2(np.moveaxis(product, (-1, -2), (0, 1)), s=(H, W))[:, :, :HO, :WO]
    return (y if bias is None else y + bias[:, None, None]).astype(x.dtype)


# -------------------------------------------------------------------------------------------- pooling


@checked(not_taught={"return_indices": False})
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest number of each window; padding counts as minus infinity.

        y[n, c, h, w] = max_{i, j} x[n, c, h * stride + i * dilation, w * stride + j * dilation]

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size : int or pair >= 1
    stride : int or pair >= 1 or None      None is kernel_size: windows side by side
    padding : int or pair >= 0             at most half a window
    dilation : int or pair >= 1
    ceil_mode : bool                       a last window may stick out at the end

    Returns
    -------
    y : array (N, C, HO, WO)
    """
    return _pool_columns("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)[0].max(axis=2)


@checked(not_taught={"return_indices": False})
def max_pool2d_backward(grad_output, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Gradient of `max_pool2d` for x: all of it goes to the pixel that was the largest.

        grad_x[first largest pixel of the window] += grad_output[window]

    If several are equally large, torch takes the first, row by row, and so does argmax.
    """
    columns, kernel, stride, margins, dilation = _pool_columns(
        "max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode
    )
    N, C, K, HO, WO = columns.shape
    _same_shape("max_pool2d", grad_output, (N, C, HO, WO))
    first = columns.argmax(axis=2)[:, :, None]
    grad_columns = grad_output[:, :, None] * (np.arange(K)[:, None, None] == first)
    grad_columns = grad_columns.astype(x.dtype, copy=False).reshape(N, C, *kernel, HO, WO)
    return _add_back(grad_columns, x.shape[2:], stride, margins, dilation)


@checked(not_taught={"divisor_override": None})
def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window; by default the zeros of the padding count as pixels.

        y[n, c, h, w] = sum_{i, j} x[n, c, h * stride + i, w * stride + j] / count[h, w]

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size : int or pair >= 1
    stride : int or pair >= 1 or None      None is kernel_size: windows side by side
    padding : int or pair >= 0             at most half a window
    ceil_mode : bool                       a last window may stick out at the end; that part never counts
    count_include_pad : bool

    Returns
    -------
    y : array (N, C, HO, WO)
    """
    columns, *_ = _pool_columns("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, value=0)
    return columns.sum(axis=2) / _counts(x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@checked(not_taught={"divisor_override": None})
def avg_pool2d_backward(
    grad_output, x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
):
    """Gradient of `avg_pool2d` for x: every pixel of a window gets an equal share.

    grad_x[every pixel of the window] += grad_output[window] / count[window]
    """
    columns, kernel, stride_, margins, dilation = _pool_columns(
        "avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, value=0
    )
    N, C, _, HO, WO = columns.shape
    _same_shape("avg_pool2d", grad_output, (N, C, HO, WO))
    share = grad_output / _counts(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
    shares = np.broadcast_to(share[:, :, None, None], (N, C, *kernel, HO, WO))
    return _add_back(shares, x.shape[2:], stride_, margins, dilation)


def _pool_columns(name, x, kernel_size, stride, padding, dilation, ceil_mode, value=-np.inf):
    """Windows (N, C, KH * KW, HO, WO) and how they lie; what sticks out at the end belongs to the margins."""
    kernel, dilation = _pair(kernel_size), _pair(dilation)
    stride = kernel if stride is None else _pair(stride)
    margins = []
    for n, k, s, p, d in zip(x.shape[2:], kernel, stride, _pair(padding), dilation):
        if 2 * p > k:
            raise ValueError(f"{name}: padding is {p}; expected at most half of the kernel's {k}")
        reach = d * (k - 1) + 1
        over = (n + 2 * p - reach) % s
        sticks_out = ceil_mode and over > 0 and n + 2 * p - over - reach + s < n + p  # starts inside
        margins.append((p, p + s - over if sticks_out else p))
    columns = _columns(name, x, kernel, stride, margins, dilation, value)
    return columns.reshape(*x.shape[:2], -1, *columns.shape[4:]), kernel, stride, margins, dilation


def _counts(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """How many pixels of each window count."""
    (top, _), (left, _) = _margins(padding)
    inside = np.ones((1, 1, *x.shape[2:]), x.dtype)
    counted = np.pad(inside, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=count_include_pad)
    _, kernel, stride, margins, _ = _pool_columns(
        "avg_pool2d", inside, kernel_size, stride, padding, 1, ceil_mode, value=0
    )
    beyond = [(0, after - before) for before, after in margins]
    return _columns("avg_pool2d", counted, kernel, stride, beyond, (1, 1)).sum(axis=(2, 3))


@checked
def adaptive_avg_pool2d(x, output_size):
    """Means over a grid of a given size, whatever the size of the picture; size 1 is global average pooling.

        y = rows @ x @ columns.T,   rows[i] averages from floor(i * H / HO) up to ceil((i + 1) * H / HO)

    Parameters
    ----------
    x : array (N, C, H, W)
    output_size : int or pair >= 1

    Returns
    -------
    y : array (N, C, HO, WO)

    References
    ----------
    Lin, Chen & Yan (2014), Network in Network, arXiv:1312.4400 (global average pooling).
    """
    (H, W), (HO, WO) = x.shape[2:], _pair(output_size)
    rows, columns = _averages(H, HO, x.dtype), _averages(W, WO, x.dtype)
    return rows @ x @ columns.T


@checked
def adaptive_avg_pool2d_backward(grad_output, x, output_size):
    """Gradient of `adaptive_avg_pool2d` for x: the same two matrices, transposed.

    grad_x = rows.T @ grad_output @ columns
    """
    _same_shape("adaptive_avg_pool2d", grad_output, (*x.shape[:2], *_pair(output_size)))
    (H, W), (HO, WO) = x.shape[2:], _pair(output_size)
    rows, columns = _averages(H, HO, x.dtype), _averages(W, WO, x.dtype)
    return rows.T @ grad_output @ columns


def _averages(size, out, dtype):
    """A matrix (out, size) whose rows average neighboring elements."""
    i, pixel = np.arange(out)[:, None], np.arange(size)
    inside = (pixel >= i * size // out) & (pixel < -(-(i + 1) * size // out))
    return (inside / inside.sum(axis=1, keepdims=True)).astype(dtype)
