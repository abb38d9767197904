"""What a call of asynchronous execution gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from picojoule.events.delivered import Delivered


@dataclass(frozen=True)
class OrderedRun:
    """Outputs, and what it took.

    Args:
        outputs: `b t *m`: what the network gave out, by the step of the input event that caused it.
        spikes: float64 `b t` of each stage: spikes of its neurons, before its decimator; zeros without neurons.
        synops: float64 `b t` of each bundle of synapses of each stage, its own to itself last, as
            :class:`picojoule.events.program.Program` has them; those of values, too.
        delivered: what of these are SynOps, by layer.
        dropped: events that a full queue lost, int64 `b`, by the name of the layer that gave them out ("input" for
            the input); empty if none was lost.
    """

    outputs: Tensor
    spikes: list[Tensor]
    synops: list[list[Tensor]]
    delivered: Delivered
    dropped: dict[str, Tensor]

    def synops_per_sample(self) -> Tensor:
        """All SynOps of each sample, `b`."""
        return sum(
            (x.sum(1) for x in self.delivered.synops.values()),
            self.outputs.new_zeros(len(self.outputs)).double(),
        )

    def spikes_per_sample(self) -> Tensor:
        """All spikes of each sample, `b`."""
        return sum(
            (x.sum(1) for x in self.spikes), self.outputs.new_zeros(len(self.outputs)).double()
        )
