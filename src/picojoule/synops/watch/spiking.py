"""Which modules make spikes, and where their outputs have time."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import out_of_ended
from picojoule.layers import SpikingMaxPooling2dLayer, SqueezeMixin, StatefulLayer, SumPool2d
from picojoule.layers.retime import Retime
from picojoule.synops.magnitudes import Unit

TimeAxis = Literal["bt", "tb", "last", "folded", "loop", "outer"]
TIME_AXES: tuple[TimeAxis, ...] = ("bt", "tb", "last", "folded", "loop", "outer")
PASSING = (SumPool2d, SpikingMaxPooling2dLayer, Retime)


class Spiking(NamedTuple):
    """A module with its own dynamics: where its time is, what comes out, what is inside.

    Args:
        time_axis: the axes of its output; of "folded", time is the faster one unless `time_first`.
        spikes: whether the output is spikes; of those to be judged, whether it may be.
        signed: whether they may be negative.
        closed: whether nothing is counted inside, except in modules that it calls.
        unit: what a spike is worth; None to judge by the values. "whole" is 1 where all values are whole numbers, and judged
            elsewhere; "any" if each has a value of its own.
        sure: whether its time is known, not only supposed.
        time_first: whether time is the slower one of a folded axis.
        num_timesteps: time steps in a folded axis, where the module does not say it as our own do.
    """

    time_axis: TimeAxis
    spikes: bool = True
    signed: bool = False
    closed: bool = True
    unit: Unit | Literal["any", "whole"] | None = 1.0
    sure: bool = True
    time_first: bool = False
    num_timesteps: int | None = None

    def leading(self, ndim: int) -> tuple[int, ...]:
        """The axes of its output that are samples and time."""
        if self.time_axis == "last":
            return (0, ndim - 1) if ndim > 1 else (0,)
        return tuple(range(min(2 if self.time_axis in ("bt", "tb") else 1, ndim)))


def passes_spikes_on(module: nn.Module) -> bool:
    """Whether the output is spikes of the input's unit, though it is made in a way that hides this."""
    return isinstance(module, PASSING)


def own_layer(module: nn.Module) -> Spiking | None:
    """What is known of one of this library's layers; None if it is none of them."""
    if not isinstance(module, StatefulLayer) or passes_spikes_on(module):
        return None
    time_axis: TimeAxis = "folded" if isinstance(module, SqueezeMixin) else "bt"
    users = _fires_by_a_function_of_the_users(module)
    unit = None if users else unit_of_class(module, "picojoule")
    return Spiking(time_axis, spikes=module.does_spike, signed=unit != 1.0, unit=unit)


def unit_of_class(module: nn.Module, package: str) -> float | Literal["whole"]:
    """1, which spikes of a package's own classes are worth; where the user has written the forward pass, values tell."""
    by = getattr(type(module).forward, "__module__", None) or ""
    written = "forward" in vars(module) or not by.startswith(f"{package}.")
    return "whole" if written else 1.0


def _fires_by_a_function_of_the_users(layer: Any) -> bool:
    made_by = getattr(layer, "spike_fn", None)
    kind = made_by if isinstance(made_by, type) else type(made_by)
    return made_by is not None and not kind.__module__.startswith("picojoule.")


def carries_state(module: nn.Module) -> Tensor:
    """Whether a neuron layer starts with a potential other than zero, a boolean scalar."""
    state = _potential(module)
    if state is None:
        return torch.zeros((), dtype=torch.bool)
    least, most = state.detach().aminmax()  # several times as fast as any()
    return (least != 0) | (most != 0)


def holds_state(module: nn.Module) -> bool:
    """Whether a neuron layer has a potential from which its next call goes on."""
    return _potential(module) is not None


def _potential(module: nn.Module) -> Tensor | None:
    for name in ("v_mem", "mem", "v"):  # Picojoule and sinabs, snnTorch, SpikingJelly
        state = getattr(module, name, None)
        if isinstance(state, Tensor):
            state = out_of_ended(state)
        if isinstance(state, Tensor) and state.numel() > 0:
            return state
    return None


def sums_of_own_layer(module: nn.Module) -> Tensor | None:
    """The sums of its output that a layer of this library has made; None for other layers, which may change the output."""
    own = isinstance(module, StatefulLayer) and type(module).__module__.startswith("picojoule.")
    return module.output_sums if own else None  # type: ignore[return-value]
