"""Ways to count while a network trains; a watcher gives the network to train and what the losses add."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn

from benchmarks.implementations import Implementation
from picojoule import Monitor
from picojoule.budget import rate_shortfall, synops_excess

TARGET, MIN_RATE = 6e4, 0.01
Penalty = Callable[[], Tensor]
Watched = tuple[nn.Module, Penalty | None]


def penalty(synops: Any, rates: Any) -> Tensor:
    """Both terms of the seed's loss."""
    return synops_excess(synops, TARGET) + 0.01 * rate_shortfall(rates, MIN_RATE)


def hooks(implementation: Implementation, model: nn.Sequential) -> Watched:
    """Sinabs' hooks or Picojoule's, and both losses."""
    implementation.watch(model)

    def losses() -> Tensor:
        rates = [
            layer.hook_data["firing_rate_per_neuron"]
            for layer in model.modules()
            if "firing_rate_per_neuron" in getattr(layer, "hook_data", {})
        ]
        return penalty(model.hook_data["synops_per_timestep"].values(), rates)

    return model, losses


def monitor(_: Implementation, model: nn.Sequential) -> Watched:
    """Picojoule's Monitor; nothing is read."""
    attached = Monitor(model).attach()  # held by the closure
    return _Within(model, lambda: nullcontext(attached)), None


def monitor_with_witness(_: Implementation, model: nn.Sequential) -> Watched:
    """The same, each pass like a first one: with a look at the operators below all functions."""
    attached = Monitor(model, witness="always").attach()
    return _Within(model, lambda: nullcontext(attached)), None


def monitor_and_losses(_: Implementation, model: nn.Sequential) -> Watched:
    """Picojoule's Monitor, and both losses."""
    counts = Monitor(model).attach()
    return model, lambda: penalty(counts.synops.values(), counts.rates.values())


def synop_counter(_: Implementation, model: nn.Sequential) -> Watched:
    """SpikingJelly's counter, which has no gradient."""
    from spikingjelly.activation_based.op_counter import SynOpCounter
    from spikingjelly.activation_based.op_counter.base import DispatchCounterMode

    return _Within(model, lambda: DispatchCounterMode([SynOpCounter()])), None


def neurobench(_: Implementation, model: nn.Sequential) -> Watched:
    """NeuroBench's metric, which has no gradient."""
    from neurobench.hooks.layer import LayerHook
    from neurobench.metrics.workload.synaptic_operations import SynapticOperations

    return _NeuroBench(model, LayerHook, SynapticOperations()), None


class _Within(nn.Module):
    """A model that runs inside something."""

    def __init__(self, model: nn.Module, around: Callable[[], AbstractContextManager[Any]]) -> None:
        super().__init__()
        self.model, self.around = model, around

    def forward(self, data: Tensor) -> Tensor:
        with self.around():
            return self.model(data)


class _NeuroBench(nn.Module):
    """A model whose layers' inputs are kept, for NeuroBench to count after the forward pass."""

    def __init__(self, model: nn.Module, hook: Any, metric: Any) -> None:
        super().__init__()
        self.model, self._metric = model, metric
        layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self.connection_hooks = [hook(layer) for layer in layers]

    def forward(self, data: Tensor) -> Tensor:
        output = self.model(data)
        self._metric(self, output, (data, None))
        for hook in self.connection_hooks:
            hook.reset()
        return output


WATCHERS: dict[str, Callable[[Implementation, nn.Sequential], Watched]] = {
    "hooks and losses": hooks,
    "Monitor": monitor,
    "Monitor, witness in each pass": monitor_with_witness,
    "Monitor and losses": monitor_and_losses,
    "SynOpCounter": synop_counter,
    "NeuroBench": neurobench,
}
