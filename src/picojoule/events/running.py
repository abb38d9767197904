"""What a stream needs of the network that it feeds."""

from __future__ import annotations

from typing import Protocol, Self

from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.inputs.step_events import StepEvents
from picojoule.report import Report


class Running(Protocol):
    """A network that goes on step by step; :class:`picojoule.events.EventNetwork` is one."""

    graph: EventGraph
    synops: dict[str, Tensor]

    @property
    def weighted_layers(self) -> list[str]:
        """Names of the layers that spend SynOps."""
        ...

    def fresh(self) -> Self:
        """The same network at rest, nothing counted."""
        ...

    def steps_at_once(self, batch: int, steps: int) -> int:
        """How many of so many steps fit into memory."""
        ...

    def run_steps(self, given: list[StepEvents], steps: int) -> list[StepEvents]:
        """The events that are given out for those of the next steps, of each sample."""
        ...

    def pass_steps(self, steps: int) -> None:
        """So many steps in which nothing changes."""
        ...

    def snapshot(self) -> list[Tensor]:
        """Copies of all that a step may change."""
        ...

    def states(self) -> dict[str, dict[str, Tensor]]:
        """Copies of the states by layer and name."""
        ...

    def report(self) -> Report:
        """What was spent."""
        ...

    def reset(self) -> None:
        """Set all states to zero."""
        ...

    def reset_count(self) -> None:
        """Forget what was counted."""
        ...
