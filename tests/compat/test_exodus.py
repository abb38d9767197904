"""Scripts that take layers and conversions from sinabs.exodus run, and are told once whose they are."""

import importlib
import sys

import pytest

import picojoule
from picojoule.compat.sinabs.table import EXODUS

NOTE = "sinabs.exodus: its layers are Picojoule's"


@pytest.mark.usefixtures("_installed")
def test_every_listed_name_is_there_and_the_note_comes_once() -> None:
    with pytest.warns(UserWarning, match=NOTE) as told:
        modules = {path: importlib.import_module(path) for path in EXODUS}
    assert len(told) == 1
    for path, names in EXODUS.items():
        assert [name for name in names if not hasattr(modules[path], name)] == []
    sinabs = sys.modules["sinabs"]
    assert sinabs.exodus.layers.IAFSqueeze is picojoule.layers.IAFSqueeze
    assert sinabs.exodus.__version__


@pytest.mark.usefixtures("_installed")
def test_sinabs_itself_does_not_bring_it_along() -> None:
    sinabs = importlib.import_module("sinabs")
    assert not hasattr(sinabs, "exodus")


@pytest.mark.usefixtures("_installed")
@pytest.mark.filterwarnings("ignore:.*its layers are Picojoule:UserWarning")
def test_its_kernels_are_an_error_that_says_what_to_call() -> None:
    with pytest.raises(
        ModuleNotFoundError, match=r"not its CUDA kernels. Call picojoule\.ops\.lif"
    ):
        importlib.import_module("sinabs.exodus.spike")


SCRIPT = """
import torch
from torch import nn
import sinabs.exodus.layers as sel
from sinabs.exodus.conversion import sinabs_to_exodus, exodus_to_sinabs
from sinabs.exodus.layers.lif import LIF
from sinabs.from_torch import from_model
net = nn.Sequential(nn.Linear(4, 3), sel.IAFSqueeze(batch_size=2, min_v_mem=-1))
print(tuple(exodus_to_sinabs(sinabs_to_exodus(net))(torch.rand(10, 4)).shape))
relus = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
print(from_model(relus, batch_size=2, spike_layer_class=sel.IAFSqueeze).spiking_model[1].__module__)
print(from_model(relus, batch_size=2, backend="exodus").spiking_model[1].__module__)
"""


def test_a_script_runs_unchanged(python, tmp_path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = python("-m", "picojoule.compat.sinabs", "script.py")
    assert done.stdout.split("\n")[:3] == ["(10, 3)", *["picojoule.layers.iaf"] * 2], done.stderr
    assert done.stderr.count(NOTE) == 1


MAX_POOLING = """
import torch
from torch import nn
from sinabs.from_torch import from_model
cnn = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3))
net = from_model(cnn, (1, 12, 12), min_v_mem=-1.0, num_timesteps=10)
print(type(net.spiking_model[2]).__name__, tuple(net(torch.rand(10, 1, 12, 12)).shape))
net = from_model(cnn, (1, 12, 12), num_timesteps=10, max_pooling="each_step")
print(type(net.spiking_model[2]).__name__)
"""


def test_networks_with_max_pooling_convert(python, tmp_path) -> None:
    (tmp_path / "script.py").write_text(MAX_POOLING)
    done = python("-m", "picojoule.compat.sinabs", "script.py")
    expected = ["SpikingMaxPooling2dLayerSqueeze (10, 3)", "MaxPool2d"]
    assert done.stdout.split("\n")[:2] == expected, done.stderr
