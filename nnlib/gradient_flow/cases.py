"""Inputs on which reference, twin and official operation must agree."""

from math import inf, nan

import numpy as np

from nnlib.core import Case


def cases(rng):
    for note, (layers, d) in {"one layer": (1, 3), "seven layers": (7, 4), "a single unit": (5, 1)}.items():
        weight, bias = rng.normal(size=(layers, d, d)), rng.normal(size=(layers, d))
        yield Case("jacobian_product", dict(x=rng.normal(size=d), weight=weight, bias=bias), note)
    far = dict(x=np.array([1e3, -1e3, 0.0]), weight=rng.normal(size=(2, 3, 3)), bias=rng.normal(size=(2, 3)))
    yield Case("jacobian_product", far, "saturated at ±1000")

    for note, (n, d, h) in {"wide": (6, 3, 5), "narrow": (5, 4, 2), "all sizes equal": (4, 4, 4)}.items():
        block = dict(weight1=rng.normal(size=(h, d)), bias1=rng.normal(size=h))
        block |= dict(weight2=rng.normal(size=(d, h)), bias2=rng.normal(size=d))
        gate = dict(weight=rng.normal(size=(d, d)), bias=rng.normal(size=d))
        gate |= dict(weight_gate=rng.normal(size=(d, d)), bias_gate=rng.normal(size=d))
        for name, parameters in (("residual_block", block), ("preact_block", block), ("highway", gate)):
            yield Case(name, dict(x=rng.normal(size=(n, d)), **parameters), note)
            if note == "narrow":
                yield Case(
                    name, dict(x=1e3 * rng.normal(size=(2, d)), **parameters), "inputs in the thousands"
                )
                yield Case(name, dict(x=rng.normal(size=(1, d)), **parameters), "one row")

    one = {name: np.ones((1, 1) if "weight" in name else 1) for name in gate}
    yield Case("highway", dict(x=np.array([[1e20], [3e20]]), **one), "an open gate forgets the largest input")

    grads = rng.normal(0, [1, 10, 0.1], size=(4, 3))
    for norm_type in (2.0, 1.0, inf, 3.5):
        yield Case("get_total_norm", dict(grads=grads, norm_type=norm_type), f"norm_type {norm_type}")
        one = dict(grads=grads, max_norm=2.0, norm_type=norm_type)
        yield Case("clip_grad_norm", one, f"longer, norm_type {norm_type}")
        yield Case("clip_grad_norm", one | dict(max_norm=1e3), f"shorter, norm_type {norm_type}")
    small = np.array([3e-6, -4e-6])
    yield Case("clip_grad_norm", dict(grads=small, max_norm=2e-6), "so short that the 1e-6 counts")
    yield Case("clip_grad_norm", dict(grads=small, max_norm=1e38), "no limit")
    yield Case("clip_grad_norm", dict(grads=grads, max_norm=inf), "only measured")
    yield Case("clip_grad_norm", dict(grads=np.zeros(3), max_norm=0.0), "nothing, clipped to nothing")
    yield Case("clip_grad_norm", dict(grads=1e3 * grads, max_norm=1, error_if_nonfinite=True), "error wanted")
    yield Case("clip_grad_norm", dict(grads=np.array(-7.0), max_norm=2.5), "a single number")
    broken = {"one infinite": [1.0, -inf, 2.0], "one NaN": [1.0, nan, -2.0]}
    for note, values in broken.items():
        yield Case("get_total_norm", dict(grads=np.array(values)), note)
        yield Case("clip_grad_norm", dict(grads=np.array(values), max_norm=1.0), note)
        yield Case("clip_grad_value", dict(grads=np.array(values), clip_value=1.0), note)
    yield Case("clip_grad_value", dict(grads=grads, clip_value=0.5), "some longer")
    yield Case("clip_grad_value", dict(grads=1e3 * grads, clip_value=0), "to nothing")
    yield Case("clip_grad_value", dict(grads=grads, clip_value=inf), "not at all")

    points = np.column_stack([rng.uniform(3, 7, size=6), rng.uniform(-3, -1, size=6)])
    yield Case("cliff", dict(x=points, steps=5), "few steps")
    yield Case("cliff", dict(x=np.array([[4.2, -1.5], [5.0, -3.5], [1.0, 0.5]])), "off the cliff")
    yield Case(
        "cliff", dict(x=np.array([[1e3, -1e3], [-1e3, 1e3]]), steps=3, target=0.2), "saturated at ±1000"
    )
