"""The bars of the energy picture are the joules of the report, and what has no price is said."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule import Monitor, Report
from picojoule.layers import IAF
from tests.report.reports import AWKWARD

pytest.importorskip("matplotlib")


def counted(x: torch.Tensor) -> Report:
    model = nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.fill_(0.5)
        with Monitor(model) as monitor:
            model(x)
    return monitor.report()


@pytest.mark.parametrize("profile", ["loihi", "45nm-int8"])
def test_layers_add_up_to_the_network(profile: str) -> None:
    report = counted(torch.ones(2, 5, 3))
    whole, layers = report.energy(profile), report.energy_by_layer(profile)
    assert list(layers) == ["0", "1", "2"]
    for part in ("synops_j", "macs_j", "neuron_updates_j", "memory_j", "total_j"):
        by_layer = sum(getattr(layer.breakdown, part) or 0.0 for layer in layers.values())
        assert by_layer == pytest.approx(getattr(whole.breakdown, part) or 0.0, rel=1e-12), part
    ann = sum(float(layer.ann.total_j) for layer in layers.values())
    assert ann == pytest.approx(float(whole.ann.total_j), rel=1e-12)


def test_bars_are_the_joules(tmp_path: Path) -> None:
    report = counted(torch.ones(2, 5, 3))
    whole, layers = report.energy("loihi"), report.energy_by_layer("loihi")
    figure = report.plot_energy("loihi", tmp_path / "energy.png")
    assert (tmp_path / "energy.png").read_bytes()[:4] == b"\x89PNG"
    by_layer, total = figure.axes
    ann = [float(layers[name].ann_with_memory.total_j) for name in ("0", "2")]
    spent = [float(layers[name].total_j) for name in ("0", "1", "2")]
    assert widths(by_layer.patches) == pytest.approx([spent[0], ann[0], spent[1], spent[2], ann[1]])
    assert sum(widths(total.patches)) == pytest.approx(
        float(whole.total_j + whole.ann_compute_only.total_j + whole.ann_with_memory.total_j)
    )
    assert [label.get_text() for label in by_layer.get_yticklabels()] == [
        "0 Linear",
        "1 IAF",
        "2 Linear",
    ]
    assert total.get_xlabel() == "Energy per sample, modelled"


def test_what_has_no_price_is_said() -> None:
    by_layer, total = AWKWARD.plot_energy("loihi").axes
    assert total.get_xlabel().endswith("+ ? is that of MACs, which have no price")
    assert [text.get_text() for text in by_layer.texts] == [
        " 0 J + ?",  # the dense convolution
        " 161 nJ",
        " 9.72 nJ",  # its neurons
        " 29.1 nJ",
        " 12.4 nJ",
    ]
    assert AWKWARD.plot_energy("45nm-int8").axes[1].get_xlabel().count("neuron updates") == 1


def test_a_network_that_spends_nothing_can_be_drawn() -> None:
    nothing = dataclasses.replace(AWKWARD, rows=(), neuron_updates_per_sample=0.0)
    by_layer, total = nothing.plot_energy("loihi").axes
    assert not by_layer.patches
    assert {text.get_text() for text in total.texts} == {" 0 J"}


def test_names_that_look_like_formulas_are_names() -> None:
    row = dataclasses.replace(AWKWARD.rows[0], name="a$b$")
    figure = dataclasses.replace(AWKWARD, rows=(row,)).plot_energy("45nm-int8")
    assert figure.axes[0].get_yticklabels()[0].get_text() == r"a\$b\$"


def widths(bars: Iterable[object]) -> list[float]:
    return [bar.get_width() for bar in bars]  # type: ignore[attr-defined]
