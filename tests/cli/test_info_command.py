"""`picojoule info` as a user types it."""

import json
from pathlib import Path

import torch
from typer.testing import CliRunner

import picojoule
from picojoule.cli.app import app
from tests.python import python


def run(*arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["info", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def broken(module: str, cache: Path) -> str:
    """What it prints where a module cannot be imported and no kernel is in the cache."""
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['picojoule', 'info']\nfrom picojoule.cli import main; main()"
    done = python("-c", code, COLUMNS="250", PICOJOULE_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def rows(output: str) -> dict[tuple[str, str], str]:
    """Cells of the last table: what is said on the CPU, by op and implementation."""
    cells = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    return {(c[0].strip(), c[1].strip()): c[2].strip() for c in cells if len(c) > 2}


def test_the_tables_say_what_runs_here() -> None:
    output = run()
    for text in (picojoule.__version__, torch.__version__, "cores of this process"):
        assert text in output
    found = rows(output)
    assert {found["lif", "reference"].split(",")[0], found["lif", "cpu"].split(",")[0]} == {"yes"}
    assert sum("auto" in answer for (op, _), answer in found.items() if op == "lif") == 1


def test_json_holds_the_same() -> None:
    found = json.loads(run("--json"))
    assert found["versions"]["picojoule"] == picojoule.__version__
    assert found["torch_threads"] == torch.get_num_threads()
    assert set(found["cache"]) == {"folder", "writable", "kernels", "why_not"}
    table = rows(run())
    for row in found["implementations"]:
        if row["device"] == "cpu":
            answer = table[row["op"], row["implementation"]]
            assert answer.startswith("yes") == (row["why_not"] is None)
            assert ("auto" in answer) == row["auto"]


def test_the_profiles_say_what_a_zero_weight_costs() -> None:
    table = [line.split("│") for line in run().splitlines()]
    cells = {c[1].strip(): c[4].strip() for c in table if len(c) == 6}
    chips = json.loads(run("--json"))["profiles"]
    assert cells.keys() == chips.keys()
    words = {True: "skipped", False: "cost as much", None: "unknown"}
    assert cells == {name: words[chip["skips_zero_weights"]] for name, chip in chips.items()}
    assert cells["odin"] != cells["loihi"] != cells["speck"]


def test_without_numba_it_says_so(tmp_path: Path) -> None:
    output = broken("numba", tmp_path)
    assert "no: numba is not installed" in output
    assert rows(output)["lif", "reference"] == 'yes, "auto" takes it'


def test_a_kernel_that_cannot_be_compiled_shows_the_error(tmp_path: Path) -> None:
    answer = rows(broken("numba.core", tmp_path))["lif", "cpu"]
    assert answer.startswith("no: the kernel could not be compiled: ")
    assert "numba.core" in answer
