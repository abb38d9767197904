"""One call: each sample goes on event by event, until a layer has so many events that a dense product is quicker."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.events.dense import arriving, run_dense
from picojoule.events.graph import EventGraph
from picojoule.events.plan import StagePlan
from picojoule.events.program import Frames, Program
from picojoule.events.states import StageStates

_DONE = -1


class Engine:
    """Runs a batch of one size, some steps at a time.

    Args:
        graph: the network.
        plans: of each stage, its neurons and synapses.
        states: of each stage.
        program: the tables for this size.
    """

    def __init__(
        self, graph: EventGraph, plans: list[StagePlan], states: list[StageStates], program: Program
    ) -> None:
        self.graph, self.plans, self.states, self.program = graph, plans, states, program
        signals = range(len(plans) + 1)
        self._frames = [Frames(program, k) for k in signals]
        self._dense: list[Tensor | None] = [None for _ in signals]
        self._has_events = torch.zeros(len(signals), program.batch, dtype=torch.bool)
        self._has_frames = torch.zeros(len(signals), program.batch, dtype=torch.bool)
        self._all = torch.arange(program.batch)
        self.ran_dense = torch.zeros(len(plans), dtype=torch.int64)

    def run(self, frames: Tensor) -> Tensor:
        """What the network gives out, `b t *m`, for `frames`, `b t *n`."""
        self._start(frames)
        for k in range(len(self.plans)):
            stopped = (self.program.stopped == k).nonzero().flatten()
            if len(stopped):
                self._go_on_densely(k, stopped)
        return self._given_out()

    def _start(self, frames: Tensor) -> None:
        self._has_events.zero_()
        self._has_frames.zero_()
        self._dense[0] = frames
        self._has_frames[0] = True
        self.program.stopped.fill_(_DONE)
        self._choose(0, self._all)

    def _choose(self, stage: int, which: Tensor) -> None:
        """Where what arrives at a stage is dense: event by event from here on, or a dense product."""
        limit = float(self.program.limits[stage])
        busy = torch.zeros(len(which), dtype=torch.bool)
        if limit < torch.inf and self._all_dense(stage, which):
            busy = self._count_dense(stage, which) > limit
        self.program.stopped[which[busy]] = stage
        calm = which[~busy]
        if len(calm):
            self.program.stopped[calm] = _DONE
            for source in self._heard_from(stage):
                self._need_events(source, calm)
            self.program.run(stage, calm)
            self._note_events(stage, calm)

    def _go_on_densely(self, stage: int, which: Tensor) -> None:
        terms = self.graph.stages[stage].terms
        inputs = [arriving(term, self._need_frames(term.source, which)) for term in terms]
        out = run_dense(self.graph.stages[stage], inputs, len(which), self.states[stage], which)
        self._count(stage, which, inputs, out)
        self.states[stage].fired[which] += self.graph.stages[stage].signal.to_engine(out.sum(1))
        self.ran_dense[stage] += len(which)
        self._put_frames(stage + 1, which, out)
        self.program.stopped[which] = _DONE
        if stage + 1 < len(self.plans):
            self._choose(stage + 1, which)

    # ---- what is there in which form

    def _heard_from(self, stage: int) -> set[int]:
        """Signals that this and the later stages hear and that no later stage makes."""
        return {t.source for s in self.graph.stages[stage:] for t in s.terms if t.source <= stage}

    def _all_dense(self, stage: int, which: Tensor) -> bool:
        return all(bool(self._has_frames[term.source, which].all()) for term in self.graph.stages[stage].terms)

    def _note_events(self, stage: int, which: Tensor) -> None:
        stopped = self.program.stopped[which]
        for k in range(stage, len(self.plans)):
            self._has_events[k + 1, which] = (stopped == _DONE) | (stopped > k)

    def _need_events(self, signal: int, which: Tensor) -> None:
        missing = which[~self._has_events[signal, which]]
        if len(missing):
            frames = self._dense[signal]
            assert frames is not None
            self._frames[signal].to_events(frames, missing)
            self._has_events[signal, missing] = True

    def _need_frames(self, signal: int, which: Tensor) -> Tensor:
        missing = which[~self._has_frames[signal, which]]
        if len(missing):
            self._frames[signal].of_events(self._memory(signal), missing)
            self._has_frames[signal, missing] = True
        frames = self._dense[signal]
        assert frames is not None
        return frames if len(which) == self.program.batch else frames[which]

    def _put_frames(self, signal: int, which: Tensor, frames: Tensor) -> None:
        if len(which) == self.program.batch:
            self._dense[signal] = frames.contiguous()
        else:
            self._memory(signal)[which] = frames
        self._has_frames[signal, which] = True

    def _memory(self, signal: int) -> Tensor:
        kept = self._dense[signal]
        if kept is None:
            shape = self.graph.signal(signal).shape
            kept = self._dense[signal] = torch.empty(self.program.batch, self.program.steps, *shape)
        return kept

    def _given_out(self) -> Tensor:
        output = self.graph.output
        if output == 0 or bool(self._has_frames[output].all()):
            frames = self._dense[output]
            assert frames is not None
            return frames
        self._dense[output] = None
        made = self._has_frames[output]
        assert not bool(made.any()) or self._dense[output] is not None
        return self._need_frames(output, self._all)

    # ---- counting

    def _count_dense(self, stage: int, which: Tensor) -> Tensor:
        """SynOps of all steps of each sample, of what arrives densely."""
        total = torch.zeros(len(which), dtype=torch.float64)
        for term, edge in zip(self.graph.stages[stage].terms, self.plans[stage].edges, strict=True):
            data = arriving(term, self._need_frames(term.source, which))
            total += _synops(data, edge.fan_before, len(which)).sum(1) / term.factor
        return total

    def _count(self, stage: int, which: Tensor, inputs: list[Tensor], out: Tensor) -> None:
        """Write down the SynOps of each sample and step."""
        counts, plan = self.program.synops[stage], self.plans[stage]
        for k, (term, edge) in enumerate(zip(self.graph.stages[stage].terms, plan.edges, strict=True)):
            counts[k][which] = _synops(inputs[k], edge.fan_before, len(which)) / term.factor
        if plan.recurrent is not None:
            counts[-1][which] = _synops(out.flatten(0, 1), plan.recurrent.fan_before, len(which))


def _synops(data: Tensor, fan: Tensor, batch: int) -> Tensor:
    """SynOps of each sample and step, `b t`, for what arrives at weights, `(b t) *n`."""
    if fan.numel() == 0:
        return torch.zeros(batch, len(data) // max(batch, 1), dtype=torch.float64)
    per_step = data.abs().flatten(1).double() @ fan.flatten().double()
    return per_step.unflatten(0, (batch, -1))
