"""The twin: the same steps in PyTorch, for CPU and GPU."""

import torch

from nnlib.core import checked


@checked(not_taught={"maximize": False, "foreach": None, "differentiable": False, "fused": None})
def sgd(param, grad, momentum_buffer=None, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    """param = param - lr * buffer,   buffer = momentum * buffer + (1 - dampening) * g,   g = grad + decay"""
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"sgd: momentum is {momentum} and dampening {dampening}; nesterov needs momentum > 0, dampening 0"
        )
    g = torch.add(grad, param, alpha=weight_decay)
    if momentum == 0:
        return torch.sub(param, g, alpha=lr), momentum_buffer
    first = momentum_buffer is None
    momentum_buffer = g.clone() if first else torch.add(momentum * momentum_buffer, g, alpha=1 - dampening)
    step = torch.add(g, momentum_buffer, alpha=momentum) if nesterov else momentum_buffer
    return torch.sub(param, step, alpha=lr), momentum_buffer


# --------------------------------------------------------------------------------- the library's own


def _official_sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """One real step of torch.optim.SGD, its state put in and taken out."""
    param = param.detach().clone().requires_grad_()
    param.grad = grad.clone()
    settings = dict(momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
    optimizer = torch.optim.SGD([param], lr=lr, **settings)
    if momentum_buffer is not None:
        optimizer.state[param]["momentum_buffer"] = momentum_buffer.clone()
    optimizer.step()
    return param.detach(), optimizer.state[param].get("momentum_buffer")


official = {"sgd": _official_sgd}
