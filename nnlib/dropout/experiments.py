"""Headlines and myths of notebook 12, each a function of a seed that fits on a screen and can be copied."""

from functools import cache
from math import inf

import numpy as np

from nnlib.activations.in_numpy import softmax
from nnlib.data import digits
from nnlib.dropout.in_numpy import dropout
from nnlib.evidence import Band, experiment
from nnlib.layers import Dropout, Linear, ReLU, Sequential, fit, fit_many
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam

# -------------------------------------------------------------------------------------- data and networks


def some_digits(n, seed, noise=0.0):
    """n of the training digits, a share `noise` of them with a label drawn at random; and the test part."""
    x, y, x_test, y_test = digits(np.float32)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(x))[:n]
    y = y[chosen]
    y[: round(noise * n)] = rng.integers(0, 10, round(noise * n))
    return x[chosen], y, x_test, y_test


def points(n, seed):
    """sin(2x) and a little noise, for x from -3 to -1 and from 1 to 3: with a gap in the middle."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 3, n) * np.where(np.arange(n) % 2, 1, -1)
    y = np.sin(2 * x) + 0.1 * rng.normal(size=n)
    return x[:, None].astype(np.float32), y[:, None].astype(np.float32)


def mlp(sizes, p, rng, inputs=0.0):
    """Linear layers and ReLU, with dropout behind each ReLU and, where `inputs` is above 0, on the inputs."""
    layers = [Dropout(inputs, rng=rng)] if inputs else []
    for i, o in zip(sizes, sizes[1:-1]):
        layers += [Linear(i, o, rng=rng), ReLU(), Dropout(p, rng=rng)]
    return Sequential(*layers, Linear(*sizes[-2:], rng=rng))


def error(scores, y):
    """The share of rows, in percent, whose largest score is not the right one."""
    return 100 * (scores.argmax(axis=-1) != y).mean(axis=-1)


def one_mask(model, x):
    """The outputs of one network drawn from the many: the model as in training, one mask for each row."""
    scores = model.train().forward(x).copy()
    model.eval()
    return scores


# ---------------------------------------------------------------------------------------- dropout itself


@experiment(
    id="H28",
    kind="headline",
    claim="Dropout lowers the test error of a network that overfits, here to wrong labels.",
    source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), JMLR 15, on MNIST",
    settings="digits, n = 500, 30 % random labels; 64-512-512-10 ReLU, p 0.5, Adam 1e-3, batch 50, 40 epochs",
    seeds=5,
    bands={"error removed": Band(30, inf, over="mean", unit="%")},
)
def noisy_labels(seed):
    x, y, x_test, y_test = some_digits(500, seed, noise=0.3)
    errors, curves = {}, {}
    for name, p in (("without", 0.0), ("with dropout", 0.5)):
        rng = np.random.default_rng(seed)
        net = mlp((64, 512, 512, 10), p, rng)
        curves[name] = fit(
            net, x, y, optimizer=adam, lr=1e-3, epochs=40, batch_size=50, rng=rng, validation=(x_test, y_test)
        )
        errors[name] = error(net(x_test), y_test)
    return {
        "error removed": 100 * (1 - errors["with dropout"] / errors["without"]),
        **errors,
        "curves": curves,
    }


@experiment(
    id="H29",
    kind="headline",
    claim="Scaling the weights does what averaging over many masks does, in one pass.",
    source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), JMLR 15, averaging over masks",
    settings="digits, n = 300; 64-256-256-10 ReLU, p 0.5, Adam 1e-3, batch 50, 60 epochs; test error",
    seeds=5,
    bands={
        "50 masks against scaling": Band(-1.5, 1.5, unit="points"),
        "one mask against scaling": Band(0, inf, unit="points"),
    },
)
def weight_scaling(seed):
    x, y, x_test, y_test = some_digits(300, seed)
    rng = np.random.default_rng(seed)
    net = mlp((64, 256, 256, 10), 0.5, rng)
    fit(net, x, y, optimizer=adam, lr=1e-3, epochs=60, batch_size=50, rng=rng)
    scaling = error(net(x_test), y_test)
    probabilities = np.stack([softmax(one_mask(net, x_test), 1) for _ in range(50)])
    averaged = np.cumsum(probabilities, axis=0) / np.arange(1, 51)[:, None, None]
    single = error(probabilities, y_test)
    return {
        "50 masks against scaling": error(averaged[-1], y_test) - scaling,
        "one mask against scaling": single.mean() - scaling,
        "scaling": scaling,
        "single masks": single,
        "averaged masks": error(averaged, y_test),
    }


@experiment(
    id="M49",
    kind="myth",
    claim="At test time activations must be scaled by 1 - p, to keep the size of the inputs consistent.",
    verdict="misleading",
    truth="It is about the expected value, and today's libraries scale in training: scaling again is a bug.",
    settings="dropout with p 0.2 of 200,000 ones",
    seeds=5,
    bands={
        "mean in training": Band(0.99, 1.01, digits=3),
        "mean in use": Band(0.99, 1.01, digits=3),
        "mean if scaled again": Band(0.79, 0.81, digits=2),
    },
)
def scaled_again(seed):
    x, p = np.ones(200_000), 0.2
    mask = np.random.default_rng(seed).random(x.shape) >= p
    in_use = dropout(x, mask, p, training=False)
    return {
        "mean in training": dropout(x, mask, p).mean(),
        "mean in use": in_use.mean(),
        "mean if scaled again": (in_use * (1 - p)).mean(),
    }


# ------------------------------------------------------------------------------------------- ensembles


def ensemble(seed):
    """Ten networks 64-64-10 on the same 200 digits: probabilities (10, 540, 10), and the right answers."""
    x, y, x_test, y_test = some_digits(200, seed)
    rngs = [np.random.default_rng([seed, i]) for i in range(10)]
    nets = [mlp((64, 64, 10), 0.0, rng) for rng in rngs]
    fit_many(nets, x, y, optimizer=adam, lr=3e-3, epochs=40, batch_size=32, rng=rngs)
    return np.stack([softmax(net(x_test).astype(np.float64), 1) for net in nets]), y_test


def brier(p, y):
    """The squared distance between the probabilities and the right answer, summed over classes."""
    return ((p - np.eye(10)[y]) ** 2).sum(axis=-1).mean(axis=-1)


def log_loss(p, y):
    return -np.log(p[..., np.arange(len(y)), y]).mean(axis=-1)


@experiment(
    id="M51",
    kind="myth",
    claim="Averaging networks gives more accurate predictions.",
    verdict="misleading",
    truth="The average is never worse than the mean member in a convex loss (Brier, log loss); for accuracy "
    "there is no such law.",
    settings="digits, n = 200; 10 networks 64-64-10 ReLU, Adam 3e-3, batch 32, 40 epochs",
    seeds=5,
    bands={
        "Brier score: mean member ÷ ensemble": Band(1, inf, digits=3),
        "log loss: mean member ÷ ensemble": Band(1, inf, digits=3),
        "accuracy gained": Band(-1, 1, unit="points"),
    },
)
def averaging(seed):
    p, y = ensemble(seed)
    together = p.mean(axis=0)
    return {
        "Brier score: mean member ÷ ensemble": brier(p, y).mean() / brier(together, y),
        "log loss: mean member ÷ ensemble": log_loss(p, y).mean() / log_loss(together, y),
        "accuracy gained": error(p, y).mean() - error(together, y),
    }


# ------------------------------------------------------------------------------------------ random forest


def grow(x, targets, rng, features, smallest=1):
    """A decision tree: the split with the least squared error, among a few features drawn for each node.

    With one-hot targets the squared error is Gini's impurity, and a leaf holds the shares of the classes.
    """
    n, leaf = len(x), targets.mean(axis=0)
    if n < 2 * smallest or (targets == targets[0]).all():
        return leaf
    best = (-np.inf,)
    for f in rng.choice(x.shape[1], features, replace=False):
        order = x[:, f].argsort(kind="stable")
        value, left = x[order, f], targets[order].cumsum(axis=0)[:-1]
        count = np.arange(1, n)[:, None]
        # sum of squares = constant - gain, so the least error has the largest gain
        gain = (left**2 / count + (left[-1] + targets[order[-1]] - left) ** 2 / (n - count)).sum(axis=1)
        gain[(value[1:] == value[:-1]) | (count[:, 0] < smallest) | (n - count[:, 0] < smallest)] = -np.inf
        if gain.max() > best[0]:
            at = gain.argmax()
            best = gain[at], f, (value[at] + value[at + 1]) / 2
    if len(best) == 1:
        return leaf
    _, f, cut = best
    below = x[:, f] < cut
    parts = [grow(x[side], targets[side], rng, features, smallest) for side in (below, ~below)]
    return f, cut, *parts


def ask(tree, x):
    """What a tree answers for the rows of x."""
    if isinstance(tree, np.ndarray):
        return np.broadcast_to(tree, (len(x), len(tree)))
    f, cut, low, high = tree
    below = (x[:, f] < cut)[:, None]
    return np.where(below, ask(low, x), ask(high, x))


def forest(x, targets, rng, trees=100, features=None, smallest=1):
    """Trees on samples drawn with replacement, each split choosing among √D features (or so many)."""
    features = features or round(x.shape[1] ** 0.5)
    draws = (rng.integers(0, len(x), len(x)) for _ in range(trees))
    return [grow(x[rows], targets[rows], rng, features, smallest) for rows in draws]


# ------------------------------------------------------------------------- who disagrees, and where


@cache
def families(seed):
    """Four ways to have many members: the probabilities (members, 540, 10) of each, and the right answers."""
    x, y, x_test, y_test = some_digits(300, seed)
    rngs = [np.random.default_rng([seed, i]) for i in range(10)]
    nets, bagged = ([mlp((64, 64, 10), 0.0, rng) for rng in rngs] for _ in range(2))
    settings = dict(optimizer=adam, lr=3e-3, epochs=40, batch_size=32, every=1000)
    fit_many(nets, x, y, rng=rngs, **settings)
    for net, rng in zip(bagged, rngs):
        rows = rng.integers(0, len(x), len(x))  # drawn with replacement
        fit(net, x[rows], y[rows], rng=rng, **settings)
    rng = np.random.default_rng(seed)
    thinned = mlp((64, 256, 256, 10), 0.5, rng)
    fit(thinned, x, y, rng=rng, **settings | dict(lr=1e-3, epochs=60))
    members = {
        "trees": [ask(tree, x_test) for tree in forest(x, np.eye(10)[y], rng, trees=60)],
        "networks": [softmax(net(x_test), 1) for net in nets],
        "bagged networks": [softmax(net(x_test), 1) for net in bagged],
        "masks of one network": [softmax(one_mask(thinned, x_test), 1) for _ in range(50)],
    }
    return {name: np.array(answers, dtype=float) for name, answers in members.items()}, y_test


def disagreement(q):
    """The mean squared distance of the members' probabilities from their mean."""
    return ((q - q.mean(axis=0)) ** 2).sum(axis=2).mean()


@experiment(
    id="H30",
    kind="headline",
    claim="The error of an ensemble is the mean error of its members minus their disagreement.",
    source="Krogh & Vedelsby (1995), NIPS 7",
    settings="Brier scores on digits; n = 200: the 10 networks of M51; n = 300: 60 trees, 10 networks, 10 "
    "bagged networks, 50 masks of one",
    seeds=5,
    bands={
        "error of the identity": Band(0, 1e-10),
        "n = 200: gained by averaging": Band(0.0005, 0.01, digits=4),
        "disagreement ÷ mean error: trees": Band(60, 75, unit="%"),
        "disagreement ÷ mean error: networks": Band(0, 10, unit="%"),
    },
)
def ambiguity(seed):
    answers, y = families(seed)
    answers = {"n = 200": ensemble(seed)[0], **answers}  # the right answers are those of the same test digits
    members = {name: brier(q, y).mean() for name, q in answers.items()}
    together = {name: brier(q.mean(axis=0), y) for name, q in answers.items()}
    apart = {name: disagreement(q) for name, q in answers.items()}
    return {
        "error of the identity": max(abs(together[k] - (members[k] - apart[k])) for k in answers),
        "n = 200: gained by averaging": members["n = 200"] - together["n = 200"],
        **{f"disagreement ÷ mean error: {k}": 100 * apart[k] / members[k] for k in answers},
    }


@experiment(
    id="M50",
    kind="myth",
    claim="Dropout is unlike a random forest because it is one single model.",
    verdict="misleading",
    truth="It is close to bagging with shared weights, and the one model in use approximates the average "
    "over its masks.",
    settings="digits, n = 300; the network of H29 (test error) and the members of H30 (Brier score)",
    seeds=5,
    bands={
        "50 masks against the one model": Band(-1.5, 1.5, unit="points"),
        "one mask against the one model": Band(0, inf, unit="points"),
        "disagreement ÷ mean error: masks of one network": Band(20, 40, unit="%"),
        "disagreement ÷ mean error: bagged networks": Band(10, 25, unit="%"),
        "disagreement ÷ mean error: trees": Band(60, 75, unit="%"),
    },
)
def one_single_model(seed):
    measured = weight_scaling(seed)
    return {
        "50 masks against the one model": measured["50 masks against scaling"],
        "one mask against the one model": measured["one mask against scaling"],
        **ambiguity(seed),
    }


def spreads(n, seed, line):
    """Four ways to have many members, for the curve through `points`: their outputs (members, len(line))."""
    x, y = points(n, seed)
    settings = dict(loss=mse_loss, optimizer=adam, lr=5e-3, epochs=400, every=1000)
    rngs = [np.random.default_rng([seed, i]) for i in range(8)]
    nets, bagged = ([mlp((1, 64, 64, 1), 0.0, rng) for rng in rngs] for _ in range(2))
    fit_many(nets, x, y, **settings)
    for net, rng in zip(bagged, rngs):
        rows = rng.integers(0, n, n)
        fit(net, x[rows], y[rows], **settings)
    rng = np.random.default_rng(seed)
    thinned = mlp((1, 64, 64, 1), 0.1, rng)
    fit(thinned, x, y, **settings)
    members = {
        "masks": [one_mask(thinned, line) for _ in range(200)],
        "networks": [net(line) for net in nets],
        "bagged networks": [net(line) for net in bagged],
        "trees": [ask(tree, line) for tree in forest(x, y, rng, smallest=2)],
    }
    return {name: np.array(curves)[..., 0] for name, curves in members.items()}
