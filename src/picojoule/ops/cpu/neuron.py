"""From a neuron's description to its kernels: when they can run a call, and the call."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.ops.cpu import fault
from picojoule.ops.feedback import linear_of, what_prevents_fused_feedback
from picojoule.ops.plan import Plan, constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.spec import NeuronOutput, NeuronSpec, States


def what_prevents_cpu_kernels(current: Tensor, neuron: NeuronSpec) -> str | None:
    """Why the kernels cannot run a neuron on an input; None if they can."""
    if current.device.type != "cpu":
        return f"the input is on {current.device}"
    if current.dtype != torch.float32:
        return f"the computation is in {current.dtype}, the kernels' is in float32"
    if neuron.record:
        return "states are to be recorded"
    return (
        what_prevents_fused_feedback(current, neuron.connect, torch.float32)
        or unsupported_part(neuron)
        or _kernel_fault(str(plan_of(neuron)))
    )


def _kernel_fault(plan: str) -> str | None:
    if torch.compiler.is_compiling():
        from picojoule.ops.cpu.traced import kernel_fault

        return kernel_fault(plan)  # type: ignore[no-any-return]
    return fault.kernel_fault(plan)


def run_on_cpu(current: Tensor, states: States, neuron: NeuronSpec) -> NeuronOutput:
    """Run all time steps of `current`, `b t *n`; `what_prevents_cpu_kernels` has been asked."""
    plan = plan_of(neuron)
    none = current.new_empty(0)
    v_mem, i_syn, b, i_rec = states
    given = current, v_mem, none if i_syn is None else i_syn, none if b is None else b
    p = parameter_rows(plan, values_of(neuron), current)
    if i_rec is None:
        from picojoule.ops.cpu.op import fused_neuron

        outputs, v_end, i_end, b_end = fused_neuron(*given, p, constants_of(neuron), str(plan))
        r_end = None
    else:
        from picojoule.ops.cpu.recurrent import fused_recurrent

        linear = linear_of(neuron)
        outputs, v_end, i_end, b_end, r_end, _ = fused_recurrent(
            *given, i_rec, p, linear.weight, linear.bias, constants_of(neuron), str(plan)
        )
    ends = States(v_end, None if i_syn is None else i_end, None if b is None else b_end, r_end)
    return NeuronOutput(outputs, ends, {})


def parameter_rows(plan: Plan, values: dict[str, Tensor | float | None], like: Tensor) -> Tensor:
    """The parameter matrix in float32, `rows *n`; `rows` where all neurons share every parameter."""
    given = [values[name] for name in plan.parameters]
    shared = all(not isinstance(value, Tensor) or value.numel() == 1 for value in given)
    neurons = () if shared else like.shape[2:]
    rows = []
    for value in given:
        assert value is not None
        row = value if isinstance(value, Tensor) else torch.full((), value, dtype=like.dtype)
        rows.append(row.to(like).reshape(()) if shared else row.to(like).expand(neurons))
    return torch.stack(rows) if rows else like.new_empty(0)
