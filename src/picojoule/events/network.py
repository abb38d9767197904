"""A network that runs event by event."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from picojoule.events.break_even import set_limits
from picojoule.events.engine import Engine
from picojoule.events.graph import EventGraph
from picojoule.events.plan import plan_stage
from picojoule.events.plan_table import plan_table
from picojoule.events.states import StageStates
from picojoule.events.tally import Tally, report_of
from picojoule.layers.squeeze import split_batch_and_time
from picojoule.report import Report

Dense = Literal["where quicker", "never", "always"]
MOST_BYTES = 2**28  # of events that are kept at a time: longer inputs run in pieces of time
_EVENT_BYTES = 12


class EventNetwork:
    """A network that runs event by event: made by :func:`picojoule.events.compile`.

    `network(x)` takes and gives what the model does and goes on from the states that the last call left, for as long
    as the batch stays. `reset` empties the states. SynOps are counted from the events that were delivered.

    Attributes:
        graph: its stages.
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

    def __init__(self, graph: EventGraph, dense: Dense) -> None:
        self.graph = graph
        self._plans = [plan_stage(graph, k) for k in range(len(graph.stages))]
        self._dense = dense
        self._states: list[StageStates] = []
        self._engines: dict[tuple[int, int], Engine] = {}
        self._tally = Tally()
        self.synops: dict[str, Tensor] = {}

    # ---- running

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """What the model gives out for `x`, from where the last call ended.

        Args:
            x: input of the model, float32, with its axes of batch and time.

        Raises:
            TypeError: the input is no float32 tensor.
            ValueError: its shape does not fit, or a value is not finite; the states stay as they were.
        """
        frames = self._frames(x)
        batch, steps = frames.shape[:2]
        self._hold(batch)
        if batch == 0 or steps == 0:
            return self._folded(
                frames.new_zeros(batch, steps, *self.graph.signal(self.graph.output).shape)
            )
        outputs, counts = [], []
        for piece in torch.split(frames, self._steps_at_once(batch, steps), dim=1):
            engine = self._engine(piece.shape[1])
            outputs.append(engine.run(piece.contiguous()))
            counts.append(engine.synops)
            whole = not bool(engine.program.broken[0].any())
            self._tally.add(counts[-1], 0, piece.shape[1], whole=whole)
        self._tally.samples += batch
        self._tally.sample_steps += batch * steps
        self.synops = {path: torch.cat([count[path] for count in counts], 1) for path in counts[0]}
        return self._folded(torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0])

    def reset(self) -> None:
        """Set all states to zero; what was counted stays."""
        for states in self._states:
            states.reset()

    def states(self) -> dict[str, dict[str, Tensor]]:
        """Copies of the states by layer and name, `b *n`; those of the model after the same calls."""
        return {
            stage.name: {name: own.get(name).clone() for name in plan.neurons.states}
            for stage, plan, own in zip(self.graph.stages, self._plans, self._states, strict=False)
            if stage.neuron is not None
        }

    # ---- what it spent

    def report(self) -> Report:
        """What all calls since the last `reset_count` spent, a mean over their samples."""
        states = self._states or [
            StageStates(s.signal, p, 0) for s, p in zip(self.graph.stages, self._plans, strict=True)
        ]
        return report_of(self.graph, self._plans, states, self._tally)

    def reset_count(self) -> None:
        """Forget what was counted; the states stay."""
        self._tally = Tally()
        for states in self._states:
            states.start_count()

    @property
    def plan(self) -> str:
        """A table: each layer's kernel, synapses, and the activity from which on it takes a dense product."""
        return plan_table(self.graph, self._plans, list(self._engines.values()))

    def __repr__(self) -> str:
        return f"EventNetwork({self.graph.model}, {len(self._plans)} stages)"

    # ---- sizes

    def _frames(self, x: Any) -> Tensor:
        """The input as `b t *n`."""
        if not isinstance(x, Tensor) or x.dtype != torch.float32:
            found = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise TypeError(f"EventNetwork: the input is {found}, expected a float32 tensor.")
        shape, given = self.graph.input_signal.shape, x
        if self.graph.folded_input and x.ndim > 0:
            sizes = self.graph.batch_size, self.graph.num_timesteps
            given = x.reshape(*split_batch_and_time("EventNetwork", len(x), *sizes), *x.shape[1:])
        if given.ndim < 2 or tuple(given.shape[2:]) != shape:
            leading = "batch * time" if self.graph.folded_input else "batch, time"
            raise ValueError(
                f"EventNetwork: the input has shape {tuple(x.shape)}, expected ({leading}, {', '.join(map(str, shape))})."
            )
        _check_finite(given)
        return given

    def _folded(self, frames: Tensor) -> Tensor:
        return frames.flatten(0, 1) if self.graph.folded_output else frames

    def _hold(self, batch: int) -> None:
        """States for as many samples: those that are there, or zeros."""
        if not self._states or len(self._states[0].fired) != batch:
            fresh = [
                StageStates(s.signal, p, batch)
                for s, p in zip(self.graph.stages, self._plans, strict=True)
            ]
            for old, new in zip(self._states, fresh, strict=False):
                new.fired_densely += old.signal.to_engine(old.fired_by_neuron[None])[0]
            self._states, self._engines = fresh, {}

    def _steps_at_once(self, batch: int, steps: int) -> int:
        neurons = sum(self.graph.signal(k).neurons for k in range(len(self._plans) + 1))
        return min(steps, max(1, MOST_BYTES // (batch * neurons * _EVENT_BYTES)))

    def _engine(self, steps: int) -> Engine:
        key = steps, torch.get_num_threads()
        if key not in self._engines:
            engine = Engine(self.graph, self._plans, self._states, steps)
            if self._dense == "where quicker":
                set_limits(engine)
            elif self._dense == "always":
                engine.limits.fill_(-1)
                engine.limits_of_frames.fill_(-1)
            self._engines[key] = engine
        return self._engines[key]


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
