"""The same model, the same A and B: our adapters and those of the library peft give the same numbers."""

import copy

import numpy as np
import pytest
import torch

from nnlib.language import LanguageModel
from nnlib.lora.in_torch import LoRAModel

pytestmark = pytest.mark.slow  # the library and what it needs take seconds to import

TARGETS = ["query", "value", "mlp.up"]
KINDS = {
    "plain": dict(r=4, lora_alpha=8),
    "rank-stabilized": dict(r=3, lora_alpha=5, use_rslora=True),
    "dora": dict(r=4, lora_alpha=8, use_dora=True),
}


@pytest.fixture(scope="module")
def peft():
    import peft

    return peft


def pair(peft, dtype, *kinds):
    """Our model and theirs with one adapter for each kind, whose random A, B and magnitude are the same."""
    torch.manual_seed(0)
    base = LanguageModel(width=32, blocks=2).to(dtype)
    ours, theirs = LoRAModel(copy.deepcopy(base), TARGETS), None
    for kind in kinds:
        ours.add_adapter(kind, **KINDS[kind])
        config = peft.LoraConfig(target_modules=TARGETS, **KINDS[kind])
        if theirs is None:
            theirs = peft.get_peft_model(copy.deepcopy(base), config, adapter_name=kind)
        else:
            theirs.add_adapter(kind, config)
        for name, layer in ours.layers():
            other = theirs.base_model.model.get_submodule(name)
            layer.lora_A[kind].data.normal_(0, 0.3)
            layer.lora_B[kind].data.normal_(0, 0.3)
            other.lora_A[kind].weight.data.copy_(layer.lora_A[kind])
            other.lora_B[kind].weight.data.copy_(layer.lora_B[kind])
            if kind in layer.magnitude:
                torch.testing.assert_close(
                    other.lora_magnitude_vector[kind].weight.data, layer.magnitude[kind].data
                )
                layer.magnitude[kind].data.mul_(torch.rand(layer.magnitude[kind].shape) + 0.5)
                other.lora_magnitude_vector[kind].weight.data.copy_(layer.magnitude[kind])
    return ours, theirs.to(dtype)


def words():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 60, (3, 11)))


def far(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


@pytest.mark.parametrize("dtype, limit", [(torch.float64, 1e-10), (torch.float32, 1e-6)])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs(peft, kind, dtype, limit):
    ours, theirs = pair(peft, dtype, kind)
    theirs.set_adapter(kind)
    mine, other = ours(words()), theirs(words())
    assert far(mine, other) < limit
    assert far(mine, ours.unload()(words())) > 1e-3, "the adapters must do something"


@pytest.mark.parametrize("dtype, limit", [(torch.float64, 1e-10), (torch.float32, 1e-6)])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(peft, kind, dtype, limit):
    ours, theirs = pair(peft, dtype, kind)
    theirs.set_adapter(kind)
    y, z = ours(words()), theirs(words())
    wish = torch.randn(y.shape, dtype=dtype)
    (y * wish).sum().backward()
    (z * wish).sum().backward()
    trained = {n for n, p in ours.named_parameters() if p.grad is not None}
    assert trained == {n for n, p in ours.named_parameters() if p.requires_grad} and len(trained) >= 12
    assert sum(p.numel() for p in ours.trainable()) == theirs.get_nb_trainable_parameters()[0]
    for name, layer in ours.layers():
        other = theirs.base_model.model.get_submodule(name)
        assert far(layer.lora_A[kind].grad, other.lora_A[kind].weight.grad) < limit
        assert far(layer.lora_B[kind].grad, other.lora_B[kind].weight.grad) < limit
        if kind in layer.magnitude:
            assert far(layer.magnitude[kind].grad, other.lora_magnitude_vector[kind].weight.grad) < limit
        assert layer.base.weight.grad is None and other.base_layer.weight.grad is None


@pytest.mark.parametrize("kind", KINDS)
def test_merged_and_unmerged(peft, kind):
    ours, theirs = pair(peft, torch.float64, kind)
    theirs.set_adapter(kind)
    with torch.no_grad():
        before = ours(words())
        ours.merge_adapter()
        theirs.merge_adapter()
        for name, layer in ours.layers():
            other = theirs.base_model.model.get_submodule(name)
            assert far(layer.base.weight, other.base_layer.weight) < 1e-10
        assert far(ours(words()), theirs(words())) < 1e-10 and far(ours(words()), before) < 1e-10
        ours.unmerge_adapter()
        theirs.unmerge_adapter()
        assert torch.equal(ours(words()), before) and far(theirs(words()), before) < 1e-10


def test_two_adapters_on_one_base(peft):
    ours, theirs = pair(peft, torch.float64, "plain", "dora")
    with torch.no_grad():
        outputs = []
        for name in ("plain", "dora", "plain"):
            ours.set_adapter(name)
            theirs.set_adapter(name)
            outputs.append(ours(words()))
            assert far(outputs[-1], theirs(words())) < 1e-10
        assert torch.equal(outputs[0], outputs[2]) and far(outputs[0], outputs[1]) > 1e-3
        ours.set_adapter(None)
        with theirs.disable_adapter():
            assert far(ours(words()), theirs(words())) < 1e-10


def test_a_batch_of_both(peft):
    """Their `adapter_names` and our function for mixed batches, on one layer."""
    from nnlib.lora.in_torch import mixed_lora_linear

    torch.manual_seed(0)
    layer = torch.nn.ModuleDict({"only": torch.nn.Linear(5, 4)}).double()
    config = peft.LoraConfig(target_modules=["only"], r=2, lora_alpha=3)
    theirs = peft.get_peft_model(layer, config, adapter_name="0")
    theirs.add_adapter("1", config)
    only = theirs.base_model.model["only"]
    for held in (only.lora_A, only.lora_B):
        for adapter in held.values():
            adapter.weight.data.normal_()
    A, B = (torch.stack([held[k].weight.data for k in "01"]) for held in (only.lora_A, only.lora_B))
    x, which = torch.randn(4, 5, dtype=torch.float64), torch.tensor([1, -1, 0, 1])
    names = ["__base__" if k < 0 else str(int(k)) for k in which]
    only.eval()
    mine = mixed_lora_linear(
        x, only.base_layer.weight.data, only.base_layer.bias.data, A, B, which, lora_alpha=3
    )
    assert far(mine, only(x, adapter_names=names)) < 1e-10


def test_the_start_is_theirs(peft):
    """A in ±1 / sqrt(D), B zero: a fresh adapter changes no output."""
    torch.manual_seed(0)
    base = LanguageModel(width=32)
    theirs = peft.get_peft_model(
        copy.deepcopy(base), peft.LoraConfig(target_modules=TARGETS, r=4, lora_alpha=8)
    )
    ours = LoRAModel(copy.deepcopy(base), TARGETS)
    ours.add_adapter("mine", r=4, lora_alpha=8)
    for name, layer in ours.layers():
        other = theirs.base_model.model.get_submodule(name)
        bound = layer.base.in_features**-0.5
        for A in (layer.lora_A["mine"], other.lora_A["default"].weight):
            assert 0.9 * bound < A.abs().max() <= bound
        assert not layer.lora_B["mine"].any() and not other.lora_B["default"].weight.any()
    assert torch.equal(ours(words()), base(words())) and torch.equal(theirs(words()), base(words()))
