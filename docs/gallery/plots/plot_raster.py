"""
plot_raster: which neuron fires when
====================================

:py:obj:`picojoule.plots.plot_raster` draws the output of a spiking layer, ``(batch, time, *neurons)``: a dot for each
neuron and time step with spikes, a larger one where there are several.
"""

import torch

import picojoule.layers as pl
from picojoule.plots import plot_raster

torch.manual_seed(0)
weight = torch.linspace(0.02, 0.25, 40)  # neuron 39 gets twelve times what neuron 0 gets
current = weight * (torch.rand(1, 300, 40) < 0.5)
current[:, 150:] *= 3

with torch.no_grad():
    spikes = pl.LIF(tau_mem=15.0, norm_input=False)(current)

# %%
# With ``dt_s`` the axis is in seconds, and with ``path=`` the picture is written as a PNG file.

figure = plot_raster(spikes, dt_s=1e-3, title="LIF neurons; the input rises after 0.15 s")
