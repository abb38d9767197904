"""Whether a program is being exported."""

from __future__ import annotations

import sys

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


def is_export_under_way() -> bool:
    """Whether `torch.export` has been called: also before it traces, while it asks a model for its buffers.

    Example:
        >>> is_export_under_way()
        False
    """
    exporter = sys.modules.get("torch.export._trace")
    return getattr(exporter, "_EXPORT_MODULE_HIERARCHY", None) is not None
