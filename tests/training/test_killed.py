"""A run killed again and again ends as one that was left alone."""

import random
import subprocess
import time
from pathlib import Path

import pytest

from picojoule.training import load_checkpoint
from tests.training.commands import command, run
from tests.training.networks import model

KILLS, MOST_EPOCHS_BETWEEN, EPOCHS = 20, 6, 150


def epochs_done(folder: Path) -> int:
    path = folder / "checkpoint.safetensors"
    return int(load_checkpoint(path, model())["epochs"]) if path.exists() else 0


def kill_at_random(process: subprocess.Popen[bytes], folder: Path, draw: random.Random) -> None:
    """Somewhere while it starts, or anywhere within the next epochs."""
    if draw.random() < 0.3:
        time.sleep(draw.uniform(0, 4))
    else:
        enough, last = (
            epochs_done(folder) + draw.randint(1, MOST_EPOCHS_BETWEEN),
            time.monotonic() + 120,
        )
        while epochs_done(folder) < enough:
            assert time.monotonic() < last, "it trains no epoch"
            time.sleep(draw.uniform(0, 0.03))
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.wait()


@pytest.mark.slow
def test_kills_at_random_moments_cost_an_epoch_at_most(tmp_path: Path) -> None:
    arguments = ("--epochs", str(EPOCHS), "--validation-share", "0.2")
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    draw, progress = random.Random(0), [0]
    for _ in range(KILLS):
        begun = (killed / "config.yaml").exists()
        again = command(killed, *arguments, *(["--resume"] if begun else []))
        process = subprocess.Popen(again, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kill_at_random(process, killed, draw)
        progress.append(epochs_done(killed))
    assert progress == sorted(progress)  # what was saved is never lost
    assert len(set(progress)) > KILLS / 4

    assert run(killed, *arguments, "--resume").returncode == 0
    assert run(unbroken, *arguments).returncode == 0
    for name in ("checkpoint.safetensors", "best.safetensors", "report.json", "config.yaml"):
        assert (killed / name).read_bytes() == (unbroken / name).read_bytes(), name
