"""States where a network goes from dense products to events and back, from one call to the next."""

from __future__ import annotations

import copy
from math import inf

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import events
from picojoule.events.network import EventNetwork
from picojoule.layers import stateful_layers
from tests.events.networks import NETWORKS, network

WAYS = {"events": inf, "dense": -1.0}


def go(made: EventNetwork, x: Tensor, way: str) -> Tensor:
    """A call that takes one way in all layers."""
    (engine,) = made._engines.values()
    engine.limits.fill_(WAYS[way])
    engine.limits_of_frames.fill(WAYS[way])
    return made(x)


def check_states(made: EventNetwork, model: nn.Module) -> None:
    found = made.states()
    for layer, neuron in stateful_layers(model):
        for name, value in neuron.states().items():
            torch.testing.assert_close(found[layer][name], value, rtol=1e-5, atol=1e-5)


@pytest.fixture(params=NETWORKS)
def both(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, EventNetwork]:
    """A model, an input, and its network after a first call."""
    model, x = network(request.param)
    made = events.compile(model, x, dense="never")
    with torch.no_grad():
        assert torch.equal(made(x), model(x))
    return model, x, made


@torch.no_grad()
def test_each_way_goes_on_from_where_the_other_ended(
    both: tuple[nn.Module, Tensor, EventNetwork],
) -> None:
    model, x, made = both
    for way in ("dense", "dense", "events", "dense", "events"):
        assert torch.equal(go(made, x, way), model(x)), way
    check_states(made, model)


@torch.no_grad()
def test_a_reset_after_either_way_is_rest(both: tuple[nn.Module, Tensor, EventNetwork]) -> None:
    model, x, made = both
    picojoule.reset_states(model)
    expected = model(x)
    for before in WAYS:
        for after in WAYS:
            go(made, x, before)
            made.reset()
            assert torch.equal(go(made, x, after), expected), (before, after)
            check_states(made, model)
    made.reset()
    made.reset()
    assert not any(value.any() for states in made.states().values() for value in states.values())


@torch.no_grad()
def test_a_copy_has_the_states_of_dense_layers(
    both: tuple[nn.Module, Tensor, EventNetwork],
) -> None:
    model, x, made = both
    assert torch.equal(go(made, x, "dense"), model(x))
    other = copy.deepcopy(made)
    assert torch.equal(other(x), model(x))
    check_states(other, model)


@torch.no_grad()
def test_states_that_were_given_out_do_not_change(
    both: tuple[nn.Module, Tensor, EventNetwork],
) -> None:
    _, x, made = both
    go(made, x, "dense")
    found = made.states()
    kept = copy.deepcopy(found)
    go(made, x, "dense")
    go(made, x, "events")
    for layer, states in kept.items():
        for name, value in states.items():
            assert torch.equal(found[layer][name], value)
