"""`picojoule count` has the options that the Monitor's warnings name, and what a paper needs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import picojoule
from tests.cli.test_count_command import PART, refused, run

NETWORKS = '''
import torch
from torch import nn

import part
from picojoule.layers import IAF


class Fires(nn.Module):
    """A neuron that nobody knows; a spike a step where its potential has reached 1."""

    def __init__(self):
        super().__init__()
        self.v = None

    def forward(self, x):
        self.v = x if self.v is None else self.v + x
        spikes = (self.v >= 1).float()
        self.v = self.v - spikes
        return spikes


class Halves(nn.Module):
    """Gives out spikes that are worth a half."""

    def forward(self, x):
        return 0.5 * (x > 0).float()


def build():
    return nn.Sequential(part.ones(nn.Linear(3, 4, bias=False)), IAF(), part.ones(nn.Linear(4, 2)))


def step():
    """Takes one time step a call."""
    return nn.Sequential(part.ones(nn.Linear(3, 4, bias=False)), Fires(), part.ones(nn.Linear(4, 2)))


def halves():
    return nn.Sequential(nn.Linear(3, 4), Halves(), part.ones(nn.Linear(4, 2)))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = part.ones(nn.Linear(3, 4)), part.ones(nn.Linear(6, 2))

    def forward(self, a, b):
        return self.first(a).sum() + self.second(b).sum()
'''


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("networks.py").write_text(NETWORKS)
    Path("part.py").write_text(PART)
    np.save("ones.npy", np.ones((5, 10, 3)))
    np.save("halves.npy", 0.5 * np.ones((5, 10, 3)))
    samples = np.zeros((3, 4, 3))
    for sample, spikes in enumerate((2, 5, 8)):
        samples[sample].flat[:spikes] = 1
    np.save("uneven.npy", samples)


def counted(*arguments: str) -> dict[str, object]:
    done = run(*arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def totals(*arguments: str) -> tuple[float, float]:
    found = counted(*arguments)["totals"]
    assert isinstance(found, dict)
    return found["synops_per_sample"], found["macs_per_sample"]


# ---- what the input is


def test_a_dense_looking_input_can_be_spikes_and_the_other_way_round() -> None:
    net = "./networks.py:build"
    dense = totals(net, "--input", "halves.npy")
    assert dense[1] == 10 * 12
    told = totals(net, "--input", "halves.npy", "--input-kind", "spikes")
    assert told == (0.5 * 10 * 12 + dense[0], 0)
    ones = totals(net, "--input", "ones.npy")
    assert ones == (10 * 12 + 10 * 4 * 3 * 2, 0)  # three spikes a step and neuron
    assert totals(net, "--input", "ones.npy", "--input-kind", "dense")[1] == 10 * 12
    kind = counted(net, "--input", "ones.npy", "--input-kind", "dense")["inputs"]
    assert kind == [{"shape": [5, 10, 3], "kind": "dense"}]


@pytest.mark.parametrize("named", ["1", "Halves"])
def test_spiking_layers_are_named_by_module_or_type(named: str) -> None:
    arguments = ("./networks.py:halves", "--input", "ones.npy", "--time-axis", "bt")
    unknown = counted(*arguments)["layers"]
    known = counted(*arguments, "--spiking", named)["layers"]
    assert isinstance(unknown, list)
    assert isinstance(known, list)
    assert [row["name"] for row in known] == ["0", "1", "2"]
    assert known[1]["firing_rate"] is not None
    assert known[2]["input"] in ("spikes", "silent")


# ---- one step a call


def test_a_model_of_one_step_a_call_is_called_once_a_step() -> None:
    net = ("./networks.py:step", "--input", "ones.npy")
    found = counted(*net, "--time-axis", "outer", "--spiking", "Fires")
    assert (found["samples"], found["num_timesteps"]) == (5, 10)
    # 3 spikes x 4 synapses a step; each neuron gets 3 and fires once a step: 4 spikes x 2 synapses
    assert totals(*net, "--time-axis", "outer", "--spiking", "Fires") == (10 * (12 + 8), 0)
    assert totals(*net, "--time-axis", "outer", "--num-timesteps", "10")[0] > 0


def test_it_is_told_that_the_input_is_cut_into_steps() -> None:
    done = run("./networks.py:step", "--input", "ones.npy", "--time-axis", "outer")
    assert "Input: ones.npy, of shape 5,10,3, one time step a call." in done.stderr
    assert "mean over 5 samples of 10 time steps" in done.stdout
    assert "one time step a call" not in run("./networks.py:build", "--input", "ones.npy").stderr


def test_tokens_that_the_model_takes_as_floats_alone_count_once() -> None:
    np.save("counts.npy", np.ones((5, 10, 3), np.uint8))
    net = ("./networks.py:step", "--time-axis", "outer", "--spiking", "Fires")
    as_floats = totals(*net, "--input", "counts.npy")
    assert as_floats == totals(*net, "--input", "ones.npy")


def test_help_leads_to_the_right_time_axis() -> None:
    done = picojoule_help("count")
    assert "outer, the model takes one step a call" in done
    assert "loop, the model makes the steps itself" in done


def picojoule_help(command: str) -> str:
    from typer.testing import CliRunner

    from picojoule.cli.app import app

    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [command, "--help"]).output
    return " ".join(shown.replace("│", " ").split())


# ---- warnings


def test_warnings_name_what_can_be_typed() -> None:
    found = counted("./networks.py:step", "--input", "ones.npy")["warnings"]
    assert isinstance(found, list)
    said = " ".join(found)
    assert "--spiking the types or names of modules that spike" in said
    assert "--num-timesteps and --samples, or --time-axis" in said
    for python in ("spiking=", "time_axis=", "num_timesteps=", "samples="):
        assert python not in said
    shown = run("./networks.py:step", "--input", "ones.npy").stdout
    assert "--spiking the types or names" in shown
    settled = run(
        "./networks.py:step", "--input", "ones.npy", "--spiking", "Fires", "--time-axis", "outer"
    )
    assert "--spiking" not in settled.stdout


def test_notes_name_what_can_be_typed() -> None:
    shown = run("./networks.py:build", "--input", "ones.npy", "--profile", "loihi").stdout
    assert "--weights nonzero leaves them out." in shown
    assert "weights='nonzero'" not in shown


# ---- several inputs


def test_inputs_of_other_shapes_and_files_go_together() -> None:
    torch.save(torch.ones(7, 6), "b.pt")
    for inputs in (
        ("ones.npy", "b.pt"),
        ("ones.npy", "7,6"),
        ("5,10,3", "b.pt"),
        ("5x10x3", "7,6"),
    ):
        arguments = [word for each in inputs for word in ("--input", each)]
        found = counted("./networks.py:Two", *arguments)
        assert isinstance(found["inputs"], list)
        assert [each["shape"] for each in found["inputs"]] == [[5, 10, 3], [7, 6]]
    done = run("./networks.py:Two", "--input", "ones.npy", "--input", "7,6")
    assert "Input: ones.npy, of shape 5,10,3; random spikes of shape 7,6, each" in done.stderr


# ---- for a paper


def test_several_profiles_stand_side_by_side() -> None:
    profiles = ("--profile", "loihi", "--profile", "45nm-fp32+step")
    shown = run("./networks.py:build", "--input", "ones.npy", *profiles).stdout
    assert "Energy per sample on loihi and 45nm-fp32+step, modelled" in shown
    two = counted("./networks.py:build", "--input", "ones.npy", *profiles)["energy_j"]
    assert isinstance(two, list)
    assert [each["profile"] for each in two] == ["loihi", "45nm-fp32+step"]
    one = counted("./networks.py:build", "--input", "ones.npy", *profiles[:2])["energy_j"]
    assert one == two[0]


def test_the_spread_is_there_on_request() -> None:
    net = ("./networks.py:build", "--input", "uneven.npy")
    assert "60 ± 36" in run(*net, "--spread").stdout
    assert "±" not in run(*net).stdout


@pytest.mark.parametrize("form", ["table", "json", "latex"])
def test_the_methods_stand_beside_the_report(form: str) -> None:
    net = ("./networks.py:build", "--input", "uneven.npy", "--format", form)
    done = run(*net, "--methods", "--profile", "loihi")
    said = "Synaptic operations (SynOps) of the network (Sequential) were counted while it ran"
    assert said in (done.stdout if form == "table" else done.stderr)
    assert done.exit_code == 0
    if form == "json":
        json.loads(done.stdout)
    assert said not in run(*net).output


def test_a_page_has_the_pictures_of_to_html() -> None:
    pytest.importorskip("matplotlib")
    run("./networks.py:build", "--input", "ones.npy", "--profile", "loihi", "--output", "net.html")
    page = Path("net.html").read_text()
    model = __import__("networks").build()
    with picojoule.Monitor(model) as monitor:
        model(torch.ones(5, 10, 3))
    own = monitor.report().to_html(profile="loihi")
    assert [part.split('"')[0] for part in page.split('alt="')[1:]] == [
        part.split('"')[0] for part in own.split('alt="')[1:]
    ]
    assert page.count("<img") == 3


def test_errors_of_the_options_together() -> None:
    outer = ("./networks.py:step", "--time-axis", "outer")
    assert "of shape 5,10,3; 7" in refused(*outer, "--input", "ones.npy", "--input", "7")
