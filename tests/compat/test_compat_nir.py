"""NIR graphs in sinabs' numbers: written as sinabs writes them, and its own read back right."""

import importlib
import warnings

import pytest
import torch
from torch import nn

from picojoule.compat.sinabs.nir import _as_pair, from_nir, to_nir
from picojoule.layers import LIF, IAFSqueeze, LIFSqueeze

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sinabs")
    pytest.importorskip("nir")
    their_nir = importlib.import_module("sinabs.nir")
    their_layers = importlib.import_module("sinabs.layers")

# sinabs calls nirtorch by a deprecated name
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch:DeprecationWarning")


def network(layers: type[LIFSqueeze], bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4, bias=bias), layers(tau_mem=10.0, batch_size=2))


def test_the_nodes_have_the_numbers_of_sinabs() -> None:
    data = torch.rand(2 * 5, 3)
    ours = to_nir(network(LIFSqueeze, bias=False), data)
    theirs = their_nir.to_nir(network(their_layers.LIFSqueeze, bias=False), data)
    assert sorted(ours.edges) == sorted(theirs.edges)
    for name in ("0", "1"):
        mine, other = ours.nodes[name], theirs.nodes[name]
        assert type(mine) is type(other)
        for field in ("weight", "bias") if name == "0" else ("tau", "r", "v_leak", "v_threshold"):
            got, want = (torch.as_tensor(getattr(node, field)) for node in (mine, other))
            torch.testing.assert_close(got.float(), want.expand_as(got).float())


def test_a_graph_of_sinabs_comes_back_with_its_spikes() -> None:
    """N1: sinabs itself reads 1 spike back as 53, since it takes norm_input for off."""
    data = 20 * torch.rand(2 * 20, 3)
    model = network(their_layers.LIFSqueeze)
    spikes = model(data)
    read = from_nir(their_nir.to_nir(network(their_layers.LIFSqueeze), data), batch_size=2)
    assert spikes.any()
    torch.testing.assert_close(read(data), spikes)


def test_there_and_back() -> None:
    data = 20 * torch.rand(2, 20, 3)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), LIF(10.0, tau_syn=5.0, min_v_mem=-0.5))
    read = from_nir(to_nir(model, data))
    assert [name for name, _ in read.named_children()] == ["input", "0", "1", "output"]
    spikes = read(data)
    assert spikes.any()
    assert torch.equal(spikes, model(data))


def test_an_input_of_one_step() -> None:
    assert to_nir(LIF(10.0), torch.ones(1, 3)).nodes["model"].tau.shape == (3,)
    assert to_nir(IAFSqueeze(batch_size=1), torch.ones(1, 3)).nodes["model"].v_threshold.shape == (
        3,
    )


def test_pairs() -> None:
    assert [_as_pair(x) for x in (2, [3], (-1, 4))] == [(2, 2), (3, 3), (-1, 4)]
    with pytest.raises(ValueError, match="got none"):
        _as_pair([])
