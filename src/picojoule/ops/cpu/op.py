"""The kernels as operators that PyTorch knows: autograd, `torch.compile` and `torch.export` see through them.

`x` and the outputs are `b t *n`, the states `v`, `i` (synaptic current) and `b` (spike trace) `b *n`, the
parameters `p` as `neuron.parameter_rows` makes them, all float32. A state that the plan does not have is empty.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.ops.cpu.compiled import Which, compiled
from picojoule.ops.cpu.scratch import WIDEST, addresses
from picojoule.ops.cpu.threads import share_out
from picojoule.ops.plan import Plan

Four = tuple[Tensor, Tensor, Tensor, Tensor]
Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _forward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str
) -> Four:
    """Outputs and end states of all time steps."""
    given = [tensor.contiguous() for tensor in (x, v0, i0, b0, p)]
    made = [torch.empty_like(tensor) for tensor in given[:4]]
    constants = torch.tensor(c, dtype=torch.float32)
    pointers = [tensor.data_ptr() for tensor in (*given, constants, *made)]
    _run(replace(Plan.of(plan), trained=False), "forward", x, p, lambda *_: pointers)
    return tuple(made)  # type: ignore[return-value]


def _backward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str,
    g: Tensor, gv1: Tensor, gi1: Tensor, gb1: Tensor,
) -> Five:  # fmt: skip
    """Gradients of `x`, the states and `p` (empty unless `plan.trained`), from those of the outputs.

    Of the sequence `x` alone was kept: the rest is computed again.
    """
    kernel = Plan.of(plan)
    given = [tensor.contiguous() for tensor in (x, v0, i0, b0, p)]
    made = [torch.empty_like(tensor) for tensor in given[:4]]
    grads = [tensor.contiguous() for tensor in (g, gv1, gi1, gb1)]
    constants = torch.tensor(c, dtype=torch.float32)
    neurons = x.shape[2:].numel()
    gp = x.new_empty((len(x), len(p), neurons) if kernel.trained else 0)
    before = [tensor.data_ptr() for tensor in (*given, constants, *grads)]
    after = [tensor.data_ptr() for tensor in (*made, gp)]

    def pointers(steps: int) -> list[int]:
        return [*before, *addresses(kernel, steps), *after]

    _run(kernel, "backward", x, p, pointers)
    return (*made, _sum_over_samples(gp, p) if kernel.trained else gp)  # type: ignore[return-value]


def _sum_over_samples(gp: Tensor, p: Tensor) -> Tensor:
    summed = gp.sum(0)
    return summed.sum(1) if p.ndim == 1 else summed.reshape(p.shape)


def _fake_forward(x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, *_rest: Any) -> Four:
    return _like(x), _like(v0), _like(i0), _like(b0)


def _fake_backward(
    x: Tensor, v0: Tensor, i0: Tensor, b0: Tensor, p: Tensor, c: Sequence[float], plan: str,
    *_grads: Tensor,
) -> Five:  # fmt: skip
    gp = _like(p) if Plan.of(plan).trained else p.new_empty(0)
    return _like(x), _like(v0), _like(i0), _like(b0), gp


def _like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.c, ctx.plan = inputs[5:]


def _differentiate(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    given = ctx.saved_tensors
    plan = replace(Plan.of(ctx.plan), trained=ctx.needs_input_grad[4])
    *made, gp = fused_neuron_backward(*given, ctx.c, str(plan), *grads)
    return *made, gp if plan.trained else None, None, None


def _run(
    plan: Plan, which: Which, x: Tensor, p: Tensor, pointers: Callable[[int], list[int]]
) -> None:
    """Run a kernel on all rows of the neurons of `x`, in shares."""
    batch, steps = x.shape[:2]
    neurons = x.shape[2:].numel()
    kernel = compiled(plan, which)
    unused = ctypes.c_void_p()
    shape = steps, neurons, 0 if p.ndim == 1 else 1

    def share(first: int, last: int) -> None:
        kernel(ctypes.addressof(unused), None, first, last, *shape, *pointers(steps))

    share_out(batch * -(-neurons // WIDEST), share)


# Not torch.library.custom_op: its first call imports the compiler, which takes seconds.
_library = torch.library.Library("picojoule", "FRAGMENT")  # type: ignore[no-untyped-call]
_GIVEN = "Tensor x, Tensor v0, Tensor i0, Tensor b0, Tensor p, float[] c, str plan"
_GRADS = "Tensor g, Tensor gv1, Tensor gi1, Tensor gb1"
for _schema in (
    f"fused_neuron({_GIVEN}) -> (Tensor, Tensor, Tensor, Tensor)",
    f"fused_neuron_backward({_GIVEN}, {_GRADS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
):
    _library.define(_schema)  # type: ignore[no-untyped-call]
_library.impl("fused_neuron", _forward, "CPU")  # type: ignore[no-untyped-call]
_library.impl("fused_neuron_backward", _backward, "CPU")  # type: ignore[no-untyped-call]
torch.library.register_fake("picojoule::fused_neuron", _fake_forward, lib=_library)
torch.library.register_fake("picojoule::fused_neuron_backward", _fake_backward, lib=_library)
torch.library.register_autograd(
    "picojoule::fused_neuron", _differentiate, setup_context=_keep, lib=_library
)
fused_neuron = torch.ops.picojoule.fused_neuron.default
fused_neuron_backward = torch.ops.picojoule.fused_neuron_backward.default
