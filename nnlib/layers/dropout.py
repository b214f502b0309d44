"""Dropout as a layer: a new mask in every training step, nothing at all in use."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from nnlib.dropout.in_numpy import dropout, dropout_backward
from nnlib.layers.base import Array, Layer


def keep_mask(shape: tuple[int, ...], p: float, rng: np.random.Generator) -> Array:
    """True with probability 1 - p, for each entry on its own; never for p = 1."""
    return rng.random(shape, np.float32) >= np.float32(p)


class Dropout(Layer):
    """Inverted dropout: y = x * mask / (1 - p) in training, y = x after `eval()`.

    The layer draws from a generator of its own, spawned from `rng`: the weights and the batches that `rng`
    decides are the same with and without dropout, and no two layers share their masks.
    """

    stackable = True

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator):
        super().__init__(dropout, dropout_backward)
        dropout(np.ones(1), np.ones(1, bool), p)  # a p that is no probability is refused here
        self.p, self.rng = p, rng.spawn(1)[0]
        self.members: list[Dropout] | None = None  # in a stack: the layers of its models

    @property
    def active(self) -> bool:
        return self.training and (self.p > 0 or self.members is not None)

    def forward(self, x: Array) -> Array:
        if not self.active:
            return x
        if self.members is None:
            self.factor = self.draw(x.shape, x.dtype)
        else:  # the first layer of a stack may get rows (N, D) that its models share
            self.factor = np.stack([layer.draw(x.shape[-2:], x.dtype) for layer in self.members])
        self.remember(x)
        return np.multiply(x, self.factor, out=self.y)

    def draw(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """mask / (1 - p), all 0 for p = 1"""
        scale = dtype.type(1 / (1 - self.p) if self.p < 1 else 0)
        return np.multiply(keep_mask(shape, self.p, self.rng), scale)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        return np.multiply(grad_output, self.factor, out=self.grad_x) if self.active else grad_output

    def allocate(self, x: Array) -> None:
        """Arrays in the memory order of x, unless the models of a stack multiply it."""
        make = np.empty_like if x.shape == self.factor.shape else lambda x: np.empty_like(self.factor)
        self.y, self.grad_x = make(x), make(x)

    def check(self, x: Array) -> Array:
        return dropout(x, np.ones(x.shape, bool), self.p, training=False)

    def copy(self) -> Dropout:
        twin = super().copy()
        twin.rng = copy.deepcopy(self.rng)
        return twin

    def stack(self, layers: Sequence[Dropout]) -> Dropout:
        """Each model of a stack keeps its own p and draws from its own generator, as it would alone."""
        together = self.copy()
        together.members = list(layers)
        return together
