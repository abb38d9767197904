"""The number of operations by the conventions of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from picojoule.report.record import Conventions, Record
from picojoule.synops.watch.ledger import NOT_REPRODUCED

CONVENTIONS = {
    "strict": "one SynOp a spike that arrives at an existing synapse; dense input apart, as MACs",
    "sinabs": "sinabs 3.1.3's hooks: as strict, but dense values count by their magnitude",
    "neurobench": "NeuroBench 2.3.0: non-zero inputs times non-zero weights; ACs if all inputs are -1, 0 or 1, else MACs",
    "syops": "syops 0.0.5: dense operations with border and biases, times the mean input; MACs unless inputs have two values in 0..1",
    "spikingjelly": "SpikingJelly 2.0.0's SynOpCounter: non-zero inputs times fan-out where all inputs are 0 or 1, else nothing; it counts no MACs",
    "rate_flops": "the habit of papers: FLOPs with border, times the mean input; MACs where the input is dense",
}


@dataclass(frozen=True)
class ConventionCount:
    """Operations per sample by one convention.

    Args:
        convention: its name.
        synops: by layer, per sample; others call them ACs or SOPs.
        macs: products of dense values by layer, per sample.
        num_timesteps: time steps of a sample.
        not_reproduced: layers that this counter has own rules for, which are not followed here;
            they are in none of the numbers.

    Example:
        >>> count = ConventionCount("syops", {"fc": 60.0}, {"fc": 0.0}, num_timesteps=10)
        >>> count.synops_per_sample, count.synops_per_timestep
        (60.0, 6.0)
    """

    convention: str
    synops: Mapping[str, float]
    macs: Mapping[str, float]
    num_timesteps: float
    not_reproduced: tuple[str, ...] = ()

    @property
    def synops_per_sample(self) -> float:
        """SynOps of all layers, over a sample's time steps."""
        return sum(self.synops.values())

    @property
    def synops_per_timestep(self) -> float:
        """SynOps of all layers, per sample and time step."""
        return self.synops_per_sample / self.num_timesteps

    @property
    def macs_per_sample(self) -> float:
        """Products of dense values in all layers, over a sample's time steps."""
        return sum(self.macs.values())


def _not_reproduced(known: Conventions, name: str) -> tuple[str, ...]:
    """Layers that a counter may have rules for that are not followed here."""
    counted = known.counts.get(name, {})
    return tuple(
        layer
        for layer, facts in known.facts.items()
        if NOT_REPRODUCED in facts and layer not in counted
    )


def convention_count(record: Record, name: str) -> ConventionCount:
    """What a record knows of a convention.

    Raises:
        ValueError: there is no such convention, or the Monitor did not keep what it needs.
    """
    if name not in CONVENTIONS:
        raise ValueError(f"Report: convention is {name!r}; choose one of {list(CONVENTIONS)}.")
    if name == record.counted_by:
        pairs = {
            row.name: (row.synops_per_sample, row.macs_per_sample or 0.0)
            for row in record.rows
            if row.synops_per_sample is not None
        }
    elif not record.conventions.counts:
        raise ValueError(
            f"Report: what {name!r} needs was not kept. Pass Monitor(model, conventions=True)."
        )
    else:
        pairs = dict(record.conventions.counts[name])
    return ConventionCount(
        name,
        {layer: synops for layer, (synops, _) in pairs.items()},
        {layer: macs for layer, (_, macs) in pairs.items()},
        record.num_timesteps,
        () if name in ("strict", "sinabs") else _not_reproduced(record.conventions, name),
    )
