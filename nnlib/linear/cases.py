"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    for note, shape in {"one input": (4,), "a batch": (6, 4), "a batch of sequences": (2, 5, 4)}.items():
        x, weight, bias = rng.normal(size=shape), rng.normal(size=(3, 4)), rng.normal(size=3)
        yield Case("linear", dict(x=x, weight=weight, bias=bias), note)
        yield Case("linear", dict(x=x, weight=weight), f"{note}, no bias")
    yield Case("linear", dict(x=rng.normal(size=(5, 1)), weight=rng.normal(size=(1, 1))), "one to one")

    for activation in ("relu", "tanh", "sigmoid"):
        for note, (shape, h, o) in {"a batch": ((6, 4), 5, 3), "one input": ((4,), 3, 2)}.items():
            first = dict(x=rng.normal(size=shape), weight1=rng.normal(size=(h, 4)), bias1=rng.normal(size=h))
            second = dict(weight2=rng.normal(size=(o, h)), bias2=rng.normal(size=o), activation=activation)
            yield Case("mlp", first | second, f"{activation}, {note}")
    square = {name: rng.normal(size=(3, 3)) for name in ("x", "weight1", "weight2")}
    biases = dict(bias1=rng.normal(size=3), bias2=rng.normal(size=3))
    yield Case("mlp", square | biases, "all sizes equal")
    far = dict(x=np.array([[1e3, -1e3], [-1e3, 1e3], [1e3, 1e3]]) @ rng.normal(size=(2, 3)))
    yield Case("mlp", square | biases | far | {"activation": "tanh"}, "inputs in the thousands")

    for note, count in {"two points": 2, "five points": 5}.items():
        points = dict(knots=np.sort(rng.uniform(-2, 2, count)), values=rng.normal(size=count))
        yield Case("relu_interpolation", dict(x=rng.uniform(-3, 3, 7), **points), note)
    hat = dict(knots=np.array([-1.0, 0.0, 1.0, 2.0]), values=np.array([0.0, 1.0, 0.0, 0.5]))
    yield Case("relu_interpolation", dict(x=np.array([-1e3, -0.25, 0.5, 1e3]), **hat), "far outside")
