"""
Surrogate gradients
===================

A spike count has no useful slope: it is flat, with jumps. In the backward pass a surrogate stands for the slope.
Here are the five that come with the library, at their defaults, over the potential.
"""

import matplotlib.pyplot as plt
import torch

from picojoule.activation import (
    Gaussian,
    Heaviside,
    MultiGaussian,
    PeriodicExponential,
    SingleExponential,
)

potential = torch.linspace(-1, 4, 1001)
surrogates = (
    SingleExponential(),
    PeriodicExponential(),
    Heaviside(),
    Gaussian(),
    MultiGaussian(),
)

# %%
# A surrogate is called as ``surrogate(v_mem, spike_threshold)``. Two of them reach beyond the first threshold, where
# neurons live that fire several times a step: ``PeriodicExponential`` and ``Heaviside``.

figure, panels = plt.subplots(2, 3, figsize=(7.5, 4.4), sharex=True, sharey=True)
for number, (surrogate, axes) in enumerate(zip(surrogates, panels.flat, strict=False)):
    slope = surrogate(potential, 1.0)
    axes.fill_between(potential, slope, color=f"C{number}", alpha=0.25, lw=0)
    axes.plot(potential, slope, color=f"C{number}")
    axes.axvline(1.0, color="black", ls="--", lw=1)
    axes.set_title(type(surrogate).__name__)
panels[1, 2].step(potential, potential.floor().clamp(min=0), color="black")
panels[1, 2].set_title("The spike count itself")
figure.supxlabel("Potential, in thresholds")
figure.supylabel("Slope in the backward pass")
plt.show()

# %%
# Each has its numbers. A wider exponential lets more neurons learn, and each learns less precisely.

figure, axes = plt.subplots()
for width in (0.25, 0.5, 1.0):
    axes.plot(potential, SingleExponential(grad_width=width)(potential, 1.0), label=f"{width:g}")
axes.axvline(1.0, color="black", ls="--", lw=1)
axes.set(
    title="SingleExponential by grad_width",
    xlabel="Potential, in thresholds",
    ylabel="Slope in the backward pass",
)
axes.legend(title="grad_width")
plt.show()
