"""What is compared, and what one run of it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from picojoule.budget import SSP, FixedPenalties, L1Rates, SynopsExcess
from picojoule.budget.fixed import Term
from picojoule.synops.counting_monitor import CountingMonitor

TRAINED = ("4", "7", "10")  # what layer 1 spends depends on the images alone
FREE, BUDGET, HINGE, L1, SYNAPTIC = "no budget", "Budget", "seed's hinge", "fixed L1", "SSP"
# the first two weights of a sweep; they shall spend more and less than the limit
BRACKETS: Mapping[str, tuple[float, float]] = {
    HINGE: (0.01, 1.0),
    L1: (0.3, 10.0),
    SYNAPTIC: (0.1, 5.0),
}
FIXED = tuple(BRACKETS)
_SPIKING = ("2", "5", "8")  # their spikes are what the counted layers take; layer 11 is the answer


@dataclass(frozen=True)
class Spec:
    """One run.

    Args:
        method: FREE, BUDGET, or one of FIXED.
        seed: of the run.
        limit: SynOps per time step of the counted layers together; None without a budget.
        weight: of a fixed penalty.
        shares: of the connections that a fixed penalty's network ends with, by layer.
        targets: SynOps per time step of each layer, for the hinge; their sum is the limit.
    """

    method: str
    seed: int
    limit: float | None = None
    weight: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, float | None, float | None]:
        """What tells it apart from other runs."""
        return self.method, self.seed, self.limit, self.weight


def penalties_of(spec: Spec, monitor: CountingMonitor) -> FixedPenalties:
    """The terms of a fixed penalty, with the run's weight."""
    terms: dict[str, tuple[Term, ...]] = {
        HINGE: tuple(SynopsExcess(each, layers=(name,)) for name, each in spec.targets.items()),
        L1: (L1Rates(layers=_SPIKING),),
        SYNAPTIC: (SSP(layers=TRAINED),),
    }
    return FixedPenalties(monitor, dict.fromkeys(terms[spec.method], spec.weight or 0.0))
