"""Which parts of which axis a function takes out of a tensor: how a loop over time shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, NamedTuple

from torch import Tensor


class SplitAxis(NamedTuple):
    """An axis of tensors of one shape that is taken apart in parts of one width."""

    shape: tuple[int, ...]
    axis: int
    width: int = 1

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return self.shape[self.axis] // self.width

    def is_all(self, starts: set[int]) -> bool:
        """Whether these are all of its parts, given by where they begin."""
        length = self.shape[self.axis]
        return length % self.width == 0 and starts == set(range(0, length, self.width))


def entries_taken(
    function: Callable[..., Any], args: Any, kwargs: Any
) -> Iterator[tuple[SplitAxis, int]]:
    """Each part that a call takes, by its axis and where it begins; nothing for other functions.

    Example:
        >>> import torch
        >>> list(entries_taken(Tensor.__getitem__, (torch.ones(4, 3), (slice(None), -1)), {}))
        [(SplitAxis(shape=(4, 3), axis=1, width=1), 2)]
    """
    take = _TAKES.get(getattr(function, "__name__", ""))
    if take is None or not args or not isinstance(args[0], Tensor) or args[0].ndim == 0:
        return
    shape = tuple(args[0].shape)
    axis, width, starts = take(shape, *args[1:], **kwargs)
    if axis is not None and 0 < width <= shape[axis]:
        for start in starts:
            yield SplitAxis(shape, axis, width), start


_Taken = tuple[int | None, int, list[int]]
_NOTHING: _Taken = (None, 0, [])


def _index(shape: tuple[int, ...], index: Any) -> _Taken:
    """One entry, or one slice, of one axis, and all of the others."""
    parts = index if isinstance(index, tuple) else (index,)
    picked = [i for i, part in enumerate(parts) if not _is_everything(part)]
    if len(picked) != 1 or sum(part is Ellipsis for part in parts) > 1:
        return _NOTHING
    (place,) = picked
    after = any(part is Ellipsis for part in parts[:place])
    axis = len(shape) - (len(parts) - place) if after else place
    if not 0 <= axis < len(shape):
        return _NOTHING
    part, length = parts[place], shape[axis]
    if isinstance(part, slice) and part.step in (None, 1):
        start, stop, _ = part.indices(length)
        return axis, stop - start, [start]
    if isinstance(part, Integral) and not isinstance(part, bool):
        return axis, 1, [int(part) % max(length, 1)]
    return _NOTHING


def _is_everything(part: Any) -> bool:
    return part is Ellipsis or (isinstance(part, slice) and part == slice(None))


def _select(shape: tuple[int, ...], dim: int = 0, index: Any = 0) -> _Taken:
    axis = dim % len(shape)
    return axis, 1, [int(index) % max(shape[axis], 1)]


def _unbind(shape: tuple[int, ...], dim: int = 0) -> _Taken:
    return _split(shape, 1, dim)


def _chunk(shape: tuple[int, ...], chunks: int, dim: int = 0) -> _Taken:
    length = shape[dim]
    return _split(shape, length // chunks, dim) if length % chunks == 0 else _NOTHING


def _split(shape: tuple[int, ...], split_size: Any, dim: int = 0) -> _Taken:
    if not isinstance(split_size, int) or split_size < 1:
        return _NOTHING
    axis = dim % len(shape)
    return axis, split_size, list(range(0, shape[axis], split_size))


_TAKES: dict[str, Callable[..., _Taken]] = {
    "__getitem__": _index,
    "select": _select,
    "unbind": _unbind,
    "chunk": _chunk,
    "split": _split,
}
