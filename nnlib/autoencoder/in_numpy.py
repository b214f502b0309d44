"""The reference: compress linearly, keep a code sparse, judge anomalies, and the terms of a variational
autoencoder, each with its backward.

Rows are samples throughout: x (N, D) are pictures, codes are (N, K).
"""

import numpy as np

from nnlib.core import checked

no_gradient = {
    "pca": "it is computed in closed form, not trained",
    "subspace_angle": "it judges two bases; nothing is trained by it",
    "roc_auc": "it counts pairs, so it does not change for small changes of the scores",
    "ppca": "it is computed in closed form, not trained",
    "ppca_log_likelihood": "it judges models; nothing is trained by it",
}
constants = {"reparameterize": ("noise",)}  # noise is drawn, not learned


# ------------------------------------------------------------------------------------------ linear codes


@checked
def pca(x, k):
    """The k directions along which the data vary most.

        components = the k right singular vectors of x - mean with the largest singular values

    Their signs are free; here the largest entry of each is positive.

    Parameters
    ----------
    x : array (N, D) finite
    k : int in [1, D]

    Returns
    -------
    mean : array (D,)
    components : array (K, D)     orthonormal rows, the widest direction first

    References
    ----------
    Pearson (1901), Philosophical Magazine 2, 559-572.
    """
    if k > len(x):
        raise ValueError(f"pca: k is {k}; expected at most one component per row, N = {len(x)}")
    mean = x.mean(axis=0)
    components = np.linalg.svd(x - mean, full_matrices=False)[2][:k]
    return mean, _largest_positive(components)


def _largest_positive(rows):
    largest = np.abs(rows).argmax(axis=1)
    return rows * np.sign(rows[np.arange(len(rows)), largest])[:, None]


@checked
def subspace_angle(a, b):
    """The largest angle between the spaces that the rows of a and of b span, in degrees.

        tan(angle) = max |part of a unit vector of b's space outside a's| / min |part inside|

    Parameters
    ----------
    a, b : array (K, D)     each with linearly independent rows

    Returns
    -------
    angle : array ()
    """
    for name, rows in (("a", a), ("b", b)):
        if np.linalg.matrix_rank(rows) < len(rows):
            raise ValueError(f"subspace_angle: {name} has dependent rows; expected {len(rows)} directions")
    basis_a, basis_b = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]  # orthonormal columns
    inside = basis_a.T @ basis_b
    outside = basis_b - basis_a @ inside
    cosine, sine = np.linalg.norm(inside, -2), np.linalg.norm(outside, 2)
    return np.degrees(np.arctan2(sine, cosine))  # precise for small angles and for right ones


@checked
def linear_autoencoder(x, encoder, decoder):
    """Two linear layers around a narrow code, without bias.

        y = x @ encoder.T @ decoder.T

    Parameters
    ----------
    x : array (N, D)
    encoder : array (K, D)
    decoder : array (D, K)

    Returns
    -------
    y : array (N, D)

    References
    ----------
    Baldi & Hornik (1989), Neural Networks 2, 53-58.
    """
    return x @ encoder.T @ decoder.T


@checked
def linear_autoencoder_backward(grad_output, x, encoder, decoder):
    """Gradients of `linear_autoencoder` for x, encoder and decoder.

    grad_decoder = grad_output.T @ code,   grad_encoder = grad_code.T @ x,   grad_code = grad_output @ decoder
    """
    grad_code = grad_output @ decoder
    return grad_code @ encoder, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


# ------------------------------------------------------------------------------------------- sparse codes


@checked
def kl_sparsity(code, rho=0.05):
    """How far each unit's mean activity is from rho: a price for codes that are always on.

        loss = sum over units of rho * log(rho / mean) + (1 - rho) * log((1 - rho) / (1 - mean))

    Parameters
    ----------
    code : array (N, K) in (0, 1)     outputs of a sigmoid
    rho : float in (0, 1)             the share of samples for which a unit should be on

    Returns
    -------
    loss : array ()
    """
    mean = code.mean(axis=0)
    return (rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))).sum()


@checked
def kl_sparsity_backward(grad_output, code, rho=0.05):
    """Gradient of `kl_sparsity`: the same for all samples, since only the mean counts.

    grad_code = grad_output * ((1 - rho) / (1 - mean) - rho / mean) / N
    """
    mean = code.mean(axis=0)
    slope = grad_output * ((1 - rho) / (1 - mean) - rho / mean) / len(code)
    return np.repeat(slope[None].astype(code.dtype), len(code), axis=0)


# ---------------------------------------------------------------------------------------------- anomalies


@checked
def roc_auc(score, label):
    """The chance that a random positive has a higher score than a random negative; a tie counts half.

        auc = (sum of the ranks of the positives - P * (P + 1) / 2) / (P * (N - P))

    It is the area under the ROC curve: true positive rate against false positive rate for all thresholds.

    Parameters
    ----------
    score : array (N,) finite
    label : bool array (N,)     True where it is an anomaly

    Returns
    -------
    auc : array ()
    """
    positives = int(label.sum())
    if positives in (0, len(label)):
        raise ValueError(f"roc_auc: label has {positives} of {len(label)} positives; expected both kinds")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # ties share the mean of their ranks
    above = ranks[place][label].sum() - positives * (positives + 1) / 2
    return score.dtype.type(above / (positives * (len(label) - positives)))


# ------------------------------------------------------------------------------------ random but trainable


@checked
def reparameterize(mu, logvar, noise):
    """A sample from N(mu, exp(logvar)), as a smooth function of both.

        z = mu + exp(logvar / 2) * noise

    Parameters
    ----------
    mu : array (N, K)
    logvar : array (N, K) in [-80, 80]     the logarithm of the variance
    noise : array (N, K)                   drawn from N(0, 1)

    Returns
    -------
    z : array (N, K)

    References
    ----------
    Kingma & Welling (2014), arXiv:1312.6114.
    """
    return mu + np.exp(logvar / 2) * noise


@checked
def reparameterize_backward(grad_output, mu, logvar, noise):
    """Gradients of `reparameterize` for mu and logvar; the noise is given.

    grad_mu = grad_output,   grad_logvar = grad_output * noise * exp(logvar / 2) / 2
    """
    return grad_output.copy(), grad_output * noise * np.exp(logvar / 2) / 2, None


@checked
def kl_standard_normal(mu, logvar):
    """The divergence of N(mu, exp(logvar)) from N(0, 1), added up over the code.

        kl = sum over K of (mu**2 + exp(logvar) - 1 - logvar) / 2

    Parameters
    ----------
    mu : array (N, K)
    logvar : array (N, K) in [-80, 80]

    Returns
    -------
    kl : array (N,)

    References
    ----------
    Kingma & Welling (2014), arXiv:1312.6114.
    """
    return (mu * mu + np.expm1(logvar) - logvar).sum(axis=1) / 2


@checked
def kl_standard_normal_backward(grad_output, mu, logvar):
    """Gradients of `kl_standard_normal` for mu and logvar: towards 0 both.

    grad_mu = grad_output * mu,   grad_logvar = grad_output * (exp(logvar) - 1) / 2
    """
    g = grad_output[:, None]
    return g * mu, g * np.expm1(logvar) / 2


# ---------------------------------------------------------------------------------- how well it is rebuilt


@checked
def gaussian_nll(x, mean, var=1.0):
    """Minus the logarithm of the density of x under N(mean, var), added up over the pixels.

        nll = sum over D of (x - mean)**2 / (2 * var) + log(2 * pi * var) / 2

    Parameters
    ----------
    x, mean : array (N, D)     the picture and what the decoder makes of its code
    var : float > 0            one variance for all pixels

    Returns
    -------
    nll : array (N,)
    """
    difference = x - mean
    return (difference * difference).sum(axis=1) / (2 * var) + x.shape[1] * _half_log(var)


def _half_log(var):
    return 0.5 * float(np.log(2 * np.pi * var))


@checked
def gaussian_nll_backward(grad_output, x, mean, var=1.0):
    """Gradients of `gaussian_nll`: the error in units of the variance.

    grad_x = grad_output * (x - mean) / var,   grad_mean = -grad_x
    """
    grad_x = grad_output[:, None] * (x - mean) / var
    return grad_x, -grad_x


@checked
def bernoulli_nll(x, logits):
    """Minus the log-probability of pixels x that are on with probability sigmoid(logits), added up over them.

        nll = sum over D of softplus(logits) - x * logits

    Parameters
    ----------
    x : array (N, D) in [0, 1]
    logits : array (N, D)

    Returns
    -------
    nll : array (N,)
    """
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return (softplus - x * logits).sum(axis=1)


@checked
def bernoulli_nll_backward(grad_output, x, logits):
    """Gradients of `bernoulli_nll`.

    grad_x = -grad_output * logits,   grad_logits = grad_output * (sigmoid(logits) - x)
    """
    g = grad_output[:, None]
    return -g * logits, g * ((1 + np.tanh(logits / 2)) / 2 - x)


# -------------------------------------------------------------------------------------------- the bounds


@checked
def elbo(x, mean, mu, logvar, var=1.0, beta=1.0):
    """The evidence lower bound from one sample of the code: rebuild well, and say little.

        elbo = log N(x; mean, var) - beta * KL(N(mu, exp(logvar)) || N(0, 1))

    With beta = 1 its expectation is at most log p(x).

    Parameters
    ----------
    x, mean : array (N, D)                 `mean` is the decoder's picture of a sampled code
    mu : array (N, K)
    logvar : array (N, K) in [-80, 80]
    var : float > 0
    beta : float >= 0

    Returns
    -------
    elbo : array (N,)

    References
    ----------
    Kingma & Welling (2014), arXiv:1312.6114.
    """
    return -gaussian_nll.unchecked(x, mean, var) - beta * kl_standard_normal.unchecked(mu, logvar)


@checked
def elbo_backward(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    """Gradients of `elbo` for x, mean, mu and logvar; what reaches mu through the sampled code comes on top.

    grad_mean = grad_output * (x - mean) / var,   grad_mu = -beta * grad_output * mu
    """
    rebuilt = gaussian_nll_backward.unchecked(-grad_output, x, mean, var)
    return *rebuilt, *kl_standard_normal_backward.unchecked(-beta * grad_output, mu, logvar)


@checked
def importance_weighted_bound(log_w):
    """A bound on log p(x) from S samples: the logarithm of the mean weight.

        bound = log(mean over S of exp(log_w)),   log_w = log p(x, z) - log q(z | x)

    Parameters
    ----------
    log_w : array (N, S)     one weight for each sample of the code

    Returns
    -------
    bound : array (N,)

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519.
    """
    top = log_w.max(axis=1, keepdims=True)
    return np.log(np.exp(log_w - top).mean(axis=1)) + top[:, 0]


@checked
def importance_weighted_bound_backward(grad_output, log_w):
    """Gradient of `importance_weighted_bound`: each sample by its share of the weight.

    grad_log_w = grad_output * softmax(log_w)
    """
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return grad_output[:, None] * w / w.sum(axis=1, keepdims=True)


# ------------------------------------------------------------------------------------ the linear relatives


@checked
def linear_vae_elbo(x, weight, encoder, logvar, log_noise):
    """The evidence lower bound of a linear VAE, with the expectation over the code worked out.

        q(z | x) = N(x @ encoder.T, diag(exp(logvar))),   p(x | z) = N(z @ weight.T, exp(log_noise))
        elbo = -(|x - mu @ weight.T|**2 + sum(exp(logvar) * |weight's columns|**2)) / (2 * exp(log_noise))
               - D * (log(2 * pi) + log_noise) / 2 - KL(q || N(0, 1)),   mu = x @ encoder.T

    Parameters
    ----------
    x : array (N, D)                      centered
    weight : array (D, K)
    encoder : array (K, D)
    logvar : array (K,) in [-80, 80]
    log_noise : array () in [-80, 80]     the logarithm of the noise variance

    Returns
    -------
    elbo : array (N,)

    References
    ----------
    Lucas, Tucker, Grosse & Norouzi (2019), arXiv:1911.02469.
    """
    log_noise = x.dtype.type(log_noise)  # it may come as a plain number
    mu = x @ encoder.T
    error = x - mu @ weight.T
    spread = np.exp(logvar) @ (weight * weight).sum(axis=0)  # what the width of q adds to the error
    rebuilt = ((error * error).sum(axis=1) + spread) * np.exp(-log_noise)
    rebuilt = rebuilt + x.shape[1] * (x.dtype.type(np.log(2 * np.pi)) + log_noise)
    kl = (mu * mu).sum(axis=1) + (np.expm1(logvar) - logvar).sum()
    return -(rebuilt + kl) / 2


@checked
def linear_vae_elbo_backward(grad_output, x, weight, encoder, logvar, log_noise):
    """Gradients of `linear_vae_elbo` for x, weight, encoder, logvar and log_noise.

    grad_error = -grad_output * error * exp(-log_noise),   grad_mu = -grad_error @ weight - grad_output * mu
    """
    log_noise = x.dtype.type(log_noise)
    g, total, precision = grad_output[:, None], grad_output.sum(), np.exp(-log_noise)
    mu, sigma2, squares = x @ encoder.T, np.exp(logvar), (weight * weight).sum(axis=0)
    error = x - mu @ weight.T
    grad_error = -g * error * precision
    grad_mu = -grad_error @ weight - g * mu
    grad_weight = -grad_error.T @ mu - total * precision * weight * sigma2
    grad_logvar = -total * (precision * sigma2 * squares + np.expm1(logvar)) / 2
    missed = (error * error).sum(axis=1) + sigma2 @ squares
    grad_log_noise = (grad_output @ missed * precision - x.shape[1] * total) / 2
    return grad_error + grad_mu @ encoder, grad_weight, grad_mu.T @ x, grad_logvar, grad_log_noise


@checked
def ppca(x, k):
    """The most likely model x = mean + weight @ z + noise with k normal factors z.

        weight = components.T * sqrt(variances - var),   var = the mean of the D - k smallest variances

    Parameters
    ----------
    x : array (N, D) finite
    k : int in [1, D)

    Returns
    -------
    mean : array (D,)
    weight : array (D, K)
    var : array ()            the variance of the noise

    References
    ----------
    Tipping & Bishop (1999), Journal of the Royal Statistical Society B 61, 611-622.
    """
    if len(x) <= x.shape[1]:
        raise ValueError(f"ppca: x has N = {len(x)} rows; expected more than D = {x.shape[1]}")
    mean, components = pca.unchecked(x, x.shape[1])
    variances = (((x - mean) @ components.T) ** 2).mean(axis=0)
    var = variances[k:].mean()
    spread = np.maximum(variances[:k] - var, 0)  # rounding may go below 0 where all variances are equal
    return mean, components[:k].T * np.sqrt(spread), var


@checked
def ppca_log_likelihood(x, mean, weight, var):
    """The logarithm of the density of x when x = mean + weight @ z + noise.

        log p(x) = log N(x; mean, C),   C = weight @ weight.T + var * identity

    Parameters
    ----------
    x : array (N, D)
    mean : array (D,)
    weight : array (D, K)
    var : array () > 0

    Returns
    -------
    log_p : array (N,)
    """
    covariance = weight @ weight.T + var * np.eye(len(mean), dtype=x.dtype)
    centered = x - mean
    distance = (centered * np.linalg.solve(covariance, centered.T).T).sum(axis=1)
    constant = len(mean) * float(np.log(2 * np.pi)) + np.linalg.slogdet(covariance)[1]
    return -(distance + constant) / 2
