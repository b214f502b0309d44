"""One look for every picture: a style sheet, three sizes, fixed colors and a few helpers.

Color alone never carries the meaning: each role also has a dash, a marker or a label of its own.
"""

from __future__ import annotations

import io
from importlib import resources
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE)
ROLES = {
    "numpy": BLUE,
    "torch": VERMILLION,
    "train": BLUE,
    "validation": VERMILLION,
    "value": BLUE,
    "gradient": VERMILLION,
}
MARKERS = ("o", "^", "s", "D")
SINGLE, WIDE, SQUARE = (5, 3.2), (9, 3.2), (4.5, 4.5)
BOUNDARY = LinearSegmentedColormap.from_list(
    "boundary", ["#D9A07F", "#FFFFFF", "#8CB8D6"]
)  # class 0, undecided, 1

STYLE = str(resources.files("nnlib") / "figures.mplstyle")


def use() -> None:
    """Use the course's style for every figure of this kernel, and byte-stable PNGs in notebooks."""
    mpl.style.use(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside a notebook there is no inline backend to set up
        return
    set_matplotlib_formats("png", metadata={"Software": None})


def figure(size: tuple[float, float] = SINGLE) -> Figure:
    """A figure in the course's style that belongs to no window and no pyplot state."""
    with mpl.style.context(STYLE):
        return Figure(figsize=size, layout="constrained")


def axes(fig: Figure, *args: Any, **kwargs: Any) -> Any:
    """`fig.subplots` in the course's style."""
    with mpl.style.context(STYLE):
        return fig.subplots(*args, **kwargs)


def png(fig: Figure) -> bytes:
    """The figure as PNG bytes that are the same whenever the figure is."""
    buffer = io.BytesIO()
    with mpl.style.context(STYLE):
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # each drawing would move the axes a little; the first finds the layout
        fig.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def label_line(ax: Axes, line: Any, text: str, at: float = 1.0, dy: float = 0.0) -> Any:
    """Write the name of a line next to it, in its color, instead of a legend far away."""
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    visible = np.flatnonzero(np.isfinite(y))
    if not len(visible):
        return None
    i = visible[min(len(visible) - 1, int(at * (len(visible) - 1)))]
    return ax.annotate(
        text,
        (x[i], y[i]),
        xytext=(4, dy),
        textcoords="offset points",
        color=line.get_color(),
        va="center",
        fontsize=9,
        annotation_clip=False,
    )


def points(ax: Axes, x: np.ndarray, y: np.ndarray, **kwargs: Any) -> list[Any]:
    """Two classes of points, told apart by color and by marker: 0 vermillion triangles, 1 blue circles."""
    style: dict[str, Any] = dict(s=16, linewidths=0.4, edgecolors="white", zorder=3) | kwargs
    return [
        ax.scatter(*x[y == label].T, color=color, marker=marker, **style)
        for label, color, marker in ((0, VERMILLION, "^"), (1, BLUE, "o"))
    ]


def plane(low: float, high: float, n: int = 40) -> np.ndarray:
    """A grid of n·n points (n*n, 2) over a square, row by row from the bottom, for decision surfaces."""
    line = np.linspace(low, high, n)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def surface(ax: Axes, values: np.ndarray, low: float, high: float, **kwargs: Any) -> Any:
    """A decision surface from the values in [0, 1] on `plane(low, high)`."""
    n = int(round(len(values) ** 0.5))
    style: dict[str, Any] = dict(cmap=BOUNDARY, vmin=0, vmax=1, interpolation="bilinear", zorder=0) | kwargs
    return ax.imshow(values.reshape(n, n), origin="lower", extent=(low, high, low, high), **style)
