"""ALIF in fused kernels on the CPU."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.alif.spec import ALIFOutput, ALIFSpec, ALIFState
from picojoule.ops.cpu.neuron import run_fused


def alif_cpu(current: Tensor, state: ALIFState, spec: ALIFSpec) -> ALIFOutput:
    """Run all time steps of ``current``, ``b t *n``; `why_not_fused` has been asked."""
    states = state.v_mem, state.i_syn, state.b, state.i_rec
    spikes, (v_mem, i_syn, b, i_rec) = run_fused(current, states, spec)
    assert b is not None
    return ALIFOutput(spikes, ALIFState(v_mem, b, i_syn, i_rec), {})
