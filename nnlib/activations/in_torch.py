"""The twin: the same functions by other formulas in PyTorch, for CPU and GPU; autograd is their backward."""

import math

import torch
import torch.nn.functional as F

from nnlib.core import checked


@checked
def sigmoid(x):
    """y = (1 + tanh(x / 2)) / 2, a tanh moved and halved"""
    return 0.5 * (1 + torch.tanh(0.5 * x))


@checked
def tanh(x):
    """y = 2 * sigmoid(2 * x) - 1, a sigmoid stretched and moved"""
    return 2 * torch.sigmoid(2 * x) - 1


@checked(not_taught={"inplace": False})
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """y = x between min_val and max_val, the nearer of the two elsewhere"""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val}, max_val {max_val}; expected min_val <= max_val")
    return torch.where(x >= max_val, max_val, torch.where(x <= min_val, min_val, x))


@checked(not_taught={"inplace": False})
def relu(x):
    """y = 0 where x <= 0, x elsewhere"""
    return torch.where(x <= 0, 0, x)


@checked(not_taught={"inplace": False})
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, negative_slope * x elsewhere"""
    return torch.where(x > 0, x, negative_slope * x)


@checked(not_taught={"inplace": False})
def elu(x, alpha=1.0):
    """y = relu(x) + alpha * (exp(negative part of x) - 1)"""
    negative = torch.where(x > 0, 0, x)
    return torch.relu(x) + alpha * torch.special.expm1(negative)


@checked
def softplus(x, beta=1.0, threshold=20.0):
    """y = max(x, 0) + log(1 + exp(-|beta * x|)) / beta, x where beta * x > threshold"""
    z = beta * x
    soft = torch.where(z > 0, x, 0) + torch.log1p(torch.exp(torch.where(z > 0, -z, z))) / beta
    return torch.where(z > threshold, x, soft)


@checked
def gelu(x, approximate="none"):
    """y = x * (1 + erf(x / sqrt(2))) / 2, or x * sigmoid(2 * u) with the u of the tanh formula"""
    if approximate == "tanh":
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


@checked(not_taught={"inplace": False})
def silu(x):
    """y = x * (1 + tanh(x / 2)) / 2"""
    return 0.5 * x * (1 + torch.tanh(0.5 * x))


@checked(not_taught={"inplace": False})
def mish(x):
    """y = x * (n - 1) / (n + 1) with n = (1 + exp(x))**2: tanh of a logarithm is a fraction

    Both parts divided by the larger of 1 and exp(2 * x), so that nothing overflows.
    """
    e = torch.exp(-torch.abs(x))
    positive = (1 + 2 * e) / (1 + 2 * e + 2 * e * e)
    negative = (e * e + 2 * e) / (e * e + 2 * e + 2)
    return x * torch.where(x > 0, positive, negative)


@checked(not_taught={"dtype": None})
def softmax(x, dim):
    """y = exp(x - log(sum(exp(x))))"""
    return torch.exp(x - torch.logsumexp(x, dim, keepdim=True))


@checked(not_taught={"dtype": None})
def log_softmax(x, dim):
    """y = x - log(sum(exp(x)))"""
    return x - torch.logsumexp(x, dim, keepdim=True)


official = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardtanh": F.hardtanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "softplus": F.softplus,
    "gelu": lambda x, approximate: F.gelu(x, approximate=approximate),
    "silu": F.silu,
    "mish": F.mish,
    "softmax": lambda x, dim: F.softmax(x, dim=dim),
    "log_softmax": lambda x, dim: F.log_softmax(x, dim=dim),
}
