"""What a batch needs to run: memory for events, and the tables that tell the kernels where all is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.events.edge_places import edge_places, pattern_places
from picojoule.events.graph import EventGraph
from picojoule.events.kernels.compiled import Kernel, compiled
from picojoule.events.kernels.tables import FRAME, CountPlaces, FramePlaces, StagePlaces
from picojoule.events.plan import Edge, StagePlan
from picojoule.events.signals import Signal
from picojoule.events.states import Samples, StageStates
from picojoule.ops.cpu.threads import share_out

Addresses = dict[str, int]
Counts = np.ndarray[Any, np.dtype[np.float64]]
NEVER = 2**62  # spikes of a step


class EventBuffer:
    """The events of a signal, `b capacity`, and where each step begins, `b t+1`."""

    def __init__(self, signal: Signal, batch: int, steps: int) -> None:
        self.signal, self.capacity = signal, max(signal.neurons * steps, 1)
        self.offsets = torch.zeros(batch, steps + 1, dtype=torch.int32)
        # memory that is never touched costs nothing
        self.positions = torch.empty(batch, self.capacity, dtype=torch.int32)
        self.channel = torch.empty(batch, self.capacity, dtype=torch.int32)
        self.values = torch.empty(batch, self.capacity, dtype=torch.float32)

    def addresses(self) -> Addresses:
        """For the tables."""
        return {
            "offsets": self.offsets.data_ptr(),
            "positions": self.positions.data_ptr(),
            "channel": self.channel.data_ptr(),
            "values": self.values.data_ptr(),
            "capacity": self.capacity,
        }


class Program:
    """All tables for one size of batch and number of steps.

    Args:
        graph: the network.
        plans: of each stage, its neurons and synapses.
        states: of each stage, the states of `batch` samples.
        batch: samples.
        steps: time steps of a call.

    Attributes:
        counts: SynOps of each bundle of synapses, sample and step, `edges b t`; those of a stage to itself are its last.
        synops: the same by stage and bundle, NumPy's.
        stopped: the stage before which a sample stopped, NumPy's; -1: before none.
        broken: of each signal, whether a sample's values are not whole numbers, NumPy's.
    """

    def __init__(
        self,
        graph: EventGraph,
        plans: list[StagePlan],
        states: list[StageStates],
        batch: int,
        steps: int,
    ) -> None:
        self.graph, self.batch, self.steps = graph, batch, steps
        signals = [graph.signal(k) for k in range(len(plans) + 1)]
        self.events = [EventBuffer(signal, batch, steps) for signal in signals]
        # NumPy's, whose operations on a few numbers take a tenth of the time
        self._which = np.arange(batch)
        self.stopped = np.full(batch, -1)
        self.limits = torch.full((len(plans),), torch.inf, dtype=torch.float64)
        self.patterns_from = torch.full((len(plans),), NEVER)
        self.broken = np.zeros((len(signals), batch), np.int64)
        numbers = [len(plan.all_edges) for plan in plans]
        self.counts = torch.zeros(sum(numbers), batch, steps, dtype=torch.float64)
        own = iter(self.counts)
        counts = [[next(own) for _ in range(number)] for number in numbers]
        self.synops = [[each.numpy() for each in stage] for stage in counts]
        self._states = states
        self._kept: list[Tensor] = []
        self._stages = [
            self._stage_table(k, plan, states[k], counts[k]) for k, plan in enumerate(plans)
        ]
        self._kernels = [compiled(plan.neurons.kernel, plan.neurons.plan) for plan in plans]

    def _stage_table(
        self, number: int, plan: StagePlan, states: StageStates, counts: list[Tensor]
    ) -> Tensor:
        signal = self.graph.stages[number].signal
        edges = [self._edge_table(edge, counts[k], number) for k, edge in enumerate(plan.edges)]
        addresses = self._keep([edge.data_ptr() for edge in edges])
        own = (
            None if plan.recurrent is None else self._edge_table(plan.recurrent, counts[-1], number)
        )
        powers = torch.tensor(plan.neurons.keep, dtype=torch.float32)
        powers = powers ** torch.arange(self.steps + 1)
        self._kept += [*edges, powers, *([] if own is None else [own])]
        table = StagePlaces(
            num_edges=len(edges),
            edges=addresses.data_ptr(),
            num_steps=self.steps,
            num_neurons=signal.neurons,
            channels=signal.channels,
            num_rows=plan.num_rows,
            which=self._which.ctypes.data,
            stopped=self.stopped.ctypes.data,
            number=number,
            limit=self.limits[number:].data_ptr(),
            powers=powers.data_ptr(),
            parameters=plan.neurons.parameters.data_ptr(),
            constants=plan.neurons.constants.data_ptr(),
            bias=0 if plan.bias is None else plan.bias.data_ptr(),
            recurrent=0 if own is None else own.data_ptr(),
            recurrent_bias=0 if plan.recurrent_bias is None else plan.recurrent_bias.data_ptr(),
            **states.addresses(),
            **self.events[number + 1].addresses(),
        )
        return self._keep(table)

    def _edge_table(self, edge: Edge, counts: Tensor, number: int) -> Tensor:
        events, patterns = self.events[edge.source].addresses(), edge.synapses.patterns
        if patterns is None:
            return self._keep(edge_places(edge.synapses, events, counts))
        codes = torch.empty(self.batch, patterns.num_codes, dtype=torch.int32)
        self._kept.append(codes)
        table = self._keep(pattern_places(patterns, codes))
        fewest = self.patterns_from[number:]
        return self._keep(
            edge_places(edge.synapses, events, counts, table.data_ptr(), fewest.data_ptr())
        )

    def start(self) -> None:
        """Before a call."""
        self.stopped.fill(-1)
        self.broken.fill(0)

    def run(self, first: int, which: Samples, last: int | None = None) -> None:
        """The stages from `first` on, each sample until it stops."""
        self._which[: len(which)] = which
        for stage in range(len(self._stages))[first:last]:
            if (self.stopped[which] == -1).any():
                self._states[stage].hand_to_kernels()
                run_kernel(self._kernels[stage], self._stages[stage].data_ptr(), len(which))

    def _keep(self, numbers: Any) -> Tensor:
        kept = torch.tensor(list(numbers) or [0], dtype=torch.int64)
        self._kept.append(kept)
        return kept


class Frames:
    """A dense sequence `b t *n` and the events of a signal, either made of the other.

    Args:
        program: whose events.
        index: of the signal.
    """

    def __init__(self, program: Program, index: int) -> None:
        self._signal = program.graph.signal(index)
        self._begins = torch.arange(program.batch) * (program.steps * self._signal.neurons)
        places = FramePlaces(
            num_steps=program.steps,
            positions_of=self._signal.positions,
            channels=self._signal.channels,
            channels_first=int(self._signal.channels_first),
            which=0,
            frames=0,
            first_frame=self._begins.data_ptr(),
            broken=program.broken[index].ctypes.data,
            **program.events[index].addresses(),
        )
        self._table = np.array(places)
        self._to_events, self._of_events = (
            compiled("events_of_frames"),
            compiled("frames_of_events"),
        )

    def to_events(self, frames: Tensor, which: Samples) -> None:
        """Write the events of some samples of `frames`, `b t *n`."""
        self._run(self._to_events, frames, which)

    def of_events(self, frames: Tensor, which: Samples) -> None:
        """Write some samples of `frames`, `b t *n`."""
        self._run(self._of_events, frames, which)

    def _run(self, kernel: Kernel, frames: Tensor, which: Samples) -> None:
        self._table[FRAME.frames], self._table[FRAME.which] = frames.data_ptr(), which.ctypes.data
        run_kernel(kernel, self._table.ctypes.data, len(which))


def count_dense(data: Tensor, fan: Tensor, batch: int) -> tuple[Counts, Samples]:
    """SynOps of each sample and step, `b t`, for what arrives at weights, `(b t) *n`, and which samples are not whole."""
    data, steps = data.contiguous(), len(data) // max(batch, 1)
    synops, broken = np.zeros((batch, steps)), np.zeros(batch, np.int64)
    if fan.numel():
        places = CountPlaces(
            steps,
            fan.numel(),
            data.data_ptr(),
            fan.data_ptr(),
            synops.ctypes.data,
            broken.ctypes.data,
        )
        run_kernel_on(compiled("synops_of_frames"), places, batch * steps)
    return synops, broken


def run_kernel_on(kernel: Kernel, places: Sequence[int], count: int) -> None:
    """A kernel with a table of its own, as :func:`run_kernel`."""
    table = np.array(places)
    run_kernel(kernel, table.ctypes.data, count)


def run_kernel(kernel: Kernel, table: int, count: int) -> None:
    """A kernel on `count` samples, shared out over PyTorch's threads; `table` is where its table lies."""
    share_out(kernel, count, lambda _share: (table,))
