"""Enters counted calls into the ledger: SynOps and MACs, and what else was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from torch import Tensor, nn

from picojoule.layers.chunks import current_chunk
from picojoule.synops.formulas import Synapses
from picojoule.synops.formulas.synapses import Count
from picojoule.synops.watch.applied import Applied
from picojoule.synops.watch.count import Counter, data_of
from picojoule.synops.watch.detail import Details
from picojoule.synops.watch.ledger import Ledger, Line
from picojoule.synops.watch.lost_gradients import LostGradients
from picojoule.synops.watch.modules import Frame
from picojoule.synops.watch.names import CallNames, op_name
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.pass_size import PassSize
from picojoule.synops.watch.published import CountedCall, PublishedCounts
from picojoule.synops.watch.repeats import Repeat, repeat_of
from picojoule.synops.watch.settings import Settings


class Tally:
    """The counts of one forward pass.

    `counted` and `harmless` are the ids of parameters in counted calls, and in functions that have
    no synapses by nature.
    """

    def __init__(
        self, settings: Settings, origins: Origins, ledger: Ledger, neurons: Neurons
    ) -> None:
        self.ledger, self._neurons = ledger, neurons
        self.lost_gradients = LostGradients()
        self.counted: set[int] = set()
        self.harmless: set[int] = set()
        self._origins = origins
        self._counter = Counter(origins, settings.weights, settings.dense_as_spikes)
        self._repeats: list[tuple[Repeat, str, tuple[int, ...], int]] = []
        self._applied = Applied()
        self._names = CallNames()
        # what the line that was entered last had before; None of a new one; its name, and what the call was given
        self._before: tuple[Count, Count, Count, str] | None = None
        self._last: tuple[str, tuple[int, ...], int] = "", (), 0
        self._published = (
            PublishedCounts(origins, settings.weights) if settings.conventions else None
        )
        self._details = (
            Details(settings.detail, origins, self._counter.mask, settings.dense_as_spikes)
            if settings.detail
            else None
        )

    @property
    def details(self) -> Details | None:
        """SynOps by sample, step and channel, if they were asked for."""
        return self._details

    def parameters(self, values: Iterable[Tensor]) -> frozenset[int]:
        """Ids of the parameters and buffers that these tensors are made of."""
        return frozenset[int]().union(*map(self._origins.weights_in, values))

    def adopt(self, replaced: Iterable[tuple[Tensor, int]], arguments: list[Tensor]) -> None:
        """Treat tensors that stand in for parameters as those parameters, and mark as counted the ones in a call."""
        for new, parameter in replaced:
            self._origins.stand_for(new, parameter)
            if any(new is x for x in arguments):
                self.counted.add(parameter)

    def account(self, frame: Frame, synapses: list[Synapses], arguments: Iterable[Tensor]) -> bool:
        """Mark a call as accounted for, unless it only multiplies weights by weights; whether it did."""
        has_data = any(
            data_of(each, self._origins) or len(each.weights) == len(each.operands)
            for each in synapses
        )
        if has_data:
            self.counted |= self.parameters(arguments)
            self._neurons.see_synapses()
            for each in synapses:
                self._see_sample(each)
            self.lost_gradients.see(frame.name, frame.module)
        return has_data

    def _see_sample(self, each: Synapses) -> None:
        """A vector or picture that weights take alone, as the model got it, is one sample."""
        if each.leading or each.weights != frozenset([1]):
            return
        data, weight = each.operands[:2]
        if data.ndim == max(weight.ndim - 1, 1) and self._origins.is_given(data):
            self._neurons.see_sample(data)

    def name(self, path: str, function: Any, parameters: frozenset[int]) -> str:
        """The name of a call that is no layer's own."""
        return self._names.name(path, function, parameters)

    def enter(self, name: str, kind: str, synapses: list[Synapses]) -> Line:
        """Count a call."""
        line = self.ledger.lines.get(name)
        self._before = None if line is None else (line.synops, line.macs, line.dense, line.kind)
        line = self.ledger.line(name)
        line.kind = kind
        for each in synapses:
            line.add(*self._counter.count(each), self._counter.dense(each))
            if self._details is not None:
                self._details.add(name, each)
        self._last = name, *self._given(synapses[0])
        self._applied.add(*self._last)
        return line

    def _given(self, first: Synapses) -> tuple[tuple[int, ...], int]:
        """The shape of a call's data, and for how many calls it stands: a chunk of time is so many steps."""
        chunk = current_chunk()
        if chunk is not None:
            return (), chunk.num_timesteps
        data = first.operands[min(data_of(first, self._origins), default=0)]
        return tuple(data.shape), 1

    def take_back(self, line: Line) -> None:
        """The call that was entered last, in this line, has failed; calls that are counted together still go to the line."""
        name, shape, times = self._last
        self._applied.add(name, shape, -times)
        if self._before is None:
            del self.ledger.lines[name], self.ledger.order[name]
        else:
            line.synops, line.macs, line.dense, line.kind = self._before

    def repeat(
        self, line: Line, synapses: list[Synapses], args: tuple[Any, ...], biases: int
    ) -> Repeat | None:
        """What enters further calls like one that was just entered; None where each is counted by itself."""
        if self._published is not None or self._details is not None:
            return None
        repeat = repeat_of(line, synapses, args, biases, self._counter, self._origins)
        if repeat is not None:
            self._repeats.append((repeat, *self._last))
        return repeat

    def settle(self) -> None:
        """Enter what has been gathered, as the pass is over."""
        for repeat, name, shape, times in self._repeats:
            self._applied.add(name, shape, times * repeat.settle())

    def settle_size(self, size: PassSize, others: Collection[float]) -> None:
        """Enter what depends on the size of the pass, once that is known; `others` are time steps that layers have besides."""
        for name, line in self.ledger.lines.items():
            line.one_pass = line.dense / self._applied.times(name, size, others)

    def turned_dense(self, heard: set[str]) -> dict[str, None]:
        """The lines that get dense values alone and were given spikes before, among `heard`, to which those of this pass are added."""
        lines = self.ledger.lines.items()
        dense = {n for n, line in lines if not isinstance(line.synops, Tensor) and line.synops == 0}
        turned = dict.fromkeys(n for n, line in lines if n in dense & heard and line.dense)
        heard |= {name for name, _ in lines} - dense
        return turned

    def publish(self, line: Line, call: CountedCall) -> None:
        """Enter what others count of a call, if that was asked for."""
        if self._published is not None:
            line.publish(*self._published.of(call))

    def add_biases(
        self, line: Line, synapses: list[Synapses], arguments: list[Tensor], result: Any
    ) -> None:
        """Enter the additions of a call of one product, if a vector is given that it only adds."""
        given = len(synapses) == 1 and any(
            x.ndim == 1
            and all(x is not operand for operand in synapses[0].operands)
            and self._origins.constant(x) is not None
            for x in arguments
        )
        if given and isinstance(result, Tensor):
            line.biases += result.numel()


def kind_of_call(function: Any, module: nn.Module | None) -> str:
    """The kind of a line: the layer's type, or the function."""
    return op_name(function) if module is None else type(module).__name__
