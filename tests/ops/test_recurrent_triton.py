"""Recurrent neurons in a matrix product and a Triton kernel a step, against the reference on the same device.

On a GPU where there is one; else interpreted, as test_lif_triton.py is.
"""

import copy
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from picojoule.activation import MaxSpike, MembraneSubtract, SingleSpike
from picojoule.layers import StatefulLayer
from picojoule.ops import lif
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.lif import LIFState
from picojoule.ops.plan import PARAMETERS, constants_of, plan_of
from picojoule.ops.spec import NeuronSpec
from picojoule.ops.triton.parameters import UNUSED
from tests.ops.fused import ADAPTS, FEW, FEW_ALIF, LIF, arguments, in_other_orders, sequence
from tests.ops.near_threshold import check_recurrent
from tests.ops.test_lif_triton import DEVICE, _fresh_memory_is_nan, pytestmark
from tests.ops.test_recurrent_cpu import MAKE, Doubled, WatchedOperators, hooks, linear

__all__ = ["_fresh_memory_is_nan", "pytestmark"]

# cuBLAS reads it once: without it, deterministic algorithms, which fill fresh memory with NaN, refuse a product
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def connected(neurons: int, bias: bool = True, **change: Any) -> dict[str, Any]:
    """A call's arguments with a connection, on the device."""
    return {**LIF, "connect": linear(neurons, bias).to(DEVICE), **change}


@pytest.mark.parametrize("configuration", FEW[:6], ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    given = {**arguments(configuration), "connect": linear(20)}
    check_recurrent("triton", sequence(3, 9, 20), given, DEVICE)


@pytest.mark.parametrize("configuration", FEW_ALIF[:4], ids=str)
def test_the_reference_is_equalled_by_adaptive_neurons(configuration: tuple[Any, ...]) -> None:
    given = {**arguments(configuration), **ADAPTS, "connect": linear(20)}
    check_recurrent("triton", sequence(3, 9, 20), given, DEVICE)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", [*FEW[6:], *FEW_ALIF[4:]], ids=str)
def test_the_reference_is_equalled_in_more_configurations(configuration: tuple[Any, ...]) -> None:
    adapts = ADAPTS if configuration in FEW_ALIF else {}
    given = {**arguments(configuration), **adapts, "connect": linear(70)}
    check_recurrent("triton", sequence(3, 9, 70), given, DEVICE)


SHAPES = [(1, 1, 1), (1, 4, 300), (5, 1, 3), (9, 3, 130), (0, 5, 3), (2, 0, 3)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape: tuple[int, ...], bias: bool) -> None:
    given = {**LIF, "connect": linear(shape[-1], bias)}
    check_recurrent("triton", sequence(*shape), given, DEVICE)


def test_inputs_in_another_order_of_memory_stay_as_they_are() -> None:
    x = in_other_orders()[0].detach()
    before = x.clone()
    for turned in (x, x.flip(0), x[:, :, ::2]):
        given = {**LIF, "connect": linear(turned.shape[2])}
        check_recurrent("triton", turned.requires_grad_(), given, DEVICE)
    assert torch.equal(x, before)


# interpreted, a float32 is cut off to bfloat16, not rounded: there, potentials cannot be compared in it
@pytest.mark.parametrize(
    ("dtype", "spike"),
    [(torch.float16, LIF["spike"]), (torch.bfloat16, LIF["spike"]), (torch.float16, None)],
)
def test_half_precision_has_the_product_in_it_and_the_rest_in_float32(
    dtype: torch.dtype, spike: Any
) -> None:
    x = sequence(2, 10, 6).detach().to(dtype).requires_grad_()
    given = {**LIF, "spike": spike, "connect": linear(6).to(dtype)}
    check_recurrent("triton", x, given, DEVICE)


# NumPy, which interprets the kernels, warns
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_goes_the_way_of_the_reference(bad: float) -> None:
    x = sequence(2, 6, 5).detach()
    x[0, 2, 3] = bad
    x, given = x.to(DEVICE), connected(5)
    reference, fused = (lif(x, **given, impl=impl) for impl in ("reference", "triton"))
    for one, other in zip(fused.state, reference.state, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)


@pytest.mark.parametrize("cut", [0, 1, 5, 9])
def test_two_halves_equal_the_whole(cut: int) -> None:
    x, given = sequence(2, 9, 6).detach().to(DEVICE), connected(6, impl="triton")
    whole = lif(x, **given)
    first = lif(x[:, :cut], **given)
    second = lif(x[:, cut:], first.state, **given)
    assert torch.equal(torch.cat([first.spikes, second.spikes], 1), whole.spikes)
    for half, end in zip(second.state, whole.state, strict=True):
        assert torch.equal(half, end)
    assert whole.spikes.sum() > 0


def test_what_the_last_step_feeds_back_teaches_the_connection() -> None:
    x, given = sequence(2, 1, 4).detach().to(DEVICE), connected(4, impl="triton")
    out = lif(x, **given)
    assert out.state.i_rec is not None
    out.state.i_rec.sum().backward()
    # d sum(W s + b) / d W is s for each row of W
    assert torch.equal(given["connect"].weight.grad, out.spikes.sum((0, 1)).expand(4, 4))
    assert torch.equal(given["connect"].bias.grad, torch.full((4,), 2.0, device=DEVICE))


@pytest.mark.parametrize("used", [0, 1, 2])
def test_a_loss_may_depend_on_some_outputs_only(used: int) -> None:
    x, connect = sequence(2, 9, 5), linear(5).to(DEVICE)
    leaves = (x, connect.weight, connect.bias)

    def gradients(impl: str) -> tuple[Tensor, ...]:
        out = lif(x.to(DEVICE), impl=impl, alpha_mem=0.9, connect=connect)
        end = (out.spikes, out.state.v_mem, out.state.i_rec)[used]
        return torch.autograd.grad(end.square().sum(), leaves)

    for came, expected in zip(gradients("triton"), gradients("reference"), strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(came, expected, rtol=1e-4, atol=1e-5 * scale)


def test_a_start_at_rest_and_numbers_for_parameters() -> None:
    x = sequence(2, 6, 5).detach().to(DEVICE)
    given = {"alpha_mem": 0.9, "spike": MaxSpike(2), "reset": MembraneSubtract(0.8)}
    connect = linear(5).to(DEVICE)
    reference, fused = (lif(x, **given, connect=connect, impl=i) for i in ("reference", "triton"))
    assert torch.equal(reference.spikes, fused.spikes)
    assert isinstance(fused.state, LIFState)
    assert fused.state.i_syn is None


@pytest.mark.parametrize("make", MAKE)
def test_a_layer_may_name_it_and_learns_the_same(make: Callable[[nn.Module], nn.Module]) -> None:
    layer = make(linear(6)).to(DEVICE)
    assert isinstance(layer, StatefulLayer)
    x = 20 * torch.rand(2, 8, 6).to(DEVICE)
    x = x.flatten(0, 1) if "Squeeze" in type(layer).__name__ else x
    twin = copy.deepcopy(layer)
    layer.impl, twin.impl = "triton", "reference"
    ends = [each(x) for each in (layer, twin)]
    torch.testing.assert_close(*ends)
    torch.testing.assert_close(layer.i_rec, twin.i_rec)
    for end in ends:
        end.square().sum().backward()
    for own, other in zip(layer.parameters(), twin.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-5)


def operations(run: Callable[[], object]) -> Counter[str]:
    """How often each of PyTorch's own operators is called, views left out."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    views = ("aten::select", "aten::as_strided")
    events = [e for e in profiler.key_averages() if "aten::" in e.key and e.key not in views]
    return Counter({event.key: event.count for event in events})


def test_a_step_is_one_product_and_nothing_else_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    from picojoule.ops.triton import recurrent

    # the interpreter of kernels calls PyTorch itself
    monkeypatch.setattr(recurrent, "launcher", lambda *_, **__: lambda *_: None)
    connect = linear(6).to(DEVICE)
    into, (now, product) = connect.weight.t(), torch.rand(2, 2, 6, device=DEVICE).unbind()

    def call(steps: int) -> Callable[[], object]:
        x, given = sequence(2, steps, 6), {**LIF, "connect": connect, "impl": "triton"}
        leaves = (x, *connect.parameters())
        return lambda: torch.autograd.grad(lif(x.to(DEVICE), **given).spikes.sum(), leaves)

    @torch.no_grad()
    def products() -> None:
        for _ in range(5):
            torch.addmm(connect.bias, now, into, out=product)
            torch.mm(now, connect.weight, out=product)

    assert operations(call(9)) - operations(call(4)) == operations(products)


def test_little_is_kept_and_nothing_where_nothing_is_differentiated() -> None:
    x, given = sequence(2, 9, 5).to(DEVICE), connected(5, impl="triton")
    with torch.no_grad():
        assert not lif(x, **given).spikes.requires_grad
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()), lambda t: t):
        lif(x, **given)
    # what each step got, the states at the start, no parameters, the weight
    assert kept == [x.numel(), 2 * 5, 2 * 5, 0, 5 * 5]


def test_it_cannot_be_differentiated_twice() -> None:
    x = sequence(1, 3, 2)
    out = lif(x.to(DEVICE), **connected(2, impl="triton")).spikes
    (gradient,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"recurrent_backward.*no second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize("bias", [False, True])
def test_torch_finds_no_fault_with_the_operators(bias: bool) -> None:
    import picojoule.ops.triton.recurrent  # noqa: F401  (registers the operators)

    x, connect = sequence(2, 3, 5), linear(5, bias).to(DEVICE)
    spec = NeuronSpec(**LIF, connect=CheckedCurrent("lif", x).feedback(connect), record=False)
    plan = plan_of(spec)
    matrix = torch.rand(len(plan.parameters), 5)
    x, v, i, r, p = (
        tensor.detach().to(DEVICE).requires_grad_()
        for tensor in (x, *(sequence(2, 5) for _ in range(3)), matrix)
    )
    rows = [plan.parameters.index(n) if n in plan.parameters else UNUSED for n in PARAMETERS]
    rest = [str(plan), rows, [0.0] * len(PARAMETERS), constants_of(spec)]
    given = (x, v, i, None, r, p, connect.weight, connect.bias, *rest, True)
    operators = torch.ops.picojoule
    torch.library.opcheck(operators.recurrent_forward.default, given)
    total = operators.recurrent_forward(*given)[5]
    parts = [part.detach() for part in (total, v, i)]
    for learns in (False, True):
        back = (*parts, None, p.detach(), connect.weight.detach(), torch.rand_like(x).detach())
        back = (*back, None, None, None, torch.rand_like(r).detach(), *rest, learns, learns)
        torch.library.opcheck(operators.recurrent_backward.default, back)


def test_compiled_whole_graphs() -> None:
    given = connected(6, impl="triton")

    def step(x: Tensor) -> Tensor:
        return lif(2 * x, **given).spikes.square().sum()

    x = sequence(2, 9, 6)
    leaves, found = (x, *given["connect"].parameters()), {}
    for name, run in (
        ("eager", step),
        ("compiled", torch.compile(step, fullgraph=True, backend="aot_eager")),
    ):
        found[name] = torch.autograd.grad(run(x.to(DEVICE)), leaves)
    for eager, compiled in zip(found["eager"], found["compiled"], strict=True):
        assert torch.equal(eager, compiled)


@pytest.mark.parametrize("add", [pytest.param(add, id=name) for name, add in hooks()])
def test_a_linear_with_hooks_is_called(add: Callable[[nn.Linear], Any]) -> None:
    given = connected(3, impl="triton")
    add(given["connect"])
    with pytest.raises(ValueError, match="the recurrent Linear has hooks"):
        lif(sequence(1, 4, 3).to(DEVICE), **given)


def test_a_mode_sees_the_products() -> None:
    x, given = sequence(2, 4, 3).to(DEVICE), connected(3, impl="triton")
    with WatchedOperators(), pytest.raises(ValueError, match="a mode of torch watches every"):
        lif(x, **given)


REASONS = [
    (lambda: nn.Identity(), (2, 3, 4), "the recurrent connection is Identity"),
    (lambda: Doubled(4, 4), (2, 3, 4), "is Doubled"),
    (lambda: linear(4), (2, 3, 2, 4), r"from 4 to 4, the neurons are \(2, 4\)"),
    (lambda: linear(4).half(), (2, 3, 4), "the recurrent Linear does not compute in float32"),
    (lambda: linear(4).to("meta"), (2, 3, 4), "the recurrent Linear is on meta, the input on c"),
]


@pytest.mark.parametrize(("make", "shape", "reason"), REASONS, ids=[r for *_, r in REASONS])
def test_it_says_why_it_cannot(
    make: Callable[[], nn.Module], shape: tuple[int, ...], reason: str
) -> None:
    connect = make()
    connect = connect if "meta" in reason else connect.to(DEVICE)
    with pytest.raises(ValueError, match=f"impl='triton' cannot run this call: .*{reason}"):
        lif(sequence(*shape).to(DEVICE), **{**LIF, "connect": connect, "impl": "triton"})


def test_autocast_is_the_reference_s() -> None:
    x, given = sequence(2, 4, 3).detach().to(DEVICE), connected(3)
    with torch.autocast(DEVICE, torch.bfloat16), pytest.raises(ValueError, match="autocast"):
        lif(x, **given, impl="triton")


def test_auto_takes_it_on_a_gpu_alone() -> None:
    out = lif(sequence(1, 3, 2).to(DEVICE), **connected(2)).spikes
    assert ("recurrent_forward" in type(out.grad_fn).__name__) == (DEVICE == "cuda")


@pytest.mark.skipif(DEVICE == "cpu", reason="CUDA graphs need a GPU")
def test_inside_a_cuda_graph() -> None:
    x = sequence(2, 9, 70).detach().cuda().requires_grad_()
    given = connected(70, impl="triton", spike=SingleSpike)
    leaves = (x, *given["connect"].parameters())

    def step() -> tuple[Tensor, ...]:
        spikes = lif(x, **given).spikes
        return spikes.detach(), *torch.autograd.grad(spikes.square().sum(), leaves)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        expected = step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step()
    graph.replay()
    for came, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(came, wanted)
