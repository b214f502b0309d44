"""Inputs on which reference, twin and official operation must agree: first and later steps, all settings."""

from itertools import product

from nnlib.core import Case


def cases(rng):
    for momentum, dampening, weight_decay, nesterov, later in product(
        (0, 0.9), (0, 0.3), (0, 0.05), (False, True), (False, True)
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue  # refused, by torch too
        args = dict(param=rng.normal(size=(3, 4)), grad=rng.normal(size=(3, 4)))
        if later:
            args["momentum_buffer"] = rng.normal(size=(3, 4))
        settings = dict(
            lr=0.1, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )
        changed = ", ".join(k for k, v in settings.items() if v and k != "lr") or "plain"
        yield Case("sgd", dict(**args, **settings), f"{'later' if later else 'first'} step, {changed}")
    yield Case("sgd", dict(param=rng.normal(size=5), grad=rng.normal(size=5)), "defaults")
    yield Case("sgd", dict(param=rng.normal(size=5), grad=rng.normal(size=5), lr=0.0), "no step")
