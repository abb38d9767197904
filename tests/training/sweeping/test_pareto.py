"""Who dominates whom."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picojoule.training import cheapest_within, hypervolume, pareto_front

few = st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf, math.nan])
NETWORKS = st.lists(st.tuples(few, few), max_size=6)


@given(NETWORKS)
def test_the_front_is_what_nothing_dominates(networks: list[tuple[float, float]]) -> None:
    known = [i for i, pair in enumerate(networks) if not any(map(math.isnan, pair))]

    def dominated(i: int) -> bool:
        cost, accuracy = networks[i]
        return any(
            networks[j] != networks[i] and networks[j][0] <= cost and networks[j][1] >= accuracy
            for j in known
        )

    front = pareto_front([c for c, _ in networks], [a for _, a in networks])
    assert sorted(front) == [i for i in known if not dominated(i)]
    assert [networks[i][0] for i in front] == sorted(networks[i][0] for i in front)


def test_equal_networks_are_all_on_the_front_or_none_is() -> None:
    assert pareto_front([1, 1, 2], [0.5, 0.5, 0.9]) == [0, 1, 2]
    assert pareto_front([1, 1, 0.5], [0.5, 0.5, 0.9]) == [2]
    assert pareto_front([1, 1], [0.5, 0.6]) == [1]
    assert pareto_front([1, 2], [0.5, 0.5]) == [0]


def test_a_network_without_a_figure_counts_for_nothing() -> None:
    nan = math.nan
    assert pareto_front([nan, 2.0, 1.0], [0.9, 0.8, nan]) == [1]
    assert pareto_front([], []) == []
    assert cheapest_within([1.0, 2.0], [nan, 0.8], 0.1) == 1
    assert cheapest_within([1.0], [nan], 0.1) is None


def test_the_cheapest_within_a_margin_of_the_best() -> None:
    costs, accuracies = [4.0, 2.0, 1.0], [0.95, 0.94, 0.80]
    assert cheapest_within(costs, accuracies, 0.0) == 0
    assert cheapest_within(costs, accuracies, 0.01) == 1  # 0.95 - 0.94 > 0.01 in floating point
    assert cheapest_within(costs, accuracies, 0.009) == 0
    assert cheapest_within(costs, accuracies, 1.0) == 2


def test_of_equally_cheap_ones_the_most_accurate_then_the_first() -> None:
    assert cheapest_within([1.0, 1.0, 2.0], [0.90, 0.91, 0.92], 0.05) == 1
    assert cheapest_within([1.0, 1.0], [0.9, 0.9], 0.05) == 0


@pytest.mark.parametrize("margin", [-0.1, math.nan])
def test_a_margin_is_no_less_than_zero(margin: float) -> None:
    with pytest.raises(ValueError, match=f"margin is {margin}"):
        cheapest_within([1.0], [1.0], margin)


def test_each_network_has_a_cost_and_an_accuracy() -> None:
    with pytest.raises(ValueError, match="2 costs and 1 accuracies"):
        pareto_front([1.0, 2.0], [0.5])


GRID = st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=6)


@given(GRID, st.integers(0, 5), st.integers(0, 5))
def test_the_hypervolume_is_the_count_of_dominated_squares(
    networks: list[tuple[int, int]], most: int, least: int
) -> None:
    squares = [
        (x, y)
        for x in range(-1, most)
        for y in range(least, 7)
        if any(cost <= x and accuracy >= y + 1 for cost, accuracy in networks)
    ]
    found = hypervolume([c for c, _ in networks], [a for _, a in networks], (most, least))
    assert found == len(squares)


def test_a_hypervolume_needs_a_corner() -> None:
    assert hypervolume([], [], (1.0, 0.0)) == 0
    assert hypervolume([0.0], [math.nan], (1.0, 0.0)) == 0
    for corner in ((math.inf, 0.0), (1.0, math.nan)):
        with pytest.raises(ValueError, match="expected two finite numbers"):
            hypervolume([0.0], [0.5], corner)
