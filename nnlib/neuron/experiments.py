"""What the papers on single neurons claimed, and what is claimed about them."""

from math import inf

import numpy as np

from nnlib import data
from nnlib.core import numerical_gradient
from nnlib.evidence import Band, experiment
from nnlib.neuron.in_numpy import logistic_neuron, perceptron, perceptron_update, step

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])


def sweep(x, y, weight, bias, with_bias=True):
    """Rosenblatt's rule once through all samples; returns weight, bias and the number of mistakes."""
    mistakes = 0
    for sample, target in zip(x, y, strict=True):
        new = perceptron_update.unchecked(sample, target, weight, bias)
        mistakes += not np.array_equal(new[0], weight) or new[1] != bias
        weight, bias = new[0], new[1] if with_bias else bias
    return weight, bias, mistakes


def logistic_regression(x, y, steps=30):
    """Weight and bias of the best logistic neuron, by Newton's method on the cross-entropy."""
    x = np.column_stack([x, np.ones(len(x))])
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-9 * np.eye(len(w)), x.T @ (p - y))
    return w[:-1], w[-1]


@experiment(
    id="H02",
    kind="headline",
    claim="On separable data the perceptron stops after at most (R/γ)² mistakes.",
    source="Novikoff (1962), Symposium on the Mathematical Theory of Automata 12, 615–622",
    settings="400 points uniform in [−1, 1]², margin over 0.05 to a random line through 0, no bias",
    seeds=20,
    bands={"mistakes ÷ bound": Band(0, 1), "sweeps until one without a mistake": Band(1, 50)},
)
def mistake_bound(seed):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    normal = np.array([np.cos(angle), np.sin(angle)])
    x, y = data.separable(400, 0.05, rng, normal=normal)
    bound = (x**2).sum(1).max() / np.abs(x @ normal).min() ** 2  # R² / γ²
    weight, bias, mistakes = np.zeros(2), 0.0, []
    while len(mistakes) < 1000 and (not mistakes or mistakes[-1]):
        weight, bias, wrong = sweep(x, y, weight, bias, with_bias=False)
        mistakes.append(wrong)
    return {
        "mistakes ÷ bound": sum(mistakes) / bound,
        "sweeps until one without a mistake": len(mistakes) if mistakes[-1] == 0 else inf,
        "mistakes": mistakes,
        "bound": bound,
    }


@experiment(
    id="H03",
    kind="headline",
    claim="One perceptron cannot learn XOR: its weights run in a circle.",
    source="Minsky & Papert (1969), Perceptrons",
    settings="the four XOR points, with bias, Rosenblatt's rule in an order set by the seed; 100,000 lines",
    seeds=5,
    bands={
        "sweeps until the weights repeat": Band(1, 20),
        "fewest of 4 wrong after any sweep": Band(2, 2),
        "fewest of 4 wrong for any random line": Band(1, 1),
    },
)
def xor(seed):
    x, y = XOR
    rng = np.random.default_rng(seed)
    order, lines = rng.permutation(4), rng.normal(size=(3, 100_000))
    weight, bias, seen, wrong = np.zeros(2), 0.0, set(), []
    while (*weight, bias) not in seen and len(seen) < 1000:
        seen.add((*weight, bias))
        wrong.append(int((perceptron(x, weight, bias) != y).sum()))
        weight, bias, _ = sweep(x[order], y[order], weight, bias)
    any_line = (step(x @ lines[:2] + lines[2]) != y[:, None]).sum(axis=0)
    return {
        "sweeps until the weights repeat": len(seen),
        "fewest of 4 wrong after any sweep": min(wrong),
        "fewest of 4 wrong for any random line": int(any_line.min()),
    }


@experiment(
    id="M01",
    kind="myth",
    claim="A neuron fires when its weighted sum passes a threshold and is silent otherwise.",
    verdict="misleading",
    truth="Only a step unit does. Sigmoid, tanh and ReLU units answer by degrees, and a threshold is a bias "
    "with the opposite sign.",
    settings="1,000 inputs with three features; threshold 0.7 against bias −0.7; a sigmoid on the same sums",
    seeds=10,
    bands={
        "outputs that differ between threshold and bias": Band(0, 0),
        "sigmoid outputs between 0.05 and 0.95": Band(50, 100, unit="%"),
    },
)
def threshold(seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(1000, 3)), rng.normal(size=3)
    fires = (x @ weight >= 0.7).astype(float)
    with_bias = perceptron(x, weight, -0.7)
    smooth = logistic_neuron(x, weight, -0.7)
    return {
        "outputs that differ between threshold and bias": int((fires != with_bias).sum()),
        "sigmoid outputs between 0.05 and 0.95": 100 * np.mean((smooth > 0.05) & (smooth < 0.95)),
        "sums": x @ weight,
        "smooth": smooth,
    }


@experiment(
    id="M02",
    kind="myth",
    claim="The perceptron rule finds the weights with the smallest error.",
    verdict="wrong",
    truth="It stops at some separating line if there is one. Otherwise it never settles, and where it stands "
    "when you stop it is an accident.",
    settings="two overlapping clouds of unit variance at ±(0.8, 0.8), 400 points, 100 sweeps, against the "
    "best logistic neuron",
    seeds=10,
    bands={"errors of the rule − errors of the logistic neuron": Band(2, 100, over="mean", unit=" points")},
)
def smallest_error(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(400) % 2)
    x = rng.normal(size=(400, 2)) + np.where(y == 1, 0.8, -0.8)[:, None]
    weight, bias, errors = np.zeros(2), 0.0, []
    for _ in range(100):
        weight, bias, _ = sweep(x, y, weight, bias)
        errors.append(100 * np.mean(perceptron(x, weight, bias) != y))
    best = 100 * np.mean((logistic_neuron(x, *logistic_regression(x, y)) > 0.5) != y)
    return {
        "errors of the rule − errors of the logistic neuron": errors[-1] - best,
        "errors": errors,
        "best": best,
    }


@experiment(
    id="M03",
    kind="myth",
    claim="Perceptrons can be trained by gradient descent; a multilayer perceptron is layers of perceptrons.",
    verdict="misleading",
    truth="The rule for one perceptron descends another loss, max(0, −t·z), that leaves the step out. "
    "Through a hidden step no gradient passes: its slope is 0 wherever it has one.",
    settings="XOR, 2-8-1 with hidden step units, sigmoid output, cross-entropy, SGD 0.5, 500 steps",
    seeds=5,
    bands={
        "largest gradient of a hidden weight": Band(0, 0),
        "largest move of a hidden weight": Band(0, 0),
        "largest slope of a step by central differences": Band(0, 0),
    },
)
def gradient_through_a_step(seed):
    x, y = XOR
    rng = np.random.default_rng(seed)
    w1, b1, w2, b2 = rng.normal(size=(2, 8)), rng.normal(size=8), rng.normal(size=8), 0.0
    start, largest = w1.copy(), 0.0
    for _ in range(500):
        z = x @ w1 + b1
        h = step(z)
        grad_y = (logistic_neuron(h, w2, b2) - y) / len(y)  # cross-entropy through the sigmoid
        slope = (step(z + 1e-6) - step(z - 1e-6)) / 2e-6  # of each hidden unit, as gradient descent needs it
        grad_w1 = x.T @ (np.outer(grad_y, w2) * slope)
        largest = max(largest, np.abs(grad_w1).max())
        w1, w2, b2 = w1 - 0.5 * grad_w1, w2 - 0.5 * h.T @ grad_y, b2 - 0.5 * grad_y.sum()
    points = np.array([-2.0, -0.5, 0.3, 1.0, 4.0])
    return {
        "largest gradient of a hidden weight": largest,
        "largest move of a hidden weight": np.abs(w1 - start).max(),
        "largest slope of a step by central differences": np.abs(
            numerical_gradient(lambda z: step(z).sum(), points)
        ).max(),
    }


@experiment(
    id="M04",
    kind="myth",
    claim="The activation of a perceptron is linear.",
    verdict="wrong",
    truth="It is a threshold. A linear unit gives numbers, not decisions; a threshold behind it decides.",
    settings="logical AND: the least-squares linear unit against Rosenblatt's rule, 100 sweeps",
    seeds=3,
    bands={
        "linear outputs that are neither 0 nor 1": Band(4, 4),
        "perceptron outputs that are right, of 4": Band(4, 4),
    },
)
def linear_activation(seed):
    x, y = XOR[0], np.array([0, 0, 0, 1])
    order = np.random.default_rng(seed).permutation(4)
    with_one = np.column_stack([x, np.ones(4)])
    linear = with_one @ np.linalg.lstsq(with_one, y, rcond=None)[0]
    weight, bias = np.zeros(2), 0.0
    for _ in range(100):
        weight, bias, _ = sweep(x[order], y[order], weight, bias)
    return {
        "linear outputs that are neither 0 nor 1": int((np.abs(linear * (linear - 1)) > 1e-6).sum()),
        "perceptron outputs that are right, of 4": int((perceptron(x, weight, bias) == y).sum()),
        "linear": linear,
    }


@experiment(
    id="M05",
    kind="myth",
    claim="The bias term stores the bias or the prior knowledge contained in the data.",
    verdict="misleading",
    truth="It shifts the boundary to where the data are: the log-odds of the classes, plus what it takes to "
    "move the line to the data.",
    settings="balanced clouds of unit variance at (2, 2) and (4, 4), 2,000 points, logistic regression; then "
    "centered; then without inputs at 20 % positives",
    seeds=10,
    bands={
        "bias, balanced classes": Band(-20, -8),
        "bias after centering the inputs": Band(-0.5, 0.5),
        "bias without inputs (log-odds −1.39)": Band(-1.59, -1.19, digits=3),
        "accuracy without a bias": Band(45, 60, unit="%"),
        "accuracy with a bias": Band(85, 97, unit="%"),
    },
)
def bias_is_not_prior(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(2000) % 2)
    x = rng.normal(size=(2000, 2)) + np.where(y == 1, 4, 2)[:, None]
    weight, bias = logistic_regression(x, y)
    centered = logistic_regression(x - x.mean(axis=0), y)
    rare = rng.uniform(size=2000) < 0.2
    no_inputs = logistic_regression(np.empty((2000, 0)), rare)
    without = through_the_origin(x, y)
    return {
        "bias, balanced classes": bias,
        "bias after centering the inputs": centered[1],
        "bias without inputs (log-odds −1.39)": no_inputs[1],
        "accuracy without a bias": 100 * np.mean((x @ without > 0) == y),
        "accuracy with a bias": 100 * np.mean((x @ weight + bias > 0) == y),
    }


def through_the_origin(x, y, steps=300):
    """The best logistic neuron without a bias, by gradient descent on the cross-entropy."""
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        p = logistic_neuron(x, w, 0.0)
        w -= 0.05 * x.T @ (p - y) / len(x)
    return w
