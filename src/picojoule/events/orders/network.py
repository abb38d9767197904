"""A network that runs asynchronously: events wait for their turn, and neurons fire as soon as they may."""

# More than 250 lines: the semantics of asynchronous execution are told once, where they are chosen.

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Literal, get_args

import torch
from torch import Tensor

from picojoule.events.delivered import delivered
from picojoule.events.graph import EventGraph
from picojoule.events.kernels.compiled import compiled
from picojoule.events.orders.call_memory import CallMemory
from picojoule.events.orders.kernels import tables
from picojoule.events.orders.kernels.tables import MOST_AT_ONCE
from picojoule.events.orders.limits import ChipLimits, count_of
from picojoule.events.orders.numbers import (
    LayerNumbers,
    numbers_of,
    one_threshold,
    rounded,
    with_loss,
)
from picojoule.events.orders.result import OrderedRun
from picojoule.events.orders.states import OrderedStates
from picojoule.events.orders.thread_tables import Network, ThreadTables, first_capacity
from picojoule.events.plan import StagePlan
from picojoule.events.terms import CannotRunError
from picojoule.near_names import did_you_mean
from picojoule.ops.cpu.threads import num_workers, share_out

Order = Literal["breadth", "depth"]
Leak = Literal["step", "tick", "exponential"]
Arrival = Literal["index", "random"]
_LEAKS = {"step": tables.STEP, "tick": tables.TICK, "exponential": tables.EXPONENTIAL}
_MOST_ENTRIES = 2**26


class OrderedNetwork:
    """Asynchronous execution of a network on the CPU, to the bit the same in every run, with any number of threads.

    An event reaches a layer through all its synapses at once; each neuron that gets something other than 0 is
    changed and checked, in index order (positions row by row, in each the channels), and fires at once:

        v = min(max(v + gain x, low), top);   s = spike(v);   reset

    `MultiSpike` fires s spikes, which are s events one after another, 65,536 at most. A layer without neurons gives out what an event
    brought; max pooling gives out by how much a window's largest count of the step has grown.

    A time step begins with the leak and the biases of all layers; neurons that are then at the threshold fire, the
    first layer's first. Then come the input's events, in index order unless `arrival` says otherwise: a whole number k is |k| events of value sign(k),
    any other number one event of that value. Time stamps beyond that play no part, but for `leak="exponential"`.

    - Breadth first, a layer empties its queue of the step before the next layer begins (sinabs' specksim). The queue
      has the events of one layer that it hears after those of another, and at its end what the layer hears of itself.
    - Depth first, an event is pushed through as far as it goes before the next (Speck). It goes to all layers that
      hear it, then what the first of these gave out goes on, then the second's. What a recurrent layer gives out
      reaches the layer itself when the present event is through, before the next of the input.
    - Along a chain of layers, without loops and branches, both give the same: each layer gets the same events in the
      same order.

    Args:
        graph: the network.
        plans: of each stage, its neurons and synapses.
        order: "breadth" or "depth".
        leak: "step": at the beginning of a step, `v = alpha v`, as PyTorch has it. "tick": at the beginning of every
            step before which a multiple of `tick_steps` steps has passed, `v = max(v - loss, floor)` where v is above
            the floor, which is the layer's `min_v_mem`, 0 without one; loss is the layer's mean of
            `threshold (1 - alpha^tick_steps)`. "exponential": by elapsed time, `v = alpha^dt v`; event i of a step's n
            input events is at t + i / n, i = 1 ... n, as is all that it causes.
        limits: of the chip.
        tick_steps: time steps from one tick of the slow clock to the next.
        arrival: in which order the input's events of a step come: "index", or "random", anew in each step, the same
            for all samples, as `seed` has it. In a frame of a camera's events nothing tells their order; that of
            indices makes the top of an image come before the bottom, which no sensor does.
        seed: of that order.

    Raises:
        TypeError: an argument is of another type.
        ValueError: an argument is none of these.
        NotImplementedError: a layer cannot run so; the message names it and says what to do.
    """

    def __init__(
        self,
        graph: EventGraph,
        plans: list[StagePlan],
        order: Order = "breadth",
        leak: Leak = "step",
        limits: ChipLimits | None = None,
        tick_steps: int = 1,
        arrival: Arrival = "index",
        seed: int = 0,
    ) -> None:
        limits = ChipLimits() if limits is None else limits
        _check("order", order, get_args(Order))
        _check("leak", leak, get_args(Leak))
        _check("arrival", arrival, get_args(Arrival))
        if not isinstance(limits, ChipLimits):
            raise TypeError(f"events: limits is {limits!r}, expected ChipLimits.")
        tick_steps = count_of("events: tick_steps", tick_steps)
        self.order, self.leak, self.limits = order, leak, limits
        numbers = [self._numbers(k, graph, plans[k], tick_steps) for k in range(len(plans))]
        self._network = Network(
            graph,
            plans,
            numbers,
            leaks=[_LEAKS[leak] if stage.leaks else tables.NEVER for stage in numbers],
            decimations=_decimations(limits, graph, numbers),
            tick_steps=tick_steps,
            queue_length=limits.queue_length or 0,
        )
        self._capacity = first_capacity(graph)
        self._seed = seed if arrival == "random" else None

    def _numbers(self, k: int, graph: EventGraph, plan: StagePlan, tick_steps: int) -> LayerNumbers:
        stage, limits = graph.stages[k], self.limits
        numbers = numbers_of(stage, plan)
        if numbers.kind == tables.READS and k + 1 != graph.output:
            raise CannotRunError(
                stage.name,
                stage.neuron,
                "gives out its potentials, which no event carries. Put it at the end, or use a neuron that spikes.",
            )
        if self.leak != "step" and numbers.keep_synaptic is not None:
            raise CannotRunError(
                stage.name,
                stage.neuron,
                f"has a synaptic current, which decays by steps; leak={self.leak!r} has none. Use leak='step'.",
            )
        if self.leak == "tick" and numbers.kind == tables.READS:
            raise CannotRunError(
                stage.name,
                stage.neuron,
                "has no threshold from which the loss of a tick could be told. Use another leak.",
            )
        if limits.one_threshold_per_layer:
            numbers = one_threshold(numbers)
        if self.leak == "tick" and numbers.leaks:
            numbers = with_loss(numbers, tick_steps)
        if limits.weight_bits is None:
            return numbers
        bias_bits = limits.bias_bits or limits.weight_bits
        return rounded(numbers, stage.name, limits.weight_bits, bias_bits, limits.state_bits)

    def at_rest(self, batch: int) -> OrderedStates:
        """States of zero for so many samples."""
        scales = [numbers.scale for numbers in self._network.numbers]
        return OrderedStates.at_rest(self._network.graph, self._network.plans, scales, batch)

    @torch.no_grad()
    def run(self, frames: Tensor, states: OrderedStates | None = None) -> OrderedRun:
        """What the network gives out for `frames`, `b t *n`, and what that took.

        Args:
            frames: the input.
            states: go on from these, and are changed; at rest if omitted.

        Raises:
            ValueError: a number of the input is not finite, or is more than 65,536 events; or a neuron fires more often
                than that at one time. The message says which.
            RuntimeError: a recurrent layer makes itself fire without end.
        """
        _check_numbers(frames)
        states = self.at_rest(len(frames)) if states is None else states
        before = states.copied()
        try:
            call = self._until_queues_are_long_enough(frames, states, before)
            states.steps.add_(call.steps)
        except BaseException:  # Ctrl-C in the middle, too
            states.put_back(before)
            raise
        return self._result(call)

    def _until_queues_are_long_enough(
        self, frames: Tensor, states: OrderedStates, before: list[dict[str, Tensor]]
    ) -> CallMemory:
        arrivals = self._arrivals(states, frames.shape[1])
        while True:
            call = CallMemory(self._network.graph, self._network.numbers, frames, arrivals)
            if call.batch and call.steps:
                self._run(states, call)
            if bool((call.status[:, 0] == tables.FINE).all()):
                return call
            states.put_back(before)
            if bool((call.status[:, 0] == tables.TOO_MANY).any()):
                raise ValueError(self._too_many(call))
            if bool((call.status[:, 0] == tables.ENDLESS).any()):
                raise RuntimeError(self._endless(call))
            self._capacity *= 4
            if self._capacity > _MOST_ENTRIES:
                raise RuntimeError(
                    f"events: more than {_MOST_ENTRIES} events wait in a queue. Use order='depth', fewer events a step, or a "
                    "queue_length."
                )

    def _run(self, states: OrderedStates, call: CallMemory) -> None:
        made = [
            ThreadTables(self._network, states, call, self._capacity)
            for _ in range(min(num_workers(), call.batch))
        ]
        kernel = compiled(self.order)
        share_out(kernel, call.batch, lambda share: (made[share].address,))

    def _arrivals(self, states: OrderedStates, steps: int) -> Tensor | None:
        """Of each step the order of the input's neurons; that of a step does not depend on where a call began."""
        if self._seed is None or not len(states.steps):
            return None
        size, made = self._network.graph.input_signal.neurons, torch.Generator()
        orders = [torch.zeros(0, size, dtype=torch.int32)]
        for step in range(int(states.steps[0]), int(states.steps[0]) + steps):
            made.manual_seed((self._seed * 2**31 + step) % 2**64)
            orders.append(torch.randperm(size, generator=made, dtype=torch.int32)[None])
        return torch.cat(orders)

    def _endless(self, call: CallMemory) -> str:
        sample = int((call.status[:, 0] == tables.ENDLESS).nonzero()[0])
        _, step, layer, _ = call.status[sample].tolist()
        name = self._network.graph.stages[layer].name
        return (
            f"events: in step {step} of sample {sample} the recurrent layer {name!r} heard more than 1000 of its own spikes a "
            "neuron, and there is no end to them. Lower its recurrent weights, or use order='step', where a spike comes back a "
            "step later."
        )

    def _too_many(self, call: CallMemory) -> str:
        sample = int((call.status[:, 0] == tables.TOO_MANY).nonzero()[0])
        _, step, layer, neuron = call.status[sample].tolist()
        signal = self._network.graph.signal(layer + 1)
        place = (
            signal.to_torch(torch.arange(signal.neurons)[None] == neuron)[0].nonzero()[0].tolist()
        )
        return (
            f"events: in step {step} of sample {sample} neuron {place} of {self._network.graph.stages[layer].name!r} is so far above "
            f"its threshold that it would fire more than {MOST_AT_ONCE:,} spikes at one time. Look at the scale of the input and "
            "of the weights, give the layer spike_fn=MaxSpike(n), or use order='step', where a count is one number."
        )

    def _result(self, call: CallMemory) -> OrderedRun:
        graph, numbers = self._network.graph, self._network.numbers
        if graph.output and numbers[graph.output - 1].kind == tables.READS:
            call.outputs /= numbers[graph.output - 1].scale
        signal = graph.signal(graph.output)
        flat = call.outputs.reshape(call.batch * call.steps, signal.neurons)
        outputs = signal.to_torch(flat).reshape(call.batch, call.steps, *signal.shape)
        names = ["input", *(stage.name for stage in graph.stages)]
        lost = {name: n for name, n in zip(names, call.dropped, strict=True) if bool(n.any())}
        counts = (count for stage in call.synops for count in stage)
        whole = bool((call.frames == call.frames.floor()).all())
        found = delivered(graph, self._network.plans, counts, whole=whole)
        return OrderedRun(outputs.contiguous(), call.spikes, call.synops, found, lost)


def _decimations(limits: ChipLimits, graph: EventGraph, numbers: list[LayerNumbers]) -> list[int]:
    """Of each stage; only neurons have a decimator."""
    names = [stage.name for stage in graph.stages]
    fires = [stage.kind == tables.SPIKES for stage in numbers]
    firing = list(compress(names, fires))
    if isinstance(limits.decimate, Mapping):
        unknown = next((name for name in limits.decimate if name not in firing), None)
        if unknown is not None:
            raise ValueError(
                f"ChipLimits: decimate names a layer {unknown!r}, and there are no neurons of that name that fire."
                f"{did_you_mean(unknown, firing, however_far=True)}"
            )
    return [
        limits.decimation_of(name) if fire else 1 for name, fire in zip(names, fires, strict=True)
    ]


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        choices = ", ".join(map(repr, known))
        raise ValueError(
            f"events: {name} is {value!r}, expected one of {choices}.{did_you_mean(value, known)}"
        )


def _check_numbers(frames: Tensor) -> None:
    """Finite, and none that stands for more events than can be run one by one."""
    finite = torch.isfinite(frames)
    if not bool(finite.all()):
        at = tuple((~finite).nonzero()[0].tolist())
        raise ValueError(
            f"events: input{list(at)} is {frames[at].item()}, expected finite numbers."
        )
    too_many = (frames.abs() > MOST_AT_ONCE) & (frames == frames.floor())
    if bool(too_many.any()):
        at = tuple(too_many.nonzero()[0].tolist())
        raise ValueError(
            f"events: input{list(at)} is {frames[at].item():,.0f}, which is as many events of one neuron in one step; expected "
            f"{MOST_AT_ONCE:,} at most. Give the events with their times, or use order='step'."
        )
