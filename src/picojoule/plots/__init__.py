"""Every picture, as PNG files. Needs matplotlib: `pip install 'picojoule[plot]'`."""

from picojoule.plots.activations import scatter_activations
from picojoule.plots.firing_rates import plot_firing_rates
from picojoule.plots.synops import plot_synops

__all__ = ["plot_firing_rates", "plot_synops", "scatter_activations"]
