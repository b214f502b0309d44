"""Laws of the activations that no single case shows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlib import core
from nnlib.activations import in_numpy, in_torch
from nnlib.activations.cases import PLAIN
from nnlib.activations.in_numpy import (
    elu,
    gelu,
    hardtanh,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from nnlib.explorer import explore

numbers = st.floats(-50, 50)
points = arrays(np.float64, st.integers(1, 8), elements=numbers)
rows = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=numbers)
close = dict(rtol=0, atol=1e-12)


@given(points)
def test_s_shapes_are_symmetric_and_one_is_the_other(x):
    np.testing.assert_allclose(sigmoid(-x), 1 - sigmoid(x), **close)
    np.testing.assert_allclose(tanh(-x), -tanh(x), **close)
    np.testing.assert_allclose(tanh(x), 2 * sigmoid(2 * x) - 1, **close)


@given(points)
def test_gates_open_on_one_side_as_far_as_they_close_on_the_other(x):
    for f in (relu, gelu, silu):
        np.testing.assert_allclose(f(x) - f(-x), x, **close)
    np.testing.assert_allclose(softplus(x, threshold=99) - softplus(-x, threshold=99), x, **close)


@given(points, st.floats(0.01, 100))
def test_rectifiers_commute_with_a_positive_scale(x, scale):
    for f in (relu, leaky_relu):
        np.testing.assert_allclose(f(scale * x), scale * f(x), rtol=1e-12, atol=1e-300)


@given(points, st.floats(0.1, 10))
def test_softplus_lies_above_relu_by_at_most_log_2_over_beta(x, beta):
    gap = softplus(x, beta=beta) - relu(x)
    assert (gap >= -1e-15).all() and (gap <= np.log(2) / beta + 1e-15).all()


@given(points)
def test_the_tanh_formula_is_close_to_the_exact_gelu(x):
    assert np.abs(gelu(x, approximate="tanh") - gelu(x)).max() < 5e-4


@given(points, st.floats(0.1, 3))
def test_elu_stays_above_minus_alpha(x, alpha):
    y = elu(x, alpha=alpha)
    assert (y >= -alpha).all() and (y[x > 0] == x[x > 0]).all()


@given(rows, numbers, st.sampled_from([0, 1, -1]))
def test_softmax_gives_shares_that_no_common_shift_changes(x, shift, dim):
    y = softmax(x, dim)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=dim), 1, **close)
    np.testing.assert_allclose(softmax(x + shift, dim), y, **close)
    np.testing.assert_allclose(np.exp(log_softmax(x, dim)), y, **close)


@given(rows)
def test_gradients_through_softmax_sum_to_zero(x):
    grad = in_numpy.softmax_backward(np.cos(x), x, 1)
    np.testing.assert_allclose(grad.sum(axis=1), 0, **close)


@given(st.floats(-50, 50))
def test_softmax_of_two_scores_is_a_sigmoid(x):
    np.testing.assert_allclose(softmax(np.array([x, 0.0]), 0)[0], sigmoid(np.array(x)), **close)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PLAIN)
def test_nothing_overflows(name, dtype):
    x = np.array([-1000, -100, -30, 0, 30, 100, 1000], dtype)
    f, backward = core.find(f"activations.{name}", "in_numpy"), getattr(in_numpy, f"{name}_backward")
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(f(x)).all() and np.isfinite(backward(x, x)).all()


def test_a_masked_score_gets_no_share():
    x = np.array([[1.0, -np.inf, 2.0]])
    assert softmax(x, 1)[0, 1] == 0 and log_softmax(x, 1)[0, 1] == -np.inf
    np.testing.assert_allclose(softmax(x, 1)[:, [0, 2]], softmax(x[:, [0, 2]], 1), rtol=1e-15)


@pytest.mark.parametrize("module, x", [(in_numpy, np.zeros(2)), (in_torch, torch.zeros(2))])
def test_wrong_calls_say_what_was_expected(module, x):
    with pytest.raises(ValueError, match="min_val is 1, max_val -1; expected min_val <= max_val"):
        module.hardtanh(x, 1, -1)
    with pytest.raises(ValueError, match="softplus: beta is 0; expected > 0"):
        module.softplus(x, beta=0)
    with pytest.raises(ValueError, match="approximate is 'erf'; expected one of 'none', 'tanh'"):
        module.gelu(x, approximate="erf")
    with pytest.raises(NotImplementedError, match="inplace=True"):
        module.elu(x, inplace=True)
    with pytest.raises((ValueError, IndexError), match="5"):
        module.softmax(x, 5)


def test_hardtanh_may_be_flat():
    assert hardtanh(np.array([-1.0, 0.0, 3.0]), 2.0, 2.0).tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", ["relu", "hardtanh"])
def test_a_flat_side_passes_nothing_not_even_of_an_infinite_gradient(name):
    x = torch.tensor([-1000.0, -1.5, 0.5, 1000.0], dtype=torch.float64, requires_grad=True)
    infinite = torch.full_like(x, np.inf)
    theirs = torch.autograd.grad(in_torch.official[name](x), x, infinite)[0]
    ours = getattr(in_numpy, f"{name}_backward")(infinite.numpy(), x.detach().numpy())
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 20])
def test_relu_does_not_hide_a_network_that_has_diverged(size):
    """NaN is not on the flat side, in torch neither."""
    x, grad_output = np.full(size, np.nan), np.full(size, 3.0)
    assert np.isnan(relu(x)).all() and (in_numpy.relu_backward(grad_output, x) == 3).all()
    for f in (in_torch.relu, in_torch.official["relu"]):
        inputs = torch.tensor(x, requires_grad=True)
        y = f(inputs)
        y.backward(torch.from_numpy(grad_output))
        assert y.isnan().all() and (inputs.grad == 3).all()


@pytest.mark.parametrize(
    "state, broken",
    [
        ({}, "nothing"),
        (dict(shift=-742.0), "exp(x) / sum"),  # not NaN, but its digits are gone
        (dict(shift=-101.0, precision="float32"), "exp(x) / sum"),
        (dict(shift=-1000.0), "exp(x) / sum"),
        (dict(scale=300.0), "log(softmax)"),
        (dict(scale=300.0, shift=200.0), "exp(x) / sum, log(softmax)"),
    ],
    ids=str,
)
def test_the_explorer_of_softmax_says_what_breaks(state, broken):
    explorer = explore("activations.competition", **state)
    explorer.update()
    note = explorer._note(explorer.values, explorer.result)
    assert note == f"breaks: {broken}; softmax and log_softmax never do"
