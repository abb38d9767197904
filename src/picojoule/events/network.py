"""A network that runs event by event."""

# More than 250 lines: it is the facade, most of it docstrings; each method hands over to a module of its own.

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from picojoule.data.event_columns import TimeUnit
from picojoule.events.break_even import set_limits
from picojoule.events.calls import Turn, in_turn
from picojoule.events.delivered import Delivered, joined
from picojoule.events.engine import Engine
from picojoule.events.graph import EventGraph
from picojoule.events.input_sizes import sizes_of
from picojoule.events.inputs.clock import DAY_US, Clock, whole_number
from picojoule.events.inputs.rasters import DenseRaster, Raster, SparseRaster
from picojoule.events.inputs.recordings import recorded_raster
from picojoule.events.inputs.step_events import StepEvents
from picojoule.events.interrupted import Interrupted
from picojoule.events.peaks import By, peaks_of_call
from picojoule.events.plan import plan_stage
from picojoule.events.plan_table import plan_table
from picojoule.events.states import SpikeCounter, StageStates, carry_counts
from picojoule.events.stream import EventStream
from picojoule.events.tally import Tally, report_of
from picojoule.events.whole_numbers import check_whole, in_whole_numbers
from picojoule.near_names import did_you_mean
from picojoule.report import Report
from picojoule.synops.watch.count import Weights

Dense = Literal["where quicker", "never", "always"]
MOST_BYTES = 2**28  # of events that are kept at a time: longer inputs run in pieces of time
_EVENT_BYTES = 12
_MOST_ENGINES = 16  # one for each number of steps; streams need 9


class EventNetwork:
    """A network that runs event by event: made by :func:`picojoule.events.compile`.

    `network(x)` takes and gives what the model does and goes on from the states that the last call left, for as long
    as the batch stays. `reset` empties the states. SynOps are counted from the events that were delivered.

    Calls from several threads wait for one another; to run them at once, give each thread a network of its own, by
    `fresh`. It can be copied and pickled, states and counts included. In a forked process it computes with one thread.

    Attributes:
        graph: its stages.
        weights: "all", or "nonzero", which takes weights of zero for no synapses.
        state_bits: width of potentials that are whole numbers; None for reals.
        synops: SynOps of the last call by weighted layer, of each sample and step, float64 `b t`.

    Example:
        >>> import picojoule.layers as layers
        >>> from torch import nn
        >>> from picojoule import events
        >>> model = nn.Sequential(nn.Linear(3, 4, bias=False), layers.IAF(), nn.Linear(4, 2, bias=False))
        >>> network = events.compile(model, torch.zeros(1, 10, 3))
        >>> x = (torch.arange(30) % 7 == 0).float().reshape(1, 10, 3)
        >>> torch.allclose(network(x), model(x)), network.report().synops_per_sample >= 20
        (True, True)
    """

    def __init__(
        self,
        graph: EventGraph,
        dense: Dense,
        weights: Weights = "all",
        state_bits: int | None = None,
    ) -> None:
        self.graph, self.weights, self.state_bits = graph, weights, state_bits
        self._plans = [plan_stage(graph, k, weights) for k in range(len(graph.stages))]
        if state_bits is not None:
            self._plans = [
                in_whole_numbers(graph, k, plan, state_bits) for k, plan in enumerate(self._plans)
            ]
        self._dense = dense
        self._states: list[StageStates] = []
        self._engines: dict[tuple[int, int], Engine] = {}
        self._tally, self._counter = Tally(), SpikeCounter()
        self._turn, self._interrupted = Turn("EventNetwork"), Interrupted("EventNetwork")
        self.synops: dict[str, Tensor] = {}

    # ---- running

    @in_turn
    def __call__(self, x: Tensor) -> Tensor:
        """What the model gives out for `x`, from where the last call ended.

        Args:
            x: input of the model, float32, with its axes of batch and time; dense, or a sparse COO tensor, whose entries
                at one place are added up and of which no dense one is made.

        Raises:
            TypeError: the input is no float32 tensor, or has another layout.
            ValueError: its shape does not fit, a value is not finite, or none of the whole numbers that the network takes; the
                states stay as they were.
            RuntimeError: a call was interrupted, and none of `reset` came since.
        """
        batch, steps = self._sizes(x)
        if x.layout == torch.sparse_coo:
            if self.state_bits is not None:
                check_whole(x.detach().coalesce().values(), "EventNetwork")  # what meets adds up
            return self._folded(self._run(SparseRaster(x, batch, steps), batch, steps, x.shape))
        frames = x.resolve_neg().reshape(batch, steps, *self.graph.input_signal.shape)
        check: Callable[[], None] | None = partial(self._check_values, frames)
        if not self._holds(batch) or self.steps_at_once(batch, steps) < steps:
            # before anything changes; otherwise the kernels tell whether it is needed
            self._check_values(frames)
            check = None
        return self._folded(self._run(DenseRaster(frames, check), batch, steps, x.shape))

    @in_turn
    def run_events(
        self,
        events: Any,
        *,
        dt_us: int,
        steps: int | None = None,
        start_us: int = 0,
        time_unit: TimeUnit | None = None,
    ) -> Tensor:
        """What the model gives out for the raster of some events, which is not made, from where the last call ended.

            step = floor((t_us - start_us) / dt_us);   x[step, p, y, x] += 1 for each event

        Args:
            events: `Events`, a structured array, or a dict of columns, as `picojoule.data.as_events` takes them, in the
                order of time; or a list of those, a sample each.
            dt_us: length of a time step in microseconds.
            steps: number of time steps; as many as the last event needs if omitted.
            start_us: when step 0 begins.
            time_unit: of the times, where neither the name of the field nor its type says it.

        Returns:
            `b t *m`, float32.

        Raises:
            TypeError: what came is no events, or a length is no integer.
            ValueError: an event lies outside the sensor or the steps, or times fall; the message names the first such
                event, and the states stay as they were.

        Example:
            >>> import picojoule.layers as layers
            >>> from torch import nn
            >>> from picojoule import events
            >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), layers.IAF())
            >>> _ = nn.init.eye_(model[0].weight)
            >>> network = events.compile(model, torch.zeros(1, 3, 2))
            >>> network.run_events({"t": [0, 10, 2500], "x": [1, 1, 0], "y": [0, 0, 0], "p": [0, 0, 0]}, dt_us=1000)
            tensor([[[0., 2.],
                     [0., 0.],
                     [1., 0.]]])
        """
        where = "EventNetwork.run_events"
        clock = Clock(
            whole_number(dt_us, "dt_us", 1, where), whole_number(start_us, "start_us", 0, where)
        )
        if steps is not None:
            steps = whole_number(steps, "steps", 0, where)
        raster, batch, number = recorded_raster(
            events, self.graph.input_signal, clock, steps, time_unit, where
        )
        return self._run(raster, batch, number, self.graph.input_shape(batch, number))

    def stream(
        self,
        *,
        dt_us: int,
        window_us: int = 0,
        start_us: int = 0,
        time_unit: TimeUnit | None = None,
        longest_gap_us: int | None = DAY_US,
        peak_window_us: int | None = None,
        peak_by: By = "layer",
    ) -> EventStream:
        """The network at rest, to be fed events as they come: an :class:`EventStream` of it, which says what the arguments are."""
        return EventStream(
            self,
            dt_us=dt_us,
            window_us=window_us,
            start_us=start_us,
            time_unit=time_unit,
            longest_gap_us=longest_gap_us,
            peak_window_us=peak_window_us,
            peak_by=peak_by,
        )

    def fresh(self) -> EventNetwork:
        """The same network at rest, nothing counted; weights are shared."""
        other = copy.copy(self)
        other._states, other.synops = [], {}
        other._tally, other._counter = Tally(), SpikeCounter()
        other._turn, other._interrupted = Turn("EventNetwork"), Interrupted("EventNetwork")
        return other

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles carry: no engines, whose tables are of addresses in this process."""
        return {**self.__dict__, "_engines": {}}

    def _run(self, raster: Raster, batch: int, steps: int, shape: Sequence[int]) -> Tensor:
        """What is given out, `b t *m`; `shape` is that of the input as it came."""
        self._hold(batch)
        if batch == 0 or steps == 0:
            none = torch.zeros(batch, steps, dtype=torch.float64)
            self.synops = {path: none.clone() for path in self.weighted_layers}
            return torch.zeros(
                batch, steps, *self.graph.signal(self.graph.output).shape, dtype=torch.float32
            )
        at_once, outputs, counts = self.steps_at_once(batch, steps), [], []
        with self._interrupted.noted():
            for first in range(0, steps, at_once):
                engine = self._engine(min(at_once, steps - first))
                outputs.append(raster.run(engine, first))
                counts.append(self._count(engine))
            self._tally.samples += batch
        self._tally.note_shape(shape)
        self.synops = joined(counts).synops
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)

    def _count(self, engine: Engine) -> Delivered:
        """What an engine's last call delivered, which is added to the tally."""
        found = engine.delivered
        self._tally.add(found)
        self._tally.sample_steps += engine.batch * engine.steps
        self._counter.after(engine.batch * engine.steps, self._states)
        return found

    @in_turn
    def reset(self) -> None:
        """Set all states to zero; what was counted stays, unless a call was interrupted."""
        for states in self._states:
            states.reset()
        if self._interrupted.ends():
            self.reset_count()

    @in_turn
    def states(self, *layers: str) -> dict[str, dict[str, Tensor]]:
        """Copies of the states by layer and name, `b *n`, of these layers, or of all: the model's after the same calls.

        Raises:
            ValueError: there are no neurons of that name.
        """
        self._interrupted.check()
        known = [stage.name for stage in self.graph.stages if stage.neuron is not None]
        for name in {*layers} - {*known}:
            raise ValueError(
                f"EventNetwork.states: there are no neurons {name!r}.{did_you_mean(name, known, however_far=True)}"
            )
        return {
            stage.name: {name: own.get(name).clone() for name in plan.neurons.states}
            for stage, plan, own in zip(self.graph.stages, self._plans, self._states, strict=False)
            if stage.neuron is not None and (not layers or stage.name in layers)
        }

    # ---- steps of samples that go on, for streams

    @in_turn
    def run_steps(self, given: list[StepEvents], steps: int) -> list[StepEvents]:
        """The events that are given out for those of the next steps, of each sample; all calls are the same samples."""
        self._hold(len(given))
        engine = self._engine(steps)
        with self._interrupted.noted():
            engine.run_events(given)
            self.synops = self._count(engine).synops
        self._tally.samples = len(given)
        return engine.events_out()

    @in_turn
    def pass_steps(self, steps: int) -> None:
        """So many steps in which nothing changes."""
        self._tally.sample_steps += self._tally.samples * steps

    @in_turn
    def snapshot(self) -> list[Tensor]:
        """Copies of all that a step may change: states, and how often each neuron fired."""
        return [array for states in self._states for array in states.changed_by_steps()]

    def steps_at_once(self, batch: int, steps: int) -> int:
        """How many of so many steps fit into memory."""
        neurons = sum(self.graph.signal(k).neurons for k in range(len(self._plans) + 1))
        return min(steps, max(1, MOST_BYTES // max(batch * neurons * _EVENT_BYTES, 1)))

    # ---- what it spent

    @in_turn
    def peak_synops_per_second(
        self, *, dt_s: float, window_s: float | None = None, by: By = "layer"
    ) -> dict[str, float]:
        """The most SynOps per second in any window of the last call, the highest of its samples: see :class:`SynOpsPeaks`.

        Raises:
            ValueError: nothing ran yet, a time does not fit, or a layer is not there or on two cores.

        Example:
            >>> import picojoule.layers as layers
            >>> from torch import nn
            >>> from picojoule import events
            >>> model = nn.Sequential(nn.Linear(2, 4, bias=False), layers.IAF())
            >>> network = events.compile(model, torch.zeros(1, 3, 2))
            >>> _ = network(torch.tensor([[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]))
            >>> network.peak_synops_per_second(dt_s=0.5), network.peak_synops_per_second(dt_s=0.5, window_s=1.5)
            ({'0': 16.0}, {'0': 8.0})
        """
        synops = self.synops if self._states else None
        return peaks_of_call(synops, "EventNetwork", dt_s, window_s, by)

    @in_turn
    def report(self) -> Report:
        """What all calls since the last `reset_count` spent, a mean over their samples."""
        self._interrupted.check()
        states = self._states or [
            StageStates(s.signal, p, 0) for s, p in zip(self.graph.stages, self._plans, strict=True)
        ]
        return report_of(self.graph, self._plans, states, self._tally, self.weights)

    @in_turn
    def reset_count(self) -> None:
        """Forget what was counted; the states stay."""
        self._tally, self._counter = Tally(), SpikeCounter()
        for states in self._states:
            states.start_count()

    @property
    def weighted_layers(self) -> list[str]:
        """Names of the layers that spend SynOps."""
        edges = (edge for plan in self._plans for edge in plan.all_edges)
        return list(dict.fromkeys(edge.path for edge in edges if edge.path))

    @property
    def plan(self) -> str:
        """A table: each layer's kernel, synapses, and the activity from which on it takes a dense product."""
        return plan_table(self.graph, self._plans, list(self._engines.values()))

    def __repr__(self) -> str:
        return f"EventNetwork({self.graph.model}, {len(self._plans)} stages)"

    # ---- sizes

    def _sizes(self, x: Any) -> tuple[int, int]:
        """Samples and time steps of an input."""
        return sizes_of(self.graph, x)

    def _folded(self, frames: Tensor) -> Tensor:
        return frames.flatten(0, 1) if self.graph.folded_output else frames

    def _check_values(self, frames: Tensor) -> None:
        """Raise ValueError if a value is not finite, or none of the whole numbers that the network takes."""
        _check_finite(frames)
        if self.state_bits is not None:
            check_whole(frames, "EventNetwork")

    def _holds(self, batch: int) -> bool:
        """Whether there are states for as many samples."""
        return bool(self._states) and len(self._states[0].fired) == batch

    def _hold(self, batch: int) -> None:
        """States for as many samples: those that are there, or zeros."""
        self._interrupted.check()
        if not self._holds(batch):
            fresh = [
                StageStates(s.signal, p, batch)
                for s, p in zip(self.graph.stages, self._plans, strict=True)
            ]
            if self._states:
                carry_counts(self._states, fresh)
            self._states, self._engines = fresh, {}

    def _engine(self, steps: int) -> Engine:
        key = steps, torch.get_num_threads()
        engine = self._engines.pop(key, None)
        if engine is None:
            engine = Engine(self.graph, self._plans, self._states, steps)
            if self._dense == "where quicker":
                set_limits(engine)
            elif self._dense == "always":
                engine.limits.fill_(-1)
                engine.limits_of_frames.fill(-1)
        self._engines[key] = engine  # the one that ran last is the last
        if len(self._engines) > _MOST_ENGINES:
            del self._engines[next(iter(self._engines))]
        return engine


def _check_finite(frames: Tensor) -> None:
    if bool(torch.isfinite(frames.sum())):
        return
    bad = (~torch.isfinite(frames)).nonzero()
    if len(bad):  # a sum of finite numbers may be too large as well
        sample, step, *place = bad[0].tolist()
        raise ValueError(
            f"EventNetwork: the input of sample {sample}, step {step}, at {place} is not finite; expected numbers of "
            "spikes, or finite values. The states stay as they were."
        )
