"""Stages with time steps of their own: which there are, what passes between them, what is counted, and when they are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.layers import (
    IAF,
    LIF,
    FlattenTime,
    IAFSqueeze,
    LIFRecurrent,
    SumPool2d,
    UnflattenTime,
)
from picojoule.layers.retime import Retime, retimed, shares
from picojoule.training import ConfigError, Progress, Run, TrainConfig, lenet, recurrent_net, train
from picojoule.training.answers.answers import Answers
from picojoule.training.loop.mixed_time_steps import MixedTimeSteps
from picojoule.training.networks.stages import Stage, Stages
from picojoule.training.settings.saved import ADDED
from picojoule.training.settings.stated import resolved
from tests.training.networks import INPUTS, TIME, Noise
from tests.training.networks import model as chain
from tests.training.test_train import StopAfter, assert_same_weights

HERE = Path(__file__)
NETWORKS = HERE.with_name("networks.py")
FRAMES = torch.stack([Noise(3)[index][0] for index in range(3)])
TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    learning_rate=0.01,
    optimizer="adam",
    synops_per_timestep={"2": 20.0, "4": 5.0},
    time_steps_per_stage="random",
)


def found(model: nn.Module, frames: Tensor = FRAMES) -> Stages:
    stages = Stages(model)
    stages.find(Answers(model, model).output, frames)
    return stages


# ---- the same spikes over other time steps


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 8, 50])
def test_every_spike_stays_and_stays_whole(steps: int) -> None:
    spikes = torch.randint(0, 4, (2, 4, 3, 5)).float()
    again = retimed(spikes, steps, whole=True)
    assert again.shape == (2, steps, 3, 5)
    assert torch.equal(again.sum(1), spikes.sum(1))
    assert torch.equal(again, again.round())
    assert bool((again >= 0).all())


@pytest.mark.parametrize(("before", "after"), [(4, 8), (4, 7), (7, 3), (5, 1), (1, 3)])
def test_no_spike_leaves_its_part_of_the_time(before: int, after: int) -> None:
    reachable = shares(before, after) > 0
    for step in range(before):
        spikes = torch.zeros(200, before, 1)
        spikes[:, step] = 3
        came = retimed(spikes, after, whole=True).sum((0, 2)) > 0
        assert torch.equal(came, reachable[step])


def test_the_mean_is_the_formula_and_so_is_the_gradient() -> None:
    # five steps over three: step 1 is [0.2, 0.4) of the time, two thirds of it before 1/3; step 3 one third before 2/3
    spikes = torch.tensor([1.0, 0.0, 2.0, 1.0, 5.0]).view(1, 5, 1)
    formula = torch.tensor([1.0, 2 + 1 / 3, 5 + 2 / 3])
    torch.testing.assert_close(retimed(spikes, 3, whole=False).flatten(), formula)
    mean = retimed(spikes.expand(20000, 5, 1), 3, whole=True).mean(0).flatten()
    torch.testing.assert_close(mean, formula, atol=0.02, rtol=0)
    leaf = spikes.requires_grad_()
    (retimed(leaf, 3, whole=True).flatten() * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad.flatten(), torch.tensor([1.0, 4.0, 10.0, 70.0, 100.0]))


def test_the_usual_number_of_steps_changes_nothing() -> None:
    assert retimed(FRAMES, TIME, whole=True) is FRAMES


# ---- the stages


def folded() -> nn.Module:
    """As LeNet, with the time steps given to the layers and not the batch."""
    neurons = {"num_timesteps": TIME}
    return nn.Sequential(
        FlattenTime(),
        nn.Linear(INPUTS, 16),
        IAFSqueeze(**neurons),
        nn.Unflatten(1, (1, 4, 4)),
        SumPool2d(2),
        nn.Flatten(),
        nn.Linear(4, 3),
        IAFSqueeze(**neurons),
        UnflattenTime(**neurons),
    )


class Residual(nn.Module):
    """A block that adds its input to what its neurons get, and one that answers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(INPUTS, 8), IAF())
        self.one, self.first = nn.Linear(8, 8), IAF()
        self.two, self.second = nn.Linear(8, 8), IAF()
        self.head = nn.Linear(8, 3)

    def forward(self, data: Tensor) -> Tensor:
        data = self.stem(data)
        inner = self.first(self.one(data))
        return self.head(self.second(self.two(inner) + data))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (chain, [("", "1"), ("1", "3"), ("3", "5")]),
        (folded, [("", "2"), ("2", "7")]),
        (lambda: recurrent_net(INPUTS, 3), [("", "1"), ("1", "3")]),
        (Residual, [("", "stem.1"), ("stem.1", "second")]),
    ],
)
def test_a_stage_ends_where_all_that_follows_can_have_the_usual_steps(
    build: Callable[[], nn.Module], expected: list[tuple[str, str]]
) -> None:
    model = build()
    stages = found(model)
    assert list(stages.found) == [Stage(*each) for each in expected]
    steps = [1, 9, 3][: len(expected)]
    with stages.running(FRAMES, steps):
        output = Answers(model, model).output(FRAMES)
    assert output.shape == (len(FRAMES), TIME, 3)
    output.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_lenet_has_a_stage_for_each_layer_of_neurons() -> None:
    frames = torch.ones(3, 2, 1, 28, 28)
    pairs = [(each.start, each.end) for each in found(lenet(3), frames).found]
    assert pairs == [("", "2"), ("2", "5"), ("5", "8"), ("8", "11")]


def test_each_stage_runs_its_own_steps_and_nothing_is_left_behind() -> None:
    model = folded()
    stages, seen = found(model), list[int]()
    handles = [
        m.register_forward_pre_hook(lambda _, x: seen.append(len(x[0]))) for m in model[1::5]
    ]
    with stages.running(FRAMES, [2, 7]):
        Answers(model, model).output(FRAMES)
    Answers(model, model).output(FRAMES)
    assert seen == [3 * 2, 3 * 7, 3 * TIME, 3 * TIME]
    for handle in handles:
        handle.remove()
    assert (model[2].batch_size, model[2].num_timesteps) == (-1, TIME)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_usual_steps_for_all_give_the_usual_output() -> None:
    model = chain()
    stages, answers = found(model), Answers(model, model)
    expected = answers.output(FRAMES)
    with stages.running(FRAMES, [TIME] * 3):
        assert torch.equal(answers.output(FRAMES), expected)


class FixedSteps(nn.Module):
    """Takes its time steps from a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.neurons = nn.Linear(INPUTS, 3), IAF()

    def forward(self, data: Tensor) -> Tensor:
        return self.neurons(self.linear(data.reshape(-1, TIME, INPUTS)))


class Loop(nn.Module):
    """Calls its neurons once a step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.neurons = nn.Linear(INPUTS, 3), LIF(5.0)

    def forward(self, data: Tensor) -> Tensor:
        return torch.cat([self.neurons(self.linear(data[:, t : t + 1])) for t in range(TIME)], 1)


@pytest.mark.parametrize(
    ("model", "why"),
    [(FixedSteps(), r"shape '\[-1, 4, 6\]' is invalid"), (Loop(), "no layer of spiking neurons")],
)
def test_a_network_that_runs_with_the_usual_steps_alone_is_refused(
    model: nn.Module, why: str
) -> None:
    with pytest.raises(NotImplementedError, match=rf"no part of the model can run .*{why}.*same"):
        found(model)


def test_one_time_step_is_refused() -> None:
    with pytest.raises(ValueError, match=r"have 1 time step, expected 2.*--num-timesteps"):
        found(chain(), FRAMES[:, :1])


def test_an_answer_after_each_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="loss_each_step is True, expected false, as stages"):
        replace(TINY, loss_each_step=True)


# ---- what is counted


@pytest.mark.parametrize("build", [chain, folded, lambda: recurrent_net(INPUTS, 3)])
def test_synops_and_rates_are_per_usual_step(build: Callable[[], nn.Module]) -> None:
    model = build()
    stages, answers = found(model), Answers(model, model)
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    fan_in = dict[str, Tensor]()

    def note(name: str) -> Callable[..., None]:
        return lambda _, x: fan_in.__setitem__(name, x[0].detach().sum())

    for name, layer in layers.items():
        if "rec_connect" not in name:
            layer.register_forward_pre_hook(note(name))
    made = dict[str, Tensor]()
    for name, m in model.named_modules():
        if isinstance(m, IAF | LIF):
            m.register_forward_hook(lambda _, __, y, n=name: made.__setitem__(n, y.detach()))
    with picojoule.Monitor(model) as monitor:
        answers.output(FRAMES)
        usual = monitor.synops[next(iter(layers))].item()
        with stages.running(FRAMES, [1, 9, 3][: len(stages.found)]), monitor.counting_as(3, TIME):
            answers.output(FRAMES)
    synops = monitor.synops
    assert (synops.sample_steps, synops.num_timesteps) == (3 * TIME, TIME)
    for name, spikes in fan_in.items():
        expected = spikes * layers[name].out_features / (3 * TIME)
        assert synops[name].item() == pytest.approx(expected.item())
        if name != next(iter(layers)):
            assert synops[name].requires_grad
    assert synops[next(iter(layers))].item() == pytest.approx(usual)  # all of the input arrives
    for name, rate in monitor.rates.items():
        torch.testing.assert_close(rate.sum().item() * 3 * TIME, made[name].sum().item())
    assert monitor.warnings == ()


def test_spikes_stay_spikes_for_the_monitor_with_the_gradient_of_spikes() -> None:
    """Also where there is none: |x| has no slope at 0, and a silent neuron would get no gradient."""
    model = nn.Sequential(nn.Linear(INPUTS, 5), IAF(), nn.Linear(5, 7), IAF())
    stages = found(model)
    sums = dict[str, Tensor]()
    model[1].register_forward_hook(lambda _, __, y: sums.__setitem__("spikes", y))
    with picojoule.Monitor(model) as monitor:
        model(FRAMES)
        picojoule.reset_states(model)
        with stages.running(FRAMES, [6, 2]), monitor.counting_as(3, TIME):
            model(FRAMES)
    (gradient,) = torch.autograd.grad(monitor.synops["2"], sums["spikes"])
    torch.testing.assert_close(gradient, torch.full_like(gradient, 7 / (3 * TIME)))


def test_retiming_is_no_part_of_the_model() -> None:
    assert isinstance(Retime(3, whole=True)(FRAMES), Tensor)
    assert "retime" not in picojoule.layers.__all__


# ---- training


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    from tests.training.conftest import Silence

    folder = tmp_path_factory.mktemp("unbroken")
    return train(TINY, folder, Silence(), compare=False), folder


def test_the_same_seed_gives_the_same_numbers_and_other_ones_than_the_same_steps(
    silence: Progress, tmp_path: Path, unbroken: tuple[Run, Path]
) -> None:
    torch.manual_seed(99)
    again = train(TINY, tmp_path / "again", silence, compare=False)
    assert again.to_dict() == unbroken[0].to_dict()
    assert_same_weights(unbroken[1], tmp_path / "again")
    same = replace(TINY, time_steps_per_stage="same")
    other = train(same, tmp_path / "same", silence, compare=False)
    assert other.budget.untrained.to_dict() == again.budget.untrained.to_dict()
    assert other.budget.history.loss != again.budget.history.loss


def test_with_the_same_steps_no_stage_is_looked_for_and_nothing_is_drawn(
    silence: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("find", "draw", "running"):
        monkeypatch.setattr(Stages, name, None)
    monkeypatch.setattr(MixedTimeSteps, "find", None)
    same = replace(TINY, epochs=1, time_steps_per_stage="same")
    assert train(same, tmp_path / "run", silence, compare=False).budget.history.epochs == 1


@pytest.mark.parametrize("steps", [0, 3, 5])
def test_a_run_broken_off_and_resumed_ends_as_an_unbroken_one(
    silence: Progress, tmp_path: Path, unbroken: tuple[Run, Path], steps: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "broken", StopAfter(steps), compare=False)
    resumed = train(TINY, tmp_path / "broken", silence, compare=False, resume=True)
    assert_same_weights(unbroken[1], tmp_path / "broken")
    assert resumed.to_dict() == unbroken[0].to_dict()


def normed() -> nn.Module:
    """For the command line below."""
    return nn.Sequential(
        FlattenTime(),
        nn.Linear(INPUTS, 12),
        nn.BatchNorm1d(12),
        IAFSqueeze(batch_size=1),
        nn.Linear(12, 3),
        IAFSqueeze(batch_size=1),
        UnflattenTime(batch_size=1),
    )


def test_batch_normalisation_is_measured_with_the_usual_steps(
    silence: Progress, tmp_path: Path
) -> None:
    config = replace(TINY, model=f"{HERE}:normed", synops_per_timestep=None)
    train(config, tmp_path / "run", silence, compare=False)
    model = picojoule.load(tmp_path / "run").model
    data = Noise(26)
    frames = torch.stack([data[index][0] for index in range(26)]).flatten(0, 1)
    torch.testing.assert_close(model[2].running_mean, model[1](frames).mean(0), rtol=0.05, atol=0.05)  # fmt: skip


def test_a_recurrent_network_trains(silence: Progress, tmp_path: Path) -> None:
    config = replace(TINY, model="recurrent", epochs=1, synops_per_timestep=None, min_rate=0.01)
    assert train(config, tmp_path / "run", silence, compare=False).budget.history.epochs == 1


def test_a_run_from_before_there_were_stages_has_the_same_steps() -> None:
    before = {name: value for name, value in TINY.to_dict().items() if name not in ADDED}
    assert replace(TINY, time_steps_per_stage="same").differences(before) == []
    assert resolved(before).time_steps_per_stage == "same"
    assert TINY.differences(before) == ["time_steps_per_stage is 'random' here and 'same' there"]


def test_feedback_has_the_steps_of_its_stage() -> None:
    model = nn.Sequential(LIFRecurrent(5.0, nn.Linear(INPUTS, INPUTS)))
    stages = found(model)
    with stages.running(FRAMES, [9]):
        assert model(FRAMES).shape == FRAMES.shape
