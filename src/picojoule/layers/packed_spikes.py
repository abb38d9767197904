"""Whole numbers as bits or bytes, and back: equal to the bit, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# values that are looked at and packed at a time: in the cache, and too few for PyTorch to wake threads
BLOCK = 2**15
DTYPES = {  # of spikes, and the integers of the same bits
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class PackedSpikes:
    """Spikes in the order of memory.

    Args:
        kept: uint8, of 8 values each where `are_bits`, of 1 otherwise.
        numel: number of values.
        are_bits: whether all values are 0 or 1.
        dtype: what they are unpacked to.
    """

    kept: Tensor
    numel: int
    are_bits: bool
    dtype: torch.dtype

    def unpack(self, to: Tensor) -> None:
        """Write the values to a tensor of `numel`."""
        if not self.are_bits:
            to.copy_(self.kept)
            return
        for first, last in _blocks(self.numel):
            bits = self.kept[first // 8 : -(-last // 8)].numpy()
            to[first:last] = torch.from_numpy(np.unpackbits(bits, count=last - first))


def pack(values: Tensor) -> PackedSpikes | None:
    """The values of a tensor with one axis, packed; None if that would change one.

    -0.0 and NaN count as values that are not whole.
    """
    bits = _pack(values, torch.bool, 8, lambda block: torch.from_numpy(np.packbits(block.numpy())))
    if bits is not None:
        return PackedSpikes(bits, len(values), True, values.dtype)
    counts = _pack(values, torch.uint8, 1, lambda block: block)
    return None if counts is None else PackedSpikes(counts, len(values), False, values.dtype)


def _pack(
    values: Tensor, narrow: torch.dtype, to_a_byte: int, packed: Callable[[Tensor], Tensor]
) -> Tensor | None:
    """All blocks of the values in a narrow type, packed; None at the first that does not fit."""
    as_bits = DTYPES[values.dtype]
    kept: Tensor | None = None
    for first, last in _blocks(len(values)):
        block = values[first:last]
        narrowed = block.to(narrow)
        # bit patterns: == would take -0.0 for 0.0
        if not torch.equal(
            narrowed.view(torch.uint8).to(values.dtype).view(as_bits), block.view(as_bits)
        ):
            return None
        if kept is None:  # not before: most tensors are not spikes
            kept = torch.empty(-(-len(values) // to_a_byte), dtype=torch.uint8)
        kept[first // to_a_byte : -(-last // to_a_byte)] = packed(narrowed)
    return kept


def _blocks(numel: int) -> Iterator[tuple[int, int]]:
    for first in range(0, numel, BLOCK):
        yield first, min(first + BLOCK, numel)
