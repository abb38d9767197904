"""What a Monitor was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from picojoule.synops.formulas import Formula
from picojoule.synops.watch.count import Weights
from picojoule.synops.watch.detail import Axis
from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.spiking import Spiking, TimeAxis, spiking


@dataclass(frozen=True)
class Settings:
    """What to count and how; see :class:`picojoule.Monitor`."""

    weights: Weights = "all"
    formulas: dict[Any, Formula] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    spiking_types: tuple[type[nn.Module], ...] = ()
    spiking_names: tuple[str, ...] = ()
    time_axis: TimeAxis | None = None
    num_timesteps: int | None = None
    inputs: Origin | None = None
    dense_as_spikes: bool = False
    conventions: bool = False
    detail: tuple[Axis, ...] = ()

    def formula_of_function(self, function: Any) -> Formula | None:
        """The user's formula for a function, or for an operator under any of its names."""
        found = self.formulas.get(function)
        if found is None and isinstance(function, torch._ops.OpOverload):
            found = self.formulas.get(function.overloadpacket)
        return found

    def kind_of(self, name: str, module: nn.Module) -> Spiking | None:
        """What is known of a module's spikes; None if it is an ordinary one."""
        if name in self.spiking_names:
            return Spiking(self.time_axis or "loop", signed=True, closed=False)
        return spiking(module, self.spiking_types, self.time_axis)
