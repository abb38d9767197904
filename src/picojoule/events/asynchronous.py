"""A network that runs as event-driven chips do, behind the interface of the model."""

from __future__ import annotations

import copy

from torch import Tensor

from picojoule.events.calls import Turn, in_turn
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
from picojoule.events.peaks import By, peaks_of_call
from picojoule.events.plan import plan_stage
from picojoule.events.states import SpikeCounter, carry_counts
from picojoule.events.tally import Tally, report_of
from picojoule.report import Report
from picojoule.synops.watch.count import Weights


class AsynchronousNetwork:
    """A network whose neurons fire as soon as they may: made by `picojoule.events.compile(..., order="depth")`.

    `network(x)` takes what the model does, gives outputs by the step of the input event that caused them, and goes on
    from the states that the last call left, for as long as the batch stays. :class:`OrderedNetwork` says what each order
    and leak does.

    SynOps, spikes and rates are counted from the events that were delivered; `report` has them. Threads, copies and forks are as
    of an :class:`EventNetwork`.

    Attributes:
        graph: its stages.
        weights: "all", or "nonzero", which takes weights of zero for no synapses.
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
        seed: int = 0,
        weights: Weights = "all",
    ) -> None:
        self.graph, self.weights = graph, weights
        self._plans = [plan_stage(graph, k, weights) for k in range(len(graph.stages))]
        self.ordered = OrderedNetwork(
            graph, self._plans, order, leak, limits, tick_steps, arrival, seed
        )
        self._states: OrderedStates | None = None
        self._tally, self._counter = Tally(), SpikeCounter()
        self._turn = Turn("AsynchronousNetwork")
        self.last: OrderedRun | None = None

    @in_turn
    def __call__(self, x: Tensor) -> Tensor:
        """What the network gives out for `x`, with the model's axes of batch and time.

        Raises:
            TypeError: the input is no float32 tensor.
            ValueError: its shape does not fit, or a value is not finite; the states stay as they were.
            RuntimeError: a recurrent layer makes itself fire without end, or a potential is worth more than 2^24 spikes; the
                states stay as they were.
        """
        frames = frames_of(self.graph, x, "AsynchronousNetwork")
        run = self._run(frames)
        if frames.shape[1]:
            self._tally.samples += len(frames)
            self._tally.note_shape(x.shape)
        return run.outputs.flatten(0, 1) if self.graph.folded_output else run.outputs

    @in_turn
    def run_steps(self, frames: Tensor) -> OrderedRun:
        """What the next steps give, `b t *n`; all calls are the same samples."""
        run = self._run(frames)
        self._tally.samples = len(frames)
        return run

    def _run(self, frames: Tensor) -> OrderedRun:
        """The next steps; they are counted, but not the samples."""
        states = self._states
        if states is None or len(states.steps) != len(frames):
            states = self.ordered.at_rest(len(frames))
            if self._states is not None:
                carry_counts(self._states.stages, states.stages)
        self.last = run = self.ordered.run(frames.contiguous(), states)
        self._states = states
        batch, steps = frames.shape[:2]
        self._tally.add(run.delivered)
        self._tally.sample_steps += batch * steps
        self._counter.after(steps, states.stages)
        return run

    @in_turn
    def reset(self) -> None:
        """Set all states to zero, and the clocks; what was counted stays."""
        if self._states is not None:
            self._states.reset()

    def fresh(self) -> AsynchronousNetwork:
        """The same network at rest, nothing counted; weights are shared."""
        other = copy.copy(self)
        other._states, other.last = None, None
        other._tally, other._counter = Tally(), SpikeCounter()
        other._turn = Turn("AsynchronousNetwork")
        return other

    # ---- what it spent

    @property
    def synops(self) -> dict[str, Tensor]:
        """SynOps of the last call by weighted layer, of each sample and step, float64 `b t`."""
        return {} if self.last is None else self.last.delivered.synops

    @in_turn
    def peak_synops_per_second(
        self, *, dt_s: float, window_s: float | None = None, by: By = "layer"
    ) -> dict[str, float]:
        """The most SynOps per second in any window of the last call, the highest of its samples: see :class:`SynOpsPeaks`.

        Raises:
            ValueError: nothing ran yet, a time does not fit, or a layer is not there or on two cores.
        """
        synops = None if self.last is None else self.synops
        return peaks_of_call(synops, "AsynchronousNetwork", dt_s, window_s, by)

    @in_turn
    def report(self) -> Report:
        """What all calls since the last `reset_count` spent, a mean over their samples, as a Monitor tells it.

        SynOps are those of events that were delivered: one that a decimator or a full queue took away has none. Rates are of
        spikes, before the decimator.

        Example:
            >>> import torch
            >>> import picojoule.layers as layers
            >>> from torch import nn
            >>> from picojoule import events
            >>> model = nn.Sequential(nn.Linear(2, 4, bias=False), layers.IAF())
            >>> network = events.compile(model, torch.zeros(1, 3, 2), order="depth")
            >>> _ = network(torch.tensor([[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]))
            >>> network.report().synops_per_sample
            12.0
        """
        states = self.ordered.at_rest(0) if self._states is None else self._states
        return report_of(self.graph, self._plans, states.stages, self._tally, self.weights)

    @in_turn
    def reset_count(self) -> None:
        """Forget what was counted; the states stay."""
        self._tally, self._counter = Tally(), SpikeCounter()
        for states in [] if self._states is None else self._states.stages:
            states.start_count()

    def __repr__(self) -> str:
        return f"AsynchronousNetwork({self.graph.model}, order={self.ordered.order!r}, leak={self.ordered.leak!r})"
