"""A forward hook may compute what is handed on, as adapters do it: the Monitor says that it does not see into it."""

import warnings

import pytest
import torch
from torch import nn

from picojoule import Monitor
from picojoule.synops import MonitorWarning


def test_products_of_a_hook_that_replaces_an_output_are_said_to_be_missing() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    down, up = torch.rand(8, 2), torch.rand(2, 4)
    model[0].register_forward_hook(lambda _, args, out: out + args[0] @ down @ up)
    monitor = Monitor(model)
    with monitor, pytest.warns(MonitorWarning, match="forward hooks change the output of '0'"):
        model(torch.ones(3, 8))
    assert "forward hooks" in monitor.report().warnings[0]
    with warnings.catch_warnings(), monitor:  # once
        warnings.simplefilter("error")
        model(torch.ones(3, 8))


def test_a_hook_that_only_looks_is_not_spoken_of() -> None:
    model, seen = nn.Sequential(nn.Linear(8, 4), nn.ReLU()), []
    model[0].register_forward_hook(lambda _, args, out: seen.append(out.sum()))
    with Monitor(model) as monitor:
        model(torch.ones(3, 8))
    assert seen
    assert not monitor.warnings
