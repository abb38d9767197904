"""Layers out of sinabs' pickles of whole models, which come without `__init__`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import ALIF, StatefulLayer

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
    if isinstance(layer, ALIF):
        layer._buffers.pop("spike_threshold", None)  # follows from b here
        for name in ("b0", "adapt_scale", "min_v_mem"):
            layer._add_setting(name, layer.__dict__.pop(name, None))
    for name in (*_TIME_CONSTANTS, *(_ADAPTATION if isinstance(layer, ALIF) else ())):
        if not hasattr(layer, name):
            layer.register_parameter(name, None)
    names = [n for n in ("v_mem", "b", "i_syn") if isinstance(layer._buffers.get(n), Tensor)]
    if "rec_connect" in layer._modules:
        layer.register_buffer("i_rec", torch.zeros_like(layer._buffers["v_mem"]))  # type: ignore[arg-type]
        names.append("i_rec")
    layer._state_names = tuple(names)
