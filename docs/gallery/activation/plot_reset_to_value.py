"""
MembraneReset: back to a fixed value
====================================

:py:obj:`picojoule.activation.MembraneReset` sets the potential of a neuron that fired to a value, whatever it was.
What was above the threshold is lost, so the neuron fires less often than one that subtracts.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl
from picojoule.activation import MembraneReset, MembraneSubtract

current = torch.full((1, 30, 1), 0.4375)  # batch, time, neurons
resets = (MembraneSubtract(), MembraneReset(), MembraneReset(-0.5))

# %%
# Neurons that did not fire keep their potential. (sinabs 3.1.3 adds a value other than zero to every neuron at
# every step.)

figure, panels = plt.subplots(3, sharex=True, sharey=True)
for axes, reset in zip(panels, resets, strict=True):
    layer = pl.IAF(reset_fn=reset, record_states=True)
    spikes = layer(current).flatten().detach()
    axes.plot(layer.recordings["v_mem"].flatten().detach())
    axes.vlines(spikes.nonzero().flatten(), 0, 1, color="C1", lw=2.5)
    axes.axhline(1.0, color="black", ls="--", lw=1)
    value = f"{reset.reset_value:g}" if isinstance(reset, MembraneReset) else ""
    axes.set_title(f"{type(reset).__name__}({value}): {spikes.sum():g} spikes")
panels[1].set_ylabel("Potential; spikes as bars")
panels[-1].set_xlabel("Time step")
plt.show()
