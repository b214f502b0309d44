"""Laws of whole sequences, which hold for every cell."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib import core
from nnlib.data import KINDS, names
from nnlib.recurrent import in_numpy, in_torch
from nnlib.recurrent.experiments import ALPHABET, adding_problem, encode, start

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
seeds = st.integers(0, 2**32 - 1)


def sequence(kind, seed, steps=6, rows=3):
    """A function of x and its states, inputs and first states."""
    rng = np.random.default_rng(seed)
    params = start(rng, GATES[kind], 2, 4)
    state = [rng.normal(size=(rows, 4)) for _ in range(2 if kind == "lstm" else 1)]

    def run(x, state, **settings):
        y, *final = getattr(in_numpy, kind)(x, *state, *params, **settings)
        return y, final

    return run, rng.normal(size=(steps, rows, 2)), state


def equal(a, b):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", GATES)
@settings(max_examples=15)
@given(seed=seeds, cut=st.integers(1, 5))
def test_a_sequence_in_two_pieces_is_the_sequence_if_the_state_goes_on(kind, seed, cut):
    run, x, state = sequence(kind, seed)
    y, final = run(x, state)
    first, middle = run(x[:cut], state)
    second, last = run(x[cut:], middle)
    equal(np.concatenate([first, second]), y)
    equal(last, final)


@pytest.mark.parametrize("kind", GATES)
@settings(max_examples=15)
@given(seed=seeds, lengths=st.lists(st.integers(1, 6), min_size=3, max_size=3), reverse=st.booleans())
def test_each_sequence_is_as_if_read_alone_whatever_stands_behind_its_end(kind, seed, lengths, reverse):
    run, x, state = sequence(kind, seed)
    for n, length in enumerate(lengths):
        x[length:, n] = np.nan
    y, final = run(x, state, lengths=np.array(lengths), reverse=reverse)
    for n, length in enumerate(lengths):
        alone, last = run(x[:length, n : n + 1], [s[n : n + 1] for s in state], reverse=reverse)
        equal(y[:length, n], alone[:, 0])
        assert not y[length:, n].any()
        equal([s[n] for s in final], [s[0] for s in last])


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("reverse", [False, True])
def test_no_gradient_sees_what_stands_behind_an_end(kind, reverse):
    rng, x = np.random.default_rng(0), np.random.default_rng(1).normal(size=(4, 3, 2))
    given = [rng.normal(size=(3, 4)) for _ in range(2 if kind == "lstm" else 1)]
    given += [*start(rng, GATES[kind], 2, 4), np.array([2, 4, 1]), reverse]
    f, backward = getattr(in_numpy, kind), getattr(in_numpy, f"{kind}_backward")
    filled = [np.where(np.arange(4)[:, None, None] < given[-2][:, None], x, fill) for fill in (0, np.nan)]
    grads = [backward(core.grad_outputs(f(v, *given)), v, *given)[:-1] for v in filled]
    for zeros, unknown in zip(*grads, strict=True):
        np.testing.assert_array_equal(unknown, zeros)


def test_relu_has_slope_0_at_0_in_all_versions():
    x, zeros = np.ones((2, 3)), [np.zeros(s) for s in ((2, 4), (4, 3), (4, 4), (4,), (4,))]
    mine = in_numpy.rnn_cell_backward(np.ones((2, 4)), x, *zeros, nonlinearity="relu")
    for f in (in_torch.rnn_cell, in_torch.official["rnn_cell"]):
        leaves = [torch.from_numpy(v).requires_grad_() for v in (x, *zeros)]
        f(*leaves, "relu").sum().backward()
        for a, leaf in zip(mine, leaves, strict=True):
            assert not a.any() and not leaf.grad.any()


@pytest.mark.parametrize("kind", GATES)
@settings(max_examples=15)
@given(seed=seeds)
def test_backwards_is_forwards_on_the_reversed_sequence(kind, seed):
    run, x, state = sequence(kind, seed)
    (y, final), (other, last) = run(x, state, reverse=True), run(x[::-1].copy(), state)
    equal(y, other[::-1])
    equal(final, last)


@pytest.mark.parametrize("kind", ["rnn", "gru"])
@settings(max_examples=15)
@given(seed=seeds)
def test_what_is_shown_stays_within_one(kind, seed):
    run, x, state = sequence(kind, seed)
    y, _ = run(100 * x, [np.tanh(s) for s in state])
    assert np.abs(y).max() <= 1


def test_an_open_forget_gate_keeps_and_a_closed_one_empties_the_cell():
    x, h, c = np.zeros((1, 1)), np.zeros((1, 1)), np.array([[3.0]])
    for bias, kept in ((50, 3.0), (-50, 0.0)):
        weights = np.zeros((4, 1)), np.zeros((4, 1)), np.array([-50.0, bias, 0, 0]), np.zeros(4)
        assert in_numpy.lstm_cell(x, h, c, *weights)[1].item() == pytest.approx(kept, abs=1e-12)


def test_the_adding_problem_marks_one_number_in_each_half():
    x, y = adding_problem(500, 20, np.random.default_rng(0))
    assert x.shape == (500, 20, 2) and y.shape == (500, 1)
    assert (x[:, :10, 1].sum(axis=1) == 1).all() and (x[:, 10:, 1].sum(axis=1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(axis=1), y[:, 0], rtol=1e-6)
    assert ((y - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.15)


def test_a_letter_is_read_before_it_is_asked_for():
    x, y = encode(["gold", "tin"])
    assert "".join(ALPHABET[k] for k in x[0].argmax(axis=1)) == ".gold"
    assert "".join(ALPHABET[k] for k in y[0]) == "gold." and list(y[1, 4:]) == [-100]
    assert set("".join(names().names)) <= set(ALPHABET[1:]) and len(KINDS) == 3
