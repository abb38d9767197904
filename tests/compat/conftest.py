"""Programs for sinabs, run on Picojoule: here, with the names put back afterwards, or in a process of their own."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from picojoule.compat.sinabs import install, uninstall
from tests.python import python as run_to_its_end

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def _installed() -> Iterator[None]:
    """`import sinabs` means Picojoule in this test."""
    install()
    yield
    uninstall()


@pytest.fixture
def python(tmp_path: Path) -> Run:
    """Run python with some arguments in a fresh folder and process."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_to_its_end(*arguments, cwd=tmp_path)

    return run
