"""A recurrent neuron whose feedback is a Linear, as an operator: a matrix product and a kernel a step.

`x` and the outputs are `b t n`, the states and the feedback `b n`; the rest is as in `op`. Within, time comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.ops.cpu.op import as_tensor, like, sum_over_samples
from picojoule.ops.cpu.steps import forward_steps, places, room_for, step_kernel
from picojoule.ops.operator import make_differentiable, operator, refuse_second_derivative
from picojoule.ops.plan import Plan, plan_from, trained

CACHE_LINE = 64
Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
Eight = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _forward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, r0: Tensor, p: Tensor,
    weight: Tensor, bias: Tensor | None, c: Sequence[float], plan: str,
) -> Six:  # fmt: skip
    """Outputs, end states, the last step's feedback; and `t b n`, what each step got in all, for the way back."""
    total = x.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    outputs = _on_cache_lines(total)
    states = room_for((v0, i0, b0), 2)
    feedback = r0.clone(memory_format=torch.contiguous_format)
    constants = as_tensor(tuple(c), v0.dtype)
    p, into = p.contiguous(), weight.t()
    kernel = trained(plan_from(plan), False)
    for t in forward_steps(kernel, total, states, feedback, p, constants, outputs):
        # the very calls that nn.Linear makes: any other product rounds otherwise
        if bias is None:
            torch.mm(outputs[t], into, out=feedback)
        else:
            torch.addmm(bias, outputs[t], into, out=feedback)
    ends = (state[len(total) % 2].clone() for state in states)
    return _batch_first(outputs), *ends, feedback, total  # type: ignore[return-value]


def _on_cache_lines(sequence: Tensor) -> Tensor:
    """Memory in the shape of a sequence `t b n`, each step at the start of a cache line, as fresh memory is.

    MKL's product rounds by where its operands lie: nn.Linear's is another one than that of a step 8 bytes off.
    """
    steps, size = len(sequence), sequence.shape[1:].numel()
    a_line = CACHE_LINE // sequence.element_size()
    room = sequence.new_empty(steps, -(-size // a_line) * a_line)
    return room[:, :size].view(sequence.shape)


def _backward(
    total: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, weight: Tensor,
    c: Sequence[float], plan: str, learns: bool,
    g: Tensor, gv1: Tensor, gi1: Tensor, gb1: Tensor, gr1: Tensor,
) -> Eight:  # fmt: skip
    """Gradients of `x`, states, first feedback, `p` (if `plan.trained`), weight and bias (if it `learns`).

    Of the sequence `total` alone was kept: states and outputs are computed again.
    """
    kernel, steps = plan_from(plan), len(total)
    p, constants = p.contiguous(), as_tensor(tuple(c), v0.dtype)
    again = replace(kernel, trained=False, stepped=False)
    outputs, states = torch.empty_like(total), room_for((v0, i0, b0), steps + 1)
    for _ in forward_steps(again, total, states, gr1, p, constants, outputs):
        pass
    g = g.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    gx = total.new_empty(steps + 1, *total.shape[1:])
    gx[steps] = gr1  # what comes back from after the end
    grads = room_for((gv1, gi1, gb1), 2)
    gp = total.new_zeros((total.shape[1], len(p), total.shape[2]) if kernel.trained else 0)
    given, fixed = places(total, *states), (p.data_ptr(), constants.data_ptr())
    later, earlier, ends, own = places(g), places(gx), places(*grads), gp.data_ptr()
    no_sums = p.data_ptr()  # any place: it is not read
    for t, run in _backwards(kernel, total):
        g[t].addmm_(gx[t + 1], weight)
        back = steps - 1 - t
        before = *given(t), *fixed, *later(t), *ends(back), no_sums
        run(before, (*earlier(t), *ends(back + 1), own))
    starts = (grad[steps % 2].clone() for grad in grads)
    gp = sum_over_samples(gp, p) if kernel.trained else gp
    of_linear = (
        _gradients_of_linear(gx[1:], outputs) if learns else (gp.new_empty(0), gp.new_empty(0))
    )
    return _batch_first(gx[:steps]), *starts, gx[0].clone(), gp, *of_linear  # type: ignore[return-value]


def _backwards(plan: Plan, total: Tensor) -> Iterator[tuple[int, Callable[..., None]]]:
    """The steps against the order of time, and what runs one."""
    if len(total):
        run = step_kernel(plan, "backward", total[0])
        yield from ((t, run) for t in reversed(range(len(total))))


def _gradients_of_linear(later: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Of weight and bias, over all steps at once; `later` is the gradient of what each output became."""
    later, outputs = later.flatten(0, 1), outputs.flatten(0, 1)
    return later.t() @ outputs, later.sum(0)


def _batch_first(sequence: Tensor) -> Tensor:
    return sequence.transpose(0, 1).clone(memory_format=torch.contiguous_format)


def _fake_forward(x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, r0: Tensor, *_rest: Any) -> Six:
    return like(x), like(v0), like(i0), like(b0), like(r0), like(x.transpose(0, 1))


def _fake_backward(
    total: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, weight: Tensor,
    c: Sequence[float], plan: str, learns: bool, *_grads: Tensor,
) -> Eight:  # fmt: skip
    none = p.new_empty(0)
    of_linear = (like(weight), like(weight[:, 0])) if learns else (none, none.clone())
    gp = like(p) if plan_from(plan).trained else none.clone()
    gx = like(total.transpose(0, 1))
    return gx, like(v0), like(i0), like(b0), like(v0), gp, *of_linear


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Six) -> None:
    _, v0, i0, b0, _, p, weight, bias, ctx.c, ctx.plan = inputs
    ctx.has_bias = bias is not None
    ctx.save_for_backward(output[5], v0, i0, b0, p, weight)
    ctx.mark_non_differentiable(output[5])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    total, v0, i0, b0, *_ = given = ctx.saved_tensors
    made = total.transpose(0, 1), v0, i0, b0, v0
    came = [like(x).zero_() if g is None else g for g, x in zip(grads[:5], made, strict=True)]
    plan = trained(plan_from(ctx.plan), ctx.needs_input_grad[5])
    learns = any(ctx.needs_input_grad[6:8])
    *before, gp, g_weight, g_bias = fused_recurrent_backward(
        *given, ctx.c, str(plan), learns, *came
    )
    return (
        *before,
        gp if plan.trained else None,
        g_weight if learns else None,
        g_bias if learns and ctx.has_bias else None,
        None,
        None,
    )


fused_recurrent = operator("fused_recurrent", _forward, _fake_forward)
fused_recurrent_backward = operator("fused_recurrent_backward", _backward, _fake_backward)
make_differentiable(fused_recurrent, _differentiate, _keep)
refuse_second_derivative(fused_recurrent_backward)
