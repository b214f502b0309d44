"""What notebook 15 lets the learner turn."""

from functools import lru_cache

import numpy as np

from nnlib import figures
from nnlib.data import names
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, Seed, Slider, Text
from nnlib.figures import BLUE, GRAY, GREEN, VERMILLION
from nnlib.initialization.in_numpy import orthogonal
from nnlib.recurrent.experiments import ALPHABET, adding_problem, character_model, encode, write
from nnlib.recurrent.in_numpy import lstm

# -------------------------------------------------------------------------- a memory, set by hand

SCALE = 0.2  # the cell holds a fifth of each number, where tanh is almost straight

_NUMPY_HAND = """
import numpy as np
from nnlib.recurrent.experiments import adding_problem
from nnlib.recurrent.in_numpy import lstm

x, target = adding_problem(200, $steps, np.random.default_rng($seed))
x = x.astype(float).swapaxes(0, 1)                            # (steps, sequences, value and marker)
weight_ih = np.array([[0, $marker], [0, 0], [0.2, 0], [0, 0]])    # gates i f g o, columns value and marker
bias = np.array([$input_bias, $forget_bias, 0, 20])
h, c = np.zeros((2, 200, 1))
y, h, c = lstm(x, h, c, weight_ih, np.zeros((4, 1)), bias, np.zeros(4))
answer = np.sqrt(((5 * np.arctanh(h) - target) ** 2).mean())
"""
_TORCH_HAND = """
import numpy as np
import torch
from nnlib.recurrent.experiments import adding_problem

x, target = adding_problem(200, $steps, np.random.default_rng($seed))
x, target = torch.from_numpy(x).double(), torch.from_numpy(target)
cell = torch.nn.LSTM(2, 1, batch_first=True).double()
with torch.no_grad():
    for parameter in cell.parameters():
        parameter.zero_()
    cell.weight_ih_l0[0, 1], cell.weight_ih_l0[2, 0] = $marker, 0.2
    cell.bias_ih_l0[:] = torch.tensor([$input_bias, $forget_bias, 0, 20])
    y, (h, c) = cell(x)
answer = float(((5 * torch.atanh(h[0]) - target) ** 2).mean().sqrt())
"""


def memory_by_hand():
    """An LSTM of one cell with three numbers to set: can it add the two marked numbers?"""
    zeros = np.zeros((200, 1))

    def compute(forget_bias, input_bias, marker, steps, seed):
        x, target = adding_problem(200, steps, np.random.default_rng(seed))
        x = x.astype(float).swapaxes(0, 1)
        weight = np.array([[0, marker], [0, 0], [SCALE, 0], [0, 0]])
        bias = np.array([input_bias, forget_bias, 0, 20])
        y, h, _ = lstm.unchecked(x, zeros, zeros, weight, np.zeros((4, 1)), bias, np.zeros(4))
        error = np.sqrt(((np.arctanh(h) / SCALE - target) ** 2).mean())
        wanted = np.cumsum(x[:, 0, 0] * x[:, 0, 1])
        gate = 1 / (1 + np.exp(-(marker * x[:, 0, 1] + input_bias)))
        return dict(
            value=x[:, 0, 0], marker=x[:, 0, 1], cell=np.arctanh(y[:, 0, 0]) / SCALE, wanted=wanted,
            open=gate, keep=1 / (1 + np.exp(-forget_bias)), error=error,
        )  # fmt: skip

    def setup(fig):
        top, bottom = figures.axes(fig, 2, 1, sharex=True, height_ratios=(2, 1))
        top.set(
            xlim=(0, 118), ylim=(-0.15, 3.6), ylabel="sum", title="What the cell holds, and what it should"
        )
        (wanted,) = top.plot(
            [], [], color=GRAY, ls="--", drawstyle="steps-post", label="sum of the marked numbers"
        )
        (cell,) = top.plot([], [], color=BLUE, drawstyle="steps-post", label="the cell")
        (value,) = top.plot([], [], ".", color=GRAY, ms=4, label="numbers")
        (chosen,) = top.plot([], [], "o", color=VERMILLION, ms=7, mfc="none", mew=1.6, label="marked")
        top.legend(loc="upper center", ncols=4, fontsize=8)
        bottom.set(ylim=(-0.08, 1.08), xlabel="step", ylabel="open", yticks=(0, 1))
        (gate,) = bottom.plot([], [], color=VERMILLION, drawstyle="steps-mid")
        (keep,) = bottom.plot([], [], color=GREEN, ls="--")
        names = [
            bottom.text(0, 0, name, color=color, fontsize=8, va="center")
            for name, color in (("input gate", VERMILLION), ("forget gate", GREEN))
        ]
        above = top.text(0, 2.75, "", color=BLUE, fontsize=8)
        return dict(
            wanted=wanted,
            cell=cell,
            value=value,
            chosen=chosen,
            gate=gate,
            keep=keep,
            names=names,
            above=above,
        )

    def draw(artists, result):
        t = np.arange(1, len(result["value"]) + 1)
        at = result["marker"] == 1
        artists["wanted"].set_data(t, result["wanted"])
        artists["cell"].set_data(t, np.clip(np.nan_to_num(result["cell"], posinf=9), -1, 9))
        artists["value"].set_data(t, result["value"])
        artists["chosen"].set_data(t[at], result["value"][at])
        artists["gate"].set_data(t, result["open"])
        artists["keep"].set_data([1, t[-1]], [result["keep"]] * 2)
        ends = result["open"][-1], result["keep"]
        apart = max(0.34 - abs(ends[0] - ends[1]), 0) / 2 * (1 if ends[0] > ends[1] else -1)
        places = np.array(ends) + (apart, -apart)  # at the line's end, clear of the other and of the frame
        low = np.clip(places.min(), 0.08, 0.7)
        high = np.clip(places.max(), low + 0.34, 1.04)
        for text, place in zip(artists["names"], places):
            text.set_position((t[-1] + 1, high if place == places.max() else low))
        artists["above"].set_position((t[-1] + 1, 2.75))
        artists["above"].set_text(f"↑ {result['cell'][-1]:.1f}" if result["cell"][-1] > 3.6 else "")

    def note(values, result):
        return f"error over 200 sequences: {result['error']:.2f} (always saying 1: 0.41)"

    return Explorer(
        "A memory set by hand",
        dict(
            forget_bias=Slider(-2, 10, 1, "forget bias", step=0.25),
            input_bias=Slider(-10, 2, 0, "input bias", step=0.25),
            marker=Slider(0, 20, 4, "weight of the marker", step=0.5),
            steps=IntSlider(10, 100, 50, "steps", step=10),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "over 50 steps or more, an error of at most 0.05",
            lambda values, result: values["steps"] >= 50 and result["error"] <= 0.05,
        ),
        code={"numpy": _NUMPY_HAND, "torch": _TORCH_HAND},
        answer=lambda result: result["error"],
    )  # fmt: skip


# ------------------------------------------------------------- spectral radius and the gradient's length

UNITS, STEPS, LOOK = 32, 100, 60

_NUMPY_RADIUS = """
import numpy as np

rng = np.random.default_rng($seed)
weight = rng.normal(size=(32, 32))
if $start == "orthogonal":
    weight, r = np.linalg.qr(weight)
    weight *= np.sign(np.diag(r))
weight *= $radius / np.abs(np.linalg.eigvals(weight)).max()
inputs = $inputs * rng.normal(size=(100, 32))

h = np.zeros(32)
states = [h]
for x in inputs:
    z = x + weight @ h
    h = np.tanh(z) if $unit == "tanh" else z
    states.append(h)
grad = np.ones(32)                                            # of the sum of the last state
for t in range(100, 40, -1):
    slope = 1 - states[t] ** 2 if $unit == "tanh" else 1
    grad = weight.T @ (grad * slope)
answer = np.linalg.norm(grad) / np.sqrt(32)
"""
_TORCH_RADIUS = """
import numpy as np
import torch

rng = np.random.default_rng($seed)
weight = rng.normal(size=(32, 32))
if $start == "orthogonal":
    weight, r = np.linalg.qr(weight)
    weight *= np.sign(np.diag(r))
weight = torch.tensor(weight * $radius / np.abs(np.linalg.eigvals(weight)).max())
inputs = torch.tensor($inputs * rng.normal(size=(100, 32)))

h = torch.zeros(32, dtype=torch.float64)
for t, x in enumerate(inputs):
    if t == 40:                                               # 60 steps before the end
        early = h = h.clone().requires_grad_()
    z = x + weight @ h
    h = z.tanh() if $unit == "tanh" else z
h.sum().backward()
answer = float(early.grad.norm()) / 32**0.5
"""


def gradient_through_time():
    """How long a gradient is after so many steps back, against the largest eigenvalue of the weights."""

    def compute(radius, unit, start, inputs, seed):
        rng = np.random.default_rng(seed)
        weight = rng.normal(size=(UNITS, UNITS))
        if start == "orthogonal":
            weight = orthogonal.unchecked(weight)
        weight *= radius / np.abs(np.linalg.eigvals(weight)).max()
        x, h, states = inputs * rng.normal(size=(STEPS, UNITS)), np.zeros(UNITS), []
        for row in x:
            z = row + weight @ h
            h = np.tanh(z) if unit == "tanh" else z
            states.append(h)
        grad, lengths = np.ones(UNITS), [1.0]
        for h in states[::-1]:
            grad = weight.T @ (grad * (1 - h * h if unit == "tanh" else 1))
            lengths.append(np.linalg.norm(grad) / np.sqrt(UNITS))
        return dict(lengths=np.array(lengths), eigenvalues=np.linalg.eigvals(weight), radius=radius)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 2))
        left.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", title="Eigenvalues", xlabel="real part")
        left.set_ylabel("imaginary part")
        angle = np.linspace(0, 2 * np.pi, 100)
        left.plot(np.cos(angle), np.sin(angle), color=GRAY, lw=1, ls=":")
        (eigenvalues,) = left.plot([], [], ".", color=BLUE)
        (ring,) = left.plot([], [], color=BLUE, lw=1)
        right.set(
            xlim=(0, STEPS), ylim=(1e-12, 1e12), yscale="log", title="The gradient, step by step backwards"
        )
        right.set(xlabel="steps back", ylabel="length, last step = 1", yticks=10.0 ** np.arange(-12, 13, 4))
        right.axhspan(0.1, 10, color=GREEN, alpha=0.12, lw=0)
        right.axvline(LOOK, color=GRAY, lw=1, ls=":")
        (line,) = right.plot([], [], color=VERMILLION, label="gradient")
        (power,) = right.plot([], [], color=GRAY, ls="--", label="radius to the power of the steps")
        right.legend(loc="upper left", fontsize=8)
        gone = right.text(99, 1e11, "", color=VERMILLION, fontsize=8, ha="right", va="top")
        return dict(eigenvalues=eigenvalues, ring=ring, line=line, power=power, gone=gone)

    def draw(artists, result):
        e, radius, angle = result["eigenvalues"], result["radius"], np.linspace(0, 2 * np.pi, 100)
        artists["eigenvalues"].set_data(e.real, e.imag)
        artists["ring"].set_data(radius * np.cos(angle), radius * np.sin(angle))
        t = np.arange(STEPS + 1)
        artists["line"].set_data(t, np.clip(result["lengths"], 1e-14, 1e14))
        artists["power"].set_data(t, radius**t)
        outside = result["lengths"] < 1e-12, result["lengths"] > 1e12
        below, above = (np.flatnonzero(out)[:1] for out in outside)
        gone = [f"below $10^{{-12}}$ from step {k} on" for k in below]
        artists["gone"].set_text("".join(gone + [f"above $10^{{12}}$ from step {k} on" for k in above]))
        artists["gone"].set_y(1e11 if len(below) else 1e-10)  # where the curve is not

    def note(values, result):
        return f"{LOOK} steps back the gradient is {result['lengths'][LOOK]:.2g} times as long"

    return Explorer(
        "Gradient through time",
        dict(
            radius=Slider(0.5, 1.5, 0.9, "spectral radius", step=0.01),
            unit=Choice(("tanh", "linear"), "tanh", "unit"),
            start=Choice(("random", "orthogonal"), "random", "weights"),
            inputs=Slider(0, 1, 0.3, "size of the inputs", step=0.05),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"inputs"} if values["unit"] == "linear" else set(),
        goal=Goal(
            "60 steps back, a gradient between 0.1 and 10 times as long",
            lambda values, result: 0.1 <= result["lengths"][LOOK] <= 10,
        ),
        code={"numpy": _NUMPY_RADIUS, "torch": _TORCH_RADIUS},
        answer=lambda result: result["lengths"][LOOK],
    )


# ----------------------------------------------------------------------- the gates while a name is read

GATES = ("input gate i", "forget gate f", "candidate g", "output gate o", "cell c")
READ = ("hydrogen", "magnesium", "californium", "orion", "cassiopeia", "ursa major", "quartz", "malachite",
        "chalcopyrite", "neuronium", "dropoutite")  # fmt: skip

_NUMPY_GATES = """
import numpy as np
from nnlib.recurrent.experiments import character_model, encode
from nnlib.recurrent.in_numpy import lstm

cell, head = character_model()[0].layers
x, _ = encode([$word])
x = x.swapaxes(0, 1)[: min($letters, len($word)) + 1]         # the start and the letters read so far
start = np.zeros((1, 64), np.float32)
y, h, c = lstm(x, start, start, *cell.params.values())
scores = h[0] @ head.params["weight"].T + head.params["bias"]
p = np.exp(scores - scores.max())
answer = (p / p.sum()).max()                                  # how sure it is of the next letter
"""
_TORCH_GATES = """
import torch
from nnlib.recurrent.experiments import character_model, encode

cell, head = character_model()[0].layers
x, _ = encode([$word])
module = torch.nn.LSTM(28, 64, batch_first=True)
module.load_state_dict({name: torch.tensor(p) for name, p in cell.params.items()})
y, (h, c) = module(torch.tensor(x)[:, : min($letters, len($word)) + 1])
scores = h[0, 0] @ torch.tensor(head.params["weight"]).T + torch.tensor(head.params["bias"])
answer = scores.softmax(dim=0).max().item()
"""


@lru_cache
def _reader():
    return character_model()[0].copy()


def gates():
    """Every gate of every unit while a trained model reads a name, and what letter it expects next."""
    longest = max(map(len, READ))
    widest = longest + 1

    def readable(word):
        if not 1 <= len(word) <= longest or not set(word) <= set(ALPHABET[1:]):
            raise ValueError(f"got {word!r}; expected 1 to {longest} letters a to z, or blanks")

    def spoken(code):
        return {".": "end", " ": "space"}.get(ALPHABET[code], ALPHABET[code])

    def compute(word, letters, gate):
        cell, head = _reader().layers
        x, _ = encode([word])
        scores = head.forward(cell.forward(x))[0]
        one = cell.passes[0][0]
        held = [*one.of(one.gates), one.c[1:]][GATES.index(gate)][:, 0].T.copy()
        t = min(letters, len(word))
        p = np.exp(scores[t] - scores[t].max())
        p /= p.sum()
        true = ALPHABET.index(f"{word}."[t])
        order = np.argsort(-p)[:8]
        if true not in order:
            order[-1] = true
        return dict(
            values=held, word=word, t=t, p=p[order], best=order, top=float(p.max()), true=true,
            chance=float(p[true]), mean=float(held[:, t].mean()),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(2.4, 1))
        left.set(
            xlim=(-0.5, widest - 0.5),
            ylim=(63.5, -0.5),
            title="Units × letters: purple 1, white 0, orange −1",
        )
        left.set(xticks=(), yticks=(), ylabel="64 units")
        image = left.imshow(
            np.zeros((64, widest)), cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="none"
        )
        image.set_extent((-0.5, widest - 0.5, 63.5, -0.5))
        (frame,) = left.plot([], [], color="black", lw=1.5)
        texts = [left.text(k, 67.5, "", ha="center", va="center", clip_on=False) for k in range(widest)]
        right.set(
            xlim=(0, 1.42),
            xticks=(0, 0.5, 1),
            ylim=(7.6, -0.6),
            title="Next letter (◀ what comes)",
            xlabel="probability",
            yticks=(),
        )
        bars = right.barh(range(8), np.zeros(8), color=BLUE)
        labels = [right.text(0, k, "", va="center", fontsize=9) for k in range(8)]
        return dict(image=image, frame=frame, texts=texts, bars=list(bars), labels=labels)

    def draw(artists, result):
        shown = np.full((64, widest), np.nan)
        values = result["values"]
        shown[:, : values.shape[1]] = values
        artists["image"].set_data(np.ma.masked_invalid(shown))
        t = result["t"]
        artists["frame"].set_data(t + np.array([-0.5, 0.5, 0.5, -0.5, -0.5]), [-0.5, -0.5, 63.5, 63.5, -0.5])
        letters = f".{result['word']}"
        for k, text in enumerate(artists["texts"]):
            text.set_text(letters[k].replace(" ", "␣") if k < len(letters) else "")
            text.set_weight("bold" if k <= t else "normal")
            text.set_color("black" if k <= t else GRAY)
        for bar, label, p, best in zip(artists["bars"], artists["labels"], result["p"], result["best"]):
            bar.set_width(p)
            label.set_text(f" {spoken(best)}{' ◀' if best == result['true'] else ''}")
            label.set_x(p)
            bar.set_color(VERMILLION if best == result["true"] else BLUE)

    def note(values, result):
        read = f".{result['word']}"[: result["t"] + 1]
        comes = f"what comes, {spoken(result['true'])}, was given {100 * result['chance']:.1f} %"
        beyond = " (beyond ±1 drawn as ±1)" if values["gate"] == "cell c" else ""
        mean = f"{result['mean']:.2f}".replace("-", "−")
        return f"read: {read} · mean of the column: {mean}{beyond} · {comes}"

    return Explorer(
        "Gates along a name",
        dict(
            word=Text("magnesium", "name", readable, samples=READ),
            letters=IntSlider(0, widest - 1, 4, "letters read"),
            gate=Choice(GATES, "forget gate f", "show"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a name and a letter at which the model is more than 99 % sure of the next",
            lambda values, result: result["top"] > 0.99,
        ),
        code={"numpy": _NUMPY_GATES, "torch": _TORCH_GATES},
        answer=lambda result: result["top"],
    )


# ---------------------------------------------------------------------------------------- temperature

COUNT = 12

_NUMPY_TEMPERATURE = """
import numpy as np
from nnlib.recurrent.experiments import character_model, encode
from nnlib.recurrent.in_numpy import lstm

cell, head = character_model()[0].layers
x, _ = encode(["a"])
start = np.zeros((1, 64), np.float32)
y, h, c = lstm(x[:, :1], start, start, *cell.params.values())     # only the dot has been read
scores = (h[0] @ head.params["weight"].T + head.params["bias"]) / $temperature
p = np.exp(scores - scores.max())
p /= p.sum()
answer = -(p * np.log2(np.maximum(p, 1e-30))).sum()           # bits in the first letter
"""
_TORCH_TEMPERATURE = """
import torch
from nnlib.recurrent.experiments import character_model, encode

cell, head = character_model()[0].layers
module = torch.nn.LSTM(28, 64, batch_first=True)
module.load_state_dict({name: torch.tensor(p) for name, p in cell.params.items()})
y, (h, c) = module(torch.tensor(encode(["a"])[0])[:, :1])         # only the dot has been read
scores = (h[0, 0] @ torch.tensor(head.params["weight"]).T + torch.tensor(head.params["bias"])) / $temperature
p = scores.softmax(dim=0)
answer = -(p * p.clamp(min=1e-30).log2()).sum().item()
"""


@lru_cache
def _writer():
    return character_model()[0].copy()


def surprise(model, words):
    """Bits per letter, the end of the name included, that each name costs the model at temperature 1."""
    x, y = encode(words)
    scores = model.forward(x).astype(float)
    log_p = scores - np.log(np.exp(scores - scores.max(axis=2, keepdims=True)).sum(axis=2, keepdims=True))
    log_p -= scores.max(axis=2, keepdims=True)
    there = y >= 0
    cost = -np.take_along_axis(log_p, np.maximum(y, 0)[..., None], axis=2)[..., 0] / np.log(2)
    return (cost * there).sum(axis=1) / there.sum(axis=1)


def temperature():
    """New names from a trained model, hot and cold."""
    known = set(names().names)

    def compute(temperature, seed):
        model = _writer()
        words = write(model, temperature, COUNT, np.random.default_rng(seed))
        x, _ = encode(["a"])
        scores = model.forward(x[:, :1])[0, 0] / temperature
        p = np.exp(scores - scores.max())
        p /= p.sum()
        bits = float(-(p * np.log2(np.maximum(p, 1e-30))).sum())
        costs = surprise(model, words)
        new = [word != "" and word not in known for word in words]
        different = len({word for word, fresh in zip(words, new) if fresh})
        return dict(words=words, costs=costs, p=p, bits=bits, new=new, different=different)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.25, 1))
        left.set(xlim=(0, 2), ylim=(5.7, -0.7), title="Twelve names (● = in the list)")
        left.axis("off")
        texts = [left.text(k // 6 + 0.02, k % 6, "", va="center", fontsize=11) for k in range(COUNT)]
        right.set(xlim=(-0.7, 27.7), ylim=(0, 1.02), title="The first letter", ylabel="probability")
        right.set_xticks(range(28), [".", "␣", *ALPHABET[2:]], fontsize=7)
        bars = right.bar(range(28), np.zeros(28), color=BLUE, width=0.8)
        return dict(texts=texts, bars=list(bars))

    def draw(artists, result):
        for text, word, new in zip(artists["texts"], result["words"], result["new"]):
            text.set_text(f"{'●' if word in known else '  '} {word.capitalize() or '(nothing)'}")
            text.set_color(BLUE if new else GRAY)
        for bar, p in zip(artists["bars"], result["p"]):
            bar.set_height(p)

    def note(values, result):
        new = f"{sum(result['new'])} of {COUNT} are new"
        return (
            f"{new} · {result['costs'].mean():.1f} bits per letter · first letter {result['bits']:.1f} bits"
        )

    return Explorer(
        "Temperature",
        dict(temperature=Slider(0.1, 2, 1, "temperature", step=0.05), seed=Seed()),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "at least 8 different new names, at no more than 1.7 bits per letter",
            lambda values, result: result["different"] >= 8 and result["costs"].mean() <= 1.7,
        ),
        code={"numpy": _NUMPY_TEMPERATURE, "torch": _TORCH_TEMPERATURE},
        answer=lambda result: result["bits"],
    )
