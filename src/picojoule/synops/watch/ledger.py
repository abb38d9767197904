"""What one or more forward passes have spent, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from picojoule.synops.formulas.synapses import Count
from picojoule.synops.watch.steps import Steps


@dataclass
class Line:
    """Totals of one layer or functional call over all samples and time steps."""

    synops: Count = 0.0
    macs: Count = 0.0


@dataclass
class Rate:
    """Spikes of one layer by neuron, and over how many samples and time steps they were added."""

    spikes: Tensor
    entries: int | Tensor

    @property
    def per_step(self) -> Tensor:
        """Spikes per neuron and time step."""
        entries = self.entries
        return self.spikes / (entries if isinstance(entries, Tensor) else max(entries, 1))


@dataclass
class Ledger:
    """Totals by name; `passes` are the samples and time steps of each forward pass.

    `details` are SynOps `b t` or `b t c`, None where that could not be told.

    `carried` tells of each neuron layer whether it began with a state other than zero.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    carried: dict[str, Tensor] = field(default_factory=dict)
    passes: list[Steps] = field(default_factory=list)
    details: dict[str, Tensor | None] = field(default_factory=dict)

    def add_call(self, name: str, synops: Count, macs: Count) -> None:
        """Enter a counted call."""
        line = self.lines.setdefault(name, Line())
        line.synops, line.macs = line.synops + synops, line.macs + macs

    def add_rate(self, name: str, spikes: Tensor, entries: int | Tensor) -> None:
        """Enter the output of a spiking layer, added up to one value a neuron."""
        before = self.rates.get(name)
        if before is None or before.spikes.shape != spikes.shape:
            self.rates[name] = Rate(spikes, entries)
        else:
            self.rates[name] = Rate(before.spikes + spikes, before.entries + entries)

    def extend(self, other: Ledger, next_step: bool = False) -> None:
        """Add another pass, of more samples or, with `next_step`, of the same at the next step."""
        for name, line in other.lines.items():
            self.add_call(name, line.synops, line.macs)
        for name, rate in other.rates.items():
            self.add_rate(name, rate.spikes, rate.entries)
        self.carried |= other.carried
        self.passes += other.passes
        for name, more in other.details.items():
            before = self.details.get(name)
            if name not in self.details:
                self.details[name] = more
            elif before is not None:
                self.details[name] = _appended(before, more, int(next_step))


def _appended(before: Tensor, more: Tensor | None, axis: int) -> Tensor | None:
    if more is None or before.shape[1 - axis] != more.shape[1 - axis]:
        return None
    return torch.cat([before, more], axis) if before.shape[2:] == more.shape[2:] else None
