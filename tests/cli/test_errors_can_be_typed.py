"""An error of the command line ends in what to type: an option, a command, or a line of Python."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from picojoule.cli.app import app

NETWORKS = """
import torch
from torch import nn
from picojoule.layers import IAF

THREE = 3


def build():
    return nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2), IAF())


def raising():
    return {}["depth"]


class Distances(nn.Module):
    def __init__(self):
        super().__init__()
        self.points = nn.Parameter(torch.rand(2, 4))

    def forward(self, x):
        return torch.cdist(x, self.points)


def odd():
    return nn.Sequential(nn.Linear(3, 4), Distances())


def data():
    return [(torch.rand(5, 3), 0)] * 8, [(torch.rand(5, 3), 1)] * 4
"""

TYPED = re.compile(
    r"--[a-z]|Give EVENTS|picojoule [a-z]+|picojoule\.[A-Z]|\./[\w.]+|Did you mean|Nearest: |python [\w.]+|mkdir -p|PICOJOULE_TRACEBACK=1|"
    r"torch\.save\(|numpy\.save\(|expected one of "
)
NET = "./networks.py:build"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("networks", None)
    Path("networks.py").write_text(NETWORKS)
    Path("broken.py").write_text("def build(:\n")
    Path("empty").mkdir()
    Path("damaged.npy").write_bytes(b"no array")
    np.save("ones.npy", np.ones((5, 10, 3)))
    np.save("events.npy", np.zeros(5, [("t", int), ("x", int), ("y", int), ("p", int)]))
    torch.save(nn.Linear(7, 4).state_dict(), "other.pt")


def refused(command: str) -> str:
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    return done.stderr.strip()


COUNT = {
    "./nowhere.py:build --input 5,3": "There is no file nowhere.py.",
    "./network.py:build --input 5,3": "Did you mean ./networks.py:build?",
    "nowhere.nir --input 5,3": "as in ./mynet.nir.",
    "nowhere:build --input 5,3": "as in ./mynet.py:build.",
    "./networks.py --input 5,3": "Add the function that makes it, as in ./networks.py:build. There are build, raising,",
    "./broken.py --input 5,3": "as in ./broken.py:build.",
    "build --input 5,3": "Example: ./mynet.py:build",
    "lenett": "Did you mean 'lenet'?",
    "./networks.py:biuld --input 5,3": "Did you mean 'build'?",
    "./networks.py:THREE --input 5,3": "as in ./mynet.py:build.",
    "./networks.py:raising --input 5,3": "put PICOJOULE_TRACEBACK=1 before the command.",
    "./broken.py:build --input 5,3": "python broken.py shows the place.",
    NET: "such as --input 1,50,2,34,34",
    f"{NET} --input 5,10,4": "Give the shape that it takes with --input, batch first",
    f"{NET} --input 5,3 --input 5,3": "if it takes several, --input for each.",
    f"{NET} --input none.npy": "--input none.npy: No such file or directory. Give --input the path of a file that is there.",
    f"{NET} --input damaged.npy": "numpy.save('damaged.npy', array) writes one.",
    f"{NET} --input 5,3 --rate 2": "--rate is 2.0, expected a probability, 0 to 1.",
    f"{NET} --input 5,3 --profile lohi": "picojoule info tells what each costs.",
    f"{NET} --input 5,3 --profile speck": "of those that picojoule info lists.",
    f"{NET} --input 5,3 --profile loihi+step": "as in --profile 45nm-int8+step.",
    f"{NET} --input 5,3 --profile loihi+stp": "Name one of these, as in --profile 45nm-int8+step.",
    f"{NET} --input 5,3 --profile odin --profile odin": "Name each --profile once.",
    f"{NET} --input 5,3 --ignore 9": "--ignore names '9', but the model has no such module. Did you mean",
    f"{NET} --input 5,3 --spiking 9": "--spiking is '9', but the model has no module and no type of module of that name.",
    f"{NET} --input 5,3 --num-timesteps 0": "--num-timesteps is 0, expected a whole number >= 1.",
    f"{NET} --input 5,10,3 --num-timesteps 7": "and --time-axis, where the input has them",
    f"{NET} --input 5,10,3 --time-axis outer --num-timesteps 7": "Leave --num-timesteps out.",
    f"{NET} --input 5 --time-axis outer": "Give the batch first, then the time, such as --input 1,50,2,34,34.",
    f"{NET} --input 5,3 --output no/a.md": "Make it first: mkdir -p no",
    f"{NET} --input 5,10,3 --checkpoint no.pt": "--checkpoint no.pt: No such file or directory. Give --checkpoint the path",
    f"{NET} --input 5,10,3 --checkpoint ones.npy": "Save torch.save(model.state_dict(), file)",
    "./networks.py:odd --input 5,3": "Leave it out with --ignore 1, or give its formula in Python",
    "lenet --input 5,3": "Give --input 1,5,1,28,28, or the like.",
}
TRAIN = {
    "--model ./network.py:build": "Did you mean ./networks.py:build?",
    "--model lenett": "Choose one of lenet, recurrent, or name a function that makes yours: module:factory or ./file.py:factory.",
    "--data nowhere": "--data nowhere: no such folder. Name the one in which the files lie.",
    "--data empty": "--data empty has no known layout",
    "--config nothing.yaml": "--config nothing.yaml: No such file or directory. Give --config the path",
    "--start-from no.safetensors": "--start-from no.safetensors: No such file or directory. Give --start-from the path",
    "--teacher no.pt": "--teacher no.pt: No such file or directory. Give --teacher the path",
    "--resume --out nothing": "leave --resume out to begin one.",
    "--out ones.npy": "Choose another --out.",
    "--energy-j 1e-6": "Give a profile, such as --profile loihi.",
    "--energy-j 1e-6 --profile lohi": "picojoule info tells what each costs.",
    "--no-budget --synops-per-timestep 2e3": "--no-budget and --synops-per-timestep contradict each other. Leave one of them out.",
    "--group tail": "such as --group tail=4,7.",
    "--group tail=4,7 --group tail=4": "Name each once, as in --group tail=4,7.",
    "--optimizer sdg": "--optimizer is sdg, expected one of adam, adamw, sgd, muon.",
    "--learning-rate -1": "--learning-rate is -1.0, expected a number > 0.",
    "--per group --synops-per-timestep 2e3": "--per group needs --group NAME=LAYER,..., with a layer in each.",
    "--unreachable nothing": "--unreachable: the model has no constraint 'nothing'. Did you mean",
    "--devices 4096": "--devices is 4096, expected at most",
    "--model ./networks.py:odd --data ./networks.py:data": "In Python picojoule.Monitor(model, formulas={Distances: your_formula}) counts it",
}  # fmt: skip
SWEEP = {
    "--budgets a,b": "--budgets is 'a,b', expected numbers such as 0.5,0.25,0.1.",
    "--budgets ,": "--budgets is ',', expected numbers such as 0.5,0.25,0.1.",
    "--budgets 2": "For SynOps or joules give --unit one of synops_per_timestep",
    "--budgets 0.5 --unit energy_j": "such as --profile loihi.",
    "--budgets 0.5 --axis epochs": "such as --axis num-timesteps=3,5.",
    "--budgets 0.5 --axis epochs=2,3 --epochs 2": "--axis epochs and --epochs contradict each other. Leave one of them out.",
    "--budgets 0.5 --seeds 0": "--seeds is 0, expected a whole number >= 1.",
    "--budgets 0.5 --within 3": "--within is 3.0, expected a share",
    "--budgets 0.5 --beside nothing.json": "--beside nothing.json: No such file or directory. Give --beside the path",
    "--budgets 0.5 --out ones.npy": "Choose another --out.",
}
SIMULATE = {
    "empty ones.npy": "picojoule train --out FOLDER makes one.",
    "nothing ones.npy": "Example: ./mynet.py:build",
    f"{NET} nothing.npy": "Give EVENTS the path of a file that is there.",
    f"{NET} events.npy": "such as --dt-us 1000.",
    f"{NET} events.npy --dt-us 1000": "--size is missing",
    f"{NET} ones.npy --leak tick": "Add --order depth",
    f"{NET} ones.npy --state-bits 8": "such as --weight-bits 8.",
    f"{NET} ones.npy --samples 20": "Give --data, as to picojoule train, or --data bundled",
    f"{NET} ones.npy --profile lohi": "picojoule info tells what each costs.",
    f"{NET} ones.npy --checkpoint no.pt": "--checkpoint no.pt: No such file or directory.",
}
ALL = [
    (f"{command} {arguments}", message)
    for command, table in (
        ("count", COUNT),
        ("train", TRAIN),
        ("sweep", SWEEP),
        ("simulate", SIMULATE),
    )
    for arguments, message in table.items()
]


@pytest.mark.parametrize(("command", "message"), ALL, ids=[command for command, _ in ALL])
def test_an_error_ends_in_what_to_type(command: str, message: str) -> None:
    told = refused(command)
    assert told.startswith(f"picojoule {command.split()[0]}: ")
    assert message in told
    assert TYPED.search(told.removeprefix(f"picojoule {command.split()[0]}: ")), told


def test_no_error_names_an_option_as_python_does() -> None:
    for command, _ in ALL:
        if command.split()[0] != "count":
            continue
        told = refused(command)
        assert not re.search(r"\b(num_timesteps|time_axis|spiking|ignore|samples)=", told), told
        assert "Monitor: " not in told


def test_an_error_of_the_users_own_code_is_told_as_it_is() -> None:
    Path("mine.py").write_text("def build():\n    raise ValueError('samples=0, weights=[1]')\n")
    assert "samples=0, weights=[1]" in refused("count ./mine.py:build --input 5,3")
