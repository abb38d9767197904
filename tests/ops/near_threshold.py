"""A recurrent neuron against its reference on the same device, where a product may round otherwise there.

On the CPU both make the same product: spikes and states are equal to the bit. On a GPU the library of products
may choose another order of sums, though it is asked for the same; then spikes may differ where the reference's
potential lies within `margin` of a threshold, and what the sample does from there on is not compared.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from picojoule.activation import SingleSpike
from picojoule.ops import ALIFState, LIFState
from tests.ops.fused import check_close, run, start


def margin(dtype: torch.dtype) -> float:
    """How near to a threshold spikes may differ, in thresholds: 8 roundings in the product's dtype, or 1e-5."""
    return max(1e-5, 8 * torch.finfo(dtype).eps)


class Watched:
    """A spike function that keeps the potentials it sees, in thresholds."""

    def __init__(self, spike: Any) -> None:
        self.spike = spike() if isinstance(spike, type) else spike
        self.seen: list[Tensor] = []

    def apply(self, v_mem: Tensor, threshold: Tensor, surrogate: Any) -> Tensor:
        self.seen.append((v_mem / threshold).detach())
        spikes: Tensor = self.spike.apply(v_mem, threshold, surrogate)
        return spikes

    def distances(self) -> Tensor:
        """How far each potential was from where one spike more begins, in thresholds, `b t n`."""
        ratio = torch.stack(self.seen, 1).cpu()
        most = 1 if isinstance(self.spike, SingleSpike) else None
        limit = getattr(self.spike, "max_num_spikes_per_bin", None) or most
        return (ratio - ratio.round().clamp(1, limit)).abs()


def check_recurrent(impl: str, x: Tensor, given: dict[str, Any], device: str = "cpu") -> None:
    """An implementation against the reference, both on a device: outputs, states and all gradients."""
    given = {**given, "connect": copy.deepcopy(given["connect"]).to(device)}
    state = start(x, given)
    samples = _agreeing(impl, x, state, given, device)
    ends, gradients = run("reference", x, state, given, device, samples)
    fused_ends, fused_gradients = run(impl, x, state, given, device, samples)
    for reference, fused in zip(ends, fused_ends, strict=True):
        assert reference.dtype == fused.dtype
        if device == "cpu":
            assert torch.equal(reference, fused)
        else:
            check_close(fused[samples], reference[samples], x.dtype)
    for reference, fused in zip(gradients, fused_gradients, strict=True):
        check_close(fused, reference, x.dtype)


def _agreeing(
    impl: str, x: Tensor, state: LIFState | ALIFState, given: dict[str, Any], device: str
) -> Tensor:
    """The samples whose spikes are equal; a difference first appears next to a threshold, or it is an error."""
    every = torch.ones(len(x), dtype=torch.bool)
    if device == "cpu" or given["spike"] is None or not x.numel():
        return every
    watched = Watched(given["spike"])
    expected = run("reference", x, state, {**given, "spike": watched}, device)[0][0]
    wrong = run(impl, x, state, given, device)[0][0] != expected
    agreeing = ~wrong.flatten(1).any(1)
    for sample in (~agreeing).nonzero().flatten():
        first = wrong[sample].any(1).nonzero()[0, 0]
        distance = watched.distances()[sample, first][wrong[sample, first]]
        assert distance.max() < margin(x.dtype), (
            f"sample {sample}, step {first}: {distance.max()} thresholds"
        )
    assert 2 * agreeing.sum() >= len(x), "most samples met a threshold: too many to be chance"
    return agreeing
