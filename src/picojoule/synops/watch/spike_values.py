"""What one spike of a module is worth, where only its values tell, from one pass to the next."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from picojoule.synops.watch.judged import can_be_read, judged, multiples, spike_value, worth
from picojoule.synops.watch.origin import Origin


@dataclass
class _Worth:
    unit: float
    is_one_value: bool = True  # nothing fired several at once so far


class SpikeValues:
    """What is known of each module, in training and in evaluation, which may have other spikes.

    A module is taken at its word, 0.5 and 1.5 being one spike and three, until its values no longer fit: then what they
    are worth is found anew. Spikes that had one value, and now have twice that value, are one spike still: a threshold has
    changed. Whole numbers are counts of spikes.

    On a GPU, where to look would wait for the device, values are read until something has fired.

    Example:
        >>> import torch
        >>> values, module = SpikeValues(), nn.Identity()
        >>> [values.origin(module, torch.tensor([0.0, x]), first=False).unit for x in (0.5, 0.25, 0.5)]
        [0.5, 0.25, 0.5]
    """

    def __init__(self) -> None:
        self._of: dict[bool, WeakKeyDictionary[nn.Module, _Worth]] = {
            training: WeakKeyDictionary() for training in (True, False)
        }
        self._potentials: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()

    def are_potentials(self, module: nn.Module) -> bool:
        """Whether what it makes was found to be no spikes."""
        return self._potentials.get(module, False)

    def origin(
        self, module: nn.Module, made: Tensor, whole_first: bool = False, *, first: bool
    ) -> Origin:
        """The origin of what a module has made.

        Args:
            module: what it was made by.
            made: its output.
            whole_first: whole numbers are of unit 1.
            first: whether this is the first pass, in which each call is looked at.
        """
        known = self._of[module.training]
        own = known.get(module)
        if can_be_read(made) and (first or own is None or not made.is_cuda):
            own = self._seen(module, made, own, whole_first, first)
            if own is None and not self.are_potentials(module):  # silent so far
                alike = (each for m, each in known.items() if type(m) is type(module))
                own = next(alike, _Worth(1.0))
        return judged(made, None if own is None else own.unit, whole_first)

    def _seen(
        self, module: nn.Module, made: Tensor, own: _Worth | None, whole_first: bool, first: bool
    ) -> _Worth | None:
        """What one spike is worth now that these were seen; None if that is not known."""
        smallest = float(worth(made))
        if smallest == 0:
            return own
        if own is not None and bool(multiples(made, own.unit)):
            once_one = own.is_one_value and own.unit != 1 and not first
            if not once_one or _near(smallest, own.unit):
                own.is_one_value &= _near(float(made.detach().abs().amax()), own.unit)
                return own
        unit = spike_value(made)
        if unit is None:
            if first or own is None:
                self._potentials[module] = True
            return own
        unit = 1.0 if whole_first and unit.is_integer() else unit
        self._potentials[module] = False
        one_value = _near(float(made.detach().abs().amax()), unit)
        self._of[module.training][module] = own = _Worth(unit, one_value)
        return own


def _near(value: float, unit: float) -> bool:
    return value < 1.5 * unit
