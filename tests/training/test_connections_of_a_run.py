"""Connections that go under a limit: the same after a break, after a kill, and in two processes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from picojoule.training import Progress, TrainConfig, train
from tests.training.commands import NETWORKS, assert_close, checkpoint, run
from tests.training.test_train import StopAfter


def config(synapses: str) -> TrainConfig:
    return TrainConfig(
        model=f"{NETWORKS}:wide",
        data=f"{NETWORKS}:data",
        epochs=6,
        batch_size=8,
        synops_per_timestep={"2": 20.0},
        synapses=synapses,
    )


def masks(folder: Path) -> dict[str, torch.Tensor]:
    found = checkpoint(folder)
    return {name: x for name, x in found.items() if name.endswith("weight_mask")}


@pytest.mark.parametrize("synapses", ["prune", "fixed", "thin"])
@pytest.mark.parametrize("steps", [2, 9, 20])
def test_a_run_broken_off_and_resumed_has_the_masks_of_an_unbroken_one(
    silence: Progress, tmp_path: Path, synapses: str, steps: int
) -> None:
    one, other = tmp_path / "unbroken", tmp_path / "broken"
    train(config(synapses), one, silence, compare=False)
    with pytest.raises(KeyboardInterrupt):
        train(config(synapses), other, StopAfter(steps), compare=False)
    train(config(synapses), other, silence, compare=False, resume=True)
    assert any((mask == 0).any() for mask in masks(one).values())
    for name in ("checkpoint.safetensors", "trained.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("synapses", ["keep", "prune", "fixed", "thin"])
def test_a_finished_run_that_is_resumed_is_trimmed_to_the_same_weights(
    silence: Progress, tmp_path: Path, synapses: str
) -> None:
    settings = replace(
        config(synapses), synops_per_timestep={"both": 20.0}, groups={"both": ("2",)}, epochs=2
    )
    first = train(settings, tmp_path, silence)
    trained = (tmp_path / "trained.safetensors").read_bytes()
    (tmp_path / "trained.safetensors").unlink()  # as if it had been killed in the trim
    again = train(settings, tmp_path, StopAfter(0), resume=True)
    assert (tmp_path / "trained.safetensors").read_bytes() == trained
    assert again.to_dict() == first.to_dict()


def test_two_processes_lose_the_same_connections_as_one(tmp_path: Path) -> None:
    more = (
        "--model",
        f"{NETWORKS}:wide",
        "--synops-per-timestep",
        "2=20",
        "--precision",
        "64-true",
    )
    run(tmp_path / "one", *more, "--min-rate", "0.01")
    done = run(tmp_path / "two", *more, "--min-rate", "0.01", "--devices", "2")
    assert done.returncode in (0, 4), done.stderr
    first, second = masks(tmp_path / "one"), masks(tmp_path / "two")
    assert any((mask == 0).any() for mask in first.values())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert_close(tmp_path / "one", tmp_path / "two", 1e-6)
