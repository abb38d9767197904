"""The gallery's pictures: one style for all, and figures that a script holds without `matplotlib.pyplot`.

`picojoule.plots` gives figures back that are registered nowhere, so that drawing leaves no global state; sphinx-gallery
looks for those of pyplot alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

_FIRST = ("plot_iaf", "plot_lif", "plot_spike_functions", "plot_surrogates", "plot_raster")
STYLE = Path(__file__).parents[1] / "gallery" / "style.mplstyle"


class FirstThingsFirst:
    """For sphinx-gallery's `within_subsection_order`: what others build on, then by name."""

    def __init__(self, folder: str) -> None:
        """One is made for each folder of scripts."""

    def __call__(self, script: str) -> tuple[int, str]:
        """Where a script stands, by its file's name."""
        name = Path(script).stem
        return _FIRST.index(name) if name in _FIRST else len(_FIRST), name


def set_style(gallery_conf: dict[str, Any], script: str) -> None:
    """For sphinx-gallery's `reset_modules`: before each script."""
    mpl.rcdefaults()
    plt.style.use(STYLE)


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """For sphinx-gallery's `image_scrapers`: the figures that a script's names hold, each once."""
    known = [plt.figure(number) for number in plt.get_fignums()]
    paths = []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Figure) and not any(value is figure for figure in known):
            known.append(value)
            if not getattr(value, "_in_gallery", False):
                value._in_gallery = True
                path = next(block_vars["image_path_iterator"])
                value.savefig(path)
                paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"]) if paths else ""
