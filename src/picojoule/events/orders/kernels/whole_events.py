"""How many events a number is, and which number of the input comes when."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import integers
from picojoule.events.orders.kernels.tables import NETWORK
from picojoule.ops.cpu.inlined import inlined


@inlined
def events_of(x: Any) -> Any:
    """How many events, and the value of each.

    k of value sign(x) where |x| = k is whole, `MOST_AT_ONCE` at most;   one of value x otherwise
    """
    size = abs(x)
    if size == np.floor(size):
        return np.int64(size), np.float32(np.sign(x))
    return np.int64(1), x


@inlined
def arriving(network: Any, t: Any, size: Any, place: Any) -> Any:
    """The neuron of the input, of `size`, whose events of step `t` come at that place."""
    if network[NETWORK.arrivals] == 0:
        return place
    return np.int64(integers(network[NETWORK.arrivals])[t * size + place])
