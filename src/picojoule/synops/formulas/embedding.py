"""Formulas of look-ups: an index is one spike, which reaches the row of its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from picojoule.synops.formulas.synapses import Count, Synapses
from picojoule.synops.magnitudes import Magnitudes, exact_dtype


def embedding(input: Tensor, weight: Tensor, *_more: Any, **_options: Any) -> list[Synapses]:
    """F.embedding: synapses of the rows that are looked up; that of `padding_idx` is looked up as any."""
    return _looked_up(input, weight, None)


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> list[Synapses]:  # fmt: skip
    """F.embedding_bag: of the rows that are added up: not that of `padding_idx`, nor those times 0."""
    left = None if padding_idx is None else input != padding_idx % len(weight)
    if per_sample_weights is not None:
        weighted = per_sample_weights.detach() != 0
        left = weighted if left is None else left & weighted
    return _looked_up(input, weight, left)


def _looked_up(input: Tensor, weight: Tensor, which: Tensor | None) -> list[Synapses]:
    def count(values: Sequence[Magnitudes | None]) -> Count:
        _, mask = values
        if mask is None:
            number = input.numel() if which is None else which.sum(dtype=exact_dtype(weight))
            return number * float(weight.shape[1])
        row_sums = mask.over([1])
        rows = row_sums[input] if which is None else row_sums[input[which]]
        return rows.sum(dtype=exact_dtype(row_sums))

    return [Synapses((input, weight), frozenset([1]), count, channel=None)]
