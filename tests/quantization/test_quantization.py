"""Laws of quantization, and what torch does bit for bit."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlib.exercises import diagnose
from nnlib.quantization import exercises, explorers, in_torch
from nnlib.quantization import in_numpy as q

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


@pytest.mark.parametrize("dtype, tiny", [(np.float32, 1e-44), (np.float64, 5e-324)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_range_too_narrow_for_its_steps_counts_as_one_of_nothing_but_0(dtype, tiny, symmetric):
    low, high = np.zeros(1, dtype), np.full(1, tiny, dtype)
    scale, zero_point = q.choose_qparams(low, high, symmetric=symmetric)
    assert scale == 1 and zero_point == (0 if symmetric else -128)


def test_a_grid_that_no_integer_of_32_bits_holds_is_refused():
    x, grid = np.array([3e9]), dict(quant_min=0, quant_max=2**32)
    with pytest.raises(ValueError, match="quantize: the grid is from 0 to 4294967296; expected"):
        q.quantize(x, np.array(1.0), **grid)
    with pytest.raises(ValueError, match="quantize: the grid is from 0 to 4294967296; expected"):
        in_torch.quantize(torch.from_numpy(x), torch.tensor(1.0, dtype=torch.float64), **grid)
    assert q.fake_quantize(x, np.array(1.0), **grid) == 3e9  # floats hold it


def test_scale_and_zero_point_have_the_same_types_in_both_versions():
    low, high = np.float32([-1.0]), np.float32([2.0])
    for symmetric, version in product((False, True), (q, in_torch)):
        ends = (low, high) if version is q else (torch.from_numpy(low), torch.from_numpy(high))
        scale, zero_point = version.choose_qparams(*ends, symmetric=symmetric)
        assert str(scale.dtype).endswith("float32") and str(zero_point.dtype).endswith("int32")
        with pytest.raises(ValueError, match="choose_qparams: the grid is from 0 to 1099511627776; expected"):
            version.choose_qparams(*ends, 0, 2**40, symmetric)  # its zero point would wrap around


def test_the_ends_of_int32_do_not_wrap_around_in_float32():
    x, grid = np.float32([3e9, -3e9, 1]), dict(quant_min=-(2**31), quant_max=2**31 - 1)
    ends = [2**31 - 1, -(2**31), 1]
    assert q.quantize(x, np.ones((), np.float32), **grid).tolist() == ends
    assert in_torch.quantize(torch.from_numpy(x), torch.tensor(1.0), **grid).tolist() == ends


@pytest.mark.parametrize("name", ["quantize", "fake_quantize", "fake_quantize_backward"])
@pytest.mark.parametrize("zero_point, low", [(np.array(300), -128), (None, 1)])
def test_a_zero_point_off_the_grid_is_refused_as_in_torch(name, zero_point, low):
    given = dict(x=np.ones(2), scale=np.array(0.5), zero_point=zero_point, quant_min=low)
    tensors = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
    with pytest.raises(ValueError, match=f"{name}: zero_point is .*; expected {low} to 127"):
        getattr(q, name)(*[np.ones(2)] * name.endswith("_backward"), **given)
    if not name.endswith("_backward"):
        with pytest.raises(ValueError, match=f"{name}: zero_point is .*; expected {low} to 127"):
            getattr(in_torch, name)(**tensors)
    with pytest.raises(RuntimeError, match="`zero_point` must be between"):
        torch.fake_quantize_per_tensor_affine(tensors["x"], 0.5, int(zero_point or 0), low, 127)


@pytest.mark.parametrize("unit", [2.0**-100, 2.0**60])
def test_a_searched_range_grows_with_its_numbers_also_where_their_squares_do_not_fit(unit):
    x, unit = np.random.default_rng(0).normal(size=50).astype(np.float32), np.float32(unit)
    plain = q.range_mse(x, -8, 7)
    assert q.range_mse(unit * x, -8, 7) == (unit * plain[0], unit * plain[1])
    twin = in_torch.range_mse(torch.from_numpy(unit * x), -8, 7)
    np.testing.assert_allclose([float(v / unit) for v in twin], plain, rtol=1e-6)


@pytest.mark.parametrize("wrong", ["one_too_many", "without_sign", "signed_maximum"])
def test_a_wrong_group_scale_is_named_although_the_result_is_int8(wrong):
    largest = {"one_too_many": lambda b: 2 ** (b - 1), "without_sign": lambda b: 2**b - 1}
    size = np.asarray if wrong == "signed_maximum" else np.abs

    def mine(x, group_size=64, bits=4):
        groups = x.reshape(*x.shape[:-1], -1, group_size)
        scale = size(groups).max(axis=-1) / largest.get(wrong, lambda b: 2 ** (b - 1) - 1)(bits)
        scale = np.where(scale == 0, 1, scale).astype(x.dtype)
        return np.round(groups / scale[..., None]).reshape(x.shape).astype(np.int8), scale

    message = {f.__name__: text for text, f in exercises.quantize_groups.mistakes}[wrong]
    assert diagnose(exercises.quantize_groups, mine).lines[0] == message


@pytest.mark.parametrize("kind", explorers.KINDS)
def test_the_whole_range_cuts_nothing_off(kind):
    explorer = explorers.grid()
    for bits, outlier in product((2, 4, 7, 8), (0.0, 12.0)):
        explorer.update(layer=3, bits=bits, kind=kind, percentile=100.0, outlier=outlier)
        assert explorer.result["cut"] == 0 and explorer.result["error"][1] == 0


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
    assert str(in_torch.float_bits(torch.ones(1), dtype).numpy().dtype) == f"uint{8 * kind.itemsize}"


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


def test_of_equal_numbers_the_first_are_removed():
    x = np.random.default_rng(0).integers(0, 3, (5, 9)) * 1.0
    for amount in (0.1, 0.5, 0.9):
        mask = q.magnitude_mask(x, amount)
        np.testing.assert_array_equal(in_torch.magnitude_mask(torch.from_numpy(x), amount).numpy(), mask)
        assert (np.diff(mask[np.abs(x) == np.abs(x[~mask]).max()].astype(int)) >= 0).all()


def test_a_plain_number_as_scale_changes_no_dtype():
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    assert q.fake_quantize(x, 0.1).dtype == np.float32
    np.testing.assert_array_equal(q.fake_quantize(x, 0.1), q.fake_quantize(x, np.array(0.1, np.float32)))
