"""LIF on a GPU against the bandwidth of its memory: `python -m benchmarks.gpu`. Needs CUDA and Triton.

The tests of the kernels run first. A share is that of the copy bandwidth, measured in the same run, over the
bytes that have to move: forward x and s, backward x, the gradient of s and that of x. What a kernel moves beyond
them counts against it. Times are CUDA events around single calls that were captured in a CUDA graph, so that they are
the device's own; medians, caches flushed in between. `eager` is the same call as Python makes it, without a graph.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.cases import Work
from benchmarks.participants import participant
from benchmarks.record import RESULTS, surroundings
from benchmarks.tests_first import require_green
from benchmarks.works.lenet import lenet_step
from picojoule.ops import lif

ROUNDS, WARM_UP = 30, 5
FLUSHED = 2**28  # bytes; more than any second-level cache
COPIED = 2**30
SHAPES = [
    (16, 100, 4096),
    (64, 100, 9216),
    (1, 25, 65536),
    (32, 400, 8192),
]  # batch, steps, neurons
STEPS_OF_TRAINING = [(16, 50), (64, 100)]
TRAINED = ("ReLU", "picojoule triton", "picojoule reference", "SpikingJelly", "sinabs", "snnTorch", "Norse")  # fmt: skip
DTYPES = [torch.float32, torch.bfloat16]
TAU_MEM = 20.0


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


def picojoule(x: Tensor) -> Callable[[], Tensor]:
    """One call of our LIF, by name: it is the kernels or an error."""
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
            forward_s = median_s(captured(call))

        def both() -> Any:
            return torch.autograd.grad(call(), x, gradient)

        both_s, eager_s = median_s(captured(both)), median_s(both)
    except Exception as error:
        if name == "picojoule":
            raise
        return {**entry, "failure": f"{type(error).__name__}: {error}"}
    once = x.numel() * x.element_size()
    return {
        **entry,
        "forward_ms": 1e3 * forward_s,
        "both_ms": 1e3 * both_s,
        "eager_both_ms": 1e3 * eager_s,
        "forward_gb_s": 2 * once / forward_s / 1e9,
        "both_gb_s": 5 * once / both_s / 1e9,
    }


def training_s(name: str, batch: int, steps: int) -> float:
    """Seconds of a training step of the seed's LeNet, as users run it."""
    with torch.device("cuda"):
        step = lenet_step(participant(name), batch, steps)
        for _ in range(WARM_UP):
            step()
        torch.cuda.synchronize()
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            step()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def print_training() -> list[dict[str, Any]]:
    """Times of all who can run, over the net with ReLUs in place of neurons."""
    entries = []
    for batch, steps in STEPS_OF_TRAINING:
        floor = math.nan
        for name in TRAINED:
            try:
                found = training_s(name, batch, steps)
            except Exception as error:
                print(f"{name:<20} B={batch} T={steps}: {type(error).__name__}: {error}"[:150])
                continue
            floor = found if name == "ReLU" else floor
            print(f"{name:<20} B={batch} T={steps} {1e3 * found:9.2f} ms {found / floor:7.2f}", flush=True)  # fmt: skip
            entries.append({"implementation": name, "batch": batch, "steps": steps, "step_ms": 1e3 * found, "over_relu": found / floor})  # fmt: skip
    return entries


def line(entry: dict[str, Any], copy: float) -> str:
    """A row of the table."""
    head = f"{entry['implementation']:<13} {entry['shape']!s:<18} {entry['dtype']:<9}"
    if "failure" in entry:
        return f"{head} {entry['failure'][:90]}"
    cells = [
        f"{entry[f'{part}_ms']:9.3f} ms {entry[f'{part}_gb_s']:7.0f} GB/s {1e9 * entry[f'{part}_gb_s'] / copy:6.1%}"
        for part in ("forward", "both")
    ]
    return f"{head} {' | '.join(cells)} | {entry['eager_both_ms']:8.3f} ms eager"


def main() -> None:
    """Test, measure, print, write."""
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing is measured.")
    about = surroundings()
    tests = ("tests/ops/test_lif_triton.py", "tests/ops/test_alif_triton.py", "tests/gpu")
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
    print("a training step of the seed's LeNet, and its share of the ReLU net's")
    training = print_training()
    gpu = {
        "device": torch.cuda.get_device_name(),
        "copy_gb_s": copy / 1e9,
        "times": entries,
        "training": training,
    }
    path = RESULTS / "gpu.json"
    path.write_text(json.dumps({"work": "gpu", **about, **gpu}, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
