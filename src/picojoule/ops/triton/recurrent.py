"""A recurrent neuron whose feedback is a Linear, as an operator: a matrix product and a kernel a step.

`x` and the outputs are `b t n` in the Linear's dtype, states and feedback `b n` in float32; the rest is as in `op`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from picojoule.ops.operator import make_differentiable, operator, refuse_second_derivative
from picojoule.ops.plan import Plan
from picojoule.ops.triton.launch import DEVICES, launcher
from picojoule.ops.triton.parameters import Parameters

Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
Eight = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def fused_recurrent(
    current: Tensor,
    states: tuple[Tensor, Tensor | None, Tensor | None, Tensor],
    parameters: Parameters,
    linear: torch.nn.Linear,
    constants: list[float],
    plan: Plan,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Outputs, end states and feedback of a sequence `b t n`; an end state that the plan has not is empty."""
    inputs = (current, *states, parameters.matrix, linear.weight, linear.bias)
    needing = any(tensor.requires_grad for tensor in inputs if tensor is not None)
    outputs, v, i, b, r, _ = recurrent_forward(
        *inputs, str(plan), parameters.rows, parameters.numbers, constants,
        torch.is_grad_enabled() and needing,
    )  # fmt: skip
    return outputs, v, i, b, r


def _forward(
    x: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, r0: Tensor, p: Tensor,
    weight: Tensor, bias: Tensor | None,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float], keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(outputs, v, i, b, the last step's feedback, and what each step got in all)."""
    from picojoule.ops.triton.step_kernels import forward_step_kernel

    x, p, feedback, into = x.contiguous(), p.contiguous(), r0.contiguous(), weight.t()
    outputs = torch.empty_like(x)
    states = [None if state is None else _copy(state) for state in (v0, i0, b0)]
    now, product = x.new_empty(r0.shape), x.new_empty(r0.shape)
    total = v0.new_empty(x.shape if keep else (0,))
    run = launcher(forward_step_kernel, x.shape, plan, rows, numbers, constants)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        for t in range(x.shape[1]):
            run(x, feedback, p, outputs, now, total if keep else None, *states, t)
            # the very calls that nn.Linear makes: any other product rounds otherwise
            if bias is None:
                torch.mm(now, into, out=product)
            else:
                torch.addmm(bias, now, into, out=product)
            feedback = product
    v, i, b = (v0.new_empty(0) if state is None else state for state in states)
    return outputs, v, i, b, feedback.to(r0.dtype, copy=True), total


def _fake_forward(
    x: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, r0: Tensor, *rest: Any
) -> Six:
    v, i, b = (v0.new_empty(0 if state is None else v0.shape) for state in (v0, i0, b0))
    total = v0.new_empty(x.shape if rest[-1] else (0,))
    return x.new_empty(x.shape), v, i, b, r0.new_empty(r0.shape), total


def _backward(
    total: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, p: Tensor, weight: Tensor,
    g: Tensor | None, gv: Tensor | None, gi: Tensor | None, gb: Tensor | None, gr: Tensor | None,
    plan: str, rows: Sequence[int], numbers: Sequence[float], constants: Sequence[float],
    wants_p: bool, learns: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of (x, v0, i0, b0, r0, p, weight, bias), those not wanted empty.

    Of the sequence `total` alone was kept: states and outputs are computed again, in one launch.
    """
    from picojoule.ops.triton.step_kernels import backward_step_kernel

    call = (plan, rows, numbers, constants)
    total, p = total.contiguous(), p.contiguous()
    outputs, kept = _computed_again(total, (v0, i0, b0), p, weight.dtype, call)
    grads = [
        None if state is None else _copy(_or_zeros(grad, v0))
        for state, grad in ((v0, gv), (i0, gi), (b0, gb))
    ]
    last = _or_zeros(gr, v0).to(weight.dtype)
    gr0 = _copy(_or_zeros(gr, v0))
    g = None if g is None else g.contiguous()
    gx = weight.new_empty(total.shape)
    back = torch.zeros_like(last) if gr is None else torch.mm(last, weight)
    shares = p.new_zeros((total.shape[0], *p.shape) if wants_p else (0,))
    run = launcher(backward_step_kernel, total.shape, *call, WANTS_P=wants_p)
    with torch.cuda.device_of(total):  # type: ignore[no-untyped-call]
        for t in reversed(range(total.shape[1])):
            run(total, kept, p, g, back, gx, gr0, *grads, shares, t)
            if t > 0:
                torch.mm(gx[:, t], weight, out=back)
    gv0, gi0, gb0 = (v0.new_empty(0) if grad is None else grad for grad in grads)
    gp = shares.sum(0) if wants_p else shares
    if learns:
        return gx, gv0, gi0, gb0, gr0, gp, *_gradients_of_linear(gx, last, outputs)
    return gx, gv0, gi0, gb0, gr0, gp, weight.new_empty(0), weight.new_empty(0)


def _computed_again(
    total: Tensor,
    states: tuple[Tensor, Tensor | None, Tensor | None],
    p: Tensor,
    dtype: torch.dtype,
    call: tuple[str, Sequence[int], Sequence[float], Sequence[float]],
) -> tuple[Tensor, Tensor]:
    """Outputs, and the states before each step, `states b t n`: the sequence is known, so in one launch."""
    from picojoule.ops.triton.kernels import forward_kernel

    outputs = torch.empty_like(total, dtype=dtype)
    ends = [None if state is None else _copy(state) for state in states]
    kept = total.new_empty(sum(end is not None for end in ends), *total.shape)
    run = launcher(forward_kernel, total.shape, *call, KEEP=True, K=1)
    with torch.cuda.device_of(total):  # type: ignore[no-untyped-call]
        run(total, *ends, p, outputs, *ends, kept)
    return outputs, kept


def _or_zeros(grad: Tensor | None, state: Tensor) -> Tensor:
    return state.new_zeros(state.shape) if grad is None else grad


def _gradients_of_linear(gx: Tensor, last: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Of weight and bias, over all steps at once: a step's outputs became the input of the next."""
    later = torch.cat([gx[:, 1:], last[:, None]], 1)[:, : gx.shape[1]].flatten(0, 1)
    return later.t() @ outputs.flatten(0, 1), later.sum(0)


def _fake_backward(
    total: Tensor, v0: Tensor, i0: Tensor | None, b0: Tensor | None, p: Tensor, weight: Tensor,
    *rest: Any,
) -> Eight:  # fmt: skip
    wants_p, learns = rest[-2:]
    v, i, b = (v0.new_empty(0 if state is None else v0.shape) for state in (v0, i0, b0))
    gp = p.new_empty(p.shape if wants_p else (0,))
    g_weight, g_bias = (
        weight.new_empty(shape if learns else (0,)) for shape in (weight.shape, weight.shape[:1])
    )
    return weight.new_empty(total.shape), v, i, b, v0.new_empty(v0.shape), gp, g_weight, g_bias


def _copy(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Six) -> None:
    _, v0, i0, b0, _, p, weight, bias, *ctx.call, keep = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[5])
    ctx.has = (i0 is not None, b0 is not None, bias is not None)
    if keep:
        ctx.save_for_backward(output[5], v0, i0, b0, p, weight)


def _differentiate(ctx: Any, g: Any, gv: Any, gi: Any, gb: Any, gr: Any, _: Any) -> tuple[Any, ...]:
    has_i, has_b, has_bias = ctx.has
    gi, gb = gi if has_i else None, gb if has_b else None
    wants_p, learns = ctx.needs_input_grad[5], any(ctx.needs_input_grad[6:8])
    gx, gv0, gi0, gb0, gr0, gp, g_weight, g_bias = recurrent_backward(
        *ctx.saved_tensors, g, gv, gi, gb, gr, *ctx.call, wants_p, learns
    )
    return (
        gx, gv0, gi0 if has_i else None, gb0 if has_b else None, gr0,
        gp if wants_p else None, g_weight if learns else None, g_bias if learns and has_bias else None,
        None, None, None, None, None,
    )  # fmt: skip


recurrent_forward = operator("recurrent_forward", _forward, _fake_forward, DEVICES)
recurrent_backward = operator("recurrent_backward", _backward, _fake_backward, DEVICES)
make_differentiable(recurrent_forward, _differentiate, _keep)
refuse_second_derivative(recurrent_backward)
