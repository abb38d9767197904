"""What every implementation of the LIF recurrence is told and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient


class LIFState(NamedTuple):
    """Potential and, with a synaptic time constant, synaptic current; both ``b *n``."""

    v_mem: Tensor
    i_syn: Tensor | None = None


class LIFOutput(NamedTuple):
    """Spikes ``b t *n``, the state for the next call, and the recordings, ``b t *n`` by state name."""

    spikes: Tensor
    state: LIFState
    recordings: dict[str, Tensor]


@dataclass(frozen=True)
class LIFSpec:
    """The neuron: everything but its input and state. ``spike=None`` never fires and gives out v_mem."""

    alpha_mem: Tensor | float
    alpha_syn: Tensor | float | None
    threshold: Tensor | float
    norm_input: bool
    min_v_mem: Tensor | float | None
    spike: SpikeFunction | type[SpikeFunction] | None
    reset: ResetFunction
    surrogate: SurrogateGradient
    record: bool

    @property
    def leaks(self) -> bool:
        """False for integrate-and-fire: its potential needs no multiplication."""
        return isinstance(self.alpha_mem, Tensor) or self.alpha_mem != 1.0
