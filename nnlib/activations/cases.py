"""Inputs on which reference, twin and official operation must agree: zero and the extremes included."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    inputs = {
        "one row": rng.normal(size=5),
        "images": rng.normal(0, 3, size=(2, 3, 4, 4)),
        "zero": np.array([-1.0, 0.0, 1.0]),
        "extreme": np.array([[-1000.0, -100.0, -30.0], [30.0, 100.0, 1000.0]]),
        "a single number": np.array(0.7),
    }
    for note, x in inputs.items():
        for name in ("sigmoid", "tanh", "relu", "leaky_relu"):
            yield Case(name, dict(x=x), note)
        yield Case("leaky_relu", dict(x=x, negative_slope=0.3), f"{note}, slope 0.3")
    yield Case("leaky_relu", dict(x=rng.normal(size=(3, 4)), negative_slope=-0.5), "falling on the left")
