"""Micro-batches give the training of whole batches."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from picojoule.training import Progress, TrainConfig, train
from tests.training.commands import NETWORKS, assert_close, checkpoint
from tests.training.networks import CLASSES, Noise

HERE = Path(__file__)


class Alike(Dataset[tuple[Tensor, int]]):
    """The same sample again and again, so that each micro-batch measures what the batch does."""

    num_classes = CLASSES

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return Noise(3)[1]


def alike() -> tuple[Alike, Alike]:
    return Alike(), Alike()


@pytest.fixture
def tiny() -> TrainConfig:
    return TrainConfig(
        model=f"{NETWORKS}:model",
        data=f"{NETWORKS}:data",
        epochs=3,
        batch_size=8,
        learning_rate=0.01,
        precision="64-true",
    )


@pytest.mark.parametrize("accumulate", [2, 3, 8, 100])
def test_on_the_task_alone_they_are_the_same(
    tiny: TrainConfig, silence: Progress, tmp_path: Path, accumulate: int
) -> None:
    whole = train(tiny, tmp_path / "whole", silence)
    cut = train(replace(tiny, accumulate=accumulate), tmp_path / "cut", silence)
    one, other = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-6, atol=1e-6)
    assert cut.budget.history.loss == pytest.approx(whole.budget.history.loss, rel=1e-5)
    spent, spent_whole = cut.budget.history, whole.budget.history
    for layer, counts in spent_whole.synops_per_timestep.items():
        assert spent.synops_per_timestep[layer] == pytest.approx(counts, rel=1e-5)


@pytest.mark.parametrize("accumulate", [2, 4])
def test_with_a_budget_too_where_micro_batches_measure_what_the_batch_does(
    tiny: TrainConfig, silence: Progress, tmp_path: Path, accumulate: int
) -> None:
    bound = replace(
        tiny,
        data=f"{HERE}:alike",
        synops_per_timestep={"2": 15.0, "4": 4.0},
        min_rate=0.05,
    )
    train(bound, tmp_path / "whole", silence, compare=False)
    train(replace(bound, accumulate=accumulate), tmp_path / "cut", silence, compare=False)
    assert_close(tmp_path / "whole", tmp_path / "cut", 1e-6)


def test_with_a_budget_whose_micro_batches_measure_less_they_are_close(
    tiny: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    bound = replace(tiny, synops_per_timestep={"2": 20.0, "4": 5.0}, min_rate=0.05)
    one = train(bound, tmp_path / "whole", silence, compare=False)
    two = train(replace(bound, accumulate=2), tmp_path / "cut", silence, compare=False)
    for layer, counts in one.budget.history.synops_per_timestep.items():
        spent = sum(two.budget.history.synops_per_timestep[layer])
        assert spent == pytest.approx(sum(counts), rel=0.15)


def test_workers_load_the_same_samples(
    tiny: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    short = replace(tiny, epochs=2)
    train(short, tmp_path / "here", silence)
    train(replace(short, workers=1), tmp_path / "workers", silence)
    one, other = checkpoint(tmp_path / "here"), checkpoint(tmp_path / "workers")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_half_precision_trains_and_resumes_to_the_same_weights(
    tiny: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    mixed = replace(tiny, precision="bf16-mixed", synops_per_timestep={"2": 20.0})
    whole = train(mixed, tmp_path / "whole", silence, compare=False)
    train(mixed, tmp_path / "again", silence, compare=False)
    resumed = train(mixed, tmp_path / "again", silence, compare=False, resume=True)
    assert resumed.to_dict() == whole.to_dict()
    exact = train(replace(mixed, precision="32-true"), tmp_path / "exact", silence, compare=False)
    assert whole.budget.history.loss != exact.budget.history.loss
    assert checkpoint(tmp_path / "whole")["0.weight"].dtype == torch.float32
