"""What each layer spends over the course of training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from picojoule.plots.canvas import GREY, LAYER_COLOURS, new_figure, save


def plot_synops(
    history: dict[str, list[float]],
    target: float | None,
    path: Path,
    fixed: Iterable[str] = (),
) -> None:
    """SynOps per time step of each layer over the training steps, with the target.

    Args:
        history: SynOps per time step at each training step, by layer.
        target: what a layer may spend; None if layers have no limit in common.
        path: where the PNG goes.
        fixed: layers that training cannot change, drawn in grey.
    """
    figure = new_figure(9, 5)
    axes = figure.subplots()
    fixed = set(fixed)
    colours = iter(LAYER_COLOURS * (1 + len(history) // len(LAYER_COLOURS)))
    for name, counts in history.items():
        if name in fixed:
            axes.plot(counts, color=GREY, lw=1, label=f"Layer {name} (set by the input)")
        else:
            axes.plot(counts, color=next(colours), lw=1.2, label=f"Layer {name}")
    if target is not None:
        axes.axhline(target, color="black", ls="--", label=f"Target, {target:g}")
    axes.set_yscale("log")
    axes.set(
        title="SynOps during training",
        xlabel="Training step",
        ylabel="Synaptic operations per time step",
    )
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)
