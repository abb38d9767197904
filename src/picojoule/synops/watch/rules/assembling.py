"""Functions that put several tensors together."""

from __future__ import annotations

from dataclasses import replace

import torch

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import joined
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import has_map, together, uniform, unit_map


@rule("cat concat concatenate _chunk_cat stack hstack vstack dstack row_stack column_stack")
def assembled(call: FunctionCall) -> Result:
    """Tensors side by side, each of whose spikes keep their unit."""
    pieces = tensors(call.values)
    parts = [call.origins.of(x) for x in pieces]
    origin = joined(parts)
    if any(part.kind == "constant" for part in parts) and origin.kind == "dense":
        return uniform(together(call.origins, pieces))  # a buffer may hold spikes of before
    if any(part.kind != "spikes" for part in parts) or not (
        origin.kind == "dense" or any(map(has_map, parts))
    ):
        return uniform(origin)
    units = call.function(
        [unit_map(x, part) for x, part in zip(pieces, parts, strict=True)],
        *call.args[1:],
        **{name: x for name, x in call.kwargs.items() if name not in ("tensors", "out")},
    )
    return replace(joined(parts, product=True), unit=units)


@rule("block_diag cartesian_prod pad_sequence")
def assembled_with_zeros(call: FunctionCall) -> Result:
    """Tensors put together, with one number between them: all have to have one unit."""
    filling = call.given("sequences batch_first padding_value").get("padding_value", 0.0)
    number = 0.0 if isinstance(filling, torch.Tensor) else filling
    return uniform(together(call.origins, [*tensors(call.values), number]))
