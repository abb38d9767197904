"""What a network may spend: SynOps or joules, in some layers together."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import partial

import torch

from picojoule.budget.constraints import Per, Reading, check_positive
from picojoule.budget.names import check_names
from picojoule.energy import EnergyProfile, energy_j
from picojoule.synops import Counts
from picojoule.synops.counting_monitor import CountingMonitor


@dataclass(frozen=True, kw_only=True)
class _OnLayers:
    """What both limits share: the layers that are added up, and a bound that is a maximum."""

    layers: tuple[str, ...] = ()
    bound: float
    label: str = ""

    upper = True
    is_floor = False
    spends = True

    @property
    def place(self) -> str:
        """The layers, the group, or the model."""
        return self.label or ", ".join(self.layers) or "the model"

    @property
    def counted_layers(self) -> tuple[str, ...]:
        """The layers; none for the whole model."""
        return self.layers

    @property
    def spiking_layers(self) -> tuple[str, ...]:
        """None: it is of no rates."""
        return ()

    def check(self, monitor: CountingMonitor, owner: str = "Budget") -> None:
        """Raise ValueError if a layer is not counted."""
        check_names(self.layers, tuple(monitor.synops), "counted layer", owner)


@dataclass(frozen=True, kw_only=True)
class SynopsLimit(_OnLayers):
    """At most so many SynOps in some layers together.

    Args:
        layers: names of counted layers; none for the whole model.
        bound: SynOps, > 0.
        per: what the SynOps are per.
        dt_s: length of a time step, s; for `per="second"`.
        label: how reports call it; the layers if empty.

    Raises:
        ValueError: the bound is not > 0, or seconds are wanted without `dt_s`.

    Example:
        >>> SynopsLimit(layers=("4",), bound=1e5).name
        'synops_per_timestep of 4'
    """

    per: Per = "timestep"
    dt_s: float | None = None

    def __post_init__(self) -> None:
        check_positive(self.name, self.bound)
        if self.per == "second":
            check_dt(self.name, self.dt_s)

    @property
    def name(self) -> str:
        """The quantity and where."""
        return f"synops_per_{self.per} of {self.place}"

    @property
    def given(self) -> tuple[str, ...]:
        """Nothing but SynOps is in it."""
        return ()

    def factor(self, num_timesteps: float) -> float:
        """Time steps in the unit of the bound: of a sample, of a second, or one."""
        if self.per == "second" and self.dt_s:
            return 1 / self.dt_s
        return num_timesteps if self.per == "sample" else 1.0

    def mac_factor(self, num_timesteps: float) -> float:  # noqa: ARG002
        """MACs are no SynOps."""
        return 0.0

    def read(self, monitor: CountingMonitor) -> Reading:
        """The SynOps now."""
        counts = monitor.synops
        if self.per == "sample":
            counts = counts.per_sample
        elif self.per == "second" and self.dt_s:
            counts = counts.per_second(self.dt_s)
        return _added(counts, self.layers or tuple(counts))


@dataclass(frozen=True, kw_only=True)
class EnergyLimit(_OnLayers):
    """At most so many joules per sample in some layers together.

    As `monitor.energy_j(profile)` and `report.energy_by_layer(profile)` have them: those of SynOps, MACs and
    the updates of neurons, each where the profile has a price, and of memory traffic where the profile's name says
    so. Synapses and MACs that the profile cannot price are an error.

    Args:
        layers: names of counted layers; none for the whole model.
        bound: J per sample, > 0.
        profile: whose prices.
        label: how reports call it; the layers if empty.

    Raises:
        ValueError: the bound is not > 0.

    Example:
        >>> from picojoule.energy import profile
        >>> EnergyLimit(bound=2e-6, profile=profile("loihi")).name
        'energy_j of the model'
    """

    profile: EnergyProfile

    def __post_init__(self) -> None:
        check_positive(self.name, self.bound)

    @property
    def name(self) -> str:
        """The quantity and where."""
        return f"energy_j of {self.place}"

    @property
    def given(self) -> tuple[str, ...]:
        """The updates of neurons, which the whole model has and no layer."""
        priced = not self.layers and self.profile.neuron_update_j is not None
        return ("the updates of the neurons",) if priced else ()

    def factor(self, num_timesteps: float) -> float:
        """The joules of a SynOp, with the memory traffic that it stands for, in each time step of a sample."""
        return num_timesteps * float(energy_j(self.profile, synops=1.0).total_j)

    def mac_factor(self, num_timesteps: float) -> float:
        """What one MAC per time step adds to it, in the same way."""
        return num_timesteps * float(energy_j(self.profile, macs=1.0).total_j)

    def read(self, monitor: CountingMonitor) -> Reading:
        """The joules now."""
        synops, macs = monitor.synops.per_sample, monitor.macs.per_sample
        updates = monitor.neuron_updates.per_sample
        layers = self.layers or tuple(synops)
        spikes = _added(synops, layers)
        neurons = tuple(name for name in self.layers or updates if name in updates)
        priced = partial(
            energy_j,
            self.profile,
            macs=_added(macs, layers).value,
            neuron_updates=_added(updates, neurons).value,
        )
        total, fixed = priced(synops=spikes.value), priced(synops=spikes.fixed)
        return Reading(
            torch.as_tensor(total.total_j), torch.as_tensor(fixed.total_j), spikes.fixed_layers
        )

    def check(self, monitor: CountingMonitor, owner: str = "Budget") -> None:
        """Raise ValueError if a layer is not counted, or the profile has no price for what it spends."""
        super().check(monitor, owner)
        synops, macs = monitor.synops.per_sample, monitor.macs.per_sample
        for layer in self.layers or tuple(synops):
            energy_j(self.profile, synops=synops[layer], macs=macs[layer], strict=True)


Limit = SynopsLimit | EnergyLimit


def turned_dense(constraint: object, monitor: CountingMonitor) -> str:
    """Why a limit on SynOps holds nothing down: a layer gets dense values in place of spikes; empty if none does."""
    if not isinstance(constraint, SynopsLimit):  # joules have the MACs in them
        return ""
    layers = constraint.layers or tuple(monitor.turned_dense)
    found = ", ".join(repr(layer) for layer in layers if layer in monitor.turned_dense)
    return f"{found} had spikes and has dense values now, whose products are MACs" if found else ""


def _added(counts: Counts, layers: tuple[str, ...]) -> Reading:
    check_called(layers, counts)
    values = {name: counts[name] for name in layers}
    fixed = tuple(name for name, value in values.items() if not value.requires_grad)
    total = sum(values.values(), start=torch.zeros(()))
    return Reading(total, sum((values[name] for name in fixed), start=torch.zeros(())), fixed)


def check_called(layers: Iterable[str], known: Container[str]) -> None:
    """Raise ValueError unless each of these layers was called in the pass that a budget is to steer."""
    missing = [name for name in layers if name not in known]
    if missing:
        raise ValueError(
            f"Budget: layer {missing[0]!r} was not called in this forward pass, so nothing tells what it spends. Where a layer is "
            "left out now and then, multiply what it gives by 0 in place of that, or put no limit on it and on what feeds it."
        )


def check_dt(name: str, dt_s: float | None) -> None:
    """Raise ValueError unless the length of a time step is known."""
    told = f"Budget: {name}: dt_s is {dt_s!r}, expected the seconds of a step, finite and > 0."
    if isinstance(dt_s, str):
        raise TypeError(told)
    if not (dt_s and 0 < dt_s < float("inf")):
        raise ValueError(told)
