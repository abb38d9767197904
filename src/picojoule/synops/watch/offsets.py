"""Spikes with dense values added, until these are taken away again: straight-through gradients.

    spikes = (v > 0).float();   s = p + (spikes - p).detach()

The values of `s` are those of the spikes but for rounding; its gradient is that of `p`.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

Spikes = TypeVar("Spikes")  # what is known of them
_MOST = 256  # notes before those on what is gone are thrown away


class _Values(NamedTuple):
    """The values of a tensor, the same under all its names: `x` and `x.detach()`."""

    storage: StorageWeakRef
    where: tuple[object, ...]

    @classmethod
    def of(cls, x: Tensor) -> _Values | None:
        if type(x) not in (Tensor, torch.nn.Parameter) or x.layout is not torch.strided:
            return None
        changes = 0 if x.is_inference() else x._version
        where = (x.storage_offset(), x.shape, x.stride(), x.dtype, changes)
        return cls(StorageWeakRef(x.untyped_storage()), where)  # type: ignore[no-untyped-call]


class _Offset(NamedTuple, Generic[Spikes]):
    spikes: Spikes
    added: _Values
    sign: int


class Offsets(Generic[Spikes]):
    """What was added to which spikes in a forward pass; holds no values alive."""

    def __init__(self) -> None:
        self._notes: dict[_Values, _Offset[Spikes]] = {}

    def added(self, result: Tensor, spikes: Spikes, dense: Tensor, sign: int) -> None:
        """Note that a tensor is spikes, and dense values added (1) or taken away (-1)."""
        values, added = _Values.of(result), _Values.of(dense)
        if values is None or added is None or dense.shape != result.shape:
            return
        if len(self._notes) >= _MOST:
            self._notes = {k: v for k, v in self._notes.items() if not k.storage.expired()}  # type: ignore[no-untyped-call]
        self._notes[values] = _Offset(spikes, added, sign)

    def without(self, x: Tensor, other: Tensor, sign: int) -> Spikes | None:
        """The spikes that are left of `x` when `other` is added to it (1) or taken away (-1); None if something else is left."""
        if not self._notes:
            return None
        values = _Values.of(x)
        note = None if values is None else self._notes.get(values)
        if note is None or note.sign + sign or note.added != _Values.of(other):
            return None
        return note.spikes

    def has(self, x: object) -> bool:
        """Whether a tensor is known to be spikes and something else."""
        if not self._notes or not isinstance(x, Tensor):
            return False
        values = _Values.of(x)
        return values is not None and values in self._notes


def same_values(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are two names of the same values."""
    values = _Values.of(a)
    return values is not None and values == _Values.of(b)
