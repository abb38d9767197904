"""The mark that makes a second backward through a used-up graph explain itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.activation.transforms import is_transformed


class _SingleUse(torch.autograd.Function):
    """Identity on a layer's outputs that notices when its graph has been freed.

    A layer's state carries the graph of its last call. When a later backward pass reaches that
    graph after an earlier one has used it up, autograd would speak of "the graph a second time";
    this node comes first and says which layer and what to do. ``outputs`` are fresh tensors that
    nobody else saved, so they are handed through in place; states are small and copied.
    """

    @staticmethod
    def forward(ctx: Any, layer_name: str, num_outputs: int, *tensors: Tensor) -> Any:
        ctx.layer_name = layer_name
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(tensors[0].new_empty(0))
        outputs, states = tensors[:num_outputs], tensors[num_outputs:]
        ctx.mark_dirty(*outputs)
        return (*outputs, *(state.clone() for state in states))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        try:
            ctx.saved_tensors  # noqa: B018  (raises once the graph has been freed)
        except RuntimeError as error:
            if "second time" not in str(error):  # under checkpoint_time, a fault of the rerun
                raise
            raise RuntimeError(
                f"{ctx.layer_name}: this backward pass goes back in time into an earlier forward pass, "
                "through the neuron state it left behind, and that graph was already used by an earlier "
                "backward(). Between the two, call picojoule.reset_states(model) to start from zeros, or "
                "picojoule.zero_grad(model) to keep the state and cut the gradient. (To go back through "
                "both on purpose, pass retain_graph=True to the first backward.)"
            ) from None
        return (None, None, *grads)


def single_use(
    layer_name: str, outputs: list[Tensor], states: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Mark what a forward pass gives out and what it leaves behind; values and gradients stay."""
    # a compiled graph has backward nodes of its own, and so has what torch.func makes
    if torch.compiler.is_compiling() or is_transformed():
        return outputs, states
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in (*outputs, *states)):
        # a view made without gradients may not be written to, as exported programs do with a state
        return outputs, [x.clone() if x._is_view() else x for x in states]
    marked = _SingleUse.apply(layer_name, len(outputs), *outputs, *states)  # type: ignore[no-untyped-call]
    return list(marked[: len(outputs)]), list(marked[len(outputs) :])
