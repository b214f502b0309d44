"""Exercises of notebook 17, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.autoencoder import in_numpy
from nnlib.core import Case
from nnlib.exercises import Exercise

# ------------------------------------------------------------------------------------------ sparse codes

kl_sparsity = Exercise(
    solution=in_numpy.kl_sparsity,
    hints=[
        "First the mean activity of each unit over the samples: `mean = code.mean(axis=0)`, K numbers.",
        "A unit is a coin that is on with probability `mean`; it should be one with `rho`. The divergence of "
        "two coins has two terms, one for on and one for off.",
        "`rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))`, then the sum over the "
        "units.",
    ],
    next="its backward, `autoencoder.kl_sparsity_backward`, is the same for every sample: why?",
)


def _coins(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


@kl_sparsity.mistake(
    "Your divergence is the other way round, of the mean activity from rho. The wished-for rho comes first: "
    "it weighs the two logarithms."
)
def reversed_divergence(code, rho=0.05):
    return _coins(code.mean(axis=0), rho).sum()


@kl_sparsity.mistake(
    "You compared every single code with rho and then averaged. A unit may be fully on for a sample; only "
    "its mean over the samples should be rho. Average the codes first."
)
def each_sample(code, rho=0.05):
    return _coins(rho, code).mean(axis=0).sum()


@kl_sparsity.mistake("You averaged over the units of a sample. The mean is over the samples, `axis=0`.")
def mean_over_units(code, rho=0.05):
    return _coins(rho, code.mean(axis=1)).sum()


@kl_sparsity.mistake("You averaged over the units. Each unit pays its own price: add them up.")
def averaged(code, rho=0.05):
    return _coins(rho, code.mean(axis=0)).mean()


@kl_sparsity.mistake(
    "You left out the units that are off: the term with 1 - rho. Without it a unit that is always on costs "
    "nothing, it even pays."
)
def only_on(code, rho=0.05):
    return (rho * np.log(rho / code.mean(axis=0))).sum()


@kl_sparsity.mistake(
    "You took one mean over samples and units. Each unit has its own: `axis=0`, then the sum over the units."
)
def one_mean(code, rho=0.05):
    return code.shape[1] * _coins(rho, code.mean())


@kl_sparsity.mistake("You took one mean over samples and units. Each unit has its own: `axis=0`.")
def one_coin(code, rho=0.05):
    return _coins(rho, code.mean())


@kl_sparsity.mistake(
    "The divergence of every single code is added up here. Average each unit's codes first, `axis=0`; then "
    "one divergence for each unit."
)
def each_sample_added(code, rho=0.05):
    return _coins(rho, code).sum()


@kl_sparsity.mistake(
    "One of the two terms has the wrong sign, or the fraction in its logarithm is upside down."
)
def minus_off(code, rho=0.05):
    mean = code.mean(axis=0)
    return (rho * np.log(rho / mean) - (1 - rho) * np.log((1 - rho) / (1 - mean))).sum()


@kl_sparsity.mistake("Your sign is the wrong one: a divergence is never negative.")
def negative(code, rho=0.05):
    return -_coins(rho, code.mean(axis=0)).sum()


@kl_sparsity.mistake(
    "This is the cross-entropy of the two coins. The divergence subtracts the entropy of rho, so that it is "
    "0 when the mean activity is rho."
)
def cross_entropy(code, rho=0.05):
    mean = code.mean(axis=0)
    return -(rho * np.log(mean) + (1 - rho) * np.log(1 - mean)).sum()


@kl_sparsity.mistake(
    "You added the codes up over the samples. rho is a share, so compare it with the mean, `axis=0`."
)
def summed_codes(code, rho=0.05):
    with np.errstate(all="ignore"):
        return _coins(rho, code.sum(axis=0)).sum()


@kl_sparsity.mistake("You took the logarithm to base 2. The price is in nats: np.log.")
def in_bits(code, rho=0.05):
    return _coins(rho, code.mean(axis=0)).sum() / np.log(2).astype(code.dtype)


@kl_sparsity.mistake("Your rho is always 0.05. Take `rho`.")
def fixed_rho(code, rho=0.05):
    return _coins(0.05, code.mean(axis=0)).sum()


@kl_sparsity.mistake(
    "The weights of the two logarithms are exchanged: rho belongs to the units that are on, 1 - rho to those "
    "that are off."
)
def weights_exchanged(code, rho=0.05):
    mean = code.mean(axis=0)
    return ((1 - rho) * np.log(rho / mean) + rho * np.log((1 - rho) / (1 - mean))).sum()


@kl_sparsity.mistake("The second logarithm has no weight. A unit is off with probability 1 - rho.")
def off_unweighted(code, rho=0.05):
    mean = code.mean(axis=0)
    return (rho * np.log(rho / mean) + np.log((1 - rho) / (1 - mean))).sum()


@kl_sparsity.mistake("The two logarithms have no weights: rho for on, 1 - rho for off.")
def both_unweighted(code, rho=0.05):
    mean = code.mean(axis=0)
    return (np.log(rho / mean) + np.log((1 - rho) / (1 - mean))).sum()


@kl_sparsity.mistake("You compared on with off: rho belongs with the mean activity, 1 - rho with 1 minus it.")
def crossed_fractions(code, rho=0.05):
    return _coins(rho, 1 - code.mean(axis=0)).sum()


@kl_sparsity.mistake(
    "This is the squared distance of the mean activity from rho. A divergence was asked for, with logarithms."
)
def squared_distance(code, rho=0.05):
    return ((code.mean(axis=0) - rho) ** 2).sum()


@kl_sparsity.mistake(
    "This is the distance of the mean activity from rho. A divergence was asked for, with logarithms."
)
def distance(code, rho=0.05):
    return np.abs(code.mean(axis=0) - rho).sum()


@kl_sparsity.mistake(
    "This is the other price, the sum of absolute values. Here the divergence of two coins was asked for."
)
def l1_penalty(code, rho=0.05):
    return np.abs(code).sum()


@kl_sparsity.mistake("You took the logarithm to base 10. The price is in nats: np.log.")
def to_base_10(code, rho=0.05):
    return _coins(rho, code.mean(axis=0)).sum() / np.log(10).astype(code.dtype)


# ------------------------------------------------------------------------------------- the linear one

linear_autoencoder_backward = Exercise(
    solution=in_numpy.linear_autoencoder_backward,
    hints=[
        "Two layers: `code = x @ encoder.T` (N, K) and `y = code @ decoder.T` (N, D). Go back through the "
        "second first.",
        "`grad_decoder` has the shape (D, K) of the decoder: only `grad_output.T @ code` fits. And the code "
        "gets `grad_output @ decoder`.",
        "`grad_code = grad_output @ decoder`, then `grad_code.T @ x` for the encoder and `grad_code @ "
        "encoder` for x.",
    ],
    next="set the gradients to 0 and solve: the best decoder for a given encoder is least squares.",
)


@linear_autoencoder_backward.mistake(
    "Your `grad_encoder` is transposed: a gradient has the shape of its array, (K, D)."
)
def transposed_encoder(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder, x.T @ grad_code, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_decoder` is transposed: a gradient has the shape of its array, (D, K)."
)
def transposed_decoder(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder, grad_code.T @ x, (x @ encoder.T).T @ grad_output


@linear_autoencoder_backward.mistake(
    "You sent the gradient back through the encoder where the decoder stands. What came forward through "
    "`decoder.T` goes back through `decoder`."
)
def through_the_encoder(grad_output, x, encoder, decoder):
    grad_code = grad_output @ encoder.T
    return grad_code @ encoder, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "You divided by the number of samples. A mean belongs to the loss and is in `grad_output` already."
)
def averaged_over_samples(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    n = len(x)
    return grad_code @ encoder, grad_code.T @ x / n, grad_output.T @ (x @ encoder.T) / n


@linear_autoencoder_backward.mistake(
    "Your `grad_x` stops at the code: one more layer lies in front of it. Multiply by `encoder`."
)
def stopped_at_the_code(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_x` also holds the path through the target, -grad_output. That belongs to the loss, where x "
    "stands a second time; this function has x as its input only."
)
def with_the_target(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder - grad_output, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "You tied the weights: encoder and decoder get one sum of gradients. Here they are two arrays, each with "
    "a gradient of its own."
)
def tied(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    both = grad_code.T @ x + (grad_output.T @ (x @ encoder.T)).T
    return grad_code @ encoder, both, both.T


@linear_autoencoder_backward.mistake(
    "There is a factor 2 of a squared error in your gradients. The loss is not part of this function."
)
def with_a_loss(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return 2 * grad_code @ encoder, 2 * grad_code.T @ x, 2 * grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_decoder` multiplies `grad_output` by the code's gradient. What the decoder read is the code "
    "itself."
)
def decoder_meets_the_gradient(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder, grad_code.T @ x, grad_output.T @ grad_code


@linear_autoencoder_backward.mistake(
    "Your `grad_encoder` multiplies x by the code. What arrives there is the gradient of the code."
)
def encoder_meets_the_code(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder, (x @ encoder.T).T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_decoder` takes the output for the decoder's input. What it read is the code."
)
def decoder_meets_the_output(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    y = x @ encoder.T @ decoder.T
    return grad_code @ encoder, grad_code.T @ x, grad_output.T @ (y @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_x` is `grad_output`, as it came in. Two layers lie between them."
)
def nothing_in_between(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_output, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake(
    "Your `grad_x` goes through the decoder twice. The first layer is the encoder."
)
def x_through_the_decoder(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ decoder.T, grad_code.T @ x, grad_output.T @ (x @ encoder.T)


@linear_autoencoder_backward.mistake("You computed the code with the decoder. It is `x @ encoder.T`.")
def code_by_the_decoder(grad_output, x, encoder, decoder):
    grad_code = grad_output @ decoder
    return grad_code @ encoder, grad_code.T @ x, grad_output.T @ (x @ decoder)


# ---------------------------------------------------------------------------------- chance, trainable

reparameterize_backward = Exercise(
    solution=in_numpy.reparameterize_backward,
    hints=[
        "`z = mu + std * noise` with `std = exp(logvar / 2)`. What is the slope of z for mu?",
        "Chain rule for logvar: dz / dstd = noise, and dstd / dlogvar = std / 2.",
        "`grad_output`, `grad_output * noise * np.exp(logvar / 2) / 2`, and `None`, since the noise is "
        "given.",
    ],
    next="put it between a decoder's and an encoder's backward: that is a variational autoencoder.",
)


@reparameterize_backward.mistake(
    "You lost the factor 1/2: the derivative of exp(logvar / 2) is half of itself."
)
def no_half(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise * np.exp(logvar / 2), None


@reparameterize_backward.mistake(
    "You took exp(logvar), the variance. The noise is scaled by the standard deviation, exp(logvar / 2)."
)
def variance(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise * np.exp(logvar) / 2, None


@reparameterize_backward.mistake(
    "Your gradient for logvar is that of the standard deviation. One link of the chain is missing: "
    "dstd / dlogvar = std / 2."
)
def for_the_deviation(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise, None


@reparameterize_backward.mistake(
    "Your gradient for logvar does not hold the noise. The same noise that moved z forward weighs the "
    "gradient."
)
def no_noise(grad_output, mu, logvar, noise):
    return grad_output, grad_output * np.exp(logvar / 2) / 2, None


@reparameterize_backward.mistake(
    "You returned a gradient for the noise. It is drawn, not learned: return None in its place."
)
def noise_learns(grad_output, mu, logvar, noise):
    std = np.exp(logvar / 2)
    return grad_output, grad_output * noise * std / 2, grad_output * std


@reparameterize_backward.mistake(
    "Your gradient for mu is scaled by the standard deviation. mu is added to z as it is: its slope is 1."
)
def scaled_mu(grad_output, mu, logvar, noise):
    std = np.exp(logvar / 2)
    return grad_output * std, grad_output * noise * std / 2, None


@reparameterize_backward.mistake(
    "You added the gradients of all samples up. Each sample has its own mu and logvar; nothing is shared."
)
def added_up(grad_output, mu, logvar, noise):
    grad_logvar = grad_output * noise * np.exp(logvar / 2) / 2
    return grad_output.sum(axis=0), grad_logvar.sum(axis=0), None


@reparameterize_backward.mistake(
    "You took exp(logvar), the variance. The noise is scaled by exp(logvar / 2), and its derivative has a "
    "factor 1/2."
)
def variance_and_no_half(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise * np.exp(logvar), None


@reparameterize_backward.mistake(
    "`grad_output` is missing in your gradient for logvar: what arrives multiplies every slope."
)
def grad_output_only_for_mu(grad_output, mu, logvar, noise):
    return grad_output, noise * np.exp(logvar / 2) / 2, None


@reparameterize_backward.mistake(
    "Your gradient for logvar lost the standard deviation: the derivative of exp(logvar / 2) is half of "
    "itself."
)
def slope_of_the_exponent(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise / 2, None


@reparameterize_backward.mistake(
    "Your gradient for logvar has the standard deviation in the denominator. The slope of exp is exp itself."
)
def exp_with_a_minus(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise * np.exp(-logvar / 2) / 2, None


@reparameterize_backward.mistake(
    "You brought logvar down as a factor, as if exp were a power. The slope of exp(logvar / 2) is half of "
    "itself."
)
def power_rule(grad_output, mu, logvar, noise):
    return grad_output, grad_output * noise * np.exp(logvar / 2) * logvar / 2, None


@reparameterize_backward.mistake("Your gradient for mu has mu in it. z is mu plus something: the slope is 1.")
def mu_times_mu(grad_output, mu, logvar, noise):
    return grad_output * mu, grad_output * noise * np.exp(logvar / 2) / 2, None


@reparameterize_backward.mistake(
    "Your gradient for mu is 1. That is the slope; multiply it by what arrives, `grad_output`."
)
def ones_for_mu(grad_output, mu, logvar, noise):
    return np.ones_like(mu), grad_output * noise * np.exp(logvar / 2) / 2, None


# ---------------------------------------------------------------------------------------- the price

kl_standard_normal = Exercise(
    solution=in_numpy.kl_standard_normal,
    hints=[
        "For one number of the code: half of mu² + variance - 1 - log(variance).",
        "The variance is `np.exp(logvar)`, and its logarithm you already have.",
        "`(mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2`: one price per sample.",
    ],
    next="its gradient pulls mu and logvar to 0: `autoencoder.elbo_backward` holds it.",
)


@kl_standard_normal.mistake("You forgot the factor 1/2.")
def twice(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)


@kl_standard_normal.mistake(
    "You averaged over the numbers of the code. Information adds up: take the sum over K."
)
def averaged_code(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=1) / 2


@kl_standard_normal.mistake("You added the samples up too. Return one number per sample, `axis=1`.")
def one_number(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2


@kl_standard_normal.mistake(
    "The sign of the last logvar is wrong: a narrow q, with logvar far below 0, must cost a lot."
)
def wrong_sign(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 + logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("You forgot the -1: the divergence of N(0, 1) from itself must be 0.")
def not_zero(mu, logvar):
    return (mu**2 + np.exp(logvar) - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake(
    "You took logvar for the logarithm of the standard deviation. It is that of the variance."
)
def log_deviation(mu, logvar):
    with np.errstate(over="ignore"):
        return (mu**2 + np.exp(2 * logvar) - 1 - 2 * logvar).sum(axis=1) / 2


@kl_standard_normal.mistake(
    "This is the divergence the other way round, of N(0, 1) from q. q comes first: the samples come from it."
)
def of_the_prior(mu, logvar):
    with np.errstate(over="ignore"):
        return ((1 + mu**2) * np.exp(-logvar) - 1 + logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("You forgot to square mu.")
def not_squared(mu, logvar):
    return (mu + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake(
    "You averaged over the numbers of the code, and there is no factor 1/2: take half of the sum over K."
)
def averaged_in_place_of_half(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=1)


@kl_standard_normal.mistake("The -logvar is missing: without it a q without any noise costs hardly anything.")
def no_logvar(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1).sum(axis=1) / 2


@kl_standard_normal.mistake("mu is missing: a code far from 0 has its price, mu².")
def no_mu(mu, logvar):
    return (np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("You took logvar for the variance in one place: the variance is exp(logvar).")
def no_exp(mu, logvar):
    return (mu**2 + logvar - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake(
    "You took logvar for the variance. The variance is exp(logvar), and its logarithm you have already."
)
def logarithm_of_logvar(mu, logvar):
    with np.errstate(all="ignore"):
        return (mu**2 + logvar - 1 - np.log(logvar)).sum(axis=1) / 2


@kl_standard_normal.mistake("You took the standard deviation, exp(logvar / 2), where the variance stands.")
def deviation_for_variance(mu, logvar):
    return (mu**2 + np.exp(logvar / 2) - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("You squared the variance. exp(logvar) is the square of the deviation already.")
def variance_squared(mu, logvar):
    with np.errstate(over="ignore"):
        return (mu**2 + np.exp(logvar) ** 2 - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("You subtracted 1 once for a sample. It belongs to each number of the code.")
def one_for_all(mu, logvar):
    return ((mu**2 + np.exp(logvar) - logvar).sum(axis=1) - 1) / 2


@kl_standard_normal.mistake("Your factor 1/2 stands at logvar alone. It belongs to all four terms.")
def half_of_logvar_only(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar / 2).sum(axis=1)


@kl_standard_normal.mistake(
    "You divided mu² by the variance of q. It is measured in units of the prior's, which is 1."
)
def mu_in_deviations(mu, logvar):
    return (mu**2 / np.exp(logvar) + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


@kl_standard_normal.mistake("The sign of the 1 is wrong: the divergence of N(0, 1) from itself must be 0.")
def plus_one(mu, logvar):
    return (mu**2 + np.exp(logvar) + 1 - logvar).sum(axis=1) / 2


# ---------------------------------------------------------------------------------------- the bound

elbo_backward = Exercise(
    solution=in_numpy.elbo_backward,
    hints=[
        "elbo = -(x - mean)² / (2 var) - beta (mu² + exp(logvar) - 1 - logvar) / 2 + a constant, added up. "
        "It is to grow, so it has minus signs where the loss has plus.",
        "`g = grad_output[:, None]` gives each sample's gradient to all its pixels and code numbers.",
        "`grad_mean = g * (x - mean) / var` and `grad_x = -grad_mean`; `grad_mu = -beta * g * mu`; "
        "`grad_logvar = -beta * g * (np.exp(logvar) - 1) / 2`.",
    ],
    next="send grad_mean through the decoder; what arrives at z comes on top for mu and logvar.",
)


def _elbo_grads(grad_output, x, mean, mu, logvar, var, beta):
    return in_numpy.elbo_backward.unchecked(grad_output, x, mean, mu, logvar, var, beta)


@elbo_backward.mistake("All your signs are turned: this is the gradient of -elbo, the loss.")
def of_the_loss(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(-grad_output, x, mean, mu, logvar, var, beta)


@elbo_backward.mistake("You forgot var: an error counts in units of the pixels' variance.")
def no_variance(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(grad_output, x, mean, mu, logvar, 1.0, beta)


@elbo_backward.mistake("You forgot beta, which weighs the divergence.")
def no_beta(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(grad_output, x, mean, mu, logvar, var, 1.0)


@elbo_backward.mistake("beta weighs the divergence alone; you weighed the reconstruction with it as well.")
def beta_for_all(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(beta * grad_output, x, mean, mu, logvar, var, 1.0)


@elbo_backward.mistake(
    "Your gradients for x and mean are twice too large: the density has 2 var in its denominator, which "
    "takes the 2 of the square."
)
def factor_two(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grads = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return 2 * grads[0], 2 * grads[1], *grads[2:]


@elbo_backward.mistake(
    "Your gradients for x and mean have the opposite sign, or you returned them in exchanged order: "
    "grad_mean = g * (x - mean) / var moves the mean towards x."
)
def exchanged(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, *rest = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_mean, grad_x, *rest


@elbo_backward.mistake(
    "Your gradient for logvar never changes its sign: the -logvar of the divergence is missing in it. At "
    "logvar = 0 it must be 0."
)
def no_log(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    *rest, _ = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return *rest, -beta * grad_output[:, None] * np.exp(logvar) / 2


@elbo_backward.mistake("You divided by the number of samples. elbo returns one number per sample, no mean.")
def divided_by_n(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(grad_output / len(x), x, mean, mu, logvar, var, beta)


@elbo_backward.mistake("Your gradients for mu and logvar have the wrong sign: the divergence is subtracted.")
def price_with_a_plus(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, -grad_mu, -grad_logvar


@elbo_backward.mistake("You divided by var². var is the variance already, the square of the deviation.")
def var_squared(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x / var, grad_mean / var, grad_mu, grad_logvar


@elbo_backward.mistake("You divided by the root of var. The density has var itself in its denominator.")
def by_the_deviation(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    root = x.dtype.type(np.sqrt(var))
    return grad_x * root, grad_mean * root, grad_mu, grad_logvar


@elbo_backward.mistake("You multiplied by var. The less noise, the more an error counts: divide.")
def times_var(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x * var * var, grad_mean * var * var, grad_mu, grad_logvar


@elbo_backward.mistake("You divided by 2 var. The 2 is taken by the slope of the square.")
def two_var(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x / 2, grad_mean / 2, grad_mu, grad_logvar


@elbo_backward.mistake("You forgot beta in the gradient for logvar. It weighs the whole divergence.")
def logvar_without_beta(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu, grad_logvar / beta


@elbo_backward.mistake("You forgot beta in the gradient for mu. It weighs the whole divergence.")
def mu_without_beta(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu / beta, grad_logvar


@elbo_backward.mistake("You divided by beta. It multiplies the divergence.")
def by_beta(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu / beta**2, grad_logvar / beta**2


@elbo_backward.mistake(
    "Your gradient for logvar is twice too large: the factor 1/2 of the divergence is missing in it."
)
def logvar_without_half(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu, 2 * grad_logvar


@elbo_backward.mistake(
    "Your gradient for mu is half of what it should be. The 1/2 of the divergence is taken by the slope of "
    "the square."
)
def half_of_mu(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu / 2, grad_logvar


@elbo_backward.mistake("Your gradient for mu is twice too large: the divergence has half of mu².")
def twice_mu(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, 2 * grad_mu, grad_logvar


@elbo_backward.mistake(
    "In your gradient for logvar you took logvar for the variance. The variance is exp(logvar)."
)
def logvar_without_exp(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu, -beta * grad_output[:, None] * (logvar - 1) / 2


@elbo_backward.mistake(
    "This is the gradient for the variance, 1 - 1 / variance. For its logarithm the chain rule multiplies by "
    "the variance."
)
def slope_for_the_variance(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu, -beta * grad_output[:, None] * (1 - np.exp(-logvar)) / 2


@elbo_backward.mistake(
    "In your gradient for logvar you took the standard deviation, exp(logvar / 2). The variance is "
    "exp(logvar)."
)
def logvar_by_the_deviation(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x, grad_mean, grad_mu, -beta * grad_output[:, None] * (np.exp(logvar / 2) - 1) / 2


@elbo_backward.mistake("`grad_output` is missing: what arrives at a sample multiplies all of its gradients.")
def no_grad_output(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    return _elbo_grads(np.ones_like(grad_output), x, mean, mu, logvar, var, beta)


@elbo_backward.mistake("`grad_output` is missing in the gradients for mu and logvar.")
def price_without_grad_output(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    right = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    price = _elbo_grads(np.ones_like(grad_output), x, mean, mu, logvar, var, beta)
    return *right[:2], *price[2:]


@elbo_backward.mistake(
    "Your gradient for x is 0. Here x is an input like mean: the density depends on their difference."
)
def x_held_fixed(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return 0 * grad_x, grad_mean, grad_mu, grad_logvar


@elbo_backward.mistake(
    "Your gradients for x and mean are the same. They stand in a difference: one has a minus."
)
def x_like_mean(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_mean.copy(), grad_mean, grad_mu, grad_logvar


@elbo_backward.mistake(
    "You averaged over the pixels. A density multiplies over them, so its logarithm adds up."
)
def averaged_over_pixels(grad_output, x, mean, mu, logvar, var=1.0, beta=1.0):
    grad_x, grad_mean, grad_mu, grad_logvar = _elbo_grads(grad_output, x, mean, mu, logvar, var, beta)
    return grad_x / x.shape[1], grad_mean / x.shape[1], grad_mu, grad_logvar


# ------------------------------------------------------------------------------------- many samples


def _bound_cases(rng):
    for case in core.load("autoencoder", "cases").cases(rng):
        if case.name == "importance_weighted_bound":
            yield case
    yield Case("importance_weighted_bound", dict(log_w=rng.normal(-1000, 2, size=(3, 4))), "far below 0")


importance_weighted_bound = Exercise(
    solution=in_numpy.importance_weighted_bound,
    hints=[
        "In words: exponentiate the log-weights of a row, average them, take the logarithm.",
        "exp(1000) overflows. Subtract the largest log-weight of each row first, and add it again at the "
        "end: the trick of softmax.",
        "`top = log_w.max(axis=1, keepdims=True)`, then `np.log(np.exp(log_w - top).mean(axis=1)) + top[:, "
        "0]`.",
    ],
    next="its gradient is softmax(log_w): the best samples teach the most.",
    cases=lambda rng: list(_bound_cases(rng)),
)


def _logsumexp(log_w):
    top = log_w.max(axis=1, keepdims=True)
    return np.log(np.exp(log_w - top).sum(axis=1)) + top[:, 0]


@importance_weighted_bound.mistake(
    "This is the mean of the logarithms: the plain ELBO, a looser bound. Average the weights first, then "
    "take the logarithm."
)
def mean_of_logs(log_w):
    return log_w.mean(axis=1)


@importance_weighted_bound.mistake(
    "You added the weights up instead of averaging: the bound is too high by log(S), and no bound any more."
)
def sum_of_weights(log_w):
    return _logsumexp(log_w)


@importance_weighted_bound.mistake(
    "exp overflows or underflows for large log-weights. Subtract the largest of each row before exp and add "
    "it after log."
)
def no_shift(log_w):
    with np.errstate(all="ignore"):
        return np.log(np.exp(log_w).mean(axis=1))


@importance_weighted_bound.mistake(
    "You subtracted one maximum for all rows. A row far below it underflows to log(0): subtract each row's "
    "own, `axis=1`."
)
def one_maximum(log_w):
    top = log_w.max()
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_w - top).mean(axis=1)) + top


@importance_weighted_bound.mistake(
    "You forgot to add the largest log-weight again, which you had subtracted for safety."
)
def not_added_again(log_w):
    return _logsumexp(log_w - log_w.max(axis=1, keepdims=True)) - log_w.dtype.type(np.log(log_w.shape[1]))


@importance_weighted_bound.mistake("You averaged over the rows. The S samples of one row lie along `axis=1`.")
def over_rows(log_w):
    return _logsumexp(log_w.T) - log_w.dtype.type(np.log(len(log_w)))


@importance_weighted_bound.mistake("You subtracted log(N), the number of rows. It is log(S), of the samples.")
def wrong_count(log_w):
    return _logsumexp(log_w) - log_w.dtype.type(np.log(len(log_w)))


@importance_weighted_bound.mistake(
    "You kept the best sample alone, but the others count in the mean of the S weights too."
)
def only_the_best(log_w):
    return log_w.max(axis=1) - log_w.dtype.type(np.log(log_w.shape[1]))


@importance_weighted_bound.mistake("You averaged over all rows as well. Return one bound per row.")
def one_bound(log_w):
    return (_logsumexp(log_w) - log_w.dtype.type(np.log(log_w.shape[1]))).mean()


@importance_weighted_bound.mistake(
    "You subtracted the largest log-weight once more at the end. It was taken away before exp: add it again."
)
def subtracted_twice(log_w):
    top = log_w.max(axis=1)
    return np.log(np.exp(log_w - top[:, None]).mean(axis=1)) - top


@importance_weighted_bound.mistake(
    "This is the largest log-weight of each row. The other samples count in the mean too."
)
def only_the_maximum(log_w):
    return log_w.max(axis=1)


@importance_weighted_bound.mistake(
    "You added the largest log-weight to the mean of the shifted weights. The logarithm of that mean is "
    "missing."
)
def no_logarithm(log_w):
    top = log_w.max(axis=1)
    return top + np.exp(log_w - top[:, None]).mean(axis=1)


@importance_weighted_bound.mistake(
    "This is the mean weight. Its logarithm is wanted: a weight of exp(1000) is no number here."
)
def weight_itself(log_w):
    with np.errstate(all="ignore"):
        return np.exp(log_w).mean(axis=1)


@importance_weighted_bound.mistake(
    "You divided by S after the logarithm. The mean is taken before: inside, or as - log(S)."
)
def divided_after_the_logarithm(log_w):
    return _logsumexp(log_w) / log_w.shape[1]


@importance_weighted_bound.mistake("You added log(S). A mean divides by S, so its logarithm is subtracted.")
def plus_log_s(log_w):
    return _logsumexp(log_w) + log_w.dtype.type(np.log(log_w.shape[1]))


@importance_weighted_bound.mistake(
    "You subtracted the mean of each row, or the smallest. A weight far above it overflows: subtract the "
    "largest."
)
def mean_as_shift(log_w):
    top = log_w.mean(axis=1)
    with np.errstate(over="ignore"):
        return np.log(np.exp(log_w - top[:, None]).mean(axis=1)) + top


@importance_weighted_bound.mistake(
    "You subtracted the largest absolute value. In a row far below 0 every exp becomes 0 then: take the "
    "largest itself."
)
def largest_by_size(log_w):
    top = np.abs(log_w).max(axis=1)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_w - top[:, None]).mean(axis=1)) + top
