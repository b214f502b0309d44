"""Inputs on which reference, twin and official operation must agree."""

from nnlib.core import Case


def cases(rng):
    for note, shape in {"one input": (4,), "a batch": (6, 4), "a batch of sequences": (2, 5, 4)}.items():
        x, weight, bias = rng.normal(size=shape), rng.normal(size=(3, 4)), rng.normal(size=3)
        yield Case("linear", dict(x=x, weight=weight, bias=bias), note)
        yield Case("linear", dict(x=x, weight=weight), f"{note}, no bias")
    yield Case("linear", dict(x=rng.normal(size=(5, 1)), weight=rng.normal(size=(1, 1))), "one to one")
