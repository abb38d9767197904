"""What a Monitor was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from picojoule.synops.formulas import Formula
from picojoule.synops.watch.count import Weights
from picojoule.synops.watch.detail import DetailAxis
from picojoule.synops.watch.learned import Learned
from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.peer_formulas import peer_formula
from picojoule.synops.watch.peers import peer
from picojoule.synops.watch.repositories import repository_neuron
from picojoule.synops.watch.spiking import Spiking, TimeAxis, own_layer


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
    samples: int | None = None
    inputs: Origin | None = None
    dense_as_spikes: bool = False
    conventions: bool = False
    detail: tuple[DetailAxis, ...] = ()
    learned: Learned = field(default_factory=Learned)

    def formula_of_function(self, function: Any) -> Formula | None:
        """The user's formula for a function, or for an operator under any of its names."""
        found = self.formulas.get(function)
        if found is None and isinstance(function, torch._ops.OpOverload):
            found = self.formulas.get(function.overloadpacket)
        return found

    def kind_of(self, name: str, module: nn.Module) -> Spiking | None:
        """What is known of a module's spikes; None if it is an ordinary one.

        What the user says goes first, then the packages, then what was seen, then names.
        """
        seen = self.learned.kinds.get(module)
        if name in self.spiking_names or isinstance(module, self.spiking_types):
            axis = self.time_axis
            said = Spiking(axis or "loop", signed=True, closed=False, unit=None, sure=bool(axis))
            return seen or said
        return own_layer(module) or peer(module) or seen or repository_neuron(module)

    def keeps_state(self, name: str, module: nn.Module) -> bool:
        """Whether a module's buffers may be state; in a peer's neuron that has weights, they are masks of the weights."""
        kind = self.kind_of(name, module)
        known = own_layer(module) or peer(module)
        return kind is not None and (known is None or known.closed)

    def formula_of(self, module: nn.Module) -> Formula | None:
        """The formula for a module as a whole, the user's or that of a peer's; None to look inside."""
        for kind, formula in self.formulas.items():
            if isinstance(kind, type) and isinstance(module, kind):
                return formula
        return peer_formula(module)
