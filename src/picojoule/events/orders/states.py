"""What asynchronous execution carries from one call to the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.plan import StagePlan
from picojoule.events.states import StageStates


@dataclass(frozen=True)
class OrderedStates:
    """States of a batch.

    Args:
        stages: potentials and currents of each stage, in the model's units.
        steps: since all was zero, int64 `b`: the slow clock goes on from it.
        decimated: events that each stage gave out, int64 `stages b`: its decimator goes on from it.
    """

    stages: list[StageStates]
    steps: Tensor
    decimated: Tensor

    @classmethod
    def at_rest(cls, graph: EventGraph, plans: list[StagePlan], batch: int) -> OrderedStates:
        """All zero."""
        pairs = zip(graph.stages, plans, strict=True)
        stages = [StageStates(stage.signal, plan, batch) for stage, plan in pairs]
        steps = torch.zeros(batch, dtype=torch.int64)
        return cls(stages, steps, torch.zeros(len(plans), batch, dtype=torch.int64))

    def reset(self) -> None:
        """All zero again."""
        for stage in self.stages:
            stage.reset()
        self.steps.zero_()
        self.decimated.zero_()

    def copied(self) -> OrderedStates:
        """The same in memory of its own."""
        stages = [StageStates(x.signal, x.plan, len(self.steps)) for x in self.stages]
        double = OrderedStates(stages, self.steps.clone(), self.decimated.clone())
        double.put(self)
        return double

    def put(self, other: OrderedStates) -> None:
        """Take on what another has."""
        for mine, theirs in zip(self.stages, other.stages, strict=True):
            for name in mine.plan.neurons.states:
                mine.put(name, theirs.get(name))
            mine.fired.copy_(theirs.fired)
        self.steps.copy_(other.steps)
        self.decimated.copy_(other.decimated)
