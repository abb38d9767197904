"""What accuracy is held against: SynOps of a time step or a sample, or joules of a sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from picojoule.training.settings.bounds import Limit

Unit = Literal["share", Limit]
Layers = Literal["all", "trainable"]
_WORDS = {
    "synops_per_timestep": "SynOps per time step",
    "synops_per_sample": "SynOps per sample",
    "energy_j": "modelled J per sample",
}


class Spending(Protocol):
    """What a network spends: the figures of a :class:`picojoule.training.Outcome` that a cost is read off."""

    @property
    def synops_per_timestep(self) -> Mapping[str, float]:
        """By counted layer."""

    @property
    def trainable(self) -> Collection[str]:
        """The counted layers whose SynOps training can change."""

    @property
    def num_timesteps(self) -> float:
        """Time steps of a sample."""

    @property
    def energy_j(self) -> float | None:
        """Of a sample, J; None if not known."""


@dataclass(frozen=True)
class Cost:
    """The horizontal axis of a frontier.

    Attributes:
        quantity: "synops_per_timestep", "synops_per_sample", or "energy_j" per sample.
        layers: "all", or the "trainable": those whose SynOps training can change.
        profile: whose joules; None if unknown, and for SynOps.

    Raises:
        ValueError: a word is unknown, joules are asked for of some layers only, or SynOps on a chip.

    Example:
        >>> print(Cost("synops_per_sample", "trainable"))
        SynOps per sample, in the layers that training can change
    """

    quantity: Limit
    layers: Layers = "all"
    profile: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (("quantity", get_args(Limit)), ("layers", get_args(Layers))):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"Cost: {name} is {getattr(self, name)!r}; choose one of {list(choices)}."
                )
        if self.quantity == "energy_j" and self.layers != "all":
            raise ValueError("Cost: energy_j of the trainable layers; joules are of all layers.")
        if self.quantity != "energy_j" and self.profile is not None:
            raise ValueError(f"Cost: {self.quantity} on {self.profile}; SynOps have no profile.")

    @classmethod
    def of_unit(cls, unit: Unit, profile: str | None = None) -> Cost:
        """What budgets of a unit limit; "share" is of SynOps per time step in the trainable layers."""
        if unit == "share":
            return cls("synops_per_timestep", "trainable")
        return cls(unit, profile=profile if unit == "energy_j" else None)

    def of(self, outcome: Spending) -> float:
        """What a network spends.

        Raises:
            ValueError: its joules are not known.
        """
        if self.quantity == "energy_j":
            if outcome.energy_j is None:
                raise ValueError(
                    "the joules of a network are not known: it was measured without a profile"
                )
            return outcome.energy_j
        names = outcome.synops_per_timestep if self.layers == "all" else outcome.trainable
        synops = sum(outcome.synops_per_timestep[name] for name in names)
        return synops * (outcome.num_timesteps if self.quantity == "synops_per_sample" else 1)

    def restate(self, limit: float, outcome: Spending, cost: Cost) -> float:
        """A limit on what a network spends in this cost, as a limit in another one that :func:`common_cost` chose."""
        if self.layers != cost.layers:  # what is given is no part of it any more
            limit -= self.of(outcome) - Cost(self.quantity, cost.layers).of(outcome)
        return limit * outcome.num_timesteps if self.quantity != cost.quantity else limit

    def __str__(self) -> str:
        chip = "" if self.profile is None else f" on {self.profile}"
        where = ", in the layers that training can change" if self.layers == "trainable" else ""
        return f"{_WORDS[self.quantity]}{chip}{where}"


def common_cost(costs: set[Cost], *, equal_timesteps: bool) -> Cost:
    """The cost in which networks can be compared that were measured in several.

    Per sample where their time steps differ in number; in the trainable layers where one knows no others.

    Raises:
        ValueError: some are in joules, and others in SynOps or in joules of another chip.

    Example:
        >>> costs = {Cost("synops_per_timestep"), Cost("synops_per_timestep", "trainable")}
        >>> common_cost(costs, equal_timesteps=False)
        Cost(quantity='synops_per_sample', layers='trainable', profile=None)
    """
    if any(cost.quantity == "energy_j" for cost in costs):
        if len(costs) > 1:
            raise ValueError(
                f"these cannot be compared: {'; '.join(sorted(map(str, costs)))}. Compare joules of one chip, or SynOps."
            )
        return next(iter(costs))
    per_step = equal_timesteps and all(cost.quantity == "synops_per_timestep" for cost in costs)
    trainable = any(cost.layers == "trainable" for cost in costs)
    return Cost(
        "synops_per_timestep" if per_step else "synops_per_sample",
        "trainable" if trainable else "all",
    )
