"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


@checked
def elastic_net(weight, l1=0.0, l2=0.0):
    """penalty = l1 * sum(|weight|) + l2 / 2 * sum(weight**2)"""
    return l1 * weight.abs().sum() + 0.5 * l2 * weight.square().sum()


@checked
def group_lasso(weight, l1=0.0):
    """penalty = l1 * sqrt(D) * sum over rows of ||weight[row]||"""
    return l1 * weight.shape[1] ** 0.5 * torch.linalg.vector_norm(weight, dim=1).sum()


@checked
def softshrink(x, lambd=0.5):
    """y = x - clip(x, -lambd, lambd)"""
    return x - x.clamp(-lambd, lambd)


@checked
def proximal_step(param, grad, lr=1e-3, l1=0.0, l2=0.0):
    """param = softshrink(param - lr * grad, lr * l1) / (1 + lr * l2)"""
    z = torch.add(param, grad, alpha=-lr)
    return (torch.relu(z - lr * l1) - torch.relu(-z - lr * l1)) / (1 + lr * l2)


@checked
def group_softshrink(x, lambd=0.5):
    """y = direction of x * max(||x|| - lambd * sqrt(D), 0), row by row"""
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return F.normalize(x, dim=1, eps=torch.finfo(x.dtype).tiny) * torch.relu(norm - lambd * x.shape[1] ** 0.5)


@checked(not_taught={"p": 2, "dim": 0})
def renorm(x, maxnorm):
    """y = x * maxnorm / (||x|| + 1e-7) for rows longer than maxnorm"""
    norm = torch.linalg.vector_norm(x, dim=1)
    return torch.where(norm > maxnorm, maxnorm / (norm + 1e-7), torch.ones_like(norm))[:, None] * x


@checked
def ridge(x, y, l2):
    """The least-squares solution of [x; sqrt(N l2) I] w = [y; 0]"""
    extra = (len(x) * l2) ** 0.5 * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    zeros = torch.zeros(x.shape[1], y.shape[1], dtype=y.dtype, device=y.device)
    return torch.linalg.lstsq(torch.cat([x, extra]), torch.cat([y, zeros])).solution


@checked
def early_stopping(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    """better: loss < best - min_delta;  stop after patience epochs in a row that are not"""
    loss, first = torch.as_tensor(loss), best is None or num_bad_epochs is None
    zero = torch.zeros((), dtype=torch.int64, device=loss.device)
    better = torch.ones_like(zero, dtype=torch.bool) if first else loss < best - min_delta
    bad = torch.where(better, zero, zero if first else num_bad_epochs + 1)
    return torch.where(better, loss, loss if first else best), bad, bad >= patience


@checked(not_taught={"align_corners": False})
def affine_grid(theta, size):
    """grid = theta @ (column, row, 1), with pixel centers between -1 and 1"""
    if len(size) != 4 or size[0] != len(theta):
        raise ValueError(f"affine_grid: size is {tuple(size)}; expected (N, C, H, W) with N = {len(theta)}")
    row, column = (
        torch.linspace(1 / n - 1, 1 - 1 / n, n, dtype=theta.dtype, device=theta.device) for n in size[2:]
    )
    rows, columns = torch.meshgrid(row, column, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)
    return places @ theta.transpose(1, 2)[:, None]


@checked(not_taught={"mode": "bilinear", "padding_mode": "zeros", "align_corners": False})
def grid_sample(x, grid):
    """y = sum over all pixels of row share * column share * x"""
    height, width = x.shape[2:]
    column, row = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    return torch.einsum("ncrs,nijr,nijs->ncij", x, _shares(row, height), _shares(column, width))


def _shares(place, size):
    """The share of each pixel along one axis: of the last one up to the place, of the next, 0 elsewhere."""
    place, pixel = place[..., None], torch.arange(size, device=place.device)
    first = place.detach().floor()
    return (1 + first - place) * (pixel == first) + (place - first) * (pixel == first + 1)


@checked
def mixup(x, lam, permutation):
    """y = lam * x + (1 - lam) * x[permutation]"""
    _check_permutation("mixup", permutation)
    return torch.lerp(x[permutation.long()], x, lam)  # as an index, uint8 would be a mask


@checked
def cutmix(x, target, lam, permutation, row, column):
    """y = box * x[permutation] + (1 - box) * x, and targets by the area of the box"""
    _check_permutation("cutmix", permutation)
    inside = []
    for center, size in ((row, x.shape[2]), (column, x.shape[3])):
        half, at = int(size * (1 - lam) ** 0.5 / 2), torch.arange(size, device=x.device)
        inside.append((at >= center - half) & (at < center + half))
    box = (inside[0][:, None] & inside[1]).to(x.dtype)
    partner, share = permutation.long(), box.mean()
    return torch.lerp(x, x[partner], box), torch.lerp(target, target[partner], share)


def _check_permutation(name, permutation):
    if len(permutation.unique()) < len(permutation):
        raise ValueError(f"{name}: permutation names a row twice; expected each of 0 to N - 1 once")


@checked
def k_fold(permutation, k):
    """fold = floor(place in the permutation * k / N)"""
    _check_permutation("k_fold", permutation)
    return permutation.argsort() * k // len(permutation)


@checked
def bias_variance(predictions, target):
    """bias2 = mean((mean over models - target)**2),  variance = mean of the variances over models"""
    variance, mean = torch.var_mean(predictions, dim=0, correction=0)
    return F.mse_loss(mean, target), variance.mean()


# --------------------------------------------------------------------------------- the library's own

official = {
    "softshrink": F.softshrink,
    "renorm": lambda x, maxnorm: torch.renorm(x, p=2, dim=0, maxnorm=maxnorm),
    "affine_grid": lambda theta, size: F.affine_grid(theta, size, align_corners=False),
    "grid_sample": lambda x, grid: F.grid_sample(x, grid, align_corners=False),
}
_BY_HAND = "one adds it to the loss by hand; torch.optim only offers weight_decay, which is the L2 part"
_IN_TORCHVISION = "torchvision has it as transforms.v2.{}, with lam and the order drawn inside"
no_official = {
    "elastic_net": _BY_HAND,
    "group_lasso": _BY_HAND,
    "proximal_step": "torch.optim has no proximal optimizer",
    "group_softshrink": "torch.optim has no proximal optimizer",
    "ridge": "scikit-learn has it as Ridge(alpha=N * l2, fit_intercept=False)",
    "early_stopping": "torch leaves the loop to its user; Keras has a callback of this name",
    "mixup": _IN_TORCHVISION.format("MixUp"),
    "cutmix": _IN_TORCHVISION.format("CutMix"),
    "k_fold": "scikit-learn has it as KFold(k, shuffle=True)",
    "bias_variance": "it measures, and takes two lines",
}
