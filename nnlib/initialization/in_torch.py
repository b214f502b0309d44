"""The twin: the same distributions from the same draws in PyTorch, for CPU and GPU."""

import math
from unittest import mock

import torch
from torch import nn

from nnlib.core import checked


@checked
def calculate_fan_in_and_fan_out(tensor):
    """fan_in = numel / O,   fan_out = numel / I"""
    outputs, inputs = tensor.shape[:2]
    return torch.tensor(tensor.numel() // outputs), torch.tensor(tensor.numel() // inputs)


@checked
def calculate_gain(nonlinearity, param=None):
    """1,   tanh 5/3,   selu 3/4,   relu sqrt(2),   leaky_relu sqrt(2 / (1 + param**2))"""
    slope = torch.tensor(0.01, dtype=torch.float64) if param is None else torch.as_tensor(param)
    return torch.ones_like(slope) * _factor(nonlinearity, slope.item())


def _factor(nonlinearity, slope):
    match nonlinearity:
        case "relu":
            return math.sqrt(2)
        case "leaky_relu":
            return math.sqrt(2) / math.hypot(1, slope)
        case "tanh":
            return 5 / 3
        case "selu":
            return 0.75
    return 1.0


@checked
def constant(tensor, val):
    """weight = val"""
    return torch.full_like(tensor, val)


@checked
def zeros(tensor):
    """weight = 0"""
    return torch.zeros_like(tensor)


@checked
def ones(tensor):
    """weight = 1"""
    return torch.ones_like(tensor)


@checked
def eye(tensor):
    """weight[o, i] = 1 where o == i, 0 elsewhere"""
    rows, columns = (torch.arange(size, device=tensor.device) for size in tensor.shape)
    return (rows[:, None] == columns).to(tensor.dtype)


@checked
def dirac(tensor, groups=1):
    """weight[o, i, middle] = 1 where o % (O / groups) == i, 0 elsewhere"""
    if tensor.dim() > 5:
        raise ValueError(f"dirac: tensor has shape {tuple(tensor.shape)}; expected 3 to 5 axes")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups:
        raise ValueError(f"dirac: groups is {groups}; expected a divisor of O = {outputs}")
    channel = torch.arange(outputs, device=tensor.device) % (outputs // groups)
    position = 0
    for size in kernel:  # the middle's place in the flattened kernel
        position = position * size + size // 2
    weight = torch.zeros_like(tensor).flatten(2)
    weight[:, :, position] = (channel[:, None] == torch.arange(inputs, device=tensor.device)).to(tensor.dtype)
    return weight.view_as(tensor)


@checked(not_taught={"generator": None})
def uniform(u, a=0.0, b=1.0):
    """weight = a + (b - a) * u"""
    if a > b:
        raise ValueError(f"uniform: a is {a} and b is {b}; expected a <= b")
    return torch.lerp(torch.full_like(u, a), torch.full_like(u, b), u)


@checked(not_taught={"generator": None})
def normal(z, mean=0.0, std=1.0):
    """weight = mean + std * z"""
    return torch.add(torch.full_like(z, mean), z, alpha=std)


@checked(not_taught={"generator": None})
def trunc_normal(u, mean=0.0, std=1.0, a=-2.0, b=2.0):
    """weight = mean + std * sqrt(2) * erfinv(low + u * (high - low)),   erf at both ends"""
    if a >= b:
        raise ValueError(f"trunc_normal: a is {a} and b is {b}; expected a < b")
    low, high = (math.erf((end - mean) / std / math.sqrt(2)) for end in (a, b))
    if low == high:
        raise ValueError(f"trunc_normal: mean is {mean}, too far from a = {a} and b = {b}; expected nearer")
    return (mean + std * math.sqrt(2) * torch.erfinv(low + u * (high - low))).clamp(a, b)


@checked(not_taught={"generator": None})
def sparse(z, order, sparsity, std=0.01):
    """weight = std * z where the row stands in the rear part of its column of order, 0 elsewhere"""
    rank = order.argsort(dim=0)
    if (order.gather(0, rank) != torch.arange(len(z), device=z.device)[:, None]).any():
        raise ValueError("sparse: a column of order names a row twice; expected every row once")
    return (std * z).masked_fill(rank < math.ceil(sparsity * len(z)), 0)


@checked(not_taught={"generator": None})
def xavier_uniform(u, gain=1.0):
    """weight = gain * sqrt(6 / (fan_in + fan_out)) * (2u - 1)"""
    return (u - 0.5) * (2 * gain * math.sqrt(6 / _both_fans(u)))


@checked(not_taught={"generator": None})
def xavier_normal(z, gain=1.0):
    """weight = gain * sqrt(2 / (fan_in + fan_out)) * z"""
    return z * (gain * math.sqrt(2 / _both_fans(z)))


@checked(not_taught={"generator": None})
def kaiming_uniform(u, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """weight = gain * sqrt(3 / fan) * (2u - 1)"""
    return (u - 0.5) * (2 * _factor(nonlinearity, a) * math.sqrt(3 / _one_fan(u, mode)))


@checked(not_taught={"generator": None})
def kaiming_normal(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """weight = gain * z / sqrt(fan)"""
    return z * (_factor(nonlinearity, a) / math.sqrt(_one_fan(z, mode)))


@checked
def lecun_uniform(u):
    """weight = sqrt(3 / fan_in) * (2u - 1)"""
    return (u - 0.5) * math.sqrt(12 / u[0].numel())


@checked
def lecun_normal(z):
    """weight = z / sqrt(fan_in)"""
    return z / math.sqrt(z[0].numel())


def _both_fans(tensor):
    return tensor[0].numel() + tensor[:, 0].numel()


def _one_fan(tensor, mode):
    return tensor[0].numel() if mode == "fan_in" else tensor[:, 0].numel()


@checked(not_taught={"generator": None})
def orthogonal(z, gain=1):
    """weight = gain * v / ||v||,   v = z minus its parts along the directions before: Gram and Schmidt"""
    flat = z.flatten(1)
    vectors = flat if flat.shape[0] < flat.shape[1] else flat.T
    basis = []
    for v in vectors:
        for _ in range(2):  # the second time removes what rounding left
            for b in basis:
                v = v - (v @ b) * b
        basis.append(v / torch.linalg.vector_norm(v))
    q = torch.stack(basis)
    return gain * (q if vectors is flat else q.T).reshape(z.shape)


@checked
def signals(x, weight, nonlinearity="relu"):
    """h[l] = f(h[l - 1] @ weight[l].T)"""
    h = [x]
    for w in weight:
        h.append(_activation(nonlinearity)(nn.functional.linear(h[-1], w)))
    return torch.stack(h[1:])


@checked
def lsuv(x, weight, nonlinearity="relu"):
    """scaled[l] = weight[l] / std(h[l - 1] @ weight[l].T),   h[l] = f(h[l - 1] @ scaled[l].T)"""
    scaled = []
    for i, w in enumerate(weight):
        z = nn.functional.linear(x, w)
        deviation = z.std(correction=0)
        if not 0 < deviation < math.inf:
            raise ValueError(
                f"lsuv: the sums of layer {i} have deviation {deviation}; expected a finite one above 0"
            )
        scaled.append(w / deviation)
        x = _activation(nonlinearity)(z / deviation)
    return torch.stack(scaled)


def _activation(nonlinearity):
    return {"linear": nn.Identity(), "tanh": torch.tanh, "relu": torch.relu}[nonlinearity]


# --------------------------------------------------------------------------------- the library's own


class _Drawn(torch.Tensor):
    """A tensor whose draws are decided beforehand: torch.nn.init fills it with them, by its own formulas."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def uniform_(self, a=0, b=1, generator=None):
        return self.copy_(a + (b - a) * self.draws)

    def normal_(self, mean=0, std=1, generator=None):
        return self.copy_(mean + std * self.draws)

    def new_empty(self, size):
        return _drawn(self.draws.reshape(size))


def _drawn(draws):
    tensor = torch.empty_like(draws).as_subclass(_Drawn)
    tensor.draws = draws
    return tensor


def _official_sparse(z, order, sparsity, std):
    columns = iter(order.T)
    with mock.patch("torch.randperm", lambda rows: next(columns)):
        return nn.init.sparse_(_drawn(z), sparsity, std)


official = {
    "calculate_fan_in_and_fan_out": lambda tensor: tuple(
        map(torch.tensor, nn.init._calculate_fan_in_and_fan_out(tensor))
    ),
    "calculate_gain": lambda nonlinearity, param: torch.tensor(
        nn.init.calculate_gain(nonlinearity, float(param)), dtype=torch.float64
    ),
    "constant": lambda tensor, val: nn.init.constant_(tensor.clone(), val),
    "zeros": lambda tensor: nn.init.zeros_(tensor.clone()),
    "ones": lambda tensor: nn.init.ones_(tensor.clone()),
    "eye": lambda tensor: nn.init.eye_(tensor.clone()),
    "dirac": lambda tensor, groups: nn.init.dirac_(tensor.clone(), groups),
    "uniform": lambda u, a, b: nn.init.uniform_(_drawn(u), a, b),
    "normal": lambda z, mean, std: nn.init.normal_(_drawn(z), mean, std),
    "sparse": _official_sparse,
    "xavier_uniform": lambda u, gain: nn.init.xavier_uniform_(_drawn(u), gain),
    "xavier_normal": lambda z, gain: nn.init.xavier_normal_(_drawn(z), gain),
    "kaiming_uniform": lambda u, a, mode, f: nn.init.kaiming_uniform_(_drawn(u), a, mode, f),
    "kaiming_normal": lambda z, a, mode, f: nn.init.kaiming_normal_(_drawn(z), a, mode, f),
    "lecun_uniform": lambda u: nn.init.kaiming_uniform_(_drawn(u), nonlinearity="linear"),
    "lecun_normal": lambda z: nn.init.kaiming_normal_(_drawn(z), nonlinearity="linear"),
    "orthogonal": lambda z, gain: nn.init.orthogonal_(_drawn(z), gain),
}
no_official = {
    "trunc_normal": "torch draws again what falls outside: the same distribution, by other draws",
    "signals": "a loop over linear layers",
    "lsuv": "its authors' code is no part of torch",
}
