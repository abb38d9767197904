"""Calls that a backward pass makes once more: `torch.utils.checkpoint` runs a block again for what it did not keep."""

from __future__ import annotations

import torch

from picojoule.layers.chunks import current_chunk


def current_rerun() -> int | None:
    """A number of the backward pass inside of which this is called; None outside, and where `checkpoint_time` hands states over."""
    if torch.compiler.is_compiling() or current_chunk() is not None:
        return None
    task: int = torch._C._current_graph_task_id()
    return None if task == -1 else task
