"""A floor that a limit cannot afford, in a way that no formula tells beforehand."""

import pytest
import torch

import picojoule
from picojoule.budget import Budget, BudgetWarning, RateBound, SynopsLimit
from picojoule.budget.contest import Contest
from tests.budget.networks import network, train


class Called(torch.nn.Module):
    """Hides the network's structure, so that nothing can be proved of it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


def contested() -> tuple[Called, Budget]:
    model = Called()
    monitor = picojoule.Monitor(model).attach()
    limit = 0.05 * 60 * 40  # a twentieth of what neurons that fire in every step spend
    return model, Budget(
        monitor, synops_per_timestep={"network.2": limit}, min_rate={"network.1": 0.4}
    )


def test_the_limit_wins_the_floor_is_let_go_and_the_task_is_learned() -> None:
    model, budget = contested()
    with pytest.warns(BudgetWarning) as told:
        train(model, budget, steps=400)
    apart, let_go = (str(each.message) for each in told)
    assert "not together in any of 30 steps" in apart
    assert "was not reached with a multiplier of 100 against" in let_go
    assert budget.infeasible == {}  # nothing was proved
    (name,) = budget.not_reached
    assert name.startswith("min_rate")
    assert budget.multipliers[name] <= 0.0101
    assert [each.name for each in budget.violations()] == [name]
    assert not budget.met  # the floor is broken, and nobody said that it may be


def test_what_does_not_go_together_is_said_soon_with_what_would() -> None:
    """A spike of the 60 neurons meets 40 synapses: a mean rate of 1 spends 2400 SynOps a step."""
    model, budget = contested()
    with pytest.warns(BudgetWarning, match="not together in any of 30 steps") as told:
        train(model, budget, steps=40)
    (warning,) = told
    assert "such a floor spends about 960" in str(warning.message)  # 0.4 * 2400
    assert "lower the floor to 0.05." in str(warning.message)  # 120 / 2400


@pytest.mark.parametrize("rate", [0.04, 0.06])
def test_what_goes_together_is_not_said_to_be_apart(rate: float) -> None:
    """120 SynOps afford a rate of 0.05: a floor of 0.04 is below it, one of 0.06 above."""
    pair = {"f": RateBound(layer="1", bound=rate), "l": SynopsLimit(layers=("2",), bound=120.0)}
    contest, found = Contest(), {}
    for step in range(60):  # swings between both sides, never both kept
        now = torch.tensor(0.02 if step % 20 < 10 else 0.09)
        found = contest.see(pair, {"f": now, "l": 2400 * now}, {"l"})
    assert bool(found) is (rate == 0.06)


def test_a_limit_that_is_still_coming_down_is_no_contest() -> None:
    pair = {"f": RateBound(layer="1", bound=0.4), "l": SynopsLimit(layers=("2",), bound=120.0)}
    contest = Contest()
    for step in range(60):
        now = torch.tensor(0.02 + 0.001 * step)
        assert contest.see(pair, {"f": now, "l": 2400 * now}, set()) == {}


def test_where_rates_do_not_tell_what_is_spent_nothing_is_claimed() -> None:
    pair = {"f": RateBound(layer="1", bound=0.4), "l": SynopsLimit(layers=("2",), bound=120.0)}
    contest = Contest()
    random = torch.Generator().manual_seed(0)
    for _ in range(60):
        rate, spent = torch.rand((2,), generator=random)
        assert contest.see(pair, {"f": 0.3 * rate, "l": 200 + spent}, {"l"}) == {}


def test_a_resumed_budget_knows_what_was_given_up() -> None:
    model, budget = contested()
    with pytest.warns(BudgetWarning):
        train(model, budget, steps=250)
    (name,) = budget.not_reached
    again = contested()[1]
    again.load_state_dict(budget.state_dict())
    with pytest.warns(BudgetWarning, match="given up"):
        train(again._monitor.model, again, steps=1)
    assert list(again.not_reached) == [name]
    assert again.multipliers[name] <= 0.0101


@pytest.mark.parametrize("way", ["backward", "penalty"])
def test_what_does_not_go_together_is_known_at_once_after_a_resume(way: str) -> None:
    model, budget = contested()
    budget.not_reached = {"min_rate of 1": "not together"}
    pair = {"f": RateBound(layer="1", bound=0.4), "l": SynopsLimit(layers=("2",), bound=120.0)}
    seen = [
        {"f": torch.tensor(0.02 + 0.001 * n), "l": torch.tensor(50 + 2.4 * n)} for n in range(40)
    ]
    for averages in seen[:20]:
        budget._contest.see(pair, averages, {"l"})
    output = model(torch.ones(2, 4, 20)).mean()
    if way == "backward":
        budget._steered.backward(budget._all(), output.backward)
        budget._steered.step()
    else:
        budget.penalty()
    state = budget.state_dict()
    again = contested()[1]
    again.load_state_dict(state)
    assert again.not_reached == budget.not_reached
    assert again._contest.state_dict() == budget._contest.state_dict()
    results = [b._contest.see(pair, x, {"l"}) for x in seen[20:] for b in (budget, again)]
    assert results[::2] == results[1::2]
    assert "f" in results[-1]
    for old in (state, {n: each for n, each in state.items() if n != "beside"}):
        again.load_state_dict(old)
    assert again.not_reached == {}
