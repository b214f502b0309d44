"""The recurrent layers against torch's modules with the same weights, against the pairs, and in a model."""

import numpy as np
import pytest
import torch

from nnlib import core
from nnlib.layers import Linear, Sequential, fit
from nnlib.layers.recurrent import GRU, LSTM, RNN, EachStep, LastStep
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam

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
        behind = np.arange(T) >= lengths[:, None]
        x[behind if first else behind.T] = np.nan
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


# ------------------------------------------------------------------------------------------- in a model


def model(kind, rng, dtype=np.float64, **settings):
    cell = KINDS[kind](2, 4, batch_first=True, rng=rng, dtype=dtype, **settings)
    width = 8 if settings.get("bidirectional") else 4
    return Sequential(cell, EachStep(Linear(width, 3, rng=rng, dtype=dtype)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_steps_has_the_gradient_of_central_differences(kind):
    rng = np.random.default_rng(0)
    net = model(kind, rng, num_layers=2, bidirectional=True)
    x, g = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 3, 3))
    net.forward(x)
    net.backward(g, want_input=False)
    slopes = net.grads.copy()

    def loss(params):
        net.params[...] = params
        return (g * net.forward(x)).sum()

    some = rng.permutation(net.params.size)[:60]
    start = net.params.copy()

    def along(values):
        params = start.copy()
        params[some] = values
        return loss(params)

    np.testing.assert_allclose(
        slopes[some], core.numerical_gradient(along, start[some]), rtol=1e-6, atol=1e-8
    )


def test_fit_trains_recurrent_models_and_leaves_the_last_step():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6, 1)).astype(np.float32)
    net = Sequential(GRU(1, 8, batch_first=True, rng=rng), LastStep(), Linear(8, 1, rng=rng))
    history = fit(net, x, x.mean(axis=1), loss=mse_loss, optimizer=adam, lr=2e-2, epochs=60)
    assert history.loss[-1] < 0.2 * history.loss[0]
    assert net(x).shape == (64, 1) and net.dtype == np.float32


def test_parameters_are_views_and_copies_independent():
    rng = np.random.default_rng(0)
    net, x = model("LSTM", rng), rng.normal(size=(2, 5, 2))
    before, twin = net(x), net.copy()
    assert set(net[0].params) == {f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    net.params[...] = 0
    assert not net[0].params["weight_hh_l0"].any() and not net(x).any()
    np.testing.assert_array_equal(twin(x), before)


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(NotImplementedError, match="dropout=0.5.*expected dropout=0.0"):
        LSTM(2, 3, rng=rng, dropout=0.5)
    for sizes, message in (((2, 0), "hidden_size is 0"), ((2, 3, 0), "num_layers is 0; expected at least 1")):
        with pytest.raises(ValueError, match=message):
            GRU(*sizes, rng=rng)
    layer = GRU(2, 3, batch_first=True, rng=rng, dtype=np.float64)
    with pytest.raises(ValueError, match=r"GRU: x has shape \(4, 2\); expected \(N, T, D\)"):
        layer(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="expected"):
        layer(np.zeros((4, 5, 3)))
    with pytest.raises(ValueError, match="lengths"):
        layer(np.zeros((4, 5, 2)), lengths=np.array([1, 2, 3, 6]))
    with pytest.raises(ValueError, match="h_0"):
        layer(np.zeros((4, 5, 2)), state=np.zeros((1, 3, 3)))


def test_arguments_stand_where_torch_has_them():
    rng = np.random.default_rng(0)
    assert RNN(2, 3, 1, "relu", rng=rng).nonlinearity == torch.nn.RNN(2, 3, 1, "relu").nonlinearity == "relu"
    assert not any(name.startswith("bias") for name in RNN(2, 3, 1, "tanh", False, rng=rng).params)
    for layer in (
        LSTM(2, 3, 1, True, True, 0.0, True, rng=rng),
        GRU(2, 3, 1, True, True, 0.0, True, rng=rng),
    ):
        assert layer.batch_first and len(layer.directions) == 2
    with pytest.raises(NotImplementedError, match="dropout=0.5"):
        LSTM(2, 3, 2, True, False, 0.5, rng=rng)
    with pytest.raises(ValueError, match="nonlinearity is 'reul'; expected 'tanh' or 'relu'"):
        RNN(2, 3, nonlinearity="reul", rng=rng)
