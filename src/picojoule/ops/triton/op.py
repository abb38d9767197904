"""The kernels as operators of PyTorch, differentiable and opaque: no graph break, no synchronisation.

All memory comes from PyTorch's allocator, so calls can be captured in CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from picojoule.ops.operator import make_differentiable, operator, refuse_second_derivative
from picojoule.ops.plan import Plan, plan_from
from picojoule.ops.triton.launch import DEVICES, launcher
from picojoule.ops.triton.parameters import Parameters

Made = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
K = 8  # steps a chunk


def fused(
    current: Tensor,
    states: tuple[Tensor, Tensor | None, Tensor | None],
    parameters: Parameters,
    constants: list[float],
    plan: Plan,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Outputs and end states of a sequence `b t *n`; an end state that the plan has not is empty."""
    inputs = [current.contiguous(), *(None if s is None else s.contiguous() for s in states)]
    needing = [tensor for tensor in (*inputs, parameters.matrix) if tensor is not None]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in needing)
    outputs, v, i, b, _ = neuron_forward(
        *inputs, parameters.matrix, str(plan), parameters.rows, parameters.numbers, constants, keep
    )  # fmt: skip
    return outputs, v, i, b


def _forward(
    x: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, p: Tensor,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(outputs, v, i, b, states before each chunk of steps)."""
    from picojoule.ops.triton.kernels import forward_kernel

    x, v0 = x.contiguous(), v0.contiguous()
    i0, b0 = (None if state is None else state.contiguous() for state in (i0, b0))
    made: Made = _empty_outputs(x, v0, i0, b0, p, plan, rows, numbers, constants, keep)
    _launch(
        forward_kernel, x, (v0, i0, b0, p.contiguous(), *made), plan, rows, numbers, constants, KEEP=keep
    )  # fmt: skip
    return made


def _empty_outputs(
    x: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, p: Tensor,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    ends = [v0.new_empty(0 if state is None else v0.shape) for state in (v0, i0, b0)]
    num_states = sum(state is not None for state in (v0, i0, b0))
    chunks = (x.shape[1] + K - 1) // K
    kept = v0.new_empty((num_states, x.shape[0], chunks, *x.shape[2:]) if keep else (0,))
    return x.new_empty(x.shape), ends[0], ends[1], ends[2], kept


def _backward(
    x: Tensor, kept: Tensor, p: Tensor,
    g: Tensor | None, gv: Tensor | None, gi: Tensor | None, gb: Tensor | None,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], wants_p: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of (x, v0, i0, b0, p); the last three are empty where there is nothing to differentiate."""
    from picojoule.ops.triton.kernels import backward_kernel

    x, kept, p = x.contiguous(), kept.contiguous(), p.contiguous()
    g, gv, gi, gb = (None if grad is None else grad.contiguous() for grad in (g, gv, gi, gb))
    made: Made = _empty_gradients(
        x, kept, p, g, gv, gi, gb, plan, rows, numbers, constants, wants_p
    )
    shares = p.new_empty((x.shape[0], *p.shape) if wants_p else (0,))
    given = (kept, p, g, gv, gi, gb, *made[:4], shares)
    _launch(backward_kernel, x, given, plan, rows, numbers, constants, WANTS_P=wants_p)
    gx, gv0, gi0, gb0, gp = made
    return gx, gv0, gi0, gb0, shares.sum(0) if wants_p else gp


def _empty_gradients(
    x: Tensor, kept: Tensor, p: Tensor,
    g: Tensor | None, gv: Tensor | None, gi: Tensor | None, gb: Tensor | None,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], wants_p: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    parts = plan_from(plan)
    neurons = (x.shape[0], *x.shape[2:])
    v, i, b = (
        p.new_empty(neurons if there else (0,)) for there in (True, parts.synaptic, parts.adaptive)
    )
    return x.new_empty(x.shape), v, i, b, p.new_empty(p.shape if wants_p else (0,))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, _, i0, b0, p, *ctx.call, keep = inputs
    ctx.set_materialize_grads(False)  # an output that nothing depends on costs no zeros
    ctx.mark_non_differentiable(output[4])
    ctx.has = (i0 is not None, b0 is not None)
    if keep:
        ctx.save_for_backward(x, output[4], p)


def _differentiate(
    ctx: Any, g: Any, gv: Any, gi: Any, gb: Any, _: Any
) -> tuple[Tensor | None, ...]:
    x, kept, p = ctx.saved_tensors
    has_i, has_b = ctx.has
    wants_p = ctx.needs_input_grad[4]
    gi, gb = gi if has_i else None, gb if has_b else None
    gx, gv0, gi0, gb0, gp = neuron_backward(x, kept, p, g, gv, gi, gb, *ctx.call, wants_p)
    own = (gx, gv0, gi0 if has_i else None, gb0 if has_b else None, gp if wants_p else None)
    return *own, None, None, None, None, None


def _launch(
    kernel: Any, x: Tensor, tensors: tuple[Tensor | None, ...],
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], **flags: bool,
) -> None:  # fmt: skip
    """Run a kernel on all neurons of all samples, on the device of `x`."""
    run = launcher(kernel, x.shape, plan, rows, numbers, constants, K=K, **flags)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        run(x, *tensors)


neuron_forward = operator("neuron_forward", _forward, _empty_outputs, DEVICES)
neuron_backward = operator("neuron_backward", _backward, _empty_gradients, DEVICES)
make_differentiable(neuron_forward, _differentiate, _keep)
refuse_second_derivative(neuron_backward)
