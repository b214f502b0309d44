"""Headlines and myths of notebook 09, each a function of a seed that fits on a screen and can be copied."""

from functools import cache
from math import inf, log

import numpy as np

from nnlib.activations.in_numpy import leaky_relu, leaky_relu_backward, relu_backward
from nnlib.data import digits
from nnlib.evidence import Band, at_least, experiment
from nnlib.gradient_flow.in_numpy import clip_grad_norm, clip_grad_value
from nnlib.initialization.in_numpy import orthogonal
from nnlib.layers import BatchNorm1d, Layer, Linear, ReLU, Residual, Sequential, fit, train
from nnlib.losses.in_numpy import cross_entropy_backward

# ------------------------------------------------------------------------------------ products over time


def gradients_through_time(rho, steps, rng, tanh=False, size=50, rows=16):
    """Lengths of the gradient for each input of a recurrent network, the last one first and set to 1."""
    recurrent, first = rho * orthogonal(rng.normal(size=(size, size))), rng.normal(size=(size, size))
    h, slopes = np.zeros((rows, size)), []
    for _ in range(steps):
        x = 1e-4 * rng.normal(size=(rows, size))  # so small that tanh hardly bends
        z = h @ recurrent.T + x @ first.T
        h = np.tanh(z) if tanh else z
        slopes.append(1 - h * h if tanh else 1)
    g, norms = h - rng.normal(size=h.shape), []  # of half the squared distance to random targets
    for slope in reversed(slopes):
        g = g * slope
        norms.append(np.linalg.norm(g @ first))
        g = g @ recurrent
    return np.array(norms) / norms[0]


def slope_per_step(rho, rng, tanh=False):
    """How the log of the first input's gradient depends on T: three networks of three lengths."""
    lengths = (10, 20, 40)
    ends = [log(gradients_through_time(rho, T, rng, tanh)[-1]) for T in lengths]
    return np.polyfit(lengths, ends, 1)[0]


RATES = (0.5, 0.9, 1.1, 1.5)


def _near(slope):
    return Band(round(slope - 0.02, 3), round(slope + 0.02, 3), digits=3)


@experiment(
    id="H17",
    kind="headline",
    claim="The log of a gradient is linear in time; its slope is the log of the factor per step.",
    source="Hochreiter (1991); Bengio, Simard & Frasconi (1994); Pascanu, Mikolov & Bengio (2013), "
    "arXiv:1211.5063, section 2",
    settings="h = W h + U x, linear, inputs of size 1e-4, W a rotation of 50 numbers times ρ, squared "
    "error to random targets after T = 10, 20, 40 steps; gradient for the first input ÷ for the last; slope "
    "of its log in T",
    seeds=5,
    bands={f"slope at ρ = {rho}": _near(log(rho)) for rho in RATES},
)
def slope_in_time(seed):
    rng = np.random.default_rng(seed)
    slopes = {f"slope at ρ = {rho}": slope_per_step(rho, rng) for rho in RATES}
    return slopes | {"curves": {rho: gradients_through_time(rho, 40, rng) for rho in (*RATES, 1.0)}}


@experiment(
    id="M30",
    kind="myth",
    claim="The vanishing gradient problem means gradients that shrink or explode.",
    verdict="wrong",
    truth="These are two problems: one exponent, with opposite signs. What helps against one can cause the "
    "other.",
    settings="time: as H17; depth: 50 pre-activation blocks (two ReLU layers of 64 and a shortcut), or their "
    "branches without the shortcuts; normal weights of standard deviation s/8; gradient for the input ÷ "
    "gradient behind the last",
    seeds=5,
    bands={
        **{f"ρ = {rho}: slope": _near(log(rho)) for rho in RATES},
        "s = 0.1, plain": Band(0, 1e-90),
        "s = 0.1, with shortcuts": Band(0.9, 1.1),
        "s = √2, plain": Band(0.01, 100),
        "s = √2, with shortcuts": Band(1e6, 1e9),
    },
)
def one_problem(seed):
    rng = np.random.default_rng(seed)
    slopes, ratios = [slope_per_step(rho, rng) for rho in RATES], []
    for scale in (0.1, 2**0.5):
        for shortcut in (0, 1):
            rng, kept = np.random.default_rng(seed), []
            h = rng.normal(size=(32, 64))
            for _ in range(50):
                w1, w2 = rng.normal(0, scale / 8, size=(2, 64, 64))
                kept.append((np.maximum(h, 0), w1, w2))
                h = shortcut * h + np.maximum(kept[-1][0] @ w1.T, 0) @ w2.T
            g = sent = rng.normal(size=h.shape)
            for a, w1, w2 in reversed(kept):
                g = shortcut * g + ((g @ w2) * (a @ w1.T > 0)) @ w1 * (a > 0)
            ratios.append(np.linalg.norm(g) / np.linalg.norm(sent))
    return dict(zip(one_problem.bands, slopes + ratios))


@experiment(
    id="M34",
    kind="myth",
    claim="tanh vanishes because its derivative lies in [0, 1].",
    verdict="misleading",
    truth="It lies in (0, 1], and is 1 at zero. What counts is its product with the weights: a small signal "
    "passes tanh as it passes a rotation.",
    settings="as H17, with h = tanh(W h + U x) and small inputs",
    seeds=5,
    bands={
        "tanh, ρ = 1: log of the factor per step": Band(-0.01, 0.01),
        "tanh, ρ = 0.9": Band(-0.12, -0.09),
    },
)
def tanh_must_vanish(seed):
    rng = np.random.default_rng(seed)
    rates = zip(tanh_must_vanish.bands, (1.0, 0.9))
    return {label: slope_per_step(rho, rng, tanh=True) for label, rho in rates}


@experiment(
    id="M31",
    kind="myth",
    claim="Gradients grow exponentially during training.",
    verdict="misleading",
    truth="They grow exponentially over layers or time steps. Over the steps of training they need not grow "
    "at all.",
    settings="time: as H17, ρ = 1.5; training: digits, 64-64-10 ReLU, all data, SGD 0.1, 200 steps",
    seeds=3,
    bands={
        "log of the factor per time step": _near(log(1.5)),
        "in training: largest gradient ÷ first": Band(1, 3),
        "in training: last gradient ÷ first": Band(0, 1),
    },
)
def grow_in_training(seed):
    x, y, *_ = digits(np.float32)
    rng = np.random.default_rng(seed)
    net, norms = Sequential(Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng)), []
    for _ in range(200):
        grad, _ = cross_entropy_backward(np.float32(1), net.forward(x), y)
        net.backward(grad, want_input=False)
        norms.append(float(np.linalg.norm(net.grads)))
        net.params -= np.float32(0.1) * net.grads
    return {
        "log of the factor per time step": slope_per_step(1.5, rng),
        "in training: largest gradient ÷ first": max(norms) / norms[0],
        "in training: last gradient ÷ first": norms[-1] / norms[0],
        "norms": np.array(norms),
    }


# ----------------------------------------------------------------------------------- products over layers


@experiment(
    id="M32",
    kind="myth",
    claim="ReLU and leaky ReLU do not cause vanishing gradients.",
    verdict="wrong",
    truth="They do not saturate on the positive side. Weights of the wrong scale make the gradient vanish "
    "all the same.",
    settings="50 ReLU layers of 128, normal weights of variance 1/128 (Xavier) or 2/128 (He), 64 inputs; "
    "gradient for the input ÷ gradient for the output, root mean squares",
    seeds=10,
    bands={
        "ReLU, Xavier": Band(0, 1e-6),
        "ReLU, He": Band(0.2, 3),
        "leaky ReLU, Xavier": Band(0, 1e-6),
    },
)
def relu_is_safe(seed):
    ratio = {}
    for name, variance, leak in (("Xavier", 1, 0.0), ("He", 2, 0.0), ("leaky", 1, 0.01)):
        rng = np.random.default_rng(seed)
        h, kept = rng.normal(size=(64, 128)), []
        for _ in range(50):
            weight = rng.normal(0, np.sqrt(variance / 128), size=(128, 128))
            z = h @ weight.T
            kept.append((weight, np.where(z > 0, 1, leak)))
            h = z * kept[-1][1]
        g = rng.normal(size=h.shape)
        first = np.linalg.norm(g)
        for weight, slope in reversed(kept):
            g = (g * slope) @ weight
        ratio[name] = np.linalg.norm(g) / first
    return {
        "ReLU, Xavier": ratio["Xavier"],
        "ReLU, He": ratio["He"],
        "leaky ReLU, Xavier": ratio["leaky"],
    }


@experiment(
    id="M33",
    kind="myth",
    claim="ReLU and leaky ReLU help through their gradient on positive inputs.",
    verdict="misleading",
    truth="There the two are the same. The leak is for the negative side, where a ReLU passes nothing and "
    "can die.",
    settings="digits, 64-128-10 ReLU, He start, batch 64; 3 epochs of SGD 3 silence hidden units on all "
    "training digits; then 10 epochs of SGD 0.5, with ReLU or with leaky ReLU in its place",
    seeds=6,
    bands={
        "derivative at −1: ReLU": Band(0, 0),
        "derivative at −1: leaky ReLU": Band(0.01, 0.01),
        "silent after SGD 3": Band(70, 100, unit="%"),
        "of these, weights moved: ReLU": Band(0, 0, unit="%"),
        "of these, weights moved: leaky ReLU": Band(95, 100, unit="%"),
        "right in the end: leaky ReLU − ReLU": Band(2, 60, over="mean", unit="%"),
    },
)
def positive_side(seed):
    x, y, *_ = digits(np.float32)
    rng = np.random.default_rng(seed)
    net = Sequential(Linear(64, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng))
    for layer in (net[0], net[2]):
        weight = layer.params["weight"]
        weight[...] = rng.normal(0, np.sqrt(2 / weight.shape[1]), weight.shape)
        layer.params["bias"][...] = 0
    fit(net, x, y, lr=3.0, epochs=3, batch_size=64, rng=rng)
    silent = (net[0].forward(x) <= 0).all(axis=0)
    before, moved, right = net[0].params["weight"].copy(), [], []
    for activation in (ReLU(), Layer(leaky_relu, leaky_relu_backward)):
        twin = Sequential(Linear(64, 128, rng=rng), activation, Linear(128, 10, rng=rng))
        twin.params[...] = net.params
        fit(twin, x, y, lr=0.5, epochs=10, batch_size=64, rng=np.random.default_rng(seed))
        moved.append(100 * (twin[0].params["weight"] != before)[silent].any(axis=1).mean())
        right.append(100 * (twin(x).argmax(axis=1) == y).mean())
    pairs = relu_backward, leaky_relu_backward
    slopes = [float(backward(np.ones(1), np.array([-1.0]))[0]) for backward in pairs]
    return dict(zip(positive_side.bands, (*slopes, 100 * silent.mean(), *moved, right[1] - right[0])))


# ----------------------------------------------------------------------------------------- degradation


def deep_net(depth, residual, rng):
    """64-10 with depth / 2 blocks of two layers between, each with or without a shortcut around it."""
    layers = [Linear(64, 64, rng=rng)]
    for _ in range(depth // 2):
        block = [Linear(64, 64, rng=rng), BatchNorm1d(64), ReLU(), Linear(64, 64, rng=rng), BatchNorm1d(64)]
        layers += [Residual(*block)] if residual else block
        layers.append(ReLU())
    return Sequential(*layers, Linear(64, 10, rng=rng))


def look_at(net, x, y):
    """Error in percent, and the gradient of the first block's weights ÷ the last block's; as in training."""
    z = net.train().forward(x)
    net.backward(cross_entropy_backward(np.float32(1), z, y)[0], want_input=False)
    norms = [np.linalg.norm(g) for layer in net.layers for g in layer.grads.values() if g.ndim == 2]
    return 100 * (z.argmax(axis=1) != y).mean(), norms[1] / norms[-2]


@cache
def train_deep(depth, residual, seed, lr=0.05):
    """Training error, and ratio of gradients before training and after each of five epochs."""
    x, y, *_ = digits(np.float32)
    rng = np.random.default_rng(seed)
    net = deep_net(depth, residual, rng)
    stops = train(net, x, y, lr=lr, momentum=0.9, epochs=5, batch_size=64, rng=rng)
    looks = [look_at(net, x, y) for _ in stops]  # before the first epoch and after each
    return {"error": looks[-1][0], "ratios": np.array([ratio for _, ratio in looks])}


DEPTHS = (8, 24, 40)


@experiment(
    id="H19",
    kind="headline",
    claim="A deeper plain network has a higher training error. Shortcuts around its blocks undo that.",
    source="He, Zhang, Ren & Sun (2016), arXiv:1512.03385, Figure 1",
    settings="digits; Linear 64, blocks (Linear-BN-ReLU-Linear-BN)-ReLU with or without the identity; SGD "
    "0.05 momentum 0.9, batch 64, 5 epochs; error on all training images, batch norm as in training",
    seeds=3,
    bands={
        "plain, 8 layers": Band(0, 10, unit="%"),
        "plain, 24 layers": Band(15, 60, unit="%"),
        "plain, 40 layers": Band(50, 100, unit="%"),
        "residual, 40 layers": Band(0, 12, unit="%"),
    },
)
def degradation(seed):
    kinds = {"plain": False, "residual": True}
    return {
        f"{kind}, {depth} layers": train_deep(depth, kinds[kind], seed)["error"]
        for kind in kinds
        for depth in DEPTHS
    }


@experiment(
    id="M35",
    kind="myth",
    claim="A residual connection adds an earlier output to a later input, in order to stop vanishing "
    "gradients.",
    verdict="misleading",
    truth="It is y = x + F(x) around a block, made because deeper plain networks train worse although their "
    "gradients, thanks to batch norm, do not vanish.",
    settings="as H19, 40 layers; gradient of the first block's weights ÷ that of the last block's",
    seeds=3,
    bands={
        "plain: training error": Band(50, 100, unit="%"),
        "residual: training error": Band(0, 12, unit="%"),
        "plain: first ÷ last gradient at the start": Band(100, inf),
        "plain: first ÷ last gradient, smallest of 5 epochs": Band(0.02, inf),
        "plain: first ÷ last gradient, largest of 5 epochs": Band(0, 5),
        "plain, learning rate 0.01: training error": Band(35, 100, unit="%"),
    },
)
def only_against_vanishing(seed):
    plain, residual, slow = (
        train_deep(40, *rest) for rest in ((False, seed), (True, seed), (False, seed, 0.01))
    )
    ratios = plain["ratios"][0], plain["ratios"][1:].min(), plain["ratios"][1:].max()
    measured = plain["error"], residual["error"], *ratios, slow["error"]
    return dict(zip(only_against_vanishing.bands, measured)) | {"ratios": plain["ratios"]}


# -------------------------------------------------------------------------------------------- clipping


def adding_problem(n, steps, rng):
    """Sequences of pairs (number, mark): the answer is the sum of the two numbers that are marked."""
    numbers, marks, row = rng.uniform(size=(n, steps)), np.zeros((n, steps)), np.arange(n)
    marks[row, rng.integers(steps // 2, size=n)] = 1
    marks[row, rng.integers(steps // 2, steps, size=n)] = 1
    x, y = np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1)
    return x.astype(np.float32), y.astype(np.float32)


def adding_start(rho, rng, size=32):
    """The parameters of a recurrent network, its recurrent weight a rotation times rho."""
    bound = 1 / np.sqrt(size)
    shapes = {"input": (size, 2), "bias": (size,), "output": (size,), "last": (1,)}
    params = {"recurrent": rho * orthogonal(rng.normal(size=(size, size)))}
    params |= {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    return {name: p.astype(np.float32) for name, p in params.items()}


def adding_backward(x, y, p):
    """Mean squared error, its gradients through time, and how saturated the last state is."""
    states = [np.zeros((len(x), len(p["bias"])), np.float32)]
    for inputs in x.swapaxes(0, 1):
        states.append(np.tanh(inputs @ p["input"].T + states[-1] @ p["recurrent"].T + p["bias"]))
    error = states[-1] @ p["output"] + p["last"] - y
    g = 2 * error / np.float32(len(x))
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    grads["output"], grads["last"] = g @ states[-1], g.sum(keepdims=True)
    grad_h = np.outer(g, p["output"])
    for t in range(x.shape[1], 0, -1):
        grad_z = grad_h * (1 - states[t] * states[t])
        grads["recurrent"] += grad_z.T @ states[t - 1]
        grads["input"] += grad_z.T @ x[:, t - 1]
        grads["bias"] += grad_z.sum(axis=0)
        grad_h = grad_z @ p["recurrent"]
    return (error * error).mean(), grads, np.abs(states[-1]).mean()


def train_adding(seed, max_norm, rho=1.3, steps=400):
    """Losses, lengths of the gradient and saturation, step by step; ends where the gradient is not finite."""
    rng, history = np.random.default_rng(seed), []
    params = adding_start(rho, rng)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            loss, grads, saturation = adding_backward(*adding_problem(32, 15, rng), params)
            flat = np.concatenate([g.ravel() for g in grads.values()])
            flat, norm = clip_grad_norm(flat, max_norm)
            history.append((loss, norm, saturation))
            if not np.isfinite(norm):
                break
            start = 0
            for p in params.values():
                p -= np.float32(0.1) * flat[start : start + p.size].reshape(p.shape)
                start += p.size
    return np.array(history)


NO_CLIPPING = 1e38  # float32 holds no norm above 3.4e38


@experiment(
    id="H18",
    kind="headline",
    claim="With clipping a recurrent network trains that otherwise diverges.",
    source="Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, Algorithm 1",
    settings="adding problem, 15 steps; 32 tanh units, recurrent weight a rotation times 1.3, float32, SGD "
    "0.1, batch 32, 400 steps; clipping to norm 1; always guessing the mean gives an error of 0.167",
    seeds=6,
    bands={
        "without: steps until not finite (401: never)": Band(1, 400, at_least(5)),
        "with clipping: not finite": Band(0, 0),
        "with clipping: error, last 50 steps": Band(0, 0.16),
        "without, rotation times 0.9: not finite": Band(0, 0),
    },
)
def clipping_rescues(seed):
    without, clipped = train_adding(seed, NO_CLIPPING), train_adding(seed, max_norm=1.0)
    tame = train_adding(seed, NO_CLIPPING, rho=0.9)
    return {
        "without: steps until not finite (401: never)": len(without) if not finite(without) else 401,
        "with clipping: not finite": int(not finite(clipped)),
        "with clipping: error, last 50 steps": clipped[-50:, 0].mean(),
        "without, rotation times 0.9: not finite": int(not finite(tame)),
        "without": without,
        "with": clipped,
    }


def finite(history):
    return bool(np.isfinite(history[-1]).all())


@experiment(
    id="M36",
    kind="myth",
    claim="Clipping limits gradients to a maximum value.",
    verdict="misleading",
    truth="Clipping by value does, and bends the direction. Clipping by norm, the usual kind, limits the "
    "length and keeps the direction.",
    settings="1,000 coordinates N(0, 1) · U(0, 5), limit 0.5; cosine of the angle with the original",
    seeds=10,
    bands={"by value: cosine": Band(0, 0.95), "by norm: cosine": Band(0.9999, 1.0001, digits=4)},
)
def clipping_is_a_maximum(seed):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=1000) * rng.uniform(0, 5, size=1000)
    by_value, (by_norm, _) = clip_grad_value(g, 0.5), clip_grad_norm(g, 0.5)

    def cosine(other):
        return g @ other / np.linalg.norm(g) / np.linalg.norm(other)

    return {"by value: cosine": cosine(by_value), "by norm: cosine": cosine(by_norm)}
