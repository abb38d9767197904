"""One layer, all time steps, some samples: deliver what arrives in a step, let neurons fire, write down what they give out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.kernels.advance import advance
from picojoule.events.kernels.emit import write_values
from picojoule.events.kernels.fire import fire_touched, leak_row, leak_where_events_arrive
from picojoule.events.kernels.pointers import doubles, integers, reals, wide
from picojoule.events.kernels.scatter import deliver
from picojoule.events.kernels.tables import EDGE, STAGE
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.parameters import constants, load_parameters, rows_of
from picojoule.ops.plan import Plan

ZERO = np.float32(0)


@inlined
def _count(stage: Any, sample: Any) -> Any:
    """SynOps of each step, written down for each bundle of synapses; returns their sum."""
    T, edges = stage[STAGE.num_steps], wide(stage[STAGE.edges])
    total = 0.0
    for k in range(stage[STAGE.num_edges]):
        edge = wide(edges[k])
        if edge[EDGE.synops] != 0:
            total += _count_edge(edge, sample, T)
    return total


@inlined
def _count_edge(edge: Any, sample: Any, T: Any) -> Any:
    start = 4 * sample * edge[EDGE.capacity]
    position, channel = integers(edge[EDGE.positions] + start), integers(edge[EDGE.channel] + start)
    values, offsets = reals(edge[EDGE.values] + start), integers(edge[EDGE.offsets])
    fan, synops = reals(edge[EDGE.fan]), doubles(edge[EDGE.synops])
    by_position, by_channel = edge[EDGE.fan_of_position], edge[EDGE.fan_of_channel]
    total = 0.0
    for t in range(T):
        of_step = 0.0
        for e in range(offsets[sample * (T + 1) + t], offsets[sample * (T + 1) + t + 1]):
            of_step += abs(values[e]) * fan[position[e] * by_position + channel[e] * by_channel]
        synops[sample * T + t] = of_step
        total += of_step
    return total


@inlined
def _deliver_all(stage: Any, sample: Any, t: Any, target: Any, lowest: Any, highest: Any) -> None:
    T, edges = stage[STAGE.num_steps], wide(stage[STAGE.edges])
    for k in range(stage[STAGE.num_edges]):
        edge = wide(edges[k])
        offsets = integers(edge[EDGE.offsets])
        first, last = offsets[sample * (T + 1) + t], offsets[sample * (T + 1) + t + 1]
        deliver(edge, sample, first, last, target, lowest, highest)


@inlined
def _stops(stage: Any, sample: Any) -> Any:
    """Whether a sample has stopped, or stops here since there is more to do than a dense product would take."""
    stopped = wide(stage[STAGE.stopped])
    if stopped[sample] < 0 and _count(stage, sample) > doubles(stage[STAGE.limit])[0]:
        stopped[sample] = stage[STAGE.number]
    return stopped[sample] >= 0


def touched(plan: Plan) -> Callable[..., None]:
    """A stage of neurons whose potentials only events change, see `fire`."""
    fire, load, rows, leaks = fire_touched(plan), load_parameters(plan), rows_of(plan), plan.leaks

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, R = (
            stage[STAGE.num_steps],
            stage[STAGE.num_neurons],
            stage[STAGE.channels],
            stage[STAGE.num_rows],
        )
        which, edges, powers = (
            wide(stage[STAGE.which]),
            wide(stage[STAGE.edges]),
            reals(stage[STAGE.powers]),
        )
        p, numbers = rows(), constants(reals(stage[STAGE.constants]))
        load(reals(stage[STAGE.parameters]), 0, N, 1, p)
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            v, fired = (
                reals(stage[STAGE.potential] + 4 * sample * N),
                reals(stage[STAGE.fired] + 4 * sample * N),
            )
            lowest, highest = (
                integers(stage[STAGE.lowest] + 4 * sample * R),
                integers(stage[STAGE.highest] + 4 * sample * R),
            )
            latest = integers(stage[STAGE.latest] + 4 * sample * R)
            out = 4 * sample * stage[STAGE.capacity]
            positions, channel = (
                integers(stage[STAGE.positions] + out),
                integers(stage[STAGE.channel] + out),
            )
            values, offsets = (
                reals(stage[STAGE.values] + out),
                integers(stage[STAGE.offsets] + 4 * sample * (T + 1)),
            )
            at = 0
            for row in range(R):
                latest[row] = 0
            for t in range(T):
                offsets[t] = at
                if leaks:
                    for row in range(R):
                        if highest[row] > 0:
                            leak_row(v, row, N // R, t + 1, latest, powers)
                    for m in range(stage[STAGE.num_edges]):
                        edge = wide(edges[m])
                        arrived = integers(edge[EDGE.offsets] + 4 * (sample * (T + 1) + t))
                        leak_where_events_arrive(
                            edge, sample, arrived[0], arrived[1], v, N // R, t + 1, latest, powers
                        )
                _deliver_all(stage, sample, t, v, lowest, highest)
                at = fire(
                    v,
                    R,
                    N // R,
                    C,
                    lowest,
                    highest,
                    p,
                    numbers,
                    fired,
                    at,
                    positions,
                    channel,
                    values,
                )
            offsets[T] = at
            if leaks:
                for row in range(R):
                    leak_row(v, row, N // R, T, latest, powers)

    return run


def stepped(plan: Plan) -> Callable[..., None]:
    """A stage of any other neurons: each of them takes each step."""
    advance_all, is_recurrent = advance(plan), plan.stepped

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, R = (
            stage[STAGE.num_steps],
            stage[STAGE.num_neurons],
            stage[STAGE.channels],
            stage[STAGE.num_rows],
        )
        which = wide(stage[STAGE.which])
        p, c = reals(stage[STAGE.parameters]), reals(stage[STAGE.constants])
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            own = 4 * sample * N
            v, i, b = (
                reals(stage[STAGE.potential] + own),
                reals(stage[STAGE.synaptic] + own),
                reals(stage[STAGE.trace] + own),
            )
            r, x, s = (
                reals(stage[STAGE.feedback] + own),
                reals(stage[STAGE.current] + own),
                reals(stage[STAGE.output] + own),
            )
            fired = reals(stage[STAGE.fired] + own)
            lowest, highest = (
                integers(stage[STAGE.lowest] + 4 * sample * R),
                integers(stage[STAGE.highest] + 4 * sample * R),
            )
            out = 4 * sample * stage[STAGE.capacity]
            positions, channel = (
                integers(stage[STAGE.positions] + out),
                integers(stage[STAGE.channel] + out),
            )
            values, offsets = (
                reals(stage[STAGE.values] + out),
                integers(stage[STAGE.offsets] + 4 * sample * (T + 1)),
            )
            at = 0
            for t in range(T):
                offsets[t] = at
                _set_to(x, N, stage[STAGE.bias])
                _deliver_all(stage, sample, t, x, lowest, highest)
                advance_all(N, x, r, v, i, b, p, c, s)
                at = write_values(s, N, C, fired, at, positions, channel, values)
                if is_recurrent:
                    _set_to(r, N, stage[STAGE.recurrent_bias])
                    own_spikes = wide(stage[STAGE.recurrent])
                    deliver(own_spikes, sample, offsets[t], at, r, lowest, highest)
            offsets[T] = at
            if is_recurrent:
                _count_edge(wide(stage[STAGE.recurrent]), sample, T)

    return run


def passing() -> Callable[..., None]:
    """A stage without neurons: what arrives in a step is given out, added up."""

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, R = (
            stage[STAGE.num_steps],
            stage[STAGE.num_neurons],
            stage[STAGE.channels],
            stage[STAGE.num_rows],
        )
        which = wide(stage[STAGE.which])
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            x, fired = (
                reals(stage[STAGE.current] + 4 * sample * N),
                reals(stage[STAGE.fired] + 4 * sample * N),
            )
            lowest, highest = (
                integers(stage[STAGE.lowest] + 4 * sample * R),
                integers(stage[STAGE.highest] + 4 * sample * R),
            )
            out = 4 * sample * stage[STAGE.capacity]
            positions, channel = (
                integers(stage[STAGE.positions] + out),
                integers(stage[STAGE.channel] + out),
            )
            values, offsets = (
                reals(stage[STAGE.values] + out),
                integers(stage[STAGE.offsets] + 4 * sample * (T + 1)),
            )
            at = 0
            for t in range(T):
                offsets[t] = at
                _set_to(x, N, stage[STAGE.bias])
                _deliver_all(stage, sample, t, x, lowest, highest)
                at = write_values(x, N, C, fired, at, positions, channel, values)
            offsets[T] = at

    return run


@inlined
def _set_to(x: Any, N: Any, bias: Any) -> None:
    if bias == 0:
        for j in range(N):
            x[j] = ZERO
    else:
        b = reals(bias)
        for j in range(N):
            x[j] = b[j]
