"""What differentiates or batches a call beside autograd: forward mode, and the transforms of torch.func.

They look into a `torch.autograd.Function` only if it is written for them, and torch.compile only into one that is
not. So ours come in two kinds, of which `suited` takes the one for the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = type[torch.autograd.Function]
_ENDED = -2  # what functorch gives for the level of a derivative that has ended


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


def is_batched() -> bool:
    """Whether a `torch.func.vmap` is at work, alone or among others, so that tensors stand for many of their shape.

    Example:
        >>> torch.func.grad(lambda x: x * is_batched())(torch.tensor(2.0))
        tensor(0.)
    """
    functorch = torch._C._functorch
    if functorch.peek_interpreter_stack() is None:  # as nearly always, at no cost
        return False
    at_work = functorch.get_interpreter_stack() or []
    return any(level.key() == functorch.TransformType.Vmap for level in at_work)


def out_of_ended(tensor: Tensor) -> Tensor | None:
    """A tensor without the transforms of torch.func that have ended; None if one was a vmap, without which it has no values.

    Example:
        >>> left = []
        >>> _ = torch.func.grad(lambda x: left.append(x) or x)(torch.tensor(2.0))
        >>> _ = torch.func.vmap(lambda x: left.append(x) or x)(torch.ones(2))
        >>> [out_of_ended(tensor) for tensor in left]
        [tensor(2.), None]
    """
    functorch = torch._C._functorch
    if torch.compiler.is_compiling() or not functorch.is_functorch_wrapped_tensor(tensor):
        return tensor
    inner, now = tensor, functorch.maybe_current_level() or 0
    while functorch.is_functorch_wrapped_tensor(inner):
        if functorch.maybe_get_level(inner) > now:
            return None
        inner = functorch.get_unwrapped(inner)
    while functorch.maybe_get_level(tensor) == _ENDED:
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def in_values(tensor: Tensor) -> Tensor:
    """A tensor without the derivatives of torch.func that are at work on it."""
    functorch = torch._C._functorch
    while functorch.is_gradtrackingtensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


@contextmanager
def outside_transforms() -> Iterator[None]:
    """Inside, no transform of torch.func is at work: for what outlives the call that runs under one."""
    if torch._C._functorch.peek_interpreter_stack() is None:
        yield
        return
    from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

    with temporarily_clear_interpreter_stack():
        yield


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
