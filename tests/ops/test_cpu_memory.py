"""The memory that the fused kernels read and write: only what they should, all of it, and no more each time."""

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from picojoule.ops.cpu import op, scratch
from picojoule.ops.cpu.compiled import Which, compiled
from picojoule.ops.cpu.neuron import parameter_rows, plan_on_cpu
from picojoule.ops.plan import constants_of, values_of
from picojoule.ops.spec import NeuronSpec
from tests.ops.fused import (
    ADAPTS,
    ALIF,
    FEW,
    FEW_ALIF,
    LIF,
    SHAPES,
    arguments,
    check_equal,
    others_slow,
    sequence,
)


@pytest.fixture
def fresh_memory_is_nan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `torch.empty` makes, and what a thread finds in its scratch memory."""

    def address(*args: Any) -> int:
        found = scratch.address(*args)
        scratch._own.memories[0].fill_(torch.nan)
        return found

    monkeypatch.setattr(op, "address", address)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("fresh_memory_is_nan")
@pytest.mark.parametrize("configuration", others_slow(FEW, 10), ids=str)
def test_nothing_is_read_before_it_is_written(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), arguments(configuration))


@pytest.mark.usefixtures("fresh_memory_is_nan")
@pytest.mark.parametrize("configuration", others_slow(FEW_ALIF, 8), ids=str)
def test_nor_by_adaptive_neurons(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), {**arguments(configuration), **ADAPTS})


@pytest.mark.usefixtures("fresh_memory_is_nan")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("given", [LIF, ALIF], ids=["LIF", "ALIF"])
def test_nor_in_any_shape(given: dict[str, Any], shape: tuple[int, ...]) -> None:
    check_equal("cpu", sequence(*shape), given)


NEURONS, STEPS = 1500, 2  # two rows, the second one not full
# a sample whose states are past 2^31 values, and its sequence past 2^32
FAR = 2**31 // NEURONS + 10


def far_memory(*axes: int) -> np.ndarray:
    """Zeros for FAR + 1 samples, of which the system provides what is touched."""
    size = 4 * int(np.prod(axes)) * (FAR + 1)
    without_reserve = getattr(mmap, "MAP_NORESERVE", 0x4000)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | without_reserve
    try:
        memory = mmap.mmap(-1, size, flags=flags)
    except OSError as error:
        pytest.skip(f"no {size / 2**30:.0f} GiB of addresses: {error}")
    return np.frombuffer(memory, dtype=np.float32).reshape(FAR + 1, *axes)


def far_from(near: Tensor) -> np.ndarray:
    """The one sample of a tensor as the last of very many."""
    far = far_memory(*near.shape[1:])
    far[FAR] = near.numpy()[0]
    return far


def run_far(
    which: Which, plan: Any, given: list[Any], made: list[np.ndarray], scratch_at: list[int]
) -> None:
    """A kernel on the rows of the last sample."""
    rows = -(-NEURONS // scratch.WIDEST)
    pointers = [part.ctypes.data if isinstance(part, np.ndarray) else part for part in given]
    outputs = [array.ctypes.data for array in made]
    compiled(plan, which)(
        ctypes.addressof(ctypes.c_void_p()), None, FAR * rows, (FAR + 1) * rows, STEPS, NEURONS,
        *pointers, *scratch_at, *outputs,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="needs memory that is there when it is touched")
def test_indices_past_two_to_the_31() -> None:
    own = {**LIF, "alpha_mem": torch.linspace(0.5, 0.9, NEURONS)}
    spec = NeuronSpec(**own, connect=None, record=False)
    x = sequence(1, STEPS, NEURONS).detach()
    plan = plan_on_cpu(x, spec)
    states = [torch.rand(1, NEURONS), torch.rand(1, NEURONS), torch.empty(0)]
    p, c = parameter_rows(plan, values_of(spec), states[0]), constants_of(spec)
    assert p.shape == (len(plan.parameters), NEURONS)
    inputs, constants = [x, *states], torch.tensor(c)

    near = op.fused_neuron(*inputs, p, c, str(plan))
    assert near[0].any()
    far_inputs = [far_from(part) if part.numel() else 0 for part in inputs]
    common = [*far_inputs, p.data_ptr(), constants.data_ptr()]
    made = [far_memory(STEPS, NEURONS), *(far_memory(NEURONS) for _ in range(2))]
    sums = far_memory(NEURONS)
    run_far("forward", plan, common, [*made, np.empty(0), sums, np.empty(0)], [])
    for far, expected in zip(made, near, strict=False):
        assert np.array_equal(far[FAR], expected.numpy()[0])
    assert np.array_equal(sums[FAR], near[0].sum((0, 1)).numpy())

    trained = replace(plan, trained=True)
    grads = [torch.rand_like(part) for part in near]
    *near_grads, near_p = op.fused_neuron_backward(*inputs, p, c, str(trained), *grads)
    far_grads = [far_from(part) if part.numel() else 0 for part in grads]
    made_p = far_memory(len(p), NEURONS)
    made = [far_memory(STEPS, NEURONS), *(far_memory(NEURONS) for _ in range(2))]
    own, no_loss = [scratch.address(trained, STEPS)], torch.zeros(NEURONS)
    run_far(
        "backward",
        trained,
        [*common, *far_grads, no_loss.data_ptr()],
        [*made, np.empty(0), made_p],
        own,
    )
    assert near_p.any()
    for far, expected in zip(made, near_grads, strict=False):
        assert np.array_equal(far[FAR], expected.numpy()[0])
    assert np.array_equal(made_p[FAR], near_p.numpy())


PROGRAM = """
import os, resource, torch
from picojoule.layers import ALIF, LIF
from picojoule import pack_spikes, reset_states

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

model = torch.nn.Sequential(
    torch.nn.Linear(20, 300), LIF(5.0, tau_syn=3.0, train_alphas=True), ALIF(5.0, 4.0)
)
for layer in model[1:]:
    layer.impl = "cpu"
x = 4 * torch.rand(8, 10, 20)

def run(calls):
    for _ in range(calls):
        reset_states(model)
        model(x).sum().backward()
        with pack_spikes(min_bytes=0):
            model(x)

run(60)
before = resident()
run(300)
print((resident() - before) // 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_three_hundred_calls_keep_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # of one call: 96 kB a tensor
    assert int(done.stdout) < 4000, f"{done.stdout.strip()} kB more"
