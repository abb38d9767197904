"""What a speed or a failure depends on: versions, devices, threads, kernels."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from picojoule.ops.availability import KernelCache, Support, kernel_cache, supports
from picojoule.ops.cpu.team import why_no_team
from picojoule.ops.cpu.threads import num_cores, num_workers
from picojoule.version import __version__

PACKAGES = ("torch", "numpy", "numba", "llvmlite", "triton")


@dataclass(frozen=True)
class Environment:
    """One machine and process.

    Args:
        versions: of Python, Picojoule and what its speed depends on; None of a package that is not installed.
        devices: by PyTorch's name, with the name of the hardware.
        cores: that this process may use.
        torch_threads: `torch.get_num_threads()`.
        kernel_threads: that the CPU kernels use.
        why_own_threads: why those are not PyTorch's; None if they are.
        cache: where compiled kernels are kept.
        implementations: which can run where, and which one impl="auto" takes.
    """

    versions: dict[str, str | None]
    devices: dict[str, str]
    cores: int
    torch_threads: int
    kernel_threads: int
    why_own_threads: str | None
    cache: KernelCache
    implementations: tuple[Support, ...]


def environment() -> Environment:
    """Gather it; a kernel that has not been compiled yet is, which takes a second or two.

    Example:
        >>> environment().torch_threads == torch.get_num_threads()
        True
    """
    implementations = supports()  # first: it may add to the cache
    return Environment(
        versions=_versions(),
        devices=_devices(),
        cores=num_cores(),
        torch_threads=torch.get_num_threads(),
        kernel_threads=num_workers(),
        why_own_threads=why_no_team(),
        cache=kernel_cache(),
        implementations=implementations,
    )


def _versions() -> dict[str, str | None]:

    own: dict[str, str | None] = {"picojoule": __version__, "python": platform.python_version()}
    return own | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> dict[str, str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = {f"cuda:{k}": torch.cuda.get_device_name(k) for k in range(count)}
    return {"cpu": f"{platform.system()} {platform.machine()}", **cuda}
