"""Joules in reports and in losses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule import Monitor
from picojoule.energy import ann_baseline_j, break_even_rate
from picojoule.energy import profile as find_profile
from picojoule.layers import IAF
from tests.report.reports import AWKWARD, written

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("profile", ["loihi", "45nm-int8", "45nm-int8+step"])
def test_print(profile: str) -> None:
    expected = (GOLDEN / f"report_{profile}.txt").read_text()
    assert AWKWARD.to_text(profile=profile) + "\n" == expected


def test_a_chip() -> None:
    energy = AWKWARD.energy("loihi")
    assert energy.compute_only is None
    assert energy.total_j == pytest.approx(1232.5 * 23.6e-12 + 120 * 81e-12)
    assert energy.breakdown.unpriced == {"macs": 64000.0}
    assert energy.spikes_per_synapse == 1232.5 / 493


def test_bare_arithmetic_has_no_memory_that_its_name_does_not_say() -> None:
    energy = AWKWARD.energy("45nm-int8")
    assert energy.with_memory is None
    assert energy.total_j == pytest.approx(1232.5 * 0.03e-12 + 64000 * 0.23e-12)
    assert energy.ann is energy.ann_compute_only
    assert energy.ann.total_j == ann_baseline_j(6400 + 493).total_j
    assert energy.break_even == break_even_rate("45nm-int8")


def test_a_named_memory_has_both_figures() -> None:
    energy = AWKWARD.energy("45nm-int8+step")
    arithmetic = 1232.5 * 0.03e-12 + 64000 * 0.23e-12
    assert energy.compute_only is not None
    assert energy.compute_only.total_j == pytest.approx(arithmetic)
    assert energy.total_j == pytest.approx(arithmetic + (5 * 1232.5 + 64000) * 24.96e-12)
    assert energy.ann is energy.ann_with_memory


def test_json_has_the_joules() -> None:
    energy = json.loads(AWKWARD.to_json(profile="loihi"))["energy_j"]
    assert energy["with_memory"] == AWKWARD.energy("loihi").total_j
    assert energy["unpriced"] == {"macs": 64000.0}


@pytest.mark.parametrize("form", ["to_text", "to_markdown", "to_latex", "to_html", "to_json"])
@pytest.mark.parametrize("profile", ["loihi", "odin"])
def test_every_form_labels_the_joules_and_says_how_far_to_trust_them(
    form: str, profile: str
) -> None:
    shown = written(AWKWARD, form, profile=profile)
    assert form == "to_json" or f"Energy per sample on {profile}, modelled" in shown
    assert f"{profile}: {find_profile(profile).grade()}." in shown
    assert "Joules are modelled" in shown


@pytest.mark.parametrize("form", ["to_text", "to_markdown", "to_html", "to_json"])
def test_every_form_says_whether_zero_weights_were_counted(form: str) -> None:
    counted = written(AWKWARD, form, profile="odin")
    left_out = written(replace(AWKWARD, weights="nonzero"), form, profile="odin")
    assert "Zero weights are counted as synapses, as odin spends on them" in counted
    assert "Zero weights are not counted, but odin spends on them" in left_out
    if form == "to_json":
        energy = json.loads(left_out)["energy_j"]
        assert (energy["skips_zero_weights"], energy["weights"]) == (False, "nonzero")


def test_json_tells_the_kind_of_figures() -> None:
    energy = json.loads(AWKWARD.to_json(profile="loihi"))["energy_j"]
    kind = ("basis", "evidence", "pre_silicon", "scope", "technology_nm", "voltage_v")
    assert [energy[name] for name in kind] == [
        "modelled",
        "modelled",
        True,
        "incremental",
        14,
        0.75,
    ]


def test_a_chip_without_joules_says_so() -> None:
    with pytest.raises(ValueError, match="'speck' has no energy per operation"):
        AWKWARD.energy("speck")


def test_joules_in_a_loss() -> None:
    model = nn.Sequential(nn.Linear(3, 8), IAF(), nn.Linear(8, 2))
    with Monitor(model) as monitor:
        model(torch.ones(2, 5, 3))
        monitor.energy_j("loihi").backward()
        joules = model[0].weight.grad.clone()
        model.zero_grad()
        model[1].reset_states()
        model(torch.ones(2, 5, 3))
        monitor.synops.per_sample.total.backward()
    assert torch.allclose(joules, model[0].weight.grad * 23.6e-12, atol=0)
    assert joules.any()


def test_strict_refuses_what_has_no_price() -> None:
    model = nn.Linear(3, 4)
    with Monitor(model) as monitor:
        model(torch.rand(2, 3))
    assert monitor.energy_j("loihi") == 0
    with pytest.raises(ValueError, match="no price for MACs"):
        monitor.energy_j("loihi", strict=True)


def test_neuron_updates_that_cost_more_than_the_ann() -> None:
    busy = replace(AWKWARD, neuron_updates_per_sample=1e9)
    assert "at no firing rate do they break even" in busy.to_text(profile="loihi")
