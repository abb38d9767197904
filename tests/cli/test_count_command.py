"""`picojoule count` as a user types it."""

import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from torch import nn
from typer.testing import CliRunner

import picojoule
from picojoule.cli.app import app
from picojoule.training import save_checkpoint
from tests.python import python

NETWORKS = """
import torch
from torch import nn

import part
from picojoule.layers import IAF, IAFSqueeze

THREE = 3
model = part.ones(nn.Linear(3, 4))


def build():
    return nn.Sequential(part.ones(nn.Linear(3, 4, bias=False)), IAF(), part.ones(nn.Linear(4, 2)))


def with_argument(width):
    return nn.Linear(width, width)


def words():
    return "no model"


class Distances(nn.Module):
    def __init__(self):
        super().__init__()
        self.points = nn.Parameter(torch.rand(3, 3))

    def forward(self, x):
        return torch.cdist(x, self.points)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.odd = nn.Linear(3, 4), Distances()

    def forward(self, x):
        return self.head(x).sum() + self.odd(x)
"""
PART = "def ones(layer):\n    layer.weight.data.fill_(1.0)\n    return layer\n"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("networks.py").write_text(NETWORKS)
    Path("part.py").write_text(PART)
    np.save("ones.npy", np.ones((5, 10, 3)))


def run(*arguments: str) -> Result:
    for name in ("networks", "part"):
        sys.modules.pop(name, None)
    return CliRunner().invoke(app, ["count", *arguments])


def counted(*arguments: str) -> str:
    done = run("./networks.py:build", "--input", "ones.npy", *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    return done.stderr


def test_the_table_is_the_report() -> None:
    output = counted()
    assert "mean over 5 samples of 10 time steps" in output
    (first,) = [line.split() for line in output.splitlines() if line.startswith("0 ")]
    assert first == ["0", "Linear", "spikes", "1.0000", "12", "120", "0"]


def test_json_alone_on_stdout() -> None:
    report = json.loads(counted("--format", "json", "--profile", "loihi", "--explain"))
    assert report["totals"]["synops_per_sample"] == 360
    assert report["energy_j"]["with_memory"] == pytest.approx(360 * 23.6e-12 + 40 * 81e-12)
    assert report["conventions"]["syops"]["synops_per_sample"] > 0


@pytest.mark.parametrize(
    ("form", "ending", "begin"),
    [
        ("table", ".txt", "Sequential: operations"),
        ("markdown", ".md", "**Sequential: operations"),
        ("latex", ".tex", "% needs \\usepackage{booktabs}"),
        ("html", ".html", "<!DOCTYPE html>"),
        ("json", ".json", "{"),
    ],
)
def test_formats_by_name_and_by_ending(form: str, ending: str, begin: str) -> None:
    printed = counted("--format", form)
    assert printed.startswith(begin)
    assert counted("--output", f"report{ending}") == ""
    assert Path(f"report{ending}").read_text() == printed


def test_an_output_that_cannot_be_written_leaves_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted("--output", "report.md")
    before = Path("report.md").read_bytes()
    names = set(Path().iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    told = refused("./networks.py:model", "--input", "5,3", "--output", "report.md")
    assert "No space left on device. The previous one is kept." in told
    assert Path("report.md").read_bytes() == before
    assert set(Path().iterdir()) == names


def test_an_output_that_is_a_link_is_written_through() -> None:
    Path("mine.md").touch()
    Path("link.md").symlink_to("mine.md")
    counted("--output", "link.md")
    assert Path("link.md").is_symlink()
    assert Path("mine.md").read_text().startswith("**Sequential")


def test_an_output_that_is_a_pipe_is_written_into() -> None:
    os.mkfifo("pipe.md")
    reader = os.open("pipe.md", os.O_RDONLY | os.O_NONBLOCK)
    counted("--output", "pipe.md")
    assert os.read(reader, 11) == b"**Sequentia"
    os.close(reader)
    assert Path("pipe.md").is_fifo()


def test_explain_follows_the_table() -> None:
    assert "spikingjelly (SpikingJelly 2.0.0" in counted("--explain")


def test_joules_follow_the_table() -> None:
    assert "Energy per sample on 45nm-int8" in counted("--profile", "45nm-int8")


def test_a_random_input_is_told_and_repeatable() -> None:
    arguments = ("./networks.py:model", "--input", "400x3", "--rate", "0.5", "--format", "json")
    first, second = run(*arguments), run(*arguments)
    assert "random spikes of shape 400,3, each with probability 0.5 (seed 0)" in first.stderr
    assert first.stdout == second.stdout
    assert json.loads(first.stdout)["totals"]["synops_per_sample"] == pytest.approx(6, rel=0.1)
    other = run(*arguments, "--seed", "1")
    assert other.stdout != first.stdout


def test_dense_input_is_macs() -> None:
    done = run("./networks.py:model", "--input", "5,3", "--dense", "--format", "json")
    totals = json.loads(done.stdout)["totals"]
    assert (totals["synops_per_sample"], totals["macs_per_sample"]) == (0, 12)


def test_a_nir_file() -> None:
    nir = pytest.importorskip("nir")
    model = nn.Sequential(nn.Linear(3, 4), picojoule.layers.LIF(10.0))
    nir.write("network.nir", picojoule.to_nir(model, torch.ones(1, 5, 3)))
    done = run("network.nir", "--input", "ones.npy", "--format", "json")
    assert json.loads(done.stdout)["totals"]["synops_per_sample"] == 120


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("nested", [True, False])
def test_weights_come_from_a_checkpoint(ending: str, nested: bool) -> None:
    save = pytest.importorskip("safetensors.torch").save_file
    pruned = nn.Linear(3, 4).state_dict()
    pruned["weight"] = torch.eye(4)[:, :3].contiguous()
    if ending == ".pt":
        torch.save({"state_dict": pruned, "epoch": 3} if nested else pruned, "weights.pt")
    elif nested:
        model = nn.Linear(3, 4)
        model.load_state_dict(pruned)
        save_checkpoint("weights.safetensors", model, progress={"average": torch.ones(1)})
    else:
        save(pruned, "weights.safetensors")
    arguments = ("--checkpoint", f"weights{ending}", "--weights", "nonzero", "--format", "json")
    done = run("./networks.py:model", "--input", "ones.npy", *arguments, "--time-axis", "bt")
    assert json.loads(done.stdout)["totals"]["synops_per_timestep"] == 3


def test_states_of_neurons_in_a_checkpoint_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), picojoule.layers.IAF(), nn.Linear(4, 2))
    model(torch.ones(7, 2, 3))
    torch.save(model.state_dict(), "weights.pt")
    assert counted("--checkpoint", "weights.pt")


def test_a_checkpoint_that_could_run_code_is_not_loaded() -> None:
    torch.save(nn.Linear(3, 4), "model.pt")
    message = refused("./networks.py:model", "--input", "5,3", "--checkpoint", "model.pt")
    assert "holds more than tensors" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere:build", "--input", "5,3"], "There is no module 'nowhere' on Python's path"),
        (["./nowhere.py:build", "--input", "5,3"], "There is no file nowhere.py"),
        (["nowhere.nir", "--input", "5,3"], "There is no file nowhere.nir"),
        (["build", "--input", "5,3"], "neither module:factory, nor file.py:factory, nor a .nir"),
        (["./networks.py:biuld", "--input", "5,3"], "Did you mean 'build'?"),
        (["./networks.py:THREE", "--input", "5,3"], "is of type int, neither a model nor"),
        (["./networks.py:with_argument", "--input", "5,3"], "without arguments"),
        (["./networks.py:words", "--input", "5,3"], "gave a value of type str"),
        (["./networks.py:build", "--input", "5,10,4"], "does not take an input of shape 5,10,4"),
        (["./networks.py:build", "--input", "5,ten"], "expected a shape with the batch first"),
        (["./networks.py:build", "--input", "5,0,3"], "expected a shape with the batch first"),
        (["./networks.py:build", "--input", "none.npy"], "none.npy: No such file"),
        (["./networks.py:build", "--input", "5,3", "--rate", "2"], "--rate is 2.0"),
        (["./networks.py:build", "--input", "5,3", "--profile", "lohi"], "Nearest: loihi"),
        (["./networks.py:build", "--input", "5,3", "--profile", "speck"], "no energy per operation"),
        (["./networks.py:Two", "--input", "5,3"], "layer 'odd' (Distances) has weights but no form"),
        (["./networks.py:build", "--input", "5,3", "--ignore", "9"], "no such module"),
        (["./networks.py:build", "--input", "5,3", "--num-timesteps", "0"], "--num-timesteps is 0"),
        (["./networks.py:build", "--input", "5,10,3", "--time-axis", "folded", "--num-timesteps", "7"], "no multiple of it"),
        (["./networks.py:build", "--input", "5,3", "--output", "a.pdf"], "names no format; give --format"),
        (["./networks.py:build", "--input", "5,3", "--output", "."], "a folder; name a file in it"),
        (["./networks.py:build", "--input", "5,3", "--output", "no/a.md"], "there is no folder no"),
        (["damaged.nir", "--input", "5,3"], "damaged.nir is no NIR file, or a damaged one"),
        (["./networks.py:model", "--input", "5,3", "--checkpoint", "no.pt"], "No such file"),
        (["./networks.py:model", "--input", "5,3", "--checkpoint", "ones.npy"], "holds more than"),
        (["./networks.py:model", "--input", "5,3", "--checkpoint", "other.pt"], "has shape (4, 7)"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(arguments: list[str], message: str) -> None:
    torch.save(nn.Linear(7, 4).state_dict(), "other.pt")
    Path("damaged.nir").write_bytes(b"no HDF5")
    assert message in refused(*arguments)


def test_a_module_that_lacks_a_package_says_which() -> None:
    Path("broken.py").write_text("import a_missing_package\n")
    message = refused("./broken.py:build", "--input", "5,3")
    assert "broken.py could not be imported: No module named 'a_missing_package'" in message


def test_a_layer_without_a_formula_has_ways_on_that_can_be_typed() -> None:
    assert refused("./networks.py:Two", "--input", "5,3").strip() == (
        "picojoule count: layer 'odd' (Distances) has weights but no formula, so its SynOps are unknown. "
        "Leave it out with --ignore odd, or give its formula in Python: "
        "picojoule.Monitor(model, formulas={Distances: your_formula})."
    )


def test_a_model_without_a_formula_cannot_be_left_out() -> None:
    assert refused("./networks.py:Distances", "--input", "5,3").strip() == (
        "picojoule count: the model itself (Distances) has weights but no formula, so its SynOps are "
        "unknown. Give its formula in Python: "
        "picojoule.Monitor(model, formulas={Distances: your_formula})."
    )


def test_help_tells_the_format_that_is_taken() -> None:
    done = CliRunner().invoke(app, ["count", "--help"], env={"COLUMNS": "200"})
    assert "Default: table, or by --output's ending." in done.output


def test_what_has_no_formula_can_be_ignored() -> None:
    assert run("./networks.py:Two", "--input", "5,3", "--ignore", "odd").exit_code == 0


def test_code_of_the_current_folder_is_imported_only_when_named() -> None:
    """The console script: Python does not put the current folder on its path."""
    code = "import sys; sys.path.remove(''); sys.argv = ['picojoule', *sys.argv[1:]]\nfrom picojoule.cli import main; main()"
    for name, status in (("networks:build", 1), ("./networks.py:build", 0)):
        done = python("-c", code, "count", name, "--input", "5,10,3")
        assert done.returncode == status, done.stderr
        assert status == 0 or "Did you mean ./networks.py:build?" in done.stderr
