"""The picture of a frontier holds every budget."""

from pathlib import Path

import pytest

from picojoule.plots import FrontierMark, plot_frontier

pytest.importorskip("matplotlib")
MARKS = [
    FrontierMark("none", 4e5, 0.90, on_front=True, networks=[(3.9e5, 0.89), (4.1e5, 0.91)]),
    FrontierMark("50 %", 2e5, 0.91, on_front=True, limit=2.1e5),
    FrontierMark("$0.4$", 1.9e5, 0.70, on_front=False, limit=1.6e5),
]


def test_each_budget_is_drawn_and_named(tmp_path: Path) -> None:
    figure = plot_frontier(MARKS, tmp_path / "frontier.png", unit="J per sample")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["none", "50 %", r"\$0.4\$"]
    dots = [tuple(xy.round(6)) for dots in axes.collections for xy in dots.get_offsets()]
    assert dots == [(3.9e5, 89), (4.1e5, 91), (4e5, 90), (2e5, 91), (1.9e5, 70)]
    front, limits = axes.lines
    assert front.get_xydata().tolist() == [[2e5, 91], [4e5, 90]]
    assert limits.get_xydata().tolist() == [[2.1e5, 91], [1.6e5, 70]]
    assert axes.get_xlabel() == "J per sample"
    assert axes.get_xscale() == "log"
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_another_score_is_drawn_as_it_is() -> None:
    (axes,) = plot_frontier([FrontierMark("none", 4e5, -0.5, True)], score="R_2$").axes
    assert axes.collections[0].get_offsets().tolist() == [[4e5, -0.5]]
    assert axes.get_ylabel() == r"Test R_2\$"
    assert axes.get_title() == r"What R_2\$ costs"


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks"):
        plot_frontier([])


def test_networks_that_spend_nothing_have_their_place(tmp_path: Path) -> None:
    marks = [FrontierMark("none", 0.0, 0.2, True), FrontierMark("50%", 10.0, 0.3, True)]
    figure = plot_frontier(marks, tmp_path / "frontier.png")
    assert figure.axes[0].get_xscale() == "linear"
