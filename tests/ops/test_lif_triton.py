"""The Triton kernels against the reference: the same spikes and states to the bit, the same gradients.

On a GPU where there is one; else interpreted, in the process that test_triton_interpreted.py starts.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from picojoule.activation import MembraneSubtract, SingleSpike
from picojoule.ops import lif
from picojoule.ops.plan import PARAMETERS, constants_of, plan_of
from picojoule.ops.spec import NeuronSpec
from picojoule.ops.triton.availability import INSTALLED, INTERPRETED
from picojoule.ops.triton.parameters import UNUSED
from tests.ops.fused import (
    EVERY,
    FEW,
    LIF,
    SHAPES,
    arguments,
    check_equal,
    in_other_orders,
    sequence,
    start,
)

DEVICE = "cpu" if INTERPRETED else "cuda"
pytestmark = [
    # by the interpreter of Triton 3.6
    pytest.mark.filterwarnings("ignore:Conversion of an array with ndim:DeprecationWarning"),
    pytest.mark.skipif(not INSTALLED, reason="triton is not installed"),
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(),
        reason="no GPU; test_triton_interpreted.py runs this file interpreted",
    ),
]


@pytest.fixture(autouse=True)
def _fresh_memory_is_nan() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("configuration", FEW, ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal("triton", sequence(2, 9, 70), arguments(configuration), DEVICE)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", EVERY, ids=str)
def test_the_reference_is_equalled_in_every_configuration(configuration: tuple[Any, ...]) -> None:
    check_equal("triton", sequence(2, 9, 19), arguments(configuration), DEVICE)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    check_equal("triton", sequence(*shape), LIF, DEVICE)


@pytest.mark.parametrize("steps", [7, 8, 17])
def test_any_number_of_steps(steps: int) -> None:
    check_equal("triton", sequence(1, steps, 5), LIF, DEVICE)


def test_inputs_in_another_order_of_memory() -> None:
    for x in in_other_orders():
        check_equal("triton", x, LIF, DEVICE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    x = sequence(2, 10, 6).detach().to(dtype).requires_grad_()
    check_equal("triton", x, LIF, DEVICE)


# NumPy, which interprets the kernels, warns
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_goes_the_way_of_the_reference(bad: float) -> None:
    x = sequence(1, 6, 5).detach()
    x[0, 2, 3] = bad
    for given in (LIF, {**LIF, "spike": SingleSpike}, {**LIF, "spike": None}):
        expected = lif(x, impl="reference", **given)
        fused = lif(x.to(DEVICE), impl="triton", **given)
        for came, want in zip(fused.state[:2], expected.state[:2], strict=True):
            torch.testing.assert_close(came.cpu(), want, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(
            fused.spikes.cpu(), expected.spikes, rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize("used", [0, 1])
def test_a_loss_may_depend_on_some_outputs_only(used: int) -> None:
    x = sequence(2, 9, 5)

    def gradient(impl: str, device: str) -> Tensor:
        out = lif(x.to(device), impl=impl, alpha_mem=0.9)
        return torch.autograd.grad((out.spikes, out.state.v_mem)[used].sum(), x)[0]

    expected, came = gradient("reference", "cpu"), gradient("triton", DEVICE)
    torch.testing.assert_close(came, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_nothing_is_kept_where_nothing_is_differentiated() -> None:
    x = sequence(2, 9, 5).to(DEVICE)
    with torch.no_grad():
        assert not lif(x, impl="triton", alpha_mem=0.9).spikes.requires_grad
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()), lambda t: t):
        lif(x, impl="triton", alpha_mem=0.9)
    assert kept == [x.numel(), 2 * 2 * 5, 0]  # the input, a potential every 8 steps, no parameters


def test_it_cannot_be_differentiated_twice() -> None:
    x = sequence(1, 3, 2)
    out = lif(x.to(DEVICE), impl="triton", alpha_mem=0.9).spikes
    (gradient,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"neuron_backward.*no second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize("configuration", FEW[:3], ids=str)
def test_torch_finds_no_fault_with_the_operators(configuration: tuple[Any, ...]) -> None:
    import picojoule.ops.triton.op  # noqa: F401  (registers the operators)

    given = arguments(configuration)
    spec = NeuronSpec(**given, connect=None, record=False)
    plan = plan_of(spec)
    x = sequence(2, 9, 5)
    v_mem, i_syn = start(x, given)[:2]
    matrix = torch.rand(len(plan.parameters), 5, requires_grad=True)
    rows = [plan.parameters.index(n) if n in plan.parameters else UNUSED for n in PARAMETERS]
    tensors = [x, v_mem, i_syn, None, matrix]
    tensors = [t if t is None else t.detach().to(DEVICE).requires_grad_() for t in tensors]
    rest = [str(plan), rows, [0.0] * len(PARAMETERS), constants_of(spec)]
    operators = torch.ops.picojoule
    torch.library.opcheck(operators.neuron_forward.default, (*tensors, *rest, True))
    outputs = operators.neuron_forward(*tensors, *rest, True)
    x, kept, p = (t.detach() for t in (tensors[0], outputs[4], tensors[4]))
    given_back = (x, kept, p, torch.rand_like(x), None, None, None, *rest, True)
    torch.library.opcheck(operators.neuron_backward.default, given_back)


def test_compiled_whole_graphs() -> None:
    def step(x: Tensor, alpha: Tensor) -> Tensor:
        return lif(2 * x, impl="triton", alpha_mem=alpha, threshold=0.8).spikes.square().sum()

    x, alpha = sequence(2, 9, 5), torch.full((5,), 0.9, requires_grad=True)
    found = {}
    for name, run in (
        ("eager", step),
        ("compiled", torch.compile(step, fullgraph=True, backend="aot_eager")),
    ):
        loss = run(x.to(DEVICE), alpha.to(DEVICE))
        found[name] = [loss.detach(), *torch.autograd.grad(loss, [x, alpha])]
    for eager, compiled in zip(found["eager"], found["compiled"], strict=True):
        assert torch.equal(eager, compiled)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"record": True}, "states are to be recorded"),
        ({"connect": torch.nn.Identity()}, "the recurrent connection is Identity"),
        ({"surrogate": lambda v, th: v}, "the surrogate <lambda> is not built in"),
        ({"reset": MembraneSubtract(torch.tensor(1.0))}, "subtract_value is a tensor"),
    ],
)
def test_what_it_cannot_run_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"impl='triton' cannot run this call: {reason}"):
        lif(torch.rand(1, 2, 3, device=DEVICE), impl="triton", **{**LIF, **change})


def test_double_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot run this call: the input is torch\.float64"):
        lif(torch.rand(1, 2, 3, device=DEVICE).double(), alpha_mem=1.0, impl="triton")


def test_auto_takes_it_on_a_gpu_alone() -> None:
    out = lif(sequence(1, 3, 2).to(DEVICE), alpha_mem=1.0).spikes
    assert ("neuron_forward" in type(out.grad_fn).__name__) == (DEVICE == "cuda")


@pytest.mark.skipif(DEVICE == "cpu", reason="CUDA graphs need a GPU")
def test_inside_a_cuda_graph() -> None:
    x = sequence(2, 9, 70).detach().cuda()
    expected = lif(x, impl="triton", **LIF).spikes
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = lif(x, impl="triton", **LIF).spikes
    graph.replay()
    assert torch.equal(out, expected)
