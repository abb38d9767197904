"""Labelled recordings of events, as frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from picojoule.data.events import Events, checked_window, events_to_frames
from picojoule.data.labelled import Labelled


class Recordings(Protocol):
    """Numbered recordings: a list of `Events`, or what reads one when it is asked for.

    One that reads a whole batch quicker has `__getitems__(indices) -> list[Events]` besides.
    """

    def __len__(self) -> int:
        """The number of recordings."""
        ...

    def __getitem__(self, index: int, /) -> Events:
        """The events of one."""
        ...


class EventFrames(Labelled):
    """Labelled event recordings, counted into frames: see `events_to_frames`.

    A recording is read and counted when it is first asked for. Its frames are kept, one byte a
    count where they fit, until `cache_bytes` are full; what does not fit is read anew each time.
    Every process (each worker of a `DataLoader`) keeps its own. The samples are always the same:
    `set_epoch` changes nothing.

    Args:
        recordings: `recordings[i] -> Events`, n of them.
        labels: the class of each, any integer dtype, `n`.
        num_timesteps: frames a recording, >= 1.
        size: `(p, h, w)` of the sensor, or `(n,)` of one with channels only.
        window_us: `(start, stop)` of every recording, integers; from its first to its last event if omitted.
        num_classes: labels are 0 to num_classes - 1; one more than the highest if omitted.
        cache_bytes: memory that kept frames may take; 0 keeps none.
        where: what messages call recording i.

    Samples are `(frames, label)`: float32 counts, `t p h w` or `t n`, and an int.

    Raises:
        ValueError: a number is out of its range, or (when the sample is asked for) a recording is
            damaged or has events outside the sensor.
        TypeError: the window, or (when the sample is asked for) a column of events, is not of integers.

    Example:
        >>> recording = Events(*torch.tensor([[0, 50, 99], [0, 1, 1], [0, 0, 0], [1, 0, 1]]))
        >>> data = EventFrames([recording], torch.tensor([3]), num_timesteps=5, size=(2, 1, 2))
        >>> frames, label = data[0]
        >>> frames.shape, frames.sum().item(), label
        (torch.Size([5, 2, 1, 2]), 3.0, 3)
    """

    def __init__(
        self,
        recordings: Recordings,
        labels: Tensor,
        num_timesteps: int,
        size: tuple[int, ...],
        *,
        window_us: tuple[int, int] | None = None,
        num_classes: int | None = None,
        cache_bytes: int = 2**30,
        where: Callable[[int], str] = "recording {}".format,
    ) -> None:
        super().__init__(labels, num_classes, redrawn=False, where="EventFrames")
        if len(recordings) != len(labels):
            raise ValueError(
                f"EventFrames: there are {len(recordings)} recordings and {len(labels)} labels; "
                "expected as many."
            )
        if num_timesteps < 1:
            raise ValueError(f"EventFrames: num_timesteps is {num_timesteps}, expected >= 1.")
        if window_us is not None:
            window_us = checked_window(window_us, num_timesteps)
        self.recordings, self.num_timesteps, self.size = recordings, num_timesteps, size
        self.window_us, self.cache_bytes, self._where = window_us, cache_bytes, where
        self._kept: dict[int, Tensor] = {}
        self._kept_bytes = 0

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The frames of one recording, `t p h w` or `t n`, and its label."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """The samples of a batch."""
        positions = [self._position(int(index)) for index in indices]
        missing = [at for at in dict.fromkeys(positions) if at not in self._kept]
        counted = dict(zip(missing, map(self._count, missing, self._read(missing)), strict=True))
        repeated = len(set(positions)) < len(positions)  # each sample is the caller's own
        frames = [
            (counted[at].clone() if repeated else counted[at])
            if at in counted
            else self._kept[at].float()
            for at in positions
        ]
        for at in missing:
            self._keep(at, counted[at])
        return list(zip(frames, self.labels[positions].tolist(), strict=True))

    def _read(self, positions: list[int]) -> list[Events]:
        read_batch = getattr(self.recordings, "__getitems__", None)
        if read_batch is None:
            return [self.recordings[at] for at in positions]
        return list(read_batch(positions)) if positions else []

    def _count(self, index: int, events: Events) -> Tensor:
        try:
            return events_to_frames(events, self.num_timesteps, self.size, window_us=self.window_us)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{self._where(index)}: {error}") from error

    def _keep(self, index: int, frames: Tensor) -> None:
        kept = frames.to(torch.uint8 if frames.max() <= 255 else torch.int32)
        size_bytes = kept.numel() * kept.element_size()
        if self._kept_bytes + size_bytes <= self.cache_bytes:
            self._kept[index] = kept
            self._kept_bytes += size_bytes
