"""Inputs on which reference, twin and official operation must agree.

Spectra with gaps, so that directions are well defined; variances and sparsities that are not 1 or 1/2.
"""

import numpy as np

from nnlib.core import Case


def _cloud(rng, n, spread):
    """n points around a mean, with the given standard deviations along random orthogonal directions."""
    directions = np.linalg.qr(rng.normal(size=(len(spread), len(spread))))[0]
    x = rng.normal(size=(n, len(spread)))
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(n)
    return x * spread @ directions + rng.normal(size=len(spread))


def cases(rng):
    wide = _cloud(rng, 12, [4, 2.5, 1.5, 0.8])
    for k in (1, 2, 4):
        yield Case("pca", dict(x=wide, k=k), f"{k} of 4")
    yield Case("ppca", dict(x=wide, k=2), "2 of 4")
    yield Case("ppca", dict(x=wide, k=3), "3 of 4")
    yield Case("pca", dict(x=rng.normal(size=(5, 9)), k=3), "fewer rows than pixels")

    a = rng.normal(size=(2, 5))
    near = rng.normal(size=(2, 2)) @ a + 0.01 * rng.normal(size=(2, 5))
    across = np.array([[0.0, 0, 0, 1, 0], [0, 0, 1, 0, 0]])
    yield Case("subspace_angle", dict(a=a, b=rng.normal(size=(2, 5))), "random")
    yield Case("subspace_angle", dict(a=a, b=near), "almost the same")
    yield Case("subspace_angle", dict(a=np.eye(5)[:2], b=across), "at a right angle")
    whole = rng.normal(size=(2, 3, 3))
    yield Case("subspace_angle", dict(a=whole[0], b=whole[1]), "the whole space")

    for note, (n, d, k) in {"narrow": (6, 5, 2), "one sample": (1, 4, 3), "wider than x": (4, 3, 5)}.items():
        weights = dict(encoder=rng.normal(size=(k, d)), decoder=rng.normal(size=(d, k)))
        yield Case("linear_autoencoder", dict(x=rng.normal(size=(n, d)), **weights), note)

    yield Case("kl_sparsity", dict(code=rng.uniform(0.05, 0.95, size=(7, 3))), "sigmoids")
    yield Case("kl_sparsity", dict(code=rng.uniform(0.01, 0.2, size=(5, 4)), rho=0.3), "too quiet")

    score, label = rng.normal(size=30), rng.uniform(size=30) < 0.4
    yield Case("roc_auc", dict(score=score + label, label=label), "shifted")
    yield Case("roc_auc", dict(score=np.round(2 * score) / 2, label=label), "ties")
    yield Case("roc_auc", dict(score=np.ones(6), label=np.arange(6) < 2), "all the same")
    yield Case("roc_auc", dict(score=np.arange(6.0), label=np.arange(6) < 1), "one, in the wrong place")

    for note, (n, d, k) in {"batch": (6, 5, 2), "one sample": (1, 3, 4)}.items():
        x, mean = rng.uniform(size=(n, d)), rng.normal(size=(n, d))
        code = dict(mu=rng.normal(size=(n, k)), logvar=rng.normal(-1, 1, size=(n, k)))
        yield Case("reparameterize", dict(**code, noise=rng.normal(size=(n, k))), note)
        yield Case("kl_standard_normal", code, note)
        yield Case("gaussian_nll", dict(x=x, mean=mean), note)
        yield Case("gaussian_nll", dict(x=x, mean=mean, var=0.3), f"{note}, little noise")
        yield Case("bernoulli_nll", dict(x=x, logits=3 * mean), note)
        yield Case("elbo", dict(x=x, mean=mean, **code), note)
        yield Case("elbo", dict(x=x, mean=mean, **code, var=0.3, beta=2.5), f"{note}, little noise, beta")
    sure = dict(mu=rng.normal(0, 3, size=(3, 2)), logvar=np.array([[-60.0, 4], [-20, -40], [0, 0]]))
    yield Case("reparameterize", dict(**sure, noise=rng.normal(size=(3, 2))), "almost without noise")
    yield Case("kl_standard_normal", sure, "almost without noise")
    extreme = np.array([[-1000.0, 1000, 0, 30], [1000, -1000, 1, -30]])
    yield Case("bernoulli_nll", dict(x=rng.integers(2, size=(2, 4)).astype(float), logits=extreme), "extreme")

    yield Case("importance_weighted_bound", dict(log_w=rng.normal(0, 2, size=(5, 4))), "a few samples")
    yield Case("importance_weighted_bound", dict(log_w=rng.normal(size=(3, 1))), "one sample")
    yield Case("importance_weighted_bound", dict(log_w=extreme), "extreme")
    apart = np.array([[0.0, 1, -1, 0.5], [1000, 999, 1001, 998]])
    yield Case("importance_weighted_bound", dict(log_w=apart), "rows far apart")

    for note, (n, d, k) in {"narrow": (7, 5, 2), "one factor": (4, 3, 1)}.items():
        model = dict(weight=rng.normal(size=(d, k)), encoder=rng.normal(size=(k, d)) / d)
        log = dict(logvar=rng.normal(-1, 0.5, size=k), log_noise=np.array(rng.normal(0, 0.5)))
        yield Case("linear_vae_elbo", dict(x=rng.normal(size=(n, d)), **model, **log), note)
        x, mean, weight = rng.normal(size=(n, d)), rng.normal(size=d), model["weight"]
        noise = np.array(rng.uniform(0.3, 1))
        yield Case("ppca_log_likelihood", dict(x=x, mean=mean, weight=weight, var=noise), note)
