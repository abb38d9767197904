"""A training step of a spiking VGG-11 on 32x32 images."""

from __future__ import annotations

from torch import nn

import picojoule.layers as pl
from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.networks import spike_trains, training_step, translated

CLASSES = 10
BATCH, TIME = 4, 8
POOL = 0
CHANNELS = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)


def vgg11(batch: int) -> nn.Sequential:
    """VGG-11 with BatchNorm, integrate-and-fire neurons and sum pooling: `b t 3 32 32 -> b t 10`.

    Source: Simonyan and Zisserman 2015, table 1, column A, with the one linear layer that is usual at 32x32.
    """
    parts: list[nn.Module] = [pl.FlattenTime()]
    incoming = 3
    for channels in CHANNELS:
        if channels == POOL:
            parts.append(pl.SumPool2d(2))
            continue
        parts += [
            nn.Conv2d(incoming, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            pl.IAFSqueeze(batch_size=batch),
        ]
        incoming = channels
    parts += [nn.Flatten(), nn.Linear(incoming, CLASSES), pl.IAFSqueeze(batch_size=batch)]
    return nn.Sequential(*parts, pl.UnflattenTime(batch))


def vgg_step(implementation: Implementation) -> Step:
    """One step of training on random spike trains."""
    model = translated(vgg11(BATCH), implementation, implementation.lead(BATCH, TIME))
    frames = spike_trains(implementation, BATCH, TIME, 3, 32, 32)
    return training_step(model, implementation, frames, CLASSES)


VGG = Work(
    "vgg",
    "training step of a spiking VGG-11, 32x32",
    ("tests/ops", "tests/layers"),
    (Case(f"B={BATCH} T={TIME}", vgg_step, TIME),),
    seconds=12.0,
)
