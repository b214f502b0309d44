"""The reference: one step of each optimizer, with torch's arguments and torch's meaning of them."""

from nnlib.core import checked

no_gradient = {"sgd": "it is where gradients go; nothing is differentiated through a step"}


@checked(not_taught={"maximize": False, "foreach": None, "differentiable": False, "fused": None})
def sgd(param, grad, momentum_buffer=None, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    """One step of gradient descent, with momentum if wanted.

        g = grad + weight_decay * param
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * g,   g itself in the first step
        param = param - lr * momentum_buffer
        param = param - lr * (g + momentum * momentum_buffer)                 if nesterov

    The buffer holds a sum of gradients, not their mean: a constant gradient moves param 1 / (1 - momentum)
    times as far. Without momentum there is no buffer, and the step is lr * g.

    Parameters
    ----------
    param, grad : array (...)
    momentum_buffer : array (...) or None     what the step before returned; None in the first step
    lr : float >= 0
    momentum : float >= 0
    dampening : float
    weight_decay : float >= 0
    nesterov : bool

    Returns
    -------
    param : array (...)
    momentum_buffer : array (...) or None

    Raises
    ------
    ValueError
        With nesterov=True but no momentum, or with dampening.

    References
    ----------
    Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum in deep
    learning, section 2. torch multiplies by lr when it moves param, the paper when it fills the buffer.
    """
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"sgd: momentum is {momentum} and dampening {dampening}; nesterov needs momentum > 0, dampening 0"
        )
    g = grad if weight_decay == 0 else grad + weight_decay * param
    if momentum == 0:
        return param - lr * g, momentum_buffer
    if momentum_buffer is None:
        momentum_buffer = g.copy()  # the caller may reuse grad for the next step
    else:
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * g
    step = g + momentum * momentum_buffer if nesterov else momentum_buffer
    return param - lr * step, momentum_buffer
