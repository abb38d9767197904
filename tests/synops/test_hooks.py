"""The hooks: what they store, how poolings count, and that watching changes nothing."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import hooks
from picojoule.layers import IAF, ExpLeak, IAFSqueeze, Repeat, SumPool2d, reset_states

ONES = torch.ones(4, 1, 8, 8)
# a 1x1 convolution to 3 channels: 3 synapses a pixel
POINTWISE = 3


def pointwise() -> nn.Conv2d:
    return nn.Conv2d(1, POINTWISE, 1)


def count(model: nn.Sequential, x: Tensor = ONES) -> dict[Any, float]:
    with hooks.register_synops_hooks(model):
        model(x)
    return {key: x.item() for key, x in model.hook_data["synops_per_timestep"].items()}


def test_every_key_is_stored_with_its_shape() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), IAFSqueeze(batch_size=2), nn.Flatten(), nn.Linear(72, 5)
    )
    hooks.register_synops_hooks(model, dt=0.001)
    model[1].register_forward_hook(hooks.firing_rate_hook)
    model[1].register_forward_hook(hooks.firing_rate_per_neuron_hook)
    for layer in (model[0], model[3]):
        layer.register_forward_hook(hooks.input_diff_hook)
    nn.init.ones_(model[0].weight)
    out = model(ONES)

    conv, spiking, linear = model[0].hook_data, model[1].hook_data, model[3].hook_data
    assert conv["connection_map"].shape == (1, 1, 8, 8)
    assert conv["layer_synops_per_timestep"].shape == ()
    assert conv["diff_output"].shape == (4, 2, 6, 6)
    assert linear["diff_output"].shape == (4, 5)
    assert spiking["firing_rate"].shape == ()
    assert spiking["firing_rate_per_neuron"].shape == (2, 6, 6)
    rates = spiking["firing_rate_per_neuron"]
    assert rates.mean().item() == pytest.approx(spiking["firing_rate"].item())
    # 6 x 6 windows of 9 ones reach 2 channels each; every spike behind them reaches 5 neurons
    assert conv["layer_synops_per_timestep"].item() == conv["connection_map"].sum() == 36 * 9 * 2
    arriving = linear["layer_synops_per_timestep"].item()
    assert arriving == pytest.approx(5 * rates.sum().item())
    assert arriving > 0

    total = model.hook_data
    for key, layer in ((0, conv), (3, linear)):
        assert total["synops_per_timestep"][key] is layer["synops_per_timestep"]
        assert torch.equal(layer["synops_per_second"], layer["synops_per_timestep"] / 0.001)
        assert torch.equal(total["synops_per_second"][key], layer["synops_per_second"])
    for unit in ("synops_per_timestep", "synops_per_second"):
        assert torch.equal(total[f"total_{unit}"], sum(total[unit].values()))
    assert out.shape == (4, 5)


@pytest.mark.parametrize("squeezed", [False, True])
def test_rates_are_averages_over_batch_and_time(squeezed: bool) -> None:
    layer = IAFSqueeze(batch_size=2) if squeezed else IAF()
    layer.register_forward_hook(hooks.firing_rate_per_neuron_hook)
    layer.register_forward_hook(hooks.firing_rate_hook)
    spikes = torch.tensor([[[1.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [4.0, 0.0]]])
    layer(spikes.flatten(0, 1) if squeezed else spikes)
    assert layer.hook_data["firing_rate_per_neuron"].tolist() == [6 / 4, 2 / 4]
    assert layer.hook_data["firing_rate"].item() == 8 / 8


@pytest.mark.parametrize(
    ("before", "factor"),
    [
        ([nn.AvgPool2d(2)], 4),
        ([nn.AvgPool2d((2, 4))], 8),
        ([nn.AvgPool2d(2), nn.AvgPool2d(2)], 16),
        ([nn.AvgPool2d(2, divisor_override=3)], 3),
        ([nn.AvgPool2d(2), nn.BatchNorm2d(1).eval()], 4),
        ([nn.AvgPool2d(2), nn.Dropout(0.0)], 4),
        ([nn.AvgPool2d(3, stride=1)], 9),
        ([nn.AvgPool2d(2, padding=1)], 4),
        ([nn.AvgPool2d(2), IAFSqueeze(batch_size=2)], 1),
        ([nn.AdaptiveAvgPool2d(2), IAFSqueeze(batch_size=2)], 1),
        ([nn.AvgPool2d(2), ExpLeak(tau_mem=1e9)], 4),
        ([SumPool2d(2)], 1),
        ([nn.MaxPool2d(2)], 1),
    ],
    ids=str,
)
def test_average_poolings_count_as_the_spikes_they_average(
    before: list[nn.Module], factor: int
) -> None:
    arriving = nn.Sequential(*before)(ONES).sum().item() / len(ONES)
    model = nn.Sequential(*before, pointwise())
    reset_states(model)
    assert count(model)[len(before)] == pytest.approx(arriving * POINTWISE * factor)


@pytest.mark.parametrize(
    ("pool", "conv", "x"),
    [
        (nn.AvgPool1d(2), nn.Conv1d(1, 3, 1), torch.ones(2, 1, 8)),
        (nn.AvgPool3d(2), nn.Conv3d(1, 3, 1), torch.ones(2, 1, 4, 4, 4)),
        (nn.AvgPool3d((1, 2, 4)), nn.Conv3d(1, 3, 1), torch.ones(2, 1, 4, 4, 4)),
    ],
)
def test_pooled_spikes_are_counted_whole_in_every_dimension(
    pool: nn.Module, conv: nn.Module, x: Tensor
) -> None:
    assert count(nn.Sequential(pool, conv), x)[1] == 3 * x[0].numel()


def test_nested_containers_are_counted_under_their_qualified_names() -> None:
    model = nn.Sequential(
        nn.Sequential(pointwise(), nn.ReLU()), Repeat(nn.Linear(8, 2)), nn.Linear(2, 1)
    )
    model[1].module.weight.data.abs_()
    assert list(count(model)) == ["0.0", "1.module", 2]


def test_a_pooling_concerns_the_next_layer_only() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), pointwise(), nn.Conv2d(POINTWISE, 2, 1))
    nn.init.ones_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    # 16 places of 1 left by the pooling, of 3 channels behind the first layer
    assert count(model) == {1: 4 * 16 * 3, 2: 16 * 3 * 2}


def test_a_pooling_reaches_into_the_next_container() -> None:
    nested = nn.Sequential(nn.Sequential(nn.AvgPool2d(2)), nn.Sequential(pointwise()))
    assert count(nested)["1.0"] == 64 * POINTWISE


def test_inside_repeat_every_time_step_counts_on_its_own() -> None:
    model = nn.Sequential(Repeat(nn.Sequential(nn.AvgPool2d(2), pointwise())))
    assert count(model, torch.ones(2, 5, 1, 8, 8)) == {"0.module.1": 64 * POINTWISE}


def is_watched(model: nn.Module) -> bool:
    return any(module._forward_hooks for module in model.modules())


def test_the_handle_removes_every_hook() -> None:
    model = nn.Sequential(pointwise(), nn.ReLU(), nn.Flatten(), nn.Linear(192, 2))
    handle = hooks.register_synops_hooks(model)
    assert is_watched(model)
    handle.remove()
    handle.remove()
    model(ONES)
    assert not any(hasattr(module, "hook_data") for module in model.modules())


def test_a_with_block_removes_every_hook_even_when_it_fails() -> None:
    model = nn.Sequential(pointwise())
    with pytest.raises(RuntimeError, match="channels"), hooks.register_synops_hooks(model):
        model(torch.ones(4, 2, 8, 8))
    assert not is_watched(model)


def test_registering_twice_gives_the_same_numbers() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), pointwise())
    once = count(model)
    with hooks.register_synops_hooks(model):
        assert count(model) == once
        model(2 * ONES)  # the inner registration is gone, the outer one goes on
    assert model.hook_data["synops_per_timestep"][1].item() == 2 * once[1]


def test_a_changed_input_size_gets_its_own_map() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    assert count(model)[0] == 6 * 6 * 9 * 2
    assert count(model, torch.ones(2, 1, 5, 6))[0] == 3 * 4 * 9 * 2
    assert count(model, torch.ones(1, 7, 6))[0] == 5 * 4 * 9 * 2  # one step without a batch axis


def test_values_carry_gradients_to_the_weights() -> None:
    model = nn.Sequential(pointwise(), nn.Softplus(), nn.Conv2d(3, 2, 3))
    hooks.register_synops_hooks(model)
    model(ONES)
    model.hook_data["total_synops_per_timestep"].backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert model[2].weight.grad is None


def test_counts_made_while_evaluating_do_not_hinder_training() -> None:
    # one input of 1 through the weight w: |w| arrives at 3 synapses
    model = nn.Sequential(nn.Conv1d(1, 1, 1, bias=False), nn.Conv1d(1, 3, 1))
    hooks.register_synops_hooks(model)
    with torch.inference_mode():
        model(torch.ones(1, 1, 1))
    nn.init.constant_(model[0].weight, -0.5)
    model(torch.ones(1, 1, 1))
    model.hook_data["total_synops_per_timestep"].backward()
    assert model.hook_data["total_synops_per_timestep"].item() == 1 + 0.5 * 3
    assert model[0].weight.grad.item() == -3.0


def lenet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), IAFSqueeze(batch_size=2), SumPool2d(2), nn.Dropout(0.5),
        nn.Flatten(), nn.Linear(36, 5), IAFSqueeze(batch_size=2),
    )  # fmt: skip


def test_watching_changes_neither_output_gradient_randomness_nor_state_dict() -> None:
    plain, watched = lenet(), lenet()
    results = []
    for model in (plain, watched):
        torch.manual_seed(1)
        if model is watched:
            hooks.register_synops_hooks(model, dt=0.01)
            for index in (1, 6):
                model[index].register_forward_hook(hooks.firing_rate_hook)
                model[index].register_forward_hook(hooks.firing_rate_per_neuron_hook)
            for index in (0, 5):
                model[index].register_forward_hook(hooks.input_diff_hook)
        out = model(ONES)
        out.sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append([out, torch.get_rng_state(), *gradients, *model.state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert plain.state_dict().keys() == watched.state_dict().keys()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_watched_model_can_be_copied_after_a_forward(copied: Any) -> None:
    model = lenet().eval()
    hooks.register_synops_hooks(model)
    model(ONES)
    twin = copied(model)
    total = model.hook_data["total_synops_per_timestep"]
    assert torch.equal(twin.hook_data["total_synops_per_timestep"], total)
    assert not twin.hook_data["total_synops_per_timestep"].requires_grad
    twin(2 * ONES)
    assert twin.hook_data["synops_per_timestep"][0] == 2 * model.hook_data["synops_per_timestep"][0]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = pointwise()


SHARED = nn.Linear(3, 3)


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        (Block(), TypeError, "expected an nn.Sequential, nested ones included, got Block"),
        (
            nn.Sequential(Block()),
            NotImplementedError,
            r"layer '0' \(Block\) has weights but no form",
        ),
        (nn.Sequential(nn.ConvTranspose2d(1, 1, 2)), NotImplementedError, "ConvTranspose2d"),
        (nn.Sequential(nn.Bilinear(2, 2, 2)), NotImplementedError, r"layer '0' \(Bilinear\)"),
        (nn.Sequential(nn.ReLU(), nn.LSTM(2, 2)), NotImplementedError, r"layer '1' \(LSTM\)"),
        (nn.Sequential(SHARED, nn.ReLU(), SHARED), NotImplementedError, "'2'.*used in two places"),
        (
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1)),
            NotImplementedError,
            "follows an average pooling whose windows differ or are unknown",
        ),
        (nn.Sequential(nn.ReLU()), ValueError, "nothing to count"),
    ],
)
def test_what_cannot_be_counted_is_an_error_not_a_zero(
    model: nn.Module, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        hooks.register_synops_hooks(model)  # type: ignore[arg-type]
    assert not is_watched(model)


def test_normalisations_have_no_synapses() -> None:
    model = nn.Sequential(nn.LayerNorm((8, 8)), nn.PReLU(), nn.GroupNorm(1, 1), pointwise())
    assert list(count(model)) == [3]


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan")])
def test_a_time_step_without_duration_is_refused(dt: float) -> None:
    with pytest.raises(ValueError, match="dt is"):
        hooks.register_synops_hooks(nn.Sequential(pointwise()), dt=dt)
