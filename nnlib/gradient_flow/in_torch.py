"""The twin: the same in PyTorch, for CPU and GPU; autograd is its backward."""

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked


@checked
def jacobian_product(x, weight, bias):
    """jacobian = jacobian * (1 - h[l + 1]**2) @ weight[l], from the last layer down to the first"""
    h = [x]
    for w, b in zip(weight, bias):
        h.append(torch.tanh(torch.mv(w, h[-1]) + b))
    jacobian = torch.eye(len(x)).to(x)
    for w in weight.flip(0):
        jacobian = jacobian * (1 - h.pop().square()) @ w
    return jacobian


@checked
def residual_block(x, weight1, bias1, weight2, bias2):
    """y = relu(x + relu(x @ weight1.T + bias1) @ weight2.T + bias2)"""
    h = torch.relu(torch.addmm(bias1, x, weight1.T))
    return torch.relu(torch.addmm(x + bias2, h, weight2.T))


@checked
def preact_block(x, weight1, bias1, weight2, bias2):
    """y = x + relu(relu(x) @ weight1.T + bias1) @ weight2.T + bias2"""
    h = torch.relu(torch.addmm(bias1, torch.relu(x), weight1.T))
    return torch.addmm(x + bias2, h, weight2.T)


@checked
def highway(x, weight, bias, weight_gate, bias_gate):
    """y = t * h + (1 - t) * x

    h = tanh(x @ weight.T + bias),   t = sigmoid(x @ weight_gate.T + bias_gate)
    """
    h = torch.tanh(torch.addmm(bias, x, weight.T))
    t = torch.sigmoid(torch.addmm(bias_gate, x, weight_gate.T))
    return t * h + (1 - t) * x  # x + t * (h - x) would lose h beside a large x


@checked(not_taught={"foreach": None})
def get_total_norm(grads, norm_type=2.0, error_if_nonfinite=False):
    """total_norm = sum(|grads|**norm_type) ** (1 / norm_type),   max(|grads|) for norm_type = inf"""
    size = grads.abs()
    total_norm = size.max() if norm_type == float("inf") else size.pow(norm_type).sum().pow(1 / norm_type)
    if error_if_nonfinite and not torch.isfinite(total_norm):
        raise RuntimeError(f"get_total_norm: the norm is {total_norm}; expected a finite one")
    return total_norm


@checked(not_taught={"foreach": None})
def clip_grad_norm(grads, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """grads = grads * min(1, max_norm / (total_norm + 1e-6))"""
    total_norm = get_total_norm.unchecked(grads, norm_type, error_if_nonfinite)
    return grads * (max_norm / (total_norm + 1e-6)).clamp(max=1), total_norm


@checked(not_taught={"foreach": None})
def clip_grad_value(grads, clip_value):
    """grads = min(max(grads, -clip_value), clip_value)"""
    return grads.clamp(-clip_value, clip_value)


@checked
def cliff(x, steps=50, target=0.7):
    """y = (sigmoid(s) - target)**2 after `steps` times s = w * sigmoid(s) + b, from s = 0.5"""
    w, b = x.unbind(dim=1)
    s = torch.full_like(w, 0.5)
    for _ in range(steps):
        s = torch.addcmul(b, w, torch.sigmoid(s))
    return (torch.sigmoid(s) - target).square()


# ------------------------------------------------------------------------------------ the library's own


def _jacobian(x, weight, bias):
    def layers(h):
        for w, b in zip(weight, bias):
            h = torch.tanh(F.linear(h, w, b))
        return h

    return torch.func.jacrev(layers)(x)


def _residual(x, weight1, bias1, weight2, bias2):
    return F.relu(x + F.linear(F.relu(F.linear(x, weight1, bias1)), weight2, bias2))


def _preact(x, weight1, bias1, weight2, bias2):
    return x + F.linear(F.relu(F.linear(F.relu(x), weight1, bias1)), weight2, bias2)


def _highway(x, weight, bias, weight_gate, bias_gate):
    gate = torch.sigmoid(F.linear(x, weight_gate, bias_gate))
    return torch.lerp(x, torch.tanh(F.linear(x, weight, bias)), gate)


def _as_parameter(grads):
    parameter = nn.Parameter(torch.zeros_like(grads))
    parameter.grad = grads.clone()
    return parameter


def _clip_grad_norm(grads, max_norm, norm_type, error_if_nonfinite):
    parameter = _as_parameter(grads)
    total_norm = nn.utils.clip_grad_norm_([parameter], max_norm, norm_type, error_if_nonfinite)
    return parameter.grad, total_norm


def _clip_grad_value(grads, clip_value):
    parameter = _as_parameter(grads)
    nn.utils.clip_grad_value_([parameter], clip_value)
    return parameter.grad


official = {
    "jacobian_product": _jacobian,
    "residual_block": _residual,
    "preact_block": _preact,
    "highway": _highway,
    "get_total_norm": lambda grads, norm_type, error: nn.utils.get_total_norm([grads], norm_type, error),
    "clip_grad_norm": _clip_grad_norm,
    "clip_grad_value": _clip_grad_value,
}
no_official = {"cliff": "a surface for this notebook, which torch does not have"}
