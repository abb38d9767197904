"""LIF in Triton kernels."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState
from picojoule.ops.triton.neuron import run_fused


def lif_triton(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; :func:`why_not_triton` has been asked."""
    states = state.v_mem, state.i_syn, None, state.i_rec
    spikes, (v_mem, i_syn, _, i_rec) = run_fused(current, states, spec)
    return LIFOutput(spikes, LIFState(v_mem, i_syn, i_rec), {})
