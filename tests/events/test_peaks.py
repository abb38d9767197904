"""Peaks of SynOps per second, of a call and of a stream, beside a loop over all windows."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from picojoule import events
from picojoule.events import SynOpsPeaks
from tests.events.recordings import DT_US, cut, raster, recording, sample, streamed

COUNTS = {
    "a": torch.tensor([[1.0, 5, 0, 0, 7, 2], [0, 0, 8, 0, 0, 0]], dtype=torch.float64),
    "b": torch.tensor([[0.0, 9, 0, 0, 0, 2], [3, 0, 1, 0, 0, 4]], dtype=torch.float64),
}


def most(counts: torch.Tensor, steps: int) -> float:
    """In any window, those at both ends included."""
    return max(
        float(row[max(0, t - steps + 1) : t + 1].sum()) for row in counts for t in range(len(row))
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 6, 10])
@pytest.mark.parametrize("places", [(6,), (1, 6), (2, 3, 6), (1, 2, 3, 4, 5, 6)])
def test_a_peak_is_the_fullest_window_wherever_it_is_cut(
    steps: int, places: tuple[int, ...]
) -> None:
    cores = {"one": ["a"], "two": ["b"]}
    groups: list[tuple[Any, dict[str, torch.Tensor]]] = [
        ("layer", COUNTS),
        ("network", {"network": COUNTS["a"] + COUNTS["b"]}),
        (cores, {"one": COUNTS["a"], "two": COUNTS["b"]}),
    ]
    for by, groups_of in groups:
        peaks, first = SynOpsPeaks(dt_s=0.5, window_s=0.5 * steps, by=by), 0
        for last in places:
            peaks.add({name: count[:, first:last] for name, count in COUNTS.items()})
            first = last
        found = peaks.per_second()
        assert found == {name: most(c, steps) / (0.5 * steps) for name, c in groups_of.items()}


def test_silence_between_peaks_counts() -> None:
    peaks = SynOpsPeaks(dt_s=1.0, window_s=3.0)
    two = {"a": torch.tensor([[2.0, 2.0]])}
    peaks.add(two)
    peaks.add_silence(1)
    peaks.add(two)
    assert peaks.per_second() == {"a": 4 / 3}
    peaks.add_silence(10**12)
    peaks.add({"a": torch.tensor([[3.0]])})
    assert peaks.per_second() == {"a": 4 / 3}


def test_a_stream_has_the_peaks_of_one_call() -> None:
    network = events.compile(streamed("integrate and fire"), sample(), dense="never")
    given, steps = recording(700, 40), 5
    with pytest.raises(ValueError, match="nothing ran yet"):
        network.peak_synops_per_second(dt_s=1.0)
    network(raster(given, 40))
    dt_s = DT_US * 1e-6
    for by in ("layer", "network", {"core": ["0", "3"]}):
        stream = network.stream(dt_us=DT_US, peak_window_us=steps * DT_US, peak_by=by)
        for part in cut(given, 1, 350, 360):
            stream.push(part)
        stream.flush()
        expected = network.peak_synops_per_second(dt_s=dt_s, window_s=steps * dt_s, by=by)
        assert stream.peak_synops_per_second() == pytest.approx(expected, rel=1e-12)
    assert list(network.peak_synops_per_second(dt_s=dt_s)) == ["0", "3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_s": 0.0}, "dt_s is 0.0"),
        ({"dt_s": float("nan")}, "dt_s is nan"),
        ({"dt_s": 1.0, "window_s": 0.4}, "0.4 steps of 1.0 s; expected whole ones"),
        ({"dt_s": 1.0, "by": "cores"}, "by is 'cores', expected 'layer', 'network' or {core"),
        ({"dt_s": 1.0, "by": {"x": "a"}}, "core 'x' has 'a', expected a list"),
        ({"dt_s": 1.0, "by": {"x": ["a"], "y": ["b", "a"]}}, "layer 'a' is on the cores 'x' and"),
        ({"dt_s": 1.0, "by": {"x": ["a", "c"]}}, "no layer 'c'; expected some of a, b"),
    ],
)
def test_what_a_peak_cannot_be_of(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SynOpsPeaks(**options).add(COUNTS)
