"""Spikes, states and counts of the engine beside those of the model, with `==` where sums are exact."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
import picojoule.layers as pl
from picojoule import Monitor, Report, events
from picojoule.events.dense import run_dense
from picojoule.events.engine import Engine
from picojoule.events.network import Dense
from picojoule.events.program import NEVER
from picojoule.layers import stateful_layers
from picojoule.report.row import Row
from picojoule.synops.watch.count import Weights
from tests.events.networks import NETWORKS, network

FEW_SYNOPS = 300.0  # of a sample's steps: some layers of the networks have more, some fewer


WAYS: dict[str, tuple[float, int]] = {  # SynOps for a dense product, spikes of a step for patterns
    "from few SynOps on": (FEW_SYNOPS, NEVER),
    "patterns": (inf, 0),
    "patterns from a few spikes on, dense from few SynOps on": (FEW_SYNOPS, 20),
}


@pytest.fixture(params=["never", "always", *WAYS])
def dense(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Dense:
    """How the engine chooses between events, patterns of spikes and dense products."""
    if request.param not in WAYS:
        return request.param
    synops, spikes = WAYS[request.param]

    def set_limits(engine: Engine) -> None:
        engine.limits.fill_(synops)
        engine.limits_of_frames.fill(synops)
        engine.patterns_from.fill_(spikes)

    monkeypatch.setattr("picojoule.events.network.set_limits", set_limits)
    return "where quicker"


@pytest.mark.parametrize("name", NETWORKS)
def test_two_calls_give_the_models_spikes_and_states(name: str, dense: Dense) -> None:
    model, x = network(name)
    made = events.compile(model, x, dense=dense)
    with torch.no_grad():
        for _ in range(2):
            assert torch.equal(made(x), model(x))
            states = made.states()
            for layer, neuron in stateful_layers(model):
                for state, value in neuron.states().items():
                    assert torch.equal(states[layer][state], value), (layer, state)


@pytest.mark.parametrize("weights", ["all", "nonzero"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_report_is_the_monitors(name: str, weights: Weights, dense: Dense) -> None:
    model, x = network(name)
    if weights == "nonzero":
        half_pruned(model)
    expected = monitored(model, x, weights)
    made = events.compile(model, x, dense=dense, weights=weights)
    made(x)
    found = made.report()
    check_reports(found, expected)
    if "norm" not in name:  # folding one makes a bias
        assert found.biases_per_sample == expected.biases_per_sample


@pytest.mark.parametrize("steps", [3, 69, 100])
def test_synops_of_a_sample_are_whole_numbers(steps: int) -> None:
    """Those of a step times the steps may not be: 490 / 138 x 69 is 244.99999999999997."""
    model = nn.Sequential(nn.Linear(1, 7), pl.IAF())
    x = torch.ones(2, steps, 1)
    x[1, 1:] = 0
    made = events.compile(model, x)
    made(x)
    found = made.report().synops_per_sample
    assert found == 7 * (steps + 1) / 2 == monitored(model, x).synops_per_sample


class CalledTwice(nn.Module):
    """The same weights take what comes in, and spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Linear(3, 3, bias=False)
        self.first, self.second = pl.IAF(), pl.IAF()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.second(self.weights(self.first(self.weights(x))))
        return output


@pytest.mark.parametrize("order", ["step", "depth"])
def test_values_that_come_in_are_no_synops_of_a_layer_that_hears_spikes_too(order: Any) -> None:
    model = CalledTwice()
    nn.init.eye_(model.weights.weight)
    x = torch.tensor([[[1.5, 0.0, 0.5], [0.0, 1.0, 0.5]]])  # so 1, 0, 0 and 0, 1, 1 fire
    made = events.compile(model, x, order=order)
    for _ in range(2):
        made(x)
        assert made.synops["weights"].tolist() == [[3.0, 6.0]]
        made.reset()
    assert made.peak_synops_per_second(dt_s=0.5) == {"weights": 12.0}
    found, expected = made.report(), monitored(model, x)
    assert found.synops_per_sample == expected.synops_per_sample == 9
    assert found.macs_per_sample == expected.macs_per_sample == 18
    made(x.round())  # 2, 0, 0 and 0, 1, 0: spikes, but of the calls together some values were none
    assert made.synops["weights"].tolist() == [[12.0, 6.0]]
    assert made.report().synops_per_sample == (9 + 9 + 9) / 3


@pytest.mark.parametrize("order", ["step", "depth"])
def test_values_between_layers_without_neurons_are_no_synops(order: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), pl.IAF(), nn.Linear(5, 2))
    model[1].bias.data.fill_(10)  # all fire
    x = torch.ones(1, 2, 3)
    made = events.compile(model, x, order=order)
    made(x)
    assert made.synops["0"].tolist() == [[12, 12]]
    assert made.synops["1"].tolist() == [[0, 0]]
    assert made.report().synops_per_sample == sum(
        float(each.sum()) for each in made.synops.values()
    )


def test_pieces_of_time_agree_on_whether_an_input_is_spikes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nn.Sequential(nn.Linear(3, 4), pl.IAF())
    x = torch.ones(1, 4, 3)
    x[0, 3, 0] = 0.5
    monkeypatch.setattr(events.EventNetwork, "steps_at_once", lambda *_: 1)
    made = events.compile(model, x)
    made(x)
    assert made.synops["0"].tolist() == [[0, 0, 0, 0]]
    made(x[:, :3])
    assert made.synops["0"].tolist() == [[12, 12, 12]]


def check_reports(found: Report, expected: Report) -> None:
    """What both say is the same, and so are the sentences on how it was counted, but for biases."""
    assert (found.weights, found.inputs) == (expected.weights, expected.inputs)
    assert "not recorded" not in found.methods_text()
    assert [row.name for row in found.rows] == [row.name for row in expected.rows]
    for row, other in zip(found.rows, expected.rows, strict=True):
        assert row.kind == other.kind
        # a Monitor divides in float32
        assert numbers(row) == pytest.approx(numbers(other), rel=1e-6)
    assert found.synops_per_sample == expected.synops_per_sample
    assert (found.samples, found.num_timesteps) == (expected.samples, expected.num_timesteps)
    assert found.neuron_updates_per_sample == expected.neuron_updates_per_sample


@torch.no_grad()
def half_pruned(model: nn.Module) -> None:
    """Every other weight is zero."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.flatten()[::2] = 0


def numbers(row: Row) -> dict[str, float]:
    """Those that apply to it; a name that is missing in one of two dicts makes them differ."""
    return {name: value for name, value in vars(row).items() if isinstance(value, int | float)}


def monitored(model: nn.Module, x: torch.Tensor, weights: Weights = "all") -> Report:
    """What a Monitor says of one call from rest; the states are at rest again."""
    with torch.no_grad(), Monitor(model, weights=weights) as monitor:
        model(x)
    picojoule.reset_states(model)
    return monitor.report()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sample_does_not_depend_on_its_neighbours_nor_on_the_threads(name: str) -> None:
    model, x = network(name)
    made = events.compile(model, x)
    both = made(x)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made.reset()
        assert torch.equal(made(x), both)
    finally:
        torch.set_num_threads(threads)
    assert all(count.shape == (2, 6) for count in made.synops.values())


def test_a_stage_that_hears_much_late_in_a_sample_takes_a_dense_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look at some of the steps would miss what the layers before make of slowly rising potentials."""
    model = nn.Sequential(
        nn.Linear(4, 8, bias=False), pl.IAF(), nn.Linear(8, 3, bias=False), pl.IAF()
    )
    nn.init.constant_(model[0].weight, 0.25)
    x = torch.zeros(3, 9, 4)
    x[0, 1:-1] = 1  # no spike in steps 0 and 8
    x[1, 3] = 1
    ways: list[tuple[int, list[int]]] = []

    def set_limits(engine: Engine) -> None:
        engine.limits_of_frames[:] = [0.0, 100.0]

    def noted(*given: Any) -> torch.Tensor:
        *_, states, which = given
        ways.append((states.plan.edges[0].fan_before.numel(), which.tolist()))
        return run_dense(*given)

    monkeypatch.setattr("picojoule.events.network.set_limits", set_limits)
    monkeypatch.setattr("picojoule.events.engine.run_dense", noted)
    made = events.compile(model, x)
    with torch.no_grad():
        assert torch.equal(made(x), model(x))
    assert ways == [(4, [0, 1]), (8, [0])]  # 7 steps of 8 spikes with 3 synapses; one step
    assert made.synops["2"].sum(1).tolist() == [168, 24, 0]
