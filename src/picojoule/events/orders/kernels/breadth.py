"""Breadth first: in each time step a layer empties its queue before the next layer begins.

Of several signals that a layer hears, the event comes first that has the earlier cause; of the same cause, that of
the earlier layer. What a layer hears of itself takes its place in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.orders.kernels.arrive import arrive
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.ends import end_call, end_step, fail, start_call
from picojoule.events.orders.kernels.leave import leave
from picojoule.events.orders.kernels.tables import (
    ENDLESS,
    FINE,
    FULL,
    LAYER,
    NETWORK,
    SIGNAL,
)
from picojoule.events.orders.kernels.update import begin, fire_all, update
from picojoule.events.orders.kernels.whole_events import events_of
from picojoule.ops.cpu.inlined import inlined

LATER = 2**31  # a cause that no event has
CURSOR, LEFT, CAUSE, HEARD, FIELDS = 0, 1, 2, 3, 4  # of `heads`: entry, events left of it, its cause, signal


def breadth() -> Callable[..., None]:
    """The kernel."""

    def run(first: Any, last: Any, table: Any) -> None:
        network = wide(table)
        for sample in range(first, last):
            start_call(network)
            for t in range(network[NETWORK.num_steps]):
                code = _step(network, sample, t)
                if code != FINE:
                    break
                end_step(network, sample, t)
            end_call(network, sample)

    return run


@called
def _step(network: Any, sample: Any, t: Any) -> Any:
    layers, signals = wide(network[NETWORK.layers]), wide(network[NETWORK.signals])
    causes = _queue_input(network, wide(signals[0]), sample, t)
    if causes < 0:
        return fail(network, sample, t, 0, FULL)
    for number in range(network[NETWORK.num_layers]):
        layer, own = wide(layers[number]), wide(signals[number + 1])
        wide(own[SIGNAL.length])[0] = 0
        wide(own[SIGNAL.length])[1] = 0
        begin(network, layer, sample, t)
        n = fire_all(network, layer, sample)
        code = _give(network, own, number, sample, t, n, 0)
        if code == FINE:
            code = _empty_queues(network, layer, own, number, sample, t, causes)
        if code != FINE:
            return fail(network, sample, t, number, code)
    return FINE


@called
def _empty_queues(
    network: Any, layer: Any, own: Any, number: Any, sample: Any, t: Any, causes: Any
) -> Any:
    signals, heads = wide(network[NETWORK.signals]), wide(network[NETWORK.heads])
    of_step = sample * network[NETWORK.num_steps] + t
    num_heads = layer[LAYER.num_signals] + (layer[LAYER.own] != 0)
    heard = wide(layer[LAYER.heard])
    for h in range(num_heads):
        heads[FIELDS * h + CURSOR], heads[FIELDS * h + LEFT] = 0, 0
        heads[FIELDS * h + HEARD] = heard[h] if h < layer[LAYER.num_signals] else number + 1
    heard_itself = 0
    while True:
        h = _earliest(heads, num_heads, signals)
        if h < 0:
            return FINE
        is_own, from_number = h == layer[LAYER.num_signals], heads[FIELDS * h + HEARD]
        signal, cause = wide(signals[from_number]), heads[FIELDS * h + CAUSE]
        at = heads[FIELDS * h + CURSOR]
        index, value = integers(signal[SIGNAL.index])[at], reals(signal[SIGNAL.values])[at]
        source = -1 if is_own else from_number
        heard_itself += is_own
        if heard_itself > layer[LAYER.most_own]:
            return ENDLESS
        first_row, last_row = arrive(layer, signal, source, index, value, of_step)
        part = np.float32(cause) / np.float32(max(causes, 1))
        n = update(network, layer, sample, first_row, last_row, part)
        code = _give(network, own, number, sample, t, n, cause)
        if code != FINE:
            return code
        heads[FIELDS * h + LEFT] -= 1
        if from_number == 0:
            heads[FIELDS * h + CAUSE] += 1
        if heads[FIELDS * h + LEFT] == 0:
            heads[FIELDS * h + CURSOR] += 1


@inlined
def _earliest(heads: Any, num_heads: Any, signals: Any) -> Any:
    """The queue whose event is next, or -1. What a layer hears of itself grows meanwhile."""
    best, cause = -1, LATER
    for h in range(num_heads):
        at = heads[FIELDS * h + CURSOR]
        signal = wide(signals[heads[FIELDS * h + HEARD]])
        if heads[FIELDS * h + LEFT] == 0 and at < wide(signal[SIGNAL.length])[0]:
            heads[FIELDS * h + LEFT] = integers(signal[SIGNAL.count])[at]
            heads[FIELDS * h + CAUSE] = integers(signal[SIGNAL.cause])[at]
        if heads[FIELDS * h + LEFT] > 0 and heads[FIELDS * h + CAUSE] < cause:
            best, cause = h, heads[FIELDS * h + CAUSE]
    return best


@inlined
def _give(
    network: Any, own: Any, number: Any, sample: Any, t: Any, n: Any, cause: Any
) -> Any:
    """What an update made a layer give out, to the queue behind it."""
    if n == 0:
        return FINE
    leave(network, number, sample, t, n)
    if own[SIGNAL.is_heard] == 0:
        return FINE
    index, count = integers(network[NETWORK.fired_index]), integers(network[NETWORK.fired_count])
    value = reals(network[NETWORK.fired_value])
    for e in range(n):
        if _append(network, own, sample, index[e], count[e], value[e], cause) != FINE:
            return FULL
    return FINE


@called
def _append(
    network: Any, signal: Any, sample: Any, index: Any, count: Any, value: Any, cause: Any
) -> Any:
    """One entry more of a queue. What a queue of bounded length has no room for is lost, and counted."""
    length, most = wide(signal[SIGNAL.length]), network[NETWORK.queue_length]
    kept = count
    if most > 0 and length[1] + count > most:
        kept = max(most - length[1], 0)
        wide(signal[SIGNAL.dropped])[sample] += count - kept
    if kept == 0:
        return FINE
    at = length[0]
    if at == signal[SIGNAL.capacity]:
        return FULL
    integers(signal[SIGNAL.index])[at] = index
    integers(signal[SIGNAL.count])[at] = kept
    reals(signal[SIGNAL.values])[at] = value
    integers(signal[SIGNAL.cause])[at] = cause
    length[0], length[1] = at + 1, length[1] + kept
    return FINE


@called
def _queue_input(network: Any, signal: Any, sample: Any, t: Any) -> Any:
    """The input events of a step; returns how many there were, or -1."""
    N, T = signal[SIGNAL.num_neurons], network[NETWORK.num_steps]
    x = reals(network[NETWORK.frames] + 4 * (sample * T + t) * N)
    wide(signal[SIGNAL.length])[0] = 0
    wide(signal[SIGNAL.length])[1] = 0
    causes = 0
    for j in range(N):
        if x[j] != np.float32(0):
            count, value = events_of(x[j])
            if _append(network, signal, sample, j, count, value, causes + 1) != FINE:
                return -1
            causes += count
    return causes
