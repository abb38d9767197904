"""A training step that can change nothing, since no weight has a gradient."""

from __future__ import annotations

from torch import nn


def no_gradient(model: nn.Module) -> str | None:
    """A sentence, if no weight has a gradient that is not zero; None otherwise.

    Args:
        model: after the backward pass, with its gradients.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> model(torch.ones(1, 2)).sum().mul(0).backward()
        >>> no_gradient(model)[:48]
        'no weight has a gradient in this step: the loss '
        >>> model(torch.ones(1, 2)).sum().backward()
        >>> no_gradient(model) is None
        True
    """
    gradients = (p.grad for p in model.parameters() if p.grad is not None)
    if any(
        bool((each.coalesce().values() if each.is_sparse else each).any()) for each in gradients
    ):
        return None
    return (
        "no weight has a gradient in this step: the loss is the same whatever they are, and as long as that is so "
        "nothing is learned. Layers that do not fire pass none on, nor does what is detached or frozen."
    )
