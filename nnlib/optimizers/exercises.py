"""Exercises of notebook 08, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise

# ------------------------------------------------------------------------------------- warm-up: momentum


def momentum_step(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    """
    Returns
    -------
    param : array (...)
    momentum_buffer : array (...)
    """
    momentum_buffer = momentum * momentum_buffer + grad
    return param - lr * momentum_buffer, momentum_buffer


def _momentum_cases(rng):
    for note, shape in {"a vector": (5,), "a matrix": (3, 4)}.items():
        args = {name: rng.normal(size=shape) for name in ("param", "grad", "momentum_buffer")}
        yield Case("momentum_step", args, note)
        yield Case("momentum_step", dict(**args, lr=0.03, momentum=0.5), f"{note}, other settings")


momentum = Exercise(
    solution=momentum_step,
    hints=[
        "Two lines: first the buffer, from the old buffer and the gradient; then the step, with the new one.",
        "The old buffer counts `momentum` times, the gradient counts once: torch keeps a sum, not a mean.",
        "`momentum_buffer = momentum * momentum_buffer + grad`, and param loses lr times that. Return both.",
    ],
    next="momentum remembers a direction. Adam remembers a size for each weight as well.",
    cases=_momentum_cases,
)


@momentum.mistake(
    "You averaged: the gradient counts 1 - momentum times. That is Adam's first average. torch's momentum is "
    "a sum, in which the gradient counts once, so its steps are 1 / (1 - momentum) times as long."
)
def mean_for_sum(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer + (1 - momentum) * grad
    return param - lr * momentum_buffer, momentum_buffer


@momentum.mistake(
    "You moved with the old buffer. This step's gradient has no say then: update the buffer first, then move "
    "with what came out."
)
def old_buffer(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    return param - lr * momentum_buffer, momentum * momentum_buffer + grad


@momentum.mistake(
    "You keep lr inside the buffer. Some papers do; in torch lr multiplies when the param moves, so that a "
    "new lr counts at once for the whole buffer."
)
def lr_in_the_buffer(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer + lr * grad
    return param - momentum_buffer, momentum_buffer


@momentum.mistake("You walk uphill: the gradient points up, and you add the buffer. Subtract it.")
def uphill(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer + grad
    return param + lr * momentum_buffer, momentum_buffer


@momentum.mistake(
    "You return the right buffer but move by the gradient alone: that is plain SGD. The step is lr times the "
    "buffer."
)
def moves_by_the_gradient(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    return param - lr * grad, momentum * momentum_buffer + grad


@momentum.mistake(
    "This is Nesterov's step: the gradient is counted once more on top of the new buffer. Plain momentum "
    "moves by the buffer alone."
)
def nesterov(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer + grad
    return param - lr * (grad + momentum * momentum_buffer), momentum_buffer


@momentum.mistake(
    "You keep lr and the minus sign inside the buffer. In torch the buffer is a sum of gradients; lr and the "
    "minus come when the param moves."
)
def sign_and_lr_in_the_buffer(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer - lr * grad
    return param + momentum_buffer, momentum_buffer


@momentum.mistake("`momentum` is missing: the old buffer has to fade, or no gradient is ever forgotten.")
def buffer_not_faded(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum_buffer + grad
    return param - lr * momentum_buffer, momentum_buffer


@momentum.mistake(
    "`momentum` multiplies the gradient in your buffer. It belongs to the old buffer, which fades."
)
def momentum_at_the_gradient(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum_buffer + momentum * grad
    return param - lr * momentum_buffer, momentum_buffer


@momentum.mistake(
    "You averaged, and the wrong way round. torch keeps a sum: the old buffer counts `momentum` times, the "
    "gradient once."
)
def shares_the_wrong_way(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = (1 - momentum) * momentum_buffer + momentum * grad
    return param - lr * momentum_buffer, momentum_buffer


@momentum.mistake(
    "param is right, but you return the old buffer. The next step would know nothing of this gradient."
)
def returns_the_old_buffer(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    new = momentum * momentum_buffer + grad
    return param - lr * new, momentum_buffer.copy()


@momentum.mistake("lr is missing: the step is lr times the buffer.")
def step_without_lr(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    new = momentum * momentum_buffer + grad
    return param - new, new


@momentum.mistake("This is plain SGD: the old buffer plays no part.")
def no_momentum(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    return param - lr * grad, grad.copy()


@momentum.mistake(
    "The gradient enters your buffer with a minus. The buffer is a sum of gradients; the minus comes when "
    "the param moves."
)
def gradient_subtracted(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    momentum_buffer = momentum * momentum_buffer - grad
    return param - lr * momentum_buffer, momentum_buffer


@momentum.mistake("In your step lr multiplies the gradient alone. It multiplies the whole new buffer.")
def lr_at_the_gradient_alone(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    new = momentum * momentum_buffer + grad
    return param - lr * grad - momentum * momentum_buffer, new


@momentum.mistake("You returned the step. Wanted is the new param, the old one moved by it.")
def the_step_alone(param, grad, momentum_buffer, lr=0.1, momentum=0.9):
    new = momentum * momentum_buffer + grad
    return -lr * new, new


# ------------------------------------------------------------------------------------------- core: Adam


def adam_step(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """
    Returns
    -------
    param : array (...)
    exp_avg : array (...)
    exp_avg_sq : array (...)
    """
    exp_avg = betas[0] * exp_avg + (1 - betas[0]) * grad
    exp_avg_sq = betas[1] * exp_avg_sq + (1 - betas[1]) * grad * grad
    m_hat = exp_avg / (1 - betas[0] ** t)
    v_hat = exp_avg_sq / (1 - betas[1] ** t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), exp_avg, exp_avg_sq


def _adam_cases(rng):
    zeros = dict(exp_avg=np.zeros(6), exp_avg_sq=np.zeros(6))
    pair = dict(param=rng.normal(size=6), grad=rng.normal(0, 3, size=6))
    yield Case("adam_step", dict(**pair, **zeros, t=1, lr=0.1), "the first step")
    later = dict(exp_avg=rng.normal(size=(3, 2)), exp_avg_sq=rng.uniform(1, 9, size=(3, 2)))
    pair = dict(param=rng.normal(size=(3, 2)), grad=rng.normal(0, 3, size=(3, 2)))
    yield Case("adam_step", dict(**pair, **later, t=5, lr=0.1), "step 5")
    yield Case("adam_step", dict(**pair, **later, t=3, lr=0.1, betas=(0.5, 0.8), eps=0.1), "other settings")


adam = Exercise(
    solution=adam_step,
    hints=[
        "Two moving averages: of the gradient with `betas[0]`, of its square with `betas[1]`. Each keeps "
        "beta times the old and takes 1 - beta times the new.",
        "Both began at 0 and are too small at first: divide each by 1 - beta**t to get m_hat and v_hat. "
        "Return the averages themselves, not the corrected ones.",
        "param moves by lr * m_hat / (sqrt(v_hat) + eps). The root makes the quotient free of units; eps "
        "stands outside of it.",
    ],
    next="one line turns Adam into AdamW. Which one, and where?",
    cases=_adam_cases,
)


def _adam(param, grad, m, v, t, lr, betas, eps, step=lambda m, v, eps: m / (np.sqrt(v) + eps)):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad * grad
    return param - lr * step(m / (1 - betas[0] ** t), v / (1 - betas[1] ** t), eps), m, v


@adam.mistake(
    "The square root is missing. m / v has the unit 1 / gradient: a gradient ten times as large would take "
    "a step a tenth as long. Divide by sqrt(v_hat) + eps."
)
def no_root(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps, lambda m, v, eps: m / (v + eps))


@adam.mistake(
    "You put eps under the root. torch adds it outside: sqrt(v_hat) + eps. With eps = 1e-8 under the root, "
    "gradients below 1e-4 would be damped."
)
def eps_under_the_root(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps, lambda m, v, eps: m / np.sqrt(v + eps))


@adam.mistake(
    "The bias correction is missing: both averages started at 0 and have seen only t gradients. Divide by "
    "1 - beta**t."
)
def no_correction(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + (1 - betas[1]) * grad * grad
    return param - lr * m / (np.sqrt(v) + eps), m, v


@adam.mistake(
    "You corrected only the first average. The second one starts at 0 as well and needs 1 - betas[1]**t: it "
    "is the slower of the two, so it needs it more."
)
def half_a_correction(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + (1 - betas[1]) * grad * grad
    return param - lr * m / (1 - betas[0] ** t) / (np.sqrt(v) + eps), m, v


@adam.mistake(
    "You return the corrected averages. The next step would correct them again: m_hat and v_hat are for this "
    "step only, the state stays uncorrected."
)
def corrected_state(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    param, m, v = _adam(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)
    return param, m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)


@adam.mistake(
    "You swapped the two betas: `betas[0]` belongs to the average of gradients, `betas[1]` to the "
    "one of squares."
)
def swapped_betas(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, lr, betas[::-1], eps)


@adam.mistake(
    "You squared the average. Adam averages the squares: gradients of +1 and -1 average to 0, but the size "
    "of each is 1."
)
def square_of_the_average(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + (1 - betas[1]) * m * m
    return param - lr * m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps), m, v


@adam.mistake(
    "Your averages weigh the wrong way round: beta is the share of the old, 1 - beta that of the new."
)
def shares_swapped(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = (1 - betas[0]) * exp_avg + betas[0] * grad
    v = (1 - betas[1]) * exp_avg_sq + betas[1] * grad * grad
    return param - lr * m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps), m, v


def _corrected(step, first, second=None):
    """One step of Adam with other corrections of its two averages, or one for both."""
    param, grad, m, v, lr, betas, eps = step
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad * grad
    m_hat, v_hat = first(m, betas[0]), (second or first)(v, betas[1])
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


def _moved(param, m, v, t, lr, betas, eps):
    return param - lr * m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


@adam.mistake("You corrected only the second average. The first one starts at 0 as well.")
def other_half_of_the_correction(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda m, b: m, lambda v, b: v / (1 - b**t))


@adam.mistake(
    "You divide by (1 - beta)**t. Only beta is raised to the power t: it is the share of the zeros that is "
    "left."
)
def power_of_the_share(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average / (1 - b) ** t)


@adam.mistake("You divide by 1 - beta at every step. The correction fades: t is missing.")
def without_the_power(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average / (1 - b))


@adam.mistake("You divide by 1 - beta * t. t is an exponent.")
def times_t(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average / (1 - b * t))


@adam.mistake("Your exponent is t + 1, as if t counted from 0. The first step comes in as t = 1.")
def one_step_ahead(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average / (1 - b ** (t + 1)))


@adam.mistake("Your exponent is t - 1. At the first step, t = 1, that divides by 0.")
def one_step_behind(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average / (1 - b ** (t - 1)))


@adam.mistake("You multiply by 1 - beta**t. The averages are too small at first: divide.")
def correction_multiplied(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda average, b: average * (1 - b**t))


@adam.mistake(
    "You take the root of the second average first and correct then. The average is corrected, and the root "
    "is taken of that."
)
def correction_under_no_root(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda m, b: m / (1 - b**t), lambda v, b: (np.sqrt(v) / (1 - b**t)) ** 2)


@adam.mistake("You corrected both averages with `betas[0]`. The second one has its own beta.")
def one_beta_in_the_correction(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    step = param, grad, exp_avg, exp_avg_sq, lr, betas, eps
    return _corrected(step, lambda m, b: m / (1 - b**t), lambda v, b: v / (1 - betas[0] ** t))


@adam.mistake("Your averages add the new in full. Each takes only the share 1 - beta of it.")
def sums_for_averages(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + grad
    v = betas[1] * exp_avg_sq + grad * grad
    return _moved(param, m, v, t, lr, betas, eps), m, v


@adam.mistake("Your first average adds the gradient in full. It takes only the share 1 - betas[0] of it.")
def first_average_adds(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + grad
    v = betas[1] * exp_avg_sq + (1 - betas[1]) * grad * grad
    return _moved(param, m, v, t, lr, betas, eps), m, v


@adam.mistake("Your second average adds the square in full. It takes only the share 1 - betas[1] of it.")
def second_average_adds(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + grad * grad
    return _moved(param, m, v, t, lr, betas, eps), m, v


@adam.mistake("You squared the share 1 - betas[1] along with the gradient. Only the gradient is squared.")
def share_squared(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + ((1 - betas[1]) * grad) ** 2
    return _moved(param, m, v, t, lr, betas, eps), m, v


@adam.mistake("The square is missing in your second average: it is that of grad * grad.")
def no_square(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * exp_avg + (1 - betas[0]) * grad
    v = betas[1] * exp_avg_sq + (1 - betas[1]) * grad
    return _moved(param, m, v, t, lr, betas, eps), m, v


@adam.mistake("You used `betas[0]` for both averages. The second one has its own beta.")
def one_beta_for_both(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, lr, (betas[0], betas[0]), eps)


@adam.mistake("You walk uphill: the gradient points up, and you add the step. Subtract it.")
def uphill_adam(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(
        param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps, lambda m, v, eps: -m / (np.sqrt(v) + eps)
    )


@adam.mistake("lr is missing: it multiplies the step.")
def adam_without_lr(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, 1, betas, eps)


@adam.mistake("eps is missing: it is added to the root, so that nothing is divided by 0.")
def without_eps(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps, lambda m, v, eps: m / np.sqrt(v))


@adam.mistake("You move by the gradient itself. That is RMSprop; Adam moves by the average m_hat.")
def gradient_in_the_numerator(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam(
        param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps, lambda m, v, eps: grad / (np.sqrt(v) + eps)
    )


@adam.mistake("You moved with the old averages. Update both first, then move with what came out.")
def old_averages(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return (
        _moved(param, exp_avg, exp_avg_sq, t, lr, betas, eps),
        betas[0] * exp_avg + (1 - betas[0]) * grad,
        betas[1] * exp_avg_sq + (1 - betas[1]) * grad * grad,
    )


# ------------------------------------------------------------------------------------------ core: AdamW


def adamw_step(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    """
    Returns
    -------
    param : array (...)
    exp_avg : array (...)
    exp_avg_sq : array (...)
    """
    return adam_step((1 - lr * weight_decay) * param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


def _adamw_cases(rng):
    for case in _adam_cases(rng):
        yield Case("adamw_step", {**case.args, "weight_decay": 0.5}, case.note)


adamw = Exercise(
    solution=adamw_step,
    hints=[
        "You have Adam already. Where does a term that pulls every weight towards 0 have to go, if it must "
        "not be divided by sqrt(v_hat)?",
        "Neither the gradient nor the averages may see it. Shrink param itself, before Adam moves it.",
        "`param = (1 - lr * weight_decay) * param`, then the lines of Adam, unchanged.",
    ],
    next="the optimizer is complete. What is left is lr, which may change from step to step.",
    cases=_adamw_cases,
)


@adamw.mistake(
    "You added the decay to the gradient: that is Adam with an L2 penalty. Adam divides it by the size of "
    "the gradients, so weights with large gradients hardly shrink."
)
def penalty(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return adam_step(param, grad + weight_decay * param, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "lr is missing in the decay: torch shrinks by lr * weight_decay, so that a schedule rules both."
)
def no_lr(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return adam_step((1 - weight_decay) * param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake("Your weights grow: decay takes a share away, so the factor is 1 - lr * weight_decay.")
def growth(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return adam_step((1 + lr * weight_decay) * param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "You shrank the param after Adam had moved it. The step of Adam shrinks too then; torch shrinks the old "
    "param only."
)
def after_the_step(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    new, m, v = adam_step(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)
    return (1 - lr * weight_decay) * new, m, v


@adamw.mistake("There is no decay yet: this is Adam. Shrink param by the factor 1 - lr * weight_decay.")
def no_decay(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return adam_step(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "You subtract lr * weight_decay from every weight, whatever its size. Decay is proportional: a weight "
    "loses that share of itself."
)
def constant_decay(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    return adam_step(param - lr * weight_decay, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "You added lr * weight_decay * param to the gradient. Adam divides that by the size of the gradients; "
    "the decay has to pass it by."
)
def penalty_with_lr(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    return adam_step(param, grad + lr * weight_decay * param, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "Your decay is divided by sqrt(v_hat) + eps along with m_hat. It has to stand outside of the quotient."
)
def decay_in_the_quotient(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    new, m, v = adam_step(param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)
    root = np.sqrt(v / (1 - betas[1] ** t)) + eps
    return new - lr * weight_decay * param / root, m, v


@adamw.mistake(
    "You decay twice: param shrinks, and the gradient has the penalty as well. The gradient must not see the "
    "decay."
)
def decay_and_penalty(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    shrunk = (1 - lr * weight_decay) * param
    return adam_step(shrunk, grad + weight_decay * param, exp_avg, exp_avg_sq, t, lr, betas, eps)


@adamw.mistake(
    "You multiplied param by lr * weight_decay. That is the share which goes; the rest has to stay."
)
def only_the_share(
    param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2
):
    return adam_step(lr * weight_decay * param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)


def _with_decay(function):
    """A mistake of Adam, made with the right decay."""

    def wrong(param, grad, exp_avg, exp_avg_sq, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        return function((1 - lr * weight_decay) * param, grad, exp_avg, exp_avg_sq, t, lr, betas, eps)

    wrong.__name__ = f"{function.__name__}_and_decay"
    return wrong


for _planted in adam.mistakes:
    adamw.mistake(_planted.message)(_with_decay(_planted.function))


# ---------------------------------------------------------------------------- stretch: warm-up and cosine


def warmup_cosine_lr(t, lr, warmup_steps, total_steps):
    """
    Returns
    -------
    lr_t : array (T,)
    """
    rising = (t + 1) / (warmup_steps + 1)
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return lr * np.where(t < warmup_steps, rising, (1 + np.cos(np.pi * done)) / 2)


def _warmup_cases(rng):
    yield Case("warmup_cosine_lr", dict(t=np.arange(50.0), lr=0.1, warmup_steps=10, total_steps=50), "")
    yield Case(
        "warmup_cosine_lr", dict(t=np.arange(7.0), lr=2.0, warmup_steps=3, total_steps=7), "seven steps"
    )


warmup_cosine = Exercise(
    solution=warmup_cosine_lr,
    hints=[
        "Two formulas, one for t < warmup_steps, one for the rest; `np.where` chooses for each element of t.",
        "Rising: step 0 takes the first of warmup_steps + 1 equal stairs, so that lr is reached exactly at "
        "t = warmup_steps. Falling: measure how much of the *remaining* steps is done.",
        "`rising = (t + 1) / (warmup_steps + 1)`; with `done = (t - warmup_steps) / (total_steps - "
        "warmup_steps)` the fall is `(1 + np.cos(np.pi * done)) / 2`.",
    ],
    next="this is the schedule with which many language models are trained.",
    cases=_warmup_cases,
)


def _joined(t, lr, warmup_steps, rising, falling):
    return lr * np.where(t < warmup_steps, rising, falling)


def _half_cosine(done):
    return (1 + np.cos(np.pi * done)) / 2


@warmup_cosine.mistake(
    "Your cosine counts from step 0, as if there had been no warm-up: at its start it has fallen already, so "
    "lr jumps. Measure from warmup_steps on."
)
def from_the_start(t, lr, warmup_steps, total_steps):
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(t / total_steps))


@warmup_cosine.mistake(
    "Your cosine does not reach its end: it divides by total_steps, but only total_steps - warmup_steps are "
    "left."
)
def too_slow(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / total_steps
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done))


@warmup_cosine.mistake(
    "Your first step has lr 0: it computes a gradient and moves nothing. Use t + 1 of warmup_steps + 1 "
    "stairs."
)
def starts_at_zero(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, t / warmup_steps, _half_cosine(done))


@warmup_cosine.mistake(
    "Your warm-up has warmup_steps stairs and reaches lr one step early, at t = warmup_steps - 1. The cosine "
    "starts with lr once more, so two steps share the peak. Take warmup_steps + 1 stairs."
)
def one_stair_less(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / warmup_steps, _half_cosine(done))


@warmup_cosine.mistake(
    "Your cosine reaches 0 at t = total_steps - 1, so the last step moves nothing. Divide by total_steps - "
    "warmup_steps: 0 is due at t = total_steps, after the last step."
)
def ends_early(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - 1 - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done))


@warmup_cosine.mistake(
    "Two slips of one: your warm-up has warmup_steps stairs where warmup_steps + 1 are due, and your cosine "
    "reaches 0 at t = total_steps - 1 instead of total_steps."
)
def both_off_by_one(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - 1 - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / warmup_steps, _half_cosine(done))


@warmup_cosine.mistake(
    "Your cosine runs through a whole period, down and up again. Half of one, with np.pi, ends at 0."
)
def whole_period(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(2 * done))


@warmup_cosine.mistake(
    "Your cosine runs from 1 to -1, and a negative learning rate climbs. Lift it by 1 and halve it."
)
def negative_rates(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), np.cos(np.pi * done))


@warmup_cosine.mistake("The warm-up is missing: for t < warmup_steps the rate has to rise to lr.")
def no_warmup(t, lr, warmup_steps, total_steps):
    done = np.maximum(t - warmup_steps, 0) / (total_steps - warmup_steps)
    return lr * _half_cosine(done)


@warmup_cosine.mistake(
    "You fall along a straight line. That works as well, but the cosine was asked for: it stays high longer "
    "and lands softly."
)
def straight_fall(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), 1 - done)


@warmup_cosine.mistake(
    "Step 0 has the rate 0 and moves nothing. It takes the first of the warmup_steps + 1 stairs."
)
def step_zero_without_a_stair(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, t / (warmup_steps + 1), _half_cosine(done))


@warmup_cosine.mistake(
    "Your cosine divides by the steps that are left, but counts from step 0. Count from warmup_steps on."
)
def cosine_not_shifted(t, lr, warmup_steps, total_steps):
    return _joined(
        t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(t / (total_steps - warmup_steps))
    )


@warmup_cosine.mistake(
    "You took a quarter of a cosine, which ends steeply at 0. Half of one, from 1 to -1, has to be lifted "
    "and halved."
)
def quarter_of_a_cosine(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), np.cos(np.pi * done / 2))


@warmup_cosine.mistake("Your fall begins at 2 * lr: 1 + cos has to be halved.")
def cosine_not_halved(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), 2 * _half_cosine(done))


@warmup_cosine.mistake("Your cosine rises from 0 to lr. The fall is 1 plus the cosine, not 1 minus it.")
def cosine_upside_down(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), 1 - _half_cosine(done))


@warmup_cosine.mistake("You took a sine. It starts in the middle; the cosine starts at its top.")
def sine_for_cosine(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), (1 + np.sin(np.pi * done)) / 2)


@warmup_cosine.mistake("Your cosine is one step ahead: at t = warmup_steps the rate is still lr.")
def fall_begins_early(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps + 1) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done))


@warmup_cosine.mistake("np.pi is missing: half a cosine runs from 0 to np.pi.")
def no_pi(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done / np.pi))


@warmup_cosine.mistake("np.cos takes radians: half a period is np.pi, not 180.")
def degrees(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(180 * done / np.pi))


@warmup_cosine.mistake("lr is missing in the fall: the cosine gives a share of lr.")
def fall_without_lr(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done) / lr)


@warmup_cosine.mistake("lr is missing: these are shares of it.")
def shares_of_lr(t, lr, warmup_steps, total_steps):
    done = (t - warmup_steps) / (total_steps - warmup_steps)
    return np.where(t < warmup_steps, (t + 1) / (warmup_steps + 1), _half_cosine(done))


@warmup_cosine.mistake("The fall is missing: from warmup_steps on half a cosine leads to 0.")
def no_fall(t, lr, warmup_steps, total_steps):
    return _joined(t, lr, warmup_steps, (t + 1) / (warmup_steps + 1), 1.0)


@warmup_cosine.mistake("The warm-up is missing: your cosine runs over all steps from the first on.")
def cosine_alone(t, lr, warmup_steps, total_steps):
    return lr * _half_cosine(t / total_steps)


@warmup_cosine.mistake("You multiplied warm-up and cosine. The cosine begins where the warm-up has ended.")
def both_multiplied(t, lr, warmup_steps, total_steps):
    return lr * np.minimum((t + 1) / (warmup_steps + 1), 1) * _half_cosine(t / total_steps)
