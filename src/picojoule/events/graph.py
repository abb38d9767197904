"""A network as the engine sees it: stages of neurons, and the terms of what each hears.

What arrives at a neuron is a sum: each term takes the events of a signal through poolings and borders to a weighted
layer, or to the neuron itself. Two weighted layers in a row have a stage without neurons between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from picojoule.events.axes import Places, same
from picojoule.events.signals import Signal
from picojoule.layers import StatefulLayer


@dataclass(frozen=True)
class Term:
    """One bundle of synapses.

    Args:
        source: index of the signal whose events arrive.
        places: of each axis of the signal's positions, where a coordinate goes before the weights.
        shape: of a step once it is there, `*n`.
        grid: lengths of the axes of positions in front of the weights.
        channels_first: whether the channels are the first axis there.
        channel_shift: zero channels that were put in front.
        factor: what values are multiplied by (an average pooling's).
        is_flat: whether positions and channels have become features.
        path: name of the weighted layer.
        call: name of its call, which differs where the layer is called twice.
        layer: the weighted layer; None for none.
        gain: what its outputs are multiplied by; one factor, or one a channel.
        modules: the same as a chain of modules for dense sequences, `(b t) *n`.
    """

    source: int
    places: tuple[Places, ...]
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    channels_first: bool
    channel_shift: int = 0
    factor: float = 1.0
    is_flat: bool = False
    path: str = ""
    call: str = ""
    layer: nn.Module | None = None
    gain: Tensor | None = None
    modules: tuple[nn.Module, ...] = ()

    @classmethod
    def of(cls, source: int, signal: Signal) -> Term:
        """The signal itself."""
        places = tuple(map(same, signal.sizes))
        return cls(source, places, signal.shape, signal.sizes, signal.channels_first)

    def own_bias(self) -> Tensor | None:
        """What its weighted layer adds in every step, in a shape that broadcasts over `*n`; None for nothing."""
        bias: Tensor | None = getattr(self.layer, "bias", None)
        if bias is None:
            return None
        bias = bias.detach()
        own = bias if self.gain is None else bias * self.gain
        return (
            own
            if isinstance(self.layer, nn.Linear)
            else own.reshape(-1, *[1] * (len(self.shape) - 1))
        )

    def then(self, module: nn.Module, **changes: Any) -> Term:
        """The term with one more module behind it."""
        return replace(self, modules=(*self.modules, module), **changes)


@dataclass(frozen=True)
class Stage:
    """A layer of neurons, or none, with all that it hears.

    Args:
        name: of the neuron's layer, or of the last layer if there is no neuron.
        signal: what it gives out.
        terms: what it hears.
        bias: what arrives in every step, `*n` or a number per channel; None for nothing.
        neuron: the layer of neurons; None if what arrives is given out.
        takes_largest: of the values of a window the largest is given out, not the sum.
    """

    name: str
    signal: Signal
    terms: tuple[Term, ...]
    bias: Tensor | None = None
    neuron: StatefulLayer | None = None
    takes_largest: bool = False


@dataclass
class EventGraph:
    """All stages in the order in which they run. Signal 0 is the input, signal k + 1 what stage k gives out.

    Args:
        model: name of the model's type.
        input_signal: what comes in.
        stages: the stages.
        output: index of the signal that goes out.
        folded_input: whether the input has batch and time in one axis.
        folded_output: whether the output has.
        batch_size: samples in the folded axis, -1 if the time steps are known.
        num_timesteps: time steps in it, -1 if the samples are known.
    """

    model: str
    input_signal: Signal
    stages: list[Stage] = field(default_factory=list)
    output: int = 0
    folded_input: bool = False
    folded_output: bool = False
    batch_size: int = -1
    num_timesteps: int = -1

    def input_shape(self, batch: int, steps: int) -> tuple[int, ...]:
        """Of the model's input of so many samples and time steps."""
        leading = (batch * steps,) if self.folded_input else (batch, steps)
        return (*leading, *self.input_signal.shape)

    def signal(self, index: int) -> Signal:
        """The signal of that index."""
        return self.stages[index - 1].signal if index else self.input_signal
