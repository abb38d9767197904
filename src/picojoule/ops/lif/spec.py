"""What every implementation of the LIF recurrence is told and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient
from picojoule.ops.membrane import Membrane


class LIFState(NamedTuple):
    """Potential and, where there is one, synaptic current and feedback to the next step; all ``b *n``."""

    v_mem: Tensor
    i_syn: Tensor | None = None
    i_rec: Tensor | None = None


class LIFOutput(NamedTuple):
    """Spikes ``b t *n``, the state for the next call, and the recordings, ``b t *n`` by state name."""

    spikes: Tensor
    state: LIFState
    recordings: dict[str, Tensor]


@dataclass(frozen=True)
class LIFSpec(Membrane):
    """The neuron: everything but its input and state. ``spike=None`` never fires and gives out v_mem."""

    threshold: Tensor | float
    spike: SpikeFunction | type[SpikeFunction] | None
    reset: ResetFunction
    surrogate: SurrogateGradient
    record: bool
