"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case

# Functions of one array, written with the methods that Tensor, Dual and torch.Tensor share.


def two_paths(x):
    return (3 * x) * x**2


def softmax(x):
    e = (x - x.amax()).exp()
    return e / e.sum()


def neighbors(x):
    return x[1:] * x[:-1] - (x[1:] / 2).sigmoid()


def outer(x):
    return (x.reshape(-1, 1) @ x.reshape(1, -1)).tanh().reshape(-1)


def normalized(x):
    centered = x - x.mean(dim=-1, keepdim=True)
    return centered / ((centered * centered).sum(dim=-1, keepdim=True) + 1) ** 0.5


def gram(x):
    return ((x.T @ x).relu().transpose(0, 1) + 1).log()


def energy(x):
    return (-x * x).exp().sum() + (2 - x).mean()


def cubic(x):
    return x * x * x - 2 * x


def bump(x):
    return 1 / (1 + x * x)


def cases(rng):
    yield from elementwise(rng)
    yield from sums_and_products(rng)
    yield from moves(rng)
    yield from programs(rng)
    yield from graphs(rng)


def elementwise(rng):
    shapes = {"a number": (), "a row": (4,), "a stack": (2, 3, 4)}
    for note, shape in shapes.items():
        x, other = rng.normal(size=shape), rng.normal(size=shape)
        for name in ("add", "sub", "mul"):
            yield Case(name, dict(x=x, other=other), note)
        yield Case("div", dict(x=x, other=np.array(other + np.copysign(0.5, other))), note)
        yield Case("exp", dict(x=x), note)
        yield Case("log", dict(x=np.array(np.exp(x))), note)
        for exponent in (2, 3, 0.5, -1, 0):
            base = np.array(np.abs(x) + 0.5) if exponent == 0.5 else x
            yield Case("pow", dict(x=base, exponent=exponent), f"{note}, exponent {exponent}")
    extreme = np.array([-1000.0, -30.0, 0.0, 30.0])
    for name in ("add", "sub", "mul"):
        yield Case(name, dict(x=extreme, other=extreme[::-1].copy()), "extreme")
    yield Case("div", dict(x=extreme, other=np.array([1e3, -0.5, 7.0, -1e3])), "extreme")
    yield Case("exp", dict(x=np.array([-1000.0, -80.0, 0.0, 5.0])), "extreme")
    yield Case("log", dict(x=np.array([0.05, 1.0, 1e9])), "extreme")
    for exponent in (0, 1, 2):
        args = dict(x=np.array([-30.0, -1.0, 0.0, 30.0]), exponent=exponent)
        yield Case("pow", args, f"extreme, exponent {exponent}")


def sums_and_products(rng):
    shapes = {
        "matrices": ((2, 3), (3, 4)),
        "square": ((3, 3), (3, 3)),
        "stacks": ((2, 5, 4, 2), (2, 5, 2, 3)),
        "one row and one column": ((1, 4), (4, 1)),
    }
    for note, (left, right) in shapes.items():
        x, other = rng.normal(size=left), rng.normal(size=right)
        yield Case("matmul", dict(x=x, other=other), note)
    x = rng.normal(1, 3, size=(2, 3, 4))
    for name in ("sum", "mean", "amax"):
        yield Case(name, dict(x=x), "everything")
        yield Case(name, dict(x=x[0]), "of a matrix")
        yield Case(name, dict(x=x, dim=1), "one axis")
        yield Case(name, dict(x=x, dim=-1, keepdim=True), "last axis, kept")
        yield Case(name, dict(x=x, dim=(0, 2)), "two axes")
        yield Case(name, dict(x=np.array([1e3, -1e3, 1.0])), "extreme")
        yield Case(name, dict(x=np.array(0.3)), "a number")
    stack = rng.normal(size=(2, 3, 1, 2))
    for name in ("sum", "mean", "amax"):
        yield Case(name, dict(x=stack, dim=1, keepdim=True), "four axes, one kept")
        yield Case(name, dict(x=stack, dim=[0, 3]), "a list of axes")
        yield Case(name, dict(x=x, dim=()), "no axis named: everything")
    yield Case("amax", dict(x=np.array([[2.5, 1.0, 2.5], [0.1, 0.7, 0.3]]), dim=1), "a tie")


def moves(rng):
    row, column, matrix = rng.normal(size=3), rng.normal(size=(2, 1)), rng.normal(size=(2, 3))
    yield Case("broadcast_to", dict(x=np.array(0.7), size=(2, 3)), "a number to a matrix")
    yield Case("broadcast_to", dict(x=row, size=(4, 3)), "a row to four rows")
    yield Case("broadcast_to", dict(x=column, size=(2, 3)), "a column to three columns")
    yield Case("broadcast_to", dict(x=rng.normal(size=(1, 3)), size=(4, 3)), "one row to four rows")
    yield Case("broadcast_to", dict(x=column, size=(4, 2, 3)), "a column to four matrices")
    yield Case("broadcast_to", dict(x=matrix, size=(2, 3)), "nothing to do")
    for note, shape in {"one row": (6,), "found": (-1, 2), "a stack": (1, 3, 2)}.items():
        yield Case("reshape", dict(x=matrix, shape=shape), note)
    yield Case("reshape", dict(x=np.array([[0.4]]), shape=()), "to a number")
    yield Case("transpose", dict(x=matrix, dim0=0, dim1=1), "a matrix")
    yield Case("transpose", dict(x=rng.normal(size=(2, 3, 4)), dim0=-1, dim1=0), "a stack")
    picked = {
        "a row": (1,),
        "a block": (slice(None), slice(1, 3)),
        "every second row": (slice(0, 4, 2),),
        "one number": (2, 1),
        "rows, one of them twice": (np.array([0, 3, 0]),),
        "one of each row": (np.arange(4), np.array([2, 0, 1, 1])),
        "columns, one of them twice": (slice(None), np.array([2, 0, 2])),
        "some of a column": (np.array([3, 1]), 1),
        "a list of rows": ([3, 1],),
    }
    x = rng.normal(size=(4, 3))
    for note, index in picked.items():
        yield Case("getitem", dict(x=x, index=index), note)


def programs(rng):
    row, matrix = rng.normal(size=4), rng.normal(size=(2, 3))
    outputs = {two_paths: (4,), softmax: (4,), neighbors: (3,), outer: (16,), energy: (), normalized: (4,)}
    for f, shape in outputs.items():
        yield Case("jvp", dict(f=f, x=row, tangent=rng.normal(size=4)), f.__name__)
        yield Case("vjp", dict(f=f, x=row, grad_output=np.array(rng.normal(size=shape))), f.__name__)
        if shape:
            yield Case("jacfwd", dict(f=f, x=row), f.__name__)
            yield Case("jacrev", dict(f=f, x=row), f.__name__)
    for f, shape in {normalized: (2, 3), gram: (3, 3), energy: ()}.items():
        yield Case("jvp", dict(f=f, x=matrix, tangent=rng.normal(size=(2, 3))), f"{f.__name__} of a matrix")
        grad_output = np.array(rng.normal(size=shape))
        yield Case("vjp", dict(f=f, x=matrix, grad_output=grad_output), f"{f.__name__} of a matrix")


def graphs(rng):
    x = 2.0  # f = (3x) * x**2: nodes x, 3x, x**2, f
    product = np.zeros((4, 4))
    product[0, 1], product[0, 2], product[1, 3], product[2, 3] = 3, 2 * x, x**2, 3 * x
    chain = np.diag(rng.normal(size=4), k=1)
    sparse = np.triu(rng.normal(size=(7, 7)) * (rng.random((7, 7)) < 0.6), k=1)
    dense = np.triu(rng.normal(size=(6, 6)), k=1)
    found = {"(3x)(x²) at 2": product, "a chain": chain, "some edges": sparse, "all edges": dense}
    for note, local in found.items():
        yield Case("forward_sweep", dict(local=local), note)
        yield Case("reverse_sweep", dict(local=local), note)
    for scheme in ("forward", "central", "complex"):
        for f in (cubic, bump):
            x, h = rng.normal(size=(2, 3)), 0.125
            yield Case("finite_difference", dict(f=f, x=x, h=h, scheme=scheme), f"{f.__name__}, {scheme}")
    yield Case("finite_difference", dict(f=bump, x=np.array([-30.0, 0.0, 30.0]), h=0.5), "far out")
