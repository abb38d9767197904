"""What is written lands whole or not at all, and only in files of our own."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from picojoule import atomic_write
from picojoule.atomic_write import write_atomically, write_json
from picojoule.plots import plot_synops
from picojoule.training import TrainConfig, save_checkpoint
from picojoule.training.files.only_process import only_process
from picojoule.training.files.run_folder import run_folder
from picojoule.training.files.yaml_file import write_yaml

WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: write_atomically(path, b"new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "yaml": lambda path: write_yaml(path, {"new": 1}),
    "checkpoint": lambda path: save_checkpoint(path, nn.Linear(2, 3)),
    "picture": lambda path: plot_synops({"1": [1.0]}, path=path),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("mine")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_planted_links_do_not_empty_what_they_point_to(
    folder: Path, victim: Path, write: Callable[[Path], object]
) -> None:
    for name in (".file.partial", "file"):
        (folder / name).symlink_to(victim)
    write(folder / "file")
    assert victim.read_text() == "mine"
    assert not (folder / "file").is_symlink()
    assert (folder / "file").stat().st_size > 0


def test_even_a_guessed_name_is_not_written_through(
    folder: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_write.secrets, "token_hex", lambda n: "guessed")
    (folder / ".file.guessed.partial").symlink_to(victim)
    with pytest.raises(OSError, match="could not write file"):
        write_atomically(folder / "file", b"new")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_file_and_then_its_folder_are_flushed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    flushed: list[tuple[str, bool]] = []

    def fsync(opened: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(opened).st_mode) else "file"
        flushed.append((kind, (folder / "file").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write(folder / "file")
    assert flushed == [("file", False), ("folder", True)]  # a name only once the content is there


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically(folder / "file", b"old")

    def fsync(opened: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"could not write file \(0\.0 MB\).*previous one is kept"):
        write_atomically(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"old"
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_what_killed_writers_left_is_removed_when_the_run_goes_on(folder: Path) -> None:
    with run_folder(folder, TrainConfig()):
        (folder / "checkpoint.safetensors").touch()
    (folder / "plain").mkdir()
    for place in (folder, folder / "plain"):
        (place / ".checkpoint.safetensors.0a1b.partial").write_text("half")
    with run_folder(folder, TrainConfig(), resume=True):
        assert not [*folder.rglob("*.partial")]


def test_a_link_in_place_of_the_lock_is_refused_and_left_alone(folder: Path, victim: Path) -> None:
    (folder / ".lock").symlink_to(victim)
    with (
        pytest.raises(FileExistsError, match=r"\.lock is no file of ours"),
        only_process(folder, ""),
    ):
        pass
    assert victim.read_text() == "mine"
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(folder / "nowhere")
    with (
        pytest.raises(FileExistsError, match=r"\.lock is no file of ours"),
        only_process(folder, ""),
    ):
        pass
    assert not (folder / "nowhere").exists()


def test_a_pipe_or_a_folder_in_place_of_the_lock_is_refused(folder: Path) -> None:
    os.mkfifo(folder / ".lock")
    with pytest.raises(FileExistsError, match="no file of ours"), only_process(folder, ""):
        pass
    (folder / ".lock").unlink()
    (folder / ".lock").mkdir()
    with pytest.raises(FileExistsError, match="no file of ours"), only_process(folder, ""):
        pass


def test_a_lock_is_not_emptied(folder: Path) -> None:
    (folder / ".lock").write_text("a note of somebody's")
    with only_process(folder, ""):
        assert (folder / ".lock").read_text() == "a note of somebody's"


def test_paths_may_be_text(folder: Path) -> None:
    for name, write in WRITERS.items():
        write(str(folder / name))  # type: ignore[arg-type]
        assert (folder / name).exists()
