"""Training with rounded weights: a layer that computes with a rounded copy and moves the exact ones."""

from __future__ import annotations

import numpy as np

from nnlib.layers.base import Array, Layer
from nnlib.layers.convolution import ConvTranspose2d
from nnlib.quantization.in_numpy import fake_quantize


class FakeQuantized(Layer):
    """A layer whose weight is rounded on its way: symmetric, one scale per output channel from its largest.

        w = fake_quantize(weight, scale, axis=0),   scale = max(abs(weight)) / (2**(bits - 1) - 1)

    Forward and backward see w; its gradient goes to the exact weight as it is (straight through), since with
    this scale nothing is cut off. The scale is held fixed in the backward, the bias stays as it is.
    """

    def __init__(self, layer: Layer, bits: int = 4):
        if not (isinstance(bits, (int, np.integer)) and 2 <= bits <= 16):
            raise ValueError(f"FakeQuantized: bits is {bits!r}; expected an int from 2 to 16")
        if layer.params.get("weight", np.empty(0)).ndim < 2:
            raise ValueError(f"FakeQuantized: {type(layer).__name__} has no weight matrix or kernel")
        if isinstance(layer, ConvTranspose2d):
            raise ValueError(
                "FakeQuantized: a ConvTranspose2d came; expected a weight with its outputs first"
            )
        self.layer, self.most = layer.copy(), 2 ** (int(bits) - 1) - 1
        super().__init__(layer.f, layer.f_backward, layer.params, **layer.settings)

    def rounded(self) -> Array:
        weight = self.params["weight"]
        scale = np.abs(weight).reshape(len(weight), -1).max(axis=1) / weight.dtype.type(self.most)
        scale[scale == 0] = 1
        return fake_quantize.unchecked(weight, scale, None, -self.most, self.most, axis=0)

    def refresh(self) -> Layer:
        """The layer inside, with the weight as rounded now."""
        for name, inside in self.layer.params.items():
            inside[...] = self.rounded() if name == "weight" else self.params[name]
        return self.layer

    def forward(self, x: Array) -> Array:
        return self.refresh().forward(x)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grad_x = self.layer.backward(grad_output, want_input)
        for name, grad in self.layer.grads.items():
            self.grads[name][...] = grad
        return grad_x

    def check(self, x: Array) -> Array:
        return self.refresh().check(x)

    def copy(self) -> FakeQuantized:
        twin = super().copy()
        twin.layer = self.layer.copy()
        return twin
