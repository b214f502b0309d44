"""What notebook 16 lets the learner turn."""

import numpy as np

from nnlib import data, figures
from nnlib.attention.experiments import language_model
from nnlib.attention.in_numpy import attention_weights, rotary_embedding, sinusoidal_encoding
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Text, Toggle
from nnlib.figures import BLUE, GRAY, GREEN, VERMILLION

# ---------------------------------------------------------------------------------- scale and temperature

QUERIES = 40

_NUMPY_SCALE = """
import numpy as np

rng = np.random.default_rng($seed)
query, key = (rng.standard_normal((40, n, $width), np.float32) for n in (1, $keys))
scale = 1 / np.sqrt($width) if $scaled else 1.0
scores = query @ key.mT * np.float32(scale / $temperature)
z = np.exp(scores - scores.max(axis=-1, keepdims=True))
weights = z / z.sum(axis=-1, keepdims=True)
answer = weights.max(axis=-1).mean()                          # the largest weight, mean of 40 queries
"""
_TORCH_SCALE = """
import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

rng = np.random.default_rng($seed)
query, key = (torch.from_numpy(rng.standard_normal((40, n, $width), np.float32)) for n in (1, $keys))
scale = $width**-0.5 if $scaled else 1.0
unit = torch.eye($keys).expand(40, -1, -1)                    # values that show the weights themselves
weights = scaled_dot_product_attention(query, key, unit, scale=scale / $temperature)
answer = weights.amax(dim=-1).mean().item()
"""


def scale_and_temperature():
    """How evenly a query looks at random keys, before anything is learned."""

    def compute(width, scaled, temperature, keys, seed):
        rng = np.random.default_rng(seed)
        query, key = (rng.standard_normal((QUERIES, n, width), np.float32) for n in (1, keys))
        scale = (width**-0.5 if scaled else 1.0) / temperature
        weights = attention_weights.unchecked(query, key, scale=scale)[:, 0].astype(float)
        entropy = -(weights * np.log(np.maximum(weights, 1e-30))).sum(axis=-1).mean()
        squares = (weights**2).sum(axis=-1)
        jacobian = squares - 2 * (weights**3).sum(axis=-1) + squares**2  # entries of diag(w) - w w', squared
        slope = np.sqrt(np.maximum(jacobian, 0) / (1 / keys - 1 / keys**2))  # rounding may go below 0
        return dict(
            weights=-np.sort(-weights[0]),
            keys=keys,
            largest=weights.max(axis=-1).mean(),
            bars=(entropy / np.log(keys), weights.max(axis=-1).mean(), slope.mean()),
        )

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.3, 1))
        left.set(xscale="log", xlim=(0.9, 72), ylim=(0, 1.03), xlabel="keys, most looked at first")
        left.set(ylabel="weight", title="Where one query looks")
        ranks = [2**k for k in range(7)]
        left.set_xticks(ranks, ranks)
        left.set_xticks([], minor=True)
        (line,) = left.plot([], [], color=BLUE, marker="o", ms=3)
        (even,) = left.plot([], [], color=GRAY, ls=":")
        right.set(xlim=(0, 2.9), ylim=(2.6, -0.6), yticks=range(3), xticks=(0, 1, 2))
        right.set_yticklabels(("entropy ÷ log keys", "largest weight", "slope ÷ at even"))
        right.set_title(f"Means of {QUERIES} queries")
        right.spines["bottom"].set_bounds(0, 2.5)
        bars = right.barh(range(3), np.zeros(3), color=(BLUE, VERMILLION, GREEN), height=0.6)
        labels = [right.text(0, k, "", va="center", fontsize=9) for k in range(3)]
        (one,) = right.plot([1, 1], [1.6, 2.4], color="black", ls=":")  # the slope at even weights
        return dict(line=line, even=even, bars=list(bars), labels=labels, one=one)

    def draw(artists, result):
        artists["line"].set_data(np.arange(1, result["keys"] + 1), result["weights"])
        artists["even"].set_data([1, result["keys"]], [1 / result["keys"]] * 2)
        for bar, label, value in zip(artists["bars"], artists["labels"], result["bars"]):
            bar.set_width(value)
            label.set_x(value + 0.05)
            label.set_text(f"{value:.2f}")

    def note(values, result):
        per_key = "1/√d" if values["scaled"] else "1"
        return f"scale {per_key} ÷ {values['temperature']:.3g}: the largest weight is {result['largest']:.2f}"

    return Explorer(
        "Scale and temperature",
        dict(
            width=Choice((4, 16, 64, 256, 1024), 64, "width d of a head"),
            scaled=Toggle(True, "scale by 1/√d"),
            temperature=LogSlider(0.05, 100, 1.0, "temperature"),
            keys=IntSlider(2, 64, 16, "keys"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "without the scale, at d = 1024, a largest weight from 0.2 to 0.3",
            lambda values, result: (
                not values["scaled"] and values["width"] == 1024 and 0.2 <= result["largest"] <= 0.3
            ),
        ),
        code={"numpy": _NUMPY_SCALE, "torch": _TORCH_SCALE},
        answer=lambda result: result["largest"],
    )


# --------------------------------------------------------------------------------------------------- masks

KINDS = ("none", "is_causal=True", "causal, lower right", "padding", "window", "numbers, falling")

_MASK = """
i, j = np.arange($queries)[:, None], np.arange($keys)
masks = {
    "none": np.ones(($queries, $keys), bool),
    "is_causal=True": j <= i,
    "causal, lower right": j <= i + $keys - $queries,
    "padding": np.broadcast_to(j < $keys - $amount, ($queries, $keys)),
    "window": (j <= i) & (j > i - $amount),
    "numbers, falling": -0.25 * $amount * np.abs(i - j),      # added, not a yes or no
}
mask, rng = masks[$kind], np.random.default_rng($seed)
query, key = rng.normal(size=($queries, 8)), rng.normal(size=($keys, 8))
"""
_NUMPY_MASK = """
import numpy as np
from nnlib.attention.in_numpy import attention_weights
""" + _MASK + """
weights = attention_weights(query, key, mask)
answer = (weights @ np.arange(1, $keys + 1)).sum()            # the place looked at, summed over the queries
"""  # fmt: skip
_TORCH_MASK = """
import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
""" + _MASK + """
query, key, mask = (torch.from_numpy(np.array(a)) for a in (query, key, mask))
place = torch.arange(1.0, $keys + 1, dtype=torch.float64)[:, None]
answer = scaled_dot_product_attention(query, key, place, attn_mask=mask).sum().item()
"""  # fmt: skip


def masks():
    """Which keys each query may look at, and where its weight goes then."""

    def compute(kind, queries, keys, amount, seed):
        i, j = np.arange(queries)[:, None], np.arange(keys)
        mask = {
            "none": np.ones((queries, keys), bool),
            "is_causal=True": j <= i,
            "causal, lower right": j <= i + keys - queries,
            "padding": np.broadcast_to(j < keys - amount, (queries, keys)),
            "window": (j <= i) & (j > i - amount),
            "numbers, falling": -0.25 * amount * np.abs(i - j),
        }[kind]
        rng = np.random.default_rng(seed)
        query, key = rng.normal(size=(queries, 8)), rng.normal(size=(keys, 8))
        weights = attention_weights.unchecked(query, key, mask)
        seen = mask if mask.dtype == bool else np.ones_like(mask, bool)
        place = (weights @ np.arange(1, keys + 1)).sum()
        return dict(weights=weights, seen=seen, place=place)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1))
        left.set(xlim=(0.5, 12.5), ylim=(12.5, 0.5), xlabel="key", ylabel="query", aspect="equal")
        left.set(title="Weights; × where it may not look", xticks=range(1, 13), yticks=range(1, 13))
        image = left.imshow(np.zeros((12, 12)), cmap="Blues", vmin=0, vmax=1, extent=(0.5, 12.5, 12.5, 0.5))
        (frame,) = left.plot([], [], color="black", lw=1.2)
        (shut,) = left.plot([], [], "x", color=GRAY, ms=4, mew=0.8)
        right.set(xlim=(0.3, 12.7), ylim=(0, 1.03), xlabel="key", ylabel="weight", xticks=range(1, 13))
        right.set_title("First query (dashed) and last query")
        (first,) = right.plot([], [], color=VERMILLION, ls="--", marker="^", ms=4)
        (last,) = right.plot([], [], color=BLUE, marker="o", ms=4)
        return dict(image=image, frame=frame, shut=shut, first=first, last=last)

    def draw(artists, result):
        weights, seen = result["weights"], result["seen"]
        queries, keys = weights.shape
        shown = np.full((12, 12), np.nan)
        shown[:queries, :keys] = weights
        artists["image"].set_data(np.ma.masked_invalid(shown))
        corners = [0.5, keys + 0.5, keys + 0.5, 0.5, 0.5], [0.5, 0.5, queries + 0.5, queries + 0.5, 0.5]
        artists["frame"].set_data(*corners)
        rows, columns = np.nonzero(~seen)
        artists["shut"].set_data(columns + 1, rows + 1)
        artists["first"].set_data(np.arange(1, keys + 1), weights[0])
        artists["last"].set_data(np.arange(1, keys + 1), weights[-1])

    def note(values, result):
        seen = result["seen"].sum(axis=1)
        blind = int((seen == 0).sum())
        end = f" · {blind} may look nowhere: weights 0" if blind else ""
        return f"the first query may look at {seen[0]} of {values['keys']} keys, the last at {seen[-1]}{end}"

    return Explorer(
        "Masks",
        dict(
            kind=Choice(KINDS, "padding", "mask"),
            queries=IntSlider(1, 12, 8, "queries"),
            keys=IntSlider(1, 12, 8, "keys"),
            amount=IntSlider(0, 12, 3, "padded keys, width of the window, or 4 · slope"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: {"amount"} if values["kind"] in KINDS[:3] else set(),
        goal=Goal(
            "four new queries after four cached keys: the first may look at 5 keys, the last at all 8",
            lambda values, result: list(result["seen"].sum(axis=1)) == [5, 6, 7, 8],
        ),
        code={"numpy": _NUMPY_MASK, "torch": _TORCH_MASK},
        answer=lambda result: result["place"],
        size=(9, 3.8),
    )


# ----------------------------------------------------------------------------------------------- positions

FAR = 64  # places

_NUMPY_POSITIONS = """
import numpy as np
from nnlib.attention.in_numpy import rotary_embedding, sinusoidal_encoding

word = np.random.default_rng($seed).normal(size=$features)
place = {"rotary": rotary_embedding, "sinusoidal": sinusoidal_encoding}[$kind]
y = place(np.tile(word, (65, 1)), base=$base, offset=$shift)  # the same word at 65 places
answer = y[0] @ y[64] / (y[0] @ y[0])
"""
_TORCH_POSITIONS = """
import numpy as np
import torch

word = torch.from_numpy(np.random.default_rng($seed).normal(size=$features))
speed = $base ** -(torch.arange(0, $features, 2, dtype=torch.float64) / $features)
angle = torch.outer(torch.tensor([$shift, $shift + 64.0], dtype=torch.float64), speed)
if $kind == "rotary":
    x1, x2 = word.chunk(2)
    y = torch.cat([x1 * angle.cos() - x2 * angle.sin(), x2 * angle.cos() + x1 * angle.sin()], dim=1)
else:
    y = word + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
answer = (y[0] @ y[1] / (y[0] @ y[0])).item()
"""


def positions():
    """One word at many places: how alike are its vectors, by distance?"""

    def compute(kind, features, base, shift, seed):
        word = np.random.default_rng(seed).normal(size=features)
        place = {"rotary": rotary_embedding, "sinusoidal": sinusoidal_encoding}[kind].unchecked
        rows = np.tile(word, (FAR + 1, 1))
        here, start = (place(rows, base=base, offset=k) for k in (shift, 0))
        alike, before = (y @ y[0] / (y[0] @ y[0]) for y in (here, start))
        return dict(rows=here, alike=alike, before=before)

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(0, 1), ylim=(FAR, 0), xticks=(), xlabel="features", ylabel="places further on")
        left.set_title("The vectors, place by place")
        image = left.imshow(
            np.zeros((FAR + 1, 64)), cmap="PuOr", vmin=-2.5, vmax=2.5, aspect="auto", extent=(0, 1, FAR, 0)
        )
        right.set(xlim=(0, FAR), ylim=(-1.05, 1.6), yticks=(-1, 0, 1))
        right.set(xlabel="places further on", ylabel="dot product ÷ its own")
        right.set_title("How alike the word is to itself")
        right.axhline(0, color=GRAY, lw=0.8)
        (alike,) = right.plot([], [], color=BLUE, lw=2.5, label="from the shifted place")
        (before,) = right.plot([], [], color="black", lw=1, ls="--", label="from place 0")
        right.legend(loc="upper right", ncols=2, fontsize=8)
        return dict(image=image, alike=alike, before=before)

    def draw(artists, result):
        places = np.arange(FAR + 1)
        artists["image"].set_data(result["rows"])
        artists["before"].set_data(places, result["before"])
        artists["alike"].set_data(places, result["alike"])

    def note(values, result):
        apart = np.abs(result["alike"] - result["before"]).max()
        return f"at distance {FAR}: {result['alike'][FAR]:.2f} · the shift changes the curve by {apart:.2f}"

    return Explorer(
        "Positions",
        dict(
            kind=Choice(("rotary", "sinusoidal"), "rotary", "positions"),
            features=IntSlider(4, 64, 32, "features", step=4),
            base=LogSlider(10, 1e6, 10_000.0, "base"),
            shift=IntSlider(0, 500, 0, "shift of all places", step=10),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "rotary: at distance 64 a likeness of at least 0.7",
            lambda values, result: values["kind"] == "rotary" and result["alike"][FAR] >= 0.7,
        ),
        code={"numpy": _NUMPY_POSITIONS, "torch": _TORCH_POSITIONS},
        answer=lambda result: result["alike"][FAR],
    )


# -------------------------------------------------------------------------------- the maps of a trained model

MOST = 24  # words that fit into the picture
STORY = "anna berg drinks cold tea . ben holt paints old ships . cara lind grows red roses . so ben holt"
SAMPLES = (
    "anna berg drinks cold tea . ben holt paints old ships . so anna",
    "anna berg drinks cold tea . ben holt paints old ships . who paints old ships ? ben",
    "max max max max",
)

_NUMPY_MAPS = """
from nnlib import data
from nnlib.attention.experiments import language_model
from nnlib.language import encode

tokens = encode($text)
logits, maps = language_model(data.language_model_weights(), tokens)
row = min($place, len(tokens)) - 1                            # the word that looks
answer = maps[$block - 1, $head - 1, row].max()
"""
_TORCH_MAPS = """
import torch
from nnlib.language import encode, load_language_model

tokens = torch.from_numpy(encode($text))
maps = load_language_model().attention_maps(tokens)
row = min($place, len(tokens)) - 1
answer = maps[$block - 1, $head - 1, row].max().item()
"""


def _read(text):
    from nnlib.language import encode

    try:
        tokens = encode(text)
    except ValueError as error:
        raise ValueError(f"text: {error}") from None
    if len(tokens) > MOST:
        raise ValueError(f"text has {len(tokens)} words; expected at most {MOST}")
    return tokens


def maps():
    """What each head of the trained language model looks at, in a text that you type."""
    weights = data.language_model_weights()

    def compute(text, block, head, place):
        tokens = _read(text)
        logits, found = language_model(weights, tokens)
        row = min(place, len(tokens)) - 1
        behind = np.flatnonzero(tokens[:row] == tokens[row])[-1:] + 1  # where the same word stood last
        share = np.exp(logits[row] - logits[row].max())
        look = found[block - 1, head - 1]
        return dict(
            words=text.split(), look=look, row=row, share=share / share.sum(), largest=look[row].max(),
            induction=look[row, behind].sum(),
        )  # fmt: skip

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.7, 1))
        left.set(xlim=(-0.5, MOST - 0.5), ylim=(MOST - 0.5, -0.5), xticks=(), yticks=())
        left.set_title("Each row: where a word looks")
        left.set_xlabel(" \n \n ")  # room for the words below
        left.set_ylabel(" \n \n ")
        for side in left.spines.values():
            side.set_visible(False)
        image = left.imshow(np.zeros((MOST, MOST)), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        (frame,) = left.plot([], [], color=VERMILLION, lw=1.2)
        rows = [left.text(-0.8, k, "", ha="right", va="center", fontsize=7) for k in range(MOST)]
        columns = [left.text(k, 0, "", ha="center", va="top", fontsize=7, rotation=90) for k in range(MOST)]
        right.set(xlim=(0, 1.4), ylim=(5.6, -0.6), yticks=(), xlabel="probability", xticks=(0, 0.5, 1))
        right.spines["bottom"].set_bounds(0, 1)
        title = right.text(0, 1.02, "", transform=right.transAxes, va="bottom", fontsize=10)
        bars = right.barh(range(6), np.zeros(6), color=BLUE)
        labels = [right.text(0, k, "", va="center", fontsize=9) for k in range(6)]
        return dict(
            image=image, frame=frame, rows=rows, columns=columns, title=title, bars=list(bars), labels=labels
        )

    def draw(artists, result):
        words, row = result["words"], result["row"]
        n = len(words)
        shown = np.full((MOST, MOST), np.nan)
        shown[:n, :n] = result["look"]
        size = MOST / n  # the text fills the picture, however short
        artists["image"].set_data(np.ma.masked_invalid(shown[:n, :n]))
        artists["image"].set_extent((-0.5, MOST - 0.5, MOST - 0.5, -0.5))
        top, bottom = row * size - 0.5, (row + 1) * size - 0.5
        artists["frame"].set_data([-0.5, MOST - 0.5, MOST - 0.5, -0.5, -0.5], [top, top, bottom, bottom, top])
        for k, (label, below) in enumerate(zip(artists["rows"], artists["columns"])):
            for text, x, y in ((label, -0.8, (k + 0.5) * size - 0.5), (below, (k + 0.5) * size - 0.5, MOST)):
                text.set_text(words[k] if k < n else "")
                text.set_position((x, y))
                text.set_color(VERMILLION if k == row else "black")
        artists["title"].set_text(f"Next word after “{words[row]}”")
        from nnlib.language import WORDS

        for bar, label, best in zip(artists["bars"], artists["labels"], np.argsort(-result["share"])):
            bar.set_width(result["share"][best])
            label.set_x(result["share"][best] + 0.02)
            label.set_text(WORDS[best])

    def note(values, result):
        words, row = result["words"], result["row"]
        at = result["look"][row].argmax()
        most = f"word {at + 1}, “{words[at]}”: {result['largest']:.2f}"
        return f"word {row + 1}, “{words[row]}”, looks most at {most}"

    return Explorer(
        "Attention maps of a language model",
        dict(
            text=Text(STORY, "text", _read, SAMPLES),
            block=Choice((1, 2), 1, "block"),
            head=Choice((1, 2, 3, 4), 1, "head"),
            place=IntSlider(1, MOST, 20, "word that looks"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a head in which a word looks with 0.8 or more at what stood behind it the last time",
            lambda values, result: result["induction"] >= 0.8,
        ),
        code={"numpy": _NUMPY_MAPS, "torch": _TORCH_MAPS},
        answer=lambda result: result["largest"],
        size=(9, 4.6),
    )
