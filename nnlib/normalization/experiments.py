"""Headlines and myths of notebook 11, each a function of a seed that fits on a screen and can be copied."""

from math import inf, pi, sqrt

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import BatchNorm1d, GroupNorm, LayerNorm, Linear, ReLU, Sequential, Sigmoid, fit
from nnlib.normalization.in_numpy import (
    batch_norm,
    batch_norm_backward,
    feature_range,
    feature_statistics,
    min_max,
    standardize,
)
from nnlib.optimizers.in_numpy import adam

# ---------------------------------------------------------------------------------------- the inputs


@experiment(
    id="H23",
    kind="headline",
    claim="Standardized inputs make plain gradient descent work.",
    source="LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.3",
    settings="digits, each pixel times 10^U(-2, 2); 64-64-10 ReLU, SGD 0.05, batch 64, 20 epochs",
    seeds=8,
    bands={"gain by standardizing": Band(10, inf, over="mean", unit="points")},
)
def standardized_inputs(seed):
    x, y, x_test, y_test = digits(np.float32)
    scales = np.float32(10) ** np.random.default_rng(seed).uniform(-2, 2, size=64).astype(np.float32)
    raw = (x * scales, x_test * scales)
    mean, std = feature_statistics(raw[0])  # of the training part only
    data = {"raw": raw, "standardized": tuple(standardize(part, mean, std) for part in raw)}
    accuracy = {}
    for name, (train, test) in data.items():
        rng = np.random.default_rng(seed)
        net = Sequential(Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
        fit(net, train, y, lr=0.05, epochs=20, batch_size=64, rng=rng)
        accuracy[name] = 100 * (net(test).argmax(axis=1) == y_test).mean()
    return {"gain by standardizing": accuracy["standardized"] - accuracy["raw"], **accuracy}


@experiment(
    id="M44",
    kind="myth",
    claim="Min-max scaling gives zero mean and unit variance.",
    verdict="misleading",
    truth="It maps to the interval from 0 to 1; mean and spread inside it depend on the data.",
    settings="1,000 values u³ with u uniform",
    seeds=10,
    bands={"mean": Band(0.1, inf), "standard deviation": Band(0, 0.5)},
)
def min_max_standardizes(seed):
    x = np.random.default_rng(seed).uniform(size=(1000, 1)) ** 3
    y = min_max(x, *feature_range(x))
    return {"mean": y.mean(), "standard deviation": y.std(), "scaled": y}


@experiment(
    id="M48",
    kind="myth",
    claim="Normalizing inputs improves generalization.",
    verdict="misleading",
    truth="It hurts when small features are noise, which it makes large, and helps when large features are "
    "noise, which it makes small.",
    settings="4 useful features (sd 3), 100 noise features (sd 0.05), n = 100; 104-64-2 ReLU, Adam 2e-3, "
    "batch 20, 60 epochs; contrast: the two spreads swapped",
    seeds=8,
    bands={
        "small noise: accuracy lost by standardizing": Band(20, inf, unit="points"),
        "large noise: accuracy gained by standardizing": Band(8, inf, unit="points"),
        "training accuracy, lowest of the four": Band(99, 100, unit="%"),
    },
)
def standardizing_helps(seed):
    rng = np.random.default_rng(seed)
    useful, noise, w = rng.normal(size=(2100, 4)), rng.normal(size=(2100, 100)), rng.normal(size=4)
    y = (useful @ w > 0).astype(np.int64)
    fitted, accuracy = [], {}
    for name, scales in (("small noise", (3, 0.05)), ("large noise", (0.05, 3))):
        x = np.concatenate([scales[0] * useful, scales[1] * noise], axis=1)
        scaled = standardize(x, *feature_statistics(x[:100]))  # 100 to train on, 2,000 to test
        for kind, inputs in (("raw", x), ("standardized", scaled)):
            rng = np.random.default_rng(seed)
            net = Sequential(Linear(104, 64, rng=rng), ReLU(), Linear(64, 2, rng=rng))
            fit(net, inputs[:100], y[:100], optimizer=adam, lr=2e-3, epochs=60, batch_size=20, rng=rng)
            right = net(inputs).argmax(axis=1) == y
            fitted.append(100 * right[:100].mean())
            accuracy[f"{name}, {kind}"] = 100 * right[100:].mean()
    lost = accuracy["small noise, raw"] - accuracy["small noise, standardized"]
    gained = accuracy["large noise, standardized"] - accuracy["large noise, raw"]
    return {
        "small noise: accuracy lost by standardizing": lost,
        "large noise: accuracy gained by standardizing": gained,
        "training accuracy, lowest of the four": min(fitted),
        **accuracy,
    }


# -------------------------------------------------------------------------------- what batch norm does


@experiment(
    id="M45",
    kind="myth",
    claim="Batch norm gives its layer's data zero mean and unit variance.",
    verdict="misleading",
    truth="Only before γ and β, which the network learns; what leaves the layer has mean β and standard "
    "deviation γ.",
    settings="64 samples, 3 features, γ = 2, β = 5",
    seeds=10,
    bands={"mean": Band(4.99, 5.01, digits=3), "standard deviation": Band(1.99, 2.01, digits=3)},
)
def batch_norm_standardizes(seed):
    x = np.random.default_rng(seed).normal(-1, 3, size=(64, 3))
    y = batch_norm(x, weight=np.full(3, 2.0), bias=np.full(3, 5.0))
    return {"mean": y[:, 0].mean(), "standard deviation": y[:, 0].std()}


class ShiftedBatchNorm(BatchNorm1d):
    """Batch norm followed by a random scale and shift of each feature, new in every training step."""

    def __init__(self, num_features, rng):
        super().__init__(num_features)
        self.rng = rng

    def forward(self, x):
        y = super().forward(x)
        if not self.training:
            return y
        noise = 0.5 * self.rng.standard_normal((2, x.shape[1]), dtype=x.dtype)
        self.scale = 1 + noise[0]
        return self.scale * y + noise[1]

    def backward(self, grad_output, want_input=True):
        return super().backward(self.scale * grad_output, want_input)


def sigmoid_net(rng, norm=None):
    """64-100-100-100-10 with sigmoids, a norm in front of each, and weights N(0, 0.1)."""
    layers = []
    for inputs in (64, 100, 100):
        layers += [Linear(inputs, 100, rng=rng), *([norm(100)] if norm else []), Sigmoid()]
    net = Sequential(*layers, Linear(100, 10, rng=rng))
    for layer in net.layers:
        if isinstance(layer, Linear):
            layer.params["weight"][...] = rng.normal(0, 0.1, layer.params["weight"].shape)
            layer.params["bias"][...] = 0
    return net


def train_sigmoid_net(seed, norm, epochs):
    """Test accuracy in percent before training and after every epoch."""
    x, y, x_test, y_test = digits(np.float32)
    rng = np.random.default_rng(seed)
    net = sigmoid_net(rng, norm)
    history = fit(net, x, y, lr=0.5, epochs=epochs, batch_size=60, rng=rng, validation=(x_test, y_test))
    return 100 * np.array(history.validation_accuracy)


@experiment(
    id="H24",
    kind="headline",
    claim="A sigmoid network trains sooner and higher with batch norm; on our digits the plain one has not "
    "started after 6 epochs.",
    source="Ioffe & Szegedy (2015), arXiv:1502.03167, Figure 1a",
    settings="digits, 64-100-100-100-10 sigmoid, weights N(0, 0.1), SGD 0.5, batch 60; test accuracy "
    "after epoch 6",
    seeds=5,
    bands={"with batch norm": Band(93, 100, unit="%"), "without": Band(5, 20, unit="%")},
)
def sigmoids_train(seed):
    curves = {
        "without": train_sigmoid_net(seed, None, epochs=20),
        "with batch norm": train_sigmoid_net(seed, BatchNorm1d, epochs=20),
    }
    return {**{name: curve[6] for name, curve in curves.items()}, "curves": curves}


@experiment(
    id="H25",
    kind="headline",
    claim="With the shift put back in on purpose, batch norm ends just as high, after a slower start.",
    source="Santurkar, Tsipras, Ilyas & Madry (2018), arXiv:1805.11604, section 2.1",
    settings="as H24, 12 epochs; after batch norm scale 1 + 0.5·N and shift 0.5·N, per feature and step",
    seeds=5,
    bands={
        "distance to batch norm": Band(0, 2, unit="points"),
        "behind after epoch 2": Band(0, 5, over="mean", unit="points"),
    },
)
def shift_put_back(seed):
    noise = np.random.default_rng(1000 + seed)
    norms = {
        "none": None,
        "batch norm": BatchNorm1d,
        "batch norm + shift": lambda size: ShiftedBatchNorm(size, noise),
    }
    curves = {name: train_sigmoid_net(seed, norm, epochs=12) for name, norm in norms.items()}
    ends = {name: curve[-1] for name, curve in curves.items()}
    return {
        "distance to batch norm": abs(ends["batch norm + shift"] - ends["batch norm"]),
        "behind after epoch 2": curves["batch norm"][2] - curves["batch norm + shift"][2],
        **ends,
        "curves": curves,
    }


@experiment(
    id="M46",
    kind="myth",
    claim="Batch norm works because it reduces internal covariate shift.",
    verdict="misleading",
    truth="Why it works is contested; with the shift put back in on purpose, it ends just as high.",
    settings="as H24, 12 epochs; after batch norm scale 1 + 0.5·N and shift 0.5·N, per feature and step",
    seeds=5,
    bands={
        "batch norm": Band(94, 99, unit="%"),
        "batch norm + shift": Band(94, 99, unit="%"),
        "distance to batch norm": Band(0, 2, unit="points"),
    },
)
def covariate_shift(seed):
    return shift_put_back(seed)


# ------------------------------------------------------------------------------------ where it breaks


@experiment(
    id="H26",
    kind="headline",
    claim="Batch norm breaks at tiny batches, group norm does not; layer norm loses a few points.",
    source="Wu & He (2018), arXiv:1803.08494, Figure 1 (batch and group norm)",
    settings="digits, 64-64-64-10 ReLU, SGD 0.1·B/64 momentum 0.9, 4 epochs, group norm with 4 groups; "
    "test error",
    seeds=4,
    bands={
        "batch norm: error at batch 2 ÷ error at batch 16": Band(6, inf),
        "group norm: error at batch 2": Band(0, 15, unit="%"),
        "layer norm: error at batch 2": Band(0, 18, unit="%"),
    },
)
def small_batches(seed):
    x, y, x_test, y_test = digits(np.float32)
    x, y = x[:1256], y[:1256]  # an even number: one row alone has no variance
    norms = {"batch norm": BatchNorm1d, "group norm": lambda n: GroupNorm(4, n), "layer norm": LayerNorm}
    error = {name: {} for name in norms}
    for name, norm in norms.items():
        for size in (2, 16):
            rng = np.random.default_rng(seed)
            hidden = [layer for _ in range(2) for layer in (Linear(64, 64, rng=rng), norm(64), ReLU())]
            net = Sequential(*hidden, Linear(64, 10, rng=rng))
            fit(net, x, y, lr=0.1 * size / 64, momentum=0.9, epochs=4, batch_size=size, rng=rng)
            error[name][size] = 100 * (net(x_test).argmax(axis=1) != y_test).mean()
    return {
        "batch norm: error at batch 2 ÷ error at batch 16": error["batch norm"][2] / error["batch norm"][16],
        "group norm: error at batch 2": error["group norm"][2],
        "layer norm: error at batch 2": error["layer norm"][2],
        "error": error,
    }


@experiment(
    id="H27",
    kind="headline",
    claim="At the start, gradients of deep batch-norm ReLU networks explode by about √(π/(π−1)) = 1.211 per "
    "layer.",
    source="Yang, Pennington, Rao, Sohl-Dickstein & Schoenholz (2019), arXiv:1902.08129",
    settings="40 ReLU layers of 128, batch 512, weights × 1: He initialization; growth of the gradient per "
    "layer on its way back",
    seeds=5,
    bands={
        "with batch norm": Band(1.18, 1.22, digits=3),
        "with batch norm, weights × 2": Band(1.18, 1.22, digits=3),
        "without": Band(0.97, 1.03, digits=3),
        "without, weights × 2": Band(1.94, 2.06, digits=3),
    },
)
def deep_gradients(seed):
    growth, names = {}, ("with batch norm", "without")
    for name, gain in ((name, gain) for name in names for gain in (1, 2)):
        rng = np.random.default_rng(seed)
        x, kept = rng.normal(size=(512, 128)), []
        for _ in range(40):
            w = rng.normal(0, gain * sqrt(2 / 128), size=(128, 128))
            z = x @ w
            out = batch_norm(z) if name == "with batch norm" else z
            kept.append((w, z, out))
            x = np.maximum(out, 0)
        g = rng.normal(size=x.shape)
        norms = [np.linalg.norm(g)]
        for w, z, out in reversed(kept[1:]):  # back to the output of the first layer
            g = g * (out > 0)
            g = (batch_norm_backward(g, z) if name == "with batch norm" else g) @ w.T
            norms.append(np.linalg.norm(g))
        case = name if gain == 1 else f"{name}, weights × {gain}"
        growth[case] = (norms[-1] / norms[0]) ** (1 / 39)
        growth[f"norms {case}"] = np.array(norms) / norms[0]
    return growth | {"theory": sqrt(pi / (pi - 1))}


@experiment(
    id="M47",
    kind="myth",
    claim="Batch norm protects from exploding gradients.",
    verdict="misleading",
    truth="It makes the growth independent of the scale of the weights, and fixes it at 1.2 per layer "
    "instead of 1 in a deep ReLU network at the start.",
    settings="40 ReLU layers of 128, batch 512, weights × 1: He initialization; growth of the gradient per "
    "layer on its way back",
    seeds=5,
    bands={
        "with batch norm": Band(1.18, 1.22, digits=3),
        "with batch norm, weights × 2": Band(1.18, 1.22, digits=3),
        "without": Band(0.97, 1.03, digits=3),
        "without, weights × 2": Band(1.94, 2.06, digits=3),
    },
)
def exploding_gradients(seed):
    return deep_gradients(seed)
