"""Exercises of notebook 21, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.lora import in_numpy


def _scaling(r, lora_alpha, use_rslora):
    return lora_alpha / (np.sqrt(r).item() if use_rslora else r)


def _cases_of(name):
    """Those of the concept, and one whose scaling with use_rslora is neither 1 nor that without."""

    def cases(rng):
        yield from core.cases(f"lora.{name}")
        sizes = dict(weight=(3, 5), lora_A=(2, 5), lora_B=(3, 2))
        if name != "merge":
            sizes |= dict(x=(4, 5), bias=3)
        args = {argument: rng.normal(size=size) for argument, size in sizes.items()}
        if name == "dora_linear":
            args |= dict(magnitude=rng.uniform(0.5, 2, 3))
        yield Case(name, args | dict(lora_alpha=5.0, use_rslora=True), "use_rslora, rank 2")

    return cases


# Wrong scalings that every exercise here meets, of a layer's sizes: its rank R, its inputs D and outputs O.
_WRONG_SCALINGS = {
    "swapped": (
        "The other way round: with use_rslora lora_alpha is divided by the root of the rank, without it by "
        "the rank.",
        lambda r, d, o, alpha, root: _scaling(r, alpha, not root),
    ),
    "always_root": (
        "You always divide by the root of the rank. Without use_rslora it is the rank itself.",
        lambda r, d, o, alpha, root: _scaling(r, alpha, True),
    ),
    "root_of_the_quotient": (
        "You took the root of lora_alpha / R. use_rslora takes that of the rank alone.",
        lambda r, d, o, alpha, root: (alpha / r) ** 0.5 if root else alpha / r,
    ),
    "root_of_alpha": (
        "You took the root of lora_alpha. use_rslora takes that of the rank.",
        lambda r, d, o, alpha, root: alpha**0.5 / r if root else alpha / r,
    ),
    "one_with_the_root": (
        "With use_rslora your scaling is 1. It is lora_alpha divided by the root of the rank.",
        lambda r, d, o, alpha, root: 1 if root else alpha / r,
    ),
    "upside_down": (
        "Your scaling is upside down: lora_alpha is what is divided.",
        lambda r, d, o, alpha, root: 1 / _scaling(r, alpha, root),
    ),
    "times_the_rank": (
        "You multiplied lora_alpha by the rank. It is divided by it.",
        lambda r, d, o, alpha, root: alpha * (r**0.5 if root else r),
    ),
    "eight": (
        "You wrote 8 for lora_alpha. That is only its default.",
        lambda r, d, o, alpha, root: _scaling(r, 8, root),
    ),
    "by_the_inputs": (
        "You divide by the number of inputs D. The rank is the number of rows of lora_A.",
        lambda r, d, o, alpha, root: _scaling(d, alpha, root),
    ),
    "by_the_outputs": (
        "You divide by the number of outputs O. The rank is the number of rows of lora_A.",
        lambda r, d, o, alpha, root: _scaling(o, alpha, root),
    ),
    "floor": (
        "`//` rounds the scaling down to a whole number. Divide with `/`.",
        lambda r, d, o, alpha, root: alpha // (r**0.5 if root else r),
    ),
    "without_alpha": (
        "lora_alpha is missing in your scaling: 1 / R is not all of it.",
        lambda r, d, o, alpha, root: _scaling(r, 1, root),
    ),
    "by_alpha": (
        "You multiply by lora_alpha, and divide by nothing: the rank is missing.",
        lambda r, d, o, alpha, root: alpha,
    ),
    "squared": (
        "The scaling came twice. It multiplies the product of lora_B and lora_A once.",
        lambda r, d, o, alpha, root: _scaling(r, alpha, root) ** 2,
    ),
}


def _scaled_wrongly(*without):
    """The name, the message and the scaling of each, but for those that the exercise names in its own way."""
    for name, (message, wrong) in _WRONG_SCALINGS.items():
        if name not in without:
            yield name, message, lambda A, B, *rest, f=wrong: f(A.shape[-2], A.shape[-1], B.shape[-2], *rest)


# --------------------------------------------------------------------------------------- the forward

lora_linear = Exercise(
    solution=in_numpy.lora_linear,
    hints=[
        "Two summands: what the frozen layer says, x @ weight.T + bias, and a detour through R numbers.",
        "The detour goes down with lora_A and up with lora_B: `(x @ lora_A.T) @ lora_B.T`.",
        "Multiply the detour, and only the detour, by lora_alpha / R, or by lora_alpha / sqrt(R) with "
        "use_rslora. R is `len(lora_A)`.",
    ],
    next="its backward, in which the weight stays frozen: `lora.lora_linear_backward`.",
    cases=_cases_of("lora_linear"),
)


def _forward(x, weight, bias, lora_A, lora_B, scaling):
    return x @ weight.T + scaling * (x @ lora_A.T) @ lora_B.T + bias


@lora_linear.mistake(
    "You multiply the detour by lora_alpha. Divide by the rank too: then Adam's first step lowers the loss "
    "alike at every R."
)
def not_divided_by_the_rank(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, lora_alpha)


@lora_linear.mistake("The scaling is missing: the detour is multiplied by lora_alpha / R before it is added.")
def no_scaling(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, 1)


@lora_linear.mistake(
    "You ignore use_rslora. Where it is True, lora_alpha is divided by the root of the rank."
)
def always_by_the_rank(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, lora_alpha / len(lora_A))


@lora_linear.mistake(
    "You always divide by the root of the rank. That is rsLoRA; without use_rslora it is the rank itself."
)
def always_by_the_root(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, _scaling(len(lora_A), lora_alpha, True))


@lora_linear.mistake(
    "You divide by the number of inputs D. The rank is how many numbers the detour has in its middle: the "
    "rows of lora_A."
)
def divided_by_the_inputs(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, _scaling(lora_A.shape[1], lora_alpha, use_rslora))


@lora_linear.mistake("The bias is missing. It belongs to the frozen layer, which still has its say.")
def no_bias(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, 0, lora_A, lora_B, _scaling(len(lora_A), lora_alpha, use_rslora))


@lora_linear.mistake(
    "You return the detour alone. An adapter adds to what the frozen layer says; at its start, with lora_B "
    "= 0, the sum must be the base model."
)
def only_the_detour(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, 0 * weight, 0, lora_A, lora_B, _scaling(len(lora_A), lora_alpha, use_rslora))


@lora_linear.mistake("The scaling multiplies the frozen layer too. It belongs to the detour alone.")
def everything_scaled(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return scaling * (x @ weight.T + (x @ lora_A.T) @ lora_B.T) + bias


@lora_linear.mistake(
    "The bias is scaled too. It belongs to the frozen layer; the scaling, to the detour alone."
)
def bias_scaled_too(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return _forward(x, weight, scaling * bias, lora_A, lora_B, scaling)


@lora_linear.mistake(
    "lora_alpha is missing: the detour is divided by the rank, but not multiplied by lora_alpha."
)
def no_alpha(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, _scaling(len(lora_A), 1, use_rslora))


def _plant_forward(name, message, scaling):
    def wrong(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
        return _forward(x, weight, bias, lora_A, lora_B, scaling(lora_A, lora_B, lora_alpha, use_rslora))

    wrong.__name__ = name
    lora_linear.mistake(message)(wrong)


for _named in _scaled_wrongly("always_root", "by_the_inputs", "without_alpha", "by_alpha"):
    _plant_forward(*_named)


@lora_linear.mistake("The scaling multiplies everything. It belongs to the detour alone.")
def all_of_it_scaled(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return scaling * _forward(x, weight, bias, lora_A, lora_B, 1)


@lora_linear.mistake("x @ weight.T is missing. The frozen layer says more than its bias.")
def only_the_bias_of_the_frozen(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return _forward(x, 0 * weight, bias, lora_A, lora_B, scaling)


@lora_linear.mistake("The detour is missing: this is the frozen layer alone.")
def no_detour(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _forward(x, weight, bias, lora_A, lora_B, 0)


@lora_linear.mistake("You subtract the detour. It is added to what the frozen layer says.")
def detour_subtracted(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return _forward(x, weight, bias, lora_A, lora_B, -scaling)


@lora_linear.mistake(
    "Between lora_A and lora_B your detour has a ReLU. It has none: only so the two merge into one matrix."
)
def bent_detour(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return x @ weight.T + bias + scaling * np.maximum(x @ lora_A.T, 0) @ lora_B.T


# -------------------------------------------------------------------------------------- the backward

lora_linear_backward = Exercise(
    solution=in_numpy.lora_linear_backward,
    hints=[
        "Write the forward with h = x @ lora_A.T: y = x @ weight.T + bias + scaling * h @ lora_B.T. weight "
        "and bias are frozen: return None for both. x is read twice, so its gradient has two summands.",
        "What arrives at h is grad_h = scaling * grad_output @ lora_B. Then grad_A = grad_h.T @ x, and x "
        "gets grad_h @ lora_A from the detour, beside grad_output @ weight.",
        "grad_B = scaling * grad_output.T @ h. For x of shape (..., D), first make rows: `x.reshape(-1, "
        "D)`, and so for grad_output; grad_x goes back to x's shape.",
    ],
    next="one batch for several adapters: `lora.mixed_lora_linear`.",
    cases=_cases_of("lora_linear"),
)


def _backward(grad_output, x, weight, lora_A, lora_B, scaling):
    g, rows = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    h, grad_h = rows @ lora_A.T, scaling * g @ lora_B
    grad_x = (g @ weight + grad_h @ lora_A).reshape(x.shape)
    return grad_x, grad_h.T @ rows, scaling * g.T @ h


@lora_linear_backward.mistake(
    "You computed gradients for weight and bias. They are frozen: return None. That gradient would be a "
    "full (O, D) matrix in every layer, and not to make it is the point of the method."
)
def frozen_ones_too(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    g, rows = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    return grad_x, g.T @ rows, g.sum(axis=0), *thin


@lora_linear_backward.mistake(
    "grad_x lacks the way through the detour: x is read by the frozen layer and by lora_A, and both send "
    "back."
)
def no_detour_for_x(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    _, *thin = _backward(
        grad_output, x, weight, lora_A, lora_B, _scaling(len(lora_A), lora_alpha, use_rslora)
    )
    return grad_output @ weight, None, None, *thin


@lora_linear_backward.mistake(
    "grad_x lacks the way through the frozen layer. Frozen means that its weight gets no gradient; x still "
    "gets one through it, or no layer below could learn."
)
def nothing_through_the_frozen(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x - grad_output @ weight, None, None, *thin


@lora_linear_backward.mistake(
    "The scaling is missing in the gradients. What was multiplied forward is multiplied backward."
)
def no_scaling_backward(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, 1)
    return grad_x, None, None, grad_A, grad_B


@lora_linear_backward.mistake(
    "grad_B has the scaling twice: once in your h and once more. h is x @ lora_A.T, without it."
)
def twice_in_b(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, None, None, grad_A, scaling * grad_B


@lora_linear_backward.mistake(
    "grad_A lacks the scaling; grad_B has it. Both matrices stand behind the same factor."
)
def not_in_a(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, None, None, grad_A / scaling, grad_B


@lora_linear_backward.mistake(
    "You averaged over the rows. grad_output already holds whatever mean the loss takes: the gradients of a"
    " weight are sums over the rows."
)
def averaged(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    rows = x.size // x.shape[-1]
    return grad_x, None, None, grad_A / rows, grad_B / rows


@lora_linear_backward.mistake("You divide by the rank where use_rslora asks for its root.")
def rank_in_rslora(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, lora_alpha / len(lora_A))
    return grad_x, None, None, *thin


@lora_linear_backward.mistake(
    "grad_B lacks the scaling; grad_A has it, through grad_h. h is x @ lora_A.T without it, so grad_B needs "
    "the factor itself."
)
def not_in_b(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, None, None, grad_A, grad_B / scaling


@lora_linear_backward.mistake("What grad_x gets through the detour lacks the scaling.")
def not_in_the_detour(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_output @ weight + grad_output @ lora_B @ lora_A, None, None, *thin


@lora_linear_backward.mistake(
    "Your scaling is lora_alpha. Divide it by the rank, or its root, as in the forward."
)
def undivided(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, lora_alpha)
    return grad_x, None, None, *thin


@lora_linear_backward.mistake(
    "You return zeros for weight and bias. They are frozen: return None. An array of zeros takes the memory "
    "that freezing saves."
)
def zeros_for_the_frozen(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, np.zeros_like(weight), np.zeros_like(bias), *thin


def _plant_backward(name, message, scaling):
    def wrong(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
        used = scaling(lora_A, lora_B, lora_alpha, use_rslora)
        grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, used)
        return grad_x, None, None, *thin

    wrong.__name__ = name
    lora_linear_backward.mistake(message)(wrong)


for _named in _scaled_wrongly("by_alpha"):
    _plant_backward(*_named)


@lora_linear_backward.mistake(
    "grad_h lacks the scaling, and with it grad_A and the detour's part of grad_x. grad_B has it."
)
def not_in_grad_h(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    _, _, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    grad_x, grad_A, _ = _backward(grad_output, x, weight, lora_A, lora_B, 1)
    return grad_x, None, None, grad_A, grad_B


@lora_linear_backward.mistake(
    "In grad_x the scaling multiplies both parts. What comes through the frozen layer is not scaled."
)
def all_of_grad_x_scaled(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x + (scaling - 1) * grad_output @ weight, None, None, *thin


@lora_linear_backward.mistake(
    "In grad_A the scaling came twice: grad_h = scaling * grad_output @ lora_B has it already."
)
def twice_in_a(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, None, None, scaling * grad_A, grad_B


@lora_linear_backward.mistake(
    "grad_A is made from h, which has been through lora_A. It needs what arrives at h, from behind."
)
def h_for_grad_h(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, _, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    rows = x.reshape(-1, x.shape[-1])
    return grad_x, None, None, (rows @ lora_A.T).T @ rows, grad_B


@lora_linear_backward.mistake(
    "With a batch of sequences you used the first sequence alone. lora_A and lora_B collect from all rows."
)
def first_sequence_alone(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, *thin = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    if x.ndim > 2:
        _, *thin = _backward(grad_output[0], x[0], weight, lora_A, lora_B, scaling)
    return grad_x, None, None, *thin


@lora_linear_backward.mistake(
    "grad_A and grad_B lack the scaling; grad_x has it. On the way back all three meet the same factor."
)
def in_grad_x_alone(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    grad_x, grad_A, grad_B = _backward(grad_output, x, weight, lora_A, lora_B, scaling)
    return grad_x, None, None, grad_A / scaling, grad_B / scaling


# -------------------------------------------------------------------------------------- a mixed batch

mixed_lora_linear = Exercise(
    solution=in_numpy.mixed_lora_linear,
    hints=[
        "The frozen layer is the same for all: start with x @ weight.T + bias for the whole batch, in one "
        "product.",
        "For each adapter k, find its samples with `mine = adapter == k` and add their detours: `y[mine] +="
        " ...`.",
        "`y[mine] += lora_alpha / R * (x[mine] @ lora_A[k].T) @ lora_B[k].T`, with R = lora_A.shape[1]. A "
        "sample with -1 is in no such set, which is right.",
    ],
    next="what is done with one adapter when nobody switches any more: `lora.merge`.",
)


def _mixed(x, weight, bias, lora_A, lora_B, adapter, scaling):
    y = x @ weight.T
    for n, k in enumerate(adapter):
        if k >= 0:
            y[n] = y[n] + scaling * (x[n] @ lora_A[k].T) @ lora_B[k].T
    return y + bias


@mixed_lora_linear.mistake(
    "You used -1 as an index, and Python took the last adapter. -1 means none: the base model alone."
)
def the_last_for_none(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter % len(lora_A), lora_alpha / lora_A.shape[1])


@mixed_lora_linear.mistake(
    "Samples with -1 come out as zero. Without an adapter there is still the frozen layer."
)
def nothing_for_none(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    y = _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / lora_A.shape[1])
    y[adapter < 0] = 0
    return y


@mixed_lora_linear.mistake(
    "All samples got the first adapter. `adapter[n]` says which one belongs to sample n."
)
def the_first_for_all(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, np.zeros_like(adapter), lora_alpha / lora_A.shape[1])


@mixed_lora_linear.mistake(
    "You divide by K, the number of adapters. The rank is the next axis of lora_A (K, R, D): "
    "`lora_A.shape[1]`."
)
def divided_by_the_count(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / len(lora_A))


@mixed_lora_linear.mistake("The scaling lora_alpha / R is missing.")
def mixed_without_scaling(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, 1)


@mixed_lora_linear.mistake("Every sample got the sum of all adapters. Only the one it names is its own.")
def all_adapters_at_once(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    delta = (lora_B @ lora_A).sum(axis=0)
    return x @ (weight + lora_alpha / lora_A.shape[1] * delta).T + bias


@mixed_lora_linear.mistake("The bias is missing. It belongs to the frozen layer.")
def mixed_without_bias(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, 0, lora_A, lora_B, adapter, lora_alpha / lora_A.shape[1])


@mixed_lora_linear.mistake(
    "You divide by the number of inputs D. The rank is the middle axis of lora_A (K, R, D): "
    "`lora_A.shape[1]`."
)
def mixed_divided_by_the_inputs(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / lora_A.shape[2])


@mixed_lora_linear.mistake("You multiply by lora_alpha and do not divide by the rank.")
def mixed_by_alpha(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha)


@mixed_lora_linear.mistake(
    "The detour replaces what the frozen layer says. Add it: `y[mine] += ...` in place of `y[mine] = ...`."
)
def replaced(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    y = _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / lora_A.shape[1])
    y[adapter >= 0] -= (x @ weight.T + bias)[adapter >= 0]
    return y


@mixed_lora_linear.mistake("Adapter 0 is never used. It is an adapter like the others; only -1 means none.")
def zero_for_none(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    rest = np.where(adapter == 0, -1, adapter)
    return _mixed(x, weight, bias, lora_A, lora_B, rest, lora_alpha / lora_A.shape[1])


def _plant_mixed(name, message, scaling):
    def wrong(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
        used = scaling(lora_A, lora_B, lora_alpha, False)
        return _mixed(x, weight, bias, lora_A, lora_B, adapter, used)

    wrong.__name__ = name
    message = message.replace("the number of rows of lora_A", "the middle axis of lora_A (K, R, D)")
    mixed_lora_linear.mistake(message)(wrong)


_ONLY_WITH_ROOT = ("swapped", "root_of_the_quotient", "root_of_alpha", "one_with_the_root", "always_root")
for _named in _scaled_wrongly("by_the_inputs", "by_alpha", *_ONLY_WITH_ROOT):
    _plant_mixed(*_named)


@mixed_lora_linear.mistake("You divide by the root of the rank. There is no use_rslora here: lora_alpha / R.")
def mixed_by_the_root(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / np.sqrt(lora_A.shape[1]))


def _with_adapters(x, weight, bias, lora_A, lora_B, adapter, lora_alpha):
    return _mixed(x, weight, bias, lora_A, lora_B, adapter, lora_alpha / lora_A.shape[1])


@mixed_lora_linear.mistake(
    "Every sample that has an adapter got the first one. `adapter[n]` says which one belongs to sample n."
)
def the_first_for_each_that_has_one(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _with_adapters(x, weight, bias, lora_A, lora_B, np.minimum(adapter, 0), lora_alpha)


@mixed_lora_linear.mistake(
    "You took the adapter of the sample's own number. Which one it uses stands in `adapter`."
)
def number_of_the_sample(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    own = np.where(adapter < 0, -1, np.arange(len(adapter)) % len(lora_A))
    return _with_adapters(x, weight, bias, lora_A, lora_B, own, lora_alpha)


@mixed_lora_linear.mistake(
    "Every sample that has an adapter got the sum of all. Only the one it names is its own."
)
def all_for_each_that_has_one(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    delta = lora_alpha / lora_A.shape[1] * (lora_B @ lora_A).sum(axis=0)
    y = x @ weight.T + bias
    y[adapter >= 0] += x[adapter >= 0] @ delta.T
    return y


@mixed_lora_linear.mistake(
    "The bias comes twice where a sample has an adapter. It belongs to the frozen layer."
)
def bias_twice(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    y = _with_adapters(x, weight, bias, lora_A, lora_B, adapter, lora_alpha)
    y[adapter >= 0] += bias
    return y


@mixed_lora_linear.mistake("Samples with -1 lack the bias. It belongs to the frozen layer, which all have.")
def no_bias_for_none(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    y = _with_adapters(x, weight, bias, lora_A, lora_B, adapter, lora_alpha)
    y[adapter < 0] -= bias
    return y


@mixed_lora_linear.mistake("The last adapter is never used: your loop ends one early.")
def the_last_never(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    rest = np.where(adapter == len(lora_A) - 1, -1, adapter)
    return _with_adapters(x, weight, bias, lora_A, lora_B, rest, lora_alpha)


@mixed_lora_linear.mistake(
    "lora_A is that of the sample, lora_B always the first. Both belong to the same adapter."
)
def first_b_for_all(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    first = np.repeat(lora_B[:1], len(lora_B), axis=0)
    return _with_adapters(x, weight, bias, lora_A, first, adapter, lora_alpha)


@mixed_lora_linear.mistake(
    "The samples are sorted by their adapters. Write each result back to where its sample stood."
)
def sorted_by_adapter(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    y = _with_adapters(x, weight, bias, lora_A, lora_B, adapter, lora_alpha)
    return y[np.argsort(adapter, kind="stable")]


@mixed_lora_linear.mistake(
    "Only the first sample got its detour: does your loop `return` in its first round?"
)
def returned_too_early(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    rest = np.where(np.arange(len(adapter)) == 0, adapter, -1)
    return _with_adapters(x, weight, bias, lora_A, lora_B, rest, lora_alpha)


@mixed_lora_linear.mistake(
    "Only the samples of the first adapter got a detour: does your loop `return` in its first round?"
)
def returned_after_one_adapter(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    rest = np.where(adapter == 0, 0, -1)
    return _with_adapters(x, weight, bias, lora_A, lora_B, rest, lora_alpha)


@mixed_lora_linear.mistake("You subtract the detour. It is added to what the frozen layer says.")
def mixed_subtracted(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return _with_adapters(x, weight, bias, lora_A, -lora_B, adapter, lora_alpha)


@mixed_lora_linear.mistake("The detours are missing: this is the frozen layer alone.")
def no_adapter_at_all(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    return x @ weight.T + bias


@mixed_lora_linear.mistake(
    "lora_B is that of the sample, lora_A always the first. Both belong to the same adapter."
)
def first_a_for_all(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    first = np.repeat(lora_A[:1], len(lora_A), axis=0)
    return _with_adapters(x, weight, bias, first, lora_B, adapter, lora_alpha)


# -------------------------------------------------------------------------------------------- merging

merge = Exercise(
    solution=in_numpy.merge,
    hints=[
        "Write the forward as one product: x @ weight.T + scaling * x @ lora_A.T @ lora_B.T = x @ (...).T.",
        "What stands in the brackets is weight + scaling * lora_B @ lora_A: (O, R) times (R, D) is (O, D).",
        "scaling is lora_alpha / R, or lora_alpha / sqrt(R) with use_rslora; R is len(lora_A).",
    ],
    next="a layer whose rows have lengths of their own: `lora.dora_linear`.",
    cases=_cases_of("merge"),
)


@merge.mistake("You return the change alone. Merging adds it to the weight.")
def only_the_change(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _scaling(len(lora_A), lora_alpha, use_rslora) * lora_B @ lora_A


@merge.mistake("You subtract. That is the way back: `lora.unmerge`.")
def subtracted(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return weight - _scaling(len(lora_A), lora_alpha, use_rslora) * lora_B @ lora_A


@merge.mistake(
    "The scaling is missing: without it, the merged layer is another one than the one that was trained."
)
def merged_without_scaling(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return weight + lora_B @ lora_A


@merge.mistake("You multiply by lora_alpha and do not divide by the rank.")
def merged_by_alpha(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return weight + lora_alpha * lora_B @ lora_A


@merge.mistake("The weight is scaled too. Only the change is: weight + scaling * lora_B @ lora_A.")
def weight_scaled_too(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return _scaling(len(lora_A), lora_alpha, use_rslora) * (weight + lora_B @ lora_A)


@merge.mistake("You divide by the rank where use_rslora asks for its root.")
def merged_by_the_rank(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    return weight + lora_alpha / len(lora_A) * lora_B @ lora_A


def _plant_merged(name, message, scaling):
    def wrong(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
        return weight + scaling(lora_A, lora_B, lora_alpha, use_rslora) * lora_B @ lora_A

    wrong.__name__ = name
    merge.mistake(message)(wrong)


for _named in _scaled_wrongly("by_alpha"):
    _plant_merged(*_named)


# ----------------------------------------------------------------------------------------------- DoRA

dora_linear = Exercise(
    solution=in_numpy.dora_linear,
    hints=[
        "First the merged weight of LoRA: v = weight + scaling * lora_B @ lora_A, of shape (O, D).",
        "Divide each row of v by its length, `np.sqrt((v * v).sum(axis=1))`, unless a norm is given; then "
        "multiply each row by its magnitude.",
        "`used = (magnitude / norm)[:, None] * v`, and y = x @ used.T + bias: the bias is outside.",
    ],
    next="its backward, by the rules of weight normalization: `normalization.weight_norm_backward` has the "
    "same two terms.",
    cases=_cases_of("dora_linear"),
)


def _used(weight, lora_A, lora_B, lora_alpha, use_rslora):
    v = weight + _scaling(len(lora_A), lora_alpha, use_rslora) * lora_B @ lora_A
    return v, np.sqrt((v * v).sum(axis=1))


@dora_linear.mistake(
    "The norm is that of the frozen weight alone. It is taken of weight + delta, so that the adapter turns "
    "a row without lengthening it."
)
def norm_of_the_base(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, _ = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    norm = np.sqrt((weight * weight).sum(axis=1)) if norm is None else norm
    return x @ ((magnitude / norm)[:, None] * v).T + bias


@dora_linear.mistake("You ignore `norm`. Where it is given it is used as it is, a constant.")
def norm_not_used(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return x @ ((magnitude / own)[:, None] * v).T + bias


@dora_linear.mistake("You divide by the squared length. Take the root of the sum of squares.")
def no_root(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return x @ ((magnitude / (own**2 if norm is None else norm))[:, None] * v).T + bias


@dora_linear.mistake(
    "You divide by the length of the whole matrix. Each row has a length of its own: `axis=1`."
)
def one_norm_for_all(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    norm = np.sqrt((own * own).sum()) if norm is None else norm
    return x @ ((magnitude / norm)[:, None] * v).T + bias


@dora_linear.mistake(
    "The magnitude multiplies the bias as well. It sets the length of the rows of weights only."
)
def bias_scaled(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return magnitude / (own if norm is None else norm) * (x @ v.T + bias)


@dora_linear.mistake("The division by the norm is missing: the rows of v have lengths already.")
def not_normalized(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    return x @ (magnitude[:, None] * _used(weight, lora_A, lora_B, lora_alpha, use_rslora)[0]).T + bias


@dora_linear.mistake("The adapter is missing: the rows that get a new length are those of weight + delta.")
def no_adapter(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    norm = np.sqrt((weight * weight).sum(axis=1)) if norm is None else norm
    return x @ ((magnitude / norm)[:, None] * weight).T + bias


@dora_linear.mistake("The scaling is missing: v = weight + lora_alpha / R * lora_B @ lora_A.")
def dora_without_scaling(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(weight, lora_A, lora_B, len(lora_A), False)
    return x @ ((magnitude / (own if norm is None else norm))[:, None] * v).T + bias


@dora_linear.mistake("You divide by the rank where use_rslora asks for its root.")
def dora_by_the_rank(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, False)
    return x @ ((magnitude / (own if norm is None else norm))[:, None] * v).T + bias


def _plant_dora(name, message, scaling):
    def wrong(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
        v = weight + scaling(lora_A, lora_B, lora_alpha, use_rslora) * lora_B @ lora_A
        norm = np.sqrt((v * v).sum(axis=1)) if norm is None else norm
        return x @ ((magnitude / norm)[:, None] * v).T + bias

    wrong.__name__ = name
    dora_linear.mistake(message)(wrong)


for _named in _scaled_wrongly():
    _plant_dora(*_named)


def _dora(x, bias, v, length):
    """Rows of v, each multiplied by a number."""
    return x @ (length[:, None] * v).T + bias


@dora_linear.mistake("You divide by the root of the *mean* of squares. A length is the root of their sum.")
def mean_of_squares(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude / (own / v.shape[1] ** 0.5 if norm is None else norm))


@dora_linear.mistake("You divide by the sum of magnitudes. A length is the root of the sum of squares.")
def sum_of_magnitudes(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, _ = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude / (np.abs(v).sum(axis=1) if norm is None else norm))


@dora_linear.mistake(
    "You divide by the largest magnitude of a row. Its length is the root of the sum of squares."
)
def largest_magnitude(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, _ = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude / (np.abs(v).max(axis=1) if norm is None else norm))


@dora_linear.mistake("magnitude is missing: your rows all have the length 1.")
def no_magnitude(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, 1 / (own if norm is None else norm))


@dora_linear.mistake(
    "You divide by magnitude. The norm is what is divided away; magnitude is the new length."
)
def magnitude_divided(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, (own if norm is None else norm) / magnitude)


@dora_linear.mistake("You multiply by the norm. Dividing by it leaves the direction of a row.")
def multiplied_by_the_norm(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude * (own if norm is None else norm))


@dora_linear.mistake("The bias is missing.")
def dora_without_bias(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, 0, v, magnitude / (own if norm is None else norm))


@dora_linear.mistake("You subtract the change. The adapter is added to the weight.")
def dora_subtracted(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, -lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude / (own if norm is None else norm))


@dora_linear.mistake(
    "You normalized the change and added it to the weight. Normalize their sum: the rows of weight + delta."
)
def only_the_change_normalized(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(0 * weight, lora_A, lora_B, lora_alpha, use_rslora)
    with np.errstate(invalid="ignore"):
        return _dora(x, bias, v, magnitude / (own if norm is None else norm)) + x @ weight.T


@dora_linear.mistake("The weight is missing: the rows that get a new length are those of weight + delta.")
def only_the_change_used(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(0 * weight, lora_A, lora_B, lora_alpha, use_rslora)
    with np.errstate(invalid="ignore"):
        return _dora(x, bias, v, magnitude / (own if norm is None else norm))


@dora_linear.mistake("You add the frozen layer once more. weight is in v already.")
def frozen_layer_twice(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, v, magnitude / (own if norm is None else norm)) + x @ weight.T


@dora_linear.mistake(
    "Only the weight gets a new length, the change is added as it is. The length is that of their sum."
)
def change_added_after(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    return _dora(x, bias, weight, magnitude / (own if norm is None else norm)) + x @ (v - weight).T


@dora_linear.mistake(
    "You turned the weight into directions first and added the change to them. Add first, then take the "
    "directions."
)
def change_added_to_the_direction(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, _ = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    norm = np.sqrt((weight * weight).sum(axis=1)) if norm is None else norm
    return _dora(x, bias, weight / norm[:, None] + v - weight, magnitude)


@dora_linear.mistake(
    "You took the lengths of the frozen rows in place of magnitude. They are only where it starts; it is "
    "trained."
)
def old_lengths_for_magnitude(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    length = np.sqrt((weight * weight).sum(axis=1))
    return _dora(x, bias, v, length / (own if norm is None else norm))


@dora_linear.mistake("You divided by the length of the change. It is that of the rows of weight + delta.")
def length_of_the_change(
    x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    v, own = _used(weight, lora_A, lora_B, lora_alpha, use_rslora)
    own = np.sqrt(((v - weight) ** 2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _dora(x, bias, v, magnitude / (own if norm is None else norm))
