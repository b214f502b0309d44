"""A linear layer with an adapter: the weight stays as it is, two thin matrices beside it learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnlib.layers.base import Array, Layer
from nnlib.layers.dense import Linear
from nnlib.lora.in_numpy import init_lora, lora_linear, lora_linear_backward, merge


class LoRALinear(Layer):
    """y = base(x) + scaling * (x @ lora_A.T) @ lora_B.T, in which only lora_A and lora_B are parameters.

    `scaling` is lora_alpha / r. In a stack every model has a scaling of its own; models that share a base
    layer share its arrays.
    """

    stackable = True

    def __init__(self, base: Linear, r: int, lora_alpha: float, *, rng: np.random.Generator):
        if not (isinstance(r, (int, np.integer)) and r >= 1):
            raise ValueError(f"LoRALinear: r is {r!r}; expected an int from 1 on")
        self.weight, self.bias = base.params["weight"], base.params.get("bias")
        self.lora_alpha, self.scaling = float(lora_alpha), float(lora_alpha) / r
        u = rng.random((r, self.weight.shape[1]), np.float32).astype(self.weight.dtype)
        A, B = init_lora(u, len(self.weight))
        super().__init__(lora_linear, lora_linear_backward, {"lora_A": A, "lora_B": B})

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().bind(params, grads)
        self.A, self.B, self.grad_A, self.grad_B = *params.values(), *grads.values()

    # As in Linear, outputs are computed and kept transposed, (O, N).

    def allocate(self, x: Array) -> None:
        *models, r, inputs = self.A.shape
        outputs, rows = self.B.shape[-2], x.shape[-2]
        self.y_t, self.detour = (np.empty((*models, outputs, rows), x.dtype) for _ in range(2))
        self.h, self.grad_h = (np.empty((*models, r, rows), x.dtype) for _ in range(2))
        self.grad_x_t, self.through = (np.empty((*models, inputs, rows), x.dtype) for _ in range(2))
        self.y, self.grad_x = self.y_t.mT, self.grad_x_t.mT
        self.factor = np.asarray(self.scaling, x.dtype)

    def forward(self, x: Array) -> Array:
        self.remember(x)
        np.matmul(self.weight, x.mT, out=self.y_t)
        np.matmul(self.A, x.mT, out=self.h)
        np.multiply(self.h, self.factor, out=self.h)
        np.matmul(self.B, self.h, out=self.detour)
        np.add(self.y_t, self.detour, out=self.y_t)
        if self.bias is not None:
            np.add(self.y_t, self.bias[..., None], out=self.y_t)
        return self.y

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grad_t = grad_output.mT
        np.matmul(grad_t, self.h.mT, out=self.grad_B)  # h has been scaled already
        np.matmul(self.B.mT, grad_t, out=self.grad_h)
        np.multiply(self.grad_h, self.factor, out=self.grad_h)
        np.matmul(self.grad_h, self.x, out=self.grad_A)
        if not want_input:
            return None
        np.matmul(self.weight.mT, grad_t, out=self.grad_x_t)
        np.matmul(self.A.mT, self.grad_h, out=self.through)
        np.add(self.grad_x_t, self.through, out=self.grad_x_t)
        return self.grad_x

    def check(self, x: Array) -> Array:
        if x.ndim != 2:
            raise ValueError(f"LoRALinear: x has shape {x.shape}; expected (N, {self.weight.shape[-1]})")
        return lora_linear(x, self.weight, self.bias, self.A, self.B, self.lora_alpha)

    def merged(self) -> Linear:
        """One plain layer that computes the same."""
        layer = Linear(*self.weight.shape[::-1], self.bias is not None, rng=np.random.default_rng(0))
        params = {"weight": merge(self.weight, self.A, self.B, self.lora_alpha)}
        if self.bias is not None:
            params["bias"] = self.bias.copy()
        layer.bind(params, {name: np.zeros_like(p) for name, p in params.items()})
        return layer

    def stack(self, layers: Sequence[LoRALinear]) -> LoRALinear:
        together = self.copy()
        together.scaling = np.array([layer.scaling for layer in layers])[:, None, None]
        if any(layer.weight is not self.weight for layer in layers):
            together.weight = np.stack([layer.weight for layer in layers])
            together.bias = self.bias if self.bias is None else np.stack([layer.bias for layer in layers])
        return together
