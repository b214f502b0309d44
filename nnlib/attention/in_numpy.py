"""The reference: attention and its masks, many heads, positions, blocks, and the cache. NumPy only.

Two conventions meet here, and both are torch's: in `attention_weights` and `scaled_dot_product_attention` a
boolean mask is True where a query may look, in `multi_head_attention` and the blocks where it may not.
"""

import math

import numpy as np

from nnlib.core import checked
from nnlib.linear.in_numpy import linear, linear_backward, mlp, mlp_backward
from nnlib.normalization.in_numpy import layer_norm, layer_norm_backward

no_gradient = {
    "cached_attention": "a cache serves a trained model that writes; nothing is trained through it"
}


# ---------------------------------------------------------------------------------------------- one head


@checked
def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None):
    """How much each query looks at each key: shares of 1, the larger the better the two agree.

        attn_weights = softmax(scale * query @ key.T + attn_mask)

    A boolean mask is True where a query may look, and shuts out the rest before the softmax. A query that
    may look nowhere has the weights 0.

    Parameters
    ----------
    query : array (..., L, E)
    key : array (..., S, E)
    attn_mask : bool array (L, S) or (..., L, S) or array (L, S) or (..., L, S) or None
    is_causal : bool                  query i may look at the keys 0 to i; takes the place of attn_mask
    scale : float or None             1 / sqrt(E) if None

    Returns
    -------
    attn_weights : array (..., L, S)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, equation 1.
    """
    scores = _scores(query, key, attn_mask, is_causal, scale)
    largest = scores.max(axis=-1, keepdims=True)
    z = np.exp(scores - np.where(largest > -np.inf, largest, 0))
    total = z.sum(axis=-1, keepdims=True)
    return z / np.where(total > 0, total, 1)


@checked
def attention_weights_backward(grad_output, query, key, attn_mask=None, is_causal=False, scale=None):
    """Gradients of `attention_weights` for query, key and a mask of numbers.

    grad_scores = w * (grad_output - sum(grad_output * w)),   w = attn_weights
    grad_query = scale * grad_scores @ key,   grad_key = scale * grad_scores.T @ query
    """
    w = attention_weights.unchecked(query, key, attn_mask, is_causal, scale)
    grad_scores = w * (grad_output - (grad_output * w).sum(axis=-1, keepdims=True))
    scale = _scale(query, scale)
    grads = scale * grad_scores @ key, scale * _transposed(grad_scores) @ query
    if attn_mask is None:
        return grads
    return *grads, None if attn_mask.dtype == bool else _sum_to(grad_scores, attn_mask.shape)


def _scores(query, key, attn_mask, is_causal, scale):
    """scale * query @ key.T, with -inf where a query may not look."""
    if is_causal and attn_mask is not None:
        raise ValueError(
            "attention_weights: is_causal is True and attn_mask is given; expected one of the two"
        )
    scores = _scale(query, scale) * query @ _transposed(key)
    if is_causal:
        attn_mask = np.tri(*scores.shape[-2:], dtype=bool)
    if attn_mask is None:
        return scores
    return np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask


def _scale(query, scale):
    return 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)


def _transposed(x):
    return x.swapaxes(-1, -2)


def _sum_to(grad, shape):
    """The gradient of what was broadcast from `shape`: it served many places, whose gradients add up."""
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n < grad.shape[i]), keepdims=True)


@checked(not_taught={"dropout_p": 0.0, "enable_gqa": False})
def scaled_dot_product_attention(query, key, value, attn_mask=None, is_causal=False, scale=None):
    """Each query gets a mixture of the values, weighted by how well it agrees with their keys.

        y = softmax(scale * query @ key.T + attn_mask) @ value

    Parameters
    ----------
    query : array (..., L, E)         what each of L places looks for
    key : array (..., S, E)           what each of S places offers to be found by
    value : array (..., S, V)         what is handed over
    attn_mask : bool array (L, S) or (..., L, S) or array (L, S) or (..., L, S) or None
    is_causal : bool                  query i may look at the keys 0 to i; takes the place of attn_mask
    scale : float or None             1 / sqrt(E) if None

    Returns
    -------
    y : array (..., L, V)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, equation 1.
    """
    return attention_weights.unchecked(query, key, attn_mask, is_causal, scale) @ value


@checked
def scaled_dot_product_attention_backward(
    grad_output, query, key, value, attn_mask=None, is_causal=False, scale=None
):
    """Gradients of `scaled_dot_product_attention`: of a product, then those of the weights.

    grad_weights = grad_output @ value.T,   grad_value = attn_weights.T @ grad_output
    """
    given = query, key, attn_mask, is_causal, scale
    grad_value = _transposed(attention_weights.unchecked(*given)) @ grad_output
    grad_weights = grad_output @ _transposed(value)
    grad_query, grad_key, *grad_mask = attention_weights_backward.unchecked(grad_weights, *given)
    return grad_query, grad_key, grad_value, *grad_mask


# ----------------------------------------------------------------------------------------- block by block


@checked
def blockwise_attention(query, key, value, is_causal=False, scale=None, block_size=64):
    """The same output from blocks of keys: L x block_size weights in memory instead of L x S.

        m' = max(m, scores),   p = exp(scores - m')
        total' = total * exp(m - m') + sum(p),   y' = y * exp(m - m') + p @ value          for each block

    The largest score so far, m, can still grow; then what was summed up before shrinks by exp(m - m'). At the
    end y / total is the softmax's mixture.

    Parameters
    ----------
    query : array (..., L, E)
    key : array (..., S, E)
    value : array (..., S, V)
    is_causal : bool
    scale : float or None             1 / sqrt(E) if None
    block_size : int >= 1

    Returns
    -------
    y : array (..., L, V)

    References
    ----------
    Milakov & Gimelshein (2018), arXiv:1805.02867, Algorithm 3; Dao et al. (2022), arXiv:2205.14135.
    """
    return _blockwise(query, key, value, is_causal, scale, block_size)[0]


@checked
def blockwise_attention_backward(grad_output, query, key, value, is_causal=False, scale=None, block_size=64):
    """Gradients of `blockwise_attention`: the weights of a block are computed again, not kept.

    w = exp(scores - log_total),   log_total = m + log(total)
    grad_scores = w * (grad_output @ value.T - sum(grad_output * y)),   for sum(grad_w * w) = sum(grad_y * y)
    """
    y, log_total = _blockwise(query, key, value, is_causal, scale, block_size)
    shared = (grad_output * y).sum(axis=-1, keepdims=True)
    grad_query, grad_key, grad_value = np.zeros_like(query), np.empty_like(key), np.empty_like(value)
    for block, scores in _score_blocks(query, key, is_causal, scale, block_size):
        w = np.exp(scores - log_total)
        grad_scores = w * (grad_output @ _transposed(value[block]) - shared)
        grad_scores *= _scale(query, scale)
        grad_query += grad_scores @ key[block]
        grad_key[block] = _transposed(grad_scores) @ query
        grad_value[block] = _transposed(w) @ grad_output
    return grad_query, grad_key, grad_value


def _blockwise(query, key, value, is_causal, scale, block_size):
    """The output, and the logarithm of the softmax's denominator."""
    m = np.full_like(query[..., :1], -np.inf)
    total, y = 0, 0
    for block, scores in _score_blocks(query, key, is_causal, scale, block_size):
        largest = np.maximum(m, scores.max(axis=-1, keepdims=True))
        p, shrink = np.exp(scores - largest), np.exp(m - largest)
        total = total * shrink + p.sum(axis=-1, keepdims=True)
        y = y * shrink + p @ value[block]
        m = largest
    return y / total, m + np.log(total)


def _score_blocks(query, key, is_causal, scale, block_size):
    """Which keys, and their scores: the first block of a causal mask leaves every query something to see."""
    position = np.arange(query.shape[-2])[:, None]
    for start in range(0, key.shape[-2], block_size):
        block = ..., slice(start, start + block_size), slice(None)
        scores = _scores(query, key[block], None, False, scale)
        seen = position >= np.arange(start, start + scores.shape[-1])
        yield block, np.where(seen, scores, -np.inf) if is_causal else scores


# ---------------------------------------------------------------------------------------------- positions


@checked
def sinusoidal_encoding(x, base=10000.0, offset=0):
    """Add to each row a pattern of waves that tells its position: fast waves first, slow ones last.

        y = x + p,   p[t, 2i] = sin(a[t, i]),   p[t, 2i + 1] = cos(a[t, i])
        a[t, i] = (t + offset) * base**(-2i / D)

    Parameters
    ----------
    x : array (..., T, D)     D even
    base : float > 0
    offset : int >= 0         the position of the first row

    Returns
    -------
    y : array (..., T, D)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, section 3.5.
    """
    angle = _angles("sinusoidal_encoding", x, base, offset)
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(x.shape[-2:])
    return x + waves.astype(x.dtype)


@checked
def sinusoidal_encoding_backward(grad_output, x, base=10000.0, offset=0):
    """Gradient of `sinusoidal_encoding`: what is added is a constant.

    grad_x = grad_output
    """
    return grad_output.copy()


@checked
def rotary_embedding(x, base=10000.0, offset=0):
    """Turn each pair of features by an angle that grows with the position: fast pairs first, slow ones last.

        y1 = x1 * cos(a) - x2 * sin(a),   y2 = x2 * cos(a) + x1 * sin(a)
        a[t, i] = (t + offset) * base**(-2i / D)

    x1 is the first half of the features, x2 the second: feature i of one turns with feature i of the other.

    Parameters
    ----------
    x : array (..., T, D)     D even
    base : float > 0
    offset : int >= 0         the position of the first row

    Returns
    -------
    y : array (..., T, D)

    References
    ----------
    Su et al. (2021), RoFormer, arXiv:2104.09864 (there neighbors are the pairs, here halves).
    """
    angle = _angles("rotary_embedding", x, base, offset)
    return _turned(x, angle)


@checked
def rotary_embedding_backward(grad_output, x, base=10000.0, offset=0):
    """Gradient of `rotary_embedding`: the transpose of a rotation is the rotation back.

    grad_x1 = g1 * cos(a) + g2 * sin(a),   grad_x2 = g2 * cos(a) - g1 * sin(a),   g = grad_output
    """
    return _turned(grad_output, -_angles("rotary_embedding", x, base, offset))


def _angles(name, x, base, offset):
    """The angle of every position and pair, in float64, since positions may be large."""
    steps, features = x.shape[-2:]
    if features % 2:
        raise ValueError(f"{name}: x has shape {x.shape}; expected an even number of features")
    speed = float(base) ** (-2 * np.arange(features // 2) / features)
    return np.outer(np.arange(offset, offset + steps), speed)


def _turned(x, angle):
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    x1, x2 = np.split(x, 2, axis=-1)
    return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)


# --------------------------------------------------------------------------------------------- many heads


@checked(
    not_taught={
        "embed_dim_to_check": None,
        "bias_k": None,
        "bias_v": None,
        "add_zero_attn": False,
        "dropout_p": 0.0,
        "need_weights": True,
        "is_causal": False,
    }
)
def multi_head_attention(
    query,
    key,
    value,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    out_proj_weight,
    out_proj_bias,
    key_padding_mask=None,
    attn_mask=None,
    average_attn_weights=True,
):
    """Several attentions side by side, each on E / num_heads features, and a layer that mixes them.

        q, k, v = linear(query, W_q, b_q), linear(key, W_k, b_k), linear(value, W_v, b_v), each cut into heads
        head = softmax(q @ k.T / sqrt(d)) @ v,   d = E / num_heads
        y = linear(heads side by side, out_proj_weight, out_proj_bias)

    in_proj_weight holds W_q, W_k and W_v below each other. A boolean mask is True where a query may NOT look.
    A query that may look nowhere has the weights 0, where torch's heads, asked for weights, make NaN of it.

    Parameters
    ----------
    query : array (N, L, E)                   as with batch_first=True in torch
    key, value : array (N, S, E)
    num_heads : int >= 1                      a divisor of E
    in_proj_weight : array (3*E, E)
    in_proj_bias : array (3*E,) or None
    out_proj_weight : array (E, E)
    out_proj_bias : array (E,) or None
    key_padding_mask : bool array (N, S) or None                     True for keys that only fill up
    attn_mask : bool array (L, S) or array (L, S) or None
    average_attn_weights : bool               over the heads

    Returns
    -------
    y : array (N, L, E)
    attn_weights : array (N, L, S) or (N, num_heads, L, S)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2.
    """
    q, k, v = _heads(query, key, value, num_heads, in_proj_weight, in_proj_bias)
    weights = attention_weights.unchecked(q, k, _looks(attn_mask, key_padding_mask))
    y = linear.unchecked(_side_by_side(weights @ v), out_proj_weight, out_proj_bias)
    return y, weights.mean(axis=1) if average_attn_weights else weights


@checked
def multi_head_attention_backward(
    grad_output,
    query,
    key,
    value,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    out_proj_weight,
    out_proj_bias,
    key_padding_mask=None,
    attn_mask=None,
    average_attn_weights=True,
):
    """Gradients of `multi_head_attention`. grad_output is (grad_y, grad_weights).

    Each step back is the backward of a step forth: the last layer, the heads, the three layers in front.
    """
    grad_y, grad_weights = grad_output
    q, k, v = _heads(query, key, value, num_heads, in_proj_weight, in_proj_bias)
    mask = _looks(attn_mask, key_padding_mask)
    weights = attention_weights.unchecked(q, k, mask)
    mixed = _side_by_side(weights @ v)
    grad_mixed, *grad_out = linear_backward.unchecked(grad_y, mixed, out_proj_weight, out_proj_bias)
    grad_head = _cut(grad_mixed, num_heads)
    grad_weights = grad_weights[:, None] / num_heads if average_attn_weights else grad_weights
    grad_weights = grad_weights + grad_head @ _transposed(v)
    grad_q, grad_k, *grad_mask = attention_weights_backward.unchecked(grad_weights, q, k, mask)
    grad_heads = [_side_by_side(g) for g in (grad_q, grad_k, _transposed(weights) @ grad_head)]
    weight, bias = _thirds(in_proj_weight, in_proj_bias)
    each = zip(grad_heads, (query, key, value), weight, bias)
    in_grads = [linear_backward.unchecked(*arrays) for arrays in each]
    grad_inputs, *grad_in = zip(*in_grads)
    grad_in = [np.concatenate(g) for g in grad_in]
    grads = *grad_inputs, *grad_in, *grad_out, *([] if key_padding_mask is None else [None])
    if attn_mask is None:
        return grads
    return *grads, None if attn_mask.dtype == bool else _sum_to(grad_mask[0], attn_mask.shape)


def _thirds(in_proj_weight, in_proj_bias):
    bias = [None] * 3 if in_proj_bias is None else np.split(in_proj_bias, 3)
    return np.split(in_proj_weight, 3), bias


def _heads(query, key, value, num_heads, in_proj_weight, in_proj_bias):
    """Queries, keys and values of every head: (N, num_heads, L or S, E / num_heads) each."""
    if query.shape[-1] % num_heads:
        raise ValueError(
            f"multi_head_attention: num_heads is {num_heads}; expected a divisor of E = {query.shape[-1]}"
        )
    weight, bias = _thirds(in_proj_weight, in_proj_bias)
    inputs = query, key, value
    return [_cut(linear.unchecked(x, w, b), num_heads) for x, w, b in zip(inputs, weight, bias)]


def _cut(x, num_heads):
    return x.reshape(*x.shape[:-1], num_heads, -1).swapaxes(1, 2)


def _side_by_side(heads):
    heads = heads.swapaxes(1, 2)
    return heads.reshape(*heads.shape[:2], -1)


def _looks(attn_mask, key_padding_mask):
    """Both masks as one in the other convention: True where a query may look, or numbers to add."""
    if attn_mask is not None and attn_mask.dtype == bool:
        attn_mask = ~attn_mask
    if key_padding_mask is None:
        return attn_mask
    padding = key_padding_mask[:, None, None, :]
    if attn_mask is None or attn_mask.dtype == bool:
        return ~padding if attn_mask is None else attn_mask & ~padding
    return np.where(padding, attn_mask.dtype.type(-np.inf), attn_mask)


# ------------------------------------------------------------------------------------------------- blocks
#
# A block adds sublayers to its input, each with a layer norm: behind the sum, as in 2017, or with norm_first
# in front of the sublayer. A sublayer is a pair f(x), f_backward(grad, x); x gets the first gradient.


def _attention(nhead, params, padding, mask, memory=None):
    """Attention from x to the memory, or to x itself where there is none."""

    def f(x):
        seen = x if memory is None else memory
        return multi_head_attention.unchecked(x, seen, seen, nhead, *params, padding, mask)[0]

    def f_backward(grad, x):
        seen, unused = x if memory is None else memory, np.zeros((1, 1, 1), x.dtype)
        grad_q, grad_k, grad_v, *grads = multi_head_attention_backward.unchecked(
            (grad, unused), x, seen, seen, nhead, *params, padding, mask
        )
        if memory is None:
            return grad_q + grad_k + grad_v, *grads[:4]
        return grad_q, *grads[:4], grad_k + grad_v

    return f, f_backward


def _feed_forward(params):
    return lambda x: mlp.unchecked(x, *params), lambda grad, x: mlp_backward.unchecked(grad, x, *params)


def _add(x, sublayer, norm, eps, norm_first):
    f, _ = sublayer
    settings = x.shape[-1:], *norm, eps
    if norm_first:
        return x + f(layer_norm.unchecked(x, *settings))
    return layer_norm.unchecked(x + f(x), *settings)


def _add_backward(grad, x, sublayer, norm, eps, norm_first):
    """Gradients for x, for what the sublayer has of its own, and for the norm."""
    f, f_backward = sublayer
    settings = x.shape[-1:], *norm, eps
    if norm_first:
        grad_normed, *own = f_backward(grad, layer_norm.unchecked(x, *settings))
        grad_x, *grad_norm = layer_norm_backward.unchecked(grad_normed, x, *settings)
        return grad + grad_x, own, grad_norm
    grad_sum, *grad_norm = layer_norm_backward.unchecked(grad, x + f(x), *settings)
    grad_x, *own = f_backward(grad_sum, x)
    return grad_sum + grad_x, own, grad_norm


def _block(x, sublayers, norms, eps, norm_first):
    for sublayer, norm in zip(sublayers, norms):
        x = _add(x, sublayer, norm, eps, norm_first)
    return x


def _block_backward(grad, x, sublayers, norms, eps, norm_first):
    inputs, grads, grad_norms = [x], [], []
    for sublayer, norm in zip(sublayers[:-1], norms):
        inputs.append(_add(inputs[-1], sublayer, norm, eps, norm_first))
    for x, sublayer, norm in reversed(list(zip(inputs, sublayers, norms))):
        grad, own, grad_norm = _add_backward(grad, x, sublayer, norm, eps, norm_first)
        grads, grad_norms = own + grads, grad_norm + grad_norms
    return grad, *grads, *grad_norms


def _no_gradients(*masks):
    return [None for mask in masks if mask is not None]


@checked(not_taught={"activation": "relu", "dropout": 0.0, "is_causal": False})
def encoder_block(
    x, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias,
    nhead, src_mask=None, src_key_padding_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """Attention among the rows of x, then a small network on every row, each added to its input.

        h = norm1(x + attention(x, x, x)),   y = norm2(h + mlp(h))
        h = x + attention(norm1(x), ...),   y = h + mlp(norm2(h))                    with norm_first

    The arrays stand in the order of the state_dict of torch.nn.TransformerEncoderLayer. With a causal
    src_mask this is the block of a language model.

    Parameters
    ----------
    x : array (N, T, E)
    in_proj_weight : array (3*E, E)
    in_proj_bias : array (3*E,)
    out_proj_weight : array (E, E)
    out_proj_bias : array (E,)
    linear1_weight : array (H, E)
    linear1_bias : array (H,)
    linear2_weight : array (E, H)
    linear2_bias : array (E,)
    norm1_weight, norm1_bias, norm2_weight, norm2_bias : array (E,)
    nhead : int >= 1                                        a divisor of E
    src_mask : bool array (T, T) or None                    True where a query may NOT look
    src_key_padding_mask : bool array (N, T) or None        True for rows that only fill up
    layer_norm_eps : float > 0
    norm_first : bool

    Returns
    -------
    y : array (N, T, E)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, section 3.1; norm_first: Xiong et al. (2020), arXiv:2002.04745.
    """
    attention = in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
    sublayers = (
        _attention(nhead, attention, src_key_padding_mask, src_mask),
        _feed_forward((linear1_weight, linear1_bias, linear2_weight, linear2_bias)),
    )
    norms = (norm1_weight, norm1_bias), (norm2_weight, norm2_bias)
    return _block(x, sublayers, norms, layer_norm_eps, norm_first)


@checked
def encoder_block_backward(
    grad_output, x, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias,
    nhead, src_mask=None, src_key_padding_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """Gradients of `encoder_block` for x and the twelve parameters: the sublayers' backwards, last one first.

    grad_x = grad_sum + what the sublayer passes back
    """
    attention = in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
    sublayers = (
        _attention(nhead, attention, src_key_padding_mask, src_mask),
        _feed_forward((linear1_weight, linear1_bias, linear2_weight, linear2_bias)),
    )
    norms = (norm1_weight, norm1_bias), (norm2_weight, norm2_bias)
    grads = _block_backward(grad_output, x, sublayers, norms, layer_norm_eps, norm_first)
    return *grads, *_no_gradients(src_mask, src_key_padding_mask)


@checked(not_taught={"activation": "relu", "dropout": 0.0, "tgt_is_causal": False, "memory_is_causal": False})
def decoder_block(
    x, memory, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias, norm3_weight, norm3_bias,
    nhead, tgt_mask=None, memory_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """Attention among the rows of x, attention from x to a memory, then a small network on every row.

        h = norm1(x + attention(x, x, x))
        c = norm2(h + attention(h, memory, memory)),   y = norm3(c + mlp(c))

    With norm_first the norms stand in front of the sublayers, as in `encoder_block`.

    The arrays stand in the order of the state_dict of torch.nn.TransformerDecoderLayer. The memory is what an
    encoder made of another text.

    Parameters
    ----------
    x : array (N, T, E)
    memory : array (N, S, E)
    in_proj_weight : array (3*E, E)
    in_proj_bias : array (3*E,)
    out_proj_weight : array (E, E)
    out_proj_bias : array (E,)
    cross_in_proj_weight : array (3*E, E)
    cross_in_proj_bias : array (3*E,)
    cross_out_proj_weight : array (E, E)
    cross_out_proj_bias : array (E,)
    linear1_weight : array (H, E)
    linear1_bias : array (H,)
    linear2_weight : array (E, H)
    linear2_bias : array (E,)
    norm1_weight, norm1_bias, norm2_weight, norm2_bias, norm3_weight, norm3_bias : array (E,)
    nhead : int >= 1                                 a divisor of E
    tgt_mask : bool array (T, T) or None             True where a query may NOT look in x
    memory_mask : bool array (T, S) or None          True where a query may NOT look in the memory
    layer_norm_eps : float > 0
    norm_first : bool

    Returns
    -------
    y : array (N, T, E)

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762, section 3.1.
    """
    attention = in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
    cross = cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias
    sublayers = (
        _attention(nhead, attention, None, tgt_mask),
        _attention(nhead, cross, None, memory_mask, memory),
        _feed_forward((linear1_weight, linear1_bias, linear2_weight, linear2_bias)),
    )
    norms = (norm1_weight, norm1_bias), (norm2_weight, norm2_bias), (norm3_weight, norm3_bias)
    return _block(x, sublayers, norms, layer_norm_eps, norm_first)


@checked
def decoder_block_backward(
    grad_output, x, memory, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias, norm3_weight, norm3_bias,
    nhead, tgt_mask=None, memory_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """Gradients of `decoder_block` for x, the memory and the eighteen parameters.

    The memory hands out keys and values: grad_memory = grad_key + grad_value
    """
    attention = in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
    cross = cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias
    sublayers = (
        _attention(nhead, attention, None, tgt_mask),
        _attention(nhead, cross, None, memory_mask, memory),
        _feed_forward((linear1_weight, linear1_bias, linear2_weight, linear2_bias)),
    )
    norms = (norm1_weight, norm1_bias), (norm2_weight, norm2_bias), (norm3_weight, norm3_bias)
    grad_x, *grads = _block_backward(grad_output, x, sublayers, norms, layer_norm_eps, norm_first)
    grad_memory = grads.pop(8)  # behind the four arrays of each attention
    return grad_x, grad_memory, *grads, *_no_gradients(tgt_mask, memory_mask)


# ---------------------------------------------------------------------------------------------- the cache


@checked
def cached_attention(query, key, value, key_cache=None, value_cache=None, scale=None):
    """Causal attention of L new places, given the keys and values of the P places before them.

        keys = key_cache followed by key,   values = value_cache followed by value
        y[i] = attention(query[i], keys[: P + i + 1], values[: P + i + 1])

    The mask is causal from the lower right: the last query may look at all keys. is_causal=True counts from
    the upper left and would let a single new query see the first key alone.

    Parameters
    ----------
    query, key : array (..., L, E)
    value : array (..., L, V)
    key_cache : array (..., P, E) or None          None before the first place
    value_cache : array (..., P, V) or None
    scale : float or None                          1 / sqrt(E) if None

    Returns
    -------
    y : array (..., L, V)
    keys : array (..., S, E)                       the caches for the next call, S = P + L
    values : array (..., S, V)

    References
    ----------
    Shazeer (2019), Fast transformer decoding, arXiv:1911.02150.
    """
    if (key_cache is None) != (value_cache is None):
        raise ValueError(
            "cached_attention: only one of key_cache and value_cache is given; expected both or neither"
        )
    keys = key if key_cache is None else np.concatenate([key_cache, key], axis=-2)
    values = value if value_cache is None else np.concatenate([value_cache, value], axis=-2)
    new, seen = query.shape[-2], keys.shape[-2]
    mask = np.tri(new, seen, seen - new, dtype=bool)
    return scaled_dot_product_attention.unchecked(query, keys, values, mask, scale=scale), keys, values
