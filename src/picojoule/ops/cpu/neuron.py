"""From a neuron's description to its kernels: when they can run a call, and the call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.ops.cpu.fault import kernel_fault
from picojoule.ops.cpu.plan import (
    Plan,
    constants_of,
    parameter_rows,
    plan_of,
    unsupported_part,
)


def why_not_fused(current: Tensor, spec: Any) -> str | None:
    """Why the kernels cannot run a neuron on an input; None if they can."""
    if current.device.type != "cpu":
        return f"the input is on {current.device}"
    if current.dtype != torch.float32:
        return f"the computation is in {current.dtype}, the kernels' is in float32"
    if spec.record:
        return "states are to be recorded"
    if spec.connect is not None:
        return "there is a recurrent connection"
    fault = unsupported_part(spec.spike, spec.reset, spec.surrogate)
    return fault or kernel_fault(str(_plan(spec)))


def run_fused(
    current: Tensor, v_mem: Tensor, i_syn: Tensor | None, b: Tensor | None, spec: Any
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Output `b t *n` and the states after the last step, None where there is none before the first."""
    from picojoule.ops.cpu.op import fused_neuron

    plan = _plan(spec)
    none = current.new_empty(0)
    outputs, v_mem, i_end, b_end = fused_neuron(
        current,
        v_mem,
        none if i_syn is None else i_syn,
        none if b is None else b,
        parameter_rows(plan, _values(spec, plan), current),
        constants_of(spec.spike, spec.reset, spec.surrogate),
        str(plan),
    )
    return outputs, v_mem, None if i_syn is None else i_end, None if b is None else b_end


def _plan(spec: Any) -> Plan:
    adaptive = hasattr(spec, "alpha_adapt")
    return plan_of(spec, spec.spike, spec.reset, spec.surrogate, adaptive=adaptive)


def _values(spec: Any, plan: Plan) -> dict[str, Any]:
    values = {
        "alpha_mem": spec.alpha_mem,
        "gain": 1 - spec.alpha_mem,
        "alpha_syn": spec.alpha_syn,
        "min_v_mem": spec.min_v_mem,
        "threshold": spec.threshold,
        "cost": getattr(spec.reset, "subtract_value", None),
    }
    if plan.adaptive:
        values["adapt_scale"] = spec.adapt_scale
        values["adapt_alpha"] = spec.alpha_adapt
        values["adapt_gain"] = 1 - spec.alpha_adapt
    return values
