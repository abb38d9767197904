"""One event on its way: to the synapses of a layer, and into what its neurons have got."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import bytes_at, doubles, integers, reals, wide
from picojoule.events.kernels.scatter import deliver
from picojoule.events.kernels.tables import EDGE
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.tables import LARGEST, LAYER, SIGNAL
from picojoule.ops.cpu.inlined import inlined


@called
def arrive(layer: Any, signal: Any, source: Any, index: Any, value: Any, of_step: Any) -> Any:
    """Deliver an event to a layer; returns the first row that it reached and the one behind the last.

    Args:
        layer: table of the layer.
        signal: table of the signal.
        source: number of the signal, -1 for the layer's own.
        index: the neuron that the event comes from.
        value: of the event.
        of_step: `sample T + t`, where SynOps are written down.
    """
    position, channel = index // signal[SIGNAL.channels], index % signal[SIGNAL.channels]
    integers(signal[SIGNAL.position])[0] = position
    integers(signal[SIGNAL.channel])[0] = channel
    carried = value
    if layer[LAYER.kind] == LARGEST:
        seen = reals(layer[LAYER.seen])
        seen[index] += value
        carried = seen[index]
    reals(signal[SIGNAL.value])[0] = carried
    if source < 0:
        return _over(layer, wide(layer[LAYER.own]), position, channel, value, of_step, 2**30, 0)
    first, last = 2**30, 0
    edges, sources = wide(layer[LAYER.edges]), wide(layer[LAYER.sources])
    for k in range(layer[LAYER.num_edges]):
        if sources[k] == source:
            edge = wide(edges[k])
            first, last = _over(layer, edge, position, channel, value, of_step, first, last)
    return first, last


@inlined
def _over(
    layer: Any, edge: Any, position: Any, channel: Any, value: Any, of_step: Any, first: Any, last: Any
) -> Any:  # fmt: skip
    """Over the synapses of one table; the rows so far, widened by those that it reached."""
    touched, reached = bytes_at(layer[LAYER.touched]), integers(layer[LAYER.reached])
    deliver(edge, 0, 0, 1, reals(layer[LAYER.current]), touched, reached)
    fan = reals(edge[EDGE.fan])
    at = position * edge[EDGE.fan_of_position] + channel * edge[EDGE.fan_of_channel]
    doubles(edge[EDGE.synops])[of_step] += np.float64(abs(value)) * fan[at]
    outer = integers(edge[EDGE.outer_of])[position]
    starts, row = integers(edge[EDGE.outer_first]), integers(edge[EDGE.outer_row])
    for k in range(starts[outer], starts[outer + 1]):
        first, last = min(first, row[k]), max(last, row[k] + 1)
    return first, last
