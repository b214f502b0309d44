"""The twin: the same units in PyTorch, for CPU and GPU."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


@checked
def step(x):
    """y = 1 if x >= 0 else 0"""
    return torch.where(x >= 0, torch.ones_like(x), torch.zeros_like(x))


@checked
def perceptron(x, weight, bias):
    """y = step(x @ weight + bias)"""
    return step.unchecked(torch.mv(x, weight) + bias)


@checked
def perceptron_update(x, target, weight, bias, lr=1.0):
    """weight + lr * error * x and bias + lr * error, with error = target - perceptron(x)"""
    error = target - step.unchecked(torch.dot(x, weight) + bias)
    return torch.addcmul(weight, error, x, value=lr), bias + lr * error


@checked
def adaline_update(x, target, weight, bias, lr=0.01):
    """one gradient step on mean((target - x @ weight - bias)**2) / 2"""
    weight, bias = (torch.as_tensor(p).to(x).detach().requires_grad_() for p in (weight, bias))
    loss = 0.5 * F.mse_loss(torch.mv(x, weight) + bias, target)
    grad_weight, grad_bias = torch.autograd.grad(loss, (weight, bias))
    return (weight - lr * grad_weight).detach(), (bias - lr * grad_bias).detach()


@checked
def logistic_neuron(x, weight, bias):
    """y = 1 / (1 + exp(-(x @ weight + bias)))"""
    return torch.exp(F.logsigmoid(torch.mv(x, weight) + bias))


official = {
    "step": lambda x: torch.heaviside(x, torch.ones((), dtype=x.dtype, device=x.device)),
    "logistic_neuron": lambda x, weight, bias: torch.sigmoid(F.linear(x, weight[None], bias[None])).squeeze(
        1
    ),
}
no_official = {
    "perceptron": "torch has torch.heaviside but no unit built on it: gradient descent could not train one",
    "perceptron_update": "torch has no learning rule without a gradient",
    "adaline_update": "in torch the same step is mse_loss, backward and SGD, which is what the twin does",
}
