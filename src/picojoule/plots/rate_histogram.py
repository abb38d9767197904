"""How often the neurons of each layer fire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from picojoule.plots.canvas import ORANGE, count_neurons, new_figure, save, title_of
from picojoule.synops import silent_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 30


@dataclass(frozen=True)
class RateHistogram:
    """How many neurons of a layer fire how often: plain numbers, to draw without the neurons.

    Args:
        neurons: in each bar; those whose rate is no number are in none.
        low: where the first bar begins, spikes per neuron and time step.
        high: where the last one ends.
        size: all neurons.
        silent_share: share of them that did not fire at all, 0 to 1.

    Example:
        >>> import torch
        >>> RateHistogram.of(torch.tensor([0.0, 0.0, 0.5]), bins=2).neurons
        (2, 1)
    """

    neurons: tuple[int, ...]
    low: float
    high: float
    size: int
    silent_share: float

    @classmethod
    def of(cls, rates: Tensor, bins: int = BINS) -> RateHistogram:
        """That of the rates of a layer, `*n`. Waits for the device."""
        values = rates.detach().flatten().double().cpu().numpy()
        finite = values[np.isfinite(values)]
        low = min(float(finite.min(initial=0.0)), 0.0)
        high = max(float(finite.max(initial=0.0)), 1e-3)
        neurons, _ = np.histogram(finite, bins, (low, high))
        silent = silent_share(rates) if values.size else 0.0
        return cls(tuple(neurons.tolist()), low, high, values.size, silent)


def plot_rates(
    rates: Mapping[str, Tensor | RateHistogram], path: str | Path | None = None, bins: int = BINS
) -> Figure:
    """Histogram of the neurons' firing rates, a panel a layer.

    Args:
        rates: spikes per time step of each neuron, `*n`, by layer, such as `monitor.rates`; or the
            histograms of a report, which have bars of their own.
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
        shown = layer if isinstance(layer, RateHistogram) else RateHistogram.of(layer, bins)
        edges = np.linspace(shown.low, shown.high, len(shown.neurons) + 1)
        panel.bar(
            edges[:-1], shown.neurons, np.diff(edges), align="edge", color=ORANGE, linewidth=0
        )
        count_neurons(panel, shown.size)
        panel.set(
            title=title_of(name, f"{shown.size:,} neurons, {shown.silent_share:.1%} silent"),
            xlabel="Spikes per neuron and time step",
        )
    for unused in list(panels):
        unused.remove()
    if path is not None:
        save(figure, path)
    return figure
