"""Laws of quantization, and what torch does bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlib.quantization import in_numpy as q
from nnlib.quantization import in_torch

PUBLISHED_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
    1.0,
)  # fmt: skip
NUMBERS = st.floats(-100, 100, width=32)
FLOATS = arrays(np.float64, st.integers(1, 40), elements=NUMBERS)


def test_the_derived_levels_are_the_published_ones():
    np.testing.assert_allclose(q.NF4, PUBLISHED_NF4, atol=5e-7)
    np.testing.assert_allclose(in_torch.NF4.numpy(), PUBLISHED_NF4, atol=5e-7)


@given(x=FLOATS, bits=st.integers(2, 8), symmetric=st.booleans())
@settings(max_examples=40)
def test_inside_of_its_range_a_number_moves_by_half_a_step_at_most(x, bits, symmetric):
    most = 2 ** (bits - 1) - 1
    grid = (-most, most) if symmetric else (0, 2**bits - 1)
    scale, zero_point = q.choose_qparams(*q.range_min_max(x), *grid, symmetric)
    y = q.fake_quantize(x, scale, zero_point, *grid)
    assert np.abs(x - y).max() <= (0.5 if symmetric else 1) * scale * (1 + 1e-9)  # the zero point moved too
    assert (y[x == 0] == 0).all(), "zero stays zero"
    integers = q.quantize(x, scale, zero_point, *grid)
    np.testing.assert_array_equal(q.dequantize(integers, scale, zero_point), y)
    np.testing.assert_array_equal(q.fake_quantize(y, scale, zero_point, *grid), y)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("low, high", [(-1.5, 2.25), (0.5, 3.0), (-4.0, -1.0), (-3.0, 0.25)])
def test_scale_and_zero_point_are_those_of_torch_s_observer(low, high, symmetric):
    from torch.ao.quantization.observer import MinMaxObserver

    scheme = torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine
    observer = MinMaxObserver(dtype=torch.qint8, qscheme=scheme, quant_min=-127, quant_max=127)
    observer(torch.tensor([low, high]))
    theirs = [float(v) for v in observer.calculate_qparams()]
    mine = q.choose_qparams(np.float32(low), np.float32(high), -127, 127, symmetric)
    np.testing.assert_allclose([float(v) for v in mine], theirs, rtol=1e-6)


@given(bits=arrays(np.int64, 12, elements=st.integers(-8, 7)))
@settings(max_examples=30)
def test_packing_loses_nothing(bits):
    np.testing.assert_array_equal(q.unpack_int4(q.pack_int4(bits)), bits)
    np.testing.assert_array_equal(q.unpack_int4(q.pack_int4(bits + 8), signed=False), bits + 8)
    assert q.pack_int4(bits).nbytes * 2 == bits.size


def test_the_twin_packs_bytes_too():
    codes = torch.arange(16, dtype=torch.uint8)
    assert in_torch.unpack_int4(in_torch.pack_int4(codes), signed=False).tolist() == list(range(16))


@given(data=st.data())
@settings(max_examples=30)
def test_integer_arithmetic_is_exactly_the_float_formula(data):
    """With scales that are powers of two nothing is rounded anywhere."""

    def integers(shape, low, high):
        return data.draw(arrays(np.int64, shape, elements=st.integers(low, high)))

    q_x, q_w, z_w = integers((3, 5), 0, 255), integers((2, 5), -128, 127), integers(2, -128, 127)
    z_x, bias = np.array(data.draw(st.integers(0, 255))), np.array([0.5, -3.0])
    y = q.quantized_linear(q_x, q_w, np.array(2.0**-7), z_x, np.array([0.25, 2.0]), z_w, bias)
    x = q.dequantize(q_x, np.array(2.0**-7), z_x)
    weight = q.dequantize(q_w, np.array([0.25, 2.0]), z_w, axis=0)
    np.testing.assert_array_equal(y, x @ weight.T + bias)


@given(x=FLOATS)
@settings(max_examples=30)
def test_a_searched_range_is_never_worse_than_the_whole(x):
    def error(low, high):
        y = q.fake_quantize(x, *q.choose_qparams(low, high, -8, 7), -8, 7)
        return ((x - y) ** 2).mean()

    assert error(*q.range_mse(x, -8, 7, steps=20)) <= error(*q.range_min_max(x)) * (1 + 1e-9)


@given(x=arrays(np.float64, st.integers(1, 150), elements=NUMBERS))
@settings(max_examples=30)
def test_nf4_takes_the_nearest_level_of_each_block(x):
    codes, absmax = q.quantize_nf4(x, block_size=64)
    y = q.dequantize_nf4(codes, absmax, block_size=64)
    bound = np.repeat(absmax, 64)[: x.size]
    nearest = np.abs(x[:, None] - bound[:, None] * q.NF4).min(axis=1)
    np.testing.assert_allclose(np.abs(x - y), nearest, atol=1e-9)


def test_double_quantization_is_off_by_half_a_step_at_most_and_saves_what_it_says():
    weight = np.random.default_rng(0).normal(size=(512, 512))
    _, absmax = q.quantize_nf4(weight, 64)
    codes, scale, offset = q.double_quantize(absmax, 256)
    again = q.double_dequantize(codes, scale, offset, 256)
    assert (np.abs(again - absmax) <= np.repeat(scale, 256) / 2 + 1e-12).all()
    bits = 4 + (8 * codes.size + 32 * scale.size) / weight.size
    assert bits == pytest.approx(4.127, abs=5e-4)


# --------------------------------------------------------------------------------------------- small floats


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16"])
def test_every_number_of_a_format_is_itself(dtype):
    kind = getattr(torch, dtype)
    bits = np.arange(2 ** (8 * kind.itemsize))
    patterns = torch.from_numpy(
        bits.astype(np.uint8 if kind.itemsize == 1 else np.uint16).view(f"i{kind.itemsize}")
    )
    with np.errstate(invalid="ignore"):  # some patterns are signaling NaNs
        values = patterns.view(kind).float().numpy().astype(np.float64)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(q.round_to_float(values[finite], dtype), values[finite])
    np.testing.assert_array_equal(q.float_bits(values[finite], dtype), bits[finite])
    np.testing.assert_array_equal(q.round_to_float(values[~finite], dtype), values[~finite])


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16"])
@given(x=arrays(np.float32, 64, elements=st.floats(width=32, allow_nan=False)))
@settings(max_examples=40)
def test_any_float32_is_rounded_as_torch_rounds_it(dtype, x):
    theirs = torch.from_numpy(x).to(getattr(torch, dtype)).float().numpy()
    np.testing.assert_array_equal(q.round_to_float(x, dtype), theirs)
    np.testing.assert_array_equal(in_torch.round_to_float(torch.from_numpy(x), dtype).numpy(), theirs)


# ------------------------------------------------------------------------------------------------- pruning


@given(x=FLOATS, amount=st.floats(0, 1))
@settings(max_examples=40)
def test_what_is_removed_is_smaller_than_what_stays(x, amount):
    mask = q.magnitude_mask(x, amount)
    assert (~mask).sum() == round(amount * x.size)
    if mask.any() and not mask.all():
        assert np.abs(x[~mask]).max() <= np.abs(x[mask]).min()


def test_a_plain_number_as_scale_changes_no_dtype():
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    assert q.fake_quantize(x, 0.1).dtype == np.float32
    np.testing.assert_array_equal(q.fake_quantize(x, 0.1), q.fake_quantize(x, np.array(0.1, np.float32)))
