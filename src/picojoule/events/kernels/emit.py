"""Writing down the events that a layer gives out."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.ops.cpu.inlined import inlined

BLOCK = 64  # neurons that are looked at together
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
def any_not_zero(values: Any, start: Any) -> Any:
    """Whether one of a block is not zero."""
    hot = np.int32(0)
    for q in range(BLOCK):
        hot |= np.int32(values[start + q] != ZERO)
    return hot != 0


@inlined
def write_values(
    output: Any,
    N: Any,
    channels: Any,
    fired: Any,
    at: Any,
    positions: Any,
    channel: Any,
    values: Any,
) -> Any:
    """An event for every value of a step that is not zero; returns how many there are now."""
    whole = N // BLOCK * BLOCK
    for start in range(0, N, BLOCK):
        if start == whole or any_not_zero(output, start):
            for j in range(start, min(start + BLOCK, N)):
                if output[j] != ZERO:
                    fired[j] += output[j]
                    write_event(j, output[j], channels, at, positions, channel, values)
                    at += 1
    return at
