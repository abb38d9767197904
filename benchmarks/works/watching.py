"""What it costs to watch: SynOps and rates of every layer, and both penalties in the loss where they can be."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial

from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.networks import spike_trains, training_step, translated
from benchmarks.watchers import WATCHERS
from picojoule.training.networks.lenet import IMAGE_SIDE, NUM_CLASSES, lenet

# what users of Picojoule get is its choice, "auto"; NeuroBench has no neurons of its own, and takes any
WATCHED_BY = {
    "picojoule auto": (
        "hooks and losses",
        "Monitor",
        "Monitor, witness in each pass",
        "Monitor and losses",
        "NeuroBench",
    ),
    "sinabs": ("hooks and losses",),
    "SpikingJelly": ("SynOpCounter",),
}


def watched_step(implementation: Implementation, batch: int, time: int) -> Step:
    """A training step of the seed's LeNet, watched or not."""
    model = translated(lenet(batch), implementation, implementation.lead(batch, time))
    frames = spike_trains(implementation, batch, time, 1, IMAGE_SIDE, IMAGE_SIDE)
    if not implementation.watched:
        return training_step(model, implementation, frames, NUM_CLASSES)
    watched, penalty = WATCHERS[implementation.watched](implementation, model)
    return training_step(watched, implementation, frames, NUM_CLASSES, penalty)


def plain_and_watched(implementations: Sequence[Implementation]) -> list[Implementation]:
    """Those that can count, each beside itself."""
    return [
        row
        for each in implementations
        if each.name in WATCHED_BY
        for row in (each, *map(each.when_watched, filter(_installed, WATCHED_BY[each.name])))
    ]


def _installed(watcher: str) -> bool:
    return watcher != "NeuroBench" or importlib.util.find_spec("neurobench") is not None


def sized(batch: int, time: int, **options: bool) -> Case:
    """A batch of this size."""
    build = partial(watched_step, batch=batch, time=time)
    return Case(f"B={batch} T={time}", build, time, **options)


WATCHING = Work(
    "watching",
    "training step of the seed's LeNet, plain and watched, with both penalties where there is a gradient",
    ("tests/ops", "tests/layers", "tests/synops", "tests/budget", "tests/seed"),
    (sized(5, 10), sized(16, 50, quick=True)),
    rows=plain_and_watched,
    seconds=24.0,
)
