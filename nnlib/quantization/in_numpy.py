"""The reference: integers that stand for floats, blocks that share a scale, small floats, and pruning.

    x  ≈  scale * (q - zero_point),    q an integer from quant_min to quant_max

Names, rounding (half to even) and gradients are those of torch's fake-quantize operations. A scale for all of
x has no axes; with `axis` there is one for each entry of that axis. `zero_point=None` is 0: a symmetric grid.
"""

from statistics import NormalDist

import numpy as np

from nnlib.core import checked

no_gradient = {
    "choose_qparams": "scale and zero point are held fixed while x is trained",
    "quantize": "its result is integers; `fake_quantize` carries a gradient",
    "dequantize": "its input is integers; `fake_quantize` carries a gradient",
    "range_min_max": "a range is measured before training, or between two steps",
    "range_percentile": "a range is measured before training, or between two steps",
    "range_mse": "a range is searched for",
    "quantize_groups": "its result is integers",
    "dequantize_groups": "its input is integers",
    "pack_int4": "integers",
    "unpack_int4": "integers",
    "quantized_linear": "integers; it serves a network that has been trained",
    "nf4_levels": "the levels are made once",
    "quantize_nf4": "its result is integers",
    "dequantize_nf4": "its input is integers",
    "double_quantize": "its result is integers",
    "double_dequantize": "its input is integers",
    "round_to_float": "a staircase; frameworks let the gradient of a cast pass",
    "float_bits": "its result is bit patterns",
    "magnitude_mask": "its result is yes or no",
}
# The slope of a staircase is 0, at the steps it has none. The straight-through estimator is neither, and the
# cases take their x from this lattice: there the gradient is compared with torch's, not with differences.
kinks = {"fake_quantize": np.arange(-16_000, 16_001) / 16}


# ----------------------------------------------------------------------------------- integers for floats


@checked
def choose_qparams(low, high, quant_min=-128, quant_max=127, symmetric=False):
    """Scale and zero point for the numbers from low to high.

        affine     scale = (high - low) / (quant_max - quant_min), zero_point = quant_min - round(low / scale)
        symmetric  scale = 2 * max(-low, high) / (quant_max - quant_min),  zero_point in the middle

    The range is first made to hold 0, so that zeros (of ReLU, of padding) stay exactly zero. A range of
    nothing but 0 gets the scale 1.

    Parameters
    ----------
    low, high : array (...) finite
    quant_min, quant_max : int
    symmetric : bool

    Returns
    -------
    scale : array (...)
    zero_point : int array (...)

    References
    ----------
    Jacob et al. (2018), arXiv:1712.05877.
    """
    _check_grid("choose_qparams", quant_min, quant_max)
    _integer("choose_qparams", quant_min, quant_max)
    if (low > high).any():
        raise ValueError("choose_qparams: low is above high; expected low <= high")
    low, high, steps = np.minimum(low, 0), np.maximum(high, 0), quant_max - quant_min
    width = 2 * np.maximum(-low, high) if symmetric else high - low
    scale = (width / steps).astype(low.dtype)
    scale = np.where(scale > 0, scale, 1).astype(low.dtype)  # a width close to 0 may be 0 in steps
    middle = np.full(scale.shape, (quant_min + quant_max + 1) // 2)
    zero_point = middle if symmetric else np.clip(quant_min - np.round(low / scale), quant_min, quant_max)
    return scale, zero_point.astype(np.int32)


@checked
def quantize(x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    """The integer nearest to each number, half to even, and cut off at the ends of the grid.

        q = clip(round(x / scale) + zero_point, quant_min, quant_max)

    Parameters
    ----------
    x : array (...) finite
    scale : array () > 0 or (C,) > 0            (C,) with axis, C = x.shape[axis]
    zero_point : int array () or (C,) or None   on the grid; None is 0
    quant_min, quant_max : int
    axis : int >= 0 or None

    Returns
    -------
    q : int array (...)      int8 or uint8 where the grid fits, else int32

    References
    ----------
    Krishnamoorthi (2018), arXiv:1806.08342.
    """
    _check_grid("quantize", quant_min, quant_max)
    scale, zero_point = _along("quantize", x, scale, zero_point, axis)
    _check_between("quantize", "zero_point", zero_point, quant_min, quant_max)
    dtype = _integer("quantize", quant_min, quant_max)
    q = _rounded(x, scale, zero_point, quant_min, quant_max).astype(np.int64)
    return np.clip(q, quant_min, quant_max).astype(dtype)  # float32 takes 2**31 - 1 for 2**31


@checked
def dequantize(q, scale, zero_point=None, axis=None):
    """The number that an integer stands for.

        y = scale * (q - zero_point)

    Parameters
    ----------
    q : int array (...)
    scale : array () > 0 or (C,) > 0
    zero_point : int array () or (C,) or None
    axis : int >= 0 or None

    Returns
    -------
    y : array (...)
    """
    scale, zero_point = _along("dequantize", q, scale, zero_point, axis)
    return (q.astype(scale.dtype) - zero_point.astype(scale.dtype)) * scale


@checked
def fake_quantize(x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    """Quantize and dequantize at once: floats that stand on the grid, for training and for measuring.

        y = scale * (clip(round(x / scale) + zero_point, quant_min, quant_max) - zero_point)

    Parameters
    ----------
    x : array (...) finite
    scale : array () > 0 or (C,) > 0
    zero_point : int array () or (C,) or None   on the grid; None is 0
    quant_min, quant_max : int
    axis : int >= 0 or None

    Returns
    -------
    y : array (...)

    References
    ----------
    Jacob et al. (2018), arXiv:1712.05877.
    """
    _check_grid("fake_quantize", quant_min, quant_max)
    scale, zero_point = _along("fake_quantize", x, scale, zero_point, axis)
    _check_between("fake_quantize", "zero_point", zero_point, quant_min, quant_max)
    return (_rounded(x, scale, zero_point, quant_min, quant_max) - zero_point.astype(x.dtype)) * scale


constants = {"fake_quantize": ("scale",)}  # as in torch's operation


@checked
def fake_quantize_backward(grad_output, x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    """Gradient of `fake_quantize` for x, straight through: as if rounding were the identity.

        grad_x = grad_output  where quant_min <= round(x / scale) + zero_point <= quant_max,  0 elsewhere

    What was cut off gets no gradient. Scale and zero point are held fixed.

    References
    ----------
    Bengio, Léonard & Courville (2013), arXiv:1308.3432.
    """
    _check_grid("fake_quantize_backward", quant_min, quant_max)
    given = zero_point
    scale, zero_point = _along("fake_quantize_backward", x, scale, zero_point, axis)
    _check_between("fake_quantize_backward", "zero_point", zero_point, quant_min, quant_max)
    q = np.round(x / scale) + zero_point.astype(x.dtype)
    grads = grad_output * ((quant_min <= q) & (q <= quant_max)), None
    return grads if given is None else (*grads, None)


def _rounded(x, scale, zero_point, quant_min, quant_max):
    return np.clip(np.round(x / scale) + zero_point.astype(x.dtype), quant_min, quant_max)


def _integer(name, quant_min, quant_max):
    """The smallest type of integers that holds the grid."""
    for dtype in (np.int8, np.uint8, np.int32):
        if np.iinfo(dtype).min <= quant_min and quant_max <= np.iinfo(dtype).max:
            return dtype
    raise ValueError(f"{name}: the grid is from {quant_min} to {quant_max}; expected one that int32 holds")


def _along(name, x, scale, zero_point, axis):
    """Scale and zero point as arrays that line up with one axis of x."""
    shape = ()
    if axis is not None:
        if axis >= x.ndim:
            raise ValueError(f"{name}: axis is {axis}; expected an axis of x, which has {x.ndim}")
        shape = (x.shape[axis],)
    if np.shape(scale) != shape:
        hint = f"one for each entry of axis {axis}" if shape else "one number, since axis is None"
        raise ValueError(f"{name}: scale has shape {np.shape(scale)}; expected {shape}, {hint}")
    zero_point = np.zeros(shape, np.int32) if zero_point is None else zero_point
    if np.shape(zero_point) != shape:
        raise ValueError(f"{name}: zero_point has shape {np.shape(zero_point)}; expected {shape}, like scale")
    lined_up = (-1,) + (1,) * (x.ndim - 1 - axis) if shape else ()
    dtype = x.dtype if x.dtype.kind == "f" else None  # a plain number as scale changes no dtype
    return np.asarray(scale, dtype).reshape(lined_up), np.reshape(zero_point, lined_up)


def _check_grid(name, quant_min, quant_max):
    if not -(2**62) <= quant_min < quant_max <= 2**62:
        raise ValueError(
            f"{name}: quant_min is {quant_min}, quant_max {quant_max}; expected quant_min < quant_max"
        )


def _check_between(f, name, value, low, high):
    if value.min() < low or value.max() > high:
        raise ValueError(f"{f}: {name} is from {value.min()} to {value.max()}; expected {low} to {high}")


# ------------------------------------------------------------------------------------------- calibration


@checked
def range_min_max(x, axis=None):
    """The whole range of the numbers that were seen, of all or of each entry of one axis.

        low = min(x),   high = max(x)

    Parameters
    ----------
    x : array (...) finite
    axis : int >= 0 or None

    Returns
    -------
    low, high : array () or (C,)
    """
    if axis is None:
        return np.asarray(x.min()), np.asarray(x.max())
    if axis >= x.ndim:
        raise ValueError(f"range_min_max: axis is {axis}; expected an axis of x, which has {x.ndim}")
    others = tuple(i for i in range(x.ndim) if i != axis)
    return x.min(axis=others), x.max(axis=others)


@checked
def range_percentile(x, percentile=99.9):
    """A range that leaves out the most extreme numbers at both ends.

        low = the (100 - percentile)th percentile of x,   high = the percentile-th

    Parameters
    ----------
    x : array (...) finite
    percentile : float in [50, 100]

    Returns
    -------
    low, high : array ()
    """
    low, high = np.percentile(x, [100 - percentile, percentile]).astype(x.dtype)
    return np.asarray(low), np.asarray(high)


@checked
def range_mse(x, quant_min=-128, quant_max=127, symmetric=False, steps=100):
    """The range with the smallest squared error, among the whole range and its fractions.

        low, high = f * (min(x), max(x)),   f of 1/steps, 2/steps, ..., 1 with the least mean((x - y)²)

    A smaller range rounds more finely and cuts off more.

    Parameters
    ----------
    x : array (...) finite
    quant_min, quant_max : int
    symmetric : bool
    steps : int >= 1

    Returns
    -------
    low, high : array ()
    """
    _check_grid("range_mse", quant_min, quant_max)
    low, high = range_min_max.unchecked(x)
    largest = max(-low, high) or 1  # the unit of the errors, so that no square is too large or too small
    errors = []
    for part in np.arange(1, steps + 1) / x.dtype.type(steps):
        grid = choose_qparams.unchecked(part * low, part * high, quant_min, quant_max, symmetric)
        y = fake_quantize.unchecked(x, *grid, quant_min, quant_max)
        errors.append((((x - y) / largest) ** 2).mean())
    best = x.dtype.type((np.argmin(errors) + 1) / steps)
    return np.asarray(best * low), np.asarray(best * high)


# ------------------------------------------------------------------------------------- groups and packing


@checked
def quantize_groups(x, group_size=64, bits=4):
    """Symmetric integers in which every `group_size` neighbors of the last axis share a scale.

        scale = max(abs(group)) / (2**(bits - 1) - 1),   q = round(group / scale)

    Parameters
    ----------
    x : array (..., D) finite
    group_size : int >= 1        divides D
    bits : int in [2, 8]

    Returns
    -------
    q : int array (..., D)       int8
    scale : array (..., G)       G = D / group_size; 1 for a group of zeros
    """
    if x.shape[-1] % group_size:
        raise ValueError(
            f"quantize_groups: group_size is {group_size}; expected a divisor of D = {x.shape[-1]}"
        )
    groups, most = x.reshape(*x.shape[:-1], -1, group_size), 2 ** (bits - 1) - 1
    scale = np.abs(groups).max(axis=-1) / x.dtype.type(most)
    scale = np.where(scale > 0, scale, 1).astype(x.dtype)
    return np.round(groups / scale[..., None]).reshape(x.shape).astype(np.int8), scale


@checked
def dequantize_groups(q, scale):
    """The numbers behind `quantize_groups`.

        y = q * scale of the group

    Parameters
    ----------
    q : int array (..., D)
    scale : array (..., G) > 0       G divides D

    Returns
    -------
    y : array (..., D)
    """
    D, G = q.shape[-1], scale.shape[-1]
    if D % G:
        raise ValueError(f"dequantize_groups: scale has {G} groups; expected a divisor of D = {D}")
    groups = q.reshape(*scale.shape, D // G).astype(scale.dtype)
    return (groups * scale[..., None]).reshape(q.shape)


@checked
def pack_int4(q):
    """Two numbers of 4 bits in one byte, the first in its lower half.

        packed[i] = (q[2 * i] & 15) | (q[2 * i + 1] & 15) << 4

    Negative numbers are stored as themselves + 16 (two's complement).

    Parameters
    ----------
    q : int array (..., D)      D even; signed from -8 to 7 or unsigned from 0 to 15

    Returns
    -------
    packed : int array (..., D // 2)        uint8
    """
    if q.shape[-1] % 2:
        raise ValueError(
            f"pack_int4: q has {q.shape[-1]} numbers along its last axis; expected an even number"
        )
    _check_between("pack_int4", "q", q, -8, 15)
    nibbles = (q & 15).astype(np.uint8)
    return nibbles[..., ::2] | nibbles[..., 1::2] << 4


@checked
def unpack_int4(packed, signed=True):
    """The two numbers of each byte.

        q[2 * i] = packed[i] & 15,   q[2 * i + 1] = packed[i] >> 4,   minus 16 from 8 on if signed

    Parameters
    ----------
    packed : int array (..., P)       from 0 to 255
    signed : bool

    Returns
    -------
    q : int array (..., 2 * P)      int8
    """
    _check_between("unpack_int4", "packed", packed, 0, 255)
    q = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.int8)
    q = q.reshape(*packed.shape[:-1], -1)
    return np.where(q > 7, q - 16, q).astype(np.int8) if signed else q


# ------------------------------------------------------------------------------------ arithmetic in integers


@checked
def quantized_linear(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    """A linear layer on integers: products of 8 bits, sums of 32, and floats only at the end.

        sum (q_x - z_x)(q_w - z_w) = sum q_x q_w - z_w sum q_x - z_x sum q_w + D z_x z_w
        y = scale_x * scale_weight * that + bias

    `sum q_w` is known before any input arrives; with symmetric weights (z_w = 0) two of four terms vanish.

    Parameters
    ----------
    q_x : int array (N, D)           from -128 to 255, as is q_weight
    q_weight : int array (O, D)
    scale_x : array () > 0
    zero_point_x : int array ()      from -128 to 255, as is zero_point_weight
    scale_weight : array () > 0 or (O,) > 0
    zero_point_weight : int array () or (O,) or None      None is 0
    bias : array (O,) or None

    Returns
    -------
    y : array (N, O)

    References
    ----------
    Jacob et al. (2018), arXiv:1712.05877.
    """
    D = q_x.shape[1]
    if D > 2**31 // 383**2:
        raise ValueError(
            f"quantized_linear: q_x has D = {D}; expected at most {2**31 // 383**2} for sums of 32 bits"
        )
    given = dict(q_x=q_x, q_weight=q_weight, zero_point_x=zero_point_x, zero_point_weight=zero_point_weight)
    for name, value in given.items():
        if value is not None:
            _check_between("quantized_linear", name, value, -128, 255)
    q_x, q_weight = q_x.astype(np.int32), q_weight.astype(np.int32)
    z_x = np.int32(zero_point_x)
    z_w = np.zeros((), np.int32) if zero_point_weight is None else zero_point_weight.astype(np.int32)
    total = q_x @ q_weight.T - q_x.sum(axis=1, keepdims=True, dtype=np.int32) * z_w
    total += z_x * (D * z_w - q_weight.sum(axis=1, dtype=np.int32))
    scale = scale_x * np.asarray(scale_weight)
    y = total.astype(scale.dtype) * scale
    return y if bias is None else y + bias


# ------------------------------------------------------------------------------------------------------ NF4

NF4_TAIL = (1 / 32 + 1 / 30) / 2  # half a level of 16, half a level of 15: what lies beyond the last level


@checked
def nf4_levels(tail):
    """Sixteen levels at quantiles of the normal distribution, with an exact 0, scaled to end at -1 and 1.

        above 0: 8 quantiles, evenly spaced in probability from 1 - tail down to (not with) 1/2
        below 0: 7 in the same way, with a minus;   all divided by the largest

    Parameters
    ----------
    tail : array () in (0, 0.5)      the probability beyond the outermost level; the paper's: NF4_TAIL

    Returns
    -------
    levels : array (16,)

    References
    ----------
    Dettmers et al. (2023), arXiv:2305.14314.
    """
    quantile = NormalDist().inv_cdf
    above = [quantile(p) for p in np.linspace(1 - float(tail), 0.5, 9)[:-1]]
    below = [-quantile(p) for p in np.linspace(1 - float(tail), 0.5, 8)[:-1]]
    levels = np.array(sorted([*below, 0, *above]))
    return (levels / levels[-1]).astype(np.asarray(tail).dtype)


NF4 = nf4_levels.unchecked(np.float64(NF4_TAIL))


@checked
def quantize_nf4(x, block_size=64):
    """The nearest of sixteen levels for each number, after dividing each block by its largest magnitude.

        code = argmin_k |x / absmax - level_k|

    The blocks run through x row by row, over the ends of rows; the last may be shorter.

    Parameters
    ----------
    x : array (...) finite
    block_size : int >= 1

    Returns
    -------
    codes : int array (...)        uint8 from 0 to 15; `pack_int4` puts two into a byte
    absmax : array (B,)            B = ceil(x.size / block_size); 0 for a block of zeros

    References
    ----------
    Dettmers et al. (2023), arXiv:2305.14314.
    """
    blocks = np.pad(x.ravel(), (0, -x.size % block_size)).reshape(-1, block_size)
    absmax = np.abs(blocks).max(axis=1)
    blocks = blocks / np.where(absmax > 0, absmax, 1)[:, None].astype(x.dtype)
    codes = np.zeros(blocks.shape, np.uint8)
    for middle in ((NF4[1:] + NF4[:-1]) / 2).astype(x.dtype):  # quicker than a search in a sorted list
        codes += blocks > middle
    return codes.ravel()[: x.size].reshape(x.shape), absmax


@checked
def dequantize_nf4(codes, absmax, block_size=64):
    """The numbers behind `quantize_nf4`.

        y = level of the code * absmax of the block

    Parameters
    ----------
    codes : int array (...)          from 0 to 15
    absmax : array (B,) >= 0
    block_size : int >= 1

    Returns
    -------
    y : array (...)
    """
    _check_between("dequantize_nf4", "codes", codes, 0, 15)
    if len(absmax) != -(-codes.size // block_size):
        raise ValueError(
            f"dequantize_nf4: absmax has {len(absmax)} blocks; expected {-(-codes.size // block_size)}, "
            f"one for each {block_size} of {codes.size} codes"
        )
    levels = NF4.astype(absmax.dtype)[codes]
    return levels * np.repeat(absmax, block_size)[: codes.size].reshape(codes.shape)


@checked
def double_quantize(absmax, block_size=256):
    """The scales of the blocks, themselves in 8 bits: less their mean, in blocks of their own.

        c = absmax - offset,   offset = mean(absmax),   q = round(c / scale),   scale = max(abs(c)) / 127

    Parameters
    ----------
    absmax : array (B,) finite
    block_size : int >= 1

    Returns
    -------
    q : int array (B,)         int8
    scale : array (S,)         S = ceil(B / block_size); 1 for a block of equal numbers
    offset : array ()

    References
    ----------
    Dettmers et al. (2023), arXiv:2305.14314 (there with an 8-bit float).
    """
    offset = np.asarray(absmax.mean())
    centered = np.pad(absmax - offset, (0, -len(absmax) % block_size)).reshape(-1, block_size)
    scale = np.abs(centered).max(axis=1) / absmax.dtype.type(127)
    scale = np.where(scale > 0, scale, 1).astype(absmax.dtype)
    return np.round(centered / scale[:, None]).astype(np.int8).ravel()[: len(absmax)], scale, offset


@checked
def double_dequantize(q, scale, offset, block_size=256):
    """The scales behind `double_quantize`.

        absmax = q * scale of its block + offset

    Parameters
    ----------
    q : int array (B,)
    scale : array (S,) > 0
    offset : array ()
    block_size : int >= 1

    Returns
    -------
    absmax : array (B,)
    """
    if len(scale) != -(-len(q) // block_size):
        raise ValueError(
            f"double_dequantize: scale has {len(scale)} blocks; expected {-(-len(q) // block_size)}, "
            f"one for each {block_size} of {len(q)} numbers"
        )
    return q.astype(scale.dtype) * np.repeat(scale, block_size)[: len(q)] + offset


# --------------------------------------------------------------------------------------------- small floats

#          bits of the fraction, exponent of the smallest normal number, largest number
FORMATS = {
    "bfloat16": (7, -126, (2 - 2.0**-7) * 2.0**127),
    "float16": (10, -14, 65504.0),
    "float8_e4m3fn": (3, -6, 448.0),
    "float8_e5m2": (2, -14, 57344.0),
}


@checked
def round_to_float(x, dtype):
    """The number of a smaller floating-point format that is nearest to each x, half to even.

        y = round(x / step) * step,   step = 2**(max(e, lowest) - fraction bits),  2**e <= |x| < 2**(e + 1)

    The step doubles with every power of two; below the lowest exponent it stays, down to 0. What rounds to
    more than the largest number becomes infinite; float8_e4m3fn has no infinity and stops at 448.

    Parameters
    ----------
    x : array (...)
    dtype : {'bfloat16', 'float16', 'float8_e4m3fn', 'float8_e5m2'}

    Returns
    -------
    y : array (...)

    References
    ----------
    Micikevicius et al. (2022), FP8 Formats for Deep Learning, arXiv:2209.05433.
    """
    fraction, lowest, largest = FORMATS[dtype]
    with np.errstate(over="ignore", invalid="ignore"):
        wide = x.astype(np.float32).astype(np.float64)  # by way of float32, as torch does
    _, exponent = np.frexp(wide)  # |x| = m * 2**exponent with m in [1/2, 1)
    step = np.ldexp(1.0, np.maximum(exponent - 1, lowest) - fraction)
    y = np.round(wide / step) * step
    beyond = largest if dtype == "float8_e4m3fn" else np.inf
    y = np.where(np.abs(y) > largest, np.copysign(beyond, y), y)
    return y.astype(x.dtype)


@checked
def float_bits(x, dtype):
    """The bits in which the nearest number of a format is stored: sign, exponent, fraction.

        |y| = 2**(E - 1 + lowest) * (1 + F / 2**fraction bits),   for E = 0:  2**lowest * F / 2**fraction bits
        bits = sign, E, F from left to right

    Parameters
    ----------
    x : array (...) finite
    dtype : {'bfloat16', 'float16', 'float8_e4m3fn', 'float8_e5m2'}

    Returns
    -------
    bits : int array (...)       uint8 or uint16

    References
    ----------
    Micikevicius et al. (2022), arXiv:2209.05433.
    """
    fraction, lowest, largest = FORMATS[dtype]
    y = round_to_float.unchecked(x, dtype).astype(np.float64)
    size, width = np.abs(y), 8 if "8" in dtype else 16
    size = np.where(np.isfinite(size), size, np.ldexp(1.0, np.frexp(largest)[1]))  # infinity stands one above
    exponent = np.where(size > 0, np.maximum(np.frexp(size)[1] - 1, lowest), lowest)
    steps = np.ldexp(size, fraction - exponent)  # a whole number
    # the leading 1 of a normal number counts up the exponent
    magnitude = ((exponent - lowest) << fraction) + steps.astype(np.int64)
    return (np.signbit(y).astype(np.int64) << (width - 1) | magnitude).astype(f"uint{width}")


# -------------------------------------------------------------------------------------------------- pruning


@checked
def magnitude_mask(x, amount=0.5):
    """Which numbers stay when the smallest are set to 0.

        mask = False for the round(amount * x.size) smallest |x|

    Of equal ones the first go; torch leaves open which.

    Parameters
    ----------
    x : array (...) finite
    amount : float in [0, 1]       the share that is removed; an int, too, where torch would count

    Returns
    -------
    mask : bool array (...)

    References
    ----------
    Han, Pool, Tran & Dally (2015), arXiv:1506.02626.
    """
    mask = np.ones(x.size, bool)
    mask[np.argsort(np.abs(x).ravel(), kind="stable")[: round(amount * x.size)]] = False
    return mask.reshape(x.shape)
