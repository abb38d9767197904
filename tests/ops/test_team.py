"""Kernels run on PyTorch's own threads, or on Python's where those cannot be had."""

import ctypes

import pytest
import torch

from picojoule.ops import lif
from picojoule.ops.cpu import forks, team, threads

SLOTS = 7


@pytest.fixture
def calls() -> list[int]:
    return [0] * SLOTS


def kernel_that_notes(made: list[int]) -> ctypes._CFuncPtr:  # type: ignore[name-defined]
    def note(slot: int, factor: int) -> int:
        made[slot] += factor
        return 0

    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64)(note)


@pytest.mark.skipif(team.why_no_team() is not None, reason="PyTorch without OpenMP")
@pytest.mark.parametrize("count", [1, 2, SLOTS])
def test_each_call_is_made_once(calls: list[int], count: int) -> None:
    team.run_on_team(kernel_that_notes(calls), [(k, k + 1) for k in range(count)])
    assert calls == [k + 1 if k < count else 0 for k in range(SLOTS)]


def test_with_and_without_the_team_the_numbers_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.rand(4, 10, 1100, generator=torch.Generator().manual_seed(1)).requires_grad_()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    monkeypatch.setattr(threads, "num_cores", lambda: 3)
    results = []
    try:
        for reason in (team.why_no_team(), "none, for a test"):
            monkeypatch.setattr(threads, "why_no_team", lambda reason=reason: reason)
            spikes = lif(x, alpha_mem=0.9, impl="cpu").spikes
            results.append((spikes, *torch.autograd.grad(spikes.square().sum(), x)))
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, *results))


def test_a_forked_process_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_forked", True)
    assert "was forked" in str(team.why_no_team())
