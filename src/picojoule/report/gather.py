"""The rows of a report, from the sums that a Monitor keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from picojoule.report.row import Row
from picojoule.synops.counts import Counts
from picojoule.synops.watch.ledger import Ledger


def rows(ledger: Ledger, counts: Mapping[str, Counts]) -> tuple[Row, ...]:
    """One row a layer or call, in the order of the first calls. Waits for the device.

    Args:
        ledger: the sums.
        counts: "synops", "macs" and "dense" of each layer, "updates" of those with dynamics.
    """
    found = (
        _synapses(name, ledger, counts) if name in ledger.lines else _neurons(name, ledger)
        for name in ledger.order
    )
    updates = counts["updates"].per_sample
    return tuple(
        replace(row, neuron_updates_per_sample=updates[row.name].item())
        if row.name in updates
        else row
        for row in found
    )


def _synapses(name: str, ledger: Ledger, counts: Mapping[str, Counts]) -> Row:
    synops, macs, dense = (counts[what][name].item() for what in ("synops", "macs", "dense"))
    sample = counts["synops"].per_sample[name].item()
    arrived_at = dense - macs
    return Row(
        name=name,
        kind=ledger.lines[name].kind,
        synops_per_timestep=synops,
        synops_per_sample=sample,
        macs_per_sample=counts["macs"].per_sample[name].item(),
        macs_one_pass=dense,
        spikes_per_synapse=synops / arrived_at if arrived_at > 0 else None,
    )


def _neurons(name: str, ledger: Ledger) -> Row:
    rate = ledger.rates.get(name)
    if rate is None:
        return Row(name=name, kind=ledger.kinds[name])
    mean = rate.spikes / max(rate.entries, 1)
    return Row(
        name=name,
        kind=ledger.kinds[name],
        neurons=mean.numel(),
        firing_rate=mean.double().mean().item(),
        silent_share=(mean == 0).double().mean().item(),
    )
