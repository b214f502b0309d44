"""What notebook 12 lets the learner turn."""

from functools import lru_cache

import numpy as np
from matplotlib.collections import LineCollection

from nnlib import figures
from nnlib.dropout.experiments import error, mlp, points, some_digits
from nnlib.dropout.in_numpy import dropout
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, Seed, Slider
from nnlib.figures import BLUE, GRAY, VERMILLION
from nnlib.layers import Dropout, Linear, ReLU, Sequential, Stack, Tanh
from nnlib.layers.dropout import keep_mask
from nnlib.losses.in_numpy import cross_entropy
from nnlib.optimizers.in_numpy import adam

# --------------------------------------------------------------------------------- the units that are dropped

UNITS, INPUTS, OUTPUTS = 10, 4, 3
IN_TRAINING, IN_USE, NOWHERE, BOTH = "in training", "in use", "nowhere", "in training and in use"


def _units(p, masks, scale, seed):
    """Ten activations, the outputs for each mask as in training (masks, units), and the outputs in use."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.2, 1.0, UNITS)
    keep = rng.random((masks, UNITS)) >= p
    outputs = dropout.unchecked(np.broadcast_to(x, keep.shape), keep, p)
    if scale in (IN_USE, NOWHERE):
        outputs = x * keep
    return x, keep, outputs, x * (1 - p) if scale in (IN_USE, BOTH) else x


_UNITS_NUMPY = """
import numpy as np

p, scale = $p, $scale
rng = np.random.default_rng($seed)
x = rng.uniform(0.2, 1.0, 10)
keep = rng.random(($masks, 10)) >= p
in_training, in_use = x * keep, x
if scale in ("in training", "in training and in use"):
    in_training = in_training / (1 - p) if p < 1 else 0 * in_training
if scale in ("in use", "in training and in use"):
    in_use = x * (1 - p)
answer = in_training.mean(axis=0).sum() - in_use.sum()
"""
_UNITS_TORCH = """
import numpy as np
import torch

p, scale = $p, $scale
rng = np.random.default_rng($seed)
x = torch.from_numpy(rng.uniform(0.2, 1.0, 10))
keep = torch.from_numpy(rng.random(($masks, 10)) >= p)
training = "in training" in scale
in_training = torch.where(keep, x / (1 - p) if training and p < 1 else x, 0.0)
in_use = x * (1 - p) if "in use" in scale else x
answer = float(in_training.mean(0).sum() - in_use.sum())
"""


def units():
    """One layer: what a mask takes away, what scaling puts back, and what remains of it in the mean."""
    at = np.arange(UNITS)
    columns = [np.linspace(-1, 1, n) * (0.45 + 0.055 * n) for n in (INPUTS, UNITS, OUTPUTS)]
    lines = [((0, a), (1, b)) for b in columns[1] for a in columns[0]]
    lines += [((1, a), (2, b)) for a in columns[1] for b in columns[2]]
    unit = np.array([u for u in at for _ in range(INPUTS)] + [u for u in at for _ in range(OUTPUTS)])

    def compute(p, masks, scale, seed):
        x, keep, outputs, in_use = _units(p, masks, scale, seed)
        mean, spread = outputs.mean(axis=0), outputs.std(axis=0)
        return dict(x=x, keep=keep[0], first=outputs[0], mean=mean, spread=spread, in_use=in_use)

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(0.8, 1.3, 1.3))
        left.set(xlim=(-0.2, 2.2), ylim=(-1.15, 1.15), title="The network of one mask")
        left.axis("off")
        left.plot(np.zeros(INPUTS), columns[0], "o", color=BLUE, ms=8)
        left.plot(np.full(OUTPUTS, 2), columns[2], "o", color=BLUE, ms=8)
        for ax in (middle, right):
            ax.set(xlim=(-0.6, UNITS - 0.4), ylim=(0, 3.5), yticks=range(4), xticks=at, xlabel="hidden unit")
        middle.set(ylabel="value", title="Bars: this mask")
        right.set_title("Dots: the mean over masks")
        words = ((middle, "gray: without dropout"), (right, "red: in use; band: ± one spread"))
        style = dict(color=GRAY, linestyle="none")
        return dict(
            words=[ax.text(-0.4, 3.2, text, fontsize=9) for ax, text in words],
            lines=left.add_collection(LineCollection(lines, linewidths=0.7)),
            kept=left.plot([], [], "o", color=BLUE, ms=8)[0],
            gone=left.plot([], [], "x", color=VERMILLION, ms=7, mew=1.5)[0],
            bars=list(middle.bar(at, np.ones(UNITS), color=BLUE, alpha=0.75, width=0.6)),
            before=middle.plot([], [], "_", ms=13, mew=2, **style)[0],
            zero=middle.plot([], [], "x", color=VERMILLION, ms=7, mew=1.5)[0],
            spread=right.add_collection(LineCollection([], colors=BLUE, alpha=0.3, linewidths=7)),
            mean=right.plot([], [], "o", color=BLUE, ms=6)[0],
            use=right.plot([], [], "_", color=VERMILLION, ms=13, mew=2)[0],
        )

    def draw(artists, r):
        keep, top = r["keep"], 2.95
        artists["lines"].set_color(np.where(keep[unit][:, None], (0, 0.45, 0.7, 0.6), (0, 0, 0, 0.05)))
        for name, which in (("kept", keep), ("gone", ~keep)):
            artists[name].set_data(np.ones(which.sum()), columns[1][which])
        for bar, height in zip(artists["bars"], r["first"]):
            bar.set_height(min(height, top))
        artists["before"].set_data(at, r["x"])
        artists["zero"].set_data(at[~keep], np.full((~keep).sum(), 0.07))
        highest = r["first"].max(), (r["mean"] + r["spread"]).max()
        for words, height in zip(artists["words"], highest):  # what is cut off is told
            first = words.get_text().split("; cut")[0]
            words.set_text(f"{first}; cut at 3" if height > top else first)
        ends = np.clip([r["mean"] - r["spread"], r["mean"] + r["spread"]], 0, top)
        artists["spread"].set_segments([((u, low), (u, high)) for u, low, high in zip(at, *ends)])
        artists["mean"].set_data(at, np.minimum(r["mean"], top))
        artists["use"].set_data(at, r["in_use"])

    def ratio(r):
        return r["mean"].sum() / r["in_use"].sum() if r["in_use"].sum() else np.nan

    def note(values, r):
        kept, total = r["keep"].sum(), r["first"].sum()
        return (
            f"this mask keeps {kept} of {UNITS}, sum {total:.2f}; mean sum over {values['masks']} "
            f"mask{'s' * (values['masks'] > 1)} {r['mean'].sum():.2f}; in use {r['in_use'].sum():.2f}"
        )

    return Explorer(
        "What a mask takes, and what scaling puts back",
        dict(
            p=Slider(0, 1, 0.5, "p, probability to be dropped"),
            masks=IntSlider(1, 500, 2, "masks in the mean"),
            scale=Choice((IN_TRAINING, IN_USE, NOWHERE, BOTH), IN_TRAINING, "scaled"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "with p from 0.3 to 0.8, sums in training and in use that agree in the mean to 2 %",
            lambda values, r: 0.3 <= values["p"] <= 0.8 and abs(ratio(r) - 1) < 0.02,
        ),
        code={"numpy": _UNITS_NUMPY, "torch": _UNITS_TORCH},
        answer=lambda r: r["mean"].sum() - r["in_use"].sum(),
    )


# ------------------------------------------------------------------------------- p against train and test

WIDTH, BATCH, STEPS, EVERY = 64, 50, 120, 10


@lru_cache(maxsize=32)
def _digits_with_wrong_labels(n, noise, seed):
    x, y, x_test, y_test = some_digits(n, seed, noise)
    return x, y, some_digits(n, seed)[1], x_test, y_test


@lru_cache(maxsize=64)
def _learn(p, n, noise, seed):
    """64-64-10, Adam: errors on the training labels, on the wrong ones of them, and on the test part."""
    x, y, right, x_test, y_test = _digits_with_wrong_labels(n, noise, seed)
    rng = np.random.default_rng(seed)
    model, order, state = mlp((64, WIDTH, 10), p, rng), np.random.default_rng([seed, 1]), []
    steps, train, test, wrong, loss = [], [], [], y != right, None
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            model.eval()
            outputs = model.forward(x_test)
            test.append(error(outputs, y_test))
            loss = cross_entropy.unchecked(outputs, y_test) if step == 20 else loss
            chosen = model.forward(x).argmax(axis=1)
            train.append(100 * (chosen != y).mean())
            steps.append(step)
            model.train()
        if step % (n // BATCH) == 0:
            batches = order.permutation(n).reshape(-1, BATCH)
        rows = batches[step % (n // BATCH)]
        grad = np.exp(model.forward(x[rows]))  # of the mean cross-entropy: (softmax - one-hot) / N
        grad /= grad.sum(axis=1, keepdims=True)
        grad[np.arange(BATCH), y[rows]] -= 1
        model.backward(grad / np.float32(BATCH), want_input=False)
        new, *state = adam.unchecked(model.params, model.grads, *state, lr=1e-2, t=step + 1)
        model.params[...] = new
    fitted = 100 * (chosen == y)[wrong].mean() if wrong.any() else np.nan
    return dict(steps=steps, train=train, test=test, loss=loss, fitted=fitted)


_CURVES_START = """
import numpy as np
from nnlib.dropout.experiments import some_digits

p, n, noise, seed = $p, $n, $noise, $seed
x, y, x_test, y_test = some_digits(n, seed, noise)
rng, order = np.random.default_rng(seed), np.random.default_rng([seed, 1])
shapes = (64, 64), (64,), (10, 64), (10,)
params = [rng.uniform(-1 / 8, 1 / 8, shape).astype(np.float32) for shape in shapes]
masks = rng.spawn(1)[0]
batches = np.concatenate([order.permutation(n) for _ in range(20)]).reshape(-1, 50)[:20]  # 120 in the picture
"""
_CURVES_NUMPY = (
    _CURVES_START
    + """
w1, b1, w2, b2 = params
moments = [[np.zeros_like(q), np.zeros_like(q)] for q in params]

def scores(x, factor=1):
    h = np.maximum(x @ w1.T + b1, 0)
    return h, h * factor @ w2.T + b2

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

for t, rows in enumerate(batches, start=1):
    factor = (masks.random((50, 64), np.float32) >= np.float32(p)) * np.float32(1 / (1 - p))
    h, z = scores(x[rows], factor)
    g = (np.exp(log_softmax(z)) - np.eye(10, dtype=np.float32)[y[rows]]) / 50
    g1 = g @ w2 * factor * (h > 0)
    for q, (m, v), grad in zip(params, moments, (g1.T @ x[rows], g1.sum(0), g.T @ (h * factor), g.sum(0))):
        m += np.float32(0.1) * (grad - m)
        v += np.float32(0.001) * (grad * grad - v)
        q -= np.float32(0.01 / (1 - 0.9**t)) * m / (np.sqrt(v / np.float32(1 - 0.999**t)) + np.float32(1e-8))

answer = -log_softmax(scores(x_test)[1])[np.arange(len(y_test)), y_test].mean()  # test loss after 20 steps
"""
)
_CURVES_TORCH = (
    _CURVES_START
    + """
import torch
import torch.nn.functional as F

x, x_test = torch.from_numpy(x), torch.from_numpy(x_test)
y, y_test = torch.from_numpy(y).long(), torch.from_numpy(y_test).long()
w1, b1, w2, b2 = params = [torch.from_numpy(q).requires_grad_() for q in params]
optimizer = torch.optim.Adam(params, lr=0.01)
for rows in torch.from_numpy(batches):
    keep = torch.from_numpy(masks.random((50, 64), np.float32) >= np.float32(p))
    h = F.relu(F.linear(x[rows], w1, b1)) * keep / (1 - p)
    optimizer.zero_grad()
    F.cross_entropy(F.linear(h, w2, b2), y[rows]).backward()
    optimizer.step()

answer = F.cross_entropy(F.linear(F.relu(F.linear(x_test, w1, b1)), w2, b2), y_test).item()
"""
)


def curves():
    """Training and test error with and without dropout, while labels become wrong."""

    def compute(p, noise, n, seed):
        return dict(without=_learn(0.0, n, noise, seed), dropout=_learn(p, n, noise, seed), p=p)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.5, 1))
        left.set(xlim=(0, STEPS + 26), ylim=(0, 100), xticks=range(0, STEPS + 1, 20))
        left.set(xlabel="steps", ylabel="error in %")
        left.set_title("Solid: test. Dashed: training labels")
        labels = ("training labels\nfitted", "wrong labels\nfitted", "test digits\nright")
        right.set(xlim=(-0.6, 2.6), ylim=(0, 112), xticks=range(3), ylabel="%")
        right.set_xticklabels(labels)
        right.set_title("After the last step")
        kinds = (("without", GRAY, -0.2), ("dropout", BLUE, 0.2))
        return {
            name: dict(
                test=left.plot([], [], "-", color=color)[0],
                train=left.plot([], [], "--", color=color, lw=1.3)[0],
                name=left.text(STEPS + 2, 0, "", color=color, fontsize=9, va="center"),
                bars=list(right.bar(np.arange(3) + shift, np.ones(3), 0.36, color=color)),
                values=[
                    right.text(i + shift, 0, "", ha="center", va="bottom", fontsize=8.5) for i in range(3)
                ],
            )
            for name, color, shift in kinds
        }

    def draw(artists, r):
        ends = {name: r[name]["test"][-1] for name in ("without", "dropout")}
        apart = max(0, 5 - abs(ends["without"] - ends["dropout"])) / 2  # so that the two names stay readable
        for name, other in (("without", "dropout"), ("dropout", "without")):
            a, one = artists[name], r[name]
            a["test"].set_data(one["steps"], one["test"])
            a["train"].set_data(one["steps"], one["train"])
            up = ends[name] > ends[other] or (ends[name] == ends[other] and name == "without")
            a["name"].set_position((STEPS + 2, ends[name] + (apart if up else -apart)))
            a["name"].set_text("without" if name == "without" else f"p = {r['p']:.2f}")
            shown = (100 - one["train"][-1], one["fitted"], 100 - one["test"][-1])
            for bar, text, value in zip(a["bars"], a["values"], shown):
                bar.set_height(np.nan_to_num(value))
                text.set_y(np.nan_to_num(value) + 1)
                text.set_text("none" if np.isnan(value) else f"{value:.0f}")

    def note(values, r):
        tests = r["without"]["test"][-1], r["dropout"]["test"][-1]
        best = min(r["without"]["test"])
        return (
            f"test error {tests[0]:.1f} % without dropout (at its best step {best:.1f} %), "
            f"{tests[1]:.1f} % with p = {values['p']:.2f}"
        )

    return Explorer(
        "Dropout against training and test error",
        dict(
            p=Slider(0, 0.95, 0.3, "p, probability to be dropped", step=0.05),
            noise=Slider(0, 0.6, 0.4, "share of random labels", step=0.05),
            n=IntSlider(100, 400, 200, "training digits", step=50),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "with 40 % random labels or more: test error 10 points below that without dropout",
            lambda values, r: (
                values["noise"] >= 0.4 and r["without"]["test"][-1] - r["dropout"]["test"][-1] >= 10
            ),
        ),
        code={"numpy": _CURVES_NUMPY, "torch": _CURVES_TORCH},
        answer=lambda r: r["dropout"]["loss"],
    )


# --------------------------------------------------------------------------------- away from the data

HIDDEN, MEMBERS, DRAWS, FIT = 24, 5, 50, 100
GRID = np.linspace(-6, 6, 97, dtype=np.float32)[:, None]


def _curve(p, activation, rng):
    act = {"ReLU": ReLU, "tanh": Tanh}[activation]
    linear = [Linear(i, o, rng=rng) for i, o in ((1, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1))]
    first, second, last = linear
    return Sequential(first, act(), Dropout(p, rng=rng), second, act(), Dropout(p, rng=rng), last)


def _fit(model, x, y):
    """Full-batch Adam on the squared error, for one network or a stack of them; the loss of step 20."""
    state, model = [], model.train()
    for step in range(FIT):
        off = model.forward(x) - y
        if step == 20:
            loss = float((off * off).mean())
        model.backward(off * np.float32(2 / len(x)), want_input=False)
        new, *state = adam.unchecked(model.params, model.grads, *state, lr=3e-2, t=step + 1)
        model.params[...] = new
    return model.eval(), loss


def _draws(net, p, rng):
    """The network under masks that hold for the whole axis: each is a thinned network of its own."""
    x = GRID
    for layer in net.layers:
        if isinstance(layer, Dropout):
            x = x * (keep_mask((DRAWS, 1, HIDDEN), p, rng) / np.float32(1 - p))
        elif isinstance(layer, Linear):
            x = x @ layer.params["weight"].T + layer.params["bias"]
        else:
            x = np.maximum(x, 0) if isinstance(layer, ReLU) else np.tanh(x)
    return x[..., 0]


@lru_cache(maxsize=32)
def _by_masks(p, n, activation, seed):
    net, loss = _fit(_curve(p, activation, np.random.default_rng(seed)), *points(n, seed))
    return _draws(net, p, np.random.default_rng([seed, 7])), loss


@lru_cache(maxsize=32)
def _by_networks(n, activation, seed):
    nets = [_curve(0.0, activation, np.random.default_rng([seed, i])) for i in range(MEMBERS)]
    stack, _ = _fit(Stack(nets), *points(n, seed))
    return stack.forward(GRID)[..., 0].copy()


ZONES = {"on the data": (1, 3), "in the gap": (0, 0.5), "far away": (5, 6)}


def _widths(curves):
    """The mean standard deviation in each zone."""
    far, std = np.abs(GRID[:, 0]), curves.std(axis=0)
    return {name: float(std[(low <= far) & (far <= high)].mean()) for name, (low, high) in ZONES.items()}


_BAND_START = """
import numpy as np

p, n, activation, seed = $p, $n, $activation, $seed
rng = np.random.default_rng(seed)
x = rng.uniform(1, 3, n) * np.where(np.arange(n) % 2, 1, -1)
y = (np.sin(2 * x) + 0.1 * rng.normal(size=n))[:, None].astype(np.float32)
x = x[:, None].astype(np.float32)

rng, params = np.random.default_rng(seed), []
for i, o in ((1, 24), (24, 24), (24, 1)):
    params += [rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32) for shape in ((o, i), (o,))]
masks = rng.spawn(2)

def factor(layer):
    keep = masks[layer].random((n, 24), np.float32) >= np.float32(p)
    return keep * np.float32(1 / (1 - p))
"""
_BAND_NUMPY = (
    _BAND_START
    + """
def act(z):
    return np.maximum(z, 0) if activation == "ReLU" else np.tanh(z)

def slope(h):
    return h > 0 if activation == "ReLU" else 1 - h * h

w1, b1, w2, b2, w3, b3 = params
moments = [[np.zeros_like(q), np.zeros_like(q)] for q in params]
for t in range(1, 22):                                           # 100 steps in the picture
    f1, f2 = factor(0), factor(1)
    h1 = act(x @ w1.T + b1)
    h2 = act(h1 * f1 @ w2.T + b2)
    off = h2 * f2 @ w3.T + b3 - y
    answer = (off * off).mean()                                  # the loss in step 20, counted from 0
    g = 2 * off / n
    g2 = g @ w3 * f2 * slope(h2)
    g1 = g2 @ w2 * f1 * slope(h1)
    grads = g1.T @ x, g1.sum(0), g2.T @ (h1 * f1), g2.sum(0), g.T @ (h2 * f2), g.sum(0)
    for q, (m, v), grad in zip(params, moments, grads):
        m += np.float32(0.1) * (grad - m)
        v += np.float32(0.001) * (grad * grad - v)
        q -= np.float32(0.03 / (1 - 0.9**t)) * m / (np.sqrt(v / np.float32(1 - 0.999**t)) + np.float32(1e-8))
"""
)
_BAND_TORCH = (
    _BAND_START
    + """
import torch
import torch.nn.functional as F

act = F.relu if activation == "ReLU" else torch.tanh
x, y = torch.from_numpy(x), torch.from_numpy(y)
w1, b1, w2, b2, w3, b3 = params = [torch.from_numpy(q).requires_grad_() for q in params]
optimizer = torch.optim.Adam(params, lr=0.03)
for step in range(21):                                           # 100 in the picture
    h = act(F.linear(x, w1, b1)) * torch.from_numpy(factor(0))
    h = act(F.linear(h, w2, b2)) * torch.from_numpy(factor(1))
    loss = F.mse_loss(F.linear(h, w3, b3), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

answer = loss.item()                                             # in step 20, counted from 0
"""
)


def uncertainty():
    """How far masks disagree, and how far networks disagree: on the data, in a gap, and far away."""
    low, high = -3.4, 3.4

    def compute(p, n, activation, seed):
        masks, loss = _by_masks(p, n, activation, seed)
        return dict(
            masks=masks, networks=_by_networks(n, activation, seed), points=points(n, seed), loss=loss
        )

    def setup(fig):
        both = figures.axes(fig, 1, 2, sharey=True)
        artists = {}
        for ax, name, title in zip(
            both, ("masks", "networks"), (f"One network, {DRAWS} masks", f"{MEMBERS} networks, no dropout")
        ):
            ax.set(xlim=(-6, 6), ylim=(low, high), xlabel="input", title=title)
            ax.plot(GRID, np.sin(2 * GRID), "--", color=GRAY, lw=1, zorder=1)
            color = BLUE if name == "masks" else VERMILLION
            artists[name] = dict(
                band=ax.fill_between(GRID[:, 0], 0, 0, color=color, alpha=0.25, lw=0),
                lines=ax.add_collection(LineCollection([], colors=color, linewidths=0.5, alpha=0.5)),
                mean=ax.plot([], [], color=color)[0],
                points=ax.plot([], [], "o", color="black", ms=3.5)[0],
                text=ax.text(-5.8, low + 0.2, "", fontsize=9, va="bottom"),
            )
        both[0].set_ylabel("output")
        return artists

    def draw(artists, r):
        x = GRID[:, 0]
        for name in ("masks", "networks"):
            a, curves = artists[name], r[name]
            mean, std = curves.mean(axis=0), curves.std(axis=0)
            edges = np.concatenate([mean - 2 * std, (mean + 2 * std)[::-1]]).clip(2 * low, 2 * high)
            a["band"].set_verts([np.column_stack([np.concatenate([x, x[::-1]]), edges])])
            a["lines"].set_segments([np.column_stack([x, c]) for c in curves[:5]])
            a["mean"].set_data(x, mean)
            a["points"].set_data(r["points"][0][:60, 0], r["points"][1][:60, 0])
            widths = _widths(curves)
            a["text"].set_text("   ".join(f"{zone}: {width:.2f}" for zone, width in widths.items()))

    def ratio(curves):
        widths = _widths(curves)
        return widths["in the gap"] / widths["on the data"] if widths["on the data"] else np.inf

    def note(values, r):
        return (
            f"dashed: the truth; numbers: standard deviations. In the gap masks disagree "
            f"{ratio(r['masks']):.1f} times as much as on the data, the networks "
            f"{ratio(r['networks']):.1f} times"
        )

    return Explorer(
        "How sure, away from the data?",
        dict(
            p=Slider(0.01, 0.8, 0.1, "p of the masks"),
            n=IntSlider(6, 48, 20, "points", step=2),
            activation=Choice(("ReLU", "tanh"), "ReLU", "activation"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "masks that disagree at least one and a half times as much in the gap as on the data",
            lambda values, r: ratio(r["masks"]) >= 1.5,
        ),
        code={"numpy": _BAND_NUMPY, "torch": _BAND_TORCH},
        answer=lambda r: r["loss"],
    )
