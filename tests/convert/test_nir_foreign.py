"""NIR from elsewhere is read by NIR's equations, worked out here by hand."""

from typing import Any

import nir
import numpy as np
import pytest
import torch

import picojoule
from picojoule.activation import MembraneSubtract


def graph_of(*nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes, type_check=False)


def arrays(*values: float) -> list[np.ndarray]:
    return [np.array([value], dtype=np.float32) for value in values]


def spikes_of(node: nir.NIRNode, *inputs: float, **options: Any) -> list[float]:
    data = torch.tensor(inputs).reshape(1, -1, 1)
    return picojoule.from_nir(node, **options)(data).flatten().tolist()


def test_a_foreign_if_has_no_bound_and_fires_above_its_threshold() -> None:
    r, threshold = arrays(1.0, 1.0)
    node = nir.IF(r=r, v_threshold=threshold)
    assert spikes_of(node, 1.0, 0.0, 0.5, 3.0) == [0, 0, 1, 1]
    assert spikes_of(node, 1.0, 0.0, 0.5, 3.0, fires_at_threshold=True) == [1, 0, 0, 1]
    assert spikes_of(node, -5.0, 5.5, 1.0) == [0, 0, 1]
    assert spikes_of(node, 2.5, 0.0, reset_fn=MembraneSubtract()) == [1, 1]
    assert picojoule.from_nir(node)[0].min_v_mem is None


def test_a_foreign_if_with_a_resistance_takes_it_times_dt() -> None:
    r, threshold = arrays(1e4, 1.0)
    assert spikes_of(nir.IF(r=r, v_threshold=threshold), 0.6, 0.6) == [0, 1]
    assert spikes_of(nir.IF(r=r, v_threshold=threshold), 0.6, 0.6, dt=2e-4) == [1, 1]


def test_rest_and_reset_potentials_move_the_origin() -> None:
    tau, r, leak, threshold, reset = arrays(2e-4, 2.0, -1.0, 0.5, -2.0)
    node = nir.LIF(tau=tau, r=r, v_leak=leak, v_threshold=threshold, v_reset=reset)
    v, expected = -1.0, []
    for x in (1.0, 1.2, 0.0, 1.6, 1.4, 3.0):
        v = v + 0.5 * (-1.0 - v) + x
        expected.append(float(v > 0.5))
        v = -2.0 if v > 0.5 else v
    assert 1 in expected
    assert spikes_of(node, 1.0, 1.2, 0.0, 1.6, 1.4, 3.0) == expected


def test_scalar_parameters_of_a_leaky_integrator_are_read() -> None:
    node = nir.LI(tau=np.float32(2e-4), r=np.float32(1.0), v_leak=np.float32(0.0))
    assert spikes_of(node, 1.0, 1.0) == [0.5, 0.75]
    assert spikes_of(node, 1.0, 0.0, dt=2e-4, discretisation="exponential") == pytest.approx(
        [1 - np.exp(-1), np.exp(-1) - np.exp(-2)]
    )


def test_scale_and_padded_pool_and_flat_cycles_are_read() -> None:
    scaled = picojoule.from_nir(graph_of(nir.Scale(scale=np.array([2.0, 3.0]))))
    assert scaled(torch.ones(1, 1, 2)).tolist() == [[[2.0, 3.0]]]
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), padding=np.array([1, 0]))
    summed = picojoule.from_nir(graph_of(pool_input(), pool), batch_size=1)(torch.ones(1, 1, 2, 2))
    assert summed.flatten().tolist() == [2.0, 2.0]
    r, threshold = arrays(1.0, 0.9)
    nodes = {
        "in": nir.Input({"input": np.array([1])}),
        "if": nir.IF(r=r, v_threshold=threshold),
        "w": nir.Affine(weight=np.array([[0.25]]), bias=np.array([0.5])),
        "out": nir.Output({"output": np.array([1])}),
    }
    cycle = nir.NIRGraph(nodes, [("in", "if"), ("if", "w"), ("w", "if"), ("if", "out")])
    # .5 from the bias in every step, .25 more after a spike
    assert spikes_of(cycle, 0.0, 0.0, 0.0, 0.0, 0.0) == [0, 1, 0, 1, 0]


def pool_input() -> nir.Input:
    return nir.Input({"input": np.array([1, 2, 2])})


def test_graphs_that_cannot_be_ordered_are_refused() -> None:
    nodes = {
        "in": nir.Input({"input": np.array([1])}),
        "a": nir.Linear(weight=np.ones((1, 1))),
        "b": nir.Linear(weight=np.ones((1, 1))),
        "out": nir.Output({"output": np.array([1])}),
    }

    def graph(*edges: tuple[str, str]) -> nir.NIRGraph:
        return nir.NIRGraph(dict(nodes), list(edges), type_check=False)

    with pytest.raises(NotImplementedError, match="form a cycle"):
        picojoule.from_nir(graph(("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")))
    with pytest.raises(ValueError, match=r"node .b. \(Linear\) gets no input"):
        picojoule.from_nir(graph(("in", "a"), ("a", "out"), ("b", "out")))
    nodes["in2"] = nodes["in"]
    with pytest.raises(NotImplementedError, match=r"Input nodes \['in', 'in2'\]"):
        picojoule.from_nir(graph(("in", "a"), ("in2", "a"), ("a", "out")))


@pytest.mark.parametrize("kind", ["Input", "Output"])
def test_a_subgraph_of_several_inputs_or_outputs_is_refused(kind: str) -> None:
    ends = {"in": nir.Input({"input": np.array([1])}), "out": nir.Output({"output": np.array([1])})}
    second = nir.Input({"input": np.array([1])}) if kind == "Input" else ends["out"]
    inner = nir.NIRGraph(
        {**ends, "second": second, "a": nir.Linear(weight=np.ones((1, 1)))},
        [("in", "a"), ("second", "a"), ("a", "out")]
        if kind == "Input"
        else [("in", "a"), ("a", "out"), ("a", "second")],
        type_check=False,
    )
    graph = nir.NIRGraph(
        {**ends, "block": inner}, [("in", "block"), ("block", "out")], type_check=False
    )
    with pytest.raises(NotImplementedError, match=f"subgraph 'block' has {kind} nodes"):
        picojoule.from_nir(graph)


def test_what_has_no_layer_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"node .threshold. \(Threshold\) has type"):
        picojoule.from_nir(graph_of(nir.Threshold(threshold=np.ones(2))))
    tau, r, leak, threshold = arrays(1e-4, 1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"node .lif. \(LIF\) has a time constant"):
        picojoule.from_nir(graph_of(nir.LIF(tau=tau, r=r, v_leak=leak, v_threshold=threshold)))
    node = nir.IF(r=np.ones(2), v_threshold=np.ones(2), v_reset=np.array([0.0, 0.5]))
    with pytest.raises(NotImplementedError, match="different v_reset"):
        picojoule.from_nir(node)
    with pytest.raises(TypeError, match=r"path of a \.nir file"):
        picojoule.from_nir(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dt is -1"):
        picojoule.from_nir(graph_of(nir.Scale(scale=np.ones(2))), dt=-1.0)


@pytest.mark.parametrize(("start", "end"), [(-4, -1), (2, 1), (0, 3), (-1, 0), (0, [1, 2])])
def test_axes_that_are_not_there_are_named(start: int, end: Any) -> None:
    node = nir.Flatten({"input": np.array([2, 3, 4])}, start_dim=0, end_dim=-1)
    node.start_dim, node.end_dim = start, end
    with pytest.raises(ValueError, match=r"flattens axes .* of an input of 3 axes"):
        picojoule.from_nir(graph_of(node))


def test_an_average_of_the_border_alone_is_named() -> None:
    size, border = np.array([2, 3]), np.array([1, 2])
    with pytest.raises(ValueError, match=r"'padding' of \[1, 2\], more than half"):
        picojoule.from_nir(graph_of(nir.AvgPool2d(size, size, border)))
