"""Whether events lie on the sensor that a file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]


def check_on_sensor(x: _Array, y: _Array, size: tuple[int, int], first: int, path: Path) -> None:
    """Raise ValueError if an event lies outside the sensor.

    Args:
        x: columns of some events.
        y: their rows.
        size: width and height of the sensor, as the file or its format says.
        first: number of the first of these events.
        path: the file.
    """
    for name, places, side in zip("xy", (x, y), size, strict=True):
        if len(places) and places.max() >= side:
            at = int((places >= side).argmax())
            raise ValueError(
                f"{path}: {name} of event {first + at} is {places[at]}, expected at most {side - 1} on a sensor of "
                f"{size[0]} x {size[1]}. The file is damaged; fetch it again."
            )
