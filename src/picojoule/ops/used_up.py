"""What a second backward pass through a used-up graph is told, in the name of the layer that left it behind."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def saved_by(node: Any, layer_name: str | None) -> tuple[Tensor, ...]:
    """What an autograd node saved for its backward pass.

    A layer's state carries the graph of its last call. When a later backward pass reaches that graph after an
    earlier one has used it up, autograd would speak of "the graph a second time".

    Args:
        node: the context of a `torch.autograd.Function`.
        layer_name: type of the layer; None where a function was called, whose caller keeps the states.

    Raises:
        RuntimeError: the graph was used up; the message says in which layer, and what to do.
    """
    try:
        return node.saved_tensors  # type: ignore[no-any-return]
    except RuntimeError as error:
        # under checkpoint_time, another is a fault of the rerun
        if layer_name is None or "second time" not in str(error):
            raise
        raise RuntimeError(
            f"{layer_name}: this backward pass goes back in time into an earlier forward pass, "
            "through the neuron state it left behind, and that graph was already used by an earlier "
            "backward(). Between the two, call picojoule.reset_states(model) to start from zeros, or "
            "picojoule.zero_grad(model) to keep the state and cut the gradient. (To go back through "
            "both on purpose, pass retain_graph=True to the first backward.)"
        ) from None
