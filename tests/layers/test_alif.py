"""What is special to the adaptive neuron layer."""

import pytest
import torch

from picojoule.layers import ALIF, LIF, reset_states


def test_without_adaptation_it_is_lif() -> None:
    x = 2 * torch.rand(2, 30, 4)
    plain = LIF(tau_mem=5.0, tau_syn=3.0)
    adaptive = ALIF(tau_mem=5.0, tau_adapt=9.0, tau_syn=3.0, adapt_scale=0.0)
    plain.spike_fn = adaptive.spike_fn
    assert torch.equal(plain(x), adaptive(x))


def test_the_threshold_rises_with_spikes_and_survives_a_reset() -> None:
    layer = ALIF(tau_mem=5.0, tau_adapt=9.0, spike_threshold=0.5)
    assert layer.spike_threshold.item() == 0.5
    layer(torch.full((1, 20, 2), 3.0))
    assert torch.equal(layer.spike_threshold, 0.5 + 1.8 * layer.b)
    assert (layer.spike_threshold > 0.5).all()
    reset_states(layer)
    assert layer.spike_threshold.tolist() == 0.5


def test_the_synaptic_current_is_not_scaled_by_norm_input() -> None:
    layer = ALIF(tau_mem=20.0, tau_adapt=5.0, tau_syn=10.0, spike_threshold=100.0)
    impulse = torch.zeros(1, 3, 1)
    impulse[0, 0] = 1.0
    layer(impulse)
    assert layer.i_syn.item() == pytest.approx(torch.exp(torch.tensor(-3 / 10)).item())


def test_a_state_dict_of_sinabs_loads() -> None:
    # sinabs saves the adapted threshold as a state of its own
    saved = {"tau_mem": torch.tensor(7.0), "tau_adapt": torch.tensor(8.0)}
    saved |= {name: torch.zeros(0) for name in ("v_mem", "b", "spike_threshold")}
    layer = ALIF(tau_mem=1.0, tau_adapt=1.0)
    layer.load_state_dict(saved)
    assert layer.tau_adapt.item() == 8.0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"tau_adapt": 0.0}, "tau_adapt is 0, expected tau_adapt > 0"),
        ({"spike_threshold": -1.0}, "spike_threshold is -1"),
        ({"tau_mem": -2.0}, "tau_mem is -2"),
    ],
)
def test_a_value_out_of_its_range_is_named(arguments: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=f"ALIF: {text}"):
        ALIF(**{"tau_mem": 5.0, "tau_adapt": 5.0, **arguments})


def test_settings_follow_the_layer_but_are_not_saved() -> None:
    layer = ALIF(tau_mem=5.0, tau_adapt=5.0, min_v_mem=-1.0).double()
    assert layer.b0.dtype == layer.min_v_mem.dtype == torch.float64
    assert set(layer.state_dict()) == {"tau_mem", "tau_adapt", "v_mem", "b"}
