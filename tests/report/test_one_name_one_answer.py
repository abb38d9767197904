"""The joules of a name are the same wherever the name is given, for every profile and every memory."""

import json
import re

import pytest
import torch
from torch import nn

from picojoule import Monitor, Report
from picojoule.budget import EnergyLimit
from picojoule.energy import energy_j, memories, profile, profiles
from picojoule.energy.breakdown import joules
from picojoule.layers import IAF, ExpLeak
from tests.report.reports import written

CHIPS = [chip for chip in profiles() if chip.has_joules()]
NAMES = [chip.name for chip in CHIPS] + [
    f"{chip.name}+{memory.name}" for chip in CHIPS if chip.arithmetic_only for memory in memories()
]
every_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    """Dense values, spikes, spiking neurons and some that never fire: every term there is."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), IAF(), nn.Linear(8, 2), ExpLeak(tau_mem=5.0))
    with Monitor(model) as watching:
        model(torch.rand(2, 5, 3) * 3)
    return watching


@pytest.fixture(scope="module")
def report(monitor: Monitor) -> Report:
    return monitor.report()


def by_hand(name: str, report: Report) -> float:
    """Joules per sample: each term where the profile has a price for it."""
    chip = profile(name)
    terms = [
        (report.synops_per_sample, chip.synop_j),
        (report.macs_per_sample, chip.mac_j),
        (report.neuron_updates_per_sample, chip.neuron_update_j),
        (5 * report.synops_per_sample + report.macs_per_sample, chip.memory_j_per_byte),
    ]
    assert all(count > 0 for count, _ in terms)
    return sum(count * (cost or 0.0) for count, cost in terms)


@every_name
def test_functions_and_objects_agree(name: str, monitor: Monitor, report: Report) -> None:
    expected = by_hand(name, report)
    counts = {
        "synops": report.synops_per_sample,
        "macs": report.macs_per_sample,
        "neuron_updates": report.neuron_updates_per_sample,
    }
    limit = EnergyLimit(bound=1.0, profile=profile(name))
    by_layer = report.energy_by_layer(name).values()
    answers = {
        "monitor.energy_j": monitor.energy_j(name),
        "energy.energy_j": energy_j(name, **counts).total_j,
        "report.energy": report.energy(name).total_j,
        "report.energy_by_layer": sum(float(layer.total_j) for layer in by_layer),
        "Budget": limit.read(monitor).value,
        "to_json": json.loads(report.to_json(profile=name))["energy_j"]["total_j"],
    }
    off = {
        where: float(torch.as_tensor(found).detach()) / expected - 1
        for where, found in answers.items()
    }
    assert all(abs(each) < 1e-5 for each in off.values()), off


@every_name
def test_a_budget_of_a_layer_has_the_joules_of_its_row(
    name: str, monitor: Monitor, report: Report
) -> None:
    for layer in ("0", "2"):
        limit = EnergyLimit(layers=(layer,), bound=1.0, profile=profile(name))
        row = float(report.energy_by_layer(name)[layer].total_j)
        assert limit.read(monitor).value.item() == pytest.approx(row, rel=1e-5)


@every_name
@pytest.mark.parametrize("form", ["to_text", "to_markdown", "to_latex", "to_html"])
def test_tables_show_the_same_joules(name: str, form: str, report: Report) -> None:
    table = re.sub(r"\\(allowbreak|penalty500)\{\}", "", written(report, form, profile=name))
    kind = "compute only" if profile(name).scope == "compute only" else "with memory"
    (row,) = [
        line for line in table.splitlines() if f"{name}, {kind}" in line and "ANN" not in line
    ]
    assert joules(by_hand(name, report)) in row.replace(r"\textmu{}", "\N{MICRO SIGN}")


@every_name
def test_pruning_prices_a_synapse_alike(name: str) -> None:
    limit = EnergyLimit(bound=1.0, profile=profile(name))
    assert limit.factor(4.0) == pytest.approx(4 * float(energy_j(name, synops=1).total_j))
    assert limit.mac_factor(4.0) == pytest.approx(4 * float(energy_j(name, macs=1).total_j))
