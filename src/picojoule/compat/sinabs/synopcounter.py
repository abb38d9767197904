"""The counters that sinabs has deprecated: SNNAnalyzer and SynOpCounter, on Picojoule's formulas."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from picojoule import synops
from picojoule.compat.sinabs.data_flow import SpikesPerUnit, TimeAxes
from picojoule.compat.sinabs.running_mean import CountedRecord, SpikingRecord
from picojoule.layers import HookHandles, NeuromorphicReLU, SqueezeMixin, StatefulLayer
from picojoule.layers.squeeze import split_batch_and_time
from picojoule.layers.weak_hook import WeakHook
from picojoule.synops.sequential import COUNTED, holds_synapses


class SNNAnalyzer:
    """Firing rates of the spiking layers and SynOps of the layers with weights, in any module tree.

    SynOps are per sample, summed over time and over the calls of a forward pass. The values of the last
    forward pass are live tensors, usable in a loss; with `average=True`, means over all samples seen.
    Watching starts with the object and ends with it, or anew with `reset()`.

    Args:
        model: the model.
        dt: duration of a time step in milliseconds.

    Warns:
        DeprecationWarning: always; `picojoule.hooks` is what to use.
        UserWarning: a layer has weights but no formula, and is not counted.

    Example:
        >>> import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        >>> model = nn.Linear(3, 5)
        >>> analyzer = SNNAnalyzer(model)
        >>> _ = model(torch.ones(2, 10, 3))
        >>> analyzer.get_model_statistics()["synops"]
        tensor(150.)
    """

    def __init__(self, model: nn.Module, dt: float = 1.0) -> None:
        _warn_of_deprecation("SNNAnalyzer")
        self.model = model
        self.dt = dt
        self.handles = HookHandles()
        self._watch()

    def reset(self) -> None:
        """Forget everything and watch anew."""
        self.handles.remove()
        self._watch()

    def __del__(self) -> None:
        if hasattr(self, "handles"):
            self.handles.remove()

    def get_layer_statistics(self, average: bool = False) -> dict[str, dict[str, dict[str, Any]]]:
        """Numbers of each layer that was called, by qualified name.

        Args:
            average: means over all samples seen; otherwise the last forward pass. The mean "output" is
                None if the outputs had different shapes.

        Returns:
            `"spiking"`: n_neurons, input and output `b t *n`, firing_rate, firing_rate_per_neuron `*n`;
            `"parameter"`: synops per sample, num_timesteps, time_window in ms, SynOps/s (and synops/s).
        """
        return {
            "spiking": {
                name: record.statistics(average)
                for name, record in self._spiking.items()
                if record.was_called
            },
            "parameter": {
                name: record.statistics(average, self.dt)
                for name, record in self._counted.items()
                if record.was_called
            },
        }

    def get_model_statistics(self, average: bool = False) -> dict[str, Tensor]:
        """Sums over the layers: synops per sample, n_spiking_neurons; and the mean firing_rate.

        Args:
            average: means over all samples seen; otherwise the last forward pass.
        """
        layers = self.get_layer_statistics(average)
        counted = [layer["synops"] for layer in layers["parameter"].values()]
        rates = [layer["firing_rate_per_neuron"].ravel() for layer in layers["spiking"].values()]
        neurons = sum(layer["n_neurons"] for layer in layers["spiking"].values())
        total: Tensor = sum(counted[1:], counted[0]) if counted else torch.tensor(0.0)
        statistics = {
            "synops": total,
            "n_spiking_neurons": torch.tensor(float(neurons), device=total.device),
        }
        if self._spiking:
            statistics["firing_rate"] = torch.cat(rates).mean() if rates else torch.tensor(0.0)
        return statistics

    def _watch(self) -> None:
        self._spiking: dict[str, SpikingRecord] = {}
        self._counted: dict[str, CountedRecord] = {}
        self._fan_out: dict[str, Tensor] = {}
        self._axes = TimeAxes(self.model, self.handles)
        self._scale = SpikesPerUnit()
        self._in_a_pass = False
        self.handles.add(self.model.register_forward_pre_hook(WeakHook(self._start)))
        for name, module, inside in _watched(self.model):
            if isinstance(module, StatefulLayer) and module.does_spike:
                self._spiking[name] = SpikingRecord()
                self.handles.add(module.register_forward_hook(WeakHook(self._spikes, name)))
            elif isinstance(module, COUNTED):
                self._counted[name] = CountedRecord()
                self.handles.add(module.register_forward_hook(WeakHook(self._counts, name, inside)))
            elif holds_synapses(module) and not isinstance(module, StatefulLayer):
                warnings.warn(
                    f"SNNAnalyzer: layer {name!r} ({type(module).__name__}) has weights but no formula; it is "
                    "not counted.",
                    stacklevel=3,
                )
            if not inside:
                self.handles.add(module.register_forward_hook(WeakHook(self._follow)))
        self.handles.add(self.model.register_forward_hook(WeakHook(self._end), always_call=True))

    def _start(self, module: nn.Module, inputs: Any) -> None:
        self._axes.start()
        self._scale.start()
        self._in_a_pass = True

    def _end(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._in_a_pass = False
        for record in self._counted.values():
            record.end_of_pass()

    def _follow(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            self._scale.after(module, inputs[0], output)

    def _spikes(
        self, module: nn.Module, name: str, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        data = inputs[0]
        if isinstance(module, SqueezeMixin):
            split = split_batch_and_time(name, len(data), module.batch_size, module.num_timesteps)
            data = data.reshape(*split, *data.shape[1:])
            output = output.reshape(*split, *output.shape[1:])
        self._spiking[name].add(data, output)

    def _counts(
        self, module: Any, name: str, recurrent: bool, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        data = inputs[0]
        axes = None if recurrent else self._axes.of(module, data)
        if isinstance(module, nn.Linear):
            folded = axes is None or math.prod(axes) == len(data)
            count = synops.linear_synops_per_timestep(data, module.out_features, 1 if folded else 2)
        else:
            count = synops.conv_synops_per_timestep(data, self._map(name, module, data))
        batched = data.ndim > (1 if isinstance(module, nn.Linear) else len(module.kernel_size) + 1)
        samples, steps = axes or (len(data) if batched else 1, 0)
        scale = 1.0 if recurrent else self._scale.of(data)
        record = self._counted[name]
        record.add_call(count * scale * max(steps, 1), samples, steps, one_step_of_many=recurrent)
        if not self._in_a_pass:
            record.end_of_pass()

    def _map(self, name: str, module: Any, data: Tensor) -> Tensor:
        shape = data.shape[-1 - len(module.kernel_size) :]
        known = self._fan_out.get(name)
        if known is None or known.shape[1:] != shape or known.device != data.device:
            known = self._fan_out[name] = synops.conv_fan_out(module, shape, data.device)
        return known


class SynOpCounter:
    """SynOps per sample that the NeuromorphicReLUs of an ANN have announced in their last output.

    Args:
        modules: modules to look through, such as `model.modules()`; those with `fanout > 0` count.
        sum_activations: give one sum; otherwise a list by layer.

    Raises:
        ValueError: there is no NeuromorphicReLU with a fanout.

    Warns:
        DeprecationWarning: always; `picojoule.hooks` is what to use.

    Example:
        >>> import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        >>> model = nn.Sequential(NeuromorphicReLU(fanout=3))
        >>> counter = SynOpCounter(model.modules())
        >>> _ = model(torch.tensor([[1.7, -2.0, 2.2]]))
        >>> counter()
        tensor(9.)
    """

    def __init__(self, modules: Iterable[nn.Module], sum_activations: bool = True) -> None:
        _warn_of_deprecation("SynOpCounter")
        self.modules = [m for m in modules if isinstance(m, NeuromorphicReLU) and m.fanout > 0]
        if not self.modules:
            raise ValueError("SynOpCounter: there is no NeuromorphicReLU with fanout > 0 to count.")
        self.sum_activations = sum_activations

    def __call__(self) -> Tensor | list[Tensor]:
        """SynOps of the last forward pass; they carry their gradient."""
        counted = [module.activity for module in self.modules if module.activity is not None]
        if len(counted) < len(self.modules):
            raise RuntimeError(
                "SynOpCounter: call the model first; a NeuromorphicReLU has not run."
            )
        return torch.stack(counted).sum() if self.sum_activations else counted


def _watched(
    model: nn.Module, prefix: str = "", inside: bool = False
) -> Iterator[tuple[str, nn.Module, bool]]:
    """Layers to watch with their qualified names, and whether they are inside a stateful layer."""
    stateful = isinstance(model, StatefulLayer)
    children = list(model.named_children())
    if stateful or not children:
        yield prefix, model, inside
    for name, child in children:
        yield from _watched(child, f"{prefix}.{name}" if prefix else name, inside or stateful)


def _warn_of_deprecation(name: str) -> None:
    warnings.warn(
        f"{name} is deprecated, as in sinabs; use picojoule.hooks instead.",
        DeprecationWarning,
        stacklevel=3,
    )
