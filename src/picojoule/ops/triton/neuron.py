"""From a neuron's description to its kernels: when they can run a call, and the call."""

from __future__ import annotations

from torch import Tensor

from picojoule.ops.feedback import linear_of
from picojoule.ops.plan import constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.spec import NeuronOutput, NeuronSpec, States
from picojoule.ops.triton.availability import what_prevents_any_kernel
from picojoule.ops.triton.parameters import parameters_of


def what_prevents_triton_kernels(current: Tensor, neuron: NeuronSpec) -> str | None:
    """Why the kernels cannot run a neuron on an input; None if they can."""
    return what_prevents_any_kernel(current, neuron) or unsupported_part(neuron)


def run_in_triton(current: Tensor, states: States, neuron: NeuronSpec) -> NeuronOutput:
    """Run all time steps of `current`, `b t *n`; `what_prevents_triton_kernels` has been asked."""
    plan = plan_of(neuron)
    v_mem, i_syn, b, i_rec = states
    parameters, constants = parameters_of(plan, values_of(neuron), current), constants_of(neuron)
    if i_rec is None:
        from picojoule.ops.triton.op import fused

        outputs, v_end, i_end, b_end = fused(
            current, (v_mem, i_syn, b), parameters, constants, plan
        )
        r_end = None
    else:
        from picojoule.ops.triton.recurrent import fused_recurrent

        outputs, v_end, i_end, b_end, r_end = fused_recurrent(
            current, (v_mem, i_syn, b, i_rec), parameters, linear_of(neuron), constants, plan
        )
    ends = States(v_end, None if i_syn is None else i_end, None if b is None else b_end, r_end)
    return NeuronOutput(outputs, ends, {})
