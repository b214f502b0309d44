"""Headlines and the myth of notebook 16, and the small trainings that its cells and explorers share."""

from math import inf

import numpy as np

from nnlib.attention.in_numpy import (
    attention_weights,
    rotary_embedding,
    scaled_dot_product_attention,
    scaled_dot_product_attention_backward,
)
from nnlib.evidence import Band, experiment
from nnlib.layers import LSTM, RNN, EachStep, Flatten, LastStep, Layer, Linear, ReLU, Sequential
from nnlib.linear.in_numpy import linear, mlp
from nnlib.losses.in_numpy import cross_entropy_backward
from nnlib.normalization.in_numpy import layer_norm
from nnlib.optimizers.in_numpy import adam

# ------------------------------------------------------------------------------------------- the scale


@experiment(
    id="H39",
    kind="headline",
    claim="Dot products grow with the width d of a head, and without 1/√d the softmax saturates: one key "
    "gets nearly all the weight before anything is learned.",
    source="Vaswani et al. (2017), arXiv:1706.03762, section 3.2.1",
    settings="2,000 queries with 16 keys each, all standard normal, d = 4, 64 and 1,024; means over queries",
    seeds=5,
    bands={
        **{f"variance of q·k ÷ d, d = {d}": Band(0.95, 1.05, digits=3) for d in (4, 64, 1024)},
        "largest weight, raw, d = 1024": Band(0.9, 1),
        **{f"largest weight, scaled, d = {d}": Band(0.225, 0.275) for d in (4, 64, 1024)},
    },
)
def saturation(seed):
    rng = np.random.default_rng(seed)
    found = {}
    for d in (4, 64, 1024):
        largest, products = {"raw": [], "scaled": []}, []
        for _ in range(10):  # 200 queries at a time: all the keys of d = 1,024 would take 130 MB
            query, key = (rng.standard_normal((200, n, d), np.float32) for n in (1, 16))
            products.append(query @ key.mT)
            for name, scale in (("raw", 1.0), ("scaled", None)):
                largest[name].append(attention_weights.unchecked(query, key, scale=scale).max(axis=-1))
        found[f"variance of q·k ÷ d, d = {d}"] = np.var(products) / d
        found |= {f"largest weight, {name}, d = {d}": np.mean(w) for name, w in largest.items()}
    return found


# ------------------------------------------------------------------------------------ associative recall

SYMBOLS = 16  # of keys, and as many of values


def recall_problem(n, pairs, rng):
    """Pairs of a key and a value, then one of the keys: which value stood beside it?

    x (n, pairs + 1, 2 * SYMBOLS) marks each row's key in the first half of the symbols and its value in the
    second; the last row has no value. Returned with the value to say, and the place of its pair.
    """
    key = rng.permuted(np.tile(np.arange(SYMBOLS), (n, 1)), axis=1)[:, :pairs]
    value, place, rows = rng.integers(SYMBOLS, size=(n, pairs)), rng.integers(pairs, size=n), np.arange(n)
    x = np.zeros((n, pairs + 1, 2 * SYMBOLS), np.float32)
    x[rows[:, None], np.arange(pairs), key] = 1
    x[rows[:, None], np.arange(pairs), SYMBOLS + value] = 1
    x[rows, -1, key[rows, place]] = 1
    return x, value[rows, place], place


def look(x, weight_q, weight_k, weight_v):
    """One head, without biases: the last row of x (N, T, D) asks, the rows before it answer."""
    query, key, value = x[:, -1:] @ weight_q.T, x[:, :-1] @ weight_k.T, x[:, :-1] @ weight_v.T
    return scaled_dot_product_attention.unchecked(query, key, value)[:, 0]


def look_backward(grad_output, x, weight_q, weight_k, weight_v):
    last, rest = x[:, -1:], x[:, :-1]
    query, key, value = last @ weight_q.T, rest @ weight_k.T, rest @ weight_v.T
    grad = grad_output[:, None]
    grad_q, grad_k, grad_v = scaled_dot_product_attention_backward.unchecked(grad, query, key, value)
    grad_x = np.concatenate([grad_k @ weight_k + grad_v @ weight_v, grad_q @ weight_q], axis=1)
    pairs = (grad_q, last), (grad_k, rest), (grad_v, rest)
    return grad_x, *(np.tensordot(g, rows, ((0, 1), (0, 1))) for g, rows in pairs)


def recall_model(kind, rng, d=32):
    """Symbols get d numbers each, those of a key and its value add up; then attention, or a recurrent net."""

    def embedding(width):
        layer = Linear(2 * SYMBOLS, width, bias=False, rng=rng)
        layer.params["weight"][...] = rng.normal(size=(width, 2 * SYMBOLS))  # as torch.nn.Embedding starts
        return EachStep(layer)

    if kind == "MLP":  # all the symbols side by side
        first, second = Linear(17 * 8, 28, rng=rng), Linear(28, 28, rng=rng)
        dense = first, ReLU(), second, ReLU(), Linear(28, SYMBOLS, rng=rng)
        return Sequential(OneByOne(), embedding(8), Flatten(), *dense)
    if kind == "attention":
        start = {f"weight_{n}": (rng.uniform(-1, 1, (d, d)) / np.sqrt(d)).astype(np.float32) for n in "qkv"}
        return Sequential(embedding(d), Layer(look, look_backward, start), Linear(d, SYMBOLS, rng=rng))
    cell, hidden = {"RNN": (RNN, 40), "LSTM": (LSTM, 18), "LSTM 64": (LSTM, 64)}[kind]
    layers = cell(32, hidden, batch_first=True, rng=rng), LastStep(), Linear(hidden, SYMBOLS, rng=rng)
    return Sequential(embedding(32), *layers)


class OneByOne(Layer):
    """Key and value of each row one behind the other: (N, T, 2 S) to (N, 2 T - 1, 2 S)."""

    def __init__(self):
        self.training, self.shape = True, None
        self.bind({}, {})

    def forward(self, x):
        apart = np.zeros((len(x), 2 * x.shape[1], x.shape[2]), x.dtype)
        apart[:, 0::2, :SYMBOLS], apart[:, 1::2, SYMBOLS:] = x[..., :SYMBOLS], x[..., SYMBOLS:]
        return apart[:, :-1]

    check = forward

    def backward(self, grad_output, want_input=True):
        return None  # the first layer: nobody asks


def train_recall(kind, seed, steps=500, pairs=8):
    """Adam with 5e-3 on new batches of 128: the model, and how many answers of each batch were right."""
    rng = np.random.default_rng(seed)
    model, state, right = recall_model(kind, rng), [], []
    for t in range(1, steps + 1):
        x, target, _ = recall_problem(128, pairs, rng)
        scores = model.forward(x)
        right.append((scores.argmax(axis=1) == target).mean())
        model.backward(cross_entropy_backward.unchecked(1.0, scores, target)[0], want_input=False)
        new, *state = adam.unchecked(model.params, model.grads, *state, lr=5e-3, t=t)
        model.params[...] = new
    return model, np.array(right), rng


@experiment(
    id="H40",
    kind="headline",
    claim="One attention head looks up which value stood beside a key. Recurrent and dense networks of the "
    "same size, trained as long, do not.",
    source="associative recall with a single query, key and value in one step; Arora et al. (2023), "
    "arXiv:2312.04927, study the harder form with many queries",
    settings="8 random pairs of 16 keys and 16 values, then one of the keys; embeddings of 32 numbers that "
    "start as N(0, 1), head d = 32 (4,624 parameters), RNN 40 (4,640), LSTM 18 (5,072), MLP "
    "8-28-28 (5,368); Adam 5e-3, batch 128, 500 steps; 2,000 new sequences",
    seeds=5,
    bands={
        "attention: right": Band(99, 100, unit="%"),
        "attention: looks at the right pair": Band(99, 100, unit="%"),
        "attention, 16 pairs: right": Band(99, 100, unit="%"),
        "RNN: right": Band(-inf, 40, unit="%"),
        "LSTM: right": Band(-inf, 40, unit="%"),
        "MLP: right": Band(-inf, 40, unit="%"),
    },
)
def recall(seed):
    found = {}
    for kind in ("attention", "RNN", "LSTM", "MLP"):
        model, right, rng = train_recall(kind, seed)
        x, target, place = recall_problem(2000, 8, rng)
        found[f"{kind}: right"] = 100 * (model(x).argmax(axis=1) == target).mean()
        found |= {f"{kind}: while training": right, f"{kind}: parameters": model.params.size}
        if kind == "attention":
            found["attention: looks at the right pair"] = (
                100 * (looks(model, x).argmax(axis=1) == place).mean()
            )
            x, target, _ = recall_problem(2000, SYMBOLS, rng)
            found["attention, 16 pairs: right"] = 100 * (model(x).argmax(axis=1) == target).mean()
    return found


def looks(model, x):
    """The weights (N, pairs) with which the last row of each sequence looks at the pairs."""
    embedding, head, _ = model.layers
    rows = embedding.forward(x)
    query, key = rows[:, -1:] @ head.params["weight_q"].T, rows[:, :-1] @ head.params["weight_k"].T
    return attention_weights.unchecked(query, key)[:, 0]


# ----------------------------------------------------------------------- other weights, the same output


def other_weights(weights, value):
    """Weights with the same output, among them those that look least at the place looked at most.

    A linear program: weights >= 0 with the sum 1 and the same weights @ value, that one place's weight as
    small as it can be. First to a corner, where at most D + 1 weights are left (Carathéodory); then from
    corner to corner, each time along an edge on which the weight falls, until there is none (Dantzig's
    simplex method).
    Where the D + 1 conditions outnumber the tokens, the weights come back as they are.
    """
    w, top = weights.copy(), weights.argmax()
    a = np.vstack([value.T, np.ones(len(w))])
    if len(a) > len(w):
        return w
    while np.count_nonzero(w) > len(a):  # more weights than conditions: there is a direction that keeps them
        used = np.flatnonzero(w)
        direction = np.zeros_like(w)
        direction[used] = np.linalg.svd(a[:, used])[2][-1]
        _walk(w, -direction if direction[top] > 0 else direction)
    for _ in range(1000):
        basis = np.flatnonzero(w)
        prices = np.linalg.solve(a[:, basis].T, (basis == top).astype(float))
        gain = (np.arange(len(w)) == top) - prices @ a  # how the weight changes per unit of each other one
        if gain.min() > -1e-12:
            break
        direction = np.zeros_like(w)
        direction[gain.argmin()] = 1
        direction[basis] = -np.linalg.solve(a[:, basis], a[:, gain.argmin()])
        _walk(w, direction)
    return w


def _walk(w, direction):
    """Along the direction until the first weight is 0."""
    shrinks = direction < -1e-14
    room = np.full_like(w, np.inf)
    room[shrinks] = -w[shrinks] / direction[shrinks]
    w += room.min() * direction
    w[room.argmin()] = 0


@experiment(
    id="M69",
    kind="myth",
    claim="Attention weights explain the decision.",
    verdict="misleading",
    truth="Contested: very different weights can give the same output.",
    settings="32 tokens, values in four dimensions, weights a softmax of 2 · N(0, 1); a linear program finds "
    "the weights of the same output that look least at the token looked at most",
    seeds=10,
    bands={
        "outputs differ by": Band(0, 1e-10, digits=1),
        "how much weight was moved": Band(0.3, 1),
    },
)
def weights_explain(seed):
    rng = np.random.default_rng(seed)
    value, z = rng.normal(size=(32, 4)), np.exp(2 * rng.normal(size=32))
    weights = z / z.sum()
    other = other_weights(weights, value)
    top = weights.argmax()
    return {
        "outputs differ by": np.abs(weights @ value - other @ value).max(),
        "how much weight was moved": np.abs(weights - other).sum() / 2,
        "largest weight": weights[top],
        "the same token's other weight": other[top],
        "weights": weights,
        "other": other,
    }


# -------------------------------------------------------------------------------- a whole language model


def language_model(weights, tokens, heads=4):
    """nnlib.language's model in NumPy, from its arrays: logits (T, words) and maps (blocks, heads, T, T).

    Words become vectors; each block adds to them what attention brings from the words before and what a small
    network makes of the sum; the last vector of each place scores every word of the vocabulary.
    """
    x, maps = weights["embedding.weight"][tokens], []
    for i in range(sum(name.endswith("norm1.weight") for name in weights)):
        w = {n.removeprefix(f"blocks.{i}."): a for n, a in weights.items() if n.startswith(f"blocks.{i}.")}
        h = layer_norm(x, x.shape[1:], w["norm1.weight"], w["norm1.bias"])
        query, key, value = (
            linear(h, w[f"attention.{n}.weight"]).reshape(len(x), heads, -1).swapaxes(0, 1)
            for n in ("query", "key", "value")
        )
        maps.append(attention_weights(rotary_embedding(query), rotary_embedding(key), is_causal=True))
        mixed = (maps[-1] @ value).swapaxes(0, 1).reshape(x.shape)
        x = x + linear(mixed, w["attention.output.weight"])
        h = layer_norm(x, x.shape[1:], w["norm2.weight"], w["norm2.bias"])
        x = x + mlp(h, *(w[f"mlp.{n}"] for n in ("up.weight", "up.bias", "down.weight", "down.bias")))
    x = layer_norm(x, x.shape[1:], weights["norm.weight"], weights["norm.bias"])
    return linear(x, weights["head.weight"]), np.stack(maps)


def induction(maps, tokens):
    """The mean weight that words put on what stood behind their earlier occurrences: (blocks, heads).

    The first four tokens of the vocabulary, which stand in every sentence, do not count.
    """
    same = np.tril(tokens[:, None] == tokens, -1)  # the earlier places of the same word
    met_before = same.any(axis=1) & (tokens >= 4)
    behind = np.roll(same, 1, axis=1)
    return (maps * behind).sum(axis=-1)[:, :, met_before].mean(axis=-1)
