"""What the Monitor refuses to count, and the ways on."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import picojoule
from picojoule import Monitor
from picojoule.layers import IAF, IAFSqueeze
from picojoule.synops import MonitorWarning, Synapses, fixed


class Mix(nn.Module):
    """Uses weights in a way that no formula knows: distances, which are no sum of products."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.weight.t())


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix, self.fc = Mix(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.mix(x))


class Scaled(nn.Module):
    """Offsets and scales with several axes, which are no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.rand(1, 5, 4))
        self.gamma = nn.Parameter(torch.rand(1, 1, 4))
        self.norm, self.fc = nn.LayerNorm((5, 4)), nn.Linear(4, 2)
        self.unused = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(x + self.position[:, : x.shape[1]]) * self.gamma)


def mix_formula(module: Mix, x: Tensor) -> list[Synapses]:
    return [fixed(x, fan_out=float(module.weight.shape[1]))]


def test_a_layer_without_a_formula_is_named_with_the_ways_on() -> None:
    model = nn.Sequential(Head())
    with Monitor(model), pytest.raises(NotImplementedError) as error:
        model(torch.ones(5, 3))
    assert str(error.value) == (
        "Monitor: layer '0.mix' (Mix) has weights but no formula, so its SynOps are unknown. "
        "Pass formulas={Mix: your_formula}, or ignore=['0.mix']; or delete the parameter 'weight' if nothing uses it."
    )


def test_the_two_ways_on() -> None:
    model, x = nn.Sequential(Head()), torch.randint(0, 3, (5, 3)).float()
    with Monitor(model, formulas={Mix: mix_formula}) as monitor:
        model(x)
    assert monitor.synops.per_sample["0.mix"].item() == pytest.approx(x.sum().item() * 4 / 5)
    assert monitor.macs["0.fc"].item() == 8
    with Monitor(model, ignore=["0.mix"]) as monitor:
        model(x)
    assert list(monitor.macs) == ["0.fc"]
    with Monitor(model[0].mix, formulas={Mix: mix_formula}) as monitor:
        model[0].mix(x=x)
    assert monitor.synops.total.item() == pytest.approx(x.sum().item() * 4 / 5)


def test_a_formula_for_a_function() -> None:
    model, x = nn.Sequential(Mix()), torch.randint(0, 3, (5, 3)).float()

    def transposes(weight: Tensor) -> list[Synapses]:
        return [fixed(x, 4.0)]

    def compares(x: Tensor, weight: Tensor, **options: Any) -> list[Synapses]:
        return [fixed(x, 4.0)]

    with (
        Monitor(model, formulas={torch.cat: transposes}) as monitor,
        pytest.raises(NotImplementedError),
    ):
        model(x)  # of a function that is not called
    with Monitor(model, formulas={torch.cdist: compares}) as monitor:
        model(x)
    assert monitor.synops.total.item() == pytest.approx(x.sum().item() * 4 / 5)


@pytest.mark.parametrize("witness", ["auto", "always"])
def test_what_a_formula_computes_for_itself_is_not_counted(witness: Any) -> None:
    """10 steps of 3 spikes, each of which reaches 4 neurons: 120 SynOps of 2 samples, in the first pass, too."""

    def of_what_is_there(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> list[Synapses]:
        return [fixed(x, torch.ones(len(weight)) @ (weight.detach() != 0).float(), leading=2)]

    def of_the_layer(layer: nn.Linear, x: Tensor) -> list[Synapses]:
        return of_what_is_there(x, layer.weight)

    model, x = nn.Sequential(nn.Linear(3, 4, bias=False)), torch.ones(2, 5, 3)
    nn.init.ones_(model[0].weight)
    formulas: list[dict[Any, Any]] = [
        {nn.functional.linear: of_what_is_there},
        {nn.Linear: of_the_layer},
    ]
    for each in formulas:
        monitor = Monitor(model, formulas=each, time_axis="bt", witness=witness)
        for _ in range(2):
            with monitor, torch.no_grad():
                model(x)
            assert monitor.synops.per_sample.total.item() == 60
            assert monitor.macs.total.item() == 0


def test_offsets_scales_and_unused_layers_are_no_weights() -> None:
    model = Scaled()
    with Monitor(model) as monitor:
        model(torch.randn(2, 5, 4))
    assert monitor.macs["fc"].item() == 5 * 4 * 2


def test_ignored_parts_are_left_out_with_all_they_contain() -> None:
    model = nn.Sequential(nn.Sequential(Head(), nn.ReLU()), nn.Linear(2, 2))
    with Monitor(model, ignore=["0"]) as monitor:
        model(torch.ones(5, 3))
    assert list(monitor.synops) == ["1"]


@pytest.mark.parametrize("what", ["ignore", "spiking"])
def test_wrong_names_get_the_nearest(what: str) -> None:
    with pytest.raises(ValueError, match=r"names 'feature.0', .* Did you mean 'features.0'\?"):
        Monitor(nn.ModuleDict({"features": nn.Sequential(nn.ReLU())}), **{what: ["feature.0"]})


@pytest.mark.parametrize(
    "options",
    [{"weights": "some"}, {"time_axis": "xy"}, {"inputs": "maybe"}, {"convention": "mine"}],
)
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} is .* choose one of"):
        Monitor(nn.Linear(1, 1), **options)


def test_results_before_a_forward_pass_say_what_to_do() -> None:
    with Monitor(nn.Linear(1, 1)) as monitor, pytest.raises(RuntimeError, match="no forward pass"):
        _ = monitor.synops


@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.orthogonal,
        lambda layer: prune.identity(layer, "weight"),
    ],
)
def test_computed_weights_belong_to_their_layer(wrap: Any) -> None:
    model, x = nn.Sequential(IAF(), wrap(nn.Linear(3, 3))), torch.ones(2, 4, 3)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.total.item() == 9


def test_weights_used_through_other_modules_count() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Linear(3, 4, bias=False)
            self.spike = IAFSqueeze(num_timesteps=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.spike(self.encode(x).relu()) @ self.encode.weight

    model, x = Tied(), torch.ones(2, 3)
    with Monitor(model) as monitor:
        model(x)
    assert list(monitor.synops) == ["encode", "matmul#0"]
    assert monitor.macs.total.item() == 0


def test_your_own_spiking_modules() -> None:
    class Third(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0) / 3.0 * 3.0 + 0.0 * x

    x = torch.randn(4, 3)
    for spiking in ([Third], ["0"]):
        model = nn.Sequential(Third(), nn.Linear(3, 2))
        with Monitor(model, spiking=spiking, time_axis="loop") as monitor:
            model(x)
        assert monitor.synops["1"].item() == pytest.approx((x > 0).sum().item() * 2 / 4)
        assert monitor.rates["0"].tolist() == pytest.approx((x > 0).float().mean(0).tolist())


def checked(model: nn.Module, *inputs: Tensor) -> list[str]:
    with Monitor(model) as monitor:
        for x in inputs:
            model(x)
    with pytest.warns(MonitorWarning) as warned:
        found = monitor.check()
    assert [str(w.message) for w in warned] == [f"Monitor: {sentence}" for sentence in found]
    return found


def test_dead_and_saturated_layers_are_pointed_out() -> None:
    (dead,) = checked(nn.Sequential(IAF()), torch.zeros(2, 4, 3))
    assert dead == "layer '0' is dead: none of its 3 neurons fired."
    (full,) = checked(nn.Sequential(IAF()), torch.tensor([1.0, 1.0, 0.5]).expand(2, 4, 3))
    assert full == "layer '0' is saturated: 67% of its neurons spike at every time step."


def test_a_dense_input_that_dominates_is_pointed_out() -> None:
    (dense,) = checked(nn.Linear(3, 4), torch.randn(2, 3))
    assert dense.startswith("dense inputs dominate: 12 MACs against 0 SynOps per time step.")


def test_a_forgotten_reset_is_pointed_out() -> None:
    model, x = nn.Sequential(IAF()), torch.full((2, 3, 5), 0.5)
    (carried,) = checked(model, x, x)
    assert carried.startswith("layers ['0'] began with the state")
    picojoule.reset_states(model)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.check() == []


def test_a_model_that_is_itself_not_counted_is_not_told_to_be_ignored() -> None:
    model = Mix()
    with (
        picojoule.Monitor(model),
        pytest.raises(NotImplementedError, match=r"the model itself \(Mix\)") as caught,
    ):
        model(torch.ones(2, 3))
    assert "ignore" not in str(caught.value)
