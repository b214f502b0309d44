"""Headlines of notebook 20, each a function of a seed that can be copied, and what its cells share."""

import copy
from functools import cache
from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.initialization.in_numpy import kaiming_normal
from nnlib.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, fit, initialize
from nnlib.optimizers.in_numpy import adam
from nnlib.quantization.in_numpy import (
    dequantize_groups,
    dequantize_nf4,
    fake_quantize,
    magnitude_mask,
    quantize_groups,
    quantize_nf4,
)

SCALES = ("tensor", "channel", "group", "NF4")
GROUP, BLOCK = 32, 64  # weights that share a scale


def rows_of(weight, scales):
    """The weights as rows that share a scale: all of them, each output channel, or 32 neighbors in one."""
    if scales == "tensor":
        return weight.reshape(1, -1)
    rows = weight.reshape(len(weight), -1)
    if scales == "channel":
        return rows
    size = min(GROUP, rows.shape[1])
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % size))).reshape(-1, size)


def on_grid(weight, bits, scales="channel"):
    """A weight on a symmetric grid of `bits` bits with scales per tensor, channel or group, or in NF4."""
    if scales == "NF4":
        return dequantize_nf4.unchecked(*quantize_nf4.unchecked(weight, BLOCK), BLOCK)
    rows, most = rows_of(weight, scales), 2 ** (bits - 1) - 1
    scale = np.abs(rows).max(axis=1) / rows.dtype.type(most)
    scale[scale == 0] = 1
    y = fake_quantize.unchecked(rows, scale, None, -most, most, axis=0)
    return y.reshape(len(weight), -1)[:, : weight[0].size].reshape(weight.shape)


def stored_bits(weight, bits, scales="channel"):
    """The bits that this takes, a float32 for each scale included."""
    if scales == "NF4":
        return 4 * weight.size + 32 * -(-weight.size // BLOCK)
    return bits * weight.size + 32 * len(rows_of(weight, scales))


def weighted(model):
    """The layers with a weight matrix or kernel."""
    return [layer for layer in model.layers if layer.params.get("weight", np.empty(0)).ndim > 1]


def with_rounded(model, bits, scales="channel"):
    """A copy of a network whose weights stand on the grid; its biases stay."""
    rounded = model.copy()
    for layer in weighted(rounded):
        layer.params["weight"][...] = on_grid(layer.params["weight"], bits, scales)
    return rounded


def accuracy(model, x, y):
    """Share of right answers in percent."""
    return 100 * float((model(x).argmax(axis=1) == y).mean())


def decibels(x, y):
    """How much stronger x is than its error: 10 log10 (mean x² / mean (x - y)²)."""
    return 10 * float(np.log10((x**2).mean() / ((x - y) ** 2).mean()))


def network(sizes, rng):
    """Linear layers with ReLU between them."""
    pairs = zip(sizes, sizes[1:])
    layers = [layer for a, b in pairs for layer in (Linear(a, b, rng=rng), ReLU())]
    return Sequential(*layers[:-1])


@cache
def digits_cnn(seed=0):
    """A small LeNet for the 8 x 8 digits, trained: two convolutions with pooling, two dense layers."""
    x, y, _, _ = digits(np.float32)
    rng = np.random.default_rng(seed)
    first = Conv2d(1, 8, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)
    second = Conv2d(8, 16, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Flatten()
    model = Sequential(*first, *second, Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
    fit(model, x.reshape(-1, 1, 8, 8), y, lr=3e-3, optimizer=adam, epochs=30, batch_size=64, rng=rng)
    return model


def stored_bytes(model, bits, scales="channel"):
    """What a network takes: its weights so, with their scales, and the rest in float32."""
    weights = [layer.params["weight"] for layer in weighted(model)]
    rest = 32 * (model.params.size - sum(weight.size for weight in weights))
    return (rest + sum(stored_bits(weight, bits, scales) for weight in weights)) // 8


def inputs_of(model, x):
    """The inputs of every layer with weights: what calibration looks at."""
    found, weights = [], weighted(model)
    for layer in model.layers:
        if layer in weights:
            found.append(x.copy())
        x = layer.forward(x)
    return found


def with_input_grids(model, x, grids, top):
    """The outputs when the inputs of every layer with weights are rounded to integers from 0 to top.

    `grids` holds a scale and a zero point for each of these layers, fixed before x was seen (static).
    """
    grids, weights = iter(grids), weighted(model)
    for layer in model.layers:
        if layer in weights:
            x = fake_quantize(np.ascontiguousarray(x), *next(grids), 0, top)
        x = layer.forward(x)
    return x.copy()


def rounded_copy(model, bits, scales="channel"):
    """A torch model whose weights of two axes and more stand on the grid, and the bytes that it takes."""
    import torch

    rounded, size = copy.deepcopy(model), 0
    for parameter in rounded.parameters():
        weight = parameter.detach().numpy()
        size += stored_bits(weight, bits, scales) if weight.ndim > 1 else 32 * weight.size
        if weight.ndim > 1:
            parameter.data = torch.from_numpy(on_grid(weight, bits, scales))
    return rounded, size // 8


# --------------------------------------------------------------------------------------------- bit by bit


def with_outliers(model, rng, factor=30):
    """The same function in other numbers: one unit of each hidden layer larger, what reads it smaller."""
    model = model.copy()
    layers = weighted(model)
    for layer, after in zip(layers, layers[1:]):
        unit = rng.integers(len(layer.params["weight"]))
        layer.params["weight"][unit] *= factor
        layer.params["bias"][unit] *= factor
        after.params["weight"][:, unit] /= factor
    return model


@experiment(
    id="H49",
    kind="headline",
    claim="8 bits cost nothing, 2 bits nearly everything; per channel beats per tensor, most of all at 2 "
    "bits and with outliers.",
    source="Jacob et al. (2018), arXiv:1712.05877; Krishnamoorthi (2018), arXiv:1806.08342; Dettmers et al. "
    "(2022), arXiv:2208.07339",
    settings="digits, 64-64-64-10, Adam 2e-3, batch 64, 60 epochs; weights rounded to a symmetric grid; "
    "outliers: one unit per hidden layer x 30, the next layer's weights for it ÷ 30",
    seeds=5,
    bands={
        "8 bits, largest change of accuracy": Band(0, 0.5, unit="points"),
        "2 bits, per tensor: accuracy": Band(0, 40, unit="%"),
        "mean of 2 to 8 bits: per channel − per tensor": Band(0, inf, over="mean", unit="points"),
        "6 bits with outliers: per channel − per tensor": Band(0, inf, over="mean", unit="points"),
        "signal over error, gained with each bit": Band(5.8, 6.6, unit="dB"),
    },
)
def bit_by_bit(seed):
    x, y, *test = digits(np.float32)
    rng = np.random.default_rng(seed)
    model = network((64, 64, 64, 10), rng)
    fit(model, x, y, lr=2e-3, optimizer=adam, epochs=60, batch_size=64, rng=rng)

    def curve(model, scales):
        return np.array([accuracy(with_rounded(model, int(b), scales), *test) for b in bits])

    full, bits = accuracy(model, *test), np.arange(2, 9)
    result = {scales: curve(model, scales) for scales in ("tensor", "channel")}
    wild = with_outliers(model, rng)
    outliers = {scales: curve(wild, scales) for scales in ("tensor", "channel")}
    weight = model[2].params["weight"]
    signal = [decibels(weight, on_grid(weight, int(b), "tensor")) for b in bits]
    return result | {
        "8 bits, largest change of accuracy": max(abs(result[s][-1] - full) for s in outliers),
        "2 bits, per tensor: accuracy": result["tensor"][0],
        "mean of 2 to 8 bits: per channel − per tensor": (result["channel"] - result["tensor"]).mean(),
        "6 bits with outliers: per channel − per tensor": outliers["channel"][4] - outliers["tensor"][4],
        "signal over error, gained with each bit": np.polyfit(bits[2:], signal[2:], 1)[0],
        "full": full,
        "outliers": outliers,
        "signal": signal,
    }


# ------------------------------------------------------------------------------------------ quantile levels


@experiment(
    id="H50",
    kind="headline",
    claim="Levels at the quantiles of a bell suit weights that are normal, and not those that are uniform.",
    source="Dettmers et al. (2023), arXiv:2305.14314",
    settings="blocks of 64, absmax; NF4 against the int4 levels −7 … 7; 128,000 numbers; a 256 x 256 layer "
    "of 64-256-256-10 after 30 epochs on digits, Adam 1e-3, batch 64",
    seeds=5,
    bands={
        "squared error, NF4 ÷ int4: normal": Band(0, 0.85),
        "squared error, NF4 ÷ int4: uniform": Band(1.3, inf),
        "squared error, NF4 ÷ int4: trained layer": Band(0, 1),
    },
)
def quantile_levels(seed):
    def ratio(x):
        x = x.reshape(-1, 64)
        by_nf4 = dequantize_nf4(*quantize_nf4(x))
        by_int4 = dequantize_groups(*quantize_groups(x, group_size=64, bits=4))
        return float(((x - by_nf4) ** 2).sum() / ((x - by_int4) ** 2).sum())

    rng = np.random.default_rng(seed)
    x, y, _, _ = digits(np.float32)
    model = network((64, 256, 256, 10), rng)
    fit(model, x, y, lr=1e-3, optimizer=adam, epochs=30, batch_size=64, rng=rng)
    samples = {
        "normal": rng.normal(size=128_000),
        "uniform": rng.uniform(-1, 1, 128_000),
        "Laplace": rng.laplace(size=128_000),
        "trained layer": model[2].params["weight"],
    }
    return {f"squared error, NF4 ÷ int4: {name}": ratio(values) for name, values in samples.items()}


# ---------------------------------------------------------------------------------------------- pruning


@experiment(
    id="H51",
    kind="headline",
    claim="A pruned network that keeps its original start beats one with a new start when both are retrained "
    "for a short time.",
    source="Frankle & Carbin (2019), arXiv:1803.03635",
    settings="digits, 64-128-128-10, He start, Adam 1e-3, batch 64, 30 epochs; the smallest 90 % of each "
    "matrix removed at once; retrained for 15 epochs",
    seeds=4,
    bands={"original − new start, accuracy": Band(3, inf, unit="points")},
)
def lottery_ticket(seed):
    x, y, *test = digits(np.float32)
    rng = np.random.default_rng(seed)

    def he_start():
        return initialize(network((64, 128, 128, 10), rng), kaiming_normal, rng, nonlinearity="relu")

    original, new = he_start(), he_start()
    dense = original.copy()
    settings = dict(lr=1e-3, batch_size=64, rng=rng)
    fit(dense, x, y, optimizer=adam, epochs=30, **settings)
    mask = dense.copy()
    for layer in weighted(mask):
        layer.params["weight"][...] = magnitude_mask(layer.params["weight"], 0.9)
        layer.params["bias"][...] = 1
    mask = mask.params

    def masked_adam(param, grad, *state, lr, t):
        param, *state = adam.unchecked(param, grad, *state, lr=lr, t=t)
        return param * mask, *state

    result = {"dense": accuracy(dense, *test), "kept": mask.mean()}
    dense.params *= mask
    result["pruned, not retrained"] = accuracy(dense, *test)
    for epochs in (15, 30):  # the band is about 15; the dense network had 30
        for name, start in (("original", original), ("new", new)):
            model = start.copy()
            model.params *= mask
            fit(model, x, y, optimizer=masked_adam, epochs=epochs, **settings)
            result[f"{name}, {epochs} epochs"] = accuracy(model, *test)
    lead = result["original, 15 epochs"] - result["new, 15 epochs"]
    return result | {"original − new start, accuracy": lead}
