"""The input: which number comes when, and how many events it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import integers
from picojoule.events.orders.kernels.tables import NETWORK
from picojoule.ops.cpu.inlined import inlined

MOST = np.float32(2**24)  # from here on float32 has gaps between whole numbers


@inlined
def events_of(x: Any) -> Any:
    """How many events, and the value of each.

    k of value sign(x) where |x| = k is whole;   one of value x otherwise
    """
    size = abs(x)
    if size == np.floor(size) and size < MOST:
        return np.int64(size), np.float32(np.sign(x))
    return np.int64(1), x


@inlined
def arriving(network: Any, t: Any, size: Any, place: Any) -> Any:
    """The neuron of the input, of `size`, whose events of step `t` come at that place."""
    if network[NETWORK.arrivals] == 0:
        return place
    return np.int64(integers(network[NETWORK.arrivals])[t * size + place])
