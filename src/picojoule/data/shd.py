"""Spiking Heidelberg Digits: spoken digits, as spikes of a simulated inner ear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.labelled import DataSets
from picojoule.extras import extra

_NUM_CHANNELS = 700
_NUM_CLASSES = 20
_PARTS = ("spikes/times", "spikes/units", "labels")
_WINDOW_US = (0, 1_400_000)


def load_shd(
    folder: Path, num_timesteps: int = 5, *, window_us: tuple[int, int] = _WINDOW_US
) -> DataSets:
    """Spiking Heidelberg Digits from its two HDF5 files; needs `picojoule[events]`.

    Frames are `t 700`. All span the same time, so that a time step is as long in every sample:
    0 to 1.4 seconds, in which the published utterances end. Utterances are read when first asked
    for: see `EventFrames`.

    Args:
        folder: holds `shd_train.h5` and `shd_test.h5`, each with `spikes/times` (seconds),
            `spikes/units` (channels 0 to 699) and `labels` (0 to 19).
        num_timesteps: frames an utterance, of (stop - start) / num_timesteps microseconds.
        window_us: `(start, stop)`; a spike outside is an error, not lost.

    Raises:
        ImportError: h5py is missing.
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged or lacks a part, a label is out of range, or (when the
            utterance is asked for) a spike lies outside the channels or the window.

    Example:
        >>> load_shd(Path("nowhere"))
        Traceback (most recent call last):
        FileNotFoundError: nowhere/shd_train.h5 is missing.

    Source: Cramer et al. 2020, "The Heidelberg spiking data sets for the systematic evaluation of
    spiking neural networks".
    """
    halves = (_Utterances(folder / name) for name in ("shd_train.h5", "shd_test.h5"))
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
    """The spikes of each utterance; the file is opened for each, so that workers can share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file:
            for name in _PARTS:
                self._check_part(name, file[name])
            self.labels = torch.from_numpy(np.asarray(file["labels"]).astype(np.int64))
            num_spike_trains = [len(file["spikes/times"]), len(file["spikes/units"])]
        if num_spike_trains != [len(self.labels)] * 2 or len(self.labels) == 0:
            raise ValueError(
                f"{path}: labels, spikes/times and spikes/units have {len(self.labels)}, "
                f"{num_spike_trains[0]} and {num_spike_trains[1]} entries; expected as many, >= 1."
            )
        outside = (self.labels < 0) | (self.labels >= _NUM_CLASSES)
        if outside.any():
            at = int(outside.nonzero()[0])
            raise ValueError(
                f"{path}: label {at} is {int(self.labels[at])}, expected 0 to {_NUM_CLASSES - 1}."
            )

    def _check_part(self, name: str, part: Any) -> None:
        if not hasattr(part, "dtype"):
            raise ValueError(f"{self.path}: {name} is a group, expected a data set.")
        if len(part.shape) != 1:
            raise ValueError(
                f"{self.path}: {name} has shape {part.shape}, expected one entry an utterance, (n,)."
            )
        if name == "labels" and part.dtype.kind not in "iu":
            raise ValueError(f"{self.path}: labels is {part.dtype}, expected whole numbers.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int, /) -> Events:
        try:
            with self._opened() as file:
                times_s = np.asarray(file["spikes/times"][index], np.float64)
                units = np.asarray(file["spikes/units"][index], np.int64)
        except OSError as error:
            raise ValueError(f"{self.name(index)} cannot be read ({error}).") from error
        if times_s.shape != units.shape:
            raise ValueError(
                f"{self.name(index)} has {times_s.size} times and {units.size} units; expected as "
                "many."
            )
        if not np.isfinite(times_s).all():
            raise ValueError(
                f"{self.name(index)}: a time is not finite. The file is damaged; fetch it again."
            )
        t_us = torch.from_numpy(np.rint(times_s * 1e6).astype(np.int64))
        none = torch.zeros_like(t_us)
        return Events(t_us, torch.from_numpy(units), none, none)

    def name(self, index: int) -> str:
        return f"{self.path}: utterance {index}"

    def _opened(self) -> Any:
        with extra("events"):
            import h5py
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} is missing.")
        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            raise ValueError(
                f"{self.path}: no HDF5 file, or a damaged one ({error}); fetch it again."
            ) from error
        missing = [name for name in _PARTS if name not in file]
        if missing:
            held = ", ".join(file) or "nothing"
            file.close()
            raise ValueError(
                f"{self.path}: {', '.join(missing)} is missing; the file holds {held}."
            )
        return file
