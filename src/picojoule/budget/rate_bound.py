"""Floors and ceilings on firing rates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.budget.constraints import RateOf, Reading, check_positive
from picojoule.budget.names import check_names
from picojoule.synops.counting_monitor import CountingMonitor


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

    @property
    def is_floor(self) -> bool:
        """Whether it asks for spikes."""
        return not self.upper

    @property
    def spends(self) -> bool:
        """A rate is no spending."""
        return False

    @property
    def counted_layers(self) -> tuple[str, ...]:
        """None: it is of no SynOps."""
        return ()

    @property
    def spiking_layers(self) -> tuple[str, ...]:
        """The layer."""
        return (self.layer,)

    @property
    def given(self) -> tuple[str, ...]:
        """Nothing but spikes is in it."""
        return ()

    def factor(self, num_timesteps: float) -> float:  # noqa: ARG002
        """A SynOp adds nothing to a rate."""
        return 0.0

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

    def check(self, monitor: CountingMonitor, owner: str = "Budget") -> None:
        """Raise ValueError if the layer does not spike."""
        check_names([self.layer], tuple(monitor.rates), "spiking layer", owner)


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
