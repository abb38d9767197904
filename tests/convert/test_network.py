"""ANN and SNN side by side, compared without a trace."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from picojoule.convert import Network, from_model
from picojoule.layers import IAF


def network(**arguments: object) -> Network:
    torch.manual_seed(0)
    ann = nn.Sequential(
        nn.Linear(4, 6), nn.ReLU(), nn.Dropout(), nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    )
    return from_model(ann, batch_size=1, **arguments)  # type: ignore[arg-type]


DATA = (torch.arange(40).reshape(10, 4) % 3 == 0).float()


def test_compared_are_the_input_and_all_neurons() -> None:
    net = network()
    analog, spiking, names = net.compare_activations(DATA)
    assert names == ["Input", "1", "3.1"]
    assert [a.shape for a in analog] == [(1, 4), (1, 6), (1, 3)]
    assert [s.shape for s in spiking] == [(4,), (6,), (3,)]
    np.testing.assert_array_equal(analog[0][0], DATA.sum(0))
    np.testing.assert_array_equal(spiking[0], DATA.sum(0))
    expected = net.analog_model[1](net.analog_model[0](DATA.sum(0)))
    np.testing.assert_allclose(analog[1][0], expected.detach(), rtol=1e-6)


def test_rates_are_per_thousand_steps_for_the_input_too() -> None:
    analog, spiking, _ = network().compare_activations(DATA, compute_rate=True)
    np.testing.assert_allclose(analog[0][0], DATA.mean(0))
    np.testing.assert_allclose(spiking[0], 1000 * DATA.mean(0))


def test_the_order_is_that_asked_for() -> None:
    net = network()
    _, forwards, _ = net.compare_activations(DATA, ["1", "3.1"])
    _, backwards, names = net.compare_activations(DATA, ["3.1", "1"])
    assert names == ["3.1", "1"]
    np.testing.assert_array_equal(forwards[0], backwards[1])


def test_comparing_leaves_no_trace() -> None:
    net = network()
    net(DATA)
    hooks = [len(module._forward_hooks) for module in net.modules()]
    net.analog_model[0].eval()
    modes = [module.training for module in net.modules()]
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = net.compare_activations(DATA)
    second = net.compare_activations(DATA)
    assert torch.equal(torch.rand(2), expected)
    assert [len(module._forward_hooks) for module in net.modules()] == hooks
    assert [module.training for module in net.modules()] == modes
    for a, b in zip(first.spiking, second.spiking, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not net.spiking_model[1].v_mem.any()


def test_an_added_output_stands_beside_the_anns_output() -> None:
    ann = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    net = from_model(ann, batch_size=1, add_spiking_output=True)
    analog, _, names = net.compare_activations(DATA)
    assert names[-1] == "spike_output"
    np.testing.assert_allclose(analog[-1][0], ann(DATA.sum(0)).detach(), rtol=1e-5)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"ANN has no layer '3\.2'.*Did you mean '3\.[01]'"):
        network().compare_activations(DATA, ["3.2"])


def test_without_an_analog_model_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no analog_model"):
        Network(spiking_model=nn.ReLU()).compare_activations(DATA)


def test_what_is_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    network().compare_activations(DATA, verbose=True)
    assert "Input, 1, 3.1" in capsys.readouterr().out


def test_the_comparison_is_drawn() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    figure = plt.figure()
    analog, spiking = network().plot_comparison(DATA, compute_rate=True)
    (axes,) = figure.axes
    assert len(axes.collections) == len(analog) == len(spiking) == 3
    assert axes.get_xlabel() == "Spikes per 1000 time steps"
    plt.close(figure)


def test_states_are_reset_in_given_ranges() -> None:
    net = network(input_shape=(4,))
    net.reset_states(randomize=True, value_ranges=[{"v_mem": (2.0, 3.0)}, {"v_mem": (4.0, 5.0)}])
    assert 2 <= net.spiking_model[1].v_mem.min() <= net.spiking_model[1].v_mem.max() <= 3
    assert net.spiking_model[3][1].v_mem.min() >= 4
    with pytest.raises(TypeError, match="has 1 entries, expected one for each of the 2"):
        net.reset_states(randomize=True, value_ranges=[{}])
    net.reset_states()
    assert not net.spiking_model[1].v_mem.any()


def test_gradients_and_histories_are_cut() -> None:
    net = network()
    net(DATA).sum().backward()
    net.zero_grad()
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())
    assert net.spiking_model[1].v_mem.grad_fn is None


def test_synops_are_those_of_the_last_pass() -> None:
    net = network(synops=True)
    with pytest.raises(RuntimeError, match="nothing was counted"):
        net.get_synops()
    net(DATA)
    assert net.get_synops()[0].item() == pytest.approx(DATA.mean(0).sum().item() * 6)
    with pytest.raises(RuntimeError, match="synops=True"):
        network().get_synops()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_networks_are_copied(duplicate: object) -> None:
    net = network(synops=True).eval()
    net(DATA)
    double = duplicate(net)  # type: ignore[operator]
    for one in (net, double):
        one.reset_states()
    assert torch.equal(double(DATA), net(DATA))
    assert [name for name, _ in double.layers] == ["0", "1", "2", "3"]


def test_without_a_spiking_model_the_forward_says_so() -> None:
    with pytest.raises(ValueError, match="needs a spiking_model"):
        Network()(DATA)


class SharedReLU(nn.Module):
    """One ReLU, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6)
        nn.init.constant_(self.second.bias, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.second(self.relu(self.first(x))))


def test_of_a_relu_that_is_called_twice_the_first_calls_are_compared() -> None:
    torch.manual_seed(0)
    net = from_model(SharedReLU(), batch_size=1, bias_rescaling=10)
    analog, spiking, names = net.compare_activations(DATA)
    assert names == ["Input", "relu"]
    expected = net.analog_model.first(DATA.sum(0)).relu().detach()
    np.testing.assert_allclose(analog[1][0], expected, rtol=1e-5)
    np.testing.assert_allclose(spiking[1], expected, atol=1)


def test_neurons_that_do_not_squeeze_see_one_sample_over_time() -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU())
    folded = from_model(ann, batch_size=1).compare_activations(DATA)
    unfolded = from_model(ann, spike_layer_class=IAF).compare_activations(DATA)
    for one, other in zip(folded.spiking, unfolded.spiking, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_input_shape_that_is_a_number_is_named() -> None:
    with pytest.raises(TypeError, match=r"input_shape is 4, expected .* \(4,\)"):
        network(input_shape=4)


@pytest.mark.parametrize("shape", [(-4,), (4.0,), "4", (0,)])
def test_an_input_shape_that_is_no_shape_is_named(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"input_shape is .*, expected whole numbers > 0"):
        network(input_shape=shape)
