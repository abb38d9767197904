"""What is compared: each method as a function that makes a regulator, and the weights that are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.budget_comparison.runs import TRAINED, Regulate
from picojoule.budget import SSP, Budget, FixedPenalties, Hoyer, L1Rates, SynopsExcess

FREE, BUDGET, HINGE = "no budget", "Budget", "seed's hinge"
# weights of the sweep on the first seed: they bracket the three budgets for the LeNet on the bundled images
WEIGHTS: Mapping[str, tuple[float, ...]] = {
    HINGE: (0.004, 0.02, 0.1, 0.5),
    "fixed L1": (0.3, 1.0, 3.0, 10.0, 30.0),
    "SSP": (0.1, 0.3, 1.0, 3.0, 6.0),
    "Hoyer": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
}
FIXED = tuple(WEIGHTS)
_TERMS = {"fixed L1": L1Rates, "SSP": SSP, "Hoyer": Hoyer}
_SPIKING = (
    "2",
    "5",
    "8",
)  # the layers whose spikes the counted layers take; layer 11 is the answer


@dataclass(frozen=True)
class Spec:
    """One run.

    Args:
        method: FREE, BUDGET, or one of FIXED.
        seed: of the run.
        share: of the unconstrained SynOps, where the method is told.
        weight: of a fixed penalty.
        limits: SynOps per time step of each layer; their sum is the budget.
    """

    method: str
    seed: int
    share: float | None = None
    weight: float | None = None
    limits: tuple[float, ...] = ()

    @property
    def key(self) -> tuple[str, int, float | None, float | None]:
        """What tells it apart from other runs."""
        return self.method, self.seed, self.share, self.weight


def regulator_of(spec: Spec) -> Regulate | None:
    """How the run's loss is regulated."""
    if spec.method == FREE:
        return None
    if spec.method == BUDGET:
        limit = {"trained": sum(spec.limits)}
        groups = {"trained": TRAINED}
        return lambda monitor: Budget(monitor, synops_per_timestep=limit, groups=groups)
    weight = spec.weight or 0.0
    if spec.method == HINGE:
        hinges = {
            SynopsExcess(limit, layers=(name,)): weight
            for name, limit in zip(TRAINED, spec.limits, strict=True)
        }
        return lambda monitor: FixedPenalties(monitor, hinges)
    if spec.method == "SSP":
        return lambda monitor: FixedPenalties(monitor, {SSP(layers=TRAINED): weight})
    term = _TERMS[spec.method]
    return lambda monitor: FixedPenalties(monitor, {term(layers=_SPIKING): weight})
