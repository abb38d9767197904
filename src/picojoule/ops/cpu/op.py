"""The kernels as operators that PyTorch knows: autograd, `torch.compile` and `torch.export` see through them.

`x` and the outputs are `b t *n`, the states `v`, `i` (synaptic current) and `b` (spike trace) `b *n`, the
parameters `p` as `neuron.parameter_rows` makes them. `x` is in the dtype of the plan, all else float64 beside float64
and float32 otherwise. A state that the plan does not have is empty.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from picojoule.ops.cpu.compiled import Which, compiled
from picojoule.ops.cpu.scratch import WIDEST, address, is_streamed
from picojoule.ops.cpu.threads import share_out
from picojoule.ops.operator import make_differentiable, operator, refuse_second_derivative
from picojoule.ops.plan import Plan, plan_from, streamed, trained

Four = tuple[Tensor, Tensor, Tensor, Tensor]
Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def forward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str
) -> Four:
    """Outputs and end states of all time steps."""
    return forward_and_sums(x, v0, i0, b0, p, c, plan)[:4]


def forward_and_sums(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
    """The same, and spikes added up over samples and time steps, `*n`; None where the plan is not summed."""
    given = [tensor.contiguous() for tensor in (x, v0, i0, b0, p)]
    made = [torch.empty_like(tensor) for tensor in given[:4]]
    sums = torch.empty_like(given[1])
    constants = as_tensor(tuple(c), v0.dtype)
    no_feedback = x  # any place: it is not read
    pointers = [tensor.data_ptr() for tensor in (*given, constants, *made, sums, no_feedback)]
    kernel = trained(plan_from(plan), False)
    _run(streamed(kernel, is_streamed(made[0])), "forward", x, lambda _: pointers)
    return *made, sums.sum(0) if kernel.summed else None  # type: ignore[return-value]


def backward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str,
    g: Tensor, gv1: Tensor, gi1: Tensor, gb1: Tensor, g_sums: Tensor | None = None,
) -> Five:  # fmt: skip
    """Gradients of `x`, the states and `p` (empty unless `plan.trained`), from those of the outputs and their sums.

    Of the sequence `x` alone was kept: the rest is computed again.
    """
    kernel = plan_from(plan)
    given = [tensor.contiguous() for tensor in (x, v0, i0, b0, p)]
    made = [torch.empty_like(tensor) for tensor in given[:4]]
    neurons = x.shape[2:].numel()
    of_sums = v0.new_zeros(neurons) if g_sums is None else g_sums.to(v0.dtype)
    grads = [tensor.contiguous() for tensor in (g, gv1, gi1, gb1, of_sums)]
    constants = as_tensor(tuple(c), v0.dtype)
    gp = p.new_empty((len(x), len(p), neurons) if kernel.trained else 0)
    before = [tensor.data_ptr() for tensor in (*given, constants, *grads)]
    after = [tensor.data_ptr() for tensor in (*made, gp)]

    def pointers(share: int) -> list[int]:
        return [*before, address(kernel, x.shape[1], share), *after]

    _run(streamed(kernel, is_streamed(made[0])), "backward", x, pointers)
    return (*made, sum_over_samples(gp, p) if kernel.trained else gp)  # type: ignore[return-value]


@functools.lru_cache(256)
def as_tensor(c: tuple[float, ...], dtype: torch.dtype) -> Tensor:
    """The constants of a neuron as a kernel reads them: made once, since that takes longer than a small call."""
    return torch.tensor(c, dtype=dtype, device="cpu")


def sum_over_samples(gp: Tensor, p: Tensor) -> Tensor:
    """The gradient of the parameter matrix `p`, of each sample's, `b rows n`."""
    summed = gp.sum(0)
    return summed.sum(1) if p.ndim == 1 else summed.reshape(p.shape)


def _fake_forward(x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, *_rest: Any) -> Four:
    return like(x), like(v0), like(i0), like(b0)


def _fake_backward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str,
    *_grads: Tensor | None,
) -> Five:  # fmt: skip
    gp = like(p) if plan_from(plan).trained else p.new_empty(0)
    return like(x), like(v0), like(i0), like(b0), gp


def like(tensor: Tensor) -> Tensor:
    """A fake of what an operator makes in the shape of a tensor."""
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.c, ctx.plan = inputs[5:]


def _differentiate(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of the arguments of `fused_neuron`, from those of what it gave."""
    plan = trained(plan_from(ctx.plan), ctx.needs_input_grad[4])
    *made, gp = fused_neuron_backward(*ctx.saved_tensors, ctx.c, str(plan), *grads)
    return *made, gp if plan.trained else None, None, None


def _run(plan: Plan, which: Which, x: Tensor, pointers: Callable[[int], list[int]]) -> None:
    """Run a kernel on all rows of the neurons of `x`, on `pointers(share)`, in shares."""
    batch, steps = x.shape[:2]
    neurons = x.shape[2:].numel()
    kernel = compiled(plan, which)
    shape = steps, neurons
    share_out(kernel, batch * -(-neurons // WIDEST), lambda share: (*shape, *pointers(share)))


fused_neuron = operator("fused_neuron", forward, _fake_forward)
fused_neuron_backward = operator("fused_neuron_backward", backward, _fake_backward)
make_differentiable(fused_neuron, _differentiate, _keep)
refuse_second_derivative(fused_neuron_backward)
