"""Laws of convolution and pooling, and torch's own operations for whatever settings hypothesis thinks of."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlib import core
from nnlib.convolution import explorers, in_numpy, in_torch
from nnlib.convolution.experiments import placed
from nnlib.data import digits

pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
margin = st.tuples(st.integers(0, 2), st.integers(0, 2))
size = st.tuples(st.integers(4, 8), st.integers(4, 8))


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def agree_with_torch(operation, f, backward, arrays, **options):
    """Values and gradients of every array equal torch's."""
    tensors = [torch.from_numpy(a).requires_grad_() for a in arrays]
    theirs, mine = operation(*tensors, **options), f(*arrays, **options)
    assert core.max_difference(mine, theirs.detach().numpy()) < 1e-11
    g = core.grad_outputs(mine)
    theirs.backward(torch.from_numpy(g))
    grads = core.as_tuple(backward(g, *arrays, **options))
    assert core.max_difference(grads, tuple(t.grad.numpy() for t in tensors)) < 1e-11


@settings(max_examples=12)
@given(size, pair, pair, margin, pair, st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))
def test_convolution_is_torchs_whatever_the_settings(hw, kernel, stride, padding, dilation, groups, i, o):
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    assume(all(n + 2 * p >= r for n, p, r in zip(hw, padding, reach)))
    arrays = drawn(0, 2, i * groups, *hw), drawn(1, o * groups, i, *kernel), drawn(2, o * groups)
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    agree_with_torch(F.conv2d, in_numpy.conv2d, in_numpy.conv2d_backward, arrays, **options)


@settings(max_examples=12)
@given(size, pair, pair, margin, pair, st.integers(1, 3), margin)
def test_transposed_convolution_is_torchs(hw, kernel, stride, padding, dilation, groups, extra):
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for n, k, s, p, d, e in zip(hw, kernel, stride, padding, dilation, extra)
    ]
    assume(min(sizes) > 0 and all(e < max(s, d) for e, s, d in zip(extra, stride, dilation)))
    arrays = drawn(0, 2, 2 * groups, *hw), drawn(1, 2 * groups, 2, *kernel), drawn(2, 2 * groups)
    options = dict(stride=stride, padding=padding, output_padding=extra, groups=groups, dilation=dilation)
    f, backward = in_numpy.conv_transpose2d, in_numpy.conv_transpose2d_backward
    agree_with_torch(F.conv_transpose2d, f, backward, arrays, **options)


@settings(max_examples=20)
@given(size, pair, st.none() | pair, margin, pair, st.booleans(), st.booleans())
def test_pooling_is_torchs_ties_included(hw, kernel, stride, padding, dilation, ceil_mode, count_include_pad):
    assume(all(2 * p <= k for p, k in zip(padding, kernel)))
    options = dict(stride=stride, padding=padding, ceil_mode=ceil_mode)
    x = np.random.default_rng(0).integers(0, 3, size=(1, 2, *hw)).astype(float)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if all(n + 2 * p >= r for n, p, r in zip(hw, padding, reach)):
        f, backward = in_numpy.max_pool2d, in_numpy.max_pool2d_backward
        agree_with_torch(F.max_pool2d, f, backward, (x,), kernel_size=kernel, dilation=dilation, **options)
    options |= dict(count_include_pad=count_include_pad)
    agree_with_torch(
        F.avg_pool2d, in_numpy.avg_pool2d, in_numpy.avg_pool2d_backward, (x,), kernel_size=kernel, **options
    )


@settings(max_examples=5)
@given(size, st.integers(-2, 2), st.integers(-2, 2))
def test_a_convolution_moves_with_its_input(hw, down, right):
    x = np.pad(drawn(0, 1, 2, *hw), [(0, 0), (0, 0), (4, 4), (4, 4)])
    weight, bias = drawn(1, 3, 2, 3, 3), drawn(2, 3)
    moved = np.roll(x, (down, right), axis=(2, 3))
    y = np.roll(in_numpy.conv2d(x, weight, bias), (down, right), axis=(2, 3))
    np.testing.assert_allclose(in_numpy.conv2d(moved, weight, bias), y, atol=1e-12)


@settings(max_examples=5)
@given(size, pair, pair, margin)
def test_unfold_and_fold_are_transposes(hw, kernel, stride, padding):
    options = dict(kernel_size=kernel, stride=stride, padding=padding)
    x = drawn(0, 2, 2, *hw)
    columns = in_numpy.unfold(x, **options)
    g = drawn(1, *columns.shape)
    assert np.isclose((columns * g).sum(), (x * in_numpy.fold(g, hw, **options)).sum())


def test_the_receptive_field_is_where_a_gradient_arrives():
    layers = [(3, 2, 1), (3, 1, 2), (2, 2, 1), (3, 1, 1)]
    x = np.zeros((1, 1, 1, 80))
    steps = [x[:, :, 0]]
    for k, s, d in layers:
        steps.append(in_numpy.conv1d(steps[-1], np.ones((1, 1, k)), stride=s, dilation=d))
    g = np.zeros_like(steps[-1])
    g[..., g.shape[-1] // 2] = 1
    for (k, s, d), x in zip(layers[::-1], steps[-2::-1]):
        g, _ = in_numpy.conv1d_backward(g, x, np.ones((1, 1, k)), stride=s, dilation=d)
    reached = np.flatnonzero(g[0, 0])
    field = in_numpy.receptive_field(*np.array(layers).T)
    assert field == reached[-1] - reached[0] + 1 == in_torch.receptive_field(*torch.tensor(layers).T)


def test_what_does_not_fit_is_named():
    x, weight = np.ones((1, 4, 5, 5)), np.ones((6, 2, 3, 3))
    for call, message in (
        (lambda: in_numpy.conv2d(x, weight), r"conv2d: x has 4 channels; expected I \* groups = 2 \* 1"),
        (lambda: in_numpy.conv2d(x, weight[:3], groups=2), "groups is 2; expected a divisor of O = 3"),
        (lambda: in_numpy.conv2d(x, weight, groups=2, dilation=3), "x has 5 along an axis, .* at least 7"),
        (lambda: in_numpy.conv2d(x, weight, padding="same", groups=2, stride=2), "expected stride 1"),
        (lambda: in_numpy.conv2d(x, weight, padding=(1, 1, 1), groups=2), "expected an int or a pair"),
        (lambda: in_numpy.conv2d(x, weight, padding="full", groups=2), "padding is 'full'; expected int or"),
        (lambda: in_numpy.max_pool2d(x, 2, padding=2), "padding is 2; expected at most half"),
        (lambda: in_numpy.pad(x, (1, 1), "reflect"), "expected 4 ints for mode 'reflect'"),
        (lambda: in_numpy.pad(x, (5, 1, 0, 0), "reflect"), "expected at most 4 for an axis of 5"),
        (lambda: in_numpy.pad(x, (1, 1, 1)), "expected two ints >= 0"),
        (lambda: in_numpy.pad(x, 1), "expected a tuple of ints"),
        (lambda: in_numpy.fold(np.ones((1, 7, 4)), 3, 2), r"x has 7 rows; expected a multiple of 2 \* 2"),
        (lambda: in_numpy.fold(np.ones((1, 4, 5)), 3, 2), r"x has 5 columns; expected 2 \* 2 windows"),
        (lambda: in_numpy.conv_transpose2d(x, np.ones((4, 1, 2, 2)), output_padding=1), "expected less than"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call()


def test_the_twin_takes_the_numbers_of_numpy():
    x, two = torch.ones(1, 1, 5, 5), np.int64(2)
    for y in (in_torch.max_pool2d(x, two), in_torch.avg_pool2d(x, 2, stride=two)):
        assert y.shape == (1, 1, 2, 2)
    assert in_torch.pad(x, (two, two)).shape == (1, 1, 5, 9)
    with pytest.raises(TypeError, match="expected a tuple of ints"):
        in_torch.pad(x, (True, True))


def test_the_padding_modes_of_torchs_layer():
    x = drawn(0, 2, 3, 5, 6)
    for ours, theirs in (("reflect",) * 2, ("replicate",) * 2, ("circular",) * 2, ("constant", "zeros")):
        layer = torch.nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode=theirs).double()
        weight, bias = (p.detach().numpy() for p in layer.parameters())
        y = in_numpy.conv2d(in_numpy.pad(x, (2, 2, 1, 1), ours), weight, bias)
        np.testing.assert_allclose(y, layer(torch.from_numpy(x)).detach().numpy(), atol=1e-12)


def test_lenet_of_the_papers_size():
    net = in_torch.LeNet()
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert [m.weight.shape[0] for m in net if hasattr(m, "weight")] == [6, 16, 120, 84, 10]


def test_placed_digits_keep_their_ink():
    x = digits().x_test[:20]
    pictures = placed(x, np.random.default_rng(0))
    assert pictures.shape == (20, 1, 12, 12)
    np.testing.assert_allclose(pictures.sum(axis=(1, 2, 3)), x.sum(axis=1))


@pytest.mark.slow
def test_the_readers_of_the_explorer_read():
    x, y = digits(np.float32)[2:]
    middle = np.pad(x.reshape(-1, 1, 8, 8), [(0, 0), (0, 0), (2, 2), (2, 2)])
    for net in explorers.readers().values():
        assert (net(middle).argmax(axis=1) == y).mean() > 0.9
