"""What each constraint reads off a Monitor, against sums one can check by hand."""

import pytest
import torch
from torch import nn

import picojoule
from picojoule.budget import EnergyLimit, RateBound, SynopsLimit
from picojoule.budget.rate_bound import percentile_of
from picojoule.energy import EnergyProfile, profile
from picojoule.layers import IAF, IAFSqueeze
from tests.budget.networks import network


@pytest.fixture
def monitor() -> picojoule.Monitor:
    """60 inputs always on: 1200 SynOps a step in layer 0, 4 steps."""
    model = network()
    watching = picojoule.Monitor(model).attach()
    model(torch.ones(3, 4, 20))
    return watching


@pytest.mark.parametrize(
    ("options", "times"),
    [({}, 1), ({"per": "sample"}, 4), ({"per": "second", "dt_s": 1e-3}, 1000)],
)
def test_synops_in_their_unit(monitor, options, times: float) -> None:
    value, fixed, layers = SynopsLimit(layers=("0", "2"), bound=1.0, **options).read(monitor)
    assert value.item() == pytest.approx(times * (1200 + monitor.synops["2"].item()))
    assert fixed.item() == pytest.approx(times * 1200)
    assert layers == ("0",)


def test_joules_of_the_model_have_its_neurons_too(monitor) -> None:
    loihi = profile("loihi")
    spikes = monitor.synops.per_sample.total.item() * loihi.synop_j
    updates = 4 * (60 + 40) * loihi.neuron_update_j
    value, fixed, _ = EnergyLimit(bound=1.0, profile=loihi).read(monitor)
    assert value.item() == pytest.approx(spikes + updates)
    assert fixed.item() == pytest.approx(4 * 1200 * loihi.synop_j + updates)
    assert value.requires_grad
    alone = EnergyLimit(layers=("0",), bound=1.0, profile=loihi).read(monitor)
    assert alone.value.item() == pytest.approx(4 * 1200 * loihi.synop_j)


def test_macs_are_priced_where_there_is_a_price() -> None:
    mine = EnergyProfile(name="mine", synop_j=1e-12, mac_j=3e-12, source="made up")
    model = nn.Sequential(nn.Linear(4, 5), IAF(), nn.Linear(5, 2))
    monitor = picojoule.Monitor(model).attach()
    model(torch.full((1, 2, 4), 0.5))
    value = EnergyLimit(layers=("0",), bound=1.0, profile=mine).read(monitor).value
    assert value.item() == pytest.approx(2 * 4 * 5 * 3e-12)


def test_rates_of_layer_channel_and_neuron() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), IAFSqueeze(batch_size=1), nn.Flatten(), nn.Linear(8, 2)
    )
    model[0].weight.data = torch.tensor([1.0, 0.5]).reshape(2, 1, 1, 1)
    monitor = picojoule.Monitor(model).attach()
    image = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    model(image.expand(4, 1, 2, 2))  # 4 steps: rates 1 and 1/2 where the image is on
    of = {
        kind: RateBound(layer="1", bound=1.0, of=kind).read(monitor).value
        for kind in ("layer", "channel", "neuron")
    }
    assert of["layer"].item() == pytest.approx((3 * 1 + 3 * 0.5) / 8)
    assert of["channel"].tolist() == pytest.approx([3 / 4, 3 / 8])
    assert torch.equal(of["neuron"], torch.stack([image, image / 2]))
    half = RateBound(layer="1", bound=1.0, percentile=50).read(monitor).value
    assert half.item() == pytest.approx(0.5)


@pytest.mark.parametrize("percent", [0, 12.5, 50, 99, 100])
@pytest.mark.parametrize("count", [1, 2, 57])
def test_percentiles_are_those_of_pytorch(percent: float, count: int) -> None:
    rates = torch.rand(count, generator=torch.Generator().manual_seed(count)).requires_grad_()
    ours, theirs = percentile_of(rates, percent), torch.quantile(rates, percent / 100)
    torch.testing.assert_close(ours, theirs)
    slopes = [torch.autograd.grad(value, rates)[0] for value in (ours, theirs)]
    torch.testing.assert_close(*slopes)


def test_percentiles_of_more_neurons_than_pytorch_takes() -> None:
    assert percentile_of(torch.ones(2**24 + 1), 99).item() == 1.0


def test_violations_of_held_out_data_and_their_share(monitor) -> None:
    budget = picojoule.Budget(monitor, max_rate={"1": 0.4}, rate_of="neuron")
    rates = monitor.rates["1"]
    (found,) = budget.violations(monitor)
    assert found.value == rates.max().item()
    assert found.share == pytest.approx((rates > 0.4).float().mean().item())
    assert found.excess == pytest.approx(rates.max().item() / 0.4 - 1)
    assert not budget.met


def test_names_are_each_its_own(monitor) -> None:
    budget = picojoule.Budget(
        monitor,
        synops_per_timestep={"2": 1e6, "both": 1e6},
        synops_per_sample={"2": 1e6},
        groups={"both": ["2", "4"]},
        min_rate=1e-9,
        max_rate=100.0,
        constraints=[RateBound(layer="1", bound=1e-9, percentile=90)],
    )
    budget.penalty()
    assert set(budget.multipliers) == {
        "synops_per_timestep of 2",
        "synops_per_timestep of both",
        "synops_per_sample of 2",
        "min_rate of 1",
        "min_rate of 3",
        "max_rate of 1",
        "max_rate of 3",
        "min_rate of percentile 90 of 1",
    }


def test_several_penalties_before_a_step_are_one_batch() -> None:
    model = network()
    monitor = picojoule.Monitor(model).attach()
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 1e6}, tighten=1.0)
    spent = []
    for share in (0.5, 1.0):
        picojoule.reset_states(model)
        model((torch.arange(20) < share * 20).float().expand(3, 4, 20))
        budget.penalty()
        spent.append(monitor.synops["2"].item())
    budget.step()
    average = budget.state_dict()["synops_per_timestep of 2"]["average"].item()
    kept = picojoule.budget.Controller().decay
    assert average == pytest.approx(kept * spent[0] + (1 - kept) * sum(spent) / 2)


def test_without_gradients_it_only_measures(monitor) -> None:
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 1e-3}, tighten=1.0)
    with torch.no_grad():
        assert budget.penalty().item() > 0
    assert budget.multipliers == {}
    with pytest.raises(RuntimeError, match="penalty"):
        budget.step()
