"""Optimizers: a whole trajectory is torch's, not only a step; schedules: every step of them is torch's."""

import inspect
import math
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nnlib import core
from nnlib.layers import Linear, ReLU, Sequential, fit, fit_many
from nnlib.optimizers import in_numpy, in_torch
from nnlib.optimizers.in_numpy import adam, adamw, lion, muon, nadam, reduce_lr_on_plateau, rmsprop, sgd

STEPS = 200
BETAS, EPS, DECAY, SWITCH = ((0.9, 0.999), (0.5, 0.9)), (1e-8, 1e-2), (0, 0.1), (False, True)
CHOICES = {
    "sgd": dict(momentum=(0, 0.9), dampening=(0, 0.3), weight_decay=DECAY, nesterov=SWITCH),
    "adagrad": dict(
        lr_decay=(0, 0.01), weight_decay=DECAY, initial_accumulator_value=(0, 0.5), eps=(1e-10, 1e-2)
    ),
    "rmsprop": dict(alpha=(0.99, 0.5), eps=EPS, weight_decay=DECAY, momentum=(0, 0.9), centered=SWITCH),
    "adam": dict(betas=BETAS, eps=EPS, weight_decay=DECAY, amsgrad=SWITCH, decoupled_weight_decay=SWITCH),
    "adamw": dict(betas=BETAS, eps=EPS, weight_decay=DECAY, amsgrad=SWITCH),
    "nadam": dict(
        betas=BETAS, eps=EPS, weight_decay=DECAY, momentum_decay=(4e-3, 0.2), decoupled_weight_decay=SWITCH
    ),
    "muon": dict(
        weight_decay=(0.1, 0), momentum=(0.95, 0.5), nesterov=SWITCH, ns_steps=(5, 2), eps=(1e-7, 1.0),
        ns_coefficients=((3.4445, -4.775, 2.0315), (1.5, -0.5, 0.0)),
        adjust_lr_fn=(None, "original", "match_rms_adamw"),
    ),
}  # fmt: skip
THEIRS = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "muon": torch.optim.Muon,
}
SHAPES = {"muon": (3, 2)}
TOLERANCE = {"muon": 1e-10}  # Newton-Schulz enlarges a small singular value 485 times, its rounding too


def combinations(name):
    for values in product(*CHOICES[name].values()):
        settings = dict(zip(CHOICES[name], values))
        if settings.get("nesterov") and name == "sgd" and (not settings["momentum"] or settings["dampening"]):
            continue  # refused, by torch too
        yield settings


def ravine(shape, rng):
    """The gradient of sum(curvature * p**2) / 2, with noise that differs from step to step."""
    curvature = np.geomspace(0.1, 10, math.prod(shape)).reshape(shape)
    noise = rng.normal(size=(STEPS, *shape))
    return lambda p, step: curvature * p + noise[step]


def falling(step):
    return 0.1 / (1 + step / 50)


def trajectory(step_of, param, gradient):
    """All points that an optimizer of ours visits."""
    counts = "t" in inspect.signature(step_of).parameters
    state, path = (), []
    for step in range(STEPS):
        told = {"t": step + 1} if counts else {}
        param, *state = step_of(param, gradient(param, step), *state, lr=falling(step), **told)
        path.append(np.asarray(param))
    return np.array(path)


def trajectory_of_torch(optimizer, param, gradient):
    path = []
    for step in range(STEPS):
        param.grad = torch.from_numpy(gradient(param.detach().numpy(), step))
        optimizer.param_groups[0]["lr"] = falling(step)
        optimizer.step()
        path.append(param.detach().numpy().copy())
    return np.array(path)


def with_settings(f, settings):
    """A version of an optimizer with some arguments fixed, and its signature kept."""

    def step(param, grad, *state, **told):
        return f.unchecked(param, grad, *state, **told, **settings)

    step.__signature__ = inspect.signature(f)
    return step


@pytest.mark.parametrize("name", CHOICES)
def test_every_argument_of_torchs_is_varied(name):
    """None is forgotten: what torch's optimizer takes is varied here, or refused as not taught."""
    theirs = set(inspect.signature(THEIRS[name]).parameters) - {"params", "lr"}
    f = getattr(in_numpy, name)
    assert theirs == set(CHOICES[name]) | set(f.not_taught) & theirs
    ours, defaults = inspect.signature(f).parameters, inspect.signature(THEIRS[name]).parameters
    for argument in CHOICES[name] | {"lr": None}:
        assert ours[argument].default == defaults[argument].default, argument


@pytest.fixture
def all_in_float64():
    """torch keeps some state, such as NAdam's product of momenta, in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOICES)
def test_200_steps_are_those_of_torch(name, all_in_float64):
    """Every combination of arguments, on a ravine with noise and with a learning rate that falls."""
    shape = SHAPES.get(name, (6,))
    start = np.random.default_rng(0).normal(size=shape)
    gradient = ravine(shape, np.random.default_rng(1))
    ends = {}
    for number, settings in enumerate(combinations(name)):
        ours = trajectory(with_settings(getattr(in_numpy, name), settings), start, gradient)
        theirs = torch.tensor(start, requires_grad=True)
        optimizer = THEIRS[name]([theirs], lr=0.1, **settings)
        with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # muon's rounding, left out
            expected = trajectory_of_torch(optimizer, theirs, gradient)
        atol = TOLERANCE.get(name, 1e-12)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=atol, err_msg=str(settings))
        if number % 5 == 0:
            twin = trajectory(
                with_settings(getattr(in_torch, name), settings),
                torch.from_numpy(start),
                lambda p, step: torch.from_numpy(gradient(p.numpy(), step)),
            )
            np.testing.assert_allclose(twin, expected, rtol=0, atol=atol, err_msg=str(settings))
        assert np.abs(ours[-1] - start).max() > 0.1
        ends[tuple(settings.values())] = ours[-1].tobytes()
    for place, argument in enumerate(CHOICES[name]):
        alike = {}
        for values, end in ends.items():
            alike.setdefault(values[:place] + values[place + 1 :], set()).add(end)
        assert max(map(len, alike.values())) > 1, f"{argument} changes nothing"


def test_muon_as_torch_computes_it():
    """With torch's rounding to bfloat16 a step of 200 differs by a percent, no more."""
    shape = (16, 8)
    start = np.random.default_rng(0).normal(size=shape)
    gradient = ravine(shape, np.random.default_rng(1))
    ours = trajectory(muon, start, gradient)
    theirs = torch.tensor(start, requires_grad=True)
    expected = trajectory_of_torch(torch.optim.Muon([theirs]), theirs, gradient)
    walked = np.abs(np.diff(expected, axis=0)).sum(axis=0)
    assert np.abs(ours[-1] - expected[-1]).max() < 0.02 * walked.max()
    assert np.abs(ours[-1] - expected[-1]).max() > 1e-9, "torch no longer rounds: compare it exactly"


# ------------------------------------------------------------------------------- lion: two derivations


@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.3, 0.8), (0.0, 0.5)])
def test_lion_is_the_papers_algorithm(betas, weight_decay):
    """Written as sums: the average after t steps weighs gradient i by (1 - beta2) * beta2**(t - i)."""
    shape = (6,)
    start = np.random.default_rng(0).normal(size=shape)
    gradient = ravine(shape, np.random.default_rng(1))
    settings = dict(betas=betas, weight_decay=weight_decay)
    ours = trajectory(with_settings(lion, settings), start, gradient)
    beta1, beta2 = betas
    param, grads, path = start, np.empty((0, *shape)), []
    for step in range(STEPS):
        weights = (1 - beta2) * beta2 ** np.arange(len(grads))[::-1]
        average = np.tensordot(weights, grads, axes=1)
        g = gradient(param, step)
        direction = np.where(beta1 * average + (1 - beta1) * g > 0, 1.0, -1.0)
        param = param - falling(step) * (direction + weight_decay * param)
        grads = np.concatenate([grads, g[None]])
        path.append(param)
    np.testing.assert_allclose(ours, path, rtol=0, atol=1e-12)


def test_lion_without_memory_is_sign_descent():
    grad = np.array([3.0, -1e-9, 0.0])
    param, _ = lion(np.zeros(3), grad, lr=0.1, betas=(0.0, 0.99))
    np.testing.assert_array_equal(param, [-0.1, 0.1, 0.0])


# ----------------------------------------------------------------------------------------------- laws

sizes = st.floats(1e-3, 1e3)


@hypothesis_settings(deadline=None, max_examples=50)
@given(sizes, st.integers(1, 100))
def test_a_step_of_adam_does_not_depend_on_the_scale_of_the_gradient(scale, steps):
    """With eps = 0, multiplying the loss by a number changes nothing: each weight has its own scale."""
    rng = np.random.default_rng(steps)
    grads = rng.normal(size=(steps, 4))
    ends = []
    for factor in (1.0, scale):
        param, state = np.zeros(4), ()
        for t, grad in enumerate(grads, 1):
            param, *state = adam(param, factor * grad, *state, eps=0.0, t=t)
        ends.append(param)
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-12)


@hypothesis_settings(deadline=None, max_examples=50)
@given(sizes, st.integers(1, 50), st.sampled_from([adam, adamw, nadam]))
def test_a_constant_gradient_moves_every_weight_by_lr(size, steps, optimizer):
    """Bias correction: the averages of a constant are that constant from the first step on."""
    grad = np.array([size, -size])
    param, state = np.zeros(2), ()
    settings = {} if optimizer is not adamw else dict(weight_decay=0)
    for t in range(1, steps + 1):
        before = param
        param, *state = optimizer(param, grad, *state, lr=0.1, eps=0.0, t=t, **settings)
        if optimizer is not nadam:
            np.testing.assert_allclose(before - param, 0.1 * np.sign(grad), rtol=1e-9)
    assert (np.sign(param) == -np.sign(grad)).all()


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_newton_schulz_leaves_singular_vectors_and_evens_out_singular_values(rows, columns, seed):
    rng = np.random.default_rng(seed)
    u, _, vt = np.linalg.svd(rng.normal(size=(rows, columns)), full_matrices=False)
    s = rng.uniform(0.2, 1, size=min(rows, columns))
    step, _ = muon(np.zeros((rows, columns)), -(u * s) @ vt, lr=1.0, weight_decay=0, adjust_lr_fn=None)
    step /= max(1, rows / columns) ** 0.5
    values = np.diag(u.T @ step @ vt.T)
    np.testing.assert_allclose(u.T @ step @ vt.T, np.diag(values), rtol=0, atol=1e-9)
    assert (values > 0.5).all() and (values < 1.3).all()


def test_centered_rmsprop_survives_a_constant_gradient():
    """The variance of a constant is 0, and rounding must not take it below."""
    param, state = np.zeros(3), ()
    for _ in range(3000):
        param, *state = rmsprop(param, np.array([0.1, 1 / 3, 1e3]), *state, alpha=0.9, centered=True)
    assert np.isfinite(param).all()


# ------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("version", [in_numpy.sgd, in_torch.sgd])
@pytest.mark.parametrize("settings", [dict(nesterov=True), dict(nesterov=True, momentum=0.9, dampening=0.1)])
def test_nesterov_needs_momentum_and_no_dampening(version, settings):
    zeros = np.zeros(3) if version is sgd else torch.zeros(3)
    with pytest.raises(ValueError, match="nesterov needs momentum > 0, dampening 0"):
        version(zeros, zeros, **settings)
    with pytest.raises(ValueError, match="Nesterov"):
        torch.optim.SGD([torch.zeros(3)], lr=0.1, **settings)


@pytest.mark.parametrize("module", [in_numpy, in_torch])
@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "lion"])
@pytest.mark.parametrize("betas", [(0.9, 1.0), (-0.1, 0.9), (1.0, 0.9)])
def test_betas_lie_from_0_to_1(module, name, betas):
    zeros = np.zeros(3) if module is in_numpy else torch.zeros(3)
    with pytest.raises(ValueError, match=f"{name}: betas is .*; expected two numbers in"):
        getattr(module, name)(zeros, zeros, betas=betas)


@pytest.mark.parametrize("module", [in_numpy, in_torch])
@pytest.mark.parametrize("name, states", [("adagrad", 1), ("adam", 2), ("adamw", 2), ("nadam", 2)])
def test_a_forgotten_count_is_refused(module, name, states):
    """Whoever forgets t would get the correction of the first step for ever."""
    zeros = np.zeros(3) if module is in_numpy else torch.zeros(3)
    with pytest.raises(ValueError, match=f"{name}: t is 1 with a state; expected t = 1 in the first step"):
        getattr(module, name)(zeros, zeros, *[zeros] * states)
    with pytest.raises(ValueError, match=f"{name}: t is 2 with no state"):
        getattr(module, name)(zeros, zeros, t=2)


@pytest.mark.parametrize("module", [in_numpy, in_torch])
@pytest.mark.parametrize(
    "name, states, settings",
    [
        ("adam", 1, dict(t=2)),
        ("adam", 2, dict(t=2, amsgrad=True)),
        ("adamw", 1, dict(t=2)),
        ("adamw", 2, dict(t=2, amsgrad=True)),
        ("nadam", 2, dict(t=2)),
        ("rmsprop", 1, dict(momentum=0.9)),
        ("rmsprop", 2, dict(momentum=0.9, centered=True)),
        ("reduce_lr_on_plateau", 1, {}),
    ],
)
def test_a_forgotten_part_of_the_state_is_refused(module, name, states, settings):
    """It would start from 0 again and again: momentum without memory, a mean square of one gradient."""
    one = np.array(1.0) if module is in_numpy else torch.tensor(1.0)
    with pytest.raises(ValueError, match=f"{name}: .* part of the state"):
        getattr(module, name)(one, one, *[one] * states, **settings)


@pytest.mark.parametrize("module", [in_numpy, in_torch])
def test_muon_knows_its_adjustments(module):
    zeros = np.zeros((3, 2)) if module is in_numpy else torch.zeros(3, 2)
    with pytest.raises(ValueError, match="adjust_lr_fn is 'adam'; expected 'original' or 'match_rms_adamw'"):
        module.muon(zeros, zeros, adjust_lr_fn="adam")


@pytest.mark.parametrize("module", [in_numpy, in_torch])
def test_one_cycle_ends(module):
    t = np.arange(101.0) if module is in_numpy else torch.arange(101.0)
    with pytest.raises(ValueError, match="t reaches 100; expected t < total_steps = 100"):
        module.one_cycle_lr(t, 0.1, 100)
    with pytest.raises(ValueError, match="pct_start is 0.01; expected a rise"):
        module.one_cycle_lr(t[:50], 0.1, 100, pct_start=0.01)


def test_the_state_is_the_callers_to_keep():
    """The first buffer is a copy: a training loop may fill the same gradient array again."""
    for optimizer in (sgd, adam, adamw, nadam, lion, rmsprop):
        grad = np.ones(3)
        settings = dict(momentum=0.9) if optimizer in (sgd, rmsprop) else {}
        _, *state = optimizer(np.zeros(3), grad, **settings)
        kept = [None if s is None else np.copy(s) for s in state]
        grad[...] = 5
        for before, after in zip(kept, state):
            assert before is after is None or np.array_equal(before, after)


# --------------------------------------------------------------------------------------- in training


def models(dtype="float64"):
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    return [
        Sequential(Linear(3, 8, rng=r, dtype=dtype), ReLU(), Linear(8, 4, rng=r, dtype=dtype)) for r in rngs
    ]


def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.integers(0, 4, size=40)


FLAT = [name for name in (*CHOICES, "lion") if name != "muon"]  # those that take all weights as one vector


@pytest.mark.parametrize("name", FLAT)
def test_models_trained_together_are_those_trained_alone(name):
    """A learning rate for each model, one of them following a schedule, and all settings at once."""
    settings = {k: v[-1] for k, v in CHOICES.get(name, dict(weight_decay=DECAY)).items()}
    settings |= dict(nesterov=False) if name == "sgd" else {}
    lrs = [0.001, 0.01, lambda step: 0.01 / (step + 1)]
    options = dict(optimizer=getattr(in_numpy, name), epochs=20, **settings)
    together, alone = models(), models()
    fit_many(together, *points(), lr=lrs, **options)
    for model, lr in zip(alone, lrs):
        fit(model, *points(), lr=lr, **options)
    for a, b in zip(together, alone):
        np.testing.assert_allclose(a.params, b.params, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FLAT)
def test_training_stays_in_float32(name):
    model, *_ = models("float32")
    fit(model, *(v.astype("float32") if v.dtype == float else v for v in points()), lr=0.01, epochs=3,
        optimizer=getattr(in_numpy, name))  # fmt: skip
    param, *state = getattr(in_numpy, name)(model.params, model.grads, lr=0.01)
    assert {s.dtype for s in (param, *state) if s is not None} == {np.dtype("float32")}


def test_muon_moves_the_matrices_of_a_model_and_adamw_the_rest():
    """As in torch, where two optimizers share the work."""
    model, *_ = models()
    x, y = points()
    twin = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).double()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(model.params.copy()), twin.parameters())
    fit(model, x, y, lr=0.02, epochs=20, optimizer=muon, momentum=0.9)
    weights, biases = ([p for p in twin.parameters() if p.ndim == axes] for axes in (2, 1))
    both = torch.optim.Muon(weights, lr=0.02, momentum=0.9), torch.optim.AdamW(biases, lr=0.02)
    with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # muon's rounding, left out
        for _ in range(20):
            twin.zero_grad()
            torch.nn.functional.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(y)).backward()
            for optimizer in both:
                optimizer.step()
    expected = torch.nn.utils.parameters_to_vector(twin.parameters()).detach()
    assert core.max_difference(model.params, expected) < 1e-12


def test_muon_trains_models_together_as_alone():
    lrs, options = [0.001, 0.01, lambda step: 0.1 / (step + 1)], dict(epochs=20, optimizer=muon)
    together, alone = models(), models()
    fit_many(together, *points(), lr=lrs, **options)
    for model, other, lr in zip(alone, together, lrs):
        fit(model, *points(), lr=lr, **options)
        np.testing.assert_allclose(other.params, model.params, rtol=0, atol=1e-12)


def test_muon_keeps_float32_and_checks_its_arguments():
    model, *_ = models("float32")
    x, y = points()
    fit(model, x, y, lr=0.01, epochs=3, optimizer=muon)
    assert model.params.dtype == np.float32
    with pytest.raises(ValueError, match="adjust_lr_fn is 'adam'"):
        fit(model, x, y, lr=0.01, epochs=3, optimizer=muon, adjust_lr_fn="adam")


def test_a_schedule_and_an_optimizer_train_as_in_torch():
    model, *_ = models()
    x, y = points()
    twin = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).double()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(model.params.copy()), twin.parameters())
    cycle = dict(max_lr=0.1, total_steps=60)
    rate = lambda step: in_numpy.one_cycle_lr(float(step), **cycle)  # noqa: E731
    fit(model, x, y, lr=rate, epochs=60, optimizer=adamw, weight_decay=0.1)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.1, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, **cycle, cycle_momentum=False)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
        schedule.step()
    expected = torch.nn.utils.parameters_to_vector(twin.parameters()).detach()
    assert core.max_difference(model.params, expected) < 1e-10


# ----------------------------------------------------------------------------------------- schedules

counts, factors, rates = st.integers(1, 40), st.floats(0.05, 1.2), st.floats(1e-4, 10)
SCHEDULES = {
    "step_lr": dict(lr=rates, step_size=counts, gamma=factors),
    "multi_step_lr": dict(lr=rates, milestones=st.lists(st.integers(0, 99), max_size=5), gamma=factors),
    "exponential_lr": dict(lr=rates, gamma=factors),
    "linear_lr": dict(
        lr=rates, start_factor=st.floats(0.01, 1), end_factor=st.floats(0, 1), total_iters=counts
    ),
    "cosine_annealing_lr": dict(lr=rates, T_max=counts, eta_min=st.floats(0, 1)),
    "cosine_annealing_warm_restarts": dict(
        lr=rates, T_0=counts, T_mult=st.integers(1, 3), eta_min=st.floats(0, 1)
    ),
    "one_cycle_lr": dict(
        max_lr=rates,
        total_steps=st.just(100),
        pct_start=st.floats(0.02, 1),
        anneal_strategy=st.sampled_from(["cos", "linear"]),
        div_factor=st.floats(1, 100),
        final_div_factor=st.floats(1, 1e6),
        three_phase=st.booleans(),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@hypothesis_settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_schedule_is_torchs_step_for_step(name, data):
    arguments = data.draw(st.fixed_dictionaries(SCHEDULES[name]))
    f, t = getattr(in_numpy, name), np.arange(100.0)
    ours = f(t, **arguments)
    given_ = core.positional(f, {"t": torch.from_numpy(t), **arguments})
    theirs = in_torch.official[name](*given_).numpy()
    largest = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * largest)
    np.testing.assert_allclose(getattr(in_torch, name)(*given_), ours, rtol=0, atol=1e-11 * largest)
    for step in (0.0, 37.0, 99.0):  # one step at a time, as a training loop asks
        assert float(f(step, **arguments)) == pytest.approx(ours[int(step)], rel=1e-12)


PLATEAU = dict(
    mode=("min", "max"), factor=(0.1, 0.5), patience=(0, 3), threshold=(1e-4, 0.1), eps=(1e-8, 1e-2),
    threshold_mode=("rel", "abs"), cooldown=(0, 2), min_lr=(0.0, 0.01),
)  # fmt: skip


def test_reduce_on_plateau_is_torchs_epoch_for_epoch():
    """Every combination of arguments, on noise that falls and then does not."""
    noise = np.random.default_rng(0).normal(size=60)
    metrics = np.abs(np.where(np.arange(60) < 30, 3 - np.arange(60) / 10, 0.1) + 0.3 * noise)
    reduced = 0
    for values in product(*PLATEAU.values()):
        arguments = dict(zip(PLATEAU, values))
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
        lr, state = 0.1, ()
        for value in metrics:
            lr, *state = reduce_lr_on_plateau.unchecked(np.float64(value), lr, *state, **arguments)
            schedule.step(value)
            assert lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12, abs=0), arguments
            best, bad, resting = state
            expected = schedule.best, schedule.num_bad_epochs, schedule.cooldown_counter
            assert (best, bad, resting) == expected, arguments
        reduced += lr < 0.1
    assert reduced > 100
