"""The best epoch under the budget, by samples kept aside."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from picojoule.budget import Violation
from picojoule.training import History, Measurement, Progress, TrainConfig, train
from picojoule.training.files.checkpoint_files import read_checkpoint
from picojoule.training.loop import fit
from picojoule.training.samples.run_data import load_run_data
from tests.training.commands import NETWORKS

TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=4,
    batch_size=8,
    learning_rate=0.01,
    validation_share=0.25,
    synops_per_timestep={"2": 100.0},
    min_rate=0.001,
)


def measured(accuracy: float, *broken: Violation) -> Measurement:
    return Measurement(accuracy, {}, {}, (), 1.0, broken)


def over(why: str = "") -> Violation:
    return Violation("synops_per_timestep of 2", 3.0, 2.0, 0.5, 1.0, why)


def test_a_limit_that_measures_no_number_is_never_kept_and_is_null_in_a_file() -> None:
    nan = float("nan")
    found = measured(0.9, Violation("synops_per_timestep of 2", nan, 2.0, nan, 1.0, "dense values"))
    assert (found.keeps_budget, found.keeps_what_it_can) == (False, False)
    (broken,) = json.loads(json.dumps(found.to_dict(), allow_nan=False))["broken"]
    assert (broken["value"], broken["bound"], broken["excess"]) == (None, 2.0, None)


def test_the_highest_accuracy_among_epochs_that_keep_the_budget_is_chosen() -> None:
    history, chosen = History(), []
    for result in (
        measured(0.9, over()),
        measured(0.5),
        measured(0.7, over("the input makes them")),
        measured(0.7),
        measured(0.6),
    ):
        history.epochs += 1
        history.add_validation(result)
        chosen.append(history.chosen_epoch)
    assert chosen == [None, 2, 3, 3, 3]


def test_the_split_follows_from_the_seed_and_training_never_sees_it() -> None:
    data, again = load_run_data(TINY), load_run_data(replace(TINY, epochs=9))
    assert torch.equal(data.validation_indices, again.validation_indices)
    assert len(data.validation_indices) == 6
    assert not set(data.validation_indices.tolist()) & set(data.train_indices.tolist())
    assert sorted([*data.validation_indices.tolist(), *data.train_indices.tolist()]) == list(
        range(26)
    )
    other = load_run_data(replace(TINY, seed=2))
    assert not torch.equal(data.validation_indices, other.validation_indices)


def test_a_share_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"validation_share of 0\.01 of 26 training samples is 0"):
        load_run_data(replace(TINY, validation_share=0.01))


def test_the_run_reports_the_chosen_epochs_network(silence: Progress, tmp_path: Path) -> None:
    run = train(TINY, tmp_path, silence, compare=False)
    history = run.budget.history
    assert len(history.validation) == 4
    accuracies = [each["accuracy"] for each in history.validation]
    assert history.chosen_epoch == 1 + accuracies.index(max(accuracies))

    best = load_file(tmp_path / "best.safetensors")
    if history.chosen_epoch == TINY.epochs:
        last = load_file(tmp_path / "checkpoint.safetensors")
        assert all(torch.equal(best[name], last[name]) for name in best)
    again = train(
        replace(TINY, start_from=str(tmp_path / "best.safetensors")),
        tmp_path / "b",
        silence,
        compare=False,
    )
    assert again.budget.untrained.accuracy == run.budget.trained.accuracy
    assert again.budget.untrained.synops_per_timestep == run.budget.trained.synops_per_timestep


@pytest.mark.parametrize("after", ["validation", "checkpoint"])
def test_killed_between_two_files_the_best_network_is_that_of_the_chosen_epoch(
    silence: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    accuracies = iter([0.5, 0.6, 0.4, 0.4, 0.4])  # epoch 2 comes out worse when it is trained again
    measure, save, save_best = fit.measure, fit._Epochs._save, fit._Epochs._save_best

    def measured_as_said(*args: Any) -> Measurement:
        found = measure(*args)
        return replace(found, accuracy=next(accuracies)) if args[-1] == "validating" else found

    def killed(epochs: Any) -> None:
        if epochs.history.epochs == 2:
            raise KeyboardInterrupt
        (save if after == "validation" else save_best)(epochs)

    monkeypatch.setattr(fit, "measure", measured_as_said)
    with monkeypatch.context() as patched:
        name = "_save" if after == "validation" else "_save_best"
        patched.setattr(fit._Epochs, name, killed)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, tmp_path, silence, compare=False)
    run = train(TINY, tmp_path, silence, compare=False, resume=True)
    best = read_checkpoint(tmp_path / "best.safetensors").progress
    assert run.budget.history.chosen_epoch == best["epoch"] == (1 if after == "validation" else 2)
    assert best["accuracy"] == (0.5 if after == "validation" else 0.6)


def test_without_an_epoch_that_keeps_the_budget_the_last_one_counts(
    silence: Progress, tmp_path: Path
) -> None:
    tight = replace(TINY, synops_per_timestep={"2": 0.5}, learning_rate=1e-4)
    run = train(tight, tmp_path, silence, compare=False)
    assert run.budget.history.chosen_epoch is None
    assert not (tmp_path / "best.safetensors").exists()
    assert not run.budget.trained.keeps_budget
