"""Laws of regularization: what proximal steps solve, what stopping restores, what warps and mixes keep."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnlib.layers import BatchNorm1d, Dropout, Linear, ReLU, Sequential, fit, stop_early
from nnlib.regularization import in_numpy as r
from nnlib.regularization import in_torch


def rng(seed=0):
    return np.random.default_rng(seed)


@given(st.floats(-5, 5), st.floats(0, 3), st.floats(0, 3))
def test_softshrink_is_the_proximal_operator(x, lambd, l2):
    """No other y has a smaller (y - x)² / 2 + lambd |y| + l2 y² / 2."""
    y = r.proximal_step(np.array([x]), np.zeros(1), lr=1.0, l1=lambd, l2=l2)[0]

    def cost(y):
        return (y - x) ** 2 / 2 + lambd * abs(y) + l2 * y**2 / 2

    assert (cost(y) <= cost(y + np.linspace(-2, 2, 401)) + 1e-12).all()


def test_group_softshrink_is_the_proximal_operator():
    x = rng().normal(size=(1, 3))

    def cost(y):
        return ((y - x) ** 2).sum() / 2 + r.group_lasso(y, 0.3)

    y = r.group_softshrink(x, 0.3)
    assert all(cost(y) <= cost(y + d) for d in rng(1).normal(0, 0.3, size=(200, 1, 3)))


def test_proximal_steps_end_where_the_subgradient_allows():
    """At the lasso's minimum the loss pulls by exactly l1 on every weight in use, by less on every zero."""
    x, y = rng().normal(size=(40, 8)), rng(1).normal(size=40)
    w = np.zeros(8)
    for _ in range(2000):
        w = r.proximal_step.unchecked(w, x.T @ (x @ w - y) / 40, 0.1, l1=0.1)
    pull = -x.T @ (x @ w - y) / 40
    assert 0 < (w == 0).sum() < 8
    np.testing.assert_allclose(pull[w != 0], 0.1 * np.sign(w[w != 0]), atol=1e-10)
    assert (np.abs(pull[w == 0]) < 0.1).all()


def test_ridge_is_the_fixed_point_of_proximal_steps():
    x, y = rng().normal(size=(20, 5)), rng(1).normal(size=(20, 2))
    w = r.ridge(x, y, 0.3)
    moved = r.proximal_step(w, x.T @ (x @ w - y) / 20, lr=0.1, l2=0.3)
    np.testing.assert_allclose(moved, w, rtol=1e-12)


@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_renorm_projects(seed, maxnorm):
    x = rng(seed).normal(0, 3, size=(4, 3))
    y = r.renorm(x, maxnorm)
    assert (np.linalg.norm(y, axis=1) <= maxnorm + 1e-12).all()
    np.testing.assert_allclose(r.renorm(y, maxnorm), y, rtol=1e-12)
    short = np.linalg.norm(x, axis=1) <= maxnorm
    np.testing.assert_array_equal(y[short], x[short])


# ------------------------------------------------------------------------------------- early stopping


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 5), st.floats(0, 0.2))
def test_early_stopping_follows_its_rule(losses, patience, min_delta):
    best, last = losses[0], 0
    state, stop = (), False
    for i, loss in enumerate(losses):
        *state, stop = r.early_stopping(np.float64(loss), *state, patience=patience, min_delta=min_delta)
        if i and loss < best - min_delta:
            best, last = loss, i
        assert (state[0], state[1], stop) == (best, i - last, i - last >= patience)
        if stop:
            break


def test_the_twin_of_early_stopping_takes_a_loss_from_item():
    best, bad, stop = in_torch.early_stopping(0.5)
    best, bad, stop = in_torch.early_stopping(0.75, best, bad, patience=1)
    assert (best.item(), bad.item(), stop.item()) == (0.5, 1, True)


def test_group_softshrink_leaves_the_shortest_rows_alone_without_a_threshold():
    x = np.array([[3e-15, -4e-15], [0.0, 0.0], [1.0, 2.0]])
    for y in (r.group_softshrink(x, 0.0), in_torch.group_softshrink(torch.from_numpy(x), 0.0).numpy()):
        np.testing.assert_allclose(y, x, rtol=1e-12)


def _net(seed):
    g = rng(seed)
    layers = Linear(5, 16, rng=g), BatchNorm1d(16), ReLU(), Dropout(0.2, rng=g), Linear(16, 2, rng=g)
    return Sequential(*layers)


def test_stopping_restores_the_best_model_exactly():
    """The same as if training had ended at the best epoch: weights, running statistics, answers."""
    x = rng().normal(size=(80, 5)).astype(np.float32)
    y = rng(1).integers(0, 2, 80)  # nothing to be learned: it overfits at once
    held_out = x[40:], y[40:]
    options = dict(lr=0.3, batch_size=10, validation=held_out)
    model = _net(3)
    history, best = stop_early(model, x[:40], y[:40], rng=rng(4), patience=4, epochs=200, **options)
    assert history.epoch[-1] == history.epoch[best] + 4 < 200
    assert history.validation_loss[best] == min(history.validation_loss)
    again = _net(3)
    fit(again, x[:40], y[:40], rng=rng(4), epochs=int(history.epoch[best]), **options)
    np.testing.assert_array_equal(model.params, again.params)
    for name, value in model[1].running.items():
        np.testing.assert_array_equal(value, again[1].running[name])
    np.testing.assert_array_equal(model(x), again(x))
    fit(model, x[:40], y[:40], lr=0.1, epochs=1)  # and it can be trained further
    assert (model.params != again.params).any()


def test_stopping_trains_to_the_end_where_nothing_gets_worse():
    x = rng().normal(size=(40, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    history, best = stop_early(_net(0), x, y, validation=(x, y), lr=0.01, epochs=8, patience=8, every=1)
    assert history.epoch[-1] == 8 and best <= 8


# ----------------------------------------------------------------------------- data made from data


def test_the_identity_warps_nothing():
    x = rng().normal(size=(3, 1, 8, 6))
    same = np.tile(np.eye(2, 3), (3, 1, 1))
    np.testing.assert_allclose(r.grid_sample(x, r.affine_grid(same, x.shape)), x, atol=1e-12)


def test_at_the_center_of_a_pixel_all_versions_take_the_same_slope():
    """The places of an image that nothing moves are all kinks: the slopes to the left and right differ."""
    x, theta = rng().normal(size=(2, 2, 4, 8)), np.tile(np.eye(2, 3), (2, 1, 1))
    theta[1, 0, 2] = 2 / 8  # and moved by a whole pixel
    grid, g = r.affine_grid(theta, x.shape), rng(1).normal(size=x.shape)
    mine = r.grid_sample_backward(g, x, grid)
    for f in (in_torch.grid_sample, in_torch.official["grid_sample"]):
        leaves = [torch.from_numpy(v.copy()).requires_grad_() for v in (x, grid)]
        f(*leaves).backward(torch.from_numpy(g))
        for a, leaf in zip(mine, leaves, strict=True):
            np.testing.assert_allclose(a, leaf.grad.numpy(), atol=1e-12)


def test_a_shift_by_whole_pixels_moves_them():
    x = rng().normal(size=(1, 1, 4, 8))
    shift = np.array([[[1, 0, 2 / 8], [0, 1, 0]]])  # one pixel: what stood to the right comes here
    y = r.grid_sample(x, r.affine_grid(shift, x.shape))
    np.testing.assert_allclose(y[..., :-1], x[..., 1:], atol=1e-12)
    np.testing.assert_allclose(y[..., -1], 0, atol=1e-12)


def test_a_quarter_turn_is_rot90():
    x = rng().normal(size=(1, 2, 5, 5))
    quarter = np.array([[[0.0, -1, 0], [1, 0, 0]]])
    y = r.grid_sample(x, r.affine_grid(quarter, x.shape))
    np.testing.assert_allclose(y, np.rot90(x, axes=(2, 3)), atol=1e-12)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_mixes_keep_what_there_is(seed, lam):
    g = rng(seed)
    x, target = g.normal(size=(6, 2, 4, 4)), g.dirichlet(np.ones(3), size=6)
    order = g.permutation(6)
    np.testing.assert_allclose(r.mixup(x, lam, order).sum(axis=0), x.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(r.mixup(target, lam, order).sum(axis=1), 1, atol=1e-12)
    y, mixed = r.cutmix(x, target, lam, order, int(g.integers(4)), int(g.integers(4)))
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(np.sort(y, axis=0), np.sort(x, axis=0))


@pytest.mark.parametrize("call", [lambda p: r.mixup(np.ones((3, 2)), 0.5, p), lambda p: r.k_fold(p, 2)])
def test_a_row_named_twice_is_refused(call):
    with pytest.raises(ValueError, match="names a row twice"):
        call(np.array([0, 1, 1]))


def test_the_twins_take_an_order_in_small_integers():
    x, target, order = rng().normal(size=(3, 1, 4, 4)), np.eye(3), np.array([1, 2, 0])
    tensors = torch.from_numpy(x), torch.from_numpy(target)
    for dtype in (torch.uint8, torch.int16):
        small = torch.from_numpy(order).to(dtype)
        y = in_torch.mixup(tensors[0], 0.3, small)
        np.testing.assert_allclose(y.numpy(), r.mixup(x, 0.3, order))
        mixed = in_torch.cutmix(*tensors, 0.5, small, 2, 2)
        for a, b in zip(mixed, r.cutmix(x, target, 0.5, order, 2, 2), strict=True):
            np.testing.assert_allclose(a.numpy(), b)


# -------------------------------------------------------------------------------------------- judging


@given(st.integers(2, 40), st.data())
def test_folds_hold_each_row_out_once_and_evenly(n, data):
    k = data.draw(st.integers(2, n))
    sizes = np.bincount(r.k_fold(rng(n).permutation(n), k), minlength=k)
    assert sizes.sum() == n and sizes.max() - sizes.min() <= 1


def test_bias_and_variance_add_up_to_the_error():
    predictions, target = rng().normal(size=(7, 11)), rng(1).normal(size=11)
    bias2, variance = r.bias_variance(predictions, target)
    assert bias2 + variance == pytest.approx(((predictions - target) ** 2).mean(), rel=1e-12)


def test_a_row_of_zeros_gets_no_gradient_from_its_length():
    weight = np.array([[3.0, -4.0], [0.0, 0.0], [0.0, 2.0]])
    tensor = torch.from_numpy(weight).requires_grad_()
    in_torch.group_lasso(tensor, 0.5).backward()
    grad = r.group_lasso_backward(np.ones(()), weight, 0.5)
    np.testing.assert_allclose(grad, tensor.grad.numpy(), atol=1e-15)
    assert not grad[1].any()
