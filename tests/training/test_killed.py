"""A run killed again and again ends as one that was left alone."""

import random
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from torch import nn

from picojoule.training import load_checkpoint
from tests.children import started
from tests.training.commands import NETWORKS, checkpoint, command, run
from tests.training.networks import model, wide

LOSING_CONNECTIONS = (
    *("--model", f"{NETWORKS}:wide", "--synops-per-timestep", "2=20", "--min-rate", "0.01"),
    *("--synapses", "prune"),
)
KILLS, MOST_EPOCHS_BETWEEN, EPOCHS = 20, 6, 150


def epochs_done(folder: Path, network: Callable[[], nn.Module]) -> int:
    path = folder / "checkpoint.safetensors"
    return int(load_checkpoint(path, network())["epochs"]) if path.exists() else 0


def kill_at_random(
    process: subprocess.Popen[str], epochs: Callable[[], int], draw: random.Random
) -> None:
    """Somewhere while it starts, or anywhere within the next epochs."""
    if draw.random() < 0.3:
        time.sleep(draw.uniform(0, 4))
    else:
        enough, last = (
            epochs() + draw.randint(1, MOST_EPOCHS_BETWEEN),
            time.monotonic() + 120,
        )
        while epochs() < enough:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < last, "it trains no epoch"
            time.sleep(draw.uniform(0, 0.03))
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "more", "kept"),
    [(model, (), "best.safetensors"), (wide, LOSING_CONNECTIONS, "trained.safetensors")],
)
def test_kills_at_random_moments_cost_an_epoch_at_most(
    tmp_path: Path, network: Callable[[], nn.Module], more: tuple[str, ...], kept: str
) -> None:
    arguments = ("--epochs", str(EPOCHS), "--validation-share", "0.2", *more)
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    epochs, draw, progress = partial(epochs_done, killed, network), random.Random(0), [0]
    for _ in range(KILLS):
        begun = (killed / "config.yaml").exists()
        again = command(killed, *arguments, *(["--resume"] if begun else []))
        with started(again, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            kill_at_random(process, epochs, draw)
        progress.append(epochs())
    assert progress == sorted(progress)  # what was saved is never lost
    assert len(set(progress)) > KILLS / 4

    assert run(killed, *arguments, "--resume").returncode == 0
    assert run(unbroken, *arguments).returncode == 0
    for name in ("checkpoint.safetensors", kept, "report.json", "config.yaml"):
        assert (killed / name).read_bytes() == (unbroken / name).read_bytes(), name
    masks = [x for name, x in checkpoint(killed).items() if name.endswith("weight_mask")]
    assert any((mask == 0).any() for mask in masks) == (network is wide)
