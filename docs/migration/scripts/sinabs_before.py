"""sinabs: SynOps and firing rates, and updates that make a network spend less."""

import sinabs
import sinabs.layers as sl
import torch
from sinabs.hooks import firing_rate_per_neuron_hook, register_synops_hooks
from torch import nn

STEPS, SAMPLES, TARGET = 10, 4, 2e3
torch.manual_seed(0)


def neurons():
    threshold = torch.tensor(0.3)
    return sl.IAFSqueeze(batch_size=SAMPLES, spike_threshold=threshold)


model = nn.Sequential(
    sl.FlattenTime(),
    nn.Conv2d(1, 8, 5, bias=False),
    neurons(),
    sl.SumPool2d(2),
    nn.Conv2d(8, 16, 3, bias=False),
    neurons(),
    nn.Flatten(),
    nn.Linear(16 * 4 * 4, 10, bias=False),
    neurons(),
    sl.UnflattenTime(batch_size=SAMPLES),
)
register_synops_hooks(model)
for layer in (2, 5, 8):
    model[layer].register_forward_hook(firing_rate_per_neuron_hook)

x = (torch.rand(SAMPLES, STEPS, 1, 16, 16) < 0.4).float()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(4):
    sinabs.reset_states(model)
    sinabs.zero_grad(model)
    out = model(x)
    synops = model.hook_data["synops_per_timestep"]
    excess = [torch.relu(n - TARGET) / TARGET for n in synops.values()]
    loss = sum(x.square() for x in excess)
    loss.backward()
    optimizer.step()
    spent = ", ".join(f"{n.item():.5g}" for n in synops.values())
    print(f"loss {loss.item():.4g}; SynOps per step {spent}")

for layer in (2, 5, 8):
    rates = model[layer].hook_data["firing_rate_per_neuron"]
    silent = (rates == 0).float().mean()
    rate = f"{rates.mean().item():.5f} spikes per step"
    print(f"layer {layer}: {rate}, {silent:.1%} silent")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
