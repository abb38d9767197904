"""LIF on a GPU: `python -m benchmarks.gpu`. Needs CUDA and Triton.

The tests of the kernels run first. A share is that of the copy bandwidth, measured in the same run, over the
bytes that have to move: forward x and s, backward x, the gradient of s and that of x. What a kernel moves beyond
them counts against it. Times are CUDA events around single calls that were captured in a CUDA graph, so that they are
the device's own; medians, caches flushed in between. `eager` is the same call as Python makes it, without a graph.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from benchmarks.cases import Work
from benchmarks.gpu import layer, recurrent, training
from benchmarks.gpu.device_time import copy_bandwidth
from benchmarks.record import RESULTS, surroundings
from benchmarks.tests_first import require_green

DTYPES = [torch.float32, torch.bfloat16]
TESTS = (
    *(f"tests/ops/test_{name}_triton.py" for name in ("lif", "alif", "recurrent")),
    "tests/gpu",
)


def layers(copy: float) -> list[dict[str, Any]]:
    """Layers of several sizes."""
    print(f"{torch.cuda.get_device_name()}: copies at {copy / 1e9:.0f} GB/s")
    print(f"{'':<42} forward | forward + backward, and the share of the copy bandwidth")
    entries = []
    for dtype in DTYPES:
        for shape in layer.SHAPES:
            for name in ("picojoule", "spikingjelly"):
                entries.append(layer.measured(name, shape, dtype))
                print(layer.line(entries[-1], copy), flush=True)
    return entries


def recurrent_layers() -> list[dict[str, Any]]:
    """A recurrent layer, in each way to run it."""
    print(f"recurrent LIF, {recurrent.SHAPE}: forward | forward + backward, times faster than the reference")  # fmt: skip
    entries = []
    for dtype in DTYPES:
        reference = recurrent.measured("reference", dtype)
        for entry in (reference, *(recurrent.measured(way, dtype) for way in recurrent.WAYS[1:])):
            entries.append(entry)
            print(recurrent.line(entry, reference), flush=True)
    return entries


def training_steps() -> list[dict[str, Any]]:
    """A network, in all who can run it."""
    print("a training step of the seed's LeNet, and its ratio to the ReLU net's")
    entries = []
    for batch, steps in training.SIZES:
        floor = math.nan
        for name in training.ROWS:
            entry = training.measured(name, batch, steps, floor)
            floor = entry.get("step_ms", floor) if name == training.ROWS[0] else floor
            entries.append(entry)
            print(training.line(entry), flush=True)
    return entries


def main() -> None:
    """Test, measure, print, write."""
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing is measured.")
    about = surroundings()
    require_green([Work("gpu", "LIF on a GPU", TESTS, ())])
    copy = copy_bandwidth()
    found = {
        "device": torch.cuda.get_device_name(),
        "copy_gb_s": copy / 1e9,
        "times": layers(copy),
        "recurrent": recurrent_layers(),
        "training": training_steps(),
    }
    path = RESULTS / "gpu.json"
    path.write_text(json.dumps({"work": "gpu", **about, **found}, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
