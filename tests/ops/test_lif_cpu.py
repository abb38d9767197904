"""The fused kernels against the reference: the same spikes and states to the bit, the same gradients."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from picojoule.activation import MembraneSubtract, SingleSpike
from picojoule.layers import IAFSqueeze
from picojoule.ops import lif
from picojoule.ops.plan import constants_of, values_of
from picojoule.ops.spec import NeuronSpec
from tests.ops.fused import (
    FEW,
    LIF,
    MANY,
    SHAPES,
    arguments,
    check_equal,
    in_other_orders,
    others_slow,
    sequence,
)
from tests.python import python


@pytest.mark.parametrize("configuration", others_slow(FEW, 10), ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), arguments(configuration))


@pytest.mark.slow
@pytest.mark.parametrize("configuration", MANY[16:], ids=str)
def test_the_reference_is_equalled_in_many_configurations(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), arguments(configuration))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    check_equal("cpu", sequence(*shape), LIF)


def test_inputs_in_another_order_of_memory() -> None:
    for x in in_other_orders():
        check_equal("cpu", x, LIF)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_goes_the_way_of_the_reference(bad: float) -> None:
    x = sequence(1, 6, 5).detach()
    x[0, 2, 3] = bad
    for given in (LIF, {**LIF, "spike": SingleSpike}, {**LIF, "spike": None}):
        reference, fused = (lif(x, impl=impl, **given) for impl in ("reference", "cpu"))
        torch.testing.assert_close(fused.spikes, reference.spikes, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(
            fused.state.v_mem, reference.state.v_mem, rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_two_are_right_within_two_units_in_the_last_place(dtype: Any) -> None:
    from numba import njit

    from picojoule.ops.cpu import exponential

    form = exponential.FLOAT64 if dtype is np.float64 else exponential.FLOAT32
    power = exponential.power_of_two(form)

    @njit
    def apply(x: Any, y: Any) -> None:
        for i in range(len(x)):
            y[i] = power(x[i])

    low, high = -form.bias + 0.6, form.bias + 0.4
    x = np.concatenate(
        [np.linspace(low, high, 300_001), [0.0, -1e-30, 2 * low, -np.inf, 2 * high, np.inf]]
    )
    x = x.astype(dtype)
    came = np.empty_like(x)
    apply(x, came)
    expected = np.exp2(x.astype(np.longdouble))
    with np.errstate(over="ignore", under="ignore"):
        rounded = expected.astype(dtype)
    finite = np.isfinite(rounded)
    off = np.abs(came[finite] - expected[finite]) / np.spacing(rounded[finite])
    assert off[expected[finite] > np.finfo(dtype).tiny].max() <= 2
    assert came[-1] == came[-2] == np.inf
    assert came[-3] == came[-4] == 0
    apply(np.full(1, np.nan, dtype), came[:1])
    assert np.isnan(came[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "configuration",
    [
        FEW[0],
        (0.9, None, True, None, None, *FEW[0][5:]),
        *others_slow(FEW[1:6], 0),
    ],
    ids=str,
)
def test_other_formats_equal_the_reference(
    configuration: tuple[Any, ...], dtype: torch.dtype
) -> None:
    x = sequence(3, 9, 70).detach().to(dtype).requires_grad_()
    check_equal("cpu", x, arguments(configuration))


@pytest.mark.parametrize("configuration", others_slow(FEW[:6], 3), ids=str)
def test_numbers_for_parameters(configuration: tuple[Any, ...]) -> None:
    given, x = arguments(configuration), sequence(2, 9, 5)
    ends = [lif(x, impl=impl, **given) for impl in ("reference", "cpu")]
    assert torch.equal(ends[0].spikes, ends[1].spikes)
    assert torch.equal(ends[0].state.v_mem, ends[1].state.v_mem)
    one, other = (torch.autograd.grad(end.spikes.square().sum(), x)[0] for end in ends)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["alpha_mem", "alpha_syn", "threshold", "min_v_mem"])
def test_a_parameter_that_all_neurons_share_learns(name: str) -> None:
    x, grads = sequence(2, 9, 5).detach(), []
    for impl in ("reference", "cpu"):
        shared = torch.tensor(LIF[name], requires_grad=True)
        out = lif(x, impl=impl, **{**LIF, name: shared})
        grads.append(torch.autograd.grad(out.spikes.sum() + out.state.v_mem.sum(), shared)[0])
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("configuration", FEW[:3], ids=str)
def test_torch_finds_no_fault_with_the_operators(configuration: tuple[Any, ...]) -> None:
    from picojoule.ops.cpu.neuron import parameter_rows, plan_on_cpu
    from picojoule.ops.cpu.op import fused_neuron, fused_neuron_backward

    spec = NeuronSpec(**arguments(configuration), connect=None, record=False)
    x, states, none = sequence(2, 9, 5), sequence(2, 5), torch.empty(0)
    plan = plan_on_cpu(x, spec)
    i_syn = states if plan.synaptic else none
    p = parameter_rows(plan, values_of(spec), states).requires_grad_()
    given = (x, states, i_syn, none, p, constants_of(spec), str(plan))
    torch.library.opcheck(fused_neuron, given)
    given = tuple(part.detach() if isinstance(part, torch.Tensor) else part for part in given)
    torch.library.opcheck(fused_neuron_backward, (*given, x.detach(), *given[1:4]))


class Operators(TorchDispatchMode):
    """Keeps the names of the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_whoever_watches_operators_sees_them_and_the_same_values() -> None:
    x = sequence(2, 9, 5)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        spikes = lif(x, impl="cpu", **LIF).spikes
        return spikes, torch.autograd.grad(spikes.square().sum(), x)[0]

    unwatched = run()
    with Operators() as seen:
        watched = run()
    kernels = [name for name in seen.names if name.startswith("picojoule")]
    assert kernels == ["picojoule.fused_neuron.default", "picojoule.fused_neuron_backward.default"]
    for one, other in zip(unwatched, watched, strict=True):
        assert torch.equal(one, other)


def test_it_cannot_be_differentiated_twice() -> None:
    x = sequence(1, 3, 2)
    (grad,) = torch.autograd.grad(
        lif(x, impl="cpu", **LIF).spikes.square().sum(), x, create_graph=True
    )
    with pytest.raises(NotImplementedError, match=r"no second derivative.*impl='reference'"):
        grad.sum().backward()


def test_compiled_and_exported_whole() -> None:
    def step(x: torch.Tensor) -> torch.Tensor:
        return lif(2 * x, impl="cpu", **LIF).spikes.square()

    x = sequence(2, 9, 5)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    (expected,) = torch.autograd.grad(step(x).sum(), x)
    assert torch.equal(torch.autograd.grad(compiled(x).sum(), x)[0], expected)

    class Step(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return step(x)

    exported = torch.export.export(Step(), (x.detach(),)).module()
    assert torch.equal(exported(x.detach()), step(x))


def test_a_layer_may_name_it() -> None:
    torch.manual_seed(0)
    x = torch.rand(20, 3, 4)
    expected = IAFSqueeze(batch_size=2)(x)
    layer = IAFSqueeze(batch_size=2)
    layer.impl = "cpu"
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"record": True}, "states are to be recorded"),
        ({"connect": torch.nn.Identity()}, "the recurrent connection is Identity"),
        ({"surrogate": lambda v, th: v}, "the surrogate <lambda> is not built in"),
        ({"reset": lambda s, state, th: state}, "the reset <lambda> is not built in"),
        ({"reset": MembraneSubtract(torch.tensor(1.0))}, "subtract_value is a tensor"),
    ],
)
def test_what_it_cannot_run_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"impl='cpu' cannot run this call: {reason}"):
        lif(torch.rand(1, 2, 3), impl="cpu", **{**LIF, **change})


def test_several_threads_may_call_at_once() -> None:
    x = sequence(4, 20, 1100).detach()
    expected = lif(x, impl="reference", **LIF).spikes
    right: list[bool] = []

    def call(_: int) -> None:
        right.extend(torch.equal(lif(x, impl="cpu", **LIF).spikes, expected) for _ in range(5))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 20


@pytest.mark.parametrize("num_threads", [1, 3])
def test_any_number_of_threads(num_threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        check_equal("cpu", sequence(3, 4, 1030), LIF)
    finally:
        torch.set_num_threads(before)


PROGRAM = """
import os, sys, torch
from picojoule.ops import lif

x = torch.rand(4, 10, 1100, requires_grad=True)

def run():
    torch.set_num_threads(2)
    out = lif(x, alpha_mem=1.0, impl="cpu").spikes
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(out, lif(x, alpha_mem=1.0, impl="reference").spikes)
    assert grad.isfinite().all()
"""


def printed(program: str, **environment: str) -> str:
    done = python("-c", PROGRAM + program, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_after_a_fork() -> None:
    # forking after autograd ran is not allowed by PyTorch itself: the parent only looks forward; nor may a child
    # use several threads after its parent has: the samples are too small for PyTorch's own operators to do so
    child = """
x = x[:, :4].detach()
from torch.utils.data import DataLoader
lif(x.detach(), alpha_mem=1.0, impl="cpu")
samples = [lif(x.detach(), alpha_mem=1.0, impl="cpu").spikes] * 4

class Data:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        torch.set_num_threads(2)
        return lif(x.detach(), alpha_mem=1.0, impl="cpu").spikes

for batch in DataLoader(Data(), num_workers=2, multiprocessing_context="fork"):
    assert torch.equal(batch[0], samples[0])
"""
    printed(child)


def test_on_one_core() -> None:
    printed("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); run()")


def test_a_kernel_on_disk_needs_no_numba(tmp_path: Path) -> None:
    printed("run()", PICOJOULE_CACHE=str(tmp_path))
    assert len(list(tmp_path.glob("*.o"))) == 2
    told = printed("run(); print('numba' in sys.modules)", PICOJOULE_CACHE=str(tmp_path))
    assert told.strip() == "False"


def test_a_cache_that_cannot_be_written_or_is_damaged(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    printed("run()", PICOJOULE_CACHE=str(blocked))
    folder = tmp_path / "cache"
    printed("run()", PICOJOULE_CACHE=str(folder))
    for kernel in folder.glob("*.o"):
        kernel.write_bytes(kernel.read_bytes()[:100])
    printed("run()", PICOJOULE_CACHE=str(folder))
