"""
plot_firing_rates: before and after
===================================

:py:obj:`picojoule.plots.plot_firing_rates` lays the rates after training over those before, and marks a floor if there
is one. ``picojoule train`` writes this picture for every run.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl
from picojoule.plots import plot_firing_rates

torch.manual_seed(1)
model = nn.Sequential(
    nn.Linear(60, 200), pl.LIF(10.0, norm_input=False), nn.Linear(200, 100), pl.IAF()
)
spikes = (torch.rand(32, 30, 60) < 0.2).float()  # batch, time, neurons
target = torch.randint(2, (32, 100)).float()


def rates() -> dict[str, torch.Tensor]:
    """Spikes per neuron and time step, by layer."""
    with picojoule.Monitor(model) as monitor, torch.no_grad():
        picojoule.reset_states(model)
        model(spikes)
    return dict(monitor.rates)


before = rates()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(40):
    picojoule.reset_states(model)
    optimizer.zero_grad()
    loss = (model(spikes).mean(1) - 0.3 * target).square().mean()
    loss.backward()
    optimizer.step()

# %%
# Half of the neurons of the last layer were asked to fire at 0.3, the others to be silent.

figure = plot_firing_rates(before, rates(), min_rate=0.01)
