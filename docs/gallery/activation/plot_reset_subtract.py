"""
MembraneSubtract: a spike costs the threshold
=============================================

:py:obj:`picojoule.activation.MembraneSubtract`, the default of all layers, takes the threshold off the potential, once
for each spike. What is above the threshold stays, so over time no input is lost.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl
from picojoule.activation import MembraneSubtract

current = torch.full((1, 30, 1), 0.3125)  # batch, time, neurons

# %%
# ``subtract_value`` makes a spike cost more or less than the threshold. Then the firing rate is the input over that
# cost: a third above, a third below.

figure, panels = plt.subplots(3, sharex=True, sharey=True)
for axes, cost in zip(panels, (0.75, None, 1.5), strict=True):
    layer = pl.IAF(reset_fn=MembraneSubtract(cost), record_states=True)
    spikes = layer(current).flatten().detach()
    axes.plot(layer.recordings["v_mem"].flatten().detach())
    axes.vlines(spikes.nonzero().flatten(), 0, 1, color="C1", lw=2.5)
    axes.axhline(1.0, color="black", ls="--", lw=1)
    axes.set_title(f"MembraneSubtract({'' if cost is None else cost}): {spikes.sum():g} spikes")
panels[1].set_ylabel("Potential; spikes as bars")
panels[-1].set_xlabel("Time step")
plt.show()
