"""The optimisers of a run: what Muon takes, what each does to it, and what none does to a pruned weight."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import picojoule.training
from picojoule.layers import IAF, LIF
from picojoule.training import ConfigError, Progress, TrainConfig, load_checkpoint, save_checkpoint
from picojoule.training import train as train_run
from picojoule.training.optimization.muon import matrices
from picojoule.training.optimization.optimizers import RATES, OptimizerName, build_optimizer
from tests.training.commands import NETWORKS, assert_close, checkpoint, run
from tests.training.networks import CLASSES, INPUTS
from tests.training.test_train import StopAfter

HERE = Path(__file__)
NAMES = get_args(OptimizerName)
needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch without Muon")
EACH = [pytest.param(name, marks=[needs_muon] if name == "muon" else []) for name in NAMES]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 5),
        nn.Linear(5, 3),
    )


def gradients(model: nn.Module, seed: int = 1) -> None:
    torch.manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)


def shapes(model: nn.Module, last: str | None = None) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in matrices(model, last)]


# ---- who is a matrix


def test_kernels_and_matrices_are_muons_the_answering_layer_is_not() -> None:
    assert shapes(network()) == [(6, 2, 3, 3), (5, 24)]
    assert shapes(network(), last="4") == [(6, 2, 3, 3), (3, 5)]
    assert shapes(network(), last="a call") == shapes(network())


def test_what_only_has_the_shape_of_a_matrix_is_none() -> None:
    frozen = nn.Linear(4, 4)
    frozen.weight.requires_grad_(False)
    per_neuron = LIF(10.0, spike_threshold=torch.ones(4, 4))
    model = nn.Sequential(
        nn.Embedding(7, 4), nn.Linear(4, 4), per_neuron, frozen, nn.Linear(4, 1), nn.Linear(4, 4)
    )
    assert shapes(model) == [(4, 4)]


def test_a_matrix_that_two_layers_share_is_taken_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].weight = model[0].weight
    assert shapes(model) == [(4, 4)]


@needs_muon
def test_each_parameter_that_is_trained_is_in_one_group() -> None:
    model = network()
    optimizer = build_optimizer(model, "muon")
    orthogonal, rest = (group["params"] for group in optimizer.param_groups)
    assert [tuple(each.shape) for each in orthogonal] == [(6, 2, 3, 3), (5, 24)]
    assert {*orthogonal, *rest} == set(model.parameters())
    assert len(orthogonal) + len(rest) == len(list(model.parameters()))


# ---- rates


@pytest.mark.parametrize("name", EACH)
def test_rates_where_none_is_stated(name: OptimizerName) -> None:
    rates = {"adam": [2e-3], "adamw": [2e-3], "sgd": [0.1], "muon": [0.02, 2e-3]}
    groups = build_optimizer(network(), name).param_groups
    assert [group["lr"] for group in groups] == pytest.approx(rates[name])
    assert [group["initial_lr"] for group in groups] == [group["lr"] for group in groups]
    assert RATES[name] == groups[0]["lr"]


@needs_muon
def test_muons_weights_go_as_far_in_a_long_run_as_in_a_short_one() -> None:
    rates = {}
    for steps in (1, 720, 1440, 72_000):
        groups = build_optimizer(network(), "muon", steps=steps).param_groups
        rates[steps] = [group["lr"] for group in groups]
    assert rates[1] == rates[720] == pytest.approx([0.02, 2e-3])
    assert rates[1440] == pytest.approx([0.01, 1e-3])
    assert rates[72_000] == pytest.approx([2e-4, 2e-5])
    stated = build_optimizer(network(), "muon", lr=0.02, steps=72_000)
    assert stated.param_groups[0]["lr"] == 0.02


@needs_muon
def test_adams_rate_beside_muon_keeps_its_ratio() -> None:
    groups = build_optimizer(network(), "muon", lr=0.01).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([0.01, 1e-3])


# ---- what Muon does


@needs_muon
def test_a_step_of_muon_is_nearly_orthogonal_and_as_long_as_the_rate_says() -> None:
    model = network()
    before = [weight.detach().clone() for weight in matrices(model)]
    optimizer = build_optimizer(model, "muon", lr=0.1)
    gradients(model)
    pull = [weight.grad.flatten(1) for weight in matrices(model)]
    optimizer.step()
    for weight, old, gradient in zip(matrices(model), before, pull, strict=True):
        step = (old - weight.detach()).flatten(1) / 0.1
        u, _, v = torch.linalg.svd(gradient, full_matrices=False)
        along = ((u @ v) * step).sum() / (torch.linalg.norm(u @ v) * torch.linalg.norm(step))
        assert along > 0.95
        lengths = torch.linalg.svdvals(step)  # five steps of Newton-Schulz leave 0.68 to 1.13
        assert 0.5 < lengths.min() < lengths.max() < 1.5


@needs_muon
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_kernels_step_as_pytorchs_muon_has_it_and_the_rest_as_its_adam(
    memory: torch.memory_format,
) -> None:
    model, twin = network().to(memory_format=memory), network()
    optimizer = build_optimizer(model, "muon")
    kernels = [nn.Parameter(weight.detach().flatten(1)) for weight in matrices(twin)]
    muon = torch.optim.Muon(kernels, lr=0.02, weight_decay=0.0, momentum=0.95)
    known = {id(weight) for weight in matrices(twin)}
    others = [weight for weight in twin.parameters() if id(weight) not in known]
    adam = torch.optim.Adam(others, lr=2e-3)
    for seed in range(3):
        gradients(twin, seed)
        for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            mine.grad = theirs.grad.clone(memory_format=torch.preserve_format)
        for kernel, weight in zip(kernels, matrices(twin), strict=True):
            kernel.grad = weight.grad.flatten(1)
        for each in (optimizer, muon, adam):
            each.step()
    for mine, kernel in zip(matrices(model), kernels, strict=True):
        assert torch.equal(mine.flatten(1), kernel)
    mine = [
        weight for weight in model.parameters() if all(weight is not m for m in matrices(model))
    ]
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))


@needs_muon
def test_a_model_that_moves_takes_its_optimiser_along() -> None:
    model = network()
    optimizer = build_optimizer(model, "muon")
    model.double()
    before = [weight.detach().clone() for weight in model.parameters()]
    gradients(model)
    optimizer.step()
    assert all((new != old).any() for new, old in zip(model.parameters(), before, strict=True))


@needs_muon
def test_parameters_without_a_gradient_stay() -> None:
    model = network()
    optimizer = build_optimizer(model, "muon")
    optimizer.step()
    gradients(model)
    model[0].weight.grad = None
    before = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(model[0].weight, before)
    assert not torch.equal(model[4].weight, network()[4].weight)


@needs_muon
def test_a_gradient_scaler_finds_every_gradient() -> None:
    plain, scaled = network(), network()
    optimizers = [build_optimizer(model, "muon") for model in (plain, scaled)]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(torch.ones(()))  # makes its state
    for model in (plain, scaled):
        gradients(model)
    for weight in scaled.parameters():
        weight.grad *= 2.0**10
    optimizers[0].step()
    scaler.step(optimizers[1])
    scaler.update()
    assert all(
        torch.equal(a, b) for a, b in zip(plain.parameters(), scaled.parameters(), strict=True)
    )
    scaled[0].weight.grad.fill_(torch.inf)
    before = [weight.detach().clone() for weight in scaled.parameters()]
    scaler.step(optimizers[1])
    assert all(torch.equal(a, b) for a, b in zip(before, scaled.parameters(), strict=True))


def test_a_pytorch_without_muon_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(
        ConfigError, match=r"optimizer is muon.*PyTorch \d.*2\.9 or later.*adam"
    ) as told:
        build_optimizer(network(), "muon")
    assert told.value.setting == "optimizer"


@pytest.mark.parametrize("name", EACH)
def test_a_scheduler_of_pytorch_moves_the_rates_of_all_groups_alike(name: OptimizerName) -> None:
    model = network()
    optimizer = build_optimizer(model, name, lr=0.1)
    at_start = [group["lr"] for group in optimizer.param_groups]
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    for seed in range(2):
        step_of(model, optimizer, seed)
        falling.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
        [rate / 2 for rate in at_start]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "sdg"}, "is 'sdg', expected one of adam, adamw, sgd, muon. Did you mean 'sgd'?"),
        ({"name": "adam", "lr": 0.0}, "lr is 0.0, expected a number > 0"),
        ({"name": "adam", "steps": 0}, "steps is 0, expected a whole number >= 1"),
        ({"name": "adam", "model": nn.ReLU()}, "no parameter of the ReLU requires a gradient"),
    ],
)
def test_what_cannot_be_trained_with_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build_optimizer(**{"model": network(), **given})


def test_it_is_public_and_begins_with_the_model() -> None:
    optimizer = picojoule.training.build_optimizer(network())
    assert isinstance(optimizer, torch.optim.Optimizer)


# ---- pruned weights


def with_decay(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.1
    return optimizer


def step_of(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    model(torch.randn(4, 2, 4, 4)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("decayed", [False, True])
@pytest.mark.parametrize("name", EACH)
def test_pruned_weights_neither_move_nor_keep_moments(
    name: OptimizerName, decayed: bool, steps_before: int
) -> None:
    model = network()
    optimizer = build_optimizer(model, name)
    if decayed:
        with_decay(optimizer)
    for seed in range(steps_before):
        step_of(model, optimizer, seed)
    gone = {}
    for number in (0, 4, 5):
        gone[number] = torch.rand_like(model[number].weight) < 0.5
        prune.custom_from_mask(model[number], "weight", ~gone[number])
    before = {number: model[number].weight_orig.detach().clone() for number in gone}
    for seed in range(3):
        step_of(model, optimizer, 10 + seed)
    for number, mask in gone.items():
        weight = model[number].weight_orig
        assert torch.equal(weight[mask], before[number][mask])
        assert (weight[~mask] != before[number][~mask]).any()
        moments = [x.reshape(mask.shape) for x in optimizer.state[weight].values() if x.ndim]
        assert moments
        assert all(not moment[mask].any() and moment[~mask].any() for moment in moments)


def test_a_mask_that_grows_back_lets_the_weight_go_on() -> None:
    model = network()
    optimizer = build_optimizer(model, "adamw")
    prune.custom_from_mask(model[5], "weight", torch.zeros(3, 5))
    step_of(model, optimizer, 0)
    before = model[5].weight_orig.detach().clone()
    model[5].weight_mask = torch.ones(3, 5)
    step_of(model, optimizer, 1)
    assert (model[5].weight_orig != before).any()


# ---- a run


TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=3,
    batch_size=8,
    synops_per_timestep={"2": 20.0, "4": 5.0},
    min_rate=0.05,
)


@pytest.mark.parametrize("name", EACH)
def test_the_state_of_each_optimiser_comes_back_to_the_bit(
    name: OptimizerName, tmp_path: Path
) -> None:
    one, other = network(), network()
    optimizer = build_optimizer(one, name)
    step_of(one, optimizer, 0)
    save_checkpoint(tmp_path / "c", one, optimizer)
    fresh = build_optimizer(other, name)
    load_checkpoint(tmp_path / "c", other, fresh)
    for seed in (1, 2):
        step_of(one, optimizer, seed)
        step_of(other, fresh, seed)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("sgd", "32-true"),
        pytest.param("muon", "32-true", marks=needs_muon),
        pytest.param("muon", "bf16-mixed", marks=needs_muon),
    ],
)
def test_a_run_broken_off_and_resumed_ends_as_an_unbroken_one(
    name: OptimizerName, precision: str, silence: Progress, tmp_path: Path
) -> None:
    config = replace(TINY, optimizer=name, precision=precision)  # type: ignore[arg-type]
    whole = train_run(config, tmp_path / "whole", silence, compare=False)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, tmp_path / "broken", StopAfter(5), compare=False)
    resumed = train_run(config, tmp_path / "broken", silence, compare=False, resume=True)
    assert resumed.to_dict() == whole.to_dict()
    one, two = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "broken")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert "optimizer.0.momentum_buffer" in one


class AnswerFirst(nn.Module):
    """Names the layer that answers before the one that it hears."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.answer, self.neurons, self.first = nn.Linear(12, CLASSES), IAF(), nn.Linear(INPUTS, 12)

    def forward(self, frames: Tensor) -> Tensor:
        return self.answer(self.neurons(self.first(frames)))


@needs_muon
def test_the_layer_that_runs_last_is_adams_whatever_the_model_names_last(
    silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, optimizer="muon", model=f"{HERE}:AnswerFirst", epochs=1)
    train_run(named.without_budget(), tmp_path, silence)
    buffers = {k: x.shape for k, x in checkpoint(tmp_path).items() if k.endswith("momentum_buffer")}
    assert list(buffers.values()) == [(12, INPUTS)]


@needs_muon
def test_micro_batches_give_muon_the_gradient_of_the_batch(
    silence: Progress, tmp_path: Path
) -> None:
    alone = replace(TINY, optimizer="muon", epochs=1).without_budget()
    train_run(alone, tmp_path / "whole", silence)
    train_run(replace(alone, accumulate=4), tmp_path / "cut", silence)
    one, two = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    for name in one:  # bfloat16 in Newton-Schulz makes more of a rounded gradient: 2^-8 of the rate
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-3)


@needs_muon
@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    arguments = ("--precision", "64-true", "--optimizer", "muon", "--epochs", "1")
    one = run(tmp_path / "one", *arguments)
    two = run(tmp_path / "two", *arguments, "--devices", "2")
    assert "The budget is not kept" in one.stdout  # after one epoch
    assert (one.returncode, two.returncode) == (4, 4), one.stderr + two.stderr
    assert_close(tmp_path / "one", tmp_path / "two", 1e-3)


# ---- settings


def test_another_rate_is_a_difference_and_the_same_by_another_name_is_none() -> None:
    config = TrainConfig(optimizer="sgd")
    assert config.differences({**config.to_dict(), "learning_rate": 0.1}) == []
    assert config.differences({**config.to_dict(), "learning_rate": 0.2}) == [
        "learning_rate is 0.1 here and 0.2 there"
    ]
    assert config.differences({**config.to_dict(), "optimizer": "muon"}) == [
        "optimizer is 'sgd' here and 'muon' there",
        "learning_rate is 0.1 here and None there",
    ]


def test_another_optimizer_takes_its_own_rate_along() -> None:
    assert replace(TrainConfig(), optimizer="sgd").learning_rate is None
    assert replace(TrainConfig(learning_rate=0.5), optimizer="sgd").learning_rate == 0.5
