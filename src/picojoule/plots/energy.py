"""Where the joules of a network go, beside those of its quantised ANN."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picojoule.energy import EnergyBreakdown, NetworkEnergy
from picojoule.energy.breakdown import SPOKEN, is_some, joules
from picojoule.plots.canvas import LAYER_COLOURS, new_figure, plain, save, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

_ROOM = 1.3  # of the longest bar, for the numbers at the ends of bars

# parts of a bar: a hatch beside the colour, for those who do not see it
_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "synops_j": ("SynOps", {"color": LAYER_COLOURS[0]}),
    "neuron_updates_j": (
        "neuron updates",
        {"facecolor": LAYER_COLOURS[1], "edgecolor": "white", "hatch": "///", "linewidth": 0},
    ),
    "macs_j": (
        "MACs",
        {"facecolor": LAYER_COLOURS[2], "edgecolor": "white", "hatch": "...", "linewidth": 0},
    ),
    "memory_j": (
        "memory traffic",
        {"facecolor": "0.85", "edgecolor": "0.5", "hatch": "xxx", "linewidth": 0},
    ),
}
_ANN: dict[str, Any] = {"facecolor": "white", "edgecolor": "black"}


def plot_energy(
    whole: NetworkEnergy, layers: Mapping[str, NetworkEnergy], path: str | Path | None = None
) -> Figure:
    """Stacked bars of modelled joules per sample: by layer, and of the whole network.

    Memory traffic is among them where the profile's name says so. Below the bar of each layer stands what it
    costs in the ANN: the same network run once with dense input, on 8-bit integers. `report.plot_energy(profile)` draws this of a report.

    Args:
        whole: of all layers, such as `report.energy("loihi")`.
        layers: by layer, on the same profile, such as `report.energy_by_layer("loihi")`; layers
            that cost nothing, as far as is known, are left out.
        path: where the PNG goes; None to draw no file.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> from picojoule.energy import network_energy
        >>> whole = network_energy("loihi", synops=1e6, neuron_updates=1e4, macs_one_pass=2e5)
        >>> figure = plot_energy(whole, {"fc": whole})
        >>> [text.get_text() for text in figure.axes[0].texts]
        [' 24.4 µJ', ' 5.04 µJ']
    """
    shown = {
        name: energy for name, energy in layers.items() if energy.total_j or energy.ann.total_j
    }
    bars = _whole(whole)
    figure = new_figure(11, 2.6 + 0.5 * len(shown) + 0.4 * len(bars))
    by_layer, total = figure.subplots(2, 1, height_ratios=(max(len(shown), 1), 0.8 * len(bars)))
    for row, energy in enumerate(shown.values()):
        _draw_layer(by_layer, row, energy)
    for row, breakdown in enumerate(bars.values()):
        _stack(total, row, 0.6, breakdown)
    _finish(by_layer, list(shown))
    _finish(total, list(bars))
    kind = "arithmetic alone" if whole.with_memory is None else "with memory"
    by_layer.set(
        title=f"Modelled energy by layer on {plain(whole.profile.name)}, {kind}", ylabel="Layer"
    )
    total.set_title(
        "Modelled energy of the whole network, and of the same network as an ANN\n"
        f"{plain(whole.profile.name)}: {whole.profile.grade()}"
    )
    total.set_xlabel("Energy per sample, modelled" + _left_out(whole))
    figure.legend(handles=_legend(shown, bars), loc="outside lower center", ncols=3)
    if path is not None:
        save(figure, path)
    return figure


def _draw_layer(axes: Axes, row: int, energy: NetworkEnergy) -> None:
    """The layer above the same layer of the ANN, if that has it; neurons cost an ANN nothing."""
    ann = float(energy.ann.total_j)
    if not ann:
        _stack(axes, row, 0.42, energy.breakdown)
        return
    _stack(axes, row - 0.18, 0.42, energy.breakdown)
    axes.barh(row + 0.2, ann, 0.26, **_ANN)
    axes.text(ann, row + 0.2, _number(ann), va="center", fontsize=8)


def _stack(axes: Axes, row: float, height: float, breakdown: EnergyBreakdown) -> None:
    left = 0.0
    for part, (_, style) in _PARTS.items():
        value = float(getattr(breakdown, part) or 0.0)
        if value:
            axes.barh(row, value, height, left=left, **style)
        left += value
    unknown = " + ?" if any(map(is_some, breakdown.unpriced.values())) else ""
    axes.text(left, row, _number(left) + unknown, va="center", fontsize=8)


def _finish(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(max(len(names), 1) - 0.45, -0.55)
    longest = max(axes.dataLim.x1, 0.0)
    axes.set_xlim(0, _ROOM * longest or 1)
    axes.xaxis.set_major_formatter(lambda value, _: _number(value).strip())


def _number(value: float) -> str:
    return " " + joules(value)


def _legend(
    layers: Mapping[str, NetworkEnergy], bars: Mapping[str, EnergyBreakdown]
) -> list[Patch]:
    """What the picture has, and no more."""
    from matplotlib.patches import Patch

    entries = [
        Patch(label=label, **style)
        for part, (label, style) in _PARTS.items()
        if any(getattr(breakdown, part) for breakdown in bars.values())
    ]
    if any(energy.ann.total_j for energy in layers.values()):
        (ann,) = {energy.ann.profile.name for energy in layers.values()}
        entries.append(Patch(label=f"the layer in the ANN on {ann}, one pass", **_ANN))
    return entries


def _left_out(energy: NetworkEnergy) -> str:
    counts = energy.breakdown.unpriced.items()
    words = [SPOKEN[name] for name, count in counts if is_some(count)]
    return f"; + ? is that of {' and '.join(words)}, which have no price" if words else ""


def _whole(energy: NetworkEnergy) -> dict[str, EnergyBreakdown]:
    bars = {
        f"{energy.profile.name}, compute only": energy.compute_only,
        f"{energy.profile.name}, with memory": energy.with_memory,
        f"ANN on {energy.ann_compute_only.profile.name}, one pass, compute only": energy.ann_compute_only,
    }
    if energy.with_memory is not None:
        bars[f"ANN on {energy.ann_with_memory.profile.name}, one pass, with memory"] = (
            energy.ann_with_memory
        )
    return {name: breakdown for name, breakdown in bars.items() if breakdown is not None}
