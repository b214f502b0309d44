"""The reference: products of Jacobians, paths around a layer, and gradients that are cut to a length."""

import numpy as np

from nnlib.activations.in_numpy import sigmoid
from nnlib.backprop.in_numpy import residual_mlp, residual_mlp_backward
from nnlib.core import checked

_A_GRADIENT = "it is given gradients; nothing is differentiated through it"
no_gradient = {
    **dict.fromkeys(("get_total_norm", "clip_grad_norm", "clip_grad_value"), _A_GRADIENT),
    "jacobian_product": "it is a derivative already",
}


# ------------------------------------------------------------------------------ the product of Jacobians


@checked
def jacobian_product(x, weight, bias):
    """How L tanh layers of one width pass a change of x on: the product of their Jacobians.

        h[0] = x,   h[l + 1] = tanh(weight[l] @ h[l] + bias[l])
        jacobian = D[L - 1] @ weight[L - 1] @ ... @ D[0] @ weight[0],   D[l] = diag(1 - h[l + 1]**2)

    Forward, jacobian @ dx is the change of h[L]; backward, grad_output @ jacobian is the gradient for x.

    Parameters
    ----------
    x : array (D,)
    weight : array (L, D, D)
    bias : array (L, D)

    Returns
    -------
    jacobian : array (D, D)     entry (i, j): how h[L][i] feels x[j]

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, section 2.
    """
    h, jacobian = x, np.eye(len(x), dtype=x.dtype)
    for w, b in zip(weight, bias):
        h = np.tanh(w @ h + b)
        jacobian = (1 - h * h)[:, None] * (w @ jacobian)
    return jacobian


# ------------------------------------------------------------------------------- paths around the layers


@checked
def residual_block(x, weight1, bias1, weight2, bias2):
    """Two layers that add to their input, and a ReLU behind the sum.

        h = relu(x @ weight1.T + bias1)
        y = relu(x + h @ weight2.T + bias2)

    Parameters
    ----------
    x : array (N, D)
    weight1 : array (H, D)
    bias1 : array (H,)
    weight2 : array (D, H)
    bias2 : array (D,)

    Returns
    -------
    y : array (N, D)

    References
    ----------
    He, Zhang, Ren & Sun (2016), arXiv:1512.03385, equation 1 and Figure 2 (there with batch norm).
    """
    return np.maximum(residual_mlp.unchecked(x, weight1, bias1, weight2, bias2), 0)


@checked
def residual_block_backward(grad_output, x, weight1, bias1, weight2, bias2):
    """Gradients of `residual_block`; both paths start behind the last ReLU, which closes both.

    grad_sum = grad_output * (y > 0), and from there as in `residual_mlp`
    """
    args = x, weight1, bias1, weight2, bias2
    grad_sum = grad_output * (residual_mlp.unchecked(*args) > 0)
    return residual_mlp_backward.unchecked(grad_sum, *args)


@checked
def preact_block(x, weight1, bias1, weight2, bias2):
    """The same with the ReLUs in front of the layers: nothing stands in the way of x.

        h = relu(relu(x) @ weight1.T + bias1)
        y = x + h @ weight2.T + bias2

    Parameters
    ----------
    x : array (N, D)
    weight1 : array (H, D)
    bias1 : array (H,)
    weight2 : array (D, H)
    bias2 : array (D,)

    Returns
    -------
    y : array (N, D)

    References
    ----------
    He, Zhang, Ren & Sun (2016), Identity Mappings in Deep Residual Networks, arXiv:1603.05027.
    """
    h = np.maximum(np.maximum(x, 0) @ weight1.T + bias1, 0)
    return x + h @ weight2.T + bias2


@checked
def preact_block_backward(grad_output, x, weight1, bias1, weight2, bias2):
    """Gradients of `preact_block`; one path hands grad_output on untouched.

    grad_z1 = (grad_output @ weight2) * (z1 > 0)
    grad_x = grad_output + (grad_z1 @ weight1) * (x > 0)
    """
    a = np.maximum(x, 0)
    z1 = a @ weight1.T + bias1
    h = np.maximum(z1, 0)
    grad_z1 = (grad_output @ weight2) * (z1 > 0)
    grad_x = grad_output + (grad_z1 @ weight1) * (x > 0)
    return grad_x, grad_z1.T @ a, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)


@checked
def highway(x, weight, bias, weight_gate, bias_gate):
    """A layer with a gate that decides, number by number, between a new value and the old one.

        h = tanh(x @ weight.T + bias)
        t = sigmoid(x @ weight_gate.T + bias_gate)
        y = t * h + (1 - t) * x

    With a bias_gate of -2 the gate starts at about 0.1: the layer begins close to the identity.

    Parameters
    ----------
    x : array (N, D)
    weight : array (D, D)
    bias : array (D,)
    weight_gate : array (D, D)
    bias_gate : array (D,)

    Returns
    -------
    y : array (N, D)

    References
    ----------
    Srivastava, Greff & Schmidhuber (2015), arXiv:1505.00387.
    """
    h = np.tanh(x @ weight.T + bias)
    t = sigmoid.unchecked(x @ weight_gate.T + bias_gate)
    return t * h + (1 - t) * x


@checked
def highway_backward(grad_output, x, weight, bias, weight_gate, bias_gate):
    """Gradients of `highway`; x is read three times: by the layer, by the gate, and by the sum itself.

    grad_z = grad_output * t * (1 - h**2)
    grad_gate = grad_output * (h - x) * t * (1 - t)
    grad_x = grad_output * (1 - t) + grad_z @ weight + grad_gate @ weight_gate
    """
    h = np.tanh(x @ weight.T + bias)
    t = sigmoid.unchecked(x @ weight_gate.T + bias_gate)
    grad_z = grad_output * t * (1 - h * h)
    grad_gate = grad_output * (h - x) * t * (1 - t)
    grad_x = grad_output * (1 - t) + grad_z @ weight + grad_gate @ weight_gate
    return grad_x, grad_z.T @ x, grad_z.sum(axis=0), grad_gate.T @ x, grad_gate.sum(axis=0)


# -------------------------------------------------------------------------------------------- clipping
#
# torch's functions walk over parameters and change their .grad in place. These take the gradients, all of a
# model in one array as `Sequential.grads` holds them, and return new ones. An infinite or NaN gradient is no
# error unless error_if_nonfinite says so, and goes where arithmetic takes it, as in torch: hence errstate.


@checked(not_taught={"foreach": None})
def get_total_norm(grads, norm_type=2.0, error_if_nonfinite=False):
    """The length of all gradients together, as one long vector.

        total_norm = sum(|grads|**norm_type) ** (1 / norm_type),   max(|grads|) for norm_type = inf

    Parameters
    ----------
    grads : array (...)             all gradients of a model
    norm_type : float in (0, inf]
    error_if_nonfinite : bool

    Returns
    -------
    total_norm : array ()

    Raises
    ------
    RuntimeError
        With error_if_nonfinite, if the norm is infinite or NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total_norm = np.linalg.norm(grads.ravel(), norm_type)
    if error_if_nonfinite and not np.isfinite(total_norm):
        raise RuntimeError(f"get_total_norm: the norm is {total_norm}; expected a finite one")
    return total_norm


@checked(not_taught={"foreach": None})
def clip_grad_norm(grads, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Shorten the gradients to the length max_norm where they are longer; the direction stays.

        grads = grads * min(1, max_norm / (total_norm + 1e-6))

    Parameters
    ----------
    grads : array (...)             all gradients of a model, since they share one factor
    max_norm : float in [0, inf]
    norm_type : float in (0, inf]
    error_if_nonfinite : bool

    Returns
    -------
    grads : array (...)
    total_norm : array ()           before clipping: worth a look while a model trains

    Raises
    ------
    RuntimeError
        With error_if_nonfinite, if the norm is infinite or NaN.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, Algorithm 1; as torch.nn.utils.clip_grad_norm_.
    """
    total_norm = get_total_norm.unchecked(grads, norm_type, error_if_nonfinite)
    with np.errstate(over="ignore", invalid="ignore"):  # a huge max_norm, or infinite gradients
        factor = np.minimum(max_norm / (total_norm + grads.dtype.type(1e-6)), 1).astype(grads.dtype)
        return grads * factor, total_norm


@checked(not_taught={"foreach": None})
def clip_grad_value(grads, clip_value):
    """Cut every single gradient to [-clip_value, clip_value]; the direction bends.

        grads = min(max(grads, -clip_value), clip_value)

    Parameters
    ----------
    grads : array (...)
    clip_value : float in [0, inf]

    Returns
    -------
    grads : array (...)

    References
    ----------
    torch.nn.utils.clip_grad_value_.
    """
    return np.clip(grads, -clip_value, clip_value)


# ------------------------------------------------------------------------------------------- the cliff


@checked
def cliff(x, steps=50, target=0.7):
    """The loss of a recurrent network of a single unit, over its weight and its bias: a plain with a cliff.

        s[0] = 0.5,   s[t + 1] = w * sigmoid(s[t]) + b,   (w, b) = x
        y = (sigmoid(s[steps]) - target)**2

    Parameters
    ----------
    x : array (N, 2)            N pairs of weight and bias
    steps : int >= 1
    target : float

    Returns
    -------
    y : array (N,)

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063: their example of one hidden unit.
    """
    w, b = x.T
    p = sigmoid.unchecked(np.full_like(w, 0.5))
    for _ in range(steps):
        p = sigmoid.unchecked(w * p + b)
    return (p - target) ** 2


@checked
def cliff_backward(grad_output, x, steps=50, target=0.7):
    """Gradient of `cliff` for the points: w and b are used in every step, and every use adds its share.

    grad_s[steps] = grad_output * 2 * (p[steps] - target) * p[steps] * (1 - p[steps])
    grad_s[t] = grad_s[t + 1] * w * p[t] * (1 - p[t]),   p[t] = sigmoid(s[t])
    grad_w = sum(grad_s[t + 1] * p[t]),   grad_b = sum(grad_s[t + 1])
    """
    w, b = x.T
    kept = [sigmoid.unchecked(np.full_like(w, 0.5))]
    for _ in range(steps):
        kept.append(sigmoid.unchecked(w * kept[-1] + b))
    p = kept.pop()
    grad_s = grad_output * 2 * (p - target) * p * (1 - p)
    grad_w, grad_b = np.zeros_like(w), np.zeros_like(b)
    for p in reversed(kept):
        grad_w += grad_s * p
        grad_b += grad_s
        grad_s = grad_s * w * p * (1 - p)
    return np.stack([grad_w, grad_b], axis=1)
