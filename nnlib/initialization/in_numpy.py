"""The reference: every scheme of torch.nn.init as a pure function of the numbers that were drawn.

Chance is an argument of the weight's shape: `u` are uniform draws from [0, 1), `z` standard normal ones.

    weight = xavier_uniform(rng.random((out_features, in_features)))
    weight = kaiming_normal(rng.standard_normal((out_channels, in_channels, 3, 3)), nonlinearity="relu")

`nnlib.layers.draw` and `initialize` do the drawing, for an array and for a whole model.
"""

import math
from statistics import NormalDist

import numpy as np

from nnlib.core import checked

_ONCE = "weights are chosen once, before training: no gradient flows back into the choice"
no_gradient = dict.fromkeys(
    (
        "calculate_fan_in_and_fan_out", "calculate_gain", "zeros", "ones", "constant", "eye", "dirac",
        "uniform", "normal", "trunc_normal", "sparse", "xavier_uniform", "xavier_normal", "lecun_uniform",
        "lecun_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "lsuv",
    ),
    _ONCE,
)  # fmt: skip


# ---------------------------------------------------------------------------------------- fans and gains


@checked
def calculate_fan_in_and_fan_out(tensor):
    """How many inputs meet in one output, and how many outputs one input reaches.

        fan_in = I * positions,   fan_out = O * positions

    A dense weight has one position, a convolution's kernel as many as it has pixels.

    Parameters
    ----------
    tensor : array (O, I, ...)      a weight; only its shape counts

    Returns
    -------
    fan_in, fan_out : int array ()
    """
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


@checked
def calculate_gain(nonlinearity, param=None):
    """By what to multiply weights of variance 1 / fan, so that the activation behind them changes no scale.

        1 for linear maps and sigmoid,   5/3 for tanh,   3/4 for selu
        sqrt(2) for relu,   sqrt(2 / (1 + param**2)) for leaky_relu

    The rectifiers' gains follow from their second moment; those of sigmoid, tanh and selu are torch's,
    underived.

    Parameters
    ----------
    nonlinearity : {'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', \
'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'selu'}
    param : array () or None      the slope of leaky_relu below 0; None is 0.01

    Returns
    -------
    gain : array ()

    References
    ----------
    He, Zhang, Ren & Sun (2015), arXiv:1502.01852, equation 15.
    """
    gain = _gain(nonlinearity, 0.01 if param is None else float(param))
    return gain if param is None else np.asarray(param).dtype.type(gain)


def _gain(nonlinearity, slope):
    rectifiers = {"relu": 0, "leaky_relu": slope}
    if nonlinearity in rectifiers:
        return math.sqrt(2 / (1 + rectifiers[nonlinearity] ** 2))
    return {"tanh": 5 / 3, "selu": 3 / 4}.get(nonlinearity, 1.0)


# ------------------------------------------------------------------------------------- nothing by chance


@checked
def constant(tensor, val):
    """Every weight the same.

        weight = val

    Parameters
    ----------
    tensor : array (...)      only its shape and dtype count
    val : float

    Returns
    -------
    weight : array (...)
    """
    return np.full_like(tensor, val)


@checked
def zeros(tensor):
    """Every weight 0: right for biases, and for the last layer of a residual branch.

        weight = 0

    Parameters
    ----------
    tensor : array (...)      only its shape and dtype count

    Returns
    -------
    weight : array (...)
    """
    return np.zeros_like(tensor)


@checked
def ones(tensor):
    """Every weight 1: right for the scales of a normalization.

        weight = 1

    Parameters
    ----------
    tensor : array (...)      only its shape and dtype count

    Returns
    -------
    weight : array (...)
    """
    return np.ones_like(tensor)


@checked
def eye(tensor):
    """A layer that hands on its inputs, as many as it has outputs for.

        weight[o, i] = 1 where o == i, 0 elsewhere

    Parameters
    ----------
    tensor : array (O, I)      only its shape and dtype count

    Returns
    -------
    weight : array (O, I)
    """
    return np.eye(*tensor.shape, dtype=tensor.dtype)


@checked
def dirac(tensor, groups=1):
    """A convolution that hands on its channels: 1 in the middle of the kernel from channel to channel.

        weight[o, i, middle] = 1 where o == i, counted from the start of each group, 0 elsewhere

    Parameters
    ----------
    tensor : array (O, I, K, ...)      at most three axes of positions; only its shape and dtype count
    groups : int >= 1                  it must divide O

    Returns
    -------
    weight : array (O, I, K, ...)
    """
    outputs, inputs, *kernel = tensor.shape
    if len(kernel) > 3:
        raise ValueError(f"dirac: tensor has shape {tensor.shape}; expected 3 to 5 axes")
    if outputs % groups:
        raise ValueError(f"dirac: groups is {groups}; expected a divisor of O = {outputs}")
    weight = np.zeros_like(tensor)
    middle = tuple(size // 2 for size in kernel)
    for group in np.split(weight, groups):  # views: writing fills the weight
        for channel in range(min(len(group), inputs)):
            group[(channel, channel, *middle)] = 1
    return weight


# --------------------------------------------------------------------------------- a range or a deviation


@checked(not_taught={"generator": None})
def uniform(u, a=0.0, b=1.0):
    """Stretch uniform draws to the range from a to b.

        weight = a + (b - a) * u,   variance (b - a)**2 / 12

    Parameters
    ----------
    u : array (...) in [0, 1)
    a, b : float

    Returns
    -------
    weight : array (...)
    """
    if a > b:
        raise ValueError(f"uniform: a is {a} and b is {b}; expected a <= b")
    return a + (b - a) * u


@checked(not_taught={"generator": None})
def normal(z, mean=0.0, std=1.0):
    """Stretch and shift standard normal draws.

        weight = mean + std * z

    Parameters
    ----------
    z : array (...)
    mean : float
    std : float >= 0

    Returns
    -------
    weight : array (...)
    """
    return mean + std * z


@checked(not_taught={"generator": None})
def trunc_normal(u, mean=0.0, std=1.0, a=-2.0, b=2.0):
    """Draws of the normal distribution that lie between a and b, by the inverse of its distribution function.

        weight = mean + std * Phi^-1(low + u * (high - low))
        low, high = Phi((a - mean) / std), Phi((b - mean) / std)

    The bounds are weights, not multiples of std: with std = 0.02 the default cuts nothing off. torch draws
    again whatever falls outside, which gives the same distribution.

    Parameters
    ----------
    u : array (...) in [0, 1)
    mean : float
    std : float > 0
    a, b : float

    Returns
    -------
    weight : array (...)
    """
    if a >= b:
        raise ValueError(f"trunc_normal: a is {a} and b is {b}; expected a < b")
    low, high = (_normal.cdf((end - mean) / std) for end in (a, b))
    if low == high:
        raise ValueError(f"trunc_normal: mean is {mean}, too far from a = {a} and b = {b}; expected nearer")
    p = np.clip(low + u.astype(np.float64) * (high - low), 1e-300, 1 - 1e-16)
    return np.clip(mean + std * _quantile(p), a, b).astype(u.dtype)


def _quantile(p):
    """Phi^-1, which NumPy does not have: a loop over Python's."""
    return np.vectorize(_normal.inv_cdf, otypes=[np.float64])(p)


_normal = NormalDist()


@checked(not_taught={"generator": None})
def sparse(z, order, sparsity, std=0.01):
    """Normal draws of which each input keeps a few: in every column the first rows of `order` are set to 0.

        weight = std * z,   0 at ceil(sparsity * O) places of each column

    Parameters
    ----------
    z : array (O, I)
    order : int array (O, I) in [0, O)      each column a shuffle of the rows: rng.permuted(rows, axis=0)
    sparsity : float in [0, 1]
    std : float >= 0

    Returns
    -------
    weight : array (O, I)

    References
    ----------
    Martens (2010), Deep learning via Hessian-free optimization, ICML.
    """
    if (np.sort(order, axis=0) != np.arange(len(z))[:, None]).any():
        raise ValueError("sparse: a column of order names a row twice; expected every row once")
    weight = std * z
    np.put_along_axis(weight, order[: math.ceil(sparsity * len(z))], 0, axis=0)
    return weight


# ----------------------------------------------------------------------------- a scale from the fans


@checked(not_taught={"generator": None})
def xavier_uniform(u, gain=1.0):
    """A compromise between keeping the scale of what goes forward and of what comes back, by uniform draws.

        weight = bound * (2u - 1),   bound = gain * sqrt(6 / (fan_in + fan_out))

    A uniform distribution from -bound to bound has variance bound**2 / 3.

    Parameters
    ----------
    u : array (O, I, ...) in [0, 1)
    gain : float

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    Glorot & Bengio (2010), AISTATS, equation 16.
    """
    return _spread(u, math.sqrt(3) * gain * _xavier_std(u))


@checked(not_taught={"generator": None})
def xavier_normal(z, gain=1.0):
    """A compromise between keeping the scale of what goes forward and of what comes back, by normal draws.

        weight = gain * sqrt(2 / (fan_in + fan_out)) * z

    Parameters
    ----------
    z : array (O, I, ...)
    gain : float

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    Glorot & Bengio (2010), AISTATS, equation 12.
    """
    return float(gain) * _xavier_std(z) * z


@checked(not_taught={"generator": None})
def kaiming_uniform(u, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Keep the scale of what goes forward, or with fan_out of what comes back, by uniform draws.

        weight = bound * (2u - 1),   bound = gain * sqrt(3 / fan),   gain = calculate_gain(nonlinearity, a)

    Parameters
    ----------
    u : array (O, I, ...) in [0, 1)
    a : float                               the slope of leaky_relu below 0; 0 makes it a relu
    mode : {'fan_in', 'fan_out'}
    nonlinearity : {'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', \
'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'selu'}

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    He, Zhang, Ren & Sun (2015), arXiv:1502.01852, equations 10, 14 and 15.
    """
    return _spread(u, math.sqrt(3) * _gain(nonlinearity, a) / math.sqrt(_fan(u, mode)))


@checked(not_taught={"generator": None})
def kaiming_normal(z, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Keep the scale of what goes forward, or with fan_out of what comes back, by normal draws.

        weight = gain / sqrt(fan) * z,   gain = calculate_gain(nonlinearity, a)

    Parameters
    ----------
    z : array (O, I, ...)
    a : float                               the slope of leaky_relu below 0; 0 makes it a relu
    mode : {'fan_in', 'fan_out'}
    nonlinearity : {'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', \
'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'selu'}

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    He, Zhang, Ren & Sun (2015), arXiv:1502.01852, equations 10, 14 and 15.
    """
    return _gain(nonlinearity, a) / math.sqrt(_fan(z, mode)) * z


@checked
def lecun_uniform(u):
    """Variance 1 / fan_in by uniform draws: a linear map keeps the scale of what goes forward.

        weight = bound * (2u - 1),   bound = sqrt(3 / fan_in)

    torch has no such name; it is kaiming_uniform with nonlinearity="linear".

    Parameters
    ----------
    u : array (O, I, ...) in [0, 1)

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    LeCun, Bottou, Orr & Müller (1998), Efficient BackProp.
    """
    return _spread(u, math.sqrt(3 / _fan(u, "fan_in")))


@checked
def lecun_normal(z):
    """Variance 1 / fan_in by normal draws: a linear map keeps the scale of what goes forward.

        weight = z / sqrt(fan_in)

    torch has no such name; it is kaiming_normal with nonlinearity="linear".

    Parameters
    ----------
    z : array (O, I, ...)

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    LeCun, Bottou, Orr & Müller (1998), Efficient BackProp.
    """
    return z / math.sqrt(_fan(z, "fan_in"))


def _spread(u, bound):
    """Uniform draws from [0, 1), stretched to the range from -bound to bound."""
    return float(bound) * (2 * u - 1)


def _fan(tensor, mode):
    fan_in, fan_out = calculate_fan_in_and_fan_out.unchecked(tensor)
    return fan_in if mode == "fan_in" else fan_out


def _xavier_std(tensor):
    return math.sqrt(2 / sum(calculate_fan_in_and_fan_out.unchecked(tensor)))


@checked(not_taught={"generator": None})
def orthogonal(z, gain=1):
    """A rotation, all directions equally likely: rows or columns, whichever are fewer, at right angles.

        q @ r = z.reshape(O, -1),   weight = gain * q * sign(diag(r))

    q alone would follow the convention of the routine that computes it; with the signs of r's diagonal it is
    drawn evenly from all rotations and reflections. More columns than rows: the same with z transposed.

    Parameters
    ----------
    z : array (O, I, ...)
    gain : float

    Returns
    -------
    weight : array (O, I, ...)

    References
    ----------
    Saxe, McClelland & Ganguli (2013), arXiv:1312.6120; Mezzadri (2006), arXiv:math-ph/0609050.
    """
    flat = z.reshape(len(z), -1)
    wide = flat.shape[0] < flat.shape[1]
    q, r = np.linalg.qr(flat.T if wide else flat)
    q = q * np.sign(np.diag(r))
    return float(gain) * (q.T if wide else q).reshape(z.shape)


# ------------------------------------------------------------------------------- what the scale does


@checked
def signals(x, weight, nonlinearity="relu"):
    """What every layer of a deep network without biases hands on.

        h[l] = f(h[l - 1] @ weight[l].T),   h[-1] = x

    Parameters
    ----------
    x : array (N, D)
    weight : array (L, D, D)      L layers of one width
    nonlinearity : {'linear', 'tanh', 'relu'}

    Returns
    -------
    h : array (L, N, D)
    """
    h = np.empty((len(weight), *x.shape), x.dtype)
    for i, w in enumerate(weight):
        x = h[i] = _activate(x @ w.T, nonlinearity)
    return h


@checked
def signals_backward(grad_output, x, weight, nonlinearity="relu"):
    """Gradients of `signals` for x and weight: each layer adds what arrives from the one behind it.

    d = (grad_output[l] + grad_h) * f'(h[l]),   grad_weight[l] = d.T @ h[l - 1],   grad_h = d @ weight[l]
    """
    h = np.concatenate([x[None], signals.unchecked(x, weight, nonlinearity)])
    grad_x, grad_weight = np.zeros_like(x), np.empty_like(weight)
    for i in reversed(range(len(weight))):
        d = (grad_output[i] + grad_x) * _slope(h[i + 1], nonlinearity)
        grad_weight[i] = d.T @ h[i]
        grad_x = d @ weight[i]
    return grad_x, grad_weight


def _activate(z, nonlinearity):
    return {"linear": lambda z: z, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[nonlinearity](z)


def _slope(h, nonlinearity):
    """The derivative of the activation, from its output."""
    return {"linear": np.ones_like, "tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0) * h.dtype.type(1)}[
        nonlinearity
    ](h)


@checked
def lsuv(x, weight, nonlinearity="relu"):
    """Divide each layer's weights by the deviation of its sums on a batch, from the first to the last layer.

        scaled[l] = weight[l] / std(h[l - 1] @ weight[l].T)
        h[l] = f(h[l - 1] @ scaled[l].T),   h[-1] = x

    Every layer then has sums of deviation 1 on this batch, whatever the activation and the fans.

    Parameters
    ----------
    x : array (N, D)
    weight : array (L, D, D)
    nonlinearity : {'linear', 'tanh', 'relu'}

    Returns
    -------
    scaled : array (L, D, D)

    References
    ----------
    Mishkin & Matas (2015), arXiv:1511.06422, Algorithm 1.
    """
    scaled = np.empty_like(weight)
    for i, w in enumerate(weight):
        deviation = (x @ w.T).std()
        if not 0 < deviation < math.inf:
            raise ValueError(
                f"lsuv: the sums of layer {i} have deviation {deviation}; expected a finite one above 0"
            )
        scaled[i] = w / deviation
        x = _activate(x @ scaled[i].T, nonlinearity)
    return scaled
