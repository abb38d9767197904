"""Each published penalty against numbers worked out by hand, and the sum of them as a Regulator."""

import math

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget import (
    SSP,
    Budget,
    FanOutWeighted,
    FixedPenalties,
    Hoyer,
    L1Rates,
    L2Rates,
    RateShortfall,
    Regulator,
    SynopsExcess,
)
from picojoule.layers import IAF
from picojoule.synops.counts import Counts, Rates
from picojoule.synops.watch.ledger import Rate
from tests.budget.networks import network, train

SPENT = {"0": 700.0, "2": 30.0, "4": 12.0}  # SynOps per time step; "0" has a given input
DENSE = {"0": 700.0, "2": 60.0, "4": 20.0}
RATES = {"1": [0.0, 0.5, 0.5, 1.0], "3": [0.2, 0.0]}
TERMS = [
    (SynopsExcess(10.0), 2.0**2 + 0.2**2),
    (SynopsExcess(12.5, margin=0.2), 2.0**2 + 0.2**2),
    (SynopsExcess(10.0, layers=("4",)), 0.2**2),
    (RateShortfall(0.5), 1 / 4 + (0.6**2 + 1) / 2),
    (RateShortfall(0.5, layers=("1",)), 1 / 4),
    (L1Rates(), 2.2 / 6),
    (L1Rates(layers=("3",)), 0.1),
    (L2Rates(), (0.25 + 0.25 + 1 + 0.04) / 6),
    (Hoyer(), (2.0**2 / 1.5 / 4 + 1 / 2) / 2),
    (FanOutWeighted(), 42 / 80),
    (FanOutWeighted(order=2), (42 / 80) ** 2),
    (FanOutWeighted(unit=1.0), 42.0),
    (FanOutWeighted(order=2, unit=10.0, layers=("2",)), 9.0),
    (SSP(), 42 / 80),
    (SSP(p=2.0), (60 * 0.5**2 + 20 * 0.6**2) / 2 / 80),
]


class Seen:
    """What a Monitor may have seen."""

    def __init__(self, synops: dict[str, Tensor], rates: dict[str, Tensor]) -> None:
        self.synops = Counts(synops, sample_steps=1, num_timesteps=1)
        self.dense = Counts(DENSE, sample_steps=1, num_timesteps=1)
        self.rates = Rates({name: Rate(rate, 1) for name, rate in rates.items()})


def seen(synops: dict[str, float] = SPENT, rates: dict[str, list[float]] = RATES) -> Seen:
    return Seen(
        {name: torch.tensor(n, requires_grad=name != "0") for name, n in synops.items()},
        {name: torch.tensor(rate, requires_grad=True) for name, rate in rates.items()},
    )


@pytest.mark.parametrize(("term", "by_hand"), TERMS, ids=lambda x: repr(x)[:40])
def test_values_worked_out_by_hand(term, by_hand: float) -> None:
    assert term(seen()).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("term", [term for term, _ in TERMS], ids=repr)
def test_gradients_equal_finite_differences(term) -> None:
    def penalty(second: Tensor, third: Tensor, one: Tensor, two: Tensor) -> Tensor:
        counts = {"0": torch.tensor(700.0), "2": second, "4": third}
        return term(Seen(counts, {"1": one, "3": two}))

    # away from the corners of hinges and of |rate|; counts are handed out in float32
    at = [torch.tensor(x, requires_grad=True) for x in (30.0, 12.0, [0.1, 0.4, 0.6], [0.2, 0.9])]
    gradients = torch.autograd.grad(penalty(*at), at, allow_unused=True)
    for k, (x, gradient) in enumerate(zip(at, gradients, strict=True)):
        for i in range(x.numel()):
            ends = []
            for sign in (1, -1):
                moved = [y.detach().clone() for y in at]
                moved[k].view(-1)[i] += sign * 1e-2 * moved[k].view(-1)[i]
                ends.append(penalty(*(y.requires_grad_() for y in moved)).item())
            slope = (ends[0] - ends[1]) / (2e-2 * x.detach().view(-1)[i].item())
            found = 0.0 if gradient is None else gradient.view(-1)[i].item()
            assert found == pytest.approx(slope, rel=2e-2, abs=1e-4)


def test_a_silent_layer_is_no_division_by_zero() -> None:
    rates = torch.zeros(4, requires_grad=True)
    for term in (Hoyer(), L1Rates(), L2Rates()):
        value = term(Seen({}, {"1": rates}))
        (gradient,) = torch.autograd.grad(value, rates)
        assert value.item() == 0.0
        assert gradient.eq(0).all()
    silent = seen(synops={"0": 0.0, "2": 0.0, "4": 0.0})
    assert SSP()(silent).item() == SSP(p=2.0)(silent).item() == FanOutWeighted()(silent).item() == 0


def test_what_training_cannot_change_is_left_out() -> None:
    given = seen(synops={"0": 700.0})
    for term in (SynopsExcess(1.0), FanOutWeighted(), FanOutWeighted(unit=1.0), SSP(), SSP(p=3.0)):
        assert term(given).item() == 0.0


def test_a_monitor_without_spiking_layers() -> None:
    for term in (L1Rates(), L2Rates(), Hoyer(), RateShortfall(0.1)):
        assert term(Seen({}, {})).item() == 0.0


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (SynopsExcess(1.0, layers=("44",)), "SynopsExcess: the model has no counted layer '44'. Did you mean '4'?"),
        (SSP(layers=("1",)), "SSP: the model has no counted layer '1'"),
        (FanOutWeighted(layers=("x2",)), "Did you mean '2'"),
        (L1Rates(layers=("2",)), "L1Rates: the model has no spiking layer '2'"),
        (L2Rates(layers=("33",)), "Did you mean '3'"),
        (Hoyer(layers=("0",)), "Hoyer: the model has no spiking layer"),
        (RateShortfall(1.0, layers=("0",)), "RateShortfall: the model has no spiking layer"),
    ],
    ids=repr,
)  # fmt: skip
def test_unknown_names(term, message: str) -> None:
    with pytest.raises(ValueError, match="the model has no") as error:
        term(seen())
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SynopsExcess(0.0), "SynopsExcess: the target is 0.0"),
        (lambda: SynopsExcess(1.0, margin=1.0), "margin is 1.0"),
        (lambda: RateShortfall(-1.0), "RateShortfall: the target is -1.0"),
        (lambda: FanOutWeighted(order=3), "order is 3; choose 1 or 2"),
        (lambda: FanOutWeighted(unit=math.nan), "FanOutWeighted: the target is nan"),
        (lambda: SSP(p=0.5), "p is 0.5"),
        (lambda: FixedPenalties(None, {}), "there is no term"),
        (lambda: FixedPenalties(None, {SSP(): -0.1}), r"weight of SSP\(p=1.0, layers=\(\)\) is -0.1"),
        (lambda: FixedPenalties(None, {SSP(): math.nan}), "is nan, expected a finite number >= 0"),
    ],
)  # fmt: skip
def test_settings_out_of_range(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_and_terms_the_wrong_way_round() -> None:
    with pytest.raises(TypeError, match=r"0\.1 is no term"):
        FixedPenalties(seen(), {0.1: 1.0})


def test_terms_in_a_list() -> None:
    with pytest.raises(
        TypeError, match=r"terms is of type list, expected a dict of weights by term"
    ):
        FixedPenalties(seen(), [(L1Rates(), 0.1)])


def test_the_sum_is_weighted() -> None:
    penalties = FixedPenalties(seen(), {L1Rates(): 3.0, SSP(): 0.5, Hoyer(): 0.0})
    assert penalties.penalty().item() == pytest.approx(3 * 2.2 / 6 + 0.5 * 42 / 80)


def test_a_penalty_that_is_not_finite_names_the_term() -> None:
    broken = seen(rates={"1": [math.nan, 0.5]})
    with pytest.raises(
        FloatingPointError, match=r"FixedPenalties: .* nan, from L2Rates\("
    ) as error:
        FixedPenalties(broken, {L2Rates(): 1.0, SSP(): 1.0}).penalty()
    assert "SSP" not in str(error.value)


def test_both_are_regulators() -> None:
    model = network()
    monitor = picojoule.Monitor(model).attach()
    fixed: Regulator = FixedPenalties(monitor, {SSP(): 1.0})
    budget: Regulator = Budget(monitor, synops_per_timestep={"2": 1.0})
    for regulator in (fixed, budget):
        assert isinstance(regulator, Regulator)
        picojoule.reset_states(model)
        model(torch.ones(2, 4, 20))
        regulator.penalty().backward()
        regulator.step()
        regulator.load_state_dict(regulator.state_dict())
    with pytest.raises(ValueError, match="fixed penalties have no state"):
        fixed.load_state_dict(budget.state_dict())
    assert fixed.state_dict() == {}


def test_real_counts_of_a_layer_with_a_known_rate() -> None:
    model = nn.Sequential(nn.Linear(1, 2, bias=False), IAF(), nn.Linear(2, 6))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.5], [0.25]]))
    with picojoule.Monitor(model) as monitor:
        model(torch.ones(3, 8, 1))
    # the input's ones are spikes, but given; rates 0.5 and 0.25 reach 6 synapses each
    assert SSP()(monitor).item() == pytest.approx(0.75 * 6 / 12)
    assert FanOutWeighted(unit=1.0)(monitor).item() == pytest.approx(4.5)
    assert L1Rates()(monitor).item() == pytest.approx(0.375)
    assert Hoyer()(monitor).item() == pytest.approx(0.75**2 / (0.25 + 0.0625) / 2)


@pytest.mark.parametrize("term", [L1Rates(), L2Rates(), FanOutWeighted(), SSP(), SynopsExcess(5.0)])
def test_training_with_a_penalty_spends_less(term) -> None:
    def spent(weight: float) -> float:
        model = network()
        monitor = picojoule.Monitor(model).attach()
        train(model, FixedPenalties(monitor, {term: weight}), steps=40)
        return (monitor.synops["2"] + monitor.synops["4"]).item()

    assert spent(3.0) < 0.8 * spent(0.0)
