"""ALIF in Triton kernels, and when they can run."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.alif.spec import ALIFOutput, ALIFSpec, ALIFState
from picojoule.ops.plan import constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.triton.availability import why_no_kernel
from picojoule.ops.triton.call import parameters_of


def alif_triton(current: Tensor, state: ALIFState, spec: ALIFSpec) -> ALIFOutput:
    """Run all time steps of ``current``, ``b t *n``; :func:`why_not_triton` has been asked."""
    from picojoule.ops.triton.op import fused

    plan = plan_of(spec)
    spikes, v_mem, i_syn, b = fused(
        current,
        (state.v_mem, state.i_syn, state.b),
        parameters_of(plan, values_of(spec), current),
        constants_of(spec),
        plan,
    )
    return ALIFOutput(spikes, ALIFState(v_mem, b, i_syn if plan.synaptic else None), {})


def why_not_triton(current: Tensor, spec: ALIFSpec) -> str | None:
    """Why the kernels cannot run this call; None if they can."""
    if spec.spike is None:
        return "spike is None"
    reason = why_no_kernel(current, record=spec.record, connected=spec.connect is not None)
    return reason or unsupported_part(spec)
