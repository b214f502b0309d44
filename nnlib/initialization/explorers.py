"""What notebook 10 lets the learner turn: histograms layer by layer, the compromise, the start of a training,
residual branches."""

from functools import cache, lru_cache
from math import sqrt

import numpy as np

from nnlib import data, figures
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Toggle
from nnlib.initialization import in_numpy as schemes
from nnlib.layers import Linear, ReLU, Sequential, Sigmoid, Tanh, fit

N, WIDTH, DEEPEST = 100, 100, 50
SCHEMES = ("normal, 0.01", "normal, 1", "nn.Linear's", "Xavier", "He", "orthogonal")
ACTIVATIONS = {  # and the derivative, from the output
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "ReLU": (lambda z: np.maximum(z, 0), lambda h: (h > 0) * 1.0),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(0.5 * z), lambda h: h * (1 - h)),
    "linear": (lambda z: z, lambda h: 1.0),
}


def weight_of(scheme, u, z):
    """One weight from uniform or normal draws."""
    return {
        "normal, 0.01": lambda: schemes.normal.unchecked(z, std=0.01),
        "normal, 1": lambda: z,
        "nn.Linear's": lambda: schemes.kaiming_uniform.unchecked(u, a=sqrt(5)),
        "Xavier": lambda: schemes.xavier_normal.unchecked(z),
        "He": lambda: schemes.kaiming_normal.unchecked(z),
        "orthogonal": lambda: schemes.orthogonal.unchecked(z),
    }[scheme]()


# --------------------------------------------------------------------------- histograms, layer by layer


@lru_cache(8)
def _drawn(scheme, seed):
    """Inputs, the gradient that arrives at the end, and the weights of the deepest network."""
    rng = np.random.default_rng(seed)
    x, grad = rng.standard_normal((2, N, WIDTH))
    make = rng.random if scheme == "nn.Linear's" else rng.standard_normal
    return x, grad, [weight_of(scheme, draws, draws) for draws in make((DEEPEST, WIDTH, WIDTH))]


EDGES = np.linspace(-3, 3, 61)
ROWS = 5


def _heights(values):
    """Shares of 60 bins, a standard normal being half a row high; what lies outside piles up at the edges.

    Bars are cut at the height of a row: scaled down instead, a peak at 0 would flatten all the rest.
    """
    bins = np.clip((0.999999 * values.ravel() + 3) * 10, 0, 59.9)  # 1 belongs below 1, as -1 above -1
    return np.minimum(np.bincount(bins.astype(np.int64), minlength=60) * (12 / values.size), 0.9)


def histograms():
    """Activations and gradients of every layer, for a scheme, a gain, a depth and an activation."""
    low, high = 1e-12, 1e12

    def compute(activation, scheme, gain, depth, seed):
        x, grad, weights = _drawn(scheme, seed)
        f, slope = ACTIVATIONS[activation]
        h = [x]
        for weight in weights[:depth]:
            h.append(f(h[-1] @ (gain * weight).T))
        grads = [grad]
        for weight, output in zip(weights[depth - 1 : 0 : -1], h[:1:-1]):
            grads.append((grads[-1] * slope(output)) @ (gain * weight))
        h, grads = h[1:], grads[::-1]
        shown = np.unique(np.linspace(0, depth - 1, ROWS).round().astype(int))
        return dict(
            shown=shown,
            activations=[_heights(h[i]) for i in shown],
            gradients=[_heights(grads[i]) for i in shown],
            forward=np.array([v.std() for v in h]),
            backward=np.array([v.std() for v in grads]),
        )

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1, 1, 1.25))
        artists = {"texts": []}
        panels = (left, "activations", figures.BLUE), (middle, "gradients", figures.VERMILLION)
        for ax, name, color in panels:
            ax.set(xlim=(-3, 3), ylim=(-0.05, ROWS), yticks=[], xticks=(-2, 0, 2))
            ax.set_xlabel("value (at the edge: beyond ±3)")
            ax.spines["left"].set_visible(False)
            ax.set_title(f"{name.capitalize()}, layer by layer")
            style = dict(fill=True, color=color, alpha=0.75, lw=0)
            artists[name] = [ax.stairs(np.zeros(60), EDGES, baseline=0, **style) for _ in range(ROWS)]
        artists["texts"] = [left.text(-2.9, 0, "", fontsize=8.5, va="bottom") for _ in range(ROWS)]
        right.set(xlim=(0, DEEPEST + 1), ylim=(low, high), yscale="log", xlabel="layer")
        right.set_ylabel(r"standard deviation (log, cut at $10^{\pm12}$)")
        right.set_title("Their size in every layer")
        right.axhline(1, color=figures.GRAY, lw=0.8, ls=":")
        artists["forward"] = right.plot([], [], "o-", ms=2.5, lw=1, color=figures.BLUE)[0]
        artists["backward"] = right.plot([], [], "^--", ms=2.5, lw=1, color=figures.VERMILLION)[0]
        style = dict(fontsize=8.5, ha="right", zorder=5, bbox=dict(fc="white", ec="none", pad=1.5))
        artists["names"] = [  # they move too, so that they stand on the curves
            right.text(50, 3e10, "activations ●", color=figures.BLUE, **style),
            right.text(50, 4e8, "gradients ▲", color=figures.VERMILLION, **style),
        ]
        return artists

    def draw(artists, r):
        rows = len(r["shown"])
        for i in range(ROWS):  # the first layer at the bottom
            at = i * ROWS / rows
            for name in ("activations", "gradients"):
                heights = r[name][i] if i < rows else np.zeros(60)
                artists[name][i].set_data(at + heights * ROWS / rows, EDGES, baseline=at)
            artists["texts"][i].set_position((-2.9, at + 0.1))
            artists["texts"][i].set_text(f"{r['shown'][i] + 1}" if i < rows else "")
        for name in ("forward", "backward"):
            layers = 1 + np.arange(len(r[name]))
            artists[name].set_data(layers, np.clip(np.nan_to_num(r[name], nan=high), low, high))

    def note(values, r):
        return (
            f"activations of the last layer: deviation {r['forward'][-1]:.2g}; gradients: "
            f"{r['backward'][-1]:.2g} at the last layer, {r['backward'][0]:.2g} at the first"
        )

    def level(r):
        sizes = np.concatenate([r["forward"], r["backward"]])
        return bool(((sizes > 0.1) & (sizes < 10)).all())

    return Explorer(
        "What a start does to every layer",
        dict(
            activation=Choice(tuple(ACTIVATIONS), "ReLU", "activation"),
            scheme=Choice(SCHEMES, "Xavier", "weights"),
            gain=LogSlider(0.25, 4, 1.0, "times a gain of"),
            depth=IntSlider(2, DEEPEST, 30, "layers"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        size=(9.3, 3.6),
        note=note,
        goal=Goal(
            "50 layers of tanh or ReLU, and every deviation, forward and backward, between 0.1 and 10",
            lambda v, r: v["depth"] == DEEPEST and v["activation"] in ("tanh", "ReLU") and level(r),
        ),
        code={"numpy": _HISTOGRAMS_DRAWN + _HISTOGRAMS_NUMPY, "torch": _HISTOGRAMS_DRAWN + _HISTOGRAMS_TORCH},
        answer=lambda r: r["backward"][0],
    )


_HISTOGRAMS_DRAWN = """\
import numpy as np

n, scheme = 100, $scheme
rng = np.random.default_rng($seed)
x, grad = rng.standard_normal((2, n, n))
if scheme == "nn.Linear's":
    weights = (2 * rng.random(($depth, n, n)) - 1) / n**0.5
else:
    z = rng.standard_normal(($depth, n, n))
    if scheme == "orthogonal":
        q, r = np.linalg.qr(z)
        weights = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    else:
        weights = {"normal, 0.01": 0.01, "normal, 1": 1, "Xavier": n**-0.5, "He": (2 / n) ** 0.5}[scheme] * z
weights = $gain * weights
"""

_HISTOGRAMS_NUMPY = """
f, slope = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda h: h > 0),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(z / 2), lambda h: h * (1 - h)),
    "linear": (lambda z: z, lambda h: 1),
}[$activation]

h = [x]
for weight in weights:
    h.append(f(h[-1] @ weight.T))
for k in range($depth - 1, 0, -1):          # from the output of the last layer to that of the first
    grad = grad * slope(h[k + 1]) @ weights[k]

answer = grad.std()
"""

_HISTOGRAMS_TORCH = """
import torch

f = {"tanh": torch.tanh, "ReLU": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda z: z}[$activation]
weights = torch.from_numpy(weights)
first = f(torch.from_numpy(x) @ weights[0].T).requires_grad_()
h = first
for weight in weights[1:]:
    h = f(torch.nn.functional.linear(h, weight))
h.backward(torch.from_numpy(grad))

answer = first.grad.std(correction=0)
"""


# ------------------------------------------------------------------------------- why it is a compromise

MODES = ("fan_in", "Xavier", "fan_out")
BATCH = 64


def _variance(mode, fan_in, fan_out):
    return {"fan_in": 1 / fan_in, "Xavier": 2 / (fan_in + fan_out), "fan_out": 1 / fan_out}[mode]


def compromise():
    """Layers that grow narrower or wider: what goes forward and what comes back want different weights."""

    def compute(first, last, depth, mode, seed):
        rng = np.random.default_rng(seed)
        widths = np.geomspace(first, last, depth + 1).round().astype(int)
        h, grad = rng.standard_normal((BATCH, first)), rng.standard_normal((BATCH, last))
        forward, expected, weights = [h.var()], [1.0], []
        for fan_in, fan_out in zip(widths, widths[1:]):
            variance = _variance(mode, fan_in, fan_out)
            weights.append(sqrt(variance) * rng.standard_normal((fan_out, fan_in)))
            h = h @ weights[-1].T
            forward.append(h.var())
            expected.append(expected[-1] * fan_in * variance)
        backward, back = [grad.var()], [1.0]
        for weight in reversed(weights):
            grad = grad @ weight
            backward.append(grad.var())
            back.append(back[-1] * weight.shape[0] * _variance(mode, weight.shape[1], weight.shape[0]))
        return dict(
            widths=widths,
            forward=np.array(forward),
            backward=np.array(backward[::-1]),
            expected=np.array(expected),
            back=np.array(back[::-1]),
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.6))
        left.set(xlim=(-0.6, 12.6), ylim=(-140, 140), yticks=[], xlabel="layer")
        left.spines["left"].set_visible(False)
        left.set_title("The widths")
        bars = left.bar(range(13), np.ones(13), bottom=-0.5, width=0.7, color=figures.GRAY)
        right.set(xlim=(-0.3, 12.3), ylim=(1e-2, 1e2), yscale="log")
        right.set(xlabel="layer", ylabel="variance (log scale)")
        right.set_title("Dotted: expected. Marks: measured")
        style = dict(lw=1.2, ls=":")
        right.text(12.3, 55, "forward ●", color=figures.BLUE, fontsize=9, ha="right")
        right.text(12.3, 28, "backward ▲", color=figures.VERMILLION, fontsize=9, ha="right")
        return {
            "bars": list(bars),
            "ends": [left.text(0, 0, "", fontsize=9, ha="center", va="bottom") for _ in range(2)],
            "expected": right.plot([], [], color=figures.BLUE, **style)[0],
            "back": right.plot([], [], color=figures.VERMILLION, **style)[0],
            "forward": right.plot([], [], "o", color=figures.BLUE, ms=5)[0],
            "backward": right.plot([], [], "^", color=figures.VERMILLION, ms=5)[0],
        }

    def draw(artists, r):
        widths = r["widths"]
        for i, bar in enumerate(artists["bars"]):
            size = widths[i] if i < len(widths) else 0
            bar.set(y=-size / 2, height=size)
        for text, i in zip(artists["ends"], (0, len(widths) - 1)):
            text.set_position((i, widths[i] / 2 + 4))
            text.set_text(str(widths[i]))
        for name in ("forward", "backward", "expected", "back"):
            artists[name].set_data(range(len(widths)), np.clip(r[name], 1e-2, 1e2))

    def note(values, r):
        ratio = values["last"] / values["first"]
        return (
            f"expected: forward × {r['expected'][-1]:.3g}, backward × {r['back'][0]:.3g}; "
            f"backward ÷ forward = last ÷ first width = {ratio:.3g}, whatever the scale"
        )

    return Explorer(
        "Two wishes, one scale",
        dict(
            first=IntSlider(16, 256, 256, "first width"),
            last=IntSlider(16, 256, 16, "last width"),
            depth=IntSlider(1, 12, 8, "layers"),
            mode=Choice(MODES, "fan_in", "weights' variance from"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "from 256 to 16 inputs: let neither direction grow or shrink by more than 5 times",
            lambda v, r: (
                (v["first"], v["last"]) == (256, 16)
                and max(abs(np.log([r["expected"][-1], r["back"][0]]))) < np.log(5)
            ),
        ),
        code={"numpy": _COMPROMISE_DRAWN + _COMPROMISE_NUMPY, "torch": _COMPROMISE_DRAWN + _COMPROMISE_TORCH},
        answer=lambda r: r["backward"][0],
    )


_COMPROMISE_DRAWN = """\
import numpy as np

rng = np.random.default_rng($seed)
widths = np.geomspace($first, $last, $depth + 1).round().astype(int)
x, grad = rng.standard_normal((64, $first)), rng.standard_normal((64, $last))
weights = []
for fan_in, fan_out in zip(widths, widths[1:]):
    variance = {"fan_in": 1 / fan_in, "Xavier": 2 / (fan_in + fan_out), "fan_out": 1 / fan_out}[$mode]
    weights.append(variance**0.5 * rng.standard_normal((fan_out, fan_in)))
"""

_COMPROMISE_NUMPY = """
for weight in reversed(weights):
    grad = grad @ weight

answer = grad.var()
"""

_COMPROMISE_TORCH = """
import torch

x = torch.from_numpy(x).requires_grad_()
h = x
for weight in weights:
    h = torch.nn.functional.linear(h, torch.from_numpy(weight))
h.backward(torch.from_numpy(grad))

answer = x.grad.var(correction=0)
"""


# ---------------------------------------------------------------------------- the start of a training

MAKE = {"tanh": Tanh, "ReLU": ReLU, "sigmoid": Sigmoid}
HIDDEN = 32


@cache
def _digits():
    return tuple(data.digits(np.float32))


def training():
    """A short training on digits from the start that you choose."""
    low, high = 0.02, 10

    def compute(activation, scheme, gain, depth, lr, seed):
        x, y, x_test, y_test = _digits()
        rng = np.random.default_rng(seed)
        layers = [Linear(64, HIDDEN, rng=rng), MAKE[activation]()]
        for _ in range(depth - 1):
            layers += [Linear(HIDDEN, HIDDEN, rng=rng), MAKE[activation]()]
        model = Sequential(*layers, Linear(HIDDEN, 10, rng=rng))
        for layer in model.layers[::2]:
            shape = layer.params["weight"].shape
            u, z = rng.random(shape), rng.standard_normal(shape)
            layer.params["weight"][...] = gain * weight_of(scheme, u, z)
            layer.params["bias"][...] = 0
        h, sizes = x[:256], []
        for layer in model.layers[:-1]:
            h = layer.forward(h)
            if type(layer) is MAKE[activation]:
                sizes.append(float(h.std()))
        options = dict(lr=lr, epochs=4, batch_size=64, rng=rng, every=8)
        history = fit(model, x, y, validation=(x_test, y_test), **options)
        return dict(history=history, sizes=np.array(sizes))

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(0.5, 8.5), ylim=(1e-6, 1e3), yscale="log")
        left.set(xlabel="hidden layer", ylabel="deviation (log, cut at 10⁻⁶)")
        left.set_title("Activations before the first step")
        left.axhline(1, color=figures.GRAY, lw=0.8, ls=":")
        right.set(xlim=(0, 80), ylim=(low, high), yscale="log")
        right.set(xlabel="steps of training", ylabel="loss (log scale)")
        right.set_title("What comes of it")
        right.axhline(np.log(10), color=figures.GRAY, lw=0.8, ls=":")
        right.text(79, np.log(10) * 1.14, "guessing", color=figures.GRAY, fontsize=8, ha="right", va="bottom")
        return {
            "sizes": left.plot([], [], "o-", color=figures.BLUE, ms=4)[0],
            "train": right.plot([], [], color=figures.BLUE)[0],
            "test": right.plot([], [], color=figures.VERMILLION, ls="--")[0],
            "verdict": right.text(2, 0.026, "", fontsize=10, weight="bold"),
            "names": [
                right.text(79, at, name, color=color, fontsize=9, ha="right", va="center")
                for at, name, color in ((7.5, "train —", figures.BLUE), (5.5, "test - -", figures.VERMILLION))
            ],
        }

    def draw(artists, r):
        h = r["history"]
        artists["sizes"].set_data(1 + np.arange(len(r["sizes"])), np.clip(r["sizes"], 1e-6, 1e3))
        for name, values in (("train", h.loss), ("test", h.validation_loss)):
            artists[name].set_data(h.step, np.clip(np.nan_to_num(values, nan=high), low, high))
        stopped = h.diverged_at is not None
        right = 100 * h.validation_accuracy[-1]
        verdict = f"diverged at step {h.diverged_at}" if stopped else f"{right:.0f} % of test right"
        artists["verdict"].set_text(verdict)

    def note(values, r):
        h = r["history"]
        if h.diverged_at is not None:
            return f"train loss {h.loss[0]:.3g} at the start, diverged at step {h.diverged_at}"
        right = 100 * h.validation_accuracy[-1]
        return f"train loss {h.loss[0]:.2f} → {h.loss[-1]:.2f}, test accuracy {right:.1f} %"

    return Explorer(
        "The start decides: 80 steps on digits",
        dict(
            activation=Choice(tuple(MAKE), "tanh", "activation"),
            scheme=Choice(SCHEMES, "nn.Linear's", "weights"),
            gain=LogSlider(0.25, 4, 1.0, "times a gain of"),
            depth=IntSlider(1, 8, 5, "hidden layers"),
            lr=LogSlider(0.01, 1, 0.1, "learning rate"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "six hidden layers or more, and over 85 % of the test digits right after 80 steps",
            lambda v, r: v["depth"] >= 6 and r["history"].validation_accuracy[-1] > 0.85,
        ),
        code={"numpy": _TRAINING_DRAWN + _TRAINING_NUMPY, "torch": _TRAINING_DRAWN + _TRAINING_TORCH},
        answer=lambda r: r["history"].validation_loss[-1],
    )


_TRAINING_DRAWN = """\
import numpy as np
from nnlib import data

x, y, x_test, y_test = data.digits(np.float32)
rng = np.random.default_rng($seed)
sizes = (64, *[32] * $depth, 10)
for i, o in zip(sizes, sizes[1:]):         # what a Linear draws and this start replaces
    rng.uniform(size=(o, i)), rng.uniform(size=o)

def draw(o, i):
    u, z = rng.random((o, i)), rng.standard_normal((o, i))
    if $scheme == "nn.Linear's":
        return (2 * u - 1) / i**0.5
    if $scheme == "orthogonal":
        q, r = np.linalg.qr(z.T if o < i else z)
        q = q * np.sign(np.diag(r))
        return q.T if o < i else q
    scales = {"normal, 0.01": 0.01, "normal, 1": 1, "Xavier": (2 / (i + o)) ** 0.5, "He": (2 / i) ** 0.5}
    return scales[$scheme] * z

weights = [($gain * draw(o, i)).astype(np.float32) for i, o in zip(sizes, sizes[1:])]
biases = [np.zeros(o, np.float32) for o in sizes[1:]]
"""

_TRAINING_NUMPY = """
f, slope = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda h: h > 0),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(z / 2), lambda h: h * (1 - h)),
}[$activation]

def forward(x):
    h = [x]
    for weight, bias in zip(weights[:-1], biases[:-1]):
        h.append(f(h[-1] @ weight.T + bias))
    return h, h[-1] @ weights[-1].T + biases[-1]

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

for epoch in range(4):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 64):
        rows = order[start : start + 64]
        h, z = forward(x[rows])
        grad = np.exp(log_softmax(z))
        grad[np.arange(len(rows)), y[rows]] -= 1
        grad /= len(rows)
        for k in range($depth, -1, -1):
            grad_weight, grad_bias = grad.T @ h[k], grad.sum(axis=0)
            grad = grad @ weights[k] * (slope(h[k]) if k else 1)
            weights[k] -= np.float32($lr) * grad_weight
            biases[k] -= np.float32($lr) * grad_bias

answer = -log_softmax(forward(x_test)[1])[np.arange(len(y_test)), y_test].mean()
"""

_TRAINING_TORCH = """
import torch
from torch import nn

activation = {"tanh": nn.Tanh, "ReLU": nn.ReLU, "sigmoid": nn.Sigmoid}[$activation]
layers = []
for weight, bias in zip(weights, biases):
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data, linear.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    layers += [linear, activation()]
model = nn.Sequential(*layers[:-1])
optimizer, loss = torch.optim.SGD(model.parameters(), lr=$lr), nn.CrossEntropyLoss()

x, y = torch.from_numpy(x), torch.from_numpy(y).long()
for epoch in range(4):
    for rows in torch.from_numpy(rng.permutation(len(x))).split(64):
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()

with torch.no_grad():
    answer = loss(model(torch.from_numpy(x_test)), torch.from_numpy(y_test).long())
"""


# -------------------------------------------------------------------------------------- residual branches

BLOCKS = 40


@lru_cache(4)
def _blocks(seed):
    rng = np.random.default_rng(seed)
    x, grad = rng.standard_normal((2, N, WIDTH))
    weights = rng.standard_normal((BLOCKS, 2, WIDTH, WIDTH)) / sqrt(WIDTH)
    weights[:, 0] *= sqrt(2)  # for the ReLU behind it; there is none behind the second
    return x, grad, weights


def residual():
    """Blocks of linear, ReLU, linear around which a shortcut leads: how loud may the branches begin?"""
    low, high = 1e-6, 1e9

    def compute(shortcut, scale, blocks, seed):
        x, grad, weights = _blocks(seed)
        h, kept, forward = x, [], [x.std()]
        for first, second in weights[:blocks]:
            hidden = np.maximum(h @ first.T, 0)
            h = h * shortcut + scale * (hidden @ second.T)
            kept.append(hidden > 0)
            forward.append(h.std())
        backward = [grad.std()]
        for (first, second), alive in zip(weights[blocks - 1 :: -1], reversed(kept)):
            grad = grad * shortcut + scale * ((grad @ second) * alive) @ first
            backward.append(grad.std())
        sizes = dict(forward=np.array(forward), backward=np.array(backward[::-1]))
        return sizes | dict(scale=scale, shortcut=shortcut)

    def setup(fig):
        ax = figures.axes(fig)
        ax.set(xlim=(-0.5, BLOCKS + 0.5), ylim=(low, high), yscale="log", xlabel="block")
        ax.set_ylabel("standard deviation (log, cut at 10⁻⁶)")
        ax.set_title("Expected, dotted", loc="left")  # draw completes it
        ax.text(BLOCKS, 1e8, "signal ●", color=figures.BLUE, fontsize=9, ha="right")
        ax.text(BLOCKS, 1e7, "gradient ▲", color=figures.VERMILLION, fontsize=9, ha="right")
        return {
            "theory": ax.plot([], [], ":", color=figures.GRAY, lw=1.2)[0],
            "forward": ax.plot([], [], "o-", color=figures.BLUE, ms=3, lw=1)[0],
            "backward": ax.plot([], [], "^--", color=figures.VERMILLION, ms=3, lw=1)[0],
        }

    def draw(artists, r):
        blocks = np.arange(len(r["forward"]))
        per_block = r["shortcut"] + r["scale"] ** 2
        factor = "√(1 + scale²)" if r["shortcut"] else "scale"
        title = f"Expected, dotted: each block multiplies by {factor}"
        artists["theory"].axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        artists["theory"].set_data(blocks, np.clip(per_block ** (blocks / 2), low, high))
        for name in ("forward", "backward"):
            artists[name].set_data(blocks, np.clip(r[name], low, high))

    def note(values, r):
        there, back = r["forward"][-1] / r["forward"][0], r["backward"][0] / r["backward"][-1]
        there, back = (f"{v:,.0f}" if v >= 100 else f"{v:.2g}" for v in (there, back))
        return f"to the other end: the signal × {there}, the gradient, on its way back, × {back}"

    return Explorer(
        "How loud may a residual branch begin?",
        dict(
            shortcut=Toggle(True, "shortcut"),
            scale=Slider(0, 1, 1.0, "scale of each branch's last layer", 0.01),
            blocks=IntSlider(1, BLOCKS, 20, "blocks"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "40 blocks with a shortcut, branches that are not silent, and no growth beyond 3 times",
            lambda v, r: (
                v["blocks"] == BLOCKS
                and v["shortcut"]
                and v["scale"] > 0
                and max(r["forward"].max(), r["backward"].max()) < 3
            ),
        ),
        code={"numpy": _RESIDUAL_DRAWN + _RESIDUAL_NUMPY, "torch": _RESIDUAL_DRAWN + _RESIDUAL_TORCH},
        answer=lambda r: r["backward"][0],
    )


_RESIDUAL_DRAWN = """\
import numpy as np

n = 100
rng = np.random.default_rng($seed)
x, grad = rng.standard_normal((2, n, n))
weights = rng.standard_normal(($blocks, 2, n, n)) / n**0.5
weights[:, 0] *= 2**0.5                     # for the ReLU behind it; there is none behind the second
"""

_RESIDUAL_NUMPY = """
h, kept = x, []
for first, second in weights:
    hidden = np.maximum(h @ first.T, 0)
    h = h * $shortcut + $scale * hidden @ second.T
    kept.append(hidden > 0)
for (first, second), alive in zip(weights[::-1], kept[::-1]):
    grad = grad * $shortcut + $scale * (grad @ second * alive) @ first

answer = grad.std()
"""

_RESIDUAL_TORCH = """
import torch

x = torch.from_numpy(x).requires_grad_()
h = x
for first, second in torch.from_numpy(weights):
    h = h * $shortcut + $scale * torch.relu(h @ first.T) @ second.T
h.backward(torch.from_numpy(grad))

answer = x.grad.std(correction=0)
"""
