"""`register_synops_hooks` with the warning that code for sinabs may wait for."""

from __future__ import annotations

import warnings

from torch import Tensor, nn

from picojoule import hooks
from picojoule.layers import HookHandles


def register_synops_hooks(module: nn.Sequential, dt: float | None = None) -> HookHandles:
    """Count SynOps as :func:`picojoule.hooks.register_synops_hooks` does.

    Warns in each forward pass, as sinabs does, of average poolings whose windows overlap or leave gaps:
    there, a spike counts once for every window it is in. Windows with the same stride written
    differently, `2` and `(2, 2)`, are not warned of.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(3, 4))
        >>> handles = register_synops_hooks(model)
        >>> _ = model(torch.ones(5, 3))
        >>> model.hook_data["total_synops_per_timestep"]
        tensor(12.)
    """
    handles = hooks.register_synops_hooks(module, dt)
    handles.add(module.register_forward_hook(_warn_of_overlapping_windows))
    return handles


def _warn_of_overlapping_windows(
    module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    for name, pool in module.named_modules():
        if isinstance(pool, nn.AvgPool2d) and _pair(pool.kernel_size) != _pair(pool.stride):
            warnings.warn(
                f"register_synops_hooks: the windows of {name!r} ({pool}) overlap or leave gaps, so the "
                "SynOps behind it count a spike once for each window it is in.",
                stacklevel=2,
            )


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
