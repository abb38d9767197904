"""What each layer spends and how it fires, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.plots.canvas import GREY, LAYER_COLOURS, ORANGE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_layers(
    synops: Mapping[str, float],
    macs: Mapping[str, float],
    rates: Mapping[str, float],
    path: Path | None = None,
) -> Figure:
    """Bars of each layer's SynOps and MACs, and of the firing rates.

    Args:
        synops: per sample, by layer.
        macs: products of dense values, per sample, by layer.
        rates: spikes per neuron and time step, by spiking layer.
        path: where the PNG goes; None to leave it undrawn.

    Raises:
        ImportError: matplotlib is missing.
    """
    figure = new_figure(11, 1.6 + 0.35 * max(len(synops), len(rates), 4))
    spent, firing = figure.subplots(1, 2)
    layers = [_plain(name) for name in synops]
    spent.barh(layers, list(synops.values()), color=LAYER_COLOURS[0], label="SynOps")
    spent.barh(layers, list(macs.values()), left=list(synops.values()), color=GREY, label="MACs")
    spent.set(title="Operations per sample", xlabel="Operations")
    spent.legend(frameon=False)
    firing.barh([_plain(name) for name in rates], list(rates.values()), color=ORANGE)
    firing.set(title="Firing rate", xlabel="Spikes per neuron and time step")
    for panel in (spent, firing):
        panel.invert_yaxis()
    if path is not None:
        save(figure, path)
    return figure


def _plain(name: str) -> str:
    """A dollar sign would begin a formula."""
    return (name or "(model)").replace("$", r"\$")
