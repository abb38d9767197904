"""Pictures say what they are given."""

from pathlib import Path

import pytest
import torch

from picojoule.plots import plot_firing_rates, plot_rates, plot_synops

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


def test_synops_of_a_history_of_tensors_without_target_and_file() -> None:
    axes = plot_synops({"a": [torch.tensor(3.0), torch.tensor(2.0)], "b": [0.0, 1.0]}).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[3.0, 2.0], [0.0, 1.0]]
    assert len({(line.get_linestyle(), line.get_color()) for line in axes.lines}) == 2


def test_synops_stand_over_the_training_step_that_they_are_of() -> None:
    axes = plot_synops({"a": [3.0, 2.0, 1.0], "b": [1.0, 1.0, 1.0]}, fixed=["b"]).axes[0]
    assert axes.get_xlabel() == "Training step"
    assert [line.get_xdata().tolist() for line in axes.lines] == [[1, 2, 3]] * 2


def test_lines_differ_without_colour() -> None:
    lines = plot_synops({str(i): [1.0, 2.0] for i in range(4)}).axes[0].lines
    assert len({line.get_linestyle() for line in lines}) == 4


def test_an_empty_history_is_an_error() -> None:
    with pytest.raises(ValueError, match="no layers"):
        plot_synops({})


def test_few_neurons_stand_on_an_axis_of_whole_numbers() -> None:
    few, many = plot_rates({"few": torch.rand(10), "many": torch.rand(1000)}).axes
    assert (few.get_yscale(), many.get_yscale()) == ("linear", "symlog")
    assert all(tick == int(tick) for tick in few.get_yticks())


def test_long_names_fit_over_a_panel() -> None:
    name = "model." * 20 + "last_neurons"
    title = plot_rates({name: torch.rand(10)}).axes[0].get_title()
    assert title.startswith("Layer ...")
    assert title.endswith("model.last_neurons\n10 neurons, 0.0% silent")
    assert max(map(len, title.split("\n"))) <= 60


def test_rates_before_and_after_are_a_figure_with_or_without_a_file() -> None:
    before, after = {"lif": torch.tensor([0.0, 0.5])}, {"lif": torch.tensor([0.1, 0.5])}
    (axes,) = plot_firing_rates(before, after).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "before, 50.0% silent",
        "after, 0.0% silent",
    ]
    with pytest.raises(ValueError, match="no layers"):
        plot_firing_rates({}, {})
