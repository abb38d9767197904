"""Neurons whose potential changes by events alone: integrate-and-fire, and a leak that all neurons share.

Only rows that were touched are looked at, and of a row only the part that was touched. A leak is carried through for
a row when an event reaches it: alpha^k for k steps, instead of k multiplications.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from picojoule.events.kernels.emit import BLOCK, write_event
from picojoule.events.kernels.pointers import integers
from picojoule.events.kernels.tables import EDGE
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.parameters import reader
from picojoule.ops.plan import LIMIT, MIN_V_MEM, RESET_VALUE, THRESHOLD, Plan


@functools.cache
def fire_touched(plan: Plan) -> Any:
    """A function that lets the touched neurons of a step fire, and says how many events there are now."""
    pieces, bounded, parameter = membrane(plan), plan.bounded, reader(True)
    count, cost_now, after_reset = pieces.count, pieces.cost_now, pieces.after_reset

    @inlined
    def fire(
        v: Any, num_rows: Any, row_size: Any, channels: Any, lowest: Any, highest: Any, p: Any, c: Any, fired: Any,
        at: Any, positions: Any, channel: Any, values: Any,
    ) -> Any:  # fmt: skip
        threshold = parameter(p, THRESHOLD, 0)
        cost = cost_now(threshold, p, 0)
        for row in range(num_rows):
            start, end = row * row_size + lowest[row], row * row_size + highest[row]
            lowest[row], highest[row] = row_size, 0
            while start < end:
                stop = min(start + BLOCK, end)
                if bounded:
                    for j in range(start, stop):
                        v[j] = max(v[j], parameter(p, MIN_V_MEM, 0)) if v[j] < threshold else v[j]
                hot = np.int32(0)
                if stop - start == BLOCK:
                    for q in range(BLOCK):
                        hot |= np.int32(v[start + q] >= threshold)
                else:
                    for j in range(start, stop):
                        hot |= np.int32(v[j] >= threshold)
                if hot != 0:
                    for j in range(start, stop):
                        if v[j] >= threshold:
                            spikes = count(v[j], threshold, c[LIMIT])
                            v[j] = after_reset(v[j], spikes, cost, c[RESET_VALUE])
                            if bounded:
                                v[j] = max(v[j], parameter(p, MIN_V_MEM, 0))
                            if (
                                v[j] >= threshold
                            ):  # it will fire again: it is looked at in the next step
                                place = j - row * row_size
                                lowest[row] = min(lowest[row], place)
                                highest[row] = max(highest[row], place + 1)
                            fired[j] += spikes
                            write_event(j, spikes, channels, at, positions, channel, values)
                            at += 1
                start = stop
        return at

    return fire


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
