"""The reference: cells, whole sequences, and back-propagation through time by hand. NumPy only.

Names, layouts and gate orders are torch's: sequences are (T, N, D), an LSTM's gates i f g o, a GRU's r z n.
"""

from functools import partial

import numpy as np

from nnlib.core import as_tuple, checked


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def _sums(x, weight, bias):
    return x @ weight.T if bias is None else x @ weight.T + bias


def _sums_backward(grad_z, x, weight, bias):
    """Gradients of x @ weight.T + bias; an empty tuple for a bias that is not there."""
    return grad_z @ weight, grad_z.T @ x, () if bias is None else (grad_z.sum(axis=0),)


# ------------------------------------------------------------------------------------------------- cells


@checked
def rnn_cell(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    """One step of a simple recurrent network: the new state from the input and the old state.

        h = tanh(x @ weight_ih.T + bias_ih + hx @ weight_hh.T + bias_hh)

    Parameters
    ----------
    x : array (N, D)
    hx : array (N, H)     the state so far
    weight_ih : array (H, D)
    weight_hh : array (H, H)
    bias_ih, bias_hh : array (H,) or None
    nonlinearity : {'tanh', 'relu'}

    Returns
    -------
    h : array (N, H)

    References
    ----------
    Elman (1990), Finding structure in time, Cognitive Science 14, 179-211.
    """
    z = _sums(x, weight_ih, bias_ih) + _sums(hx, weight_hh, bias_hh)
    return np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)


@checked
def rnn_cell_backward(
    grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"
):
    """Gradients of `rnn_cell` for x, hx, the weights and the biases.

    grad_z = grad_output * (1 - h**2),   grad_hx = grad_z @ weight_hh
    """
    h = rnn_cell.unchecked(x, hx, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity)
    grad_z = grad_output * (1 - h * h if nonlinearity == "tanh" else h > 0)
    grad_x, grad_ih, from_input = _sums_backward(grad_z, x, weight_ih, bias_ih)
    grad_hx, grad_hh, from_state = _sums_backward(grad_z, hx, weight_hh, bias_hh)
    return grad_x, grad_hx, grad_ih, grad_hh, *from_input, *from_state


@checked
def lstm_cell(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """One step of long short-term memory: gates decide what the cell forgets, takes in and shows.

        i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o),   g = tanh(z_g)
        c = f * cx + i * g,   h = o * tanh(c)

    z = x @ weight_ih.T + bias_ih + hx @ weight_hh.T + bias_hh holds z_i, z_f, z_g and z_o side by side.

    Parameters
    ----------
    x : array (N, D)
    hx : array (N, H)     what the cell showed
    cx : array (N, H)     what it remembers
    weight_ih : array (4*H, D)
    weight_hh : array (4*H, H)
    bias_ih, bias_hh : array (4*H,) or None

    Returns
    -------
    h : array (N, H)
    c : array (N, H)

    References
    ----------
    Hochreiter & Schmidhuber (1997), Long short-term memory, Neural Computation 9, 1735-1780; the forget gate:
    Gers, Schmidhuber & Cummins (2000), Learning to forget, Neural Computation 12, 2451-2471.
    """
    i, f, g, o = _lstm_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    c = f * cx + i * g
    return o * np.tanh(c), c


@checked
def lstm_cell_backward(grad_output, x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """Gradients of `lstm_cell` for x, hx, cx, the weights and the biases. grad_output is (grad_h, grad_c).

        grad_c += grad_h * o * (1 - tanh(c)**2),   grad_cx = grad_c * f
        grad_i, grad_f, grad_g, grad_o = grad_c * g, grad_c * cx, grad_c * i, grad_h * tanh(c)

    Each of the four times the slope of its gate is its part of grad_z; the rest is as in `rnn_cell_backward`.
    """
    grad_h, grad_c = grad_output
    i, f, g, o = _lstm_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    shown = np.tanh(f * cx + i * g)
    grad_c = grad_c + grad_h * o * (1 - shown * shown)
    grad_i, grad_f, grad_g, grad_o = grad_c * g, grad_c * cx, grad_c * i, grad_h * shown
    slopes = i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)
    grad_z = np.concatenate([grad_i, grad_f, grad_g, grad_o], axis=1) * np.concatenate(slopes, axis=1)
    grad_x, grad_ih, from_input = _sums_backward(grad_z, x, weight_ih, bias_ih)
    grad_hx, grad_hh, from_state = _sums_backward(grad_z, hx, weight_hh, bias_hh)
    return grad_x, grad_hx, grad_c * f, grad_ih, grad_hh, *from_input, *from_state


def _lstm_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    z_i, z_f, z_g, z_o = np.split(_sums(x, weight_ih, bias_ih) + _sums(hx, weight_hh, bias_hh), 4, axis=1)
    return _sigmoid(z_i), _sigmoid(z_f), np.tanh(z_g), _sigmoid(z_o)


@checked
def gru_cell(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """One step of a gated recurrent unit: the new state lies between a candidate n and the old state.

        r = sigmoid(a_r + b_r),   z = sigmoid(a_z + b_z),   n = tanh(a_n + r * b_n)
        h = (1 - z) * n + z * hx

    a = x @ weight_ih.T + bias_ih holds a_r, a_z, a_n side by side, b = hx @ weight_hh.T + bias_hh the same.

    Parameters
    ----------
    x : array (N, D)
    hx : array (N, H)
    weight_ih : array (3*H, D)
    weight_hh : array (3*H, H)
    bias_ih, bias_hh : array (3*H,) or None

    Returns
    -------
    h : array (N, H)

    References
    ----------
    Cho et al. (2014), arXiv:1406.1078. In its published version r multiplies hx before the product with the
    weights; here, as in torch, it multiplies the product with its bias.
    """
    _, z, n, _ = _gru_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    return (1 - z) * n + z * hx


@checked
def gru_cell_backward(grad_output, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """Gradients of `gru_cell` for x, hx, the weights and the biases.

    The candidate's sum has two parts: a_n gets grad_n, b_n gets r * grad_n, r gets b_n * grad_n.
    """
    r, z, n, b_n = _gru_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    grad_n = grad_output * (1 - z) * (1 - n * n)
    grad_z = grad_output * (hx - n) * z * (1 - z)
    grad_r = grad_n * b_n * r * (1 - r)
    grad_a = np.concatenate([grad_r, grad_z, grad_n], axis=1)
    grad_b = np.concatenate([grad_r, grad_z, r * grad_n], axis=1)
    grad_x, grad_ih, from_input = _sums_backward(grad_a, x, weight_ih, bias_ih)
    grad_hx, grad_hh, from_state = _sums_backward(grad_b, hx, weight_hh, bias_hh)
    return grad_x, grad_hx + grad_output * z, grad_ih, grad_hh, *from_input, *from_state


def _gru_gates(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    a_r, a_z, a_n = np.split(_sums(x, weight_ih, bias_ih), 3, axis=1)
    b_r, b_z, b_n = np.split(_sums(hx, weight_hh, bias_hh), 3, axis=1)
    r, z = _sigmoid(a_r + b_r), _sigmoid(a_z + b_z)
    return r, z, np.tanh(a_n + r * b_n), b_n


# -------------------------------------------------------------------------------------- whole sequences
#
# One loop serves every cell, since a state is a tuple of arrays: (h,) or (h, c). A sequence that has ended
# keeps its state and shows zeros, which is what torch makes of packed sequences.


def _unroll(cell, x, state, params, lengths, reverse):
    """Outputs, the final state, and the state before each step, which backward needs."""
    y, before, running = [None] * len(x), [None] * len(x), _running(x, lengths)
    x = np.where(running, x, 0)  # behind its end anything may stand, even NaN
    for t in _order(x, reverse):
        before[t] = state
        new = as_tuple(cell(x[t], *state, *params))
        state = tuple(np.where(running[t], n, old) for n, old in zip(new, state))
        y[t] = np.where(running[t], new[0], 0)
    return np.stack(y), state, before


def _unroll_backward(cell, cell_backward, grad_output, x, state, params, lengths, reverse):
    """Back-propagation through time: the steps in the opposite order, the weights' gradients added up.

    grad_state carries what later steps want of a state; the output of the step itself adds its part.
    """
    grad_y, *grad_state = grad_output
    _, _, before = _unroll(cell, x, state, params, lengths, reverse)
    grad_x, running = np.empty_like(x), _running(x, lengths)
    x = np.where(running, x, 0)
    grad_params = [np.zeros_like(p) for p in params if p is not None]
    for t in reversed(_order(x, reverse)):
        grad_h, *grad_rest = grad_state
        wanted = tuple(np.where(running[t], g, 0) for g in (grad_h + grad_y[t], *grad_rest))
        wanted = wanted if grad_rest else wanted[0]
        grad_x[t], *grads = cell_backward(wanted, x[t], *before[t], *params)
        passed_on, here = grads[: len(state)], grads[len(state) :]
        grad_state = [np.where(running[t], g, kept) for g, kept in zip(passed_on, grad_state)]
        grad_params = [total + g for total, g in zip(grad_params, here)]
    return grad_x, *grad_state, *grad_params, *([] if lengths is None else [None])


def _order(x, reverse):
    return range(len(x) - 1, -1, -1) if reverse else range(len(x))


def _running(x, lengths):
    """Which sequences have not ended before step t, as a column for every t."""
    steps = np.arange(len(x))[:, None, None]
    return steps < (len(x) if lengths is None else lengths[:, None])


@checked
def rnn(
    x, h_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False, nonlinearity="tanh"
):
    """A simple recurrent network over whole sequences: `rnn_cell` at every step, with the same weights.

        h[t] = tanh(x[t] @ weight_ih.T + bias_ih + h[t - 1] @ weight_hh.T + bias_hh),   y[t] = h[t]

    Parameters
    ----------
    x : array (T, N, D)
    h_0 : array (N, H)                        the state before the first step
    weight_ih : array (H, D)
    weight_hh : array (H, H)
    bias_ih, bias_hh : array (H,) or None
    lengths : int array (N,) in [1, T] or None      steps of each sequence; y is 0 behind its end
    reverse : bool                            from the last step to the first
    nonlinearity : {'tanh', 'relu'}

    Returns
    -------
    y : array (T, N, H)
    h_n : array (N, H)     the state after the last step of each sequence

    References
    ----------
    Elman (1990), Finding structure in time, Cognitive Science 14, 179-211.
    """
    cell = partial(rnn_cell.unchecked, nonlinearity=nonlinearity)
    params = weight_ih, weight_hh, bias_ih, bias_hh
    y, (h,), _ = _unroll(cell, x, (h_0,), params, lengths, reverse)
    return y, h


@checked
def rnn_backward(
    grad_output,
    x,
    h_0,
    weight_ih,
    weight_hh,
    bias_ih=None,
    bias_hh=None,
    lengths=None,
    reverse=False,
    nonlinearity="tanh",
):
    """Gradients of `rnn` for x, h_0, the weights and the biases. grad_output is (grad_y, grad_h_n).

    grad_h[t] = grad_y[t] + grad_z[t + 1] @ weight_hh,   grad_weight_hh = sum over t of grad_z[t].T @ h[t - 1]

    References
    ----------
    Werbos (1990), Backpropagation through time, Proceedings of the IEEE 78, 1550-1560.
    """
    pair = (partial(f.unchecked, nonlinearity=nonlinearity) for f in (rnn_cell, rnn_cell_backward))
    params = weight_ih, weight_hh, bias_ih, bias_hh
    return _unroll_backward(*pair, grad_output, x, (h_0,), params, lengths, reverse)


@checked
def lstm(x, h_0, c_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False):
    """Long short-term memory over whole sequences: `lstm_cell` at every step, with the same weights.

        c[t] = f[t] * c[t - 1] + i[t] * g[t],   h[t] = o[t] * tanh(c[t]),   y[t] = h[t]

    Parameters
    ----------
    x : array (T, N, D)
    h_0, c_0 : array (N, H)                   the state before the first step
    weight_ih : array (4*H, D)
    weight_hh : array (4*H, H)
    bias_ih, bias_hh : array (4*H,) or None
    lengths : int array (N,) in [1, T] or None      steps of each sequence; y is 0 behind its end
    reverse : bool                            from the last step to the first

    Returns
    -------
    y : array (T, N, H)
    h_n : array (N, H)     the state after the last step of each sequence
    c_n : array (N, H)

    References
    ----------
    Hochreiter & Schmidhuber (1997), Neural Computation 9, 1735-1780; Gers, Schmidhuber & Cummins (2000),
    Neural Computation 12, 2451-2471.
    """
    params = weight_ih, weight_hh, bias_ih, bias_hh
    y, (h, c), _ = _unroll(lstm_cell.unchecked, x, (h_0, c_0), params, lengths, reverse)
    return y, h, c


@checked
def lstm_backward(
    grad_output, x, h_0, c_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False
):
    """Gradients of `lstm` for x, h_0, c_0, weights and biases. grad_output is (grad_y, grad_h_n, grad_c_n).

    grad_c[t] = grad_c[t + 1] * f[t + 1] + grad_h[t] * o[t] * (1 - tanh(c[t])**2)
    """
    pair = lstm_cell.unchecked, lstm_cell_backward.unchecked
    params = weight_ih, weight_hh, bias_ih, bias_hh
    return _unroll_backward(*pair, grad_output, x, (h_0, c_0), params, lengths, reverse)


@checked
def gru(x, h_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False):
    """Gated recurrent units over whole sequences: `gru_cell` at every step, with the same weights.

        h[t] = (1 - z[t]) * n[t] + z[t] * h[t - 1],   y[t] = h[t]

    Parameters
    ----------
    x : array (T, N, D)
    h_0 : array (N, H)                        the state before the first step
    weight_ih : array (3*H, D)
    weight_hh : array (3*H, H)
    bias_ih, bias_hh : array (3*H,) or None
    lengths : int array (N,) in [1, T] or None      steps of each sequence; y is 0 behind its end
    reverse : bool                            from the last step to the first

    Returns
    -------
    y : array (T, N, H)
    h_n : array (N, H)     the state after the last step of each sequence

    References
    ----------
    Cho et al. (2014), arXiv:1406.1078.
    """
    params = weight_ih, weight_hh, bias_ih, bias_hh
    y, (h,), _ = _unroll(gru_cell.unchecked, x, (h_0,), params, lengths, reverse)
    return y, h


@checked
def gru_backward(
    grad_output, x, h_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False
):
    """Gradients of `gru` for x, h_0, the weights and the biases. grad_output is (grad_y, grad_h_n).

    grad_h[t - 1] = z[t] * grad_h[t] + what the three gates pass back
    """
    pair = gru_cell.unchecked, gru_cell_backward.unchecked
    params = weight_ih, weight_hh, bias_ih, bias_hh
    return _unroll_backward(*pair, grad_output, x, (h_0,), params, lengths, reverse)
