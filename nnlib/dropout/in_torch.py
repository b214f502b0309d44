"""The twin: the same functions in PyTorch, where autograd is the backward."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


def _drop(x, mask, p, training):
    """x / (1 - p) where kept, x * 0 elsewhere: of what is NaN or infinite, a NaN is left"""
    if not training:
        return x
    if p == 1:
        return torch.zeros_like(x) * x
    keep = mask[(...,) + (None,) * (x.dim() - mask.dim())]
    return x * keep / (1 - p)


@checked(not_taught={"inplace": False})
def dropout(x, mask, p=0.5, training=True):
    """y = x * mask / (1 - p) in training"""
    return _drop(x, mask, p, training)


@checked(not_taught={"inplace": False})
def dropout1d(x, mask, p=0.5, training=True):
    """y[n, c] = x[n, c] * mask[n, c] / (1 - p) in training"""
    return _drop(x, mask, p, training)


@checked(not_taught={"inplace": False})
def dropout2d(x, mask, p=0.5, training=True):
    """y[n, c] = x[n, c] * mask[n, c] / (1 - p) in training"""
    return _drop(x, mask, p, training)


@checked
def stochastic_depth(x, mask, p, training=True):
    """y[n] = x[n] * mask[n] / (1 - p) in training"""
    return _drop(x, mask, p, training)


@checked
def dropconnect(x, weight, bias, mask, p=0.5, training=True):
    """y = x @ (weight * mask / (1 - p)).T + bias in training"""
    y = torch.einsum("nd,od->no", x, _drop(weight, mask, p, training))
    return y if bias is None else y + bias


def _alpha_drop(x, mask, p, training):
    """Dropped to the limit of SELU at minus infinity, then divided by the spread around the new mean"""
    if not training:
        return x
    if p == 1:
        return torch.zeros_like(x) * x
    keep = mask[(...,) + (None,) * (x.dim() - mask.dim())]
    low = F.selu(x.new_full((), -1e3))
    mean = p * low
    var = (1 - p) * (1 + mean**2) + p * (low - mean) ** 2  # E[(v - mean)²] of kept and of dropped values
    return (x * keep + low * ~keep - mean) * torch.rsqrt(var)


@checked(not_taught={"inplace": False})
def alpha_dropout(x, mask, p=0.5, training=True):
    """y = (x * mask + low * (1 - mask) - mean) / sqrt(var) in training"""
    return _alpha_drop(x, mask, p, training)


@checked(not_taught={"inplace": False})
def feature_alpha_dropout(x, mask, p=0.5, training=True):
    """y[n, c] = (x[n, c] * mask[n, c] + low * (1 - mask[n, c]) - mean) / sqrt(var) in training"""
    return _alpha_drop(x, mask, p, training)


# --------------------------------------------------------------------------------- the library's own


def _drawn(op, x, mask):
    """What a random operation makes of x where its own mask happens to be ours.

    PyTorch draws its masks itself. So it gets many copies of x at once, and from each place of the result one
    copy is taken that was kept, or dropped, as our mask says. Which were kept shows on ones: the same seed
    gives the same masks. Every number returned was computed by `op`.
    """
    draws = 256
    copies = x.expand(draws, *x.shape)

    def run(values):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return op(values.reshape(-1, *x.shape[1:])).reshape(draws, *x.shape)

    on_ones = run(torch.ones_like(copies))
    kept = on_ones > on_ones.min() if on_ones.min() < on_ones.max() else on_ones > 0
    keep = mask[(...,) + (None,) * (x.dim() - mask.dim())].expand_as(x)
    fits = kept == keep
    if not fits.any(dim=0).all():
        raise ValueError(f"of {draws} draws none fits the mask everywhere; expected one that p allows")
    return run(copies).gather(0, fits.int().argmax(dim=0, keepdim=True))[0]


def _official_dropconnect(x, weight, bias, mask, p, training):
    kept = _drawn(lambda w: F.dropout(w, p), weight, mask) if training else weight
    return F.linear(x, kept, bias)


official = {
    "dropout": lambda x, mask, p, training: (
        _drawn(lambda v: F.dropout(v, p), x, mask) if training else F.dropout(x, p, training)
    ),
    "dropout1d": lambda x, mask, p, training: (
        _drawn(lambda v: F.dropout1d(v, p), x, mask) if training else F.dropout1d(x, p, training)
    ),
    "dropout2d": lambda x, mask, p, training: (
        _drawn(lambda v: F.dropout2d(v, p), x, mask) if training else F.dropout2d(x, p, training)
    ),
    "dropconnect": _official_dropconnect,
    "alpha_dropout": lambda x, mask, p, training: (
        _drawn(lambda v: F.alpha_dropout(v, p, True), x, mask) if training else F.alpha_dropout(x, p)
    ),
    "feature_alpha_dropout": lambda x, mask, p, training: (
        _drawn(lambda v: F.feature_alpha_dropout(v, p, True), x, mask)
        if training
        else F.feature_alpha_dropout(x, p)
    ),
}
no_official = {
    "stochastic_depth": 'not in PyTorch itself; it is torchvision.ops.stochastic_depth with mode="row"',
}
