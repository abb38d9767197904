"""A sum pooling with a border of zeros, which NIR's has and ours has not."""

from __future__ import annotations

from torch import nn

from picojoule.layers import SumPool2d


class PaddedSumPool2d(nn.Sequential):
    """Zeros around the input, then sums of windows.

    Args:
        pool: the pooling.
        padding: rows above and below, columns to the left and right.
    """

    def __init__(self, pool: SumPool2d, padding: tuple[int, int]) -> None:
        height, width = padding
        super().__init__(nn.ZeroPad2d((width, width, height, height)), pool)

    @property
    def pool(self) -> SumPool2d:
        """The pooling."""
        pool: SumPool2d = self[1]  # type: ignore[assignment]
        return pool

    @property
    def zeros(self) -> tuple[int, int]:
        """Rows above and below, columns to the left and right."""
        _, width, height, _ = self[0].padding  # type: ignore[misc]
        return height, width
