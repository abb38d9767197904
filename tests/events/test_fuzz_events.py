"""Whatever comes in as events is taken, or refused by name with all as it was; the process lives on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picojoule import events
from picojoule.data import Events
from tests.events.recordings import DT_US, raster, sample, streamed

NETWORK = events.compile(streamed("integrate and fire"), sample(), dense="never")
IN_ORDER = events.compile(streamed("integrate and fire"), sample(), order="depth")
STEPS = 20
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)

numbers = st.one_of(
    st.integers(-3, 8),
    st.sampled_from([2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**70, -(2**63)]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.none(),
    st.text(max_size=2),
)
dtypes = st.sampled_from(
    ["i1", "u1", "<i2", ">i4", "<u8", "f2", "f4", "f8", "?", "c8", "O", "U2", "M8[us]"]
)


@st.composite
def columns(draw: st.DrawFn) -> Any:
    """A column of any sort: list, array, tensor, or what is none."""
    values = draw(st.one_of(st.lists(st.integers(0, 4), max_size=6), st.lists(numbers, max_size=6)))
    kind = draw(st.sampled_from(["list", "array", "tensor", "nested", "scalar", "none"]))
    if kind == "array":
        try:
            with np.errstate(all="ignore"):
                return np.array(values).astype(draw(dtypes))
        except (TypeError, ValueError, OverflowError):
            return np.array([str(value) for value in values])
    if kind == "tensor":
        try:
            return torch.tensor(values)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return torch.zeros(2, len(values))
    return {"list": values, "nested": [values], "scalar": 3, "none": None}[kind]


names = st.sampled_from(["t", "ts", "t_ms", "time", "x", "X", "y", "p", "on", "polarity", "q", ""])


def refusal(stream: events.EventStream, given_events: Any) -> str:
    """Push: why that is refused, with nothing run; "" if it is taken."""
    steps = stream.steps
    try:
        stream.push(given_events)
    except (TypeError, ValueError) as error:
        return str(error) if stream.steps == steps else "refused halfway"
    return ""


def why_refused(run: Callable[..., Any], *given: Any, **options: Any) -> str:
    """The message of an error that may be; "" for none."""
    try:
        run(*given, **options)
    except (TypeError, ValueError) as error:
        return str(error) or type(error).__name__
    return ""


def is_taken_or_refused(stream: events.EventStream, given_events: Any) -> bool:
    """Whether a push was taken, or refused by its name."""
    reason = refusal(stream, given_events)
    return not reason or reason.startswith("EventStream.push: ")


@pytest.mark.filterwarnings("ignore")  # NumPy's, of what hypothesis makes
@SETTINGS
@given(st.dictionaries(names, columns(), max_size=6), st.sampled_from([None, "s", "ns"]))
def test_columns_of_any_sort(given_columns: dict[str, Any], unit: Any) -> None:
    stream = NETWORK.stream(dt_us=DT_US, time_unit=unit)
    assert is_taken_or_refused(stream, given_columns)
    stream.push({"t": [], "x": [], "y": [], "p": []})
    stream.flush()


@pytest.mark.filterwarnings("ignore")
@SETTINGS
@given(st.one_of(columns(), st.tuples(*[columns()] * 4).map(lambda c: Events(*c))))
def test_what_may_be_no_events(given_events: Any) -> None:
    assert is_taken_or_refused(NETWORK.stream(dt_us=DT_US), given_events)


@SETTINGS
@given(st.data())
def test_one_bad_event_among_good_ones_is_named(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 12))
    t = sorted(data.draw(st.lists(st.integers(0, 199), min_size=number, max_size=number)))
    good = [t, *([data.draw(st.integers(0, n - 1)) for _ in t] for n in (6, 5, 2))]
    at, field = data.draw(st.integers(0, number - 1)), data.draw(st.integers(0, 3))
    huge = [-2, -(2**63)] if field == 0 else [-2, 6, 255, 2**31, 2**32, 2**63 - 1, -(2**63)]
    bad: list[Any] = [list(column) for column in good]
    bad[field][at] = data.draw(st.sampled_from([*huge, float("nan"), float("inf"), 1e300, 0.5]))
    if field == 0 and isinstance(bad[0][at], float):  # a fraction of a microsecond needs a name
        bad = [np.array(column) for column in bad]
    fields = dict(zip(("t_us", "x", "y", "p"), bad, strict=True))
    stream = NETWORK.stream(dt_us=DT_US)
    with pytest.raises(ValueError, match=rf"^EventStream.push: \w+ of event {at} is"):
        stream.push(fields)
    given_events = Events(*(torch.tensor(column) for column in good))
    given_out = [*stream.push(given_events), *stream.flush(STEPS * DT_US)]
    assert stream.report().samples <= 1
    fired = NETWORK.fresh()(raster(given_events, STEPS))
    assert sum(len(column) for column in given_out) == 4 * int(fired.sum())


@SETTINGS
@given(st.data())
def test_pushes_of_any_times(data: st.DataObject) -> None:
    """Every push is taken whole or not at all, whatever the times."""
    window_us = data.draw(st.sampled_from([0, 7, 10**6]))
    start_us = data.draw(st.sampled_from([0, 5, 2**62]))
    stream = NETWORK.stream(
        dt_us=data.draw(st.sampled_from([1, DT_US, 2**40])), window_us=window_us,
        start_us=start_us, longest_gap_us=None,
    )  # fmt: skip
    times = st.one_of(
        st.integers(-2, 50), st.integers(0, 2**63 - 1), st.just(2**63 - 1), st.just(start_us)
    )
    taken = 0
    for _ in range(data.draw(st.integers(0, 5))):
        t = data.draw(st.lists(times, max_size=6))
        t = sorted(t) if data.draw(st.booleans()) else t
        zeros = torch.zeros(len(t), dtype=torch.int64)
        given_events = Events(torch.tensor(t, dtype=torch.int64), zeros, zeros, zeros)
        reason = refusal(stream, given_events)
        assert not reason or "t_us of event" in reason
        taken += 0 if reason else len(t)
        if data.draw(st.booleans()):
            stream.flush()
    stream.flush()
    first_layer = stream.report().rows[0]
    # the corner of a 3 x 3 kernel with a border of one reaches 2 x 2 places of 4 channels
    total = (first_layer.synops_per_sample or 0) * stream.report().samples
    assert total == pytest.approx(taken * 16, rel=1e-9)


@pytest.mark.parametrize("given_events", [None, 3, "events", [1, 2], object(), {}, [[0, 1, 2, 3]]])
def test_what_is_no_events(given_events: Any) -> None:
    stream = NETWORK.stream(dt_us=DT_US)
    with pytest.raises((TypeError, ValueError), match=r"^EventStream.push: "):
        stream.push(given_events)


@pytest.mark.filterwarnings("ignore")
@SETTINGS
@given(st.dictionaries(names, columns(), max_size=6), st.sampled_from([None, "s", "ns"]))
def test_recordings_of_any_sort(given_columns: dict[str, Any], unit: Any) -> None:
    network = NETWORK.fresh()
    for given_events in (given_columns, [given_columns], [{"t": [], "x": [], "y": [], "p": []}]):
        options = {"dt_us": DT_US, "steps": STEPS, "time_unit": unit}
        reason = why_refused(network.run_events, given_events, **options)
        assert not reason or reason.startswith("EventNetwork.run_events")
        assert not reason or network.states() == {}  # nothing ran
        network = NETWORK.fresh()


@SETTINGS
@given(st.data())
def test_numbers_of_any_bits(data: st.DataObject) -> None:
    """Signed zeros, the smallest and the largest; what is not finite is named, as an entry of a COO tensor, too."""
    bits = st.one_of(
        st.sampled_from([0, 1, 2**31, 0x3F800000, 0x7F7FFFFF, 0x80000001, 0x007FFFFF]),
        st.integers(0, 2**32 - 1),
    )
    x = torch.zeros(3, 2, 5, 6)
    for value in data.draw(st.lists(bits, max_size=8)):
        place = data.draw(st.integers(0, x.numel() - 1))
        x.view(-1)[place] = torch.from_numpy(np.array([value], np.uint32).view(np.float32))[0]
    for given_input in (x, x.to_sparse()):
        for network in (NETWORK.fresh(), IN_ORDER.fresh()):
            reason = why_refused(network, given_input)
            assert ("finite" in reason) == (not x.isfinite().all())


@SETTINGS
@given(st.data())
def test_sparse_tensors_of_any_indices(data: st.DataObject) -> None:
    shape = (3, 2, 5, 6)
    number = data.draw(st.integers(0, 6))
    places = [
        data.draw(
            st.lists(
                st.one_of(st.integers(0, size - 1), st.sampled_from([-1, size, 2**62, -(2**63)])),
                min_size=number,
                max_size=number,
            )
        )
        for size in shape
    ]
    indices = torch.tensor(places, dtype=torch.int64).reshape(4, number)
    x = torch.sparse_coo_tensor(indices, torch.ones(number), shape, check_invariants=False)
    sizes = torch.tensor(shape)[:, None]
    inside = bool(((indices >= 0) & (indices < sizes)).all())
    assert ("outside its shape" in why_refused(NETWORK.fresh(), x)) == (not inside)
