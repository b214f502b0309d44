"""Headlines and myths of notebook 15, and the small trainings that its cells and explorers share."""

from functools import lru_cache, partial
from math import inf

import numpy as np

from nnlib.data import names
from nnlib.evidence import Band, experiment
from nnlib.gradient_flow.in_numpy import clip_grad_norm
from nnlib.layers import LSTM, RNN, EachStep, LastStep, Linear, Sequential, fit
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, cross_entropy, cross_entropy_backward
from nnlib.optimizers.in_numpy import adam


def start(rng, gates, inputs, hidden):
    """PyTorch's start for a cell of so many gates: two weights and two biases within ±1 / sqrt(hidden)."""
    shapes = (gates * hidden, inputs), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)
    return [rng.uniform(-1, 1, shape) / np.sqrt(hidden) for shape in shapes]


# --------------------------------------------------------------------------------------- temporal XOR


@experiment(
    id="H37",
    kind="headline",
    claim="In a stream of bits in which every third is the XOR of the two before it, the error of a network "
    "that predicts the next bit dips at every third step.",
    source="Elman (1990), Finding structure in time, Cognitive Science 14, 179-211, temporal XOR",
    settings="3,000 bits in rows of 30; RNN of 8 units, cross-entropy, Adam 1e-2, 300 full-batch steps; "
    "squared error of the predicted probability on 3,000 new bits, where 0.25 is guessing",
    seeds=5,
    bands={
        "error, third bit": Band(0, 0.02, digits=1),
        "error, first bit": Band(0.2, inf),
        "error, second bit": Band(0.2, inf),
    },
)
def temporal_xor(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(2, size=(2, 200, 10))
    bits = np.stack([first, second, first ^ second], axis=2).reshape(200, 30, 1).astype(np.float32)
    x, y = bits[:100, :-1], bits[:100, 1:]  # predict the next bit
    net = Sequential(RNN(1, 8, batch_first=True, rng=rng), EachStep(Linear(8, 1, rng=rng)))
    fit(net, x, y, loss=binary_cross_entropy_with_logits, optimizer=adam, lr=1e-2, epochs=300)
    x, y = bits[100:, :-1], bits[100:, 1:]
    error = ((1 / (1 + np.exp(-net(x))) - y) ** 2).mean(axis=(0, 2))  # of each of the 29 predictions
    return {
        "error, third bit": error[1::3].mean(),
        "error, first bit": error[2::3].mean(),
        "error, second bit": error[0::3].mean(),
        "error": error,
    }


# ------------------------------------------------------------------------------- the adding problem


def adding_problem(n, steps, rng):
    """Numbers with a marker beside two of them, one in each half: x (n, steps, 2), their sum (n, 1)."""
    value, marker, rows = rng.random((n, steps), dtype=np.float32), np.zeros((n, steps), np.float32), range(n)
    marker[rows, rng.integers(0, steps // 2, size=n)] = 1
    marker[rows, rng.integers(steps // 2, steps, size=n)] = 1
    return np.stack([value, marker], axis=2), (value * marker).sum(axis=1, keepdims=True)


def squares(output, target):
    """The mean squared error and its gradient."""
    error = output - target
    return float((error * error).mean()), 2 / error.size * error


def learn(model, batch, steps, lr, loss=squares, clip=1.0):
    """Adam with the gradient's length clipped, a new batch at every step: the losses on the way."""
    losses, state = [], []
    for t in range(1, steps + 1):
        x, y = batch()
        value, grad = loss(model.forward(x), y)
        losses.append(value)
        model.backward(grad, want_input=False)
        grads, _ = clip_grad_norm.unchecked(model.grads, clip)
        new, *state = adam.unchecked(model.params, grads, *state, lr=lr, t=t)
        model.params[...] = new
    return losses


def remembering(kind, inputs, hidden, outputs, rng, forget_bias=0.0):
    """A recurrent layer whose last state a linear layer reads; an LSTM may start with open forget gates."""
    cell = kind(inputs, hidden, batch_first=True, rng=rng)
    if forget_bias:
        cell.params["bias_ih_l0"][hidden : 2 * hidden] += forget_bias
    return Sequential(cell, LastStep(), Linear(hidden, outputs, rng=rng))


@experiment(
    id="H38",
    kind="headline",
    claim="The LSTM solves the adding problem over 50 steps, whether its forget gates start open or training "
    "has to open them; the simple network with tanh units and PyTorch's start does not.",
    source="Hochreiter & Schmidhuber (1997), Neural Computation 9, 1735-1780; in the form of Le, Jaitly & "
    "Hinton (2015), arXiv:1504.00941",
    settings="32 units, batch 64, 700 steps, gradient clipped to 1, Adam 3e-3 (RNN) and 1e-2 (LSTM, forget "
    "bias + 3 or as it is); 1,000 new sequences. Always answering 1 has the error 0.167",
    seeds=4,
    bands={
        "RNN: squared error": Band(0.12, inf),
        "LSTM: squared error": Band(0, 0.01, digits=1),
        "LSTM, no forget bias: squared error": Band(0, 0.02, digits=1),
    },
)
def adding(seed):
    found = {}
    for name, kind, lr, forget_bias in (
        ("RNN", RNN, 3e-3, 0),
        ("LSTM", LSTM, 1e-2, 3),
        ("LSTM, no forget bias", LSTM, 1e-2, 0),
    ):
        rng = np.random.default_rng(seed)
        model = remembering(kind, 2, 32, 1, rng, forget_bias)
        found[f"{name}: losses"] = learn(model, partial(adding_problem, 64, 50, rng), 700, lr)
        x, y = adding_problem(1000, 50, rng)
        found[f"{name}: squared error"], _ = squares(model(x), y)
        found[f"{name}: model"] = model
    return found


# ------------------------------------------------------------------------- gradients through the steps


def gradient_by_step(layer, steps, rng):
    """How long the gradient of the sum of the last state is at each input, first to last."""
    x = rng.normal(size=(steps, 1, 2))
    layer.forward(x)
    last = [np.zeros_like(layer.h_n) for _ in layer.cell.states]
    last[0] += 1
    return np.linalg.norm(layer.backward(None, True, *last), axis=(1, 2))


@experiment(
    id="M59",
    kind="myth",
    claim="Gates keep LSTM gradients from vanishing and from exploding.",
    verdict="misleading",
    truth="They ease vanishing; explosion remains possible, hence clipping.",
    settings="gradient at the first input ÷ at the last; 32 units, standard normal inputs, LSTM with forget "
    "bias + 3 over 60 steps, once with its recurrent weights times 10; RNN over 50 steps",
    seeds=6,
    bands={
        "LSTM": Band(0.1, 10),
        "LSTM, recurrent weights times 10": Band(50, inf, over="median"),
        "RNN": Band(0, 1e-8, digits=1),
    },
)
def gates_tame_gradients(seed):
    found = {}
    for name, kind, steps, scale in (
        ("LSTM", LSTM, 60, 1),
        ("LSTM, recurrent weights times 10", LSTM, 60, 10),
        ("RNN", RNN, 50, 1),
    ):
        rng = np.random.default_rng(seed)
        layer = kind(2, 32, rng=rng, dtype=np.float64)
        if kind is LSTM:
            layer.params["bias_ih_l0"][32:64] += 3
        layer.params["weight_hh_l0"] *= scale
        lengths = gradient_by_step(layer, steps, rng)
        found |= {name: lengths[0] / lengths[-1], f"{name}: lengths": lengths}
    return found


# ------------------------------------------------------------------------------- letters, one by one

ALPHABET = ". abcdefghijklmnopqrstuvwxyz"  # the dot is both start and end of a name


def encode(words):
    """Names as letter numbers: x one-hot (n, T, 28) begins with the dot, y (n, T) ends with it, then -100."""
    longest = max(map(len, words)) + 1
    codes = np.full((len(words), longest + 1), -100)
    for row, word in zip(codes, words):
        row[: len(word) + 2] = [ALPHABET.index(letter) for letter in f".{word}."]
    inputs = np.maximum(codes[:, :-1], 0)  # behind the end anything will do: no loss looks there
    return np.eye(len(ALPHABET), dtype=np.float32)[inputs], codes[:, 1:]


def classes(scores, target):
    """The cross-entropy and its gradient, at every step if there are steps; targets of -100 do not count."""
    flat, target = scores.reshape(-1, scores.shape[-1]), target.ravel()
    grad, _ = cross_entropy_backward.unchecked(1.0, flat, target)
    return float(cross_entropy.unchecked(flat, target)), grad.reshape(scores.shape)


class LastState(Sequential):
    """Sequences of several lengths (x, lengths): a head reads the state after the last step of each."""

    def forward(self, x):
        cell, head = self.layers
        cell.forward(x[0], lengths=x[1])
        return head.forward(cell.h_n[-1])

    def backward(self, grad_output, want_input=False):
        cell, head = self.layers
        last = [np.zeros_like(cell.h_n) for _ in cell.cell.states]
        last[0][-1] = head.backward(grad_output)
        cell.backward(None, want_input, *last)  # no gradient from the outputs, one from h_n


def pair_table(words):
    """A model without memory: scores from how often each letter has followed the one that was read."""
    count = np.full((len(ALPHABET), len(ALPHABET)), 0.1)  # no pair is impossible
    for word in words:
        for a, b in zip(f".{word}", f"{word}."):
            count[ALPHABET.index(a), ALPHABET.index(b)] += 1
    return lambda x: x @ np.log(count)  # the softmax in the loss divides by the sums


def letter_model(kind, hidden, rng):
    letters = len(ALPHABET)
    return Sequential(
        kind(letters, hidden, batch_first=True, rng=rng), EachStep(Linear(hidden, letters, rng=rng))
    )


@lru_cache
def character_model(seed=0, kind=LSTM, steps=300):
    """A network of 64 units that has read nine tenths of the names, with the names that it has not read."""
    words, _ = names()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(words))
    read, held_out = words[order[:351]], words[order[351:]]
    x, y = encode(read)
    model = letter_model(kind, 64, rng)

    def batch():
        rows = rng.integers(len(read), size=64)
        return x[rows], y[rows]

    losses = learn(model, batch, steps, 1e-2, classes)
    return model, losses, held_out


def write(model, temperature, count, rng, longest=20):
    """New names, letter by letter: each letter that is drawn is the next input."""
    cell, head = model.layers
    rows, done = np.arange(count), np.zeros(count, bool)
    letter, state, written = np.zeros(count, int), None, np.zeros((count, longest), int)
    for t in range(longest):
        x = np.zeros((count, 1, len(ALPHABET)), np.float32)
        x[rows, 0, letter] = 1
        y = cell.forward(x, state)
        state = tuple(getattr(cell, f"{name}_n") for name in cell.cell.states)
        scores = head.forward(y)[:, 0] / temperature
        letter = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)  # a draw from softmax(scores)
        done |= letter == 0
        written[:, t] = np.where(done, 0, letter)
    return ["".join(ALPHABET[k] for k in row if k) for row in written]
