"""Inputs on which reference, twin and official operation must agree: zero and the extremes included."""

import numpy as np

from nnlib.core import Case

PLAIN = ("sigmoid", "tanh", "hardtanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "silu", "mish")


def cases(rng):
    inputs = {
        "one row": rng.normal(size=5),
        "images": rng.normal(0, 3, size=(2, 3, 4, 4)),
        "zero": np.array([-1.0, 0.0, 1.0]),
        "extreme": np.array([[-1000.0, -100.0, -30.0], [30.0, 100.0, 1000.0]]),
        "a single number": np.array(0.7),
    }
    for note, x in inputs.items():
        for name in PLAIN:
            yield Case(name, dict(x=x), note)
        yield Case("leaky_relu", dict(x=x, negative_slope=0.3), f"{note}, slope 0.3")
        yield Case("elu", dict(x=x, alpha=1.7), f"{note}, alpha 1.7")
        yield Case("gelu", dict(x=x, approximate="tanh"), f"{note}, by tanh")
        yield Case("softplus", dict(x=x, beta=2.5), f"{note}, beta 2.5")
    yield Case("leaky_relu", dict(x=rng.normal(size=(3, 4)), negative_slope=-0.5), "falling on the left")
    yield Case("elu", dict(x=rng.normal(size=(3, 4)), alpha=-0.5), "alpha below 0")
    yield Case("hardtanh", dict(x=rng.normal(0, 2, size=(3, 4)), min_val=-0.5, max_val=2.0), "uneven ends")
    yield Case("softplus", dict(x=rng.normal(0, 3, size=(3, 4)), beta=0.7, threshold=1.5), "threshold 1.5")
    yield from competing(rng)


def competing(rng):
    extreme = [[-1000.0, 0.0, 1000.0], [999.0, 1000.0, 1000.0], [-1000.0, -1000.0, -999.0]]
    inputs = {
        "rows": (rng.normal(0, 2, size=(4, 5)), 1),
        "columns": (rng.normal(0, 2, size=(4, 5)), 0),
        "channels": (rng.normal(0, 2, size=(2, 3, 4, 4)), 1),
        "last axis": (rng.normal(0, 2, size=(2, 3, 4)), -1),
        "extreme": (np.array(extreme), 1),
        "one number": (np.array([[0.3], [-2.0]]), 1),
    }
    for note, (x, dim) in inputs.items():
        for name in ("softmax", "log_softmax"):
            yield Case(name, dict(x=x, dim=dim), note)
