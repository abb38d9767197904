"""What is said of an implementation is what a call meets."""

from pathlib import Path
from typing import Any

import pytest
import torch

from picojoule.ops import alif, availability, lif
from picojoule.ops.availability import KernelCache, kernel_cache, supports
from picojoule.ops.dispatch import Implementation, nothing_prevents


def test_an_implementation_runs_the_plain_call_where_it_is_said_to() -> None:
    ops = {"lif": (lif, {}), "alif": (alif, {"alpha_adapt": 0.9})}
    rows = supports()
    assert {row.op for row in rows} == set(ops)
    for row in rows:
        op, arguments = ops[row.op]
        x = torch.rand(1, 3, 2, device=row.device)
        if row.why_not is None:
            op(x, alpha_mem=0.9, norm_input=True, impl=row.implementation, **arguments)
        else:
            with pytest.raises(ValueError, match="impl"):
                op(x, alpha_mem=0.9, norm_input=True, impl=row.implementation, **arguments)


def test_auto_takes_the_first_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise OSError("no such library")

    ways = {
        "broken": Implementation(None, broken),
        "refusing": Implementation(None, lambda *_: "it is Tuesday"),
        "first": Implementation(None, nothing_prevents),
        "second": Implementation(None, nothing_prevents),
    }
    monkeypatch.setattr(availability, "OPS", {"op": (ways, None), "other": ({}, None)})
    rows = [row for row in supports() if row.device == "cpu"]
    assert [(row.implementation, row.why_not, row.auto) for row in rows if row.op == "op"] == [
        ("broken", "OSError: no such library", False),
        ("refusing", "it is Tuesday", False),
        ("first", None, True),
        ("second", None, False),
    ]
    assert {row.why_not for row in rows if row.op == "other"} == {"there is none for this op"}


def test_the_cache_folder_is_looked_at_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "yet"
    monkeypatch.setenv("PICOJOULE_CACHE", str(folder))
    assert kernel_cache() == KernelCache(str(folder), writable=True, kernels=0)
    assert not folder.exists()
    folder.mkdir(parents=True)
    (folder / "kernel.o").touch()
    (folder / "being-written").touch()
    assert kernel_cache() == KernelCache(str(folder), writable=True, kernels=1)


def test_a_cache_folder_that_cannot_be_made_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PICOJOULE_CACHE", str(tmp_path / "file" / "cache"))
    assert not kernel_cache().writable


def test_a_cache_folder_of_anybodys_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICOJOULE_CACHE", str(tmp_path))
    tmp_path.chmod(0o777)
    found = kernel_cache()
    assert not found.writable
    assert f"others may write to {tmp_path}" in str(found.why_not)


def test_without_a_home_folder_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PICOJOULE_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert kernel_cache() == KernelCache(None, False, 0, why_not="there is no home folder")
