"""From a neuron's description to its kernels: when they can run a call, and the call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from picojoule.ops.plan import constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.triton.availability import why_no_kernel
from picojoule.ops.triton.call import parameters_of

# potential, synaptic current, trace of the own spikes, feedback
States = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]


def why_not_triton(current: Tensor, spec: Any) -> str | None:
    """Why the kernels cannot run a neuron on an input; None if they can."""
    return why_no_kernel(current, record=spec.record, connect=spec.connect) or unsupported_part(
        spec
    )


def run_fused(current: Tensor, states: States, spec: Any) -> tuple[Tensor, States]:
    """Output `b t *n` and the states after the last step, None where there is none before the first."""
    plan = replace(plan_of(spec), stepped=False)  # the kernels of a step are others here
    v_mem, i_syn, b, i_rec = states
    parameters, constants = parameters_of(plan, values_of(spec), current), constants_of(spec)
    if i_rec is None:
        from picojoule.ops.triton.op import fused

        outputs, v_end, i_end, b_end = fused(
            current, (v_mem, i_syn, b), parameters, constants, plan
        )
        r_end = None
    else:
        from picojoule.ops.triton.recurrent import fused_recurrent

        outputs, v_end, i_end, b_end, r_end = fused_recurrent(
            current, (v_mem, i_syn, b, i_rec), parameters, spec.connect.connect, constants, plan
        )
    return outputs, (v_end, None if i_syn is None else i_end, None if b is None else b_end, r_end)
