"""The layers compute what their pairs compute, whatever comes before: buffers are filled anew."""

import numpy as np
import pytest
import torch

from nnlib import core, layers
from nnlib.convolution import in_numpy
from nnlib.layers import (
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Linear,
    MaxPool2d,
    Pad2d,
    ReLU,
    Residual,
    Sequential,
    fit,
)

CONV = [c for c in core.cases("convolution.conv2d") if "bias" in c.args]
POOL = core.cases("convolution.max_pool2d")


def conv_layer(args, dtype):
    weight, settings = args["weight"], {k: v for k, v in args.items() if k not in ("x", "weight", "bias")}
    groups = settings.get("groups", 1)
    shape = weight.shape[1] * groups, len(weight), weight.shape[2:]
    layer = Conv2d(*shape, **settings, bias="bias" in args, rng=np.random.default_rng(0), dtype=dtype)
    for name in layer.params:
        layer.params[name][...] = args[name]
    return layer


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CONV, ids=str)
def test_the_fast_convolution_is_the_reference(case, dtype):
    args = case.cast(dtype)
    layer = conv_layer(args, dtype)
    rng = np.random.default_rng(1)
    for _ in range(2):  # the second time in buffers that hold the first's numbers
        x = rng.normal(size=args["x"].shape).astype(dtype)
        call = {**args, "x": x}
        y = in_numpy.conv2d(**call)
        g = core.grad_outputs(y)
        assert core.max_difference(layer.forward(x), y) < core.tolerance(dtype)
        grad_x = layer.backward(g)
        expected = in_numpy.conv2d_backward(g, **call)
        assert core.max_difference((grad_x, *layer.grads.values()), expected) < core.tolerance(dtype)
        assert layer.backward(g, want_input=False) is None


@pytest.mark.parametrize("case", POOL, ids=str)
def test_the_fast_pooling_is_the_reference(case):
    args = case.cast("float64")
    x = args.pop("x")
    layer = MaxPool2d(**args)
    for at in (x, x[:, :, ::-1].copy()):
        y = in_numpy.max_pool2d(at, **args)
        g = core.grad_outputs(y)
        np.testing.assert_array_equal(layer.forward(at), y)
        np.testing.assert_array_equal(layer.backward(g), in_numpy.max_pool2d_backward(g, at, **args))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_a_margin_in_front_is_torchs_padding_mode(mode):
    rng = np.random.default_rng(0)
    model = Sequential(Pad2d((2, 2, 1, 1), mode), Conv2d(3, 4, 3, stride=2, rng=rng, dtype=np.float64))
    named = "zeros" if mode == "constant" else mode
    theirs = torch.nn.Conv2d(3, 4, 3, stride=2, padding=(1, 2), padding_mode=named).double()
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            value.copy_(torch.from_numpy(model[1].params[name]))
    x = torch.from_numpy(rng.normal(size=(2, 3, 6, 5))).requires_grad_()
    y = theirs(x)
    g = rng.normal(size=y.shape)
    y.backward(torch.from_numpy(g))
    np.testing.assert_allclose(model(x.detach().numpy()), y.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(model.backward(g), x.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(model[1].grads["weight"], theirs.weight.grad.numpy(), atol=1e-12)


def test_most_pooling_goes_the_quick_way():
    assert MaxPool2d(2).quick and MaxPool2d((2, 2), stride=2).quick
    assert not any(p.quick for p in (MaxPool2d(3), MaxPool2d(2, 1), MaxPool2d(2, ceil_mode=True)))


def test_each_layer_starts_as_torch_does():
    for ours, theirs in (
        (
            Conv2d(4, 64, (3, 2), groups=2, rng=np.random.default_rng(0)),
            torch.nn.Conv2d(4, 64, (3, 2), groups=2),
        ),
        (
            layers.ConvTranspose2d(6, 64, 3, groups=2, rng=np.random.default_rng(0)),
            torch.nn.ConvTranspose2d(6, 64, 3, groups=2),
        ),
    ):
        for name, p in theirs.named_parameters():
            mine = ours.params[name]
            assert mine.shape == p.shape
            assert np.abs(mine).max() == pytest.approx(p.abs().max().item(), rel=0.05)


def small(rng, dtype=np.float64):
    block = Residual(Conv2d(4, 4, 3, padding=1, rng=rng, dtype=dtype), ReLU())
    return Sequential(
        Conv2d(1, 4, 3, padding=1, rng=rng, dtype=dtype),
        ReLU(),
        MaxPool2d(2),
        block,
        layers.AvgPool2d(2),
        Flatten(),
        Linear(16, 3, rng=rng, dtype=dtype),
    )


def test_a_network_of_them_has_the_gradient_of_differences():
    rng = np.random.default_rng(0)
    model, x, g = small(rng), rng.normal(size=(2, 1, 8, 8)), rng.normal(size=(2, 3))
    model.forward(x)
    grad_x = model.backward(g)
    grads, start = model.grads.copy(), model.params.copy()

    def loss(params):
        model.params[...] = params
        return (g * model.forward(x)).sum()

    assert core.max_difference(grads, core.numerical_gradient(loss, start)) < 1e-6
    model.params[...] = start
    slopes = core.numerical_gradient(lambda at: (g * model.forward(at)).sum(), x)
    assert core.max_difference(grad_x, slopes) < 1e-6


def test_a_copy_shares_nothing_and_batches_may_change_their_size():
    rng = np.random.default_rng(0)
    model, x = small(rng, np.float32), rng.normal(size=(50, 1, 8, 8)).astype(np.float32)
    twin, before = model.copy(), model(x)
    history = fit(twin, x, rng.integers(0, 3, 50), lr=0.1, epochs=2, batch_size=16, rng=rng)
    assert history.diverged_at is None
    np.testing.assert_array_equal(model(x), before)
    assert not np.array_equal(twin(x), before)
    np.testing.assert_allclose(twin(x)[:3], twin(x[:3]), atol=1e-6)


def test_what_does_not_fit_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="groups is 2; expected a divisor of 3"):
        Conv2d(3, 4, 3, groups=2, rng=rng)
    with pytest.raises(ValueError, match="groups is 0; expected a divisor"):
        Conv2d(3, 4, 3, groups=0, rng=rng)
    model = Sequential(Conv2d(1, 4, 3, rng=rng))
    with pytest.raises(ValueError, match="conv2d: x has 2 channels; expected"):
        model(np.ones((1, 2, 8, 8)))
    with pytest.raises(ValueError, match="conv2d: x has shape"):
        model(np.ones((1, 64)))


def test_groups_that_do_not_divide_the_channels_are_refused():
    for kind in (Conv2d, ConvTranspose2d):
        for channels in ((4, 6), (6, 4)):
            with pytest.raises(ValueError, match=f"{kind.__name__}: groups is 4; expected a divisor"):
                kind(*channels, 3, groups=4, bias=False, rng=np.random.default_rng(0))


def test_a_residual_block_takes_pictures_of_two_sizes_that_lead_to_one():
    rng = np.random.default_rng(0)
    block = Residual(
        Conv2d(1, 2, 3, stride=2, padding=1, rng=rng), shortcut=Conv2d(1, 2, 1, stride=2, rng=rng)
    )
    for size in (8, 7, 8):
        x = rng.normal(size=(2, 1, size, size)).astype(np.float32)
        y = block.forward(x)
        assert y.shape == (2, 2, 4, 4) and block.backward(np.ones_like(y)).shape == x.shape
