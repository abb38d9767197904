"""What a run is trimmed on stands for all of its training samples."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from picojoule.layers import IAF
from picojoule.training import Progress, TrainConfig, train
from picojoule.training.loop import trimming

HERE = Path(__file__)


class Sorted(TensorDataset):
    """Class 0 first, whose inputs fire at 0.9; then class 1, at 0.2."""

    num_classes = 2

    def __init__(self, seed: int) -> None:
        rates = torch.tensor([0.9, 0.2]).repeat_interleave(60)
        random = torch.rand(120, 4, 8, generator=torch.Generator().manual_seed(seed))
        super().__init__((random < rates[:, None, None]).float(), (rates < 0.5).long())


def data() -> tuple[Sorted, Sorted]:
    return Sorted(1), Sorted(2)


def model() -> nn.Module:
    layers = nn.Sequential(nn.Linear(8, 60), IAF(), nn.Linear(60, 2), IAF())
    with torch.no_grad():
        layers[0].weight.abs_()
    return layers


def test_samples_in_the_order_of_their_classes_are_trimmed_to_the_limit_of_all(
    monkeypatch: pytest.MonkeyPatch, silence: Progress, tmp_path: Path
) -> None:
    """On the first 40 alone, all of class 0, the network would end far below."""
    monkeypatch.setattr(trimming, "CALIBRATION", 40)
    config = TrainConfig(
        model=f"{HERE}:model",
        data=f"{HERE}:data",
        epochs=4,
        batch_size=20,
        synops_per_timestep={"2": 20.0},
        synapses="keep",
    )
    trained = train(config, tmp_path, silence, compare=False).budget.trained
    assert 0.9 * 20 <= trained.synops_per_timestep["2"] <= 1.1 * 20


def test_the_spread_reaches_from_the_first_to_the_last_part() -> None:
    assert trimming.spread(torch.arange(100), 5).tolist() == [0, 20, 40, 60, 80]
    few: Tensor = torch.arange(3)
    assert trimming.spread(few, 5).tolist() == [0, 1, 2]
    assert trimming.spread(torch.arange(0), 5).tolist() == []
