"""The table of a bundle of synapses, which the kernels of both engines read."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from picojoule.events.kernels.tables import EdgePlaces
from picojoule.events.synapses import Synapses

_COLUMNS = "of", "first", "weight", "state"
_ARRAYS = (
    "weight_of",
    "state_of",
    "weights",
    "entry_first",
    "entry_state",
    "fan",
    "first_row",
    "row_flags",
)


def edge_places(synapses: Synapses, events: Mapping[str, int], synops: Tensor) -> EdgePlaces:
    """Where a kernel finds the synapses, the events that arrive and the counts.

    Args:
        synapses: they have to live as long as the table.
        events: addresses of the signal that arrives, and its capacity.
        synops: what was delivered is added up here, float64 `b t`.
    """
    outer = zip((*_COLUMNS, "row"), synapses.outer, strict=True)
    inner = zip((*_COLUMNS, "length"), synapses.inner, strict=True)
    arrays = {
        **{f"outer_{name}": array for name, array in outer},
        **{f"inner_{name}": array for name, array in inner},
        **{name: getattr(synapses, name) for name in _ARRAYS},
    }
    return EdgePlaces(
        kind=synapses.kind,
        width=synapses.width,
        rows_apart=synapses.apart[0],
        weights_apart=synapses.apart[1],
        fan_of_position=synapses.fan.shape[1],
        fan_of_channel=1,
        synops=synops.data_ptr(),
        **{name: array.ctypes.data for name, array in arrays.items()},
        **events,
    )
