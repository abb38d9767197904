"""Activations of an ANN over the spikes of the SNN made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from picojoule.extras import extra
from picojoule.plots.canvas import plain


def scatter_activations(
    analog: Sequence[np.ndarray],
    spiking: Sequence[np.ndarray],
    names: Sequence[str],
    *,
    in_rates: bool = False,
) -> None:
    """Draw one dot a neuron on the current axes, a colour a layer. A faithful SNN lies on a line.

    Args:
        analog: activations of the ANN by layer.
        spiking: spike counts, or rates, of the SNN by layer, as many values each.
        names: the layers' names.
        in_rates: whether `spiking` is in spikes per 1000 time steps.
    """
    with extra("plot"):
        import matplotlib.pyplot as plt
    axes = plt.gca()
    for name, activations, spikes in zip(names, analog, spiking, strict=True):
        axes.scatter(
            spikes.ravel(), activations.ravel(), s=8, alpha=0.6, label=f"Layer {plain(name)}"
        )
    axes.set_xlabel("Spikes per 1000 time steps" if in_rates else "Spikes")
    axes.set_ylabel("ANN activation")
    axes.legend()
