"""What it costs to watch: SynOps and rates of every layer, and both penalties in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.networks import spike_trains, training_step, translated
from picojoule.budget import rate_shortfall, synops_excess
from picojoule.training.lenet import IMAGE_SIDE, NUM_CLASSES, lenet

TARGET, MIN_RATE = 6e4, 0.01


def watched_step(implementation: Implementation, batch: int, time: int) -> Step:
    """A training step of the seed's LeNet, with hooks and penalties or without."""
    model = translated(lenet(batch), implementation, implementation.lead(batch, time))
    frames = spike_trains(implementation, batch, time, 1, IMAGE_SIDE, IMAGE_SIDE)
    if not implementation.watched:
        return training_step(model, implementation, frames, NUM_CLASSES)
    implementation.watch(model)
    return training_step(model, implementation, frames, NUM_CLASSES, partial(penalty, model))


def penalty(model: nn.Sequential) -> Tensor:
    """Both terms of the seed's loss, from what the hooks left."""
    rates = [
        layer.hook_data["firing_rate_per_neuron"]
        for layer in model.modules()
        if "firing_rate_per_neuron" in getattr(layer, "hook_data", {})
    ]
    synops = model.hook_data["synops_per_timestep"].values()
    return synops_excess(synops, TARGET) + 0.01 * rate_shortfall(rates, MIN_RATE)


def plain_and_watched(implementations: Sequence[Implementation]) -> list[Implementation]:
    """Those that can count, each beside itself; what users of Picojoule get is its choice, "auto"."""
    who = [each for each in implementations if each.name in ("picojoule auto", "sinabs")]
    return [row for each in who for row in (each, each.when_watched())]


def sized(batch: int, time: int, **options: bool) -> Case:
    """A batch of this size."""
    build = partial(watched_step, batch=batch, time=time)
    return Case(f"B={batch} T={time}", build, time, **options)


WATCHING = Work(
    "watching",
    "training step of the seed's LeNet, plain and with SynOps, rates and both penalties",
    ("tests/ops", "tests/layers", "tests/synops", "tests/budget", "tests/seed"),
    (sized(5, 10), sized(16, 50, quick=True)),
    rows=plain_and_watched,
    seconds=12.0,
)
