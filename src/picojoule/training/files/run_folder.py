"""The folder a run lives in: one configuration, one process at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from picojoule.atomic_write import remove_partial
from picojoule.training.config_error import ConfigError
from picojoule.training.files.checkpoint_files import files_beside
from picojoule.training.files.only_process import only_process
from picojoule.training.files.yaml_file import Settings, read_settings, write_yaml
from picojoule.training.settings.config import TrainConfig
from picojoule.training.settings.saved import renewed

CONFIG = "config.yaml"
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
TRAINED = "trained.safetensors"
REPORT = "report.json"
PLAIN = "plain"
TENSORBOARD = "tensorboard"
PICTURES = ("firing_rates.png", "synops.png")

_FILES = (CHECKPOINT, BEST, TRAINED, REPORT, *PICTURES, CONFIG)
_FOLDERS = (PLAIN, TENSORBOARD)


@contextmanager
def run_folder(
    folder: Path, config: TrainConfig, *, resume: bool = False, overwrite: bool = False
) -> Iterator[Callable[[], None]]:
    """Make or reopen a run's folder and keep other processes out while it is in use.

    What it gives is to be called once nothing is left that may stop the run before its first step: with `overwrite`, the run in the
    folder stays until then.

    Args:
        folder: where the run's files go.
        config: what the run is to do; kept as `config.yaml`.
        resume: go on with the run in the folder.
        overwrite: replace the run in the folder, if there is one.

    Raises:
        FileExistsError: the folder holds another run, or files that are no run's.
        FileNotFoundError: `resume`, but there is no run.
        ValueError: `resume`, but the run there has another configuration; or `overwrite`, too; or `overwrite`, and
            the run begins with weights of the one it replaces.
        BlockingIOError: another process works in the folder.
    """
    _check_free(folder, config, resume=resume, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    taken = f"another process is training in {folder}; wait for it or choose another --out"
    with only_process(folder, taken):
        for place in (folder, folder / PLAIN):
            remove_partial(place)
        replaces = overwrite and (folder / CONFIG).exists()
        if not (folder / CONFIG).exists():
            write_yaml(folder / CONFIG, config.to_dict())

        def begin() -> None:
            nonlocal replaces
            if replaces:
                _remove_run(folder)
                write_yaml(folder / CONFIG, config.to_dict())
                replaces = False

        try:
            yield begin
        except BaseException:
            began = any((folder / name).exists() for name in (CHECKPOINT, f"{PLAIN}/{CHECKPOINT}"))
            if not began and not replaces:
                _remove_run(folder)  # so the next try finds the folder free
            raise


def check_begun(folder: Path) -> None:
    """Raise FileNotFoundError if there is no run in the folder."""
    if not (folder / CONFIG).exists():
        raise FileNotFoundError(
            f"there is no run in {folder} to go on with; leave --resume out to begin one."
        )


def saved_settings(folder: Path) -> Settings:
    """The settings of the run in a folder, by the names of today.

    Raises:
        FileNotFoundError: there is no run.
        ConfigError: its file is damaged.
    """
    values, places = read_settings(folder / CONFIG)
    return Settings(renewed(values), renewed(places))


def _check_free(folder: Path, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise ValueError(
            "--resume goes on with the run in the folder and --overwrite replaces it: pass one of them."
        )
    if resume:
        check_begun(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(
            f"{folder} is a file, expected a folder for the run. Choose another --out."
        )
    if not (folder / CONFIG).exists():
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if others:
            raise FileExistsError(
                f"{folder} holds files that are no run's ({', '.join(sorted(others)[:5])}); choose another --out."
            )
        return
    if resume:
        differences = config.differences(_saved_config(folder).values)
        if differences:
            raise ValueError(
                f"{folder} holds a run with other settings: {'; '.join(differences)}. Resume it with the settings "
                "it was started with, or choose another --out."
            )
    elif not overwrite:
        raise FileExistsError(
            f"{folder} already holds a run. Go on with it by --resume, replace it by --overwrite, or choose "
            "another --out."
        )
    else:
        _check_needs_none_of_it(folder, config)


def _saved_config(folder: Path) -> Settings:
    try:
        return saved_settings(folder)
    except ValueError as error:
        raise ValueError(f"{error} Replace the run by --overwrite.") from error


def _check_needs_none_of_it(folder: Path, config: TrainConfig) -> None:
    """Raise ConfigError if the new run begins with a file of the one that it replaces, and so could neither train twice nor resume."""
    for setting in ("start_from", "teacher"):
        stated = getattr(config, setting)
        if stated is not None and _is_removed(Path(stated).resolve(), folder.resolve()):
            raise ConfigError(
                f"training: {setting} is {stated}, a file of the run that --overwrite replaces. Copy it elsewhere, or "
                "choose another --out.",
                setting,
            )


def _is_removed(file: Path, folder: Path) -> bool:
    if any(file.is_relative_to(folder / name) for name in _FOLDERS):
        return True
    return file in (folder / name for name in _FILES) or file in files_beside(folder / CHECKPOINT)


def _remove_run(folder: Path) -> None:
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for beside in files_beside(folder / CHECKPOINT):
        beside.unlink()
    remove_partial(folder)
    for name in _FOLDERS:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
