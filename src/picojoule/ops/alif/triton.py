"""ALIF in Triton kernels, and when they can run."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.alif.spec import ALIFOutput, ALIFSpec, ALIFState
from picojoule.ops.triton import neuron


def alif_triton(current: Tensor, state: ALIFState, spec: ALIFSpec) -> ALIFOutput:
    """Run all time steps of ``current``, ``b t *n``; :func:`why_not_triton` has been asked."""
    states = state.v_mem, state.i_syn, state.b, state.i_rec
    spikes, (v_mem, i_syn, b, i_rec) = neuron.run_fused(current, states, spec)
    assert b is not None
    return ALIFOutput(spikes, ALIFState(v_mem, b, i_syn, i_rec), {})


def why_not_triton(current: Tensor, spec: ALIFSpec) -> str | None:
    """Why the kernels cannot run this call; None if they can."""
    if spec.spike is None:
        return "spike is None"
    return neuron.why_not_triton(current, spec)
