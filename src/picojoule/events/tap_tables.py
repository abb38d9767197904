"""Lists of taps as the arrays that kernels read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.axes import Tap

Ints = np.ndarray[Any, np.dtype[np.int32]]
Longs = np.ndarray[Any, np.dtype[np.int64]]
Apart = tuple[int, int]


def together(
    along: list[list[list[Tap]]], kernel: list[int], outputs: tuple[int, ...]
) -> list[list[Tap]]:
    """Several axes as one, the last running fastest."""
    together = [[Tap(0, 0)]]
    for axis, size, count in zip(along, kernel, outputs, strict=False):
        together = [
            [
                Tap(a.tap * size + b.tap, a.output * count + b.output)
                for a, b in itertools.product(first, second)
            ]
            for first, second in itertools.product(together, axis)
        ]
    return together


def table(rows: list[list[Any]], entry: Any) -> tuple[Ints, ...]:
    """Where the entries of each row begin, and three columns of entries."""
    first = np.cumsum([0, *map(len, rows)])
    entries = np.array([entry(item) for row in rows for item in row] or [(0, 0, 0)], np.int64)
    return (int32(first), *(int32(np.ascontiguousarray(column)) for column in entries.T))


def rows_of(outer: tuple[Ints, ...]) -> tuple[Ints, Longs]:
    """Of each outer place its lowest row, and a byte of 1 for each of its rows from there on; 0 for too many."""
    _, first, _, _, row = outer
    lowest, flags = np.zeros(len(first) - 1, np.int32), np.zeros(len(first) - 1, np.int64)
    for at, (begin, end) in enumerate(itertools.pairwise(first)):
        rows = row[begin:end]
        if len(rows) and rows.max() - rows.min() < 8:
            lowest[at] = rows.min()
            flags[at] = sum(1 << (8 * int(k)) for k in set(rows - rows.min()) if k < 8)
    return lowest, flags


def apart(outer: tuple[Ints, ...]) -> Apart:
    """How far apart the rows that an event reaches are: neurons and weights; (0, 0) if it differs, or there is but one."""
    _, first, weight, state, _ = outer
    inside = np.ones(max(len(state) - 1, 0), bool)
    inside[first[1:-1][(first[1:-1] > 0) & (first[1:-1] < len(state))] - 1] = False
    steps = {
        (int(s), int(w))
        for s, w in zip(np.diff(state)[inside], np.diff(weight)[inside], strict=True)
    }
    return steps.pop() if len(steps) == 1 else (0, 0)


def patches(
    outer: tuple[Ints, ...], inner: tuple[Ints, ...], lowest: Ints, flags: Longs, between: Apart
) -> tuple[Ints, Ints] | None:
    """Of each outer and inner place the one patch that an event there reaches; None where it is more, or not a row after the other.

    Args:
        outer: of, first, weight, state, row.
        inner: of, first, weight, state, length.
        lowest: as of `rows_of`.
        flags: the same.
        between: as of `apart`.

    Returns:
        `outer_patch` and `inner_patch` of `tables.EdgePlaces`.
    """
    rows, runs = np.diff(outer[1]), np.diff(inner[1])
    are_apart = between != (0, 0) or (len(rows) and rows.max() <= 1)
    if not are_apart or (len(runs) and runs.max() > 1) or bool((flags[rows > 0] == 0).any()):
        return None
    of_row, of_run = _first_entries(outer), _first_entries(inner)
    lengths = np.where(runs > 0, of_run(inner[4]), 0)
    none = np.zeros_like(lengths)
    return (
        int32(np.stack([rows, of_row(outer[3]), of_row(outer[2]), lowest], 1)),
        int32(np.stack([lengths, of_run(inner[3]), of_run(inner[2]), none], 1)),
    )


def _first_entries(places: tuple[Ints, ...]) -> Callable[[Ints], Ints]:
    """A function that gives of a column the first entry of each place; anything where it has none."""
    at = np.minimum(places[1][:-1], len(places[2]) - 1)
    return lambda column: column[at]


def counted(rows: list[list[Tap]], size: int) -> np.ndarray[Any, Any]:
    """How often each place meets each tap."""
    counts = np.zeros((len(rows), size))
    for at, row in enumerate(rows):
        for tap in row:
            counts[at, tap.tap] += 1
    return counts


def int32(values: np.ndarray[Any, Any]) -> Ints:
    """As kernels read it.

    Raises:
        NotImplementedError: a number is too large.
    """
    if values.size and int(values.max()) >= 2**31:
        raise NotImplementedError("events.compile: a layer has more than 2^31 weights or neurons.")
    return values.astype(np.int32)
