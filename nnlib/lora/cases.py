"""Inputs on which reference and twin must agree.

lora_B is random: at its start, zero, every wrong gradient of lora_A would be right.
"""

import numpy as np

from nnlib.core import Case

SHAPES = {  # the rows of x, D, O, R
    "one sample": ((1,), 3, 2, 1),
    "rows": ((5,), 4, 3, 2),
    "use_rslora": ((4,), 5, 4, 3),
    "sequences": ((2, 3), 5, 4, 2),
}


def cases(rng):
    for note, (rows, D, O, R) in SHAPES.items():
        x, weight, bias = rng.normal(size=(*rows, D)), rng.normal(size=(O, D)), rng.normal(size=O)
        thin = dict(lora_A=rng.normal(size=(R, D)), lora_B=rng.normal(size=(O, R)))
        layer, lengths = dict(x=x, weight=weight, bias=bias, **thin), rng.uniform(0.5, 2, (2, O))
        options = dict(lora_alpha=3.0, use_rslora=note == "use_rslora")
        yield Case("delta_weight", dict(**thin, **options), note)
        yield Case("lora_linear", dict(**layer, **options), note)
        yield Case("merge", dict(weight=weight, **thin, **options), note)
        yield Case("unmerge", dict(merged=weight, **thin, **options), note)
        yield Case("dora_norm", dict(weight=weight, **thin, **options), note)
        yield Case("dora_merge", dict(weight=weight, **thin, magnitude=lengths[0], **options), note)
        yield Case("dora_linear", dict(**layer, magnitude=lengths[0], **options), note)
        given = dict(magnitude=lengths[0], **options, norm=lengths[1])
        yield Case("dora_linear", layer | given, f"{note}, the norm a constant")
        yield Case("init_lora", dict(u=rng.random((R, D)), out_features=O), note)

    x, weight, bias = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
    thin = dict(lora_A=rng.normal(size=(2, 3)), lora_B=rng.normal(size=(5, 2)))
    yield Case("lora_linear", dict(x=x, weight=weight, bias=bias, **thin), "default alpha")
    yield Case("lora_linear", dict(x=1000 * x, weight=weight, bias=bias, **thin), "large inputs")
    start = dict(x=x, weight=weight, bias=bias, lora_A=thin["lora_A"], lora_B=np.zeros((5, 2)))
    yield Case("lora_linear", start, "at the start")
    yield Case("delta_weight", thin, "default alpha")
    yield Case("merge", dict(weight=weight, **thin), "default alpha")
    magnitude = rng.uniform(0.5, 2, 5)
    yield Case(
        "dora_linear", dict(x=x, weight=weight, bias=bias, **thin, magnitude=magnitude), "default alpha"
    )
    yield Case("dora_linear", start | dict(magnitude=magnitude), "at the start")

    for note, shape in {"rows": (6, 3), "sequences": (6, 2, 3)}.items():
        several = dict(lora_A=rng.normal(size=(4, 2, 3)), lora_B=rng.normal(size=(4, 5, 2)))  # K, R, D differ
        layer = dict(x=rng.normal(size=shape), weight=weight, bias=bias, **several)
        yield Case(
            "mixed_lora_linear", layer | dict(adapter=np.array([2, 0, -1, 2, 0, -1])), f"{note}, two unused"
        )
    each = layer | dict(adapter=np.array([0, 1, 2, 3, 1, 2]), lora_alpha=3.0)
    yield Case("mixed_lora_linear", each, "each in use")

    for note, (rows, D, O, size) in {"rows": ((4,), 6, 5, 8), "sequences": ((2, 3), 4, 3, 64)}.items():
        codes, absmax = rng.integers(0, 16, (O, D)), rng.uniform(0.1, 3, -(-O * D // size))
        thin = dict(lora_A=rng.normal(size=(2, D)), lora_B=rng.normal(size=(O, 2)))
        frozen = dict(codes=codes, absmax=absmax, bias=rng.normal(size=O))
        yield Case(
            "qlora_linear", dict(x=rng.normal(size=(*rows, D)), **frozen, **thin, block_size=size), note
        )

    options = dict(lora_alpha=3.0, use_rslora=True, bias=None)
    rounded = dict(codes=codes, absmax=absmax, **thin, block_size=size)
    yield Case("qlora_linear", dict(x=rng.normal(size=(5, D)), **rounded, **options), "use_rslora, no bias")

    for note, shape in {"wide": (3, 6), "tall": (6, 4), "square": (5, 5)}.items():
        yield Case("low_rank", dict(delta=rng.normal(size=shape), r=2), note)
    exact = thin["lora_B"] @ thin["lora_A"]
    yield Case("low_rank", dict(delta=exact, r=2), "of rank 2 already")
    yield Case("low_rank", dict(delta=exact, r=1), "one of two")
