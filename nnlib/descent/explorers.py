"""What the learner can turn in notebook 07: learning rate, batch, the start of a descent, the sharpness."""

from functools import cache, lru_cache

import numpy as np

from nnlib import data, figures
from nnlib.descent.in_numpy import (
    double_well,
    double_well_backward,
    linear_scaling,
    quadratic,
    quadratic_backward,
)
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider, Steps
from nnlib.layers import Linear, ReLU, Sequential, Tanh, fit, fit_many, train
from nnlib.losses.in_numpy import cross_entropy, cross_entropy_backward

TASKS = ("digits", "spirals", "moons")


@cache
def _task(name):
    """x, y, x_test, y_test and the sizes of the layers."""
    if name == "digits":
        return (*data.digits(np.float32), (64, 32, 10))
    rng = np.random.default_rng(0)
    x, y = data.spirals(1000, 0.05, rng, turns=0.75) if name == "spirals" else data.moons(1000, 0.15, rng)
    x = x.astype(np.float32)
    return x[:500], y[:500], x[500:], y[500:], (2, 16, 16, 2)


def _network(sizes, rng):
    """ReLU between two layers, tanh between three: each the better one here."""
    layers = [Linear(sizes[0], sizes[1], rng=rng)]
    for i, o in zip(sizes[1:], sizes[2:]):
        layers += [ReLU() if len(sizes) == 3 else Tanh(), Linear(i, o, rng=rng)]
    return Sequential(*layers)


def _clip(values, low, high):
    """Curves stay inside the picture: what leaves it runs along its edge, a NaN ends the curve."""
    return np.clip(np.asarray(values, float), low, high)


# ------------------------------------------------------------------------------------- the learning rate


def learning_rate():
    low, high = 1e-3, 20

    def compute(task, lr, epochs, batch_size, seed):
        x, y, x_test, y_test, sizes = _task(task)
        rng = np.random.default_rng(seed)
        model = _network(sizes, rng)
        options = dict(lr=lr, epochs=epochs, batch_size=batch_size, rng=rng, validation=(x_test, y_test))
        path = []
        for history in train(model, x, y, **options):
            path.append(model.params.astype(float))
            result = {"task": task, "history": history}
        result["path"] = _principal(np.array(path))
        with np.errstate(all="ignore"):
            if task == "digits":
                predicted = model.forward(x_test).argmax(axis=1)
                return result | {"wrong": np.flatnonzero(predicted != y_test), "predicted": predicted}
            z = model.forward(figures.plane(-1.6, 1.6, 50).astype(np.float32))
            return result | {"surface": 0.5 + 0.5 * np.tanh((z[:, 1] - z[:, 0]) / 2)}

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1.4, 1, 1.1))
        left.set(yscale="log", xlim=(0, 40), ylim=(low, high), xlabel="epochs", ylabel="loss (log scale)")
        left.set_title("Loss")
        artists = {
            "guess": left.axhline(1, color=figures.GRAY, lw=0.8, ls=":"),
            "guessing": left.text(40, 1, "guessing", color=figures.GRAY, fontsize=8, ha="right", va="bottom"),
            "train": left.plot([], [], color=figures.BLUE)[0],
            "test": left.plot([], [], color=figures.VERMILLION, ls="--")[0],
            "diverged": left.text(20, 6, "", color=figures.VERMILLION, ha="center", weight="bold"),
            "names": [left.text(0, 1, "", fontsize=9, va=va) for va in ("top", "bottom")],
        }
        middle.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xticks=[], yticks=[])
        middle.set(xlabel="first principal direction", ylabel="second")
        middle.set_title("Path of the weights")
        artists["path"] = middle.plot([], [], "o-", color=figures.BLUE, ms=3, lw=1)[0]
        artists["start"] = middle.text(0, 0, "start", fontsize=9, va="top")
        artists["length"] = middle.text(-1.1, 1.02, "", fontsize=9, va="top")
        right.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[], yticks=[])
        right.set_title("What it does with test data")
        right.spines[:].set_visible(False)
        artists["surface"] = figures.surface(right, np.zeros(2500), -1.6, 1.6)
        artists["points"] = {
            task: figures.points(right, *(part[:250] for part in _task(task)[2:4]), s=9)
            for task in ("spirals", "moons")
        }
        artists["mosaic"] = right.imshow(np.ones((78, 88, 3)), interpolation="nearest")
        artists["mosaic"].set_extent((-1.6, 1.6, -1.6, 1.25))
        right.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="auto")  # imshow has changed them
        artists["accuracy"] = right.text(-1.5, 1.35, "", fontsize=9)
        artists["caption"] = right.text(1.5, 1.35, "misread: label, answer", fontsize=9, ha="right")
        return artists

    def draw(artists, r):
        h = r["history"]
        for name, values in (("train", h.loss), ("test", h.validation_loss)):
            artists[name].set_data(h.epoch, _clip(values, low, high))
        for text, name, color in zip(artists["names"], ("train", "test"), (figures.BLUE, figures.VERMILLION)):
            text.set_position((h.epoch[-1], _clip(getattr(h, LOSS[name])[-1], low, high)))
            text.set(text=f" {name}", color=color)
        guess = np.log(10 if r["task"] == "digits" else 2)
        artists["guess"].set_ydata([guess, guess])
        artists["guessing"].set_y(guess)
        stopped = h.diverged_at is not None
        artists["diverged"].set_text(f"diverged at step {h.diverged_at}" if stopped else "")
        path, walked, moved = r["path"]
        artists["path"].set_data(*path.T)
        up = path[1, 1] < path[0, 1]  # the word stands where the path does not go
        artists["start"].set_position(path[0] + (-0.04, 0.08 if up else -0.08))
        artists["start"].set_va("bottom" if up else "top")
        artists["length"].set_text(f"walked {_short(walked)}, got {_short(moved)} away")
        _draw_task(artists, r)

    def _draw_task(artists, r):
        is_digits = r["task"] == "digits"
        artists["surface"].set_visible(not is_digits)
        for task, points in artists["points"].items():
            for artist in points:
                artist.set_visible(task == r["task"])
        x_test, y_test = _task(r["task"])[2:4]
        for name in ("mosaic", "caption"):
            artists[name].set_visible(is_digits)
        if is_digits:
            artists["mosaic"].set_data(_mosaic(x_test, y_test, r["predicted"], r["wrong"][:12]))
        right = 100 * r["history"].validation_accuracy[-1]
        artists["accuracy"].set_text(f"{right:.1f} % right")
        if not is_digits:
            artists["surface"].set_data(np.nan_to_num(r["surface"], nan=0.5).reshape(50, 50))

    def note(values, r):
        h = r["history"]
        if h.diverged_at is not None:
            return f"diverged at step {h.diverged_at}: the numbers are too large for float32"
        return (
            f"test accuracy {100 * h.validation_accuracy[-1]:.1f} % after {h.step[-1]:,} steps, "
            f"train loss {h.loss[-1]:.3f}, test loss {h.validation_loss[-1]:.3f}"
        )

    return Explorer(
        "The learning rate: every move trains the network anew",
        dict(
            task=Choice(TASKS, "digits", "data"),
            lr=LogSlider(1e-3, 30, 0.03, "learning rate"),
            epochs=IntSlider(1, 40, 20, "epochs"),
            batch_size=Choice((16, 32, 64, 128, 256), 64, "batch size"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "95 % test accuracy in at most 20 epochs",
            lambda values, r: values["epochs"] <= 20 and r["history"].validation_accuracy[-1] >= 0.95,
        ),
        code={"numpy": _TASK_DATA + _TRAIN_NUMPY, "torch": _TASK_DATA + _TRAIN_TORCH},
        answer=lambda r: r["history"].validation_loss[-1],
    )


LOSS = {"train": "loss", "test": "validation_loss"}


def _principal(points):
    """A path (T, P) seen from its two principal directions, scaled to 1; what was walked; how far it led."""
    with np.errstate(all="ignore"):
        away = points - points[0]
        scale = np.abs(away).max() or 1.0
        values, vectors = np.linalg.eigh(away @ away.T / scale**2)  # T x T: cheaper than P x P, same path
        flat = (vectors * np.sqrt(np.maximum(values, 0)))[:, :-3:-1]
        flat -= (flat.max(axis=0) + flat.min(axis=0)) / 2
        flat *= np.where(flat[-1] < flat[0], -1, 1)  # always from left to right: a picture that does not jump
        walked = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        return flat / (np.abs(flat).max() or 1.0), walked, np.linalg.norm(away[-1])


GLYPHS = (
    31599,
    11415,
    29671,
    29647,
    23497,
    31183,
    31215,
    29257,
    31727,
    31695,
)  # 3 x 5 pixels of 0 to 9, as bits


def _glyph(digit):
    return np.array([GLYPHS[digit] >> (14 - bit) & 1 for bit in range(15)]).reshape(5, 3)


def _mosaic(x, y, predicted, wrong):
    """Up to twelve images in three rows of four; below each its label in black, the answer in vermillion.

    Drawn as pixels: twelve texts would take longer than training does.
    """
    picture = np.ones((78, 88, 3))
    for i, n in enumerate(wrong):
        row, column = divmod(i, 4)
        cell = picture[26 * row : 26 * row + 26, 22 * column : 22 * column + 22]  # a view: writing fills it
        cell[:16, 3:19] = 1 - np.kron(x[n].reshape(8, 8), np.ones((2, 2)))[..., None]
        cell[18:23, 6:9] = 1 - _glyph(y[n])[..., None]
        cell[18:23, 13:16] = np.where(_glyph(predicted[n])[..., None], (0.84, 0.37, 0.0), 1)
    return picture


def _short(length):
    return f"{length:.1f}" if length < 1000 else f"{length:.0e}"


_TASK_DATA = """\
import numpy as np
from nnlib import data

if $task == "digits":
    x, y, x_test, y_test = data.digits(np.float32)
    sizes = (64, 32, 10)
else:
    rng = np.random.default_rng(0)
    if $task == "spirals":
        x, y = data.spirals(1000, 0.05, rng, turns=0.75)
    else:
        x, y = data.moons(1000, 0.15, rng)
    x, y, x_test, y_test = x[:500].astype(np.float32), y[:500], x[500:].astype(np.float32), y[500:]
    sizes = (2, 16, 16, 2)

rng = np.random.default_rng($seed)
params = []
for i, o in zip(sizes, sizes[1:]):
    for shape in ((o, i), (o,)):
        params.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32))
"""

_TRAIN_NUMPY = """
relu = len(sizes) == 3

def forward(x):
    outputs = [x]
    for k in range(0, len(params), 2):
        z = outputs[-1] @ params[k].T + params[k + 1]
        outputs.append(z if k == len(params) - 2 else np.maximum(z, 0) if relu else np.tanh(z))
    return outputs

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

for epoch in range($epochs):
    order = rng.permutation(len(x))
    for start in range(0, len(x), $batch_size):
        rows = order[start : start + $batch_size]
        outputs = forward(x[rows])
        grad = np.exp(log_softmax(outputs[-1]))
        grad[np.arange(len(rows)), y[rows]] -= 1
        grad /= len(rows)
        for k in range(len(params) - 2, -1, -2):
            h = outputs[k // 2]
            grad_weight, grad_bias = grad.T @ h, grad.sum(axis=0)
            grad = (grad @ params[k]) * ((h > 0) if relu else 1 - h * h)
            params[k] -= np.float32($lr) * grad_weight
            params[k + 1] -= np.float32($lr) * grad_bias

answer = -log_softmax(forward(x_test)[-1])[np.arange(len(y_test)), y_test].mean()
"""

_TRAIN_TORCH = """
import torch
from torch import nn

layers = []
for k in range(0, len(params), 2):
    linear = nn.Linear(params[k].shape[1], params[k].shape[0])
    linear.weight.data, linear.bias.data = torch.from_numpy(params[k]), torch.from_numpy(params[k + 1])
    layers += [linear, nn.ReLU() if len(sizes) == 3 else nn.Tanh()]
model = nn.Sequential(*layers[:-1])
optimizer, loss = torch.optim.SGD(model.parameters(), lr=$lr), nn.CrossEntropyLoss()

x, y = torch.from_numpy(x), torch.from_numpy(y).long()
for epoch in range($epochs):
    for rows in torch.from_numpy(rng.permutation(len(x))).split($batch_size):
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()

with torch.no_grad():
    answer = loss(model(torch.from_numpy(x_test)), torch.from_numpy(y_test).long())
"""


# --------------------------------------------------------------------------------------- the batch size

SCALED, SAME, STEPS = "lr × k, same epochs", "same lr, same epochs", "same lr, same steps"


@lru_cache(64)
def _batch_run(k, how, warmup_steps, lr, seed):
    """Training on the digits with batches of 16 k samples: 6 epochs, or the 474 steps of batch 16."""
    x, y, *_, sizes = _task("digits")
    rng = np.random.default_rng(seed)
    model = _network(sizes, rng)
    rate = k * lr if how == SCALED else lr
    if how == SCALED and warmup_steps:
        rate = lambda t: float(linear_scaling.unchecked(t, lr, k, warmup_steps))  # noqa: E731
    per_epoch = -(-len(x) // (16 * k))
    epochs = -(-474 // per_epoch) if how == STEPS else 6
    every = max(1, epochs * per_epoch // 50)
    return fit(model, x, y, lr=rate, epochs=epochs, batch_size=16 * k, rng=rng, every=every)


def batch_size():
    low, high = 0.04, 5

    def compute(k, how, warmup_steps, lr, seed):
        small, large = _batch_run(1, SAME, 0, lr, seed), _batch_run(k, how, warmup_steps, lr, seed)
        return {"small": small, "large": large, "k": k}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, sharey=True)
        left.set(xscale="log", xlim=(0.1, 110), xlabel="epochs: samples seen ÷ 1,257 (log scale)")
        left.set(yscale="log", ylim=(low, high), ylabel="training loss (log scale)")
        left.set_title("Loss for what it cost")
        right.set(xscale="log", xlim=(1, 700), xlabel="steps: times the weights moved (log scale)")
        right.set_title("Loss for how often it moved")
        artists = {"text": left.text(0.12, 0.05, "", color=figures.VERMILLION, fontsize=9)}
        for side, ax in (("epochs", left), ("steps", right)):
            artists[f"small {side}"] = ax.plot([], [], color=figures.BLUE)[0]
            artists[f"large {side}"] = ax.plot([], [], color=figures.VERMILLION, ls="--")[0]
        artists["names"] = [
            right.text(1, 1, "", fontsize=9, color=color, ha="right", va="top")
            for color in (figures.BLUE, figures.VERMILLION)
        ]
        return artists

    def draw(artists, r):
        for name in ("small", "large"):
            h = r[name]
            loss = np.clip(h.loss[1:], low, high)
            artists[f"{name} epochs"].set_data(h.epoch[1:], loss)
            artists[f"{name} steps"].set_data(h.step[1:], loss)
        for label, h, k, lower in zip(artists["names"], (r["small"], r["large"]), (1, r["k"]), (0.9, 0.7)):
            label.set_position(
                (h.step[-1], lower * np.clip(h.loss[-1], low, high))
            )  # apart, should they meet
            label.set_text(f"batch {16 * k} ")
        stopped = r["large"].diverged_at
        artists["text"].set_text("" if stopped is None else f"diverged at step {stopped}")

    def note(values, r):
        small, large = r["small"], r["large"]
        return (
            f"batch 16: loss {small.loss[-1]:.3f} after {small.step[-1]} steps; batch {16 * values['k']}: "
            f"loss {large.loss[-1]:.3f} after {large.step[-1]} steps, {large.epoch[-1]:.0f} epochs"
        )

    return Explorer(
        "Batch size: the same epochs or the same steps",
        dict(
            k=IntSlider(1, 16, 8, "k: batch = 16 k"),
            how=Choice((SCALED, SAME, STEPS), SCALED, "large batch"),
            warmup_steps=IntSlider(0, 50, 0, "warm-up steps"),
            lr=LogSlider(5e-3, 1, 0.05, "learning rate of batch 16"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: set() if values["how"] == SCALED else {"warmup_steps"},
        goal=Goal(
            "k = 16, in 6 epochs: a loss below 0.8, at most 20 % above that of batch 16",
            lambda values, r: (
                values["k"] == 16
                and values["how"] != STEPS
                and r["large"].loss[-1] <= min(0.8, 1.2 * r["small"].loss[-1])
            ),
        ),
        code={"numpy": _BATCH_DATA + _BATCH_NUMPY, "torch": _BATCH_DATA + _BATCH_TORCH},
        answer=lambda r: r["large"].loss[-1],
    )


_BATCH_DATA = """\
import numpy as np
from nnlib import data

x, y, *_ = data.digits(np.float32)
k, how, warmup_steps, lr = $k, $how, $warmup_steps, $lr
per_epoch = -(-len(x) // (16 * k))
epochs = -(-474 // per_epoch) if how == "same lr, same steps" else 6

def rate(step):
    done = min(step / warmup_steps, 1) if warmup_steps else 1
    return lr + (k - 1) * lr * done if how == "lr × k, same epochs" else lr

rng = np.random.default_rng($seed)
params = []
for i, o in ((64, 32), (32, 10)):
    for shape in ((o, i), (o,)):
        params.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32))
"""

_BATCH_NUMPY = """
w1, b1, w2, b2 = params

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

step = 0
for epoch in range(epochs):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 16 * k):
        rows = order[start : start + 16 * k]
        h = np.maximum(x[rows] @ w1.T + b1, 0)
        grad = np.exp(log_softmax(h @ w2.T + b2))
        grad[np.arange(len(rows)), y[rows]] -= 1
        grad /= len(rows)
        grad_h = grad @ w2 * (h > 0)
        for p, g in zip(params, (grad_h.T @ x[rows], grad_h.sum(0), grad.T @ h, grad.sum(0))):
            p -= np.float32(rate(step)) * g
        step += 1

z = np.maximum(x @ w1.T + b1, 0) @ w2.T + b2
answer = -log_softmax(z)[np.arange(len(y)), y].mean()
"""

_BATCH_TORCH = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
for p, start in zip(model.parameters(), params):
    p.data = torch.from_numpy(start)
optimizer, loss = torch.optim.SGD(model.parameters(), lr=1.0), nn.CrossEntropyLoss()
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

x, y = torch.from_numpy(x), torch.from_numpy(y).long()
for epoch in range(epochs):
    for rows in torch.from_numpy(rng.permutation(len(x))).split(16 * k):
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()

with torch.no_grad():
    answer = loss(model(x), y)
"""


# ----------------------------------------------------------------------------------------- the descent

RAVINE, SADDLE, WELLS = "ravine", "saddle", "two valleys"
STRETCH = np.diag([1.0, 25.0])


def _surface(name):
    """Height above the lowest point, the gradient, and the largest curvature at that point."""
    if name == RAVINE:
        return (
            lambda x: quadratic.unchecked(x, STRETCH),
            lambda x: quadratic_backward.unchecked(np.ones(len(x)), x, STRETCH)[0],
            25.0,
        )
    tilt = 0.3 if name == WELLS else 0.0
    bottom = min(np.roots([4, 0, -4, tilt]).real)  # where the slope 4 a (a² - 1) + tilt is zero
    lowest = double_well.unchecked(np.array([[bottom, 0.0]]), tilt)
    return (
        lambda x: double_well.unchecked(x, tilt) - lowest,
        lambda x: double_well_backward.unchecked(np.ones(len(x)), x, tilt),
        12 * bottom**2 - 4,
    )


def descent():
    low, high, edge = 1e-8, 1e3, 2.0

    def compute(surface, x0, x1, lr, momentum, steps):
        height, gradient, curvature = _surface(surface)
        x, velocity = np.array([[x0, x1]]), np.zeros((1, 2))
        path = [x]
        for _ in range(steps):
            velocity = momentum * velocity + gradient(x)
            x = x - lr * velocity
            path.append(x)
        path = np.concatenate(path)
        heights = height(path)
        lost = np.flatnonzero(~(heights < 1e6))
        bound = 2 * (1 + momentum) / curvature
        return dict(
            surface=surface,
            path=path,
            heights=heights,
            lr=lr,
            bound=bound,
            lost=lost[0] if len(lost) else None,
        )

    def setup(fig):
        left, right, rates = figures.axes(fig, 1, 3, width_ratios=(1.3, 1.2, 0.28))
        left.set(xlim=(-edge, edge), ylim=(-edge, edge), xlabel="first weight", ylabel="second weight")
        left.set_title("The path from above")
        right.set(yscale="log", xlim=(0, 100), ylim=(low, high), xlabel="steps")
        right.set_ylabel("height above the lowest point")
        right.set_title("How far down it is")
        rates.set(yscale="log", xlim=(0, 1), ylim=(1e-3, 1), xticks=[], ylabel="learning rate")
        rates.yaxis.set_label_position("right")
        rates.yaxis.tick_right()
        rates.spines[["left", "bottom"]].set_visible(False)
        rates.text(0.5, 1.3e-3, "stable", color=figures.BLUE, fontsize=9, ha="center")
        points = figures.plane(-edge, edge, 80)
        artists = {"maps": {}}
        for name in (RAVINE, SADDLE, WELLS):
            levels = np.geomspace(1e-2, 60, 16)
            z = _surface(name)[0](points).reshape(80, 80)
            axis = np.linspace(-edge, edge, 80)
            style = dict(cmap="viridis", norm="log", linewidths=0.9, alpha=0.8)
            artists["maps"][name] = left.contour(axis, axis, z, levels, **style)
        artists["path"] = left.plot([], [], "o-", color=figures.VERMILLION, ms=3, lw=1)[0]
        artists["start"] = left.plot([], [], "s", color="black", ms=6)[0]
        artists["end"] = left.plot([], [], "*", color="black", ms=12, mec="white")[0]
        artists["height"] = right.plot([], [], color=figures.BLUE)[0]
        artists["lost"] = right.text(50, 50, "", color=figures.VERMILLION, weight="bold", ha="center")
        artists["safe"] = rates.axhspan(1e-3, 0.1, color=figures.BLUE, alpha=0.2, lw=0)
        artists["bound"] = rates.axhline(0.1, color=figures.BLUE, lw=1.5)
        artists["lr"] = rates.plot([0.85], [0.1], "D", color=figures.VERMILLION, ms=7)[0]
        artists["bound text"] = rates.text(0, 0.1, "", fontsize=8, va="bottom")  # beside the diamond
        return artists

    def draw(artists, r):
        for name, lines in artists["maps"].items():
            lines.set_visible(name == r["surface"])
        path = np.clip(np.nan_to_num(r["path"], nan=1e9), -50, 50)
        artists["path"].set_data(*path.T)
        artists["start"].set_data(path[:1, 0], path[:1, 1])
        artists["end"].set_data(path[-1:, 0], path[-1:, 1])
        heights = np.nan_to_num(r["heights"], nan=1e9, posinf=1e9)
        artists["height"].set_data(range(len(path)), _clip(heights, low, high))
        artists["lost"].set_text("" if r["lost"] is None else f"diverged at step {r['lost']}")
        artists["safe"].set_height(r["bound"] - 1e-3)
        artists["bound"].set_ydata([r["bound"]] * 2)
        artists["bound text"].set_y(r["bound"] * 1.05)
        artists["bound text"].set_text(f"{r['bound']:.3g}")
        artists["lr"].set_ydata([r["lr"]])

    def note(values, r):
        if r["lost"] is not None:
            now = f"diverged at step {r['lost']}"
        else:
            x, y = r["path"][-1]
            now = f"after {values['steps']} steps at ({x:.2f}, {y:.2f}), height {r['heights'][-1]:.2g}"
        return f"{now}; stable at the lowest point below 2 (1 + momentum)/λ = {r['bound']:.3g}"

    return Explorer(
        "Descent on three surfaces",
        dict(
            surface=Choice((RAVINE, SADDLE, WELLS), RAVINE, "surface"),
            x0=Slider(-2, 2, -1.8, "start, first weight"),
            x1=Slider(-2, 2, 1.0, "start, second weight"),
            lr=LogSlider(1e-3, 1, 0.07, "learning rate"),
            momentum=Slider(0, 0.99, 0.0, "momentum", step=0.01),
            steps=Steps(0, 100, 30, "steps"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "in the ravine, from (−1.8, 1): height below 0.00001 in at most 30 steps",
            lambda values, r: (
                (values["surface"], values["x0"], values["x1"]) == (RAVINE, -1.8, 1.0)
                and values["steps"] <= 30
                and r["heights"][-1] < 1e-5
            ),
        ),
        code={"numpy": _DESCENT_NUMPY, "torch": _DESCENT_TORCH},
        answer=lambda r: r["heights"][-1],
    )


_DESCENT_NUMPY = """\
import numpy as np

surface, x = $surface, np.array([$x0, $x1])
tilt = 0.3 if surface == "two valleys" else 0.0

def f(x):
    if surface == "ravine":
        return (x[0] ** 2 + 25 * x[1] ** 2) / 2
    return (x[0] ** 2 - 1) ** 2 + tilt * x[0] + x[1] ** 2

def gradient(x):
    if surface == "ravine":
        return np.array([x[0], 25 * x[1]])
    return np.array([4 * x[0] * (x[0] ** 2 - 1) + tilt, 2 * x[1]])

velocity = np.zeros(2)
for _ in range($steps):
    velocity = $momentum * velocity + gradient(x)
    x = x - $lr * velocity

lowest = 0.0 if surface == "ravine" else f(np.array([min(np.roots([4, 0, -4, tilt]).real), 0.0]))
answer = f(x) - lowest
"""

_DESCENT_TORCH = """\
import numpy as np
import torch

surface, x = $surface, torch.tensor([$x0, $x1], dtype=torch.float64, requires_grad=True)
tilt = 0.3 if surface == "two valleys" else 0.0

def f(x):
    if surface == "ravine":
        return (x[0] ** 2 + 25 * x[1] ** 2) / 2
    return (x[0] ** 2 - 1) ** 2 + tilt * x[0] + x[1] ** 2

optimizer = torch.optim.SGD([x], lr=$lr, momentum=$momentum)
for _ in range($steps):
    optimizer.zero_grad()
    f(x).backward()
    optimizer.step()

lowest = 0.0 if surface == "ravine" else f(torch.tensor([min(np.roots([4, 0, -4, tilt]).real), 0.0]))
answer = f(x.detach()) - lowest
"""


# --------------------------------------------------------------------------------------- the range test


def range_test():
    low, high, first = 0.02, 20, 1e-4

    def compute(steps, batch_size, momentum, divisor, seed):
        x, y, _, _, sizes = _task("digits")
        rng = np.random.default_rng(seed)
        model, velocity = _network(sizes, rng), 0.0
        starts = [model.copy() for _ in range(3)]
        rates, losses, smooth = np.geomspace(first, 30, steps), [], []
        for lr in rates:
            rows = rng.choice(len(x), batch_size, replace=False)
            z = model.forward(x[rows])
            losses.append(float(cross_entropy.unchecked(z, y[rows])))
            smooth.append(0.8 * smooth[-1] + 0.2 * losses[-1] if smooth else losses[-1])
            if not smooth[-1] <= 3 * smooth[0]:
                break
            model.backward(cross_entropy_backward.unchecked(np.float32(1), z, y[rows])[0], want_input=False)
            velocity = momentum * velocity + model.grads
            model.params -= np.float32(lr) * velocity
        pick = float(rates[np.nanargmin(smooth)]) / divisor
        options = dict(epochs=3, batch_size=64, rng=[np.random.default_rng(seed) for _ in starts], every=10)
        trained = fit_many(starts, x, y, lr=[pick / 10, pick, pick * 10], momentum=momentum, **options)
        return dict(rates=rates[: len(losses)], losses=losses, smooth=smooth, pick=pick, trained=trained)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, sharey=True)
        left.set(xscale="log", yscale="log", xlim=(first, 30), ylim=(low, high))
        left.set(xlabel="learning rate, rising step by step (log scale)", ylabel="training loss (log scale)")
        left.set_title("One run with a rising learning rate")
        right.set(xlim=(0, 75), xlabel="steps with a constant learning rate")
        right.set_title("Is the pick a good one?")
        colors = (figures.GREEN, figures.BLUE, figures.VERMILLION)
        return {
            "raw": left.plot([], [], ".", color=figures.GRAY, ms=3, alpha=0.6)[0],
            "smooth": left.plot([], [], color=figures.BLUE)[0],
            "pick": left.axvline(1, color=figures.VERMILLION, ls="--", lw=1.2),
            "text": left.text(1, 12, "", color=figures.VERMILLION, fontsize=9, ha="right"),
            "curves": [right.plot([], [], color=c, ls=ls)[0] for c, ls in zip(colors, (":", "-", "--"))],
            "names": [right.text(0, 1, "", color=c, fontsize=9, va="center") for c in colors],
        }

    def draw(artists, r):
        artists["raw"].set_data(r["rates"], _clip(r["losses"], low, high))
        artists["smooth"].set_data(r["rates"], _clip(r["smooth"], low, high))
        artists["pick"].set_xdata([r["pick"]] * 2)
        artists["text"].set_x(r["pick"])
        artists["text"].set_text(f"pick {r['pick']:.2g} ")
        names = ("pick ÷ 10", "pick", "pick × 10")
        for line, label, name, h in zip(artists["curves"], artists["names"], names, r["trained"]):
            line.set_data(h.step, _clip(h.loss, low, high))
            label.set_position((h.step[-1], _clip(h.loss[-1], low, high)))
            label.set_text(f" {name}")

    def note(values, r):
        tenth, pick, tenfold = (h.loss[-1] for h in r["trained"])
        return (
            f"pick {r['pick']:.3g}: loss {pick:.3f} after 3 epochs; {tenth:.2f} with a tenth of it, "
            f"{tenfold:.2f} with ten times it"
        )

    return Explorer(
        "The learning-rate range test",
        dict(
            steps=IntSlider(40, 300, 150, "steps of the test", step=10),
            batch_size=Choice((16, 32, 64, 128, 256), 64, "batch size of the test"),
            momentum=Slider(0, 0.95, 0.9, "momentum", step=0.05),
            divisor=Slider(1, 30, 3, "pick = lr of the lowest point ÷", step=0.5, format=".1f"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a pick with a loss below 0.15 after 3 epochs", lambda values, r: r["trained"][1].loss[-1] < 0.15
        ),
        code={"numpy": _RANGE_START + _RANGE_NUMPY, "torch": _RANGE_START + _RANGE_TORCH},
        answer=lambda r: r["pick"],
    )


_RANGE_START = """\
import numpy as np
from nnlib import data

x, y, *_ = data.digits(np.float32)
rng = np.random.default_rng($seed)
params = []
for i, o in ((64, 32), (32, 10)):
    for shape in ((o, i), (o,)):
        params.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).astype(np.float32))
rates, smooth = np.geomspace(1e-4, 30, $steps), []
"""

_RANGE_NUMPY = """
w1, b1, w2, b2 = params
velocities = [np.zeros_like(p) for p in params]
for lr in rates:
    rows = rng.choice(len(x), $batch_size, replace=False)
    h = np.maximum(x[rows] @ w1.T + b1, 0)
    z = h @ w2.T + b2
    z -= z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(len(rows)), y[rows]].mean()
    smooth.append(0.8 * smooth[-1] + 0.2 * loss if smooth else loss)
    if not smooth[-1] <= 3 * smooth[0]:
        break
    grad = np.exp(log_p)
    grad[np.arange(len(rows)), y[rows]] -= 1
    grad /= len(rows)
    grad_h = grad @ w2 * (h > 0)
    for p, v, g in zip(params, velocities, (grad_h.T @ x[rows], grad_h.sum(0), grad.T @ h, grad.sum(0))):
        v *= np.float32($momentum)
        v += g
        p -= np.float32(lr) * v

answer = rates[np.nanargmin(smooth)] / $divisor
"""

_RANGE_TORCH = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
for p, start in zip(model.parameters(), params):
    p.data = torch.from_numpy(start)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=$momentum)
x, y = torch.from_numpy(x), torch.from_numpy(y).long()
for lr in rates:
    optimizer.param_groups[0]["lr"] = lr
    rows = torch.from_numpy(rng.choice(len(x), $batch_size, replace=False))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    smooth.append(0.8 * smooth[-1] + 0.2 * loss.item() if smooth else loss.item())
    if not smooth[-1] <= 3 * smooth[0]:
        break
    optimizer.step()

answer = rates[np.nanargmin(smooth)] / $divisor
"""


# ------------------------------------------------------------------------------------------- sharpness


def sharpness():
    most, every = 1500, 10

    def go(lr, steps, seed):
        x, y, *_ = data.digits(np.float64)
        x, y = x[:300], np.eye(10)[y[:300]]
        rng = np.random.default_rng(seed)
        first, second, last = (Linear(i, o, rng=rng, dtype=float) for i, o in ((64, 40), (40, 40), (40, 10)))
        model = Sequential(first, Tanh(), second, Tanh(), last)

        def gradient(params):
            model.params[...] = params
            error = model.forward(x) - y
            model.backward(error / len(x), want_input=False)
            return (error * error).sum() / (2 * len(x)), model.grads.copy()

        w, v, r = model.params.copy(), rng.normal(size=model.params.size), dict(lr=lr, steps=steps, at=[])
        r |= dict(sharpness=[], losses=[])
        for t in range(steps + 1):
            if t % every == 0:
                for _ in range(2 if t else 30):  # v is nearly right already: the Hessian changes slowly
                    v /= np.linalg.norm(v)
                    hv = (gradient(w + 1e-4 * v)[1] - gradient(w - 1e-4 * v)[1]) / 2e-4
                    eigenvalue, v = v @ hv, hv
                r["at"].append(t)
                r["sharpness"].append(eigenvalue)
                yield t / steps, r
            loss, grad = gradient(w)
            r["losses"].append(loss)
            w = w - lr * grad

    def setup(fig):
        left, right = figures.axes(fig, 1, 2)
        left.set(xlim=(0, most), ylim=(0, 45), xlabel="steps", ylabel="sharpness: largest Hessian eigenvalue")
        left.set_title("Sharpness goes to 2/lr")
        right.set(yscale="log", xlim=(0, most), ylim=(0.02, 2), xlabel="steps", ylabel="loss (log scale)")
        right.set_title("The loss falls all the same")
        return {
            "edge": left.axhline(1, color=figures.VERMILLION, ls="--", lw=1.2),
            "name": left.text(
                0.97 * most, 1, "", color=figures.VERMILLION, ha="right", va="bottom", fontsize=9
            ),
            "end": [ax.axvline(1, color=figures.GRAY, ls=":", lw=1) for ax in (left, right)],
            "sharpness": left.plot([], [], ".-", color=figures.BLUE, ms=4, lw=1)[0],
            "loss": right.plot([], [], color=figures.BLUE, lw=1)[0],
        }

    def draw(artists, r):
        artists["edge"].set_ydata([2 / r["lr"]] * 2)
        artists["name"].set_y(min(2 / r["lr"], 42))
        artists["name"].set_text(f"2/lr = {2 / r['lr']:.3g}")
        for line in artists["end"]:
            line.set_xdata([r["steps"]] * 2)
        artists["sharpness"].set_data(r["at"], np.clip(r["sharpness"], 0, 45))
        artists["loss"].set_data(range(len(r["losses"])), _clip(r["losses"], 0.02, 2))

    def note(values, r):
        return f"step {r['at'][-1]}: sharpness {r['sharpness'][-1]:.1f}, 2/lr = {2 / values['lr']:.1f}"

    return Explorer(
        "The edge of stability",
        dict(
            lr=LogSlider(0.1, 0.5, 0.15, "learning rate"),
            steps=IntSlider(100, most, 1000, "steps", step=100),
            seed=Seed(),
        ),
        setup,
        draw,
        train=go,
        note=note,
        code={"numpy": _SHARP_START + _SHARP_NUMPY, "torch": _SHARP_START + _SHARP_TORCH},
        answer=lambda r: r["sharpness"][0],
    )


# The programs measure the first point of the picture. Two runs do not share the later ones: at the edge a
# difference in the last digit grows until the curves part.
_SHARP_START = """\
import numpy as np
from nnlib import data

x, y, *_ = data.digits(np.float64)
x, y = x[:300], np.eye(10)[y[:300]]
rng = np.random.default_rng($seed)
shapes, starts = [], []
for i, o in ((64, 40), (40, 40), (40, 10)):
    for shape in ((o, i), (o,)):
        shapes.append(shape)
        starts.append(rng.uniform(-1 / i**0.5, 1 / i**0.5, shape).ravel())
w = np.concatenate(starts)
v = rng.normal(size=w.size)
lr, steps = $lr, $steps  # for the training that follows
"""

_SHARP_NUMPY = """
def gradient(w):
    ends = np.cumsum([np.prod(s) for s in shapes])
    params = [p.reshape(s) for p, s in zip(np.split(w, ends[:-1]), shapes)]
    outputs, grads = [x], []
    for k in (0, 2, 4):
        z = outputs[-1] @ params[k].T + params[k + 1]
        outputs.append(np.tanh(z) if k < 4 else z)
    grad = (outputs[-1] - y) / len(x)
    for k in (4, 2, 0):
        h = outputs[k // 2]
        grads = [(grad.T @ h).ravel(), grad.sum(axis=0), *grads]
        grad = (grad @ params[k]) * (1 - h * h)
    return np.concatenate(grads)

for _ in range(30):
    v = v / np.linalg.norm(v)
    hv = (gradient(w + 1e-4 * v) - gradient(w - 1e-4 * v)) / 2e-4
    answer, v = v @ hv, hv
"""

_SHARP_TORCH = """
import torch

x, y, v = torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(v)
w = torch.from_numpy(w).requires_grad_()

def loss(w):
    parts = w.split([int(np.prod(s)) for s in shapes])
    params = [p.view(s) for p, s in zip(parts, shapes)]
    h = torch.tanh(x @ params[0].T + params[1])
    h = torch.tanh(h @ params[2].T + params[3])
    return (h @ params[4].T + params[5] - y).square().sum() / (2 * len(x))

(grad,) = torch.autograd.grad(loss(w), w, create_graph=True)
for _ in range(30):
    v = v / v.norm()
    (hv,) = torch.autograd.grad(grad, w, v, retain_graph=True)
    answer, v = v @ hv, hv
"""
