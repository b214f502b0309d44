"""Inputs on which reference, twin and official operation must agree: first and later steps, all settings."""

from itertools import product

import numpy as np

from nnlib.core import Case

SHAPE = (3, 4)


def cases(rng):
    yield from _sgd(rng)
    yield from _adaptive(rng)
    yield from _muon(rng)
    yield from _schedules()
    yield from _plateau()


def _sgd(rng):
    for momentum, dampening, weight_decay, nesterov, later in product(
        (0, 0.9), (0, 0.3), (0, 0.05), (False, True), (False, True)
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue  # refused, by torch too
        args = dict(param=rng.normal(size=SHAPE), grad=rng.normal(size=SHAPE))
        if later:
            args["momentum_buffer"] = rng.normal(size=SHAPE)
        settings = dict(
            lr=0.1, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )
        changed = ", ".join(k for k, v in settings.items() if v and k != "lr") or "plain"
        yield Case("sgd", dict(**args, **settings), f"{'later' if later else 'first'} step, {changed}")
    yield Case("sgd", dict(param=rng.normal(size=5), grad=rng.normal(size=5)), "defaults")
    yield Case("sgd", dict(param=rng.normal(size=5), grad=rng.normal(size=5), lr=0.0), "no step")


def _average(rng):
    return rng.normal(size=SHAPE)


def _squares(rng):
    """Mean squares are positive, and larger than the square of the mean."""
    return rng.uniform(20, 30, size=SHAPE)


STATES = {
    "adagrad": dict(state_sum=_squares),
    "rmsprop": dict(square_avg=_squares, momentum_buffer=_average, grad_avg=_average),
    "adam": dict(exp_avg=_average, exp_avg_sq=_squares, max_exp_avg_sq=_squares),
    "adamw": dict(exp_avg=_average, exp_avg_sq=_squares, max_exp_avg_sq=_squares),
    "nadam": dict(exp_avg=_average, exp_avg_sq=_squares, mu_product=lambda rng: np.array(0.3)),
    "lion": dict(exp_avg=_average),
    "muon": dict(momentum_buffer=_average),
}
SETTINGS = {
    "adagrad": dict(lr_decay=(0, 0.2), weight_decay=(0, 0.05), initial_accumulator_value=(0, 0.5)),
    "rmsprop": dict(weight_decay=(0, 0.05), momentum=(0, 0.9), centered=(False, True)),
    "adam": dict(weight_decay=(0, 0.05), amsgrad=(False, True), decoupled_weight_decay=(False, True)),
    "adamw": dict(weight_decay=(0.0, 0.05), amsgrad=(False, True)),
    "nadam": dict(weight_decay=(0, 0.05), momentum_decay=(4e-3, 0.1), decoupled_weight_decay=(False, True)),
    "lion": dict(weight_decay=(0, 0.05), betas=((0.9, 0.99), (0.5, 0.5))),
}
OTHERS = {  # what the combinations above leave at its default
    "adagrad": dict(eps=0.1),
    "rmsprop": dict(alpha=0.5, eps=0.1, momentum=0.5, centered=True),
    "adam": dict(betas=(0.5, 0.8), eps=0.1),
    "adamw": dict(betas=(0.5, 0.8), eps=0.1),
    "nadam": dict(betas=(0.5, 0.8), eps=0.1),
}
COUNTS = ("adagrad", "adam", "adamw", "nadam")  # those that take the number of the step


def _adaptive(rng):
    for name, choices in SETTINGS.items():
        for values in product(*choices.values()):
            settings = dict(zip(choices, values))
            changed = ", ".join(k for k, v in settings.items() if v != choices[k][0]) or "plain"
            for t in (1, 7):
                args = dict(param=rng.normal(size=SHAPE), grad=rng.normal(size=SHAPE))
                unused = [k for k, setting in NEEDS.items() if not settings.get(setting)]
                if t > 1:
                    args |= {k: make(rng) for k, make in STATES[name].items() if k not in unused}
                count = {"t": t} if name in COUNTS else {}
                note = f"{'first' if t == 1 else 'later'} step, {changed}"
                yield Case(name, dict(**args, lr=0.1, **settings, **count), note)
        if name in OTHERS:
            args = dict(param=rng.normal(size=SHAPE), grad=rng.normal(size=SHAPE))
            args |= {k: make(rng) for k, make in STATES[name].items() if k != "max_exp_avg_sq"}
            count = {"t": 3} if name in COUNTS else {}
            yield Case(name, dict(**args, **OTHERS[name], **count), "other settings")
        yield Case(name, dict(param=rng.normal(size=5), grad=rng.normal(size=5)), "defaults")
        large = np.array([1e3, -1e3, 1e-3, 1.0, -1.0])
        yield Case(name, dict(param=rng.normal(size=5), grad=large), "gradients from 0.001 to 1000")
        zero = dict(param=rng.normal(size=3), grad=np.zeros(3))
        yield Case(name, zero, "gradient zero")


NEEDS = {"momentum_buffer": "momentum", "grad_avg": "centered", "max_exp_avg_sq": "amsgrad"}


def _muon(rng):
    for shape, note in (((3, 4), "wide"), ((5, 2), "tall"), ((1, 6), "one row"), ((4, 4), "square")):
        for nesterov, later, adjust_lr_fn in product((True, False), (False, True), (None, "match_rms_adamw")):
            args = dict(param=rng.normal(size=shape), grad=rng.normal(size=shape))
            if later:
                args["momentum_buffer"] = rng.normal(size=shape)
            settings = dict(lr=0.1, weight_decay=0.05, nesterov=nesterov, adjust_lr_fn=adjust_lr_fn)
            words = ["later" if later else "first", *(["nesterov"] * nesterov), adjust_lr_fn or "original"]
            yield Case("muon", dict(**args, **settings), f"{note}, {', '.join(words)}")
    long = dict(param=rng.normal(size=(25, 2)), grad=rng.normal(size=(25, 2)))  # 0.2 sqrt(25) is 1
    yield Case("muon", dict(**long, adjust_lr_fn="match_rms_adamw"), "25 rows, match_rms_adamw")
    pair = dict(param=rng.normal(size=SHAPE), grad=rng.normal(size=SHAPE))
    yield Case("muon", pair, "defaults")
    later = dict(**pair, momentum_buffer=rng.normal(size=SHAPE))
    yield Case("muon", dict(**later, momentum=0.5, eps=10.0), "other settings")
    yield Case("muon", dict(**pair, ns_steps=0), "no iteration")
    yield Case("muon", dict(**pair, ns_steps=12, ns_coefficients=(1.5, -0.5, 0.0)), "cubic iteration")
    yield Case("muon", dict(param=rng.normal(size=SHAPE), grad=np.zeros(SHAPE)), "gradient zero")


def _schedules():
    t = np.arange(60.0)
    yield Case("step_lr", dict(t=t, lr=0.1, step_size=10))
    yield Case("step_lr", dict(t=t, lr=0.1, step_size=7, gamma=0.5), "half every 7")
    yield Case("multi_step_lr", dict(t=t, lr=0.1, milestones=[10, 30, 31]))
    yield Case("multi_step_lr", dict(t=t, lr=0.1, milestones=[20, 20, 5], gamma=0.5), "one of them twice")
    yield Case("exponential_lr", dict(t=t, lr=0.1, gamma=0.95))
    yield Case("exponential_lr", dict(t=t, lr=0.001, gamma=1.05), "rising")
    yield Case("linear_lr", dict(t=t, lr=0.1))
    yield Case("linear_lr", dict(t=t, lr=0.1, start_factor=0.01, total_iters=20), "warm-up")
    yield Case("linear_lr", dict(t=t, lr=0.1, start_factor=1.0, end_factor=0.0, total_iters=59), "down to 0")
    yield Case("cosine_annealing_lr", dict(t=t, lr=0.1, T_max=59))
    yield Case("cosine_annealing_lr", dict(t=t, lr=0.1, T_max=20, eta_min=0.01), "beyond its end")
    for T_mult in (1, 2, 3):
        args = dict(t=t, lr=0.1, T_0=8, T_mult=T_mult, eta_min=0.001 * T_mult)
        yield Case("cosine_annealing_warm_restarts", args, f"cycles × {T_mult}")
    for strategy, three_phase in product(("cos", "linear"), (False, True)):
        settings = dict(anneal_strategy=strategy, three_phase=three_phase)
        note = f"{strategy}, {'three phases' if three_phase else 'two phases'}"
        yield Case("one_cycle_lr", dict(t=t, max_lr=0.1, total_steps=60, **settings), note)
        odd = dict(t=t, max_lr=0.1, total_steps=61, pct_start=0.43, div_factor=10.0, final_div_factor=100.0)
        yield Case("one_cycle_lr", odd | settings, f"{note}, odd numbers")
    yield Case("one_cycle_lr", dict(t=t, max_lr=0.1, total_steps=60, pct_start=0.0), "only down")
    yield Case("one_cycle_lr", dict(t=t, max_lr=0.1, total_steps=60, pct_start=1.0), "only up")
    late = dict(t=t, max_lr=0.1, total_steps=60, pct_start=0.7, three_phase=True)
    yield Case("one_cycle_lr", late, "three phases, no time for the last")


def _plateau():
    first = dict(metrics=np.array(2.0), lr=np.array(0.1))
    yield Case("reduce_lr_on_plateau", first, "first epoch")
    yield Case("reduce_lr_on_plateau", dict(**first, mode="max"), "first epoch, max")
    for mode, worst in (("min", np.inf), ("max", -np.inf)):
        lost = dict(metrics=np.array(worst), lr=np.array(0.1), mode=mode)
        yield Case("reduce_lr_on_plateau", lost, f"first epoch, {mode}, infinite")
    for mode, threshold_mode in product(("min", "max"), ("rel", "abs")):
        for metrics, note in ((0.5, "lower"), (2.0, "equal"), (2.00001, "hardly higher"), (3.0, "higher")):
            for bad, resting, cooldown in ((0, 0, 0), (10, 0, 3), (10, 1, 3)):
                state = dict(best=np.array(2.0), num_bad_epochs=np.array(bad))
                state |= dict(cooldown_counter=np.array(resting), cooldown=cooldown)
                args = dict(metrics=np.array(metrics), lr=np.array(0.1), mode=mode)
                yield Case(
                    "reduce_lr_on_plateau",
                    dict(**args, **state, threshold_mode=threshold_mode),
                    f"{mode} {threshold_mode}, {note}, {bad} bad, {resting} to rest",
                )
    worse = dict(metrics=np.array(3.0), best=np.array(2.0), num_bad_epochs=np.array(0), patience=0)
    worse |= dict(cooldown_counter=np.array(0))
    yield Case("reduce_lr_on_plateau", dict(**worse, lr=np.array(0.1), min_lr=0.05), "down to min_lr")
    yield Case("reduce_lr_on_plateau", dict(**worse, lr=np.array(1e-9)), "too small a change")
    yield Case("reduce_lr_on_plateau", dict(**worse, lr=np.array(0.1), factor=0.5), "half")
    hardly = worse | dict(metrics=np.array(1.9), threshold=0.1)
    yield Case("reduce_lr_on_plateau", dict(**hardly, lr=np.array(0.1)), "not lower by a tenth")
