"""Event-driven inference on the CPU: a trained network event by event, in time proportional to its SynOps.

:func:`compile` makes an :class:`EventNetwork` of a model of Picojoule's layers. It gives the model's spikes, counts
SynOps from the events that it delivers, and takes a dense product for a layer where that is quicker. :func:`gap` tells what
asynchronous execution and the limits of a chip change.
"""

from picojoule.events.asynchronous import AsynchronousNetwork
from picojoule.events.compiling import compile  # noqa: A004
from picojoule.events.gap import Gap, GapRow, gap
from picojoule.events.network import EventNetwork
from picojoule.events.orders import ChipLimits
from picojoule.events.peaks import SynOpsPeaks
from picojoule.events.stream import EventStream

__all__ = [
    "AsynchronousNetwork",
    "ChipLimits",
    "EventNetwork",
    "EventStream",
    "Gap",
    "GapRow",
    "SynOpsPeaks",
    "compile",
    "gap",
]
