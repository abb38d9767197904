"""From how many SynOps on a dense product is quicker, by layer: measured once on this machine, and kept on disk.

    time of a layer's events = a line through what was measured at a few activities, piece by piece
    limit: where it is the time of the dense product + of making what arrives dense - back             where events arrive
           where it is the time of the dense product + of poolings - of making events of it - back     where dense values do

`back` is the time to make the layer's own events dense for who hears it, beyond what it takes where they are: should the next layer take a
dense product, it comes on top.

Where a layer has sums of patterns, the number of spikes of a step from which on they are quicker comes first:

    time of a step by events = a + b n;   by patterns = c + d n;   break-even at n = (c - a) / (b - d)
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from picojoule.events.arrived import can_be_added_up
from picojoule.events.dense import arriving
from picojoule.events.engine import Engine
from picojoule.events.program import NEVER
from picojoule.ops.cpu.cache import keep, kept

RATES = 0.01, 0.05, 0.2  # activities at which a layer is measured
_REPEATS, _MOST_REPEATS, _LONG_ENOUGH_S = 3, 15, 0.02
# of all measurements, so that what else the machine does in one of them counts for nothing
_ROUNDS = 3
_FORMAT = 7


def set_limits(engine: Engine) -> None:
    """Measure the layers of an engine that nobody has measured in this size, and set their limits."""
    for stage, plan in enumerate(engine.plans):
        if plan.neurons.is_whole:  # PyTorch's potentials would not stop at the ends of the range
            continue
        name = f"break-even-{_key(engine, stage)}.json"
        known = kept(name)
        limits = _limits(engine, stage) if known is None else _Limits(*json.loads(known))
        if known is None:
            keep(name, json.dumps(limits).encode())
        engine.patterns_from[stage] = limits.patterns_from
        engine.limits[stage], engine.limits_of_frames[stage] = limits.of_events, limits.of_frames


class _Limits(NamedTuple):
    """Where the ways of a layer take as long."""

    of_events: float  # SynOps of a sample's steps, where events arrive
    of_frames: float  # the same, where dense values do
    patterns_from: int  # spikes of a step from which on sums of patterns are quicker


def _limits(engine: Engine, stage: int) -> _Limits:
    states = engine.states[stage]
    before = states.copied()
    try:
        fewest = _patterns_from(engine, stage)
        engine.patterns_from[stage] = fewest
        rounds = [_measured_once(engine, stage) for _ in range(_ROUNDS)]
    finally:
        states.put_back(before)
        engine.program.start()
    seconds = np.min([each for _, each in rounds], 0)
    points = list(zip(rounds[0][0], seconds[: len(RATES)].tolist(), strict=True))
    product, of_frames, of_events, to_events, back = seconds[len(RATES) :].tolist()
    spare = product + of_events - back, product + of_frames - to_events - back
    limit, limit_of_frames = (crossing(points, left_s) / engine.batch for left_s in spare)
    return _Limits(limit, limit_of_frames, fewest)


def _measured_once(engine: Engine, stage: int) -> tuple[list[float], list[float]]:
    """SynOps at each of `RATES`; and the seconds that they take, those of the dense way, and the way back."""
    generator = torch.Generator().manual_seed(0)  # the same spikes in each round
    points = [_measured(engine, stage, rate, generator) for rate in RATES]
    back_s = _back_s(engine, stage, generator)
    dense = _dense_s(engine, stage, generator)
    return [synops for synops, _ in points], [*(each for _, each in points), *dense, back_s]


def _patterns_from(engine: Engine, stage: int) -> int:
    """Spikes of a step from which on sums of patterns are quicker."""
    if all(edge.synapses.patterns is None for edge in engine.plans[stage].edges):
        return NEVER
    low, high = RATES[0], RATES[-1]
    rounds = []
    for _ in range(_ROUNDS):
        generator = torch.Generator().manual_seed(0)
        for fewest in (NEVER, 0):
            engine.patterns_from[stage] = fewest
            rounds.append([_measured(engine, stage, rate, generator)[1] for rate in (low, high)])
    few_s, many_s = map(float, np.min(rounds[::2], 0))
    few_p, many_p = map(float, np.min(rounds[1::2], 0))
    values = sum(
        math.prod(engine.graph.signal(source).shape)
        for source in {term.source for term in engine.graph.stages[stage].terms}
    )
    gained_s = (many_s - few_s) - (many_p - few_p)  # from the lower activity to the higher
    if gained_s <= 0:
        return NEVER
    rate = low + (high - low) * (few_p - few_s) / gained_s
    return max(math.ceil(rate * values), 1)


def crossing(points: list[tuple[float, float]], left_s: float) -> float:
    """SynOps at which a line through points of SynOps and seconds, piece by piece, has taken `left_s`; its ends go on straight.

    Example:
        >>> crossing([(0.0, 1.0), (10.0, 2.0), (30.0, 3.0)], 2.5), crossing([(1.0, 1.0), (2.0, 1.0)], 3.0)
        (20.0, inf)
    """
    pieces = list(pairwise(points))
    for number, ((few, few_s), (many, many_s)) in enumerate(pieces):
        if left_s <= many_s or number == len(pieces) - 1:
            if many_s <= few_s or many <= few:
                return 0.0 if left_s < few_s else math.inf
            return max(few + (left_s - few_s) * (many - few) / (many_s - few_s), 0.0)
    return math.inf


def _measured(
    engine: Engine, stage: int, rate: float, generator: torch.Generator
) -> tuple[float, float]:
    """SynOps of the batch, and seconds, at an activity of the layer's inputs."""
    for source in {term.source for term in engine.graph.stages[stage].terms}:
        engine.load_events(source, _random(engine, source, rate, generator))
    engine.limits[stage] = torch.inf
    everything = engine.everything
    engine.program.start()
    seconds = _shortest(lambda: engine.program.run(stage, everything, stage + 1))
    counts = engine.program.synops[stage]
    return sum(float(count.sum()) for count in counts), seconds


class _Dense(NamedTuple):
    """Seconds of the dense way.

    Attributes:
        product: of the product and the neurons.
        of_frames: of what arrives at the weights, where dense values come in.
        of_events: the same where events come in.
        to_events: of making events of dense values that come in.
    """

    product: float
    of_frames: float
    of_events: float
    to_events: float


def _dense_s(engine: Engine, stage: int, generator: torch.Generator) -> _Dense:
    whole = engine.graph.stages[stage]
    given = {t.source: _random(engine, t.source, RATES[-1], generator) for t in whole.terms}
    everything = engine.everything

    def of_frames() -> list[Tensor]:
        return [arriving(term, given[term.source]) for term in whole.terms]

    def to_events() -> None:
        for source, frames in given.items():
            engine.load_events(source, frames)

    inputs = of_frames()
    return _Dense(
        _shortest(lambda: engine.run_dense(stage, [*inputs], everything)),
        _shortest(of_frames),
        sum(_shortest(partial(_make_arrive, engine, stage, k)) for k in range(len(whole.terms))),
        _shortest(to_events),
    )


def _make_arrive(engine: Engine, stage: int, number: int) -> None:
    """What arrives at the weights of a stage's term, made of events."""
    whole, everything = engine.graph.stages[stage], engine.everything
    term = whole.terms[number]
    if can_be_added_up(whole, term):
        engine.arrived(stage, number, everything)
    else:
        arriving(term, engine.write_frames(term.source))


def _back_s(engine: Engine, stage: int, generator: torch.Generator) -> float:
    """Seconds more that it takes to make what the stage gives out dense for who hears it, where it gave out events."""
    own, total = stage + 1, 0.0
    if own == engine.graph.output:
        return _shortest(lambda: engine.write_frames(own))
    frames = _random(engine, own, RATES[0], generator)
    for later, whole in enumerate(engine.graph.stages):
        for k, term in enumerate(whole.terms):
            if term.source == own:
                of_events = _shortest(partial(_make_arrive, engine, later, k))
                total += max(of_events - _shortest(partial(arriving, term, frames)), 0.0)
    return total


def _random(engine: Engine, source: int, rate: float, generator: torch.Generator) -> Tensor:
    shape = engine.graph.signal(source).shape
    return (torch.rand(engine.batch, engine.steps, *shape, generator=generator) < rate).float()


def _shortest(run: Callable[[], Any]) -> float:
    times: list[float] = []
    while len(times) < _REPEATS or (len(times) < _MOST_REPEATS and sum(times) < _LONG_ENOUGH_S):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _key(engine: Engine, stage: int) -> str:
    """What the times depend on: the layer's geometry and strength, the size of the call, the threads and the machine."""
    import llvmlite.binding as llvm

    plan, shape = engine.plans[stage], engine.graph.stages[stage].signal.shape
    digest = hashlib.sha256()
    neurons, threads = plan.neurons, torch.get_num_threads()
    for part in (shape, neurons.kernel, neurons.plan, engine.batch, engine.steps, threads):
        digest.update(repr(part).encode())
    for part in (_FORMAT, torch.__version__, llvm.get_host_cpu_name()):
        digest.update(str(part).encode())
    for edge in plan.all_edges:
        for field in fields(edge.synapses):
            if field.name in ("patches", "patterns"):  # they follow from the others
                continue
            value = getattr(edge.synapses, field.name)
            arrays = value if isinstance(value, tuple) else (value,)
            for array in arrays:
                is_weights = field.name == "weights"
                digest.update(_strength(array) if is_weights else np.asarray(array).tobytes())
    return digest.hexdigest()[:32]


def _strength(weights: np.ndarray[Any, Any]) -> bytes:
    """The shape of weights, and how large they are, to a power of two: strong ones make more neurons fire."""
    size = float(np.sqrt(np.mean(np.square(weights, dtype=np.float64)))) if weights.size else 0.0
    return repr((weights.shape, round(math.log2(size)) if size > 0 else None)).encode()
