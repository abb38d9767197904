"""One call of asynchronous execution."""

from __future__ import annotations

from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.orders.limits import ChipLimits
from picojoule.events.orders.network import Arrival, Leak, Order, OrderedNetwork
from picojoule.events.orders.result import OrderedRun
from picojoule.events.orders.states import OrderedStates
from picojoule.events.plan import StagePlan


def run(
    graph: EventGraph,
    plans: list[StagePlan],
    frames: Tensor,
    order: Order = "breadth",
    leak: Leak = "step",
    limits: ChipLimits | None = None,
    tick_steps: int = 1,
    arrival: Arrival = "index",
    seed: int = 0,
    states: OrderedStates | None = None,
) -> OrderedRun:
    """What a network gives out for `frames`, `b t *n`, run asynchronously; see :class:`OrderedNetwork`.

    Example:
        >>> import torch
        >>> from picojoule.events.following import follow
        >>> from picojoule.events.plan import plan_stage
        >>> from picojoule.layers import IAF
        >>> layer = torch.nn.Linear(2, 1, bias=False)
        >>> layer.weight.data = torch.tensor([[1.0, -1.0]])
        >>> graph = follow(torch.nn.Sequential(layer, IAF()), torch.ones(1, 1, 2))
        >>> run(graph, [plan_stage(graph, 0)], torch.ones(1, 1, 2)).outputs.item()  # PyTorch: 1 - 1 makes no spike
        1.0
    """
    return OrderedNetwork(graph, plans, order, leak, limits, tick_steps, arrival, seed).run(
        frames, states
    )
