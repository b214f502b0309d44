"""The twin: the same losses in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


def _reduce(losses, reduction, count):
    if reduction == "none":
        return losses
    return losses.sum() / count if reduction == "mean" else losses.sum()


@checked(not_taught={"size_average": None, "reduce": None, "weight": None})
def mse_loss(x, target, reduction="mean"):
    """loss = (x - target)**2"""
    return _reduce(torch.square(x - target), reduction, x.numel())


@checked(not_taught={"size_average": None, "reduce": None})
def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None):
    """loss = -weight * (pos_weight * target * log(sigmoid(x)) + (1 - target) * log(sigmoid(-x)))"""
    log_yes, log_no = F.logsigmoid(x), F.logsigmoid(-x)
    if pos_weight is not None:
        log_yes = pos_weight * log_yes
    losses = -torch.lerp(log_no, log_yes, target)
    return _reduce(losses if weight is None else weight * losses, reduction, x.numel())


@checked(not_taught={"size_average": None, "reduce": None})
def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """loss = (1 - label_smoothing) * weight * -log_softmax(x), of the target, + label_smoothing * its mean"""
    log_p = x.movedim(1, -1)
    log_p = log_p - torch.logsumexp(log_p, dim=-1, keepdim=True)
    weight = x.new_ones(x.shape[1]) if weight is None else weight
    surprise = -weight * log_p
    if target.is_floating_point():
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs class numbers as target")
        hit = (surprise * target.movedim(1, -1)).sum(-1)
        spread, count = surprise.mean(-1), hit.numel()
    else:
        counts = target != ignore_index
        index = torch.where(counts, target, 0)
        if index.min() < 0 or index.max() >= len(weight):
            raise ValueError(
                f"cross_entropy: target holds values from {index.min()} to {index.max()}; expected class "
                f"numbers in [0, K) with K = {len(weight)} or ignore_index = {ignore_index}"
            )
        count = (weight[index] * counts).sum()
        if count == 0 and reduction == "mean":
            raise ValueError("cross_entropy: every target is ignored or weighs 0; expected one that counts")
        hit = surprise.gather(-1, index.unsqueeze(-1)).squeeze(-1) * counts
        spread = surprise.mean(-1) * counts
    return _reduce((1 - label_smoothing) * hit + label_smoothing * spread, reduction, count)


# --------------------------------------------------------------------------------- the library's own

official = {
    "mse_loss": lambda x, target, reduction: F.mse_loss(x, target, reduction=reduction),
    "binary_cross_entropy_with_logits": lambda x, target, weight, reduction, pos_weight: (
        F.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)
    ),
    "cross_entropy": lambda x, target, weight, ignore_index, reduction, label_smoothing: F.cross_entropy(
        x, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    ),
}
