"""Checkpoints: whole or not at all, and only into the model they are of."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from torch import nn

from picojoule.layers import IAF, LIF
from picojoule.training import load_checkpoint, save_checkpoint
from picojoule.training.files.weights import load_weights
from tests.python import python


def small_model(width: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, width), LIF(tau_mem=5.0), nn.Linear(width, 2), IAF())


def trained(model: nn.Module, steps: int = 2) -> torch.optim.Optimizer:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        for layer in model:
            if isinstance(layer, LIF):
                layer.reset_states()
        model(torch.ones(2, 5, 3)).sum().backward()
        optimizer.step()
    return optimizer


def test_weights_optimiser_and_progress_come_back(tmp_path: Path) -> None:
    model = small_model()
    optimizer = trained(model)
    save_checkpoint(tmp_path / "c", model, optimizer, {"epochs": 3, "loss": [0.5]})

    other = small_model()
    other_optimizer = torch.optim.Adam(other.parameters(), lr=0.1)
    assert load_checkpoint(tmp_path / "c", other, other_optimizer) == {"epochs": 3, "loss": [0.5]}
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    mine, theirs = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[i]["exp_avg_sq"], theirs[i]["exp_avg_sq"]) for i in mine)


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.9)),
    "RAdam": torch.optim.RAdam,
    "LBFGS": lambda p: torch.optim.LBFGS(p, max_iter=3),
    "two groups": lambda p: torch.optim.AdamW([{"params": p[:1]}, {"params": p[1:], "lr": 0.3}]),
}


def two_steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = model(torch.ones(2, 3)).square().mean()
        found.backward()
        return found

    for _ in range(2):
        optimizer.step(loss)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_goes_on_as_if_there_had_been_no_break(tmp_path: Path, name: str) -> None:
    model, other = nn.Linear(3, 4), nn.Linear(3, 4)
    mine, theirs = (OPTIMIZERS[name](list(m.parameters())) for m in (model, other))
    two_steps(model, mine)
    mine.param_groups[0]["lr"] *= 0.1  # as a schedule does
    save_checkpoint(tmp_path / "c", model, mine, {"settings": 1})
    assert load_checkpoint(tmp_path / "c", other, theirs) == {"settings": 1}
    assert theirs.param_groups[0]["lr"] == mine.param_groups[0]["lr"]
    for each in ((model, mine), (other, theirs)):
        two_steps(*each)
    assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize(
    ("make", "here"),
    [
        (lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9), "here is SGD"),
        (lambda m: torch.optim.Adam([m.weight]), "here is Adam of parameters of 4 x 3;"),
        (lambda m: torch.optim.Adam([m.bias, m.weight]), "here is Adam of parameters of 4, 4 x 3;"),
    ],
)
def test_the_state_of_another_optimizer_is_refused_and_changes_nothing(
    tmp_path: Path, make: Callable[[Any], torch.optim.Optimizer], here: str
) -> None:
    model, other = nn.Linear(3, 4), nn.Linear(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    two_steps(model, optimizer)
    save_checkpoint(tmp_path / "c", model, optimizer)
    before = other.weight.clone()
    with pytest.raises(
        ValueError, match=f"the state is of Adam of parameters of 4 x 3, 4, and {here}"
    ):
        load_checkpoint(tmp_path / "c", other, make(other))
    assert torch.equal(other.weight, before)


def test_a_value_that_a_layer_refuses_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model, other = small_model(), small_model()
    with torch.no_grad():
        model[1].tau_mem.fill_(torch.nan)
    save_checkpoint(tmp_path / "c", model)
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(
        ValueError, match=r"tau_mem is nan, expected tau_mem > 0.*Nothing was loaded"
    ):
        load_checkpoint(tmp_path / "c", other)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_plain_pytorch_loads_the_weights_by_their_own_names(tmp_path: Path) -> None:
    model = small_model()
    save_checkpoint(tmp_path / "c", model, trained(model), {"average": torch.ones(2)})
    other = small_model()
    other.load_state_dict(load_file(tmp_path / "c"))  # strict: all keys, and no other
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert other.load_state_dict(load_file(tmp_path / "c"), strict=False).unexpected_keys == []


def test_of_several_checkpoints_the_last_one_is_left(tmp_path: Path) -> None:
    model = small_model()
    (tmp_path / "c-training-notes.txt").touch()
    for steps in range(1, 4):
        save_checkpoint(tmp_path / "c", model, trained(model, steps), {"epochs": steps})
    assert load_checkpoint(tmp_path / "c", model) == {"epochs": 3}
    names = {path.name for path in tmp_path.iterdir()}
    assert names > {"c", "c-training-notes.txt"}
    assert len(names) == 3


@pytest.mark.parametrize(
    "names",
    [
        ("lr_0.1", "lr_0.2"),
        ("net.best", "net.last"),
        ("net.pt", "net.safetensors"),
        ("net", "net.safetensors"),
        ("net.safetensors", "net.training-1.safetensors"),
        ("net", "net-training-0123456789ab.safetensors"),
    ],
)
def test_checkpoints_side_by_side_leave_one_another_alone(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    model = small_model()
    for _ in range(2):
        for number, name in enumerate(names):
            save_checkpoint(tmp_path / name, model, trained(model), {"number": number})
    for number, name in enumerate(names):
        assert load_checkpoint(tmp_path / name, model, trained(model)) == {"number": number}
    assert len([*tmp_path.iterdir()]) == 4


def test_progress_comes_back_whatever_its_names_and_words_are(tmp_path: Path) -> None:
    one, two = torch.ones(2), torch.zeros(3)
    progress = {
        "conv": {"weight": one, "0": [one + 1]},
        "conv.weight": two,
        "conv.0": {"0": two + 1},
        "said": ["tensor:conv", "text:tensor:", "text:", "tensor:"],
    }
    save_checkpoint(tmp_path / "c", small_model(), None, progress)
    found = load_checkpoint(tmp_path / "c", small_model())
    assert repr(found) == repr(progress)


def test_weights_without_what_belongs_beside_them_are_told_apart(tmp_path: Path) -> None:
    model = small_model()
    save_checkpoint(tmp_path / "c", model, trained(model), {})
    (beside,) = tmp_path.glob("c-training-*")
    content = beside.read_bytes()
    beside.write_bytes(content[:-1] + b"!")
    with pytest.raises(ValueError, match=r"training-.* is damaged: its content does not fit"):
        load_checkpoint(tmp_path / "c", small_model())
    beside.unlink()
    with pytest.raises(ValueError, match=r"only weights: c-training-.*, is missing.*start_from"):
        load_checkpoint(tmp_path / "c", small_model())
    renamed = (tmp_path / "c").rename(tmp_path / "c.safetensors")
    other = small_model()
    load_weights(other, renamed)
    assert torch.equal(other[0].weight, model[0].weight)


def test_the_file_beside_is_looked_for_in_the_folder_alone(tmp_path: Path) -> None:
    header = json.dumps({"training": "../secret.safetensors", "progress": {}})
    weights = small_model().state_dict()
    (tmp_path / "c").write_bytes(save(dict(weights), metadata={"picojoule": header}))
    with pytest.raises(ValueError, match="not a checkpoint of picojoule, or damaged"):
        load_checkpoint(tmp_path / "c", small_model())


DAMAGED_HEADERS = {
    "no JSON": "{",
    "no names": "[]",
    "a number of too many digits": f'{{"training": null, "progress": {{"epochs": {"9" * 5000}}}}}',
    "too deep": "[" * 100_000,
    "no progress": '{"training": null}',
    "progress without names": '{"training": null, "progress": [1]}',
}


@pytest.mark.parametrize("kind", DAMAGED_HEADERS)
def test_a_damaged_header_is_named(tmp_path: Path, kind: str) -> None:
    weights = dict(small_model().state_dict())
    (tmp_path / "c").write_bytes(save(weights, metadata={"picojoule": DAMAGED_HEADERS[kind]}))
    with pytest.raises(ValueError, match="c: not a checkpoint of picojoule, or damaged"):
        load_checkpoint(tmp_path / "c", small_model())


class KilledError(BaseException):
    """Nothing is caught, and nothing is done any more."""


def killed_at(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the n-th call that changes the disk on, the process is no more."""
    calls = iter(range(10_000))

    def mortal(action: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(calls) >= moment:
                raise KilledError
            return action(*arguments, **named)

        return call

    monkeypatch.setattr(os, "open", mortal(os.open))
    monkeypatch.setattr(os, "fsync", mortal(os.fsync))
    monkeypatch.setattr(Path, "replace", mortal(Path.replace))
    monkeypatch.setattr(Path, "unlink", mortal(Path.unlink))


def test_killed_at_any_moment_the_checkpoint_is_the_old_or_the_new_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model()
    states = []
    for steps in (1, 2):
        optimizer = trained(model, steps)
        states.append((copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())))
    seen = []
    for moment in range(100):
        path = tmp_path / str(moment) / "c"
        path.parent.mkdir()
        for epoch, (weights, state) in enumerate(states):
            model.load_state_dict(weights)
            optimizer.load_state_dict(state)
            with monkeypatch.context() as patch:
                if epoch == 1:
                    killed_at(moment, patch)
                try:
                    save_checkpoint(path, model, optimizer, {"epoch": epoch, "mean": torch.ones(2)})
                    survived = epoch == 1
                except KilledError:
                    survived = False
        other = small_model()
        its_optimizer = torch.optim.Adam(other.parameters(), lr=0.1)
        epoch = load_checkpoint(path, other, its_optimizer)["epoch"]
        assert torch.equal(other[0].weight, states[epoch][0]["0.weight"])
        average = its_optimizer.state_dict()["state"][0]["exp_avg"]
        assert torch.equal(average, states[epoch][1]["state"][0]["exp_avg"])
        seen.append(epoch)
        if survived:
            break
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}
    assert len(seen) > 8  # two files: opened, flushed, renamed, their folder flushed; one removed


def test_neuron_states_are_not_kept(tmp_path: Path) -> None:
    model = small_model()
    model(torch.ones(2, 5, 3))
    save_checkpoint(tmp_path / "c", model, trained(model, 0), {})
    other = small_model()
    load_checkpoint(tmp_path / "c", other)
    assert other[1].v_mem.shape == (0,)


def test_a_checkpoint_of_another_model_changes_nothing(tmp_path: Path) -> None:
    model = small_model()
    save_checkpoint(tmp_path / "c", model, trained(model), {})
    other = small_model(width=5)
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(ValueError, match=r"of another model.*0\.weight has shape \(4, 3\) there"):
        load_checkpoint(tmp_path / "c", other)
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))

    with pytest.raises(ValueError, match=r"4\.weight is only in the model"):
        load_checkpoint(tmp_path / "c", nn.Sequential(*small_model(), nn.Linear(2, 2)))


@pytest.mark.parametrize("keep", [0, 4, 200, -10])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, keep: int) -> None:
    model = small_model()
    path = tmp_path / "c"
    save_checkpoint(path, model, trained(model), {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="not a checkpoint of picojoule, or damaged"):
        load_checkpoint(path, small_model())


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere", small_model())


# A file size limit makes the second write fail half way, as a full disk does.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from torch import nn
from picojoule.training import save_checkpoint

path = Path(sys.argv[1])
model = nn.Linear(300, 300)
optimizer = torch.optim.Adam(model.parameters())
save_checkpoint(path, model, optimizer, {"epochs": 1})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    save_checkpoint(path, model, optimizer, {"epochs": 2})
except OSError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    done = python("-c", FULL_DISK, path)
    assert "could not write checkpoint (0.4 MB)" in done.stdout
    assert "The previous one is kept." in done.stdout
    assert load_checkpoint(path, nn.Linear(300, 300)) == {"epochs": 1}
    assert list(tmp_path.iterdir()) == [path]
