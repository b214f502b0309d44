"""Laws of normalization that no single case shows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.layers import BatchNorm1d, GroupNorm, LayerNorm, Linear, Sequential, fit
from nnlib.normalization import in_numpy as norm
from nnlib.normalization import in_torch

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(2, 5), st.sampled_from((2, 4, 6)), st.integers(2, 5))
factors = st.floats(0.1, 100)
EPS = 1e-12  # so small that the laws hold to rounding


def draw(seed, shape):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(3, 2, size=shape), rng.normal(size=shape)
    return x, g, rng.normal(1, 0.3, shape[1]), rng.normal(size=shape[1])


METHODS = {  # forward, backward, its axes; the parameters are left out
    "batch": (norm.batch_norm, norm.batch_norm_backward, lambda x: {}, (0, 2)),
    "layer": (norm.layer_norm, norm.layer_norm_backward, lambda x: {"normalized_shape": x.shape[1:]}, (1, 2)),
    "group": (norm.group_norm, norm.group_norm_backward, lambda x: {"num_groups": 1}, (1, 2)),
    "instance": (norm.instance_norm, norm.instance_norm_backward, lambda x: {}, (2,)),
}
methods = pytest.mark.parametrize("method", METHODS)


@methods
@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes)
def test_mean_zero_and_variance_one(method, seed, shape):
    f, _, extra, axes = METHODS[method]
    x, *_ = draw(seed, shape)
    y = f(x, **extra(x), eps=EPS)
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=axes), 1, atol=1e-6)


@methods
@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, scale=factors, shift=st.floats(-100, 100))
def test_scale_and_shift_of_the_input_change_nothing(method, seed, shape, scale, shift):
    f, _, extra, _ = METHODS[method]
    x, *_ = draw(seed, shape)
    np.testing.assert_allclose(
        f(scale * x + shift, **extra(x), eps=EPS), f(x, **extra(x), eps=EPS), atol=1e-5
    )


@methods
@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes)
def test_the_gradient_changes_neither_mean_nor_scale(method, seed, shape):
    """What the forward pass divides out, the backward pass cannot want to change."""
    f, backward, extra, axes = METHODS[method]
    x, g, *_ = draw(seed, shape)
    grad_x = backward(g, x, **extra(x), eps=EPS)
    size = np.abs(g).sum(axis=axes) / x.std(axis=axes)
    x_hat = f(x, **extra(x), eps=EPS)
    np.testing.assert_allclose(grad_x.sum(axis=axes) / size, 0, atol=1e-6)
    np.testing.assert_allclose((grad_x * x_hat).sum(axis=axes) / size, 0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, scale=factors)
def test_a_larger_input_has_a_smaller_gradient(seed, shape, scale):
    x, g, weight, bias = draw(seed, shape)
    small = norm.batch_norm_backward(g, x, weight, bias, eps=EPS)[0]
    large = norm.batch_norm_backward(g, scale * x, weight, bias, eps=EPS)[0]
    np.testing.assert_allclose(large * scale, small, atol=1e-5 * np.abs(small).max() + 1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes)
def test_group_norm_holds_layer_and_instance_norm(seed, shape):
    x, _, weight, bias = draw(seed, shape)
    one = norm.group_norm(x, 1, weight, bias)
    full = (np.broadcast_to(p[:, None], shape[1:]).copy() for p in (weight, bias))
    np.testing.assert_allclose(one, norm.layer_norm(x, shape[1:], *full), atol=1e-12)
    each = norm.group_norm(x, shape[1], weight, bias)
    np.testing.assert_allclose(each, norm.instance_norm(x, weight, bias), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, row=st.integers(0, 1))
def test_only_batch_norm_in_training_looks_at_other_rows(seed, shape, row):
    x, _, weight, bias = draw(seed, shape)
    others = x * 3
    others[row] = x[row]
    mean, var = x.mean(axis=(0, 2)), x.var(axis=(0, 2))
    same = {
        "layer": lambda v: norm.layer_norm(v, shape[1:]),
        "group": lambda v: norm.group_norm(v, 2),
        "instance": norm.instance_norm,
        "rms": lambda v: norm.rms_norm(v, shape[2:]),
        "batch, in use": lambda v: norm.batch_norm_eval(v, mean, var, weight, bias),
    }
    for name, f in same.items():
        np.testing.assert_array_equal(f(x)[row], f(others)[row], err_msg=name)
    assert np.abs(norm.batch_norm(x)[row] - norm.batch_norm(others)[row]).max() > 1e-3


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes)
def test_running_statistics_of_a_repeated_batch_become_its_own(seed, shape):
    x, *_ = draw(seed, shape)
    start = np.zeros(shape[1]), np.ones(shape[1])
    mean, var = x.mean(axis=(0, 2)), x.var(axis=(0, 2), ddof=1)
    kept, replaced = (norm.batch_norm_running(x, *start, momentum=m) for m in (0.0, 1.0))
    np.testing.assert_array_equal(kept, start)
    np.testing.assert_allclose(replaced, (mean, var), atol=1e-12)
    state = start
    for _ in range(300):
        state = norm.batch_norm_running(x, *state)
    np.testing.assert_allclose(state, (mean, var), rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rows=st.integers(1, 5), columns=st.integers(2, 6), scale=factors)
def test_weight_norm_sees_only_directions(seed, rows, columns, scale):
    rng = np.random.default_rng(seed)
    (v, grad), g = rng.normal(size=(2, rows, columns)), rng.normal(size=(rows, 1))
    w = norm.weight_norm(v, g)
    np.testing.assert_allclose(np.linalg.norm(w, axis=1), np.abs(g[:, 0]), atol=1e-12)
    np.testing.assert_allclose(norm.weight_norm(scale * v, g), w, atol=1e-12)
    grad_v, _ = norm.weight_norm_backward(grad, v, g)
    np.testing.assert_allclose((grad_v * v).sum(axis=1), 0, atol=1e-9)


@methods
def test_far_from_zero_in_float32(method):
    """E[x²] - E[x]² would lose every digit at mean 10,000 and spread 1."""
    f, _, extra, axes = METHODS[method]
    x = np.random.default_rng(0).normal(1e4, 1, size=(16, 4, 64)).astype(np.float32)
    y = f(x, **extra(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.std(axis=axes), 1, atol=1e-3)
    np.testing.assert_allclose(y, f(x.astype(np.float64), **extra(x)), atol=2e-3)


def test_a_batch_of_two_keeps_only_signs():
    x = np.random.default_rng(0).normal(size=(2, 5))
    np.testing.assert_allclose(np.abs(norm.batch_norm(x, eps=EPS)), 1, atol=1e-6)


def test_a_batch_of_one_is_refused_in_training_and_fine_in_use():
    x = np.ones((1, 3))
    with pytest.raises(ValueError, match="more than one value per channel"):
        norm.batch_norm(x)
    assert np.isfinite(norm.batch_norm_eval(x, np.zeros(3), np.ones(3))).all()


def test_a_constant_channel_becomes_its_bias():
    x = np.full((4, 2), 7.0)
    bias = np.array([1.0, -2.0])
    np.testing.assert_array_equal(norm.batch_norm(x, np.ones(2), bias), np.tile(bias, (4, 1)))
    assert np.isfinite(norm.batch_norm_backward(np.ones((4, 2)), x)).all()


@pytest.mark.parametrize("shape, groups", [((1, 1), 1), ((1, 3), 3), ((1, 3, 1, 1), 3)], ids=str)
def test_a_single_sample_of_one_value_per_group_is_refused_as_in_torch(shape, groups):
    x = np.ones(shape)
    calls = {
        "reference": lambda: norm.group_norm(x, groups),
        "backward": lambda: norm.group_norm_backward(x, x, groups),
        "twin": lambda: in_torch.group_norm(torch.tensor(x), groups),
        "library": lambda: torch.nn.functional.group_norm(torch.tensor(x), groups),
    }
    for name, call in calls.items():
        with pytest.raises(
            ValueError, match="more than 1 value per" if name == "library" else "than one value"
        ):
            call()
    twice = np.concatenate([x, x])
    np.testing.assert_array_equal(norm.group_norm(twice, groups), 0)


def test_a_range_without_width_is_refused_in_both_directions():
    x, end = np.ones((2, 1)), np.ones(1)
    for call in (lambda: norm.min_max(x, end, end), lambda: norm.min_max_backward(x, x, end, end)):
        with pytest.raises(ValueError, match="expected high > low"):
            call()


def test_a_size_may_be_a_number_of_numpy():
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    for name in ("layer_norm", "rms_norm"):
        for f, array in ((getattr(norm, name), x.numpy()), (getattr(in_torch, name), x)):
            np.testing.assert_array_equal(f(array, np.int64(3)), f(array, 3))


# -------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize(
    "make",
    [
        lambda number: BatchNorm1d(4, eps=number(1e-5), momentum=number(0.1)),
        lambda number: LayerNorm(4, eps=number(1e-5)),
        lambda number: GroupNorm(2, 4, eps=number(1e-5)),
    ],
    ids=["batch", "layer", "group"],
)
def test_numbers_of_numpy_leave_a_layer_in_float32(make):
    layer, other = make(np.float64), make(float)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    for mode in (True, True, False):
        layer.training = other.training = mode
        y, grad_x = layer.forward(x), layer.backward(x)
        assert y.dtype == grad_x.dtype == layer.check(x).dtype == np.float32
        np.testing.assert_array_equal(y, other.forward(x))


@pytest.mark.parametrize("momentum", [None, 2.0, -0.1])
def test_a_momentum_that_is_no_share_is_refused_at_once(momentum):
    with pytest.raises((TypeError, ValueError), match="momentum is"):
        BatchNorm1d(3, momentum=momentum)


def test_a_model_that_diverged_may_still_be_looked_at():
    rng = np.random.default_rng(0)
    model = Sequential(Linear(3, 4, rng=rng), BatchNorm1d(4), Linear(4, 2, rng=rng))
    x, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    fit(model, x, y, lr=1e30, epochs=20)
    assert not np.isfinite(model[1].running["running_var"]).any()
    assert model(x).shape == (20, 2)
