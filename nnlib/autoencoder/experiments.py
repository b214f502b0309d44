"""Headlines and myths of notebook 17, each a function of a seed that can be copied; `train_vae`, by hand."""

from functools import lru_cache
from math import inf

import numpy as np

from nnlib.autoencoder.in_numpy import (
    elbo_backward,
    gaussian_nll,
    importance_weighted_bound,
    kl_standard_normal,
    linear_autoencoder,
    pca,
    ppca,
    ppca_log_likelihood,
    reparameterize,
    reparameterize_backward,
    roc_auc,
    subspace_angle,
)
from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, ReLU, Sequential, fit
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam

# --------------------------------------------------------------------------------------------- the tools


def mlp(rng, *sizes, dtype=np.float32):
    """Linear layers with ReLU between them."""
    pairs = [(Linear(d, o, rng=rng, dtype=dtype), ReLU()) for d, o in zip(sizes, sizes[1:])]
    return Sequential(*[layer for pair in pairs for layer in pair][:-1])


def autoencoder(rng, *sizes, dtype=np.float32):
    """Down to the code through these sizes and up again; the code and the output are linear."""
    down, up = (mlp(rng, *part, dtype=dtype) for part in (sizes, sizes[::-1]))
    return Sequential(*down.layers, *up.layers)


def halves(model):
    """Copies of encoder and decoder of an autoencoder whose layers mirror each other."""
    layers = [layer.copy() for layer in model.layers]
    middle = len(layers) // 2
    return Sequential(*layers[:middle]), Sequential(*layers[middle:])


def errors(model, x):
    """How badly each row is rebuilt."""
    return ((model(x) - x) ** 2).mean(axis=1)


def neighbors(code, code_test, y, k=5):
    """The label that most of the k nearest training codes have; of equally frequent ones the smallest."""
    distance = (code_test**2).sum(axis=1)[:, None] - 2 * code_test @ code.T + (code**2).sum(axis=1)
    nearest = np.argpartition(distance, k, axis=1)[:, :k]
    return (y[nearest][:, :, None] == np.arange(y.max() + 1)).sum(axis=1).argmax(axis=1)


def train_vae(seed, epochs=60, size=2, var=0.02, beta=1.0, lr=2e-3, dtype=np.float32):
    """A VAE 64-128-64-size-64-128-64 on the digits; yields encoder and decoder after every epoch."""
    x_train, rng = digits(dtype).x_train, np.random.default_rng(seed)
    encoder, decoder = mlp(rng, 64, 128, 64, 2 * size, dtype=dtype), mlp(rng, size, 64, 128, 64, dtype=dtype)
    states = {encoder: (), decoder: ()}
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(x_train))
        for start in range(0, len(order), 64):
            x = x_train[order[start : start + 64]]
            code = encoder.forward(x)
            mu, logvar = code[:, :size], code[:, size:]
            noise = rng.standard_normal(mu.shape, dtype)
            mean = decoder.forward(reparameterize.unchecked(mu, logvar, noise))
            minus = np.full(len(x), -1 / len(x), dtype)  # down the mean of -elbo
            _, grad_mean, grad_mu, grad_logvar = elbo_backward.unchecked(
                minus, x, mean, mu, logvar, var, beta
            )
            grad_z = decoder.backward(grad_mean)
            through_z = reparameterize_backward.unchecked(grad_z, mu, logvar, noise)
            grads = grad_mu + through_z[0], grad_logvar + through_z[1]
            encoder.backward(np.concatenate(grads, axis=1), want_input=False)
            step += 1
            for model, state in states.items():
                new, *states[model] = adam.unchecked(model.params, model.grads, *state, lr=lr, t=step)
                model.params[...] = new
        yield encoder, decoder


@lru_cache(8)
def trained_vae(seed, **settings):
    """`train_vae` to its end, once per kernel."""
    *_, (encoder, decoder) = train_vae(seed, **settings)
    return encoder, decoder


def encode(encoder, x):
    """mu and logvar of every row."""
    return np.split(encoder(x), 2, axis=1)


def log_weights(rng, encoder, decoder, x, samples, var=0.02):
    """log p(x, z) - log q(z | x) for `samples` codes of every row: (N, samples)."""
    mu, logvar = encode(encoder, x)
    columns = []
    for _ in range(samples):
        noise = rng.standard_normal(mu.shape, np.float32)
        z = reparameterize.unchecked(mu, logvar, noise)
        prior_minus_q = ((noise * noise + logvar - z * z) / 2).sum(axis=1)  # the 2 pi cancel
        columns.append(prior_minus_q - gaussian_nll.unchecked(x, decoder.forward(z), var))
    return np.stack(columns, axis=1)


def log_likelihood(decoder, x, var=0.02, step=0.04):
    """log p(x) of every row, for codes of two numbers: the integral over a grid of codes in (-5, 5)²."""
    grid = np.arange(-5 + step / 2, 5, step, dtype=np.float32)
    total, constant = np.full(len(x), -np.inf), -x.shape[1] / 2 * np.log(2 * np.pi * var)
    for first in grid:
        z = np.stack([np.full_like(grid, first), grid], axis=1)
        mean = decoder(z).astype(np.float64)
        squared = (x**2).sum(axis=1)[:, None] - 2 * x @ mean.T + (mean**2).sum(axis=1)
        log_prior = 2 * np.log(step) - np.log(2 * np.pi) - (z**2).sum(axis=1) / 2  # of a square of the grid
        log_joint = constant - squared / (2 * var) + log_prior
        top = log_joint.max(axis=1)
        total = np.logaddexp(total, top + np.log(np.exp(log_joint - top[:, None]).sum(axis=1)))
    return total


# ------------------------------------------------------------------------------------ deterministic codes


@experiment(
    id="H41",
    kind="headline",
    claim="A linear autoencoder finds the principal subspace.",
    source="Baldi & Hornik (1989), Neural Networks 2, 53-58",
    settings="centered digits, 64-5-64 without bias, float64, L-BFGS, up to 1,500 iterations",
    seeds=3,
    bands={
        "error − error of PCA": Band(-1e-5, 1e-5),
        "angle between the subspaces": Band(0, 0.1, unit="°"),
    },
)
def linear_is_pca(seed):
    import torch

    from nnlib.autoencoder import in_torch

    torch.set_num_threads(1)
    x = digits().x_train
    mean, components = pca(x, 5)
    x, rng = x - mean, np.random.default_rng(seed)
    inputs = torch.tensor(np.linalg.qr(x)[1])  # x turned: 64 rows with the squared errors of all 1,257
    weights = [torch.tensor(rng.uniform(-1, 1, s) / 8, requires_grad=True) for s in ((5, 64), (64, 5))]
    optimizer = torch.optim.LBFGS(
        weights, max_iter=1500, tolerance_grad=1e-12, tolerance_change=1e-11, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        value = ((in_torch.linear_autoencoder.unchecked(inputs, *weights) - inputs) ** 2).sum() / x.size
        value.backward()
        return value

    optimizer.step(loss)
    encoder, decoder = (w.detach().numpy() for w in weights)
    error = ((linear_autoencoder(x, encoder, decoder) - x) ** 2).mean()
    best = ((x @ components.T @ components - x) ** 2).mean()
    return {
        "error − error of PCA": error - best,
        "angle between the subspaces": subspace_angle(components, decoder.T),
        "error": error,
        "decoder": decoder,
        "components": components,
    }


@experiment(
    id="H42",
    kind="headline",
    claim="Two numbers from a deep autoencoder say more about a digit than two principal components.",
    source="Hinton & Salakhutdinov (2006), Science 313, 504-507",
    settings="64-128-64-2-64-128-64 ReLU, Adam 3e-3, batch 64, 120 epochs; test digits; classes by the 5 "
    "nearest training codes",
    seeds=4,
    bands={
        "squared error ÷ that of PCA": Band(0, 0.75),
        "read right from two numbers": Band(75, 100, unit="%"),
        "read right from two principal components": Band(50, 70, unit="%"),
    },
)
def deep_codes(seed):
    x, y, x_test, y_test = digits(np.float32)
    mean, components = pca(x, 2)
    rng = np.random.default_rng(seed)
    model = autoencoder(rng, 64, 128, 64, 2)
    fit(model, x, x, loss=mse_loss, optimizer=adam, lr=3e-3, epochs=120, batch_size=64, rng=rng)
    encoder, _ = halves(model)
    codes = {
        "PCA": ((x - mean) @ components.T, (x_test - mean) @ components.T),
        "deep": (encoder(x), encoder(x_test)),
    }
    right = {k: 100 * (neighbors(*code, y) == y_test).mean() for k, code in codes.items()}
    squared = {
        "PCA": ((codes["PCA"][1] @ components + mean - x_test) ** 2).sum(axis=1).mean(),
        "deep": ((model(x_test) - x_test) ** 2).sum(axis=1).mean(),
    }
    return {
        "squared error ÷ that of PCA": squared["deep"] / squared["PCA"],
        "read right from two numbers": right["deep"],
        "read right from two principal components": right["PCA"],
        "right": right,
        "squared": squared,
        "codes": {k: code[1] for k, code in codes.items()},
    }


@experiment(
    id="M60",
    kind="myth",
    claim="Reconstruction forces an autoencoder to learn meaningful features.",
    verdict="misleading",
    truth="It needs a bottleneck, noise or a penalty; with room enough it copies.",
    settings="linear 64-k-64 with biases, Adam 3e-3, batch 64, 80 epochs; mean squared error of test digits; "
    "uniform noise has a variance of 0.083",
    seeds=3,
    bands={
        "64 units: error": Band(0, 1e-3),
        "2 units: error": Band(0.03, inf),
        "64 units: error on uniform noise": Band(0.02, 0.083),
    },
)
def copying(seed):
    x, _, x_test, _ = digits(np.float32)
    error, models = {}, {}
    for k in (2, 64):
        rng = np.random.default_rng(seed)
        model = models[k] = Sequential(Linear(64, k, rng=rng), Linear(k, 64, rng=rng))
        fit(model, x, x, loss=mse_loss, optimizer=adam, lr=3e-3, epochs=80, batch_size=64, rng=rng)
        error[k] = errors(model, x_test).mean()
    noise = np.random.default_rng(seed).uniform(size=(500, 64)).astype(np.float32)
    return {
        "64 units: error": error[64],
        "2 units: error": error[2],
        "64 units: error on uniform noise": errors(models[64], noise).mean(),
        "2 units: error on uniform noise": errors(models[2], noise).mean(),
    }


@experiment(
    id="M61",
    kind="myth",
    claim="Anomalies give high reconstruction errors.",
    verdict="misleading",
    truth="With enough capacity unseen things are rebuilt too, and blends even better than normal data.",
    settings="64-128-k-128-64 ReLU, Adam 2e-3, batch 64, 60 epochs; zeros left out of training, k = 8 and "
    "64; blends of two test digits, k = 32; AUC of the error",
    seeds=6,
    bands={
        "zeros: AUC at k = 8": Band(0.95, 1),
        "zeros: AUC lost from k = 8 to 64": Band(0.1, 1),
        "blends: AUC at k = 32": Band(0, 0.45),
    },
)
def anomalies(seed):
    x, y, x_test, y_test = digits(np.float32)
    auc = {}
    for k in (8, 64):
        rng = np.random.default_rng(seed)
        model = autoencoder(rng, 64, 128, k)
        seen = x[y != 0]
        fit(model, seen, seen, loss=mse_loss, optimizer=adam, lr=2e-3, epochs=60, batch_size=64, rng=rng)
        auc[k] = roc_auc(errors(model, x_test), y_test == 0)
    rng = np.random.default_rng(seed)
    model = autoencoder(rng, 64, 128, 32)
    fit(model, x, x, loss=mse_loss, optimizer=adam, lr=2e-3, epochs=60, batch_size=64, rng=rng)
    blends = (x_test + x_test[rng.permutation(len(x_test))]) / 2
    noise = rng.uniform(size=x_test.shape).astype(np.float32)
    error = {"digits": errors(model, x_test), "blends": errors(model, blends), "noise": errors(model, noise)}
    is_odd = np.arange(2 * len(x_test)) >= len(x_test)
    for odd in ("blends", "noise"):
        auc[odd] = roc_auc(np.concatenate([error["digits"], error[odd]]), is_odd)
    return {
        "zeros: AUC at k = 8": auc[8],
        "zeros: AUC lost from k = 8 to 64": auc[8] - auc[64],
        "blends: AUC at k = 32": auc["blends"],
        "auc": auc,
        "error": error,
    }


# -------------------------------------------------------------------------------------- variational codes


@experiment(
    id="H43",
    kind="headline",
    claim="The ELBO is a lower bound, and more samples make it tighter.",
    source="Kingma & Welling (2014), arXiv:1312.6114; Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519",
    settings="digits, encoder 64-128-64-(2+2), decoder 2-64-128-64 ReLU, Gaussian pixels of variance 0.02, "
    "Adam 2e-3, batch 64, 60 epochs; test digits; exact: a grid of 250 × 250 "
    "codes; a walk of 40 steps from the code (−2, 0) to (2, 0)",
    seeds=4,
    bands={
        "smallest rise of the bound, 1 → 5 → 50 → 500 samples": Band(1e-3, inf),
        "exact ln p(x) − ELBO": Band(4, 12, unit="nats"),
        "exact ln p(x) − bound with 500 samples": Band(0, 6, unit="nats"),
        "KL: formula − sampling": Band(-0.1, 0.1),
        "largest of 40 steps ÷ distance of the ends": Band(0, 40, unit="%"),
        "largest of 40 steps ÷ their mean": Band(1, 3),
    },
)
def tighter_bounds(seed):
    x_test = digits(np.float32).x_test
    encoder, decoder = trained_vae(seed)
    rng, bounds = np.random.default_rng(seed), {}
    for samples in (1, 5, 50, 500):  # new samples for each: nested ones could not but rise
        repeats = max(1, 50 // samples)
        log_w = [log_weights(rng, encoder, decoder, x_test, samples) for _ in range(repeats)]
        bounds[samples] = np.mean([importance_weighted_bound(w).mean() for w in log_w])
    exact = log_likelihood(decoder, x_test.astype(np.float64)).mean()
    mu, logvar = encode(encoder, x_test)
    noise = rng.standard_normal((2000, *mu.shape), np.float32)
    z = mu + np.exp(logvar / 2) * noise
    sampled = ((z * z - noise * noise - logvar) / 2).sum(axis=2).mean()  # log q(z) - log p(z)
    way = decoder(np.stack([np.linspace(-2, 2, 41), np.zeros(41)], axis=1).astype(np.float32))
    steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
    return {
        "smallest rise of the bound, 1 → 5 → 50 → 500 samples": np.diff(list(bounds.values())).min(),
        "exact ln p(x) − ELBO": exact - bounds[1],
        "exact ln p(x) − bound with 500 samples": exact - bounds[500],
        "KL: formula − sampling": kl_standard_normal(mu, logvar).mean() - sampled,
        "largest of 40 steps ÷ distance of the ends": 100 * steps.max() / np.linalg.norm(way[-1] - way[0]),
        "largest of 40 steps ÷ their mean": steps.max() / steps.mean(),
        "bounds": bounds,
        "exact": exact,
        "KL": kl_standard_normal(mu, logvar).mean(),
    }


@experiment(
    id="H44",
    kind="headline",
    claim="For a linear VAE the best ELBO equals the exact log-likelihood.",
    source="Tipping & Bishop (1999), JRSS B 61, 611-622; Lucas, Tucker, Grosse & Norouzi (2019), "
    "arXiv:1911.02469",
    settings="2 factors in 10 dimensions, noise 0.5, n = 2,000; analytic ELBO, float64, L-BFGS, up to 1,000 "
    "iterations",
    seeds=4,
    bands={
        "log-likelihood − ELBO, per sample": Band(-1e-9, 1e-6),
        "noise variance ÷ that of probabilistic PCA": Band(0.999, 1.001, digits=4),
        "angle between the subspaces": Band(0, 1e-3, unit="°"),
    },
)
def linear_vae(seed):
    import torch

    from nnlib.autoencoder import in_torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2000, 2)) @ rng.normal(size=(2, 10)) + 0.5 * rng.normal(size=(2000, 10))
    mean, weight, var = ppca(x, 2)
    shapes = (10, 2), (2, 10), (2,), ()
    params = [torch.tensor(0.1 * rng.normal(size=s), requires_grad=True) for s in shapes]
    optimizer = torch.optim.LBFGS(
        params, max_iter=1000, tolerance_grad=1e-11, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )
    inputs = torch.tensor(x - mean)

    def loss():
        optimizer.zero_grad()
        value = -in_torch.linear_vae_elbo.unchecked(inputs, *params).mean()
        value.backward()
        return value

    optimizer.step(loss)
    best = -loss().item()
    exact = ppca_log_likelihood(x, mean, weight, var).mean()
    return {
        "log-likelihood − ELBO, per sample": exact - best,
        "noise variance ÷ that of probabilistic PCA": params[3].exp().item() / var,
        "angle between the subspaces": subspace_angle(weight.T, params[0].detach().numpy().T),
        "log-likelihood": exact,
    }


@experiment(
    id="H45",
    kind="headline",
    claim="Reparameterized gradients vary far less than score-function gradients.",
    source="Kingma & Welling (2014), arXiv:1312.6114",
    settings="the VAE of H43; 10 test digits, 200 samples of the code each; gradient of the reconstruction "
    "term −|x − mean|² / (2 · 0.02) for mu; ratio of the variances; baseline: the mean over the samples",
    seeds=4,
    bands={
        "median variance ratio": Band(100, inf),
        "median variance ratio, with a baseline": Band(3, inf),
    },
)
def gradient_variance(seed):
    x = digits(np.float32).x_test[:10]
    encoder, decoder = trained_vae(seed)
    rng, ratios = np.random.default_rng(seed), {"plain": [], "baseline": []}
    means = []
    for row, mu, logvar in zip(x, *encode(encoder, x)):
        noise = rng.standard_normal((200, 2), np.float32)
        std = np.exp(logvar / 2)
        error = row - decoder(mu + std * noise)
        term = -(error * error).sum(axis=1, keepdims=True) / (2 * 0.02)
        through = decoder.backward(error / np.float32(0.02))  # d term / dz, and dz / d mu = 1
        score = noise / std  # d log q(z) / d mu
        ratios["plain"] += list((term * score).var(axis=0) / through.var(axis=0))
        ratios["baseline"] += list(((term - term.mean()) * score).var(axis=0) / through.var(axis=0))
        means.append((through.mean(axis=0), (term * score).mean(axis=0)))
    return {
        "median variance ratio": np.median(ratios["plain"]),
        "median variance ratio, with a baseline": np.median(ratios["baseline"]),
        "smallest variance ratio": min(ratios["plain"]),
        "means": np.array(means),
    }


@experiment(
    id="M62",
    kind="myth",
    claim="Generative models learn P(X, Y) and predict probabilities.",
    verdict="misleading",
    truth="Some do, with labels. A VAE models P(X) and never sees one; a GAN gives no density at all.",
    settings="the VAE of H43, trained without labels; 1,000 codes from N(0, 1), decoded; the class of the "
    "nearest training digit",
    seeds=4,
    bands={
        "digit classes among 1,000 samples": Band(8, 10),
        "distance to the nearest training digit": Band(0, 1.3),
    },
)
def generating_without_labels(seed):
    x, y, x_test, _ = digits(np.float32)
    _, decoder = trained_vae(seed)
    rng = np.random.default_rng(seed)
    made = decoder(rng.standard_normal((1000, 2), np.float32))
    noise = rng.uniform(size=(1000, 64)).astype(np.float32)
    nearest, label = {}, None
    for name, pictures in {"samples": made, "test digits": x_test, "uniform noise": noise}.items():
        squared = (pictures**2).sum(axis=1)[:, None] - 2 * pictures @ x.T + (x**2).sum(axis=1)
        nearest[name] = np.sqrt(np.maximum(squared.min(axis=1), 0)).mean()
        label = y[squared.argmin(axis=1)] if name == "samples" else label
    return {
        "digit classes among 1,000 samples": len(np.unique(label)),
        "distance to the nearest training digit": nearest["samples"],
        "nearest": nearest,
        "counts": np.bincount(label, minlength=10),
    }
