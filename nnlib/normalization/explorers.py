"""What notebook 11 lets the learner turn."""

import numpy as np
from matplotlib.collections import PolyCollection

from nnlib import figures
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION

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
            values=x[lit], value=x[sample, channel, position], mean=mean, std=std, tips=np.stack([right, up], axis=1),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.15))
        left.set(xlim=(-5.4, 5.4), ylim=(-4.9, 4.9), aspect="equal", title="Lit: the cells averaged together")
        left.axis("off")
        cells = left.add_collection(PolyCollection(np.zeros((1, 4, 2)), linewidths=0.5))
        names = [left.text(0, 0, t, ha="center", va="center", fontsize=9) for t in ("samples", "channels", "positions")]
        right.set(xlim=(-6, 6), ylim=(-0.6, 1.75), xlabel="value of a cell", yticks=(1, 0), yticklabels=("before", "after"))
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
            texts=[right.text(-5.9, y + 0.32, "", fontsize=9) for y in (1, 0)],
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
        artists["texts"][0].set_text(f"{count} values: mean {r['values'].mean():.2f}, variance {r['values'].var():.2f}")
        artists["texts"][1].set_text(f"mean {abs(after.mean()):.2f}, variance {after.var():.2f};  ◆ {r['value']:.2f} → {chosen:.2f}")

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
        goal=Goal(
            "let group norm average exactly the cells of instance norm",
            lambda values, r: values["method"] == "group" and values["num_groups"] == CHANNELS,
        ),
        code={"numpy": _NUMPY_AXES, "torch": _TORCH_AXES},
        answer=lambda r: (r["value"] - r["mean"]) / r["std"],
    )


def _rgb(color):
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
