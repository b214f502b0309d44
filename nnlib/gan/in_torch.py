"""The twin: losses and measures in PyTorch, and the networks of a DCGAN; autograd is the backward."""

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked

# ---------------------------------------------------------------------------------------------- losses


@checked
def minimax_discriminator(real, fake, real_label=1.0):
    """loss = -mean(label * log D(real) + (1 - label) * log(1 - D(real))) - mean(log(1 - D(fake)))"""
    on_real = torch.lerp(F.logsigmoid(-real), F.logsigmoid(real), real_label)
    return -on_real.mean() - F.logsigmoid(-fake).mean()


@checked
def minimax_generator(fake):
    """loss = mean(log(1 - D(fake)))"""
    return F.logsigmoid(-fake).mean()


@checked
def non_saturating_generator(fake):
    """loss = -mean(log D(fake))"""
    return -F.logsigmoid(fake).mean()


@checked
def least_squares_discriminator(real, fake, a=0.0, b=1.0):
    """loss = mean((real - b)**2) / 2 + mean((fake - a)**2) / 2"""
    return 0.5 * (real - b).square().mean() + 0.5 * (fake - a).square().mean()


@checked
def least_squares_generator(fake, c=1.0):
    """loss = mean((fake - c)**2) / 2"""
    return 0.5 * (fake - c).square().mean()


@checked
def wasserstein_critic(real, fake):
    """loss = mean(fake) - mean(real)"""
    return fake.mean() - real.mean()


@checked
def wasserstein_generator(fake):
    """loss = -mean(fake)"""
    return fake.mean().neg()


@checked
def gradient_penalty(grad, target=1.0):
    """loss = mean((norm of each row - target)**2)"""
    return (torch.linalg.vector_norm(grad, dim=1) - target).square().mean()


@checked
def input_gradient(x, weight1, bias1, weight2):
    """grad = d(sum of the scores) / dx, by autograd, and itself differentiable"""
    if not x.requires_grad:
        x = x.clone().requires_grad_()
    with torch.enable_grad():
        score = torch.tanh(F.linear(x, weight1, bias1)) @ weight2
        return torch.autograd.grad(score.sum(), x, create_graph=True)[0]


@checked
def power_iteration(weight, v, n_power_iterations=1):
    """u = weight @ v, v = weight.T @ u, both of length 1"""
    for _ in range(n_power_iterations):
        u = F.normalize(weight.mv(v), dim=0)
        v = F.normalize(weight.t().mv(u), dim=0)
    return u, v


@checked
def spectral_norm(weight, u, v):
    """y = weight / (u @ weight @ v)"""
    return weight / torch.vdot(u, weight.mv(v))


@checked
def optimal_discriminator(log_p, log_q):
    """D = exp(log p - log(p + q))"""
    return torch.exp(log_p - torch.logaddexp(log_p, log_q))


@checked
def jensen_shannon(log_p, log_q):
    """loss = (sum of p * log(2 D) + q * log(2 (1 - D))) / 2,   D = p / (p + q)"""
    z = log_p - log_q
    ln2 = torch.tensor(2.0, dtype=log_p.dtype).log()
    return 0.5 * (log_p.exp() @ (ln2 + F.logsigmoid(z)) + log_q.exp() @ (ln2 + F.logsigmoid(-z)))


@checked
def wasserstein_distance(x, y):
    """loss = mean(|x sorted - y sorted|)"""
    return (x.sort(stable=True).values - y.sort(stable=True).values).abs().mean()


@checked
def bilinear_step(x, y, last_x, last_y, lr=0.1, method="simultaneous"):
    """Down the gradient of x @ y for x and up that for y, each taken by autograd where the method looks."""

    def slopes(x, y):
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        return torch.autograd.grad(x @ y, (x, y))

    grad_x, grad_y = slopes(x, y)
    if method == "alternating":
        grad_y = slopes(x - lr * grad_x, y)[1]
    elif method == "extragradient":
        grad_x, grad_y = slopes(x - lr * grad_x, y + lr * grad_y)
    elif method == "optimistic":
        last = slopes(last_x, last_y)
        grad_x, grad_y = 2 * grad_x - last[0], 2 * grad_y - last[1]
    return x - lr * grad_x, y + lr * grad_y


# ----------------------------------------------------------------------------------- judging samples


def _distances(x, y):
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


@checked
def mode_coverage(x, centers, radius):
    """count[k] = rows nearest to center k and within the radius,   share = of all rows"""
    distance, nearest = _distances(x, centers).min(dim=1)
    near = distance <= radius
    hits = F.one_hot(nearest, len(centers)) * near[:, None]
    return hits.sum(0), near.to(x.dtype).mean()


@checked
def frechet_distance(x, y):
    """distance = |mean_x - mean_y|**2 + |root_x|**2 + |root_y|**2 - 2 * nuclear norm of root_x @ root_y

    root = cov**0.5 = V diag(s) V.T, from the singular values s of the centered rows.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"frechet_distance: {len(x)} and {len(y)} rows; expected at least 2 of each")
    means, roots = [], []
    for samples in (x, y):
        rows = samples.double()
        means.append(rows.mean(0))
        _, s, vh = torch.linalg.svd((rows - means[-1]) / (len(rows) - 1) ** 0.5, full_matrices=False)
        roots.append(vh.mT @ (s[:, None] * vh))
    spread = roots[0].square().sum() + roots[1].square().sum()
    overlap = torch.linalg.matrix_norm(roots[0] @ roots[1], "nuc")
    return ((means[0] - means[1]).square().sum() + spread - 2 * overlap).clamp(min=0).to(x.dtype)


@checked
def precision_recall(real, fake, k=3):
    """The share of each set within reach of the other, where a row reaches to its k-th neighbor"""
    if (fewest := min(len(real), len(fake))) <= k:
        raise ValueError(f"precision_recall: k is {k}; expected fewer than the {fewest} rows")

    return _covered(fake, real, k), _covered(real, fake, k)


def _covered(points, by, k):
    """The share of the points that lie within the reach of a row of `by`: to its k-th neighbor."""
    reach = _distances(by, by).kthvalue(k + 1, dim=1).values
    return (_distances(points, by) <= reach).any(dim=1).to(points.dtype).mean()


@checked
def nearest_distance(x, y):
    """distance[n] = min over m of norm(x[n] - y[m])"""
    return _distances(x, y).amin(dim=1)


# --------------------------------------------------------------------------------------------- official


def _answer(scores, value):
    return torch.full_like(scores, value)


def _mixture(log_p, log_q):
    return torch.logaddexp(log_p, log_q) - torch.tensor(2.0, dtype=log_p.dtype).log()


def _power_method(weight, v, n_power_iterations=1):
    module = nn.utils.parametrizations._SpectralNorm(weight.detach()).eval()
    module._u, module._v = weight.mv(v), v.clone()
    module._power_method(weight, n_power_iterations)
    return module._u, module._v


def _normalized(weight, u, v):
    module = nn.utils.parametrizations._SpectralNorm(weight.detach()).eval()
    module._u, module._v = u, v
    return module(weight)


def _divergence(log_p, log_q):
    log_m = _mixture(log_p, log_q)
    return sum(F.kl_div(log_m, log_r, reduction="sum", log_target=True) for log_r in (log_p, log_q)) / 2


official = {
    "minimax_discriminator": lambda real, fake, real_label=1.0: (
        F.binary_cross_entropy_with_logits(real, _answer(real, real_label))
        + F.binary_cross_entropy_with_logits(fake, _answer(fake, 0.0))
    ),
    "minimax_generator": lambda fake: -F.binary_cross_entropy_with_logits(fake, _answer(fake, 0.0)),
    "non_saturating_generator": lambda fake: F.binary_cross_entropy_with_logits(fake, _answer(fake, 1.0)),
    "least_squares_discriminator": lambda real, fake, a=0.0, b=1.0: (
        (F.mse_loss(real, _answer(real, b)) + F.mse_loss(fake, _answer(fake, a))) / 2
    ),
    "least_squares_generator": lambda fake, c=1.0: F.mse_loss(fake, _answer(fake, c)) / 2,
    "power_iteration": _power_method,
    "spectral_norm": _normalized,
    "jensen_shannon": _divergence,
}
no_official = {
    "wasserstein_critic": "two means; torch has no name for it",
    "wasserstein_generator": "a mean; torch has no name for it",
    "gradient_penalty": "torch has none; WGAN code writes this line out",
    "input_gradient": "the twin already is torch.autograd.grad with create_graph=True",
    "optimal_discriminator": "a statement about the best D, not an operation",
    "wasserstein_distance": "torch has none",
    "bilinear_step": "torch.optim has no optimizer for games",
    "mode_coverage": "torch has none",
    "frechet_distance": "torch has none; torcheval and torchmetrics bring one for Inception features",
    "precision_recall": "torch has none of this meaning",
    "nearest_distance": "the twin already is torch.cdist",
}


# --------------------------------------------------------------------------------------------- a DCGAN


class Generator(nn.Module):
    """Noise (N, latent) to flat pictures (N, size * size) in [0, 1], for sizes 8 and 28.

    Two transposed convolutions double the sides. With classes, the wanted one joins the noise, one-hot.
    """

    def __init__(self, size: int = 8, latent: int = 16, channels: int = 32, classes: int = 0):
        super().__init__()
        self.classes, self.latent, self.start = classes, latent, _start(size)
        self.grow = nn.Sequential(
            nn.Linear(latent + classes, 2 * channels * self.start**2, bias=False),
            nn.Unflatten(1, (2 * channels, self.start, self.start)),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
            nn.Flatten(),
        )

    def forward(self, noise, label=None):
        return self.grow(_with_class(noise, label, self.classes))


class Discriminator(nn.Module):
    """Flat pictures (N, size * size) to scores (N,): two convolutions that halve the sides, no batch norm."""

    def __init__(self, size: int = 8, channels: int = 32, classes: int = 0, dropout: float = 0.0):
        super().__init__()
        self.classes, self.size = classes, size
        start = _start(size)
        self.judge = nn.Sequential(
            nn.Conv2d(1 + classes, channels, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(2 * channels * start**2, 1),
        )

    def forward(self, x, label=None):
        x = x.reshape(-1, 1, self.size, self.size)
        if self.classes:  # one more channel per class, all ones for the right one
            planes = F.one_hot(label, self.classes).to(x)[:, :, None, None]
            x = torch.cat([x, planes.expand(-1, -1, self.size, self.size)], 1)
        return self.judge(x).squeeze(1)


class GradientPenalty:
    """factor * mean((norm of D's gradient - target)**2) at random points between real and fake samples.

    Gulrajani et al. (2017), arXiv:1704.00028, Algorithm 1. Called as penalty(discriminator, real, fake, *y).
    """

    def __init__(self, factor: float = 10.0, target: float = 1.0):
        self.factor, self.target = factor, target

    def __call__(self, discriminator, real, fake, *label):
        mix = torch.rand(len(real), 1).to(real)
        between = torch.lerp(fake.detach(), real, mix).requires_grad_()
        scores = discriminator(between, *label)
        (grad,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        return self.factor * gradient_penalty(grad, self.target)


def _start(size):
    if size % 4:
        raise ValueError(f"size is {size}; expected a multiple of 4, such as 8 or 28")
    return size // 4


def _with_class(noise, label, classes):
    return torch.cat([noise, F.one_hot(label, classes).to(noise)], 1) if classes else noise
