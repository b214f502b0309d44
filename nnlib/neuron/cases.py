"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    yield Case("step", dict(x=np.array([-1e3, -1e-9, 0.0, 1e-9, 1e3])), "around zero")
    yield Case("step", dict(x=rng.normal(size=(3, 4))))
    yield Case("step", dict(x=np.array([np.nan])), "not a number")
    for n, d in ((7, 2), (4, 5), (1, 1)):
        note = f"{n} x {d}"
        sample = dict(x=rng.normal(size=(n, d)), weight=rng.normal(size=d), bias=np.array(rng.normal()))
        yield Case("perceptron", sample, note)
        yield Case("logistic_neuron", sample, note)
        yield Case("adaline_update", dict(target=rng.choice([-1.0, 1.0], n), **sample, lr=0.1), note)
    on_the_line = dict(x=np.array([[1.0, 2.0], [3.0, 3.0]]), weight=np.array([0.5, -1.0]), bias=np.array(1.5))
    yield Case("perceptron", on_the_line, "exactly on the line")
    x, weight = np.array([1.0, 2.0]), np.array([0.5, -1.0])
    for bias, target, note in ((2.0, 1, "right"), (2.0, 0, "fired wrongly"), (1.0, 1, "silent wrongly")):
        one = dict(x=x, target=target, weight=weight, bias=np.array(bias), lr=0.5)
        yield Case("perceptron_update", one, note)
    yield Case(
        "perceptron_update", dict(x=x, target=0, weight=weight, bias=np.array(1.5)), "exactly on the line"
    )
    extreme = dict(
        x=np.array([[1e3, 0.0], [-1e3, 0.0], [0.0, 0.0]]), weight=np.array([1.0, 0.5]), bias=np.array(0.0)
    )
    yield Case("logistic_neuron", extreme, "extreme inputs")
