"""Machine code is taken from a file only if nobody but this user and root can have written it."""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from picojoule.ops.cpu import cache, compiled
from picojoule.ops.plan import Plan
from tests.python import python

NAME, CODE = "kernel.o", b"symbol\ncode"
SOMEBODY = 12345


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache that holds one kernel, in a folder two levels deep."""
    folder = tmp_path / "above" / "cache"
    monkeypatch.setenv("PICOJOULE_CACHE", str(folder))
    monkeypatch.setattr(cache, "_said", set())
    cache.keep(NAME, CODE)
    assert cache.kept(NAME) == CODE
    yield folder
    cache._faults.clear()


Spoil = Callable[[Path, pytest.MonkeyPatch], Path]


def owned_by_somebody(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if os.geteuid() == 0:
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    else:  # somebody else is whom all of it belongs to
        monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
        path = next(p for p in reversed((path, *path.parents)) if p.stat().st_uid)
    return path


def mode(path: Path, bits: int) -> Path:
    path.chmod(bits)
    return path


def moved_behind_a_link(path: Path) -> Path:
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)
    return path


def replaced_by(path: Path, make: Callable[[Path], None]) -> Path:
    path.unlink()
    make(path)
    return path


SPOILT: dict[str, Spoil] = {
    "file of somebody": lambda f, m: owned_by_somebody(f / NAME, m),
    "file for the group to write": lambda f, m: mode(f / NAME, 0o620),
    "file for all to write": lambda f, m: mode(f / NAME, 0o602),
    "link to a file": lambda f, m: moved_behind_a_link(f / NAME),
    "pipe": lambda f, m: replaced_by(f / NAME, os.mkfifo),
    "folder in place of a file": lambda f, m: replaced_by(f / NAME, os.mkdir),
    "folder of somebody": owned_by_somebody,
    "folder for the group to write": lambda f, m: mode(f, 0o770),
    "folder for all to write": lambda f, m: mode(f, 0o707),
    "folder like /tmp": lambda f, m: mode(f, 0o1777),
    "link to a folder": lambda f, m: moved_behind_a_link(f),
    "folder above of somebody": lambda f, m: owned_by_somebody(f.parent, m),
    "folder above for the group to write": lambda f, m: mode(f.parent, 0o770),
    "folder above for all to write": lambda f, m: mode(f.parent, 0o707),
}


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_ino, p.lstat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_others_can_have_written_is_not_taken_and_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: Spoil
) -> None:
    blamed = spoil(folder, monkeypatch)
    before = everything_in(tmp_path)
    assert cache.kept(NAME) is None
    cache.keep(NAME, b"another")
    assert everything_in(tmp_path) == before
    with pytest.warns(UserWarning, match="compiled kernels are neither read") as said:
        cache.say_faults()
    assert len(said) == 1
    assert str(blamed) in str(said[0].message)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_a_link_above_that_somebody_can_turn_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blamed = owned_by_somebody(moved_behind_a_link(folder.parent), monkeypatch)
    assert cache.kept(NAME) is None
    with pytest.warns(UserWarning, match=f"{blamed} belongs to another user"):
        cache.say_faults()


SOUND: dict[str, Callable[[Path], object]] = {
    "folder above like /tmp": lambda f: f.parent.chmod(0o1777),
    "link of one's own above": lambda f: moved_behind_a_link(f.parent),
    "folder that others may read": lambda f: f.chmod(0o755),
    "file that others may read": lambda f: (f / NAME).chmod(0o644),
}


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_what_only_this_user_can_have_written_is_taken(
    folder: Path, change: Callable[[Path], object]
) -> None:
    change(folder)
    assert cache.kept(NAME) == CODE
    cache.keep("other.o", b"another")
    assert cache.kept("other.o") == b"another"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.say_faults()


def test_a_path_with_dots_is_followed_as_the_system_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICOJOULE_CACHE", str(folder.parent / "cache" / ".." / "cache"))
    assert cache.kept(NAME) == CODE
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("PICOJOULE_CACHE", "cache")
    assert cache.kept(NAME) == CODE


def test_links_in_a_circle_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "round").symlink_to(folder / "round")
    monkeypatch.setenv("PICOJOULE_CACHE", str(folder / "round" / "cache"))
    assert cache.kept(NAME) is None
    assert "symbolic links" in str(cache.folder_fault())


def test_files_and_folders_are_this_users_alone_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "cache"
    monkeypatch.setenv("PICOJOULE_CACHE", str(folder))
    before = os.umask(0)
    try:
        cache.keep(NAME, CODE)
    finally:
        os.umask(before)
    assert cache.kept(NAME) == CODE
    made = [folder.parent, folder, folder / NAME]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700, 0o600]
    assert list(folder.iterdir()) == [folder / NAME]


def test_no_folder_is_made_where_others_may_turn_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICOJOULE_CACHE", str(tmp_path / "open" / "new" / "cache"))
    monkeypatch.setattr(cache, "_said", set())
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    cache.keep(NAME, CODE)
    assert not list((tmp_path / "open").iterdir())
    with pytest.warns(UserWarning, match="others may write"):
        cache.say_faults()


def test_what_cannot_be_written_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    cache.keep("other.o", CODE)
    assert list(folder.iterdir()) == [folder / NAME]
    with pytest.warns(UserWarning, match="No space left on device"):
        cache.say_faults()


def test_a_damaged_file_of_ones_own_is_replaced(folder: Path) -> None:
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:-1])
    assert cache.kept(NAME) is None
    cache.keep(NAME, CODE)
    assert cache.kept(NAME) == CODE
    assert not cache._faults


def test_it_is_said_once_and_again_where_warnings_are_errors(
    folder: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder.chmod(0o777)
    for action in ("error", "error", "default", "default"):
        cache.kept(NAME)
        warnings.simplefilter(action)
        if action == "error":
            with pytest.raises(UserWarning, match="others may write"):
                cache.say_faults()
        else:
            cache.say_faults()
    assert len(recwarn) == 1


def test_a_kernel_that_somebody_planted_is_compiled_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(False, False, False, False, False, "multi", False, "threshold", "Heaviside")
    cache.keep(f"{compiled._key(plan, 'forward')}.o", b"planted\ncode")
    loaded: list[tuple[bytes, str]] = []
    monkeypatch.setattr(compiled, "load", lambda code, name: loaded.append((code, name)) or 1)
    monkeypatch.setattr(compiled, "_compile", lambda plan, which: b"own\ncompiled")
    folder.chmod(0o777)
    compiled._compiled.__wrapped__(plan, "forward")
    assert loaded == [(b"compiled", "own")]


def test_without_a_home_folder_kernels_are_compiled_and_it_is_said() -> None:
    code = (
        "import os, pathlib\n"
        "def no_home(): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = no_home; os.environ.pop('PICOJOULE_CACHE', None)\n"
        "import torch; from picojoule.ops import lif\n"
        "out = lif(torch.full((1, 4, 1), 0.6), alpha_mem=1.0, impl='cpu')\n"
        "print(out.spikes.flatten().tolist())"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[0.0, 1.0, 0.0, 1.0]"
    assert done.stderr.count("there is no home folder") == 1
