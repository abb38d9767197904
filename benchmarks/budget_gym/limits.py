"""What a task allows: SynOps of layers, as a share of what the free network spends or as a number, and floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Per = Literal["group", "halves", "layer", "model"]


class Constraint(NamedTuple):
    """At most `bound` SynOps per time step in these layers together."""

    name: str
    layers: tuple[str, ...]
    bound: float

    def ratio(self, synops: Mapping[str, float]) -> float:
        """What is spent, over the bound."""
        return sum(synops[name] for name in self.layers) / self.bound


@dataclass(frozen=True)
class Limit:
    """How little may be spent.

    Args:
        share: of what the free network spends there.
        synops: per time step, in place of a share.
        per: what has a limit: the layers that training can change as one "group", their two "halves", each "layer",
            or the "model", whose limit has what is given on top of the share of the rest.
        floor: spikes per neuron and time step that each spiking layer shall keep.
        floor_of: whether its mean keeps it or each neuron.
    """

    share: float | None = None
    synops: float | None = None
    per: Per = "group"
    floor: float | None = None
    floor_of: Literal["layer", "neuron"] = "layer"

    def constraints(
        self, spent: Mapping[str, float], trained: Sequence[str]
    ) -> tuple[Constraint, ...]:
        """The limits of a network.

        Args:
            spent: SynOps per time step of the free network, by layer.
            trained: the layers whose SynOps training can change.
        """

        def limit(name: str, layers: Sequence[str], given: float = 0.0) -> Constraint:
            free = sum(spent[each] for each in layers) - given
            bound = self.synops if self.share is None else self.share * free
            assert bound is not None, "a Limit has a share or a number of SynOps"
            return Constraint(name, tuple(layers), given + bound)

        if self.per == "layer":
            return tuple(limit(name, (name,)) for name in trained)
        if self.per == "halves":
            middle = len(trained) // 2
            return limit("front", trained[:middle]), limit("back", trained[middle:])
        if self.per == "model":
            given = sum(value for name, value in spent.items() if name not in trained)
            return (limit("model", tuple(spent), given),)
        return (limit("group", tuple(trained)),)

    def options(self, constraints: Sequence[Constraint]) -> dict[str, Any]:
        """The arguments of a Budget that say the same."""
        options: dict[str, Any] = {}
        if self.per == "model":
            options["synops_per_timestep"] = constraints[0].bound
        else:
            options["synops_per_timestep"] = {each.name: each.bound for each in constraints}
        if self.per in ("group", "halves"):
            options["groups"] = {each.name: each.layers for each in constraints}
        if self.floor is not None:
            options |= {"min_rate": self.floor, "rate_of": self.floor_of}
        return options
