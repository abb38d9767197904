"""What a chip does to a network's answers: the causes switched on one after another."""

# More than 250 lines: the causes, the comparison that switches them on, and its table are one story.

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from picojoule.convert.settled import copied
from picojoule.events.calls import computing
from picojoule.events.engine import Engine
from picojoule.events.following import follow
from picojoule.events.graph import EventGraph
from picojoule.events.labelled import batches
from picojoule.events.left_out import warn_of_hooks
from picojoule.events.orders import Arrival, ChipLimits, Leak, Order, OrderedNetwork
from picojoule.events.orders.limits import count_of
from picojoule.events.plan import StagePlan, check_weights, plan_stage
from picojoule.events.states import StageStates
from picojoule.layers import FlattenTime, SqueezeMixin, reset_states, set_batch_size
from picojoule.report.document import Document, Table, count
from picojoule.report.rendering.text import text
from picojoule.synops.watch.count import Weights

Readout = Literal["auto", "count", "potential"]
_ALL = ChipLimits(weight_bits=8, state_bits=16, one_threshold_per_layer=True)
_NOTE = (
    "Each row has what is switched on in the rows above it, too. Changes are in points of accuracy, to the row above; "
    "spikes and SynOps are means over samples."
)


@dataclass(frozen=True)
class GapRow:
    """The network with one more cause switched on.

    Attributes:
        cause: what was switched on.
        accuracy: share of samples whose answer is right.
        change: of the accuracy, to the row before; None of the first row.
        spikes_per_sample: of all neurons.
        synops_per_sample: of the synapses that `weights` counts.
    """

    cause: str
    accuracy: float
    change: float | None
    spikes_per_sample: float
    synops_per_sample: float


@dataclass(frozen=True)
class Gap:
    """What asynchronous execution, and a chip's limits, change; `print` shows a table.

    Attributes:
        model: name of its type.
        samples: that were run.
        rows: causes, each on top of those before it.
    """

    model: str
    samples: int
    rows: tuple[GapRow, ...]

    def __str__(self) -> str:
        return text(Document((self.table(f"{self.model}: from PyTorch to a chip"),)))

    def table(self, title: str) -> Table:
        """A row a cause, for a report."""
        headings = "switched on", "accuracy", "change", "spikes/sample", "SynOps/sample"
        rows = tuple(map(_cells, self.rows))
        return Table(f"{title}, {self.samples:,} samples", headings, 1, rows, notes=(_NOTE,))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words, for JSON."""
        return asdict(self)


class _Cause(NamedTuple):
    name: str
    order: Order
    leak: Leak
    limits: ChipLimits


class _Sums:
    """Of all batches so far."""

    def __init__(self) -> None:
        self.right, self.spikes, self.synops = 0, 0.0, 0.0

    def add(self, scores: Tensor, labels: Tensor, spikes: Tensor, synops: Tensor) -> None:
        self.right += int((scores.argmax(1) == labels).sum())
        self.spikes += float(spikes.sum())
        self.synops += float(synops.sum())


def gap(
    model: nn.Module,
    data: Iterable[tuple[Any, Any]],
    *,
    order: Order = "depth",
    leak: Leak = "tick",
    limits: ChipLimits = _ALL,
    tick_steps: int = 1,
    arrival: Arrival = "random",
    readout: Readout = "auto",
    batch_size: int = 50,
    weights: Weights = "all",
) -> Gap:
    """Accuracy, spikes and SynOps of a network: in PyTorch, and with what a chip does switched on one by one.

    First come PyTorch's time steps; then the order of execution, with a leak by time steps; the clock of the leak;
    weights as whole numbers; one threshold a layer; potentials as whole numbers that saturate; the decimator; the
    bounded queue. What is not asked for has no row.

    Args:
        model: a classifier that `picojoule.events.compile` can run: `b t *n`, or with both axes in one, to `b t c`.
            It and its states stay as they are.
        data: batches `(frames, labels)`, `b t *n` and `b`; or samples by number, `(frames, label)`, `t *n` and an int.
        order: "breadth" or "depth".
        leak: "step", "tick" or "exponential".
        limits: of the chip; `ChipLimits()` for none.
        tick_steps: time steps from one tick of the slow clock to the next, for `leak="tick"`.
        arrival: in which order the input's events of a step come: "random", as nothing tells it, or "index".
        readout: what answers: "count", the output summed over time; "potential", that and what is left in the last
            neurons, in thresholds; "auto", the second where the network ends in neurons that spike.
        batch_size: samples that are run at a time, of data by number.
        weights: what SynOps are counted by, as a Monitor's: "nonzero" takes pruned weights for no synapses.

    Returns:
        One row a cause.

    Raises:
        TypeError: data is of another kind, or an argument of another type.
        ValueError: there are no samples, frames and labels do not go together, the output has no classes, or an argument is out of
            its range.
        NotImplementedError: a layer cannot run so; the message names it.

    Example:
        >>> from picojoule.layers import IAF
        >>> layer = nn.Linear(2, 2, bias=False)
        >>> layer.weight.data = torch.tensor([[1.0, -0.5], [-0.5, 1.0]])
        >>> samples = torch.eye(2)[:, None].expand(2, 4, 2)
        >>> print(gap(nn.Sequential(layer, IAF()), [(samples, torch.tensor([0, 1]))], limits=ChipLimits(weight_bits=8)))
        Sequential: from PyTorch to a chip, 2 samples
        switched on                accuracy  change  spikes/sample  SynOps/sample
        -------------------------------------------------------------------------
        nothing: PyTorch's steps    100.00%                      4              8
        depth first                 100.00%   +0.00              4              8
        leak by a tick every step   100.00%   +0.00              4              8
        weights of 8 bits           100.00%   +0.00              4              8
        <BLANKLINE>
        Each row has what is switched on in the rows above it, too. Changes are in points of accuracy, to the row above; spikes and SynOps are means over samples.
    """
    if not isinstance(limits, ChipLimits):
        raise TypeError(f"gap: limits is {limits!r}, expected ChipLimits.")
    if readout not in get_args(Readout):
        raise ValueError(
            f"gap: readout is {readout!r}, expected one of {', '.join(get_args(Readout))}."
        )
    check_weights("gap", weights)
    batch_size = count_of("gap: batch_size", batch_size)
    causes = _causes(order, leak, limits, tick_steps)
    with computing():
        comparison = _Comparison(model, causes, tick_steps, arrival, readout, weights)
        for frames, labels in batches(data, batch_size):
            comparison.add(frames, labels)
        result = comparison.result()
    warn_of_hooks(model, "gap")
    return result


class _Comparison:
    """Runs each batch with each cause."""

    def __init__(
        self,
        model: nn.Module,
        causes: list[_Cause],
        tick_steps: int,
        arrival: Arrival,
        readout: Readout,
        weights: Weights,
    ) -> None:
        self._model, self._causes = copied(model).eval(), causes
        self._weights: Weights = weights
        self._name, self._readout = type(model).__name__, readout
        self._options: tuple[int, Arrival] = tick_steps, arrival
        self._sums = [_Sums() for _ in range(len(causes) + 1)]
        self._networks: list[OrderedNetwork] = []
        self._samples = 0

    @torch.no_grad()
    def add(self, frames: Tensor, labels: Tensor) -> None:
        """One batch."""
        if not self._networks:
            self._start(frames)
        self._check(frames, labels)
        self._samples += len(frames)
        self._step_by_step(frames, labels)
        for network, sums in zip(self._networks, self._sums[1:], strict=True):
            states = network.at_rest(len(frames))
            run = network.run(frames, states)
            left = states.stages[self._last].get("v_mem") if self._reads_potential else None
            scores = self._scores(run.outputs, left)
            sums.add(scores, labels, run.spikes_per_sample(), run.synops_per_sample())

    def result(self) -> Gap:
        """The table of all batches."""
        if not self._samples:
            raise ValueError("gap: data has no samples.")
        rows: list[GapRow] = []
        names = ["nothing: PyTorch's steps", *(cause.name for cause in self._causes)]
        for name, sums in zip(names, self._sums, strict=True):
            accuracy = sums.right / self._samples
            change = accuracy - rows[-1].accuracy if rows else None
            means = sums.spikes / self._samples, sums.synops / self._samples
            rows.append(GapRow(name, accuracy, change, *means))
        return Gap(self._name, self._samples, tuple(rows))

    def _start(self, frames: Tensor) -> None:
        set_batch_size(self._model, len(frames))
        reset_states(self._model)
        sample = self._folded(frames)
        self._graph = follow(self._model, sample)
        self._plans = [
            plan_stage(self._graph, k, self._weights) for k in range(len(self._graph.stages))
        ]
        self._last = self._graph.output - 1
        self._reads_potential = _reads_potential(self._graph, self._readout)
        self._networks = [
            OrderedNetwork(self._graph, self._plans, c.order, c.leak, c.limits, *self._options)
            for c in self._causes
        ]

    def _check(self, frames: Tensor, labels: Tensor) -> None:
        step, classes = self._graph.input_signal.shape, self._graph.signal(self._graph.output).shape
        if tuple(frames.shape[2:]) != step:
            raise ValueError(
                f"gap: a batch has frames of shape {tuple(frames.shape[2:])} a step, expected {step} as before."
            )
        outside = (labels < 0) | (labels >= classes[0])
        if len(classes) == 1 and bool(outside.any()):
            at = int(outside.int().argmax())
            raise ValueError(
                f"gap: there is a label {int(labels[at])} of sample {at}, expected 0 to {classes[0] - 1}, the model's classes."
            )

    def _folded(self, frames: Tensor) -> Tensor:
        """As the model takes it: squeezed layers at the front want batch and time in one axis."""
        return frames.flatten(0, 1) if _is_folded(self._model) else frames

    def _step_by_step(self, frames: Tensor, labels: Tensor) -> None:
        set_batch_size(self._model, len(frames))
        reset_states(self._model)
        outputs = self._model(self._folded(frames))
        if self._graph.folded_output:
            outputs = outputs.unflatten(0, frames.shape[:2])
        left = None
        if self._reads_potential:
            neuron: Any = self._model.get_submodule(self._graph.stages[self._last].name)
            left = neuron.v_mem
        spikes, synops = _counted(self._graph, self._plans, frames)
        self._sums[0].add(self._scores(outputs, left), labels, spikes, synops)

    def _scores(self, outputs: Tensor, left: Tensor | None) -> Tensor:
        if outputs.ndim != 3:
            raise ValueError(
                f"gap: the model gives out steps of shape {tuple(outputs.shape[2:])}, expected a number for each class."
            )
        counts = outputs.sum(1)
        if left is None:
            return counts
        neuron: Any = self._graph.stages[self._last].neuron
        scores: Tensor = counts + left / neuron.spike_threshold
        return scores


def _counted(graph: EventGraph, plans: list[StagePlan], frames: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and SynOps of PyTorch's time steps, of each sample."""
    pairs = list(zip(graph.stages, plans, strict=True))
    states = [StageStates(stage.signal, plan, len(frames)) for stage, plan in pairs]
    engine = Engine(graph, plans, states, frames.shape[1])
    engine.run(frames.contiguous())
    spiking = [
        own
        for (stage, _), own in zip(pairs, states, strict=True)
        if stage.neuron is not None and stage.signal.is_spikes
    ]
    spikes = sum(
        (own.fired.sum(1, dtype=torch.float64) for own in spiking),
        torch.zeros(len(frames), dtype=torch.float64),
    )
    return spikes, sum(
        (x.sum(1) for x in engine.delivered.synops.values()),
        torch.zeros(len(frames), dtype=torch.float64),
    )


def _causes(order: Order, leak: Leak, limits: ChipLimits, tick_steps: int) -> list[_Cause]:
    """What is switched on, each on top of what came before."""
    causes = [_Cause(f"{order} first", order, "step", ChipLimits())]
    if leak != "step":
        every = "every step" if tick_steps == 1 else f"every {tick_steps} steps"
        name = f"leak by a tick {every}" if leak == "tick" else "leak by elapsed time"
        causes.append(_Cause(name, order, leak, ChipLimits()))
    now = ChipLimits()
    for name, changes in _limits_one_by_one(limits):
        now = replace(now, **changes)
        causes.append(_Cause(name, order, leak, now))
    return causes


def _limits_one_by_one(limits: ChipLimits) -> Iterator[tuple[str, dict[str, Any]]]:
    if limits.weight_bits is not None:
        bits = {"weight_bits": limits.weight_bits, "bias_bits": limits.bias_bits}
        yield f"weights of {limits.weight_bits} bits", bits
    if limits.one_threshold_per_layer:
        yield "one threshold a layer", {"one_threshold_per_layer": True}
    if limits.state_bits is not None:
        yield f"potentials of {limits.state_bits} bits", {"state_bits": limits.state_bits}
    if limits.decimate != 1:
        yield "decimator", {"decimate": limits.decimate}
    if limits.queue_length is not None:
        yield f"queues of {limits.queue_length}", {"queue_length": limits.queue_length}


def _is_folded(model: nn.Module) -> bool:
    """Whether a model takes batch and time in one axis: it has layers that do, and none that makes it so."""
    kinds = [type(module) for module in model.modules()]
    return any(issubclass(kind, SqueezeMixin) for kind in kinds) and FlattenTime not in kinds


def _reads_potential(graph: EventGraph, readout: Readout) -> bool:
    neuron = graph.stages[graph.output - 1].neuron if graph.output else None
    has_one = neuron is not None and neuron.does_spike
    if readout == "potential" and not has_one:
        raise ValueError(
            "gap: readout is 'potential', but the model does not end in neurons that spike."
        )
    return has_one and readout != "count"


def _cells(row: GapRow) -> tuple[str, ...]:
    change = "" if row.change is None else f"{100 * row.change:+.2f}"
    counts = count(row.spikes_per_sample), count(row.synops_per_sample)
    return row.cause, f"{row.accuracy:.2%}", change, *counts
