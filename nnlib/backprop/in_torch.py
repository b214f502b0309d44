"""The twin: the same networks in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from nnlib.core import checked


@checked
def tanh_layer(x, weight, bias):
    """y[n, o] = tanh(sum over d of x[n, d] * weight[o, d] + bias[o])"""
    return torch.tanh(torch.einsum("nd,od->no", x, weight) + bias)


@checked
def mlp_loss(x, weight1, bias1, weight2, bias2, target):
    """loss = mean(log(sum(exp(z))) - z[target]),   z = tanh(x @ weight1.T + bias1) @ weight2.T + bias2"""
    h = torch.tanh(torch.addmm(bias1, x, weight1.T))
    z = torch.addmm(bias2, h, weight2.T)
    right = z.gather(1, target[:, None]).squeeze(1)
    return (torch.logsumexp(z, dim=1) - right).mean()


@checked
def residual_mlp(x, weight1, bias1, weight2, bias2):
    """y = x + relu(x @ weight1.T + bias1) @ weight2.T + bias2"""
    h = torch.relu(torch.addmm(bias1, x, weight1.T))
    return torch.addmm(x + bias2, h, weight2.T)


@checked
def tied_mlp(x, weight, bias1, bias2):
    """y = tanh(x @ weight.T + bias1) @ weight + bias2"""
    code = torch.tanh(torch.einsum("nd,hd->nh", x, weight) + bias1)
    return torch.einsum("nh,hd->nd", code, weight) + bias2


@checked
def deep_mlp(x, weight, bias, every=1):
    """h = tanh(h @ weight[l].T + bias[l]) for each l; between checkpoints autograd forgets and recomputes"""

    def segment(h, weights, biases):
        for w, b in zip(weights, biases):
            h = torch.tanh(torch.addmm(b, h, w.T))
        return h

    for weights, biases in zip(weight.split(every), bias.split(every)):
        x = checkpoint(segment, x, weights, biases, use_reentrant=False)
    return x


def _residual(x, weight1, bias1, weight2, bias2):
    return x + F.linear(F.relu(F.linear(x, weight1, bias1)), weight2, bias2)


def _mlp_loss(x, weight1, bias1, weight2, bias2, target):
    return F.cross_entropy(F.linear(torch.tanh(F.linear(x, weight1, bias1)), weight2, bias2), target)


def _deep(x, weight, bias, every):
    layers = [lambda h, w=w, b=b: torch.tanh(F.linear(h, w, b)) for w, b in zip(weight, bias)]
    segments = -(-len(layers) // every)
    return checkpoint_sequential(layers, segments, x, use_reentrant=False)


official = {
    "tanh_layer": lambda x, weight, bias: torch.tanh(F.linear(x, weight, bias)),
    "mlp_loss": _mlp_loss,
    "residual_mlp": _residual,
    "tied_mlp": lambda x, weight, bias1, bias2: F.linear(
        torch.tanh(F.linear(x, weight, bias1)), weight.T, bias2
    ),
    "deep_mlp": _deep,
}
