"""sinabs' own tests, unchanged, on Picojoule.

The wheel has no tests. Unpack the source distribution and name its folder:

    pip download --no-deps --no-binary sinabs sinabs==3.1.3 && tar xzf sinabs-3.1.3.tar.gz
    SINABS_TESTS=sinabs-3.1.3/tests pytest tests/compat/test_sinabs_suite.py
"""

import os
import re
import shutil
from pathlib import Path

import pytest

HARDWARE = [
    "test_dynapcnn",
    "test_dynapcnnlayer",
    "test_dynapcnnnetwork",
    "test_graph_extractor",
    "test_specksim",
]
# inputs of a linear layer that are not spikes but negative numbers: Picojoule counts their magnitude
# (3.8587 SynOps where sinabs lets them cancel down to .9230); and a bias that sinabs takes for a
# cancelled input. `--signed-synops` gives sinabs' numbers.
COUNTED_BY_MAGNITUDE = {
    *(f"tests/test_hooks.py::test_model_synops_hook[{dt}]" for dt in ("None", "1", "0.1", "2")),
    "tests/test_hooks.py::test_input_diff_hook",
}

needs_the_suite = pytest.mark.skipif(
    "SINABS_TESTS" not in os.environ,
    reason="SINABS_TESTS is not set to the tests folder of sinabs' source distribution",
)


@pytest.fixture
def suite(tmp_path: Path) -> list[str]:
    """Arguments that run the suite, a copy of which is in the folder that commands run in."""
    source = Path(os.environ["SINABS_TESTS"])
    assert (source / "test_hooks.py").exists(), f"SINABS_TESTS={source} has no test_hooks.py"
    shutil.copytree(source, tmp_path / "tests")
    ignored = [f"--ignore=tests/{folder}" for folder in HARDWARE]
    return ["-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *ignored, "tests"]


def result(output: str) -> tuple[set[str], int]:
    """The tests that failed, and how many passed."""
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    passed = re.search(r"(\d+) passed", output)
    return set(failed), int(passed[1]) if passed else 0


@needs_the_suite
def test_it_passes_with_signed_synops(python, suite: list[str]) -> None:
    done = python("-m", "picojoule.compat.sinabs", "--signed-synops", *suite)
    assert result(done.stdout) == (set(), 195), done.stdout[-5000:]


@needs_the_suite
def test_without_them_it_differs_where_sinabs_lets_inputs_cancel(python, suite: list[str]) -> None:
    done = python("-m", "picojoule.compat.sinabs", *suite)
    assert result(done.stdout) == (COUNTED_BY_MAGNITUDE, 190), done.stdout[-5000:]
