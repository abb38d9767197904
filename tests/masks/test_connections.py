"""Connections go on a schedule, the smallest first, and the same ones each time."""

import copy

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget.connections import Connections
from picojoule.budget.density import can_lose_connections, density
from picojoule.layers import IAF
from tests.budget.pruned import spent_after


def linear(weight: list[list[float]]) -> nn.Sequential:
    layer = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return nn.Sequential(layer)


def nonzero(layer: nn.Module) -> int:
    return int((layer.weight != 0).sum())


def pooled() -> nn.Sequential:
    """Two convolutions, a BatchNorm, a pooling and a linear layer that reads 4 sites a channel."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        picojoule.layers.IAFSqueeze(batch_size=1),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        picojoule.layers.IAFSqueeze(batch_size=1),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(24, 5),
        nn.Linear(5, 4),
    )


def test_density_is_a_power_of_what_is_left() -> None:
    assert density(16.0, 81.0) == pytest.approx((2 / 3) ** 3)
    assert density(1.0, 4.0, power=0.5) == 0.5
    assert density(5.0, 4.0) == 1.0
    for limit, first, power in ((0.0, 1.0, 1.0), (1.0, float("nan"), 1.0), (1.0, 1.0, -1.0)):
        with pytest.raises(ValueError, match="expected a finite number > 0"):
            density(limit, first, power)


def test_the_share_comes_down_along_a_cubic() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 20))
    connections = Connections(model, {"0": 0.25}, kind="prune", steps=100, every=10)
    counts, changed = [], []
    for _ in range(100):
        changed.append(connections.step())
        counts.append(nonzero(model[0]))
    # 1280 weights, 40 steps: 1/4 + 3/4 * (1 - f)^3 at f = 1/4, 1/2, 3/4 and 1
    assert [n for n, new in zip(counts, changed, strict=True) if new] == [725, 440, 335, 320]
    assert [k for k, new in enumerate(changed, 1) if new] == [10, 20, 30, 40]
    assert counts[-1] == 320
    assert connections.progress == 1.0


def test_the_end_is_reached_where_every_does_not_divide_it() -> None:
    model = nn.Sequential(nn.Linear(50, 20))
    connections = Connections(model, {"0": 0.1}, kind="prune", steps=25, every=4)
    assert [k for k in range(1, 26) if connections.step()] == [4, 8, 10]
    assert nonzero(model[0]) == 100


def test_the_largest_stay_of_equals_the_first_and_each_unit_keeps_one() -> None:
    model = linear([[5.0, -6.0, 1.0, 0.0], [2.0, 2.0, -2.0, 2.0], [0.1, 0.3, -0.2, 0.0]])
    connections = Connections(model, {"0": 5 / 12}, kind="prune", steps=1, end=1.0)
    assert connections.step()
    kept = [[5.0, -6.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [0.0, 0.3, 0.0, 0.0]]
    torch.testing.assert_close(model[0].weight.detach(), torch.tensor(kept))
    model = linear([[5.0, 6.0], [1.0, 2.0], [0.1, 0.3]])
    Connections(model, {"0": 0.01}, kind="prune", steps=1).step()
    assert (model[0].weight != 0).tolist() == [[False, True]] * 3


def test_what_has_gone_does_not_come_back_when_what_is_behind_the_mask_grows() -> None:
    model = linear([[4.0, 3.0, 2.0, 1.0]])
    connections = Connections(model, {"0": 0.25}, kind="prune", steps=2, every=1, end=1.0)
    connections.step()  # 0.25 + 0.75 / 8: one of four
    assert (model[0].weight != 0).tolist() == [[True, False, False, False]]
    with torch.no_grad():
        model[0].weight_orig[0, 3] = 100.0
    connections.step()
    assert model[0].weight.tolist() == [[4.0, 0.0, 0.0, 0.0]]


def test_weights_that_are_zero_go_after_those_that_have_gone() -> None:
    model = linear([[0.0, 1.0, 2.0, 0.0]])
    connections = Connections(model, {"0": 0.5}, kind="prune", steps=2, every=1, end=1.0)
    connections.step()
    connections.step()
    assert connections.densities == {"0": 0.5}
    assert model[0].weight_mask.tolist() == [[0.0, 1.0, 1.0, 0.0]]


def test_fixed_masks_are_drawn_once_by_the_seed_alone() -> None:
    drawn: list[Tensor] = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(drawn))
        state = torch.random.get_rng_state()
        model = nn.Sequential(nn.Linear(50, 20), nn.Linear(20, 50))
        reference = torch.random.get_rng_state()
        connections = Connections(model, {"0": 0.1, "1": 0.3}, kind="fixed", steps=10, seed=seed)
        assert torch.equal(torch.random.get_rng_state(), reference)
        assert not torch.equal(state, reference)
        assert (nonzero(model[0]), nonzero(model[1])) == (100, 300)
        assert bool((model[0].weight != 0).any(1).all())
        assert not any(connections.step() for _ in range(10))
        drawn.append(model[0].weight_mask)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_thinning_takes_channels_with_their_biases_and_what_reads_them() -> None:
    model = pooled()
    with torch.no_grad():
        for c in range(6):
            model[0].weight[c] *= (c + 1) / model[0].weight[c].norm()
        model[1].bias.fill_(5.0)  # would make a channel without input fire
    connections = Connections(model, {"0": 0.5}, kind="thin", steps=1, feeds={"0": ["1", "3", "7"]})
    assert connections.step()
    gone = [True, True, True, False, False, False]
    assert (~model[0].weight.flatten(1).any(1)).tolist() == gone
    assert (model[0].bias == 0).tolist() == gone
    assert (model[1].bias == 0).tolist() == gone
    assert (~model[3].weight.flatten(1).any(1)).tolist() == gone
    assert model[7].weight.reshape(5, 6, 4).any(0).any(1).tolist() == [not g for g in gone]
    x = (torch.rand(5, 2, 8, 8) < 0.5).float()
    with picojoule.Monitor(model) as monitor:
        model(x)
    rates = monitor.rates["2"]
    assert not rates[:3].any()
    assert rates[3:].all()
    assert connections.densities == {"0": 0.5}


def test_a_smaller_network_computes_and_counts_the_same() -> None:
    """What is masked counts, without zero weights, as the smaller network does with all."""
    model = pooled()
    connections = Connections(model, {"0": 0.5, "7": 0.4}, kind="thin", steps=2, every=1, feeds={"0": ["1", "3", "7"], "7": ["8"]})  # fmt: skip
    model(torch.rand(5, 2, 8, 8)).sum().backward()
    connections.step()
    with torch.no_grad():
        model[8].weight_mask[1, int(model[7].weight.any(1).nonzero()[0])] = (
            0  # another mask, of a channel that stays
        )
    x = (torch.rand(5, 2, 8, 8) < 0.5).float()
    smaller = connections.smaller().eval()
    spikes = smaller(x)
    picojoule.reset_states(model)
    torch.testing.assert_close(spikes, model.eval()(x))
    assert spikes.any()
    sizes = [tuple(p.shape) for p in smaller.parameters() if p.ndim]
    assert sizes == [
        (3, 2, 3, 3),
        (3,),
        (3,),
        (3,),
        (3, 1, 3, 3),
        (3,),
        (2, 12),
        (2,),
        (4, 2),
        (4,),
    ]
    assert (smaller[3].in_channels, smaller[3].out_channels, smaller[3].groups) == (3, 3, 3)
    assert (smaller[7].in_features, smaller[7].out_features) == (12, 2)
    assert smaller[1].num_features == 3
    assert (smaller[8].weight == 0).nonzero().tolist() == [[1, 0]]
    masked = spent_after(model, x).synops
    counted = spent_after(smaller, x).synops
    # what the last one reads is no spikes
    assert list(masked) == list(counted) == ["0", "3", "7", "8"]
    assert all(masked[name] == counted[name] > 0 for name in ("0", "3", "7"))


def test_what_cannot_be_made_smaller() -> None:
    model = nn.Sequential(nn.Linear(8, 6), IAF(spike_threshold=torch.ones(6)), nn.Linear(6, 2))
    with pytest.raises(ValueError, match="a smaller model needs kind='thin'"):
        Connections(model, {"0": 0.5}, kind="prune", steps=1).smaller()
    with pytest.raises(ValueError, match="a smaller model needs feeds of '0'"):
        Connections(model, {"0": 0.5}, kind="thin", steps=1).smaller()
    with pytest.raises(
        ValueError, match="neurons of '1' have time constants or thresholds of their"
    ):
        Connections(model, {"0": 0.5}, kind="thin", steps=1, feeds={"0": ["2"]}).smaller()


def test_thinning_saves_by_either_count_of_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 40), IAF(), nn.Linear(40, 20), IAF(), nn.Linear(20, 3))
    x = (torch.rand(2, 8, 10) < 0.7).float()
    full = spent_after(model, x).synops
    Connections(model, {"0": 0.5}, kind="thin", steps=1, feeds={"0": ["2"]}).step()
    nonzero_count = spent_after(model, x).synops
    with torch.no_grad(), picojoule.Monitor(model) as all_weights:
        picojoule.reset_states(model)
        model(x)
    assert nonzero_count["0"] * 2 == full["0"] == all_weights.synops["0"]
    assert nonzero_count["2"] == all_weights.synops["2"] < full["2"]


@pytest.mark.parametrize("kind", ["prune", "thin", "fixed"])
def test_it_resumes_to_the_byte(kind: str) -> None:
    def run(interrupted: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 20))
        options = {"kind": kind, "steps": 30, "every": 3, "feeds": {"0": ["2"]}}
        shares = {"0": 0.2, "2": 0.3}
        connections = Connections(model, shares, **options)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        generator = torch.Generator().manual_seed(1)
        for k in range(20):
            if interrupted and k == 7:
                saved = [
                    copy.deepcopy(each.state_dict()) for each in (model, optimizer, connections)
                ]
                torch.manual_seed(5)
                model = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 20))
                connections = Connections(model, dict.fromkeys(shares, 0.5), **options)
                optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
                for each, state in zip((model, optimizer, connections), saved, strict=True):
                    each.load_state_dict(state)
            optimizer.zero_grad()
            model(torch.rand(8, 10, generator=generator)).square().mean().backward()
            optimizer.step()
            connections.step()
        return model.state_dict()

    whole, resumed = run(interrupted=False), run(interrupted=True)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_names_of_those_that_can_lose_connections() -> None:
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(2, 32, 3),
            "depthwise": nn.Conv2d(32, 32, 3, groups=32),
            "few": nn.Linear(99, 16),
            "neuron": IAF(),
            "normed": nn.utils.parametrizations.weight_norm(nn.Linear(3, 32)),
        }
    )
    assert can_lose_connections(model, model, "prune") == ("conv", "depthwise")
    assert can_lose_connections(model, [*model, "not there"], "thin") == ("conv",)


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ({"0": 0.0}, {}, "the share of layer '0' is 0.0"),
        ({"0": 1.5}, {}, "the share of layer '0' is 1.5"),
        ({"2": 0.5}, {}, "no layer with prunable weights '2'"),
        ({"0": 0.5}, {"kind": "shrink"}, "kind is 'shrink'; choose one of"),
        ({"0": 0.5}, {"every": 0}, "expected steps >= 1"),
        ({"3": 0.5}, {"kind": "thin"}, "'3' is a convolution of 6 groups"),
        ({"0": 0.5}, {"kind": "thin", "feeds": {"3": ["7"]}}, "no layer that loses connections '3'"),
        ({"0": 0.5}, {"kind": "thin", "feeds": {"0": ["2"]}}, "no layer that can read channels '2'"),
        ({"7": 0.5}, {"kind": "thin", "feeds": {"7": ["3"]}}, "'3' reads '7' in 6 groups"),
        ({"7": 0.5}, {"kind": "thin", "feeds": {"7": ["1"]}}, "'1' has 6 inputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_leaves_the_model_as_it_was(
    layers: dict[str, float], options: dict[str, object], message: str
) -> None:
    model = pooled()
    keys = list(model.state_dict())
    with pytest.raises(ValueError, match="Connections") as error:
        Connections(model, layers, **{"kind": "prune", "steps": 10, **options})
    assert message in str(error.value)
    assert list(model.state_dict()) == keys


def test_a_state_of_something_else_is_refused() -> None:
    model = pooled()
    connections = Connections(model, {"0": 0.5}, kind="prune", steps=10)
    for state in ({}, {"kind": "thin", "done": 3, "final": {"0": 0.5}}, {"kind": "prune", "done": 3, "final": {"7": 0.5}}):  # fmt: skip
        with pytest.raises(ValueError, match="the saved state is of"):
            connections.load_state_dict(state)
    assert connections.progress == 0.0
