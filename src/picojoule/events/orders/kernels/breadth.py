"""Breadth first: in each time step a layer empties its queue before the next layer begins.

The queue in front of a layer has the events of the layers that it hears, one layer after the other, each in the order
in which it gave them out; those that it hears of itself are added at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.orders.kernels.arrive import arrive
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.ends import (
    end_call,
    end_step,
    fail,
    fail_of_neuron,
    start_call,
)
from picojoule.events.orders.kernels.leave import leave
from picojoule.events.orders.kernels.tables import ENDLESS, FINE, FULL, LAYER, NETWORK, SIGNAL
from picojoule.events.orders.kernels.update import begin, fire_all, update
from picojoule.events.orders.kernels.whole_events import arriving, events_of
from picojoule.ops.cpu.inlined import inlined


def breadth() -> Callable[..., None]:
    """The kernel."""

    def run(first: Any, last: Any, table: Any) -> None:
        network = wide(table)
        for sample in range(first, last):
            start_call(network)
            for t in range(network[NETWORK.num_steps]):
                if _step(network, sample, t) != FINE:
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
        _empty(own)
        begin(network, layer, sample, t)
        n = fire_all(network, layer, sample)
        code = _give(network, own, number, sample, t, n, 0)
        heard = wide(layer[LAYER.heard])
        for k in range(layer[LAYER.num_signals]):
            if code == FINE:
                code = _hear(network, number, heard[k], sample, t, causes)
        if code == FINE and layer[LAYER.own] != 0:
            code = _hear(network, number, number + 1, sample, t, causes)
        if code != FINE:
            return fail(network, sample, t, number, code)
    return FINE


@called
def _hear(network: Any, number: Any, source: Any, sample: Any, t: Any, causes: Any) -> Any:
    """All that a layer hears of a signal in this step, which grows meanwhile if the signal is its own."""
    layer = wide(wide(network[NETWORK.layers])[number])
    signals = wide(network[NETWORK.signals])
    signal, own = wide(signals[source]), wide(signals[number + 1])
    index, count = integers(signal[SIGNAL.indices]), integers(signal[SIGNAL.counts])
    values, cause = reals(signal[SIGNAL.values]), integers(signal[SIGNAL.cause])
    is_own = source == number + 1
    of_step = sample * network[NETWORK.num_steps] + t
    at, heard = 0, 0
    while at < wide(signal[SIGNAL.length])[0]:
        for k in range(count[at]):
            heard += 1
            if is_own and heard > layer[LAYER.most_own]:
                return ENDLESS
            caused_by = cause[at] + k if source == 0 else cause[at]
            first, last = arrive(
                layer, signal, -1 if is_own else source, index[at], values[at], of_step
            )
            part = np.float32(caused_by) / np.float32(max(causes, 1))
            n = update(network, layer, sample, first, last, part)
            code = _give(network, own, number, sample, t, n, caused_by)
            if code != FINE:
                return code
        at += 1
    return FINE


@called
def _give(network: Any, own: Any, number: Any, sample: Any, t: Any, n: Any, cause: Any) -> Any:
    """What an update made a layer give out, to the queues behind it."""
    if n < 0:
        return fail_of_neuron(network, sample, t, number, n)
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
    integers(signal[SIGNAL.indices])[at] = index
    integers(signal[SIGNAL.counts])[at] = kept
    reals(signal[SIGNAL.values])[at] = value
    integers(signal[SIGNAL.cause])[at] = cause
    length[0], length[1] = at + 1, length[1] + kept
    return FINE


@inlined
def _empty(signal: Any) -> None:
    wide(signal[SIGNAL.length])[0] = 0
    wide(signal[SIGNAL.length])[1] = 0


@called
def _queue_input(network: Any, signal: Any, sample: Any, t: Any) -> Any:
    """The input events of a step; returns how many there were, or -1."""
    N, T = signal[SIGNAL.num_neurons], network[NETWORK.num_steps]
    x = reals(network[NETWORK.frames] + 4 * (sample * T + t) * N)
    _empty(signal)
    causes = 0
    for place in range(N):
        j = arriving(network, t, N, place)
        if x[j] != np.float32(0):
            count, value = events_of(x[j])
            if _append(network, signal, sample, j, count, value, causes + 1) != FINE:
                return -1
            causes += count
    return causes
