"""A NIR graph as a module."""

from __future__ import annotations

import operator
from collections import OrderedDict
from functools import reduce
from pathlib import Path

import nir
from torch import fx, nn

from picojoule.convert.nir.metadata import unpacked
from picojoule.convert.nir.read_layer import layer
from picojoule.convert.nir.read_neuron import Reading, neuron
from picojoule.convert.nir.simplify import NEURONS, Plan, Recurrent, plan_of
from picojoule.convert.nir.time_step import TimeStep


def read_graph(node_or_path: nir.NIRNode | str | Path) -> nir.NIRGraph:
    """The graph in a file, or a graph as it is, or one around a single node.

    Raises:
        TypeError: it is neither.
        FileNotFoundError: there is no such file.
        ValueError: it is no NIR file.
    """
    if isinstance(node_or_path, str | Path):
        # other programs leave shapes open, which the check would not forgive
        node_or_path = _read(Path(node_or_path))
    if not isinstance(node_or_path, nir.NIRNode):
        raise TypeError(
            f"from_nir: got {type(node_or_path).__name__}, expected a NIR graph, a node, or the path of a "
            ".nir file."
        )
    if isinstance(node_or_path, nir.NIRGraph):
        return node_or_path
    nodes = {
        "input": nir.Input({"input": node_or_path.input_type["input"]}),
        "0": node_or_path,
        "output": nir.Output({"output": node_or_path.output_type["output"]}),
    }
    return nir.NIRGraph(nodes, [("input", "0"), ("0", "output")], type_check=False)


def _read(path: Path) -> nir.NIRNode:
    if not path.is_file():
        raise FileNotFoundError(f"from_nir: there is no file {path}.")
    try:
        return nir.read(path, type_check=False)
    except (OSError, KeyError) as error:
        raise ValueError(f"from_nir: {path} is no NIR file, or a damaged one ({error}).") from error


def step_of(graph: nir.NIRGraph, dt: float | None, discretisation: str | None) -> TimeStep:
    """The time step asked for, else the one the file was written with, else the default."""
    chosen = unpacked(graph.metadata) or {}
    asked = {"dt": dt, "discretisation": discretisation}
    chosen |= {name: value for name, value in asked.items() if value is not None}
    return TimeStep(**chosen)


def module_of(graph: nir.NIRGraph, reading: Reading) -> nn.Module:
    """The module; `picojoule.from_nir` says the rest."""
    plan = plan_of(graph)
    modules: dict[str, list[tuple[str, nn.Module]]] = {}
    taken: set[str] = set()
    for name, node in plan.nodes.items():
        modules[name] = [
            (_free_name(name.removesuffix(".lif").replace(".", "_") + suffix, taken), module)
            for suffix, module in _modules(name, node, reading)
        ]
    branches = any(len(sources) > 1 for sources in plan.sources.values())
    used = [source for sources in plan.sources.values() for source in sources]
    if branches or len(set(used)) != len(used):
        return _graph_module(plan, modules)
    return nn.Sequential(OrderedDict(pair for pairs in modules.values() for pair in pairs))


def _modules(
    name: str, node: nir.NIRNode | Recurrent, reading: Reading
) -> list[tuple[str, nn.Module]]:
    kind = type(node).__name__
    if kind in ("Input", "Output"):
        return []
    if isinstance(node, Recurrent) or kind in NEURONS:
        *scale, cell = neuron(name, node, reading)
        return [*(("_input", module) for module in scale), ("", cell)]
    folded = any(n is not None for n in reading.squeeze.values())
    return [("", layer(name, node, folded=folded))]


def _graph_module(plan: Plan, modules: dict[str, list[tuple[str, nn.Module]]]) -> fx.GraphModule:
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    for name, node in plan.nodes.items():
        arrived = [values[source] for source in plan.sources[name]]
        kind = type(node).__name__
        value = graph.placeholder("data") if kind == "Input" else _sum(graph, name, arrived)
        for module_name, _ in modules[name]:
            value = graph.call_module(module_name, (value,))
        if kind == "Output":
            graph.output(value)
        values[name] = value
    root = {name: module for pairs in modules.values() for name, module in pairs}
    return fx.GraphModule(root, graph)


def _sum(graph: fx.Graph, name: str, arrived: list[fx.Node]) -> fx.Node:
    if not arrived:
        raise ValueError(
            f"from_nir: nothing arrives at node {name!r}; the graph lacks an edge to it."
        )
    return reduce(lambda a, b: graph.call_function(operator.add, (a, b)), arrived)


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
