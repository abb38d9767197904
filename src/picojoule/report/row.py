"""One layer, or one functional call, in a report."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBERS = re.compile(r"[\d.]+")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one layer spends, or how it fires. What does not apply to it is None.

    Args:
        name: the module's name, or `module/op#k` of a functional call.
        kind: the type of the module, or the function.
        synops_per_timestep: spikes that arrived at synapses, per sample and time step.
        synops_per_sample: the same over a sample's time steps.
        synops_per_sample_sd: their standard deviation over the samples (n - 1), where the Monitor had
            `detail=["sample"]` and saw more than one.
        macs_per_sample: multiplications by dense values, over a sample's time steps.
        macs_one_pass: multiplications of one pass in which every input is dense: the ANN's.
        spikes_per_synapse: per time step; the firing rate of the input, as the synapses see it.
        neurons: of a layer with dynamics, in one sample.
        firing_rate: spikes per neuron and time step.
        silent_share: share of neurons that did not fire at all, 0 to 1.
        neuron_updates_per_sample: neurons times time steps.

    Example:
        >>> row = Row(name="fc", kind="Linear", synops_per_sample=0.0, macs_per_sample=12.0)
        >>> row.input
        'dense'
    """

    name: str
    kind: str
    synops_per_timestep: float | None = None
    synops_per_sample: float | None = None
    synops_per_sample_sd: float | None = None
    macs_per_sample: float | None = None
    macs_one_pass: float | None = None
    spikes_per_synapse: float | None = None
    neurons: int | None = None
    firing_rate: float | None = None
    silent_share: float | None = None
    neuron_updates_per_sample: float | None = None

    @property
    def label(self) -> str:
        """Its name, with its type where the name is a mere number.

        Example:
            >>> Row(name="2", kind="Linear").label, Row(name="head", kind="Linear").label
            ('2 Linear', 'head')
        """
        if not self.name:
            return "(model)"
        return f"{self.name} {self.kind}" if _NUMBERS.fullmatch(self.name) else self.name

    @property
    def input(self) -> str | None:
        """What arrives: "spikes", "dense" values, "mixed", nothing ("silent"); None for neurons."""
        if self.synops_per_sample is None:
            return None
        return {
            (True, False): "spikes",
            (False, True): "dense",
            (True, True): "mixed",
            (False, False): "silent",
        }[self.synops_per_sample != 0, bool(self.macs_per_sample)]
