"""The base of spike functions that scripts for sinabs define themselves."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class BackwardClass:
    """Gives a `torch.autograd.Function` the backward pass of sinabs' spike functions.

        d spikes / d v_mem := ctx.surrogate_grad_fn(v_mem, ctx.spike_threshold)

    The forward pass of the subclass saves `v_mem` and sets the other two on `ctx`.

    Example:
        >>> import torch
        >>> from picojoule.activation import Heaviside
        >>> class Fire(BackwardClass, torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, v_mem, spike_threshold, surrogate_grad_fn):
        ...         ctx.save_for_backward(v_mem)
        ...         ctx.spike_threshold = spike_threshold
        ...         ctx.surrogate_grad_fn = surrogate_grad_fn
        ...         return (v_mem > spike_threshold).float()
        >>> v_mem = torch.tensor([0.2, 1.5], requires_grad=True)
        >>> Fire.apply(v_mem, 2.0, Heaviside()).sum().backward()
        >>> v_mem.grad
        tensor([0.0000, 0.5000])
    """

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        """Gradient of the potential; the threshold and the surrogate have none."""
        (v_mem,) = ctx.saved_tensors
        slope: Tensor = ctx.surrogate_grad_fn(v_mem, ctx.spike_threshold)
        return grad_output * slope, None, None, None
