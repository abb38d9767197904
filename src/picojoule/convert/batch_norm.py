"""Folding batch normalisation into the layer in front of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from picojoule.budget.masks import (
    is_plain,
    mask_of,
    masked,
    original,
    put_in,
    remove_mask,
    take_out,
)
from picojoule.convert.foreign_hooks import warn_of_hooks
from picojoule.convert.graph import AFFINE, ROUNDS, call_graph, rounds_weights
from picojoule.convert.held import replace_everywhere
from picojoule.convert.own_forward import is_as_torch_made_it
from picojoule.convert.settled import copied

_FOLDABLE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy in which every batch normalisation is part of the layer in front of it.

        W' = g * W,   b' = g * (b - mean) + beta   with   g = gamma / sqrt(var + eps)

    `mean` and `var` are the running statistics, so the copy computes what `model.eval()` does, in
    either mode. An `nn.Identity` takes each normalisation's place: names and indices stay, and so do
    dtype, mode, masks and `requires_grad`. A new bias is trained if the weights are. The output of an
    `nn.Linear` is taken to be `n f`.

    Args:
        model: any module that torch.fx can follow where it holds a normalisation. Stays as it is.

    Raises:
        NotImplementedError: a normalisation cannot be folded; the message names it and says why.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> x = torch.rand(2, 1, 8, 8)
        >>> torch.allclose(fold_batch_norm(model)(x), model(x), atol=1e-6)
        True

    Source: Jacob et al. 2018, arXiv 1712.05877, section 3.2. (sinabs' `merge_bn` leaves out eps.)
    """
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        changes = "the copy computes something else"
        warn_of_hooks(model, "fold_batch_norm", "looked into", changes, "nothing is lost")
    return with_folded_norms(model)


def with_folded_norms(model: nn.Module) -> nn.Module:
    """The same for callers that have a word of their own on hooks."""
    pairs = _pairs(model)
    folded = copied(model)
    identities: dict[nn.Module, nn.Module] = {}
    for layer_name, norm_name in pairs:
        norm = folded.get_submodule(norm_name)
        _fold(folded.get_submodule(layer_name), norm)
        identities[norm] = nn.Identity().train(norm.training)
    replace_everywhere(folded, identities)
    return folded


def _pairs(model: nn.Module) -> list[tuple[str, str]]:
    """Names of the layer and the normalisation behind it, once everything is known to be foldable."""
    modules = dict(model.named_modules(remove_duplicate=False))
    norms = {name: module for name, module in modules.items() if isinstance(module, _BatchNorm)}
    if not norms:
        return []
    graph = call_graph("fold_batch_norm", model, _is_opaque)
    calls = [node for node in graph.nodes if node.op == "call_module"]
    called = [id(modules[node.target]) for node in calls]
    pairs = []
    for node in calls:
        norm = modules[node.target]
        if not isinstance(norm, _BatchNorm):
            continue
        before = _skip_identities(node.args[0], modules)
        layer = modules.get(before.target) if before.op == "call_module" else None
        fault = (
            _fault_of_norm(norm, called.count(id(norm)))
            or _fault_of_place(norm, before, layer)
            or _fault_of_layer(layer, before, called.count(id(layer)))
            or _use_elsewhere(graph, modules, str(before.target))
        )
        if fault:
            raise NotImplementedError(
                f"fold_batch_norm: {node.target!r} ({type(norm).__name__}) {fault}"
            )
        pairs.append((str(before.target), str(node.target)))
    seen = {id(modules[norm]) for _, norm in pairs}
    unseen = sorted(name for name, norm in norms.items() if id(norm) not in seen)
    if unseen:
        raise NotImplementedError(
            f"fold_batch_norm: {unseen[0]!r} ({type(norms[unseen[0]]).__name__}) is not called by the model's "
            "forward pass, so what comes before it is unknown. Remove it first."
        )
    return pairs


def _is_opaque(module: nn.Module) -> bool:
    """Whether there is no normalisation inside to be found."""
    inside = (part for part in module.modules() if part is not module)
    return not any(isinstance(part, _BatchNorm) for part in inside)


def _skip_identities(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node:
    while (
        node.op == "call_module"
        and type(modules[str(node.target)]) is nn.Identity
        and len(node.users) == 1
    ):
        node = node.all_input_nodes[0]
    return node


def _fault_of_norm(norm: _BatchNorm, calls: int) -> str | None:
    if type(norm) not in _FOLDABLE or not is_as_torch_made_it(norm):
        return f"is not one of {', '.join(kind.__name__ for kind in _FOLDABLE)}; its arithmetic is its own."
    if norm.running_mean is None or norm.running_var is None:
        return "has no running statistics (track_running_stats=False): it depends on the batch."
    if calls > 1:
        return f"is called {calls} times in a forward pass; give each place a normalisation of its own."
    return None


def _fault_of_place(norm: _BatchNorm, before: fx.Node, layer: nn.Module | None) -> str | None:
    if not isinstance(layer, AFFINE):
        found = type(layer).__name__ if layer else f"{before.op} {before.target}"
        return f"follows {found}, expected a convolution or linear layer directly in front of it."
    channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if channels != norm.num_features:
        return f"normalises {norm.num_features} features, but {before.target!r} has {channels}."
    return None


def _fault_of_layer(layer: nn.Module | None, before: fx.Node, calls: int) -> str | None:
    name = repr(before.target)
    if calls > 1:
        return f"follows {name}, which is called {calls} times in a forward pass."
    if len(before.users) > 1:
        return f"follows {name}, whose output is used elsewhere too, without normalisation."
    if layer is not None and not is_as_torch_made_it(layer):
        return f"follows {name} ({type(layer).__name__}), which has a forward pass of its own: what it does with its weight is unknown."
    if layer is not None and not is_plain(layer):
        return (
            f"follows {name}, whose weight is computed from other parameters (weight_norm, spectral_norm, ...); "
            "make that permanent first."
        )
    if rounds_weights(layer):
        return f"follows {name}, which {ROUNDS}"
    return None


def _use_elsewhere(graph: fx.Graph, modules: dict[str, nn.Module], name: str) -> str | None:
    """Where else than in its own call a layer's weights are used, which are about to change."""
    layer = modules[name]
    for node in graph.nodes:
        target = str(node.target)
        if node.op == "get_attr" and target.startswith(f"{name}."):
            return f"follows {name!r}, and the forward pass uses {target!r} by itself, too."
        others = modules[target].children() if node.op == "call_module" else ()
        if any(layer in other.modules() for other in others):
            return (
                f"follows {name!r}, which {target!r} holds, too: what it does with it is unknown."
            )
    return None


def _fold(layer: Any, norm: Any) -> None:
    """Change the layer's weight and bias; in double precision, since g may be large."""
    old = original(layer)
    weight: Tensor = old.detach().double()
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    shift = torch.zeros_like(gain)
    if norm.affine:
        gain, shift = gain * masked(norm).double(), masked(norm, "bias").double()
    trained = old if layer.bias is None else original(layer, "bias")
    bias = torch.zeros_like(gain) if layer.bias is None else masked(layer, "bias").double()
    if isinstance(layer, _TRANSPOSED):  # (in, out / groups, *k), inputs grouped
        by_group = weight.reshape(layer.groups, -1, *weight.shape[1:])
        per_output = gain.view(layer.groups, 1, -1, *[1] * (weight.ndim - 2))
        weight = (by_group * per_output).flatten(0, 1)
    else:
        weight = weight * gain.view(-1, *[1] * (weight.ndim - 1))
    bias = gain * (bias - norm.running_mean.double()) + shift
    if mask_of(layer, "bias") is not None:  # what the normalisation adds to a bias of zero is none
        remove_mask(layer, "bias")
    put_in(layer, nn.Parameter(weight.to(old.dtype), old.requires_grad))
    put_in(layer, nn.Parameter(bias.to(old.dtype), trained.requires_grad), "bias")
    gone = mask_of(norm, "bias")
    if gone is not None:
        take_out(layer, gone, "bias")
