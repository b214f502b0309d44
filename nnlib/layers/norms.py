"""Normalization layers, whose statistics in use are not those in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlib.layers.base import Array, Layer, bare
from nnlib.normalization import in_numpy as norms


def _scale_and_shift(size: Any, dtype: Any) -> dict[str, Array]:
    return {"weight": np.ones(size, dtype), "bias": np.zeros(size, dtype)}


class BatchNorm1d(Layer):
    """Batch norm: this batch's statistics in training, the running ones after `eval()`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float32):
        params = _scale_and_shift(num_features, dtype)
        super().__init__(norms.batch_norm, norms.batch_norm_backward, params, eps=float(eps))
        self.running = {
            "running_mean": np.zeros(num_features, dtype),
            "running_var": np.ones(num_features, dtype),
        }
        norms.batch_norm_running(np.ones((2, num_features), dtype), **self.running, momentum=momentum)
        self.momentum = float(momentum)  # one that is no share was refused in the line before

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
        finite = {name: np.nan_to_num(v) for name, v in self.running.items()}  # a model may have diverged
        return norms.batch_norm_eval(x, **finite, **self.params, **self.settings)


class LayerNorm(Layer):
    """Layer norm over the last axes, whose sizes are `normalized_shape`."""

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, dtype: Any = np.float32):
        shape = (normalized_shape,) if np.ndim(normalized_shape) == 0 else tuple(normalized_shape)
        params = _scale_and_shift(shape, dtype)
        settings = dict(normalized_shape=shape, eps=float(eps))
        super().__init__(norms.layer_norm, norms.layer_norm_backward, params, **settings)


class GroupNorm(Layer):
    """Group norm: each row's channels in `num_groups` groups."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, dtype: Any = np.float32):
        params = _scale_and_shift(num_channels, dtype)
        settings = dict(num_groups=num_groups, eps=float(eps))
        super().__init__(norms.group_norm, norms.group_norm_backward, params, **settings)
