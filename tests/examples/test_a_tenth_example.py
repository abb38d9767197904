"""The example that trains to a tenth of the SynOps: it runs, keeps its limit and draws."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.test_train_command import small_idx_folder

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Imported by its name, as the processes do that it starts."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("a_tenth_of_the_synops")
    sys.modules.pop("a_tenth_of_the_synops")


@pytest.mark.slow
def test_the_limit_is_kept_and_the_picture_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], example: ModuleType
) -> None:
    free, bound = example.main(tmp_path, epochs=2, limits=(8_000,))
    assert free.synops_of(example.LAYERS) > 16_000
    assert 0.9 * 8_000 < bound.synops_of(example.LAYERS) < 1.02 * 8_000
    assert bound.accuracy > free.accuracy - 0.05
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
    assert "8,000" in capsys.readouterr().out


@pytest.mark.slow
def test_side_by_side_it_is_the_same_as_one_by_one(tmp_path: Path, example: ModuleType) -> None:
    data = str(small_idx_folder(tmp_path / "images", images=60))
    found = []
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        out.mkdir()
        found.append(example.main(out, epochs=1, limits=(8_000,), data=data, jobs=jobs))
    assert [each.to_dict() for each in found[0]] == [each.to_dict() for each in found[1]]
