"""Samples and time steps of what comes in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.layers.squeeze import SqueezeError, shown_sizes, split_batch_and_time


def sizes_of(graph: EventGraph, x: Any, where: str = "EventNetwork") -> tuple[int, int]:
    """Samples and time steps of an input of a network; `where` starts the message of an error.

    Raises:
        TypeError: it is no float32 tensor, or has another layout than dense or COO.
        ValueError: its shape does not fit, or it is on another device.
    """
    if not isinstance(x, Tensor) or x.dtype != torch.float32:
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        advice = " It computes in float32: call x.float()." if isinstance(x, Tensor) else ""
        raise TypeError(f"{where}: the input is {found}, expected a float32 tensor.{advice}")
    if x.device.type != "cpu":
        raise ValueError(
            f"{where}: the input is on the device {x.device}, and the engine runs on the CPU: call x.cpu()."
        )
    if x.layout not in (torch.strided, torch.sparse_coo):
        raise TypeError(
            f"{where}: the input is a {x.layout} tensor, expected a dense one or torch.sparse_coo."
        )
    shape, leading = graph.input_signal.shape, tuple(x.shape[:2])
    if graph.folded_input and x.ndim > 0:
        leading = _unfolded(graph, len(x), where)
    axes = 1 if graph.folded_input else 2
    if x.ndim < axes or tuple(x.shape[axes:]) != shape:
        names = "batch * time" if graph.folded_input else "batch, time"
        raise ValueError(
            f"{where}: the input has shape {tuple(x.shape)}, expected ({names}, {', '.join(map(str, shape))})."
        )
    batch, steps = leading
    return batch, steps


def _unfolded(graph: EventGraph, folded: int, where: str) -> tuple[int, int]:
    try:
        return split_batch_and_time(where, folded, graph.batch_size, graph.num_timesteps)
    except SqueezeError as error:
        sizes = shown_sizes(graph.batch_size, graph.num_timesteps, " and ")
        raise ValueError(
            f"{where}: the first axis of the input has {folded} entries (batch * time), and the network was compiled for "
            f"{sizes or 'no number of samples that divides it'}. Where the batch axis is missing, add one; for another batch call "
            "picojoule.set_batch_size(model, n), and compile the model again."
        ) from error


def frames_of(graph: EventGraph, x: Any, where: str = "EventNetwork") -> Tensor:
    """An input of a network as a dense sequence, `b t *n`; raises what `sizes_of` does."""
    batch, steps = sizes_of(graph, x, where)
    dense: Tensor = x.to_dense() if x.layout == torch.sparse_coo else x
    return dense.detach().resolve_neg().reshape(batch, steps, *graph.input_signal.shape)
