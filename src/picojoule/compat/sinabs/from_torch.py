"""`from_model` as sinabs' callers expect it: networks with max pooling convert."""

from __future__ import annotations

from functools import wraps
from typing import Any

from picojoule import convert
from picojoule.convert import Network


@wraps(convert.from_model)
def from_model(*args: Any, **kwargs: Any) -> Network:
    """:func:`picojoule.from_model` with `max_pooling="spiking"`, unless told otherwise.

    sinabs leaves an `nn.MaxPool2d` as it is, so that it takes the maximum of each step's spikes, which is more
    than the largest rate; `max_pooling="each_step"` gives its numbers.
    """
    if kwargs.get("backend") == "exodus":  # whose layers are the same here
        kwargs["backend"] = "sinabs"
    return convert.from_model(*args, **{"max_pooling": "spiking", **kwargs})
