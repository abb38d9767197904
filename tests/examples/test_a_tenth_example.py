"""The example that trains to a tenth of the SynOps: it runs, keeps its limit and draws."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/a_tenth_of_the_synops.py"


@pytest.mark.slow
def test_the_limit_is_kept_and_the_picture_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("a_tenth_of_the_synops", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    free, bound = example.main(tmp_path, epochs=2, limits=(8_000,))
    assert free.synops_of(example.LAYERS) > 16_000
    assert 0.9 * 8_000 < bound.synops_of(example.LAYERS) < 1.02 * 8_000
    assert bound.accuracy > free.accuracy - 0.05
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
    assert "8,000" in capsys.readouterr().out
