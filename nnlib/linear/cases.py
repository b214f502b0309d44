"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    for note, shape in {"a batch": (6, 4), "one input": (4,), "a batch of sequences": (2, 5, 4)}.items():
        x, weight, bias = rng.normal(size=shape), rng.normal(size=(3, 4)), rng.normal(size=3)
        yield Case("linear", dict(x=x, weight=weight, bias=bias), note)
        yield Case("linear", dict(x=x, weight=weight), f"{note}, no bias")
    yield Case("linear", dict(x=rng.normal(size=(5, 1)), weight=rng.normal(size=(1, 1))), "one to one")

    for activation in ("relu", "tanh", "sigmoid"):
        for note, (shape, h, o) in {"a batch": ((6, 4), 5, 3), "one input": ((4,), 3, 2)}.items():
            first = dict(x=rng.normal(size=shape), weight1=rng.normal(size=(h, 4)), bias1=rng.normal(size=h))
            second = dict(weight2=rng.normal(size=(o, h)), bias2=rng.normal(size=o), activation=activation)
            yield Case("mlp", first | second, f"{activation}, {note}")
    sizes = dict(x=(3, 3), weight1=(3, 3), bias1=3, weight2=(3, 3), bias2=3)
    square = {name: rng.normal(size=size) for name, size in sizes.items()}
    yield Case("mlp", square, "all sizes equal")
    sequences = square | dict(x=rng.normal(size=(2, 4, 3)), activation="sigmoid")
    yield Case("mlp", sequences, "a batch of sequences")
    far = square | dict(x=1e3 * np.array([[1.0, -1, 1], [-1, 1, 1], [0, 0, -1]]), activation="tanh")
    yield Case("mlp", far, "inputs of ±1000")

    extreme = np.array([[1e3, 0.0, -1e3], [-1e3, 2.0, 1.0], [-3.0, -2.0, -1e3]])
    for task in ("regression", "binary", "multiclass"):
        yield Case("output_head", dict(x=rng.normal(0, 2, size=(3, 3)), task=task), f"{task}, 3 rows of 3")
        yield Case("output_head", dict(x=rng.normal(0, 2, size=(4, 2)), task=task), f"{task}, 4 rows of 2")
        yield Case("output_head", dict(x=extreme, task=task), f"{task}, sums of ±1000")

    for note, count in {"two points": 2, "five points": 5}.items():
        points = dict(knots=np.sort(rng.uniform(-2, 2, count)), values=rng.normal(size=count))
        x = np.append(rng.uniform(-2, 2, 6), [-3, 3])
        yield Case("relu_interpolation", dict(x=x, **points), note)
    hat = dict(knots=np.array([-1.0, 0.0, 1.0, 2.0]), values=np.array([0.0, 1.0, 0.0, 0.5]))
    yield Case("relu_interpolation", dict(x=np.array([-1e3, -0.25, 0.5, 1e3]), **hat), "far outside")
