"""The LIF recurrence: its values against a scalar loop, its gradients against finite differences."""

import itertools
import math
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from picojoule.activation import (
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    MultiSpike,
    SingleSpike,
    SurrogateGradient,
)
from picojoule.ops import LIFOutput, LIFState, lif

ALPHA, THRESHOLD = 0.9, 0.8
ALPHA_SYNS = [None, 0.7]
BOUNDS = [None, -0.3]
SPIKES = [SingleSpike(), MultiSpike(), MaxSpike(2), None]
RESETS = [MembraneSubtract(), MembraneSubtract(0.5), MembraneReset(), MembraneReset(-0.2)]


def fire(spike: Any, v: float) -> float:
    how_often = float(max(math.floor(v / THRESHOLD), 0))
    limit = {SingleSpike: 1, MultiSpike: math.inf, MaxSpike: 2}[type(spike)]
    return min(how_often, limit)


def after_spikes(reset: Any, spikes: float, v: float) -> float:
    if isinstance(reset, MembraneSubtract):
        return v - spikes * (reset.subtract_value or THRESHOLD)
    return reset.reset_value if spikes else v


def one_neuron(
    current: list[float],
    alpha_syn: float | None,
    norm: bool,
    bound: float | None,
    spike: Any,
    reset: Any,
) -> dict[str, list[float]]:
    """The recurrence of one neuron in plain numbers, written from its description."""
    v = i = 0.0
    trace: dict[str, list[float]] = {"output": [], "v_mem": [], "i_syn": []}
    for x in current:
        i = x if alpha_syn is None else alpha_syn * (i + x)
        v = ALPHA * v + ((1 - ALPHA) * i if norm else i)
        output = v
        if spike is not None:
            output = fire(spike, v)
            v = after_spikes(reset, output, v)
        if bound is not None:
            v = max(v, bound)
        for name, value in (("output", output), ("v_mem", v), ("i_syn", i)):
            trace[name].append(value)
    return trace


@pytest.mark.parametrize("reset", RESETS, ids=str)
@pytest.mark.parametrize("spike", SPIKES, ids=str)
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("alpha_syn", ALPHA_SYNS)
def test_equals_a_loop_over_plain_numbers(
    alpha_syn: float | None, norm: bool, bound: float | None, spike: Any, reset: Any
) -> None:
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        gain = 8.0 if norm else 1.0
        current = gain * torch.randn(2, 15, 3, dtype=torch.float64, generator=generator)
        out = lif(
            current,
            alpha_mem=ALPHA,
            alpha_syn=alpha_syn,
            threshold=THRESHOLD,
            norm_input=norm,
            min_v_mem=bound,
            spike=spike,
            reset=reset,
            record=True,
        )
        for b, n in itertools.product(range(2), range(3)):
            want = one_neuron(current[b, :, n].tolist(), alpha_syn, norm, bound, spike, reset)
            got = {"output": out.spikes, **out.recordings}
            for name, values in got.items():
                assert values[b, :, n].tolist() == pytest.approx(want[name], rel=1e-12, abs=1e-12)
            assert out.state.v_mem[b, n].item() == out.recordings["v_mem"][b, -1, n].item()
        assert bool((out.spikes != 0).any())


class SmoothSpike:
    """A spike function without a step, so that its gradient is the true one."""

    @staticmethod
    def apply(v_mem: Tensor, spike_threshold: Tensor, surrogate: SurrogateGradient) -> Tensor:
        return torch.nn.functional.softplus(3 * (v_mem / spike_threshold - 1))


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("bound", [None, -0.1])
@pytest.mark.parametrize("spike", [SmoothSpike, None])
def test_gradients_are_those_of_finite_differences(
    spike: type[SmoothSpike] | None, bound: float | None, norm: bool
) -> None:
    def run(x: Tensor, v: Tensor, i: Tensor, a: Tensor, a_syn: Tensor, th: Tensor) -> tuple:
        out = lif(
            x,
            LIFState(v, i),
            alpha_mem=a,
            alpha_syn=a_syn,
            threshold=th,
            norm_input=norm,
            min_v_mem=bound,
            spike=spike,
            record=True,
        )
        assert bound is None or bool((out.recordings["v_mem"] == bound).any())
        states = [state for state in out.state if state is not None]
        return out.spikes, *states, *out.recordings.values()

    def double(*shape: int, around: float = 0.0, spread: float = 1.0) -> Tensor:
        values = around + spread * torch.randn(shape, dtype=torch.float64)
        return values.requires_grad_()

    state = double(2, 3), double(2, 3)
    shares = double(3, around=0.8, spread=0.05), double(3, around=0.6, spread=0.05)
    assert gradcheck(run, (double(2, 5, 3), *state, *shares, double(3, around=1.0, spread=0.05)))


def test_the_surrogate_gradient_flows_through_the_reset() -> None:
    current = torch.tensor([0.9, 0.9]).reshape(1, 2, 1).requires_grad_()
    lif(current, alpha_mem=1.0).spikes.sum().backward()

    def slope(v: float) -> float:
        return 2 * math.exp(-2 * abs(v - 1))

    by_hand = [slope(0.9) + slope(1.8) * (1 - slope(0.9)), slope(1.8)]
    assert by_hand == pytest.approx([1.38006, 0.40379], abs=1e-5)
    assert current.grad is not None
    assert current.grad.flatten().tolist() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("spike", [SingleSpike(), MultiSpike(), MaxSpike(1)], ids=str)
def test_a_potential_equal_to_the_threshold_fires(spike: Any) -> None:
    just_below = math.nextafter(0.5, 0.0)
    current = torch.tensor([[[0.5, just_below]]], dtype=torch.float64)
    out = lif(current, alpha_mem=1.0, threshold=0.5, spike=spike)
    assert out.spikes.flatten().tolist() == [1.0, 0.0]


def test_at_the_lower_bound_the_gradient_is_zero() -> None:
    current = torch.tensor([[[-0.5, -0.25, 0.25]]], requires_grad=True)
    lif(current, alpha_mem=1.0, min_v_mem=-0.25).state.v_mem.sum().backward()
    assert current.grad is not None
    through_reset = 1 - 2 * math.exp(-2 * 0.75)
    assert current.grad.flatten().tolist() == pytest.approx([0.0, 0.0, through_reset])


def graph_nodes(root: Any) -> Counter[str]:
    """How many nodes of each kind lie behind `root`."""
    seen, todo = {root}, [root]
    while todo:
        new = {node for node, _ in todo.pop().next_functions if node is not None} - seen
        seen |= new
        todo += new
    return Counter(type(node).__name__ for node in seen)


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("alpha_syn", ALPHA_SYNS)
def test_the_backward_is_linear_in_the_number_of_steps(
    alpha_syn: float | None, record: bool
) -> None:
    def nodes(steps: int) -> Counter[str]:
        current = torch.randn(2, steps, 3, requires_grad=True)
        arguments: dict[str, Any] = {"alpha_syn": alpha_syn, "min_v_mem": -1.0, "record": record}
        out = lif(current, alpha_mem=0.9, impl="reference", **arguments)
        outputs = [out.spikes, *out.state, *out.recordings.values()]
        return graph_nodes(sum(x.sum() for x in outputs if x is not None).grad_fn)

    short, middle, long = nodes(10), nodes(20), nodes(30)
    assert long - middle == middle - short
    assert sum((middle - short).values()) > 0
    assert long["UnbindBackward0"] == 1
    assert not [name for name in long if "Select" in name or "Slice" in name]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    current = torch.randn(2, 20, 3).to(dtype)
    arguments: dict[str, Any] = {"alpha_mem": 0.9, "alpha_syn": 0.7, "record": True, "spike": None}
    half, full = lif(current, **arguments), lif(current.float(), **arguments)
    assert half.spikes.dtype == dtype
    assert torch.equal(half.spikes, full.spikes.to(dtype))
    assert torch.equal(half.state.v_mem, full.state.v_mem)
    assert half.state.v_mem.dtype == half.recordings["v_mem"].dtype == torch.float32


@pytest.mark.parametrize("spike", [MultiSpike(), None], ids=str)
def test_auto_equals_the_reference(spike: Any) -> None:
    def run(impl: str) -> tuple[LIFOutput, Tensor]:
        current = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
        arguments: dict[str, Any] = {"alpha_mem": 0.9, "alpha_syn": 0.7, "min_v_mem": -0.3}
        out = lif(current, **arguments, spike=spike, record=True, impl=impl)
        (out.spikes.sum() + out.state.v_mem.sum()).backward()
        assert current.grad is not None
        return out, current.grad

    (auto, auto_grad), (reference, reference_grad) = run("auto"), run("reference")
    assert torch.equal(auto.spikes, reference.spikes)
    assert torch.equal(auto.state.v_mem, reference.state.v_mem)
    assert torch.equal(auto.recordings["i_syn"], reference.recordings["i_syn"])
    assert torch.equal(auto_grad, reference_grad)


CURRENT = torch.zeros(2, 4, 3)
NAN = math.nan
FAULTS: list[tuple[Tensor, dict[str, Any], type[Exception], str]] = [
    (torch.zeros(4), {}, ValueError, r"\(4,\).*\(batch, time, \*neuron\)"),
    (CURRENT.int(), {}, TypeError, r"torch\.int32.*floating point"),
    (CURRENT, {"state": LIFState(torch.zeros(3, 3))}, ValueError, r"v_mem.*\(3, 3\).*\(2, 3\)"),
    (CURRENT, {"state": LIFState(torch.zeros(2, 3), torch.zeros(2))}, ValueError, r"i_syn.*\(2,\)"),
    *((CURRENT, {"alpha_mem": a}, ValueError, f"alpha_mem is {a}") for a in (0, -0.5, 1.5, NAN)),
    *((CURRENT, {"alpha_syn": a}, ValueError, f"alpha_syn is {a}") for a in (0, -0.5, 1.5, NAN)),
    *((CURRENT, {"threshold": a}, ValueError, f"threshold is {a}") for a in (0, -1.0, NAN)),
    *(
        (CURRENT, {name: torch.full((2,), 0.5)}, ValueError, rf"{name}.*\(2,\).*\(3,\)")
        for name in ("alpha_mem", "alpha_syn", "threshold", "min_v_mem")
    ),
    (CURRENT, {"threshold": torch.ones(1, 4, 3)}, ValueError, r"threshold.*\(1, 4, 3\)"),
    (CURRENT, {"impl": "fastest"}, ValueError, r"'fastest'.*'reference'"),
]


@pytest.mark.parametrize(("current", "arguments", "error", "message"), FAULTS)
def test_an_impossible_call_is_refused_with_both_sides_named(
    current: Tensor, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        lif(current, **{"alpha_mem": 0.9, "alpha_syn": 0.5, **arguments})
