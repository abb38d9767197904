"""NIR files of Norse, snnTorch and SpikingJelly load and give the spikes of the networks that wrote them."""

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import (
    MembraneHold,
    MembraneReset,
    MembraneSubtract,
    MultiSpike,
    SingleSpike,
)
from picojoule.layers import LIF

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    snntorch = pytest.importorskip("snntorch")
    snntorch_export = pytest.importorskip("snntorch.export_nir")
    norse = pytest.importorskip("norse.torch")
    norse_export = pytest.importorskip("norse.torch.utils.export_nir")
    norse_import = pytest.importorskip("norse.torch.utils.import_nir")
    jelly_neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    jelly_nir = pytest.importorskip("spikingjelly.activation_based.nir_exchange")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about themselves
TIME, BATCH, N = 50, 3, 4


@pytest.fixture
def data() -> Tensor:
    return torch.randn(BATCH, TIME, N) + 0.5


def stepwise(step: nn.Module, data: Tensor) -> Tensor:
    """A peer's network, one time step after the other."""
    outputs, state = [], None
    for x in data.unbind(1):
        out = step(x, state) if state is not None else step(x)
        out, state = out if isinstance(out, tuple) else (out, None)
        outputs.append(out.detach())
    return torch.stack(outputs, 1)


def read(graph: nir.NIRGraph, tmp_path: Path, data: Tensor, **options: Any) -> Tensor:
    nir.write(tmp_path / "net.nir", graph)
    spikes = picojoule.from_nir(tmp_path / "net.nir", **options)(data)
    assert spikes.any()
    return spikes.detach()


def snn_cell(kind: str, reset: str, **options: Any) -> nn.Module:
    recurrent = {"all_to_all": True, "linear_features": N} if kind.startswith("R") else {}
    decays = {"beta": 0.9 if recurrent else torch.full((N,), 0.9)}
    if kind.endswith("Synaptic"):
        decays["alpha"] = 0.7 if recurrent else torch.full((N,), 0.7)
    return getattr(snntorch, kind)(
        **decays,
        **recurrent,
        threshold=torch.full((N,), 0.8),
        init_hidden=True,
        reset_mechanism=reset,
        **options,
    )


SNN_RESETS = {
    ("zero", True): MembraneHold(),
    ("zero", False): MembraneReset(),
    ("subtract", True): MembraneSubtract(0.8 / 0.9),
    ("subtract", False): MembraneSubtract(),
    ("none", True): MembraneSubtract(0.0),
    ("none", False): MembraneSubtract(0.0),
}


SNN_CELLS = [
    (kind, *reset)
    for kind in ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
    for reset in SNN_RESETS
    # its own forward fails; potentials reach two thresholds
    if not (kind == "RSynaptic" and not reset[1])
    and not (kind != "Leaky" and reset == ("subtract", False))
]


@pytest.mark.parametrize(("kind", "reset", "delay"), SNN_CELLS)
def test_snntorch_with_each_reset(
    kind: str, reset: str, delay: bool, tmp_path: Path, data: Tensor
) -> None:
    net = nn.Sequential(nn.Linear(N, N), snn_cell(kind, reset, reset_delay=delay))
    with torch.no_grad():
        net[0].weight.mul_(0.3)  # no potential reaches two thresholds
    expected = stepwise(net, data)  # first: the export leaves its sample in the states
    graph = snntorch_export.export_to_nir(net, data[:, 0], ignore_dims=[0])
    holds = (reset, delay) == ("zero", True) and kind != "Leaky"
    told = {} if (reset, delay) == ("zero", True) else {"reset_fn": SNN_RESETS[reset, delay]}
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        spikes = read(graph, tmp_path, data, **told)
    assert torch.equal(spikes, expected)
    assert holds == any("how a neuron resets" in str(note.message) for note in notes)


def norse_net(cell: nn.Module) -> nn.Module:
    return norse.SequentialState(nn.Linear(N, N), cell)


def full(value: float) -> Tensor:
    return torch.full((N,), value)


@pytest.mark.parametrize(("their_dt", "dt"), [(1.0, 1e-3), (1e-3, 1e-6)])
def test_norse_lif_box(their_dt: float, dt: float, tmp_path: Path, data: Tensor) -> None:
    parameters = norse.LIFBoxParameters(tau_mem_inv=full(200.0), v_leak=full(0.0), v_th=full(0.1))
    net = norse_net(norse.LIFBoxCell(parameters))
    graph = norse_export.to_nir(net, data[0, 0], dt=their_dt)
    assert torch.equal(read(graph, tmp_path, data, dt=dt), stepwise(net, data))


def test_norse_iaf(tmp_path: Path, data: Tensor) -> None:
    net = norse_net(norse.IAFCell(norse.IAFParameters(v_th=full(1.3))))
    graph = norse_export.to_nir(net, data[0, 0])
    assert torch.equal(read(graph, tmp_path, data), stepwise(net, data))


def test_norse_leaky_integrator(tmp_path: Path, data: Tensor) -> None:
    net = norse_net(
        norse.LIBoxCell(norse.LIBoxParameters(tau_mem_inv=full(200.0), v_leak=full(0.0)))
    )
    graph = norse_export.to_nir(net, data[0, 0], dt=1.0)
    torch.testing.assert_close(read(graph, tmp_path, data, dt=1e-3), stepwise(net, data))


def norse_cuba_graph(data: Tensor) -> tuple[nn.Module, nir.NIRGraph]:
    parameters = norse.LIFParameters(
        tau_mem_inv=full(200.0), tau_syn_inv=full(300.0), v_leak=full(0.0), v_th=full(0.1)
    )
    net = norse_net(norse.LIFCell(parameters))
    return net, norse_export.to_nir(net, data[0, 0], dt=1.0)


def test_norse_lif_with_the_input_weight_its_export_forgets(tmp_path: Path, data: Tensor) -> None:
    net, graph = norse_cuba_graph(data)
    cell = next(node for node in graph.nodes.values() if isinstance(node, nir.CubaLIF))
    cell.w_in = np.asarray(cell.tau_syn) / 1e-3
    assert torch.equal(read(graph, tmp_path, data, dt=1e-3), stepwise(net, data))


def test_norses_own_reader_and_ours_agree(tmp_path: Path, data: Tensor) -> None:
    _, graph = norse_cuba_graph(data)
    nir.write(tmp_path / "cuba.nir", graph)
    theirs = norse_import.from_nir(nir.read(tmp_path / "cuba.nir", type_check=False), dt=1e-3)
    assert torch.equal(read(graph, tmp_path, data, dt=1e-3), stepwise(theirs, data))


JELLY = {
    "IF": lambda: jelly_neuron.IFNode(v_threshold=1.3),
    "LIF": lambda: jelly_neuron.LIFNode(tau=2.5, v_threshold=0.3),
    "LIF undecayed": lambda: jelly_neuron.LIFNode(tau=2.5, decay_input=False),
    "LIF offset": lambda: jelly_neuron.LIFNode(tau=2.5, v_threshold=0.1, v_reset=-0.2),
    "CubaLIF": lambda: jelly_neuron.CUBALIFNode(c_decay=0.5, v_decay=0.75),
}


@pytest.mark.parametrize("kind", JELLY)
@pytest.mark.parametrize("dt", [1e-4, 2e-3])
def test_spikingjelly(kind: str, dt: float, tmp_path: Path, data: Tensor) -> None:
    net = nn.Sequential(nn.Linear(N, N), JELLY[kind]())
    graph = jelly_nir.export_to_nir(net, data[:, 0], dt=dt)
    spikes = read(graph, tmp_path, data, dt=dt, fires_at_threshold=True)
    assert torch.equal(spikes, stepwise(net, data))


def test_a_conv_net_of_spikingjelly(tmp_path: Path) -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        jelly_neuron.IFNode(v_threshold=0.7),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(36, N, bias=False),
        jelly_neuron.LIFNode(tau=2.5, v_threshold=0.05),
    )
    data = torch.rand(BATCH, TIME, 2, 6, 6)
    graph = jelly_nir.export_to_nir(net, data[:, 0])
    folded = data.flatten(0, 1)
    spikes = read(graph, tmp_path, folded, num_timesteps=TIME, fires_at_threshold=True)
    assert torch.equal(spikes.unflatten(0, (BATCH, TIME)), stepwise(net, data))


@pytest.mark.parametrize("kind", ["IAF", "LIF"])
def test_sinabs(kind: str, data: Tensor) -> None:
    arguments = {"tau_mem": torch.full((N,), 3.0)} if kind == "LIF" else {}
    threshold = torch.full((N,), 0.3)
    net = nn.Sequential(
        nn.Linear(N, N), getattr(sinabs.layers, kind)(spike_threshold=threshold, **arguments)
    )
    expected = net(data).detach()
    assert expected.max() > 1
    # in memory: what sinabs makes of such a network cannot always be written
    again = picojoule.from_nir(
        sinabs.to_nir(net, data),
        dt=1.0,
        discretisation="exponential",
        fires_at_threshold=True,
        spike_fn=MultiSpike,
        reset_fn=MembraneSubtract(),
    )
    assert torch.equal(again(data), expected)


ONCE_TO_ZERO = {"spike_fn": SingleSpike, "reset_fn": MembraneReset()}


@pytest.mark.parametrize("norm_input", [True, False])
def test_peers_give_the_spikes_of_our_files(norm_input: bool, tmp_path: Path, data: Tensor) -> None:
    ours = nn.Sequential(
        nn.Linear(N, N), LIF(3.0, spike_threshold=0.3, norm_input=norm_input, **ONCE_TO_ZERO)
    )
    expected = ours(data).detach()
    assert expected.any()
    nir.write(tmp_path / "ours.nir", picojoule.to_nir(ours, data))
    jelly = jelly_nir.import_from_nir(tmp_path / "ours.nir")
    assert torch.equal(stepwise(jelly, data), expected)
    if norm_input:  # Norse takes r for 1
        norses = norse_import.from_nir(nir.read(tmp_path / "ours.nir"), dt=1e-4)
        assert torch.equal(stepwise(norses, data), expected)
