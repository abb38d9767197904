"""Every picture, as PNG files. Needs matplotlib: `pip install 'picojoule[plot]'`."""

from picojoule.plots.activations import scatter_activations
from picojoule.plots.canvas import as_png
from picojoule.plots.energy import plot_energy
from picojoule.plots.firing_rates import plot_firing_rates
from picojoule.plots.frontier import FrontierMark, plot_frontier
from picojoule.plots.layers import draw_layers
from picojoule.plots.over_time import plot_over_time
from picojoule.plots.raster import plot_raster
from picojoule.plots.rate_histogram import RateHistogram, plot_rates
from picojoule.plots.synops import plot_synops
from picojoule.plots.tensorboard import log_to_tensorboard

__all__ = [
    "FrontierMark",
    "RateHistogram",
    "as_png",
    "draw_layers",
    "log_to_tensorboard",
    "plot_energy",
    "plot_firing_rates",
    "plot_frontier",
    "plot_over_time",
    "plot_raster",
    "plot_rates",
    "plot_synops",
    "scatter_activations",
]
