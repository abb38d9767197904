"""Neurons whose potential changes by events alone: integrate-and-fire, and a leak that all neurons share.

Only rows that were touched are looked at, and of a row only the part that was touched. A leak is carried through for
a row when an event reaches it: alpha^k for k steps, instead of k multiplications.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from picojoule.events.kernels.arithmetic import Arithmetic
from picojoule.events.kernels.pointers import integers
from picojoule.events.kernels.tables import EDGE, VECTOR
from picojoule.events.kernels.vectors import BLOCK, lowest_lane
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.parameters import reader
from picojoule.ops.plan import LIMIT, MIN_V_MEM, RESET_VALUE, THRESHOLD, Plan


@functools.cache
def fire_touched(plan: Plan, arithmetic: Arithmetic) -> Any:
    """A function that lets the neurons fire that were reached, and says how many events there are now."""
    fire_those, bounded, parameter = _fire_those(plan, arithmetic), plan.bounded, reader(True)
    number, at_threshold = arithmetic.from_real, _at_threshold(arithmetic)

    @inlined
    def fire(
        v: Any, num_rows: Any, row_size: Any, channels: Any, touched: Any, reached: Any, p: Any, c: Any, fired: Any,
        at: Any, positions: Any, channel: Any, values: Any,
    ) -> Any:  # fmt: skip
        threshold = number(parameter(p, THRESHOLD, 0))
        lowest, highest = reached[0] // BLOCK * BLOCK, reached[1]
        reached[0], reached[1] = row_size, 0
        for row in range(num_rows):
            if touched[row] == 0:
                continue
            touched[row] = 0
            start = lowest
            while start < highest:
                size = min(BLOCK if start + BLOCK <= row_size else VECTOR, row_size - start)
                first = row * row_size + start
                if bounded:
                    _raise_to(number(parameter(p, MIN_V_MEM, 0)), v, first, first + size)
                bits = at_threshold(v, first, size, threshold)
                if bits != 0:
                    at, again = fire_those(
                        v, first, bits, channels, p, c, fired, at, positions, channel, values
                    )
                    if again:  # it will fire again: it is looked at in the next step
                        touched[row] = 2
                        reached[0], reached[1] = (
                            min(reached[0], start),
                            max(reached[1], start + size),
                        )
                start += size
        return at

    return fire


@functools.cache
def _fire_those(plan: Plan, arithmetic: Arithmetic) -> Any:
    """A function that lets neurons fire that are at their threshold; whether one is still, too."""
    pieces, bounded, parameter = membrane(plan), plan.bounded, reader(True)
    number = arithmetic.from_real
    count, cost_now, after_reset = pieces.count, pieces.cost_now, pieces.after_reset

    @inlined
    def fire_those(
        v: Any, first: Any, bits: Any, channels: Any, p: Any, c: Any, fired: Any,
        at: Any, positions: Any, channel: Any, values: Any,
    ) -> Any:  # fmt: skip
        threshold = parameter(p, THRESHOLD, 0)
        cost, again = cost_now(threshold, p, 0), False
        position = np.int32(first) // np.int32(channels)
        own = first - position * channels
        while bits != 0:
            lane = lowest_lane(bits)
            bits &= bits - 1
            j = first + lane
            potential = np.float32(v[j])
            spikes = count(potential, threshold, c[LIMIT])
            potential = after_reset(potential, spikes, cost, c[RESET_VALUE])
            if bounded:
                potential = max(potential, parameter(p, MIN_V_MEM, 0))
            again |= potential >= threshold
            v[j] = number(potential)
            fired[j] += spikes
            beyond = own + lane
            while beyond >= channels:
                beyond, position, own = beyond - channels, position + 1, own - channels
            positions[at], channel[at], values[at] = position, beyond, spikes
            at += 1
        return at, again

    return fire_those


@functools.cache
def _at_threshold(arithmetic: Arithmetic) -> Any:
    """A function: which of a block, of a vector, or of fewer are at the threshold, as bits."""
    reach, reach_block = arithmetic.reach, arithmetic.reach_block

    @inlined
    def at_threshold(v: Any, first: Any, size: Any, threshold: Any) -> Any:
        if size == BLOCK:
            return reach_block(v, first, threshold)
        if size == VECTOR:
            return reach(v, first, threshold)
        bits = 0
        for lane in range(size):
            if v[first + lane] >= threshold:
                bits |= 1 << lane
        return bits

    return at_threshold


@inlined
def _raise_to(low: Any, v: Any, first: Any, last: Any) -> None:
    """The lower bound, which a reset keeps; a neuron that fires is above it."""
    for j in range(first, last):
        v[j] = max(v[j], low)


@inlined
def leak_row(v: Any, row: Any, row_size: Any, steps: Any, latest: Any, powers: Any) -> None:
    """Carry the leak of a row through to the end of so many steps."""
    missing = steps - latest[row]
    if missing > 0:
        factor = powers[missing]
        for j in range(row * row_size, (row + 1) * row_size):
            v[j] *= factor
        latest[row] = steps


@inlined
def leak_where_events_arrive(
    edge: Any, sample: Any, first: Any, last: Any,
    v: Any, row_size: Any, steps: Any, latest: Any, powers: Any,
) -> None:  # fmt: skip
    """Before events are delivered: the rows that they reach are brought up to this step."""
    position = integers(edge[EDGE.positions] + 4 * sample * edge[EDGE.capacity])
    outer_of, outer_first = integers(edge[EDGE.outer_of]), integers(edge[EDGE.outer_first])
    outer_row = integers(edge[EDGE.outer_row])
    for e in range(first, last):
        outer = outer_of[position[e]]
        for k in range(outer_first[outer], outer_first[outer + 1]):
            leak_row(v, outer_row[k], row_size, steps, latest, powers)
