"""
Spike functions: how many spikes a step
=======================================

At a potential of 2.5 thresholds a neuron fires once, twice, or up to a limit. That is its spike function.
"""

import matplotlib.pyplot as plt
import torch

from picojoule.activation import MaxSpike, MultiSpike, SingleExponential, SingleSpike

potential = torch.linspace(-1, 5, 1201)
functions = {
    "SingleSpike()": SingleSpike(),
    "MaxSpike(3)": MaxSpike(3),
    "MultiSpike()": MultiSpike(),
}

# %%
# A potential that equals the threshold fires. Below zero nothing does.

figure, axes = plt.subplots()
for number, (name, function) in enumerate(functions.items()):
    spikes = function.apply(potential, 1.0, SingleExponential())
    axes.step(potential, spikes + 0.05 * number, label=name, where="post")
axes.set(
    title="Spikes of one time step",
    xlabel="Potential, in thresholds",
    ylabel="Spikes (lines set apart by 0.05)",
    yticks=range(6),
)
axes.legend(loc="upper left")
plt.show()
