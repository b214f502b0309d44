"""Exercises of notebook 18, and the ways in which the two players are usually wired wrong."""

import numpy as np

from nnlib.activations.in_numpy import sigmoid
from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.gan import in_numpy

# ------------------------------------------------------------------------- non_saturating_generator_backward

non_saturating_generator_backward = Exercise(
    solution=in_numpy.non_saturating_generator_backward,
    hints=[
        "One score s costs -log sigmoid(s) = log(1 + exp(-s)). What is its slope?",
        "The chain rule gives -exp(-s) / (1 + exp(-s)), which is -sigmoid(-s): near -1 where D is sure "
        "that the sample is fake, near 0 where D is fooled.",
        "The loss is a mean over all `fake.size` scores, so each slope is divided by it: "
        "`-grad_output * sigmoid(-fake) / fake.size`. A safe sigmoid is `0.5 * (1 + np.tanh(0.5 * x))`.",
    ],
    next="the discriminator's side, with label smoothing.",
)


@non_saturating_generator_backward.mistake(
    "This is the gradient of the saturating loss, mean log(1 - D). Where D is sure that a sample is fake, "
    "it is 0: the generator that needs help most gets none. The non-saturating loss is -mean log D."
)
def saturating(grad_output, fake):
    return -grad_output * sigmoid(fake) / fake.size


@non_saturating_generator_backward.mistake(
    "You left out the mean: each score has a share of 1 / fake.size in the loss."
)
def no_mean(grad_output, fake):
    return -grad_output * sigmoid(-fake)


@non_saturating_generator_backward.mistake(
    "The sign is the other way round. A higher score lowers the generator's loss, so its gradient is "
    "negative."
)
def uphill(grad_output, fake):
    return grad_output * sigmoid(-fake) / fake.size


@non_saturating_generator_backward.mistake(
    "This is the slope of -D itself, with sigmoid * (1 - sigmoid). The logarithm is missing, and with it the "
    "factor 1 / D that keeps the gradient alive where D is near 0."
)
def no_logarithm(grad_output, fake):
    return -grad_output * sigmoid(fake) * sigmoid(-fake) / fake.size


@non_saturating_generator_backward.mistake(
    "You divided by the number of rows. Scores may have more axes, a column or patches: divide by "
    "`fake.size`."
)
def by_rows(grad_output, fake):
    return -grad_output * sigmoid(-fake) / len(fake)


@non_saturating_generator_backward.mistake(
    "You did not use `grad_output`. The loss may be one term of several, weighted before it arrives here."
)
def no_grad_output(grad_output, fake):
    return -sigmoid(-fake) / fake.size


@non_saturating_generator_backward.mistake(
    "This is the discriminator's gradient for generated samples: it pushes their scores down. The generator "
    "wants them up."
)
def of_the_discriminator(grad_output, fake):
    return grad_output * sigmoid(fake) / fake.size


@non_saturating_generator_backward.mistake(
    "You multiplied by softplus itself. Its slope is wanted, a sigmoid."
)
def the_loss_for_its_slope(grad_output, fake):
    return -grad_output * np.logaddexp(0, -fake) / fake.size


@non_saturating_generator_backward.mistake(
    "This is the gradient of the Wasserstein game, the same for every score. Here a fooled D pulls less."
)
def of_wasserstein(grad_output, fake):
    return np.full_like(fake, -grad_output / fake.size)


@non_saturating_generator_backward.mistake(
    "This is the gradient of the least-squares game, a score minus 1. Here the loss is softplus(-fake)."
)
def of_least_squares(grad_output, fake):
    return grad_output * (fake - 1) / fake.size


@non_saturating_generator_backward.mistake(
    "You took 1 / D for the slope of log D. It goes on through D to the score: times D * (1 - D)."
)
def one_over_d(grad_output, fake):
    with np.errstate(all="ignore"):
        return -grad_output / (0.5 * (1 + np.tanh(0.5 * fake))) / fake.size


# --------------------------------------------------------------------------- minimax_discriminator_backward

minimax_discriminator_backward = Exercise(
    solution=in_numpy.minimax_discriminator_backward,
    hints=[
        "Two cross-entropies with a sigmoid, as in notebook 06: the gradient for a score is what D says "
        "minus what it should say.",
        "Real samples should get `real_label`, generated ones 0. Each half is a mean over its own scores.",
        "`grad_output * (sigmoid(real) - real_label) / real.size` and `grad_output * sigmoid(fake) / "
        "fake.size`.",
    ],
    next="what the generator feels through it.",
)


@minimax_discriminator_backward.mistake(
    "You used the label 1 for real samples. With one-sided smoothing they should get `real_label`."
)
def hard_label(grad_output, real, fake, real_label=1.0):
    return in_numpy.minimax_discriminator_backward.unchecked(grad_output, real, fake, 1.0)


@minimax_discriminator_backward.mistake(
    "You smoothed both sides: generated samples should get the label 0, not 1 - real_label. Smoothing them "
    "too would reward the generator for staying where it is; that is why the smoothing is one-sided."
)
def two_sided(grad_output, real, fake, real_label=1.0):
    grad_real, _ = in_numpy.minimax_discriminator_backward.unchecked(grad_output, real, fake, real_label)
    return grad_real, grad_output * (sigmoid(fake) - (1 - real_label)) / fake.size


@minimax_discriminator_backward.mistake(
    "You scaled the gradient of the real samples by `real_label`. Smoothing also adds the other answer, with "
    "weight 1 - real_label: together they give sigmoid(real) - real_label."
)
def scaled_real(grad_output, real, fake, real_label=1.0):
    _, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(grad_output, real, fake, real_label)
    return grad_output * real_label * (sigmoid(real) - 1) / real.size, grad_fake


@minimax_discriminator_backward.mistake(
    "You divided both halves by the number of all scores. The loss is the mean over the real ones plus the "
    "mean over the generated ones, each with its own size."
)
def one_mean(grad_output, real, fake, real_label=1.0):
    both = real.size + fake.size
    return grad_output * (sigmoid(real) - real_label) / both, grad_output * sigmoid(fake) / both


@minimax_discriminator_backward.mistake("You left out the means: divide by `real.size` and by `fake.size`.")
def no_means(grad_output, real, fake, real_label=1.0):
    return grad_output * (sigmoid(real) - real_label), grad_output * sigmoid(fake)


@minimax_discriminator_backward.mistake(
    "The generated half has the wrong sign: you taught D to call generated samples real. That is the "
    "generator's wish, not the discriminator's."
)
def fooled(grad_output, real, fake, real_label=1.0):
    grad_real, _ = in_numpy.minimax_discriminator_backward.unchecked(grad_output, real, fake, real_label)
    return grad_real, -grad_output * sigmoid(-fake) / fake.size


@minimax_discriminator_backward.mistake(
    "You did not use `grad_output`. The loss may be weighted before it arrives here: both gradients are "
    "multiplied by it."
)
def no_grad_output_for_d(grad_output, real, fake, real_label=1.0):
    return (sigmoid(real) - real_label) / real.size, sigmoid(fake) / fake.size


@minimax_discriminator_backward.mistake(
    "You subtracted `real_label` from both halves. Generated samples should get 0."
)
def label_for_both(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_real, grad_output * (sigmoid(fake) - real_label) / fake.size


@minimax_discriminator_backward.mistake(
    "You exchanged the two halves: it is the real scores that should get `real_label`, and the generated "
    "ones 0."
)
def roles_exchanged(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_output * sigmoid(real) / real.size, grad_output * (sigmoid(fake) - real_label) / fake.size


@minimax_discriminator_backward.mistake(
    "You divided both halves by `real.size`. Each is a mean over its own scores."
)
def real_size_for_both(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_real, grad_fake * fake.size / real.size


@minimax_discriminator_backward.mistake("Your gradients are halved. The two means are added, not averaged.")
def halved(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_real / 2, grad_fake / 2


@minimax_discriminator_backward.mistake(
    "You divided by the number of rows. Scores may have more axes: divide by `real.size` and `fake.size`."
)
def both_by_rows(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_real * (real.size / len(real)), grad_fake * (fake.size / len(fake))


@minimax_discriminator_backward.mistake("You took the scores for what D says. That is their sigmoid.")
def scores_for_probabilities(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_output * (real - real_label) / real.size, grad_output * fake / fake.size


@minimax_discriminator_backward.mistake(
    "You multiplied by the slope of the sigmoid as well. With softplus it has cancelled: what D says minus "
    "the label is all."
)
def slope_of_sigmoid_too(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    r, f = sigmoid(real), sigmoid(fake)
    return grad_real * r * (1 - r), grad_fake * f * (1 - f)


@minimax_discriminator_backward.mistake("`grad_output` is missing in the gradient of the generated half.")
def grad_output_for_real_only(grad_output, real, fake, real_label=1.0):
    grad_real, grad_fake = in_numpy.minimax_discriminator_backward.unchecked(
        grad_output, real, fake, real_label
    )
    return grad_real, sigmoid(fake) / fake.size


# ------------------------------------------------------------------------------------- extragradient_step


def extragradient_step(x, y, lr=0.1):
    """One step of the extragradient method for min over x, max over y of x @ y.

    Parameters
    ----------
    x, y : array (D,)
    lr : float >= 0

    Returns
    -------
    x, y : array (D,)
    """
    return x - lr * (y + lr * x), y + lr * (x - lr * y)


def _game_cases(rng):
    for lr in (0.1, 0.6):
        x, y = rng.normal(size=(2, 3))
        yield Case("extragradient_step", dict(x=x, y=y, lr=lr), f"lr {lr}")


extragradient = Exercise(
    solution=extragradient_step,
    hints=[
        "Two looks, one move. First ask where a plain step would lead; then go back and take the step with "
        "the gradients that you saw there.",
        "The slope of x @ y for x is y, and for y it is x. The look ahead is x - lr * y and y + lr * x.",
        "From the start, with the slopes of the look ahead: x - lr * (y ahead) and y + lr * (x ahead).",
    ],
    next="its eigenvalues, 1 - lr² ± i lr. For which lr are they inside the unit circle?",
    cases=_game_cases,
)


@extragradient.mistake(
    "This is the plain simultaneous step. The gradients should be those at the point that it leads to."
)
def no_look_ahead(x, y, lr=0.1):
    return x - lr * y, y + lr * x


@extragradient.mistake(
    "You moved from the look-ahead point, which makes two plain steps. Go back to the start first: only the "
    "gradients come from there."
)
def two_steps(x, y, lr=0.1):
    ahead_x, ahead_y = x - lr * y, y + lr * x
    return ahead_x - lr * ahead_y, ahead_y + lr * ahead_x


@extragradient.mistake(
    "Both players go down. y is to make x @ y large: it steps along its gradient, not against it."
)
def both_down(x, y, lr=0.1):
    return x - lr * (y - lr * x), y - lr * (x - lr * y)


@extragradient.mistake(
    "This is the alternating step: y answers the new x, and x still moves with the old gradient. In "
    "extragradient both use the look ahead."
)
def alternating(x, y, lr=0.1):
    return x - lr * y, y + lr * (x - lr * y)


@extragradient.mistake(
    "You took the slopes the wrong way round: that of x @ y for x is y, the other player's number."
)
def own_slope(x, y, lr=0.1):
    return x - lr * (x - lr * x), y + lr * (y + lr * y)


@extragradient.mistake(
    "Only x looks ahead; y still steps with the slope at the start. Both players use the look ahead."
)
def only_x_looks(x, y, lr=0.1):
    return x - lr * (y + lr * x), y + lr * x


@extragradient.mistake(
    "y answers the new x. It should answer the x of the look ahead, x - lr * y: both gradients come from the "
    "same point."
)
def y_sees_the_new(x, y, lr=0.1):
    x = x - lr * (y + lr * x)
    return x, y + lr * x


@extragradient.mistake("The step at the end has the gradients right and no learning rate.")
def no_rate(x, y, lr=0.1):
    return x - (y + lr * x), y + (x - lr * y)


@extragradient.mistake("Both players go up. x is to make x @ y small: it steps against its gradient.")
def both_up(x, y, lr=0.1):
    return x + lr * (y + lr * x), y + lr * (x + lr * y)


@extragradient.mistake("The players have exchanged their goals: x goes down, against its gradient, and y up.")
def goals_exchanged(x, y, lr=0.1):
    return x + lr * (y - lr * x), y - lr * (x + lr * y)


@extragradient.mistake("Your look ahead has the wrong signs: x looks at x - lr * y and y at y + lr * x.")
def looks_the_wrong_way(x, y, lr=0.1):
    return x - lr * (y - lr * x), y + lr * (x + lr * y)


@extragradient.mistake("Your look ahead is right, and the step has the wrong signs: x goes down and y up.")
def steps_the_wrong_way(x, y, lr=0.1):
    return x + lr * (y + lr * x), y - lr * (x - lr * y)


@extragradient.mistake(
    "In the step you took each player's own look ahead. The slope for x is the other's number, y ahead."
)
def own_slope_at_last(x, y, lr=0.1):
    return x - lr * (x - lr * y), y + lr * (y + lr * x)


@extragradient.mistake(
    "In your look ahead y answers the x that has looked already. Both look from the same point, the start."
)
def looks_one_after_the_other(x, y, lr=0.1):
    return x - lr * (y + lr * (x - lr * y)), y + lr * (x - lr * y)


@extragradient.mistake(
    "Your look ahead has half of the learning rate, or you averaged its slopes with those at the start. It "
    "is "
    "a whole plain step, and only its slopes count."
)
def half_a_look(x, y, lr=0.1):
    return x - lr * (y + lr / 2 * x), y + lr * (x - lr / 2 * y)


@extragradient.mistake("The learning rate is missing in the look ahead: it is a plain step, with lr.")
def look_without_rate(x, y, lr=0.1):
    return x - lr * (y + x), y + lr * (x - y)


@extragradient.mistake("The learning rate is missing.")
def no_rate_at_all(x, y, lr=0.1):
    return x - (y + x), y + (x - y)


@extragradient.mistake(
    "You took twice the slopes of the look ahead minus those of the start, which is close to optimism, "
    "another "
    "cure. Here those of the look ahead count as they are."
)
def optimism(x, y, lr=0.1):
    return x - lr * (y + 2 * lr * x), y + lr * (x - 2 * lr * y)


# ---------------------------------------------------------------------------------------- mode_coverage

mode_coverage = Exercise(
    solution=in_numpy.mode_coverage,
    hints=[
        "Distances first: an array (N, K) from every row of x to every center. Then its smallest value in "
        "each row, and where that is.",
        "`np.linalg.norm(x[:, None] - centers, axis=2)` has that shape. A row counts for its nearest "
        "center, and only if it is within the radius.",
        "`np.bincount(nearest[near], minlength=len(centers))` counts; the share is `near.mean()`, in the "
        "dtype of x: `near.mean(dtype=x.dtype)`.",
    ],
    next="the Fréchet distance, for data that has no centers.",
)


def _nearest(x, centers):
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    return distance.argmin(axis=1), distance.min(axis=1)


def _count(nearest, centers):
    return np.bincount(nearest, minlength=len(centers))


@mode_coverage.mistake(
    "You counted every row for its nearest center, however far away. A sample between two modes belongs to "
    "neither: count those within the radius."
)
def no_radius(x, centers, radius):
    nearest, distance = _nearest(x, centers)
    return _count(nearest, centers), (distance <= radius).mean(dtype=x.dtype)


@mode_coverage.mistake(
    "You compared squared distances with the radius. Take the root, or square the radius too."
)
def squared(x, centers, radius):
    nearest, distance = _nearest(x, centers)
    near = distance**2 <= radius
    return _count(nearest[near], centers), near.mean(dtype=x.dtype)


@mode_coverage.mistake(
    "Your share is that of the modes hit, which says nothing about the samples. The share of all samples "
    "that lie on some mode is wanted."
)
def share_of_modes(x, centers, radius):
    count, _ = in_numpy.mode_coverage.unchecked(x, centers, radius)
    return count, (count > 0).mean(dtype=x.dtype)


@mode_coverage.mistake("You turned the counts into yes and no. How many samples a mode gets matters too.")
def only_hit(x, centers, radius):
    count, share = in_numpy.mode_coverage.unchecked(x, centers, radius)
    return (count > 0).astype(count.dtype), share


@mode_coverage.mistake(
    "You left out empty modes at the end: `np.bincount` stops at the largest number it meets unless it is "
    "told `minlength=len(centers)`."
)
def no_minlength(x, centers, radius):
    nearest, distance = _nearest(x, centers)
    near = distance <= radius
    return np.bincount(nearest[near]), near.mean(dtype=x.dtype)


@mode_coverage.mistake(
    "You counted a sample once for every center within the radius. With a large radius it lies near "
    "several; it belongs to the nearest."
)
def for_every_center(x, centers, radius):
    near = np.linalg.norm(x[:, None] - centers, axis=2) <= radius
    return near.sum(axis=0), near.any(axis=1).mean(dtype=x.dtype)


@mode_coverage.mistake(
    "You gave every row to its nearest center, however far away. A sample between two modes belongs to "
    "neither."
)
def all_of_them(x, centers, radius):
    nearest, _ = _nearest(x, centers)
    return _count(nearest, centers), x.dtype.type(1)


@mode_coverage.mistake(
    "You added the absolute differences up. The distance is the root of the sum of squares."
)
def city_blocks(x, centers, radius):
    distance = np.abs(x[:, None] - centers).sum(axis=2)
    near = distance.min(axis=1) <= radius
    return _count(distance.argmin(axis=1)[near], centers), near.mean(dtype=x.dtype)


@mode_coverage.mistake(
    "You compared each coordinate with the radius. That is a square; the distance is the root of the sum of "
    "squares."
)
def a_square_for_a_circle(x, centers, radius):
    distance = np.abs(x[:, None] - centers).max(axis=2)
    near = distance.min(axis=1) <= radius
    return _count(distance.argmin(axis=1)[near], centers), near.mean(dtype=x.dtype)


@mode_coverage.mistake("You squared the radius and not the distance.")
def radius_squared(x, centers, radius):
    nearest, distance = _nearest(x, centers)
    near = distance <= radius**2
    return _count(nearest[near], centers), near.mean(dtype=x.dtype)


@mode_coverage.mistake("You halved the radius. It is the distance from the center already.")
def radius_for_diameter(x, centers, radius):
    nearest, distance = _nearest(x, centers)
    near = distance <= radius / 2
    return _count(nearest[near], centers), near.mean(dtype=x.dtype)


@mode_coverage.mistake("Your share is that of the rows near to all centers at once. On any of them will do.")
def share_on_all(x, centers, radius):
    count, _ = in_numpy.mode_coverage.unchecked(x, centers, radius)
    near = np.linalg.norm(x[:, None] - centers, axis=2) <= radius
    return count, near.all(axis=1).mean(dtype=x.dtype)


@mode_coverage.mistake("Your first output gives shares. How many rows lie on each mode is wanted.")
def shares_for_counts(x, centers, radius):
    count, share = in_numpy.mode_coverage.unchecked(x, centers, radius)
    return (count / len(x)).astype(x.dtype), share


@mode_coverage.mistake("You counted the rows outside of the radius.")
def far_away(x, centers, radius):
    near = np.linalg.norm(x[:, None] - centers, axis=2) <= radius
    return (~near).sum(axis=0), (~near.any(axis=1)).mean(dtype=x.dtype)


# ----------------------------------------------------------------------------- gradient_penalty_backward

gradient_penalty_backward = Exercise(
    solution=in_numpy.gradient_penalty_backward,
    hints=[
        "One row g costs (n - target)², with its norm n = sqrt(sum(g²)). Outer slope first: 2 * (n - "
        "target).",
        "The slope of the norm is g / n: lengthening g along itself lengthens it, turning it does not. So "
        "each row gets 2 * (n - target) * g / n, and the mean over rows divides by their number.",
        "A row of zeros has no direction; torch gives it the gradient 0. `np.where(n > 0, n, 1)` as "
        "divisor does that without a warning.",
    ],
    next="where this gradient goes: through the critic's own backward.",
)


def _norm(grad):
    return np.linalg.norm(grad, axis=1, keepdims=True)


def _safe(n):
    return np.where(n > 0, n, 1)


@gradient_penalty_backward.mistake("You forgot the factor 2 of the square's slope.")
def no_two(grad_output, grad, target=1.0):
    return in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target) / 2


@gradient_penalty_backward.mistake("You left out the mean over rows: divide by `len(grad)`.")
def not_a_mean(grad_output, grad, target=1.0):
    return in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target) * len(grad)


@gradient_penalty_backward.mistake(
    "You divided by the number of elements. The penalty is a mean over rows: each sample has one norm."
)
def by_elements(grad_output, grad, target=1.0):
    return in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target) / grad.shape[1]


@gradient_penalty_backward.mistake(
    "The norm's slope is the unit vector g / n. You multiplied by g itself, so long rows count twice."
)
def no_unit(grad_output, grad, target=1.0):
    return grad_output * 2 * (_norm(grad) - target) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "This is the gradient of (n² - target)², with the squared norm. The penalty is about the norm: take the "
    "root."
)
def squared_norm(grad_output, grad, target=1.0):
    return grad_output * 4 * (_norm(grad) ** 2 - target) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "You penalized only slopes above the target. That one-sided form exists; here a slope below the target "
    "costs as well."
)
def one_sided(grad_output, grad, target=1.0):
    n = _norm(grad)
    return grad_output * 2 * np.maximum(n - target, 0) / _safe(n) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "You took one norm of the whole array. Every row is the gradient of one sample and has its own norm: "
    "`axis=1`."
)
def one_norm(grad_output, grad, target=1.0):
    n = np.linalg.norm(grad)
    return grad_output * 2 * (n - target) / n * grad / len(grad)


@gradient_penalty_backward.mistake(
    "A row of zeros has the norm 0, and 0 / 0 is NaN. Divide by `np.where(n > 0, n, 1)`: the row itself is 0 "
    "and makes the product 0."
)
def zero_by_zero(grad_output, grad, target=1.0):
    n = _norm(grad)
    return grad_output * 2 * (n - target) / n * grad / len(grad)


@gradient_penalty_backward.mistake("Your target is always 1. Take `target`.")
def target_of_one(grad_output, grad, target=1.0):
    return in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, 1.0)


@gradient_penalty_backward.mistake(
    "You did not use `grad_output`. In the critic's loss it is 10, the weight of the penalty."
)
def no_grad_output_for_penalty(grad_output, grad, target=1.0):
    return in_numpy.gradient_penalty_backward.unchecked(1.0, grad, target)


@gradient_penalty_backward.mistake(
    "You gave all numbers of a row the same gradient, 2 * (n - target). Each has its share of the direction, "
    "g / n."
)
def without_direction(grad_output, grad, target=1.0):
    n = _norm(grad)
    return np.repeat(grad_output * 2 * (n - target) / len(grad), grad.shape[1], axis=1)


@gradient_penalty_backward.mistake("You took the sum of squares for the norm. The root is missing.")
def root_forgotten(grad_output, grad, target=1.0):
    n = _norm(grad) ** 2
    return grad_output * 2 * (n - target) / _safe(n) * grad / len(grad)


@gradient_penalty_backward.mistake("You divided by n². The unit vector is g / n.")
def by_the_square(grad_output, grad, target=1.0):
    n = _norm(grad)
    return grad_output * 2 * (n - target) / _safe(n * n) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "You took the norms of the columns. Every row is the gradient of one sample: `axis=1`."
)
def norm_of_columns(grad_output, grad, target=1.0):
    n = np.linalg.norm(grad, axis=0)
    return grad_output * 2 * (n - target) / _safe(n) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "You compared every number with the target. The penalty compares the norm of a row."
)
def number_by_number(grad_output, grad, target=1.0):
    return grad_output * 2 * (grad - target) / len(grad)


@gradient_penalty_backward.mistake(
    "You compared the size of every number with the target. The penalty compares the norm of a row."
)
def size_by_size(grad_output, grad, target=1.0):
    return grad_output * 2 * (np.abs(grad) - target) * np.sign(grad) / len(grad)


@gradient_penalty_backward.mistake(
    "You took the sum of absolute values for the norm. It is the root of the sum of squares."
)
def absolute_values(grad_output, grad, target=1.0):
    n = np.abs(grad).sum(axis=1, keepdims=True)
    return grad_output * 2 * (n - target) * np.sign(grad) / len(grad)


@gradient_penalty_backward.mistake(
    "You kept the sign of n - target and lost its size. The slope of the square is 2 * (n - target)."
)
def only_the_side(grad_output, grad, target=1.0):
    n = _norm(grad)
    return grad_output * np.sign(n - target) / _safe(n) * grad / len(grad)


@gradient_penalty_backward.mistake(
    "These are the unit vectors of the rows. How far the norm is from the target is missing."
)
def only_the_direction(grad_output, grad, target=1.0):
    return grad_output / _safe(_norm(grad)) * grad / len(grad)


@gradient_penalty_backward.mistake("One row of zeros makes all of your gradient 0. Only that row gets zeros.")
def all_or_nothing(grad_output, grad, target=1.0):
    n = _norm(grad)
    right = in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target)
    return 0 * right if (n == 0).any() else right


@gradient_penalty_backward.mistake(
    "You divided by the number of rows that are not 0. A row of zeros counts in the mean too."
)
def mean_without_zeros(grad_output, grad, target=1.0):
    count = int((_norm(grad) > 0).sum())
    return in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target) * (
        len(grad) / max(count, 1)
    )


@gradient_penalty_backward.mistake(
    "The target is missing: this is the gradient of the mean of n², which pulls every slope to 0."
)
def target_of_zero(grad_output, grad, target=1.0):
    return grad_output * 2 * grad / len(grad)


@gradient_penalty_backward.mistake(
    "You divided by the number of columns. The penalty is a mean over rows: `len(grad)`."
)
def by_columns(grad_output, grad, target=1.0):
    right = in_numpy.gradient_penalty_backward.unchecked(grad_output, grad, target)
    return right * (len(grad) / grad.shape[1])


# -------------------------------------------------------------------------------- input_gradient_backward

input_gradient_backward = Exercise(
    solution=in_numpy.input_gradient_backward,
    hints=[
        "Write the forward in lines: z = x @ weight1.T + bias1, h = tanh(z), d = weight2 * (1 - h²), "
        "grad = d @ weight1. Go through them backwards; `grad_output` is what arrives at grad.",
        "grad = d @ weight1 gives grad_d = grad_output @ weight1.T and a first part of grad_weight1, d.T @ "
        "grad_output. Then d sends to weight2 the factor (1 - h²), and to h the factor -2 * h * weight2.",
        "From h on it is an ordinary backward: grad_z = grad_h * (1 - h²), grad_weight1 += grad_z.T @ x, "
        "grad_bias1 = grad_z.sum(axis=0), grad_x = grad_z @ weight1.",
    ],
    next="the whole penalty: feed it with what `gradient_penalty_backward` returns.",
)


def _lines(grad_output, x, weight1, bias1, weight2):
    h = np.tanh(x @ weight1.T + bias1)
    return h, 1 - h * h, grad_output @ weight1.T


def _with_grad_z(grad_z, grad_output, x, weight1, bias1, weight2):
    _, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    grad_weight1 = (weight2 * slope).T @ grad_output + grad_z.T @ x
    return grad_z @ weight1, grad_weight1, grad_z.sum(axis=0), (slope * g).sum(axis=0)


@input_gradient_backward.mistake(
    "The two parts of `weight1` are one matrix: it is read by the forward line z = x @ weight1.T and again "
    "by the backward line grad = d @ weight1. You have only the first part; add grad_z.T @ x."
)
def only_outer_weight(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return right[0], (weight2 * slope).T @ grad_output, *right[2:]


@input_gradient_backward.mistake(
    "`weight1` is read twice, and you have only the second part, grad_z.T @ x. The line grad = d @ weight1 "
    "adds d.T @ grad_output."
)
def only_inner_weight(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return right[0], (-2 * h * slope * weight2 * g).T @ x, *right[2:]


@input_gradient_backward.mistake(
    "You treated the slopes 1 - h² as constants, so nothing reaches x and the bias. They depend on z: the "
    "second derivative of tanh is -2 h (1 - h²). (For ReLU it would be 0, and you would be right.)"
)
def constant_slopes(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return 0 * x, (weight2 * slope).T @ grad_output, 0 * bias1, (slope * g).sum(axis=0)


@input_gradient_backward.mistake(
    "You stopped at h. From h to z it goes through tanh again: grad_z = grad_h * (1 - h²)."
)
def no_second_tanh(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(-2 * h * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "The sign of the second derivative is wrong: tanh bends down where h is positive, so it is -2 h (1 - h²)."
)
def wrong_bend(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(2 * h * slope * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "The slope of 1 - h² for h is -2 h: your factor h is missing in what reaches z."
)
def no_h(grad_output, x, weight1, bias1, weight2):
    _, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(-2 * slope * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "The factor `weight2` is missing on the way to z: d = weight2 * (1 - h²) sends h the slope -2 h times "
    "weight2."
)
def no_weight2(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(-2 * h * slope * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "The slope of 1 - h² for h is -2 h: your factor 2 is missing in what reaches z."
)
def no_two_in_bend(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(-h * slope * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "This is the backward of the score itself, as in notebook 05. Here the output is already a gradient, "
    "and its gradient is asked for."
)
def of_the_score(grad_output, x, weight1, bias1, weight2):
    h, slope, _ = _lines(grad_output, x, weight1, bias1, weight2)
    grad_z = slope * weight2
    return grad_z @ weight1, grad_z.T @ x, grad_z.sum(axis=0), h.sum(axis=0)


@input_gradient_backward.mistake(
    "Your gradient for `weight2` has the factor weight2 in it. d = weight2 * (1 - h²) is linear in it: what "
    "is left is the sum of (1 - h²) times what arrives."
)
def weight2_kept(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return *right[:3], (weight2 * slope * g).sum(axis=0)


@input_gradient_backward.mistake("The bias is missing where you compute h again: z = x @ weight1.T + bias1.")
def no_bias_inside(grad_output, x, weight1, bias1, weight2):
    return in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, 0 * bias1, weight2)


@input_gradient_backward.mistake(
    "What you send to z has the first slope, 1 - h². Here that slope is what changes: its own slope is -2 h "
    "(1 - h²)."
)
def first_slope_only(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(slope * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "What you send to z is weight2 times what arrives. d = weight2 * (1 - h²) sends h the factor -2 h, and "
    "tanh sends z the factor 1 - h²."
)
def bend_without_slope(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake("Your slope of tanh is 1 - h on the way from h to z. It is 1 - h².")
def slope_not_squared(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    return _with_grad_z(-2 * h * (1 - h) * weight2 * g, grad_output, x, weight1, bias1, weight2)


@input_gradient_backward.mistake(
    "In the part of `weight1` from grad = d @ weight1 you took weight2 for d. d is weight2 * (1 - h²)."
)
def outer_without_slope(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    outer = (weight2 + 0 * slope).T @ grad_output - (weight2 * slope).T @ grad_output
    return right[0], right[1] + outer, *right[2:]


@input_gradient_backward.mistake(
    "In the part of `weight1` from grad = d @ weight1 you took x. What arrives there is `grad_output`."
)
def outer_meets_x(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    outer = (weight2 * slope).T @ (x - grad_output)
    return right[0], right[1] + outer, *right[2:]


@input_gradient_backward.mistake("`grad_output` is missing in the part of `weight1` from grad = d @ weight1.")
def outer_without_grad_output(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    outer = (weight2 * slope).T @ (1 - grad_output)
    return right[0], right[1] + outer, *right[2:]


@input_gradient_backward.mistake(
    "You subtracted the two parts of `weight1`. A matrix that is read twice gets the sum."
)
def parts_subtracted(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return right[0], 2 * (weight2 * slope).T @ grad_output - right[1], *right[2:]


@input_gradient_backward.mistake("Your gradient for `weight2` lost the factor 1 - h²: d is weight2 times it.")
def weight2_without_slope(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return *right[:3], g.sum(axis=0)


@input_gradient_backward.mistake(
    "Your gradient for `weight2` uses h, as for the score. In d it meets 1 - h²."
)
def weight2_meets_h(grad_output, x, weight1, bias1, weight2):
    h, slope, g = _lines(grad_output, x, weight1, bias1, weight2)
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return *right[:3], (h * g).sum(axis=0)


@input_gradient_backward.mistake("Your gradient for x is 0. x moves z, and with it the slopes 1 - h².")
def nothing_for_x(grad_output, x, weight1, bias1, weight2):
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return 0 * right[0], *right[1:]


@input_gradient_backward.mistake(
    "Your gradient for the bias is 0. It moves z, and with it the slopes 1 - h²."
)
def nothing_for_the_bias(grad_output, x, weight1, bias1, weight2):
    right = in_numpy.input_gradient_backward.unchecked(grad_output, x, weight1, bias1, weight2)
    return *right[:2], 0 * right[2], right[3]
