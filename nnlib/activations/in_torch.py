"""The twin: the same functions by other formulas in PyTorch, for CPU and GPU; autograd is their backward."""

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
def relu(x):
    """y = x where x > 0, 0 elsewhere"""
    return torch.where(x > 0, x, 0)


@checked(not_taught={"inplace": False})
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, negative_slope * x elsewhere"""
    return torch.where(x > 0, x, negative_slope * x)


official = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu, "leaky_relu": F.leaky_relu}
