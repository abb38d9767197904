"""What a network takes in, gives out and spends, over the time of an input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from picojoule.plots.canvas import LAYER_COLOURS, new_figure, plain, save, with_prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 1000  # of a line; more would hide one another
_FAR_APART = 20  # from there on, the smaller of two lines is flat on a linear axis
_ROOM = 1.25  # over the highest line and limit
_STYLES = ("-", "--", "-.", ":")


def plot_over_time(
    events: Mapping[str, Tensor],
    synops: Mapping[str, Tensor],
    path: str | Path | None = None,
    *,
    dt_s: float | None = None,
    limits: Mapping[str, float] | float | None = None,
    window_s: float | None = None,
    title: str = "",
) -> Figure:
    """Two panels over the time of one input: events in and out, and SynOps with the limit as a line.

    Of a long input each point stands for some steps: for events their mean, for SynOps the highest, so that no peak is
    lost.

    Args:
        events: of each time step, `t`, by what the line is called, such as "in" and "out".
        synops: SynOps per second of the windows that end with each step, or per time step without `dt_s`, `t`; by layer.
        path: where the PNG goes; None to draw no file.
        dt_s: length of a time step in seconds; omitted, the axis counts time steps.
        limits: SynOps per second of each line, or by layer.
        window_s: length of the windows in seconds, for the title.
        title: of the input.

    Raises:
        ValueError: there are no lines of events.
        ImportError: matplotlib is missing.

    Example:
        >>> events = {"in": torch.tensor([3.0, 1.0]), "out": torch.tensor([0.0, 1.0])}
        >>> figure = plot_over_time(events, {"fc": torch.tensor([24.0, 8.0])}, dt_s=0.5, limits=20.0)
        >>> [line.get_ydata().tolist() for line in figure.axes[0].lines]  # events per second
        [[6.0, 2.0], [0.0, 2.0]]
    """
    if not events:
        raise ValueError("plot_over_time: there are no events, expected a line or more.")
    figure = new_figure(10, 6)
    top, bottom = figure.subplots(2, 1, sharex=True)
    _draw_events(top, events, dt_s)
    _draw_synops(bottom, synops, limits, dt_s)
    if title:
        figure.suptitle(plain(title))
    if window_s is not None:
        bottom.set_title(f"SynOps, mean over windows of {1e3 * window_s:g} ms")
    for axes in (top, bottom):
        if not axes.lines:
            continue
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if path is not None:
        save(figure, path)
    return figure


def _draw_events(axes: Axes, events: Mapping[str, Tensor], dt_s: float | None) -> None:
    highest = []
    for (name, counts), colour in zip(events.items(), ("black", *LAYER_COLOURS[1:]), strict=False):
        times, values = _points(counts / (dt_s or 1), dt_s, highest=False)
        axes.plot(times, values, drawstyle="steps-post", lw=1.2, color=colour, label=plain(name))
        highest.append(values.max().item() if len(values) else 0.0)
    some = [value for value in highest if value > 0]
    if some and max(some) > _FAR_APART * min(some):
        _show_both(axes, min(some), max(some))
    axes.set_ylim(bottom=0)
    axes.set(title="Events in and out", ylabel=f"Events per {_per(dt_s)}")
    axes.yaxis.set_major_formatter(lambda value, _: with_prefix(round(value, 9)))


def _draw_synops(
    axes: Axes,
    synops: Mapping[str, Tensor],
    limits: Mapping[str, float] | float | None,
    dt_s: float | None,
) -> None:
    of_layers = limits if isinstance(limits, Mapping) else {}
    highest = [*of_layers.values()] if limits is not None else []
    for number, (name, rates) in enumerate(synops.items()):
        cycle, index = divmod(number, len(LAYER_COLOURS))
        colour, style = LAYER_COLOURS[index], _STYLES[cycle % len(_STYLES)]
        times, values = _points(rates, dt_s, highest=True)
        axes.plot(
            times, values, lw=1.2, color=colour, ls=style, drawstyle="steps-post", label=plain(name)
        )
        highest.append(values.max().item() if len(values) else 0.0)
        if name in of_layers:
            label = f"Limit of {plain(name)}, {with_prefix(of_layers[name])}"
            axes.axhline(of_layers[name], color=colour, ls=(0, (6, 3)), lw=1, label=label)
    if isinstance(limits, float | int):
        label = f"Limit, {with_prefix(limits)}"
        axes.axhline(limits, color="black", ls=(0, (6, 3)), lw=1.2, label=label)
        highest.append(float(limits))
    if not synops:
        axes.text(0.5, 0.5, "no SynOps", ha="center", transform=axes.transAxes)
    axes.set_ylim(0, _ROOM * max(highest, default=0.0) or 1)
    axes.set(
        title="SynOps",
        xlabel="Time step" if dt_s is None else "Time (s)",
        ylabel=f"SynOps per {_per(dt_s)}",
    )
    axes.yaxis.set_major_formatter(lambda value, _: with_prefix(round(value, 9)))


def _points(values: Tensor, dt_s: float | None, *, highest: bool) -> tuple[Tensor, Tensor]:
    """When each point begins, and its value."""
    together = -(-len(values) // _MOST_POINTS) or 1
    parts: tuple[Tensor, ...] = torch.split(values.double(), together)
    shown = (
        torch.stack([part.max() if highest else part.mean() for part in parts])
        if len(values)
        else values
    )
    begins = torch.arange(len(shown), dtype=torch.float64) * together * (dt_s or 1)
    return begins, shown


def _show_both(axes: Axes, least: float, most: float) -> None:
    """Powers of ten, and zero below the first."""
    first, last = (math.floor(math.log10(value) + 1e-9) for value in (least, most))
    axes.set_yscale("symlog", linthresh=10.0**first, linscale=0.5)
    axes.set_yticks([0, *(10.0**power for power in range(first, last + 1))])
    axes.minorticks_off()


def _per(dt_s: float | None) -> str:
    return "time step" if dt_s is None else "second"
