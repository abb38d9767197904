"""What one or more forward passes have spent, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from picojoule.synops.formulas.synapses import Count
from picojoule.synops.watch.steps import Steps


@dataclass
class Line:
    """Totals of one layer or functional call over all samples and time steps."""

    synops: Count = 0.0
    macs: Count = 0.0
    dense: Count = 0.0  # multiplications if every value were dense
    biases: int = 0  # additions of biases
    kind: str = ""


@dataclass
class Rate:
    """Spikes of one layer by neuron, and over how many samples and time steps they were added."""

    spikes: Tensor
    entries: int


@dataclass
class Ledger:
    """Totals by name; `passes` are the samples and time steps of each forward pass.

    `updates` are the neuron updates of each layer with dynamics, `kinds` their types, `order` the
    names as they were first called. `carried` tells of each neuron layer whether it began with a
    state other than zero.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    carried: dict[str, Tensor] = field(default_factory=dict)
    updates: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)
    passes: list[Steps] = field(default_factory=list)

    def add_call(self, name: str, synops: Count, macs: Count, dense: Count = 0.0) -> Line:
        """Enter a counted call."""
        self.order.setdefault(name)
        line = self.lines.setdefault(name, Line())
        line.synops, line.macs = line.synops + synops, line.macs + macs
        line.dense = line.dense + dense
        return line

    def add_updates(self, name: str, kind: str, updates: int) -> None:
        """Enter that many neurons, each updated once."""
        self.order.setdefault(name)
        self.kinds[name] = kind
        self.updates[name] = self.updates.get(name, 0) + updates

    def add_rate(self, name: str, spikes: Tensor, entries: int) -> None:
        """Enter the output of a spiking layer, added up to one value a neuron."""
        before = self.rates.get(name)
        if before is None or before.spikes.shape != spikes.shape:
            self.rates[name] = Rate(spikes, entries)
        else:
            self.rates[name] = Rate(before.spikes + spikes, before.entries + entries)

    def extend(self, other: Ledger) -> None:
        """Add another pass."""
        for name, line in other.lines.items():
            own = self.add_call(name, line.synops, line.macs, line.dense)
            own.kind, own.biases = line.kind, own.biases + line.biases
        for name, rate in other.rates.items():
            self.add_rate(name, rate.spikes, rate.entries)
        for name, updates in other.updates.items():
            self.add_updates(name, other.kinds[name], updates)
        self.carried |= other.carried
        self.passes += other.passes
