"""What a budget limits: the protocol that SynOps, joules and firing rates share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from picojoule.synops.counting_monitor import CountingMonitor

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
    """The mean reading of the micro-batches of one step."""
    return Reading(
        torch.stack([each.value for each in readings]).mean(0),
        torch.stack([each.fixed for each in readings]).mean(0),
        readings[-1].fixed_layers,
    )


class Constraint(Protocol):
    """One quantity in one place, and its bound.

    Example:
        >>> from picojoule.budget import RateBound, SynopsLimit
        >>> limit, floor = SynopsLimit(bound=100.0, per="sample"), RateBound(layer="1", bound=0.1)
        >>> limit.factor(num_timesteps=5.0), floor.factor(num_timesteps=5.0)
        (5.0, 0.0)
        >>> limit.spends, floor.spends, floor.is_floor
        (True, False, True)
    """

    @property
    def name(self) -> str:
        """The quantity and where."""
        ...

    @property
    def place(self) -> str:
        """The layers, the group, or the model."""
        ...

    @property
    def bound(self) -> float:
        """In the unit of what is read, > 0."""
        ...

    @property
    def upper(self) -> bool:
        """Whether the bound is a maximum."""
        ...

    @property
    def is_floor(self) -> bool:
        """Whether it asks for spikes, so that it can stand against a limit."""
        ...

    @property
    def spends(self) -> bool:
        """Whether SynOps add to it."""
        ...

    @property
    def counted_layers(self) -> tuple[str, ...]:
        """The layers whose SynOps it is about; none for the whole model, or if SynOps do not add to it."""
        ...

    @property
    def spiking_layers(self) -> tuple[str, ...]:
        """The layers whose firing rates it is about."""
        ...

    @property
    def given(self) -> tuple[str, ...]:
        """What is in it besides spikes, and does not come from one layer: in words."""
        ...

    def factor(self, num_timesteps: float) -> float:
        """What one SynOp per time step adds to it, for samples of so many time steps."""
        ...

    def read(self, monitor: CountingMonitor) -> Reading:
        """What it is now."""
        ...

    def check(self, monitor: CountingMonitor, owner: str = "Budget") -> None:
        """Raise ValueError if the model, which has run, lacks what it names, or its profile a price."""
        ...


def check_positive(name: str, bound: float) -> None:
    """Raise ValueError unless the bound is a finite number > 0, TypeError if it is no number."""
    told = f"Budget: {name} is {bound!r}, expected a finite number > 0."
    if isinstance(bound, bool | str):
        raise TypeError(told)
    try:
        good = 0 < float(bound) < float("inf")
    except OverflowError:  # of a whole number
        good = False
    except (TypeError, ValueError, RuntimeError):  # of a list, or a tensor of several values
        raise TypeError(told) from None
    if not good:
        raise ValueError(told)
