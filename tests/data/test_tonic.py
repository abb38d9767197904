"""Data sets that look as tonic's do; tonic itself is not needed."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from picojoule.data import from_tonic
from tests.python import python

FIELDS = [("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", bool)]


class Taps:
    """Recording i holds i + 2 events; reads are counted."""

    sensor_size = (6, 4, 2)

    def __init__(self, labels: list[object], fields: list[tuple[str, object]] = FIELDS) -> None:
        self.labels, self.fields, self.reads = labels, fields, 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[object, object]:
        self.reads += 1
        events = np.zeros(index + 2, self.fields)
        events["t"] = np.arange(index + 2) * 100
        events["x"][-1], events["p"][-1] = 5, 1
        if "y" in events.dtype.names:
            events["y"][-1] = 3
        return events, self.labels[index]


class Listed(Taps):
    @property
    def targets(self) -> list[object]:
        return self.labels


def test_events_are_counted_into_frames() -> None:
    data = from_tonic(Taps([4, 0, 2]), num_timesteps=2)
    assert (len(data), data.num_classes, data.labels.tolist()) == (3, 5, [4, 0, 2])
    frames, label = data[1]
    assert (frames.shape, label) == ((2, 2, 4, 6), 0)
    assert frames.nonzero().tolist() == [[0, 0, 0, 0], [1, 1, 3, 5]]
    assert frames.sum() == 3


def test_a_sensor_with_channels_only_gives_t_n() -> None:
    class Cochlea(Taps):
        sensor_size = (700, 1, 1)

    fields = [("t", np.float64), ("x", np.int32), ("p", np.int8)]
    frames, _ = from_tonic(Cochlea([1], fields), 2)[0]  # whose p is 1, as tonic's cochleas'
    assert frames.shape == (2, 700)
    assert frames.nonzero().tolist() == [[0, 0], [1, 5]]


def test_an_event_outside_the_sensor_names_its_recording() -> None:
    data = from_tonic(Taps([0, 1]), 2, sensor_size=(6, 3, 2))
    with pytest.raises(ValueError, match=r"from_tonic: recording 1 of Taps: .*y of event 2 is 3"):
        data[1]


def test_listed_targets_spare_reading_every_recording() -> None:
    listed, unlisted = Listed([4, np.int64(0), 2]), Taps([4, 0, 2])
    assert from_tonic(listed, 2).labels.tolist() == from_tonic(unlisted, 2).labels.tolist()
    assert (listed.reads, unlisted.reads) == (0, 3)


def test_a_target_transform_is_heeded() -> None:
    class Doubled(Listed):
        target_transform = True

        def __getitem__(self, index: int) -> tuple[object, object]:
            return super().__getitem__(index)[0], 2 * index

    assert from_tonic(Doubled([4, 0, 2]), 2).labels.tolist() == [0, 2, 4]


def test_two_workers_give_what_none_gives() -> None:
    data = from_tonic(Taps([4, 0, 2]), 2)
    shared = torch.cat([frames for frames, _ in DataLoader(data, num_workers=2)])
    assert torch.equal(shared, torch.cat([frames for frames, _ in DataLoader(data)]))


def test_a_label_that_is_no_integer_is_named() -> None:
    for label in ("cat", 1.0, float("nan"), True, 2**63):
        with pytest.raises(TypeError, match=f"recording 1 is {label!r}, expected an integer"):
            from_tonic(Listed([0, label]), 2)


def test_a_data_set_with_a_transform_is_refused() -> None:
    class Framed(Taps):
        def __getitem__(self, index: int) -> tuple[object, object]:
            return np.zeros((2, 2, 4, 6), np.int16), 0

    with pytest.raises(TypeError, match=r"recording 0 is ndarray, .*without a transform"):
        from_tonic(Framed([0]), 2)[0]
    with pytest.raises(TypeError, match="recording 0 is fields t, x, y, expected"):
        from_tonic(NoPolarity([0]), 2)[0]


class NoPolarity(Taps):
    def __getitem__(self, index: int) -> tuple[object, object]:
        return np.zeros(3, FIELDS[:3]), 0


@pytest.mark.parametrize("size", [None, (34, 34), "abc"])
def test_an_unknown_sensor_size_is_named_and_can_be_given(size: object) -> None:
    dataset = Taps([0])
    dataset.sensor_size = size  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"sensor size of Taps is .* Pass sensor_size=\(w, h, p\)"):
        from_tonic(dataset, 2)
    assert from_tonic(dataset, 2, sensor_size=(6, 4, 2))[0][0].shape == (2, 2, 4, 6)


def test_tonic_is_not_imported() -> None:
    code = "import sys, picojoule.data; print('tonic' in sys.modules)"
    assert python("-c", code).stdout.strip() == "False"


def recording(t: object, x: object = (0, 1, 2), dtype: object = np.float64, **more: object) -> Taps:
    """A data set of one recording, on three channels."""

    class One(Taps):
        sensor_size = (3, 1, 1)

        def __getitem__(self, index: int) -> tuple[object, object]:
            x_values = np.asarray(x)
            events = np.zeros(len(x_values), [("t", dtype), ("x", x_values.dtype), ("p", np.int8)])
            events["t"], events["x"] = t, x_values
            return events, 0

    return One([0])


def frames_of(dataset: Taps, num_timesteps: int = 4, **more: object) -> list[list[float]]:
    frames: list[list[float]] = from_tonic(dataset, num_timesteps, **more)[0][0].tolist()
    return frames


@pytest.mark.parametrize(
    ("t", "time_unit_s"),
    [([0.05, 0.3, 0.4], 1.0), ([50, 300, 400], 1e-3), ([50_000.2, 299_999.8, 4e5], 1e-6)],
)
def test_times_in_another_unit_are_refused_or_converted(t: list[float], time_unit_s: float) -> None:
    wanted = [[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]  # steps of 87.5 ms from 50 ms on
    assert frames_of(recording([50_000, 300_000, 400_000])) == wanted
    assert frames_of(recording(t), time_unit_s=time_unit_s) == wanted
    if any(value % 1 for value in t):
        with pytest.raises(
            ValueError, match=r"recording 0 of One: t of event 0 is .*time_unit_s=1"
        ):
            frames_of(recording(t))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, 1e308, 2.0**63])
@pytest.mark.parametrize("time_unit_s", [None, 1.0])
def test_a_time_that_is_no_number_of_microseconds_is_named(
    value: float, time_unit_s: float | None
) -> None:
    with pytest.raises(ValueError, match="recording 0 of One: t of event 1 is"):
        frames_of(recording([0, value, 9]), time_unit_s=time_unit_s)


def test_integer_times_stay_exact_and_none_wraps() -> None:
    late = 2**60  # where floats have steps of 256
    assert frames_of(recording([late, late + 1, late + 3], dtype=np.int64)) == [
        *([1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1])
    ]
    with pytest.raises(ValueError, match=f"t of event 2 is {2**63 + 1}"):
        frames_of(recording([0, 1, 2**63 + 1], dtype=np.uint64))
    assert frames_of(recording([-300, -250, 0], dtype=np.int16), 3) == [
        [1, 1, 0],
        [0] * 3,
        [0, 0, 1],
    ]


@pytest.mark.parametrize("x", [[0, 1.5, 2], [0, float("nan"), 2]])
def test_a_place_with_a_fraction_is_named(x: list[float]) -> None:
    with pytest.raises(ValueError, match="recording 0 of One: x of event 1 is"):
        frames_of(recording([0, 1, 2], x))


@pytest.mark.parametrize("dtype", ["U3", object, "M8[us]", np.complex64, (np.int64, (2,))])
def test_a_column_that_is_no_number_is_named(dtype: object) -> None:
    class Odd(Taps):
        def __getitem__(self, index: int) -> tuple[object, object]:
            return np.zeros(3, [("t", dtype), *FIELDS[1:]]), 0

    with pytest.raises(TypeError, match=r"recording 0 of Odd: t is .*expected a number an event"):
        from_tonic(Odd([0]), 2)[0]


@pytest.mark.parametrize("unit", [0, -1.0, float("nan"), float("inf")])
def test_a_unit_of_time_is_positive(unit: float) -> None:
    with pytest.raises(ValueError, match="time_unit_s is"):
        from_tonic(Taps([0]), 2, time_unit_s=unit)
