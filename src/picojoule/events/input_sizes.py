"""Samples and time steps of what comes in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.layers.squeeze import split_batch_and_time


def sizes_of(graph: EventGraph, x: Any) -> tuple[int, int]:
    """Samples and time steps of an input of a network.

    Raises:
        TypeError: it is no float32 tensor, or has another layout than dense or COO.
        ValueError: its shape does not fit.
    """
    if not isinstance(x, Tensor) or x.dtype != torch.float32:
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"EventNetwork: the input is {found}, expected a float32 tensor.")
    if x.layout not in (torch.strided, torch.sparse_coo):
        raise TypeError(
            f"EventNetwork: the input is a {x.layout} tensor, expected a dense one or torch.sparse_coo."
        )
    shape, leading = graph.input_signal.shape, tuple(x.shape[:2])
    if graph.folded_input and x.ndim > 0:
        leading = split_batch_and_time(
            "EventNetwork", len(x), graph.batch_size, graph.num_timesteps
        )
    axes = 1 if graph.folded_input else 2
    if x.ndim < axes or tuple(x.shape[axes:]) != shape:
        names = "batch * time" if graph.folded_input else "batch, time"
        raise ValueError(
            f"EventNetwork: the input has shape {tuple(x.shape)}, expected ({names}, {', '.join(map(str, shape))})."
        )
    batch, steps = leading
    return batch, steps


def frames_of(graph: EventGraph, x: Any) -> Tensor:
    """An input of a network as a dense sequence, `b t *n`; raises what `sizes_of` does."""
    batch, steps = sizes_of(graph, x)
    dense: Tensor = x.to_dense() if x.layout == torch.sparse_coo else x
    return dense.reshape(batch, steps, *graph.input_signal.shape)
