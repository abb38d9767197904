"""The definition of the LIF recurrence, in plain PyTorch. Every other implementation must equal it."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from picojoule.activation.spike_generation import fired
from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState
from picojoule.ops.membrane import bounded, fed_back, integrated, reset_by
from picojoule.ops.sequence import run_steps


def lif_reference(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; shapes are checked by the caller."""
    return LIFOutput(*run_steps(partial(_step, spec), current, state, record=spec.record))


def _step(spec: LIFSpec, x: Tensor, state: LIFState) -> tuple[Tensor, LIFState]:
    v_mem, i_syn = integrated(x, state.v_mem, state.i_syn, state.i_rec, spec)
    if spec.spike is None:
        output = v_mem
    else:
        output = fired(spec.spike, v_mem, spec.threshold, spec.surrogate)
        v_mem, i_syn = reset_by(spec.reset, output, v_mem, i_syn, spec.threshold)
    return output, LIFState(bounded(v_mem, spec.min_v_mem), i_syn, fed_back(output, spec))
