"""
draw_layers: what each layer spends and how it fires
====================================================

:py:obj:`picojoule.plots.draw_layers` sets SynOps and MACs of each layer beside the firing rates. ``report.plot()`` draws
it of a report. MACs are products of dense values, here of an image that is fed in as it is.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 5),
    pl.IAFSqueeze(num_timesteps=10),
    pl.SumPool2d(2),
    nn.Conv2d(8, 16, 3),
    pl.IAFSqueeze(num_timesteps=10),
    nn.Flatten(),
    nn.Linear(1600, 10),
    pl.IAFSqueeze(num_timesteps=10),
)
image = torch.rand(1, 1, 28, 28).expand(10, -1, -1, -1)  # shown in each of 10 time steps
with picojoule.Monitor(model) as monitor, torch.no_grad():
    model(image)

# %%
# Most of what this network spends are the MACs of its first layer.

figure = monitor.report().plot()
