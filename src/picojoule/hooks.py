"""Forward hooks that store what a layer spends in ``module.hook_data``, with sinabs' names.

The values are live tensors that can be used in a loss; each forward pass overwrites them. The
formulas are in :mod:`picojoule.synops`, in whose docstring the counting semantics stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from picojoule import synops
from picojoule.layers import HookHandles, SqueezeMixin
from picojoule.synops.fan_out import Convolution

__all__ = [
    "ModelSynopsHook",
    "conv_connection_map",
    "conv_layer_synops_hook",
    "firing_rate_hook",
    "firing_rate_per_neuron_hook",
    "get_hook_data_dict",
    "input_diff_hook",
    "linear_layer_synops_hook",
    "register_synops_hooks",
]

Inputs = tuple[Tensor, ...]


class HookData(dict[str, Any]):
    """What hooks have stored on a module. Copies and pickles hold the values without their graph."""

    def __reduce__(self) -> tuple[Any, ...]:
        return HookData, (_detached(dict(self)),)


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {key: _detached(item) for key, item in value.items()}
    return value


def get_hook_data_dict(module: nn.Module) -> dict[str, Any]:
    """The module's `hook_data`, made on first use."""
    if not isinstance(getattr(module, "hook_data", None), dict):
        module.hook_data = HookData()  # type: ignore[assignment]
    data: dict[str, Any] = module.hook_data  # type: ignore[assignment]
    return data


def firing_rate_hook(module: nn.Module, inputs: Inputs, output: Tensor) -> None:
    """Store the mean of the output as `firing_rate`, a scalar, spikes per time step."""
    get_hook_data_dict(module)["firing_rate"] = synops.firing_rate(output)


def firing_rate_per_neuron_hook(module: nn.Module, inputs: Inputs, output: Tensor) -> None:
    """Store each neuron's mean output as `firing_rate_per_neuron`, `*n`, spikes per time step.

    The mean is over batch and time: the first axis of a squeezing layer, else the first two.
    """
    axes = 1 if isinstance(module, SqueezeMixin) else 2
    rates = synops.firing_rate_per_neuron(output, axes)
    get_hook_data_dict(module)["firing_rate_per_neuron"] = rates


def input_diff_hook(module: Convolution | nn.Linear, inputs: Inputs, output: Tensor) -> None:
    """Store as `diff_output` what positive and negative weights cancel; see `input_cancellation`."""
    difference = synops.input_cancellation(module, inputs[0], output)
    get_hook_data_dict(module)["diff_output"] = difference


def conv_connection_map(
    layer: Convolution,
    input_shape: Sequence[int],
    output_shape: Sequence[int] | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Number of synapses from each input element; see :func:`picojoule.synops.conv_fan_out`.

    `output_shape` follows from the layer and is accepted for sinabs' sake only.
    """
    return synops.conv_fan_out(layer, input_shape, device)


def conv_layer_synops_hook(module: Convolution, inputs: Inputs, output: Tensor) -> None:
    """Store a convolution's SynOps per time step as `layer_synops_per_timestep`, a scalar.

    The fan-out map is kept as `connection_map`, `1 c *s`, until the input's shape changes.
    """
    data = get_hook_data_dict(module)
    spikes = inputs[0]
    shape = spikes.shape[-1 - len(module.kernel_size) :]
    fan_out = data.get("connection_map")
    if fan_out is None or fan_out.shape[1:] != shape or fan_out.device != spikes.device:
        fan_out = data["connection_map"] = conv_connection_map(module, shape, device=spikes.device)
    data["layer_synops_per_timestep"] = synops.conv_synops_per_timestep(spikes, fan_out)


def linear_layer_synops_hook(
    module: nn.Linear, inputs: Inputs, output: Tensor, batch_and_time_axes: int = 2
) -> None:
    """Store a linear layer's SynOps per time step as `layer_synops_per_timestep`, a scalar.

    The mean is over batch and time: the first two axes, or the only one in front of the features;
    `batch_and_time_axes=1` is for `(b t) *n f`.
    """
    count = synops.linear_synops_per_timestep(inputs[0], module.out_features, batch_and_time_axes)
    get_hook_data_dict(module)["layer_synops_per_timestep"] = count


class ModelSynopsHook:
    """Gathers the layers' SynOps on the model; register it on the (nested) Sequential itself.

    Stores on each counted layer and, as dicts by layer, on the model: `synops_per_timestep`, and
    `synops_per_second` if `dt` is given; on the model also `total_synops_per_timestep` (`_second`).
    Average poolings in front of a layer are taken into account. The key of a layer is its index, or
    its qualified name inside nested containers.

    Args:
        dt: duration of a time step in seconds.
    """

    def __init__(self, dt: float | None = None) -> None:
        if dt is not None and not dt > 0:
            raise ValueError(f"ModelSynopsHook: dt is {dt} seconds, expected dt > 0.")
        self.dt = dt

    def __call__(self, module: nn.Sequential, inputs: Inputs, output: Tensor) -> None:
        counted = synops.counted_layers(module)
        for key, layer, _ in counted:
            if "layer_synops_per_timestep" not in get_hook_data_dict(layer):
                raise RuntimeError(
                    f"ModelSynopsHook: layer {key!r} ({type(layer).__name__}) has no counting hook; call "
                    "register_synops_hooks again after adding layers."
                )
        per_timestep = {
            key: get_hook_data_dict(layer)["layer_synops_per_timestep"] * spikes_per_unit
            for key, layer, spikes_per_unit in counted
        }
        units = {"synops_per_timestep": per_timestep}
        if self.dt is not None:
            dt = self.dt
            units["synops_per_second"] = {key: x / dt for key, x in per_timestep.items()}
        else:
            for part in (module, *(layer for _, layer, _ in counted)):
                for stale in ("synops_per_second", "total_synops_per_second"):
                    get_hook_data_dict(part).pop(stale, None)
        for unit, by_layer in units.items():
            for key, layer, _ in counted:
                get_hook_data_dict(layer)[unit] = by_layer[key]
            get_hook_data_dict(module)[unit] = by_layer
            get_hook_data_dict(module)[f"total_{unit}"] = sum(by_layer.values())


def register_synops_hooks(module: nn.Sequential, dt: float | None = None) -> HookHandles:
    """Count the SynOps of every convolution and linear layer of a (nested) Sequential.

    After a forward pass, `module.hook_data` holds `synops_per_timestep` (scalars by layer) and
    `total_synops_per_timestep`, differentiable; with `dt`, also `synops_per_second` and its total.

    Args:
        module: the model.
        dt: duration of a time step in seconds.

    Returns:
        A handle whose `remove()` takes all hooks off; also a context manager.

    Raises:
        TypeError: the model is not a Sequential.
        NotImplementedError: a layer has weights but no formula; the message names it.
        ValueError: there is nothing to count, or `dt` is not > 0.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> with register_synops_hooks(model):
        ...     _ = model(torch.ones(5, 3))
        >>> model.hook_data["synops_per_timestep"][0]
        tensor(12.)
    """
    counted = synops.counted_layers(module)
    if not counted:
        raise ValueError(f"register_synops_hooks: nothing to count in {module}.")
    handles = HookHandles()
    model_hook = ModelSynopsHook(dt)
    axes = 1 if synops.time_is_folded(module) else 2
    linear_hook = partial(linear_layer_synops_hook, batch_and_time_axes=axes)
    for _, layer, _ in counted:
        hook: Any = linear_hook if isinstance(layer, nn.Linear) else conv_layer_synops_hook
        handles.add(layer.register_forward_hook(hook))
    handles.add(module.register_forward_hook(model_hook))
    return handles
