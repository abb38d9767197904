"""What a network spends and how it fires over a whole data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any

from torch import Tensor

from picojoule import energy
from picojoule.budget import EnergyLimit, Violation
from picojoule.synops import silent_share
from picojoule.synops.counting_monitor import CountingMonitor

ACCURACY = "accuracy"


def shown_score(score: float, name: str) -> str:
    """A score as tables show it: accuracy in percent, others as numbers.

    Example:
        >>> shown_score(0.8125, "accuracy"), shown_score(-0.03125, "negative squared error")
        ('81.25%', '-0.03125')
    """
    return f"{score:.2%}" if name == ACCURACY else f"{score:.4g}"


@dataclass(frozen=True)
class Measurement:
    """A network on a data set: means over all its samples and time steps.

    Attributes:
        accuracy: share of the samples that are classified right, 0 to 1; of another task, its mean score.
        synops_per_timestep: by counted layer.
        rates: spikes per time step of each neuron, `*n`, by spiking layer.
        trainable: the counted layers whose SynOps training can change.
        num_timesteps: time steps of a sample, their mean.
        broken: what is on the wrong side of the budget, the worst first.
        energy_j: of the whole network per sample, J; None without a profile.
        fixed_energy_j: what of it training cannot change.
        score_name: "accuracy", or what another task calls its score.
        answered: samples that were given each class.
        labelled: samples of each class.

    Example:
        >>> measured = Measurement(0.9, {"1": 8e4, "4": 5e4}, {}, trainable=("4",))
        >>> measured.total_synops_per_timestep, measured.keeps_budget
        (130000.0, True)
    """

    accuracy: float
    synops_per_timestep: dict[str, float]
    rates: dict[str, Tensor]
    trainable: tuple[str, ...]
    num_timesteps: float = 1.0
    broken: tuple[Violation, ...] = ()
    energy_j: float | None = None
    fixed_energy_j: float | None = None
    score_name: str = ACCURACY
    answered: tuple[int, ...] = ()
    labelled: tuple[int, ...] = ()

    @property
    def total_synops_per_timestep(self) -> float:
        """All counted layers together."""
        return self.synops_of(self.synops_per_timestep)

    @property
    def keeps_budget(self) -> bool:
        """Whether every constraint is kept but those that were declared out of reach."""
        return all(violation.declared for violation in self.broken)

    @property
    def keeps_what_it_can(self) -> bool:
        """Whether every constraint is kept but those that no training can keep; one without a number is not."""
        return all(
            violation.declared or (violation.why and not isnan(violation.excess))
            for violation in self.broken
        )

    def synops_of(self, layers: Iterable[str]) -> float:
        """SynOps per time step of some layers together."""
        return sum(self.synops_per_timestep[name] for name in layers)

    def mean_rate(self, layer: str) -> float:
        """Spikes per time step and neuron of a spiking layer."""
        return self.rates[layer].mean().item()

    def silent_share(self, layer: str) -> float:
        """Share of a spiking layer's neurons that never fire, 0 to 1."""
        return silent_share(self.rates[layer])

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON."""
        return {
            "accuracy": self.accuracy,
            "score_name": self.score_name,
            "synops_per_timestep": self.synops_per_timestep,
            "total_synops_per_timestep": self.total_synops_per_timestep,
            "num_timesteps": self.num_timesteps,
            "energy_j": self.energy_j,
            "fixed_energy_j": self.fixed_energy_j,
            "trainable": list(self.trainable),
            "answered": list(self.answered),
            "labelled": list(self.labelled),
            "mean_rate": {name: self.mean_rate(name) for name in self.rates},
            "silent_share": {name: self.silent_share(name) for name in self.rates},
            "broken": [_figures(violation) for violation in self.broken],
        }


def _figures(violation: Violation) -> dict[str, Any]:
    """For JSON, which knows no NaN."""
    return {
        name: None if isinstance(value, float) and isnan(value) else value
        for name, value in vars(violation).items()
    }


def measurement(
    monitor: CountingMonitor,
    accuracy: float,
    trainable: tuple[str, ...],
    broken: Iterable[Violation] = (),
    *,
    profile: str | None = None,
    score_name: str = ACCURACY,
    answered: tuple[int, ...] = (),
    labelled: tuple[int, ...] = (),
) -> Measurement:
    """What a Monitor that added up over a data set has seen. All processes have to call it."""
    synops = {name: count.item() for name, count in monitor.synops.items()}
    total_j = fixed_j = None
    if profile is not None:
        joules = EnergyLimit(bound=1.0, profile=energy.profile(profile))
        total_j = joules.read(monitor).value.item()
        changeable = sum(synops[name] for name in trainable)
        fixed_j = total_j - joules.factor(monitor.synops.num_timesteps) * changeable
    return Measurement(
        accuracy=accuracy,
        synops_per_timestep=synops,
        rates={name: rate.detach().double().cpu() for name, rate in monitor.rates.items()},
        trainable=trainable,
        num_timesteps=float(monitor.synops.num_timesteps),
        broken=tuple(broken),
        energy_j=total_j,
        fixed_energy_j=fixed_j,
        score_name=score_name,
        answered=answered,
        labelled=labelled,
    )
