"""LIF in fused kernels on the CPU, and when they can run."""

from __future__ import annotations

import functools
from importlib.util import find_spec

import torch
from torch import Tensor

from picojoule.ops.cpu.plan import Plan, constants_of, parameter_rows, plan_of, unsupported_part
from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState


def lif_cpu(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; :func:`why_not_cpu` has been asked."""
    from picojoule.ops.cpu.op import Fused

    plan = _plan(spec)
    values = {
        "alpha_mem": spec.alpha_mem,
        "gain": 1 - spec.alpha_mem,
        "alpha_syn": spec.alpha_syn,
        "min_v_mem": spec.min_v_mem,
        "threshold": spec.threshold,
        "cost": getattr(spec.reset, "subtract_value", None),
    }
    constants = torch.tensor(constants_of(spec.spike, spec.reset, spec.surrogate))
    i_syn = current.new_empty(0) if state.i_syn is None else state.i_syn
    outputs, v_mem, i_syn = Fused.apply(  # type: ignore[no-untyped-call]
        current,
        state.v_mem,
        i_syn,
        parameter_rows(plan, values, current),
        constants.float(),
        plan,
    )
    return LIFOutput(outputs, LIFState(v_mem, i_syn if plan.synaptic else None), {})


def why_not_cpu(current: Tensor, spec: LIFSpec) -> str | None:
    """Why the kernels cannot run this call; None if they can."""
    if current.device.type != "cpu":
        return f"the input is on {current.device}"
    if current.dtype != torch.float32:
        return f"the computation is in {current.dtype}, the kernels' is in float32"
    if torch.compiler.is_compiling() or type(current) not in (Tensor, torch.nn.Parameter):
        return "the call is being compiled or traced"
    if spec.record:
        return "states are to be recorded"
    if spec.connect is not None:
        return "there is a recurrent connection"
    return unsupported_part(spec.spike, spec.reset, spec.surrogate) or _fault_of(_plan(spec))


def _plan(spec: LIFSpec) -> Plan:
    return plan_of(spec, spec.spike, spec.reset, spec.surrogate, adaptive=False)


@functools.cache
def _fault_of(plan: Plan) -> str | None:
    """Why the kernels of a plan cannot be made here."""
    if find_spec("numba") is None or find_spec("llvmlite") is None:
        return "numba is not installed"
    from picojoule.ops.cpu.compiled import compiled

    try:
        compiled(plan, "forward")
        compiled(plan, "backward")
    except Exception as error:  # whatever is broken in numba, the reference runs
        return f"the kernel could not be compiled: {type(error).__name__}: {error}"
    return None
