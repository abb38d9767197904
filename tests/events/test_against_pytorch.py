"""Spikes, states and counts of the engine beside those of the model, with `==` where sums are exact."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import picojoule
from picojoule import Monitor, Report, events
from picojoule.events.engine import Engine
from picojoule.events.network import Dense
from picojoule.layers import stateful_layers
from picojoule.report.row import Row
from tests.events.networks import NETWORKS, network

FEW_SYNOPS = 300.0  # of a sample's steps: some layers of the networks have more, some fewer


@pytest.fixture(params=["never", "always", "from few SynOps on"])
def dense(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Dense:
    """How the engine chooses between events and dense products."""
    if request.param != "from few SynOps on":
        return request.param

    def set_limits(engine: Engine) -> None:
        engine.limits.fill_(FEW_SYNOPS)
        engine.limits_of_frames.fill_(FEW_SYNOPS)

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


@pytest.mark.parametrize("name", NETWORKS)
def test_the_report_is_the_monitors(name: str, dense: Dense) -> None:
    model, x = network(name)
    expected = monitored(model, x)
    made = events.compile(model, x, dense=dense)
    made(x)
    found = made.report()
    assert [row.name for row in found.rows] == [row.name for row in expected.rows]
    for row, other in zip(found.rows, expected.rows, strict=True):
        assert row.kind == other.kind
        assert numbers(row) == pytest.approx(
            numbers(other), rel=1e-6
        )  # a Monitor divides in float32
    assert found.synops_per_sample == expected.synops_per_sample
    assert (found.samples, found.num_timesteps) == (expected.samples, expected.num_timesteps)
    assert found.neuron_updates_per_sample == expected.neuron_updates_per_sample
    if "norm" not in name:  # folding one makes a bias
        assert found.biases_per_sample == expected.biases_per_sample


def numbers(row: Row) -> dict[str, float]:
    """Those that apply to it; a name that is missing in one of two dicts makes them differ."""
    return {name: value for name, value in vars(row).items() if isinstance(value, int | float)}


def monitored(model: nn.Module, x: torch.Tensor) -> Report:
    """What a Monitor says of one call from rest; the states are at rest again."""
    with torch.no_grad(), Monitor(model) as monitor:
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
