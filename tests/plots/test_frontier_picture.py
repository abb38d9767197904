"""The picture of a frontier holds every budget."""

from itertools import pairwise
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


def test_each_method_has_its_front_and_its_place_in_the_legend() -> None:
    other = [
        FrontierMark("", 3e5, 0.80, True, method="SSP"),
        FrontierMark("", 5e5, 0.85, True, method="SSP"),
        FrontierMark("", 5e5, 0.70, False, method="SSP"),
        FrontierMark("", 4e5, 0.60, True, method="$L_1$"),
    ]
    (axes,) = plot_frontier([*MARKS, *other]).axes
    _, labels = axes.get_legend_handles_labels()
    assert labels == ["This sweep", "Limit", "One seed", "SSP", r"\$L_1\$"]
    own, _, ssp, l1 = axes.lines
    assert ssp.get_xydata().tolist() == [[3e5, 80], [5e5, 85]]
    assert l1.get_xydata().tolist() == [[4e5, 60]]
    assert len({line.get_color() for line in (own, ssp, l1)}) == 3
    assert [text.get_text() for text in axes.texts][:1] == ["none"]
    assert len(axes.texts) == len(MARKS)  # the others are named in the legend


def test_settings_side_by_side_have_their_budgets_drawn() -> None:
    marks = [
        FrontierMark("50%", 2e5, 0.91, True, limit=2.1e5, method="num_timesteps=3"),
        FrontierMark("50%", 3e5, 0.92, True, limit=3.1e5, method="num_timesteps=5"),
    ]
    (axes,) = plot_frontier(marks).axes
    _, labels = axes.get_legend_handles_labels()
    assert sorted(labels) == ["Limit", "num_timesteps=3", "num_timesteps=5"]
    assert [text.get_text() for text in axes.texts] == ["50%", "50%"]


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks"):
        plot_frontier([])


def test_networks_that_spend_nothing_have_their_place(tmp_path: Path) -> None:
    marks = [FrontierMark("none", 0.0, 0.2, True), FrontierMark("50%", 10.0, 0.3, True)]
    figure = plot_frontier(marks, tmp_path / "frontier.png")
    assert figure.axes[0].get_xscale() == "linear"


@pytest.mark.parametrize("most", [4.2e3, 9e3, 2.5e4, 4.7e4, 2e5, 1e7])
def test_the_numbers_below_do_not_hide_one_another(most: float) -> None:
    marks = [FrontierMark("few", 2e3, 0.82, True), FrontierMark("many", most, 0.85, True)]
    figure = plot_frontier(marks)
    figure.draw_without_rendering()
    axis = figure.axes[0].xaxis
    first, last = sorted(axis.get_view_interval())
    shown = sorted(
        tick.label1.get_window_extent().intervalx.tolist()
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if tick.label1.get_text() and first <= tick.get_loc() <= last
    )
    assert len(shown) > 1
    assert all(left[1] < right[0] for left, right in pairwise(shown))
