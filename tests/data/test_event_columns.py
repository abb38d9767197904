"""Structured arrays, dicts of columns and events, as all name them."""

from typing import Any

import numpy as np
import pytest
import torch

from picojoule.data import Events, as_events

N = 4
T, X, Y, P = [5, 7, 7, 90], [3, 0, 2, 1], [1, 2, 0, 9], [1, 0, 0, 1]

# the fields of the arrays that packages give, in their order and with their kinds
DTYPES = {
    "tonic, sinabs": [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i2")],
    "tonic, boolean": [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")],
    "Metavision": [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")],
    "expelliarmus": [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")],
    "aedat, faery": [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")],
    "dv": [
        *(("timestamp", "<i8"), ("x", "<i2"), ("y", "<i2"), ("polarity", "i1")),
        *(("_p1", "i1"), ("_p2", "<i2")),
    ],
    "ESIM": [("ts", "<i8"), ("xs", "<u2"), ("ys", "<u2"), ("ps", "i1")],
    "capitals": [("X", "<i4"), ("Y", "<i4"), ("Timestamp", "<i4"), ("Pol", "<i4")],
    "big-endian": [("t", ">i8"), ("x", ">u2"), ("y", ">u2"), ("p", ">i2")],
}


def events(t: Any = T, x: Any = X, y: Any = Y, p: Any = P) -> dict[str, Any]:
    return {name: np.array(column) for name, column in zip("txyp", (t, x, y, p), strict=True)}


def lists(given: Events) -> list[list[int]]:
    assert all(column.dtype == torch.int64 for column in given)
    return [column.tolist() for column in given]


@pytest.mark.parametrize("fields", DTYPES.values(), ids=DTYPES)
def test_fields_of_any_package_in_any_order(fields: list[tuple[Any, str]]) -> None:
    given = np.zeros(N, fields)
    meanings = {"t": T, "x": X, "y": Y, "p": P, "o": P}
    for name in given.dtype.names or ():
        if not name.startswith("_"):
            given[name] = meanings[name[0].lower()]
    for name in ("polarity", "Pol"):
        if name in given.dtype.fields:
            given[name] = P
    assert lists(as_events(given)) == [T, X, Y, P]
    assert lists(as_events(given[::-1])) == [column[::-1] for column in (T, X, Y, P)]
    assert lists(as_events(given[:0])) == [[], [], [], []]


def test_a_dict_of_lists_tensors_and_arrays() -> None:
    given = {"y": Y, "x": torch.tensor(X).int(), "time": np.array(T), "on": np.array(P, bool)}
    assert lists(as_events(given)) == [T, X, Y, P]
    halves = {**given, "x": torch.tensor(X, dtype=torch.bfloat16)}
    assert lists(as_events(halves)) == [T, X, Y, P]


def test_events_are_events() -> None:
    given = Events(*torch.tensor([T, X, Y, P]))
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(as_events(given), given, strict=True))


def test_int64_columns_are_not_copied() -> None:
    fields = [("t", "<i8"), ("x", "<i8"), ("y", "<i8"), ("p", "<i8")]
    given = np.array(list(zip(T, X, Y, P, strict=True)), fields)
    taken = as_events(given)
    given["t"] += 1
    assert taken.t_us.tolist() == [t + 1 for t in T]
    assert [column.data_ptr() for column in taken] == [given[n].ctypes.data for n in "txyp"]


@pytest.mark.parametrize("change", [np.ndarray.setflags, None], ids=["read-only", "packed"])
def test_what_a_tensor_cannot_share_is_copied(change: Any) -> None:
    given = np.array(
        list(zip(T, X, Y, P, strict=True)), [("t", "<i8"), ("x", "<i2"), ("y", "<i8"), ("p", "<i8")]
    )
    if change:
        change(given, write=False)
    assert lists(as_events(given)) == [T, X, Y, P]


@pytest.mark.parametrize(
    ("times", "unit", "wanted"),
    [
        ([1, 2, 3, 4], None, [1, 2, 3, 4]),
        ([1, 2, 3, 4], "us", [1, 2, 3, 4]),
        ([1, 2, 3, -4], "ms", [1000, 2000, 3000, -4000]),
        ([1, 2, 3, 4], "s", [10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6]),
        ([499, 500, 1499, -501], "ns", [0, 1, 1, -1]),
        ([2**63 - 1, 0, 0, 0], "ns", [9223372036854776, 0, 0, 0]),
        ([0.05, 0.15, 0.3, 0.4], "s", [50_000, 150_000, 300_000, 400_000]),
        ([0.05, 0.15, 0.3, 0.4], "ms", [50, 150, 300, 400]),
        ([1.4, 1.6, -2.6, 2.0], "us", [1, 2, -3, 2]),
        ([1400.0, 1600.0, 0.0, 2e9], "ns", [1, 2, 0, 2 * 10**6]),
        ([1605537494.298340, 0, 0, 0], "s", [1605537494298340, 0, 0, 0]),
    ],
)
def test_times_become_microseconds(times: list[float], unit: Any, wanted: list[int]) -> None:
    assert as_events(events(t=times), time_unit=unit).t_us.tolist() == wanted


@pytest.mark.parametrize(
    ("field", "factor"), [("t_us", 1), ("timestamp_ms", 1000), ("ts_s", 10**6), ("TIME_NS", 0.001)]
)
def test_a_name_can_say_the_unit(field: str, factor: float) -> None:
    given = events(t=np.array([1000, 2000, 3000, 4000]))
    given[field] = given.pop("t")
    wanted = [int(t * factor) for t in (1000, 2000, 3000, 4000)]
    assert as_events(given).t_us.tolist() == wanted
    given[field] = given[field].astype(float)
    assert as_events(given).t_us.tolist() == wanted
    with pytest.raises(
        ValueError, match=rf"time_unit is '{'s' if factor != 10**6 else 'ms'}', but the field"
    ):
        as_events(given, time_unit="s" if factor != 10**6 else "ms")


def test_seconds_never_become_microseconds_silently() -> None:
    seconds = [0.05, 0.15, 0.3, 0.4]
    with pytest.raises(
        ValueError, match=r"as_events: t is float64 \(event 0: 0\.05\), and nothing says"
    ):
        as_events(events(t=seconds))
    renamed = events(t=seconds)
    renamed["t_us"] = renamed.pop("t")
    with pytest.raises(ValueError, match=r"t_us of event 0 is 0\.05, expected whole microseconds"):
        as_events(renamed)


@pytest.mark.parametrize(
    "polarities", [[True, False, False, True], [1, 0, 0, 1], [1, -1, -1, 1], [1.0, -1.0, -1.0, 1.0]]
)
def test_polarities_become_0_and_1(polarities: list[float]) -> None:
    assert as_events(events(p=polarities)).p.tolist() == [1, 0, 0, 1]


def test_polarities_of_one_kind() -> None:
    assert as_events(events(p=[-1] * N)).p.tolist() == [0] * N
    assert as_events(events(p=[1] * N)).p.tolist() == [1] * N


NAN = float("nan")


@pytest.mark.parametrize(
    ("changed", "unit", "text"),
    [
        ({"p": [1, 0, 2, 3]}, None, r"p of event 2 is 2, expected 0 or 1, or -1 or \+1"),
        ({"p": [1, 0, -1, 1]}, None, r"p of event 1 is 0, expected -1 or \+1, as others are"),
        ({"p": [1, 1, -2, 1]}, None, r"p of event 2 is -2"),
        ({"p": [1, 1, 0.5, 1]}, None, r"p of event 2 is 0\.5, expected a whole number"),
        ({"p": [1, 1, NAN, 1]}, None, r"p of event 2 is nan"),
        ({"x": [1, 1, 0, -3]}, None, r"x of event 3 is -3, expected >= 0"),
        ({"y": [1, -1, 0, -3]}, None, r"y of event 1 is -1, expected >= 0"),
        ({"x": [1.0, 2.5, 0, 3]}, None, r"x of event 1 is 2\.5, expected a whole number"),
        ({"y": [NAN, 2.5, 0, 3]}, None, r"y of event 0 is nan"),
        (
            {"x": np.array([1, 2**64 - 1, 0, 3], np.uint64)},
            None,
            r"x of event 1 is 1844674407370955",
        ),
        ({"t": [1, 2, NAN, 3]}, "s", r"t of event 2 is nan, in microseconds"),
        ({"t": [1, 2, float("inf"), 3]}, "us", r"t of event 2 is inf"),
        ({"t": [1, 2, 1e300, 3]}, "s", r"t of event 2 is 1e\+306"),
        ({"t": [1, 2**60, 0, 3]}, "ms", r"t of event 1 is 1152921504606846976 ms"),
        ({"t": [1, 2, 0, -(2**63) + 1]}, "s", r"t of event 3 is -9223372036854775807 s"),
        ({"x": [1, 2, 3]}, None, r"the columns differ in length \(t 4, x 3, y 4, p 4\)"),
        ({"x": [[1], [2], [3], [4]]}, None, r"x has shape \(4, 1\), expected a number an event"),
        ({"timestamp": T}, None, r"'t' and 'timestamp' both name t"),
        ({"polarity": P}, None, r"'p' and 'polarity' both name p"),
    ],
)
def test_the_first_bad_event_is_named(changed: dict[str, Any], unit: Any, text: str) -> None:
    given = {**events(), **{name: np.asarray(column) for name, column in changed.items()}}
    with pytest.raises(ValueError, match=rf"as_events: {text}"):
        as_events(given, time_unit=unit)


def test_a_missing_field_is_named_with_those_that_came() -> None:
    given = events()
    del given["y"], given["p"]
    with pytest.raises(ValueError, match=r"no field for y, p among t, x\..*y: y ys; p: p ps pol"):
        as_events(given)
    with pytest.raises(ValueError, match=r"no field for t, x, y, p among none"):
        as_events({})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.zeros((3, 4)), r"ndarray of float64, \(3, 4\) came, expected a structured array"),
        (torch.zeros(3, 4), r"Tensor of torch\.float32, \(3, 4\) came"),
        ([(1, 2, 3, 4)], "list came"),
        (events(x=["a", "b", "c", "d"]), "x is <U1, expected numbers"),
        (events(t=np.array(T, "M8[us]")), r"t is datetime64\[us\], expected numbers"),
        (events(t=[True, False, True, True]), "t is bool, expected times"),
    ],
)
def test_what_holds_no_events_is_told(given: Any, text: str) -> None:
    with pytest.raises(TypeError, match=rf"as_events: {text}"):
        as_events(given)


def test_other_faults_of_columns_are_told() -> None:
    with pytest.raises(ValueError, match="x is no column of numbers"):
        as_events({**events(), "x": [1, [2], 3, 4]})
    with pytest.raises(ValueError, match=r"t has shape \(2, 2\)"):
        as_events(np.zeros((2, 2), DTYPES["tonic, sinabs"]))
    with pytest.raises(ValueError, match="time_unit is 'minutes', expected one of 's', 'ms'"):
        as_events(events(), time_unit="minutes")  # type: ignore[arg-type]
