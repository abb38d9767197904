"""How often the neurons of a forward pass fired."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from picojoule.synops.watch.gathered import Gathered


class Firings:
    """Spikes by neuron, of so many entries each. Layers that share a module are told apart by the shape of their neurons.

    Example:
        >>> fired = Firings()
        >>> fired.add("cell", torch.tensor([3.0, 1.0]), 4)
        >>> fired.add("cell", torch.tensor([2.0, 2.0]), 4)
        >>> [*fired.by_name()]
        [('cell', tensor([5., 3.]), 8)]
    """

    def __init__(self) -> None:
        self._of: dict[str, dict[torch.Size, tuple[Gathered, int]]] = {}

    def add(self, name: str, spikes: Tensor, entries: int) -> None:
        """Add up what a module's neurons fired in a call."""
        by_shape = self._of.setdefault(name, {})
        gathered, before = by_shape.get(spikes.shape) or (Gathered(), 0)
        gathered.add(spikes)
        by_shape[spikes.shape] = gathered, before + entries

    def drop(self, name: str) -> None:
        """Forget a module, which has no spikes after all."""
        self._of.pop(name, None)

    def by_name(self) -> Iterator[tuple[str, Tensor, int]]:
        """Name, spikes by neuron and entries; layers that share a module stand side by side, in one axis."""
        for name, by_shape in self._of.items():
            fired = [*by_shape.values()]
            most = max(entries for _, entries in fired)
            if len(fired) == 1:
                yield name, fired[0][0].sum, most
            else:
                yield (
                    name,
                    torch.cat([x.sum.flatten() * (most / max(n, 1)) for x, n in fired]),
                    most,
                )
