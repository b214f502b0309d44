"""The reference: two surfaces to walk on, descent on them, and how to measure how sharply they bend."""

import numpy as np

from nnlib.core import checked

no_gradient = {
    "gradient_descent": "a path is looked at; no loss is differentiated through it",
    "power_iteration": "the sharpness is measured, not trained",
    "hessian_vector_product": "it is a second derivative already; descent needs no third",
    "linear_scaling": "a schedule is chosen before training",
}


# ---------------------------------------------------------------------------------------------- surfaces


@checked
def quadratic(x, hessian):
    """A surface of constant curvature: a bowl, a ravine or, with a negative eigenvalue, a saddle.

        y = sum(x * (hessian @ x)) / 2

    Parameters
    ----------
    x : array (N, D)            N points
    hessian : array (D, D)

    Returns
    -------
    y : array (N,)
    """
    return (x * (x @ hessian)).sum(axis=1) / 2


@checked
def quadratic_backward(grad_output, x, hessian):
    """Gradients of `quadratic` for the points and for the matrix.

    grad_x = grad_output * (hessian + hessian.T) @ x / 2,   grad_hessian = sum(grad_output * x x.T) / 2
    """
    weighted = grad_output[:, None] * x
    return weighted @ (hessian + hessian.T) / 2, weighted.T @ x / 2


@checked
def double_well(x, tilt=0.3):
    """Two valleys with a saddle between them; a positive tilt makes the left one deeper.

        y = (x_0**2 - 1)**2 + tilt * x_0 + x_1**2

    Parameters
    ----------
    x : array (N, 2)
    tilt : float

    Returns
    -------
    y : array (N,)
    """
    a, b = x.T
    return (a * a - 1) ** 2 + tilt * a + b * b


@checked
def double_well_backward(grad_output, x, tilt=0.3):
    """Gradient of `double_well` for the points.

    grad_x = grad_output * (4 * x_0 * (x_0**2 - 1) + tilt,  2 * x_1)
    """
    a, b = x.T
    return grad_output[:, None] * np.stack([4 * a * (a * a - 1) + tilt, 2 * b], axis=1)


# ----------------------------------------------------------------------------------------------- descent


@checked
def gradient_descent(x, hessian, lr, steps):
    """The path of gradient descent on `quadratic`, its start included.

        x = x - lr * hessian @ x

    Along an eigenvector of the Hessian every step multiplies x by 1 - lr * eigenvalue.

    Parameters
    ----------
    x : array (D,)              the start
    hessian : array (D, D)      symmetric
    lr : float >= 0
    steps : int >= 0

    Returns
    -------
    path : array (T, D)         T = steps + 1 points
    """
    _check_symmetric("gradient_descent", hessian)
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - lr * hessian @ path[-1])
    return np.stack(path)


@checked
def linear_scaling(t, lr, k, warmup_steps):
    """The learning rate at step t for a batch k times as large: k * lr, after a warm-up that starts at lr.

        lr_t = lr + (k - 1) * lr * min(t / warmup_steps, 1)

    Parameters
    ----------
    t : array (T,) >= 0         steps, the first one being 0
    lr : float >= 0             what suits the small batch
    k : float >= 1
    warmup_steps : int >= 1

    Returns
    -------
    lr_t : array (T,)

    References
    ----------
    Goyal et al. (2017), arXiv:1706.02677, sections 2.1 and 2.2.
    """
    return lr + (k - 1) * lr * np.minimum(t / warmup_steps, 1)


# --------------------------------------------------------------------------------------------- curvature


@checked
def hessian_vector_product(x, weight, v):
    """The Hessian of softmax regression times a direction v, without the Hessian.

        z = x @ weight.T,   p = softmax(z),   r = x @ v.T
        hv = (p * (r - sum(p * r))).T @ x / N

    The loss is the mean cross-entropy, its gradient (p - target).T @ x / N. When weight moves along v, z
    moves at the rate r and p at the rate p * (r - sum(p * r)). The target is constant and drops out.

    Parameters
    ----------
    x : array (N, D)
    weight, v : array (K, D)

    Returns
    -------
    hv : array (K, D)

    References
    ----------
    Pearlmutter (1994), Fast exact multiplication by the Hessian, Neural Computation 6(1).
    """
    z, r = x @ weight.T, x @ v.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p * (r - (p * r).sum(axis=1, keepdims=True))).T @ x / len(x)


@checked
def power_iteration(hessian, v, steps):
    """The eigenvalue of largest size: multiply by the matrix again and again, and v turns to its eigenvector.

        v = hessian @ v / ||hessian @ v||,   at the end   eigenvalue = v . (hessian @ v)

    Parameters
    ----------
    hessian : array (D, D)      symmetric
    v : array (D,)              any start that is not at right angles to the eigenvector
    steps : int >= 1

    Returns
    -------
    eigenvalue : array ()
    """
    _check_symmetric("power_iteration", hessian)
    for _ in range(steps):
        v = hessian @ v
        v = v / (np.sqrt(v @ v) or 1)  # where the surface is flat v is 0 now, and so is the eigenvalue
    return v @ (hessian @ v)


def _check_symmetric(name, hessian):
    if abs(hessian - hessian.T).max() > 1e-3 * abs(hessian).max():  # more than rounding
        raise ValueError(f"{name}: hessian and hessian.T differ; expected a symmetric matrix")
