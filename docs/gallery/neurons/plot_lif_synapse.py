"""
LIF with a synaptic current
===========================

With ``tau_syn`` a spike that comes in does not raise the potential at once. It raises a current that decays, and
the current raises the potential: one spike acts for several steps, and the potential has a rounded peak.
"""

import matplotlib.pyplot as plt
import torch

import picojoule.layers as pl

arriving = torch.zeros(1, 70, 1)  # batch, time, neurons
arriving[:, 5] = 0.25
arriving[:, [25, 28, 31]] = 0.25

with_synapse = pl.LIF(tau_mem=10.0, tau_syn=5.0, norm_input=False, record_states=True)
without = pl.LIF(tau_mem=10.0, norm_input=False, record_states=True)
spikes = with_synapse(arriving).flatten().detach()
without(arriving)

# %%
# Two spikes that come close together make the neuron fire. The current is not reset by that, so the potential
# rises again.

figure, (top, middle, bottom) = plt.subplots(3, sharex=True, height_ratios=(1, 1.4, 1.8))
top.stem(arriving.flatten(), linefmt="0.35", markerfmt=" ", basefmt=" ")
top.set(ylabel="Input", title="LIF with tau_syn = 5")
middle.plot(with_synapse.recordings["i_syn"].flatten().detach(), color="C2")
middle.set(ylabel="Synaptic\ncurrent")
bottom.plot(with_synapse.recordings["v_mem"].flatten().detach(), label="with tau_syn")
bottom.plot(without.recordings["v_mem"].flatten().detach(), color="0.6", label="without")
bottom.axhline(1.0, color="black", ls="--", lw=1)
bottom.vlines(spikes.nonzero().flatten(), 0, 1.3, color="C1", lw=2.5, label="spikes")
bottom.set(ylabel="Potential", xlabel="Time step", xlim=(-2, 80))
bottom.legend(loc="upper right")
figure.align_ylabels()
plt.show()
