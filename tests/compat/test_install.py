"""What `import sinabs` means, with and without the finder."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

import picojoule
from picojoule.compat.sinabs import install, uninstall
from picojoule.compat.sinabs.table import MODULES

PLAIN_SCRIPT = """
import sys
import sinabs, sinabs.layers as sl
from sinabs.layers.iaf import IAFSqueeze
import helper
print(IAFSqueeze is sl.IAFSqueeze, sl.IAF().__module__, sinabs.__version__, sys.argv, helper.VALUE, __name__)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "helper.py").write_text("VALUE = 42")
    (folder / "plain.py").write_text(PLAIN_SCRIPT)
    return folder / "plain.py"


def test_a_script_for_sinabs_runs_unchanged(python, script: Path) -> None:
    done = python("-m", "picojoule.compat.sinabs", str(script), "--rate", "3")
    expected = f"True picojoule.layers.iaf 3.1.3 {[str(script), '--rate', '3']} 42 __main__"
    assert done.stdout.strip() == expected, done.stderr


def test_a_module_for_sinabs_runs_unchanged(python, script: Path, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(
        "import sys, sinabs.hooks; print(sinabs.hooks.ModelSynopsHook.__module__, sys.argv[1:])"
    )
    done = python("-m", "picojoule.compat.sinabs", "-m", "tool", "a", "-b")
    assert done.stdout.strip() == "picojoule.hooks ['a', '-b']", done.stderr


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["nothing.py"], 1)])
def test_the_command_says_how_it_is_used(python, arguments: list[str], code: int) -> None:
    done = python("-m", "picojoule.compat.sinabs", *arguments)
    assert done.returncode == code
    assert "usage: python -m picojoule.compat.sinabs" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_standing_for_sinabs_loads_no_extra(python) -> None:
    heavy = ["matplotlib", "nir", "nirtorch", "samna", "pbr"]
    code = f"from picojoule.compat.sinabs import install; install(); import sys, sinabs, sinabs.hooks; print([m for m in {heavy} if m in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("path", MODULES)
def test_every_listed_name_is_there(path: str) -> None:
    module = importlib.import_module(path)
    missing = [name for name in MODULES[path] if not hasattr(module, name)]
    assert missing == []


@pytest.mark.usefixtures("_installed")
def test_modules_hang_together_as_in_sinabs() -> None:
    sinabs = importlib.import_module("sinabs")
    assert sinabs.layers.functional.lif.lif_forward is sinabs.layers.functional.lif_forward
    assert sinabs.layers.LIF is picojoule.layers.LIF
    assert sinabs.activation.spike_generation.MultiSpike is picojoule.activation.MultiSpike
    assert sinabs.hooks is sys.modules["sinabs.hooks"]


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("path", ["sinabs.backend", "sinabs.backend.dynapcnn.chips"])
def test_hardware_is_an_error_that_says_why(path: str) -> None:
    with pytest.raises(ImportError, match=r"no hardware backend.*samna"):
        importlib.import_module(path)


@pytest.mark.usefixtures("_installed")
def test_what_sinabs_does_not_have_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"sinabs\.laiers"):
        importlib.import_module("sinabs.laiers")


def test_uninstall_restores_what_was_there() -> None:
    had = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "sinabs"}
    finders = list(sys.meta_path)
    install()
    install()
    assert importlib.import_module("sinabs.layers").IAF is picojoule.layers.IAF
    uninstall()
    uninstall()
    now = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "sinabs"}
    assert now == had
    assert sys.meta_path == finders


def test_sinabs_itself_comes_back(python) -> None:
    pytest.importorskip("sinabs")
    code = """
import warnings; warnings.simplefilter("ignore")
import sinabs.layers
from picojoule.compat.sinabs import install, uninstall
real = sinabs.layers.IAF
install()
import sinabs.layers
print(sinabs.layers.IAF is real)
uninstall()
import sinabs.layers, sinabs.hooks
print(sinabs.layers.IAF is real, sinabs.hooks.ModelSynopsHook.__module__)
"""
    assert python("-c", code).stdout.split("\n")[:2] == ["False", "True sinabs.hooks"]


@pytest.mark.usefixtures("_installed")
def test_a_changed_batch_size_keeps_states_in_order_and_says_so() -> None:
    layer = importlib.import_module("sinabs.layers").IAF(spike_threshold=50.0)
    layer(torch.arange(1.0, 4.0).reshape(3, 1, 1))
    torch.manual_seed(0)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="batch size went from 3 to 5"):
        layer(torch.zeros(5, 1, 1))
    assert layer.v_mem.flatten().tolist() == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert torch.rand(1) == drawn, "random numbers were drawn"


def test_without_it_a_changed_batch_size_starts_from_zeros() -> None:
    install()
    uninstall()
    layer = picojoule.layers.IAF(spike_threshold=50.0)
    layer(torch.ones(3, 1, 1))
    with pytest.warns(UserWarning, match="starting from zeros"):
        layer(torch.zeros(5, 1, 1))
    assert not layer.v_mem.any()


@pytest.mark.usefixtures("_installed")
def test_recurrent_layers_start_another_batch_size_from_zeros_as_in_sinabs() -> None:
    sl = importlib.import_module("sinabs.layers")
    layer = sl.IAFRecurrent(torch.nn.Identity(), spike_threshold=50.0)
    layer(torch.ones(3, 1, 1))
    with pytest.warns(UserWarning, match="starting from zeros"):
        layer(torch.zeros(5, 1, 1))
    assert not layer.v_mem.any()
