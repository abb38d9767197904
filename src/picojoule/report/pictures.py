"""What of a report goes into which picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from picojoule.plots import as_png, draw_layers, plot_rates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from picojoule.report.report import Profile, Report


def draw_operations(report: Report, path: Path | str | None) -> Figure:
    """SynOps and MACs of each layer, and the firing rates."""
    counted = [row for row in report.rows if row.synops_per_sample is not None]
    synops = {row.label: row.synops_per_sample or 0.0 for row in counted}
    macs = {row.label: row.macs_per_sample or 0.0 for row in counted}
    rates = {row.label: row.firing_rate for row in report.rows if row.firing_rate is not None}
    return draw_layers(synops, macs, rates, path)


def page_pictures(
    report: Report, profile: Profile | None, rates: Mapping[str, Tensor] | None
) -> dict[str, bytes]:
    """PNGs of a page, by what is said where no picture can be shown."""
    pictures = {"Operations and firing rates by layer": as_png(report.plot())}
    if profile is not None:
        pictures["Energy by layer and of the whole network"] = as_png(report.plot_energy(profile))
    if rates:
        labels = {row.name: row.label for row in report.rows}
        shown = {labels.get(name, name): layer for name, layer in rates.items()}
        pictures["Histograms of the neurons' firing rates by layer"] = as_png(plot_rates(shown))
    return pictures
