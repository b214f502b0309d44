"""Inputs on which reference, twin and official operation must agree.

Weights and biases are random: at their usual values one and zero a wrong backward would stay hidden.
"""

import numpy as np

from nnlib.core import Case

SHAPES = {"features": (8, 3), "sequences": (4, 6, 5), "images": (2, 6, 4, 3)}


def cases(rng):
    for note, shape in SHAPES.items():
        x, c = rng.normal(2, 3, size=shape), shape[1]
        channel = dict(weight=rng.normal(1, 0.3, c), bias=rng.normal(size=c))
        running = dict(running_mean=rng.normal(size=c), running_var=rng.uniform(0.5, 4, c))
        yield Case("batch_norm", dict(x=x, **channel), note)
        yield Case("batch_norm_running", dict(x=x, **running, momentum=0.3), note)
        yield Case("batch_norm_eval", dict(x=x, **running, **channel), note)
        yield Case("group_norm", dict(x=x, num_groups=1, **channel), f"{note} in one group")
        if len(shape) > 2:
            yield Case("group_norm", dict(x=x, num_groups=c, **channel), f"{note}, each channel a group")
            yield Case("group_norm", dict(x=x, num_groups=3, **channel), f"{note} in 3 groups")
            yield Case("instance_norm", dict(x=x, **channel), note)
        last = shape[-1:]
        element = dict(weight=rng.normal(1, 0.3, last), bias=rng.normal(size=last))
        yield Case("layer_norm", dict(x=x, normalized_shape=last, **element), f"{note} over the last axis")
        yield Case("rms_norm", dict(x=x, normalized_shape=last, weight=element["weight"], eps=1e-6), note)

    x = rng.normal(size=(2, 4, 3))
    element = dict(weight=rng.normal(1, 0.3, (4, 3)), bias=rng.normal(size=(4, 3)))
    yield Case("layer_norm", dict(x=x, normalized_shape=(4, 3), **element), "over two axes")
    yield Case("rms_norm", dict(x=x, normalized_shape=(4, 3), weight=element["weight"]), "over two axes")

    plain = rng.normal(-1, 2, size=(3, 2, 4))
    yield Case("batch_norm", dict(x=plain), "no scale, no shift")
    yield Case("batch_norm", dict(x=plain, eps=0.3), "large eps")
    yield Case("layer_norm", dict(x=plain, normalized_shape=(4,)), "no scale, no shift")
    yield Case("instance_norm", dict(x=plain), "no scale, no shift")
    yield Case("rms_norm", dict(x=plain, normalized_shape=(4,)), "no scale")
    yield Case("group_norm", dict(x=plain, num_groups=2), "no scale, no shift")
    pair = rng.normal(size=(2, 3))
    yield Case("batch_norm", dict(x=pair, weight=rng.normal(size=3), bias=rng.normal(size=3)), "batch of two")

    train, new = rng.normal(5, [1, 100, 0.01], size=(9, 3)), rng.normal(5, 3, size=(4, 3))
    constant = train.copy()
    constant[:, 1] = 7
    tenths = np.column_stack([np.full(100, 0.1), np.full(100, 1e17), rng.normal(size=100)])
    for note, x in {
        "scales 1, 100, 0.01": train,
        "one constant feature": constant,
        "constants that rounding moves": tenths,
    }.items():
        yield Case("feature_statistics", dict(x=x), note)
        yield Case("feature_range", dict(x=x), note)
    yield Case("standardize", dict(x=new, mean=train.mean(0), std=train.std(0)), "new data")
    yield Case("min_max", dict(x=new, low=train.min(0), high=train.max(0)), "new data")
    yield Case("weight_norm", dict(v=rng.normal(size=(4, 3)), g=rng.normal(size=(4, 1))))

    x, settings = rng.normal(1, 2, size=(3, 4, 4)), {"layer_norm": {"normalized_shape": (4,)}}
    settings |= {"batch_norm": {}, "group_norm": {"num_groups": 2}, "instance_norm": {}}
    settings["batch_norm_eval"] = dict(running_mean=rng.normal(size=4), running_var=rng.uniform(0.5, 4, 4))
    for name, given in settings.items():
        yield Case(name, dict(x=x, **given, weight=rng.normal(1, 0.3, 4), bias=None), "scale alone")
        if name != "group_norm":  # with a bias alone, torch 2.13's own backward fails
            yield Case(name, dict(x=x, **given, weight=None, bias=rng.normal(size=4)), "shift alone")
    for name in ("layer_norm", "group_norm", "rms_norm"):
        yield Case(name, dict(x=x[:1], **settings.get(name, {"normalized_shape": (4,)})), "a single sample")
