"""States and parameters where sinabs 3.1.3 is wrong: one test for each case that sinabs gets wrong.

The case numbers are those of the list of findings that the compatibility table cites. What holds for
every neuron is in tests/contracts; here are the examples one can follow by hand.
"""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from picojoule import reset_states, zero_grad
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ALIFRecurrent,
    ExpLeak,
    IAFRecurrent,
    LIFRecurrent,
)


def steps(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1)


def three_layers() -> nn.Sequential:
    return nn.Sequential(IAF(), LIF(tau_mem=5.0), IAF())


def test_loading_thresholds_1_2_3_into_a_default_network_gives_1_2_3() -> None:  # S1
    model = three_layers()
    saved = model.state_dict() | {f"{i}.spike_threshold": torch.tensor(i + 1.0) for i in range(3)}
    model.load_state_dict(saved)
    assert [layer.spike_threshold.item() for layer in model] == [1.0, 2.0, 3.0]
    assert IAF().spike_threshold.item() == 1.0
    assert [layer.spike_threshold.item() for layer in three_layers()] == [1.0, 1.0, 1.0]


def test_two_layers_given_one_tau_are_each_trained_once() -> None:  # S2
    tau = nn.Parameter(torch.tensor(5.0))
    layers = nn.Sequential(LIF(tau_mem=tau), LIF(tau_mem=tau), ExpLeak(tau_mem=tau))
    assert len({id(p) for p in layers.parameters() if p.requires_grad}) == 3
    layers[0].tau_mem.data.fill_(9.0)
    assert tau.item() == layers[1].tau_mem.item() == layers[2].tau_mem.item() == 5.0


def test_a_layer_built_from_anothers_arguments_shares_nothing_with_it() -> None:  # S44
    layer = LIF(tau_mem=5.0, tau_syn=3.0, spike_threshold=2.0)
    twin = LIF(**layer.arg_dict)
    twin.spike_threshold.data.fill_(7.0)
    twin.tau_mem.data.fill_(8.0)
    assert (layer.spike_threshold.item(), layer.tau_mem.item()) == (2.0, 5.0)


def test_resetting_to_a_value_sets_those_that_fired_and_leaves_the_others() -> None:  # S4
    layer = IAF(spike_fn=SingleSpike, reset_fn=MembraneReset(-0.5), record_states=True)
    spikes = layer(steps(0.0, 0.0, 0.75, 0.5, 0.25))
    assert spikes.flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert layer.recordings["v_mem"].flatten().tolist() == [0.0, 0.0, 0.75, -0.5, -0.25]


RECURRENT: dict[str, Any] = {
    "IAFRecurrent": lambda connect: IAFRecurrent(connect),
    "LIFRecurrent": lambda connect: LIFRecurrent(5.0, connect),
    "ALIFRecurrent": lambda connect: ALIFRecurrent(5.0, 4.0, connect),
}


@pytest.mark.parametrize("nested", [False, True], ids=["bare", "nested"])
@pytest.mark.parametrize("build", RECURRENT.values(), ids=list(RECURRENT))
def test_resetting_reaches_recurrent_layers_and_never_their_batch_norm(  # S5, S6, S7
    build: Any, nested: bool
) -> None:
    connect = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4))
    layer = build(connect)
    model = nn.ModuleDict({"block": nn.Sequential(layer)}) if nested else layer
    layer(4 * torch.rand(3, 8, 4)).sum().backward()
    statistics = copy.deepcopy(dict(connect.named_buffers()))
    assert statistics["0.running_mean"].any()
    before = {name: state.detach().clone() for name, state in layer.states().items()}
    assert connect[1].weight.grad.any()
    zero_grad(model)
    assert not connect[1].weight.grad.any()
    for name, state in layer.states().items():
        assert torch.equal(state, before[name])
        assert not state.requires_grad
    reset_states(model)
    assert not any(state.any() for state in layer.states().values())
    layer.reset_states(randomize=True)
    layer.init_state_with_shape((2, 4))
    for name, buffer in connect.named_buffers():
        assert torch.equal(buffer, statistics[name]), name


@pytest.mark.parametrize("build", [*RECURRENT.values()], ids=list(RECURRENT))
def test_the_feedback_of_the_last_step_reaches_the_next_call(build: Any) -> None:  # S24
    connect = nn.Linear(1, 1)
    nn.init.constant_(connect.weight, 0.0)
    nn.init.constant_(connect.bias, 100.0)
    layer = build(connect)
    layer(steps(0.0))
    assert layer(steps(0.0)).item() > 0  # the bias alone, one step later


def test_alif_keeps_its_synaptic_current_and_normalises_the_input_alone() -> None:  # S16, S17
    layer = ALIF(tau_mem=20.0, tau_adapt=5.0, tau_syn=10.0, spike_threshold=100.0)
    twin = LIF(tau_mem=20.0, tau_syn=10.0, spike_threshold=100.0)
    for x in (1.0, 0.0, 0.0):
        layer(steps(x)), twin(steps(x))
    assert torch.equal(layer.i_syn, twin.i_syn)
    assert torch.equal(layer.v_mem, twin.v_mem)
    assert layer.i_syn.item() == pytest.approx(2.718281828 ** (-3 / 10))


def test_the_threshold_of_alif_is_that_of_rest_after_a_reset() -> None:  # S21
    layer = ALIF(tau_mem=5.0, tau_adapt=5.0, spike_threshold=0.5, norm_input=False)
    layer(steps(1.0, 1.0, 1.0))
    assert layer.spike_threshold.item() > 0.5
    layer.reset_states(randomize=True)
    assert torch.equal(layer.spike_threshold, 0.5 + 1.8 * layer.b)
    layer.reset_states()
    assert layer.spike_threshold.item() == 0.5


@pytest.mark.parametrize(
    "layer",
    [
        IAF(record_states=True),
        IAFRecurrent(nn.Threshold(1e9, 0.0), record_states=True),
        ALIF(1e9, 5.0, adapt_scale=0.0, norm_input=False, record_states=True),
        ALIFRecurrent(
            1e9, 5.0, nn.Threshold(1e9, 0.0), adapt_scale=0.0, norm_input=False, record_states=True
        ),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_recordings_hold_each_steps_own_potential(layer: Any) -> None:  # S18
    layer(steps(0.6, 0.6, 0.6, 0.6))
    recorded = layer.recordings["v_mem"].flatten().tolist()
    assert recorded == pytest.approx([0.6, 0.2, 0.8, 0.4], abs=1e-6)


@pytest.mark.parametrize(("bound", "value"), [(-32768.0, 0.1), (-1e8, 0.7)])
@pytest.mark.parametrize("build", [IAF, lambda **k: ALIF(1e9, 5.0, norm_input=False, **k)])
def test_a_lower_bound_does_not_round_what_lies_above_it(  # S23
    build: Any, bound: float, value: float
) -> None:
    layer = build(min_v_mem=bound)
    layer(steps(value))
    assert layer.v_mem.item() == torch.tensor(value).item()
    layer(steps(-1e9))
    assert layer.v_mem.item() == bound


def test_a_changed_batch_starts_from_zeros_in_every_layer_and_each_says_so_once() -> None:  # S25
    def build() -> nn.Sequential:
        return nn.Sequential(IAF(), LIF(tau_mem=5.0, spike_threshold=2.0, norm_input=False))

    model = build()
    model(torch.full((3, 4, 2), 0.4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for batch in (2, 3, 2, 5):
            output = model(torch.full((batch, 4, 2), 0.4))
    assert [str(w.message).split(":")[0] for w in caught] == ["IAF", "LIF"]
    assert torch.equal(output, build()(torch.full((5, 4, 2), 0.4)))
    assert torch.equal(model[1].v_mem[0], model[1].v_mem[4])
    assert model[1].v_mem.any()


def test_a_copy_keeps_what_the_constructor_was_told() -> None:  # S12, S13
    layer = ALIF(tau_mem=5.0, tau_adapt=5.0, norm_input=False, train_alphas=True)
    twin = copy.deepcopy(layer)
    assert repr(twin) == repr(layer)
    assert (twin.norm_input, twin.train_alphas) == (False, True)
    assert ALIF(**layer.arg_dict).norm_input is False


@pytest.mark.parametrize("value", [3, [2, 3], [2.0, 3.0], torch.tensor([2, 3])])
def test_time_constants_may_be_whole_numbers_and_one_for_each_neuron(
    value: Any,
) -> None:  # S19, S20
    given = torch.as_tensor(value)
    for layer in (LIF(5.0, tau_syn=given), ALIF(5.0, 5.0, tau_syn=given), ExpLeak(given)):
        assert layer(torch.rand(3, 4, 2)).shape == (3, 4, 2)
        assert layer.i_syn is None or torch.equal(layer.tau_syn, given.float())


@pytest.mark.parametrize(
    "build", [lambda th: IAF(th), lambda th: ALIF(5.0, 5.0, spike_threshold=th)]
)
@pytest.mark.parametrize("threshold", [float("inf"), float("nan"), 0.0, -1.0])
def test_a_threshold_that_makes_no_sense_is_named(build: Any, threshold: float) -> None:
    with pytest.raises(
        ValueError, match=r"spike_threshold is .*, expected spike_threshold > 0 and"
    ):
        build(threshold)
