"""A network of Norse, and what it spends, counted by hand."""

import norse.torch as norse
import torch
from torch import nn

STEPS, SAMPLES = 60, 4
torch.manual_seed(0)

params = norse.LIFParameters(
    tau_mem_inv=100.0,
    tau_syn_inv=200.0,
    v_th=torch.tensor(0.2),
)
model = norse.SequentialState(
    norse.Lift(nn.Linear(30, 100)),
    norse.LIF(params, dt=0.001),
    norse.Lift(nn.Linear(100, 10)),
    norse.LIF(params, dt=0.001),
)

x = (torch.rand(STEPS, SAMPLES, 30) < 0.3).float()  # t b n
arriving = []
model[2].register_forward_pre_hook(lambda _, args: arriving.append(args[0]))
with torch.no_grad():
    out, _ = model(x)
hidden = arriving[0]

for name, spikes, fan_out in [("0", x, 100), ("2", hidden, 10)]:
    synops = spikes.sum().item() * fan_out / SAMPLES
    print(f"{name}: {synops:.1f} SynOps per sample")
for name, spikes in [("1", hidden), ("3", out)]:
    print(f"{name}: {spikes.mean().item():.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
