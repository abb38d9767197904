"""What every fused implementation is checked on, and how: against the reference."""

import itertools
import random
from typing import Any

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
from picojoule.ops import ALIFState, LIFState, alif, lif

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


def others_slow(configurations: list[Any], fast: int) -> list[Any]:
    """All of them as a test's parameters; those from `fast` on are slow cases, as they are compiled for it."""
    slow = (pytest.param(each, marks=pytest.mark.slow) for each in configurations[fast:])
    return [*configurations[:fast], *slow]


TRAINED = ("alpha_mem", "alpha_syn", "threshold", "min_v_mem", "adapt_scale", "alpha_adapt")


def arguments(configuration: tuple[Any, ...]) -> dict[str, Any]:
    names = ("alpha_mem", "alpha_syn", "norm_input", "min_v_mem", "spike", "reset", "surrogate")
    return {**dict(zip(names, configuration, strict=True)), "threshold": 1.1}


def start(x: Tensor, given: dict[str, Any]) -> LIFState | ALIFState:
    """States that are not zero; ALIF's where the arguments are its."""
    shape = (x.shape[0], *x.shape[2:])
    v_mem, i_syn, b = (torch.rand(shape).requires_grad_() for _ in range(3))
    i_syn = None if given["alpha_syn"] is None else i_syn
    i_rec = torch.rand(shape).requires_grad_() if "connect" in given else None
    if "alpha_adapt" in given:
        return ALIFState(v_mem, b, i_syn, i_rec)
    return LIFState(v_mem, i_syn, i_rec)


def run(
    impl: str,
    x: Tensor,
    state: LIFState | ALIFState,
    given: dict[str, Any],
    device: str = "cpu",
    samples: Tensor | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and end state; gradients of everything that goes in. All on the CPU, wherever it runs.

    The loss that the gradients are of depends on some `samples` alone, if given, a truth value each.
    """
    leaves = [x, *(s for s in state if s is not None)]
    for name in TRAINED:  # a parameter of each neuron's own
        if given.get(name) is not None and given[name] != 1.0:
            neurons = torch.linspace(0.95, 1.0, x.shape[2:].numel()).reshape(x.shape[2:])
            leaf = (given[name] * neurons).requires_grad_()
            given = {**given, name: leaf.to(device)}
            leaves.append(leaf)
    if "connect" in given:
        leaves.extend(given["connect"].parameters())
    op = alif if "alpha_adapt" in given else lif
    there = type(state)(*(s if s is None else s.to(device) for s in state))
    out = op(x.to(device), there, impl=impl, **given)
    ends = [out.spikes.cpu(), *(s.cpu() for s in out.state if s is not None)]
    generator = torch.Generator().manual_seed(1)
    terms = [end * torch.rand(end.shape, generator=generator) for end in ends]
    loss = sum((term if samples is None else term[samples]).sum() for term in terms)
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return ends, [
        torch.zeros_like(leaf).cpu() if grad is None else grad.cpu()
        for leaf, grad in zip(leaves, found, strict=True)
    ]


def check_equal(impl: str, x: Tensor, given: dict[str, Any], device: str = "cpu") -> None:
    """An implementation on a device against the reference on the CPU."""
    state = start(x, given)
    ends, gradients = run("reference", x, state, given)
    fused_ends, fused_gradients = run(impl, x, state, given, device)
    for reference, fused in zip(ends, fused_ends, strict=True):
        assert reference.dtype == fused.dtype
        assert torch.equal(reference, fused)
    for reference, fused in zip(gradients, fused_gradients, strict=True):
        check_close(fused, reference, reference.dtype)


def check_close(gradient: Tensor, reference: Tensor, dtype: torch.dtype) -> None:
    """A gradient equals the reference's but for rounding, at one place or another, to a dtype."""
    scale = reference.abs().max().item() if reference.numel() else 0.0
    unit = max(1e-5, 2 * torch.finfo(dtype).eps)
    torch.testing.assert_close(gradient, reference, rtol=10 * unit, atol=unit * scale + 1e-7)


def sequence(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return (1.5 * torch.rand(shape)).requires_grad_()


EVERY_ALIF = [part for part in EVERY if part[4] is not None]
FEW_ALIF = random.Random(1).sample(EVERY_ALIF, 12)
LIF = arguments((0.9, 0.8, True, -0.3, MultiSpike, MembraneSubtract(), SingleExponential()))
ADAPTS = {"alpha_adapt": 0.7, "adapt_scale": 0.9}
ALIF = {**LIF, **ADAPTS}
SHAPES = [
    (1, 1, 1), (1, 7, 1030), (5, 1, 3), (2, 3, 4, 5, 6), (3, 4), (0, 5, 3), (2, 0, 3), (2, 5, 0),
]  # fmt: skip


def in_other_orders() -> list[Tensor]:
    """Sequences that are not contiguous."""
    turned = sequence(40, 3, 9).detach().permute(1, 2, 0)
    images = sequence(6, 4, 5, 5).detach().to(memory_format=torch.channels_last)
    return [turned.requires_grad_(), images.unflatten(0, (2, 3)).requires_grad_()]
