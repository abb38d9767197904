"""Sums of spikes: over batch and time first, so that nothing of the size of the data is made."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers.leading_sums import summed_over_leading

Unit = float | Tensor
_COARSE = (torch.float16, torch.bfloat16)
_SPARSE = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def magnitude(spikes: Tensor) -> Tensor:
    """|spikes|, whose gradient at 0 is 1, not 0: a silent neuron that starts to fire costs."""
    if not spikes.is_floating_point():
        if not spikes.is_signed():
            return spikes
        wide = torch.promote_types(spikes.dtype, torch.int32)  # of int8, |-128| is -128
        return spikes.to(wide).abs()
    if not (spikes.requires_grad and torch.is_grad_enabled()):
        return spikes.abs()
    return nn.functional.leaky_relu(-spikes, -1.0)


def sum_of_magnitudes(spikes: Tensor) -> Tensor:
    """Sum of |spikes| over the first axis, in float32 at least."""
    if not spikes.is_floating_point():
        spikes = spikes.float()
    return magnitude(spikes).sum(0, dtype=summing_dtype(spikes))


def summing_dtype(values: Tensor) -> torch.dtype:
    """The dtype in which values are added over samples and time: float32 at least."""
    if not values.is_floating_point():
        return torch.float32
    return torch.promote_types(values.dtype, torch.float32)


def exact_dtype(values: Tensor) -> torch.dtype:
    """The dtype of totals, in which whole numbers stay whole up to 2^53; mps has no float64."""
    return torch.float32 if values.device.type == "mps" else torch.float64


def known_sums(values: Tensor, sums: Tensor) -> Tensor:
    """Sums of `values` over their leading axes that somebody has made, with a gradient to `values` itself.

    Through a view of `values`, autograd would add up gradients in new memory in place of what it has.
    """
    known: Tensor = _KnownSums.apply(values, sums.detach())  # type: ignore[no-untyped-call]
    return known


class _KnownSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, sums: Tensor) -> Tensor:
        ctx.shape, ctx.dtype = values.shape, values.dtype
        return sums.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.to(ctx.dtype).expand(ctx.shape), None


class Magnitudes:
    """How many spikes each element of a tensor stands for, and their sums, each made once.

    Args:
        values: the tensor.
        unit: value of one spike: a number, or a tensor of the shape of `values`.
        signed: whether values may be negative; without, their magnitudes need not be made.
        sums: where to keep the sums, for others who ask for the same ones.
        whole: whether values are whole numbers of units, a boolean scalar; they are if omitted.

    Example:
        >>> spikes = Magnitudes(torch.tensor([[0.25, 0.0], [0.5, 0.25]]), unit=0.25)
        >>> spikes.over([0]), spikes.total
        (tensor([3., 1.]), tensor(4., dtype=torch.float64))
    """

    def __init__(
        self,
        values: Tensor,
        unit: Unit = 1.0,
        signed: bool = True,
        sums: dict[tuple[int, ...], Tensor] | None = None,
        whole: Tensor | None = None,
    ) -> None:
        self._values, self._unit, self._signed = in_numbers(values), unit, signed
        self._whole = whole
        self._sums = {} if sums is None else sums

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._values.ndim

    def over(self, axes: Collection[int]) -> Tensor:
        """Their sum over these axes; the other axes stay."""
        wanted = tuple(sorted(axes))
        if wanted not in self._sums:
            self._sums[wanted] = self._sum(wanted)
        return self._sums[wanted]

    @property
    def total(self) -> Tensor:
        """Their sum over all axes, a float64 scalar."""
        first = self._values.ndim and next(
            (n for n in (2, 1) if tuple(range(n)) in self._sums), min(self._values.ndim, 1)
        )
        partial = self.over(range(first))
        return partial.sum(dtype=exact_dtype(partial))

    def _sum(self, axes: tuple[int, ...]) -> Tensor:
        values, unit = self._values, self._unit
        is_coarse = values.dtype in _COARSE and not _is_power_of_2(unit)
        if is_coarse and not values.is_sparse:
            values = values.float()
        if isinstance(unit, Tensor):
            # where nothing arrives there is nothing to divide: a window outside the data has unit 0
            values, unit = values / torch.where(unit == 0, torch.ones_like(unit), unit), 1.0
        if is_coarse and not values.is_sparse:
            values, unit = self._in_whole_numbers(values / unit), 1.0
        if values.is_sparse:
            values = values.abs()
        elif self._signed or unit < 0:
            values = magnitude(values)
        sums = _summed(values, axes)
        return sums if math.fabs(unit) == 1 else sums / math.fabs(unit)

    def _in_whole_numbers(self, numbers: Tensor) -> Tensor:
        """Without what a type of few bits has rounded: a ninth in bfloat16 is 0.1113. The gradient is that of `numbers`."""
        rounded = numbers + (numbers.round() - numbers).detach()
        return rounded if self._whole is None else torch.where(self._whole, rounded, numbers)


class SummedMagnitudes(Magnitudes):
    """Those of several tensors of one shape, of which no more is left than their sums over some leading axes.

    Args:
        sums: added up over the tensors, too.
        leading: how many axes the sums are over.

    Example:
        >>> spikes = SummedMagnitudes(torch.tensor([[3.0, 1.0], [0.0, 2.0]]), leading=1)
        >>> spikes.ndim, spikes.over([0, 1]), spikes.total
        (3, tensor([3., 3.]), tensor(6., dtype=torch.float64))
    """

    def __init__(self, sums: Tensor, leading: int) -> None:
        super().__init__(sums, signed=False)
        self._leading = leading

    @property
    def ndim(self) -> int:
        """Number of axes that the tensors had."""
        return self._leading + self._values.ndim

    def over(self, axes: Collection[int]) -> Tensor:
        """Their sum over these axes, which begin with the leading ones."""
        wanted = sorted(axes)
        assert wanted[: self._leading] == list(range(self._leading))
        return super().over([axis - self._leading for axis in wanted[self._leading :]])

    @property
    def total(self) -> Tensor:
        """Their sum over all axes, a float64 scalar."""
        return self._values.sum(dtype=exact_dtype(self._values))


def _is_power_of_2(unit: Unit) -> bool:
    return not isinstance(unit, Tensor) and math.frexp(math.fabs(unit))[0] == 0.5


def in_numbers(values: Tensor) -> Tensor:
    """Out of quantised and mkldnn tensors; sparse ones as coordinates and values, each pair once."""
    if values.is_quantized:
        return values.dequantize()
    if values.is_mkldnn:
        return values.to_dense()
    return values if is_strided(values) else values.to_sparse().coalesce()


def is_strided(values: Tensor) -> bool:
    """Whether all its elements are stored, so that none is absent."""
    return values.layout not in _SPARSE


def pattern(values: Tensor, nonzero: bool = False) -> Tensor:
    """1 where a sparse tensor has an element (other than 0, with `nonzero`), as a sparse tensor."""
    stored = in_numbers(values.detach())
    ones = stored.values() != 0 if nonzero else torch.ones_like(stored.values())
    return torch.sparse_coo_tensor(
        stored.indices(),
        ones.to(torch.float32),
        stored.shape,
        is_coalesced=True,
        check_invariants=False,  # they are those of the tensor itself
    )


def _summed(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    dtype = summing_dtype(values)
    if values.is_sparse:
        sums = torch.sparse.sum(values.to(dtype), axes) if axes else values.to(dtype)
        return sums.to_dense() if sums.is_sparse else sums
    if not axes:
        return values.to(dtype)
    if axes == tuple(range(len(axes))):
        return summed_over_leading(values, len(axes), dtype)
    return values.sum(axes, dtype=dtype)
