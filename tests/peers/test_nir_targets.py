"""`to_nir(target=...)`: through that program's reader come the same spikes, or the layer is named."""

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import MaxSpike, MembraneReset, SingleSpike
from picojoule.layers import ALIF, IAF, LIF, ExpLeak, LIFRecurrent, Repeat, SumPool2d

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    snn_import = pytest.importorskip("snntorch.import_nir")
    norse_import = pytest.importorskip("norse.torch.utils.import_nir")
    jelly_nir = pytest.importorskip("spikingjelly.activation_based.nir_exchange")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about themselves
BATCH, TIME = 2, 40
ONCE: dict[str, Any] = {"spike_fn": SingleSpike, "reset_fn": MembraneReset()}
BOUND = {"min_v_mem": -0.5}
ALL = {"norse", "sinabs", "snntorch", "spikingjelly"}
ONCE_READERS = ALL - {"sinabs"}


def stepwise(step: nn.Module, data: Tensor) -> Tensor:
    outputs, state = [], None
    for x in data.unbind(1):
        out = step(x, state) if state is not None else step(x)
        out, state = out if isinstance(out, tuple) else (out, None)
        outputs.append(out)
    return torch.stack(outputs, 1)


def by_sinabs(path: Path, data: Tensor) -> Tensor:
    spikes, _ = sinabs.from_nir(nir.read(path), batch_size=BATCH)(data.flatten(0, 1))
    return spikes.unflatten(0, (BATCH, TIME))


READERS: dict[str, Callable[[Path, Tensor], Tensor]] = {
    "norse": lambda path, data: stepwise(norse_import.from_nir(nir.read(path)), data),
    "sinabs": by_sinabs,
    "snntorch": lambda path, data: stepwise(snn_import.import_from_nir(nir.read(path)), data),
    "spikingjelly": lambda path, data: stepwise(jelly_nir.import_from_nir(path), data),
}


def images(*between: nn.Module, features: int, **neuron: Any) -> nn.Sequential:
    return nn.Sequential(
        Repeat(nn.Conv2d(1, 2, 3, padding=1)), IAF(0.5, **neuron), *between, nn.Flatten(2),
        nn.Linear(features, 3), IAF(0.2, **{**neuron, **({"min_v_mem": -0.2} if "min_v_mem" in neuron else {})}),
    )  # fmt: skip


def vectors(neuron: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4, bias=False), neuron)


V, IMAGE, LINE = (4,), (1, 4, 4), (1, 4)
# a network, the shape of its input, and who reads it
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "IAF once": (lambda: vectors(IAF(0.3, **ONCE)), V, ONCE_READERS),
    "IAF MaxSpike(1)": (lambda: vectors(IAF(0.3, **{**ONCE, "spike_fn": MaxSpike(1)})), V, ONCE_READERS),
    "IAF multi": (lambda: vectors(IAF(0.5)), V, set()),
    "IAF multi, bounded": (lambda: vectors(IAF(0.5, **BOUND)), V, {"sinabs"}),
    "IAF once, bounded": (lambda: vectors(IAF(0.5, **BOUND, **ONCE)), V, set()),
    "IAF once, subtract": (lambda: vectors(IAF(0.5, spike_fn=SingleSpike)), V, set()),
    "IAF once, to -0.1": (
        lambda: vectors(IAF(0.5, spike_fn=SingleSpike, reset_fn=MembraneReset(-0.1))), V, set()
    ),
    "LIF once": (lambda: vectors(LIF(5.0, spike_threshold=0.1, **ONCE)), V, ONCE_READERS),
    "LIF once, no norm_input": (
        lambda: vectors(LIF(5.0, spike_threshold=0.5, norm_input=False, **ONCE)), V, ONCE_READERS
    ),
    "LIF multi": (lambda: vectors(LIF(5.0, spike_threshold=0.1)), V, {"sinabs"}),
    "LIF multi, no norm_input": (lambda: vectors(LIF(5.0, spike_threshold=0.5, norm_input=False)), V, {"sinabs"}),
    "LIF once, many taus": (
        lambda: vectors(LIF(torch.tensor([2.0, 3.0, 4.0, 5.0]), spike_threshold=0.1, **ONCE)), V, {"norse"}
    ),
    "LIF once, many thresholds": (
        lambda: vectors(LIF(3.0, spike_threshold=torch.tensor([0.1, 0.2, 0.3, 0.1]), **ONCE)), V, {"norse"}
    ),
    "synapses once": (lambda: vectors(LIF(5.0, spike_threshold=0.2, tau_syn=3.0, **ONCE)), V, ONCE_READERS),
    "synapses once, no norm_input": (
        lambda: vectors(LIF(5.0, spike_threshold=1.5, tau_syn=3.0, norm_input=False, **ONCE)), V, ONCE_READERS
    ),
    "synapses multi": (lambda: vectors(LIF(5.0, spike_threshold=0.2, tau_syn=3.0)), V, set()),
    "integrator": (lambda: vectors(ExpLeak(5.0)), V, set()),
    "recurrent": (lambda: vectors(LIFRecurrent(5.0, nn.Linear(4, 4), **ONCE)), V, set()),
    "conv2d once": (lambda: images(features=32, **ONCE), IMAGE, ONCE_READERS),
    "conv2d multi": (lambda: images(features=32, **BOUND), IMAGE, {"sinabs"}),
    "sum pool once": (lambda: images(Repeat(SumPool2d(2)), features=8, **ONCE), IMAGE, {"norse"}),
    "sum pool multi": (lambda: images(Repeat(SumPool2d(2)), features=8, **BOUND), IMAGE, {"sinabs"}),
    "conv2d with a leak, multi": (lambda: nn.Sequential(Repeat(nn.Conv2d(1, 2, 3)), LIF(5.0, spike_threshold=0.1)), IMAGE, set()),
    "average pool once": (
        lambda: images(Repeat(nn.AvgPool2d(2)), features=8, **ONCE), IMAGE, {"snntorch", "spikingjelly"}
    ),
    "grouped": (
        lambda: nn.Sequential(Repeat(nn.Conv2d(2, 2, 3, groups=2)), IAF(0.2, **ONCE)), (2, 4, 4), set()
    ),
    "conv1d": (
        lambda: nn.Sequential(Repeat(nn.Conv1d(1, 2, 3, padding=1)), IAF(0.2, **ONCE), nn.Flatten(2), nn.Linear(8, 3), IAF(0.2, **ONCE)),
        LINE, {"spikingjelly"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("target", sorted(ALL))
@pytest.mark.parametrize("name", NETS)
def test_the_same_spikes_or_the_layer_is_named(name: str, target: str, tmp_path: Path) -> None:
    build, shape, readers = NETS[name]
    torch.manual_seed(4)
    model, data = build().requires_grad_(False), torch.rand(BATCH, TIME, *shape) * 1.5
    for weights in (p for n, p in model.named_parameters() if n.endswith("weight")):
        weights.uniform_(-0.2, 0.5)
    expected = model(data)
    assert expected.any()
    picojoule.reset_states(model)
    if target not in readers:
        with pytest.raises(
            NotImplementedError, match=rf"to_nir: layer '[\w.]+' \(\w+\) has .*{target}"
        ):
            picojoule.to_nir(model, data, target=target)
        return
    nir.write(tmp_path / "net.nir", picojoule.to_nir(model, data, target=target))
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        spikes = READERS[target](tmp_path / "net.nir", data)
    assert torch.equal(spikes.float(), expected)
    assert torch.equal(picojoule.from_nir(tmp_path / "net.nir")(data), expected)


def test_every_target_reads_something() -> None:
    assert set.union(*(readers for _, _, readers in NETS.values())) == ALL == set(READERS)


def test_targets_and_their_steps_are_checked() -> None:
    model, data = vectors(IAF(**ONCE)), torch.rand(1, 5, 4)
    with pytest.raises(
        ValueError, match="target is 'lava', expected one of norse, sinabs, snntorch"
    ):
        picojoule.to_nir(model, data, target="lava")
    with pytest.raises(ValueError, match=r"snntorch takes steps of 0\.0001 s, but dt is 0\.001"):
        picojoule.to_nir(model, data, target="snntorch", dt=1e-3)
    with pytest.raises(ValueError, match="norse reads time constants as 'euler'"):
        picojoule.to_nir(model, data, target="norse", discretisation="exponential")
    with pytest.raises(NotImplementedError, match=r"'1' \(ALIF\) has no NIR node"):
        picojoule.to_nir(vectors(ALIF(3.0, 3.0)), data, target="norse")


def test_another_step_for_a_reader_that_is_told(tmp_path: Path) -> None:
    torch.manual_seed(4)
    model, data = vectors(LIF(5.0, spike_threshold=0.1, **ONCE)), torch.rand(BATCH, TIME, 4) * 1.5
    nir.write(tmp_path / "net.nir", picojoule.to_nir(model, data, target="norse", dt=5e-3))
    spikes = stepwise(norse_import.from_nir(nir.read(tmp_path / "net.nir"), dt=5e-3), data)
    assert torch.equal(spikes, model(data))
