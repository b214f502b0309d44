"""Inputs on which reference, twin and official operation must agree: small, but with every option in use."""

import numpy as np

from nnlib.core import Case

CONV2D = {  # (channels in, out, kernel), size, settings
    "plain": ((2, 3, 3, 3), (5, 4), {}),
    "one pixel": ((3, 2, 1, 1), (3, 2), {}),
    "stride and padding": ((1, 2, 3, 2), (6, 5), dict(stride=2, padding=1)),
    "a pair of each": ((2, 2, 2, 3), (5, 6), dict(stride=(2, 1), padding=(0, 2), dilation=(2, 1))),
    "dilation 2": ((1, 2, 3, 3), (6, 6), dict(dilation=2, padding=2)),
    "same, even kernel": ((1, 2, 2, 3), (4, 4), dict(padding="same")),
    "same, dilation 3": ((1, 1, 3, 2), (4, 5), dict(padding="same", dilation=(1, 3))),
    "valid": ((2, 1, 2, 2), (3, 4), dict(padding="valid", stride=2)),
    "two groups": ((4, 6, 2, 2), (3, 3), dict(groups=2)),
    "depthwise, two filters each": ((3, 6, 3, 3), (4, 4), dict(groups=3, padding=1)),
}
CONV1D = {
    "plain": ((2, 3, 3), 7, {}),
    "stride, padding, dilation": ((2, 2, 3), 8, dict(stride=2, padding=3, dilation=2)),
    "same": ((1, 2, 4), 6, dict(padding="same")),
    "depthwise": ((3, 3, 2), 5, dict(groups=3, padding="valid")),
}
TRANSPOSED = {
    "plain": ((2, 3, 3, 2), (3, 4), {}),
    "stride and padding": ((1, 2, 4, 4), (3, 3), dict(stride=2, padding=1)),
    "a pair of each": (
        (2, 1, 3, 2),
        (2, 3),
        dict(stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(1, 2)),
    ),
    "groups": ((4, 1, 2, 2), (2, 2), dict(groups=2, stride=2)),
    "output padding below the dilation": ((1, 1, 2, 2), (3, 2), dict(dilation=3, output_padding=2)),
}
MAX_POOL = {
    "side by side": dict(kernel_size=2),
    "overlapping": dict(kernel_size=3, stride=1),
    "padding": dict(kernel_size=3, stride=2, padding=1),
    "pairs": dict(kernel_size=(2, 3), stride=(1, 2), padding=(1, 1)),
    "dilation": dict(kernel_size=2, stride=1, dilation=(2, 1)),
    "ceil": dict(kernel_size=2, stride=2, ceil_mode=True),
    "ceil and padding": dict(kernel_size=3, stride=2, padding=1, ceil_mode=True),
    "ceil, no window in the padding alone": dict(kernel_size=2, stride=3, padding=1, ceil_mode=True),
}


def cases(rng):
    yield from _counting()
    yield from _padding(rng)
    yield from _convolutions(rng)
    yield from _pooling(rng)


def _counting():
    for size, kernel, stride, padding, dilation in (
        (28, 5, 1, 0, 1), (28, 3, 1, 1, 1), (28, 2, 2, 0, 1), (7, 3, 2, 1, 1), (8, 3, 3, 2, 1),
        (9, 3, 1, 0, 4), (10, 4, 3, 1, 3), (5, 5, 4, 0, 1),
    ):  # fmt: skip
        settings = dict(stride=stride, padding=padding, dilation=dilation)
        yield Case("output_size", dict(size=size, kernel_size=kernel, **settings), f"{size} by {kernel}")
    for note, layers in {
        "one layer": [(3, 1, 1)],
        "three of 3": [(3, 1, 1)] * 3,
        "with pooling": [(3, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 1)],
        "dilations": [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
        "stride and dilation": [(5, 3, 1), (1, 2, 1), (4, 2, 3)],
    }.items():
        kernel_size, stride, dilation = np.array(layers).T
        yield Case("receptive_field", dict(kernel_size=kernel_size, stride=stride, dilation=dilation), note)


def _padding(rng):
    image, sequence = rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(1, 2, 4))
    yield Case("pad", dict(x=image, pad=(1, 2), value=0.5), "constant, last axis")
    yield Case("pad", dict(x=image, pad=(2, 0, 1, 1)), "zeros")
    for mode in ("reflect", "replicate", "circular"):
        yield Case("pad", dict(x=image, pad=(3, 1, 0, 2), mode=mode), mode)
        yield Case("pad", dict(x=sequence, pad=(2, 3), mode=mode), f"{mode}, sequence")


def _convolutions(rng):
    for note, ((c, o, *kernel), size, settings) in CONV2D.items():
        weight = rng.normal(size=(o, c // settings.get("groups", 1), *kernel))
        args = dict(x=rng.normal(size=(2, c, *size)), weight=weight, bias=rng.normal(size=o), **settings)
        yield Case("conv2d", args, note)
    yield Case(
        "conv2d", dict(x=rng.normal(size=(1, 2, 3, 3)), weight=rng.normal(size=(2, 2, 2, 2))), "no bias"
    )
    big = dict(x=rng.choice([-1000.0, 1000.0], size=(1, 1, 4, 4)), weight=rng.normal(size=(2, 1, 3, 3)))
    yield Case("conv2d", big, "values of 1000")
    for note, ((c, o, k), size, settings) in CONV1D.items():
        weight = rng.normal(size=(o, c // settings.get("groups", 1), k))
        args = dict(x=rng.normal(size=(2, c, size)), weight=weight, bias=rng.normal(size=o), **settings)
        yield Case("conv1d", args, note)
    yield Case("conv1d", dict(x=rng.normal(size=(1, 2, 4)), weight=rng.normal(size=(1, 2, 3))), "no bias")
    for note, ((c, o, *kernel), size, settings) in TRANSPOSED.items():
        weight, out = rng.normal(size=(c, o, *kernel)), o * settings.get("groups", 1)
        args = dict(x=rng.normal(size=(2, c, *size)), weight=weight, bias=rng.normal(size=out), **settings)
        yield Case("conv_transpose2d", args, note)
    plain = dict(x=rng.normal(size=(1, 2, 2, 3)), weight=rng.normal(size=(2, 1, 2, 2)))
    yield Case("conv_transpose2d", plain, "no bias")
    for name in ("conv2d_loops", "conv2d_fft"):
        for note, (c, o, *kernel), size in (
            ("odd sizes", (2, 3, 3, 2), (5, 7)), ("even sizes", (1, 2, 2, 2), (4, 6)),
            ("whole", (2, 1, 3, 4), (3, 4))
        ):  # fmt: skip
            args = dict(x=rng.normal(size=(2, c, *size)), weight=rng.normal(size=(o, c, *kernel)))
            yield Case(name, args | dict(bias=rng.normal(size=o)), note)
        yield Case(
            name, dict(x=rng.normal(size=(1, 1, 3, 3)), weight=rng.normal(size=(1, 1, 2, 2))), "no bias"
        )
    windows = dict(kernel_size=(2, 3), dilation=(1, 2), padding=(1, 0), stride=(2, 1))
    yield Case("unfold", dict(x=rng.normal(size=(2, 2, 4, 6)), **windows), "a pair of each")
    yield Case("unfold", dict(x=rng.normal(size=(2, 1, 4, 3)), kernel_size=2), "plain")
    yield Case("fold", dict(x=rng.normal(size=(2, 12, 6)), output_size=(4, 6), **windows), "a pair of each")
    yield Case("fold", dict(x=rng.normal(size=(2, 4, 9)), output_size=4, kernel_size=2), "plain")


def _pooling(rng):
    for note, settings in MAX_POOL.items():
        yield Case("max_pool2d", dict(x=rng.normal(size=(2, 2, 5, 6)), **settings), note)
    tied = rng.integers(0, 3, size=(2, 1, 4, 6)).astype(float)
    yield Case("max_pool2d", dict(x=tied, kernel_size=2), "ties")
    yield Case("max_pool2d", dict(x=tied, kernel_size=3, stride=(1, 2), padding=1), "ties, overlapping")
    big = (rng.permutation(32) * 64.0 - 1000).reshape(2, 1, 4, 4)
    yield Case("max_pool2d", dict(x=big, kernel_size=(3, 2), stride=1), "values of 1000")
    for note, settings in {
        "side by side": dict(kernel_size=2),
        "overlapping": dict(kernel_size=3, stride=2),
        "padding counts": dict(kernel_size=3, stride=2, padding=1),
        "padding does not count": dict(
            kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), count_include_pad=False
        ),
        "ceil": dict(kernel_size=2, stride=2, ceil_mode=True),
        "ceil, padding counts": dict(kernel_size=3, stride=(2, 3), padding=1, ceil_mode=True),
        "ceil, padding does not count": dict(
            kernel_size=3, stride=(2, 3), padding=1, ceil_mode=True, count_include_pad=False
        ),
        "ceil, no window in the padding alone": dict(kernel_size=2, stride=3, padding=1, ceil_mode=True),
    }.items():
        yield Case("avg_pool2d", dict(x=rng.normal(size=(2, 1, 5, 6)), **settings), note)
    for note, size in {"global": 1, "not a divisor": (3, 4), "larger than the picture": (6, 2)}.items():
        yield Case("adaptive_avg_pool2d", dict(x=rng.normal(size=(2, 2, 5, 6)), output_size=size), note)
    for name in ("max_pool2d", "avg_pool2d"):
        larger = dict(x=rng.normal(size=(2, 1, 3, 4)), kernel_size=5, stride=3, ceil_mode=True)
        yield Case(name, larger, "ceil, a window larger than the picture")
