"""A tiny network and data set, named on command lines as a user's own would be."""

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from picojoule.layers import IAF

CLASSES, INPUTS, TIME = 3, 6, 4


class Noise(Dataset[tuple[Tensor, int]]):
    """Spikes of channels that a class prefers; drawn from (epoch, index)."""

    num_classes = CLASSES

    def __init__(self, samples: int, redrawn: bool = True) -> None:
        self.samples, self.redrawn, self.epoch = samples, redrawn, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch if self.redrawn else 0

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        label = index % CLASSES
        seed = 1000 * self.epoch + index + (0 if self.redrawn else 500)
        random = torch.rand(TIME, INPUTS, generator=torch.Generator().manual_seed(seed))
        preferred = torch.arange(INPUTS) % CLASSES == label
        return (random < 0.2 + 0.6 * preferred).float(), label


def data() -> tuple[Noise, Noise]:
    return Noise(26), Noise(13, redrawn=False)


def model(first: int = 12, second: int = 8) -> nn.Module:
    """Weights large enough for all layers to fire from the start."""
    layers = nn.Sequential(
        nn.Linear(INPUTS, first),
        IAF(),
        nn.Linear(first, second),
        IAF(),
        nn.Linear(second, CLASSES),
        IAF(),
    )
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(2).add_(0.1)
    return layers


def wide() -> nn.Module:
    """The same, wide enough for connections to go."""
    return model(24, 40)
