"""`to_nir` and `from_nir` as sinabs' callers expect them: time constants in steps, Affine, named ends."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from picojoule import convert
from picojoule.activation import MembraneSubtract, MultiSpike
from picojoule.extras import extra
from picojoule.layers import FlattenTime, SqueezeMixin, UnflattenTime, stateful_layers

if TYPE_CHECKING:
    import nir


def to_nir(module: nn.Module, sample_data: Tensor, model_name: str = "model") -> nir.NIRGraph:
    """The NIR graph of a network, with sinabs' numbers: see :func:`picojoule.to_nir`.

    As in sinabs, time constants are in time steps, a linear layer without bias becomes an Affine with a
    bias of zeros, and an input `b f` of layers that want a time axis is taken for one step. What sinabs
    leaves out without a word is carried or is an error.

    Args:
        module: the network.
        sample_data: an input for it.
        model_name: name of the node if `module` is a single layer.

    Example:
        >>> import torch
        >>> from picojoule.layers import LIF
        >>> graph = to_nir(nn.Sequential(nn.Linear(2, 3, bias=False), LIF(20.0)), torch.ones(1, 2))
        >>> type(graph.nodes["0"]).__name__, graph.nodes["1"].tau.round(4).tolist()
        ('Affine', [20.0, 20.0, 20.0])
    """
    with extra("nir"):
        import nir
    if sample_data.ndim == 2 and _wants_a_time_axis(module):
        sample_data = sample_data.unsqueeze(1)
    graph = convert.to_nir(module, sample_data, model_name, dt=1.0, discretisation="exponential")
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Linear):
            zeros = np.zeros(node.weight.shape[0], dtype=node.weight.dtype)
            graph.nodes[name] = nir.Affine(node.weight, zeros, metadata=node.metadata)
    return graph


def from_nir(
    node: nir.NIRNode | str | Path, batch_size: int | None = None, num_timesteps: int | None = None
) -> nn.Module:
    """The network of a NIR graph: see :func:`picojoule.from_nir`.

    A graph that Picojoule did not write is taken for one of sinabs': time constants in time steps,
    several spikes a step, reset by subtraction. Read other programs' files with `picojoule.from_nir`.
    A chain of layers has an `input` and an `output` that do nothing, as children, as in sinabs; its call
    returns a tensor.

    Args:
        node: the graph, a node, or the path of a file.
        batch_size: samples in the folded axis of squeezed layers.
        num_timesteps: time steps in that axis.

    Example:
        >>> import torch
        >>> from_nir(to_nir(nn.Linear(2, 3), torch.ones(1, 2)))
        Sequential(
          (input): Identity()
          (model): Linear(in_features=2, out_features=3, bias=True)
          (output): Identity()
        )
    """
    with extra("nir"):
        import nir

        from picojoule.convert.nir.metadata import unpacked
        from picojoule.convert.nir.read import read_graph
    graph = read_graph(node)
    # a graph that sinabs made and has not written yet holds tensors
    nodes = {name: _in_numpy(inner) for name, inner in graph.nodes.items()}
    graph = nir.NIRGraph(nodes, graph.edges, metadata=graph.metadata, type_check=False)
    sinabs: dict[str, Any] = {
        "dt": 1.0,
        "discretisation": "exponential",
        "fires_at_threshold": True,
        "spike_fn": MultiSpike,
        "reset_fn": MembraneSubtract(),
    }
    known = {} if unpacked(graph.metadata) else sinabs
    network = convert.from_nir(graph, batch_size, num_timesteps, **known)
    if type(network) is not nn.Sequential:
        return network
    ends = ("input", nn.Identity()), ("output", nn.Identity())
    return nn.Sequential(OrderedDict([ends[0], *network.named_children(), ends[1]]))


def _wants_a_time_axis(module: nn.Module) -> bool:
    folding = any(isinstance(part, FlattenTime | UnflattenTime) for part in module.modules())
    return not folding and any(
        not isinstance(layer, SqueezeMixin) for _, layer in stateful_layers(module)
    )


def _in_numpy(node: nir.NIRNode) -> nir.NIRNode:
    """The node with arrays in the place of tensors; a copy."""
    double = copy.copy(node)
    for name, value in vars(node).items():
        if isinstance(value, Tensor):
            setattr(double, name, value.detach().cpu().numpy())
    return double


def _as_pair(x: Any) -> tuple[Any, ...]:
    """A pair of a number, or of one or more numbers: sinabs' tests ask for it."""
    values = tuple(x) if isinstance(x, Iterable) else (x,)
    if not values:
        raise ValueError("_as_pair: expected a number or numbers, got none.")
    return values * 2 if len(values) == 1 else values
