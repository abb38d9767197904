"""Seconds of a call on a GPU, by its own clock."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch

ROUNDS, WARM_UP = 30, 5
FLUSHED = 2**28  # bytes; more than any second-level cache
COPIED = 2**30


def captured(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call as a CUDA graph: the device's work without Python's."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            call()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def median_s(call: Callable[[], Any]) -> float:
    """Seconds of one call on the device."""
    flush = torch.empty(FLUSHED, dtype=torch.int8, device="cuda")
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(ROUNDS)]
    for _ in range(WARM_UP):
        call()
    for start, end in events:
        flush.zero_()
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events) / 1e3


def copy_bandwidth() -> float:
    """Bytes a second, read and written."""
    source = torch.empty(COPIED, dtype=torch.int8, device="cuda")
    target = torch.empty_like(source)
    return 2 * COPIED / median_s(lambda: target.copy_(source))
