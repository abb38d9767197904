"""From a neuron's description to its kernels: when they can run a call, and the call."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.ops.cpu import fault
from picojoule.ops.feedback import linear_of, what_prevents_fused_feedback
from picojoule.ops.plan import Plan, constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.spec import NeuronOutput, NeuronSpec, States

# a kernel reads and writes these itself; float16 is turned into float32 before
FORMATS = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.bfloat16: "bfloat16",
    torch.float16: "float32",
}


def what_prevents_cpu_kernels(current: Tensor, neuron: NeuronSpec) -> str | None:
    """Why the kernels cannot run a neuron on an input; None if they can."""
    if current.device.type != "cpu":
        return f"the input is on {current.device}"
    if current.dtype not in FORMATS:
        return (
            f"the input is {current.dtype}, the kernels take float16, bfloat16, float32 and float64"
        )
    if neuron.record:
        return "states are to be recorded"
    computed = torch.promote_types(current.dtype, torch.float32)
    return (
        what_prevents_fused_feedback(current, neuron.connect, computed)
        or unsupported_part(neuron)
        or _kernel_fault(str(plan_on_cpu(current, neuron)))
    )


def _kernel_fault(plan: str) -> str | None:
    if torch.compiler.is_compiling():
        from picojoule.ops.cpu.traced import kernel_fault

        return kernel_fault(plan)  # type: ignore[no-any-return]
    return fault.kernel_fault(plan)


def plan_on_cpu(current: Tensor, neuron: NeuronSpec) -> Plan:
    """The plan of a neuron for the kernels of this folder; `unsupported_part` has been asked."""
    own = (
        neuron.alpha_mem, neuron.alpha_syn, neuron.min_v_mem,
        neuron.threshold, neuron.alpha_adapt, neuron.adapt_scale,
    )  # fmt: skip
    return plan_of(
        neuron,
        stepped=neuron.connect is not None,
        shared=not any(map(_has_several, own)),
        dtype=FORMATS[current.dtype],
    )


def _has_several(value: Tensor | float | None) -> bool:
    return isinstance(value, Tensor) and value.numel() != 1


def run_on_cpu(current: Tensor, states: States, neuron: NeuronSpec) -> NeuronOutput:
    """Run all time steps of `current`, `b t *n`; `what_prevents_cpu_kernels` has been asked."""
    plan = plan_on_cpu(current, neuron)
    v_mem, i_syn, b, i_rec = states
    x = current.to(torch.float32) if current.dtype == torch.float16 else current
    none = v_mem.new_empty(0)
    given = x, v_mem, none if i_syn is None else i_syn, none if b is None else b
    p = parameter_rows(plan, values_of(neuron), v_mem)
    if i_rec is None:
        from picojoule.ops.cpu.direct import run_neuron

        outputs, v_end, i_end, b_end, sums = run_neuron(*given, p, constants_of(neuron), str(plan))
        r_end = None
    else:
        from picojoule.ops.cpu.recurrent import fused_recurrent

        linear, sums = linear_of(neuron), None
        outputs, v_end, i_end, b_end, r_end, _ = fused_recurrent(
            *given, i_rec, p, linear.weight, linear.bias, constants_of(neuron), str(plan)
        )
    ends = States(v_end, None if i_syn is None else i_end, None if b is None else b_end, r_end)
    return NeuronOutput(outputs, ends, {}, sums)


def parameter_rows(plan: Plan, values: dict[str, Tensor | float | None], state: Tensor) -> Tensor:
    """The parameter matrix in the dtype of a state `b *n`, `rows *n`; `rows` where all neurons share them."""
    given = [values[name] for name in plan.parameters]
    if not any(isinstance(value, Tensor) for value in given):
        return torch.tensor(given, dtype=state.dtype)
    neurons = () if plan.shared else state.shape[1:]
    rows = []
    for value in given:
        assert value is not None
        row = value if isinstance(value, Tensor) else torch.full((), value, dtype=state.dtype)
        row = row.to(state)
        rows.append(row.reshape(()) if plan.shared else row.expand(neurons))
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)
