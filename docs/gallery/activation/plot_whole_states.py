"""
WholeStates: potentials in whole numbers
========================================

A chip keeps potentials in whole numbers. :py:obj:`picojoule.activation.WholeStates` cuts them after each step, towards
zero, behind any reset. A leak then reaches zero, where real numbers only come near it.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl
from picojoule.activation import MembraneSubtract, WholeStates

current = torch.zeros(1, 60, 1)  # batch, time, neurons
current[:, :6] = 5.0

# %%
# The threshold is 32, a whole number of the same units. The gradient passes as if nothing had been cut.

figure, axes = plt.subplots()
for reset, name in (
    (MembraneSubtract(), "MembraneSubtract()"),
    (WholeStates(MembraneSubtract()), "WholeStates(MembraneSubtract())"),
):
    layer = pl.LIF(
        tau_mem=12.0, spike_threshold=32.0, reset_fn=reset, norm_input=False, record_states=True
    )
    layer.impl = "reference"  # no kernel knows this reset
    layer(current)
    axes.step(range(60), layer.recordings["v_mem"].flatten().detach(), where="mid", label=name)
axes.set(title="A leak in whole numbers", xlabel="Time step", ylabel="Potential (threshold: 32)")
axes.legend()
plt.show()
