"""Neurons that change: at the beginning of a step, by an event, at the end of a step; and those of them that fire.

An update writes what the layer gives out to `fired_*` of the network and returns how many entries there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import bytes_at, integers, reals, wide
from picojoule.events.kernels.vectors import BLOCK
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.leaks import bring_to_end, catch_up, leak
from picojoule.events.orders.kernels.tables import (
    EXPONENTIAL,
    LARGEST,
    LAYER,
    MOST_AT_ONCE,
    NETWORK,
    PASSES,
    READS,
    SIGNAL,
    SPIKES,
)
from picojoule.ops.cpu.inlined import inlined

ZERO, ONE = np.float32(0), np.float32(1)
MORE_THAN_ALLOWED = np.float32(2 * MOST_AT_ONCE)  # so many fit into the int32 of a count


@called
def begin(network: Any, layer: Any, sample: Any, t: Any) -> None:
    """Potentials leak, and biases arrive.

        v = leak(v);   i = alpha_syn (i + bias);   v = max(v + gain i, low)

    Without a synaptic current i is the bias.
    """
    N, kind = layer[LAYER.num_neurons], layer[LAYER.kind]
    v = reals(layer[LAYER.potential] + 4 * sample * N)
    if kind == LARGEST:
        _clear(v, N)
        _clear(reals(layer[LAYER.seen]), layer[LAYER.num_seen])
        return
    if kind == PASSES:
        return
    steps = wide(network[NETWORK.steps_before])[sample] + t
    leak(layer, v, steps, network[NETWORK.tick_steps])
    x = reals(layer[LAYER.current])
    if layer[LAYER.bias] != 0:
        _add(x, N, reals(layer[LAYER.bias]))
    if layer[LAYER.own_bias] != 0 and steps > 0:
        _add(x, N, reals(layer[LAYER.own_bias]))
    if layer[LAYER.synaptic] != 0:
        i, keep = reals(layer[LAYER.synaptic] + 4 * sample * N), reals(layer[LAYER.keep_synaptic])
        for j in range(N):
            i[j] = keep[j] * (i[j] + x[j])
            x[j] = i[j]
    gain, low = reals(layer[LAYER.gain]), reals(layer[LAYER.low])
    top = reals(layer[LAYER.numbers])[0]
    bounded = kind == SPIKES
    for j in range(N):
        u = v[j] + gain[j] * x[j]
        v[j] = min(max(u, low[j]), top) if bounded else u
        x[j] = ZERO


@called
def fire_all(network: Any, layer: Any, sample: Any) -> Any:
    """After `begin`: each neuron at its threshold fires, and a layer without neurons gives out its bias."""
    N, kind = layer[LAYER.num_neurons], layer[LAYER.kind]
    n = 0
    if kind == SPIKES:
        v, threshold = reals(layer[LAYER.potential] + 4 * sample * N), reals(layer[LAYER.threshold])
        for j in range(N):
            if v[j] >= threshold[j]:
                n = _fire(network, layer, v, j, n)
    elif kind == PASSES and layer[LAYER.bias] != 0:
        bias = reals(layer[LAYER.bias])
        for j in range(N):
            if bias[j] != ZERO:
                n = _note(network, n, j, 1, bias[j])
    return n


@called
def update(network: Any, layer: Any, sample: Any, first: Any, last: Any, part: Any) -> Any:
    """After an event: what it brought is added, and neurons that it took to the threshold fire, in index order.

        v = min(max(v + gain x, low), top)        where x, the sum over the event's synapses, is not 0

    Args:
        network: its table.
        layer: its table.
        sample: its number.
        first: row that the event reached first.
        last: the row behind the last that it reached.
        part: of the step that has passed, for a leak by elapsed time.
    """
    N = layer[LAYER.num_neurons]
    row_size = N // layer[LAYER.num_rows]
    touched, reached = bytes_at(layer[LAYER.touched]), integers(layer[LAYER.reached])
    begins, ends = reached[0], reached[1]
    reached[0], reached[1] = row_size, 0
    kind = layer[LAYER.kind]
    v = reals(layer[LAYER.potential] + 4 * sample * N)
    n = 0
    for row in range(first, last):
        start, end = row * row_size + begins, row * row_size + ends
        if touched[row] != 0 and start < end:
            if kind == SPIKES:
                n = _update_spiking(network, layer, sample, v, start, end, part, n)
            elif kind == READS:
                _prepare(layer, sample, v, start, end, part)
                _charge(v, reals(layer[LAYER.current]), reals(layer[LAYER.gain]), start, end)
            else:
                n = _update_passing(network, layer, v, start, end, kind == LARGEST, n)
        touched[row] = 0
    return n


@inlined
def _update_spiking(
    network: Any, layer: Any, sample: Any, v: Any, start: Any, end: Any, part: Any, n: Any
) -> Any:
    _prepare(layer, sample, v, start, end, part)
    x, gain, low = reals(layer[LAYER.current]), reals(layer[LAYER.gain]), reals(layer[LAYER.low])
    threshold, top = reals(layer[LAYER.threshold]), reals(layer[LAYER.numbers])[0]
    while start < end:
        stop = min(start + BLOCK, end)
        hot = np.int32(0)
        for j in range(start, stop):
            u = min(max(v[j] + gain[j] * x[j], low[j]), top)
            v[j] = u
            hot |= np.int32(u >= threshold[j])
        if hot != 0:
            for j in range(start, stop):
                if x[j] != ZERO and v[j] >= threshold[j]:
                    n = _fire(network, layer, v, j, n)
        for j in range(start, stop):
            x[j] = ZERO
        start = stop
    return n


@inlined
def _prepare(layer: Any, sample: Any, v: Any, start: Any, end: Any, part: Any) -> None:
    """What comes before the potential takes what arrived: its leak, and the synaptic current."""
    if layer[LAYER.leak] == EXPONENTIAL:
        catch_up(layer, v, start, end, part)
    if layer[LAYER.synaptic] != 0:
        x, keep = reals(layer[LAYER.current]), reals(layer[LAYER.keep_synaptic])
        i = reals(layer[LAYER.synaptic] + 4 * sample * layer[LAYER.num_neurons])
        for j in range(start, end):
            x[j] *= keep[j]
            i[j] += x[j]


@inlined
def _charge(v: Any, x: Any, gain: Any, start: Any, end: Any) -> None:
    for j in range(start, end):
        v[j] += gain[j] * x[j]
        x[j] = ZERO


@inlined
def _update_passing(
    network: Any, layer: Any, v: Any, start: Any, end: Any, takes_largest: Any, n: Any
) -> Any:
    x = reals(layer[LAYER.current])
    for j in range(start, end):
        given = x[j]
        if takes_largest:
            given = max(given - v[j], ZERO)
            v[j] += given
        if given != ZERO:
            n = _note(network, n, j, 1, given)
        x[j] = ZERO
    return n


@inlined
def _fire(network: Any, layer: Any, v: Any, j: Any, n: Any) -> Any:
    """Neuron `j`, which is at its threshold.

    s = floor(v / threshold), or 1;   v = max(v - s cost, low), or the value of the reset
    """
    threshold, cost = reals(layer[LAYER.threshold])[j], reals(layer[LAYER.cost])[j]
    spikes = ONE
    if layer[LAYER.single] == 0:
        spikes = np.floor(v[j] / threshold)
        if layer[LAYER.limit] > 0:
            spikes = min(spikes, np.float32(layer[LAYER.limit]))
    left = reals(layer[LAYER.numbers])[1] if layer[LAYER.resets] != 0 else v[j] - spikes * cost
    v[j] = max(left, reals(layer[LAYER.low])[j])
    return _note(network, n, j, np.int64(min(spikes, MORE_THAN_ALLOWED)), ONE)


@inlined
def _note(network: Any, n: Any, j: Any, count: Any, value: Any) -> Any:
    integers(network[NETWORK.fired_index])[n] = j
    integers(network[NETWORK.fired_count])[n] = count
    reals(network[NETWORK.fired_value])[n] = value
    return n + 1


@called
def finish(layer: Any, signal: Any, sample: Any, of_step: Any) -> None:
    """The end of a step: neurons that never fire give out their potentials."""
    N = layer[LAYER.num_neurons]
    if layer[LAYER.kind] != READS:
        return
    v, low = reals(layer[LAYER.potential] + 4 * sample * N), reals(layer[LAYER.low])
    if layer[LAYER.leak] == EXPONENTIAL:
        bring_to_end(layer, v)
    total = reals(layer[LAYER.total] + 4 * sample * N)
    out = reals(signal[SIGNAL.frames] + 4 * of_step * N)
    for j in range(N):
        out[j] = v[j]
        total[j] += v[j]
        v[j] = max(v[j], low[j])


@inlined
def _clear(x: Any, size: Any) -> None:
    for j in range(size):
        x[j] = ZERO


@inlined
def _add(x: Any, size: Any, y: Any) -> None:
    for j in range(size):
        x[j] += y[j]
