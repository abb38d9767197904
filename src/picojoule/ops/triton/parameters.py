"""What a call hands to the kernels beside its tensors: a plan, numbers, and where the tensors' rows are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.ops.plan import PARAMETERS, Plan

NUMBER, UNUSED = -1, -2


@dataclass(frozen=True)
class Rows:
    """Row of each of `plan.PARAMETERS` in the matrix `rows n`, or NUMBER, or UNUSED.

    A parameter that is the same number for all neurons is an argument of the kernel, not a tensor:
    it needs no memory, no copy to the device and no gradient.
    """

    of: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(row >= 0 for row in self.of)


@dataclass(frozen=True)
class Parameters:
    """The parameters of a call: tensors as `rows n`, numbers in the order of PARAMETERS, and which is which."""

    matrix: Tensor
    rows: tuple[int, ...]
    numbers: tuple[float, ...]


def parameters_of(plan: Plan, values: dict[str, Tensor | float | None], like: Tensor) -> Parameters:
    """Sort the values that a plan uses into numbers and tensors that broadcast over `*n`."""
    neurons = like.shape[2:]
    rows: list[int] = []
    numbers: list[float] = []
    tensors: list[Tensor] = []
    used = plan.parameters
    for name in PARAMETERS:
        value = values.get(name) if name in used else None
        if isinstance(value, Tensor):
            row, number = len(tensors), 0.0
            tensors.append(value.to(like.device, torch.float32).expand(neurons))
        else:
            row, number = (UNUSED, 0.0) if value is None else (NUMBER, float(value))
        rows.append(row)
        numbers.append(number)
    if tensors:
        matrix = torch.stack(tensors).reshape(len(tensors), neurons.numel())
    else:
        matrix = torch.empty((0, neurons.numel()), dtype=torch.float32, device=like.device)
    return Parameters(matrix, tuple(rows), tuple(numbers))
