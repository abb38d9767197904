"""Replay an hour of camera events through a network: `python benchmarks/hour_of_events.py [--minutes 60]`.

10^5 events a second on a sensor of 2 x 128 x 128, steps of 10 ms, made block by block. It prints, and writes to
`benchmarks/results/hour_of_events.json`, the time, whether memory stays flat, and whether nothing is lost:

- the first layer's SynOps are those that the events' places ask for, to the last one;
- the first ten seconds give the spikes of one call on their raster;
- the first minute, cut elsewhere, gives the same spikes again;
- 10^8 events in one push, over a quarter of an hour and all at one time: what memory that takes beside the events.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cases import Work
from benchmarks.record import RESULTS, surroundings
from benchmarks.tests_first import require_green
from picojoule import events, layers
from picojoule.data import Events, events_to_frames

RATE, DT_US, SIZE = 100_000, 10_000, (2, 128, 128)
BLOCK_S = 5  # seconds of events that are made and pushed at a time
SETTLED_S = 60  # after so long memory has to be flat


def model() -> nn.Sequential:
    """A small network for the sensor; weights are multiples of 2^-8, so that sums are exact."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(2, 8, 5, stride=2, padding=2, bias=False), layers.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), layers.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
        layers.SumPool2d(2),
        nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False), layers.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
        nn.Flatten(), nn.Linear(16 * 8 * 8, 10, bias=False), layers.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_((parameter * 2 * 256).round() / 256)
    return made


def block(number: int) -> Events:
    """The events of some seconds: a bright spot that wanders, and noise."""
    draws = np.random.default_rng(number)
    count = RATE * BLOCK_S
    t_us = np.sort(draws.integers(0, BLOCK_S * 10**6, count)) + number * BLOCK_S * 10**6
    phase = t_us * 1e-6
    is_spot = draws.random(count) < 0.5
    places = []
    for at in (64 + 40 * np.cos(phase), 64 + 40 * np.sin(0.7 * phase)):
        spot = np.clip(at + draws.normal(0, 6, count), 0, 127).astype(np.int64)
        places.append(np.where(is_spot, spot, draws.integers(0, 128, count)))
    columns = (t_us, *places, draws.integers(0, 2, count))
    return Events(*(torch.from_numpy(column) for column in columns))


def one_push(number: int, span_us: int) -> dict[str, Any]:
    """Many events in one push: how long it takes, the highest memory beside them, whether all are delivered.

    It needs a process of its own: memory that was freed before would hide what is taken.
    """
    torch.set_num_threads(1)
    network = events.compile(model(), torch.zeros(4, *SIZE))
    fields = [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "?")]
    given, draws = np.zeros(number, fields), np.random.default_rng(0)
    given["t"] = np.linspace(0, span_us, number, endpoint=False)
    for first in range(0, number, 10**7):
        count = len(given[first : first + 10**7])
        for name, size in zip("pyx", SIZE, strict=True):
            given[name][first : first + count] = draws.integers(0, size, count)
    fan, asked = synapses().numpy(), 0.0
    for first in range(0, number, 10**6):
        part = given[first : first + 10**6]
        asked += float(fan[part["p"].astype(np.int64), part["y"], part["x"]].sum())
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory counts from here
    before = rss_mib()
    stream, start = network.stream(dt_us=DT_US), time.perf_counter()
    stream.push(given)
    stream.flush()
    report = stream.report()
    (highest,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return {
        "events": number,
        "span_s": span_us / 10**6,
        "wall_s": round(time.perf_counter() - start, 2),
        "given_mib": round(given.nbytes / 2**20),
        "mib_beside_them": round(int(highest.split()[1]) / 2**10 - before, 1),
        "nothing_lost": (report.rows[0].synops_per_sample or 0.0) * report.samples == asked,
    }


def alone(function: Any, calls: list[tuple[int, int]]) -> list[Any]:
    """The results of calls, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return pool.starmap(function, calls, chunksize=1)


def synapses() -> Tensor:
    """Of the first layer, for each input."""
    layer = model()[0]
    ones = torch.ones(1, *SIZE, requires_grad=True)
    nn.functional.conv2d(ones, torch.ones_like(layer.weight), stride=2, padding=2).sum().backward()
    assert ones.grad is not None
    return ones.grad[0].double()


def cut(given: Events, every: int) -> Iterator[Events]:
    """Pieces of so many events."""
    for first in range(0, len(given.t_us), every):
        yield Events(*(column[first : first + every] for column in given))


def rss_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def replay(network: events.EventNetwork, seconds: int, every: int | None = None) -> dict[str, Any]:
    """Push some seconds of events; how long that took, what came of it, and memory."""
    stream = network.stream(dt_us=DT_US, peak_window_us=100 * DT_US)
    fan, asked, given, fired = synapses(), 0.0, 0, 0
    digest, memory, pushing_s, making_s, cpu_s = hashlib.sha256(), [], 0.0, 0.0, 0.0
    for number in range(seconds // BLOCK_S):
        start = time.perf_counter()
        made = block(number)
        asked += float(fan[made.p, made.y, made.x].sum())
        middle, begun = time.perf_counter(), time.process_time()
        pieces = [made] if every is None else cut(made, every)
        out = [stream.push(piece) for piece in pieces]
        if number == seconds // BLOCK_S - 1:
            out.append(stream.flush())
        cpu_s += time.process_time() - begun
        pushing_s += time.perf_counter() - middle
        making_s += middle - start
        given += len(made.t_us)
        for each in out:
            fired += len(each.t_us)
            digest.update(torch.stack(tuple(each)).T.contiguous().numpy().tobytes())
        if number * BLOCK_S >= min(SETTLED_S, seconds // 2):
            memory.append(rss_mib())
        if (number + 1) * BLOCK_S % 60 == 0:
            minutes = (number + 1) * BLOCK_S // 60
            print(f"{minutes} min of events, {pushing_s:.0f} s, {rss_mib():.1f} MiB", flush=True)
    report = stream.report()
    found = (report.rows[0].synops_per_sample or 0.0) * report.samples
    return {
        "seconds_of_events": seconds,
        "events": given,
        "wall_s": round(pushing_s, 2),
        "cpu_s": round(cpu_s, 2),
        "making_events_s": round(making_s, 2),
        "events_per_s": round(given / pushing_s),
        "events_per_cpu_s": round(given / cpu_s),
        "times_real_time": round(seconds / pushing_s, 1),
        "steps": stream.steps,
        "spikes_out": fired,
        "spikes_sha256": digest.hexdigest(),
        "rss_mib_lowest": round(min(memory), 1),
        "rss_mib_highest": round(max(memory), 1),
        "first_layer_synops": found,
        "first_layer_synops_asked": asked,
        "synops": report.synops_per_sample,
        "synops_per_wall_s": round(report.synops_per_sample / pushing_s),
        "peak_synops_per_second_in_1_s": stream.peak_synops_per_second(),
    }


def is_one_call(network: events.EventNetwork, seconds: int) -> bool:
    """Whether the first seconds give the spikes of one call on their raster, and of PyTorch."""
    parts = [block(number) for number in range(seconds // BLOCK_S)]
    given = Events(*(torch.cat(column) for column in zip(*parts, strict=True)))
    steps = seconds * 10**6 // DT_US
    stream = network.stream(dt_us=DT_US)
    out = [stream.push(piece) for piece in cut(given, 77_777)]
    out.append(stream.flush(seconds * 10**6))
    spikes = Events(*(torch.cat(column) for column in zip(*out, strict=True)))
    window_us = 0, seconds * 10**6
    raster = events_to_frames(given, steps, SIZE, window_us=window_us)
    found = events_to_frames(spikes, steps, (10,), window_us=window_us)
    with torch.inference_mode():
        expected = model()(raster)
    return torch.equal(found, expected) and torch.equal(network.fresh()(raster), expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one-push", type=int, default=10**8, help="events in one push")
    parser.add_argument("--no-tests", action="store_true", help="they ran a moment ago")
    given = parser.parse_args()
    if not given.no_tests:
        require_green([Work("hour_of_events", "", ("tests/events/test_stream.py",), ())])
    torch.set_num_threads(given.threads)
    about = surroundings()
    network = events.compile(model(), torch.zeros(4, *SIZE))
    checks = {"spikes_of_one_call_for_10_s": is_one_call(network, 10)}
    minute = min(60, given.minutes * 60)
    checks["reproducible_for_a_minute"] = (
        replay(network, minute, every=77_777)["spikes_sha256"]
        == replay(network, minute)["spikes_sha256"]
    )
    print(checks, flush=True)
    result = replay(network, given.minutes * 60)
    checks["nothing_lost"] = result["first_layer_synops"] == result["first_layer_synops_asked"]
    entry = {"work": "hour_of_events", **about, "threads": given.threads, **checks, **result}
    entry["one_push"] = alone(one_push, [(given.one_push, span) for span in (900 * 10**6, 1)])
    path = RESULTS / "hour_of_events.json"
    path.write_text(json.dumps(entry, indent=2) + "\n")
    print(json.dumps({**checks, **result, "one_push": entry["one_push"]}, indent=2))
    print(path)


if __name__ == "__main__":
    main()
