"""What `picojoule train` prints of networks that others trip over, and without what is optional."""

import sys
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner, Result

from picojoule.cli.app import app
from picojoule.layers import IAF, LIF
from tests.training.commands import NETWORKS
from tests.training.networks import CLASSES, INPUTS, TIME

HERE = Path(__file__)


def silent() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 8), LIF(10.0), nn.Linear(8, CLASSES), LIF(10.0))


def analog() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(INPUTS * TIME, 8), nn.ReLU(), nn.Linear(8, 3))


class Hostile(nn.Module):
    """Names that are markup, and one that would colour the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("[/x]", nn.Linear(INPUTS, 8))
        self.add_module("a\x1b[31m\nb", IAF())
        self.add_module("[bold]c", nn.Linear(8, CLASSES))
        self.add_module("$d", IAF())

    def forward(self, x: object) -> object:
        for layer in self.children():
            x = layer(x)
        return x


def train(out: Path, model: str, *arguments: object, width: int = 80) -> Result:
    settings = ["--data", f"{NETWORKS}:data", "--epochs", 1, "--batch-size", 8, "--out", out]
    settings += ["--optimizer", "adam", "--readout", "count"]
    every = ["train", "--model", model, *settings, *arguments]
    return CliRunner(env={"COLUMNS": str(width)}).invoke(app, [str(a) for a in every])


def test_a_network_that_never_fires_trains_to_its_tables(tmp_path: Path) -> None:
    done = train(tmp_path / "run", f"{HERE}:silent")
    assert done.exit_code == 3, done.output
    assert "norm_input=False" in done.output.replace("\n", " ")
    assert "0 after 0 SynOps in the layers that training can change" in done.output
    assert "all 13 samples are answered with class 0 on the test set" in done.output
    assert "fell silent" not in done.output  # it was silent before


def test_a_network_without_spikes_trains_to_its_tables(tmp_path: Path) -> None:
    done = train(tmp_path / "run", f"{HERE}:analog", "--no-budget")
    assert done.exit_code == 0, done.output
    assert "Spikes per neuron" not in done.output
    assert "Test accuracy" in done.output
    assert not (tmp_path / "run/firing_rates.png").exists()


def test_names_of_layers_are_shown_as_they_are(tmp_path: Path) -> None:
    arguments = ["--synops-per-timestep", "[/x]=1e-9,[bold]c=1e-9", "--no-compare"]
    done = train(tmp_path / "run", f"{HERE}:Hostile", *arguments)
    assert done.exit_code == 3, done.output
    for name in ("[/x]", r"a\x1b[31m\nb", "[bold]c", "$d"):
        assert f"│ {name} " in done.output
    assert "synops_per_timestep of [/x]" in done.output
    assert "\x1b" not in done.output


def test_an_error_obeys_no_control_characters(tmp_path: Path) -> None:
    done = train(tmp_path / "run", "\x1b[31mnet")
    assert done.exit_code == 1
    assert "\x1b" not in done.output


def test_layers_with_mere_numbers_have_their_type_beside_them(tmp_path: Path) -> None:
    done = train(tmp_path / "run", f"{NETWORKS}:model", "--no-compare")
    assert "│ 2 Linear " in done.output
    assert "│ 3 IAF " in done.output


def test_without_matplotlib_a_run_ends_without_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = train(tmp_path / "run", f"{NETWORKS}:model", "--no-compare")
    assert done.exit_code == 0, done.output
    said = done.output.replace("\n", " ")
    assert said.index("pip install 'picojoule[plot]'") < said.index("training")
    assert f"Figures and weights are in {tmp_path / 'run'}" in said
    assert (tmp_path / "run/report.json").exists()
    assert not [*(tmp_path / "run").glob("*.png")]

    monkeypatch.undo()
    done = train(tmp_path / "run", f"{NETWORKS}:model", "--no-compare", "--resume")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run/synops.png").exists()
