"""From the numbers that a user states to one constraint for each quantity and place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from torch import nn

from picojoule.budget.checks import check_distinct, check_groups, check_made_by_hand
from picojoule.budget.constraints import Constraint, Per, RateOf, check_positive
from picojoule.budget.limits import EnergyLimit, SynopsLimit, check_dt
from picojoule.budget.names import check_names
from picojoule.budget.rate_bound import RateBound
from picojoule.energy import EnergyProfile
from picojoule.energy import profile as find_profile
from picojoule.layers import StatefulLayer
from picojoule.synops.counting_monitor import CountingMonitor

Scope = Literal["layer", "group", "model", "sample"]
Bound = float | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a user asked for, checked as far as it can be before the model has run.

    Args:
        synops: SynOps by what they are per; one number, or one for each layer or group.
        dt_s: length of a time step, s.
        energy_j: joules per sample, in the same way.
        profile: whose prices.
        per: what one number holds for.
        groups: layers that share a bound, by the group's name.
        min_rate: spikes per time step; one number, or one for each spiking layer.
        max_rate: the same.
        rate_of: whose rate.
        percentile: in place of the mean.
        more: constraints made by hand.
        unreachable: what may stay violated, by the constraint's name or its layer's or group's.
    """

    synops: Mapping[Per, Bound]
    dt_s: float | None = None
    energy_j: Bound | None = None
    profile: str | EnergyProfile | None = None
    per: Scope = "model"
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    min_rate: Bound | None = None
    max_rate: Bound | None = None
    rate_of: RateOf = "layer"
    percentile: float | None = None
    more: Sequence[Constraint] = ()
    unreachable: Sequence[str] = ()

    def check(self, monitor: CountingMonitor) -> None:
        """Raise ValueError for what cannot be meant, or cannot be in this model, before it has run."""
        if not isinstance(monitor, CountingMonitor):
            raise TypeError(
                f"Budget: got a {type(monitor).__name__}, expected a Monitor of the model: "
                "Budget(picojoule.Monitor(model).attach(), ...)."
            )
        check_made_by_hand(self.more)
        stated = [*self.synops.values(), self.energy_j, self.min_rate, self.max_rate]
        if all(bound is None for bound in stated) and not self.more:
            raise ValueError(
                "Budget: nothing is limited. State one of synops_per_timestep, synops_per_sample, "
                "synops_per_second, energy_j, min_rate and max_rate, or give constraints."
            )
        if self.per not in get_args(Scope):
            raise ValueError(f"Budget: per is {self.per!r}; choose one of {list(get_args(Scope))}.")
        check_groups(self.groups, needed=self.per == "group")
        self._check_mappings(stated)
        if self.energy_j is not None and self.profile is None:
            raise ValueError("Budget: energy_j needs a profile, such as profile='loihi'.")
        if self.profile is not None:
            find_profile(self.profile)
        if "second" in self.synops:
            check_dt("synops_per_second", self.dt_s)
        for bound in (*self.synops.values(), self.energy_j):
            for number in _numbers(bound):
                check_positive("a limit", number)
        self._check_rates()
        self._check_layers(monitor)
        check_distinct(self.more)

    def _check_mappings(self, stated: Sequence[Bound | None]) -> None:
        named = [bound for bound in stated if isinstance(bound, Mapping)]
        for name in (name for bound in named for name in bound if not isinstance(name, str)):
            raise TypeError(
                f"Budget: a bound is for {name!r}, expected the name of a layer or group, such as {str(name)!r}."
            )
        if not all(named):
            raise ValueError(
                "Budget: a bound names no layer; give numbers by layer, such as {'4': 6e4}, or leave it out."
            )
        if (
            self.groups
            and self.per != "group"
            and not any(set(self.groups) & set(b) for b in named)
        ):
            raise ValueError(
                f"Budget: no limit is for any of the groups {', '.join(map(repr, self.groups))}. Give per='group', "
                "so that a number holds for each of them, or limits by their names."
            )

    def constraints(self, monitor: CountingMonitor) -> list[Constraint]:
        """One for each quantity and place, now that the model has run."""
        counted, spiking = tuple(monitor.synops), tuple(monitor.rates)
        _check_spiking(spiking)
        found = [*self._synops(counted), *self._joules(counted), *self._rates(spiking), *self.more]
        check_distinct(found)
        for constraint in found:
            constraint.check(monitor)
        return found

    def known_unreachable(self, constraints: Iterable[Constraint]) -> frozenset[str]:
        """Names of the constraints that the user declared unreachable.

        Raises:
            ValueError: there is no such constraint, layer or group.
        """
        places = {each.name: {each.name, each.place} for each in constraints}
        known = {word for words in places.values() for word in words}
        check_names(self.unreachable, tuple(sorted(known)), "constraint", "Budget(unreachable=)")
        return frozenset(n for n, words in places.items() if words & set(self.unreachable))

    def _check_layers(self, monitor: CountingMonitor) -> None:
        model, spiking = monitor.model, monitor.spiking_layers
        modules = dict(model.named_modules(remove_duplicate=False))
        counted = [n for n, m in modules.items() if n and not _never_counts(m)]
        named = list(self._counted_names())
        check_names(
            [*named, *self._spiking_names()], [*modules, *_calls(named)], "module", "Budget"
        )
        check_names(named, [*counted, *_calls(named)], "counted layer", "Budget")
        _check_spiking(spiking)
        check_names(self._spiking_names(), spiking, "spiking layer", "Budget")
        for name, layers in self.groups.items():
            if name in counted and tuple(layers) != (name,):
                raise ValueError(
                    f"Budget: group {name!r} of the layers {list(layers)} has the name of another layer. Give it a name that is "
                    "no layer's, so that a limit says which of them it is for."
                )

    def _counted_names(self) -> Iterator[str]:
        for group in self.groups.values():
            yield from group
        for bound in (*self.synops.values(), self.energy_j):
            if isinstance(bound, Mapping):
                yield from (name for name in bound if name not in self.groups)
        for constraint in self.more:
            yield from constraint.counted_layers

    def _spiking_names(self) -> Iterator[str]:
        for bound in (self.min_rate, self.max_rate):
            if isinstance(bound, Mapping):
                yield from bound
        for constraint in self.more:
            yield from constraint.spiking_layers

    def _check_rates(self) -> None:
        if self.min_rate is not None or self.max_rate is not None:
            upper, of = self.min_rate is None, self.rate_of
            RateBound(layer="the layers", bound=1.0, upper=upper, of=of, percentile=self.percentile)
        low, high = (
            {} if bound is None else dict(bound) if isinstance(bound, Mapping) else {"": bound}
            for bound in (self.min_rate, self.max_rate)
        )
        for name in {*low, *high}:
            least, most = (b.get(name, b.get("")) for b in (low, high))
            where = f" of layer {name!r}" if name else ""
            for kind, rate in (("min_rate", least), ("max_rate", most)):
                if rate is not None:
                    check_positive(f"{kind}{where}", rate)
            if least is not None and most is not None and least > most:
                raise ValueError(
                    f"Budget: min_rate{where} is {least}, above max_rate {most}; no rate can keep both."
                )

    def _places(
        self, bound: Bound, counted: Sequence[str]
    ) -> Iterator[tuple[tuple[str, ...], str, float]]:
        """(layers, label, bound) of each limit."""
        if isinstance(bound, Mapping):
            for name, number in bound.items():
                group = self.groups.get(name)
                layers, label = (tuple(group), name) if group else ((name,), "")
                yield layers, label, float(number)
        elif self.per == "layer":
            yield from (((name,), "", bound) for name in counted)
        elif self.per == "group":
            yield from ((tuple(layers), name, bound) for name, layers in self.groups.items())
        else:
            yield (), "", bound

    def _synops(self, counted: Sequence[str]) -> Iterator[Constraint]:
        for per, bound in self.synops.items():
            for layers, label, number in self._places(bound, counted):
                yield SynopsLimit(layers=layers, label=label, bound=number, per=per, dt_s=self.dt_s)

    def _joules(self, counted: Sequence[str]) -> Iterator[Constraint]:
        if self.energy_j is None or self.profile is None:
            return
        for layers, label, number in self._places(self.energy_j, counted):
            chosen = find_profile(self.profile)
            yield EnergyLimit(layers=layers, label=label, bound=number, profile=chosen)

    def _rates(self, spiking: Sequence[str]) -> Iterator[Constraint]:
        for bound, upper in ((self.min_rate, False), (self.max_rate, True)):
            if bound is None:
                continue
            rates = bound if isinstance(bound, Mapping) else dict.fromkeys(spiking, bound)
            for name, number in rates.items():
                yield RateBound(
                    layer=name,
                    bound=number,
                    upper=upper,
                    of=self.rate_of,
                    percentile=self.percentile,
                )


def _numbers(bound: Bound | None) -> Iterable[float]:
    if bound is None:
        return ()
    return bound.values() if isinstance(bound, Mapping) else (bound,)


def _never_counts(module: nn.Module) -> bool:
    """Whether a module surely has no synapses: a leaf without weights, or with a neuron's parameters alone."""
    leaf = next(module.children(), None) is None
    bare = isinstance(module, StatefulLayer) or next(module.parameters(), None) is None
    return leaf and bare and type(module).__module__.startswith(("torch.", "picojoule."))


def _calls(names: Iterable[str]) -> list[str]:
    """Names of functional calls, such as `block/matmul#0`, which only a forward pass can tell."""
    return [name for name in names if "#" in name]


def _check_spiking(spiking: Sequence[str]) -> None:
    if not spiking:
        raise ValueError(
            "Budget: the model has no spiking layer, so its spikes cannot be limited. Convert it "
            "(picojoule.from_model), or name your own spiking modules in Monitor(model, spiking=[...])."
        )
