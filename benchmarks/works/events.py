"""Inference event by event beside the same network in PyTorch, at activities from one value in two hundred to two in five."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial

import torch
from torch import Tensor, nn

import picojoule
import picojoule.layers as pl
from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.works.vgg import vgg11
from picojoule import events

ACTIVITIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
QUICK = (0.02, 0.4)
_STEPS_OF_SEARCH = 12
_NARROW = events.ChipLimits(weight_bits=8, state_bits=16)
DENSE = "PyTorch, inference_mode"


class Dense(Implementation):
    """The model itself."""

    name = DENSE
    over = DENSE
    fewest_rounds = 5


class EventDriven(Implementation):
    """The engine, which takes a dense product where that is quicker."""

    name = "Picojoule, events"
    over = DENSE
    fewest_rounds = 5


class EightBits(Implementation):
    """The engine with weights of 8 bits and potentials of 16; not of weights that would lose half of their levels or more."""

    name = "Picojoule, events in 8 bits"
    over = DENSE
    may_fail = True
    fewest_rounds = 5


def lenet(batch: int) -> nn.Sequential:
    """The seed's LeNet: `(b t) 1 28 28 -> (b t) 10`."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, bias=False), pl.IAFSqueeze(batch_size=batch), pl.SumPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False), pl.IAFSqueeze(batch_size=batch), pl.SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False), pl.IAFSqueeze(batch_size=batch), nn.Flatten(),
        nn.Linear(120, 10, bias=False), pl.IAFSqueeze(batch_size=batch),
    )  # fmt: skip


def vgg(batch: int) -> nn.Sequential:
    """VGG-11 as trained nets have it at inference, the normalisation in the weights: `(b t) 3 32 32 -> (b t) 10`."""
    parts = [
        part
        for part in vgg11(batch)
        if not isinstance(part, nn.BatchNorm2d | pl.FlattenTime | pl.UnflattenTime)
    ]
    return nn.Sequential(*parts)


def sensor(batch: int) -> nn.Sequential:
    """A net for the events of a camera: `(b t) 2 128 128 -> (b t) 11`."""
    return nn.Sequential(
        nn.Conv2d(2, 16, 3, stride=2, padding=1, bias=False), pl.IAFSqueeze(batch_size=batch),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), pl.IAFSqueeze(batch_size=batch), pl.SumPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, bias=False), pl.IAFSqueeze(batch_size=batch), pl.SumPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False), pl.IAFSqueeze(batch_size=batch), pl.SumPool2d(4),
        nn.Flatten(), nn.Linear(64 * 16, 11, bias=False), pl.IAFSqueeze(batch_size=batch),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[int], nn.Sequential], tuple[int, ...], int]] = {
    "lenet": (lenet, (1, 28, 28), 50),
    "vgg": (vgg, (3, 32, 32), 4),
    "sensor": (sensor, (2, 128, 128), 10),
}


@cache
def active(name: str, batch: int, activity: float) -> tuple[nn.Sequential, Tensor]:
    """A network whose layers hear this many spikes per value and step, and spikes for it."""
    build, size, steps = NETWORKS[name]
    generator = torch.Generator().manual_seed(0)
    model = build(batch).eval()
    x = (torch.rand(batch * steps, *size, generator=generator) < activity).float()
    with torch.no_grad():
        _scale(model, x, activity)
    picojoule.reset_states(model)
    return model, x


def _scale(model: nn.Sequential, x: Tensor, activity: float) -> None:
    """Multiply each layer's weights so that what comes behind its neurons, and their pooling, is as busy as asked."""
    data, stage = x, []
    for part in model:
        if isinstance(part, nn.Conv2d | nn.Linear) and stage:
            data = _scaled(stage, data, activity)
            stage = []
        stage.append(part)
    _scaled(stage, data, activity)


def _scaled(stage: list[nn.Module], data: Tensor, activity: float) -> Tensor:
    layer = next(part for part in stage if isinstance(part, nn.Conv2d | nn.Linear))
    weight, low, high = layer.weight.clone(), 1e-3, 1e3
    run = nn.Sequential(*stage)
    for _ in range(_STEPS_OF_SEARCH):
        gain = (low * high) ** 0.5
        layer.weight.copy_(weight * gain)
        picojoule.reset_states(run)
        busy = (run(data) != 0).float().mean().item() > activity
        low, high = (low, gain) if busy else (gain, high)
    picojoule.reset_states(run)
    return run(data)  # type: ignore[no-any-return]


def inference(implementation: Implementation, name: str, batch: int, activity: float) -> Step:
    """One call from rest."""
    model, x = active(name, batch, activity)
    if isinstance(implementation, EventDriven | EightBits):
        limits = _NARROW if isinstance(implementation, EightBits) else None
        with warnings.catch_warnings():  # of lost levels
            warnings.simplefilter("error")
            network = events.compile(model, x, limits=limits)

        def run_events() -> None:
            network.reset()
            network(x)

        return run_events

    def run_densely() -> None:
        picojoule.reset_states(model)
        with torch.inference_mode():
            model(x)

    return run_densely


def both(_: Sequence[Implementation]) -> list[Implementation]:
    """The engine beside the model; libraries take no part."""
    return [Dense(), EventDriven(), EightBits()]


def _work(name: str, network: str, title: str, batches: tuple[int, ...], seconds: float) -> Work:
    steps = NETWORKS[network][2]
    cases = tuple(
        Case(
            f"B={batch} {activity:.1%}",
            partial(inference, name=network, batch=batch, activity=activity),
            steps,
            quick=batch == batches[0] and activity in QUICK,
        )
        for batch in batches
        for activity in ACTIVITIES
    )
    return Work(
        name,
        f"inference event by event: {title}, T={steps}",
        ("tests/events",),
        cases,
        rows=both,
        seconds=seconds,
    )


EVENTS = _work("events", "lenet", "the seed's LeNet", (16, 1), 3.0)
EVENTS_VGG = _work("events_vgg", "vgg", "VGG-11 at 32x32", (16, 1), 6.0)
EVENTS_SENSOR = _work("events_sensor", "sensor", "a net for 2x128x128 events", (16, 1), 4.0)
