"""
scatter_activations: is the SNN faithful to its ANN?
====================================================

:py:obj:`picojoule.plots.scatter_activations` draws the activation of each neuron of an ANN over the spikes of the SNN
made of it. If the conversion is faithful, the dots of a layer lie on a line.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import picojoule
from picojoule.plots import scatter_activations

torch.manual_seed(0)
cnn = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU()
).eval()
image = torch.rand(1, 1, 20, 20)
network = picojoule.from_model(cnn, num_timesteps=100)

# %%
# The image is shown in each of 100 time steps. With ``compute_rate`` the ANN sees it once, and the SNN is read in
# spikes per 1000 steps: an activation of 0.2 should be 200 of them.

analog, spiking, names = network.compare_activations(
    image.expand(100, -1, -1, -1), compute_rate=True
)
plt.figure()
scatter_activations(analog[1:], spiking[1:], names[1:], in_rates=True)  # without the input
plt.title("Activations of an ANN and spikes of its SNN")
plt.show()
