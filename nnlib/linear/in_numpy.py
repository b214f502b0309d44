"""The reference: one matrix product forward, two backward."""

from nnlib.core import checked


@checked
def linear(x, weight, bias=None):
    """Weighted sums of the inputs, one for each row of `weight`, plus a bias.

        y = x @ weight.T + bias

    Parameters
    ----------
    x : array (..., D)
    weight : array (O, D)     one row of D weights per output, as torch stores it
    bias : array (O,) or None

    Returns
    -------
    y : array (..., O)
    """
    y = x @ weight.T
    return y if bias is None else y + bias


@checked
def linear_backward(grad_output, x, weight, bias=None):
    """Gradients of `linear` for x, weight and bias.

        grad_x = grad_output @ weight
        grad_weight = grad_output.T @ x,   grad_bias = sum(grad_output)

    weight and bias serve every row of x, so their gradients add up over the rows.
    """
    rows, inputs = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    grads = grad_output @ weight, rows.T @ inputs
    return grads if bias is None else (*grads, rows.sum(axis=0))
