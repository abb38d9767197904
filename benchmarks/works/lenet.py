"""A training step of the seed's LeNet."""

from __future__ import annotations

from functools import partial

from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.networks import spike_trains, training_step, translated
from picojoule.training.networks.lenet import IMAGE_SIDE, NUM_CLASSES, lenet

TESTS = ("tests/ops", "tests/layers", "tests/seed")


def lenet_step(implementation: Implementation, batch: int, time: int) -> Step:
    """One step of training on random spike trains."""
    model = translated(lenet(batch), implementation, implementation.lead(batch, time))
    frames = spike_trains(implementation, batch, time, 1, IMAGE_SIDE, IMAGE_SIDE)
    return training_step(model, implementation, frames, NUM_CLASSES)


def sized(batch: int, time: int, **options: bool) -> Case:
    """A batch of this size."""
    build = partial(lenet_step, batch=batch, time=time)
    return Case(f"B={batch} T={time}", build, time, **options)


LENET = Work(
    "lenet",
    "training step of the seed's LeNet",
    TESTS,
    (
        sized(5, 10, quick=True),
        sized(16, 50, quick=True, memory=True),
        sized(64, 100, memory=True, large=True),
    ),
    seconds=10.0,
)
