"""Exercises of notebook 15, and what learners' cells and gradients usually are when they are wrong."""

from dataclasses import replace

import numpy as np

from nnlib import core
from nnlib.activations.in_numpy import sigmoid
from nnlib.exercises import Exercise
from nnlib.recurrent import in_numpy


def _plain(name):
    """The cases with biases and without options: whole rows of equal length, forwards, tanh."""

    def cases(rng):
        for c in core.load("recurrent", "cases").cases(rng):
            options = {"lengths", "reverse", "nonlinearity"} & set(c.args)
            if c.name == name and "bias_ih" in c.args and not options:
                yield c

    return cases


def _with_gradients(name, *outputs):
    """The same, each with random gradients for the outputs in front."""

    def cases(rng):
        for c in _plain(name)(rng):
            grads = core.as_tuple(core.grad_outputs(getattr(in_numpy, name)(**c.args)))
            yield replace(c, args={**dict(zip(outputs, grads, strict=True)), **c.args})

    return cases


def _parts(z, count):
    return np.split(z, count, axis=1)


def _sums(grad_a, x, weight_ih, grad_b, hx, weight_hh):
    """What goes back through two weighted sums: x, hx, both weights, both biases."""
    weights = grad_a.T @ x, grad_b.T @ hx, grad_a.sum(axis=0), grad_b.sum(axis=0)
    return grad_a @ weight_ih, grad_b @ weight_hh, *weights


# ------------------------------------------------------------------------------------------ LSTM cell

lstm_cell = Exercise(
    solution=in_numpy.lstm_cell,
    hints=[
        "One sum for all gates: z = x @ weight_ih.T + bias_ih + hx @ weight_hh.T + bias_hh has 4H columns. "
        "np.split(z, 4, axis=1) gives the parts of i, f, g and o, in this order.",
        "i, f and o are sigmoids, 1 / (1 + exp(-z)), each a share between 0 and 1. g is a tanh: what is to "
        "be added may be negative. Where exp overflows, use 0.5 * (1 + np.tanh(0.5 * z)) instead.",
        "c = f * cx + i * g, then h = o * np.tanh(c). Return h, c.",
    ],
    next="the gradients of a whole sequence: `recurrent.through_time`.",
    cases=_plain("lstm_cell"),
)


def _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _parts(x @ weight_ih.T + hx @ weight_hh.T + bias_ih + bias_hh, 4)


@lstm_cell.mistake(
    "Your gates are in the order i f o g. torch keeps the weights in the order i f g o: the third part is "
    "the candidate, the fourth the output gate."
)
def order_ifog(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, o, g = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake("Your input and forget gate have changed places: the order of the parts is i f g o.")
def order_figo(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    f, i, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake(
    "Your candidate g went through a sigmoid. It is the content, not a gate: with values above 0 only, the "
    "cell could add and never subtract. Take tanh."
)
def sigmoid_candidate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = map(sigmoid, _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh))
    c = f * cx + i * g
    return o * np.tanh(c), c


@lstm_cell.mistake(
    "You showed c itself. h is o * tanh(c): c may grow with every step, and what is shown should not."
)
def no_tanh_at_the_end(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * c, c


@lstm_cell.mistake("The output gate is missing: h is o * tanh(c).")
def no_output_gate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, _ = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return np.tanh(c), c


@lstm_cell.mistake(
    "You used the forget gate the other way round, (1 - f) * cx. Its name misleads: f is the share that is "
    "kept."
)
def forget_means_forget(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = (1 - sigmoid(f)) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake(
    "You kept the whole cell: the forget gate is missing from f * cx. That is the LSTM of 1997; torch's has "
    "the forget gate of 2000."
)
def cell_of_1997(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, _, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake("You showed the old cell, tanh(cx). h comes from the new one: c first, then o * tanh(c).")
def shows_the_old_cell(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return sigmoid(o) * np.tanh(cx), sigmoid(f) * cx + sigmoid(i) * np.tanh(g)


@lstm_cell.mistake("The input gate is missing: what is added to the cell is i * g, and yours is g.")
def no_input_gate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    _, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake(
    "Your candidate g has no tanh. It is the content, not yet squeezed: c = f * cx + i * tanh(z_g)."
)
def bare_candidate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * g
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake(
    "You returned tanh(c) in place of c. The tanh is only for showing, h = o * tanh(c); the cell itself goes "
    "on to the next step as it is."
)
def squeezed_cell(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = np.tanh(sigmoid(f) * cx + sigmoid(i) * np.tanh(g))
    return sigmoid(o) * c, c


@lstm_cell.mistake(
    "You took every fourth column as a gate. A gate's H columns stand side by side: all of i, then all of f, "
    "g and o. np.split(z, 4, axis=1) cuts there."
)
def every_fourth_column(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    z = x @ weight_ih.T + hx @ weight_hh.T + bias_ih + bias_hh
    i, f, g, o = (z[:, k::4] for k in range(4))
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# ------------------------------------------------------------------- back-propagation through time


def sequence_gradients(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    """The gradients of `rnn` without its options.

    Returns
    -------
    grad_x : array (T, N, D)
    grad_h_0 : array (N, H)
    grad_weight_ih : array (H, D)
    grad_weight_hh : array (H, H)
    grad_bias_ih, grad_bias_hh : array (H,)
    """
    return in_numpy.rnn_backward.unchecked((grad_y, grad_h_n), x, h_0, weight_ih, weight_hh, bias_ih, bias_hh)


through_time = Exercise(
    solution=sequence_gradients,
    hints=[
        "Run forwards first and keep every state: h[0] is h_0, h[t + 1] is what step t makes of x[t] and "
        "h[t]. Then let t run from the last step to the first, 0 included. Start grad_x with zeros.",
        "grad_h starts as grad_h_n. At step t add grad_y[t], since y[t] is that state too. Then grad_z = "
        "grad_h * (1 - h[t + 1]**2), and what the step before gets is grad_h = grad_z @ weight_hh.",
        "The weights are used at every step, so their gradients add up over t: grad_z.T @ x[t], grad_z.T @ "
        "h[t], and grad_z.sum(axis=0) for each bias. What is left of grad_h at the end is the gradient for "
        "h_0.",
    ],
    next="cells with gates: `recurrent.gru_cell`.",
    cases=_with_gradients("rnn", "grad_y", "grad_h_n"),
)


def _through_time(
    grad_y, grad_h, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh,
    carry=True, last=True, shown=True, slope="tanh", own_state=False, add=True, transposed=False, stop=0,
):  # fmt: skip
    """Back-propagation through time with one thing left out."""
    h = [h_0]
    for row in x:
        h.append(np.tanh(row @ weight_ih.T + h[-1] @ weight_hh.T + bias_ih + bias_hh))
    grad_h = grad_h if last else 0 * grad_h
    grad_x = np.zeros_like(x)
    params = [np.zeros_like(p) for p in (weight_ih, weight_hh, bias_ih, bias_hh)]
    for t in reversed(range(stop, len(x))):
        grad_h = (grad_h if carry or t == len(x) - 1 else 0) + (grad_y[t] if shown else 0)
        new, old = h[t + 1], h[t]
        slopes = {"tanh": 1 - new**2, "old state": 1 - old**2, "sigmoid": new * (1 - new), "none": 1}
        grad_z = grad_h * slopes[slope]
        grad_x[t] = grad_z @ weight_ih
        grad_h = grad_z @ (weight_hh.T if transposed else weight_hh)
        here = grad_z.T @ x[t], grad_z.T @ (new if own_state else old), grad_z.sum(axis=0), grad_z.sum(axis=0)
        params = [(p if add else 0) + g for p, g in zip(params, here)]
    return grad_x, grad_h, *params


@through_time.mistake(
    "Nothing flows from one step to the one before: grad_h = grad_z @ weight_hh has to be handed on, and "
    "grad_y[t] is added to it. Yours is back-propagation through time, truncated to one step."
)
def nothing_carried(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, carry=False)


@through_time.mistake(
    "You left out grad_h_n. The last state is an output as well: grad_h starts with its gradient, not with 0."
)
def final_state_left_out(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, last=False)


@through_time.mistake(
    "You left out grad_y. Each state is used twice, as an output and by the next step: the two gradients add."
)
def outputs_left_out(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, shown=False)


@through_time.mistake(
    "The tanh is missing: its slope 1 - h**2 multiplies grad_h at every step, before anything is passed on."
)
def no_slope(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, slope="none")


@through_time.mistake(
    "You paired grad_z of step t with the state that this step made. weight_hh multiplied the state before "
    "it. With h[0] = h_0 and h[t + 1] made by step t that is h[t]: grad_z.T @ h[t]."
)
def state_of_the_same_step(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, own_state=True)


@through_time.mistake(
    "Your weights have the gradient of one step only. They are used at every step, so add up over all of "
    "them: += instead of =."
)
def one_step_only(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, add=False)


@through_time.mistake(
    "You passed grad_z back through weight_hh.T. Forwards it was h @ weight_hh.T, so backwards it is grad_z "
    "@ weight_hh. (A square matrix raises no error.)"
)
def transposed_state_weight(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, transposed=True)


@through_time.mistake(
    "You took the slope from the state before the step. It is 1 - h**2 with the state that the step made, "
    "h[t + 1] if h[0] is h_0."
)
def slope_of_the_state_before(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, slope="old state")


@through_time.mistake(
    "You used the slope of a sigmoid, h * (1 - h). That of tanh is 1 - h**2: it is 1 at z = 0, not 1/4."
)
def slope_of_a_sigmoid(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, slope="sigmoid")


@through_time.mistake(
    "Your loop never reaches step 0, so grad_x[0] was never set: range(len(x) - 1, 0, -1) stops at 1. "
    "reversed(range(len(x))) runs to the first step."
)
def first_step_left_out(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    return _through_time(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, stop=1)


# ------------------------------------------------------------------------------------------- GRU cell

gru_cell = Exercise(
    solution=in_numpy.gru_cell,
    hints=[
        "Keep the two sums apart: a = x @ weight_ih.T + bias_ih and b = hx @ weight_hh.T + bias_hh, each "
        "with 3H columns. np.split(a, 3, axis=1) gives the parts of r, z and n.",
        "r and z are sigmoids of a part of a plus the same part of b. The candidate is n = tanh(a_n + r * "
        "b_n): r weighs what comes from the state, its bias included.",
        "h = (1 - z) * n + z * hx. At z = 1 the state stays as it was.",
    ],
    next="the LSTM's gradients: `recurrent.lstm_cell_backward`.",
    cases=_plain("gru_cell"),
)


def _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    return *_parts(x @ weight_ih.T + bias_ih, 3), *_parts(hx @ weight_hh.T + bias_hh, 3)


@gru_cell.mistake(
    "You mixed the other way round, z * n + (1 - z) * hx. In torch z is the share of the old state. (Both "
    "conventions exist; a network trained with one is nonsense in the other.)"
)
def share_of_the_new(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z, n = sigmoid(a_z + b_z), np.tanh(a_n + sigmoid(a_r + b_r) * b_n)
    return z * n + (1 - z) * hx


@gru_cell.mistake(
    "You multiplied the state by r before the product with the weights, as the published paper (Cho et al., "
    "2014) does. torch multiplies after it, bias included: n = tanh(a_n + r * b_n)."
)
def reset_before_the_product(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, _ = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z, hidden = sigmoid(a_r + b_r), sigmoid(a_z + b_z), hx.shape[1]
    n = np.tanh(a_n + (r * hx) @ weight_hh[2 * hidden :].T + bias_hh[2 * hidden :])
    return (1 - z) * n + z * hx


@gru_cell.mistake(
    "Your r multiplies the product and leaves the bias alone. In torch bias_hh stands inside: n = tanh(a_n "
    "+ r * (hx @ W.T + bias))."
)
def bias_outside(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z, bias = sigmoid(a_r + b_r), sigmoid(a_z + b_z), bias_hh[2 * hx.shape[1] :]
    n = np.tanh(a_n + r * (b_n - bias) + bias)
    return (1 - z) * n + z * hx


@gru_cell.mistake("Your parts are in the order z r n. torch keeps the weights in the order r z n.")
def order_zrn(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_z, a_r, a_n, b_z, b_r, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z, n = sigmoid(a_z + b_z), np.tanh(a_n + sigmoid(a_r + b_r) * b_n)
    return (1 - z) * n + z * hx


@gru_cell.mistake("The reset gate is missing: the candidate is tanh(a_n + r * b_n), and yours has no r.")
def no_reset(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    _, a_z, a_n, _, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z = sigmoid(a_z + b_z)
    return (1 - z) * np.tanh(a_n + b_n) + z * hx


@gru_cell.mistake(
    "Your r multiplies the whole candidate. It weighs the state's part alone: a_n + r * b_n. The input "
    "always gets through."
)
def resets_the_input_too(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z, n = sigmoid(a_z + b_z), np.tanh(sigmoid(a_r + b_r) * (a_n + b_n))
    return (1 - z) * n + z * hx


@gru_cell.mistake("Your candidate went through a sigmoid. It is the content, not a gate: take tanh.")
def gru_sigmoid_candidate(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z, n = sigmoid(a_z + b_z), sigmoid(a_n + sigmoid(a_r + b_r) * b_n)
    return (1 - z) * n + z * hx


# ------------------------------------------------------------------------------ LSTM cell, backwards


def lstm_gradients(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    """The gradients of `lstm_cell`.

    Returns
    -------
    grad_x : array (N, D)
    grad_hx, grad_cx : array (N, H)
    grad_weight_ih : array (4*H, D)
    grad_weight_hh : array (4*H, H)
    grad_bias_ih, grad_bias_hh : array (4*H,)
    """
    return in_numpy.lstm_cell_backward.unchecked(
        (grad_h, grad_c), x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )


lstm_cell_backward = Exercise(
    solution=lstm_gradients,
    hints=[
        "c reaches the loss on two ways: by itself, and through h = "
        "o * tanh(c). So the gradient for c is grad_c + grad_h * o * (1 - tanh(c)**2).",
        "From c = f * cx + i * g: grad_i = grad_c * g, grad_f = grad_c * cx, grad_g = grad_c * i and "
        "grad_cx = grad_c * f. From h: grad_o = grad_h * tanh(c).",
        "Each gate's gradient times its slope, i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o), side by "
        "side gives grad_z (N, 4H). Then grad_z @ weight_ih, grad_z @ weight_hh, grad_z.T @ x, grad_z.T @ "
        "hx and sums over the rows. The order is x, hx, cx, the weights, the biases.",
    ],
    next="you have all of `nn.LSTM`: `lstm_backward` calls your function once for every step.",
    cases=_with_gradients("lstm_cell", "grad_h", "grad_c"),
)


def _lstm_back(
    grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh,
    direct=True, shown=True, leak=True, slopes=True, g_slope=True, old=True, inner=True, gated=True,
    bare=False,
):  # fmt: skip
    """The LSTM cell's gradients with one thing left out."""
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * cx + i * g
    y = np.tanh(c)
    at = c if bare else y
    into_c = grad_h * (o if gated else 1) * (1 - at * at if inner else 1)
    grad_c = (grad_c if direct else 0) + (into_c if shown else 0)
    grads = [grad_c * g, grad_c * (cx if old else c), grad_c * i, grad_h * y]
    steep = [i * (1 - i), f * (1 - f), 1 - g * g if g_slope else g * (1 - g), o * (1 - o)]
    grad_z = np.concatenate([d * s if slopes else d for d, s in zip(grads, steep)], axis=1)
    grad_x, grad_hx, *rest = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return grad_x, grad_hx, grad_c * (f if leak else 1), *rest


@lstm_cell_backward.mistake(
    "You left out the gradient that arrives at c itself. c is an output as well, and the next step reads "
    "it: add grad_c. This is the path on which an LSTM's gradient survives."
)
def no_direct_path(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, direct=False)


@lstm_cell_backward.mistake(
    "What arrives at h never gets to c. h = o * tanh(c), so c gets grad_h * o * (1 - tanh(c)**2) besides "
    "grad_c."
)
def shown_stops_at_o(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, shown=False)


@lstm_cell_backward.mistake(
    "Your grad_cx is all of grad_c. Only the share f of cx went into c, so it gets grad_c * f."
)
def nothing_forgotten(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, leak=False)


@lstm_cell_backward.mistake(
    "The gates' slopes are missing: i * (1 - i), f * (1 - f), 1 - g**2 and o * (1 - o), each times its "
    "gradient."
)
def no_gate_slopes(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, slopes=False)


@lstm_cell_backward.mistake(
    "You gave the candidate g the slope of a sigmoid. It is a tanh: its slope is 1 - g**2."
)
def sigmoid_slope_of_g(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, g_slope=False)


@lstm_cell_backward.mistake(
    "Your forget gate gets grad_c times the new cell. It multiplied the old one: grad_f = grad_c * cx."
)
def forgets_the_new(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, old=False)


@lstm_cell_backward.mistake(
    "On the way from h to c the slope of tanh is missing: grad_h * o * (1 - tanh(c)**2)."
)
def no_inner_slope(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, inner=False)


@lstm_cell_backward.mistake(
    "You took the slope of tanh as 1 - c**2. The 1 - y**2 is for y = tanh(c): grad_h * o * (1 - tanh(c)**2)."
)
def slope_at_c_itself(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, bare=True)


@lstm_cell_backward.mistake(
    "On the way from h to c the output gate is missing: h = o * tanh(c), so c gets grad_h * o * (1 - "
    "tanh(c)**2)."
)
def no_output_gate_backwards(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return _lstm_back(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, gated=False)


# ------------------------------------------------------------------------------- RNN cell, backwards

rnn_cell_backward = Exercise(
    solution=in_numpy.rnn_cell_backward,
    hints=[
        "z = x @ weight_ih.T + bias_ih + hx @ weight_hh.T + bias_hh and h = tanh(z). First grad_z, then the "
        "two sums, which are two linear layers with one output.",
        "grad_z = grad_output * (1 - h * h), with the new state h.",
        "grad_x = grad_z @ weight_ih, grad_hx = grad_z @ weight_hh, grad_z.T @ x, grad_z.T @ hx, and "
        "grad_z.sum(axis=0) for each of the two biases.",
    ],
    next="the same at every step of a sequence: `recurrent.through_time`.",
    cases=_with_gradients("rnn_cell", "grad_output"),
)


def _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    return np.tanh(x @ weight_ih.T + hx @ weight_hh.T + bias_ih + bias_hh)


@rnn_cell_backward.mistake("The slope of tanh is missing: grad_z = grad_output * (1 - h * h).")
def cell_no_slope(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    return _sums(grad_output, x, weight_ih, grad_output, hx, weight_hh)


@rnn_cell_backward.mistake(
    "You took the slope from the old state. It is 1 - h**2 with the state h of this step."
)
def cell_slope_of_the_old(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    grad_z = grad_output * (1 - hx * hx)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake(
    "You used the slope of a sigmoid, h * (1 - h). That of tanh is 1 - h**2: it is 1 at z = 0, not 1/4."
)
def cell_sigmoid_slope(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * h * (1 - h)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake(
    "You passed grad_z to the old state through weight_hh.T. Forwards it was hx @ weight_hh.T, so backwards "
    "it is grad_z @ weight_hh."
)
def cell_transposed(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh.T)


@rnn_cell_backward.mistake(
    "Your gradient for weight_hh uses the new state. weight_hh multiplied the old one: grad_z.T @ hx."
)
def cell_new_state(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    return _sums(grad_z, x, weight_ih, grad_z, h, weight_hh)


@rnn_cell_backward.mistake(
    "You averaged over the rows. A mean in the loss is already inside grad_output: add up."
)
def cell_mean(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    grad_x, grad_hx, *params = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return grad_x, grad_hx, *(p / len(x) for p in params)


# ------------------------------------------------------------------------------- GRU cell, backwards

gru_cell_backward = Exercise(
    solution=in_numpy.gru_cell_backward,
    hints=[
        "From h = (1 - z) * n + z * hx: n gets grad_output * (1 - z), z gets grad_output * (hx - n), and hx "
        "gets grad_output * z, the direct way.",
        "Through the tanh: grad_n = ... * (1 - n * n). It arrives at a_n + r * b_n, so a_n gets grad_n, b_n "
        "gets r * grad_n and r gets b_n * grad_n. Then the sigmoids' slopes.",
        "The two sums have different gradients: grad_a = [grad_r, grad_z, grad_n], grad_b = [grad_r, "
        "grad_z, r * grad_n]. The input side uses grad_a, the state side grad_b; hx gets grad_b @ weight_hh "
        "and the direct way.",
    ],
    next="compare the direct way, grad_output * z, with grad_c * f of the LSTM.",
    cases=_with_gradients("gru_cell", "grad_output"),
)


def _gru_back(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh,
    direct=True, reset=True, share=True, slope=True, sign=1, bare=False, one=False,
):  # fmt: skip
    """The GRU cell's gradients with one thing left out."""
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    grad_n = grad_output * (1 - z if share else 1) * (1 - n * n if slope else 1)
    grad_z = sign * grad_output * (hx - n) * z * (1 - z)
    met = b_n - bias_hh[2 * hx.shape[1] :] if bare else b_n
    grad_r = grad_n * met * r * (1 - r)
    from_state = r * grad_n if reset else grad_n
    grad_b = np.concatenate([grad_r, grad_z, from_state], axis=1)
    grad_a = grad_b if one else np.concatenate([grad_r, grad_z, grad_n], axis=1)
    grad_x, grad_hx, *rest = _sums(grad_a, x, weight_ih, grad_b, hx, weight_hh)
    return grad_x, grad_hx + (grad_output * z if direct else 0), *rest


@gru_cell_backward.mistake(
    "The direct way is missing: hx is in h = (1 - z) * n + z * hx itself, so it gets grad_output * z as "
    "well. This is the path on which the gradient survives."
)
def gru_no_direct_path(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, direct=False)


@gru_cell_backward.mistake(
    "The state's part of the candidate is r * b_n: b_n gets r * grad_n, and yours has no r."
)
def gru_reset_missing(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, reset=False)


@gru_cell_backward.mistake(
    "You used one gradient for both sums. r multiplies the state's part alone: a_n gets grad_n, b_n gets r "
    "* grad_n."
)
def gru_one_for_both(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, one=True)


@gru_cell_backward.mistake(
    "The candidate enters h with the share 1 - z: grad_n = grad_output * (1 - z) * ..."
)
def gru_share_missing(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, share=False)


@gru_cell_backward.mistake("The slope of the candidate's tanh is missing: 1 - n**2.")
def gru_slope_missing(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, slope=False)


@gru_cell_backward.mistake(
    "The sign of z's gradient is wrong: more z means more of hx and less of n, so it is grad_output * (hx - "
    "n)."
)
def gru_sign_of_z(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, sign=-1)


@gru_cell_backward.mistake(
    "r multiplied the state's product with its bias: r gets grad_n * b_n, where b_n includes bias_hh."
)
def gru_bias_left_out(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _gru_back(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh, bare=True)
