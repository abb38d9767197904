"""A network that is fed events as they come."""

# More than 250 lines: what a push takes, and what it may change when it fails, are read together.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.data.event_columns import TimeUnit, check_time_unit
from picojoule.data.events import Events
from picojoule.events.calls import Turn, in_turn
from picojoule.events.inputs.arrivals import Arrivals
from picojoule.events.inputs.clock import DAY_US, LARGEST, Clock, Order, whole_number
from picojoule.events.inputs.columns import Columns
from picojoule.events.inputs.sensor import Sensor
from picojoule.events.inputs.step_events import StepEvents
from picojoule.events.inputs.waiting import Waiting
from picojoule.events.interrupted import Interrupted
from picojoule.events.peaks import By, SynOpsPeaks
from picojoule.events.running import Running
from picojoule.events.stream_outputs import Spikes, Values, output_of
from picojoule.report import Report

MOST_STEPS = 256  # that run at a time


class EventStream:
    """A network that is fed events as they come, from rest; the network itself stays as it is, and may have several.

        step = floor((t_us - start_us) / dt_us);   a step runs once no event can come to it any more

    It gives the spikes of one call on the raster of all events, wherever the pushes are cut: equal ones where sums are
    exact, and but for rounding where they are not, see :func:`picojoule.events.compile`. Events that wait for their
    step are counted by neuron, so that memory is bounded by the steps that wait. Silence costs a step now and then: once
    a step without input changes nothing, those that follow are passed over.

    A network that ends in spikes gives them out as events. One that ends in values, such as an nn.Linear or ExpLeak, has some
    in every step: it gives a raster, `t *m`, of the steps that ran.

    Args:
        network: the network; its weights are shared.
        dt_us: length of a time step in microseconds.
        window_us: how much older an event may be than the newest before it; steps run that much later.
        start_us: when step 0 begins.
        time_unit: of the times, where neither the name of the field nor its type says it.
        longest_gap_us: the longest silence that is believed; a longer one is an error, as of a damaged time. None
            believes any.
        peak_window_us: window for the peak SynOps per second; one step if omitted.
        peak_by: "layer", "network", or the layers of each core: see :class:`SynOpsPeaks`.

    Attributes:
        steps: time steps that have run.

    Raises:
        TypeError: a length of time is no integer.
        ValueError: one is out of range, or the input, or an output of spikes, is neither (p, h, w) nor (n,) a step.

    Example:
        >>> import picojoule.layers as layers
        >>> from torch import nn
        >>> from picojoule import events
        >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), layers.IAF())
        >>> _ = nn.init.eye_(model[0].weight)
        >>> stream = events.compile(model, torch.zeros(1, 10, 2)).stream(dt_us=1000)
        >>> stream.push({"t": [0, 10, 2500], "x": [1, 1, 0], "y": [0, 0, 0], "p": [0, 0, 0]})
        Events(t_us=tensor([0, 0]), x=tensor([1, 1]), y=tensor([0, 0]), p=tensor([0, 0]))
        >>> stream.flush().t_us, stream.steps
        (tensor([2000]), 3)
        >>> model = nn.Sequential(*model, nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.ones_(model[2].weight)
        >>> stream = events.compile(model, torch.zeros(1, 10, 2)).stream(dt_us=1000)
        >>> stream.push({"t": [0, 10, 2500], "x": [1, 1, 0], "y": [0, 0, 0], "p": [0, 0, 0]})
        tensor([[2.],
                [0.]])
    """

    def __init__(
        self,
        network: Running,
        *,
        dt_us: int,
        window_us: int = 0,
        start_us: int = 0,
        time_unit: TimeUnit | None = None,
        longest_gap_us: int | None = DAY_US,
        peak_window_us: int | None = None,
        peak_by: By = "layer",
    ) -> None:
        where = "EventStream"
        gap_us = (
            None
            if longest_gap_us is None
            else whole_number(longest_gap_us, "longest_gap_us", 1, where)
        )
        graph = network.graph
        self._arrivals = Arrivals(
            Sensor.of(graph.input_signal.shape, where, "input"),
            Clock(
                whole_number(dt_us, "dt_us", 1, where), whole_number(start_us, "start_us", 0, where)
            ),
            Order(whole_number(window_us, "window_us", 0, where), gap_us),
            f"{where}.push",
        )
        self._output: Spikes | Values = output_of(
            graph.signal(graph.output), self._arrivals.clock, where
        )
        self._network, self._unit = network.fresh(), time_unit
        check_time_unit(time_unit, where)
        peak_us = dt_us
        if peak_window_us is not None:
            peak_us = whole_number(peak_window_us, "peak_window_us", 1, where)
        if peak_us % dt_us:
            raise ValueError(
                f"{where}: peak_window_us is {peak_us}, {peak_us / dt_us:g} steps of dt_us = {dt_us}; expected whole ones."
            )
        self._peaks = SynOpsPeaks(dt_s=dt_us * 1e-6, window_s=peak_us * 1e-6, by=peak_by)
        self._peaks.check_layers(network.weighted_layers, f"{where}: ")
        self._neurons = graph.input_signal.neurons
        self._piece = _power_of_two(network.steps_at_once(1, MOST_STEPS))
        self._turn, self._interrupted = Turn(where), Interrupted(where)
        self._begin()

    def _begin(self) -> None:
        self.steps = 0
        self._newest_us = self._arrivals.clock.start_us
        self._waiting = Waiting(self._neurons)
        self._output.forget()
        self._rests = False

    # ---- running

    @in_turn
    def push(self, events: Any) -> Events | Any:
        """Take more events, and give out what the output layer fires in the steps that are complete now.

        All events are checked before any of them counts: after an error the stream is as it was.

        Args:
            events: `Events`, a structured array, or a dict of columns, as `picojoule.data.as_events` takes them; none are
                fine, and so are any number: they are converted a slice at a time.

        Returns:
            The output's spikes in the order of time: `t_us` is when their step begins, `p`, `y`, `x` are the neuron's place
            in an output `(p, h, w)`; of an output `(n,)`, `x` is the neuron. A neuron that fires twice in a step is there
            twice. Of a network that ends in values a raster, float32 `t *m`: the steps that are complete now, silent ones,
            too.

        Raises:
            TypeError: what came is no events.
            ValueError: an event lies outside the sensor, or comes too late, or long after the last; the message names
                the first such event. Or a raster would not fit into memory.
        """
        self._interrupted.check()
        columns = Columns(events, self._unit, self._arrivals.where)
        earliest_us = self._arrivals.clock.begins(self.steps)
        newest_us = min(max(self._newest_us, earliest_us), LARGEST)
        newest_us = self._arrivals.check(columns, newest_us, earliest_us)
        window_us = self._arrivals.order.window_us
        ahead = self._arrivals.clock.complete(newest_us - window_us) - self.steps
        self._output.check(ahead, f"{self._arrivals.where}: Nothing has run.")
        with self._interrupted.noted():
            for step, neuron, newest_us in self._arrivals.places(columns):
                self._waiting.add(step, neuron)
                self._newest_us = max(self._newest_us, newest_us)
                self._run_until(self._arrivals.clock.complete(self._newest_us - window_us))
        return self._output.taken()

    @in_turn
    def flush(self, until_us: int | None = None) -> Events | Any:
        """Run steps that are not complete: events that come later have to lie behind them.

        Args:
            until_us: all steps that begin before this time; through the last event's if omitted.

        Returns:
            The output's spikes, or a raster of its values, as of `push`.

        Raises:
            TypeError: `until_us` is no integer.
            ValueError: it is negative, or more than `longest_gap_us` ahead; or a raster would not fit into memory.
        """
        clock, gap_us = self._arrivals.clock, self._arrivals.order.longest_gap_us
        if until_us is None:
            return self._flushed(self._waiting.last_step() + 1)
        until_us = whole_number(until_us, "until_us", 0, "EventStream.flush")
        now_us = max(self._newest_us, clock.begins(self.steps))
        if gap_us is not None and until_us - now_us > gap_us:
            raise ValueError(
                f"EventStream.flush: until_us is {until_us}, more than longest_gap_us = {gap_us} after {now_us}."
            )
        return self._flushed(-((clock.start_us - until_us) // clock.dt_us))

    def _flushed(self, end: int) -> Events | Any:
        self._interrupted.check()
        self._output.check(end - self.steps, "EventStream.flush: Nothing has run.")
        with self._interrupted.noted():
            self._run_until(end)
        return self._output.taken()

    @in_turn
    def reset(self) -> None:
        """Begin anew: states at zero, no step run, no event waiting. What was counted stays, unless a call was interrupted."""
        self._network.reset()
        self._begin()
        if self._interrupted.ends():
            self._network.reset_count()

    # ---- what it did

    @in_turn
    def report(self) -> Report:
        """What all steps so far spent; the stream is one sample."""
        self._interrupted.check()
        return self._network.report()

    @in_turn
    def states(self) -> dict[str, dict[str, Tensor]]:
        """Copies of the states by layer and name, of one sample."""
        return self._network.states()

    @in_turn
    def peak_synops_per_second(self) -> dict[str, float]:
        """The most SynOps per second in any window so far, see :class:`SynOpsPeaks`."""
        return self._peaks.per_second()

    def __repr__(self) -> str:
        clock = self._arrivals.clock
        return f"EventStream({self._network.graph.model}, {clock}, {self.steps} steps run)"

    # ---- steps

    def _run_until(self, end: int) -> None:
        """All steps before `end`."""
        if end <= self.steps:
            return
        events, at = self._waiting.before(end), 0
        while self.steps < end:
            ahead = int(events.step[at]) if at < len(events.step) else end
            if ahead > self.steps:
                self._pass_silence(ahead)
                continue
            number = _power_of_two(min(self._piece, end - self.steps))
            until = events.before(self.steps + number)
            self._rests = False
            self._run(number, events.part(at, until))
            at = until

    def _pass_silence(self, end: int) -> None:
        """Steps without input: run until one of them changes nothing."""
        while self.steps < end and not self._rests:
            self._rests = self._changes_nothing()
            if self.steps < end and not self._rests:
                self._run(_power_of_two(min(self._piece, end - self.steps)), StepEvents.none())
        self._network.pass_steps(end - self.steps)
        self._output.repeat(end - self.steps)
        self._peaks.add_silence(end - self.steps)
        self.steps = end

    def _changes_nothing(self) -> bool:
        """Run a step without input; whether it left all as it was, so that the next one will."""
        before = self._network.snapshot()
        fired = self._run(1, StepEvents.none())
        if (fired and self._output.fires) or any(
            bool(count.any()) for count in self._network.synops.values()
        ):
            return False
        after = self._network.snapshot()
        return len(before) == len(after) and all(map(torch.equal, before, after))

    def _run(self, number: int, events: StepEvents) -> int:
        """The next steps; how many spikes there are."""
        (given_out,) = self._network.run_steps([events.since(self.steps)], number)
        self._output.add(given_out, range(self.steps, self.steps + number))
        self._peaks.add(self._network.synops)
        self.steps += number
        return len(given_out.step)


def _power_of_two(number: int) -> int:
    """The largest that is not above: an engine is made for a number of steps, and there shall be few."""
    return 1 << (number.bit_length() - 1)
