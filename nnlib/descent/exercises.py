"""Exercises of notebook 07, and what learners' functions usually do when they are wrong."""

import numpy as np

from nnlib import core
from nnlib.core import Case
from nnlib.descent import in_numpy
from nnlib.exercises import Exercise

# --------------------------------------------------------------------------------------- power iteration


def _power_cases(rng):
    yield from core.cases("descent.power_iteration")
    args = dict(hessian=np.diag([1.0, -5.0, 2.0]), v=rng.normal(size=3), steps=40)
    yield Case("power_iteration", args, "diagonal")


power_iteration = Exercise(
    solution=in_numpy.power_iteration,
    cases=_power_cases,
    hints=[
        "Multiplying by the matrix stretches every eigenvector by its eigenvalue: after many products the "
        "largest is all that is left of v. Divide by the length each time, or v overflows.",
        "A loop of `steps` rounds: `v = hessian @ v`, then `v = v / np.sqrt(v @ v)`.",
        "v now has length 1 and `hessian @ v` is the eigenvalue times v, so the eigenvalue, sign "
        "included, is `v @ (hessian @ v)`.",
    ],
    next="2 divided by this number bounds the learning rate. Exercise 2 raises the rate with the batch.",
)


def _turned(hessian, v, steps, length=lambda v: np.sqrt(v @ v)):
    for _ in range(steps):
        v = hessian @ v
        v = v / length(v)
    return v


@power_iteration.mistake(
    "You returned the length of hessian @ v. A length has no sign: for the eigenvalue -9 it is 9, and a step "
    "along that direction is a different matter. Use v @ (hessian @ v)."
)
def length_instead(hessian, v, steps):
    hv = hessian @ _turned(hessian, v, steps)
    return np.sqrt(hv @ hv)


@power_iteration.mistake(
    "You multiplied by the matrix, but the vector that you measured with is still the start: v has to be "
    "replaced in every round."
)
def only_the_start(hessian, v, steps):
    v = v / np.sqrt(v @ v)
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You divided by v @ v, the square of the length, so v does not have length 1 at the end and scales the "
    "result. Divide by its square root."
)
def squared_length(hessian, v, steps):
    v = _turned(hessian, v, steps, lambda v: v @ v)
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You never divide by the length: v grows by the eigenvalue with every product, and so does the result."
)
def never_shortened(hessian, v, steps):
    v = _turned(hessian, v, steps, lambda v: 1)
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You divided by the largest entry, so v does not have length 1 at the end. Either divide by the length, "
    "or the result by v @ v."
)
def largest_entry(hessian, v, steps):
    v = _turned(hessian, v, steps, lambda v: np.abs(v).max())
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You used the diagonal of the Hessian alone: `*` multiplies entry by entry. Write `hessian @ v`, a "
    "matrix product."
)
def only_the_diagonal(hessian, v, steps):
    diagonal = np.diag(np.diag(hessian))
    v = _turned(diagonal, v, steps)
    return v @ (diagonal @ v)


@power_iteration.mistake(
    "You returned the largest eigenvalue with its sign counted. Wanted is the one of largest size: "
    "-9 before 4."
)
def largest_signed(hessian, v, steps):
    return np.linalg.eigvalsh(hessian)[-1]


@power_iteration.mistake("Your last product was not scaled: v has to have length 1 where you measure.")
def never_shortened_at_the_end(hessian, v, steps):
    v = hessian @ _turned(hessian, v, steps - 1)
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You multiplied only once. If the `return` stands inside the loop, the first round is the last."
)
def one_product(hessian, v, steps):
    v = _turned(hessian, v, 1)
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You divided by the sum of the entries, so v does not have length 1 at the end. Entries may be negative."
)
def divided_by_the_sum(hessian, v, steps):
    v = _turned(hessian, v, steps, lambda v: v.sum())
    return v @ (hessian @ v)


@power_iteration.mistake(
    "You multiplied two vectors of length 1: that gives 1 or -1. The eigenvalue is in the product before it "
    "is scaled."
)
def two_unit_vectors(hessian, v, steps):
    v = _turned(hessian, v, steps)
    hv = hessian @ v
    return v @ (hv / np.sqrt(hv @ hv))


@power_iteration.mistake(
    "You divided the first entry of hessian @ v by that of v. Where the direction has none along that axis, "
    "this is 0 / 0 or another eigenvalue; all entries have to take part."
)
def ratio_of_first_entries(hessian, v, steps):
    v = _turned(hessian, v, steps)
    return (hessian @ v)[0] / v[0]


@power_iteration.mistake(
    "You averaged the ratios of the entries. Entries of v near 0 spoil it; weigh each by its size."
)
def mean_of_ratios(hessian, v, steps):
    v = _turned(hessian, v, steps)
    return np.mean((hessian @ v) / v)


# ------------------------------------------------------------------------------- linear scaling, warm-up

linear_scaling = Exercise(
    solution=in_numpy.linear_scaling,
    hints=[
        "Two numbers are fixed: at step 0 the rate is lr, from step warmup_steps on it is k * lr. Between "
        "them it is a straight line.",
        "How much of the way is done: `t / warmup_steps`, and never more than 1. `np.minimum` works on "
        "whole arrays.",
        "`lr + (k - 1) * lr * done`: the start, plus the part of the difference k * lr - lr that is done.",
    ],
    next="the curvature that decides which rates are stable: exercise 3.",
)


@linear_scaling.mistake(
    "Your warm-up starts at 0. Goyal et al. start at lr, which is known to work for the small batch: nothing "
    "is gained by steps that are smaller still."
)
def from_zero(t, lr, k, warmup_steps):
    return k * lr * np.minimum(t / warmup_steps, 1)


@linear_scaling.mistake(
    "There is no warm-up: the rate is k * lr from the first step. Early in training the network changes "
    "fastest, and that is where a large step does harm."
)
def no_warmup(t, lr, k, warmup_steps):
    return np.full_like(t, k * lr)


@linear_scaling.mistake(
    "You wait at lr and then jump to k * lr. The jump is what a warm-up shall avoid: raise the rate a little "
    "at every step."
)
def jump(t, lr, k, warmup_steps):
    return np.where(t < warmup_steps, lr, k * lr).astype(t.dtype)


@linear_scaling.mistake(
    "Your warm-up never ends: after step warmup_steps the rate keeps growing. Hold it there with "
    "`np.minimum(…, 1)`."
)
def never_ends(t, lr, k, warmup_steps):
    return lr + (k - 1) * lr * t / warmup_steps


@linear_scaling.mistake(
    "You scaled by the square root of k. That keeps the noise of a step the same; the rule asked for here "
    "keeps the distance per epoch the same: k times fewer steps, each k times as long."
)
def square_root(t, lr, k, warmup_steps):
    return in_numpy.linear_scaling.unchecked(t, lr, np.sqrt(k), warmup_steps)


@linear_scaling.mistake(
    "You divided by k. A larger batch gives fewer steps per epoch, so each has to be longer, not shorter."
)
def divided(t, lr, k, warmup_steps):
    return in_numpy.linear_scaling.unchecked(t, lr, 1 / k, warmup_steps)


@linear_scaling.mistake(
    "Your warm-up ends at (k + 1) * lr: to the start lr you add the whole k * lr. Add the part of the "
    "difference k * lr - lr that is done."
)
def one_too_many(t, lr, k, warmup_steps):
    return lr + k * lr * np.minimum(t / warmup_steps, 1)


@linear_scaling.mistake(
    "Your warm-up is one step ahead: the first step is number 0 and still has the rate lr."
)
def one_step_ahead(t, lr, k, warmup_steps):
    return in_numpy.linear_scaling.unchecked(t + 1, lr, k, warmup_steps)


@linear_scaling.mistake("Your warm-up ends one step early: k * lr is due at step warmup_steps, not before.")
def one_step_early(t, lr, k, warmup_steps):
    return lr + (k - 1) * lr * np.minimum(t / (warmup_steps - 1), 1)


@linear_scaling.mistake("This is a warm-up from 0 to lr; k does not appear. The rate goes from lr to k * lr.")
def k_forgotten(t, lr, k, warmup_steps):
    return lr * np.minimum(t / warmup_steps, 1)


@linear_scaling.mistake("Your rate falls from k * lr to lr. It has to rise.")
def downwards(t, lr, k, warmup_steps):
    return k * lr - (k - 1) * lr * np.minimum(t / warmup_steps, 1)


@linear_scaling.mistake(
    "You took np.maximum: the share of the warm-up that is done is never more than 1, so the smaller is "
    "wanted."
)
def maximum_for_minimum(t, lr, k, warmup_steps):
    return lr + (k - 1) * lr * np.maximum(t / warmup_steps, 1)


@linear_scaling.mistake(
    "Your rate grows by the same factor at every step. A straight line grows by the same amount."
)
def by_factors(t, lr, k, warmup_steps):
    return lr * k ** np.minimum(t / warmup_steps, 1)


@linear_scaling.mistake("Your line takes all steps of `t`. It has to reach k * lr at step warmup_steps.")
def over_all_steps(t, lr, k, warmup_steps):
    return lr + (k - 1) * lr * t / len(t)


@linear_scaling.mistake(
    "Your line takes all steps of `t`. It has to reach k * lr at step warmup_steps and stay there."
)
def spread_over_all_steps(t, lr, k, warmup_steps):
    return np.linspace(lr, k * lr, len(t)).astype(t.dtype)


# ------------------------------------------------------------------------------- Hessian-vector product

hessian_vector_product = Exercise(
    solution=in_numpy.hessian_vector_product,
    hints=[
        "Write the gradient first: (p - target).T @ x / N. Only p depends on weight, so the product you "
        "want is dp.T @ x / N, where dp is how fast p changes when weight moves along v.",
        "z = x @ weight.T is linear in weight, so it changes at the rate r = x @ v.T, an array (N, K).",
        "The derivative of softmax along r, row by row: `dp = p * (r - (p * r).sum(axis=1, keepdims=True))`.",
    ],
    next="nothing is left to build: turn the explorers and read the edge of stability again.",
)


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@hessian_vector_product.mistake(
    "You took p * r for the change of p. The outputs of a softmax share one sum: when one z rises, all the "
    "other p fall. Subtract the mean of r under p first: p * (r - sum(p * r))."
)
def outputs_alone(x, weight, v):
    return (_softmax(x @ weight.T) * (x @ v.T)).T @ x / len(x)


@hessian_vector_product.mistake(
    "p * (1 - p) * r is the derivative of a sigmoid, the diagonal of softmax's Jacobian. The other entries, "
    "-p_i * p_j, are missing: every z moves every p."
)
def as_for_a_sigmoid(x, weight, v):
    p = _softmax(x @ weight.T)
    return (p * (1 - p) * (x @ v.T)).T @ x / len(x)


@hessian_vector_product.mistake(
    "The softmax is missing: r.T @ x / N is the product for squared error. For cross-entropy, r goes through "
    "the derivative of softmax before it meets x."
)
def for_squared_error(x, weight, v):
    return (x @ v.T).T @ x / len(x)


@hessian_vector_product.mistake(
    "You summed over the samples where the loss is their mean: divide by N, the number of rows of x."
)
def sum_over_samples(x, weight, v):
    return in_numpy.hessian_vector_product.unchecked(x, weight, v) * len(x)


@hessian_vector_product.mistake(
    "You computed the softmax over the samples (axis 0). Each row of z holds the K outputs of one sample, "
    "and they sum to 1 along axis 1."
)
def softmax_over_samples(x, weight, v):
    p, r = _softmax((x @ weight.T).T).T, x @ v.T
    return (p * (r - (p * r).sum(axis=1, keepdims=True))).T @ x / len(x)


@hessian_vector_product.mistake(
    "You returned a gradient, taken at weight + v. Wanted is how fast the gradient changes along v, at "
    "weight: differentiate (p - target).T @ x / N once more."
)
def gradient_instead(x, weight, v):
    return _softmax(x @ (weight + v).T).T @ x / len(x)


@hessian_vector_product.mistake("You subtracted the plain sum of r. It is the mean of r under p: sum(p * r).")
def sum_of_r_without_p(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * (r - r.sum(axis=1, keepdims=True))).T @ x / len(x)


@hessian_vector_product.mistake(
    "You subtracted the plain mean of r. Each r counts with its own probability: sum(p * r)."
)
def plain_mean_of_r(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * (r - r.mean(axis=1, keepdims=True))).T @ x / len(x)


@hessian_vector_product.mistake(
    "The factor p in front of the bracket is missing: an output that is never chosen hardly moves."
)
def without_p_in_front(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (r - (p * r).sum(axis=1, keepdims=True)).T @ x / len(x)


@hessian_vector_product.mistake("Your second term lacks the factor p: it stands in front of both terms.")
def second_term_without_p(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * r - (p * r).sum(axis=1, keepdims=True)).T @ x / len(x)


@hessian_vector_product.mistake(
    "Your sum of p * r runs over the samples (axis 0). The outputs of one sample compete: axis 1."
)
def sum_over_the_batch(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * (r - (p * r).sum(axis=0))).T @ x / len(x)


@hessian_vector_product.mistake(
    "Your sum of p * r runs over the whole array. Each sample has its own: axis 1, with keepdims."
)
def sum_over_all(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * (r - (p * r).sum())).T @ x / len(x)


@hessian_vector_product.mistake(
    "You added the mean of r under p. What one output gains the others lose: it is subtracted."
)
def mean_added(x, weight, v):
    p, r = _softmax(x @ weight.T), x @ v.T
    return (p * (r + (p * r).sum(axis=1, keepdims=True))).T @ x / len(x)


@hessian_vector_product.mistake(
    "This is the gradient itself, p.T @ x / N; v plays no part. Wanted is how fast it changes along v."
)
def gradient_at_weight(x, weight, v):
    return _softmax(x @ weight.T).T @ x / len(x)


@hessian_vector_product.mistake(
    "You put v in the place of weight. p is taken at weight; along v it only moves."
)
def gradient_at_v(x, weight, v):
    return _softmax(x @ v.T).T @ x / len(x)


@hessian_vector_product.mistake("weight and v have changed places: p comes from weight, r from v.")
def roles_swapped(x, weight, v):
    return in_numpy.hessian_vector_product.unchecked(x, v, weight)
