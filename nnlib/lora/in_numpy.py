"""The reference: a frozen layer with a low-rank detour beside it, and what becomes of the two.

Names are those of the paper and of the library peft: the detour runs through `lora_A` (R, D), down to R
numbers, and `lora_B` (O, R), up to O outputs; `lora_alpha` scales it.

The layer below is frozen. Its weight and bias have no gradient: backward returns None for them and spends
nothing on them. That is the point of the method.
"""

import math

import numpy as np

from nnlib.core import checked
from nnlib.quantization.in_numpy import dequantize_nf4

_AFTERWARDS = "done before or after training, never within it"
no_gradient = {
    "init_lora": "chosen once, before training",
    "merge": _AFTERWARDS,
    "unmerge": _AFTERWARDS,
    "dora_norm": "held constant in training; dora_linear differentiates it where it is not given",
    "dora_merge": _AFTERWARDS,
    "low_rank": _AFTERWARDS,
}
constants = {
    "lora_linear": ("weight", "bias"),
    "mixed_lora_linear": ("weight", "bias"),
    "dora_linear": ("weight", "bias", "norm"),
    "qlora_linear": ("absmax", "bias"),
}


def _scaling(lora_A, lora_alpha, use_rslora):
    r = lora_A.shape[-2]
    return float(lora_alpha) / (math.sqrt(r) if use_rslora else r)


# ------------------------------------------------------------------------------------------- the adapter


@checked
def init_lora(u, out_features):
    """The start of an adapter: A at random as in any layer, B zero, so that nothing changes yet.

        lora_A = (2 * u - 1) / sqrt(D),   lora_B = 0

    This is Kaiming's uniform start with a = sqrt(5): its bound sqrt(6 / ((1 + a**2) * D)) is 1 / sqrt(D).

    Parameters
    ----------
    u : array (R, D) in [0, 1)      uniform draws
    out_features : int >= 1

    Returns
    -------
    lora_A : array (R, D)
    lora_B : array (O, R)

    References
    ----------
    Hu et al. (2021), arXiv:2106.09685, section 4.1, where A is Gaussian; the uniform A is peft's.
    """
    return (2 * u - 1) / math.sqrt(u.shape[1]), np.zeros((out_features, len(u)), u.dtype)


@checked
def delta_weight(lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """What an adapter adds to the weight: a matrix of rank R at most.

        delta = scaling * lora_B @ lora_A,   scaling = lora_alpha / R, or lora_alpha / sqrt(R) with use_rslora

    Parameters
    ----------
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    delta : array (O, D)

    References
    ----------
    Hu et al. (2021), arXiv:2106.09685, section 4.1; Kalajdzievski (2023), arXiv:2312.03732.
    """
    return _scaling(lora_A, lora_alpha, use_rslora) * (lora_B @ lora_A)


@checked
def delta_weight_backward(grad_output, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """Gradients of `delta_weight`: the gradient of a full weight, seen through the other thin matrix.

    grad_A = scaling * lora_B.T @ grad_output,   grad_B = scaling * grad_output @ lora_A.T
    """
    s = _scaling(lora_A, lora_alpha, use_rslora)
    return s * (lora_B.T @ grad_output), s * (grad_output @ lora_A.T)


@checked(not_taught={"lora_dropout": 0.0, "lora_bias": False})
def lora_linear(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """A frozen layer plus a detour through R numbers.

        y = x @ weight.T + bias + scaling * (x @ lora_A.T) @ lora_B.T

    scaling = lora_alpha / R, or lora_alpha / sqrt(R) with use_rslora. (O, D) is never formed.

    Parameters
    ----------
    x : array (..., D)
    weight : array (O, D)             frozen
    bias : array (O,) or None         frozen
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    y : array (..., O)

    References
    ----------
    Hu et al. (2021), arXiv:2106.09685, equation 3.
    """
    detour = (x @ lora_A.T) @ lora_B.T
    y = x @ weight.T + _scaling(lora_A, lora_alpha, use_rslora) * detour
    return y if bias is None else y + bias


@checked(not_taught={"lora_dropout": 0.0, "lora_bias": False})
def lora_linear_backward(grad_output, x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """Gradients of `lora_linear` for x, lora_A and lora_B; None for what is frozen.

    h = x @ lora_A.T,   grad_h = scaling * grad_output @ lora_B            R numbers a row
    grad_x = grad_output @ weight + grad_h @ lora_A
    grad_A = grad_h.T @ x,   grad_B = scaling * grad_output.T @ h
    """
    s = _scaling(lora_A, lora_alpha, use_rslora)
    g, rows = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    h, grad_h = rows @ lora_A.T, s * (g @ lora_B)
    grad_x = grad_output @ weight + (grad_h @ lora_A).reshape(x.shape)
    frozen = (None,) if bias is None else (None, None)
    return grad_x, *frozen, grad_h.T @ rows, s * (g.T @ h)


# ----------------------------------------------------------------------------------- merged and unmerged


@checked
def merge(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """Put an adapter into the weight: one plain layer, as fast as before there was an adapter.

        merged = weight + scaling * lora_B @ lora_A

    Parameters
    ----------
    weight : array (O, D)
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    merged : array (O, D)

    References
    ----------
    Hu et al. (2021), arXiv:2106.09685, section 4.1, "No additional inference latency".
    """
    return weight + delta_weight.unchecked(lora_A, lora_B, lora_alpha, use_rslora)


@checked
def unmerge(merged, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """Take the adapter out again: the weight as it was, up to one rounding each way.

        weight = merged - scaling * lora_B @ lora_A

    Parameters
    ----------
    merged : array (O, D)
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    weight : array (O, D)
    """
    return merged - delta_weight.unchecked(lora_A, lora_B, lora_alpha, use_rslora)


@checked
def low_rank(delta, r):
    """The adapter that comes closest to a given change of a weight; with lora_alpha = r it needs no scaling.

        lora_B @ lora_A = sum over the r largest singular values of  s * outer(u, v)

    The root of each singular value goes to either side; the largest number in each row of lora_A is positive
    (of equal ones the first).

    Parameters
    ----------
    delta : array (O, D)
    r : int >= 1           at most the smaller of O and D

    Returns
    -------
    lora_A : array (R, D)
    lora_B : array (O, R)

    References
    ----------
    Eckart & Young (1936), Psychometrika 1, 211-218.
    """
    if r > min(delta.shape):
        raise ValueError(f"low_rank: r is {r}; expected at most {min(delta.shape)}, the smaller of O and D")
    u, s, v = np.linalg.svd(delta, full_matrices=False)
    u, s, v = u[:, :r], np.sqrt(s[:r, None]), v[:r]
    largest = np.take_along_axis(v, np.abs(v).argmax(axis=1, keepdims=True), axis=1)
    sign = np.where(largest < 0, -1, 1).astype(delta.dtype)
    return sign * s * v, u * (sign * s).T


# ---------------------------------------------------------------------------------- several on one base


@checked
def mixed_lora_linear(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    """One batch for one frozen layer, each sample with an adapter of its own.

        y[n] = x[n] @ weight.T + bias + scaling * (x[n] @ lora_A[k].T) @ lora_B[k].T,   k = adapter[n]

    Where adapter[n] is -1 the sample sees the base model alone.

    Parameters
    ----------
    x : array (N, ..., D)
    weight : array (O, D)                    frozen
    bias : array (O,) or None                frozen
    lora_A : array (K, R, D)                 K adapters
    lora_B : array (K, O, R)
    adapter : int array (N,) in [-1, K)
    lora_alpha : float

    Returns
    -------
    y : array (N, ..., O)
    """
    s = _scaling(lora_A, lora_alpha, False)
    y = x @ weight.T
    for k in range(len(lora_A)):
        mine = adapter == k
        y[mine] += s * (x[mine] @ lora_A[k].T) @ lora_B[k].T
    return y if bias is None else y + bias


@checked
def mixed_lora_linear_backward(grad_output, x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    """Gradients of `mixed_lora_linear`: each adapter learns from its own samples, None for what is frozen."""
    grad_x, grad_A, grad_B = grad_output @ weight, np.zeros_like(lora_A), np.zeros_like(lora_B)
    for k in range(len(lora_A)):
        mine = adapter == k
        one = grad_output[mine], x[mine], weight, None, lora_A[k], lora_B[k], lora_alpha
        grad_x[mine], _, grad_A[k], grad_B[k] = lora_linear_backward.unchecked(*one)
    frozen = (None,) if bias is None else (None, None)
    return grad_x, *frozen, grad_A, grad_B, None


# ------------------------------------------------------------------------------------------------- DoRA


@checked
def dora_norm(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """The length of every output's row of weights, the adapter included.

        norm = ||weight + delta||   row by row

    At the start, with lora_B = 0, it is what the magnitude starts from.

    Parameters
    ----------
    weight : array (O, D)
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    norm : array (O,)
    """
    return np.sqrt(np.square(merge.unchecked(weight, lora_A, lora_B, lora_alpha, use_rslora)).sum(axis=1))


@checked
def dora_linear(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    """A layer whose rows of weights have lengths of their own, and directions that an adapter turns.

        y = x @ (magnitude / norm * (weight + delta)).T + bias,   norm = ||weight + delta|| row by row

    Parameters
    ----------
    x : array (..., D)
    weight : array (O, D)             frozen
    bias : array (O,) or None         frozen
    lora_A : array (R, D)
    lora_B : array (O, R)
    magnitude : array (O,)
    lora_alpha : float
    use_rslora : bool
    norm : array (O,) or None         given, as in the paper's section 4.3 and in peft: a constant

    Returns
    -------
    y : array (..., O)

    References
    ----------
    Liu et al. (2024), arXiv:2402.09353, equation 5.
    """
    y = x @ _dora(weight, lora_A, lora_B, magnitude, lora_alpha, use_rslora, norm)[0].T
    return y if bias is None else y + bias


def _dora(weight, lora_A, lora_B, magnitude, lora_alpha, use_rslora, norm):
    """The weight in use, the unnormalized one, and one over its norms."""
    v = merge.unchecked(weight, lora_A, lora_B, lora_alpha, use_rslora)
    norm = np.sqrt((v * v).sum(axis=1)) if norm is None else norm
    return (magnitude / norm)[:, None] * v, v, 1 / norm[:, None]


@checked
def dora_linear_backward(
    grad_output, x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None
):
    """Gradients of `dora_linear` for x, lora_A, lora_B and magnitude; None for what is frozen or constant.

        G = grad_output.T @ x,   v = weight + delta,   grad_magnitude = sum(G * v) / norm   row by row
        grad_v = magnitude / norm * G                           norm given
        grad_v = magnitude / norm * (G - v * sum(G * v) / norm**2)      norm computed: across v only

    and from grad_v to lora_A and lora_B as in `delta_weight`.
    """
    used, v, r = _dora(weight, lora_A, lora_B, magnitude, lora_alpha, use_rslora, norm)
    G = grad_output.reshape(-1, len(weight)).T @ x.reshape(-1, x.shape[-1])
    along = (G * v).sum(axis=1, keepdims=True) * r
    across = G if norm is not None else G - v * along * r
    thin = delta_weight_backward.unchecked(
        magnitude[:, None] * r * across, lora_A, lora_B, lora_alpha, use_rslora
    )
    frozen = (None,) if bias is None else (None, None)
    constant = () if norm is None else (None,)
    return grad_output @ used, *frozen, *thin, along[:, 0], *constant


@checked
def dora_merge(weight, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False):
    """The one weight of a DoRA layer.

        merged = magnitude / norm * (weight + delta)

    Parameters
    ----------
    weight : array (O, D)
    lora_A : array (R, D)
    lora_B : array (O, R)
    magnitude : array (O,)
    lora_alpha : float
    use_rslora : bool

    Returns
    -------
    merged : array (O, D)
    """
    return _dora(weight, lora_A, lora_B, magnitude, lora_alpha, use_rslora, None)[0]


# ------------------------------------------------------------------------------------------------ QLoRA


@checked
def qlora_linear(x, codes, absmax, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False, block_size=64):
    """LoRA on a frozen weight of 4-bit codes, which become numbers only where they are used.

        y = lora_linear(x, dequantize_nf4(codes, absmax, block_size), bias, lora_A, lora_B, ...)

    Parameters
    ----------
    x : array (..., D)
    codes : int array (O, D) in [0, 15]      frozen, from quantize_nf4
    absmax : array (M,) >= 0                 frozen: the scale of each block, M = ceil(O * D / block_size)
    bias : array (O,) or None                frozen
    lora_A : array (R, D)
    lora_B : array (O, R)
    lora_alpha : float
    use_rslora : bool
    block_size : int >= 1

    Returns
    -------
    y : array (..., O)

    References
    ----------
    Dettmers et al. (2023), arXiv:2305.14314, section 3; there absmax is quantized too.
    """
    weight = _dequantized(codes, absmax, block_size)
    return lora_linear.unchecked(x, weight, bias, lora_A, lora_B, lora_alpha, use_rslora)


@checked
def qlora_linear_backward(
    grad_output, x, codes, absmax, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False, block_size=64
):
    """Gradients of `qlora_linear` for x, lora_A and lora_B: those of `lora_linear` on the decoded weight.

    Nothing is rounded on the way back: the codes are frozen, so no gradient has to pass a staircase.
    """
    weight = _dequantized(codes, absmax, block_size)
    args = x, weight, bias, lora_A, lora_B, lora_alpha, use_rslora
    grad_x, *frozen, grad_A, grad_B = lora_linear_backward.unchecked(grad_output, *args)
    return grad_x, None, *frozen, grad_A, grad_B


def _dequantized(codes, absmax, block_size):
    blocks = -(-codes.size // block_size)
    if len(absmax) != blocks:
        raise ValueError(
            f"qlora_linear: absmax has {len(absmax)} blocks; expected {blocks}, one for each {block_size} of "
            f"{codes.size} codes"
        )
    return dequantize_nf4.unchecked(codes, absmax, block_size)
