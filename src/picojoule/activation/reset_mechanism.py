"""Resets: what firing does to the membrane potential.

A reset is called as ``reset(spikes, state, spike_threshold)`` with a dict of state tensors by name
and returns a new dict; what it was handed stays as it was. Any callable of that form may be used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

NeuronState = dict[str, Tensor]


@runtime_checkable
class ResetFunction(Protocol):
    """``(spikes, state, spike_threshold) -> state after the reset``."""

    def __call__(
        self, spikes: Tensor, state: NeuronState, spike_threshold: Tensor | float
    ) -> NeuronState: ...


@dataclass(frozen=True)
class MembraneSubtract:
    """Take the threshold off the potential once for each spike. The gradient flows through.

        v_mem = v_mem - spikes * subtract_value

    Args:
        subtract_value: what a spike costs, in the units of ``v_mem``; the threshold if omitted.

    Example:
        >>> MembraneSubtract()(torch.tensor([2.0]), {"v_mem": torch.tensor([2.5])}, 1.0)
        {'v_mem': tensor([0.5000])}
    """

    subtract_value: Tensor | float | None = None

    def __call__(
        self, spikes: Tensor, state: NeuronState, spike_threshold: Tensor | float
    ) -> NeuronState:
        v_mem = state["v_mem"]
        cost = spike_threshold if self.subtract_value is None else self.subtract_value
        if isinstance(cost, Tensor):
            cost = cost.to(v_mem)
        return {**state, "v_mem": v_mem - spikes * cost}


@dataclass(frozen=True)
class MembraneReset:
    """Set the potential of the neurons that fired to a fixed value; the others keep theirs.

        v_mem = reset_value where spikes != 0, else v_mem

    No gradient passes back in time through a neuron that fired. (sinabs 3.1.3 adds a non-zero
    ``reset_value`` to every neuron at every step.)

    Example:
        >>> MembraneReset(-0.5)(torch.tensor([1.0, 0.0]), {"v_mem": torch.tensor([1.5, 0.3])}, 1.0)
        {'v_mem': tensor([-0.5000,  0.3000])}
    """

    reset_value: float = 0.0

    def __call__(
        self, spikes: Tensor, state: NeuronState, spike_threshold: Tensor | float
    ) -> NeuronState:
        v_mem = state["v_mem"]
        return {**state, "v_mem": torch.where(spikes != 0, self.reset_value, v_mem)}


@dataclass(frozen=True)
class MembraneHold:
    """Set the potential of the neurons that fired to a fixed value and hold it there for the next step.

        v_mem[t+1] = reset_value where spikes[t] != 0, whatever comes in; no spike there

    snnTorch's `Synaptic`, `RLeaky` and `RSynaptic` do so with `reset_mechanism="zero"`, unless told otherwise.
    Between a spike and the next step the potential is a mark far below any other, so the neuron must have no
    `min_v_mem`. No gradient passes back in time through a neuron that fired.

    Example:
        >>> from picojoule.layers import IAF
        >>> layer = IAF(reset_fn=MembraneHold())
        >>> layer.impl = "reference"  # no kernel knows this reset
        >>> layer(torch.ones(1, 5, 1)).flatten()
        tensor([1., 0., 1., 0., 1.])
    """

    reset_value: float = 0.0

    def __call__(
        self, spikes: Tensor, state: NeuronState, spike_threshold: Tensor | float
    ) -> NeuronState:
        v_mem = state["v_mem"]
        mark = torch.finfo(v_mem.dtype).min / 4
        held = torch.where(v_mem < -math.sqrt(-mark), self.reset_value, v_mem)
        return {**state, "v_mem": torch.where(spikes != 0, mark, held)}


@dataclass(frozen=True)
class WholeStates:
    """A reset after which the potential and the synaptic current are cut to whole numbers, towards zero.

    So that a leaking neuron keeps to whole numbers as chips do. The gradient passes as if nothing was cut.

    Args:
        reset: what a spike does before.

    Example:
        >>> reset = WholeStates(MembraneSubtract())
        >>> reset(torch.tensor([1.0, 0.0]), {"v_mem": torch.tensor([12.7, -3.9])}, 10.0)
        {'v_mem': tensor([ 2., -3.])}
    """

    reset: ResetFunction = MembraneSubtract()

    def __call__(
        self, spikes: Tensor, state: NeuronState, spike_threshold: Tensor | float
    ) -> NeuronState:
        after = self.reset(spikes, state, spike_threshold)
        return {name: x + (x.trunc() - x).detach() for name, x in after.items()}
