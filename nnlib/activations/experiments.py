"""Headlines and myths of notebook 02, each a function of a seed that fits on a screen and can be copied."""

from math import sqrt

import numpy as np

from nnlib import data
from nnlib.activations.in_numpy import leaky_relu, leaky_relu_backward, sigmoid, tanh
from nnlib.evidence import Band, experiment
from nnlib.layers import Layer, Linear, ReLU, Sequential, Sigmoid, Tanh, fit
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, mse_loss
from nnlib.optimizers.in_numpy import adam


def leaky():
    return Layer(leaky_relu, leaky_relu_backward)


def network(sizes, activation, rng):
    """Linear layers with an activation between each two of them; None for no activation."""
    layers = [Linear(sizes[0], sizes[1], rng=rng)]
    for i, o in zip(sizes[1:], sizes[2:]):
        layers += [*([activation()] if activation else []), Linear(i, o, rng=rng)]
    return Sequential(*layers)


def xavier(model, rng):
    """Weights U(-a, a) with a = sqrt(6 / (inputs + outputs)), biases 0."""
    for layer in model.layers:
        if "weight" in layer.params:
            bound = sqrt(6 / sum(layer.params["weight"].shape))
            layer.params["weight"][...] = rng.uniform(-bound, bound, layer.params["weight"].shape)
            layer.params["bias"][...] = 0
    return model


@experiment(
    id="H04",
    kind="headline",
    claim="Rectifiers train deep networks without pre-training, and at the start half are silent.",
    source="Glorot, Bordes & Bengio (2011), Deep sparse rectifier neural networks",
    settings="digits, 64-64-64-64-64-64-64-10, Xavier uniform, biases 0, SGD 0.1, momentum 0.9, batch 64, "
    "15 epochs; zeros in the first layer of 64-64-10 at the start",
    seeds=5,
    bands={
        "sigmoid: test accuracy": Band(0, 30, unit="%"),
        "ReLU: test accuracy": Band(85, 100, over="best", unit="%"),
        "leaky ReLU: test accuracy": Band(85, 100, over="best", unit="%"),
        "zeros among the ReLU outputs": Band(40, 60, over="mean", unit="%"),
    },
)
def deep_rectifiers(seed):
    x, y, x_test, y_test = data.digits(np.float32)
    kinds = {"sigmoid": Sigmoid, "tanh": Tanh, "ReLU": ReLU, "leaky ReLU": leaky}
    result = {"curves": {}}
    for name, activation in kinds.items():
        rng = np.random.default_rng(seed)
        model = xavier(network((64, *[64] * 6, 10), activation, rng), rng)
        settings = dict(lr=0.1, momentum=0.9, epochs=15, batch_size=64, rng=rng)
        history = fit(model, x, y, validation=(x_test, y_test), **settings)
        result["curves"][name] = history.epoch, 100 * np.array(history.validation_accuracy)
        result[f"{name}: test accuracy"] = 100 * history.validation_accuracy[-1]
    rng = np.random.default_rng(seed)
    shallow = xavier(network((64, 64, 10), ReLU, rng), rng)
    hidden = shallow[1].forward(shallow[0].forward(x))
    return result | {"zeros among the ReLU outputs": 100 * np.mean(hidden == 0)}


@experiment(
    id="M06",
    kind="myth",
    claim="Leaky ReLU returns the constant 0.01 for negative inputs.",
    verdict="wrong",
    truth="It returns 0.01 times its input. The constant would jump at 0 and, being flat, pass no gradient.",
    settings="9 points from −4 to 4",
    seeds=1,
    bands={"largest difference": Band(0.05, 0.05), "slope of leaky ReLU at −2": Band(0.01, 0.01)},
)
def leaky_constant(seed):
    x = np.linspace(-4, 4, 9)
    return {
        "largest difference": np.abs(leaky_relu(x) - np.where(x > 0, x, 0.01)).max(),
        "slope of leaky ReLU at −2": leaky_relu_backward(np.ones(1), np.array([-2.0]))[0],
    }


@experiment(
    id="M07",
    kind="myth",
    claim="tanh(z) = e^z − e^(−z) / e^z + e^(−z).",
    verdict="wrong",
    truth="Numerator and denominator are sums and need parentheses: (e^z − e^(−z)) / (e^z + e^(−z)).",
    settings="z = 1, typed as written",
    seeds=1,
    bands={"as written": Band(2.950, 2.952, digits=4), "tanh": Band(0.761, 0.763, digits=4)},
)
def tanh_without_parentheses(seed):
    z = np.array(1.0)
    return {"as written": np.exp(z) - np.exp(-z) / np.exp(z) + np.exp(-z), "tanh": tanh(z)}


@experiment(
    id="M08",
    kind="myth",
    claim="Sigmoid and tanh are both for the layers in front of the output.",
    verdict="wrong",
    truth="Both are outputs, too: a sigmoid where the answer is yes or no, for one label or for many, a tanh "
    "where the target lies between −1 and 1. But a tanh is no probability: it may be negative.",
    settings="digits, below 5 or not, 64-64-1 ReLU, Adam 2e-3, batch 64, 20 epochs; sigmoid output with "
    "binary cross-entropy on 0 and 1, tanh output with squared error on −1 and 1",
    seeds=3,
    bands={
        "sigmoid output: test accuracy": Band(90, 100, unit="%"),
        "tanh output: test accuracy": Band(90, 100, unit="%"),
        "tanh outputs below 0": Band(35, 65, unit="%"),
    },
)
def sigmoid_as_output(seed):
    x, y, x_test, y_test = data.digits(np.float32)
    rng, small = np.random.default_rng(seed), (y[:, None] < 5).astype(np.float32)
    settings = dict(lr=2e-3, epochs=20, batch_size=64, rng=rng, optimizer=adam)
    yes_no = network((64, 64, 1), ReLU, rng)
    fit(yes_no, x, small, loss=binary_cross_entropy_with_logits, **settings)  # the loss holds the sigmoid
    bounded = Sequential(*network((64, 64, 1), ReLU, rng).layers, Tanh())
    fit(bounded, x, 2 * small - 1, loss=mse_loss, **settings)
    probability, between = sigmoid(yes_no(x_test))[:, 0], bounded(x_test)[:, 0]
    return {
        "sigmoid output: test accuracy": 100 * ((probability > 0.5) == (y_test < 5)).mean(),
        "tanh output: test accuracy": 100 * ((between > 0) == (y_test < 5)).mean(),
        "tanh outputs below 0": 100 * (between < 0).mean(),
    }


@experiment(
    id="M09",
    kind="myth",
    claim="Without activation functions a network is a simple linear regression.",
    verdict="misleading",
    truth="It is one affine map. Whether that is a regression or a classifier is decided by the loss, and as "
    "a classifier of digits it is a good one.",
    settings="5-7-6-2 without activations against the product of its layers, float64, difference ÷ largest "
    "output; digits, 64-64-64-10 without activations, cross-entropy, SGD 0.1, momentum 0.9, batch 64, "
    "200 steps",
    seeds=10,
    bands={
        "layers − their product": Band(0, 1e-12),
        "digits without activations: test accuracy": Band(90, 100, unit="%"),
    },
)
def no_activation(seed):
    rng = np.random.default_rng(seed)
    sizes, x = (5, 7, 6, 2), rng.normal(size=(100, 5))
    layers = [(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in zip(sizes, sizes[1:])]
    y, weight, bias = x, np.eye(5), np.zeros(5)
    for w, b in layers:
        y = y @ w.T + b
        weight, bias = w @ weight, w @ bias + b
    difference = np.abs(y - (x @ weight.T + bias)).max() / np.abs(y).max()

    x, y, x_test, y_test = data.digits(np.float32)
    model = network((64, 64, 64, 10), None, rng)
    fit(model, x, y, lr=0.1, momentum=0.9, epochs=10, batch_size=64, rng=rng)  # 10 times 20 steps
    right = (model(x_test).argmax(axis=1) == y_test).mean()
    return {
        "layers − their product": difference,
        "digits without activations: test accuracy": 100 * right,
        "weight": weight,
    }
