"""The twin: the same functions in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked


@checked
def linear(x, weight, bias=None):
    """y[..., o] = sum over d of x[..., d] * weight[o, d], plus bias[o]"""
    y = torch.einsum("...d,od->...o", x, weight)
    return y if bias is None else y + bias


@checked
def mlp(x, weight1, bias1, weight2, bias2, activation="relu"):
    """y[o] = sum over h of weight2[o, h] * f(sum over d of weight1[h, d] * x[d] + bias1[h]) + bias2[o]"""
    f = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[activation]
    h = f(torch.einsum("...d,hd->...h", x, weight1) + bias1)
    return torch.einsum("...h,oh->...o", h, weight2) + bias2


@checked
def output_head(x, task):
    """y = x, or 1 / (1 + exp(-x)), or exp(x - log(sum(exp(x))))"""
    if task == "regression":
        return x.clone()
    return torch.exp(F.logsigmoid(x) if task == "binary" else x - x.logsumexp(dim=1, keepdim=True))


@checked
def relu_interpolation(x, knots, values):
    """y = values[k] + slope[k] * relu(x - knots[k]),   k the last point before x, or the first"""
    gaps = knots.diff()
    if len(knots) < 2 or not (gaps > 0).all():
        raise ValueError(f"knots are {knots.tolist()}; expected at least 2, from left to right")
    k = ((knots < x[:, None]).sum(dim=1) - 1).clamp(0, len(gaps) - 1)
    return values[k] + torch.relu(x - knots[k]) * (values.diff() / gaps)[k]


def _sequential(x, weight1, bias1, weight2, bias2, activation):
    """nn.Sequential with these weights in place of its own, which are never made (device "meta")."""
    bend = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[activation]()
    first, last = (nn.Linear(*weight.T.shape, device="meta") for weight in (weight1, weight2))
    model = nn.Sequential(first, bend, last)
    weights = {"0.weight": weight1, "0.bias": bias1, "2.weight": weight2, "2.bias": bias2}
    return torch.func.functional_call(model, weights, (x,))


def _head(x, task):
    return {"regression": nn.Identity(), "binary": nn.Sigmoid(), "multiclass": nn.Softmax(dim=1)}[task](x)


official = {"linear": F.linear, "mlp": _sequential, "output_head": _head}
no_official = {"relu_interpolation": "torch interpolates pictures (F.interpolate), not points at knots"}
