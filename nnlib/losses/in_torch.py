"""The twin: the same losses in PyTorch, for CPU and GPU; autograd is their backward."""

import math
import warnings

import torch
import torch.nn.functional as F

from nnlib.core import checked

_OLD = {"size_average": None, "reduce": None}


def _reduce(losses, reduction, count):
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / count


# ----------------------------------------------------------------------------------------- regression


def _weighted_mean(name, losses, weight, reduction):
    if weight is None:
        return _reduce(losses, reduction, losses.numel())
    total = weight.sum()
    if total == 0 and reduction == "mean":
        raise ValueError(f"{name}: the weights add up to 0; expected a sum that a mean can be divided by")
    return _reduce(weight * losses, reduction, total)


@checked(not_taught=_OLD)
def mse_loss(x, target, reduction="mean", weight=None):
    """loss = weight * (x - target)**2"""
    return _weighted_mean("mse_loss", torch.square(x - target), weight, reduction)


@checked(not_taught=_OLD)
def l1_loss(x, target, reduction="mean", weight=None):
    """loss = weight * max(x - target, target - x)"""
    return _weighted_mean("l1_loss", torch.maximum(x - target, target - x), weight, reduction)


@checked
def huber_loss(x, target, reduction="mean", delta=1.0, weight=None):
    """loss = weight * (d**2 / 2 where |d| <= delta, delta * (|d| - delta / 2) elsewhere),   d = x - target"""
    d = x - target
    losses = torch.where(d.abs() <= delta, d * d / 2, delta * (d.abs() - delta / 2))
    return _reduce(losses if weight is None else weight * losses, reduction, x.numel())


@checked(not_taught=_OLD)
def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    """loss = d**2 / (2 * beta) where |d| < beta, |d| - beta / 2 elsewhere,   d = x - target"""
    d = x - target
    round_tip = d * d / (2 * beta) if beta > 0 else d.abs()
    return _reduce(torch.where(d.abs() < beta, round_tip, d.abs() - beta / 2), reduction, x.numel())


@checked
def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean"):
    """loss = log(sd) + z**2 / 2,   z = (x - target) / sd,   sd**2 = max(var, eps)"""
    sd = (var + (eps - var).clamp(min=0).detach()).sqrt()  # raised to eps, but with the slope of var itself
    losses = torch.log(sd) + torch.square((x - target) / sd) / 2
    return _reduce(losses + math.log(math.sqrt(2 * math.pi)) * full, reduction, x.numel())


# ------------------------------------------------------------------------------------------ yes or no


@checked(not_taught=_OLD)
def binary_cross_entropy(x, target, weight=None, reduction="mean"):
    """the loss of the score z = log(x / (1 - x)), kept within -100 and 100; dz / dx = 1 / (x * (1 - x))"""
    z = torch.logit(x).clamp(-100, 100).detach()
    z = z + (x - x.detach()) / (x * (1 - x)).clamp(min=1e-12).detach()  # adds 0, but has the slope wanted
    losses = -torch.lerp(F.logsigmoid(-z), F.logsigmoid(z), target)
    return _reduce(losses if weight is None else weight * losses, reduction, x.numel())


@checked(not_taught=_OLD)
def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None):
    """loss = -weight * (pos_weight * target * log(sigmoid(x)) + (1 - target) * log(sigmoid(-x)))"""
    log_yes, log_no = F.logsigmoid(x), F.logsigmoid(-x)
    if pos_weight is not None:
        log_yes = pos_weight * log_yes
    losses = -torch.lerp(log_no, log_yes, target)
    return _reduce(losses if weight is None else weight * losses, reduction, x.numel())


@checked
def sigmoid_focal_loss(x, target, alpha=0.25, gamma=2.0, reduction="none"):
    """loss = -a * (1 - p_t)**gamma * log(p_t), p_t the probability of the answer

    For answers in between, log(p_t) is averaged over yes and no. 1 - p_t is computed as exp(log(1 - p_t)).
    """
    if -1 < alpha < 0:
        raise ValueError(f"sigmoid_focal_loss: alpha is {alpha}; expected a weight in [0, 1], or -1 for none")
    log_p, log_q = F.logsigmoid(x), F.logsigmoid(-x)
    log_miss = torch.logaddexp(target.log() + log_q, (1 - target).log() + log_p)
    losses = -torch.exp(gamma * log_miss) * torch.lerp(log_q, log_p, target)
    if alpha >= 0:
        losses = losses * torch.lerp(torch.full_like(x, 1 - alpha), torch.full_like(x, alpha), target)
    return _reduce(losses, reduction, x.numel())


# -------------------------------------------------------------------------------------------- margins


@checked
def hinge(x, target, margin=1.0, reduction="mean"):
    """loss = relu(margin - x) for a yes, relu(margin + x) for a no"""
    if not target.all():
        raise ValueError("hinge: target holds 0; expected -1 for no and 1 for yes")
    return _reduce(torch.relu(margin - torch.where(target > 0, x, -x)), reduction, x.numel())


@checked(not_taught=_OLD)
def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """loss[n] = weight[y] * mean over k of relu(margin - x[n, y] + x[n, k])**p, without k = y"""
    target = target.long()  # as an index, uint8 would be taken for a mask
    right = x.gather(1, target[:, None])
    others = torch.ones_like(x, dtype=torch.bool).scatter(1, target[:, None], False)
    losses = (torch.relu(margin - right + x).pow(p) * others).mean(1)
    return _reduce(losses if weight is None else weight[target] * losses, reduction, len(x))


# --------------------------------------------------------------------------------- one of K classes


def _index(name, x, target, weight, ignore_index, reduction):
    """Class numbers that can be gathered, which rows count, and what a mean is divided by."""
    target = target.long()  # as an index, uint8 would be taken for a mask
    counts = target != ignore_index
    index = torch.where(counts, target, 0)
    if index.min() < 0 or index.max() >= x.shape[1]:
        raise ValueError(
            f"{name}: target holds values from {index.min()} to {index.max()}; expected class "
            f"numbers in [0, K) with K = {x.shape[1]} or ignore_index = {ignore_index}"
        )
    count = (weight[index] * counts).sum()
    if count == 0 and reduction == "mean":
        raise ValueError(f"{name}: every target is ignored or weighs 0; expected one that counts")
    return index, counts, count


@checked(not_taught=_OLD)
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
        index, counts, count = _index("cross_entropy", x, target, weight, ignore_index, reduction)
        hit = torch.where(counts, surprise.gather(-1, index.unsqueeze(-1)).squeeze(-1), 0)
        spread = torch.where(counts, surprise.mean(-1), 0)
    losses = hit if label_smoothing == 0 else (1 - label_smoothing) * hit + label_smoothing * spread
    return _reduce(losses, reduction, count)


@checked(not_taught=_OLD)
def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean"):
    """loss[n] = -weight[y] * x[n, y], 0 where y is ignored"""
    weight = x.new_ones(x.shape[1]) if weight is None else weight
    index, counts, count = _index("nll_loss", x, target, weight, ignore_index, reduction)
    losses = -weight[index] * x.gather(1, index.unsqueeze(1)).squeeze(1)
    return _reduce(torch.where(counts, losses, 0), reduction, count)


@checked(not_taught=_OLD)
def kl_div(x, target, reduction="mean", log_target=False):
    """loss = target * log(target / exp(x))"""
    if not log_target and (target < 0).any():
        raise ValueError(f"kl_div: target is as low as {target.min()}; expected probabilities >= 0")
    losses = target.exp() * (target - x) if log_target else torch.special.xlogy(target, target) - target * x
    return _reduce(losses, reduction, len(x) if reduction == "batchmean" else x.numel())


# --------------------------------------------------------------------------------- the library's own


def _kl_div(x, target, reduction, log_target):
    with warnings.catch_warnings():  # the library announces that 'mean' will one day be 'batchmean'
        warnings.simplefilter("ignore", UserWarning)
        return F.kl_div(x, target, reduction=reduction, log_target=log_target)


official = {
    "mse_loss": lambda x, target, reduction, weight: F.mse_loss(
        x, target, reduction=reduction, weight=weight
    ),
    "l1_loss": lambda x, target, reduction, weight: F.l1_loss(x, target, reduction=reduction, weight=weight),
    "huber_loss": F.huber_loss,
    "smooth_l1_loss": lambda x, target, reduction, beta: F.smooth_l1_loss(
        x, target, reduction=reduction, beta=beta
    ),
    "gaussian_nll_loss": F.gaussian_nll_loss,
    "binary_cross_entropy": lambda x, target, weight, reduction: F.binary_cross_entropy(
        x, target, weight, reduction=reduction
    ),
    "binary_cross_entropy_with_logits": lambda x, target, weight, reduction, pos_weight: (
        F.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)
    ),
    "multi_margin_loss": lambda x, target, p, margin, weight, reduction: F.multi_margin_loss(
        x, target, p, margin, weight, reduction=reduction
    ),
    "cross_entropy": lambda x, target, weight, ignore_index, reduction, label_smoothing: F.cross_entropy(
        x, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    ),
    "nll_loss": lambda x, target, weight, ignore_index, reduction: F.nll_loss(
        x, target, weight, ignore_index=ignore_index, reduction=reduction
    ),
    "kl_div": _kl_div,
}
no_official = {
    "hinge": "torch has it only in other clothes: F.hinge_embedding_loss(target * x, -1) is the same number, "
    "and F.multi_margin_loss its relative for K classes",
    "sigmoid_focal_loss": "it lives in torchvision, as torchvision.ops.sigmoid_focal_loss",
}
