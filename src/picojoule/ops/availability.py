"""Which implementation of an op can run on this machine, and why another cannot.

Asked with the op's plain call: float32, built-in parts, nothing recorded, no recurrent connection. An
implementation is asked in earnest, so a kernel that is not in the cache is compiled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from picojoule.activation import MembraneSubtract, MultiSpike, SingleExponential, SingleSpike
from picojoule.ops.cpu.cache import cache_folder, folder_fault
from picojoule.ops.dispatch import Implementation
from picojoule.ops.implementations import IMPLEMENTATIONS
from picojoule.ops.spec import NeuronSpec


@dataclass(frozen=True)
class Support:
    """Whether an implementation of an op can run the plain call on a device.

    Args:
        op: name of the op, such as "lif".
        implementation: the name that `impl` takes.
        device: "cpu" or "cuda".
        why_not: the reason why it cannot; None if it can.
        auto: this is the one that impl="auto" takes.
    """

    op: str
    implementation: str
    device: str
    why_not: str | None
    auto: bool


@dataclass(frozen=True)
class KernelCache:
    """Where compiled kernels are kept.

    Args:
        folder: its path; None where there is no home folder and `PICOJOULE_CACHE` is not set.
        writable: a new kernel can be kept there; otherwise each process compiles its own.
        kernels: how many it holds, those of earlier versions included.
        why_not: why nothing is read from it, such as that it is not this user's own; None if it is.
    """

    folder: str | None
    writable: bool
    kernels: int
    why_not: str | None = None


LIF = NeuronSpec(
    alpha_mem=0.9,
    alpha_syn=None,
    norm_input=True,
    min_v_mem=None,
    connect=None,
    threshold=1.0,
    spike=MultiSpike(),
    reset=MembraneSubtract(),
    surrogate=SingleExponential(),
    record=False,
)
ALIF = replace(LIF, spike=SingleSpike(), alpha_adapt=0.9, adapt_scale=1.8)
# a new op is one line here: its implementations, and what they are asked with beside the input
OPS: dict[str, tuple[Mapping[str, Implementation[Any]], NeuronSpec]] = {
    "lif": (IMPLEMENTATIONS, LIF),
    "alif": (IMPLEMENTATIONS, ALIF),
}


def supports() -> tuple[Support, ...]:
    """Every implementation that some op has, for every op, on each device of this machine.

    Example:
        >>> [row.op for row in supports() if row.implementation == "reference" and not row.why_not]
        ['lif', 'alif']
    """
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return tuple(row for op in OPS for device in devices for row in _supports_of(op, device))


def kernel_cache() -> KernelCache:
    """The folder of compiled kernels as it stands."""
    folder, why_not = cache_folder(), folder_fault()
    if folder is None:
        return KernelCache(None, writable=False, kernels=0, why_not=why_not)
    existing = next(path for path in (folder, *folder.absolute().parents) if _exists(path))
    allowed = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    kernels = sum(1 for _ in folder.glob("*.o"))
    return KernelCache(str(folder), allowed and why_not is None, kernels, why_not)


def _exists(path: os.PathLike[str]) -> bool:
    return os.access(path, os.F_OK)  # Path.exists raises where a folder may not be searched


def _supports_of(op: str, device: str) -> Iterator[Support]:
    own, spec = OPS[op]
    reasons = {name: _why_not(way, device, spec) for name, way in own.items()}
    auto = next((name for name, reason in reasons.items() if reason is None), None)
    for name, reason in reasons.items():
        yield Support(op, name, device, reason, auto=name == auto)
    every = dict.fromkeys(name for ways, _ in OPS.values() for name in ways)
    for name in (name for name in every if name not in own):
        yield Support(op, name, device, "there is none for this op", auto=False)


def _why_not(way: Implementation[Any], device: str, spec: Any) -> str | None:
    try:
        return way.what_prevents(torch.zeros(1, 1, 1, device=device), spec)
    except Exception as error:  # what is broken here is what the user wants to know
        return f"{type(error).__name__}: {error}"
