"""How a kernel is started: a program for each block of neurons of each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from picojoule.ops.plan import plan_from
from picojoule.ops.triton.parameters import Rows

DEVICES = ("CUDA", "CPU")  # on the CPU it is interpreted, for tests
WIDEST = 128  # neurons a program; two a thread


def launcher(
    kernel: Any, shape: torch.Size,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], **flags: Any,
) -> Callable[..., None]:  # fmt: skip
    """A function that runs a kernel on all neurons of all samples of `b t *n`, on the tensors it is given."""
    batch, steps, neurons = shape[0], shape[1], shape[2:].numel()
    blocks = -(-neurons // WIDEST)
    if batch * blocks == 0:
        return lambda *_: None
    launch = kernel[(batch * blocks,)]
    ends = steps, neurons, blocks, tuple(numbers), tuple(constants)
    fixed = {"PLAN": plan_from(plan), "ROWS": Rows(tuple(rows)), "BLOCK": WIDEST, **flags}

    def run(*given: Any) -> None:
        launch(*given, *ends, **fixed, num_warps=2, enable_fp_fusion=False)

    return run
