"""What the papers on gradient descent claimed, and what is claimed about it."""

from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.descent.in_numpy import double_well_backward, linear_scaling
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, ReLU, Sequential, Tanh, fit, fit_many
from nnlib.losses.in_numpy import cross_entropy, cross_entropy_backward


def classifier(rng):
    """A fresh 64-128-10 network for the digits."""
    return Sequential(Linear(64, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng))


def train_digits(seed, batch_size, lr, epochs=20):
    """The history of plain SGD on the digits; `lr` is a number or a function of the step."""
    rng = np.random.default_rng(seed)
    x, y, x_test, y_test = digits(np.float32)
    options = dict(lr=lr, epochs=epochs, batch_size=batch_size, rng=rng, validation=(x_test, y_test))
    return fit(classifier(rng), x, y, **options)


def scaled(lr, k, warmup_steps):
    """Linear scaling as a function of the step."""
    return lambda t: float(linear_scaling(np.array([float(t)]), lr, k, warmup_steps)[0])


@experiment(
    id="H10",
    kind="headline",
    claim="With the learning rate scaled like the batch, after a warm-up, a batch 8 times as large trains as "
    "well.",
    source="Goyal et al. (2017), arXiv:1706.02677",
    settings="digits, 64-128-10, SGD, 20 epochs: batch 16 with lr 0.05; batch 128 with lr 0.05; batch 128 "
    "with lr 0.4, after 20 warm-up steps and without; batch 512 with lr 1.6 after 20 warm-up steps",
    seeds=5,
    bands={
        "train loss, large batch with scaled lr ÷ small batch": Band(0.75, 1.25, digits=3),
        "train loss, large batch with the same lr ÷ small batch": Band(3, inf),
        "train loss, scaled lr without warm-up ÷ small batch": Band(0.75, 1.25, digits=3),
        "train loss, batch and lr × 32 ÷ small batch": Band(1.25, inf, over="mean"),
    },
)
def scaled_batch(seed):
    small = train_digits(seed, 16, 0.05)
    same = train_digits(seed, 128, 0.05)
    large = train_digits(seed, 128, scaled(0.05, k=8, warmup_steps=20))
    cold = train_digits(seed, 128, 8 * 0.05)
    huge = train_digits(seed, 512, scaled(0.05, k=32, warmup_steps=20))
    return {
        "train loss, large batch with scaled lr ÷ small batch": large.loss[-1] / small.loss[-1],
        "train loss, large batch with the same lr ÷ small batch": same.loss[-1] / small.loss[-1],
        "train loss, scaled lr without warm-up ÷ small batch": cold.loss[-1] / small.loss[-1],
        "train loss, batch and lr × 32 ÷ small batch": huge.loss[-1] / small.loss[-1],
        "histories": {"batch 16": small, "batch 128, same lr": same, "batch 128, lr × 8": large},
    }


@experiment(
    id="M24",
    kind="myth",
    claim="Large batches progress faster but converge and generalize worse.",
    source="Keskar et al. (2016), arXiv:1609.04836; for as many steps, Hoffer et al. (2017), "
    "arXiv:1705.08741",
    verdict="misleading",
    truth="At equal epochs and equal learning rate they take fewer steps; up to batch 128 here, a scaled "
    "learning rate or as many steps removes the gap.",
    settings="as H10, and batch 128 with lr 0.05 for as many steps as batch 16 takes in 20 epochs (158 "
    "epochs)",
    seeds=5,
    bands={
        "train loss, same lr, equal epochs ÷ small batch": Band(3, inf),
        "train loss, scaled lr, equal epochs ÷ small batch": Band(0.75, 1.25, digits=3),
        "train loss, same lr, equal steps ÷ small batch": Band(0.75, 1.25, digits=3),
        "test accuracy, scaled lr, equal epochs − small batch": Band(-1.5, 1.5, unit="points"),
        "test accuracy, same lr, equal steps − small batch": Band(-1.5, 1.5, unit="points"),
    },
)
def large_batches(seed):
    small = train_digits(seed, 16, 0.05)
    large = {
        "same lr, equal epochs": train_digits(seed, 128, 0.05),
        "scaled lr, equal epochs": train_digits(seed, 128, scaled(0.05, k=8, warmup_steps=20)),
        "same lr, equal steps": train_digits(seed, 128, 0.05, epochs=158),
    }
    right = {how: 100 * h.validation_accuracy[-1] for how, h in {"small": small, **large}.items()}
    ratios = {f"train loss, {how} ÷ small batch": h.loss[-1] / small.loss[-1] for how, h in large.items()}
    gaps = {f"test accuracy, {how} − small batch": right[how] - right["small"] for how in large}
    return {**ratios, **gaps, "histories": {"batch 16": small, **large}}


@experiment(
    id="H11",
    kind="headline",
    claim="One short run with a rising learning rate tells which learning rate to use.",
    source="Smith (2017), arXiv:1506.01186, section 3.3",
    settings="digits, 64-128-10, SGD momentum 0.9, batch 64; lr 1e-3 to 30 in 150 geometric steps, stopped "
    "at 3 times the first loss; pick = a third of the lr with the smallest smoothed loss; then 3 "
    "epochs each",
    seeds=12,
    bands={
        "test error with the pick − best of the grid": Band(-inf, 4, unit="points"),
        "test error with the lr at which the test stopped": Band(50, 100, unit="%"),
        "test error with a hundredth of the pick": Band(30, 100, unit="%"),
    },
)
def range_test(seed):
    rng = np.random.default_rng(seed)
    x, y, x_test, y_test = digits(np.float32)
    model, velocity, losses, smooth = classifier(rng), 0.0, [], []
    rates = np.geomspace(1e-3, 30, 150).tolist()  # plain floats: a np.float64 would turn float32 into float64
    while len(losses) < 150 and not (smooth and smooth[-1] > 3 * smooth[0]):
        rows = rng.choice(len(x), 64, replace=False)
        z = model.forward(x[rows])
        losses.append(cross_entropy(z, y[rows]))
        smooth.append(0.8 * smooth[-1] + 0.2 * losses[-1] if smooth else losses[-1])
        model.backward(cross_entropy_backward(np.float32(1), z, y[rows])[0])
        velocity = 0.9 * velocity + model.grads
        model.params -= rates[len(losses) - 1] * velocity
    lowest, stop = rates[np.argmin(smooth)], rates[len(smooth) - 1]
    pick, grid = lowest / 3, [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3]

    lrs = [*grid, pick, stop, pick / 100]
    models = [classifier(np.random.default_rng(seed)) for _ in lrs]
    rngs = [np.random.default_rng(seed) for _ in lrs]
    fit_many(models, x, y, lr=lrs, momentum=0.9, epochs=3, batch_size=64, rng=rngs)
    *on_grid, at_pick, at_stop, at_hundredth = (100 * np.mean(m(x_test).argmax(1) != y_test) for m in models)
    return {
        "test error with the pick − best of the grid": at_pick - min(on_grid),
        "test error with the lr at which the test stopped": at_stop,
        "test error with a hundredth of the pick": at_hundredth,
        "rates": rates[: len(losses)],
        "losses": losses,
        "smooth": smooth,
        "pick": pick,
        "grid": dict(zip(grid, on_grid, strict=True)),
    }


@experiment(
    id="H12",
    kind="headline",
    claim="Under full-batch gradient descent on squared error the sharpness rises to 2/lr and stays there.",
    source="Cohen et al. (2021), arXiv:2103.00065, Figure 1; LeCun, Simard & Pearlmutter (1993) for the "
    "power iteration",
    settings="300 digits, 64-40-40-10 tanh, squared error/2, full batch, 2,000 steps, lr 0.1 and 0.2; "
    "sharpness = largest Hessian eigenvalue by 25 power iterations every 250 steps, the last four "
    "counted",
    seeds=3,
    bands={
        "sharpness ÷ (2/lr), lowest of the last four": Band(0.85, 1.15, digits=3),
        "sharpness ÷ (2/lr), highest of the last four": Band(0.85, 1.15, digits=3),
        "sharpness ÷ (2/lr) at the start": Band(0, 0.8),
    },
)
def edge_of_stability(seed):
    curves = {lr: sharpness_curve(seed, lr) for lr in (0.1, 0.2)}
    last = [lr * s / 2 for lr, curve in curves.items() for s in curve["sharpness"][-4:]]
    return {
        "sharpness ÷ (2/lr), lowest of the last four": min(last),
        "sharpness ÷ (2/lr), highest of the last four": max(last),
        "sharpness ÷ (2/lr) at the start": max(lr * c["sharpness"][0] / 2 for lr, c in curves.items()),
        "curves": curves,
    }


def sharpness_curve(seed, lr, steps=2000, every=250):
    """Loss at every step and sharpness at every `every`-th of gradient descent on 300 digits."""
    rng = np.random.default_rng(seed)
    x, y, *_ = digits(np.float32)
    rows = rng.permutation(len(x))[:300]
    x, y = x[rows], np.eye(10, dtype=np.float32)[y[rows]]
    sizes = ((64, 40), (40, 40), (40, 10))
    first, second, last = (Linear(i, o, rng=rng) for i, o in sizes)
    model = Sequential(first, Tanh(), second, Tanh(), last)
    losses, sharpness = [], []
    for t in range(steps + 1):
        if t % every == 0:
            sharpness.append(largest_curvature(model, x, y, rng))
        error = model.forward(x) - y
        losses.append(float((error * error).sum() / (2 * len(x))))
        model.backward(error / len(x), want_input=False)
        model.params -= np.float32(lr) * model.grads
    return {"steps": np.arange(0, steps + 1, every), "sharpness": sharpness, "losses": losses}


def largest_curvature(model, x, y, rng, iterations=25, h=1e-2):
    """The largest Hessian eigenvalue; a difference of two gradients stands in for the Hessian."""
    w = model.params.copy()

    def gradient(params):
        model.params[...] = params
        model.backward((model.forward(x) - y) / len(x), want_input=False)
        return model.grads.copy()

    v = rng.normal(size=w.shape).astype(w.dtype)
    for _ in range(iterations):
        v /= np.linalg.norm(v)
        hv = (gradient(w + h * v) - gradient(w - h * v)) / (2 * h)
        eigenvalue, v = float(v @ hv), hv
    model.params[...] = w
    return eigenvalue


@experiment(
    id="M23",
    kind="myth",
    claim="Training heads for the global minimum, and momentum carries it over local ones.",
    verdict="wrong",
    truth="On two valleys nothing leads to the deeper one: without momentum every start stays in its own "
    "valley, with it five of six do, and the others cross in both directions.",
    settings="(x² − 1)² + 0.3 x, 400 starts, one in each of 400 equal parts of [−2, 2], lr 0.01, 3,000 steps",
    seeds=5,
    bands={
        **{
            f"starts that end in the deeper valley, momentum {b}": Band(50, 70, unit="%")
            for b in (0, 0.9, 0.99)
        },
        "starts that stay in their valley, momentum 0": Band(100, 100, unit="%"),
        **{f"starts that stay in their valley, momentum {b}": Band(75, 95, unit="%") for b in (0.9, 0.99)},
    },
)
def global_minimum(seed):
    starts = -2 + (np.arange(400) + np.random.default_rng(seed).uniform(size=400)) / 100
    saddle, result = sorted(np.roots([4, 0, -4, 0.3]).real)[1], {}  # the middle one of three flat places
    for momentum in (0, 0.9, 0.99):
        x, velocity = np.stack([starts, np.zeros(400)], axis=1), 0.0
        for _ in range(3000):
            velocity = momentum * velocity + double_well_backward.unchecked(np.ones(400), x, tilt=0.3)
            x = x - 0.01 * velocity
        left = x[:, 0] < saddle
        result[f"starts that end in the deeper valley, momentum {momentum}"] = 100 * np.mean(left)
        stay = 100 * np.mean(left == (starts < saddle))
        result[f"starts that stay in their valley, momentum {momentum}"] = stay
        result[momentum] = x[:, 0]
    return {**result, "starts": starts}
