"""From how many SynOps on a dense product is quicker, by layer: measured once on this machine, and kept on disk.

    time of a layer's events = fixed + each * SynOps
    limit = (time of the dense product + of making what arrives dense - fixed - back) / each        where events arrive
    limit = (time of the dense product - of making events of it       - fixed - back) / each        where dense values do

`back` is the time to make the layer's own events dense: should the next layer take a dense product, it comes on top.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.events.dense import arriving, run_dense
from picojoule.events.engine import Engine
from picojoule.ops.cpu.cache import keep, kept

FEW, MANY = 0.01, 0.2  # activities at which a layer is measured
_REPEATS = 3
_FORMAT = 4


def set_limits(engine: Engine) -> None:
    """Measure the layers of an engine that nobody has measured in this size, and set their limits."""
    for stage in range(len(engine.plans)):
        name = f"break-even-{_key(engine, stage)}.json"
        known = kept(name)
        limits = _limits(engine, stage) if known is None else json.loads(known)
        if known is None:
            keep(name, json.dumps(limits).encode())
        engine.limits[stage], engine.limits_of_frames[stage] = limits


def _limits(engine: Engine, stage: int) -> list[float]:
    """SynOps of a sample's steps at which both ways take as long: of events that arrive, and of dense values."""
    states = engine.states[stage]
    before = states.copied()
    generator = torch.Generator().manual_seed(0)
    try:
        (few, few_s), (many, many_s) = (
            _measured(engine, stage, rate, generator) for rate in (FEW, MANY)
        )
        back_s = _shortest(lambda: engine.write_frames(stage + 1))
        dense_s, to_events_s, to_frames_s = _dense_s(engine, stage, generator)
    finally:
        states.put_back(before)
        engine.program.start()
    if many <= few:
        return [float("inf")] * 2
    each_s = max(many_s - few_s, 1e-9) / (many - few)
    own_s = dense_s - (few_s - each_s * few) - back_s
    spare = own_s + to_frames_s, own_s - to_events_s
    return [max(left_s, 0.0) / each_s / engine.batch for left_s in spare]


def _measured(
    engine: Engine, stage: int, rate: float, generator: torch.Generator
) -> tuple[float, float]:
    """SynOps of the batch, and seconds, at an activity of the layer's inputs."""
    for source in {term.source for term in engine.graph.stages[stage].terms}:
        engine.load_events(source, _random(engine, source, rate, generator))
    engine.limits[stage] = torch.inf
    everything = torch.arange(engine.batch)
    engine.program.start()
    seconds = _shortest(lambda: engine.program.run(stage, everything, stage + 1))
    counts = engine.program.synops[stage]
    return sum(float(count.sum()) for count in counts), seconds


def _dense_s(engine: Engine, stage: int, generator: torch.Generator) -> tuple[float, float, float]:
    """Seconds of the dense product, of making events of what arrives, and of making that dense again."""
    whole = engine.graph.stages[stage]
    given = {t.source: _random(engine, t.source, MANY, generator) for t in whole.terms}
    everything = torch.arange(engine.batch)

    def run() -> None:
        inputs = [arriving(term, given[term.source]) for term in whole.terms]
        run_dense(whole, inputs, engine.batch, engine.states[stage], everything)

    def make_events() -> None:
        for source, frames in given.items():
            engine.load_events(source, frames)

    def make_frames() -> None:
        for source in given:
            engine.write_frames(source)

    return _shortest(run), _shortest(make_events), _shortest(make_frames)


def _random(engine: Engine, source: int, rate: float, generator: torch.Generator) -> Tensor:
    shape = engine.graph.signal(source).shape
    return (torch.rand(engine.batch, engine.steps, *shape, generator=generator) < rate).float()


def _shortest(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _key(engine: Engine, stage: int) -> str:
    """What the times depend on: the layer's geometry and strength, the size of the call, the threads and the machine."""
    import llvmlite.binding as llvm

    plan, signal = engine.plans[stage], engine.graph.stages[stage].signal
    digest = hashlib.sha256()
    threads = torch.get_num_threads()
    for part in (
        signal.shape,
        plan.neurons.kernel,
        plan.neurons.plan,
        engine.batch,
        engine.steps,
        threads,
    ):
        digest.update(repr(part).encode())
    for part in (_FORMAT, torch.__version__, llvm.get_host_cpu_name()):
        digest.update(str(part).encode())
    for edge in plan.all_edges:
        for field in fields(edge.synapses):
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
