"""Networks and inputs that several files of tests watch."""

import torch
from torch import Tensor, nn

from picojoule.layers import IAFSqueeze, SumPool2d

T = 5


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        IAFSqueeze(num_timesteps=T),
        SumPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", bias=False),
        IAFSqueeze(num_timesteps=T),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 5, bias=False),
        IAFSqueeze(num_timesteps=T),
    )


def spikes(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape).float()
