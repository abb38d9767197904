"""A network of SpikingJelly, and what its counter says."""

import torch
from spikingjelly.activation_based import functional, layer, neuron, op_counter
from torch import nn

STEPS, SAMPLES = 16, 4
torch.manual_seed(0)

model = nn.Sequential(
    layer.Conv2d(2, 8, 3, padding=1, bias=False),
    neuron.IFNode(v_threshold=0.5),
    layer.MaxPool2d(2),
    layer.Flatten(),
    layer.Linear(8 * 6 * 6, 10, bias=False),
    neuron.LIFNode(tau=2.0, v_threshold=0.2),
)
functional.set_step_mode(model, "m")

x = (torch.rand(STEPS, SAMPLES, 2, 12, 12) < 0.2).float()  # t b c h w
fired = {}


def note(node, _, spikes):
    fired[node] = spikes


for place in (1, 5):
    model[place].register_forward_hook(note)
counter = op_counter.SynOpCounter()
with torch.no_grad(), op_counter.DispatchCounterMode([counter]):
    out = model(x)
functional.reset_net(model)

print(f"{counter.get_total() / SAMPLES:.1f} SynOps per sample")
for place in (1, 5):
    rate = fired[model[place]].mean().item()
    print(f"{place}: {rate:.5f} spikes per neuron and step")
print("spikes of each output:", out.sum((0, 1)).int().tolist())
