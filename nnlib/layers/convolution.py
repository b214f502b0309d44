"""Layers for pictures: the pairs of `nnlib.convolution`, with arrays that are kept and filled anew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nnlib.convolution import in_numpy as conv
from nnlib.layers.base import Array, Layer

Pair = int | tuple[int, int]


def _start(shape: tuple[int, ...], outputs: int, bias: bool, rng: np.random.Generator, dtype: Any) -> dict:
    """Torch's start: U(-1, 1) / sqrt(weights that one number is multiplied with)."""
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    shapes = {"weight": shape, "bias": (outputs,)} if bias else {"weight": shape}
    return {name: rng.uniform(-bound, bound, size).astype(dtype) for name, size in shapes.items()}


def _divisor(name: str, groups: int, in_channels: int, out_channels: int) -> None:
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name}: groups is {groups}; expected a divisor of {in_channels} and of {out_channels}"
        )


class Conv2d(Layer):
    """`conv2d` as one product of matrices for each picture.

    Forward copies the windows into columns with one call, from a view that repeats the pixels; a last row of
    ones makes the bias one more weight. Backward multiplies by the columns again, for the weights, and goes
    through one row of the kernel at a time for the input: arrays that small stay in the processor's cache.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        _divisor("Conv2d", groups, in_channels, out_channels)
        kernel = conv._pair(kernel_size)
        params = _start((out_channels, in_channels // groups, *kernel), out_channels, bias, rng, dtype)
        settings = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        super().__init__(conv.conv2d, conv.conv2d_backward, params, **settings)

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().bind(params, grads)
        groups, (O, I, *self.kernel) = self.settings["groups"], params["weight"].shape
        shape = groups, O // groups, I, *self.kernel
        self.weight, self.grad_weight = (held["weight"].reshape(shape) for held in (params, grads))  # views
        pixels = math.prod(shape[2:])
        self.rows = np.empty((groups, O // groups, pixels + ("bias" in params)), params["weight"].dtype)
        self.weight_part = self.rows[..., :pixels].reshape(shape)
        self.shape = None

    def allocate(self, x: Array) -> None:
        stride, dilation = (conv._pair(self.settings[name]) for name in ("stride", "dilation"))
        groups, padding, weight = self.settings["groups"], self.settings["padding"], self.params["weight"]
        margins = conv._conv_margins("Conv2d", x, weight, stride, padding, dilation, groups)
        HO, WO = conv._positions("Conv2d", x.shape[2:], self.kernel, stride, margins, dilation)
        (N, C, H, W), (KH, KW), ((top, bottom), (left, right)) = x.shape, self.kernel, margins
        inside = np.s_[:, :, top : top + H, left : left + W]

        def padded() -> tuple[Array, Array, Array]:
            """A picture with its padding, the part inside, and all windows: views of the same numbers."""
            whole = np.zeros((N, C, H + top + bottom, W + left + right), x.dtype)
            n, c, h, w = whole.strides
            steps = (n, c, dilation[0] * h, dilation[1] * w, stride[0] * h, stride[1] * w)
            return whole, whole[inside], as_strided(whole, (N, C, KH, KW, HO, WO), steps)

        _, self.inside, windows = padded()
        self.grad_padded, self.grad_inside, self.grad_windows = padded()
        self.windows = windows.reshape(N, groups, C // groups, KH, KW, HO, WO)
        self.columns = np.ones((N, groups, self.rows.shape[-1], HO * WO), x.dtype)
        pixels = C // groups * KH * KW
        self.window_part = self.columns[:, :, :pixels].reshape(self.windows.shape)
        self.y = np.empty((N, len(weight), HO, WO), x.dtype)
        self.y_flat = self.y.reshape(N, groups, -1, HO * WO)
        self.grad_each = np.empty((N, *self.rows.shape), x.dtype)
        self.grad_row = np.empty((N, groups, C // groups * KW, HO * WO), x.dtype)
        self.grad_row_parts = self.grad_row.reshape(N, C, KW, HO, WO)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        self.inside[...] = x
        np.copyto(self.window_part, self.windows)
        self.weight_part[...] = self.weight
        if "bias" in self.params:
            self.rows[..., -1] = self.params["bias"].reshape(self.rows.shape[:2])
        np.matmul(self.rows, self.columns, out=self.y_flat)
        return self.y

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        g = grad_output.reshape(self.y_flat.shape)
        np.matmul(g, self.columns.mT, out=self.grad_each)
        grad_rows = self.grad_each.sum(axis=0)
        self.grad_weight[...] = grad_rows[..., : math.prod(self.weight.shape[2:])].reshape(self.weight.shape)
        if "bias" in self.params:
            self.grads["bias"][...] = grad_rows[..., -1].ravel()
        if not want_input:
            return None
        self.grad_padded.fill(0)
        for i in range(self.kernel[0]):
            row = self.weight[:, :, :, i].reshape(*self.weight.shape[:2], -1)
            np.matmul(row.mT, g, out=self.grad_row)
            for j in range(self.kernel[1]):
                target = self.grad_windows[:, :, i, j]  # within one (i, j) no pixel comes twice
                np.add(target, self.grad_row_parts[:, :, j], out=target)
        return self.grad_inside


class ConvTranspose2d(Layer):
    """`conv_transpose2d` with its pair."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        _divisor("ConvTranspose2d", groups, in_channels, out_channels)
        shape = (in_channels, out_channels // groups, *conv._pair(kernel_size))
        params = _start(shape, out_channels, bias, rng, dtype)
        settings = dict(stride=stride, padding=padding, output_padding=output_padding)
        settings |= dict(groups=groups, dilation=dilation)
        super().__init__(conv.conv_transpose2d, conv.conv_transpose2d_backward, params, **settings)


class Pad2d(Layer):
    """`pad` with its pair: in front of a convolution without padding it is torch's `padding_mode`.

    `padding` is one margin for all sides, or those on the left, on the right, above and below.
    """

    def __init__(self, padding: int | tuple[int, int, int, int], mode: str = "constant", value: float = 0.0):
        pad = padding if isinstance(padding, tuple) else (padding,) * 4
        super().__init__(conv.pad, conv.pad_backward, pad=pad, mode=mode, value=value)


class MaxPool2d(Layer):
    """`max_pool2d`; windows of 2 x 2 side by side as two maxima, of neighbors in a row and then of two rows.

    In this order the first of equals is the first row by row, which is torch's choice.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
    ):
        settings = dict(stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
        super().__init__(conv.max_pool2d, conv.max_pool2d_backward, kernel_size=kernel_size, **settings)
        pairs = conv._pair(kernel_size) == conv._pair(kernel_size if stride is None else stride) == (2, 2)
        self.quick = (
            pairs and conv._pair(padding) == (0, 0) and conv._pair(dilation) == (1, 1) and not ceil_mode
        )

    def allocate(self, x: Array) -> None:
        N, C, H, W = x.shape
        h, w = H // 2, W // 2
        self.y = np.empty((N, C, h, w), x.dtype)
        self.wide, self.grad_wide = (np.empty((N, C, 2 * h, w), x.dtype) for _ in range(2))
        self.lower, self.right = np.empty(self.y.shape, bool), np.empty(self.wide.shape, bool)
        self.grad_x = np.zeros_like(x)  # an odd row or column at the end stays zero

    def forward(self, x: Array) -> Array:
        if not self.quick:
            return super().forward(x)
        self.remember(x)
        self.upper_left = x[:, :, : 2 * self.y.shape[2], : 2 * self.y.shape[3]]
        np.maximum(self.upper_left[..., 0::2], self.upper_left[..., 1::2], out=self.wide)
        return np.maximum(self.wide[:, :, 0::2], self.wide[:, :, 1::2], out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        if not self.quick:
            return super().backward(grad_output, want_input)
        g, wide, x = grad_output, self.grad_wide, self.upper_left
        np.greater(self.wide[:, :, 1::2], self.wide[:, :, 0::2], out=self.lower)
        np.multiply(g, self.lower, out=wide[:, :, 1::2])
        np.subtract(g, wide[:, :, 1::2], out=wide[:, :, 0::2])
        grad_x = self.grad_x[:, :, : x.shape[2], : x.shape[3]]
        np.greater(x[..., 1::2], x[..., 0::2], out=self.right)
        np.multiply(wide, self.right, out=grad_x[..., 1::2])
        np.subtract(wide, grad_x[..., 1::2], out=grad_x[..., 0::2])
        return self.grad_x


class AvgPool2d(Layer):
    """`avg_pool2d` with its pair."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        settings = dict(stride=stride, padding=padding, ceil_mode=ceil_mode)
        settings |= dict(count_include_pad=count_include_pad)
        super().__init__(conv.avg_pool2d, conv.avg_pool2d_backward, kernel_size=kernel_size, **settings)


class AdaptiveAvgPool2d(Layer):
    """`adaptive_avg_pool2d` with its pair; size 1 is global average pooling."""

    def __init__(self, output_size: Pair):
        super().__init__(conv.adaptive_avg_pool2d, conv.adaptive_avg_pool2d_backward, output_size=output_size)


class Flatten(Layer):
    """Every picture as one row, for the dense layers behind."""

    def __init__(self) -> None:
        super().__init__(self._flat, self._flat)

    @staticmethod
    def _flat(x: Array) -> Array:
        return x.reshape(len(x), -1)

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return self._flat(x)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        return grad_output.reshape(self.shape)
