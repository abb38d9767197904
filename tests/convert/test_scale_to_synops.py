"""A network rescaled to a number of SynOps spends it, and decides as before."""

import copy

import pytest
import torch
from torch import nn

from picojoule.activation import SingleSpike
from picojoule.convert import scale_to_synops
from picojoule.hooks import register_synops_hooks
from picojoule.layers import FlattenTime, IAFSqueeze, NeuromorphicReLU, SumPool2d, UnflattenTime


def ann(bias: bool = True) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=bias), nn.ReLU(), nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(4, 4, 3, bias=bias), nn.ReLU()), nn.Flatten(), nn.Linear(4, 3, bias=bias),
    )  # fmt: skip


def spiking(spike_fn: type[SingleSpike] | None = None) -> nn.Sequential:
    more = {"spike_fn": spike_fn} if spike_fn else {}
    model = nn.Sequential(
        FlattenTime(), nn.Conv2d(1, 4, 3), IAFSqueeze(batch_size=2, **more), SumPool2d(2),
        nn.Flatten(), nn.Linear(36, 3), IAFSqueeze(batch_size=2), UnflattenTime(2),
    )  # fmt: skip
    nn.init.uniform_(model[1].weight, 0.0, 0.2)
    return model


@torch.no_grad()
def spent_by_layer(model: nn.Sequential, data: torch.Tensor, num_timesteps: int) -> list[float]:
    """SynOps per sample of each layer, from scratch."""
    fresh = copy.deepcopy(model)
    register_synops_hooks(fresh)
    fresh(data)
    return [x.item() * num_timesteps for x in fresh.hook_data["synops_per_timestep"].values()]


def spent(model: nn.Sequential, data: torch.Tensor, num_timesteps: int = 1) -> float:
    return sum(spent_by_layer(model, data, num_timesteps))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.5, 3.0, 200.0])
def test_a_relu_network_meets_the_target_and_keeps_its_function(share: float, bias: bool) -> None:
    model, images = ann(bias), torch.rand(8, 1, 8, 8)
    logits, before = model(images), spent(model, images)
    fixed = spent_by_layer(model, images, 1)[0]
    target = fixed + share * (before - fixed)
    report = scale_to_synops(model, images, target, tolerance=1e-4)
    assert report.layer == "0"
    assert report.factor == pytest.approx(share, rel=1e-2)
    assert report.synops_per_sample_before == pytest.approx(before)
    assert report.synops_per_sample_after == pytest.approx(target, rel=1e-4)
    assert spent(model, images) == pytest.approx(target, rel=2e-4)
    torch.testing.assert_close(model(images), logits * report.factor, rtol=1e-4, atol=1e-6)


def test_rounding_networks_meet_it_by_search() -> None:
    model, images = ann(), 20 * torch.rand(8, 1, 8, 8)
    model[1] = NeuromorphicReLU()
    before = spent(model, images)
    report = scale_to_synops(model, images, 1.5 * before)
    assert abs(report.synops_per_sample_after / before / 1.5 - 1) <= 0.02
    assert spent(model, images) == pytest.approx(report.synops_per_sample_after)


@pytest.mark.parametrize("share", [0.7, 1.6])
def test_spiking_networks_count_a_whole_sample(share: float) -> None:
    model, data = spiking(), (torch.rand(2, 20, 1, 8, 8) < 0.3).float()
    fixed, *others = spent_by_layer(model, data, 20)
    target = fixed + share * sum(others)
    report = scale_to_synops(model, data, target, num_timesteps=20)
    assert spent(model, data, num_timesteps=20) == pytest.approx(target, rel=0.02)
    assert spent(model, data, 20) == pytest.approx(report.synops_per_sample_after)


def test_states_modes_and_hooks_stay() -> None:
    model, data = spiking(), torch.ones(2, 5, 1, 8, 8)
    calls: list[int] = []
    model[1].register_forward_hook(lambda *_: calls.append(1))
    model(data)
    potential, before = model[2].v_mem.clone(), len(calls)
    scale_to_synops(model, data, 2 * spent(model, data, 5), num_timesteps=5, tolerance=0.3)
    assert torch.equal(model[2].v_mem, potential)
    assert all(module.training for module in model.modules())
    assert len(calls) == before + 1  # of `spent` above, whose copy keeps the hook
    assert len(model[1]._forward_hooks) == 1


def test_what_cannot_be_reached_is_an_error_and_changes_nothing() -> None:
    model, data = spiking(SingleSpike), torch.ones(2, 5, 1, 8, 8)
    weight = model[1].weight.clone()
    for arguments, message in (
        ({"synops_per_sample": 1.0}, "the first layer alone spends"),
        ({"synops_per_sample": 1e9}, "are not reached within 2% in 30 passes"),
        ({"synops_per_sample": 1e9, "num_timesteps": None}, "'2' works over time; give num_timesteps"),
        ({"synops_per_sample": 1e9, "num_timesteps": 0}, "num_timesteps is 0"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            scale_to_synops(model, data, **{"num_timesteps": 5, **arguments})
    assert torch.equal(model[1].weight, weight)


def test_silent_networks_and_normalisations_are_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    nn.init.constant_(model[0].bias, -100.0)
    with pytest.raises(ValueError, match="silent on the sample data"):
        scale_to_synops(model, torch.rand(3, 2), 100)
    with pytest.raises(ValueError, match="fold_batch_norm first"):
        scale_to_synops(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), torch.rand(3, 2), 100)
    with pytest.raises(ValueError, match="no convolution or linear layer"):
        scale_to_synops(nn.Sequential(nn.ReLU()), torch.rand(3, 2), 100)
