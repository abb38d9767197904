"""The conventions of others beside their own counters, on one small network in several states."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor, Report
from picojoule.activation import SingleSpike
from picojoule.layers import IAFSqueeze

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs_hooks = pytest.importorskip("sinabs.hooks")
    jelly = pytest.importorskip("spikingjelly.activation_based.op_counter")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about themselves
B, T = 2, 5


def network(*, pooled: bool = False, graded: bool = False, pruned: bool = False) -> nn.Sequential:
    """Borders, strides and groups; single or graded spikes; an average pooling; half the weights."""
    torch.manual_seed(1)
    spikes = {} if graded else {"spike_fn": SingleSpike()}
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        IAFSqueeze(batch_size=B, **spikes),
        nn.AvgPool2d(2) if pooled else nn.Identity(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        IAFSqueeze(batch_size=B, **spikes),
        nn.Flatten(),
        nn.Linear(6 * (4 if pooled else 16), 3),
    )
    with torch.no_grad():
        for layer in (0, 3, 6):
            model[layer].weight.abs_().mul_(3)
            if pruned:
                model[layer].weight.flatten()[::2] = 0
    return model


STATES = {
    "binary": {},
    "pooled": {"pooled": True},
    "graded": {"graded": True},
    "pruned": {"pruned": True},
}


@pytest.fixture(params=STATES)
def model(request: pytest.FixtureRequest) -> nn.Sequential:
    return network(**STATES[request.param])


@pytest.fixture(params=["spikes", "image"])
def x(request: pytest.FixtureRequest) -> Tensor:
    torch.manual_seed(2)
    values = torch.rand(B * T, 2, 8, 8)
    return (values > 0.8).float() if request.param == "spikes" else values


def fresh(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, IAFSqueeze):
            module.reset_states()


def report(model: nn.Module, x: Tensor) -> Report:
    fresh(model)
    with Monitor(model, conventions=True) as monitor:
        model(x)
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, T)
    return monitor.report()


def inputs_of(model: nn.Module, x: Tensor) -> dict[str, tuple[nn.Module, Tensor, Tensor]]:
    """What each layer with weights was given and gave."""
    fresh(model)
    seen: dict[str, tuple[nn.Module, Tensor, Tensor]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
            seen[name] = module, args[0].detach(), output.detach()

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return seen


def test_sinabs(model: nn.Sequential, x: Tensor) -> None:
    ours = report(model, x).convention("sinabs")
    fresh(model)
    handles = sinabs_hooks.register_synops_hooks(model)
    model(x)
    theirs = {
        str(layer): value.item() * T
        for layer, value in model.hook_data["synops_per_timestep"].items()
    }
    del handles
    assert ours.synops == pytest.approx(theirs, rel=1e-5)
    assert sum(ours.macs.values()) == 0


def test_spikingjelly(model: nn.Sequential, x: Tensor) -> None:
    ours = report(model, x).convention("spikingjelly")
    fresh(model)
    counter = jelly.SynOpCounter()
    with torch.no_grad(), jelly.DispatchCounterMode([counter]):
        model(x)
    assert ours.synops_per_sample == counter.get_total() / B


@pytest.mark.parametrize("value", [0.5, 1.0])
def test_spikingjelly_takes_binary_weights_for_spikes(value: float) -> None:
    layers = [nn.Linear(6, 4), nn.Conv2d(2, 3, 3, padding=1)]
    for layer, shape in zip(layers, [(5, 6), (5, 2, 4, 4)], strict=True):
        nn.init.ones_(layer.weight)
        data = torch.full(shape, value)
        with Monitor(layer, conventions=True, inputs="dense") as monitor:
            layer(data)
        counter = jelly.SynOpCounter()
        with torch.no_grad(), jelly.DispatchCounterMode([counter]):
            layer(data)
        ours = monitor.report().convention("spikingjelly")
        assert ours.synops_per_sample == counter.get_total() / 5 > 0


def test_neurobench(model: nn.Sequential, x: Tensor) -> None:
    layers = pytest.importorskip("neurobench.metrics.utils.layers")
    ours = report(model, x).convention("neurobench")
    for name, (layer, data, _) in inputs_of(model, x).items():
        number, spiking = layers.single_layer_MACs(data, layer)
        expected = (number / B, 0.0) if spiking else (0.0, number / B)
        assert (ours.synops[name], ours.macs[name]) == expected


def syops(layer: nn.Module, data: Tensor, output: Tensor) -> tuple[float, float]:
    """(ACs, MACs) by the formula that syops 0.0.5 publishes; it cannot be imported here."""
    values = data.unique()
    spikes = len(values) <= 2 and values.min() >= 0 and values.max() <= 1
    if isinstance(layer, nn.Linear):
        operations = data.numel() * layer.out_features + layer.out_features
    else:
        assert isinstance(layer, nn.Conv2d)
        kernel = layer.kernel_size[0] * layer.kernel_size[1]
        one_place = kernel * layer.in_channels * (layer.out_channels // layer.groups)
        one_place += layer.out_channels * (layer.bias is not None)
        operations = one_place * len(data) * output.shape[2] * output.shape[3]
    return (operations * data.double().mean().item(), 0.0) if spikes else (0.0, operations)


def test_syops(model: nn.Sequential, x: Tensor) -> None:
    ours = report(model, x).convention("syops")
    for name, seen in inputs_of(model, x).items():
        acs, macs = syops(*seen)
        assert (ours.synops[name], ours.macs[name]) == pytest.approx((acs / B, macs / B), rel=1e-6)


def test_rate_times_flops(model: nn.Sequential, x: Tensor) -> None:
    counted = report(model, x)
    ours = counted.convention("rate_flops")
    for name, (layer, data, output) in inputs_of(model, x).items():
        flops = output.numel() * layer.weight[0].numel() / B
        dense = next(row for row in counted.rows if row.name == name).input == "dense"
        expected = (0.0, flops) if dense else (flops * data.double().mean().item(), 0.0)
        assert (ours.synops[name], ours.macs[name]) == pytest.approx(expected, rel=1e-6)
