"""An error in the user's own code ends a command with its line, not with a traceback of ours."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from picojoule.cli.app import app

CODE = """
import torch
from torch import nn
from picojoule.layers import IAF

calls = 0


class Net(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error, self.fc, self.fires = error, nn.Linear(3, 4), IAF()

    def forward(self, x):
        global calls
        calls += 1
        if calls > 3:
            raise self.error("too many calls")
        return self.fires(self.fc(x))


def runtime():
    return Net(RuntimeError)


def key():
    return Net(KeyError)


def value():
    return Net(ValueError)


def asserts():
    return Net(AssertionError)


class Late(nn.Sequential):
    def forward(self, x):
        return self[0](x) if self.training else self[1](x)


def eval_differs():
    return Late(nn.Linear(3, 4), nn.Linear(5, 4))


def wide():
    return nn.Sequential(nn.Linear(6, 4), IAF())


class Broken(torch.utils.data.Dataset):
    num_classes = 4

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == 7:
            raise LookupError("sample 7 is lost")
        return torch.ones(5, 3), index % 4


def data():
    return [(torch.ones(5, 3), k % 4) for k in range(12)], [(torch.ones(5, 3), 0)] * 4


def broken():
    return Broken(), data()[1]
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("mine", None)
    Path("mine.py").write_text(CODE)


def line_of(text: str) -> int:
    return 1 + next(k for k, line in enumerate(CODE.splitlines()) if text in line)


def run(command: str, model: str, data: str = "data") -> Result:
    words = [command, "--model", f"./mine.py:{model}", "--data", f"./mine.py:{data}"]
    return CliRunner().invoke(app, [*words, "--epochs", "2", "--batch-size", "4", "--no-budget"])


@pytest.mark.parametrize("error", ["runtime", "key", "value", "asserts"])
def test_what_a_model_raises_in_training_is_told_with_its_line(error: str) -> None:
    done = run("train", error)
    assert done.exit_code == 1
    assert "\npicojoule train: " in done.stderr
    assert "too many calls" in done.stderr
    place = f'mine.py, line {line_of("raise self.error")}, in forward: raise self.error("too many calls")'
    assert place in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 12


def test_what_a_data_set_raises_is_told_with_its_line() -> None:
    done = run("train", "wide", "broken")
    assert done.exit_code == 1
    assert f"mine.py, line {line_of('raise LookupError')}, in __getitem__" in done.stderr
    assert "PICOJOULE_TRACEBACK=1" in done.stderr


def test_a_layer_of_pytorch_that_raises_is_told_of() -> None:
    done = run("train", "eval_differs")
    assert done.exit_code == 1
    assert "mat1 and mat2 shapes cannot be multiplied" in done.stderr
    assert "mine.py" in done.stderr


def test_data_that_do_not_fit_are_told_with_both_shapes() -> None:
    done = run("train", "wide")
    assert done.exit_code == 1
    assert "a batch of 4 x 5 x 3 (samples, time steps, then features)" in done.stderr
    assert (
        "Layer '0', Linear(in_features=6, out_features=4, bias=True), got 4 x 5 x 3." in done.stderr
    )


def test_an_input_that_does_not_fit_is_told_with_both_shapes() -> None:
    done = CliRunner().invoke(app, ["count", "./mine.py:wide", "--input", "2,5,3"])
    assert done.exit_code == 1
    assert "an input of shape 2,5,3" in done.stderr
    assert (
        "Layer '0', Linear(in_features=6, out_features=4, bias=True), got 2 x 5 x 3." in done.stderr
    )


def test_the_whole_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICOJOULE_TRACEBACK", "1")
    assert isinstance(run("train", "runtime").exception, RuntimeError)


def test_an_error_of_our_own_that_nothing_explains_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import picojoule.cli.train as command

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    fault.__code__ = fault.__code__.replace(co_filename=command.__file__)
    monkeypatch.setattr(command, "run_training", fault)
    assert str(run("train", "wide").exception) == "ours"


DATA = """
import sys
import torch
from torch import nn
from picojoule.layers import IAF, IAFSqueeze


class Bad:
    num_classes = 2

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == 7:
            self.error()
        return torch.ones(3, 4), index % 2


def model():
    return nn.Sequential(nn.Linear(4, 6), IAF(), nn.Linear(6, 2), IAF())


def ends():
    return Bad(lambda: next(iter(()))), Bad(lambda: None)


def ends_in_test():
    return Bad(lambda: None), Bad(lambda: next(iter(())))


def good():
    return Bad(lambda: torch.ones(1)), Bad(lambda: torch.ones(1))


def short():
    return Short(13), Short(13)


class Short(Bad):
    def __init__(self, samples):
        self.samples, self.error = samples, lambda: None

    def __len__(self):
        return self.samples


def lazy():
    return nn.Sequential(nn.LazyLinear(6), IAF(), nn.Linear(6, 2), IAF())


def normed():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), IAFSqueeze(batch_size=1), nn.Linear(6, 2))


def leaves():
    return Bad(lambda: sys.exit(0)), Bad(lambda: None)
"""


@pytest.mark.parametrize("data", ["ends", "ends_in_test"])
def test_a_data_set_that_ends_early_is_an_error_with_its_line(data: str, tmp_path: Path) -> None:
    done = on_data(data, tmp_path)
    assert done.exit_code == 1
    assert "raised StopIteration" in done.output
    assert "next(iter(()))" in done.output


def test_a_program_that_the_users_code_ends_is_no_success(tmp_path: Path) -> None:
    done = on_data("leaves", tmp_path)
    assert done.exit_code == 1
    assert "ended by sys.exit(0), so there is no result" in done.output
    assert "sys.exit(0)" in done.output.splitlines()[-1]


def on_data(data: str, folder: Path, model: str = "") -> Result:
    (folder / "theirs.py").write_text(DATA)
    code = folder / "theirs.py"
    model = model or f"{code}:model"
    return CliRunner().invoke(
        app,
        ["train", "--model", model, "--data", f"{code}:{data}", "--epochs", "1", "--batch-size", "4",
         "--no-compare", "--out", str(folder / "run")],
    )  # fmt: skip


KEEPS = """
import torch
from torch import nn
from picojoule.layers import IAF


class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("v", torch.zeros(0))

    def forward(self, x):
        if not self.v.shape == x[:, 0].shape:
            self.v = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            self.v = self.v * 0.5 + x[:, t]
        return self.v[:, None] + x


def model():
    return nn.Sequential(nn.Linear(4, 6), Keeps(), IAF(), nn.Linear(6, 2), IAF())
"""


def test_a_neuron_of_theirs_that_keeps_its_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "keeps.py").write_text(KEEPS)
    done = on_data("good", tmp_path, f"{tmp_path / 'keeps.py'}:model")
    assert done.exit_code == 1
    assert "layer '1' (Keeps) keeps 'v' between calls" in done.output
    assert "at the start of the model's forward" in done.output
    assert "Traceback" not in done.output


MIXES = """
import torch
from torch import nn
from picojoule.layers import IAF


class Mixes(nn.Module):
    def __init__(self):
        super().__init__()
        self.synapses, self.neurons, self.readout = nn.Linear(4, 6), IAF(), nn.Linear(6, 2)
        self.mean = 0.0

    def forward(self, x):
        spikes = self.neurons(self.synapses(x))
        self.mean = 0.5 * self.mean + spikes.mean()
        return self.readout(spikes) - self.mean
"""


def test_a_model_that_keeps_the_graph_of_its_spikes_is_named(tmp_path: Path) -> None:
    """The backward pass fails in the neurons before it, which are reset and not to blame."""
    (tmp_path / "mixes.py").write_text(MIXES)
    done = on_data("good", tmp_path, f"{tmp_path / 'mixes.py'}:Mixes")
    assert done.exit_code == 1
    assert "the model (Mixes) keeps 'mean' between calls" in done.output
    assert "detach()" in done.output
    assert "Traceback" not in done.output
    assert "reset_states(model)" not in done.output


def test_an_error_of_the_first_epoch_speaks_of_no_epoch_before(tmp_path: Path) -> None:
    done = on_data("short", tmp_path, f"{tmp_path / 'theirs.py'}:normed")
    assert done.exit_code == 1
    assert "epoch 1/1: Expected more than 1 value per channel" in done.output
    assert (
        "This batch has 1 sample: choose a batch_size that leaves no single one at the end of an epoch."
        in done.output
    )
    assert "epoch before" not in done.output
    assert "learning rate" not in done.output


def test_a_layer_without_a_size_is_named(tmp_path: Path) -> None:
    done = on_data("good", tmp_path, f"{tmp_path / 'theirs.py'}:lazy")
    assert done.exit_code == 1
    assert "0.weight has no size before the model's first call" in done.output
