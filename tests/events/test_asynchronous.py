"""`compile(order=...)`: asynchronous execution behind the model's interface."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from picojoule import events, layers
from picojoule.activation import MaxSpike
from picojoule.events.orders import Order
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
    for value in (2.0**24, 1.0, 1.0):
        made(torch.tensor([[[value, 0.0, 0.0]]]))
    assert made.report().rows[1].firing_rate == (2**24 + 2) / 9  # a neuron and step
    made(torch.ones(3, 2, 3))
    assert made.report().rows[1].firing_rate == (2**24 + 2 + 18) / 27
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


ENDS = {
    "a potential": (nn.Linear(2, 3, bias=False), 1e12),
    "a bias": (nn.Linear(2, 3), 1e12),
    "a convolution": (nn.Conv2d(1, 3, 1, bias=False), 1e12),
    "no end": (nn.Linear(2, 3, bias=False), 3e38),
}


@pytest.mark.parametrize("order", ["breadth", "depth"])
@pytest.mark.parametrize("what", ENDS)
def test_more_spikes_at_once_than_can_be_followed_are_an_error(what: str, order: Order) -> None:
    layer, size = ENDS[what]
    model = nn.Sequential(layer, layers.IAFSqueeze(batch_size=2, spike_threshold=0.5))
    with torch.no_grad():
        layer.weight.zero_()
        (layer.weight if layer.bias is None else layer.bias)[1] = size
    x = torch.zeros(4, 1, 2, 2) if isinstance(layer, nn.Conv2d) else torch.zeros(4, 2)
    x[3, ..., 1] = 2.0
    made = events.compile(model, x, order=order)
    with pytest.raises(RuntimeError, match=r"neuron \[1[, 01]*\] of layer '1' has the potential"):
        made(x)
    assert made.report().samples == 0


@pytest.mark.parametrize("order", ["breadth", "depth"])
def test_as_many_spikes_as_can_be_followed_are_fired(order: Order) -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), layers.IAF())
    with torch.no_grad():
        model[0].weight.fill_(2.0**24)
    x = torch.ones(1, 1, 1)
    assert events.compile(model, x, order=order)(x).item() == 2**24
    with torch.no_grad():
        model[0].weight.mul_(2)
    limited = nn.Sequential(model[0], layers.IAF(spike_fn=MaxSpike(3)))
    assert events.compile(limited, x, order=order)(x).item() == 3
    with pytest.raises(RuntimeError, match=r"3\.3.*e\+07"):
        events.compile(model, x, order=order)(x)
