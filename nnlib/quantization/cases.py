"""Inputs on which reference, twin and official operation must agree.

Scales are numbers that float32 holds exactly, since torch's operations keep them in it. The inputs of
`fake_quantize` lie on multiples of 1/16: see `kinks` in in_numpy.py.
"""

import numpy as np

from nnlib.core import Case

FORMATS = {  # bits of the fraction, smallest normal exponent, largest number
    "bfloat16": (7, -126, 255 * 2.0**120),
    "float16": (10, -14, 65504.0),
    "float8_e4m3fn": (3, -6, 448.0),
    "float8_e5m2": (2, -14, 57344.0),
}


def cases(rng):
    yield from _grids(rng)
    yield from _calibration(rng)
    yield from _groups(rng)
    yield from _arithmetic(rng)
    yield from _nf4(rng)
    yield from _floats(rng)
    for amount in (0.0, 0.3, 0.9, 1.0):
        yield Case("magnitude_mask", dict(x=rng.normal(size=(5, 7)), amount=amount), f"{amount:.0%}")
    yield Case("magnitude_mask", dict(x=rng.normal(size=9)), "one axis")


def _grids(rng):
    low, high = -rng.uniform(0.1, 3, (2, 3)), rng.uniform(0.1, 3, (2, 3))
    for note, (a, b) in {
        "both signs": (low, high), "positive": (-low, -low + high), "negative": (-high - high, -high),
        "one number": (low[0, 0], high[0, 0]), "up to 1000": (1000 * low, high),
    }.items():  # fmt: skip
        ends = dict(low=np.asarray(a), high=np.asarray(b))
        yield Case("choose_qparams", ends, note)
        yield Case("choose_qparams", dict(**ends, quant_min=0, quant_max=15), f"{note}, 0 to 15")
        limits = dict(quant_min=-7, quant_max=7, symmetric=True)
        yield Case("choose_qparams", ends | limits, f"{note}, symmetric")
    lattice = rng.integers(-80, 81, (4, 5, 3)) / 16  # multiples of 1/16 from -5 to 5
    scale, channels = np.array(77 / 256), np.array([77 / 256, 3 / 64, 1.0, 45 / 128, 0.5])
    zeros = rng.integers(-3, 4, 5)
    for note, args in {
        "8 bits": dict(scale=np.array(77 / 2048)),
        "8 bits, zero point": dict(scale=np.array(77 / 2048), zero_point=np.array(-17)),
        "4 bits": dict(scale=scale, zero_point=np.array(0), quant_min=-8, quant_max=7),
        "from 0 to 15": dict(scale=scale, zero_point=np.array(6), quant_min=0, quant_max=15),
        "16 bits": dict(scale=np.array(77 / 2**18), quant_min=-32768, quant_max=32767),
        "ties": dict(scale=np.array(0.125), zero_point=np.array(3)),
        "channels": dict(scale=channels, axis=1),
        "channels, zero points": dict(scale=channels, zero_point=zeros, quant_min=-8, quant_max=7, axis=1),
        "last axis": dict(scale=channels[:3], zero_point=zeros[:3], quant_min=-7, quant_max=7, axis=2),
        "first axis": dict(scale=channels[:4], axis=0),
    }.items():
        yield Case("quantize", dict(x=lattice, **args), note)
        yield Case("fake_quantize", dict(x=lattice, **args), note)
        q = rng.integers(args.get("quant_min", -128), args.get("quant_max", 127) + 1, lattice.shape)
        yield Case(
            "dequantize", dict(q=q) | {k: args[k] for k in ("scale", "zero_point", "axis") if k in args}, note
        )
    extreme = dict(x=np.array([-1000.0, -4, 0, 4, 1000]), scale=np.array(0.25))
    yield Case("quantize", extreme, "far outside")
    yield Case("fake_quantize", extreme, "far outside")
    # Steps much smaller than the h of a central difference: seen so, the staircase is a straight line.
    x = rng.normal(size=6).astype(np.float32).astype(float)
    fine = dict(quant_min=-(2**50), quant_max=2**50)
    yield Case("fake_quantize", dict(x=x, scale=np.array(2.0**-42), **fine), "very fine")


def _calibration(rng):
    x = rng.normal(size=(6, 4, 5))
    outlier = np.where(np.arange(120).reshape(6, 4, 5) == 17, 50.0, x)
    for axis in (None, 0, 1, 2):
        yield Case("range_min_max", dict(x=x, axis=axis), f"axis {axis}")
    yield Case("range_min_max", dict(x=x[0, 0], axis=0), "a row, axis 0")
    for percentile in (99.0, 50.0, 100.0, 87.5):
        yield Case("range_percentile", dict(x=outlier, percentile=percentile), f"{percentile}")
    for note, values in {
        "bell": x,
        "outlier": outlier,
        "positive": np.abs(x),
        "one number": x[:1, 0, 0],
    }.items():
        yield Case("range_mse", dict(x=values, quant_min=-8, quant_max=7), note)
        limits = dict(quant_min=-7, quant_max=7, symmetric=True, steps=20)
        yield Case("range_mse", dict(x=values, **limits), f"{note}, symmetric")


def _groups(rng):
    x = rng.normal(size=(3, 2, 12))
    for size, bits in ((4, 4), (12, 3), (1, 8), (6, 2)):
        yield Case("quantize_groups", dict(x=x, group_size=size, bits=bits), f"{size} at {bits} bits")
    x = np.where(np.arange(12) < 4, 0.0, x)
    yield Case("quantize_groups", dict(x=x[0, 0], group_size=4), "a group of zeros, one axis")
    for groups in (1, 3, 12):
        q, scale = rng.integers(-7, 8, (2, 12)), rng.uniform(0.1, 1, (2, groups))
        yield Case("dequantize_groups", dict(q=q, scale=scale), f"{groups} groups")
    yield Case("pack_int4", dict(q=rng.integers(-8, 8, (3, 10))), "signed")
    yield Case("pack_int4", dict(q=rng.integers(0, 16, (2, 2, 4)).astype(np.uint8)), "unsigned")
    yield Case("pack_int4", dict(q=np.array([-8, 7, -1, 0], np.int8)), "the ends")
    packed = np.arange(256).reshape(2, 128)
    yield Case("unpack_int4", dict(packed=packed), "every byte")
    yield Case("unpack_int4", dict(packed=packed.astype(np.uint8), signed=False), "every byte, unsigned")


def _arithmetic(rng):
    q_x, q_w = rng.integers(0, 256, (4, 6)), rng.integers(-127, 128, (3, 6))
    one, each, bias = np.array(5 / 1024), rng.integers(1, 99, 3) / 4096, rng.normal(size=3)
    z_x, z_w = np.array(131), np.array([-7, 0, 12])
    args = dict(q_x=q_x, q_weight=q_w, scale_x=one, zero_point_x=z_x)
    yield Case("quantized_linear", dict(**args, scale_weight=np.array(1 / 512)), "symmetric weights")
    yield Case("quantized_linear", dict(**args, scale_weight=each, bias=bias), "a scale per channel")
    yield Case(
        "quantized_linear", dict(**args, scale_weight=each, zero_point_weight=z_w, bias=bias), "zero points"
    )
    largest = dict(q_x=np.full((2, 300), 255, np.uint8), q_weight=np.full((1, 300), -128, np.int8))
    far = dict(scale_x=one, zero_point_x=np.array(-128), scale_weight=one, zero_point_weight=np.array(127))
    yield Case("quantized_linear", largest | far, "the largest sums")


def _nf4(rng):
    for tail in (31 / 960, 0.01, 0.3):
        yield Case("nf4_levels", dict(tail=np.array(tail)), f"tail {tail:.3f}")
    for note, shape, size in (
        ("one block", (8, 8), 64),
        ("a shorter last block", (5, 7), 16),
        ("long", (130,), 64),
    ):
        yield Case("quantize_nf4", dict(x=rng.normal(size=shape), block_size=size), note)
        blocks = -(-np.prod(shape) // size)
        args = dict(codes=rng.integers(0, 16, shape), absmax=rng.uniform(0.1, 3, blocks), block_size=size)
        yield Case("dequantize_nf4", args, note)
    yield Case("quantize_nf4", dict(x=np.zeros((2, 3))), "zeros")
    yield Case("quantize_nf4", dict(x=np.array([1000.0, -1000, 0, 1, -600])), "up to 1000")
    yield Case("dequantize_nf4", dict(codes=np.arange(16), absmax=np.array([2.5])), "every level")
    for note, count, size in (("one block", 20, 256), ("three blocks", 20, 8), ("one number", 1, 4)):
        yield Case("double_quantize", dict(absmax=rng.uniform(0.5, 3, count), block_size=size), note)
        blocks = -(-count // size)
        args = dict(q=rng.integers(-127, 128, count), scale=rng.uniform(0.1, 1, blocks), block_size=size)
        yield Case("double_dequantize", dict(**args, offset=rng.normal(size=())), note)


def _floats(rng):
    wide = rng.normal(size=60) * 2.0 ** rng.integers(-24, 8, 60)
    for dtype, (fraction, lowest, largest) in FORMATS.items():
        exact = np.ldexp(1 + np.arange(8) / 16, lowest)  # small ones, with ties between two neighbors
        ties = (1 + np.arange(2 ** (fraction + 1)) / 2 ** (fraction + 1))[:40]
        steps = np.ldexp(np.arange(9) / 2, lowest - fraction)  # 0 to 4 of the smallest steps, by halves
        x = np.concatenate([wide, -wide, exact, ties, -ties, steps, -steps, [0.0, largest, -largest]])
        yield Case("round_to_float", dict(x=x, dtype=dtype), dtype)
        yield Case("float_bits", dict(x=x, dtype=dtype), dtype)
        tall = np.array([[1000.0, -1000.0], [0.1, -400.0]])
        yield Case("round_to_float", dict(x=tall, dtype=dtype), f"{dtype}, up to 1000")
        if dtype != "float8_e4m3fn":
            beyond = (
                np.array([largest * 1.5, -largest * 1.5]) if dtype != "bfloat16" else np.array([3.4e38, 1e30])
            )
            yield Case("round_to_float", dict(x=beyond, dtype=dtype), f"{dtype}, beyond the largest")
            yield Case("float_bits", dict(x=beyond, dtype=dtype), f"{dtype}, beyond the largest")
