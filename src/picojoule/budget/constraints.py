"""What a budget limits: synaptic operations, joules, firing rates. Each reads a Monitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from picojoule.energy import EnergyProfile, energy_j
from picojoule.synops import Counts
from picojoule.synops.monitor import CountingMonitor

Per = Literal["timestep", "sample", "second"]
RateOf = Literal["layer", "channel", "neuron"]


class Reading(NamedTuple):
    """What a constraint measures now.

    Args:
        value: in the unit of the bound; a scalar, or one value for each channel or neuron.
        fixed: the part of it that carries no gradient, so that training cannot change it.
        fixed_layers: where that part arises.
    """

    value: Tensor
    fixed: Tensor
    fixed_layers: tuple[str, ...] = ()


def mean(readings: Sequence[Reading]) -> Reading:
    """Of the micro-batches of one step."""
    return Reading(
        torch.stack([each.value for each in readings]).mean(0),
        torch.stack([each.fixed for each in readings]).mean(0),
        readings[-1].fixed_layers,
    )


@dataclass(frozen=True, kw_only=True)
class SynopsLimit:
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

    layers: tuple[str, ...] = ()
    bound: float
    per: Per = "timestep"
    dt_s: float | None = None
    label: str = ""

    def __post_init__(self) -> None:
        check_positive(self.name, self.bound)
        if self.per == "second":
            check_dt(self.name, self.dt_s)

    @property
    def name(self) -> str:
        """The quantity and where."""
        return f"synops_per_{self.per} of {self.place}"

    @property
    def place(self) -> str:
        """The layers, the group, or the model."""
        return where(self.layers, self.label)

    @property
    def upper(self) -> bool:
        """Whether the bound is a maximum."""
        return True

    def timesteps(self, monitor: CountingMonitor) -> float:
        """Time steps in the unit of the bound: of a sample, of a second, or one."""
        if self.per == "second" and self.dt_s:
            return 1 / self.dt_s
        return monitor.synops.time if self.per == "sample" else 1.0

    def read(self, monitor: CountingMonitor) -> Reading:
        """The SynOps now."""
        counts = monitor.synops
        if self.per == "sample":
            counts = counts.per_sample
        elif self.per == "second" and self.dt_s:
            counts = counts.per_second(self.dt_s)
        return _added(counts, self.layers or tuple(counts))


@dataclass(frozen=True, kw_only=True)
class EnergyLimit:
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

    layers: tuple[str, ...] = ()
    bound: float
    profile: EnergyProfile
    label: str = ""

    def __post_init__(self) -> None:
        check_positive(self.name, self.bound)

    @property
    def name(self) -> str:
        """The quantity and where."""
        return f"energy_j of {self.place}"

    @property
    def place(self) -> str:
        """The layers, the group, or the model."""
        return where(self.layers, self.label)

    @property
    def upper(self) -> bool:
        """Whether the bound is a maximum."""
        return True

    @property
    def has_updates(self) -> bool:
        """Whether the updates of neurons are among the joules."""
        return not self.layers and self.profile.neuron_update_j is not None

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

    def check_priced(self, monitor: CountingMonitor) -> None:
        """Raise ValueError if the profile has no price for something that was counted."""
        synops, macs = monitor.synops.per_sample, monitor.macs.per_sample
        for layer in self.layers or tuple(synops):
            energy_j(self.profile, synops=synops[layer], macs=macs[layer], strict=True)


@dataclass(frozen=True, kw_only=True)
class RateBound:
    """A floor or a ceiling on the firing rate of a spiking layer, spikes per neuron and time step.

    Args:
        layer: name of the spiking layer.
        bound: spikes per time step, > 0.
        upper: a ceiling; else a floor.
        of: whose rate: the mean of the layer, of each channel (the first axis), or of each neuron.
        percentile: of the rates of the layer's neurons, 0 to 100, in place of their mean.

    Raises:
        ValueError: the bound is not > 0, or a percentile is out of range or is not of a layer.

    Example:
        >>> RateBound(layer="2", bound=0.05, of="neuron").name
        'min_rate of each neuron of 2'
    """

    layer: str
    bound: float
    upper: bool = False
    of: RateOf = "layer"
    percentile: float | None = None

    def __post_init__(self) -> None:
        check_positive(self.name, self.bound)
        if self.of not in ("layer", "channel", "neuron"):
            raise ValueError(
                f"Budget: {self.name}: of is {self.of!r}; choose 'layer', 'channel' or 'neuron'."
            )
        if self.percentile is not None and not (0 <= self.percentile <= 100 and self.of == "layer"):
            raise ValueError(
                f"Budget: {self.name}: percentile is {self.percentile} of each {self.of}, expected 0 to 100 of a layer."
            )

    @property
    def name(self) -> str:
        """The quantity and where."""
        kind = "max_rate" if self.upper else "min_rate"
        if self.percentile is not None:
            return f"{kind} of percentile {self.percentile:g} of {self.layer}"
        return (
            f"{kind} of {self.layer if self.of == 'layer' else f'each {self.of} of {self.layer}'}"
        )

    @property
    def place(self) -> str:
        """The layer."""
        return self.layer

    def read(self, monitor: CountingMonitor) -> Reading:
        """The rates now: a scalar, or one a channel or neuron."""
        rates = monitor.rates[self.layer]
        if self.percentile is not None:
            value = percentile_of(rates, self.percentile)
        elif self.of == "layer":
            value = rates.mean()
        elif self.of == "channel" and rates.ndim > 1:
            value = rates.flatten(1).mean(1)
        else:
            value = rates
        changes = value.requires_grad
        fixed = torch.zeros_like(value) if changes else value
        return Reading(value, fixed, () if changes else (self.layer,))


Constraint = SynopsLimit | EnergyLimit | RateBound


def _added(counts: Counts, layers: tuple[str, ...]) -> Reading:
    values = {name: counts[name] for name in layers}
    fixed = tuple(name for name, value in values.items() if not value.requires_grad)
    total = sum(values.values(), start=torch.zeros(()))
    return Reading(total, sum((values[name] for name in fixed), start=torch.zeros(())), fixed)


def percentile_of(values: Tensor, percent: float) -> Tensor:
    """As `torch.quantile`, which takes 2^24 values at most.

    Example:
        >>> percentile_of(torch.tensor([3.0, 1.0, 2.0]), 75)
        tensor(2.5000)
    """
    ordered = values.flatten().sort().values
    place = percent / 100 * (len(ordered) - 1)
    low = int(place)
    return torch.lerp(ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low)


def where(layers: tuple[str, ...], label: str) -> str:
    """How a set of layers is called."""
    return label or ", ".join(layers) or "the model"


def check_dt(name: str, dt_s: float | None) -> None:
    """Raise ValueError unless the length of a time step is known."""
    if not (dt_s and dt_s > 0):
        raise ValueError(f"Budget: {name}: dt_s is {dt_s}, expected the seconds of a step, > 0.")


def check_positive(name: str, bound: float) -> None:
    """Raise ValueError unless the bound is a finite number > 0."""
    try:
        good = 0 < bound < float("inf")
    except TypeError:
        raise TypeError(f"Budget: {name} is {bound!r}, expected a finite number > 0.") from None
    if not good:
        raise ValueError(f"Budget: {name} is {bound}, expected a finite number > 0.")
