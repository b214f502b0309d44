"""Inputs on which reference, twin and official operation must agree.

Power iteration and LAPACK agree only once the iteration has settled: its matrices have one eigenvalue well
ahead of the others in size, positive in one case, negative in the next.
"""

import numpy as np

from nnlib.core import Case


def cases(rng):
    skew = rng.normal(size=(3, 3))
    yield Case("quadratic", dict(x=rng.normal(size=(5, 3)), hessian=skew), "not symmetric")
    yield Case("quadratic", dict(x=rng.normal(size=(4, 2)), hessian=np.diag([1.0, -1.0])), "saddle")
    yield Case("double_well", dict(x=rng.normal(size=(6, 2))))
    yield Case("double_well", dict(x=rng.normal(size=(1, 2)), tilt=-1.0), "tilted to the right")

    ravine, start = rotated(rng, [1, 25]), rng.normal(size=2)
    for lr, note in {0.01: "slow", 0.07: "to and fro", 0.08: "on the edge", 0.1: "diverging"}.items():
        yield Case("gradient_descent", dict(x=start, hessian=ravine, lr=lr, steps=8), note)
    saddle = rotated(rng, [1, -1])
    yield Case("gradient_descent", dict(x=start, hessian=saddle, lr=0.1, steps=5), "off a saddle")
    yield Case("gradient_descent", dict(x=start, hessian=saddle, lr=0.1, steps=0), "no step")

    t = np.arange(12.0)
    yield Case("linear_scaling", dict(t=t, lr=0.05, k=8, warmup_steps=5), "8 times the batch")
    yield Case("linear_scaling", dict(t=t, lr=0.1, k=1, warmup_steps=3), "the same batch")
    yield Case("linear_scaling", dict(t=t[::3], lr=0.1, k=2.5, warmup_steps=20), "a long warm-up")

    for k, note in {10: "ten classes", 2: "two classes", 1: "one class"}.items():
        x, weight, v = rng.normal(size=(7, 4)), rng.normal(size=(k, 4)), rng.normal(size=(k, 4))
        yield Case("hessian_vector_product", dict(x=x, weight=weight, v=v), note)
    saturated = dict(
        x=rng.normal(size=(3, 4)), weight=300 * rng.normal(size=(5, 4)), v=rng.normal(size=(5, 4))
    )
    yield Case("hessian_vector_product", saturated, "saturated")

    for note, eigenvalues in {"positive": [9, 3, 2, 1], "indefinite": [-9, 4, 1]}.items():
        hessian, v = rotated(rng, eigenvalues), rng.normal(size=len(eigenvalues))
        yield Case("power_iteration", dict(hessian=hessian, v=v, steps=40), note)


def rotated(rng, eigenvalues):
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    q, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))
    return q * np.asarray(eigenvalues, float) @ q.T
