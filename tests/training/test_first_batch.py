"""A network that cannot fire, or does not spike at all, is told of before it is trained, and trains to its end."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule.activation import Heaviside
from picojoule.layers import ALIF, IAF, LIF, ExpLeak
from picojoule.training import TrainConfig, train
from picojoule.training.health.first_batch import remarks
from tests.training.commands import NETWORKS
from tests.training.conftest import Silence
from tests.training.networks import CLASSES, INPUTS, TIME

HERE = Path(__file__)
TINY = TrainConfig(
    optimizer="adam",
    readout="count",
    data=f"{NETWORKS}:data",
    epochs=1,
    batch_size=8,
    min_rate=0.01,
)
ONES = torch.ones(2, TIME, INPUTS)
FIRES, SILENT = torch.tensor([0.0, 0.5]), torch.zeros(2)


def silent() -> nn.Module:
    """sinabs' default scales the input of an LIF by 1 - alpha."""
    return nn.Sequential(nn.Linear(INPUTS, 8), LIF(10.0), nn.Linear(8, CLASSES), LIF(10.0))


def analog() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(INPUTS * TIME, 8), nn.ReLU(), nn.Linear(8, 3))


def of(rates: dict[str, torch.Tensor], model: nn.Module | None = None) -> list[str]:
    return remarks(model or silent(), rates, ONES)


def test_a_network_that_fires_needs_no_words() -> None:
    assert of({"1": FIRES, "3": FIRES}) == []


def test_a_silent_last_layer_learns_to_fire() -> None:
    assert of({"1": FIRES, "3": SILENT}) == []


def test_the_first_silent_layer_is_named_with_the_way_out() -> None:
    (sentence,) = of({"1": SILENT, "3": SILENT})
    # 1 - exp(-1/10) = 0.0951626
    assert "no neuron of layer '1' (LIF) fires (nor in 1 of the others)" in sentence
    assert "1 - exp(-1 / tau_mem) = 0.0952, because norm_input is True" in sentence
    for way in ("norm_input=False", "larger weights", "threshold (spike_threshold is 1)"):
        assert way in sentence


def test_a_hidden_layer_between_others_is_named() -> None:
    (sentence,) = of({"1": SILENT, "3": FIRES})
    assert "layer '1' (LIF) fires: nothing reaches" in sentence


def test_a_dim_image_has_another_way_out() -> None:
    given = {"1": SILENT, "3": SILENT}
    (sentence,) = remarks(silent(), given, ONES, pixel_rate=0.1)
    assert "a pixel_rate above 0.1" in sentence
    for bright in (1.0, None):  # a white pixel cannot spike more often; data that are no images
        (sentence,) = remarks(silent(), given, ONES, pixel_rate=bright)
        assert "pixel_rate" not in sentence


@pytest.mark.parametrize(
    ("floor", "words"),
    [
        (None, "Or set a floor"),
        ({"3": 0.1}, "Or set a floor"),
        (0.1, "The floor of 0.1 may wake it"),
        ({"1": 0.2}, "The floor of 0.2 may wake it"),
    ],
)
def test_a_floor_wakes_a_layer(floor: float | dict[str, float] | None, words: str) -> None:
    (sentence,) = remarks(silent(), {"1": SILENT, "3": FIRES}, ONES, floor=floor)
    assert words in sentence


@pytest.mark.parametrize("layer", [IAF(), LIF(5.0, norm_input=False), ExpLeak(5.0), nn.ReLU()])
def test_what_scales_no_input_is_not_blamed_for_it(layer: nn.Module) -> None:
    (sentence,) = of({"0": SILENT}, nn.Sequential(layer))
    assert "norm_input" not in sentence
    assert "larger weights" in sentence
    assert "every answer is 0" in sentence


def test_a_name_that_is_no_modules_is_told_without_a_type() -> None:
    (sentence,) = of({"1 (2nd call)": SILENT, "3": FIRES})
    assert "no neuron of layer '1 (2nd call)' fires: nothing reaches" in sentence


def test_an_adaptive_neuron_scales_its_input_too() -> None:
    (sentence,) = of({"0": SILENT}, nn.Sequential(ALIF(10.0, 5.0)))
    assert "norm_input=False" in sentence


def test_an_empty_input_is_told_apart_from_a_silent_network() -> None:
    (sentence,) = remarks(silent(), {"1": SILENT, "3": SILENT}, torch.zeros(2, TIME, INPUTS))
    assert "the first batch is all zeros" in sentence


@pytest.mark.parametrize(
    ("model", "words"), [("silent", "norm_input=False"), ("analog", "known to spike")]
)
def test_such_a_network_is_told_of_and_trained(
    model: str, words: str, silence: Silence, tmp_path: Path
) -> None:
    config = replace(TINY, model=f"{HERE}:{model}").without_budget()
    run = train(config, tmp_path, silence)
    note, *others = silence.notes
    assert words in note
    assert all("are answered with class 0" in each for each in others)  # said of the silent one
    assert len(run.budget.history.loss) == 4  # 26 samples in batches of 8


def dead(threshold: float = 100.0) -> nn.Module:
    """No slope so far below the threshold, and a readout without a bias: no weight has a gradient."""
    return nn.Sequential(
        nn.Linear(INPUTS, 8),
        IAF(spike_threshold=threshold, surrogate_grad_fn=Heaviside(window=1.0)),
        nn.Linear(8, CLASSES, bias=False),
    )


def nearly_dead() -> nn.Module:
    return dead(threshold=3.0)


def test_a_network_without_a_gradient_is_told_in_the_first_step(
    silence: Silence, tmp_path: Path
) -> None:
    config = replace(TINY, model=f"{HERE}:dead", epochs=2).without_budget()
    run = train(config, tmp_path, silence)
    told = [note for note in silence.notes if "no weight has a gradient" in note]
    assert len(told) == 1
    assert run.budget.history.loss == pytest.approx([math.log(CLASSES)] * 8)


def test_a_floor_wakes_what_is_near_its_threshold(silence: Silence, tmp_path: Path) -> None:
    config = replace(TINY, model=f"{HERE}:nearly_dead", min_rate={"1": 0.1}, epochs=10)
    run = train(replace(config, learning_rate=0.01), tmp_path, silence, compare=False)
    assert any("The floor of 0.1 may wake it" in note for note in silence.notes)
    assert not any("no weight has a gradient" in note for note in silence.notes)
    assert run.budget.trained.mean_rate("1") > 0
