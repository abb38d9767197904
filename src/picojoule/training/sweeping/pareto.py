"""Which networks are worth having: none other is both cheaper and better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_ROUNDING = 1e-9  # 0.95 - 0.94 is a little more than 0.01


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """The indices that nothing dominates, from the cheapest up.

    One dominates another if it costs no more and is no worse, and differs in one of the two. Equal ones
    are all on the front or none is; one with a NaN never is.

    Args:
        costs: what each spends; less is better.
        accuracies: of each; more is better.

    Raises:
        ValueError: there are not as many of one as of the other.

    Example:
        >>> pareto_front([3.0, 1.0, 2.0, 2.0], [0.9, 0.7, 0.8, 0.6])
        [1, 2, 0]
    """
    ordered = _cheapest_first(costs, accuracies)
    front = ordered[:1]
    for index in ordered[1:]:
        last = front[-1]
        equal = (costs[index], accuracies[index]) == (costs[last], accuracies[last])
        if equal or accuracies[index] > accuracies[last]:
            front.append(index)
    return front


def cheapest_within(
    costs: Sequence[float], accuracies: Sequence[float], margin: float
) -> int | None:
    """The index of the cheapest that is at most `margin` less accurate than the best.

    Of equally cheap ones the most accurate, of equal ones the first. None if there is nothing without NaN.

    Args:
        costs: what each spends.
        accuracies: of each.
        margin: in the unit of the accuracies, >= 0.

    Raises:
        ValueError: `margin` is negative, or there are not as many costs as accuracies.

    Example:
        >>> cheapest_within([3.0, 1.0, 2.0], [0.95, 0.90, 0.94], margin=0.01)
        2
    """
    if not margin >= 0:
        raise ValueError(f"cheapest_within: margin is {margin}, expected a number >= 0.")
    ordered = _cheapest_first(costs, accuracies)
    if not ordered:
        return None
    enough = max(accuracies[index] for index in ordered) - margin - _ROUNDING
    return next(index for index in ordered if accuracies[index] >= enough)


def hypervolume(
    costs: Sequence[float], accuracies: Sequence[float], reference: tuple[float, float]
) -> float:
    """The area between a reference and the front: what (cost, accuracy) lies behind at least one of the points.

    Exact, by a sweep over the front from the cheapest up: each point holds its accuracy up to the next one's cost.
    Points that cost as much as the reference or more, or are no better, add nothing.

    Args:
        costs: what each spends, in whatever scale the area shall be.
        accuracies: of each.
        reference: cost and accuracy of the corner.

    Raises:
        ValueError: there are not as many of one as of the other, or the reference is not finite.

    Example:
        >>> hypervolume([1.0, 3.0, 2.0], [0.5, 0.75, 0.25], (4.0, 0.25))  # 2 * 0.25 + 1 * 0.5
        1.0
    """
    most, least = reference
    if not math.isfinite(most + least):
        raise ValueError(f"hypervolume: the reference is {reference}, expected two finite numbers.")
    front = [(costs[index], accuracies[index]) for index in pareto_front(costs, accuracies)]
    inside = [(cost, accuracy) for cost, accuracy in front if cost < most and accuracy > least]
    corners = [*inside, (most, least)]
    return math.fsum(
        (end - cost) * (accuracy - least) for (cost, accuracy), (end, _) in pairwise(corners)
    )


def _cheapest_first(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    if len(costs) != len(accuracies):
        raise ValueError(
            f"there are {len(costs)} costs and {len(accuracies)} accuracies, expected as many of one as of the other."
        )
    known = [i for i in range(len(costs)) if not math.isnan(costs[i] + accuracies[i])]
    return sorted(known, key=lambda index: (costs[index], -accuracies[index]))
