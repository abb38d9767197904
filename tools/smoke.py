"""What an installed picojoule does, tried from outside its tree: every command, and the README's first lines.

    python tools/smoke.py

runs in any environment; it needs nothing but picojoule. Where an extra's packages are missing, the command that needs
them has to say which extra to install.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = {
    "train": ["lightning_fabric", "optuna", "yaml", "safetensors", "tensorboard"],
    "plot": ["matplotlib"],
    "nir": ["nir"],
    "events": ["aedat", "h5py"],
}
NETWORK = """
import torch
from torch import nn
import picojoule
import picojoule.layers as pl

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 30), pl.IAF(), nn.Linear(30, 4), pl.IAF())
"""
DATA = """
import torch
from torch.utils.data import TensorDataset
from picojoule.data import DataSets

def build():
    torch.manual_seed(0)
    labels = torch.randint(4, (400,))
    spikes = (torch.rand(400, 10, 20) < 0.1 + 0.2 * (torch.arange(20) % 4 == labels[:, None])[:, None]).float()
    data = TensorDataset(spikes, labels)
    return DataSets(*torch.utils.data.random_split(data, [300, 100]))
"""
SMALL = ["--model", "net.py:build", "--data", "data.py:build", "--epochs", "2"]


def has(extra: str) -> bool:
    return all(importlib.util.find_spec(name) for name in PACKAGES[extra])


def command(*arguments: str, status: int | tuple[int, ...] = 0, says: str = "") -> str:
    """Runs a command of picojoule; its exit status and what it has to say are checked."""
    line = [sys.executable, "-m", "picojoule", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603
    text = done.stdout + done.stderr
    allowed = (status,) if isinstance(status, int) else status
    if done.returncode not in allowed or says not in text:
        sys.exit(
            f"picojoule {' '.join(arguments)}: exit status {done.returncode}, expected {allowed},"
            f" with {says!r} in its output:\n{text}"
        )
    print(f"picojoule {' '.join(arguments)}: as expected")
    return text


def counts() -> None:
    command("--version", says=".")
    command("info", says="torch")
    command("count", "lenet", "--profile", "loihi", says="SynOps")
    command("count", "net.py:build", "--input", "2,10,20", "--format", "json", says='"layers"')
    page = "plot" if has("plot") else ""
    command(
        "count",
        *["net.py:build", "--input", "2,10,20", "--output", "net.html"],
        status=0 if page else (0, 1),
        says="" if page else "picojoule[plot]",
    )


def trains() -> None:
    """A run, a sweep and the run's events, or the name of the extra that is missing."""
    if not has("train"):
        command("train", *SMALL, status=1, says="picojoule[train]")
        command("sweep", "--budgets", "0.5", status=1, says="picojoule[train]")
        return
    command("train", *SMALL, "--out", "run", status=(0, 3, 4), says="accuracy")
    assert Path("run/trained.safetensors").exists()
    command("sweep", *SMALL, "--budgets", "0.5", "--out", "swept", status=(0, 3, 4), says="50")


def in_code() -> None:
    """The events of a network, its NIR graph, its report."""
    import torch
    from torch import nn

    import picojoule

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), picojoule.layers.IAF(), nn.Linear(30, 4))
    spikes = (torch.rand(2, 10, 20) < 0.3).float()
    with picojoule.Monitor(model) as monitor:
        expected = model(spikes)
    print(monitor.report().to_text(profile="loihi"))
    network = picojoule.events.compile(model, spikes)
    torch.testing.assert_close(network(spikes), expected)
    if has("nir"):
        assert picojoule.to_nir(model, spikes).nodes


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("net.py").write_text(NETWORK)
        Path("data.py").write_text(DATA)
        for name in PACKAGES:
            print(f"{name}: {'there' if has(name) else 'not there'}")
        counts()
        trains()
        in_code()
    print("all as expected")
