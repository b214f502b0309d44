"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def cases(rng):
    yield from _penalties(rng)
    yield from _steps(rng)
    yield from _warps(rng)
    yield from _mixes(rng)

    x, y = rng.normal(size=(12, 4)), rng.normal(size=(12, 2))
    yield Case("ridge", dict(x=x, y=y, l2=0.1), "more rows than weights")
    yield Case("ridge", dict(x=x[:3], y=y[:3], l2=0.5), "fewer rows than weights")
    yield Case("ridge", dict(x=x, y=y, l2=1e3), "strong")
    for n, k in ((10, 5), (11, 4), (7, 7), (2, 2)):
        yield Case("k_fold", dict(permutation=rng.permutation(n), k=k), f"{n} rows, {k} folds")
    predictions = rng.normal(2, 3, size=(6, 9))
    yield Case("bias_variance", dict(predictions=predictions, target=rng.normal(size=9)), "six models")
    yield Case("bias_variance", dict(predictions=predictions[:1], target=rng.normal(size=9)), "one model")
    far = np.array([[[[-900.0, 0.1], [0.1, -900.0]], [[-1e6, 1e6], [0.2, 0.3]]]])
    yield Case(
        "grid_sample", dict(x=rng.normal(size=(1, 2, 2, 3)), grid=far), "far outside on the other side"
    )


def _penalties(rng):
    some = rng.normal(0, 2, size=(4, 3))
    zeros = some * (rng.random(some.shape) < 0.6)
    for note, weight in {"a matrix": some, "with zeros": zeros, "a vector": rng.normal(size=5)}.items():
        yield Case("elastic_net", dict(weight=weight, l1=0.3, l2=0.7), note)
    yield Case("elastic_net", dict(weight=some, l1=0.4), "L1 alone")
    yield Case("elastic_net", dict(weight=some, l2=0.9), "L2 alone")
    yield Case("elastic_net", dict(weight=1000 * some, l1=0.3, l2=0.7), "huge weights")
    gone = some.copy()
    gone[1] = 0
    yield Case("group_lasso", dict(weight=some, l1=0.6), "rows")
    yield Case("group_lasso", dict(weight=gone[[0, 2, 3]], l1=0.6), "three rows")
    yield Case("group_softshrink", dict(x=gone, lambd=0.6), "one row is zero already")
    yield Case("group_softshrink", dict(x=some, lambd=0.0), "no threshold")
    yield Case("group_softshrink", dict(x=some, lambd=100.0), "nothing is left")


def _steps(rng):
    x = rng.normal(0, 2, size=(5, 4))
    yield Case("softshrink", dict(x=x), "default")
    yield Case("softshrink", dict(x=x, lambd=1.5), "a large threshold")
    yield Case("softshrink", dict(x=x, lambd=0.0), "no threshold")
    yield Case("softshrink", dict(x=np.array([-1e3, -1e-9, 0.3, 1e3]), lambd=0.3001), "extreme")
    param, grad = rng.normal(size=(2, 6)), rng.normal(size=(2, 6))
    yield Case("proximal_step", dict(param=param, grad=grad, lr=0.1, l1=5.0), "L1")
    yield Case("proximal_step", dict(param=param, grad=grad, lr=0.1, l2=5.0), "L2")
    yield Case("proximal_step", dict(param=param, grad=grad, lr=0.5, l1=0.7, l2=0.4), "elastic net")
    yield Case("proximal_step", dict(param=param, grad=grad), "no penalty")
    yield Case("renorm", dict(x=x, maxnorm=2.0), "some rows too long")
    yield Case("renorm", dict(x=x, maxnorm=1e3), "no row too long")
    yield Case("renorm", dict(x=np.concatenate([1e3 * x, 0 * x[:1]]), maxnorm=0.5), "far too long, and zero")

    unknown = np.array([[np.nan, 1.0], [0.3, 0.4]])
    yield Case("renorm", dict(x=unknown, maxnorm=0.2), "a row that is not a number, beside another")

    best, count = np.array(0.5), np.array(3)
    for note, loss in {"better": 0.3, "worse": 0.7, "a little better": 0.48, "not a number": np.nan}.items():
        settings = dict(best=best, num_bad_epochs=count, patience=4, min_delta=0.05)
        yield Case("early_stopping", dict(loss=np.array(loss), **settings), note)
    yield Case("early_stopping", dict(loss=np.array(2.0)), "first epoch")
    yield Case("early_stopping", dict(loss=best, best=best, num_bad_epochs=count), "no change, patience left")
    yield Case(
        "early_stopping", dict(loss=best, best=best, num_bad_epochs=np.array(0), patience=1), "at once"
    )


def _warps(rng):
    theta = np.array([[1.0, 0, 0], [0, 1, 0]]) + rng.normal(0, 0.3, size=(2, 2, 3))
    yield Case("affine_grid", dict(theta=theta, size=(2, 1, 4, 4)), "square")
    yield Case("affine_grid", dict(theta=theta[:1], size=(1, 3, 5, 2)), "tall")
    x = rng.normal(size=(2, 3, 5, 4))
    inside = rng.uniform(-0.7, 0.7, size=(2, 3, 3, 2))
    yield Case("grid_sample", dict(x=x, grid=inside), "inside")
    yield Case("grid_sample", dict(x=x, grid=rng.uniform(-1.3, 1.3, size=(2, 4, 3, 2))), "over the edges")
    yield Case("grid_sample", dict(x=x[:1], grid=rng.uniform(5, 900, size=(1, 2, 2, 2))), "far outside")


def _mixes(rng):
    target = rng.dirichlet(np.ones(3), size=5)
    for note, x in {"features": rng.normal(size=(5, 4)), "images": rng.normal(size=(5, 2, 3, 3))}.items():
        yield Case("mixup", dict(x=x, lam=0.3, permutation=rng.permutation(5)), note)
    yield Case("mixup", dict(x=target, lam=0.8, permutation=np.array([1, 2, 3, 4, 0])), "targets")
    pair = dict(x=rng.normal(size=(5, 4)), permutation=np.array([1, 2, 3, 4, 0]))
    for lam in (0.0, 1.0):
        yield Case("mixup", dict(lam=lam, **pair), f"lam = {lam:.0f}")
    images = dict(x=rng.normal(size=(5, 2, 8, 6)), target=target, permutation=np.array([3, 0, 1, 4, 2]))
    for note, lam, row, column in (("in the middle", 0.6, 4, 3), ("cut off at the edge", 0.4, 0, 5)):
        yield Case("cutmix", dict(lam=lam, row=row, column=column, **images), note)
    yield Case("cutmix", dict(lam=0.0, row=4, column=3, **images), "the whole image")
    yield Case("cutmix", dict(lam=0.99, row=4, column=3, **images), "an empty box")
