"""Where the threads write what a call gives: memory of the whole batch."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.orders.kernels.tables import FINE
from picojoule.events.orders.numbers import LayerNumbers


class CallMemory:
    """Counts and outputs of one call, zero at first.

    Args:
        graph: the network.
        numbers: of each stage.
        frames: the input, `b t *n`.
        arrivals: of each step the order of the input's neurons, int32 `t n`; None for that of their indices.
    """

    def __init__(
        self,
        graph: EventGraph,
        numbers: list[LayerNumbers],
        frames: Tensor,
        arrivals: Tensor | None = None,
    ) -> None:
        self.arrivals = arrivals
        self.batch, self.steps = frames.shape[:2]
        flat = graph.input_signal.to_engine(frames.flatten(0, 1).float())
        self.frames = flat.contiguous()
        each_step = self.batch, self.steps

        def zeros() -> Tensor:
            return torch.zeros(each_step, dtype=torch.float64)

        self.spikes = [zeros() for _ in numbers]
        self.synops = [[zeros() for _ in stage.synapses] for stage in numbers]
        self.outputs = torch.zeros(
            *each_step, graph.signal(graph.output).neurons, dtype=torch.float32
        )
        self.status = torch.full((self.batch, 4), FINE, dtype=torch.int64)
        self.dropped = torch.zeros(len(numbers) + 1, self.batch, dtype=torch.int64)
