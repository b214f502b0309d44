"""A layer: one f / f_backward pair with the arrays it owns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnlib.core import as_tuple

Array = np.ndarray


def bare(f: Callable) -> Callable:
    """The function without the check of each call: `fit` checks once, before the first step."""
    return getattr(f, "unchecked", f)


class Layer:
    """Any f / f_backward pair with its parameters and settings.

        y = f(x, **params, **settings)

    `forward` remembers x; `backward` turns the gradient for y into the gradient for x, which it returns, and
    those for the parameters, which it puts into `grads`.
    """

    stackable = False  # whether the layer also works with parameters that have a leading axis of models

    def __init__(
        self, f: Callable, f_backward: Callable, params: dict[str, Array] | None = None, **settings: Any
    ):
        self.f, self.f_backward, self.settings = f, f_backward, settings
        self.training = True
        self.shape: tuple[int, ...] | None = None  # of the input for which there are buffers
        self.bind(params or {}, {name: np.zeros_like(p) for name, p in (params or {}).items()})

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Use these arrays from now on: a model hands every layer its part of the flat vectors."""
        self.params, self.grads = params, grads

    def forward(self, x: Array) -> Array:
        self.x = x
        return bare(self.f)(x, **self.params, **self.settings)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grads = as_tuple(bare(self.f_backward)(grad_output, self.x, **self.params, **self.settings))
        for own, grad in zip(self.grads.values(), grads[1:], strict=True):
            own[...] = grad
        return grads[0]

    def check(self, x: Array) -> Array:
        """The plain forward with every check of `f`: what a model does once before training."""
        return self.f(x, **self.params, **self.settings)

    def remember(self, x: Array) -> None:
        """Keep x for backward, and buffers that fit it: arrays are slow to make, quick to fill again."""
        self.x = x
        if x.shape != self.shape or x.dtype != self.y.dtype:
            self.shape = x.shape
            self.allocate(x)

    def allocate(self, x: Array) -> None:
        self.y, self.grad_x = np.empty_like(x), np.empty_like(x)
        self.one = np.ones((), x.dtype)  # an array without axes is quicker to compute with than a number

    def copy(self) -> Layer:
        """The same function with parameters and buffers of its own."""
        twin = copy.copy(self)
        twin.shape = None
        twin.bind({k: p.copy() for k, p in self.params.items()}, {k: g.copy() for k, g in self.grads.items()})
        return twin

    def stack(self, layers: Sequence[Layer]) -> Layer:
        """What stands for these layers of several models in a stack; its parameters come by `bind`."""
        return self.copy()
