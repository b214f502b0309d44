"""Headlines and myths of notebook 06, and the comparisons behind its figures."""

from functools import partial
from itertools import product
from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, ReLU, Sequential, Sigmoid, Tanh, fit
from nnlib.losses.in_numpy import (
    binary_cross_entropy_with_logits_backward,
    cross_entropy,
    hinge,
    hinge_backward,
    kl_div,
    mse_loss,
    mse_loss_backward,
    multi_margin_loss,
    sigmoid_focal_loss_backward,
)
from nnlib.optimizers.in_numpy import adam


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def _softmax(x):
    z = np.exp(x - x.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def _softmax_backward(grad_output, p):
    return p * (grad_output - (grad_output * p).sum(axis=1, keepdims=True))


# ------------------------------------------------------------------------------------ speed of learning


def saturated_neuron(start=2.0, lr=0.15, steps=300):
    """The outputs of two neurons that start sure of the wrong answer: input 1, target 0, w = b = start."""
    outputs = {"squared error": [], "cross-entropy": []}
    for name, curve in outputs.items():
        w = b = start
        for _ in range(steps + 1):
            output = _sigmoid(w + b)
            curve.append(float(output))
            pull = output - 0.0  # cross-entropy's gradient for the sum w + b
            if name == "squared error":  # (output - 0)**2 / 2 has to go back through the sigmoid
                pull = pull * output * (1 - output)
            w, b = w - lr * pull, b - lr * pull
    return outputs


def squared_error(x, target):
    """Squared distance between softmax and the one-hot target, averaged over rows."""
    right = np.eye(x.shape[1], dtype=x.dtype)[target]
    return mse_loss(_softmax(x), right, reduction="sum") / len(x)


def squared_error_backward(grad_output, x, target):
    p, right = _softmax(x), np.eye(x.shape[1], dtype=x.dtype)[target]
    grad_p, _ = mse_loss_backward.unchecked(grad_output / len(x), p, right, reduction="sum")
    return _softmax_backward(grad_p, p)


@experiment(
    id="H09",
    kind="headline",
    claim="Squared error on a saturated unit learns slowly, cross-entropy does not.",
    source="Glorot & Bengio (2010), AISTATS; Nielsen (2015), Neural networks and deep learning, chapter 3",
    settings="one sigmoid neuron, w = b = 2, input 1, target 0, lr 0.15; then digits, 64-64-10 ReLU with "
    "the last layer ten times too large, softmax, SGD 0.1 for both, batch 64, 25 epochs; test accuracy",
    seeds=3,
    bands={
        "neuron, squared error: output at step 50": Band(0.9, inf, digits=3),
        "neuron, cross-entropy: output at step 50": Band(-inf, 0.2, digits=3),
        "digits: more epochs to 90 % with squared error": Band(1, inf),
    },
)
def saturated_units(seed):
    neuron = saturated_neuron()
    x, y, *test = digits(np.float32)
    curves, epochs = {}, {}
    for name, loss, lr in (
        ("squared error", squared_error, 0.1),
        ("cross-entropy", cross_entropy, 0.1),
        ("squared error, three times the rate", squared_error, 0.3),
    ):
        rng = np.random.default_rng(seed)
        net = Sequential(Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
        for p in net[2].params.values():
            p *= 10
        history = fit(net, x, y, lr=lr, epochs=25, batch_size=64, rng=rng, loss=loss, validation=test)
        curves[name] = 100 * np.array(history.validation_accuracy)
        epochs[name] = next((e for e, accuracy in enumerate(curves[name]) if accuracy >= 90), inf)
    return {
        **{f"neuron, {name}: output at step 50": curve[50] for name, curve in neuron.items()},
        "digits: more epochs to 90 % with squared error": epochs["squared error"] - epochs["cross-entropy"],
        "neuron": neuron,
        "curves": curves,
        "epochs": epochs,
    }


# ------------------------------------------------------------------------------------------------ myths


@experiment(
    id="M17",
    kind="myth",
    claim="Squared error suits problems in which outliers matter.",
    verdict="misleading",
    truth="Squared error is pulled by outliers; if they are noise, absolute error or Huber is the choice.",
    settings="95 values N(0, 1) and 5 around 50; the best constant under each loss",
    seeds=10,
    bands={"squared error: best constant": Band(2, inf), "absolute error: best constant": Band(-0.4, 0.4)},
)
def outliers_matter(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(size=95), rng.normal(50, 1, size=5)])
    candidates = np.linspace(-5, 60, 6501)[:, None]
    distance = np.abs(candidates - values)
    best = {
        "squared error: best constant": float(candidates[(distance**2).sum(axis=1).argmin(), 0]),
        "absolute error: best constant": float(candidates[distance.sum(axis=1).argmin(), 0]),
    }
    return {**best, "mean": values.mean(), "median": np.median(values)}


@experiment(
    id="M18",
    kind="myth",
    claim="Hinge loss compares a predicted probability with a threshold.",
    verdict="wrong",
    truth="It is max(0, 1 − y · score) on a raw, unbounded score with labels ±1; no probability occurs.",
    settings="score −3, label +1; a probability lies in [0, 1], so its hinge loss is at most 1",
    seeds=1,
    bands={"loss": Band(4, 4)},
)
def hinge_of_a_probability(seed):
    yes = np.array([1])
    return {
        "loss": float(hinge(np.array([-3.0]), yes)),
        "probability taken for a score": float(hinge(_sigmoid(np.array([-3.0])), yes)),
    }


def fit_scores(x, y, gradient, steps=1500, lr=1.0):
    """Weight and bias of a linear score by averaged subgradient descent with steps lr / sqrt(t)."""
    inputs, w, kept = np.stack([x, np.ones_like(x)], axis=1), np.zeros(2), []
    for t in range(1, steps + 1):
        w = w - lr / np.sqrt(t) * inputs.T @ gradient(inputs @ w, y)
        kept.append(w)
    return np.mean(kept[steps // 2 :], axis=0)


@experiment(
    id="M19",
    kind="myth",
    claim="Binary cross-entropy is for separating two classes as widely as possible.",
    verdict="misleading",
    truth="It is the Bernoulli log-likelihood and yields probabilities; wide margins are the aim of hinge "
    "with a penalty on the weights.",
    settings="x ~ N(0, 1), p = sigmoid(2x − 0.5), n = 4,000; linear score; mean error of sigmoid(score)",
    seeds=8,
    bands={
        "cross-entropy: error of the probability": Band(0, 0.02),
        "hinge: error ÷ that of cross-entropy": Band(1.5, inf),
    },
)
def probabilities_or_margins(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=4000)
    p = _sigmoid(2 * x - 0.5)
    y = rng.random(4000) < p
    losses = {
        "cross-entropy": lambda score, y: binary_cross_entropy_with_logits_backward(1.0, score, y * 1.0)[0],
        "hinge": lambda score, y: hinge_backward(1.0, score, np.where(y, 1, -1))[0],
    }
    error, accuracy = {}, {}
    for name, gradient in losses.items():
        weight, bias = fit_scores(x, y, gradient)
        score = weight * x + bias
        error[name] = np.abs(_sigmoid(score) - p).mean()
        accuracy[name] = 100 * ((score > 0) == y).mean()
    return {
        "cross-entropy: error of the probability": error["cross-entropy"],
        "hinge: error ÷ that of cross-entropy": error["hinge"] / error["cross-entropy"],
        "error": error,
        "accuracy": accuracy,
    }


@experiment(
    id="M20",
    kind="myth",
    claim="Categorical cross-entropy averages the log loss over all classes.",
    verdict="wrong",
    truth="It is −log p of the true class, averaged over the samples.",
    settings="32 × 10 random scores",
    seeds=5,
    bands={
        "distance to −log p of the true class": Band(0, 1e-6),
        "distance to the average over all classes": Band(1e-3, inf),
    },
)
def average_over_classes(seed):
    rng = np.random.default_rng(seed)
    scores, target = rng.normal(size=(32, 10)), rng.integers(0, 10, 32)
    loss, log_p = cross_entropy(scores, target), np.log(_softmax(scores))
    return {
        "distance to −log p of the true class": abs(loss + log_p[np.arange(32), target].mean()),
        "distance to the average over all classes": abs(loss + log_p.mean()),
        "loss": loss,
        "average over all classes": -log_p.mean(),
    }


@experiment(
    id="M21",
    kind="myth",
    claim="Cross-entropy is a distance between distributions and acts as a classifier.",
    verdict="wrong",
    truth="A loss classifies nothing; cross-entropy is entropy + KL divergence, not symmetric and not 0 for "
    "equal arguments.",
    settings="p = (0.7, 0.2, 0.1), q = (0.5, 0.3, 0.2)",
    seeds=1,
    bands={
        "of p and p": Band(0.801, 0.803, digits=3),
        "of p and q": Band(0.886, 0.888, digits=3),
        "of q and p": Band(1.121, 1.123, digits=4),
        "of p and q, minus entropy and KL": Band(-1e-3, 1e-3),
    },
)
def cross_entropy_as_distance(seed):
    p, q = np.array([[0.7, 0.2, 0.1]]), np.array([[0.5, 0.3, 0.2]])

    def between(p, q):
        return float(cross_entropy(np.log(q), p))

    entropy_and_kl = between(p, p) + kl_div(np.log(q), p, reduction="batchmean")
    return {
        "of p and p": between(p, p),
        "of p and q": between(p, q),
        "of q and p": between(q, p),
        "of p and q, minus entropy and KL": abs(between(p, q) - entropy_and_kl),
    }


@experiment(
    id="M22",
    kind="myth",
    claim="For regression the output is a single neuron.",
    verdict="misleading",
    truth="One output per target, and a linear one.",
    settings="targets (3 sin x, x² − 1), 401 x in [−2, 2]; 1-64-64-k tanh, Adam 5e-3, 800 steps; squared "
    "error",
    seeds=5,
    bands={
        "two linear outputs": Band(0, 0.01),
        "two sigmoid outputs": Band(1, inf),
        "one output for both": Band(1, inf),
    },
)
def one_output_for_regression(seed):
    x = np.linspace(-2, 2, 401, dtype=np.float32)[:, None]
    targets = np.concatenate([3 * np.sin(x), x * x - 1], axis=1)
    heads = {
        "two linear outputs": (2, []),
        "two sigmoid outputs": (2, [Sigmoid()]),
        "one output for both": (1, []),
    }
    fitted = {}
    for name, (outputs, end) in heads.items():
        rng = np.random.default_rng(seed)
        hidden = [Linear(1, 64, rng=rng), Tanh(), Linear(64, 64, rng=rng), Tanh()]
        net = Sequential(*hidden, Linear(64, outputs, rng=rng), *end)
        y = targets if outputs == 2 else targets.mean(axis=1, keepdims=True)  # the best single compromise
        fit(net, x, y, lr=5e-3, epochs=800, every=800, loss=mse_loss, optimizer=adam)
        fitted[name] = np.broadcast_to(net(x), targets.shape)
    error = {name: float(((y - targets) ** 2).mean()) for name, y in fitted.items()}
    return {**error, "x": x[:, 0], "targets": targets, "fitted": fitted}


# -------------------------------------------------------------------------------- comparisons: outliers


def fit_line(x, y, loss, delta=1.0):
    """Slope and intercept that make a loss of the residuals smallest, exactly."""
    inputs = np.stack([x, np.ones_like(x)], axis=1)
    if loss == "squared error":
        return np.linalg.solve(inputs.T @ inputs, inputs.T @ y)
    if loss == "absolute error":  # some best line passes through two of the points: try all pairs
        i, j = np.triu_indices(len(x), 1)
        i, j = i[x[i] != x[j]], j[x[i] != x[j]]
        slope = (y[j] - y[i]) / (x[j] - x[i])
        lines = np.stack([slope, y[i] - slope * x[i]])
        return lines[:, np.abs(lines.T @ inputs.T - y).sum(axis=1).argmin()]
    line = fit_line(x, y, "absolute error")
    for _ in range(10_000):  # Huber: weighted least squares, the weights from the residuals, until they agree
        residual = inputs @ line - y
        weight = delta / np.maximum(np.abs(residual), delta)
        weighted = inputs * weight[:, None]
        line, old = np.linalg.solve(weighted.T @ inputs, weighted.T @ y), line
        if np.abs(line - old).max() < 1e-12:
            break
    return line


LINE_LOSSES = ("squared error", "absolute error", "Huber")


def outliers(seeds=20, shares=(0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)):
    """Mean distance between the fitted and the true line, by the share of outliers; medians over seeds.

    Among 40 points on y = 2 x + 1 with noise 0.5, the outliers are too high by 10 ("anywhere"), or they also
    lie at x = 6, far to the right of all others ("far to the right").
    """
    grid, medians = np.linspace(-2, 2, 41), {}
    for place in ("anywhere", "far to the right"):
        distance = np.empty((len(LINE_LOSSES), len(shares), seeds))
        for s, seed in np.ndindex(len(shares), seeds):
            rng = np.random.default_rng(seed)
            x, noise = rng.uniform(-2, 2, 40), rng.normal(0, 0.5, 40)
            bad = np.arange(40) < round(40 * shares[s])
            if place == "far to the right":
                x[bad] = 6 + 0.1 * x[bad]
            y = 2 * x + 1 + noise + 10 * bad
            for i, loss in enumerate(LINE_LOSSES):
                slope, intercept = fit_line(x, y, loss)
                distance[i, s, seed] = np.abs((slope - 2) * grid + intercept - 1).mean()
        medians[place] = dict(zip(LINE_LOSSES, np.median(distance, axis=2)))
    return np.array(shares), medians


# ------------------------------------------------------------------------- comparisons: class imbalance


def imbalance(seeds=3, shares=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5), n=4000):
    """Two tables of curves over the share of the rare class: its recall, and how often it is claimed.

    Two normal clouds at -1 (no) and 1 (yes) and a linear score that says yes from 0 on. Claimed: the mean
    predicted probability ÷ the share. "threshold moved" is the cross-entropy fit that says yes from the
    probability `share` on, instead of 1/2.
    """
    tables = {"recall": {}, "claimed": {}}
    for s, seed in np.ndindex(len(shares), seeds):
        rng, share = np.random.default_rng(seed), shares[s]
        ratio = (1 - share) / share
        y, y_test = np.arange(n) < share * n, np.arange(5 * n) < share * 5 * n
        x, x_test = rng.normal(2 * y - 1.0), rng.normal(2 * y_test - 1.0)
        plain, weighted, focal = (_descend(x, y * 1.0, gradient) for gradient in _gradients(ratio, n))
        rules = {
            "cross-entropy": (plain, 0),
            "threshold moved": (plain, -np.log(ratio)),
            "pos_weight": (weighted, 0),
            "focal": (focal, 0),
        }
        for name, ((weight, bias), threshold) in rules.items():
            score = weight * x_test + bias
            measured = {
                "recall": (score[y_test] > threshold).mean(),
                "claimed": _sigmoid(score).mean() / share,
            }
            for table, value in measured.items():
                tables[table].setdefault(name, np.zeros(len(shares)))[s] += value / seeds
    return np.array(shares), tables["recall"], tables["claimed"]


def _gradients(ratio, n):
    """Of cross-entropy, of the same with a yes weighing `ratio`, and of focal loss; of about one size."""
    binary = binary_cross_entropy_with_logits_backward.unchecked
    focal = sigmoid_focal_loss_backward.unchecked
    yield lambda score, y: binary(1.0, score, y)[0]
    yield lambda score, y: binary((1 + 1 / ratio) / 2, score, y, pos_weight=ratio)[0]
    yield lambda score, y: focal(8 / n, score, y, reduction="sum")[0]


def _descend(x, y, gradient, steps=400, lr=0.5, momentum=0.9):
    inputs, w, v = np.stack([x, np.ones_like(x)], axis=1), np.zeros(2), np.zeros(2)
    for _ in range(steps):
        v = momentum * v + inputs.T @ gradient(inputs @ w, y)
        w = w - lr * v
    return w


# ----------------------------------------------------------------------------- comparisons: label noise


def absolute_error(x, target):
    """1 - probability of the right class, averaged over rows: half of |softmax - one-hot|, summed."""
    return (1 - _softmax(x)[np.arange(len(x)), target]).mean()


def absolute_error_backward(grad_output, x, target):
    p = _softmax(x)
    grad_p = np.zeros_like(p)
    grad_p[np.arange(len(x)), target] = -grad_output / len(x)
    return _softmax_backward(grad_p, p)


NOISY_LOSSES = {
    "cross-entropy": cross_entropy,
    "label smoothing": partial(cross_entropy, label_smoothing=0.2),
    "absolute error": absolute_error,
    "multi-margin": multi_margin_loss,
}


def label_noise(seeds=2, shares=(0, 0.2, 0.4, 0.6), epochs=30):
    """Test accuracy in percent after every epoch, by loss: (shares, epochs + 1). Digits, 64-64-10 ReLU.

    A share of the training labels is drawn anew at random; the test labels are right. Of the learning rates
    0.1, 0.3 and 1, the first has the best last accuracy for each loss at a share of 0.4.
    """
    x, y, *test = digits(np.float32)
    accuracy = {name: np.zeros((len(shares), epochs + 1)) for name in NOISY_LOSSES}
    settings = dict(lr=0.1, momentum=0.9, epochs=epochs, batch_size=64, validation=test)
    for (name, loss), s, seed in product(NOISY_LOSSES.items(), range(len(shares)), range(seeds)):
        rng = np.random.default_rng(seed)
        noisy = np.where(rng.random(len(y)) < shares[s], rng.integers(0, 10, len(y)), y)
        net = Sequential(Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
        history = fit(net, x, noisy, loss=loss, rng=rng, **settings)
        accuracy[name][s] += 100 / seeds * np.array(history.validation_accuracy)
    return np.array(shares), accuracy
