"""A copy of a model in which every computed weight (pruned, normalised, parametrised) is a plain parameter."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

Model = TypeVar("Model", bound=nn.Module)


def copied(model: Model) -> Model:
    """A copy of a model that may have run under autograd.

    Hooks of torch (of masks, weight_norm, spectral_norm) leave the weight that they compute in the layer, and `deepcopy`
    refuses it after a pass with gradients. It is computed anew at each pass, so the copy gets its values.
    """
    computed = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(model, dict(computed))


@torch.no_grad()
def settled(model: nn.Module) -> nn.Module:
    """The copy in which nothing is computed; the model stays as it is."""
    double = copied(model)
    for module in double.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
            elif isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
        if parametrize.is_parametrized(module):
            _settle_parametrized(module)
    return double


def _settle_parametrized(module: nn.Module) -> None:
    """What `remove_parametrizations` does, without deleting the property of the class, which copies share."""
    values = {name: getattr(module, name) for name in module.parametrizations}  # type: ignore[union-attr]
    trained = any(p.requires_grad for p in module.parametrizations.parameters())  # type: ignore[union-attr]
    del module._modules["parametrizations"]
    module.__class__ = type(module).__mro__[1]
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value.detach().clone(), trained))
