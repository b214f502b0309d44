"""Headlines of notebook 21, and the small network that its experiments and explorers fine-tune."""

from functools import cache

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, LoRALinear, ReLU, Sequential, fit
from nnlib.optimizers.in_numpy import adam

# ---------------------------------------------------------------------------------------- the new task


def rotate(x, degrees):
    """Pictures of 8 x 8 pixels (N, 64), turned; between four pixels by their weighted mean.

    A turned picture is a linear map of the old one, one matrix for all pictures.
    """
    angle, at = np.deg2rad(degrees), np.mgrid[:8, :8] - 3.5
    row = np.cos(angle) * at[0] + np.sin(angle) * at[1] + 3.5  # where each new pixel comes from
    column = np.cos(angle) * at[1] - np.sin(angle) * at[0] + 3.5
    near = [np.maximum(1 - np.abs(place.reshape(64, 1) - np.arange(8)), 0) for place in (row, column)]
    turn = (near[0][:, :, None] * near[1][:, None, :]).reshape(64, 64)
    return x @ turn.T.astype(x.dtype)


@cache
def _pretrained(seed, hidden):
    x, y, *_ = digits(np.float32)
    rng = np.random.default_rng(seed)
    first, last = Linear(64, hidden, rng=rng), Linear(hidden, 10, rng=rng)
    net = Sequential(first, ReLU(), Linear(hidden, hidden, rng=rng), ReLU(), last)
    fit(net, x, y, optimizer=adam, lr=1e-3, epochs=20, batch_size=64, rng=rng)
    return net


def pretrained(seed=0, hidden=256):
    """A network 64-hidden-hidden-10 that reads upright digits: the base of everything here."""
    return _pretrained(seed, hidden).copy()


def task(seed=0, degrees=35, n=400):
    """n training pictures, turned by `degrees`, with their digits; and the whole test part, turned."""
    x, y, x_test, y_test = digits(np.float32)
    few = np.random.default_rng(seed).permutation(len(x))[:n]
    return rotate(x[few], degrees), y[few], rotate(x_test, degrees), y_test


def with_adapters(net, r, lora_alpha, rng):
    """The network with an adapter on each linear layer; it shares the arrays of the old one."""
    layers = [
        LoRALinear(layer, r, lora_alpha, rng=rng) if isinstance(layer, Linear) else layer.copy()
        for layer in net.layers
    ]
    return Sequential(*layers)


def merged(net):
    """A network with adapters as one of plain layers."""
    return Sequential(*(layer.merged() if isinstance(layer, LoRALinear) else layer for layer in net.layers))


def accuracy(net, x, y):
    return 100 * (net(x).argmax(axis=1) == y).mean()


# ------------------------------------------------------------------------------------------- headlines


@experiment(
    id="H52",
    kind="headline",
    claim="Rank 4 comes close to full fine-tuning with 5 % of the parameters; B = 0 starts at the base "
    "model; merging changes the outputs by rounding alone.",
    source="Hu et al. (2021), arXiv:2106.09685, Table 4 (against full fine-tuning) and Table 6 (by rank)",
    settings="64-256-256-10 on digits, 20 epochs; then 400 digits rotated by 35°, 25 epochs, Adam 3e-3 "
    "(full: 1e-3), batch 64, α = 2r, all three layers; test accuracy",
    seeds=4,
    bands={
        "r = 4: points below full": Band(-4, 4, over="mean", unit="points"),
        "r = 8: points below full": Band(-2, 2, over="mean", unit="points"),
        "r = 4: share of the parameters": Band(5, 5.5, unit="%"),
        "change of the outputs at the start": Band(0, 0),
        "change of the outputs by merging": Band(0, 1e-4),
    },
)
def rank(seed):
    base, (x, y, x_test, y_test) = pretrained(seed), task(seed)
    full, options = base.copy(), dict(optimizer=adam, epochs=25, batch_size=64)
    fit(full, x, y, lr=1e-3, rng=np.random.default_rng(seed), **options)
    right, size, nets = {}, {}, {}
    for r in (1, 2, 4, 8, 16):
        rng = np.random.default_rng(seed)
        net = nets[r] = with_adapters(base, r, 2 * r, rng)
        start = np.abs(net(x_test) - base(x_test)).max()
        fit(net, x, y, lr=3e-3, rng=rng, **options)
        right[r], size[r] = accuracy(net, x_test, y_test), net.params.size
    whole = accuracy(full, x_test, y_test)
    return {
        "r = 4: points below full": whole - right[4],
        "r = 8: points below full": whole - right[8],
        "r = 4: share of the parameters": 100 * size[4] / full.params.size,
        "change of the outputs at the start": start,
        "change of the outputs by merging": np.abs(merged(nets[4])(x_test) - nets[4](x_test)).max(),
        "base": accuracy(base, x_test, y_test),
        "full": whole,
        "accuracy": right,
        "parameters": size | {"full": full.params.size},
    }
