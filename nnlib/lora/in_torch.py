"""The twin: the same equations in PyTorch, and modules that put adapters onto any model."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from nnlib.core import checked
from nnlib.initialization import in_torch as initialization
from nnlib.quantization.in_torch import (
    dequantize_nf4,
    double_dequantize,
    double_quantize,
    pack_int4,
    quantize_nf4,
    unpack_int4,
)


def _scaling(r, lora_alpha, use_rslora):
    return float(lora_alpha) / (r**0.5 if use_rslora else r)


@checked
def init_lora(u, out_features):
    """lora_A uniform in ±1 / sqrt(D), lora_B = 0"""
    bound = u.shape[1] ** -0.5
    return torch.lerp(torch.full_like(u, -bound), torch.full_like(u, bound), u), u.new_zeros(
        out_features, len(u)
    )


@checked
def delta_weight(lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """delta = scaling * lora_B @ lora_A"""
    return lora_B @ (_scaling(len(lora_A), lora_alpha, use_rslora) * lora_A)


@checked(not_taught={"lora_dropout": 0.0, "lora_bias": False})
def lora_linear(x, weight, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """y = x @ weight.T + bias + scaling * (x @ lora_A.T) @ lora_B.T"""
    scaling = _scaling(len(lora_A), lora_alpha, use_rslora)
    return F.linear(x, weight, bias) + scaling * F.linear(F.linear(x, lora_A), lora_B)


@checked
def merge(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """merged = weight + scaling * lora_B @ lora_A"""
    return torch.addmm(weight, lora_B, lora_A, alpha=_scaling(len(lora_A), lora_alpha, use_rslora))


@checked
def unmerge(merged, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """weight = merged - scaling * lora_B @ lora_A"""
    return torch.addmm(merged, lora_B, lora_A, alpha=-_scaling(len(lora_A), lora_alpha, use_rslora))


@checked
def low_rank(delta, r):
    """lora_B @ lora_A = the r largest parts of the singular value decomposition"""
    if r > min(delta.shape):
        raise ValueError(f"low_rank: r is {r}; expected at most {min(delta.shape)}, the smaller of O and D")
    u, s, v = torch.linalg.svd(delta, full_matrices=False)
    root = torch.diag(s[:r].sqrt())
    lora_A, lora_B = root @ v[:r], u[:, :r] @ root
    largest = lora_A.gather(1, lora_A.abs().argmax(1, keepdim=True))[:, 0]  # of equal ones the first
    flip = torch.where(largest < 0, -1.0, 1.0).to(delta)
    return flip[:, None] * lora_A, lora_B * flip


@checked
def mixed_lora_linear(x, weight, bias, lora_A, lora_B, adapter, lora_alpha=8):
    """y[n] = lora_linear(x[n], ..., lora_A[adapter[n]], lora_B[adapter[n]]); -1 picks an adapter of zeros"""
    A, B = (F.pad(stack, (0, 0, 0, 0, 0, 1))[adapter.long()] for stack in (lora_A, lora_B))
    rows = x.flatten(1, -2) if x.dim() > 2 else x[:, None]
    detour = rows @ A.mT @ B.mT * _scaling(lora_A.shape[1], lora_alpha, False)
    return F.linear(x, weight, bias) + detour.reshape(*x.shape[:-1], -1)


@checked
def dora_norm(weight, lora_A, lora_B, lora_alpha=8, use_rslora=False):
    """norm = ||weight + delta|| row by row"""
    return torch.linalg.vector_norm(
        weight + delta_weight.unchecked(lora_A, lora_B, lora_alpha, use_rslora), dim=1
    )


@checked
def dora_linear(x, weight, bias, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False, norm=None):
    """y = magnitude / norm * (x @ weight.T + scaling * (x @ lora_A.T) @ lora_B.T) + bias"""
    if norm is None:
        norm = dora_norm.unchecked(weight, lora_A, lora_B, lora_alpha, use_rslora)
    y = magnitude / norm * lora_linear.unchecked(x, weight, None, lora_A, lora_B, lora_alpha, use_rslora)
    return y if bias is None else y + bias


@checked
def dora_merge(weight, lora_A, lora_B, magnitude, lora_alpha=8, use_rslora=False):
    """merged = magnitude / norm * (weight + delta)"""
    v = weight + delta_weight.unchecked(lora_A, lora_B, lora_alpha, use_rslora)
    return magnitude[:, None] * F.normalize(v, dim=1, eps=0)


@checked
def qlora_linear(x, codes, absmax, bias, lora_A, lora_B, lora_alpha=8, use_rslora=False, block_size=64):
    """y = lora_linear with weight = level of each code * absmax of its block"""
    if len(absmax) != math.ceil(codes.numel() / block_size):
        raise ValueError(
            f"qlora_linear: absmax has {len(absmax)} blocks; expected one for each {block_size} of "
            f"{codes.numel()} codes"
        )
    weight = dequantize_nf4.unchecked(codes, absmax, block_size)
    return lora_linear.unchecked(x, weight, bias, lora_A, lora_B, lora_alpha, use_rslora)


# ---------------------------------------------------------------------------------- the library's own

official = {
    "init_lora": lambda u, out_features: (
        initialization.official["kaiming_uniform"](u, math.sqrt(5), "fan_in", "leaky_relu"),
        nn.init.zeros_(u.new_empty(out_features, len(u))),
    ),
    "dora_norm": lambda weight, A, B, lora_alpha, use_rslora: torch.linalg.norm(
        torch.addmm(weight, B, A, alpha=_scaling(len(A), lora_alpha, use_rslora)), dim=1
    ),
}
_PEFT = "torch has none; the library peft has, and tests/lora/test_peft.py holds them equal"
no_official = {
    "delta_weight": _PEFT,
    "lora_linear": _PEFT,
    "merge": _PEFT,
    "unmerge": _PEFT,
    "low_rank": "a truncated singular value decomposition: torch.linalg.svd, as in the twin",
    "mixed_lora_linear": _PEFT,
    "dora_linear": _PEFT,
    "dora_merge": _PEFT,
    "qlora_linear": "the library bitsandbytes has the codes, for some devices only; torch has none",
}


# ------------------------------------------------------------------------------------- adapters as modules


class LoRALinear(nn.Module):
    """A frozen layer and any number of adapters, of which one is active, or none, or one is merged.

    `base` is an nn.Linear, or any module with its weight, bias, in_features and out_features.
    """

    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_A, self.lora_B = nn.ParameterDict(), nn.ParameterDict()
        self.magnitude = nn.ParameterDict()  # of DoRA adapters
        self.options = {}
        self.active = self.merged = self.kept = None

    def add_adapter(self, name, r=8, lora_alpha=8, use_rslora=False, use_dora=False):
        """A new adapter, which changes nothing yet."""
        weight = self.base.weight
        u = torch.rand(r, self.base.in_features, dtype=weight.dtype, device=weight.device)
        A, B = init_lora(u, self.base.out_features)
        self.lora_A[name], self.lora_B[name] = nn.Parameter(A), nn.Parameter(B)
        self.options[name] = dict(lora_alpha=lora_alpha, use_rslora=use_rslora)
        if use_dora:
            self.magnitude[name] = nn.Parameter(torch.linalg.vector_norm(weight, dim=1))

    def forward(self, x):
        if self.active is None or self.merged is not None:
            return self.base(x)
        A, B, options = self.lora_A[self.active], self.lora_B[self.active], self.options[self.active]
        if self.active in self.magnitude:
            norm = dora_norm.unchecked(self.base.weight, A, B, **options).detach()
            magnitude = self.magnitude[self.active]
            args = self.base.weight, self.base.bias, A, B, magnitude
            return dora_linear.unchecked(x, *args, **options, norm=norm)
        scaling = _scaling(len(A), **options)
        return self.base(x) + scaling * F.linear(F.linear(x, A), B)

    @torch.no_grad()
    def merge_adapter(self):
        """The active adapter into the weight of the base; a copy of the weight is kept for the way back."""
        if self.active is None or self.merged is not None:
            return
        if isinstance(self.base, NF4Linear):
            raise TypeError(
                "merge_adapter: the base holds 4-bit codes; expected a layer with numbers as weight"
            )
        A, B, options = self.lora_A[self.active], self.lora_B[self.active], self.options[self.active]
        self.kept, self.merged = self.base.weight.clone(), self.active
        if self.active in self.magnitude:
            self.base.weight.copy_(dora_merge(self.kept, A, B, self.magnitude[self.active], **options))
        else:
            self.base.weight.copy_(merge(self.kept, A, B, **options))

    @torch.no_grad()
    def unmerge_adapter(self):
        """The base as it was, to the last bit."""
        if self.merged is not None:
            self.base.weight.copy_(self.kept)
            self.merged = self.kept = None


class NF4Linear(nn.Module):
    """A frozen linear layer that keeps its weight in 4 bits, two to a byte, and decodes it for each use.

    One scale for each block of 64 weights, itself in 8 bits: about 4.13 bits a weight in large layers.
    """

    def __init__(self, linear, block_size=64):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.block_size = block_size
        codes, absmax = quantize_nf4(linear.weight.detach(), block_size)
        scales = double_quantize(absmax)
        self.register_buffer("codes", pack_int4(codes))
        for name, value in zip(("absmax", "absmax_scale", "absmax_offset"), scales):
            self.register_buffer(name, value)
        self.register_parameter("bias", linear.bias)
        self.requires_grad_(False)

    @classmethod
    def replace_all(cls, model, block_size=64):
        """Every nn.Linear of a model in 4 bits, in place; returns the model."""
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, cls(child, block_size))
        return model

    @property
    def weight(self):
        absmax = double_dequantize.unchecked(self.absmax, self.absmax_scale, self.absmax_offset)
        codes = unpack_int4.unchecked(self.codes, signed=False)
        return dequantize_nf4.unchecked(codes, absmax, self.block_size)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class LoRAModel(nn.Module):
    """A model with adapters on chosen linear layers; everything else is frozen.

        adapted = LoRAModel(model, ["query", "value"])
        adapted.add_adapter("dialect", r=4, lora_alpha=8)
        optimizer = torch.optim.Adam(adapted.trainable(), lr=1e-3)

    A layer is chosen when its name, as in model.named_modules(), is one of the targets or ends with "." and
    one of them, as in peft. The model itself is changed: its layers are wrapped, and `unload` unwraps them.
    """

    def __init__(self, model, target_modules):
        super().__init__()
        self.model = model.requires_grad_(False)
        linear = [n for n, m in model.named_modules() if isinstance(m, (nn.Linear, NF4Linear))]
        for target in target_modules:
            if not any(f".{name}".endswith(f".{target}") for name in linear):
                raise LookupError(f"no linear layer is called {target!r}; there is {', '.join(linear)}")
        ends = tuple(f".{target}" for target in target_modules)
        self.names = [name for name in linear if f".{name}".endswith(ends)]
        for name in self.names:
            self._replace(name, LoRALinear(model.get_submodule(name)))

    def _replace(self, name, module):
        parent, _, own = name.rpartition(".")
        setattr(self.model.get_submodule(parent), own, module)

    def layers(self):
        """Name and LoRALinear of every adapted layer."""
        return [(name, self.model.get_submodule(name)) for name in self.names]

    def forward(self, *args, **kwargs):
        return self.model(*args, **kwargs)

    def add_adapter(self, name, **options):
        """A new adapter on every chosen layer, and the active one from now on."""
        for _, layer in self.layers():
            layer.add_adapter(name, **options)
        self.set_adapter(name)

    def set_adapter(self, name):
        """Switch to another adapter, or with None to the base model alone. Only the active one is trained."""
        for _, layer in self.layers():
            if name is not None and name not in layer.lora_A:
                raise LookupError(
                    f"there is no adapter {name!r}; there is {', '.join(layer.lora_A) or 'none'}"
                )
            layer.unmerge_adapter()
            layer.active = name
            for held in (layer.lora_A, layer.lora_B, layer.magnitude):
                for key, parameter in held.items():
                    parameter.requires_grad_(key == name)

    def trainable(self):
        """The parameters of the active adapter: what an optimizer is given."""
        return [p for p in self.parameters() if p.requires_grad]

    def merge_adapter(self):
        for _, layer in self.layers():
            layer.merge_adapter()

    def unmerge_adapter(self):
        for _, layer in self.layers():
            layer.unmerge_adapter()

    def adapter_state_dict(self, name):
        """The tensors of one adapter alone: what is saved and sent."""
        found = {}
        for path, layer in self.layers():
            for held in ("lora_A", "lora_B", "magnitude"):
                if name in getattr(layer, held):
                    found[f"{path}.{held}"] = getattr(layer, held)[name].detach().clone()
        return found

    @torch.no_grad()
    def load_adapter_state_dict(self, name, state):
        """Fill the adapter `name` with saved tensors, which must be exactly its own."""
        own = self.adapter_state_dict(name)
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in state.items()}:
            raise ValueError(f"the tensors do not fit the adapter {name!r}: expected {', '.join(own)}")
        for path, layer in self.layers():
            for held in ("lora_A", "lora_B", "magnitude"):
                if f"{path}.{held}" in state:
                    getattr(layer, held)[name].copy_(state[f"{path}.{held}"])

    def unload(self):
        """The model with its own layers again: the base, or with a merged adapter the fine-tuned one."""
        for name, layer in self.layers():
            self._replace(name, layer.base)
        return self.model
