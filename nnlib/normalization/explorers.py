"""What notebook 11 lets the learner turn."""

from functools import lru_cache

import numpy as np
from matplotlib.collections import PolyCollection

from nnlib import figures, layers
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION
from nnlib.normalization.in_numpy import feature_statistics, standardize

# ------------------------------------------------------------------------------- which axes are averaged

SAMPLES, CHANNELS, POSITIONS = 4, 6, 6
_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) - 0.5  # of one face


def _feature_maps():
    """Four digits through six random 3 x 3 filters: one row of the maps, (N, C, positions)."""
    images = digits().x_train[:SAMPLES].reshape(SAMPLES, 8, 8)
    filters = np.random.default_rng(0).normal(size=(CHANNELS, 3, 3))
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    return np.einsum("nijab,cab->ncij", windows, filters)[:, :, 2]


def _averaged(method, num_groups, sample, channel, position):
    """True for every cell that shares its mean and variance with the selected one."""
    n, c, p = np.indices((SAMPLES, CHANNELS, POSITIONS))
    size = CHANNELS // num_groups
    return {
        "batch": c == channel,
        "layer": n == sample,
        "layer, per position": (n == sample) & (p == position),
        "instance": (n == sample) & (c == channel),
        "group": (n == sample) & (c // size == channel // size),
    }[method]


def _project(points, azimuth, elevation):
    """Points (..., 3) as seen from a direction: right, up and towards the eye."""
    a, e = np.radians(azimuth), np.radians(elevation)
    right = np.array([-np.sin(a), np.cos(a), 0])
    eye = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return points @ right, points @ np.cross(eye, right), points @ eye


def _faces(azimuth, elevation):
    """All visible faces of all cells, farthest first: polygons (M, 4, 2), their cells and their axes."""
    cells = np.indices((SAMPLES, CHANNELS, POSITIONS)).reshape(3, -1).T
    centers = cells - (np.array([SAMPLES, CHANNELS, POSITIONS]) - 1) / 2
    eye = _project(np.eye(3), azimuth, elevation)[2]
    order = np.argsort(centers @ eye, kind="stable")
    corners = np.zeros((3, 4, 3))
    for axis in range(3):
        corners[axis][:, [i for i in range(3) if i != axis]] = 0.86 * _CORNERS
        corners[axis][:, axis] = 0.43 * np.sign(eye[axis])
    points = centers[order][:, None, None] + corners
    right, up, _ = _project(points, azimuth, elevation)
    polygons = np.stack([right, up], axis=-1).reshape(-1, 4, 2)
    return polygons, np.repeat(order, 3), np.tile(np.arange(3), len(order))


_LABELS = np.array([(0, 3.9, -3.6), (2.9, 0, -3.6), (2.2, -4, 0)])  # where the names of the three axes stand
_SHADE = np.array([0.86, 0.72, 1.0])[:, None]  # by the axis a face looks along
_MEANS = {
    "batch": "one channel of all samples, all positions",
    "layer": "one sample, all channels, all positions",
    "layer, per position": "one sample at one position, all channels: the layer norm of a language model",
    "instance": "one channel of one sample, all positions",
    "group": "the channels of one group in one sample, all positions",
}
_NUMPY_AXES = """
import numpy as np
from nnlib.data import digits

images = digits().x_train[:4].reshape(4, 8, 8)
filters = np.random.default_rng(0).normal(size=(6, 3, 3))
windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
x = np.einsum("nijab,cab->ncij", windows, filters)[:, :, 2]      # (samples, channels, positions)

n, c, p = $sample, $channel, $position
method, size = $method, 6 // $num_groups
first = c // size * size
averaged = {
    "batch": x[:, c],
    "layer": x[n],
    "layer, per position": x[n, :, p],
    "instance": x[n, c],
    "group": x[n, first : first + size],
}[method]
answer = (x[n, c, p] - averaged.mean()) / np.sqrt(averaged.var() + 1e-5)
"""
_TORCH_AXES = """
import numpy as np
import torch
import torch.nn.functional as F
from nnlib.data import digits

images = torch.from_numpy(digits().x_train[:4]).reshape(4, 1, 8, 8)
filters = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 1, 3, 3)))
x = F.conv2d(images, filters)[:, :, 2]                           # (samples, channels, positions)

method = $method
if method == "batch":
    y = F.batch_norm(x, None, None, training=True)
elif method == "layer":
    y = F.layer_norm(x, (6, 6))
elif method == "layer, per position":
    y = F.layer_norm(x.transpose(1, 2), (6,)).transpose(1, 2)
elif method == "instance":
    y = F.instance_norm(x)
else:
    y = F.group_norm(x, $num_groups)
answer = float(y[$sample, $channel, $position])
"""


def averaging_axes():
    """Which cells of (samples, channels, positions) share one mean and one variance."""
    x = _feature_maps()

    def compute(method, num_groups, sample, channel, position, azimuth, elevation):
        lit = _averaged(method, num_groups, sample, channel, position)
        mean, std = x[lit].mean(), np.sqrt(x[lit].var() + 1e-5)
        polygons, cells, axes = _faces(azimuth, elevation)
        chosen = np.zeros(x.shape, bool)
        chosen[sample, channel, position] = True
        right, up, _ = _project(_LABELS, azimuth, elevation)
        return dict(
            polygons=polygons, lit=lit.ravel()[cells], chosen=chosen.ravel()[cells], axes=axes,
            values=x[lit], value=x[sample, channel, position], mean=mean, std=std,
            tips=np.stack([right, up], axis=1),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.15))
        left.set(xlim=(-5.4, 5.4), ylim=(-4.9, 4.9), aspect="equal", title="Lit: the cells averaged together")
        left.axis("off")
        cells = left.add_collection(PolyCollection(np.zeros((1, 4, 2)), linewidths=0.5))
        names = [
            left.text(0, 0, t, ha="center", va="center", fontsize=9)
            for t in ("samples", "channels", "positions")
        ]
        right.set(
            xlim=(-7, 6),
            ylim=(-0.6, 1.75),
            xlabel="value of a cell",
            yticks=(1, 0),
            yticklabels=("before", "after"),
        )
        right.set_title("Afterwards their mean is 0 and their variance 1")
        for y in (0, 1):
            right.axhline(y, color="#DDDDDD", lw=0.8, zorder=0)
        right.axvline(0, color="#DDDDDD", lw=0.8, zorder=0)
        style = dict(linestyle="none", marker="|", markersize=15, color=BLUE, alpha=0.7)
        return dict(
            cells=cells, names=names,
            before=right.plot([], [], **style)[0], after=right.plot([], [], **style)[0],
            spread=[right.plot([], [], "-", color=BLUE, lw=4, alpha=0.35)[0] for _ in range(2)],
            chosen=right.plot([], [], "D", color=VERMILLION, markersize=7, zorder=5)[0],
            texts=[right.text(-6.9, y + 0.32, "", fontsize=9) for y in (1, 0)],
        )  # fmt: skip

    def draw(artists, r):
        color = np.where(r["lit"][:, None], _rgb("#4C9FD0"), _rgb("#E4E4E4"))
        color = np.where(r["chosen"][:, None], _rgb(VERMILLION), color) * _SHADE[r["axes"]]
        alpha = np.where(r["lit"], 0.95, 0.16)
        artists["cells"].set_verts(r["polygons"])
        artists["cells"].set_facecolor(np.column_stack([color, alpha]))
        artists["cells"].set_edgecolor(np.column_stack([color * 0.75, np.where(r["lit"], 1, 0.22)]))
        for text, tip in zip(artists["names"], r["tips"]):
            text.set_position(tip)
        after = (r["values"] - r["mean"]) / r["std"]
        for line, values, y in ((artists["before"], r["values"], 1), (artists["after"], after, 0)):
            line.set_data(values, np.full(len(values), y))
        chosen = (r["value"] - r["mean"]) / r["std"]
        artists["chosen"].set_data([r["value"], chosen], [1, 0])
        for line, values, y in zip(artists["spread"], (r["values"], after), (0.82, -0.18)):
            m, s = values.mean(), values.std()
            line.set_data([m - s, m + s], [y, y])
        count = len(r["values"])
        before = f"{count} values: mean {r['values'].mean():.2f}, variance {r['values'].var():.2f}"
        then = f"mean {abs(after.mean()):.2f}, variance {after.var():.2f};  ◆ {r['value']:.2f} → {chosen:.2f}"
        for text, words in zip(artists["texts"], (before, then)):
            text.set_text(words)

    return Explorer(
        "Which cells share a mean and a variance",
        dict(
            method=Choice(("batch", "layer", "layer, per position", "instance", "group"), "group", "method"),
            num_groups=Choice((1, 2, 3, 6), 2, "num_groups"),
            sample=IntSlider(0, SAMPLES - 1, 3, "sample"),
            channel=IntSlider(0, CHANNELS - 1, 1, "channel"),
            position=IntSlider(0, POSITIONS - 1, 2, "position"),
            azimuth=Slider(0, 90, 35, "turn", 1, ".0f"),
            elevation=Slider(0, 80, 25, "tilt", 1, ".0f"),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 3.8),
        note=lambda values, r: f"{values['method']}: {_MEANS[values['method']]}",
        idle=lambda values: set() if values["method"] == "group" else {"num_groups"},
        goal=Goal(
            "let group norm average exactly the cells of instance norm",
            lambda values, r: values["method"] == "group" and values["num_groups"] == CHANNELS,
        ),
        code={"numpy": _NUMPY_AXES, "torch": _TORCH_AXES},
        answer=lambda r: (r["value"] - r["mean"]) / r["std"],
    )


def _rgb(color):
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


# ------------------------------------------------------------------ the learning rate, with and without

IMAGES, BATCH, WIDTH, STEPS, GROUPS = 320, 64, 32, 60, 4
RATES = 10.0 ** np.arange(-2, 1.6, 0.5)
GUESSING = np.log(10)
HIGHEST = 60.0  # a loss above is called diverged


def _normalize(z, method):
    """x_hat and what its backward needs. Models are stacked in front: z is (models, batch, width)."""
    parts = z.reshape(*z.shape[:-1], GROUPS, -1) if method == "group" else z
    axis = -2 if method == "batch" else -1
    n = parts.shape[axis]
    x_hat = parts - np.add.reduce(parts, axis=axis, keepdims=True) / n  # quicker than mean()
    rstd = 1 / np.sqrt(np.add.reduce(x_hat * x_hat, axis=axis, keepdims=True) / n + 1e-5)
    x_hat *= rstd
    return x_hat.reshape(z.shape), (x_hat, rstd, axis, n)


def _normalize_backward(grad, saved):
    x_hat, rstd, axis, n = saved
    g = grad.reshape(x_hat.shape)
    mean_g = np.add.reduce(g, axis=axis, keepdims=True) / n
    mean_gx = np.add.reduce(g * x_hat, axis=axis, keepdims=True) / n
    return (rstd * (g - mean_g - x_hat * mean_gx)).reshape(grad.shape)


def _losses(rates, method, activation, depth, seed, dtype=np.float64):
    """The loss in every step (STEPS, models): one network for each learning rate, all at once."""
    data = digits(dtype)
    x, y = standardize(data.x_train, *feature_statistics(data.x_train))[:IMAGES], data.y_train[:IMAGES]
    rng = np.random.default_rng(seed)
    sizes = [64, *[WIDTH] * depth, 10]
    gain = 2 if activation == "relu" else 1  # He initialization makes up for the half that ReLU removes
    starts = [rng.normal(size=(i, o)) * np.sqrt(gain / i) for i, o in zip(sizes, sizes[1:])]
    weights = [np.repeat(w.astype(dtype)[None], len(rates), axis=0) for w in starts]
    biases = [np.zeros((len(rates), 1, o), dtype) for o in sizes[1:]]
    lr = np.asarray(rates, dtype)[:, None, None]
    losses, row = np.empty((STEPS, len(rates))), np.arange(BATCH)
    for step in range(STEPS):
        if step % (IMAGES // BATCH) == 0:
            order = rng.permutation(IMAGES).reshape(-1, BATCH)
        rows = order[step % (IMAGES // BATCH)]
        h, kept = x[rows], []
        for w, b in zip(weights[:-1], biases):
            z, saved = h @ w + b, None
            if method != "none":
                z, saved = _normalize(z, method)
            out = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else np.maximum(z, 0)
            kept.append((h, out, saved))
            h = out
        z = h @ weights[-1] + biases[-1]
        z -= z.max(axis=-1, keepdims=True)
        g = np.exp(z)
        total = g.sum(axis=-1, keepdims=True)
        losses[step] = (np.log(total[..., 0]) - z[:, row, y[rows]]).mean(axis=-1)
        g /= total
        g[:, row, y[rows]] -= 1
        g /= BATCH
        for i in range(depth, -1, -1):
            if i < depth:
                h, out, saved = kept[i]
                g = g * out * (1 - out) if activation == "sigmoid" else g * (out > 0)
                g = g if saved is None else _normalize_backward(g, saved)
            below = g @ weights[i].mT if i else None
            weights[i] -= lr * (h.mT @ g)
            biases[i] -= lr * np.add.reduce(g, axis=-2, keepdims=True)
            g = below
    losses[np.logical_or.accumulate(~(losses < HIGHEST), axis=0)] = np.inf
    return losses


@lru_cache(maxsize=64)
def _curve(lr, method, activation, depth, seed):
    return _losses([lr], method, activation, depth, seed)[:, 0]


@lru_cache(maxsize=64)
def _sweep(method, activation, depth, seed):
    return _final(_losses(RATES, method, activation, depth, seed, np.float32))


def _final(losses):
    return losses[-5:].mean(axis=0)


def _shown(losses):
    return np.minimum(losses, HIGHEST)


_NUMPY_RATE = """
import numpy as np
from nnlib.data import digits

lr, method, activation, depth, seed = $lr, $method, $activation, $depth, $seed
x, y = digits().x_train, digits().y_train[:320]
x = ((x - x.mean(axis=0)) / np.where(x.min(axis=0) == x.max(axis=0), 1, x.std(axis=0)))[:320]
rng = np.random.default_rng(seed)
sizes = [64] + [32] * depth + [10]
gain = 2 if activation == "relu" else 1                      # He initialization for ReLU
weights = [rng.normal(size=(i, o)) * np.sqrt(gain / i) for i, o in zip(sizes, sizes[1:])]
biases = [np.zeros(o) for o in sizes[1:]]
axis = 0 if method == "batch" else -1

def parts(z):
    return z.reshape(64, 4, 8) if method == "group" else z

def mean(z):
    return z.mean(axis, keepdims=True)

losses = []
for step in range(60):
    if step % 5 == 0:
        order = rng.permutation(320).reshape(5, 64)
    rows = order[step % 5]
    h, kept = x[rows], []
    for w, b in zip(weights[:-1], biases):
        z, x_hat, rstd = h @ w + b, None, None
        if method != "none":
            z = parts(z)
            rstd = 1 / np.sqrt(z.var(axis, keepdims=True) + 1e-5)
            x_hat = (z - mean(z)) * rstd
            z = x_hat.reshape(64, 32)
        out = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else np.maximum(z, 0)
        kept.append((h, x_hat, rstd, out))
        h = out
    z = h @ weights[-1] + biases[-1]
    z -= z.max(axis=1, keepdims=True)
    total = np.exp(z).sum(axis=1, keepdims=True)
    losses.append((np.log(total)[:, 0] - z[np.arange(64), y[rows]]).mean())
    g = (np.exp(z) / total - np.eye(10)[y[rows]]) / 64
    for i in reversed(range(depth + 1)):
        if i < depth:
            h, x_hat, rstd, out = kept[i]
            g = g * (out * (1 - out) if activation == "sigmoid" else out > 0)
            if method != "none":
                g = parts(g)
                g = (rstd * (g - mean(g) - x_hat * mean(g * x_hat))).reshape(64, 32)
        below = g @ weights[i].T
        weights[i] -= lr * h.T @ g
        biases[i] -= lr * g.sum(axis=0)
        g = below
answer = np.mean(losses[-5:]) if np.max(losses) < 60 else np.inf     # above 60: diverged
"""
_TORCH_RATE = """
import numpy as np
import torch
from torch import nn
from nnlib.data import digits

lr, method, activation, depth, seed = $lr, $method, $activation, $depth, $seed
x, y = digits().x_train, torch.from_numpy(digits().y_train[:320])
x = (x - x.mean(axis=0)) / np.where(x.min(axis=0) == x.max(axis=0), 1, x.std(axis=0))
x = torch.from_numpy(x[:320])
gain = 2 if activation == "relu" else 1                      # He initialization for ReLU
rng = np.random.default_rng(seed)
options = dict(dtype=torch.float64)
norms = {
    "none": nn.Identity,
    "batch": lambda: nn.BatchNorm1d(32, affine=False, **options),
    "layer": lambda: nn.LayerNorm(32, elementwise_affine=False, **options),
    "group": lambda: nn.GroupNorm(4, 32, affine=False, **options),
}
sizes, layers = [64] + [32] * depth + [10], []
for i, o in zip(sizes, sizes[1:]):
    linear = nn.Linear(i, o, **options)
    nn.init.zeros_(linear.bias)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(rng.normal(size=(i, o)) * np.sqrt(gain / i)).T)
    layers += [linear, norms[method](), nn.Sigmoid() if activation == "sigmoid" else nn.ReLU()]
model = nn.Sequential(*layers[:-2])
optimizer = torch.optim.SGD(model.parameters(), lr=lr)

losses = []
for step in range(60):
    if step % 5 == 0:
        order = rng.permutation(320).reshape(5, 64)
    rows = order[step % 5]
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
answer = np.mean(losses[-5:]) if np.max(losses) < 60 else np.inf     # above 60: diverged
"""


def learning_rate():
    """A deep network on digits, trained anew for every position of the slider: plain and normalized."""

    def compute(lr, method, activation, depth, seed):
        settings = dict(activation=activation, depth=depth, seed=seed)
        names = ("none", method)
        return dict(
            lr=lr,
            method=method,
            curves=[_curve(lr, name, **settings) for name in names],
            sweeps=[_sweep(name, **settings) for name in names],
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, sharey=True)
        left.set(xlim=(0, STEPS + 9), ylim=(0.003, 1.3 * HIGHEST), yscale="log")
        left.set(xlabel="step", ylabel="training loss", title="One run with this learning rate")
        right.set(xlim=(RATES[0] * 0.8, RATES[-1] * 1.25), xscale="log", xlabel="learning rate")
        right.set_title("The last loss at eight learning rates")
        for ax in (left, right):
            ax.axhline(GUESSING, color="#BBBBBB", lw=0.9, zorder=0)
        right.text(RATES[-1] * 1.2, 0.004, "gray line: guessing", fontsize=8, color=GRAY, ha="right")
        looks = (dict(color=VERMILLION, ls="--", marker="^"), dict(color=BLUE, ls="-", marker="o"))
        return dict(
            curves=[left.plot([], [], **look | {"marker": ""}, lw=1.6)[0] for look in looks],
            sweeps=[right.plot([], [], **look, ms=5)[0] for look in looks],
            labels=[
                left.text(STEPS + 0.5, 1, "", color=look["color"], fontsize=9, va="center", in_layout=False)
                for look in looks
            ],
            here=right.plot([], [], color=GRAY, lw=1.2, ls=":")[0],
            note=left.text(1, 0.0045, "", fontsize=9, color="#222222"),
        )

    def draw(artists, r):
        ends = []
        for line, sweep, losses, final in zip(artists["curves"], artists["sweeps"], r["curves"], r["sweeps"]):
            line.set_data(np.arange(STEPS), _shown(losses))
            sweep.set_data(RATES, _shown(final))
            ends.append(float(_shown(_final(losses))))
        plain = r["method"] == "none"
        for artist in (artists["curves"][1], artists["sweeps"][1], artists["labels"][1]):
            artist.set_visible(not plain)
        places = np.log(ends)
        if abs(places[1] - places[0]) < 0.6:  # keep the two names apart
            places = places.mean() + np.array([0.3, -0.3]) * (1 if places[0] >= places[1] else -1)
        for label, name, place in zip(artists["labels"], ("none", r["method"]), places):
            label.set_text(name)
            label.set_y(np.exp(place))
        artists["here"].set_data([r["lr"]] * 2, [0.003, 1.3 * HIGHEST])
        words = [_diverged(name, losses) for name, losses in zip(("none", r["method"]), r["curves"])]
        artists["note"].set_text("\n".join(dict.fromkeys(w for w in words if w)))

    def note(values, r):
        ends = [float(_final(losses)) for losses in r["curves"]]
        plain, other = (f"{e:.3g}" if np.isfinite(e) else "diverged" for e in ends)
        normed = f", with {r['method']} norm: {other}" if r["method"] != "none" else ""
        return f"loss at the end without: {plain}{normed}"

    return Explorer(
        "The learning rate, with and without normalization",
        dict(
            lr=LogSlider(0.01, 30, 0.1, "learning rate"),
            method=Choice(("none", "batch", "layer", "group"), "batch", "normalization"),
            activation=Choice(("relu", "sigmoid"), "relu", "activation"),
            depth=IntSlider(1, 6, 4, "hidden layers"),
            seed=Seed(9),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("a loss below 0.05 after 60 steps", lambda values, r: float(_final(r["curves"][1])) < 0.05),
        code={"numpy": _NUMPY_RATE, "torch": _TORCH_RATE},
        answer=lambda r: _final(r["curves"][1]),
    )


def _diverged(name, losses):
    """In words, from which step on the loss is out of sight."""
    return "" if np.isfinite(losses[-1]) else f"{name}: diverged at step {int(np.argmax(np.isinf(losses)))}"


# ------------------------------------------------------------------------------------------ the batch size

DRAWS, UNITS, EPOCHS = 400, 32, 4
_BINS = np.linspace(-4, 4, 65)
_NUMPY_BATCHES = """
import numpy as np
from nnlib.data import digits

# how one digit's normalized value depends on the company it is in: 400 batches of this size
x = digits().x_train[:1256]
rng = np.random.default_rng($seed)
z = x @ rng.normal(size=(64, 32))[:, 0]                  # one unit of a fresh layer, for all images
others = rng.integers(0, len(x), size=(400, $batch_size - 1))
batches = np.column_stack([np.full(400, z[$sample]), z[others]])
mean, var = batches.mean(axis=1), batches.var(axis=1)
answer = ((z[$sample] - mean) / np.sqrt(var + 1e-5)).std()
"""
_TORCH_BATCHES = """
import numpy as np
import torch
import torch.nn.functional as F
from nnlib.data import digits

# how one digit's normalized value depends on the company it is in: 400 batches of this size
x = torch.from_numpy(digits().x_train[:1256])
rng = np.random.default_rng($seed)
z = x @ torch.from_numpy(rng.normal(size=(64, 32)))[:, 0]   # one unit of a fresh layer, for all images
others = torch.from_numpy(rng.integers(0, len(x), size=(400, $batch_size - 1)))
batches = torch.cat([z[$sample].expand(400, 1), z[others]], dim=1)
y = F.batch_norm(batches.T, None, None, training=True)      # (batch, 400): every column is one batch
answer = y[0].std(correction=0).item()
"""


def batch_size():
    """What a batch's noise does to one sample, and to training with batch, group and layer norm."""
    names = ("batch norm", "group norm", "layer norm")

    def company(batch_size, sample, seed):
        """The normalized value of one sample of one unit, in many batches that differ in the others."""
        x = digits().x_train[:1256]
        rng = np.random.default_rng(seed)
        units = x @ rng.normal(size=(64, UNITS))
        z = units[:, 0]
        batches = z[rng.integers(0, len(x), size=(DRAWS, batch_size - 1))]
        mean = (batches.sum(axis=1) + z[sample]) / batch_size
        squares = ((batches - mean[:, None]) ** 2).sum(axis=1) + (z[sample] - mean) ** 2
        values = (z[sample] - mean) / np.sqrt(squares / batch_size + 1e-5)
        alone = (z[sample] - units[sample].mean()) / np.sqrt(units[sample].var() + 1e-5)
        return dict(
            values=values, alone=alone, everybody=(z[sample] - z.mean()) / z.std(), batch_size=batch_size
        )

    def train(batch_size, sample, seed):
        noise = company(batch_size, sample, seed)
        yield 0.0, noise | {"epochs": [], "errors": [[], [], []]}
        x, y, x_test, y_test = digits(np.float32)
        steps = EPOCHS * -(-1256 // batch_size)
        runs = []
        for norm in (layers.BatchNorm1d, lambda n: layers.GroupNorm(4, n), layers.LayerNorm):
            rng = np.random.default_rng(seed)
            hidden = [f for _ in range(2) for f in (layers.Linear(64, 64, rng=rng), norm(64), layers.ReLU())]
            net = layers.Sequential(*hidden, layers.Linear(64, 10, rng=rng))
            settings = dict(
                lr=0.1 * batch_size / 64, momentum=0.9, epochs=EPOCHS, batch_size=batch_size, rng=rng
            )
            settings |= dict(validation=(x_test, y_test), every=max(1, steps // 32))
            runs.append(layers.train(net, x[:1256], y[:1256], **settings))
        for histories in zip(*runs):
            errors = [100 * (1 - np.array(h.validation_accuracy)) for h in histories]
            epochs = histories[0].epoch
            yield epochs[-1] / EPOCHS, noise | {"epochs": epochs, "errors": errors}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.1))
        left.set(xlim=(-4, 4), ylim=(0, 1.12), yticks=(), xlabel="one digit's value after batch norm")
        left.set_title(f"The same digit in {DRAWS} batches")
        left.spines["left"].set_visible(False)
        right.set(
            xlim=(0, EPOCHS + 0.95), ylim=(1.3, 110), yscale="log", xlabel="epochs", ylabel="test error, %"
        )
        right.set(yticks=(2, 5, 10, 20, 50, 100), yticklabels=("2", "5", "10", "20", "50", "100"))
        right.minorticks_off()
        right.set(xticks=range(EPOCHS + 1), title="Training with such batches")
        looks = list(zip((BLUE, GREEN, PURPLE), ("-", "-.", ":")))
        return dict(
            bars=left.stairs(np.zeros(len(_BINS) - 1), _BINS, fill=True, color=BLUE, alpha=0.55),
            lines=[left.plot([], [], color=c, ls=ls, lw=1.8)[0] for c, ls in ((GRAY, "--"), (PURPLE, ":"))],
            words=[
                left.text(-3.9, y, "", fontsize=9, color=c)
                for y, c in ((1.05, BLUE), (0.97, PURPLE), (0.89, GRAY))
            ],
            curves=[right.plot([], [], color=c, ls=ls)[0] for c, ls in looks],
            labels=[
                right.text(0, 0, "", color=c, fontsize=9, va="center", in_layout=False) for c, _ in looks
            ],
            empty=right.text(EPOCHS / 2, 12, "press Train", ha="center", color=GRAY),
        )

    def draw(artists, r):
        counts = np.histogram(r["values"], _BINS)[0]
        artists["bars"].set_data(0.82 * counts / counts.max())
        for line, place in zip(artists["lines"], (r["everybody"], r["alone"])):
            line.set_data([place, place], [0, 0.84])
        artists["words"][0].set_text(f"batch norm: {r['values'].mean():.2f} ± {r['values'].std():.2f}")
        artists["words"][1].set_text(f"layer norm (dots): {r['alone']:.2f} in every batch")
        artists["words"][2].set_text(f"if all images formed the batch (dashes): {r['everybody']:.2f}")
        trained = len(r["epochs"]) > 1
        ends = [e[-1] for e in r["errors"]] if trained else [10.0] * 3
        order = np.argsort(ends)
        for lower, higher in zip(order, order[1:]):  # the names stand at least a fifth apart
            ends[higher] = max(ends[higher], 1.22 * ends[lower])
        for curve, label, name, errors, end in zip(
            artists["curves"], artists["labels"], names, r["errors"], ends
        ):
            curve.set_data(r["epochs"], errors)
            label.set_position((r["epochs"][-1] + 0.06 if trained else 0, end))
            label.set_text(name if trained else "")
        artists["empty"].set_text("" if trained else "press Train")

    return Explorer(
        "The batch size",
        dict(
            batch_size=IntSlider(2, 128, 2, "batch size", 2),
            sample=IntSlider(0, 39, 3, "which digit"),
            seed=Seed(9),
        ),
        setup,
        draw,
        train=train,
        note=lambda values, r: (
            f"batch size {values['batch_size']}: the digit's value varies by "
            f"{r['values'].std():.2f} with the company it is in"
        ),
        goal=Goal(
            "a batch size at which batch norm ends with the lowest error of the three",
            lambda values, r: (
                len(r["epochs"]) > 1 and r["errors"][0][-1] < min(e[-1] for e in r["errors"][1:])
            ),
        ),
        code={"numpy": _NUMPY_BATCHES, "torch": _TORCH_BATCHES},
        answer=lambda r: r["values"].std(),
    )
