"""CIFAR10-DVS: images of CIFAR-10, moved on a screen before an event camera."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from picojoule.data.aedat2 import read_aedat2
from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.folders import visible_files
from picojoule.data.labelled import DataSets

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_SIZE = (2, 128, 128)


def load_cifar10_dvs(folder: str | Path, num_timesteps: int = 5) -> DataSets:
    r"""CIFAR10-DVS in its own layout: `airplane/cifar10_airplane_0.aedat` and so on, a folder a class.

    The data set is published without a split. Here the first nine tenths of each class, by number, are
    the training set and the rest the test set: recordings 0 to 899 and 900 to 999 of each class. Others
    test on 0 to 99, or on a random tenth, which is easier: compare like with like.

    Frames are `t 2 128 128`, upright. Recordings are read when first asked for: see `EventFrames`.
    Hidden files (`._cifar10_airplane_0.aedat`) are passed over.

    Args:
        folder: holds the ten folders.
        num_timesteps: frames a recording, from its first to its last event.

    Raises:
        FileNotFoundError: a class has no recordings.
        ValueError: a recording's name has no number, two have the same, or a class has fewer than two;
            a recording is damaged (when it is asked for).

    Example:
        >>> folder = getfixture("tmp_path")
        >>> for name in CLASSES:
        ...     (folder / name).mkdir()
        ...     for number in (0, 1):
        ...         path = folder / name / f"cifar10_{name}_{number}.aedat"
        ...         _ = path.write_bytes(b"#!AER-DAT2.0\r\n" + bytes([0, 0, 3, 5, 0, 0, 0, 9]))
        >>> data = load_cifar10_dvs(folder)
        >>> frames, label = data.test[9]
        >>> len(data.train), len(data.test), frames.shape, label
        (10, 10, torch.Size([5, 2, 128, 128]), 9)

    Source: Li et al. 2017, "CIFAR10-DVS: an event-stream dataset for object classification".
    """
    train: list[tuple[Path, int]] = []
    test: list[tuple[Path, int]] = []
    for label, name in enumerate(CLASSES):
        paths = _by_number(Path(folder) / name)
        num_train = len(paths) * 9 // 10
        train += [(path, label) for path in paths[:num_train]]
        test += [(path, label) for path in paths[num_train:]]
    return DataSets(*(_frames(half, num_timesteps) for half in (train, test)))


class _Recordings:
    """Recordings that are read when they are asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Events:
        return read_aedat2(self.paths[index])

    def name(self, index: int) -> str:
        return str(self.paths[index])


def _by_number(folder: Path) -> list[Path]:
    numbered: dict[int, Path] = {}
    for path in visible_files(folder, "*.aedat"):
        digits = re.search(r"[0-9]{1,9}$", path.stem)
        if digits is None:
            raise ValueError(
                f"{path}: its name ends in no number, expected cifar10_{folder.name}_0.aedat and so on."
            )
        other = numbered.setdefault(int(digits[0]), path)
        if other != path:
            raise ValueError(f"{path} and {other.name} have the same number; expected one of each.")
    if not numbered:
        raise FileNotFoundError(
            f"{folder}: expected recordings such as cifar10_{folder.name}_0.aedat, found none."
        )
    if len(numbered) < 2:
        raise ValueError(
            f"{folder}: holds one recording, expected at least two, to train and to test on."
        )
    return [numbered[number] for number in sorted(numbered)]


def _frames(half: list[tuple[Path, int]], num_timesteps: int) -> EventFrames:
    recordings = _Recordings([path for path, _ in half])
    labels = torch.tensor([label for _, label in half])
    return EventFrames(
        recordings,
        labels,
        num_timesteps,
        _SIZE,
        num_classes=len(CLASSES),
        where=recordings.name,
    )
