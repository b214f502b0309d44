"""What the learner can turn in notebook 01: a line set by hand, and a line set by Rosenblatt's rule."""

import numpy as np

from nnlib import data, figures
from nnlib.explorer import Choice, Explorer, Goal, Seed, Slider, Steps
from nnlib.neuron.in_numpy import perceptron, perceptron_update

KINDS = ("separable", "overlapping", "XOR")


def points(kind, seed, gap=0.0, n=60):
    """The data of both explorers: x (n, 2) in [-2, 2]², y (n,) 0 or 1; `gap` pulls the classes apart."""
    rng, across = np.random.default_rng(seed), np.array([0.6, -0.8])
    if kind == "separable":
        x, y = data.separable(n, 0.1, rng, normal=across)
        x = 1.4 * x + (0.3, 0.2)
    elif kind == "overlapping":
        x, y = data.blobs(n, 0.7, rng, centers=(-across, across))
    else:
        x, y = data.xor(n, 0.1, rng)
    return np.clip(x + gap * np.outer(y, across), -1.95, 1.95), y


def _plane(fig, title):
    """Axes for points in the plane and the artists that both explorers move."""
    left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.15))
    left.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="input 1", ylabel="input 2", aspect="equal", title=title)
    empty = np.empty((0, 2))
    artists = {
        "side": figures.surface(left, np.zeros(3600), -2, 2, alpha=0.55, interpolation="nearest"),
        "line": left.plot([], [], color="black", lw=1.6, ls="-")[0],
        "points": [
            left.scatter(
                *empty.T, s=22, color=color, marker=marker, linewidths=0.4, edgecolors="white", zorder=3
            )
            for color, marker in ((figures.VERMILLION, "^"), (figures.BLUE, "o"))
        ],
        "wrong": left.scatter(
            *empty.T, s=90, facecolors="none", edgecolors="black", linewidths=1.2, zorder=4
        ),
        "weight": left.annotate(
            "", (0, 0), (0, 0), arrowprops=dict(arrowstyle="-|>", color="black", lw=1.6), zorder=5
        ),
    }
    return left, right, artists


def _move(artists, x, y, weight, bias):
    """Put points, half planes, boundary, weight vector and circles around the errors in place."""
    grid = figures.plane(-2, 2, 60)
    artists["side"].set_data(perceptron.unchecked(grid, weight, bias).reshape(60, 60))
    for label, artist in enumerate(artists["points"]):
        artist.set_offsets(x[y == label])
    artists["wrong"].set_offsets(x[perceptron.unchecked(x, weight, bias) != y])
    length = np.hypot(*weight)
    if length == 0:
        artists["line"].set_data([], [])
        artists["weight"].set_visible(False)
        return
    foot, along = -bias * weight / length**2, np.array([-weight[1], weight[0]]) / length
    artists["line"].set_data(*(foot + np.array([[-9], [9]]) * along).T)
    artists["weight"].set_visible(True)
    artists["weight"].set_position(foot)
    artists["weight"].xy = foot + 0.7 * weight / length


def boundary():
    """Set a line by hand: two weights and a bias, with the errors counted as you turn."""

    def compute(data, w1, w2, b, seed):
        x, y = points(data, seed)
        weight = np.array([w1, w2])
        sums = x @ weight + b
        return dict(x=x, y=y, weight=weight, bias=b, sums=sums, errors=int(((sums >= 0) != y).sum()))

    def setup(fig):
        _, right, artists = _plane(fig, "The line is where the sum is 0")
        right.set(xlim=(-9, 9), ylim=(-0.6, 1.6), yticks=[0, 1], xlabel="weighted sum plus bias")
        right.set_yticklabels(["class 0", "class 1"])
        right.set_title("Below 0 silent, from 0 on it fires")
        right.axvline(0, color="black", lw=1.2, ls="--")
        right.text(-0.25, 1.45, "silent", ha="right", color=figures.GRAY)
        right.text(0.25, 1.45, "fires", color=figures.GRAY)
        artists["sums"] = [
            right.scatter([], [], s=22, color=color, marker=marker, alpha=0.8)
            for color, marker in ((figures.VERMILLION, "^"), (figures.BLUE, "o"))
        ]
        return artists

    def draw(artists, r):
        _move(artists, r["x"], r["y"], r["weight"], r["bias"])
        jitter = np.linspace(-0.25, 0.25, len(r["y"]))
        for label, artist in enumerate(artists["sums"]):
            chosen = r["y"] == label
            artist.set_offsets(np.column_stack([np.clip(r["sums"], -8.8, 8.8), label + jitter])[chosen])

    return Explorer(
        "A line set by hand",
        dict(
            data=Choice(KINDS, "separable", "data"),
            w1=Slider(-3, 3, 1.0, "weight 1", step=0.05),
            w2=Slider(-3, 3, 1.0, "weight 2", step=0.05),
            b=Slider(-3, 3, 0.0, "bias", step=0.05),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: f"{r['errors']} of {len(r['y'])} points on the wrong side",
        goal=Goal("no point on the wrong side", lambda values, r: r["errors"] == 0),
        code={
            "numpy": _DATA.replace("{gap}", "") + _BY_HAND_NUMPY,
            "torch": _DATA.replace("{gap}", "") + _BY_HAND_TORCH,
        },
        answer=lambda r: r["errors"],
    )


def rule():
    """Rosenblatt's rule, one update for each click, with and without a line that separates the data."""

    def compute(data, updates, gap, seed):
        x, y = points(data, seed, gap)
        weight, bias, history, order = np.zeros(2), 0.0, [], np.random.default_rng(seed).permutation(len(x))
        corrected, seen, quiet = None, 0, 0
        while len(history) < updates and quiet < len(x):  # quiet: samples in a row without a mistake
            i = order[seen % len(x)]
            new = perceptron_update.unchecked(x[i], y[i], weight, bias)
            seen, quiet = seen + 1, quiet + 1
            if new[1] != bias:
                corrected, quiet = x[i], 0
                weight, bias = new
                history.append(int((perceptron.unchecked(x, weight, bias) != y).sum()))
        errors = int((perceptron.unchecked(x, weight, bias) != y).sum())
        return dict(
            x=x, y=y, weight=weight, bias=bias, history=history, corrected=corrected, errors=errors, seen=seen
        )

    def setup(fig):
        left, right, artists = _plane(fig, "The corrected point pulls the line")
        artists["corrected"] = left.scatter(
            [], [], s=150, marker="s", facecolors="none", edgecolors="black", zorder=5
        )
        right.set(xlim=(0, 100), ylim=(0, 60), xlabel="updates", ylabel="points on the wrong side, of 60")
        right.set_title("A correction can make others wrong")
        artists["errors"] = right.plot([], [], color=figures.BLUE, lw=1.4)[0]
        artists["now"] = right.plot([], [], "o", color=figures.BLUE)[0]
        return artists

    def draw(artists, r):
        _move(artists, r["x"], r["y"], r["weight"], r["bias"])
        artists["corrected"].set_offsets(np.empty((0, 2)) if r["corrected"] is None else r["corrected"][None])
        n = len(r["history"])
        artists["errors"].set_data(range(1, n + 1), r["history"])
        artists["now"].set_data([n] if n else [], r["history"][-1:])

    def note(values, r):
        if r["errors"] == 0:
            return f"done after {len(r['history'])} updates: every point is on its side"
        return (
            f"{len(r['history'])} updates, {r['seen']} points looked at, {r['errors']} of {len(r['y'])} wrong"
        )

    return Explorer(
        "Rosenblatt's rule, update by update",
        dict(
            data=Choice(KINDS, "separable", "data"),
            updates=Steps(0, 100, 3, "updates"),
            gap=Slider(-0.3, 0.4, 0.0, "gap", step=0.01),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("a line with no point on the wrong side", lambda values, r: r["errors"] == 0),
        code={
            "numpy": _DATA.replace("{gap}", ", $gap") + _RULE_NUMPY,
            "torch": _DATA.replace("{gap}", ", $gap") + _RULE_TORCH,
        },
        answer=lambda r: r["errors"],
    )


_DATA = """\
import numpy as np
from nnlib.neuron.explorers import points

x, y = points($data, $seed{gap})
"""

_BY_HAND_NUMPY = """
weight, bias = np.array([$w1, $w2]), $b
fires = x @ weight + bias >= 0
answer = (fires != y).sum()
"""

_BY_HAND_TORCH = """
import torch

x, y = torch.from_numpy(x), torch.from_numpy(y)
weight, bias = torch.tensor([$w1, $w2], dtype=x.dtype), $b
fires = torch.nn.functional.linear(x, weight) + bias >= 0
answer = (fires != y.bool()).sum()
"""

_RULE_NUMPY = """
order = np.random.default_rng($seed).permutation(len(x))
weight, bias = np.zeros(2), 0.0
updates = since_mistake = n = 0
while updates < $updates and since_mistake < len(x):
    i = order[n % len(x)]
    error = y[i] - (x[i] @ weight + bias >= 0)
    weight, bias = weight + error * x[i], bias + error
    updates, n = updates + abs(error), n + 1
    since_mistake = 0 if error else since_mistake + 1
answer = ((x @ weight + bias >= 0) != y).sum()
"""

_RULE_TORCH = """
import torch

order = np.random.default_rng($seed).permutation(len(x))
x, y = torch.from_numpy(x), torch.from_numpy(y)
weight, bias = torch.zeros(2, dtype=x.dtype), torch.zeros((), dtype=x.dtype)
updates = since_mistake = n = 0
while updates < $updates and since_mistake < len(x):
    i = order[n % len(x)]
    error = y[i] - (x[i] @ weight + bias >= 0).long()
    weight, bias = weight + error * x[i], bias + error
    updates, n = updates + abs(int(error)), n + 1
    since_mistake = 0 if error else since_mistake + 1
answer = ((x @ weight + bias >= 0) != y.bool()).sum()
"""
