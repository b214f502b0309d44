"""Laws of the forward pass that notebook 03 relies on, and its three explorers."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnlib import data
from nnlib.explorer import explore
from nnlib.linear import explorers, in_numpy, in_torch
from nnlib.linear.explorers import pictures, shifted, signals, trained_2_6_6_1

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "03_forward.ipynb"
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


# ---------------------------------------------------------------------------------------- layers and networks


@given(seeds)
def test_a_layer_is_linear_but_for_its_bias(seed):
    x, z, weight, bias = drawn(seed, (4, 3), (4, 3), (5, 3), 5)
    together = in_numpy.linear(2 * x - z, weight, bias)
    apart = 2 * in_numpy.linear(x, weight) - in_numpy.linear(z, weight) + bias
    np.testing.assert_allclose(together, apart, atol=1e-12)


@given(seeds, st.sampled_from(["relu", "tanh", "sigmoid"]))
def test_rows_of_a_batch_never_meet(seed, activation):
    x, others, *weights = drawn(seed, (4, 3), (4, 3), (6, 3), 6, (2, 6), 2)
    others[1] = x[1]
    among, elsewhere = (in_numpy.mlp(rows, *weights, activation)[1] for rows in (x, others))
    alone = in_numpy.mlp(x[1], *weights, activation)
    np.testing.assert_allclose(among, elsewhere, atol=1e-12)
    np.testing.assert_allclose(among, alone, atol=1e-12)


@given(seeds, st.sampled_from(["relu", "tanh", "sigmoid"]))
def test_the_order_of_the_hidden_units_does_not_matter(seed, activation):
    x, weight1, bias1, weight2, bias2 = drawn(seed, (4, 3), (6, 3), 6, (2, 6), 2)
    order = np.random.default_rng(seed).permutation(6)
    y = in_numpy.mlp(x, weight1, bias1, weight2, bias2, activation)
    shuffled = in_numpy.mlp(x, weight1[order], bias1[order], weight2[:, order], bias2, activation)
    np.testing.assert_allclose(shuffled, y, atol=1e-12)


@given(seeds, st.floats(-1e3, 1e3))
def test_shares_of_a_row_add_up_to_one_and_know_no_shift(seed, shift):
    (x,) = drawn(seed, (4, 3))
    shares = in_numpy.output_head(x, "multiclass")
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(in_numpy.output_head(x + shift, "multiclass"), shares, rtol=1e-9)


def test_of_two_classes_the_share_is_the_sigmoid_of_the_difference():
    (x,) = drawn(0, (5, 2))
    shares = in_numpy.output_head(x, "multiclass")[:, :1]
    np.testing.assert_allclose(shares, in_numpy.output_head(x[:, :1] - x[:, 1:], "binary"), rtol=1e-12)


# ------------------------------------------------------------------------------------- weights set by hand


@given(seeds, st.integers(2, 12))
def test_the_network_goes_through_its_points_and_straight_between_them(seed, count):
    rng = np.random.default_rng(seed)
    knots, values = np.cumsum(rng.uniform(0.1, 1, count)), rng.normal(size=count)
    np.testing.assert_allclose(in_numpy.relu_interpolation(knots, knots, values), values, atol=1e-10)
    x = rng.uniform(knots[0] - 1, knots[-1], 20)
    np.testing.assert_allclose(
        in_numpy.relu_interpolation(x, knots, values), np.interp(x, knots, values), atol=1e-10
    )


def test_it_is_an_mlp_with_these_weights():
    x, values = drawn(1, 9, 4)
    knots = np.array([-1.0, -0.2, 0.5, 2.0])
    slopes = np.diff(values) / np.diff(knots)
    bends = np.append(slopes[:1], np.diff(slopes))
    y = in_numpy.mlp(x[:, None], np.ones((3, 1)), -knots[:-1], bends[None], values[:1])
    np.testing.assert_allclose(y[:, 0], in_numpy.relu_interpolation(x, knots, values), atol=1e-12)


def test_twice_the_units_a_quarter_of_the_error():
    x = np.linspace(0, 3, 2001)
    errors = []
    for units in (64, 128):
        knots = np.linspace(0, 3, units + 1)
        errors.append(np.abs(in_numpy.relu_interpolation(x, knots, np.sin(knots)) - np.sin(x)).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] <= (3 / 128) ** 2 / 8  # gap² / 8, times the largest second derivative, which is 1


def test_at_a_point_the_slope_is_the_one_on_its_left():
    """Both versions take it, as relu does at 0; before the first point it is 0."""
    x = np.array([0.0, 1.0, 3.0])
    arguments = x, x, np.array([0.0, 2.0, 1.0])
    grad_x, grad_knots, grad_values = in_numpy.relu_interpolation_backward(np.ones(3), *arguments)
    assert grad_x.tolist() == [0, 2, -0.5]
    tensors = [torch.tensor(v, requires_grad=True) for v in arguments]
    in_torch.relu_interpolation(*tensors).sum().backward()
    for own, tensor in zip((grad_x, grad_knots, grad_values), tensors):
        np.testing.assert_allclose(own, tensor.grad)


@pytest.mark.parametrize("knots", [[0.0, 0.0, 1.0], [1.0, 0.0], [0.0]], ids=str)
def test_points_out_of_order_are_refused_by_both(knots):
    arguments = np.zeros(2), np.array(knots), np.zeros(len(knots))
    for f, given_ in (
        (in_numpy.relu_interpolation, arguments),
        (in_numpy.relu_interpolation_backward, (np.zeros(2), *arguments)),
        (in_torch.relu_interpolation, map(torch.from_numpy, arguments)),
    ):
        with pytest.raises(ValueError, match="knots are .*; expected at least 2, from left to right"):
            f(*given_)


# ----------------------------------------------------------------------------------------------- explorers


@functools.cache
def approximation():
    return explore("linear.approximation")


def error(**state):
    """With these controls turned, and the others where they start."""
    approximation().update(**approximation()._origin | state)
    return approximation().answer()


def test_more_units_fit_better_unless_they_are_polynomials():
    for bend in ("tanh", "sigmoid", "relu"):
        assert error(bend=bend, width=64) < 0.2 * error(bend=bend, width=4)
    for bend in ("x²", "x³", "none"):
        assert error(bend=bend, width=64) == pytest.approx(error(bend=bend, width=4), rel=1e-6)


def test_few_units_are_better_trained_and_many_better_solved():
    trained = explorers.METHODS[1]
    assert error(method=trained, width=6) < 0.6 * error(width=6)
    assert error(method=trained, width=64) > 10 * error(width=64)


def test_before_the_first_step_the_trained_network_says_zero():
    explorer = explore("linear.approximation", method=explorers.METHODS[1], steps=0)
    assert not explorer.result["fitted"].any()


@pytest.mark.parametrize("kind", ["moons", "circles", "xor", "blobs"])
def test_what_enters_a_unit_is_the_sum_of_its_lines(kind):
    explorer = explore("linear.signal", kind=kind, x1=-0.7, x2=0.9)
    layers, values = trained_2_6_6_1(kind, "tanh", 0), explorer.result["values"]
    for (weight, bias), parts, value, f in zip(
        layers, explorer.result["parts"], values[1:], (np.tanh, np.tanh, None)
    ):
        z = parts.reshape(weight.shape).sum(axis=1) + bias
        np.testing.assert_allclose(1 / (1 + np.exp(-z)) if f is None else f(z), value, atol=1e-12)


def test_the_networks_are_trained():
    for kind in explorers.signal().controls["kind"].options:
        x, y = getattr(data, kind)(200, 0.05, np.random.default_rng(7))
        answers = signals(x, trained_2_6_6_1(kind, "tanh", 0), "tanh")[-1][:, 0] > 0.5
        assert (answers == y).mean() > 0.97, kind
    explorer = explore("linear.digit")
    right = [explorer._compute(k, n, 0.0, 0, 0)["p"].argmax() == k for k in range(10) for n in range(20)]
    assert np.mean(right) > 0.93


def test_a_digit_leaves_the_picture_when_it_is_shifted():
    picture = pictures()[3, 0]
    assert np.array_equal(shifted(picture, 0), picture)
    right, left = shifted(picture, 2), shifted(picture, -1)
    assert np.array_equal(right[:, 2:], picture[:, :-2]) and not right[:, :2].any()
    assert np.array_equal(left[:, :-1], picture[:, 1:]) and not left[:, -1].any()


def test_a_unit_that_is_dead_everywhere_is_drawn_as_nothing():
    explorer = explore("linear.signal", activation="relu", kind="moons", seed=0, unit=5)
    np.testing.assert_array_equal(explorer.result["plane"], 0.5)


def test_a_digit_that_is_misread_anyway_does_not_meet_the_goal():
    explorer = explore("linear.digit", digit=1, example=8)
    assert explorer.result["p"].argmax() != 1
    explorer.update(silent=1)
    assert explorer.result["p"].argmax() != 1
    assert not explorer.goal.met(explorer.values, explorer.result)
    explorer.update(digit=3, example=0, silent=7)
    assert explorer.goal.met(explorer.values, explorer.result)


def test_a_silent_unit_is_silent_and_the_tiles_add_up():
    loud, silent = (explore("linear.digit", silent=unit).result for unit in (0, 7))
    assert loud["h1"][6] > 0 == silent["h1"][6]
    (_, bias), *_ = explorers.trained_reader()
    sums = np.maximum(loud["parts"].sum(axis=(1, 2)) + bias, 0)
    np.testing.assert_allclose(sums, loud["h1"], atol=1e-12)
    assert loud["p"].argmax() == 3 != silent["p"].argmax()  # as notebook 03 says


# --------------------------------------------------------------------------------------------- notebook 03


def test_no_check_of_the_notebook_says_false_where_the_text_says_true():
    """Comparisons of times are the only ones that could differ between machines."""
    cells = {cell["id"]: cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]}
    for name in ("problem-times", "numpy-ladder", "practice-batch-run"):
        text = "".join("".join(output["text"]) for output in cells[name]["outputs"])
        assert "True" in text and "False" not in text
