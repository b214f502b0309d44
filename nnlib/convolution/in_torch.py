"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward.

A convolution is written here as a sum over the positions of the kernel, each one product of a shifted picture
with one weight per channel: another order of the same additions than the reference's.
"""

import math
import warnings
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked


@checked
def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """count = number of starts at which the last pixel of the window is still inside"""
    last = size + 2 * padding - dilation * (kernel_size - 1)
    if last < 1:
        raise ValueError(
            f"output_size: size is {size}; expected room for a window of kernel_size {kernel_size}"
        )
    return torch.tensor(len(range(0, last, stride)))


@checked
def receptive_field(kernel_size, stride, dilation):
    """field of the last layer is its reach; each layer before it: field = (field - 1) * stride + reach"""
    field = torch.ones((), dtype=kernel_size.dtype, device=kernel_size.device)
    for k, s, d in zip(kernel_size.flip(0), stride.flip(0), dilation.flip(0)):
        field = (field - 1) * s + d * (k - 1) + 1
    return field


@checked
def pad(x, pad, mode="constant", value=0.0):
    """y[..., j] = x[..., source of j], axis by axis"""
    ints = isinstance(pad, (tuple, list)) and all(
        isinstance(n, Integral) and not isinstance(n, bool) for n in pad
    )
    if not ints:
        raise TypeError(f"pad: pad is {pad!r}; expected a tuple of ints")
    axes = x.dim() - 2
    counts = range(2, 2 * axes + 1, 2) if mode == "constant" else [2 * axes]
    if len(pad) not in counts or min(pad) < 0 or not pad:
        raise ValueError(f"pad: pad is {pad!r}; expected ints >= 0, two for each axis, {counts[-1]} at most")
    for i in range(len(pad) // 2):
        before, after, axis = pad[2 * i], pad[2 * i + 1], x.dim() - 1 - i
        n = x.shape[axis]
        most = {"reflect": n - 1, "circular": n}.get(mode, math.inf)
        if max(before, after) > most:
            raise ValueError(f"pad: pad is {pad!r}; expected at most {most} for an axis of {n} ({mode})")
        at = torch.arange(-before, n + after, device=x.device)
        outside = (at < 0) | (at >= n)
        source = {
            "reflect": (n - 1) - (at.abs() - (n - 1)).abs(),
            "circular": at % n,
        }.get(mode, at.clamp(0, n - 1))
        x = x.index_select(axis, source)
        if mode == "constant":
            x = x.movedim(axis, -1).masked_fill(outside, value).movedim(-1, axis)
    return x


@checked
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """columns[n, (c, i, j), (h, w)] = x[n, c, h * stride + i * dilation, w * stride + j * dilation]"""
    shifted = _shifted("unfold", x, _two(kernel_size), _two(stride), _both(padding), _two(dilation))
    return torch.stack(shifted, dim=2).flatten(1, 2).flatten(2)


@checked
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """y[n, c, h * stride + i * dilation, w * stride + j * dilation] += x[n, (c, i, j), (h, w)]"""
    (H, W), (kh, kw), (ph, pw) = _two(output_size), _two(kernel_size), _two(padding)
    pixels = torch.arange(H * W, device=x.device).view(1, 1, H, W) + 1  # 0 is the padding
    pixels = F.pad(pixels, (pw, pw, ph, ph))
    where = _shifted("fold", pixels, (kh, kw), _two(stride), ((0, 0), (0, 0)), _two(dilation), "output_size")
    where = torch.stack(where, dim=2).reshape(-1)
    if x.shape[1] % (kh * kw):
        raise ValueError(f"fold: x has {x.shape[1]} rows; expected a multiple of {kh} * {kw}")
    if kh * kw * x.shape[2] != len(where):
        raise ValueError(f"fold: x has {x.shape[2]} columns; expected {len(where) // (kh * kw)} windows")
    values = x.reshape(len(x), -1, len(where))
    y = values.new_zeros(*values.shape[:2], 1 + H * W).index_add(2, where, values)
    return y[:, :, 1:].unflatten(2, (H, W))


@checked
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y = bias + sum over i, j of weight[:, :, i, j] @ (x shifted by i, j)"""
    stride, dilation = _two(stride), _two(dilation)
    return _conv("conv2d", x, weight, bias, stride, padding, dilation, groups)


@checked
def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y = bias + sum over k of weight[:, :, k] @ (x shifted by k)"""
    padding = padding if isinstance(padding, str) else (0, padding)
    flat = x.unsqueeze(2), weight.unsqueeze(2), bias
    return _conv("conv1d", *flat, (1, stride), padding, (1, dilation), groups).squeeze(2)


def _conv(name, x, weight, bias, stride, padding, dilation, groups):
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"{name}: x has {x.shape[1]} channels; expected {weight.shape[1]} * {groups} for this weight"
        )
    if len(weight) % groups:
        raise ValueError(f"{name}: groups is {groups}; expected a divisor of O = {len(weight)}")
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f"{name}: padding is 'same' with stride {stride}; expected stride 1 for it")
        extra = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation)]
        margins = [(e // 2, e - e // 2) for e in extra]
    else:
        margins = _both(0 if padding == "valid" else padding)
    shifted = _shifted(name, x, weight.shape[2:], stride, margins, dilation)
    per_group = weight.unflatten(0, (groups, -1)).flatten(3).unbind(3)
    y = sum(
        torch.einsum("ngchw,goc->ngohw", part.unflatten(1, (groups, -1)), w)
        for part, w in zip(shifted, per_group, strict=True)
    ).flatten(1, 2)
    return y if bias is None else y + bias.view(-1, 1, 1)


def _shifted(name, x, kernel, stride, margins, dilation, argument="x"):
    """For each position of the kernel, row by row: the pixels that it meets, (N, C, HO, WO)."""
    (top, bottom), (left, right) = margins
    x = F.pad(x, (left, right, top, bottom))
    ends = []
    for n, k, d in zip(x.shape[2:], kernel, dilation):
        ends.append(n - d * (k - 1))
        if ends[-1] < 1:
            raise ValueError(f"{name}: {argument} has {n} along an axis; expected at least {d * (k - 1) + 1}")
    return [
        x[:, :, i * dilation[0] :, j * dilation[1] :][:, :, : ends[0] : stride[0], : ends[1] : stride[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


@checked
def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """y = conv2d of x, with zeros between its pixels and around it, by the flipped weights"""
    stride, padding, extra, dilation = map(_two, (stride, padding, output_padding, dilation))
    if len(weight) % groups:
        raise ValueError(f"conv_transpose2d: groups is {groups}; expected a divisor of C = {len(weight)}")
    if bias is not None and len(bias) != weight.shape[1] * groups:
        raise ValueError(
            f"conv_transpose2d: bias has {len(bias)} values; expected {weight.shape[1]} * {groups}"
        )
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(f"conv_transpose2d: output_padding is {extra}; expected less than stride {stride}")
    apart = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride)]
    spread = x.new_zeros(*x.shape[:2], *apart)
    spread[:, :, :: stride[0], :: stride[1]] = x
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation)]
    spread = F.pad(spread, (reach[1], reach[1] + extra[1], reach[0], reach[0] + extra[0]))
    flipped = weight.flip(2, 3).unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    y = _conv("conv_transpose2d", spread, flipped, bias, (1, 1), 0, dilation, groups)
    H, W = y.shape[2] - 2 * padding[0], y.shape[3] - 2 * padding[1]
    if min(H, W) < 1:
        raise ValueError(f"conv_transpose2d: padding is {padding}; expected less, nothing is left")
    return y[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]


@checked
def conv2d_loops(x, weight, bias=None):
    """y[n, o, h, w] = bias[o] + sum of weight[o] * window[n, h, w]"""
    ends = [n - k + 1 for n, k in zip(x.shape[2:], weight.shape[2:])]
    if min(ends) < 1:
        raise ValueError(f"conv2d_loops: x has shape {tuple(x.shape)}; expected room for the kernel")
    KH, KW = weight.shape[2:]
    rows = [
        torch.stack(
            [(x[:, None, :, h : h + KH, w : w + KW] * weight).sum((2, 3, 4)) for w in range(ends[1])], 2
        )
        for h in range(ends[0])
    ]
    y = torch.stack(rows, 2)
    return y if bias is None else y + bias.view(-1, 1, 1)


@checked
def conv2d_fft(x, weight, bias=None):
    """y = bias + ifft(sum over c of fft(x[c]) * conj(fft(weight[o, c])))"""
    size = x.shape[2:]
    ends = [n - k + 1 for n, k in zip(size, weight.shape[2:])]
    if min(ends) < 1:
        raise ValueError(f"conv2d_fft: x has shape {tuple(x.shape)}; expected room for the kernel")
    product = torch.einsum("nchw,ochw->nohw", torch.fft.rfft2(x), torch.fft.rfft2(weight, s=size).conj())
    y = torch.fft.irfft2(product, s=size)[:, :, : ends[0], : ends[1]]
    return y if bias is None else y + bias.view(-1, 1, 1)


@checked(not_taught={"return_indices": False})
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """y = the larger of the pixels that the positions of the kernel meet, the first of equals"""
    stacked = torch.stack(
        _pooled("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, -math.inf)
    )
    # argmax may return any of several equals; a stable sort keeps the first in front
    first = stacked.detach().sort(dim=0, descending=True, stable=True).indices[:1]
    return stacked.gather(0, first)[0]


@checked(not_taught={"divisor_override": None})
def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """y = sum over the positions of the kernel / number of pixels that count"""
    sums = sum(_pooled("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, 0))
    ph, pw = _two(padding)
    inside = torch.ones_like(x[:1, :1])
    if count_include_pad:
        inside = F.pad(inside, (pw, pw, ph, ph), value=1)
        end = [(n - 1) * s for n, s in zip(sums.shape[2:], _strides(kernel_size, stride))]
        counts = _pooled("avg_pool2d", inside, kernel_size, stride, 0, 1, ceil_mode, 0, end)
    else:
        counts = _pooled("avg_pool2d", inside, kernel_size, stride, padding, 1, ceil_mode, 0)
    return sums / sum(counts)


def _strides(kernel_size, stride):
    return _two(kernel_size if stride is None else stride)


def _pooled(name, x, kernel_size, stride, padding, dilation, ceil_mode, value, last=None):
    """For each position of the kernel: the pixels that it meets, with `value` outside of the picture."""
    kernel, padding, dilation = _two(kernel_size), _two(padding), _two(dilation)
    stride, margins = _strides(kernel_size, stride), []
    for axis in (0, 1):
        n, k, s, p, d = x.shape[2 + axis], kernel[axis], stride[axis], padding[axis], dilation[axis]
        if p > k / 2:
            raise ValueError(f"{name}: padding is {p}; expected at most half of the kernel's {k}")
        room, reach = n + 2 * p, d * (k - 1) + 1
        least = reach - 2 * p - (s - 1 if ceil_mode else 0)  # then even the first window may stick out
        if n < least:
            raise ValueError(f"{name}: x has {n} along an axis; expected at least {least}")
        start = (math.ceil if ceil_mode else math.floor)((room - reach) / s) * s
        if start >= n + p:  # a window that holds nothing but padding
            start -= s
        start = start if last is None else last[axis]
        margins.append((p, p + max(0, start + reach - room)))
    (top, bottom), (left, right) = margins
    x = F.pad(x, (left, right, top, bottom), value=value)
    return _shifted(name, x, kernel, stride, ((0, 0), (0, 0)), dilation)


@checked
def adaptive_avg_pool2d(x, output_size):
    """y[i, j] = mean of x from floor(i * H / HO) up to ceil((i + 1) * H / HO), and so for columns"""
    (H, W), (HO, WO) = x.shape[2:], _two(output_size)
    rows = [x[:, :, math.floor(i * H / HO) : math.ceil((i + 1) * H / HO)].mean(2) for i in range(HO)]
    y = torch.stack(rows, 2)
    columns = [y[..., math.floor(j * W / WO) : math.ceil((j + 1) * W / WO)].mean(3) for j in range(WO)]
    return torch.stack(columns, 3)


def _two(value):
    return (int(value),) * 2 if isinstance(value, Integral) else tuple(int(n) for n in value)


def _both(padding):
    return [(p, p) for p in _two(padding)]


# ------------------------------------------------------------------------------------------- a network


class LeNet(nn.Sequential):
    """Two convolutions, each with a pooling behind it, and a dense end: 8 x 8 digits or 28 x 28 MNIST.

    The plan of LeCun, Bottou, Bengio & Haffner (1998) with ReLU and max pooling, as is usual today.
    """

    def __init__(self, size=28, channels=(6, 16), hidden=(120, 84), kernel_size=5, classes=10):
        inputs, layers = 1, []
        for outputs in channels:
            layers += [nn.Conv2d(inputs, outputs, kernel_size, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
            inputs, size = outputs, size // 2
        widths = (inputs * size * size, *hidden)
        dense = [layer for d, o in zip(widths, hidden) for layer in (nn.Linear(d, o), nn.ReLU())]
        super().__init__(*layers, nn.Flatten(), *dense, nn.Linear(widths[-1], classes))


# --------------------------------------------------------------------------------- the library's own


def _official_conv1d(*args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "same" with an even kernel: that it may need a copy
        return F.conv1d(*args)


def _official_conv2d(*args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return F.conv2d(*args)


official = {
    "pad": F.pad,
    "unfold": F.unfold,
    "fold": F.fold,
    "conv1d": _official_conv1d,
    "conv2d": _official_conv2d,
    "conv2d_loops": F.conv2d,
    "conv2d_fft": F.conv2d,
    "conv_transpose2d": F.conv_transpose2d,
    "max_pool2d": F.max_pool2d,
    "avg_pool2d": F.avg_pool2d,
    "adaptive_avg_pool2d": F.adaptive_avg_pool2d,
}
no_official = {
    "output_size": "torch computes it inside of its operations; nn.Conv2d's page has the formula",
    "receptive_field": "torch has no function for it",
}
