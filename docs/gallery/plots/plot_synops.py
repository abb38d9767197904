"""
plot_synops: what layers spend during training
==============================================

:py:obj:`picojoule.plots.plot_synops` draws the SynOps of each layer over the training steps, and a target. A history is
one list a layer, to which each training step appends what the Monitor counted.
"""

import torch
from torch import nn

import picojoule
import picojoule.layers as pl
from picojoule.plots import plot_synops

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(40, 80), pl.IAF(), nn.Linear(80, 60), pl.IAF(), nn.Linear(60, 10), pl.IAF()
)
labels = torch.randint(10, (64,))
prototypes = torch.rand(10, 40) < 0.3
spikes = (torch.rand(64, 8, 40) < 0.8 * prototypes[labels][:, None]).float()

monitor = picojoule.Monitor(model).attach()
budget = picojoule.Budget(monitor, synops_per_timestep={"2": 500.0, "4": 100.0}, steps=120)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
history: dict[str, list[torch.Tensor]] = {}
for _ in range(120):
    picojoule.reset_states(model)
    optimizer.zero_grad()
    budget.backward(nn.functional.cross_entropy(model(spikes).sum(1), labels))
    optimizer.step()
    budget.step()
    for name, synops in monitor.synops.items():
        history.setdefault(name, []).append(synops.detach())

# %%
# The first layer reads the input, so training cannot change what it spends: ``fixed`` draws it in grey.

figure = plot_synops(history, target=500.0, fixed=["0"])
