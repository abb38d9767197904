"""Pictures say what they are given."""

from pathlib import Path

import pytest
import torch

from picojoule.plots import plot_firing_rates, plot_synops

RATES = {"2": torch.rand(4, 3, 3), "5": torch.zeros(7), "8": torch.rand(2)}


@pytest.mark.parametrize("min_rate", [None, 0.1])
def test_rates_of_any_number_of_layers_are_drawn(tmp_path: Path, min_rate: float | None) -> None:
    for layers in (["2"], ["2", "5"], ["2", "5", "8"]):
        chosen = {name: RATES[name] for name in layers}
        plot_firing_rates(chosen, chosen, tmp_path / "rates.png", min_rate)
        assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_synops_of_many_layers_and_zeros_are_drawn(tmp_path: Path) -> None:
    history = {str(i): [float(i), 10.0, 1e4] for i in range(9)}
    plot_synops(history, 1e3, tmp_path / "synops.png", fixed=["0"])
    assert (tmp_path / "synops.png").read_bytes().startswith(b"\x89PNG")


def test_drawing_leaves_no_figure_open_and_chooses_no_backend(tmp_path: Path) -> None:
    import sys

    pyplot_was_loaded = "matplotlib.pyplot" in sys.modules
    plot_synops({"1": [1.0]}, 1.0, tmp_path / "synops.png")
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_was_loaded
