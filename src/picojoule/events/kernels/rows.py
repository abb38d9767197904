"""Rows of weights onto rows of neurons: the loops in which the engine spends its time."""

from __future__ import annotations

import functools
from typing import Any

from numba import njit, types

from picojoule.events.kernels.arithmetic import Arithmetic
from picojoule.ops.cpu.inlined import contracted
from picojoule.ops.cpu.pipeline import DistinctArguments


def _rows_at_once(rows: int, arithmetic: Arithmetic) -> Any:
    """Adds as many rows of weights side by side: a loop that ends costs more than the vectors of a row."""
    lanes, add_one, add_vector = arithmetic.lanes, arithmetic.add, arithmetic.add_vector

    @contracted
    def add(
        target: Any, a: Any, apart: Any, weights: Any, b: Any, weights_apart: Any, length: Any, value: Any
    ) -> None:  # fmt: skip
        whole = length // lanes * lanes
        for j in range(0, whole, lanes):
            for k in range(rows):
                add_vector(target, a + k * apart + j, weights, b + k * weights_apart + j, value)
        for j in range(whole, length):
            for k in range(rows):
                add_one(target, a + k * apart + j, weights, b + k * weights_apart + j, value)

    return add


@functools.cache
def row_adders(arithmetic: Arithmetic) -> tuple[Any, Any]:
    """Adds one row of weights; adds `rows` of them onto as many rows of neurons, which lie `apart`."""
    one, two, three, four, five = (_rows_at_once(rows, arithmetic) for rows in range(1, 6))

    @contracted
    def add_rows(
        target: Any, a: Any, apart: Any, weights: Any, b: Any, weights_apart: Any, length: Any, value: Any, rows: Any
    ) -> None:  # fmt: skip
        while rows > 5:
            five(target, a, apart, weights, b, weights_apart, length, value)
            rows, a, b = rows - 5, a + 5 * apart, b + 5 * weights_apart
        if rows == 5:
            five(target, a, apart, weights, b, weights_apart, length, value)
        elif rows == 4:
            four(target, a, apart, weights, b, weights_apart, length, value)
        elif rows == 3:
            three(target, a, apart, weights, b, weights_apart, length, value)
        elif rows == 2:
            two(target, a, apart, weights, b, weights_apart, length, value)
        elif rows == 1:
            one(target, a, apart, weights, b, weights_apart, length, value)

    return one, add_rows


@functools.cache
def adding_all(arithmetic: Arithmetic) -> Any:
    """(N, potentials, others): adds as many others to the potentials, which they do not overlap."""
    plus, numbers = arithmetic.plus, types.CPointer(arithmetic.numbers)

    def add_all(N: Any, v: Any, others: Any) -> None:
        for j in range(N):
            v[j] = plus(v[j], others[j])

    return njit(
        types.void(types.int64, numbers, numbers),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments,
    )(add_all)  # fmt: skip
