"""The public Monitor: counts, and reports what it counted."""

from __future__ import annotations

from typing import Literal

from picojoule.report.gather import rows
from picojoule.report.report import Report
from picojoule.synops.counts import Counts
from picojoule.synops.monitor import Monitor as CountingMonitor

_SUMS: tuple[Literal["synops", "macs", "dense", "biases"], ...] = (
    "synops",
    "macs",
    "dense",
    "biases",
)


class Monitor(CountingMonitor):  # noqa: D101
    __doc__ = CountingMonitor.__doc__  # the options are those of counting

    def report(self) -> Report:
        """The results so far as a frozen report, without a graph. Waits for the device.

        Raises:
            RuntimeError: no forward pass was watched.

        Example:
            >>> import torch
            >>> layer = torch.nn.Linear(3, 4)
            >>> with Monitor(layer) as monitor:
            ...     _ = layer(torch.ones(5, 3))
            >>> monitor.report().synops_per_sample
            12.0
        """
        ledger = self._results()
        counts: dict[str, Counts] = {what: self._counts(what) for what in _SUMS}
        synops = self.synops
        updates = Counts(ledger.updates, synops.steps, synops.time)
        return Report(
            model=type(self._model).__name__,
            rows=rows(ledger, counts),
            samples=round(synops.steps / synops.time),
            num_timesteps=synops.time,
            biases_per_sample=counts["biases"].per_sample.total.item(),
            neuron_updates_per_sample=updates.per_sample.total.item(),
        )
