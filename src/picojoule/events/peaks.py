"""The most SynOps per second in any window of time: what stalls a chip."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

By = Literal["layer", "network"] | Mapping[str, Sequence[str]]


class SynOpsPeaks:
    """The most SynOps per second in any window of a given length, of layers, cores or the network.

        peak = max over samples and steps t of  sum(SynOps[u] for t - w < u <= t) / window_s,    w = window_s / dt_s

    Before the first step there are none. A chip handles a limited number of SynOps per second and core, and stalls or
    drops events beyond; a mean over a recording does not show that.

    Args:
        dt_s: length of a time step in seconds.
        window_s: length of the window in seconds, a whole number of steps; one step if omitted.
        by: "layer" for each weighted layer, "network" for their sum, or the layers of each core: {core: [layers]}.

    Raises:
        ValueError: a time is not positive, the window is not whole steps, `by` is another word, or a layer is on two cores.

    Example:
        >>> peaks = SynOpsPeaks(dt_s=0.5, window_s=1.0)
        >>> peaks.add({"conv": torch.tensor([[1.0, 0.0, 3.0]])})
        >>> peaks.add({"conv": torch.tensor([[4.0, 0.0, 0.0]])})  # the next three steps
        >>> peaks.per_second()
        {'conv': 7.0}
    """

    def __init__(self, *, dt_s: float, window_s: float | None = None, by: By = "layer") -> None:
        window_s = dt_s if window_s is None else window_s
        is_number = all(isinstance(time_s, int | float | np.number) for time_s in (dt_s, window_s))
        if not (is_number and 0 < dt_s < math.inf and 0 < window_s < math.inf):
            raise ValueError(
                f"peak SynOps per second: dt_s is {dt_s!r} and window_s {window_s!r}, expected numbers > 0."
            )
        steps = round(window_s / dt_s)
        if steps < 1 or abs(window_s / dt_s - steps) > 1e-6 * steps:
            raise ValueError(
                f"peak SynOps per second: window_s is {window_s}, {window_s / dt_s:g} steps of {dt_s} s; expected whole ones."
            )
        _check_by(by)
        self._by, self._steps, self._window_s = by, steps, window_s
        self._latest: Tensor | None = None  # of each group and sample, the steps before
        self._most: dict[str, float] = {}

    def add(self, synops: Mapping[str, Tensor]) -> None:
        """The steps that follow.

        Args:
            synops: by layer, of each sample and step, float64 `b t`.

        Raises:
            ValueError: a core has a layer that is not there, or the number of samples changed.
        """
        groups = self._groups(synops)
        if not groups:
            return
        count = torch.stack(
            [sum((synops[x] for x in rest), synops[first]) for first, *rest in groups.values()]
        )
        if self._latest is None:  # before the first step there was nothing
            self._latest = count.new_zeros(*count.shape[:2], 0)
        if self._latest.shape[1] != count.shape[1]:
            raise ValueError(
                f"peak SynOps per second: there are {count.shape[1]} samples, expected {self._latest.shape[1]} as before."
            )
        joined = torch.cat([self._latest, count], 2)
        most = [0.0] * len(groups)
        if count.numel():
            total = torch.nn.functional.pad(joined.cumsum(2), (1, 0))
            ends = torch.arange(self._latest.shape[2], joined.shape[2]) + 1
            windows = total[..., ends] - total[..., (ends - self._steps).clamp(min=0)]
            most = windows.amax((1, 2)).tolist()
        for name, own in zip(groups, most, strict=True):
            self._most[name] = max(self._most.get(name, 0.0), own)
        self._latest = joined[..., max(joined.shape[2] - self._steps + 1, 0) :].clone()

    def add_silence(self, steps: int) -> None:
        """So many steps without any."""
        if self._latest is not None and steps > 0:
            kept = self._steps - 1
            zeros = self._latest.new_zeros(*self._latest.shape[:2], min(steps, kept))
            joined = torch.cat([self._latest, zeros], 2)
            self._latest = joined[..., max(joined.shape[2] - kept, 0) :].clone()

    def per_second(self) -> dict[str, float]:
        """The peaks so far, in SynOps per second."""
        return {name: most / self._window_s for name, most in self._most.items()}

    def check_layers(self, known: Collection[str], where: str = "") -> None:
        """Raise ValueError if a core has a layer that is none of these; `where` starts the message."""
        cores = self._by if isinstance(self._by, Mapping) else {}
        unknown = [layer for layers in cores.values() for layer in layers if layer not in known]
        if unknown:
            raise ValueError(
                f"{where}peak SynOps per second: there is no layer {unknown[0]!r}; expected some of {', '.join(known)}."
            )

    def _groups(self, synops: Mapping[str, Tensor]) -> Mapping[str, Sequence[str]]:
        if isinstance(self._by, Mapping):
            self.check_layers(synops)
            return self._by
        if self._by == "network":
            return {"network": list(synops)} if synops else {}
        return {layer: [layer] for layer in synops}


def peaks_of_call(
    synops: Mapping[str, Tensor] | None, where: str, dt_s: float, window_s: float | None, by: By
) -> dict[str, float]:
    """The peaks of one call of a network; None if there was none.

    Raises:
        ValueError: nothing ran yet, or as of :class:`SynOpsPeaks`.
    """
    if synops is None:
        raise ValueError(f"{where}: nothing ran yet; call the network first.")
    peaks = SynOpsPeaks(dt_s=dt_s, window_s=window_s, by=by)
    peaks.add(synops)
    return peaks.per_second()


def _check_by(by: By) -> None:
    if not isinstance(by, Mapping):
        if by not in ("layer", "network"):
            raise ValueError(
                f"peak SynOps per second: by is {by!r}, expected 'layer', 'network' or {{core: [layers]}}."
            )
        return
    core_of: dict[str, str] = {}
    for core, layers in by.items():
        if isinstance(layers, str) or not isinstance(layers, Sequence) or not layers:
            raise ValueError(
                f"peak SynOps per second: core {core!r} has {layers!r}, expected a list of layers."
            )
        for layer in layers:
            if layer in core_of:
                raise ValueError(
                    f"peak SynOps per second: layer {layer!r} is on the cores {core_of[layer]!r} and {core!r}, expected one."
                )
            core_of[layer] = core
