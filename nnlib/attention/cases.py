"""Inputs on which reference, twin and official operation must agree."""

import numpy as np

from nnlib.core import Case


def _three(rng, batch, queries, keys, features, values):
    shapes = dict(query=(queries, features), key=(keys, features), value=(keys, values))
    return {name: rng.normal(size=(*batch, *shape)) for name, shape in shapes.items()}


def _mask(rng, *shape):
    """At least one True in every row."""
    return (rng.random(shape) < 0.5) | (
        np.arange(shape[-1]) == rng.integers(shape[-1], size=(*shape[:-1], 1))
    )


def _attention(rng):
    plain = _three(rng, (2, 2), 4, 3, 5, 2)
    two = _three(rng, (), 3, 4, 2, 3)
    blind = _mask(rng, 4, 3)
    blind[1] = False
    yield plain, "batch and heads"
    yield {**two, "scale": 1.7}, "no batch, a scale"
    yield {**plain, "is_causal": True}, "causal, more queries than keys"
    yield {**two, "is_causal": True}, "causal, more keys than queries"
    yield {**plain, "attn_mask": blind}, "a query that may look nowhere"
    yield {**plain, "attn_mask": _mask(rng, 2, 2, 4, 3)}, "a mask for each head"
    yield {**plain, "attn_mask": rng.normal(size=(4, 3))}, "a mask of numbers"
    yield {**two, "attn_mask": np.where(_mask(rng, 3, 4), 0.0, -1e4)}, "a mask of large numbers"
    yield {**two, "query": 1000 * two["query"]}, "scores in the thousands"


def cases(rng):
    for args, note in _attention(rng):
        yield Case("scaled_dot_product_attention", args, note)
        yield Case("attention_weights", {k: v for k, v in args.items() if k != "value"}, note)

    blocks = _three(rng, (2,), 5, 7, 4, 3)
    yield Case("blockwise_attention", {**blocks, "block_size": 3}, "the last block is short")
    yield Case("blockwise_attention", {**blocks, "block_size": 2, "is_causal": True}, "causal")
    yield Case("blockwise_attention", {**blocks, "block_size": 1, "scale": 0.3}, "one key at a time")
    yield Case("blockwise_attention", blocks, "one block for all")
    steep = {**blocks, "query": 1000 * blocks["query"], "block_size": 3}
    yield Case("blockwise_attention", steep, "scores in the thousands")

    for name in ("sinusoidal_encoding", "rotary_embedding"):
        yield Case(name, dict(x=rng.normal(size=(2, 3, 5, 6))), "batch and heads")
        yield Case(name, dict(x=rng.normal(size=(4, 2)), base=100.0, offset=1000), "far on")

    yield from _many_heads(rng)
    yield from _blocks(rng)

    new, old = _three(rng, (2,), 3, 3, 4, 2), rng.normal(size=(2, 5, 6))
    yield Case("cached_attention", new, "an empty cache")
    caches = dict(key_cache=old[..., :4], value_cache=old[..., 4:])
    yield Case("cached_attention", {**new, **caches}, "three new places")
    one = {name: x[:, :1] for name, x in new.items()}
    yield Case("cached_attention", {**one, **caches, "scale": 0.9}, "one new place")


def _projections(rng, e, prefix="", bias=True):
    shapes = dict(
        in_proj_weight=(3 * e, e), in_proj_bias=(3 * e,), out_proj_weight=(e, e), out_proj_bias=(e,)
    )
    drawn = {prefix + name: rng.normal(scale=0.6, size=shape) for name, shape in shapes.items()}
    return drawn if bias else {name: None if "bias" in name else w for name, w in drawn.items()}


def _many_heads(rng):
    def given(heads, bias=True):
        x = rng.normal(size=(2, 7, 4))
        inputs = dict(query=x[:, :3], key=x[:, 3:], value=rng.normal(size=(2, 4, 4)))
        return dict(**inputs, num_heads=heads, **_projections(rng, 4, bias=bias))

    name, shut = "multi_head_attention", ~_mask(rng, 3, 4)
    padding = np.array([[False] * 4, [False, False, True, True]])
    yield Case(name, given(2), "two heads")
    yield Case(
        name, {**given(4, bias=False), "average_attn_weights": False}, "weights of every head, no biases"
    )
    yield Case(name, {**given(1), "attn_mask": shut}, "a mask")
    yield Case(name, {**given(2), "key_padding_mask": padding}, "padding")
    both = dict(key_padding_mask=padding, attn_mask=np.triu(np.ones((3, 4), bool), 1))
    yield Case(name, {**given(2), **both}, "padding and a causal mask")
    numbers = dict(key_padding_mask=padding, attn_mask=rng.normal(size=(3, 4)), average_attn_weights=False)
    yield Case(name, {**given(2), **numbers}, "padding and a mask of numbers")


def _rest_of_block(rng, e, h, norms):
    shapes = dict(linear1_weight=(h, e), linear1_bias=(h,), linear2_weight=(e, h), linear2_bias=(e,))
    rest = {name: rng.normal(scale=0.6, size=shape) for name, shape in shapes.items()}
    for i in range(1, norms + 1):
        rest |= {f"norm{i}_weight": rng.normal(1, 0.3, e), f"norm{i}_bias": rng.normal(size=e)}
    return rest


def _blocks(rng):
    x, memory = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 2, 4))
    causal = np.triu(np.ones((3, 3), bool), 1)

    encoder = dict(x=x, **_projections(rng, 4), **_rest_of_block(rng, 4, 5, norms=2), nhead=2)
    masks = dict(src_mask=causal, src_key_padding_mask=np.array([[False, False, True], [False] * 3]))
    yield Case("encoder_block", encoder, "norm behind")
    yield Case("encoder_block", {**encoder, **masks, "norm_first": True}, "norm in front, causal, padding")

    attentions = {**_projections(rng, 4), **_projections(rng, 4, "cross_")}
    decoder = dict(x=x, memory=memory, **attentions, **_rest_of_block(rng, 4, 5, norms=3), nhead=2)
    looks = dict(memory_mask=np.array([[False, True], [True, False], [False, False]]), layer_norm_eps=0.1)
    yield Case("decoder_block", {**decoder, "tgt_mask": causal}, "norm behind, causal")
    front = {**decoder, **looks, "norm_first": True}
    yield Case("decoder_block", front, "norm in front, a mask for the memory, large eps")
