"""From a trained network to what a chip will make of it: event by event, its time, its spending, and the gap by cause.

    python examples/events.py --run runs/demo

takes a run of `picojoule train` (without `--run` it trains one first, to a tenth of the SynOps; about two minutes), runs its network
event by event beside PyTorch, and prints what it spends, how long it takes, and what the order of execution, the clock of
the leak and the bits of a chip change.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import picojoule
from picojoule import events
from picojoule.data import RateCoded, load_images
from picojoule.training import Quiet, TrainConfig, train

LAYERS = ("4", "7", "10")
BATCH, ROUNDS = 16, 9


def trained(folder: Path, epochs: int) -> Path:
    """A run of ours: the LeNet on the bundled images, at a limit of a tenth of what it would spend."""
    config = TrainConfig(
        epochs=epochs, groups={"hidden": LAYERS}, synops_per_timestep={"hidden": 4_650.0}
    )
    train(config, folder, Quiet(), compare=False, overwrite=True)
    return folder


def median_ms(call: Callable[[], object]) -> float:
    """Milliseconds of a call, the median of some."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def beside_pytorch(model: nn.Module, frames: Tensor) -> events.EventNetwork:
    """Runs a batch both ways and prints how long each takes and whether spikes are equal."""
    network = events.compile(model, frames)

    def densely() -> Tensor:
        picojoule.reset_states(model)
        with torch.inference_mode():
            return model(frames)  # type: ignore[no-any-return]

    def by_events() -> Tensor:
        network.reset()
        return network(frames)

    different = int((densely() != by_events()).sum())
    dense_ms, event_ms = median_ms(densely), median_ms(by_events)
    print(network.plan)
    print(f"\n{different} of {by_events().numel():,} outputs differ from PyTorch's.")
    print(
        f"PyTorch {dense_ms:.2f} ms, events {event_ms:.2f} ms: {dense_ms / event_ms:.1f} times as fast.\n"
    )
    return network


def main(folder: Path, samples: int, order: str) -> events.Gap:
    """All of it; returns the gap."""
    run = picojoule.load(folder)
    images, labels = load_images(run.config.data).test
    steps, rate = run.config.num_timesteps, run.config.pixel_rate
    data = RateCoded(images[:samples], labels[:samples], steps, rate, redrawn=False)
    picojoule.set_batch_size(run.model, BATCH)
    frames = torch.stack([data[k][0] for k in range(BATCH)])
    network = beside_pytorch(run.model, frames)
    print(network.report())
    found = events.gap(run.model, data, order=order)
    print(found)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="folder of a run; one is trained if omitted")
    parser.add_argument("--samples", type=int, default=200, help="test samples of the gap")
    parser.add_argument("--order", choices=["depth", "breadth"], default="depth")
    arguments = parser.parse_args()
    chosen = arguments.run or trained(Path("runs/events"), epochs=6)
    main(chosen, arguments.samples, arguments.order)
