"""Every ReLU becomes a neuron of its own, or the model is refused by name."""

import copy
from types import MethodType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.convert import from_model
from picojoule.layers import IAF, IAFSqueeze, LIFSqueeze, NeuromorphicReLU, StatefulLayer


def neurons(model: nn.Module) -> list[StatefulLayer]:
    return [m for m in model.modules() if isinstance(m, StatefulLayer)]


def convert(model: nn.Module, **arguments: Any) -> nn.Module:
    spiking = from_model(model, batch_size=1, **arguments).spiking_model
    assert spiking is not None
    return spiking


class Twice(nn.Module):
    """One ReLU object, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.relu(x - 0.5) + 0.25)


class Functional(nn.Module):
    """Rectifies by every kind of call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.linear(x))
        x = torch.relu(x - 0.1).relu()
        return torch.clamp(x, min=0) + x.clamp_min(0)


class Branching(nn.Module):
    """torch.fx cannot follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x) if x.sum() > 0 else x


def test_relus_become_neurons_and_the_model_stays() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(NeuromorphicReLU()))
    before = repr(model)
    spiking = convert(model, spike_threshold=2.0, spike_fn=SingleSpike, min_v_mem=-3.0)
    assert isinstance(spiking, nn.Sequential)
    assert [type(layer) for layer in (spiking[1], spiking[2][0])] == [IAFSqueeze, IAFSqueeze]
    assert spiking[1].spike_threshold.item() == 2.0
    assert spiking[1].min_v_mem.item() == -3.0
    assert spiking[1].spike_fn is SingleSpike
    assert repr(model) == before


def test_one_relu_in_two_places_of_a_sequential_becomes_two_neurons() -> None:
    relu = nn.ReLU()
    spiking = convert(nn.Sequential(nn.Linear(3, 3), relu, nn.Linear(3, 3), relu))
    assert len(neurons(spiking)) == 2


def test_one_relu_called_twice_becomes_two_neurons() -> None:
    spiking = convert(Twice(), min_v_mem=None)
    assert len(neurons(spiking)) == 2
    x = torch.full((16, 1), 1.0)
    # the first neuron gets 0.5 a step: 8 spikes; the second 0.25 a step and those: 4 + 8
    assert spiking(x).sum() == 12


def test_a_container_called_twice_gets_a_neuron_for_each_call() -> None:
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    spiking = convert(nn.Sequential(block, block))
    assert len(neurons(spiking)) == 2
    weights = {id(m.weight) for m in spiking.modules() if isinstance(m, nn.Linear)}
    assert len(weights) == 1


def test_functions_that_rectify_become_neurons() -> None:
    model = Functional()
    spiking = convert(model)
    assert len(neurons(spiking)) == 5
    assert spiking(torch.ones(10, 3)).shape == (10, 3)
    assert torch.equal(spiking.linear.weight, model.linear.weight)
    assert not any("relu" in str(n.target) for n in spiking.graph.nodes if n.op == "call_function")


def test_a_rewritten_model_keeps_modes_and_is_copied() -> None:
    model = Functional()
    model.linear.eval()
    spiking = convert(model)
    assert spiking.training
    assert not spiking.linear.training
    x = torch.rand(10, 3)
    expected = spiking(x)
    picojoule.reset_states(spiking)
    assert torch.equal(copy.deepcopy(spiking)(x), expected)


class MyReLU(nn.ReLU):
    """Somebody's own."""


def test_subclasses_are_converted() -> None:
    assert isinstance(convert(nn.Sequential(MyReLU()))[0], IAFSqueeze)


class Capped(nn.ReLU):
    """A ReLU that does something else."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp(max=0.1)


def test_a_relu_with_a_forward_of_its_own_is_refused() -> None:
    doubled = nn.ReLU()
    doubled.forward = lambda x: 2 * x  # type: ignore[method-assign]
    for relu in (Capped(), doubled):
        for model in (nn.Sequential(nn.Linear(4, 3), relu), relu):
            with pytest.raises(
                NotImplementedError, match="is a ReLU with a forward pass of its own"
            ):
                convert(model)


class Calls(nn.Module):
    """Calls one function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x) + 1


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.ReLU6(), "ReLU6"),
        (nn.LeakyReLU(), "LeakyReLU"),
        (nn.GELU(), "GELU"),
        (nn.Sigmoid(), "Sigmoid"),
        (nn.PReLU(), "PReLU"),
        (nn.LSTM(3, 3), "LSTM"),
        (nn.MultiheadAttention(4, 2), "MultiheadAttention"),
        (nn.Sequential(nn.Softmax(-1), nn.Linear(3, 3)), "softmax before the end"),
        (Calls(F.relu6), "relu6"),
        (Calls(F.leaky_relu), "leaky_relu"),
        (Calls(torch.sigmoid), "sigmoid"),
        (Calls(lambda x: x.tanh()), "tanh"),
        (Calls(lambda x: x.clamp(0, 6)), "clamp"),
        (Calls(lambda x: F.softmax(x, -1)), "softmax"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(layer: nn.Module, name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        convert(nn.Sequential(nn.Linear(3, 3), layer))


def test_a_softmax_at_the_end_and_dropout_stay() -> None:
    spiking = convert(nn.Sequential(nn.Dropout(), nn.ReLU(), nn.Softmax(-1)))
    assert isinstance(spiking[2], nn.Softmax)


def test_what_fx_cannot_follow_is_converted_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="could not be seen"):
        spiking = convert(Branching())
    assert len(neurons(spiking)) == 1


@pytest.mark.parametrize("last", [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2))])
def test_a_spiking_output_is_added_to_a_sequential(last: nn.Module) -> None:
    spiking = convert(nn.Sequential(nn.ReLU(), last), add_spiking_output=True)
    assert isinstance(spiking.spike_output, IAFSqueeze)
    assert set(spiking(3 * torch.rand(20, 3)).unique().tolist()) <= set(range(20))


class Mlp(nn.Module):
    """No Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.relu(self.first(x)))


def test_a_spiking_output_is_called_in_any_module() -> None:
    spiking = convert(Mlp(), add_spiking_output=True)
    output = spiking(torch.rand(20, 3))
    assert torch.equal(output, output.round())
    assert spiking.spike_output.is_state_initialised()
    assert isinstance(spiking.relu, IAFSqueeze)


class OwnForward(nn.Sequential):
    """A Sequential that does not run its children one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * self.head(self.features(x))


class OwnIter(nn.Sequential):
    """A Sequential that runs its children in an order of its own."""

    def __iter__(self) -> Any:
        return iter(list(self._modules.values())[::-1])


def half(model: nn.Module, x: Tensor) -> Tensor:
    """A forward pass for one object."""
    return nn.Sequential.forward(model, x) * 0.5  # type: ignore[arg-type]


def by_instance() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model.forward = MethodType(half, model)  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize(
    "model",
    [OwnForward(), OwnIter(nn.Linear(3, 2), nn.ReLU(), nn.Linear(3, 3)), by_instance()],
)
def test_a_spiking_output_is_the_last_step_of_a_forward_pass_of_ones_own(model: nn.Module) -> None:
    spiking = convert(model, add_spiking_output=True)
    output = spiking(5 * torch.rand(20, 3))
    assert torch.equal(output, output.round())
    assert spiking.spike_output.v_mem.shape == (1, output.shape[1])


def test_a_model_that_ends_in_a_neuron_gets_no_other() -> None:
    with pytest.warns(UserWarning, match="ends in spiking layer"):
        spiking = convert(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), add_spiking_output=True)
    assert len(neurons(spiking)) == 1


def test_sizing_leaves_no_trace() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Dropout(), nn.Flatten())
    model[0].bias.data.fill_(0.3)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    spiking = convert(model, input_shape=(1, 6, 6), num_timesteps=3)
    assert torch.equal(torch.rand(3), expected)
    assert spiking[1].v_mem.shape == (1, 2, 4, 4)
    assert not spiking[1].v_mem.any()
    assert spiking.training


def test_sizing_leaves_batch_statistics_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    spiking = convert(model, input_shape=(1, 6, 6))
    assert spiking[1].num_batches_tracked == 0


def test_a_wrong_input_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"input_shape=\(2, 6, 6\), does not go through"):
        convert(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), input_shape=(2, 6, 6))


def test_layers_over_time_are_sized_with_a_time_axis() -> None:
    network = from_model(
        nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
        input_shape=(3,),
        batch_size=2,
        num_timesteps=5,
        spike_layer_class=IAF,
    )
    assert network.spiking_model[1].v_mem.shape == (2, 4)


def test_biases_are_rescaled_in_the_spiking_model_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 1, 2))
    network = from_model(model, batch_size=1, bias_rescaling=10.0)
    for index in (0, 3):
        torch.testing.assert_close(network.spiking_model[index].bias * 10, model[index].bias)
        assert torch.equal(network.analog_model[index].bias, model[index].bias)


def test_hooks_modes_frozen_parameters_and_dtype_stay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU()).double().eval()
    model[0].bias.requires_grad_(False)
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    with pytest.warns(UserWarning, match="is not looked into"):
        spiking = convert(model)
    assert spiking(torch.rand(5, 3, dtype=torch.float64)).dtype == torch.float64
    assert calls == [1]
    assert not any(module.training for module in spiking.modules())
    assert not spiking[0].bias.requires_grad


def test_a_model_that_was_watched_converts() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    picojoule.hooks.register_synops_hooks(model)
    model(torch.rand(2, 3))
    assert convert(model)(torch.rand(5, 3)).shape == (5, 4)


def test_the_arguments_are_left_alone_and_no_threshold_is_shared() -> None:
    extra, threshold = {"tau_mem": 20.0}, torch.tensor(2.0)
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
    spiking = convert(
        model, spike_layer_class=LIFSqueeze, spike_threshold=threshold, kwargs_backend=extra
    )
    assert extra == {"tau_mem": 20.0}
    spiking[0].spike_threshold.data.fill_(5.0)
    assert threshold.item() == spiking[2].spike_threshold.item() == 2.0


def test_the_reset_is_passed_on() -> None:
    reset = MembraneReset(-0.5)
    assert convert(nn.Sequential(nn.ReLU()), reset_fn=reset)[0].reset_fn == reset


def test_backend_is_deprecated() -> None:
    with pytest.warns(UserWarning, match="backend is deprecated"):
        convert(nn.Sequential(nn.ReLU()), backend="sinabs")
    with (
        pytest.warns(UserWarning, match="deprecated"),
        pytest.raises(ValueError, match="backend is 'exodus'"),
    ):
        convert(nn.Sequential(nn.ReLU()), backend="exodus")


def test_a_squeezing_layer_needs_one_of_the_sizes() -> None:
    with pytest.raises(TypeError, match="give batch_size or num_timesteps"):
        from_model(nn.Sequential(nn.ReLU()))


def test_the_bias_rescaling_is_checked() -> None:
    with pytest.raises(ValueError, match="bias_rescaling is 0"):
        convert(nn.Sequential(nn.ReLU()), bias_rescaling=0)


def test_a_rate_stands_for_the_activation() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
    x = torch.rand(8)
    spiking = convert(model, min_v_mem=None)
    rates = spiking(x.repeat(2000, 1)).mean(0)
    torch.testing.assert_close(rates, model(x), atol=0.01, rtol=0)


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.AvgPool1d(2)])
def test_a_single_layer_gets_a_spiking_output(layer: nn.Module) -> None:
    x = torch.rand(4, 3)
    network = from_model(layer, batch_size=1, add_spiking_output=True, min_v_mem=None)
    neuron = type(network.spiking_model.spike_output)(batch_size=1)  # type: ignore[union-attr]
    neuron.min_v_mem = None
    assert torch.equal(network(x), neuron(layer(x)))


class Halved(nn.Module):
    """Half of a parameter."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """As the class says."""
        return value / 2


def test_a_bias_that_cannot_be_divided_is_named() -> None:
    computed = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.utils.parametrize.register_parametrization(computed[0], "bias", Halved())
    with pytest.raises(ValueError, match="bias of '0' is computed"):
        from_model(computed, batch_size=1, bias_rescaling=2.0)
    with pytest.raises(ValueError, match=r"layer '0' \(LazyLinear\) has no bias yet"):
        from_model(nn.Sequential(nn.LazyLinear(2), nn.ReLU()), batch_size=1, bias_rescaling=2.0)


def test_what_is_no_module_is_named() -> None:
    with pytest.raises(TypeError, match=r"model is a function, expected a torch\.nn\.Module"):
        from_model(lambda x: x, batch_size=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("neuron", [nn.ReLU, "IAF", IAF()])
def test_what_is_no_class_of_neurons_is_named(neuron: Any) -> None:
    with pytest.raises(
        TypeError, match=r"spike_layer_class is .*, expected a class of picojoule's layers"
    ):
        from_model(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spike_layer_class=neuron)
