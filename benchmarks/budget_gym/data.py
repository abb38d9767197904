"""What the tasks learn from: spikes, small enough for a run of seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from benchmarks.budget_gym.sequences import CLASSES, draw_sequences, templates
from picojoule.data import Split, load_images, rate_code

TIMESTEPS = 5  # of an image


class Samples(NamedTuple):
    """Inputs, `n ...`, and their classes, `n`; None where there is nothing to learn."""

    inputs: Tensor
    labels: Tensor | None

    def of(self, chosen: Tensor | slice) -> Samples:
        """Some of them."""
        return Samples(self.inputs[chosen], None if self.labels is None else self.labels[chosen])


def as_they_are(inputs: Tensor, generator: Generator) -> Tensor:  # noqa: ARG001  (one of several encodings)
    """The inputs are spikes."""
    return inputs.float()


@dataclass(frozen=True)
class Data:
    """Three sets; those that are only measured on hold spikes, and as many samples of each class.

    Args:
        train: what is trained on; `encode` makes spikes of it.
        calibration: of the same samples, for the trim.
        held_out: what no run is trained on.
        encode: from inputs to spikes, `b t *n`, 0 or 1.
    """

    train: Samples
    calibration: Samples
    held_out: Samples
    encode: Callable[[Tensor, Generator], Tensor] = as_they_are

    def batch(self, size: int, generator: Generator) -> Samples:
        """Some training samples; all of them where there are no classes."""
        chosen = self.train
        if chosen.labels is not None:
            chosen = chosen.of(torch.randint(len(chosen.labels), (size,), generator=generator))
        return chosen._replace(inputs=self.encode(chosen.inputs, generator))


@lru_cache(1)
def constant() -> Data:
    """The seed's input: ones, ten time steps of five samples, and no task."""
    ones = Samples(torch.ones(5, 10, 1, 28, 28), None)
    return Data(ones, ones, ones)


@lru_cache(1)
def rates(inputs: int = 24, num_classes: int = 4, num_timesteps: int = 4) -> Data:
    """Inputs of which those of the class fire at 0.6 spikes a step, the others at 0.15."""

    def draw(samples: int, generator: Generator) -> Samples:
        labels = torch.arange(samples) % num_classes
        of_class = torch.arange(inputs) * num_classes // inputs
        rate = torch.where(of_class == labels[:, None], 0.6, 0.15)[:, None]
        noise = torch.rand(samples, num_timesteps, inputs, generator=generator)
        return Samples((noise < rate).float(), labels)

    train = draw(4000, torch.Generator().manual_seed(1))
    return Data(train, train.of(slice(2000)), draw(2000, torch.Generator().manual_seed(2)))


@lru_cache(1)
def images() -> Data:
    """The bundled images as spike trains whose rate is the brightness, `b t 1 28 28`."""
    found = load_images()
    train = Samples(found.train.images, found.train.labels.long())
    return Data(train, _coded(found.train, 100, 1), _coded(found.test, 200, 2), _rate_coded)


def _rate_coded(images: Tensor, generator: Generator) -> Tensor:
    return rate_code(images, TIMESTEPS, generator=generator)


def _coded(split: Split, of_each: int, seed: int) -> Samples:
    """The first images of each class, one after the other, as spikes."""
    labels = split.labels.long()
    by_class = torch.stack([(labels == each).nonzero()[:of_each, 0] for each in labels.unique()])
    chosen = by_class.T.flatten()
    generator = torch.Generator().manual_seed(seed)
    return Samples(_rate_coded(split.images[chosen], generator), labels[chosen])


@lru_cache(1)
def sequences() -> Data:
    """Made-up words, `b t c`: see :mod:`benchmarks.budget_gym.sequences`."""
    words = templates(torch.Generator().manual_seed(0))

    def draw(samples: int, seed: int) -> Samples:
        labels = torch.arange(samples) % CLASSES
        return Samples(draw_sequences(words, labels, torch.Generator().manual_seed(seed)), labels)

    train = draw(2000, 1)
    return Data(train, train.of(slice(1000)), draw(1000, 2))
