"""Headlines and myths of notebook 10, each a function of a seed that fits on a screen and can be copied."""

from math import inf, sqrt

import numpy as np

from nnlib.activations.in_numpy import gelu, leaky_relu, sigmoid
from nnlib.data import digits
from nnlib.evidence import Band, at_least, experiment
from nnlib.initialization.in_numpy import (
    kaiming_normal,
    lecun_normal,
    normal,
    signals,
    xavier_normal,
    xavier_uniform,
)
from nnlib.layers import Linear, ReLU, Sequential, Tanh, draw, fit, fit_many, initialize
from nnlib.losses.in_numpy import cross_entropy_backward

# -------------------------------------------------------------------------------------- the headlines


def old_standard(u):
    """What was common before 2010: U(-1, 1) / sqrt(fan_in), of variance 1 / (3 fan_in)."""
    return (2 * u - 1) / sqrt(u.shape[1])


@experiment(
    id="H20",
    kind="headline",
    claim="From the old standard start, back-propagated gradients shrink from layer to layer; from Xavier's "
    "they hardly do.",
    source="Glorot & Bengio (2010), AISTATS, Figure 7",
    settings="64-(256 × 5)-10 tanh on all 1,797 digits, U(±1/√fan_in) against Xavier uniform; standard "
    "deviation of the gradient at the first hidden layer ÷ at the last",
    seeds=8,
    bands={"old standard": Band(0, 0.25), "Xavier": Band(0.6, 1)},
)
def shrinking_gradients(seed):
    d = digits()
    x, y = np.concatenate([d.x_train, d.x_test]), np.concatenate([d.y_train, d.y_test])
    result = {"gradients": {}}
    for name, scheme in (("old standard", old_standard), ("Xavier", xavier_uniform)):
        rng = np.random.default_rng(seed)
        sizes = (64, 256, 256, 256, 256, 256, 10)
        weights = [draw(scheme, (o, i), rng) for i, o in zip(sizes, sizes[1:])]
        h = [x]
        for weight in weights[:-1]:
            h.append(np.tanh(h[-1] @ weight.T))
        grad, _ = cross_entropy_backward(1.0, h[-1] @ weights[-1].T, y)
        grads = []
        for weight, output in zip(weights[:0:-1], h[:0:-1]):  # from the last hidden layer to the first
            grad = grad @ weight * (1 - output**2)
            grads.insert(0, grad)
        result[name] = grads[0].std() / grads[-1].std()
        result["gradients"][name] = grads
    return result


@experiment(
    id="H21",
    kind="headline",
    claim="Thirty layers of rectifiers: from Xavier's start nothing moves, from He's it learns.",
    source="He, Zhang, Ren & Sun (2015), arXiv:1502.01852, Figure 3",
    settings="digits, 64-(64 × 29)-10 ReLU, normal weights, zero biases, SGD 0.01 momentum 0.9, batch 64, 15"
    " epochs; fall of the training loss",
    seeds=4,
    bands={"Xavier": Band(-0.01, 0.01), "He": Band(0.3, inf, over=at_least(3))},
)
def thirty_layers(seed):
    x, y, *_ = digits(np.float32)
    rng, starts = np.random.default_rng(seed), {"Xavier": xavier_normal, "He": kaiming_normal}
    models = []
    for scheme in starts.values():
        hidden = [layer for _ in range(29) for layer in (Linear(64, 64, rng=rng), ReLU())]
        models.append(initialize(Sequential(*hidden, Linear(64, 10, rng=rng)), scheme, rng))
    rngs = [np.random.default_rng(seed) for _ in models]
    histories = fit_many(models, x, y, lr=0.01, momentum=0.9, epochs=15, batch_size=64, rng=rngs)
    losses = {name: np.array(history.loss) for name, history in zip(starts, histories)}
    return {**{name: loss[0] - loss[-1] for name, loss in losses.items()}, "losses": losses}


@experiment(
    id="H22",
    kind="headline",
    claim="Of four scales, a factor of √2 or 2 apart, only variance 2/n keeps a signal alive through fifty "
    "rectifier layers.",
    source="He, Zhang, Ren & Sun (2015), arXiv:1502.01852, equations 9 and 10",
    settings="batch 256 of standard normal inputs, 50 ReLU layers of 128, normal weights; standard deviation"
    " of what the last layer hands on",
    seeds=10,
    bands={
        "half of He's": Band(0, 1e-12),
        "Xavier's": Band(0, 1e-6),
        "He's": Band(0.1, 3),
        "double He's": Band(1e12, inf),
    },
)
def fifty_layers(seed):
    rng = np.random.default_rng(seed)
    x, he = rng.normal(size=(256, 128)), np.stack([draw(kaiming_normal, (128, 128), rng) for _ in range(50)])
    weights = {"half of He's": he / 2, "Xavier's": he / sqrt(2), "He's": he, "double He's": 2 * he}
    layers = {name: signals(x, weight).std(axis=(1, 2)) for name, weight in weights.items()}
    return {**{name: deviations[-1] for name, deviations in layers.items()}, "layers": layers}


# ------------------------------------------------------------------------------------------ the myths


@experiment(
    id="M37",
    kind="myth",
    claim="Xavier weights have variance 2/t with t = √(fan_in + fan_out).",
    verdict="wrong",
    truth="The variance is 2/(fan_in + fan_out) = 2/t²; 2/t forgets to square.",
    settings="fan_in 300, fan_out 100, a million draws",
    seeds=5,
    bands={
        "variance ÷ (2 / (fan_in + fan_out))": Band(0.99, 1.01, digits=3),
        "variance ÷ the claim's": Band(0.049, 0.051),
    },
)
def xavier_variance(seed):
    rng = np.random.default_rng(seed)
    weights = np.stack([draw(xavier_normal, (100, 300), rng) for _ in range(34)])
    return {
        "variance ÷ (2 / (fan_in + fan_out))": weights.var() / (2 / 400),
        "variance ÷ the claim's": weights.var() / (2 / sqrt(400)),
    }


@experiment(
    id="M38",
    kind="myth",
    claim="He initialization is not useful for ReLU or leaky ReLU, and it scales inputs exponentially.",
    verdict="wrong",
    truth="It was derived for rectifiers, so that depth does not scale the signal exponentially; the other "
    "scales do.",
    settings="standard deviation after 50 layers of 128, batch 256; ReLU as in H22, leaky ReLU of slope 0.2",
    seeds=10,
    bands={
        "ReLU, half of He's": Band(0, 1e-12),
        "ReLU, Xavier's": Band(0, 1e-6),
        "ReLU, He's": Band(0.1, 3),
        "ReLU, double He's": Band(1e12, inf),
        "leaky ReLU, Xavier's": Band(0, 1e-6),
        "leaky ReLU, He's": Band(0.1, 3),
        "leaky ReLU, double He's": Band(1e12, inf),
    },
)
def he_for_rectifiers(seed):
    end = {f"ReLU, {name}": sizes[-1] for name, sizes in fifty_layers(seed)["layers"].items()}
    he = sqrt(2 / (1 + 0.2**2) / 128)
    for name, std in {"Xavier's": sqrt(1 / 128), "He's": he, "double He's": 2 * he}.items():
        rng = np.random.default_rng(seed)
        h = rng.normal(size=(256, 128))
        for _ in range(50):
            h = leaky_relu(h @ draw(normal, (128, 128), rng, std=std).T, 0.2)
        end[f"leaky ReLU, {name}"] = h.std()
    return end


@experiment(
    id="M39",
    kind="myth",
    claim="He initialization solves dying neurons.",
    verdict="misleading",
    truth="It sets the scale at the start; a large learning rate still kills units.",
    settings="digits, 64-128-10 ReLU, He normal, SGD, batch 64, 3 epochs; units silent on all training "
    "digits",
    seeds=6,
    bands={"learning rate 3": Band(70, 100, unit="%"), "learning rate 0.1": Band(0, 10, unit="%")},
)
def dying_neurons(seed):
    x, y, *_ = digits(np.float32)
    silent = {}
    for lr in (3, 0.1):
        rng = np.random.default_rng(seed)
        net = Sequential(Linear(64, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng))
        initialize(net, kaiming_normal, rng)
        fit(net, x, y, lr=lr, epochs=3, batch_size=64, rng=rng)
        hidden = net[0].forward(x)
        silent[f"learning rate {lr}"] = 100 * (hidden <= 0).all(axis=0).mean()
    return silent


@experiment(
    id="M40",
    kind="myth",
    claim="LeCun's and Xavier's scales fail when the activation is not differentiable.",
    verdict="wrong",
    truth="The kink plays no part. ReLU halves the second moment in every layer, which these scales do not "
    "make up for: after fifty the deviation is down by 2^−25. |x| has the same kink and halves nothing, and "
    "survives; GELU has none, and dies.",
    settings="50 layers of 128, Xavier normal, batch 256; standard deviation of what the last layer hands on",
    seeds=10,
    bands={
        "ReLU: measured ÷ 2^−25": Band(0.2, 5),
        "|x|, with the same kink": Band(0.1, 3),
        "GELU, smooth everywhere": Band(0, 1e-6),
    },
)
def not_differentiable(seed):
    end = {}
    for name, f in {"relu": lambda z: np.maximum(z, 0), "absolute": np.abs, "gelu": gelu}.items():
        rng = np.random.default_rng(seed)
        h = rng.normal(size=(256, 128))
        for _ in range(50):
            h = f(h @ draw(xavier_normal, (128, 128), rng).T)
        end[name] = h.std()
    return {
        "ReLU: measured ÷ 2^−25": end["relu"] / 2**-25,
        "|x|, with the same kink": end["absolute"],
        "GELU, smooth everywhere": end["gelu"],
    }


@experiment(
    id="M41",
    kind="myth",
    claim="LeCun initialization is not useful in networks of constant width.",
    verdict="wrong",
    truth="With fan_in = fan_out it is Xavier's: both variances are 1/n.",
    settings="digits, 64-(64 × 8)-10 tanh, the same draws under both schemes, SGD 0.1, batch 64, 5 epochs",
    seeds=5,
    bands={
        "largest difference of two weights at the start": Band(0, 0),
        "LeCun: test accuracy": Band(75, 100, unit="%"),
        "difference of the two accuracies": Band(0, 0, unit="%"),
    },
)
def lecun_at_constant_width(seed):
    x, y, x_test, y_test = digits(np.float32)
    starts, right = [], []
    for scheme in (lecun_normal, xavier_normal):
        rng = np.random.default_rng(seed)
        hidden = [layer for _ in range(8) for layer in (Linear(64, 64, rng=rng), Tanh())]
        starts.append(initialize(Sequential(*hidden), scheme, rng).params.copy())
        net = Sequential(*hidden, Linear(64, 10, rng=rng))
        fit(net, x, y, lr=0.1, epochs=5, batch_size=64, rng=rng)
        right.append(100 * (net(x_test).argmax(axis=1) == y_test).mean())
    return {
        "largest difference of two weights at the start": np.abs(starts[0] - starts[1]).max(),
        "LeCun: test accuracy": right[0],
        "difference of the two accuracies": abs(right[0] - right[1]),
    }


@experiment(
    id="M42",
    kind="myth",
    claim="Constant weights turn a network into a linear model.",
    verdict="wrong",
    truth="They make all units of a layer copies of one: a network of width 1, which is still not linear.",
    settings="digits, 64-32-10 ReLU, all weights 0.05, biases 0, SGD 0.1, batch 64, 20 epochs; then f(x) + "
    "f(−x) of a constant 64-32-1",
    seeds=4,
    bands={
        "spread between hidden units after training": Band(0, 1e-4),  # rounding may tell them apart
        "test accuracy": Band(0, 30, unit="%"),
        "mean |f(x) + f(−x)|, 0 for a linear map": Band(0.1, inf),
    },
)
def constant_weights(seed):
    x, y, x_test, y_test = digits(np.float32)
    rng = np.random.default_rng(seed)
    net = Sequential(Linear(64, 32, rng=rng), ReLU(), Linear(32, 10, rng=rng))
    for layer in (net[0], net[2]):
        layer.params["weight"][...], layer.params["bias"][...] = 0.05, 0
    fit(net, x, y, lr=0.1, epochs=20, batch_size=64, rng=rng)
    points = rng.normal(size=(1000, 64))
    f = lambda x: np.maximum(x @ np.full((64, 32), 0.05), 0) @ np.full(32, 0.05)  # noqa: E731
    return {
        "spread between hidden units after training": np.ptp(net[0].params["weight"], axis=0).max(),
        "test accuracy": 100 * (net(x_test).argmax(axis=1) == y_test).mean(),
        "mean |f(x) + f(−x)|, 0 for a linear map": np.abs(f(points) + f(-points)).mean(),
    }


@experiment(
    id="M43",
    kind="myth",
    claim="Random weights close to zero saturate the units.",
    verdict="wrong",
    truth="Large weights saturate; small ones shrink the signal.",
    settings="sigmoid layer of 100 units on 100 standard normal inputs, 1,000 samples; outputs below 0.05 or"
    " above 0.95",
    seeds=5,
    bands={
        "weights of deviation 0.01": Band(0, 1, unit="%"),
        "weights of deviation 3": Band(80, 100, unit="%"),
    },
)
def small_weights_saturate(seed):
    rng = np.random.default_rng(seed)
    x, saturated = rng.normal(size=(1000, 100)), {}
    for std in (0.01, 3):
        z = x @ draw(normal, (100, 100), rng, std=std).T
        y = sigmoid(z)
        saturated[f"weights of deviation {std}"] = 100 * ((y < 0.05) | (y > 0.95)).mean()
    return saturated
