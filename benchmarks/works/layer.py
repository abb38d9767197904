"""One layer of neurons: how far the kernel is from the floor that the memory sets."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation

TESTS = ("tests/ops", "tests/layers")
TAU_MEM = 20.0


def layer_step(
    implementation: Implementation,
    batch: int,
    time: int,
    neurons: int,
    *,
    tau_mem: float | None = None,
    dtype: torch.dtype = torch.float32,
) -> Step:
    """Forward and backward of one layer, for a gradient that is a tensor like any other."""
    lead = implementation.lead(batch, time)
    current = torch.rand(*lead, neurons, dtype=dtype, requires_grad=True)
    gradient = torch.rand(*lead, neurons, dtype=dtype)
    layer = implementation.neurons(tau_mem).to(dtype)

    def step() -> None:
        with implementation.chosen():
            implementation.reset(layer)
            layer.zero_grad()
            current.grad = None
            layer(current).backward(gradient)

    return step


def sized(batch: int, time: int, neurons: int, **options: bool) -> Case:
    """Integrate-and-fire neurons in float32."""
    build = partial(layer_step, batch=batch, time=time, neurons=neurons)
    return Case(f"B={batch} T={time} N={neurons}", build, time, **options)


LAYER = Work(
    "layer",
    "one layer of IAF neurons, float32, forward + backward",
    TESTS,
    (
        sized(16, 100, 4096, quick=True),
        sized(32, 50, 8192),
        sized(64, 100, 9216, large=True),
        sized(16, 500, 512, quick=True),
        sized(1, 25, 65536),
    ),
)
