"""Headlines and myths of notebook 14, each a function of a seed that fits on a screen and can be copied."""

from math import inf

import numpy as np

from nnlib.convolution.in_numpy import conv2d, max_pool2d
from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, fit
from nnlib.optimizers.in_numpy import adam


def placed(images, rng, size=12):
    """Each 8 x 8 digit (N, 64) somewhere on an empty picture: (N, 1, size, size)."""
    pictures = np.zeros((len(images), 1, size, size), images.dtype)
    corners = rng.integers(0, size - 7, size=(len(images), 2))
    for picture, image, (h, w) in zip(pictures[:, 0], images.reshape(-1, 8, 8), corners):
        picture[h : h + 8, w : w + 8] = image
    return pictures


@experiment(
    id="H35",
    kind="headline",
    claim="Shared weights beat a dense network of twice the size.",
    source="LeCun et al. (1989), doi:10.1162/neco.1989.1.4.541, and LeCun, Bottou, Bengio & Haffner (1998)",
    settings="digits placed at random in 12 x 12; dense 144-64-10 (9,930 parameters); conv 12 - pool - conv "
    "24 - pool - linear, 3 x 3 (4,906); Adam 2e-3, batch 64, 20 epochs",
    seeds=5,
    bands={
        "error, convolutional ÷ dense": Band(0, 0.6),
        "parameters, dense ÷ convolutional": Band(2, 2.1, digits=3),
    },
)
def shared_weights(seed):
    x, y, x_test, y_test = digits(np.float32)
    rng = np.random.default_rng(seed)
    x, x_test = placed(x, rng), placed(x_test, rng)
    start = {name: np.random.default_rng(seed) for name in ("dense", "convolutional")}

    rng = start["dense"]
    dense = Sequential(Flatten(), Linear(144, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng))
    rng = start["convolutional"]
    first = Conv2d(1, 12, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)  # 12 x 12 to 6 x 6
    second = Conv2d(12, 24, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)  # to 3 x 3
    convolutional = Sequential(*first, *second, Flatten(), Linear(24 * 9, 10, rng=rng))

    result = {}
    for name, net in (("dense", dense), ("convolutional", convolutional)):
        options = dict(lr=2e-3, batch_size=64, rng=start[name], validation=(x_test, y_test))
        history = fit(net, x, y, optimizer=adam, epochs=20, **options)
        errors = 100 * (1 - np.array(history.validation_accuracy))
        result |= {f"{name}: error": errors[-1], f"{name}: curve": errors, f"{name}: size": net.params.size}
    error, size = ({name: result[f"{name}: {what}"] for name in start} for what in ("error", "size"))
    return result | {
        "error, convolutional ÷ dense": error["convolutional"] / error["dense"],
        "parameters, dense ÷ convolutional": size["dense"] / size["convolutional"],
    }


# ---------------------------------------------------------------------------------------- moving pictures


def moved(pictures, by):
    """Every picture `by` pixels to the right; what leaves at the right must be empty."""
    return np.roll(pictures, by, axis=-1)


def change(result, expected):
    """How far two results lie apart, in percent of the expected one."""
    return 100 * np.linalg.norm(result - expected) / np.linalg.norm(expected)


@experiment(
    id="H36",
    kind="headline",
    claim="A convolution moves with its input; pooling with a stride does not.",
    source="Zhang (2019), Making Convolutional Networks Shift-Invariant Again, arXiv:1904.11486",
    settings="540 test digits padded by 2; a random 3 x 3 convolution, and max pooling by 2; pictures moved "
    "by 1 and by 2 pixels",
    seeds=5,
    bands={
        "convolution, 1 pixel: output − moved output": Band(0, 1e-12, unit="%"),
        "pooling, 1 pixel: output − old output": Band(30, inf, unit="%"),
        "pooling, 1 pixel: output − moved output": Band(30, inf, unit="%"),
        "pooling, 2 pixels: output − moved output": Band(0, 0, unit="%"),
    },
)
def moves_with_its_input(seed):
    x = np.pad(digits().x_test.reshape(-1, 1, 8, 8), ((0, 0), (0, 0), (2, 2), (2, 2)))
    weight = np.random.default_rng(seed).normal(size=(4, 1, 3, 3))
    y, pooled = conv2d(x, weight, padding="same"), max_pool2d(x, 2)
    return {
        "convolution, 1 pixel: output − moved output": change(
            conv2d(moved(x, 1), weight, padding="same"), moved(y, 1)
        ),
        "pooling, 1 pixel: output − old output": change(max_pool2d(moved(x, 1), 2), pooled),
        "pooling, 1 pixel: output − moved output": change(max_pool2d(moved(x, 1), 2), moved(pooled, 1)),
        "pooling, 2 pixels: output − moved output": change(max_pool2d(moved(x, 2), 2), moved(pooled, 1)),
        "pictures": (x[:1], moved(x[:1], 1)),
    }


@experiment(
    id="M58",
    kind="myth",
    claim="Pooling gives translation invariance.",
    verdict="misleading",
    truth="Approximately, for what stays within a window. When digits move by one pixel, the output of a "
    "pooling changes by about half of its length; only the maximum of the whole picture stays the same.",
    settings="540 test digits padded by 2, and as many random pictures; max pooling by 2, by 4 and over "
    "everything; pictures moved by 1 pixel",
    seeds=5,
    bands={
        "random pictures, pooling by 2: output − old output": Band(30, inf, unit="%"),
        "digits, pooling by 4: output − old output": Band(30, inf, unit="%"),
        "digits, maximum over everything: output − old output": Band(0, 0, unit="%"),
    },
)
def pooling_is_invariant(seed):
    noise = np.random.default_rng(seed).uniform(size=(540, 1, 8, 8))
    noise, x = (
        np.pad(pictures, ((0, 0), (0, 0), (2, 2), (2, 2)))
        for pictures in (noise, digits().x_test.reshape(-1, 1, 8, 8))
    )
    result = {}
    for name, pictures, window in (
        ("random pictures, pooling by 2", noise, 2),
        ("digits, pooling by 4", x, 4),
        ("digits, maximum over everything", x, 12),
    ):
        after, before = max_pool2d(moved(pictures, 1), window), max_pool2d(pictures, window)
        result[f"{name}: output − old output"] = change(after, before)
    return result


@experiment(
    id="M57",
    kind="myth",
    claim="Pooling reduces the number of parameters.",
    verdict="misleading",
    truth="It has none and changes none in a convolution, whose weights do not depend on the size of the "
    "picture. Only a dense layer behind it shrinks.",
    settings="28 x 28 pictures; two 3 x 3 convolutions with 8 and 16 channels, with and without pooling by "
    "2 after each; then a dense layer to 10 classes",
    seeds=1,
    bands={
        "convolutions, without pooling": Band(1248, 1248),
        "convolutions, with pooling": Band(1248, 1248),
        "dense layer behind, without ÷ with pooling": Band(15, 17),
    },
)
def pooling_saves_parameters(seed):
    x, counts = np.zeros((1, 1, 28, 28)), {}
    for name, pool in (("without", lambda: []), ("with", lambda: [MaxPool2d(2)])):
        rng = np.random.default_rng(seed)
        first = [Conv2d(1, 8, 3, padding=1, rng=rng), ReLU(), *pool()]
        convolutions = Sequential(*first, Conv2d(8, 16, 3, padding=1, rng=rng), ReLU(), *pool(), Flatten())
        features = convolutions(x).shape[1]
        counts[name] = convolutions.params.size, Sequential(Linear(features, 10, rng=rng)).params.size
    return {
        "convolutions, without pooling": counts["without"][0],
        "convolutions, with pooling": counts["with"][0],
        "dense layer behind, without ÷ with pooling": counts["without"][1] / counts["with"][1],
        "dense": (counts["without"][1], counts["with"][1]),
    }
