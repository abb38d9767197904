"""Layers out of sinabs' pickles of whole models, which come without `__init__`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import ALIF, SpikingMaxPooling2dLayer, StatefulLayer
from picojoule.layers.neuron import LeakyNeuron

_TIME_CONSTANTS = ("tau_mem", "tau_syn", "alpha_mem", "alpha_syn")
_ADAPTATION = ("tau_adapt", "alpha_adapt")


def complete_revived_layers() -> None:
    """Make layers that are unpickled from now on whole, if they are sinabs'."""
    StatefulLayer.__setstate__ = _setstate  # type: ignore[method-assign, assignment]


def take_revived_layers_as_they_are() -> None:
    """Undo it, if it is done."""
    if "__setstate__" in vars(StatefulLayer):
        del StatefulLayer.__setstate__


def _setstate(self: StatefulLayer, state: dict[str, Any]) -> None:
    nn.Module.__setstate__(self, state)  # type: ignore[no-untyped-call]
    if "_state_names" not in self.__dict__:  # not one of Picojoule's own
        _complete(self)


def _complete(layer: StatefulLayer) -> None:
    """Give a layer of sinabs what its class here expects, and take off what it has no place for."""
    layer.__dict__.pop("firing_rate", None)  # follows from the output here
    layer.__dict__.setdefault("recordings", {})
    if isinstance(layer, SpikingMaxPooling2dLayer):
        _complete_pool(layer)
    if isinstance(layer, ALIF):
        layer._buffers.pop("spike_threshold", None)  # follows from b here
        for name in ("b0", "adapt_scale", "min_v_mem"):
            layer._add_setting(name, layer.__dict__.pop(name, None))
    if isinstance(layer, LeakyNeuron):
        for name in (*_TIME_CONSTANTS, *(_ADAPTATION if isinstance(layer, ALIF) else ())):
            if not hasattr(layer, name):
                layer.register_parameter(name, None)
    if isinstance(layer, LeakyNeuron) and "rec_connect" in layer._modules:
        layer.i_rec = torch.zeros_like(layer.v_mem)  # type: ignore[arg-type]
    states = ("v_mem", "b", "i_syn", "i_rec", "spike_count")
    layer._state_names = tuple(n for n in states if isinstance(getattr(layer, n, None), Tensor))


def _complete_pool(layer: SpikingMaxPooling2dLayer) -> None:
    like = SpikingMaxPooling2dLayer(layer.pool_size, layer.strides, layer.padding)
    layer.pool_size, layer.strides, layer.padding = like.pool_size, like.strides, like.padding
    layer._modules.clear()  # sinabs' pooling and padding
    for name in ("pad", "spikes_number", "tw"):
        layer.__dict__.pop(name, None)
    layer.register_buffer("spike_count", torch.zeros(0))
