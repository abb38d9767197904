"""Every code block of README and the site is run: as a cell when the site is built, or here.

Cells (`{code-cell}`) run in the build. What is left are commands and what this machine has no device, package or
data for. Each has a test below, or a line in NOT_RUN that says why it has none.
"""

# More than 250 lines: what runs each kind of block, beside the blocks that it is for.

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from packaging.requirements import Requirement
from torch import nn
from typer.testing import CliRunner

import picojoule.layers as pl
from picojoule.cli.app import app
from picojoule.cli.train_flags import FLAGS, stated_by
from picojoule.training.settings.stated import resolved
from tests.children import free_port
from tests.cli.test_train_command import small_idx_folder
from tests.docs.blocks import ROOT, Block, all_blocks, blocks_of, commands_in_sentences
from tests.docs.runners import RUNNERS, on_two_processes
from tests.examples.test_lightning_callback import example  # noqa: F401  (a fixture)
from tests.training.sweeping.postgresql import running

BLOCKS = [block for block in all_blocks() if not block.is_directive]
SHELL = [block for block in BLOCKS if block.info in ("bash", "console")]
OTHERS = [block for block in BLOCKS if block not in SHELL]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# blocks that are run elsewhere, by page and first line
ELSEWHERE = {("README.md", "import torch"): "tests/test_readme.py"}
# programs of blocks that are checked and not run, by their first words
NOT_RUN = {
    "pip install": "`make release-check` installs each extra into an empty environment",
    "make test": "it is what runs this",
    "make format": "it changes the tree",
    ".venv/bin/pre-commit install": "it changes the clone's hooks",
}


def first_line(block: Block) -> str:
    return block.text.strip().splitlines()[0]


def named(block: Block) -> tuple[str, str]:
    return block.page, first_line(block)


# ---- somebody runs each


def test_each_block_is_run_here_in_the_build_or_where_a_line_says() -> None:
    known = {*ELSEWHERE, *RUNNERS, *CHECKSUMS}
    strangers = [str(block) for block in OTHERS if named(block) not in known]
    assert not strangers, "make cells of them, or say here what runs them"
    for block in SHELL:
        for words in block.commands:
            assert program(words) in CHECKED, f"{block}: nothing here can check {words}"
    assert known <= {named(block) for block in OTHERS}, "a line for a block that is not there"
    assert all((ROOT / file).exists() for file in ELSEWHERE.values())


def test_cells_are_on_pages_that_the_build_runs() -> None:
    for block in all_blocks():
        if block.info.startswith("{code-cell}"):
            head = (ROOT / block.page).read_text().split("---")[1]
            assert "file_format: mystnb" in head, block
            assert block.page.startswith("docs/"), block


def test_a_block_that_nobody_knows_is_seen() -> None:
    text = (
        "```{code-cell}\na\n```\n:::{card}\n```bash\nx \\\n  y # z\n```\n:::\n~~~python\nb\n~~~\n"
    )
    cell, shell, python = blocks_of("page.md", text)
    assert cell.is_directive
    assert shell.commands == [["x", "y"]]
    assert (python.info, python.line, named(python)) == ("python", 10, ("page.md", "b"))


# ---- commands can be typed


def program(words: list[str]) -> str:
    return "picojoule" if words[0].endswith("picojoule") else Path(words[0]).name


def typed(words: list[str]) -> None:
    """A `picojoule` command with all its flags, and the settings that they state."""
    name, *rest = words[1:]
    if name.startswith("-"):
        assert name in CliRunner().invoke(app, ["--help"]).output
        return
    with COMMANDS[name].make_context(name, rest) as context:
        given: dict[str, Any] = context.params
    if name in ("train", "sweep"):
        settings = {flag.name for flag in FLAGS} | {"group", "unreachable", "no_budget"}
        resolved(stated_by({key: given[key] for key in settings & given.keys()}))


def launches(words: list[str]) -> None:
    typed(words[words.index("picojoule") :])


def installs(words: list[str]) -> None:
    assert words[1] == "install"
    for word in words[2:]:
        extras = (
            set(Requirement(word).extras)
            if not word.startswith(".")
            else set(re.findall(r"\w+", word))
        )
        assert extras <= PROJECT["optional-dependencies"].keys(), word


def is_a_target(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in words[1:]:
        assert re.search(rf"^{target}:", makefile, re.M), target


def is_a_module(words: list[str]) -> None:
    assert words[1] == "-m"
    assert (ROOT / "src" / Path(*words[2].split("."))).exists()


def has_hooks(words: list[str]) -> None:
    assert (ROOT / ".pre-commit-config.yaml").exists()
    assert any(each.startswith("pre-commit") for each in PROJECT["optional-dependencies"]["dev"])


CHECKED: dict[str, Callable[[list[str]], None]] = {
    "picojoule": typed,
    "torchrun": launches,
    "pip": installs,
    "make": is_a_target,
    "python": is_a_module,
    "pre-commit": has_hooks,
}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_its_commands_can_be_typed(block: Block) -> None:
    for words in block.commands:
        CHECKED[program(words)](words)


@pytest.mark.parametrize(("page", "command"), commands_in_sentences())
def test_a_command_in_a_sentence_has_a_name_and_flags_that_there_are(
    page: str, command: str
) -> None:
    name, *words = command.split()[1:]
    if name in ("COMMAND", "--help", "--version", "--install-completion"):
        return
    assert name in COMMANDS
    shown = COMMANDS[name].params
    known = {flag for each in shown for flag in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


# ---- commands run

NET = """
import torch
from torch import nn
import picojoule.layers as pl


def build():
    return nn.Sequential(nn.Linear(3, 4), pl.IAF())
"""
SCRIPT = "import sys, sinabs.layers as sl\nassert sl.IAF.__module__.startswith('picojoule')\n"
MODULE_TEST = (
    "import sinabs\n\ndef test_it():\n    assert 'picojoule' in sinabs.reset_states.__module__\n"
)
# smaller than on the page, of the same flags: what a run does in minutes, in seconds
LESS = {
    "--nproc-per-node 4": "--nproc-per-node 1",
    "--seeds 3": "--seeds 1",
    "--seeds 10": "--seeds 1",
    "--jobs 4": "--jobs 2",
}
SMALL = "--data images --epochs 1 --batch-size 12 --num-timesteps 2"
ENDS = {"train": {0, 3, 4}}  # 3, 4: what so small a run comes to
RUN = sorted({block.page for block in SHELL})


def in_a_folder(folder: Path) -> None:
    """With the files that pages speak of."""
    small_idx_folder(folder / "images")
    (folder / "script.py").write_text(SCRIPT)
    (folder / "tests").mkdir()
    (folder / "tests/test_it.py").write_text(MODULE_TEST)
    first_cell = next(b for b in all_blocks() if b.page == "docs/start.md" and b.is_directive)
    (folder / "net.py").write_text(first_cell.text + NET)
    np.save(folder / "frames.npy", np.ones((5, 10, 3), np.float32))
    from safetensors.torch import save_file

    made = nn.Sequential(nn.Linear(3, 4), pl.IAF())
    save_file(dict(made.state_dict()), folder / "weights.safetensors")


def as_run(words: list[str], folder: Path, database: str) -> list[str]:
    """The command with less to do, and where this machine has what it names."""
    text = " ".join(words)
    for much, less in LESS.items():
        text = text.replace(much, less)
    text = text.replace("/shared", f"{folder}/shared").replace(
        "host:29500", f"localhost:{free_port()}"
    )
    words = [database if each.startswith("postgresql://") else each for each in text.split()]
    if {"train", "sweep"} & {*words}:
        words += SMALL.split()
    return words


def out_of(words: list[str]) -> str:
    """Where a run's files go."""
    return words[words.index("--out") + 1] if "--out" in words else "runs/train"


def run_in(folder: Path, words: list[str]) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PATH": programs, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    nodes = 2 if "--nnodes 2" in " ".join(words) else 1
    started = [
        subprocess.Popen(words, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(nodes)
    ]  # fmt: skip
    try:
        outputs = [each.communicate(timeout=240)[0] for each in started]
    finally:
        for each in started:
            each.kill()
    allowed = ENDS.get(words[1], {0})
    if words[0] == "torchrun":  # any status but 0 is 1 there
        assert (folder / out_of(words) / "report.json").exists(), outputs
        allowed = {0, 1}
    assert {each.returncode for each in started} <= allowed, (words, outputs)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if "sweep_many_machines" not in request.node.name:
        yield ""
        return
    with running() as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_its_commands_run_in_their_order(page: str, tmp_path: Path, database: str) -> None:
    in_a_folder(tmp_path)
    for block in SHELL:
        if block.page != page:
            continue
        for words in block.commands:
            if any(" ".join(words).startswith(each) for each in NOT_RUN):
                continue
            run = as_run(words, tmp_path, database)
            if "train" in run and "--resume" not in run:
                shutil.rmtree(tmp_path / out_of(run), ignore_errors=True)  # each from the start
            run_in(tmp_path, run)


def test_the_count_of_a_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    in_a_folder(tmp_path)
    counts = [w for block in SHELL for w in block.commands if w[:2] == ["picojoule", "count"]]
    assert len(counts) > 3
    for words in counts:
        sys.modules.pop("net", None)
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, done.output


# ---- Python that wants what is not here


SLOW = [on_two_processes]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            block,
            id=str(block),
            marks=[pytest.mark.slow] if RUNNERS[named(block)] in SLOW else [],
        )
        for block in OTHERS
        if named(block) in RUNNERS
    ],
)
def test_its_python_runs(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    example: ModuleType,  # noqa: F811
) -> None:
    monkeypatch.chdir(tmp_path)
    RUNNERS[named(block)](block, tmp_path, example)


# ---- what is no program

CHECKSUMS = {
    (
        "src/picojoule/data/fashion_mnist/README.md",
        "8cdd6eb3db9f71d038db812672f156fd89a164a94f767144b5586d415d3cfa4f  train-images-idx3-ubyte.gz",
    )
}


@pytest.mark.parametrize("block", [b for b in OTHERS if named(b) in CHECKSUMS], ids=str)
def test_checksums_are_those_of_the_files(block: Block) -> None:
    for line in block.text.splitlines():
        digest, file = line.split()
        content = (ROOT / block.page).with_name(file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
