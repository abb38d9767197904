"""LIF in fused kernels on the CPU."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.cpu.neuron import run_fused
from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState


def lif_cpu(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; `why_not_fused` has been asked."""
    states = state.v_mem, state.i_syn, None, state.i_rec
    outputs, (v_mem, i_syn, _, i_rec) = run_fused(current, states, spec)
    return LIFOutput(outputs, LIFState(v_mem, i_syn, i_rec), {})
