"""Synapses go by what they save; the Monitor confirms the limit, and masks stay."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as masks

import picojoule
from picojoule.budget import (
    Budget,
    EnergyLimit,
    SynopsLimit,
    make_prunable,
    prune,
)
from picojoule.budget.synapses import costs, prunable
from picojoule.energy import profile
from picojoule.layers import IAF
from tests.budget.networks import batch, network
from tests.budget.pruned import spent_after, watch

LIMIT = SynopsLimit(bound=1.0)


def spikes(*shape: int, rate: float = 0.4) -> torch.Tensor:
    return (torch.rand(shape) < rate).float()


def convolutions(groups: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, groups=groups), IAF(), nn.Conv1d(4, 6, 1, groups=groups)
    )


class OverTime(nn.Module):
    """Convolutions over the sites of each time step."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.first, self.neurons, self.last = convolutions(groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = x.shape[:2]
        x = self.neurons(self.first(x.flatten(0, 1)).unflatten(0, steps))
        return self.last(x.flatten(0, 1)).unflatten(0, steps)


def test_a_weight_costs_what_the_count_falls_by_without_it() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight[1, 2] = 0.0
    model, x = nn.Sequential(layer, IAF()), spikes(5, 6, 4) * torch.tensor([1.0, 0.0, 2.0, 1.0])
    with watch(model) as monitor:
        model(x)
    cost = costs(monitor, LIMIT, prunable(monitor, LIMIT, ()))["0"]
    full = monitor.synops["0"].item()
    for o in range(3):
        for i in range(4):
            kept = layer.weight[o, i].item()
            with torch.no_grad():
                layer.weight[o, i] = 0.0
            without = spent_after(model, x).synops["0"].item()
            with torch.no_grad():
                layer.weight[o, i] = kept
            assert cost[o, i].item() == pytest.approx(full - without, abs=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_costs_of_a_convolution_add_up_by_channel(groups: int) -> None:
    model, x = OverTime(groups), spikes(3, 5, 2, 9)
    with watch(model) as monitor:
        model(x)
    cost = costs(monitor, LIMIT, prunable(monitor, LIMIT, ()))
    for name in ("first", "last"):
        assert cost[name].sum().item() == pytest.approx(monitor.synops[name].item(), rel=1e-5)
    # a pointwise convolution has no border: each of its weights costs its channel's rate at all sites
    sites = 7 * monitor.rates["neurons"].mean(1).detach()
    inputs = sites.reshape(groups, 1, 4 // groups).expand(groups, 6 // groups, -1).reshape(6, -1)
    torch.testing.assert_close(cost["last"].squeeze(-1), inputs.to(cost["last"]))


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize(
    "limited", ["timestep", "sample", "second", "layer", "joules", "joules of MACs"]
)
def test_the_limit_is_kept(limited: str, share: float) -> None:
    model = network()
    x, _ = batch(torch.Generator().manual_seed(3))
    x = torch.rand_like(x) if limited == "joules of MACs" else x
    chip = profile("45nm-fp32" if limited == "joules of MACs" else "loihi")
    before = spent_after(model, x)
    synops = before.synops.total.item()
    bounds = {
        "timestep": SynopsLimit(bound=share * synops),
        "sample": SynopsLimit(bound=share * synops * 4, per="sample"),
        "second": SynopsLimit(bound=share * synops * 1e3, per="second", dt_s=1e-3),
        "layer": SynopsLimit(bound=share * before.synops["2"].item(), layers=("2",)),
    }
    joules = EnergyLimit(bound=1.0, profile=chip).read(before)
    # neurons times steps: nothing takes them away
    updates = 100 * 4 * (chip.neuron_update_j or 0.0)
    limit = bounds.get(limited) or EnergyLimit(
        bound=updates + share * (joules.value.item() - updates), profile=chip
    )
    with watch(model) as monitor:
        result = prune(monitor, lambda: model(x), limit)
    confirmed = limit.read(spent_after(model, x)).value.item()
    assert result.before == pytest.approx(limit.read(before).value.item())
    assert confirmed == pytest.approx(result.after)
    assert 0.8 * limit.bound < confirmed <= limit.bound
    assert result.kept == {
        name: (model[int(name)].weight != 0).float().mean().item() for name in result.kept
    }
    assert "0" not in result.kept if limited == "layer" else result.kept["0"] < 1


def test_what_is_kept_already_stays() -> None:
    model = network()
    with watch(model) as monitor:
        result = prune(monitor, lambda: model(spikes(2, 4, 20)), SynopsLimit(bound=1e9))
    assert set(result.kept.values()) == {1.0}
    assert result.before == result.after
    assert list(model.state_dict()) == list(network().state_dict())


def test_those_worth_least_for_their_cost_go_first() -> None:
    model = nn.Sequential(nn.Linear(3, 1, bias=False), IAF(), nn.Linear(1, 2, bias=False), IAF())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.5, 0.1]]))
        model[2].weight.copy_(torch.tensor([[0.3], [0.8]]))
    x = torch.tensor([[[1.0, 0.0, 0.0]] * 4 + [[0.0, 1.0, 0.0]] * 4])
    # rates 0.5, 0.5 and 0; the neuron fires at 0.75. Worth by cost is |w| by the layer's sum of |w| * cost,
    # which is 0.75 and 0.825: 1.33, 0.67, - and 0.36, 0.97. The silent third costs and saves nothing.
    with watch(model) as monitor:
        prune(monitor, lambda: model(x), SynopsLimit(bound=2.0), rounds=1)
        assert model[2].weight.flatten().tolist() == [0.0, pytest.approx(0.8)]
        assert bool(model[0].weight.all())
        prune(monitor, lambda: model(x), SynopsLimit(bound=1.3), rounds=1)
    # now 1.33, 0.67 and 1 / 0.75: the second goes, with what it drove; rates 0.5 and 0.5
    assert model[0].weight.flatten().tolist() == [1.0, 0.0, pytest.approx(0.1)]
    assert spent_after(model, x).synops.total.item() == 1.0


def test_taylor_takes_what_the_loss_does_not_need() -> None:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[5.0, 0.5]]))
    model = nn.Sequential(layer, IAF())
    x = torch.ones(1, 4, 2)
    with watch(model) as monitor:
        forward = lambda: model(x)  # noqa: E731
        with pytest.raises(ValueError, match="weight of layer '0' has none"):
            prune(monitor, forward, SynopsLimit(bound=1.0), score="taylor")
        layer.weight.grad = torch.tensor([[0.01, 1.0]])
        prune(monitor, forward, SynopsLimit(bound=1.0), score="taylor")
    assert layer.weight.tolist() == [[0.0, 0.5]]


def test_masks_survive_training_and_checkpoints() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(1)
    x, _ = batch(generator)
    with watch(model) as monitor:
        prune(
            monitor,
            lambda: model(x),
            SynopsLimit(bound=0.3 * spent_after(model, x).synops.total.item()),
        )
        gone = {name: model[int(name)].weight_mask == 0 for name in ("0", "2", "4")}
        before = model[2].weight.detach().clone()
        budget = Budget(monitor, max_rate=0.5)
        for _ in range(5):
            picojoule.reset_states(model)
            loss = model(x).square().mean() + budget.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            budget.step()
        picojoule.reset_states(model)
        with torch.no_grad():
            y = model(x)
    assert not torch.equal(model[2].weight, before)  # the same parameters went on to be trained
    assert all(bool((model[int(n)].weight[mask] == 0).all()) for n, mask in gone.items())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh = network(seed=7)
    make_prunable(fresh)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert all(bool((fresh[int(n)].weight_mask[mask] == 0).all()) for n, mask in gone.items())
    twin = copy.deepcopy(model)
    for name in ("0", "2", "4"):
        masks.remove(twin[int(name)], "weight")
    for same in (fresh, twin):
        picojoule.reset_states(same)
        with torch.no_grad():
            assert torch.equal(same(x), y)
    assert sorted(twin.state_dict()) == sorted(network().state_dict())


def test_an_optimizer_goes_on_from_a_checkpoint_of_a_pruned_model() -> None:
    """Its state is by the number of a parameter, so pruning must not move the weights behind the biases."""
    x = spikes(4, 4, 20)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        picojoule.reset_states(model)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    model = network()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    with watch(model) as monitor:
        prune(monitor, lambda: model(x), SynopsLimit(layers=("2", "4"), bound=20.0))
        step(model, optimizer)
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    fresh = network(seed=3)
    make_prunable(fresh, ["2", "4"])
    fresh.load_state_dict(model.state_dict())
    resumed = torch.optim.Adam(fresh.parameters(), lr=0.01)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each, its_optimizer in ((model, optimizer), (fresh, resumed)):
        step(each, its_optimizer)
    for name, value in fresh.named_parameters():
        assert torch.equal(value, model.get_parameter(name))


def test_masks_of_the_users_own_are_kept() -> None:
    model = network()
    masks.l1_unstructured(model[2], "weight", amount=0.5)
    own = model[2].weight_mask.clone()
    x = spikes(4, 4, 20)
    with watch(model) as monitor:
        prune(monitor, lambda: model(x), SynopsLimit(layers=("2",), bound=20.0))
    assert not model[2].weight[own == 0].any()
