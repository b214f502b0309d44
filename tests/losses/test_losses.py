"""Laws of losses that no single case shows, and what the comparisons of notebook 06 say."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib import core
from nnlib.layers import Linear, Sequential, Sigmoid, fit
from nnlib.losses import experiments, in_torch
from nnlib.losses import in_numpy as losses
from nnlib.losses.explorers import points

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=30, deadline=None)


def scores(seed, rows=5, classes=4):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (rows, classes)), rng.integers(0, classes, rows)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


# ------------------------------------------------------------------------------------- one loss as another


@few
@given(seed=seeds, delta=st.floats(0.05, 20))
def test_huber_is_smooth_l1_times_its_width_and_half_a_square_where_it_is_wide(seed, delta):
    x, target = np.random.default_rng(seed).normal(0, 3, (2, 6))
    huber = losses.huber_loss(x, target, delta=delta)
    assert huber == pytest.approx(delta * losses.smooth_l1_loss(x, target, beta=delta))
    assert losses.huber_loss(x, target, delta=1e3) == pytest.approx(losses.mse_loss(x, target) / 2)
    grad_x, _ = losses.huber_loss_backward(1.0, x, target, "sum", delta)
    assert np.abs(grad_x).max() <= delta


@few
@given(seed=seeds)
def test_cross_entropy_is_nll_of_log_softmax_and_entropy_plus_kl(seed):
    x, target = scores(seed)
    assert losses.cross_entropy(x, target) == pytest.approx(losses.nll_loss(log_softmax(x), target))
    p = np.random.default_rng(seed).dirichlet(np.ones(4), 5)
    entropy = -(p * np.log(p)).sum(axis=1).mean()
    kl = losses.kl_div(log_softmax(x), p, reduction="batchmean")
    assert losses.cross_entropy(x, p) == pytest.approx(entropy + kl)
    assert kl >= 0 and abs(losses.kl_div(np.log(p), p, reduction="batchmean")) < 1e-12


@few
@given(seed=seeds, shift=st.floats(-500, 500), smoothing=st.floats(0, 1))
def test_only_differences_of_scores_count(seed, shift, smoothing):
    x, target = scores(seed)
    settings = dict(label_smoothing=smoothing)
    moved = losses.cross_entropy(x + shift, target, **settings)
    assert moved == pytest.approx(losses.cross_entropy(x, target, **settings))
    grad_x, _ = losses.cross_entropy_backward(1.0, x, target, **settings)
    np.testing.assert_allclose(grad_x.sum(axis=1), 0, atol=1e-12)
    margin = losses.multi_margin_loss(x + shift, target)
    assert margin == pytest.approx(losses.multi_margin_loss(x, target))


@few
@given(seed=seeds)
def test_two_classes_are_one_score(seed):
    x, target = scores(seed, classes=2)
    score, yes = x[:, 1] - x[:, 0], target.astype(float)
    binary = losses.binary_cross_entropy_with_logits(score, yes)
    assert losses.cross_entropy(x, target) == pytest.approx(binary)
    p = 1 / (1 + np.exp(-score))
    assert losses.binary_cross_entropy(p, yes) == pytest.approx(binary)
    focal = losses.sigmoid_focal_loss(score, yes, alpha=-1, gamma=0.0, reduction="mean")
    assert focal == pytest.approx(binary)


@few
@given(seed=seeds, margin=st.floats(0, 3))
def test_hinge_is_what_torch_has_in_other_clothes(seed, margin):
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=8), rng.choice([-1, 1], 8)
    no = -torch.ones(8, dtype=torch.float64)
    theirs = F.hinge_embedding_loss(torch.from_numpy(x * target), no, margin=margin).item()
    assert losses.hinge(x, target, margin) == pytest.approx(theirs)


# ------------------------------------------------------------------------------------- what is minimized


@few
@given(seed=seeds)
def test_the_best_constants_are_mean_and_median(seed):
    values = np.random.default_rng(seed).standard_cauchy(11)
    at = {f: lambda c, f=f: f(np.full(11, c), values) for f in (losses.mse_loss, losses.l1_loss)}
    for f, center in ((losses.mse_loss, values.mean()), (losses.l1_loss, np.median(values))):
        assert all(at[f](center) <= at[f](center + step) for step in (-1.0, -1e-3, 1e-3, 1.0))
    var = np.full(11, values.var())
    grad_var = losses.gaussian_nll_loss_backward(1.0, np.full(11, values.mean()), values, var)[2]
    assert abs(grad_var.sum()) * values.var() < 1e-9, "the best variance is that of the data"


@few
@given(seed=seeds, delta=st.floats(0.1, 10))
def test_no_line_near_the_fitted_one_is_better(seed, delta):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=15), rng.standard_t(2, size=15)
    of = {
        "squared error": losses.mse_loss,
        "absolute error": losses.l1_loss,
        "Huber": partial(losses.huber_loss, delta=delta),
    }
    assert set(of) == set(experiments.LINE_LOSSES)
    for name, loss in of.items():
        line = experiments.fit_line(x, y, name, delta)
        least = loss(line[0] * x + line[1], y)
        for step in 0.01 * rng.normal(size=(20, 2)):
            slope, intercept = line + step
            assert least <= loss(slope * x + intercept, y) + 1e-9, name


@pytest.mark.parametrize("seed, x, y, copies", [(0, -2.5, -10.0, 8), (10, 8.0, 5.0, 4)])
def test_the_line_of_huber_is_found_where_a_small_delta_makes_it_slow(seed, x, y, copies):
    x, y = points(seed, x, y, copies)
    slope, intercept = experiments.fit_line(x, y, "Huber", delta=0.05)
    pull = np.clip(slope * x + intercept - y, -0.05, 0.05)
    assert abs(pull.sum()) < 1e-8 and abs(pull @ x) < 1e-8


# --------------------------------------------------------------------------------------------- the edges


def test_certain_probabilities_cost_100_and_pull_as_in_torch():
    p, yes = np.array([0.0, 0.0, 1.0, 1.0, 1e-13]), np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    x, target = torch.tensor(p, requires_grad=True), torch.tensor(yes)
    theirs = F.binary_cross_entropy(x, target, reduction="none")
    theirs.sum().backward()
    np.testing.assert_allclose(losses.binary_cross_entropy(p, yes, None, "none"), theirs.detach(), atol=1e-12)
    grad_x, grad_target = losses.binary_cross_entropy_backward(np.ones(5), p, yes, None, "none")
    np.testing.assert_allclose(grad_x, x.grad)
    assert np.isfinite(grad_target).all()
    own, target = torch.tensor(p, requires_grad=True), torch.tensor(yes, requires_grad=True)
    twin = in_torch.binary_cross_entropy(own, target, reduction="none")
    twin.sum().backward()
    np.testing.assert_allclose(twin.detach(), theirs.detach(), atol=1e-12)
    np.testing.assert_allclose(own.grad, x.grad, atol=1e-12)
    np.testing.assert_allclose(target.grad, grad_target)


def test_a_variance_below_eps_still_hears_that_it_is_too_small():
    x, target, var = np.array([3.0, 0.0]), np.zeros(2), np.array([1e-9, 0.0])
    mine = losses.gaussian_nll_loss_backward(1.0, x, target, var, eps=1e-3)
    for f in (F.gaussian_nll_loss, in_torch.gaussian_nll_loss):
        inputs = [torch.tensor(v, requires_grad=True) for v in (x, target, var)]
        f(*inputs, eps=1e-3).backward()
        for own, tensor in zip(mine, inputs):
            np.testing.assert_allclose(own, tensor.grad)


def test_a_probability_of_0_costs_nothing_and_warns_of_nothing():
    log_p, target = np.log(np.array([[0.5, 0.5]])), np.array([[0.0, 1.0]])
    assert losses.kl_div(log_p, target, "sum") == pytest.approx(np.log(2))
    grad_x, grad_target = losses.kl_div_backward(1.0, log_p, target, "sum")
    assert grad_x.tolist() == [[0, -1]] and np.isfinite(grad_target).all()
    log_one_hot = np.array([[0.0, -np.inf]])
    assert losses.nll_loss(log_one_hot, np.array([0])) == 0
    assert losses.nll_loss_backward(1.0, log_one_hot, np.array([0]))[0].tolist() == [[-1, 0]]


def test_a_probability_too_small_for_1_minus_p_still_costs_something():
    p, no = np.array([1e-20]), np.array([0.0])
    assert losses.binary_cross_entropy(p, no) == pytest.approx(1e-20, rel=1e-12)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_class_numbers_may_be_small_integers(name, dtype):
    x, target = scores(0, rows=4)  # as many rows as classes: a uint8 index would pass for a mask
    small = target.astype(dtype)
    loss = getattr(losses, name)(x, target)
    assert getattr(losses, name)(x, small) == loss
    twin = getattr(in_torch, name)(torch.from_numpy(x), torch.from_numpy(small))
    np.testing.assert_allclose(twin, loss)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_class_that_is_ruled_out_by_a_score_of_minus_infinity(reduction):
    """Wherever it is not the target: as in torch, where 0 times infinity does not occur either."""
    x, target = np.array([[0.5, -np.inf, 1.0], [-np.inf, 2.0, 0.0]]), np.array([2, -100])
    loss = losses.cross_entropy(x, target, reduction=reduction)
    grad_output = np.ones_like(loss)
    grad_x, _ = losses.cross_entropy_backward(grad_output, x, target, reduction=reduction)
    for f in (in_torch.cross_entropy, F.cross_entropy):
        scores = torch.tensor(x, requires_grad=True)
        theirs = f(scores, torch.tensor(target), reduction=reduction)
        theirs.backward(torch.from_numpy(grad_output))
        np.testing.assert_allclose(loss, theirs.detach(), atol=1e-15)
        np.testing.assert_allclose(grad_x, scores.grad, atol=1e-15)


@pytest.mark.parametrize(
    "name, x, target, settings",
    [
        ("l1_loss", [1.0, 2.0], [1.0, 2.0], {}),
        ("smooth_l1_loss", [1.0, 2.0], [1.0, 2.0], {"beta": 0.0}),
        ("huber_loss", [1.5, -1.5], [1.0, -1.0], {"delta": 0.5}),
        ("hinge", [1.0, -1.0], [1, -1], {}),
        ("multi_margin_loss", [[1.0, 0.0, 0.0]], [0], {}),
        ("multi_margin_loss", [[1.0, 0.0, 0.0]], [0], {"p": 2}),
    ],
)
def test_at_a_kink_the_slope_is_torchs(name, x, target, settings):
    grad_x = getattr(losses, f"{name}_backward")(1.0, np.array(x), np.array(target), **settings)[0]
    official = getattr(F, name, None)
    for f in filter(None, (getattr(in_torch, name), official)):
        inputs = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        like = torch.int64 if isinstance(np.ravel(target)[0], np.integer) else torch.float64
        f(inputs, torch.tensor(target, dtype=like), **settings).backward()
        np.testing.assert_array_equal(grad_x, inputs.grad, err_msg=name)


@pytest.mark.parametrize("version", [losses, in_torch])
def test_what_no_documented_range_can_say(version):
    array = np.array if version is losses else torch.tensor
    one, zero = array([1.0]), array([0.0])
    with pytest.raises(ValueError, match="mse_loss: the weights add up to 0"):
        version.mse_loss(one, one, weight=zero)
    with pytest.raises(ValueError, match="l1_loss: the weights add up to 0"):
        version.l1_loss(one, one, weight=zero)
    with pytest.raises(ValueError, match="hinge: target holds 0; expected -1 for no and 1 for yes"):
        version.hinge(one, array([0]))
    with pytest.raises(ValueError, match="kl_div: target is as low as -0.5"):
        version.kl_div(array([[0.0]]), array([[-0.5]]))
    with pytest.raises(ValueError, match="sigmoid_focal_loss: alpha is -0.5"):
        version.sigmoid_focal_loss(one, one, alpha=-0.5)
    with pytest.raises(ValueError, match="nll_loss: every target is ignored or weighs 0"):
        version.nll_loss(array([[0.0, 0.0]]), array([-100]))


# ---------------------------------------------------------------------------------------- fit takes any


def targets(name):
    rng = np.random.default_rng(0)
    if name in ("cross_entropy", "nll_loss", "multi_margin_loss"):
        return rng.integers(0, 3, 40)
    if name == "hinge":
        return rng.choice([-1, 1], (40, 3))
    return rng.dirichlet(np.ones(3), 40)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n in core.public(losses) if not n.endswith("_backward")])
def test_fit_takes_any_loss_with_its_backward_beside_it(name, dtype):
    loss = getattr(losses, name)
    needed = {
        "gaussian_nll_loss": {"var": np.ones((40, 3), dtype)},
        "sigmoid_focal_loss": {"reduction": "mean"},
    }
    loss = partial(loss, **needed[name]) if name in needed else loss
    rng = np.random.default_rng(1)
    end = [Sigmoid()] if name == "binary_cross_entropy" else []
    net = Sequential(Linear(5, 3, rng=rng, dtype=dtype), *end)
    history = fit(net, rng.normal(size=(40, 5)), targets(name), lr=0.05, epochs=30, loss=loss)
    assert history.loss[-1] < history.loss[0] and history.diverged_at is None
    assert net.params.dtype == net.grads.dtype == dtype


@pytest.mark.parametrize("name", [n for n in core.public(losses) if not n.endswith("_backward")])
def test_a_plain_number_as_grad_output_leaves_float32_alone(name):
    f, backward = getattr(losses, name), getattr(losses, f"{name}_backward")
    for args in (case.cast("float32") for case in core.cases(f"losses.{name}")):
        if np.ndim(f(**args)) == 0:
            grads = [grad for grad in backward(1.0, **args) if grad is not None]
            assert grads and all(grad.dtype == np.float32 for grad in grads)


# ----------------------------------------------------------------------------- what the figures show


def test_one_sided_outliers_move_the_mean_fit_and_not_the_median_fit():
    shares, distance = experiments.outliers(seeds=8)
    anywhere, right = distance["anywhere"], distance["far to the right"]
    few, many = shares <= 0.2, shares == 0.5
    assert (anywhere["absolute error"][few] < 0.35).all() and (anywhere["Huber"][few] < 0.5).all()
    assert anywhere["squared error"][shares == 0.2] > 5 * anywhere["absolute error"][shares == 0.2]
    assert all(curve[many] > 3 for curve in anywhere.values()), "half of the data wins against any loss"
    assert all(curve[shares == 0.2] > 1 for curve in right.values()), "far to the right none resists"


def test_a_weight_for_the_rare_class_is_a_moved_threshold_that_costs_the_probabilities():
    shares, recall, claimed = experiments.imbalance(seeds=2, shares=(0.02, 0.1, 0.5))
    assert (np.abs(recall["pos_weight"] - recall["threshold moved"]) < 0.03).all()
    assert recall["cross-entropy"][0] < 0.3 and recall["pos_weight"][0] > 0.8
    assert recall["focal"][0] < recall["cross-entropy"][0], "alpha = 0.25 weighs the yes less"
    assert np.abs(claimed["cross-entropy"] - 1).max() < 0.1 and claimed["pos_weight"][0] > 8


def test_wrong_labels_are_learned_late():
    shares, accuracy = experiments.label_noise(seeds=2, shares=(0, 0.4))
    for name, (clean, noisy) in accuracy.items():
        assert clean[-1] > 94 and noisy[-1] < clean[-1] - 3, name
    plain = accuracy["cross-entropy"][1]
    assert plain.max() > plain[-1] + 2, "the best epoch lies behind it"
