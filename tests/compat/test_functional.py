"""The functional forms give what sinabs' give, and go on from the state they return."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.activation import MembraneSubtract, MultiSpike, SingleExponential, SingleSpike
from picojoule.compat.sinabs import functional_alif, functional_lif

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sinabs")
    their_lif = importlib.import_module("sinabs.layers.functional.lif")
    their_alif = importlib.import_module("sinabs.layers.functional.alif")
    their_activation = importlib.import_module("sinabs.activation")

LIF: dict[str, Any] = {"alpha_mem": 0.8, "spike_threshold": 1.0, "norm_input": True}
ALIF: dict[str, Any] = {
    "alpha_mem": 0.8,
    "alpha_adapt": 0.6,
    "adapt_scale": 1.8,
    "b0": 1.0,
    "norm_input": False,
}


def zeros(*names: str) -> dict[str, Tensor]:
    return {name: torch.zeros(2, 3) for name in names}


def parts(module: Any, spike: str) -> dict[str, Any]:
    return {
        "spike_fn": getattr(module, spike),
        "reset_fn": module.MembraneSubtract(),
        "surrogate_grad_fn": module.SingleExponential(),
    }


OURS = {
    "MultiSpike": {
        "spike_fn": MultiSpike,
        "reset_fn": MembraneSubtract(),
        "surrogate_grad_fn": SingleExponential(),
    },
    "SingleSpike": {
        "spike_fn": SingleSpike,
        "reset_fn": MembraneSubtract(),
        "surrogate_grad_fn": SingleExponential(),
    },
}


@pytest.mark.parametrize("alpha_syn", [None, 0.5])
@pytest.mark.parametrize("min_v_mem", [None, -0.25])
@pytest.mark.parametrize("recurrent", [False, True])
def test_lif_is_sinabs(alpha_syn: float | None, min_v_mem: float | None, recurrent: bool) -> None:
    name = "lif_recurrent" if recurrent else "lif_forward"
    more: dict[str, Any] = {"rec_connect": nn.Tanh()} if recurrent else {}
    more |= {**LIF, "alpha_syn": alpha_syn, "min_v_mem": min_v_mem}
    states = ["v_mem"] if alpha_syn is None else ["v_mem", "i_syn"]
    data = 3 * torch.randn(2, 6, 3)
    want, want_state, _ = getattr(their_lif, name)(
        data, state=zeros(*states), **more, **parts(their_activation, "MultiSpike")
    )
    got, got_state, recordings = getattr(functional_lif, name)(
        data, state=zeros(*states), record_states=True, **more, **OURS["MultiSpike"]
    )
    torch.testing.assert_close(got, want)
    for state in states:
        torch.testing.assert_close(got_state[state], want_state[state])
        torch.testing.assert_close(recordings[state][:, -1], want_state[state])


@pytest.mark.parametrize("alpha_syn", [None, 0.5])
@pytest.mark.parametrize("recurrent", [False, True])
def test_alif_is_sinabs(alpha_syn: float | None, recurrent: bool) -> None:
    name = "alif_recurrent" if recurrent else "alif_forward"
    more: dict[str, Any] = {"rec_connect": nn.Tanh()} if recurrent else {}
    more |= {**ALIF, "alpha_syn": alpha_syn, "min_v_mem": -0.25}
    states = ["v_mem", "b"] if alpha_syn is None else ["v_mem", "b", "i_syn"]
    data = 3 * torch.randn(2, 6, 3)
    want, want_state, _ = getattr(their_alif, name)(
        data, state=zeros(*states), **more, **parts(their_activation, "SingleSpike")
    )
    got, got_state, recordings = getattr(functional_alif, name)(
        data, state=zeros(*states), record_states=True, **more, **OURS["SingleSpike"]
    )
    torch.testing.assert_close(got, want)
    for state in [*states, "spike_threshold"]:
        torch.testing.assert_close(got_state[state], want_state[state])
        torch.testing.assert_close(recordings[state][:, -1], want_state[state])


FORMS: list[tuple[Callable[..., Any], dict[str, Any], list[str]]] = [
    (functional_lif.lif_forward, {**LIF, **OURS["MultiSpike"]}, ["v_mem", "i_syn"]),
    (
        functional_lif.lif_recurrent,
        {**LIF, **OURS["MultiSpike"], "rec_connect": nn.Tanh()},
        ["v_mem", "i_syn"],
    ),
    (functional_alif.alif_forward, {**ALIF, **OURS["SingleSpike"]}, ["v_mem", "b", "i_syn"]),
    (
        functional_alif.alif_recurrent,
        {**ALIF, **OURS["SingleSpike"], "rec_connect": nn.Tanh()},
        ["v_mem", "b", "i_syn"],
    ),
]


@pytest.mark.parametrize(
    ("form", "more", "states"), FORMS, ids=lambda x: getattr(x, "__name__", "")
)
def test_two_halves_give_the_whole(
    form: Callable[..., Any], more: dict[str, Any], states: list[str]
) -> None:
    more = {**more, "alpha_syn": 0.5, "min_v_mem": None}
    data, start = 3 * torch.randn(2, 6, 3), zeros(*states)
    whole, _, _ = form(data, state=start, **more)
    first, state, _ = form(data[:, :2], state=start, **more)
    second, _, _ = form(data[:, 2:], state=state, **more)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert list(start) == states
    assert not any(value.any() for value in start.values()), "the dict handed in was changed"


def test_single_steps_make_the_sequence() -> None:
    more = {**LIF, "alpha_syn": 0.5, "min_v_mem": None, **OURS["MultiSpike"]}
    data, state = 3 * torch.randn(2, 6, 3), zeros("v_mem", "i_syn")
    whole, _, _ = functional_lif.lif_forward(data, state=state, **more)
    for step, want in zip(data.unbind(1), whole.unbind(1), strict=True):
        got, state = functional_lif.lif_forward_single(step, state=state, **more)
        assert torch.equal(got, want)
