"""The same network with Picojoule's layers."""

from math import log

import torch
from torch import nn

import picojoule
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.layers import LIF

STEPS, SAMPLES = 60, 4
torch.manual_seed(0)


def lif(tau_mem_inv=100.0, tau_syn_inv=200.0, v_th=1.0, dt=0.001):
    """`norse.LIF`: inverse time constants in 1/s; a spike resets to zero."""
    return LIF(
        tau_mem=-1 / log(1 - dt * tau_mem_inv),
        tau_syn=-1 / log(1 - dt * tau_syn_inv),
        norm_input=True,
        spike_threshold=v_th,
        spike_fn=SingleSpike,
        reset_fn=MembraneReset(0.0),
    )


model = nn.Sequential(
    nn.Linear(30, 100),
    lif(v_th=0.2),
    nn.Linear(100, 10),
    lif(v_th=0.2),
)
with torch.no_grad():  # Norse lets a new current act before it decays
    for layer in (model[0], model[2]):
        layer.weight /= 1 - 0.001 * 200.0
        layer.bias /= 1 - 0.001 * 200.0

x = (torch.rand(STEPS, SAMPLES, 30) < 0.3).float().transpose(0, 1)  # b t n
with torch.no_grad(), picojoule.Monitor(model) as monitor:
    out = model(x)

for name, synops in monitor.synops.per_sample.items():
    print(f"{name}: {synops.item():.1f} SynOps per sample")
for name, rate in monitor.rates.mean.items():
    print(f"{name}: {rate.item():.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
