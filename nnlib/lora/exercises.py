"""Exercises of notebook 21, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib.exercises import Exercise
from nnlib.lora import in_numpy


def _scaling(r, lora_alpha, use_rslora):
    return lora_alpha / (np.sqrt(r).item() if use_rslora else r)


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


# -------------------------------------------------------------------------------------------- merging

merge = Exercise(
    solution=in_numpy.merge,
    hints=[
        "Write the forward as one product: x @ weight.T + scaling * x @ lora_A.T @ lora_B.T = x @ (...).T.",
        "What stands in the brackets is weight + scaling * lora_B @ lora_A: (O, R) times (R, D) is (O, D).",
        "scaling is lora_alpha / R, or lora_alpha / sqrt(R) with use_rslora; R is len(lora_A).",
    ],
    next="a layer whose rows have lengths of their own: `lora.dora_linear`.",
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
