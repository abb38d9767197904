"""Weights of 8 bits and potentials that stop at the ends of their range: beside the discretised model, and beside plain loops."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor, convert, events, layers
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.events import ChipLimits
from tests.events.networks import BATCH, NETWORKS, iaf, network
from tests.events.test_against_pytorch import check_reports, monitored

LIMITS = ChipLimits(weight_bits=8, state_bits=16, bias_bits=12)
NOT_IN_WHOLE_NUMBERS = {  # they have other neurons, or layers that `discretize` does not take
    "few channels", "leak", "spikes and resets", "recurrent", "neurons alone", "three axes", "residual",
    "neurons behind a flatten", "a flatten behind poolings", "a number for each neuron", "a layer that is called twice",
}  # fmt: skip
# 16 channels of strong weights: some potentials come to the end of the range
STOPS_AT_16_BITS = "lenet"


def whole(model: nn.Module, limits: ChipLimits = LIMITS) -> nn.Module:
    """The model that the engine is to equal where no potential stops."""
    folded = convert.fold_batch_norm(model)
    assert limits.weight_bits
    assert limits.state_bits
    assert limits.bias_bits
    return convert.discretize(
        folded, limits.weight_bits, limits.state_bits, limits.bias_bits, saturate=True
    )


@pytest.mark.parametrize(
    ("name", "state_bits"),
    [
        (name, bits)
        for name in NETWORKS
        if name not in NOT_IN_WHOLE_NUMBERS
        for bits in (16, 24)
        if (name, bits) != (STOPS_AT_16_BITS, 16)
    ],
)
@pytest.mark.filterwarnings("ignore:discretize")
def test_spikes_states_and_counts_are_those_of_the_discretised_model(
    name: str, state_bits: int
) -> None:
    limits = ChipLimits(weight_bits=8, state_bits=state_bits, bias_bits=12)
    model, x = network(name)
    expected = whole(model, limits)
    made = events.compile(model, x, limits=limits)
    report = monitored(copy.deepcopy(expected), x, "all")
    with torch.no_grad():
        for number in range(2):
            assert torch.equal(made(x), expected(x))
            if number == 0:
                check_reports(made.report(), report)
            states = made.states()
            for layer, neuron in layers.stateful_layers(expected):
                for state, value in neuron.states().items():
                    assert torch.equal(states[layer][state], value), (layer, state)


def by_hand(weight: np.ndarray, bias: np.ndarray, threshold: int, x: Tensor, bits: int) -> Tensor:
    """A layer in plain loops: `b t n -> b t m`; each spike of an event is added by itself."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    out = torch.zeros(*x.shape[:2], len(weight))
    for sample in range(len(x)):
        v = np.zeros(len(weight), np.int64)
        for t in range(x.shape[1]):
            v = np.clip(v + bias, low, high)
            for n, count in enumerate(x[sample, t].int().tolist()):
                for _ in range(abs(count)):
                    v = np.clip(v + int(np.sign(count)) * weight[:, n], low, high)
            spikes = np.maximum(v // threshold, 0)
            v -= spikes * threshold
            out[sample, t] = torch.from_numpy(spikes)
    return out


@pytest.mark.parametrize("bits", [9, 12, 16, 20])
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.filterwarnings("ignore:discretize")
def test_a_potential_stops_at_the_ends_of_its_range_at_each_event(
    bits: int, has_bias: bool
) -> None:
    torch.manual_seed(bits)
    model = nn.Sequential(nn.Linear(7, 37, bias=has_bias), layers.IAF(spike_threshold=0.9))
    limits = ChipLimits(weight_bits=8, state_bits=bits, bias_bits=8)
    # up to 686 spikes
    x = torch.randint(-2, 3, (3, 40, 7)) * 7.0 ** torch.randint(0, 4, (3, 40, 7))
    expected = whole(model, limits)
    weight = expected[0].weight.detach().numpy().astype(np.int64)
    bias = (
        expected[0].bias.detach().numpy().astype(np.int64) if has_bias else np.zeros(37, np.int64)
    )
    threshold = int(expected[1].spike_threshold)
    made = events.compile(model, x, limits=limits)
    found = made(x)
    assert torch.equal(found, by_hand(weight, bias, threshold, x, bits))
    with (
        torch.no_grad()
    ):  # the model's own potentials have no upper end, and stop below once a step
        assert bits == 20 or not torch.equal(found, expected(x))


@pytest.mark.filterwarnings("ignore:discretize")
@pytest.mark.parametrize(
    "neuron",
    [
        {"spike_fn": SingleSpike, "min_v_mem": -0.75},
        {"reset_fn": MembraneReset(), "min_v_mem": 0.0},
    ],
)
def test_lower_bounds_and_resets_go_in_whole_numbers(neuron: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 20, 3), iaf(**neuron), nn.Flatten(), nn.Linear(720, 9), iaf()
    )
    x = (torch.rand(BATCH * 20, 2, 8, 8) < 0.3).float()
    made, expected = events.compile(model, x, limits=LIMITS), whole(model)
    with torch.no_grad():
        assert torch.equal(made(x), expected(x))
        assert made(x).any()


def simple() -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(30, 50, bias=False), layers.IAF(), nn.Linear(50, 6, bias=False), layers.IAF()
    )
    return model, (torch.rand(3, 20, 30) < 0.4).float()


def test_copies_pickles_and_fresh_networks_go_on_as_they_do() -> None:
    model, x = simple()
    made = events.compile(model, x, limits=LIMITS)
    first = made(x)
    others = [copy.deepcopy(made), pickle.loads(pickle.dumps(made))]
    second = made(x)
    assert all(torch.equal(other(x), second) for other in others)
    assert torch.equal(made.fresh()(x), first)
    made.reset()
    assert torch.equal(made(x.to_sparse()), first)


def test_states_that_a_call_left_in_the_model_take_no_part() -> None:
    model, x = simple()
    expected = events.compile(model, x, limits=LIMITS)(x)
    with torch.no_grad():
        model(x * 50)
    states = [layer.v_mem.clone() for _, layer in layers.stateful_layers(model)]
    assert torch.equal(events.compile(model, x, limits=LIMITS)(x), expected)
    for (_, layer), state in zip(layers.stateful_layers(model), states, strict=True):
        assert torch.equal(layer.v_mem, state)


def test_samples_one_step_none_and_two_threads() -> None:
    model, x = simple()
    made, expected = events.compile(model, x, limits=LIMITS), whole(model)
    with torch.no_grad():
        full = expected(x)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(made(x), full)
    finally:
        torch.set_num_threads(threads)
    made.reset()
    assert torch.equal(torch.cat([made(x[:, [t]]) for t in range(20)], 1), full)
    assert torch.equal(made(x[:1]), full[:1])
    for _ in range(2):
        assert made(x[:0]).shape == (0, 20, 6)


def test_synops_are_the_monitors_of_the_discretised_model() -> None:
    model, x = simple()
    made, expected = events.compile(model, x, limits=LIMITS), whole(model)
    made(x)
    with Monitor(expected) as monitor, torch.no_grad():
        expected(x)
    assert {n: c.sum().item() / 60 for n, c in made.synops.items()} == pytest.approx(
        {n: c.item() for n, c in monitor.synops.items()}, rel=1e-6
    )


def test_the_plan_says_in_what_it_runs() -> None:
    model, x = simple()
    made = events.compile(model, x, limits=LIMITS)
    made(x)
    assert made.plan.count("in whole numbers of 16 bits") == 2
    assert made.state_bits == 16
    assert events.compile(model, x).state_bits is None


def test_values_that_are_no_whole_numbers_are_refused_before_anything_changes() -> None:
    model, x = simple()
    made = events.compile(model, x, limits=LIMITS)
    first = made(x)
    made.reset()
    for bad in (x * 0.5, (x * 0.5).to_sparse()):
        with pytest.raises(ValueError, match=r"the input has 0\.5, and a network of whole numbers"):
            made(bad)
    assert torch.equal(made(x), first)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ChipLimits(weight_bits=8), "need weight_bits, 8 at most, and state_bits"),
        (ChipLimits(weight_bits=9, state_bits=16), "Wider weights go with order='breadth'"),
        (ChipLimits(), "need weight_bits"),
        (ChipLimits(weight_bits=8, state_bits=16, queue_length=3), "queue_length go with order"),
        (ChipLimits(weight_bits=8, state_bits=16, decimate=2), "decimate"),
    ],
)
def test_limits_that_steps_cannot_have_are_named(limits: ChipLimits, message: str) -> None:
    model, x = simple()
    with pytest.raises(ValueError, match=message):
        events.compile(model, x, limits=limits)


def test_limits_are_chip_limits() -> None:
    model, x = simple()
    with pytest.raises(TypeError, match="limits is 8, expected ChipLimits"):
        events.compile(model, x, limits=8)
    with pytest.raises(ValueError, match="dense='always' and limits"):
        events.compile(model, x, limits=LIMITS, dense="always")


@pytest.mark.parametrize("name", ["leak", "recurrent"])
def test_neurons_that_do_more_than_integrate_are_named(name: str) -> None:
    model, x = network(name)
    with pytest.raises(
        NotImplementedError,
        match=r"layer '1' .*no leak, no current, no feedback\. Leave limits out",
    ):
        events.compile(model, x, limits=LIMITS)


def test_a_stream_is_one_call() -> None:
    model, x = simple()
    made = events.compile(model, x, limits=LIMITS)
    t, n = x[0].nonzero(as_tuple=True)
    recording = {"t": (t * 1000).numpy(), "x": n.numpy(), "y": 0 * n.numpy(), "p": 0 * n.numpy()}
    whole_call = made.run_events(recording, dt_us=1000, steps=20)
    picojoule.reset_states(model)
    assert torch.equal(whole_call, made.fresh()(x[:1]))
