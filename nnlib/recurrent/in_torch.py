"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnlib.core import checked


@checked
def rnn_cell(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    """h = tanh(weight_ih x + bias_ih + weight_hh hx + bias_hh)"""
    z = nn.functional.linear(x, weight_ih, bias_ih) + nn.functional.linear(hx, weight_hh, bias_hh)
    return torch.tanh(z) if nonlinearity == "tanh" else torch.relu(z)


@checked
def lstm_cell(x, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """c = f * cx + i * g,   h = o * tanh(c)"""
    z = nn.functional.linear(x, weight_ih, bias_ih) + nn.functional.linear(hx, weight_hh, bias_hh)
    i, f, g, o = z.chunk(4, dim=1)
    c = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@checked
def gru_cell(x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """h = (1 - z) * n + z * hx,   n = tanh(a_n + r * b_n)"""
    a_r, a_z, a_n = nn.functional.linear(x, weight_ih, bias_ih).chunk(3, dim=1)
    b_r, b_z, b_n = nn.functional.linear(hx, weight_hh, bias_hh).chunk(3, dim=1)
    n = torch.tanh(a_n + (a_r + b_r).sigmoid() * b_n)
    return n.lerp(hx, (a_z + b_z).sigmoid())


@checked
def rnn(
    x, h_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False, nonlinearity="tanh"
):
    """h[t] = tanh(weight_ih x[t] + bias_ih + weight_hh h[t - 1] + bias_hh)"""

    def step(x, h):
        return (rnn_cell.unchecked(x, h, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity),)

    y, h = _scan(step, x, [h_0], lengths, reverse)
    return y, h


@checked
def lstm(x, h_0, c_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False):
    """c[t] = f[t] * c[t - 1] + i[t] * g[t],   h[t] = o[t] * tanh(c[t])"""

    def step(x, h, c):
        return lstm_cell.unchecked(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh)

    return _scan(step, x, [h_0, c_0], lengths, reverse)


@checked
def gru(x, h_0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False):
    """h[t] = (1 - z[t]) * n[t] + z[t] * h[t - 1]"""

    def step(x, h):
        return (gru_cell.unchecked(x, h, weight_ih, weight_hh, bias_ih, bias_hh),)

    y, h = _scan(step, x, [h_0], lengths, reverse)
    return y, h


def _scan(step, x, start, lengths, reverse):
    """Each sequence by itself, cut to its length: no mask anywhere. y is padded with zeros again."""
    ends = [len(x)] * x.shape[1] if lengths is None else lengths.tolist()
    shown, last = [], []
    for n, end in enumerate(ends):
        state, y = [s[n : n + 1] for s in start], []
        inputs = x[:end, n : n + 1].flip(0) if reverse else x[:end, n : n + 1]
        for row in inputs:
            state = step(row, *state)
            y.append(state[0])
        y = torch.cat(y[::-1] if reverse else y)
        shown.append(torch.cat([y, y.new_zeros(len(x) - end, y.shape[1])]))
        last.append(state)
    return torch.stack(shown, dim=1), *(torch.cat(rows) for rows in zip(*last))


# --------------------------------------------------------------------------------- the library's own


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _library(module, x, state, weights, lengths, reverse):
    """The module's own run with our weights; to go backwards, the second half of a bidirectional one."""
    given = {f"{name}_l0": w for name, w in zip(NAMES, weights) if w is not None}
    state = [s[None] for s in state]
    if reverse:
        forwards = {name: torch.zeros_like(w) for name, w in given.items()}
        given = forwards | {f"{name}_reverse": w for name, w in given.items()}
        state = [torch.cat([torch.zeros_like(s), s]) for s in state]
    inputs = x if lengths is None else pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    arguments = inputs, tuple(state) if len(state) > 1 else state[0]
    y, last = torch.func.functional_call(module.to(x), given, arguments)
    if lengths is not None:
        y, _ = pad_packed_sequence(y, total_length=len(x))
    last = last if len(state) > 1 else (last,)
    return y[..., -weights[1].shape[1] :], *(s[-1] for s in last)


def _sizes(x, h_0, bias_ih, reverse):
    return dict(
        input_size=x.shape[2], hidden_size=h_0.shape[1], bias=bias_ih is not None, bidirectional=reverse
    )


def _official_rnn(x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, lengths, reverse, nonlinearity):
    module = nn.RNN(**_sizes(x, h_0, bias_ih, reverse), nonlinearity=nonlinearity)
    return _library(module, x, [h_0], (weight_ih, weight_hh, bias_ih, bias_hh), lengths, reverse)


def _official_lstm(x, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh, lengths, reverse):
    module = nn.LSTM(**_sizes(x, h_0, bias_ih, reverse))
    return _library(module, x, [h_0, c_0], (weight_ih, weight_hh, bias_ih, bias_hh), lengths, reverse)


def _official_gru(x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, lengths, reverse):
    module = nn.GRU(**_sizes(x, h_0, bias_ih, reverse))
    return _library(module, x, [h_0], (weight_ih, weight_hh, bias_ih, bias_hh), lengths, reverse)


def _official_rnn_cell(x, hx, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity):
    module = nn.RNNCell(x.shape[1], hx.shape[1], bias_ih is not None, nonlinearity)
    return _library_cell(module, (x, hx), (weight_ih, weight_hh, bias_ih, bias_hh))


def _official_lstm_cell(x, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh):
    module = nn.LSTMCell(x.shape[1], hx.shape[1], bias_ih is not None)
    return _library_cell(module, (x, (hx, cx)), (weight_ih, weight_hh, bias_ih, bias_hh))


def _official_gru_cell(x, hx, weight_ih, weight_hh, bias_ih, bias_hh):
    module = nn.GRUCell(x.shape[1], hx.shape[1], bias_ih is not None)
    return _library_cell(module, (x, hx), (weight_ih, weight_hh, bias_ih, bias_hh))


def _library_cell(module, arguments, weights):
    given = {name: w for name, w in zip(NAMES, weights) if w is not None}
    return torch.func.functional_call(module.to(weights[0]), given, arguments)


official = {
    "rnn_cell": _official_rnn_cell,
    "lstm_cell": _official_lstm_cell,
    "gru_cell": _official_gru_cell,
    "rnn": _official_rnn,
    "lstm": _official_lstm,
    "gru": _official_gru,
}
