"""
MembraneHold: silent for one more step
======================================

:py:obj:`picojoule.activation.MembraneHold` sets the potential of a neuron that fired to a value and holds it there for
the next step, whatever comes in. So a neuron fires every other step at most. snnTorch's ``Synaptic`` does this with
``reset_mechanism="zero"``.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl
from picojoule.activation import MembraneHold, MembraneReset

inputs = torch.linspace(0, 2, 81)
current = inputs.expand(1, 200, -1)  # batch, time, neurons: each neuron has its own constant input

# %%
# No kernel knows this reset, so the layer runs in plain PyTorch; ``impl = "reference"`` says so.

figure, axes = plt.subplots()
for reset in (MembraneReset(), MembraneHold()):
    layer = pl.IAF(reset_fn=reset)
    layer.impl = "reference"
    rate = (layer(current) > 0).float().mean(1).flatten()
    axes.plot(inputs, rate.detach(), label=f"{type(reset).__name__}()")
axes.set(
    title="Share of steps with a spike",
    xlabel="Input per time step, in thresholds",
    ylabel="Share of time steps",
    ylim=(0, 1.1),
)
axes.legend(loc="upper left")
plt.show()
