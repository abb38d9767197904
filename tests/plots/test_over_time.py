"""The picture of events and SynOps over time."""

from pathlib import Path

import pytest
import torch

from picojoule.plots import plot_over_time

pytest.importorskip("matplotlib")


def test_lines_are_events_per_second_and_synops_with_the_limits(tmp_path: Path) -> None:
    events = {"in": torch.tensor([3.0, 1.0, 0.0]), "out": torch.tensor([0.0, 1.0, 0.0])}
    synops = {"0 Linear": torch.tensor([24.0, 8.0, 0.0]), "$2$": torch.tensor([1.0, 2.0, 3.0])}
    figure = plot_over_time(
        events, synops, tmp_path / "run.png", dt_s=0.5, limits={"0 Linear": 20.0}, window_s=1.0
    )
    top, bottom = figure.axes
    assert [line.get_xydata().tolist() for line in top.lines] == [
        [[0, 6], [0.5, 2], [1, 0]],
        [[0, 0], [0.5, 2], [1, 0]],
    ]
    first, limit, second = bottom.lines
    assert first.get_ydata().tolist() == [24, 8, 0]
    assert second.get_ydata().tolist() == [1, 2, 3]
    assert list(limit.get_ydata()) == [20, 20]
    assert limit.get_color() == first.get_color() != second.get_color()
    labels = [text.get_text() for text in bottom.get_legend().get_texts()]
    assert labels == ["0 Linear", "Limit of 0 Linear, 20", r"\$2\$"]
    assert bottom.get_xlabel() == "Time (s)"
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_length_of_a_step_it_counts_steps() -> None:
    top, bottom = plot_over_time({"in": torch.ones(4)}, {"a": torch.ones(4)}, limits=7).axes
    assert (bottom.get_xlabel(), top.get_ylabel()) == ("Time step", "Events per time step")
    assert bottom.get_ylim()[1] > 7


def test_no_peak_of_a_long_run_is_lost() -> None:
    events, synops = torch.ones(12_345), torch.ones(12_345)
    synops[7_001] = 500.0
    top, bottom = plot_over_time({"in": events}, {"a": synops}).axes
    (shown,) = bottom.lines
    assert len(shown.get_ydata()) <= 1000
    assert shown.get_ydata().max() == 500
    assert set(top.lines[0].get_ydata()) == {1.0}


def test_lines_that_are_far_apart_are_both_seen() -> None:
    far = plot_over_time({"in": torch.full((3,), 1e5), "out": torch.full((3,), 10.0)}, {}).axes[0]
    near = plot_over_time({"in": torch.full((3,), 20.0), "out": torch.full((3,), 10.0)}, {}).axes[0]
    assert (far.get_yscale(), near.get_yscale()) == ("symlog", "linear")


def test_silence_is_drawn() -> None:
    _, bottom = plot_over_time({"in": torch.zeros(3), "out": torch.zeros(3)}, {}).axes
    assert [text.get_text() for text in bottom.texts] == ["no SynOps"]


def test_no_events_are_an_error() -> None:
    with pytest.raises(ValueError, match="there are no events"):
        plot_over_time({}, {})
