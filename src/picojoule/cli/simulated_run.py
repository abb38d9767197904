"""A network run on its input event by event, in time steps or asynchronously, and what that took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from picojoule.cli.progress import ProgressBar
from picojoule.cli.simulated_input import Raster, Recording
from picojoule.events import AsynchronousNetwork, EventNetwork
from picojoule.events.input_sizes import frames_of, sizes_of
from picojoule.events.orders import Arrival, ChipLimits, Leak, Order
from picojoule.report import Report

_MOST_VALUES = 2**24  # of frames that are there at a time
_PIECES = 20  # at least, for the user to see it go on


@dataclass(frozen=True)
class Simulation:
    """What came in, went out and was spent, of each sample and time step.

    Args:
        report: by layer, a mean over the samples.
        synops: by layer, float64 `b t`.
        events_in: `b t`.
        events_out: spikes that the network gave out, `b t`; None if it ends in values that are no spikes.
        output: name of the layer that gives out.
        dropped: events that full queues lost, by the layer that gave them out.
    """

    report: Report
    synops: dict[str, Tensor]
    events_in: Tensor
    events_out: Tensor | None
    output: str
    dropped: dict[str, int] = field(default_factory=dict)


def run_by_steps(
    network: EventNetwork, shown: Recording | Raster, progress: ProgressBar
) -> Simulation:
    """In the model's time steps, as PyTorch.

    Raises:
        ValueError: the input does not fit.
    """
    progress.start(f"Running the time steps of {shown.words}", total=1, done=0)
    if isinstance(shown, Recording):
        outputs = network.run_events(
            shown.events, dt_us=shown.dt_us, steps=shown.steps, start_us=shown.start_us
        )
        events_in = shown.events_by_step()
    else:
        outputs, events_in = network(shown.values), _count(frames_of(network.graph, shown.values))
        outputs = outputs.reshape(
            *events_in.shape, *network.graph.signal(network.graph.output).shape
        )
    progress.advance("")
    return Simulation(
        network.report(), network.synops, events_in, _spikes_out(network, outputs), _output(network)
    )


def run_in_order(
    network: EventNetwork,
    shown: Recording | Raster,
    progress: ProgressBar,
    *,
    order: Order,
    leak: Leak,
    tick_steps: int,
    limits: ChipLimits,
    arrival: Arrival,
    seed: int,
) -> Simulation:
    """Asynchronously, breadth or depth first, in pieces of time.

    Raises:
        NotImplementedError: a layer cannot run so; the message names it.
        ValueError: the input does not fit, or a recurrent layer makes itself fire without end.
    """
    made = AsynchronousNetwork(
        network.graph, order, leak, limits, tick_steps, arrival, seed, network.weights
    )
    pieces = list(_pieces(network, shown))
    progress.start(f"Running {shown.words}, {order} first", total=len(pieces), done=0)
    outputs, synops, events_in = [], [], []
    dropped: dict[str, int] = {}
    for first, last in pieces:
        frames = _frames(network, shown, first, last)
        try:
            run = made.run_steps(frames)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        outputs.append(run.outputs)
        synops.append(made.synops)
        events_in.append(_count(frames))
        for name, lost in run.dropped.items():
            dropped[name] = dropped.get(name, 0) + int(lost.sum())
        progress.advance(f"{int(events_in[-1].sum()):,} events")
    return Simulation(
        made.report(),
        {name: torch.cat([each[name] for each in synops], 1) for name in made.synops},
        torch.cat(events_in, 1),
        _spikes_out(network, torch.cat(outputs, 1)),
        _output(network),
        dropped,
    )


def _sizes(network: EventNetwork, shown: Recording | Raster) -> tuple[int, int]:
    if isinstance(shown, Recording):
        return 1, shown.steps
    return sizes_of(network.graph, shown.values)


def _pieces(network: EventNetwork, shown: Recording | Raster) -> Iterator[tuple[int, int]]:
    """First and last step of each."""
    batch, steps = _sizes(network, shown)
    fit = _MOST_VALUES // max(1, batch * network.graph.input_signal.neurons)
    at_once = max(1, min(fit, -(-steps // _PIECES)))
    for first in range(0, steps, at_once):
        yield first, min(first + at_once, steps)


def _frames(network: EventNetwork, shown: Recording | Raster, first: int, last: int) -> Tensor:
    if isinstance(shown, Recording):
        return shown.frames(first, last)
    return frames_of(network.graph, shown.values)[:, first:last]


def _count(frames: Tensor) -> Tensor:
    """Events of frames, `b t`: a whole number k is |k| of them, any other number is one."""
    flat = frames.flatten(2).double()
    return torch.where(flat == flat.round(), flat.abs(), 1.0).sum(2)


def _output(network: EventNetwork) -> str:
    """The last layer, with weights or of neurons."""
    graph = network.graph
    last = graph.stages[graph.output - 1]
    paths = [term.path for term in last.terms if term.path]
    return paths[-1] if last.neuron is None and paths else last.name


def _spikes_out(network: EventNetwork, outputs: Tensor) -> Tensor | None:
    graph = network.graph
    return _count(outputs) if graph.signal(graph.output).is_spikes else None
