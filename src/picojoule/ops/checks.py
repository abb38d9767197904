"""The checks that every op makes on its call, with messages in the op's and the argument's name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.ops.ranges import can_be_looked_into, out_of_range
from picojoule.ops.spec import Feedback, NeuronSpec, States


class CheckedCurrent:
    """The input current of an op, checked, and what its other arguments have to fit.

    Args:
        op: name of the op, for messages.
        current: input current, `b t *n`.
        checks_values: whether to look for numbers out of their range.

    Raises:
        TypeError: `current` is not a floating point tensor.
        ValueError: it has no time axis.
    """

    def __init__(self, op: str, current: Tensor, checks_values: bool = True) -> None:
        if not current.is_floating_point():
            raise TypeError(
                f"{op}: the input current is {current.dtype}, expected a floating point tensor. "
                "Call .float() on it."
            )
        if current.ndim < 2:
            raise ValueError(
                f"{op}: the input current has shape {tuple(current.shape)}, expected "
                "(batch, time, *neuron). Add the missing axes with unsqueeze."
            )
        self.op, self.current, self.checks_values = op, current, checks_values
        self.dtype = torch.promote_types(current.dtype, torch.float32)

    @property
    def computed(self) -> Tensor:
        """The input current in the computing dtype, float32 at least."""
        return self.current.to(self.dtype)

    def state(self, name: str, value: Tensor | None) -> Tensor:
        """A state `b *n` in the computing dtype; zeros for None."""
        shape = (self.current.shape[0], *self.current.shape[2:])
        if value is None:
            return torch.zeros(shape, dtype=self.dtype, device=self.current.device)
        if tuple(value.shape) != shape:
            raise ValueError(
                f"{self.op}: state {name} has shape {tuple(value.shape)}, but the input current of shape "
                f"{tuple(self.current.shape)} needs (batch, *neuron) = {shape}."
            )
        return value.to(self.dtype)

    def states(
        self,
        neuron: NeuronSpec,
        v_mem: Tensor | None,
        i_syn: Tensor | None,
        b: Tensor | None,
        i_rec: Tensor | None,
    ) -> States:
        """The states that a neuron has before the first step."""
        return States(
            self.state("v_mem", v_mem),
            None if neuron.alpha_syn is None else self.state("i_syn", i_syn),
            self.state("b", b) if neuron.adaptive else None,
            None if neuron.connect is None else self.state("i_rec", i_rec),
        )

    def value(self, name: str, value: Tensor | float) -> Tensor | float:
        """A number, or a tensor in the computing dtype that broadcasts over the neurons."""
        if not isinstance(value, Tensor):
            return float(value)
        neurons = tuple(self.current.shape[2:])
        last = neurons[len(neurons) - value.ndim :]
        if value.ndim > len(neurons) or any(
            have not in (1, want) for have, want in zip(value.shape, last, strict=True)
        ):
            raise ValueError(
                f"{self.op}: {name} of shape {tuple(value.shape)} does not broadcast over the neurons, "
                f"{neurons} (input current {tuple(self.current.shape)})."
            )
        return value.to(self.dtype)

    def ranged(self, name: str, value: Tensor | float) -> Tensor | float:
        """A value in the range that its name has."""
        if self.checks_values and can_be_looked_into(value):
            fault = out_of_range(name, value)
            if fault is not None:
                raise ValueError(f"{self.op}: {fault}")
        return self.value(name, value)

    def feedback(self, connect: Feedback) -> CheckedFeedback:
        """A recurrent connection that is called in the input's dtype and has to keep the shape."""
        return CheckedFeedback(self.op, connect, self.current.dtype, self.dtype)


@dataclass  # not frozen: torch.compile could not call one before PyTorch 2.13
class CheckedFeedback:
    """What a step's spikes add to the next step's input, `b *n`, by what the user gave.

    Args:
        op: name of the op, for messages.
        connect: the user's recurrent connection.
        given: dtype of the input, in which `connect` is called.
        computed: dtype in which the neuron is computed.
    """

    op: str
    connect: Feedback
    given: torch.dtype
    computed: torch.dtype

    def __call__(self, spikes: Tensor) -> Tensor:
        """The feedback in the computing dtype; ValueError if it has another shape than the spikes."""
        fed_back = self.connect(spikes.to(self.given))
        if fed_back.numel() != spikes.numel() or len(fed_back) != len(spikes):
            raise ValueError(
                f"{self.op}: the recurrent connection made {tuple(fed_back.shape)} of spikes of shape "
                f"{tuple(spikes.shape)}; expected the same shape, or one that reshapes to it."
            )
        return fed_back.reshape(spikes.shape).to(self.computed)
