"""A network of snnTorch, and what it spends, counted by hand."""

import snntorch as snn
import torch
from torch import nn

STEPS, SAMPLES = 40, 4
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(30, 100)
        self.lif1 = snn.Leaky(beta=0.9)
        self.fc2 = nn.Linear(100, 10)
        self.lif2 = snn.Leaky(beta=0.9)

    def forward(self, x):  # t b n
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        hidden, out = [], []
        for frame in x:
            spk1, mem1 = self.lif1(self.fc1(frame), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            hidden.append(spk1)
            out.append(spk2)
        return torch.stack(hidden), torch.stack(out)


model = Net()
x = (torch.rand(STEPS, SAMPLES, 30) < 0.3).float()
with torch.no_grad():
    hidden, out = model(x)

for name, spikes, fan_out in [("fc1", x, 100), ("fc2", hidden, 10)]:
    synops = spikes.sum().item() * fan_out / SAMPLES
    print(f"{name}: {synops:.1f} SynOps per sample")
for name, spikes in [("lif1", hidden), ("lif2", out)]:
    print(f"{name}: {spikes.mean().item():.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
