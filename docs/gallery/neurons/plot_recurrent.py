"""
Recurrent: spikes that come back
================================

A :py:obj:`picojoule.layers.LIFRecurrent` layer adds what its own spikes of the step before make through
``rec_connect``, any module from the neurons to themselves. Here a ring: each neuron excites the next one.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import picojoule.layers as pl

neurons, steps = 24, 120
ring = nn.Linear(neurons, neurons, bias=False)
with torch.no_grad():
    ring.weight.copy_(torch.roll(torch.eye(neurons), 1, dims=0))
layer = pl.LIFRecurrent(tau_mem=4.0, rec_connect=ring, norm_input=False)

current = torch.zeros(1, steps, neurons)  # batch, time, neurons
current[:, 4, 0] = 1.0  # a push at one neuron
current[:, 40, 6] = 1.0  # and at another, and nothing afterwards
with torch.no_grad():
    spikes = layer(current)[0]

# %%
# Each push goes round the ring long after the input has ended. A recurrent spike that arrives at a synapse is a
# SynOp like any other: :py:obj:`picojoule.Monitor` counts it.

step, neuron = spikes.nonzero(as_tuple=True)
figure, axes = plt.subplots()
axes.scatter(step, neuron, s=26, color="C0", label="spikes")
pushed = current[0].nonzero(as_tuple=True)
axes.scatter(*pushed, s=70, facecolors="none", edgecolors="C1", label="input")
axes.set(
    title="A ring of 24 LIF neurons",
    xlabel="Time step",
    ylabel="Neuron",
    xlim=(-2, steps),
    ylim=(-4, 24),
)
axes.legend(loc="lower center", ncols=2)
plt.show()
