"""
ExpLeak: it never fires
=======================

An :py:obj:`picojoule.layers.ExpLeak` layer is a leaky integrator without a threshold. It gives out its
potential, so it smooths spikes into a value: a readout, or a low-pass filter.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl

torch.manual_seed(4)
rate = torch.zeros(120)
rate[10:50], rate[70:110] = 0.15, 0.5
arriving = torch.bernoulli(rate).reshape(1, 120, 1)  # batch, time, neurons

# %%
# ``norm_input=True`` scales the input by 1 - alpha, so that the output is a running mean of it.

figure, (top, bottom) = plt.subplots(2, sharex=True, height_ratios=(0.7, 2))
top.vlines(arriving.flatten().nonzero().flatten(), 0, 1, color="0.35", lw=2)
top.set(ylabel="Spikes in", title="ExpLeak", yticks=())
bottom.plot(rate, color="black", ls="--", lw=1, label="rate of the input")
for tau in (5.0, 20.0):
    smooth = pl.ExpLeak(tau_mem=tau, norm_input=True)(arriving).flatten().detach()
    bottom.plot(smooth, label=f"tau_mem = {tau:g}")
bottom.set(ylabel="Output", xlabel="Time step", ylim=(0, 1))
bottom.legend(loc="upper left")
figure.align_ylabels()
plt.show()
