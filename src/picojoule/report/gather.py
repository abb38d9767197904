"""The rows of a record, and the conventions' numbers, from the sums that a Monitor keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from picojoule.report.conventions import CONVENTIONS
from picojoule.report.record import Conventions, InputTensor
from picojoule.report.row import Row
from picojoule.report.several_products import counts_nothing
from picojoule.synops.counts import Counts
from picojoule.synops.rates import silent_share
from picojoule.synops.watch.ledger import Ledger


def rows(
    ledger: Ledger, counts: Mapping[str, Counts], by_sample: Mapping[str, Tensor]
) -> tuple[Row, ...]:
    """One row a layer or call, in the order of the first calls. Waits for the device.

    Args:
        ledger: the sums.
        counts: "synops", "macs" and "dense" of each layer, "updates" of those with dynamics.
        by_sample: SynOps of each sample, `b`, by layer, where they are known.
    """
    found = (
        _synapses(name, ledger, counts) if name in ledger.lines else _neurons(name, ledger)
        for name in ledger.order
    )
    updates = counts["updates"].per_sample
    return tuple(
        replace(
            row,
            neuron_updates_per_sample=updates[row.name].item() if row.name in updates else None,
            synops_per_sample_sd=spread(by_sample.get(row.name)),
        )
        for row in found
    )


def synops_by_sample(ledger: Ledger, samples: int) -> dict[str, Tensor]:
    """SynOps of each sample over its time steps, float64 `b`, of the layers where they are known.

    Args:
        ledger: the sums; its details are of the samples of this process alone.
        samples: of all processes.
    """
    found: dict[str, Tensor] = {}
    for name, line in ledger.lines.items():
        detail = ledger.details.get(name)
        if detail is not None and len(detail) == samples:
            found[name] = detail.detach().double().flatten(1).sum(1).cpu()
        elif name not in ledger.details and not float(line.synops):  # nothing that is data
            found[name] = torch.zeros(samples, dtype=torch.float64)
    return found


def total_by_sample(ledger: Ledger, by_sample: Mapping[str, Tensor]) -> Tensor | None:
    """The sum over the layers, `b`; None where one is not known."""
    if not ledger.lines or not by_sample.keys() >= ledger.lines.keys():
        return None
    return torch.stack([by_sample[name] for name in ledger.lines]).sum(0)


def spread(values: Tensor | None) -> float | None:
    """Standard deviation (n - 1) of several samples' values, `b`; None of one or none.

    Example:
        >>> spread(torch.tensor([1.0, 2.0, 3.0])), spread(torch.tensor([2.0]))
        (1.0, None)
    """
    return None if values is None or len(values) < 2 else values.std().item()


def inputs(ledger: Ledger) -> tuple[InputTensor, ...]:
    """What the model was called with. Waits for the device."""
    kinds = {None: None, True: "spikes", False: "dense"}
    return tuple(
        InputTensor(given.shape, kinds[None if given.spikes is None else bool(given.spikes)])  # type: ignore[arg-type]
        for given in ledger.inputs
    )


def _synapses(name: str, ledger: Ledger, counts: Mapping[str, Counts]) -> Row:
    synops, macs, dense = (counts[what][name].item() for what in ("synops", "macs", "dense"))
    sample = counts["synops"].per_sample[name].item()
    samples = sum(each.samples for each in ledger.passes)
    one_pass = float(ledger.lines[name].one_pass / max(samples, 1))
    arrived_at = one_pass * (1 - macs / dense) if dense else 0.0
    return Row(
        name=name,
        kind=ledger.lines[name].kind,
        synops_per_timestep=synops,
        synops_per_sample=sample,
        macs_per_sample=counts["macs"].per_sample[name].item(),
        macs_one_pass=one_pass,
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
        silent_share=silent_share(mean),
    )


def conventions(ledger: Ledger, like: Counts) -> Conventions:
    """The numbers of the conventions, without a graph. Waits for the device.

    Args:
        ledger: the sums.
        like: a count whose samples and time steps these have.
    """
    counts: dict[str, dict[str, tuple[float, float]]] = {}
    for name in CONVENTIONS:
        pairs = {
            layer: line.published.get(name, (0.0, 0.0) if counts_nothing(name, line.kind) else None)
            for layer, line in ledger.lines.items()
        }
        known = {layer: pair for layer, pair in pairs.items() if pair is not None}
        acs, macs = (
            Counts(
                {layer: pair[k] for layer, pair in known.items()},
                like.sample_steps,
                like.num_timesteps,
            )
            for k in (0, 1)
        )
        counts[name] = {
            layer: (acs.per_sample[layer].item(), macs.per_sample[layer].item()) for layer in known
        }
    facts = {
        layer: frozenset(fact for fact, value in line.facts.items() if bool(value))
        for layer, line in ledger.lines.items()
    }
    return Conventions(counts, facts)
