"""Whole recordings as the steps of a network's input."""

from __future__ import annotations

from typing import Any

from picojoule.events.inputs.arrivals import Arrivals
from picojoule.events.inputs.clock import LARGEST, Clock, Order
from picojoule.events.inputs.columns import Columns
from picojoule.events.inputs.rasters import RecordedRaster
from picojoule.events.inputs.sensor import Sensor
from picojoule.events.inputs.waiting import Recording
from picojoule.events.signals import Signal

MOST_STEPS = 2**24  # that a recording may have by itself: a time that is damaged makes more


def recorded_raster(
    given: Any, signal: Signal, clock: Clock, steps: int | None, time_unit: str | None, where: str
) -> tuple[RecordedRaster, int, int]:
    """Recordings, checked from the first event to the last, with their number and their steps.

    Args:
        given: events, or a list of events, a sample each.
        signal: the network's input.
        clock: the time steps.
        steps: how many; as many as the last event needs if None.
        time_unit: of the times, where nothing else says it.
        where: starts the message of an error.

    Raises:
        TypeError: what came is no events.
        ValueError: an event does not fit; the message names the first.
    """
    sensor = Sensor.of(signal.shape, where, "input")
    many = given if isinstance(given, list) else [given]
    end_us = LARGEST if steps is None else min(clock.begins(steps), LARGEST)
    recordings, last_step = [], -1
    for number, one in enumerate(many):
        name = f"{where}, sample {number}" if isinstance(given, list) else where
        arrivals = Arrivals(sensor, clock, Order(), name)
        columns = Columns(one, time_unit, name)
        newest_us = arrivals.check(columns, clock.start_us, clock.start_us, end_us)
        if len(columns):
            last_step = max(last_step, (newest_us - clock.start_us) // clock.dt_us)
        recordings.append(Recording(arrivals.places(columns), signal.neurons))
    if steps is not None and steps > MOST_STEPS:
        raise ValueError(
            f"{where}: steps is {steps:,}, expected at most {MOST_STEPS:,} in a call. Take longer steps, run several calls, which go "
            "on from one another, or a stream, which skips silence."
        )
    if steps is None and last_step >= MOST_STEPS:
        raise ValueError(
            f"{where}: the last event is in step {last_step} of {clock.dt_us} us. Is its time in microseconds? Pass "
            "start_us if the clock begins late, or steps, how many there are."
        )
    return RecordedRaster(recordings), len(many), last_step + 1 if steps is None else steps
