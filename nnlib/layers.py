"""Layers, models and the training loop: the bookkeeping, written once for every f / f_backward pair.

The mathematics stays in the concept folders. Here live the things around it: which parameters belong to
which function, what forward must remember for backward, batches, histories, and what makes training fast
enough to run while a slider moves. `Layer` works with any pair; `Linear`, `ReLU`, `Tanh` and `Sigmoid`
compute the same with less work, and tests hold them equal to their pairs.

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
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, cross_entropy
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
        self.one = np.ones((), x.dtype)  # an array without axes is quicker to compute with than a number

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
            self.product(
                grad_t, self.ones, out=self.grad_bias_column
            )  # a product is quicker than a sum over rows
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
        """Let every layer check a few rows of the input; return all rows in the model's dtype."""
        check_call("model", {s.name: s for s in documented(train) if s.name == "x"}, {"x": x}, "numpy")
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
        self.layers, self.dtype = [layer.copy() for layer in first.layers], first.dtype
        self.lay_out(np.stack([m.params for m in models]))

    def check(self, x: Array) -> Array:
        return self.models[0].check(x)


# ---------------------------------------------------------------------------------------------- losses
#
# A step needs the gradient of the loss for the outputs and nothing else. With its default options that is the
# probability minus the target, by far less work than the reference, which knows every option.


def _binary_gradient(grad_output: float, x: Array, target: Array) -> Array:
    g = np.tanh(0.5 * x)  # sigmoid(x) = (1 + tanh(x / 2)) / 2
    g *= 0.5
    g += 0.5
    g -= target
    g *= grad_output / x.size
    return g


def _class_gradient(grad_output: float, x: Array, target: Array) -> Array:
    p = x - x.max(axis=1, keepdims=True)
    np.exp(p, out=p)
    p *= (grad_output / len(x)) / p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), target] -= grad_output / len(x)
    return p


def _number(value: Any) -> Any:
    """A Python number for one of NumPy's, whose float64 would turn float32 arrays into float64."""
    return value.item() if isinstance(value, np.generic) else value


def _loss(loss: Callable, target: Array) -> tuple[Callable, Callable, dict[str, Any]]:
    """A loss, its gradient as a function of (grad_output, x, target), and the options a partial holds."""
    f, options = (loss.func, loss.keywords) if isinstance(loss, functools.partial) else (loss, {})
    if f is binary_cross_entropy_with_logits and not options:
        return f, _binary_gradient, options
    classes = target.dtype.kind in "iu" and target.ndim == 1 and target.min() >= 0  # none to be ignored
    if f is cross_entropy and classes and not options:
        return f, _class_gradient, options
    backward = getattr(sys.modules[f.__module__], f"{f.__name__}_backward", None)
    if backward is None:
        raise LookupError(f"fit: {f.__name__} has no {f.__name__}_backward beside it")
    return f, lambda g, x, target: as_tuple(bare(backward)(g, x, target, **options))[0], options


# -------------------------------------------------------------------------------------------- training


@dataclass
class History:
    """What training went through: one entry before the first step, then one after every `every` steps.

    Losses and accuracies are those of whole sets, with the model as it is in use. Accuracy, the share of rows
    whose largest output is the right one, is kept where the targets are class numbers.
    """

    step: list[int] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    diverged_at: int | None = None  # the step that was not taken, since its gradient was not finite


def train(
    model: Sequential,
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
) -> Iterator[Any]:
    """Train a model step by step: a generator that yields the growing history after every `every` steps.

    Between two yields the model is as in use (`eval()`), ready to be drawn, and whoever iterates may stop.
    A run that diverges raises nothing: it ends early, with finite parameters and the history's `diverged_at`.
    For a `Stack`, lr and rng are lists with one entry per model, and so is the history.

    Parameters
    ----------
    x : array (N, ...) finite
    y : any                            what the loss takes as target
    lr : any                           a number, or a function of the step, which counts from 0
    epochs : int >= 1                  how often each row is used
    batch_size : int >= 1 or None      rows per step; None for all of them
    rng : Generator or None            shuffles the rows before each epoch; needed with a batch_size
    loss : any                         with its backward beside it; options by functools.partial(loss, ...)
    optimizer : any                    (param, grad, *state, lr, **settings) -> param, *state; one with an
                                       argument t is told the number of the step, from 1
    validation : any                   a pair like (x, y), measured but not trained on
    every : int >= 1 or None           None: an epoch, or where that is one step, a hundredth of all steps
    settings : any                     for the optimizer, as in momentum=0.9
    """
    run = _Run(model, x, y, lr, epochs, batch_size, rng, loss, optimizer, validation, every, settings)
    return run.steps()


def fit(model: Sequential, x: Array, y: Array, **arguments: Any) -> History:
    """Train a model and return the history. The arguments are those of `train`, which explains them."""
    *_, history = train(model, x, y, **arguments)
    return history


fit.__signature__ = inspect.signature(train).replace(return_annotation="History")  # type: ignore


def fit_many(
    models: Sequence[Sequential], x: Array, y: Array, *, lr: Any, rng: Any = None, **arguments: Any
) -> list[History]:
    """Train models of one architecture together: what `fit` does to each, several times faster.

    The arguments are those of `train`, with one lr for all or a list, and a list of rngs where there are
    batches. Layers may be Linear, ReLU, Tanh and Sigmoid; the loss must be a mean in which rows count alike.
    """
    if isinstance(rng, np.random.Generator):
        raise TypeError("fit_many: rng is one Generator; expected a list with a Generator for each model")
    rates = list(lr) if np.ndim(lr) else [lr] * len(models)
    rngs = [None] * len(models) if rng is None else list(rng)
    if not len(models) == len(rates) == len(rngs) > 0:
        came = f"{len(models)} models, {len(rates)} lr and {len(rngs)} rng"
        raise ValueError(f"fit_many: {came}; expected one each")
    rows = arguments.get("batch_size") or len(x)
    widest = max((p.shape[0] for layer in models[0].layers for p in layer.params.values()), default=1)
    together = max(1, 2**17 // (rows * widest))  # larger arrays would not stay in the processor's cache
    histories: list[History] = []
    for start in range(0, len(models), together):
        group = slice(start, start + together)
        stack = Stack(models[group])
        *_, trained = train(stack, x, y, lr=rates[group], rng=rngs[group], **arguments)
        histories += trained
        for model, params in zip(models[group], stack.params):
            model.eval().params[...] = params
    return histories


@dataclass
class _Run:
    """One call of `train`: its arguments and what follows from them."""

    model: Sequential
    x: Array
    y: Array
    lr: Any
    epochs: int
    batch_size: int | None
    rng: Any
    loss: Callable
    optimizer: Callable
    validation: tuple[Array, Array] | None
    every: int | None
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        self.many = isinstance(self.model, Stack)
        self.lrs, self.rngs = (self.lr, self.rng) if self.many else ([self.lr], [self.rng])
        wanted = {s.name: s for s in documented(train)}
        for rng in self.rngs:
            given = dict(epochs=self.epochs, batch_size=self.batch_size, every=self.every, rng=rng)
            check_call("fit", {name: wanted[name] for name in given}, given, "numpy")
            if rng is None and self.batch_size is not None:
                raise ValueError("fit: rng is None; expected a Generator that shuffles the rows into batches")
        self.x, self.y = self.prepare(self.x, self.y)
        self.held_out = None if self.validation is None else self.prepare(*self.validation)
        self.f, self.gradient, self.options = _loss(self.loss, self.y)
        if self.many and set(self.options) - {"label_smoothing", "pos_weight"}:
            raise ValueError(f"fit_many: the loss has options {self.options}; expected rows that count alike")
        self.per_epoch = math.ceil(len(self.x) / self.batch_size) if self.batch_size else 1
        self.total = self.epochs * self.per_epoch
        self.every = self.every or (self.per_epoch if self.per_epoch > 1 else max(1, self.total // 100))
        self.settings = {name: _number(value) for name, value in self.settings.items()}
        self.counts = "t" in inspect.signature(self.optimizer).parameters
        for lr in self.rates(0):  # the optimizer checks its arguments in a step that is thrown away
            self.optimizer(self.model.params, self.model.grads, **self.told(0, lr))

    def prepare(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Inputs and targets in the model's dtype; an error where model or loss cannot take them."""
        x = self.model.check(x)
        if isinstance(y, Array) and y.dtype.kind == "f":
            y = y.astype(self.model.dtype)
        one = self.model.models[0] if self.many else self.model
        with np.errstate(all="ignore"):
            self.loss(one.eval().forward(x), y)
        return x, y

    def rates(self, step: int) -> list[Any]:
        return [_number(lr(step) if callable(lr) else lr) for lr in self.lrs]

    def told(self, step: int, lr: Any = None) -> dict[str, Any]:
        """What the optimizer is told besides parameters, gradients and its state."""
        if lr is None:
            rates = self.rates(step)
            lr = np.array(rates, self.model.dtype)[:, None] if self.many else rates[0]
        return {"lr": lr, **self.settings, **({"t": step + 1} if self.counts else {})}

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Inputs and targets, step after step; the targets of a stack are those of its models in one row."""
        if self.batch_size is None:
            y = np.concatenate([self.y] * len(self.rngs))
            while True:
                yield self.x, y
        while True:
            orders = np.array([rng.permutation(len(self.x)) for rng in self.rngs])
            for start in range(0, len(self.x), self.batch_size):
                rows = orders[:, start : start + self.batch_size]
                yield self.x[rows if self.many else rows[0]], self.y[rows.ravel()]

    def flat(self, outputs: Array) -> Array:
        """The outputs as rows of one batch, those of a stack model after model."""
        return outputs.reshape(-1, *outputs.shape[2:]) if self.many else outputs

    def steps(self) -> Iterator[Any]:
        model, params, grads = self.model, self.model.params, self.model.grads
        histories = [History() for _ in self.rngs]
        result = histories if self.many else histories[0]
        alive = np.ones(params.shape[:-1], bool)
        moving: Any = True  # which parameters an update may change: all, until a model of a stack diverges
        state: list[Any] = []
        optimizer, batches = bare(self.optimizer), self.batches()
        constant = None if self.counts or any(map(callable, self.lrs)) else self.told(0)
        self.record(histories, 0)
        yield result
        for start in range(0, self.total, self.every):
            end = min(start + self.every, self.total)
            model.train()
            with np.errstate(all="ignore"):  # closed before the yield, or it would hold for the caller too
                for step in range(start, end):
                    x, y = next(batches)
                    outputs = model.forward(x)
                    # The mean over all rows of a stack weighs each of its models 1 / M: M times that.
                    grad = self.gradient(float(len(histories)), self.flat(outputs), y)
                    model.backward(grad.reshape(outputs.shape), want_input=False)
                    if not np.vdot(grads, grads) < np.inf:  # quicker than to ask of each number at every step
                        finite = np.isfinite(grads).all(axis=-1)
                        for i in np.flatnonzero(alive & ~finite):
                            histories[i].diverged_at = step
                        alive &= finite
                        moving = alive[..., None]
                        if not alive.any():
                            break
                    new, *state = optimizer(params, grads, *state, **(constant or self.told(step)))
                    np.copyto(params, new, where=moving)
            model.eval()
            self.record(histories, end)
            yield result
            if not alive.any():
                return

    def record(self, histories: list[History], step: int) -> None:
        """One more entry for every model that was training since the last one."""
        measured = dict(zip(("loss", "accuracy"), self.measure(self.x, self.y)))
        if self.held_out:
            measured |= zip(("validation_loss", "validation_accuracy"), self.measure(*self.held_out))
        for i, history in enumerate(histories):
            at = step if history.diverged_at is None else history.diverged_at
            if at in history.step[-1:]:
                continue
            history.step.append(at)
            history.epoch.append(at / self.per_epoch)
            for name, values in measured.items():
                if values is not None:
                    getattr(history, name).append(float(values[i]))

    def measure(self, x: Array, y: Array) -> tuple[Any, Any]:
        """Loss and, where the targets are class numbers, accuracy on a set: one number per model."""
        models = len(self.rngs)
        with np.errstate(all="ignore"):
            outputs = self.model.forward(x)
            if self.many:
                each = {**self.options, "reduction": "none"}
                losses = bare(self.f)(self.flat(outputs), np.concatenate([y] * models), **each)
                losses = losses.reshape(models, -1).mean(axis=1)
            else:
                losses = [bare(self.f)(outputs, y, **self.options)]
        if y.dtype.kind == "f" or y.ndim != 1:
            return losses, None
        return losses, (outputs.reshape(models, len(x), -1).argmax(axis=2) == y).mean(axis=1)
