"""What `from_nir` builds of a foreign graph, `to_nir` writes, and it comes back with the same spikes."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import MembraneHold

N = 4
PUBLISHED = Path(os.environ.get("NIR_GRAPHS", "no folder"))  # of the paper's repository


def full(value: float) -> np.ndarray:
    return np.full(N, value)


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes, type_check=False)


def recurrent(neuron: nir.NIRNode, feedback: nir.NIRNode) -> nir.NIRGraph:
    nodes = {
        "input": nir.Input({"input": np.array([N])}),
        "cell.lif": neuron,
        "cell.w_rec": feedback,
        "output": nir.Output({"output": np.array([N])}),
    }
    around = ["cell.lif", "cell.w_rec", "cell.lif"]
    edges = [("input", "cell.lif"), ("cell.lif", "output"), *pairwise(around)]
    return nir.NIRGraph(nodes, edges, type_check=False)


def affine(bias: float) -> nir.Affine:
    rng = np.random.default_rng(0)
    return nir.Affine(rng.normal(size=(N, N)) * 0.3, full(bias))


def cuba(**values: float) -> nir.CubaLIF:
    held = {
        "tau_syn": 3e-4,
        "tau_mem": 1e-3,
        "r": 5.0,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "w_in": 3.1,
    }
    return nir.CubaLIF(**{name: full(value) for name, value in (held | values).items()})


IF = nir.IF(full(1.0), full(0.7))
GRAPHS: dict[str, Callable[[], nir.NIRGraph]] = {
    "feedback bias": lambda: recurrent(cuba(), affine(0.2)),
    "feedback bias, scaled input": lambda: recurrent(cuba(r=8.0, w_in=0.4), affine(0.2)),
    "feedback bias, IF": lambda: recurrent(IF, affine(0.2)),
    "feedback bias, IF in seconds": lambda: recurrent(nir.IF(full(3e3), full(0.7)), affine(0.2)),
    "no feedback bias": lambda: recurrent(cuba(r=8.0), nir.Linear(affine(0).weight)),
    "snnTorch's hand": lambda: chain(cuba(r=10.0, w_in=3.0)),
    "rest, reset and threshold": lambda: chain(
        nir.LIF(full(1e-3), full(4.0), full(-0.3), full(0.5), full(-0.1))
    ),
    "leaky integrators": lambda: chain(
        nir.LI(full(1e-3), full(2.0), full(0.0)),
        nir.CubaLI(full(3e-4), full(1e-3), full(2.0), full(0.0), full(0.5)),
    ),
    "scale": lambda: chain(nir.Scale(np.array([1.0, 2.0, -1.0, 0.5])), IF),
}  # fmt: skip
IMAGES: dict[str, Callable[[], nir.NIRGraph]] = {
    "padded sum pool": lambda: chain(
        nir.Input({"input": np.array([1, 4, 5])}),
        nir.SumPool2d(np.array([2, 2]), np.array([1, 2]), np.array([1, 0])),
    ),
    "same padding, even kernel": lambda: chain(
        nir.Conv2d((4, 5), np.ones((2, 1, 2, 3)), 1, "same", 1, 1, np.ones(2)),
        nir.Flatten({"input": np.array([2, 4, 5])}, 0, -1),
    ),
    "grouped, dilated, strided": lambda: chain(
        nir.Conv2d((4, 5), np.ones((2, 1, 2, 2)), (1, 2), (1, 1), (2, 1), 1, np.ones(2)),
        nir.Conv2d((4, 5), np.ones((2, 1, 1, 1)), 1, 0, 1, 2, np.zeros(2)),
        nir.AvgPool2d(np.array([2, 2]), np.array([1, 1]), np.array([1, 1])),
    ),
}


def assert_goes_round(graph: object, data: Tensor, tmp_path: Path) -> nn.Module:
    model = picojoule.from_nir(graph)  # type: ignore[arg-type]
    expected = model(data).detach()
    assert expected.any()
    written = picojoule.to_nir(model, data)
    again = picojoule.from_nir(written)
    assert torch.equal(again(data), expected)
    nir.write(tmp_path / "again.nir", picojoule.to_nir(again, data))
    third = picojoule.from_nir(tmp_path / "again.nir")
    assert torch.equal(third(data), expected)
    assert len(list(third.modules())) == len(list(again.modules()))  # nothing piles up
    return model


@pytest.mark.filterwarnings("ignore:.*written as snnTorch does:UserWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_a_foreign_graph_goes_out_again(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert_goes_round(GRAPHS[name](), torch.rand(2, 30, N) * 1.5, tmp_path)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", IMAGES)
def test_a_foreign_graph_of_images_goes_out_again(name: str, tmp_path: Path) -> None:
    assert_goes_round(IMAGES[name](), torch.rand(2, 3, 1, 4, 5), tmp_path)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="NIR_GRAPHS is no folder of published graphs")
@pytest.mark.filterwarnings("ignore:.*written as snnTorch does:UserWarning")
@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.nir")), ids=lambda path: path.stem)
def test_published_graphs_go_out_again_or_are_refused_by_node(path: Path, tmp_path: Path) -> None:
    if path.stem.endswith(("subgraph", "two_lif_neurons")):
        # edges to a node of another name; a leak above the threshold
        with pytest.raises((ValueError, NotImplementedError), match=rf"{path}: .*'lif1'"):
            picojoule.from_nir(path)
        return
    first = next(
        m for m in picojoule.from_nir(path).modules() if isinstance(m, nn.Linear | nn.Conv2d)
    )
    shape = (2, 34, 34) if isinstance(first, nn.Conv2d) else (first.in_features,)
    torch.manual_seed(0)
    assert_goes_round(path, (torch.rand(1, 20, *shape) < 0.5).float() * 3, tmp_path)


def test_snntorchs_hold_is_told_and_lasts_a_step() -> None:
    beta, alpha = 0.9, 2 / 3  # of tau_mem = 1e-3 and tau_syn = 3e-4 in steps of 1e-4
    with pytest.warns(UserWarning, match=r"node 'cubalif' \(CubaLIF\) is written as snnTorch does"):
        model = picojoule.from_nir(chain(cuba(r=10.0, w_in=3.0)))
    data = torch.rand(1, 40, N)
    syn, v, held, expected = np.zeros(N), np.zeros(N), np.zeros(N, bool), []
    for x in data[0].double().numpy():
        syn = alpha * syn + x
        v = np.where(held, 0.0, beta * v + syn)
        held = v > 1.0
        expected.append(held)
        v = np.where(held, 0.0, v)
    spikes = model(data)
    assert isinstance(model[-1].reset_fn, MembraneHold)
    assert np.array_equal(spikes[0].detach().numpy(), np.array(expected, np.float32))


def test_a_leak_above_the_threshold_is_named() -> None:
    node = nir.LIF(full(1e-3), full(1.0), np.array([0.0, 1.2, 0, 0]), full(1.0))
    with pytest.raises(NotImplementedError, match=r"node 'lif' \(LIF\) has v_leak 1.2, not below"):
        picojoule.from_nir(chain(node))
    two = nir.CubaLIF(*(full(v) for v in (3e-4, 1e-3, 1.0, 1.0, 1.0)))
    with pytest.raises(NotImplementedError, match=r"'cubalif' \(CubaLIF\) has v_leak 1, not below"):
        picojoule.from_nir(chain(two))
