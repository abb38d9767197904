"""What every implementation of the ALIF recurrence is told and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient
from picojoule.ops.membrane import Membrane


class ALIFState(NamedTuple):
    """Potential, trace of the own spikes and, where there is one, synaptic current and feedback; `b *n`."""

    v_mem: Tensor
    b: Tensor
    i_syn: Tensor | None = None
    i_rec: Tensor | None = None


class ALIFOutput(NamedTuple):
    """Spikes ``b t *n``, the state for the next call, and the recordings, ``b t *n`` by state name."""

    spikes: Tensor
    state: ALIFState
    recordings: dict[str, Tensor]


@dataclass(frozen=True)
class ALIFSpec(Membrane):
    """The neuron: everything but its input and state."""

    alpha_adapt: Tensor | float
    adapt_scale: Tensor | float
    threshold: Tensor | float
    spike: SpikeFunction | type[SpikeFunction]
    reset: ResetFunction
    surrogate: SurrogateGradient
    record: bool
