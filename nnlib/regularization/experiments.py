"""Headlines and myths of notebook 13, each a function of a seed that fits on a screen and can be copied."""

from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Dropout, Linear, ReLU, Sequential, fit, train
from nnlib.optimizers.in_numpy import adam
from nnlib.regularization.in_numpy import elastic_net_backward, proximal_step, ridge


def random_labels(y, share, rng):
    """Labels of which a share was drawn anew; one in ten of these is right by chance."""
    drawn = rng.random(len(y)) < share
    return np.where(drawn, rng.integers(0, 10, len(y)), y)


def error(model, x, y):
    """The share of wrong answers, in percent."""
    return 100 * (model(x).argmax(axis=1) != y).mean()


# ------------------------------------------------------------------------------------------- L1 and L2


def lasso_problem(seed, n=100, d=50, true=5):
    """n samples of d features, of which the first few matter: x, y and the true weights."""
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(n, d)), np.zeros(d)
    weight[:true] = rng.choice([-1, 1], true) * rng.uniform(1, 3, true)
    return x, x @ weight + 0.1 * rng.normal(size=n), weight


@experiment(
    id="H31",
    kind="headline",
    claim="The lasso selects: with proximal steps the weights of the useless features are exactly 0.",
    source="Tibshirani (1996), JRSS B 58, 267-288",
    settings="linear, 100 samples with noise 0.1, 50 features of which 5 matter, λ = 0.1, 5,000 steps with "
    "lr 0.1 (Adam 0.01)",
    seeds=6,
    bands={
        "exact zeros among the 45 useless": Band(43, 45),
        "exact zeros among the 5 that matter": Band(0, 0),
    },
)
def lasso_selects(seed, l1=0.1, steps=5000):
    x, y, true = lasso_problem(seed)
    w = {name: np.zeros(50) for name in ("proximal", "subgradient", "adam")}
    state = ()
    for t in range(1, steps + 1):
        grad = {name: x.T @ (x @ v - y) / len(x) for name, v in w.items()}  # of the loss alone
        penalty = {name: elastic_net_backward.unchecked(1.0, v, l1) for name, v in w.items()}
        w["proximal"] = proximal_step.unchecked(w["proximal"], grad["proximal"], 0.1, l1)
        w["subgradient"] = w["subgradient"] - 0.1 * (grad["subgradient"] + penalty["subgradient"])
        w["adam"], *state = adam.unchecked(w["adam"], grad["adam"] + penalty["adam"], *state, lr=0.01, t=t)
    return {
        "exact zeros among the 45 useless": (w["proximal"][true == 0] == 0).sum(),
        "exact zeros among the 5 that matter": (w["proximal"][true != 0] == 0).sum(),
        "exact zeros of 50: subgradient": (w["subgradient"] == 0).sum(),
        "exact zeros of 50: Adam on the same subgradient": (w["adam"] == 0).sum(),
        "weights": w,
    }


@experiment(
    id="M53",
    kind="myth",
    claim="L1 makes weights exactly zero.",
    verdict="misleading",
    truth="The minimum has exact zeros. A proximal step reaches them; steps along the subgradient, plain or "
    "with Adam, jump around them.",
    settings="as H31: 45 of the 50 features are useless",
    seeds=6,
    bands={
        "exact zeros of 50: subgradient": Band(0, 0),
        "exact zeros of 50: Adam on the same subgradient": Band(0, 0),
    },
)
def l1_makes_zeros(seed):
    return lasso_selects(seed)


@experiment(
    id="M54",
    kind="myth",
    claim="L1 and L2 ensure that a model does not overfit.",
    verdict="wrong",
    truth="They reduce it, by as much as their strength is tuned: too weak leaves the gap, too strong "
    "prevents learning.",
    settings="digits, n = 300, 20 % random labels, 64-256-10 ReLU, SGD 0.1 momentum 0.9, batch 32, 60 epochs",
    seeds=4,
    bands={
        "train − test accuracy at weight decay 0.001": Band(10, inf, unit="points"),
        "train accuracy at weight decay 0.1": Band(0, 60, unit="%"),
    },
)
def penalties_ensure(seed):
    x, y, x_test, y_test = digits(np.float32)
    accuracy = {}
    for decay in (1e-3, 1e-2, 1e-1):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(x))[:300]
        labels = random_labels(y[rows], 0.2, rng)
        net = Sequential(Linear(64, 256, rng=rng), ReLU(), Linear(256, 10, rng=rng))
        fit(net, x[rows], labels, lr=0.1, momentum=0.9, weight_decay=decay, epochs=60, batch_size=32, rng=rng)
        accuracy[decay] = 100 - error(net, x[rows], labels), 100 - error(net, x_test, y_test)
    return {
        "train − test accuracy at weight decay 0.001": accuracy[1e-3][0] - accuracy[1e-3][1],
        "train accuracy at weight decay 0.1": accuracy[1e-1][0],
        "accuracy": accuracy,
    }


@experiment(
    id="M55",
    kind="myth",
    claim="Overfitting shows in large weights.",
    verdict="misleading",
    truth="A ReLU network computes the same with its first layer × 100 and its second ÷ 100. Size alone says "
    "nothing.",
    settings="4-8-3 ReLU, float32, 100 inputs",
    seeds=10,
    bands={
        "largest change of an output": Band(0, 1e-5),
        "largest weight, grown by the factor": Band(90, inf),
    },
)
def large_weights(seed):
    rng = np.random.default_rng(seed)
    net = Sequential(Linear(4, 8, rng=rng), ReLU(), Linear(8, 3, rng=rng))
    x = rng.normal(size=(100, 4)).astype(np.float32)
    before, largest = net(x), np.abs(net.params).max()
    for p in net[0].params.values():
        p *= 100
    net[2].params["weight"][...] /= 100
    return {
        "largest change of an output": np.abs(net(x) - before).max(),
        "largest weight, grown by the factor": np.abs(net.params).max() / largest,
    }


# ------------------------------------------------------------------------------------- when to stop


@experiment(
    id="H32",
    kind="headline",
    claim="Gradient descent stopped after t steps is near ridge regression with α about 1 / (lr · t).",
    source="Goodfellow, Bengio & Courville (2016), Deep Learning, section 7.8",
    settings="linear, 60 samples of 20 features in [-1, 1], lr 0.01, stopped after 30, 100 and 300 steps "
    "from 0; α: that whose ridge weights lie nearest",
    seeds=8,
    bands={
        "best α · lr · t, smallest": Band(0.33, 1.5),
        "best α · lr · t, largest": Band(0.33, 1.5),
        "distance to it ÷ length of the weights, largest": Band(0, 20, unit="%"),
    },
)
def stopping_is_ridge(seed, lr=0.01):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, size=(60, 20))
    y = x @ rng.normal(size=(20, 1)) + rng.normal(size=(60, 1))
    w, products, distances, path = np.zeros((20, 1)), [], [], [np.zeros(20)]
    for t in range(1, 301):
        w = w - lr * x.T @ (x @ w - y) / len(x)
        path.append(w[:, 0])
        if t in (30, 100, 300):
            factors = np.geomspace(0.1, 10, 121)
            far = [np.linalg.norm(ridge.unchecked(x, y, f / (lr * t)) - w) for f in factors]
            products.append(factors[np.argmin(far)])
            distances.append(100 * min(far) / np.linalg.norm(w))
    return {
        "best α · lr · t, smallest": min(products),
        "best α · lr · t, largest": max(products),
        "distance to it ÷ length of the weights, largest": max(distances),
        "products": products,
        "path": np.array(path),
        "data": (x, y),
    }


# ------------------------------------------------------------------------------ capacity and memory


def random_features(x, width, rng):
    """A hidden ReLU layer that is drawn, N(0, 1) / 8, and never trained."""
    return np.maximum(x @ rng.normal(size=(64, width)) / 8, 0)


WIDTHS = (50, 100, 200, 260, 280, 300, 320, 340, 400, 800, 3000)


@experiment(
    id="H33",
    kind="headline",
    claim="Double descent: the test error peaks where features are about as many as samples, and falls "
    "again.",
    source="Belkin, Hsu, Ma & Mandal (2019), arXiv:1812.11118",
    settings="digits, n = 300, 15 % random labels, N random ReLU features, least squares by pseudo-inverse",
    seeds=6,
    bands={
        "number of features at the peak": Band(280, 400),
        "peak ÷ error at 100 features": Band(2, inf),
        "peak ÷ error at 3,000 features": Band(2, inf),
    },
)
def double_descent(seed):
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))[:300]
    labels = random_labels(y[rows], 0.15, rng)
    target, both = np.eye(10)[labels], np.concatenate([x[rows], x_test])
    test, training = {}, {}
    for width in WIDTHS:
        hidden = random_features(both, width, rng)
        answers = hidden @ np.linalg.lstsq(hidden[:300], target, rcond=None)[0]
        wrong = answers.argmax(axis=1) != np.concatenate([labels, y_test])
        training[width], test[width] = 100 * wrong[:300].mean(), 100 * wrong[300:].mean()
    peak = max(test, key=test.get)
    return {
        "number of features at the peak": peak,
        "peak ÷ error at 100 features": test[peak] / test[100],
        "peak ÷ error at 3,000 features": test[peak] / test[3000],
        "error at 3,000 ÷ error at 200 features": test[3000] / test[200],
        "train": training,
        "test": test,
    }


@experiment(
    id="M56",
    kind="myth",
    claim="The more complex the model, the more it overfits.",
    verdict="misleading",
    truth="The test error peaks where the model just fits its targets; far beyond that it falls again, "
    "here nearly to that of the best small model.",
    settings="as H33: 300 digits, 15 % random labels, N random ReLU features",
    seeds=6,
    bands={"error at 3,000 ÷ error at 200 features": Band(0, 0.8)},
)
def complexity_overfits(seed):
    return double_descent(seed)


@experiment(
    id="H34",
    kind="headline",
    claim="A network that generalizes can fit random labels as well, perfectly.",
    source="Zhang, Bengio, Hardt, Recht & Vinyals (2017), arXiv:1611.03530",
    settings="digits, all 1,257, 64-512-512-10 ReLU, Adam 1e-3, batch 128, until all labels are right, at "
    "most 60 epochs, on random labels 120",
    seeds=3,
    bands={
        "random labels: train accuracy": Band(100, 100, unit="%"),
        "random labels: test accuracy": Band(0, 20, unit="%"),
        "true labels: train accuracy": Band(100, 100, unit="%"),
        "true labels: test accuracy": Band(95, 100, unit="%"),
    },
)
def fits_random_labels(seed):
    x, y, x_test, y_test = digits(np.float32)
    result, histories = {}, {}
    for name in ("random labels", "true labels"):
        rng = np.random.default_rng(seed)
        labels = random_labels(y, 1.0, rng) if name == "random labels" else y
        net = Sequential(
            Linear(64, 512, rng=rng), ReLU(), Linear(512, 512, rng=rng), ReLU(), Linear(512, 10, rng=rng)
        )
        options = dict(lr=1e-3, optimizer=adam, batch_size=128, rng=rng, validation=(x_test, y_test))
        for history in train(net, x, labels, epochs=120 if name == "random labels" else 60, **options):
            if history.accuracy[-1] == 1:  # fitted: every label is right
                break
        result[f"{name}: train accuracy"] = 100 * history.accuracy[-1]
        result[f"{name}: test accuracy"] = 100 * history.validation_accuracy[-1]
        histories[name] = history
    return result | {"histories": histories}


@experiment(
    id="M52",
    kind="myth",
    claim="Regularization means adding a penalty to the loss.",
    verdict="misleading",
    truth="Anything that makes the model fit its sample less for the sake of the next one. Dropout, early "
    "stopping, augmentation and noise add no term to the loss, even where they act like one.",
    settings="digits, n = 500, 30 % random labels, 64-512-512-10 ReLU, dropout 0.5 on both hidden layers, "
    "Adam 1e-3, batch 50, 40 epochs",
    seeds=5,
    bands={"test error that dropout removes": Band(30, 100, over="mean", unit="%")},
)
def means_a_penalty(seed):
    x, y, x_test, y_test = digits(np.float32)
    wrong = {}
    for p in (0.0, 0.5):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(x))[:500]
        labels = random_labels(y[rows], 0.3, rng)
        net = Sequential(
            *(Linear(64, 512, rng=rng), ReLU(), Dropout(p, rng=rng)),
            *(Linear(512, 512, rng=rng), ReLU(), Dropout(p, rng=rng)),
            Linear(512, 10, rng=rng),
        )
        fit(net, x[rows], labels, lr=1e-3, optimizer=adam, epochs=40, batch_size=50, rng=rng)
        wrong[p] = error(net, x_test, y_test)
    return {"test error that dropout removes": 100 * (1 - wrong[0.5] / wrong[0.0]), "error": wrong}
