"""Laws of the generated points: shapes, balance, determinism, and the geometry that each name promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.data import blobs, circles, moons, separable, spirals, xor

TOYS = {toy.__name__: toy for toy in (blobs, circles, moons, separable, spirals, xor)}
SMALLEST = {"xor": 4}

toys = st.sampled_from(sorted(TOYS))
sizes = st.integers(4, 300)
seeds = st.integers(0, 2**32 - 1)
amounts = st.floats(0, 0.9)


def rng(seed=0):
    return np.random.default_rng(seed)


@given(toys, sizes, amounts, seeds)
def test_shapes_and_types(name, n, amount, seed):
    x, y = TOYS[name](n, amount, rng(seed))
    assert x.shape == (n, 2) and x.dtype == np.float64 and np.isfinite(x).all()
    assert y.shape == (n,) and y.dtype == np.int64


@given(toys, sizes, amounts, seeds)
def test_classes_are_balanced(name, n, amount, seed):
    _, y = TOYS[name](n, amount, rng(seed))
    counts = np.bincount(y)
    assert len(counts) == 2 and np.ptp(counts) <= 1


@given(st.integers(1, 7), st.integers(0, 50), seeds)
def test_more_classes_are_balanced_too(classes, extra, seed):
    centers = np.arange(2 * classes).reshape(classes, 2)
    for _, y in (
        spirals(classes + extra, 0.1, rng(seed), classes=classes),
        blobs(classes + extra, 0.1, rng(seed), centers=centers),
    ):
        counts = np.bincount(y)
        assert len(counts) == classes and np.ptp(counts) <= 1


@given(toys, sizes, amounts, seeds)
def test_the_generator_decides_everything(name, n, amount, seed):
    x, y = TOYS[name](n, amount, rng(seed))
    again_x, again_y = TOYS[name](n, amount, rng(seed))
    assert np.array_equal(x, again_x) and np.array_equal(y, again_y)


@pytest.mark.parametrize("name", TOYS)
def test_another_seed_gives_other_points(name):
    x, y = TOYS[name](100, 0.1, rng(0))
    other_x, other_y = TOYS[name](100, 0.1, rng(1))
    assert not np.array_equal(y, other_y) and not np.isin(x, other_x).any()


@pytest.mark.parametrize("name", TOYS)
def test_labels_come_in_random_order(name):
    _, y = TOYS[name](1000, 0.1, rng())
    assert 400 < np.sum(y[1:] != y[:-1]) < 600  # sorted labels change once, alternating ones 999 times


@pytest.mark.parametrize("name", sorted(set(TOYS) - {"separable"}))
def test_noise_is_a_standard_deviation(name):
    """The generator draws the clean points first, so the same seed shows what the noise added."""
    clean, y = TOYS[name](20_000, 0, rng(3))
    noisy, same_y = TOYS[name](20_000, 0.25, rng(3))
    assert np.array_equal(y, same_y)
    step = noisy - clean
    assert np.allclose(step.mean(axis=0), 0, atol=0.01)
    assert np.allclose(np.cov(step.T), 0.25**2 * np.eye(2), atol=0.002)


@given(st.integers(1, 5), st.floats(0, 3), seeds)
def test_spirals_lie_on_their_arms(classes, turns, seed):
    x, y = spirals(200, 0, rng(seed), classes=classes, turns=turns)
    r = np.hypot(*x.T)
    assert r.max() <= 1 + 1e-12
    angle = 2 * np.pi * (turns * r + y / classes)
    assert np.allclose(x, r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-9)


@given(sizes, seeds)
def test_moons_are_half_circles(n, seed):
    x, y = moons(n, 0, rng(seed))
    upper, lower = x[y == 0] + (0.5, 0.25), x[y == 1] - (0.5, 0.25)
    assert np.allclose(np.hypot(*upper.T), 1) and upper[:, 1].min() >= -1e-12
    assert np.allclose(np.hypot(*lower.T), 1) and lower[:, 1].max() <= 1e-12


def test_the_plane_between_the_moons_is_not_cut_by_a_line():
    x, y = moons(400, 0, rng())
    design = np.column_stack([x, np.ones(len(x))])
    weights, *_ = np.linalg.lstsq(design, 2.0 * y - 1, rcond=None)
    assert 0.7 < np.mean((design @ weights > 0) == (y == 1)) < 1


@given(sizes, st.floats(0.01, 0.99), seeds)
def test_circles_have_their_radii(n, factor, seed):
    x, y = circles(n, 0, rng(seed), factor=factor)
    assert np.allclose(np.hypot(*x.T), np.where(y == 0, 1, factor))


@given(sizes, seeds)
def test_xor_tells_whether_signs_differ(n, seed):
    x, y = xor(n, 0, rng(seed))
    assert np.array_equal(abs(x), np.ones((n, 2)))
    assert np.array_equal(y, x[:, 0] * x[:, 1] < 0)
    assert len(np.unique(x, axis=0)) == 4


@given(sizes, seeds)
def test_blobs_sit_on_their_centers(n, seed):
    centers = np.array([(2.0, 3.0), (-1.0, 0.0), (0.5, -4.0)])
    x, y = blobs(n, 0, rng(seed), centers=centers)
    assert np.array_equal(x, centers[y])


@given(sizes, amounts, st.floats(0, 2 * np.pi), seeds)
def test_separable_keeps_the_margin(n, margin, angle, seed):
    normal = np.array([np.cos(angle), np.sin(angle)])
    x, y = separable(n, margin, rng(seed), normal)
    assert abs(x).max() <= 1
    assert np.min(np.where(y == 1, 1, -1) * (x @ normal)) >= margin - 1e-12


@given(st.floats(0.02, 0.5), seeds)
def test_a_line_unknown_to_us_separates_too(margin, seed):
    """Without `normal`, some direction must reach the margin: look through all of them."""
    x, y = separable(100, margin, rng(seed))
    angles = np.linspace(0, 2 * np.pi, 3601)
    signed = np.where(y == 1, 1, -1)[:, None] * x
    reached = np.min(signed @ np.array([np.cos(angles), np.sin(angles)]), axis=0)
    # the true normal lies within half a step of the grid, and no point farther than sqrt(2) from the origin
    assert reached.max() >= margin - np.sqrt(2) * (angles[1] - angles[0]) / 2


def test_the_perceptron_makes_no_more_mistakes_than_novikoff_allows():
    normal = np.array([0.6, 0.8])
    x, y = separable(400, 0.05, rng(), normal)
    signed = np.where(y == 1, 1, -1)[:, None] * x
    w, mistakes = np.zeros(2), 0
    while (wrong := np.flatnonzero(signed @ w <= 0)).size:
        w, mistakes = w + signed[wrong[0]], mistakes + 1
    bound = np.max(np.sum(x**2, axis=1)) / np.min(signed @ normal) ** 2
    assert 0 < mistakes <= bound


def test_separable_without_margin_fills_the_square():
    x, _ = separable(40_000, 0, rng())
    counts, *_ = np.histogram2d(*x.T, bins=4, range=[(-1, 1), (-1, 1)])
    assert np.all(abs(counts - 2500) < 5 * np.sqrt(2500))


@pytest.mark.parametrize("name", TOYS)
def test_too_few_points(name):
    smallest = SMALLEST.get(name, 2)
    x, _ = TOYS[name](smallest, 0.1, rng())
    assert len(x) == smallest
    for n in (smallest - 1, 0, -3):
        with pytest.raises(ValueError, match=rf"{name}: n is {n}; expected at least {smallest}"):
            TOYS[name](n, 0.1, rng())


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("n", [10.0, "10", None])
def test_n_must_be_whole(name, n):
    with pytest.raises(TypeError, match=f"{name}: n is .*; expected a whole number"):
        TOYS[name](n, 0.1, rng())


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_must_not_be_negative(name, noise):
    with pytest.raises(ValueError, match=rf"{name}: (noise|margin) is {noise}; expected a finite number"):
        TOYS[name](10, noise, rng())


@pytest.mark.parametrize("name", TOYS)
def test_noise_must_be_a_number(name):
    with pytest.raises(TypeError, match=f"{name}: (noise|margin) is a str; expected a number"):
        TOYS[name](10, "much", rng())


def test_the_other_amounts_must_be_numbers_too():
    with pytest.raises(TypeError, match="spirals: turns is a str; expected a number"):
        spirals(10, 0.1, rng(), turns="two")
    with pytest.raises(TypeError, match="circles: factor is a NoneType; expected a number"):
        circles(10, 0.1, rng(), factor=None)


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("bad", [0, None, np.random.RandomState(0), np.random])
def test_rng_must_be_a_generator(name, bad):
    with pytest.raises(TypeError, match=f"{name}: rng is a {type(bad).__name__}; expected a Generator"):
        TOYS[name](10, 0.1, bad)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: spirals(10, 0, rng(), classes=0), "spirals: classes is 0; expected at least 1"),
        (lambda: spirals(3, 0, rng(), classes=5), "spirals: n is 3; expected at least 5"),
        (lambda: spirals(10, 0, rng(), turns=np.nan), "spirals: turns is nan"),
        (lambda: circles(10, 0, rng(), factor=1), "circles: factor is 1; expected a number between 0 and 1"),
        (lambda: blobs(10, 0, rng(), centers=(1, 2)), r"blobs: centers has shape \(2,\)"),
        (lambda: blobs(10, 0, rng(), centers=np.zeros((0, 2))), r"blobs: centers has shape \(0, 2\)"),
        (lambda: blobs(10, 0, rng(), centers=[(0, np.inf)]), "blobs: centers is .*; expected finite numbers"),
        (lambda: separable(10, 0.95, rng()), "separable: margin is 0.95; expected at most 0.9"),
        (lambda: separable(10, 0, rng(), normal=(1, 1)), r"separable: normal is \[1.0, 1.0\]"),
        (lambda: separable(10, 0, rng(), normal=(1, 0, 0)), r"separable: normal is \[1.0, 0.0, 0.0\]"),
    ],
)
def test_other_arguments_out_of_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()
