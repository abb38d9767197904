"""A run that stops for each sample when it is sure, and its loss on the answer after each time step."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

import picojoule
from picojoule.cli.tables import print_run
from picojoule.data import load_data
from picojoule.layers import IAF
from picojoule.training import Run, TrainConfig, train
from picojoule.training.answers.answers import Answers
from picojoule.training.answers.readout import Readout
from picojoule.training.config_error import ConfigError
from picojoule.training.networks.models import build_model
from picojoule.training.randomness import Stream, derived_seed
from picojoule.training.samples.batches import Process, loaded, steps_of_epoch
from picojoule.training.sweeping.one_run import one_run
from tests.training.commands import NETWORKS
from tests.training.conftest import Silence
from tests.training.networks import CLASSES, INPUTS, TIME, Noise

HERE = Path(__file__)
TINY = TrainConfig(
    model=f"{NETWORKS}:model", data=f"{NETWORKS}:data", epochs=1, batch_size=8, learning_rate=0.01
)


class _LongShort(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(INPUTS, CLASSES, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.memory(x)[0]


def long_short() -> nn.Module:
    return _LongShort()


class _Summed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(INPUTS, CLASSES), IAF())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).sum(1)


def summed() -> nn.Module:
    return _Summed()


class _Mixing(nn.Module):
    """Once it has been trained a little, a frame weighs the more the later it comes in a call."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.passes = nn.Sequential(nn.Linear(INPUTS, CLASSES), IAF()), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += self.training
        weight = torch.arange(1.0, 1 + x.shape[1]) if self.passes > 6 else torch.ones(x.shape[1])
        return self.layers(5 * x * weight.unsqueeze(1))


def mixing() -> nn.Module:
    return _Mixing()


class _Cut(Dataset[tuple[Tensor, int]]):
    """Noise's first `time` steps, of its first `classes` classes."""

    def __init__(self, whole: Noise, time: int, classes: int = CLASSES) -> None:
        self.whole, self.time, self.num_classes = whole, time, classes

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames, label = self.whole[index]
        return frames[: self.time], label % self.num_classes


def of_one_step() -> tuple[_Cut, _Cut]:
    return _Cut(Noise(26), 1), _Cut(Noise(13, redrawn=False), 1)


def one_class() -> tuple[_Cut, _Cut]:
    return _Cut(Noise(26), TIME, 1), _Cut(Noise(13, redrawn=False), TIME, 1)


def of_one_class() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 1), IAF())


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())["early_exit"]


def shown(run: Run) -> dict[str, list[str]]:
    """The rows that the command prints, by their first cell."""
    console = Console(file=io.StringIO(), width=160)
    print_run(run, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize("readout", ["count", "potential"])
def test_the_loss_of_each_step_is_the_mean_of_those_of_the_sequences_up_to_it(
    tmp_path: Path, silence: Silence, readout: Readout
) -> None:
    config = replace(TINY, loss_each_step=True, readout=readout)
    run = train(config, tmp_path, silence, compare=False)
    torch.manual_seed(derived_seed(TINY.seed, Stream.WEIGHTS))
    model = build_model(TINY.model, (TIME, INPUTS), CLASSES, 8)
    classify = Answers(model, model, readout)
    first = steps_of_epoch(torch.arange(26), TINY.seed, 0, 8, 1, Process())[0]
    frames, labels = next(loaded(Noise(26), first.mine))
    losses = [F.cross_entropy(classify(frames[:, : t + 1]), labels).item() for t in range(TIME)]
    assert run.budget.history.loss[0] == pytest.approx(sum(losses) / TIME, rel=1e-5)
    assert losses[0] != pytest.approx(losses[-1], rel=1e-2)


def test_a_model_without_an_answer_after_each_step_is_told_before_training(
    tmp_path: Path, silence: Silence
) -> None:
    config = replace(TINY, model=f"{HERE}:summed", loss_each_step=True)
    with pytest.raises(
        ValueError, match=r"with \(8, 3\), expected b t c or \(b t\) c.*loss_each_step"
    ):
        train(config, tmp_path / "run", silence, compare=False)
    assert not (tmp_path / "run").exists() or not [*(tmp_path / "run").glob("*.safetensors")]


@pytest.mark.parametrize(("share", "set_on", "samples"), [(0.3, "validation", 8), (0.0, "training", 26)])  # fmt: skip
def test_a_run_reports_what_early_exit_comes_to_on_the_test_set(
    tmp_path: Path, silence: Silence, share: float, set_on: str, samples: int
) -> None:
    config = replace(TINY, validation_share=share, exit_synops_per_sample=160.0, min_rate=0.01)
    run = train(config, tmp_path, silence)
    told = report(tmp_path)
    assert (told["set_on"], told["samples"], told["synops_per_sample"]) == (set_on, samples, 160.0)
    assert told["calibrated"]["synops_per_sample"] <= 160.0
    assert run.plain is not None
    assert run.plain.exits is None

    outcome = one_run(config, tmp_path, silence)  # of the finished run
    assert asdict(outcome)["after_exit"] == told["tested"]

    early = picojoule.load(tmp_path).early_exit
    assert early is not None
    assert told["potential_of"] == "5"
    test = [Noise(13, redrawn=False)[i] for i in range(13)]
    exits = early(torch.stack([frames for frames, _ in test]))
    right = exits.answers.argmax(1) == torch.tensor([label for _, label in test])
    assert told["tested"] == {
        "accuracy": pytest.approx(right.double().mean().item()),
        "exit_step": pytest.approx(exits.steps.double().mean().item()),
        "synops_per_sample": pytest.approx(exits.synops.mean().item()),
    }
    own, full = told["tested"], run.budget.trained
    spent = TIME * full.total_synops_per_timestep
    rows = shown(run)
    assert rows["all steps"] == [f"{full.accuracy:.2%}", "4.00", f"{spent:,.0f}"]
    assert rows["early exit"] == [
        f"{own['accuracy']:.2%}",
        f"{own['exit_step']:.2f}",
        f"{own['synops_per_sample']:,.0f}",
        "160",
    ]


def test_a_budget_out_of_reach_is_told_and_the_run_is_kept(
    tmp_path: Path, silence: Silence
) -> None:
    run = train(replace(TINY, exit_synops_per_sample=1.0), tmp_path, silence, compare=False)
    told = report(tmp_path)
    assert told["tested"] is told["threshold"] is None
    assert "a budget of 1 SynOps per sample is out of reach" in told["why"]
    assert told["why"] in silence.notes
    assert run.budget.trained.accuracy > 0


def test_a_network_that_came_to_mix_time_steps_is_told_and_kept(
    tmp_path: Path, silence: Silence
) -> None:
    config = replace(TINY, epochs=3, model=f"{HERE}:mixing", exit_synops_per_sample=100.0)
    train(config, tmp_path, silence, compare=False)
    told = report(tmp_path)
    assert "one by one otherwise than at once" in told["why"]
    assert told["why"] in silence.notes
    assert picojoule.load(tmp_path).early_exit is None


def test_a_model_that_cannot_exit_is_refused_before_training(
    tmp_path: Path, silence: Silence
) -> None:
    config = replace(TINY, model=f"{HERE}:long_short", exit_synops_per_sample=100.0)
    with pytest.raises(NotImplementedError, match=r"'memory' \(LSTM\) begins anew"):
        train(config, tmp_path / "run", silence, compare=False)
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("number", [0.0, -1.0, float("inf")])
def test_a_budget_that_is_none_is_named(number: float) -> None:
    with pytest.raises(ValueError, match=r"exit_synops_per_sample is .*expected a number > 0"):
        TrainConfig(exit_synops_per_sample=number)


@pytest.mark.parametrize("setting", [{"loss_each_step": True}, {"exit_synops_per_sample": 1e5}])
def test_a_task_has_no_classes_to_be_sure_of(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"{next(iter(setting))} is .*as a task"):
        TrainConfig(task="mytask.py:make", **setting)


def test_a_network_of_one_class_is_refused_before_training(
    tmp_path: Path, silence: Silence
) -> None:
    config = replace(
        TINY, model=f"{HERE}:of_one_class", data=f"{HERE}:one_class", exit_synops_per_sample=100.0
    )
    with pytest.raises(ValueError, match="two classes at least"):
        train(config, tmp_path / "run", silence, compare=False)
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


BUDGET = replace(TINY, epochs=2, synops_per_timestep={"2": 20.0, "4": 5.0})


def test_exit_is_measured_after_training_and_changes_nothing_of_it(
    tmp_path: Path, silence: Silence
) -> None:
    exiting = replace(BUDGET, exit_synops_per_sample=90.0)
    one, other = (
        train(config, tmp_path / name, silence, compare=False)
        for name, config in (("exit", exiting), ("none", BUDGET))
    )
    weights = [(tmp_path / name / "trained.safetensors").read_bytes() for name in ("exit", "none")]
    assert weights[0] == weights[1]
    assert one.budget.trained.to_dict() == other.budget.trained.to_dict()
    assert one.budget.history == other.budget.history


def test_without_an_exit_it_spends_what_the_pruned_and_trimmed_network_does(
    few_images: Path, tmp_path: Path, silence: Silence
) -> None:
    config = TrainConfig(
        data=str(few_images),
        epochs=2,
        batch_size=10,
        synops_per_timestep=5e3,
        per="trainable",
        exit_synops_per_sample=1e9,
    )
    run = train(config, tmp_path, silence, compare=False)
    loaded_run = picojoule.load(tmp_path)
    early = loaded_run.early_exit
    assert bool((loaded_run.model[4].weight == 0).any())  # its synapses do not count
    assert early is not None
    early.threshold = early.last_step = None
    test = load_data(str(few_images), num_timesteps=5, seed=config.seed)[1]
    frames = torch.stack([test[i][0] for i in range(len(test))])
    exits = early(frames)
    full = run.budget.trained
    assert exits.synops.mean().item() == pytest.approx(5 * full.total_synops_per_timestep)
    torch.testing.assert_close(exits.answers, loaded_run.answers(frames).detach())


def test_a_run_that_goes_on_ends_as_one_that_was_never_stopped(
    tmp_path: Path, silence: Silence
) -> None:
    config = replace(BUDGET, loss_each_step=True, exit_synops_per_sample=90.0)

    class Stopped(Silence):
        def advance(self, status: str) -> None:
            if status.startswith("epoch 2"):
                raise KeyboardInterrupt

    train(config, tmp_path / "whole", silence, compare=False)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "halves", Stopped(), compare=False)
    train(config, tmp_path / "halves", silence, compare=False, resume=True)
    assert report(tmp_path / "whole") == report(tmp_path / "halves")
    weights = [(tmp_path / n / "trained.safetensors").read_bytes() for n in ("whole", "halves")]
    assert weights[0] == weights[1]


def test_one_time_step_is_left_after_it(tmp_path: Path, silence: Silence) -> None:
    config = replace(
        TINY, data=f"{HERE}:of_one_step", loss_each_step=True, exit_synops_per_sample=1e6
    )
    run = train(config, tmp_path, silence, compare=False)
    told, full = report(tmp_path), run.budget.trained
    assert told["tested"] == {
        "accuracy": pytest.approx(full.accuracy),
        "exit_step": 1.0,
        "synops_per_sample": pytest.approx(full.total_synops_per_timestep),
    }


@pytest.mark.parametrize(
    "damage", [{"tested": {}, "sure": "luck"}, {"tested": {}}, 5, {"tested": {}, "sure": "margin", "threshold": 1.0, "last_step": None, "potential_of": "4"}]
)  # fmt: skip
def test_a_damaged_report_is_named(tmp_path: Path, silence: Silence, damage: Any) -> None:
    train(replace(TINY, exit_synops_per_sample=160.0), tmp_path, silence, compare=False)
    told = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps(told | {"early_exit": damage}))
    with pytest.raises(ValueError, match=r"early_exit in .*report\.json does not fit the model"):
        picojoule.load(tmp_path)
