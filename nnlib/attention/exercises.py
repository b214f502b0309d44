"""Exercises of notebook 16, and what learners' attention usually is when it is wrong."""

import numpy as np

from nnlib.attention import in_numpy
from nnlib.core import Case
from nnlib.exercises import Exercise


def _softmax(scores, axis=-1):
    z = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return z / z.sum(axis=axis, keepdims=True)


def _three(rng, batch, steps, features, values):
    shapes = dict(query=features, key=features, value=values)
    return {name: rng.normal(size=(*batch, steps, size)) for name, size in shapes.items()}


# ---------------------------------------------------------------------------------- attention, forwards


def causal_attention(query, key, value):
    """Attention in which each place sees itself and the places before it.

    Returns
    -------
    y : array (..., T, V)
    """
    return in_numpy.scaled_dot_product_attention.unchecked(query, key, value, is_causal=True)


def _causal_cases(rng):
    yield Case("causal", _three(rng, (), 4, 3, 2), "no batch")
    yield Case("causal", _three(rng, (2, 3), 5, 4, 2), "batch and heads")
    steep = _three(rng, (), 4, 3, 2)
    yield Case("causal", {**steep, "query": 1000 * steep["query"]}, "scores in the thousands")
    low = dict(query=-100_000 * np.abs(steep["query"]), key=np.abs(steep["key"]) + 0.1)
    yield Case("causal", {**steep, **low}, "all scores far below zero")


causal = Exercise(
    solution=causal_attention,
    hints=[
        "Three steps: scores = query @ key.swapaxes(-1, -2) / E ** 0.5, a softmax over the last axis, and "
        "the product with value. E is query.shape[-1]. swapaxes works with any batch in front; .T does not.",
        "The mask belongs between the scores and the softmax: np.tri(T, dtype=bool) is True where row i may "
        "look at column j, and np.where(mask, scores, -np.inf) shuts the rest out, since exp(-inf) is 0.",
        "In the softmax subtract the largest score of each row first, or exp overflows at a score of 1,000.",
    ],
    next="the gradients: `attention.gradients`.",
    cases=_causal_cases,
)


def _causal(query, key, value, width=None, axis=-1, mask=None, shut=-np.inf):
    """`width` is what the dot products are divided by the root of; `shut` replaces what must not be seen."""
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(width or query.shape[-1])
    mask = np.tri(scores.shape[-1], dtype=bool) if mask is None else mask
    return _softmax(np.where(mask, scores, shut), axis) @ value


@causal.mistake(
    "Your scores are not scaled. Divide by the square root of E: without it a wide head looks at one place "
    "alone before it has learned anything."
)
def no_scale(query, key, value):
    return _causal(query, key, value, width=1)


@causal.mistake("You divided by E. It is the square root: the *variance* of a dot product is E.")
def divided_by_width(query, key, value):
    return _causal(query, key, value, width=query.shape[-1] ** 2)


@causal.mistake(
    "You scaled with the width of the values. The dot products are of queries and keys: E = query.shape[-1]."
)
def width_of_the_values(query, key, value):
    return _causal(query, key, value, width=value.shape[-1])


@causal.mistake("You multiplied by the square root of E. The scores are too large, not too small: divide.")
def multiplied_by_the_scale(query, key, value):
    return _causal(query, key, value, width=1 / query.shape[-1])


@causal.mistake(
    "You scaled with the number of places. What adds up in a dot product are features: E = query.shape[-1]."
)
def number_of_places(query, key, value):
    return _causal(query, key, value, width=query.shape[-2])


@causal.mistake("The mask is missing: each place sees the future too.")
def no_mask(query, key, value):
    return _causal(query, key, value, mask=np.ones(query.shape[-2], bool))


@causal.mistake(
    "Your mask lies the other way round: each place sees itself and what comes *after* it. np.tri is True on "
    "and below the diagonal, where the key j comes no later than the query i."
)
def sees_only_the_future(query, key, value):
    return _causal(query, key, value, mask=np.tri(query.shape[-2], dtype=bool).T)


@causal.mistake(
    "No place sees itself: your mask ends one key too early, and the first place, which sees nothing, gets "
    "0/0. np.tri(T, dtype=bool) includes the diagonal."
)
def never_itself(query, key, value):
    with np.errstate(invalid="ignore"):
        return _causal(query, key, value, mask=np.tri(query.shape[-2], k=-1, dtype=bool))


@causal.mistake(
    "You put 0 in place of the scores that are shut out. exp(0) is 1, so those places still get weight. Use "
    "-np.inf: its exp is 0."
)
def zero_instead_of_minus_infinity(query, key, value):
    return _causal(query, key, value, shut=0)


@causal.mistake(
    "A finite number stands in place of -inf, and here a row's own scores lie below it: the future gets the "
    "weight. Use -np.inf."
)
def a_finite_number(query, key, value):
    return _causal(query, key, value, shut=-1000)


@causal.mistake(
    "You took the largest score of a row before masking. Where it lies in the future, every exp that is left "
    "is 0, and the row is 0/0. Mask first."
)
def largest_before_the_mask(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    with np.errstate(invalid="ignore"):
        z = np.tril(np.exp(scores - scores.max(axis=-1, keepdims=True)))
        return z / z.sum(axis=-1, keepdims=True) @ value


@causal.mistake(
    "You did not subtract the largest score of a row before exp. At a score of 1,000 exp overflows, and "
    "where all scores of a row lie far below zero every exp is 0: the row is NaN either way."
)
def largest_not_subtracted(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        z = np.exp(np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf))
        return z / z.sum(axis=-1, keepdims=True) @ value


@causal.mistake(
    "You masked after the softmax. Then the future has already taken its share, and the rest sums to less "
    "than 1. Mask the scores, with -np.inf, before the softmax."
)
def masked_after_the_softmax(query, key, value):
    weights = _softmax(query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1]))
    return np.tril(weights) @ value


@causal.mistake(
    "Your softmax runs over the queries. Each *query* has one unit of weight to give away: over the last "
    "axis, that of the keys."
)
def softmax_over_the_queries(query, key, value):
    return _causal(query, key, value, axis=-2)


@causal.mistake(
    "You subtract the largest score of each query, but the sum runs over the queries: axis=-1 in the sum too."
)
def summed_over_the_queries(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    z = np.exp(scores - scores.max(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore"):
        return z / z.sum(axis=-2, keepdims=True) @ value


def _causal_weights(query, key):
    scores = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
    return _softmax(np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf))


@causal.mistake(
    "Your mask is the wrong way round: np.tri is True where a place may look, so there the score stays. You "
    "shut out the past and the place itself, and the last place sees nothing."
)
def mask_inverted(query, key, value):
    with np.errstate(invalid="ignore"):
        return _causal(query, key, value, mask=~np.tri(query.shape[-2], dtype=bool))


@causal.mistake(
    "Each place sees the one behind it: your mask ends one key too late. The diagonal is the last that a "
    "place may see."
)
def one_key_too_late(query, key, value):
    return _causal(query, key, value, mask=np.tri(query.shape[-2], k=1, dtype=bool))


@causal.mistake(
    "Everything became NaN. Did you multiply the mask by -np.inf? 0 times infinity is NaN: choose with "
    "np.where instead."
)
def zero_times_infinity(query, key, value):
    return np.full((*query.shape[:-1], value.shape[-1]), np.nan, query.dtype)


@causal.mistake(
    "Your softmax runs over axis 1. That is the axis of the keys only if nothing stands in front: with a "
    "batch or heads count from the end, axis=-1."
)
def softmax_over_axis_one(query, key, value):
    with np.errstate(invalid="ignore"):
        return _causal(query, key, value, axis=1)


@causal.mistake(
    "You scaled with query.shape[1]. With a batch or heads in front that is another axis: E is "
    "query.shape[-1]."
)
def width_of_axis_one(query, key, value):
    return _causal(query, key, value, width=query.shape[1])


@causal.mistake(
    "You divided by the sum of all exponentials. Each row has a sum of its own: its weights add up to 1."
)
def one_sum_for_all(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
    scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    z = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return z / z.sum() @ value


@causal.mistake("You did not divide by the sum of the row: the weights of a query have to add up to 1.")
def not_divided(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
    scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    return np.exp(scores - scores.max(axis=-1, keepdims=True)) @ value


@causal.mistake(
    "You exchanged queries and keys. A row of the scores belongs to one *query*: it holds how well every key "
    "fits it."
)
def keys_that_ask(query, key, value):
    return _causal(key, query, value)


@causal.mistake("Your weights are transposed: row i of them, not column i, mixes the values for query i.")
def weights_transposed(query, key, value):
    return _causal_weights(query, key).swapaxes(-1, -2) @ value


@causal.mistake(
    "You divided the output by the square root of E. It belongs to the scores, before the softmax."
)
def output_scaled(query, key, value):
    return _causal(query, key, value, width=1) / query.shape[-1] ** 0.5


@causal.mistake("The square root of E came twice: it divides the scores, and your output once more.")
def output_scaled_too(query, key, value):
    return _causal(query, key, value) / query.shape[-1] ** 0.5


# --------------------------------------------------------------------------------- attention, backwards


def attention_gradients(grad_output, query, key, value):
    """The gradients of attention without a mask.

    Returns
    -------
    grad_query : array (..., L, E)
    grad_key : array (..., S, E)
    grad_value : array (..., S, V)
    """
    return in_numpy.scaled_dot_product_attention_backward.unchecked(grad_output, query, key, value)


def _gradient_cases(rng):
    for batch, steps in (((), 4), ((2, 3), 3)):
        given = _three(rng, batch, steps, 5, 2)
        given["query"] *= 3  # weights far from even
        grad_output = rng.normal(size=(*batch, steps, 2))
        yield Case("gradients", {"grad_output": grad_output, **given}, f"{steps} places")


gradients = Exercise(
    solution=attention_gradients,
    hints=[
        "Compute the weights w again. y = w @ value is a product: grad_value = w.swapaxes(-1, -2) @ "
        "grad_output and grad_w = grad_output @ value.swapaxes(-1, -2).",
        "Back through the softmax: what one weight gains the others of its row lose. grad_scores = w * "
        "(grad_w - (grad_w * w).sum(axis=-1, keepdims=True)). Each row of it sums to 0.",
        "scores = scale * query @ key.T is a product again, with scale = 1 / E ** 0.5: grad_query = scale "
        "* grad_scores @ key and grad_key = scale * grad_scores.swapaxes(-1, -2) @ query.",
    ],
    next="writing with a cache: `attention.cache`.",
    cases=_gradient_cases,
)


def _gradients(
    grad_output, query, key, value, through="softmax", forwards="root", scale="root", flip=(), axis=-1
):
    e = query.shape[-1]
    scales = {"root": 1 / np.sqrt(e), "none": 1, "twice": 1 / e}
    w = _softmax(query @ key.swapaxes(-1, -2) * scales[forwards])
    grad_w = grad_output @ value.swapaxes(-1, -2)
    shared = (grad_w * w).sum(axis=axis, keepdims=True)
    grad_scores = {
        "softmax": w * (grad_w - shared),
        "diagonal": w * (1 - w) * grad_w,
        "product": w * grad_w,
        "nothing": grad_w,
        "unweighted": grad_w - shared,
        "plain mean": w * (grad_w - grad_w.mean(axis=-1, keepdims=True)),
    }[through]
    scale = scales[scale]
    back = [m if name in flip else m.swapaxes(-1, -2) for name, m in (("key", grad_scores), ("value", w))]
    return scale * grad_scores @ key, scale * back[0] @ query, back[1] @ grad_output


@gradients.mistake(
    "You took w * (1 - w) for the softmax. That is only the diagonal of its Jacobian: raising one score also "
    "lowers all other weights of the row. w * (grad_w - (grad_w * w).sum(axis=-1, keepdims=True))."
)
def only_the_diagonal(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, through="diagonal")


@gradients.mistake(
    "The part that the weights of a row share is missing: subtract (grad_w * w).sum(axis=-1, keepdims=True) "
    "before you multiply by w."
)
def shared_part_missing(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, through="product")


@gradients.mistake(
    "You did not go back through the softmax: grad_w is the gradient for the weights, not the scores."
)
def no_softmax(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, through="nothing")


@gradients.mistake(
    "The factor w in front is missing: a place with no weight has no slope. w * (grad_w - shared part)."
)
def no_weight_in_front(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, through="unweighted")


@gradients.mistake(
    "You summed the shared part over the queries. The weights that compete are those of one row: axis=-1."
)
def shared_over_the_queries(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, axis=-2)


@gradients.mistake(
    "You subtracted the plain mean of grad_w. The part that a row shares is its mean *by the weights*: "
    "(grad_w * w).sum(axis=-1, keepdims=True)."
)
def plain_mean(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, through="plain mean")


@gradients.mistake(
    "The scale is missing from the weights: compute them from query @ key.T / sqrt(E), as the forward does."
)
def no_scale_forwards(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, forwards="none")


@gradients.mistake(
    "The scale is missing everywhere: the scores are query @ key.T / sqrt(E), and grad_query and grad_key "
    "have the factor 1 / sqrt(E) too."
)
def no_scale_at_all(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, forwards="none", scale="none")


@gradients.mistake(
    "The scale is missing on the way back. The scores were scale * query @ key.T, so grad_query and grad_key "
    "have the factor 1 / sqrt(E)."
)
def no_scale_backwards(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, scale="none")


@gradients.mistake(
    "You applied the scale twice: each of grad_query and grad_key has the factor 1 / sqrt(E) once."
)
def scale_twice(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, scale="twice")


@gradients.mistake(
    "grad_key needs the transpose of grad_scores: a key gets from every query that looked at it. (With as "
    "many queries as keys the shapes fit either way.)"
)
def key_without_transpose(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, flip=("key",))


@gradients.mistake(
    "grad_value needs the transpose of the weights: a value gets from every query that looked at it. (With "
    "as many queries as keys the shapes fit either way.)"
)
def value_without_transpose(grad_output, query, key, value):
    return _gradients(grad_output, query, key, value, flip=("value",))


@gradients.mistake("grad_key lacks the scale; grad_query has it. Both stand behind the same scores.")
def key_without_scale(grad_output, query, key, value):
    grad_query, grad_key, grad_value = _gradients(grad_output, query, key, value)
    return grad_query, grad_key * np.sqrt(query.shape[-1]), grad_value


@gradients.mistake("grad_query lacks the scale; grad_key has it. Both stand behind the same scores.")
def query_without_scale(grad_output, query, key, value):
    grad_query, grad_key, grad_value = _gradients(grad_output, query, key, value)
    return grad_query * np.sqrt(query.shape[-1]), grad_key, grad_value


@gradients.mistake(
    "grad_value has the scale, too. It belongs to the scores; the values are not multiplied by it."
)
def value_with_scale(grad_output, query, key, value):
    grad_query, grad_key, grad_value = _gradients(grad_output, query, key, value)
    return grad_query, grad_key, grad_value / np.sqrt(query.shape[-1])


def _back_from(grad_scores, w, grad_output, query, key):
    """The three gradients from those of the scores, which lack the scale."""
    grad_scores = grad_scores / np.sqrt(query.shape[-1])
    return grad_scores @ key, grad_scores.swapaxes(-1, -2) @ query, w.swapaxes(-1, -2) @ grad_output


def _weights_and_gradients(grad_output, query, key, value, axis=-1, width=None):
    w = _softmax(query @ key.swapaxes(-1, -2) / np.sqrt(width or query.shape[-1]), axis)
    return w, grad_output @ value.swapaxes(-1, -2)


@gradients.mistake("A bracket is missing: w multiplies grad_w and the shared part alike.")
def bracket_missing(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    return _back_from(w * grad_w - (w * grad_w).sum(axis=-1, keepdims=True), w, grad_output, query, key)


@gradients.mistake(
    "You took the mean of grad_w * w for the shared part. The weights add up to 1 already: sum."
)
def mean_for_sum(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    grad_scores = w * (grad_w - (w * grad_w).mean(axis=-1, keepdims=True))
    return _back_from(grad_scores, w, grad_output, query, key)


@gradients.mistake("Your shared part is the plain sum of grad_w. Each of its numbers counts by its weight.")
def plain_sum(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    return _back_from(w * (grad_w - grad_w.sum(axis=-1, keepdims=True)), w, grad_output, query, key)


@gradients.mistake(
    "Your shared part is one sum over everything. Each row has its own: axis=-1, keepdims=True."
)
def one_shared_part(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    return _back_from(w * (grad_w - (w * grad_w).sum()), w, grad_output, query, key)


@gradients.mistake(
    "You added the shared part. What a row shares is subtracted, so that its gradients sum to 0."
)
def shared_part_added(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    grad_scores = w * (grad_w + (w * grad_w).sum(axis=-1, keepdims=True))
    return _back_from(grad_scores, w, grad_output, query, key)


@gradients.mistake(
    "You multiplied grad_scores by the wrong partner: moving a query counts the key it meets, and the other "
    "way round."
)
def partners_exchanged(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    grad_scores = w * (grad_w - (w * grad_w).sum(axis=-1, keepdims=True)) / np.sqrt(query.shape[-1])
    back = w.swapaxes(-1, -2) @ grad_output
    return grad_scores @ query, grad_scores.swapaxes(-1, -2) @ key, back


@gradients.mistake("Your softmax runs over the queries. The weights of one query add up to 1: axis=-1.")
def softmax_backward_over_the_queries(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value, axis=-2)
    return _back_from(w * (grad_w - (w * grad_w).sum(axis=-2, keepdims=True)), w, grad_output, query, key)


@gradients.mistake(
    "The softmax is missing where you compute the weights again: these are the scores. Every gradient needs "
    "the weights."
)
def scores_for_weights(grad_output, query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    grad_w = grad_output @ value.swapaxes(-1, -2)
    grad_scores = scores * (grad_w - (scores * grad_w).sum(axis=-1, keepdims=True))
    return _back_from(grad_scores, scores, grad_output, query, key)


@gradients.mistake(
    "grad_value is made from the scores. It needs what multiplied the values: the weights, after the softmax."
)
def value_from_the_scores(grad_output, query, key, value):
    grad_query, grad_key, _ = _gradients(grad_output, query, key, value)
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    return grad_query, grad_key, scores.swapaxes(-1, -2) @ grad_output


@gradients.mistake("Your weights have the causal mask. Here nothing is masked: every query sees every key.")
def masked_here_too(grad_output, query, key, value):
    w, grad_w = _causal_weights(query, key), grad_output @ value.swapaxes(-1, -2)
    return _back_from(w * (grad_w - (w * grad_w).sum(axis=-1, keepdims=True)), w, grad_output, query, key)


def _with_width(grad_output, query, key, value, width):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value, width=width)
    root = np.sqrt(width / query.shape[-1])
    grad_scores = w * (grad_w - (w * grad_w).sum(axis=-1, keepdims=True)) / root
    return _back_from(grad_scores, w, grad_output, query, key)


@gradients.mistake("You scaled with the width of the values. E is that of the queries: query.shape[-1].")
def scaled_by_the_values(grad_output, query, key, value):
    return _with_width(grad_output, query, key, value, value.shape[-1])


@gradients.mistake("You scaled with the number of places. E is the width of a query: query.shape[-1].")
def scaled_by_the_places(grad_output, query, key, value):
    return _with_width(grad_output, query, key, value, query.shape[-2])


@gradients.mistake(
    "grad_w - w * (the sum of grad_w) is the way back through the *logarithm* of a softmax. Here each number "
    "of grad_w counts by its weight, and w stands in front."
)
def log_softmax(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    return _back_from(grad_w - w * grad_w.sum(axis=-1, keepdims=True), w, grad_output, query, key)


@gradients.mistake("Your grad_w is transposed: its rows belong to the queries, as those of grad_output do.")
def grad_w_transposed(grad_output, query, key, value):
    w, grad_w = _weights_and_gradients(grad_output, query, key, value)
    grad_w = grad_w.swapaxes(-1, -2)
    return _back_from(w * (grad_w - (w * grad_w).sum(axis=-1, keepdims=True)), w, grad_output, query, key)


@gradients.mistake("grad_value holds value itself. Moving a value counts grad_output, by the weights.")
def value_for_grad_output(grad_output, query, key, value):
    grad_query, grad_key, _ = _gradients(grad_output, query, key, value)
    w, _ = _weights_and_gradients(grad_output, query, key, value)
    return grad_query, grad_key, w.swapaxes(-1, -2) @ value


@gradients.mistake(
    "Your weights are not divided by the sum of their row: those of a query have to add up to 1."
)
def weights_not_divided(grad_output, query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    w = np.exp(scores - scores.max(axis=-1, keepdims=True))
    grad_w = grad_output @ value.swapaxes(-1, -2)
    return _back_from(w * (grad_w - (w * grad_w).sum(axis=-1, keepdims=True)), w, grad_output, query, key)


# ------------------------------------------------------------------------------------- softmax in pieces


def merge_blocks(m1, total1, y1, m2, total2, y2):
    """Two parts of a row's keys as one: the largest score m, the sum of exp(score - m), and that with values.

    Returns
    -------
    m : array (L, 1)
    total : array (L, 1)
    y : array (L, V)
    """
    m = np.maximum(m1, m2)
    first, second = np.exp(m1 - m), np.exp(m2 - m)
    return m, first * total1 + second * total2, first * y1 + second * y2


def _merge_cases(rng):
    for note, far in (("two blocks", 1.0), ("scores that lie far apart", 1000.0)):
        m = far * rng.normal(size=(2, 5, 1))
        total, y = rng.uniform(1, 4, size=(2, 5, 1)), rng.normal(size=(2, 5, 3))
        names = ("m1", "total1", "y1", "m2", "total2", "y2")
        yield Case("merge", dict(zip(names, (m[0], total[0], y[0], m[1], total[1], y[1]))), note)


merge = Exercise(
    solution=merge_blocks,
    hints=[
        "Both sums were taken relative to their own largest score: total1 = sum(exp(score - m1)). Bring "
        "them to the common one, m = np.maximum(m1, m2).",
        "exp(score - m) = exp(score - m1) * exp(m1 - m). So the first sum shrinks by exp(m1 - m), the "
        "second by exp(m2 - m). Neither factor is above 1, so nothing overflows.",
        "y is a sum of exp(score - m) * value: it shrinks by the same factors. Nothing is divided here; y / "
        "total comes once, at the very end.",
    ],
    next="positions that turn: `attention.rotary`.",
    cases=_merge_cases,
)


@merge.mistake(
    "You added the two parts as they are. They were taken relative to different largest scores: shrink each "
    "by exp(its m - the common m) first."
)
def nothing_shrinks(m1, total1, y1, m2, total2, y2):
    return np.maximum(m1, m2), total1 + total2, y1 + y2


@merge.mistake(
    "You shrank the totals and left y as it was. y is a sum of the same exponentials, times the values."
)
def y_left_as_it_was(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    return m, np.exp(m1 - m) * total1 + np.exp(m2 - m) * total2, y1 + y2


@merge.mistake(
    "You shrank y and left the totals as they were. A total is a sum of the same exponentials, without the "
    "values."
)
def totals_left_as_they_were(m1, total1, y1, m2, total2, y2):
    m, _, y = merge_blocks(m1, total1, y1, m2, total2, y2)
    return m, total1 + total2, y


@merge.mistake(
    "You shrank the second part only. Where the second block holds the larger score it is the first that has "
    "to shrink: each part by exp(its m - m)."
)
def only_the_second_shrinks(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    return m, total1 + np.exp(m2 - m) * total2, y1 + np.exp(m2 - m) * y2


@merge.mistake("exp(m1) overflows: only differences to the common m may go into exp.")
def exp_of_the_maxima(m1, total1, y1, m2, total2, y2):
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = np.exp(m1), np.exp(m2)
        return np.maximum(m1, m2), first * total1 + second * total2, first * y1 + second * y2


@merge.mistake(
    "You kept everything relative to m1. Where m2 is far larger exp(m2 - m1) overflows: the common m is the "
    "larger of the two."
)
def relative_to_the_first(m1, total1, y1, m2, total2, y2):
    with np.errstate(over="ignore", invalid="ignore"):
        second = np.exp(m2 - m1)
        return m1, total1 + second * total2, y1 + second * y2


@merge.mistake(
    "You shrank the first part only. Where the first block holds the larger score it is the second that has "
    "to shrink: each part by exp(its m - m)."
)
def only_the_first_shrinks(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    return m, np.exp(m1 - m) * total1 + total2, np.exp(m1 - m) * y1 + y2


@merge.mistake(
    "Your factors belong to the other part: the first shrinks by exp(m1 - m), the second by exp(m2 - m)."
)
def factors_swapped(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    return m, np.exp(m2 - m) * total1 + np.exp(m1 - m) * total2, np.exp(m2 - m) * y1 + np.exp(m1 - m) * y2


@merge.mistake(
    "You divided y by the total already. The next block would then meet a y of another kind: keep the sum, "
    "and divide once, behind the last block."
)
def divided_too_early(m1, total1, y1, m2, total2, y2):
    m, total, y = merge_blocks(m1, total1, y1, m2, total2, y2)
    return m, total, y / total


@merge.mistake(
    "You took the smaller of the two maxima as the common one. Then exp(m - ...) may overflow: take the "
    "larger."
)
def the_smaller_maximum(m1, total1, y1, m2, total2, y2):
    m = np.minimum(m1, m2)
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = np.exp(m1 - m), np.exp(m2 - m)
        return m, first * total1 + second * total2, first * y1 + second * y2


def _merged(m, first, second, total1, y1, total2, y2):
    with np.errstate(over="ignore", invalid="ignore"):
        return m, first * total1 + second * total2, first * y1 + second * y2


def _shrunk_to(m, m1, total1, y1, m2, total2, y2):
    with np.errstate(over="ignore"):
        return _merged(m, np.exp(m1 - m), np.exp(m2 - m), total1, y1, total2, y2)


@merge.mistake(
    "You added the maxima. The largest score of both parts is the larger of the two: np.maximum(m1, m2)."
)
def maxima_added(m1, total1, y1, m2, total2, y2):
    return _shrunk_to(m1 + m2, m1, total1, y1, m2, total2, y2)


@merge.mistake(
    "You kept everything relative to m2. Where m1 is far larger exp(m1 - m2) overflows: the common m is the "
    "larger of the two."
)
def relative_to_the_second(m1, total1, y1, m2, total2, y2):
    return _shrunk_to(m2, m1, total1, y1, m2, total2, y2)


@merge.mistake(
    "You took one largest score for all rows. Each query has its own: np.maximum(m1, m2) compares row by row."
)
def one_maximum_for_all(m1, total1, y1, m2, total2, y2):
    return _shrunk_to(np.maximum(m1, m2).max(), m1, total1, y1, m2, total2, y2)


@merge.mistake(
    "The sign in exp is turned: yours grow, exp(m - m1) and exp(m - m2). No factor may be above 1."
)
def factors_that_grow(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    with np.errstate(over="ignore"):
        return _merged(m, np.exp(m - m1), np.exp(m - m2), total1, y1, total2, y2)


@merge.mistake(
    "You compared the two maxima with each other, exp(m1 - m2). Each is compared with the common m, or one "
    "of the two overflows."
)
def compared_with_each_other(m1, total1, y1, m2, total2, y2):
    with np.errstate(over="ignore"):
        first, second = np.exp(m1 - m2), np.exp(m2 - m1)
    return _merged(np.maximum(m1, m2), first, second, total1, y1, total2, y2)


@merge.mistake("exp is missing: you multiplied by the differences m1 - m and m2 - m themselves.")
def differences_without_exp(m1, total1, y1, m2, total2, y2):
    m = np.maximum(m1, m2)
    return _merged(m, m1 - m, m2 - m, total1, y1, total2, y2)


@merge.mistake("You multiplied y by the totals as well. y is a sum, not a mean: it shrinks, and that is all.")
def y_times_the_totals(m1, total1, y1, m2, total2, y2):
    m, total, _ = merge_blocks(m1, total1, y1, m2, total2, y2)
    return m, total, np.exp(m1 - m) * total1 * y1 + np.exp(m2 - m) * total2 * y2


@merge.mistake(
    "You made y a mean, weighted by the totals. It stays a sum of exp(score - m) times values: shrink each "
    "part and add."
)
def y_as_a_mean(m1, total1, y1, m2, total2, y2):
    m, total, _ = merge_blocks(m1, total1, y1, m2, total2, y2)
    return m, total, (total1 * y1 + total2 * y2) / (total1 + total2)


@merge.mistake(
    "You multiplied y1 and y2 by their totals, as if they were means. Nothing has been divided yet: they are "
    "sums, and they only shrink."
)
def y_as_a_shrunk_mean(m1, total1, y1, m2, total2, y2):
    m, total, _ = merge_blocks(m1, total1, y1, m2, total2, y2)
    return m, total, (np.exp(m1 - m) * total1 * y1 + np.exp(m2 - m) * total2 * y2) / total


# -------------------------------------------------------------------------------------------- the cache


def attend_with_cache(query, key, value, key_cache, value_cache):
    """Causal attention of new places after cached ones; also the caches for the next call.

    Returns
    -------
    y : array (..., L, V)
    keys : array (..., S, E)
    values : array (..., S, V)
    """
    return in_numpy.cached_attention.unchecked(query, key, value, key_cache, value_cache)


def _cache_cases(rng):
    for note, new in (("one new place", 1), ("three new places", 3)):
        old = dict(key_cache=rng.normal(size=(2, 5, 4)), value_cache=rng.normal(size=(2, 5, 3)))
        yield Case("cache", {**_three(rng, (2,), new, 4, 3), **old}, note)
    old = dict(key_cache=rng.normal(size=(2, 3, 4, 4)), value_cache=rng.normal(size=(2, 3, 4, 3)))
    yield Case("cache", {**_three(rng, (2, 3), 2, 4, 3), **old}, "batch and heads")


cache = Exercise(
    solution=attend_with_cache,
    hints=[
        "The new keys and values stand behind the old ones: np.concatenate([key_cache, key], axis=-2). "
        "These are also the caches to return.",
        "L queries meet S = P + L keys. The last query may look at all of them, the one before at all but "
        "the last: np.tri(L, S, S - L, dtype=bool) is that mask, from the lower right.",
        "scores = query @ keys.swapaxes(-1, -2) / E ** 0.5, -inf where the mask is False, softmax, times "
        "values. Return y, keys, values.",
    ],
    next="softmax in pieces: `attention.merge`.",
    cases=_cache_cases,
)


def _cached(query, key, value, key_cache, value_cache, k=None, swap=False):
    parts = ([key, key_cache], [value, value_cache]) if swap else ([key_cache, key], [value_cache, value])
    keys, values = (np.concatenate(p, axis=-2) for p in parts)
    scores = query @ keys.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    new, seen = scores.shape[-2:]
    mask = np.tri(new, seen, seen - new if k is None else k, dtype=bool)
    return _softmax(np.where(mask, scores, -np.inf)) @ values, keys, values


@cache.mistake(
    "Your mask counts from the upper left: the first new query sees the first *cached* key alone. This is "
    "what is_causal=True does when there are more keys than queries. Count from the lower right: np.tri(L, "
    "S, S - L)."
)
def upper_left(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, k=0)


@cache.mistake(
    "The mask among the new places is missing: with three at once, the first sees the two behind it."
)
def no_mask_among_the_new(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, k=query.shape[-2] + key_cache.shape[-2])


@cache.mistake(
    "A new place sees the one behind it: your mask ends one key too late. np.tri(L, S, S - L) includes the "
    "place itself already."
)
def one_key_too_many(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, k=key_cache.shape[-2] + 1)


@cache.mistake("A new place does not see itself: your mask ends one key too early. np.tri(L, S, S - L).")
def blind_to_itself(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, k=key_cache.shape[-2] - 1)


@cache.mistake(
    "You put the new keys in front of the old ones. The order is that of the text: the cache first, then "
    "what is new."
)
def new_ones_in_front(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, swap=True)


@cache.mistake("You looked at the old keys alone. A new place also sees itself and the new ones before it.")
def only_the_old(query, key, value, key_cache, value_cache):
    weights = _softmax(query @ key_cache.swapaxes(-1, -2) / np.sqrt(query.shape[-1]))
    _, keys, values = _cached(query, key, value, key_cache, value_cache)
    return weights @ value_cache, keys, values


@cache.mistake("You looked at the new keys alone. What the cache holds has to be looked at too.")
def only_the_new(query, key, value, key_cache, value_cache):
    _, keys, values = _cached(query, key, value, key_cache, value_cache)
    return _causal(query, key, value), keys, values


@cache.mistake(
    "You returned the old caches. What comes back must hold the new keys and values too, or the next call "
    "has forgotten them."
)
def old_caches_returned(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache)[0], key_cache, value_cache


@cache.mistake("You divided by E. It is the square root of E.")
def cache_divided_by_width(query, key, value, key_cache, value_cache):
    root = np.sqrt(query.shape[-1]).astype(query.dtype)
    return _cached(query / root, key, value, key_cache, value_cache)


@cache.mistake("The scale is missing: divide the scores by the square root of E.")
def cache_without_scale(query, key, value, key_cache, value_cache):
    return _cached(query * np.sqrt(query.shape[-1]).astype(query.dtype), key, value, key_cache, value_cache)


def _attended(scores, values, mask):
    return _softmax(np.where(mask, scores, -np.inf)) @ values


def _cached_scores(query, key, value, key_cache, value_cache, width=None):
    """Scaled scores, the right mask, and the longer caches."""
    keys = np.concatenate([key_cache, key], axis=-2)
    values = np.concatenate([value_cache, value], axis=-2)
    scores = query @ keys.swapaxes(-1, -2) / np.sqrt(width or query.shape[-1])
    new, seen = scores.shape[-2:]
    return scores, np.tri(new, seen, seen - new, dtype=bool), keys, values


@cache.mistake(
    "Your mask is moved the wrong way, by L - S: the cache would be out of view. What is cached comes first, "
    "and every new place sees all of it."
)
def negative_offset(query, key, value, key_cache, value_cache):
    with np.errstate(invalid="ignore"):
        return _cached(query, key, value, key_cache, value_cache, k=-key_cache.shape[-2])


@cache.mistake(
    "Your mask is the wrong way round: where it is True the score stays. You shut out what a place may see, "
    "and the last place sees nothing."
)
def cache_mask_inverted(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    with np.errstate(invalid="ignore"):
        return _attended(scores, values, ~mask), keys, values


@cache.mistake(
    "Your mask is a triangle of the wrong side: each new place sees itself and what comes *after* it, and "
    "nothing of the cache."
)
def cache_sees_only_the_future(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    mask = np.triu(np.ones_like(mask), k=key_cache.shape[-2])
    return _attended(scores, values, mask), keys, values


@cache.mistake(
    "Your mask is moved by L, the number of new places. It is moved by the number of cached ones: they are "
    "all in view."
)
def moved_by_the_new(query, key, value, key_cache, value_cache):
    return _cached(query, key, value, key_cache, value_cache, k=query.shape[-2])


@cache.mistake(
    "Your triangle stands over the first keys, and the last are in full view. The new places come last: the "
    "triangle belongs there."
)
def triangle_over_the_old(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    new, seen = mask.shape
    mask = np.tri(new, seen, dtype=bool) | (np.arange(seen) >= new)
    return _attended(scores, values, mask), keys, values


@cache.mistake("You put 0 in place of the scores that are shut out. exp(0) is 1: use -np.inf.")
def cache_zero_for_infinity(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    return _softmax(np.where(mask, scores, 0)) @ values, keys, values


@cache.mistake(
    "You masked after the softmax. Then what is shut out has taken its share already: mask the scores."
)
def cache_masked_too_late(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    return (_softmax(scores) * mask) @ values, keys, values


@cache.mistake("Your softmax runs over the queries. Each query shares its weight out over the keys: axis=-1.")
def cache_softmax_over_the_queries(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    with np.errstate(invalid="ignore"):
        return _softmax(np.where(mask, scores, -np.inf), axis=-2) @ values, keys, values


@cache.mistake("You divided by the sum of all exponentials. Each query has a sum of its own.")
def cache_one_sum_for_all(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    scores = np.where(mask, scores, -np.inf)
    z = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return z / z.sum() @ values, keys, values


@cache.mistake("You scaled with the number of keys. E is the width of a query: query.shape[-1].")
def cache_scaled_by_the_keys(query, key, value, key_cache, value_cache):
    width = key.shape[-2] + key_cache.shape[-2]
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache, width)
    return _attended(scores, values, mask), keys, values


@cache.mistake("You scaled with the width of the values. E is that of the queries: query.shape[-1].")
def cache_scaled_by_the_values(query, key, value, key_cache, value_cache):
    width = value.shape[-1]
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache, width)
    return _attended(scores, values, mask), keys, values


@cache.mistake(
    "The new values stand in front of the old ones, but the keys behind them: every weight meets the value "
    "of another place."
)
def new_values_in_front(query, key, value, key_cache, value_cache):
    scores, mask, keys, _ = _cached_scores(query, key, value, key_cache, value_cache)
    values = np.concatenate([value, value_cache], axis=-2)
    return _attended(scores, values, mask), keys, values


@cache.mistake("You did not divide by the sum of the row: the weights of a query have to add up to 1.")
def cache_not_divided(query, key, value, key_cache, value_cache):
    scores, mask, keys, values = _cached_scores(query, key, value, key_cache, value_cache)
    scores = np.where(mask, scores, -np.inf)
    return np.exp(scores - scores.max(axis=-1, keepdims=True)) @ values, keys, values


# ------------------------------------------------------------------------------------- rotary positions


def _rotary_cases(rng):
    yield Case("rotary_embedding", dict(x=rng.normal(size=(2, 3, 5, 6))), "batch and heads")
    far = dict(x=rng.normal(size=(4, 8)), base=100.0, offset=1000)
    yield Case("rotary_embedding", far, "far on, another base")


rotary = Exercise(
    solution=in_numpy.rotary_embedding,
    hints=[
        "x1, x2 = np.split(x, 2, axis=-1): feature i of the first half and feature i of the second are one "
        "point in a plane. There are D / 2 such planes.",
        "The angle of position t in plane i is (t + offset) * base ** (-2 * i / D): np.outer of the "
        "positions and the D / 2 speeds gives all of them, (T, D / 2).",
        "A rotation: y1 = x1 * cos - x2 * sin, y2 = x2 * cos + x1 * sin, side by side again with "
        "np.concatenate(..., axis=-1). Cast cos and sin to x.dtype, or float32 becomes float64.",
    ],
    next="the questions, and notebook 17: networks that squeeze a picture through a few numbers.",
    cases=_rotary_cases,
)


def _rotary(x, base, offset, sign=1, power=2.0, start=0, pairs="halves", reflect=0):
    t, d = x.shape[-2:]
    angle = np.outer(np.arange(start, t + start) + offset, float(base) ** (-power * np.arange(d // 2) / d))
    cos, sin = np.cos(angle).astype(x.dtype), sign * np.sin(angle).astype(x.dtype)
    x1, x2 = (x[..., 0::2], x[..., 1::2]) if pairs == "neighbors" else np.split(x, 2, axis=-1)
    y1 = x1 * cos + (x2 if reflect == 1 else -x2) * sin
    y2 = x2 * cos + (-x1 if reflect == 2 else x1) * sin
    if pairs in ("neighbors", "interleaved"):
        return np.stack([y1, y2], axis=-1).reshape(x.shape)
    return np.concatenate([y2, y1] if pairs == "exchanged" else [y1, y2], axis=-1)


@rotary.mistake(
    "You turn the other way round, by -a. The gradient does that; forwards it is x1 * cos - x2 * sin."
)
def turned_back(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, sign=-1)


@rotary.mistake(
    "You paired neighbors, x[..., 0::2] with x[..., 1::2], as the paper does. Here, as in most models that "
    "are used, the first half pairs with the second. Both work; weights trained for one do not fit the "
    "other."
)
def neighbors(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, pairs="neighbors")


@rotary.mistake(
    "Your speeds fall half as fast as they should: base ** (-2 * i / D), for i from 0 to D / 2 - 1."
)
def half_the_exponent(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, power=1.0)


@rotary.mistake("The offset is missing: the first row stands at position offset, not at 0.")
def no_offset(x, base=10000.0, offset=0):
    return _rotary(x, base, 0)


@rotary.mistake(
    "You count positions from 1. The first row stands at position 0 + offset and is not turned at 0."
)
def counted_from_one(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, start=1)


@rotary.mistake("All your pairs turn equally fast. Pair i has the speed base ** (-2 * i / D).")
def one_speed(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, power=0.0)


@rotary.mistake(
    "The sign in the second half is wrong: y2 = x2 * cos + x1 * sin. With two minus signs it is no "
    "rotation, and lengths change."
)
def no_rotation(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, reflect=2)


@rotary.mistake(
    "The sign in the first half is wrong: y1 = x1 * cos - x2 * sin. With two plus signs it is no rotation, "
    "and lengths change."
)
def no_rotation_in_the_first_half(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, reflect=1)


@rotary.mistake("You exchanged the halves at the end: y1, of the first half, comes first.")
def halves_exchanged(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, pairs="exchanged")


@rotary.mistake(
    "You cut x into halves and put the results back as neighbors. What was cut into halves is joined by "
    "np.concatenate([y1, y2], axis=-1)."
)
def halves_joined_as_neighbors(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, pairs="interleaved")


@rotary.mistake(
    "Your speeds fall twice as fast as they should: the D of base ** (-2 * i / D) is the whole width, not "
    "half of it."
)
def twice_the_exponent(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, power=4.0)


@rotary.mistake("Your speeds rise. They fall from pair to pair: base ** (-2 * i / D), with a minus sign.")
def speeds_that_rise(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, power=-2.0)


@rotary.mistake("You ignore base: 10000 is only its default.")
def base_ignored(x, base=10000.0, offset=0):
    return _rotary(x, 10000.0, offset)


@rotary.mistake(
    "You paired neighbors, x[..., 0::2] with x[..., 1::2], and joined the results as halves. Here the first "
    "half of x pairs with the second, and halves are what comes back."
)
def neighbors_joined_as_halves(x, base=10000.0, offset=0):
    turned = _rotary(x, base, offset, pairs="neighbors")
    return np.concatenate([turned[..., 0::2], turned[..., 1::2]], axis=-1)


@rotary.mistake(
    "You turned the second half with the first half *already turned*. Both lines need the old x1: give the "
    "new one another name."
)
def first_half_overwritten(x, base=10000.0, offset=0):
    half = x.shape[-1] // 2
    y1 = _rotary(x, base, offset)[..., :half]
    replaced = np.concatenate([y1, x[..., half:]], axis=-1)
    return np.concatenate([y1, _rotary(replaced, base, offset)[..., half:]], axis=-1)


@rotary.mistake("You exchanged sine and cosine: at the angle 0 nothing turns, so x1 has to meet the cosine.")
def sine_and_cosine_exchanged(x, base=10000.0, offset=0):
    x1, x2 = np.split(x, 2, axis=-1)
    half = x.shape[-1] // 2
    cos = _rotary(np.concatenate([np.ones_like(x1), 0 * x2], axis=-1), base, offset)
    cos, sin = cos[..., :half], cos[..., half:]
    return np.concatenate([x1 * sin - x2 * cos, x2 * sin + x1 * cos], axis=-1)


@rotary.mistake("You subtracted the offset. The first row stands at position offset, the next one behind it.")
def offset_subtracted(x, base=10000.0, offset=0):
    return _rotary(x, base, -offset)


@rotary.mistake(
    "You added the offset to the angles. It is a number of places: it belongs to the positions, before they "
    "are multiplied by the speeds."
)
def offset_on_the_angle(x, base=10000.0, offset=0):
    t, d = x.shape[-2:]
    angle = np.outer(np.arange(t), float(base) ** (-2 * np.arange(d // 2) / d)) + offset
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    x1, x2 = np.split(x, 2, axis=-1)
    return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)


@rotary.mistake("You count the pairs from 1. The first pair has i = 0 and the speed 1.")
def pairs_counted_from_one(x, base=10000.0, offset=0):
    t, d = x.shape[-2:]
    angle = np.outer(np.arange(t) + offset, float(base) ** (-2 * np.arange(1, d // 2 + 1) / d))
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    x1, x2 = np.split(x, 2, axis=-1)
    return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)


@rotary.mistake("The exponent is not divided by D: the speeds fall to almost nothing at the second pair.")
def exponent_not_divided(x, base=10000.0, offset=0):
    return _rotary(x, base, offset, power=2.0 * x.shape[-1])


@rotary.mistake(
    "You added waves to x. That is the sinusoidal way; here nothing is added: pairs of features are turned."
)
def waves_added(x, base=10000.0, offset=0):
    half = np.zeros_like(x[..., : x.shape[-1] // 2])
    waves = _rotary(np.concatenate([half + 1, half], axis=-1), base, offset)
    return x + np.concatenate(np.split(waves, 2, axis=-1)[::-1], axis=-1)


@rotary.mistake("You turned the first half and left the second as it was. Both are coordinates of one point.")
def second_half_left(x, base=10000.0, offset=0):
    half = x.shape[-1] // 2
    return np.concatenate([_rotary(x, base, offset)[..., :half], x[..., half:]], axis=-1)
