"""Cold imports: light, and clear about what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.python import python

HEAVY = [
    "aedat",
    "h5py",
    "lightning_fabric",
    "matplotlib",
    "nir",
    "numba",
    "optuna",
    "safetensors",
    "sqlalchemy",
    "tensorboard",
    "typer",
    "triton",
]
EXTRAS = [
    *("aedat", "h5py", "lightning_fabric", "matplotlib", "nir", "optuna", "psycopg"),
    *("safetensors", "sqlalchemy", "tensorboard", "yaml"),
]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return python("-c", code)


def blocking(module: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter in which a module cannot be imported."""
    return run(f"import sys; sys.modules[{module!r}] = None\n{code}")


def test_importing_the_package_loads_no_extra_and_no_sinabs() -> None:
    code = f"import torch, sys; before = set(sys.modules); import picojoule; print([m for m in {[*HEAVY, 'sinabs']} if m in set(sys.modules) - before])"
    assert run(code).stdout.strip() == "[]"


def test_hooks_come_with_the_package() -> None:
    code = "import picojoule; print(picojoule.hooks.register_synops_hooks.__name__)"
    assert run(code).stdout.strip() == "register_synops_hooks"


@pytest.mark.parametrize(
    "module",
    ["aedat", "h5py", "lightning_fabric", "matplotlib", "nir", "optuna", "safetensors", "typer"],
)
def test_the_package_works_without_each_extra(module: str) -> None:
    code = "import torch, picojoule as p; print(p.layers.IAF()(torch.ones(1, 2, 1)).sum().item())"
    assert blocking(module, code).stdout.strip() == "2.0"


@pytest.mark.parametrize(
    ("module", "code", "extra"),
    [
        (
            "matplotlib.figure",
            "from pathlib import Path; from picojoule.plots import plot_synops; plot_synops({'a': [1.0]}, 1.0, Path('x'))",
            "picojoule[plot]",
        ),
        (
            "safetensors",
            "from pathlib import Path; import torch; from picojoule.training import load_checkpoint; load_checkpoint(Path('x'), torch.nn.Linear(1, 1))",
            "picojoule[train]",
        ),
        (
            "h5py",
            "from pathlib import Path; from picojoule.data import load_shd; load_shd(Path('x'))",
            "picojoule[events]",
        ),
        (
            "aedat",
            "from pathlib import Path; from picojoule.data.aedat4 import read_aedat4; read_aedat4(Path('x'))",
            "picojoule[events]",
        ),
        ("nir", "import picojoule as p; p.from_nir('x.nir')", "picojoule[nir]"),
    ],
)
def test_a_missing_extra_says_how_to_get_it(module: str, code: str, extra: str) -> None:
    done = blocking(module, code)
    assert done.returncode != 0
    assert f"pip install '{extra}'" in done.stderr


def commands(*each: list[str]) -> list[tuple[int, str]]:
    """Status and output of `picojoule` commands in an interpreter in which no extra can be imported."""
    code = (
        f"import json, sys; sys.modules.update(dict.fromkeys({EXTRAS}))\n"
        "from typer.testing import CliRunner\n"
        "from picojoule.cli.app import app\n"
        f"done = [CliRunner().invoke(app, each) for each in {each}]\n"
        "print(json.dumps([(each.exit_code, each.output) for each in done]))"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    return [(status, output) for status, output in json.loads(done.stdout)]


def test_a_base_install_has_the_commands_that_need_no_extra() -> None:
    count = ["count", "tests.training.networks:model", "--input", "2,4,6"]
    done = commands(["--version"], ["--help"], ["info"], count)
    for (status, output), words in zip(
        done, ("picojoule 0.", "sweep", "reference", "total"), strict=True
    ):
        assert status == 0, output
        assert words in output


def test_training_in_a_base_install_names_the_extra_and_leaves_nothing(tmp_path: Path) -> None:
    out, file = ["--out", str(tmp_path / "run")], tmp_path / "run.yaml"
    file.write_text("epochs: 1")
    train, sweep = ["train", *out], ["sweep", "--budgets", "0.5", *out]
    for status, output in commands(train, [*train, "--config", str(file)], sweep):
        assert status == 1
        assert "pip install 'picojoule[train]'" in output
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_layers_first_call_loads_no_compiler() -> None:
    code = (
        "import sys, torch, picojoule as p\n"
        "p.layers.LIF(5.0)(torch.ones(1, 2, 1, requires_grad=True)).sum().backward()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert run(code).stdout.strip() == "False"


def test_importing_the_package_loads_nothing_else_not_even_pytorch() -> None:
    code = (
        "import sys, importlib, typing; before = set(sys.modules); import picojoule\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == ["picojoule", "picojoule.version"]


def test_building_neurons_loads_what_they_need_and_no_more() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import picojoule; picojoule.layers\n"
        "print({m.split('.')[1] for m in set(sys.modules) - before if m.startswith('picojoule.')})\n"
        "print([m for m in set(sys.modules) - before if not m.startswith('picojoule')])"
    )
    packages, others = run(code).stdout.splitlines()
    assert eval(packages) == {"activation", "layers", "ops", "version"}
    assert eval(others) == []


def test_the_rest_comes_when_it_is_asked_for() -> None:
    code = (
        "import picojoule; from picojoule import *\n"
        "assert set(picojoule.__all__) <= set(dir(picojoule))\n"
        "assert Monitor is picojoule.report.Monitor and Budget is picojoule.budget.Budget\n"
        "assert callable(picojoule.from_model) and picojoule.plots\n"
        "print(hasattr(picojoule, 'no_such_thing'))"
    )
    assert run(code).stdout.strip() == "False"
