"""Models of snnTorch, SpikingJelly, Norse and sinabs, as they are, counted by hand and by their own counters."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    sinabs_layers = pytest.importorskip("sinabs.layers")
    sinabs_hooks = pytest.importorskip("sinabs.hooks")
    snntorch = pytest.importorskip("snntorch")
    norse = pytest.importorskip("norse.torch")
    jelly = pytest.importorskip("spikingjelly.activation_based.neuron")
    jelly_layer = pytest.importorskip("spikingjelly.activation_based.layer")
    jelly_functional = pytest.importorskip("spikingjelly.activation_based.functional")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about themselves
T, B = 6, 3


def spikes(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape).float()


def positive(model: nn.Module) -> nn.Module:
    """The model with weights that make it fire."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight.abs_().mul_(3)
    return model


class SnnTorchNet(nn.Module):
    """The network of snnTorch's tutorials, with its loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(5, 7), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(7, 4), snntorch.RLeaky(beta=0.9, linear_features=4)

    def forward(self, x: Tensor) -> Tensor:
        mem1 = self.lif1.init_leaky()
        spk2, mem2 = self.lif2.init_rleaky()
        self.hidden, out = [], []
        for step in range(len(x)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), spk2, mem2)
            self.hidden.append(spk1)
            out.append(spk2)
        return torch.stack(out)


def test_snntorch() -> None:
    model, x = positive(SnnTorchNet()), spikes(T, B, 5)
    with Monitor(model) as monitor:
        out = model(x)
    hidden = torch.stack(model.hidden)
    assert hidden.sum() > 0
    assert out.sum() > 0
    per_sample = {name: count.item() * B for name, count in monitor.synops.per_sample.items()}
    assert per_sample == {
        "fc1": pytest.approx(x.sum().item() * 7),
        "fc2": pytest.approx(hidden.sum().item() * 4),
        "lif2.recurrent": pytest.approx(out[:-1].sum().item() * 4),
    }
    assert monitor.synops["fc1"].item() == pytest.approx(x.sum().item() * 7 / (B * T))
    assert torch.allclose(monitor.rates["lif1"], hidden.mean((0, 1)))
    monitor.synops["fc2"].backward()
    assert model.fc1.weight.grad.any()


def test_snntorch_whose_loop_is_outside() -> None:
    model = positive(
        nn.Sequential(nn.Linear(5, 7), snntorch.Leaky(beta=0.9, init_hidden=True), nn.Linear(7, 4))
    )
    x, hidden = spikes(T, B, 5), []
    model[2].register_forward_pre_hook(lambda _, args: hidden.append(args[0]))
    with Monitor(model, time_axis="outer") as monitor:
        for step in x:
            model(step)
    expected = torch.stack(hidden).sum().item() * 4 / B
    assert expected > 0
    assert monitor.synops.per_sample["2"].item() == pytest.approx(expected)


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_spikingjelly(step_mode: str) -> None:
    model = positive(
        nn.Sequential(
            jelly_layer.Conv2d(2, 4, 3, padding=1, stride=2, bias=False),
            jelly.IFNode(),
            jelly_layer.AvgPool2d(2),
            jelly_layer.Flatten(),
            jelly_layer.Linear(16, 3, bias=False),
            jelly.LIFNode(),
        )
    )
    jelly_functional.set_step_mode(model, step_mode)
    x, pooled = spikes(T, B, 2, 8, 8), []
    model[4].register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    if step_mode == "m":
        with Monitor(model) as monitor:
            model(x)
    else:
        with Monitor(model, time_axis="outer") as monitor:
            for step in x:
                model(step)
    fan_out = torch.zeros(8, 8)
    for i in range(4):
        for j in range(4):
            fan_out[max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2] += 4
    assert monitor.synops.per_sample["0"].item() == pytest.approx(((x * fan_out).sum() / B).item())
    made = 4 * sum(p.sum().item() for p in pooled)  # windows of four spikes, averaged
    assert made > 0
    assert monitor.synops.per_sample["4"].item() == pytest.approx(made * 3 / B)
    per_step = monitor.synops.per_sample.total.item() / T
    assert monitor.synops.total.item() == pytest.approx(per_step)
    assert monitor.macs.total.item() == 0


def test_spikingjellys_counter_agrees_where_spikes_are_binary() -> None:
    counter = pytest.importorskip("spikingjelly.activation_based.op_counter")
    model = positive(
        nn.Sequential(
            jelly_layer.Conv2d(2, 4, 3, padding=1, groups=2, bias=False),
            jelly.IFNode(step_mode="s"),
            jelly_layer.Flatten(),
            jelly_layer.Linear(4 * 36, 3, bias=False),
        )
    )
    x = spikes(B, 2, 6, 6)
    theirs = counter.SynOpCounter()
    with counter.DispatchCounterMode([theirs]), torch.no_grad():
        model(x)
    jelly_functional.reset_net(model)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * B == pytest.approx(theirs.get_total())


def test_norse_cells_in_its_own_sequence() -> None:
    model = positive(
        norse.SequentialState(nn.Linear(5, 7), norse.LIFCell(), nn.Linear(7, 4), norse.LICell())
    )
    x, hidden = spikes(T, B, 5), []

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model

        def forward(self, x: Tensor) -> Tensor:
            state, out = None, []
            for step in x:
                y, state = self.net(step, state)
                out.append(y)
            return torch.stack(out)

    model[2].register_forward_pre_hook(lambda _, args: hidden.append(args[0]))
    loop = Loop()
    with Monitor(loop) as monitor:
        loop(x * 4)
    made = torch.stack(hidden)
    assert made.sum() > 0
    per_sample = {name: count.item() * B for name, count in monitor.synops.per_sample.items()}
    assert per_sample == {
        "net.0": pytest.approx(4 * x.sum().item() * 7),
        "net.2": pytest.approx(made.sum().item() * 4),
    }
    assert list(monitor.rates) == ["net.1"]


def test_norse_layers_over_time_and_recurrent_weights() -> None:
    layer = norse.LIFRecurrent(5, 7)
    with torch.no_grad():
        layer.input_weights.abs_().mul_(20)
    x = spikes(T, B, 5)
    with Monitor(layer) as monitor:
        out, _ = layer(x)
    assert out.sum() > 0
    total = x.sum().item() * 7 + out[:-1].sum().item() * 7
    assert monitor.synops.per_sample.total.item() * B == pytest.approx(total)
    assert monitor.macs.total.item() == 0


def test_sinabs_and_its_hooks() -> None:
    model: Any = positive(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            sinabs_layers.IAFSqueeze(batch_size=B),
            nn.AvgPool2d(2),
            nn.Conv2d(4, 4, 3, bias=False),
            sinabs_layers.IAFSqueeze(batch_size=B),
            nn.Flatten(),
            nn.Linear(4 * 9, 5, bias=False),
        )
    )
    x = spikes(B * T, 1, 12, 12)
    sinabs_hooks.register_synops_hooks(model)
    with Monitor(model) as monitor:
        model(x)
    theirs = model.hook_data["synops_per_timestep"]
    assert {int(name): count.item() for name, count in monitor.synops.items()} == {
        key: pytest.approx(float(count), rel=1e-6) for key, count in theirs.items()
    }
    assert monitor.synops.per_sample.total.item() == pytest.approx(
        T * float(model.hook_data["total_synops_per_timestep"]), rel=1e-6
    )


def test_sinabs_layers_with_a_time_axis() -> None:
    model = positive(
        nn.Sequential(nn.Linear(5, 7), sinabs_layers.LIF(tau_mem=10.0), nn.Linear(7, 4))
    )
    x, hidden = spikes(B, T, 5), []
    model[2].register_forward_pre_hook(lambda _, args: hidden.append(args[0]))
    with Monitor(model) as monitor:
        model(3 * x)
    assert hidden[0].sum() > 0
    assert monitor.synops.per_sample["2"].item() == pytest.approx(hidden[0].sum().item() * 4 / B)
    assert monitor.synops["0"].item() == pytest.approx(3 * x.sum().item() * 7 / (B * T))
