"""A trainer that takes no time and keeps a record of what it was made to do; and a sweep with it, as a program."""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from picojoule.atomic_write import write_json
from picojoule.training import Outcome, Progress, Quiet, SweepConfig, TrainConfig, sweep
from picojoule.training.files.only_process import only_process
from picojoule.training.sweeping import storage

PAUSE_S = float(os.environ.get("PRETEND_PAUSE_S", "0"))


def pretend(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    """As `train` does: epochs with a checkpoint after each, a lock, and a result that is read again if there is one.

    The "weights" are a text of all that they came from, so a warm start shows in them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder, "another process is training"):
        finished = folder / "finished.json"
        if not finished.exists():
            _train(config, folder)
        return Outcome(**json.loads(finished.read_text()))


def _train(config: TrainConfig, folder: Path) -> None:
    weights = folder / "checkpoint.safetensors"
    state = {"epochs": 0, "weights": f"seed {config.seed}"}
    if weights.exists():
        state = json.loads(weights.read_text())
    elif config.start_from:
        state["weights"] = json.loads(Path(config.start_from).read_text())["weights"]
    for epoch in range(state["epochs"], config.epochs):
        with (folder / "epochs.log").open("a") as log:
            log.write(f"{epoch}\n")
        time.sleep(PAUSE_S)
        state = {
            "epochs": epoch + 1,
            "weights": f"{state['weights']}, {limit_in(config)}",
        }
        write_json(weights, state)
    result = result_of(config, str(state["weights"]))
    aside = folder / f"result.{os.getpid()}"
    aside.write_text(json.dumps(result.to_dict()))
    os.link(aside, folder / "finished.json")  # fails if it was trained to its end before
    aside.unlink()


def limit_in(config: TrainConfig) -> float | None:
    limit = config.synops_per_timestep
    return limit["trainable"] if isinstance(limit, dict) else limit


def result_of(config: TrainConfig, weights: str) -> Outcome:
    spent = (limit_in(config) or 4e5) * 0.99 + config.seed
    accuracy = 0.95 - 2e3 / spent + len(weights) * 1e-6
    synops = {"1": 1e5, "4": 0.75 * spent, "7": 0.25 * spent}
    return Outcome(
        accuracy,
        synops,
        ("4", "7"),
        silent_share=0.1,
        num_timesteps=config.num_timesteps,
        steps=10 * config.epochs,
    )


def make_old(database: Path, seconds: float) -> None:
    """Put the last sign of life of every run so far back, as if that time had gone by."""
    with sqlite3.connect(database) as rows:
        rows.execute(
            f"update trial_heartbeats set heartbeat = datetime(heartbeat, '-{seconds} seconds')"
        )


if __name__ == "__main__":
    # the workers find the trainer by this name
    from tests.training.sweeping import pretend as module

    out, seeds, jobs, *shared = sys.argv[1:]
    storage.HEARTBEAT_S, storage.GRACE_S = 1, 3
    sweep(
        SweepConfig(budgets=(0.5, 0.25), seeds=int(seeds), training=TrainConfig(epochs=3)),
        Path(out),
        Quiet(),
        jobs=int(jobs),
        storage=shared[0] if shared else None,
        trainer=module.pretend,
    )
