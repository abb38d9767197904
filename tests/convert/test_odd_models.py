"""Models that are easily converted wrongly: residual, shared, hooked, untraceable, pooled by maximum."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule.convert import from_model
from picojoule.layers import SpikingMaxPooling2dLayerSqueeze, StatefulLayer


def neurons(model: nn.Module) -> list[StatefulLayer]:
    return [m for m in model.modules() if isinstance(m, StatefulLayer)]


class Block(nn.Module):
    """Residual, rectified by a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.relu(x)) + x)


class ResNet(nn.Module):
    """One of its blocks is called twice."""

    def __init__(self) -> None:
        super().__init__()
        block = Block()
        self.stem, self.body = nn.Conv2d(1, 2, 3), nn.Sequential(block, block, Block())
        self.head = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)).mean((2, 3)))


IMAGES = 3 * torch.rand(8, 1, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_rewritten_network_is_copied_and_pickled(duplicate: Any) -> None:
    network = from_model(ResNet(), batch_size=2)
    assert len(neurons(network.spiking_model)) == 6
    expected = network(IMAGES)
    double = duplicate(network)
    for one in (network, double):
        one.reset_states()
    assert torch.equal(double(IMAGES), expected)
    assert any(neuron.v_mem.any() for neuron in neurons(double))
    assert not any(neuron.v_mem.any() for neuron in neurons(network))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_rewritten_network_keeps_its_dtype(dtype: torch.dtype) -> None:
    network = from_model(ResNet().to(dtype), batch_size=2, input_shape=(1, 5, 5))
    assert network(IMAGES.to(dtype)).dtype == dtype
    thresholds = {neuron.spike_threshold.dtype for neuron in neurons(network.spiking_model)}
    assert thresholds == {dtype}


@pytest.mark.parametrize("spiking_output", [False, True])
def test_hooks_of_the_model_itself_and_of_layers_stay(spiking_output: bool) -> None:
    model, calls = ResNet(), []
    model.register_forward_hook(lambda *_: calls.append("model"))
    model.register_forward_pre_hook(lambda *_: calls.append("before"))
    model.head.register_forward_hook(lambda *_: calls.append("head"))
    with pytest.warns(UserWarning, match=r"on the model .*\(and 2 more\) is not looked"):
        network = from_model(model, batch_size=2, add_spiking_output=spiking_output)
    assert calls == []
    network(IMAGES)
    assert calls == ["before", "head", "model"]


def test_a_container_whose_hooks_would_be_lost_is_named() -> None:
    model = ResNet()
    model.body.register_forward_hook(lambda *_: None)
    with (
        pytest.warns(UserWarning, match="on 'body'"),
        pytest.raises(NotImplementedError, match="container 'body' has hooks"),
    ):
        from_model(model, batch_size=2)


def test_containers_keep_their_modes() -> None:
    model = ResNet()
    model.body.eval()
    spiking = from_model(model, batch_size=2).spiking_model
    assert spiking.training
    assert spiking.head.training
    assert not spiking.body.training


class Untraceable(nn.Module):
    """Calls its ReLU as often as asked, in a way that torch.fx cannot follow."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.relu = times, nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() < 0:
            return x
        for _ in range(self.times):
            x = self.relu(x)
        return x


@pytest.mark.filterwarnings("ignore:.*torch.fx cannot follow:UserWarning")
def test_a_second_call_that_only_the_sizing_pass_sees_is_named() -> None:
    with pytest.raises(NotImplementedError, match="layer 'relu' is called 2 times"):
        from_model(Untraceable(2), input_shape=(3,), batch_size=1)
    network = from_model(Untraceable(1), input_shape=(3,), batch_size=1)
    (neuron,) = neurons(network.spiking_model)
    assert not neuron._forward_pre_hooks
    assert neuron.v_mem.shape == (1, 3)


class Listed(nn.Module):
    """Runs layers that it also holds in plain Python, in a way that torch.fx can follow, or cannot."""

    def __init__(self, hold: Callable[[list[nn.Module]], Any], branches: bool) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)
        self.path, self.branches = hold([self.first, self.relu, self.second]), branches

    def forward(self, x: Tensor) -> Tensor:
        if self.branches and x.sum() < -1000:
            return x
        layers = self.path.values() if isinstance(self.path, dict) else self.path
        for layer in layers:
            x = layer(x) if isinstance(layer, nn.Module) else layer[0](x)
        return x


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize(
    "hold",
    [list, tuple, lambda layers: dict(enumerate(layers)), lambda layers: [(x, 1) for x in layers]],
)
@pytest.mark.filterwarnings("ignore:.*torch.fx cannot follow:UserWarning")
def test_a_layer_that_a_plain_list_holds_too_is_converted_there(hold: Any, branches: bool) -> None:
    torch.manual_seed(0)
    model = Listed(hold, branches)
    network = from_model(model, input_shape=(3,), batch_size=1, min_v_mem=None)
    (neuron,) = neurons(network.spiking_model)
    assert network.spiking_model.relu is neuron
    x = torch.rand(3)
    torch.testing.assert_close(network(x.repeat(500, 1)).mean(0), model(x), atol=0.01, rtol=0)
    assert neuron.v_mem.shape == (1, 3)
    assert isinstance(model.relu, nn.ReLU)


class Aside(nn.Module):
    """Rectifies by a ReLU that is no submodule."""

    def __init__(self, branches: bool) -> None:
        super().__init__()
        self.layer, self.acts, self.branches = nn.Linear(3, 3), {"relu": nn.ReLU()}, branches

    def forward(self, x: Tensor) -> Tensor:
        if self.branches and x.sum() < -1000:
            return x
        return self.acts["relu"](self.layer(x))


def test_a_relu_that_is_no_submodule_becomes_a_neuron() -> None:
    torch.manual_seed(0)
    model, x = Aside(branches=False), torch.rand(3)
    network = from_model(model, batch_size=1, min_v_mem=None)
    assert len(neurons(network.spiking_model)) == 1
    torch.testing.assert_close(network(x.repeat(500, 1)).mean(0), model(x), atol=0.01, rtol=0)


def test_a_relu_that_is_no_submodule_and_that_only_the_sizing_pass_sees_is_named() -> None:
    with pytest.warns(UserWarning, match="The ReLU layers among its submodules became neurons"):
        from_model(Aside(branches=True), batch_size=1)
    with (
        pytest.warns(UserWarning, match="whether it calls these"),
        pytest.raises(NotImplementedError, match=r"a ReLU that is no submodule .* nn\.ModuleList"),
    ):
        from_model(Aside(branches=True), input_shape=(3,), batch_size=1)


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
        (nn.MaxPool2d(2), "MaxPool2d"),
        (nn.AdaptiveMaxPool1d(2), "AdaptiveMaxPool1d"),
        (Calls(lambda x: F.max_pool2d(x, 2)), "max_pool2d"),
        (Calls(lambda x: x.amax(-1)), "amax"),
        (Calls(lambda x: torch.maximum(x, -x)), "maximum"),
        (Calls(lambda x: F.threshold(x, 0.0, 0.0)), "threshold"),
        (Calls(lambda x: torch.where(x > 0, x, 0.0)), "gt"),
        (Calls(abs), "abs"),
    ],
)
def test_a_maximum_or_another_rectifier_is_refused_by_name(layer: nn.Module, name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        from_model(nn.Sequential(nn.ReLU(), layer), batch_size=1)


def test_the_spiking_maximum_that_the_refusal_names_converts() -> None:
    pool = SpikingMaxPooling2dLayerSqueeze(pool_size=2, batch_size=1)
    network = from_model(nn.Sequential(nn.ReLU(), pool), batch_size=1)
    assert network(torch.ones(4, 1, 4, 4)).shape == (4, 1, 2, 2)


def test_a_bias_that_layers_share_is_divided_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    model[2].bias = model[0].bias
    spiking = from_model(model, batch_size=1, bias_rescaling=10.0).spiking_model
    torch.testing.assert_close(spiking[0].bias * 10, model[0].bias)


@pytest.mark.parametrize("synops", [False, True])
def test_synops_of_given_data_start_from_and_end_in_zeros(synops: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 4))
    model[0].weight.data.fill_(0.5)
    network = from_model(model, batch_size=1, synops=synops)
    hooks = [len(m._forward_hooks) for m in network.modules()]
    data = torch.ones(3, 3)
    for _ in range(2):
        # two neurons with 1.5 a step fire 1, 2, 1 times: 8 spikes in 3 steps, 4 synapses each
        counted = network.get_synops(data)
        assert counted[0].item() == 6
        assert counted[2].item() == pytest.approx(8 / 3 * 4)
        assert not network.spiking_model[1].v_mem.any()
    assert [len(m._forward_hooks) for m in network.modules()] == hooks
    assert network.training


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_rewritten_network_compiles() -> None:
    network = from_model(ResNet(), batch_size=2)
    expected = network(IMAGES)
    picojoule.reset_states(network)
    compiled = torch.compile(network, backend="eager")
    assert torch.equal(compiled(IMAGES), expected)


def test_a_spiking_maximum_goes_into_plain_lists_too() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.MaxPool2d(2)
            self.path = [self.pool]

        def forward(self, x: Tensor) -> Tensor:
            return self.path[0](x)

    spiking = from_model(Pooled(), batch_size=1, max_pooling="spiking").spiking_model
    assert spiking.path == [spiking.pool]
    assert isinstance(spiking.pool, SpikingMaxPooling2dLayerSqueeze)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_was_compiled_is_refused_with_what_to_hand_over() -> None:
    layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    scripted = torch.jit.trace(layers, torch.ones(1, 3))
    for model, match in (
        (scripted, "the model is compiled by TorchScript"),
        (nn.Sequential(scripted, nn.Linear(4, 2)), "layer '0' is compiled by TorchScript"),
        (
            torch.compile(layers, backend="eager"),
            r"the model is compiled by torch\.compile.*_orig_mod",
        ),
    ):
        with pytest.raises(NotImplementedError, match=match):
            from_model(model, batch_size=1)
