"""Where Triton kernels can run, and why not elsewhere. Imports no Triton."""

from __future__ import annotations

import os
from importlib.util import find_spec

import torch
from torch import Tensor

from picojoule.ops.feedback import what_prevents_fused_feedback
from picojoule.ops.spec import NeuronSpec

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# constants, since Triton too settles this once for a process, and compiled graphs can read them
INSTALLED = find_spec("triton") is not None
INTERPRETED = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


def what_prevents_any_kernel(current: Tensor, neuron: NeuronSpec) -> str | None:
    """Why no Triton kernel can run a call, whatever the neuron is made of; None if one can."""
    if not INSTALLED:
        return "triton is not installed"
    if current.device.type == "cpu" and not INTERPRETED:
        return "the input is on the CPU, where Triton only runs interpreted (TRITON_INTERPRET=1, for tests)"
    if current.device.type not in ("cpu", "cuda"):
        return f"the input is on {current.device}"
    if current.dtype not in DTYPES:
        return f"the input is {current.dtype}, the kernels take float32, float16 and bfloat16"
    if neuron.record:
        return "states are to be recorded"
    return what_prevents_fused_feedback(current, neuron.connect, current.dtype)
