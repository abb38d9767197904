"""The public Monitor: counts, and reports what it counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from torch import Tensor

from picojoule.energy import EnergyProfile
from picojoule.energy.network import monitored_energy_j
from picojoule.plots import RateHistogram
from picojoule.report.gather import (
    conventions,
    inputs,
    rows,
    spread,
    synops_by_sample,
    total_by_sample,
)
from picojoule.report.record import Conventions, versions_here
from picojoule.report.report import Report
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.synops.counts import Counts
from picojoule.synops.watch.ledger import Ledger

_SUMS: tuple[Literal["synops", "macs", "dense", "biases"], ...] = (
    "synops",
    "macs",
    "dense",
    "biases",
)
_NOTHING = (
    "the forward passes had no samples or no time steps, so nothing was counted: that is not 0."
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
        ledger = self.ledger
        counts: dict[str, Counts] = {what: self.counts(what) for what in _SUMS}
        synops, settings = self.synops, self.settings
        samples = round(synops.sample_steps / synops.num_timesteps)
        by_sample = synops_by_sample(ledger, samples) if "sample" in settings.detail else {}
        return Report(
            model=type(self.model).__name__,
            rows=rows(ledger, {**counts, "updates": self.neuron_updates}, by_sample),
            samples=samples,
            num_timesteps=synops.num_timesteps,
            synops_per_sample_sd=spread(total_by_sample(ledger, by_sample)),
            biases_per_sample=counts["biases"].per_sample.total.item(),
            counted_by="sinabs" if settings.dense_as_spikes else "strict",
            weights=self.weights,
            ignored=settings.ignore,
            inputs=inputs(ledger),
            versions=versions_here(),
            conventions=conventions(ledger, synops) if settings.conventions else Conventions(),
            rate_histograms={
                name: RateHistogram.of(rate.per_step) for name, rate in ledger.rates.items()
            },
            neuron_updates_per_sample=self.neuron_updates.per_sample.total.item(),
            warnings=(
                *self.warnings,
                *_doubts(samples, ledger, by_sample, "sample" in settings.detail),
            ),
        )

    def energy_j(self, profile: str | EnergyProfile, *, strict: bool = False) -> Tensor:
        """Joules per sample on a chip or technology, a scalar with its graph, for a loss.

        SynOps, MACs of dense values and neuron updates, each where the profile has a price; memory
        traffic (5 bytes a SynOp, 1 a MAC) where it has a price for a byte, as "45nm-int8+step" has.
        `report().energy(profile)` has the same joules, and says what has no price.

        Args:
            profile: a name, or a profile of your own.
            strict: raise if SynOps or MACs were counted that have no price; waits for the device.

        Raises:
            ValueError: there is no such profile, it publishes limits instead of joules, or `strict`.

        Example:
            >>> import torch
            >>> layer = torch.nn.Linear(3, 4)
            >>> with Monitor(layer) as monitor:
            ...     _ = layer(torch.ones(5, 3))
            >>> monitor.energy_j("truenorth")
            tensor(3.0000e-11)
        """
        return monitored_energy_j(
            profile,
            synops=self.synops.per_sample.total,
            macs=self.macs.per_sample.total,
            neuron_updates=self.neuron_updates.per_sample.total,
            strict=strict,
        )


def _doubts(
    samples: int, ledger: Ledger, by_sample: Mapping[str, Tensor], spread_is_asked: bool
) -> Iterator[str]:
    """What a reader of the numbers should know, as sentences."""
    if not samples:
        yield _NOTHING
    unknown = [name for name in ledger.lines if name not in by_sample]
    if spread_is_asked and samples > 1 and unknown:
        yield (
            f"the spread over samples is not known of {', '.join(map(repr, unknown))}, nor of the total: there, the passes differ in "
            "time steps, or not all of them have the layer, or samples and time cannot be told apart."
        )
