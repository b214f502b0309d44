"""What the paper of 1986 claimed, what is claimed about backpropagation, and `compare`, which judges a
backward line by line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np

from nnlib.backprop.in_numpy import mlp_loss, mlp_loss_backward
from nnlib.cards import Card
from nnlib.core import tolerance
from nnlib.data import digits
from nnlib.evidence import Band, at_least, experiment


def start(rng, *sizes):
    """Weights and biases of an MLP, from torch's start U(-1, 1) / sqrt(in_features)."""
    params = []
    for d, o in zip(sizes, sizes[1:]):
        params += [rng.uniform(-1, 1, (o, d)) / np.sqrt(d), rng.uniform(-1, 1, o) / np.sqrt(d)]
    return params


@experiment(
    id="H07",
    kind="headline",
    claim="A 6-2-1 network can learn mirror symmetry: its weights are then antisymmetric about the middle, "
    "with ratios 1 : 2 : 4.",
    source="Rumelhart, Hinton & Williams (1986), Nature 323, 533-536",
    settings="all 64 patterns, sigmoids, summed squared error, full batch, lr 0.1, momentum 0.9, "
    "start U(−0.3, 0.3), 6,000 sweeps",
    seeds=8,
    bands={
        "patterns right, of 64": Band(64, 64, over=at_least(4)),
        "w + mirrored w, relative, if solved": Band(0, 1, over=at_least(4), unit="%"),
        "solved, yet not antisymmetric to 1 %": Band(0, 0),
        "distance from 1 : 2 : 4, if solved": Band(0, 5, over=at_least(1), unit="%"),
    },
)
def mirror_symmetry(seed):
    x = np.array([[i >> k & 1 for k in range(6)] for i in range(64)], float)
    target = (x == x[:, ::-1]).all(axis=1, keepdims=True).astype(float)
    rng = np.random.default_rng(seed)
    params = [rng.uniform(-0.3, 0.3, shape) for shape in ((2, 6), (2,), (1, 2), (1,))]
    velocity, wrong = [np.zeros_like(p) for p in params], []
    for _ in range(6000):
        w1, b1, w2, b2 = params
        h = 1 / (1 + np.exp(-(x @ w1.T + b1)))
        y = 1 / (1 + np.exp(-(h @ w2.T + b2)))
        wrong.append(int(((y > 0.5) != (target > 0.5)).sum()))
        grad_z2 = (y - target) * y * (1 - y)
        grad_z1 = grad_z2 @ w2 * h * (1 - h)
        grads = grad_z1.T @ x, grad_z1.sum(axis=0), grad_z2.T @ h, grad_z2.sum(axis=0)
        velocity = [0.9 * v - 0.1 * g for v, g in zip(velocity, grads)]
        params = [p + v for p, v in zip(params, velocity)]
    weight, solved = params[0], wrong[-1] == 0
    mirrored = 100 * np.abs(weight + weight[:, ::-1]).max() / np.abs(weight).max()
    sizes = np.sort(np.abs(weight[:, :3]), axis=1)
    ratios = sizes / sizes[:, :1] / [1, 2, 4]
    return {
        "patterns right, of 64": 64 - wrong[-1],
        "w + mirrored w, relative, if solved": mirrored if solved else nan,
        "solved, yet not antisymmetric to 1 %": int(solved and mirrored > 1),
        "distance from 1 : 2 : 4, if solved": 100 * np.abs(ratios - 1).max() if solved else nan,
        "weight": weight,
        "wrong": wrong,
    }


@experiment(
    id="H08",
    kind="headline",
    claim="Backpropagation written by hand gives the gradient that automatic differentiation gives.",
    source="Rumelhart, Hinton & Williams (1986), Nature 323, 533-536; judged by torch.autograd",
    settings="64-32-10, tanh, cross-entropy, float64, 64 digits",
    seeds=5,
    bands={"largest difference, all 2,410 gradients": Band(0, 1e-12)},
)
def equals_autograd(seed):
    import torch
    import torch.nn.functional as F

    rng = np.random.default_rng(seed)
    x, y, *_ = digits()
    rows = rng.permutation(len(x))[:64]
    params = start(rng, 64, 32, 10)
    by_hand = mlp_loss_backward(1.0, x[rows], *params, y[rows])[1:5]
    w1, b1, w2, b2 = leaves = [torch.tensor(p, requires_grad=True) for p in params]
    z = F.linear(torch.tanh(F.linear(torch.tensor(x[rows]), w1, b1)), w2, b2)
    F.cross_entropy(z, torch.tensor(y[rows])).backward()
    differences = [np.abs(g - p.grad.numpy()).max() for g, p in zip(by_hand, leaves)]
    return {"largest difference, all 2,410 gradients": max(differences), "differences": differences}


@experiment(
    id="M15",
    kind="myth",
    claim="Backpropagation adjusts the weights.",
    verdict="misleading",
    truth="It computes gradients. An optimizer adjusts the weights afterwards, and may use the gradients "
    "as it likes.",
    settings="64-32-10 on all 1,257 training digits, one backward pass, no step",
    seeds=5,
    bands={
        "largest change of a weight": Band(0, 0),
        "largest gradient of a weight": Band(1e-6, inf),
    },
)
def adjusts_the_weights(seed):
    x, y, *_ = digits()
    params = start(np.random.default_rng(seed), 64, 32, 10)
    before = [p.copy() for p in params]
    loss = mlp_loss(x, *params, y)
    grads = mlp_loss_backward(1.0, x, *params, y)[1:5]
    return {
        "largest change of a weight": max(np.abs(p - b).max() for p, b in zip(params, before)),
        "largest gradient of a weight": max(np.abs(g).max() for g in grads),
        "loss before and after": (loss, mlp_loss(x, *params, y)),
    }


@experiment(
    id="M16",
    kind="myth",
    claim="Overfitting is a difficulty of backpropagation.",
    verdict="misleading",
    truth="It belongs to model, data and objective. A least-squares fit in closed form overfits without any "
    "backpropagation.",
    settings="closed-form least squares, Legendre polynomials of degree 18 and 4, 20 samples of sin 3x with "
    "noise 0.3",
    seeds=6,
    bands={"test error of degree 18 ÷ degree 4": Band(10, inf)},
)
def overfitting(seed):
    rng = np.random.default_rng(seed)
    x, x_test = np.linspace(-1, 1, 20), np.linspace(-1, 1, 500)
    y = np.sin(3 * x) + rng.normal(0, 0.3, 20)
    legendre, error, fits = np.polynomial.legendre, {}, {}
    for degree in (4, 18):
        weights = np.linalg.lstsq(legendre.legvander(x, degree), y, rcond=None)[0]  # no gradient anywhere
        train, fits[degree] = legendre.legval(x, weights), legendre.legval(x_test, weights)
        error[degree] = np.mean((train - y) ** 2), np.mean((fits[degree] - np.sin(3 * x_test)) ** 2)
    return {
        "test error of degree 18 ÷ degree 4": error[18][1] / error[4][1],
        "errors": error,
        "data": (x, y, x_test),
        "fits": fits,
    }


# ---------------------------------------------------------------------------------------- line by line


@dataclass(frozen=True)
class Line:
    """One array and how far it is from torch's."""

    name: str
    exact: bool  # equal to the last bit
    approximate: bool  # equal but for rounding
    difference: float  # the largest
    note: str = ""  # where the difference is not a number


@dataclass(frozen=True)
class Comparison:
    """All lines in the order of computation."""

    lines: tuple[Line, ...]

    @property
    def first_wrong(self) -> str | None:
        """The name of the first line that is wrong: what comes after it was computed from it."""
        return next((line.name for line in self.lines if not line.approximate), None)

    def card(self) -> Card:
        rows = tuple(
            (f"`{line.name}`", f"approximate: {line.approximate}", _said(line)) for line in self.lines
        )
        title = f"{len(self.lines)} lines, each beside torch's"
        if self.first_wrong is None:
            return Card("all lines agree", title, "good", rows=rows)
        before = [line.name for line in self.lines].index(self.first_wrong)
        word = "line before it agrees" if before == 1 else "lines before it agree"
        mend = f"The {before} {word}; those after it are computed from it. Mend `{self.first_wrong}` first."
        return Card(f"first wrong line: {self.first_wrong}", title, "bad", (mend,), rows)

    def __repr__(self) -> str:
        return repr(self.card())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.card()._repr_mimebundle_()


def _said(line: Line) -> str:
    return line.note or f"measured: exact {line.exact}, max difference {line.difference:.1e}"


def compare(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Comparison:
    """Every array of a network beside torch's, so that the first False is the first wrong line.

        mine = {"z1": z1, "h": h, …, "grad_h": grad_h, "grad_z1": grad_z1}     in the order of computation
        theirs = {"z1": z1, "h": h, …}                                         tensors, after loss.backward()

    `grad_h` is compared with `theirs["h"].grad`; for tensors that are no leaves, call `retain_grad()` before
    the backward, or torch forgets their gradients.
    """
    if not mine:
        raise ValueError("compare: there are no lines; expected arrays by name")
    return Comparison(tuple(_line(name, value, _wanted(name, theirs)) for name, value in mine.items()))


def _wanted(name: str, theirs: Mapping[str, Any]) -> np.ndarray:
    known = name.removeprefix("grad_")
    if known not in theirs:
        raise LookupError(f"compare: torch's side has no {known!r}; it has {', '.join(theirs)}")
    tensor = theirs[known]
    if name.startswith("grad_"):
        if not tensor.is_leaf and not tensor.retains_grad:
            raise LookupError(f"compare: torch kept no gradient of {known!r}; call its retain_grad() first")
        tensor = tensor.grad
        if tensor is None:
            raise LookupError(f"compare: {known!r} has no gradient; call loss.backward() before comparing")
    return tensor.detach().cpu().numpy()


def _line(name: str, value: Any, wanted: np.ndarray) -> Line:
    value = np.asarray(value)
    if value.shape != wanted.shape:
        return Line(name, False, False, np.inf, f"shape {value.shape}; torch's is {wanted.shape}")
    if not np.isfinite(value).all():
        return Line(name, False, False, np.inf, "holds NaN or infinite values")
    difference = float(np.abs(value - wanted).max())
    # Relative to the line's own size: gradients are often far smaller than 1.
    limit = tolerance(wanted.dtype) * max(np.abs(wanted).max(), np.finfo(wanted.dtype).eps)
    return Line(name, bool((value == wanted).all()), bool(difference <= limit), difference)
