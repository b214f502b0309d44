"""Draws on which reference, twin and torch.nn.init must agree: given the same chance, the same weights."""

import numpy as np

from nnlib.core import Case

SHAPES = {"dense": (4, 7), "more outputs": (9, 3), "convolution": (6, 4, 3, 2), "sequence": (2, 3, 5)}
GAINS = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "sigmoid", "tanh", "relu", "leaky_relu", "selu",
)  # fmt: skip


def cases(rng):
    for nonlinearity in GAINS:
        yield Case("calculate_gain", dict(nonlinearity=nonlinearity, param=np.array(0.3)), nonlinearity)
    steep = dict(nonlinearity="leaky_relu", param=np.array(5**0.5))
    yield Case("calculate_gain", steep, "the slope of nn.Linear")

    for note, shape in SHAPES.items():
        u, z = rng.random(shape), rng.standard_normal(shape)
        yield Case("calculate_fan_in_and_fan_out", dict(tensor=z), note)
        for name in ("zeros", "ones"):
            yield Case(name, dict(tensor=z), note)
        yield Case("constant", dict(tensor=z, val=0.05), note)
        yield Case("uniform", dict(u=u, a=-0.3, b=1.7), note)
        yield Case("normal", dict(z=z, mean=0.5, std=0.02), note)
        yield Case("trunc_normal", dict(u=u), note)
        yield Case("trunc_normal", dict(u=u, mean=0.5, std=0.7, a=-0.2, b=1.5), f"{note}, not in the middle")
        for name, draws in (("uniform", {"u": u}), ("normal", {"z": z})):
            yield Case(f"lecun_{name}", draws, note)
            yield Case(f"xavier_{name}", draws, note)
            yield Case(f"xavier_{name}", draws | {"gain": 5 / 3}, f"{note}, gain for tanh")
            yield Case(f"kaiming_{name}", draws, note)
            options = dict(a=0.2, mode="fan_out", nonlinearity="leaky_relu")
            yield Case(f"kaiming_{name}", draws | options, f"{note}, backward, leaky")
            yield Case(f"kaiming_{name}", draws | {"a": 5**0.5}, f"{note}, as nn.Linear")
            yield Case(f"kaiming_{name}", draws | {"nonlinearity": "tanh"}, f"{note}, tanh")
        yield Case("orthogonal", dict(z=z, gain=2**0.5), note)

    z = rng.standard_normal((5, 5))
    yield Case("orthogonal", dict(z=z), "square")
    yield Case("orthogonal", dict(z=-np.abs(z)), "negative draws")
    yield Case("normal", dict(z=1000 * z), "large draws")
    yield Case("uniform", dict(u=np.array([0.0, 0.5])), "the ends of the range")
    yield Case("trunc_normal", dict(u=rng.random(50), std=0.02), "nothing cut off")
    yield Case("trunc_normal", dict(u=np.array([0.0, 0.5, 0.99]), a=1.0, b=2.0), "one tail")
    yield Case("eye", dict(tensor=z), "square")
    yield Case("eye", dict(tensor=z[:3]), "more inputs")
    yield Case("dirac", dict(tensor=rng.normal(size=(4, 3, 5))), "sequence")
    yield Case("dirac", dict(tensor=rng.normal(size=(6, 2, 3, 4)), groups=3), "images in groups")
    yield Case("dirac", dict(tensor=rng.normal(size=(4, 3, 2, 3, 2)), groups=2), "volumes")
    for note, sparsity in {"half": 0.5, "rounded up": 0.31, "all": 1.0, "none": 0.0}.items():
        order = rng.permuted(np.tile(np.arange(7)[:, None], 4), axis=0)
        z = rng.standard_normal((7, 4))
        yield Case("sparse", dict(z=z, order=order, sparsity=sparsity, std=0.3), note)

    for f in ("linear", "tanh", "relu"):
        x, weight = rng.normal(size=(5, 4)), rng.normal(size=(3, 4, 4)) / 2
        yield Case("signals", dict(x=x, weight=weight, nonlinearity=f), f)
        yield Case("lsuv", dict(x=x, weight=3 * weight, nonlinearity=f), f)
    yield Case("signals", dict(x=1000 * x, weight=weight, nonlinearity="tanh"), "saturated")
    yield Case("lsuv", dict(x=x, weight=1e-6 * weight), "tiny weights")

    for name, draws in (("uniform", {"u": rng.random((4, 7))}), ("normal", {"z": rng.normal(size=(4, 7))})):
        given = draws | dict(a=0.5, mode="fan_out", nonlinearity="relu")
        yield Case(f"kaiming_{name}", given, "backward, a relu, for which a does not count")
