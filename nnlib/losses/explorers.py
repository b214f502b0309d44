"""What notebook 06 lets the learner turn."""

from math import log

import numpy as np

from nnlib import figures
from nnlib.explorer import Choice, Explorer, Goal, LogSlider, Seed, Slider
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION
from nnlib.losses import in_numpy
from nnlib.losses.experiments import LINE_LOSSES, fit_line, saturated_neuron

LOOKS = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (GRAY, "-"))


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


# ------------------------------------------------------------------------------- a saturated neuron


def badly_wrong():
    """A neuron that starts sure of the wrong answer, taught by squared error and by cross-entropy."""

    def compute(start, lr):
        return saturated_neuron(start, lr)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(0, 300), ylim=(0, 1.02), xlabel="step", ylabel="output; 0 would be right")
        left.set_title("The same neuron, two losses")
        right.set(xlim=(0, 300), ylim=(1e-4, 2), yscale="log", xlabel="step")
        right.set_ylabel("gradient for the sum w + b")
        right.set_title("How hard each loss pulls")
        names = ("squared error", "cross-entropy")
        looks = dict(zip(names, ((VERMILLION, "--"), (BLUE, "-"))))
        artists = {
            name: [ax.plot([], [], color=c, ls=dash, label=name)[0] for ax in (left, right)]
            for name, (c, dash) in looks.items()
        }
        right.legend(loc="lower left")
        return artists

    def draw(artists, r):
        for name, (output, pull) in artists.items():
            y = np.array(r[name])
            output.set_data(range(len(y)), y)
            pull.set_data(range(len(y)), y * y * (1 - y) if name == "squared error" else y)

    return Explorer(
        "Badly wrong, and barely learning",
        dict(
            start=Slider(-1, 5, 2.0, "weight and bias at the start", 0.05),
            lr=LogSlider(0.03, 10, 0.15, "learning rate"),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            "output after 50 steps: " + ", ".join(f"{name} {curve[50]:.3f}" for name, curve in r.items())
        ),
        goal=Goal(
            "from a start of at least 2, an output below 0.1 under squared error within 50 steps",
            lambda values, r: values["start"] >= 2 and r["squared error"][50] < 0.1,
        ),
        code={"numpy": _NUMPY_NEURON, "torch": _TORCH_NEURON},
        answer=lambda r: r["squared error"][50],
    )


_NUMPY_NEURON = """
import numpy as np

w = b = $start
for step in range(50):
    output = 1 / (1 + np.exp(-(w * 1 + b)))                      # the input is 1
    pull = (output - 0) * output * (1 - output)                  # of (output - 0)**2 / 2, the target being 0
    w, b = w - $lr * pull * 1, b - $lr * pull
answer = 1 / (1 + np.exp(-(w + b)))
"""
_TORCH_NEURON = """
import torch

w, b = (torch.tensor(float($start), dtype=torch.float64, requires_grad=True) for _ in range(2))
optimizer = torch.optim.SGD([w, b], lr=$lr)
for step in range(50):
    optimizer.zero_grad()
    output = torch.sigmoid(w * 1 + b)
    loss = torch.nn.functional.mse_loss(output, torch.zeros_like(output)) / 2
    loss.backward()
    optimizer.step()
answer = torch.sigmoid(w + b).item()
"""


# ------------------------------------------------------------------------- loss and gradient, all at once

NUMBERS = ("squared error", "absolute error", "Huber", "smooth L1", "Gaussian NLL")
ANSWERS = ("cross-entropy", "sigmoid, squared", "hinge", "focal")
_GRID = np.linspace(-5, 5, 201)


def losses_at(x, yes, delta, var, gamma):
    """Loss and gradient of every loss at the predictions x (n,): {name: (losses, gradients)}.

    The first five predict a number whose target is 0, the others hold a score for a yes or a no.
    """
    zero, label = np.zeros_like(x), np.full_like(x, yes)
    sign = np.full(len(x), 1 if yes else -1)
    calls = {
        "squared error": ("mse_loss", (zero,), {}),
        "absolute error": ("l1_loss", (zero,), {}),
        "Huber": ("huber_loss", (zero,), {"delta": delta}),
        "smooth L1": ("smooth_l1_loss", (zero,), {"beta": delta}),
        "Gaussian NLL": ("gaussian_nll_loss", (zero, np.full_like(x, var)), {}),
        "cross-entropy": ("binary_cross_entropy_with_logits", (label,), {}),
        "hinge": ("hinge", (sign,), {}),
        "focal": ("sigmoid_focal_loss", (label,), {"alpha": -1, "gamma": gamma}),
    }
    found = {}
    for name, (function, arrays, settings) in calls.items():
        f, backward = (getattr(in_numpy, function + end).unchecked for end in ("", "_backward"))
        losses = f(x, *arrays, **settings, reduction="none")
        found[name] = losses, backward(np.ones_like(x), x, *arrays, **settings, reduction="none")[0]
    p = _sigmoid(x)
    found["sigmoid, squared"] = (p - yes) ** 2, 2 * (p - yes) * p * (1 - p)
    return found


def all_losses():
    """Loss and gradient against the prediction for all losses at once."""

    def compute(prediction, loss, answer, delta, var, gamma):
        yes = answer == "yes"
        curves = losses_at(_GRID, yes, delta, var, gamma)
        here = losses_at(np.array([prediction]), yes, delta, var, gamma)
        here = {name: (float(f[0]), float(g[0])) for name, (f, g) in here.items()}
        return dict(curves=curves, here=here, x=prediction, loss=loss)

    def setup(fig):
        grid = figures.axes(fig, 2, 3, width_ratios=(1, 1, 0.85), sharex="col")
        artists = {"lines": {}, "dots": {}, "texts": {}}
        for column, names in enumerate((NUMBERS, ANSWERS)):
            for row, label in enumerate(("loss", "slope: the gradient")):
                ax = grid[row, column]
                ax.set(xlim=(-5, 5), ylim=(-1, 5) if row == 0 else (-3.2, 3.2))
                ax.axhline(0, color="#DDDDDD", lw=0.8, zorder=0)
                ax.axvline(0, color="#DDDDDD", lw=0.8, zorder=0)
                if column == 0:
                    ax.set_ylabel(label)
                for name, (color, dash) in zip(names, LOOKS):
                    artists["lines"][name, row] = ax.plot([], [], color=color, ls=dash, lw=1.4)[0]
                    artists["dots"][name, row] = ax.plot([], [], "o", color=color, ms=5)[0]
        grid[0, 0].set_title("A number; 0 is right")
        grid[0, 1].set_title("A score for yes or no")
        grid[1, 0].set_xlabel("prediction")
        grid[1, 1].set_xlabel("prediction: the score")
        for row in range(2):
            grid[row, 2].axis("off")
            grid[row, 2].set(xlim=(0, 1), ylim=(0, 1))
        for ax, names in ((grid[0, 2], NUMBERS), (grid[1, 2], ANSWERS)):
            for at, title in ((0.78, "loss"), (1, "slope")):
                ax.text(at, 0.95, title, fontsize=9, ha="right", color=GRAY)
            for y, name, (color, dash) in zip((0.82, 0.67, 0.52, 0.37, 0.22), names, LOOKS):
                ax.plot([0, 0.09], [y, y], color=color, ls=dash, lw=1.4, clip_on=False)
                ax.text(0.12, y, name, fontsize=9, va="center", color=color)
                artists["texts"][name] = [
                    ax.text(at, y, "", fontsize=9, ha="right", va="center") for at in (0.78, 1)
                ]
        return artists

    def draw(artists, r):
        for (name, row), line in artists["lines"].items():
            line.set_data(_GRID, r["curves"][name][row])
            line.set_linewidth(3 if name == r["loss"] else 1.3)
            artists["dots"][name, row].set_data([r["x"]], [r["here"][name][row]])
        for name, texts in artists["texts"].items():
            for text, value in zip(texts, r["here"][name]):
                text.set_text(f"{value:.2f}")
                text.set_fontweight("bold" if name == r["loss"] else "normal")

    def far_but_unmoved(values, r):
        loss, gradient = r["here"]["sigmoid, squared"]
        return loss > 0.8 and abs(gradient) < 0.1

    return Explorer(
        "Every loss and its gradient",
        dict(
            prediction=Slider(-5, 5, -1.0, "prediction", 0.05),
            loss=Choice(NUMBERS + ANSWERS, "cross-entropy", "loss in bold"),
            answer=Choice(("yes", "no"), "yes", "right answer"),
            delta=Slider(0.1, 3, 0.5, "delta (Huber), beta (smooth L1)", 0.05),
            var=LogSlider(0.1, 10, 3.0, "var (Gaussian NLL)"),
            gamma=Slider(0, 5, 2.0, "gamma (focal)", 0.1),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 5),
        note=lambda values, r: (
            f"{r['loss']} at {r['x']:.2f}: loss {r['here'][r['loss']][0]:.3f}, "
            f"gradient {r['here'][r['loss']][1]:.3f}"
        ),
        goal=Goal(
            "a score at which the squared error of the sigmoid is above 0.8 and its gradient below 0.1",
            far_but_unmoved,
        ),
        code={"numpy": _NUMPY_LOSSES, "torch": _TORCH_LOSSES},
        answer=lambda r: r["here"][r["loss"]][1],
    )


_NUMPY_LOSSES = """
import numpy as np

x, yes, delta, var, gamma = $prediction, $answer == "yes", $delta, $var, $gamma
p = 1 / (1 + np.exp(-x))
sign, miss = (1, 1 - p) if yes else (-1, p)                      # miss: probability of the wrong answer
gradient = {
    "squared error": 2 * x,                                      # of x**2, the target being 0
    "absolute error": np.sign(x),
    "Huber": np.clip(x, -delta, delta),
    "smooth L1": np.clip(x / delta, -1, 1),
    "Gaussian NLL": x / var,
    "cross-entropy": p - yes,
    "sigmoid, squared": 2 * (p - yes) * p * (1 - p),
    "hinge": -sign * (sign * x < 1),
    "focal": miss**gamma * (p - yes + sign * gamma * (1 - miss) * np.log(1 - miss)),
}
answer = gradient[$loss]
"""
_TORCH_LOSSES = """
import torch
import torch.nn.functional as F

x = torch.tensor([float($prediction)], dtype=torch.float64, requires_grad=True)
zero, yes = torch.zeros_like(x), torch.full_like(x, $answer == "yes")
surprise = F.binary_cross_entropy_with_logits(x, yes)
loss = {
    "squared error": F.mse_loss(x, zero),
    "absolute error": F.l1_loss(x, zero),
    "Huber": F.huber_loss(x, zero, delta=$delta),
    "smooth L1": F.smooth_l1_loss(x, zero, beta=$delta),
    "Gaussian NLL": F.gaussian_nll_loss(x, zero, torch.full_like(x, $var)),
    "cross-entropy": surprise,
    "sigmoid, squared": F.mse_loss(torch.sigmoid(x), yes),
    "hinge": F.relu(1 - (2 * yes - 1) * x).sum(),
    "focal": (1 - torch.exp(-surprise)) ** $gamma * surprise,
}[$loss]
loss.backward()
answer = x.grad.item()
"""


# ------------------------------------------------------------------------------- the fit each loss chooses


def points(seed, x, y, copies, n=20):
    """n points on y = x with noise 0.5, and `copies` outliers at (x, y)."""
    rng = np.random.default_rng(seed)
    xs = np.concatenate([rng.uniform(-3, 3, n), np.full(copies, x)])
    return xs, np.concatenate([xs[:n] + rng.normal(0, 0.5, n), np.full(copies, y)])


def outlier():
    """The line that each loss chooses as you drag an outlier; right, how hard each point pulls."""
    looks = dict(zip(LINE_LOSSES, LOOKS))

    def compute(x, y, copies, delta, seed):
        xs, ys = points(seed, x, y, copies)
        lines = {name: fit_line(xs, ys, name, delta) for name in LINE_LOSSES}
        residuals = {name: ys - slope * xs - intercept for name, (slope, intercept) in lines.items()}
        return dict(x=xs, y=ys, lines=lines, residuals=residuals, delta=delta, n=len(xs) - copies)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.15, 1))
        left.set(
            xlim=(-8.3, 8.3), ylim=(-10.4, 10.4), xlabel="x", ylabel="y", title="The line each loss chooses"
        )
        left.plot([-9, 9], [-9, 9], color="#CCCCCC", lw=5, solid_capstyle="butt", zorder=0)
        left.text(-8, -9.8, "gray: the true line, y = x", fontsize=8, color=GRAY)
        right.set(xlim=(-20, 20), ylim=(-13, 13), xlabel="distance of a point from the line")
        right.set_ylabel("its pull: slope of the loss")
        right.set_title("How hard the outlier ★ pulls")
        right.axhline(0, color="#DDDDDD", lw=0.8, zorder=0)
        artists = dict(
            points=left.plot([], [], "o", color="black", ms=3.5)[0],
            star=left.plot([], [], "*", color="black", ms=13)[0],
            lines={n: left.plot([], [], color=c, ls=d, lw=1.8)[0] for n, (c, d) in looks.items()},
            texts={
                name: left.text(8, -6.5 - 1.6 * i, "", fontsize=9, color=color, ha="right")
                for i, (name, (color, _)) in enumerate(looks.items())
            },
            pulls={n: right.plot([], [], color=c, ls=d, lw=1.2)[0] for n, (c, d) in looks.items()},
            stars={n: right.plot([], [], "*", color=c, ms=12)[0] for n, (c, _) in looks.items()},
        )
        return artists

    def pull(name, d, delta):
        """The slope of each loss; squared error as d**2 / 2, so that it agrees with Huber near 0."""
        return {"squared error": d, "absolute error": np.sign(d), "Huber": np.clip(d, -delta, delta)}[name]

    def draw(artists, r):
        n, ends, grid = r["n"], np.array([-9.0, 9.0]), np.linspace(-20, 20, 161)
        artists["points"].set_data(r["x"][:n], r["y"][:n])
        artists["star"].set_data(r["x"][n:], r["y"][n:])
        for name, (slope, intercept) in r["lines"].items():
            artists["lines"][name].set_data(ends, slope * ends + intercept)
            artists["texts"][name].set_text(f"{name}: slope {slope:.2f}")
            artists["pulls"][name].set_data(grid, pull(name, grid, r["delta"]))
            d = r["residuals"][name][n:]
            artists["stars"][name].set_data(d, np.clip(pull(name, d, r["delta"]), -12.8, 12.8))

    return Explorer(
        "The fit that each loss chooses",
        dict(
            y=Slider(-10, 10, 8.0, "outlier: y", 0.1, ".1f"),
            x=Slider(-8, 8, -2.5, "outlier: x", 0.1, ".1f"),
            copies=Choice((1, 2, 4, 8), 1, "how many lie there"),
            delta=LogSlider(0.05, 20, 2.0, "delta (Huber)"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 3.6),
        note=lambda values, r: (
            "slope (1 is right): " + ", ".join(f"{name} {line[0]:.2f}" for name, line in r["lines"].items())
        ),
        goal=Goal(
            "with at most four outliers, turn the line of absolute error downhill",
            lambda values, r: values["copies"] <= 4 and r["lines"]["absolute error"][0] < 0,
        ),
        code={"numpy": _NUMPY_LINE, "torch": _TORCH_LINE},
        answer=lambda r: r["lines"]["Huber"][0],
    )


_NUMPY_LINE = """
import numpy as np
from nnlib.losses.explorers import points

x, y = points($seed, $x, $y, $copies)
inputs = np.stack([x, np.ones_like(x)], axis=1)
line = np.zeros(2)
for step in range(10000):                                        # Huber, by least squares with weights
    residual = inputs @ line - y
    weight = np.minimum(1, $delta / np.maximum(np.abs(residual), 1e-300))
    line = np.linalg.solve((inputs.T * weight) @ inputs, (inputs.T * weight) @ y)
answer = line[0]
"""
_TORCH_LINE = """
import torch
from nnlib.losses.explorers import points

x, y = map(torch.from_numpy, points($seed, $x, $y, $copies))
line = torch.zeros(2, dtype=x.dtype, requires_grad=True)
optimizer = torch.optim.LBFGS([line], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15,
                              line_search_fn="strong_wolfe")

def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.huber_loss(line[0] * x + line[1], y, delta=$delta) / $delta
    loss.backward()
    return loss

optimizer.step(closure)
answer = line[0].item()
"""


# --------------------------------------------------------------------------------------- a rare class


def rare_points(share, seed, n=2000):
    """Two normal clouds at -1 (no) and 1 (yes), at least ten of them yes, and what each point answers."""
    y = np.arange(n) < max(10, share * n)
    return np.random.default_rng(seed).normal(2 * y - 1.0), y


def rare_class():
    """What a weight for the rare class does, and what the threshold alone does."""

    def compute(share, pos_weight, threshold, seed):
        x, y = rare_points(share, seed)
        weight, bias = _logistic(x, y, pos_weight)
        p = _sigmoid(weight * x + bias)
        said = p > threshold
        order = np.argsort(-x)  # a linear score in one feature ranks like the feature itself
        hits = np.cumsum(y[order])
        return dict(
            line=(weight, bias), threshold=threshold, share=y.mean(), claimed=p.mean(),
            counts=[np.histogram(x[y == k], _EDGES)[0] for k in (False, True)],
            recall=said[y].mean(), precision=y[said].mean() if said.any() else np.nan,
            curve=(hits / y.sum(), hits / np.arange(1, len(y) + 1)),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.15, 1))
        left.set(xlim=(-4.5, 4.5), ylim=(0, 1.02), xlabel="the one feature", ylabel="probability of a yes")
        left.set_title("What is learned; counts of no ▼ and yes ●")
        right.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall: share of the yes that are found")
        right.set_ylabel("precision: share that is right")
        right.set_title("All thresholds, and yours")
        centers = (_EDGES[1:] + _EDGES[:-1]) / 2
        return dict(
            bars=[
                left.plot(centers, centers * 0, m, ls="-", lw=0.8, color=c, ms=4, drawstyle="steps-mid")[0]
                for m, c in (("v", VERMILLION), ("o", BLUE))
            ],
            curve=left.plot([], [], color="black", lw=2)[0],
            cut=left.plot([], [], color=GRAY, ls="--", lw=1.2)[0],
            all=right.plot([], [], color=GRAY, lw=1.4)[0],
            now=right.plot([], [], "o", color=VERMILLION, ms=9)[0],
            text=right.text(0.03, 0.06, "", fontsize=9),
        )

    def draw(artists, r):
        highest = max(counts.max() for counts in r["counts"])
        for bars, counts in zip(artists["bars"], r["counts"]):
            bars.set_ydata(0.95 * counts / highest)
        weight, bias = r["line"]
        grid = np.linspace(-4.5, 4.5, 120)
        artists["curve"].set_data(grid, _sigmoid(weight * grid + bias))
        at = (log(r["threshold"] / (1 - r["threshold"])) - bias) / weight
        artists["cut"].set_data([at, at], [0, 1])
        artists["all"].set_data(*r["curve"])
        artists["now"].set_data([r["recall"]], [r["precision"]])
        artists["text"].set_text(
            f"recall {r['recall']:.2f}, precision {r['precision']:.2f}\n"
            f"true share of yes {100 * r['share']:.1f} %, claimed {100 * r['claimed']:.1f} %"
        )

    return Explorer(
        "A rare class: weight or threshold",
        dict(
            share=LogSlider(0.005, 0.5, 0.03, "share of yes"),
            pos_weight=LogSlider(1, 200, 1.0, "pos_weight"),
            threshold=Slider(0.01, 0.99, 0.5, "say yes above", 0.01),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        size=(9, 3.6),
        note=lambda values, r: (
            f"recall {r['recall']:.2f}, precision {r['precision']:.2f}; "
            f"the model claims {100 * r['claimed']:.1f} % yes, {100 * r['share']:.1f} % are"
        ),
        goal=Goal(
            "find 80 % of the yes with pos_weight at 1, by the threshold alone",
            lambda values, r: values["pos_weight"] == 1 and r["recall"] >= 0.8,
        ),
        code={"numpy": _NUMPY_RARE, "torch": _TORCH_RARE},
        answer=lambda r: r["claimed"],
    )


_EDGES = np.linspace(-4.5, 4.5, 31)


def _logistic(x, y, pos_weight, steps=30):
    """Weight and bias that make cross-entropy with pos_weight smallest: Newton's method."""
    inputs, line = np.stack([x, np.ones_like(x)], axis=1), np.zeros(2)
    factor = np.where(y, pos_weight, 1.0) / len(x)
    for _ in range(steps):
        p = _sigmoid(inputs @ line)
        step = np.linalg.solve((inputs.T * (factor * p * (1 - p))) @ inputs, inputs.T @ (factor * (p - y)))
        line = line - step
        if np.abs(step).max() < 1e-10:
            break
    return line


_NUMPY_RARE = """
import numpy as np
from nnlib.losses.explorers import rare_points

x, y = rare_points($share, $seed)
inputs, line = np.stack([x, np.ones_like(x)], axis=1), np.zeros(2)
factor = np.where(y, $pos_weight, 1) / len(x)
for step in range(30):                                           # Newton's method
    p = 1 / (1 + np.exp(-inputs @ line))
    curvature = (inputs.T * (factor * p * (1 - p))) @ inputs
    line = line - np.linalg.solve(curvature, inputs.T @ (factor * (p - y)))
answer = (1 / (1 + np.exp(-inputs @ line))).mean()               # the share of yes that the model claims
"""
_TORCH_RARE = """
import torch
from nnlib.losses.explorers import rare_points

x, y = map(torch.from_numpy, rare_points($share, $seed))
line = torch.zeros(2, dtype=x.dtype, requires_grad=True)
optimizer = torch.optim.LBFGS([line], max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14,
                              line_search_fn="strong_wolfe")

def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        line[0] * x + line[1], y.to(x.dtype), pos_weight=torch.tensor(float($pos_weight), dtype=x.dtype))
    loss.backward()
    return loss

optimizer.step(closure)
answer = torch.sigmoid(line[0] * x + line[1]).mean().item()
"""
