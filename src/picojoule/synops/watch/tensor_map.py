"""A mapping from tensors, by identity, that holds none of them alive."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

from torch import Tensor

Value = TypeVar("Value")
_FEWEST = 256  # notes that are kept before any are looked through


class TensorMap(Generic[Value]):
    """Notes on tensors, which nobody sees once the tensor is gone.

    PyTorch's own `WeakIdKeyDictionary` wraps each key it is asked for; this asks by `id`, in a fortieth of
    the time, and looks whether the tensor behind the `id` is still the same one. Notes on tensors that are gone
    are thrown away when there are twice as many notes as tensors: a call back from each would cost more than
    the note.

    Example:
        >>> import torch
        >>> notes, x = TensorMap[str](), torch.ones(3)
        >>> notes[x] = "ones"
        >>> notes.get(x), notes.get(torch.ones(3))
        ('ones', None)
        >>> del x
        >>> list(notes.items())
        []
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self._most = _FEWEST

    def get(self, x: Tensor) -> Value | None:
        """What is noted of a tensor; None if nothing is."""
        entry = self._entries.get(id(x))
        return entry[1] if entry is not None and entry[0]() is x else None

    def __getitem__(self, x: Tensor) -> Value:
        found = self.get(x)
        if found is None:
            raise KeyError("nothing is noted of this tensor")
        return found

    def __setitem__(self, x: Tensor, value: Value) -> None:
        entries = self._entries
        entries[id(x)] = weakref.ref(x), value
        if len(entries) > self._most:
            self._sweep()

    def __delitem__(self, x: Tensor) -> None:
        self[x]
        del self._entries[id(x)]

    def __len__(self) -> int:
        """How many notes are held, those on tensors that are gone included."""
        return len(self._entries)

    def items(self) -> Iterator[tuple[Tensor, Value]]:
        """Tensors that are alive, and what is noted of them."""
        for tensor, value in list(self._entries.values()):
            x = tensor()
            if x is not None:
                yield x, value

    def _sweep(self) -> None:
        self._entries = {key: note for key, note in self._entries.items() if note[0]() is not None}
        self._most = max(_FEWEST, 2 * len(self._entries))
