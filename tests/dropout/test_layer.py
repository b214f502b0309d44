"""The Dropout layer equals its pair, keeps its own generator, and in a stack every model trains as alone."""

import copy

import numpy as np
import pytest
import torch

from nnlib.core import max_difference, numerical_gradient
from nnlib.dropout.in_numpy import dropout, dropout_backward
from nnlib.layers import Dropout, Linear, ReLU, Sequential, Stack, Tanh, fit, fit_many
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam


def net(p=0.5, seed=0, dtype="float64", inputs=0.0):
    rng = np.random.default_rng(seed)
    first = [Dropout(inputs, rng=rng)] if inputs else []
    hidden = (
        Linear(4, 8, rng=rng, dtype=dtype),
        Tanh(),
        Dropout(p, rng=rng),
        Linear(8, 8, rng=rng, dtype=dtype),
    )
    return Sequential(*first, *hidden, ReLU(), Dropout(p, rng=rng), Linear(8, 3, rng=rng, dtype=dtype))


def data(n=30):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_layer_equals_its_pair(p, dtype):
    layer, rng = Dropout(p, rng=np.random.default_rng(0)), np.random.default_rng(1)
    for rows in (5, 5, 7):  # buffers are used again, and made anew
        x, grad = (rng.normal(size=(rows, 4)).astype(dtype) for _ in range(2))
        y, grad_x = layer.forward(x).copy(), layer.backward(grad)
        mask = layer.factor > 0 if p else np.ones(x.shape, bool)
        assert y.dtype == grad_x.dtype == dtype
        assert max_difference(y, dropout(x, mask, p)) < 1e-6
        assert max_difference(grad_x, dropout_backward(grad, x, mask, p)[0]) < 1e-6
        layer.training = False
        assert layer.forward(x) is x and layer.backward(grad) is grad
        layer.training = True


def test_every_step_of_training_has_a_mask_of_its_own():
    model, (x, _) = net().train(), data()
    first, second = model.forward(x).copy(), model.forward(x).copy()
    assert (first != second).any()
    assert max_difference(model.eval().forward(x).copy(), model.forward(x)) == 0
    hidden = [layer for layer in model.train().layers if isinstance(layer, Dropout)]
    model.forward(x)
    assert (hidden[0].factor != hidden[1].factor).any()


def test_weights_and_batches_are_those_without_dropout():
    """The layer draws from a generator of its own, so that two runs differ in the masks alone."""
    assert max_difference(net(p=0.0).params, net(p=0.5).params) == 0
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    Dropout(0.5, rng=a).forward(np.ones((5, 5)))
    assert a.random() == b.random()


def test_a_copy_goes_on_alone_and_alike():
    model, (x, _) = net().train(), data()
    twin, deep = model.copy().train(), copy.deepcopy(model).train()
    expected = model.forward(x).copy()
    for other in (twin, deep):
        assert max_difference(other.forward(x), expected) == 0
    twin.forward(x)  # draws that the other does not see
    assert max_difference(deep.forward(x), model.forward(x)) == 0


def test_the_gradient_is_the_central_difference_for_the_same_masks():
    model, (x, _) = net(p=0.4, inputs=0.2).train(), data()
    target, kept = np.random.default_rng(2).normal(size=(30, 3)), model.params.copy()
    rngs = [copy.deepcopy(layer.rng) for layer in model.layers if isinstance(layer, Dropout)]

    def outputs(params):
        dropouts = [layer for layer in model.layers if isinstance(layer, Dropout)]
        for layer, rng in zip(dropouts, rngs):
            layer.rng = copy.deepcopy(rng)
        model.params[...] = params
        return model.forward(x)

    model.backward(2 * (outputs(kept) - target) / target.size)
    numerical = numerical_gradient(lambda params: float(mse_loss(outputs(params), target)), kept)
    assert max_difference(model.grads, numerical) < 1e-7


@pytest.mark.parametrize("inputs", [0.0, 0.2])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_models_of_a_stack_train_as_alone(batch_size, inputs):
    """One generator per model, and even a p per model."""
    (x, y), ps = data(), (0.0, 0.3, 0.8)
    alone, together = ([net(p, seed, inputs=inputs) for seed, p in enumerate(ps)] for _ in range(2))

    def rngs():
        return [np.random.default_rng(10 + i) for i in range(3)] if batch_size else [None] * 3

    settings = dict(epochs=4, batch_size=batch_size, optimizer=adam, validation=(x, y))
    single = [fit(model, x, y, lr=0.05, rng=rng, **settings) for model, rng in zip(alone, rngs())]
    many = fit_many(together, x, y, lr=0.05, rng=rngs() if batch_size else None, **settings)
    for a, b, h, g in zip(alone, together, single, many):
        assert max_difference(b.params, a.params) < 1e-12
        assert max_difference(g.loss, h.loss) < 1e-12
        assert g.validation_accuracy == h.validation_accuracy
        a.train(), b.train()
        assert max_difference(b.forward(x), a.forward(x)) < 1e-12  # the generators have come as far
    assert (together[0].params != together[1].params).any()


def test_layers_share_no_masks_in_a_stack():
    stack = Stack([net(0.5, seed) for seed in range(2)])
    stack.train().forward(np.ones((2, 30, 4)))
    first, second = (layer.factor for layer in stack.layers if isinstance(layer, Dropout))
    assert (first[0] != first[1]).any() and (first[0] != second[0]).any()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "half", True])
def test_a_p_that_is_no_probability_is_refused(p):
    with pytest.raises((TypeError, ValueError), match=r"dropout: p .*expected"):
        Dropout(p, rng=np.random.default_rng(0))


def test_one_training_step_equals_torchs_with_the_same_mask():
    model, (x, y) = net(p=0.5).train(), data()
    twin = [torch.from_numpy(p.copy()).requires_grad_() for la in model.layers for p in la.params.values()]
    fit(model, x, y, lr=0.1, epochs=1)
    masks = [torch.from_numpy(la.factor) for la in model.layers if isinstance(la, Dropout)]
    h = torch.tanh(torch.nn.functional.linear(torch.from_numpy(x), *twin[:2])) * masks[0]
    h = torch.relu(torch.nn.functional.linear(h, *twin[2:4])) * masks[1]
    torch.nn.functional.cross_entropy(
        torch.nn.functional.linear(h, *twin[4:]), torch.from_numpy(y)
    ).backward()
    stepped = torch.cat([(p - 0.1 * p.grad).detach().ravel() for p in twin])
    assert max_difference(model.params, stepped) < 1e-12
