"""What differentiates or batches a call beside autograd: forward mode, and the transforms of torch.func.

They look into a `torch.autograd.Function` only if it is written for them, and torch.compile only into one that is
not. So ours come in two kinds, of which `suited` takes the one for the call.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = type[torch.autograd.Function]


def is_transformed() -> bool:
    """Whether a transform of torch.func (`grad`, `vmap`, `jvp`, ...) or forward mode is at work.

    Example:
        >>> torch.func.vmap(lambda x: x * is_transformed())(torch.ones(2))
        tensor([1., 1.])
        >>> is_transformed()
        False
    """
    if torch.compiler.is_compiling():
        from picojoule.activation import traced

        return traced.is_transformed()  # type: ignore[no-any-return]
    return (
        forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None
    )


def has_outlived_vmap(tensor: Tensor) -> bool:
    """Whether a tensor was made under a `torch.func.vmap` that has ended, and cannot be used any more."""
    functorch = torch._C._functorch
    if torch.compiler.is_compiling() or not functorch.is_batchedtensor(tensor):
        return False
    return functorch.maybe_get_level(tensor) > (functorch.maybe_current_level() or 0)


def suited(plain: Function, transformed: Function) -> Function:
    """Which of two kinds of a Function can be used in this call.

    Args:
        plain: for autograd, and for torch.compile.
        transformed: the same with `setup_context`, `jvp` and `generate_vmap_rule`, for transforms.

    Raises:
        NotImplementedError: torch.compile is to trace a transform, and would differentiate the rounding itself.
    """
    if not is_transformed():
        return plain
    if torch.compiler.is_compiling():
        raise NotImplementedError(
            "torch.compile does not follow transforms of torch.func (grad, jvp, vmap, ...) and dual numbers "
            "through spikes and rounded values. Leave them out of what is compiled, or do not compile."
        )
    return transformed
