"""What the learner can turn in notebook 08: a race on a surface, a schedule, and a race on the digits."""

from functools import cache, lru_cache

import numpy as np

from nnlib import data, figures
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Steps
from nnlib.figures import BLUE, GRAY, GREEN, PURPLE, VERMILLION
from nnlib.layers import Linear, ReLU, Sequential, fit, train
from nnlib.optimizers.in_numpy import (
    adagrad,
    adam,
    cosine_annealing_lr,
    cosine_annealing_warm_restarts,
    exponential_lr,
    linear_lr,
    lion,
    multi_step_lr,
    muon,
    nadam,
    one_cycle_lr,
    reduce_lr_on_plateau,
    rmsprop,
    sgd,
    step_lr,
)

# Who runs: the function, the family whose learning rate it takes, its settings, and how it is drawn.
FAMILIES = {"SGD": "gradient", "momentum": "gradient", "Nesterov": "gradient"}  # all others: "scaled"
STYLES = {
    "SGD": (BLUE, "-"),
    "momentum": (BLUE, "--"),
    "Nesterov": (BLUE, ":"),
    "AdaGrad": (GREEN, "-"),
    "RMSprop": (GREEN, "--"),
    "Adam": (VERMILLION, "-"),
    "NAdam": (VERMILLION, "--"),
    "Lion": (PURPLE, "-"),
    "Muon": (PURPLE, "--"),
}
MARKERS = {"-": "o", "--": "D", ":": "^"}  # at the end of a line, since families share a color


def _runners(beta1, beta2):
    """Each method's step and its settings."""
    return {
        "SGD": (sgd, {}),
        "momentum": (sgd, dict(momentum=beta1)),
        "Nesterov": (sgd, dict(momentum=beta1, nesterov=beta1 > 0)),
        "AdaGrad": (adagrad, {}),
        "RMSprop": (rmsprop, dict(alpha=beta2)),
        "Adam": (adam, dict(betas=(beta1, beta2))),
        "NAdam": (nadam, dict(betas=(beta1, beta2))),
        "Lion": (lion, dict(betas=(beta1, beta2))),
    }


COUNTS = (adagrad, adam, nadam)  # those that are told the number of the step


# ------------------------------------------------------------------------------------------ the ranking


def _ranking_setup(ax, names, title):
    """Lines for a table: place, a sample of the line, name and result."""
    ax.set(xlim=(0, 1), ylim=(-len(names) + 0.4, 0.6), title=title)
    ax.axis("off")
    return [
        (ax.plot([0.0, 0.14], [-i, -i], lw=2)[0], ax.text(0.18, -i, "", va="center", fontsize=9))
        for i in range(len(names))
    ]


def _ranking_draw(slots, results):
    """Put (name, number to sort by, text) in order; what is not finite comes last."""
    order = sorted(results, key=lambda r: (not np.isfinite(r[1]), r[1]))
    for (line, text), (name, _, words) in zip(slots, order):
        color, dash = STYLES[name]
        line.set(color=color, linestyle=dash, marker=MARKERS[dash], markevery=[1], markersize=5)
        text.set(text=f"{name}  {words}", color=color if color != PURPLE else "#A0527A")


# ------------------------------------------------------------------------------------- race on a surface

LOW, HIGH, FLOOR = -2.4, 2.4, 1e-14
RAVINE, TURNED, SADDLE, BANANA = "ravine", "ravine, turned by 45°", "two valleys, a saddle between", "banana"
TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5


def _height(surface, p):
    """Height above the lowest point; points are the rows of p."""
    x, y = p.T
    if surface == TURNED:
        x, y = (p @ TURN).T
    if surface in (RAVINE, TURNED):
        return (x * x + 40 * y * y) / 2
    if surface == SADDLE:
        return (x * x - 1) ** 2 + y * y
    return (1 - x) ** 2 / 4 + 4 * (y - x * x / 2) ** 2


def _slope(surface, p):
    x, y = p.T
    if surface == TURNED:
        return _slope(RAVINE, p @ TURN) @ TURN.T
    if surface == RAVINE:
        return np.stack([x, 40 * y], axis=1)
    if surface == SADDLE:
        return np.stack([4 * x * (x * x - 1), 2 * y], axis=1)
    across = y - x * x / 2
    return np.stack([-(1 - x) / 2 - 8 * x * across, 8 * across], axis=1)


@cache
def _relief(surface):
    """The surface as a picture in bands of equal ratio of heights."""
    heights = _height(surface, figures.plane(LOW, HIGH, 150))
    return np.floor(2.5 * np.log10(heights + 1e-3)).reshape(150, 150)


def race():
    names = list(_runners(0.9, 0.99))

    def compute(surface, lr, scaled_lr, beta1, beta2, steps, x0, x1):
        runners = _runners(beta1, beta2)
        start = TURN @ [x0, x1] if surface == TURNED else [x0, x1]  # the start turns with the surface
        points = np.tile(start, (len(runners), 1))
        states, paths = {name: () for name in runners}, [points]
        for t in range(1, steps + 1):
            grads = _slope(surface, points)
            new = np.empty_like(points)
            for i, (name, (step, settings)) in enumerate(runners.items()):
                rate = lr if name in FAMILIES else scaled_lr
                told = {**settings, "t": t} if step in COUNTS else settings
                new[i], *states[name] = step.unchecked(points[i], grads[i], *states[name], lr=rate, **told)
            points = new
            paths.append(points)
        paths = np.array(paths)
        heights = _height(surface, paths.reshape(-1, 2)).reshape(len(paths), -1)
        return {"surface": surface, "paths": paths, "heights": heights}

    def setup(fig):
        left, right, table = figures.axes(fig, 1, 3, width_ratios=(1.1, 1.1, 0.72))
        image = left.imshow(np.zeros((150, 150)), origin="lower", cmap="Greys_r", vmin=-13, vmax=6, alpha=0.8)
        image.set_extent((LOW, HIGH, LOW, HIGH))
        left.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), xlabel="first weight", ylabel="second weight")
        left.set(title="Darker is lower")
        right.set(yscale="log", xlim=(0, 150), ylim=(FLOOR, 1e3), xlabel="steps")
        right.set(ylabel="height (log scale)", title="Height above the lowest point")
        artists = {"image": image, "slots": _ranking_setup(table, names, "Order at the end")}
        for name in names:
            color, dash = STYLES[name]
            artists[name] = [
                left.plot([], [], color=color, ls=dash, lw=1.3)[0],
                left.plot([], [], MARKERS[dash], color=color, ms=4)[0],
                right.plot([], [], color=color, ls=dash, lw=1.5)[0],
                right.plot([], [], MARKERS[dash], color=color, ms=4)[0],
            ]
        artists["start"] = left.plot([], [], "s", color="black", ms=5, zorder=5)[0]
        return artists

    def draw(artists, r):
        artists["image"].set_data(_relief(r["surface"]))
        paths = np.clip(np.nan_to_num(r["paths"], nan=1e9), -20, 20)
        heights = np.clip(np.nan_to_num(r["heights"], nan=1e9, posinf=1e9), FLOOR, 1e9)
        for i, name in enumerate(names):
            path, end, height, last = artists[name]
            lost = _size(r["heights"][-1, i]) == "diverged"  # then drawn only until it leaves the picture
            gone = np.flatnonzero(np.abs(paths[:, i]).max(axis=1) > HIGH)
            path.set_data(*paths[: gone[0] + 1 if lost and len(gone) else None, i].T)
            end.set_data(paths[-1:, i, 0], paths[-1:, i, 1])
            height.set_data(range(len(paths)), heights[:, i])
            last.set_data([len(paths) - 1], heights[-1:, i])
        artists["start"].set_data(paths[:1, 0, 0], paths[:1, 0, 1])
        _ranking_draw(artists["slots"], [(n, h, _size(h)) for n, h in zip(names, r["heights"][-1])])

    def note(values, r):
        ends = dict(zip(names, r["heights"][-1]))
        if values["steps"] == 0:
            return f"before the first step all stand at a height of {_size(ends['SGD'])}"
        best = min(ends, key=lambda n: ends[n] if np.isfinite(ends[n]) else np.inf)
        return f"after {values['steps']} steps {best} leads with a height of {_size(ends[best])}"

    return Explorer(
        "A race down a surface",
        dict(
            surface=Choice((RAVINE, TURNED, SADDLE, BANANA), RAVINE, "surface"),
            lr=LogSlider(1e-3, 0.2, 0.02, "lr of SGD, momentum, Nesterov"),
            scaled_lr=LogSlider(1e-3, 1, 0.05, "lr of the others"),
            beta1=Slider(0, 0.99, 0.9, "β1, momentum", step=0.01),
            beta2=Slider(0.5, 0.999, 0.99, "β2, alpha", step=0.001, format=".3f"),
            steps=Steps(0, 150, 60, "steps"),
            x0=Slider(-2, 2, -1.8, "start, first weight"),
            x1=Slider(-2, 2, 1.4, "start, second weight"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "on the ravine, from this start, Adam below a height of 0.0001 in at most 60 steps",
            lambda values, r: (
                (values["surface"], values["x0"], values["x1"]) == (RAVINE, -1.8, 1.4)
                and values["steps"] <= 60
                and bool(r["heights"][-1, names.index("Adam")] < 1e-4)
            ),
        ),
        code={"numpy": _RACE_NUMPY, "torch": _RACE_TORCH},
        answer=lambda r: np.log10(np.where(r["heights"][-1] < 1e9, r["heights"][-1], 1e9) + 1e-6).sum(),
    )


def _size(height):
    if not height < 1e9:
        return "diverged"
    return f"{height:,.0f}" if height >= 99.5 else f"{height:.2g}" if height >= 0.01 else f"{height:.0e}"


_RACE_NUMPY = """\
import numpy as np
from nnlib.optimizers.in_numpy import adagrad, adam, lion, nadam, rmsprop, sgd

surface, start = $surface, np.array([$x0, $x1])
turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
start = turn @ start if "turned" in surface else start

def height(p):
    x, y = p @ turn if "turned" in surface else p
    if "ravine" in surface:
        return (x * x + 40 * y * y) / 2
    if "valleys" in surface:
        return (x * x - 1) ** 2 + y * y
    return (1 - x) ** 2 / 4 + 4 * (y - x * x / 2) ** 2

def gradient(p):
    x, y = p @ turn if "turned" in surface else p
    if "ravine" in surface:
        g = np.array([x, 40 * y])
    elif "valleys" in surface:
        g = np.array([4 * x * (x * x - 1), 2 * y])
    else:
        g = np.array([-(1 - x) / 2 - 8 * x * (y - x * x / 2), 8 * (y - x * x / 2)])
    return turn @ g if "turned" in surface else g

lr, scaled_lr, beta1, beta2 = $lr, $scaled_lr, $beta1, $beta2
runners = [
    (sgd, dict(lr=lr)),
    (sgd, dict(lr=lr, momentum=beta1)),
    (sgd, dict(lr=lr, momentum=beta1, nesterov=beta1 > 0)),
    (adagrad, dict(lr=scaled_lr)),
    (rmsprop, dict(lr=scaled_lr, alpha=beta2)),
    (adam, dict(lr=scaled_lr, betas=(beta1, beta2))),
    (nadam, dict(lr=scaled_lr, betas=(beta1, beta2))),
    (lion, dict(lr=scaled_lr, betas=(beta1, beta2))),
]
answer = 0.0
for step, settings in runners:
    p, state = start, ()
    for t in range(1, $steps + 1):
        told = dict(settings, t=t) if step in (adagrad, adam, nadam) else settings
        p, *state = step(p, gradient(p), *state, **told)
    h = height(p)
    answer += np.log10((h if h < 1e9 else 1e9) + 1e-6)  # 1e9 where it diverged
"""

_RACE_TORCH = """\
import math

import torch

surface, start = $surface, torch.tensor([$x0, $x1], dtype=torch.float64)
turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5
start = turn @ start if "turned" in surface else start

def height(p):
    x, y = p @ turn if "turned" in surface else p
    if "ravine" in surface:
        return (x * x + 40 * y * y) / 2
    if "valleys" in surface:
        return (x * x - 1) ** 2 + y * y
    return (1 - x) ** 2 / 4 + 4 * (y - x * x / 2) ** 2

class Lion(torch.optim.Optimizer):                    # torch.optim has none
    def __init__(self, params, lr, betas):
        super().__init__(params, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p -= group["lr"] * torch.sign(beta1 * m + (1 - beta1) * p.grad)
                m.lerp_(p.grad, 1 - beta2)

lr, scaled_lr, betas = $lr, $scaled_lr, ($beta1, $beta2)
optimizers = [
    lambda p: torch.optim.SGD(p, lr),
    lambda p: torch.optim.SGD(p, lr, momentum=betas[0]),
    lambda p: torch.optim.SGD(p, lr, momentum=betas[0], nesterov=betas[0] > 0),
    lambda p: torch.optim.Adagrad(p, scaled_lr),
    lambda p: torch.optim.RMSprop(p, scaled_lr, alpha=betas[1]),
    lambda p: torch.optim.Adam(p, scaled_lr, betas),
    lambda p: torch.optim.NAdam(p, scaled_lr, betas),
    lambda p: Lion(p, scaled_lr, betas),
]
answer = 0.0
for make in optimizers:
    p = start.clone().requires_grad_()
    optimizer = make([p])
    for _ in range($steps):
        optimizer.zero_grad()
        height(p).backward()
        optimizer.step()
    h = height(p).item()
    answer += math.log10((h if h < 1e9 else 1e9) + 1e-6)  # 1e9 where it diverged
"""


# ------------------------------------------------------------------------------------------- schedules

EPOCHS, BATCH, WIDTH = 5, 64, 24
TOTAL = 100  # steps: 5 epochs of 20 batches
PLATEAU = "reduce on plateau"
KINDS = ("constant", "step", "multi-step", "exponential", "linear", "cosine", "warm restarts", "one-cycle")


def _schedule(kind, lr, period, gamma, steps):
    """A schedule of nnlib as a function of the step."""
    return {
        "constant": lambda t: lr + 0 * t,
        "step": lambda t: step_lr(t, lr, period, gamma),
        "multi-step": lambda t: multi_step_lr(t, lr, (steps // 2, 3 * steps // 4), gamma),
        "exponential": lambda t: exponential_lr(t, lr, gamma ** (1 / period)),
        "linear": lambda t: linear_lr(t, lr, 1.0, gamma, steps),
        "cosine": lambda t: cosine_annealing_lr(t, lr, steps),
        "warm restarts": lambda t: cosine_annealing_warm_restarts(t, lr, period),
        "one-cycle": lambda t: one_cycle_lr(t, lr, steps),
    }[kind]


def _rates(kind, lr, warmup, period, gamma):
    """The learning rate of every step: a linear warm-up, then the schedule from its own step 0."""
    t = np.arange(float(TOTAL - warmup))
    after = _schedule(kind, lr, period, gamma, TOTAL - warmup)(t)
    return np.concatenate([_warmup(after[0], warmup), after])


def _warmup(lr, steps):
    return lr * (1 + np.arange(float(steps))) / (steps + 1)


@cache
def _task():
    return data.digits(np.float32)


def _net(seed):
    rng = np.random.default_rng(seed)
    return Sequential(Linear(64, WIDTH, rng=rng), ReLU(), Linear(WIDTH, 10, rng=rng)), rng


@lru_cache(64)
def _constant(lr, seed):
    x, y, *_ = _task()
    model, rng = _net(seed)
    return fit(model, x, y, lr=lr, momentum=0.9, epochs=EPOCHS, batch_size=BATCH, rng=rng, every=5)


def schedule():
    low, high = 0.01, 10

    def compute(kind, lr, warmup, period, gamma, seed):
        x, y, *_ = _task()
        model, rng = _net(seed)
        options = dict(momentum=0.9, epochs=EPOCHS, batch_size=BATCH, rng=rng, every=5)
        if kind == PLATEAU:
            rates, now, state = list(_warmup(lr, warmup)), lr, ()

            def rate(step):
                if step >= len(rates):
                    rates.append(float(now))
                return rates[step]

            for h in train(model, x, y, lr=rate, **options):
                if h.step[-1] >= warmup:  # every 5 steps it looks at the loss of all digits
                    measured = np.float64(h.loss[-1])
                    settings = dict(factor=gamma, patience=period // 10, threshold=0.05)
                    now, *state = reduce_lr_on_plateau.unchecked(measured, now, *state, **settings)
        else:
            rates = _rates(kind, lr, warmup, period, gamma).tolist()
            h = fit(model, x, y, lr=lambda step: rates[step], **options)
        rates = rates[:TOTAL]
        return {"rates": np.array(rates), "scheduled": h, "constant": _constant(lr, seed), "lr": lr}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(0, TOTAL), ylim=(0, 1.08), xlabel="step", ylabel="learning rate ÷ the one chosen")
        left.set_title("The schedule")
        right.set(yscale="log", xlim=(0, TOTAL), ylim=(low, high), xlabel="step")
        right.set(ylabel="training loss (log scale)", title="What it does to a network on digits")
        return {
            "rates": left.plot([], [], color=BLUE)[0],
            "flat": left.axhline(1, color=GRAY, ls=":", lw=1),
            "constant": right.plot([], [], color=GRAY, ls=":")[0],
            "scheduled": right.plot([], [], color=BLUE)[0],
            "names": [
                right.text(2, y, "", color=color, fontsize=9)
                for y, color in ((low * 1.15, BLUE), (low * 1.7, GRAY))
            ],
        }

    def draw(artists, r):
        artists["rates"].set_data(range(len(r["rates"])), r["rates"] / r["lr"])
        for (name, words), text in zip(
            (("scheduled", "with the schedule"), ("constant", "constant, dotted")), artists["names"]
        ):
            h = r[name]
            artists[name].set_data(h.step, np.clip(np.nan_to_num(h.loss, nan=1e9), low, high))
            lost = "" if h.diverged_at is None else f", diverged at step {h.diverged_at}"
            text.set_text(f"{words}: {h.loss[-1]:.3f}{lost}")

    def note(values, r):
        rises = int((np.diff(r["rates"]) > 0).sum())
        return (
            f"from {r['rates'][0]:.3g} to {r['rates'][-1]:.3g}, rising at {rises} of {len(r['rates']) - 1} "
            f"steps; last loss {r['scheduled'].loss[-1]:.3f}, constant {r['constant'].loss[-1]:.3f}"
        )

    def idle(values):
        by_gamma = ("step", "multi-step", "exponential", "linear", PLATEAU)
        by_period = ("step", "exponential", "warm restarts", PLATEAU)
        users = dict(gamma=by_gamma, period=by_period)
        return {name for name, kinds in users.items() if values["kind"] not in kinds}

    return Explorer(
        "Design a schedule",
        dict(
            kind=Choice((*KINDS, PLATEAU), "cosine", "schedule"),
            lr=LogSlider(0.01, 3, 0.3, "learning rate"),
            warmup=IntSlider(0, 40, 0, "warm-up steps"),
            period=IntSlider(5, 50, 25, "step_size, T_0, 10 × patience", step=5),
            gamma=Slider(0.05, 0.95, 0.3, "gamma, factor", step=0.05),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=idle,
        goal=Goal("a loss below 0.06 after the 100 steps", lambda values, r: r["scheduled"].loss[-1] < 0.06),
        code={"numpy": _SCHEDULE_START + _SCHEDULE_NUMPY, "torch": _SCHEDULE_START + _SCHEDULE_TORCH},
        answer=lambda r: r["scheduled"].loss[-1],
    )


_SCHEDULE_START = """\
import numpy as np
from nnlib import data

x, y, *_ = data.digits(np.float32)
rng = np.random.default_rng($seed)
params = []
for i, o in ((64, 24), (24, 10)):
    for shape in ((o, i), (o,)):
        params.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32))
kind, lr, warmup, period, gamma = $kind, $lr, $warmup, $period, $gamma
steps = 100 - warmup
"""

_SCHEDULE_NUMPY = """
w1, b1, w2, b2 = params
buffers = [np.zeros_like(p) for p in params]

def rate(t):
    if kind == "step":
        return lr * gamma ** (t // period)
    if kind == "multi-step":
        return lr * gamma ** ((t >= steps // 2) + (t >= 3 * steps // 4))
    if kind == "exponential":
        return lr * gamma ** (t / period)
    if kind == "linear":
        return lr * (1 + (gamma - 1) * t / steps)
    if kind == "cosine":
        return lr * (1 + np.cos(np.pi * t / steps)) / 2
    if kind == "warm restarts":
        return lr * (1 + np.cos(np.pi * (t % period) / period)) / 2
    if kind == "one-cycle":
        top = 0.3 * steps - 1
        if t <= top:
            return lr / 25 + (lr - lr / 25) * (1 - np.cos(np.pi * t / top)) / 2
        lowest = lr / 25e4
        return lowest + (lr - lowest) * (1 + np.cos(np.pi * (t - top) / (steps - 1 - top))) / 2
    return lr

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

def loss():
    z = np.maximum(x @ w1.T + b1, 0) @ w2.T + b2
    return -log_softmax(z)[np.arange(len(y)), y].mean()

step, now, best, bad = 0, lr, np.inf, 0
for epoch in range(5):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 64):
        if kind == "reduce on plateau" and step % 5 == 0 and step >= warmup:
            value = loss()
            best, bad = (value, 0) if value < 0.95 * best else (best, bad + 1)
            if bad > period // 10:
                now, bad = now * gamma, 0
        now = rate(step - warmup) if kind != "reduce on plateau" else now
        current = (rate(0) if kind != "reduce on plateau" else lr) * (1 + step) / (warmup + 1)
        current = np.float32(current if step < warmup else now)
        rows = order[start : start + 64]
        h = np.maximum(x[rows] @ w1.T + b1, 0)
        grad = np.exp(log_softmax(h @ w2.T + b2))
        grad[np.arange(len(rows)), y[rows]] -= 1
        grad /= len(rows)
        grad_h = grad @ w2 * (h > 0)
        for p, v, g in zip(params, buffers, (grad_h.T @ x[rows], grad_h.sum(0), grad.T @ h, grad.sum(0))):
            v *= np.float32(0.9)
            v += g
            p -= current * v
        step += 1

answer = loss()
"""

_SCHEDULE_TORCH = """
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
for p, start in zip(model.parameters(), params):
    p.data = torch.from_numpy(start)
x, y, loss = torch.from_numpy(x), torch.from_numpy(y).long(), nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
plateau = schedulers.ReduceLROnPlateau(optimizer, factor=gamma, patience=period // 10, threshold=0.05)
schedule = {
    "step": lambda o: schedulers.StepLR(o, period, gamma),
    "multi-step": lambda o: schedulers.MultiStepLR(o, (steps // 2, 3 * steps // 4), gamma),
    "exponential": lambda o: schedulers.ExponentialLR(o, gamma ** (1 / period)),
    "linear": lambda o: schedulers.LinearLR(o, 1.0, gamma, steps),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, steps),
    "warm restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, period),
    "one-cycle": lambda o: schedulers.OneCycleLR(o, lr, total_steps=steps, cycle_momentum=False),
}.get(kind, lambda o: schedulers.ConstantLR(o, factor=1.0))(optimizer)
first = optimizer.param_groups[0]["lr"]

step = 0
for epoch in range(5):
    for rows in torch.from_numpy(rng.permutation(len(x))).split(64):
        if step < warmup:
            optimizer.param_groups[0]["lr"] = first * (1 + step) / (warmup + 1)
        elif step == warmup:
            optimizer.param_groups[0]["lr"] = first
        if kind == "reduce on plateau" and step % 5 == 0 and step >= warmup:
            with torch.no_grad():
                plateau.step(loss(model(x), y))
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
        if step >= warmup and step < 99:
            schedule.step()
        step += 1

with torch.no_grad():
    answer = loss(model(x), y)
"""


# ------------------------------------------------------------------------------------ race on the digits


def digits_race():
    names, low, high = [*_runners(0.9, 0.99), "Muon"], 1e-3, 5

    def go(lr, scaled_lr, beta1, beta2, batch_size, epochs, seed):
        x, y, x_test, y_test = _task()
        like_adamw = dict(momentum=beta1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        runs = {}
        for name in names:
            rng = np.random.default_rng(seed)
            model = Sequential(Linear(64, 32, rng=rng), ReLU(), Linear(32, 10, rng=rng))
            step, settings = {**_runners(beta1, beta2), "Muon": (muon, like_adamw)}[name]
            options = dict(epochs=epochs, batch_size=batch_size, rng=rng, validation=(x_test, y_test))
            rate = lr if name in FAMILIES else scaled_lr
            runs[name] = train(model, x, y, lr=rate, optimizer=step, **options, **settings)
        histories = {name: next(run) for name, run in runs.items()}
        yield 0.0, histories
        for epoch in range(1, epochs + 1):
            for done, run in enumerate(runs.values(), 1):
                next(run, None)  # one that diverged has ended
                yield (epoch - 1 + done / len(runs)) / epochs, histories

    def setup(fig):
        left, right, table = figures.axes(fig, 1, 3, width_ratios=(1.1, 1, 0.8))
        left.set(yscale="log", xlim=(0, 20), ylim=(low, high), xlabel="epochs")
        left.set(ylabel="training loss (log scale)", title="Loss on the digits")
        right.set(xlim=(0, 20), ylim=(50, 100), xlabel="epochs", ylabel="test accuracy, %")
        right.set_title("Test accuracy")
        artists = {"slots": _ranking_setup(table, names, "Loss · accuracy")}
        for name in names:
            color, dash = STYLES[name]
            artists[name] = [ax.plot([], [], color=color, ls=dash, lw=1.4)[0] for ax in (left, right)]
        return artists

    def draw(artists, histories):
        results = []
        for name, h in histories.items():
            loss, accuracy = artists[name]
            loss.set_data(h.epoch, np.clip(np.nan_to_num(h.loss, nan=1e9), low, high))
            accuracy.set_data(h.epoch, 100 * np.array(h.validation_accuracy))
            words = f"{h.loss[-1]:.3f} · {100 * h.validation_accuracy[-1]:.1f}"
            lost = h.diverged_at is not None
            results.append((name, np.inf if lost else h.loss[-1], "diverged" if lost else words))
        _ranking_draw(artists["slots"], results)

    def note(values, histories):
        kept = {n: h for n, h in histories.items() if h.diverged_at is None}
        best = max(kept, key=lambda n: kept[n].validation_accuracy[-1], default=None)
        if best is None:
            return "all diverged"
        epochs, accuracy = kept[best].epoch[-1], 100 * kept[best].validation_accuracy[-1]
        if epochs < 1:
            return f"before training: {accuracy:.1f} % of the test digits right, the same start for all"
        return f"best test accuracy after {epochs:.0f} epoch{'s' * (epochs > 1)}: {best}, {accuracy:.1f} %"

    return Explorer(
        "The same race on digits",
        dict(
            lr=LogSlider(1e-3, 1, 0.1, "lr of SGD, momentum, Nesterov"),
            scaled_lr=LogSlider(1e-4, 0.3, 0.003, "lr of the others"),
            beta1=Slider(0, 0.98, 0.9, "β1, momentum", step=0.02),
            beta2=Slider(0.5, 0.999, 0.99, "β2, alpha", step=0.001, format=".3f"),
            batch_size=Choice((16, 32, 64, 128), 64, "batch size"),
            epochs=IntSlider(1, 20, 10, "epochs"),
            seed=Seed(),
        ),
        setup,
        draw,
        train=go,
        note=note,
        goal=Goal(
            "five of the nine at 96 % test accuracy or more in at most 10 epochs",
            lambda values, histories: (
                values["epochs"] <= 10
                and sum(h.validation_accuracy[-1] >= 0.96 for h in histories.values()) >= 5
            ),
        ),
        code={"numpy": _DIGITS_START + _DIGITS_NUMPY, "torch": _DIGITS_START + _DIGITS_TORCH},
        answer=lambda histories: histories["Adam"].loss[-1],
    )


# The programs train the one that most people would use. The others differ by a line.
_DIGITS_START = """\
import numpy as np
from nnlib import data

x, y, *_ = data.digits(np.float32)
rng = np.random.default_rng($seed)
params = []
for i, o in ((64, 32), (32, 10)):
    for shape in ((o, i), (o,)):
        params.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32))
lr, momentum_lr, betas = $scaled_lr, $lr, ($beta1, $beta2)
"""

_DIGITS_NUMPY = """
from nnlib.optimizers.in_numpy import adam           # or sgd with momentum_lr, rmsprop, lion ...

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

t, states = 0, [()] * 4
for epoch in range($epochs):
    order = rng.permutation(len(x))
    for start in range(0, len(x), $batch_size):
        rows = order[start : start + $batch_size]
        w1, b1, w2, b2 = params
        h = np.maximum(x[rows] @ w1.T + b1, 0)
        grad = np.exp(log_softmax(h @ w2.T + b2))
        grad[np.arange(len(rows)), y[rows]] -= 1
        grad /= len(rows)
        grad_h = grad @ w2 * (h > 0)
        grads, t = (grad_h.T @ x[rows], grad_h.sum(0), grad.T @ h, grad.sum(0)), t + 1
        for i in range(4):
            params[i], *states[i] = adam(params[i], grads[i], *states[i], lr=lr, betas=betas, t=t)

w1, b1, w2, b2 = params
answer = -log_softmax(np.maximum(x @ w1.T + b1, 0) @ w2.T + b2)[np.arange(len(y)), y].mean()
"""

_DIGITS_TORCH = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
for p, start in zip(model.parameters(), params):
    p.data = torch.from_numpy(start)
optimizer = torch.optim.Adam(model.parameters(), lr, betas)  # or SGD with momentum_lr, RMSprop ...
x, y, loss = torch.from_numpy(x), torch.from_numpy(y).long(), nn.CrossEntropyLoss()
for epoch in range($epochs):
    for rows in torch.from_numpy(rng.permutation(len(x))).split($batch_size):
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()

with torch.no_grad():
    answer = loss(model(x), y)
"""
