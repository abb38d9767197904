"""Joules in reports and in losses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule import Monitor
from picojoule.energy import ann_baseline_j, break_even_rate, energy_j
from picojoule.layers import IAF
from tests.report.reports import AWKWARD

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("profile", ["loihi", "45nm-int8"])
def test_print(profile: str) -> None:
    expected = (GOLDEN / f"report_{profile}.txt").read_text()
    assert AWKWARD.to_text(profile=profile) + "\n" == expected


def test_a_chip() -> None:
    energy = AWKWARD.energy("loihi")
    assert energy.compute_only is None
    assert energy.total_j == pytest.approx(1232.5 * 23.6e-12 + 120 * 81e-12)
    assert energy.with_memory.unpriced == {"macs": 64000.0}
    assert energy.spikes_per_synapse == 1232.5 / 493


def test_arithmetic_has_both_figures() -> None:
    energy = AWKWARD.energy("45nm-int8")
    traffic = 5 * 1232.5 + 64000
    alone = energy_j("45nm-int8", synops=1232.5, macs=64000).total_j
    whole = energy_j("45nm-int8+step", synops=1232.5, macs=64000, memory_bytes=traffic).total_j
    assert energy.compute_only is not None
    assert (energy.compute_only.total_j, energy.total_j) == (alone, whole)
    assert energy.ann_compute_only.total_j == ann_baseline_j(6400 + 493).total_j
    assert energy.break_even == break_even_rate("45nm-int8")


def test_json_has_the_joules() -> None:
    energy = json.loads(AWKWARD.to_json(profile="loihi"))["energy_j"]
    assert energy["with_memory"] == AWKWARD.energy("loihi").total_j
    assert energy["unpriced"] == {"macs": 64000.0}


@pytest.mark.parametrize("form", ["to_markdown", "to_latex", "to_html"])
def test_every_form_has_the_joules(form: str) -> None:
    assert "Energy per sample on loihi" in getattr(AWKWARD, form)(profile="loihi")


def test_a_chip_without_joules_says_so() -> None:
    with pytest.raises(ValueError, match="'speck' has no energy per operation"):
        AWKWARD.energy("speck")


@pytest.mark.parametrize("profile", ["loihi", "45nm-fp32", "45nm-int8+dram"])
def test_monitor_and_report_agree(profile: str) -> None:
    model = nn.Sequential(nn.Linear(3, 8), IAF(), nn.Linear(8, 2))
    with Monitor(model) as monitor:
        model(torch.rand(2, 5, 3) * 3)
    energy = monitor.report().energy(profile)
    same = energy.with_memory if profile != "45nm-fp32" else energy.compute_only
    assert same is not None
    assert monitor.energy_j(profile).item() == pytest.approx(float(same.total_j), rel=1e-5)


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
