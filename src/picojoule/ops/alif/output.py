"""What a call of `alif` gives back."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ALIFState(NamedTuple):
    """Potential, trace of the own spikes and, where there is one, synaptic current and feedback; `b *n`."""

    v_mem: Tensor
    b: Tensor
    i_syn: Tensor | None = None
    i_rec: Tensor | None = None


class _Output(NamedTuple):
    spikes: Tensor
    state: ALIFState
    recordings: dict[str, Tensor]


class ALIFOutput(_Output):
    """Spikes ``b t *n``, the state for the next call, and the recordings, ``b t *n`` by state name.

    Attributes:
        sums: the spikes added up over samples and time steps, ``*n``, in float32 at least, with their gradient; None where no
            kernel has done so on its way.
    """

    sums: Tensor | None = None
