"""Which outputs a coordinate reaches along one axis, and through which tap of a kernel: the geometry of synapses.

Everything that moves events about acts on each axis by itself: poolings, borders, convolutions. So two short lists a
layer say where all its events go.
"""

from __future__ import annotations

from typing import NamedTuple

Places = list[list[int]]
"""Of each coordinate, those that it goes to."""


class Tap(NamedTuple):
    """One weight of a kernel along an axis, and the output that it leads to."""

    tap: int
    output: int


def same(size: int) -> Places:
    """Every coordinate stays.

    Example:
        >>> same(2)
        [[0], [1]]
    """
    return [[place] for place in range(size)]


def windows(size: int, kernel: int, stride: int, padding: int, outputs: int) -> Places:
    """The windows of a pooling that a coordinate is in.

    Example:
        >>> windows(4, kernel=2, stride=2, padding=0, outputs=2)
        [[0], [0], [1], [1]]
    """
    return [
        [o for o in range(outputs) if 0 <= place + padding - o * stride < kernel]
        for place in range(size)
    ]


def shifted(size: int, by: int, outputs: int) -> Places:
    """A border of zeros in front (`by` > 0), or coordinates cut off (`by` < 0).

    Example:
        >>> shifted(3, by=-1, outputs=2)
        [[], [0], [1]]
    """
    return [[place + by] if 0 <= place + by < outputs else [] for place in range(size)]


def through(first: Places, second: Places) -> Places:
    """One after the other.

    Example:
        >>> through([[0], [0, 1]], [[5], [6]])
        [[5], [5, 6]]
    """
    return [[end for middle in places for end in second[middle]] for places in first]


def taps(
    size: int, kernel: int, stride: int, padding: int, dilation: int, outputs: int
) -> list[list[Tap]]:
    """Of each coordinate, the taps of a convolution that it meets.

        output * stride = coordinate + padding - tap * dilation

    Example:
        >>> taps(3, kernel=2, stride=1, padding=0, dilation=1, outputs=2)[1]
        [Tap(tap=0, output=1), Tap(tap=1, output=0)]
    """
    met = [
        [(tap, place + padding - tap * dilation) for tap in range(kernel)] for place in range(size)
    ]
    return [
        [Tap(tap, at // stride) for tap, at in row if at % stride == 0 and 0 <= at // stride < outputs]
        for row in met
    ]  # fmt: skip


def transposed_taps(
    size: int, kernel: int, stride: int, padding: int, dilation: int, outputs: int
) -> list[list[Tap]]:
    """Of each coordinate, the taps of a transposed convolution that it meets.

        output = coordinate * stride - padding + tap * dilation

    Example:
        >>> transposed_taps(2, kernel=2, stride=2, padding=0, dilation=1, outputs=4)[1]
        [Tap(tap=0, output=2), Tap(tap=1, output=3)]
    """
    met = [
        [Tap(tap, place * stride - padding + tap * dilation) for tap in range(kernel)]
        for place in range(size)
    ]
    return [[tap for tap in row if 0 <= tap.output < outputs] for row in met]


def reached(places: Places, kernel: list[list[Tap]]) -> list[list[Tap]]:
    """The taps that a coordinate meets after it went elsewhere."""
    return [[tap for middle in row for tap in kernel[middle]] for row in places]


def order_of_taps(kernel: int, stride: int, dilation: int, is_transposed: bool) -> list[int]:
    """Taps in the order in which their outputs follow one another, so that they lie side by side in memory.

    Example:
        >>> order_of_taps(5, stride=2, dilation=1, is_transposed=False)
        [4, 2, 0, 3, 1]
    """
    if is_transposed:
        return list(range(kernel))
    step = stride // dilation if stride % dilation == 0 else 1
    return sorted(range(kernel), key=lambda tap: (tap % step, -tap))
