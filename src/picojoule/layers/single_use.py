"""The mark that makes a second backward through a used-up graph explain itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.activation.transforms import is_transformed
from picojoule.ops.used_up import saved_by


class _SingleUse(torch.autograd.Function):
    """Identity on a layer's outputs that notices when its graph has been freed.

    This node comes before those that would speak of "the graph a second time". ``outputs`` are fresh tensors
    that nobody else saved, so they are handed through in place; states are small and copied. It saves nothing:
    checkpointing compares what two runs save, of which one may have the kernels' own node in its place.
    """

    @staticmethod
    def forward(ctx: Any, layer_name: str, num_outputs: int, *tensors: Tensor) -> Any:
        ctx.layer_name = layer_name
        ctx.set_materialize_grads(False)
        outputs, states = tensors[:num_outputs], tensors[num_outputs:]
        ctx.mark_dirty(*outputs)
        return (*outputs, *(state.clone() for state in states))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        saved_by(ctx, ctx.layer_name)
        return (None, None, *grads)


def single_use(
    layer_name: str, outputs: list[Tensor], states: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Mark what a forward pass gives out and what it leaves behind; values and gradients stay."""
    # a compiled graph has backward nodes of its own, and so has what torch.func makes
    if torch.compiler.is_compiling() or is_transformed():
        return outputs, states
    given = (*outputs, *states)
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in given):
        # a view made without gradients may not be written to, as exported programs do with a state
        return outputs, [x.clone() if x._is_view() else x for x in states]
    node: Any = outputs[0].grad_fn
    if hasattr(node, "layer_name") and all(x.grad_fn is node for x in given):
        node.layer_name = layer_name  # the kernels' own node explains itself
        return outputs, states
    marked = _SingleUse.apply(layer_name, len(outputs), *outputs, *states)  # type: ignore[no-untyped-call]
    return list(marked[: len(outputs)]), list(marked[len(outputs) :])
