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


def _shown(parts, cx, gate=sigmoid):
    """The cell's two outputs from the four weighted sums."""
    i, f, g, o = parts
    c = gate(f) * cx + gate(i) * np.tanh(g)
    return gate(o) * np.tanh(c), c


@lstm_cell.mistake("The bias of the state is missing: bias_hh is added as well as bias_ih.")
def cell_without_bias_hh(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_ih, 0), cx)


@lstm_cell.mistake("The bias of the input is missing: bias_ih is added as well as bias_hh.")
def cell_without_bias_ih(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, 0, bias_hh), cx)


@lstm_cell.mistake("Both biases are missing in the sums of the gates.")
def cell_without_biases(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, 0, 0), cx)


@lstm_cell.mistake("You added bias_ih twice and bias_hh not at all.")
def cell_bias_ih_twice(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_ih), cx)


@lstm_cell.mistake("You added bias_hh twice and bias_ih not at all.")
def cell_bias_hh_twice(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_hh, bias_hh), cx)


@lstm_cell.mistake("Your gates read the cell cx. They read the input and what was shown, hx.")
def gates_read_the_cell(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, cx, weight_ih, weight_hh, bias_ih, bias_hh), cx)


@lstm_cell.mistake("Your gates do not see the state: hx @ weight_hh.T is missing in their sums.")
def gates_without_the_state(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, 0 * hx, weight_ih, weight_hh, bias_ih, bias_hh), cx)


@lstm_cell.mistake("Your gates do not see the input: x @ weight_ih.T is missing in their sums.")
def gates_without_the_input(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(0 * x, hx, weight_ih, weight_hh, bias_ih, bias_hh), cx)


@lstm_cell.mistake("You kept a share of hx. What f keeps is the old cell, cx.")
def keeps_the_state(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh), hx)


@lstm_cell.mistake("Your parts are in the order f i o g. torch keeps the weights in the order i f g o.")
def order_fiog(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    f, i, o, g = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return _shown((i, f, g, o), cx)


@lstm_cell.mistake(
    "Your forget gate and your candidate have changed places: the order of the parts is i f g o."
)
def order_igfo(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, g, f, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return _shown((i, f, g, o), cx)


@lstm_cell.mistake(
    "Your gates went through tanh. A gate is a share between 0 and 1: i, f and o are sigmoids."
)
def gates_by_tanh(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh), cx, np.tanh)


@lstm_cell.mistake(
    "Your sigmoid is twice too steep: with tanh, the half stands inside as well, tanh(0.5 * z)."
)
def gates_too_steep(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return _shown(_lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh), cx, lambda z: sigmoid(2 * z))


@lstm_cell.mistake(
    "You let in 1 - f. That is the mixing of the GRU; an LSTM has a gate of its own for it, i."
)
def coupled_to_f(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(-f) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake("You kept 1 - i. That is the mixing of the GRU; an LSTM has a gate of its own for it, f.")
def coupled_to_i(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(-i) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake("Your forget gate multiplies the new content as well: f belongs to cx alone.")
def forgets_the_new_too(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * (cx + sigmoid(i) * np.tanh(g))
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake(
    "You subtracted the new content. It is added; tanh makes it negative where that is wanted."
)
def subtracts_the_new(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return _shown((i, f, -g, o), cx)


@lstm_cell.mistake("Your forget gate has no sigmoid: as it is, it is no share between 0 and 1.")
def bare_forget_gate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = f * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@lstm_cell.mistake("You showed the cell through a sigmoid. It is shown through tanh, and may be negative.")
def shows_by_sigmoid(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * sigmoid(c), c


@lstm_cell.mistake("You took tanh of o * c. The cell is squeezed first, then the gate shows a share of it.")
def squeezed_after_the_gate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return np.tanh(sigmoid(o) * c), c


@lstm_cell.mistake("Your first output is the gate o. What is shown is o times tanh of the new cell.")
def returns_the_gate(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    _, _, _, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return sigmoid(o), in_numpy.lstm_cell.unchecked(x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh)[1]


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
    start=0, biases=(1, 1), fresh=False, replaces=False, again=0, bare_x=False, onward=None, first=False,
):  # fmt: skip
    """Back-propagation through time with one thing left out."""
    h = [h_0]
    for row in x:
        old = h_0 if fresh else h[-1]
        z = row @ weight_ih.T + old @ weight_hh.T + biases[0] * bias_ih + biases[1] * bias_hh
        h.append(np.tanh(z))
    grad_h_n = grad_h
    grad_h = grad_h if last else 0 * grad_h
    grad_x = np.zeros_like(x)
    params = [np.zeros_like(p) for p in (weight_ih, weight_hh, bias_ih, bias_hh)]
    for t in reversed(range(stop, len(x) - start)):
        grad_h = (grad_h if carry or t == len(x) - 1 else 0) + (grad_y[t] if shown else 0)
        grad_h = grad_y[t] if replaces else grad_h + (again * grad_h_n if t < len(x) - 1 else 0)
        new, old = h[t + 1], h[0] if first else h[t]
        slopes = {"tanh": 1 - new**2, "old state": 1 - old**2, "sigmoid": new * (1 - new), "none": 1}
        slopes |= {"not squared": 1 - new, "tanh twice": 1 - np.tanh(new) ** 2}
        grad_z = grad_h * slopes[slope]
        grad_x[t] = (grad_h if bare_x else grad_z) @ weight_ih
        passed = {None: grad_z @ weight_hh, "bare": grad_h @ weight_hh, "grad_z": grad_z}
        passed["more"] = grad_h + passed[None]
        grad_h = grad_z @ weight_hh.T if transposed else passed[onward]
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


@through_time.mistake(
    "At each step grad_h = grad_y[t] throws away what came back from the step after it. The two add up."
)
def outputs_replace(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, replaces=True)


@through_time.mistake(
    "Your loop begins one step too early: the last step, t = len(x) - 1, has a share as well."
)
def last_step_skipped(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, start=1)


@through_time.mistake(
    "You took grad_y at the last step alone. Every state is an output: add grad_y[t] at each step."
)
def only_the_last_output(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    only_last = np.zeros_like(grad_y)
    only_last[-1] = grad_y[-1]
    return _through_time(only_last, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh)


@through_time.mistake("You added grad_y[t - 1] at step t. The state that step t makes is the output y[t].")
def output_of_the_step_before(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    shifted = np.roll(grad_y, 1, axis=0)
    return _through_time(shifted, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh)


@through_time.mistake(
    "You added grad_h_n at every step. It arrives once, at the last state, and travels from there."
)
def final_state_again(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, again=1)


@through_time.mistake("Your slope is 1 - h. That of tanh is 1 - h**2.")
def slope_not_squared(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, slope="not squared")


@through_time.mistake(
    "You took tanh of the state once more before its slope. A state is the tanh already: 1 - h**2."
)
def slope_of_tanh_twice(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, slope="tanh twice")


@through_time.mistake(
    "Your grad_x skipped the tanh: it is grad_z, with the slope in it, that goes back through weight_ih."
)
def no_slope_in_grad_x(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, bare_x=True)


@through_time.mistake(
    "What you hand to the step before skipped the tanh: hand on grad_z @ weight_hh, not grad_h @ weight_hh."
)
def no_slope_to_the_past(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, onward="bare")


@through_time.mistake(
    "You handed grad_z to the step before as it is. On its way there it goes through weight_hh."
)
def no_weight_to_the_past(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, onward="grad_z")


@through_time.mistake(
    "You added to grad_h where it should be replaced: the step before gets grad_z @ weight_hh, not grad_h "
    "once more."
)
def added_to_itself(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, onward="more")


@through_time.mistake(
    "Your gradient for weight_hh uses h_0 at every step. At step t it read the state before it, h[t]."
)
def first_state_everywhere(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, first=True)


@through_time.mistake("The biases are missing in your forward run, so that all states and slopes are others.")
def forward_without_biases(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, biases=(0, 0))


@through_time.mistake("bias_hh is missing in your forward run: both biases are added.")
def forward_without_bias_hh(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, biases=(1, 0))


@through_time.mistake("bias_ih is missing in your forward run: both biases are added.")
def forward_without_bias_ih(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, biases=(0, 1))


@through_time.mistake(
    "In your forward run every step starts from h_0. Each reads the state of the step before."
)
def forward_from_h_0(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    return _through_time(*args, fresh=True)


@through_time.mistake(
    "You averaged the gradients of the weights over the steps. They were used at each of them: add up."
)
def mean_over_steps(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_0, *(p / len(x) for p in params)


@through_time.mistake(
    "You averaged the gradients of the weights over the N sequences. A mean in the loss is in grad_y "
    "already: add up."
)
def mean_over_rows(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_0, *(p / len(h_0) for p in params)


@through_time.mistake(
    "Your grad_x runs from the last step to the first: that is the order in which a list is filled going "
    "back. Turn it round."
)
def grad_x_reversed(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x[::-1].copy(), grad_h_0, *params


@through_time.mistake(
    "Your gradient for h_0 is grad_h_n, as it came in. It is what is left of it after the way back."
)
def grad_h_0_is_grad_h_n(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_n.copy(), *params


@through_time.mistake(
    "Your gradient for h_0 is 0. The first step read h_0: what it hands to the step before is the gradient."
)
def grad_h_0_zero(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, 0 * grad_h_0, *params


@through_time.mistake(
    "You added an output's gradient to that of h_0. h_0 is no output; y[0] is the state after the first step."
)
def grad_h_0_with_an_output(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_0 + grad_y[0], *params


@through_time.mistake(
    "Nothing flows from one step to the one before, nor to h_0: grad_h = grad_z @ weight_hh has to be handed "
    "on."
)
def nothing_handed_on(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args, carry=False)
    return grad_x, 0 * grad_h_0, *params


@through_time.mistake(
    "Your gradient for h_0 is grad_z of the first step. On its way to h_0 it goes through weight_hh."
)
def grad_h_0_before_the_weight(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    right = _through_time(*args)
    _, grad_h, *_ = _through_time(*args, stop=1)
    new = np.tanh(x[0] @ weight_ih.T + h_0 @ weight_hh.T + bias_ih + bias_hh)
    return right[0], (grad_h + grad_y[0]) * (1 - new**2), *right[2:]


@through_time.mistake(
    "Your gradient for bias_hh is 0. It is added to the same sum as bias_ih: their gradients are equal."
)
def bias_hh_left_at_zero(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_0, *params[:3], 0 * params[3]


@through_time.mistake(
    "You shared the gradient between the two biases. Each is added in full, so each gets all of it."
)
def bias_shared(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, *params = _through_time(*args)
    return grad_x, grad_h_0, *params[:2], params[2] / 2, params[3] / 2


@through_time.mistake(
    "You went through the steps from the first to the last. Gradients come from behind: start with the last "
    "step."
)
def first_step_first(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    h = [h_0]
    for row in x:
        h.append(np.tanh(row @ weight_ih.T + h[-1] @ weight_hh.T + bias_ih + bias_hh))
    grad_h, grad_x = grad_h_n, np.zeros_like(x)
    params = [np.zeros_like(p) for p in (weight_ih, weight_hh, bias_ih, bias_hh)]
    for t in range(len(x)):
        grad_z = (grad_h + grad_y[t]) * (1 - h[t + 1] ** 2)
        grad_x[t], grad_h, *here = _sums(grad_z, x[t], weight_ih, grad_z, h[t], weight_hh)
        params = [p + g for p, g in zip(params, here)]
    return grad_x, grad_h, *params


@through_time.mistake(
    "At the first step your state before it is h[-1]: Python counts that from the end, so it is the last "
    "state. It is h_0."
)
def wrapped_around(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    args = grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh
    grad_x, grad_h_0, grad_ih, grad_hh, *biases = _through_time(*args)
    h = in_numpy.rnn.unchecked(x, h_0, weight_ih, weight_hh, bias_ih, bias_hh)[0]
    _, grad_h, *_ = _through_time(*args, stop=1)
    grad_z = (grad_h + grad_y[0]) * (1 - h[0] ** 2)
    return grad_x, grad_h_0, grad_ih, grad_hh + grad_z.T @ (h[-1] - h_0), *biases


@through_time.mistake("You added grad_y of the last step twice: to start with, and again in the loop.")
def last_output_twice(grad_y, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh):
    twice = grad_y.copy()
    twice[-1] *= 2
    return _through_time(twice, grad_h_n, x, h_0, weight_ih, weight_hh, bias_ih, bias_hh)


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


@gru_cell.mistake("The bias of the state is missing: b = hx @ weight_hh.T + bias_hh.")
def gru_without_bias_hh(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return in_numpy.gru_cell.unchecked(x, hx, weight_ih, weight_hh, bias_ih, 0 * bias_hh)


@gru_cell.mistake("The bias of the input is missing: a = x @ weight_ih.T + bias_ih.")
def gru_without_bias_ih(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return in_numpy.gru_cell.unchecked(x, hx, weight_ih, weight_hh, 0 * bias_ih, bias_hh)


@gru_cell.mistake("Both biases are missing.")
def gru_without_biases(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    return in_numpy.gru_cell.unchecked(x, hx, weight_ih, weight_hh, 0 * bias_ih, 0 * bias_hh)


@gru_cell.mistake("Your parts are in the order r n z. torch keeps the weights in the order r z n.")
def order_rnz(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_n, a_z, b_r, b_n, b_z = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return (1 - z) * n + z * hx


@gru_cell.mistake("Your r multiplies the input's part. It weighs what comes from the state, b_n.")
def resets_the_input_alone(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(r * a_n + b_n)
    return (1 - z) * n + z * hx


@gru_cell.mistake("You used z for the reset inside of the candidate. There it is r; z mixes afterwards.")
def resets_with_z(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    _, a_z, a_n, _, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z = sigmoid(a_z + b_z)
    n = np.tanh(a_n + z * b_n)
    return (1 - z) * n + z * hx


@gru_cell.mistake(
    "You mixed with r. The reset gate stands inside of the candidate; old and new are mixed by z."
)
def mixes_with_r(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, _, a_n, b_r, _, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r = sigmoid(a_r + b_r)
    n = np.tanh(a_n + r * b_n)
    return (1 - r) * n + r * hx


@gru_cell.mistake("Your candidate has no tanh: n = tanh(a_n + r * b_n).")
def bare_gru_candidate(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = a_n + r * b_n
    return (1 - z) * n + z * hx


@gru_cell.mistake("Your candidate takes r * hx as it is. The state goes through weight_hh first: r * b_n.")
def state_without_weight(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * hx)
    return (1 - z) * n + z * hx


@gru_cell.mistake("Your reset gate went through tanh. A gate is a share between 0 and 1: a sigmoid.")
def tanh_reset(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    z = sigmoid(a_z + b_z)
    n = np.tanh(a_n + np.tanh(a_r + b_r) * b_n)
    return (1 - z) * n + z * hx


@gru_cell.mistake("You add all of the candidate to z * hx. The shares add up to 1: the candidate has 1 - z.")
def all_of_the_new(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return n + z * hx


@gru_cell.mistake("The old state is missing in the mixture: z * hx is added to (1 - z) * n.")
def old_state_dropped(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return (1 - z) * n


@gru_cell.mistake("The candidate's share is 1 - z. Yours is 1 - r, and the two shares no longer add up to 1.")
def share_by_r(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return (1 - r) * n + z * hx


@gru_cell.mistake("This is the candidate n. The new state mixes it with the old one, by z.")
def candidate_only(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, _, a_n, b_r, _, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r = sigmoid(a_r + b_r)
    n = np.tanh(a_n + r * b_n)
    return n


@gru_cell.mistake("You took tanh of the mixture. Its two parts are squeezed already.")
def squeezed_twice(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return np.tanh((1 - z) * n + z * hx)


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


def _lstm_lines(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    """The gates and tanh(c), all of the gradient for c, and the four parts of grad_z."""
    i, f, g, o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    y = np.tanh(f * cx + i * g)
    into_c = grad_c + grad_h * o * (1 - y * y)
    parts = [into_c * g * i * (1 - i), into_c * cx * f * (1 - f)]
    parts += [into_c * i * (1 - g * g), grad_h * y * o * (1 - o)]
    return (i, f, g, o, y), into_c, parts


def _from_parts(parts, grad_cx, x, hx, weight_ih, weight_hh):
    grad_z = np.concatenate(parts, axis=1)
    grad_x, grad_hx, *rest = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return grad_x, grad_hx, grad_cx, *rest


@lstm_cell_backward.mistake("The parts of your grad_z are in the order i f o g. The weights have i f g o.")
def parts_in_another_order(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_o, d_g], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "In your grad_z the parts of input and forget gate have changed places: the order is i f g o."
)
def parts_fi_exchanged(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_f, d_i, d_g, d_o], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("The slope of the input gate is missing: i * (1 - i).")
def no_slope_of_i(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([into_c * g, d_f, d_g, d_o], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("The slope of the forget gate is missing: f * (1 - f).")
def no_slope_of_f(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, into_c * cx, d_g, d_o], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("The slope of the candidate is missing: 1 - g**2.")
def no_slope_of_g(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, into_c * i, d_o], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("The slope of the output gate is missing: o * (1 - o).")
def no_slope_of_o(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_g, grad_h * y], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "You gave the gates the slope of tanh. They are sigmoids, i * (1 - i); only g is a tanh."
)
def tanh_slopes_of_gates(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    steep = [into_c * g * (1 - i * i), into_c * cx * (1 - f * f), d_g, grad_h * y * (1 - o * o)]
    return _from_parts(steep, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "You took the slopes at the weighted sums. i * (1 - i) and 1 - g**2 need the gates themselves, after the "
    "sigmoid or tanh."
)
def slopes_at_the_sums(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    z_i, z_f, z_g, z_o = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    parts = [into_c * g * z_i * (1 - z_i), into_c * cx * z_f * (1 - z_f)]
    parts += [into_c * i * (1 - z_g * z_g), grad_h * y * z_o * (1 - z_o)]
    return _from_parts(parts, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "i and g meet in one product, so each gets the other as its factor: i gets g, and g gets i."
)
def partners_exchanged(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts(
        [into_c * i * i * (1 - i), d_f, into_c * g * (1 - g * g), d_o],
        into_c * f,
        x,
        hx,
        weight_ih,
        weight_hh,
    )


@lstm_cell_backward.mistake(
    "Your forget gate gets its gradient times hx. What it multiplied is the old cell, cx."
)
def forget_gate_meets_hx(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, into_c * hx * f * (1 - f), d_g, d_o], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("Your output gate gets its gradient times c. What it multiplied is tanh(c).")
def output_gate_meets_c(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts(
        [d_i, d_f, d_g, grad_h * (f * cx + i * g) * o * (1 - o)], into_c * f, x, hx, weight_ih, weight_hh
    )


@lstm_cell_backward.mistake(
    "Your output gate gets the gradient of c. It stands in h alone, h = o * tanh(c), so it gets grad_h."
)
def output_gate_gets_grad_c(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_g, into_c * y * o * (1 - o)], into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "Your output gate gets grad_c as well. It stands in h alone, h = o * tanh(c), so it gets grad_h."
)
def output_gate_gets_both(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts(
        [d_i, d_f, d_g, (grad_h + grad_c) * y * o * (1 - o)], into_c * f, x, hx, weight_ih, weight_hh
    )


@lstm_cell_backward.mistake(
    "Your grad_cx uses grad_c as it came in. c also gets what comes through h: both together, times f."
)
def cell_gets_grad_c_only(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_g, d_o], grad_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("Your grad_cx has the input gate in it. In c = f * cx + i * g, cx meets f.")
def cell_through_i(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_g, d_o], into_c * i, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "Your grad_cx is the gradient of the forget gate. In f * cx each gets the other as its factor: cx gets f."
)
def cell_gets_the_gate(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _from_parts([d_i, d_f, d_g, d_o], d_f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "Your gradient for weight_hh uses the new h. weight_hh multiplied the old one: grad_z.T @ hx."
)
def weight_hh_meets_the_new(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    grad_x, grad_hx, grad_cx, weight, _, *rest = lstm_gradients(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return grad_x, grad_hx, grad_cx, weight, np.concatenate([d_i, d_f, d_g, d_o], axis=1).T @ (o * y), *rest


@lstm_cell_backward.mistake(
    "Your gradient for weight_hh uses cx. weight_hh multiplied the state: grad_z.T @ hx."
)
def weight_hh_meets_cx(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    grad_x, grad_hx, grad_cx, weight, _, *rest = lstm_gradients(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return grad_x, grad_hx, grad_cx, weight, np.concatenate([d_i, d_f, d_g, d_o], axis=1).T @ cx, *rest


@lstm_cell_backward.mistake(
    "You added grad_h to grad_hx. It arrives at the new h; the old one only got into the gates."
)
def hx_gets_grad_h(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    grad_x, grad_hx, grad_cx, *rest = lstm_gradients(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return grad_x, grad_hx + grad_h, grad_cx, *rest


@lstm_cell_backward.mistake(
    "You averaged over the rows. A mean in the loss is already inside of what arrives: add up."
)
def lstm_mean(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    grad_x, grad_hx, grad_cx, *rest = lstm_gradients(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return grad_x, grad_hx, grad_cx, *(p / len(x) for p in rest)


@lstm_cell_backward.mistake("Your bias gradients are means over the rows. Each row used the biases: add up.")
def lstm_bias_mean(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    grad_x, grad_hx, grad_cx, *weights, b_ih, b_hh = lstm_gradients(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return grad_x, grad_hx, grad_cx, *weights, b_ih / len(x), b_hh / len(x)


@lstm_cell_backward.mistake("bias_hh is missing where you compute the gates again: both biases are added.")
def lstm_without_bias_hh(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return lstm_gradients(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, 0 * bias_hh)


@lstm_cell_backward.mistake("The biases are missing where you compute the gates again.")
def lstm_without_biases(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    return lstm_gradients(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, 0 * bias_ih, 0 * bias_hh)


@lstm_cell_backward.mistake("You took tanh once more before its slope: 1 - y**2 is for y = tanh(c).")
def slope_of_tanh_of_tanh(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    into_c = grad_c + grad_h * o * (1 - np.tanh(y) ** 2)
    parts = [into_c * g * i * (1 - i), into_c * cx * f * (1 - f), into_c * i * (1 - g * g), d_o]
    return _from_parts(parts, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake("You split the sums in the order i f o g. The weights have i f g o.")
def gates_in_order_ifog(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, o, g = _lstm(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    y = np.tanh(f * cx + i * g)
    into_c = grad_c + grad_h * o * (1 - y * y)
    parts = [into_c * g * i * (1 - i), into_c * cx * f * (1 - f)]
    parts += [into_c * i * (1 - g * g), grad_h * y * o * (1 - o)]
    return _from_parts(parts, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "On the way from h to c you took the slope of a sigmoid. c is shown through tanh: 1 - tanh(c)**2."
)
def sigmoid_slope_of_the_cell(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    into_c = grad_c + grad_h * o * y * (1 - y)
    parts = [into_c * g * i * (1 - i), into_c * cx * f * (1 - f), into_c * i * (1 - g * g), d_o]
    return _from_parts(parts, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "You multiplied the gradients of the two ways to c. c is used twice, so they add up."
)
def two_ways_multiplied(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    (i, f, g, o, y), into_c, (d_i, d_f, d_g, d_o) = _lstm_lines(
        grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    into_c = grad_c * grad_h * o * (1 - y * y)
    parts = [into_c * g * i * (1 - i), into_c * cx * f * (1 - f), into_c * i * (1 - g * g), d_o]
    return _from_parts(parts, into_c * f, x, hx, weight_ih, weight_hh)


@lstm_cell_backward.mistake(
    "Your gradient for bias_hh is 0. It is added to the same sums as bias_ih: their gradients are equal."
)
def lstm_bias_hh_left_at_zero(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    *rest, b_hh = lstm_gradients(grad_h, grad_c, x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh)
    return *rest, 0 * b_hh


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


@rnn_cell_backward.mistake("The biases are missing where you compute the state again.")
def cell_without_biases_in_the_slope(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, 0, 0)
    grad_z = grad_output * (1 - h * h)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake("bias_hh is missing where you compute the state again: both biases are added.")
def cell_without_bias_hh_in_the_slope(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, 0)
    grad_z = grad_output * (1 - h * h)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake("You took the slope at z. 1 - h**2 is for h = tanh(z).")
def cell_slope_at_z(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    z = x @ weight_ih.T + hx @ weight_hh.T + bias_ih + bias_hh
    grad_z = grad_output * (1 - z * z)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake("Your slope is 1 - h. That of tanh is 1 - h**2.")
def cell_slope_not_squared(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake(
    "You took tanh of the new state once more before its slope. It is the tanh already: 1 - h**2."
)
def cell_slope_of_tanh_twice(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - np.tanh(h) ** 2)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake(
    "You multiplied by the state itself. What counts is the slope of tanh there, 1 - h**2."
)
def cell_times_the_state(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * h
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake("You used the slope of a ReLU, 0 or 1. This cell has tanh: 1 - h**2.")
def cell_relu_slope(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (h > 0)
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake("grad_output is missing: what arrives at the new state multiplies the slope.")
def cell_no_grad_output(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = 1 - h * h
    return _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)


@rnn_cell_backward.mistake(
    "Your grad_hx skipped the tanh: it is grad_z, with the slope in it, that goes back through weight_hh."
)
def cell_hx_skips_tanh(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    grad_x, _, *params = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return grad_x, grad_output @ weight_hh, *params


@rnn_cell_backward.mistake(
    "Your bias gradients add up grad_output. The biases sit inside of the tanh: add up grad_z."
)
def cell_bias_skips_tanh(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    bias = grad_output.sum(axis=0)
    return *_sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)[:4], bias, bias.copy()


@rnn_cell_backward.mistake(
    "You shared the gradient between the two biases. Each is added in full, so each gets all of it."
)
def cell_bias_halved(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    *rest, b_ih, b_hh = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return *rest, b_ih / 2, b_hh / 2


@rnn_cell_backward.mistake(
    "Your gradient for bias_hh is 0. It is added to the same sum as bias_ih: their gradients are equal."
)
def cell_bias_hh_left_at_zero(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    h = _rnn_state(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_z = grad_output * (1 - h * h)
    *rest, b_hh = _sums(grad_z, x, weight_ih, grad_z, hx, weight_hh)
    return *rest, 0 * b_hh


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


def _gru_lines(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    """a_n, b_n, the gates and the candidate, and the gradients of a_r, a_z and a_n."""
    a_r, a_z, a_n, b_r, b_z, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    grad_n = grad_output * (1 - z) * (1 - n * n)
    return (a_n, b_n, r, z, n), grad_n * b_n * r * (1 - r), grad_output * (hx - n) * z * (1 - z), grad_n


def _gru_sums(grad_r, grad_z, grad_n, r, direct, x, hx, weight_ih, weight_hh):
    grad_a = np.concatenate([grad_r, grad_z, grad_n], axis=1)
    grad_b = np.concatenate([grad_r, grad_z, r * grad_n], axis=1)
    grad_x, grad_hx, *rest = _sums(grad_a, x, weight_ih, grad_b, hx, weight_hh)
    return grad_x, grad_hx + direct, *rest


@gru_cell_backward.mistake(
    "You gave the candidate the share z. It enters h with 1 - z; z belongs to the old state."
)
def gru_share_exchanged(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    d_n = grad_output * z * (1 - n * n)
    d_r = d_n * b_n * r * (1 - r)
    return _gru_sums(d_r, d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake("You gave the candidate the slope of a sigmoid. It is a tanh: 1 - n**2.")
def gru_sigmoid_slope_of_n(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    d_n = grad_output * (1 - z) * n * (1 - n)
    d_r = d_n * b_n * r * (1 - r)
    return _gru_sums(d_r, d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "Your z gets grad_output * hx. It stands twice in h = (1 - z) * n + z * hx: the share of n counts too."
)
def gru_z_sees_hx_only(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(
        d_r, grad_output * hx * z * (1 - z), d_n, r, grad_output * z, x, hx, weight_ih, weight_hh
    )


@gru_cell_backward.mistake(
    "Your z gets -grad_output * n. It stands twice in h = (1 - z) * n + z * hx: the share of hx counts too."
)
def gru_z_sees_n_only(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(
        d_r, -grad_output * n * z * (1 - z), d_n, r, grad_output * z, x, hx, weight_ih, weight_hh
    )


@gru_cell_backward.mistake(
    "z stands twice in h, once with a minus: (1 - z) * n + z * hx. Your two parts have the same sign."
)
def gru_z_adds(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(
        d_r, grad_output * (hx + n) * z * (1 - z), d_n, r, grad_output * z, x, hx, weight_ih, weight_hh
    )


@gru_cell_backward.mistake("The slope of z is missing: z * (1 - z).")
def gru_no_slope_of_z(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_r, grad_output * (hx - n), d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake("The slope of r is missing: r * (1 - r).")
def gru_no_slope_of_r(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_n * b_n, d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake("The slopes of both gates are missing: r * (1 - r) and z * (1 - z).")
def gru_no_gate_slopes(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_n * b_n, grad_output * (hx - n), d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "Your r gets its gradient times hx. What it multiplied is b_n, the state behind its weights."
)
def gru_r_meets_hx(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_n * hx * r * (1 - r), d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake("Your r gets its gradient times a_n. What it multiplied is the state's part, b_n.")
def gru_r_meets_a_n(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_n * a_n * r * (1 - r), d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "Your r skipped the tanh of the candidate: it stands inside, so 1 - n**2 multiplies its gradient."
)
def gru_r_skips_tanh(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(
        grad_output * (1 - z) * b_n * r * (1 - r), d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh
    )


@gru_cell_backward.mistake(
    "The direct way of hx has no z in your version. Only the share z of hx gets into h."
)
def gru_direct_in_full(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_r, d_z, d_n, r, grad_output, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "On the direct way you gave hx the share 1 - z. In h = (1 - z) * n + z * hx its share is z."
)
def gru_direct_share_exchanged(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_r, d_z, d_n, r, grad_output * (1 - z), x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "Your grad_hx is the direct way alone. The gates and the candidate read hx as well: grad_b @ weight_hh "
    "comes on top."
)
def gru_only_direct(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    right = in_numpy.gru_cell_backward.unchecked(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return right[0], grad_output * z, *right[2:]


@gru_cell_backward.mistake(
    "Both biases get the same gradient in your version. bias_hh stands inside of r * b_n: its last part has "
    "r."
)
def gru_one_bias_gradient(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    right = in_numpy.gru_cell_backward.unchecked(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return *right[:5], right[4].copy()


@gru_cell_backward.mistake(
    "Your gradient for weight_hh uses n. weight_hh multiplied the old state: grad_b.T @ hx."
)
def gru_weight_meets_n(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    right = in_numpy.gru_cell_backward.unchecked(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_b = np.concatenate([d_r, d_z, r * d_n], axis=1)
    return *right[:3], grad_b.T @ n, *right[4:]


@gru_cell_backward.mistake("Your gradients stand side by side in the order z r n. The weights have r z n.")
def gru_parts_zrn(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    (a_n, b_n, r, z, n), d_r, d_z, d_n = _gru_lines(
        grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh
    )
    return _gru_sums(d_z, d_r, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake("You split the sums in the order z r n. The weights have r z n.")
def gru_gates_zrn(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    a_z, a_r, a_n, b_z, b_r, b_n = _gru(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    d_n = grad_output * (1 - z) * (1 - n * n)
    d_r, d_z = d_n * b_n * r * (1 - r), grad_output * (hx - n) * z * (1 - z)
    return _gru_sums(d_r, d_z, d_n, r, grad_output * z, x, hx, weight_ih, weight_hh)


@gru_cell_backward.mistake(
    "You averaged over the rows. A mean in the loss is already inside grad_output: add up."
)
def gru_mean(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    right = in_numpy.gru_cell_backward.unchecked(grad_output, x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return *right[:2], *(p / len(x) for p in right[2:])
