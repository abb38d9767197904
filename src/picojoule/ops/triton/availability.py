"""Where Triton kernels can run, and why not elsewhere. Imports no Triton."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
SWITCHED_ON = ("1", "true", "yes", "on", "y")


def why_no_kernel(current: Tensor, *, record: bool, connected: bool) -> str | None:
    """Why no Triton kernel can run a call, whatever its neuron; None if one can."""
    fault: str | None = missing_triton()
    if fault is not None:
        return fault
    if current.device.type == "cpu" and not interpreted():
        return "the input is on the CPU, where Triton only runs interpreted (TRITON_INTERPRET=1, for tests)"
    if current.device.type not in ("cpu", "cuda"):
        return f"the input is on {current.device}"
    if current.dtype not in DTYPES:
        return f"the input is {current.dtype}, the kernels take float32, float16 and bfloat16"
    if record:
        return "states are to be recorded"
    return "there is a recurrent connection" if connected else None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def missing_triton() -> str | None:
    """Whether Triton is not there; compiled graphs take the answer as it was."""
    return None if _is_installed() else "triton is not installed"


@functools.cache
def _is_installed() -> bool:
    return find_spec("triton") is not None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def interpreted() -> bool:
    """Whether kernels are run as Python on the CPU: Triton reads the variable when it is imported."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in SWITCHED_ON
