"""Events that come in: all are checked before the first of them runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from picojoule.events.inputs.clock import Clock, Order
from picojoule.events.inputs.columns import Columns, Ints, Slice
from picojoule.events.inputs.sensor import Fault, Sensor


@dataclass(frozen=True)
class Arrivals:
    """How events become neurons and steps.

    Args:
        sensor: where they may be.
        clock: the time steps.
        order: the times that may follow one another.
        where: starts the message of an error.
    """

    sensor: Sensor
    clock: Clock
    order: Order
    where: str

    def check(
        self, columns: Columns, newest_us: int, earliest_us: int, end_us: int | None = None
    ) -> int:
        """Look at all events, and say which time is the largest so far.

        Args:
            columns: the events.
            newest_us: the largest time before these.
            earliest_us: the time up to which all has run.
            end_us: the time before which all events have to lie.

        Raises:
            ValueError: an event lies outside the sensor, or its time may not follow; the message names the first such
                event.
        """
        for part in columns:
            faults = self.sensor.faults(part)
            faults += self.order.faults(part.t_us, newest_us, earliest_us)
            if end_us is not None and len(part.t_us) and part.t_us.max() >= end_us:
                faults.append(
                    Fault(
                        "t_us",
                        part.t_us >= end_us,
                        f"expected less than {end_us}, where the last step ends",
                    )
                )
            if faults:
                raise self._error(part, faults, newest_us)
            newest_us = int(part.t_us.max(initial=newest_us))
        return newest_us

    def _error(self, part: Slice, faults: list[Fault], newest_us: int) -> ValueError:
        """Of the first event that is not as it should be."""
        fault = min(faults, key=lambda fault: int(fault.is_faulty.argmax()))
        at = int(fault.is_faulty.argmax())
        newest = int(part.t_us[:at].max(initial=newest_us))
        found = int(getattr(part, fault.field)[at])
        expected = fault.expected.format(newest=newest)
        return ValueError(
            f"{self.where}: {fault.field} of event {part.first + at} is {found}, {expected}. Nothing has run."
        )

    def places(self, columns: Columns) -> Iterator[tuple[Ints, Ints, int]]:
        """Slice by slice: the step and the neuron of each event, which were checked, and the largest time in it."""
        for part in columns:
            if len(part.t_us):
                yield self.clock.step(part.t_us), self.sensor.neuron_of(part), int(part.t_us.max())
