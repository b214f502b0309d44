"""What the learner can turn in notebook 13: capacity, data and noise; bias and variance; L1 and L2; when to
stop; how far to turn and shift."""

from functools import lru_cache

import numpy as np

from nnlib import data, figures
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION
from nnlib.regularization.in_numpy import (
    affine_grid,
    early_stopping,
    grid_sample,
    softshrink,
)
from nnlib.regularization.in_numpy import bias_variance as split_error

POOL = 200  # the digits that models may learn from


@lru_cache(2)
def _digits(seed):
    """Pool and test digits, and random numbers that decide which labels of the pool are drawn anew."""
    x, y, x_test, y_test = data.digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))[:POOL]
    return x[rows], y[rows], x_test, y_test, rng.random(POOL), rng.integers(0, 10, POOL)


def _labels(seed, noise):
    _, y, _, _, chance, drawn = _digits(seed)
    return np.where(chance < noise, drawn, y)


_DIGITS = """\
import numpy as np
from nnlib import data

x, y, x_test, y_test = data.digits()
rng = np.random.default_rng($seed)
rows = rng.permutation(len(x))[:200]
x, y, chance, drawn = x[rows], y[rows], rng.random(200), rng.integers(0, 10, 200)
y = np.where(chance < $noise, drawn, y)[:$n]
x, target = x[:$n], np.eye(10)[y]
"""


# -------------------------------------------------------------------- capacity, data, noise, weight decay
#
# A hidden layer of random ReLU units, and ridge regression on top: one linear system, so that three whole
# curves fit into one drag. With kernels K = H Hᵀ the system has the size of the sample, whatever the width.

WIDTHS = (10, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 240, 300, 400, 550, 750, 1000)
SIZES = (10, 20, 30, 40, 60, 80, 100, 120, 140, 160, 180, 200)
DECAYS = np.geomspace(1e-8, 1, 25)


@lru_cache(2)
def _hidden(seed):
    """Pool and test digits after 1,000 random ReLU units."""
    x, _, x_test, *_ = _digits(seed)
    weight = np.random.default_rng(seed).normal(size=(64, WIDTHS[-1])) / 8
    return np.maximum(x @ weight, 0), np.maximum(x_test @ weight, 0)


@lru_cache(2)
def _kernels(seed):
    """K of the pool with itself and with the test digits, for each of WIDTHS: every unit adds a part."""
    pool, test = _hidden(seed)
    own, other, start = np.zeros((POOL, POOL)), np.zeros((len(test), POOL)), 0
    found = {}
    for width in WIDTHS:
        part = slice(start, width)
        own, other = own + pool[:, part] @ pool[:, part].T, other + test[:, part] @ pool[:, part].T
        found[width], start = (own, other), width
    return found


@lru_cache(8)
def _kernel(seed, width):
    """The same for any width: the next smaller one of WIDTHS, and the units that are missing."""
    below = max(w for w in WIDTHS if w <= width)
    own, other = _kernels(seed)[below]
    if below == width:
        return own, other
    pool, test = (h[:, below:width] for h in _hidden(seed))
    return own + pool @ pool.T, other + test @ pool.T


def _errors(own, other, n, l2, labels, y_test):
    """Train and test error in percent, of ridge regression on the first n digits of the pool."""
    system = own[:n, :n] / n
    system.flat[:: n + 1] += l2
    weight = np.linalg.solve(system, np.eye(10)[labels[:n]]) / n
    return tuple(
        100 * np.mean((k @ weight).argmax(axis=1) != target)
        for k, target in ((own[:n, :n], labels[:n]), (other[:, :n], y_test))
    )


def capacity():
    def compute(n, width, noise, l2, seed):
        labels, y_test = _labels(seed, noise), _digits(seed)[3]
        kernels, (own, other) = _kernels(seed), _kernel(seed, width)
        by_width = [_errors(*kernels[w], n, l2, labels, y_test) for w in WIDTHS]
        by_size = [_errors(own, other, size, l2, labels, y_test) for size in SIZES]
        values, vectors = np.linalg.eigh(own[:n, :n] / n)  # one decomposition serves every weight decay
        across, target = other[:, :n] @ vectors, vectors.T @ np.eye(10)[labels[:n]] / n
        inside = vectors * (values * n)
        by_decay = []
        for decay in DECAYS:
            weight = target / (np.maximum(values, 0) + decay)[:, None]
            wrong = (inside @ weight).argmax(axis=1) != labels[:n], (across @ weight).argmax(1) != y_test
            by_decay.append([100 * w.mean() for w in wrong])
        here = _errors(own, other, n, l2, labels, y_test)
        curves = [np.array(c).T for c in (by_width, by_size, by_decay)]
        return {"curves": curves, "here": here, "at": (width, n, l2), "meet": (n, width)}

    def setup(fig):
        panels = figures.axes(fig, 1, 3, sharey=True)
        titles = ("Capacity", "Data", "Weight decay")
        labels = ("random units (log)", "training digits", "weight decay (log)")
        limits, artists = ((10, 1000), (0, 205), (1e-8, 1)), []
        for ax, title, label, limit in zip(panels, titles, labels, limits):
            ax.set(title=title, xlabel=label, xlim=limit, ylim=(0, 100))
            if label.endswith("(log)"):
                ax.set_xscale("log")
            meet = ax.axvline(1e3, color=GRAY, lw=1, ls=":")
            train = ax.plot([], [], color=BLUE)[0]
            test = ax.plot([], [], color=VERMILLION, ls="--")[0]
            marks = (("o", BLUE), ("^", VERMILLION))  # whole where they stand on the edge
            whole = dict(ms=6, clip_on=False, in_layout=False)
            dots = [ax.plot([], [], m, color=c, **whole)[0] for m, c in marks]
            artists.append((train, test, dots, meet))
        panels[0].set_ylabel("error, %")
        words = panels[0].text(
            11,
            97,
            "",
            fontsize=9,
            va="top",
            color=GRAY,
            bbox=dict(facecolor="white", edgecolor="none", pad=1),
        )
        texts = [
            panels[2].text(0.8, 93 - 9 * i, "", ha="right", color=c, fontsize=9)
            for i, c in enumerate((VERMILLION, BLUE))
        ]
        return {"panels": artists, "words": words, "texts": texts}

    def draw(artists, r):
        xs = (WIDTHS, SIZES, DECAYS)
        for i, (train, test, dots, meet) in enumerate(artists["panels"]):
            train.set_data(xs[i], r["curves"][i][0])
            test.set_data(xs[i], r["curves"][i][1])
            for dot, height in zip(dots, r["here"]):
                dot.set_data([r["at"][i]], [height])
            meet.set_visible(i < 2 and r["meet"][i] <= (1000, 205)[i])
            if i < 2:
                meet.set_xdata([r["meet"][i]] * 2)
        artists["words"].set_text("dotted: units = digits")
        train, test = r["here"]
        artists["texts"][0].set_text(f"test {test:.0f} %")
        artists["texts"][1].set_text(f"train {train:.0f} %")

    def note(values, r):
        train, test = r["here"]
        return f"train error {train:.1f} %, test error {test:.1f} %; the dots are one and the same model"

    return Explorer(
        "Capacity, data, noise and weight decay: one model, three cuts",
        dict(
            n=IntSlider(20, POOL, 100, "training digits", step=5),
            width=IntSlider(10, 1000, 100, "random units", step=10),
            noise=Slider(0, 0.6, 0.2, "random labels, share", step=0.05),
            l2=LogSlider(1e-8, 1, 1e-8, "weight decay"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "100 digits, 20 % random labels, seed 0: a test error below 20 %",
            lambda values, r: (
                values["n"] <= 100 and values["noise"] >= 0.2 and values["seed"] == 0 and r["here"][1] < 20
            ),
        ),
        code={"numpy": _DIGITS + _CAPACITY_NUMPY, "torch": _DIGITS + _CAPACITY_TORCH},
        answer=lambda r: r["here"][1],
    )


_CAPACITY_NUMPY = """
weight = np.random.default_rng($seed).normal(size=(64, 1000))[:, :$width] / 8
h, h_test = np.maximum(x @ weight, 0), np.maximum(x_test @ weight, 0)
if $width <= $n:                                       # two forms of the same ridge regression
    top = np.linalg.solve(h.T @ h / $n + $l2 * np.eye($width), h.T @ target / $n)
else:
    top = h.T @ np.linalg.solve(h @ h.T / $n + $l2 * np.eye($n), target / $n)
answer = 100 * ((h_test @ top).argmax(axis=1) != y_test).mean()
"""

_CAPACITY_TORCH = """
import torch

weight = torch.from_numpy(np.random.default_rng($seed).normal(size=(64, 1000))[:, :$width] / 8)
h, h_test = (torch.relu(torch.from_numpy(v) @ weight) for v in (x, x_test))
u, s, vt = torch.linalg.svd(h, full_matrices=False)
top = vt.T @ ((s / (s**2 + $n * $l2))[:, None] * (u.T @ torch.from_numpy(target)))
answer = 100 * ((h_test @ top).argmax(dim=1) != torch.from_numpy(y_test)).double().mean()
"""


# ------------------------------------------------------------------------------------ bias and variance

DEGREES, MODELS, GRID = 15, 40, np.linspace(-1, 1, 81)
TOLD = 0.1  # a bias² below this share of the variance cannot be told from 0 by 40 models


def _truth(x):
    return np.sin(4 * x)


@lru_cache(8)
def _samples(n, seed):
    """Inputs and noise for 40 samples of n points each, and the Legendre polynomials at these inputs."""
    rng = np.random.default_rng(seed)
    noise, jitter = rng.normal(size=(MODELS, 60))[:, :n], rng.random((MODELS, 60))[:, :n]
    x = 2 * (np.arange(n) + jitter) / n - 1  # one point in each n-th of the interval: no wide gaps
    return x, noise, np.polynomial.legendre.legvander(x, DEGREES)


def bias_variance():
    basis = np.polynomial.legendre.legvander(GRID, DEGREES)
    truth = _truth(GRID)

    def compute(degree, n, noise, l2, seed):
        x, errors, features = _samples(n, seed)
        y = _truth(x) + noise * errors
        moments = features.transpose(0, 2, 1) @ features / n + l2 * np.eye(DEGREES + 1)
        target = (features.transpose(0, 2, 1) @ y[..., None]) / n
        parts = []
        for d in range(DEGREES + 1):  # the moments of a lower degree are a corner of those of the highest
            weight = np.linalg.solve(moments[:, : d + 1, : d + 1], target[:, : d + 1])[..., 0]
            fits = weight @ basis[:, : d + 1].T
            parts.append(_unbiased(*split_error.unchecked(fits, truth)))
            if d == degree:
                shown = fits
        return {"fits": shown, "parts": np.array(parts), "degree": degree, "sample": (x[0], y[0])}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(-1, 1), ylim=(-2.6, 2.6), xlabel="input", ylabel="output")
        left.set_title("Twelve of 40 models, each from its own sample")
        right.set(xlim=(0, DEGREES), ylim=(1e-6, 1e6), yscale="log", xlabel="degree of the polynomial")
        right.set(ylabel="squared error (log, cut at 10⁻⁶)", title="Bias² (where measurable), variance, sum")
        white = dict(facecolor="white", edgecolor="none", pad=1)
        styles = ((BLUE, "--"), (VERMILLION, ":"), ("black", "-"))
        return {
            "fits": [left.plot([], [], color=VERMILLION, ls="-", lw=0.7, alpha=0.6)[0] for _ in range(12)],
            "truth": left.plot(GRID, truth, color=GRAY, lw=2, ls=":")[0],
            "sample": left.plot([], [], "o", color="black", ms=3)[0],
            "mean": left.plot([], [], color=BLUE, lw=2, ls="--")[0],
            "words": [
                left.text(-0.96, 2.5 - 0.42 * i, text, color=color, fontsize=9, va="top", bbox=white)
                for i, (text, color) in enumerate(
                    (("truth, dotted", GRAY), ("mean of all 40", BLUE), ("single models", VERMILLION))
                )
            ],
            "lines": [right.plot([], [], color=c, ls=ls)[0] for c, ls in styles],
            "names": [
                right.text(0, 1, t, color=c, fontsize=9)
                for t, (c, _) in zip(("bias²", "variance", "sum"), styles)
            ],
            "here": right.axvline(0, color=GRAY, lw=1, ls=":"),
            "numbers": right.text(0.4, 5e5, "", fontsize=9, va="top", bbox=white),
        }

    def draw(artists, r):
        for line, fit in zip(artists["fits"], r["fits"]):
            line.set_data(GRID, np.clip(fit, -9, 9))
        artists["mean"].set_data(GRID, np.clip(r["fits"].mean(axis=0), -9, 9))
        artists["sample"].set_data(*r["sample"])
        bias2, variance = r["parts"].T
        told = np.where(bias2 > TOLD * variance, bias2, np.nan)
        curves, places = (told, variance, bias2 + variance), ((0.2, 0.25), (0.2, 0.2), (11, 3.0))
        for line, name, values, (at, above) in zip(artists["lines"], artists["names"], curves, places):
            line.set_data(range(DEGREES + 1), np.clip(values, 1e-6, 1e6))  # NaN stays: no line
            beside = values[int(at)] if at < 1 else values[[10, 11]].max()  # over which the name stands
            name.set_position((at, np.clip(above * beside, 2e-6, 1e5)))
            name.set_ha("right" if at == 11 else "left")
        artists["here"].set_xdata([r["degree"]] * 2)
        b, v = r["parts"][r["degree"]]
        bias = _short(b) if b > TOLD * v else f"below {_short(TOLD * v)}"
        artists["numbers"].set_text(
            f"degree {r['degree']}: bias² {bias}\nvariance {_short(v)}, sum {_short(b + v)}"
        )

    def note(values, r):
        best = int(np.argmin(r["parts"].sum(axis=1)))
        return f"the smallest sum is that of degree {best}: {_short(r['parts'].sum(axis=1)[best])}"

    return Explorer(
        "Bias and variance, measured on 40 samples",
        dict(
            degree=IntSlider(0, DEGREES, 10, "degree"),
            n=IntSlider(8, 60, 20, "points per sample"),
            noise=Slider(0, 1, 0.3, "noise, standard deviation", step=0.05),
            l2=LogSlider(1e-8, 1, 1e-8, "weight decay"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "degree 15, 20 points, noise 0.3 or more, seed 0: bias² + variance below 0.07",
            lambda values, r: (
                (values["degree"], values["n"], values["seed"]) == (15, 20, 0)
                and values["noise"] >= 0.3
                and bool(r["parts"][15].sum() < 0.07)
            ),
        ),
        code={"numpy": _BIAS_DATA + _BIAS_NUMPY, "torch": _BIAS_DATA + _BIAS_TORCH},
        answer=lambda r: r["parts"][r["degree"]].sum(),
    )


def _unbiased(bias2, variance):
    """The mean of 40 models still varies by 1/40 of the variance: take that from bias². The sum stays."""
    return bias2 - variance / (MODELS - 1), variance * MODELS / (MODELS - 1)


def _short(value):
    return f"{value:.0f}" if 10 <= value < 1e4 else f"{value:.2g}"


_BIAS_DATA = """\
import numpy as np

rng = np.random.default_rng($seed)
errors, jitter = rng.normal(size=(40, 60))[:, :$n], rng.random((40, 60))[:, :$n]
x = 2 * (np.arange($n) + jitter) / $n - 1
y, grid = np.sin(4 * x) + $noise * errors, np.linspace(-1, 1, 81)
features = np.polynomial.legendre.legvander(x, $degree)          # (40, n, degree + 1)
basis = np.polynomial.legendre.legvander(grid, $degree)
"""

_BIAS_NUMPY = """
fits = []
for h, target in zip(features, y):
    weight = np.linalg.solve(h.T @ h / $n + $l2 * np.eye($degree + 1), h.T @ target / $n)
    fits.append(basis @ weight)
fits = np.array(fits)
bias2 = ((fits.mean(axis=0) - np.sin(4 * grid)) ** 2).mean()
answer = bias2 + fits.var(axis=0).mean()
"""

_BIAS_TORCH = """
import torch

h, target = torch.from_numpy(features), torch.from_numpy(y)[..., None]
u, s, vt = torch.linalg.svd(h, full_matrices=False)
weight = vt.mT @ ((s / (s**2 + $n * $l2))[..., None] * (u.mT @ target))
fits = (torch.from_numpy(basis) @ weight)[..., 0]
answer = ((fits - torch.from_numpy(np.sin(4 * grid))) ** 2).mean()      # the mean error of all models
"""


# ---------------------------------------------------------------------------------- the paths of L1 and L2

TRUE = np.array([2.0, -1.5, 1.0, 0, 0, 0, 0, 0])
LAMBDAS = np.geomspace(0.01, 10, 70)
TURN = np.linspace(0, 2 * np.pi, 181)
RING = np.stack([np.cos(TURN), np.sin(TURN)])


@lru_cache(32)
def _moments(correlation, noise, seed):
    """XᵀX / n and Xᵀy / n of 40 samples of 8 features, each correlated with all others."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(40, 1)), rng.normal(size=(40, 8))
    x = correlation**0.5 * common + (1 - correlation) ** 0.5 * own
    y = x @ TRUE + noise * rng.normal(size=40)
    return x.T @ x / 40, x.T @ y / 40


def _solve(gram, moment, l1, l2):
    """Accelerated proximal steps (FISTA) for many penalties at once, one row for each."""
    lr = 1 / np.linalg.eigvalsh(gram)[-1]
    w = point = np.zeros((len(l1), len(moment)))
    threshold, shrink, t = lr * l1[:, None], 1 / (1 + lr * l2[:, None]), 1.0
    for _ in range(500):
        new = point - lr * (point @ gram - moment)
        new = softshrink.unchecked(new, threshold) * shrink
        t, before = (1 + (1 + 4 * t * t) ** 0.5) / 2, t
        point = new + (before - 1) / t * (new - w)
        w = new
    return w


def paths():
    def compute(l, mix, correlation, noise, seed):  # noqa: E741
        gram, moment = _moments(correlation, noise, seed)
        strengths = np.append(LAMBDAS, l)
        found = _solve(gram, moment, mix * strengths, (1 - mix) * strengths)
        w, seen = found[-1], [0, 3]
        rest = np.delete(np.arange(8), seen)
        block = gram[np.ix_(seen, seen)]  # the loss with all other weights held where they are
        center = np.linalg.solve(block, moment[seen] - gram[np.ix_(seen, rest)] @ w[rest])
        away = w[seen] - center
        level = away @ block @ away
        root = np.linalg.inv(np.linalg.cholesky(block)).T
        ellipses = [center[:, None] + np.sqrt(level * s) * root @ RING for s in (0.15, 0.5, 1.0, 1.8)]
        return {
            "w": w,
            "path": found[:-1],
            "l": l,
            "center": center,
            "ellipses": ellipses,
            "ball": _ball(mix, w[seen]),
            "seen": w[seen],
        }

    def _ball(mix, at):
        """All pairs of weights that cost as much as the pair `at`."""
        cost = mix * np.abs(at).sum() + (1 - mix) / 2 * (at * at).sum()
        linear, square = mix * np.abs(RING).sum(axis=0), (1 - mix) / 2
        if square < 1e-9:
            return RING * (cost / linear)
        return RING * ((np.sqrt(linear**2 + 4 * square * cost) - linear) / (2 * square))

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(-1.4, 3.6), ylim=(-2.2, 2.2), xlabel="weight 1 (truth 2)", ylabel="weight 4 (truth 0)")
        left.set(title="Where loss and penalty touch", xticks=[-1, 0, 1, 2, 3], yticks=[-2, -1, 0, 1, 2])
        left.axhline(0, color=GRAY, lw=0.6)
        left.axvline(0, color=GRAY, lw=0.6)
        right.set(xscale="log", xlim=(0.01, 10), ylim=(-2.6, 3.8), xlabel="strength λ (log scale)")
        right.set(ylabel="weight", title="The weights as the penalty grows")
        right.axhline(0, color=GRAY, lw=0.6)
        colors = [BLUE, GREEN, PURPLE] + [VERMILLION] * 5
        dashes = ["-", "--", "-."] + [":"] * 5
        return {
            "ball": left.fill([0], [0], color=BLUE, alpha=0.2)[0],
            "edge": left.plot([], [], color=BLUE, lw=1.5)[0],
            "ellipses": [left.plot([], [], color=VERMILLION, lw=1, ls="--")[0] for _ in range(4)],
            "center": left.plot([], [], "+", color=VERMILLION, ms=9)[0],
            "at": left.plot([], [], "o", color="black", ms=6)[0],
            "lines": [right.plot([], [], color=c, ls=d)[0] for c, d in zip(colors, dashes)],
            "dots": right.plot([], [], "o", color="black", ms=4, clip_on=False, in_layout=False)[0],
            "here": right.axvline(1, color=GRAY, lw=1, ls=":"),
            "names": [
                right.text(0.011, y, t, color=c, fontsize=9, va="bottom")
                for y, t, c in (
                    (2.1, "1", BLUE),
                    (-1.5, "2", GREEN),
                    (1.1, "3", PURPLE),
                    (0.15, "4 to 8", VERMILLION),
                )
            ],
            "count": right.annotate(
                "", (0.985, 0.985), xycoords="axes fraction", ha="right", va="top", fontsize=9
            ),
        }

    def draw(artists, r):
        artists["ball"].set_xy(r["ball"].T)
        artists["edge"].set_data(*r["ball"])
        for line, ellipse in zip(artists["ellipses"], r["ellipses"]):
            line.set_data(*ellipse)
        artists["center"].set_data(*r["center"][:, None])
        artists["at"].set_data(*r["seen"][:, None])
        for i, line in enumerate(artists["lines"]):
            line.set_data(LAMBDAS, r["path"][:, i])
        low, high = min(-2.6, 1.05 * r["path"].min()), max(3.8, 1.25 * r["path"].max())
        artists["dots"].axes.set_ylim(low, high)
        unit = (high - low) / 6.4  # the names stand at their curves, but not on one another
        places = [r["path"][0, i] + (0.06 if i != 1 else -0.45) * unit for i in range(3)] + [0.15 * unit]
        above = low
        for i in np.argsort(places):
            above = min(max(places[i], above), high - 0.38 * unit)
            artists["names"][i].set_y(above)
            above += 0.4 * unit
        artists["dots"].set_data([r["l"]] * 8, r["w"])
        artists["here"].set_xdata([r["l"]] * 2)
        artists["count"].set_text(f"exactly 0: {(r['w'] == 0).sum()} of 8")

    def note(values, r):
        return (
            f"distance to the true weights {np.linalg.norm(r['w'] - TRUE):.2f}; "
            f"exactly zero: {(r['w'] == 0).sum()} of 8"
        )

    return Explorer(
        "L1 and L2: eight weights, of which three matter",
        dict(
            l=LogSlider(0.01, 10, 0.5, "strength λ"),
            mix=Slider(0, 1, 1, "share of L1 (0 is L2)", step=0.05),
            correlation=Slider(0, 0.95, 0, "correlation of the features", step=0.05),
            noise=Slider(0, 4, 1, "noise", step=0.1),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a correlation of 0.4 and a noise of 1, or more of both: exactly the five useless weights at 0",
            lambda values, r: (
                values["noise"] > 1 - 1e-9
                and values["correlation"] > 0.4 - 1e-9
                and bool(((r["w"] == 0) == (TRUE == 0)).all())
            ),
        ),
        code={"numpy": _PATHS_DATA + _PATHS_NUMPY, "torch": _PATHS_DATA + _PATHS_TORCH},
        answer=lambda r: np.abs(r["w"]).sum(),
    )


_PATHS_DATA = """\
import numpy as np

true = np.array([2.0, -1.5, 1.0, 0, 0, 0, 0, 0])
rng = np.random.default_rng($seed)
common, own = rng.normal(size=(40, 1)), rng.normal(size=(40, 8))
x = $correlation**0.5 * common + (1 - $correlation) ** 0.5 * own
y = x @ true + $noise * rng.normal(size=40)
l1, l2 = $mix * $l, (1 - $mix) * $l
"""

_PATHS_NUMPY = """
w, lr = np.zeros(8), 1 / np.linalg.eigvalsh(x.T @ x / 40)[-1]
for step in range(5000):                                         # proximal gradient steps
    z = w - lr * x.T @ (x @ w - y) / 40
    w = np.sign(z) * np.maximum(np.abs(z) - lr * l1, 0) / (1 + lr * l2)
answer = np.abs(w).sum()
"""

_PATHS_TORCH = """
import torch

gram, moment = torch.from_numpy(x.T @ x / 40), torch.from_numpy(x.T @ y / 40)
w = torch.zeros(8, dtype=torch.float64)
for sweep in range(1000):                                        # one weight at a time, exactly
    for j in range(8):
        pull = moment[j] - gram[j] @ w + gram[j, j] * w[j]
        w[j] = torch.nn.functional.softshrink(pull, l1) / (gram[j, j] + l2)
answer = w.abs().sum()
"""


# --------------------------------------------------------------------------------------- when to stop

UNITS, LR, EVERY, MEASURED = 400, 0.03, 10, 300
LOSS, ERROR = "squared error", "share of wrong answers"
SHOWN = np.unique(np.geomspace(1, EVERY * MEASURED, 40).astype(int))


@lru_cache(4)
def _spectrum(seed, n):
    """The eigenvalues of K / n, and what turns their filter into answers for pool and test digits."""
    pool, test = (h[:, :UNITS] for h in _hidden(seed))
    own, other = pool @ pool.T, test @ pool.T
    values, vectors = np.linalg.eigh(own[:n, :n] / n)
    values = np.maximum(values, 1e-12)
    return values, vectors, other[:, :n] @ vectors


def _squared(answers, labels):
    """Mean squared error of scores (N, 10) for class numbers."""
    return ((answers - np.eye(10)[labels]) ** 2).mean()


def stopping():
    """Gradient descent on the top layer, whose whole path is known in closed form."""

    def compute(n, noise, held_out, watch, patience, seed):
        labels, y_test = _labels(seed, noise)[:n], _digits(seed)[3]
        values, vectors, across = _spectrum(seed, n)
        target = vectors.T @ np.eye(10)[labels] / n

        def answers(steps, rows):
            filtered = (1 - (1 - LR * values) ** steps) / values
            return rows @ (filtered[:, None] * target)

        validation, y_validation = across[:held_out], y_test[:held_out]
        state, stopped, at, seen = (), False, 0, []
        for i in range(MEASURED + 1):  # as in training: measure, and stop when it has not helped for a while
            scores = answers(EVERY * i, validation)
            wrong = (scores.argmax(axis=1) != y_validation).mean()
            value = _squared(scores, y_validation) if watch == LOSS else wrong
            *state, stopped = early_stopping.unchecked(np.float64(value), *state, patience=patience)
            at = EVERY * i
            seen.append(100 * wrong)
            if stopped:
                break
        best = at - EVERY * int(state[1])
        rest, y_rest, inside = across[100:], y_test[100:], vectors * (values * n)
        curves, ridge = [], []
        for t in SHOWN:
            scores = answers(t, rest)
            curves.append((_squared(answers(t, inside), labels), _squared(scores, y_rest)))
            decayed = rest @ (target / (values + 1 / (LR * t))[:, None])
            ridge.append((_wrong(scores, y_rest), _wrong(decayed, y_rest)))
        watched = [_squared(answers(t, validation), y_validation) for t in SHOWN]
        result = _wrong(answers(best, rest), y_rest)
        return {
            "curves": np.array(curves).T,
            "watched": watched,
            "seen": seen if watch == ERROR else [],
            "ridge": np.array(ridge).T,
            "best": best,
            "end": at,
            "stopped": bool(stopped),
            "error": result,
            "lowest": min(result, *(r[0] for r in ridge)),
        }

    def _wrong(scores, labels):
        return 100 * (scores.argmax(axis=1) != labels).mean()

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        for ax in (left, right):
            ax.set(xscale="log", xlim=(1, SHOWN[-1]), xlabel="steps of gradient descent (log scale)")
        left.set(
            ylim=(0, 0.14), ylabel="mean squared error", title="Where it stops, and what it goes back to"
        )
        right.set(ylim=(0, 100), ylabel="test error, %", title="Stopped after t, or decayed by 1 / (lr · t)")
        share = left.twinx()
        share.set(ylim=(0, 140), yticks=[0, 50, 100], yticklabels=["0 %", "50 %", "100 %"])
        artists = {
            "seen": share.plot([], [], ".-", color="black", ms=4, lw=0.8, drawstyle="steps-post")[0],
            "train": left.plot([], [], color=BLUE)[0],
            "validation": left.plot([], [], color=VERMILLION, ls="--")[0],
            "test": left.plot([], [], color=GREEN, ls="-.")[0],
            "names": [
                left.text(1, 0, t, color=c, fontsize=9, bbox=dict(fc="white", ec="none", alpha=0.7, pad=0.5))
                for t, c in (("train", BLUE), ("validation", VERMILLION), ("test", GREEN))
            ],
            "scale": left.text(1.1, 0.004, "", fontsize=9),
            "best": left.axvline(1, color="black", lw=1.2),
            "end": left.axvline(1, color=GRAY, lw=1.2, ls=":"),
            "words": left.text(
                1.1, 0.129, "", fontsize=9, bbox=dict(facecolor="white", edgecolor="none", pad=1)
            ),
            "stopped": right.plot([], [], color=GREEN, ls="-.")[0],
            "decayed": right.plot([], [], color=PURPLE)[0],
            "restored": right.plot([], [], "o", color="black", ms=6)[0],
            "labels": [
                right.text(1.15, 15 - 7 * i, t, color=c, fontsize=9, va="top")
                for i, (t, c) in enumerate(
                    (("stopped after t steps", GREEN), ("ridge, weight decay 1 / (lr · t)", PURPLE))
                )
            ],
        }
        return artists

    def draw(artists, r):
        for name, values, label, at in zip(
            ("train", "validation", "test"),
            (r["curves"][0], r["watched"], r["curves"][1]),
            artists["names"],
            (-9, -6, -2),
        ):
            values = np.clip(values, 0, 0.125)
            artists[name].set_data(SHOWN, values)
            under = name == "train" and values[at] > 0.013 or name == "test" and values[at] < r["watched"][at]
            label.set_position((SHOWN[at], min(values[at] + (-0.01 if under else 0.003), 0.117)))
            label.set_ha("left" if name == "train" and not under else "right")
        artists["seen"].set_data(np.maximum(EVERY * np.arange(len(r["seen"])), 1), r["seen"])
        artists["scale"].set_text("watched: wrong\nanswers, in %" if r["seen"] else "")
        artists["best"].set_xdata([max(r["best"], 1)] * 2)
        artists["end"].set_xdata([max(r["end"], 1)] * 2)
        end = f"stopped at {r['end']} (dotted)" if r["stopped"] else "never stopped"
        artists["words"].set_text(f"best {r['best']} (line), {end}")
        artists["stopped"].set_data(SHOWN, r["ridge"][0])
        artists["decayed"].set_data(SHOWN, r["ridge"][1])
        artists["restored"].set_data([max(r["best"], 1)], [r["error"]])

    def note(values, r):
        return (
            f"goes back to step {r['best']}: test error {r['error']:.1f} %; "
            f"the lowest on the way is {r['lowest']:.1f} %"
        )

    return Explorer(
        "Early stopping: patience, and the ridge that it resembles",
        dict(
            n=IntSlider(20, POOL, 100, "training digits", step=5),
            noise=Slider(0, 0.6, 0.4, "random labels, share", step=0.05),
            held_out=IntSlider(10, 100, 20, "validation digits", step=5),
            watch=Choice((LOSS, ERROR), ERROR, "watched"),
            patience=IntSlider(1, 40, 2, "patience"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "with 40 % random labels, watching the share of wrong answers of at most 50 validation digits: "
            "within 1 point of the lowest test error",
            lambda values, r: (
                values["noise"] >= 0.4
                and values["watch"] == ERROR
                and values["held_out"] <= 50
                and r["error"] <= r["lowest"] + 1
            ),
        ),
        code={"numpy": _DIGITS + _STOPPING_NUMPY, "torch": _DIGITS + _STOPPING_TORCH},
        answer=lambda r: r["error"],
    )


_STOPPING_NUMPY = """
weight = np.random.default_rng($seed).normal(size=(64, 1000))[:, :400] / 8
h, h_test = np.maximum(x @ weight, 0), np.maximum(x_test @ weight, 0)
top, best, waited = np.zeros((400, 10)), np.inf, 0
for step in range(3001):
    if step % 10 == 0:
        scores, labels = h_test[:$held_out] @ top, y_test[:$held_out]
        loss = ((scores - np.eye(10)[labels]) ** 2).mean()
        watched = loss if $watch == "squared error" else (scores.argmax(axis=1) != labels).mean()
        waited += 1
        if watched < best:
            best, waited, kept = watched, 0, top
        if waited >= $patience:
            break
    top = top - 0.03 * h.T @ (h @ top - target) / $n
answer = 100 * ((h_test[100:] @ kept).argmax(axis=1) != y_test[100:]).mean()
"""

_STOPPING_TORCH = """
import torch

weight = torch.from_numpy(np.random.default_rng($seed).normal(size=(64, 1000))[:, :400] / 8)
h, h_test = (torch.relu(torch.from_numpy(v) @ weight) for v in (x, x_test))
target, truth = torch.from_numpy(target), torch.from_numpy(y_test)
labels = truth[:$held_out]
top = torch.zeros(400, 10, dtype=torch.float64, requires_grad=True)
optimizer, best, waited = torch.optim.SGD([top], lr=0.03), float("inf"), 0
for step in range(3001):
    if step % 10 == 0:
        scores = h_test[:$held_out] @ top.detach()
        loss = ((scores - torch.nn.functional.one_hot(labels, 10)) ** 2).mean()
        watched = loss if $watch == "squared error" else (scores.argmax(dim=1) != labels).double().mean()
        waited += 1
        if watched < best:
            best, waited, kept = watched, 0, top.detach().clone()
        if waited >= $patience:
            break
    optimizer.zero_grad()
    (((h @ top - target) ** 2).sum() / (2 * $n)).backward()
    optimizer.step()
answer = 100 * ((h_test[100:] @ kept).argmax(dim=1) != truth[100:]).double().mean()
"""


# ------------------------------------------------------------------------------------- augmentation

ANGLES = (-60, -45, -30, -15, 0, 15, 30, 45, 60)
SHIFTS = (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2)
COPIES = 4


def _warp(x, degrees, shift):
    """Digits (N, 64) turned by degrees (N,) around the center and moved by shift (N, 2) pixels."""
    angle = np.deg2rad(degrees)
    theta = np.zeros((len(x), 2, 3))
    theta[:, 0, 0] = theta[:, 1, 1] = np.cos(angle)
    theta[:, 0, 1], theta[:, 1, 0] = np.sin(angle), -np.sin(angle)
    theta[:, :, 2] = 2 * shift / 8
    images = x.reshape(-1, 1, 8, 8)
    grid = affine_grid.unchecked(theta, (len(x), 1, 8, 8))
    return grid_sample.unchecked(images, grid).reshape(len(x), 64)


@lru_cache(32)
def _moved(kind, amount):
    """The hidden layer's view of 300 test digits, turned by so many degrees or shifted by so many pixels."""
    x = data.digits().x_test[:300]
    none, all_ = np.zeros(300), np.full(300, float(amount))
    moved = (
        _warp(x, all_, np.zeros((300, 2))) if kind == "turned" else _warp(x, none, np.stack([all_, none], 1))
    )
    return np.maximum(moved @ _units(), 0)


@lru_cache(1)
def _units():
    return np.random.default_rng(0).normal(size=(64, 250)) / 8


def augmentation():
    y_test = data.digits().y_test[:300]

    def compute(n, degrees, pixels, seed):
        x, y = _digits(seed)[0][:n], _digits(seed)[1][:n]
        draw = np.random.default_rng(seed).uniform(-1, 1, size=(COPIES, 3, POOL))[..., :n]
        copies = [x] + [_warp(x, degrees * d[0], pixels * d[1:].T) for d in draw]
        errors = {}
        for name, images in (("plain", x), ("augmented", np.concatenate(copies))):
            h, target = np.maximum(images @ _units(), 0), np.eye(10)[np.tile(y, len(images) // n)]
            moments = h.T @ h / len(h)
            moments.flat[:: len(moments) + 1] += 1e-3
            top = np.linalg.solve(moments, h.T @ target / len(h))
            errors[name] = [
                [100 * ((_moved(kind, a) @ top).argmax(axis=1) != y_test).mean() for a in amounts]
                for kind, amounts in (("turned", ANGLES), ("shifted", SHIFTS))
            ]
        return {"errors": errors, "copies": [c[:4] for c in copies], "reach": (degrees, pixels)}

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1, 1.2, 1.2))
        left.set(xticks=[], yticks=[], title="Four digits, and their copies")
        left.spines[:].set_visible(False)
        image = left.imshow(np.zeros((47, 39)), cmap="gray_r", vmin=0, vmax=1, aspect="auto")
        middle.set(
            xlim=(-60, 60), ylim=(0, 100), xlabel="test digits turned by, degrees", ylabel="test error, %"
        )
        middle.set(title="Turned", xticks=[-60, -30, 0, 30, 60])
        right.set(xlim=(-2, 2), ylim=(0, 100), xlabel="test digits moved by, pixels", title="Moved")
        artists = {"image": image}
        for i, ax in enumerate((middle, right)):
            whole = dict(ms=4, clip_on=False, in_layout=False)
            artists[f"plain{i}"] = ax.plot([], [], "o--", color=VERMILLION, **whole)[0]
            artists[f"augmented{i}"] = ax.plot([], [], "s-", color=BLUE, **whole)[0]
        artists["range"] = [
            middle.axvspan(-1, 1, color=BLUE, alpha=0.1),
            right.axvspan(-1, 1, color=BLUE, alpha=0.1),
        ]
        artists["words"] = [
            middle.text(0, 97 - 8 * i, t, ha="center", va="top", fontsize=9, color=c)
            for i, (t, c) in enumerate((("plain", VERMILLION), ("with copies", BLUE)))
        ]
        return artists

    def draw(artists, r):
        rows = [*r["copies"]]
        picture = np.zeros((9 * len(rows) - 1, 4 * 9 - 1))
        for i, row in enumerate(rows):
            for j, digit in enumerate(row):
                picture[9 * i : 9 * i + 8, 9 * j : 9 * j + 8] = digit.reshape(8, 8)
        artists["image"].set_data(picture)
        for name, (turned, moved) in r["errors"].items():
            artists[f"{name}0"].set_data(ANGLES, turned)
            artists[f"{name}1"].set_data(SHIFTS, moved)
        for span, reach in zip(artists["range"], r["reach"]):
            span.set_x(-reach)
            span.set_width(2 * reach)

    def note(values, r):
        plain, augmented = (np.mean(r["errors"][k][0]) for k in ("plain", "augmented"))
        upright = [r["errors"][k][0][4] for k in ("plain", "augmented")]
        return (
            f"mean error over all angles {plain:.0f} → {augmented:.0f} %, "
            f"upright {upright[0]:.1f} → {upright[1]:.1f} %"
        )

    return Explorer(
        "Augmentation: what turned and shifted copies teach",
        dict(
            n=IntSlider(20, POOL, 100, "training digits", step=5),
            degrees=Slider(0, 90, 30, "turn copies by up to, degrees", step=5, format=".0f"),
            pixels=Slider(0, 2, 0, "shift copies by up to, pixels", step=0.25),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "100 digits: turned by 45° less than 30 % misread, to either side, and less than 10 % of "
            "the upright ones",
            lambda values, r: (
                values["n"] <= 100
                and max(r["errors"]["augmented"][0][1], r["errors"]["augmented"][0][7]) < 30
                and r["errors"]["augmented"][0][4] < 10
            ),
        ),
        code={"numpy": _AUGMENTED_DATA + _AUGMENTED_NUMPY, "torch": _AUGMENTED_DATA + _AUGMENTED_TORCH},
        answer=lambda r: np.mean(r["errors"]["augmented"][0]),
    )


_AUGMENTED_DATA = """\
import numpy as np
from nnlib import data

x, y, x_test, y_test = data.digits()
rows = np.random.default_rng($seed).permutation(len(x))[:200][:$n]
x, y, x_test, y_test = x[rows], y[rows], x_test[:300], y_test[:300]
numbers = np.random.default_rng($seed).uniform(-1, 1, size=(4, 3, 200))[..., :$n]
units = np.random.default_rng(0).normal(size=(64, 250)) / 8

def maps(degrees, shift):
    \"\"\"From a place in the new image to a place in the old one.\"\"\"
    a = np.deg2rad(degrees)
    rows = [[np.cos(a), np.sin(a), shift[0] / 4], [-np.sin(a), np.cos(a), shift[1] / 4]]
    return np.array(rows).transpose(2, 0, 1)
"""

_AUGMENTED_NUMPY = """
from nnlib.regularization.in_numpy import affine_grid, grid_sample

def warp(x, theta):
    return grid_sample(x.reshape(-1, 1, 8, 8), affine_grid(theta, (len(x), 1, 8, 8))).reshape(len(x), 64)

copies = [x] + [warp(x, maps($degrees * d[0], $pixels * d[1:])) for d in numbers]
h, target = np.maximum(np.concatenate(copies) @ units, 0), np.eye(10)[np.tile(y, 5)]
top = np.linalg.solve(h.T @ h / len(h) + 1e-3 * np.eye(250), h.T @ target / len(h))
errors = []
for degrees in range(-60, 61, 15):
    turned = warp(x_test, maps(np.full(300, degrees), np.zeros((2, 300))))
    errors.append(100 * ((np.maximum(turned @ units, 0) @ top).argmax(axis=1) != y_test).mean())
answer = np.mean(errors)
"""

_AUGMENTED_TORCH = """
import torch
import torch.nn.functional as F

def warp(x, theta):
    images = torch.from_numpy(x).reshape(-1, 1, 8, 8)
    grid = F.affine_grid(torch.from_numpy(theta), images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False).reshape(len(x), 64)

units = torch.from_numpy(units)
copies = [torch.from_numpy(x)] + [warp(x, maps($degrees * d[0], $pixels * d[1:])) for d in numbers]
h, target = torch.relu(torch.cat(copies) @ units), F.one_hot(torch.from_numpy(y), 10).double().repeat(5, 1)
top = torch.linalg.solve(h.T @ h / len(h) + 1e-3 * torch.eye(250), h.T @ target / len(h))
errors = []
for degrees in range(-60, 61, 15):
    turned = torch.relu(warp(x_test, maps(np.full(300, degrees), np.zeros((2, 300)))) @ units)
    errors.append(100 * ((turned @ top).argmax(dim=1) != torch.from_numpy(y_test)).double().mean())
answer = torch.stack(errors).mean()
"""
