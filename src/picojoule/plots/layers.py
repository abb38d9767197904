"""What each layer spends and how it fires, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.plots.canvas import (
    GREY,
    LAYER_COLOURS,
    ORANGE,
    new_figure,
    save,
    shortened,
    with_prefix,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_layers(
    synops: Mapping[str, float],
    macs: Mapping[str, float],
    rates: Mapping[str, float],
    path: str | Path | None = None,
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
    figure = new_figure(11, 2.0 + 0.35 * max(len(synops), len(rates), 4))
    spent, firing = figure.subplots(1, 2)
    rows = range(len(synops))
    spent.barh(rows, list(synops.values()), color=LAYER_COLOURS[0], label="SynOps")
    if any(macs.values()):
        spent.barh(
            rows,
            list(macs.values()),
            left=list(synops.values()),
            facecolor=GREY,
            edgecolor="white",
            linewidth=0,
            hatch="//",
            label="MACs of dense values",
        )
    spent.set_yticks(rows, [shortened(name) for name in synops])
    spent.set(title="Operations per sample", xlabel="Operations", ylabel="Layer")
    longest = max((synops[name] + macs[name] for name in synops), default=0.0)
    spent.set_xlim(0, 1.05 * longest or 1)
    spent.xaxis.set_major_formatter(lambda value, _: with_prefix(value))
    figure.legend(handles=spent.get_legend_handles_labels()[0], loc="outside lower left", ncols=2)
    firing.barh(range(len(rates)), list(rates.values()), color=ORANGE)
    firing.set_yticks(range(len(rates)), [shortened(name) for name in rates])
    firing.set(title="Firing rate", xlabel="Spikes per neuron and time step", ylabel="Layer")
    if not rates:
        firing.set_yticks([])
        firing.text(0.5, 0.5, "no spiking layers", ha="center", transform=firing.transAxes)
    for panel in (spent, firing):
        panel.invert_yaxis()
    if path is not None:
        save(figure, path)
    return figure
