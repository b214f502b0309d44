"""Layers, models and the training loop: the bookkeeping, written once for every f / f_backward pair.

The mathematics stays in the concept folders. Here live the things around it: which parameters belong to which
function, what forward must remember for backward, batches, histories, and the tricks that make training fast
enough to run while a slider moves. `Layer` works with any pair; `Linear`, `ReLU`, `Tanh` and `Sigmoid` compute
the same with less work, and tests hold them equal to their pairs.

    model = Sequential(Linear(2, 16, rng=rng), Tanh(), Linear(16, 2, rng=rng))
    history = fit(model, x, y, lr=0.1, momentum=0.9, epochs=500)

Four tricks, by what they save: float32; parameters and gradients as views of one flat vector, so that an
optimizer is a few operations on that vector; results written into arrays that the layers keep (`out=`); and
the loss computed only for the points of the history, since training needs its gradient alone.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlib.activations.in_numpy import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from nnlib.core import as_tuple, check_call, documented
from nnlib.linear.in_numpy import linear, linear_backward
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from nnlib.normalization import in_numpy as norms
from nnlib.optimizers.in_numpy import sgd

Array = np.ndarray


def bare(f: Callable) -> Callable:
    """The function without the check of each call: `fit` checks once, before the first step."""
    return getattr(f, "unchecked", f)


# ---------------------------------------------------------------------------------------------- layers


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

    def copy(self) -> Layer:
        """The same function with parameters and buffers of its own."""
        twin = copy.copy(self)
        twin.shape = None
        twin.bind({k: p.copy() for k, p in self.params.items()}, {k: g.copy() for k, g in self.grads.items()})
        return twin


class Linear(Layer):
    """y = x @ weight.T + bias for x of shape (N, D), with torch's start: U(-1, 1) / sqrt(in_features)."""

    stackable = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        bound = 1 / math.sqrt(in_features)
        shapes = {"weight": (out_features, in_features), "bias": (out_features,)}
        params = {
            name: rng.uniform(-bound, bound, shape).astype(dtype)
            for name, shape in shapes.items()
            if bias or name == "weight"
        }
        super().__init__(linear, linear_backward, params)

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().bind(params, grads)
        self.weight, self.grad_weight = params["weight"], grads["weight"]
        # np.dot starts quicker than np.matmul, which matters for small matrices; it knows no stacks of them.
        self.product = np.dot if self.weight.ndim == 2 else np.matmul
        self.weight_t = self.weight.mT
        self.bias = params["bias"][..., None, :] if "bias" in params else None
        self.grad_bias = grads["bias"][..., None, :] if "bias" in params else None

    def allocate(self, x: Array) -> None:
        rows = (*self.weight.shape[:-2], x.shape[-2])
        self.y = np.empty((*rows, self.weight.shape[-2]), x.dtype)
        self.grad_x = np.empty((*rows, self.weight.shape[-1]), x.dtype)
        self.ones = np.ones((1, x.shape[-2]), x.dtype)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        y = self.product(x, self.weight_t, out=self.y)
        return y if self.bias is None else np.add(y, self.bias, out=y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        self.product(grad_output.mT, self.x, out=self.grad_weight)
        if self.bias is not None:
            self.product(self.ones, grad_output, out=self.grad_bias)  # ten times faster than sum(axis=0)
        if not want_input:
            return None
        if self.weight.shape[-2] == 1:  # one output: multiplying beats a product of matrices one wide
            return np.multiply(grad_output, self.weight, out=self.grad_x)
        return self.product(grad_output, self.weight, out=self.grad_x)

    def check(self, x: Array) -> Array:
        if x.ndim != 2:
            raise ValueError(f"Linear: x has shape {x.shape}; expected (N, {self.weight.shape[-1]})")
        return super().check(x)


class ReLU(Layer):
    """y = max(x, 0)"""

    stackable = True

    def __init__(self) -> None:
        super().__init__(relu, relu_backward)

    def allocate(self, x: Array) -> None:
        super().allocate(x)
        self.zero, self.positive = np.zeros((), x.dtype), np.empty(x.shape, bool)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        return np.maximum(x, self.zero, out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        np.greater(self.x, self.zero, out=self.positive)
        return np.multiply(grad_output, self.positive, out=self.grad_x)


class Tanh(Layer):
    """y = tanh(x); backward needs only y: 1 - y**2"""

    stackable = True

    def __init__(self) -> None:
        super().__init__(tanh, tanh_backward)

    def allocate(self, x: Array) -> None:
        super().allocate(x)
        self.one = np.ones((), x.dtype)  # an array of no axes is quicker to compute with than a Python number

    def forward(self, x: Array) -> Array:
        self.remember(x)
        return np.tanh(x, out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        g = np.multiply(self.y, self.y, out=self.grad_x)
        np.subtract(self.one, g, out=g)
        return np.multiply(grad_output, g, out=g)


class Sigmoid(Layer):
    """y = (1 + tanh(x / 2)) / 2, the sigmoid in operations that need no second array"""

    stackable = True

    def __init__(self) -> None:
        super().__init__(sigmoid, sigmoid_backward)

    def allocate(self, x: Array) -> None:
        super().allocate(x)
        self.one, self.half = np.ones((), x.dtype), np.full((), 0.5, x.dtype)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        y = np.multiply(x, self.half, out=self.y)
        np.tanh(y, out=y)
        np.multiply(y, self.half, out=y)
        return np.add(y, self.half, out=y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        g = np.subtract(self.one, self.y, out=self.grad_x)
        np.multiply(g, self.y, out=g)
        return np.multiply(grad_output, g, out=g)


def _scale_and_shift(size: Any, dtype: Any) -> dict[str, Array]:
    return {"weight": np.ones(size, dtype), "bias": np.zeros(size, dtype)}


class BatchNorm1d(Layer):
    """Batch norm: this batch's statistics in training, the running ones after `eval()`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float32):
        params = _scale_and_shift(num_features, dtype)
        super().__init__(norms.batch_norm, norms.batch_norm_backward, params, eps=eps)
        self.momentum = momentum
        self.running = {"running_mean": np.zeros(num_features, dtype), "running_var": np.ones(num_features, dtype)}

    def forward(self, x: Array) -> Array:
        if not self.training:
            self.x = x
            return bare(norms.batch_norm_eval)(x, **self.running, **self.params, **self.settings)
        mean, var = bare(norms.batch_norm_running)(x, **self.running, momentum=self.momentum)
        self.running = {"running_mean": mean, "running_var": var}
        return super().forward(x)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        if self.training:
            return super().backward(grad_output, want_input)
        grads = bare(norms.batch_norm_eval_backward)(
            grad_output, self.x, **self.running, **self.params, **self.settings
        )
        self.grads["weight"][...], self.grads["bias"][...] = grads[3:]
        return grads[0]

    def check(self, x: Array) -> Array:
        return norms.batch_norm_eval(x, **self.running, **self.params, **self.settings)


class LayerNorm(Layer):
    """Layer norm over the last axes, whose sizes are `normalized_shape`."""

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, dtype: Any = np.float32):
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        params = _scale_and_shift(shape, dtype)
        super().__init__(norms.layer_norm, norms.layer_norm_backward, params, normalized_shape=shape, eps=eps)


class GroupNorm(Layer):
    """Group norm: each row's channels in `num_groups` groups."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, dtype: Any = np.float32):
        params = _scale_and_shift(num_channels, dtype)
        super().__init__(norms.group_norm, norms.group_norm_backward, params, num_groups=num_groups, eps=eps)


# ---------------------------------------------------------------------------------------------- models


class Sequential:
    """Layers one after the other, their parameters and gradients laid out in two flat vectors.

    `params` and `grads` are those vectors; `model[0].params["weight"]` is a view of the first. A change of one
    is a change of the other.
    """

    def __init__(self, *layers: Layer):
        self.layers = list(layers)
        own = [p for layer in layers for p in layer.params.values()]
        dtypes = {str(p.dtype) for p in own}
        if len(dtypes) > 1:
            raise TypeError(f"Sequential: the layers differ in dtype ({', '.join(sorted(dtypes))}); expected one")
        self.dtype = own[0].dtype if own else np.dtype(np.float32)
        self.lay_out(np.concatenate([p.ravel() for p in own]) if own else np.empty(0, self.dtype))

    def lay_out(self, params: Array) -> None:
        """Let every layer's parameters and gradients be views of flat vectors, in order."""
        self.params, self.grads = params, np.zeros_like(params)
        start = 0
        for layer in self.layers:
            views: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
            for name, p in layer.params.items():
                part = slice(start, start := start + p.size)
                for flat, own in zip((self.params, self.grads), views):
                    own[name] = flat[..., part].reshape(*flat.shape[:-1], *p.shape)
            layer.bind(*views)

    def forward(self, x: Array) -> Array:
        """The outputs, in an array that the next call fills anew; `model(x)` gives one to keep."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        """Fill `grads`; return the gradient for the input of `forward`, unless nobody wants it."""
        grad: Any = grad_output
        for i in range(len(self.layers) - 1, -1, -1):
            grad = self.layers[i].backward(grad, want_input or i > 0)
        return grad

    def __call__(self, x: Array) -> Array:
        x = self.check(x)
        with np.errstate(all="ignore"):  # a model that diverged may still be drawn
            return self.forward(x).copy()

    def check(self, x: Array) -> Array:
        """Let every layer check one row of the input; return all rows in the model's dtype."""
        wanted = {s.name: s for s in documented(fit) if s.name == "x"}
        check_call("model", wanted, {"x": x}, "numpy")
        x = row = np.ascontiguousarray(x, self.dtype)
        row = x[:1]
        for layer in self.layers:
            row = layer.check(row)
        return x

    def train(self, mode: bool = True) -> Sequential:
        """Let layers such as batch norm behave as in training."""
        for layer in self.layers:
            layer.training = mode
        return self

    def eval(self) -> Sequential:
        """Let layers such as batch norm behave as in use."""
        return self.train(False)

    def copy(self) -> Sequential:
        return Sequential(*(layer.copy() for layer in self.layers))

    def __deepcopy__(self, memo: dict) -> Sequential:
        return self.copy()  # the default would tear the views from the vectors

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]
