"""The laws of initialization: moments and ranges against theory, distributions against torch.nn.init.

That the formulas are torch's is shown by the parity tests, on draws that are given. Here each library makes
its own draws, and what must agree are the distributions.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnlib import core
from nnlib.initialization import in_numpy as init
from nnlib.initialization import in_torch as twin
from nnlib.layers import BatchNorm1d, Linear, ReLU, Residual, Sequential, draw, initialize

DENSE, TALL, KERNEL = (80, 200), (240, 60), (32, 16, 5, 5)
RECTIFIERS = dict(a=0.5, mode="fan_out", nonlinearity="leaky_relu")

# A scheme, the shape, its options, and the variance and the bound that theory gives.
THEORY = [
    ("xavier_uniform", DENSE, {}, 2 / 280, math.sqrt(6 / 280)),
    ("xavier_uniform", KERNEL, {"gain": 2.0}, 4 * 2 / (48 * 25), 2 * math.sqrt(6 / (48 * 25))),
    ("xavier_normal", TALL, {}, 2 / 300, math.inf),
    ("xavier_normal", KERNEL, {"gain": 3.0}, 9 * 2 / (48 * 25), math.inf),
    ("kaiming_uniform", DENSE, {}, 2 / 200, math.sqrt(6 / 200)),
    ("kaiming_uniform", DENSE, {"a": math.sqrt(5)}, 1 / 600, 1 / math.sqrt(200)),
    ("kaiming_uniform", KERNEL, RECTIFIERS, 2 / 1.25 / (32 * 25), math.sqrt(6 / 1.25 / (32 * 25))),
    ("kaiming_normal", TALL, {"nonlinearity": "relu"}, 2 / 60, math.inf),
    ("kaiming_normal", KERNEL, {"mode": "fan_out", "nonlinearity": "tanh"}, 25 / 9 / (32 * 25), math.inf),
    ("lecun_uniform", DENSE, {}, 1 / 200, math.sqrt(3 / 200)),
    ("lecun_normal", KERNEL, {}, 1 / (16 * 25), math.inf),
    ("uniform", DENSE, {"a": -0.5, "b": 0.5}, 1 / 12, 0.5),
    ("normal", DENSE, {"std": 0.02}, 0.0004, math.inf),
    ("trunc_normal", DENSE, {}, 0.773741, 2.0),  # 1 - 4 φ(2) / (2 Φ(2) - 1)
    ("trunc_normal", DENSE, {"std": 0.02}, 0.0004, math.inf),  # bounds of 2 are a hundred deviations away
    ("orthogonal", TALL, {"gain": 2}, 4 / 240, math.inf),
    ("sparse", (200, 400), {"sparsity": 0.75, "std": 0.1}, 0.25 * 0.01, math.inf),
]
IDS = [f"{name}{shape}{options or ''}" for name, shape, options, *_ in THEORY]


@pytest.mark.parametrize("name, shape, options, variance, bound", THEORY, ids=IDS)
def test_moments_and_ranges_are_those_of_theory(name, shape, options, variance, bound):
    weight = draw(getattr(init, name), shape, np.random.default_rng(1), **options)
    n = weight.size
    assert abs(weight.mean()) < 4.5 * math.sqrt(variance / n)
    spread = np.mean(weight**4) - variance**2  # of a single square around its mean
    assert abs(np.mean(weight**2) - variance) < 4.5 * math.sqrt(spread / n)
    assert np.abs(weight).max() <= bound
    if math.isfinite(bound):
        assert np.abs(weight).max() > 0.999 * bound, "and the range is used to its ends"


def distance(a, b):
    """Kolmogorov and Smirnov: how far two distributions lie apart; by chance over 1.95 in 1 of 1000."""
    a, b = np.sort(np.ravel(a)), np.sort(np.ravel(b))
    everywhere = np.concatenate([a, b])
    below = [np.searchsorted(part, everywhere, side="right") / len(part) for part in (a, b)]
    return np.abs(below[0] - below[1]).max() * math.sqrt(len(a) * len(b) / (len(a) + len(b)))


def in_torch(name, shape, options):
    torch.manual_seed(2)
    if name.startswith("lecun"):
        name, options = name.replace("lecun", "kaiming"), {"nonlinearity": "linear"}
    return getattr(nn.init, f"{name}_")(torch.empty(shape, dtype=torch.float64), **options).numpy()


@pytest.mark.parametrize("name, shape, options, variance, bound", THEORY, ids=IDS)
def test_the_distribution_is_that_of_torch(name, shape, options, variance, bound):
    ours = draw(getattr(init, name), shape, np.random.default_rng(3), **options)
    theirs = in_torch(name, shape, options)
    assert distance(ours, theirs) < 1.95
    assert distance(1.15 * ours, theirs) > 1.95, "a scale that is off by 15 % must be seen"


@pytest.mark.parametrize(
    "options",
    [dict(mean=0.5, std=0.7, a=-0.2, b=1.5), dict(mean=-1.0, std=1.0, a=0.5, b=3.0), dict(a=1.0, b=1.5)],
)
def test_a_truncated_normal_away_from_its_mean(options):
    ours = draw(init.trunc_normal, (200, 100), np.random.default_rng(4), **options)
    assert options["a"] <= ours.min() and ours.max() <= options["b"]
    assert distance(ours, in_torch("trunc_normal", (200, 100), options)) < 1.95


def test_the_default_of_nn_linear_is_kaiming_uniform_with_the_root_of_five():
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    theirs, mine = nn.Linear(300, 100), Linear(300, 100, rng=rng)
    ours = draw(init.kaiming_uniform, (100, 300), rng, a=math.sqrt(5))
    for weight in (theirs.weight.detach().numpy(), mine.params["weight"]):
        assert distance(weight, ours) < 1.95
        assert np.abs(weight).max() <= np.float32(1 / math.sqrt(300))


# --------------------------------------------------------------------------------------- fans and gains


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_fans_of_any_shape_are_torchs(shape):
    theirs = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init.calculate_fan_in_and_fan_out(np.empty(shape)) == theirs


@pytest.mark.parametrize("nonlinearity", core.documented(init.calculate_gain)[0].choices)
def test_gains_without_a_parameter_are_torchs(nonlinearity):
    theirs = pytest.approx(nn.init.calculate_gain(nonlinearity), rel=1e-15)
    assert init.calculate_gain(nonlinearity) == theirs
    assert twin.calculate_gain(nonlinearity).item() == theirs


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_a_rectifiers_gain_keeps_the_second_moment(slope):
    z = np.random.default_rng(6).standard_normal(10**6)
    rectified = np.where(z > 0, z, slope * z)
    assert np.mean((init.calculate_gain("leaky_relu", slope) * rectified) ** 2) == pytest.approx(1, rel=0.01)


# ------------------------------------------------------------------------------------ orthogonal, eye, dirac


@pytest.mark.parametrize("shape", [(6, 6), (3, 9), (9, 3), (4, 2, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    flat = draw(init.orthogonal, shape, np.random.default_rng(7), gain=1.5).reshape(shape[0], -1)
    fewer = flat if flat.shape[0] <= flat.shape[1] else flat.T
    np.testing.assert_allclose(fewer @ fewer.T, 2.25 * np.eye(len(fewer)), atol=1e-12)


def test_orthogonal_matrices_are_drawn_evenly():
    """The trace of an evenly drawn 4 x 4 matrix has mean 0 and variance 1; that of LAPACK's q has not."""
    draws = np.random.default_rng(8).standard_normal((2000, 4, 4))
    traces = np.array([np.trace(init.orthogonal.unchecked(z)) for z in draws])
    assert abs(traces.mean()) < 4 / math.sqrt(2000) and abs(traces.var() - 1) < 0.15
    unfixed = np.trace(np.linalg.qr(draws)[0], axis1=1, axis2=2)
    assert abs(unfixed.mean()) > 0.5, "the signs need their fix"


@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_hands_on_its_channels(groups):
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = torch.from_numpy(init.dirac(np.empty((4, 4 // groups, 3, 5)), groups))
    assert torch.equal(torch.nn.functional.conv2d(x, weight, padding=(1, 2), groups=groups), x)


def test_eye_hands_on_its_inputs():
    x = np.random.default_rng(9).normal(size=(3, 5))
    np.testing.assert_array_equal(x @ init.eye(np.empty((3, 5))).T, x[:, :3])


# ------------------------------------------------------------------------------------------ what they do


@pytest.mark.parametrize(
    "nonlinearity, scheme", [("linear", init.lecun_normal), ("relu", init.kaiming_normal)]
)
def test_the_second_moment_survives_one_layer_in_both_directions(nonlinearity, scheme):
    rng = np.random.default_rng(10)
    x, weight = rng.normal(size=(400, 400)), draw(scheme, (400, 400), rng)[None]
    h = init.signals(x, weight, nonlinearity)
    assert np.mean(h**2) == pytest.approx(1, rel=0.05)
    grad_x, _ = init.signals_backward(rng.normal(size=h.shape), x, weight, nonlinearity)
    assert np.mean(grad_x**2) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("nonlinearity", ["linear", "tanh", "relu"])
def test_lsuv_gives_every_layer_sums_of_deviation_one(nonlinearity):
    rng = np.random.default_rng(11)
    x, weight = rng.uniform(size=(50, 8)), 0.01 * rng.normal(size=(12, 8, 8))
    scaled = init.lsuv(x, weight, nonlinearity)
    inputs = np.concatenate([x[None], init.signals(x, scaled, nonlinearity)[:-1]])
    np.testing.assert_allclose((inputs @ scaled.mT).std(axis=(1, 2)), 1, rtol=1e-12)
    np.testing.assert_allclose(init.lsuv(x, scaled, nonlinearity), scaled, rtol=1e-12)


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: init.uniform(np.zeros(3), a=2.0, b=1.0), "expected a <= b"),
        (lambda: init.trunc_normal(np.zeros(3), a=2.0, b=2.0), "expected a < b"),
        (lambda: init.trunc_normal(np.zeros(3), mean=-50.0), "expected nearer"),
        (lambda: init.dirac(np.zeros((5, 2, 3)), groups=2), "expected a divisor of O = 5"),
        (lambda: init.dirac(np.zeros((2, 2, 1, 1, 1, 1))), "expected 3 to 5 axes"),
        (lambda: init.sparse(np.zeros((3, 1)), np.zeros((3, 1), int), 0.5), "expected every row once"),
        (lambda: init.lsuv(np.ones((4, 2)), np.zeros((1, 2, 2))), "layer 0 have deviation 0"),
        (lambda: init.xavier_normal(np.zeros((2, 2)), generator=1), "generator"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        call()


# ------------------------------------------------------------------------------------ draw and initialize


def deep(rng):
    block = Residual(Linear(5, 5, rng=rng), ReLU(), Linear(5, 5, rng=rng))
    return Sequential(Linear(4, 5, rng=rng), BatchNorm1d(5), block, Linear(5, 2, bias=False, rng=rng))


def test_initialize_fills_all_weights_and_clears_the_biases():
    model = initialize(deep(np.random.default_rng(0)), init.orthogonal, np.random.default_rng(1), gain=2)
    linears = [model[0], *model[2].layers[::2], model[3]]
    for layer in linears:
        weight = layer.params["weight"]
        assert weight.dtype == np.float32
        fewer = weight if weight.shape[0] <= weight.shape[1] else weight.T
        np.testing.assert_allclose(fewer @ fewer.T, 4 * np.eye(len(fewer)), atol=1e-5)
        assert not layer.params.get("bias", np.zeros(1)).any()
    np.testing.assert_array_equal(model[1].params["weight"], 1)  # a norm keeps its own start
    again = initialize(deep(np.random.default_rng(2)), init.orthogonal, np.random.default_rng(1), gain=2)
    np.testing.assert_array_equal(model.params, again.params)


def test_draw_gives_each_scheme_what_it_asks_for():
    rng = np.random.default_rng(0)
    assert draw(init.kaiming_uniform, (3, 4), rng, np.float32).dtype == np.float32
    np.testing.assert_array_equal(draw(init.constant, (3, 4), rng, val=0.5), np.full((3, 4), 0.5))
    weight = draw(init.sparse, (10, 4), rng, sparsity=0.25)
    np.testing.assert_array_equal((weight == 0).sum(axis=0), 3)  # 2.5, rounded up
    with pytest.raises(TypeError, match="expected a scheme"):
        draw(init.signals, (3, 4), rng)
