"""The twin: the same steps and schedules in PyTorch, for CPU and GPU."""

import math
from unittest.mock import patch

import torch

from nnlib.core import checked

_OF_OPTIMIZERS = {"maximize": False, "foreach": None, "differentiable": False, "fused": None}
_CAPTURABLE = {**_OF_OPTIMIZERS, "capturable": False}


# ----------------------------------------------------------------------------------------- optimizers


@checked(not_taught=_OF_OPTIMIZERS)
def sgd(param, grad, momentum_buffer=None, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    """param = param - lr * buffer,   buffer = momentum * buffer + (1 - dampening) * g,   g = grad + decay"""
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"sgd: momentum is {momentum} and dampening {dampening}; nesterov needs momentum > 0, dampening 0"
        )
    g = torch.add(grad, param, alpha=weight_decay)
    if momentum == 0:
        return torch.sub(param, g, alpha=lr), momentum_buffer
    first = momentum_buffer is None
    momentum_buffer = g.clone() if first else torch.add(momentum * momentum_buffer, g, alpha=1 - dampening)
    step = torch.add(g, momentum_buffer, alpha=momentum) if nesterov else momentum_buffer
    return torch.sub(param, step, alpha=lr), momentum_buffer


@checked(not_taught=_OF_OPTIMIZERS)
def adagrad(
    param, grad, state_sum=None, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10,
    t=1,
):  # fmt: skip
    """param = param - lr_t * g / (root of the sum of squares + eps),  lr_t = lr / (1 + (t - 1) * lr_decay)"""
    _check_step("adagrad", t, state_sum)
    g = torch.add(grad, param, alpha=weight_decay)
    if state_sum is None:
        state_sum = torch.full_like(param, initial_accumulator_value)
    state_sum = torch.addcmul(state_sum, g, g)
    lr_t = lr / (1 + (t - 1) * lr_decay)
    return torch.addcdiv(param, g, state_sum.sqrt() + eps, value=-lr_t), state_sum


@checked(not_taught=_CAPTURABLE)
def rmsprop(
    param, grad, square_avg=None, momentum_buffer=None, grad_avg=None, lr=1e-2, alpha=0.99, eps=1e-8,
    weight_decay=0, momentum=0, centered=False,
):  # fmt: skip
    """param = param - lr * buffer,   buffer = momentum * buffer + g / (root of the mean square + eps)"""
    _check_whole("rmsprop", square_avg, *[momentum_buffer] * (momentum > 0), *[grad_avg] * centered)
    g = torch.add(grad, param, alpha=weight_decay)
    square_avg = torch.lerp(_or_zero(square_avg, g), g.square(), 1 - alpha)
    root = square_avg.sqrt()
    if centered:
        grad_avg = torch.lerp(_or_zero(grad_avg, g), g, 1 - alpha)
        root = torch.addcmul(square_avg, grad_avg, grad_avg, value=-1).clamp(min=0).sqrt()
    scaled = torch.div(g, root + eps)
    if momentum == 0:
        return torch.sub(param, scaled, alpha=lr), square_avg, momentum_buffer, grad_avg
    momentum_buffer = torch.add(scaled, _or_zero(momentum_buffer, g), alpha=momentum)
    return torch.sub(param, momentum_buffer, alpha=lr), square_avg, momentum_buffer, grad_avg


@checked(not_taught=_CAPTURABLE)
def adam(
    param, grad, exp_avg=None, exp_avg_sq=None, max_exp_avg_sq=None, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=0, amsgrad=False, decoupled_weight_decay=False, t=1,
):  # fmt: skip
    """param = param - lr / c1 * m / (sqrt(v) / sqrt(c2) + eps),   c1 = 1 - beta1**t,   c2 = 1 - beta2**t"""
    beta1, beta2 = _check_betas("adam", betas)
    _check_step("adam", t, exp_avg, exp_avg_sq, *[max_exp_avg_sq] * amsgrad)
    g = grad if decoupled_weight_decay else torch.add(grad, param, alpha=weight_decay)
    shrunk = torch.sub(param, param, alpha=lr * weight_decay) if decoupled_weight_decay else param
    exp_avg = torch.lerp(_or_zero(exp_avg, g), g, 1 - beta1)
    exp_avg_sq = torch.lerp(_or_zero(exp_avg_sq, g), g.square(), 1 - beta2)
    v = exp_avg_sq
    if amsgrad:
        v = max_exp_avg_sq = torch.maximum(_or_zero(max_exp_avg_sq, g), exp_avg_sq)
    root = v.sqrt() / math.sqrt(1 - beta2**t) + eps
    param = torch.addcdiv(shrunk, exp_avg, root, value=-lr / (1 - beta1**t))
    return param, exp_avg, exp_avg_sq, max_exp_avg_sq


@checked(not_taught=_CAPTURABLE)
def adamw(
    param, grad, exp_avg=None, exp_avg_sq=None, max_exp_avg_sq=None, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=1e-2, amsgrad=False, t=1,
):  # fmt: skip
    """param = param - lr * weight_decay * param + (what adam adds to param without decay)"""
    _check_betas("adamw", betas)
    _check_step("adamw", t, exp_avg, exp_avg_sq, *[max_exp_avg_sq] * amsgrad)
    state = exp_avg, exp_avg_sq, max_exp_avg_sq
    moved, *state = adam.unchecked(param, grad, *state, lr, betas, eps, 0, amsgrad, False, t)
    return torch.sub(moved, param, alpha=lr * weight_decay), *state


@checked(not_taught=_CAPTURABLE)
def nadam(
    param, grad, exp_avg=None, exp_avg_sq=None, mu_product=None, lr=2e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, t=1,
):  # fmt: skip
    """adam with m_hat = mu_next / (1 - product * mu_next) * exp_avg + (1 - mu) / (1 - product) * g"""
    beta1, beta2 = _check_betas("nadam", betas)
    _check_step("nadam", t, exp_avg, exp_avg_sq, mu_product)
    g = grad if decoupled_weight_decay else torch.add(grad, param, alpha=weight_decay)
    shrunk = torch.sub(param, param, alpha=lr * weight_decay) if decoupled_weight_decay else param
    mu = beta1 - beta1 / 2 * math.exp(t * momentum_decay * math.log(0.96))
    mu_next = beta1 - beta1 / 2 * math.exp((t + 1) * momentum_decay * math.log(0.96))
    mu_product = param.new_tensor(mu) if mu_product is None else mu * mu_product
    exp_avg = torch.lerp(_or_zero(exp_avg, g), g, 1 - beta1)
    exp_avg_sq = torch.lerp(_or_zero(exp_avg_sq, g), g.square(), 1 - beta2)
    root = torch.sqrt(exp_avg_sq / (1 - beta2**t)) + eps
    by_momentum = mu_next / (1 - mu_product * mu_next) * exp_avg / root
    by_gradient = (1 - mu) / (1 - mu_product) * g / root
    return shrunk - lr * by_momentum - lr * by_gradient, exp_avg, exp_avg_sq, mu_product


@checked
def lion(param, grad, exp_avg=None, lr=1e-4, betas=(0.9, 0.99), weight_decay=0):
    """param = param - lr * (sign(lerp(exp_avg, grad, 1 - beta1)) + weight_decay * param)"""
    beta1, beta2 = _check_betas("lion", betas)
    exp_avg = _or_zero(exp_avg, grad)
    update = torch.add(torch.lerp(grad, exp_avg, beta1).sign(), param, alpha=weight_decay)
    return torch.sub(param, update, alpha=lr), torch.lerp(grad, exp_avg, beta2)


@checked
def muon(
    param, grad, momentum_buffer=None, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
    ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
):  # fmt: skip
    """g = U diag(s) V.T,  s = a s + b s**3 + c s**5 again and again from s / ||s||,   step = U diag(s) V.T"""
    if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
        raise ValueError(f"muon: adjust_lr_fn is {adjust_lr_fn!r}; expected 'original' or 'match_rms_adamw'")
    momentum_buffer = torch.lerp(_or_zero(momentum_buffer, grad), grad, 1 - momentum)
    g = torch.lerp(grad, momentum_buffer, momentum) if nesterov else momentum_buffer
    u, s, vt = torch.linalg.svd(g, full_matrices=False)
    s = s / s.norm().clamp(min=eps)
    a, b, c = ns_coefficients
    for _ in range(ns_steps):
        s = a * s + b * s**3 + c * s**5
    rows, columns = param.shape
    scale = math.sqrt(rows / columns) if rows > columns else 1
    if adjust_lr_fn == "match_rms_adamw":
        scale = 0.2 * math.sqrt(max(rows, columns))
    return param - lr * weight_decay * param - lr * scale * (u * s) @ vt, momentum_buffer


def _or_zero(state, like):
    return torch.zeros_like(like) if state is None else state


def _check_betas(name, betas):
    beta1, beta2 = betas
    if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
        raise ValueError(f"{name}: betas is {betas}; expected two numbers in [0, 1)")
    return beta1, beta2


def _check_step(name, t, *states):
    if any((state is None) != (t == 1) for state in states):
        came = "a state" if t == 1 else "no state" if states[0] is None else "a part of the state missing"
        raise ValueError(f"{name}: t is {t} with {came}; expected t = 1 in the first step, which has none")


def _check_whole(name, *states):
    if len({state is None for state in states}) > 1:
        raise ValueError(f"{name}: a part of the state is None; expected all that the step before returned")


# ------------------------------------------------------------------------------------------ schedules


@checked(not_taught={"last_epoch": -1})
def step_lr(t, lr, step_size, gamma=0.1):
    """lr_t = lr * exp(log(gamma) * stairs),   stairs = t / step_size without its fraction"""
    return lr * torch.exp(math.log(gamma) * torch.div(_tensor(t), step_size, rounding_mode="floor"))


@checked(not_taught={"last_epoch": -1})
def multi_step_lr(t, lr, milestones, gamma=0.1):
    """lr_t = lr * gamma**(place of t among the milestones)"""
    t = _tensor(t)
    passed = torch.bucketize(t, torch.tensor(sorted(milestones), device=t.device), right=True)
    return lr * torch.pow(gamma, passed.to(t.dtype))


@checked(not_taught={"last_epoch": -1})
def exponential_lr(t, lr, gamma):
    """lr_t = lr * exp(log(gamma) * t)"""
    return lr * torch.exp(math.log(gamma) * _tensor(t))


@checked(not_taught={"last_epoch": -1})
def linear_lr(t, lr, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    """lr_t between start_factor * lr at t = 0 and end_factor * lr from t = total_iters on"""
    t = _tensor(t)
    start, end = (torch.full_like(t, factor * lr) for factor in (start_factor, end_factor))
    return torch.lerp(start, end, (t / total_iters).clamp(max=1))


@checked(not_taught={"last_epoch": -1})
def cosine_annealing_lr(t, lr, T_max, eta_min=0.0):
    """lr_t = eta_min + (lr - eta_min) * cos(pi * t / (2 * T_max))**2"""
    return eta_min + (lr - eta_min) * torch.cos(_tensor(t) * (math.pi / 2 / T_max)).square()


@checked(not_taught={"last_epoch": -1})
def cosine_annealing_warm_restarts(t, lr, T_0, T_mult=1, eta_min=0.0):
    """cosine_annealing_lr of the steps since the last of the ends T_0, T_0 (1 + T_mult), ..."""
    t, starts, length = _tensor(t), [0], T_0
    while starts[-1] + length <= t.max():
        starts.append(starts[-1] + length)
        length *= T_mult
    starts = torch.tensor(starts, dtype=t.dtype, device=t.device)
    cycle = torch.bucketize(t, starts, right=True) - 1
    return cosine_annealing_lr.unchecked((t - starts[cycle]) / T_mult**cycle, lr, T_0, eta_min)


@checked(not_taught={"epochs": None, "steps_per_epoch": None, "last_epoch": -1})
def one_cycle_lr(
    t, max_lr, total_steps, pct_start=0.3, anneal_strategy="cos", div_factor=25.0, final_div_factor=1e4,
    three_phase=False,
):  # fmt: skip
    """lr_t = lerp(from, to, share of the phase), the share bent by cos**2 where the strategy is 'cos'"""
    t, up = _tensor(t), pct_start * total_steps - 1
    if t.max() > total_steps - 1:
        raise ValueError(f"one_cycle_lr: t reaches {t.max():g}; expected t < total_steps = {total_steps}")
    if up == 0:
        raise ValueError(f"one_cycle_lr: pct_start is {pct_start}; expected a rise of more than no step")
    low = max_lr / div_factor
    ends, heights = [up, total_steps - 1], [low, max_lr, low / final_div_factor]
    if three_phase:
        ends.insert(1, 2 * up)
        heights.insert(2, low)
    phase = sum((t > end).long() for end in ends[:-1])
    start, end = (torch.tensor(e, dtype=t.dtype, device=t.device)[phase] for e in ([0, *ends[:-1]], ends))
    a, b = (torch.tensor(h, dtype=t.dtype, device=t.device)[phase] for h in (heights[:-1], heights[1:]))
    share = (t - start) / (end - start)
    return torch.lerp(a, b, torch.sin(share * (math.pi / 2)).square() if anneal_strategy == "cos" else share)


@checked
def reduce_lr_on_plateau(
    metrics, lr, best=None, num_bad_epochs=None, cooldown_counter=None, mode="min", factor=0.1, patience=10,
    threshold=1e-4, threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8,
):  # fmt: skip
    """lr * factor, at least min_lr, after patience + 1 epochs in a row that beat no earlier one"""
    _check_whole("reduce_lr_on_plateau", best, num_bad_epochs, cooldown_counter)
    metrics, lr = _tensor(metrics), _tensor(lr)
    zero = torch.zeros((), dtype=torch.int64, device=metrics.device)
    if best is None:
        best = torch.full_like(metrics, math.inf if mode == "min" else -math.inf)
        num_bad_epochs, cooldown_counter = zero, zero
    gain = best - metrics if mode == "min" else metrics - best
    needed = threshold * best if threshold_mode == "rel" else torch.full_like(best, threshold)
    better = (best.isinf() & (gain > 0)) | (gain > needed)
    best = torch.where(better, metrics, best)
    resting = cooldown_counter > 0
    num_bad_epochs = torch.where(better | resting, zero, num_bad_epochs + 1)
    cooldown_counter = (cooldown_counter - 1).clamp(min=0)
    lower = (lr * factor).clamp(min=min_lr)
    if num_bad_epochs > patience:
        lr = torch.where(lr - lower > eps, lower, lr)
        num_bad_epochs, cooldown_counter = zero, torch.full_like(zero, cooldown)
    return lr, best, num_bad_epochs, cooldown_counter


def _tensor(t):
    return t if torch.is_tensor(t) else torch.tensor(t, dtype=torch.float64)


# --------------------------------------------------------------------------------- the library's own


def _step(optimizer, param, grad, **state):
    """One real step of an optimizer of torch's, its state put in and taken out."""
    if "step" in state:
        state["step"] = torch.tensor(float(state["step"]))
    known = {name: value.clone() for name, value in state.items() if value is not None}
    if len(known) > ("step" in known):
        optimizer.state[param].update(known)
    param.grad = grad.clone()
    optimizer.step()
    after = optimizer.state[param]
    return param.detach(), *(after.get(name) for name in state if name != "step")


def _leaf(param):
    return param.detach().clone().requires_grad_()


def _official_sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov):
    param = _leaf(param)
    settings = dict(momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
    return _step(torch.optim.SGD([param], lr=lr, **settings), param, grad, momentum_buffer=momentum_buffer)


def _official_adagrad(param, grad, state_sum, lr, lr_decay, weight_decay, initial_accumulator_value, eps, t):
    param = _leaf(param)
    settings = dict(initial_accumulator_value=initial_accumulator_value, eps=eps)
    optimizer = torch.optim.Adagrad([param], lr, lr_decay, weight_decay, **settings)
    return _step(optimizer, param, grad, sum=state_sum, step=t - 1)


def _official_rmsprop(
    param, grad, square_avg, momentum_buffer, grad_avg, lr, alpha, eps, weight_decay, momentum, centered
):
    param = _leaf(param)
    optimizer = torch.optim.RMSprop([param], lr, alpha, eps, weight_decay, momentum, centered)
    state = dict(square_avg=square_avg, momentum_buffer=momentum_buffer, grad_avg=grad_avg)
    return _step(optimizer, param, grad, **state, **({} if square_avg is None else {"step": 1}))


def _official_adam(
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, lr, betas, eps, weight_decay, amsgrad,
    decoupled_weight_decay, t,
):  # fmt: skip
    param = _leaf(param)
    settings = dict(amsgrad=amsgrad, decoupled_weight_decay=decoupled_weight_decay)
    optimizer = torch.optim.Adam([param], lr, betas, eps, weight_decay, **settings)
    state = dict(exp_avg=exp_avg, exp_avg_sq=exp_avg_sq, max_exp_avg_sq=max_exp_avg_sq, step=t - 1)
    return _step(optimizer, param, grad, **state)


def _official_adamw(
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, lr, betas, eps, weight_decay, amsgrad, t
):
    param = _leaf(param)
    optimizer = torch.optim.AdamW([param], lr, betas, eps, weight_decay, amsgrad)
    state = dict(exp_avg=exp_avg, exp_avg_sq=exp_avg_sq, max_exp_avg_sq=max_exp_avg_sq, step=t - 1)
    return _step(optimizer, param, grad, **state)


def _official_nadam(
    param, grad, exp_avg, exp_avg_sq, mu_product, lr, betas, eps, weight_decay, momentum_decay,
    decoupled_weight_decay, t,
):  # fmt: skip
    param = _leaf(param)
    settings = dict(momentum_decay=momentum_decay, decoupled_weight_decay=decoupled_weight_decay)
    optimizer = torch.optim.NAdam([param], lr, betas, eps, weight_decay, **settings)
    if mu_product is None:  # torch would begin with a product in float32, whatever the dtype of param
        exp_avg, exp_avg_sq, mu_product = torch.zeros_like(grad), torch.zeros_like(grad), grad.new_tensor(1.0)
    state = dict(exp_avg=exp_avg, exp_avg_sq=exp_avg_sq, mu_product=mu_product, step=t - 1)
    return _step(optimizer, param, grad, **state)


def _official_muon(
    param, grad, momentum_buffer, lr, weight_decay, momentum, nesterov, ns_coefficients, eps, ns_steps,
    adjust_lr_fn,
):  # fmt: skip
    """torch's own code, with its rounding to bfloat16 left out."""
    param = _leaf(param)
    optimizer = torch.optim.Muon(
        [param], lr, weight_decay, momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn
    )
    with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
        return _step(optimizer, param, grad, momentum_buffer=momentum_buffer)


def _at(lr):
    """An optimizer for a scheduler to steer."""
    return torch.optim.SGD([torch.zeros(1)], lr=lr)


def _rates(t, schedule):
    """The learning rates of one of torch's schedulers, stepped from 0 to the largest t."""
    rates = [schedule.get_last_lr()[0]]
    for _ in range(int(t.max())):
        schedule.optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    return torch.tensor(rates, dtype=t.dtype, device=t.device)[t.long()]


def _official_one_cycle(
    t, max_lr, total_steps, pct_start, anneal_strategy, div_factor, final_div_factor, three_phase
):
    settings = dict(pct_start=float(pct_start), anneal_strategy=anneal_strategy, three_phase=three_phase)
    settings |= dict(div_factor=div_factor, final_div_factor=final_div_factor, cycle_momentum=False)
    schedule = torch.optim.lr_scheduler.OneCycleLR(_at(1.0), max_lr, total_steps=total_steps, **settings)
    return _rates(t, schedule)


def _official_plateau(
    metrics, lr, best, num_bad_epochs, cooldown_counter, mode, factor, patience, threshold, threshold_mode,
    cooldown, min_lr, eps,
):  # fmt: skip
    settings = dict(threshold=threshold, threshold_mode=threshold_mode, cooldown=cooldown, min_lr=min_lr)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        _at(float(lr)), mode, factor, patience, eps=eps, **settings
    )
    if best is not None:
        schedule.best, schedule.num_bad_epochs = float(best), int(num_bad_epochs)
        schedule.cooldown_counter = int(cooldown_counter)
    schedule.step(float(metrics))
    floats = schedule.optimizer.param_groups[0]["lr"], schedule.best
    counts = schedule.num_bad_epochs, schedule.cooldown_counter
    return *(metrics.new_tensor(v) for v in floats), *(torch.tensor(n) for n in counts)


official = {
    "sgd": _official_sgd,
    "adagrad": _official_adagrad,
    "rmsprop": _official_rmsprop,
    "adam": _official_adam,
    "adamw": _official_adamw,
    "nadam": _official_nadam,
    "muon": _official_muon,
    "step_lr": lambda t, lr, *rest: _rates(t, torch.optim.lr_scheduler.StepLR(_at(lr), *rest)),
    "multi_step_lr": lambda t, lr, *rest: _rates(t, torch.optim.lr_scheduler.MultiStepLR(_at(lr), *rest)),
    "exponential_lr": lambda t, lr, gamma: _rates(t, torch.optim.lr_scheduler.ExponentialLR(_at(lr), gamma)),
    "linear_lr": lambda t, lr, *rest: _rates(t, torch.optim.lr_scheduler.LinearLR(_at(lr), *rest)),
    "cosine_annealing_lr": lambda t, lr, *rest: _rates(
        t, torch.optim.lr_scheduler.CosineAnnealingLR(_at(lr), *rest)
    ),
    "cosine_annealing_warm_restarts": lambda t, lr, *rest: _rates(
        t, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(_at(lr), *rest)
    ),
    "one_cycle_lr": _official_one_cycle,
    "reduce_lr_on_plateau": _official_plateau,
}
no_official = {"lion": "torch.optim has no Lion; tests hold it to the paper's algorithm, written out as sums"}
