"""The same network with Picojoule's layers."""

from math import log

import torch
from torch import nn

import picojoule
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.layers import IAF, LIF, Repeat

STEPS, SAMPLES = 16, 4
torch.manual_seed(0)


def if_node(v_threshold=1.0):
    """`neuron.IFNode` by default: one spike a step, reset to zero."""
    return IAF(v_threshold, spike_fn=SingleSpike, reset_fn=MembraneReset(0.0))


def lif_node(tau=2.0, v_threshold=1.0, decay_input=True):
    """`neuron.LIFNode`: it keeps `1 - 1 / tau`, where ours keeps `exp(-1 / tau_mem)`."""
    return LIF(
        tau_mem=-1 / log(1 - 1 / tau),
        norm_input=decay_input,
        spike_threshold=v_threshold,
        spike_fn=SingleSpike,
        reset_fn=MembraneReset(0.0),
    )


model = nn.Sequential(
    Repeat(nn.Conv2d(2, 8, 3, padding=1, bias=False)),
    if_node(v_threshold=0.5),
    Repeat(nn.MaxPool2d(2)),
    nn.Flatten(2),
    nn.Linear(8 * 6 * 6, 10, bias=False),
    lif_node(tau=2.0, v_threshold=0.2),
)

x = (torch.rand(STEPS, SAMPLES, 2, 12, 12) < 0.2).float()
x = x.transpose(0, 1)  # b t c h w
with torch.no_grad(), picojoule.Monitor(model) as monitor:
    out = model(x)
picojoule.reset_states(model)

print(f"{monitor.synops.per_sample.total.item():.1f} SynOps per sample")
for name, rate in monitor.rates.mean.items():
    print(f"{name}: {rate.item():.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
