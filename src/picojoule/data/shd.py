"""Spiking Heidelberg Digits: spoken digits, as spikes of a simulated inner ear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.labelled import DataSets
from picojoule.data.ragged import RaggedRows
from picojoule.data.whole_numbers import whole_numbers
from picojoule.extras import extra
from picojoule.hdf5 import refuse_foreign_storage

_NUM_CHANNELS = 700
_NUM_CLASSES = 20
_PARTS = ("spikes/times", "spikes/units", "labels")
_WINDOW_US = (0, 1_400_000)
_FINITE = "expected a finite time; the file is damaged, fetch it again"


def load_shd(
    folder: str | Path, num_timesteps: int = 5, *, window_us: tuple[int, int] = _WINDOW_US
) -> DataSets:
    """Spiking Heidelberg Digits from its two HDF5 files; needs `picojoule[events]`.

    Frames are `t 700`. All span the same time, so that a time step is as long in every sample:
    0 to 1.4 seconds, in which the published utterances end. Utterances are read when first asked
    for: see `EventFrames`. What a file declares is checked before it is read: it must hold its data
    itself, and no utterance can be longer than the file.

    Args:
        folder: holds `shd_train.h5` and `shd_test.h5`, each with `spikes/times` (seconds),
            `spikes/units` (channels 0 to 699) and `labels` (0 to 19).
        num_timesteps: frames an utterance, of (stop - start) / num_timesteps microseconds.
        window_us: `(start, stop)`, integers; a spike outside is an error, not lost.

    Raises:
        ImportError: h5py is missing.
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, lacks a part, keeps its data elsewhere or declares more than it
            can hold; a label is out of range; or (when the utterance is asked for) a time is not
            finite, a channel no whole number, or a spike outside the channels or the window.
        TypeError: the window is not of integers.

    Example:
        >>> load_shd(Path("nowhere"))
        Traceback (most recent call last):
        FileNotFoundError: nowhere/shd_train.h5 is missing.

    Source: Cramer et al. 2020, "The Heidelberg spiking data sets for the systematic evaluation of
    spiking neural networks".
    """
    halves = (_Utterances(Path(folder) / name) for name in ("shd_train.h5", "shd_test.h5"))
    return DataSets(
        *(
            EventFrames(
                utterances,
                utterances.labels,
                num_timesteps,
                (_NUM_CHANNELS,),
                window_us=window_us,
                num_classes=_NUM_CLASSES,
                where=utterances.name,
            )
            for utterances in halves
        )
    )


class _Utterances:
    """The spikes of each utterance, read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file:
            refuse_foreign_storage(file)
            with self._reading("a part"):
                parts = {name: file[name] for name in _PARTS if name in file}
                held = ", ".join(file) or "nothing"
            missing = [name for name in _PARTS if name not in parts]
            if missing:
                raise ValueError(f"{path}: {', '.join(missing)} is missing; the file holds {held}.")
            for name, part in parts.items():
                self._check_part(name, part)
            with self._reading("labels"):
                labels = parts["labels"][()]
            self._times_s, self._units = (RaggedRows(path, parts[name]) for name in _PARTS[:2])
        if not len(self._times_s) == len(self._units) == len(labels) > 0:
            raise ValueError(
                f"{path}: labels, spikes/times and spikes/units have {len(labels)}, "
                f"{len(self._times_s)} and {len(self._units)} entries; expected as many, >= 1."
            )
        outside = (labels < 0) | (labels >= _NUM_CLASSES)
        if outside.any():
            at = int(outside.nonzero()[0][0])
            raise ValueError(
                f"{path}: label {at} is {labels[at]}, expected 0 to {_NUM_CLASSES - 1}."
            )
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def _check_part(self, name: str, part: Any) -> None:
        if not hasattr(part, "dtype"):
            raise ValueError(f"{self.path}: {name} is a group, expected a data set.")
        if part.shape is None or len(part.shape) != 1:
            raise ValueError(
                f"{self.path}: {name} has shape {part.shape}, expected one entry an utterance, (n,)."
            )
        if name == "labels" and part.dtype.kind not in "iu":
            raise ValueError(f"{self.path}: labels is {part.dtype}, expected whole numbers.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int, /) -> Events:
        times_s, units = self._times_s[index].astype(np.float64), self._units[index]
        if times_s.shape != units.shape:
            raise ValueError(
                f"{self.name(index)} has {times_s.size} times and {units.size} units; expected as "
                "many."
            )
        where = self.name(index)
        with np.errstate(over="ignore"):
            times_us = np.rint(times_s * 1e6)
        t_us = whole_numbers(times_us, f"{where}: in microseconds, time", _FINITE)
        channels = whole_numbers(units, f"{where}: unit")
        none = np.zeros_like(t_us)
        return Events(*map(torch.from_numpy, (t_us, channels, none, none)))

    def name(self, index: int) -> str:
        return f"{self.path}: utterance {index}"

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with extra("events"):
            import h5py
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} is missing.")
        try:
            file = h5py.File(self.path, "r")
        except Exception as error:
            raise ValueError(
                f"{self.path}: no HDF5 file, or a damaged one ({error}); fetch it again."
            ) from error
        with file:
            yield file

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Around reads alone: h5py raises nearly anything of a damaged file."""
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"{self.path}: {what} cannot be read ({error}). The file is damaged; fetch it again."
            ) from error
