"""A user's own spike function, reset and surrogate work in every layer."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from picojoule.activation import MaxSpike, MembraneReset, MultiSpike, SingleExponential, SingleSpike
from picojoule.layers import ALIF, IAF, LIF
from picojoule.ops import alif, lif

pytestmark = pytest.mark.filterwarnings("ignore::picojoule.SlowPathNote")


class SignedSpike(torch.autograd.Function):
    """A spike of either sign, written as users of sinabs write theirs."""

    required_states = ("v_mem",)

    @staticmethod
    def forward(ctx: Any, v_mem: Tensor, threshold: Tensor, surrogate: Any) -> Tensor:
        ctx.save_for_backward(v_mem, threshold)
        ctx.surrogate = surrogate
        return (v_mem.abs() >= threshold) * v_mem.sign()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        v_mem, threshold = ctx.saved_tensors
        return grad * ctx.surrogate(v_mem.abs(), threshold), None, None


def halve(spikes: Tensor, state: dict[str, Tensor], threshold: Tensor) -> dict[str, Tensor]:
    """A reset that halves the potential of what fired."""
    return {**state, "v_mem": torch.where(spikes != 0, state["v_mem"] / 2, state["v_mem"])}


def flat(v_mem: Tensor, threshold: Tensor) -> Tensor:
    """A surrogate of slope 2 everywhere."""
    return torch.full_like(v_mem, 2.0)


def test_an_autograd_function_serves_as_spike_function() -> None:
    layer = IAF(spike_fn=SignedSpike)
    x = torch.tensor([[[0.75, -0.75], [0.75, -0.75]]], requires_grad=True)
    spikes = layer(x)
    assert spikes.tolist() == [[[0.0, 0.0], [1.0, -1.0]]]
    spikes.sum().backward()
    assert (x.grad != 0).all()


def test_a_function_serves_as_reset() -> None:
    layer = IAF(reset_fn=halve, spike_fn=SingleSpike)
    layer(torch.tensor([[[1.5]]]))
    assert layer.v_mem.item() == 0.75


def test_a_function_serves_as_surrogate() -> None:
    x = torch.tensor([[[5.0]]], requires_grad=True)
    IAF(surrogate_grad_fn=flat)(x).sum().backward()
    assert x.grad.item() == 2.0


@pytest.mark.parametrize("spike", [SingleSpike, MultiSpike, MaxSpike])
def test_a_class_stands_for_its_default_instance(spike: Any) -> None:
    x = 3 * torch.rand(2, 10, 3)
    assert torch.equal(IAF(spike_fn=spike)(x), IAF(spike_fn=spike())(x))


def test_a_half_precision_layer_leaks_as_exactly_as_a_single_precision_one() -> None:
    # exp(-1/100) is 0.99005; the nearest bfloat16 is 0.98828, a tau of 85
    layer = LIF(tau_mem=100.0).bfloat16()
    assert layer.alpha_mem_calculated.item() == pytest.approx(0.99005, abs=1e-5)


WRONG = [
    ("spike", "multi", "is 'multi', expected one with apply"),
    ("spike", lambda v, threshold: v, "expected one with apply"),
    ("reset", "hold", "is 'hold', expected a function of (spikes, state, threshold)"),
    ("reset", None, "is None, expected a function of (spikes, state, threshold)"),
    ("reset", MembraneReset, "is the class MembraneReset, expected an instance, MembraneReset()"),
    ("surrogate", 0.5, "is 0.5, expected a function of (v_mem, threshold)"),
    ("surrogate", SingleExponential, "is the class SingleExponential, expected an instance"),
]
LAYER_NAMES = {"spike": "spike_fn", "reset": "reset_fn", "surrogate": "surrogate_grad_fn"}


@pytest.mark.parametrize(("name", "part", "message"), WRONG)
def test_what_cannot_serve_is_refused_where_it_is_given(name: str, part: Any, message: str) -> None:
    layers: dict[str, Any] = {
        "IAF": IAF,
        "LIF": lambda **given: LIF(20.0, **given),
        "ALIF": lambda **given: ALIF(20.0, 20.0, **given),
    }
    for owner, make in layers.items():
        with pytest.raises(TypeError, match=re.escape(f"{owner}: {LAYER_NAMES[name]} ")) as told:
            make(**{LAYER_NAMES[name]: part})
        assert message in str(told.value)
    current = torch.ones(1, 2, 3)
    for op, call in {
        "lif": lambda **given: lif(current, alpha_mem=0.5, **given),
        "alif": lambda **given: alif(current, alpha_mem=0.5, alpha_adapt=0.5, **given),
    }.items():
        with pytest.raises(TypeError, match=re.escape(f"{op}: {name} ")) as told:
            call(**{name: part})
        assert message in str(told.value)


def test_a_neuron_that_adapts_to_its_spikes_has_some() -> None:
    with pytest.raises(TypeError, match="ALIF: spike_fn is None, expected one with apply"):
        ALIF(20.0, 20.0, spike_fn=None)  # type: ignore[arg-type]
    assert not LIF(20.0, spike_fn=None).does_spike
