"""The twin: the same operations by other formulas in PyTorch, and its autograd in both directions."""

import math
import warnings

import torch
from torch.autograd import forward_ad

from nnlib.core import checked

# On its first use, forward mode loads a file that calls what torch deprecates.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    with forward_ad.dual_level():
        forward_ad.make_dual(torch.zeros(1), torch.ones(1))


@checked(not_taught={"alpha": 1})
def add(x, other):
    """y = x - (-other)"""
    return x - torch.neg(other)


@checked(not_taught={"alpha": 1})
def sub(x, other):
    """y = -(other - x)"""
    return torch.neg(other - x)


@checked
def mul(x, other):
    """y = sum over one term of x * other"""
    return torch.einsum("...,...->...", x, other)


@checked(not_taught={"rounding_mode": None})
def div(x, other):
    """y = x * (1 / other)"""
    return x * torch.reciprocal(other)


@checked
def pow(x, exponent):
    """y = |x|**exponent, with the sign of x where the exponent is odd; x**exponent for broken exponents"""
    if exponent % 1:
        return x**exponent  # NaN where x < 0
    size = torch.where(x < 0, -x, x) ** exponent  # abs has slope 0 at 0, x**1 has slope 1
    return torch.where(x < 0, -size, size) if exponent % 2 == 1 else size


@checked
def exp(x):
    """y = expm1(x) + 1"""
    return torch.special.expm1(x) + 1


@checked
def log(x):
    """y = log2(x) * log(2)"""
    return torch.log2(x) * math.log(2)


@checked
def matmul(x, other):
    """y[n, m] = sum over k of x[n, k] * other[k, m]"""
    return (x.unsqueeze(-1) * other.unsqueeze(-3)).sum(dim=-2)


def _moved(x, dim):
    """The axes `dim` joined into one, at the end."""
    dims = dim if isinstance(dim, (tuple, list)) else () if dim is None else (dim,)
    dims = [range(x.ndim)[d] for d in dims or range(x.ndim)]  # counted from the front; IndexError beyond
    rest = [d for d in range(x.ndim) if d not in dims]
    kept = [1 if d in dims else n for d, n in enumerate(x.shape)]
    return x.permute((*rest, *dims)).reshape(*[x.shape[d] for d in rest], -1), kept


@checked(not_taught={"dtype": None})
def sum(x, dim=None, keepdim=False):
    """y = x @ ones, over the axes dim joined into one"""
    rows, kept = _moved(x, dim)
    y = rows @ rows.new_ones(rows.shape[-1])
    return y.reshape(kept) if keepdim else y


@checked(not_taught={"dtype": None})
def mean(x, dim=None, keepdim=False):
    """y = x @ ones / n, over the axes dim joined into one"""
    rows, kept = _moved(x, dim)
    y = rows @ rows.new_full(rows.shape[-1:], 1 / rows.shape[-1])
    return y.reshape(kept) if keepdim else y


@checked
def amax(x, dim=None, keepdim=False):
    """y = -min(-x)"""
    rows, kept = _moved(x, dim)
    y = -torch.amin(-rows, dim=-1)
    return y.reshape(kept) if keepdim else y


@checked
def broadcast_to(x, size):
    """y = x * ones, which broadcasts"""
    return x * torch.ones(size, dtype=x.dtype, device=x.device)


@checked
def reshape(x, shape):
    """y = x taken apart to one row, then folded"""
    return x.flatten().view(shape)


@checked
def transpose(x, dim0, dim1):
    """y[j, i] = x[i, j], by a permutation of the axes"""
    order = list(range(x.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return x.permute(order)


@checked
def getitem(x, index):
    """y = x[index], by the numbers of the elements in one long row"""
    numbers = torch.arange(x.numel()).reshape(x.shape)[index]
    return x.flatten().index_select(0, numbers.flatten().to(x.device)).reshape(numbers.shape)


@checked
def jvp(f, x, tangent):
    """autograd's forward mode"""
    with forward_ad.dual_level():
        y, y_tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(x, tangent)))
    return y, y_tangent


@checked
def vjp(f, x, grad_output):
    """autograd's reverse mode"""
    x = x.detach().requires_grad_()
    y = f(x)
    if y.shape != grad_output.shape:
        came, expected = tuple(grad_output.shape), tuple(y.shape)
        raise ValueError(f"vjp: grad_output has shape {came}; expected {expected}")
    return y.detach(), torch.autograd.grad(y, x, grad_output)[0]


@checked
def jacfwd(f, x):
    """a jvp along every axis"""
    columns = [jvp.unchecked(f, x, e)[1] for e in torch.eye(len(x), dtype=x.dtype, device=x.device)]
    return torch.stack(columns, dim=1)


@checked
def jacrev(f, x):
    """a vjp of every output"""
    outputs = torch.eye(len(f(x)), dtype=x.dtype, device=x.device)
    return torch.stack([vjp.unchecked(f, x, e)[1] for e in outputs])


def _all_paths(local):
    """1 + local + local² + … = 1 / (1 - local): entry [i, j] sums over all paths from node i to node j."""
    if local.tril().any():
        raise ValueError("local holds numbers on or below the diagonal; expected 0: inputs come first")
    one = torch.eye(len(local), dtype=local.dtype, device=local.device)
    return torch.linalg.solve_triangular(one - local, one, upper=True)


@checked
def forward_sweep(local):
    """the first row of 1 / (1 - local)"""
    return _all_paths(local)[0]


@checked
def reverse_sweep(local):
    """the last column of 1 / (1 - local)"""
    return _all_paths(local)[:, -1]


@checked
def finite_difference(f, x, h, scheme="central"):
    """the difference of two values over the distance of their places"""
    if scheme == "complex":
        return torch.imag(f(torch.complex(x, torch.full_like(x, h)))) / h
    below, above = f(torch.stack([x if scheme == "forward" else x - h, x + h]))
    return (above - below) / (h if scheme == "forward" else 2 * h)


official = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "exp": torch.exp,
    "log": torch.log,
    "matmul": torch.matmul,
    "sum": torch.sum,
    "mean": torch.mean,
    "amax": lambda x, dim, keepdim: torch.amax(x, () if dim is None else dim, keepdim),
    "broadcast_to": torch.broadcast_to,
    "reshape": torch.reshape,
    "transpose": torch.transpose,
    "getitem": torch.Tensor.__getitem__,
    "jvp": lambda f, x, tangent: torch.func.jvp(f, (x,), (tangent,)),
    "vjp": lambda f, x, grad_output: (lambda y, pull: (y, *pull(grad_output)))(*torch.func.vjp(f, x)),
    "jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "jacrev": lambda f, x: torch.func.jacrev(f)(x),
}
no_official = {
    "forward_sweep": "torch follows the paths inside autograd and keeps no table of slopes",
    "reverse_sweep": "torch follows the paths inside autograd and keeps no table of slopes",
    "finite_difference": "torch.autograd.gradcheck compares with central differences, but returns none",
}
