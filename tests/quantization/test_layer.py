"""A layer with rounded weights: torch's fake quantization and autograd say the same."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nnlib.layers import Conv2d, ConvTranspose2d, FakeQuantized, Flatten, Linear, ReLU, Sequential, fit


def fake(weight, bits):
    most = 2 ** (bits - 1) - 1
    scale = weight.detach().flatten(1).abs().amax(1) / most
    zero = torch.zeros(len(weight), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -most, most)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_forward_and_backward_are_torch_s(bits):
    rng = np.random.default_rng(0)
    model = Sequential(
        FakeQuantized(Conv2d(2, 3, 3, rng=rng), bits),
        ReLU(),
        Flatten(),
        FakeQuantized(Linear(48, 4, rng=rng), bits),
    )
    x, g = rng.normal(size=(5, 2, 6, 6)).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32)
    y, grad_x = model.forward(x).copy(), model.backward(g)
    first, last = model[0], model[3]
    w1, b1, w2, b2 = weights = [
        torch.tensor(layer.params[name], requires_grad=True)
        for layer in (first, last)
        for name in ("weight", "bias")
    ]
    x_t = torch.from_numpy(x).requires_grad_()
    expected = F.linear(F.conv2d(x_t, fake(w1, bits), b1).relu().flatten(1), fake(w2, bits), b2)
    expected.backward(torch.from_numpy(g))
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(grad_x, x_t.grad.numpy(), atol=1e-5)
    mine = [layer.grads[name] for layer in (first, last) for name in ("weight", "bias")]
    for grad, tensor in zip(mine, weights):
        np.testing.assert_allclose(grad, tensor.grad.numpy(), atol=2e-5)


def test_training_moves_the_exact_weights_and_a_copy_is_free():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    model = Sequential(FakeQuantized(Linear(3, 2, rng=rng), bits=2))
    copy, before = model.copy(), model(x)
    history = fit(model, x, y, lr=0.5, epochs=30)
    assert history.loss[-1] < 0.7 * history.loss[0]
    assert len(np.unique(np.abs(model[0].rounded()[0]))) <= 2 < len(np.unique(model[0].params["weight"]))
    np.testing.assert_array_equal(copy(x), before)


def test_bits_may_come_from_an_array():
    layer = FakeQuantized(Linear(2, 2, rng=np.random.default_rng(0)), bits=np.arange(3, 9)[-1])
    assert layer.most == 127


def test_what_cannot_be_rounded_is_refused():
    with pytest.raises(ValueError, match="ReLU has no weight"):
        FakeQuantized(ReLU())
    with pytest.raises(ValueError, match="a ConvTranspose2d came"):  # its axis 0 holds the inputs
        FakeQuantized(ConvTranspose2d(2, 3, 3, rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="bits is 1; expected an int from 2 to 16"):
        FakeQuantized(Linear(2, 2, rng=np.random.default_rng(0)), bits=1)
