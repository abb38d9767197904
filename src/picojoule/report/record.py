"""The plain record of a count: numbers without a graph, from which all else in a report is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from picojoule.plots.rate_histogram import RateHistogram
from picojoule.report.row import Row
from picojoule.version import __version__


@dataclass(frozen=True)
class Conventions:
    """What a Monitor with `conventions=True` kept.

    Args:
        counts: (ACs, MACs) per sample, by convention and layer.
        facts: what makes them differ, by layer.
    """

    counts: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class InputTensor:
    """A tensor that the model was called with.

    Args:
        shape: as it came, in the first forward pass.
        kind: what it was taken for, in all of them; None if nothing asked.

    Example:
        >>> print(InputTensor((16, 5, 2, 34, 34), "spikes"))
        16 x 5 x 2 x 34 x 34, taken for spikes
    """

    shape: tuple[int, ...]
    kind: Literal["spikes", "dense"] | None = None

    def __str__(self) -> str:
        taken = {"spikes": ", taken for spikes", "dense": ", taken for dense values", None: ""}
        return " x ".join(map(str, self.shape)) + taken[self.kind]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The numbers of a report and their totals; :class:`picojoule.report.Report` says what each is.

    Example:
        >>> row = Row(name="fc", kind="Linear", synops_per_timestep=3.0, synops_per_sample=30.0)
        >>> Record(model="Net", rows=(row,), samples=1, num_timesteps=10).synops_per_sample
        30.0
    """

    model: str
    rows: tuple[Row, ...]
    samples: int
    num_timesteps: float
    synops_per_sample_sd: float | None = None
    biases_per_sample: float = 0.0
    neuron_updates_per_sample: float = 0.0
    counted_by: Literal["strict", "sinabs"] = "strict"
    weights: Literal["all", "nonzero"] = "all"
    ignored: tuple[str, ...] = ()
    inputs: tuple[InputTensor, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)
    rate_histograms: Mapping[str, RateHistogram] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def synops_per_timestep(self) -> float:
        """SynOps of all layers, per sample and time step."""
        return sum(row.synops_per_timestep or 0.0 for row in self.rows)

    @property
    def synops_per_sample(self) -> float:
        """SynOps of all layers, over a sample's time steps."""
        return sum(row.synops_per_sample or 0.0 for row in self.rows)

    @property
    def macs_per_sample(self) -> float:
        """Products of dense values in all layers, over a sample's time steps."""
        return sum(row.macs_per_sample or 0.0 for row in self.rows)

    @property
    def macs_one_pass(self) -> float:
        """Multiplications of the same network run once, densely, as an ANN."""
        return sum(row.macs_one_pass or 0.0 for row in self.rows)


def versions_here() -> dict[str, str]:
    """What a count is made with, by package.

    Example:
        >>> list(versions_here())
        ['picojoule', 'torch']
    """
    return {"picojoule": __version__, "torch": torch.__version__}
