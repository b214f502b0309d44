"""Laws of backpropagation, the comparison line by line, and the program that the slow motion shows."""

import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.backprop import explorers, in_torch
from nnlib.backprop.experiments import compare
from nnlib.backprop.in_numpy import (
    deep_mlp,
    deep_mlp_backward,
    mlp_loss,
    mlp_loss_backward,
    residual_mlp_backward,
    tanh_layer_backward,
    tied_mlp_backward,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def network(seed, n=5, d=4, h=3, k=3):
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=shape) for shape in ((h, d), (h,), (k, h), (k,))]
    return rng.normal(size=(n, d)), params, rng.integers(k, size=n)


# ----------------------------------------------------------------------------------------------- laws


def test_at_the_kink_every_version_has_slope_0():
    """A unit that is exactly 0, as with a bias and an input of 0, passes nothing back."""
    args = [np.array(a) for a in ([[1.0, 2.0], [0.0, 0.0]], [[2.0, -1.0]], [0.0], [[3.0], [5.0]], [0.5, 0.5])]
    expected = residual_mlp_backward(np.ones((2, 2)), *args)
    for version in (in_torch.residual_mlp, in_torch.official["residual_mlp"]):
        inputs = [torch.from_numpy(a).requires_grad_() for a in args]
        version(*inputs).sum().backward()
        for ours, theirs in zip(expected, inputs, strict=True):
            np.testing.assert_array_equal(ours, theirs.grad)


@few
@given(seed=seeds)
def test_scores_that_all_rise_change_no_loss(seed):
    """Softmax ignores what all scores have in common, so their gradients add up to 0."""
    x, params, target = network(seed)
    grad_weight2, grad_bias2 = mlp_loss_backward(1.0, x, *params, target)[3:5]
    np.testing.assert_allclose(grad_bias2.sum(), 0, atol=1e-14)
    np.testing.assert_allclose(grad_weight2.sum(axis=0), 0, atol=1e-14)


@few
@given(seed=seeds, times=st.integers(2, 5))
def test_repeated_rows_leave_the_gradients_of_a_mean_as_they_are(seed, times):
    x, params, target = network(seed)
    once = mlp_loss_backward(1.0, x, *params, target)
    often = mlp_loss_backward(1.0, np.tile(x, (times, 1)), *params, np.tile(target, times))
    for a, b in zip(once[1:5], often[1:5]):
        np.testing.assert_allclose(a, b, atol=1e-13)
    np.testing.assert_allclose(often[0], np.tile(once[0], (times, 1)) / times, atol=1e-13)


@few
@given(seed=seeds)
def test_a_batch_of_one_row_at_a_time_adds_up(seed):
    x, params, target = network(seed)
    whole = mlp_loss_backward(1.0, x, *params, target)[1:5]
    rows = [mlp_loss_backward(1 / len(x), x[[i]], *params, target[[i]])[1:5] for i in range(len(x))]
    for i, grad in enumerate(whole):
        np.testing.assert_allclose(sum(row[i] for row in rows), grad, atol=1e-13)


@few
@given(seed=seeds)
def test_no_direction_of_the_same_length_lowers_the_loss_faster(seed):
    x, params, target = network(seed)
    grads = mlp_loss_backward(1.0, x, *params, target)[1:5]

    def fall(direction):
        scale = 1e-6 / np.sqrt(sum((d * d).sum() for d in direction))
        down = mlp_loss(x, *[p - scale * d for p, d in zip(params, direction)], target)
        return mlp_loss(x, *params, target) - down

    rng = np.random.default_rng(seed)
    best = fall(grads)
    assert all(fall([rng.normal(size=p.shape) for p in params]) <= best + 1e-10 for _ in range(10))


@few
@given(seed=seeds)
def test_a_tied_weight_gets_the_sum_of_what_two_weights_would_get(seed):
    rng = np.random.default_rng(seed)
    x, g, weight = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(3, 4))
    bias1, bias2 = rng.normal(size=3), rng.normal(size=4)
    h = np.tanh(x @ weight.T + bias1)
    _, encoder, _ = tanh_layer_backward(g @ weight.T, x, weight, bias1)
    tied = tied_mlp_backward(g, x, weight, bias1, bias2)[1]
    np.testing.assert_allclose(tied, encoder + h.T @ g, atol=1e-13)


# ------------------------------------------------------------------------------- remember or recompute


@few
@given(seed=seeds, layers=st.integers(1, 9), every=st.integers(1, 12))
def test_checkpoints_change_no_bit_of_the_gradient(seed, layers, every):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(2, 6, 3))
    weight, bias = rng.normal(size=(layers, 3, 3)), rng.normal(size=(layers, 3))
    for a, b in zip(deep_mlp_backward(g, x, weight, bias, every), deep_mlp_backward(g, x, weight, bias)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(deep_mlp(x, weight, bias, every), deep_mlp(x, weight, bias))


@pytest.mark.parametrize("layers, every", [(64, 1), (64, 3), (64, 8), (48, 64), (10, 4)])
def test_the_memory_that_the_explorer_counts_is_the_memory_that_is_taken(layers, every):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 512, 16))
    weight, bias = rng.normal(size=(layers, 16, 16)), rng.normal(size=(layers, 16))
    tracemalloc.start()
    deep_mlp_backward(g, x, weight, bias, every)
    taken = (tracemalloc.get_traced_memory()[1] - weight.nbytes - bias.nbytes) / x.nbytes
    tracemalloc.stop()
    assert explorers._peak(layers, every) <= taken < explorers._peak(layers, every) + 4


def test_the_goal_of_the_checkpoints_can_be_reached_near_the_root_only():
    explorer = explorers.checkpoints()
    met = []
    for every in (1, 3, 4, 8, 16, 64):
        explorer.update(every=every)
        if explorer.goal.met(explorer.values, explorer.result):
            met.append(every)
    assert met == [8]


# --------------------------------------------------------------------------------------- line by line


def lines(seed=0):
    """A layer and a loss by hand, and the same in torch."""
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(4, 3)), rng.normal(size=(2, 3))
    z = x @ weight.T
    y = np.tanh(z)
    mine = dict(z=z, y=y, loss=(y * y).sum(), grad_y=2 * y)
    mine["grad_z"] = mine["grad_y"] * (1 - y * y)
    mine["grad_weight"] = mine["grad_z"].T @ x
    theirs = dict(weight=torch.tensor(weight, requires_grad=True))
    theirs["z"] = F.linear(torch.tensor(x), theirs["weight"])
    theirs["y"] = torch.tanh(theirs["z"])
    theirs["loss"] = theirs["y"].square().sum()
    return mine, theirs


def after_backward(theirs):
    for tensor in theirs.values():
        tensor.retain_grad()
    theirs["loss"].backward()
    return theirs


def test_right_lines_agree():
    mine, theirs = lines()
    found = compare(mine, after_backward(theirs))
    assert found.first_wrong is None and all(line.approximate for line in found.lines)
    assert [line.name for line in found.lines] == list(mine)
    assert repr(found).startswith("✓ all lines agree · 6 lines") and "exact" in repr(found)
    assert "all lines agree" in found._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("name", ["z", "y", "loss", "grad_y", "grad_z", "grad_weight"])
@pytest.mark.parametrize("error", [1e-6, np.nan, "shape", "sign"])
def test_the_first_wrong_line_is_named(name, error):
    mine, theirs = lines()
    names = list(mine)
    for later in names[names.index(name) :]:  # what comes after a wrong line is wrong as well
        wrong = mine[later]
        wrong = (
            -wrong if error == "sign" else wrong[None] if error == "shape" else wrong + error * np.abs(wrong)
        )
        mine[later] = wrong
    found = compare(mine, after_backward(theirs))
    assert found.first_wrong == name
    assert [line.approximate for line in found.lines] == [n in names[: names.index(name)] for n in names]
    assert repr(found).startswith(f"✗ first wrong line: {name} ·")


def test_small_gradients_are_judged_by_their_own_size():
    """An error of half a gradient of 1e-9 is an error."""
    mine, theirs = lines()
    theirs["loss"] = 1e-9 * theirs["loss"]
    after_backward(theirs)
    mine |= {name: 1e-9 * mine[name] for name in ("loss", "grad_y", "grad_z", "grad_weight")}
    assert compare(mine, theirs).first_wrong is None
    assert compare(mine | dict(grad_z=1.5 * mine["grad_z"]), theirs).first_wrong == "grad_z"


def test_what_cannot_be_compared_says_why():
    mine, theirs = lines()
    with pytest.raises(LookupError, match="torch's side has no 'q'; it has weight, z, y, loss"):
        compare(dict(q=mine["z"]), theirs)
    with pytest.raises(LookupError, match=r"kept no gradient of 'z'; call its retain_grad\(\) first"):
        compare(dict(grad_z=mine["grad_z"]), theirs)
    with pytest.raises(LookupError, match=r"'weight' has no gradient; call loss.backward\(\)"):
        compare(dict(grad_weight=mine["grad_weight"]), theirs)
    with pytest.raises(ValueError, match="there are no lines"):
        compare({}, theirs)


# --------------------------------------------------------------------------------------- slow motion


@few
@given(seed=st.integers(0, 19), x1=st.floats(-2, 2), x2=st.floats(-2, 2), t=st.floats(-2.5, 2.5))
def test_every_line_of_the_slow_motion_is_autograds(seed, x1, x2, t):
    weights = explorers.weights_2_2_1(seed)
    shown = explorers._run(x1, x2, t, weights)
    v = {n: torch.tensor(float(a), dtype=torch.float64) for n, a in dict(weights, x1=x1, x2=x2, t=t).items()}
    for tensor in v.values():
        tensor.requires_grad_()
    v["z1"], v["z2"] = (v[f"w{i}1"] * v["x1"] + v[f"w{i}2"] * v["x2"] + v[f"b{i}"] for i in (1, 2))
    v["h1"], v["h2"] = torch.tanh(v["z1"]), torch.tanh(v["z2"])
    v["y"] = v["v1"] * v["h1"] + v["v2"] * v["h2"] + v["c"]
    v["L"] = (v["y"] - v["t"]) ** 2 / 2
    for tensor in v.values():
        tensor.retain_grad()
    v["L"].backward()
    for name, tensor in v.items():
        assert shown[name] == pytest.approx(float(tensor.detach()), abs=1e-14)
        if name != "t":  # whose gradient is not shown: nobody wants to change the target
            assert shown[f"grad_{name}"] == pytest.approx(float(tensor.grad), abs=1e-14)


def test_the_program_makes_every_gradient_after_what_it_reads():
    made = {"x1", "x2", "t", *explorers.WEIGHTS}
    for step in range(1, len(explorers.LINES) + 1):
        name, read = explorers._lit(step)
        assert read <= made, f"line {step} reads {read - made} before it is made"
        made.add(name)
    assert {f"∂{name}" for name in (*explorers.NODES, *explorers.WEIGHTS)} <= made


def test_the_target_alone_stops_all_gradients():
    explorer = explorers.slow_motion()
    for seed in range(0, 20, 4):
        explorer.update(seed=seed, target=1.0)
        explorer.update(target=round(explorer.result["values"]["y"], 2))
        assert explorer.goal.met(explorer.values, explorer.result)


def test_deep_tanh_networks_reach_the_goal_and_sigmoids_do_not():
    explorer = explorers.layer_gradients()
    for activation, reached in (("tanh", True), ("sigmoid", False)):
        explorer.update(depth=8, activation=activation)
        explorer.finish()
        assert explorer.goal.met(explorer.values, explorer.result) == reached
