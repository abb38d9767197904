"""What one or more forward passes have spent, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from picojoule.synops.formulas.synapses import Count
from picojoule.synops.watch.pass_size import PassSize

Pair = tuple[Count, Count]
NOT_REPRODUCED = "not reproduced"  # a call that others count in ways that are not known here


@dataclass
class Line:
    """Totals of one layer or functional call over all samples and time steps."""

    synops: Count = 0.0
    macs: Count = 0.0
    dense: Count = 0.0  # multiplications if every value were dense
    one_pass: Count = 0.0  # of them, those of the layer applied once to each sample
    biases: int = 0  # additions of biases
    kind: str = ""
    published: dict[str, Pair] = field(default_factory=dict)
    facts: dict[str, Tensor | bool] = field(default_factory=dict)

    def add(self, synops: Count, macs: Count, dense: Count) -> None:
        """Add a counted call."""
        self.synops, self.macs = self.synops + synops, self.macs + macs
        self.dense = self.dense + dense

    def publish(self, counts: dict[str, Pair], facts: dict[str, Tensor | bool]) -> None:
        """Add what others count of a call, and what makes them differ."""
        for name, (acs, macs) in counts.items():
            before = self.published.get(name, (0.0, 0.0))
            self.published[name] = before[0] + acs, before[1] + macs
        for name, fact in facts.items():
            self.facts[name] = self.facts.get(name, False) | fact


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


@dataclass(frozen=True)
class Given:
    """A tensor that the model was called with.

    Args:
        shape: in the first forward pass.
        spikes: whether it was taken for spikes, a boolean scalar where its values tell; None if nothing asked.
    """

    shape: tuple[int, ...]
    spikes: Tensor | bool | None

    def joined(self, other: Given) -> Given:
        """The same over another forward pass: spikes if both were."""
        known = self.spikes is not None and other.spikes is not None
        return Given(self.shape, self.spikes & other.spikes if known else None)  # type: ignore[operator]


@dataclass
class Ledger:
    """Totals by name; `passes` are the samples and time steps of each forward pass, `inputs` what it was called with.

    `turned` are the lines that were given spikes in an earlier pass, and get dense values now.
    `updates` are the neuron updates of each layer with dynamics, `kinds` their types, `order` the
    names as they were first called. `details` are SynOps `b t` or `b t c`, None where that could not be
    told, and `rate_details` spikes a neuron, `b t`. `carried` tells of each neuron layer whether it began with a state other than zero. `notes` are
    sentences on what could not be known, and whether to warn of it.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    carried: dict[str, Tensor] = field(default_factory=dict)
    updates: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)
    passes: list[PassSize] = field(default_factory=list)
    details: dict[str, Tensor | None] = field(default_factory=dict)
    rate_details: dict[str, Tensor | None] = field(default_factory=dict)
    notes: dict[str, bool] = field(default_factory=dict)
    inputs: list[Given] = field(default_factory=list)
    turned: dict[str, None] = field(default_factory=dict)

    def line(self, name: str) -> Line:
        """The line of that name, made on first use."""
        self.order.setdefault(name)
        return self.lines.setdefault(name, Line())

    def add_updates(self, name: str, kind: str, updates: int) -> None:
        """Enter that many neurons, each updated once."""
        self.order.setdefault(name)
        self.kinds[name] = kind
        self.updates[name] = self.updates.get(name, 0) + updates

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
            own = self.line(name)
            own.add(line.synops, line.macs, line.dense)
            own.one_pass = own.one_pass + line.one_pass
            own.kind, own.biases = line.kind, own.biases + line.biases
            own.publish(line.published, line.facts)
        for name, rate in other.rates.items():
            self.add_rate(name, rate.spikes, rate.entries)
        for name, updates in other.updates.items():
            self.add_updates(name, other.kinds[name], updates)
        self.carried |= other.carried
        pairs = zip(self.inputs, other.inputs, strict=False)
        self.inputs = [first.joined(more) for first, more in pairs]
        self.passes += other.passes
        self.notes |= other.notes
        self.turned |= other.turned
        _append(self.details, other.details, int(next_step))
        _append(self.rate_details, other.rate_details, int(next_step))


def _append(details: dict[str, Tensor | None], others: dict[str, Tensor | None], axis: int) -> None:
    for name, more in others.items():
        before = details.get(name)
        if name not in details:
            details[name] = more
        elif before is not None:
            details[name] = _appended(before, more, axis)


def _appended(before: Tensor, more: Tensor | None, axis: int) -> Tensor | None:
    if more is None or before.shape[1 - axis] != more.shape[1 - axis]:
        return None
    return torch.cat([before, more], axis) if before.shape[2:] == more.shape[2:] else None
