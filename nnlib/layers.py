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
        self.bias = params["bias"][..., None] if "bias" in params else None
        self.grad_bias = grads["bias"][..., None] if "bias" in params else None

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
        if self.bias is not None:
            np.add(self.y_t, self.bias, out=self.y_t)
        return self.y

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        grad_t = grad_output.mT
        self.product(grad_t, self.x, out=self.grad_weight)
        if self.bias is not None:
            self.product(grad_t, self.ones, out=self.grad_bias)  # a product is quicker than a sum over rows
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
        self.running = {
            "running_mean": np.zeros(num_features, dtype),
            "running_var": np.ones(num_features, dtype),
        }

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
            raise TypeError(
                f"Sequential: the layers differ in dtype ({', '.join(sorted(dtypes))}); expected one"
            )
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
        """Let every layer check a few rows of the input; return all rows in the model's dtype."""
        check_call("model", {s.name: s for s in documented(fit) if s.name == "x"}, {"x": x}, "numpy")
        x = np.ascontiguousarray(x, self.dtype)
        rows = x[:2]
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


class Stack(Sequential):
    """Models of one architecture, computed together: every array gets a leading axis, one entry per model.

    Small matrices cost NumPy more in calls than in arithmetic, and a stack of them is one call.
    """

    def __init__(self, models: Sequence[Sequential]):
        kinds = {
            tuple((type(layer).__name__, *(p.shape for p in layer.params.values())) for layer in m.layers)
            for m in models
        }
        if len(kinds) != 1 or len({m.dtype for m in models}) != 1:
            raise ValueError(
                f"fit_many: {len(kinds)} architectures or dtypes came; expected one for all models"
            )
        for layer in models[0].layers:
            if not layer.stackable:
                raise ValueError(
                    f"fit_many: a {type(layer).__name__} layer cannot be stacked; use fit for each model"
                )
        self.models, self.dtype = models, models[0].dtype
        self.layers = [layer.copy() for layer in models[0].layers]
        self.lay_out(np.stack([m.params for m in models]))

    def check(self, x: Array) -> Array:
        return self.models[0].check(x)


# ---------------------------------------------------------------------------------------------- losses
#
# The gradient of the loss is computed at every step. For the defaults of the three usual losses there is a
# quicker form than the reference, which returns the gradient for the target too and knows every option.


def _mse_gradient(grad_output: Any, x: Array, target: Array) -> Array:
    g = x - target
    g *= x.dtype.type(2 * grad_output / x.size)
    return g


def _binary_gradient(grad_output: Any, x: Array, target: Array) -> Array:
    half = x.dtype.type(0.5)
    g = np.tanh(x * half)  # sigmoid(x) = (1 + tanh(x / 2)) / 2
    g *= half
    g += half
    g -= target
    g *= x.dtype.type(grad_output / x.size)
    return g


def _class_gradient(grad_output: Any, x: Array, target: Array) -> Array:
    p = x - x.max(axis=1, keepdims=True)
    np.exp(p, out=p)
    scale = x.dtype.type(grad_output / len(x))
    p *= scale / np.add.reduce(p, axis=1, keepdims=True)
    p[np.arange(len(x)), target] -= scale
    return p


def _loss(loss: Callable, target: Array) -> tuple[Callable, Callable, dict[str, Any]]:
    """A loss, the function (grad_output, x, target) -> gradient for x, and the settings of a functools.partial."""
    f, settings = (loss.func, loss.keywords) if isinstance(loss, functools.partial) else (loss, {})
    quick: dict[Callable, Callable] = {
        mse_loss: _mse_gradient,
        binary_cross_entropy_with_logits: _binary_gradient,
    }
    if target.ndim == 1 and target.dtype.kind in "iu" and (target >= 0).all():
        quick[cross_entropy] = _class_gradient
    if f in quick and not settings:
        return f, quick[f], settings
    backward = getattr(sys.modules[f.__module__], f"{f.__name__}_backward", None)
    if backward is None:
        raise LookupError(f"fit: {f.__name__} has no {f.__name__}_backward beside it")
    return f, lambda g, x, target: as_tuple(bare(backward)(g, x, target, **settings))[0], settings


# -------------------------------------------------------------------------------------------- training


@dataclass
class History:
    """What training went through: one entry before the first step, then one after every `every` steps.

    Losses and accuracies are those of the whole set, with the model as it is in use. Accuracy, the share of
    rows whose largest output is the target, is kept for class numbers as target.
    """

    step: list[int] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    diverged_at: int | None = None  # the step whose gradient was not finite; it was not taken


def train(
    model: Sequential,
    x: Array,
    y: Array,
    *,
    lr: float | Callable[[int], float],
    epochs: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    loss: Callable = cross_entropy,
    optimizer: Callable = sgd,
    validation: tuple[Array, Array] | None = None,
    every: int | None = None,
    **settings: Any,
) -> Iterator[History]:
    """Train a model step by step: a generator that yields the growing history after every `every` steps.

    Between two yields the model is as in use (`eval()`), ready to be drawn, and whoever iterates may stop. A run
    that diverges ends early, with finite parameters and `diverged_at` in the history; it raises nothing.

    Parameters
    ----------
    x : array (N, ...) finite
    y : any                        what the loss takes as target
    lr : any                       a number, or a function of the step, which counts from 0
    epochs : int >= 1              how often each row is used
    batch_size : int >= 1 or None      rows per step; None for all
    rng : Generator or None        shuffles the rows before each epoch; needed with a batch_size
    loss : any                     a loss with its backward beside it; functools.partial(loss, ...) sets options
    optimizer : any                a function (param, grad, *state, lr, ...) -> param, *state; one with an
                                   argument t is told the number of the step, from 1
    validation : any               a pair like x and y, to be measured but not trained on
    every : int >= 1 or None       None: an epoch, or a hundredth of all steps where each is an epoch
    settings : any                 handed to the optimizer: momentum=0.9
    """
    run = _Run(model, x, y, [lr], [rng], epochs, batch_size, loss, optimizer, validation, every, settings)
    return (histories[0] for histories in run.steps())


def fit(model: Sequential, x: Array, y: Array, **settings: Any) -> History:
    """Train a model and return the history. The arguments are those of `train`, which explains them."""
    for history in train(model, x, y, **settings):
        pass
    return history


fit.__signature__ = inspect.signature(train).replace(return_annotation="History")  # type: ignore[attr-defined]


def fit_many(
    models: Sequence[Sequential],
    x: Array,
    y: Array,
    *,
    lr: Any,
    epochs: int,
    batch_size: int | None = None,
    rng: Any = None,
    loss: Callable = cross_entropy,
    optimizer: Callable = sgd,
    validation: tuple[Array, Array] | None = None,
    every: int | None = None,
    **settings: Any,
) -> list[History]:
    """Train many models of one architecture as one computation: what `fit` of each would do, several times faster.

    The arguments are those of `train`; lr and rng may be lists with one entry per model. Layers may be Linear,
    ReLU, Tanh and Sigmoid, and the loss must be the plain mean over the rows.
    """
    rates = lr if isinstance(lr, (list, tuple, Array)) else [lr] * len(models)
    rngs = [None] * len(models) if rng is None else rng
    if not len(rates) == len(rngs) == len(models):
        raise ValueError(
            f"fit_many: {len(rates)} lr and {len(rngs)} rng; expected one per model, {len(models)}"
        )
    stack = Stack(models)
    run = _Run(stack, x, y, rates, rngs, epochs, batch_size, loss, optimizer, validation, every, settings)
    for histories in run.steps():
        pass
    for model, params in zip(models, stack.params):
        model.eval().params[...] = params
    return histories


class _Run:
    """One call of fit: its arguments, checked, and the loop. `model` is a Sequential or a Stack of several."""

    def __init__(
        self, model, x, y, rates, rngs, epochs, batch_size, loss, optimizer, validation, every, settings
    ):
        wanted = {s.name: s for s in documented(train)}
        for rng in rngs:
            given = dict(epochs=epochs, batch_size=batch_size, every=every, rng=rng)
            check_call("fit", {name: wanted[name] for name in given}, given, "numpy")
            if batch_size is not None and rng is None:
                raise ValueError("fit: rng is None; expected a Generator that shuffles the rows into batches")
        self.model, self.rngs, self.batch_size = model, rngs, batch_size
        self.models = model.params.shape[:-1]  # () or, for a stack, (M,)
        self.x, self.y = self.check(loss, x, y)
        self.validation = None if validation is None else self.check(loss, *validation)
        self.loss, self.gradient, self.options = _loss(loss, self.y)
        if self.models and set(self.options) - {"label_smoothing", "pos_weight"}:
            raise ValueError(f"fit_many: the loss has options {self.options}; expected a mean of equal rows")

        self.per_epoch = 1 if batch_size is None else math.ceil(len(self.x) / batch_size)
        self.total = epochs * self.per_epoch
        self.every = every or (self.per_epoch if self.per_epoch > 1 else max(1, self.total // 100))
        self.rates, self.optimizer, self.settings = rates, bare(optimizer), settings
        self.counts = "t" in inspect.signature(optimizer).parameters
        for i in range(len(rates)):  # one step that is thrown away: the optimizer checks its arguments
            optimizer(model.params, model.grads, **self.arguments(0, i))

    def check(self, loss: Callable, x: Array, y: Array) -> tuple[Array, Array]:
        """A pair of inputs and targets in the model's dtype, or an error that says what is wrong with it."""
        x = self.model.check(x)
        if isinstance(y, Array) and y.dtype.kind == "f":
            y = y.astype(self.model.dtype)
        outputs = self.model.eval().forward(x)
        loss(outputs[0] if self.models else outputs, y)
        return x, y

    def arguments(self, step: int, model: int | None = None) -> dict[str, Any]:
        """What the optimizer is told at a step."""
        rates = [rate(step) if callable(rate) else rate for rate in self.rates]
        if model is not None:
            lr = rates[model]
        else:
            lr = np.array(rates, self.model.dtype)[:, None] if self.models else rates[0]
        return {"lr": lr, **({"t": step + 1} if self.counts else {}), **self.settings}

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Inputs and targets of one step after the other; a stack takes its models' targets in one row."""
        if self.batch_size is None:
            y = np.concatenate([self.y] * len(self.rngs)) if self.models else self.y
            while True:
                yield self.x, y
        while True:
            orders = np.array([rng.permutation(len(self.x)) for rng in self.rngs])
            for start in range(0, len(self.x), self.batch_size):
                rows = orders[:, start : start + self.batch_size]
                yield self.x[rows if self.models else rows[0]], self.y[rows.ravel()]

    def measure(self, x: Array, y: Array) -> tuple[Any, Any]:
        """Losses and, for class numbers, accuracies on a set: one number per model."""
        outputs = self.model.forward(x)
        if self.models:
            y_all = np.concatenate([y] * len(outputs))
            rows = bare(self.loss)(_rows(outputs), y_all, reduction="none", **self.options)
            losses = rows.reshape(len(outputs), -1).mean(axis=1)
        else:
            losses = [bare(self.loss)(outputs, y, **self.options)]
            outputs = outputs[None]
        if y.dtype.kind == "f" or outputs.ndim != 3:
            return losses, None
        return losses, (outputs.argmax(axis=2) == y).mean(axis=1)

    def steps(self) -> Iterator[list[History]]:
        model, params, grads = self.model, self.model.params, self.model.grads
        histories = [History() for _ in self.rngs]
        alive = np.ones(self.models, bool)
        moving: Any = True  # which parameters may move: all, until a model diverges
        scale = float(len(self.rngs))  # the mean over all rows of a stack weighs each model 1 / M
        batches = self.batches()
        constant = None if any(map(callable, self.rates)) or self.counts else self.arguments(0)
        state: list[Any] = []
        self.record(histories, 0)
        yield histories
        for start in range(0, self.total, self.every):
            model.train()
            with np.errstate(all="ignore"):  # entered anew each time: across a yield it would leak
                for step in range(start, min(start + self.every, self.total)):
                    x, y = next(batches)
                    outputs = model.forward(x)
                    grad = self.gradient(scale, _rows(outputs) if self.models else outputs, y)
                    model.backward(grad.reshape(outputs.shape), want_input=False)
                    if not np.vdot(grads, grads) < np.inf:  # one product; isfinite would look at each number
                        stopped = alive & ~np.isfinite(grads).all(axis=-1)
                        for i in np.flatnonzero(stopped):
                            histories[i].diverged_at = step
                        alive &= ~stopped
                        moving = alive[..., None]
                        if not alive.any():
                            break
                    new, *state = self.optimizer(params, grads, *state, **(constant or self.arguments(step)))
                    np.copyto(params, new, where=moving)
            model.eval()
            self.record(histories, min(start + self.every, self.total))
            yield histories
            if not alive.any():
                return

    def record(self, histories: list[History], step: int) -> None:
        """One more entry for every model that was still training at the last one."""
        with np.errstate(all="ignore"):
            losses, right = self.measure(self.x, self.y)
            held_out, held_out_right = self.measure(*self.validation) if self.validation else (None, None)
        for i, history in enumerate(histories):
            at = step if history.diverged_at is None else history.diverged_at
            if at in history.step[-1:]:
                continue
            history.step.append(at)
            history.epoch.append(at / self.per_epoch)
            for name, values in {
                "loss": losses,
                "accuracy": right,
                "validation_loss": held_out,
                "validation_accuracy": held_out_right,
            }.items():
                if values is not None:
                    getattr(history, name).append(float(values[i]))


def _rows(outputs: Array) -> Array:
    """The outputs of a stack, model after model, as rows of one batch."""
    return outputs.reshape(-1, *outputs.shape[2:])
