"""A LIF fed back through a Linear, whose steps wait for one another, beside the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.device_time import captured, median_s
from benchmarks.gpu.layer import TAU_MEM
from picojoule.ops import lif

SHAPE = (64, 100, 512)  # batch, steps, neurons
WAYS = ("reference", "triton", "triton, in a CUDA graph")


def calls(
    impl: str, dtype: torch.dtype, device: str = "cuda"
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Forward without gradients, and forward with backward, of a LIF fed back through a Linear."""
    x = torch.rand(*SHAPE, dtype=dtype, device=device, requires_grad=True)
    connect = nn.Linear(SHAPE[2], SHAPE[2], dtype=dtype, device=device)
    gradient, leaves = torch.rand_like(x), (x, *connect.parameters())

    def call() -> Tensor:
        return lif(x, alpha_mem=1 - 1 / TAU_MEM, connect=connect, impl=impl).spikes

    return torch.no_grad()(call), lambda: torch.autograd.grad(call(), leaves, gradient)


def measured(way: str, dtype: torch.dtype) -> dict[str, Any]:
    """Times of a recurrent LIF, one of WAYS."""
    impl, _, graph = way.partition(",")
    both_calls = calls(impl, dtype)
    forward_s, both_s = (median_s(captured(call) if graph else call) for call in both_calls)
    return {
        "implementation": way,
        "shape": SHAPE,
        "dtype": str(dtype).removeprefix("torch."),
        "forward_ms": 1e3 * forward_s,
        "both_ms": 1e3 * both_s,
    }


def line(entry: dict[str, Any], reference: dict[str, Any]) -> str:
    """A row of the recurrent table: times, and how often they go into the reference's."""
    cells = [
        f"{entry[part]:9.3f} ms {reference[part] / entry[part]:6.1f}x"
        for part in ("forward_ms", "both_ms")
    ]
    return f"{entry['implementation']:<24} {entry['dtype']:<9} {' | '.join(cells)}"
