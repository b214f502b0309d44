"""The twin: autograd takes the derivatives, and the eigenvectors of the Hessian tell the path beforehand."""

import torch
import torch.nn.functional as F

from nnlib.core import checked


@checked
def quadratic(x, hessian):
    """y = x . hessian x / 2"""
    return torch.einsum("ni,ij,nj->n", x, hessian, x) / 2


@checked
def double_well(x, tilt=0.3):
    """y = (x_0**2 - 1)**2 + tilt * x_0 + x_1**2"""
    return (x[:, 0].square() - 1).square() + tilt * x[:, 0] + x[:, 1].square()


@checked
def gradient_descent(x, hessian, lr, steps):
    """x_t = Q (1 - lr * eigenvalues)**t Q.T x,   hessian = Q diag(eigenvalues) Q.T"""
    _check_symmetric("gradient_descent", hessian)
    eigenvalues, q = torch.linalg.eigh(hessian)
    t = torch.arange(steps + 1, device=x.device, dtype=x.dtype)[:, None]
    return ((1 - lr * eigenvalues) ** t * (x @ q)) @ q.T


@checked
def linear_scaling(t, lr, k, warmup_steps):
    """lr_t = lr between t = 0 and k * lr from t = warmup_steps on"""
    return torch.lerp(torch.full_like(t, lr), torch.full_like(t, k * lr), (t / warmup_steps).clamp(max=1))


@checked
def hessian_vector_product(x, weight, v):
    """The gradient of (gradient . v): the Hessian is symmetric, so this is the Hessian times v."""
    with torch.enable_grad():
        weight = weight.detach().requires_grad_()
        (grad,) = torch.autograd.grad(_loss(x)(weight), weight, create_graph=True)
        return torch.autograd.grad(grad, weight, v)[0]


@checked
def power_iteration(hessian, v, steps):
    """v = hessian @ v, scaled to length 1, again and again; v . hessian v at the end"""
    _check_symmetric("power_iteration", hessian)
    for _ in range(steps):
        v = F.normalize(hessian @ v, dim=0, eps=torch.finfo(v.dtype).tiny)
    return v @ hessian @ v


def _check_symmetric(name, hessian):
    if (hessian - hessian.mT).abs().max() > 1e-3 * hessian.abs().max():
        raise ValueError(f"{name}: hessian and hessian.T differ; expected a symmetric matrix")


def _loss(x):
    """Softmax regression's loss as a function of its weight; any labels will do, the Hessian ignores them."""
    labels = torch.zeros(len(x), dtype=torch.long, device=x.device)
    return lambda weight: F.cross_entropy(x @ weight.T, labels)


# --------------------------------------------------------------------------------- the library's own


def _official_descent(x, hessian, lr, steps):
    x = x.clone().requires_grad_()
    optimizer, path = torch.optim.SGD([x], lr=lr), [x.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        (x @ hessian @ x / 2).backward()
        optimizer.step()
        path.append(x.detach().clone())
    return torch.stack(path)


def _official_scaling(t, lr, k, warmup_steps):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=k * lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / k, total_iters=warmup_steps)
    rates = []
    for _ in range(int(t.max()) + 1):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return torch.tensor(rates, dtype=t.dtype, device=t.device)[t.long()]


def _official_eigenvalue(hessian, v, steps):
    eigenvalues = torch.linalg.eigvalsh(hessian)
    return eigenvalues[eigenvalues.abs().argmax()]


official = {
    "gradient_descent": _official_descent,
    "linear_scaling": _official_scaling,
    "hessian_vector_product": lambda x, weight, v: torch.autograd.functional.hvp(_loss(x), weight, v)[1],
    "power_iteration": _official_eigenvalue,
}
no_official = {
    "quadratic": "a surface to walk on, not an operation that a library would ship",
    "double_well": "a surface to walk on, not an operation that a library would ship",
}
