"""The chunk of time that runs now, for those who watch: a part of one sequence, and perhaps for the second time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import NamedTuple


class Chunk(NamedTuple):
    """A part of a sequence.

    Args:
        sequence: which sequence, of all in this process.
        place: number of the chunk in it; with several numbers, a chunk of a chunk.
        num_timesteps: its length.
        again: whether it runs in the backward pass.
    """

    sequence: int
    place: tuple[int, ...]
    num_timesteps: int
    again: bool = False

    def goes_on(self, before: Chunk | None) -> bool:
        """Whether it is a later part of the sequence than `before`."""
        return before is not None and before.sequence == self.sequence and before.place < self.place


_now: ContextVar[Chunk | None] = ContextVar("chunk", default=None)
_sequences = count()


def current_chunk() -> Chunk | None:
    """The chunk that runs now; None outside of `checkpoint_time`."""
    return _now.get()


def chunks_of(lengths: list[int]) -> list[Chunk]:
    """The chunks of a new sequence, or of the chunk that runs now."""
    outer = current_chunk()
    sequence, place = (next(_sequences), ()) if outer is None else (outer.sequence, outer.place)
    again = outer is not None and outer.again
    return [Chunk(sequence, (*place, k), length, again) for k, length in enumerate(lengths)]


@contextmanager
def running(chunk: Chunk) -> Iterator[None]:
    """That chunk runs inside."""
    token = _now.set(chunk)
    try:
        yield
    finally:
        _now.reset(token)
