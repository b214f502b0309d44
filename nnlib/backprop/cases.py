"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    for note, (n, d, h, k) in {"wide": (6, 4, 5, 3), "narrow": (5, 3, 2, 4), "one row": (1, 2, 3, 2)}.items():
        x = rng.normal(size=(n, d))
        first = dict(weight1=rng.normal(size=(h, d)), bias1=rng.normal(size=h))
        yield Case("tanh_layer", dict(x=x, weight=first["weight1"], bias=first["bias1"]), note)
        second = dict(weight2=rng.normal(size=(k, h)), bias2=rng.normal(size=k))
        yield Case("mlp_loss", dict(x=x, **first, **second, target=rng.integers(k, size=n)), note)
        second = dict(weight2=rng.normal(size=(d, h)), bias2=rng.normal(size=d))
        yield Case("residual_mlp", dict(x=x, **first, **second), note)
        tied = dict(weight=first["weight1"], bias1=first["bias1"], bias2=second["bias2"])
        yield Case("tied_mlp", dict(x=x, **tied), note)
    square = dict(weight1=rng.normal(size=(4, 4)), bias1=rng.normal(size=4))
    square |= dict(weight2=rng.normal(size=(4, 4)), bias2=rng.normal(size=4))
    x = rng.normal(size=(4, 4))  # every shape fits, transposed or not
    yield Case("tanh_layer", dict(x=x, weight=square["weight1"], bias=square["bias1"]), "all sizes equal")
    yield Case("mlp_loss", dict(x=x, **square, target=np.array([3, 0, 0, 2])), "all sizes equal")
    yield Case("residual_mlp", dict(x=x, **square), "all sizes equal")
    yield Case(
        "tied_mlp",
        dict(x=x, weight=square["weight1"], bias1=square["bias1"], bias2=square["bias2"]),
        "all sizes equal",
    )

    extreme = np.array([[1e3, -1e3], [-1e3, 0.0], [0.5, 0.25]])
    large = dict(weight1=rng.normal(size=(3, 2)), bias1=rng.normal(size=3))
    large |= dict(weight2=1e3 * rng.normal(size=(4, 3)), bias2=rng.normal(size=4))
    yield Case(
        "tanh_layer", dict(x=extreme, weight=large["weight1"], bias=large["bias1"]), "saturated at ±1000"
    )
    yield Case("mlp_loss", dict(x=extreme, **large, target=np.array([0, 3, 1])), "scores in the thousands")

    deep = dict(x=rng.normal(size=(4, 3)), weight=rng.normal(size=(7, 3, 3)), bias=rng.normal(size=(7, 3)))
    for every, note in (
        (1, "keep all"),
        (3, "a short last segment"),
        (7, "keep the input"),
        (20, "beyond L"),
    ):
        yield Case("deep_mlp", dict(**deep, every=every), note)
    one = dict(x=rng.normal(size=(2, 3)), weight=rng.normal(size=(1, 3, 3)), bias=rng.normal(size=(1, 3)))
    yield Case("deep_mlp", one, "one layer")
