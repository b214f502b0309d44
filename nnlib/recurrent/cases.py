"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def _weights(rng, kind, inputs, hidden, bias=True):
    rows = GATES[kind] * hidden
    shapes = dict(weight_ih=(rows, inputs), weight_hh=(rows, hidden))
    if bias:
        shapes |= dict(bias_ih=(rows,), bias_hh=(rows,))
    return {name: rng.normal(scale=0.7, size=shape) for name, shape in shapes.items()}


def cases(rng):
    for kind in GATES:
        states = ("h", "c") if kind == "lstm" else ("h",)

        def state(form, *shape, states=states):
            return {form.format(s): rng.normal(size=shape) for s in states}

        cell, plain = f"{kind}_cell", _weights(rng, kind, 3, 4)
        yield Case(cell, dict(x=rng.normal(size=(5, 3)), **state("{}x", 5, 4), **plain), "five rows")
        bare = _weights(rng, kind, 2, 3, bias=False)
        yield Case(cell, dict(x=rng.normal(size=(4, 2)), **state("{}x", 4, 3), **bare), "no biases")
        far = np.array([[1000.0, -1000, 0], [-1000, 1000, 1000], [0, 0, 1000]])
        yield Case(cell, dict(x=far, **state("{}x", 3, 4), **plain), "saturated")

        x, start = rng.normal(size=(5, 4, 2)), state("{}_0", 4, 3)
        given = dict(x=x, **start, **_weights(rng, kind, 2, 3))
        lengths = np.array([3, 5, 1, 4])
        yield Case(kind, given, "five steps")
        yield Case(kind, {**given, "reverse": True}, "backwards in time")
        yield Case(kind, {**given, "lengths": lengths}, "of several lengths")
        yield Case(kind, {**given, "lengths": lengths, "reverse": True}, "of several lengths, backwards")
        bare = dict(x=x[:1], **start, **_weights(rng, kind, 2, 3, bias=False))
        yield Case(kind, bare, "one step, no biases")

    relu = _weights(rng, "rnn", 3, 4)
    args = dict(x=rng.normal(size=(5, 3)), hx=rng.normal(size=(5, 4)), **relu, nonlinearity="relu")
    yield Case("rnn_cell", args, "relu")
    args = dict(x=rng.normal(size=(6, 2, 3)), h_0=rng.normal(size=(2, 4)), **relu, nonlinearity="relu")
    yield Case("rnn", args, "relu")

    for kind in GATES:
        states = ("h", "c") if kind == "lstm" else ("h",)
        bare = _weights(rng, kind, 1, 1, bias=False)
        start = {s: rng.normal(size=(1, 1)) for s in states}
        cell = dict(x=rng.normal(size=(1, 1)), **{f"{s}x": value for s, value in start.items()})
        yield Case(f"{kind}_cell", {**cell, **bare}, "one number, one unit")
        whole = dict(x=rng.normal(size=(3, 1, 1)), **{f"{s}_0": value for s, value in start.items()})
        yield Case(
            kind, {**whole, **bare, "lengths": np.array([2])}, "one number, one unit, one step too many"
        )
