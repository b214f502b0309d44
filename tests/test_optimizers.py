"""Optimizers: a whole trajectory is torch's, not only a step."""

from itertools import product

import numpy as np
import pytest
import torch

from nnlib.optimizers.in_numpy import sgd
from nnlib.optimizers.in_torch import sgd as sgd_twin

SETTINGS = [
    dict(momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
    for momentum, dampening, weight_decay, nesterov in product((0, 0.9), (0, 0.3), (0, 0.1), (False, True))
    if not nesterov or (momentum and not dampening)
]


@pytest.mark.parametrize(
    "settings", SETTINGS, ids=lambda s: "-".join(k for k, v in s.items() if v) or "plain"
)
def test_200_steps_are_those_of_torch(settings):
    """On a ravine with noise: f(p) = sum(curvature * p**2) / 2, with a learning rate that falls."""
    rng = np.random.default_rng(0)
    curvature, noise = np.geomspace(0.1, 10, 6), rng.normal(size=(200, 6))
    start = rng.normal(size=6)
    ours, theirs = start.copy(), torch.tensor(start, requires_grad=True)
    twin = torch.tensor(start)
    optimizer = torch.optim.SGD([theirs], lr=0.1, **settings)
    state, twin_state = (), ()
    for step in range(200):
        lr = 0.1 / (1 + step / 50)
        ours, *state = sgd(ours, curvature * ours + noise[step], *state, lr=lr, **settings)
        grad = torch.from_numpy(curvature) * twin + torch.from_numpy(noise[step])
        twin, *twin_state = sgd_twin(twin, grad, *twin_state, lr=lr, **settings)
        theirs.grad = torch.from_numpy(curvature) * theirs.detach() + torch.from_numpy(noise[step])
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(ours, twin.numpy(), rtol=0, atol=1e-12)
    assert np.abs(ours - start).max() > 0.1


@pytest.mark.parametrize("version", [sgd, sgd_twin])
@pytest.mark.parametrize("settings", [dict(nesterov=True), dict(nesterov=True, momentum=0.9, dampening=0.1)])
def test_nesterov_needs_momentum_and_no_dampening(version, settings):
    zeros = np.zeros(3) if version is sgd else torch.zeros(3)
    with pytest.raises(ValueError, match="nesterov needs momentum > 0, dampening 0"):
        version(zeros, zeros, **settings)
    with pytest.raises(ValueError, match="Nesterov"):
        torch.optim.SGD([torch.zeros(3)], lr=0.1, **settings)


def test_the_state_is_the_callers_to_keep():
    """The first buffer is a copy: a training loop may fill the same gradient array again."""
    grad = np.ones(3)
    _, buffer = sgd(np.zeros(3), grad, momentum=0.9)
    grad[...] = 5
    np.testing.assert_array_equal(buffer, 1)
