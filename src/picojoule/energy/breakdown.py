"""Joules by kind of operation, and what could not be priced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from picojoule.energy.energy_profile import EnergyProfile

Quantity = float | Tensor

SPOKEN = {
    "synops": "SynOps",
    "macs": "MACs",
    "neuron_updates": "neuron updates",
    "memory_bytes": "bytes of memory traffic",
}
WAY_ON = {
    "synops": "Choose a profile with synop_j.",
    "macs": "A chip without MAC units cannot run a dense layer: encode its input into spikes, or price the network on a profile with mac_j, such as '45nm-int8'.",
    "neuron_updates": "The SynOp figure of a chip may contain them: then leave neuron_updates out, or choose a profile with neuron_update_j, such as 'loihi'.",
    "memory_bytes": "Bare arithmetic takes a memory, as in '45nm-int8+step'; the SynOp figure of a chip may contain it: then leave memory_bytes out.",
}


@dataclass(frozen=True, eq=False)
class EnergyBreakdown:
    """Joules by kind of operation, in the shape of the counts that were given.

    What the source has no price for is None here and stands in `unpriced` with its count; it is
    not in `total_j`, and `str(breakdown)` says so beside the total.

    Args:
        profile: whose figures these are.
        synops_j: joules of synaptic operations; None if unpriced.
        macs_j: joules of multiply-accumulates; None if unpriced.
        neuron_updates_j: joules of neuron updates; None if unpriced.
        memory_j: joules of memory traffic; None if unpriced or if no bytes were given.
        total_j: the sum of what could be priced.
        unpriced: counts, by the argument's name, for which the source has no figure.
        remarks: what the total contains and leaves out, apart from what is unpriced.

    Example:
        >>> from picojoule.energy import energy_j
        >>> print(energy_j("loihi", synops=1e6, macs=3e4))
        2.36e-05 J on loihi, without 30000 MACs (no price in its source)
    """

    profile: EnergyProfile
    synops_j: Quantity | None
    macs_j: Quantity | None
    neuron_updates_j: Quantity | None
    memory_j: Quantity | None
    total_j: Quantity
    unpriced: Mapping[str, Quantity]
    remarks: tuple[str, ...]

    def is_complete(self) -> bool:
        """Whether everything that was counted has a price. Waits for the counts on a GPU.

        Example:
            >>> from picojoule.energy import energy_j
            >>> energy_j("loihi", synops=10.0, macs=1.0).is_complete()
            False
        """
        return not self._missing()

    def notes(self) -> tuple[str, ...]:
        """What a report should print below the joules. Waits for the counts on a GPU.

        Example:
            >>> from picojoule.energy import energy_j
            >>> energy_j("loihi", synops=10.0, neuron_updates=1.0, macs=1.0).notes()[-1][:30]
            'Not in the total: 1 MACs. A ch'
        """
        missing = self._missing()
        left_out = (
            f"Not in the total: {missing[name]} {SPOKEN[name]}. {WAY_ON[name]}" for name in missing
        )
        return (*self.remarks, *left_out)

    def __str__(self) -> str:
        missing = [f"{count} {SPOKEN[name]}" for name, count in self._missing().items()]
        without = f", without {' and '.join(missing)} (no price in its source)" if missing else ""
        return f"{text(self.total_j)} J on {self.profile.name}{without}"

    def _missing(self) -> dict[str, str]:
        return {name: text(count) for name, count in self.unpriced.items() if is_some(count)}


def is_some(count: Quantity) -> bool:
    """Whether anything was counted. Waits for a GPU.

    Example:
        >>> import torch
        >>> is_some(0), is_some(torch.tensor([0.0, 2.0]))
        (False, True)
    """
    return bool((count != 0).any()) if isinstance(count, Tensor) else count != 0


def text(count: Quantity) -> str:
    """A count or joules in print; of many, their mean. Waits for a GPU.

    Example:
        >>> import torch
        >>> text(2.5e-6), text(torch.tensor([1.0, 2.0]))
        ('2.5e-06', '1.5 (mean of 2)')
    """
    if not isinstance(count, Tensor):
        return f"{count:g}"
    if count.numel() == 1:
        return f"{count.item():g}"
    return f"{count.double().mean().item():g} (mean of {count.numel()})"


def joules(value: float) -> str:
    """Joules with the prefix that leaves one to three digits in front.

    Example:
        >>> joules(2.36e-5), joules(9.996e-10), joules(0.0), joules(4.2e-13), joules(math.nan)
        ('23.6 µJ', '1 nJ', '0 J', '0.42 pJ', 'nan J')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value or 0:g} J"
    value = float(f"{value:.3g}")  # rounded first: 999.6 pJ are 1 nJ
    if value >= 1000:
        return f"{value:.0f} J"
    prefixes = ("", 1.0), ("m", 1e-3), ("\N{MICRO SIGN}", 1e-6), ("n", 1e-9)
    prefix, size = next((each for each in prefixes if value >= each[1]), ("p", 1e-12))
    return f"{value / size:.3g} {prefix}J"
