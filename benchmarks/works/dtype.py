"""One layer again: leaky neurons, and other number formats than float32."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.cases import Case, Work, those_that_run_any_call
from benchmarks.works.layer import TAU_MEM, TESTS, layer_step

BATCH, TIME, NEURONS = 16, 100, 4096


def variant(dtype: torch.dtype, tau_mem: float | None, *, quick: bool = False) -> Case:
    """One layer of the given dtype; a trained time constant where there is one."""
    label = f"{'IAF' if tau_mem is None else 'LIF'} {str(dtype).removeprefix('torch.')}"
    build = partial(
        layer_step, batch=BATCH, time=TIME, neurons=NEURONS, tau_mem=tau_mem, dtype=dtype
    )
    return Case(label, build, TIME, quick)


DTYPE = Work(
    "dtype",
    f"one layer, B={BATCH} T={TIME} N={NEURONS}, forward + backward",
    TESTS,
    (
        variant(torch.float32, TAU_MEM, quick=True),
        variant(torch.bfloat16, None),
        variant(torch.float64, None),
    ),
    those_that_run_any_call,
)
