"""The table of a bundle of synapses, which the kernels of both engines read."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from picojoule.events.kernels.tables import PATCH, EdgePlaces, PatternPlaces
from picojoule.events.patterns import Patterns
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
_PATTERN_ARRAYS = (
    "bits_at",
    "bits_add",
    "lookup_first",
    "lookup_codes",
    "lookup_sums",
    "sums",
)


def edge_places(
    synapses: Synapses, events: Mapping[str, int], synops: Tensor, patterns: int = 0, patterns_from: int = 0
) -> EdgePlaces:  # fmt: skip
    """Where a kernel finds the synapses, the events that arrive and the counts.

    Args:
        synapses: they have to live as long as the table.
        events: addresses of the signal that arrives, and its capacity.
        synops: what was delivered is added up here, float64 `b t`.
        patterns: address of a table of its sums of patterns; 0 for none.
        patterns_from: address of the number of spikes from which on these are taken.
    """
    outer = zip((*_COLUMNS, "row"), synapses.outer, strict=True)
    inner = zip((*_COLUMNS, "length"), synapses.inner, strict=True)
    arrays = {
        **{f"outer_{name}": array for name, array in outer},
        **{f"inner_{name}": array for name, array in inner},
        **{name: getattr(synapses, name) for name in _ARRAYS},
    }
    outer_patch, inner_patch = synapses.patches or (synapses.weight_of, synapses.weight_of)
    return EdgePlaces(
        kind=synapses.kind if synapses.patches is None else PATCH,
        outer_patch=outer_patch.ctypes.data,
        inner_patch=inner_patch.ctypes.data,
        width=synapses.width,
        rows_apart=synapses.apart[0],
        weights_apart=synapses.apart[1],
        fan_of_position=synapses.fan.shape[1],
        fan_of_channel=1,
        synops=synops.data_ptr(),
        patterns=patterns,
        patterns_from=patterns_from,
        **{name: array.ctypes.data for name, array in arrays.items()},
        **events,
    )


def pattern_places(patterns: Patterns, codes: Tensor) -> PatternPlaces:
    """Where a kernel finds sums of patterns.

    Args:
        patterns: they have to live as long as the table.
        codes: where the kernel works, int32 `b codes`.
    """
    return PatternPlaces(
        codes=codes.data_ptr(),
        num_codes=patterns.num_codes,
        row_codes=patterns.row_codes,
        places=patterns.places,
        outputs=patterns.outputs,
        pieces=patterns.pieces,
        bits=patterns.bits,
        **{name: getattr(patterns, name).ctypes.data for name in _PATTERN_ARRAYS},
    )
