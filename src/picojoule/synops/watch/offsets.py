"""Spikes with dense values added, until these are taken away again: straight-through gradients.

    spikes = (v > 0).float();   s = p + (spikes - p).detach()

The values of `s` are those of the spikes but for rounding; its gradient is that of `p`. Where `p` is computed twice, its
values tell whether it has cancelled; one of the two has no gradient then, or neither has.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from picojoule.synops.watch.tensor_map import TensorMap

Spikes = TypeVar("Spikes")  # what is known of them
_MOST = 256  # notes before those on what is gone are thrown away


class _Values(NamedTuple):
    """The values of a tensor, the same under all its names: `x` and `x.detach()`."""

    storage: StorageWeakRef
    where: tuple[object, ...]

    @classmethod
    def of(cls, x: Tensor) -> _Values:
        changes = 0 if x.is_inference() else x._version
        where = (x.storage_offset(), x.shape, x.stride(), x.dtype, changes)
        return cls(StorageWeakRef(x.untyped_storage()), where)  # type: ignore[no-untyped-call]

    def may_equal(self, other: _Values) -> bool:
        """Whether another tensor may have the same values in other places."""
        (_, shape, _, dtype, _), (_, its_shape, _, its_dtype, _) = self.where, other.where
        return self.storage != other.storage and (shape, dtype) == (its_shape, its_dtype)


class _Offset(NamedTuple, Generic[Spikes]):
    result: _Values
    spikes: Spikes
    added: _Values
    sign: int


class Offsets(Generic[Spikes]):
    """What was added to which spikes in a forward pass; holds no values alive.

    A note is found by the address of the values, at once; that they are the same ones is looked at then.
    """

    def __init__(self) -> None:
        self._notes: dict[int, _Offset[Spikes]] = {}
        self._differences = TensorMap[bool]()  # of dense values

    def added(self, result: Tensor, spikes: Spikes, dense: Tensor, sign: int) -> None:
        """Note that a tensor is spikes, and dense values added (1) or taken away (-1)."""
        address = _address(result)
        if address is None or _address(dense) is None or dense.shape != result.shape:
            return
        if len(self._notes) >= _MOST:
            self._notes = {
                at: note
                for at, note in self._notes.items()
                if not note.result.storage.expired()  # type: ignore[no-untyped-call]
            }
        self._notes[address] = _Offset(_Values.of(result), spikes, _Values.of(dense), sign)

    def without(self, x: Tensor, other: Tensor, sign: int) -> tuple[Spikes, bool] | None:
        """The spikes that are left of `x` when `other` is added to it (1) or taken away (-1); None if something else is left.

        And whether that is sure: if not, `other` may have the values that were added, or others.
        """
        note = self._note(x)
        if note is None or note.sign + sign or _address(other) is None:
            return None
        values = _Values.of(other)
        if note.added == values:
            return note.spikes, True
        may_cancel = note.added.may_equal(values) and _may_be_straight_through(x, other)
        return (note.spikes, False) if may_cancel else None

    def concern(self, a: Tensor, b: Tensor, is_difference: bool) -> bool:
        """Whether a sum of two dense tensors may take an offset away, or be a difference that is to be noted."""
        places = a.data_ptr(), b.data_ptr()
        if any(place in self._notes for place in places):
            return True
        return is_difference and (places[0] == places[1] or _may_be_straight_through(a, b))

    def subtracted(self, result: Tensor, a: Tensor, b: Tensor) -> None:
        """Note that a tensor is a difference of dense values, which may be the same ones, computed twice."""
        if _may_be_straight_through(a, b):
            self._differences[result] = True

    def is_difference(self, x: Tensor) -> bool:
        """Whether it is such a difference, and spikes to which it is added stay spikes if it is zero."""
        return self._differences.get(x) is not None

    def _note(self, x: Tensor) -> _Offset[Spikes] | None:
        address = _address(x) if self._notes else None
        note = None if address is None else self._notes.get(address)
        return note if note is not None and note.result == _Values.of(x) else None


def same_values(a: Tensor, b: Tensor, versions: bool = True) -> bool:
    """Whether two tensors are two names of the same values; without `versions`, whether they lie in the same places."""
    address = _address(a)
    if address is None or address != _address(b):
        return False
    if not versions:
        return a.shape == b.shape and a.stride() == b.stride() and a.dtype == b.dtype
    return _Values.of(a) == _Values.of(b)


def _may_be_straight_through(a: Tensor, b: Tensor) -> bool:
    return not (a.requires_grad and b.requires_grad)


def _address(x: Tensor) -> int | None:
    """Where the values of a tensor are; None of one that is not plain, or without values."""
    if type(x) not in (Tensor, torch.nn.Parameter) or x.layout is not torch.strided:
        return None
    return x.data_ptr() or None
