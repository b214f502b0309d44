"""The drawing of a graph: nothing overlaps, everything runs from left to right."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib import figures
from nnlib.autograd.explorers import EXPRESSIONS, _apart, draw_graph, layout
from nnlib.autograd.in_numpy import Tensor
from nnlib.explorer import explore


def random_graph(rng, size):
    nodes = [Tensor(rng.normal(), "x"), Tensor(rng.normal(), "y")]
    for _ in range(size):
        a, b = rng.choice(len(nodes), 2)
        nodes.append(nodes[a] * nodes[b] if rng.random() < 0.6 else nodes[a].tanh())
    return nodes[-1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 14))
def test_boxes_keep_apart_and_edges_run_to_the_right(seed, size):
    output = random_graph(np.random.default_rng(seed), size)
    places, edges = layout(output)
    assert set(places) == set(output.order())
    for (xa, ya), (xb, yb) in itertools.combinations(places.values(), 2):
        assert xa != xb or abs(ya - yb) > 0.999
    for (parent, child, k), points in edges.items():
        assert child.parents[k] is parent
        assert [points[0], points[-1]] == [places[parent], places[child]]
        assert (np.diff([x for x, _ in points]) == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_neighbors_move_no_more_than_they_must(wanted):
    wanted = sorted(wanted)
    found = np.array(_apart(wanted))
    assert (np.diff(found) > 1 - 1e-9).all()
    assert found.mean() == pytest.approx(np.mean(wanted), abs=1e-9)
    spread = np.array(wanted)
    if (np.diff(spread) >= 1).all():
        np.testing.assert_allclose(found, spread, atol=1e-9)


def test_a_drawing_shows_values_and_gradients():
    x = Tensor(2.0, "x")
    f = (3 * x) * x**2
    f.backward()
    ax = figures.axes(figures.figure())
    parts = draw_graph(ax, f)
    _, name, value, gradient = parts["nodes"][x]
    assert [t.get_text() for t in (name, value, gradient)] == ["x", "2", "36"]
    assert len(parts["edges"]) == 4 and len(parts["nodes"]) == 4


def test_a_tensor_used_twice_by_one_operation_has_two_edges():
    x = Tensor(np.ones((2, 2)), "x")
    parts = draw_graph(figures.axes(figures.figure()), x @ x)
    first, second = (line.get_ydata() for line, *_ in parts["edges"].values())
    assert np.abs(first - second).max() > 0.1


def test_a_slope_of_zero_has_no_sign_and_an_error_of_zero_is_said_to_be_zero():
    zero = explore("autograd.graph", x=0.0, y=-3.0)
    assert zero._note(zero.values, zero.result).startswith("f = 0 ")
    exact = explore("autograd.step_size", function="x³", scheme="complex", h=1e-12)
    assert "the least is 0, at h" in exact._note(exact.values, exact.result)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_explorers_expressions_take_torch_tensors(expression):
    import torch

    x, y = torch.tensor([0.7, -1.2], dtype=torch.float64)
    ours = EXPRESSIONS[expression](Tensor(0.7), Tensor(-1.2))
    assert ours.item() == pytest.approx(EXPRESSIONS[expression](x, y).item())
