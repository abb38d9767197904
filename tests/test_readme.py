"""The README's code runs, and its numbers are those of the result files in this tree."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import readme_figures

    yield readme_figures
    sys.modules.pop("readme_figures")


def test_its_code_blocks_run_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert blocks
    assert "SynOps/step" in capsys.readouterr().out


def test_its_figures_are_those_of_the_committed_results(figures: ModuleType) -> None:
    assert figures.written(README) == README
    assert README.count("| --- |") == 3


def test_its_picture_was_drawn_from_the_committed_results(figures: ModuleType) -> None:
    image = pytest.importorskip("PIL.Image").open(figures.PICTURE)
    assert image.text["Source"] == figures.source_hash(), "python tools/readme_figures.py"


def test_each_limit_is_kept_in_the_committed_runs(figures: ModuleType) -> None:
    for limit in figures.LIMITS:
        runs = figures.runs_of(limit)
        assert len(runs) == 3
        assert all(-0.05 <= run["off"] <= 0.01 for run in runs if limit)


def test_its_links_within_the_tree_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
