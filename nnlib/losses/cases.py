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
    for shape, reduction in product([(5,), (4, 3), (2, 3, 2, 2)], REDUCTIONS):
        args = dict(x=rng.normal(size=shape), target=rng.normal(size=shape), reduction=reduction)
        yield Case("mse_loss", args, f"{len(shape)} axes, {reduction}")
    yield Case("mse_loss", dict(x=np.array([-1000.0, 1000.0]), target=np.zeros(2)), "extreme")


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
