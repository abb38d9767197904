"""Which parameters of a module scale what it gives."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from torch import nn
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from picojoule.budget.masks import mask_of
from picojoule.budget.violation import BudgetWarning
from picojoule.printable import printable


def scales_of(module: nn.Module) -> list[nn.Parameter] | None:
    """The trained parameters of a module's own by which, all times a factor, what it gives is.

    These are weights and biases; of a weight with a norm of its own (`weight_norm`), the norm. None if there are none, though
    something is trained: a bias beside a weight that is frozen, or that is computed from others in a way nobody knows.

    Example:
        >>> from torch.nn.utils.parametrizations import orthogonal, weight_norm
        >>> [tuple(p.shape) for p in scales_of(weight_norm(nn.Linear(2, 3)))]
        [(3, 1), (3,)]
        >>> scales_of(orthogonal(nn.Linear(2, 3)))
    """
    factors, biases = list[nn.Parameter](), list[nn.Parameter]()
    if not isinstance(module, ParametrizationList):
        for name, parameter in module.named_parameters(recurse=False):
            (biases if "bias" in name else factors).append(parameter)
    computed = _computed(module)
    norms = [each.get_parameter("original0") for each in computed if _is_a_norm(each)]
    found = [p for p in (*factors, *norms) if p.requires_grad]
    known = len(norms) == len(computed) and not _is_spectral(module)
    if known and found:
        return [*found, *(p for p in biases if p.requires_grad)]
    inside = [*factors, *biases, *(p for each in computed for p in each.parameters())]
    return None if any(p.requires_grad for p in inside) else []


def warn_unscaled(model: nn.Module, unscaled: Mapping[str, Sequence[str]]) -> None:
    """Warn of spiking layers whose currents nothing scales, and of the modules before them, all by their names."""
    modules = dict(model.named_modules())
    for spiking, names in unscaled.items():
        where = ", ".join(f"{name!r} ({type(modules[name]).__name__})" for name in names)
        told = (
            f"Budget: no gain and no trim() scales the currents into layer {spiking!r}: what is trained of {where} does not scale "
            "them, as its weight is frozen, made from other parameters (such as those of spectral_norm), or before a normalisation "
            "that has no parameters. Make it plain first, by torch.nn.utils.parametrize.remove_parametrizations, train it, or "
            "give the normalisation parameters (elementwise_affine=True)."
        )
        warnings.warn(printable(told), BudgetWarning, stacklevel=5)


def _computed(module: nn.Module) -> list[ParametrizationList]:
    """What makes parameters of a module from others."""
    if isinstance(module, ParametrizationList):
        return [module]
    if not is_parametrized(module):
        return []
    inside = module.get_submodule("parametrizations").children()
    return [each for each in inside if isinstance(each, ParametrizationList)]


def _is_a_norm(computed: ParametrizationList) -> bool:
    return len(computed) == 1 and isinstance(computed[0], _WeightNorm)


def _is_spectral(module: nn.Module) -> bool:
    """Whether a hook divides the weight by its norm, as the older `torch.nn.utils.spectral_norm` does."""
    return "weight_orig" in module._parameters and mask_of(module) is None
