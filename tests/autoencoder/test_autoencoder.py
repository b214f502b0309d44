"""Laws of codes and bounds, training by hand against autograd, and what an explorer says about collapse."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.autoencoder import explorers, in_torch
from nnlib.autoencoder.experiments import (
    autoencoder,
    encode,
    halves,
    log_likelihood,
    train_vae,
    trained_vae,
)
from nnlib.autoencoder.in_numpy import (
    elbo,
    importance_weighted_bound,
    kl_standard_normal,
    linear_autoencoder,
    linear_vae_elbo,
    linear_vae_elbo_backward,
    pca,
    ppca,
    ppca_log_likelihood,
    roc_auc,
    subspace_angle,
)
from nnlib.autoencoder.in_torch import VAE, Autoencoder, ConvAutoencoder
from nnlib.data import digits
from nnlib.training import fit

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=10, deadline=None)


def cloud(seed, n=40, d=5):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n, d)) * rng.uniform(0.3, 3, size=d) @ rng.normal(size=(d, d))


# ------------------------------------------------------------------------------------------ linear codes


@few
@given(seed=seeds, k=st.integers(1, 4))
def test_no_linear_code_beats_pca(seed, k):
    rng, x = cloud(seed)
    mean, components = pca(x, k)
    x = x - mean
    best = ((linear_autoencoder(x, components, components.T) - x) ** 2).sum()
    basis = np.linalg.qr(rng.normal(size=(5, k)))[0]
    assert best <= ((linear_autoencoder(x, basis.T, basis) - x) ** 2).sum() * (1 + 1e-12)


@few
@given(seed=seeds, k=st.integers(1, 4))
def test_a_change_of_basis_in_the_code_changes_nothing_else(seed, k):
    rng, x = cloud(seed)
    encoder, decoder = rng.normal(size=(k, 5)), rng.normal(size=(5, k))
    basis = np.linalg.qr(rng.normal(size=(k, k)))[0] * rng.uniform(0.5, 2, size=k)
    changed = linear_autoencoder(x, basis @ encoder, decoder @ np.linalg.inv(basis))
    np.testing.assert_allclose(changed, linear_autoencoder(x, encoder, decoder), atol=1e-9)
    assert subspace_angle(decoder.T, (decoder @ np.linalg.inv(basis)).T) < 1e-5


@pytest.mark.parametrize("degrees", [1e-6, 0.1, 30, 60, 89.9, 90])
def test_an_angle_is_measured_precisely_at_both_ends(degrees):
    a = np.eye(4)[:2]
    turn = np.radians(degrees)
    b = np.array([[1.0, 0, 0, 0], [0, np.cos(turn), np.sin(turn), 0]])
    assert subspace_angle(a, b) == pytest.approx(degrees, rel=1e-9)


def test_dependent_rows_span_no_subspace_of_that_size():
    with pytest.raises(ValueError, match="b has dependent rows; expected 2 directions"):
        subspace_angle(np.eye(3)[:2], np.ones((2, 3)))
    with pytest.raises(ValueError, match="k is 3; expected at most one component per row, N = 2"):
        pca(np.ones((2, 4)), 3)


# --------------------------------------------------------------------------------------------- anomalies


@few
@given(seed=seeds, levels=st.integers(1, 30))
def test_the_area_is_that_of_scikit_learn_also_with_ties(seed, levels):
    from sklearn.metrics import roc_auc_score  # here alone: it takes a second to import

    rng = np.random.default_rng(seed)
    score = rng.integers(levels, size=40).astype(float)
    label = rng.permutation(np.arange(40) < rng.integers(1, 40))
    assert roc_auc(score, label) == pytest.approx(roc_auc_score(label, score))
    assert roc_auc(np.exp(score / levels), label) == roc_auc(score, label), "only the order counts"
    assert roc_auc(score, ~label) == pytest.approx(1 - roc_auc(score, label))


def test_an_area_needs_both_kinds():
    with pytest.raises(ValueError, match="label has 0 of 3 positives; expected both kinds"):
        roc_auc(np.arange(3.0), np.zeros(3, bool))


# ------------------------------------------------------------------------------------------------ bounds


@few
@given(seed=seeds)
def test_a_divergence_is_0_for_the_prior_and_positive_elsewhere(seed):
    rng = np.random.default_rng(seed)
    mu, logvar = rng.normal(size=(2, 6, 3))
    assert (kl_standard_normal(mu, logvar) > 0).all()
    assert (kl_standard_normal(0 * mu, 0 * logvar) == 0).all()


def test_the_divergence_is_what_sampling_gives():
    mu, logvar = np.array([[0.7, -1.0]]), np.array([[-1.5, 0.4]])
    noise = np.random.default_rng(0).normal(size=(400_000, 2))
    z = mu + np.exp(logvar / 2) * noise
    sampled = ((z * z - noise * noise - logvar) / 2).sum(axis=1)  # log q(z) - log p(z)
    error = sampled.std() / np.sqrt(len(sampled))
    assert abs(kl_standard_normal(mu, logvar)[0] - sampled.mean()) < 5 * error


@few
@given(seed=seeds, samples=st.integers(1, 8), shift=st.floats(-1e3, 1e3))
def test_many_samples_bound_lies_between_their_mean_and_the_best(seed, samples, shift):
    log_w = np.random.default_rng(seed).normal(0, 3, size=(4, samples))
    bound = importance_weighted_bound(log_w)
    assert (log_w.mean(axis=1) <= bound + 1e-12).all() and (bound <= log_w.max(axis=1) + 1e-12).all()
    np.testing.assert_allclose(importance_weighted_bound(log_w + shift), bound + shift, atol=1e-9)
    np.testing.assert_allclose(importance_weighted_bound(np.tile(log_w, 3)), bound, atol=1e-12)


@few
@given(seed=seeds, k=st.integers(1, 3))
def test_no_elbo_exceeds_the_likelihood(seed, k):
    """For any q: with the model's own weights, and with those of the most likely model."""
    rng, x = cloud(seed)
    x = x - x.mean(axis=0)
    weight, encoder, logvar = rng.normal(size=(5, k)), rng.normal(size=(k, 5)), rng.normal(size=k)
    log_noise = rng.normal()
    bound = linear_vae_elbo(x, weight, encoder, logvar, log_noise)
    exact = ppca_log_likelihood(x, np.zeros(5), weight, np.exp(log_noise))
    assert (bound <= exact + 1e-9).all()
    assert exact.mean() <= ppca_log_likelihood(x, *ppca(x, k)).mean() + 1e-9


def test_equal_variances_leave_no_factor_and_no_nan():
    for n, size in product(range(2, 7), np.linspace(0.1, 3, 20)):
        x = size * np.concatenate([np.eye(n), -np.eye(n)])  # as wide in every direction: all of it is noise
        for k in range(1, n):
            _, weight, var = ppca(x, k)
            assert np.abs(weight).max() < 1e-6 and var == pytest.approx(size**2 / n)


@few
@given(seed=seeds, k=st.integers(1, 4))
def test_the_best_linear_vae_is_probabilistic_pca(seed, k):
    """There the bound is tight for every sample and every gradient is 0."""
    _, x = cloud(seed)
    mean, weight, var = ppca(x, k)
    x = x - mean
    M = (weight * weight).sum(axis=0) + var  # its matrix is diagonal: q can be exact
    at = (weight, (weight / M).T, np.log(var / M), np.log(var))
    np.testing.assert_allclose(linear_vae_elbo(x, *at), ppca_log_likelihood(x, 0 * mean, weight, var))
    _, *grads = linear_vae_elbo_backward(np.full(len(x), 1 / len(x)), x, *at)
    for grad in grads:
        np.testing.assert_allclose(grad, 0, atol=1e-6)


def test_the_likelihood_on_a_grid_is_the_exact_one_of_a_linear_decoder():
    rng = np.random.default_rng(0)
    x, mean, weight = rng.normal(size=(6, 4)), rng.normal(size=4), rng.normal(size=(4, 2))
    found = log_likelihood(lambda z: z @ weight.T + mean, x, var=0.3)
    np.testing.assert_allclose(found, ppca_log_likelihood(x, mean, weight, np.array(0.3)), atol=1e-4)


@pytest.fixture(scope="module")
def collapse():
    return explorers.collapse()


@pytest.mark.parametrize("beta, noise", [(1.0, 0.02), (4.0, 0.05), (100.0, 0.2)])
def test_the_explorer_of_collapse_shows_a_stationary_point(collapse, beta, noise):
    """β times the divergence at noise σ² is the bound at noise βσ² but for a factor: gradients are 0."""
    collapse.update(beta=beta, noise=noise)
    x = digits().x_train
    mean, components = pca(x, 20)
    x, level = x - mean, beta * noise
    variances = ((x @ components.T) ** 2).mean(axis=0)
    kept = np.maximum(variances - level, 0)
    weight = components.T * np.sqrt(kept)
    encoder = weight.T / (kept + level)[:, None]
    logvar = np.log(level / (kept + level))
    _, *grads, _ = linear_vae_elbo_backward(
        np.full(len(x), 1 / len(x)), x, weight, encoder, logvar, np.log(level)
    )
    for grad in grads:
        np.testing.assert_allclose(grad, 0, atol=1e-9)
    kl = kl_standard_normal(x @ encoder.T, np.tile(logvar, (len(x), 1))).mean()
    assert collapse.result["kl"].sum() == pytest.approx(kl, abs=1e-9)
    assert collapse.result["active"] == (variances > level).sum()


# ---------------------------------------------------------------------------------------------- networks


def test_training_by_hand_is_training_by_autograd():
    """An epoch in float64: the same start, order and noise give the same weights as torch's Adam."""
    x, rng = torch.tensor(digits().x_train), np.random.default_rng(3)
    start = train_vae(3, epochs=1, dtype=np.float64)
    vae = VAE().double()
    for part in (vae.encoder, vae.decoder):
        for linear in part[::2]:
            for p in (linear.weight, linear.bias):
                bound = linear.in_features**-0.5
                p.data = torch.tensor(rng.uniform(-bound, bound, tuple(p.shape)))
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for rows in x[rng.permutation(len(x))].split(64):
        mu, logvar = vae.encode(rows)
        q = torch.distributions.Normal(mu, (logvar / 2).exp())
        noise = torch.tensor(rng.standard_normal((len(rows), 2)))
        p = torch.distributions.Normal(vae.decoder(q.mean + q.stddev * noise), 0.02**0.5)
        prior = torch.distributions.Normal(0.0, 1.0)
        loss = torch.distributions.kl_divergence(q, prior).sum(1) - p.log_prob(rows).sum(1)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    *_, (encoder, decoder) = start
    for ours, theirs in ((encoder, vae.encoder), (decoder, vae.decoder)):
        flat = torch.nn.utils.parameters_to_vector(theirs.parameters()).detach().numpy()
        np.testing.assert_allclose(ours.params, flat, atol=1e-9)


def test_the_module_returns_minus_the_bound_of_its_own_noise():
    torch.manual_seed(0)
    vae, x = VAE((6, 5, 2), var=0.3, beta=2.0).double(), torch.rand(7, 6, dtype=torch.float64)
    torch.manual_seed(1)
    loss = vae(x)
    torch.manual_seed(1)
    mu, logvar = vae.encode(x)
    z = mu + (logvar / 2).exp() * torch.randn_like(mu)
    arrays = [t.detach().numpy() for t in (x, vae.decoder(z), mu, logvar)]
    np.testing.assert_allclose(-loss.detach().numpy(), elbo(*arrays, 0.3, 2.0))


def test_the_halves_are_copies_that_make_the_whole():
    model = autoencoder(np.random.default_rng(0), 6, 5, 2)
    x = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    encoder, decoder = halves(model)
    assert encoder(x).shape == (4, 2)
    np.testing.assert_array_equal(decoder(encoder(x)), model(x))
    encoder.params[...] = 0
    assert model.params.any()


@pytest.mark.parametrize("side", [8, 28])
def test_the_convolutional_one_gives_pictures_of_the_size_it_took(side):
    model = ConvAutoencoder(4, 2)
    x = torch.rand(3, 1, side, side)
    assert model(x).shape == x.shape and model.encoder(x).shape == (3, 2, side // 4, side // 4)


@pytest.mark.parametrize(
    "make, shape, loss",
    [
        (lambda: VAE((64, 16, 2)), (64,), lambda output, y: output.mean()),
        (lambda: Autoencoder((64, 16, 4)), (64,), torch.nn.functional.mse_loss),
        (lambda: ConvAutoencoder(4, 2), (1, 8, 8), torch.nn.functional.mse_loss),
    ],
    ids=["variational", "dense", "convolutional"],
)
def test_each_network_trains_in_the_common_loop(make, shape, loss):
    x, model = digits(np.float32).x_train[:256].reshape(-1, *shape), make()
    options = dict(loss=loss, optimizer=torch.optim.Adam(model.parameters(), lr=3e-3), batch_size=64)
    history = fit(model, (x, x), (x, x), epochs=2, device="cpu", progress=False, **options)
    assert history["loss"][-1] < history["loss"][0]


def test_mixed_precision_leaves_the_bound_in_full_precision():
    x = digits(np.float32).x_train[:128]
    vae = VAE((64, 16, 2))
    options = dict(optimizer=torch.optim.Adam(vae.parameters(), lr=3e-3), epochs=2, batch_size=64)
    history = fit(
        vae, (x, x), loss=lambda output, y: output.mean(), amp=torch.bfloat16, device="cpu", **options
    )
    assert history["loss"][-1] < history["loss"][0]
    with torch.autocast("cpu", torch.bfloat16):
        assert vae(torch.tensor(x)).dtype == torch.float32


@pytest.mark.slow
def test_a_trained_vae_codes_in_the_units_of_its_prior():
    encoder, _ = trained_vae(0)
    mu, logvar = encode(encoder, digits(np.float32).x_train)
    spread = (mu**2 + np.exp(logvar)).mean(axis=0)  # of the codes that are drawn
    assert ((0.5 < spread) & (spread < 2)).all()


def test_a_plain_number_as_variance_is_taken_and_changes_no_dtype():
    x, weight, zero = np.ones((1, 2), np.float32), np.ones((2, 1), np.float32), np.zeros(2, np.float32)
    vae, ppca_args = (x, weight, weight.T, zero[:1]), (x, zero, weight)
    for f, args in ((linear_vae_elbo, vae), (ppca_log_likelihood, ppca_args)):
        plain, array = f(*args, 0.5), f(*args, np.array(0.5, np.float32))
        assert plain.dtype == np.float32
        twin = getattr(in_torch, f.__name__)(*map(torch.from_numpy, args), 0.5)
        np.testing.assert_allclose(plain, array, rtol=1e-6)
        np.testing.assert_allclose(plain, twin.numpy(), rtol=1e-5)
    grads = linear_vae_elbo_backward(np.ones(1, np.float32), *vae, 0.5)
    assert {g.dtype for g in grads} == {np.dtype(np.float32)}
