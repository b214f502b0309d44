"""The reference: losses of the two players, the slope of a slope, and measures of what a generator makes.

Scores are logits for the minimax and non-saturating losses: D(x) = sigmoid(score). For least squares and
Wasserstein they are plain numbers. `real` are scores of real samples, `fake` those of generated ones.
"""

from math import log

import numpy as np

from nnlib.activations.in_numpy import sigmoid
from nnlib.core import checked

no_gradient = {
    "power_iteration": "the two directions are estimates that training carries along; torch detaches them",
    "bilinear_step": "it is where gradients go; nothing is differentiated through a step",
    "mode_coverage": "it counts",
    "frechet_distance": "it judges samples after training; nothing is trained by it here",
    "precision_recall": "it counts",
    "nearest_distance": "it judges samples after training; nothing is trained by it here",
}
constants = {"spectral_norm": ("u", "v")}


# ---------------------------------------------------------------------------------------------- minimax


@checked
def minimax_discriminator(real, fake, real_label=1.0):
    """The discriminator's loss: cross-entropy of telling real samples from generated ones.

        loss = mean(real_label * softplus(-real) + (1 - real_label) * softplus(real)) + mean(softplus(fake))

    softplus(-score) is -log D and softplus(score) is -log(1 - D); logaddexp(0, score) is softplus without
    overflow. A real_label below 1 is one-sided label smoothing: the best D never says more than real_label.

    Parameters
    ----------
    real : array (N, ...)
    fake : array (M, ...)
    real_label : float in [0, 1]

    Returns
    -------
    loss : array ()

    References
    ----------
    Goodfellow et al. (2014), arXiv:1406.2661, equation 1. Label smoothing: Salimans et al. (2016),
    arXiv:1606.03498, section 3.4.
    """
    on_real = real_label * np.logaddexp(0, -real) + (1 - real_label) * np.logaddexp(0, real)
    return on_real.mean() + np.logaddexp(0, fake).mean()


@checked
def minimax_discriminator_backward(grad_output, real, fake, real_label=1.0):
    """Gradients of `minimax_discriminator`: what D says minus what it should say.

    grad_real = grad_output * (sigmoid(real) - real_label) / real.size
    grad_fake = grad_output * sigmoid(fake) / fake.size
    """
    grad_real = grad_output * (sigmoid.unchecked(real) - real_label) / real.size
    return grad_real, grad_output * sigmoid.unchecked(fake) / fake.size


@checked
def minimax_generator(fake):
    """The generator's loss in the minimax game: minus the part of the discriminator's that it can change.

        loss = mean(log(1 - D)) = -mean(softplus(fake))

    Parameters
    ----------
    fake : array (M, ...)

    Returns
    -------
    loss : array ()

    References
    ----------
    Goodfellow et al. (2014), arXiv:1406.2661, equation 1.
    """
    return -np.logaddexp(0, fake).mean()


@checked
def minimax_generator_backward(grad_output, fake):
    """Gradient of `minimax_generator`: it vanishes where D is sure that a sample is fake.

    grad_fake = -grad_output * sigmoid(fake) / fake.size
    """
    return -grad_output * sigmoid.unchecked(fake) / fake.size


@checked
def non_saturating_generator(fake):
    """The generator's loss in use: cross-entropy towards the answer "real".

        loss = -mean(log D) = mean(softplus(-fake))

    Parameters
    ----------
    fake : array (M, ...)

    Returns
    -------
    loss : array ()

    References
    ----------
    Goodfellow et al. (2014), arXiv:1406.2661, section 3.
    """
    return np.logaddexp(0, -fake).mean()


@checked
def non_saturating_generator_backward(grad_output, fake):
    """Gradient of `non_saturating_generator`: full strength where D is sure that a sample is fake.

    grad_fake = -grad_output * sigmoid(-fake) / fake.size
    """
    return -grad_output * sigmoid.unchecked(-fake) / fake.size


# ---------------------------------------------------------------------------------------- least squares


@checked
def least_squares_discriminator(real, fake, a=0.0, b=1.0):
    """Squared distance of the scores from b on real samples and from a on generated ones.

        loss = (mean((real - b)**2) + mean((fake - a)**2)) / 2

    Parameters
    ----------
    real : array (N, ...)
    fake : array (M, ...)
    a, b : float

    Returns
    -------
    loss : array ()

    References
    ----------
    Mao et al. (2017), arXiv:1611.04076.
    """
    return (np.square(real - b).mean() + np.square(fake - a).mean()) / 2


@checked
def least_squares_discriminator_backward(grad_output, real, fake, a=0.0, b=1.0):
    """Gradients of `least_squares_discriminator`.

    grad_real = grad_output * (real - b) / real.size,   grad_fake = grad_output * (fake - a) / fake.size
    """
    return grad_output * (real - b) / real.size, grad_output * (fake - a) / fake.size


@checked
def least_squares_generator(fake, c=1.0):
    """Squared distance of the scores from c, the value that the discriminator should be made to believe.

        loss = mean((fake - c)**2) / 2

    Parameters
    ----------
    fake : array (M, ...)
    c : float

    Returns
    -------
    loss : array ()

    References
    ----------
    Mao et al. (2017), arXiv:1611.04076.
    """
    return np.square(fake - c).mean() / 2


@checked
def least_squares_generator_backward(grad_output, fake, c=1.0):
    """Gradient of `least_squares_generator`: the farther from c, the stronger the pull.

    grad_fake = grad_output * (fake - c) / fake.size
    """
    return grad_output * (fake - c) / fake.size


# ------------------------------------------------------------------------------------------ Wasserstein


@checked
def wasserstein_critic(real, fake):
    """The critic's loss: minus how much higher it scores real samples than generated ones.

        loss = mean(fake) - mean(real)

    It means something only while the critic's slope is held near 1: see `gradient_penalty`.

    Parameters
    ----------
    real : array (N, ...)
    fake : array (M, ...)

    Returns
    -------
    loss : array ()

    References
    ----------
    Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875.
    """
    return fake.mean() - real.mean()


@checked
def wasserstein_critic_backward(grad_output, real, fake):
    """Gradients of `wasserstein_critic`: every sample counts alike, whatever its score.

    grad_real = -grad_output / real.size,   grad_fake = grad_output / fake.size
    """
    return np.full_like(real, -grad_output / real.size), np.full_like(fake, grad_output / fake.size)


@checked
def wasserstein_generator(fake):
    """The generator's loss: minus the critic's mean score of what it makes.

        loss = -mean(fake)

    Parameters
    ----------
    fake : array (M, ...)

    Returns
    -------
    loss : array ()

    References
    ----------
    Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875.
    """
    return -fake.mean()


@checked
def wasserstein_generator_backward(grad_output, fake):
    """Gradient of `wasserstein_generator`.

    grad_fake = -grad_output / fake.size
    """
    return np.full_like(fake, -grad_output / fake.size)


@checked
def gradient_penalty(grad, target=1.0):
    """How far the slope of the critic is from `target`, as a function of its gradients for the inputs.

        loss = mean over rows of (norm(grad) - target)**2

    Parameters
    ----------
    grad : array (N, D)     one row per sample: the gradient of the critic's score for that sample
    target : float >= 0

    Returns
    -------
    loss : array ()

    References
    ----------
    Gulrajani et al. (2017), arXiv:1704.00028, equation 3, without its factor lambda = 10.
    """
    return np.square(_norms(grad) - target).mean()


@checked
def gradient_penalty_backward(grad_output, grad, target=1.0):
    """Gradient of `gradient_penalty`: along each row, by how much its norm is too long; 0 for a row of zeros.

    grad_grad = grad_output * 2 * (norm - target) / norm * grad / N
    """
    norm = _norms(grad)
    factor = 2 * (norm - target) / np.where(norm > 0, norm, 1)
    return grad_output * factor[:, None] * grad / len(grad)


def _norms(rows):
    """The length of each row; the largest element goes first, so that no square overflows."""
    largest = np.abs(rows).max(axis=1)
    scale = np.where(largest > 0, largest, 1)
    return scale * np.sqrt(np.square(rows / scale[:, None]).sum(axis=1))


@checked
def input_gradient(x, weight1, bias1, weight2):
    """The gradient for x of a small critic's score, tanh(x @ weight1.T + bias1) @ weight2.

        grad = (weight2 * (1 - h**2)) @ weight1,   h = tanh(x @ weight1.T + bias1)

    A bias of the last layer would move the score and not its slope, so there is none.

    Parameters
    ----------
    x : array (N, D)
    weight1 : array (H, D)
    bias1 : array (H,)
    weight2 : array (H,)

    Returns
    -------
    grad : array (N, D)
    """
    h = np.tanh(x @ weight1.T + bias1)
    return (weight2 * (1 - h * h)) @ weight1


@checked
def input_gradient_backward(grad_output, x, weight1, bias1, weight2):
    """Gradients of `input_gradient`: a backward through a backward.

    Backwards through the line d = weight2 * (1 - h**2), with g = grad_output @ weight1.T:

        grad_z       = -2 * h * (1 - h**2) * weight2 * g
        grad_weight1 = d.T @ grad_output + grad_z.T @ x,   grad_bias1 = sum(grad_z)
        grad_weight2 = sum((1 - h**2) * g),                grad_x = grad_z @ weight1
    """
    h = np.tanh(x @ weight1.T + bias1)
    slope = 1 - h * h
    g = grad_output @ weight1.T
    grad_z = -2 * h * slope * weight2 * g
    grad_weight1 = (weight2 * slope).T @ grad_output + grad_z.T @ x
    return grad_z @ weight1, grad_weight1, grad_z.sum(axis=0), (slope * g).sum(axis=0)


# ----------------------------------------------------------------------------- spectral normalization


@checked
def power_iteration(weight, v, n_power_iterations=1):
    """Directions along which a matrix stretches most, better with every iteration.

        u = weight @ v / norm(weight @ v),   v = weight.T @ u / norm(weight.T @ u)

    Parameters
    ----------
    weight : array (O, D)
    v : array (D,)     any start that is not zero; in training, what the step before returned
    n_power_iterations : int >= 1

    Returns
    -------
    u : array (O,)
    v : array (D,)

    References
    ----------
    Miyato et al. (2018), arXiv:1802.05957, Algorithm 1.
    """
    for _ in range(n_power_iterations):
        u = _unit(weight @ v)
        v = _unit(weight.T @ u)
    return u, v


def _unit(x):
    return x / max(np.sqrt(x @ x), x.dtype.type(1e-12))


@checked
def spectral_norm(weight, u, v):
    """Divide a matrix by its largest stretch, so that a layer cannot be steeper than 1.

        y = weight / sigma,   sigma = u @ weight @ v

    Parameters
    ----------
    weight : array (O, D)
    u : array (O,)     from `power_iteration`, as is v; both count as constants
    v : array (D,)

    Returns
    -------
    y : array (O, D)

    References
    ----------
    Miyato et al. (2018), arXiv:1802.05957.
    """
    return weight / (u @ weight @ v)


@checked
def spectral_norm_backward(grad_output, weight, u, v):
    """Gradient of `spectral_norm` for the weight, which also moves sigma.

    grad_weight = (grad_output - sum(grad_output * y) * outer(u, v)) / sigma
    """
    sigma = u @ weight @ v
    along = (grad_output * weight).sum() / sigma
    return (grad_output - along * np.outer(u, v)) / sigma, None, None


# ------------------------------------------------------------------------------------- what D should say


@checked
def optimal_discriminator(log_p, log_q):
    """What the best discriminator says where real samples have density p and generated ones q.

        D = p / (p + q) = sigmoid(log_p - log_q)

    Parameters
    ----------
    log_p, log_q : array (...)

    Returns
    -------
    d : array (...)

    References
    ----------
    Goodfellow et al. (2014), arXiv:1406.2661, Proposition 1.
    """
    return sigmoid.unchecked(log_p - log_q)


@checked
def optimal_discriminator_backward(grad_output, log_p, log_q):
    """Gradients of `optimal_discriminator`.

    grad_log_p = grad_output * D * (1 - D),   grad_log_q = -grad_log_p
    """
    z = log_p - log_q
    grad = grad_output * sigmoid.unchecked(z) * sigmoid.unchecked(-z)
    return grad, -grad


@checked
def jensen_shannon(log_p, log_q):
    """Mean divergence of two distributions from their mixture: 0 if they are equal, log 2 if they never meet.

        loss = sum(p * log(p / m) + q * log(q / m)) / 2,   m = (p + q) / 2

    Parameters
    ----------
    log_p, log_q : array (K,) finite     logarithms of the probabilities of K outcomes, as of a grid's cells

    Returns
    -------
    loss : array ()

    References
    ----------
    Lin (1991), IEEE Transactions on Information Theory 37, 145-151.
    """
    log_m = np.logaddexp(log_p, log_q) - log_p.dtype.type(log(2))
    return (np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m)).sum() / 2


@checked
def jensen_shannon_backward(grad_output, log_p, log_q):
    """Gradients of `jensen_shannon` for the logarithms.

    grad_log_p = grad_output * p * log(p / m) / 2,   grad_log_q = grad_output * q * log(q / m) / 2
    """
    log_m = np.logaddexp(log_p, log_q) - log_p.dtype.type(log(2))
    return tuple(grad_output * np.exp(log_r) * (log_r - log_m) / 2 for log_r in (log_p, log_q))


@checked
def wasserstein_distance(x, y):
    """How far samples on a line must be moved, on average, to become others: sort both and compare.

        loss = mean(|sort(x) - sort(y)|)

    Parameters
    ----------
    x, y : array (N,)

    Returns
    -------
    loss : array ()

    References
    ----------
    Villani (2003), Topics in Optimal Transportation.
    """
    return np.abs(np.sort(x) - np.sort(y)).mean()


@checked
def wasserstein_distance_backward(grad_output, x, y):
    """Gradients of `wasserstein_distance`: each sample is pulled towards its partner, however far it is.

    grad_x = grad_output * sign(x - its partner) / N,   grad_y = grad_output * sign(y - its partner) / N
    """
    grad_x, grad_y = np.empty_like(x), np.empty_like(y)
    in_x, in_y = np.argsort(x, stable=True), np.argsort(y, stable=True)
    grad_x[in_x] = grad_output * np.sign(x[in_x] - y[in_y]) / len(x)
    grad_y[in_y] = -grad_x[in_x]
    return grad_x, grad_y


# ----------------------------------------------------------------------------------------- a small game


@checked
def bilinear_step(x, y, last_x, last_y, lr=0.1, method="simultaneous"):
    """One step of min over x, max over y of x * y, whose only equilibrium is x = y = 0.

        simultaneous    x - lr * y,                    y + lr * x
        alternating     x - lr * y,                    y + lr * (the new x)
        extragradient   x - lr * (y + lr * x),         y + lr * (x - lr * y)
        optimistic      x - lr * (2 * y - last_y),     y + lr * (2 * x - last_x)

    Parameters
    ----------
    x, y : array (D,)
    last_x, last_y : array (D,)     the values one step ago, of which only the optimistic method makes use
    lr : float >= 0
    method : {'simultaneous', 'alternating', 'extragradient', 'optimistic'}

    Returns
    -------
    x, y : array (D,)

    References
    ----------
    Korpelevich (1976) for extragradient; Daskalakis et al. (2018), arXiv:1711.00141, for optimism.
    """
    if method == "alternating":
        x = x - lr * y
        return x, y + lr * x
    if method == "extragradient":
        return x - lr * (y + lr * x), y + lr * (x - lr * y)
    if method == "optimistic":
        return x - lr * (2 * y - last_y), y + lr * (2 * x - last_x)
    return x - lr * y, y + lr * x


# ----------------------------------------------------------------------------------- judging samples


def _distances(x, y):
    """The distance of every row of x from every row of y, (N, M), without differences of large squares."""
    return np.sqrt(np.stack([np.square(x - row).sum(axis=1) for row in y], axis=1))


@checked
def mode_coverage(x, centers, radius):
    """How many samples each mode gets, and what share of all samples lies near a mode.

        count[k] = number of rows of x whose nearest center is k, at a distance of at most radius
        share    = sum(count) / N

    Parameters
    ----------
    x : array (N, D)
    centers : array (K, D)
    radius : float > 0

    Returns
    -------
    count : int array (K,)
    share : array ()
    """
    distance = _distances(x, centers)
    nearest, near = distance.argmin(axis=1), distance.min(axis=1) <= radius
    return np.bincount(nearest[near], minlength=len(centers)), near.mean(dtype=x.dtype)


@checked
def frechet_distance(x, y):
    """Squared distance between the Gaussians that have the means and covariances of two sets of features.

        distance = |mean_x - mean_y|**2 + trace(cov_x) + trace(cov_y) - 2 * trace(sqrt(cov_x @ cov_y))

    With cov = R.T @ R from the QR decomposition of the centered rows, the last trace is the sum of the
    singular values of R_x @ R_y.T: no root of a matrix. Computed in float64; what rounding puts below 0
    becomes 0.

    Parameters
    ----------
    x : array (N, D)     features of one set, one row per sample
    y : array (M, D)

    Returns
    -------
    distance : array ()

    References
    ----------
    Dowson & Landau (1982), Journal of Multivariate Analysis 12, 450-455; as a judge of GANs, with features
    of a large classifier, Heusel et al. (2017), arXiv:1706.08500.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"frechet_distance: {len(x)} and {len(y)} rows; expected at least 2 of each")
    a, b = x.astype(np.float64), y.astype(np.float64)
    shift = a.mean(axis=0) - b.mean(axis=0)
    r_a, r_b = (np.linalg.qr((s - s.mean(axis=0)) / np.sqrt(len(s) - 1), mode="r") for s in (a, b))
    spread = np.square(r_a).sum() + np.square(r_b).sum()
    overlap = np.linalg.svd(r_a @ r_b.T, compute_uv=False).sum()
    return x.dtype.type(max(shift @ shift + spread - 2 * overlap, 0))


@checked
def precision_recall(real, fake, k=3):
    """Quality and coverage, told apart: which samples lie among those of the other set?

        precision = share of the fake rows inside a ball around a real row
        recall    = share of the real rows inside a ball around a fake row

    A ball reaches to the k-th nearest row of its own set.

    Parameters
    ----------
    real : array (N, D)
    fake : array (M, D)
    k : int >= 1

    Returns
    -------
    precision, recall : array ()

    References
    ----------
    Kynkäänniemi et al. (2019), arXiv:1904.06991.
    """
    if (fewest := min(len(real), len(fake))) <= k:
        raise ValueError(f"precision_recall: k is {k}; expected fewer than the {fewest} rows")
    among = _distances(real, fake)
    radius_real, radius_fake = (np.sort(_distances(s, s), axis=1)[:, k] for s in (real, fake))
    precision = (among <= radius_real[:, None]).any(axis=0).mean(dtype=real.dtype)
    recall = (among <= radius_fake).any(axis=1).mean(dtype=real.dtype)
    return precision, recall


@checked
def nearest_distance(x, y):
    """How far each row of x is from the nearest row of y: a copy has the distance 0.

        distance[n] = min over m of norm(x[n] - y[m])

    Parameters
    ----------
    x : array (N, D)
    y : array (M, D)

    Returns
    -------
    distance : array (N,)
    """
    return _distances(x, y).min(axis=1)
