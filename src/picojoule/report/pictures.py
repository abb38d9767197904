"""The pictures of a report, and what each shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from picojoule.extras import extra
from picojoule.plots import RateHistogram, as_png, draw_layers, plot_energy, plot_rates
from picojoule.report.priced import Profile, Profiles, chosen, energy_by_layer, whole_energy
from picojoule.report.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_operations(record: Record, path: Path | str | None = None) -> Figure:
    """SynOps and MACs of each layer, and the firing rates."""
    counted = [row for row in record.rows if row.synops_per_sample is not None]
    synops = {row.label: row.synops_per_sample or 0.0 for row in counted}
    macs = {row.label: row.macs_per_sample or 0.0 for row in counted}
    rates = {row.label: row.firing_rate for row in record.rows if row.firing_rate is not None}
    return draw_layers(synops, macs, rates, path)


def draw_energy(record: Record, profile: Profile, path: Path | str | None = None) -> Figure:
    """Joules of each layer and of the whole, beside those of the ANN."""
    layers = energy_by_layer(record, profile)
    shown = {row.label: layers[row.name] for row in record.rows}
    return plot_energy(whole_energy(record, profile), shown, path)


def can_draw() -> bool:
    """Whether matplotlib is there."""
    try:
        with extra("plot"):
            import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def page_pictures(
    record: Record, profile: Profiles | None, rates: Mapping[str, Tensor] | None = None
) -> dict[str, bytes]:
    """PNGs of a page, by what is said where no picture can be shown.

    Args:
        record: the numbers.
        profile: whose joules are drawn, a picture each; none if None.
        rates: firing rates to draw in place of the record's histograms.
    """
    pictures = {"Operations and firing rates by layer": as_png(draw_operations(record))}
    profiles = chosen(profile)
    for each in profiles:
        on = f" on {each.name}" if len(profiles) > 1 else ""
        drawn = draw_energy(record, each)
        pictures[f"Energy{on} by layer and of the whole network"] = as_png(drawn)
    histograms: Mapping[str, Tensor | RateHistogram] = rates or record.rate_histograms
    if histograms:
        labels = {row.name: row.label for row in record.rows}
        shown = {labels.get(name, name): layer for name, layer in histograms.items()}
        pictures["Histograms of the neurons' firing rates by layer"] = as_png(plot_rates(shown))
    return pictures
