"""The training loop: batches, histories, and what makes it fast enough to run while a slider moves."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlib.core import as_tuple, check_call, documented
from nnlib.layers.base import Array, bare
from nnlib.layers.models import Sequential, Stack
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, cross_entropy
from nnlib.optimizers.in_numpy import adamw, sgd

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


# ------------------------------------------------------------------------------------------ optimizers


def _for_matrices(optimizer: Callable) -> bool:
    """Whether an optimizer documents its parameter as a matrix, as muon does, and not as any array."""
    return [s.shape for s in documented(optimizer) if s.name == "param"] == [("A", "B")]


def _by_matrix(optimizer: Callable, model: Sequential, check: bool) -> Callable:
    """That optimizer for a whole model: it moves each weight matrix, adamw with the same lr all the rest."""
    one = model.models[0] if isinstance(model, Stack) else model
    shapes = [p.shape for layer in one.layers for p in layer.params.values()]
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    matrix_step, other_step = (f if check else bare(f) for f in (optimizer, adamw))

    def step(param, grad, states=None, lr=None, t=1, **settings):
        if param.ndim == 2:  # a stack: model after model
            states = states or [()] * len(param)
            rates = np.broadcast_to(lr, (len(param), 1))[:, 0].tolist()
            rows = zip(param, grad, states, rates)
            moved = [step(p, g, *state, lr=r, t=t, **settings) for p, g, state, r in rows]
            return np.stack([p for p, _ in moved]), [state for _, *state in moved]
        moved, states = [], states or [()] * len(shapes)
        for p, g, shape, state in zip(np.split(param, ends), np.split(grad, ends), shapes, states):
            if len(shape) == 2:
                p, *state = matrix_step(p.reshape(shape), g.reshape(shape), *state, lr=lr, **settings)
            else:
                p, *state = other_step(p, g, *state, lr=lr, t=t)
            moved.append((p.ravel(), state))
        return np.concatenate([p for p, _ in moved]), [state for _, state in moved]

    return step


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
                                       argument t is told the number of the step, from 1; one for matrices,
                                       as muon, moves the weight matrices, and adamw with this lr the rest
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
    batches. Layers may be Linear, LoRALinear, ReLU, Tanh, Sigmoid and Dropout; the loss must be a mean in
    which rows count alike.
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
        self.step = bare(self.optimizer)
        if _for_matrices(self.optimizer):
            self.step = _by_matrix(self.optimizer, self.model, check=False)
            self.optimizer = _by_matrix(self.optimizer, self.model, check=True)
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
        optimizer, batches = self.step, self.batches()
        constant = None if self.counts or any(map(callable, self.lrs)) else self.told(0)
        model.eval()
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
