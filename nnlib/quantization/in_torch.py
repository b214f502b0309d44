"""The twin: the same grids in PyTorch, for CPU and GPU; autograd is the backward of `fake_quantize`.

The derivations differ where they can: integer products are added one by one, NF4 compares each number with
all sixteen levels, and small floats are rounded on their bits.
"""

import math

import torch
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from nnlib.core import checked

# ----------------------------------------------------------------------------------- integers for floats


@checked
def choose_qparams(low, high, quant_min=-128, quant_max=127, symmetric=False):
    """scale = width of the range / number of steps; zero_point = the integer on which 0 falls"""
    _check_grid("choose_qparams", quant_min, quant_max)
    _integer("choose_qparams", quant_min, quant_max)
    if bool((low > high).any()):
        raise ValueError("choose_qparams: low is above high; expected low <= high")
    low, high = low.clamp(max=0), high.clamp(min=0)
    if symmetric:
        high = torch.maximum(-low, high)
        low = -high
    scale = (high - low) / (quant_max - quant_min)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    if symmetric:
        middle = (quant_min + quant_max + 1) // 2
        return scale, torch.full(scale.shape, middle, dtype=torch.int32, device=low.device)
    return scale, (quant_min - (low / scale).round()).clamp(quant_min, quant_max).to(torch.int32)


@checked
def quantize(x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    """q = clip(round(x / scale) + zero_point, quant_min, quant_max)"""
    _check_grid("quantize", quant_min, quant_max)
    scale, zero_point = _along("quantize", x, scale, zero_point, axis)
    _check_between("quantize", "zero_point", zero_point, quant_min, quant_max)
    dtype = _integer("quantize", quant_min, quant_max)
    q = ((x / scale).round() + zero_point).clamp(quant_min, quant_max).to(torch.int64)
    return q.clamp(quant_min, quant_max).to(dtype)  # float32 takes 2**31 - 1 for 2**31


@checked
def dequantize(q, scale, zero_point=None, axis=None):
    """y = scale * (q - zero_point)"""
    scale, zero_point = _along("dequantize", q, scale, zero_point, axis)
    return scale * (q.to(torch.int64) - zero_point)


@checked
def fake_quantize(x, scale, zero_point=None, quant_min=-128, quant_max=127, axis=None):
    """y = scale * (clip(round(x / scale) + zero_point) - zero_point), with x for round(x) in the backward"""
    _check_grid("fake_quantize", quant_min, quant_max)
    scale, zero_point = _along("fake_quantize", x, scale, zero_point, axis)
    _check_between("fake_quantize", "zero_point", zero_point, quant_min, quant_max)
    steps = (x / scale).detach().round() + zero_point
    y = scale * (steps.clamp(quant_min, quant_max) - zero_point)
    inside = (steps >= quant_min) & (steps <= quant_max)
    return torch.where(inside, x + (y - x).detach(), y.detach())


def _integer(name, quant_min, quant_max):
    for dtype in (torch.int8, torch.uint8, torch.int32):
        if torch.iinfo(dtype).min <= quant_min and quant_max <= torch.iinfo(dtype).max:
            return dtype
    raise ValueError(f"{name}: the grid is from {quant_min} to {quant_max}; expected one that int32 holds")


def _along(name, x, scale, zero_point, axis):
    wanted = ()
    if axis is not None:
        if axis >= x.dim():
            raise ValueError(f"{name}: axis is {axis}; expected an axis of x, which has {x.dim()}")
        wanted = (x.shape[axis],)
    scale = torch.as_tensor(scale, dtype=x.dtype if x.is_floating_point() else None, device=x.device)
    if zero_point is None:
        zero_point = torch.zeros(wanted, dtype=torch.int32, device=x.device)
    for what, value in (("scale", scale), ("zero_point", zero_point)):
        if tuple(value.shape) != wanted:
            raise ValueError(f"{name}: {what} has shape {tuple(value.shape)}; expected {wanted}")
    if axis is None:
        return scale, zero_point
    after = [1] * (x.dim() - 1 - axis)
    return scale.view(-1, *after), zero_point.view(-1, *after)


def _check_grid(name, quant_min, quant_max):
    if not -(2**62) <= quant_min < quant_max <= 2**62:
        raise ValueError(
            f"{name}: quant_min is {quant_min}, quant_max {quant_max}; expected quant_min < quant_max"
        )


def _check_between(f, name, value, low, high):
    least, most = int(value.min()), int(value.max())
    if least < low or most > high:
        raise ValueError(f"{f}: {name} is from {least} to {most}; expected {low} to {high}")


# ------------------------------------------------------------------------------------------- calibration


@checked
def range_min_max(x, axis=None):
    """low = min(x), high = max(x)"""
    if axis is None:
        return x.amin(), x.amax()
    if axis >= x.dim():
        raise ValueError(f"range_min_max: axis is {axis}; expected an axis of x, which has {x.dim()}")
    rows = x.movedim(axis, 0).flatten(1) if x.dim() > 1 else x[:, None]
    return rows.amin(dim=1), rows.amax(dim=1)


@checked
def range_percentile(x, percentile=99.9):
    """sorted(x) at (size - 1) * share, between two neighbors in proportion"""
    ordered = x.flatten().sort().values
    ends = []
    for share in (1 - percentile / 100, percentile / 100):
        place = share * (len(ordered) - 1)
        before = min(int(place), len(ordered) - 1)
        after = min(before + 1, len(ordered) - 1)
        ends.append(ordered[before] + (place - before) * (ordered[after] - ordered[before]))
    return tuple(ends)


@checked
def range_mse(x, quant_min=-128, quant_max=127, symmetric=False, steps=100):
    """low, high = f * (min(x), max(x)) with the least squared error"""
    _check_grid("range_mse", quant_min, quant_max)
    best, found, largest = math.inf, None, float(x.abs().max()) or 1
    for i in range(1, steps + 1):
        low, high = i / steps * x.amin(), i / steps * x.amax()
        scale, zero_point = choose_qparams.unchecked(low, high, quant_min, quant_max, symmetric)
        q = (x / scale + zero_point).round().clamp(quant_min, quant_max)
        error = float(((scale * (q - zero_point) - x) / largest).square().mean())
        if error < best:
            best, found = error, (low, high)
    return found


# ------------------------------------------------------------------------------------- groups and packing


@checked
def quantize_groups(x, group_size=64, bits=4):
    """scale = max(abs(group)) / (2**(bits - 1) - 1), q = round(group / scale)"""
    if x.shape[-1] % group_size:
        raise ValueError(f"quantize_groups: group_size is {group_size}; expected a divisor of {x.shape[-1]}")
    scale = torch.stack([part.abs().amax(-1) for part in x.split(group_size, dim=-1)], dim=-1)
    scale = scale / (2 ** (bits - 1) - 1)
    scale = scale.masked_fill(scale == 0, 1)
    return (x / scale.repeat_interleave(group_size, dim=-1)).round().to(torch.int8), scale


@checked
def dequantize_groups(q, scale):
    """y = q * scale of the group"""
    D, G = q.shape[-1], scale.shape[-1]
    if D % G:
        raise ValueError(f"dequantize_groups: scale has {G} groups; expected a divisor of D = {D}")
    return q * scale.repeat_interleave(D // G, dim=-1)


@checked
def pack_int4(q):
    """packed[i] = q[2 * i] % 16 + 16 * (q[2 * i + 1] % 16)"""
    if q.shape[-1] % 2:
        raise ValueError(
            f"pack_int4: q has {q.shape[-1]} numbers along its last axis; expected an even number"
        )
    _check_between("pack_int4", "q", q, -8, 15)
    pairs = torch.remainder(q.to(torch.int32), 16).unflatten(-1, (-1, 2))
    return (pairs[..., 0] + 16 * pairs[..., 1]).to(torch.uint8)


@checked
def unpack_int4(packed, signed=True):
    """q[2 * i] = packed[i] % 16, q[2 * i + 1] = packed[i] // 16; signed: (q + 8) % 16 - 8"""
    _check_between("unpack_int4", "packed", packed, 0, 255)
    packed = packed.to(torch.int32)
    q = torch.stack([packed % 16, packed // 16], dim=-1).flatten(-2)
    return ((q + 8) % 16 - 8 if signed else q).to(torch.int8)


# ---------------------------------------------------------------------------------- arithmetic in integers


@checked
def quantized_linear(q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight=None, bias=None):
    """y = scale_x * scale_weight * sum((q_x - zero_point_x) * (q_weight - zero_point_weight)) + bias"""
    D = q_x.shape[1]
    if D > 2**31 // 383**2:
        raise ValueError(f"quantized_linear: q_x has D = {D}; expected at most {2**31 // 383**2}")
    given = dict(q_x=q_x, q_weight=q_weight, zero_point_x=zero_point_x, zero_point_weight=zero_point_weight)
    for name, value in given.items():
        if value is not None:
            _check_between("quantized_linear", name, value, -128, 255)
    zero_point_weight = 0 if zero_point_weight is None else zero_point_weight.reshape(-1, 1)
    q_x, q_weight = q_x.to(torch.int32) - zero_point_x, q_weight.to(torch.int32) - zero_point_weight
    products = q_x[:, None] * q_weight[None]  # no integer matmul on every device
    total = products.sum(dim=-1, dtype=torch.int32)
    y = total * (scale_x * scale_weight)
    return y if bias is None else y + bias


# ------------------------------------------------------------------------------------------------------ NF4

NF4_TAIL = (1 / 32 + 1 / 30) / 2


@checked
def nf4_levels(tail):
    """quantiles of the normal distribution: sqrt(2) * erfinv(2 p - 1), divided by the largest"""
    tail = torch.as_tensor(tail)
    wide = tail.double() if tail.device.type != "mps" else tail

    def quantiles(count):  # from the median, which is left out, to 1 - tail
        p = 0.5 + (0.5 - wide) * torch.arange(1, count + 1, device=tail.device) / count
        return math.sqrt(2) * torch.erfinv(2 * p - 1)

    levels = torch.cat([-quantiles(7).flip(0), wide.new_zeros(1), quantiles(8)])
    return (levels / levels[-1]).to(tail.dtype)


NF4 = nf4_levels.unchecked(torch.tensor(NF4_TAIL, dtype=torch.float64))


@checked
def quantize_nf4(x, block_size=64):
    """code = argmin_k |x / absmax - level_k|"""
    blocks = x.flatten().split(block_size)
    absmax = torch.stack([block.abs().amax() for block in blocks])
    shares = x.flatten() / _spread(absmax.masked_fill(absmax == 0, 1), x.numel(), block_size)
    distance = (shares[:, None] - NF4.to(x.device, x.dtype)).abs()
    return distance.argmin(dim=1).to(torch.uint8).view(x.shape), absmax


@checked
def dequantize_nf4(codes, absmax, block_size=64):
    """y = level of the code * absmax of the block"""
    _check_between("dequantize_nf4", "codes", codes, 0, 15)
    blocks = math.ceil(codes.numel() / block_size)
    if len(absmax) != blocks:
        raise ValueError(f"dequantize_nf4: absmax has {len(absmax)} blocks; expected {blocks}")
    levels = NF4.to(absmax.device, absmax.dtype)[codes.long()]
    return levels * _spread(absmax, codes.numel(), block_size).view(codes.shape)


@checked
def double_quantize(absmax, block_size=256):
    """offset = mean(absmax), q = round((absmax - offset) / scale), scale = max(abs(absmax - offset)) / 127"""
    offset = absmax.mean()
    centered = absmax - offset
    scale = torch.stack([block.abs().amax() / 127 for block in centered.split(block_size)])
    scale = scale.masked_fill(scale == 0, 1)
    q = (centered / _spread(scale, len(absmax), block_size)).round()
    return q.to(torch.int8), scale, offset


@checked
def double_dequantize(q, scale, offset, block_size=256):
    """absmax = q * scale of its block + offset"""
    blocks = math.ceil(len(q) / block_size)
    if len(scale) != blocks:
        raise ValueError(f"double_dequantize: scale has {len(scale)} blocks; expected {blocks}")
    return q * _spread(scale, len(q), block_size) + offset


def _spread(values, size, block_size):
    """The value of its block for each of `size` numbers."""
    return values[torch.arange(size, device=values.device) // block_size]


# --------------------------------------------------------------------------------------------- small floats

#          bits of the fraction, smallest normal exponent, largest number, can be infinite
FORMATS = {
    "bfloat16": (7, -126, 2.0**128 - 2.0**120, True),
    "float16": (10, -14, 65504.0, True),
    "float8_e4m3fn": (3, -6, 448.0, False),
    "float8_e5m2": (2, -14, 57344.0, True),
}


@checked
def round_to_float(x, dtype):
    """on the bits of float32: add half of the last kept place, cut off the rest; adding and taking away a
    large number does the same below the lowest exponent"""
    fraction, lowest, largest, infinite = FORMATS[dtype]
    size, drop = x.float().abs(), 23 - fraction
    bits = size.view(torch.int32)
    bits = bits + (1 << drop - 1) - 1 + (bits >> drop & 1) >> drop << drop
    coarse = 2.0 ** (lowest - fraction + 23)  # here neighbors of float32 are one step apart
    y = torch.where(size < 2.0**lowest, (size + coarse) - coarse, bits.view(torch.float32))
    y = torch.where(y > largest, math.inf if infinite else largest, y)
    y = torch.where(size.isnan(), size, y)
    return torch.copysign(y.to(x.dtype), x)


@checked
def float_bits(x, dtype):
    """the bits of float32 without the last ones, with another bias; below the lowest exponent the steps"""
    fraction, lowest, _, _ = FORMATS[dtype]
    width = 8 if dtype.startswith("float8") else 16
    size = round_to_float.unchecked(x, dtype).float().abs()
    normal = (size.view(torch.int32) >> 23 - fraction) - (126 + lowest << fraction)
    small = torch.ldexp(torch.where(size < 2.0**lowest, size, 0), torch.tensor(fraction - lowest))
    magnitude = torch.where(size < 2.0**lowest, small.to(torch.int32), normal)
    overflow = size.isinf()
    magnitude = torch.where(overflow, (1 << width - 1) - (1 << fraction), magnitude)
    bits = magnitude + (torch.signbit(x).to(torch.int32) << width - 1)
    return bits.to(torch.uint8 if width == 8 else torch.uint16)


# -------------------------------------------------------------------------------------------------- pruning


@checked
def magnitude_mask(x, amount=0.5):
    """mask = False for the round(amount * x.size) smallest |x|"""
    mask = torch.ones(x.numel(), dtype=torch.bool, device=x.device)
    smallest = x.abs().flatten().argsort(stable=True)[: round(amount * x.numel())]
    mask[smallest] = False
    return mask.view(x.shape)


# ---------------------------------------------------------------------------------- torch's own operations


def _fake_quantize(x, scale, zero_point, quant_min, quant_max, axis):
    if axis is None:
        zero_point = 0 if zero_point is None else int(zero_point)
        return torch.fake_quantize_per_tensor_affine(x, float(scale), zero_point, quant_min, quant_max)
    zero_point = torch.zeros_like(scale) if zero_point is None else zero_point
    grid = scale.float(), zero_point.to(torch.int32)  # torch keeps them in these types
    return torch.fake_quantize_per_channel_affine(x, *grid, axis, quant_min, quant_max)


def _quantize(x, scale, zero_point, quant_min, quant_max, axis):
    """torch.quantize_per_tensor is deprecated; its integers are those of the fake-quantize operations."""
    rows, axis = (x.flatten()[None], 0) if axis is None else (x, axis)
    scale, zero_point = scale.reshape(-1).float(), 0 if zero_point is None else zero_point.reshape(-1)
    zero_point = (scale * 0 + zero_point).to(torch.int32)
    y = torch.fake_quantize_per_channel_affine(rows, scale, zero_point, axis, quant_min, quant_max)
    lined_up = (-1,) + (1,) * (rows.dim() - 1 - axis)
    return ((y / scale.view(lined_up)).round() + zero_point.view(lined_up)).view(x.shape)


def _float_bits(x, dtype):
    small = torch.Tensor.to(x, getattr(torch, dtype))
    return small.view(torch.uint8) if small.itemsize == 1 else small.view(torch.int16).int() & 0xFFFF


official = {
    "quantize": _quantize,
    "fake_quantize": _fake_quantize,
    "range_min_max": lambda x, axis: (
        tuple(torch.aminmax(x))
        if axis is None
        else tuple(torch.aminmax(x.transpose(0, axis).reshape(x.shape[axis], -1), dim=1))
    ),
    "range_percentile": lambda x, percentile: tuple(
        torch.quantile(x, torch.tensor([1 - percentile / 100, percentile / 100], dtype=x.dtype))
    ),
    "quantized_linear": lambda q_x, q_weight, scale_x, zero_point_x, scale_weight, zero_point_weight, bias: (
        F.linear(
            scale_x * (q_x.int() - zero_point_x),
            scale_weight.reshape(-1, 1)
            * (q_weight.int() - (0 if zero_point_weight is None else zero_point_weight.reshape(-1, 1))),
            bias,
        )
    ),
    "round_to_float": lambda x, dtype: torch.Tensor.to(x, getattr(torch, dtype)).to(x.dtype),
    "float_bits": _float_bits,
    "magnitude_mask": lambda x, amount: nn.utils.prune.L1Unstructured(amount).compute_mask(
        x, x.new_ones(x.shape)
    ),
}
no_official = {
    "choose_qparams": "torch's observers compute in float32; a test compares with them",
    "dequantize": "torch.dequantize takes tensors of types that are deprecated",
    "range_mse": "torch's HistogramObserver searches a histogram",
    "quantize_groups": "torch has kernels for it but no operation that returns the integers",
    "dequantize_groups": "torch has kernels for it but no operation that returns the integers",
    "pack_int4": "torch's packing is laid out for one kind of kernel",
    "unpack_int4": "torch's packing is laid out for one kind of kernel",
    "nf4_levels": "torch has no NF4; a test compares with the published levels",
    "quantize_nf4": "torch has no NF4",
    "dequantize_nf4": "torch has no NF4",
    "double_quantize": "torch has no double quantization",
    "double_dequantize": "torch has no double quantization",
}
