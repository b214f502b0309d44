"""What notebook 20 lets the learner turn: bits and scales, the place of a grid, the grids of small floats."""

from functools import cache, lru_cache

import numpy as np

from nnlib import figures
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Slider
from nnlib.figures import BLUE, GRAY, GREEN, VERMILLION
from nnlib.quantization.experiments import (
    SCALES,
    decibels,
    digits_cnn,
    on_grid,
    stored_bits,
    weighted,
)
from nnlib.quantization.in_numpy import (
    FORMATS,
    NF4,
    choose_qparams,
    fake_quantize,
    float_bits,
    range_percentile,
    round_to_float,
)

# ------------------------------------------------------------------------------- bits against accuracy

BITS = range(2, 9)


@cache
def _test_digits():
    _, _, x, y = digits(np.float32)
    return x.reshape(-1, 1, 8, 8), y


def _right(model):
    """Its test accuracy in percent, without the checks of a call."""
    x, y = _test_digits()
    return 100 * float((model.forward(x).argmax(axis=1) == y).mean())


@lru_cache(32)
def outlier_cnn(factor):
    """The same function as `digits_cnn`: one map of the first convolution larger, what reads it smaller."""
    model = digits_cnn().copy()
    first, second, *_ = weighted(model)
    first.params["weight"][3] *= factor
    first.params["bias"][3] *= factor
    second.params["weight"][:, 3] /= factor
    return model


@lru_cache(64)
def _curve(scales, factor):
    """Accuracy, bits per weight and signal over error (dB) at each bit width."""
    exact = outlier_cnn(factor)
    model, found = exact.copy(), []
    own = [layer.params["weight"] for layer in weighted(exact)]
    for bits in BITS:
        rounded = [on_grid(weight, bits, scales) for weight in own]
        for layer, weight in zip(weighted(model), rounded):
            layer.params["weight"][...] = weight
        noise = np.mean([decibels(a, b) for a, b in zip(own, rounded)])
        size = sum(stored_bits(weight, bits, scales) for weight in own) / sum(w.size for w in own)
        found.append((_right(model), size, noise))
    return np.array(found).T


_BITS = """
exact = outlier_cnn($factor)                    # a LeNet for digits, trained; 4 layers with weights
weights = [layer.params["weight"] for layer in exact.layers if layer.params.get("weight") is not None]
bits, scales = $bits, $scales
"""
_BITS_NUMPY = f"""
import numpy as np
from nnlib.quantization.explorers import outlier_cnn
from nnlib.quantization.in_numpy import dequantize_nf4, quantize_nf4
{_BITS}
def rounded(w):
    if scales == "NF4":
        return dequantize_nf4(*quantize_nf4(w))
    flat, size = w.reshape(len(w), -1), min(32, w[0].size)
    groups = np.pad(flat, ((0, 0), (0, -w[0].size % size))).reshape(-1, size)
    rows = {{"tensor": w.reshape(1, -1), "channel": flat, "group": groups}}
    rows, most = rows[scales], 2 ** (bits - 1) - 1
    scale = np.abs(rows).max(axis=1, keepdims=True) / most
    y = np.round(rows / scale).clip(-most, most) * scale
    return y.reshape(len(w), -1)[:, : w[0].size].reshape(w.shape)

noise = [((w - rounded(w)) ** 2).mean() for w in weights]
answer = np.mean([10 * np.log10((w**2).mean() / n) for w, n in zip(weights, noise)])
"""
_BITS_TORCH = f"""
import torch
from nnlib.quantization.explorers import outlier_cnn
from nnlib.quantization.in_torch import dequantize_nf4, quantize_nf4
{_BITS}
def rounded(w):
    if scales == "NF4":
        return dequantize_nf4(*quantize_nf4(w))
    flat, size = w.flatten(1), min(32, w[0].numel())
    groups = torch.nn.functional.pad(flat, (0, -w[0].numel() % size)).reshape(-1, size)
    rows = {{"tensor": w.reshape(1, -1), "channel": flat, "group": groups}}
    rows, most = rows[scales], 2 ** (bits - 1) - 1
    zero = torch.zeros(len(rows), dtype=torch.int32)
    y = torch.fake_quantize_per_channel_affine(rows, rows.abs().amax(1) / most, zero, 0, -most, most)
    return y.reshape(len(w), -1)[:, : w[0].numel()].reshape(w.shape)

weights = [torch.from_numpy(w) for w in weights]
noise = [(w - rounded(w)).square().mean() for w in weights]
answer = float(sum(10 * torch.log10(w.square().mean() / n) for w, n in zip(weights, noise)) / len(weights))
"""


def bits():
    """Quantize a trained CNN at any number of bits and with any kind of scales: accuracy, size, error."""

    def compute(bits, scales, factor):
        accuracies, sizes, noise = _curve(scales, factor)
        exact = outlier_cnn(factor)
        weight = weighted(exact)[0].params["weight"]
        i = bits - BITS[0]
        return {
            "curve": accuracies, "plain": _curve("tensor", 1.0)[0], "at": (bits, accuracies[i]),
            "size": sizes[i], "noise": noise[i], "full": _right(digits_cnn()),
            "weight": weight.ravel(), "rounded": on_grid(weight, bits, scales).ravel(),
            "changed": factor > 1 or scales != "tensor",
        }  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(1.8, 8.2), ylim=(0, 140), yticks=range(0, 101, 20))
        left.set(xlabel="bits for each weight", ylabel="test accuracy, %")
        left.set_title("Accuracy at each number of bits")
        right.set(
            xlabel="output channel of convolution 1", xlim=(-0.6, 7.6), ylim=(-1.15, 1.25), xticks=range(8)
        )
        right.set_ylabel("weight ÷ the largest")
        right.set_title("The weights (circles), rounded (triangles)")
        places = np.repeat(np.arange(8), 9) + np.tile(np.linspace(-0.3, 0.02, 9), 8)
        return {
            "full": left.axhline(0, color=GRAY, lw=1, ls=":"),
            "plain": left.plot(list(BITS), [0] * 7, color=GRAY, ls="--", lw=1.2)[0],
            "curve": left.plot(list(BITS), [0] * 7, color=BLUE, marker="o", ms=4)[0],
            "here": left.plot([0], [0], "o", color=VERMILLION, ms=10, mfc="none", mew=2)[0],
            "words": left.text(1.95, 138, "", fontsize=9, va="top"),
            "weight": right.plot(places, 0 * places, "o", color=BLUE, ms=2.5)[0],
            "rounded": right.plot(places + 0.28, 0 * places, "^", color=VERMILLION, ms=3)[0],
            "legend": right.text(-0.4, 1.12, "", fontsize=9, va="center"),
        }

    def draw(artists, r):
        artists["full"].set_ydata([r["full"]] * 2)
        artists["plain"].set_ydata(r["plain"])
        artists["curve"].set_ydata(r["curve"])
        artists["here"].set_data([r["at"][0]], [r["at"][1]])
        artists["words"].set_text(
            f"{r['at'][1]:.1f} % (float32: {r['full']:.1f} %)\n{r['size']:.2f} bits per weight with scales\n"
            + ("dashed: per tensor, no outlier" if r["changed"] else "")
        )
        top = np.abs(r["weight"]).max()
        artists["weight"].set_ydata(r["weight"] / top)
        artists["rounded"].set_ydata(r["rounded"] / top)
        zeros = 100 * (r["rounded"] == 0).mean()
        artists["legend"].set_text(f"{zeros:.0f} % of these weights became 0")

    def note(values, r):
        unused = "; NF4 has 4 bits wherever the slider stands" if values["scales"] == "NF4" else ""
        return f"signal over error of the weights: {r['noise']:.1f} dB, mean of the four layers{unused}"

    def met(values, r):
        return bool(values["factor"] == 1 and r["size"] < 4.6 and r["at"][1] > 96.5)

    return Explorer(
        "Bits against accuracy",
        {
            "bits": IntSlider(2, 8, 4, "bits"),
            "scales": Choice(SCALES, "tensor", "a scale for each"),
            "factor": LogSlider(1, 100, 1.0, "one map larger by"),
        },
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("no map larger: more than 96.5 % with less than 4.6 bits per weight, scales included", met),
        code={"numpy": _BITS_NUMPY, "torch": _BITS_TORCH},
        answer=lambda r: r["noise"],
    )


# --------------------------------------------------------------------------------- where the grid falls

KINDS = ("symmetric", "affine", "NF4")


def layer_weights(layer, outlier):
    """The weights of a layer of `digits_cnn`, one moved to `outlier` standard deviations (0: none)."""
    x = weighted(digits_cnn())[layer - 1].params["weight"].ravel().astype(float)
    if outlier:
        x[0] = outlier * x.std()
    return x


def _levels(x, bits, kind, percentile):
    """The numbers that can be stored, in order."""
    low, high = map(float, range_percentile.unchecked(x, percentile))
    if kind == "NF4":
        return max(-low, high) * NF4
    if kind == "symmetric":
        most = 2 ** (bits - 1) - 1
        return np.arange(-most, most + 1) * (max(-low, high) / most)
    scale, zero = choose_qparams.unchecked(np.array(low), np.array(high), 0, 2**bits - 1)
    return (np.arange(2**bits) - zero) * scale


_GRID = """
x = layer_weights($layer, $outlier)
bits, kind, percentile = $bits, $kind, $percentile
"""
_GRID_NUMPY = f"""
import numpy as np
from nnlib.quantization.explorers import layer_weights
from nnlib.quantization.in_numpy import NF4
{_GRID}
low, high = np.percentile(x, [100 - percentile, percentile])
bound, most = max(-low, high), 2 ** (bits - 1) - 1
if kind == "NF4":
    levels = bound * NF4
    y = levels[np.abs(x[:, None] - levels).argmin(axis=1)]
elif kind == "symmetric":
    scale = bound / most
    y = np.round(x / scale).clip(-most, most) * scale
else:
    low, high = min(low, 0), max(high, 0)
    scale = (high - low) / (2**bits - 1)
    zero = -np.round(low / scale)
    y = (np.clip(np.round(x / scale) + zero, 0, 2**bits - 1) - zero) * scale
answer = 10 * np.log10((x**2).mean() / ((x - y) ** 2).mean())
"""
_GRID_TORCH = f"""
import torch
from nnlib.quantization.explorers import layer_weights
from nnlib.quantization.in_torch import NF4
{_GRID}
x = torch.from_numpy(x)
low, high = torch.quantile(x, torch.tensor([1 - percentile / 100, percentile / 100], dtype=x.dtype)).tolist()
bound, most = max(-low, high), 2 ** (bits - 1) - 1
if kind == "NF4":
    levels = bound * NF4
    y = levels[(x[:, None] - levels).abs().argmin(dim=1)]
elif kind == "symmetric":
    y = torch.fake_quantize_per_tensor_affine(x, bound / most, 0, -most, most)
else:
    low, high = min(low, 0), max(high, 0)
    scale = (high - low) / (2**bits - 1)
    y = torch.fake_quantize_per_tensor_affine(x, scale, -round(low / scale), 0, 2**bits - 1)
answer = float(10 * torch.log10(x.square().mean() / (x - y).square().mean()))
"""


def grid():
    """Where the grid falls on the histogram of a layer's weights, and what it rounds and cuts off."""

    def compute(layer, bits, kind, percentile, outlier):
        x = layer_weights(layer, outlier)
        levels = _levels(x, bits, kind, percentile)
        y = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, x)]
        low, high = range_percentile.unchecked(x, percentile)  # an affine grid may end half a step before it
        cut = (x < min(levels[0], low)) | (x > max(levels[-1], high))
        error = (x - y) ** 2
        counts, edges = np.histogram(x, 80, (-0.8, 1.6))
        used = np.bincount(np.searchsorted(levels, y), minlength=len(levels))[: len(levels)]
        return {
            "levels": levels, "counts": counts, "edges": edges, "outlier": x[0] if outlier else np.nan,
            "error": (error[~cut].sum() / len(x), error[cut].sum() / len(x)), "cut": int(cut.sum()),
            "signal": decibels(x, y), "used": used / len(x),
        }  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(2.2, 1))
        left.set(xlim=(-0.8, 1.6), ylim=(0, 1.3), xlabel="weight", yticks=[], ylabel="how many")
        left.set_title("The weights and the numbers that can be stored")
        right.set(ylim=(0, 1), xlim=(-0.6, 1.6), xticks=[0, 1], ylabel="mean squared error, thousandths")
        right.set_xticklabels(["rounded", "cut off"])
        right.set_title("The error, in two parts")
        plate = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        return {
            "lines": left.plot([], [], color=VERMILLION, ls="-", lw=0.8, alpha=0.8)[0],
            "shape": left.fill_between([0], [0], step="post", color=BLUE, alpha=0.35),
            "outline": left.step([0], [0], where="post", color=BLUE, lw=1)[0],
            "outlier": left.plot([-9], [0.04], "v", color=GREEN, ms=9)[0],
            "far": left.text(1.5, 0.04, "", ha="right", va="center", color=GREEN, fontsize=9, bbox=plate),
            "words": left.text(0.98, 0.97, "", transform=left.transAxes, ha="right", va="top", fontsize=9),
            "bars": right.bar([0, 1], [0, 0], 0.6, color=[BLUE, VERMILLION], hatch="").patches,
            "numbers": [right.text(i, 0, "", ha="center", va="bottom", fontsize=9) for i in (0, 1)],
        }

    def draw(artists, r):
        height = np.append(r["counts"], 0) / r["counts"].max()
        artists["outline"].set_data(r["edges"], height)
        artists["shape"].set_data(r["edges"], height, 0)
        artists["lines"].set_data(np.repeat(r["levels"], 3), np.tile([0, 1, np.nan], len(r["levels"])))
        artists["outlier"].set_xdata([min(r["outlier"], 1.56)])
        artists["far"].set_text(f"{r['outlier']:.2f}" if r["outlier"] > 1 else "")
        spare = 100 * r["used"][r["used"] < 0.001].size / len(r["levels"])
        artists["words"].set_text(
            f"{len(r['levels'])} levels, {spare:.0f} % of them hold\nless than one weight in 1,000"
        )
        for i, (bar, text) in enumerate(zip(artists["bars"], artists["numbers"])):
            value = 1e3 * r["error"][i]
            bar.set_height(min(value, 1))
            text.set_text(f"{value:.3f}" if value < 1 else f"{value:.1f} ↑")
            text.set(y=min(value, 0.93), color="white" if value > 0.93 else "black")

    def note(values, r):
        both = f"error {1e3 * sum(r['error']):.3f} thousandths in all"
        return f"{both}; {r['cut']} weights cut off; signal over error {r['signal']:.1f} dB"

    def met(values, r):
        return bool(values["outlier"] >= 10 and values["bits"] <= 4 and sum(r["error"]) < 0.0008)

    return Explorer(
        "Where the grid falls",
        {
            "layer": IntSlider(2, 4, 3, "layer with weights"),
            "bits": IntSlider(2, 8, 4, "bits"),
            "kind": Choice(KINDS, "symmetric", "grid"),
            "percentile": Slider(95.0, 100.0, 100.0, "range up to percentile", step=0.05),
            "outlier": Slider(0.0, 12.0, 0.0, "outlier, in standard deviations", step=0.5, format=".1f"),
        },
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"bits"} if values["kind"] == "NF4" else set(),
        goal=Goal("an outlier at 10 or more, at most 4 bits: an error below 0.8 in all", met),
        code={"numpy": _GRID_NUMPY, "torch": _GRID_TORCH},
        answer=lambda r: r["signal"],
    )


# ----------------------------------------------------------------------------------------- small floats

_SIZES = np.geomspace(1e-6, 1e5, 1500)
_FLOAT = """
x, largest, dtype = $x, $largest, $dtype
"""
_FLOAT_NUMPY = f"""
import numpy as np
from nnlib.quantization.in_numpy import round_to_float
{_FLOAT}
y = round_to_float(np.array(x), dtype)
q = np.round(x / (largest / 127)).clip(-127, 127) * (largest / 127)
answer = abs(y - x) / x + 10 * abs(q - x) / x
"""
_FLOAT_TORCH = f"""
import torch
{_FLOAT}
t = torch.tensor(x, dtype=torch.float64)
y = t.to(getattr(torch, dtype)).double()
q = torch.fake_quantize_per_tensor_affine(t.float(), largest / 127, 0, -127, 127).double()
answer = float((y - t).abs() / t + 10 * (q - t).abs() / t)
"""


def small_floats():
    """The error of a small float and of an int8 grid, over eleven orders of magnitude."""

    def compute(dtype, x, largest):
        scale = np.array(largest / 127)
        y = float(round_to_float.unchecked(np.array(x), dtype))
        q = float(fake_quantize.unchecked(np.array(x), scale, None, -127, 127))
        with np.errstate(all="ignore"):
            error = np.abs(round_to_float.unchecked(_SIZES, dtype) - _SIZES) / _SIZES
            ours = np.abs(fake_quantize.unchecked(_SIZES, scale, None, -127, 127) - _SIZES) / _SIZES
        bits = int(float_bits.unchecked(np.array(x), dtype))
        return {"float": error, "int8": ours, "x": x, "y": y, "q": q, "bits": bits, "dtype": dtype}

    def setup(fig):
        ax = figures.axes(fig)
        ax.set(xscale="log", yscale="log", xlim=(1e-6, 1e5), ylim=(2e-5, 5), xlabel="number")
        ax.set(ylabel="error ÷ number", yticks=[1e-4, 1e-3, 1e-2, 1e-1, 1], title="How well a number is kept")
        ax.set_yticklabels(["0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
        return {
            "float": ax.plot([1], [1], color=BLUE, lw=0.9)[0],
            "int8": ax.plot([1], [1], color=VERMILLION, lw=0.9, ls="--")[0],
            "here": ax.axvline(1, color=GRAY, lw=1, ls=":"),
            "names": [
                ax.text(1.3e-6, 2, "", color=BLUE, fontsize=9),
                ax.text(3e-4, 2, "int8 (dashed)", color=VERMILLION, fontsize=9),
            ],
        }

    def draw(artists, r):
        for name in ("float", "int8"):
            artists[name].set_data(_SIZES, np.maximum(r[name], 1e-5))
        artists["here"].set_xdata([r["x"]] * 2)
        artists["names"][0].set_text(f"{r['dtype']} (line)")

    def note(values, r):
        fraction, _, _ = FORMATS[r["dtype"]]
        width = 8 if r["dtype"].startswith("float8") else 16
        bits = f"{r['bits']:0{width}b}"
        parts = f"{bits[0]} {bits[1 : width - fraction]} {bits[width - fraction :]}"
        return (
            f"{r['x']:.4g}: {r['dtype']} stores {parts} = {r['y']:.4g}; int8 stores {r['q']:.4g} "
            f"({round(r['q'] * 127 / values['largest'])} steps)"
        )

    def met(values, r):
        close = abs(r["y"] - r["x"]) < 0.02 * r["x"]
        return bool(close and r["dtype"].startswith("float8") and r["q"] == 0 and r["x"] > 0.1)

    return Explorer(
        "Small floats",
        {
            "dtype": Choice(tuple(FORMATS), "float8_e4m3fn", "format"),
            "x": LogSlider(1e-5, 1e4, 0.1, "the number"),
            "largest": LogSlider(0.1, 1000, 1.0, "largest number of the int8 grid"),
        },
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("a number above 0.1 that a float8 keeps to 2 % and int8 turns into 0", met),
        code={"numpy": _FLOAT_NUMPY, "torch": _FLOAT_TORCH},
        answer=lambda r: abs(r["y"] - r["x"]) / r["x"] + 10 * abs(r["q"] - r["x"]) / r["x"],
    )
