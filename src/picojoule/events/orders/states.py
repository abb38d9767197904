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
        stages: potentials and currents of each stage.
        steps: since all was zero, int64 `b`: the slow clock goes on from it.
        decimated: events that each stage gave out, int64 `stages b`: its decimator goes on from it.
    """

    stages: list[StageStates]
    steps: Tensor
    decimated: Tensor

    @classmethod
    def at_rest(
        cls, graph: EventGraph, plans: list[StagePlan], scales: list[float], batch: int
    ) -> OrderedStates:
        """All zero. The chip's units of each stage are `scales` of the model's: they are kept, as going to and fro would round."""
        each = zip(graph.stages, plans, scales, strict=True)
        stages = [StageStates(stage.signal, plan, batch, scale) for stage, plan, scale in each]
        steps = torch.zeros(batch, dtype=torch.int64)
        return cls(stages, steps, torch.zeros(len(plans), batch, dtype=torch.int64))

    def reset(self) -> None:
        """All zero again."""
        for stage in self.stages:
            stage.reset()
        self.steps.zero_()
        self.decimated.zero_()

    def copied(self) -> list[dict[str, Tensor]]:
        """All there is, to be put back."""
        own = {"steps": self.steps.clone(), "decimated": self.decimated.clone()}
        return [own, *(stage.copied() for stage in self.stages)]

    def put_back(self, kept: list[dict[str, Tensor]]) -> None:
        """As it was."""
        own, *of_stages = kept
        self.steps.copy_(own["steps"])
        self.decimated.copy_(own["decimated"])
        for stage, values in zip(self.stages, of_stages, strict=True):
            stage.put_back(values)
