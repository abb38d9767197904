"""The definition of the ALIF recurrence, in plain PyTorch. Every other implementation must equal it."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from picojoule.activation.spike_generation import fired
from picojoule.ops.alif.spec import ALIFOutput, ALIFSpec, ALIFState
from picojoule.ops.membrane import bounded, fed_back, integrated, reset_by
from picojoule.ops.sequence import run_steps


def alif_reference(current: Tensor, state: ALIFState, spec: ALIFSpec) -> ALIFOutput:
    """Run all time steps of ``current``, ``b t *n``; shapes are checked by the caller."""
    return ALIFOutput(*run_steps(partial(_step, spec), current, state, record=spec.record))


def _step(spec: ALIFSpec, x: Tensor, state: ALIFState) -> tuple[Tensor, ALIFState]:
    v_mem, i_syn = integrated(x, state.v_mem, state.i_syn, state.i_rec, spec)
    threshold = spec.threshold + spec.adapt_scale * state.b
    spikes: Tensor = fired(spec.spike, v_mem, threshold, spec.surrogate)
    v_mem, i_syn = reset_by(spec.reset, spikes, v_mem, i_syn, threshold)
    b = spec.alpha_adapt * state.b + (1 - spec.alpha_adapt) * spikes
    return spikes, ALIFState(bounded(v_mem, spec.min_v_mem), b, i_syn, fed_back(spikes, spec))
