"""What notebook 04 lets the learner turn, and the drawing of a computational graph."""

import numpy as np
from matplotlib.patches import FancyBboxPatch

from nnlib import figures
from nnlib.autograd.in_numpy import Tensor, finite_difference
from nnlib.explorer import Choice, Explorer, Goal, LogSlider, Slider

# ------------------------------------------------------------------------------------ graphs: the layout


def layers_of(order):
    """The column of every tensor: one after its last parent, inputs right before their first use."""
    column = {}
    for tensor in order:
        column[tensor] = max((column[parent] + 1 for parent in tensor.parents), default=0)
    for tensor in order:
        users = [column[child] for child in order if any(p is tensor for p in child.parents)]
        if not tensor.parents and users:
            column[tensor] = min(users) - 1
    return column


def layout(output, sweeps=12):
    """Where each tensor is drawn (x, y), and the bends of each edge (parent, child, which parent).

    An edge that passes columns gets a place of its own in each of them, so that it runs around the boxes.
    """
    order = output.order()
    column = layers_of(order)
    columns = [[] for _ in range(max(column.values()) + 1)]
    chains = {}
    for child in order:
        for k, parent in enumerate(child.parents):
            bends = [("bend", child, k, c) for c in range(column[parent] + 1, column[child])]
            chains[parent, child, k] = [parent, *bends, child]
    for tensor in order:
        columns[column[tensor]].append(tensor)
    for chain in chains.values():
        for bend in chain[1:-1]:
            columns[bend[-1]].append(bend)
    links = [pair for chain in chains.values() for pair in zip(chain, chain[1:])]
    y = {node: i - (len(nodes) - 1) / 2 for nodes in columns for i, node in enumerate(nodes)}
    for sweep in range(sweeps):
        for nodes in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = {
                n: np.mean([y[b if a == n else a] for a, b in links if n in (a, b)] or [y[n]]) for n in nodes
            }
            nodes.sort(key=wanted.__getitem__)
            y |= zip(nodes, _apart([wanted[n] for n in nodes]))
    middle = (min(y.values()) + max(y.values())) / 2
    place = {node: (c, middle - y[node]) for c, nodes in enumerate(columns) for node in nodes}
    return {t: place[t] for t in order}, {key: [place[n] for n in chain] for key, chain in chains.items()}


def _apart(wanted, gap=1.0):
    """The positions nearest to the wanted ones, in the same order and at least `gap` apart."""
    blocks = []  # neighbors that have to move together: their mean and their number
    for i, w in enumerate(wanted):
        blocks.append((w - i * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, m), (b, n) = blocks.pop(-2), blocks.pop()
            blocks.append(((a * m + b * n) / (m + n), m + n))
    moved = [mean for mean, n in blocks for _ in range(n)]
    return [m + i * gap for i, m in enumerate(moved)]


def _curve(points, width, sag=0.0, n=24):
    """A smooth line from the right side of a box to the left side of another, through the bends between."""
    (x0, y0), *middle, (x1, y1) = points
    points = [(x0 + width / 2, y0), *middle, (x1 - width / 2, y1)]
    t = np.linspace(0, 1, n)
    ease = t * t * (3 - 2 * t)
    pieces = [
        np.stack([a + (c - a) * t, b + (d - b) * ease - sag * np.sin(np.pi * t)], axis=1)
        for (a, b), (c, d) in zip(points, points[1:])
    ]
    return np.concatenate(pieces)


# ----------------------------------------------------------------------------------- graphs: the drawing

SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "power", "matmul": "@", "broadcast_to": "repeat",
    "getitem": "pick", "amax": "max", "cross_entropy": "cross-\nentropy",
}  # fmt: skip
WIDTH, HEIGHT = 0.58, 0.74


def number(value):
    """A number, or the shape of an array."""
    value = np.asarray(value)
    if value.size > 1:
        return str(value.shape)
    return f"{value.item() + 0.0:.3g}".replace("-", "−")  # + 0.0: a zero has no sign


def draw_graph(ax, output, title="Values run forward (blue), gradients run back (vermillion)", span=None):
    """Draw the graph behind a tensor: a box for each, its value above its gradient, once there is one.

    `span` is the distance from the first to the last column, in place of 1 between neighbors. Arrays show
    their shape, and of their gradient the length. Returns the parts that move: for each tensor (box, name,
    value, gradient), for each edge (line, flow, arrow, label).
    """
    places, edges = layout(output)
    stretch = span / max(x for x, _ in places.values()) if span else 1
    places = {t: (x * stretch, y) for t, (x, y) in places.items()}
    edges = {key: [(x * stretch, y) for x, y in points] for key, points in edges.items()}
    xs, ys = np.array(list(places.values()), float).T
    bends = np.concatenate([np.array(points, float) for points in edges.values()] or [np.zeros((1, 2))])
    ax.set(xlim=(xs.min() - 0.45, xs.max() + 0.45), title=title)
    ax.set(ylim=(min(ys.min(), bends[:, 1].min()) - 0.6, max(ys.max(), bends[:, 1].max()) + 0.6))
    ax.axis("off")
    parts = {"nodes": {}, "edges": {}}
    for (parent, child, k), points in edges.items():
        twins = [i for i, p in enumerate(child.parents) if p is parent]
        sag = 0.0 if len(twins) == 1 else 0.22 * (2 * twins.index(k) - len(twins) + 1)
        path = _curve(points, WIDTH, sag)
        line = ax.plot(*path.T, color="#B8B8B8", lw=1.2, ls="-", zorder=1, solid_capstyle="round")[0]
        flow = ax.plot([], [], color=figures.VERMILLION, ls="-", alpha=0.55, zorder=1.5)[0]
        arrow = ax.plot(*path[len(path) // 2], color="#8A8A8A", ms=7, zorder=2)[0]
        label = ax.text(*path[len(path) // 2] + (0, 0.13), "", fontsize=8, ha="center", va="bottom")
        parts["edges"][parent, child, k] = line, flow, arrow, label
        point_arrow(parts["edges"][parent, child, k])
    for tensor, (x, y) in places.items():
        inside = "#DCEBF5" if not tensor.parents else "white"
        box = FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.09",
            zorder=3,
        )
        box.set(facecolor=inside, edgecolor="#222222" if tensor is output else "#8A8A8A")
        box.set_linewidth(2 if tensor is output else 1)
        ax.add_patch(box)
        name = SYMBOLS.get(tensor.name, tensor.name)
        texts = [
            ax.text(x, y + dy, text, ha="center", va="center", fontsize=size, color=color, zorder=4, weight=w)
            for dy, text, size, color, w in (
                (0.22, name, 9, "#222222", "bold"),
                (-0.01, number(tensor.data), 8.5, figures.BLUE, "normal"),
                (-0.24, "", 8.5, figures.VERMILLION, "normal"),
            )
        ]
        if tensor.grad is not None:
            several = tensor.data.size > 1
            length = np.linalg.norm(tensor.grad) if several else tensor.grad
            texts[2].set_text(f"‖∇‖ {length:.2g}" if several else number(length))
        parts["nodes"][tensor] = box, *texts
    return parts


def point_arrow(edge, back=False):
    """Turn the arrow of an edge along its line, as it runs on the screen."""
    line, _, arrow, _ = edge
    path = line.axes.transData.transform(np.stack(line.get_data(), axis=1))
    dx, dy = path[len(path) // 2 + 1] - path[len(path) // 2 - 1]
    arrow.set_marker((3, 0, np.degrees(np.arctan2(dy, dx)) + (90 if back else -90)))


# --------------------------------------------------------------------------------- explorer: a live graph

EXPRESSIONS = {
    "(x + y) · x²": lambda x, y: (x + y) * x**2,
    "3x · x²": lambda x, y: (3 * x) * x**2,
    "(tanh(x · y) − 1)²": lambda x, y: ((x * y).tanh() - 1) ** 2,
    "eˣ / (eˣ + eʸ)": lambda x, y: (a := x.exp()) / (a + y.exp()),
}
MODES = ("reverse: how f moves with each node", "forward: how each node moves with x")


def _recorded(expression, x, y):
    """The output, and the inputs by name; a fresh graph each time."""
    x, y = Tensor(x, "x"), Tensor(y, "y")
    return EXPRESSIONS[expression](x, y), x, y


def graph():
    """A graph whose values and derivatives follow its inputs, in either direction."""
    curve_x = np.linspace(-2.5, 2.5, 101)

    def compute(expression, mode, x, y):
        f, leaf, other = _recorded(expression, x, y)
        f.backward()
        order = f.order()
        edges = {}
        for child in order:
            slopes = child.rule(np.ones_like(child.data)) if child.parents else ()
            for k, (parent, slope) in enumerate(zip(child.parents, slopes)):
                edges[order.index(parent), order.index(child), k] = float(slope)
        second = [float(t.grad) for t in order]
        if mode == MODES[1]:
            second = [float(t is leaf) for t in order]
            for (i, j, _), slope in edges.items():  # in topological order: node i is finished
                second[j] += slope * second[i]
            flows = {key: slope * second[key[0]] for key, slope in edges.items()}
        else:
            flows = {key: slope * second[key[1]] for key, slope in edges.items()}
        values = [float(t.data) for t in order]
        curve = np.broadcast_to(
            EXPRESSIONS[expression](Tensor(curve_x), Tensor(float(y))).data, curve_x.shape
        )
        return dict(
            expression=expression, forward=mode == MODES[1], values=values, second=second, slopes=edges,
            flows=flows, curve=curve, x=x, f=values[-1], dx=float(leaf.grad),
            dy=0.0 if other.grad is None else float(other.grad),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(2.6, 1))
        graphs = {}
        for expression in EXPRESSIONS:
            f, _, _ = _recorded(expression, 1.0, 2.0)
            parts, order = draw_graph(left, f, "", span=3.7), f.order()
            graphs[expression] = {
                "nodes": [parts["nodes"][tensor] for tensor in order],
                "edges": {(order.index(p), order.index(c), k): v for (p, c, k), v in parts["edges"].items()},
            }
        left.set(xlim=(-0.35, 4.05), ylim=(-1.5, 1.35), title="Each edge has a slope. Thick: much passes")
        left.text(-0.29, -1.42, "value", color=figures.BLUE, fontsize=9)
        right.set(xlim=(-2.5, 2.5), ylim=(-8, 8), xlabel="x", ylabel="f", title="f along x")
        right.axhline(0, color=figures.GRAY, lw=0.6, ls=":")
        return {
            "graphs": graphs,
            "meaning": left.text(0.1, -1.42, "", fontsize=9),
            "curve": right.plot(curve_x, 0 * curve_x, color=figures.BLUE, ls="-", lw=1.5)[0],
            "tangent": right.plot([], [], color=figures.VERMILLION, ls="--", lw=1.8)[0],
            "point": right.plot([], [], "o", color=figures.BLUE, ms=7)[0],
        }

    def draw(artists, r):
        color = figures.GREEN if r["forward"] else figures.VERMILLION
        artists["meaning"].set(
            text="how it moves with x" if r["forward"] else "how f moves with it", color=color
        )
        for name, graph in artists["graphs"].items():
            for artist in (a for part in (*graph["nodes"], *graph["edges"].values()) for a in part):
                artist.set_visible(name == r["expression"])
        graph = artists["graphs"][r["expression"]]
        for (_, _, value, second), v, s in zip(graph["nodes"], r["values"], r["second"]):
            value.set_text(number(v))
            second.set(text=number(s), color=color)
        for key, edge in graph["edges"].items():
            line, flow, arrow, label = edge
            flow.set_data(*line.get_data())
            flow.set(color=color, linewidth=min(9.0, 1.8 * abs(r["flows"][key]) ** 0.5))
            arrow.set_color(color)
            point_arrow(edge, back=not r["forward"])
            label.set_text(f"· {r['slopes'][key]:.2g}".replace("-", "−"))
        artists["curve"].set_ydata(np.clip(r["curve"], -9, 9))
        reach = np.array([-0.9, 0.9])
        artists["tangent"].set_data(r["x"] + reach, r["f"] + reach * r["dx"])
        artists["point"].set_data([r["x"]], [r["f"]])

    def note(values, r):
        return f"f = {number(r['f'])}   ∂f/∂x = {number(r['dx'])}   ∂f/∂y = {number(r['dy'])}"

    return Explorer(
        "A graph and its derivatives",
        dict(
            expression=Choice(tuple(EXPRESSIONS), "(x + y) · x²", "f"),
            mode=Choice(MODES, MODES[0], "mode"),
            x=Slider(-2, 2, 1.0, "x", step=0.05),
            y=Slider(-3, 3, 2.0, "y", step=0.05),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"y"} if values["expression"] == "3x · x²" else set(),
        goal=Goal(
            "∂f/∂x within 0.05 of 0, with x at least 0.2 away from 0",
            lambda values, r: abs(r["dx"]) < 0.05 and abs(values["x"]) >= 0.2,
        ),
        code={"numpy": _GRAPH_NUMPY, "torch": _GRAPH_TORCH},
        answer=lambda r: r["dx"],
    )


_GRAPH = """
f = {
    "(x + y) · x²": lambda x, y: (x + y) * x**2,
    "3x · x²": lambda x, y: (3 * x) * x**2,
    "(tanh(x · y) − 1)²": lambda x, y: ((x * y).tanh() - 1) ** 2,
    "eˣ / (eˣ + eʸ)": lambda x, y: x.exp() / (x.exp() + y.exp()),
}[$expression]
"""
_GRAPH_NUMPY = (
    """
from nnlib.autograd.in_numpy import Tensor

x, y = Tensor($x), Tensor($y)
"""
    + _GRAPH
    + """
f(x, y).backward()
answer = x.grad                                                  # the derivative of f along x
"""
)
_GRAPH_TORCH = (
    """
import torch

x = torch.tensor($x, dtype=torch.float64, requires_grad=True)
y = torch.tensor($y, dtype=torch.float64, requires_grad=True)
"""
    + _GRAPH
    + """
f(x, y).backward()
answer = x.grad                                                  # the derivative of f along x
"""
)

# ------------------------------------------------------------------------------ explorer: the step size

FUNCTIONS = {  # a function, its derivative, and the third derivative, which sets the central error
    "exp(x)": (np.exp, np.exp, np.exp),
    "sin(x)": (np.sin, np.cos, lambda x: -np.cos(x)),
    "x³": (lambda x: x * x * x, lambda x: 3 * x * x, lambda x: 6 + 0 * x),
    "1 / x": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: -6 / x**4),
}
STEPS = np.geomspace(1e-16, 1, 193)
FLOOR = 1e-18  # where an error of exactly 0 is drawn


def _errors(function, point, dtype, scheme, h):
    """The relative error of the difference quotient at `point`, for all steps h at once."""
    f, slope, _ = FUNCTIONS[function]
    x = np.full(len(h), point, dtype)
    found = finite_difference.unchecked(f, x, h.astype(dtype), scheme).astype(float)
    true = slope(np.float64(x[0]))  # of the number that the dtype can hold
    return np.abs(found - true) / abs(true)


def step_size():
    """The error of a difference quotient against its step: two regimes and a valley between."""

    def compute(function, point, scheme, dtype, h):
        errors = _errors(function, point, dtype, scheme, STEPS)
        here = _errors(function, point, dtype, scheme, np.array([h]))[0]
        f, slope, third = FUNCTIONS[function]
        second = (slope(point + 1e-5) - slope(point - 1e-5)) / 2e-5
        leading = abs(second) / 2 * STEPS if scheme == "forward" else abs(third(point)) / 6 * STEPS**2
        rounding = np.finfo(dtype).eps * abs(f(point)) / STEPS / 2
        return dict(
            errors=np.maximum(errors, FLOOR), here=here, h=h, f=f, point=point,
            truncation=leading / abs(slope(point)),
            rounding=np.full(len(STEPS), np.nan) if scheme == "complex" else rounding / abs(slope(point)),
            slope=slope(point), scheme=scheme, best=STEPS[errors.argmin()], least=errors.min(), dtype=dtype,
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(0, 4), ylim=(-1.5, 8), xlabel="x", ylabel="f(x)", title="The line through two points")
        right.set(xscale="log", yscale="log", xlim=(1e-16, 1), ylim=(FLOOR / 2, 1e3))
        right.set(
            xlabel="step h",
            ylabel="relative error of the slope",
            title="Too large: it bends. Too small: it rounds",
        )
        return {
            "f": left.plot([], [], color=figures.BLUE, ls="-")[0],
            "tangent": left.plot([], [], color=figures.GRAY, ls=":", lw=1.6)[0],
            "secant": left.plot([], [], color=figures.VERMILLION, ls="--", lw=1.4)[0],
            "ends": left.plot([], [], "o", color=figures.VERMILLION, ms=5)[0],
            "truncation": right.plot([], [], color=figures.GRAY, ls="--", lw=1)[0],
            "rounding": right.plot([], [], color=figures.GRAY, ls=":", lw=1.4)[0],
            "errors": right.plot([], [], color=figures.BLUE, ls="-", lw=1.4)[0],
            "here": right.plot([], [], "o", color=figures.VERMILLION, ms=8, zorder=5)[0],
            "labels": [
                right.text(2e-16, 60, "", fontsize=8.5, color=figures.GRAY),
                right.text(0.6, 60, "", fontsize=8.5, color=figures.GRAY, ha="right"),
            ],
        }  # fmt: skip

    def draw(artists, r):
        grid = np.linspace(0.02, 4, 120)
        artists["f"].set_data(grid, np.clip(r["f"](grid), -2, 9))
        x, y = r["point"], r["f"](r["point"])
        reach = np.array([-4.0, 4.0])
        artists["tangent"].set_data(x + reach, y + reach * r["slope"])
        ends = np.array([x, x + r["h"]]) if r["scheme"] == "forward" else np.array([x - r["h"], x + r["h"]])
        heights = np.full(2, np.nan) if r["scheme"] == "complex" else r["f"](ends)
        artists["ends"].set_data(ends, heights)
        rise = (heights[1] - heights[0]) / (ends[1] - ends[0])
        artists["secant"].set_data(ends[0] + reach, heights[0] + rise * reach)
        for name in ("truncation", "rounding", "errors"):
            artists[name].set_data(STEPS, r[name])
        artists["here"].set_data([r["h"]], [max(r["here"], FLOOR)])
        rounds, bends = artists["labels"]
        one_sided, subtracts = r["scheme"] == "forward", r["scheme"] != "complex"
        rounds.set_text("rounding: ½ ε |f / f ′| / h" if subtracts else "nothing subtracted")
        bends.set_text("bending: ½ h |f ″ / f ′|" if one_sided else "bending: h² |f ‴ / f ′| / 6")

    def note(values, r):
        here = f"relative error {r['here']:.1e} at h = {r['h']:.1e}"
        least = f"{r['least']:.0e}" if r["least"] else "0"
        return f"{here}; the least is {least}, at h = {r['best']:.0e}"

    return Explorer(
        "How small a step?",
        dict(
            function=Choice(tuple(FUNCTIONS), "exp(x)", "f"),
            point=Slider(0.25, 2, 1.0, "x", step=0.05),
            scheme=Choice(("forward", "central", "complex"), "forward", "differences"),
            dtype=Choice(("float64", "float32"), "float64", "dtype"),
            h=LogSlider(1e-16, 1, 1e-1, "step h"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a relative error below 1e-10 with real steps, forward or central",
            lambda values, r: r["here"] < 1e-10 and values["scheme"] != "complex",
        ),
        code={"numpy": _STEP_NUMPY, "torch": _STEP_TORCH},
        answer=lambda r: r["here"],
    )


_STEP_NUMPY = """
import numpy as np

functions = {
    "exp(x)": (np.exp, np.exp),
    "sin(x)": (np.sin, np.cos),
    "x³": (lambda x: x * x * x, lambda x: 3 * x * x),
    "1 / x": (lambda x: 1 / x, lambda x: -1 / x**2),
}
f, derivative = functions[$function]
x, h = np.array([$point], $dtype), np.array([$h], $dtype)
scheme = $scheme
if scheme == "forward":
    slope = (f(x + h) - f(x)) / h
elif scheme == "central":
    slope = (f(x + h) - f(x - h)) / (2 * h)
else:
    slope = f(x + 1j * h).imag / h
exact = derivative(x.astype("float64"))
answer = (abs(slope - exact) / abs(exact))[0]
"""
_STEP_TORCH = """
import torch

f = {
    "exp(x)": torch.exp,
    "sin(x)": torch.sin,
    "x³": lambda x: x * x * x,
    "1 / x": lambda x: 1 / x,
}[$function]
dtype = getattr(torch, $dtype)
x, h = torch.tensor($point, dtype=dtype), torch.tensor($h, dtype=dtype)
scheme = $scheme
if scheme == "forward":
    slope = (f(x + h) - f(x)) / h
elif scheme == "central":
    slope = (f(x + h) - f(x - h)) / (2 * h)
else:
    slope = torch.imag(f(torch.complex(x, h))) / h
exact = torch.func.grad(f)(x.double())                           # autograd needs no step
answer = float(abs(slope - exact) / abs(exact))
"""
