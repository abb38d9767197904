"""Limits that pruning cannot keep, names that are not there, monitors that do not fit."""

import pytest
import torch

import picojoule
from picojoule.budget import EnergyLimit, GradualPruning, SynopsLimit, make_prunable, prune
from picojoule.energy import profile
from picojoule.layers import IAF
from tests.budget.networks import network
from tests.budget.pruned import watch

LIMIT = SynopsLimit(bound=1.0)


@pytest.mark.parametrize(
    ("options", "limit", "message"),
    [
        ({"layers": ["22"]}, LIMIT, "no layer with prunable weights under the limit '22'. Did you mean '2'?"),
        ({"layers": ["1"]}, LIMIT, "no layer with prunable weights"),
        ({"layers": ["0"]}, SynopsLimit(layers=("2",), bound=1.0), "Did you mean '2'?"),
        ({}, SynopsLimit(layers=("7",), bound=1.0), "no counted layer '7'"),
        ({"score": "luck"}, LIMIT, "score is 'luck'; choose one of"),
        ({"rounds": 0}, LIMIT, "rounds is 0"),
        ({"layers": ["4"]}, LIMIT, "cannot be kept by pruning '4': "),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_or_met(options, limit, message: str) -> None:
    model = network()
    with watch(model) as monitor, pytest.raises(ValueError, match="prune") as error:
        prune(monitor, lambda: model(torch.ones(2, 4, 20)), limit, **options)
    assert message in str(error.value)


def test_monitors_that_do_not_fit() -> None:
    model = network()
    with pytest.raises(ValueError, match="counts pruned weights as synapses"):
        GradualPruning(picojoule.Monitor(model), LIMIT, steps=1)
    with (
        picojoule.Monitor(model, weights="nonzero") as monitor,
        pytest.raises(RuntimeError, match="no detail was kept"),
    ):
        prune(monitor, lambda: model(torch.ones(2, 4, 20)), LIMIT)
    with pytest.raises(RuntimeError, match="no forward pass was watched"):
        prune(watch(model), lambda: model(torch.ones(2, 4, 20)), LIMIT)
    with pytest.raises(ValueError, match="expected steps >= 1"):
        GradualPruning(watch(model), LIMIT, steps=0)


def test_energy_without_a_price_for_macs() -> None:
    model = network()
    limit = EnergyLimit(bound=1e-9, profile=profile("loihi"))
    with watch(model) as monitor, pytest.raises(ValueError, match="no price for MACs"):
        prune(monitor, lambda: model(torch.rand(2, 4, 20)), limit)


def test_masks_of_ones() -> None:
    model = network()
    make_prunable(model, ["2"])
    make_prunable(model, ["2"])
    assert bool(model[2].weight_mask.all())
    assert not hasattr(model[0], "weight_mask")
    with pytest.raises(ValueError, match="no layer with prunable weights '1'"):
        make_prunable(model, ["1"])
    with pytest.raises(ValueError, match=r"IAF has no nn\.Linear"):
        make_prunable(IAF())
