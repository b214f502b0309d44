"""Linear maps and activations: what `Layer` computes with their pairs, with less work."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnlib.activations.in_numpy import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from nnlib.layers.base import Array, Layer
from nnlib.linear.in_numpy import linear, linear_backward


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
        self.bias_column = params["bias"][..., None] if "bias" in params else None
        self.grad_bias_column = grads["bias"][..., None] if "bias" in params else None

    # Outputs are computed and kept transposed, (O, N): what is done feature by feature, adding the bias above
    # all, then runs over long rows. Everybody else sees the view (N, O).

    def allocate(self, x: Array) -> None:
        *models, outputs, inputs = self.weight.shape
        self.y_t = np.empty((*models, outputs, x.shape[-2]), x.dtype)
        self.grad_x_t = np.empty((*models, inputs, x.shape[-2]), x.dtype)
        self.y, self.grad_x = self.y_t.mT, self.grad_x_t.mT
        self.ones = np.ones((x.shape[-2], 1), x.dtype)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        self.product(self.weight, x.mT, out=self.y_t)
        if self.bias_column is not None:
            np.add(self.y_t, self.bias_column, out=self.y_t)
        return self.y

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grad_t = grad_output.mT
        self.product(grad_t, self.x, out=self.grad_weight)
        if self.bias_column is not None:
            # a product is quicker than a sum over rows
            self.product(grad_t, self.ones, out=self.grad_bias_column)
        if not want_input:
            return None
        if grad_t.shape[-2] == 1:  # one output: multiplying beats a product of matrices one wide
            np.multiply(self.weight.mT, grad_t, out=self.grad_x_t)
        else:
            self.product(self.weight.mT, grad_t, out=self.grad_x_t)
        return self.grad_x

    def check(self, x: Array) -> Array:
        if x.ndim != 2:
            raise ValueError(f"Linear: x has shape {x.shape}; expected (N, {self.weight.shape[-1]})")
        return super().check(x)


class ReLU(Layer):
    """y = max(x, 0)"""

    stackable = True

    def __init__(self) -> None:
        super().__init__(relu, relu_backward)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        return np.maximum(x, 0, out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        return np.multiply(grad_output, self.y > 0, out=self.grad_x)


class Tanh(Layer):
    """y = tanh(x); its derivative 1 - y**2 needs y alone."""

    stackable = True

    def __init__(self) -> None:
        super().__init__(tanh, tanh_backward)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        return np.tanh(x, out=self.y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        g = np.multiply(self.y, self.y, out=self.grad_x)
        np.subtract(self.one, g, out=g)
        return np.multiply(grad_output, g, out=g)


class Sigmoid(Layer):
    """y = (1 + tanh(x / 2)) / 2, the sigmoid without a second array; its derivative is y * (1 - y)."""

    stackable = True

    def __init__(self) -> None:
        super().__init__(sigmoid, sigmoid_backward)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        y = np.multiply(x, 0.5, out=self.y)
        np.tanh(y, out=y)
        np.multiply(y, 0.5, out=y)
        return np.add(y, 0.5, out=y)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        g = np.subtract(self.one, self.y, out=self.grad_x)
        np.multiply(g, self.y, out=g)
        return np.multiply(grad_output, g, out=g)
