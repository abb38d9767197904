"""DVS128 Gesture: eleven gestures of the hand and arm before an event camera."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import torch

from picojoule.data.aedat import Aedat
from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.labelled import DataSets

_SIZE = (2, 128, 128)
_NUM_CLASSES = 11
_LAST_US = 2**62  # overflows * 2^31 + time of AEDAT 3.1 end there
_LONGEST_NAME = 200
_COLUMNS = ["class", "startTime_usec", "endTime_usec"]


class _Trial(NamedTuple):
    path: Path
    label: int
    start_us: int
    stop_us: int


def load_dvs_gesture(folder: str | Path, num_timesteps: int = 5) -> DataSets:
    """DVS128 Gesture in its own layout.

    `trials_to_train.txt` and `trials_to_test.txt` list recordings such as
    `user01_fluorescent.aedat`. Beside each, `user01_fluorescent_labels.csv` says from which to
    which microsecond a gesture was made: a sample each. Classes 1 to 11 become labels 0 to 10.

    Frames are `t 2 128 128`. Of a recording, packets are found at its first use and decoded as
    samples need them; frames are kept as in `EventFrames`.

    Args:
        folder: holds the two lists, the recordings and their labels.
        num_timesteps: frames a gesture, from its first to its last event.

    Raises:
        FileNotFoundError: a list, or a recording or its labels that a list names, is missing.
        ValueError: a list is empty, or names something else than files beside it, once each; labels
            are damaged or out of range; a recording is damaged (when it is asked for).

    Example:
        >>> load_dvs_gesture(Path("nowhere"))
        Traceback (most recent call last):
        FileNotFoundError: nowhere/trials_to_train.txt is missing.

    Source: Amir et al. 2017, "A low power, fully event-based gesture recognition system".
    """
    lists = ("trials_to_train.txt", "trials_to_test.txt")
    return DataSets(*(_half(Path(folder), name, num_timesteps) for name in lists))


class _Trials:
    """The events of each gesture, read when they are asked for."""

    def __init__(self, trials: list[_Trial]) -> None:
        self.trials = trials
        self._opened: dict[Path, Aedat] = {}

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, index: int, /) -> Events:
        trial = self.trials[index]
        if trial.path not in self._opened:
            self._opened[trial.path] = Aedat(trial.path)
        return self._opened[trial.path].events(trial.start_us, trial.stop_us)

    def name(self, index: int) -> str:
        trial = self.trials[index]
        return f"{trial.path} from {trial.start_us} to {trial.stop_us} us"


def _half(folder: Path, name: str, num_timesteps: int) -> EventFrames:
    lines = _text(folder / name).split()
    seen: set[str] = set()
    for line in lines:
        if Path(line).name != line or len(line) > _LONGEST_NAME or line in seen:
            raise ValueError(
                f"{folder / name}: it lists {line[:80]!r}, expected the name of a file beside it, once."
            )
        seen.add(line)
    if not lines:
        raise ValueError(f"{folder / name}: expected names of recordings, found none.")
    trials = [trial for line in lines for trial in _trials(folder / line)]
    recordings = _Trials(trials)
    return EventFrames(
        recordings,
        torch.tensor([trial.label for trial in trials]),
        num_timesteps,
        _SIZE,
        num_classes=_NUM_CLASSES,
        where=recordings.name,
    )


def _trials(path: Path) -> list[_Trial]:
    labels_at = path.with_name(f"{path.stem}_labels.csv")
    text = _text(labels_at)
    try:
        rows = [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        raise ValueError(f"{labels_at}: it is no table ({error}); fetch it again.") from error
    if not rows or [name.strip() for name in rows[0]] != _COLUMNS:
        raise ValueError(
            f"{labels_at}: its first line is {','.join(rows[0]) if rows else ''!r}, expected "
            f"{','.join(_COLUMNS)!r}."
        )
    if len(rows) < 2:
        raise ValueError(f"{labels_at}: expected a line for each gesture, found none.")
    return [_trial(_existing(path), labels_at, row) for row in rows[1:]]


def _trial(path: Path, labels_at: Path, row: list[str]) -> _Trial:
    try:
        gesture, start_us, last_us = map(int, row)
    except ValueError as error:
        raise ValueError(
            f"{labels_at}: the line {','.join(row)!r} is not three whole numbers: a class and two "
            "times in microseconds."
        ) from error
    if not 1 <= gesture <= _NUM_CLASSES or not 0 <= start_us <= last_us < _LAST_US:
        raise ValueError(
            f"{labels_at}: the line {','.join(row)!r} has class {gesture} from {start_us} to "
            f"{last_us} us; expected a class of 1 to {_NUM_CLASSES}, a start from 0 on before the end, "
            f"and an end before {_LAST_US}."
        )
    return _Trial(path, gesture - 1, start_us, last_us + 1)


def _text(path: Path) -> str:
    content = _existing(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: it is not plain text ({error}); fetch it again.") from error
    if "\0" in text:
        raise ValueError(f"{path}: it is not plain text, it holds zeros; fetch it again.")
    return text


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing.")
    return path
