"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


@checked
def feature_statistics(x):
    """mean and std over the rows, std 1 where a feature never changes"""
    std, mean = torch.std_mean(x, dim=0, correction=0)
    return mean, std.masked_fill((x == x[0]).all(dim=0), 1)


@checked
def standardize(x, mean, std):
    """y = (x - mean) / std"""
    return (x - mean) / std


@checked
def feature_range(x):
    """min and max over the rows, low + max(1, |low|) where a feature never changes"""
    low, high = torch.aminmax(x, dim=0)
    return low, torch.where(low == high, low + low.abs().clamp(min=1), high)


@checked
def min_max(x, low, high):
    """y = (x - low) / (high - low)"""
    if not (high > low).all():
        raise ValueError(f"min_max: high - low is {(high - low).min()} somewhere; expected high > low")
    return (x - low) / (high - low)


@checked
def batch_norm(x, weight=None, bias=None, eps=1e-5):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over all axes but the channels"""
    if x.numel() == x.shape[1]:
        raise ValueError(
            f"batch_norm: x has shape {tuple(x.shape)}; expected more than one value per channel"
        )
    channels_last = x.movedim(1, -1)
    var, mean = torch.var_mean(channels_last.flatten(0, -2), dim=0, correction=0)
    return _scale_and_shift((channels_last - mean) / torch.sqrt(var + eps), weight, bias).movedim(-1, 1)


@checked
def batch_norm_running(x, running_mean, running_var, momentum=0.1):
    """new = (1 - momentum) * old + momentum * statistic of this batch, the variance unbiased"""
    if x.numel() == x.shape[1]:
        raise ValueError(
            f"batch_norm: x has shape {tuple(x.shape)}; expected more than one value per channel"
        )
    var, mean = torch.var_mean(x.movedim(1, -1).flatten(0, -2), dim=0)
    return torch.lerp(running_mean, mean, momentum), torch.lerp(running_var, var, momentum)


@checked
def batch_norm_eval(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    """y = weight * (x - running_mean) / sqrt(running_var + eps) + bias"""
    x_hat = (x.movedim(1, -1) - running_mean) * torch.rsqrt(running_var + eps)
    return _scale_and_shift(x_hat, weight, bias).movedim(-1, 1)


@checked
def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the last axes"""
    dims = _last_dims(normalized_shape)
    var, mean = torch.var_mean(x, dim=dims, correction=0, keepdim=True)
    return _scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@checked
def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the channels of a group and all positions"""
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: num_groups is {num_groups}; expected a divisor of C = {x.shape[1]}")
    if x.numel() == num_groups:
        raise ValueError(f"group_norm: x has shape {tuple(x.shape)}; expected more than one value per group")
    groups = x.unflatten(1, (num_groups, -1))
    dims = tuple(range(2, groups.dim()))
    var, mean = torch.var_mean(groups, dim=dims, correction=0, keepdim=True)
    x_hat = ((groups - mean) / torch.sqrt(var + eps)).flatten(1, 2)
    return _scale_and_shift(x_hat.movedim(1, -1), weight, bias).movedim(-1, 1)


@checked(not_taught={"running_mean": None, "running_var": None, "use_input_stats": True, "momentum": 0.1})
def instance_norm(x, weight=None, bias=None, eps=1e-5):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the positions of each channel"""
    positions = x.flatten(2)
    if positions.shape[2] == 1:
        raise ValueError(
            f"instance_norm: x has shape {tuple(x.shape)}; expected more than one position per channel"
        )
    var, mean = torch.var_mean(positions, dim=2, correction=0, keepdim=True)
    x_hat = ((positions - mean) / torch.sqrt(var + eps)).view_as(x)
    return _scale_and_shift(x_hat.movedim(1, -1), weight, bias).movedim(-1, 1)


@checked
def rms_norm(x, normalized_shape, weight=None, eps=None):
    """y = weight * x / sqrt(mean(x**2) + eps), over the last axes"""
    dims = _last_dims(normalized_shape)
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    return _scale_and_shift(x * torch.rsqrt(x.square().mean(dims, keepdim=True) + eps), weight, None)


@checked(not_taught={"dim": 0})
def weight_norm(v, g):
    """w = g * v / ||v||, row by row"""
    return g * v / torch.linalg.vector_norm(v, dim=1, keepdim=True)


def _scale_and_shift(x_hat, weight, bias):
    y = x_hat if weight is None else x_hat * weight
    return y if bias is None else y + bias


def _last_dims(normalized_shape):
    count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
    return tuple(range(-count, 0))


# --------------------------------------------------------------------------------- the library's own


def _official_running(x, running_mean, running_var, momentum):
    mean, var = running_mean.clone(), running_var.clone()
    F.batch_norm(x, mean, var, training=True, momentum=momentum)  # updates both in place
    return mean, var


official = {
    "batch_norm": lambda x, weight, bias, eps: F.batch_norm(
        x, None, None, weight, bias, training=True, eps=eps
    ),
    "batch_norm_running": _official_running,
    "batch_norm_eval": lambda x, mean, var, weight, bias, eps: F.batch_norm(
        x, mean, var, weight, bias, eps=eps
    ),
    "layer_norm": F.layer_norm,
    "group_norm": F.group_norm,
    "instance_norm": lambda x, weight, bias, eps: F.instance_norm(x, weight=weight, bias=bias, eps=eps),
    "rms_norm": F.rms_norm,
    "weight_norm": torch._weight_norm,  # what torch.nn.utils.parametrizations.weight_norm calls
}
no_official = {
    "feature_statistics": "scaling inputs is left to the data pipeline; see scikit-learn's StandardScaler",
    "standardize": "see feature_statistics",
    "feature_range": "scaling inputs is left to the data pipeline; see scikit-learn's MinMaxScaler",
    "min_max": "see feature_range",
}
