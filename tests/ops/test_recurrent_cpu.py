"""Recurrent neurons in a matrix product and a kernel a step, against the reference."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from picojoule.activation import MaxSpike, MembraneSubtract
from picojoule.layers import ALIFRecurrent, IAFRecurrent, LIFRecurrent, LIFRecurrentSqueeze
from picojoule.ops import lif
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.lif import LIFState
from picojoule.ops.plan import constants_of, values_of
from picojoule.ops.spec import NeuronSpec
from tests.ops.fused import (
    ADAPTS,
    FEW,
    FEW_ALIF,
    LIF,
    arguments,
    check_equal,
    others_slow,
    sequence,
)


def linear(neurons: int, bias: bool = True) -> nn.Linear:
    torch.manual_seed(neurons)
    return nn.Linear(neurons, neurons, bias=bias)


@pytest.mark.parametrize("configuration", others_slow(FEW, 10), ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), {**arguments(configuration), "connect": linear(70)})


@pytest.mark.parametrize("configuration", others_slow(FEW_ALIF[:6], 4), ids=str)
def test_the_reference_is_equalled_by_adaptive_neurons(configuration: tuple[Any, ...]) -> None:
    given = {**arguments(configuration), **ADAPTS, "connect": linear(70)}
    check_equal("cpu", sequence(3, 9, 70), given)


SHAPES = [(1, 1, 1), (1, 7, 1030), (5, 1, 3), (32, 4, 300), (0, 5, 3), (2, 0, 3), (3, 6, 512)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape: tuple[int, ...], bias: bool) -> None:
    check_equal("cpu", sequence(*shape), {**LIF, "connect": linear(shape[-1], bias)})


def test_steps_that_do_not_fill_cache_lines() -> None:
    """MKL rounds a product by where its operands lie; on some processors 8 bytes make a difference."""
    check_equal("cpu", sequence(3, 9, 70), {**LIF, "connect": linear(70)})
    check_equal("cpu", sequence(1, 9, 71), {**LIF, "connect": linear(71)})


def test_inputs_in_another_order_of_memory_stay_as_they_are() -> None:
    x = sequence(9, 3, 40).detach()
    before = x.clone()
    for turned in (x.permute(1, 0, 2), x.flip(0), x[:, :, ::2]):
        neurons = turned.shape[2]
        check_equal("cpu", turned.requires_grad_(), {**LIF, "connect": linear(neurons)})
    assert torch.equal(x, before)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_step_that_is_shared_out(num_threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        check_equal("cpu", sequence(80, 3, 1100), {**LIF, "connect": linear(1100)})
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cut", [0, 1, 5, 9])
def test_two_halves_equal_the_whole(cut: int) -> None:
    x, given = sequence(2, 9, 6).detach(), {**LIF, "connect": linear(6), "impl": "cpu"}
    whole = lif(x, **given)
    first = lif(x[:, :cut], **given)
    second = lif(x[:, cut:], first.state, **given)
    assert torch.equal(torch.cat([first.spikes, second.spikes], 1), whole.spikes)
    for half, end in zip(second.state, whole.state, strict=True):
        assert torch.equal(half, end)
    assert whole.spikes.sum() > 0


def test_what_the_last_step_feeds_back_teaches_the_connection() -> None:
    connect, x = linear(4), sequence(2, 1, 4).detach()
    out = lif(x, **{**LIF, "connect": connect, "impl": "cpu"})
    assert out.state.i_rec is not None
    out.state.i_rec.sum().backward()
    # d sum(W s + b) / d W is s for each row of W
    assert torch.equal(connect.weight.grad, out.spikes.sum((0, 1)).expand(4, 4))
    assert torch.equal(connect.bias.grad, torch.full((4,), 2.0))


MAKE: list[Callable[[nn.Module], nn.Module]] = [
    lambda connect: LIFRecurrent(20.0, connect, tau_syn=5.0),
    lambda connect: IAFRecurrent(connect),
    lambda connect: ALIFRecurrent(20.0, 30.0, connect),
    lambda connect: LIFRecurrentSqueeze(tau_mem=20.0, rec_connect=connect, batch_size=2),
]


@pytest.mark.parametrize("make", MAKE)
def test_layers_take_it_of_themselves(make: Callable[[nn.Module], nn.Module]) -> None:
    layer = make(linear(6))
    x = 20 * torch.rand(2, 8, 6)
    x = x.flatten(0, 1) if isinstance(layer, LIFRecurrentSqueeze) else x
    twin = copy.deepcopy(layer)
    twin.impl = "reference"  # type: ignore[assignment]
    ends = [each(x) for each in (layer, twin)]
    assert "fused_recurrent" in _graph_of(layer, x)
    assert torch.equal(*ends)
    assert torch.equal(layer.i_rec, twin.i_rec)  # type: ignore[arg-type]
    for end in ends:
        end.square().sum().backward()
    for own, other in zip(layer.parameters(), twin.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-5)


def _graph_of(layer: nn.Module, x: torch.Tensor) -> set[str]:
    """Names of the operators behind an output, as far as the neuron's."""
    output = copy.deepcopy(layer)(x)
    todo, names = [output.grad_fn], set()
    while todo:
        node = todo.pop()
        names.add(node.name().partition("picojoule_")[2].removesuffix("_defaultBackward"))
        todo.extend(before for before, _ in node.next_functions if before is not None)
    return names


def hooks() -> Iterator[tuple[str, Callable[[nn.Linear], Any]]]:
    yield "forward", lambda connect: connect.register_forward_hook(lambda *_: None)
    yield "forward pre", lambda connect: connect.register_forward_pre_hook(lambda *_: None)
    yield "backward", lambda connect: connect.register_full_backward_hook(lambda *_: None)
    yield "backward pre", lambda connect: connect.register_full_backward_pre_hook(lambda *_: None)


@pytest.mark.parametrize("add", [pytest.param(add, id=name) for name, add in hooks()])
def test_a_linear_with_hooks_is_called(add: Callable[[nn.Linear], Any]) -> None:
    connect = linear(3)
    add(connect)
    with pytest.raises(ValueError, match="the recurrent Linear has hooks"):
        lif(sequence(1, 4, 3), **{**LIF, "connect": connect, "impl": "cpu"})


def test_a_hook_sees_every_step() -> None:
    connect, seen = linear(3), []
    connect.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    spikes = lif(sequence(1, 4, 3), **{**LIF, "connect": connect}).spikes
    assert torch.equal(torch.stack(seen, 1), spikes)


def test_a_hook_on_every_module_sees_every_step() -> None:
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda *call: seen.append(call))
    try:
        lif(sequence(1, 4, 3), **{**LIF, "connect": linear(3)})
    finally:
        handle.remove()
    assert len(seen) == 4


class Doubled(nn.Linear):
    """A subclass that computes something else."""

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(spikes)


REASONS = [
    (lambda: nn.Sequential(nn.Linear(4, 4)), (2, 3, 4), "is Sequential"),
    (lambda: nn.Conv1d(4, 4, 1), (2, 3, 4, 1), "is Conv1d"),
    (lambda: Doubled(4, 4), (2, 3, 4), "is Doubled"),
    (lambda: parametrizations.weight_norm(linear(4)), (2, 3, 4), "is ParametrizedLinear"),
    (lambda: linear(4), (2, 3, 2, 4), r"from 4 to 4, the neurons are \(2, 4\)"),
    (lambda: linear(4).double(), (2, 3, 4), "does not compute in float32"),
]


@pytest.mark.parametrize(("make", "shape", "reason"), REASONS, ids=[r for *_, r in REASONS])
def test_it_says_why_it_cannot(
    make: Callable[[], nn.Module], shape: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(ValueError, match=f"impl='cpu' cannot run this call: .*{reason}"):
        lif(sequence(*shape), **{**LIF, "connect": make(), "impl": "cpu"})


def test_half_precision_and_autocast_are_the_reference_s() -> None:
    x, connect = sequence(2, 4, 3).detach(), linear(3)
    with pytest.raises(ValueError, match="does not compute in float32"):
        lif(x.bfloat16(), **{**LIF, "connect": copy.deepcopy(connect).bfloat16(), "impl": "cpu"})
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(ValueError, match="autocast"):
            lif(x, **{**LIF, "connect": connect, "impl": "cpu"})
        auto, reference = (
            lif(x, **{**LIF, "connect": connect, "impl": impl}) for impl in ("auto", "reference")
        )
    assert torch.equal(auto.state.i_rec, reference.state.i_rec)


class WatchedFunctions(TorchFunctionMode):
    """Lets everything through."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class WatchedOperators(TorchDispatchMode):
    """Lets everything through."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", [WatchedFunctions(), WatchedOperators()])
def test_a_mode_sees_the_products(mode: AbstractContextManager[Any]) -> None:
    with mode, pytest.raises(ValueError, match="a mode of torch watches every operation"):
        lif(sequence(2, 4, 3), **{**LIF, "connect": linear(3), "impl": "cpu"})


def test_the_products_are_counted() -> None:
    with FlopCounterMode(display=False) as counter:
        lif(sequence(2, 4, 3), **{**LIF, "connect": linear(3)})
    assert counter.get_total_flops() == 4 * 2 * 2 * 3 * 3  # steps, 2 a product, batch, weights


@pytest.mark.parametrize("bias", [False, True])
def test_torch_finds_no_fault_with_the_operators(bias: bool) -> None:
    from picojoule.ops.cpu.neuron import parameter_rows, plan_on_cpu
    from picojoule.ops.cpu.recurrent import fused_recurrent, fused_recurrent_backward

    x, connect = sequence(2, 9, 5), linear(5, bias)
    spec = NeuronSpec(**LIF, connect=CheckedCurrent("lif", x).feedback(connect), record=False)
    plan, none = plan_on_cpu(x, spec), torch.empty(0)
    v, i, r = (sequence(2, 5) for _ in range(3))
    p = parameter_rows(plan, values_of(spec), v).requires_grad_()
    given = (x, v, i, none, r, p, connect.weight, connect.bias, constants_of(spec), str(plan))
    torch.library.opcheck(fused_recurrent, given)
    total = x.detach().transpose(0, 1).contiguous()
    parts = [part.detach() for part in (total, v, i, none, p, connect.weight)]
    grads = [part.detach() for part in (x, v, i, none, r)]
    for learns in (False, True):
        torch.library.opcheck(
            fused_recurrent_backward, (*parts, constants_of(spec), str(plan), learns, *grads)
        )


def test_it_cannot_be_differentiated_twice() -> None:
    x = sequence(1, 3, 2)
    spikes = lif(x, **{**LIF, "connect": linear(2), "impl": "cpu"}).spikes
    (grad,) = torch.autograd.grad(spikes.square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"no second derivative.*impl='reference'"):
        grad.sum().backward()


class Net(nn.Module):
    """A recurrent layer's call, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.connect = linear(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return lif(2 * x, **{**LIF, "connect": self.connect, "impl": "cpu"}).spikes.square()


def test_compiled_and_exported_whole() -> None:
    net, x = Net(), sequence(2, 9, 6)
    leaves = (x, *net.parameters())
    expected = torch.autograd.grad(net(x).sum(), leaves)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    for came, wanted in zip(torch.autograd.grad(compiled(x).sum(), leaves), expected, strict=True):
        assert torch.equal(came, wanted)
    exported = torch.export.export(net, (x.detach(),))
    targets = [str(node.target) for node in exported.graph.nodes]
    assert "picojoule.fused_recurrent.default" in targets
    assert torch.equal(exported.module()(x.detach()), net(x))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_a_hook_that_came_before_compiling_is_kept() -> None:
    connect, seen = linear(6), []
    connect.register_forward_hook(lambda *_: seen.append(1))

    def run(x: torch.Tensor) -> torch.Tensor:
        return lif(x, **{**LIF, "connect": connect}).spikes

    x = sequence(2, 3, 6).detach()
    assert torch.equal(torch.compile(run, backend="eager")(x), run(x))
    assert len(seen) == 6


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_goes_the_way_of_the_reference(bad: float) -> None:
    x, given = sequence(2, 6, 5).detach(), {**LIF, "connect": linear(5)}
    x[0, 2, 3] = bad
    reference, fused = (lif(x, **given, impl=impl) for impl in ("reference", "cpu"))
    for one, other in zip(fused.state, reference.state, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_a_start_at_rest_and_numbers_for_parameters() -> None:
    x = sequence(2, 6, 5).detach()
    given = {"alpha_mem": 0.9, "spike": MaxSpike(2), "reset": MembraneSubtract(0.8)}
    reference, fused = (lif(x, **given, connect=linear(5), impl=i) for i in ("reference", "cpu"))
    assert torch.equal(reference.spikes, fused.spikes)
    assert isinstance(fused.state, LIFState)
    assert fused.state.i_syn is None
