"""The kernels as one differentiable function."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from picojoule.ops.cpu.compiled import compiled
from picojoule.ops.cpu.plan import WIDEST, Plan
from picojoule.ops.cpu.threads import share_out


class Fused(torch.autograd.Function):
    """(x, v0, i0, parameters, constants, plan) -> (outputs, v1, i1).

    `x` and the outputs are `b t *n`, states `b *n`, parameters `rows *n`, float32. `i0` and `i1` are
    empty for neurons without a synaptic current. Of the sequence `x` alone is kept for the backward pass,
    which computes the rest again. It cannot be differentiated twice.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v0: Tensor, i0: Tensor, p: Tensor, c: Tensor, plan: Plan
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, v0, i0, p = (tensor.contiguous() for tensor in (x, v0, i0, p))
        outputs, v1, i1 = torch.empty_like(x), torch.empty_like(v0), torch.empty_like(i0)
        tensors = (x, v0, i0, p, c, outputs, v1, i1)
        _run(plan, x, lambda kernel, first, last, steps, neurons: kernel(
            first, last, steps, neurons, *(tensor.data_ptr() for tensor in tensors)
        ), "forward")  # fmt: skip
        ctx.save_for_backward(x, v0, i0, p, c)
        ctx.plan = plan
        return outputs, v1, i1

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, gv1: Tensor, gi1: Tensor) -> tuple[Tensor | None, ...]:
        x, v0, i0, p, c = ctx.saved_tensors
        g, gv1, gi1 = (tensor.contiguous() for tensor in (g, gv1, gi1))
        gx, gv0, gi0 = torch.empty_like(x), torch.empty_like(v0), torch.empty_like(i0)
        wants_p = ctx.needs_input_grad[3]
        gp = x.new_empty((len(x), *p.shape)) if wants_p else x.new_empty(0)
        given = [tensor.data_ptr() for tensor in (x, v0, i0, p, c, g, gv1, gi1)]
        made = [tensor.data_ptr() for tensor in (gx, gv0, gi0, gp)]

        def call(kernel: Any, first: int, last: int, steps: int, neurons: int) -> None:
            scratch = torch.empty(2 * steps * WIDEST)
            kernel(first, last, steps, neurons, *given, wants_p, scratch.data_ptr(), *made)

        _run(ctx.plan, x, call, "backward")
        return gx, gv0, gi0, gp.sum(0) if wants_p else None, None, None


def _run(plan: Plan, x: Tensor, call: Any, which: Any) -> None:
    """Run a kernel on all rows of the neurons of `x`, in shares."""
    batch, steps = x.shape[:2]
    neurons = x.shape[2:].numel()
    function = compiled(plan, which)
    unused = ctypes.c_void_p()

    def kernel(*arguments: Any) -> None:
        function(ctypes.addressof(unused), None, *arguments)

    num_rows = batch * -(-neurons // WIDEST)
    share_out(num_rows, lambda first, last: call(kernel, first, last, steps, neurons))
