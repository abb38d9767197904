"""Programs for sinabs, run on Picojoule: here, with the names put back afterwards, or in a process of their own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from picojoule.compat.sinabs import install, uninstall

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
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run
