"""What is asked while `torch.compile` traces a call. Imported then alone: it loads the compiler."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def is_transformed() -> bool:
    """The answer of :func:`transforms.is_transformed`: compiled code is not used under other transforms."""
    return (
        forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None
    )
