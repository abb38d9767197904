"""
ALIF: a threshold that adapts
=============================

An :py:obj:`picojoule.layers.ALIF` neuron raises its own threshold with every spike, and the threshold comes back
by ``tau_adapt``. A constant input makes it fire quickly at first and then slowly.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl

current = torch.zeros(1, 160, 1)  # batch, time, neurons
current[:, 10:110] = 0.3

layer = pl.ALIF(tau_mem=20.0, tau_adapt=40.0, adapt_scale=8.0, norm_input=False, record_states=True)
spikes = layer(current).flatten().detach()
potential, threshold = (
    layer.recordings[name].flatten().detach() for name in ("v_mem", "spike_threshold")
)

# %%
# The threshold is 1 at rest. A trace b of the spikes, between 0 and 1, raises it by ``adapt_scale * b``.

figure, (top, middle, bottom) = plt.subplots(3, sharex=True, height_ratios=(1, 2, 0.7))
top.step(range(160), current.flatten(), where="mid", color="0.35")
top.set(ylabel="Input", title="ALIF")
middle.plot(potential, label="potential")
middle.plot(threshold, color="black", ls="--", lw=1.2, label="threshold")
middle.set(ylabel="Potential")
middle.legend(loc="upper right")
bottom.vlines(spikes.nonzero().flatten(), 0, 1, color="C1", lw=2.5)
bottom.set(ylabel="Spikes", xlabel="Time step", yticks=())
figure.align_ylabels()
plt.show()
