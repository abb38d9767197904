"""A network that is of no use says so, whatever it spends: silence, one answer for all, a loss beyond reason."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import picojoule
from picojoule.layers import IAF
from picojoule.training import Run, TrainConfig, train
from picojoule.training.health.faults import faults
from picojoule.training.health.vitals import LOOKED_AT, Watch
from picojoule.training.tasks.classification import Classification
from tests.training.commands import NETWORKS
from tests.training.conftest import Silence

TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    optimizer="adam",
    readout="count",
)
GUESSING = math.log(3)
WELL = {
    "where": "here",
    "rates_before": {"1": 0.2},
    "silent": [],
    "answered": [5, 5, 0],
    "labelled": [4, 3, 3],
    "task_loss": [GUESSING],
}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"silent": ["1"]}, ["silence of 1"]),
        ({"silent": ["3"]}, []),  # not known before
        ({"silent": ["1"], "rates_before": {"1": 0.0}}, []),  # silent before, too
        ({"answered": [0, 10, 0]}, ["one answer"]),
        ({"answered": [0, 10, 0], "labelled": [0, 10, 0]}, []),  # there is but one label
        ({"answered": [0, 10, 0], "labelled": [10, 0, 0]}, []),
        ({"task_loss": [9 * GUESSING]}, []),
        ({"task_loss": [11 * GUESSING]}, ["loss"]),  # in the first epoch
        ({"task_loss": [0.9, 9.1]}, ["loss"]),  # ten times the first, and worse than guessing
        ({"task_loss": [0.01, 0.5]}, []),  # grown, but better than guessing: a tight budget
        ({"task_loss": [100.0, 11 * GUESSING]}, ["loss"]),
        ({"task_loss": [100.0, 0.4]}, []),  # it has come back
        ({"task_loss": [1.0, math.inf]}, ["loss"]),
        ({"task_loss": [1.0, math.nan]}, ["loss"]),
        ({"task_loss": []}, []),
    ],
)
def test_what_is_wrong(changed: dict[str, object], found: list[str]) -> None:
    assert list(faults(**{**WELL, **changed})) == found  # type: ignore[arg-type]


def test_an_epoch_is_looked_at_near_its_end_and_its_loss_throughout() -> None:
    """Silent in the first batches: no matter. In the last: it is."""
    model = nn.Sequential(nn.Linear(1, 4, bias=False), IAF(), IAF())
    nn.init.constant_(model[0].weight, 1.0)
    monitor = picojoule.Monitor(model).attach()
    steps = 3 * LOOKED_AT
    for silent_at, silent in (
        (range(steps - LOOKED_AT), ()),
        (range(steps - LOOKED_AT, steps), ("1", "2")),
        (range(steps - LOOKED_AT + 1, steps), ()),  # one batch is enough to be alive
    ):
        watch = Watch(batches=steps, steps=steps)
        for step in range(steps):
            picojoule.reset_states(model)
            answers = model(torch.full((2, 3, 1), float(step not in silent_at))).sum(1)
            classes = Classification().classes(answers, torch.tensor([0, step % 4]))
            watch.see(torch.tensor(1.0 + step), classes, monitor)
        vitals = watch.vitals(lambda count: count)
        assert vitals.silent == silent
        assert vitals.task_loss == pytest.approx((1 + steps) / 2)
        assert sum(vitals.answered) == sum(vitals.labelled) == 2 * LOOKED_AT


def trained(config: TrainConfig, folder: Path, silence: Silence) -> Run:
    return train(config, folder, silence, compare=False)


def test_a_layer_that_falls_silent_is_said_in_the_note_and_the_report(
    silence: Silence, tmp_path: Path
) -> None:
    """One step at a learning rate that throws the biases far below zero."""
    run = trained(replace(TINY, model=f"{__name__}:falls_silent"), tmp_path, silence)
    assert list(run.budget.faults) == ["silence of 1", "one answer"]
    assert list(run.to_dict()["faults"]) == list(run.budget.faults)
    told = [note for note in silence.notes if "layer '1' fell silent" in note]
    assert len(told) == 1  # not again after each epoch
    assert "in the last batches of epoch 1" in told[0]
    assert any("all 26 samples are answered with class" in note for note in silence.notes)
    assert run.budget.trained.answered[run.budget.trained.answered.index(13)] == 13
    assert run.budget.trained.labelled == (5, 4, 4)


class FallsSilent(nn.Module):
    """Fires at first; a bias that every loss pushes down takes layer 1 with it."""

    def __init__(self) -> None:
        super().__init__()
        self.synapses = nn.Linear(6, 8)
        self.add_module("1", IAF())
        self.readout = nn.Linear(8, 3)
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += self.training
        current = self.synapses(x).abs() - (100.0 if self.seen > 1 else 0.0)
        spikes = self.get_submodule("1")(current)
        readout: torch.Tensor = self.readout(spikes)
        return readout


def falls_silent() -> nn.Module:
    return FallsSilent()


def test_a_network_that_learns_has_no_faults(silence: Silence, tmp_path: Path) -> None:
    run = trained(replace(TINY, epochs=8, learning_rate=0.01), tmp_path, silence)
    assert run.budget.faults == {}
    assert sum(run.budget.trained.answered) == 13
    assert len(run.budget.history.task_loss) == 8


def test_the_loss_that_is_told_is_that_of_the_task(silence: Silence, tmp_path: Path) -> None:
    """A floor that cannot be had adds nothing to it."""
    config = replace(TINY, epochs=1, min_rate={"3": 50.0})
    history = trained(config, tmp_path, silence).budget.history
    assert history.task_loss[0] == pytest.approx(sum(history.loss) / len(history.loss))
    assert history.loss[0] < 3 * math.log(3)


def test_a_wild_loss_is_said(silence: Silence, tmp_path: Path) -> None:
    run = trained(replace(TINY, model=f"{__name__}:wild", epochs=1), tmp_path, silence)
    assert "loss" in run.budget.faults
    assert any("beyond reason: guessing among 3 classes has 1.1" in note for note in silence.notes)
    assert not any("the first epoch had" in note for note in silence.notes)  # that is this one


def wild() -> nn.Module:
    layers = nn.Sequential(nn.Linear(6, 8), IAF(), nn.Linear(8, 3))
    nn.init.constant_(layers[0].weight, 1.0)
    nn.init.normal_(layers[2].weight, std=1e3)
    return layers
