"""Every neuron that snnTorch, SpikingJelly, Norse and sinabs export: what it gives, its time, its updates.

The classes are enumerated from the packages, so a new one is red until it has a line here.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor

# theirs, about themselves, such as sinabs' use of distutils
pytestmark = pytest.mark.filterwarnings("ignore:(?!Monitor)")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    snntorch = pytest.importorskip("snntorch")
    jelly = pytest.importorskip("spikingjelly.activation_based.neuron")
    few_spike = pytest.importorskip("spikingjelly.activation_based.neuron.few_spike")
    norse = pytest.importorskip("norse.torch")
    sinabs_layers = pytest.importorskip("sinabs.layers")
    from norse.torch.functional.izhikevich import tonic_spiking

T, B, N = 4, 3, 6


def over_time(node: Any, x: Tensor) -> Tensor:
    """A neuron that takes all steps at once, time first; it gives a tensor, a list of steps, or a state too."""
    y = node(x)
    if isinstance(y, tuple):
        y = y[0]
    return torch.stack(y) if isinstance(y, list) else y


def batch_first(node: Any, x: Tensor) -> Tensor:
    return node(x.transpose(0, 1).contiguous()).transpose(0, 1)


def folded(node: Any, x: Tensor) -> Tensor:
    y: Tensor = node(x.transpose(0, 1).flatten(0, 1))
    return y.unflatten(0, (B, T)).transpose(0, 1)


def steps(node: Any, x: Tensor) -> Tensor:
    """A neuron that takes a step at a time and keeps its state."""
    made = [node(each) for each in x]
    return torch.stack([y[0] if isinstance(y, tuple | list) else y for y in made])


def steps_with_state(node: Any, x: Tensor) -> Tensor:
    """A neuron that is handed its state back at each step."""
    state, made = None, []
    for each in x:
        y, state = node(each, state)
        made.append(y)
    return torch.stack(made)


_PLAIN_NAMES = """ActivationAwareIFNode CUBALIFNode ComplementaryLIFNode EIFNode HalfThresholdIFNode IFNode
    IzhikevichNode KLIFNode LIFNode ParametricLIFNode QIFNode RAFNode SimpleIFNode TernaryIFNode
    TernaryLIFNode ILIFNode"""
_CELLS = """IAFCell LICell LIBoxCell LIFBoxCell LIFCell LIFAdExCell LIFAdExRefracCell LIFExCell
    LIFRefracCell LSNNCell"""
_RECURRENT_NAMES = """LIFAdExRecurrent LIFAdExRefracRecurrent LIFExRecurrent LIFRecurrent LIFRefracRecurrent
    LSNNRecurrent"""
_RECURRENT_CELLS = """CobaLIFCell LIFAdExRecurrentCell LIFAdExRefracRecurrentCell LIFExRecurrentCell
    LIFMCRecurrentCell LIFMCRefracRecurrentCell LIFRecurrentCell LIFRefracRecurrentCell
    LSNNRecurrentCell"""


@dataclass(frozen=True)
class Known:
    """A neuron, how it is called, and what one of its spikes is worth: None if it gives potentials."""

    make: Callable[[], nn.Module]
    call: Callable[[Any, Tensor], Tensor] = over_time
    worth: float | Literal["each"] | None = 1.0
    shape: tuple[int, ...] = (N,)
    sure: bool = True  # whether it must fire here


def once(make: Any, *args: Any, **kwargs: Any) -> Callable[[], nn.Module]:
    return lambda: make(*args, **kwargs)


def _jelly(name: str, *args: Any, **more: Any) -> Known:
    known = {k: more.pop(k) for k in ("call", "worth", "shape", "sure") if k in more}

    def make() -> nn.Module:
        node: Any = getattr(jelly, name)(*args, **more)
        if known.get("call") is not steps and getattr(node, "step_mode", "m") == "s":
            node.step_mode = "m"
        return node

    return Known(make, **known)


def _table(d: list[float]) -> Any:
    return few_spike.FewSpikeTable(theta=[1.0, 0.5, 0.25, 0.125], h=[0.8, 0.4, 0.2, 0.1], d=d)


_D = [0.8, 0.4, 0.2, 0.1]
JELLY: dict[str, Known] = {
    **{name: _jelly(name) for name in _PLAIN_NAMES.split()},
    **{f"{name}, by steps": _jelly(name, call=steps) for name in ("IFNode", "LIFNode", "ILIFNode")},
    "SimpleLIFNode": _jelly("SimpleLIFNode", 2.0, False),
    "GatedLIFNode": _jelly("GatedLIFNode", T=T, shape=(2, 2, 2)),
    "MPBNLIFNode": _jelly("MPBNLIFNode", out_features=N, call=steps),
    "PSN": _jelly("PSN", T=T, sure=False),
    "MaskedPSN": _jelly("MaskedPSN", k=2, T=T, sure=False),
    "SlidingPSN": _jelly("SlidingPSN", k=2, sure=False),
    "OTTTLIFNode": _jelly("OTTTLIFNode", call=steps),
    "SLTTLIFNode": _jelly("SLTTLIFNode", call=steps),
    "ILCIFNode": _jelly("ILCIFNode", 2, 3),
    "ILCLIFNode": _jelly("ILCLIFNode", 2, 3),
    "ILCCUBALIFNode": _jelly("ILCCUBALIFNode", 2, 3),
    "LIAFNode": _jelly("LIAFNode", torch.relu, True, call=steps, worth=None),
    "LIAFNode, over time": _jelly("LIAFNode", torch.relu, True),
    "DSRIFNode": _jelly("DSRIFNode", T=T, worth=6.0, sure=False),
    "DSRLIFNode": _jelly("DSRLIFNode", T=T, v_threshold=0.25, tau=0.1, worth=5.0, sure=False),
    "STBIFNode": _jelly("STBIFNode", q_threshold=torch.tensor(0.25), level=8, worth=0.25),
    "FewSpikeNode": _jelly("FewSpikeNode", _table(_D), worth="each"),
    "OutlierAwareThresholdNode": _jelly(
        "OutlierAwareThresholdNode", _table(_D), _table(_D), 0.5, worth="each"
    ),
    "HGNode": _jelly("HGNode", [_table(_D), _table(_D)], [0.5], worth="each"),
    "FlexSN": Known(
        once(jelly.FlexSN, lambda x, v: ((v + x > 1).float(), (v + x) * (v + x <= 1)), num_states=1)
    ),
    "NoisyCUBALIFNode": _jelly("NoisyCUBALIFNode", N, is_training=False, T=T),
    "NoisyILCCUBALIFNode": _jelly("NoisyILCCUBALIFNode", 2, 3, is_training=False, T=T),
    **{
        f"{kind}, {decode}": _jelly(kind, decode=decode, worth=None)
        for kind in ("NonSpikingIFNode", "NonSpikingLIFNode")
        for decode in (None, "last-mem", "max-mem", "mean-mem")
    },
    "NoisyNonSpikingIFNode": _jelly("NoisyNonSpikingIFNode", N, is_training=False, T=T, worth=None),
}
_SNN: dict[str, Any] = {"beta": 0.9, "init_hidden": True}
SNNTORCH: dict[str, Known] = {
    "Leaky": Known(once(snntorch.Leaky, **_SNN), steps),
    "Leaky, graded": Known(
        once(snntorch.Leaky, graded_spikes_factor=0.25, **_SNN), steps, worth=0.25
    ),
    "Leaky, graded, learned": Known(
        once(snntorch.Leaky, graded_spikes_factor=0.3, learn_graded_spikes_factor=True, **_SNN),
        steps,
        worth=0.3,
    ),
    "Lapicque": Known(once(snntorch.Lapicque, **_SNN, threshold=0.01), steps),
    "Synaptic": Known(once(snntorch.Synaptic, alpha=0.5, **_SNN), steps),
    "Alpha": Known(once(snntorch.Alpha, alpha=0.9, beta=0.8, init_hidden=True), steps, sure=False),
    "DeltaLeaky": Known(once(snntorch.DeltaLeaky, 0.5, **_SNN), steps),
    "RLeaky": Known(once(snntorch.RLeaky, linear_features=N, **_SNN), steps),
    "RSynaptic": Known(once(snntorch.RSynaptic, alpha=0.5, linear_features=N, **_SNN), steps),
    "SLSTM": Known(once(snntorch.SLSTM, N, N, init_hidden=True, threshold=0.1), steps),
    "SConv2dLSTM": Known(
        once(snntorch.SConv2dLSTM, 2, 3, 3, init_hidden=True, threshold=0.1), steps, shape=(2, 4, 4)
    ),
    "StateLeaky": Known(once(snntorch.StateLeaky, 0.9, N)),
    "StateLeaky, potentials": Known(once(snntorch.StateLeaky, 0.9, N, output=False), worth=None),
    "LinearLeaky": Known(once(snntorch.LinearLeaky, 0.9, N, N, threshold=0.1)),
    "LeakyParallel": Known(once(snntorch.LeakyParallel, N, N, beta=0.9, threshold=0.1)),
    "LeakyParallel, graded": Known(
        once(snntorch.LeakyParallel, N, N, beta=0.9, threshold=0.1, graded_spikes_factor=0.5),
        worth=0.5,
    ),
    "AssociativeLeaky": Known(
        once(snntorch.AssociativeLeaky, N, 2, 3, 6, use_q_projection=False), sure=False
    ),
    "AssociativeLeaky, queried": Known(once(snntorch.AssociativeLeaky, N, 2, 2, 4), worth=None),
}
NORSE: dict[str, Known] = {
    **{
        name: Known(once(getattr(norse, name)), worth=None if name == "LI" else 1.0, sure=False)
        for name in ("IAF", "LI", "LIF", "LIFAdEx", "LIFEx", "LSNN")
    },
    **{
        name: Known(
            once(getattr(norse, name)), steps_with_state, None if name == "LICell" or name == "LIBoxCell" else 1.0, sure=False
        )
        for name in _CELLS.split()
    },
    **{
        name: Known(once(getattr(norse, name), N, N), sure=False)
        for name in _RECURRENT_NAMES.split()
    },
    **{
        name: Known(once(getattr(norse, name), N, N), steps_with_state, sure=False)
        for name in _RECURRENT_CELLS.split()
    },
    "LILinearCell": Known(once(norse.LILinearCell, N, N), steps_with_state, worth=None),
    "Izhikevich": Known(once(norse.Izhikevich, tonic_spiking), sure=False),
    "IzhikevichCell": Known(once(norse.IzhikevichCell, tonic_spiking), steps_with_state, sure=False),
    "IzhikevichRecurrent": Known(once(norse.IzhikevichRecurrent, N, N, tonic_spiking), sure=False),
    "IzhikevichRecurrentCell": Known(
        once(norse.IzhikevichRecurrentCell, N, N, tonic_spiking), steps_with_state, sure=False
    ),
}  # fmt: skip
_RECURRENT: dict[str, Any] = {
    "IAF": {},
    "LIF": {"tau_mem": 5.0},
    "ALIF": {"tau_mem": 5.0, "tau_adapt": 5.0},
}
SINABS: dict[str, Known] = {
    "IAF": Known(once(sinabs_layers.IAF), batch_first),
    "IAFSqueeze": Known(once(sinabs_layers.IAFSqueeze, batch_size=B), folded),
    "LIF": Known(once(sinabs_layers.LIF, tau_mem=5.0, norm_input=False), batch_first),
    "LIFSqueeze": Known(once(sinabs_layers.LIFSqueeze, tau_mem=5.0, norm_input=False, batch_size=B), folded),
    "ALIF": Known(once(sinabs_layers.ALIF, tau_mem=5.0, tau_adapt=5.0), batch_first, sure=False),
    "ExpLeak": Known(once(sinabs_layers.ExpLeak, tau_mem=5.0), batch_first, worth=None),
    "ExpLeakSqueeze": Known(once(sinabs_layers.ExpLeakSqueeze, tau_mem=5.0, batch_size=B), folded, worth=None),
    **{
        f"{name}Recurrent": Known(
            once(getattr(sinabs_layers, f"{name}Recurrent"), rec_connect=nn.Linear(N, N, bias=False), **more),
            batch_first,
            sure=False,
        )
        for name, more in _RECURRENT.items()
    },
}  # fmt: skip
ALL = {
    **{f"snntorch {name}": known for name, known in SNNTORCH.items()},
    **{f"spikingjelly {name}": known for name, known in JELLY.items()},
    **{f"norse {name}": known for name, known in NORSE.items()},
    **{f"sinabs {name}": known for name, known in SINABS.items()},
}


class Net(nn.Module):
    """A neuron between dense currents `t b *n` and a linear layer that hears it."""

    def __init__(self, known: Known, x: Tensor) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.call, self.node = known.call, known.make()
        with torch.no_grad():
            features = self.call(known.make(), x.clone()).shape[-1]
        self.head = nn.Linear(features, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        self.heard = self.call(self.node, x)
        return self.head(self.heard)


@pytest.mark.parametrize("name", ALL)
def test_spikes_potentials_time_and_updates(name: str) -> None:
    known = ALL[name]
    torch.manual_seed(1)
    x = 2 * torch.rand(T, B, *known.shape)
    model = Net(known, x)
    with Monitor(model) as monitor:
        model(x.clone())
    heard = model.heard.detach().abs().double()
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (B, T)
    synops, macs = (
        counts.per_sample["head"].item() * B for counts in (monitor.synops, monitor.macs)
    )
    if known.worth is None:
        assert (synops, macs) == (0, heard.numel() * 2)
        assert "node" not in monitor.rates
    else:
        spikes = (heard > 0).sum() if known.worth == "each" else heard.sum() / known.worth
        assert (heard > 0).any() or not known.sure
        assert synops == pytest.approx(2 * spikes.item(), rel=1e-5)
        assert macs == 0
        assert monitor.rates["node"].sum().item() * T * B == pytest.approx(spikes.item(), rel=1e-5)
    neurons = x.numel() if heard.ndim < x.ndim or heard.shape == x.shape else heard.numel()
    assert monitor.neuron_updates.per_sample["node"].item() * B == neurons


# ---- the packages' own lists

NO_NEURONS = {
    "snntorch": {"GradedSpikes"},
    "spikingjelly": set[str](),
    "norse": {
        "ConstantCurrentLIFEncoder", "ConvNet", "ConvNet4", "LConv2d", "Lift", "MobileNetV2", "PoissonEncoder", "VGG",
        "ParameterizedSpatialReceptiveField2d", "PopulationEncoder", "RecurrentSequential", "RegularizationCell",
        "SampledSpatialReceptiveField2d", "SequentialState", "SignedPoissonEncoder", "SpatialReceptiveField2d",
        "SpikeLatencyEncoder", "SpikeLatencyLIFEncoder", "SpikesToTimesDecoder", "TemporalReceptiveField",
    },
    "sinabs": {
        "ChannelShift", "Cropping2dLayer", "FlattenTime", "Img2SpikeLayer", "Merge", "NeuromorphicReLU", "QuantizeLayer",
        "Repeat", "Sig2SpikeLayer", "SpikingMaxPooling2dLayer", "SumPool2d", "UnflattenTime",
    },
}  # fmt: skip
ABSTRACT = {"SpikingNeuron", "LIF (snntorch)", "StatefulLayer"}
BROKEN = {"LIFCorrelation"}  # its own scripts fail on a batch
PACKAGES = {"snntorch": snntorch, "spikingjelly": jelly, "norse": norse, "sinabs": sinabs_layers}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_class_is_here(package: str) -> None:
    tried = {name.split(",")[0].split()[1] for name in ALL if name.startswith(f"{package} ")}
    for name, kind in vars(PACKAGES[package]).items():
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            continue
        abstract = (
            name in ABSTRACT or f"{name} ({package})" in ABSTRACT or name.endswith("BaseNode")
        )
        assert name in tried | NO_NEURONS[package] | BROKEN or abstract, f"{package}: {name}"
