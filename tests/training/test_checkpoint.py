"""Checkpoints: whole or not at all, and only into the model they are of."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule.layers import IAF, LIF
from picojoule.training import load_checkpoint, save_checkpoint


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
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert "could not write checkpoint (0.4 MB)" in done.stdout
    assert "The previous one is kept." in done.stdout
    assert load_checkpoint(path, nn.Linear(300, 300)) == {"epochs": 1}
    assert list(tmp_path.iterdir()) == [path]
