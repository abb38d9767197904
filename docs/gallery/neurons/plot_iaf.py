"""
IAF: integrate and fire
=======================

An :py:obj:`picojoule.layers.IAF` neuron adds up what comes in. At its threshold it fires, and the threshold is
taken off. Nothing leaks, so it fires in proportion to its input, however weak that is.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl

current = torch.zeros(1, 60, 1)  # batch, time, neurons
current[:, :20] = 0.125
current[:, 20:40] = 0.4375
current[:, 50] = 2.0  # two thresholds in one step

layer = pl.IAF(spike_threshold=1.0, record_states=True)
spikes = layer(current)
potential = layer.recordings["v_mem"]  # after each step

# %%
# An input of 2 in one step makes two spikes in that step: :py:obj:`picojoule.activation.MultiSpike`, the
# default, gives as many as the threshold fits into the potential.

figure, (top, middle, bottom) = plt.subplots(3, sharex=True, height_ratios=(1, 2, 1))
top.step(range(60), current.flatten(), where="mid", color="0.35")
top.set(ylabel="Input", title="IAF")
middle.plot(potential.flatten().detach())
middle.axhline(1.0, color="black", ls="--", lw=1, label="threshold")
middle.set(ylabel="Potential")
middle.legend(loc="upper right")
fired = spikes.flatten().detach()
bottom.stem(
    fired.nonzero().flatten(), fired[fired > 0], linefmt="C1-", markerfmt="C1o", basefmt=" "
)
bottom.set(ylabel="Spikes", xlabel="Time step", yticks=(0, 1, 2), ylim=(0, 2.4))
figure.align_ylabels()
plt.show()
