"""What the learner can turn in notebook 02: functions, what networks draw with them, dead units, softmax."""

import numpy as np

from nnlib import data, figures
from nnlib.activations import in_numpy
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.layers import Layer, Linear, Sequential, fit, fit_many
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits

NAMES = ("relu", "leaky_relu", "elu", "softplus", "gelu", "silu", "mish", "sigmoid", "tanh", "hardtanh")


class Activation(Layer):
    """An activation by its name. It has no parameters, so for it a stack of models is one larger array."""

    stackable = True

    def __init__(self, name, **settings):
        if name == "gelu":
            settings = {"approximate": "tanh", **settings}  # many times faster than the exact one
        super().__init__(getattr(in_numpy, name), getattr(in_numpy, f"{name}_backward"), **settings)


# ------------------------------------------------------------------------------- functions and their slopes


def shapes():
    """Every activation and its slope, one of them in front, with what its parameters do."""
    grid = np.linspace(-5, 5, 401)

    def compute(function, x, negative_slope, alpha, beta):
        given = {"leaky_relu": (negative_slope,), "elu": (alpha,), "softplus": (beta,)}
        values, slopes = {}, {}
        for name in NAMES:
            f, backward = getattr(in_numpy, name), getattr(in_numpy, f"{name}_backward")
            values[name] = f.unchecked(grid, *given.get(name, ()))
            slopes[name] = backward.unchecked(np.ones_like(grid), grid, *given.get(name, ()))
        f, backward = getattr(in_numpy, function), getattr(in_numpy, f"{function}_backward")
        at, settings = np.array([x]), given.get(function, ())
        return dict(
            function=function, x=x, values=values, slopes=slopes,
            value=float(f.unchecked(at, *settings)[0]),
            slope=float(backward.unchecked(np.ones(1), at, *settings)[0]),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(-5, 5), ylim=(-2.2, 3.2), xlabel="input x", ylabel="output", title="The function")
        right.set(xlim=(-5, 5), ylim=(-0.3, 2.1), xlabel="input x", ylabel="slope")
        right.set_title("Its slope: what a gradient is multiplied by")
        artists = {}
        for side, ax, color in (("values", left, figures.BLUE), ("slopes", right, figures.VERMILLION)):
            for level in (0, 1):
                ax.axhline(level, color="#DDDDDD", lw=0.8, zorder=0)
            behind = dict(color="#C4C4C4", lw=0.9, ls="-", zorder=1)
            artists[side] = [ax.plot(grid, 0 * grid, **behind)[0] for _ in NAMES]
            line = dict(color=color, lw=2.2, ls="-" if side == "values" else "--", zorder=3)
            artists[f"front {side}"] = ax.plot(grid, 0 * grid, **line)[0]
            artists[f"point {side}"] = ax.plot([], [], "o", color="black", ms=6, zorder=5)[0]
            artists[f"text {side}"] = ax.text(-4.8, ax.get_ylim()[1] * 0.9, "", fontsize=10, zorder=6)
        artists["tangent"] = left.plot([], [], color="black", lw=1.1, zorder=4)[0]
        return artists

    def draw(artists, r):
        for side in ("values", "slopes"):
            for name, line in zip(NAMES, artists[side]):
                line.set_ydata(r[side][name])
            artists[f"front {side}"].set_ydata(r[side][r["function"]])
        x, y, slope = r["x"], r["value"], r["slope"]
        artists["point values"].set_data([x], [y])
        artists["point slopes"].set_data([x], [slope])
        artists["tangent"].set_data([x - 1, x + 1], [y - slope, y + slope])
        artists["text values"].set_text(f"{r['function']}({x:.2f}) = {y:.3f}".replace("-", "−"))
        flat = ": flat" if abs(slope) < 0.05 else ""
        artists["text slopes"].set_text(f"slope {slope:.3f}{flat}".replace("-", "−"))

    return Explorer(
        "An activation and its slope (all others in gray)",
        dict(
            function=Choice(NAMES, "gelu", "function"),
            x=Slider(-5, 5, -0.5, "x", step=0.05),
            negative_slope=Slider(-0.5, 1, 0.1, "leaky_relu: negative_slope", step=0.01),
            alpha=Slider(0, 2, 1.0, "elu: alpha", step=0.05),
            beta=Slider(0.2, 5, 1.0, "softplus: beta", step=0.1),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            f"a gradient of 1 that arrives at {r['function']} here goes on as {r['slope']:.3f}"
        ),
        goal=Goal(
            "a point where a slope is steeper than 1, with no slider for the shape moved",
            lambda values, r: (
                r["slope"] > 1.0001
                and (values["negative_slope"], values["alpha"], values["beta"]) == (0.1, 1, 1)
            ),
        ),
        code={"numpy": _SHAPES_NUMPY, "torch": _SHAPES_TORCH},
        answer=lambda r: r["slope"],
    )


_SHAPES_NUMPY = """\
from math import erf

import numpy as np

x = $x
s, t = 1 / (1 + np.exp(-x)), np.tanh(x)
m, below = np.tanh(np.log1p(np.exp(x))), (1 + erf(x / np.sqrt(2))) / 2
slope = {
    "relu": x > 0,
    "leaky_relu": 1 if x > 0 else $negative_slope,
    "elu": 1 if x > 0 else $alpha * np.exp(x),
    "softplus": 1 / (1 + np.exp(-$beta * x)),
    "gelu": below + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
    "silu": s + x * s * (1 - s),
    "mish": m + x * (1 - m * m) * s,
    "sigmoid": s * (1 - s),
    "tanh": 1 - t * t,
    "hardtanh": -1 < x < 1,
}
answer = float(slope[$function])
"""

_SHAPES_TORCH = """\
import torch
import torch.nn.functional as F

options = {"leaky_relu": [$negative_slope], "elu": [$alpha], "softplus": [$beta]}
x = torch.tensor($x, dtype=torch.float64, requires_grad=True)
getattr(F, $function)(x, *options.get($function, [])).backward()
answer = x.grad.item()
"""


# ----------------------------------------------------------------------------- what a network draws with it

KINDS = ("circles", "moons", "xor", "spirals")


def points(kind, seed, n=120):
    """The data of the explorers: x (n, 2) within about [-2, 2]², y (n,) 0 or 1."""
    rng = np.random.default_rng(seed)
    if kind == "circles":
        x, y = data.circles(n, 0.1, rng, factor=0.4)
    elif kind == "moons":
        x, y = data.moons(n, 0.1, rng)
    elif kind == "xor":
        x, y = data.xor(n, 0.25, rng)
    else:
        x, y = data.spirals(n, 0.03, rng)
    return {"circles": 1.5, "spirals": 1.8}.get(kind, 1.0) * x, y


def drawing():
    """A network 2-hidden-1, trained anew at every move: its picture, its folds, a cut through its score."""
    low, high, n = -2.6, 2.6, 48
    plane = figures.plane(low, high, n)
    line = np.linspace(low, high, 181)

    def compute(activation, data, hidden, lr, steps, cut, seed):
        x, y = points(data, 0)
        rng = np.random.default_rng(seed)
        first, last = (Linear(i, o, rng=rng, dtype=np.float64) for i, o in ((2, hidden), (hidden, 1)))
        between = [] if activation == "none" else [Activation(activation)]
        model = Sequential(first, *between, last)
        loss = binary_cross_entropy_with_logits
        settings = dict(lr=lr, momentum=0.9, epochs=steps, every=steps, loss=loss)
        history = fit(model, x, y[:, None].astype(float), **settings)
        with np.errstate(all="ignore"):
            surface = 0.5 + 0.5 * np.tanh(model.forward(plane)[:, 0] / 2)
            right = float(((model.forward(x)[:, 0] > 0) == y).mean())
            score = model.forward(np.column_stack([line, np.full_like(line, cut)]))[:, 0].copy()
            units = model[-2].forward(first.y) if between else first.y
            parts = units * last.params["weight"]
        return dict(
            x=x, y=y, surface=surface, score=score, parts=parts, cut=cut, right=right,
            weight=first.params["weight"], bias=first.params["bias"], loss=history.loss[-1],
            diverged=history.diverged_at,
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(low, high), ylim=(low, high), xlabel="input 1", ylabel="input 2", aspect="equal")
        left.set_title("The network's picture")
        right.set(xlim=(low, high), ylim=(-12, 12), xlabel="input 1 along the dotted line", ylabel="score")
        right.set_title("Its score: the units' sum, plus a constant")
        right.axhline(0, color="#DDDDDD", lw=0.8, zorder=0)
        empty = np.empty((0, 2))
        return {
            "surface": figures.surface(left, np.zeros(n * n), low, high),
            "folds": [left.plot([], [], color="black", lw=0.9, ls="--", zorder=2)[0] for _ in range(12)],
            "cut": left.plot([], [], color="black", lw=1.3, ls=":", zorder=4)[0],
            "points": [
                left.scatter(*empty.T, s=14, color=c, marker=m, linewidths=0.3, edgecolors="white", zorder=3)
                for c, m in ((figures.VERMILLION, "^"), (figures.BLUE, "o"))
            ],
            "parts": [right.plot(line, 0 * line, color="#A0A0A0", lw=0.9, zorder=1)[0] for _ in range(12)],
            "score": right.plot(line, 0 * line, color=figures.BLUE, lw=2.2, zorder=3)[0],
            "name": right.text(
                0.02,
                0.97,
                "",
                transform=right.transAxes,
                va="top",
                fontsize=9,
                zorder=5,
                bbox=dict(fc="white", ec="none", alpha=0.85, pad=1.5),
            ),
        }

    def draw(artists, r):
        artists["surface"].set_data(np.nan_to_num(r["surface"], nan=0.5).reshape(n, n))
        for label, artist in enumerate(artists["points"]):
            artist.set_offsets(r["x"][r["y"] == label])
        artists["cut"].set_data([low, high], [r["cut"], r["cut"]])
        for k, (fold, part) in enumerate(zip(artists["folds"], artists["parts"])):
            used = k < len(r["bias"]) and np.isfinite(r["parts"][:, k]).all()
            fold.set_visible(used)
            part.set_visible(used)
            if used:
                w, b = r["weight"][k], r["bias"][k]
                foot, along = -b * w / (w @ w), np.array([-w[1], w[0]]) / np.hypot(*w)
                fold.set_data(*(foot + np.array([[-9], [9]]) * along).T)
                part.set_ydata(np.clip(r["parts"][:, k], -15, 15))
        artists["score"].set_ydata(np.clip(r["score"], -15, 15))
        stopped = "" if r["diverged"] is None else f", diverged at step {r['diverged']}"
        artists["name"].set_text(f"{100 * r['right']:.0f} % right{stopped}. Gray: each unit alone")

    return Explorer(
        "What a network of two layers draws",
        dict(
            activation=Choice(("none", *NAMES), "relu", "activation"),
            data=Choice(KINDS, "circles", "data"),
            hidden=IntSlider(1, 12, 3, "hidden units"),
            lr=LogSlider(0.01, 3, 0.1, "learning rate"),
            steps=IntSlider(10, 400, 200, "steps", step=10),
            cut=Slider(-2, 2, 0.0, "cut at input 2", step=0.05),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            f"{len(r['bias'])} units, {100 * r['right']:.0f} % of the points right, loss {r['loss']:.3f}"
        ),
        goal=Goal(
            "every point of the circles right with at most 3 units",
            lambda values, r: values["data"] == "circles" and values["hidden"] <= 3 and r["right"] == 1,
        ),
        code={"numpy": _DRAWING + _DRAWING_NUMPY, "torch": _DRAWING + _DRAWING_TORCH},
        answer=lambda r: r["loss"],
    )


_DRAWING = """\
import numpy as np
from nnlib.activations.explorers import points

x, y = points($data, 0)
rng = np.random.default_rng($seed)
params = []
for i, o in ((2, $hidden), ($hidden, 1)):
    params += [rng.uniform(-1 / i**0.5, 1 / i**0.5, shape) for shape in ((o, i), (o,))]
"""

_DRAWING_NUMPY = """
from nnlib.activations import in_numpy

if $activation == "none":
    f, f_backward = lambda x: x, lambda grad, x: grad
else:
    f, f_backward = getattr(in_numpy, $activation), getattr(in_numpy, $activation + "_backward")
options = {"approximate": "tanh"} if $activation == "gelu" else {}

buffers = [np.zeros_like(p) for p in params]
for step in range($steps):
    w1, b1, w2, b2 = params
    z = x @ w1.T + b1
    h = f(z, **options)
    score = h @ w2.T + b2
    grad = (1 / (1 + np.exp(-score)) - y[:, None]) / len(x)
    back = f_backward(grad @ w2, z, **options)
    grads = [back.T @ x, back.sum(axis=0), grad.T @ h, grad.sum(axis=0)]
    buffers = [0.9 * m + g for m, g in zip(buffers, grads)]
    params = [p - $lr * m for p, m in zip(params, buffers)]

w1, b1, w2, b2 = params
score = f(x @ w1.T + b1, **options) @ w2.T + b2
answer = np.logaddexp(0, np.where(y[:, None] == 1, -score, score)).mean()
"""

_DRAWING_TORCH = """
import torch
import torch.nn.functional as F

options = {"approximate": "tanh"} if $activation == "gelu" else {}
x, y = torch.from_numpy(x), torch.from_numpy(y)[:, None].double()
params = [torch.from_numpy(p).requires_grad_() for p in params]
optimizer = torch.optim.SGD(params, lr=$lr, momentum=0.9)

def loss():
    h = F.linear(x, *params[:2])
    if $activation != "none":
        h = getattr(F, $activation)(h, **options)
    return F.binary_cross_entropy_with_logits(F.linear(h, *params[2:]), y)

for step in range($steps):
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()
answer = loss().item()
"""


# ----------------------------------------------------------------------------------------------- dead units

HIDDEN, FLAT = 24, 1e-3
RATES = np.geomspace(0.01, 10, 8)


def slopes(model, x):
    """The slope of every hidden unit at every point (N, units), between the layers 0 and 2."""
    with np.errstate(all="ignore"):
        z = model[0].forward(x)
        return model[1].f_backward.unchecked(np.ones_like(z), z, **model[1].settings)


def dead(model, x):
    """Which hidden units pass (nearly) no gradient at any of the points, so that these cannot move them."""
    return ~(np.abs(slopes(model, x)).max(axis=0) > FLAT)


def dead_units():
    """The share of dead units against the learning rate, for a start bias of your choice."""
    low, high, n = -4.0, 4.0, 40
    plane = figures.plane(low, high, n)
    x, y = data.moons(100, 0.1, np.random.default_rng(0))

    def compute(activation, lr, bias, steps, seed):
        rng = np.random.default_rng(seed)
        first, last = (Linear(i, o, rng=rng, dtype=np.float64) for i, o in ((2, HIDDEN), (HIDDEN, 1)))
        first.params["bias"][...] = bias
        start = Sequential(first, Activation(activation), last)
        models = [start.copy() for _ in range(len(RATES) + 1)]
        settings = dict(momentum=0.9, epochs=steps, every=steps, loss=binary_cross_entropy_with_logits)
        fit_many(models, x, y[:, None].astype(float), lr=[*RATES, lr], **settings)
        with np.errstate(all="ignore"):
            right = [float(((m.forward(x)[:, 0] > 0) == y).mean()) for m in models]
            surface = 0.5 + 0.5 * np.tanh(models[-1].forward(plane)[:, 0] / 2)
        lost = dead(models[-1], x)
        return dict(
            lr=lr, surface=surface, lost=lost, weight=models[-1][0].params["weight"],
            bias=models[-1][0].params["bias"], start=dead(start, x).mean(), right=right,
            share=[float(dead(m, x).mean()) for m in models],
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(low, high), ylim=(low, high), xlabel="input 1", ylabel="input 2", aspect="equal")
        left.set_title("Each unit's fold; dead ones dashed")
        right.set(xscale="log", xlim=(0.008, 13), ylim=(-4, 112), xlabel="learning rate (log scale)")
        right.set(ylabel="%", yticks=(0, 25, 50, 75, 100), title="After training")
        folds = {True: dict(color=figures.VERMILLION, ls="--", lw=1.0), False: dict(color="#555555", lw=0.6)}
        return {
            "surface": figures.surface(left, np.zeros(n * n), low, high),
            "points": figures.points(left, x, y, s=9),
            "folds": {is_dead: left.plot([], [], zorder=2, **style)[0] for is_dead, style in folds.items()},
            "count": left.text(-3.8, 3.3, "", zorder=6, bbox=dict(fc="white", ec="none", alpha=0.8, pad=1.5)),
            "right": right.plot([], [], "o-", color=figures.BLUE, ms=4)[0],
            "share": right.plot([], [], "^--", color=figures.VERMILLION, ms=5)[0],
            "start": right.axhline(0, color=figures.VERMILLION, lw=1, ls=":"),
            "now": right.axvline(1, color="black", lw=1),
            "texts": [
                right.text(0.0085, 0, "", color=color, fontsize=9, va="bottom")
                for color in (figures.BLUE, figures.VERMILLION)
            ],
        }

    def draw(artists, r):
        artists["surface"].set_data(np.nan_to_num(r["surface"], nan=0.5).reshape(n, n))
        for is_dead, line in artists["folds"].items():
            w, b = r["weight"][r["lost"] == is_dead], r["bias"][r["lost"] == is_dead]
            length = np.hypot(*w.T)[:, None]
            foot, along = -b[:, None] * w / length**2, np.column_stack([-w[:, 1], w[:, 0]]) / length
            ends = np.stack([foot - 12 * along, foot + 12 * along, np.full_like(foot, np.nan)], axis=1)
            line.set_data(*ends.reshape(-1, 2).T)  # the NaN between two lines lifts the pen
        share, right = 100 * np.array(r["share"]), 100 * np.array(r["right"])
        order = np.argsort([*RATES, r["lr"]], kind="stable")
        rates = np.array([*RATES, r["lr"]])[order]
        artists["right"].set_data(rates, right[order])
        artists["share"].set_data(rates, share[order])
        artists["start"].set_ydata([100 * r["start"]] * 2)
        artists["now"].set_xdata([r["lr"]] * 2)
        artists["count"].set_text(f"{r['lost'].sum()} of {HIDDEN} dead, {right[-1]:.0f} % right")
        for text, curve, word in zip(artists["texts"], (right, share), ("points right", "units dead")):
            text.set(text=word, y=curve[order][0] + 4)

    def note(values, r):
        return f"{r['lost'].sum()} of {HIDDEN} units dead, {round(HIDDEN * r['start'])} of them at the start"

    return Explorer(
        "Dead units: no gradient at any point",
        dict(
            activation=Choice(("relu", "leaky_relu", "elu", "silu", "tanh"), "relu", "activation"),
            lr=LogSlider(0.01, 10, 3.0, "learning rate"),
            bias=Slider(-2, 2, 0.0, "start of every bias", step=0.05),
            steps=IntSlider(10, 100, 60, "steps", step=10),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "every point right and no unit dead, with relu",
            lambda values, r: values["activation"] == "relu" and r["right"][-1] == 1 and not r["lost"].any(),
        ),
        code={"numpy": _DEAD + _DEAD_NUMPY, "torch": _DEAD + _DEAD_TORCH},
        answer=lambda r: r["lost"].sum(),
    )


_DEAD = """\
import numpy as np
from nnlib import data

x, y = data.moons(100, 0.1, np.random.default_rng(0))
rng = np.random.default_rng($seed)
params = []
for i, o in ((2, 24), (24, 1)):
    params += [rng.uniform(-1 / i**0.5, 1 / i**0.5, shape) for shape in ((o, i), (o,))]
params[1][:] = $bias
"""

_DEAD_NUMPY = """
from nnlib.activations import in_numpy

f, f_backward = getattr(in_numpy, $activation), getattr(in_numpy, $activation + "_backward")
buffers = [np.zeros_like(p) for p in params]
for step in range($steps):
    w1, b1, w2, b2 = params
    z = x @ w1.T + b1
    h = f(z)
    grad = (in_numpy.sigmoid(h @ w2.T + b2) - y[:, None]) / len(x)
    back = f_backward(grad @ w2, z)
    grads = [back.T @ x, back.sum(axis=0), grad.T @ h, grad.sum(axis=0)]
    buffers = [0.9 * m + g for m, g in zip(buffers, grads)]
    params = [p - $lr * m for p, m in zip(params, buffers)]

slope = f_backward(np.ones((len(x), 24)), x @ params[0].T + params[1])
answer = (np.abs(slope).max(axis=0) <= 1e-3).sum()
"""

_DEAD_TORCH = """
import torch
import torch.nn.functional as F

f = getattr(F, $activation)
x, y = torch.from_numpy(x), torch.from_numpy(y)[:, None].double()
params = [torch.from_numpy(p).requires_grad_() for p in params]
optimizer = torch.optim.SGD(params, lr=$lr, momentum=0.9)
for step in range($steps):
    optimizer.zero_grad()
    score = F.linear(f(F.linear(x, *params[:2])), *params[2:])
    F.binary_cross_entropy_with_logits(score, y).backward()
    optimizer.step()

z = F.linear(x, *params[:2]).detach().requires_grad_()
f(z).sum().backward()
answer = (z.grad.abs().amax(dim=0) <= 1e-3).sum().item()
"""


# ------------------------------------------------------------------------------------------ softmax, safely


def competition():
    """Softmax of four scores, as written and safely, in the number format of your choice."""
    names, spread = ("a", "b", "c", "d"), np.array([2.0, 1.0, 0.0, -1.0])

    def compute(scale, shift, lift, precision):
        x = ((spread + np.array([0, 0, 0, lift])) * scale + shift).astype(precision)
        powers = np.exp(x)
        safe = in_numpy.softmax.unchecked(x, 0)
        return dict(
            x=x, safe=safe, plain=powers / powers.sum(), logs=in_numpy.log_softmax.unchecked(x, 0),
            log_of_safe=np.log(safe),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(-0.6, 3.6), ylim=(0, 1.12), xticks=range(4), xticklabels=names, ylabel="share")
        left.set_title("Line: softmax. Circle: exp(x) / sum")
        right.set(xlim=(-0.6, 3.6), xticks=range(4), xticklabels=names, ylabel="logarithm of the share")
        right.set_yscale("symlog", linthresh=1)
        right.set(ylim=(-2500, 0.3), yticks=(-1000, -100, -10, -1, 0))
        right.set_yticklabels(("−1000", "−100", "−10", "−1", "0"))
        right.set_title("Line: log_softmax. Circle: log(softmax)")
        line = dict(color=figures.BLUE, ls="none", marker="_", ms=34, mew=3)
        ring = dict(color=figures.VERMILLION, ls="none", marker="o", ms=11, mfc="none", mew=1.6)
        word = dict(ha="center", color=figures.VERMILLION)
        return {
            "safe": left.plot([], [], **line)[0],
            "plain": left.plot([], [], **ring)[0],
            "logs": right.plot([], [], **line)[0],
            "log of safe": right.plot([], [], **ring)[0],
            "scores": [left.text(i, 1.06, "", ha="center", fontsize=8.5) for i in range(4)],
            "limit": left.text(3.6, 0.95, "", ha="right", fontsize=8.5, color=figures.GRAY),
            "lost": [left.text(i, 0.5, "NaN", **word) for i in range(4)],
            "no log": [right.text(i, -1500, "−inf", **word) for i in range(4)],
        }

    def draw(artists, r):
        for name, values in (("safe", r["safe"]), ("plain", r["plain"]), ("logs", r["logs"])):
            artists[name].set_data(range(4), np.where(np.isfinite(values), values, np.nan))
        logs = r["log_of_safe"]
        artists["log of safe"].set_data(range(4), np.where(np.isfinite(logs), logs, np.nan))
        for i in range(4):
            artists["scores"][i].set_text(f"{r['x'][i]:.4g}".replace("-", "−"))
            artists["lost"][i].set_visible(not np.isfinite(r["plain"][i]))
            artists["no log"][i].set_visible(not np.isfinite(logs[i]))
        limit = np.log(np.finfo(r["x"].dtype).max)
        artists["limit"].set_text(f"exp(x) is too large for {r['x'].dtype} above x = {limit:.1f}")

    def note(values, r):
        pairs = {"exp(x) / sum": (r["plain"], r["safe"]), "log(softmax)": (r["log_of_safe"], r["logs"])}
        words = [name for name, (risky, safe) in pairs.items() if not np.allclose(risky, safe, rtol=1e-3)]
        return f"breaks: {', '.join(words) or 'nothing'}; softmax and log_softmax never do"

    return Explorer(
        "Four scores become shares",
        dict(
            scale=LogSlider(0.1, 300, 1.0, "scores times"),
            shift=Slider(-1000, 1000, 0.0, "scores plus", step=1, format=".0f"),
            lift=Slider(-3, 5, 0.0, "score d plus", step=0.05),
            precision=Choice(("float64", "float32"), "float64", "numbers"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a log(softmax) of −inf where log_softmax is still finite",
            lambda values, r: not np.isfinite(r["log_of_safe"]).all() and np.isfinite(r["logs"]).all(),
        ),
        code={"numpy": _COMPETITION + _COMPETITION_NUMPY, "torch": _COMPETITION + _COMPETITION_TORCH},
        answer=lambda r: r["logs"][3],
    )


_COMPETITION = """\
import numpy as np

x = np.array([2.0, 1.0, 0.0, -1.0 + $lift]) * $scale + $shift
x = x.astype($precision)
"""

_COMPETITION_NUMPY = """
z = x - x.max()
answer = (z - np.log(np.exp(z).sum()))[3]
"""

_COMPETITION_TORCH = """
import torch

answer = torch.log_softmax(torch.from_numpy(x), dim=0)[3].item()
"""
