"""A run that stops for each sample when it is sure, and its loss on the answer after each time step."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule.budget import EarlyExit
from picojoule.cli.tables import print_run
from picojoule.layers import IAF
from picojoule.training import Run, TrainConfig, train
from picojoule.training.batches import Process, loaded, steps_of_epoch
from picojoule.training.classifier import Classifier
from picojoule.training.each_step import loss_of_each_step
from picojoule.training.models import build_model
from picojoule.training.randomness import Stream, derived_seed
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


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())["early_exit"]


def shown(run: Run) -> dict[str, list[str]]:
    """The rows that the command prints, by their first cell."""
    console = Console(file=io.StringIO(), width=160)
    print_run(run, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def test_the_loss_of_each_step_is_the_mean_of_those_of_the_sequences_up_to_it(
    tmp_path: Path, silence: Silence
) -> None:
    run = train(replace(TINY, loss_each_step=True), tmp_path, silence, compare=False)
    torch.manual_seed(derived_seed(TINY.seed, Stream.WEIGHTS))
    classify = Classifier(model := build_model(TINY.model, (TIME, INPUTS), CLASSES, 8), model)
    first = steps_of_epoch(torch.arange(26), TINY.seed, 0, 8, 1, Process())[0]
    frames, labels = next(loaded(Noise(26), first.mine))
    losses = [F.cross_entropy(classify(frames[:, : t + 1]), labels).item() for t in range(TIME)]
    assert run.budget.history.loss[0] == pytest.approx(sum(losses) / TIME, rel=1e-5)
    assert loss_of_each_step(classify.by_step(frames), labels).item() == pytest.approx(
        sum(losses) / TIME, rel=1e-5
    )
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

    early = EarlyExit(
        picojoule.load(tmp_path).model, threshold=told["threshold"], last_step=told["last_step"]
    )
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
