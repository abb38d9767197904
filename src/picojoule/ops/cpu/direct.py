"""The kernels without PyTorch's dispatcher, where nobody could tell: it costs a small call more than the kernels do.

The operators of `op` are what `torch.compile`, `torch.export` and whoever watches operators see. A plain call has no
such onlooker, and goes through a `torch.autograd.Function` that runs the same two functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.ops.cpu import op
from picojoule.ops.plan import plan_from, trained
from picojoule.ops.used_up import saved_by

PLAIN = (Tensor, nn.Parameter)


def run_neuron(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
    """`op.fused_neuron` of the same arguments, by the shortest way there is.

    That way gives out the spikes added up over samples and time steps, too, `*n`, which cost nothing there.
    """
    if nobody_watches() and all(type(tensor) in PLAIN for tensor in (x, v0, i0, b0, p)):
        return _FusedNeuron.apply(x, v0, i0, b0, p, c, plan)  # type: ignore[no-untyped-call, no-any-return]
    return *op.fused_neuron(x, v0, i0, b0, p, c, plan), None


def nobody_watches() -> bool:
    """Whether nothing traces, records or changes what PyTorch's operators do."""
    return (
        not torch.compiler.is_compiling()
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._len_torch_function_stack() == 0
        and torch._C._get_tracing_state() is None
        and not torch._C._autograd._profiler_enabled()
    )


class _FusedNeuron(torch.autograd.Function):
    """`op.fused_neuron` and `op.fused_neuron_backward`, called as functions; and sums of spikes.

    A layer writes its name into the node, `layer_name`, for a second backward pass through it to tell.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor,
        c: Sequence[float], plan: str,
    ) -> tuple[Tensor | None, ...]:  # fmt: skip
        ctx.save_for_backward(x, v0, i0, b0, p)
        ctx.set_materialize_grads(False)  # sums without a loss on them cost nothing
        ctx.c, ctx.plan, ctx.layer_name = c, plan, None
        return op.forward_and_sums(x, v0, i0, b0, p, c, plan)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        plan = trained(plan_from(ctx.plan), ctx.needs_input_grad[4])
        saved: Any = saved_by(ctx, ctx.layer_name)  # once: recomputation gives them out once
        x, *starts, _ = saved
        *grads, of_sums = given
        g, gv1, gi1, gb1 = (
            grad if grad is not None else torch.zeros_like(made) if made.numel() else made
            for made, grad in zip((x, *starts), grads, strict=True)
        )
        # the operator refuses a second derivative
        as_function = not torch.is_grad_enabled() and nobody_watches()
        differentiate: Any = op.backward if as_function else op.fused_neuron_backward
        *made, gp = differentiate(*saved, ctx.c, str(plan), g, gv1, gi1, gb1, of_sums)
        return *made, gp if plan.trained else None, None, None
