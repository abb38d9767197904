"""Depth first: each event is pushed through as far as it goes before the next.

Events wait on a stack, those that come first on top. An event goes to all layers that hear it; what they give out
then goes on, that of the first layer first. What a recurrent layer gives out also waits in a queue, and reaches the
layer itself when nothing is on the stack any more, before the next event of the input.
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
from picojoule.events.orders.kernels.tables import ENDLESS, FINE, FULL, LAYER, NETWORK, SIGNAL
from picojoule.events.orders.kernels.update import begin, fire_all, update
from picojoule.events.orders.kernels.whole_events import arriving, events_of
from picojoule.ops.cpu.inlined import inlined

# of an event that waits: signal, neuron, how many, value
FROM, INDEX, COUNT, VALUE, FIELDS = range(5)
# of `lengths`: stack; the queue's entries and events; from HEARD on, what each layer has heard of itself in the step
TOP, NEXT, LAST, IN_QUEUE, HEARD = range(5)


def depth() -> Callable[..., None]:
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
    layers, lengths = wide(network[NETWORK.layers]), wide(network[NETWORK.lengths])
    for k in range(HEARD + network[NETWORK.num_layers]):
        lengths[k] = 0
    for number in range(network[NETWORK.num_layers]):
        begin(network, wide(layers[number]), sample, t)
    for number in range(network[NETWORK.num_layers]):
        n = fire_all(network, wide(layers[number]), sample)
        code = _give(network, number, sample, t, n)
        if code == FINE:
            code = _push_through(network, sample, t, np.float32(0))
        if code != FINE:
            return code
    return _input(network, sample, t)


@called
def _input(network: Any, sample: Any, t: Any) -> Any:
    signal = wide(wide(network[NETWORK.signals])[0])
    N, T = signal[SIGNAL.num_neurons], network[NETWORK.num_steps]
    x = reals(network[NETWORK.frames] + 4 * (sample * T + t) * N)
    causes = 0
    for j in range(N):
        if x[j] != np.float32(0):
            causes += events_of(x[j])[0]
    cause = 0
    for place in range(N):
        j = arriving(network, t, N, place)
        if x[j] != np.float32(0):
            count, value = events_of(x[j])
            for _ in range(count):
                cause += 1
                part = np.float32(cause) / np.float32(causes)
                code = _to_listeners(network, 0, j, value, sample, t, part)
                if code == FINE:
                    code = _push_through(network, sample, t, part)
                if code != FINE:
                    return code
    return FINE


@called
def _push_through(network: Any, sample: Any, t: Any, part: Any) -> Any:
    """Until nothing waits any more."""
    lengths, stack = wide(network[NETWORK.lengths]), integers(network[NETWORK.stack])
    values = reals(network[NETWORK.stack])
    while True:
        if lengths[TOP] > 0:
            at = FIELDS * (lengths[TOP] - 1)
            stack[at + COUNT] -= 1
            if stack[at + COUNT] == 0:
                lengths[TOP] -= 1
            from_number, index, value = stack[at + FROM], stack[at + INDEX], values[at + VALUE]
            code = _to_listeners(network, from_number, index, value, sample, t, part)
        elif lengths[NEXT] < lengths[LAST]:
            code = _to_itself(network, sample, t, part)
        else:
            lengths[NEXT], lengths[LAST] = 0, 0
            return FINE
        if code != FINE:
            return code


@called
def _to_listeners(
    network: Any, from_number: Any, index: Any, value: Any, sample: Any, t: Any, part: Any
) -> Any:
    """An event to all layers that hear it, the last first, so that what the first gives out lies on top."""
    layers, of_step = wide(network[NETWORK.layers]), sample * network[NETWORK.num_steps] + t
    signal = wide(wide(network[NETWORK.signals])[from_number])
    listeners = wide(signal[SIGNAL.listeners])
    for k in range(signal[SIGNAL.num_listeners] - 1, -1, -1):
        layer = wide(layers[listeners[k]])
        first, last = arrive(layer, signal, from_number, index, value, of_step)
        n = update(network, layer, sample, first, last, part)
        code = _give(network, listeners[k], sample, t, n)
        if code != FINE:
            return code
    return FINE


@called
def _to_itself(network: Any, sample: Any, t: Any, part: Any) -> Any:
    """The event that has waited longest, to the layer that gave it out."""
    lengths, waiting = wide(network[NETWORK.lengths]), integers(network[NETWORK.waiting])
    at = FIELDS * lengths[NEXT]
    number, index = waiting[at + FROM] - 1, waiting[at + INDEX]
    value = reals(network[NETWORK.waiting])[at + VALUE]
    waiting[at + COUNT] -= 1
    lengths[IN_QUEUE] -= 1
    lengths[HEARD + number] += 1
    if waiting[at + COUNT] == 0:
        lengths[NEXT] += 1
    layer = wide(wide(network[NETWORK.layers])[number])
    if lengths[HEARD + number] > layer[LAYER.most_own]:
        return fail(network, sample, t, number, ENDLESS)
    signal = wide(wide(network[NETWORK.signals])[number + 1])
    of_step = sample * network[NETWORK.num_steps] + t
    first, last = arrive(layer, signal, -1, index, value, of_step)
    n = update(network, layer, sample, first, last, part)
    return _give(network, number, sample, t, n)


@called
def _give(network: Any, number: Any, sample: Any, t: Any, n: Any) -> Any:
    """What an update made a layer give out: onto the stack, the first on top, and to the queue of loops."""
    if n == 0:
        return FINE
    code = leave(network, number, sample, t, n)
    if code != FINE:
        return fail(network, sample, t, number, code)
    signal = wide(wide(network[NETWORK.signals])[number + 1])
    if signal[SIGNAL.is_heard] == 0:
        return FINE
    _drop(network, signal, sample, n)
    if signal[SIGNAL.num_listeners] > 0:
        code = _stack(network, number, n)
    if code == FINE and wide(wide(network[NETWORK.layers])[number])[LAYER.own] != 0:
        code = _queue(network, signal, number, sample, n)
    return code if code == FINE else fail(network, sample, t, number, code)


@inlined
def _drop(network: Any, signal: Any, sample: Any, n: Any) -> None:
    """A queue of bounded length keeps the first events of an update; the others are lost, and counted."""
    count, most = integers(network[NETWORK.fired_count]), network[NETWORK.queue_length]
    if most > 0:
        room = most
        for e in range(n):
            kept = min(np.int64(count[e]), room)
            wide(signal[SIGNAL.dropped])[sample] += count[e] - kept
            count[e] = kept
            room -= kept


@inlined
def _stack(network: Any, number: Any, n: Any) -> Any:
    lengths, stack = wide(network[NETWORK.lengths]), integers(network[NETWORK.stack])
    count = integers(network[NETWORK.fired_count])
    if lengths[TOP] + n > network[NETWORK.stack_size]:
        return FULL
    for e in range(n - 1, -1, -1):
        if count[e] > 0:
            at = FIELDS * lengths[TOP]
            stack[at + FROM] = number + 1
            stack[at + INDEX] = integers(network[NETWORK.fired_index])[e]
            stack[at + COUNT] = count[e]
            reals(network[NETWORK.stack])[at + VALUE] = reals(network[NETWORK.fired_value])[e]
            lengths[TOP] += 1
    return FINE


@inlined
def _queue(network: Any, signal: Any, number: Any, sample: Any, n: Any) -> Any:
    lengths, waiting = wide(network[NETWORK.lengths]), integers(network[NETWORK.waiting])
    count, most = integers(network[NETWORK.fired_count]), network[NETWORK.queue_length]
    if lengths[LAST] + n > network[NETWORK.waiting_size]:
        return FULL
    for e in range(n):
        kept: Any = np.int64(count[e])
        if most > 0:
            kept = max(min(kept, most - lengths[IN_QUEUE]), 0)
            wide(signal[SIGNAL.dropped])[sample] += count[e] - kept
        if kept > 0:
            at = FIELDS * lengths[LAST]
            waiting[at + FROM] = number + 1
            waiting[at + INDEX] = integers(network[NETWORK.fired_index])[e]
            waiting[at + COUNT] = kept
            reals(network[NETWORK.waiting])[at + VALUE] = reals(network[NETWORK.fired_value])[e]
            lengths[LAST] += 1
            lengths[IN_QUEUE] += kept
    return FINE
