"""A NIR graph as a module."""

from __future__ import annotations

import operator
import re
from collections import OrderedDict
from functools import reduce
from pathlib import Path

import nir
from torch import fx, nn

from picojoule.convert.nir.check import check_graph
from picojoule.convert.nir.fields import unreadable
from picojoule.convert.nir.file import read_file
from picojoule.convert.nir.metadata import unpacked
from picojoule.convert.nir.read_layer import layer
from picojoule.convert.nir.read_neuron import ReadingOptions, neuron
from picojoule.convert.nir.simplify import NEURONS, NirPlan, Recurrent, plan_of
from picojoule.convert.nir.time_step import TimeStep


def read_graph(node_or_path: nir.NIRNode | str | Path) -> nir.NIRGraph:
    """The graph in a file, or a graph as it is, or one around a single node; checked.

    Raises:
        TypeError: it is neither.
        FileNotFoundError: there is no such file.
        ValueError: the file, or a field of the graph, is damaged; the message names file, node and field.
        NotImplementedError: a node has a type without a layer here.
    """
    source = source_of(node_or_path)
    if isinstance(node_or_path, str | Path):
        node_or_path = read_file(Path(node_or_path))
    if not isinstance(node_or_path, nir.NIRNode):
        raise TypeError(
            f"from_nir: got {type(node_or_path).__name__}, expected a NIR graph, a node, or the path of a "
            ".nir file."
        )
    if isinstance(node_or_path, nir.NIRGraph):
        check_graph(source, node_or_path)
        return node_or_path
    check_graph(source, nir.NIRGraph({"0": node_or_path}, [], type_check=False))
    nodes = {
        "input": nir.Input({"input": (node_or_path.input_type or {}).get("input")}),
        "0": node_or_path,
        "output": nir.Output({"output": (node_or_path.output_type or {}).get("output")}),
    }
    return nir.NIRGraph(nodes, [("input", "0"), ("0", "output")], type_check=False)


def source_of(node_or_path: object) -> str:
    """What messages put in front: the file, if it is one."""
    return f"{node_or_path}: " if isinstance(node_or_path, str | Path) else ""


def step_of(
    graph: nir.NIRGraph, dt: float | None, discretisation: str | None, source: str = ""
) -> TimeStep:
    """The time step asked for, else the one the file was written with, else the default."""
    asked = {"dt": dt, "discretisation": discretisation}
    asked = {name: value for name, value in asked.items() if value is not None}
    given = TimeStep(**asked)  # type: ignore[arg-type]
    try:
        return TimeStep(**{**(unpacked(graph.metadata) or {}), **asked})
    except (TypeError, ValueError) as error:
        if len(asked) == 2:
            return given
        raise unreadable(
            f"{source}the graph", f"has 'metadata' that give no time step ({error})", "Pass dt=."
        ) from error


def module_of(graph: nir.NIRGraph, options: ReadingOptions) -> nn.Module:
    """The module; `picojoule.from_nir` says the rest."""
    plan = plan_of(graph, options.source)
    modules: dict[str, list[tuple[str, nn.Module]]] = {}
    taken = set(dir(nn.Module()))
    for name, node in plan.nodes.items():
        base = re.sub(r"\W", "_", name.removesuffix(".lif")) or "_"
        modules[name] = [
            (_free_name(base + suffix, taken), module)
            for suffix, module in _modules(name, node, options)
        ]
    branches = any(len(sources) > 1 for sources in plan.sources.values())
    used = [source for sources in plan.sources.values() for source in sources]
    if branches or len(set(used)) != len(used):
        return _graph_module(plan, modules)
    return nn.Sequential(OrderedDict(pair for pairs in modules.values() for pair in pairs))


def _modules(
    name: str, node: nir.NIRNode | Recurrent, options: ReadingOptions
) -> list[tuple[str, nn.Module]]:
    held = node.neuron if isinstance(node, Recurrent) else node
    kind = type(held).__name__
    if kind in ("Input", "Output"):
        return []
    where = f"{options.source}node {name!r} ({kind})"
    try:
        if isinstance(node, Recurrent) or kind in NEURONS:
            *scale, cell = neuron(where, node, options)
            return [*(("_input", module) for module in scale), ("", cell)]
        folded = any(n is not None for n in options.squeeze.values())
        return [("", layer(where, node, folded=folded))]
    except NotImplementedError:
        raise
    except Exception as error:  # what layers, and the readers of metadata, find
        if str(error).startswith("from_nir: "):
            raise
        raise unreadable(where, f"cannot become a layer ({error})") from error


def _graph_module(plan: NirPlan, modules: dict[str, list[tuple[str, nn.Module]]]) -> fx.GraphModule:
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    for name, node in plan.nodes.items():
        arrived = [values[source] for source in plan.sources[name]]
        kind = type(node).__name__
        value = graph.placeholder("data") if kind == "Input" else _sum(graph, arrived)
        for module_name, _ in modules[name]:
            value = graph.call_module(module_name, (value,))
        if kind == "Output":
            graph.output(value)
        values[name] = value
    root = {name: module for pairs in modules.values() for name, module in pairs}
    return fx.GraphModule(root, graph)


def _sum(graph: fx.Graph, arrived: list[fx.Node]) -> fx.Node:
    return reduce(lambda a, b: graph.call_function(operator.add, (a, b)), arrived)


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
