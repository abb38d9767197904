"""Which neuron fires when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from picojoule.plots.canvas import new_figure, plain, save, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = 4.0  # points squared of one spike
_ROOMY = 200  # neurons that have a line of the picture each; the dots of more are smaller


def plot_raster(
    spikes: Tensor,
    path: str | Path | None = None,
    *,
    sample: int = 0,
    dt_s: float | None = None,
    title: str = "",
) -> Figure:
    """One dot for each neuron and time step that has spikes, larger where there are several.

    Args:
        spikes: a layer's output, `b t *n`.
        path: where the PNG goes; None to draw no file.
        sample: which sample to show.
        dt_s: seconds that a time step lasts; omitted, the axis counts time steps.
        title: head of the picture.

    Raises:
        ValueError: `spikes` has no axis of neurons, or no such sample.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> figure = plot_raster(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
        >>> figure.axes[0].collections[0].get_offsets().tolist()  # (time step, neuron)
        [[0.0, 1.0], [1.0, 0.0]]
    """
    if spikes.ndim < 3:
        raise ValueError(
            f"plot_raster: spikes are {tuple(spikes.shape)}, expected (batch, time, *neurons); "
            "unflatten a squeezed layer's output first."
        )
    if not -len(spikes) <= sample < len(spikes):
        raise ValueError(f"plot_raster: sample is {sample}, but there are {len(spikes)} samples.")
    one = spikes[sample].detach().flatten(1).cpu()
    time, neuron = one.nonzero(as_tuple=True)
    share = max(min(_ROOMY / max(one.shape[1], 1), 1.0), 0.25)
    sizes = share * _SIZE * one[time, neuron].abs().double()
    figure = new_figure(9, 4.5)
    axes = figure.subplots()
    axes.scatter(time.double() * (dt_s or 1), neuron, s=sizes, color="black", linewidths=0)
    end = len(one) * (dt_s or 1)
    axes.set(
        title=plain(title) if title else "",
        xlabel="Time step" if dt_s is None else "Time (s)",
        ylabel="Neuron",
        xlim=(-0.01 * end, 1.01 * end),
        ylim=(-0.5, max(one.shape[1], 1) - 0.5),
    )
    whole_numbers(axes.yaxis)
    if dt_s is None:
        whole_numbers(axes.xaxis)
    if path is not None:
        save(figure, path)
    return figure
