"""Layers and fit: quick forms equal plain pairs, one flat vector holds everything, training equals torch."""

import copy
import functools
import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

from nnlib.activations.in_numpy import leaky_relu, leaky_relu_backward, relu, sigmoid, tanh
from nnlib.core import max_difference, numerical_gradient
from nnlib.layers import (
    BatchNorm1d,
    GroupNorm,
    Layer,
    LayerNorm,
    Linear,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Stack,
    Tanh,
    fit,
    fit_many,
    train,
)
from nnlib.layers.training import _loss
from nnlib.linear.in_numpy import linear, linear_backward
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from nnlib.optimizers.in_numpy import sgd

CLOSE = {"float32": 1e-6, "float64": 1e-12}
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
LOSSES = {"mse": mse_loss, "binary": binary_cross_entropy_with_logits, "classes": cross_entropy}


def mlp(seed=0, sizes=(2, 16, 16, 3), dtype="float64", activation=Tanh):
    rng = np.random.default_rng(seed)
    layers = [(Linear(a, b, rng=rng, dtype=dtype), activation()) for a, b in itertools.pairwise(sizes)]
    return Sequential(*list(itertools.chain.from_iterable(layers))[:-1])


def plain(model):
    """The same model from plain pairs: no buffers, no quick forms."""
    return Sequential(
        *(Layer(la.f, la.f_backward, {k: p.copy() for k, p in la.params.items()}) for la in model.layers)
    )


def data(loss="classes", n=60, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    targets = {"mse": rng.normal(size=(n, 3)), "binary": rng.integers(0, 2, (n, 3)).astype(float)}
    return x, targets.get(loss, rng.integers(0, 3, n))


# -------------------------------------------------------------------------------- quick against plain


@DTYPES
@pytest.mark.parametrize("make", [ReLU, Tanh, Sigmoid, lambda: Linear(4, 3, rng=np.random.default_rng(0))])
def test_quick_layers_equal_their_pairs(make, dtype):
    layer = Sequential(make())[0]
    layer.bind(*({k: v.astype(dtype) for k, v in held.items()} for held in (layer.params, layer.grads)))
    rng = np.random.default_rng(0)
    for rows in (5, 5, 2, 7):  # buffers are used again, and made anew
        x = rng.normal(0, 2, (rows, 4)).astype(dtype)
        x[0] = [0, -1000, 1000, -1]
        grad = rng.normal(size=layer.f(x, **layer.params).shape).astype(dtype)
        y = layer.forward(x)
        grad_x = layer.backward(grad)
        wanted = layer.f_backward(grad, x, **layer.params)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        assert y.dtype == grad_x.dtype == dtype
        assert max_difference(y, layer.f(x, **layer.params)) < CLOSE[dtype]
        assert max_difference((grad_x, *layer.grads.values()), wanted) < CLOSE[dtype]


@DTYPES
@pytest.mark.parametrize("name", ["binary", "classes"])
def test_quick_loss_gradients_equal_their_pairs(name, dtype):
    loss = LOSSES[name]
    target = data(name)[1].astype(dtype) if name == "binary" else data(name)[1]
    x = np.random.default_rng(2).normal(0, 5, (60, 3)).astype(dtype)
    x[0] = [-1000, 1000, 0]
    quick = _loss(loss, target)[1](2.5, x, target)
    exact = _loss(functools.partial(loss, reduction="mean"), target)[1](
        2.5, x, target
    )  # an option: no shortcut
    assert quick.dtype == exact.dtype == dtype
    assert max_difference(quick, exact) < CLOSE[dtype]


@DTYPES
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", [ReLU, Tanh, Sigmoid])
def test_fit_equals_the_plain_pairs(activation, loss, dtype):
    quick = mlp(dtype=dtype, activation=activation)
    slow = plain(quick)
    x, y = data(loss)
    for model in (quick, slow):
        settings = dict(momentum=0.9, weight_decay=0.01, nesterov=True, batch_size=16)
        history = fit(
            model, x, y, loss=LOSSES[loss], lr=0.1, epochs=5, rng=np.random.default_rng(3), **settings
        )
        model.losses = history.loss
    assert max_difference(quick.params, slow.params) < CLOSE[dtype]
    assert max_difference(quick.losses, slow.losses) < CLOSE[dtype]


def test_model_gradient_is_the_central_difference():
    rng = np.random.default_rng(0)
    training = Sequential(
        Linear(3, 4, rng=rng, dtype="float64"),
        BatchNorm1d(4, dtype="float64"),
        Layer(leaky_relu, leaky_relu_backward, negative_slope=0.2),
        Linear(4, 6, bias=False, rng=rng, dtype="float64"),
        LayerNorm(6, dtype="float64"),
        Sigmoid(),
        GroupNorm(2, 6, dtype="float64"),
        Linear(6, 1, rng=rng, dtype="float64"),
    )
    training.params += rng.normal(0, 0.3, training.params.shape)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    for model in (training, training.copy().eval()):
        gradient = _loss(mse_loss, y)[1]
        grad_x = model.backward(gradient(1.0, model.forward(x), y))

        def at(params, model=model):
            model.params[...] = params
            return float(mse_loss(model.forward(x), y))

        kept = model.params.copy()
        assert max_difference(model.grads, numerical_gradient(at, kept)) < 1e-8
        model.params[...] = kept
        numerical = numerical_gradient(lambda x, model=model: float(mse_loss(model.forward(x), y)), x)
        assert max_difference(grad_x, numerical) < 1e-8


# ------------------------------------------------------------------------------------- against torch


def twin_of(model):
    modules = []
    for layer in model.layers:
        if isinstance(layer, Linear):
            bias = "bias" in layer.params
            modules.append(torch.nn.Linear(*reversed(layer.weight.shape), bias, dtype=torch.float64))
        elif isinstance(layer, BatchNorm1d):
            modules.append(torch.nn.BatchNorm1d(layer.params["weight"].size, dtype=torch.float64))
        else:
            modules.append(
                {Tanh: torch.nn.Tanh, ReLU: torch.nn.ReLU, Sigmoid: torch.nn.Sigmoid}[type(layer)]()
            )
    twin = torch.nn.Sequential(*modules)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(model.params.copy()), twin.parameters())
    return twin


def inline_adam(param, grad, m=None, v=None, t=1, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = (1 - betas[0]) * grad + (0 if m is None else betas[0] * m)
    v = (1 - betas[1]) * grad * grad + (0 if v is None else betas[1] * v)
    return param - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps), m, v


@pytest.mark.parametrize(
    "optimizer, settings, theirs",
    [
        (sgd, dict(momentum=0.9, weight_decay=0.01), torch.optim.SGD),
        (inline_adam, dict(betas=(0.8, 0.99)), torch.optim.Adam),
    ],
)
def test_training_equals_torch(optimizer, settings, theirs):
    rng = np.random.default_rng(0)
    make = dict(rng=rng, dtype="float64")
    first = Linear(
        2, 8, bias=False, **make
    )  # batch norm takes a bias away again; Adam would amplify its noise
    model = Sequential(first, BatchNorm1d(8, dtype="float64"), ReLU(), Linear(8, 3, **make))
    twin, (x, y) = twin_of(model), data()
    fit(model, x, y, lr=0.05, epochs=60, optimizer=optimizer, **settings)
    steps = theirs(twin.parameters(), lr=0.05, **settings)
    for _ in range(60):
        steps.zero_grad()
        torch.nn.functional.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        steps.step()
    assert (
        max_difference(model.params, torch.nn.utils.parameters_to_vector(twin.parameters()).detach()) < 1e-10
    )
    twin.eval()
    assert max_difference(model(x), twin(torch.from_numpy(x)).detach()) < 1e-10  # by the running statistics


def test_default_start_is_torchs():
    """U(-1, 1) / sqrt(fan_in) for weight and bias: the same bound, and evenly spread up to it."""
    ours, theirs = Linear(50, 400, rng=np.random.default_rng(0)), torch.nn.Linear(50, 400)
    for name in ("weight", "bias"):
        a, b = ours.params[name], getattr(theirs, name).detach().numpy()
        assert a.shape == b.shape and a.dtype == b.dtype == np.float32
        bound = 1 / np.sqrt(50)
        for values in (a, b):
            assert 0.98 * bound < np.abs(values).max() <= np.float32(bound)
            np.testing.assert_allclose(values.std(), bound / np.sqrt(3), rtol=0.06)
    again = Linear(50, 400, rng=np.random.default_rng(0), dtype="float64")
    np.testing.assert_array_equal(again.params["weight"].astype("float32"), ours.params["weight"])


# ---------------------------------------------------------------------------------------- bookkeeping


def test_parameters_and_gradients_are_views_of_flat_vectors():
    model = mlp()
    assert model.params.size == 2 * 16 + 16 + 16 * 16 + 16 + 16 * 3 + 3 == model.grads.size
    for layer in model.layers:
        assert all(np.shares_memory(p, model.params) for p in layer.params.values())
        assert all(np.shares_memory(g, model.grads) for g in layer.grads.values())
    model.params[0] = 7
    assert model[0].params["weight"][0, 0] == 7
    model[0].params["bias"][...] = 0
    assert (model.params[32:48] == 0).all()


@pytest.mark.parametrize("copied", [Sequential.copy, copy.deepcopy])
def test_a_copy_is_independent(copied):
    model = mlp()
    kept = copied(model)
    before = model(data()[0])
    fit(model, *data(), lr=0.1, epochs=3)
    assert max_difference(kept(data()[0]), before) == 0
    assert not np.shares_memory(kept.params, model.params)
    assert np.shares_memory(kept[0].params["weight"], kept.params)


def test_outputs_are_the_callers_to_keep():
    model, (x, _) = mlp(), data()
    first = model(x)
    kept = first.copy()
    model(-x)
    np.testing.assert_array_equal(first, kept)


def test_modes_reach_batch_norm_and_fit_leaves_the_model_ready_for_use():
    rng = np.random.default_rng(0)
    model = Sequential(Linear(2, 4, rng=rng), BatchNorm1d(4), Tanh(), Linear(4, 3, rng=rng))
    x, y = data()
    fit(model, x, y, lr=0.1, epochs=20)
    assert max_difference(model(x[:1]), model(x)[:1]) < 1e-6  # no row depends on another
    model.train()
    assert max_difference(model(x[:2]), model.eval()(x)[:2]) > 1e-3


# -------------------------------------------------------------------------------------------- history


def test_history_measures_the_model_as_it_is():
    model, (x, y) = mlp(), data()
    before = float(cross_entropy(model(x), y))
    history = fit(
        model, x, y, lr=0.1, epochs=3, batch_size=16, rng=np.random.default_rng(0), validation=(x, y)
    )
    assert history.step == [0, 4, 8, 12] and history.epoch == [0, 1, 2, 3]
    assert history.loss[0] == pytest.approx(before, abs=1e-12)
    assert history.loss[-1] == pytest.approx(float(cross_entropy(model(x), y)), abs=1e-12)
    assert history.loss[-1] < before
    assert history.accuracy[-1] == (model(x).argmax(1) == y).mean()
    assert history.validation_loss == history.loss and history.validation_accuracy == history.accuracy
    assert history.diverged_at is None


def test_train_yields_the_same_history_step_by_step():
    whole, parts = mlp(), mlp()
    settings = dict(lr=0.1, epochs=4, batch_size=16)
    expected = fit(whole, *data(), every=3, rng=np.random.default_rng(0), **settings)
    lengths = [len(h.loss) for h in train(parts, *data(), every=3, rng=np.random.default_rng(0), **settings)]
    assert lengths == [1, 2, 3, 4, 5, 6, 7]
    assert expected.step == [0, 3, 6, 9, 12, 15, 16]
    np.testing.assert_array_equal(whole.params, parts.params)


def test_whoever_iterates_may_stop_and_keeps_their_error_handling():
    model = mlp()
    with np.errstate(all="raise"):
        state = np.geterr()
        for history in train(model, *data(), lr=0.1, epochs=10**9, every=1):
            assert np.geterr() == state
            if history.step[-1] == 5:
                break
    other = mlp()
    fit(other, *data(), lr=0.1, epochs=5)
    np.testing.assert_array_equal(model.params, other.params)


def test_full_batches_get_a_hundred_entries():
    assert len(fit(mlp(), *data(), lr=0.1, epochs=300).loss) == 101
    assert len(fit(mlp(), *data(), lr=0.1, epochs=30).loss) == 31


def test_numbers_of_numpy_leave_the_model_in_float32():
    model, other = mlp(dtype="float32"), mlp(dtype="float32")
    fit(model, *data(), lr=0.1, momentum=0.9, epochs=9)
    fit(other, *data(), lr=np.float64(0.1), momentum=np.float64(0.9), epochs=9)
    np.testing.assert_array_equal(model.params, other.params)
    fit_many([other], *data(), lr=np.geomspace(0.1, 1, 1), epochs=9)
    assert other.params.dtype == other(data()[0]).dtype == np.float32


def test_lr_may_be_a_function_of_the_step():
    seen = []
    model, other = mlp(), mlp()
    fit(model, *data(), lr=lambda step: seen.append(step) or 0.1 / (1 + step), epochs=4)
    assert sorted(set(seen)) == [0, 1, 2, 3]
    for step in range(4):
        fit(other, *data(), lr=0.1 / (1 + step), epochs=1)
    assert max_difference(model.params, other.params) < 1e-12


@pytest.mark.parametrize("loss", LOSSES)
def test_divergence_shows_in_the_history_and_raises_nothing(loss):
    model = mlp(dtype="float32", activation=ReLU)
    x, y = data(loss)
    with np.errstate(all="raise"):
        history = fit(model, 1e4 * x, y, lr=1e9, epochs=200, loss=LOSSES[loss], every=7, weight_decay=0.1)
        model(x)
    assert 0 < history.diverged_at < 199
    assert history.step[-1] == history.diverged_at
    assert np.isfinite(model.params).all()
    assert not history.loss[-1] < history.loss[0]


# ---------------------------------------------------------------------------------------- many models


@DTYPES
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("loss", LOSSES)
def test_fit_many_equals_fit_of_each(loss, batch_size, dtype):
    rates = [0.003, 0.1, 1e9, 0.3]  # one of them diverges
    apart, together = ([mlp(seed, dtype=dtype, activation=ReLU) for seed in range(4)] for _ in range(2))
    x, y = data(loss)
    settings = dict(epochs=8, batch_size=batch_size, loss=LOSSES[loss], momentum=0.9, validation=(x, y))
    rngs = ([np.random.default_rng(seed) for seed in range(4)] for _ in range(2))
    expected = [
        fit(model, x, y, lr=lr, rng=rng, **settings)
        for model, lr, rng in zip(apart, rates, next(rngs), strict=True)
    ]
    histories = fit_many(together, x, y, lr=rates, rng=next(rngs), **settings)
    for a, b, one, other in zip(apart, together, expected, histories, strict=True):
        assert one.diverged_at == other.diverged_at
        assert one.step == other.step and one.epoch == other.epoch
        if one.diverged_at is None:
            assert max_difference(a.params, b.params) < 10 * CLOSE[dtype]
            assert max_difference(one.validation_loss, other.validation_loss) < 10 * CLOSE[dtype]
        assert one.accuracy == other.accuracy and len(one.loss) == len(other.loss)
    assert [i for i in (0, 1, 3) if histories[i].diverged_at is not None] == []
    assert loss != "mse" or histories[2].diverged_at < 8


def test_fit_many_in_groups_and_with_one_output():
    """More models than fit the cache are trained group by group."""
    x = np.random.default_rng(0).normal(size=(700, 2))
    y = (x[:, :1] > 0).astype(float)
    apart, together = ([mlp(s, (2, 60, 1)) for s in range(5)] for _ in range(2))
    settings = dict(lr=0.1, epochs=3, loss=binary_cross_entropy_with_logits)
    expected = [fit(model, x, y, **settings).loss for model in apart]
    assert max_difference([h.loss for h in fit_many(together, x, y, **settings)], expected) < 1e-12
    assert max_difference([m.params for m in together], [m.params for m in apart]) < 1e-12


def test_a_stack_can_be_trained_live():
    stack = Stack([mlp(0), mlp(1)])
    for histories in train(stack, *data(), lr=[0.1, 0.2], rng=[None, None], epochs=4):
        assert len({len(h.loss) for h in histories}) == 1
    assert stack.params.shape[0] == 2 and len(histories[0].loss) == 5


# ------------------------------------------------------------------------------------- options, errors


def test_options_of_a_loss_come_with_a_partial():
    smooth, (x, y) = functools.partial(cross_entropy, label_smoothing=0.2), data()
    models = [mlp(), mlp()]
    histories = [fit(m, x, y, lr=0.5, epochs=200, loss=f) for m, f in zip(models, (cross_entropy, smooth))]
    assert histories[1].loss[-1] > histories[0].loss[-1]
    assert np.abs(models[1](x)).max() < np.abs(models[0](x)).max()
    many = fit_many([mlp(), mlp()], x, y, lr=np.float32([0.5, 0.5]), epochs=200, loss=smooth)
    assert max_difference(many[0].loss, histories[1].loss) < 1e-10


X, Y = data()


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(x=X.tolist()), TypeError, "model: x is of type list; expected a numpy array"),
        (dict(x=X.astype(int)), TypeError, "model: x has dtype int64; expected a floating-point"),
        (dict(x=X[:, :1]), ValueError, r"linear: weight has shape \(16, 2\); expected \(O, D\)"),
        (dict(x=X[:, 0]), ValueError, r"Linear: x has shape \(2,\); expected \(N, 2\)"),
        (dict(x=np.where(X > 2, np.nan, X)), ValueError, "model: x holds NaN"),
        (dict(y=Y[:-1]), ValueError, r"cross_entropy: target has shape \(59,\)"),
        (dict(y=Y + 1), ValueError, "cross_entropy: target holds 3; expected class numbers"),
        (dict(y=None), TypeError, "cross_entropy: target is of type NoneType"),
        (dict(epochs=0), ValueError, "fit: epochs is 0; expected >= 1"),
        (dict(epochs=2.5), TypeError, "fit: epochs is 2.5 of type float; expected int"),
        (dict(batch_size=16), ValueError, "fit: rng is None; expected a Generator"),
        (
            dict(batch_size=-1, rng=np.random.default_rng(0)),
            ValueError,
            "fit: batch_size is -1; expected >= 1",
        ),
        (dict(rng=0), TypeError, "fit: rng is of type int; expected a random Generator"),
        (dict(lr=-0.1), ValueError, "sgd: lr is -0.1; expected >= 0"),
        (dict(lr="fast"), TypeError, "sgd: lr is 'fast' of type str; expected float"),
        (dict(momentum=-1), ValueError, "sgd: momentum is -1; expected >= 0"),
        (dict(maximize=True), NotImplementedError, "sgd: maximize=True is an option of torch's"),
        (dict(moment=0.9), TypeError, "sgd: got an unexpected keyword argument 'moment'"),
        (dict(validation=(X, Y[:5])), ValueError, r"cross_entropy: target has shape \(5,\)"),
        (dict(loss=tanh), TypeError, "tanh"),
    ],
)
def test_bad_arguments_are_named_before_training_starts(change, error, message):
    model = mlp()
    before = model.params.copy()
    arguments = {**dict(x=X, y=Y, lr=0.1, epochs=2), **change}
    with pytest.raises(error, match=message):
        train(model, arguments.pop("x"), arguments.pop("y"), **arguments)  # not even a first step
    np.testing.assert_array_equal(model.params, before)


def test_layers_and_models_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="dtypes float32, float64; expected one"):
        Sequential(Linear(2, 2, rng=rng), Linear(2, 2, rng=rng, dtype="float64"))
    with pytest.raises(ValueError, match="2 kinds"):
        fit_many([mlp(), mlp(activation=ReLU)], X, Y, lr=0.1, epochs=1)
    with pytest.raises(ValueError, match="BatchNorm1d cannot be stacked"):
        fit_many([Sequential(Linear(2, 3, rng=rng), BatchNorm1d(3))], X, Y, lr=0.1, epochs=1)
    with pytest.raises(TypeError, match="rng is one Generator; expected a list"):
        fit_many([mlp(), mlp()], X, Y, lr=0.1, epochs=1, batch_size=8, rng=rng)
    with pytest.raises(ValueError, match="2 models, 3 lr and 2 rng; expected one each"):
        fit_many([mlp(), mlp()], X, Y, lr=[0.1, 0.2, 0.3], epochs=1)
    weighted = functools.partial(cross_entropy, weight=np.ones(3))
    with pytest.raises(ValueError, match="rows that count alike"):
        fit_many([mlp()], X, Y, lr=0.1, epochs=1, loss=weighted)
    with pytest.raises(LookupError, match="has no absolute_backward"):

        def absolute(x, target):
            return np.abs(x - target[:, None]).mean()

        fit(mlp(), X, Y, lr=0.1, epochs=1, loss=absolute)


def test_layers_need_no_torch():
    code = "import sys, nnlib.layers; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_any_pair_is_a_layer():
    rng = np.random.default_rng(0)
    params = {"weight": rng.normal(size=(4, 3)), "bias": rng.normal(size=4)}
    layer = Layer(linear, linear_backward, params)
    x, grad = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 4))
    np.testing.assert_array_equal(layer.forward(x), linear(x, **params))
    expected = linear_backward(grad, x, **params)
    assert max_difference((layer.backward(grad), *layer.grads.values()), expected) == 0
    assert {f.__name__ for f in (relu, sigmoid, tanh)} == {la().f.__name__ for la in (ReLU, Sigmoid, Tanh)}


# ------------------------------------------------------------------------------------------- residual


def residual(dtype="float64", shortcut=False):
    rng = np.random.default_rng(3)
    block = [Linear(4, 6, rng=rng, dtype=dtype), BatchNorm1d(6, dtype=dtype), Tanh()]
    back = 5 if shortcut else 4
    around = Linear(4, 5, rng=rng, dtype=dtype) if shortcut else None
    return Residual(*block, Linear(6, back, rng=rng, dtype=dtype), shortcut=around)


@pytest.mark.parametrize("shortcut", [False, True])
def test_residual_is_the_block_plus_the_shortcut_and_its_backward_the_derivative(shortcut):
    layer = residual(shortcut=shortcut)
    model = Sequential(Linear(3, 4, rng=np.random.default_rng(0), dtype="float64"), layer)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(7, 3))
    hidden = model[0].forward(x).copy()
    inner = hidden
    for part in layer.layers:
        inner = part.forward(inner)
    around = layer.shortcut.forward(hidden) if shortcut else hidden
    np.testing.assert_allclose(model.forward(x), around + inner, rtol=1e-12)

    grad_output = rng.normal(size=around.shape)
    model.forward(x)
    grad_x = model.backward(grad_output).copy()
    grads = model.grads.copy()

    def value(params):
        model.params[...] = params
        return (model.forward(x) * grad_output).sum()

    start = model.params.copy()
    np.testing.assert_allclose(grads, numerical_gradient(value, start.copy()), atol=1e-7)
    model.params[...] = start
    by_x = numerical_gradient(lambda x: (model.forward(x) * grad_output).sum(), x)
    np.testing.assert_allclose(grad_x, by_x, atol=1e-7)


def test_residual_shares_its_parameters_with_the_model_and_copies_apart():
    model = Sequential(residual(), ReLU(), Linear(4, 3, rng=np.random.default_rng(2), dtype="float64"))
    assert model.params.size == sum(p.size for layer in model.layers for p in layer.params.values())
    model.params[...] = 0
    assert not model[0].layers[0].weight.any()
    twin = model.copy()
    twin.params[...] = 1
    assert not model.params.any() and twin[0].layers[0].weight.all()
    assert not model.eval()[0].layers[1].training and model.train()[0].layers[1].training


def test_residual_trains_and_refuses_a_block_that_changes_the_shape():
    rng = np.random.default_rng(0)
    model = Sequential(Linear(2, 4, rng=rng), residual("float32"), Linear(4, 3, rng=rng))
    x, y = data()
    history = fit(model, x, y, lr=0.1, epochs=100)
    assert history.loss[-1] < 0.9 * history.loss[0]
    wrong = Sequential(Residual(Linear(2, 3, rng=rng)))
    with pytest.raises(ValueError, match=r"the block turns \(2, 2\) into \(2, 3\)"):
        wrong(x)
