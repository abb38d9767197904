"""What a fused kernel is specialised on, and which of its arguments it is given."""

# More than 250 lines: every backend reads a plan, and a neuron's parameters, constants and plan are told by one list.

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

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
    ResetFunction,
    SingleExponential,
    SingleSpike,
)
from picojoule.ops.slow_path import CustomPart
from picojoule.ops.spec import NeuronSpec, not_computed

_BUILT_IN = (SingleExponential, PeriodicExponential, Heaviside, Gaussian, MultiGaussian)
# the numbers that each has; torch.compile cannot look for them in every version of PyTorch
SURROGATES: dict[type[object], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in _BUILT_IN
}
SPIKES: dict[type[object], str] = {SingleSpike: "single", MultiSpike: "multi", MaxSpike: "multi"}
NONE = "none"

# what kernels read of each neuron, under one name everywhere and in one order
PARAMETERS = (
    "alpha_mem",  # share of the potential that a step keeps
    "gain_mem",  # 1 - alpha_mem, which scales the input
    "alpha_syn",  # share of the synaptic current that a step keeps
    "min_v_mem",  # lower bound of the potential
    "threshold",  # at rest, where it adapts
    "cost",  # what a spike takes off the potential, where that is not the threshold
    "adapt_scale",  # how far a trace of 1 raises the threshold
    "alpha_adapt",  # share of the spike trace that a step keeps
    "gain_adapt",  # 1 - alpha_adapt, which scales the spikes
)
ALPHA_MEM, GAIN_MEM, ALPHA_SYN, MIN_V_MEM = range(4)
THRESHOLD, COST, ADAPT_SCALE, ALPHA_ADAPT, GAIN_ADAPT = range(4, len(PARAMETERS))
# numbers that are the same for all neurons: the largest number of spikes, the value that a reset sets, and from
# SURROGATE on the surrogate's own, five at most, in the order of its fields
LIMIT, RESET_VALUE, SURROGATE, CONSTANTS = 0, 1, 2, 7


Found = TypeVar("Found")


def remembered(function: Callable[..., Found]) -> Callable[..., Found]:
    """functools.cache, but under `torch.compile`, which would trace through it and warn."""
    cached = functools.cache(function)

    def recall(*given: Any) -> Found:
        return function(*given) if torch.compiler.is_compiling() else cached(*given)

    return recall


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
        stepped: for the CPU's kernels: a call of one is one step of a recurrent neuron: it adds the feedback to
            the input, in the input's memory, and its parameters' gradients to those of the later steps.
        shared: for the CPU's kernels: all neurons have the same parameters, one number each.
        streamed: for the CPU's kernels: the sequence that they make is too large for the caches, and goes past them.
        dtype: for the CPU's kernels: the format of the sequences, "float32", "float64" or "bfloat16".
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
    stepped: bool = False
    shared: bool = False
    streamed: bool = False
    dtype: str = "float32"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of PARAMETERS that are used: the rows of the parameter matrix, `rows n`."""
        return _parameters(self)

    @property
    def summed(self) -> bool:
        """For the CPU's kernels: whether they add up spikes over time, too. Values round less added up elsewhere."""
        return self.spike != NONE and not self.stepped

    def row(self, parameter: str) -> int:
        """Where a parameter is in the matrix; -1 if there is none of that name."""
        return self.parameters.index(parameter) if parameter in self.parameters else -1

    def __str__(self) -> str:
        return _text(self)


_PARTS = tuple(field.name for field in fields(Plan))


@remembered
def _text(plan: Plan) -> str:
    parts = [getattr(plan, name) for name in _PARTS]
    return " ".join(str(int(x)) if isinstance(x, bool) else x for x in parts)


@remembered
def _parameters(plan: Plan) -> tuple[str, ...]:
    used = {
        "alpha_mem": plan.leaks,
        "gain_mem": plan.normed,
        "alpha_syn": plan.synaptic,
        "min_v_mem": plan.bounded,
        "threshold": plan.spike != NONE,
        "cost": plan.reset == "value",
    }
    return tuple(name for name in PARAMETERS if used.get(name, plan.adaptive))


@functools.cache
def plan_from(text: str) -> Plan:
    """The plan whose `str` is the text."""
    words = text.split()
    return Plan(*(word == "1" if word in "01" else word for word in words))  # type: ignore[arg-type]


@functools.cache
def trained(plan: Plan, is_trained: bool) -> Plan:
    """The plan with gradients of the parameters, or without."""
    return replace(plan, trained=is_trained)


@functools.cache
def streamed(plan: Plan, is_streamed: bool) -> Plan:
    """The plan whose sequence goes past the caches, or does not."""
    return replace(plan, streamed=is_streamed)


def plan_of(
    neuron: NeuronSpec, *, stepped: bool = False, shared: bool = False, dtype: str = "float32"
) -> Plan:
    """The plan of a neuron whose parts are built in; `unsupported_part` tells whether they are."""
    spike = neuron.spike() if isinstance(neuron.spike, type) else neuron.spike
    fires = spike is not None
    return _plan(
        neuron.leaks,
        neuron.norm_input,
        neuron.alpha_syn is not None,
        neuron.min_v_mem is not None,
        neuron.adaptive,
        SPIKES[type(spike)] if fires else NONE,
        getattr(spike, "max_num_spikes_per_bin", None) is not None,
        _kind_of_reset(neuron.reset) if fires else NONE,
        type(neuron.surrogate).__name__ if fires else NONE,
        False,
        stepped,
        shared,
        False,
        dtype,
    )


_plan = remembered(Plan)


def _kind_of_reset(reset: ResetFunction) -> str:
    if isinstance(reset, MembraneReset):
        return "to"
    assert isinstance(reset, MembraneSubtract)
    return "threshold" if reset.subtract_value is None else "value"


def constants_of(neuron: NeuronSpec) -> list[float]:
    """Numbers that a kernel reads but was not compiled for: limit, reset value, the surrogate's own."""
    reset, surrogate = neuron.reset, neuron.surrogate
    limit = getattr(neuron.spike, "max_num_spikes_per_bin", None)
    value = reset.reset_value if isinstance(reset, MembraneReset) else 0.0
    own = SURROGATES.get(type(surrogate), ())
    constants = [0 if limit is None else limit, value, *(getattr(surrogate, name) for name in own)]
    return [float(x) for x in constants] + [0.0] * (CONSTANTS - len(constants))


def values_of(neuron: NeuronSpec) -> dict[str, Tensor | float | None]:
    """The parameters by name: numbers, or tensors that broadcast over `*n`.

    A parameter of a part that the neuron lacks is None or missing.
    A threshold learns through what a spike takes off. Where that is something else, it is detached: it then has
    no gradient, as with the reference, and not zeros.
    """
    values: dict[str, Tensor | float | None] = {
        "alpha_mem": neuron.alpha_mem,
        "gain_mem": 1 - neuron.alpha_mem if neuron.norm_input else None,
        "alpha_syn": neuron.alpha_syn,
        "min_v_mem": neuron.min_v_mem,
        "threshold": neuron.threshold,
        "cost": getattr(neuron.reset, "subtract_value", None),
    }
    if neuron.alpha_adapt is not None:
        values["adapt_scale"] = neuron.adapt_scale
        values["alpha_adapt"] = neuron.alpha_adapt
        values["gain_adapt"] = 1 - neuron.alpha_adapt
    if neuron.spike is None or _kind_of_reset(neuron.reset) == "threshold":
        return values
    fixed = ("threshold", "adapt_scale")
    return {k: v.detach() if k in fixed and isinstance(v, Tensor) else v for k, v in values.items()}


def unsupported_part(neuron: NeuronSpec) -> str | None:
    """Which part the kernels do not know: it is not the library's own, or new."""
    if (name := not_computed(neuron)) is not None:
        return f"the kernels do not compute {name}"
    spike, reset, surrogate = neuron.spike, neuron.reset, neuron.surrogate
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


def _named(part: object) -> str:
    return str(getattr(part, "__name__", type(part).__name__))
