"""What notebook 09 lets the learner turn: depth and scale, the cliff, and the way back through time."""

from functools import cache, lru_cache
from math import exp, hypot, isfinite

import numpy as np

from nnlib import figures
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Steps
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION
from nnlib.gradient_flow.in_numpy import cliff
from nnlib.initialization.in_numpy import orthogonal

# ------------------------------------------------------------------------------------- layer after layer

WIDTH, ROWS, DEEPEST = 64, 32, 100
FORMATS = {"float16": np.float16, "float32": np.float32, "float64": np.float64}
VIEW = {"float16": (1e-9, 1e6), "float32": (1e-54, 1e47), "float64": (1e-170, 1e80)}
TICKS = {
    "float16": (1e-6, 1e-3, 1, 1e3),
    "float32": (1e-40, 1e-20, 1, 1e20),
    "float64": (1e-150, 1e-75, 1, 1e75),
}
PLAIN, RESIDUAL, HIGHWAY = "plain", "residual", "highway"
ZOOM = 1e-4, 1e4


@cache
def _data():
    """The first 32 training digits, 64 pixels each, standardized; and their labels."""
    x = digits().x_train
    std = np.where(x.min(axis=0) == x.max(axis=0), 1, x.std(axis=0))
    return ((x - x.mean(axis=0)) / std)[:ROWS], digits().y_train[:ROWS]


@cache
def _draws(seed):
    """Standard normal numbers for weights and biases of all layers, and the last layer's weights."""
    rng = np.random.default_rng(seed)
    weights, biases = rng.normal(size=(DEEPEST, WIDTH, WIDTH)), rng.normal(size=(DEEPEST, WIDTH))
    return weights, biases, rng.normal(size=(WIDTH, 10)) / np.sqrt(WIDTH)


@cache
def _gates(seed):
    return np.random.default_rng([seed, 1]).normal(size=(DEEPEST, WIDTH, WIDTH)) / np.sqrt(WIDTH)


def _activation(z, name):
    """The value and the slope of an activation."""
    if name == "linear":
        return z, 1.0
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a * a
    if name == "sigmoid":
        a = (1 + np.tanh(z / 2)) / 2
        return a, a * (1 - a)
    slope = np.where(z > 0, 1.0, 0.01 if name == "leaky relu" else 0.0)
    return z * slope, slope


def _rms(x):
    return np.sqrt(np.vdot(x, x) / x.size)


def _pass(depth, activation, scale, bias, route, number_format, seed):
    """Forward and backward: sizes of the signal, its gradient, the weights' gradient; the signal's spread."""
    dtype = FORMATS[number_format]

    def stored(x):  # computed in float64, kept in the format: what does not fit becomes 0 or infinite
        return x if dtype is np.float64 else x.astype(dtype).astype(np.float64)

    weights, biases, last = _draws(seed)
    weights = scale / np.sqrt(WIDTH) * weights[:depth]
    gates = _gates(seed)[:depth] if route == HIGHWAY else weights
    (h, y), kept = _data(), []
    h = stored(h)
    signal, spread = [_rms(h)], [_rms(h - h.mean(axis=0))]
    for weight, b, gate in zip(weights, bias * biases, gates):
        a, slope = _activation(h @ weight + b, activation)
        t = 1.0 if route != HIGHWAY else (1 + np.tanh((h @ gate - 2) / 2)) / 2
        kept.append((h, a, slope, t))
        carried = {PLAIN: 0.0, RESIDUAL: h, HIGHWAY: (1 - t) * h}[route]
        h = stored(t * a + carried)
        signal.append(_rms(h))
        spread.append(_rms(h - h.mean(axis=0)))
    z = h @ last
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(ROWS), y] -= 1
    g = stored(p @ last.T / ROWS)
    gradient, for_weights = [_rms(g)], []
    for weight, gate, (h, a, slope, t) in zip(weights[::-1], gates[::-1], reversed(kept)):
        g_z = g * t * slope
        for_weights.append(_rms(h.T @ g_z))
        below = g_z @ weight.T
        if route == RESIDUAL:
            below += g
        elif route == HIGHWAY:
            below += g * (1 - t) + (g * (a - h) * t * (1 - t)) @ gate.T
        g = stored(below)
        gradient.append(_rms(g))
    return (*map(np.array, (signal, gradient[::-1], for_weights[::-1], spread)),)


def _size(value):
    """A size as words: 3.1, or 2·10⁻⁷."""
    if not isfinite(value):
        return "not a number" if value != value else "infinite"
    if value == 0:
        return "exactly 0"
    if 0.01 <= value < 1000:
        return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"  # .2g would say 1.5e+02
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _lost(values, name, backward):
    """Where a curve leaves the numbers: "signal: infinite from layer 64 on"."""
    broken = np.flatnonzero(~np.isfinite(values) | (values == 0))
    if not len(broken):
        return ""
    first = broken[-1] if backward else broken[0]
    return f"{name}: {_size(values[first])} from layer {first} {'down' if backward else 'on'}"


def _curve(values):
    """What can be drawn on a log scale: zeros, infinities and NaNs end a curve."""
    return np.where((values > 0) & np.isfinite(values), values, np.nan)


def _above(ax, places):
    """Empty texts in the room between an axes and its title, where no curve can cross them."""
    return [
        ax.text(x, y, "", color=color, fontsize=9, transform=ax.transAxes, in_layout=False)
        for x, y, color in places
    ]


def layers():
    """The size of the signal and of the gradient in every layer of an untrained network."""

    def compute(depth, activation, scale, bias, route, number_format, seed):
        signal, gradient, weights, spread = _pass(depth, activation, scale, bias, route, number_format, seed)
        result = dict(signal=signal, spread=spread, gradient=gradient, zoom=gradient / gradient[-1])
        result |= dict(weights=weights / weights[-1], ratio=float(gradient[0] / gradient[-1]))
        return result | {"format": number_format}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.25, 1))
        left.set(yscale="log", xlim=(0, DEEPEST), ylim=VIEW["float64"], yticks=TICKS["float64"])
        left.set(xlabel="layer", ylabel="root mean square (log scale)")
        left.set_title("Within what the number format holds", pad=46)
        right.set(yscale="log", xlim=(0, DEEPEST), ylim=ZOOM, xlabel="layer")
        right.set_ylabel("÷ that of the last layer (log scale)")
        right.set_title("The gradient, near the last layer's", pad=46)
        right.axhspan(1 / 3, 3, color=GREEN, alpha=0.15, lw=0)
        over = dict(fontsize=8, ha="right", zorder=5)  # a line may cross these words
        over["bbox"] = dict(fc="white", ec="none", alpha=0.6, pad=0.5)
        within = right.text(DEEPEST - 1, 3.6, "within a factor of 3", color=GREEN, **over)
        return {
            "outside": [left.axhspan(1, 2, color="#E4E4E4", lw=0) for _ in range(2)],
            "limits": [left.text(99, 1, "", color="#555555", **over) for _ in range(2)],
            "signal": left.plot([], [], "-", color=BLUE)[0],
            "gradient": left.plot([], [], "--", color=VERMILLION)[0],
            "spread": left.plot([], [], ":", color=GREEN, lw=2)[0],
            "names": _above(left, ((0, 1.16, BLUE), (0, 1.09, GREEN), (0, 1.02, VERMILLION))),
            "zoom": right.plot([], [], "--", color=VERMILLION, lw=2)[0],
            "weights": right.plot([], [], "o", color=PURPLE, ms=2.5)[0],
            "first": _above(right, ((0, 1.09, VERMILLION), (0, 1.02, "#A3487E"))),
            "within": within,
        }

    def draw(artists, r):
        low, high = VIEW[r["format"]]
        artists["signal"].axes.set(ylim=(low, high), yticks=TICKS[r["format"]])
        info = np.finfo(FORMATS[r["format"]])
        for patch, text, edge, end, side in zip(
            artists["outside"],
            artists["limits"],
            (float(info.smallest_subnormal), float(info.max)),
            (low, high),
            ("top", "bottom"),
        ):
            inside = low < edge < high
            patch.set_visible(inside)
            patch.set_y(min(edge, end))
            patch.set_height(abs(end - edge))
            text.set_y(edge if inside else end)
            text.set_va(side if inside else {"top": "bottom", "bottom": "top"}[side])
            text.set_text(f"{r['format']} {'ends at' if inside else 'goes on to'} {_size(edge)}")
        for name in ("signal", "spread", "gradient"):
            artists[name].set_data(range(len(r[name])), _curve(r[name]))
        names = (
            "— " + (_lost(r["signal"], "signal", backward=False) or "signal"),
            "··· "
            + (
                _lost(r["spread"], "its spread over the digits", backward=False)
                or "its spread over the digits"
            ),
            "- - " + (_lost(r["gradient"], "gradient", backward=True) or "gradient"),
        )
        for text, name in zip(artists["names"], names):
            text.set_text(name)
        artists["zoom"].set_data(range(len(r["zoom"])), _curve(r["zoom"]))
        artists["weights"].set_data(range(1, len(r["weights"]) + 1), _curve(r["weights"]))
        names = f"- - at the input: {_size(r['ratio'])}", f"● for weights, first: {_size(r['weights'][0])}"
        for text, name in zip(artists["first"], names):
            text.set_text(name)

    def note(values, r):
        return (
            f"{values['route']}, {values['depth']} layers: gradient at the input ÷ behind the last layer: "
            f"{_size(r['ratio'])}; the signal ends at {_size(r['signal'][-1])}, its spread at "
            f"{_size(r['spread'][-1])}"
        )

    return Explorer(
        "Signal and gradient, layer by layer",
        dict(
            depth=IntSlider(2, DEEPEST, 50, "layers"),
            activation=Choice(("linear", "sigmoid", "tanh", "relu", "leaky relu"), "sigmoid", "activation"),
            scale=LogSlider(0.1, 16, 1.0, "scale of the weights (× 1/√n)", step=0.01),
            bias=Slider(0, 1, 0.1, "size of the biases", step=0.05),
            route=Choice((PLAIN, RESIDUAL, HIGHWAY), PLAIN, "path"),
            number_format=Choice(tuple(FORMATS), "float32", "number format"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "50 layers or more, plain: the gradients at both ends within a factor of 3",
            lambda values, r: values["route"] == PLAIN and values["depth"] >= 50 and 1 / 3 <= r["ratio"] <= 3,
        ),
        code={"numpy": _LAYERS_START + _LAYERS_NUMPY, "torch": _LAYERS_START + _LAYERS_TORCH},
        answer=lambda r: r["ratio"],
    )


_LAYERS_START = """\
import numpy as np
from nnlib.data import digits

depth, activation, scale, route, number_format = $depth, $activation, $scale, $route, $number_format
x, y = digits().x_train, digits().y_train[:32]
x = ((x - x.mean(axis=0)) / np.where(x.min(axis=0) == x.max(axis=0), 1, x.std(axis=0)))[:32]
rng = np.random.default_rng($seed)
weights = scale / 8 * rng.normal(size=(100, 64, 64))[:depth]
biases, last = $bias * rng.normal(size=(100, 64))[:depth], rng.normal(size=(64, 10)) / 8
gates = np.random.default_rng([$seed, 1]).normal(size=(100, 64, 64))[:depth] / 8
"""

_LAYERS_NUMPY = """
def stored(x):                                    # computed in float64, kept in the number format
    return x.astype(number_format).astype(np.float64)

def activate(z):
    if activation in ("relu", "leaky relu"):
        slope = np.where(z > 0, 1, 0.01 if activation == "leaky relu" else 0)
        return z * slope, slope
    if activation == "sigmoid":
        a = (1 + np.tanh(z / 2)) / 2
        return a, a * (1 - a)
    return (z, 1) if activation == "linear" else (np.tanh(z), 1 - np.tanh(z) ** 2)

with np.errstate(all="ignore"):
    h, kept = stored(x), []
    for weight, bias, gate in zip(weights, biases, gates):
        a, slope = activate(h @ weight + bias)
        t = (1 + np.tanh((h @ gate - 2) / 2)) / 2 if route == "highway" else 1
        kept.append((h, a, slope, t))
        h = stored(t * a + {"plain": 0, "residual": h, "highway": (1 - t) * h}[route])
    z = h @ last
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    g = at_the_end = stored((p - np.eye(10)[y]) @ last.T / 32)
    for weight, gate, (h, a, slope, t) in zip(weights[::-1], gates[::-1], kept[::-1]):
        g_h = (g * t * slope) @ weight.T + {"plain": 0, "residual": g, "highway": g * (1 - t)}[route]
        if route == "highway":
            g_h = g_h + (g * (a - h) * t * (1 - t)) @ gate.T
        g = stored(g_h)
    answer = np.linalg.norm(g) / np.linalg.norm(at_the_end)
"""

_LAYERS_TORCH = """
import torch
import torch.nn.functional as F

class Stored(torch.autograd.Function):            # kept in the number format, forward and backward
    @staticmethod
    def forward(ctx, x):
        return x.to(getattr(torch, number_format)).double()

    @staticmethod
    def backward(ctx, g):
        return g.to(getattr(torch, number_format)).double()

act = {"linear": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu,
       "leaky relu": F.leaky_relu}[activation]
x = torch.from_numpy(x).requires_grad_()
h = Stored.apply(x)
for weight, bias, gate in zip(*(torch.from_numpy(part) for part in (weights, biases, gates))):
    a = act(h @ weight + bias)
    if route == "residual":
        a = a + h
    elif route == "highway":
        a = torch.lerp(h, a, torch.sigmoid(h @ gate - 2))
    h = Stored.apply(a)
h.retain_grad()
F.cross_entropy(h @ torch.from_numpy(last), torch.from_numpy(y).long()).backward()
answer = x.grad.norm() / h.grad.norm()
"""


# -------------------------------------------------------------------------------------------- the cliff

W_RANGE, B_RANGE = (3.5, 6.2), (-3.1, -1.1)
NONE, BY_NORM, BY_VALUE = "none", "by norm", "by value"
TARGET, UNROLLED = 0.7, 50


def _sigmoid(z):
    return 1 / (1 + exp(-z)) if z > -700 else 0.0


def _cliff_slope(w, b):
    """Loss and gradient at one point: `cliff` and its backward in plain numbers, which is quicker for one."""
    kept = [_sigmoid(0.5)]
    for _ in range(UNROLLED):
        kept.append(_sigmoid(w * kept[-1] + b))
    p = kept.pop()
    loss, grad_s, grad_w, grad_b = (p - TARGET) ** 2, 2 * (p - TARGET) * p * (1 - p), 0.0, 0.0
    for p in reversed(kept):
        grad_w += grad_s * p
        grad_b += grad_s
        grad_s *= w * p * (1 - p)
    return loss, grad_w, grad_b


def on_the_cliff():
    """Gradient descent beside the cliff of a recurrent network of one unit, with and without clipping."""

    def compute(clipping, limit, lr, w, b, steps):
        path, losses, norms = [(w, b)], [], []
        for _ in range(steps + 1):
            loss, *grad = _cliff_slope(w, b)
            norm = hypot(*grad)
            losses.append(loss)
            norms.append(norm)
            if clipping == BY_NORM:
                grad = [g * min(1.0, limit / (norm + 1e-6)) for g in grad]
            elif clipping == BY_VALUE:
                grad = [min(max(g, -limit), limit) for g in grad]
            w, b = w - lr * grad[0], b - lr * grad[1]
            path.append((w, b))
        path = np.array(path[: steps + 1])
        leaps = np.hypot(*np.diff(path, axis=0).T)
        longest = float(leaps.max(initial=0))
        return dict(
            path=path, losses=losses, norms=norms, longest=longest, limit=None if clipping == NONE else limit
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.1, 1))
        ws, bs = np.linspace(*W_RANGE, 181), np.linspace(*B_RANGE, 141)
        points = np.stack(np.meshgrid(ws, bs), axis=-1).reshape(-1, 2)
        heights = np.sqrt(cliff.unchecked(points)).reshape(len(bs), len(ws))
        left.imshow(heights, origin="lower", extent=(*W_RANGE, *B_RANGE), aspect="auto", cmap="cividis")
        left.contour(ws, bs, heights, levels=8, colors="white", linewidths=0.4, alpha=0.6)
        left.text(3.6, -2.95, "high plain", color="black", fontsize=9)
        left.text(6.1, -1.3, "low plain", color="white", fontsize=9, ha="right")
        left.text(3.95, -1.55, "valley", color="white", fontsize=9, ha="right")
        left.set(xlim=W_RANGE, ylim=B_RANGE, xlabel="recurrent weight w", ylabel="bias b")
        left.set_title("The loss seen from above: bright is high")
        right.set(yscale="log", xlim=(0, 100), ylim=(1e-6, 1e5), xlabel="step", yticks=[1e-6, 1e-3, 1, 1e3])
        right.set_title("Length of the gradient, and loss")
        return {
            "path": left.plot([], [], "o-", color=VERMILLION, ms=3, lw=1.2)[0],
            "start": left.plot([], [], "s", color="white", mec="black", ms=7)[0],
            "end": left.plot([], [], "D", color=VERMILLION, mec="white", ms=8, zorder=5)[0],
            "out": left.text(
                6.15, -3.0, "", ha="right", fontsize=9, bbox=dict(fc="white", ec="none", alpha=0.85)
            ),
            "norm": right.plot([], [], "--", color=VERMILLION, marker="o", ms=3, markevery=[0])[0],
            "loss": right.plot([], [], "-", color=BLUE, marker="o", ms=3, markevery=[0])[0],
            "gone": right.text(98, 2e-6, "", color=VERMILLION, ha="right", fontsize=9),
            "limit": right.axhline(1, color=GRAY, ls=":", lw=1.5),
            "names": [
                right.text(x, 2e4, name, color=color)
                for x, name, color in (
                    (2, "— loss", BLUE), (20, "- - gradient", VERMILLION), (52, "··· limit", "#555555"),
                )
            ],
        }  # fmt: skip

    def draw(artists, r):
        inside = np.clip(r["path"], (W_RANGE[0], B_RANGE[0]), (W_RANGE[1], B_RANGE[1]))
        artists["path"].set_data(*r["path"].T)
        artists["start"].set_data(r["path"][:1, 0], r["path"][:1, 1])
        artists["end"].set_data(inside[-1:, 0], inside[-1:, 1])
        w, b = r["path"][-1]
        out = not np.array_equal(inside[-1], r["path"][-1])
        where = f"({w:.1f}, {b:.1f})".replace("-", "−")
        artists["out"].set_text(f"thrown out of the picture, to {where}" if out else "")
        artists["out"].set_y(-3.0 if r["path"][0, 1] > -2.7 else -1.5)  # not over the start
        steps = range(len(r["losses"]))
        for name, values in (("norm", r["norms"]), ("loss", r["losses"])):
            artists[name].set_data(steps, _curve(np.array(values)))
        gone = r["norms"].index(0.0) if 0.0 in r["norms"] else None
        artists["gone"].set_text("" if gone is None else f"gradient exactly 0 from step {gone} on")
        for artist in (artists["limit"], artists["names"][-1]):
            artist.set_visible(r["limit"] is not None)
        artists["limit"].set_ydata([r["limit"] or 1] * 2)

    def note(values, r):
        w, b = r["path"][-1]
        return (
            f"after {values['steps']} steps at ({w:.2f}, {b:.2f}) with loss {_size(r['losses'][-1])}; "
            f"longest gradient {max(r['norms']):.3g}, longest step {r['longest']:.2g}"
        ).replace("-", "−")

    return Explorer(
        "Clipping on the cliff",
        dict(
            clipping=Choice((NONE, BY_NORM, BY_VALUE), NONE, "clipping"),
            limit=LogSlider(0.01, 100, 0.3, "limit"),
            lr=LogSlider(0.02, 1, 0.3, "learning rate"),
            w=Slider(3.6, 6.0, 4.8, "start, w", step=0.1),
            b=Slider(-3.0, -1.2, -1.9, "start, b", step=0.1),
            steps=Steps(0, 100, 60, "steps"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"limit"} if values["clipping"] == "none" else set(),
        goal=Goal(
            "from (4.8, −1.9) with a learning rate of 0.3 or more: a loss below 0.005 after 60 steps",
            lambda values, r: (
                (values["w"], values["b"], values["steps"]) == (4.8, -1.9, 60)
                and values["lr"] > 0.299
                and r["losses"][-1] < 0.005
            ),
        ),
        code={"numpy": _CLIFF_NUMPY, "torch": _CLIFF_TORCH},
        answer=lambda r: r["losses"][-1],
    )


_CLIFF_NUMPY = """\
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-np.maximum(z, -700)))

clipping, limit, x = $clipping, $limit, np.array([$w, $b])
for step in range($steps + 1):
    p = [sigmoid(0.5)]
    for _ in range(50):
        p.append(sigmoid(x[0] * p[-1] + x[1]))
    answer = (p[-1] - 0.7) ** 2
    grad_s, grad = 2 * (p[-1] - 0.7) * p[-1] * (1 - p[-1]), np.zeros(2)
    for q in p[-2::-1]:
        grad = grad + grad_s * np.array([q, 1])
        grad_s = grad_s * (x[0] * q * (1 - q))
    if clipping == "by norm":
        grad = grad * min(1, limit / (np.hypot(*grad) + 1e-6))
    elif clipping == "by value":
        grad = np.clip(grad, -limit, limit)
    x = x - $lr * grad
"""

_CLIFF_TORCH = """\
import torch

clipping, limit = $clipping, $limit
x = torch.tensor([$w, $b], dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([x], lr=$lr)
for step in range($steps + 1):
    s = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(50):
        s = x[0] * torch.sigmoid(s) + x[1]
    answer = (torch.sigmoid(s) - 0.7) ** 2
    optimizer.zero_grad()
    answer.backward()
    if clipping == "by norm":
        torch.nn.utils.clip_grad_norm_([x], limit)
    elif clipping == "by value":
        torch.nn.utils.clip_grad_value_([x], limit)
    optimizer.step()
answer = answer.detach()
"""


# ---------------------------------------------------------------------------------------- through time

UNITS, SEQUENCES, LONGEST = 40, 8, 100
ROTATION, RANDOM, ONE_WAY = "rotation", "random", "one-way"


@lru_cache(maxsize=64)
def _recurrent(kind, seed):
    """A matrix whose largest eigenvalue has length 1, and its eigenvalues."""
    weight = np.random.default_rng(seed).normal(size=(UNITS, UNITS))
    if kind == ROTATION:
        weight = orthogonal.unchecked(weight)
    elif kind == ONE_WAY:  # each unit hears only those behind it, and itself
        weight = np.triu(weight, 1) / 1.5 + np.diag(np.linspace(-1, 1, UNITS))
    eigenvalues = np.linalg.eigvals(weight)
    radius = np.abs(eigenvalues).max()
    return weight / radius, eigenvalues / radius


def through_time():
    """A gradient on its way back through a recurrent network, beside the eigenvalues that decide its end."""

    def compute(matrix, rho, activation, inputs, keep, steps, seed):
        unit, eigenvalues = _recurrent(matrix, seed)
        weight, rng = rho * unit, np.random.default_rng([seed, 1])
        x, g = rng.normal(size=(LONGEST, SEQUENCES, UNITS))[:steps], rng.normal(size=(SEQUENCES, UNITS))
        h, slopes = np.zeros((SEQUENCES, UNITS)), []
        for inputs_t in inputs * x:
            z = h @ weight.T + inputs_t
            a = np.tanh(z) if activation == "tanh" else z
            slopes.append(1 - a * a if activation == "tanh" else 1.0)
            h = keep * h + (1 - keep) * a
        norms = [np.linalg.norm(g)]
        for slope in reversed(slopes):
            g = keep * g + (1 - keep) * (g * slope) @ weight
            norms.append(np.linalg.norm(g))
        eigenvalues = keep + (1 - keep) * rho * eigenvalues
        return dict(
            norms=np.array(norms) / norms[0],
            eigenvalues=eigenvalues,
            radius=float(np.abs(eigenvalues).max()),
            stretch=float(np.linalg.norm(keep * np.eye(UNITS) + (1 - keep) * weight, 2)),
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.6))
        left.set(
            xlim=(-1.75, 1.75), ylim=(-1.75, 1.75), aspect="equal", xlabel="real part", ylabel="imaginary"
        )
        left.set_title("Eigenvalues of one step", pad=32)
        circle = np.linspace(0, 2 * np.pi, 200)
        left.plot(np.cos(circle), np.sin(circle), color=GRAY, lw=1, ls=":")
        left.axhline(0, color="#DDDDDD", lw=0.8, zorder=0)
        left.axvline(0, color="#DDDDDD", lw=0.8, zorder=0)
        right.set(yscale="log", xlim=(0, LONGEST), ylim=(1e-12, 1e12), xlabel="steps back in time")
        right.set(ylabel="length, from 1 (log scale)", yticks=[1e-12, 1e-8, 1e-4, 1, 1e4, 1e8, 1e12])
        right.set_title("Length of the gradient", pad=32)
        right.axhline(1, color=GRAY, lw=1, ls=":")
        return {
            "eigenvalues": left.plot([], [], "o", color=BLUE, ms=3.5)[0],
            "circle": left.plot([], [], "-", color=BLUE, lw=1, alpha=0.6)[0],
            "theory": right.plot([], [], "-", color=BLUE, lw=1, alpha=0.7)[0],
            "gradient": right.plot([], [], "--", color=VERMILLION, lw=2)[0],
            "names": _above(right, ((0, 1.09, BLUE), (0, 1.02, VERMILLION))),
            "stretch": _above(left, ((0, 1.02, "black"),))[0],
        }

    def draw(artists, r):
        values, circle = r["eigenvalues"], np.linspace(0, 2 * np.pi, 120)
        artists["eigenvalues"].set_data(values.real, values.imag)
        artists["circle"].set_data(r["radius"] * np.cos(circle), r["radius"] * np.sin(circle))
        steps = np.arange(len(r["norms"]))
        artists["theory"].set_data(steps, _curve(r["radius"] ** steps))
        artists["gradient"].set_data(steps, _curve(r["norms"]))
        end = f"- - the gradient, in the end {_size(r['norms'][-1])}"
        names = f"— largest eigenvalue {r['radius']:.2f}, to the power of the steps", end
        for text, name in zip(artists["names"], names):
            text.set_text(name)
        artists["stretch"].set_text(f"one step stretches at most {r['stretch']:.2f} times")

    def note(values, r):
        return (
            f"after {values['steps']} steps: {_size(r['norms'][-1])}; its largest on the way: "
            f"{_size(r['norms'].max())}; largest eigenvalue {r['radius']:.2f}"
        )

    return Explorer(
        "A gradient on its way back through time",
        dict(
            matrix=Choice((ROTATION, RANDOM, ONE_WAY), ROTATION, "recurrent matrix"),
            rho=Slider(0.3, 1.7, 0.8, "its largest eigenvalue ρ", step=0.05),
            activation=Choice(("linear", "tanh"), "linear", "activation"),
            inputs=LogSlider(0.001, 10, 0.1, "size of the inputs"),
            keep=Slider(0, 0.95, 0.0, "share of the old state that is kept", step=0.05),
            steps=IntSlider(5, LONGEST, 60, "steps"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"inputs"} if values["activation"] == "linear" else set(),
        goal=Goal(
            "every eigenvalue inside the unit circle, and yet a gradient that grows tenfold on its way",
            lambda values, r: r["radius"] < 1 and r["norms"].max() >= 10,
        ),
        code={"numpy": _TIME_START + _TIME_NUMPY, "torch": _TIME_START + _TIME_TORCH},
        answer=lambda r: r["norms"][-1],
    )


_TIME_START = """\
import numpy as np

matrix, steps, keep = $matrix, $steps, $keep
weight = np.random.default_rng($seed).normal(size=(40, 40))
if matrix == "rotation":
    weight, r = np.linalg.qr(weight)
    weight = weight * np.sign(np.diag(r))
elif matrix == "one-way":
    weight = np.triu(weight, 1) / 1.5 + np.diag(np.linspace(-1, 1, 40))
weight = $rho * weight / np.abs(np.linalg.eigvals(weight)).max()
rng = np.random.default_rng([$seed, 1])
x, g = $inputs * rng.normal(size=(100, 8, 40))[:steps], rng.normal(size=(8, 40))
"""

_TIME_NUMPY = """
h, slopes, start = np.zeros((8, 40)), [], np.linalg.norm(g)
for t in range(steps):
    z = h @ weight.T + x[t]
    a = np.tanh(z) if $activation == "tanh" else z
    slopes.append(1 - a * a if $activation == "tanh" else 1)
    h = keep * h + (1 - keep) * a
for slope in reversed(slopes):
    g = keep * g + (1 - keep) * (g * slope) @ weight
answer = np.linalg.norm(g) / start
"""

_TIME_TORCH = """
import torch

weight, x, g = (torch.from_numpy(a) for a in (weight, x, g))
first = h = torch.zeros(8, 40, dtype=torch.float64, requires_grad=True)
for t in range(steps):
    z = h @ weight.T + x[t]
    h = keep * h + (1 - keep) * (torch.tanh(z) if $activation == "tanh" else z)
h.backward(g)
answer = first.grad.norm() / g.norm()
"""
