"""
LIF: with a leak
================

An :py:obj:`picojoule.layers.LIF` neuron keeps the share exp(-1 / tau_mem) of its potential each step. So it
forgets, and an input that is too weak never makes it fire.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl

current = torch.zeros(1, 100, 1)  # batch, time, neurons
current[:, 5:25] = 0.08
current[:, 60:80] = 0.3

# %%
# ``norm_input=False`` takes the input as it is. By default it is scaled by 1 - alpha, as in sinabs; then a constant
# input is also what the potential ends at.

figure, (top, middle, bottom) = plt.subplots(3, sharex=True, height_ratios=(1, 2, 1))
top.step(range(100), current.flatten(), where="mid", color="0.35")
for number, tau in enumerate((5.0, 20.0)):
    layer = pl.LIF(tau_mem=tau, norm_input=False, record_states=True)
    spikes = layer(current).flatten().detach()
    potential = layer.recordings["v_mem"].flatten().detach()
    middle.plot(potential, color=f"C{number}", label=f"tau_mem = {tau:g}")
    fired = spikes.nonzero().flatten()
    bottom.vlines(fired, number + 0.1, number + 0.9, color=f"C{number}", lw=2.5)
top.set(ylabel="Input", title="LIF")
middle.axhline(1.0, color="black", ls="--", lw=1)
middle.set(ylabel="Potential")
middle.legend(loc="upper center", bbox_to_anchor=(0.42, 1))
bottom.set(ylabel="Spikes,\nby tau_mem", xlabel="Time step", yticks=(0.5, 1.5), ylim=(0, 2))
bottom.set_yticklabels(("5", "20"))
figure.align_ylabels()
plt.show()
