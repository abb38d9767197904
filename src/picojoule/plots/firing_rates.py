"""How often the neurons of each layer fire, before and after training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from picojoule.plots.canvas import GREY, ORANGE, count_neurons, new_figure, save, title_of
from picojoule.synops import silent_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 30


def plot_firing_rates(
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    path: str | Path | None = None,
    min_rate: float | None = None,
) -> Figure:
    r"""Histogram of firing rates, a panel a layer, before training in grey and after it in colour.

    Args:
        before: spikes per time step of each neuron, `*n`, by layer.
        after: the same after training.
        path: where the PNG goes; None to draw no file.
        min_rate: a rate to mark with a dashed line.

    Raises:
        ValueError: there are no layers.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> rates = {"lif": torch.tensor([0.0, 0.5])}
        >>> plot_firing_rates(rates, rates).axes[0].get_title()
        'Layer lif\n2 neurons'
    """
    if not before:
        raise ValueError(
            "plot_firing_rates: no layers; the model that was watched has no spiking layer."
        )
    rows = math.ceil(len(before) / 2)
    figure = new_figure(10, 3.2 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).flat
    for name, panel in zip(before, panels, strict=False):
        old, new = (rates[name].flatten().double().numpy() for rates in (before, after))
        edges = np.linspace(0, max(old.max(), new.max(), min_rate or 0, 1e-3), _BINS + 1)
        was, now = (f"{silent_share(rates[name]):.1%} silent" for rates in (before, after))
        panel.hist(old, edges, color=GREY, alpha=0.7, label=f"before, {was}")
        panel.hist(new, edges, histtype="step", lw=2, color=ORANGE, label=f"after, {now}")
        if min_rate is not None:
            panel.axvline(min_rate, color="black", ls="--", lw=1, label=f"minimum, {min_rate:g}")
        count_neurons(panel, old.size)
        panel.set_ylim(0, 2 * panel.get_ylim()[1])
        panel.set(
            title=title_of(name, f"{old.size:,} neurons"),
            xlabel="Spikes per neuron and time step",
        )
        panel.legend(frameon=False)
    for unused in list(panels):
        unused.remove()
    if path is not None:
        save(figure, path)
    return figure
