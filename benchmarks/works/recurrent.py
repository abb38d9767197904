"""A training step of a recurrent net of the size used for spoken digits: 700 - 512 - 20."""

from __future__ import annotations

from torch import nn

from benchmarks.cases import Case, Step, Work, those_that_run_any_call
from benchmarks.implementations import Implementation
from benchmarks.networks import spike_trains, training_step

INPUTS, HIDDEN, CLASSES = 700, 512, 20
BATCH, TIME = 32, 100
TAU_MEM = 20.0


def recurrent_step(implementation: Implementation) -> Step:
    """One step of training on random spike trains."""
    model = nn.Sequential(
        implementation.recurrent(INPUTS, HIDDEN, TAU_MEM), nn.Linear(HIDDEN, CLASSES)
    )
    frames = spike_trains(implementation, BATCH, TIME, INPUTS)
    return training_step(model, implementation, frames, CLASSES)


RECURRENT = Work(
    "recurrent",
    f"training step of a recurrent net, {INPUTS}-{HIDDEN}-{CLASSES} (floor: nn.RNN with ReLU)",
    ("tests/ops", "tests/layers"),
    (Case(f"B={BATCH} T={TIME}", recurrent_step, TIME, quick=True),),
    those_that_run_any_call,
)
