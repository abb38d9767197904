"""The fused kernels against the reference: the same spikes and states to the bit, the same gradients."""

import itertools
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from picojoule.activation import (
    Gaussian,
    Heaviside,
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    MultiGaussian,
    MultiSpike,
    PeriodicExponential,
    SingleExponential,
    SingleSpike,
)
from picojoule.layers import IAFSqueeze
from picojoule.ops import LIFState, lif

SPIKES = [SingleSpike, MultiSpike, MaxSpike(2), None]
RESETS = [MembraneSubtract(), MembraneSubtract(0.7), MembraneReset(-0.2)]
SURROGATES = [
    SingleExponential(0.4, 1.5),
    PeriodicExponential(0.3),
    Heaviside(0.7),
    Gaussian(0.1),
    MultiGaussian(0.1),
]
EVERY = list(
    itertools.product(
        [1.0, 0.9], [None, 0.8], [False, True], [None, -0.3], SPIKES, RESETS, SURROGATES
    )
)
MANY = random.Random(0).sample(EVERY, 160)  # each costs a second to compile
FEW = MANY[:16]
TRAINED = ("alpha_mem", "alpha_syn", "threshold", "min_v_mem")


def arguments(configuration: tuple[Any, ...]) -> dict[str, Any]:
    names = ("alpha_mem", "alpha_syn", "norm_input", "min_v_mem", "spike", "reset", "surrogate")
    return {**dict(zip(names, configuration, strict=True)), "threshold": 1.1}


def run(
    impl: str, x: Tensor, state: LIFState, given: dict[str, Any]
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and end state; gradients of everything that goes in."""
    leaves = [x, *(s for s in state if s is not None)]
    for name in TRAINED:  # a parameter of each neuron's own
        if given.get(name) is not None and given[name] != 1.0:
            neurons = torch.linspace(0.95, 1.0, x.shape[2:].numel()).reshape(x.shape[2:])
            given = {**given, name: (given[name] * neurons).requires_grad_()}
            leaves.append(given[name])
    out = lif(x, state, impl=impl, **given)
    ends = [out.spikes, *(s for s in out.state if s is not None)]
    generator = torch.Generator().manual_seed(1)
    loss = sum((end * torch.rand(end.shape, generator=generator)).sum() for end in ends)
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return ends, [
        torch.zeros_like(leaf) if grad is None else grad
        for leaf, grad in zip(leaves, found, strict=True)
    ]


def check_equal(x: Tensor, given: dict[str, Any]) -> None:
    shape = (x.shape[0], *x.shape[2:])
    start = [torch.rand(shape).requires_grad_() for _ in range(2)]
    state = LIFState(start[0], None if given["alpha_syn"] is None else start[1])
    ends, gradients = run("reference", x, state, given)
    fused_ends, fused_gradients = run("cpu", x, state, given)
    for reference, fused in zip(ends, fused_ends, strict=True):
        assert torch.equal(reference, fused)
    for reference, fused in zip(gradients, fused_gradients, strict=True):
        scale = reference.abs().max().item() if reference.numel() else 0.0
        torch.testing.assert_close(fused, reference, rtol=1e-4, atol=1e-5 * scale + 1e-7)


def sequence(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return (1.5 * torch.rand(shape)).requires_grad_()


@pytest.mark.parametrize("configuration", FEW, ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal(sequence(3, 9, 70), arguments(configuration))


@pytest.mark.slow
@pytest.mark.parametrize("configuration", MANY[16:], ids=str)
def test_the_reference_is_equalled_in_many_configurations(configuration: tuple[Any, ...]) -> None:
    check_equal(sequence(3, 9, 70), arguments(configuration))


LIF = arguments((0.9, 0.8, True, -0.3, MultiSpike, MembraneSubtract(), SingleExponential()))


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (1, 7, 1030), (5, 1, 3), (2, 3, 4, 5, 6), (3, 4), (0, 5, 3), (2, 0, 3), (2, 5, 0)],
    ids=str,
)
def test_any_shape(shape: tuple[int, ...]) -> None:
    check_equal(sequence(*shape), LIF)


def test_inputs_in_another_order_of_memory() -> None:
    x = sequence(40, 3, 9).detach().permute(1, 2, 0).requires_grad_()
    check_equal(x, LIF)
    images = sequence(6, 4, 5, 5).detach().to(memory_format=torch.channels_last)
    check_equal(images.unflatten(0, (2, 3)).requires_grad_(), LIF)


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


def test_exp_is_right_within_two_units_in_the_last_place() -> None:
    from numba import njit

    from picojoule.ops.cpu.exponential import exp

    @njit
    def apply(x: Any, y: Any) -> None:
        for i in range(len(x)):
            y[i] = exp(x[i])

    x = np.concatenate([np.linspace(-87.5, 88.3, 1_000_001), [0.0, -1e-30, -100, -np.inf, np.inf]])
    x = x.astype(np.float32)
    came = np.empty_like(x)
    apply(x, came)
    expected = np.exp(x.astype(np.float64))
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float32)
    finite = np.isfinite(rounded)
    off = np.abs(came[finite] - expected[finite]) / np.spacing(rounded[finite])
    assert off[expected[finite] > 1e-38].max() <= 2
    assert came[-1] == np.inf
    assert came[-2] == came[-3] == 0
    apply(np.full(1, np.nan, np.float32), came[:1])
    assert np.isnan(came[0])


def test_half_precision_is_computed_in_float32() -> None:
    x = sequence(2, 5, 6).detach().bfloat16()
    reference, fused = (lif(x, impl=impl, **LIF) for impl in ("reference", "cpu"))
    assert fused.spikes.dtype == torch.bfloat16
    assert torch.equal(fused.spikes, reference.spikes)


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
        ({"connect": torch.nn.Identity()}, "there is a recurrent connection"),
        ({"surrogate": lambda v, th: v}, "the surrogate <lambda> is not built in"),
        ({"reset": lambda s, state, th: state}, "the reset <lambda> is not built in"),
        ({"reset": MembraneSubtract(torch.tensor(1.0))}, "subtract_value is a tensor"),
    ],
)
def test_what_it_cannot_run_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"impl='cpu' cannot run this call: {reason}"):
        lif(torch.rand(1, 2, 3), impl="cpu", **{**LIF, **change})


def test_double_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the computation is in torch\.float64"):
        lif(torch.rand(1, 2, 3).double(), alpha_mem=1.0, impl="cpu")


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
        check_equal(sequence(3, 4, 1030), LIF)
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


def python(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_after_a_fork() -> None:
    # forking after autograd ran is not allowed by PyTorch itself: the parent only looks forward
    child = """
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
    python(child)


def test_on_one_core() -> None:
    python("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); run()")


def test_a_kernel_on_disk_needs_no_numba(tmp_path: Path) -> None:
    python("run()", PICOJOULE_CACHE=str(tmp_path))
    assert len(list(tmp_path.glob("*.o"))) == 2
    told = python("run(); print('numba' in sys.modules)", PICOJOULE_CACHE=str(tmp_path))
    assert told.strip() == "False"


def test_a_cache_that_cannot_be_written_or_is_damaged(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    python("run()", PICOJOULE_CACHE=str(blocked))
    folder = tmp_path / "cache"
    python("run()", PICOJOULE_CACHE=str(folder))
    for kernel in folder.glob("*.o"):
        kernel.write_bytes(kernel.read_bytes()[:100])
    python("run()", PICOJOULE_CACHE=str(folder))
