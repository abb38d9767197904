"""What a network spends, how it fires and how often it is right, on samples it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.budget_gym.data import Samples
from benchmarks.budget_gym.training import respond
from picojoule import Monitor

CHUNK = 200  # samples of a forward pass
ALL_BUT_SILENT = 0.99  # share of silent neurons from which a layer counts as silent


@dataclass(frozen=True)
class Figures:
    """Of a set of samples.

    Attributes:
        synops: per time step, by layer.
        rates: of each neuron, by spiking layer.
        accuracy: share that is right; None without classes.
        answers: how many of the classes are ever the answer.
    """

    synops: dict[str, float]
    rates: dict[str, Tensor]
    accuracy: float | None
    answers: int

    @property
    def silent(self) -> set[str]:
        """Spiking layers of which as good as no neuron fires."""
        share = {name: (rate == 0).float().mean().item() for name, rate in self.rates.items()}
        return {name for name, each in share.items() if each >= ALL_BUT_SILENT}


@torch.no_grad()
def measure(model: nn.Module, monitor: Monitor, samples: Samples) -> Figures:
    """Of all samples, by an attached monitor, whose last pass is then one of these."""
    synops: dict[str, float] = {}
    rates: dict[str, Tensor] = {}
    hits, answers = 0, set[int]()
    for chunk in _chunks(samples):
        answer = respond(model, chunk.inputs).argmax(1)
        share = len(chunk.inputs) / len(samples.inputs)
        for name, value in monitor.synops.items():
            synops[name] = synops.get(name, 0.0) + share * value.item()
        for name, rate in monitor.rates.items():
            rates[name] = rates.get(name, torch.zeros(())) + share * rate
        if chunk.labels is not None:
            hits += int((answer == chunk.labels).sum())
            answers |= set(answer.tolist())
    accuracy = None if samples.labels is None else hits / len(samples.labels)
    return Figures(synops, rates, accuracy, len(answers))


def _chunks(samples: Samples) -> Iterator[Samples]:
    for start in range(0, len(samples.inputs), CHUNK):
        chunk = samples.of(slice(start, start + CHUNK))
        yield chunk._replace(inputs=chunk.inputs.float())
