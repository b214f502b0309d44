"""The reference: one step of each optimizer and the schedules, with torch's arguments and torch's meaning."""

import numpy as np

from nnlib.core import checked

_A_STEP = "it is where gradients go; nothing is differentiated through a step"
_A_SCHEDULE = "a schedule is chosen before training, not learned"
no_gradient = {
    **dict.fromkeys(("sgd", "adagrad", "rmsprop", "adam", "adamw", "nadam", "lion", "muon"), _A_STEP),
    **dict.fromkeys(("step_lr", "multi_step_lr", "exponential_lr", "linear_lr"), _A_SCHEDULE),
    **dict.fromkeys(("cosine_annealing_lr", "cosine_annealing_warm_restarts"), _A_SCHEDULE),
    "one_cycle_lr": _A_SCHEDULE,
    "reduce_lr_on_plateau": "it compares and counts, and decides yes or no",
}

_OF_OPTIMIZERS = {"maximize": False, "foreach": None, "differentiable": False, "fused": None}
_CAPTURABLE = {**_OF_OPTIMIZERS, "capturable": False}


# ------------------------------------------------------------------------------------------ memory


@checked(not_taught=_OF_OPTIMIZERS)
def sgd(param, grad, momentum_buffer=None, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    """One step of gradient descent, with momentum if wanted.

        g = grad + weight_decay * param
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * g,   g itself in the first step
        param = param - lr * momentum_buffer
        param = param - lr * (g + momentum * momentum_buffer)                 if nesterov

    The buffer holds a sum of gradients, not their mean: a constant gradient moves param 1 / (1 - momentum)
    times as far. Without momentum there is no buffer, and the step is lr * g.

    Parameters
    ----------
    param, grad : array (...)
    momentum_buffer : array (...) or None     what the step before returned; None in the first step
    lr : float >= 0
    momentum : float >= 0
    dampening : float
    weight_decay : float >= 0
    nesterov : bool

    Returns
    -------
    param : array (...)
    momentum_buffer : array (...) or None

    Raises
    ------
    ValueError
        With nesterov=True but no momentum, or with dampening.

    References
    ----------
    Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum in deep
    learning, section 2. torch multiplies by lr when it moves param, the paper when it fills the buffer.
    """
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"sgd: momentum is {momentum} and dampening {dampening}; nesterov needs momentum > 0, dampening 0"
        )
    g = grad if weight_decay == 0 else grad + weight_decay * param
    if momentum == 0:
        return param - lr * g, momentum_buffer
    if momentum_buffer is None:
        momentum_buffer = g.copy()  # the caller may reuse grad for the next step
    else:
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * g
    step = g + momentum * momentum_buffer if nesterov else momentum_buffer
    return param - lr * step, momentum_buffer


def _average(average, new, beta):
    """A moving average, one share 1 - beta of the new; the average before the first counts as 0."""
    return (1 - beta) * new if average is None else beta * average + (1 - beta) * new


# --------------------------------------------------------------------------- a scale for each weight


@checked(not_taught=_OF_OPTIMIZERS)
def adagrad(
    param, grad, state_sum=None, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10,
    t=1,
):  # fmt: skip
    """One step of AdaGrad: each weight's step shrinks with all the gradients that it has seen.

        g = grad + weight_decay * param
        state_sum = state_sum + g**2,   initial_accumulator_value before the first step
        param = param - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(state_sum) + eps)

    Parameters
    ----------
    param, grad : array (...)
    state_sum : array (...) or None     what the step before returned; None in the first step
    lr : float >= 0
    lr_decay : float >= 0
    weight_decay : float >= 0
    initial_accumulator_value : float >= 0
    eps : float >= 0
    t : int >= 1                        the number of this step, from 1

    Returns
    -------
    param : array (...)
    state_sum : array (...)

    References
    ----------
    Duchi, Hazan & Singer (2011), Journal of Machine Learning Research 12, 2121-2159.
    """
    _check_step("adagrad", t, state_sum)
    g = grad if weight_decay == 0 else grad + weight_decay * param
    state_sum = (initial_accumulator_value if state_sum is None else state_sum) + g * g
    return param - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(state_sum) + eps), state_sum


@checked(not_taught=_CAPTURABLE)
def rmsprop(
    param, grad, square_avg=None, momentum_buffer=None, grad_avg=None, lr=1e-2, alpha=0.99, eps=1e-8,
    weight_decay=0, momentum=0, centered=False,
):  # fmt: skip
    """One step of RMSprop: AdaGrad that forgets. Each gradient is divided by the root of its mean square.

        g = grad + weight_decay * param
        square_avg = alpha * square_avg + (1 - alpha) * g**2,   from 0
        scaled = g / (sqrt(square_avg) + eps)
        scaled = g / (sqrt(square_avg - grad_avg**2) + eps)      if centered, grad_avg being the average of g
        momentum_buffer = momentum * momentum_buffer + scaled
        param = param - lr * momentum_buffer,                   lr * scaled without momentum

    The averages start at 0 and are not corrected, so the first steps are up to 1 / sqrt(1 - alpha) times as
    long as later ones.

    Parameters
    ----------
    param, grad : array (...)
    square_avg, momentum_buffer, grad_avg : array (...) or None     None in the first step
    lr : float >= 0
    alpha : float in [0, 1)
    eps : float >= 0
    weight_decay : float >= 0
    momentum : float >= 0
    centered : bool

    Returns
    -------
    param : array (...)
    square_avg : array (...)
    momentum_buffer : array (...) or None
    grad_avg : array (...) or None

    References
    ----------
    Tieleman & Hinton (2012), Coursera, Neural networks for machine learning, lecture 6. The centered form:
    Graves (2013), arXiv:1308.0850.
    """
    _check_whole("rmsprop", square_avg, *[momentum_buffer] * (momentum > 0), *[grad_avg] * centered)
    g = grad if weight_decay == 0 else grad + weight_decay * param
    square_avg = _average(square_avg, g * g, alpha)
    variance = square_avg
    if centered:
        grad_avg = _average(grad_avg, g, alpha)
        variance = np.maximum(square_avg - grad_avg * grad_avg, 0)  # rounding may leave it below 0
    scaled = g / (np.sqrt(variance) + eps)
    if momentum == 0:
        return param - lr * scaled, square_avg, momentum_buffer, grad_avg
    momentum_buffer = scaled if momentum_buffer is None else momentum * momentum_buffer + scaled
    return param - lr * momentum_buffer, square_avg, momentum_buffer, grad_avg


# ----------------------------------------------------------------------------------------- both


@checked(not_taught=_CAPTURABLE)
def adam(
    param, grad, exp_avg=None, exp_avg_sq=None, max_exp_avg_sq=None, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=0, amsgrad=False, decoupled_weight_decay=False, t=1,
):  # fmt: skip
    """One step of Adam: momentum, each weight's own scale, and both corrected for their start at 0.

        g = grad + weight_decay * param
        exp_avg    = beta1 * exp_avg    + (1 - beta1) * g,     from 0
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * g**2,  from 0
        m_hat = exp_avg    / (1 - beta1**t)
        v_hat = exp_avg_sq / (1 - beta2**t)
        param = param - lr * m_hat / (sqrt(v_hat) + eps)

    With amsgrad, v_hat is made of the largest exp_avg_sq so far, so that no large gradient is forgotten. With
    decoupled_weight_decay the decay is that of `adamw`.

    Parameters
    ----------
    param, grad : array (...)
    exp_avg, exp_avg_sq, max_exp_avg_sq : array (...) or None     None in the first step
    lr : float >= 0
    betas : any                         beta1 and beta2, each in [0, 1)
    eps : float >= 0
    weight_decay : float >= 0
    amsgrad : bool
    decoupled_weight_decay : bool
    t : int >= 1                        the number of this step, from 1

    Returns
    -------
    param : array (...)
    exp_avg, exp_avg_sq : array (...)
    max_exp_avg_sq : array (...) or None

    References
    ----------
    Kingma & Ba (2015), arXiv:1412.6980, Algorithm 1. AMSGrad: Reddi, Kale & Kumar (2018), arXiv:1904.09237,
    Algorithm 2; the paper corrects nothing for the start, torch does.
    """
    beta1, beta2 = _check_betas("adam", betas)
    _check_step("adam", t, exp_avg, exp_avg_sq, *[max_exp_avg_sq] * amsgrad)
    if decoupled_weight_decay:
        param = (1 - lr * weight_decay) * param
    elif weight_decay != 0:
        grad = grad + weight_decay * param
    exp_avg = _average(exp_avg, grad, beta1)
    exp_avg_sq = _average(exp_avg_sq, grad * grad, beta2)
    v = exp_avg_sq
    if amsgrad:
        v = max_exp_avg_sq = v if max_exp_avg_sq is None else np.maximum(max_exp_avg_sq, v)
    m_hat = exp_avg / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), exp_avg, exp_avg_sq, max_exp_avg_sq


@checked(not_taught=_CAPTURABLE)
def adamw(
    param, grad, exp_avg=None, exp_avg_sq=None, max_exp_avg_sq=None, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=1e-2, amsgrad=False, t=1,
):  # fmt: skip
    """One step of AdamW: every weight shrinks by the same share, then Adam moves it by its gradient alone.

        param = (1 - lr * weight_decay) * param
        param = adam(param, grad)               without weight decay

    Parameters
    ----------
    param, grad : array (...)
    exp_avg, exp_avg_sq, max_exp_avg_sq : array (...) or None     None in the first step
    lr : float >= 0
    betas : any                         beta1 and beta2, each in [0, 1)
    eps : float >= 0
    weight_decay : float >= 0
    amsgrad : bool
    t : int >= 1                        the number of this step, from 1

    Returns
    -------
    param : array (...)
    exp_avg, exp_avg_sq : array (...)
    max_exp_avg_sq : array (...) or None

    References
    ----------
    Loshchilov & Hutter (2019), arXiv:1711.05101, Algorithm 2. Their schedule multiplier times the decay is
    torch's lr * weight_decay.
    """
    _check_betas("adamw", betas)
    _check_step("adamw", t, exp_avg, exp_avg_sq, *[max_exp_avg_sq] * amsgrad)
    param = (1 - lr * weight_decay) * param
    state = exp_avg, exp_avg_sq, max_exp_avg_sq
    return adam.unchecked(param, grad, *state, lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, t=t)


@checked(not_taught=_CAPTURABLE)
def nadam(
    param, grad, exp_avg=None, exp_avg_sq=None, mu_product=None, lr=2e-3, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, t=1,
):  # fmt: skip
    """One step of NAdam: Adam that looks ahead as Nesterov's momentum does.

        mu(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2),   mu_product = mu(1) * ... * mu(t)
        m_hat = mu(t + 1) * exp_avg / (1 - mu_product * mu(t + 1)) + (1 - mu(t)) * g / (1 - mu_product)
        param = param - lr * m_hat / (sqrt(v_hat) + eps)

    g, exp_avg, exp_avg_sq and v_hat are those of `adam`. The momentum mu rises from beta1 / 2 to beta1.

    Parameters
    ----------
    param, grad : array (...)
    exp_avg, exp_avg_sq : array (...) or None     None in the first step
    mu_product : array () or None                 None in the first step
    lr : float >= 0
    betas : any                         beta1 and beta2, each in [0, 1)
    eps : float >= 0
    weight_decay : float >= 0
    momentum_decay : float >= 0
    decoupled_weight_decay : bool
    t : int >= 1                        the number of this step, from 1

    Returns
    -------
    param : array (...)
    exp_avg, exp_avg_sq : array (...)
    mu_product : array ()

    References
    ----------
    Dozat (2016), Incorporating Nesterov momentum into Adam, ICLR workshop.
    """
    beta1, beta2 = _check_betas("nadam", betas)
    _check_step("nadam", t, exp_avg, exp_avg_sq, mu_product)
    if decoupled_weight_decay:
        param = (1 - lr * weight_decay) * param
    elif weight_decay != 0:
        grad = grad + weight_decay * param
    mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (t, t + 1))
    mu_product = mu * (param.dtype.type(1) if mu_product is None else mu_product)
    exp_avg = _average(exp_avg, grad, beta1)
    exp_avg_sq = _average(exp_avg_sq, grad * grad, beta2)
    m_hat = mu_next / (1 - mu_product * mu_next) * exp_avg + (1 - mu) / (1 - mu_product) * grad
    v_hat = exp_avg_sq / (1 - beta2**t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), exp_avg, exp_avg_sq, mu_product


# ------------------------------------------------------------------------- steps of a fixed size


@checked
def lion(param, grad, exp_avg=None, lr=1e-4, betas=(0.9, 0.99), weight_decay=0):
    """One step of Lion: every weight moves by lr, up or down. It keeps one average, where Adam keeps two.

        update  = sign(beta1 * exp_avg + (1 - beta1) * grad)
        param   = (1 - lr * weight_decay) * param - lr * update
        exp_avg = beta2 * exp_avg + (1 - beta2) * grad,   from 0

    Parameters
    ----------
    param, grad : array (...)
    exp_avg : array (...) or None       None in the first step
    lr : float >= 0
    betas : any                         beta1 and beta2, each in [0, 1)
    weight_decay : float >= 0

    Returns
    -------
    param : array (...)
    exp_avg : array (...)

    References
    ----------
    Chen et al. (2023), Symbolic discovery of optimization algorithms, arXiv:2302.06675.
    """
    beta1, beta2 = _check_betas("lion", betas)
    update = np.sign(_average(exp_avg, grad, beta1))
    return (1 - lr * weight_decay) * param - lr * update, _average(exp_avg, grad, beta2)


@checked
def muon(
    param, grad, momentum_buffer=None, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
    ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
):  # fmt: skip
    """One step of Muon, for the weight matrix of a hidden layer: all directions of the step get one size.

        momentum_buffer = momentum * momentum_buffer + (1 - momentum) * grad,   from 0
        g = momentum_buffer,   (1 - momentum) * grad + momentum * momentum_buffer if nesterov
        param = (1 - lr * weight_decay) * param - lr * scale * orthogonalized(g)

    With g = U S V.T, orthogonalized(g) is close to U V.T: its singular values lie near 1. It takes no
    singular value decomposition: ns_steps times x = a x + (b x x.T + c (x x.T)**2) x, from x = g / ||g||.
    scale is sqrt(max(1, A / B)), or 0.2 sqrt(max(A, B)) with adjust_lr_fn='match_rms_adamw'.

    torch computes the orthogonalization in bfloat16, to three digits or so; here it keeps param's dtype.

    Parameters
    ----------
    param, grad : array (A, B)
    momentum_buffer : array (A, B) or None     None in the first step
    lr : float >= 0
    weight_decay : float >= 0
    momentum : float in [0, 1]
    nesterov : bool
    ns_coefficients : any                      a, b and c
    eps : float > 0
    ns_steps : int in [0, 100)
    adjust_lr_fn : any                         'original', 'match_rms_adamw', or None for the first of them

    Returns
    -------
    param : array (A, B)
    momentum_buffer : array (A, B)

    References
    ----------
    Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks, kellerjordan.github.io.
    Liu et al. (2025), Muon is scalable for LLM training, arXiv:2502.16982 (match_rms_adamw).
    """
    if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
        raise ValueError(f"muon: adjust_lr_fn is {adjust_lr_fn!r}; expected 'original' or 'match_rms_adamw'")
    momentum_buffer = _average(momentum_buffer, grad, momentum)
    g = _average(momentum_buffer, grad, momentum) if nesterov else momentum_buffer
    longer, (rows, columns) = max(param.shape), param.shape
    scale = 0.2 * longer**0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, rows / columns) ** 0.5
    step = lr * scale * _orthogonalized(g, ns_coefficients, eps, ns_steps)
    return (1 - lr * weight_decay) * param - step, momentum_buffer


def _orthogonalized(g, coefficients, eps, steps):
    """Newton-Schulz: an odd polynomial of x acts on its singular values alone and drives them towards 1."""
    a, b, c = coefficients
    x = g.T if g.shape[0] > g.shape[1] else g  # the smaller of the two products x x.T
    x = x / max(np.sqrt((g * g).sum()), eps)  # no singular value is above 1 now
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.shape[0] > g.shape[1] else x


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
    """Multiply by gamma every step_size steps: a staircase.

        lr_t = lr * gamma**floor(t / step_size)

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    step_size : int >= 1
    gamma : float > 0

    Returns
    -------
    lr_t : array () or (T,)
    """
    return lr * gamma ** (t // step_size)


@checked(not_taught={"last_epoch": -1})
def multi_step_lr(t, lr, milestones, gamma=0.1):
    """Multiply by gamma at each milestone.

        lr_t = lr * gamma**(number of milestones <= t)

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    milestones : any                    the steps at which it falls
    gamma : float > 0

    Returns
    -------
    lr_t : array () or (T,)
    """
    lr_t = lr + 0 * t
    for milestone in milestones:
        lr_t = np.where(t >= milestone, gamma * lr_t, lr_t)[()]  # of a number a number, not an array
    return lr_t


@checked(not_taught={"last_epoch": -1})
def exponential_lr(t, lr, gamma):
    """Multiply by gamma at every step.

        lr_t = lr * gamma**t

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    gamma : float > 0

    Returns
    -------
    lr_t : array () or (T,)
    """
    return lr * gamma**t


@checked(not_taught={"last_epoch": -1})
def linear_lr(t, lr, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    """A straight line from start_factor * lr to end_factor * lr, then level: a warm-up where it rises.

        lr_t = lr * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1))

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    start_factor : float in (0, 1]
    end_factor : float in [0, 1]
    total_iters : int >= 1

    Returns
    -------
    lr_t : array () or (T,)

    References
    ----------
    Goyal et al. (2017), arXiv:1706.02677, section 2.2 (warm-up).
    """
    return lr * (start_factor + (end_factor - start_factor) * np.minimum(t / total_iters, 1))


@checked(not_taught={"last_epoch": -1})
def cosine_annealing_lr(t, lr, T_max, eta_min=0.0):
    """Half a cosine from lr down to eta_min in T_max steps; beyond, it rises again in the same shape.

        lr_t = eta_min + (lr - eta_min) * (1 + cos(pi * t / T_max)) / 2

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    T_max : int >= 1
    eta_min : float >= 0

    Returns
    -------
    lr_t : array () or (T,)

    References
    ----------
    Loshchilov & Hutter (2017), arXiv:1608.03983, equation 5, without restarts.
    """
    return eta_min + (lr - eta_min) * (1 + np.cos(np.pi * t / T_max)) / 2


@checked(not_taught={"last_epoch": -1})
def cosine_annealing_warm_restarts(t, lr, T_0, T_mult=1, eta_min=0.0):
    """Half a cosine from lr down to eta_min, again and again, each T_mult times as long as the one before.

        lr_t = eta_min + (lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2

    T_i is the length of the cycle that t falls into, T_cur the steps since its start.

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0
    lr : float >= 0
    T_0 : int >= 1
    T_mult : int >= 1
    eta_min : float >= 0

    Returns
    -------
    lr_t : array () or (T,)

    References
    ----------
    Loshchilov & Hutter (2017), arXiv:1608.03983, equation 5.
    """
    T_cur, T_i = t, T_0 + 0 * t
    while np.any(T_cur >= T_i):
        T_cur, T_i = np.where(T_cur >= T_i, (T_cur - T_i, T_mult * T_i), (T_cur, T_i))
    return eta_min + (lr - eta_min) * (1 + np.cos(np.pi * T_cur / T_i)) / 2


@checked(not_taught={"epochs": None, "steps_per_epoch": None, "last_epoch": -1})
def one_cycle_lr(
    t, max_lr, total_steps, pct_start=0.3, anneal_strategy="cos", div_factor=25.0, final_div_factor=1e4,
    three_phase=False,
):  # fmt: skip
    """One rise and one fall: from max_lr / div_factor to max_lr, then down to far below the start.

        up = pct_start * total_steps - 1
        t = 0                max_lr / div_factor
        t = up               max_lr
        t = 2 * up           max_lr / div_factor                         only if three_phase
        t = total_steps - 1  max_lr / div_factor / final_div_factor

    Between these points lies half a cosine, or a straight line with anneal_strategy='linear'. torch's
    scheduler lowers the momentum too while lr is high, unless cycle_momentum=False.

    Parameters
    ----------
    t : array () >= 0 or (T,) >= 0      steps, the first one being 0; below total_steps
    max_lr : float >= 0
    total_steps : int >= 2
    pct_start : float in [0, 1]
    anneal_strategy : {'cos', 'linear'}
    div_factor : float > 0
    final_div_factor : float > 0
    three_phase : bool

    Returns
    -------
    lr_t : array () or (T,)

    References
    ----------
    Smith & Topin (2017), Super-convergence, arXiv:1708.07120.
    """
    up, last = pct_start * total_steps - 1, total_steps - 1
    if np.max(t) > last:
        raise ValueError(f"one_cycle_lr: t reaches {np.max(t):g}; expected t < total_steps = {total_steps}")
    if up == 0:
        raise ValueError(f"one_cycle_lr: pct_start is {pct_start}; expected a rise of more than no step")
    low = max_lr / div_factor
    points = [(0, low), (up, max_lr), (2 * up, low), (last, low / final_div_factor)]
    points = points if three_phase else points[:2] + points[3:]
    lr_t = 0 * t
    for (start, a), (end, b) in reversed(list(zip(points, points[1:]))):  # the first phase with t <= end wins
        if end > start:
            done = (t - start) / (end - start)
            done = (1 - np.cos(np.pi * done)) / 2 if anneal_strategy == "cos" else done
            lr_t = np.where(t <= end, a + (b - a) * done, lr_t)[()]  # of a number a number, not an array
    return lr_t


@checked
def reduce_lr_on_plateau(
    metrics, lr, best=None, num_bad_epochs=None, cooldown_counter=None, mode="min", factor=0.1, patience=10,
    threshold=1e-4, threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8,
):  # fmt: skip
    """Multiply lr by factor after more than patience epochs in a row without a better result.

        better: metrics < best * (1 - threshold)     mode 'min', threshold_mode 'rel'
                metrics < best - threshold           'min', 'abs'
                metrics > best * (1 + threshold)     'max', 'rel'
                metrics > best + threshold           'max', 'abs'

    For cooldown epochs after a reduction no bad epoch is counted. A reduction of eps or less is not made.

    Parameters
    ----------
    metrics : array ()                             this epoch's result
    lr : array () >= 0
    best : array () or None                        None in the first epoch
    num_bad_epochs, cooldown_counter : int array () >= 0 or None     None in the first epoch
    mode : {'min', 'max'}
    factor : float in (0, 1)
    patience : int >= 0
    threshold : float in [0, 1)
    threshold_mode : {'rel', 'abs'}
    cooldown : int >= 0
    min_lr : float >= 0
    eps : float >= 0

    Returns
    -------
    lr : array ()
    best : array ()
    num_bad_epochs, cooldown_counter : int array ()
    """
    _check_whole("reduce_lr_on_plateau", best, num_bad_epochs, cooldown_counter)
    sign = 1 if mode == "min" else -1
    if best is None:
        best = np.full_like(metrics, sign * np.inf)
        num_bad_epochs = cooldown_counter = np.int64(0)
    bar = best * (1 - sign * threshold) if threshold_mode == "rel" else best - sign * threshold
    if sign * metrics < sign * bar:
        best, num_bad_epochs = metrics, np.int64(0)
    else:
        num_bad_epochs = num_bad_epochs + 1
    if cooldown_counter > 0:
        num_bad_epochs, cooldown_counter = np.int64(0), cooldown_counter - 1
    if num_bad_epochs > patience:
        lower = np.maximum(lr * factor, min_lr)
        lr = lower if lr - lower > eps else lr
        num_bad_epochs, cooldown_counter = np.int64(0), np.int64(cooldown)
    return lr, best, num_bad_epochs, cooldown_counter
