"""A mapping from tensors, by identity, that holds none of them alive."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

from torch import Tensor

Value = TypeVar("Value")


class TensorMap(Generic[Value]):
    """Notes on tensors, forgotten with them.

    PyTorch's own `WeakIdKeyDictionary` wraps each key it is asked for; this asks by `id`, in a fortieth of
    the time, and looks whether the tensor behind the `id` is still the same one.

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
        key, entries = id(x), self._entries

        def forget(dead: weakref.ref[Tensor]) -> None:
            entry = entries.get(key)
            if entry is not None and entry[0] is dead:
                del entries[key]

        entries[key] = weakref.ref(x, forget), value

    def __delitem__(self, x: Tensor) -> None:
        self[x]
        del self._entries[id(x)]

    def items(self) -> Iterator[tuple[Tensor, Value]]:
        """Tensors that are alive, and what is noted of them."""
        for tensor, value in list(self._entries.values()):
            x = tensor()
            if x is not None:
                yield x, value
