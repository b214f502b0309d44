"""What the learner turns in notebook 18: two Gaussians, a game of two numbers, and a GAN in the plane."""

from statistics import NormalDist

import numpy as np

from nnlib import data, figures
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Toggle
from nnlib.gan.in_numpy import (
    bilinear_step,
    jensen_shannon,
    mode_coverage,
    optimal_discriminator,
    precision_recall,
    wasserstein_distance,
    wasserstein_distance_backward,
)
from nnlib.layers import Linear, ReLU, Sequential, train_adversarial
from nnlib.layers.adversarial import GAMES, backward_of

REAL, FAKE = figures.BLUE, figures.VERMILLION

# ---------------------------------------------------------------------------- the best discriminator

LINE = np.linspace(-16, 16, 1601)
CELL = np.log(LINE[1] - LINE[0])
QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)])
MEANS = np.linspace(-6, 6, 61)


def _log_normal(x, mean, std):
    return -(((x - mean) / std) ** 2) / 2 - np.log(std * np.sqrt(2 * np.pi))


def _compare(mean, std, real_std):
    """Three distances of the generated Gaussian from the real one at 0, and how each pulls on its mean."""
    log_p, log_q = _log_normal(LINE, 0, real_std), _log_normal(LINE, mean, std)
    real, fake = real_std * QUANTILES, mean + std * QUANTILES
    best = optimal_discriminator.unchecked(log_p, log_q)
    slope = (LINE - mean) / std**2 - LINE / real_std**2  # of log p - log q, the best discriminator's score
    weight = np.exp(log_q + CELL)
    pull = wasserstein_distance_backward.unchecked(1.0, fake, real)[0].sum()
    found = {
        "JS": jensen_shannon.unchecked(log_p + CELL, log_q + CELL),
        "KL(gen‖real)": np.log(real_std / std) + (std**2 + mean**2) / (2 * real_std**2) - 0.5,
        "Wasserstein": wasserstein_distance.unchecked(fake, real),
        "saturating": abs((weight * best * slope).sum()),
        "non-saturating": abs((weight * (1 - best) * slope).sum()),
        "of Wasserstein": abs(pull),
    }
    return {name: 0.0 if value < 1e-12 else value for name, value in found.items()}  # no rounding is shown


def two_gaussians():
    """The best discriminator of two Gaussians, three distances between them, and what the generator feels."""
    inside = np.abs(LINE) <= 9

    def compute(mean, std, real_std):
        log_p, log_q = _log_normal(LINE, 0, real_std), _log_normal(LINE, mean, std)
        rows = [_compare(m, std, real_std) for m in MEANS]
        return dict(
            densities=(np.exp(log_p)[inside], np.exp(log_q)[inside]),
            best=optimal_discriminator.unchecked(log_p, log_q)[inside],
            now=_compare(mean, std, real_std),
            curves={name: np.array([row[name] for row in rows]) for name in rows[0]},
            mean=mean,
        )

    distances = {
        "JS": (figures.BLUE, "-"),
        "KL(gen‖real)": (figures.PURPLE, ":"),
        "Wasserstein": (figures.GREEN, "--"),
    }
    pulls = {
        "saturating": (figures.BLUE, "-"),
        "non-saturating": (figures.VERMILLION, ":"),
        "of Wasserstein": (figures.GREEN, "--"),
    }

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1.25, 1, 1))
        left.set(
            xlim=(-9, 9),
            ylim=(0, 2.1),
            yticks=(0, 0.5, 1, 1.5, 2),
            xlabel="x",
            title="Densities, and the best D",
        )
        middle.set(xlim=(-6, 6), ylim=(0, 9), yticks=range(7), xlabel="mean of the generated")
        middle.set_title("How far apart they are")
        right.set(xlim=(-6, 6), ylim=(1e-5, 1e6), yscale="log", xlabel="mean of the generated")
        right.set(yticks=[1e-4, 1e-2, 1, 1e2], title="Pull on that mean")
        line = LINE[inside]
        artists = {
            "real": left.plot(line, 0 * line, color=REAL, label="real")[0],
            "fake": left.plot(line, 0 * line, color=FAKE, ls="--", label="generated")[0],
            "best": left.plot(line, 0 * line, color="black", lw=1.2, ls="-.", label="D = p / (p + q)")[0],
        }
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, handlelength=2.2, fontsize=8)
        for ax, lines in ((middle, distances), (right, pulls)):
            for row, (name, (color, dash)) in enumerate(lines.items()):
                y, style = 0.98 - 0.08 * row, dict(transform=ax.transAxes, color=color)
                ax.plot([0.06, 0.17], [y - 0.025] * 2, ls=dash, **style)
                artists[name] = ax.plot([], [], color=color, ls=dash)[0]
                dot = dict(color=color, ms=5, clip_on=False, in_layout=False)
                artists["at " + name] = ax.plot([], [], "o", **dot)[0]
                artists["word " + name] = ax.text(0.2, y, "", va="top", fontsize=9, **style)
        middle.axhline(np.log(2), color=figures.GRAY, lw=0.8, ls=":")
        middle.text(5.9, np.log(2) + 0.05, "log 2", ha="right", fontsize=8, color=figures.GRAY)
        return artists

    def draw(artists, r):
        for name, values in zip(("real", "fake"), r["densities"]):
            artists[name].set_ydata(values)
        artists["best"].set_ydata(r["best"])
        limits = dict.fromkeys(distances, (0, 6.1)) | dict.fromkeys(pulls, (1e-5, 1e3))
        for name, (low, high) in limits.items():  # above, the curve ends: the numbers stand there
            curve, now = (
                np.where(v > high, np.nan, np.maximum(v, low)) for v in (r["curves"][name], r["now"][name])
            )
            artists[name].set_data(MEANS, curve)
            artists["at " + name].set_data([r["mean"]], [now])
            artists["word " + name].set_text(f"{name} {r['now'][name]:.3g}")

    def note(values, r):
        now = r["now"]
        return (
            f"JS {now['JS']:.3f} of at most 0.693, KL {now['KL(gen‖real)']:.3g}, "
            f"Wasserstein {now['Wasserstein']:.2f}; the saturating loss pulls with {now['saturating']:.2g}"
        )

    return Explorer(
        "The best discriminator of two Gaussians",
        dict(
            mean=Slider(-6, 6, 2, "mean of the generated", step=0.1),
            std=Slider(0.2, 3, 1.5, "spread of the generated", step=0.05),
            real_std=Slider(0.2, 3, 1, "spread of the real", step=0.05),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a JS of 0.3 or more between distributions with the same mean",
            lambda values, r: abs(values["mean"]) < 0.05 and r["now"]["JS"] >= 0.3,
        ),
        code={"numpy": _JS_NUMPY, "torch": _JS_TORCH},
        answer=lambda r: r["now"]["JS"],
    )


_JS_NUMPY = """\
import numpy as np

x = np.linspace(-16, 16, 1601)
width = x[1] - x[0]

def density(mean, std):
    return np.exp(-((x - mean) / std) ** 2 / 2) / (std * np.sqrt(2 * np.pi))

p, q = density(0, $real_std), density($mean, $std)
m = np.maximum((p + q) / 2, 1e-300)

def divergence(r):                                   # from the mixture; where r is 0 nothing is added
    return (r * np.log(np.maximum(r, 1e-300) / m)).sum() * width

answer = (divergence(p) + divergence(q)) / 2         # Jensen-Shannon
"""

_JS_TORCH = """\
import torch
import torch.nn.functional as F
from torch.distributions import Normal

x = torch.linspace(-16, 16, 1601, dtype=torch.float64)
width = (x[1] - x[0]).log()
log_p = Normal(torch.tensor(0.0, dtype=torch.float64), $real_std).log_prob(x) + width
log_q = Normal(torch.tensor(float($mean), dtype=torch.float64), $std).log_prob(x) + width
log_m = torch.logaddexp(log_p, log_q) - torch.tensor(2.0, dtype=torch.float64).log()
answer = sum(F.kl_div(log_m, log_r, reduction="sum", log_target=True) for log_r in (log_p, log_q)) / 2
"""


# ------------------------------------------------------------------------------------ a bilinear game

METHODS = ("simultaneous", "alternating", "extragradient", "optimistic")
NEAR = 1e-4


def spectrum(lr, method):
    """The eigenvalues of one step on (x, y, last_x, last_y): a step is linear, so try it on unit vectors."""
    columns = []
    for unit in np.eye(4):
        x, y, last_x, last_y = unit[:, None]
        new = bilinear_step.unchecked(x, y, last_x, last_y, lr, method)
        columns.append(np.concatenate([*new, x, y]))
    return np.linalg.eigvals(np.array(columns).T)


def bilinear_game():
    """min over x, max over y of x * y: circles, spirals, and what makes them end in the middle."""

    def compute(method, lr, steps, averaged):
        x, y = np.array([1.0]), np.array([0.5])
        last, path = (x, y), [(1.0, 0.5)]
        for _ in range(steps):
            new = bilinear_step.unchecked(x, y, *last, lr, method)
            last, (x, y) = (x, y), new
            path.append((x[0], y[0]))
        path = np.array(path)
        if averaged:
            path = path.cumsum(axis=0) / np.arange(1, len(path) + 1)[:, None]
        values = spectrum(lr, method)
        radius = np.abs(values).max()
        return dict(path=path, distance=np.hypot(*path.T), values=values, radius=radius, averaged=averaged)

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3)
        for ax in (left, middle, right):
            ax.set_box_aspect(1)
        left.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="x, goes down x·y", ylabel="y, goes up x·y")
        left.set_title("The path of the players")
        middle.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xlabel="real part", ylabel="imaginary part")
        middle.set_title("Eigenvalues of one step")
        right.set(xlim=(0, 300), ylim=(NEAR, 1e3), yscale="log")
        right.set(xlabel="step; dashed: (largest size)$^{step}$", title="Distance from the middle")
        angle = np.linspace(0, 2 * np.pi, 121)
        middle.plot(np.cos(angle), np.sin(angle), color=figures.GRAY, lw=0.8, ls=":")
        left.plot(0, 0, "k+", ms=10)
        return {
            "path": left.plot([], [], color=figures.BLUE, lw=0.9)[0],
            "points": left.plot([], [], "o", color=figures.BLUE, ms=2)[0],
            "start": left.plot([1], [0.5], "s", color=figures.VERMILLION, ms=5)[0],
            "end": left.plot([], [], "D", color="black", ms=5)[0],
            "values": middle.plot([], [], "o", color=figures.VERMILLION, ms=6)[0],
            "radius": middle.text(0.04, 0.9, "", transform=middle.transAxes, fontsize=9),
            "verdict": middle.text(0.04, 0.05, "", transform=middle.transAxes, fontsize=9, weight="bold"),
            "distance": right.plot([], [], color=figures.BLUE)[0],
            "theory": right.plot([], [], color=figures.VERMILLION, ls="--", lw=1)[0],
        }

    def draw(artists, r):
        path = np.clip(np.nan_to_num(r["path"], nan=99), -99, 99)
        artists["path"].set_data(*path.T)
        artists["points"].set_data(*path.T)
        artists["end"].set_data(*path[-1:].T)
        reach = 2 if np.abs(path).max() <= 2 else 4
        artists["path"].axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        values, radius = r["values"], r["radius"]
        shown = values[np.abs(values) > 1e-9]
        artists["values"].set_data(shown.real, shown.imag)
        reach = max(1.6, 1.15 * np.abs(np.concatenate([shown.real, shown.imag])).max(initial=0))
        artists["values"].axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        artists["radius"].set_text(f"largest size {radius:.4f}")
        spiral = "inward" if radius < 1 else "outward"
        artists["verdict"].set_text("round and round" if abs(radius - 1) < 1e-9 else spiral)
        steps = np.arange(len(path))
        artists["distance"].set_data(steps, np.maximum(r["distance"], NEAR))
        artists["theory"].set_data(steps, np.maximum(np.hypot(1, 0.5) * radius**steps, NEAR))
        artists["theory"].set_visible(not r["averaged"])  # it belongs to the points

    return Explorer(
        "A game of two numbers",
        dict(
            method=Choice(METHODS, "simultaneous", "steps of the players"),
            lr=Slider(0.02, 1.2, 0.2, "learning rate", step=0.02),
            steps=IntSlider(10, 300, 60, "number of steps"),
            averaged=Toggle(False, "show the average of all points so far"),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: f"after {values['steps']} steps the distance is {r['distance'][-1]:.3g}",
        goal=Goal(
            "a distance below 0.001 within 100 steps",
            lambda values, r: values["steps"] <= 100 and r["distance"][-1] < 1e-3,
        ),
        code={"numpy": _GAME_NUMPY, "torch": _GAME_TORCH},
        answer=lambda r: r["distance"][-1],
    )


_GAME_NUMPY = """\
import numpy as np

lr, point, last = $lr, np.array([1.0, 0.5]), np.array([1.0, 0.5])
turn = np.array([[0.0, -1.0], [1.0, 0.0]])           # x goes down y, y goes up x
path = [point]
for step in range($steps):
    if $method == "simultaneous":
        new = point + lr * turn @ point
    elif $method == "alternating":
        x = point[0] - lr * point[1]
        new = np.array([x, point[1] + lr * x])
    elif $method == "extragradient":
        new = point + lr * turn @ (point + lr * turn @ point)
    else:
        new = point + lr * turn @ (2 * point - last)
    last, point = point, new
    path.append(point)
end = np.mean(path, axis=0) if $averaged else point
answer = np.hypot(*end)
"""

_GAME_TORCH = """\
import torch

def slopes(point):                                   # down for x, up for y
    point = point.detach().requires_grad_()
    grad, = torch.autograd.grad(point[0] * point[1], point)
    return grad * torch.tensor([-1.0, 1.0], dtype=torch.float64)

lr, point = $lr, torch.tensor([1.0, 0.5], dtype=torch.float64)
last, path = point, [point]
for step in range($steps):
    if $method == "simultaneous":
        new = point + lr * slopes(point)
    elif $method == "alternating":
        moved = point + lr * slopes(point) * torch.tensor([1.0, 0.0], dtype=torch.float64)
        new = moved + lr * slopes(moved) * torch.tensor([0.0, 1.0], dtype=torch.float64)
    elif $method == "extragradient":
        new = point + lr * slopes(point + lr * slopes(point))
    else:
        new = point + lr * (2 * slopes(point) - slopes(last))
    last, point = point, new
    path.append(point)
end = torch.stack(path).mean(0) if $averaged else point
answer = end.norm()
"""


# -------------------------------------------------------------------------------- a GAN in the plane

REACH, GRID, STEPS, EVERY = 1.6, 48, 3000, 50
PLANE = figures.plane(-REACH, REACH, GRID).astype(np.float32)
SHAPES = ("ring of 8", "two moons", "grid of 25")
ANGLES = 2 * np.pi * np.arange(8) / 8
CENTERS = {
    "ring of 8": np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1),
    "grid of 25": 0.55 * figures.plane(-2, 2, 5),
}
SPREAD = 0.05
HIT = 0.02  # the share of all samples with which a peak counts as hit


def points(shape):
    """A function (count, rng) that draws points of one of the shapes."""

    def draw(count, rng):
        if shape == "two moons":
            return 0.9 * data.moons(max(count, 2), SPREAD, rng)[0][:count]  # away from the rim
        centers = CENTERS[shape]
        return centers[rng.integers(0, len(centers), count)] + SPREAD * rng.standard_normal((count, 2))

    return draw


def players(width, rng):
    """A generator 2-width-width-2 and a discriminator 2-width-width-1, both with ReLU."""
    return [
        Sequential(
            Linear(2, width, rng=rng),
            ReLU(),
            Linear(width, width, rng=rng),
            ReLU(),
            Linear(width, out, rng=rng),
        )
        for out in (2, 1)
    ]


def _smooth(samples):
    """The density of samples on the grid: a histogram, blurred, scaled to a largest value of 1."""
    edges = np.linspace(-REACH, REACH, GRID + 1)
    counts = np.histogram2d(samples[:, 1], samples[:, 0], bins=(edges, edges))[0]
    at = np.arange(GRID)
    blur = np.exp(-((at[:, None] - at) ** 2) / 2)
    smooth = blur @ counts @ blur
    return smooth / max(smooth.max(), 1e-9)


def _overlay(real, fake):
    """Real density in blue over generated density in vermillion: what one has alone keeps its color."""
    blue, red = np.array([0.0, 0.447, 0.698]), np.array([0.835, 0.369, 0.0])
    real, fake = (np.round(6 * np.sqrt(d))[..., None] / 6 for d in (real, fake))  # few colors, small pictures
    return (1 - real * (1 - blue)) * (1 - fake * (1 - red))


def _as_probability(score, game):
    """Scores as colors: probabilities of logits, least squares as they are, a critic's stretched."""
    if game == "Wasserstein":
        low, high = score.min(), score.max()
        return (score - low) / max(high - low, 1e-9)
    return np.clip(score, 0, 1) if game == "least squares" else 0.5 + 0.5 * np.tanh(score / 2)


def live_gan():
    """A GAN in the plane, trained in NumPy while you watch."""

    def look(shape, game, generator, discriminator, real, noise, history, quality):
        made = generator(noise)
        score = discriminator.forward(made[:60].astype(np.float32))
        g_backward = backward_of(GAMES[game][1])
        push = -discriminator.backward(g_backward(np.float32(1), score.copy()))
        length = np.linalg.norm(push, axis=1, keepdims=True)
        peaks = ""
        if shape in CENTERS:
            count, share = mode_coverage.unchecked(made, CENTERS[shape], 3 * SPREAD)
            peaks = int((count >= HIT * len(made)).sum()), len(count), float(share)
        return dict(
            field=_as_probability(np.nan_to_num(discriminator.forward(PLANE)[:, 0]), game),
            made=made,
            real=real,
            overlay=_overlay(_smooth(real), _smooth(np.nan_to_num(made))),
            arrows=(made[:60], push / np.maximum(length, 1e-12)),
            history=history,
            quality=np.array(quality),
            peaks=peaks,
        )

    def train(shape, game, lr_d, lr_g, d_steps, g_steps, penalty, seed):
        rng, watch = np.random.default_rng(seed), np.random.default_rng(1000)
        generator, discriminator = players(32, rng)
        draw = points(shape)
        real, noise = draw(2000, watch), watch.standard_normal((2000, 2))
        quality = []

        def measure(step):
            made = generator(noise[:250])
            quality.append((step, *precision_recall.unchecked(real[:250], np.nan_to_num(made))))

        caption = (
            f"{game} loss; rates: D {lr_d:.2g}, G {lr_g:.2g}; steps: D {d_steps}, G {g_steps}; "
            f"penalty {penalty:g}"
        )
        settings = dict(lr=(lr_g, lr_d), discriminator_steps=d_steps, generator_steps=g_steps)
        seen = generator, discriminator, real, noise
        measure(0)
        yield 0.0, look(shape, game, *seen, None, quality) | {"caption": caption}
        for history in train_adversarial(
            generator,
            discriminator,
            draw,
            steps=STEPS,
            rng=rng,
            game=game,
            penalty=penalty,
            every=EVERY,
            **settings,
        ):
            step = history.step[-1]
            if history.diverged_at is None:
                measure(step)
            yield step / STEPS, look(shape, game, *seen, history, quality) | {"caption": caption}

    def setup(fig):
        spaces = fig.add_gridspec(2, 3, width_ratios=(1, 1, 1.05))
        with figures.mpl.style.context(figures.STYLE):
            left, middle = fig.add_subplot(spaces[:, 0]), fig.add_subplot(spaces[:, 1])
            top, bottom = fig.add_subplot(spaces[0, 2]), fig.add_subplot(spaces[1, 2])
        for ax in (left, middle):
            ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        left.set_title("Blue: D says real")
        middle.set_title("Dark: both; orange: only G")
        top.set(xlim=(0, STEPS), ylim=(-1, 3), xticks=[], ylabel="loss, cut at −1 and 3")
        bottom.set(xlim=(0, STEPS), ylim=(0, 1.05), xlabel="step", ylabel="share")
        surface = figures.surface(left, np.zeros(GRID**2), -REACH, REACH, interpolation="nearest")
        square = dict(origin="lower", extent=(-REACH, REACH, -REACH, REACH))
        overlay = middle.imshow(np.ones((GRID, GRID, 3)), interpolation="nearest", **square)
        for ax in (left, middle):
            ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH))
        artists = {
            "surface": surface,
            "overlay": overlay,
            "real": left.plot([], [], "o", color=REAL, ms=2.5, mew=0)[0],
            "made": left.plot([], [], "^", color=FAKE, ms=3, mew=0)[0],
            "arrows": left.quiver(
                np.zeros(60), np.zeros(60), np.zeros(60), np.zeros(60), scale=16, width=0.006, color="black"
            ),
            "d_loss": top.plot([], [], color=figures.BLUE, label="loss of D")[0],
            "g_loss": top.plot([], [], color=figures.VERMILLION, ls="--", label="loss of G")[0],
            "precision": bottom.plot([], [], color=figures.GREEN, label="quality")[0],
            "recall": bottom.plot([], [], color=figures.PURPLE, ls="--", label="coverage")[0],
            "peaks": middle.text(
                -1.5, 1.42, "", fontsize=9, va="top", bbox=dict(fc="white", ec="none", pad=1)
            ),
            "caption": left.text(-REACH, -1.67, "", fontsize=8, va="top"),
            "diverged": middle.text(0, 0, "", ha="center", weight="bold", color=figures.VERMILLION),
        }
        for ax in (top, bottom):  # above the axes: a low quality is what one is to see
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2, fontsize=8, borderaxespad=0.2)
        return artists

    def draw(artists, r):
        artists["surface"].set_data(np.round(10 * r["field"]).reshape(GRID, GRID) / 10)
        artists["overlay"].set_data(r["overlay"])
        made = np.clip(np.nan_to_num(r["made"], nan=99), -99, 99)
        artists["real"].set_data(*r["real"][:250].T)
        artists["made"].set_data(*made[:250].T)
        at, push = r["arrows"]
        artists["arrows"].set_offsets(np.clip(np.nan_to_num(at, nan=99), -99, 99))
        artists["arrows"].set_UVC(*np.nan_to_num(push).T)
        h = r["history"]
        for name, values in (("d_loss", "discriminator_loss"), ("g_loss", "generator_loss")):
            seen = ([], []) if h is None else (h.step, np.clip(getattr(h, values), -1, 3))
            artists[name].set_data(*seen)
        for name, column in (("precision", 1), ("recall", 2)):
            artists[name].set_data(r["quality"][:, 0], r["quality"][:, column])
        words = "{} of {} peaks, {:.0%} on a peak".format(*r["peaks"]) if r["peaks"] else ""
        artists["peaks"].set_text(words.replace("%", " %"))
        artists["caption"].set_text(r["caption"])
        stopped = h is not None and h.diverged_at is not None
        artists["diverged"].set_text(f"diverged at step {h.diverged_at}" if stopped else "")

    def note(values, r):
        step, precision, recall = r["quality"][-1]
        return f"step {step:,.0f}: quality {100 * precision:.0f} %, coverage {100 * recall:.0f} %"

    return Explorer(
        "A GAN in the plane",
        dict(
            shape=Choice(SHAPES, "ring of 8", "data"),
            game=Choice(tuple(GAMES), "non-saturating", "loss"),
            d_steps=IntSlider(1, 5, 1, "steps of D"),
            g_steps=IntSlider(1, 5, 1, "steps of G"),
            lr_d=LogSlider(1e-4, 3e-2, 1e-3, "learning rate of D"),
            lr_g=LogSlider(1e-4, 3e-2, 1e-3, "learning rate of G"),
            penalty=Choice((0, 0.1, 1, 10), 0, "gradient penalty"),
            seed=Seed(9),
        ),
        setup,
        draw,
        train=train,
        size=(9.6, 3.6),
        note=note,
        goal=Goal(
            "ring of 8: all peaks, and 90 % of the samples on a peak",
            lambda values, r: values["shape"] == "ring of 8" and r["peaks"][0] == 8 and r["peaks"][2] >= 0.9,
        ),
    )
