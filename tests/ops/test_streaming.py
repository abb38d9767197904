"""Sequences too large for the caches: the kernels write them past the caches, and the values are the same."""

from typing import Any

import pytest
import torch

from picojoule.ops.cpu import scratch
from picojoule.ops.cpu.scratch import STREAMED, VECTOR, is_streamed
from tests.ops.fused import ALIF, FEW, LIF, arguments, check_equal, sequence

# more than are taken at a time, pieces of a row, and 8 neurons
ROWS_AND_A_REST = 4 * scratch.WIDEST + 72


def test_large_sequences_are_streamed_where_vectors_fit() -> None:
    numbers = VECTOR // 4
    steps = STREAMED // VECTOR
    assert is_streamed(torch.empty(1, steps, numbers))
    assert not is_streamed(torch.empty(1, steps - 1, numbers))
    assert not is_streamed(torch.empty(1, 2 * steps, numbers - 1))
    assert not is_streamed(torch.empty(steps * numbers + 1)[1:].view(1, steps, numbers))


@pytest.mark.parametrize("given", [LIF, ALIF, arguments(FEW[0])], ids=["LIF", "ALIF", "another"])
@pytest.mark.parametrize("neurons", [ROWS_AND_A_REST, 8])
def test_streams_equal_the_reference(
    given: dict[str, Any], neurons: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "STREAMED", 0)
    check_equal("cpu", sequence(2, 3, neurons), given)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_streams_of_other_formats_equal_the_reference(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "STREAMED", 0)
    x = sequence(2, 3, 1104).detach().to(dtype).requires_grad_()
    check_equal("cpu", x, arguments(FEW[0]))


def test_neurons_that_share_their_parameters_are_taken_several_rows_at_a_time() -> None:
    from picojoule.ops import lif

    x = sequence(2, 3, ROWS_AND_A_REST).detach()
    one, other = (lif(x, alpha_mem=0.9, impl=impl) for impl in ("reference", "cpu"))
    assert torch.equal(one.spikes, other.spikes)
    assert torch.equal(one.state.v_mem, other.state.v_mem)
