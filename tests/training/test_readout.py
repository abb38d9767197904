"""The answer to a sample: spikes, and what is left in the potential."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from picojoule.layers import (
    ALIF,
    IAF,
    ExpLeak,
    FlattenTime,
    IAFSqueeze,
    LIFRecurrent,
    UnflattenTime,
)
from picojoule.training import Progress, TrainConfig, train
from picojoule.training.answers.answers import Answers
from tests.training.commands import NETWORKS
from tests.training.networks import CLASSES, INPUTS

HERE = Path(__file__)
FRAMES = torch.rand(4, 3, INPUTS, generator=torch.Generator().manual_seed(0))


def answers(model: nn.Module, frames: Tensor = FRAMES) -> Tensor:
    return Answers(model, model, "potential")(frames)


def test_what_spikes_leave_is_added_in_thresholds() -> None:
    # 1.25 a step for 3 steps = 3.75: of threshold 2 one spike and 1.75 are left, of threshold 1 three and 0.75
    model = nn.Sequential(nn.Identity(), IAF(spike_threshold=torch.tensor([2.0, 1.0])))
    read = Answers(model, model, "potential")
    for _ in range(2):  # from zeros each time
        torch.testing.assert_close(read(torch.full((1, 3, 2), 1.25)), torch.tensor([[1.875, 3.75]]))
    assert Answers(model, model)(torch.full((1, 3, 2), 1.25)).tolist() == [[1.0, 3.0]]


def test_a_potential_below_zero_counts_against_a_class() -> None:
    assert answers(nn.Sequential(IAF()), torch.full((1, 2, 1), -0.25)).item() == -0.5


@pytest.mark.parametrize("weight", [0.1, 1.0, 5.0])
def test_neurons_that_only_subtract_answer_their_whole_input_in_thresholds(weight: float) -> None:
    # count + (w * sum(x) - threshold * count) / threshold = w * sum(x) / threshold, and so is the gradient
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    model = nn.Sequential(layer, IAF(spike_threshold=4.0))
    answer = answers(model, torch.tensor([[[1.0], [2.0], [3.0]]]))
    answer.sum().backward()
    assert answer.item() == pytest.approx(weight * 6 / 4)
    assert layer.weight.grad.item() == pytest.approx(6 / 4)


def squeezed() -> nn.Module:
    return nn.Sequential(
        FlattenTime(),
        nn.Linear(INPUTS, CLASSES),
        IAFSqueeze(batch_size=1),
        UnflattenTime(batch_size=1),
    )


def folded() -> nn.Module:
    return nn.Sequential(nn.Flatten(0, 1), nn.Linear(INPUTS, CLASSES), IAFSqueeze(num_timesteps=3))


def recurrent() -> nn.Module:
    return nn.Sequential(
        nn.Linear(INPUTS, CLASSES), LIFRecurrent(10.0, nn.Linear(CLASSES, CLASSES))
    )


def adaptive() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, CLASSES), ALIF(10.0, 5.0, norm_input=False))


class Summed(nn.Module):
    """Sums over time by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.neurons = IAF()
        self.weights = nn.Linear(INPUTS, CLASSES)

    def forward(self, frames: Tensor) -> Tensor:
        return self.neurons(self.weights(frames)).sum(1)


@pytest.mark.parametrize("build", [squeezed, folded, recurrent, adaptive, Summed])
def test_spiking_last_layers_of_every_kind_are_read(build: type) -> None:
    model = build()
    counts = Answers(model, model)(FRAMES)
    layer = next(m for m in model.modules() if hasattr(m, "v_mem"))
    expected = counts + layer.v_mem / layer.spike_threshold
    read = answers(model)
    torch.testing.assert_close(read, expected)
    assert read.shape == (4, CLASSES)
    assert read.requires_grad


def linear_last() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 8), IAF(), nn.Linear(8, CLASSES))


def leaky_last() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, CLASSES), ExpLeak(10.0))


def relu_last() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, CLASSES), nn.ReLU(), nn.Flatten(2))


class Halved(Summed):
    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(3 + frames) / 2


class Grouped(Summed):
    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(frames)[:, :2]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (linear_last, r"the last layer is '2' \(Linear\), no spiking neuron of picojoule\.layers"),
        (leaky_last, r"the last layer is '1' \(ExpLeak\)"),
        (relu_last, r"the last layer is '1' \(ReLU\).*choose readout count"),
        (
            Halved,
            r"something else of the spikes of its last layer 'neurons' \(IAF\) .*readout count",
        ),
        (Grouped, r"their sum over time, \(4, 3\), before it answers with \(4, 2\)"),
    ],
)
def test_a_last_layer_without_such_a_potential_is_named(build: type, message: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        answers(build())


class Looping(Summed):
    """Goes through the time steps by itself."""

    def forward(self, frames: Tensor) -> Tensor:
        steps = [self.neurons(self.weights(frames[:, t : t + 1])) for t in range(frames.shape[1])]
        return torch.cat(steps, 1)


@pytest.mark.parametrize("time", [1, 2, 3])
def test_a_model_with_a_loop_of_its_own_is_read_by_the_count(time: int) -> None:
    torch.manual_seed(0)
    model, frames = Looping(), FRAMES[:, :time]
    if time > 1:
        with pytest.raises(ValueError, match=r"'neurons' \(IAF\).*Choose readout count"):
            answers(model, frames)
        assert Answers(model, model, "auto")(frames).equal(Answers(model, model)(frames))
    else:  # one step is the whole
        assert not Answers(model, model, "auto")(frames).equal(Answers(model, model)(frames))


TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    optimizer="adam",
    readout="count",
)


def test_a_run_learns_by_the_potential_and_answers_by_it(silence: Progress, tmp_path: Path) -> None:
    count = train(TINY, tmp_path / "count", silence)
    potential = train(replace(TINY, readout="potential"), tmp_path / "potential", silence)
    assert potential.budget.history.loss[0] != count.budget.history.loss[0]
    before = [run.budget.untrained for run in (count, potential)]
    assert before[0].synops_per_timestep == before[1].synops_per_timestep


def test_a_linear_last_layer_is_summed_and_has_no_potential(
    silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, model=f"{HERE}:linear_last")
    train(named, tmp_path / "count", silence)
    with pytest.raises(ValueError, match=r"the last layer is '2' \(Linear\)"):
        train(replace(named, readout="potential"), tmp_path / "potential", silence)
    assert not (tmp_path / "potential/config.yaml").exists()
