"""Where pictures are drawn: figures that need no display and leave no global state."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.atomic_write import write_atomically
from picojoule.extras import extra
from picojoule.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_TITLE = 45  # letters that fit over a panel, or beside one
_MANY = 100  # neurons; below, powers of ten leave the axis without numbers
GREY, ORANGE = "0.6", "#d95f02"
LAYER_COLOURS = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#a6761d")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    with extra("plot"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, atomically."""
    write_atomically(path, as_png(figure))


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    return buffer.getvalue()


def plain(name: str) -> str:
    """A layer's name as text: a dollar sign would begin a formula, and that of a model alone is empty."""
    return printable(name or "(model)").replace("$", r"\$")


def shortened(name: str) -> str:
    """A layer's name as text; of one that is too long beside an axis or over a panel, the end.

    Example:
        >>> shortened("lif"), len(shortened("model." * 50)) - len("...")
        ('lif', 45)
    """
    return plain(name if len(name) <= _TITLE else f"...{name[-_TITLE:]}")


def title_of(name: str, words: str) -> str:
    r"""A layer's name over a line of words.

    Example:
        >>> title_of("lif", "12 neurons")
        'Layer lif\n12 neurons'
    """
    return f"Layer {shortened(name)}\n{words}"


def with_prefix(value: float) -> str:
    """A number of operations in thousands, millions and so on.

    Example:
        >>> with_prefix(12_500_000.0), with_prefix(0.0), with_prefix(640)
        ('12.5 M', '0', '640')
    """
    for prefix, size in ((" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:g}"


def count_neurons(axes: Axes, most: int) -> None:
    """The upright axis of a histogram of neurons: of many it is logarithmic, of few it has whole numbers."""
    axes.set_ylabel("Neurons")
    if most >= _MANY:
        axes.set_yscale("symlog")
    else:
        whole_numbers(axes.yaxis)


def whole_numbers(axis: Axis) -> None:
    """Put ticks on an axis that counts things."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))
