"""Sweeps that train: warm starts, joules, and kills of the program itself."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import picojoule
from picojoule.energy import profile
from picojoule.training import Progress, Quiet, SweepConfig, TrainConfig, lenet, sweep, train
from picojoule.training.sweeping.one_run import one_run
from tests.children import started


@pytest.fixture
def training(config: TrainConfig) -> TrainConfig:
    return replace(config.without_budget(), min_rate=0.01)


def test_an_outcome_is_what_the_run_measured(training: TrainConfig, tmp_path: Path) -> None:
    budgeted = replace(training, synops_per_timestep=2e4, epochs=1)
    outcome = one_run(budgeted, tmp_path / "a", Quiet())
    trained = train(budgeted, tmp_path / "b", Quiet(), compare=False).budget.trained
    assert outcome.accuracy == trained.accuracy
    assert outcome.synops_per_timestep == trained.synops_per_timestep
    assert outcome.trainable == ("4", "7", "10")
    rates = torch.cat([rate.flatten() for rate in trained.rates.values()])
    assert outcome.silent_share == pytest.approx((rates == 0).double().mean().item())
    assert (outcome.num_timesteps, outcome.energy_j) == (3, None)


def test_joules_are_those_that_a_budget_limits(training: TrainConfig, tmp_path: Path) -> None:
    outcome = one_run(replace(training, epochs=1, profile="loihi"), tmp_path, Quiet())
    chip = profile("loihi")
    assert chip.neuron_update_j is not None
    neurons = 16 * 24 * 24 + 32 * 8 * 8 + 120 + 10
    spikes = outcome.spent("synops_per_sample") * chip.synop_j
    expected = spikes + 3 * neurons * chip.neuron_update_j
    assert outcome.energy_j == pytest.approx(expected)
    given = 3 * outcome.synops_per_timestep["1"] * chip.synop_j
    assert outcome.fixed_energy_j == pytest.approx(given + 3 * neurons * chip.neuron_update_j)


def dense_first() -> torch.nn.Sequential:
    """A network whose first layer is given analog values: it counts 784 x 10 MACs a step."""
    return torch.nn.Sequential(
        torch.nn.Flatten(2), torch.nn.Linear(784, 10, bias=False), picojoule.layers.IAF()
    )


def grey() -> tuple[list[tuple[torch.Tensor, int]], list[tuple[torch.Tensor, int]]]:
    samples = [(torch.full((3, 1, 28, 28), 0.01 + 0.02 * i), i) for i in range(10)]
    return samples, samples


def test_joules_have_the_macs_of_dense_values(tmp_path: Path) -> None:
    here = "tests.training.sweeping.test_real_training"
    config = TrainConfig(
        model=f"{here}:dense_first", data=f"{here}:grey", epochs=1, profile="45nm-fp32"
    )
    outcome = one_run(config, tmp_path, Quiet())
    chip = profile("45nm-fp32")
    updates = 3 * 10 * (chip.neuron_update_j or 0.0)
    spikes = outcome.spent("synops_per_sample") * chip.synop_j
    assert outcome.energy_j == pytest.approx(3 * 7840 * chip.mac_j + spikes + updates)


@pytest.mark.parametrize("equal_steps", [True, False])
def test_a_run_starts_afresh_or_from_the_weights_of_the_next_looser_one(
    training: TrainConfig, tmp_path: Path, equal_steps: bool
) -> None:
    config = SweepConfig(budgets=(0.5,), training=training, equal_steps=equal_steps)
    free, half = sweep(config, tmp_path, Quiet()).points
    assert half.limit is not None
    assert half.limit.mean == pytest.approx(0.5 * free.spent.mean)
    epochs_of_3_steps = 3 * training.epochs
    assert half.models[0].outcome.steps == epochs_of_3_steps
    assert half.models[0].steps_in_all == epochs_of_3_steps * (1 if equal_steps else 2)
    unconstrained = tmp_path / "seed1/unconstrained/checkpoint.safetensors"
    limited = replace(
        training,
        synops_per_timestep={"trainable": half.limit.mean},
        groups={"trainable": ["4", "7", "10"]},
        start_from=None if equal_steps else str(unconstrained),
    )
    train(limited, tmp_path / "by_hand", Quiet(), compare=False)
    mine = load_file(tmp_path / "seed1/budget-0.5/checkpoint.safetensors")
    by_hand = load_file(tmp_path / "by_hand/checkpoint.safetensors")
    assert all(torch.equal(mine[name], by_hand[name]) for name in mine | by_hand)
    plain = load_file(unconstrained)
    assert not torch.equal(mine["1.weight"], plain["1.weight"])
    assert not torch.equal(plain["1.weight"], lenet(1)[1].weight)


def test_a_network_that_goes_on_has_only_connections_that_the_looser_one_left(
    training: TrainConfig, tmp_path: Path
) -> None:
    quick = replace(training, epochs=1, batch_size=6, synapses="prune", min_rate=None)
    config = SweepConfig((0.5, 0.25), training=quick, equal_steps=False)
    sweep(config, tmp_path, Quiet())
    half, quarter = (
        load_file(tmp_path / "seed1" / name / "checkpoint.safetensors")
        for name in ("budget-0.5", "budget-0.25")
    )
    masks = [name for name in half if name.endswith("_mask")]
    assert "4.weight_mask" in masks
    left, less = (torch.cat([net[n].flatten() for n in masks]) != 0 for net in (half, quarter))
    assert 0 < less.sum() < left.sum() < left.numel()
    assert not (less & ~left).any()


class StopAt:
    """A progress that breaks a sweep off at a step of training."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def start(self, what: str, total: int, done: int) -> None:
        self.counting = what.endswith("training")

    def advance(self, status: str) -> None:
        self.steps -= self.counting
        if self.steps < 0:
            raise KeyboardInterrupt

    def note(self, sentence: str) -> None:
        pass


def test_a_run_that_was_broken_off_goes_on_from_its_last_epoch(
    training: TrainConfig, tmp_path: Path
) -> None:
    config = SweepConfig(budgets=(0.5,), training=training)
    unbroken = sweep(config, tmp_path / "unbroken", Quiet())
    steps = 3 + 3 + 3  # 30 samples in batches of 12, 3 epochs
    stop: Progress = StopAt(steps + 7)  # in the third epoch of the second run
    with pytest.raises(KeyboardInterrupt):
        sweep(config, tmp_path / "broken", stop)
    few: Progress = StopAt(3)  # enough for one epoch, not for two
    again = sweep(config, tmp_path / "broken", few)
    for one, other in zip(unbroken.points, again.points, strict=True):
        assert one.models[0].outcome == other.models[0].outcome


@pytest.mark.slow
def test_a_killed_program_ends_with_the_table_of_an_unbroken_one(
    few_images: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "picojoule", "sweep", "--budgets", "0.5,0.25", "--seeds", "2"]
    command += ["--data", few_images, "--epochs", "6", "--batch-size", "6", "--num-timesteps", "3"]
    out = tmp_path / "killed"
    for seed, file in (
        ("seed1", "unconstrained/checkpoint.safetensors"),
        ("seed1", "budget-0.5/config.yaml"),
        ("seed1", "budget-0.25/checkpoint.safetensors"),
        ("seed2", "unconstrained/config.yaml"),
        ("seed2", "budget-0.25/report.json"),
    ):
        with started([*command, "--out", out], stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 300
            while not (out / seed / file).exists():
                assert process.poll() is None, "the sweep ended before it could be killed"
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.kill()
    for folder in (out, tmp_path / "unbroken"):
        subprocess.run([*command, "--out", folder], check=True, stderr=subprocess.DEVNULL)
    killed, unbroken = (
        json.loads((folder / "frontier.json").read_text())
        for folder in (out, tmp_path / "unbroken")
    )
    assert killed == unbroken
