"""What notebook 14 lets the learner turn: the numbers of a kernel, the steps of a window, a digit's place."""

from functools import cache

import numpy as np
from matplotlib.collections import PolyCollection

from nnlib import figures
from nnlib.convolution.in_numpy import conv2d
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, Slider, Steps
from nnlib.figures import BLUE, GRAY, VERMILLION
from nnlib.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, fit
from nnlib.optimizers.in_numpy import adam

# ------------------------------------------------------------------------------------- draw a kernel

PRESETS = {
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "edges, upright": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "edges, flat": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "move to the left": [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
}
NAMES = [f"w{i}{j}" for i in range(3) for j in range(3)]
_KERNEL = """
pictures = {"frame": np.pad(np.pad(np.zeros((8, 8)), 3, constant_values=1), 5)}
for digit in (0, 3, 4, 7):
    image = digits().x_train[digits().y_train == digit][0].reshape(8, 8)
    pictures[f"digit {digit}"] = np.kron(image, np.ones((3, 3)))      # each pixel as 3 x 3
kernels = {
    "own": [[$w00, $w01, $w02], [$w10, $w11, $w12], [$w20, $w21, $w22]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "edges, upright": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "edges, flat": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "move to the left": [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
}
x, w = pictures[$picture], np.array(kernels[$kernel], dtype=float)
"""
_KERNEL_NUMPY = f"""
import numpy as np
from nnlib.data import digits
{_KERNEL}
padded = np.pad(x, 1)
y = sum(w[i, j] * padded[i : i + 24, j : j + 24] for i in range(3) for j in range(3))
answer = np.abs(y).mean()
"""
_KERNEL_TORCH = f"""
import numpy as np
import torch
import torch.nn.functional as F
from nnlib.data import digits
{_KERNEL}
y = F.conv2d(torch.from_numpy(x)[None, None], torch.from_numpy(w)[None, None], padding="same")
answer = float(y.abs().mean())
"""


@cache
def _pictures():
    pictures = {"frame": np.pad(np.pad(np.zeros((8, 8)), 3, constant_values=1), 5)}
    x, y = digits()[:2]
    for digit in (0, 3, 4, 7):
        pictures[f"digit {digit}"] = np.kron(x[y == digit][0].reshape(8, 8), np.ones((3, 3)))
    return pictures


def kernel():
    """Nine numbers, and what they make of a picture."""

    def compute(picture, kernel, **own):
        weight = np.array(PRESETS.get(kernel, [[own[f"w{i}{j}"] for j in range(3)] for i in range(3)]), float)
        x = _pictures()[picture]
        y = conv2d.unchecked(x[None, None], weight[None, None], padding="same")[0, 0]
        return {"x": x, "weight": weight, "y": y}

    def setup(fig):
        axes = figures.axes(fig, 1, 3, width_ratios=(1, 0.8, 1))
        for ax, title in zip(axes, ("Picture", "Kernel", "Output")):
            ax.set(xticks=[], yticks=[], title=title)
            ax.spines[:].set_visible(True)
        axes[2].set_xlabel(" ")  # room for the line under the output
        signed = dict(cmap="PuOr", interpolation="nearest")
        blank = np.zeros((24, 24))
        return {
            "x": axes[0].imshow(blank, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"),
            "weight": axes[1].imshow(np.zeros((3, 3)), vmin=-2.5, vmax=2.5, **signed),
            "numbers": [
                [axes[1].text(j, i, "", ha="center", va="center") for j in range(3)] for i in range(3)
            ],
            "y": axes[2].imshow(blank, vmin=-1, vmax=1, **signed),
            "range": axes[2].text(
                0.5, -0.04, "", ha="center", va="top", transform=axes[2].transAxes, fontsize=9
            ),
        }

    def draw(artists, r):
        artists["x"].set_data(r["x"])
        artists["weight"].set_data(r["weight"])
        for i, j in np.ndindex(3, 3):
            value = r["weight"][i, j]
            words = f"{value:.2g}".replace("-", "−")
            artists["numbers"][i][j].set(text=words, color="white" if abs(value) > 1.7 else "black")
        most = max(np.abs(r["y"]).max(), 1e-9)
        artists["y"].set_data(r["y"])
        artists["y"].set_clim(-most, most)
        artists["range"].set_text(
            f"from {r['y'].min():.2g} to {r['y'].max():.2g}; orange below 0, purple above".replace("-", "−")
        )

    def note(values, r):
        return f"the nine numbers add up to {r['weight'].sum():.3g}".replace("-", "−")

    def met(values, r):
        upright, flat = np.abs(r["y"][10:14]).max(), np.abs(r["y"][:, 10:14]).max()
        mine = values["kernel"] == "own" and values["picture"] == "frame"
        return bool(mine and upright >= 1 and flat < 1e-9)

    controls = {
        "picture": Choice(tuple(_pictures()), "frame", "picture"),
        "kernel": Choice(("own", *PRESETS), "own", "kernel"),
    }
    place = {"0": "top", "1": "middle", "2": "bottom"}, {"0": "left", "1": "center", "2": "right"}
    for name in NAMES:
        label = f"{place[0][name[1]]} {place[1][name[2]]}"
        controls[name] = Slider(-2.0, 2.0, float(name == "w11"), label, step=0.25)
    return Explorer(
        "Nine numbers and a picture",
        controls,
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: set() if values["kernel"] == "own" else NAMES,
        goal=Goal(
            "with your own numbers on the frame: the middles of its flat bars stay exactly 0, its upright "
            "bars light up by at least 1",
            met,
        ),
        code={"numpy": _KERNEL_NUMPY, "torch": _KERNEL_TORCH},
        answer=lambda r: np.abs(r["y"]).mean(),
    )


# ---------------------------------------------------------------------- where a window stands, and how often

CELLS = 16  # the largest picture with its padding
_COLORS = {
    "padding": "#E3E3E3",
    "unread": "#F4DCCB",
    "pixel": "#B9D6E8",
    "window": "#0072B2",
    "window on padding": "#7A7A7A",
    "chosen": "#D55E00",
    "output": "#F0BC97",
}
_ARITHMETIC_NUMPY = """
import numpy as np

size, kernel_size, stride, padding, dilation = $size, $kernel_size, $stride, $padding, $dilation
read = np.zeros(size + 2 * padding, dtype=int)
starts = range(0, len(read) - dilation * (kernel_size - 1), stride)
for start in starts:
    read[start : start + dilation * (kernel_size - 1) + 1 : dilation] += 1
answer = len(starts) + 1000 * read[padding : padding + size].sum()
"""
_ARITHMETIC_TORCH = """
import torch
import torch.nn.functional as F

size, kernel_size, stride, padding, dilation = $size, $kernel_size, $stride, $padding, $dilation
answer = 0
if dilation * (kernel_size - 1) + 1 <= size + 2 * padding:
    x = torch.ones(1, 1, size)
    y = F.conv1d(x, torch.ones(1, 1, kernel_size), stride=stride, padding=padding, dilation=dilation)
    answer = y.shape[2] + 1000 * float(y.sum())
"""


def _grid(ax):
    """An empty collection of cells; `_cells` says which there are."""
    cells = PolyCollection([], linewidths=0)
    ax.add_collection(cells)
    ax.set(xlim=(0, CELLS), ylim=(CELLS, 0), aspect="equal", xticks=[], yticks=[], title=" ")
    ax.spines[:].set_visible(False)
    return cells


def _cells(count, unit):
    """count x count squares of a given size, row by row from the top."""
    corner = np.array([(0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)])
    at = np.stack(np.meshgrid(np.arange(count), np.arange(count)), axis=-1).reshape(-1, 1, 2)
    return unit * (at + corner)


def arithmetic():
    """Size, kernel, stride, padding, dilation: which pixels a window reads and how many places it has."""

    def compute(size, kernel_size, stride, padding, dilation, place):
        wide, reach = size + 2 * padding, dilation * (kernel_size - 1) + 1
        count = (wide - reach) // stride + 1 if reach <= wide else 0
        read = np.zeros(wide, int)
        for start in range(0, count * stride, stride):
            read[start : start + reach : dilation] += 1
        real = np.zeros(wide, bool)
        real[padding : padding + size] = True
        seen, real = (part[:, None] & part for part in (read > 0, real))
        kinds = np.where(real, np.where(seen, "pixel", "unread"), "padding").astype("<U20")
        output = np.full((count, count), "output")
        at = None
        if count:
            at = divmod(place % count**2, count)
            taps = [np.arange(kernel_size) * dilation + n * stride for n in at]
            window = np.ix_(*taps)
            kinds[window] = np.where(kinds[window] == "padding", "window on padding", "window")
            output[at] = "chosen"
        return {
            "count": count, "kinds": kinds, "output": output, "wide": wide, "reach": reach, "at": at,
            "padding": padding,
            "reads": int(read[padding : padding + size].sum()), "unread": int((kinds == "unread").sum()),
        }  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        artists = {"input": _grid(left), "output": _grid(right)}
        style = dict(ha="left", va="bottom", fontsize=10)
        artists["titles"] = [ax.text(0, -0.3, "", **style) for ax in (left, right)]
        artists["missing"] = right.text(0.3, 1, "", va="top", color=VERMILLION)
        return artists

    def draw(artists, r):
        unit = CELLS / max(r["wide"], r["count"], 10)
        for name, kinds in (("input", r["kinds"]), ("output", r["output"])):
            artists[name].set_verts(_cells(len(kinds), unit))
            artists[name].set_facecolor([_COLORS[kind] for kind in kinds.ravel()])
        left, right = artists["titles"]
        name, gray = ("Padded input", "; gray: padding") if r["padding"] else ("Input", "")
        left.set_text(f"{name}, {r['wide']} × {r['wide']}; dark: the window{gray}")
        where = ""
        if r["at"]:
            row, column = r["at"]
            where = f"; orange: place {row * r['count'] + column + 1} of {r['count'] ** 2}"
        right.set_text(f"Output, {r['count']} × {r['count']}{where}")
        short = f"the window reaches over {r['reach']} pixels\nand there are only {r['wide']}"
        artists["missing"].set_text("" if r["count"] else short)

    def note(v, r):
        if not r["count"]:
            return f"no place: the window reaches over {r['reach']} pixels and there are {r['wide']}"
        inner = (
            f"({v['size']} + 2·{v['padding']} − {v['dilation']}·({v['kernel_size']} − 1) − 1) / {v['stride']}"
        )
        unread = f"; {r['unread']} pixels (pale orange) are read by no window" if r["unread"] else ""
        again = "; the first place follows the last" if v["place"] >= r["count"] ** 2 else ""
        return f"floor({inner}) + 1 = {r['count']}{unread}{again}"

    def met(v, r):
        return bool(
            v["kernel_size"] == 3 and v["dilation"] == 3 and r["count"] == v["size"] and v["stride"] == 1
        )

    return Explorer(
        "Where a window stands, and how often",
        {
            "size": IntSlider(4, 10, 7, "pixels"),
            "kernel_size": IntSlider(1, 5, 3, "kernel"),
            "stride": IntSlider(1, 4, 1, "stride"),
            "padding": IntSlider(0, 3, 0, "padding"),
            "dilation": IntSlider(1, 3, 1, "dilation"),
            "place": Steps(0, 255, 0, "place"),
        },
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("a kernel of 3 with dilation 3 whose output is as large as its input, at stride 1", met),
        code={"numpy": _ARITHMETIC_NUMPY, "torch": _ARITHMETIC_TORCH},
        answer=lambda r: r["count"] + 1000 * r["reads"],
    )


# -------------------------------------------------------------------------------- a digit that you move


@cache
def readers(seed=0):
    """A dense and a convolutional network, both trained on digits in the middle of 12 x 12 pixels only."""
    x, y = digits(np.float32)[:2]
    x = np.pad(x.reshape(-1, 1, 8, 8), ((0, 0), (0, 0), (2, 2), (2, 2)))
    rng = np.random.default_rng(seed)
    dense = Sequential(Flatten(), Linear(144, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
    fit(dense, x, y, optimizer=adam, lr=2e-3, epochs=20, batch_size=64, rng=rng, every=10**6)
    rng = np.random.default_rng(seed)
    first = Conv2d(1, 8, 3, padding="same", rng=rng), ReLU()
    second = Conv2d(8, 32, 3, padding="same", dilation=2, rng=rng), ReLU()
    end = MaxPool2d(12), Flatten(), Linear(32, 10, rng=rng)  # the largest number of each whole map
    convolutional = Sequential(*first, *second, *end)
    fit(convolutional, x, y, optimizer=adam, lr=1e-2, epochs=8, batch_size=64, rng=rng, every=10**6)
    return {"dense": dense, "convolutional": convolutional}


_SHIFTED = """
image = digits(np.float32).x_test[$image].reshape(8, 8)
x = np.zeros((1, 1, 12, 12), np.float32)
x[0, 0, 2 + $down : 10 + $down, 2 + $right : 10 + $right] = image
nets = readers()                                    # both trained on digits in the middle
"""
_SHIFTED_NUMPY = f"""
import numpy as np
from nnlib.convolution.explorers import readers
from nnlib.data import digits
{_SHIFTED}
label, answer = digits().y_test[$image], 0.0
for weight, name in ((1, "dense"), (10, "convolutional")):
    z = nets[name](x)[0]
    p = np.exp(z - z.max())
    answer += weight * (p / p.sum())[label]         # what the right digit gets from each
"""
_SHIFTED_TORCH = f"""
import numpy as np
import torch
from torch import nn
from nnlib.convolution.explorers import readers
from nnlib.data import digits
{_SHIFTED}
twins = {{
    "dense": nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.ReLU(), nn.Linear(64, 10)),
    "convolutional": nn.Sequential(
        nn.Conv2d(1, 8, 3, padding="same"), nn.ReLU(),
        nn.Conv2d(8, 32, 3, padding="same", dilation=2), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    ),
}}
label, answer = digits().y_test[$image], 0.0
for weight, name in ((1, "dense"), (10, "convolutional")):
    nn.utils.vector_to_parameters(torch.from_numpy(nets[name].params.copy()), twins[name].parameters())
    with torch.no_grad():
        answer += weight * float(twins[name](torch.from_numpy(x)).softmax(dim=1)[0, label])
"""


def shifted_digit():
    """A digit that you move: its feature maps move along, and two networks say what they read."""
    pictures, labels = digits(np.float32)[2:]
    layers = {"convolution 1": 2, "convolution 2": 4}  # how many layers of the network, ReLU included

    def compute(image, right, down, layer):
        x = np.zeros((1, 1, 12, 12), np.float32)
        x[0, 0, 2 + down : 10 + down, 2 + right : 10 + right] = pictures[image].reshape(8, 8)
        nets, result = readers(), {"x": x[0, 0], "label": labels[image], "layer": layer}
        for name, net in nets.items():
            z = net.forward(x)[0]
            p = np.exp(z - z.max())
            result[name] = p / p.sum()
        h = x
        for part in nets["convolutional"].layers[: layers[layer]]:
            h = part.forward(h)
        return result | {"maps": h[0, :8].copy()}

    def setup(fig):
        outer = fig.add_gridspec(1, 3, width_ratios=(1, 2.1, 1.25))
        with figures.mpl.style.context(figures.STYLE):
            left, right = fig.add_subplot(outer[0]), fig.add_subplot(outer[2])
            maps = [fig.add_subplot(cell) for cell in outer[1].subgridspec(2, 4, wspace=0.08, hspace=0.08)]
        for i, ax in enumerate(maps):
            ax.set_anchor("S" if i < 4 else "N")
        for ax in (left, *maps):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
        left.set_title("Move the digit")
        blank = np.zeros((12, 12))
        right.set(xlim=(0, 1.02), ylim=(9.6, -0.6), yticks=range(10))
        right.set_xlabel("probability (gray: what it is)")
        right.set_title("What they read", pad=16)
        rows = np.arange(10)
        shown = dict(cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        return {
            "x": left.imshow(blank, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"),
            "label": left.text(5.5, 12.2, "", ha="center", va="top"),
            "maps": [ax.imshow(blank, **shown) for ax in maps],
            "maps title": maps[0].text(-0.4, -1.6, "", fontsize=11, fontweight="bold", va="bottom"),
            "convolutional": right.barh(rows - 0.2, np.zeros(10), 0.36, color=BLUE).patches,
            "dense": right.barh(
                rows + 0.2, np.zeros(10), 0.36, color=VERMILLION, hatch="///", ec="white"
            ).patches,
            "names": [
                right.text(0, -0.75, "convolutional", color=BLUE, fontsize=9, va="bottom"),
                right.text(
                    1, -0.75, "dense (hatched)", color=VERMILLION, fontsize=9, va="bottom", ha="right"
                ),
            ],
            "truth": right.axhline(0, color=GRAY, lw=13, alpha=0.25, zorder=0),
        }

    def draw(artists, r):
        artists["x"].set_data(r["x"])
        artists["label"].set_text(f"a {r['label']}")
        top = max(float(r["maps"].max()), 1e-6)
        for picture, values in zip(artists["maps"], r["maps"]):
            picture.set_data(values / top)
        artists["maps title"].set_text(f"Eight feature maps after {r['layer']}")
        for name in ("convolutional", "dense"):
            for bar, p in zip(artists[name], r[name]):
                bar.set_width(p)
        artists["truth"].set_ydata([r["label"]] * 2)

    def note(values, r):
        reads = {name: int(r[name].argmax()) for name in ("convolutional", "dense")}
        return "; ".join(f"{name}: {digit} at {100 * r[name][digit]:.0f} %" for name, digit in reads.items())

    def met(values, r):
        reads = {name: r[name].argmax() == r["label"] for name in ("convolutional", "dense")}
        return bool(
            abs(values["right"]) + abs(values["down"]) == 1 and reads["convolutional"] and not reads["dense"]
        )

    return Explorer(
        "A digit that you move",
        {
            "image": IntSlider(0, 99, 25, "test picture"),
            "right": IntSlider(-2, 2, 0, "to the right"),
            "down": IntSlider(-2, 2, 0, "down"),
            "layer": Choice(tuple(layers), "convolution 1", "feature maps of"),
        },
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal("moved by one pixel only: the dense network is wrong, the convolutional one right", met),
        code={"numpy": _SHIFTED_NUMPY, "torch": _SHIFTED_TORCH},
        answer=lambda r: r["dense"][r["label"]] + 10 * r["convolutional"][r["label"]],
    )
