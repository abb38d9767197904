"""A network that runs as event-driven chips do, behind the interface of the model."""

from __future__ import annotations

from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.input_sizes import frames_of
from picojoule.events.orders import (
    Arrival,
    ChipLimits,
    Leak,
    Order,
    OrderedNetwork,
    OrderedRun,
    OrderedStates,
)
from picojoule.events.plan import plan_stage


class AsynchronousNetwork:
    """A network whose neurons fire as soon as they may: made by `picojoule.events.compile(..., order="depth")`.

    `network(x)` takes what the model does, gives outputs by the step of the input event that caused them, and goes on
    from the states that the last call left, for as long as the batch stays. :class:`OrderedNetwork` says what each order
    and leak does.

    Attributes:
        graph: its stages.
        ordered: what runs.
        last: what the last call gave: outputs, spikes and SynOps of each layer, sample and step, events that were lost.

    Example:
        >>> import torch
        >>> import picojoule.layers as layers
        >>> from torch import nn
        >>> from picojoule import events
        >>> model = nn.Sequential(nn.Linear(2, 1, bias=False), layers.IAF())
        >>> model[0].weight.data = torch.tensor([[1.0, -1.0]])
        >>> x = torch.ones(1, 1, 2)
        >>> model(x).item(), events.compile(model, x, order="depth")(x).item()  # 1 - 1 excites before it inhibits
        (0.0, 1.0)
    """

    def __init__(
        self,
        graph: EventGraph,
        order: Order,
        leak: Leak,
        limits: ChipLimits | None,
        tick_steps: int,
        arrival: Arrival,
    ) -> None:
        self.graph = graph
        self._plans = [plan_stage(graph, k) for k in range(len(graph.stages))]
        self.ordered = OrderedNetwork(graph, self._plans, order, leak, limits, tick_steps, arrival)
        self._states: OrderedStates | None = None
        self.last: OrderedRun | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """What the network gives out for `x`, with the model's axes of batch and time.

        Raises:
            TypeError: the input is no float32 tensor.
            ValueError: its shape does not fit, or a value is not finite; the states stay as they were.
        """
        frames = frames_of(self.graph, x).contiguous()
        if self._states is None or len(self._states.steps) != len(frames):
            self._states = self.ordered.at_rest(len(frames))
        self.last = self.ordered.run(frames, self._states)
        return self.last.outputs.flatten(0, 1) if self.graph.folded_output else self.last.outputs

    def reset(self) -> None:
        """Set all states to zero, and the clocks."""
        if self._states is not None:
            self._states.reset()

    @property
    def synops(self) -> dict[str, Tensor]:
        """SynOps of the last call by weighted layer, of each sample and step, float64 `b t`."""
        found: dict[str, Tensor] = {}
        for plan, counts in zip(self._plans, self.last.synops if self.last else [], strict=False):
            for edge, count in zip(plan.all_edges, counts, strict=True):
                if edge.path:
                    found[edge.path] = found[edge.path] + count if edge.path in found else count
        return found

    def __repr__(self) -> str:
        return f"AsynchronousNetwork({self.graph.model}, order={self.ordered.order!r}, leak={self.ordered.leak!r})"
