"""The parameters of a row of neurons and the sums of their gradients: a row of memory for each, read by name.

The names are the numbers of `ops/plan.py`; one more row, RATE, holds what a surrogate computes of a threshold
that stays.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.numbers import real_of
from picojoule.ops.cpu.rows import buffer_of
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.cpu.surrogates import surrogate_of
from picojoule.ops.plan import NONE, PARAMETERS, THRESHOLD, Plan

COUNT = RATE = len(PARAMETERS)
ZERO = np.float32(0)


def rows_of(plan: Plan) -> Any:
    """A function that gives memory for a row of each parameter, and RATE."""
    return buffer_of((COUNT + 1) * WIDEST, real_of(plan))


@functools.cache
def reader(shared: bool) -> Any:
    """`parameter(parameters, name, j)`: that of neuron `j` of the row, or the number that all share."""

    @inlined
    def own(rows: Any, name: Any, j: Any) -> Any:
        return rows[name * WIDEST + j]

    @inlined
    def common(numbers: Any, name: Any, j: Any) -> Any:
        return numbers[name]

    return common if shared else own


@inlined
def add_to(sums: Any, name: Any, j: Any, share: Any) -> None:
    """Add a step's share to the gradient of a parameter of neuron `j`."""
    sums[name * WIDEST + j] += share


@inlined
def constants(c: Any) -> Any:
    """The constants, read before anything is written."""
    return c[0], c[1], c[2], c[3], c[4], c[5], c[6]


def load_parameters(plan: Plan) -> Any:
    """What reads the parameters of a row of neurons from the matrix `rows n`, or `rows` if they are shared.

    It fills and gives the rows of those that a plan has; of shared ones it gives the numbers.
    """
    row_of = tuple(map(plan.row, PARAMETERS))

    @inlined
    def load_rows(p: Any, at: Any, N: Any, n: Any, rows: Any) -> Any:
        for name in range(COUNT):
            row = row_of[name]
            if row >= 0:
                for j in range(n):
                    rows[name * WIDEST + j] = p[row * N + at + j]
        return rows

    # one that is not read is any
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = (max(row, 0) for row in row_of)

    @inlined
    def load_numbers(p: Any, at: Any, N: Any, n: Any, rows: Any) -> Any:
        return p[r0], p[r1], p[r2], p[r3], p[r4], p[r5], p[r6], p[r7], p[r8]

    return load_numbers if plan.shared else load_rows


def load_rates(plan: Plan) -> Any:
    """What adds RATE to the parameters of a row, for a plan whose threshold stays."""
    rate_of, _ = surrogate_of(plan)
    stays = plan.spike != NONE and not plan.adaptive
    parameter = reader(plan.shared)

    @inlined
    def load_row(rows: Any, n: Any, c: Any) -> Any:
        if stays:
            for j in range(n):
                rows[RATE * WIDEST + j] = rate_of(parameter(rows, THRESHOLD, j), c)
        return rows

    @inlined
    def load_number(numbers: Any, n: Any, c: Any) -> Any:
        return (*numbers, rate_of(parameter(numbers, THRESHOLD, 0), c))

    return load_number if plan.shared else load_row


def start_sums(plan: Plan) -> Any:
    """What sets the sums to zero; for a stepped plan to those of the later steps."""
    row_of, num_rows = tuple(map(plan.row, PARAMETERS)), len(plan.parameters)
    trained, stepped = plan.trained, plan.stepped

    @inlined
    def start(gp: Any, sample: Any, at: Any, N: Any, n: Any, sums: Any) -> None:
        for name in range(COUNT if trained else 0):
            row = row_of[name]
            if row >= 0:
                of_sample = (sample * num_rows + row) * N + at
                for j in range(n):
                    sums[name * WIDEST + j] = gp[of_sample + j] if stepped else ZERO

    return start


def store_sums(plan: Plan) -> Any:
    """What writes the sums of the parameters that a plan has to `gp`, `b rows n`."""
    row_of, num_rows = tuple(map(plan.row, PARAMETERS)), len(plan.parameters)
    trained = plan.trained

    @inlined
    def store(sums: Any, sample: Any, at: Any, N: Any, n: Any, gp: Any) -> None:
        for name in range(COUNT if trained else 0):
            row = row_of[name]
            if row >= 0:
                of_sample = (sample * num_rows + row) * N + at
                for j in range(n):
                    gp[of_sample + j] = sums[name * WIDEST + j]

    return store
