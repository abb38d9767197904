"""What every implementation of a neuron is told and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

from torch import Tensor

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient

Feedback = Callable[[Tensor], Tensor]


class States(NamedTuple):
    """The states of a neuron, `b *n` each, in the order in which all implementations keep them.

    Those that a neuron does not have are None.
    """

    v_mem: Tensor
    i_syn: Tensor | None = None
    b: Tensor | None = None
    i_rec: Tensor | None = None


class NeuronOutput(NamedTuple):
    """Outputs `b t *n`, the states after the last step, and the recordings, `b t *n` by state name.

    `sums` are the outputs added up over samples and time steps, `*n`, where the implementation has done so.
    """

    outputs: Tensor
    states: States
    recordings: dict[str, Tensor]
    sums: Tensor | None = None


@dataclass(frozen=True)
class NeuronSpec:
    """A neuron: everything but its input and states.

    Args:
        alpha_mem: share of the potential that a step keeps.
        alpha_syn: share of the synaptic current that a step keeps; None for no synaptic current.
        norm_input: the input is scaled by `1 - alpha_mem`.
        min_v_mem: lower bound of the potential; None for none.
        connect: makes the input that a step's output adds to the next step's; None for none.
        threshold: potential at which the neuron fires, at rest if it adapts.
        spike: spike function; None for a neuron that never fires and gives out its potential.
        reset: what a spike does to the potential.
        surrogate: slope of the spike function in the backward pass.
        record: the states after each step are wanted.
        alpha_adapt: share of the spike trace that a step keeps; None for a threshold that stays.
        adapt_scale: how far a trace of 1 raises the threshold.
    """

    alpha_mem: Tensor | float
    alpha_syn: Tensor | float | None
    norm_input: bool
    min_v_mem: Tensor | float | None
    connect: Feedback | None
    threshold: Tensor | float
    spike: SpikeFunction | type[SpikeFunction] | None
    reset: ResetFunction
    surrogate: SurrogateGradient
    record: bool
    alpha_adapt: Tensor | float | None = None
    adapt_scale: Tensor | float = 0.0

    @property
    def leaks(self) -> bool:
        """False for integrate-and-fire: its potential needs no multiplication."""
        return isinstance(self.alpha_mem, Tensor) or self.alpha_mem != 1.0

    @property
    def adaptive(self) -> bool:
        """Whether the threshold rises with the neuron's own spikes."""
        return self.alpha_adapt is not None


# what the kernels compute of a neuron; one that sets another field runs in plain PyTorch until they know it
COMPUTED = (
    "alpha_mem", "alpha_syn", "norm_input", "min_v_mem", "connect", "threshold",
    "spike", "reset", "surrogate", "record", "alpha_adapt", "adapt_scale",
)  # fmt: skip
_NOT_COMPUTED = tuple(
    (each.name, each.default) for each in fields(NeuronSpec) if each.name not in COMPUTED
)


def not_computed(neuron: NeuronSpec) -> str | None:
    """The name of a field that a neuron sets and that the kernels do not compute; None if there is none."""
    for name, default in _NOT_COMPUTED:
        value = getattr(neuron, name)
        if isinstance(value, Tensor) or value != default:
            return name
    return None
