"""What the papers on optimizers claimed, and what is claimed about them."""

from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, Sequential, fit_many
from nnlib.optimizers.in_numpy import (
    adagrad,
    adam,
    adamw,
    cosine_annealing_warm_restarts,
    one_cycle_lr,
    rmsprop,
    sgd,
    step_lr,
)

# -------------------------------------------------------------------------------------------- momentum

KAPPAS = (10, 100, 1_000, 10_000)


def best_constants(kappa, heavy_ball):
    """The learning rate and momentum with which the quadratic (1, kappa) is solved fastest."""
    if not heavy_ball:
        return 2 / (1 + kappa), 0.0
    root = kappa**0.5
    return 4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2


def steps_to_solve(kappa, heavy_ball, start=(1.0, 1.0), within=1e-6):
    """Steps of sgd on (x**2 + kappa * y**2) / 2 until the point is closer to 0 than `within`."""
    lr, momentum = best_constants(kappa, heavy_ball)
    curvature, param, buffer, steps = np.array([1.0, kappa]), np.array(start), None, 0
    while np.hypot(*param) >= within:
        param, buffer = sgd.unchecked(param, curvature * param, buffer, lr, momentum)
        steps += 1
    return steps


def growth(steps):
    """The exponent p in steps = constant * kappa**p: a slope in logarithms."""
    return np.polyfit(np.log(KAPPAS), np.log(steps), 1)[0]


@experiment(
    id="H13",
    kind="headline",
    claim="Where gradient descent needs a number of steps that grows like κ, the heavy ball needs √κ.",
    source="Polyak (1964), USSR Computational Mathematics and Mathematical Physics 4(5), 1-17",
    settings="quadratic with curvatures 1 and κ = 10, 100, 1,000, 10,000; start (1, 1); best constants; "
    "until the distance is below 1e-6",
    seeds=1,
    bands={
        "gradient descent: exponent of κ": Band(0.95, 1.05, digits=3),
        "heavy ball: exponent of κ": Band(0.45, 0.6, digits=3),
    },
)
def heavy_ball(seed):
    plain = [steps_to_solve(kappa, heavy_ball=False) for kappa in KAPPAS]
    heavy = [steps_to_solve(kappa, heavy_ball=True) for kappa in KAPPAS]
    return {
        "gradient descent: exponent of κ": growth(plain),
        "heavy ball: exponent of κ": growth(heavy),
        "gradient descent": plain,
        "heavy ball": heavy,
    }


def directions(momentum, lr=0.018, steps=25):
    """The path of sgd through a ravine of curvatures 1 (along) and 100 (across), from (1, 1)."""
    curvature, param, buffer, path = np.array([1.0, 100.0]), np.array([1.0, 1.0]), None, []
    for _ in range(steps):
        path.append(param)
        param, buffer = sgd.unchecked(param, curvature * param, buffer, lr, momentum)
    return np.array([*path, param])


@experiment(
    id="M25",
    kind="myth",
    claim="Momentum follows the direction of the steeper gradients.",
    verdict="misleading",
    truth="With β tuned to κ it speeds up shallow directions that persist and damps steep ones that "
    "alternate: the steps needed grow like √κ, not like κ.",
    settings="as H13; and 25 steps with lr 0.018 on curvatures 1 and 100, momentum 0 or 0.6",
    seeds=1,
    bands={
        "gradient descent: exponent of κ": Band(0.95, 1.05, digits=3),
        "heavy ball: exponent of κ": Band(0.45, 0.6, digits=3),
        "shallow direction: distance left, momentum ÷ none": Band(0, 0.9),
        "steep direction: distance left, momentum ÷ none": Band(0, 0.9),
    },
)
def momentum_is_steeper(seed):
    result = heavy_ball(seed)
    plain, momentum = directions(0.0), directions(0.6)
    ratios = np.abs(momentum[-1]) / np.abs(plain[-1])
    return {
        **result,
        "shallow direction: distance left, momentum ÷ none": ratios[0],
        "steep direction: distance left, momentum ÷ none": ratios[1],
        "paths": {"no momentum": plain, "momentum 0.6": momentum},
    }


# ------------------------------------------------------------------------------------------------ adam

RATES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0, 30.0)
METHODS = {
    "Adam": (adam, {}),
    "Nesterov": (sgd, dict(momentum=0.9, nesterov=True)),
    "AdaGrad": (adagrad, {}),
    "RMSprop": (rmsprop, {}),
    "SGD": (sgd, {}),
}


@experiment(
    id="H14",
    kind="headline",
    claim="On logistic regression Adam converges about as fast as SGD with Nesterov momentum, both "
    "faster than AdaGrad.",
    source="Kingma & Ba (2015), arXiv:1412.6980, Section 6.1, Figure 1",
    settings="digits, 64-10 from zero, batch 128, 15 epochs; lr from 0.003, 0.01, … 30, tuned for each "
    "method on the mean of three shufflings",
    seeds=4,
    bands={
        "Adam's loss ÷ Nesterov's": Band(0.5, 2),
        "Adam's loss ÷ AdaGrad's": Band(0, 0.8),
        "Nesterov's loss ÷ AdaGrad's": Band(0, 0.8),
        "Adam's loss ÷ lowest loss of the others": Band(0, 0.999, over="mean", digits=3),
    },
)
def logistic_regression(seed):
    x, y, *_ = digits(np.float32)
    shufflings, losses = range(3 * seed, 3 * seed + 3), {}
    for name, (optimizer, settings) in METHODS.items():
        models = [Sequential(Linear(64, 10, rng=np.random.default_rng(0))) for _ in range(3 * len(RATES))]
        for model in models:
            model.params[...] = 0
        lrs, rngs = np.repeat(RATES, 3), [np.random.default_rng(s) for _ in RATES for s in shufflings]
        options = dict(epochs=15, batch_size=128, rng=rngs, optimizer=optimizer, every=150, **settings)
        histories = fit_many(models, x, y, lr=lrs, **options)
        last = [h.loss[-1] if h.diverged_at is None else inf for h in histories]
        losses[name] = np.reshape(last, (len(RATES), 3)).mean(axis=1)
    best = {name: values.min() for name, values in losses.items()}
    others = min(loss for name, loss in best.items() if name != "Adam")
    return {
        "Adam's loss ÷ Nesterov's": best["Adam"] / best["Nesterov"],
        "Adam's loss ÷ AdaGrad's": best["Adam"] / best["AdaGrad"],
        "Nesterov's loss ÷ AdaGrad's": best["Nesterov"] / best["AdaGrad"],
        "Adam's loss ÷ lowest loss of the others": best["Adam"] / others,
        "losses": losses,
        "best": best,
    }


ROUNDS, BETA2 = 60_000, 0.1


def online(method, start):
    """The path of x in [-1, 1] when every third round costs 3x and the others -x; steps 0.1 / sqrt(t).

    Plain numbers, since 60,000 rounds of small arrays would take seconds. Adam has beta1 = 0 here.
    """
    x, v, largest, path = start, 0.0, 0.0, np.empty(ROUNDS)
    for t in range(1, ROUNDS + 1):
        grad = 3.0 if t % 3 == 1 else -1.0
        v = BETA2 * v + (1 - BETA2) * grad * grad
        largest = max(largest, v)
        scale = {"SGD": 1.0, "Adam": v, "AMSGrad": largest}[method]
        x = min(1.0, max(-1.0, x - 0.1 / t**0.5 * grad / scale**0.5))
        path[t - 1] = x
    return path


BEYOND_ADAM = dict(
    settings="cost 3x every third round, −x otherwise, x in [−1, 1], so −1 is best; start drawn by the "
    "seed; β1 = 0, β2 = 0.1, step 0.1/√t, 60,000 rounds; mean of the last 3,000",
    seeds=3,
    bands={
        "where Adam ends": Band(0.99, 1, digits=5),
        "where AMSGrad ends": Band(-1, -0.99, digits=5),
        "where SGD ends": Band(-1, -0.99, digits=5),
    },
)


@experiment(
    id="H15",
    kind="headline",
    claim="Adam can converge to the worst point; AMSGrad, which forgets no large gradient, finds the best.",
    source="Reddi, Kale & Kumar (2018), arXiv:1904.09237, Theorem 1",
    **BEYOND_ADAM,
)
def adam_at_the_worst_point(seed):
    start = np.random.default_rng(seed).uniform(-1, 1)
    paths = {method: online(method, start) for method in ("Adam", "AMSGrad", "SGD")}
    ends = {f"where {method} ends": path[-3000:].mean() for method, path in paths.items()}
    return {**ends, "paths": paths}


@experiment(
    id="M26",
    kind="myth",
    claim="Adam is robust and converges quickly.",
    verdict="misleading",
    truth="Often, but it can converge to the worst point there is; AMSGrad repairs this case.",
    **BEYOND_ADAM,
)
def adam_is_robust(seed):
    return adam_at_the_worst_point(seed)


# ----------------------------------------------------------------------------------------------- decay

THEORY = (1 - 1e-3 * 0.1) ** 3000  # what 3,000 steps leave of a weight: 0.741
DECAYED = dict(
    settings="400 weights with noise gradients of scale 0.01, 400 of scale 10, all starting at 1; lr 1e-3, "
    "decay 0.1, 3,000 steps; theory: (1 − lr · decay)³⁰⁰⁰ = 0.741",
    seeds=3,
)


def mean_weights(optimizer, seed, **settings):
    """The two groups' mean weight after every 100 steps of pure noise."""
    rng = np.random.default_rng(seed)
    scale = np.repeat([0.01, 10.0], 400)
    param, state, means = np.ones(800), (), [(1.0, 1.0)]
    for t in range(1, 3001):
        grad = scale * rng.standard_normal(800)
        param, *state = optimizer.unchecked(param, grad, *state, lr=1e-3, weight_decay=0.1, t=t, **settings)
        if t % 100 == 0:
            means.append(param.reshape(2, 400).mean(axis=1))
    return np.array(means)


@experiment(
    id="H16",
    kind="headline",
    claim="Decoupled decay shrinks every weight alike; an L2 penalty inside Adam does not.",
    source="Loshchilov & Hutter (2019), arXiv:1711.05101",
    **DECAYED,
    bands={
        "AdamW, small gradients: mean weight ÷ theory": Band(0.97, 1.03, digits=3),
        "AdamW, large gradients: mean weight ÷ theory": Band(0.97, 1.03, digits=3),
        "Adam + L2, small gradients: mean weight": Band(-0.05, 0.05),
        "Adam + L2, large gradients: mean weight": Band(0.9, 1.1),
    },
)
def decoupled_decay(seed):
    decoupled, penalty = mean_weights(adamw, seed), mean_weights(adam, seed)
    return {
        "AdamW, small gradients: mean weight ÷ theory": decoupled[-1, 0] / THEORY,
        "AdamW, large gradients: mean weight ÷ theory": decoupled[-1, 1] / THEORY,
        "Adam + L2, small gradients: mean weight": penalty[-1, 0],
        "Adam + L2, large gradients: mean weight": penalty[-1, 1],
        "AdamW": decoupled,
        "Adam + L2": penalty,
    }


def sgd_with_decay(seed, decoupled, steps=3000, lr=1e-3, decay=0.1):
    """Plain SGD on the same noise, with the decay in the gradient or beside it."""
    rng = np.random.default_rng(seed)
    param = np.ones(800)
    for _ in range(steps):
        grad = np.repeat([0.01, 10.0], 400) * rng.standard_normal(800)
        if decoupled:
            param = sgd.unchecked((1 - lr * decay) * param, grad, lr=lr)[0]
        else:
            param = sgd.unchecked(param, grad, lr=lr, weight_decay=decay)[0]
    return param


@experiment(
    id="M27",
    kind="myth",
    claim="AdamW is better because of the rotational behavior of its weights.",
    verdict="misleading",
    truth="What differs for certain is that the decay is not divided by Adam's scale, so every weight "
    "shrinks by the same share. Kosson, Messmer & Jaggi (2024, arXiv:2305.17212) trace the benefit to a "
    "balanced rotation that follows from it; that is not tested here.",
    **DECAYED,
    bands={
        "AdamW: mean weight ÷ theory, small gradients": Band(0.97, 1.03, digits=3),
        "AdamW: mean weight ÷ theory, large gradients": Band(0.97, 1.03, digits=3),
        "Adam + L2: mean weight, small gradients": Band(-0.05, 0.05),
        "Adam + L2: mean weight, large gradients": Band(0.9, 1.1),
        "SGD: largest difference between L2 and decay": Band(0, 1e-10),
    },
)
def adamw_rotates(seed):
    result = decoupled_decay(seed)
    difference = np.abs(sgd_with_decay(seed, decoupled=True) - sgd_with_decay(seed, decoupled=False)).max()
    return {
        "AdamW: mean weight ÷ theory, small gradients": result[
            "AdamW, small gradients: mean weight ÷ theory"
        ],
        "AdamW: mean weight ÷ theory, large gradients": result[
            "AdamW, large gradients: mean weight ÷ theory"
        ],
        "Adam + L2: mean weight, small gradients": result["Adam + L2, small gradients: mean weight"],
        "Adam + L2: mean weight, large gradients": result["Adam + L2, large gradients: mean weight"],
        "SGD: largest difference between L2 and decay": difference,
    }


# ------------------------------------------------------------------------------------------- schedules


@experiment(
    id="M28",
    kind="myth",
    claim="Schedules reduce the learning rate over time.",
    verdict="misleading",
    truth="Some do. Warm-up and one-cycle begin with a rise, and restarts jump back up again and again.",
    settings="100 steps of one-cycle up to 0.1, of cosine annealing with restarts every 25, of step decay "
    "every 25",
    seeds=1,
    bands={
        "one-cycle: steps at which it rises": Band(1, 99),
        "restarts: steps at which it rises": Band(1, 99),
        "step decay: steps at which it rises": Band(0, 0),
    },
)
def schedules_only_fall(seed):
    t = np.arange(100.0)
    rates = {
        "one-cycle": one_cycle_lr(t, max_lr=0.1, total_steps=100),
        "restarts": cosine_annealing_warm_restarts(t, lr=0.1, T_0=25),
        "step decay": step_lr(t, lr=0.1, step_size=25),
    }
    rises = {f"{name}: steps at which it rises": int((np.diff(lr) > 0).sum()) for name, lr in rates.items()}
    return {**rises, "rates": rates}


@experiment(
    id="M29",
    kind="myth",
    claim="An optimizer adjusts weights and learning rates.",
    verdict="misleading",
    truth="SGD never touches its learning rate: a schedule may. Adaptive methods leave lr alone as well and "
    "scale each weight's step.",
    settings="SGD and Adam of torch.optim, lr 0.1, 100 steps; two weights with gradients 0.001 and 1,000",
    seeds=1,
    bands={
        "SGD: lr after 100 steps": Band(0.1, 0.1),
        "Adam: lr after 100 steps": Band(0.1, 0.1),
        "Adam: shortest ÷ longest way of two weights": Band(0.99, 1, digits=4),
        "SGD: shortest ÷ longest way of two weights": Band(0, 1.1e-6),
    },
)
def optimizer_adjusts_rates(seed):
    import torch

    result = {}
    for name in ("SGD", "Adam"):
        weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = getattr(torch.optim, name)([weights], lr=0.1)
        for _ in range(100):
            weights.grad = torch.tensor([1e-3, 1e3], dtype=torch.float64)
            optimizer.step()
        way = weights.detach().abs()
        result[f"{name}: lr after 100 steps"] = optimizer.param_groups[0]["lr"]
        result[f"{name}: shortest ÷ longest way of two weights"] = float(way.min() / way.max())
    return result
