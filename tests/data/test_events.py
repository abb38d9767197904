"""Counting events into frames: none is lost, none counted twice."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from picojoule.data import EventFrames, Events, events_to_frames


def events_of(*rows: tuple[int, int, int, int]) -> Events:
    """Events from (t_us, x, y, p)."""
    return Events(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).T)


def counted_one_by_one(events: Events, num_timesteps: int, size: tuple[int, int, int]) -> Tensor:
    frames = torch.zeros(num_timesteps, *size)
    start, length = min(events.t_us.tolist()), max(events.t_us.tolist()) + 1
    length -= start
    for t, x, y, p in zip(*(column.tolist() for column in events), strict=True):
        step = next(
            k for k in range(num_timesteps) if (t - start) * num_timesteps < (k + 1) * length
        )
        frames[step, p, y, x] += 1
    return frames


EVENT = st.tuples(
    st.integers(-(10**12), 10**12) | st.integers(0, 5),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(0, 1),
)


@given(st.lists(EVENT, min_size=1, max_size=30), st.integers(1, 7))
def test_every_event_is_counted_where_it_happened(
    rows: list[tuple[int, int, int, int]], num_timesteps: int
) -> None:
    events = events_of(*rows)
    frames = events_to_frames(events, num_timesteps, (2, 4, 5))
    assert torch.equal(frames, counted_one_by_one(events, num_timesteps, (2, 4, 5)))
    assert frames.sum() == len(rows)


def test_first_and_last_instant_fall_into_the_first_and_last_frame() -> None:
    events = events_of((10, 0, 0, 0), (30, 1, 0, 0))
    assert events_to_frames(events, 4, (1, 1, 2)).flatten(1).tolist() == [
        [1, 0],
        [0, 0],
        [0, 0],
        [0, 1],
    ]


def test_a_window_has_frames_of_its_own_length() -> None:
    events = events_of((0, 0, 0, 0), (24, 0, 0, 0), (25, 0, 0, 0), (99, 0, 0, 0))
    frames = events_to_frames(events, 4, (1,), window_us=(0, 100))
    assert frames.flatten().tolist() == [2, 1, 0, 1]


def test_events_of_one_instant_and_no_events_are_counted() -> None:
    assert events_to_frames(events_of((7, 0, 0, 0), (7, 0, 0, 0)), 3, (1,)).tolist() == [
        [2],
        [0],
        [0],
    ]
    assert events_to_frames(events_of(), 3, (2, 4, 5)).shape == (3, 2, 4, 5)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ((0, 5, 0, 0), "x of event 1 is 5, expected 0 to 4; 1 of 2 events"),
        ((0, -1, 0, 0), "x of event 1 is -1"),
        ((0, 0, 4, 0), "y of event 1 is 4, expected 0 to 3"),
        ((0, 0, 0, 2), "p of event 1 is 2, expected 0 to 1"),
        ((100, 0, 0, 0), "t_us of event 1 is 100, expected 0 to 99"),
    ],
)
def test_an_event_outside_is_named(event: tuple[int, int, int, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        events_to_frames(events_of((0, 0, 0, 0), event), 2, (2, 4, 5), window_us=(0, 100))


@pytest.mark.parametrize(
    ("num_timesteps", "size", "window_us", "text"),
    [
        (0, (1,), None, "num_timesteps is 0"),
        (1, (2, 3), None, r"size is \(2, 3\)"),
        (1, (2, 0, 3), None, r"size is \(2, 0, 3\)"),
        (1, (1,), (5, 5), r"window_us is \(5, 5\), expected start < stop"),
    ],
)
def test_numbers_out_of_their_range_are_named(
    num_timesteps: int, size: tuple[int, ...], window_us: tuple[int, int] | None, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        events_to_frames(events_of(), num_timesteps, size, window_us=window_us)


def test_columns_of_another_kind_are_named() -> None:
    t_us, x, y, p = events_of((0, 0, 0, 0), (1, 0, 0, 0))
    with pytest.raises(ValueError, match=r"columns of shape \(2,\), \(2,\), \(1,\), \(2,\)"):
        events_to_frames(Events(t_us, x, y[:1], p), 1, (1,))
    with pytest.raises(ValueError, match=r"expected \(n,\) each"):
        events_to_frames(Events(*(c[None] for c in (t_us, x, y, p))), 1, (1,))
    with pytest.raises(TypeError, match=r"t_us is torch.float32, expected integers"):
        events_to_frames(Events(t_us.float(), x, y, p), 1, (1,))
    small = Events(t_us.int(), x.short(), y.to(torch.uint8), p.to(torch.uint8))
    assert events_to_frames(small, 1, (2, 4, 5)).sum() == 2


def test_narrow_integers_do_not_overflow() -> None:
    t_us, x, y, p = events_of((2_000_000_000, 127, 127, 1))
    narrow = Events(t_us.int(), x.to(torch.int8), y.to(torch.int8), p.to(torch.uint8))
    frames = events_to_frames(narrow, 5, (2, 128, 128), window_us=(0, 2_000_000_001))
    assert frames.nonzero().tolist() == [[4, 1, 127, 127]]


class Reader:
    """Recordings that count how often each is read."""

    def __init__(self, recordings: list[Events]) -> None:
        self.recordings, self.reads = recordings, [0] * len(recordings)

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> Events:
        self.reads[index] += 1
        return self.recordings[index]


FULL = events_of(*[(0, 0, 0, 0)] * 300, (1, 1, 0, 1))
LABELS = torch.tensor([1, 0])


def test_a_recording_is_read_once_and_comes_back_the_same() -> None:
    reader = Reader([FULL, events_of((0, 0, 0, 0))])
    data = EventFrames(reader, LABELS, 2, (2, 1, 2))
    first = data.__getitems__([0, 1, 0])
    again = data.__getitems__([0, 1, 0])
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert [label for _, label in again] == [1, 0, 1]
    assert again[0][0].max() == 300  # more than a byte holds
    assert again[1][0].dtype == torch.float32
    assert reader.reads == [1, 1]


def test_the_frames_given_out_are_the_callers_own() -> None:
    data = EventFrames([FULL, FULL], LABELS, 2, (2, 1, 2))
    for _ in range(2):
        frames, _ = data[0]
        assert frames.sum() == 301
        frames.zero_()
    assert data[0][0].sum() == 301
    (first, _), (second, _) = EventFrames([FULL, FULL], LABELS, 2, (2, 1, 2)).__getitems__([0, 0])
    first.zero_()
    assert second.sum() == 301


def test_an_epoch_changes_no_recording() -> None:
    data = EventFrames([FULL, FULL], LABELS, 2, (2, 1, 2))
    before = data[0][0]
    data.set_epoch(3)
    assert torch.equal(data[0][0], before)


def test_no_more_is_kept_than_allowed() -> None:
    reader = Reader([events_of((0, 0, 0, 0)), events_of((0, 1, 0, 0))])
    data = EventFrames(reader, LABELS, 2, (2, 1, 2), cache_bytes=15)  # a sample takes 8 bytes
    for _ in range(2):
        data.__getitems__([0, 1])
    assert reader.reads == [1, 2]


def test_a_recording_outside_the_sensor_is_named() -> None:
    data = EventFrames([FULL, FULL], LABELS, 2, (1, 1, 2))
    with pytest.raises(ValueError, match=r"recording 1: events_to_frames: p of event 300 is 1"):
        data[1]


def test_recordings_and_labels_are_as_many() -> None:
    with pytest.raises(ValueError, match="1 recordings and 2 labels"):
        EventFrames([FULL], LABELS, 2, (2, 1, 2))
    with pytest.raises(ValueError, match="EventFrames: num_timesteps is 0"):
        EventFrames([FULL, FULL], LABELS, 0, (2, 1, 2))


def test_events_in_any_order_give_the_same_frames() -> None:
    rows = [(90, 0, 0, 0), (10, 1, 0, 1), (50, 0, 0, 1), (50, 0, 0, 1)]
    frames = events_to_frames(events_of(*rows), 3, (2, 1, 2))
    assert torch.equal(frames, events_to_frames(events_of(*sorted(rows)), 3, (2, 1, 2)))
    assert frames[:, 1, 0].tolist() == [[0, 1], [2, 0], [0, 0]]


@pytest.mark.parametrize(
    "t_us", [[-(2**63), 0, 2**62], [0, 5, 2**61], [-(2**62), 0, 2**62], [0, 1, 2**63 - 1]]
)
def test_a_span_that_int64_cannot_count_names_both_ends(t_us: list[int]) -> None:
    events = events_of(*((t, 0, 0, 0) for t in t_us))
    with pytest.raises(ValueError, match=rf"from {t_us[0]} at event 0 to {t_us[2]} at event 2"):
        events_to_frames(events, 4, (1, 1, 1))


def test_the_longest_span_is_counted_right() -> None:
    last = (2**63 - 1) // 4 - 1
    for shift in (0, -(2**63), 2**62):
        events = events_of(*((t + shift, 0, 0, 0) for t in (0, last // 2, last)))
        assert events_to_frames(events, 4, (1,)).flatten().tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("window_us", "error", "text"),
    [
        ((0.0, 1.4), TypeError, r"window_us is \(0.0, 1.4\), expected two integers"),
        ((0, float("nan")), TypeError, "expected two integers"),
        ((0, 1, 2), TypeError, "expected two integers"),
        ((0, 2**63), ValueError, "can span at most"),
        ((-(2**64), -(2**64) + 5), ValueError, "can span at most"),
        ((0, 2**62), ValueError, "can span at most"),
    ],
)
def test_a_window_is_two_integers_that_can_be_counted(
    window_us: tuple[int, int], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        events_to_frames(events_of((0, 0, 0, 0)), 4, (1,), window_us=window_us)
    with pytest.raises(error, match=text):
        EventFrames([FULL, FULL], LABELS, 4, (2, 1, 2), window_us=window_us)


def test_unsigned_times_are_not_taken_for_negative_ones() -> None:
    _, x, y, p = events_of((0, 0, 0, 0), (0, 0, 0, 0))
    t_us = torch.tensor([7, 2**63 + 9], dtype=torch.uint64)
    with pytest.raises(ValueError, match=f"t_us of event 1 is {2**63 + 9}"):
        events_to_frames(Events(t_us, x, y, p), 2, (1,))


def test_a_column_that_is_no_tensor_is_named() -> None:
    with pytest.raises(TypeError, match="recording 0: events_to_frames: x is of type list"):
        EventFrames([FULL._replace(x=[0])], LABELS[:1], 2, (2, 1, 2))[0]  # type: ignore[list-item]


def test_a_recording_with_times_in_seconds_is_named() -> None:
    seconds = Events(torch.tensor([0.1, 0.4]), *events_of((0, 0, 0, 0), (0, 0, 0, 0))[1:])
    with pytest.raises(TypeError, match=r"recording 1: .*t_us is torch.float32, .*microseconds"):
        EventFrames([FULL, seconds], LABELS, 2, (2, 1, 2))[1]
