"""What sinabs.hooks gives beside picojoule.hooks: a warning, and on request sinabs' signs."""

import importlib
import warnings
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import nn

from picojoule.compat.sinabs import hooks, install, uninstall


@pytest.fixture
def signed() -> Iterator[ModuleType]:
    install(signed_synops=True)
    yield importlib.import_module("sinabs.hooks")
    uninstall()


def test_overlapping_windows_are_warned_of_and_matching_ones_are_not() -> None:
    model = nn.Sequential(nn.AvgPool2d(2, (2, 2)), nn.AvgPool2d(3, 1), nn.Conv2d(1, 1, 1))
    with hooks.register_synops_hooks(model), pytest.warns(UserWarning, match="windows of '1'") as w:
        model(torch.ones(1, 1, 8, 8))
    assert len(w) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.ones(1, 1, 8, 8))


def test_signs_are_counted_on_request(signed: ModuleType) -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 1), nn.Flatten(), nn.Linear(6, 4))
    nn.init.ones_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    signed.register_synops_hooks(model, dt=0.5)
    model(torch.tensor([[[1.0, -3.0, 1.0]]]))
    by_layer = {key: value.item() for key, value in model.hook_data["synops_per_timestep"].items()}
    assert by_layer == {0: -1 * 2, 2: -2 * 4}
    assert model.hook_data["total_synops_per_second"].item() == -20


def test_the_bias_is_left_in_on_request(signed: ModuleType) -> None:
    layer = nn.Linear(1, 1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, 5.0)
    layer.register_forward_hook(signed.input_diff_hook)
    layer(torch.ones(1, 1))
    assert layer.hook_data["diff_output"].item() == 1 - 6


def test_signs_are_gone_afterwards() -> None:
    install(signed_synops=True)
    uninstall()
    install()
    assert (
        importlib.import_module("sinabs.hooks").register_synops_hooks is hooks.register_synops_hooks
    )
    uninstall()
