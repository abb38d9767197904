"""What is asked while `torch.compile` traces a call. Imported then alone: it loads the compiler."""

from __future__ import annotations

import torch

from picojoule.ops.cpu import fault


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def kernel_fault(plan: str) -> str | None:
    """The answer of :func:`fault.kernel_fault`, not its trace: it opens files."""
    return fault.kernel_fault(plan)
