"""N-MNIST: handwritten digits before a moving event camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.folders import visible_files
from picojoule.data.labelled import DataSets

_SIZE = (2, 34, 34)
_NUM_CLASSES = 10
_EVENT_BYTES = 5
_OVERFLOW_ROW, _OVERFLOW_US = 240, 2**13


def read_n_mnist_events(path: str | Path) -> Events:
    """Read a recording of N-MNIST, in 40-bit address events.

        bits 39-32: x;  31-24: y;  23: polarity, 1 is ON;  22-0: time in microseconds

    An event in row 240 is none: it adds 2^13 microseconds to the times after it.

    Args:
        path: a file such as `Train/0/00002.bin`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its length is no multiple of 5 bytes, or 0.

    Example:
        >>> path = getfixture("tmp_path") / "00002.bin"
        >>> _ = path.write_bytes(bytes([33, 2, 0x80, 1, 0]))
        >>> read_n_mnist_events(path)
        Events(t_us=tensor([256]), x=tensor([33]), y=tensor([2]), p=tensor([1]))

    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets
    using saccades"; the overflow row: their Read_Ndataset.m.
    """
    content = Path(path).read_bytes()
    if len(content) % _EVENT_BYTES or not content:
        raise ValueError(
            f"{path}: {len(content)} bytes came, expected a multiple of {_EVENT_BYTES} (an event), "
            "at least one. The file is damaged; fetch it again."
        )
    x, y, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, 5).T.astype(np.int64)
    is_overflow = y == _OVERFLOW_ROW
    t_us = ((high & 127) << 16 | middle << 8 | low) + _OVERFLOW_US * np.cumsum(is_overflow)
    columns = np.stack([t_us, x, y, high >> 7])[:, ~is_overflow]
    return Events(*torch.from_numpy(columns))


def load_n_mnist(folder: str | Path, num_timesteps: int = 5) -> DataSets:
    """N-MNIST in its own layout: `Train/0/00002.bin` and so on, a folder a digit.

    Hidden files (`._00002.bin`) and folders are passed over. Frames are `t 2 34 34`. Samples come in the order of their file names, which is MNIST's.
    Recordings are read when first asked for: see `EventFrames`.

    Args:
        folder: holds `Train` and `Test`.
        num_timesteps: frames a recording, from its first to its last event.

    Raises:
        FileNotFoundError: a half or its recordings are missing.
        ValueError: a folder in it is no digit; a recording is damaged (when it is asked for).

    Example:
        >>> folder = getfixture("tmp_path")
        >>> for name in ("Train/3/00001.bin", "Test/3/00001.bin"):
        ...     (folder / name).parent.mkdir(parents=True)
        ...     _ = (folder / name).write_bytes(bytes([33, 2, 0x80, 1, 0]))
        >>> frames, label = load_n_mnist(folder).train[0]
        >>> frames.shape, label
        (torch.Size([5, 2, 34, 34]), 3)
    """
    return DataSets(*(_half(Path(folder) / name, num_timesteps) for name in ("Train", "Test")))


class _Files:
    """Recordings that are read when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Events:
        return read_n_mnist_events(self.paths[index])

    def name(self, index: int) -> str:
        return str(self.paths[index])


def _half(folder: Path, num_timesteps: int) -> EventFrames:
    paths = sorted(visible_files(folder, "*/*.bin"), key=lambda path: (path.name, path.parent.name))
    if not paths:
        raise FileNotFoundError(f"{folder}: expected recordings such as 0/00002.bin, found none.")
    digits = [str(digit) for digit in range(_NUM_CLASSES)]
    for path in paths:
        if path.parent.name not in digits:
            raise ValueError(
                f"{path}: its folder is its label, expected 0 to 9, not {path.parent.name!r}."
            )
    labels = torch.tensor([int(path.parent.name) for path in paths])
    files = _Files(paths)
    return EventFrames(
        files, labels, num_timesteps, _SIZE, num_classes=_NUM_CLASSES, where=files.name
    )
