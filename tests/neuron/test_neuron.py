"""What notebook 01 rests on and no single case shows."""

import numpy as np
import torch

from nnlib.explorer import explore
from nnlib.neuron import in_numpy, in_torch
from nnlib.neuron.explorers import KINDS


def test_a_target_out_of_an_array_of_integers_leaves_float32_alone():
    x, targets = np.ones((3, 2), np.float32), np.array([1, 0, 1])
    weight, bias = np.zeros(2, np.float32), np.float32(0)
    for sample, target in zip(x, targets):
        weight, bias = in_numpy.perceptron_update(sample, target, weight, bias)
    assert weight.dtype == bias.dtype == np.float32


def test_the_bias_may_be_a_plain_number():
    x, target, weight = np.ones((3, 2)), np.array([1.0, -1.0, 1.0]), np.array([0.5, -2.0])
    twin = in_torch.adaline_update(*map(torch.from_numpy, (x, target, weight)), 0.25)
    for own, theirs in zip(in_numpy.adaline_update(x, target, weight, 0.25), twin):
        np.testing.assert_allclose(own, theirs)


def test_no_count_of_errors_leaves_the_picture():
    rule = explore("neuron.rule")
    rule.update()
    top = rule._canvas.artists["errors"].axes.get_ylim()[1]
    for kind in KINDS:
        for seed in range(20):
            rule.update(data=kind, updates=100, gap=-0.3, seed=seed)
            assert max(rule.result["history"]) <= top == len(rule.result["y"])
