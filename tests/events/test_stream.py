"""A stream gives the spikes of one call on the raster, wherever it is cut, and says which event it cannot take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from picojoule import events, layers
from picojoule.data import Events
from picojoule.events.inputs import columns
from picojoule.events.inputs.sensor import joined
from tests.events.networks import HALVED, on_grid
from tests.events.recordings import (
    DT_US,
    SIZE,
    STREAMED,
    cut,
    raster,
    recording,
    sample,
    streamed,
)

STEPS = 40


def together(given_out: list[Events], shape: tuple[int, ...], steps: int) -> Tensor:
    """The raster of a stream's spikes, `t *m`."""
    return raster(joined(given_out), steps, shape)


def tiny() -> events.EventNetwork:
    """Each event is given out as it is, from 3 inputs to 3 outputs."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), layers.IAF())
    nn.init.eye_(model[0].weight)
    return events.compile(model, torch.zeros(1, 4, 3), dense="never")


def at(*t_us: int, x: int = 0) -> dict[str, list[int]]:
    zeros = [0] * len(t_us)
    return {"t": list(t_us), "x": [x] * len(t_us), "y": zeros, "p": zeros}


@pytest.mark.parametrize("dense", ["never", "always"])
@pytest.mark.parametrize("name", STREAMED)
def test_pushes_give_the_spikes_states_and_counts_of_one_call(
    name: str, dense: events.Dense
) -> None:
    model, given = streamed(name), recording(700, STEPS)
    network = events.compile(model, sample(), dense=dense)
    expected = network(raster(given, STEPS))
    stream = network.stream(dt_us=DT_US)
    given_out = [stream.push(part) for part in cut(given, 1, 1, 2, 3, 300, 301, 650)]
    given_out.append(stream.flush(STEPS * DT_US))
    assert torch.equal(together(given_out, expected.shape[1:], STEPS), expected)
    assert expected.any()
    assert stream.steps == STEPS
    for layer, states in network.states().items():
        for state, value in states.items():
            assert torch.equal(stream.states()[layer][state], value)
    assert vars(stream.report()) == vars(network.report())


@pytest.mark.parametrize("name", STREAMED)
def test_silence_is_passed_over_and_nothing_is_missing(name: str) -> None:
    """Three bursts with 3000 silent steps between them."""
    model, burst, far = streamed(name), recording(60, 5), 3005 * DT_US
    parts = [burst._replace(t_us=burst.t_us + k * far) for k in range(3)]
    network = events.compile(model, sample(), dense="never")
    expected = network(raster(joined(parts), 2 * 3005 + 5))
    stream = network.stream(dt_us=DT_US)
    given_out = [*map(stream.push, parts), stream.flush((2 * 3005 + 5) * DT_US)]
    assert torch.equal(together(given_out, expected.shape[1:], len(expected)), expected)
    assert vars(stream.report()) == vars(network.report())


def test_a_century_of_silence_takes_no_time() -> None:
    century_us = 100 * 365 * 24 * 3600 * 10**6
    stream = tiny().stream(dt_us=1, longest_gap_us=None)
    stream.push(at(5, century_us))
    assert stream.flush().t_us.tolist() == [century_us]
    assert stream.steps == century_us + 1
    late = tiny().stream(dt_us=1, longest_gap_us=None)
    assert late.push(at(0, 2**63 - 2, 2**63 - 1)).t_us.tolist() == [0, 2**63 - 2]
    assert late.flush().t_us.tolist() == [2**63 - 1]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_within_the_window_the_order_does_not_matter(data: st.DataObject) -> None:
    window_us = 3 * DT_US + 4
    times = sorted(data.draw(st.lists(st.integers(0, 300), max_size=40)))
    late = data.draw(st.permutations(range(len(times))))
    # an event comes when it has been delayed by less than the window
    order = sorted(
        range(len(times)), key=lambda k: (times[k] + late[k] * window_us // 40, times[k])
    )
    draws = np.random.default_rng(0)
    x = draws.integers(0, 3, len(times))
    given_events = Events(*(torch.tensor(np.array(c, np.int64)) for c in (times, x, 0 * x, 0 * x)))
    shuffled = Events(*(column[torch.tensor(order, dtype=torch.int64)] for column in given_events))
    network, steps = tiny(), 31
    stream = network.stream(dt_us=DT_US, window_us=window_us)
    cuts = data.draw(st.lists(st.integers(0, len(times)), max_size=4))
    given_out = [stream.push(part) for part in cut(shuffled, *cuts)]
    given_out.append(stream.flush(steps * DT_US))
    assert torch.equal(
        together(given_out, (3,), steps), network(raster(given_events, steps, (3,))[None])[0]
    )


def test_a_push_of_many_slices_is_one_push(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = streamed("integrate and fire"), recording(700, STEPS)
    network = events.compile(model, sample(), dense="never")
    whole = network.stream(dt_us=DT_US)
    expected = joined([whole.push(given), whole.flush()])
    monkeypatch.setattr(columns, "SLICE", 7)
    monkeypatch.setattr("picojoule.events.inputs.waiting._MOST", 5)
    sliced = network.stream(dt_us=DT_US)
    found = joined([sliced.push(given), sliced.flush()])
    assert all(map(torch.equal, found, expected))
    with pytest.raises(ValueError, match=r"x of event 699 is 6, expected 0 to 5: the sensor has"):
        network.stream(dt_us=DT_US).push(
            given._replace(x=torch.cat([given.x[:-1], torch.tensor([6])]))
        )
    fields = {"t": given.t_us, "x": given.x, "y": given.y, "p": given.p.double()}
    fields["p"][500] = torch.nan
    with pytest.raises(ValueError, match=r"EventStream.push: p of event 500 is nan"):
        network.stream(dt_us=DT_US).push(fields)


def test_none_one_and_all_at_one_time() -> None:
    stream = tiny().stream(dt_us=DT_US)
    assert [len(column) for column in stream.push(at())] == [0] * 4
    assert len(stream.push(at(7, x=2)).t_us) == 0
    assert len(stream.push(at(*[9] * 5000)).t_us) == 0
    assert len(stream.flush().x.unique()) == 2
    assert stream.steps == 1
    assert len(stream.flush().t_us) == 0


def test_streams_follow_one_another() -> None:
    """A spike has the time when its step begins, so that the next network has it in the same step."""
    first, second = streamed("integrate and fire"), nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 1 * 2, 3, bias=False), layers.IAFSqueeze(batch_size=1)
    )  # fmt: skip
    nn.init.constant_(second[1].weight, 0.25)
    given = recording(700, STEPS)
    both = events.compile(nn.Sequential(*first, *second), sample(), dense="never")
    expected = both(raster(given, STEPS))
    a = events.compile(first, sample(), dense="never").stream(dt_us=DT_US)
    b = events.compile(second, torch.zeros(4, 3, 1, 2), dense="never").stream(dt_us=DT_US)
    given_out = [b.push(a.push(part)) for part in cut(given, 50, 300)]
    given_out += [b.push(a.flush()), b.flush()]
    assert expected.any()
    assert torch.equal(together(given_out, (3,), STEPS), expected)


def test_an_error_changes_nothing() -> None:
    network = tiny()
    stream, other = network.stream(dt_us=DT_US), network.stream(dt_us=DT_US)
    good, bad, rest = at(0, 4, 25), at(26, 40, 39), at(26, 90)
    given_out = [stream.push(good)]
    with pytest.raises(
        ValueError,
        match=r"EventStream.push: t_us of event 2 is 39, after an event at 40, and times may not fall",
    ):
        stream.push(bad)
    given_out += [stream.push(rest), stream.flush()]
    expected = [other.push(good), other.push(rest), other.flush()]
    assert all(map(torch.equal, joined(given_out), joined(expected)))
    assert network.states() == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": [40, 40, -1]}, r"t_us of event 2 is -1, expected at least 20, where the next step"),
        ({"t": [40, 19, 41]}, r"t_us of event 1 is 19, expected at least 20"),
        ({"t": [24, 40, 41]}, r"t_us of event 0 is 24, after an event at 25"),
        ({"t": [25, 25 + 10**12, 41]}, r"t_us of event 1 is 1000000000025, more than longest_gap"),
        ({"x": [3, 0, 0]}, r"x of event 0 is 3, expected 0 to 2: .*\(1, 1, 3\). Nothing has run"),
        ({"x": [0, 0, -1]}, r"x of event 2 is -1, expected >= 0"),
        ({"y": [0, 1, 1]}, r"y of event 1 is 1, expected 0 to 0"),
        ({"p": [0, 0, 1]}, r"p of event 2 is 1, expected 0 to 0"),
        ({"x": [0, float("nan"), 0]}, r"x of event 1 is nan, expected a whole number"),
        ({"x": [0, 0]}, r"the columns differ in length \(t 3, x 2, y 3, p 3\)"),
        ({"x": [[0], [0], [0]]}, r"x has shape \(3, 1\), expected a number an event"),
        ({"x": ["a", "b", "c"]}, r"x is <U1, expected numbers"),
    ],
)
def test_the_first_bad_event_is_named(change: dict[str, list[float]], message: str) -> None:
    stream = tiny().stream(dt_us=DT_US)
    stream.push(at(0, 25))
    with pytest.raises((TypeError, ValueError), match=message):
        stream.push({**at(40, 40, 41), **change})
    assert stream.flush().t_us.tolist() == [20]


def test_a_stream_says_what_it_cannot_be() -> None:
    network = tiny()
    for options, message in (
        ({"dt_us": 0}, "dt_us is 0, expected 1"),
        ({"dt_us": 1, "window_us": -1}, "window_us is -1, expected 0"),
        ({"dt_us": 1, "start_us": 2**63}, "start_us is"),
        ({"dt_us": 1, "peak_by": "core"}, "by is 'core'"),
        ({"dt_us": 2, "peak_window_us": 3}, "1.5 steps"),
        ({"dt_us": 2, "time_unit": "h"}, "time_unit is 'h'"),
    ):
        with pytest.raises(ValueError, match=message):
            network.stream(**options)
    with pytest.raises(TypeError, match=r"dt_us is 0\.5, expected a whole number"):
        network.stream(dt_us=0.5)  # type: ignore[arg-type]
    tokens = nn.Sequential(nn.Linear(3, 2, bias=False), layers.IAF())
    with pytest.raises(ValueError, match=r"input has shape \(5, 3\) a step, and events have"):
        events.compile(tokens, torch.zeros(1, 4, 5, 3)).stream(dt_us=1)
    with pytest.raises(ValueError, match="until_us is 1000000000000, more than longest_gap_us"):
        network.stream(dt_us=1).flush(10**12)


# ---- values

ENDS: dict[str, Callable[[], list[nn.Module]]] = {
    "linear": lambda: [nn.Flatten(), nn.Linear(3 * 1 * 2, 4, bias=False)],
    "linear with a bias": lambda: [nn.Flatten(), nn.Linear(3 * 1 * 2, 4)],
    "exponential leak": lambda: [
        nn.Flatten(),
        nn.Linear(3 * 1 * 2, 4, bias=False),
        layers.ExpLeakSqueeze(tau_mem=HALVED, norm_input=False, batch_size=1),
    ],
    "sums of spikes": lambda: [layers.SumPool2d((1, 2))],
}


def analog(end: str) -> nn.Module:
    return on_grid(nn.Sequential(*streamed("integrate and fire"), *ENDS[end]()))


@pytest.mark.parametrize("dense", ["never", "always"])
@pytest.mark.parametrize("end", ENDS)
def test_values_are_the_raster_of_one_call(end: str, dense: events.Dense) -> None:
    model, given = analog(end), recording(700, STEPS)
    network = events.compile(model, sample(), dense=dense)
    expected = network(raster(given, STEPS))
    stream = network.stream(dt_us=DT_US)
    given_out = [stream.push(part) for part in cut(given, 1, 1, 2, 3, 300, 301, 650)]
    assert len(given_out[0]) == 0
    assert given_out[0].shape[1:] == expected.shape[1:]
    given_out.append(stream.flush(STEPS * DT_US))
    assert torch.equal(torch.cat(given_out), expected)
    assert expected.any()
    assert torch.equal(network.fresh().run_events(given, dt_us=DT_US, steps=STEPS)[0], expected)
    assert vars(stream.report()) == vars(network.report())


@pytest.mark.parametrize("end", ENDS)
def test_values_of_silent_steps_are_there_too(end: str) -> None:
    model, burst, far = analog(end), recording(60, 5), 3005 * DT_US
    parts = [burst._replace(t_us=burst.t_us + k * far) for k in range(2)]
    network = events.compile(model, sample(), dense="never")
    expected = network(raster(joined(parts), 3010))
    stream = network.stream(dt_us=DT_US)
    assert len(stream.flush()) == 0
    given_out = [*map(stream.push, parts), stream.flush(3008 * DT_US), stream.flush(3010 * DT_US)]
    assert torch.equal(torch.cat(given_out), expected)
    assert vars(stream.report()) == vars(network.report())
    stream.reset()
    assert torch.equal(stream.flush(50 * DT_US), network.fresh()(torch.zeros(50, *SIZE)))


def test_a_raster_that_does_not_fit_into_memory_is_refused_before_anything_runs() -> None:
    stream = events.compile(analog("linear"), sample()).stream(dt_us=1, longest_gap_us=None)
    for refused in (
        lambda: stream.push({"t": [0, 10**12], "x": [0, 0], "y": [0, 0], "p": [0, 0]}),
        lambda: stream.flush(10**12),
    ):
        with pytest.raises(
            ValueError,
            match=r"EventStream.\w+: .* take 14901.2 GiB.*flush\(until_us\).*Nothing has",
        ):
            refused()
    assert stream.steps == 0
    assert stream.flush(5).shape == (5, 4)


def test_a_reset_begins_anew() -> None:
    stream = events.compile(streamed("leak"), sample(), dense="never").stream(dt_us=DT_US)
    given = recording(300, STEPS)
    first = joined([stream.push(given), stream.flush()])
    stream.push(Events(*(c[:9] + (STEPS * DT_US if k == 0 else 0) for k, c in enumerate(given))))
    stream.reset()
    again = joined([stream.push(given), stream.flush()])
    assert all(map(torch.equal, first, again))


def test_a_structured_array_and_a_start() -> None:
    fields = [("y", "u2"), ("polarity", "?"), ("timestamp", "f8"), ("x", "u2")]
    given = np.array([(0, False, 1.00001, 1), (0, False, 1.5, 2)], fields)
    stream = tiny().stream(dt_us=DT_US, start_us=10**6, time_unit="s")
    out = joined([stream.push(given), stream.flush()])
    assert (out.t_us.tolist(), out.x.tolist()) == ([1000010, 1500000], [1, 2])
    assert stream.steps == 50001
    assert SIZE == (2, 5, 6)


def test_more_spikes_than_float32_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("picojoule.events.states._MOST_UNGATHERED", 0)
    network = tiny()
    for value in (2.0**24, 1.0, 1.0):
        network(torch.tensor([[[value, 0.0, 0.0]]]))
    spikes = network.report().rows[1].firing_rate
    assert spikes == (2**24 + 2) / 9  # a neuron and step
