"""Networks of every shape that are run step by step, with weights large enough to spike, and samples for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    FlattenTime,
    IAFRecurrentSqueeze,
    IAFSqueeze,
    LIFRecurrent,
    Repeat,
    SpikingMaxPooling2dLayerSqueeze,
    SumPool2d,
    UnflattenTime,
)

BATCH, TIME, CLASSES = 12, 6, 4


def spikes(*features: int, batch: int = BATCH, time: int = TIME) -> Tensor:
    """`b t *f`, some samples with many spikes and some with few."""
    rates = torch.linspace(0.1, 0.9, batch).reshape(batch, *[1] * (1 + len(features)))
    return (torch.rand(batch, time, *features) < rates).float()


def lenet(**sizes: int) -> nn.Module:
    """Folded by `batch_size`, `num_timesteps` or both."""
    return nn.Sequential(
        FlattenTime(),
        nn.Conv2d(1, 4, 3, padding=1),
        IAFSqueeze(**sizes),
        SumPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, CLASSES),
        IAFSqueeze(**sizes),
        UnflattenTime(**sizes),
    )


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 16), IAF(), nn.Linear(16, CLASSES))


def recurrent() -> nn.Module:
    hidden = LIFRecurrent(5.0, nn.Linear(16, 16), tau_syn=2.0, norm_input=False)
    return nn.Sequential(nn.Linear(10, 16), hidden, nn.Linear(16, CLASSES), ExpLeak(4.0))


def recurrent_folded() -> nn.Module:
    hidden = IAFRecurrentSqueeze(rec_connect=nn.Linear(16, 16), batch_size=3)
    return nn.Sequential(
        nn.Flatten(0, 1), nn.Linear(10, 16), hidden, nn.Linear(16, CLASSES), UnflattenTime(3)
    )


def adaptive() -> nn.Module:
    return nn.Sequential(
        nn.Linear(10, 16), ALIF(5.0, 4.0, norm_input=False), nn.Linear(16, CLASSES)
    )


def max_pooled() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(0, 1),
        nn.Conv2d(1, 4, 3, padding=1),
        IAFSqueeze(batch_size=1),
        SpikingMaxPooling2dLayerSqueeze(batch_size=1, pool_size=2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, CLASSES),
    )


class Encoded(nn.Module):
    """Dense frames become spikes by a convolution and neurons in front; the answer is summed up inside: `b c`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(Repeat(nn.Conv2d(1, 4, 3, padding=1)), LIF(5.0))
        self.head = nn.Linear(4 * 64, CLASSES)

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.encoder(8 * frames).flatten(2)).sum(1)


@dataclass(frozen=True)
class Case:
    """A network and how to make samples for it."""

    network: Callable[[], nn.Module]
    samples: Callable[..., Tensor]

    def build(self) -> tuple[nn.Module, Tensor]:
        torch.manual_seed(0)
        model = self.network()
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)):
                    module.weight.mul_(2).add_(0.05)
        return model, self.samples()


def _images(batch: int = BATCH, time: int = TIME) -> Tensor:
    return spikes(1, 8, 8, batch=batch, time=time)


def _vectors(batch: int = BATCH, time: int = TIME) -> Tensor:
    return spikes(10, batch=batch, time=time)


def _gray() -> Tensor:
    return _images() * torch.rand(BATCH, 1, 1, 8, 8)


CASES = {
    "dense": Case(dense, _vectors),
    "lenet of a batch size": Case(lambda: lenet(batch_size=5), _images),
    "lenet of time steps": Case(lambda: lenet(num_timesteps=TIME), _images),
    "lenet of both": Case(lambda: lenet(batch_size=BATCH, num_timesteps=TIME), _images),
    "recurrent": Case(recurrent, _vectors),
    "recurrent, folded": Case(recurrent_folded, _vectors),
    "adaptive": Case(adaptive, _vectors),
    "max pooling": Case(max_pooled, _images),
    "an encoder in front": Case(Encoded, _gray),
}
