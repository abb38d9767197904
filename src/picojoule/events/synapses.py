"""The tables of a term: which weights an event adds to which neurons, and to how many."""

# More than 250 lines: where a term's taps lead and the order in which its weights lie are one thing.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from picojoule.events.axes import Tap, order_of_taps, reached, taps, transposed_taps
from picojoule.events.graph import Term
from picojoule.events.kernels.tables import COMPRESSED, DENSE, DIRECT, LARGEST
from picojoule.events.patterns import Patterns, patterns_of
from picojoule.events.signals import Signal
from picojoule.events.tap_tables import (
    Apart,
    Ints,
    apart,
    counted,
    int32,
    patches,
    rows_of,
    table,
    together,
)
from picojoule.events.terms import TRANSPOSED
from picojoule.synops.watch.count import Weights

_Reals = np.ndarray[Any, np.dtype[np.float32]]
_Weights = np.ndarray[Any, np.dtype[np.float32]] | np.ndarray[Any, np.dtype[np.int8]]
# of a weight's values that are not zero: a vector of eight costs as much as one entry
SPARSE_ENOUGH = 0.08


@dataclass(frozen=True)
class Synapses:
    """Tables of one term; `kernels.tables.EdgePlaces` says what each is."""

    kind: int
    outer: tuple[Ints, ...]  # of, first, weight, state, row
    inner: tuple[Ints, ...]  # of, first, weight, state, length
    first_row: Ints
    row_flags: np.ndarray[Any, np.dtype[np.int64]]
    weight_of: Ints
    state_of: Ints
    weights: _Weights  # whole numbers where potentials are
    entry_first: Ints
    entry_state: Ints
    width: int
    apart: Apart  # of rows that follow one another: neurons, weights; (0, 0) if that differs
    fan: _Reals  # positions, channels of the source
    num_rows: int
    # outer and inner ones, where an event reaches one patch
    patches: tuple[Ints, Ints] | None = None
    patterns: Patterns | None = None  # where the layer has few input channels


def synapses(
    term: Term,
    source: Signal,
    target: Signal,
    gain: float = 1.0,
    *,
    takes_largest: bool = False,
    counted: Weights = "all",
) -> Synapses:
    """The tables of a term from the events of `source` to the neurons of `target`, weights times `gain`.

    Args:
        term: the term.
        source: where its events come from.
        target: the neurons.
        gain: weights are multiplied by it.
        takes_largest: of the values of a window the largest counts.
        counted: "nonzero" takes weights of zero for no synapses.
    """
    kernel = _Kernel(term, source, target, gain, takes_largest=takes_largest)
    outer, inner, rows = kernel.places()
    weights, first, state = kernel.stored()
    lowest, flags = rows_of(outer)
    between = apart(outer)
    return Synapses(
        kernel.kind,
        outer,
        inner,
        lowest,
        flags,
        kernel.weight_of(),
        kernel.state_of(),
        weights,
        first,
        state,
        kernel.width,
        between,
        kernel.fan(nonzero=counted == "nonzero"),
        rows,
        patches(outer, inner, lowest, flags, between) if kernel.kind == DENSE else None,
        kernel.patterns(rows) if kernel.kind == DENSE else None,
    )


def fan_before_weights(term: Term, target: Signal, counted: Weights = "all") -> torch.Tensor:
    """Synapses of each value that arrives at a term's weights, in PyTorch's order; nothing without weights."""
    layer: Any = term.layer
    if layer is None:
        return torch.zeros(0, dtype=torch.float32)
    if term.is_flat:
        if counted == "nonzero":
            present: torch.Tensor = (layer.weight != 0).sum(0).float()
            return present
        return torch.full((layer.in_features,), float(layer.out_features), dtype=torch.float32)
    channels: int = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
    shape = (channels, *term.grid) if term.channels_first else (*term.grid, channels)
    arrived = Signal("", shape, term.channels_first)
    kernel = _Kernel(Term.of(0, arrived).then(layer, layer=layer), arrived, target, 1.0)
    fan = torch.from_numpy(kernel.fan(nonzero=counted == "nonzero"))
    return arrived.to_torch(fan.reshape(1, -1))[0].contiguous()


class _Kernel:
    """The taps of a term, along its outer axes together and its inner axis."""

    def __init__(
        self,
        term: Term,
        source: Signal,
        target: Signal,
        gain: float,
        *,
        takes_largest: bool = False,
    ) -> None:
        self.term, self.source, self.target, self.gain = term, source, target, gain
        self.sources = source.channels
        self.layer: Any = term.layer
        self.groups = int(getattr(self.layer, "groups", 1))
        self.outer, self.inner, self.inner_order = self._axes()
        self.outer_taps = 1 + max((tap.tap for row in self.outer for tap in row), default=0)
        self.weights = self._weights()  # channel, outer tap, inner tap, neurons of a tap
        self.width = self.weights.shape[-1]
        self.kind = self._kind(takes_largest)

    # ---- geometry

    def _axes(self) -> tuple[list[list[Tap]], list[list[Tap]], list[int]]:
        """Taps of each outer place, taps of each inner place, and the order of the inner taps in memory."""
        if self._is_features:
            return [[Tap(0, 0)]], self._flat(), [0]
        if self.term.is_flat:
            return self._flat(), [[Tap(0, 0)]], [0]
        along = [reached(places, self._taps(axis)) for axis, places in enumerate(self.term.places)]
        if not isinstance(self.layer, _CONVOLUTIONS):
            # a Linear acts on each position by itself, and so does a term without weights: one tap
            sizes = self.target.sizes or (1,)
            return (
                together(along[:-1], [1] * len(along[:-1]), sizes[:-1]),
                along[-1] if along else [[Tap(0, 0)]],
                [0],
            )
        sizes, kernel = self.target.sizes, self.layer.kernel_size
        order = order_of_taps(
            kernel[-1],
            self.layer.stride[-1],
            self.layer.dilation[-1],
            isinstance(self.layer, TRANSPOSED),
        )
        place = {tap: k for k, tap in enumerate(order)}
        inner = [
            sorted((Tap(place[tap.tap], tap.output) for tap in row), key=lambda tap: tap.output)
            for row in along[-1]
        ]
        return together(along[:-1], list(kernel[:-1]), sizes[:-1]), inner, order

    def _taps(self, axis: int) -> list[list[Tap]]:
        """Along one axis, from where the coordinate is before the weights."""
        size = self.term.grid[axis]
        if not isinstance(self.layer, _CONVOLUTIONS):
            return [[Tap(0, place)] for place in range(size)]
        layer, outputs = self.layer, self.target.sizes[axis]
        given = layer.kernel_size[axis], layer.stride[axis]
        padding, dilation = _padding(layer)[axis], layer.dilation[axis]
        make = transposed_taps if isinstance(layer, TRANSPOSED) else taps
        return make(size, *given, padding, dilation, outputs)

    @property
    def _is_features(self) -> bool:
        """Whether events arrive at the features themselves, which are one row, at places of their own."""
        return self.term.is_flat and self.layer is None

    def _flat(self) -> list[list[Tap]]:
        """Each position is a tap of its own, or, without weights, a place among the features; these are one row."""
        along = [[[Tap(0, p) for p in row] for row in places] for places in self.term.places]
        places = together(along, [1] * len(along), self.term.grid)
        if self._is_features:
            return places
        return [[Tap(tap.output, 0) for tap in row] for row in places]

    # ---- tables

    def places(self) -> tuple[tuple[Ints, ...], tuple[Ints, ...], int]:
        """The tables of outer and inner places, and the number of rows of the target."""
        channels, per_outer = self.target.channels, len(self.inner_order) * self.width
        outer_axis, inner_axis = len(self.outer), max(len(self.inner), 1)
        position = np.arange(self.source.positions, dtype=np.int64)
        flat = self.term.is_flat
        outer_of, inner_of = position // inner_axis, position % inner_axis
        assert outer_axis * inner_axis == self.source.positions
        row_size = self._row_size()
        spread = self._features_apart() if self._is_features else channels
        outer = table(
            self.outer,
            lambda tap: (tap.tap * per_outer, tap.output * row_size, 0 if flat else tap.output),
        )
        inner = table(self._runs(), lambda run: (run[0] * self.width, run[1] * spread, run[2]))
        rows = self.target.neurons // row_size
        return (int32(outer_of), *outer), (int32(inner_of), *inner), rows

    def _row_size(self) -> int:
        return self.target.channels * (self.target.sizes[-1] if self.target.sizes else 1)

    def _features_apart(self) -> int:
        """How far apart the features of two positions are."""
        return 1 if self.source.channels_first else self.source.channels

    def _runs(self) -> list[list[tuple[int, int, int]]]:
        """Of each inner place: first tap, first output and length in neurons of what is contiguous."""
        runs = []
        for row in self.inner:
            own: list[tuple[int, int, int]] = []
            for tap in row:
                last = own[-1] if own else None
                length = 0 if last is None else last[2] // self.width
                # nonzero ones are looked up tap by tap
                joins = self.groups == 1 and self.kind == DENSE
                if (
                    joins
                    and last is not None
                    and (tap.tap, tap.output) == (last[0] + length, last[1] + length)
                ):
                    own[-1] = (last[0], last[1], last[2] + self.width)
                else:
                    own.append((tap.tap, tap.output, self.width))
            runs.append(own)
        return runs

    def weight_of(self) -> Ints:
        """Where the weights of each channel begin."""
        return int32(np.arange(self.sources, dtype=np.int64) * math.prod(self.weights.shape[1:]))

    def state_of(self) -> Ints:
        """Where in a tap's neurons those of each channel begin."""
        channel = np.arange(self.sources, dtype=np.int64) + self.term.channel_shift
        if self.layer is None:
            apart = (
                math.prod(self.term.grid) if self.term.is_flat and self.source.channels_first else 1
            )
            return int32(channel * apart)
        per_group = (self.term.channel_shift + self.sources) // self.groups
        return int32(channel // per_group * self.width)

    # ---- weights

    def _weights(self) -> _Reals:
        """`channel outer inner width`, the term's factor and gain included."""
        if self.layer is None:
            return np.full((self.sources, 1, 1, 1), 1, np.float32)
        weight = self.layer.weight.detach()
        if isinstance(self.layer, nn.Linear):
            made = self._linear(weight)
        else:
            made = self._convolution(weight)
        if self.term.gain is not None:
            made = (
                made
                * self.term.gain.reshape(self.groups, -1).repeat_interleave(
                    made.shape[0] // self.groups, 0
                )[:, None, None, :]
            )
        return np.ascontiguousarray((made * (self.term.factor * self.gain)).numpy())

    def _linear(self, weight: torch.Tensor) -> torch.Tensor:
        out = len(weight)
        if not self.term.is_flat:
            return weight.T.reshape(-1, 1, 1, out)[self.term.channel_shift :]
        positions = math.prod(self.term.grid)
        if self.source.channels_first:
            by_channel = weight.T.reshape(-1, positions, 1, out)
        else:
            by_channel = weight.T.reshape(positions, -1, 1, out).transpose(0, 1)
        return by_channel[self.term.channel_shift :]

    def _convolution(self, weight: torch.Tensor) -> torch.Tensor:
        if isinstance(self.layer, TRANSPOSED):  # in, out / groups, *kernel
            by_channel = weight.movedim(1, -1)
        else:  # out, in / groups, *kernel
            grouped = weight.reshape(self.groups, -1, *weight.shape[1:])
            by_channel = grouped.movedim(1, -1).flatten(0, 1)
        inner = by_channel.index_select(by_channel.ndim - 2, torch.tensor(self.inner_order))
        return inner.reshape(len(inner), -1, *inner.shape[-2:])[self.term.channel_shift :]

    def _kind(self, takes_largest: bool) -> int:
        """Compressed where few weights are left."""
        if takes_largest:
            return LARGEST
        if self.layer is None:
            return DIRECT
        is_sparse = np.count_nonzero(self.weights) < SPARSE_ENOUGH * self.weights.size
        return COMPRESSED if is_sparse else DENSE

    def stored(self) -> tuple[_Reals, Ints, Ints]:
        """The weights as their kind keeps them, and of compressed ones the entries of each tap."""
        none = np.zeros(1, np.int32)
        if self.kind in (DIRECT, LARGEST):
            return np.full(1, self.term.factor * self.gain, np.float32), none, none
        if self.kind == DENSE:
            return self.weights.reshape(-1), none, none
        by_tap = self.weights.reshape(-1, self.width)
        tap, state = np.nonzero(by_tap)
        first = np.searchsorted(tap, np.arange(len(by_tap) + 1))
        return (
            np.append(by_tap[tap, state], np.float32(0)),
            int32(first),
            int32(np.append(state, 0)),
        )

    def patterns(self, rows: int) -> Patterns | None:
        """Sums for the patterns of spikes, where the layer has few input channels."""
        if not isinstance(self.layer, _CONVOLUTIONS) or self.groups > 1:
            return None
        return patterns_of(self.outer, self.inner, self.weights, rows, self.target.sizes[-1])

    def fan(self, *, nonzero: bool) -> _Reals:
        """Synapses of each position and channel."""
        if self.layer is None:
            return np.zeros((self.source.positions, self.sources), np.float32)
        there = (self.weights != 0) if nonzero else np.ones_like(self.weights)
        of_tap = there.sum(-1, dtype=np.float64)  # channel outer inner
        outer = counted(self.outer, of_tap.shape[1])
        inner = counted(self.inner, of_tap.shape[2])
        full = np.einsum("ok,ckl,il->oic", outer, of_tap, inner, optimize=True)
        return np.ascontiguousarray(full.reshape(-1, self.sources), np.float32)


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)


def _padding(layer: Any) -> tuple[int, ...]:
    """Zeros in front of each axis."""
    if layer.padding == "valid":
        return (0,) * len(layer.kernel_size)
    if layer.padding == "same":
        return tuple(
            d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)
        )
    return tuple(layer.padding)
