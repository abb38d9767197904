"""How often the neurons of each layer fire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from picojoule.plots.canvas import ORANGE, count_neurons, new_figure, save, title_of
from picojoule.synops import silent_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_rates(
    rates: Mapping[str, Tensor], path: str | Path | None = None, bins: int = 30
) -> Figure:
    """Histogram of the neurons' firing rates, a panel a layer.

    Args:
        rates: spikes per time step of each neuron, `*n`, by layer, such as `monitor.rates`.
        path: where the PNG goes; None to draw no file.
        bins: number of bars.

    Raises:
        ValueError: there are no layers.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> figure = plot_rates({"lif": torch.tensor([0.0, 0.0, 0.5])}, bins=2)
        >>> [int(bar.get_height()) for bar in figure.axes[0].patches]
        [2, 1]
    """
    if not rates:
        raise ValueError("plot_rates: no layers; the model that was watched has no spiking layer.")
    rows = math.ceil(len(rates) / 2)
    figure = new_figure(10, 3.2 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).flat
    for (name, layer), panel in zip(rates.items(), panels, strict=False):
        values = layer.detach().flatten().double().cpu().numpy()
        most = max(float(values.max(initial=0.0)), 1e-3)
        panel.hist(
            values, bins, range=(min(float(values.min(initial=0.0)), 0.0), most), color=ORANGE
        )
        silent = f"{silent_share(layer):.1%}" if values.size else "0%"
        count_neurons(panel, values.size)
        panel.set(
            title=title_of(name, f"{values.size:,} neurons, {silent} silent"),
            xlabel="Spikes per neuron and time step",
        )
    for unused in list(panels):
        unused.remove()
    if path is not None:
        save(figure, path)
    return figure
