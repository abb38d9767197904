"""SynOps of a call by layer: what spikes deliver. Values that arrive at weights make MACs, which are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.plan import StagePlan


class Delivered(NamedTuple):
    """What was delivered, float64 `b t` by weighted layer.

    Attributes:
        layers: the weighted layers.
        of_spikes: by spikes of neurons.
        of_input: by what came in, which may be spikes or values.
        whole: whether that was whole numbers only, so spikes.
    """

    layers: tuple[str, ...]
    of_spikes: dict[str, Tensor]
    of_input: dict[str, Tensor]
    whole: bool

    @property
    def synops(self) -> dict[str, Tensor]:
        """SynOps: of the input's values only if these are spikes."""
        found = {}
        for name in self.layers:
            inside, came = self.of_spikes.get(name), self.of_input.get(name)
            if came is None or inside is None:
                count = inside if came is None else came if self.whole else torch.zeros_like(came)
                assert count is not None  # a layer hears something
                found[name] = count
            else:
                found[name] = inside + came if self.whole else inside
        return found


def delivered(
    graph: EventGraph, plans: Sequence[StagePlan], counts: Iterable[Tensor], *, whole: bool
) -> Delivered:
    """What a call delivered.

    Args:
        graph: the network.
        plans: of its stages.
        counts: magnitudes of what arrived times synapses, `b t`, of each bundle of synapses of each stage.
        whole: whether the input was whole numbers only.
    """
    edges = [edge for plan in plans for edge in plan.all_edges]
    of_spikes: dict[str, Tensor] = {}
    of_input: dict[str, Tensor] = {}
    for edge, count in zip(edges, counts, strict=True):
        if not edge.path:
            continue
        found = of_spikes if edge.source else of_input
        is_values = edge.source > 0 and not graph.signal(edge.source).is_spikes
        own = torch.zeros_like(count) if is_values else count
        found[edge.path] = found[edge.path] + own if edge.path in found else own
    layers = dict.fromkeys(edge.path for edge in edges if edge.path)
    return Delivered(tuple(layers), of_spikes, of_input, whole)


def joined(pieces: Sequence[Delivered]) -> Delivered:
    """What several calls delivered, whose time steps follow one another."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    of_spikes, of_input = (
        {
            name: torch.cat([getattr(each, what)[name] for each in pieces], 1)
            for name in getattr(first, what)
        }
        for what in ("of_spikes", "of_input")
    )
    return Delivered(first.layers, of_spikes, of_input, all(each.whole for each in pieces))
