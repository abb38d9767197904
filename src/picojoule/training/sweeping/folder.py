"""The folder of a sweep: one sweep, and with a database of its own one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from picojoule.atomic_write import write_json
from picojoule.training.files.json_file import read_json
from picojoule.training.files.only_process import only_process
from picojoule.training.sweeping.config import SweepConfig

CONFIG, FRONTIER, DATABASE = "sweep.json", "frontier.json", "study.db"


@contextmanager
def sweep_folder(folder: Path, config: SweepConfig, *, alone: bool) -> Iterator[Path]:
    """Make or reopen the folder of a sweep.

    Args:
        folder: where it is.
        config: the sweep; kept as `sweep.json`.
        alone: whether to keep other processes out.

    Raises:
        FileExistsError: there are files that are no sweep's.
        ValueError: the sweep there has other settings, or its `sweep.json` is damaged.
        BlockingIOError: another process works in the folder.
    """
    check_folder(folder, config)
    folder.mkdir(parents=True, exist_ok=True)
    taken = f"another process works on the sweep in {folder}; wait for it, or let several share a --storage"
    with only_process(folder, taken) if alone else nullcontext():
        begun = (folder / CONFIG).exists()
        if not begun:
            write_json(folder / CONFIG, config.to_dict())
        try:
            yield folder
        except BaseException:
            if alone and not begun and not any(folder.glob("seed*")):
                for name in (CONFIG, DATABASE):  # no run has begun, so another sweep finds it free
                    (folder / name).unlink(missing_ok=True)
            raise


def check_folder(folder: Path, config: SweepConfig) -> None:
    """Raise what :func:`sweep_folder` would of a folder that cannot be a sweep's; makes nothing."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(
            f"{folder} is a file, expected a folder for the sweep. Choose another --out."
        )
    if not (folder / CONFIG).exists():
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if others:
            raise FileExistsError(
                f"{folder} holds files that are no sweep's ({', '.join(others[:5])}); choose another --out."
            )
        return
    differences = config.differences(read_json(folder / CONFIG, "Choose another --out."))
    if differences:
        raise ValueError(
            f"{folder} holds a sweep with other settings: {'; '.join(differences)}. Go on with it with the settings "
            "it was started with, or choose another --out."
        )
