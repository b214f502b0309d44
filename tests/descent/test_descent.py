"""Laws of descent that no single case shows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.core import numerical_gradient
from nnlib.descent import experiments, in_torch
from nnlib.descent import in_numpy as descent
from nnlib.descent.cases import rotated
from nnlib.explorer import explore
from nnlib.layers import Linear, Sequential, Tanh
from nnlib.losses.in_numpy import cross_entropy

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, lr=st.floats(0.001, 0.2), steps=st.integers(1, 20))
def test_every_eigenvector_shrinks_by_its_own_factor(seed, lr, steps):
    rng = np.random.default_rng(seed)
    eigenvalues = rng.uniform(0.5, 10, 3)
    hessian = rotated(rng, eigenvalues)
    values, vectors = np.linalg.eigh(hessian)
    path = descent.gradient_descent(rng.normal(size=3), hessian, lr, steps) @ vectors
    expected = (1 - lr * values) ** np.arange(steps + 1)[:, None] * path[0]
    np.testing.assert_allclose(path, expected, atol=1e-9 * np.abs(path).max())


@pytest.mark.parametrize("factor, grows", [(0.99, False), (1.01, True)])
def test_the_bound_is_two_over_the_largest_eigenvalue(factor, grows):
    rng = np.random.default_rng(0)
    hessian = rotated(rng, [1, 4, 30])
    path = descent.gradient_descent(rng.normal(size=3), hessian, factor * 2 / 30, 1000)
    height = descent.quadratic(path, hessian)
    assert (height[-1] > height[0]) == grows


@pytest.mark.parametrize("module, array", [(descent, np.array), (in_torch, torch.tensor)])
def test_a_flat_surface_has_sharpness_0_and_a_nearly_flat_one_its_own(module, array):
    start = array([0.6, 0.8])
    assert module.power_iteration(array([[0.0, 0.0], [0.0, 0.0]]), start, 5) == 0
    tiny = module.power_iteration(array([[1e-13, 0.0], [0.0, 1e-13]]), start, 5)
    np.testing.assert_allclose(tiny, 1e-13)


@pytest.mark.parametrize("module, array", [(descent, np.array), (in_torch, torch.tensor)])
def test_a_matrix_that_is_no_hessian_is_refused(module, array):
    """One version would read both halves of it, the other the lower half alone."""
    lopsided, start = array([[1.0, 2.0], [0.0, 3.0]]), array([1.0, 1.0])
    with pytest.raises(ValueError, match="gradient_descent: .* expected a symmetric matrix"):
        module.gradient_descent(start, lopsided, 0.1, 2)
    with pytest.raises(ValueError, match="power_iteration: .* expected a symmetric matrix"):
        module.power_iteration(lopsided, start, 2)


def test_descent_that_starts_on_the_ridge_stays_there_and_leaves_it_with_a_touch():
    saddle = np.diag([1.0, -1.0])
    on = descent.gradient_descent(np.array([1.0, 0.0]), saddle, 0.1, 300)
    beside = descent.gradient_descent(np.array([1.0, 1e-9]), saddle, 0.1, 300)
    assert np.abs(on[-1]).max() < 1e-9
    assert np.abs(beside[-1, 1]) > 1


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_hessian_vector_product_is_how_fast_the_gradient_changes(seed):
    rng = np.random.default_rng(seed)
    x, weight, v = rng.normal(size=(6, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    target, h = rng.integers(0, 4, 6), 1e-3
    slopes = [
        numerical_gradient(lambda w: float(cross_entropy(x @ w.T, target)), weight + s * h * v)
        for s in (1, -1)
    ]
    expected = (slopes[0] - slopes[1]) / (2 * h)
    np.testing.assert_allclose(descent.hessian_vector_product(x, weight, v), expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_softmax_regression_bends_upward_everywhere(seed):
    rng = np.random.default_rng(seed)
    x, weight, v = rng.normal(size=(6, 3)), 3 * rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    assert (v * descent.hessian_vector_product(x, weight, v)).sum() >= -1e-12
    everywhere = np.ones((4, 1)) * rng.normal(size=3)  # the same for all classes: softmax does not see it
    np.testing.assert_allclose(descent.hessian_vector_product(x, weight, everywhere), 0, atol=1e-12)


def test_warmup_ends_at_k_times_lr():
    rates = descent.linear_scaling(np.arange(100.0), lr=0.05, k=8, warmup_steps=20)
    assert rates[0] == 0.05
    assert (rates[20:] == 0.05 + 7 * 0.05).all()
    assert (np.diff(rates[:21]) > 0).all()


def test_measured_sharpness_is_the_largest_hessian_eigenvalue():
    """The difference of two gradients in float32 against the whole Hessian from autograd in float64."""
    rng = np.random.default_rng(0)
    model = Sequential(Linear(3, 4, rng=rng), Tanh(), Linear(4, 2, rng=rng))
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(20, 2)).astype(np.float32)
    before = model.params.copy()
    measured = experiments.largest_curvature(model, x, y, rng, iterations=60)
    np.testing.assert_array_equal(model.params, before)

    xt, yt = torch.tensor(x).double(), torch.tensor(y).double()

    def loss(p):
        h = torch.tanh(xt @ p[:12].view(4, 3).T + p[12:16])
        return (h @ p[16:24].view(2, 4).T + p[24:] - yt).square().sum() / (2 * len(xt))

    hessian = torch.autograd.functional.hessian(loss, torch.tensor(before).double())
    assert measured == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=2e-3)


def test_the_goal_of_the_learning_rate_explorer_can_be_reached_but_not_at_once():
    explorer = explore("descent.learning_rate")
    explorer.update()
    assert not explorer.goal.met(explorer.values, explorer.result)
    explorer.update(lr=0.3)
    assert explorer.goal.met(explorer.values, explorer.result)


@pytest.mark.parametrize(
    "name, reached",
    [
        ("batch_size", dict(k=16, lr=0.036)),
        ("descent", dict(lr=0.11, momentum=0.45)),
        ("range_test", dict(divisor=2.5)),
    ],
)
def test_goals_can_be_reached_but_not_at_once(name, reached):
    explorer = explore(f"descent.{name}")
    explorer.update()
    assert not explorer.goal.met(explorer.values, explorer.result)
    explorer.update(**reached)
    assert explorer.goal.met(explorer.values, explorer.result)


def test_divergence_is_drawn_as_such():
    explorer = explore("descent.descent", lr=0.2)
    assert explorer.result["lost"] is not None
    assert "diverged" in explorer._note(explorer.values, explorer.result)
    # From far out even a step below the bound is too long: the bound speaks of the lowest point only.
    far = explore("descent.descent", surface="two valleys", x0=2.0, lr=0.2)
    note = far._note(far.values, far.result)
    assert far.result["lost"] is not None and "stable at the lowest point below" in note
    assert explore("descent.learning_rate", task="moons", lr=30.0).result["history"].loss[-1] > 1
