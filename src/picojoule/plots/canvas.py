"""Where pictures are drawn: figures that need no display and leave no global state."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.extras import extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY, ORANGE = "0.6", "#d95f02"
LAYER_COLOURS = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#a6761d")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    with extra("plot"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=120, format="png")


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    return buffer.getvalue()
