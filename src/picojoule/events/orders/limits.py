"""What a chip cannot do, as numbers; each limit is off unless it is given."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ChipLimits:
    """Limits of a chip.

    With `weight_bits` each layer has a scale, by the rule of :func:`picojoule.convert.discretize`:

        scale = min over quantities q of (largest integer of q's width / largest magnitude of q)
        W' = round(scale W)

    over the weights, the biases (of `bias_bits`) and, with `state_bits`, threshold, lower bound and reset of the
    neurons. Potentials then are in units of 1 / scale; without `state_bits` the thresholds stay fractions there. With
    it all are whole numbers, potentials stop at the ends of their range instead of wrapping, and one that leaks is cut
    to a whole number, towards zero, whenever it does. Layers without neurons are rounded at a scale of their own.

    Args:
        weight_bits: width of the weights, sign included, 2 to 24.
        state_bits: width of potentials, saturating, 2 to 24.
        bias_bits: width of biases; that of the weights if omitted.
        one_threshold_per_layer: the neurons of a layer get the mean of their thresholds.
        decimate: of so many events that a layer of neurons gives out one passes, the last; a number for all layers,
            or one by layer name.
        queue_length: events that wait in front of a layer at most; those that come later are lost. Breadth first they
            are the events of a time step, depth first those that one event made a layer give out.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of its range.

    Example:
        >>> ChipLimits(weight_bits=8, state_bits=16).queue_length is None
        True
    """

    weight_bits: int | None = None
    state_bits: int | None = None
    bias_bits: int | None = None
    one_threshold_per_layer: bool = False
    decimate: int | Mapping[str, int] = 1
    queue_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("weight_bits", "state_bits", "bias_bits"):
            bits = getattr(self, name)
            if bits is not None and not (is_whole(bits) and 2 <= bits <= 24):
                raise ValueError(
                    f"ChipLimits: {name} is {bits!r}, expected a whole number, 2 to 24."
                )
        if not isinstance(self.one_threshold_per_layer, bool):
            raise TypeError(
                f"ChipLimits: one_threshold_per_layer is {self.one_threshold_per_layer!r}, expected True or False."
            )
        if self.weight_bits is None and (self.state_bits or self.bias_bits):
            raise ValueError(
                "ChipLimits: there are state_bits or bias_bits, but no weight_bits; potentials are whole numbers only if the "
                "weights are. Give weight_bits too."
            )
        if self.queue_length is not None:
            count_of("ChipLimits: queue_length", self.queue_length)
        every = self.decimate.values() if isinstance(self.decimate, Mapping) else [self.decimate]
        for number in every:
            count_of("ChipLimits: decimate", number)

    def decimation_of(self, layer: str) -> int:
        """One of so many events of a layer passes."""
        return self.decimate.get(layer, 1) if isinstance(self.decimate, Mapping) else self.decimate


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, and no truth."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def count_of(name: str, value: Any) -> int:
    """A number that counts something.

    Raises:
        TypeError: it is no whole number; `name` starts the message.
        ValueError: it is below 1, or no int64.
    """
    if not is_whole(value):
        raise TypeError(f"{name} is {value!r}, expected a whole number.")
    count = operator.index(value)
    if not 1 <= count < 2**63:
        raise ValueError(f"{name} is {count}, expected 1 or more, and an int64.")
    return count
