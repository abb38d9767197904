"""Limits that pruning cannot keep, names that are not there, monitors that do not fit."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import picojoule
from picojoule.budget import (
    EnergyLimit,
    GradualPruning,
    RateBound,
    SynopsLimit,
    make_prunable,
    prune,
)
from picojoule.energy import profile
from picojoule.layers import IAF, IAFSqueeze
from tests.budget.networks import network
from tests.budget.pruned import spent_after, watch

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


def test_weights_that_are_made_from_others() -> None:
    model = network()
    parametrizations.weight_norm(model[2])
    message = "weight of layer '2' is made from other parameters .*remove_parametrizations"
    with watch(model) as monitor, pytest.raises(ValueError, match=message):
        prune(monitor, lambda: model(torch.ones(2, 4, 20)), LIMIT)
    assert not hasattr(model[0], "weight_mask")
    with pytest.raises(ValueError, match=message):
        make_prunable(model)
    assert not hasattr(model[0], "weight_mask")
    make_prunable(model, ["0"])
    with watch(model) as monitor:
        prune(monitor, lambda: model(torch.ones(2, 4, 20)), SynopsLimit(bound=1300.0), layers=["0"])


def test_no_layer_to_prune() -> None:
    model = nn.Sequential(nn.Flatten(0, 1), nn.ConvTranspose1d(4, 2, 3), IAFSqueeze(batch_size=2))
    x = torch.ones(2, 3, 4, 5)
    with watch(model) as monitor, pytest.raises(ValueError, match=r"no nn\.Linear .* of the model"):
        prune(monitor, lambda: model(x), LIMIT)


@pytest.mark.parametrize("limit", [100.0, RateBound(layer="1", bound=0.1)])
def test_limits_of_another_kind(limit) -> None:
    model = network()
    for make in (
        lambda: prune(watch(model), lambda: None, limit),
        lambda: GradualPruning(watch(model), limit, steps=1),
    ):
        with pytest.raises(TypeError, match="expected a SynopsLimit or an EnergyLimit"):
            make()


def test_a_forward_pass_that_is_not_finite() -> None:
    model = network()
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with watch(model) as monitor, pytest.raises(FloatingPointError, match="check_finite"):
        prune(monitor, lambda: model(torch.ones(2, 4, 20)), LIMIT)


@pytest.mark.parametrize("own_mask", [False, True])
def test_a_limit_that_turns_out_to_be_out_of_reach_leaves_the_model_as_it_was(own_mask) -> None:
    model = network()
    if own_mask:
        make_prunable(model, ["2"])
        model[2].weight_mask[0] = 0.0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parameters = list(model.parameters())
    passes = []

    def forward() -> None:
        passes.append(None)
        model(torch.ones(2, 4, 20) * (1 if len(passes) < 3 else 30))  # layer 4 spends more

    synops = spent_after(model, torch.ones(2, 4, 20)).synops
    bound = synops["4"].item() + 0.5 * synops["2"].item()
    limit = SynopsLimit(layers=("2", "4"), bound=bound)
    with watch(model) as monitor, pytest.raises(ValueError, match="cannot be kept by pruning '2'"):
        prune(monitor, forward, limit, layers=["2"])
    assert len(passes) > 2
    assert list(model.state_dict()) == list(before)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) or "v_mem" in name
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))


def test_the_state_of_something_else() -> None:
    pruning = GradualPruning(watch(network()), LIMIT, steps=1)
    with pytest.raises(ValueError, match=r"GradualPruning: the saved state has .*average"):
        pruning.load_state_dict({"average": 1.0})
