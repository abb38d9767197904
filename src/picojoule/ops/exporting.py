"""Whether a program is being exported."""

from __future__ import annotations

import torch


def is_exporting() -> bool:
    """Whether `torch.export` is at work.

    Not `torch.compiler.is_exporting`, which before PyTorch 2.13 says yes under `torch.compile`, too. PyTorch
    2.6 tells of neither.

    Example:
        >>> is_exporting()
        False
    """
    return bool(getattr(torch.compiler, "_is_exporting_flag", False))
