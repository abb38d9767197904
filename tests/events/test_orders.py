"""Laws of asynchronous execution: nested loops, PyTorch where orders cannot matter, and what chips limit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.activation import MaxSpike, MembraneReset, MembraneSubtract, SingleSpike
from picojoule.convert import discretize
from picojoule.events.following import follow
from picojoule.events.orders import ChipLimits, OrderedNetwork, OrderedRun
from picojoule.events.plan import plan_stage
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    FlattenTime,
    IAFRecurrent,
    IAFSqueeze,
    LIFRecurrent,
    Merge,
    SumPool2d,
    UnflattenTime,
    reset_states,
)
from tests.events.brute_force import BruteForce

ORDERS = "breadth", "depth"


def ordered(model: nn.Module, x: Tensor, order: str = "depth", **options: Any) -> OrderedNetwork:
    graph = follow(model, x)
    plans = [plan_stage(graph, k) for k in range(len(graph.stages))]
    return OrderedNetwork(graph, plans, order, **options)  # type: ignore[arg-type]


def run(model: nn.Module, x: Tensor, order: str = "depth", **options: Any) -> OrderedRun:
    return ordered(model, x, order, **options).run(x)


def whole(model: nn.Module, seed: int = 0, low: float = -0.5, high: float = 0.75) -> nn.Module:
    """Weights that are multiples of 2^-8, so that sums are exact in any order."""
    made = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            values = torch.rand(parameter.shape, generator=made) * (high - low) + low
            parameter.data = (values * 256).round() / 256
    return model.eval()


def spikes(*shape: int, rate: float = 0.3, seed: int = 1) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def conv_net() -> nn.Module:
    return nn.Sequential(
        FlattenTime(),
        nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False), IAFSqueeze(batch_size=2),
        SumPool2d(2),
        nn.Conv2d(3, 4, 2, bias=False), IAFSqueeze(batch_size=2),
        nn.Flatten(),
        nn.Linear(16, 3, bias=False), IAFSqueeze(batch_size=2),
        UnflattenTime(batch_size=2),
    )  # fmt: skip


def linear_net(**neuron: Any) -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8, bias=False), IAF(**neuron), nn.Linear(8, 4, bias=False), IAF(**neuron)
    )  # fmt: skip


def lif_net(norm_input: bool) -> nn.Module:
    gain = 20.0 if norm_input else 1.0
    lifs = [
        LIF(20.0, norm_input=norm_input, spike_threshold=1 / gain, min_v_mem=-1 / gain)
        for _ in range(2)
    ]
    return nn.Sequential(nn.Linear(6, 8, bias=False), lifs[0], nn.Linear(8, 4, bias=False), lifs[1])


def recurrent_net() -> nn.Module:
    feedback = nn.Linear(8, 8, bias=False)
    return nn.Sequential(
        nn.Linear(6, 8, bias=False), IAFRecurrent(feedback), nn.Linear(8, 4, bias=False), IAF()
    )


CHAINS = {
    "conv": (conv_net, (2, 12, 12)),
    "linear": (linear_net, (6,)),
    "single": (lambda: linear_net(spike_fn=SingleSpike), (6,)),
    "reset": (lambda: linear_net(reset_fn=MembraneReset(0.25), min_v_mem=-0.5), (6,)),
    "lif": (lambda: lif_net(norm_input=False), (6,)),
    "norm": (lambda: lif_net(norm_input=True), (6,)),
    "recurrent": (recurrent_net, (6,)),
}

# others have loops without end
WEIGHTS: dict[str, Any] = {"recurrent": {"seed": 1, "low": -0.25, "high": 0.5}}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", CHAINS)
def test_equals_nested_loops_spike_by_spike(name: str, order: str) -> None:
    make, shape = CHAINS[name]
    model = whole(make(), **WEIGHTS.get(name, {}))
    x = spikes(2, 6, *shape, rate=0.2) * torch.tensor([1.0, -1.0, 2.0, 1.0, 0.5, 1.0]).reshape(
        1, 6, *[1] * len(shape)
    )
    got = run(model, x, order)
    assert got.outputs.sum() > 0
    chain = nn.Sequential(*[m for m in model if not isinstance(m, FlattenTime | UnflattenTime)])
    for sample in range(2):
        brute = BruteForce(chain, shape)
        assert torch.equal(got.outputs[sample].flatten(1), brute.run(x[sample], order))
        for k, layer in enumerate(brute.layers):
            assert got.spikes[k][sample].tolist() == layer.spikes
            assert sum(edge[sample] for edge in got.synops[k]).tolist() == layer.synops


@pytest.mark.parametrize("name", ["conv", "linear", "reset", "lif"])
def test_a_chain_knows_no_difference_between_breadth_and_depth(name: str) -> None:
    make, shape = CHAINS[name]
    model = whole(make(), seed=3)
    first, second = (run(model, spikes(2, 9, *shape), order) for order in ORDERS)
    assert torch.equal(first.outputs, second.outputs)
    assert torch.equal(first.synops_per_sample(), second.synops_per_sample())


class Skip(nn.Module):
    """The last neuron hears the input, +0.5 an event, and what the first layer makes of it, -0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.neuron = nn.Linear(2, 2, bias=False), IAF()
        self.past, self.through = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
        self.merge, self.last = Merge(), IAF()
        self.first.weight.data = torch.eye(2)
        self.past.weight.data = torch.full((1, 2), 0.5)
        self.through.weight.data = torch.full((1, 2), -0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.merge(self.past(x), self.through(self.neuron(self.first(x)))))


def test_breadth_and_depth_differ_by_hand() -> None:
    x = torch.ones(1, 1, 2)
    # breadth: +0.5 +0.5 (spike) -0.5 -0.5;   depth: +0.5 -0.5, +0.5 -0.5;   PyTorch: +1 -1
    assert run(Skip(), x, "breadth").outputs.item() == 1
    assert run(Skip(), x, "depth").outputs.item() == 0
    assert Skip()(x).item() == 0


def test_a_loop_acts_after_the_queue_in_breadth_and_after_the_event_in_depth() -> None:
    feedback = nn.Linear(1, 1, bias=False)
    feedback.weight.data = torch.tensor([[-1.0]])
    first = nn.Linear(2, 1, bias=False)
    first.weight.data = torch.tensor([[1.0, 1.0]])
    model = nn.Sequential(first, IAFRecurrent(feedback, min_v_mem=-0.25))
    x = torch.ones(1, 1, 2)
    # breadth: two spikes, then -1 twice;   depth: spike, -1 (bound: -0.25), then 0.75: no spike
    assert run(model, x, "breadth").outputs.item() == 2
    assert run(model, x, "depth").outputs.item() == 1


def stepwise(model: nn.Module, x: Tensor) -> Tensor:
    reset_states(model)
    with torch.no_grad():
        return model(x)


class Residual(nn.Module):
    """A strided, grouped convolution, a residual sum, average and sum pooling, and a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one = (
            nn.Conv2d(2, 4, 3, padding=1, groups=2, bias=False),
            IAFSqueeze(batch_size=2),
        )
        self.second, self.two = nn.Conv2d(4, 4, 3, padding=1, bias=False), IAFSqueeze(batch_size=2)
        self.merge, self.pool = Merge(), nn.AvgPool2d(2)
        self.third, self.three = (
            nn.ConvTranspose2d(4, 2, 2, stride=2, bias=False),
            IAFSqueeze(batch_size=2),
        )
        self.flat, self.last, self.four = (
            nn.Flatten(),
            nn.Linear(128, 3, bias=False),
            IAFSqueeze(batch_size=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(self.first(x))
        both = self.merge(self.two(self.second(one)), one)
        return self.four(self.last(self.flat(self.three(self.third(self.pool(both))))))


@pytest.mark.parametrize("order", ORDERS)
def test_weights_that_only_excite_give_the_spikes_of_pytorch(order: str) -> None:
    """floor of a sum is the same in whatever order its parts come."""
    model = whole(Residual(), low=0.0, high=0.3)
    x = spikes(12, 2, 8, 8)
    graph_input = x.reshape(12, 2, 8, 8)
    expected = stepwise(model, graph_input).reshape(2, 6, 3)
    graph = follow(model, x)
    plans = [plan_stage(graph, k) for k in range(len(graph.stages))]
    got = OrderedNetwork(graph, plans, order).run(x.reshape(2, 6, 2, 8, 8))  # type: ignore[arg-type]
    assert expected.sum() > 10
    assert torch.equal(got.outputs, expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("leak", ["step", "tick", "exponential"])
@pytest.mark.parametrize("neuron", ["iaf", "lif", "norm", "read"])
def test_one_event_a_step_into_one_layer_is_pytorch(order: str, leak: str, neuron: str) -> None:
    made: dict[str, nn.Module] = {
        "iaf": IAF(),
        "lif": LIF(5.0, norm_input=False, min_v_mem=-1.0),
        "norm": LIF(5.0, spike_threshold=0.25),
        "read": ExpLeak(5.0),
    }
    if leak == "tick" and neuron != "iaf":
        pytest.skip("a tick takes off a constant, where PyTorch takes off a share")
    model = nn.Sequential(nn.Linear(4, 7, bias=False), made[neuron])
    nn.init.uniform_(model[0].weight, -0.5, 1.0)
    x = (
        torch.eye(4)[torch.randint(4, (3, 40))]
        * torch.tensor([1.0, -1.0, 0.3, 1.0]).repeat(10)[:, None]
    )
    got = run(model, x, order, leak=leak)
    assert got.outputs.abs().sum() > 0
    assert torch.equal(got.outputs, stepwise(model, x))


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_not_a_neuron_gives_out_what_a_dense_product_gives(order: str) -> None:
    model = nn.Sequential(nn.Linear(5, 6, bias=False), IAF(), nn.Linear(6, 3), nn.Linear(3, 2))
    whole(model, low=0.0)
    for layer in (model[2], model[3]):
        layer.bias.data = torch.tensor([0.5, -0.25, 2.0])[: len(layer.bias)]
    x = spikes(2, 7, 5)
    assert torch.equal(run(model, x, order).outputs, stepwise(model, x))


@pytest.mark.parametrize("order", ORDERS)
def test_max_pooling_gives_out_the_largest_count_of_a_step(order: str) -> None:
    model = whole(nn.Sequential(
        FlattenTime(), nn.Conv2d(1, 2, 3, bias=False), IAFSqueeze(batch_size=2), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(2, 3, 2, bias=False), IAFSqueeze(batch_size=2), UnflattenTime(batch_size=2),
    ), low=0.0)  # fmt: skip
    x = spikes(2, 5, 1, 9, 9) * 2
    expected = stepwise(model, x)
    assert expected.sum() > 0
    assert torch.equal(run(model, x, order).outputs, expected)


@pytest.mark.parametrize("order", ORDERS)
def test_synaptic_currents_go_on_by_steps(order: str) -> None:
    model = nn.Sequential(nn.Linear(4, 5, bias=False), LIF(10.0, tau_syn=3.0, norm_input=False))
    whole(model, low=0.0)
    x = torch.eye(4)[torch.randint(4, (2, 30), generator=torch.Generator().manual_seed(0))]
    got, expected = run(model, x, order).outputs, stepwise(model, x)
    assert expected.sum() > 10
    assert torch.equal(got, expected)


@pytest.mark.parametrize("order", ORDERS)
def test_biases_arrive_at_the_beginning_of_a_step(order: str) -> None:
    model = nn.Sequential(nn.Linear(1, 1), IAF())
    model[0].weight.data, model[0].bias.data = torch.tensor([[-1.0]]), torch.tensor([1.0])
    # the bias makes the neuron fire, the event comes after that; PyTorch adds them up to 0
    assert run(model, torch.ones(1, 3, 1), order).outputs.flatten().tolist() == [1, 0, 0]
    assert stepwise(model, torch.ones(1, 3, 1)).sum() == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("leak", ["step", "tick", "exponential"])
def test_two_calls_go_on_from_each_other(order: str, leak: str) -> None:
    model = whole(lif_net(norm_input=False))
    x = spikes(2, 12, 6)
    limits = ChipLimits(decimate=2)
    network = ordered(model, x, order, leak=leak, tick_steps=3, limits=limits)
    states = network.at_rest(2)
    halves = [network.run(part, states).outputs for part in (x[:, :5], x[:, 5:])]
    assert torch.equal(torch.cat(halves, 1), network.run(x).outputs)
    states.reset()
    assert torch.equal(network.run(x, states).outputs, network.run(x).outputs)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("state_bits", [None, 12])
def test_calls_of_a_step_each_are_one_call_in_a_chips_units_too(
    order: str, state_bits: int | None
) -> None:
    """A third of the model's unit is none of the chip's, whose scale is 7 / 0.9; nor is half of a weight a whole number."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), IAF(), nn.Linear(1, 1), ExpLeak(3.0))
    model[0].weight.data[:] = 0.9
    x = torch.full((1, 40, 1), 0.5 if state_bits else 1.0)
    network = ordered(model, x, order, limits=ChipLimits(weight_bits=4, state_bits=state_bits))
    states = network.at_rest(1)
    each = [network.run(x[:, t : t + 1], states).outputs for t in range(40)]
    assert torch.equal(torch.cat(each, 1), network.run(x).outputs)


@pytest.mark.parametrize("order", ORDERS)
def test_reproducible_with_any_number_of_threads_and_neighbours(order: str) -> None:
    model = whole(conv_net())
    x = spikes(5, 4, 2, 12, 12)
    network = ordered(model, spikes(2, 4, 2, 12, 12), order)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = network.run(x)
        torch.set_num_threads(2)
        two = network.run(x)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one.outputs, two.outputs)
    alone = [network.run(x[k : k + 1]) for k in range(5)]
    assert torch.equal(one.outputs, torch.cat([each.outputs for each in alone]))
    assert torch.equal(
        one.synops_per_sample(), torch.cat([each.synops_per_sample() for each in alone])
    )


@pytest.mark.parametrize("order", ORDERS)
def test_nothing_in_nothing_out(order: str) -> None:
    model = whole(conv_net())
    got = run(model, torch.zeros(2, 3, 2, 12, 12), order)
    assert got.outputs.shape == (2, 3, 3)
    assert got.outputs.sum() == got.synops_per_sample().sum() == got.spikes_per_sample().sum() == 0
    assert run(model, torch.zeros(2, 3, 2, 12, 12), order).dropped == {}
    network = ordered(model, torch.zeros(2, 3, 2, 12, 12), order)
    assert network.run(torch.zeros(0, 3, 2, 12, 12)).outputs.shape == (0, 3, 3)


@pytest.mark.parametrize("order", ORDERS)
def test_a_random_order_of_the_input_is_reproducible_and_goes_on_between_calls(order: str) -> None:
    model = whole(linear_net(), seed=5)
    x = spikes(2, 40, 6, rate=0.8)
    network = ordered(model, x, order, arrival="random", seed=3)
    got = network.run(x).outputs
    states = network.at_rest(2)
    halves = [network.run(part, states).outputs for part in (x[:, :7], x[:, 7:])]
    assert torch.equal(torch.cat(halves, 1), got)
    assert torch.equal(network.run(x[1:]).outputs, got[1:])
    assert not torch.equal(run(model, x, order, arrival="random", seed=4).outputs, got)
    assert not torch.equal(run(model, x, order).outputs, got)
    brute = BruteForce(model, (6,))
    brute.arrivals = [network._arrivals(network.at_rest(2), 40)[t].tolist() for t in range(40)]
    assert torch.equal(brute.run(x[0], order), got[0])


# ---- leaks


def test_a_tick_takes_off_what_a_potential_at_the_threshold_would_lose() -> None:
    model = nn.Sequential(
        nn.Linear(1, 1, bias=False), LIF(4.0, norm_input=False, spike_threshold=2.0)
    )
    model[0].weight.data = torch.tensor([[1.75]])
    network = ordered(model, torch.ones(1, 1, 1), leak="tick", tick_steps=2)
    states = network.at_rest(1)
    x = torch.zeros(1, 4, 1)
    x[0, 0] = 1
    # ticks after 2 steps; the one after 4 comes at the beginning of the next call
    network.run(x, states)
    alpha = model[1].alpha_mem_calculated.item()
    assert states.stages[0].get("v_mem").item() == pytest.approx(1.75 - 2 * (1 - alpha**2))
    network.run(torch.zeros(1, 1, 1), states)
    assert states.stages[0].get("v_mem").item() == pytest.approx(1.75 - 4 * (1 - alpha**2))


def test_an_exponential_leak_follows_the_time_of_events() -> None:
    model = nn.Sequential(
        nn.Linear(1, 1, bias=False), LIF(4.0, norm_input=False, spike_threshold=9.0)
    )
    model[0].weight.data = torch.tensor([[1.0]])
    network = ordered(model, torch.ones(1, 1, 1), leak="exponential")
    states = network.at_rest(1)
    network.run(torch.full((1, 1, 1), 4.0), states)  # four events, a quarter of a step apart
    root = model[1].alpha_mem_calculated.item() ** 0.25
    assert states.stages[0].get("v_mem").item() == pytest.approx(1 + root + root**2 + root**3)


# ---- limits of chips


@pytest.mark.parametrize("order", ORDERS)
def test_whole_numbers_are_those_of_discretize(order: str) -> None:
    model = nn.Sequential(
        nn.Linear(6, 8),
        IAF(min_v_mem=-1.0),
        nn.Linear(8, 4),
        IAF(spike_threshold=1.5, min_v_mem=-2.0),
    )
    x = spikes(3, 20, 6)
    rounded = discretize(model, weight_bits=5)
    got = run(model, x, order, limits=ChipLimits(weight_bits=5, state_bits=16, bias_bits=8))
    assert got.outputs.sum() > 0
    assert torch.equal(got.outputs, run(rounded, x, order).outputs)
    assert not torch.equal(got.outputs, run(model, x, order).outputs)


def test_potentials_stop_at_the_ends_of_their_range() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), IAF())
    model[0].weight.data = torch.tensor([[-1.0]])
    network = ordered(model, torch.ones(1, 1, 1), limits=ChipLimits(weight_bits=4, state_bits=6))
    states = network.at_rest(1)
    network.run(torch.full((1, 3, 1), 5.0), states)
    # the scale is 8, that of the weight; the potential stops at -32 of it
    assert states.stages[0].get("v_mem").item() == -4.0


def test_a_layer_gets_the_mean_of_its_thresholds() -> None:
    model = nn.Sequential(
        nn.Linear(1, 2, bias=False), IAF(spike_threshold=torch.tensor([1.0, 3.0]))
    )
    model[0].weight.data = torch.ones(2, 1)
    x = torch.full((1, 1, 1), 6.0)
    assert run(model, x).outputs.flatten().tolist() == [6, 2]
    got = run(model, x, limits=ChipLimits(one_threshold_per_layer=True))
    assert got.outputs.flatten().tolist() == [3, 3]


@pytest.mark.parametrize("order", ORDERS)
def test_a_decimator_passes_one_of_n(order: str) -> None:
    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    first.weight.data = second.weight.data = torch.ones(1, 1)
    model = nn.Sequential(first, IAF(), second, IAF())
    x = torch.tensor([2.0, 2.0, 5.0]).reshape(1, 3, 1)
    got = run(model, x, order, limits=ChipLimits(decimate={"1": 3}))
    assert got.outputs.flatten().tolist() == [0, 1, 2]  # the 3rd, 6th and 9th
    assert got.spikes[0].tolist() == [[2, 2, 5]]
    with pytest.raises(ValueError, match="names a layer '4'"):
        run(model, x, order, limits=ChipLimits(decimate={"4": 3}))
    with pytest.raises(ValueError, match=r"'2', and there are no neurons .* Did you mean '[13]'\?"):
        run(model, x, order, limits=ChipLimits(decimate={"2": 3}))


def test_a_layer_that_gives_out_values_has_no_decimator() -> None:
    model = nn.Sequential(nn.Linear(1, 1), IAF(), nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"names a layer '2'.* Did you mean '1'"):
        run(model, torch.zeros(1, 1, 1), "depth", limits=ChipLimits(decimate={"2": 3}))


def test_a_full_queue_says_what_it_lost() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), IAF(), nn.Linear(4, 1, bias=False), IAF())
    for layer in (model[0], model[2]):
        nn.init.ones_(layer.weight)
    x = torch.ones(1, 2, 3)
    limits = ChipLimits(queue_length=2)
    wide, deep = (run(model, x, order, limits=limits) for order in ORDERS)
    # breadth: 2 of 3 input events pass, each makes 4 spikes, of which 2 in all pass
    assert {name: n.tolist() for name, n in wide.dropped.items()} == {"input": [2], "1": [12]}
    assert wide.outputs.flatten().tolist() == [2, 2]
    # depth: each of the 3 input events makes 4 spikes, of which 2 pass
    assert {name: n.tolist() for name, n in deep.dropped.items()} == {"1": [12]}
    assert deep.outputs.flatten().tolist() == [6, 6]
    assert run(model, x, limits=ChipLimits(queue_length=4)).dropped == {}


# ---- errors


@pytest.mark.parametrize("order", ORDERS)
def test_a_loop_without_end_is_an_error_that_leaves_the_states(order: str) -> None:
    feedback = nn.Linear(2, 2, bias=False)
    nn.init.constant_(feedback.weight, 1.0)
    model = nn.Sequential(nn.Linear(1, 2, bias=False), IAFRecurrent(feedback))
    nn.init.constant_(model[0].weight, 0.75)
    network = ordered(model, torch.ones(1, 1, 1), order)
    states = network.at_rest(2)
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).reshape(2, 2, 1)
    with pytest.raises(RuntimeError, match="step 1 of sample 1 the recurrent layer '1'"):
        network.run(x, states)
    assert states.stages[0].get("v_mem").abs().sum() == 0


@pytest.mark.parametrize("order", ORDERS)
def test_queues_grow_as_far_as_they_have_to(order: str) -> None:
    first, second = nn.Linear(1, 60, bias=False), nn.Linear(60, 60, bias=False)
    model = nn.Sequential(first, IAF(), second, LIFRecurrent(20.0, nn.Linear(60, 60, bias=False)))
    nn.init.ones_(first.weight)
    nn.init.ones_(second.weight)
    nn.init.zeros_(model[3].rec_connect.weight)
    model[3].norm_input = False
    got = run(model, torch.full((1, 1, 1), 15.0), order)
    assert got.spikes[1].item() == 15 * 60 * 60  # 54,000 entries of a queue


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 2), ALIF(5.0, 5.0)),
            {},
            "layer '1' .ALIF. cannot run asynchronously",
        ),
        (
            nn.Sequential(nn.Linear(2, 2), ExpLeak(5.0), nn.Linear(2, 2), IAF()),
            {},
            "layer '1' .ExpLeak. gives out",
        ),
        (
            nn.Sequential(nn.Linear(2, 2), LIF(5.0, tau_syn=5.0)),
            {"leak": "tick"},
            "layer '1' .LIF. has a synaptic",
        ),
    ],
)
def test_what_cannot_run_is_named(model: nn.Module, options: Any, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        run(model, torch.ones(1, 1, 2), **options)


def test_wrong_arguments_are_named() -> None:
    model, x = linear_net(), torch.ones(1, 1, 6)
    with pytest.raises(ValueError, match="order is 'deep', expected one of 'breadth', 'depth'"):
        run(model, x, "deep")
    with pytest.raises(ValueError, match=r"leak is 'ticks'.* Did you mean 'tick'"):
        run(model, x, leak="ticks")
    with pytest.raises(ValueError, match="tick_steps is 0"):
        run(model, x, tick_steps=0)
    with pytest.raises(ValueError, match="no weight_bits"):
        ChipLimits(state_bits=16)
    with pytest.raises(ValueError, match=r"input\[0, 0, 3\] is nan"):
        run(
            model,
            x.index_put(
                (torch.tensor(0), torch.tensor(0), torch.tensor(3)), torch.tensor(torch.nan)
            ),
        )


def test_a_reset_by_another_value_than_the_threshold() -> None:
    model = nn.Sequential(
        nn.Linear(1, 1, bias=False), IAF(spike_fn=MaxSpike(2), reset_fn=MembraneSubtract(0.5))
    )
    model[0].weight.data = torch.tensor([[3.5]])
    # 3.5: two spikes, 2.5 left; at the beginning of the next step two more: 1.5 left, and then 5 makes two
    x = torch.tensor([1.0, 1.0]).reshape(1, 2, 1)
    assert run(model, x).outputs.flatten().tolist() == [2, 4]
