"""What holds for adapters beyond the agreement of their versions."""

import copy
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.data import digits
from nnlib.language import LanguageModel
from nnlib.layers import Linear, LoRALinear, ReLU, Sequential, fit, fit_many
from nnlib.lora import in_numpy, in_torch
from nnlib.lora.in_torch import LoRAModel, NF4Linear
from nnlib.optimizers.in_numpy import adam


def thin(O, D, R, generator):
    return dict(lora_A=generator.normal(size=(R, D)), lora_B=generator.normal(size=(O, R)))


# ---------------------------------------------------------------------------------------- the functions


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_merged_computes_the_same_and_unmerging_gives_the_weight_back(O, D, R, use_rslora, seed):
    generator = np.random.default_rng(seed)
    x, weight = generator.normal(size=(3, D)), generator.normal(size=(O, D))
    options = thin(O, D, R, generator) | dict(lora_alpha=5.0, use_rslora=use_rslora)
    merged = in_numpy.merge(weight, **options)
    np.testing.assert_allclose(x @ merged.T, in_numpy.lora_linear(x, weight, None, **options), atol=1e-12)
    np.testing.assert_allclose(in_numpy.unmerge(merged, **options), weight, atol=1e-12)
    assert np.linalg.matrix_rank(merged - weight, tol=1e-9) <= R


@pytest.mark.parametrize("name", ["lora_linear", "dora_linear", "mixed_lora_linear", "qlora_linear"])
def test_no_bias_is_a_bias_of_zeros(name):
    case = next(c for c in in_numpy_cases(name))
    args = case.args | dict(bias=np.zeros_like(case.args["bias"]))
    f, backward = getattr(in_numpy, name), getattr(in_numpy, f"{name}_backward")
    y, none = f(**args), args | dict(bias=None)
    np.testing.assert_array_equal(f(**none), y)
    tensors = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in none.items()}
    np.testing.assert_allclose(getattr(in_torch, name)(**tensors).numpy(), y, atol=1e-12)
    at = [k for k, v in args.items() if isinstance(v, np.ndarray)].index("bias")
    with_bias = list(backward(np.ones_like(y), **args))
    assert with_bias.pop(at) is None
    for a, b in zip(with_bias, backward(np.ones_like(y), **none), strict=True):
        assert (a is None) == (b is None) and (a is None or np.array_equal(a, b))


def in_numpy_cases(name):
    from nnlib.lora.cases import cases

    return [case for case in cases(np.random.default_rng(0)) if case.name == name]


def test_a_row_without_length_does_not_spoil_the_others():
    weight, A, B = torch.tensor([[3.0, 4], [0, 0]]), torch.ones(1, 2), torch.zeros(2, 1)
    merged = in_torch.dora_merge(weight, A, B, torch.tensor([10.0, 1]))
    np.testing.assert_allclose(merged[0].numpy(), [6, 8], rtol=1e-6)
    with np.errstate(all="ignore"):
        mine = in_numpy.dora_merge(*[v.numpy() for v in (weight, A, B, torch.tensor([10.0, 1]))])
    np.testing.assert_allclose(merged.numpy(), mine, rtol=1e-6)


def test_a_fresh_adapter_changes_nothing_and_only_b_has_a_gradient():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))
    A, B = in_numpy.init_lora(rng.random((2, 6)), 5)
    assert np.array_equal(in_numpy.lora_linear(x, weight, None, A, B), x @ weight.T)
    *_, grad_A, grad_B = in_numpy.lora_linear_backward(np.ones((4, 5)), x, weight, None, A, B)
    assert not grad_A.any() and grad_B.any()
    magnitude = in_numpy.dora_norm(weight, A, B)
    np.testing.assert_allclose(
        in_numpy.dora_linear(x, weight, None, A, B, magnitude), x @ weight.T, rtol=1e-14
    )


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(0, 99))
def test_low_rank_is_the_best_there_is(r, seed):
    """Eckart and Young: what is left are the other singular values; no other matrix of rank r does better."""
    generator = np.random.default_rng(seed)
    delta = generator.normal(size=(5, 7))
    A, B = in_numpy.low_rank(delta, r)
    s = np.linalg.svd(delta, compute_uv=False)
    left = np.linalg.norm(delta - B @ A)
    np.testing.assert_allclose(left, np.sqrt((s[r:] ** 2).sum()), atol=1e-10)
    other = thin(5, 7, r, generator)
    best_B = delta @ np.linalg.pinv(other["lora_A"])
    assert left <= np.linalg.norm(delta - best_B @ other["lora_A"]) + 1e-10
    with pytest.raises(ValueError, match="low_rank: r is 6; expected at most 5"):
        in_numpy.low_rank(delta, 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [[-1.5, 0.5, 1.5], [1.5, 0.5, -1.5], [0.0, 1.0, -1.0], [0.0, -2.0, 2.0]])
def test_the_first_of_two_largest_numbers_decides_the_sign(row, dtype):
    delta = np.array([row], dtype)
    for lora_A in (in_numpy.low_rank(delta, 1)[0], in_torch.low_rank(torch.from_numpy(delta), 1)[0].numpy()):
        assert lora_A[0, np.abs(lora_A[0]).argmax()] > 0


def test_a_mixed_batch_is_each_sample_with_its_own_adapter():
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(5, 2, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    adapters = [thin(4, 3, 2, rng) for _ in range(3)]
    A, B = (np.stack([adapter[k] for adapter in adapters]) for k in ("lora_A", "lora_B"))
    which = np.array([2, -1, 0, 2, 1])
    y = in_numpy.mixed_lora_linear(x, weight, bias, A, B, which)
    for n, k in enumerate(which):
        alone = x[n] @ weight.T + bias if k < 0 else in_numpy.lora_linear(x[n], weight, bias, A[k], B[k])
        np.testing.assert_allclose(y[n], alone, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32])
def test_adapters_may_be_counted_in_integers_of_any_size(dtype):
    """torch takes bytes as an index for a mask, and other small integers for no index at all."""
    generator = np.random.default_rng(0)
    shapes = (6, 3), (5, 3), (5,), (2, 2, 3), (2, 5, 2)
    arrays = *(generator.normal(size=shape) for shape in shapes), np.array([1, 0, 1, 0, 0, 1], dtype)
    twin = in_torch.mixed_lora_linear(*map(torch.from_numpy, arrays))
    np.testing.assert_allclose(twin.numpy(), in_numpy.mixed_lora_linear(*arrays), atol=1e-12)


def test_dora_reads_the_direction_of_a_row_and_not_its_length():
    """So the gradient that reaches v = weight + delta through a computed norm lies across every row of v."""
    case = next(c for c in in_numpy_cases("dora_linear") if "norm" not in c.args and c.note == "rows")
    args = dict(case.args)
    x, weight, A, B = (args[k] for k in ("x", "weight", "lora_A", "lora_B"))
    options = dict(lora_alpha=args["lora_alpha"], use_rslora=args["use_rslora"])
    longer = args | dict(weight=2 * weight, lora_B=2 * B)
    np.testing.assert_allclose(in_numpy.dora_linear(**longer), in_numpy.dora_linear(**args), atol=1e-12)
    whole = args | dict(lora_A=np.eye(weight.shape[1]), lora_B=in_numpy.delta_weight(A, B, **options))
    whole |= dict(lora_alpha=float(weight.shape[1]), use_rslora=False)  # an adapter that is its own product
    g = np.random.default_rng(0).normal(size=(len(x), len(weight)))
    grad_v = in_numpy.dora_linear_backward(g, **whole)[-2]
    v = in_numpy.merge(weight, A, B, **options)
    np.testing.assert_allclose((grad_v * v).sum(axis=1), 0, atol=1e-12)


# -------------------------------------------------------------------------------------- the NumPy layer


def network(seed, r=3, lora_alpha=6.0, bias=True):
    generator = np.random.default_rng(seed)
    base = Sequential(Linear(64, 12, bias, rng=generator), ReLU(), Linear(12, 10, rng=generator))
    return base, adapted(base, generator, r, lora_alpha)


def adapted(base, generator, r, lora_alpha):
    first, relu, last = base.layers
    return Sequential(
        LoRALinear(first, r, lora_alpha, rng=generator),
        relu.copy(),
        LoRALinear(last, r, lora_alpha, rng=generator),
    )


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_computes_its_pair(bias):
    generator = np.random.default_rng(0)
    layer = LoRALinear(Linear(5, 4, bias, rng=generator, dtype=np.float64), 2, 3.0, rng=generator)
    layer.B[...] = generator.normal(size=layer.B.shape)
    x, g = generator.normal(size=(6, 5)), generator.normal(size=(6, 4))
    args = x, layer.weight, layer.bias, layer.A, layer.B, 3.0
    np.testing.assert_allclose(layer.forward(x), in_numpy.lora_linear(*args), atol=1e-13)
    wanted = [w for w in in_numpy.lora_linear_backward(g, *args) if w is not None]
    for mine, other in zip((layer.backward(g), layer.grad_A, layer.grad_B), wanted, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-13)
    np.testing.assert_allclose(layer.merged().forward(x), layer.forward(x), atol=1e-13)
    with pytest.raises(ValueError, match="LoRALinear: r is 0; expected an int from 1 on"):
        LoRALinear(Linear(5, 4, rng=generator), 0, 3.0, rng=generator)
    with pytest.raises(ValueError, match=r"LoRALinear: x has shape \(5,\); expected \(N, 5\)"):
        layer.check(x[0])


def test_training_moves_the_adapters_and_nothing_else():
    base, net = network(0)
    x, y, *_ = digits(np.float32)
    before, start = base.params.copy(), net(x[:100])
    assert np.array_equal(start, base(x[:100]))
    history = fit(net, x[:200], y[:200], optimizer=adam, lr=1e-2, epochs=5)
    assert history.loss[-1] < history.loss[0] and np.array_equal(base.params, before)
    assert net.params.size == 3 * (64 + 12) + 3 * (12 + 10)


def test_a_stack_trains_like_each_alone():
    """Models on one base share its weight, others keep their own; each has its own alpha."""
    x, y, *_ = digits(np.float32)
    base, _ = network(0)
    for bases in ([base] * 3, [network(seed)[0] for seed in range(3)]):
        makes = [adapted(b, np.random.default_rng(i), 3, 2.0 ** (i + 1)) for i, b in enumerate(bases)]
        alone = [net.copy() for net in makes]
        fit_many(makes, x[:64], y[:64], optimizer=adam, lr=1e-2, epochs=4)
        for one, other in zip(makes, alone):
            fit(other, x[:64], y[:64], optimizer=adam, lr=1e-2, epochs=4)
            np.testing.assert_allclose(one.params, other.params, atol=2e-5)


# ------------------------------------------------------------------------------------------- the modules

WORDS = torch.from_numpy(np.random.default_rng(0).integers(0, 60, (2, 9)))


@pytest.fixture
def pair():
    torch.manual_seed(0)
    base = LanguageModel(width=16, heads=2).requires_grad_(False)
    return base, LoRAModel(copy.deepcopy(base), ["query", "mlp.up"])


def disturb(model, name):
    for _, layer in model.layers():
        layer.lora_B[name].data.normal_()


def test_adapters_come_and_go(pair):
    base, model = pair
    model.add_adapter("one", r=2)
    assert torch.equal(model(WORDS), base(WORDS))
    disturb(model, "one")
    model.add_adapter("two", r=3, use_dora=True)
    disturb(model, "two")
    outputs = {}
    for name in ("one", "two", None):
        model.set_adapter(name)
        trained = {id(p) for p in model.trainable()}
        own = {id(p) for n, p in model.named_parameters() if name and n.endswith(f".{name}")}
        assert trained == own
        outputs[name] = model(WORDS)
        model.merge_adapter()
        torch.testing.assert_close(model(WORDS), outputs[name])
        model.unmerge_adapter()
        assert torch.equal(model(WORDS), outputs[name])
    assert torch.equal(outputs[None], base(WORDS)) and not torch.equal(outputs["one"], outputs["two"])
    assert torch.equal(model.unload()(WORDS), base(WORDS))
    assert [n for n, _ in model.model.named_parameters()] == [n for n, _ in base.named_parameters()]


def test_an_adapter_is_saved_without_its_model(pair):
    base, model = pair
    model.add_adapter("one", r=2)
    disturb(model, "one")
    file = io.BytesIO()
    torch.save(model.adapter_state_dict("one"), file)
    file.seek(0)
    again = LoRAModel(copy.deepcopy(base), ["query", "mlp.up"])
    again.add_adapter("loaded", r=2)
    again.load_adapter_state_dict("loaded", torch.load(file, weights_only=True))
    assert torch.equal(again(WORDS), model(WORDS))
    again.add_adapter("other", r=3)
    with pytest.raises(ValueError, match="the tensors do not fit the adapter 'other'"):
        again.load_adapter_state_dict("other", model.adapter_state_dict("one"))


def test_unknown_names_are_named(pair):
    base, model = pair
    with pytest.raises(LookupError, match="no linear layer is called 'qeury'; there is .*attention.query"):
        LoRAModel(copy.deepcopy(base), ["qeury"])
    with pytest.raises(LookupError, match="there is no adapter 'one'; there is none"):
        model.set_adapter("one")


def test_a_base_in_four_bits(pair):
    base, _ = pair
    small = NF4Linear.replace_all(copy.deepcopy(base))
    assert not any(isinstance(m, torch.nn.Linear) for m in small.modules())
    model = LoRAModel(small, ["query", "mlp.up"])
    before = model(WORDS)
    model.add_adapter("one", r=2)
    assert torch.equal(model(WORDS), before) and not torch.equal(before, base(WORDS))
    model(WORDS).square().sum().backward()
    trained = {n.rpartition(".")[2] for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {"one"}
    with pytest.raises(TypeError, match="4-bit codes"):
        model.merge_adapter()
    layer = small.blocks[0].mlp.up.base
    assert (
        layer.codes.dtype == torch.uint8
        and layer.codes.numel() == layer.out_features * layer.in_features // 2
    )
    x = torch.randn(3, 16)
    args = x, layer.weight, layer.bias, torch.randn(2, 16), torch.randn(64, 2)
    torch.testing.assert_close(in_torch.lora_linear(*args), layer(x) + 4 * (x @ args[3].T) @ args[4].T)
