"""`picojoule train` on the tiny network, in processes of its own."""

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.python import python

NETWORKS = Path(__file__).with_name("networks.py")
TINY = (
    *("--model", f"{NETWORKS}:model", "--data", f"{NETWORKS}:data"),
    *("--epochs", "3", "--batch-size", "8", "--learning-rate", "0.01", "--no-compare"),
    *("--optimizer", "adam", "--readout", "count"),
    *("--synops-per-timestep", "2=20,4=5", "--min-rate", "0.05"),
)


def command(out: Path, *arguments: str, launcher: tuple[str, ...] = ()) -> list[str]:
    return [
        sys.executable,
        *launcher,
        "-m",
        "picojoule",
        "train",
        *TINY,
        "--out",
        str(out),
        *arguments,
    ]


def run(
    out: Path, *arguments: str, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return python(*command(out, *arguments, launcher=launcher)[1:])


def checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors: the weights, and those of the file beside them."""
    beside = folder.glob("checkpoint.training-*.safetensors")
    return load_file(folder / "checkpoint.safetensors") | load_file(next(beside))


def assert_close(one: Path, other: Path, tolerance: float) -> None:
    """Weights, optimiser, multipliers and averages are the same."""
    first, second = checkpoint(one), checkpoint(other)
    assert first.keys() == second.keys()
    assert any(name.startswith("state.budget") for name in first)
    for name in first:
        torch.testing.assert_close(
            first[name],
            second[name],
            rtol=tolerance,
            atol=tolerance,
            msg=lambda m, n=name: f"{n}: {m}",
        )
