"""Inputs on which reference, twin and official operation must agree: all reductions, extreme scores."""

from itertools import product

import numpy as np

from nnlib.core import Case

REDUCTIONS = ("mean", "sum", "none")


def cases(rng):
    yield from regression(rng)
    yield from yes_or_no(rng)
    yield from one_of_k(rng)


def regression(rng):
    names = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
    for name, shape, reduction in product(names, [(5,), (4, 3), (2, 3, 2, 2)], REDUCTIONS):
        args = dict(x=rng.normal(0, 2, size=shape), target=rng.normal(size=shape), reduction=reduction)
        yield Case(name, args, f"{len(shape)} axes, {reduction}")
        if name != "smooth_l1_loss" and len(shape) == 2:
            weighted = {**args, "weight": rng.uniform(0.5, 2, shape)}
            yield Case(name, weighted, f"{len(shape)} axes, {reduction}, weight")
    for name in names:
        yield Case(name, dict(x=np.array([-1000.0, 1000.0]), target=np.zeros(2)), "extreme")
        yield Case(name, dict(x=np.array(0.3), target=np.array(1.7)), "a single number")
    for width in (0.3, 2.5):
        args = dict(x=rng.normal(0, 2, size=(4, 3)), target=rng.normal(size=(4, 3)))
        yield Case("huber_loss", {**args, "delta": width}, f"delta {width}")
        yield Case("smooth_l1_loss", {**args, "beta": width}, f"beta {width}")
    yield Case("smooth_l1_loss", {**args, "beta": 0.0}, "no round tip")
    same = dict(x=np.array([0.0, 1.0]), target=np.array([0.0, 0.0]), reduction="sum")
    for name in ("mse_loss", "huber_loss", "smooth_l1_loss"):
        yield Case(name, same, "exactly right")

    for reduction, full in product(REDUCTIONS, (False, True)):
        shape = (2, 3, 4) if full else (4, 3)
        x, target = rng.normal(size=(2, *shape))
        note = f"{reduction}{', full' * full}"
        for kind, axes in (("", shape), (", one variance a row", (*shape[:-1], 1))):
            args = dict(x=x, target=target, var=rng.uniform(0.3, 3, axes), full=full, reduction=reduction)
            yield Case("gaussian_nll_loss", args, note + kind)
    args = dict(x=np.array([1e3, -1e3]), target=np.zeros(2), var=np.array([1e-2, 1e4]))
    yield Case("gaussian_nll_loss", args, "extreme")
    args = dict(x=rng.normal(size=3), target=rng.normal(size=3), var=rng.uniform(1, 2, 3), eps=0.5)
    yield Case("gaussian_nll_loss", args, "eps 0.5")


def yes_or_no(rng):
    name = "binary_cross_entropy_with_logits"
    for reduction, weighted, positive in product(REDUCTIONS, (False, True), (False, True)):
        args = dict(x=rng.normal(0, 3, (4, 3)), target=rng.uniform(size=(4, 3)))
        if weighted:
            args["weight"] = rng.uniform(0.5, 2, (4, 3))
        args["reduction"] = reduction
        if positive:
            args["pos_weight"] = rng.uniform(0.5, 4, 3)
        notes = [reduction, "weight" * weighted, "pos_weight" * positive]
        yield Case(name, args, ", ".join(n for n in notes if n))
    labels = rng.integers(0, 2, 6).astype(float)
    yield Case(name, dict(x=rng.normal(size=6), target=labels, pos_weight=np.array([3.0])), "one pos_weight")
    x = np.array([-1000.0, -100.0, 0.0, 100.0, 1000.0])
    for target in (0.0, 1.0):
        yield Case(name, dict(x=x, target=np.full(5, target)), f"extreme, target {target:.0f}")
    yield from by_probability(rng)
    yield from margins(rng)


def by_probability(rng):
    name = "binary_cross_entropy"
    for reduction, weighted in product(REDUCTIONS, (False, True)):
        args = dict(x=rng.uniform(0.1, 0.9, (4, 3)), target=rng.uniform(size=(4, 3)), reduction=reduction)
        if weighted:
            args["weight"] = rng.uniform(0.5, 2, (4, 3))
        yield Case(name, args, reduction + ", weight" * weighted)
    for target in (0.0, 1.0):
        args = dict(x=np.array([0.02, 0.5, 0.98]), target=np.full(3, target))
        yield Case(name, args, f"nearly certain, target {target:.0f}")

    name = "sigmoid_focal_loss"
    labels = rng.integers(0, 2, (4, 3)).astype(float)
    for reduction, (alpha, gamma) in product(REDUCTIONS, ((0.25, 2.0), (0.8, 0.5), (-1, 1.0), (-1, 0.0))):
        args = dict(x=rng.normal(0, 2, (4, 3)), target=labels, alpha=alpha, gamma=gamma, reduction=reduction)
        yield Case(name, args, f"{reduction}, alpha {alpha}, gamma {gamma}")
    x = np.array([-1000.0, -100.0, 0.0, 100.0, 1000.0])
    for target in (0.0, 1.0):
        yield Case(name, dict(x=x, target=np.full(5, target)), f"extreme, target {target:.0f}")
    args = dict(x=rng.normal(size=4), target=rng.uniform(0.1, 0.9, 4), reduction="mean")
    yield Case(name, args, "answers in between")


def margins(rng):
    for reduction, margin in product(REDUCTIONS, (1.0, 0.3)):
        target = rng.choice([-1, 1], (4, 3))
        args = dict(x=rng.normal(size=(4, 3)), target=target, margin=margin, reduction=reduction)
        yield Case("hinge", args, f"{reduction}, margin {margin}")
    args = dict(x=np.array([-1000.0, 1000.0, 1000.0, 0.0]), target=np.array([1, 1, -1, -1]))
    yield Case("hinge", args, "extreme")

    name = "multi_margin_loss"
    for reduction, p, weighted in product(REDUCTIONS, (1, 2), (False, True)):
        args = dict(x=rng.normal(size=(6, 4)), target=rng.integers(0, 4, 6), p=p, reduction=reduction)
        if weighted:
            args["weight"] = rng.uniform(0.5, 2, 4)
        yield Case(name, args, f"{reduction}, p {p}{', weight' * weighted}")
    args = dict(x=rng.normal(size=(5, 3)), target=rng.integers(0, 3, 5), margin=0.4)
    yield Case(name, args, "margin 0.4")
    x = np.array([[1000.0, 0.0, -1000.0], [0.0, 1000.0, 999.5]])
    yield Case(name, dict(x=x, target=np.array([2, 1])), "extreme")


def one_of_k(rng):
    options = product(REDUCTIONS, (False, True), (0.0, 0.1), (False, True))
    for reduction, weighted, smoothing, ignored in options:
        x, target = rng.normal(0, 3, (6, 4)), rng.integers(0, 4, 6)
        settings = dict(weight=rng.uniform(0.5, 2, 4)) if weighted else {}
        settings.update(reduction=reduction, label_smoothing=smoothing)
        notes = [reduction, "weight" * weighted, "smoothing" * bool(smoothing), "ignore_index" * ignored]
        note = ", ".join(n for n in notes if n)
        if ignored:
            target[[1, 4]] = -100
        else:
            soft = rng.dirichlet(np.ones(4), 6)
            yield Case("cross_entropy", dict(x=x, target=soft, **settings), f"probabilities, {note}")
        yield Case("cross_entropy", dict(x=x, target=target, **settings), note)

    target, weight = rng.integers(0, 3, (2, 5)), rng.uniform(0.5, 2, 3)
    x = rng.normal(size=(2, 3, 5))
    target[0, 1] = 2
    args = dict(x=x, target=target, weight=weight, label_smoothing=0.2)
    yield Case("cross_entropy", args, "sequences, weight")
    yield Case("cross_entropy", dict(x=x, target=target, ignore_index=2), "sequences, class 2 ignored")
    soft = np.moveaxis(rng.dirichlet(np.ones(3), (2, 5)), -1, 1)
    yield Case("cross_entropy", dict(x=x, target=soft, weight=weight, reduction="none"), "soft sequences")
    extreme = np.array([[1000.0, 0.0, -1000.0], [-1000.0, 1000.0, 999.0], [0.0, 0.0, 0.0]])
    for classes, smoothing in product(([0, 1, 2], [2, 0, 0]), (0.0, 0.1)):
        args = dict(x=extreme, target=np.array(classes), label_smoothing=smoothing)
        yield Case("cross_entropy", args, f"extreme, classes {classes}, smoothing {smoothing}")
    yield Case("cross_entropy", dict(x=rng.normal(size=(1, 2)), target=np.array([1])), "a single row")
    yield from log_probabilities(rng)


def log_probabilities(rng):
    for reduction, weighted, ignored in product(REDUCTIONS, (False, True), (False, True)):
        x, target = np.log(rng.dirichlet(np.ones(4), 6)), rng.integers(0, 4, 6)
        if ignored:
            target[[1, 4]] = -100
        args = dict(x=x, target=target, reduction=reduction)
        if weighted:
            args["weight"] = rng.uniform(0.5, 2, 4)
        notes = [reduction, "weight" * weighted, "ignore_index" * ignored]
        yield Case("nll_loss", args, ", ".join(n for n in notes if n))
    x = np.log(np.moveaxis(rng.dirichlet(np.ones(3), (2, 5)), -1, 1))
    args = dict(x=x, target=rng.integers(0, 3, (2, 5)), weight=rng.uniform(0.5, 2, 3), ignore_index=2)
    yield Case("nll_loss", args, "sequences, class 2 ignored")
    x = np.array([[0.0, -1000.0], [-1000.0, 0.0]])
    yield Case("nll_loss", dict(x=x, target=np.array([0, 0])), "extreme")

    for reduction, log_target in product((*REDUCTIONS, "batchmean"), (False, True)):
        p, q = rng.dirichlet(np.full(4, 3.0), (2, 5))
        args = dict(x=np.log(p), target=np.log(q) if log_target else q)
        args.update(reduction=reduction, log_target=log_target)
        yield Case("kl_div", args, f"{reduction}{', log_target' * log_target}")
    p, q = rng.dirichlet(np.full(3, 3.0), (2, 2, 4))
    yield Case("kl_div", dict(x=np.log(p), target=q, reduction="batchmean"), "sequences")
    args = dict(x=np.array([[-1000.0, 0.0], [-0.1, -3.0]]), target=np.array([[0.5, 0.5], [0.9, 0.1]]))
    yield Case("kl_div", args, "extreme")
