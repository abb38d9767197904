"""Writing down the events that a layer gives out."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.vectors import BLOCK, any_differs
from picojoule.ops.cpu.inlined import inlined

ZERO = np.float32(0)


@inlined
def write_event(
    index: Any, value: Any, channels: Any, at: Any, positions: Any, channel: Any, values: Any
) -> None:
    """Event number `at`: the neuron `index` of the stage gives out `value`."""
    positions[at] = index // channels
    channel[at] = index % channels
    values[at] = value


@inlined
def write_values(
    output: Any,
    size: Any,
    channels: Any,
    fired: Any,
    at: Any,
    positions: Any,
    channel: Any,
    values: Any,
) -> Any:
    """An event for every value of a step that is not zero; returns how many there are now."""
    whole = size // BLOCK * BLOCK
    for start in range(0, size, BLOCK):
        if start == whole or any_differs(output, start, ZERO) != 0:
            for j in range(start, min(start + BLOCK, size)):
                if output[j] != ZERO:
                    fired[j] += output[j]
                    write_event(j, output[j], channels, at, positions, channel, values)
                    at += 1
    return at
