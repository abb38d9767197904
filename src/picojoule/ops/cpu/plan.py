"""What a fused kernel is specialised on, and which of its arguments it is given."""

from __future__ import annotations

import functools
import itertools
from dataclasses import astuple, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from picojoule.activation import (
    Gaussian,
    Heaviside,
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    MultiGaussian,
    MultiSpike,
    PeriodicExponential,
    SingleExponential,
    SingleSpike,
)
from picojoule.ops.membrane import Membrane
from picojoule.ops.slow_path import CustomPart

SURROGATES = (SingleExponential, PeriodicExponential, Heaviside, Gaussian, MultiGaussian)
SPIKES = {SingleSpike: "single", MultiSpike: "multi", MaxSpike: "multi"}
NONE = "none"
WIDEST = 1024  # neurons that a kernel works on at a time: 4 kB a buffer, in the first-level cache


CONSTANTS = 7  # the limit of spikes, the value of a reset, and at most five numbers of a surrogate


@dataclass(frozen=True)
class Plan:
    """A configuration of the kernels; one compilation each.

    Args:
        leaks: the potential decays.
        normed: the input is scaled.
        synaptic: there is a synaptic current.
        bounded: the potential has a lower bound.
        adaptive: the threshold rises with the neuron's own spikes.
        spike: "single", "multi", or "none" for a neuron that never fires.
        limited: there is a largest number of spikes a step.
        reset: "threshold" or "value" is what a spike takes off the potential, "to" sets it.
        surrogate: class name of the surrogate gradient.
        trained: gradients of the parameters are wanted.
    """

    leaks: bool
    normed: bool
    synaptic: bool
    bounded: bool
    adaptive: bool
    spike: str
    limited: bool
    reset: str
    surrogate: str
    trained: bool = False

    RECOMPUTED: ClassVar = ("after", "current", "trace")  # the potential after the reset, ...

    @staticmethod
    @functools.cache
    def of(text: str) -> Plan:
        """The plan that gave the text."""
        words = text.split()
        return Plan(*(word == "1" if word in "01" else word for word in words))  # type: ignore[arg-type]

    @property
    def recomputed(self) -> tuple[str, ...]:
        """What the backward pass keeps of each step, beside the potential before the reset."""
        used = (
            self.bounded or (self.leaks and self.trained),
            self.synaptic and self.trained,
            self.adaptive,
        )
        return tuple(itertools.compress(self.RECOMPUTED, used))

    def place(self, recomputed: str) -> int:
        """Where in the scratch memory it is; what is not kept is never written."""
        return 1 + self.recomputed.index(recomputed) if recomputed in self.recomputed else 0

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the rows of the parameter matrix, `rows n`."""
        present = {
            "alpha_mem": self.leaks,
            "gain": self.normed,
            "alpha_syn": self.synaptic,
            "min_v_mem": self.bounded,
            "threshold": self.spike != NONE,
            "cost": self.reset == "value",
            "adapt_scale": self.adaptive,
            "adapt_alpha": self.adaptive,
            "adapt_gain": self.adaptive,
        }
        return tuple(name for name, used in present.items() if used)

    def row(self, parameter: str) -> int:
        """Where a parameter is in the matrix; -1 if there is none of that name."""
        return self.parameters.index(parameter) if parameter in self.parameters else -1

    def __str__(self) -> str:
        return " ".join(str(int(x)) if isinstance(x, bool) else x for x in astuple(self))


def plan_of(membrane: Membrane, spike: Any, reset: Any, surrogate: Any, *, adaptive: bool) -> Plan:
    """The plan of a neuron whose parts are built in; `unsupported_part` tells whether they are."""
    spike = spike() if isinstance(spike, type) else spike
    fires = spike is not None
    return Plan(
        leaks=membrane.leaks,
        normed=membrane.norm_input,
        synaptic=membrane.alpha_syn is not None,
        bounded=membrane.min_v_mem is not None,
        adaptive=adaptive,
        spike=SPIKES[type(spike)] if fires else NONE,
        limited=getattr(spike, "max_num_spikes_per_bin", None) is not None,
        reset=_kind_of_reset(reset) if fires else NONE,
        surrogate=type(surrogate).__name__ if fires else NONE,
    )


def _kind_of_reset(reset: MembraneSubtract | MembraneReset) -> str:
    if isinstance(reset, MembraneReset):
        return "to"
    return "threshold" if reset.subtract_value is None else "value"


def constants_of(spike: Any, reset: Any, surrogate: Any) -> list[float]:
    """Numbers that a kernel reads but was not compiled for: limit, reset value, the surrogate's own."""
    limit = getattr(spike, "max_num_spikes_per_bin", None)
    value = reset.reset_value if isinstance(reset, MembraneReset) else 0.0
    own = astuple(surrogate) if type(surrogate) in SURROGATES else ()
    constants = [0 if limit is None else limit, value, *own]
    return [float(x) for x in constants] + [0.0] * (CONSTANTS - len(constants))


def parameter_rows(plan: Plan, values: dict[str, Tensor | float | None], like: Tensor) -> Tensor:
    """The parameter matrix in float32, `rows *n`; `rows` where all neurons share every parameter."""
    given = [values[name] for name in plan.parameters]
    shared = all(not isinstance(value, Tensor) or value.numel() == 1 for value in given)
    neurons = () if shared else like.shape[2:]
    rows = []
    for value in given:
        assert value is not None
        row = value if isinstance(value, Tensor) else torch.full((), value, dtype=like.dtype)
        rows.append(row.to(like).reshape(()) if shared else row.to(like).expand(neurons))
    return torch.stack(rows) if rows else like.new_empty(0)


def unsupported_part(spike: Any, reset: Any, surrogate: Any) -> str | None:
    """Which part is not one of the library's own, and so unknown to the kernels."""
    if spike is None:
        return None
    kind = spike if isinstance(spike, type) else type(spike)
    if kind not in SPIKES:
        return CustomPart(f"the spike function {_named(spike)} is not built in")
    if type(reset) not in (MembraneSubtract, MembraneReset):
        return CustomPart(f"the reset {_named(reset)} is not built in")
    if type(surrogate) not in SURROGATES:
        return CustomPart(f"the surrogate {_named(surrogate)} is not built in")
    if isinstance(reset, MembraneSubtract) and isinstance(reset.subtract_value, Tensor):
        return "subtract_value is a tensor"
    return None


def _named(part: Any) -> str:
    return str(getattr(part, "__name__", type(part).__name__))
