"""The gradient of what a budget pulls at, added to that of the task without ever overruling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn


def gradients(term: Tensor, parameters: Sequence[nn.Parameter], group: Any) -> list[Tensor | None]:
    """The gradients of a term, averaged over the processes of a group; its graph stays for the task's own backward pass."""
    found: list[Tensor | None] = list(
        torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    )
    return found if group is None else _over_processes(found, group)


def _over_processes(found: Sequence[Tensor | None], group: Any) -> list[Tensor | None]:
    """The mean over a group, in one collective; all processes have the same parameters in use."""
    present = [each for each in found if each is not None]
    if not present:
        return list(found)
    flat = torch.cat([each.flatten() for each in present])
    distributed.all_reduce(flat, group=group)
    flat /= distributed.get_world_size(group)
    parts = iter(torch.split(flat, [each.numel() for each in present]))
    return [None if each is None else next(parts).view_as(each).to(each.dtype) for each in found]


@torch.no_grad()
def add_bounded(
    parameters: Sequence[nn.Parameter],
    task: Callable[[], object],
    pull: Sequence[Tensor | None],
    kappa: Mapping[nn.Parameter, float],
) -> None:
    """Run the task's backward pass, and add a pull that is bounded by it in each tensor.

        grad = g_task + kappa * |g_task| / |g_pull| * g_pull

    Args:
        parameters: those that are trained.
        task: runs its backward pass; what was in `.grad` before, as of micro-batches, stays and is added to.
        pull: gradient of what is pulled down, for each parameter; None where it does not depend on it.
        kappa: for each parameter.

    Example:
        >>> w = nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> add_bounded([w], lambda: (w**2 / 2).sum().backward(), [torch.tensor([1.0, 0.0])], {w: 0.5})
        >>> w.grad
        tensor([5.5000, 4.0000])
    """
    before = [None if p.grad is None else p.grad.clone() for p in parameters]
    with torch.enable_grad():
        task()
    for parameter, g, earlier in zip(parameters, pull, before, strict=True):
        if g is None or parameter.grad is None:
            continue
        own = parameter.grad if earlier is None else parameter.grad - earlier
        length = g.norm()
        factor = kappa[parameter] * own.norm() / length
        parameter.grad += torch.where(length > 0, factor, torch.zeros_like(factor)) * g


@torch.no_grad()
def add_alone(
    parameters: Sequence[nn.Parameter],
    pull: Sequence[Tensor | None],
    kappa: float,
) -> None:
    """Add a pull that no task bounds: in each tensor, a gradient as long as the weights are.

        grad = grad + kappa * |w| / |g_pull| * g_pull

    Example:
        >>> w = nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> add_alone([w], [torch.tensor([2.0, 0.0])], kappa=0.5)
        >>> w.grad
        tensor([2.5000, 0.0000])
    """
    for parameter, g in zip(parameters, pull, strict=True):
        if g is None:
            continue
        length = g.norm()
        factor = kappa * parameter.norm() / length
        added = torch.where(length > 0, factor, torch.zeros_like(factor)) * g
        parameter.grad = added if parameter.grad is None else parameter.grad + added
