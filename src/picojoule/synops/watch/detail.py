"""SynOps by sample, time step and channel, for those who ask; it takes arrays of the size of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from picojoule.layers.chunks import Chunk, current_chunk
from picojoule.synops.formulas import Synapses
from picojoule.synops.magnitudes import Magnitudes, exact_dtype
from picojoule.synops.watch.count import data_of, is_index
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.pass_size import PassSize

DetailAxis = Literal["sample", "step", "channel"]
DETAIL_AXES: tuple[DetailAxis, ...] = ("sample", "step", "channel")
Mask = Callable[[Tensor], Magnitudes | None]


class _Part(NamedTuple):
    """What one call spends: its leading axes, then the channel if it is kept; and the chunk of time that it is of."""

    shape: tuple[int, ...]
    synops: Tensor
    chunk: Chunk | None = None


class Details:
    """Gathers the calls of one forward pass.

    Args:
        axes: which axes are asked for.
        origins: what the operands are.
        mask: what counts of a weight; None for all of it.
        dense_as_spikes: count dense values by magnitude.
    """

    def __init__(
        self, axes: tuple[DetailAxis, ...], origins: Origins, mask: Mask, dense_as_spikes: bool
    ) -> None:
        self._channels = "channel" in axes
        self._origins, self._mask, self._dense = origins, mask, dense_as_spikes
        self._parts: dict[str, list[_Part | None]] = {}

    def add(self, name: str, synapses: Synapses) -> None:
        """Enter a counted call."""
        data = sorted(data_of(synapses, self._origins))
        if data:
            self._parts.setdefault(name, []).append(self._part(synapses, data))

    def result(self, size: PassSize, time_first: bool) -> dict[str, Tensor | None]:
        """By layer, `b t` or `b t c`; None where samples and time steps cannot be told apart."""
        return {
            name: _joined(parts, size, time_first, self._channels)
            for name, parts in self._parts.items()
        }

    def _part(self, synapses: Synapses, data: list[int]) -> _Part | None:
        first = synapses.operands[data[0]]
        amounts, spikes = self._by_element(synapses, data)
        if amounts is None:
            return None
        amounts = amounts * spikes
        if synapses.channel is None:
            amounts = amounts.unsqueeze(-1)
        channel = amounts.ndim + (-1 if synapses.channel is None else synapses.channel)
        lead = min(2, channel)
        kept = {*range(lead), *([channel] if self._channels else [])}
        others = [axis for axis in range(amounts.ndim) if axis not in kept]
        exact = exact_dtype(amounts)
        sums = amounts.sum(others, dtype=exact) if others else amounts.to(exact)
        return _Part(tuple(first.shape[:lead]), sums, current_chunk())

    def _by_element(
        self, synapses: Synapses, data: list[int]
    ) -> tuple[Tensor | None, Tensor | bool]:
        """Count by element of the first operand of data, and whether it is of SynOps.

        count = sum of elements * d count / d element,  as it is multilinear in its operands
        """
        amounts, device = dict[int, Tensor](), synapses.operands[data[0]].device
        spikes = torch.zeros((), dtype=torch.bool, device=device)
        for index in data:
            x = synapses.operands[index]
            amounts[index], is_spikes = self._amounts(x)
            spikes = spikes | is_spikes | is_index(synapses, x)
        first = amounts[data[0]]
        follow = torch.is_grad_enabled() and any(amounts[index].requires_grad for index in data[1:])
        with torch.inference_mode(False), torch.enable_grad():
            amounts[data[0]] = element = first.detach().clone().requires_grad_()
            count = synapses.count(
                [
                    Magnitudes(amounts[i].clone(), signed=False) if i in data else self._mask(x)
                    for i, x in enumerate(synapses.operands)
                ]
            )
            if not isinstance(count, Tensor):  # as many for each element
                return torch.full_like(first, count / max(first.numel(), 1)), spikes
            if not count.requires_grad:
                return None, spikes
            (reached,) = torch.autograd.grad(count, element, create_graph=follow, allow_unused=True)
        return None if reached is None else first * reached, spikes

    def _amounts(self, x: Tensor) -> tuple[Tensor, Tensor | bool]:
        """Spikes that each element stands for, or 1 where it is dense; and whether it is spikes."""
        origin = self._origins.of(x)
        if origin.kind == "dense" and not self._dense:
            return torch.ones_like(x, dtype=torch.float32), False
        amounts = Magnitudes(x, origin.unit, origin.signed).over(())
        if origin.whole is None or self._dense:
            return amounts, True
        return torch.where(origin.whole, amounts, torch.ones_like(amounts)), origin.whole


class RateDetails:
    """Gathers what spiking layers gave in one forward pass, by samples and time."""

    def __init__(self) -> None:
        self._parts: dict[str, list[_Part | None]] = {}

    def add(self, name: str, spikes: Magnitudes, shape: torch.Size, lead: tuple[int, ...]) -> None:
        """Enter the output of a layer, whose axes `lead` are samples and time."""
        neurons = tuple(axis for axis in range(len(shape)) if axis not in lead)
        sums = spikes.over(neurons)
        count = math.prod(shape[axis] for axis in neurons)
        leading = tuple(shape[axis] for axis in lead)
        part = _Part(leading, sums / max(count, 1), current_chunk())
        self._parts.setdefault(name, []).append(part)

    def result(self, size: PassSize, time_first: bool) -> dict[str, Tensor | None]:
        """By layer, spikes a neuron, `b t`; None where samples and time steps cannot be told apart."""
        return {
            name: _joined(parts, size, time_first, channels=False)
            for name, parts in self._parts.items()
        }


def _joined(
    parts: list[_Part | None], size: PassSize, time_first: bool, channels: bool
) -> Tensor | None:
    samples, num_timesteps = size
    calls = [part for part in parts if part is not None]
    if len(calls) < len(parts):
        return None
    if any(part.chunk for part in calls):
        return _joined_chunks(calls, size, time_first, channels)
    if 1 < num_timesteps == len(calls) and all(part.shape[:1] == (samples,) for part in calls):
        return torch.stack([_only_first(part, channels) for part in calls], dim=1)
    total: Tensor | None = None
    for part in calls:
        split = _split(part, size, time_first, channels)
        if split is None or (total is not None and total.shape != split.shape):
            return None
        total = split if total is None else total + split
    return total


def _joined_chunks(
    calls: list[_Part], size: PassSize, time_first: bool, channels: bool
) -> Tensor | None:
    """Of calls in the chunks of one sequence, one chunk after the other."""
    chunks = dict[Chunk | None, list[_Part | None]]()
    for part in calls:
        chunks.setdefault(part.chunk, []).append(part._replace(chunk=None))
    joined = list[Tensor]()
    for chunk, parts in chunks.items():
        if chunk is None:
            return None
        length = PassSize(size.samples, chunk.num_timesteps)
        of_chunk = _joined(parts, length, time_first, channels)
        if of_chunk is None:
            return None
        joined.append(of_chunk)
    whole = torch.cat(joined, dim=1)
    return whole if whole.shape[1] == size.num_timesteps else None


def _split(part: _Part, size: PassSize, time_first: bool, channels: bool) -> Tensor | None:
    lead = tuple(size)[::-1] if time_first else tuple(size)
    rest = part.synops.shape[len(part.shape) :]
    if part.shape[:1] == (math.prod(lead),):
        synops = _only_first(part, channels).reshape(*lead, *rest)
    elif part.shape == lead:
        synops = part.synops
    else:
        return None
    return synops.transpose(0, 1) if time_first else synops


def _only_first(part: _Part, channels: bool) -> Tensor:
    """Summed over the second axis, which is neither samples nor time here."""
    second = part.synops.ndim - channels > 1
    return part.synops.sum(1) if second else part.synops
