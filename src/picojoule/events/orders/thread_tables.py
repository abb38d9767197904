"""The tables that the kernels read, and the memory that a thread works in: a set for each thread."""

# More than 250 lines: the tables of a thread are one list of addresses.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.events.edge_places import edge_places
from picojoule.events.graph import EventGraph
from picojoule.events.orders.call_memory import CallMemory
from picojoule.events.orders.kernels.tables import LayerPlaces, NetworkPlaces, SignalPlaces
from picojoule.events.orders.numbers import LayerNumbers
from picojoule.events.orders.states import OrderedStates
from picojoule.events.plan import StagePlan
from picojoule.events.signals import Signal

_MOST_OWN = 1000  # events that each neuron of a recurrent layer may cause in a step, before its loop is endless


@dataclass(frozen=True)
class Network:
    """What is the same in all calls.

    Args:
        graph: the network.
        plans: of each stage.
        numbers: of each stage.
        leaks: of each stage, when it leaks; `kernels.tables.NEVER` and the others.
        decimations: of each stage, of so many events one passes.
        tick_steps: steps from one tick of the slow clock to the next.
        queue_length: events that a queue holds; 0 for any number.
    """

    graph: EventGraph
    plans: list[StagePlan]
    numbers: list[LayerNumbers]
    leaks: list[int]
    decimations: list[int]
    tick_steps: int = 1
    queue_length: int = 0


class ThreadTables:
    """One thread's.

    Args:
        network: the network.
        states: of the batch.
        call: where results go.
        capacity: entries of the queues that have no bound of their own.
    """

    def __init__(
        self, network: Network, states: OrderedStates, call: CallMemory, capacity: int
    ) -> None:
        self._network, self._call, self._capacity = network, call, capacity
        self._kept: list[Tensor] = []
        graph, signals = network.graph, range(len(network.plans) + 1)
        self._slots = [self._slot() for _ in signals]
        layers = [self._layer(k, states) for k in range(len(network.plans))]
        neurons = [graph.signal(k).neurons for k in signals]
        most = max(neurons)
        stack = sum(
            len({*_sources(plan)}) * n for plan, n in zip(network.plans, neurons[1:], strict=True)
        )
        waiting = capacity if any(plan.recurrent for plan in network.plans) else 0
        stack += most
        self._table = self._keep(
            NetworkPlaces(
                num_steps=call.steps,
                num_layers=len(network.plans),
                layers=self._addresses(layers),
                signals=self._addresses([self._signal(k) for k in signals]),
                frames=call.frames.data_ptr(),
                arrivals=_address(call.arrivals),
                steps_before=states.steps.data_ptr(),
                tick_steps=network.tick_steps,
                queue_length=network.queue_length,
                status=call.status.data_ptr(),
                fired_index=self._integers(most),
                fired_count=self._integers(most),
                fired_value=self._reals(most),
                lengths=self._wide(4 + len(network.plans)),
                stack=self._integers(4 * stack),
                stack_size=stack,
                waiting=self._integers(4 * waiting),
                waiting_size=waiting,
            )
        )

    @property
    def address(self) -> int:
        """Of the network's table."""
        return self._table

    # ---- tables

    def _layer(self, number: int, states: OrderedStates) -> int:
        network, call = self._network, self._call
        plan, numbers = network.plans[number], network.numbers[number]
        signal = network.graph.stages[number].signal
        edges = [
            self._keep(edge_places(own, self._slots[source], call.synops[number][k]))
            for k, (own, source) in enumerate(
                zip(numbers.synapses, _all_sources(plan), strict=True)
            )
        ]
        own = edges.pop() if plan.recurrent is not None else 0
        heard = sorted({*_sources(plan)})
        rows, n = plan.num_rows, signal.neurons
        seen = network.graph.signal(plan.edges[0].source).neurons if not plan.neurons.plan else 0
        stage = states.stages[number].addresses()
        potential = stage["potential"] if plan.neurons.plan else self._reals(call.batch * n)
        reached = torch.tensor([n // rows, 0], dtype=torch.int32)
        touched = torch.zeros(rows + 8, dtype=torch.uint8)
        tops = torch.tensor([numbers.top, numbers.reset_value, numbers.loss], dtype=torch.float32)
        return self._keep(
            LayerPlaces(
                num_neurons=n,
                num_rows=rows,
                num_edges=len(edges),
                edges=self._addresses(edges),
                sources=self._addresses(_sources(plan)),
                num_signals=len(heard),
                heard=self._addresses(heard),
                own=own,
                most_own=_MOST_OWN * n,
                kind=numbers.kind,
                single=int(numbers.single),
                limit=numbers.limit,
                resets=int(numbers.resets),
                leak=network.leaks[number],
                whole=int(numbers.whole),
                potential=potential,
                synaptic=0 if numbers.keep_synaptic is None else stage["synaptic"],
                total=stage["fired"],
                spikes=call.spikes[number].data_ptr(),
                keep=numbers.keep.data_ptr(),
                gain=numbers.gain.data_ptr(),
                threshold=numbers.threshold.data_ptr(),
                cost=numbers.cost.data_ptr(),
                low=numbers.low.data_ptr(),
                floor=numbers.floor.data_ptr(),
                keep_synaptic=_address(numbers.keep_synaptic),
                bias=_address(numbers.bias),
                own_bias=_address(numbers.own_bias),
                numbers=self._hold(tops).data_ptr(),
                current=self._reals(n),
                latest=self._reals(n),
                touched=self._hold(touched).data_ptr(),
                reached=self._hold(reached).data_ptr(),
                seen=self._reals(seen),
                num_seen=seen,
                decimate=network.decimations[number],
                decimated=states.decimated[number].data_ptr(),
            )
        )

    def _signal(self, index: int) -> int:
        network, call = self._network, self._call
        signal: Signal = network.graph.signal(index)
        listeners = [k for k, plan in enumerate(network.plans) if index in _sources(plan)]
        hears_itself = index > 0 and network.plans[index - 1].recurrent is not None
        slot = self._slots[index]
        goes_out = index == network.graph.output
        is_heard = bool(listeners) or hears_itself
        capacity = self._capacity if is_heard else 1
        return self._keep(
            SignalPlaces(
                num_neurons=signal.neurons,
                channels=signal.channels,
                frames=call.outputs.data_ptr() if goes_out else 0,
                is_heard=int(is_heard),
                num_listeners=len(listeners),
                listeners=self._addresses(listeners),
                position=slot["positions"],
                channel=slot["channel"],
                value=slot["values"],
                indices=self._integers(capacity),
                counts=self._integers(capacity),
                values=self._reals(capacity),
                cause=self._integers(capacity),
                length=self._wide(2),
                capacity=capacity,
                dropped=call.dropped[index].data_ptr(),
            )
        )

    def _slot(self) -> dict[str, int]:
        """The one event of a signal that is on its way."""
        return {
            "offsets": self._integers(2),
            "positions": self._integers(1),
            "channel": self._integers(1),
            "values": self._reals(1),
            "capacity": 1,
        }

    # ---- memory

    def _hold(self, array: Tensor) -> Tensor:
        self._kept.append(array)
        return array

    def _keep(self, numbers: Any) -> int:
        return self._hold(torch.tensor([*numbers] or [0], dtype=torch.int64)).data_ptr()

    def _addresses(self, numbers: Any) -> int:
        return self._keep(numbers)

    def _reals(self, size: int) -> int:
        return self._hold(torch.zeros(size, dtype=torch.float32)).data_ptr()

    def _integers(self, size: int) -> int:
        return self._hold(torch.zeros(size, dtype=torch.int32)).data_ptr()

    def _wide(self, size: int) -> int:
        return self._hold(torch.zeros(size, dtype=torch.int64)).data_ptr()


def _sources(plan: StagePlan) -> list[int]:
    """The signal of each edge, those to itself left out."""
    return [edge.source for edge in plan.edges]


def _all_sources(plan: StagePlan) -> list[int]:
    return [edge.source for edge in plan.all_edges]


def _address(array: Tensor | None) -> int:
    return 0 if array is None else array.data_ptr()


def first_capacity(graph: EventGraph) -> int:
    """Entries that queues have at first; they grow where that is too few."""
    return int(
        np.clip(4 * max(graph.signal(k).neurons for k in range(len(graph.stages) + 1)), 1024, 2**20)
    )
