"""`compile(order=...)`: asynchronous execution behind the model's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from picojoule import events, layers
from picojoule.activation import MultiSpike, SingleSpike, SpikeFunction
from picojoule.events.orders import Order
from picojoule.events.orders import network as ordered
from picojoule.synops.watch.count import Weights
from tests.events.networks import BATCH, STEPS, network
from tests.events.test_against_pytorch import check_reports, half_pruned, monitored


@pytest.mark.parametrize("order", ["breadth", "depth"])
def test_two_halves_give_the_whole_and_a_reset_begins_anew(order: str) -> None:
    model, x = network("leak")
    made = events.compile(model, x, order=order)
    whole = made(x)
    made.reset()
    halves = torch.cat([made(x[:, :3]), made(x[:, 3:])], 1)
    assert torch.equal(halves, whole)
    assert whole.shape == model(x).shape
    assert {name: count.shape for name, count in made.synops.items()} == {
        "0": (BATCH, 3), "2": (BATCH, 3), "4": (BATCH, 3)
    }  # fmt: skip
    assert "order=" in repr(made)


def test_folded_axes_are_the_models_and_no_rivals_make_pytorchs_spikes() -> None:
    model, x = network("lenet")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.abs_().div_(8)  # small enough for all sums to be exact
        expected = model(x)
    made = events.compile(model, x, order="depth", arrival="random")
    assert made(x).shape == (BATCH * STEPS, 10)
    made.reset()
    assert torch.equal(made(x), expected)


@pytest.mark.parametrize(
    "given", [{"leak": "tick"}, {"limits": events.ChipLimits(weight_bits=8)}, {"arrival": "random"}]
)
def test_what_goes_with_an_order_is_refused_without(given: dict[str, object]) -> None:
    model, x = network("leak")
    with pytest.raises(ValueError, match="go with order='breadth' or 'depth'"):
        events.compile(model, x, **given)
    with pytest.raises(ValueError, match="order is 'deep'"):
        events.compile(model, x, order="deep")


def test_an_input_that_is_not_finite_is_refused() -> None:
    model, x = network("leak")
    x[0, 1, 2] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        events.compile(model, torch.zeros_like(x), order="breadth")(x)


# ---- the report

ABELIAN = [
    "lenet", "strides, padding, dilation", "groups, average pooling", "transposed", "three axes", "residual",
    "functions that fold time", "tokens, an analog end", "neurons alone", "repeated",
]  # fmt: skip


@torch.no_grad()
def excited(name: str) -> tuple[nn.Module, Tensor]:
    """A network in which nothing inhibits and nothing leaks: it fires the same spikes in every order."""
    model, x = network(name)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.abs_().div_(4)
    return model, x


@pytest.mark.parametrize("weights", ["all", "nonzero"])
@pytest.mark.parametrize("order", ["breadth", "depth"])
@pytest.mark.parametrize("name", ABELIAN)
def test_where_orders_agree_the_report_is_the_monitors(
    name: str, order: Order, weights: Weights
) -> None:
    model, x = excited(name)
    if weights == "nonzero":
        half_pruned(model)
    expected = monitored(model, x, weights)
    with torch.no_grad():
        outputs = model(x)
    made = events.compile(model, x, order=order, weights=weights)
    assert torch.equal(made(x), outputs)
    assert outputs.any() or weights == "nonzero"
    found = made.report()
    check_reports(found, expected)
    assert found.biases_per_sample == expected.biases_per_sample


@pytest.mark.parametrize("order", ["breadth", "depth"])
def test_the_report_is_of_the_events_that_were_delivered_in_all_calls(order: Order) -> None:
    model, x = network("recurrent")
    with torch.no_grad():
        model[1].rec_connect.weight.div_(8)  # no loop without end
    made, whole = (events.compile(model, x, order=order) for _ in range(2))
    made(x[:, :2]), made(x[:, 2:])
    whole(x)
    assert whole.last is not None
    delivered = whole.last.synops_per_sample().mean().item()
    assert delivered > 0
    assert whole.report().synops_per_sample == delivered == 2 * made.report().synops_per_sample
    assert made.report().samples == 2 * BATCH  # samples times calls, as of an EventNetwork
    fired = {
        row.name: row.firing_rate for row in whole.report().rows if row.firing_rate is not None
    }
    assert fired["1"] == whole.last.spikes[0].sum().item() / (BATCH * STEPS * 12)
    assert whole.peak_synops_per_second(dt_s=0.5, by="network")["network"] == pytest.approx(
        2 * sum(whole.synops.values()).max().item()
    )
    made.reset_count()
    assert made.report().synops_per_sample == made.report().samples == 0


def test_other_batches_are_counted_on_and_so_are_more_spikes_than_float32_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("picojoule.events.states._MOST_UNGATHERED", 0)
    model = nn.Sequential(nn.Linear(3, 3, bias=False), layers.IAF())
    nn.init.eye_(model[0].weight)
    made = events.compile(model, torch.zeros(1, 1, 3), order="depth")
    for value, steps in ((2.0**16, 256), (1.0, 1), (1.0, 1)):
        made(torch.tensor([value, 0, 0]).expand(1, steps, 3))
    assert made.report().rows[1].firing_rate == (2**24 + 2) / (3 * 258)  # a neuron and step
    made(torch.ones(3, 2, 3))
    assert made.report().rows[1].firing_rate == (2**24 + 2 + 18) / (3 * 264)
    assert made.report().samples == 6


def test_values_that_are_no_spikes_are_macs_and_nothing_ran_is_nothing() -> None:
    model, x = network("leak")
    made = events.compile(model, x, order="breadth")
    assert made.report().synops_per_sample == 0
    with pytest.raises(ValueError, match="AsynchronousNetwork: nothing ran yet"):
        made.peak_synops_per_second(dt_s=1)
    made(x / 4)
    first = made.report().rows[0]
    assert (first.synops_per_sample, first.macs_per_sample) == (0, 6 * 200)


def large(order: Order, spike: type[SpikeFunction] = MultiSpike) -> events.AsynchronousNetwork:
    """Two neurons of one input each, the second of weight 1."""
    model = nn.Sequential(
        nn.Linear(2, 2, bias=False),
        layers.IAF(spike_fn=spike()),
        nn.Linear(2, 1, bias=False),
        layers.IAF(),
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
        model[2].weight.fill_(0.25)
    return events.compile(model, torch.zeros(1, 3, 2), order=order)


@pytest.mark.parametrize("order", ["breadth", "depth"])
@pytest.mark.parametrize("size", [7e4 + 0.5, 8_388_607.5])
def test_a_neuron_far_above_its_threshold_is_named_and_nothing_has_run(
    order: Order, size: float
) -> None:
    made, x = large(order), torch.zeros(2, 3, 2)
    x[1, 2, 1] = size
    with pytest.raises(
        ValueError,
        match=r"step 2 of sample 1 neuron \[1\] of '1' .* more than 65,536 spikes .*MaxSpike",
    ):
        made(x)
    assert made.report().synops_per_sample == 0
    x[1, 2, 1] = 4e4 + 0.5
    assert made(x).sum() == 1e4
    once = large(order, SingleSpike)
    x[1, 2, 1] = size
    assert once(x).sum() == 0
    assert once.last is not None
    assert once.last.spikes[0].sum() == 1


@pytest.mark.parametrize("order", ["breadth", "depth"])
@pytest.mark.parametrize("size", [65_537, -1e6, 2.0**24, -(2.0**40), 3.4e38])
def test_a_number_of_too_many_events_is_named_and_nothing_has_run(
    order: Order, size: float
) -> None:
    made, x = large(order), torch.zeros(2, 3, 2)
    x[1, 2, 0] = size
    with pytest.raises(ValueError, match=r"input\[1, 2, 0\] is -?[0-9,]+, .* 65,536 at most"):
        made(x)
    assert made.report().synops_per_sample == 0
    x[1, 2, 0] = 2**16
    assert made(x).sum() == 2**14


@pytest.mark.parametrize("order", ["breadth", "depth"])
def test_each_recurrent_layer_has_its_own_limit_of_loops(order: str) -> None:
    large, small = nn.Linear(40, 40, bias=False), nn.Linear(1, 1, bias=False)
    model = nn.Sequential(
        nn.Linear(1, 40, bias=False),
        layers.IAFRecurrent(rec_connect=large),  # hears 30 * 40 = 1200 of its own spikes, of 40,000
        nn.Linear(40, 1, bias=False),
        layers.IAFRecurrent(rec_connect=small),  # hears 18, of 1,000
    )
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[2].weight.fill_(1 / 64)
        large.weight.zero_()
        small.weight.zero_()
    x = torch.full((1, 1, 1), 30.0)
    assert events.compile(model, x, order=order)(x).sum() == 30 * 40 // 64


@pytest.mark.parametrize("order", ["breadth", "depth"])
def test_an_interrupted_call_leaves_the_states_as_they_were(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[0.3, 0.1]])
    x, silence = torch.tensor([[[1.0, 0.0]]]), torch.zeros(1, 1, 2)
    limits = events.ChipLimits(weight_bits=8, state_bits=16)
    made = events.compile(nn.Sequential(layer, layers.IAF()), x, order=order, limits=limits)
    made(x)  # the potential is 0.3 of a threshold of 1
    share_out = ordered.share_out

    def interrupted(*args: Any) -> None:
        share_out(*args)
        raise KeyboardInterrupt  # a signal during the kernel comes when it returns

    with monkeypatch.context() as patched:
        patched.setattr(ordered, "share_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made(x)
    assert made(silence).sum() == 0
    assert [made(x).sum().item() for _ in range(3)] == [0, 0, 1]  # 0.6, 0.9, 1.2


def test_numpy_counts_a_decimation_too() -> None:
    model, x = network("leak")
    runs = [
        events.compile(model, x, order="depth", limits=events.ChipLimits(decimate=n))(x)
        for n in (2, np.int64(2))
    ]
    assert torch.equal(*runs)
