"""Counting under autocast, checkpointing, parametrisation and other company."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint

from picojoule import Monitor, hooks
from picojoule.layers import FlattenTime, LIFRecurrent
from picojoule.synops import conv_fan_out, conv_synops_per_timestep, linear_synops_per_timestep


def test_recurrent_weights_are_an_error_not_a_zero() -> None:
    model = nn.Sequential(nn.Linear(3, 4), LIFRecurrent(20.0, nn.Linear(4, 4)), nn.Linear(4, 2))
    with pytest.raises(NotImplementedError, match=r"layer '1' \(LIFRecurrent\) has weights but no"):
        hooks.register_synops_hooks(model)
    unweighted = nn.Sequential(nn.Linear(3, 4), LIFRecurrent(20.0, nn.Tanh()), nn.Linear(4, 2))
    hooks.register_synops_hooks(unweighted)


def test_autocast_does_not_round_the_map() -> None:
    layer = nn.Conv2d(8, 300, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv_fan_out(layer, (8, 5, 5)).max().item() == 2700.0


def test_the_map_is_float32_whatever_the_default() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert conv_fan_out(nn.Conv2d(1, 2, 3), (1, 5, 5)).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_an_input_smaller_than_the_kernel_is_named() -> None:
    with pytest.raises(ValueError, match=r"input of shape \(1, 2, 2\) does not fit Conv2d"):
        conv_fan_out(nn.Conv2d(1, 2, 3), (1, 2, 2))


def test_a_checkpointed_model_trains_and_counts() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Conv2d(2, 3, 3))
    x = torch.rand(2, 1, 8, 8, requires_grad=True)
    expected = torch.autograd.grad(model(x).sum(), x)[0]
    with hooks.register_synops_hooks(model):
        checkpoint(model, x, use_reentrant=False).sum().backward()
    assert torch.equal(x.grad, expected)
    assert model.hook_data["synops_per_timestep"][0] > 0


def test_watching_a_spectral_norm_changes_nothing() -> None:
    outputs = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(spectral_norm(nn.Conv2d(1, 4, 3)))
        if watched:
            hooks.register_synops_hooks(model)
        outputs.append([model(torch.ones(2, 1, 6, 6)) for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))


@pytest.mark.parametrize(
    "pool",
    [nn.AvgPool2d(2, ceil_mode=True), nn.AvgPool2d(2, padding=1, count_include_pad=False)],
)
def test_windows_of_different_sizes_are_an_error(pool: nn.Module) -> None:
    with pytest.raises(NotImplementedError, match="whose windows differ"):
        hooks.register_synops_hooks(nn.Sequential(pool, nn.Conv2d(1, 3, 1)))


def test_a_subclass_of_a_pooling_is_a_pooling() -> None:
    class Pool(nn.AvgPool2d):
        """Somebody's own."""

    model = nn.Sequential(Pool(2), nn.Conv2d(1, 3, 1))
    with hooks.register_synops_hooks(model):
        model(torch.ones(1, 1, 4, 4))
    assert model.hook_data["synops_per_timestep"][1].item() == 48


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_spikes_of_any_type_are_counted(dtype: torch.dtype) -> None:
    fan_out = conv_fan_out(nn.Conv2d(1, 2, 3), (1, 4, 4))
    assert conv_synops_per_timestep(torch.ones(5, 1, 4, 4, dtype=dtype), fan_out).item() == 72
    assert linear_synops_per_timestep(torch.ones(2, 3, dtype=dtype), 4).item() == 12


def test_counts_per_second_do_not_outlive_their_time_step() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    for dt in (0.1, None):
        with hooks.register_synops_hooks(model, dt=dt):
            model(torch.ones(2, 3))
    assert set(model.hook_data) == {"synops_per_timestep", "total_synops_per_timestep"}
    assert "synops_per_second" not in model[0].hook_data


def test_a_layer_added_after_registering_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    hooks.register_synops_hooks(model)
    model.append(nn.Linear(4, 2))
    with pytest.raises(RuntimeError, match=r"layer 1 \(Linear\) has no counting hook"):
        model(torch.ones(2, 3))


def test_keys_are_positions_also_where_layers_have_names() -> None:
    model = nn.Sequential(OrderedDict(first=nn.Linear(3, 4), second=nn.Sequential(nn.Linear(4, 2))))
    with hooks.register_synops_hooks(model):
        model(torch.ones(2, 3))
    assert list(model.hook_data["synops_per_timestep"]) == [0, "second.0"]


def test_tokens_are_summed_where_time_is_folded() -> None:
    tokens = torch.ones(2, 5, 7, 3)
    folded = nn.Sequential(FlattenTime(), nn.Linear(3, 4))
    unfolded = nn.Sequential(nn.Linear(3, 4))
    for model, key in ((folded, 1), (unfolded, 0)):
        with hooks.register_synops_hooks(model):
            model(tokens)
        assert model.hook_data["synops_per_timestep"][key].item() == 7 * 3 * 4


@pytest.mark.parametrize(("time_axis", "entries"), [("folded", (10, 3)), ("bt", (2, 5, 3))])
def test_time_steps_that_do_not_divide_the_input_are_refused(time_axis, entries) -> None:
    """Ten samples times steps are no whole number of samples of 7 steps, nor of 20."""
    for num_timesteps in (7, 20):
        monitor = Monitor(nn.Linear(3, 2), time_axis=time_axis, num_timesteps=num_timesteps)
        message = "had 10 samples times time steps, no multiple of it"
        with pytest.raises(ValueError, match=message), monitor:
            monitor.model(torch.ones(entries))
    with pytest.raises(ValueError, match="num_timesteps is 0, expected a whole number >= 1"):
        Monitor(nn.Linear(3, 2), num_timesteps=0)
