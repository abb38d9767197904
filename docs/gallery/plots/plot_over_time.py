"""
plot_over_time: events and SynOps over a recording
==================================================

:py:obj:`picojoule.plots.plot_over_time` draws what comes in, what goes out and what each layer spends over the time of
one input, with a limit in SynOps per second if a chip has one. ``picojoule simulate --picture`` draws it of a recording.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl
from picojoule.plots import plot_over_time

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(64, 128),
    pl.LIF(8.0, norm_input=False),
    nn.Linear(128, 10),
    pl.LIF(8.0, norm_input=False),
)
rate = 0.02 + 0.3 * torch.exp(-(((torch.arange(300) - 120) / 25.0) ** 2))  # a burst of activity
spikes = (torch.rand(1, 300, 64) < rate[:, None]).float()  # batch, time, neurons
with torch.no_grad():
    model[2].weight.mul_(3)  # so that the last layer has something to say
with picojoule.Monitor(model, detail=("step",)) as monitor, torch.no_grad():
    output = model(spikes)

# %%
# ``detail=("step",)`` keeps SynOps of each time step; divided by its length they are SynOps per second.

dt_s = 1e-3
figure = plot_over_time(
    {"in": spikes[0].sum(1), "out": output[0].sum(1)},
    {f"layer {name}": monitor.synops.detail[name] / dt_s for name in ("0", "2")},
    dt_s=dt_s,
    limits=2e6,
    title="A burst of 50 ms",
)
