"""Inputs on which reference, twin and official operation must agree.

A mask is one that p allows: with p = 0 nothing is dropped, with p = 1 everything.
"""

import numpy as np

from nnlib.core import Case

SETTINGS = {"p 0.2": 0.2, "p 0.9": 0.9, "p 0": 0.0, "p 1": 1.0}
SHAPES = {
    "dropout": ((5, 4), (5, 4)),
    "dropout1d": ((4, 3, 5), (4, 3)),
    "dropout2d": ((3, 4, 2, 3), (3, 4)),
    "stochastic_depth": ((6, 3), (6,)),
    "alpha_dropout": ((5, 4), (5, 4)),
    "feature_alpha_dropout": ((4, 3, 5), (4, 3)),
}


def keep(shape, p, rng):
    """A mask in which, where p allows both, something is kept and something dropped."""
    mask = rng.random(shape) >= p
    if 0 < p < 1:
        mask.flat[:2] = True, False
    return mask


def cases(rng):
    for name, (shape, entries) in SHAPES.items():
        for note, p in SETTINGS.items():
            yield Case(name, dict(x=rng.normal(size=shape), mask=keep(entries, p, rng), p=p), note)
        x = rng.normal(size=shape)
        x.flat[:4] = 1000, -1000, 0, 1e-30
        yield Case(name, dict(x=x, mask=keep(entries, 0.3, rng), p=0.3), "extreme values")
        for p in (0.4, 1.0):
            args = dict(x=rng.normal(size=shape), mask=keep(entries, p, rng), p=p, training=False)
            yield Case(name, args, f"in use, p {p:g}")
    for name, shape in {"dropout": (4, 3, 2, 2), "alpha_dropout": (7,)}.items():
        yield Case(name, dict(x=rng.normal(size=shape), mask=keep(shape, 0.5, rng)), f"{len(shape)} axes")
    images = dict(x=rng.normal(size=(4, 3, 2, 2)), mask=keep((4,), 0.5, rng), p=0.5)
    yield Case("stochastic_depth", images, "images")
    for note, p in SETTINGS.items():
        yield Case("dropconnect", {**layer(rng), "mask": keep((3, 4), p, rng), "p": p}, note)
    half = dict(mask=keep((3, 4), 0.5, rng))
    yield Case("dropconnect", {**layer(rng), "bias": None, **half}, "no bias")
    yield Case("dropconnect", {**layer(rng), **half, "training": False}, "in use")
    large = 1000 * np.sign(rng.normal(size=(6, 4)))
    yield Case("dropconnect", {**layer(rng), "x": large, **half}, "inputs of 1000")


def layer(rng):
    return dict(x=rng.normal(size=(6, 4)), weight=rng.normal(size=(3, 4)), bias=rng.normal(size=3))
