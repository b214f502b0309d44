"""Laws of attention that hold for any numbers, what torch does at the edges, and helpers of notebook 16."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib import core, data, language
from nnlib.attention import experiments, explorers, in_numpy, in_torch

sdpa = in_numpy.scaled_dot_product_attention


def three(seed, *shape):
    return np.random.default_rng(seed).normal(size=(3, *shape))


places = st.integers(1, 9)
seeds = st.integers(0, 99)


# ------------------------------------------------------------------------------------------------- laws


@settings(max_examples=20)
@given(seed=seeds, queries=places, keys=places, causal=st.booleans(), size=st.integers(1, 10))
def test_blocks_change_nothing(seed, queries, keys, causal, size):
    query, key, value = three(seed, 9, 4)
    given = query[:queries], key[:keys], value[:keys]
    plain = sdpa(*given, is_causal=causal)
    blocks = in_numpy.blockwise_attention(*given, is_causal=causal, block_size=size)
    np.testing.assert_allclose(blocks, plain, atol=1e-12)


@settings(max_examples=20)
@given(seed=seeds, cuts=st.sets(st.integers(1, 8), max_size=4))
def test_a_cache_changes_nothing_wherever_the_text_is_cut(seed, cuts):
    query, key, value = three(seed, 9, 4)
    rows, cache, start = [], (None, None), 0
    for end in [*sorted(cuts), 9]:
        y, *cache = in_numpy.cached_attention(query[start:end], key[start:end], value[start:end], *cache)
        rows.append(y)
        start = end
    np.testing.assert_allclose(np.concatenate(rows), sdpa(query, key, value, is_causal=True), atol=1e-12)
    np.testing.assert_array_equal(cache[0], key)
    np.testing.assert_array_equal(cache[1], value)


@settings(max_examples=20)
@given(seed=seeds, t=st.integers(1, 8))
def test_the_past_does_not_feel_the_future(seed, t):
    x, other, _ = three(seed, 9, 4)
    changed = np.concatenate([x[:t], other[t:]])
    before, after = (sdpa(rows, rows, rows, is_causal=True) for rows in (x, changed))
    np.testing.assert_allclose(before[:t], after[:t], atol=1e-12)
    assert (before[t:] != after[t:]).all()


@settings(max_examples=20)
@given(seed=seeds)
def test_attention_knows_no_order(seed):
    query, key, value = three(seed, 6, 4)
    order = np.random.default_rng(seed).permutation(6)
    np.testing.assert_allclose(sdpa(query, key[order], value[order]), sdpa(query, key, value), atol=1e-12)
    np.testing.assert_allclose(sdpa(query[order], key, value), sdpa(query, key, value)[order], atol=1e-12)


@settings(max_examples=20)
@given(seed=seeds, shift=st.integers(0, 1000), base=st.floats(2, 1e6))
def test_rotary_scores_depend_on_distances_alone(seed, shift, base):
    query, key, _ = three(seed, 5, 6)
    turn = in_numpy.rotary_embedding
    here, there = (turn(query, base, k) @ turn(key, base, k).T for k in (0, shift))
    np.testing.assert_allclose(here, there, atol=1e-10)
    lengths = np.linalg.norm(turn(query, base, shift), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(query, axis=1), rtol=1e-12)


def test_sinusoidal_positions_are_the_papers():
    p = in_numpy.sinusoidal_encoding(np.zeros((4, 6)))
    assert p[3, 0] == np.sin(3) and p[3, 1] == np.cos(3)
    assert p[3, 4] == pytest.approx(np.sin(3 / 10000 ** (4 / 6)))


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_block_without_weights_is_its_input(norm_first):
    """With all projections at 0 only the ways straight through are left, and the norms behind them."""
    x = three(0, 2, 5, 4)[0]
    shapes = (12, 4), (12,), (4, 4), (4,), (8, 4), (8,), (4, 8), (4,)
    plain = np.ones(4), np.zeros(4)
    y = in_numpy.encoder_block(x, *map(np.zeros, shapes), *plain, *plain, nhead=2, norm_first=norm_first)
    if norm_first:
        np.testing.assert_array_equal(y, x)
    else:
        np.testing.assert_allclose(y, F.layer_norm(torch.from_numpy(x), (4,)), atol=1e-3)


# -------------------------------------------------------------------------------------------- the edges


def blind():
    mask = np.ones((4, 4), bool)
    mask[1] = False
    return mask


@pytest.mark.parametrize("numbers", [False, True])
def test_a_query_without_keys_gets_zeros_and_sends_none_back_as_in_torch(numbers):
    query, key, value = three(0, 4, 3)
    mask = np.where(blind(), 0.0, -np.inf) if numbers else blind()
    assert (sdpa(query, key, value, mask)[1] == 0).all()
    grads = in_numpy.scaled_dot_product_attention_backward(value, query, key, value, mask)
    inputs = [torch.from_numpy(x).requires_grad_() for x in (query, key, value)]
    shut = torch.from_numpy(mask).requires_grad_(numbers)
    for version in (F.scaled_dot_product_attention, in_torch.scaled_dot_product_attention):
        y = version(*inputs, shut)
        theirs = torch.autograd.grad(y, [*inputs, *([shut] if numbers else [])], inputs[2].detach())
        assert core.max_difference(grads if numbers else grads[:3], tuple(g.numpy() for g in theirs)) < 1e-12


def test_torchs_heads_make_nan_of_such_a_query_when_they_return_weights():
    """What notebook 16 says about need_weights; ours give zeros as the plain operation does."""
    torch.manual_seed(0)
    x, layer = torch.randn(1, 4, 8), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    shut = torch.from_numpy(~blind())
    assert layer(x, x, x, attn_mask=shut)[0][0, 1].isnan().all()
    assert layer(x, x, x, attn_mask=shut, need_weights=False)[0].isfinite().all()
    arrays = [a.detach().numpy() for a in layer.state_dict().values()]
    y, weights = in_numpy.multi_head_attention(*[x.numpy()] * 3, 2, *arrays, attn_mask=shut.numpy())
    assert np.isfinite(y).all() and (weights[0, 1] == 0).all()


def test_what_does_not_fit_is_said():
    query, key, value = three(0, 4, 3)
    for version, inputs in (
        (in_numpy, (query, key, value)),
        (in_torch, map(torch.from_numpy, (query, key, value))),
    ):
        inputs = list(inputs)
        mask = inputs[0] @ inputs[1].T
        with pytest.raises(ValueError, match="expected one of the two"):
            version.scaled_dot_product_attention(*inputs, attn_mask=mask, is_causal=True)
        for f in (version.rotary_embedding, version.sinusoidal_encoding):
            with pytest.raises(ValueError, match=f"{f.__name__}: x has shape .*; expected an even number"):
                f(inputs[0])
        x, weight = inputs[0][None], mask[:3, :3]
        with pytest.raises(ValueError, match="num_heads is 2; expected a divisor of E = 3"):
            stacked = (np if version is in_numpy else torch).concatenate([weight] * 3)
            version.multi_head_attention(x, x, x, 2, stacked, None, weight, None)
        for cache in ({"key_cache": inputs[1]}, {"value_cache": inputs[2]}):
            with pytest.raises(ValueError, match="only one of key_cache and value_cache .* both or neither"):
                version.cached_attention(*inputs, **cache)


# --------------------------------------------------------------------------------- the notebook's helpers


def test_the_models_of_the_lookup_have_the_sizes_that_are_said():
    rng = np.random.default_rng(0)
    kinds = ("attention", "RNN", "LSTM", "MLP")
    assert [experiments.recall_model(kind, rng).params.size for kind in kinds] == [4624, 4640, 5072, 5368]


def test_the_lookup_asks_for_a_value_that_was_shown():
    x, value, place = experiments.recall_problem(50, 8, np.random.default_rng(0))
    rows = np.arange(50)
    assert (x[rows, place, 16 + value] == 1).all() and x[:, -1, 16:].sum() == 0
    assert (x[rows, place, :16] == x[:, -1, :16]).all()
    assert (x[:, :-1, :16].sum(axis=1) <= 1).all(), "no key twice"


def test_look_backward_is_the_central_difference():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 5, 3))
    grad = rng.normal(size=(2, 5))
    mine = experiments.look_backward(grad, x, *weights)
    assert core.max_difference(mine, core.numerical_backward(experiments.look, grad, x, *weights)) < 1e-7


@settings(max_examples=20)
@given(seed=seeds, tokens=st.integers(6, 32), sharpness=st.floats(0.5, 3))
def test_other_weights_keep_the_output_and_are_the_least(seed, tokens, sharpness):
    rng = np.random.default_rng(seed)
    value, z = rng.normal(size=(tokens, 4)), np.exp(sharpness * rng.normal(size=tokens))
    weights = z / z.sum()
    other, top = experiments.other_weights(weights, value), weights.argmax()
    assert (other >= 0).all() and np.count_nonzero(other) <= 5 and other[top] <= weights[top]
    np.testing.assert_allclose(other @ value, weights @ value, atol=1e-10)
    np.testing.assert_allclose(other.sum(), 1, atol=1e-12)
    if other[top] > 0:  # prices under which no other token lowers the weight: the proof that it is the least
        a, basis = np.vstack([value.T, np.ones(tokens)]), np.flatnonzero(other)
        prices = np.linalg.solve(a[:, basis].T, (basis == top).astype(float))
        assert (prices @ a <= (np.arange(tokens) == top) + 1e-9).all()


def test_weights_that_no_direction_leaves_free_stay():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(6))
    for dimensions in (5, 8):  # six conditions for six weights, and more
        other = experiments.other_weights(weights, rng.normal(size=(6, dimensions)))
        np.testing.assert_allclose(other, weights, atol=1e-12)


def test_the_language_model_in_numpy_is_torchs():
    tokens = language.encode(data.stories().test[0])
    weights = {name: a.astype(float) for name, a in data.language_model_weights().items()}
    logits, maps = experiments.language_model(weights, tokens)
    model = language.load_language_model().double()
    with torch.no_grad():
        theirs = model(torch.from_numpy(tokens)[None])[0].numpy()
    np.testing.assert_allclose(logits, theirs, atol=1e-10)
    np.testing.assert_allclose(maps, model.attention_maps(torch.from_numpy(tokens)), atol=1e-10)


def test_induction_is_measured_behind_the_last_time():
    tokens = np.array([9, 5, 7, 9, 0, 0])  # the second 9 should look at the 5; the marks 0 do not count
    maps = np.zeros((1, 2, 6, 6))
    maps[0, 0, 3, 1], maps[0, 1, 3, 0] = 0.8, 1
    np.testing.assert_array_equal(experiments.induction(maps, tokens), [[0.8, 0]])


def test_the_explorer_of_maps_counts_the_last_occurrence_alone():
    explorer = explorers.maps()
    for place in (3, 4):  # every word but the first stands behind an earlier occurrence
        explorer.update(text="max max max max", block=2, head=1, place=place)
        result = explorer.result
        assert result["induction"] == result["look"][place - 1, place - 1] < 0.8


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 100.0])
@pytest.mark.parametrize("width", [4, 64, 1024])
def test_the_bars_of_the_scale_explorer_are_numbers_however_steep_the_softmax(width, temperature, scaled):
    explorer = explorers.scale_and_temperature()
    explorer.update(width=width, temperature=temperature, scaled=scaled)
    assert np.isfinite(explorer.result["bars"]).all()
    assert 0 <= min(explorer.result["bars"]) and max(explorer.result["bars"]) < 2.5
