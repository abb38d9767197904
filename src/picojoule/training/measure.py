"""What a network spends and how it fires: during training, and over a whole data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from picojoule.hooks import firing_rate_per_neuron_hook, register_synops_hooks
from picojoule.layers import HookHandles, stateful_layers
from picojoule.synops import silent_share


@dataclass(frozen=True)
class Measurement:
    """A network on a data set: means over all its samples and time steps.

    Attributes:
        accuracy: share of the samples that are classified right, 0 to 1.
        synops_per_timestep: by counted layer.
        rates: spikes per time step of each neuron, `*n`, by spiking layer.
        trainable: the counted layers whose SynOps training can change.
    """

    accuracy: float
    synops_per_timestep: dict[str, float]
    rates: dict[str, Tensor]
    trainable: tuple[str, ...]

    @property
    def total_synops_per_timestep(self) -> float:
        """All counted layers together."""
        return self.synops_of(self.synops_per_timestep)

    def synops_of(self, layers: Iterable[str]) -> float:
        """SynOps per time step of some layers together."""
        return sum(self.synops_per_timestep[name] for name in layers)

    def mean_rate(self, layer: str) -> float:
        """Spikes per time step and neuron of a spiking layer."""
        return self.rates[layer].mean().item()

    def silent_share(self, layer: str) -> float:
        """Share of a spiking layer's neurons that never fire, 0 to 1."""
        return silent_share(self.rates[layer])

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON."""
        return {
            "accuracy": self.accuracy,
            "synops_per_timestep": self.synops_per_timestep,
            "total_synops_per_timestep": self.total_synops_per_timestep,
            "trainable": list(self.trainable),
            "mean_rate": {name: self.mean_rate(name) for name in self.rates},
            "silent_share": {name: self.silent_share(name) for name in self.rates},
        }


class Meter:
    """Reads SynOps and firing rates off a sequential model at every forward pass.

    Args:
        model: a (nested) Sequential.
    """

    def __init__(self, model: nn.Sequential) -> None:
        self._model = model
        self._spiking = {name: layer for name, layer in stateful_layers(model) if layer.does_spike}
        self.handles: HookHandles = register_synops_hooks(model)
        for layer in self._spiking.values():
            self.handles.add(layer.register_forward_hook(firing_rate_per_neuron_hook))

    def synops_per_timestep(self) -> dict[str, Tensor]:
        """SynOps per time step by counted layer in the last forward pass, differentiable."""
        counts: dict[int | str, Tensor] = self._model.hook_data["synops_per_timestep"]  # type: ignore[index, assignment]
        return {str(key): count for key, count in counts.items()}

    def rates(self) -> dict[str, Tensor]:
        """Firing rates, `*n`, by spiking layer in the last forward pass, differentiable."""
        return {
            name: layer.hook_data["firing_rate_per_neuron"]  # type: ignore[index]
            for name, layer in self._spiking.items()
        }


class RunningMean:
    """Weighted mean of several named tensors over batches."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weight = 0

    def add(self, values: dict[str, Tensor], weight: int) -> None:
        """Take in one batch of `weight` samples."""
        for name, value in values.items():
            weighted = value.detach().double() * weight
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
        self._weight += weight

    def compute(self) -> dict[str, Tensor]:
        """The means, float64."""
        return {name: total / self._weight for name, total in self._sums.items()}


def classification_hits(spikes: Tensor, labels: Tensor) -> int:
    """Samples whose most active output neuron, over time, is their label's.

    Args:
        spikes: output spikes, `b t c`.
        labels: `b`.
    """
    return int((spikes.sum(1).argmax(1) == labels).sum())
