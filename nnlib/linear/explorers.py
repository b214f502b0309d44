"""What the learner turns: a network retrained while a slider moves (00), and signals on their way (03)."""

from functools import cache

import numpy as np
from contourpy import contour_generator
from matplotlib.collections import LineCollection

from nnlib import data, figures
from nnlib.activations.in_numpy import sigmoid
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.layers import Layer, Linear, ReLU, Sequential, Sigmoid, Tanh, fit, train
from nnlib.linear.experiments import INSIDE, best_outputs, random_units, wave
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, mse_loss
from nnlib.optimizers.in_numpy import adam

COIN = np.log(2)  # the loss of answering one half to everything
REACH, GRID = 1.35, 72  # the square that is drawn, or more to show every point, and its points a side
LINE = np.linspace(-REACH, REACH, GRID)
PLANE = figures.plane(-REACH, REACH, GRID).astype(np.float32)
DARK = "#333333"


def network(width, layers, activation, rng):
    """2 inputs, `layers` hidden layers of `width` units, 1 output: above 0 it says class 1."""
    sizes = [2] + [width] * layers
    hidden = [part for i, o in zip(sizes, sizes[1:]) for part in (Linear(i, o, rng=rng), activation())]
    return Sequential(*hidden, Linear(sizes[-1], 1, rng=rng))


def halves(x, y):
    """The points to train on and those held out, with targets as a column of 0.0 and 1.0."""
    n, column = len(x) // 2, y[:, None].astype(float)
    return (x[:n], column[:n]), (x[n:], column[n:])


def snapshot(model, training, held_out, history, caption=""):
    """All that a picture shows: the outputs in the whole square, the points, the losses so far."""
    x, y = held_out
    wrong = (model(x) > 0)[:, 0] != (y[:, 0] == 1)
    reach = max(REACH, 1.05 * max(np.abs(x).max(), np.abs(training[0]).max()))
    loss = np.array(history.loss)
    good = loss <= 1.2 * COIN  # False for NaN
    diverged = f"diverged by step {history.step[np.argmin(good)]}\nand ends with a loss of {loss[-1]:.2g}"
    return dict(
        reach=reach,
        output=np.nan_to_num(model(PLANE * np.float32(reach / REACH))).reshape(GRID, GRID),
        points=(training[0], training[1][:, 0]),
        wrong=x[wrong],
        accuracy=1 - wrong.mean(),
        step=history.step,
        loss=loss,
        held_out=history.validation_loss,
        caption=caption,
        shown=len(good) if good[-1] else np.argmin(good),
        diverged="" if good[-1] else diverged,
    )


def screen(fig, steps):
    """On the left the square with what the network answers, on the right its losses."""
    left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.12))
    left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    left.set(xlabel="input 1", ylabel="input 2", title="What it answers, everywhere")
    right.set(xlim=(0, steps), ylim=(0, 1.1), xlabel="training steps", ylabel="loss (cross-entropy)")
    right.set_title("How wrong it is, step by step")
    right.axhline(COIN, color=figures.GRAY, lw=1, ls=":")
    lines = {
        "loss": right.plot([], [], color=figures.ROLES["train"], label="training points")[0],
        "held_out": right.plot([], [], color=figures.ROLES["validation"], ls="--", label="held-out points")[
            0
        ],
    }
    style = dict(s=26, linewidths=0.6, edgecolors="white", zorder=3)
    paper = dict(facecolor="white", edgecolor="none", alpha=0.8)  # behind words that a line may cross
    bold = dict(color=DARK, fontweight="bold", zorder=5, bbox=paper | dict(pad=1))
    quiet = dict(color=figures.GRAY, fontsize=9, zorder=5, bbox=paper | dict(pad=0.5))
    legend = right.legend(loc="upper left", handlelength=2.6, frameon=True, edgecolor="none")
    legend.set_zorder(5)
    return lines | {
        "words": [
            legend,
            right.text(steps / 80, COIN + 0.012, "a coin flip", va="bottom", **quiet),
            right.text(steps, 0.83, "of the held-out points right", ha="right", **quiet),
        ],
        "surface": figures.surface(left, np.zeros(GRID**2), -REACH, REACH),
        "edge": left.add_collection(LineCollection([], colors=DARK, linewidths=1.5, zorder=2)),
        "points": [
            left.scatter([], [], color=color, marker=marker, **style)
            for color, marker in ((figures.VERMILLION, "^"), (figures.BLUE, "o"))
        ],
        "wrong": left.scatter([], [], s=52, facecolors="none", edgecolors="black", linewidths=0.9, zorder=4),
        "accuracy": right.text(steps, 0.9, "", ha="right", fontsize=30, **bold),
        "caption": right.text(steps, 0.765, "", ha="right", va="center", fontsize=9, **bold),
        "diverged": right.text(
            steps / 2,
            0.36,
            "",
            ha="center",
            va="center",
            fontsize=13,
            color=figures.VERMILLION,
            fontweight="bold",
        ),
    }


def draw(artists, r):
    reach, line = r["reach"], LINE * (r["reach"] / REACH)
    artists["surface"].set_data(sigmoid.unchecked(r["output"]))
    artists["surface"].set_extent((-reach, reach, -reach, reach))
    artists["surface"].axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    artists["edge"].set_segments(contour_generator(line, line, r["output"]).lines(0))
    x, y = r["points"]
    for label, artist in enumerate(artists["points"]):
        artist.set_offsets(x[y == label])
    artists["wrong"].set_offsets(r["wrong"])
    shown = slice(r["shown"])
    artists["loss"].set_data(r["step"][shown], r["loss"][shown])
    artists["held_out"].set_data(r["step"][shown], r["held_out"][shown])
    artists["accuracy"].set_text(f"{int(100 * r['accuracy'] + 1e-9)} %")  # down, but not from 57 to 56
    artists["caption"].set_text(r["caption"])
    artists["diverged"].set_text(r["diverged"])


# ------------------------------------------------------------------------------------------- playground

STEPS, POINTS = 400, 200  # full-batch steps, and points to train on
ACTIVATIONS = {"tanh": Tanh, "relu": ReLU}


def playground():
    """A network trained from scratch at every move: which learning rate separates the spirals?"""

    def compute(lr, kind, width, layers, activation, noise, seed):
        rng = np.random.default_rng(seed)
        options = {"turns": 1.5} if kind == "spirals" else {}
        training, held_out = halves(*getattr(data, kind)(2 * POINTS, noise, rng, **options))
        model = network(width, layers, ACTIVATIONS[activation], rng)
        loss = binary_cross_entropy_with_logits
        how = dict(lr=lr, momentum=0.9, epochs=STEPS, every=10, loss=loss, validation=held_out)
        return snapshot(model, training, held_out, fit(model, *training, **how))

    return Explorer(
        "A network, trained from scratch while you drag",
        dict(
            lr=LogSlider(1e-3, 10, 0.1, "learning rate"),
            kind=Choice(("spirals", "moons", "circles", "xor", "blobs"), "spirals", "points"),
            layers=IntSlider(0, 3, 2, "hidden layers"),
            width=Choice((2, 4, 8, 16, 32), 16, "units in each"),
            activation=Choice(tuple(ACTIVATIONS), "tanh", "activation"),
            noise=Slider(0, 0.3, 0.03, "noise", step=0.01),
            seed=Seed(),
        ),
        lambda fig: screen(fig, STEPS),
        draw,
        compute=compute,
        size=(9, 4),
        note=lambda values, r: (
            f"{100 * r['accuracy']:.1f} % of {POINTS} held-out points right; a ring marks each wrong one"
        ),
        goal=Goal(
            "98 % of the held-out points of the spirals",
            lambda values, r: values["kind"] == "spirals" and r["accuracy"] >= 0.98,
        ),
        code={"numpy": _POINTS + _NUMPY, "torch": _POINTS + _TORCH},
        answer=lambda r: r["accuracy"],
    )


_POINTS = """
import numpy as np
from nnlib import data

rng = np.random.default_rng($seed)
options = {"turns": 1.5} if $kind == "spirals" else {}
x, y = getattr(data, $kind)(400, $noise, rng, **options)         # 200 to train on, 200 held out

sizes = [2] + [$width] * $layers + [1]
weights, biases = [], []
for n_in, n_out in zip(sizes, sizes[1:]):
    bound = 1 / np.sqrt(n_in)
    weights.append(rng.uniform(-bound, bound, (n_out, n_in)))
    biases.append(rng.uniform(-bound, bound, n_out))
"""

_NUMPY = """
activation, slope = {                                            # the slope, from the output h
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
}[$activation]


def forward(x):
    outputs = [x]                                                # of each layer, remembered for backward
    for weight, bias in zip(weights[:-1], biases[:-1]):
        outputs.append(activation(outputs[-1] @ weight.T + bias))
    return outputs, (outputs[-1] @ weights[-1].T + biases[-1])[:, 0]


velocity = [0.0] * len(weights), [0.0] * len(weights)
for step in range(400):
    outputs, z = forward(x[:200])
    p = (1 + np.tanh(z / 2)) / 2                                 # the sigmoid, safe for any z
    grad = (p - y[:200])[:, None] / 200                          # of the loss, for z
    for i in reversed(range(len(weights))):
        gradients = grad.T @ outputs[i], grad.sum(axis=0)
        grad = grad @ weights[i] * slope(outputs[i])
        for parameters, v, gradient in zip((weights, biases), velocity, gradients):
            v[i] = 0.9 * v[i] + gradient
            parameters[i] = parameters[i] - $lr * v[i]

answer = ((forward(x[200:])[1] > 0) == y[200:]).mean()
"""

_TORCH = """
import torch
from torch import nn

layers = []
for weight, bias in zip(weights, biases):
    linear = nn.Linear(*weight.T.shape).double()
    linear.weight.data, linear.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    layers += [linear, {"tanh": nn.Tanh, "relu": nn.ReLU}[$activation]()]
model = nn.Sequential(*layers[:-1])                              # no activation after the last layer

x, y = torch.from_numpy(x), torch.from_numpy(y).double()
optimizer = torch.optim.SGD(model.parameters(), lr=$lr, momentum=0.9)
for step in range(400):
    optimizer.zero_grad()
    z = model(x[:200])[:, 0]
    nn.functional.binary_cross_entropy_with_logits(z, y[:200]).backward()
    optimizer.step()

answer = float(((model(x[200:])[:, 0] > 0) == y[200:]).double().mean())
"""


# ---------------------------------------------------------------------------------------- live training

LIVE_STEPS, LIVE_POINTS = 7500, 300


def live_training():
    """Longer spirals, a larger network, small batches: a training to watch and to stop."""

    def film(turns, lr, batch_size, width, seed):
        rng = np.random.default_rng(seed)
        training, held_out = halves(*data.spirals(2 * LIVE_POINTS, 0.02, rng, turns=turns))
        model = network(width, 3, Tanh, rng)
        how = dict(lr=lr, momentum=0.9, batch_size=batch_size, rng=rng, every=10, validation=held_out)
        how |= dict(epochs=LIVE_STEPS * batch_size // LIVE_POINTS, loss=binary_cross_entropy_with_logits)
        reached = None
        for history in train(model, *training, **how):
            step = history.step[-1]
            caption = f"step {step:,}: learning rate {lr:.3g}, {batch_size} points each"
            result = snapshot(model, training, held_out, history, caption)
            if reached is None and result["accuracy"] >= 0.98:
                reached = step
            yield step / LIVE_STEPS, result | {"reached": reached}

    def note(values, r):
        right = f"step {r['step'][-1]:,}: {100 * r['accuracy']:.1f} % of {LIVE_POINTS} held-out points right"
        return right if r["reached"] is None else f"{right}, 98 % at step {r['reached']:,}"

    return Explorer(
        "A network while it trains",
        dict(
            turns=Slider(0.5, 2.5, 2.0, "turns of the spirals", step=0.1),
            lr=LogSlider(1e-3, 1, 0.03, "learning rate"),
            batch_size=Choice((10, 25, 50, 100, 300), 25, "points per step"),
            width=Choice((8, 16, 32, 64), 32, "units in each of 3 layers"),
            seed=Seed(),
        ),
        lambda fig: screen(fig, LIVE_STEPS),
        draw,
        train=film,
        size=(9, 4),
        note=note,
        goal=Goal(
            "98 % of the held-out points within 3,000 steps, with 2 turns or more",
            lambda values, r: values["turns"] >= 2 and r["reached"] is not None and r["reached"] <= 3000,
        ),
    )


# ------------------------------------------------------------------------------------ width against fit

TARGETS = {
    "sin(3x)·|x|": wave,
    "|x|": np.abs,
    "a step": lambda x: np.where(x > 0.5, 2.0, -1.0),
    "sin(x)": np.sin,
}
BENDS = {  # what a unit does, and the layer that does it in training
    "tanh": (np.tanh, Tanh),
    "sigmoid": (sigmoid.unchecked, Sigmoid),
    "relu": (lambda z: np.maximum(z, 0), ReLU),
    "x²": (np.square, lambda: Layer(np.square, lambda g, x: 2 * g * x)),
    "x³": (lambda z: z * z * z, lambda: Layer(lambda z: z * z * z, lambda g, x: 3 * g * x * x)),
    "none": (np.positive, lambda: Layer(np.positive, lambda g, x: g)),
}
METHODS = ("random units, best output weights", "all weights trained")
WIDTHS = (1, 2, 4, 8, 16, 32, 64)
AROUND = np.linspace(-1.5 * np.pi, 1.5 * np.pi, 301)


def trained_units(bend, width, steps, rng, x, y):
    """The same random units, then everything trained together on every fourth point."""
    start = 2 * rng.normal(size=width), rng.uniform(-6, 6, width), np.zeros(width + 1)
    first, last = (Linear(i, o, rng=rng, dtype=np.float64) for i, o in ((1, width), (width, 1)))
    model = Sequential(first, BENDS[bend][1](), last)
    model.params[:] = np.concatenate(start)
    if steps:
        fit(model, x[::4, None], y[::4, None], lr=0.03, epochs=steps, loss=mse_loss, optimizer=adam)
    return lambda x: model(x[:, None])[:, 0]


def approximation():
    """How many units does it take? Random ones with the best output weights, or all weights trained."""

    def compute(target, bend, width, method, steps, seed):
        f, y = BENDS[bend][0], TARGETS[target](INSIDE)

        def drawn(n):
            return best_outputs(random_units(f, n, np.random.default_rng(seed)), INSIDE, y)

        def error(network):
            return np.sqrt(np.mean((network(INSIDE) - y) ** 2))

        if method == METHODS[0]:
            network = drawn(width)
        else:
            network = trained_units(bend, width, steps, np.random.default_rng(seed), INSIDE, y)
        return dict(
            y=TARGETS[target](AROUND),
            fitted=network(AROUND),
            width=width,
            error=error(network),
            errors=[error(drawn(n)) for n in WIDTHS],
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.5, 1))
        left.set(xlim=AROUND[[0, -1]], ylim=(-4.6, 4.6), xlabel="input", ylabel="output")
        left.set_xticks([-np.pi, 0, np.pi], ["−π", "0", "π"])
        left.set_title("Fitted between the gray bands, on its own inside them")
        for low, high in ((AROUND[0], -np.pi), (np.pi, AROUND[-1])):
            left.axvspan(low, high, color="#EEEEEE", lw=0)
        right.set(xscale="log", yscale="log", xlim=(0.85, 75), ylim=(1e-5, 10))
        right.set(xlabel="hidden units", ylabel="error (root mean square)", title="Error against width")
        right.set_xticks(WIDTHS, WIDTHS)
        right.minorticks_off()
        right.text(0.95, 1.5e-5, "gray: random units,\nbest output weights", color=figures.GRAY, fontsize=9)
        blue, orange = figures.BLUE, figures.VERMILLION
        return {
            "y": left.plot(AROUND, 0 * AROUND, color=blue, label="target")[0],
            "fitted": left.plot(AROUND, 0 * AROUND, color=orange, ls="--", label="network", zorder=3)[0],
            "legend": left.legend(loc="upper center", ncols=2),
            "errors": right.plot(WIDTHS, [1] * 7, "o-", color=figures.GRAY, ms=4, lw=1.2)[0],
            "now": right.plot([1], [1], "D", color=orange, ms=9)[0],
        }

    def draw(artists, r):
        artists["y"].set_ydata(r["y"])
        artists["fitted"].set_ydata(np.clip(r["fitted"], -9, 9))
        artists["errors"].set_ydata(np.maximum(r["errors"], 1.3e-5))
        artists["now"].set_data([r["width"]], [np.clip(r["error"], 1.3e-5, 8)])

    return Explorer(
        "How many units does a function take?",
        dict(
            target=Choice(tuple(TARGETS), "sin(3x)·|x|", "target"),
            bend=Choice(tuple(BENDS), "tanh", "activation"),
            width=IntSlider(1, 64, 6, "hidden units"),
            method=Choice(METHODS, METHODS[0], "weights"),
            steps=IntSlider(0, 500, 300, "training steps"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            f"error {r['error']:.2g} with {values['width']} units and {3 * values['width'] + 1} parameters"
        ),
        idle=lambda values: {"steps"} if values["method"] == METHODS[0] else set(),
        goal=Goal(
            "sin(3x)·|x| with an error below 0.01 and at most 24 units",
            lambda values, r: (
                values["target"] == "sin(3x)·|x|" and values["width"] <= 24 and r["error"] < 0.01
            ),
        ),
        code={"numpy": _APPROXIMATE + _FIT_NUMPY, "torch": _APPROXIMATE + _FIT_TORCH},
        answer=lambda r: r["error"],
    )


_APPROXIMATE = """
import numpy as np

x = np.linspace(-np.pi, np.pi, 400)
y = {
    "sin(3x)·|x|": np.sin(3 * x) * np.abs(x),
    "|x|": np.abs(x),
    "a step": np.where(x > 0.5, 2.0, -1.0),
    "sin(x)": np.sin(x),
}[$target]
rng = np.random.default_rng($seed)
"""

_FIT_NUMPY = """
f, slope = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (lambda z: (1 + np.tanh(z / 2)) / 2, lambda z: (1 - np.tanh(z / 2) ** 2) / 4),
    "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
    "x²": (lambda z: z**2, lambda z: 2 * z),
    "x³": (lambda z: z**3, lambda z: 3 * z**2),
    "none": (lambda z: z, lambda z: np.ones_like(z)),
}[$bend]
if $method == "random units, best output weights":
    w, b = 2 * rng.normal(size=$width), rng.uniform(-6, 6, $width)
    h = np.column_stack([f(np.outer(x, w) + b), np.ones(400)])
    fitted = h @ np.linalg.lstsq(h, y, rcond=1e-10)[0]
else:
    params = [2 * rng.normal(size=$width), rng.uniform(-6, 6, $width), np.zeros($width), np.zeros(1)]
    m, s = [0.0] * 4, [0.0] * 4
    for t in range(1, $steps + 1):                                  # Adam on every fourth point
        w, b, v, c = params
        z = np.outer(x[::4], w) + b
        d = 2 * (f(z) @ v + c - y[::4]) / 100
        dz = np.outer(d, v) * slope(z)
        for i, g in enumerate([x[::4] @ dz, dz.sum(axis=0), f(z).T @ d, d.sum(keepdims=True)]):
            m[i], s[i] = 0.9 * m[i] + 0.1 * g, 0.999 * s[i] + 0.001 * g * g
            step = m[i] / (1 - 0.9**t) / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
            params[i] = params[i] - 0.03 * step
    w, b, v, c = params
    fitted = f(np.outer(x, w) + b) @ v + c
answer = np.sqrt(np.mean((fitted - y) ** 2))
"""

_FIT_TORCH = """
import torch

f = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "x²": torch.square,
    "x³": lambda z: z**3,
    "none": lambda z: z,
}[$bend]
x, y = torch.from_numpy(x), torch.from_numpy(y)
if $method == "random units, best output weights":
    w, b = torch.from_numpy(2 * rng.normal(size=$width)), torch.from_numpy(rng.uniform(-6, 6, $width))
    h = torch.cat([f(torch.outer(x, w) + b), torch.ones(400, 1, dtype=x.dtype)], dim=1)
    fitted = h @ torch.linalg.lstsq(h, y[:, None], rcond=1e-10, driver="gelsd").solution
else:
    start = 2 * rng.normal(size=$width), rng.uniform(-6, 6, $width), np.zeros($width), np.zeros(1)
    w, b, v, c = params = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = torch.optim.Adam(params, lr=0.03)
    for step in range($steps):
        optimizer.zero_grad()
        fitted = f(torch.outer(x[::4], w) + b) @ v + c
        torch.nn.functional.mse_loss(fitted, y[::4]).backward()
        optimizer.step()
    fitted = (f(torch.outer(x, w) + b) @ v + c).detach()
answer = float((fitted.ravel() - y).square().mean().sqrt())
"""


# ------------------------------------------------------------------------- one point, from layer to layer

UNITS = 6
COLUMNS = (2, UNITS, UNITS, 1)
LAYERS = ("first hidden layer", "second hidden layer", "output")


@cache
def trained_2_6_6_1(kind, activation, seed):
    """Weights and biases, layer by layer, after training on 200 points."""
    rng = np.random.default_rng(seed)
    x, y = getattr(data, kind)(200, 0.05, rng)
    model = network(UNITS, 2, ACTIVATIONS[activation], rng)
    fit(model, x, y[:, None] * 1.0, lr=0.2, momentum=0.9, epochs=300, loss=binary_cross_entropy_with_logits)
    return [tuple(p.astype(float) for p in layer.params.values()) for layer in model.layers if layer.params]


def signals(x, layers, activation):
    """What each layer passes on: the inputs, the hidden units, the probability of class 1."""
    f, values = BENDS[activation][0], [x]
    for weight, bias in layers[:-1]:
        values.append(f(values[-1] @ weight.T + bias))
    weight, bias = layers[-1]
    return [*values, sigmoid.unchecked(values[-1] @ weight.T + bias)]


def signal():
    """A point goes through 2-6-6-1: what every unit passes on, and what one of them answers elsewhere."""
    places = [
        [(column, (k - (n - 1) / 2) * 6 / (n + 1)) for k in range(n)] for column, n in enumerate(COLUMNS)
    ]
    ends = [[(a, b) for b in here for a in before] for before, here in zip(places, places[1:])]

    def compute(x1, x2, kind, activation, layer, unit, seed):
        layers, point = trained_2_6_6_1(kind, activation, seed), np.array([x1, x2])
        values, depth = signals(point, layers, activation), LAYERS.index(layer) + 1
        chosen = unit - 1 if layer != "output" else 0
        plane = signals(PLANE, layers, activation)[depth][:, chosen]
        largest = np.abs(plane).max() or 1  # a ReLU unit may be silent everywhere
        x, y = getattr(data, kind)(200, 0.05, np.random.default_rng(seed))
        return dict(
            point=point,
            points=(x, y),
            values=values,
            parts=[(weight * value).ravel() for (weight, _), value in zip(layers, values)],
            plane=plane if layer == "output" else 0.5 + 0.3 * plane / largest,
            colors=figures.BOUNDARY if layer == "output" else "PuOr_r",  # probabilities, or signs as right
            chosen=places[depth][chosen],
            probability=float(values[-1][0]),
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.6))
        left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        left.set(xlabel="input 1", ylabel="input 2", aspect="equal", title="The ringed unit's answers")
        right.set(xlim=(-0.35, 3.35), ylim=(3.2, -3.6), yticks=[])
        right.set_xticks(range(4), ["inputs", "hidden 1", "hidden 2", "probability"])
        right.spines[["left", "bottom"]].set_visible(False)
        right.tick_params(length=0)
        right.set_title("The point on its way: purple below 0, orange above")
        spots = np.array([place for column in places for place in column])
        style = dict(s=14, linewidths=0.4, edgecolors="white", zorder=2)
        node = dict(s=560, cmap="PuOr_r", vmin=-1.6, vmax=1.6, edgecolors="#888888", zorder=2)
        middle = dict(ha="center", va="center", fontsize=8, zorder=4)
        return {
            "plane": figures.surface(left, np.zeros(GRID**2), -REACH, REACH),
            "points": [
                left.scatter([], [], color=color, marker=marker, **style)
                for color, marker in ((figures.VERMILLION, "^"), (figures.BLUE, "o"))
            ],
            "point": left.plot([], [], "*", color="black", mec="white", ms=17, zorder=4)[0],
            "edges": [
                right.add_collection(LineCollection(segments, cmap="PuOr_r", clim=(-2.5, 2.5), zorder=1))
                for segments in ends
            ],
            "nodes": right.scatter(*spots.T, c=0 * spots[:, 0], **node),
            "ring": right.scatter([], [], s=800, facecolors="none", edgecolors="black", linewidths=2),
            "texts": [right.text(*spot, "", **middle) for spot in spots],
        }

    def draw(artists, r):
        artists["plane"].set_data(r["plane"].reshape(GRID, GRID))
        artists["plane"].set_cmap(r["colors"])
        x, y = r["points"]
        for label, artist in enumerate(artists["points"]):
            artist.set_offsets(x[y == label])
        artists["point"].set_data([r["point"][0]], [r["point"][1]])
        for artist, parts in zip(artists["edges"], r["parts"]):
            artist.set_array(parts)
            artist.set_linewidths(0.3 + 2 * np.minimum(np.abs(parts), 2.5))
        values = np.concatenate(r["values"])
        artists["nodes"].set_array(values)
        for text, value in zip(artists["texts"], values):
            text.set_text(f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−"))
            text.set_color("white" if abs(value) > 1 else "black")
        artists["ring"].set_offsets([r["chosen"]])

    return Explorer(
        "One point on its way through a network",
        dict(
            x1=Slider(-1.3, 1.3, 0.5, "input 1", step=0.02),
            x2=Slider(-1.3, 1.3, 0.3, "input 2", step=0.02),
            kind=Choice(("moons", "circles", "xor", "blobs"), "moons", "points"),
            activation=Choice(tuple(ACTIVATIONS), "tanh", "activation"),
            layer=Choice(LAYERS, LAYERS[0], "look at"),
            unit=IntSlider(1, UNITS, 1, "unit"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 3.6),
        note=lambda values, r: f"class 1 with probability {r['probability']:.3f}",
        idle=lambda values: {"unit"} if values["layer"] == "output" else set(),
        goal=Goal(
            "a point about which the network cannot decide: between 0.4 and 0.6",
            lambda values, r: 0.4 <= r["probability"] <= 0.6,
        ),
        code={"numpy": _SIGNAL + _SIGNAL_NUMPY, "torch": _SIGNAL + _SIGNAL_TORCH},
        answer=lambda r: r["probability"],
    )


_SIGNAL = """
import numpy as np
from nnlib.linear.explorers import trained_2_6_6_1

layers = trained_2_6_6_1($kind, $activation, $seed)      # three pairs of weight and bias
"""

_SIGNAL_NUMPY = """
f = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[$activation]
h = np.array([$x1, $x2])
for weight, bias in layers[:-1]:
    h = f(weight @ h + bias)
weight, bias = layers[-1]
z = (weight @ h + bias)[0]
answer = 1 / (1 + np.exp(-z))
"""

_SIGNAL_TORCH = """
import torch
from torch import nn

bend = {"tanh": nn.Tanh, "relu": nn.ReLU}[$activation]
model = nn.Sequential(nn.Linear(2, 6), bend(), nn.Linear(6, 6), bend(), nn.Linear(6, 1)).double()
linears = [module for module in model if isinstance(module, nn.Linear)]
for module, (weight, bias) in zip(linears, layers):
    module.weight.data, module.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
with torch.no_grad():
    answer = float(torch.sigmoid(model(torch.tensor([$x1, $x2], dtype=torch.float64))))
"""


# --------------------------------------------------------------------------- one digit, from layer to layer


@cache
def trained_reader():
    """64-16-16-10 after 30 epochs on the digits: weights and biases, layer by layer."""
    rng, digits = np.random.default_rng(0), data.digits(np.float32)
    first, second, last = (Linear(i, o, rng=rng) for i, o in ((64, 16), (16, 16), (16, 10)))
    model = Sequential(first, ReLU(), second, ReLU(), last)
    how = dict(lr=0.1, momentum=0.9, epochs=30, batch_size=64, rng=rng, every=600)
    fit(model, digits.x_train, digits.y_train, **how)
    return [tuple(p.astype(float) for p in layer.params.values()) for layer in model.layers if layer.params]


@cache
def pictures():
    """The first 20 test pictures of each digit: (10, 20, 8, 8)."""
    test = data.digits()
    return np.stack([test.x_test[test.y_test == k][:20].reshape(-1, 8, 8) for k in range(10)])


def shifted(picture, columns):
    """Moved to the right, or to the left where columns < 0; what leaves is gone."""
    moved = np.roll(picture, columns, axis=1)
    moved[:, slice(columns) if columns >= 0 else slice(columns, None)] = 0
    return moved


def digit():
    """A digit goes through a trained network: every layer as a picture, and the ten probabilities."""
    tiles = np.full((35, 35), np.nan)  # sixteen tiles of 8 x 8 with a gap between them

    def compute(digit, example, noise, columns, silent):
        rng = np.random.default_rng(100 * digit + example)
        x = shifted(pictures()[digit, example], columns) + noise * rng.normal(size=(8, 8))
        (weight1, bias1), (weight2, bias2), (weight3, bias3) = trained_reader()

        def behind(h1):
            h2 = np.maximum(weight2 @ h1 + bias2, 0)
            return h2, weight3 @ h2 + bias3

        h1 = np.maximum(weight1 @ x.ravel() + bias1, 0)
        _, complete = behind(h1)
        h1[silent - 1 : silent] = 0
        h2, z = behind(h1)
        p = np.exp(z - z.max())
        return dict(
            x=x,
            parts=weight1.reshape(16, 8, 8) * x,
            h1=h1,
            h2=h2,
            p=p / p.sum(),
            digit=digit,
            complete=complete.argmax(),  # the answer with no unit silent
        )

    def setup(fig):
        axes = figures.axes(fig, 1, 5, width_ratios=(1, 1.45, 1, 1, 1.5))
        for ax in axes[:4]:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.set_anchor("N")
        titles = ("64 inputs", "weight × input", "hidden 1", "hidden 2", "probability of each digit")
        for ax, title in zip(axes, titles):
            ax.set_title(title, fontsize=10)
        axes[4].set(xlim=(0, 1.12), ylim=(9.6, -0.6), yticks=range(10), xticks=[0, 0.5, 1])
        hidden = list(zip(axes[2:4], (6, 10)))
        middle = dict(ha="center", va="center", fontsize=7, zorder=2)
        return {
            "x": axes[0].imshow(np.zeros((8, 8)), cmap="gray_r", vmin=0, vmax=1),
            "parts": axes[1].imshow(tiles, cmap="PuOr_r", vmin=-0.5, vmax=0.5),
            "h": [ax.imshow(np.zeros((4, 4)), cmap="viridis", vmin=0, vmax=top) for ax, top in hidden],
            "numbers": [[ax.text(k % 4, k // 4, "", **middle) for k in range(16)] for ax, _ in hidden],
            "bars": list(axes[4].barh(range(10), np.zeros(10), color=figures.BLUE)),
            "right": axes[4].plot([1.06], [0], "<", color="black", ms=7)[0],
        }

    def draw(artists, r):
        artists["x"].set_data(r["x"])
        for k, part in enumerate(r["parts"]):
            row, column = 9 * (k // 4), 9 * (k % 4)
            tiles[row : row + 8, column : column + 8] = part
        artists["parts"].set_data(tiles)
        for picture, texts, h in zip(artists["h"], artists["numbers"], (r["h1"], r["h2"])):
            picture.set_data(h.reshape(4, 4))
            for text, value in zip(texts, h):
                text.set_text(f"{value:.1f}")
                text.set_color("black" if value > 3.5 else "white")
        for k, (bar, p) in enumerate(zip(artists["bars"], r["p"])):
            bar.set_width(p)
            bar.set_color(figures.BLUE if k == r["digit"] else figures.VERMILLION)
        artists["right"].set_ydata([r["digit"]])

    def note(values, r):
        answer = int(r["p"].argmax())
        says = "right" if answer == values["digit"] else f"wrong: it is a {values['digit']}"
        return f"the network says {answer} with probability {r['p'][answer]:.3f}, {says}"

    return Explorer(
        "One digit on its way through a trained network",
        dict(
            digit=IntSlider(0, 9, 3, "digit"),
            example=IntSlider(0, 19, 0, "picture"),
            noise=Slider(0, 0.5, 0.0, "noise", step=0.01),
            columns=IntSlider(-2, 2, 0, "columns to the right"),
            silent=IntSlider(0, 16, 0, "silence this unit of hidden 1 (0: none)"),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 2.7),
        note=note,
        goal=Goal(
            "a wrong answer by one silent unit alone, without noise and shift",
            lambda values, r: (
                values["silent"] > 0
                and values["noise"] == values["columns"] == 0
                and r["p"].argmax() != values["digit"] == r["complete"]
            ),
        ),
        code={"numpy": _DIGIT + _DIGIT_NUMPY, "torch": _DIGIT + _DIGIT_TORCH},
        answer=lambda r: r["p"][r["digit"]],
    )


_DIGIT = """
import numpy as np
from nnlib.linear.explorers import pictures, shifted, trained_reader

noise = np.random.default_rng(100 * $digit + $example).normal(size=(8, 8))
x = (shifted(pictures()[$digit, $example], $columns) + $noise * noise).ravel()
(weight1, bias1), (weight2, bias2), (weight3, bias3) = trained_reader()
"""

_DIGIT_NUMPY = """
h1 = np.maximum(weight1 @ x + bias1, 0)
if $silent:
    h1[$silent - 1] = 0
h2 = np.maximum(weight2 @ h1 + bias2, 0)
z = weight3 @ h2 + bias3
p = np.exp(z - z.max())
answer = p[$digit] / p.sum()
"""

_DIGIT_TORCH = """
import torch
from torch.nn import functional as F

x, weight1, bias1, weight2, bias2, weight3, bias3 = map(
    torch.from_numpy, (x, weight1, bias1, weight2, bias2, weight3, bias3)
)
h1 = F.relu(F.linear(x, weight1, bias1))
if $silent:
    h1[$silent - 1] = 0
h2 = F.relu(F.linear(h1, weight2, bias2))
answer = float(F.softmax(F.linear(h2, weight3, bias3), dim=0)[$digit])
"""
