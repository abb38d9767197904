"""LIF on a GPU against the bandwidth of its memory: `python benchmarks/gpu.py`. Needs CUDA and Triton.

The tests of the kernels run first. A share is that of the copy bandwidth, measured in the same run, over the
bytes that have to move: forward x and s, backward x, the gradient of s and that of x. What a kernel moves beyond
them counts against it. Times are CUDA events around single calls, medians, caches flushed in between.
A recurrent LIF, whose steps wait for one another, is timed beside the reference, and captured in a CUDA graph.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, WARM_UP = 30, 5
FLUSHED = 2**28  # bytes; more than any second-level cache
COPIED = 2**30
SHAPES = [
    (16, 100, 4096),
    (64, 100, 9216),
    (1, 25, 65536),
    (32, 400, 8192),
]  # batch, steps, neurons
DTYPES = [torch.float32, torch.bfloat16]
TAU_MEM = 20.0
RECURRENT = (64, 100, 512)  # batch, steps, neurons
RECURRENT_WAYS = ("reference", "triton", "triton, in a CUDA graph")


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


def picojoule(x: Tensor) -> Callable[[], Tensor]:
    """One call of our LIF, by name: it is the kernels or an error."""
    from picojoule.ops import lif

    return lambda: lif(x, alpha_mem=1 - 1 / TAU_MEM, impl="triton").spikes


def spikingjelly(x: Tensor) -> Callable[[], Tensor]:
    """One call of SpikingJelly's LIF in Triton, on time-first memory as it wants it."""
    os.environ["SJ_LIF_CUDA_IMPLEMENTATION"] = "triton"  # by name: an error if it cannot run
    from spikingjelly.activation_based import neuron

    layer = neuron.LIFNode(TAU_MEM, decay_input=False, v_reset=None, step_mode="m")

    def call() -> Tensor:
        layer.reset()
        return layer(x)

    return call


def measured(name: str, shape: tuple[int, int, int], dtype: torch.dtype) -> dict[str, Any]:
    """Times and shares of the bandwidth of one implementation, or why it has none."""
    batch, steps, neurons = shape
    lead = (batch, steps) if name == "picojoule" else (steps, batch)
    x = torch.rand(*lead, neurons, dtype=dtype, device="cuda", requires_grad=True)
    gradient = torch.rand_like(x)
    entry = {"implementation": name, "shape": shape, "dtype": str(dtype).removeprefix("torch.")}
    try:
        call = picojoule(x) if name == "picojoule" else spikingjelly(x)
        with torch.no_grad():
            forward_s = median_s(call)
        both_s = median_s(lambda: torch.autograd.grad(call(), x, gradient))
    except Exception as error:
        if name == "picojoule":
            raise
        return {**entry, "failure": f"{type(error).__name__}: {error}"}
    once = x.numel() * x.element_size()
    return {
        **entry,
        "forward_ms": 1e3 * forward_s,
        "both_ms": 1e3 * both_s,
        "forward_gb_s": 2 * once / forward_s / 1e9,
        "both_gb_s": 5 * once / both_s / 1e9,
    }


def recurrent_calls(
    impl: str, dtype: torch.dtype, device: str = "cuda"
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Forward without gradients, and forward with backward, of a LIF fed back through a Linear."""
    from picojoule.ops import lif

    x = torch.rand(*RECURRENT, dtype=dtype, device=device, requires_grad=True)
    connect = nn.Linear(RECURRENT[2], RECURRENT[2], dtype=dtype, device=device)
    gradient, leaves = torch.rand_like(x), (x, *connect.parameters())

    def call() -> Tensor:
        return lif(x, alpha_mem=1 - 1 / TAU_MEM, connect=connect, impl=impl).spikes

    return torch.no_grad()(call), lambda: torch.autograd.grad(call(), leaves, gradient)


def captured(call: Callable[[], Any]) -> Callable[[], None]:
    """A call as a CUDA graph, which the host starts at once."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def recurrent(way: str, dtype: torch.dtype) -> dict[str, Any]:
    """Times of a recurrent LIF, one of RECURRENT_WAYS."""
    impl, _, graph = way.partition(",")
    calls = recurrent_calls(impl, dtype)
    forward_s, both_s = (median_s(captured(call) if graph else call) for call in calls)
    return {
        "implementation": way,
        "shape": RECURRENT,
        "dtype": str(dtype).removeprefix("torch."),
        "forward_ms": 1e3 * forward_s,
        "both_ms": 1e3 * both_s,
    }


def recurrent_line(entry: dict[str, Any], reference: dict[str, Any]) -> str:
    """A row of the recurrent table: times, and how often they go into the reference's."""
    cells = [
        f"{entry[part]:9.3f} ms {reference[part] / entry[part]:6.1f}x"
        for part in ("forward_ms", "both_ms")
    ]
    return f"{entry['implementation']:<24} {entry['dtype']:<9} {' | '.join(cells)}"


def line(entry: dict[str, Any], copy: float) -> str:
    """A row of the table."""
    head = f"{entry['implementation']:<13} {entry['shape']!s:<18} {entry['dtype']:<9}"
    if "failure" in entry:
        return f"{head} {entry['failure'][:90]}"
    cells = [
        f"{entry[f'{part}_ms']:9.3f} ms {entry[f'{part}_gb_s']:7.0f} GB/s {1e9 * entry[f'{part}_gb_s'] / copy:6.1%}"
        for part in ("forward", "both")
    ]
    return f"{head} {' | '.join(cells)}"


def main() -> None:
    """Test, measure, print, write."""
    from benchmarks.cases import Work
    from benchmarks.record import RESULTS, surroundings
    from benchmarks.tests_first import require_green

    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing is measured.")
    about = surroundings()
    tests = tuple(f"tests/ops/test_{name}_triton.py" for name in ("lif", "alif", "recurrent"))
    require_green([Work("gpu", "LIF on a GPU", tests, ())])
    copy = copy_bandwidth()
    print(f"{torch.cuda.get_device_name()}: copies at {copy / 1e9:.0f} GB/s")
    print(f"{'':<42} forward | forward + backward, and the share of the copy bandwidth")
    entries = []
    for dtype in DTYPES:
        for shape in SHAPES:
            for name in ("picojoule", "spikingjelly"):
                entries.append(measured(name, shape, dtype))
                print(line(entries[-1], copy), flush=True)
    print(
        f"recurrent LIF, {RECURRENT}: forward | forward + backward, and times faster than the reference"
    )
    steps = []
    for dtype in DTYPES:
        reference = recurrent("reference", dtype)
        others = [recurrent(way, dtype) for way in RECURRENT_WAYS[1:]]
        steps += [reference, *others]
        for entry in steps[-len(RECURRENT_WAYS) :]:
            print(recurrent_line(entry, reference), flush=True)
    gpu = {
        "device": torch.cuda.get_device_name(),
        "copy_gb_s": copy / 1e9,
        "times": entries,
        "recurrent": steps,
    }
    path = RESULTS / "gpu.json"
    path.write_text(json.dumps({"work": "gpu", **about, **gpu}, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    # a script's own folder comes first on the path, where `benchmarks` itself cannot be found
    sys.path[0] = str(ROOT)
    main()
