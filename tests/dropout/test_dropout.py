"""Laws of dropout: expectations over all masks, relatives that agree, and PyTorch's own random masks."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from nnlib.dropout import in_numpy as d
from nnlib.dropout import in_torch
from nnlib.dropout.experiments import ask, error, forest, grow, some_digits
from nnlib.layers.dropout import keep_mask

probabilities = st.floats(0, 0.95)
values = st.lists(st.floats(-100, 100), min_size=1, max_size=4).map(np.array)


def every_mask(size, p):
    """All masks of a size, each with its probability."""
    for bits in itertools.product((True, False), repeat=size):
        yield np.array(bits), (1 - p) ** sum(bits) * p ** (size - sum(bits))


@given(values, probabilities)
def test_the_expected_value_over_all_masks_is_x(x, p):
    mean = sum(weight * d.dropout(x, mask, p) for mask, weight in every_mask(x.size, p))
    np.testing.assert_allclose(mean, x, rtol=1e-9, atol=1e-9)


@given(values, probabilities)
def test_the_variance_over_all_masks_is_x_squared_times_p_over_1_minus_p(x, p):
    squares = sum(weight * (d.dropout(x, mask, p) - x) ** 2 for mask, weight in every_mask(x.size, p))
    np.testing.assert_allclose(squares, x**2 * p / (1 - p), rtol=1e-9, atol=1e-9)


@given(probabilities)
def test_alpha_dropout_keeps_mean_0_and_variance_1(p):
    x = np.array([-1.5, -0.5, 0.5, 1.5]) / 1.25**0.5  # mean 0, variance 1
    both = [(d.alpha_dropout(x, np.full(4, keep), p), w) for keep, w in ((True, 1 - p), (False, p))]
    mean = sum(w * y.mean() for y, w in both)
    variance = sum(w * ((y - mean) ** 2).mean() for y, w in both)
    assert abs(mean) < 1e-9 and abs(variance - 1) < 1e-9


def test_the_floor_is_selus_lowest_value():
    assert d.SELU_FLOOR == pytest.approx(-float(F.selu(torch.tensor(-1e3, dtype=torch.float64))), rel=1e-12)


def test_relatives_agree_where_their_masks_do():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 2, 2))
    channels, rows = rng.random((4, 3)) >= 0.4, rng.random(4) >= 0.4
    spread = np.broadcast_to(channels[:, :, None, None], x.shape)
    np.testing.assert_array_equal(d.dropout2d(x, channels, 0.4), d.dropout(x, spread, 0.4))
    np.testing.assert_array_equal(d.feature_alpha_dropout(x, channels, 0.4), d.alpha_dropout(x, spread, 0.4))
    same = np.broadcast_to(rows[:, None], (4, 3))
    np.testing.assert_array_equal(d.stochastic_depth(x, rows, 0.4), d.dropout2d(x, same, 0.4))
    inputs, weight = rng.normal(size=(5, 3)), rng.normal(size=(2, 3))
    units = rng.random(3) >= 0.4  # weights of one input dropped together: the input is dropped
    connect = d.dropconnect(inputs, weight, None, np.tile(units, (2, 1)), 0.4)
    dropped = d.dropout(inputs, np.tile(units, (5, 1)), 0.4) @ weight.T
    np.testing.assert_allclose(connect, dropped, rtol=1e-12)


RANDOM = {
    "dropout": (lambda x, p: F.dropout(x, p), (6, 5), (6, 5)),
    "dropout1d": (lambda x, p: F.dropout1d(x, p), (6, 5, 4), (6, 5)),
    "dropout2d": (lambda x, p: F.dropout2d(x, p), (6, 5, 2, 2), (6, 5)),
    "alpha_dropout": (lambda x, p: F.alpha_dropout(x, p, training=True), (6, 5), (6, 5)),
    "feature_alpha_dropout": (lambda x, p: F.feature_alpha_dropout(x, p, training=True), (6, 5, 4), (6, 5)),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_library_with_the_mask_that_it_drew_itself(name, p):
    """Its mask shows on ones; with the same seed it draws the same for x. Forward and gradient."""
    op, shape, entries = RANDOM[name]
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        on_ones = op(torch.ones(shape, dtype=torch.float64), p)
        torch.manual_seed(2)
        theirs = op(x, p)
    kept = on_ones > 0 if p in (0, 1) else on_ones > on_ones.mean()
    mask = kept.flatten(len(entries)).all(-1) if len(shape) > len(entries) else kept
    theirs.backward(torch.arange(theirs.numel(), dtype=torch.float64).reshape(shape))
    f, backward = getattr(d, name), getattr(d, f"{name}_backward")
    grad_output = np.arange(x.numel(), dtype=float).reshape(shape)
    np.testing.assert_allclose(f(x.detach().numpy(), mask.numpy(), p), theirs.detach().numpy(), atol=1e-12)
    grad = backward(grad_output, x.detach().numpy(), mask.numpy(), p)[0]
    np.testing.assert_allclose(grad, x.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", RANDOM)
def test_dropping_hides_no_nan(name, value):
    """0 times NaN or infinity is NaN: what diverged shows in all versions, whether it was dropped or kept."""
    _, shape, entries = RANDOM[name]
    x, mask = np.ones(shape), np.random.default_rng(0).random(entries) >= 0.5
    x[0, :2], mask[0, :2] = value, (True, False)
    with np.errstate(invalid="ignore"):
        y = getattr(d, name)(x, mask)
    assert np.isnan(y[0, 1]).all() and np.isfinite(y[1:]).all()
    grad_x, _ = getattr(d, f"{name}_backward")(np.ones(shape), x, mask)
    for version in (getattr(in_torch, name), in_torch.official[name]):
        given = torch.tensor(x, requires_grad=True)
        theirs = version(given, torch.tensor(mask), 0.5, True)
        theirs.backward(torch.ones(shape))
        np.testing.assert_allclose(theirs.detach(), y, atol=1e-12)
        np.testing.assert_allclose(given.grad, grad_x, atol=1e-12)


def test_the_official_operation_is_given_our_mask_and_no_other():
    x, rng = torch.randn(4, 5, dtype=torch.float64), np.random.default_rng(0)
    mask = torch.from_numpy(rng.random((4, 5)) >= 0.5)
    state = torch.get_rng_state()
    y = in_torch.official["dropout"](x, mask, 0.5, True)
    assert torch.equal(y != 0, mask) and torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="none fits the mask"):
        in_torch.official["dropout"](x, mask, 0.0, True)  # p = 0 drops nothing, so no draw looks like this


def test_masks_keep_the_share_1_minus_p():
    rng = np.random.default_rng(0)
    for p in (0.0, 0.1, 0.5, 1.0):
        share = keep_mask((100_000,), p, rng).mean()
        assert abs(share - (1 - p)) < 5 * (p * (1 - p) / 100_000) ** 0.5 + 1e-12


# ------------------------------------------------------------------------------------------------- trees


def test_a_tree_takes_the_best_split():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), np.eye(2)[rng.integers(0, 2, 30)]

    def left_over(f, cut):
        sides = (y[x[:, f] < cut], y[x[:, f] >= cut])
        return sum(((side - side.mean(axis=0)) ** 2).sum() for side in sides)

    cuts = [(f, (a + b) / 2) for f in range(3) for a, b in itertools.pairwise(np.sort(x[:, f]))]
    f, cut, *_ = grow(x, y, rng, features=3)
    assert left_over(f, cut) == pytest.approx(min(left_over(*c) for c in cuts))


def test_a_full_tree_knows_its_training_data_and_copes_with_equal_rows():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 3, (40, 4)).astype(float), rng.normal(size=(40, 1))
    answers = ask(grow(x, y, rng, features=4), x)
    for row in x:
        same = (x == row).all(axis=1)
        np.testing.assert_allclose(answers[same], y[same].mean(axis=0)[None].repeat(same.sum(), 0))
    leaves = ask(grow(x, y, rng, features=4, smallest=7), x)
    assert np.unique(leaves, return_counts=True)[1].min() >= 7


@pytest.mark.slow
def test_the_forest_is_as_good_as_scikit_learns():
    from sklearn.ensemble import RandomForestClassifier

    gaps = []
    for seed in range(3):
        x, y, x_test, y_test = some_digits(300, seed)
        trees = forest(x, np.eye(10)[y], np.random.default_rng(seed))
        ours = error(np.mean([ask(tree, x_test) for tree in trees], axis=0), y_test)
        theirs = RandomForestClassifier(100, random_state=seed).fit(x, y).predict(x_test)
        gaps.append(ours - 100 * (theirs != y_test).mean())
    assert abs(np.mean(gaps)) < 2
