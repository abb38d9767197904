"""Formulas of look-ups: an index is one spike, which reaches the row of its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from picojoule.synops.formulas.synapses import Count, Synapses
from picojoule.synops.magnitudes import Magnitudes, exact_dtype


def embedding(input: Tensor, weight: Tensor, *_more: Any, **_options: Any) -> list[Synapses]:
    """F.embedding and F.embedding_bag: synapses of the rows that are looked up."""

    def count(values: Sequence[Magnitudes | None]) -> Count:
        _, mask = values
        if mask is None:
            return float(input.numel() * weight.shape[1])
        row_sums = mask.over([1])
        return row_sums[input].sum(dtype=exact_dtype(row_sums))

    return [Synapses((input, weight), frozenset([1]), count, channel=None)]
