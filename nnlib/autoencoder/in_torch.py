"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward. Below them the
networks that `nnlib.training` trains.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked


@checked
def pca(x, k):
    """components = the eigenvectors of the covariance with the k largest eigenvalues, signs as agreed"""
    if k > len(x):
        raise ValueError(f"pca: k is {k}; expected at most one component per row, N = {len(x)}")
    mean = x.mean(0)
    vectors = torch.linalg.eigh((x - mean).T @ (x - mean)).eigenvectors.flip(1)[:, :k].T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return mean, vectors * largest.sign()


@checked
def subspace_angle(a, b):
    """sin(angle) = the part of b's space outside a's, cos(angle) = the part inside, in degrees"""
    for name, rows in (("a", a), ("b", b)):
        if torch.linalg.matrix_rank(rows) < len(rows):
            raise ValueError(f"subspace_angle: {name} has dependent rows; expected {len(rows)} directions")
    everything = torch.linalg.svd(a).Vh  # the first K rows span a's space, the others what is outside
    unit = torch.linalg.svd(b, full_matrices=False).Vh
    inside, outside = (unit @ everything.T).split([len(a), a.shape[1] - len(a)], dim=1)
    sine = torch.linalg.svdvals(F.pad(outside, (0, 1)))[0]
    return torch.rad2deg(torch.atan2(sine, torch.linalg.svdvals(inside)[-1]))


@checked
def linear_autoencoder(x, encoder, decoder):
    """y = decoder @ encoder @ x for each row"""
    return x @ (decoder @ encoder).T


@checked
def kl_sparsity(code, rho=0.05):
    """loss = cross-entropy of rho and the mean activity, minus the entropy of rho, over all units"""
    mean = code.mean(0)
    entropy = rho * math.log(rho) + (1 - rho) * math.log(1 - rho)
    return (entropy - rho * mean.log() - (1 - rho) * torch.log1p(-mean)).sum()


@checked
def roc_auc(score, label):
    """auc = the share of pairs (positive, negative) in the right order, ties half"""
    positives = int(label.sum())
    if positives in (0, len(label)):
        raise ValueError(f"roc_auc: label has {positives} of {len(label)} positives; expected both kinds")
    difference = score[label][:, None] - score[~label][None]
    return ((difference.sign() + 1) / 2).mean()


@checked
def reparameterize(mu, logvar, noise):
    """z = mu + std * noise,   std = sqrt(exp(logvar))"""
    return torch.addcmul(mu, logvar.exp().sqrt(), noise)


@checked
def kl_standard_normal(mu, logvar):
    """kl = (|mu|**2 + trace - K - log determinant) / 2"""
    trace, log_determinant = logvar.exp().sum(1), logvar.sum(1)
    return 0.5 * (mu.square().sum(1) + trace - mu.shape[1] - log_determinant)


@checked
def gaussian_nll(x, mean, var=1.0):
    """nll = (|x - mean|**2 / var + D * log(2 * pi * var)) / 2"""
    return 0.5 * (F.mse_loss(x, mean, reduction="none").sum(1) / var + x.shape[1] * math.log(math.tau * var))


@checked
def bernoulli_nll(x, logits):
    """nll = -sum of x * log p + (1 - x) * log(1 - p),   p = sigmoid(logits)"""
    return -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(1)


@checked
def elbo(x, mean, mu, logvar, var=1.0, beta=1.0):
    """elbo = -gaussian_nll - beta * kl"""
    return -gaussian_nll.unchecked(x, mean, var) - beta * kl_standard_normal.unchecked(mu, logvar)


@checked
def importance_weighted_bound(log_w):
    """bound = logsumexp(log_w) - log(S)"""
    return torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])


@checked
def linear_vae_elbo(x, weight, encoder, logvar, log_noise):
    """elbo = -gaussian_nll(x, mu @ weight.T) - trace(weight @ diag(var) @ weight.T) / (2 noise) - kl"""
    log_noise = torch.as_tensor(log_noise, dtype=x.dtype, device=x.device)  # it may come as a plain number
    mu, noise = x @ encoder.T, log_noise.exp()
    spread = torch.trace(weight @ torch.diag(logvar.exp()) @ weight.T)
    constant = x.shape[1] * (math.log(math.tau) + log_noise)
    rebuilt = -0.5 * (((x - mu @ weight.T).square().sum(1) + spread) / noise + constant)
    return rebuilt - kl_standard_normal.unchecked(mu, logvar.expand_as(mu))


@checked
def ppca(x, k):
    """weight = eigenvectors * sqrt(eigenvalues - var),   var = the mean of the D - k smallest eigenvalues"""
    if len(x) <= x.shape[1]:
        raise ValueError(f"ppca: x has N = {len(x)} rows; expected more than D = {x.shape[1]}")
    mean, components = pca(x, k)
    covariance = torch.cov(x.T, correction=0).reshape(x.shape[1], -1)
    variances = (components @ covariance * components).sum(1)
    var = (covariance.trace() - variances.sum()) / (x.shape[1] - k)
    return mean, components.T * (variances - var).clamp(min=0).sqrt(), var


@checked
def ppca_log_likelihood(x, mean, weight, var):
    """log p(x) by a K x K matrix alone: C^-1 = (1 - weight @ M^-1 @ weight.T) / var"""
    D, K = weight.shape
    var = torch.as_tensor(var, dtype=x.dtype, device=x.device)  # it may come as a plain number
    M = weight.T @ weight + var * torch.eye(K, dtype=x.dtype, device=x.device)
    centered = x - mean
    along = centered @ weight
    distance = (centered.square().sum(1) - (along * torch.linalg.solve(M, along.T).T).sum(1)) / var
    log_determinant = torch.logdet(M) + (D - K) * var.log()
    return -0.5 * (distance + log_determinant + D * math.log(math.tau))


# --------------------------------------------------------------------------------- the library's own


def _official_pca(x, k):
    mean, directions = x.mean(0), torch.pca_lowrank(x, q=min(x.shape))[2]
    rows = directions[:, :k].T
    return mean, rows * rows[torch.arange(k), rows.abs().argmax(1)].sign()[:, None]


def _official_elbo(x, mean, mu, logvar, var, beta):
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    rebuilt = torch.distributions.Normal(mean, math.sqrt(var)).log_prob(x).sum(1)
    return rebuilt - beta * torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)


official = {
    "pca": _official_pca,
    "linear_autoencoder": lambda x, encoder, decoder: F.linear(F.linear(x, encoder), decoder),
    "kl_sparsity": lambda code, rho: torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(code.new_full(code.shape[1:], rho)),
        torch.distributions.Bernoulli(code.mean(0)),
    ).sum(),
    "reparameterize": lambda mu, logvar, noise: torch.distributions.AffineTransform(mu, (logvar / 2).exp())(
        noise
    ),
    "kl_standard_normal": lambda mu, logvar: torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    ).sum(1),
    "gaussian_nll": lambda x, mean, var: -torch.distributions.Normal(mean, math.sqrt(var)).log_prob(x).sum(1),
    "bernoulli_nll": lambda x, logits: (
        -torch.distributions.Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1)
    ),
    "elbo": _official_elbo,
    "ppca_log_likelihood": lambda x, mean, weight, var: torch.distributions.LowRankMultivariateNormal(
        mean, weight, var.expand(len(mean))
    ).log_prob(x),
}
no_official = {
    "subspace_angle": "torch has none; see scipy.linalg.subspace_angles",
    "roc_auc": "torch has none; see scikit-learn's roc_auc_score",
    "importance_weighted_bound": "torch has torch.logsumexp; the logarithm of S is ours",
    "linear_vae_elbo": "torch works out no expectation; its terms are those of gaussian_nll and kl",
    "ppca": "torch has pca_lowrank, without the noise",
}


# ---------------------------------------------------------------------------------------- the networks


class Autoencoder(nn.Module):
    """Linear layers with ReLU down to the code and up again; both ends are linear."""

    def __init__(self, sizes=(64, 128, 64, 2)):
        super().__init__()
        self.encoder, self.decoder = _mlp(sizes), _mlp(sizes[::-1])

    def forward(self, x):
        return self.decoder(self.encoder(x))


class VAE(nn.Module):
    """A variational autoencoder; called, it gives each row's loss, -elbo, from one sample of the code."""

    def __init__(self, sizes=(64, 128, 64, 2), var=0.02, beta=1.0):
        super().__init__()
        *hidden, size = sizes
        self.encoder, self.decoder = _mlp((*hidden, 2 * size)), _mlp(sizes[::-1])
        self.size, self.var, self.beta = size, var, beta

    def encode(self, x):
        return self.encoder(x).to(x.dtype).split(self.size, dim=1)  # bounds need the full precision

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = reparameterize.unchecked(mu, logvar, torch.randn_like(mu))
        return -elbo.unchecked(x, self.decoder(z).to(x.dtype), mu, logvar, self.var, self.beta)


class ConvAutoencoder(nn.Module):
    """Convolutions that halve the picture twice, and transposed ones that double it again.

    x (N, 1, H, W) with H and W divisible by 4; the code is (N, size, H / 4, W / 4).
    """

    def __init__(self, channels=16, size=4):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, size, 3, stride=2, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(size, channels, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def _mlp(sizes):
    layers = [layer for d, o in zip(sizes, sizes[1:]) for layer in (nn.Linear(d, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
