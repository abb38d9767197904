"""
plot_energy: where the joules go
================================

:py:obj:`picojoule.plots.plot_energy` stacks the modelled joules of each layer on a chip beside those of the same
network as an ANN. ``report.plot_energy(profile)`` draws it from a report.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl
from picojoule.plots import plot_energy

torch.manual_seed(0)
model = nn.Sequential(
    pl.FlattenTime(),
    nn.Conv2d(1, 8, 5),
    pl.IAFSqueeze(batch_size=4),
    pl.SumPool2d(2),
    nn.Conv2d(8, 16, 3),
    pl.IAFSqueeze(batch_size=4),
    nn.Flatten(),
    nn.Linear(1600, 10),
    pl.IAFSqueeze(batch_size=4),
    pl.UnflattenTime(batch_size=4),
)
spikes = (torch.rand(4, 10, 1, 28, 28) < 0.2).float()  # batch, time, channels, rows, columns
with picojoule.Monitor(model) as monitor, torch.no_grad():
    model(spikes)
report = monitor.report()

# %%
# Loihi's source prices SynOps and neuron updates. What a source does not price would stand as a question mark at the
# end of a bar, never as zero.

profile = "loihi"
figure = plot_energy(report.energy(profile), report.energy_by_layer(profile))
