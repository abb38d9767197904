"""One layer, all time steps, some samples: deliver what arrives in a step, let neurons fire, write down what they give out."""

# More than 250 lines: the three kinds of stage share their memory, and are read side by side.

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.kernels.advance import advance
from picojoule.events.kernels.arithmetic import REALS, Arithmetic
from picojoule.events.kernels.emit import write_values
from picojoule.events.kernels.fire import fire_touched, leak_row, leak_where_events_arrive
from picojoule.events.kernels.patterns import ONE, add_patterns, count_ones, write_codes
from picojoule.events.kernels.pointers import bytes_at, doubles, integers, reals, wide
from picojoule.events.kernels.rows import adding_all
from picojoule.events.kernels.scatter import deliver, delivering
from picojoule.events.kernels.tables import EDGE, STAGE
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.parameters import constants, load_parameters, rows_of
from picojoule.ops.plan import Plan

ZERO = np.float32(0)


def touched(plan: Plan, arithmetic: Arithmetic = REALS) -> Callable[..., None]:
    """A stage of neurons whose potentials only events change, see `fire`; of whole numbers, a bias, too."""
    fire, load, rows = fire_touched(plan, arithmetic), load_parameters(plan), rows_of(plan)
    potentials_at, size, deliver_all = arithmetic.at, arithmetic.size, _delivering_all(arithmetic)
    is_whole, add_all = arithmetic is not REALS, adding_all(arithmetic)
    leaks = plan.leaks and not is_whole

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, R = _sizes(stage)
        row_size, which, powers = N // R, wide(stage[STAGE.which]), reals(stage[STAGE.powers])
        numbers = constants(reals(stage[STAGE.constants]))
        p = load(reals(stage[STAGE.parameters]), 0, N, 1, rows())
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            v = potentials_at(stage[STAGE.potential] + size * sample * N)
            fired, touched, reached = _neurons(stage, sample)
            offsets, positions, channel, values = _events(stage, sample)
            latest = integers(stage[STAGE.latest] + 4 * sample * R)
            _clear(latest, R)
            at = 0
            for t in range(T):
                offsets[t] = at
                if leaks:
                    _leak(stage, sample, t, v, R, row_size, touched, latest, powers)
                if is_whole and stage[STAGE.bias] != 0:
                    add_all(N, v, potentials_at(stage[STAGE.bias]))
                    _reach_all(touched, reached, R, row_size)
                deliver_all(stage, sample, t, v, touched, reached)
                at = fire(
                    v, R, row_size, C, touched, reached, p, numbers, fired,
                    at, positions, channel, values,
                )  # fmt: skip
            offsets[T] = at
            if leaks:
                for row in range(R):
                    leak_row(v, row, row_size, T, latest, powers)

    return run


def stepped(plan: Plan) -> Callable[..., None]:
    """A stage of any other neurons: each of them takes each step."""
    advance_all, is_recurrent = advance(plan), plan.stepped

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, _ = _sizes(stage)
        which, p, c = (
            wide(stage[STAGE.which]),
            reals(stage[STAGE.parameters]),
            reals(stage[STAGE.constants]),
        )
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            x = _own(stage[STAGE.current], sample, N)
            fired, touched, reached = _neurons(stage, sample)
            v, i, b = (
                _own(stage[STAGE.potential], sample, N),
                _own(stage[STAGE.synaptic], sample, N),
                _own(stage[STAGE.trace], sample, N),
            )
            r, s = _own(stage[STAGE.feedback], sample, N), _own(stage[STAGE.output], sample, N)
            offsets, positions, channel, values = _events(stage, sample)
            at = 0
            for t in range(T):
                offsets[t] = at
                _set_to(x, N, stage[STAGE.bias])
                _deliver_all(stage, sample, t, x, touched, reached)
                advance_all(N, x, r, v, i, b, p, c, s)
                at = write_values(s, N, C, fired, at, positions, channel, values)
                if is_recurrent:
                    _set_to(r, N, stage[STAGE.recurrent_bias])
                    to_itself = wide(stage[STAGE.recurrent])
                    deliver(to_itself, sample, offsets[t], at, r, touched, reached)
            offsets[T] = at
            if is_recurrent:
                _count_edge(wide(stage[STAGE.recurrent]), sample, T)

    return run


def passing() -> Callable[..., None]:
    """A stage without neurons: what arrives in a step is given out, added up."""

    def run(first: Any, last: Any, table: Any) -> None:
        stage = wide(table)
        T, N, C, _ = _sizes(stage)
        which = wide(stage[STAGE.which])
        for k in range(first, last):
            sample = which[k]
            if _stops(stage, sample):
                continue
            x = _own(stage[STAGE.current], sample, N)
            fired, touched, reached = _neurons(stage, sample)
            offsets, positions, channel, values = _events(stage, sample)
            at = 0
            for t in range(T):
                offsets[t] = at
                _set_to(x, N, stage[STAGE.bias])
                _deliver_all(stage, sample, t, x, touched, reached)
                at = write_values(x, N, C, fired, at, positions, channel, values)
            offsets[T] = at

    return run


# ---- memory


@inlined
def _sizes(stage: Any) -> Any:
    return (
        stage[STAGE.num_steps],
        stage[STAGE.num_neurons],
        stage[STAGE.channels],
        stage[STAGE.num_rows],
    )


@inlined
def _own(array: Any, sample: Any, size: Any) -> Any:
    """A sample's part of an array of reals."""
    return reals(array + 4 * sample * size)


@inlined
def _neurons(stage: Any, sample: Any) -> Any:
    """What was given out, and the notes of what was reached."""
    N, R = stage[STAGE.num_neurons], stage[STAGE.num_rows]
    touched = bytes_at(stage[STAGE.touched] + sample * (R + 8))
    reached = integers(stage[STAGE.reached] + 8 * sample)
    return _own(stage[STAGE.fired], sample, N), touched, reached


@inlined
def _events(stage: Any, sample: Any) -> Any:
    """Where the events go that a sample gives out."""
    start = 4 * sample * stage[STAGE.capacity]
    offsets = integers(stage[STAGE.offsets] + 4 * sample * (stage[STAGE.num_steps] + 1))
    positions, channel = (
        integers(stage[STAGE.positions] + start),
        integers(stage[STAGE.channel] + start),
    )
    return offsets, positions, channel, reals(stage[STAGE.values] + start)


@inlined
def _set_to(x: Any, size: Any, bias: Any) -> None:
    if bias == 0:
        for j in range(size):
            x[j] = ZERO
    else:
        b = reals(bias)
        for j in range(size):
            x[j] = b[j]


@inlined
def _clear(numbers: Any, size: Any) -> None:
    for j in range(size):
        numbers[j] = 0


# ---- what arrives


@inlined
def _arrived(edge: Any, sample: Any, t: Any, steps: Any) -> Any:
    """The first event of a step, and the first behind it."""
    offsets = integers(edge[EDGE.offsets] + 4 * (sample * (steps + 1) + t))
    return offsets[0], offsets[1]


@functools.cache
def _delivering_all(arithmetic: Arithmetic) -> Any:
    """A function that delivers all that arrives in a step."""
    deliver_some, with_patterns = delivering(arithmetic), arithmetic is REALS

    @inlined
    def deliver_all(
        stage: Any, sample: Any, t: Any, target: Any, touched: Any, reached: Any
    ) -> None:
        edges = wide(stage[STAGE.edges])
        for k in range(stage[STAGE.num_edges]):
            edge = wide(edges[k])
            first, last = _arrived(edge, sample, t, stage[STAGE.num_steps])
            by_patterns = False
            if with_patterns:
                by_patterns = _are_many(edge, sample, first, last)
                if by_patterns:
                    _deliver_patterns(stage, edge, sample, first, last, target, touched, reached)
            values = reals(edge[EDGE.values] + 4 * sample * edge[EDGE.capacity])
            while first < last:
                stop = last
                if by_patterns:  # what is left are values other than 1, one by one
                    while first < last and values[first] == ONE:
                        first += 1
                    stop = min(first + 1, last)
                deliver_some(edge, sample, first, stop, target, touched, reached)
                first = stop

    return deliver_all


_deliver_all = _delivering_all(REALS)


@inlined
def _are_many(edge: Any, sample: Any, first: Any, last: Any) -> Any:
    """Whether there are so many spikes that sums of patterns are quicker."""
    if edge[EDGE.patterns] == 0:
        return False
    fewest = wide(edge[EDGE.patterns_from])[0]
    return last - first >= fewest and count_ones(edge, sample, first, last) >= fewest


@inlined
def _deliver_patterns(
    stage: Any, edge: Any, sample: Any, first: Any, last: Any, target: Any, touched: Any, reached: Any
) -> None:  # fmt: skip
    rows = stage[STAGE.num_rows]
    row_size = stage[STAGE.num_neurons] // rows
    write_codes(edge, sample, first, last)
    add_patterns(edge, sample, target, rows, row_size)
    _reach_all(touched, reached, rows, row_size)


@inlined
def _reach_all(touched: Any, reached: Any, rows: Any, row_size: Any) -> None:
    for row in range(rows):
        touched[row] = 1
    reached[0], reached[1] = 0, row_size


@inlined
def _leak(
    stage: Any, sample: Any, t: Any, v: Any, num_rows: Any, row_size: Any, touched: Any, latest: Any, powers: Any
) -> None:  # fmt: skip
    """Bring the rows up to this step that somebody will look at."""
    for row in range(num_rows):
        if touched[row] != 0:
            leak_row(v, row, row_size, t + 1, latest, powers)
    edges = wide(stage[STAGE.edges])
    for k in range(stage[STAGE.num_edges]):
        edge = wide(edges[k])
        first, last = _arrived(edge, sample, t, stage[STAGE.num_steps])
        leak_where_events_arrive(edge, sample, first, last, v, row_size, t + 1, latest, powers)


# ---- counting


@inlined
def _stops(stage: Any, sample: Any) -> Any:
    """Whether a sample has stopped, or stops here since there is more to do than a dense product would take."""
    stopped = wide(stage[STAGE.stopped])
    if stopped[sample] < 0 and _count(stage, sample) > doubles(stage[STAGE.limit])[0]:
        stopped[sample] = stage[STAGE.number]
    return stopped[sample] >= 0


@inlined
def _count(stage: Any, sample: Any) -> Any:
    """SynOps of each step, written down for each bundle of synapses; returns their sum."""
    edges, total = wide(stage[STAGE.edges]), 0.0
    for k in range(stage[STAGE.num_edges]):
        total += _count_edge(wide(edges[k]), sample, stage[STAGE.num_steps])
    return total


@inlined
def _count_edge(edge: Any, sample: Any, steps: Any) -> Any:
    start = 4 * sample * edge[EDGE.capacity]
    position, channel = integers(edge[EDGE.positions] + start), integers(edge[EDGE.channel] + start)
    values, fan, synops = (
        reals(edge[EDGE.values] + start),
        reals(edge[EDGE.fan]),
        doubles(edge[EDGE.synops]),
    )
    by_position, by_channel = edge[EDGE.fan_of_position], edge[EDGE.fan_of_channel]
    total = 0.0
    for t in range(steps):
        first, last = _arrived(edge, sample, t, steps)
        of_step = 0.0
        for e in range(first, last):
            of_step += abs(values[e]) * fan[position[e] * by_position + channel[e] * by_channel]
        synops[sample * steps + t] = of_step
        total += of_step
    return total
