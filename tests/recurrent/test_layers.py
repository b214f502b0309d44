"""The recurrent layers against torch's modules with the same weights, against the pairs, and in a model."""

import numpy as np
import pytest
import torch

from nnlib import core
from nnlib.layers import Linear, Sequential, fit
from nnlib.layers.recurrent import GRU, LSTM, RNN, EachStep, LastStep
from nnlib.losses.in_numpy import mse_loss

KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
T, N, D, H = 7, 5, 3, 4
LENGTHS = np.array([4, 7, 1, 6, 7])

SETTINGS = [
    dict(),
    dict(bias=False),
    dict(batch_first=True),
    dict(bidirectional=True),
    dict(num_layers=3),
    dict(num_layers=2, bidirectional=True, batch_first=True),
]


def both(kind, rng, dtype, **settings):
    """Our layer and torch's module, parameters shared by name."""
    ours = KINDS[kind](D, H, rng=rng, dtype=dtype, **settings)
    theirs = getattr(torch.nn, kind)(D, H, **settings).to(getattr(torch, np.dtype(dtype).name))
    theirs.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in ours.params.items()})
    return ours, theirs


def close(mine, theirs, dtype, what):
    theirs = theirs.detach().numpy()
    assert mine.dtype == dtype and mine.shape == theirs.shape, what
    assert core.max_difference(mine, theirs) < 10 * core.tolerance(dtype), what


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["", "lengths"])
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_torchs(kind, settings, lengths, dtype):
    rng = np.random.default_rng(0)
    ours, theirs = both(kind, rng, dtype, **settings)
    first = settings.get("batch_first", False)
    x = rng.normal(size=(N, T, D) if first else (T, N, D)).astype(dtype)
    count = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    state = [rng.normal(size=(count, N, H)).astype(dtype) for _ in range(2 if kind == "LSTM" else 1)]

    leaves = [torch.from_numpy(v.copy()).requires_grad_() for v in (x, *state)]
    inputs = leaves[0]
    if lengths is not None:
        pack = torch.nn.utils.rnn.pack_padded_sequence
        inputs = pack(inputs, torch.from_numpy(lengths), batch_first=first, enforce_sorted=False)
    y, last = theirs(inputs, tuple(leaves[1:]) if kind == "LSTM" else leaves[1])
    if lengths is not None:
        unpack = torch.nn.utils.rnn.pad_packed_sequence
        y, _ = unpack(y, batch_first=first, total_length=T)
    last = core.as_tuple(last)

    for _ in range(2):  # the second time in buffers that were used before
        mine, final = ours(x, tuple(state), lengths)
        close(mine, y, dtype, "y")
        for a, b in zip(core.as_tuple(final), last, strict=True):
            close(a, b, dtype, "the final state")
        grads = [rng.normal(size=v.shape).astype(dtype) for v in (mine, *core.as_tuple(final))]
        grad_x = ours.backward(grads[0], True, *grads[1:])
    wanted = [torch.from_numpy(g) for g in grads]
    theirs.zero_grad()
    torch.autograd.backward((y, *last), wanted)
    close(grad_x, leaves[0].grad, dtype, "grad_x")
    for name, leaf in zip(("grad_h_0", "grad_c_0"), leaves[1:]):
        close(getattr(ours, name), leaf.grad, dtype, name)
    for name, p in theirs.named_parameters():
        close(ours.grads[name], p.grad, dtype, name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_their_pairs(kind, dtype):
    f = getattr(core.load("recurrent", "in_numpy"), kind.lower())
    backward = getattr(core.load("recurrent", "in_numpy"), f"{kind.lower()}_backward")
    for case in core.cases(f"recurrent.{kind.lower()}"):
        args = case.cast(dtype)
        if args.pop("reverse", False):
            continue  # inside a bidirectional layer only: tested against torch
        options = {"nonlinearity": args.pop("nonlinearity")} if "nonlinearity" in args else {}
        x, lengths = args.pop("x"), args.pop("lengths", None)
        start = [args.pop(name)[None] for name in ("h_0", "c_0") if name in args]
        layer = KINDS[kind](
            x.shape[2], start[0].shape[2], bias="bias_ih" in args, rng=np.random.default_rng(0), **options
        )
        layer.bind({f"{k}_l0": v for k, v in args.items()}, {f"{k}_l0": 0 * v for k, v in args.items()})
        given = case.cast(dtype)
        y, *final = f(**given)
        mine, last = layer(x, tuple(start), lengths)
        assert core.max_difference(
            (mine, *(s[0] for s in core.as_tuple(last))), (y, *final)
        ) < core.tolerance(dtype)
        grads = core.grad_outputs((y, *final))
        grad_x, *rest = (g for g in backward(grads, **given) if g is not None)
        got = [layer.backward(grads[0], True, *(g[None] for g in grads[1:])), layer.grad_h_0[0]]
        got += [layer.grad_c_0[0]] if kind == "LSTM" else []
        assert core.max_difference((*got, *layer.grads.values()), (grad_x, *rest)) < 5 * core.tolerance(dtype)
