"""What is special to neurons that hear their own spikes."""

import copy
import math
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from picojoule.layers import (
    IAF,
    LIF,
    ALIFRecurrent,
    IAFRecurrent,
    LIFRecurrent,
    reset_states,
    zero_grad,
)


def linear(weight: float, bias: float | None = None) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=bias is not None)
    layer.weight.data.fill_(weight)
    if bias is not None:
        layer.bias.data.fill_(bias)
    return layer


def test_spikes_come_back_one_step_later_bias_included() -> None:
    # by hand: v = 1.0 fires; + 0.5 - 0.4 + 0.25 = 0.35; silent steps feed back the bias alone
    layer = IAFRecurrent(linear(-0.4, bias=0.25), record_states=True)
    spikes = layer(torch.tensor([[[1.0], [0.5], [0.5], [0.0]]]))
    assert spikes.flatten().tolist() == [1.0, 0.0, 1.0, 0.0]
    v = layer.recordings["v_mem"].flatten().tolist()
    assert v == pytest.approx([0.0, 0.35, 0.1, -0.05], abs=1e-6)


def test_the_synaptic_current_filters_the_feedback() -> None:
    alpha = math.exp(-1 / 2)
    layer = IAFRecurrent(linear(0.5), tau_syn=2.0, record_states=True)
    layer(torch.tensor([[[2.0], [0.0]]]))
    # the first step's i_syn, 2 alpha = 1.21, fires once; 0.5 comes back into the second's
    expected = alpha * (2 * alpha + 0.5)
    assert layer.recordings["i_syn"][0, 1].item() == pytest.approx(expected)


@pytest.mark.parametrize("cut", [1, 4, 9])
@pytest.mark.parametrize("bias", [False, True])
def test_two_halves_equal_the_whole_for_every_neuron(cut: int, bias: bool) -> None:
    torch.manual_seed(1)
    connect = nn.Linear(6, 6, bias=bias)
    whole = LIFRecurrent(5.0, connect, norm_input=False)
    halves = copy.deepcopy(whole)
    x = torch.rand(3, 10, 6)
    parts = torch.cat([halves(x[:, :cut]), halves(x[:, cut:])], dim=1)
    assert torch.equal(whole(x), parts)
    assert parts.sum() > 0


def test_without_weights_it_is_the_neuron_alone() -> None:
    x = 2 * torch.rand(2, 15, 1)
    assert torch.equal(LIFRecurrent(5.0, linear(0.0))(x), LIF(5.0)(x))
    assert torch.equal(IAFRecurrent(linear(0.0))(x), IAF()(x))


def test_gradients_reach_the_connection_through_time() -> None:
    layer = IAFRecurrent(linear(0.3))
    layer(torch.full((1, 6, 1), 0.7)).sum().backward()
    assert layer.rec_connect.weight.grad.item() != 0
    layer.zero_grad()
    assert layer.rec_connect.weight.grad.item() == 0
    assert not layer.i_rec.requires_grad


def test_resetting_reaches_nested_layers_and_spares_the_connections_buffers() -> None:
    connect = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4))
    model = nn.Sequential(nn.Sequential(LIFRecurrent(5.0, connect)))
    model(3 * torch.rand(2, 10, 4))
    statistics = connect[0].running_mean.clone()
    layer = model[0][0]
    assert layer.v_mem.any()
    zero_grad(model)
    reset_states(model)
    assert not layer.v_mem.any()
    assert not layer.i_rec.any()
    assert torch.equal(connect[0].running_mean, statistics)
    assert statistics.any()


def test_after_a_reset_there_is_no_feedback_not_even_the_bias() -> None:
    layer = IAFRecurrent(linear(0.5, bias=0.3))
    x = torch.rand(1, 8, 1)
    first = layer(x)
    reset_states(layer)
    assert torch.equal(layer(x), first)


def test_any_shape_of_neurons_may_be_connected_by_a_module_that_flattens() -> None:
    connect = nn.Sequential(nn.Flatten(), nn.Linear(12, 12))
    layer = ALIFRecurrent(5.0, 4.0, connect)
    assert layer(torch.rand(2, 7, 3, 2, 2)).shape == (2, 7, 3, 2, 2)
    assert layer.i_rec.shape == (2, 3, 2, 2)


def test_a_connection_of_another_shape_is_named_and_leaves_the_state() -> None:
    layer = LIFRecurrent(5.0, nn.Linear(3, 4))
    with pytest.raises(ValueError, match=r"connection made \(2, 4\) of spikes of shape \(2, 3\)"):
        layer(torch.rand(2, 5, 3))
    assert layer.shape is None


def test_a_connection_that_is_no_module_is_named() -> None:
    with pytest.raises(TypeError, match="IAFRecurrent: rec_connect is float, expected a module"):
        IAFRecurrent(0.5)  # type: ignore[arg-type]


def test_a_shape_given_at_the_start_holds_for_the_feedback_too() -> None:
    layer = LIFRecurrent(5.0, nn.Linear(3, 3), shape=(2, 3))
    assert layer.i_rec.shape == layer.v_mem.shape == (2, 3)
    assert layer.is_state_initialised()


@pytest.mark.parametrize("kind", ["LIFRecurrent", "IAFRecurrent", "ALIFRecurrent"])
@pytest.mark.parametrize("bias", [False, True])
def test_one_call_gives_what_sinabs_gives(kind: str, bias: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = pytest.importorskip("sinabs.layers")
    import picojoule.layers as ours

    torch.manual_seed(4)
    connect = nn.Linear(5, 5, bias=bias)
    taus = {"LIFRecurrent": [6.0], "IAFRecurrent": [], "ALIFRecurrent": [6.0, 4.0]}[kind]
    x = 2 * torch.rand(3, 20, 5)
    results = []
    for library in (ours, theirs):
        own = copy.deepcopy(connect)
        layer = getattr(library, kind)(*taus, own)
        data = x.clone().requires_grad_()
        out = layer(data)
        out.sum().backward()
        results.append((out, layer.v_mem, data.grad, own.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
