"""Which layers of a sequential model are counted, and how many spikes one unit of their input is.

Plan only: the layers are read in the order in which a (nested) Sequential runs them. An average
pooling divides by its window, so behind it the input of the next counted layer is multiplied
back, unless a spiking layer in between has made new spikes of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn

from picojoule.layers import FlattenTime, Repeat, SqueezeMixin, StatefulLayer, UnflattenTime
from picojoule.synops.fan_out import CONVOLUTIONS

COUNTED = (*CONVOLUTIONS, nn.Linear)
_AVERAGES_OF_UNKNOWN_SIZE = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
)
_AXES_AVERAGED: dict[type[nn.Module], int] = {nn.AvgPool1d: 1, nn.AvgPool2d: 2, nn.AvgPool3d: 3}
_NORMALISATIONS = (nn.LayerNorm, nn.RMSNorm)


class CountedLayer(NamedTuple):
    """A layer to count: its key, itself, and the spikes that one unit of its input stands for."""

    key: int | str
    module: nn.Module
    spikes_per_unit: float


def counted_layers(model: nn.Module) -> list[CountedLayer]:
    """The convolutions and linear layers of a (nested) Sequential, in the order they run.

    The key is the index in the model, or the qualified name within nested containers: 3, or "2.conv".

    Raises:
        TypeError: the model is not a Sequential.
        NotImplementedError: it holds a layer with weights that has no formula, in a container whose
            order is unknown, or used in two places; or an average of unknown size precedes a layer.
    """
    if not isinstance(model, nn.Sequential):
        raise TypeError(
            f"SynOps hooks: expected an nn.Sequential, nested ones included, got {type(model).__name__}, "
            "whose order of layers is unknown. Wrap its layers in an nn.Sequential."
        )
    counted: list[CountedLayer] = []
    spikes_per_unit = 1.0
    for key, name, module in _leaves(model):
        if isinstance(module, COUNTED):
            if math.isnan(spikes_per_unit):
                raise _gap(
                    name, module, "follows an average pooling whose windows differ or are unknown"
                )
            if any(module is other.module for other in counted):
                raise _gap(name, module, "is used in two places")
            counted.append(CountedLayer(key, module, spikes_per_unit))
            spikes_per_unit = 1.0
        elif isinstance(module, StatefulLayer) and not holds_synapses(*module.children()):
            spikes_per_unit = 1.0 if module.does_spike else spikes_per_unit
        elif holds_synapses(module):
            raise _gap(name, module, "has weights but no formula")
        else:
            spikes_per_unit *= values_averaged(module)
    return counted


def time_is_folded(model: nn.Module) -> bool:
    """Whether batch and time share an axis somewhere: the model has layers that fold or unfold it."""
    folding = (FlattenTime, UnflattenTime, SqueezeMixin)
    return any(isinstance(module, folding) for module in model.modules())


def _leaves(model: nn.Module) -> Iterator[tuple[int | str, str, nn.Module]]:
    """Key, qualified name and module of each layer, in the order they run."""
    for index, (name, module) in enumerate(model._modules.items()):
        if isinstance(module, nn.Sequential | Repeat):
            for _, inner, leaf in _leaves(module):
                yield f"{name}.{inner}", f"{name}.{inner}", leaf
        elif module is not None:
            yield index, name, module


def values_averaged(module: nn.Module) -> float:
    """Values that one output of the module averages; NaN if unknown, 1 if it does not average."""
    if isinstance(module, _AVERAGES_OF_UNKNOWN_SIZE):
        return math.nan
    axes = next((n for pool, n in _AXES_AVERAGED.items() if isinstance(module, pool)), None)
    if axes is None:
        return 1.0
    pool: Any = module
    if getattr(pool, "divisor_override", None):
        return float(pool.divisor_override)
    padded = pool.padding not in (0, (0,) * axes)
    if pool.ceil_mode or (padded and not pool.count_include_pad):
        return math.nan
    size = pool.kernel_size
    return float(size**axes if isinstance(size, int) else math.prod(size))


def holds_synapses(*modules: nn.Module) -> bool:
    """Whether weights hide in a module: a matrix or kernel among its parameters or its children's."""
    return any(
        parameter.ndim >= 2
        for module in modules
        for part in module.modules()
        if not isinstance(part, _NORMALISATIONS)
        for parameter in part.parameters(recurse=False)
    )


def _gap(name: str, module: nn.Module, reason: str) -> NotImplementedError:
    return NotImplementedError(
        f"SynOps hooks: layer {name!r} ({type(module).__name__}) {reason}, so its SynOps are unknown. "
        "Convolutions and linear layers in an nn.Sequential (nested ones included) are counted."
    )
