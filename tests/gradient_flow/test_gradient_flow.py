"""Laws of clipping, of products of Jacobians and of paths around layers; what the explorers compute."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nnlib.backprop.in_numpy import deep_mlp, deep_mlp_backward
from nnlib.gradient_flow import explorers, in_numpy, in_torch
from nnlib.gradient_flow.in_numpy import (
    cliff,
    cliff_backward,
    clip_grad_norm,
    clip_grad_value,
    get_total_norm,
    highway,
    highway_backward,
    jacobian_product,
    preact_block,
    residual_block,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


# ------------------------------------------------------------------------------------------- clipping


@few
@given(seed=seeds, max_norm=st.floats(1e-3, 1e3), norm_type=st.sampled_from([1.0, 2.0, 3.0, np.inf]))
def test_clipping_by_norm_shortens_and_does_not_turn(seed, max_norm, norm_type):
    rng = np.random.default_rng(seed)
    grads = rng.normal(size=7) * 10 ** rng.uniform(-3, 3)
    clipped, norm = clip_grad_norm(grads, max_norm, norm_type)
    assert get_total_norm(clipped, norm_type) <= max_norm * (1 + 1e-12)
    assert get_total_norm(clipped, norm_type) <= norm * (1 + 1e-12)
    cosine = clipped @ grads / np.linalg.norm(clipped) / np.linalg.norm(grads)
    assert cosine == pytest.approx(1, abs=1e-12)
    if norm < 0.999 * max_norm - 1e-6:
        np.testing.assert_array_equal(clipped, grads)


@few
@given(seed=seeds, limit=st.floats(1e-3, 1e3))
def test_clipping_by_value_leaves_what_is_inside_and_is_done_once(seed, limit):
    grads = np.random.default_rng(seed).normal(0, 30, size=9)
    clipped = clip_grad_value(grads, limit)
    inside = np.abs(grads) <= limit
    np.testing.assert_array_equal(clipped[inside], grads[inside])
    np.testing.assert_array_equal(np.abs(clipped[~inside]), limit)
    np.testing.assert_array_equal(clip_grad_value(clipped, limit), clipped)


def test_one_long_vector_is_what_torch_makes_of_a_list():
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=shape) for shape in ((3, 4), (4,), (2, 2, 2))]
    parameters = [nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in grads]
    for parameter, g in zip(parameters, grads):
        parameter.grad = torch.tensor(g)
    norm = nn.utils.clip_grad_norm_(parameters, 1.5)
    mine, total_norm = clip_grad_norm(np.concatenate([g.ravel() for g in grads]), 1.5)
    np.testing.assert_allclose(total_norm, norm)
    np.testing.assert_allclose(mine, torch.cat([p.grad.ravel() for p in parameters]))


@pytest.mark.parametrize("values", [[1e20, 1.0], [np.inf, 1.0], [np.nan, 1.0]], ids=str)
def test_a_norm_that_float32_cannot_hold_does_what_it_does_in_torch(values):
    grads = np.array(values, np.float32)
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor(grads)
    norm = nn.utils.clip_grad_norm_([parameter], 1.0)
    mine, total_norm = clip_grad_norm(grads, 1.0)
    np.testing.assert_array_equal(mine, parameter.grad)
    np.testing.assert_array_equal(total_norm, norm)
    for f, made in ((clip_grad_norm, grads), (in_torch.clip_grad_norm, torch.tensor(grads))):
        with pytest.raises(RuntimeError, match="expected a finite one"):
            f(made, 1.0, error_if_nonfinite=True)
    parameter.grad = torch.tensor(grads)
    with pytest.raises(RuntimeError):
        nn.utils.clip_grad_norm_([parameter], 1.0, error_if_nonfinite=True)


# ------------------------------------------------------------------------------ products and paths


@few
@given(seed=seeds, layers=st.integers(1, 6))
def test_the_jacobian_is_what_backpropagation_multiplies_with(seed, layers):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(2, 4))
    weight, bias = rng.normal(size=(layers, 4, 4)), rng.normal(size=(layers, 4))
    jacobian = jacobian_product(x, weight, bias)
    back = deep_mlp_backward(g[None], x[None], weight, bias)[0][0]
    np.testing.assert_allclose(g @ jacobian, back, rtol=1e-10, atol=1e-13)
    step = 1e-6 * rng.normal(size=4)
    change = deep_mlp((x + step)[None], weight, bias) - deep_mlp((x - step)[None], weight, bias)
    np.testing.assert_allclose(2 * jacobian @ step, change[0], atol=1e-11)


@few
@given(seed=seeds)
def test_a_block_without_a_second_layer_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    x, weight1, bias1 = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    nothing = np.zeros((3, 4)), np.zeros(3)
    np.testing.assert_array_equal(preact_block(x, weight1, bias1, *nothing), x)
    np.testing.assert_array_equal(residual_block(x, weight1, bias1, *nothing), np.maximum(x, 0))


@few
@given(seed=seeds)
def test_a_gate_chooses_between_the_layer_and_its_input(seed):
    rng = np.random.default_rng(seed)
    x, g, weight, gate = rng.normal(size=(4, 3, 3))
    bias, shut = rng.normal(size=3), np.full(3, -1000.0)
    np.testing.assert_array_equal(highway(x, weight, bias, gate, shut), x)
    np.testing.assert_array_equal(highway_backward(g, x, weight, bias, gate, shut)[0], g)
    np.testing.assert_array_equal(highway(x, weight, bias, gate, -shut), np.tanh(x @ weight.T + bias))


@pytest.mark.parametrize("name", ["residual_block", "preact_block"])
def test_where_a_relu_gets_exactly_0_all_versions_pass_nothing(name):
    """Dark pixels and biases of 0: central differences cannot tell, so the versions tell each other."""
    rng = np.random.default_rng(0)
    x, g = rng.integers(-1, 2, (2, 6, 3)).astype(float)
    x[0] = 0
    arrays = x, rng.normal(size=(4, 3)), np.zeros(4), rng.normal(size=(3, 4)), np.zeros(3)
    mine = getattr(in_numpy, f"{name}_backward")(g, *arrays)
    for version in (getattr(in_torch, name), in_torch.official[name]):
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        theirs = torch.autograd.grad(version(*tensors), tensors, torch.tensor(g))
        for one, other in zip(mine, theirs):
            np.testing.assert_allclose(one, other, atol=1e-12)


# ------------------------------------------------------------------------------------------ explorers


@few
@given(w=st.floats(-8, 8), b=st.floats(-8, 8))
def test_the_explorer_walks_on_the_cliff(w, b):
    loss, *grad = explorers._cliff_slope(w, b)
    point = np.array([[w, b]])
    assert loss == pytest.approx(cliff(point)[0], rel=1e-9, abs=1e-15)
    np.testing.assert_allclose(grad, cliff_backward(np.ones(1), point)[0], rtol=1e-6, atol=1e-12)


def test_in_a_wide_linear_network_only_the_scale_decides():
    """Scale s multiplies the gradient by about s in every layer, and the signal too: their product stays."""
    for scale in (0.5, 1.0, 2.0):
        signal, gradient, weights, _ = explorers._pass(40, "linear", scale, 0.0, "plain", "float64", 0)
        assert (signal[-1] / signal[0]) ** (1 / 40) == pytest.approx(scale, rel=0.1)
        assert (gradient[0] / gradient[-1]) ** (1 / 40) == pytest.approx(scale, rel=0.1)
        assert 0.1 < weights[0] / weights[-1] < 10


def test_what_the_number_format_cannot_hold_becomes_zero_or_infinite():
    with np.errstate(all="ignore"):
        vanished = {f: explorers._pass(60, "sigmoid", 1.0, 0.1, "plain", f, 0) for f in explorers.FORMATS}
        exploded = explorers._pass(100, "relu", 4.0, 0.1, "plain", "float32", 0)
    assert vanished["float16"][1][0] == vanished["float16"][2][0] == 0
    assert vanished["float64"][1][0] > 0
    assert np.isinf(exploded[0]).any() and np.isnan(exploded[1]).all()
    assert explorers._size(0.0) == "exactly 0" and explorers._size(np.inf) == "infinite"
    sizes = {2.3e-7: "2·10⁻⁷", 0.0123: "0.012", 9.97: "10", 99.6: "100", 150.4: "150", 4000: "4·10³"}
    assert {value: explorers._size(value) for value in sizes} == sizes


def test_the_gradient_can_grow_although_all_eigenvalues_are_inside_the_circle():
    explorer = explorers.through_time()
    for matrix, grows in (("rotation", False), ("one-way", True)):
        explorer.update(matrix=matrix, rho=0.8)
        assert explorer.goal.met(explorer.values, explorer.result) == grows


def test_sigmoid_layers_make_all_digits_alike_and_only_large_weights_let_a_gradient_through():
    healthy, _, _, alike = explorers._pass(50, "sigmoid", 1.0, 0.1, "plain", "float64", 0)
    assert healthy[-1] > 0.3 and alike[-1] < 1e-9
    ratios = []
    for scale in (4.0, 10.0, 16.0):
        _, gradient, *_ = explorers._pass(50, "sigmoid", scale, 0.1, "plain", "float64", 0)
        ratios.append(gradient[0] / gradient[-1])
    assert ratios[0] < 1e-9 and 1e-3 < ratios[1] < 10 and ratios[2] > 100
