"""Models made of layers: one after the other, around a shortcut, or many models at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnlib.core import check_call, documented
from nnlib.layers.base import Array, Layer


class Sequential:
    """Layers one after the other, their parameters and gradients laid out in two flat vectors.

    `params` and `grads` are those vectors; `model[0].params["weight"]` is a view of the first, so a change of
    one is a change of the other.
    """

    def __init__(self, *layers: Layer):
        self.layers = list(layers)
        own = [p for layer in layers for p in layer.params.values()]
        dtypes = {str(p.dtype) for p in own}
        if len(dtypes) > 1:
            raise TypeError(f"Sequential: the layers have dtypes {', '.join(sorted(dtypes))}; expected one")
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
        with np.errstate(all="ignore"):
            return self.forward(x).copy()

    def check(self, x: Array) -> Array:
        """Let every layer check a few rows of the input; return all rows in the model's dtype.

        Parameters
        ----------
        x : array (N, ...) finite
        """
        check_call("model", {s.name: s for s in documented(Sequential.check)}, {"x": x}, "numpy")
        x = np.ascontiguousarray(x, self.dtype)
        rows = x[:2]
        with np.errstate(all="ignore"):  # a model that diverged may still be looked at
            for layer in self.layers:
                rows = layer.check(rows)
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


class Residual(Layer):
    """A block of layers with a shortcut around it: y = shortcut(x) + layers(x).

    The shortcut is the identity unless a layer is given, as it must be where the block changes the shape.
    """

    def __init__(self, *layers: Layer, shortcut: Layer | None = None):
        self.layers, self.shortcut = list(layers), shortcut
        self.shape = None
        self.bind(*(self.collect(held) for held in ("params", "grads")))

    def parts(self) -> list[Layer]:
        return self.layers + ([self.shortcut] if self.shortcut else [])

    def collect(self, held: str) -> dict[str, Array]:
        """The parameters, or the gradients, of all parts under names such as "0.weight"."""
        return {f"{i}.{k}": v for i, part in enumerate(self.parts()) for k, v in getattr(part, held).items()}

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        self.params, self.grads = params, grads
        for i, part in enumerate(self.parts()):
            part.bind(*({k: held[f"{i}.{k}"] for k in part.params} for held in (params, grads)))

    @property
    def training(self) -> bool:
        return self.layers[0].training

    @training.setter
    def training(self, mode: bool) -> None:
        for part in self.parts():
            part.training = mode

    def forward(self, x: Array) -> Array:
        y = x
        for layer in self.layers:
            y = layer.forward(y)
        around = self.shortcut.forward(x) if self.shortcut else x
        shape = x.shape + y.shape  # with a stride, pictures of several sizes lead to the same one
        if shape != self.shape or y.dtype != self.y.dtype:
            self.shape, self.y, self.grad_x = shape, np.empty_like(y), np.empty_like(x)
        return np.add(around, y, out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grad: Any = grad_output
        for i in range(len(self.layers) - 1, -1, -1):
            grad = self.layers[i].backward(grad, want_input or i > 0)
        around = self.shortcut.backward(grad_output, want_input) if self.shortcut else grad_output
        return np.add(around, grad, out=self.grad_x) if want_input else None

    def check(self, x: Array) -> Array:
        y = x
        for layer in self.layers:
            y = layer.check(y)
        around = self.shortcut.check(x) if self.shortcut else x
        if around.shape != y.shape:
            came = f"the block turns {x.shape} into {y.shape}, the shortcut into {around.shape}"
            raise ValueError(f"Residual: {came}; expected one shape")
        return around + y

    def copy(self) -> Residual:
        return Residual(
            *(layer.copy() for layer in self.layers), shortcut=self.shortcut and self.shortcut.copy()
        )


class Stack(Sequential):
    """Models of one architecture, computed together: every array gets a leading axis, one entry per model.

    Small matrices cost NumPy more in calls than in arithmetic, and a stack of them is one call.
    """

    def __init__(self, models: Sequence[Sequential]):
        self.models, first = list(models), models[0]
        for layer in first.layers:
            if not layer.stackable:
                raise ValueError(
                    f"fit_many: {type(layer).__name__} cannot be stacked; use fit for each model"
                )
        kinds = {
            str([(type(a), [(p.shape, p.dtype) for p in a.params.values()]) for a in m.layers])
            for m in models
        }
        if len(kinds) > 1:
            raise ValueError(f"fit_many: models of {len(kinds)} kinds; expected one architecture and dtype")
        self.layers = [layers[0].stack(layers) for layers in zip(*(m.layers for m in models))]
        self.dtype = first.dtype
        self.lay_out(np.stack([m.params for m in models]))

    def check(self, x: Array) -> Array:
        return self.models[0].check(x)
