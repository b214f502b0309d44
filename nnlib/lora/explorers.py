"""What can be turned in notebook 21: rank and alpha, the rank of an update, a blend of two adapters."""

from functools import cache
from itertools import product

import numpy as np

from nnlib import figures
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Slider, Toggle
from nnlib.layers import fit
from nnlib.lora.experiments import accuracy, pretrained, rotate, task, with_adapters
from nnlib.losses.in_numpy import cross_entropy
from nnlib.optimizers.in_numpy import adam

HIDDEN, EPOCHS = 128, 10
RANKS = (1, 2, 4, 8, 16, 32)


@cache
def _turned():
    """The pictures of `task`, turned once and not at every move of a slider."""
    return task()


def adapt(r, lora_alpha, lr, epochs=EPOCHS, seed=0, **arguments):
    """The small network with adapters of rank r, fine-tuned on 400 turned digits, and its history."""
    x, y, *_ = _turned()
    rng = np.random.default_rng(seed)
    net = with_adapters(pretrained(0, HIDDEN), r, lora_alpha, rng)
    return net, fit(net, x, y, optimizer=adam, lr=lr, epochs=epochs, batch_size=64, rng=rng, **arguments)


@cache
def fine_tuned(degrees, epochs=EPOCHS):
    """All weights of the small network, fine-tuned on 400 digits turned by so many degrees."""
    x, y, *test = task(0, degrees)
    net, rng = pretrained(0, HIDDEN), np.random.default_rng(0)
    history = fit(
        net, x, y, optimizer=adam, lr=3e-3, epochs=epochs, batch_size=64, rng=rng, validation=test, every=10
    )
    return net, history


# --------------------------------------------------------------------------------------- rank and alpha


def rank_and_alpha():
    def compute(r, lora_alpha, rslora, lr):
        alpha = lora_alpha * np.sqrt(r) if rslora else lora_alpha  # alpha / sqrt(r) is this over r
        net, history = adapt(r, alpha, lr, validation=_turned()[2:], every=10)
        return {"history": history, "parameters": net.params.size}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, sharey=True)
        full, history = fine_tuned(35)
        steps, start = history.step[-1], 100 * history.validation_accuracy[0]
        left.set(
            xlim=(0, steps * 1.02), ylim=(0, 100), xlabel="steps", ylabel="turned test digits read right, %"
        )
        left.set_title("Fine-tuning on 400 turned digits")
        whole = left.plot(
            history.step, 100 * np.array(history.validation_accuracy), "--", color=figures.VERMILLION
        )[0]
        left.text(
            0.98 * steps,
            100,
            "all weights, rate 0.003",
            color=whole.get_color(),
            ha="right",
            va="top",
            fontsize=9,
        )
        left.text(0.5 * steps, start - 2, "before", color=figures.GRAY, ha="center", va="top", fontsize=9)
        left.axhline(start, color=figures.GRAY, ls=":", lw=1)
        right.set(xscale="log", xlim=(300, 50_000), xlabel="numbers that are trained (log scale)")
        right.set_title("Quality for its price")
        usual = [adapt(r, 2 * r, 3e-3, validation=_turned()[2:], every=1000) for r in RANKS]
        sizes = [net.params.size for net, _ in usual]
        right.plot(sizes, [100 * h.validation_accuracy[-1] for _, h in usual], "-", color="#c8c8c8", lw=1.5)
        for size, r, (_, h) in zip(sizes, RANKS, usual):
            right.plot(size, 100 * h.validation_accuracy[-1], "o", color="#b0b0b0", ms=4)
            name, place = ("r = 1" if r == 1 else str(r)), 100 * h.validation_accuracy[-1] - 7
            right.text(size, place, name, color=figures.GRAY, ha="center", va="top", fontsize=8)
        right.text(330, 100, "gray: α = 2r, rate 0.003", color=figures.GRAY, fontsize=8, va="top")
        right.plot(full.params.size, 100 * history.validation_accuracy[-1], "^", color=figures.VERMILLION)
        right.text(5e4, 100, "all weights", color=figures.VERMILLION, ha="right", va="top", fontsize=9)
        return {
            "curve": left.plot([], [], color=figures.BLUE)[0],
            "name": left.text(0, 0, "", color=figures.BLUE, ha="right", va="top", fontsize=9),
            "point": right.plot([], [], "D", color=figures.BLUE, ms=8)[0],
            "message": left.text(0.5 * steps, 50, "", color=figures.BLUE, ha="center"),
        }

    def draw(artists, r):
        history, right = r["history"], 100 * np.array(r["history"].validation_accuracy)
        artists["curve"].set_data(history.step, right)
        artists["point"].set_data([r["parameters"]], [right[-1]])
        artists["name"].set_text("adapters")
        artists["name"].set_position((history.step[-1], right[-1] - 4))
        stopped = history.diverged_at
        artists["message"].set_text("" if stopped is None else f"diverged at step {stopped}")

    def note(values, r):
        share = 100 * r["parameters"] / fine_tuned(35)[0].params.size
        scaling = values["lora_alpha"] / (np.sqrt(values["r"]) if values["rslora"] else values["r"])
        right = 100 * r["history"].validation_accuracy[-1]
        return (
            f"{r['parameters']:,} numbers, {share:.0f} % of all; scaling {scaling:.2f}; {right:.0f} % right"
        )

    return Explorer(
        "Rank and alpha",
        dict(
            r=Choice(RANKS, 4, "rank r"),
            lora_alpha=LogSlider(0.25, 256, 8, "alpha", step=np.log10(2) / 2),
            rslora=Toggle(False, "scale by α / √r instead of α / r"),
            lr=LogSlider(1e-4, 0.1, 1e-3, "learning rate"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "90 % with at most 2,500 trained numbers",
            lambda values, r: r["parameters"] <= 2500 and r["history"].validation_accuracy[-1] >= 0.9,
        ),
        code={"numpy": _RANK_START + _RANK_NUMPY, "torch": _RANK_START + _RANK_TORCH},
        answer=lambda r: r["history"].validation_loss[-1],
    )


_RANK_START = """\
import numpy as np
from nnlib.lora.experiments import pretrained, task

x, y, x_test, y_test = task()
base = [(l.params["weight"], l.params["bias"]) for l in pretrained(0, 128).layers if l.params]
rng, r = np.random.default_rng(0), $r
scaling = $lora_alpha / (r**0.5 if $rslora else r)
A = [(2 * rng.random((r, w.shape[1]), np.float32) - 1) / w.shape[1] ** 0.5 for w, _ in base]
B = [np.zeros((len(w), r), np.float32) for w, _ in base]
"""

_RANK_NUMPY = """
def forward(x):
    inputs = [x]
    for (weight, bias), a, b in zip(base, A, B):
        z = inputs[-1] @ weight.T + bias + scaling * (inputs[-1] @ a.T) @ b.T
        inputs.append(np.maximum(z, 0))
    return inputs[:-1], z

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

state = [[0.0, 0.0] for _ in range(6)]
t = 0
for epoch in range(10):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 64):
        rows = order[start : start + 64]
        inputs, z = forward(x[rows])
        g = np.exp(log_softmax(z))
        g[np.arange(len(rows)), y[rows]] -= 1
        g /= len(rows)
        grads = [None] * 6
        for i in (2, 1, 0):
            grad_h = scaling * g @ B[i]
            grads[i], grads[3 + i] = grad_h.T @ inputs[i], scaling * g.T @ (inputs[i] @ A[i].T)
            g = (g @ base[i][0] + grad_h @ A[i]) * (inputs[i] > 0)
        t += 1
        for p, grad, s in zip(A + B, grads, state):
            s[0] = 0.9 * s[0] + 0.1 * grad
            s[1] = 0.999 * s[1] + 0.001 * grad * grad
            p -= $lr * (s[0] / (1 - 0.9**t)) / (np.sqrt(s[1] / (1 - 0.999**t)) + 1e-8)

answer = -log_softmax(forward(x_test)[1])[np.arange(len(y_test)), y_test].mean()
"""

_RANK_TORCH = """
import torch
from torch.nn.functional import cross_entropy
from nnlib.lora.in_torch import lora_linear

base = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in base]
A, B = ([torch.from_numpy(p).requires_grad_() for p in held] for held in (A, B))
optimizer = torch.optim.Adam(A + B, lr=$lr)
x, y, x_test, y_test = map(torch.from_numpy, (x, y, x_test, y_test))

def forward(x):
    for i in range(3):
        x = lora_linear(x.relu() if i else x, *base[i], A[i], B[i], scaling * r)
    return x

for epoch in range(10):
    for rows in torch.from_numpy(rng.permutation(len(x))).split(64):
        optimizer.zero_grad()
        cross_entropy(forward(x[rows]), y[rows]).backward()
        optimizer.step()

answer = cross_entropy(forward(x_test), y_test).item()
"""


# ----------------------------------------------------------------------------- the rank of a finished update

TURNS = {"turned by 15°": 15, "turned by 35°": 35, "turned by 90°": 90}
MOST = 32
RATES = (3e-3, 1e-2)  # of the adapters: that of the full update, and a higher one


@cache
def truncated(degrees):
    """Test accuracy with the r largest parts of each layer's update, for all r; that of adapters, by rate."""
    base, (tuned, _) = pretrained(0, HIDDEN), fine_tuned(degrees)
    x, y, *test = task(0, degrees)
    net = tuned.copy()  # its biases stay: they are no matrices
    pairs = [
        (new.params["weight"], old.params["weight"])
        for new, old in zip(net.layers, base.layers)
        if old.params
    ]
    parts = [np.linalg.svd(new - old, full_matrices=False) for new, old in pairs]
    kept = []
    for r in range(MOST + 1):
        for (new, old), (u, s, v) in zip(pairs, parts):
            new[...] = old + (u[:, :r] * s[:r]) @ v[:r]
        kept.append(accuracy(net, *test))
    trained = {lr: [] for lr in RATES}
    for lr, r in product(RATES, RANKS):
        rng = np.random.default_rng(0)
        net = with_adapters(base, r, 2 * r, rng)
        fit(net, x, y, optimizer=adam, lr=lr, epochs=EPOCHS, batch_size=64, rng=rng)
        trained[lr].append(accuracy(net, *test))
    return kept, trained


def singular_values():
    def compute(task, layer, r):
        degrees, index = TURNS[task], 2 * (layer - 1)
        old, new = pretrained(0, HIDDEN)[index], fine_tuned(degrees)[0][index]
        u, s, v = np.linalg.svd(new.params["weight"] - old.params["weight"])
        r = min(r, len(s))
        share = float((s[:r] ** 2).sum() / (s**2).sum())
        kept, trained = truncated(degrees)
        return {"s": s, "r": r, "share": share, "kept": kept, "trained": trained, "layer": layer}

    def setup(fig):
        for degrees in TURNS.values():  # here and not under the learner's hand
            truncated(degrees)
        left, right = figures.axes(fig, 1, 2)
        left.set(yscale="log", xlim=(0, 65), ylim=(5e-3, 5), xlabel="number of the singular value")
        left.set(ylabel="singular value (log scale)")
        left.set_title("The update of one layer")
        right.set(xlim=(0, MOST + 0.6), ylim=(0, 100), xlabel="rank r")
        right.set(ylabel="turned test digits read right, %")
        right.set_title("With rank r in every layer")
        kept = right.plot([], [], color=figures.BLUE)[0]
        trained = [
            right.plot([], [], style, mfc=fill, color=figures.VERMILLION, ms=5)[0]
            for style, fill in (("^--", None), ("s:", "white"))
        ]
        right.text(MOST, 25, "full update (rate 0.003), cut to r", color=figures.BLUE, fontsize=9, ha="right")
        style = dict(color=figures.VERMILLION, fontsize=9, ha="right")
        right.text(MOST, 15, "□ adapters of rank r, rate 0.01", **style)
        right.text(MOST, 5, "▲ adapters of rank r, rate 0.003", **style)
        return {
            "all": left.plot([], [], "o", mfc="none", color=figures.GRAY, ms=4)[0],
            "inside": left.plot([], [], "o", color=figures.BLUE, ms=5)[0],
            "share": left.text(64, 3.2, "", color=figures.BLUE, ha="right", va="center"),
            "curves": [kept, *trained],
            "point": right.plot([], [], "D", color=figures.BLUE, ms=8)[0],
        }

    def draw(artists, r):
        k = np.arange(1, len(r["s"]) + 1)
        artists["all"].set_data(k, r["s"])
        artists["inside"].set_data(k[: r["r"]], r["s"][: r["r"]])
        artists["share"].set_text(f"layer {r['layer']}: the first {r['r']} hold {100 * r['share']:.0f} %")
        artists["curves"][0].set_data(range(MOST + 1), r["kept"])
        for curve, lr in zip(artists["curves"][1:], RATES):
            curve.set_data(RANKS, r["trained"][lr])
        artists["point"].set_data([r["r"]], [r["kept"][r["r"]]])

    def note(values, r):
        return (
            f"of the squared length of the update of layer {r['layer']}, rank {r['r']} holds "
            f"{100 * r['share']:.1f} %; with it in every layer {r['kept'][r['r']]:.0f} % are read right"
        )

    return Explorer(
        "The rank of an update",
        dict(
            task=Choice(tuple(TURNS), "turned by 35°", "new task"),
            layer=Choice((1, 2, 3), 2, "layer"),
            r=IntSlider(1, MOST, 4, "parts kept"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "turned by 90°: within 1 point of the full update with at most 12 parts",
            lambda values, r: (
                values["task"] == "turned by 90°"
                and values["r"] <= 12
                and r["kept"][r["r"]] >= r["kept"][-1] - 1
            ),
        ),
        code={"numpy": _SPECTRUM_START + _SPECTRUM_NUMPY, "torch": _SPECTRUM_START + _SPECTRUM_TORCH},
        answer=lambda r: r["share"],
    )


_SPECTRUM_START = """\
from nnlib.lora.experiments import pretrained
from nnlib.lora.explorers import TURNS, fine_tuned

old = pretrained(0, 128)[2 * ($layer - 1)].params["weight"]
new = fine_tuned(TURNS[$task])[0][2 * ($layer - 1)].params["weight"]
"""

_SPECTRUM_NUMPY = """
import numpy as np

s = np.linalg.svd(new - old, compute_uv=False)
answer = (s[: $r] ** 2).sum() / (s**2).sum()
"""

_SPECTRUM_TORCH = """
import torch

s = torch.linalg.svdvals(torch.from_numpy(new - old))
answer = s[: $r].square().sum() / s.square().sum()
"""


# ------------------------------------------------------------------------------- a blend of two adapters

SIDES, STEPS = {"adapter 1": 35, "adapter 2": -35}, np.linspace(-0.5, 1.5, 9)
SETS = ("upright", "turned by 35°", "turned by −35°")


@cache
def two_adapters():
    """For each layer the frozen weight, its bias, and what the adapters for 35° and −35° would add to it."""
    base, deltas = pretrained(0, HIDDEN), []
    for degrees in SIDES.values():
        (x, y, *_), rng = task(0, degrees), np.random.default_rng(0)
        net = with_adapters(base, 8, 16, rng)
        fit(net, x, y, optimizer=adam, lr=3e-3, epochs=EPOCHS, batch_size=64, rng=rng)
        deltas.append([layer.scaling * layer.B @ layer.A for layer in net.layers if layer.params])
    layers = [layer.params for layer in base.layers if layer.params]
    return [(p["weight"], p["bias"], one, two) for p, one, two in zip(layers, *deltas)]


@cache
def test_sets():
    """The test digits upright and turned to either side, and what they show."""
    x, y = digits(np.float32)[2:]
    return [rotate(x, degrees) for degrees in (0, *SIDES.values())], y


def outputs(x, first, second):
    """The scores of the base with so much of either adapter."""
    for i, (weight, bias, one, two) in enumerate(two_adapters()):
        x = (np.maximum(x, 0) if i else x) @ (
            weight + np.float32(first) * one + np.float32(second) * two
        ).T + bias
    return x


def readings(first, second):
    """Accuracy in percent and loss of one blend on each test set."""
    pictures, y = test_sets()
    scores = [outputs(x, first, second) for x in pictures]
    right = [100 * float((s.argmax(axis=1) == y).mean()) for s in scores]
    return right, [float(cross_entropy.unchecked(s, y)) for s in scores]


@cache
def accuracy_map():
    """Accuracy of every blend on a grid, on 180 digits of each test set: (set, second, first)."""
    pictures, y = test_sets()
    right = np.zeros((3, 9, 9))
    for i, second in enumerate(STEPS):
        for j, first in enumerate(STEPS):
            scores = outputs(np.concatenate([x[:180] for x in pictures]), first, second)
            right[:, i, j] = 100 * (scores.argmax(axis=1).reshape(3, 180) == y[:180]).mean(axis=1)
    return right


def blend():
    def compute(first, second, shown):
        right, losses = readings(first, second)
        return {
            "right": right,
            "loss": losses[SETS.index(shown)],
            "at": (first, second),
            "shown": SETS.index(shown),
        }

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(0, 100), ylim=(-1, 2.5), yticks=range(3), yticklabels=SETS[::-1])
        left.set(xlabel="test digits read right, %")
        left.set_title("This blend")
        alone, marks = {"base": (0, 0), "only 1": (1, 0), "only 2": (0, 1)}, []
        for (name, at), marker, size in zip(alone.items(), "|sD", (12, 6, 6)):
            style = dict(color="black", mfc="none", ls="", ms=size, zorder=3)
            marks += left.plot(readings(*at)[0][::-1], range(3), marker, label=name, **style)
        left.legend(fontsize=8, loc="lower center", ncols=3, handletextpad=0.1)
        edge = (STEPS[0] - 0.125, STEPS[-1] + 0.125)
        picture = right.imshow(accuracy_map()[0], origin="lower", extent=(*edge, *edge), vmin=0, vmax=100)
        picture.set_cmap("viridis")
        fig.colorbar(picture, ax=right, label="read right, %")
        right.set(xlabel="weight of adapter 1 (35°)", ylabel="weight of adapter 2 (−35°)")
        return {
            "map": picture,
            "marks": marks,
            "bars": left.barh(range(3), [0] * 3, 0.5, color=figures.BLUE, zorder=2).patches,
            "point": right.plot([], [], "o", mfc="none", mec="white", mew=2.5, ms=12)[0],
            "inner": right.plot([], [], "o", mfc="none", mec=figures.VERMILLION, mew=1.5, ms=9)[0],
            "name": right.text(
                0, 1.03, "", transform=right.transAxes, fontsize=11, weight="bold", color=figures.BLUE
            ),
        }

    def draw(artists, r):
        for bar, value in zip(artists["bars"], r["right"][::-1]):
            bar.set_width(value)
        for point in ("point", "inner"):
            artists[point].set_data([r["at"][0]], [r["at"][1]])
        artists["map"].set_data(accuracy_map()[r["shown"]])
        artists["name"].set_text(f"Every blend: {SETS[r['shown']]}")

    def note(values, r):
        return ", ".join(f"{name} {value:.0f} %" for name, value in zip(SETS, r["right"]))

    return Explorer(
        "A blend of two adapters",
        dict(
            first=Slider(-0.5, 1.5, 1.0, "weight of adapter 1", step=0.05),
            second=Slider(-0.5, 1.5, 0.0, "weight of adapter 2", step=0.05),
            shown=Choice(SETS, SETS[1], "test digits on the map"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("all three at 40 % or more", lambda values, r: min(r["right"]) >= 40),
        code={"numpy": _BLEND_START + _BLEND_NUMPY, "torch": _BLEND_START + _BLEND_TORCH},
        answer=lambda r: r["loss"],
    )


_BLEND_START = """\
from nnlib.lora.explorers import SETS, test_sets, two_adapters

pictures, y = test_sets()
x = pictures[SETS.index($shown)]
"""

_BLEND_NUMPY = """
import numpy as np

for i, (weight, bias, one, two) in enumerate(two_adapters()):
    merged = weight + $first * one + $second * two
    x = (np.maximum(x, 0) if i else x) @ merged.T + bias
x = x - x.max(axis=1, keepdims=True)
log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
answer = -log_p[np.arange(len(y)), y].mean()
"""

_BLEND_TORCH = """
import torch

x, y = torch.from_numpy(x), torch.from_numpy(y)
for i, layer in enumerate(two_adapters()):
    weight, bias, one, two = map(torch.from_numpy, layer)
    merged = weight + $first * one + $second * two
    x = torch.nn.functional.linear(x.relu() if i else x, merged, bias)
answer = torch.nn.functional.cross_entropy(x, y)
"""
