"""The same network with Picojoule's layers."""

from math import log

import torch
from torch import nn

import picojoule
from picojoule.activation import MembraneSubtract, SingleSpike
from picojoule.layers import LIF

STEPS, SAMPLES = 40, 4
torch.manual_seed(0)


def leaky(beta, threshold=1.0):
    """`snn.Leaky` by default: it subtracts at the next step, after the leak."""
    return LIF(
        tau_mem=-1 / log(beta),
        norm_input=False,
        spike_threshold=threshold,
        spike_fn=SingleSpike,
        reset_fn=MembraneSubtract(threshold / beta),
    )


model = nn.Sequential()
model.fc1 = nn.Linear(30, 100)
model.lif1 = leaky(beta=0.9)
model.fc2 = nn.Linear(100, 10)
model.lif2 = leaky(beta=0.9)

x = (torch.rand(STEPS, SAMPLES, 30) < 0.3).float().transpose(0, 1)  # b t n
with torch.no_grad(), picojoule.Monitor(model) as monitor:
    out = model(x)

for name, synops in monitor.synops.per_sample.items():
    print(f"{name}: {synops.item():.1f} SynOps per sample")
for name, rate in monitor.rates.mean.items():
    print(f"{name}: {rate.item():.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
