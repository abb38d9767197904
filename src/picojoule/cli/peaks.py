"""The most SynOps per second in any window, beside what a chip can do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from picojoule.cli.flag_values import parsed_bound
from picojoule.events import SynOpsPeaks
from picojoule.near_names import did_you_mean
from picojoule.report.document import Table, count

Per = Literal["layer", "model"]
Limit = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Peak:
    """Of one layer, or of the network.

    Args:
        synops_per_second: in the worst window of all samples.
        mean: SynOps per second over all samples and steps.
        at_s: when that window ends.
        sample: whose it is.
        limit: SynOps per second that are possible; None for no limit.
    """

    synops_per_second: float
    mean: float
    at_s: float
    sample: int
    limit: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the limit is exceeded."""
        return self.limit is not None and self.synops_per_second > self.limit


@dataclass(frozen=True)
class Peaks:
    """Of a run.

    Args:
        window_s: length of the windows.
        layers: by name.
        network: of the sum over layers.
        samples: how many there are.
    """

    window_s: float
    layers: dict[str, Peak]
    network: Peak
    samples: int

    @property
    def over(self) -> list[str]:
        """Sentences on the limits that are exceeded."""
        every = {
            **{f"layer {name!r}": peak for name, peak in self.layers.items()},
            "the network": self.network,
        }
        return [
            f"{name} takes {count(peak.synops_per_second)} SynOps per second in the {1e3 * self.window_s:g} ms before "
            f"{self._when(peak)}, {peak.synops_per_second / peak.limit:.3g} times the limit of {count(peak.limit)}."
            for name, peak in every.items()
            if peak.is_over and peak.limit is not None
        ]

    def table(self) -> Table:
        """Of all layers, and the network in the last row."""
        limited = any(peak.limit is not None for peak in (*self.layers.values(), self.network))
        headings = ["layer", "when", "peak SynOps/s", "mean SynOps/s"]
        rows = [
            (name or "(model)", *self._cells(peak, limited)) for name, peak in self.layers.items()
        ]
        return Table(
            title=f"Most SynOps per second in any window of {1e3 * self.window_s:g} ms",
            headings=(*headings, *(("limit", "") if limited else ())),
            words=2,
            rows=tuple(rows),
            total=("network", *self._cells(self.network, limited)),
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "window_s": self.window_s,
            "layers": {name: _values(peak) for name, peak in self.layers.items()},
            "network": _values(self.network),
            "limit_is_kept": not self.over,
        }

    def _cells(self, peak: Peak, limited: bool) -> tuple[str, ...]:
        cells = self._when(peak), count(peak.synops_per_second), count(peak.mean)
        if not limited:
            return cells
        standing = "" if peak.limit is None else "over" if peak.is_over else "kept"
        return *cells, count(peak.limit), standing

    def _when(self, peak: Peak) -> str:
        return f"{peak.at_s:.6g} s{f' of sample {peak.sample}' if self.samples > 1 else ''}"


def parsed_limit(text: str | None, per: Per) -> Limit:
    """What `--limit-synops-per-second` says.

    Raises:
        ValueError: it is no number > 0, or states layers where the model is limited.
    """
    if text is None:
        return None
    try:
        limit = parsed_bound(text)
    except ValueError as error:
        raise ValueError(f"--limit-synops-per-second: {error}") from None
    if any(not value > 0 for value in (limit.values() if isinstance(limit, dict) else [limit])):
        raise ValueError(f"--limit-synops-per-second is {text}, expected numbers > 0.")
    if isinstance(limit, dict) and per == "model":
        raise ValueError(
            f"--limit-synops-per-second {text} limits layers, and --per model their sum. Leave --per out, or give one number."
        )
    return limit


def window_of(window_ms: float | None, dt_us: int) -> int:
    """Time steps of a window, one if nothing is stated.

    Raises:
        ValueError: it is not a whole number of steps.
    """
    if window_ms is None:
        return 1
    if not math.isfinite(window_ms):
        raise ValueError(f"--window-ms is {window_ms:g}, expected milliseconds > 0.")
    steps = round(1000 * window_ms / dt_us)
    if steps < 1 or abs(1000 * window_ms / dt_us - steps) > 1e-6 * steps:
        nearest = max(1, steps) * dt_us / 1000
        raise ValueError(
            f"--window-ms {window_ms:g} is {1000 * window_ms / dt_us:g} steps of {dt_us / 1000:g} ms, expected whole ones. The "
            f"nearest is --window-ms {nearest:g}."
        )
    return steps


def per_second(synops: Tensor, steps: int, dt_s: float) -> Tensor:
    """SynOps per second in the window that ends with each step, `b t`; before the first step there are none."""
    num_timesteps = synops.shape[1]
    reach = min(steps, num_timesteps)  # a longer window has nothing more
    total = torch.nn.functional.pad(synops.double().cumsum(1), (reach, 0))
    return (total[:, reach:] - total[:, :num_timesteps]) / (steps * dt_s)


def check_names(limit: Limit, layers: Iterable[str]) -> None:
    """Raise ValueError if a limit names none of these layers."""
    known = list(layers)
    unknown = (
        next((name for name in limit if name not in known), None)
        if isinstance(limit, Mapping)
        else None
    )
    if unknown is not None:
        there_are = f" There are {', '.join(known)}."
        raise ValueError(
            f"--limit-synops-per-second names a layer {unknown!r}, which spends no SynOps here."
            f"{did_you_mean(unknown, known, otherwise=there_are)}"
        )


def peaks_of(synops: Mapping[str, Tensor], steps: int, dt_us: int, limit: Limit, per: Per) -> Peaks:
    """Of each layer and of the network.

    Raises:
        ValueError: a limit names a layer that is not there.
    """
    dt_s = dt_us / 1e6
    check_names(limit, synops)
    layers = {
        name: _peak(counts, steps, dt_s, _limit_of(name, limit, per))
        for name, counts in synops.items()
    }
    total = torch.stack([*synops.values()]).sum(0)
    of_model = limit if per == "model" and isinstance(limit, float) else None
    return Peaks(steps * dt_s, layers, _peak(total, steps, dt_s, of_model), len(total))


def _peak(counts: Tensor, steps: int, dt_s: float, limit: float | None) -> Peak:
    most = SynOpsPeaks(dt_s=dt_s, window_s=steps * dt_s)
    most.add({"": counts})
    sample, step = divmod(int(per_second(counts, steps, dt_s).argmax()), counts.shape[1])
    return Peak(
        most.per_second()[""], counts.mean().item() / dt_s, (step + 1) * dt_s, sample, limit
    )


def _limit_of(name: str, limit: Limit, per: Per) -> float | None:
    if isinstance(limit, Mapping):
        return limit.get(name)
    return limit if per == "layer" else None


def _values(peak: Peak) -> dict[str, Any]:
    return {
        "peak": peak.synops_per_second,
        "mean": peak.mean,
        "at_s": peak.at_s,
        "sample": peak.sample,
        "limit": peak.limit,
    }
