"""What notebook 05 lets the learner turn: one step in slow motion, checkpoints, the gradients of layers."""

import re

import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle

from nnlib import figures
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Steps
from nnlib.figures import BLUE, GRAY, GREEN, VERMILLION
from nnlib.layers import Linear, ReLU, Sequential, Sigmoid, Tanh
from nnlib.losses.in_numpy import cross_entropy, cross_entropy_backward

# ------------------------------------------------------------------- one forward and one backward, 2-2-1

LINES = (
    "z1 = w11·x1 + w12·x2 + b1", "z2 = w21·x1 + w22·x2 + b2", "h1 = tanh(z1)", "h2 = tanh(z2)",
    "y = v1·h1 + v2·h2 + c", "L = (y − t)² / 2",
    "∂L = 1", "∂y = ∂L·(y − t)", "∂c = ∂y", "∂v1 = ∂y·h1", "∂v2 = ∂y·h2", "∂h1 = ∂y·v1", "∂h2 = ∂y·v2",
    "∂z1 = ∂h1·(1 − h1²)", "∂z2 = ∂h2·(1 − h2²)", "∂b1 = ∂z1", "∂w11 = ∂z1·x1", "∂w12 = ∂z1·x2", "∂b2 = ∂z2",
    "∂w21 = ∂z2·x1", "∂w22 = ∂z2·x2", "∂x1 = ∂z1·w11 + ∂z2·w21", "∂x2 = ∂z1·w12 + ∂z2·w22",
)  # fmt: skip
FORWARD = 6  # of them are the forward pass
UPDATE = len(LINES) + 1  # the step after the last line belongs to the optimizer
NODES = {"x1": (0.6, 4.5), "x2": (0.6, 1.5), "z1": (4.1, 4.5), "z2": (4.1, 1.5), "h1": (6.0, 4.5)}
NODES |= {"h2": (6.0, 1.5), "y": (8.4, 3.0), "L": (10.1, 3.0)}
EDGES = {  # ends, and where the label stands between them
    "w11": ("x1", "z1", 0.5), "w12": ("x2", "z1", 0.3), "w21": ("x1", "z2", 0.3), "w22": ("x2", "z2", 0.5),
    "tanh1": ("z1", "h1", 0.5), "tanh2": ("z2", "h2", 0.5), "v1": ("h1", "y", 0.5), "v2": ("h2", "y", 0.5),
    "loss": ("y", "L", 0.5),
}  # fmt: skip
BIASES = {"b1": (4.1, 5.75), "b2": (4.1, 0.3), "c": (8.4, 4.4), "t": (10.1, 4.4)}
NAME = r"∂?(?<![a-z])[xwzbhvcytL](?![a-z])\d*"  # in a formula
WEIGHTS = ("w11", "w12", "w21", "w22", "b1", "b2", "v1", "v2", "c")
PALE = "#C9C9C9"


def weights_2_2_1(seed):
    """Nine weights and biases by name, with one decimal, so that every line can be done on paper."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(2, 10, 9) * rng.choice([-1, 1], 9)
    return {name: float(value) / 10 for name, value in zip(WEIGHTS, drawn)}


def _run(x1, x2, t, weights):
    """Every line of the program, executed: the value of each name."""
    values = {"x1": x1, "x2": x2, "t": t, **weights, "tanh": np.tanh}
    for line in LINES:
        name, formula = line.split(" = ")
        python = formula.replace("·", "*").replace("−", "-").replace("²", "**2").replace("∂", "grad_")
        values[name.replace("∂", "grad_")] = float(eval(python, {}, values))
    return values


def _value(values, name):
    return values[name.replace("∂", "grad_")]


def _text(value):
    """Two decimals with a true minus; a zero has no sign."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _in_numbers(line, values):
    """The formula of a line with numbers for names: z1 = 0.5·1.00 + …"""
    name, formula = line.split(" = ")
    if not re.search(NAME, formula):
        return line

    def number(match):
        text = _text(_value(values, match[0]))
        return f"({text})" if text.startswith("−") else text

    numbers = re.sub(NAME, number, formula)
    result = _text(_value(values, name))
    return f"{line} = {numbers}" + ("" if numbers.strip("()") == result else f" = {result}")


def _lit(step):
    """The names in the present line: what it makes, and what it reads."""
    if not 1 <= step <= len(LINES):
        return "", set()
    name, formula = LINES[step - 1].split(" = ")
    return name, set(re.findall(NAME, formula))


def _edges(made, read):
    """The edges that carry the present line."""
    name = made.removeprefix("∂")
    if name in EDGES:  # the gradient of a weight is made where the weight is
        return {name}
    carried = {name for name in read if name in EDGES}
    if made in ("h1", "h2", "∂z1", "∂z2"):
        carried.add("tanh" + made[-1])
    if made in ("L", "∂y"):
        carried.add("loss")
    return carried


def slow_motion():
    """One forward and one backward of a 2-2-1 network, one line at a time."""

    def compute(step, x1, x2, target, seed):
        weights = weights_2_2_1(seed)
        values = _run(x1, x2, target, weights)
        stepped = {name: w - 0.1 * values[f"grad_{name}"] for name, w in weights.items()}
        return dict(step=step, values=values, stepped=stepped, then=_run(x1, x2, target, stepped))

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(2.9, 1))
        left.set(xlim=(-0.1, 10.7), ylim=(-0.95, 6.5))
        right.set(xlim=(0, 1), ylim=(len(LINES) + 4.0, -0.4))
        for ax in (left, right):
            ax.axis("off")
        for at, word, color in ((7.2, "value", BLUE), (8.3, "∂ gradient of L", VERMILLION)):
            left.text(at, 6.2, word, color=color, fontsize=9, weight="bold", va="center")
        artists = {"edges": {}, "heads": {}, "boxes": {}, "names": {}, "values": {}, "gradients": {}}
        for name, (a, b, at) in EDGES.items():
            ends = np.array([NODES[a], NODES[b]])
            artists["edges"][name] = left.plot(*ends.T, "-", color=PALE, lw=1.2, zorder=1)[0]
            artists["heads"][name] = left.plot([], [], color=PALE, ms=9, zorder=2)[0]
            x, y = ends[0] + at * (ends[1] - ends[0])
            if name in WEIGHTS:
                _label(left, artists, name, x, y)
            elif name.startswith("tanh"):
                left.text(x, y + 0.32, "tanh", ha="center", fontsize=8, color=GRAY)
        for name, (x, y) in BIASES.items():
            _label(left, artists, name, x, y)
        for name, (x, y) in NODES.items():
            box = FancyBboxPatch(
                (x - 0.42, y - 0.33), 0.84, 0.66, boxstyle="round,pad=0.06", zorder=3, lw=1.2
            )
            artists["boxes"][name] = left.add_patch(box)
            left.text(x - 0.45, y + 0.5, name, fontsize=9, color="#444444")
            style = dict(ha="center", va="center", zorder=5)
            artists["values"][name] = left.text(x, y, "", fontsize=10, **style)
            artists["gradients"][name] = left.text(x, y - 0.66, "", fontsize=9, color=VERMILLION, **style)
        artists["now"] = left.text(5.3, -0.7, "", ha="center", va="center", fontsize=10.5)
        right.text(0, 0.2, "forward", fontsize=8.5, weight="bold", color=BLUE)
        right.text(0, FORWARD + 1.7, "backward", fontsize=8.5, weight="bold", color=VERMILLION)
        for i, line in enumerate((*LINES, "w ← w − 0.1·∂w   optimizer")):
            right.text(0.02, _row(i), line, fontsize=8, family="monospace", va="center")
        artists["bar"] = right.add_patch(Rectangle((-0.02, 0), 1.04, 0.95, alpha=0.25, lw=0))
        artists["curtain"] = right.add_patch(Rectangle((-0.02, 0), 1.04, 0, fc="white", alpha=0.65, lw=0))
        return artists

    def draw(artists, r):
        step, values = r["step"], r["values"]
        done = {line.split(" = ")[0] for line in LINES[:step]}
        made, read = _lit(step)
        forward = step <= FORWARD
        color = BLUE if forward else VERMILLION
        now = _edges(made, read)
        for name, line in artists["edges"].items():
            line.set(color=color if name in now else PALE, linewidth=3 if name in now else 1.2)
            a, b, label = EDGES[name]
            start, end = np.array([NODES[a], NODES[b]])[:: 1 if forward else -1]
            beside = {"tanh": 0.5, "loss": 0.5}.get(name.rstrip("12"), 0.78)  # clear of the label
            x, y = start + (beside if label == 0.5 else 0.62 if forward else 0.38) * (end - start)
            head, (right, up) = artists["heads"][name], end - start
            head.set_data([x], [y])
            head.set(marker=(3, 0, np.degrees(np.arctan2(up, right)) - 90), color=color, visible=name in now)
        for name, box in artists["boxes"].items():
            known, lit = name in done or name.startswith("x"), made.removeprefix("∂") == name
            box.set(fc=color if lit else "white", ec=color if lit else (GRAY if known else PALE))
            artists["values"][name].set_text(_text(values[name]) if known else "")
            artists["values"][name].set_color("white" if lit else BLUE)
        for name in (*WEIGHTS, "t"):
            moved = step == UPDATE and name != "t"
            text = artists["values"][name]
            text.set_text(_text(r["stepped"][name] if moved else values[name]))
            text.set(color=GREEN if moved else BLUE, weight="bold" if moved or name in read else "normal")
        for name, text in artists["gradients"].items():
            lit = made == f"∂{name}" or f"∂{name}" in read
            text.set_text(f"∂ {_text(values['grad_' + name])}" if f"∂{name}" in done else "")
            text.set_weight("bold" if lit else "normal")
        artists["bar"].set(y=_row(step - 1) - 0.47, fc=GREEN if step == UPDATE else color, visible=step > 0)
        top = _row(step) - 0.5 if step else 0.7
        artists["curtain"].set(y=top, height=max(0, len(LINES) + 3.9 - top))
        artists["now"].set_text(_sentence(r))

    def note(values, r):
        if r["step"] == 0:
            return "Step runs the first line"
        if r["step"] == UPDATE:
            return "backpropagation ended one line earlier: it computes, the optimizer moves"
        part = "forward" if r["step"] <= FORWARD else "backward"
        return f"line {r['step']} of {len(LINES)}, {part}"

    return Explorer(
        "One step in slow motion",
        dict(
            step=Steps(0, UPDATE, 14, "line"),
            x1=Slider(-2, 2, 1.0, "x1", 0.1, ".1f"),
            x2=Slider(-2, 2, -0.5, "x2", 0.1, ".1f"),
            target=Slider(-2.5, 2.5, 1.0, "target t", 0.01),
            seed=IntSlider(0, 19, 1, "seed of the weights"),
        ),
        setup,
        draw,
        compute=compute,
        size=(9.3, 4.2),
        note=note,
        goal=Goal(
            "bring every gradient but ∂L below 0.01, with one slider",
            lambda values, r: abs(r["values"]["grad_y"]) < 0.0055,  # times |v·x| <= 1.8: below 0.01
        ),
        code={"numpy": _SLOW_NUMPY, "torch": _SLOW_TORCH},
        answer=lambda r: r["values"]["grad_w11"],
    )


def _label(ax, artists, name, x, y):
    """A weight on its edge: its name, its value, and under them its gradient."""
    style = dict(fontsize=8.5, va="center", zorder=4, bbox=dict(fc="white", ec="none", pad=0.8))
    words = ax.text(x - 0.02, y + 0.17, name, ha="right", color=GRAY, **style)
    if name in ("w12", "w21", "v1", "v2"):  # whose edge runs through it, and would be drawn over it
        artists["names"][name] = words
    artists["values"][name] = ax.text(x + 0.06, y + 0.17, "", **style)
    artists["gradients"][name] = ax.text(x, y - 0.22, "", ha="center", color=VERMILLION, **style)


def _row(i):
    """The height of a line in the program: a gap before the backward pass and before the optimizer."""
    return i + 1.2 + 1.5 * (i >= FORWARD) + 0.5 * (i >= len(LINES))


def _sentence(r):
    if r["step"] == 0:
        return "inputs, weights and a target are given; nothing is computed yet"
    if r["step"] == UPDATE:
        before, then = _text(r["values"]["L"]), _text(r["then"]["L"])
        return f"the optimizer moves every weight against its gradient: L was {before} and is {then} now"
    return _in_numbers(LINES[r["step"] - 1], r["values"])


_SLOW_NUMPY = """
import numpy as np
from nnlib.backprop.explorers import weights_2_2_1

w = weights_2_2_1($seed)
x = np.array([$x1, $x2])
weight1, bias1 = np.array([[w["w11"], w["w12"]], [w["w21"], w["w22"]]]), np.array([w["b1"], w["b2"]])
weight2, bias2 = np.array([w["v1"], w["v2"]]), w["c"]

h = np.tanh(weight1 @ x + bias1)
y = weight2 @ h + bias2
loss = (y - $target) ** 2 / 2

grad_y = y - $target
grad_weight2, grad_bias2 = grad_y * h, grad_y
grad_h = grad_y * weight2
grad_z = grad_h * (1 - h**2)
grad_weight1, grad_bias1 = np.outer(grad_z, x), grad_z
grad_x = weight1.T @ grad_z
answer = grad_weight1[0, 0]
"""
_SLOW_TORCH = """
import torch
from nnlib.backprop.explorers import weights_2_2_1

w = weights_2_2_1($seed)
x = torch.tensor([$x1, $x2], dtype=torch.float64)
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)).double()
values = [[[w["w11"], w["w12"]], [w["w21"], w["w22"]]], [w["b1"], w["b2"]], [[w["v1"], w["v2"]]], [w["c"]]]
for p, value in zip(net.parameters(), values):
    p.data = torch.tensor(value, dtype=torch.float64)

loss = (net(x)[0] - $target) ** 2 / 2
loss.backward()
answer = float(net[0].weight.grad[0, 0])
"""

# ------------------------------------------------------------------------------- remember or recompute


def _peak(layers, every):
    """The most arrays that `deep_mlp_backward` holds at once: kept inputs, and one segment's outputs."""
    starts = range(0, layers, every)
    return max(kept + min(every, layers - start) for kept, start in enumerate(starts, 1))


def checkpoints():
    """Which activations of a deep network are kept, what that saves, and what it costs."""

    def compute(layers, every, width, batch):
        starts = range(0, layers, every)
        again = layers - len(starts)  # the output of a segment is known: it is the next one's input
        curve = np.array([_peak(layers, k) for k in range(1, layers + 1)])
        peak = _peak(layers, every)
        return dict(
            layers=layers, every=every, curve=curve, peak=peak, kept=len(starts),
            floats=peak * width * batch, all=_peak(layers, 1) * width * batch, again=again,
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.7, 1))
        left.set(xlim=(-2.9, 15.6), ylim=(-5.6, 1.2))
        left.axis("off")
        left.set_title("Dark: its input is remembered; orange: the segment at work")
        cells = [left.add_patch(Rectangle((0, 0), 0.86, 0.86, lw=0)) for _ in range(64)]
        for i, cell in enumerate(cells):
            cell.set_xy((i % 16 - 0.43, 0.07 - 1.25 * (i // 16)))
        for row in range(4):
            words = f"{16 * row + 1} to {16 * row + 16}"
            left.text(-0.7, 0.5 - 1.25 * row, words, ha="right", va="center", fontsize=8.5, color=GRAY)
        right.set(xlim=(0, 65), ylim=(0, 68), xlabel="remember every … inputs", ylabel="arrays held at most")
        right.set_title("Fewest near √L")
        return dict(
            cells=cells,
            words=left.text(-2.8, -5.1, "", fontsize=9.5, va="center"),
            curve=right.plot([], [], "-", color=BLUE)[0],
            root=right.plot([], [], ":", color=GRAY, lw=1.2)[0],
            root_name=right.text(0, 63, "", fontsize=9, color=GRAY),
            now=right.plot([], [], "D", color=VERMILLION, ms=8)[0],
        )

    def draw(artists, r):
        for i, cell in enumerate(artists["cells"]):
            kept = i % r["every"] == 0
            last = i >= r["layers"] - 1 - (r["layers"] - 1) % r["every"]
            cell.set(fc=BLUE if kept else ("#F0B48A" if last else "#E3E3E3"), visible=i < r["layers"])
        share = 100 * r["floats"] / r["all"]
        artists["words"].set_text(
            f"{r['peak']} arrays, {_count(r['floats'])} floats: {share:.0f} % of remembering everything"
        )
        artists["curve"].set_data(np.arange(1, r["layers"] + 1), r["curve"])
        root = np.sqrt(r["layers"])
        artists["root"].set_data([root, root], [0, 60])
        artists["root_name"].set(position=(root + 1, 57), text=f"√{r['layers']} = {root:.1f}")
        artists["now"].set_data([min(r["every"], r["layers"])], [r["peak"]])

    def note(values, r):
        share = 100 * r["again"] / r["layers"]
        return (
            f"computed a second time: {r['again']} of {r['layers']} layers, {share:.0f} % of a forward pass"
        )

    return Explorer(
        "Remember or recompute",
        dict(
            layers=IntSlider(4, 64, 64, "layers L"),
            every=IntSlider(1, 64, 5, "remember every … inputs"),
            width=IntSlider(64, 4096, 1024, "width", 64),
            batch=IntSlider(8, 512, 64, "batch", 8),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "train 64 layers in at most a quarter of the memory",
            lambda values, r: values["layers"] == 64 and 4 * r["floats"] <= r["all"],
        ),
        code={"numpy": _KEEP_NUMPY, "torch": _KEEP_TORCH},
        answer=lambda r: r["floats"],
    )


def _count(n):
    return f"{n / 1e6:.1f} million" if n >= 1e6 else f"{n:,}"


_KEEP_NUMPY = """
layers, every, width, batch = $layers, $every, $width, $batch
kept, held = list(range(0, layers, every)), []
while kept:                                                # the segments, from the last to the first
    start = kept.pop()
    outputs = range(start, min(start + every, layers))     # computed again, used, forgotten
    held.append(len(kept) + 1 + len(outputs))
answer = max(held) * batch * width
"""
_KEEP_TORCH = """
import torch

layers, every, width, batch = $layers, $every, $width, $batch
segments = torch.arange(layers).split(every)
held = [kept + len(outputs) for kept, outputs in enumerate(segments, 1)]
answer = max(held) * torch.empty(batch, width, device="meta").numel()
"""

# -------------------------------------------------------------------- the gradient of every layer, live

IMAGES, WIDTH, STEPS, DEEPEST = 300, 24, 300, 10
ACTIVATIONS = {"sigmoid": Sigmoid, "tanh": Tanh, "relu": ReLU}
LOW, HIGH = 1e-8, 1e3


def starting_weights(depth, scale, seed):
    """The weights of a 64-24-…-24-10 network: normal with standard deviation scale / sqrt(inputs)."""
    rng, sizes = np.random.default_rng(seed), [64, *[WIDTH] * depth, 10]
    return [scale * rng.normal(size=(o, i)) / np.sqrt(i) for i, o in zip(sizes, sizes[1:])]


def layer_gradients():
    """The norm of the gradient of every layer while a deep network learns digits."""

    def train(depth, activation, lr, scale, seed):
        x, y, x_test, y_test = digits()
        x, y, x_test = x[:IMAGES] - 0.5, y[:IMAGES], x_test - 0.5
        linear, parts = [], []
        for weight in starting_weights(depth, scale, seed):
            linear.append(Linear(*weight.shape[::-1], rng=np.random.default_rng(0), dtype=np.float64))
            parts += [linear[-1], ACTIVATIONS[activation]()]
        model = Sequential(*parts[:-1])
        for layer, weight in zip(linear, starting_weights(depth, scale, seed)):
            layer.weight[...], layer.params["bias"][...] = weight, 0
        norms, stopped = [], None
        for step in range(STEPS + 1):
            z = model.forward(x)
            loss = cross_entropy.unchecked(z, y)
            if not np.isfinite(loss):
                stopped = step
            else:
                model.backward(cross_entropy_backward.unchecked(1.0, z, y)[0], want_input=False)
                norms.append([np.sqrt(np.vdot(layer.grad_weight, layer.grad_weight)) for layer in linear])
            if step % 5 == 0 or stopped:
                right = 100 * (model.forward(x_test).argmax(axis=1) == y_test).mean()
                result = dict(norms=np.array(norms), loss=loss, accuracy=right, stopped=stopped, lr=lr)
                yield 1.0 if stopped else step / STEPS, result
            if stopped:
                return
            model.params -= lr * model.grads

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.5, 1), sharey=True)
        left.set(xlim=(0, STEPS * 1.12), ylim=(LOW, HIGH), yscale="log", xlabel="steps")
        left.set(ylabel="norm of the gradient (log scale)", title="The gradient of every layer's weights")
        left.set_xticks(range(0, STEPS + 1, 100))
        right.set(
            xlim=(0.5, DEEPEST + 1.5), xlabel="layer, from the input to the output", xticks=range(1, 12)
        )
        right.set_title("Now, against the start")
        return dict(
            curves=[left.plot([], [], lw=1.6)[0] for _ in range(DEEPEST + 1)],
            ends=[left.text(0, 1, "", fontsize=8, va="center") for _ in range(2)],
            stopped=left.text(STEPS / 2, 20, "", ha="center", color=VERMILLION, weight="bold"),
            start=right.plot([], [], ":", color=GRAY, marker="o", ms=4, mfc="white", lw=1.2)[0],
            now=right.plot([], [], "-", color=VERMILLION, marker="D", ms=5, lw=1.4)[0],
            words=[right.text(0, 1, "", fontsize=9, color=c) for c in (GRAY, VERMILLION)],
            score=right.text(11.3, 1.8e-8, "", fontsize=9.5, ha="right"),
        )

    def draw(artists, r):
        norms = np.clip(np.nan_to_num(r["norms"], nan=HIGH, posinf=HIGH), LOW, HIGH)
        steps, layers = norms.shape
        for i, curve in enumerate(artists["curves"]):
            curve.set_data(np.arange(steps), norms[:, i]) if i < layers else curve.set_data([], [])
            curve.set_color(figures.mpl.colormaps["viridis"](0.85 * i / (layers - 1)) if i < layers else PALE)
            curve.set_linestyle("-" if i in (0, layers - 1) else (0, (4, 1.5)))
        for text, i in zip(artists["ends"], (0, layers - 1)):
            above = norms[-1, i] >= norms[-1, layers - 1 - i]
            text.set(position=(steps + 3, norms[-1, i]), text="last" if i else "first")
            text.set_va("bottom" if above else "top")
            text.set_color(artists["curves"][i].get_color())
        number = np.arange(1, layers + 1)
        artists["start"].set_data(number, norms[0])
        artists["now"].set_data(number, norms[-1])
        for text, values, word, shift in zip(
            artists["words"], (norms[0], norms[-1]), ("start", "now"), (0.3, 3)
        ):
            text.set(position=(1.2, values[0] * shift), text=word if steps > 1 or word == "start" else "")
        artists["score"].set_text(f"step = {r['lr']:.2g} × gradient · test accuracy {r['accuracy']:.0f} %")
        artists["stopped"].set_text(f"diverged at step {r['stopped']}" if r["stopped"] else "")

    def note(values, r):
        first, last = r["norms"][0][[0, -1]]
        return (
            f"at the start the first layer's gradient is {first / last:.2g} times the last one's · "
            f"loss now {r['loss']:.2f}, chance is 2.30"
        )

    return Explorer(
        "The gradient of every layer while it trains",
        dict(
            depth=IntSlider(1, DEEPEST, 6, "hidden layers"),
            activation=Choice(tuple(ACTIVATIONS), "sigmoid", "activation"),
            lr=LogSlider(0.01, 3, 0.3, "learning rate"),
            scale=LogSlider(0.5, 4, 1.0, "scale of the weights"),
            seed=Seed(),
        ),
        setup,
        draw,
        train=train,
        size=(9, 3.6),
        note=note,
        goal=Goal(
            "85 % on the test digits with 8 hidden layers or more",
            lambda values, r: values["depth"] >= 8 and r["accuracy"] >= 85,
        ),
        code={"numpy": _LAYERS_NUMPY, "torch": _LAYERS_TORCH},
        answer=lambda r: r["norms"][-1, 0] / r["norms"][-1, -1],
    )


_LAYERS_NUMPY = """
import numpy as np
from nnlib.backprop.explorers import starting_weights
from nnlib.data import digits

f, slope = {                                               # each slope in terms of the output h
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda h: h * (1 - h)),
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
}[$activation]
x, y = digits().x_train[:300] - 0.5, digits().y_train[:300]
weights = starting_weights($depth, $scale, $seed)
biases = [np.zeros(len(w)) for w in weights]
for step in range(301):
    h = [x]
    for w, b in zip(weights[:-1], biases):
        h.append(f(h[-1] @ w.T + b))
    z = h[-1] @ weights[-1].T + biases[-1]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    grad_z = p / p.sum(axis=1, keepdims=True)
    grad_z[np.arange(300), y] -= 1
    grad_z /= 300
    grads = []
    for w, inputs in zip(weights[::-1], h[::-1]):          # from the last layer to the first
        grads.insert(0, (grad_z.T @ inputs, grad_z.sum(axis=0)))
        grad_z = grad_z @ w * slope(inputs)
    if step < 300:
        for w, b, (grad_w, grad_b) in zip(weights, biases, grads):
            w -= $lr * grad_w
            b -= $lr * grad_b
norms = [np.linalg.norm(grad_w) for grad_w, _ in grads]
answer = norms[0] / norms[-1]
"""
_LAYERS_TORCH = """
import torch
from nnlib.backprop.explorers import starting_weights
from nnlib.data import digits

activation = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[$activation]
x, y = torch.tensor(digits().x_train[:300] - 0.5), torch.tensor(digits().y_train[:300])
linear = []
for w in starting_weights($depth, $scale, $seed):
    linear.append(torch.nn.Linear(w.shape[1], w.shape[0]).double())
    linear[-1].weight.data = torch.tensor(w)
    torch.nn.init.zeros_(linear[-1].bias)
net = torch.nn.Sequential(*[part for layer in linear for part in (layer, activation())][:-1])
optimizer = torch.optim.SGD(net.parameters(), lr=$lr)
for step in range(301):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    if step < 300:
        optimizer.step()
norms = [layer.weight.grad.norm().item() for layer in linear]
answer = norms[0] / norms[-1]
"""
