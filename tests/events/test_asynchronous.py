"""`compile(order=...)`: asynchronous execution behind the model's interface."""

from __future__ import annotations

import pytest
import torch

from picojoule import events
from tests.events.networks import BATCH, STEPS, network


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
