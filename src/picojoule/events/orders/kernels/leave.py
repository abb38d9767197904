"""What a layer gives out: counted, thinned out by its decimator, written down if it leaves the network."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import doubles, integers, reals, wide
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.tables import (
    FINE,
    LAYER,
    MOST_AT_ONCE,
    NETWORK,
    SIGNAL,
    SPIKES,
    TOO_MANY,
)


@called
def leave(network: Any, number: Any, sample: Any, t: Any, n: Any) -> Any:
    """The `n` entries of the last update of a layer; their counts become those of the events that pass on.

    Returns:
        `FINE`, or `TOO_MANY`.
    """
    layer = wide(wide(network[NETWORK.layers])[number])
    signal = wide(wide(network[NETWORK.signals])[number + 1])
    N, of_step = layer[LAYER.num_neurons], sample * network[NETWORK.num_steps] + t
    index, count = integers(network[NETWORK.fired_index]), integers(network[NETWORK.fired_count])
    value, total = reals(network[NETWORK.fired_value]), reals(layer[LAYER.total] + 4 * sample * N)
    spikes, every = doubles(layer[LAYER.spikes]), layer[LAYER.decimate]
    counted = layer[LAYER.kind] == SPIKES
    so_far = wide(layer[LAYER.decimated])
    for e in range(n):
        if count[e] > MOST_AT_ONCE:
            wide(network[NETWORK.status])[4 * sample + 3] = np.int64(index[e])
            return TOO_MANY
        total[index[e]] += count[e] * value[e]
        if counted:
            spikes[of_step] += count[e]
        if every > 1:
            before = so_far[sample]
            so_far[sample] = before + count[e]
            count[e] = so_far[sample] // every - before // every
    if signal[SIGNAL.frames] != 0:
        out = reals(signal[SIGNAL.frames] + 4 * of_step * N)
        for e in range(n):
            out[index[e]] += count[e] * value[e]
    return FINE
