"""What each layer spends over the course of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from picojoule.plots.canvas import GREY, LAYER_COLOURS, new_figure, plain, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = ("-", "--", "-.", ":")


def plot_synops(
    history: Mapping[str, Sequence[float | Tensor]],
    target: float | None = None,
    path: str | Path | None = None,
    fixed: Iterable[str] = (),
) -> Figure:
    """SynOps per time step of each layer over the training steps, with the target.

    A history is a list a layer; append what a Monitor counted at each training step. Detached tensors
    do, so that nothing waits for the device before the picture is drawn. Over the time steps of one input
    :func:`picojoule.plots.plot_over_time` draws.

    Args:
        history: SynOps per time step at each training step, by layer. The first stands over training step 1.
        target: what a layer may spend; None if layers have no limit in common.
        path: where the PNG goes; None to draw no file.
        fixed: layers that training cannot change, drawn in grey.

    Raises:
        ValueError: there are no layers.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> import picojoule
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4))
        >>> history = {}
        >>> for step in range(2):
        ...     with picojoule.Monitor(model) as monitor:
        ...         _ = model(torch.ones(5, 3))
        ...     for name, synops in monitor.synops.items():
        ...         history.setdefault(name, []).append(synops.detach())
        >>> figure = plot_synops(history)
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [12.0, 12.0]
    """
    if not history:
        raise ValueError("plot_synops: no layers; append monitor.synops at each training step.")
    figure = new_figure(9, max(5, 1 + 0.22 * len(history)))
    axes = figure.subplots()
    fixed = set(fixed)
    changing = 0
    for name, counts in history.items():
        values = [float(count) for count in counts]
        numbers = range(1, len(values) + 1)
        marker = "." if len(values) == 1 else None
        if name in fixed:
            label = f"Layer {plain(name)} (set by the input)"
            axes.plot(numbers, values, color=GREY, lw=1, marker=marker, label=label)
            continue
        cycle, colour = divmod(changing, len(LAYER_COLOURS))
        style = _STYLES[(cycle + colour) % len(_STYLES)]
        axes.plot(
            numbers,
            values,
            color=LAYER_COLOURS[colour],
            ls=style,
            lw=1.4,
            marker=marker,
            label=f"Layer {plain(name)}",
        )
        changing += 1
    if target is not None:
        axes.axhline(target, color="black", ls=(0, (6, 3)), lw=1, label=f"Target, {target:g}")
    if any(float(count) > 0 for counts in history.values() for count in counts):
        axes.set_yscale("log")
    axes.set(
        title="SynOps during training",
        xlabel="Training step",
        ylabel="Synaptic operations per sample and time step",
    )
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if path is not None:
        save(figure, path)
    return figure
