"""The twin: the same equations in PyTorch, for CPU and GPU; autograd is their backward."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.bias import causal_lower_right

from nnlib.core import checked


@checked
def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None):
    """attn_weights = exp(scores - logsumexp(scores)),   0 for a query that may look nowhere"""
    if is_causal and attn_mask is not None:
        raise ValueError(
            "attention_weights: is_causal is True and attn_mask is given; expected one of the two"
        )
    scores = torch.einsum("...le,...se->...ls", query, key) * (
        query.shape[-1] ** -0.5 if scale is None else scale
    )
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(attn_mask.logical_not(), -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    blind = (scores == -torch.inf).all(dim=-1, keepdim=True)
    scores = scores.masked_fill(blind, 0)
    return (scores - scores.logsumexp(dim=-1, keepdim=True)).exp().masked_fill(blind, 0)


@checked(not_taught={"dropout_p": 0.0, "enable_gqa": False})
def scaled_dot_product_attention(query, key, value, attn_mask=None, is_causal=False, scale=None):
    """y = softmax(scale * query @ key.T + attn_mask) @ value"""
    weights = attention_weights.unchecked(query, key, attn_mask, is_causal, scale)
    return torch.einsum("...ls,...sv->...lv", weights, value)


@checked
def blockwise_attention(query, key, value, is_causal=False, scale=None, block_size=64):
    """y = sum over blocks of softmax(log totals) * y of the block: each block by itself, merged at the end"""
    outputs, totals = [], []
    for start in range(0, key.shape[-2], block_size):
        k, v = key[..., start : start + block_size, :], value[..., start : start + block_size, :]
        scores = query @ k.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if is_causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).triu(1 - start)
            scores = scores.masked_fill(later, torch.finfo(scores.dtype).min)
        totals.append(scores.logsumexp(dim=-1))
        outputs.append(scores.softmax(dim=-1) @ v)
    share = torch.stack(totals).softmax(dim=0)
    return (share[..., None] * torch.stack(outputs)).sum(dim=0)


@checked
def sinusoidal_encoding(x, base=10000.0, offset=0):
    """y = x + p,   p[t, 2i] = sin(a[t, i]),   p[t, 2i + 1] = cos(a[t, i])"""
    turn = _turns("sinusoidal_encoding", x, base, offset)
    return x + torch.stack([turn.imag, turn.real], dim=-1).flatten(-2).to(x)


@checked
def rotary_embedding(x, base=10000.0, offset=0):
    """y1 + i y2 = (x1 + i x2) * exp(i a),   a[t, j] = (t + offset) * base**(-2j / D)"""
    turn = _turns("rotary_embedding", x, base, offset).to(x.device, x.dtype.to_complex())
    turned = torch.complex(*x.chunk(2, dim=-1)) * turn
    return torch.cat([turned.real, turned.imag], dim=-1)


def _turns(name, x, base, offset):
    """exp(i a) for every position and pair, in double precision."""
    steps, features = x.shape[-2:]
    if features % 2:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; expected an even number of features")
    position = torch.arange(offset, offset + steps, dtype=torch.float64)
    speed = float(base) ** -torch.linspace(0, 1, features // 2 + 1, dtype=torch.float64)[:-1]
    angle = torch.outer(position, speed)
    return torch.polar(torch.ones_like(angle), angle)


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
    """y = sum over heads of attention(q, k, v) @ its columns of out_proj_weight, + out_proj_bias"""
    features = query.shape[-1]
    if features % num_heads:
        raise ValueError(
            f"multi_head_attention: num_heads is {num_heads}; expected a divisor of E = {features}"
        )
    weight = in_proj_weight.reshape(3, num_heads, -1, features)
    q, k, v = (torch.einsum("ntd,hed->nhte", x, w) for x, w in zip((query, key, value), weight))
    if in_proj_bias is not None:
        bias = in_proj_bias.reshape(3, num_heads, 1, -1)
        q, k, v = q + bias[0], k + bias[1], v + bias[2]
    shut = query.new_zeros(1, 1, 1, key.shape[1])
    if attn_mask is not None:
        numbers = attn_mask.dtype != torch.bool
        shut = shut + attn_mask if numbers else shut.masked_fill(attn_mask, -torch.inf)
    if key_padding_mask is not None:
        shut = shut.masked_fill(key_padding_mask[:, None, None], -torch.inf)
    weights = attention_weights.unchecked(q, k, shut)
    out = out_proj_weight.reshape(features, num_heads, -1)
    y = torch.einsum("nhls,nhse,dhe->nld", weights, v, out)
    y = y if out_proj_bias is None else y + out_proj_bias
    return y, weights.mean(dim=1) if average_attn_weights else weights


def _layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


@checked(not_taught={"activation": "relu", "dropout": 0.0, "is_causal": False})
def encoder_block(
    x, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias,
    nhead, src_mask=None, src_key_padding_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """h = norm1(x + attention(x, x, x)),   y = norm2(h + mlp(h)),   or the norms in front of the sublayers"""

    def norm1(x):
        return _layer_norm(x, norm1_weight, norm1_bias, layer_norm_eps)

    def norm2(x):
        return _layer_norm(x, norm2_weight, norm2_bias, layer_norm_eps)

    def attention(x):
        weights = nhead, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
        return multi_head_attention.unchecked(x, x, x, *weights, src_key_padding_mask, src_mask)[0]

    def mlp(x):
        return F.linear(F.linear(x, linear1_weight, linear1_bias).relu(), linear2_weight, linear2_bias)

    if norm_first:
        h = x + attention(norm1(x))
        return h + mlp(norm2(h))
    h = norm1(x + attention(x))
    return norm2(h + mlp(h))


@checked(not_taught={"activation": "relu", "dropout": 0.0, "tgt_is_causal": False, "memory_is_causal": False})
def decoder_block(
    x, memory, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias,
    cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias,
    linear1_weight, linear1_bias, linear2_weight, linear2_bias,
    norm1_weight, norm1_bias, norm2_weight, norm2_bias, norm3_weight, norm3_bias,
    nhead, tgt_mask=None, memory_mask=None, layer_norm_eps=1e-5, norm_first=False,
):  # fmt: skip
    """h = norm1(x + attention(x, x, x)),   c = norm2(h + attention(h, memory, memory)), norm3(c + mlp(c))"""

    def norm1(x):
        return _layer_norm(x, norm1_weight, norm1_bias, layer_norm_eps)

    def norm2(x):
        return _layer_norm(x, norm2_weight, norm2_bias, layer_norm_eps)

    def norm3(x):
        return _layer_norm(x, norm3_weight, norm3_bias, layer_norm_eps)

    def attention(x):
        weights = nhead, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
        return multi_head_attention.unchecked(x, x, x, *weights, None, tgt_mask)[0]

    def cross(x):
        weights = cross_in_proj_weight, cross_in_proj_bias, cross_out_proj_weight, cross_out_proj_bias
        return multi_head_attention.unchecked(x, memory, memory, nhead, *weights, None, memory_mask)[0]

    def mlp(x):
        return F.linear(F.linear(x, linear1_weight, linear1_bias).relu(), linear2_weight, linear2_bias)

    if norm_first:
        h = x + attention(norm1(x))
        c = h + cross(norm2(h))
        return c + mlp(norm3(c))
    h = norm1(x + attention(x))
    c = norm2(h + cross(h))
    return norm3(c + mlp(c))


@checked
def cached_attention(query, key, value, key_cache=None, value_cache=None, scale=None):
    """y[i] = attention(query[i], keys[: P + i + 1], values[: P + i + 1]): one new place after the other"""
    if (key_cache is None) != (value_cache is None):
        raise ValueError(
            "cached_attention: only one of key_cache and value_cache is given; expected both or neither"
        )
    keys, values = _behind(key_cache, key), _behind(value_cache, value)
    new, seen = query.shape[-2], keys.shape[-2]
    rows = []
    for i in range(new):
        end = seen - new + i + 1
        given = query[..., i : i + 1, :], keys[..., :end, :], values[..., :end, :]
        rows.append(scaled_dot_product_attention.unchecked(*given, scale=scale))
    return torch.cat(rows, dim=-2), keys, values


def _behind(cache, new):
    return new if cache is None else torch.cat([cache, new], dim=-2)


# --------------------------------------------------------------------------------- the library's own


def _official_weights(query, key, attn_mask, is_causal, scale):
    """Attention to the unit vectors as values shows the weights themselves."""
    places = key.shape[-2]
    value = torch.eye(places, dtype=key.dtype, device=key.device).expand(*key.shape[:-1], places)
    return F.scaled_dot_product_attention(query, key, value, attn_mask, is_causal=is_causal, scale=scale)


def _official_attention(query, key, value, attn_mask, is_causal, scale):
    return F.scaled_dot_product_attention(query, key, value, attn_mask, is_causal=is_causal, scale=scale)


def _official_heads(
    query,
    key,
    value,
    num_heads,
    in_weight,
    in_bias,
    out_weight,
    out_bias,
    key_padding_mask,
    attn_mask,
    average,
):
    if key_padding_mask is not None and attn_mask is not None and attn_mask.is_floating_point():
        # torch wants both masks of one kind
        key_padding_mask = torch.zeros_like(key[..., 0]).masked_fill(key_padding_mask, -torch.inf)
    steps_first = (x.transpose(0, 1) for x in (query, key, value))
    y, weights = F.multi_head_attention_forward(
        *steps_first,
        query.shape[-1],
        num_heads,
        in_weight,
        in_bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=out_weight,
        out_proj_bias=out_bias,
        key_padding_mask=key_padding_mask,
        attn_mask=attn_mask,
        average_attn_weights=average,
    )
    return y.transpose(0, 1), weights


def _run(layer, arrays, inputs, **masks):
    """A layer of torch's with our arrays, which stand in the order of its state_dict."""
    named = dict(zip(layer.state_dict(), arrays, strict=True))
    return torch.func.functional_call(layer.to(inputs[0]), named, inputs, masks)


def _official_encoder(x, *given):
    *arrays, nhead, mask, padding, eps, norm_first = given
    settings = dict(dropout=0.0, layer_norm_eps=eps, batch_first=True, norm_first=norm_first)
    layer = nn.TransformerEncoderLayer(x.shape[-1], nhead, len(arrays[4]), **settings)
    return _run(layer, arrays, (x,), src_mask=mask, src_key_padding_mask=padding)


def _official_decoder(x, memory, *given):
    *arrays, nhead, mask, memory_mask, eps, norm_first = given
    settings = dict(dropout=0.0, layer_norm_eps=eps, batch_first=True, norm_first=norm_first)
    layer = nn.TransformerDecoderLayer(x.shape[-1], nhead, len(arrays[8]), **settings)
    return _run(layer, arrays, (x, memory), tgt_mask=mask, memory_mask=memory_mask)


def _official_cached(query, key, value, key_cache, value_cache, scale):
    keys, values = _behind(key_cache, key), _behind(value_cache, value)
    mask = causal_lower_right(query.shape[-2], keys.shape[-2])
    return F.scaled_dot_product_attention(query, keys, values, mask, scale=scale), keys, values


official = {
    "attention_weights": _official_weights,
    "scaled_dot_product_attention": _official_attention,
    "blockwise_attention": lambda query, key, value, is_causal, scale, _: F.scaled_dot_product_attention(
        query, key, value, is_causal=is_causal, scale=scale
    ),
    "multi_head_attention": _official_heads,
    "encoder_block": _official_encoder,
    "decoder_block": _official_decoder,
    "cached_attention": _official_cached,
}
no_official = {
    "sinusoidal_encoding": "torch has none",
    "rotary_embedding": "torch has none",
}
