"""A run's folder: one run, one process."""

from dataclasses import replace
from pathlib import Path

import pytest

from picojoule.training import TrainConfig
from picojoule.training.files.run_folder import run_folder

CONFIG = TrainConfig()


def leave_a_run(folder: Path) -> None:
    with run_folder(folder, CONFIG):
        (folder / "checkpoint.safetensors").write_text("weights")


def test_another_run_is_not_overwritten(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    with (
        pytest.raises(FileExistsError, match=r"already holds a run.*--resume.*--overwrite.*--out"),
        run_folder(tmp_path, CONFIG),
    ):
        pass
    assert (tmp_path / "checkpoint.safetensors").read_text() == "weights"


def test_a_run_resumes_with_its_own_settings_only(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    with run_folder(tmp_path, CONFIG, resume=True):
        assert (tmp_path / "checkpoint.safetensors").exists()
    with (
        pytest.raises(ValueError, match="seed is 7 here and 1 there"),
        run_folder(tmp_path, replace(CONFIG, seed=7), resume=True),
    ):
        pass


@pytest.mark.parametrize("name", [".", "nowhere"])
def test_resuming_where_no_run_is_says_so_and_makes_nothing(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(FileNotFoundError, match=r"no run in .* to go on with; leave --resume out"),
        run_folder(tmp_path / name, CONFIG, resume=True),
    ):
        pass
    assert not [*tmp_path.iterdir()]


def test_overwriting_removes_the_run_and_nothing_else(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    (tmp_path / "plain").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with run_folder(tmp_path, replace(CONFIG, seed=7), overwrite=True) as begin:
        assert (tmp_path / "checkpoint.safetensors").exists()
        begin()
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == [".lock", "config.yaml", "notes.txt"]


def test_a_run_that_cannot_begin_leaves_the_one_that_it_was_to_replace(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        pytest.raises(ValueError, match="no such layer"),
        run_folder(tmp_path, replace(CONFIG, seed=7), overwrite=True),
    ):
        raise ValueError("no such layer")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("setting", ["start_from", "teacher"])
@pytest.mark.parametrize("name", ["checkpoint.safetensors", "plain/trained.safetensors"])
def test_what_a_run_begins_with_is_not_overwritten(tmp_path: Path, setting: str, name: str) -> None:
    leave_a_run(tmp_path)
    (tmp_path / "plain").mkdir()
    (tmp_path / name).write_text("needed")
    asked = replace(CONFIG, **{setting: str(tmp_path / "plain" / ".." / name)})
    with (
        pytest.raises(ValueError, match=f"{setting} is .*{name}, .*--overwrite.*--out"),
        run_folder(tmp_path, asked, overwrite=True),
    ):
        pass
    assert (tmp_path / name).read_text() == "needed"


def test_a_run_may_begin_with_a_file_of_ones_own_in_the_folder(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    mine = tmp_path / "mine.safetensors"
    mine.write_text("needed")
    with run_folder(tmp_path, replace(CONFIG, start_from=str(mine)), overwrite=True) as begin:
        begin()
    assert mine.read_text() == "needed"


def test_to_go_on_and_to_replace_contradict_each_other(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    with (
        pytest.raises(ValueError, match="pass one of them"),
        run_folder(tmp_path, CONFIG, resume=True, overwrite=True),
    ):
        pass
    assert (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_that_are_no_runs_are_left_alone(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with (
        pytest.raises(FileExistsError, match=r"no run's \(thesis\.tex\)"),
        run_folder(tmp_path, CONFIG, overwrite=overwrite),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FileExistsError, match="is a file"), run_folder(tmp_path / "out", CONFIG):
        pass


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    with (
        run_folder(tmp_path, CONFIG),
        pytest.raises(BlockingIOError, match="another process is training"),
        run_folder(tmp_path, CONFIG, resume=True),
    ):
        pass
    with run_folder(tmp_path, CONFIG, resume=True):
        pass


def test_a_damaged_configuration_is_named(tmp_path: Path) -> None:
    leave_a_run(tmp_path)
    (tmp_path / "config.yaml").write_text("{")
    with (
        pytest.raises(ValueError, match=r"config\.yaml, line 1: no YAML, or damaged.*--overwrite"),
        run_folder(tmp_path, CONFIG, resume=True),
    ):
        pass
