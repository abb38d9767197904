"""LIF in fused kernels on the CPU."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.cpu.neuron import run_fused
from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState


def lif_cpu(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; `why_not_fused` has been asked."""
    outputs, v_mem, i_syn, _ = run_fused(current, state.v_mem, state.i_syn, None, spec)
    return LIFOutput(outputs, LIFState(v_mem, i_syn), {})
