"""
plot_rates: how often neurons fire
==================================

:py:obj:`picojoule.plots.plot_rates` draws a histogram of firing rates for each layer that a Monitor has watched. The
title says how many neurons never fired.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl
from picojoule.plots import plot_rates

torch.manual_seed(1)
model = nn.Sequential(
    nn.Linear(100, 300), pl.LIF(10.0, norm_input=False), nn.Linear(300, 200), pl.IAF()
)
spikes = (torch.rand(32, 50, 100) < 0.2).float()  # batch, time, neurons
with picojoule.Monitor(model) as monitor, torch.no_grad():
    model(spikes)

figure = plot_rates(monitor.rates)
