"""One call: each sample goes on event by event, until a layer has so many events that a dense product is quicker."""

# More than 250 lines: which samples are where, and in which form their signals are, is one state that all methods share.

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.events.arrived import Arrived, can_be_added_up
from picojoule.events.delivered import Delivered, delivered
from picojoule.events.dense import arriving, is_moved, other_bias, run_dense
from picojoule.events.graph import EventGraph
from picojoule.events.inputs.memory import read_events, write_events
from picojoule.events.inputs.step_events import StepEvents
from picojoule.events.plan import Edge, StagePlan
from picojoule.events.program import Counts, Frames, Program, count_dense
from picojoule.events.states import Samples, StageStates

_DONE = -1
_GLANCES = 3  # steps that are looked at to tell whether it is worth a look


class Engine:
    """Runs a batch of one size, some steps at a time.

    Args:
        graph: the network.
        plans: of each stage, its neurons and synapses.
        states: of each stage.
        steps: time steps of a call.

    Attributes:
        limits_of_frames: SynOps of a sample's steps from which on a stage whose input is dense stays with that, NumPy's.
        everything: the numbers of all samples.
    """

    def __init__(
        self, graph: EventGraph, plans: list[StagePlan], states: list[StageStates], steps: int
    ) -> None:
        batch = len(states[0].fired)
        self.program = Program(graph, plans, states, batch, steps)
        self.batch, self.steps = batch, steps
        self.limits_of_frames = np.full(len(plans), np.inf)
        self.graph, self.plans, self.states = graph, plans, states
        signals = range(len(plans) + 1)
        self._frames = [Frames(self.program, k) for k in signals]
        self._arrived: dict[tuple[int, int], Arrived] = {}
        # of a stage, samples that take a dense product, and what arrives at its weights, which is counted
        self._counted: dict[int, tuple[Samples, list[Tensor]]] = {}
        self._dense: list[Tensor | None] = [None for _ in signals]
        self._biases = [other_bias(stage) for stage in graph.stages]
        # other networks of the same stages may run in other threads
        self._neurons = [copy.copy(stage.neuron) for stage in graph.stages]
        # by signal and sample; NumPy's, whose operations on a few numbers take a tenth of the time
        self._has_events = np.zeros((len(signals), batch), bool)
        self._has_frames = np.zeros((len(signals), batch), bool)
        self.everything, self._nobody = np.arange(batch), np.empty(0, np.int64)
        self._rarely = 0.5 * steps * sum(float(e.fan_before.sum()) for e in plans[0].edges)

    @property
    def delivered(self) -> Delivered:
        """What the last call delivered to each layer."""
        counts = self.program.counts.clone().unbind()
        whole = not bool(self.program.broken[0].any())
        return delivered(self.graph, self.plans, counts, whole=whole)

    def run(self, frames: Tensor, check: Callable[[], None] | None = None) -> Tensor:
        """What the network gives out, `b t *m`, for `frames`, `b t *n`.

        Values are finite, or `check` raises an error: it is called before the states change, unless all values are whole numbers.
        """
        self._start()
        self._dense[0] = frames
        self._has_frames[0] = True
        if self._may_be_busy(frames):
            if check is not None:
                check()
            self._choose(0, self.everything)
        else:  # the usual way, in as few calls as there can be
            self._frames[0].to_events(frames, self.everything)
            if check is not None and bool(self.program.broken[0].any()):
                check()
            self.program.run(0, self.everything)
            if self.program.stopped.max() == _DONE and self.graph.output:
                return self._frames_of_output()
            self._has_events[0] = True
            self._note_events(0, self.everything)
        self._go_on()
        return self._given_out()

    def _may_be_busy(self, frames: Tensor) -> bool:
        """Whether some sample may be one for which the first stage takes a dense product of the input.

        To count the input takes longer than events do of one that is almost silent. So it is a glance at some steps, and the
        kernels, which count all, may find it out, where these are calm, or where a dense product is no quicker before more than half
        of all values are spikes.
        """
        limit = self.limits_of_frames[0]
        if limit > self._rarely:
            return False
        some = frames[:, :: max(1, self.steps // _GLANCES)]
        total = np.zeros(self.batch)
        for term, edge in zip(self.graph.stages[0].terms, self.plans[0].edges, strict=True):
            synops, _ = count_dense(arriving(term, some), edge.fan_before, self.batch)
            total += synops.sum(1) * (self.steps / some.shape[1] / term.factor)
        return bool((total > limit / 2).any())

    def _frames_of_output(self) -> Tensor:
        out = torch.empty(
            self.batch, self.steps, *self.graph.signal(self.graph.output).shape, dtype=torch.float32
        )
        self._frames[self.graph.output].of_events(out, self.everything)
        return out

    def run_events(self, given: Sequence[StepEvents]) -> None:
        """Run on events, a sample each; `frames_out` and `events_out` have what the network gives out."""
        self._start()
        for sample, events in enumerate(given):
            write_events(self.program.events[0], sample, events)
            self.program.broken[0, sample] = int((events.value != np.floor(events.value)).any())
        self._has_events[0] = True
        self.program.run(0, self.everything)
        self._note_events(0, self.everything)
        self._go_on()

    def frames_out(self) -> Tensor:
        """What the last call gave out, `b t *m`; once."""
        return self._given_out()

    def events_out(self) -> list[StepEvents]:
        """What the last call gave out, of each sample."""
        self._need_events(self.graph.output, self.everything)
        buffer = self.program.events[self.graph.output]
        return [read_events(buffer, sample) for sample in range(self.batch)]

    def _go_on(self) -> None:
        """Samples that stopped before a stage go through it densely, until all are done."""
        stopped = self.program.stopped
        while (waiting := stopped[stopped != _DONE]).size:
            stage = int(waiting.min())
            self._go_on_densely(stage, np.flatnonzero(stopped == stage))

    def _start(self) -> None:
        self._has_events[:] = False
        self._has_frames[:] = False
        self._dense = [None for _ in self._dense]
        self._counted.clear()
        self.program.start()

    def _choose(self, stage: int, which: Samples) -> None:
        """Where what arrives at a stage is dense: event by event from here on, or a dense product."""
        if self.limits_of_frames[stage] == np.inf or not self._all_dense(stage, which):
            self._stop_the_busy(stage, which, np.zeros(len(which), bool))
            return
        inputs = self._arriving(stage, which)
        synops = self._count(stage, which, inputs)
        busy = synops > self.limits_of_frames[stage]
        if not busy.all():
            size = len(which), self.steps
            some = torch.from_numpy(busy)
            inputs = [x.reshape(*size, *x.shape[1:])[some].flatten(0, 1) for x in inputs]
        self._counted[stage] = which[busy], inputs
        self._stop_the_busy(stage, which, busy)

    def _stop_the_busy(
        self, stage: int, which: Samples, busy: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> None:
        """Those that are busy stop before the stage; the others run on event by event."""
        self.program.stopped[which[busy]] = stage
        calm = which[~busy]
        if len(calm):
            self.program.stopped[calm] = _DONE
            for source in self._heard_from(stage):
                self._need_events(source, calm)
            self.program.run(stage, calm)
            self._note_events(stage, calm)

    def _go_on_densely(self, stage: int, which: Samples) -> None:
        counted, inputs = self._counted.pop(stage, (self._nobody, []))
        if not np.array_equal(counted, which):
            inputs = self._arriving(stage, which)
            if not self._is_counted(stage, which):
                self._count(stage, which, inputs)
        if len(which) == self.batch:
            self._forget_before(stage)
        out = self.run_dense(stage, inputs, which)
        back = self.plans[stage].recurrent
        if back is not None:
            self.program.synops[stage][-1][which] = count_dense(
                out.flatten(0, 1), back.fan_before, len(which)
            )[0]
        self._put_frames(stage + 1, which, out)
        self.program.stopped[which] = _DONE
        del out
        if stage + 1 < len(self.plans):
            self._choose(stage + 1, which)

    def run_dense(self, stage: int, inputs: list[Tensor], which: Samples) -> Tensor:
        """What a stage gives out, `b t *n`, for what arrives at the weights of its terms, `(b t) *m`, in PyTorch."""
        whole, bias, neuron = self.graph.stages[stage], self._biases[stage], self._neurons[stage]
        return run_dense(whole, inputs, bias, neuron, self.states[stage], which)

    @property
    def limits(self) -> Tensor:
        """SynOps of a sample's steps from which on a stage whose input came as events takes a dense product."""
        return self.program.limits

    @property
    def patterns_from(self) -> Tensor:
        """Spikes of a step from which on a stage takes sums of patterns, where it has them."""
        return self.program.patterns_from

    def load_events(self, signal: int, frames: Tensor) -> None:
        """Write the events of `frames`, `b t *n`, for a stage to run on by itself."""
        self._frames[signal].to_events(frames, self.everything)

    def write_frames(self, signal: int) -> Tensor:
        """Write the events of a signal as a dense sequence."""
        self._frames[signal].of_events(self._memory(signal), self.everything)
        return self._known(signal)

    # ---- what is there in which form

    def _heard_from(self, stage: int) -> set[int]:
        """Signals that this and the later stages hear and that no later stage makes."""
        return {t.source for s in self.graph.stages[stage:] for t in s.terms if t.source <= stage}

    def _all_dense(self, stage: int, which: Samples) -> bool:
        terms = self.graph.stages[stage].terms
        return all(self._has_frames[term.source, which].all() for term in terms)

    def _arriving(self, stage: int, which: Samples) -> list[Tensor]:
        """What arrives at the weights of each term, `(b t) *n`."""
        terms = self.graph.stages[stage].terms
        return [self._arriving_at(stage, k, which) for k in range(len(terms))]

    def _arriving_at(self, stage: int, number: int, which: Samples) -> Tensor:
        whole = self.graph.stages[stage]
        term = whole.terms[number]
        given = self._has_frames[term.source, which].all()
        if given or not can_be_added_up(whole, term):
            return arriving(term, self._need_frames(term.source, which))
        self._need_events(term.source, which)
        return self.arrived(stage, number, which)

    def arrived(self, stage: int, number: int, which: Samples) -> Tensor:
        """What arrives at the weights of a stage's term, `(b t) *n`, of events."""
        own = self._arrived.get((stage, number))
        if own is None:
            term = self.graph.stages[stage].terms[number]
            own = self._arrived[stage, number] = Arrived(self.program, self.graph, term)
        return own.of_events(which)

    def _is_counted(self, stage: int, which: Samples) -> bool:
        """Whether the kernels counted what arrives before they stopped: events do, and spikes that meet add up."""
        sources = [term.source for term in self.graph.stages[stage].terms]
        only_events = self._has_events & ~self._has_frames
        return all(
            self.graph.signal(source).is_spikes and only_events[source, which].all()
            for source in sources
        )

    def _count(self, stage: int, which: Samples, inputs: Sequence[Tensor]) -> Counts:
        """Write down the SynOps of each sample and step; returns the sum of each sample's."""
        terms, plan = self.graph.stages[stage].terms, self.plans[stage]
        total = np.zeros(len(which))
        for k, (term, edge) in enumerate(zip(terms, plan.edges, strict=True)):
            values, fan, factor = inputs[k], edge.fan_before, term.factor
            if term.source == 0 and is_moved(term):  # a pooling may add up spikes of both signs
                values, factor = self._need_frames(0, which).flatten(0, 1), 1.0
                fan = self._fan_of_input(edge)
            synops, broken = count_dense(values, fan, len(which))
            if factor != 1:
                synops /= factor
            self.program.synops[stage][k][which] = synops
            self.program.broken[term.source, which] |= broken
            total += synops.sum(1)
        return total

    def _fan_of_input(self, edge: Edge) -> Tensor:
        """Synapses of each value of the input, `*n`."""
        fan = torch.from_numpy(edge.synapses.fan).reshape(1, -1)
        return self.graph.input_signal.to_torch(fan)[0].contiguous()

    def _note_events(self, stage: int, which: Samples) -> None:
        stopped = self.program.stopped[which]
        if (stopped == _DONE).all():
            self._has_events[stage + 1 :, which] = True
            return
        for k in range(stage, len(self.plans)):
            self._has_events[k + 1, which] = (stopped == _DONE) | (stopped > k)

    def _need_events(self, signal: int, which: Samples) -> None:
        missing = which[~self._has_events[signal, which]]
        if len(missing):
            self._frames[signal].to_events(self._known(signal), missing)
            self._has_events[signal, missing] = True

    def _need_frames(self, signal: int, which: Samples) -> Tensor:
        missing = which[~self._has_frames[signal, which]]
        if len(missing):
            self._frames[signal].of_events(self._memory(signal), missing)
            self._has_frames[signal, missing] = True
        frames = self._known(signal)
        return frames if len(which) == self.batch else frames[which]

    def _put_frames(self, signal: int, which: Samples, frames: Tensor) -> None:
        if len(which) == self.batch:
            self._dense[signal] = frames.contiguous()
        else:
            self._memory(signal)[which] = frames
        self._has_frames[signal, which] = True

    def _forget_before(self, stage: int) -> None:
        """Frames that no later stage hears: what comes next gets their memory, which is in the cache, as in PyTorch."""
        heard = {term.source for later in self.graph.stages[stage + 1 :] for term in later.terms}
        for signal in {*range(stage + 1)} - heard - {self.graph.output}:
            self._dense[signal] = None
            self._has_frames[signal] = False

    def _known(self, signal: int) -> Tensor:
        frames = self._dense[signal]
        assert frames is not None
        return frames

    def _memory(self, signal: int) -> Tensor:
        kept = self._dense[signal]
        if kept is None:
            shape = self.graph.signal(signal).shape
            kept = self._dense[signal] = torch.empty(
                self.batch, self.steps, *shape, dtype=torch.float32
            )
        return kept

    def _given_out(self) -> Tensor:
        """In memory that is the caller's own."""
        frames = self._need_frames(self.graph.output, self.everything)
        self._dense[self.graph.output] = None
        return frames.clone() if self.graph.output == 0 else frames
