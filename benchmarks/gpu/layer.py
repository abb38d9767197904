"""A LIF layer against the bandwidth of the memory, beside SpikingJelly's."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.device_time import captured, median_s
from picojoule.ops import lif

# batch, steps, neurons
SHAPES = [
    (16, 100, 4096),
    (64, 100, 9216),
    (1, 25, 65536),
    (32, 400, 8192),
]
TAU_MEM = 20.0


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
