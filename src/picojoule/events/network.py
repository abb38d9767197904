"""A network that runs event by event."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from picojoule.events.following import follow
from picojoule.events.plan import plan_stage
from picojoule.events.engine import Engine
from picojoule.events.program import Program
from picojoule.events.states import StageStates


class EventNetwork:
    def __init__(self, model: nn.Module, sample: Tensor) -> None:
        self.graph = follow(model, sample)
        self.plans = [plan_stage(self.graph, k) for k in range(len(self.graph.stages))]
        self._states: list[StageStates] = []
        self._programs: dict[tuple[int, int], Program] = {}

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        batch, steps, data = self._split(x)
        engine = self._program(batch, steps)
        if hasattr(self,'limit'):
            engine.program.limits[:] = self.limit
        out = engine.run(data)
        self.last = engine.program
        return out.flatten(0, 1) if self.graph.folded_output else out

    def reset(self) -> None:
        for s in self._states:
            s.reset()

    def _split(self, x):
        if self.graph.folded_input:
            b = self.graph.batch_size
            t = self.graph.num_timesteps
            if b == -1: b = len(x) // t
            t = len(x) // b
            x = x.reshape(b, t, *x.shape[1:])
        return x.shape[0], x.shape[1], x.contiguous()

    def _program(self, batch, steps):
        if not self._states or len(self._states[0].fired) != batch:
            self._states = [StageStates(s.signal, p, batch) for s, p in zip(self.graph.stages, self.plans)]
            self._programs = {}
        key = (batch, steps)
        if key not in self._programs:
            self._programs[key] = Engine(self.graph, self.plans, self._states, Program(self.graph, self.plans, self._states, batch, steps))
        return self._programs[key]
