"""Sums of tensors that come one by one: a stack now and then costs less than an addition for each."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.synops.magnitudes import exact_dtype

_AT_MOST = 32  # tensors that wait to be added up


class Gathered:
    """A sum of tensors of one shape and type.

    Example:
        >>> gathered = Gathered()
        >>> for number in (1.0, 2.0, 4.0):
        ...     gathered.add(torch.tensor([number, 0.0]))
        >>> gathered.sum
        tensor([7., 0.])
    """

    def __init__(self) -> None:
        self._waiting: list[Tensor] = []
        self._before: Tensor | None = None  # of those that do not wait any more, in float64
        self.calls = 0

    @property
    def shape(self) -> torch.Size:
        """That of each."""
        return self._waiting[-1].shape

    def add(self, x: Tensor) -> None:
        """One more."""
        self.calls += 1
        self._waiting.append(x)
        if len(self._waiting) > _AT_MOST:
            last = self._waiting.pop()
            self._before, self._waiting = self.exact_sum, [last]

    @property
    def sum(self) -> Tensor:
        """The sum of all there were, in their type; with their gradient, in whatever mode this is asked."""
        last = self._waiting[-1]
        return last if self.calls == 1 else self.exact_sum.to(last.dtype)

    @property
    def exact_sum(self) -> Tensor:
        """The same in float64, where there is one."""
        waiting, before = self._waiting, self._before
        with torch.enable_grad():
            added = torch.stack(waiting).sum(0, dtype=exact_dtype(waiting[0]))
            return added if before is None else before + added
