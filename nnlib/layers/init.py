"""Where chance meets the schemes of `nnlib.initialization`: drawing an array, or all weights of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnlib.layers.base import Array, Layer
from nnlib.layers.models import Residual, Sequential


def draw(
    scheme: Callable, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any = float, **settings: Any
) -> Array:
    """A weight of this shape: the scheme gets the draws that its arguments name, u, z and order.

    draw(kaiming_normal, (128, 64), rng, nonlinearity="relu")
    """
    first, *others = inspect.signature(scheme).parameters
    if "order" in others:
        settings["order"] = rng.permuted(np.tile(np.arange(shape[0])[:, None], shape[1]), axis=0)
    make = {"u": rng.random, "z": rng.standard_normal, "tensor": np.empty}
    if first not in make:
        raise TypeError(f"draw: {scheme.__name__} takes {first!r} first; expected a scheme of u, z or tensor")
    return scheme(make[first](shape, dtype=dtype), **settings)


def initialize(model: Sequential, scheme: Callable, rng: np.random.Generator, **settings: Any) -> Sequential:
    """Give every weight of two axes or more new draws of a scheme, and set the biases beside them to 0.

    Recurrent layers and adapters, whose parameters have other names, keep their start.

    initialize(model, xavier_uniform, rng, gain=5 / 3)
    """
    for layer in weighted(model.layers):
        weight = layer.params["weight"]
        weight[...] = draw(scheme, weight.shape, rng, weight.dtype, **settings)
        if "bias" in layer.params:
            layer.params["bias"][...] = 0
    return model


def weighted(layers: list[Layer]) -> Iterator[Layer]:
    """The layers that hold a weight matrix or kernel, in order, those within residual blocks among them."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield from weighted(layer.parts())
        elif layer.params.get("weight", np.empty(0)).ndim > 1:
            yield layer
