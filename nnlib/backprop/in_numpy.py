"""The reference: small networks forward, and backward line by line in the opposite order.

Every line of a forward pass makes one array; its backward has one line for each, which makes the gradient of
the loss for that array. `grad_z1` is the gradient for `z1`, and has its shape.
"""

import numpy as np

from nnlib.core import checked


@checked
def tanh_layer(x, weight, bias):
    """One layer: weighted sums, then tanh.

        y = tanh(x @ weight.T + bias)

    Parameters
    ----------
    x : array (N, D)
    weight : array (O, D)
    bias : array (O,)

    Returns
    -------
    y : array (N, O)
    """
    return np.tanh(x @ weight.T + bias)


@checked
def tanh_layer_backward(grad_output, x, weight, bias):
    """Gradients of `tanh_layer` for x, weight and bias; z is the sum inside the tanh.

    grad_z = grad_output * (1 - y**2)
    grad_x = grad_z @ weight,   grad_weight = grad_z.T @ x,   grad_bias = sum(grad_z)
    """
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return grad_z @ weight, grad_z.T @ x, grad_z.sum(axis=0)


# ------------------------------------------------------------------------------- a network and its loss


def _log_softmax(z):
    """log(exp(z) / sum(exp(z))), moved so that the largest z is 0 and no exponential can overflow."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@checked
def mlp_loss(x, weight1, bias1, weight2, bias2, target):
    """The cross-entropy of a multilayer perceptron with one hidden layer: five lines, five arrays.

        z1 = x @ weight1.T + bias1
        h = tanh(z1)
        z2 = h @ weight2.T + bias2
        log_p = z2 - log(sum(exp(z2)))
        loss = -mean over n of log_p[n, target[n]]

    Parameters
    ----------
    x : array (N, D)
    weight1 : array (H, D)
    bias1 : array (H,)
    weight2 : array (K, H)
    bias2 : array (K,)
    target : int array (N,) in [0, K)     the right class of each row

    Returns
    -------
    loss : array ()

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Nature 323, 533-536 (there with sigmoids and squared errors).
    """
    z1 = x @ weight1.T + bias1
    h = np.tanh(z1)
    z2 = h @ weight2.T + bias2
    log_p = _log_softmax(z2)
    return -log_p[np.arange(len(x)), target].mean()


@checked
def mlp_loss_backward(grad_output, x, weight1, bias1, weight2, bias2, target):
    """Gradients of `mlp_loss` for x, weight1, bias1, weight2, bias2 and target (None).

    grad_log_p[n, target[n]] = -grad_output / N, otherwise 0
    grad_z2 = grad_log_p - p * sum(grad_log_p),   p = exp(log_p)
    grad_h = grad_z2 @ weight2,   grad_weight2 = grad_z2.T @ h,   grad_bias2 = sum(grad_z2)
    grad_z1 = grad_h * (1 - h**2)
    grad_x = grad_z1 @ weight1,   grad_weight1 = grad_z1.T @ x,   grad_bias1 = sum(grad_z1)
    """
    h = np.tanh(x @ weight1.T + bias1)
    log_p = _log_softmax(h @ weight2.T + bias2)

    grad_log_p = np.zeros_like(log_p)
    grad_log_p[np.arange(len(x)), target] = -grad_output / len(x)
    grad_z2 = grad_log_p - np.exp(log_p) * grad_log_p.sum(axis=1, keepdims=True)
    grad_weight2, grad_bias2 = grad_z2.T @ h, grad_z2.sum(axis=0)
    grad_h = grad_z2 @ weight2
    grad_z1 = grad_h * (1 - h * h)
    grad_weight1, grad_bias1 = grad_z1.T @ x, grad_z1.sum(axis=0)
    grad_x = grad_z1 @ weight1
    return grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2, None


# -------------------------------------------------------------------------- where paths meet, they add


@checked
def residual_mlp(x, weight1, bias1, weight2, bias2):
    """Two layers with a bridge around them: x reaches y along two paths.

        y = x + relu(x @ weight1.T + bias1) @ weight2.T + bias2

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
    He, Zhang, Ren & Sun (2016), arXiv:1512.03385, equation 1 and Figure 2.
    """
    h = np.maximum(x @ weight1.T + bias1, 0)
    return x + h @ weight2.T + bias2


@checked
def residual_mlp_backward(grad_output, x, weight1, bias1, weight2, bias2):
    """Gradients of `residual_mlp`; that for x is the sum over both paths.

    grad_z1 = (grad_output @ weight2) * (z1 > 0)
    grad_x = grad_output + grad_z1 @ weight1
    """
    z1 = x @ weight1.T + bias1
    h = np.maximum(z1, 0)
    grad_weight2, grad_bias2 = grad_output.T @ h, grad_output.sum(axis=0)
    grad_z1 = (grad_output @ weight2) * (z1 > 0)
    grad_weight1, grad_bias1 = grad_z1.T @ x, grad_z1.sum(axis=0)
    grad_x = grad_output + grad_z1 @ weight1
    return grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2


@checked
def tied_mlp(x, weight, bias1, bias2):
    """Encode and decode with one matrix: the weight reaches y along two paths.

        h = tanh(x @ weight.T + bias1)
        y = h @ weight + bias2

    Parameters
    ----------
    x : array (N, D)
    weight : array (H, D)
    bias1 : array (H,)
    bias2 : array (D,)

    Returns
    -------
    y : array (N, D)
    """
    h = np.tanh(x @ weight.T + bias1)
    return h @ weight + bias2


@checked
def tied_mlp_backward(grad_output, x, weight, bias1, bias2):
    """Gradients of `tied_mlp`; that for the weight is the sum over both of its uses.

    grad_z1 = (grad_output @ weight.T) * (1 - h**2)
    grad_weight = h.T @ grad_output + grad_z1.T @ x
    """
    h = np.tanh(x @ weight.T + bias1)
    grad_z1 = (grad_output @ weight.T) * (1 - h * h)
    grad_weight = h.T @ grad_output + grad_z1.T @ x
    return grad_z1 @ weight, grad_weight, grad_z1.sum(axis=0), grad_output.sum(axis=0)


# --------------------------------------------------------------------------------- remember or recompute


@checked
def deep_mlp(x, weight, bias, every=1):
    """L tanh layers of one width, one after the other.

        h[0] = x,   h[l + 1] = tanh(h[l] @ weight[l].T + bias[l]),   y = h[L]

    Parameters
    ----------
    x : array (N, D)
    weight : array (L, D, D)
    bias : array (L, D)
    every : int >= 1             backward keeps h[0], h[every], h[2 * every] …, and computes the rest again

    Returns
    -------
    y : array (N, D)

    References
    ----------
    Chen, Xu, Zhang & Guestrin (2016), arXiv:1604.06174, section 4 (`every` near the square root of L).
    """
    for w, b in zip(weight, bias):
        x = tanh_layer.unchecked(x, w, b)
    return x


@checked
def deep_mlp_backward(grad_output, x, weight, bias, every=1):
    """Gradients of `deep_mlp`; `every` changes what is remembered and nothing else.

    Forward, the first input of each segment of `every` layers is kept. Backward takes the segments from the
    last to the first, computes what lies inside each once more, and forgets it as it is used.
    """
    starts = range(0, len(weight), every)
    kept = [x]
    for start in starts:
        segment = slice(start, start + every)
        kept.append(deep_mlp.unchecked(kept[-1], weight[segment], bias[segment]))

    grad, grad_weight, grad_bias = grad_output, np.empty_like(weight), np.empty_like(bias)
    for start in reversed(starts):
        segment = range(len(weight))[start : start + every]
        y, inputs = kept.pop(), [kept[-1]]
        for layer in segment[:-1]:
            inputs.append(tanh_layer.unchecked(inputs[-1], weight[layer], bias[layer]))
        for layer in reversed(segment):
            h = inputs.pop()
            grad_z = grad * (1 - y * y)
            grad_weight[layer], grad_bias[layer] = grad_z.T @ h, grad_z.sum(axis=0)
            grad, y = grad_z @ weight[layer], h  # the input of this layer is the output of the one before
    return grad, grad_weight, grad_bias
